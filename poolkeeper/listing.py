"""Tables for people. What others wrote is text there: neither markup nor a terminal's command."""

from rich.console import Console
from rich.table import Table
from rich.text import Text


def plain(text: str) -> str:
    """A text with everything that a terminal would obey, or that turns its direction, spelt out."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


class Listing:
    """Rows under heads, without lines between them; colours only where a terminal wants them."""

    def __init__(self, *heads: str) -> None:
        self.table = Table(*heads, box=None)

    def row(self, *cells: str, style: str = "") -> None:
        """Add a row."""
        self.table.add_row(*(Text(plain(cell)) for cell in cells), style=style)

    def show(self) -> None:
        """Print it."""
        Console().print(self.table)
