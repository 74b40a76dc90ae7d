"""From bytes to text that may be given to the YAML parser."""

import re

from shared.config.problems import ConfigError, Problem

MAX_BYTES = 1024 * 1024

# What YAML calls printable, without the breaks that editors do not count as lines (NEL, LS, PS)
# and without the marks that reverse the direction of text, which make a file read as another one.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u2030-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    "|[\u202a-\u202e\u2066-\u2069]"
)


def readable_text(source: str | bytes) -> str:
    """Check size, encoding and characters; return the text without a leading byte order mark.

    Raises:
        ConfigError: too large, not UTF-8, or an unprintable character, with its place.
    """
    if len(source) > MAX_BYTES:  # a text has at most as many characters as bytes
        raise _too_large()
    text = _decoded(source) if isinstance(source, bytes) else source
    text = text.removeprefix("\ufeff")
    found = _FORBIDDEN.search(text)
    if found is not None:
        code = f"U+{ord(found[0]):04X}"
        raise _refused(text, found.start(), f"the unprintable character {code} is not allowed")
    if isinstance(source, str) and len(source.encode("utf-8")) > MAX_BYTES:
        raise _too_large()
    return text


def _decoded(source: bytes) -> str:
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as error:
        before = source[: error.start].decode("utf-8")
        raise _refused(before, len(before), "the file is not UTF-8 from here on") from None


def _too_large() -> ConfigError:
    return ConfigError([Problem(1, 1, "", "the file is larger than 1 MiB")])


def _refused(text: str, offset: int, message: str) -> ConfigError:
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return ConfigError([Problem(line, column, "", message)])
