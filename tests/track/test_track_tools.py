"""The locks of build tools: what pip is asked for, what is written, what failures say."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from crosspi.data.tool_sets import SUFFIX, ToolSet
from crosspi.errors import DataError, SourceError, UsageError
from crosspi.sources.cache import SourceCache
from crosspi.sources.pypi import PipConfig
from crosspi.track import tools
from crosspi.track.tools import Locked, Wanted, choose, lock_text, read_wanted, renew, resolve

PROJECT = Path(__file__).parents[2]


def report(*files: str, sha256: str = "1" * 64) -> str:
    """What pip says it would install."""
    return json.dumps(
        {
            "install": [
                {
                    "metadata": {"name": name.split("-")[0], "version": name.split("-")[1]},
                    "download_info": {
                        "url": f"https://host.example/a/{name}?x=1",
                        "archive_info": {"hashes": {"sha256": sha256}},
                    },
                }
                for name in files
            ]
        }
    )


def wanted(**more: object) -> Wanted:
    return Wanted.model_validate({"requirements": ["back_end<2"], **more})


def asked(of: Wanted) -> list[str]:
    calls: list[list[str]] = []

    def run(arguments: list[str]) -> str:
        calls.append(arguments)
        return report()

    resolve(of, run)
    return calls[0]


def test_pip_resolves_and_packages_come_by_name() -> None:
    run = lambda _: report("zlib-1.0-py3-none-any.whl", "Back_End-1.5-py3-none-any.whl")  # noqa: E731
    assert resolve(wanted(), run) == [
        Locked("back-end", "1.5", "Back_End-1.5-py3-none-any.whl", "1" * 64),
        Locked("zlib", "1.0", "zlib-1.0-py3-none-any.whl", "1" * 64),
    ]


def test_nothing_but_wheels_is_asked_for_and_nothing_is_run() -> None:
    arguments = asked(wanted())
    assert arguments[arguments.index("--only-binary") + 1] == ":all:"
    assert arguments[arguments.index("--python-version") + 1] == "3.11"
    assert "manylinux_2_36_x86_64" in arguments
    assert "manylinux_2_37_x86_64" not in arguments
    assert arguments[-1] == "back_end<2"


@pytest.mark.parametrize("more", [{"tests": True}, {"python": "2.7"}])
def test_what_other_pythons_run_is_the_same_everywhere(more: dict[str, object]) -> None:
    arguments = asked(wanted(**more))
    assert arguments[arguments.index("--platform") + 1] == "any"
    assert arguments.count("--platform") == 1


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    packages = [
        Locked("back-end", "1.5", "Back_End-1.5-py3-none-any.whl", "1" * 64),
        Locked("seen", "2", "seen-2-py3-none-any.whl", "2" * 64, "sha256:" + "3" * 64),
    ]
    path = tmp_path / f"set{SUFFIX}"
    path.write_text(lock_text("set", wanted(), packages))
    found = ToolSet.load(path)
    assert {n: s.digest for n, s in found.files.items()} == {"back-end": "1" * 64, "seen": "2" * 64}
    assert {n: s.digest for n, s in found.trees.items()} == {"seen": "3" * 64}
    assert "://" not in path.read_text()


def wheel_folder(root: Path) -> SourceCache:
    """A cache whose pip finds wheels in a folder."""
    (root / "wheels").mkdir(parents=True)
    with zipfile.ZipFile(root / "wheels" / "back_end-1.5-py3-none-any.whl", "w") as archive:
        archive.writestr("back_end/__init__.py", "x = 1\n")
        archive.writestr("back_end-1.5.dist-info/METADATA", "Name: back-end\n")
    config = PipConfig(indexes=(), find_links=(str(root / "wheels"),))
    return SourceCache(root / "cache", pip=lambda: config)


def test_a_lock_for_tests_knows_the_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crosspi.files import file_sha256

    cache = wheel_folder(tmp_path)
    name = "back_end-1.5-py3-none-any.whl"
    sha256 = file_sha256(tmp_path / "wheels" / name)
    monkeypatch.setattr(tools, "_pip", lambda _: report(name, sha256=sha256))
    assert renew(tmp_path, "set", wanted(tests=True), cache)
    tree = ToolSet.load(tmp_path / f"set{SUFFIX}").trees["back-end"]
    assert (cache.fetch("back-end", tree) / "back_end" / "__init__.py").is_file()
    assert not renew(tmp_path, "set", wanted(tests=True), cache), "the same again"


def test_another_file_than_pip_spoke_of_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = wheel_folder(tmp_path)
    monkeypatch.setattr(tools, "_pip", lambda _: report("back_end-1.5-py3-none-any.whl"))
    with pytest.raises(SourceError):
        renew(tmp_path, "set", wanted(tests=True), cache)
    assert not (tmp_path / f"set{SUFFIX}").exists()


def test_an_empty_answer_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_pip", lambda _: report())
    with pytest.raises(DataError, match="would install nothing"):
        renew(tmp_path, "set", wanted(), SourceCache(tmp_path / "cache"))


def test_pips_own_words_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Really pip, without any index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    with pytest.raises(SourceError, match="pip found no wheels") as caught:
        resolve(wanted())
    assert "No matching distribution found for back_end<2" in caught.value.why
    assert caught.value.exit_code == 4


def test_a_set_that_nobody_asked_for_is_a_usage_error() -> None:
    known = {"meson": wanted()}
    assert choose(known, []) == ["meson"]
    with pytest.raises(UsageError, match="no tool set 'mesno'") as caught:
        choose(known, ["mesno"])
    assert "did you mean meson" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("meson: {requirement: [x]}\n", "no such field; did you mean requirements"),
        ("meson: {requirements: ['not a requirement']}\n", "is not a requirement"),
        ("meson: {requirements: []}\n", "at least 1"),
        ("[]\n", "must be a mapping"),
    ],
)
def test_faults_of_what_is_wanted(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "tools.yaml").write_text(text)
    with pytest.raises(DataError) as caught:
        read_wanted(tmp_path)
    assert said in caught.value.where


def test_each_lock_of_the_project_has_what_it_is_made_of() -> None:
    folder = PROJECT / "recipes" / "tools"
    locks = {path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")}
    assert set(read_wanted(folder)) == locks
