"""What an index says of a project: versions, source distributions, Pythons; and a page of one."""

from __future__ import annotations

import pytest

from crosspi.errors import SourceError
from crosspi.sources.download import Network
from crosspi.sources.projects import Project, ProjectFile
from crosspi.sources.pypi import PipConfig, PypiIndexes
from sources.server import files, serving


def project(*names: str, yanked: str = "") -> Project:
    found = [ProjectFile.parse(name, ">=3.9", yanked=name == yanked) for name in names]
    return Project("pack", [file for file in found if file])


def test_the_newest_version_is_neither_a_pre_release_nor_yanked() -> None:
    names = ("pack-1.9.tar.gz", "pack-1.10.tar.gz", "pack-2.0rc1.tar.gz", "pack-1.11.tar.gz")
    assert project(*names, yanked="pack-1.11.tar.gz").newest == "1.10"
    assert project().newest == ""


def test_names_of_neither_wheel_nor_sdist_are_passed_over() -> None:
    assert project("pack-1.0.exe", "pack.egg", "pack-1.0.tar.gz").versions == ["1.0"]


def test_a_tar_comes_before_a_zip() -> None:
    assert project("pack-1.0.zip", "pack-1.0.tar.gz").sdist("1.0") == "pack-1.0.tar.gz"
    assert project("pack-1.0.zip").sdist("1.0.0") == "pack-1.0.zip"


def test_a_version_that_is_not_there() -> None:
    with pytest.raises(SourceError) as caught:
        project("pack-1.10.tar.gz").of("1.1")
    assert "its newest version is 1.10" in caught.value.why
    assert "did you mean 1.10" in caught.value.fix


def test_wheels_alone_are_told() -> None:
    with pytest.raises(SourceError) as caught:
        project("pack-1.0-py3-none-any.whl").sdist("1.0")
    assert "it has only wheels: pack-1.0-py3-none-any.whl" in caught.value.why


def test_the_pythons_of_a_version() -> None:
    assert project("pack-1.0.tar.gz").requires_python("1.0") == ">=3.9"
    assert project("pack-1.0.tar.gz").requires_python("2.0") == ""


def finder(*indexes: str) -> PypiIndexes:
    return PypiIndexes(config=lambda: PipConfig(indexes), network=Network(tries=1))


def test_a_page_of_an_index() -> None:
    page = b'<a href="pack-1.0.tar.gz" data-requires-python="&gt;=3.8">pack-1.0.tar.gz</a>'
    with serving(files({"/s/pack/": page})) as server:
        found = finder(server.url + "/s/").project("Pack")
    assert (found.name, found.newest, found.requires_python("1.0")) == ("pack", "1.0", ">=3.8")


def test_a_project_that_no_index_has() -> None:
    with serving(files({})) as server, pytest.raises(SourceError) as caught:
        finder(server.url + "/s/").project("pack")
    assert "no package index of pip's configuration has a project pack" in caught.value.what
    assert "404" in caught.value.why
