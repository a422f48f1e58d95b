"""Where a build finds the libraries that it is linked with: `/need/NAME` in its container.

What ordinary build systems read is set: CMake's prefixes, pkg-config's folders (and no others: the
build machine's own packages are for another processor), and flags for all else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crosspi.places import NEEDS


def prefixes(names: Iterable[str]) -> tuple[str, ...]:
    """The folders of libraries."""
    return tuple(f"{NEEDS}/{name}" for name in names)


def pkg_config_folders(names: Iterable[str]) -> tuple[str, ...]:
    """Where pkg-config looks for them."""
    return tuple(
        f"{prefix}/{place}/pkgconfig" for prefix in prefixes(names) for place in ("lib", "share")
    )


def library_environment(names: Iterable[str]) -> Mapping[str, str]:
    """The variables of a build that is linked with libraries; none without."""
    names = tuple(names)
    if not names:
        return {}
    return {
        "CMAKE_PREFIX_PATH": ":".join(prefixes(names)),
        "PKG_CONFIG_LIBDIR": ":".join(pkg_config_folders(names)),
        "CPPFLAGS": " ".join(f"-I{prefix}/include" for prefix in prefixes(names)),
        "LDFLAGS": " ".join(f"-L{prefix}/lib" for prefix in prefixes(names)),
    }
