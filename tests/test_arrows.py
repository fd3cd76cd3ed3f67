"""The arrows of the architecture: an import goes only to a smaller number, or stays within its folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import agnesi

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "agnesi"
if not SOURCE.is_dir():
    SOURCE = Path(agnesi.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
LINES = 500
# What is imported where it is needed: optional packages, and those that are slow to load.
OPTIONAL = {"scipy", "sklearn", "threadpoolctl", "matplotlib", "cupy", "ziglang", "importlib", "multiprocessing", "PIL"}


def table() -> dict[str, int]:
    """The level of each module or folder, from the table in ARCHITECTURE.md: | level | modules |."""
    levels: dict[str, int] = {}
    for row in re.findall(r"^\|\s*(\d+)\s*\|(.*?)\|", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.M):
        for name in re.findall(r"[\w/.]+", row[1]):
            levels[name.strip("/").removesuffix(".py").replace("/", ".")] = int(row[0])
    return levels


LEVELS = table()
PUBLIC = {"__init__", "tensor", "op", "__main__"}  # the public names, and the way to the command line


def module_name(path: Path) -> str:
    """The dotted name of a file within the package."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def place(name: str) -> tuple[str, int] | None:
    """The unit that a module belongs to and its level; None for the public names."""
    if name.split(".")[0] in PUBLIC:
        return None
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        unit = ".".join(parts[:count])
        if unit in LEVELS:
            return unit, LEVELS[unit]
    raise AssertionError(f"{name} has no level in ARCHITECTURE.md")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(path: Path) -> list[tuple[ast.stmt, list[str], bool]]:
    """Imports of a file: statement, dotted names, whether inside a function; those for type checkers left out."""
    found = []
    work: list[tuple[ast.AST, bool]] = [(ast.parse(path.read_text(encoding="utf-8")), False)]
    while work:
        node, inside = work.pop()
        if is_type_checking(node):
            continue
        if isinstance(node, ast.Import):
            found.append((node, [a.name for a in node.names], inside))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append((node, [f"{node.module}.{a.name}" for a in node.names], inside))
        inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        work.extend((child, inside) for child in ast.iter_child_nodes(node))
    return found


def ours(name: str) -> str | None:
    """The module within the package that an imported name means."""
    if name != "agnesi" and not name.startswith("agnesi."):
        return None
    parts = name.split(".")[1:]
    for count in range(len(parts), 0, -1):
        path = SOURCE.joinpath(*parts[:count])
        if path.with_suffix(".py").exists() or (path / "__init__.py").exists():
            return ".".join(parts[:count])
    if parts and parts[0] == "_runtime":
        return "_runtime"  # the C extension
    return "__init__"


def relative(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def test_the_table_is_there():
    assert len(set(LEVELS.values())) > 8, "ARCHITECTURE.md has no table of levels"
    known = {module_name(p) for p in FILES}
    for name in LEVELS:
        assert name == "_runtime" or any(m == name or m.startswith(name + ".") for m in known), (
            f"{name} stands in the table but does not exist"
        )


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_arrows(path):
    mine = place(module_name(path))
    for statement, names, _ in imports(path):
        for target in filter(None, map(ours, names)):
            if mine is None:
                continue
            where = f"{relative(path)}:{statement.lineno} imports {target}"
            other = place(target)
            if other is None:
                assert mine[1] > LEVELS["function"], f"{where}: the public names are for users"
                continue
            assert other[1] < mine[1] or other[0] == mine[0], f"{where}: level {mine[1]} to {other[1]}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_stand_at_the_top(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    for statement, names, inside in imports(path):
        if inside:
            allowed = all(n.split(".")[0] in OPTIONAL for n in names)
            said = any("#" in lines[k] for k in range(max(0, statement.lineno - 3), statement.lineno))
            assert allowed or said, f"{relative(path)}:{statement.lineno}: {names} inside a function, without a reason"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_files_are_short_and_say_what_they_are(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "no docstring"


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.py")), ids=lambda p: p.name)
def test_test_files_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES


WORDS = ["todo", "fixme", "xxx", "/home", "/tmp", "/work"]


@pytest.mark.parametrize("path", [p for p in SOURCE.rglob("*") if p.suffix in (".py", ".c", ".h")], ids=relative)
def test_the_package_speaks_of_itself(path):
    text = path.read_text(encoding="utf-8").lower()
    assert not [w for w in WORDS if re.search(rf"(?<!\w){re.escape(w)}(?!\w)", text)]
