"""The texts of a new recipe: recipe.yaml, and a smoke test to begin with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from crosspi.new_recipe.deciding import Decision
from crosspi.new_recipe.sdist import Sdist

_SCHEMA = "# yaml-language-server: $schema=../recipe.schema.json\n"
_SMOKE = '''\
# Valid for Python 2.7 and 3.4 and newer.
"""{name} on the board. To begin with: that all of it loads, and that it is machine code.

Written by `invoke new-recipe`. What else it needs, only somebody who knows the package can say:
call what its compiled code does, with values from its documentation or from another
implementation; the least and the largest input; what must fail. See README, Adding a package.
"""

import sys

# What the files of the source distribution are called.
MODULES = {modules}
TOPS = sorted({{name.split('.')[0] for name in MODULES}})


def test_everything_loads(case):
    """Each module by its name; what only asks for a package that is not installed is noted."""
    without = []
    for name in MODULES:
        case.step(name)
        try:
            __import__(name)
        except ImportError as error:
            own = any(top in str(error) for top in TOPS)
            case.check(not own, '%s: %s' % (name, error))
            without.append('%s: %s' % (name, error))
    case.note('not loaded', without)
    case.check(any(top in sys.modules for top in TOPS), 'nothing of it was loaded')


def test_it_is_machine_code(case):
    """An extension of the package is loaded: else the wheel has its Python code alone."""
    files = [getattr(module, '__file__', None) or '' for name, module in sys.modules.items()
             if name.split('.')[0] in TOPS]
    case.check(any(path.endswith('.so') for path in files), 'no extension among %r' % files)
'''


def recipe_text(name: str, sdist: Sdist, decision: Decision) -> str:
    """An ordinary recipe: its version, sources and Pythons are in pins.yaml."""
    tools: Any = list(decision.tools)
    build: dict[str, Any] = {"system": "pep517", "tools": tools[0] if len(tools) == 1 else tools}
    if decision.settings:
        build["settings"] = decision.settings
    head = {
        "name": name,
        "summary": sdist.summary or name,
        "licence": sdist.licence,
        "homepage": sdist.homepage or "https://example.org/",
    }
    text = _SCHEMA + _yaml(head)
    text += "".join(f"# {note}\n" for note in decision.notes) + _yaml({"build": build})
    requires: dict[str, Any] = {}
    if decision.build_needs:
        requires["build"] = list(decision.build_needs)
    if sdist.run_requires:
        requires["run"] = [f"{r.name}{r.specifier}" for r in sdist.run_requires]
    return text + (_yaml({"requires": requires}) if requires else "")


def smoke_text(name: str, sdist: Sdist) -> str:
    """A smoke test that loads every module that the files tell of."""
    modules = sdist.modules or [name.replace("-", "_")]
    listed = "".join(f"    {json.dumps(module)},\n" for module in modules)
    return _SMOKE.format(name=name, modules=f"(\n{listed})".replace('"', "'"))


def _yaml(data: Mapping[str, Any]) -> str:
    """Mappings as blocks, what is in them on a line each."""
    lines = []
    for key, value in data.items():
        if isinstance(value, dict):
            lines += [f"{key}:", *(f"  {name}: {_flow(inner)}" for name, inner in value.items())]
        else:
            lines.append(f"{key}: {_flow(value)}")
    return "".join(f"{line}\n" for line in lines)


def _flow(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return str(text).strip().removesuffix("\n...")
