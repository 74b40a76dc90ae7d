"""A review of a configuration as the commands print it."""

from rich.console import Console
from rich.text import Text

from shared.wire_review import ConfigReview

DIFF_STYLES = {"+": "green", "-": "red", "@": "dim"}
PREVIEWED = 6  # changes of bounds that are printed of each pool


def show_review(review: ConfigReview, console: Console) -> None:
    """Print the diff, the lints, what it terminates and what its schedules will do."""
    for line in review.diff.splitlines():
        console.print(Text(line, DIFF_STYLES.get(line[:1], "")), soft_wrap=True)
    for each in review.warnings:
        where = f"{each.path}: " if each.path else ""
        told = f"line {each.line}, column {each.column}: {where}{each.message}"
        console.print(Text.assemble(("warning: ", "yellow"), told), soft_wrap=True)
    for preview in review.previews:
        if preview.as_now:
            continue
        shown = preview.changes[:PREVIEWED]
        edges = "; ".join(
            f"{change.local:%a %d %b %H:%M} {change.floor}–{change.ceiling}" for change in shown
        )
        more = len(preview.changes) - len(shown)
        rest = f"; and {more} more: see `poolkeeper schedule preview`" if more else ""
        console.print(Text(f"{preview.pool}, bounds ({preview.timezone}): {edges}{rest}"))
    if review.retires:
        console.print(Text(f"No longer managed: {', '.join(review.retires)}.", "yellow"))
    if review.terminates:
        console.print(Text(terminates(review), "bold yellow"))
    if review.refusal:
        console.print(Text(review.refusal, "bold yellow"))


def terminates(review: ConfigReview) -> str:
    """What it terminates, as in: This terminates 9 of 12 instances in web now."""
    told = ", ".join(
        f"{loss.terminates} of {loss.of} instances in {loss.pool}" for loss in review.terminates
    )
    return f"This terminates {told} now."


def lost(review: ConfigReview) -> int:
    """How many instances it terminates in all."""
    return sum(loss.terminates for loss in review.terminates)


def why_refused(review: ConfigReview, allow_shrink: int, *, take_over: bool) -> str | None:
    """Why a push would be refused; None when it would not be."""
    if review.refusal and not take_over:
        return review.refusal
    if lost(review) > allow_shrink:
        return f"{terminates(review)} Add --allow-shrink {lost(review)} if that is meant."
    return None
