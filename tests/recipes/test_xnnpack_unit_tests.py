"""XNNPACK's own unit tests: those of compiled kernels are kept, and their results are counted."""

from __future__ import annotations

import importlib.util
import json
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

RECIPE = Path(__file__).parents[2] / "recipes" / "tflite-runtime"


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


keep = module(RECIPE / "smoke-programs" / "keep_compiled.py")
board = module(RECIPE / "smoke-programs" / "smoke.py")

GEMM = """\
#include <gtest/gtest.h>
namespace { int helper(); }

INSTANTIATE_TEST_SUITE_P(
    F32_GEMM_1X4__SCALAR, GemmTest,
    testing::ValuesIn(CreateTests1([](GemmMicrokernelTester& tester) {
      tester.Test(xnn_f32_gemm_ukernel_1x4__scalar, "a ) in a string");
    })));
#if XNN_ARCH_ARM
  TEST(F32_GEMM_4X8__NEON, k_eq_1) {
    TEST_REQUIRES_ARM_NEON;
    GemmMicrokernelTester().Test((xnn_gemm_ukernel_fn) xnn_f32_gemm_ukernel_4x8__neon);  // )
  }
#endif
"""
LIST = """\
#ifndef XNN_UKERNEL
#define XNN_UKERNEL(arch_flags, ukernel) \\
    XNN_UKERNEL_WITH_PARAMS(arch_flags, ukernel, void)
#endif
XNN_UKERNEL(xnn_arch_arm_neon, xnn_f32_vabs_ukernel__neon_u8)
XNN_UKERNEL(0, xnn_f32_vabs_ukernel__scalar_u4)
"""
ABS = """\
#define XNN_UKERNEL(arch_flags, ukernel) \\
  TEST(ukernel, batch_eq) { TestBatchEq(ukernel); }
#include "f32-vabs/f32-vabs.h"
"""
NINJA = """\
build _deps/x/hardware-config.c.o: C_COMPILER__x /work/src/configs/hardware-config.c || order
  DEFINES = -DFXDIV_USE_INLINE_ASSEMBLY=0 -DXNN_ENABLE_ASSEMBLY=1 -DXNN_LOG_LEVEL=0
  FLAGS = -O3 -DXNN_OTHER=1
build other.o: C_COMPILER__x /work/other.c
  DEFINES = -DXNN_WRONG=1
"""


def archive(names: Sequence[str]) -> bytes:
    """An archive's head: the list of its symbols."""
    table = struct.pack(">I", len(names)) + b"\0\0\0\0" * len(names)
    table += b"".join(name.encode() + b"\0" for name in names)
    return (
        b"!<arch>\n" + f"{'/':<16}{'0':<12}{0:<6}{0:<6}{'0':<8}{len(table):<10}`\n".encode() + table
    )


def test_tests_of_compiled_kernels_are_kept() -> None:
    text = keep.kept(GEMM, {"xnn_f32_gemm_ukernel_1x4__scalar"})
    assert "F32_GEMM_1X4__SCALAR" in text
    assert "4X8" not in text and "4x8" not in text
    # Lines keep their numbers, and the rest of the file is as it was.
    assert text.count("\n") == GEMM.count("\n")
    assert "#if XNN_ARCH_ARM" in text and "helper" in text
    assert keep.kept(GEMM, {"xnn_f32_gemm_ukernel_4x8__neon"}).count("SCALAR") == 0


def test_a_test_without_kernels_is_kept() -> None:
    text = "TEST(OPERATOR, one) {\n  Run();\n}\n"
    assert keep.kept(text, set()) == text


def test_a_table_may_be_empty() -> None:
    text = 'const Param params[] = {\n#include "x/x.h"\n};\nconst int all[] = {\n  1,\n};\n'
    assert keep.kept(text, set()) == text.replace("Param params[]", "std::vector<Param> params")


def test_symbols_of_an_archive() -> None:
    assert keep.symbols(archive(["xnn_a", "xnn_b"])) == {"xnn_a", "xnn_b"}
    for bad in (b"", b"!<arch>\nfirst.o/        ", b"\x7fELF"):
        with pytest.raises(keep.InputError):
            keep.symbols(bad)


def test_the_librarys_macros() -> None:
    assert keep.definitions(NINJA) == ["XNN_ENABLE_ASSEMBLY=1", "XNN_LOG_LEVEL=0"]
    with pytest.raises(keep.InputError):
        keep.definitions(NINJA.replace("hardware-config", "other-config"))


def test_the_whole_way(tmp_path: Path) -> None:
    files = {
        "source/test/f32-gemm.cc": GEMM,
        "source/test/f32-vabs.cc": ABS,
        "source/test/f16-gemm.cc": GEMM.replace("f32", "f16"),
        "source/test/gemm-microkernel-tester.cc": "xnn_f32_gemm_ukernel_1x4__scalar();",
        "source/test/softmax-nc.cc": "TEST(SOFTMAX, one) {}\n",
        "source/src/f32-vabs/f32-vabs.h": LIST,
        "source/src/xnnpack/gemm.h": "void f();\n",
        "build/build.ninja": NINJA,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    library = tmp_path / "build" / keep.LIBRARY
    library.parent.mkdir(parents=True)
    library.write_bytes(
        archive(["xnn_f32_gemm_ukernel_1x4__scalar", "xnn_f32_vabs_ukernel__scalar_u4"])
    )
    out = tmp_path / "out"
    keep.main(tmp_path / "source", tmp_path / "build", out)
    assert "scalar_u4" in (out / "src/f32-vabs/f32-vabs.h").read_text()
    assert "neon_u8" not in (out / "src/f32-vabs/f32-vabs.h").read_text()
    assert not (out / "src/xnnpack").exists()
    assert (out / "kept.cmake").read_text().splitlines() == [
        "set(KERNEL_TESTS f32-gemm f32-vabs)",
        "set(XNNPACK_DEFINITIONS XNN_ENABLE_ASSEMBLY=1 XNN_LOG_LEVEL=0)",
    ]


# --- on the board -----------------------------------------------------------------------------


class Case:
    """As the harness's: checks raise, notes are kept."""

    def __init__(self, folder: Path, level: str = "default") -> None:
        self.folder = folder
        self.level = level
        self.notes: dict[str, Any] = {}

    def data(self, name: str) -> str:
        return str(self.folder / name)

    def note(self, key: str, value: Any) -> None:
        self.notes[key] = value

    def skip(self, why: str) -> None:
        raise LookupError(why)

    def check(self, condition: object, message: str) -> None:
        assert condition, message

    def equal(self, actual: object, expected: object, what: str) -> None:
        assert actual == expected, f"{what}: {actual}"


def program(folder: Path, name: str, *tests: dict[str, Any], ends: int = 0) -> Case:
    """A program that reports tests as googletest does."""
    report = json.dumps({"testsuites": [{"name": "SUITE", "testsuite": tests}]})
    return script(
        folder,
        name,
        f"#!{sys.executable}\nimport sys\n"
        "out = [a for a in sys.argv if a.startswith('--gtest_output=json:')][0].split(':', 1)[1]\n"
        f"open(out, 'w').write({report!r})\nprint('the last line')\nsys.exit({ends})\n",
    )


def script(folder: Path, name: str, text: str) -> Case:
    path = folder / "programs" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return Case(folder)


def one(name: str, **more: Any) -> dict[str, Any]:
    """A test's entry in the report."""
    return {"name": name, "status": "RUN", "result": "COMPLETED", **more}


def test_passed_and_skipped_tests_of_all_programs_of_a_kind_are_counted(tmp_path: Path) -> None:
    program(tmp_path, "operators-x", one("bad", failures=[{}]), ends=1)
    program(tmp_path, "kernels-b", one("c"))
    case = program(
        tmp_path, "kernels-a", one("a"), one("b", result="SKIPPED"), one("c", status="NOTRUN")
    )
    board.test_xnnpack_kernels(case)
    assert case.notes.pop("cpu_seconds") >= 0
    assert case.notes == {"programs": 2, "run": 3, "passed": 2, "skipped": 1}
    with pytest.raises(AssertionError, match=r"operators-x: SUITE\.bad"):
        board.test_xnnpack_operators(case)


@pytest.mark.parametrize(
    ("tests", "ends", "words"),
    [
        ([one("a"), one("bad", failures=[{}])], 1, "kernels-a: SUITE.bad"),
        ([one("a"), one("bad", failures=[{}])], -4, "kernels-a: ended with 252: the last line"),
        ([one("a"), one("bad", failures=[{}])], 0, "kernels-a: ended with 0: the last line"),
        ([one("a")], 1, "kernels-a: ended with 1: the last line"),
        ([one("a", result="SKIPPED")], 0, "no test was run"),
        ([], 0, "no test was run"),
    ],
)
def test_what_is_no_success(
    tmp_path: Path, tests: list[dict[str, Any]], ends: int, words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        board.test_xnnpack_kernels(program(tmp_path, "kernels-a", *tests, ends=ends))


def test_no_programs_are_no_success(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no test was run"):
        board.test_xnnpack_operators(program(tmp_path, "kernels-a", one("a")))


def test_a_program_that_dies_is_told_as_that_and_the_others_run(tmp_path: Path) -> None:
    program(tmp_path, "kernels-b", one("a"))
    case = script(tmp_path, "kernels-a", "#!/bin/sh\necho before\nkill -ILL $$\n")
    with pytest.raises(AssertionError, match=r"kernels-a: ended with -4: before"):
        board.test_xnnpack_kernels(case)
    assert (case.notes["programs"], case.notes["passed"]) == (2, 1)


def test_a_program_that_hangs_is_ended_and_told_as_that(tmp_path: Path) -> None:
    script(tmp_path, "kernels-a", "#!/bin/sh\necho before\nexec sleep 600\n")
    counts, failed = board.run_program(str(tmp_path / "programs" / "kernels-a"), limit=1)
    assert counts == {}
    (told,) = failed
    assert told.startswith("did not end within 1 seconds")


def test_kernels_that_are_not_built_are_told_as_skipped(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="builds none"):
        board.test_xnnpack_kernels(program(tmp_path, "operators-a", one("a")))


@pytest.mark.parametrize(("level", "shards"), [("default", 8), ("full", 1)])
def test_of_the_slowest_operators_a_part_is_run(tmp_path: Path, level: str, shards: int) -> None:
    (name, *_) = board.SHARDS
    program(tmp_path, "operators-quick", one("a"))
    script(
        tmp_path,
        name,
        f"#!{sys.executable}\nimport json, os, sys\n"
        "assert os.environ['GTEST_SHARD_INDEX'] == '0'\n"
        "count = int(os.environ['GTEST_TOTAL_SHARDS'])\n"
        "tests = [{'name': str(i), 'status': 'RUN', 'result': 'X'} for i in range(16 // count)]\n"
        "out = [a for a in sys.argv if a.startswith('--gtest_output=json:')][0].split(':', 1)[1]\n"
        "json.dump({'testsuites': [{'name': 'S', 'testsuite': tests}]}, open(out, 'w'))\n",
    )
    case = Case(tmp_path, level)
    board.test_xnnpack_operators(case)
    assert case.notes["run"] == 16 // shards + 1


def test_a_program_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    script(tmp_path, "kernels-a", "#!/no/interpreter\n")
    counts, failed = board.run_program(str(tmp_path / "programs" / "kernels-a"))
    assert counts == {}
    assert failed[0].startswith("cannot be run")


def test_all_are_run_and_keep_their_order() -> None:
    assert board.in_parallel(lambda number: 2 * number, range(50)) == list(range(0, 100, 2))


def test_kernels_are_for_the_level_full_and_operators_for_every_level() -> None:
    assert board.test_xnnpack_kernels.level == "full"
    assert not hasattr(board.test_xnnpack_operators, "level")
    assert board.TEST_SECONDS > board.LIMIT
