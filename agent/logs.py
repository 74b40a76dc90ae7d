"""Log lines for journald: a priority, a sentence, and the facts behind it as key=value.

One line for every decision that changes something; what repeats every tick is for --verbose.
"""

import json
import logging
from typing import TextIO

_PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
_NOISY = ("httpx", "httpcore", "apscheduler", "oci", "urllib3")
FACTS = "facts"


def facts(**known: object) -> dict[str, object]:
    """Return what `extra=` of a log call takes: facts that follow the sentence as key=value."""
    return {FACTS: known}


class Lines(logging.Formatter):
    """One line for each record; journald reads the priority in angle brackets (sd-daemon(3)).

    Args:
        for_journal: begin lines with a priority instead of the level's name.
    """

    def __init__(self, *, for_journal: bool) -> None:
        super().__init__()
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text; lines of a traceback are prefixed like their first."""
        head = f"<{_PRIORITIES.get(record.levelno, 6)}>" if self._for_journal else ""
        level = "" if self._for_journal else f"{record.levelname} "
        text = f"{level}{record.name}: {record.getMessage()}"
        known = getattr(record, FACTS, None)
        if isinstance(known, dict):
            text += "".join(f" {key}={_value(value)}" for key, value in known.items())
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return "\n".join(head + line for line in text.splitlines())


def set_up(stream: TextIO, *, verbose: bool, for_journal: bool) -> None:
    """Send the log to a stream; call once, from the composition root."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines(for_journal=for_journal))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.ERROR)


def _value(value: object) -> str:
    text = str(value)
    plain = text and not any(mark in text for mark in ' "=\n')
    return text if plain else json.dumps(text, ensure_ascii=False)
