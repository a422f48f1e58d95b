"""What `--json` answers: one model a command, each with a schema in `docs/`.

Names and meanings of fields stay; where one must change, its model's `schema` gets the next number.
`audit` answers with what `crosspi.audit` writes, `bench` with its counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from crosspi.data.document import Model
from crosspi.data.recipe_data import Product
from crosspi.errors import CrosspiError
from crosspi.smoke.results import Results


class Answer(Model):
    """The base: a number that says how to read the rest."""

    version_of_schema: Literal[1] = Field(1, alias="schema")

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return self.model_dump(mode="json", by_alias=True)


class ErrorAnswer(Model):
    """An error as the user sees it."""

    kind: str
    exit_code: int = Field(description="see the README")
    message: str

    @classmethod
    def of(cls, error: CrosspiError) -> ErrorAnswer:
        return cls(kind=type(error).__name__, exit_code=error.exit_code, message=str(error))


class StepAnswer(Model):
    """What became of a step, and what it cost when it last ran."""

    step: str
    state: str
    size: int = Field(description="bytes of its result")
    log: str | None
    wall: float = Field(description="seconds")
    cpu: float = Field(description="seconds")
    ccache_hits: int
    ccache_misses: int


class BuildAnswer(Answer):
    """`invoke build --json`."""

    steps: Sequence[StepAnswer]
    wheels: Sequence[str] = Field(description="paths of what is published")
    archives: Sequence[str]
    errors: Sequence[ErrorAnswer]


class SquareAnswer(Model):
    """One product of the matrix."""

    package: str
    version: str = Field(description="empty where none serves this Python")
    python: str = Field(description="empty for a library or archive")
    architecture: str
    boards: Sequence[str]
    verdict: Literal["built", "from the store", "failed", "unreachable", "not tried", "not served"]
    step: str = Field(description="the step that stopped it")
    why: str
    cpu: float = Field(description="seconds of its own steps, when they last ran")
    file: str = Field(description="its name, where it is published")


class MatrixAnswer(Answer):
    """`invoke matrix --json`."""

    squares: Sequence[SquareAnswer]
    errors: Sequence[ErrorAnswer]


class BranchAnswer(Model):
    """What one machine of a farm does: `./inv ARGUMENTS`."""

    name: str = Field(description="of the branch; a plain word, as files have")
    architecture: str
    python: str = Field(description="empty where it makes archives alone")
    recipes: Sequence[str]
    arguments: Sequence[str]
    todo: int = Field(description="steps that are not in this machine's store")


class NotServed(Model):
    """What no recipe or image serves, and why."""

    package: str
    python: str
    architecture: str
    why: str


class FarmAnswer(Answer):
    """`invoke matrix --dry-run --json`."""

    first: Sequence[BranchAnswer] = Field(
        description="what is compiled once an architecture, before the Pythons fan out"
    )
    branches: Sequence[BranchAnswer]
    retry: Sequence[int] = Field(
        description="exit codes of faults of machines and networks, which may be tried again"
    )
    not_served: Sequence[NotServed]


class PlannedStep(Model):
    """A step that would run."""

    step: str
    key: str = Field(description="the hash of all that goes into it")
    reason: str


class PlanAnswer(Answer):
    """`invoke plan --json`: what would run, in order."""

    steps: Sequence[PlannedStep]


class ListAnswer(Answer):
    """`invoke list --json`."""

    targets: Mapping[str, Mapping[str, str]] = Field(description="architecture → board → its name")
    pythons: Mapping[str, Mapping[str, Mapping[str, str]]] = Field(
        description="Python → architecture → package → when it was last proven"
    )
    recipes: Mapping[str, Mapping[str, str]] = Field(
        description="package → range of Pythons → version"
    )
    makes: Mapping[str, Sequence[Product]]
    wheels: Sequence[str] = Field(description="paths, also of what is not listed")
    archives: Sequence[str]


class CheckAnswer(Model):
    """One prerequisite."""

    name: str
    verdict: Literal["ok", "warn", "fail"]
    state: str
    remedy: str


class DoctorAnswer(Answer):
    """`invoke doctor --json`."""

    checks: Sequence[CheckAnswer]


class PublishAnswer(Answer):
    """`invoke publish --json`: files by name."""

    new: Sequence[str]
    known: Sequence[str] = Field(description="what the index had already")


class VerifyAnswer(Answer):
    """`invoke verify --json`."""

    files: int = Field(description="that are as they should be")
    faults: Sequence[str]
    strangers: Sequence[str] = Field(description="files that are there and not listed, and why")


class SmokeAnswer(Answer):
    """`invoke smoke --json`: the results of each test that ran, as they are kept."""

    results: Sequence[Results]

    def plain(self) -> dict[str, Any]:
        """For JSON; results as they are kept."""
        return {**super().plain(), "results": [result.plain() for result in self.results]}


#: By the command that answers so (`farm`: `matrix --dry-run`); its schema is in `docs/`.
ANSWERS: Mapping[str, type[Answer]] = {
    "build": BuildAnswer,
    "doctor": DoctorAnswer,
    "farm": FarmAnswer,
    "list": ListAnswer,
    "matrix": MatrixAnswer,
    "plan": PlanAnswer,
    "publish": PublishAnswer,
    "smoke": SmokeAnswer,
    "verify": VerifyAnswer,
}
