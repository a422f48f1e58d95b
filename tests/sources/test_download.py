from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from crosspi.errors import DiskFullError, SourceError
from crosspi.sources import download as module
from crosspi.sources.download import Network, download, new_session
from sources.server import Handler, Server, files, serving

BODY = bytes(range(256)) * 400
SHA = hashlib.sha256(BODY).hexdigest()
WAITS: list[float] = []
NETWORK = Network(connect_timeout=1, read_timeout=0.2, tries=3, sleep=WAITS.append)


@pytest.fixture(autouse=True)
def _no_waits() -> None:
    WAITS.clear()


def get(server: Server, into: Path, path: str = "/f.gz", **options: object) -> Path:
    options = {"network": NETWORK, "sha256": SHA, **options}
    return download(server.url + path, into, **options)  # type: ignore[arg-type]


def in_turn(*answers: Callable[[Handler], None]) -> Callable[[Handler], None]:
    left = list(answers)

    def answer(handler: Handler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return answer


def whole(handler: Handler) -> None:
    handler.send(200, BODY, ETag='"1"')


def half(handler: Handler) -> None:
    handler.send(200, BODY[:50_000], length=len(BODY), ETag='"1"')


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_with_progress(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    with serving(whole) as server:
        file = get(server, tmp_path, "/a%2Bb.gz", progress=lambda *step: seen.append(step))
    assert file.read_bytes() == BODY
    assert names(tmp_path) == ["a+b.gz"]
    assert seen[0] == ("a+b.gz", 0, len(BODY))
    assert seen[-1] == ("a+b.gz", len(BODY), len(BODY))


@pytest.mark.parametrize(
    ("code", "what"),
    [(404, "not there"), (403, "refuses"), (407, "proxy"), (418, "does not give")],
)
def test_a_final_answer_is_not_asked_for_again(tmp_path: Path, code: int, what: str) -> None:
    with (
        serving(lambda handler: handler.send(code)) as server,
        pytest.raises(SourceError, match=what) as caught,
    ):
        get(server, tmp_path)
    assert str(code) in caught.value.why
    assert len(server.requests) == 1
    assert names(tmp_path) == []


def test_500_and_then_ok(tmp_path: Path) -> None:
    with serving(in_turn(lambda handler: handler.send(500), whole)) as server:
        assert get(server, tmp_path).read_bytes() == BODY
    assert WAITS == [1]


def test_500_for_ever(tmp_path: Path) -> None:
    with (
        serving(lambda handler: handler.send(500)) as server,
        pytest.raises(SourceError, match="fault") as caught,
    ):
        get(server, tmp_path)
    assert "(3 tries)" in caught.value.why
    assert WAITS == [1, 2]


def test_retry_after_is_kept_to(tmp_path: Path) -> None:
    with serving(in_turn(lambda handler: handler.send(503, Retry_After="7"), whole)) as server:
        get(server, tmp_path)
    assert WAITS == [7]


def test_a_cut_off_download_is_continued(tmp_path: Path) -> None:
    def rest(handler: Handler) -> None:
        body = BODY[50_000:]
        handler.send(206, body, Content_Range=f"bytes 50000-{len(BODY) - 1}/{len(BODY)}")

    with serving(in_turn(half, rest)) as server:
        assert get(server, tmp_path).read_bytes() == BODY
    assert server.requests[1][1]["Range"] == "bytes=50000-"
    assert server.requests[1][1]["If-Range"] == '"1"'


def test_a_part_left_by_a_killed_run_is_continued(tmp_path: Path) -> None:
    def answer(handler: Handler) -> None:
        start = int(handler.headers["Range"][6:-1])
        span = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
        handler.send(206, BODY[start:], Content_Range=span)

    with serving(in_turn(half, answer)) as server:
        with pytest.raises(SourceError, match="cut off"):
            get(server, tmp_path, network=Network(tries=1))
        assert len(names(tmp_path)) == 2
        assert get(server, tmp_path).read_bytes() == BODY


def test_a_file_that_changed_meanwhile_starts_anew(tmp_path: Path) -> None:
    with serving(in_turn(half, whole)) as server:
        assert get(server, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("span", ["bytes 0-9/10", ""])
def test_a_server_that_continues_at_the_wrong_place(tmp_path: Path, span: str) -> None:
    wrong = lambda handler: handler.send(206, BODY, Content_Range=span)  # noqa: E731
    with serving(in_turn(half, wrong, whole)) as server:
        assert get(server, tmp_path).read_bytes() == BODY


def test_a_part_that_is_complete_already(tmp_path: Path) -> None:
    refuse = lambda h: h.send(416, Content_Range=f"bytes */{len(BODY)}")  # noqa: E731
    longer = lambda h: h.send(200, BODY, length=len(BODY) + 1, ETag='"1"')  # noqa: E731
    with serving(in_turn(longer, refuse)) as server:
        assert get(server, tmp_path).read_bytes() == BODY


def test_parts_of_two_versions_are_fetched_again_whole(tmp_path: Path) -> None:
    other = lambda h: h.send(200, bytes(50_000), length=len(BODY))  # noqa: E731

    def rest(handler: Handler) -> None:
        span = f"bytes 50000-{len(BODY) - 1}/{len(BODY)}"
        handler.send(206, BODY[50_000:], Content_Range=span)

    with serving(in_turn(other, rest, whole)) as server:
        assert get(server, tmp_path).read_bytes() == BODY


def test_a_truncated_body_for_ever(tmp_path: Path) -> None:
    with serving(half) as server, pytest.raises(SourceError, match="cut off"):
        get(server, tmp_path)


def test_a_truncated_chunked_body(tmp_path: Path) -> None:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nhello\r\n")

    with serving(answer) as server, pytest.raises(SourceError, match="cut off"):
        get(server, tmp_path, sha256=None)
    assert not (tmp_path / "f.gz").exists()


def test_a_server_that_answers_too_slowly(tmp_path: Path) -> None:
    with (
        serving(lambda _handler: time.sleep(0.5)) as server,
        pytest.raises(SourceError, match="too slow"),
    ):
        get(server, tmp_path)


def test_a_server_that_drips(tmp_path: Path) -> None:
    def answer(handler: Handler) -> None:
        handler.send(200, b"", length=100)
        for _ in range(10):
            time.sleep(0.05)
            handler.wfile.write(b"x")
            handler.wfile.flush()

    network = Network(read_timeout=0.2, tries=1)
    with serving(answer) as server, pytest.raises(SourceError, match="too slow"):
        get(server, tmp_path, network=network)


def test_wrong_bytes_are_thrown_away(tmp_path: Path) -> None:
    with (
        serving(lambda handler: handler.send(200, b"<html>log in</html>")) as server,
        pytest.raises(SourceError, match="not the pinned ones") as caught,
    ):
        get(server, tmp_path)
    assert SHA in caught.value.why
    assert hashlib.sha256(b"<html>log in</html>").hexdigest() in caught.value.why
    assert "(19 bytes)" in caught.value.why
    assert "web page" in caught.value.why
    assert names(tmp_path) == []


def test_gzip_is_not_undone(tmp_path: Path) -> None:
    with serving(lambda h: h.send(200, BODY, Content_Encoding="gzip")) as server:
        assert get(server, tmp_path).read_bytes() == BODY
    assert server.requests[0][1]["Accept-Encoding"] == "identity"


def test_a_refused_connection_fails_at_once(tmp_path: Path, closed_port: int) -> None:
    url = f"http://me:secret@127.0.0.1:{closed_port}/f"
    with pytest.raises(SourceError, match="refuses the connection") as caught:
        download(url, tmp_path, network=NETWORK)
    assert WAITS == []
    assert "secret" not in str(caught.value)


def test_a_name_that_does_not_resolve_fails_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be resolved"):
        download("http://no-such-host.invalid/f", tmp_path, network=NETWORK)
    assert WAITS == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses(
    tmp_path: Path, closed_port: int, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", f"http://me:secret@127.0.0.1:{closed_port}")
    with pytest.raises(SourceError, match="proxy") as caught:
        download(f"{scheme}://example.invalid/f", tmp_path, network=NETWORK)
    assert "https_proxy" in caught.value.fix
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("no_socket")
def test_offline_opens_no_socket(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="offline"):
        download("http://example.invalid/f", tmp_path, network=Network(offline=True))
    assert names(tmp_path) == []


def test_a_full_disk_leaves_nothing(
    tmp_path: Path, full_disk: Callable[[object, str], None]
) -> None:
    with serving(whole) as server:
        full_disk(module._Fetch, "_tell")
        with pytest.raises(DiskFullError):
            get(server, tmp_path)
    assert names(tmp_path) == []


def test_a_page() -> None:
    with serving(files({"/p": b"page"})) as server:
        page = module.get_page(server.url + "/p", session=new_session(), network=NETWORK)
    assert page.content == b"page"


def test_sessions_use_the_environment() -> None:
    assert new_session().trust_env
    assert isinstance(new_session(), requests.Session)
