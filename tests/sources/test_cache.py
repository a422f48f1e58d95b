from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from crosspi import caches
from crosspi.data.source import ALLOW_UNPINNED, Source
from crosspi.errors import (
    ArchiveError,
    BuildError,
    CrosspiError,
    DiskFullError,
    EngineError,
    HostError,
    SourceError,
)
from crosspi.sources import cache as module
from crosspi.sources.cache import SourceCache
from crosspi.sources.download import Network
from crosspi.sources.pypi import PipConfig
from crosspi.sources.treehash import tree_hash
from sources import archives
from sources.server import Handler, files, serving

NETWORK = Network(tries=1, connect_timeout=1, read_timeout=2)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return archives.tar(tmp_path / "p-1.tar.gz", {"p-1/a.c": b"a", "p-1/d/b.c": b"b"})


@pytest.fixture
def data(archive: Path) -> bytes:
    return archive.read_bytes()


@pytest.fixture
def pin(tmp_path: Path) -> str:
    for name, text in {"a.c": "a", "d/b.c": "b"}.items():
        (tmp_path / "like" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "like" / name).write_text(text)
    return tree_hash(tmp_path / "like")


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, log: list[str]) -> Callable[..., SourceCache]:
    def make(**options: Any) -> SourceCache:
        return SourceCache(tmp_path / "cache", log=log.append, **{"network": NETWORK, **options})

    return make


def source(pin: str, *origins: dict[str, Any], **more: Any) -> Source:
    data = {"tree": pin, "origins": list(origins), **more}
    return Source.model_validate(data, context=ALLOW_UNPINNED)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def in_cache(folder: Path) -> list[str]:
    """What is in a cache folder apart from locks, its mark and empty folders."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] not in ("locks", caches.TAG))


def test_an_url_becomes_a_tree_and_is_not_fetched_twice(
    make: Callable[..., SourceCache], data: bytes, pin: str
) -> None:
    with serving(files({"/p-1.tar.gz": data})) as server:
        made = source(pin, {"url": server.url + "/p-1.tar.gz", "sha256": sha(data)})
        path = make().fetch("p", made)
        assert path == make().fetch("p", made) == make().path(made)
    assert (path / "d" / "b.c").read_text() == "b"
    assert len(server.requests) == 1


def test_two_sources_of_one_archive_fetch_it_once(
    make: Callable[..., SourceCache], tmp_path: Path, data: bytes, pin: str
) -> None:
    with serving(files({"/p.gz": data})) as server:
        origin = {"url": server.url + "/p.gz", "sha256": sha(data)}
        make().fetch("p", source(pin, origin))
        make().fetch("d", source(tree_hash(tmp_path / "like" / "d"), origin, subdir="d"))
    assert len(server.requests) == 1


def test_a_file_stays_a_file(make: Callable[..., SourceCache], data: bytes) -> None:
    with serving(files({"/x.whl": data})) as server:
        made = Source.model_validate(
            {"file": "sha256:" + sha(data), "origins": [{"url": server.url + "/x.whl"}]}
        )
        path = make().fetch("x", made)
    assert path.name == "x.whl"
    assert path.read_bytes() == data
    assert make().verify(made)


def test_the_next_origin_is_tried_and_the_first_is_logged(
    make: Callable[..., SourceCache], archive: Path, pin: str, log: list[str]
) -> None:
    with serving(files({})) as server:
        made = source(pin, {"url": server.url + "/p.gz"}, {"local": archive.name})
        make().fetch("p", made, base=archive.parent)
    assert len(log) == 2
    assert "not from url" in log[0]
    assert "404" in log[0]
    assert "from local" in log[1]


def test_an_origin_that_needs_what_is_not_there_is_passed_over(
    make: Callable[..., SourceCache], archive: Path, pin: str
) -> None:
    def no_engine() -> list[str]:
        raise HostError("no engine")

    made = source(pin, {"debian": "pp", "file": "p"}, {"local": str(archive)})
    assert make(repositories=no_engine).fetch("p", made).is_dir()


@pytest.mark.parametrize("kind", [EngineError, HostError])
@pytest.mark.parametrize("others", [[], [{"local": "/none"}]])
def test_what_the_engine_or_the_machine_failed_is_no_fault_of_the_source(
    make: Callable[..., SourceCache],
    pin: str,
    kind: type[CrosspiError],
    others: list[dict[str, Any]],
) -> None:
    def repositories() -> list[str]:
        raise kind("it does not answer", fix="start it")

    made = source(pin, *others, {"debian": "pp", "file": "p.tar.gz"})
    with pytest.raises(kind) as caught:
        make(repositories=repositories).fetch("p", made)
    assert type(caught.value) is kind
    assert "it does not answer" in caught.value.why
    assert "start it" in caught.value.fix


def test_a_base_image_that_could_not_be_made_is_a_fault_of_the_source(
    make: Callable[..., SourceCache], pin: str
) -> None:
    def repositories() -> list[str]:
        raise BuildError("no base image")

    with pytest.raises(SourceError):
        make(repositories=repositories).fetch("p", source(pin, {"debian": "pp", "file": "p.tar"}))


@pytest.mark.parametrize("kind", ["tree", "file"])
@pytest.mark.parametrize("call", ["fetch", "measure"])
def test_an_archive_is_held_while_it_is_read(
    make: Callable[..., SourceCache],
    data: bytes,
    pin: str,
    call: str,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or another process could throw it away under the reader."""
    held = []
    cache = make()
    name = {"tree": "unpack", "file": "_copy"}[kind]
    real = getattr(module, name)

    def reading(*args: Any, **options: Any) -> Any:
        for lock in cache.root.glob("locks/archive-*.lock"):
            with pytest.raises(Timeout):
                FileLock(lock).acquire(timeout=0)
            held.append(lock)
        return real(*args, **options)

    monkeypatch.setattr(module, name, reading)
    pinned = {"tree": pin, "file": "sha256:" + sha(data)}[kind]
    with serving(files({"/p.gz": data})) as server:
        made = Source.model_validate({kind: pinned, "origins": [{"url": server.url + "/p.gz"}]})
        getattr(cache, call)("p", made)
    assert held
    assert cache.verify(made)


def test_all_origins_fail_with_one_message(
    make: Callable[..., SourceCache], tmp_path: Path, pin: str
) -> None:
    with serving(files({})) as server:
        made = source(
            pin,
            {"url": server.url + "/p.gz", "sha256": "1" * 64},
            {"debian": "pp", "file": "pp_1.orig.tar.gz", "sha256": "2" * 64},
            {"local": "none"},
        )
        with pytest.raises(SourceError, match="any of its 3 origins") as caught:
            make(repositories=lambda: [server.url + "/debian"]).fetch("p", made, base=tmp_path)
    for text in ("HTTP 404", "/debian/pool/main/p/pp/pp_1", "no such file or folder"):
        assert text in caught.value.why
    assert "pp_1.orig.tar.gz  sha256 " + "2" * 64 in caught.value.fix
    assert pin.removeprefix("sha256:") in caught.value.fix
    assert in_cache(tmp_path / "cache") == []


def test_debian_repositories_are_asked_in_turn(
    make: Callable[..., SourceCache], data: bytes, pin: str
) -> None:
    with serving(files({"/b/pool/main/libp/libpp/p%2B1.tar.gz": data})) as server:
        made = source(pin, {"debian": "libpp", "file": "p+1.tar.gz", "sha256": sha(data)})
        make(repositories=lambda: [server.url + "/a/", server.url + "/b/"]).fetch("p", made)
    assert len(server.requests) == 2


def test_a_pypi_file_is_checked_by_the_hash_of_the_index(
    make: Callable[..., SourceCache], data: bytes, pin: str
) -> None:
    page = f'<a href="/p-1.tar.gz#sha256={"0" * 64}">p-1.tar.gz</a>'.encode()
    with serving(files({"/p/": page, "/p-1.tar.gz": data})) as server:
        pip = lambda: PipConfig((server.url,))  # noqa: E731
        with pytest.raises(SourceError) as caught:
            make(pip=pip).fetch("p", source(pin, {"pypi": "p", "file": "p-1.tar.gz"}))
    assert "not the pinned ones" in caught.value.why


@pytest.mark.usefixtures("no_socket")
def test_offline_opens_no_socket(make: Callable[..., SourceCache], pin: str) -> None:
    made = source(
        pin,
        {"url": "http://h.invalid/p.gz"},
        {"debian": "pp", "file": "p.gz"},
        {"pypi": "p", "file": "p.gz"},
    )
    pip = lambda: PipConfig(("http://i.invalid",))  # noqa: E731
    with pytest.raises(SourceError, match="any of its 3") as caught:
        make(offline=True, pip=pip).fetch("p", made)
    assert caught.value.why.count("offline") >= 3


def test_offline_uses_a_cached_archive(
    make: Callable[..., SourceCache], data: bytes, pin: str
) -> None:
    with serving(files({"/p.gz": data})) as server:
        made = source(pin, {"url": server.url + "/p.gz", "sha256": sha(data)})
        shutil.rmtree(make().fetch("p", made))
    assert (make(offline=True).fetch("p", made) / "a.c").is_file()


# --- CROSSPI_SOURCES ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["renamed.tar.gz", "p.gz"])
def test_an_archive_of_the_site(
    make: Callable[..., SourceCache], tmp_path: Path, data: bytes, pin: str, name: str
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / name).write_bytes(data)
    made = source(pin, {"url": "http://h.invalid/p.gz", "sha256": sha(data)})
    path = make(extra=tmp_path / "site", offline=True).fetch("p", made)
    assert (path / "a.c").is_file()


def test_a_repacked_archive_of_the_site_serves_since_the_tree_is_pinned(
    make: Callable[..., SourceCache], tmp_path: Path, data: bytes, pin: str
) -> None:
    (tmp_path / "site").mkdir()
    contents = {"q/d/b.c": b"b", "q/a.c": b"a"}
    archives.tar(tmp_path / "site" / "p.gz", contents, "w:xz")
    made = source(pin, {"url": "http://h.invalid/p.gz", "sha256": sha(data)})
    assert make(extra=tmp_path / "site", offline=True).fetch("p", made).is_dir()


def test_a_tree_of_the_site(make: Callable[..., SourceCache], tmp_path: Path, pin: str) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "like").rename(tmp_path / "site" / pin.removeprefix("sha256:"))
    made = source(pin, {"url": "http://h.invalid/p.gz"})
    assert make(extra=tmp_path / "site", offline=True).fetch("p", made).is_dir()


def test_a_file_of_the_site(make: Callable[..., SourceCache], tmp_path: Path, data: bytes) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "other.whl").write_bytes(data)
    made = Source.model_validate(
        {"file": "sha256:" + sha(data), "origins": [{"url": "http://h.invalid/x.whl"}]}
    )
    assert make(extra=tmp_path / "site", offline=True).fetch("x", made).name == "x.whl"


def test_other_bytes_of_the_site_are_passed_over(
    make: Callable[..., SourceCache], tmp_path: Path, archive: Path, pin: str, log: list[str]
) -> None:
    (tmp_path / "site").mkdir()
    archives.tar(tmp_path / "site" / "p.gz", {"p/x": b"x"})
    made = source(pin, {"url": "http://h.invalid/p.gz"}, {"local": str(archive)})
    make(extra=tmp_path / "site", offline=True).fetch("p", made)
    assert "not from CROSSPI_SOURCES p.gz: the unpacked tree is not the pinned one" in log[0]


# --- damage ------------------------------------------------------------------------------


def test_a_wrong_tree_of_the_right_archive(
    make: Callable[..., SourceCache], tmp_path: Path, archive: Path, data: bytes
) -> None:
    made = source("sha256:" + "0" * 64, {"local": str(archive), "sha256": sha(data)})
    with pytest.raises(SourceError) as caught:
        make().fetch("p", made)
    assert "strip, subdir, include or exclude differ" in caught.value.why
    assert "expected tree sha256:" + "0" * 64 in caught.value.why
    assert in_cache(tmp_path / "cache") == []


def test_an_archive_error_keeps_its_kind(make: Callable[..., SourceCache], tmp_path: Path) -> None:
    archives.tar(tmp_path / "bad.tar", {"../x": b""})
    made = source("sha256:" + "0" * 64, {"local": str(tmp_path / "bad.tar")})
    with pytest.raises(ArchiveError) as caught:
        make().fetch("p", made)
    assert "climbs" in caught.value.why


@pytest.mark.parametrize("damage", ["change", "remove", "add"])
def test_a_damaged_tree_is_never_used(
    make: Callable[..., SourceCache], archive: Path, pin: str, damage: str, log: list[str]
) -> None:
    made = source(pin, {"local": str(archive)})
    path = make().fetch("p", made)
    if damage == "remove":
        (path / "a.c").unlink()
    else:
        (path / ("a.c" if damage == "change" else "new")).write_text("z")
    assert (make().fetch("p", made) / "a.c").read_text() == "a"
    assert tree_hash(path) == pin
    assert any("damaged" in line for line in log)


def test_a_tree_without_its_mark_is_read_and_kept(
    make: Callable[..., SourceCache], archive: Path, pin: str
) -> None:
    made = source(pin, {"local": str(archive)})
    path = make().fetch("p", made)
    path.with_name(path.name + ".json").unlink()
    archive.unlink()
    assert make().fetch("p", made) == path


def test_verify_sees_what_the_mark_does_not(
    make: Callable[..., SourceCache], archive: Path, pin: str
) -> None:
    made = source(pin, {"local": str(archive)})
    path = make().fetch("p", made)
    assert make().verify(made)
    status = (path / "a.c").stat()
    (path / "a.c").write_text("z")
    module.os.utime(path / "a.c", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not make().verify(made)
    assert not path.exists()


def test_a_damaged_cached_archive_is_fetched_again(
    make: Callable[..., SourceCache], tmp_path: Path, data: bytes, pin: str
) -> None:
    with serving(files({"/p.gz": data})) as server:
        made = source(pin, {"url": server.url + "/p.gz", "sha256": sha(data)})
        shutil.rmtree(make().fetch("p", made))
        (tmp_path / "cache" / "archives" / sha(data) / "p.gz").write_bytes(b"bad")
        make().fetch("p", made)
    assert len(server.requests) == 2


def test_a_full_disk_leaves_nothing(
    make: Callable[..., SourceCache],
    tmp_path: Path,
    archive: Path,
    pin: str,
    full_disk: Callable[[object, str], None],
) -> None:
    full_disk(module, "tree_hash")
    with pytest.raises(DiskFullError):
        make().fetch("p", source(pin, {"local": str(archive)}))
    assert in_cache(tmp_path / "cache") == []


def test_what_a_killed_run_left_is_removed(
    make: Callable[..., SourceCache], tmp_path: Path, archive: Path, pin: str
) -> None:
    left = tmp_path / "cache" / "trees" / f".{pin.removeprefix('sha256:')}.abc" / "tree"
    left.mkdir(parents=True)
    make().fetch("p", source(pin, {"local": str(archive)}))
    assert not left.parent.exists()


def test_an_unpinned_source_is_not_fetched(make: Callable[..., SourceCache]) -> None:
    with pytest.raises(SourceError, match="not pinned"):
        make().fetch("p", source("unpinned", {"local": "x"}))


def test_measure_gives_the_pin_and_keeps_the_tree(
    make: Callable[..., SourceCache], archive: Path, data: bytes, pin: str
) -> None:
    measured = make().measure("p", source("unpinned", {"local": str(archive)}))
    assert (measured.pin, measured.sha256, measured.files) == (pin, sha(data), 2)
    archive.unlink()
    assert make().fetch("p", source(pin, {"local": str(archive)})).is_dir()


def test_one_waits_for_the_other(tmp_path: Path, data: bytes, pin: str) -> None:
    waiting = threading.Event()
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        if "waiting" in line:
            waiting.set()

    def answer(handler: Handler) -> None:
        assert waiting.wait(10)
        handler.send(200, data)

    with serving(answer) as server:
        made = source(pin, {"url": server.url + "/p.gz", "sha256": sha(data)})
        caches = [
            SourceCache(tmp_path / "cache", log=log, network=Network(read_timeout=10))
            for _ in range(2)
        ]
        with ThreadPoolExecutor(2) as pool:
            paths = list(pool.map(lambda cache: cache.fetch("p", made), caches))
    assert paths[0] == paths[1]
    assert len(server.requests) == 1
    assert lines == [
        "p: another crosspi is fetching it; waiting",
        f"p: from url {server.url}/p.gz",
    ]
