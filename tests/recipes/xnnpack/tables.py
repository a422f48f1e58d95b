"""Reads XNNPACK's tables of kernels: what each way through `src/configs/*.c` puts into them.

XNNPACK chooses its kernels at run time: a function `init_NAME_config` fills a table, by nested
`#if`, `if` and `switch`. This module follows every way through such a function and answers what the
table holds at its end: {field: value} with the line of each. It understands the C that those files
are written in and no more; anything else is a `TableError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


class TableError(Exception):
    """C that this reader does not understand."""


@dataclass(frozen=True)
class Value:
    """What was assigned: a name or a number, the pointer type it was cast to, and where."""

    text: str
    cast: str
    line: int


@dataclass(frozen=True)
class Way:
    """One way through a function.

    Attributes:
        table: the C name of the table, with its index: `f32_dwconv_config[3]`.
        struct: its C type.
        fields: what it holds at the end.
        chosen: the conditions on the way, with what they were taken to be.
        little: kernels for the further kinds of core of a processor, by field.
    """

    table: str
    struct: str
    fields: Mapping[str, Value]
    chosen: Mapping[str, str | bool]
    little: Mapping[str, Value]


@dataclass(frozen=True)
class _State:
    fields: Mapping[tuple[str, str], Value] = field(default_factory=dict)
    little: Mapping[tuple[str, str], Value] = field(default_factory=dict)
    chosen: Mapping[str, str | bool] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    flow: str = ""


_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*")
_TABLE = re.compile(r"static struct (\w+) (\w+)(?:\[[^]]*\])?(?: = \{|;)")
_FUNCTION = re.compile(r"static void init_\w+\(\w*\) \{")
_PLACE = re.compile(r"(\w+_config(?:\[\w+\])?)(?:\.([\w.\[\]()]+))?$")


def condition(text: str, known: Mapping[str, int]) -> int:
    """The value of a preprocessor's condition; names that are not known are 0, as in C."""
    text = re.sub(r"defined\s*\(?\s*(\w+)\s*\)?", lambda m: str(int(m[1] in known)), text)
    text = _NAME.sub(lambda m: str(known.get(m[0], 0)), text)
    return int(_evaluate(text))


def _evaluate(text: str) -> int:
    text = text.replace("&&", " and ").replace("||", " or ")
    text = re.sub(r"!(?!=)", " not ", text)
    if not re.fullmatch(r"(?:[\d\s()<>=!]|and|or|not)+", text):
        raise TableError(f"a condition that is not understood: {text}")
    return int(bool(eval(text, {"__builtins__": {}})))


def preprocessed(text: str, known: Mapping[str, int]) -> str:
    """The lines that a compiler with these macros sees; all others, and comments, are blank."""
    text = _COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    lines: list[str] = []
    # One entry for each open #if: is it seen now, and was one of its branches seen?
    nested: list[tuple[bool, bool]] = []
    for line in text.split("\n"):
        directive = re.match(r"\s*#\s*(\w+)\s*(.*)", line)
        outside = all(seen for seen, _ in nested[:-1])
        if directive is None:
            lines.append(line if all(seen for seen, _ in nested) else "")
            continue
        lines.append("")
        word, rest = directive[1], directive[2]
        if word in ("if", "ifdef", "ifndef"):
            rest = {"ifdef": f"defined({rest})", "ifndef": f"!defined({rest})"}.get(word, rest)
            seen = all(seen for seen, _ in nested) and bool(condition(rest, known))
            nested.append((seen, seen))
        elif word in ("elif", "else"):
            _, before = nested.pop()
            seen = outside and not before and (word == "else" or bool(condition(rest, known)))
            nested.append((seen, before or seen))
        elif word == "endif":
            nested.pop()
    return "\n".join(lines)


def ways(text: str, macros: Mapping[str, int], answers: Mapping[str, bool]) -> Iterator[Way]:
    """Every way through every function that fills tables.

    Args:
        text: one of `src/configs/*.c`.
        macros: those of a build; what is not named is 0.
        answers: what is known of its processor: `hardware_config->use_arm_neon` is false, say.
    """
    text = preprocessed(text, macros)
    structs = {match[2]: match[1] for match in _TABLE.finditer(text)}
    for match in _FUNCTION.finditer(text):
        program = _Program(text, match.end())
        ends = _run(program.block(), [_State(chosen=dict(answers))])
        for state in ends:
            for table in dict.fromkeys(table for table, _ in state.fields):
                yield Way(
                    table,
                    structs[table.split("[")[0]],
                    {f: v for (t, f), v in state.fields.items() if t == table},
                    state.chosen,
                    {f: v for (t, f), v in state.little.items() if t == table},
                )


@dataclass(frozen=True)
class _Node:
    """A statement: `do`, `if`, `switch`, `for` or `block`."""

    kind: str
    text: str = ""
    line: int = 0
    parts: tuple[_Node, ...] = ()
    labels: tuple[tuple[str, ...], ...] = ()


class _Program:
    """Parses the statements of a function; `place` is just behind its opening brace."""

    def __init__(self, text: str, place: int) -> None:
        self._text = text
        self._place = place

    def block(self) -> _Node:
        parts = []
        while not self._takes("}"):
            parts.append(self._statement())
        return _Node("block", parts=tuple(parts))

    def _takes(self, word: str) -> bool:
        while self._text[self._place].isspace():
            self._place += 1
        behind = self._text[self._place + len(word) :][:1]
        found = self._text.startswith(word, self._place)
        if found and word.isalpha() and re.match(r"\w", behind):
            found = False  # the beginning of a longer name
        self._place += len(word) if found else 0
        return found

    def _until(self, end: str) -> str:
        """The text up to `end` outside of all brackets, which is passed."""
        depth, start = 0, self._place
        while depth or self._text[self._place] != end:
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(
                self._text[self._place], 0
            )
            self._place += 1
            if depth < 0 or self._place >= len(self._text):
                raise TableError(f"no '{end}' after: {self._text[start : start + 60]}")
        self._place += 1
        return self._text[start : self._place - 1].strip()

    def _bracket(self) -> str:
        if not self._takes("("):
            raise TableError(f"no bracket at: {self._text[self._place : self._place + 60]}")
        return self._until(")")

    def _statement(self) -> _Node:
        if self._takes("{"):
            return self.block()
        if self._takes("if"):
            text, then = self._bracket(), self._statement()
            other = (self._statement(),) if self._takes("else") else ()
            return _Node("if", text, parts=(then, *other))
        if self._takes("for"):
            return _Node("for", self._bracket(), parts=(self._statement(),))
        if self._takes("switch"):
            return self._switch()
        while self._text[self._place].isspace():
            self._place += 1
        line = self._text.count("\n", 0, self._place) + 1
        return _Node("do", self._until(";"), line)

    def _switch(self) -> _Node:
        text = self._bracket()
        self._takes("{")
        labels: list[tuple[str, ...]] = []
        parts: list[_Node] = []
        while not self._takes("}"):
            names: list[str] = []
            while self._takes("case") or self._takes("default"):
                names.append(self._until(":") or "default")
            body = []
            while not re.match(r"\s*(case\b|default\b|\})", self._text[self._place :]):
                body.append(self._statement())
            labels.append(tuple(names))
            parts.append(_Node("block", parts=tuple(body)))
        return _Node("switch", text, parts=tuple(parts), labels=tuple(labels))


def _run(node: _Node, states: list[_State]) -> list[_State]:
    """The states after a statement, of those before it; `flow` says what was left how."""
    running = [s for s in states if not s.flow]
    left = [s for s in states if s.flow]
    for state in running:
        left += _step(node, state)
    return left


def _step(node: _Node, state: _State) -> list[_State]:
    if node.kind == "block":
        states = [state]
        for part in node.parts:
            states = _run(part, states)
        return states
    if node.kind == "for":
        # Over the further kinds of core: with one of them, or with none.
        names = {**state.names, "": "little"}
        inside = _run(node.parts[0], [_with(state, names=names)])
        return [_with(s, flow="", names=state.names) for s in (state, *inside)]
    if node.kind == "if":
        found: list[_State] = []
        for taken, after in _decided(node.text, state):
            if taken:
                found += _run(node.parts[0], [after])
            else:
                found += _run(node.parts[1], [after]) if len(node.parts) > 1 else [after]
        return found
    if node.kind == "switch":
        return _switched(node, state)
    return [_done(node, state)]


def _switched(node: _Node, state: _State) -> list[_State]:
    found = []
    labels = [label for names in node.labels for label in names]
    if "default" not in labels:
        found.append(_with(state, chosen={**state.chosen, node.text: "default"}))
    for place, names in enumerate(node.labels):
        for label in names:
            states = [_with(state, chosen={**state.chosen, node.text: label})]
            for part in node.parts[place:]:
                states = _run(part, states)
            found += [_with(s, flow="" if s.flow == "break" else s.flow) for s in states]
    return found


def _decided(text: str, state: _State) -> Iterator[tuple[bool, _State]]:
    """Which ways an `if` may go: both, where nothing on the way has decided it."""
    terms: list[str] = []
    known = text
    for term in re.findall(r"hardware_config(?:->|\.)\w+|uarch_info == NULL|\b[a-z]\w*", text):
        value = state.names.get(term, state.chosen.get(term))
        if value is None:
            terms.append(term)
        else:
            known = _put(known, term, int(value))
    known = re.sub(r"\bXNN_\w+", "0", known)
    terms = list(dict.fromkeys(terms))
    if len(terms) > 3:
        raise TableError(f"a condition that is not understood: {text}")
    for choice in range(2 ** len(terms)):
        picked = {term: bool(choice >> place & 1) for place, term in enumerate(terms)}
        filled = known
        for term, truth in picked.items():
            filled = _put(filled, term, int(truth))
        yield bool(_evaluate(filled)), _with(state, chosen={**state.chosen, **picked})


def _put(text: str, term: str, value: int) -> str:
    return re.sub(rf"(?<!\w){re.escape(term)}(?!\w)", str(value), text)


def _done(node: _Node, state: _State) -> _State:
    text = re.sub(r"\s+", " ", node.text)
    if text in ("break", "return"):
        return _with(state, flow=text)
    local = re.fullmatch(r"const uint32_t (\w+) = (\w+_config)\.(\w+)", text)
    if local:
        value = state.fields.get((local[2], local[3]))
        return _with(state, names={**state.names, local[1]: value.text if value else "0"})
    if not text or re.match(r"const struct|assert|\(void\)", text):
        return state
    for assignment in _split(text):
        state = _assigned(assignment, node.line, state)
    return state


def _assigned(text: str, line: int, state: _State) -> _State:
    left, equals, right = text.partition(" =")
    place = _PLACE.match(re.sub(r"XNN_MR_TO_INDEX\((\d+)\)", r"mr\1", left.strip()))
    if not equals or place is None:
        raise TableError(f"a statement that is not understood: {text}")
    table, name = place[1], place[2] or ""
    if name.endswith(".function[i]"):
        key = table, name.removesuffix(".function[i]")
        return _with(state, little={**state.little, key: _value(right, line)})
    literal = re.fullmatch(r"\s*\(struct \w+\)\s*\{(.*)\}", right, re.DOTALL)
    if literal is None:
        return _with(state, fields={**state.fields, (table, name): _value(right, line)})
    below = f"{name}." if name else ""
    fields = {k: v for k, v in state.fields.items() if k[0] != table or not k[1].startswith(below)}
    for part in _split(literal[1]):
        member, _, value = part.partition("=")
        fields[table, below + member.strip().lstrip(".")] = _value(value, line)
    return _with(state, fields=fields)


def _value(text: str, line: int) -> Value:
    text = text.strip()
    while match := re.fullmatch(r"xnn_init_hmp_\w+\((.*)\)", text):
        text = match[1].strip()
    cast = re.match(r"\((\w+)\)\s*", text)
    text = text[cast.end() :] if cast else text
    text = {"NULL": "0"}.get(text, text)
    return Value(text, cast[1] if cast else "", line)


def _split(text: str) -> list[str]:
    """The parts between the commas outside of brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _with(
    state: _State,
    *,
    fields: Mapping[tuple[str, str], Value] | None = None,
    little: Mapping[tuple[str, str], Value] | None = None,
    chosen: Mapping[str, str | bool] | None = None,
    names: Mapping[str, str] | None = None,
    flow: str | None = None,
) -> _State:
    return _State(
        state.fields if fields is None else fields,
        state.little if little is None else little,
        state.chosen if chosen is None else chosen,
        state.names if names is None else names,
        state.flow if flow is None else flow,
    )
