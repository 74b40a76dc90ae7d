"""What `poolkeeper agent check` found out, and how it is shown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was proven, or not; `cure` says what would mend it."""

    what: str
    is_good: bool
    text: str
    cure: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return asdict(self)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a line for each finding, and the cure below what is missing."""
    console = Console()
    for finding in findings:
        mark = Text("ok  ", "green") if finding.is_good else Text("FAIL", "red")
        console.print(Text.assemble(mark, f" {finding.what}: {finding.text}"), soft_wrap=True)
        if finding.cure and not finding.is_good:
            console.print(f"     {finding.cure}", soft_wrap=True, highlight=False)
