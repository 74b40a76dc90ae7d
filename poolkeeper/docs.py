"""`python -m poolkeeper.docs`: write the generated pages below docs/ anew."""

from collections.abc import Callable, Mapping
from pathlib import Path

from poolkeeper import security_page
from shared.config import json_schema
from shared.config import reference as configuration
from shared.engine import reference as reasons

PAGES: Mapping[str, Callable[[], str]] = {
    "configuration.md": configuration.render,
    "config.schema.json": json_schema.render,
    "reasons.md": reasons.render,
    "security.md": security_page.render,
}


def main() -> None:
    """Write every page; the tests compare what is committed with what this writes."""
    directory = Path(__file__).resolve().parent.parent / "docs"
    for name, render in PAGES.items():
        (directory / name).write_text(render(), "utf-8")


if __name__ == "__main__":
    main()
