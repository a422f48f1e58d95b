from __future__ import annotations

import json
from pathlib import Path

import pytest

from crosspi.data.source import PypiOrigin
from crosspi.errors import HostError, SourceError
from crosspi.sources import pypi
from crosspi.sources.download import Network
from crosspi.sources.pypi import PipConfig, PypiIndexes, parse_pip_config, pip_config, same_file
from sources.server import Handler, files, serving

ORIGIN = PypiOrigin(pypi="My_Project", file="my_project-1.0.tar.gz")
HEX = "c" * 64
HTML = f'<a href="../../f/my_project-1.0.tar.gz#sha256={HEX}">my_project-1.0.tar.gz</a>'.encode()


def finder(**config: object) -> PypiIndexes:
    made = PipConfig(**{"indexes": (), **config})  # type: ignore[arg-type]
    return PypiIndexes(config=lambda: made, network=Network(tries=1))


def test_an_html_index() -> None:
    with serving(files({"/s/my-project/": HTML})) as server:
        found = finder(indexes=(server.url + "/s/",)).find(ORIGIN)
    assert found.url == f"{server.url}/f/my_project-1.0.tar.gz"
    assert found.sha256 == HEX
    assert "application/vnd.pypi.simple.v1+json" in server.requests[0][1]["Accept"]


def test_a_json_index() -> None:
    file = {"filename": ORIGIN.file, "url": "/f.gz", "hashes": {"sha256": HEX}}
    page = {"meta": {"api-version": "1.0"}, "name": "my-project", "files": [file]}

    def answer(handler: Handler) -> None:
        body = json.dumps(page).encode()
        handler.send(200, body, Content_Type="application/vnd.pypi.simple.v1+json")

    with serving(answer) as server:
        found = finder(indexes=(server.url,)).find(ORIGIN)
    assert (found.url, found.sha256) == (f"{server.url}/f.gz", HEX)


def test_the_extra_index_is_asked_next() -> None:
    with serving(files({"/b/my-project/": HTML})) as server:
        found = finder(indexes=(server.url + "/a", server.url + "/b")).find(ORIGIN)
    assert found.url.startswith(server.url)
    assert [path for path, _ in server.requests] == ["/a/my-project/", "/b/my-project/"]


def test_all_indexes_are_named_when_none_has_it() -> None:
    with serving(files({"/b/my-project/": b"<a href='x-2.zip'>x-2.zip</a>"})) as server:
        secret = server.url.replace("http://", "http://me:secret@")
        with pytest.raises(SourceError) as caught:
            finder(indexes=(secret + "/a", secret + "/b")).find(ORIGIN)
    assert "/a/my-project/: the file is not there" in caught.value.why
    assert "/b/my-project/: lists 1 files, but not this one" in caught.value.why
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("no_socket")
def test_find_links_folder_comes_first_and_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / ORIGIN.file).write_text("x")
    for place in (str(tmp_path), tmp_path.as_uri()):
        assert finder(find_links=("/none", place)).find(ORIGIN).path == tmp_path / ORIGIN.file


def test_find_links_page() -> None:
    with serving(files({"/links": HTML})) as server:
        assert finder(find_links=(server.url + "/links",)).find(ORIGIN).sha256 == HEX


def test_certificates_and_trusted_hosts() -> None:
    with serving(files({"/my-project/": HTML})) as server:
        host = server.url.removeprefix("http://")
        found = finder(indexes=(server.url,), cert="/c.pem").find(ORIGIN)
        trusted = finder(indexes=(server.url,), cert="/c.pem", trusted_hosts=(host,)).find(ORIGIN)
    assert found.verify == "/c.pem"
    assert trusted.verify is False


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ml-dtypes-0.2.0.tar.gz", "ml_dtypes-0.2.0.tar.gz", True),
        ("ml_dtypes-0.2.0.zip", "ml_dtypes-0.2.0.tar.gz", False),
        ("ml_dtypes-0.2.1.tar.gz", "ml_dtypes-0.2.0.tar.gz", False),
        ("A_b-1.0-py3-none-any.whl", "a_b-1.0-py3-none-any.whl", True),
        ("a.exe", "b.exe", False),
    ],
)
def test_same_file(one: str, other: str, same: bool) -> None:
    assert same_file(one, other) is same


def test_the_output_of_pip_config() -> None:
    text = "global.index-url='https://h/s'\n:env:.find_links='/a\\n/b'\nnonsense\nx.y=oops(\n"
    assert parse_pip_config(text) == {
        "global": {"index-url": "https://h/s"},
        ":env:": {"find-links": "/a\n/b"},
    }


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = http://a.invalid/s\ncert = /c.pem\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_INDEX_URL", "http://b.invalid/s")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://c.invalid/s http://d.invalid/s")
    config = pip_config()
    assert config.indexes == tuple(f"http://{h}.invalid/s" for h in "bcd")
    assert config.cert == "/c.pem"


def test_without_settings_the_default_of_pip_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        pypi,
        "_pip",
        lambda _python, *arguments: "" if arguments[0] == "-m" else "http://default.invalid/s\n",
    )
    assert pip_config().indexes == ("http://default.invalid/s",)


def test_pip_itself_tells_its_default() -> None:
    assert pypi._pip(pypi.sys.executable, "-c", pypi._DEFAULT_INDEX).startswith("https://")


def test_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pypi, "_pip", lambda *_: ":env:.no-index='1'\n")
    assert pip_config().indexes == ()


def test_a_python_without_pip(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot ask pip"):
        pip_config(str(tmp_path / "python"))
