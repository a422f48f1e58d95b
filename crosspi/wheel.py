"""Makes a wheel of a tree: tags from the target, RECORD, licences, and the same bytes every time.

Source: the binary distribution format, PEP 427, and core metadata, PEP 566.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from email.message import Message
from email.parser import Parser
from email.policy import EmailPolicy
from pathlib import Path

from packaging.utils import canonicalize_name

from crosspi import __version__, builders
from crosspi.audit.law import Promises
from crosspi.containers import Mount
from crosspi.errors import BuildError
from crosspi.machine import BuildMachine, run_commands
from crosspi.plan import Step, Workspace, digest
from crosspi.recipe import Recipe
from crosspi.rooms import ROOM
from crosspi.targets import Cell
from crosspi.trees import check_members, check_tree

#: METADATA is UTF-8 as it stands: nothing is encoded, folded or quoted as in mail.
METADATA_POLICY = EmailPolicy(utf8=True, mangle_from_=False, max_line_length=0)

#: Where the packing container sees what it packs.
_PACKED = "/pack"


def wheel_step(
    recipe: Recipe, cell: Cell, built: Step, machine: BuildMachine, number: int = 0
) -> Step:
    """The step that makes a wheel of what `built` left: `tree/` and `licenses/`.

    Args:
        recipe, cell: of what, for what.
        built: made the tree.
        machine: where it is packed: the compressor of that image, and no other, makes its bytes.
        number: the wheel's build number, where other bytes have the name without one (PEP 427).
    """
    data = recipe.data

    def act(work: Workspace) -> None:
        tree = work.out.parent / "tree"
        result = work.results[built.name]
        check_tree(result, left_by=f"the build of {recipe.name}")
        shutil.copytree(result / "tree", tree, symlinks=True)
        info = dist_info(recipe, tree)
        if (result / "licenses").is_dir():
            licences = info / "licenses"
            shutil.copytree(result / "licenses", licences, symlinks=True, dirs_exist_ok=True)
        check_members(tree, left_by=f"the build of {recipe.name}")
        name = write_tags(info, cell, number)
        run_commands(
            machine,
            work,
            commands=[{"pack": _PACKED, "info": info.name, "to": f"{builders.OUT}/{name}"}],
            mounts=[Mount(tree, _PACKED)],
            environment={},
        )
        path = work.out / name
        work.notes["file"] = path.name
        work.notes["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        work.notes["size"] = path.stat().st_size

    described = {
        **data.wheel.model_dump(),
        "metadata": [data.name, data.version, data.summary, data.licence, data.homepage],
        "requires": data.requires.run,
        "pythons": data.pythons,
        **({"build number": number} if number else {}),
    }
    inputs = {
        "recipe's metadata": digest(described),
        "tags": cell.wheel_tag,
        ROOM: machine.room({}, Path(__file__)),
        # It is in WHEEL.
        "crosspi": __version__,
    }
    subject = f"{recipe.name}-{cell.identifier}" + (f"-{number}" if number else "")
    return Step("wheel", subject, inputs, (machine.image.step, built), act)


def dist_info(recipe: Recipe, tree: Path) -> Path:
    """The `.dist-info` folder of a tree: the backend's own, or one made of the recipe.

    Raises:
        BuildError: the backend built another package or version than the recipe says.
    """
    data = recipe.data
    name = canonicalize_name(data.name).replace("-", "_")
    found = sorted(tree.glob("*.dist-info"))
    folder = tree / f"{name}-{data.version}.dist-info"
    if found and found != [folder]:
        raise BuildError(
            f"the build made {found[0].name}, the recipe says {folder.name}",
            where=str(recipe.folder / "recipe.yaml"),
            why="the source is of another version than the recipe",
            fix="correct the version, or the pin of the source",
        )
    for pattern in data.wheel.exclude:
        for path in list(tree.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:  # gone already where the folder around it matched as well
                path.unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    for generated in ("RECORD", "WHEEL"):
        (folder / generated).unlink(missing_ok=True)
    path = folder / "METADATA"
    if path.exists():
        metadata = Parser().parsestr(path.read_text(encoding="utf-8"))
    else:
        metadata = Message()
        metadata["Metadata-Version"] = "2.1"
        metadata["Name"] = data.name
        metadata["Version"] = data.version
        metadata["Summary"] = data.summary
        metadata["Home-page"] = data.homepage
        metadata["License"] = data.licence
        for classifier in data.wheel.classifiers:
            metadata["Classifier"] = classifier
        metadata["Requires-Python"] = data.pythons
    stated = metadata.get_all("Requires-Dist") or []
    for requirement in data.requires.run:
        if requirement not in stated:
            metadata["Requires-Dist"] = requirement
    path.write_text(metadata.as_string(policy=METADATA_POLICY), encoding="utf-8")
    return folder


def write_tags(info: Path, cell: Cell, number: int = 0) -> str:
    """Write WHEEL; its tags come from the cell, never from the name of another file.

    Args:
        info: the wheel's `.dist-info` folder.
        cell: for what it is.
        number: its build number; 0 where it has none.

    Returns:
        The name of the wheel's file.
    """
    (info / "WHEEL").write_text(
        "Wheel-Version: 1.0\n"
        f"Generator: crosspi {__version__}\n"
        "Root-Is-Purelib: false\n"
        f"Tag: {cell.wheel_tag}\n" + (f"Build: {number}\n" if number else ""),
        encoding="utf-8",
    )
    name = info.name.removesuffix(".dist-info") + (f"-{number}" if number else "")
    return f"{name}-{cell.wheel_tag}.whl"


def wheel_in(folder: Path) -> Path:
    """The one wheel of a wheel step's result."""
    (path,) = folder.glob("*.whl")
    return path


def promises_of(recipe: Recipe, cell: Cell) -> Promises:
    """What a recipe says about its wheels for a cell's architecture."""
    return recipe.data.promises.get(cell.toolchain.name, Promises())


def manifest(
    recipe: Recipe,
    cell: Cell,
    wheel: Path,
    packed: str,
    proof: Mapping[str, str],
    proven: datetime,
    steps: Mapping[str, Mapping[str, object]],
    made_with: Mapping[str, object],
) -> str:
    """The JSON that is published beside a wheel: what went in, what was found, what it cost.

    Args:
        recipe, cell, wheel: what it is about.
        packed: the sha256 of the same wheel without a build number.
        proof: the keys of the steps that made and proved it.
        proven: when the last of its smoke tests passed.
        steps: what each step cost and found.
        made_with: what of this machine and its images no data pins.
    """
    toolchain = cell.toolchain.data
    return (
        json.dumps(
            {
                "wheel": wheel.name,
                "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
                "size": wheel.stat().st_size,
                "packed": packed,
                "recipe": recipe.name,
                "version": recipe.data.version,
                "licence": recipe.data.licence,
                "proof": proof,
                "proven": proven.isoformat(),
                "build_identifier": cell.identifier,
                "promises": promises_of(recipe, cell).model_dump(mode="json"),
                "python": cell.python.version,
                "toolchain": {
                    "name": cell.toolchain.name,
                    "boards": sorted(toolchain.boards),
                    **toolchain.compiler.model_dump(exclude={"march", "drop"}),
                    "emulated": [b.model_dump(exclude={"cpuinfo"}) for b in toolchain.emulated],
                },
                "sources": {
                    name: source.tree or source.file
                    for name, source in sorted(recipe.data.sources.items())
                },
                "steps": steps,
                "made_with": made_with,
                "crosspi": __version__,
            },
            indent=1,
            sort_keys=True,
        )
        + "\n"
    )
