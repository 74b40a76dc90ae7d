"""The reference page of all reason codes, written from the codes themselves."""

from shared.engine.reasons import Code

_SECTIONS = {
    Code.POOL_MISSING: ("Gate", "The pool is not resized in this tick, whatever is wanted."),
    Code.LIMITS: (
        "Bounds",
        "Floor and ceiling: local guard above limits above override above schedules.",
    ),
    Code.NO_DATA: ("Votes", "What one policy says."),
    Code.LARGEST_NEED: ("Combination", "Many votes become one need."),
    Code.ANTI_FLAP: ("Stages", "What stands between the need and the resize, in this order."),
    Code.SCALE_OUT: ("Result", "The last reason of a resize; a hold repeats its decisive one."),
}

_HEAD = """\
# Reason codes

Every decision says why, also when nothing happens. A reason is a stable code and a sentence: the
code never changes its meaning and may be stored, counted and alerted on; the sentence may get
better. The reasons of a decision stand in the order of its stages, and the last one is decisive.

This page is written by `shared.engine.reference.render()`; a test keeps it fresh.
"""


def render() -> str:
    """The page as Markdown: a table of codes and meanings for each stage."""
    lines = [_HEAD]
    for code in Code:
        if code in _SECTIONS:
            title, about = _SECTIONS[code]
            lines.append(f"\n## {title}\n\n{about}\n\n| code | meaning |\n|---|---|\n")
        lines.append(f"| `{code.value}` | {code.meaning} |\n")
    return "".join(lines)
