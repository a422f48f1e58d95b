"""A library in truth: compiled, audited, linked by a wheel as ordinary CMake does, and unpacked."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable

import pytest
from workshop import CHECKOUT, CODE, Run, Workshop

pytestmark = pytest.mark.e2e

LIBRARY = "zlib"
FIND = "find_package(ZLIB REQUIRED)\n"
SMOKE = """
    import binascii

    def test_the_librarys_function(case):
        import _hello
        case.equal(_hello.half(2.0), float(binascii.crc32(b"crosspi") & 0xffff))
    """


def test_a_wheel_is_linked_with_a_library_that_is_an_archive_too(
    workshop: Workshop, build: Callable[..., Run]
) -> None:
    shutil.copytree(CHECKOUT / "recipes" / LIBRARY, workshop.folder / "recipes" / LIBRARY)
    workshop.hello(
        smoke=SMOKE,
        replace={
            "CMakeLists.txt": CODE["CMakeLists.txt"]
            + FIND
            + "target_link_libraries(core ZLIB::ZLIB)",
            "module/CMakeLists.txt": CODE["module/CMakeLists.txt"]
            + f"        {FIND}        target_link_libraries(_hello PRIVATE ZLIB::ZLIB)\n",
            "core.c": """
                #include <zlib.h>
                float half(float value) {
                    return value * (crc32(0, (const Bytef *)"crosspi", 7) & 0xffff) / 2;
                }
                """,
        },
    )
    recipe = workshop.folder / "recipes" / "hello" / "recipe.yaml"
    recipe.write_text(recipe.read_text() + f"requires: {{libraries: [{LIBRARY}]}}\n")
    first = build("--json")
    assert first.code == 0, first.err
    ran = {step["step"]: step["state"] for step in first.data["steps"]}
    assert (
        ran[f"smoke:{LIBRARY}-1.2.13-armv7-pi2"]
        == ran["smoke:hello-1.0-cp311-armv7-pi2"]
        == "built"
    )
    (wheel,) = workshop.dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        assert f"hello-1.0.dist-info/licenses/{LIBRARY}/LICENSE" in files.namelist()
    (path,) = workshop.dist.glob("*.tar.gz")
    assert path.name == f"{LIBRARY}-1.2.13-linux_armv7l.tar.gz"
    with tarfile.open(path) as archive:
        names = archive.getnames()
    assert {name.split("/")[0] for name in names} == {path.name.removesuffix(".tar.gz")}
    assert [name for name in names if name.endswith((".a", ".pc", "LICENSE"))]
    assert path.name in (workshop.dist / "archives" / "index.html").read_text()
    second = build("--json")
    assert {step["state"] for step in second.data["steps"]} == {"from the store"}
