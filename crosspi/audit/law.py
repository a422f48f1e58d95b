"""The law of a target, and what a recipe promises: data, no code knows a target by its name.

`Law` is the `audit:` section of a toolchain file. The numbers are those of the build attributes
(ADDENDA32): `Tag_CPU_arch`, `Tag_FP_arch`, `Tag_Advanced_SIMD_arch`. Platform tags are those of
PEP 425 and PEP 600.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field, field_validator

from crosspi.audit.code.classes import NAMES


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_classes(value: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in value if name not in NAMES]
    if unknown:
        raise ValueError(f"unknown instruction class {unknown[0]!r}; known: {', '.join(NAMES)}")
    return value


class Law(_Data):
    """What a file must be to run on every board of a target."""

    name: str = Field("", description="what to call this law in reports")
    machine: str = Field("ARM", description="the ELF machine by name")
    arch_tags: tuple[int, ...] = Field(description="allowed values of Tag_CPU_arch")
    fp_arch: tuple[int, ...] = Field(description="allowed values of Tag_FP_arch")
    simd: tuple[int, ...] = Field(description="allowed values of Tag_Advanced_SIMD_arch")
    thumb2: bool = Field(description="whether the CPU has Thumb-2")
    instructions: tuple[str, ...] = Field(description="forbidden instruction classes")
    noted: tuple[str, ...] = Field(
        (), description="classes that only get a note: libraries choose them at run time"
    )
    glibc: str = Field(description="the glibc of the oldest system that must run it")
    needed: tuple[str, ...] = Field(description="libraries that every board has")
    house: tuple[str, ...] = Field(
        (), description="those of them that our own wheels may need; none: all of them"
    )
    platform: str = Field(description="the platform tag of the wheels that are built")
    accepts: tuple[str, ...] = Field((), description="patterns of other good platform tags")
    soabi: str = Field(
        "arm-linux-gnueabihf", description="the platform part of an extension's suffix (PEP 3149)"
    )

    _instructions = field_validator("instructions", "noted")(_known_classes)

    @field_validator("glibc")
    @classmethod
    def _version(cls, value: str) -> str:
        if not re.fullmatch(r"\d+(\.\d+)+", value):
            raise ValueError(f"not a version like 2.28: {value!r} (quote it in YAML)")
        return value

    def accepts_platform(self, tag: str) -> bool:
        return tag == self.platform or any(fnmatchcase(tag, glob) for glob in self.accepts)


class Dispatched(_Data):
    """Code that is above the law but runs only where the CPU has it, and why that is known."""

    why: str = Field(min_length=1, description="how the code makes sure, for the report")
    files: str = Field("*", description="pattern of file names in the wheel")
    classes: tuple[str, ...] = Field((), description="instruction classes that are allowed")
    symbols: tuple[str, ...] = Field(
        (), description="regular expressions of function names; none: the whole file"
    )
    arch_tags: tuple[int, ...] = Field((), description="more values of Tag_CPU_arch")
    fp_arch: tuple[int, ...] = Field((), description="more values of Tag_FP_arch")
    simd: tuple[int, ...] = Field((), description="more values of Tag_Advanced_SIMD_arch")

    _classes = field_validator("classes")(_known_classes)

    @field_validator("symbols")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"not a regular expression: {pattern!r}: {error}") from error
        return value

    def covers(self, file: str) -> bool:
        return fnmatchcase(file, self.files)

    def covers_symbol(self, symbol: str) -> bool:
        return not self.symbols or any(re.search(pattern, symbol) for pattern in self.symbols)


class Promises(_Data):
    """What a recipe says about its wheel on one target."""

    neon: bool = Field(False, description="some file must hold NEON code")
    dispatched: tuple[Dispatched, ...] = Field((), description="code chosen at run time")

    def for_file(self, file: str) -> tuple[Dispatched, ...]:
        return tuple(entry for entry in self.dispatched if entry.covers(file))
