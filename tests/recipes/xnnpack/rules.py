"""What must hold of XNNPACK's tables of kernels: see `tables`, which reads them.

The names of kernels say what they are: `xnn_qs8_qc8w_igemm_minmax_fp32_ukernel_4x8c4__neondot` is
an igemm of these data types for 4 rows, 8 columns and steps of 4 (log2_kr = 2). Each rule holds a
field of a table against the names of the kernels beside it, or against XNNPACK's source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from .source import Source
from .tables import Value, Way, ways

#: What is asked before a kernel for these instructions is put into a table. (Tables of f16 are
#: asked for as a whole, by the functions that hand them out.)
ASKED = {
    "neon": "use_arm_neon",
    "neonfp16": "use_arm_neon_fp16",
    "neonfma": "use_arm_neon_fma",
    "neonv8": "use_arm_neon_v8",
    "neondot": "use_arm_neon_dot",
}
#: Kinds of core that are ARMv8 by name: they are asked for nothing more.
V8 = re.compile(r"cpuinfo_uarch_(cortex_a(3[25]|5[357]\w*|7[2-8]\w*)|exynos_m\d)$")
#: Fields of a table that must not be 0 or missing, where the table holds a kernel at all.
NEEDED: Mapping[str, tuple[str, ...]] = {
    "xnn_argmaxpool_config": ("first_pass_tile_size",),
    "xnn_avgpool_config": ("primary_tile", "incremental_tile", "channel_tile", "init"),
    "xnn_binary_elementwise_config": ("op_ukernel", "opc_ukernel", "ropc_ukernel", "element_tile"),
    "xnn_cmul_config": ("ukernel",),
    "xnn_conv_hwc2chw_config": ("output_channel_tile", "output_height_tile", "init"),
    "xnn_dwconv2d_chw_config": tuple(
        f"dwconv2d_chw_{size}.{name}"
        for size in ("3x3", "3x3s2", "5x5", "5x5s2")
        for name in ("ukernel", "output_width_tile", "init")
    ),
    "xnn_dwconv_config": (
        *("minmax", "init"),
        *("channel_tile", "channel_subtile", "channel_round", "primary_tile"),
    ),
    "xnn_gemm_config": ("minmax", "init", "mr", "nr", "pack_gemm_goi"),
    "xnn_ibilinear_chw_config": ("ukernel", "channel_tile"),
    "xnn_ibilinear_config": ("ukernel", "pixel_tile"),
    "xnn_lut32norm_config": ("lut32norm",),
    "xnn_maxpool_config": ("ukernel", "init", "first_pass_tile_size", "remainder_pass_tile_size"),
    "xnn_pavgpool_config": ("primary_tile", "incremental_tile", "channel_tile", "init"),
    "xnn_raddstoreexpminusmax_config": ("ukernel",),
    "xnn_reduce_config": (),
    "xnn_rmax_config": ("ukernel",),
    "xnn_spmm_config": ("ukernel", "init", "mr", "nr"),
    "xnn_transpose_config": tuple(f"{n}.tile_size" for n in ("x8", "x16", "x24", "x32", "x64")),
    "xnn_unary_elementwise_config": ("ukernel",),
    "xnn_unpool_config": ("unpool",),
    "xnn_vmulcaddc_config": ("ukernel", "init", "channel_tile", "row_tile"),
    "xnn_x8_lut_config": ("microkernel",),
    "xnn_xx_fill_config": ("ukernel",),
    "xnn_xx_pad_config": ("ukernel",),
    "xnn_zip_config": ("x2", "x3", "x4", "xm"),
}
#: A field's name in the tables, and the part of a kernel's name that it stands for.
_OPERATIONS = (
    (r"minmax\.(?:dq|qp8)?gemm", "gemm_minmax"),
    (r"minmax\.dqi?gemm_bl", "gemm_minmax"),
    (r"minmax\.(?:dq)?igemm", "igemm_minmax"),
    (r"(relu)\.(i?gemm)", r"\2_relu"),
    (r"(linear)\.(i?gemm)", r"\2"),
    (r"minmax\.\w+pass", "dwconv_minmax"),
    (r"linear\.\w+pass", "dwconv"),
)
_NAMED_BY_THEIR_RULE = {
    f"xnn_{name}_config" for name in ("gemm", "dwconv", "binary_elementwise", "transpose")
}
_Rule = Callable[[Way], Iterator[str]]
_RULES: dict[str, _Rule] = {}


@dataclass(frozen=True)
class Build:
    """What XNNPACK is compiled for.

    Attributes:
        macros: those that its tables ask for.
        answers: what is known of the processor when it is compiled.
        floor: instructions that every such processor has: nobody need ask for these.
    """

    name: str
    macros: Mapping[str, int]
    answers: Mapping[str, bool] = dataclass_field(default_factory=dict)
    floor: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name


_ARM = {"XNN_ARCH_ARM": 1, "XNN_ENABLE_CPUINFO": 1, "XNN_MAX_UARCH_TYPES": 3}
_EXTENSIONS = ("DOTPROD", "FP16_VECTOR", "FP16_SCALAR", "I8MM", "BF16")
_CORTEX_A7 = frozenset({"neon", "neonfp16", "neonfma"})
#: The two builds of the recipe first; the others are all else that the tables know for 32-bit ARM.
BUILDS = (
    Build(
        "armv6",
        _ARM,
        {
            f"hardware_config->{name}": name == "use_arm_v6"
            for name in (*ASKED.values(), "use_arm_v6")
        },
    ),
    Build("armv7", {**_ARM, "XNN_ENABLE_ASSEMBLY": 1}, floor=_CORTEX_A7),
    Build("armv7 without assembly", _ARM, floor=_CORTEX_A7),
    *(
        Build(
            f"all extensions, assembly {assembly}, several passes {passes}",
            {
                **_ARM,
                **{f"XNN_ENABLE_ARM_{name}": 1 for name in _EXTENSIONS},
                "XNN_ENABLE_ASSEMBLY": assembly,
                "XNN_ENABLE_DWCONV_MULTIPASS": passes,
            },
            floor=_CORTEX_A7,
        )
        for assembly in (0, 1)
        for passes in (0, 1)
    ),
    Build("scalar", {}),
    Build("scalar, several passes", {"XNN_ENABLE_DWCONV_MULTIPASS": 1}),
)


def check(source: Source, build: Build) -> tuple[int, list[str]]:
    """Hold every table of a build against the rules.

    Returns:
        How many ways to fill a table there are, and what is wrong, each with its file and line.
    """
    count, found = 0, []
    for path in sorted((source.folder / "src" / "configs").glob("*-config.c")):
        if path.name in ("hardware-config.c", "experiments-config.c"):
            continue
        for way in ways(path.read_text(encoding="utf-8"), build.macros, build.answers):
            count += 1
            found += [f"{path.name}: {fault}" for fault in faults(way, source, build.floor)]
    return count, list(dict.fromkeys(found))


def kernels(way: Way) -> dict[str, Value]:
    """The kernels in a table, by field; those for little cores too."""
    found = {f: v for f, v in way.fields.items() if "_ukernel" in v.text and "pack" not in f}
    found |= {f"{f} (little core)": v for f, v in way.little.items()}
    return found


def faults(way: Way, source: Source, floor: frozenset[str] = frozenset()) -> list[str]:
    """What is wrong with a table.

    Args:
        way: how it was filled.
        source: what its kernels are looked up in.
        floor: instruction sets that every processor of the build has, so that nobody asks.
    """
    if way.struct not in NEEDED:
        return [f"no rule for {way.struct}"]
    inside = kernels(way)
    if not inside or _mixed(way):
        return []  # nothing for this processor: the operator says so
    found = []
    for need in NEEDED[way.struct]:
        # `init` may be a union of several: one of them.
        values = [v for f, v in way.fields.items() if f == need or f.startswith(f"{need}.")]
        values += [v for f, v in way.fields.items() if f.startswith(f"{need}_bl")]
        if not any(v.text != "0" for v in values):
            found.append(f"{need} is 0")
    for name, value in inside.items():
        found += _named(way, name, value, source)
        found += _asked(way, value, floor)
    found += _parameters(way, inside, source)
    if way.struct in _RULES:
        found += _RULES[way.struct](way)
    return [f"{fault} [{_where(way)}]" for fault in dict.fromkeys(found)]


def _mixed(way: Way) -> bool:
    """Would the processor have cores of ARMv8 beside older ones? There is none such."""
    cores = [core for core in way.chosen.values() if isinstance(core, str)]
    kinds = {bool(V8.match(core)) for core in cores if core != "default"}
    newer = way.chosen.get("hardware_config->use_arm_neon_v8")
    return kinds == {True, False} or (True in kinds and newer is False)


def _where(way: Way) -> str:
    line = min(value.line for value in way.fields.values())
    chosen = ", ".join(
        str(v).removeprefix("cpuinfo_uarch_") if not isinstance(v, bool) else f"{k}={int(v)}"
        for k, v in way.chosen.items()
    )
    return f"{way.table}, from line {line}: {chosen}"


def _types(way: Way) -> str:
    """The data types of a table: the beginning of its name."""
    match = re.match(
        r"((?:[a-z]{1,2}\d+w?|xx|f16_f32acc)(?:_[a-z]{2}\dw|_f(?:16|32)(?=_q))*)", way.table
    )
    types = match[1] if match else ""
    return re.sub(r"^(\w+?)_to_(\w+?)_.*", r"\1_\2", way.table) if "_to_" in way.table else types


def _named(way: Way, name: str, value: Value, source: Source) -> Iterator[str]:
    """Is it a kernel of this operation, of these types, and is it compiled at all?"""
    stem = value.text.removeprefix("xnn_").split("_ukernel")[0]
    place = f"{name} is {value.text}"
    types = _types(way)
    if way.table.startswith("f32_to_qp8"):
        types = "x8"  # packing, whose kernels are named by their output
    if types and not re.match(rf"{types}_", stem):
        yield f"{place}: not of {types}"
    for pattern, operation in _OPERATIONS:
        match = re.match(pattern + r"(?:\[|$| )", name)
        if match and way.struct in ("xnn_gemm_config", "xnn_dwconv_config"):
            wanted = match.expand(operation)
            if not re.fullmatch(rf"{types}_{wanted}(?:_fp32|_rndnu)?", stem):
                yield f"{place}: not a {wanted} kernel"
    operation = way.table.split("[")[0].removesuffix("_config").removeprefix(f"{types}_")
    if way.struct == "xnn_unary_elementwise_config":
        wanted = operation.split("_")[-1] if "_to_" in way.table else operation
        wanted = "packq_f32qp8" if types == "x8" else wanted
        if stem.removeprefix(f"{types}_") not in (wanted, f"v{wanted}"):
            yield f"{place}: not a {wanted} kernel"
    elif way.struct not in _NAMED_BY_THEIR_RULE:
        short = re.match(r"[a-z]*", operation)
        if short and not re.match(rf"{types}_v?{short[0]}", stem):
            yield f"{place}: not a {short[0]} kernel"
    if value.cast.endswith("igemm_ukernel_fn") != ("_igemm" in stem) and "gemm" in value.cast:
        yield f"{place}: cast to {value.cast}"
    if source.compiled and value.text not in source.compiled:
        yield f"{place}: not in a production list of cmake/gen"


def _asked(way: Way, value: Value, floor: frozenset[str]) -> Iterator[str]:
    """Was the processor asked whether it has this kernel's instructions?"""
    variant = value.text.split("__", 1)[-1]
    need = next((word for word in variant.split("_") if word in ASKED), "")
    if not need or need in floor:
        return
    answers = {str(k).split("->")[-1]: v for k, v in way.chosen.items()}
    cores = [v for v in way.chosen.values() if isinstance(v, str)]
    if answers.get(ASKED[need]) is True:
        return
    if need in ("neonv8", "neonfma", "neonfp16") and any(V8.match(core) for core in cores):
        return
    yield f"{value.text} is chosen without asking for {ASKED[need]}"


def _parameters(way: Way, inside: Mapping[str, Value], source: Source) -> Iterator[str]:
    """Does the init function write what the kernels read?"""
    inits = [
        (f, v)
        for f, v in way.fields.items()
        if re.search(r"(^|\.)init(\.|$)", f) and v.text not in ("0", "")
    ]
    for place, init in inits:
        beside = place.rpartition("init")[0]
        if not source.knows_init(init.text):
            yield f"{place} is {init.text}: no such function in src/microparams-init.c"
            continue
        for name, kernel in inside.items():
            if not name.startswith(beside):
                continue
            kind = re.search(r"_(fp32|rndnu)_(\w+)_params$", init.text)
            if "__asm" in kernel.text and kind:
                words = kernel.text.split("__")[1].split("_")
                if f"_{kind[1]}_ukernel" not in kernel.text or kind[2] not in words:
                    yield f"{kernel.text} does not read what {init.text} writes"
            missing = source.unwritten(kernel.text, init.text)
            if missing:
                yield f"{kernel.text} reads {', '.join(missing)}, which {init.text} does not write"


def _rule(
    struct: str,
) -> Callable[[Callable[[Way], Iterator[str]]], Callable[[Way], Iterator[str]]]:
    def keep(rule: Callable[[Way], Iterator[str]]) -> Callable[[Way], Iterator[str]]:
        _RULES[struct] = rule
        return rule

    return keep


def number(way: Way, field: str) -> int:
    """A field's number; 0 where it is not set, as in C."""
    value = way.fields.get(field)
    return int(value.text) if value and value.text.isdigit() else 0


def _holds(way: Way, kernel: Value, **wanted: str | int | None) -> Iterator[str]:
    for field, want in wanted.items():
        if want is not None and number(way, field) != int(want):
            yield f"{field} is {number(way, field)}, and {kernel.text} wants {int(want)}"


@_rule("xnn_gemm_config")
def _gemm(way: Way) -> Iterator[str]:
    rows = set()
    for name, kernel in kernels(way).items():
        shape = re.search(r"_ukernel_(\d+)x(\d+)(?:c(\d+))?(?:s(\d+))?__", kernel.text)
        slot = re.search(r"\[mr(\d+)\]", name)
        if shape is None or slot is None:
            yield f"{name} is {kernel.text}: a name without a shape"
            continue
        if shape[1] != slot[1]:
            yield f"{name} is {kernel.text}: for {shape[1]} rows, not for {slot[1]}"
        yield from _holds(
            way,
            kernel,
            nr=shape[2],
            log2_kr=int(shape[3] or 1).bit_length() - 1,
            log2_sr=int(shape[4] or 1).bit_length() - 1,
        )
        rows.add((name.split("[")[0], int(shape[1])))
    for kind in {kind for kind, _ in rows}:
        most = max(count for k, count in rows if k == kind)
        if most != number(way, "mr"):
            yield f"mr is {number(way, 'mr')}, and {kind} has kernels for up to {most} rows"
    halves = {(kind.replace("igemm", "gemm"), count) for kind, count in rows if "igemm" in kind}
    if halves and halves != {(kind, count) for kind, count in rows if "igemm" not in kind}:
        yield "gemm and igemm have kernels for other numbers of rows"
    for field in ("pack_gemm_goi", "pack_gemm_gio"):
        pack = way.fields.get(field)
        shape = re.search(r"_ukernel_x(\d+)(?:c(\d+))?__", pack.text) if pack else None
        if pack and shape:
            yield from _holds(way, pack, nr=shape[1], log2_kr=int(shape[2] or 1).bit_length() - 1)
        if pack and pack.text != "0" and field.removeprefix("pack_") not in pack.text:
            yield f"{field} is {pack.text}"
    types = _types(way)
    weights = {"qs8_qc8w": "qs8", "qu8": "qu8", "f32": "(f|x)32", "f16": "(f|x)16"}
    weights |= {"f32_qc8w": "(f32_qs8w|x8)", "f32_qc4w": "f32_qc4w"}
    weights |= {"qd8_f32_qc8w": "qs8", "qd8_f32_qc4w": "qs(8_qc)?4w?"}
    weights |= {"qd8_f32_qb4w": "qs8_qb4w"}
    for field, value in way.fields.items():
        if not re.match(r"packe?d?_", field) or value.text == "0":
            continue
        kind = weights.get(types.replace("qd8_f16", "qd8_f32"), types)
        if not re.match(rf"xnn_(pack_|packed_stride_)?{kind}_", value.text):
            yield f"{field} is {value.text}: weights of {types} are {kind}"
        tail = field.replace("pack_igemm", "pack_conv").removeprefix("pack_").removesuffix("_bl")
        if "gemm" not in field and not value.text.endswith((f"_{tail}_w", "weights_and_biases")):
            yield f"{field} is {value.text}"
        if field.startswith("pack_igemm") and "_conv_" + field.split("_")[-1] not in value.text:
            yield f"{field} is {value.text}"


@_rule("xnn_dwconv_config")
def _dwconv(way: Way) -> Iterator[str]:
    for kernel in kernels(way).values():
        one = re.search(r"_ukernel_(\d+)p(\d+)c__", kernel.text)
        more = re.search(r"_ukernel_(\d+)f(\d+)m(\d+)l(\d+)c(\d+)s(\d+)r__", kernel.text)
        if one:
            yield from _holds(
                way,
                kernel,
                primary_tile=one[1],
                channel_tile=one[2],
                channel_subtile=one[2],
                channel_round=1,
                middle_tile=0,
                last_tile=0,
            )
        elif more:
            names = ("primary", "middle", "last", "channel")
            tiles = {f"{n}_tile": more[i] for i, n in enumerate(names, 1)}
            yield from _holds(way, kernel, channel_subtile=more[5], channel_round=more[6], **tiles)
        else:
            yield f"{kernel.text}: a name without a shape"


@_rule("xnn_binary_elementwise_config")
def _binary(way: Way) -> Iterator[str]:
    types = _types(way)
    operation = way.table.removeprefix(f"{types}_v").removesuffix("_config")
    turned = {"sub", "div", "prelu", "copysign"}  # a - b is not b - a
    wanted = {
        "op_ukernel": f"{types}_v{operation}",
        "opc_ukernel": f"{types}_v{operation}c",
        "ropc_ukernel": f"{types}_v{'r' if operation in turned else ''}{operation}c",
    }
    for field, name in wanted.items():
        kernel = way.fields.get(field)
        if kernel is None:
            continue
        if not re.match(rf"xnn_{name}(_minmax)?(_fp32|_rndnu)?_ukernel__", kernel.text):
            yield f"{field} is {kernel.text}: not a {name} kernel"
        tile = re.search(r"_u(\d+)$", kernel.text)
        yield from _holds(way, kernel, element_tile=tile[1] if tile else None)


def _pooling(way: Way) -> Iterator[str]:
    first, later = ("primary_tile", "incremental_tile")
    if "first_pass_tile_size" in way.fields:
        first, later = ("first_pass_tile_size", "remainder_pass_tile_size")
    for kernel in kernels(way).values():
        shape = re.search(r"_ukernel_(\d+)(?:p(\d+))?x__\w+?_c(\d+)$", kernel.text)
        if shape is None:
            yield f"{kernel.text}: a name without a shape"
            continue
        yield from _holds(way, kernel, **{first: shape[1], later: shape[2]})
        if "channel_tile" in way.fields:
            yield from _holds(way, kernel, channel_tile=shape[3])


for _name in ("argmaxpool", "avgpool", "maxpool", "pavgpool"):
    _RULES[f"xnn_{_name}_config"] = _pooling


@_rule("xnn_spmm_config")
def _spmm(way: Way) -> Iterator[str]:
    for kernel in kernels(way).values():
        shape = re.search(r"_ukernel_(\d+)x(\d+)__", kernel.text)
        yield from _holds(way, kernel, mr=shape[1], nr=shape[2]) if shape else [kernel.text]


@_rule("xnn_vmulcaddc_config")
def _vmulcaddc(way: Way) -> Iterator[str]:
    for kernel in kernels(way).values():
        shape = re.search(r"_ukernel_c(\d+)__\w+_(\d+)x$", kernel.text)
        held = _holds(way, kernel, channel_tile=shape[1], row_tile=shape[2]) if shape else iter(())
        yield from held


@_rule("xnn_conv_hwc2chw_config")
def _hwc2chw(way: Way) -> Iterator[str]:
    for kernel in kernels(way).values():
        shape = re.search(r"c3x(\d+)__\w+_(\d+)x\d+$", kernel.text)
        wanted = {"output_channel_tile": shape[1], "output_height_tile": shape[2]} if shape else {}
        yield from _holds(way, kernel, **wanted)


@_rule("xnn_dwconv2d_chw_config")
def _dwconv2d(way: Way) -> Iterator[str]:
    for name, kernel in kernels(way).items():
        size = name.split(".")[0].removeprefix("dwconv2d_chw_")
        if not re.search(rf"_ukernel_{size}p\d__", kernel.text):
            yield f"{name} is {kernel.text}: not for {size}"
        tile = re.search(r"_\d+x(\d+)(_acc\d)?$", kernel.text)
        field = f"{name.split('.')[0]}.output_width_tile"
        yield from _holds(way, kernel, **{field: tile[1] if tile else None})


@_rule("xnn_transpose_config")
def _transpose(way: Way) -> Iterator[str]:
    for name, kernel in kernels(way).items():
        kind = "xx_copy" if name == "copy" else f"{name.split('.')[0]}_transpose"
        if not kernel.text.startswith(f"xnn_{kind}"):
            yield f"{name} is {kernel.text}: not a {kind} kernel"


@_rule("xnn_zip_config")
def _zip(way: Way) -> Iterator[str]:
    for name, kernel in kernels(way).items():
        if f"_zip_{name}_ukernel" not in kernel.text:
            yield f"{name} is {kernel.text}"


@_rule("xnn_reduce_config")
def _reduce(way: Way) -> Iterator[str]:
    types = "f32" if "f32acc" in way.table else _types(way)
    for field, kernel in kernels(way).items():
        if (field == "rd_ukernel") != ("rdsum" in kernel.text):
            yield f"{field} is {kernel.text}"
    update = way.fields.get("update")
    if update and update.text not in ("0", f"xnn_update_{types}_reduce_scalar_params"):
        yield f"update is {update.text}: not of {types}"
