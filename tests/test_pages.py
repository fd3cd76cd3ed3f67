"""The reference pages in docs/ops are those that the table gives."""

from pathlib import Path

from agnesi.tools.pages import pages

DOCS = Path(__file__).parent.parent / "docs" / "ops"


def test_pages_are_up_to_date():
    found = {path.name: path.read_text() for path in DOCS.glob("*.md")}
    wanted = pages()
    stale = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    assert not stale, f"run `make pages`: {', '.join(stale)}"
