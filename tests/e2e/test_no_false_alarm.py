"""Wheels that run on the boards, as others publish them, pass the audit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from crosspi.audit import Report, audit_wheel
from crosspi.data.source import Source
from crosspi.data.targets import Targets
from crosspi.paths import Paths
from crosspi.sources.cache import SourceCache

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
TOOLCHAINS = Targets.load(CHECKOUT / "toolchains").toolchains
HONEST = {
    name: Source.model_validate(data)
    for name, data in yaml.safe_load((HERE / "honest_wheels.yaml").read_text()).items()
}
Judge = Callable[[str, str], Report]


@pytest.fixture(scope="module")
def judge() -> Judge:
    """Audits a wheel, which is fetched as any source is."""
    paths = Paths.from_environment(CHECKOUT)
    sources = SourceCache(paths.sources, extra=paths.extra_sources)

    def run(name: str, toolchain: str) -> Report:
        return audit_wheel(sources.fetch(name, HONEST[name]), TOOLCHAINS[toolchain].data.audit)

    return run


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_wheel_passes(judge: Judge, name: str) -> None:
    report = judge(name, "armv7")
    assert report.findings == (), report.to_text()
    assert all(facts.instructions for facts in report.files)


@pytest.mark.parametrize("name", HONEST)
def test_it_is_not_for_armv6(judge: Judge, name: str) -> None:
    codes = {item.code for item in judge(name, "armv6").errors}
    assert {"platform-tag", "attr-arch", "attr-thumb2"} <= codes


def test_there_are_enough_of_them() -> None:
    assert len(HONEST) >= 5
