from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crosspi.data.source import MavenOrigin, Source
from crosspi.errors import SourceError
from crosspi.sources import maven
from crosspi.sources.cache import SourceCache
from crosspi.sources.download import Network
from sources.server import files, serving

ORIGIN = MavenOrigin(maven="org.example.lib:thing:1.0-2:linux-armhf")
POM = """<project><repositories>
<repository><id>other</id><url>https://other.example/</url></repository>
<repository><id>central</id><url>https://central.example/maven2</url></repository>
</repositories></project>"""


def settings(path: Path, *mirrors: tuple[str, str], more: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(
        f"<mirror><id>m</id><mirrorOf>{of}</mirrorOf><url>{url}</url>{more}</mirror>"
        for of, url in mirrors
    )
    path.write_text(
        f'<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors>{text}</mirrors>'
        "</settings>"
    )


def install(folder: Path) -> None:
    (folder / "lib").mkdir(parents=True)
    with zipfile.ZipFile(folder / "lib" / "maven-model-builder-3.9.jar", "w") as jar:
        jar.writestr("org/apache/maven/model/pom-4.0.0.xml", POM)


def find(tmp_path: Path, **environment: str) -> str:
    """What `repository` finds on a machine that has only what lies below `tmp_path`."""
    return maven.repository(
        {"PATH": str(tmp_path / "bin"), **environment},
        home=tmp_path / "home",
        system=tmp_path / "etc" / "settings.xml",
        usual=tmp_path / "usual",
    )


def test_the_address_in_a_repository() -> None:
    assert maven.address(ORIGIN, "https://m.example/x/") == (
        "https://m.example/x/org/example/lib/thing/1.0-2/thing-1.0-2-linux-armhf.jar"
    )
    plain = MavenOrigin(maven="g:a:1")
    assert maven.address(plain, "file:///srv") == "file:///srv/g/a/1/a-1.jar"


@pytest.mark.parametrize("text", ["g:a", "g:a:1:c:d", "g:a:../1", "g..x:a:1", "g:a/b:1", "g:a:1 "])
def test_bad_coordinates(text: str) -> None:
    with pytest.raises(ValidationError):
        MavenOrigin(maven=text)


def test_mavens_own_address(tmp_path: Path) -> None:
    install(tmp_path / "usual")
    assert find(tmp_path) == "https://central.example/maven2"


def test_the_installation_is_found_by_path_and_by_variable(tmp_path: Path) -> None:
    install(tmp_path / "opt")
    program = tmp_path / "opt" / "bin" / "mvn"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mvn").symlink_to(program)
    assert find(tmp_path) == "https://central.example/maven2"
    settings(tmp_path / "home2" / "conf" / "settings.xml", ("*", "https://mine.example"))
    assert find(tmp_path, MAVEN_HOME=str(tmp_path / "home2")) == "https://mine.example"


@pytest.mark.parametrize("mirror_of", ["central", "*", "external:*", "foo, central", "*,!foo"])
def test_a_mirror_wins_over_mavens_own_address(tmp_path: Path, mirror_of: str) -> None:
    install(tmp_path / "usual")
    settings(tmp_path / "home" / ".m2" / "settings.xml", (mirror_of, "https://m.example/r"))
    assert find(tmp_path) == "https://m.example/r"


@pytest.mark.parametrize("mirror_of", ["external:http:*", "foo", "*,!central"])
def test_a_mirror_of_something_else(tmp_path: Path, mirror_of: str) -> None:
    install(tmp_path / "usual")
    settings(tmp_path / "etc" / "settings.xml", (mirror_of, "http://0.0.0.0/"))
    assert find(tmp_path) == "https://central.example/maven2"


def test_the_users_mirror_wins_and_an_exact_one_over_a_pattern(tmp_path: Path) -> None:
    settings(tmp_path / "etc" / "settings.xml", ("*", "https://system.example"))
    user = tmp_path / "home" / ".m2" / "settings.xml"
    settings(user, ("*", "https://all.example"))
    assert find(tmp_path) == "https://all.example"
    settings(user, ("*", "https://all.example"), ("central", "https://exact.example"))
    assert find(tmp_path) == "https://exact.example"


def test_a_mirror_may_name_a_variable(tmp_path: Path) -> None:
    settings(tmp_path / "home" / ".m2" / "settings.xml", ("*", "${env.NEXUS}/r"))
    assert find(tmp_path, NEXUS="https://nexus.example") == "https://nexus.example/r"
    with pytest.raises(SourceError, match="cannot be used"):
        find(tmp_path)


def test_a_blocked_mirror(tmp_path: Path) -> None:
    path = tmp_path / "home" / ".m2" / "settings.xml"
    settings(path, ("*", "https://m.example"), more="<blocked>true</blocked>")
    with pytest.raises(SourceError, match="cannot be used") as caught:
        find(tmp_path)
    assert caught.value.where == str(path)


def test_settings_that_are_no_xml(tmp_path: Path) -> None:
    path = tmp_path / "home" / ".m2" / "settings.xml"
    path.parent.mkdir(parents=True)
    path.write_text("<settings>")
    with pytest.raises(SourceError, match="cannot be read"):
        find(tmp_path)


def test_no_maven_at_all(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no Maven repository is known") as caught:
        find(tmp_path)
    assert "CROSSPI_SOURCES" in caught.value.fix


def test_an_installation_without_its_super_pom(tmp_path: Path) -> None:
    (tmp_path / "usual" / "lib").mkdir(parents=True)
    (tmp_path / "usual" / "lib" / "maven-model-builder-3.jar").write_bytes(b"no zip")
    with pytest.raises(SourceError, match="no Maven repository is known"):
        find(tmp_path)


def file_source(data: bytes, **more: Any) -> Source:
    pin = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Source.model_validate({"file": pin, "origins": [{"maven": ORIGIN.maven, **more}]})


def test_the_cache_fetches_from_the_repository(tmp_path: Path) -> None:
    path = "/r/org/example/lib/thing/1.0-2/thing-1.0-2-linux-armhf.jar"
    with serving(files({path: b"jar"})) as server:
        cache = SourceCache(tmp_path, central=lambda: server.url + "/r", network=Network(tries=1))
        assert cache.fetch("j", file_source(b"jar")).read_bytes() == b"jar"


@pytest.mark.usefixtures("no_socket")
def test_offline_asks_nothing(tmp_path: Path) -> None:
    def never() -> str:
        raise AssertionError

    with pytest.raises(SourceError) as caught:
        SourceCache(tmp_path, central=never, offline=True).fetch("j", file_source(b"jar"))
    assert "offline" in caught.value.why
