"""Generated parts of docs/benchmarks.md, between markers that stay where they are."""

from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def replace_part(name: str, text: str) -> None:
    """Put `text` between the page's markers of that name. Raises ValueError without markers."""
    begin, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
    page = PAGE.read_text("utf-8")
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{PAGE} has no part between {begin} and {end}")
    PAGE.write_text(f"{head}{begin}\n{text}{end}{tail}", "utf-8")


def row(*cells: object) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"
