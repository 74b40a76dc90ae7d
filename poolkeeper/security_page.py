"""docs/security.md: written by hand, but for the table of routes and roles between two marks."""

from pathlib import Path

from central import permissions

START, END = "<!-- roles: written by `make docs` -->\n", "<!-- roles: end -->\n"


def render() -> str:
    """The page with today's table."""
    path = Path(__file__).resolve().parent.parent / "docs" / "security.md"
    before, _, rest = path.read_text("utf-8").partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{permissions.render()}\n{END}{after}"
