"""Reference pages of the operations, one each, written from the table: `python -m agnesi.tools.pages docs/ops`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from agnesi import pipeline
from agnesi.errors import AgnesiError, TypeMismatch
from agnesi.ir.dtype import DTYPES
from agnesi.ir.node import INPUT, Node, Tag, make
from agnesi.ir.op import OPS, Op
from agnesi.ir.show import pprint
from agnesi.ir.type import Type
from agnesi.rewrite.pattern import Pattern, Rule
from agnesi.rewrite.products import ACCUMULATE, LOOPS
from agnesi.rewrite.stable import RECOGNIZE

INTERNAL = ("leaf",)


def pages() -> dict[str, str]:
    """The text of every page by file name, an index among them."""
    ops = sorted((op for op in OPS.values() if op.kind not in INTERNAL), key=lambda op: op.name)
    found = {f"{op.name}.md": page(op) for op in ops}
    rows = [f"| [{op.name}]({op.name}.md) | {op.kind} | {op.doc} |" for op in ops]
    head = ["# Operations", "", "| name | kind | what it is |", "| --- | --- | --- |"]
    found["README.md"] = "\n".join([*head, *rows]) + "\n"
    return found


def page(op: Op) -> str:
    """The page of one operation."""
    lines = [f"# {op.name}", "", op.doc, "", f"- kind: {op.kind}"]
    if op.kind == "elementwise" and op.signature is not None:
        lines += [f"- cost: {op.cost} additions"]
        lines += ["", "## Types", "", "| operands | result |", "| --- | --- |", *signatures(op)]
        lines += ["", "## Derivatives", "", derivatives(op)]
        lines += ["", "## C text", "", "```c", *c_texts(op), "```"]
    elif op.combine:
        lines += [f"- joins elements by: {op.combine}"]
    lines += [f"- derivatives: {derivative_kinds(op)}"] if op.kind != "elementwise" else []
    used = [f"- `{rule.name}` ({rule.kind}): `{rule.left!r}`" for rule in rules_of(op)]
    lines += ["", "## Rules", "", *used] if used else []
    return "\n".join(lines) + "\n"


def signatures(op: Op) -> list[str]:
    """Rows of operand and result dtypes, for operands of one dtype."""
    rows = []
    for dtype in DTYPES:
        try:
            assert op.signature is not None
            operands, result = op.signature(*[dtype] * op.arity)
        except TypeMismatch:
            continue
        rows.append(f"| {', '.join(operands)} | {result} |")
    return list(dict.fromkeys(rows))


def stand_ins(op: Op) -> list[Node]:
    """float64 scalars named a, b, c."""
    return [make(INPUT, (), (("tag", Tag("abcde"[k])),), Type("float64")) for k in range(op.arity)]


def derivatives(op: Op) -> str:
    """The partial derivatives as formulas."""
    if op.d is None:
        return "None." if op.name != "where" else "The engine sends a cotangent to the branch that was taken."
    args = stand_ins(op)
    try:
        y = op(*args)
        partials = op.d(*args, y)
    except AgnesiError:
        return "None."
    shown = [f"- by {'abc'[k]}: `{formula(p)}`" for k, p in enumerate(partials)]
    return "\n".join(shown)


def formula(partial: Any) -> str:
    """A partial derivative as text."""
    return pprint([partial]).replace("\n", "; ") if isinstance(partial, Node) else str(partial).lower()


def c_texts(op: Op) -> list[str]:
    """The C text, by family of dtypes where it differs."""
    if isinstance(op.c, str):
        return [op.c]
    return [f"{family or 'otherwise'}: {text}" for family, text in op.c.items()]


def derivative_kinds(op: Op) -> str:
    """Which modes an op of another kind has a rule for."""
    modes = [name for name, rule in (("reverse", op.vjp), ("forward", op.jvp)) if rule is not None]
    if op.expand is not None and len(modes) < 2:
        modes.append("those of what it stands for")
    return ", ".join(modes) or "none"


def rules_of(op: Op) -> list[Rule]:
    """The rules whose left side is about the op, apart from those that every op has."""
    table = [r for group in (*pipeline.EARLY, RECOGNIZE, ACCUMULATE, LOOPS) for r in group]
    return [r for r in table if isinstance(r.left, Pattern) and r.left.op is op and not r.name.endswith(f"_{op.name}")]


def main(folder: str) -> None:
    """Writes the pages, and removes those of operations that are no more."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    found = pages()
    for path in target.glob("*.md"):
        if path.name not in found:
            path.unlink()
    for name, text in found.items():
        (target / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
