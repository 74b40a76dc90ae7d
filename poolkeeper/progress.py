"""Signs of life while something takes long; on a terminal's standard error only.

What is printed meanwhile goes above them if it goes to a terminal too, and untouched into a pipe.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.spinner import Spinner
from rich.text import Text

from poolkeeper.listing import plain


@contextmanager
def working(what: str) -> Iterator[None]:
    """Tell what is going on, until the block ends."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    spinner = Spinner("dots", text=Text(plain(what)))
    with Live(spinner, console=console, transient=True, redirect_stdout=sys.stdout.isatty()):
        yield


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that fills until the block ends; call what it gives with how many are done."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bar = Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar as progress:
        task = progress.add_task(plain(what), total=total)
        yield lambda done: progress.update(task, completed=done)
