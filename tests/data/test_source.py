from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from crosspi.data.globs import Selection
from crosspi.data.source import ALLOW_UNPINNED, DebianOrigin, Source, UrlOrigin, yaml_path

A, B = "a" * 64, "b" * 64
URL = {"url": "https://example.org/x-1.tar.gz"}


def source(**data: Any) -> Source:
    return Source.model_validate({"tree": f"sha256:{A}", "origins": [URL], **data})


def fault(**data: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        source(**data)
    return str(caught.value)


def test_origins_are_told_apart_by_their_key() -> None:
    origins = [URL, {"debian": "eigen3", "file": "eigen3_3.4.0.orig.tar.bz2"}]
    made = source(origins=origins).origins
    assert isinstance(made[0], UrlOrigin)
    assert isinstance(made[1], DebianOrigin)


@pytest.mark.parametrize("origin", [{}, {"file": "x"}, {**URL, "local": "x"}, "text"])
def test_an_origin_has_exactly_one_kind(origin: Any) -> None:
    assert "exactly one of the keys" in fault(origins=[origin])


def test_unpinned_tells_how_to_pin() -> None:
    assert "invoke fetch --recipe" in fault(tree="unpinned")


def test_unpinned_is_allowed_for_maintainers() -> None:
    data = {"tree": "unpinned", "origins": [URL]}
    assert not Source.model_validate(data, context=ALLOW_UNPINNED).pinned


def test_tree_and_file_exclude_each_other() -> None:
    assert "exactly one of" in fault(file=f"sha256:{A}")
    with pytest.raises(ValidationError, match="exactly one of"):
        Source.model_validate({"origins": [URL]})


@pytest.mark.parametrize("pin", ["sha256:abc", A, "sha256:" + "A" * 64, "md5:" + A])
def test_a_bad_pin(pin: str) -> None:
    assert "sha256:<64 digits" in fault(tree=pin)


@pytest.mark.parametrize("subdir", ["/a", "a/../b", "..", "a//b", ""])
def test_a_bad_subdir(subdir: str) -> None:
    assert "relative folder" in fault(subdir=subdir)


def test_all_faults_come_at_once_with_the_place_in_the_yaml() -> None:
    with pytest.raises(ValidationError) as caught:
        source(include=["/x"], origins=[{**URL, "sha256": "1"}, {"debian": "x y", "file": "a/b"}])
    places = {yaml_path(error["loc"]) for error in caught.value.errors()}
    assert places == {
        ("include", 0),
        ("origins", 0, "sha256"),
        ("origins", 1, "debian"),
        ("origins", 1, "file"),
    }


@pytest.mark.parametrize("url", ["ftp://h/x", "https:///x", "x.tar.gz", "https://h/"])
def test_a_bad_url(url: str) -> None:
    assert "url" in fault(origins=[{"url": url}])


def test_a_password_in_an_url_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        source(origins=[{"url": "https://me:secret@h/x.gz"}])
    assert "secret" not in caught.value.errors()[0]["msg"]


def test_the_version_must_fit_the_file() -> None:
    origin = {"pypi": "ml_dtypes", "version": "0.3.0", "file": "ml_dtypes-0.2.0.tar.gz"}
    assert "0.2.0" in fault(origins=[origin])


def test_an_origin_overrides_strip_and_subdir() -> None:
    made = source(subdir="s", origins=[URL, {**URL, "subdir": "t", "strip": 0}])
    assert made.selection(made.origins[0]) == Selection("auto", "s")
    assert made.selection(made.origins[1]) == Selection(0, "t")


def test_unpacking_options_do_not_fit_a_file() -> None:
    with pytest.raises(ValidationError, match="strip, subdir: only for 'tree'"):
        Source.model_validate(
            {"file": f"sha256:{A}", "strip": 1, "origins": [{**URL, "subdir": "x"}]}
        )


def test_an_origin_must_agree_with_the_pin_of_a_file() -> None:
    with pytest.raises(ValidationError, match="differs from the pin"):
        Source.model_validate({"file": f"sha256:{A}", "origins": [{**URL, "sha256": B}]})


def test_unknown_keys_are_refused() -> None:
    assert "Extra inputs" in fault(licence="MIT")
