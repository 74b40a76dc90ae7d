"""What a plain (unquoted) word of the file means: the core schema of YAML 1.2, made stricter.

`08:00`, `off` and `2026-12-25` are text. So are `0x1F`, `0o17` and `017`, whose value depends on
the reader; where a number is needed they are refused instead of guessed.
"""

import math
import re

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_OTHER_NUMBERS = re.compile(r"[-+]?0[xob][0-9a-fA-F]+|[-+]?0[0-9]+|[-+]?[0-9][0-9_,]*")
_FIRST_OF_NUMBER = frozenset("+-.0123456789")
_MAX_DIGITS = 18  # far above every legal value, and fits 64 bits

Scalar = str | int | float | bool | None


def resolve(word: str) -> Scalar:
    """Give a plain word its value.

    Raises:
        ValueError: a number that is not finite or has too many digits, as a sentence.
    """
    if word in _NULLS:
        return None
    if word in _BOOLEANS:
        return _BOOLEANS[word]
    if word[0] not in _FIRST_OF_NUMBER:
        return word
    if _INTEGER.fullmatch(word):
        if len(word) > _MAX_DIGITS:
            raise ValueError("the number is too large")
        return int(word)
    if _FLOAT.fullmatch(word):
        number = float(word)
        if not math.isfinite(number):
            raise ValueError("the number is too large")
        return number
    if _NOT_FINITE.fullmatch(word):
        raise ValueError("must be a finite number")
    return word


def looks_like_a_number(text: str) -> bool:
    """Whether text was probably meant as a number: hex, octal, leading zeros, 1_000, "5"."""
    return _OTHER_NUMBERS.fullmatch(text[:40]) is not None
