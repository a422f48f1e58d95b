"""Libraries and archives, from a request to what is published, with an engine that pretends."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from making import ARCHIVE, CMAKE, LIBRARY, PEP517, host_path, quiet, write_recipe
from projects import PACK, Board, ask, project_at

from crosspi.containers.job import Job
from crosspi.errors import AuditError, SmokeError, UsageError
from crosspi.graph import Graph
from crosspi.index.publishing import listing
from crosspi.project import Project
from crosspi.reports import build as report
from crosspi.reports import matrix as matrices
from crosspi.run import build
from crosspi.work.plan import State, Step, closure, pending

LINKED = PEP517 + "requires: {libraries: [lib]}\n"
BOTH = CMAKE.replace("pythons:", "makes: [wheel, archive]\npythons:") + (
    "prefix:\n  files: [{from: '{compiled}/libengine.a', to: lib/}]\n"
    "  licences: [{of: main, from: '{source:main}/LICENSE'}]\n"
)
NAME = "arc-3.0-linux_toyl.tar.gz"


@pytest.fixture
def products(checkout: Path) -> Path:
    """A checkout with a library, and an archive that is linked with it; audits find nothing."""
    write_recipe(checkout / "recipes" / "lib", LIBRARY)
    write_recipe(checkout / "recipes" / "arc", ARCHIVE)
    return checkout


def steps_of(project: Project, *recipes: str, pythons: str = "") -> dict[str, Step]:
    request = project.request(["toy1"], [pythons] if pythons else [], recipes)
    return {s.name: s for p in Graph(project).products(request) for s in closure(p.goals)}


def needs(steps: dict[str, Step], name: str) -> set[str]:
    return {need.name for need in steps[name].needs}


def test_the_graph_of_a_library_and_an_archive(products: Path) -> None:
    steps = steps_of(project_at(products), "arc")
    assert set(steps) == {
        *("image:toolchain", "image:python-cp311-toy", "toolchain:toy"),
        *("source:lib-55555555", "source:arc-66666666"),
        *(
            "prefix:lib-1.2-toy",
            "linked:lib-1.2-toy",
            "audit:lib-1.2-toy",
            "smoke:lib-1.2-toy-toy1",
        ),
        *("prefix:arc-3.0-toy", "archive:arc-3.0-toy", "linked:arc-3.0-toy", "audit:arc-3.0-toy"),
        "smoke:arc-3.0-toy-toy1",
    }
    assert "prefix:lib-1.2-toy" in needs(steps, "prefix:arc-3.0-toy")
    assert {"archive:arc-3.0-toy", "prefix:lib-1.2-toy"} <= needs(steps, "linked:arc-3.0-toy")
    assert "prefix:lib-1.2-toy" in needs(steps, "linked:lib-1.2-toy")
    assert {"linked:arc-3.0-toy", "audit:arc-3.0-toy"} <= needs(steps, "smoke:arc-3.0-toy-toy1")


def test_only_wheels_ask_for_a_python(products: Path) -> None:
    project = project_at(products)
    request = project.request(["toy1"], [], ["arc", "lib"])
    assert [slot.identifier for _, slot in request.wanted] == ["toy", "toy"]
    with pytest.raises(UsageError, match="for which Python"):
        project.request(["toy1"], [], ["arc", "pack"])
    mixed = project.request(["toy1"], ["3.11", "3.9"], ["arc", "other"])
    assert [(p.name, slot.identifier) for p, slot in mixed.wanted] == [
        ("other", "cp311-toy"),
        ("other", "cp39-toy"),
        ("arc", "toy"),
    ]


@pytest.mark.usefixtures("lawful")
def test_a_wheel_is_linked_with_a_library_and_with_what_that_needs(products: Path) -> None:
    other = LIBRARY.replace("name: lib", "name: base")
    write_recipe(products / "recipes" / "base", other)
    text = LIBRARY.replace("prefix:", "requires: {libraries: [base]}\nprefix:")
    write_recipe(products / "recipes" / "lib", text)
    write_recipe(products / "recipes" / "other", LINKED)
    board = Board()
    project = project_at(products, board)
    result = build(project, ask(project, "other"))
    assert result.errors == []
    (job,) = [job for job in board.jobs if "/python" in {m.target for m in job.mounts}]
    assert {m.target for m in job.mounts if m.target.startswith("/need")} == {
        "/need/lib",
        "/need/base",
        "/need/.licences/lib",
        "/need/.licences/base",
    }
    assert job.environment["CMAKE_PREFIX_PATH"] == "/need/lib:/need/base"
    # Libraries are proven too, and are no files of the index.
    states = {o.step.name: o.state for o in result.outcomes}
    assert states["smoke:lib-1.2-toy-toy1"] is State.BUILT
    assert [path.name.split("-")[0] for path in result.published] == ["other"]


def test_a_wheel_without_libraries_has_the_key_that_it_had(products: Path) -> None:
    before = steps_of(project_at(products), "pack", pythons="3.11")
    (products / "recipes" / "lib" / "smoke" / "use.c").write_text("int main;\n")
    assert {n: s.key for n, s in before.items()} == {
        n: s.key for n, s in steps_of(project_at(products), "pack", pythons="3.11").items()
    }


@pytest.mark.usefixtures("lawful")
def test_an_archive_is_published_with_its_proofs(products: Path) -> None:
    board = Packing()
    project = project_at(products, board)
    result = build(project, project.request(["toy1"], [], ["arc"]))
    assert [str(error) for error in result.errors] == []
    (path,) = result.published
    assert path == project.paths.dist / NAME
    about = json.loads(path.with_name(NAME + ".json").read_text())
    assert about["archive"] == NAME
    assert "python" not in about
    assert set(about["proof"]) == {
        "archive:arc-3.0-toy",
        "audit:arc-3.0-toy",
        "smoke:arc-3.0-toy-toy1",
    }
    assert about["steps"]["audit"]["sha256"] == about["sha256"]
    assert about["sha256"] in (project.paths.dist / "archives" / "index.html").read_text()
    assert "arc" not in (project.paths.dist / "simple" / "index.html").read_text()
    assert [p.name for p in listing(project.paths.dist).archives] == [NAME]
    shown = io.StringIO()
    report.show(quiet(shown), result, project.paths.dist)
    assert NAME in shown.getvalue()
    assert "pip install" not in shown.getvalue()
    assert report.answer(result).archives == [str(path)]
    # Nothing changed, nothing runs.
    again = project_at(products)
    request = again.request(["toy1"], [], ["arc"])
    assert pending([s for p in Graph(again).products(request) for s in p.goals], again.store) == []
    assert build(again, request).published == [path]


@pytest.mark.usefixtures("lawful")
def test_other_bytes_of_an_archive_get_a_number(products: Path) -> None:
    project = project_at(products, Packing())
    request = project.request(["toy1"], [], ["arc"])
    build(project, request)
    write_recipe(products / "recipes" / "arc", ARCHIVE.replace("KERNELS: TOY", "KERNELS: TOYS"))
    board = Packing()
    board.content = b"\x7fELF of another"
    project = project_at(products, board)
    result = build(project, project.request(["toy1"], [], ["arc"]))
    assert [str(error) for error in result.errors] == []
    assert [path.name for path in result.published] == ["arc-3.0-1-linux_toyl.tar.gz"]
    assert (project.paths.dist / NAME).is_file()


@pytest.mark.usefixtures("lawful")
def test_a_program_that_fails_takes_an_archive_off_its_page(products: Path) -> None:
    project = project_at(products, Packing())
    build(project, project.request(["toy1"], [], ["arc"]))
    (products / "recipes" / "arc" / "smoke" / "use.c").write_text("int main(void) {return 1;}\n")
    board = Packing()
    board.killed = 4
    project = project_at(products, board)
    result = build(project, project.request(["toy1"], [], ["arc"]), keep_going=True)
    assert SmokeError in {type(error) for error in result.errors}
    assert NAME not in (project.paths.dist / "archives" / "index.html").read_text()
    assert [p.name for p in listing(project.paths.dist).withdrawn] == [NAME]


def test_an_archive_that_breaks_the_law_is_not_run(products: Path) -> None:
    board = Packing()
    project = project_at(products, board)
    result = build(project, project.request(["toy1"], [], ["lib"]), keep_going=True)
    (error,) = result.errors
    assert isinstance(error, AuditError)
    assert "the library lib breaks the law of toy" in error.what
    assert not any("/data/programs" in {m.target for m in job.mounts} for job in board.jobs)


def test_one_compile_makes_wheels_and_an_archive(checkout: Path) -> None:
    write_recipe(checkout / "recipes" / "pack", BOTH)
    steps = steps_of(project_at(checkout), "pack", pythons="3.11,3.9")
    users = {
        name for name, step in steps.items() if "compile:pack-1.0-toy" in needs(steps, step.name)
    }
    assert users == {"build:pack-1.0-cp311-toy", "build:pack-1.0-cp39-toy", "prefix:pack-1.0-toy"}
    assert "archive:pack-1.0-toy" in steps


VERSIONS = BOTH + (
    "variants:\n- {version: '2.0', pythons: '>=3.11'}\n- {version: '1.0', pythons: '<3.11'}\n"
)


@pytest.mark.parametrize(
    ("pythons", "versions"),
    [("3.9", ["1.0"]), ("3.11", ["2.0"]), ("3.9,3.11", ["1.0", "2.0"]), ("", ["2.0"])],
)
def test_archives_are_of_the_versions_that_the_pythons_get(
    checkout: Path, pythons: str, versions: list[str]
) -> None:
    write_recipe(checkout / "recipes" / "pack", VERSIONS)
    project = project_at(checkout)
    request = project.request(["toy1"], [pythons] if pythons else [], ["pack"])
    products = Graph(project).products(request)
    assert [p.recipe.data.version for p in products if p.kind == "archive"] == versions
    assert any(p.kind == "wheel" for p in products) is bool(pythons)


@pytest.mark.usefixtures("lawful")
def test_the_matrix_tells_archives_of_two_versions_apart(checkout: Path) -> None:
    write_recipe(checkout / "recipes" / "pack", VERSIONS)
    project = project_at(checkout, Packing())
    matrix = matrices.run(project, project.request(["toy1"], ["3.9", "3.11"], ["pack"]))
    archives = [s for s in matrix.squares if not s.python]
    assert [(s.version, s.verdict) for s in archives] == [("1.0", "built"), ("2.0", "built")]
    shown = io.StringIO()
    matrices.show(quiet(shown), matrix)
    assert "2.0 built" in shown.getvalue()


@pytest.mark.usefixtures("lawful")
def test_the_matrix_has_a_row_for_what_has_no_python(products: Path) -> None:
    project = project_at(products, Packing())
    matrix = matrices.run(project, project.request(["toy1"], ["3.11"], ["arc", "other"]))
    assert [(s.package, s.python, s.verdict, s.file) for s in matrix.squares] == [
        ("other", "3.11", "built", "other-2.0-cp311-cp311-linux_toyl.whl"),
        ("arc", "", "built", NAME),
    ]
    shown = io.StringIO()
    matrices.show(quiet(shown), matrix)
    rows = {line.split()[0] for line in shown.getvalue().splitlines() if line.strip()}
    assert {"3.11", "none"} <= rows
    assert [case.name for case in matrices.cases(matrix)] == ["Python 3.11", "no Python"]


class Packing(Board):
    """Packs archives in truth, so that the audit can unpack them."""

    content = b"\x7fELF of a library"
    killed = 0

    def work(self, job: Job, line: object) -> int:
        from crosspi.guests import pack_archive

        commands = ""
        if any(m.target == "/step" for m in job.mounts):
            commands = (host_path(job, "/step") / "commands.json").read_text()
        code = super().work(job, line)  # type: ignore[arg-type]
        if (library := host_path(job, "/out") / "tree" / "lib" / "lib.a").is_file():
            library.write_bytes(self.content)
        if "pack_archive.py" in commands:
            (argv,) = [c["argv"] for c in json.loads(commands)["commands"]]
            root = host_path(job, "/pack")
            out = host_path(job, "/out") / Path(argv[-1]).name
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SOURCE_DATE_EPOCH", job.environment["SOURCE_DATE_EPOCH"])
                pack_archive.main(str(root / "tree"), str(root / "licenses"), argv[-2], str(out))
        return code

    def smoke(self, job: Job) -> int:
        code = super().smoke(job)
        if self.killed:
            out = host_path(job, "/out")
            results = json.loads((out / "results.json").read_text())
            results["tests"] = [{"name": "t", "outcome": "failed", "seconds": 0}]
            (out / "results.json").write_text(json.dumps(results))
        return code


def test_pack_is_still_a_wheel_alone(products: Path) -> None:
    write_recipe(products / "recipes" / "pack", PACK)
    project = project_at(products)
    assert {p.kind for p in Graph(project).products(ask(project, "pack"))} == {"wheel"}
