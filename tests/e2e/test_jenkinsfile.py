"""ci/Jenkinsfile under JenkinsPipelineUnit, with what `./inv` really answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from workshop import CHECKOUT

from crosspi.data.source import Source
from crosspi.paths import Paths
from crosspi.sources.cache import SourceCache

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
JARS = yaml.safe_load((HERE / "pipeline_jars.yaml").read_text())
PACKAGES = ("java.base/java.lang", "java.base/java.util")
PARAMETERS = {
    "BOARDS": "",
    "PYTHONS": "",
    "RECIPES": "",
    "CHANNEL": "nightly",
    "INDEX": "/srv/in dex's",
    "AGENTS": "farm",
    "PUBLISHER": "publisher",
    "NOTIFY": "somebody@example.org",
}
SELECTION = ("--target", "pi3,pi-zero", "--python", "2.7,3.11", "--recipe", "numpy,tflite-runtime")
ALL = ["armv6", "armv6-2.7", "armv6-3.11", "armv7", "armv7-2.7", "armv7-3.11"]


def of(python: str, architecture: str) -> str:
    """The pattern of a branch's command, as it is quoted for the shell."""
    return f"'--python' '{python}' '--target' '{architecture}'"


@pytest.fixture(scope="module")
def java() -> list[str]:
    """How Groovy is started; without Java these tests fail in CI, and are skipped elsewhere."""
    program = shutil.which("java")
    if program is None:
        reason = "the pipeline needs Java: apt-get install default-jre-headless"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    paths = Paths.from_environment(CHECKOUT)
    sources = SourceCache(paths.sources, extra=paths.extra_sources)
    jars = [str(sources.fetch(n, Source.model_validate(data))) for n, data in JARS.items()]
    opened = [word for name in PACKAGES for word in ("--add-opens", f"{name}=ALL-UNNAMED")]
    return [
        program,
        "-XX:TieredStopAtLevel=1",
        *opened,
        "-cp",
        ":".join(jars),
        "groovy.ui.GroovyMain",
    ]


@pytest.fixture(scope="module")
def plan() -> str:
    """What the pipeline asks first."""
    command = [sys.executable, "-m", "invoke", "matrix", "--dry-run", *SELECTION, "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Ran:
    """What a pipeline did."""

    log: list[dict[str, Any]]
    error: str
    result: str
    failures: str | None
    description: str | None

    def of(self, step: str) -> list[Any]:
        return [entry["what"] for entry in self.log if entry["step"] == step]

    def commands(self, word: str) -> list[str]:
        """The commands of `./inv` with a word, without the words' quotes."""
        found = [text.replace("'", "") for text in self.of("sh")]
        return [text for text in found if re.search(rf"\./inv .*{word}", text)]

    def place(self, step: str, text: str = "") -> int:
        """Where in the log a step is, the last of its kind."""
        found = [i for i, e in enumerate(self.log) if e["step"] == step and text in str(e["what"])]
        return found[-1]


@pytest.fixture
def pipeline(java: list[str], plan: str, tmp_path: Path) -> Any:
    def run(**scenario: Any) -> Ran:
        parameters = {**PARAMETERS, **scenario.pop("params", {})}
        whole = {"plan": plan, "codes": {}, "lost": {}, "stopped": "", "files": ["x"], "before": ""}
        told = tmp_path / "scenario.json"
        told.write_text(json.dumps({**whole, "params": parameters, **scenario}))
        command = [
            *java,
            str(HERE / "pipeline.groovy"),
            str(CHECKOUT / "ci/Jenkinsfile"),
            str(told),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        answers = [text for text in done.stdout.splitlines() if text.startswith("RESULT ")]
        assert answers, done.stdout + done.stderr
        return Ran(**json.loads(answers[0].removeprefix("RESULT ")))

    return run


def test_a_good_night(pipeline: Any, plan: str) -> None:
    ran = pipeline(params={"BOARDS": "pi3,pi-zero"})
    assert (ran.error, ran.result, ran.failures) == ("", "SUCCESS", "")
    assert ran.of("stage") == ["Plan", "Compile", "Build", "Publish", "Report"]
    assert ran.commands("dry-run") == ["./inv matrix --dry-run --json --target pi3,pi-zero"]
    data = json.loads(plan)
    for branch in (*data["first"], *data["branches"]):
        (command,) = ran.commands(" ".join(branch["arguments"]))
        assert command.startswith("timeout --signal=INT 12h ./inv ")
    assert sorted(entry["name"] for entry in ran.of("stash")) == ALL
    # An architecture's compile ends before any of its Pythons begins.
    assert ran.place("sh", "'build'") < ran.log.index({"step": "stage", "what": "Build"})
    assert ran.of("mail") == []


def test_the_index_of_every_night_is_a_setting_of_jenkins(pipeline: Any) -> None:
    (index,) = [given for given in pipeline().of("parameter") if given["name"] == "INDEX"]
    assert index["defaultValue"] == "/srv/of jenkins"


def test_what_is_published_waits_for_all_and_happens_once(pipeline: Any) -> None:
    ran = pipeline()
    (command,) = ran.commands("publish")
    sources = " ".join(f"--source farm/{name}/dist" for name in ALL)
    assert command == f"./inv publish --to /srv/in dex\\s/nightly {sources}"
    assert ran.place("stash") < ran.place("node", "publisher") < ran.place("lock")
    assert ran.place("lock") < ran.place("sh", "publish") < ran.place("unlock")
    assert sorted(ran.of("unstash")) == ALL
    assert "/srv/in dex" in ran.of("publishHTML")[0]["reportDir"]


def test_words_are_quoted_for_the_shell(pipeline: Any) -> None:
    ran = pipeline(params={"RECIPES": "numpy; rm -rf /"})
    assert any("'--recipe' 'numpy; rm -rf /'" in text for text in ran.of("sh"))
    (command,) = [text for text in ran.of("sh") if "publish" in text]
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert words[:4] == ["./inv", "publish", "--to", "/srv/in dex's/nightly"]
    assert "CROSSPI_DIST=/var/lib/jenkins/a job with spaces/dist" in str(ran.of("withEnv"))


def test_a_failed_test_is_never_tried_again(pipeline: Any) -> None:
    ran = pipeline(codes={of("2.7", "armv7"): [10, 0]})
    assert len(ran.commands("--python 2.7 --target armv7")) == 1
    assert ran.result == "FAILURE"
    assert "armv7-2.7" in ran.error
    assert len(ran.commands("--python 3.11 --target armv6")) == 1  # the others went on
    assert len(ran.commands("publish")) == 1  # with what was proven
    assert ran.of("mail")[0]["subject"] == "crosspi: armv7-2.7 failed"


@pytest.mark.parametrize("code", [4, 6, 7, 11, 13])
def test_a_fault_of_a_machine_is_tried_again(pipeline: Any, code: int) -> None:
    ran = pipeline(codes={of("3.11", "armv7"): [code, 0]})
    assert len(ran.commands("--python 3.11 --target armv7")) == 2
    assert ran.result == "SUCCESS"
    assert len(ran.of("sleep")) == 1


def test_but_not_for_ever(pipeline: Any) -> None:
    ran = pipeline(codes={of("3.11", "armv7"): [6, 6, 6, 6]})
    assert len(ran.commands("--python 3.11 --target armv7")) == 3
    assert "armv7-3.11" in ran.error


def test_a_lost_machine_is_replaced_once(pipeline: Any) -> None:
    ran = pipeline(lost={of("3.11", "armv6"): 1})
    assert len(ran.commands("--python 3.11 --target armv6")) == 2
    assert ran.result == "SUCCESS"
    ran = pipeline(lost={of("3.11", "armv6"): 2})
    assert ran.result == "FAILURE"
    assert ran.failures == "armv6-3.11"
    assert "armv6-3.11" not in ran.of("unstash")
    assert len(ran.commands("publish")) == 1


def test_a_failure_of_last_night_is_no_news(pipeline: Any) -> None:
    failing = {of("2.7", "armv7"): [10], of("3.11", "armv6"): [8]}
    ran = pipeline(codes=failing, before="armv7-2.7 other")
    assert ran.failures == "armv6-3.11 armv7-2.7"
    (mail,) = ran.of("mail")
    assert mail["subject"] == "crosspi: armv6-3.11 failed"
    assert "armv7-2.7" not in mail["body"]
    ran = pipeline(codes=failing, before="armv7-2.7 armv6-3.11")
    assert ran.of("mail") == []
    assert ran.result == "FAILURE"


def test_the_first_night_has_no_night_before(pipeline: Any) -> None:
    ran = pipeline(codes={of("2.7", "armv7"): [10]}, before=None)
    assert len(ran.of("mail")) == 1


def test_without_an_index_nothing_is_published(pipeline: Any) -> None:
    ran = pipeline(params={"INDEX": ""})
    assert ran.commands("publish") == []
    assert ran.result == "SUCCESS"


def test_releases_have_an_index_of_their_own(pipeline: Any) -> None:
    ran = pipeline(params={"CHANNEL": "release", "INDEX": "/srv/index"})
    assert "--to /srv/index --source" in ran.commands("publish")[0]


def test_nothing_to_build_is_an_error(pipeline: Any, plan: str) -> None:
    empty = {**json.loads(plan), "first": [], "branches": []}
    ran = pipeline(plan=json.dumps(empty))
    assert "there is nothing to build" in ran.error
    assert ran.of("parallel") == []
    assert ran.commands("publish") == []


def test_branches_that_left_nothing_are_not_published(pipeline: Any) -> None:
    ran = pipeline(files=[])
    assert ran.of("stash") == []
    assert ran.commands("publish") == []


def test_who_stops_the_build_stops_it(pipeline: Any) -> None:
    ran = pipeline(stopped=of("3.11", "armv7"))
    assert ran.result == "FAILURE"
    assert ran.commands("publish") == []
