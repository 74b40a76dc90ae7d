"""The configuration hash: how an agent and central know that they mean the same file."""

import hashlib


def config_hash(text: str | bytes) -> str:
    """SHA-256 over the exact UTF-8 bytes, as 64 lower-case hex digits.

    Not normalised: a changed comment is a changed configuration.

    Raises:
        UnicodeEncodeError: the text holds a lone surrogate, which UTF-8 cannot carry.
    """
    raw = text.encode("utf-8") if isinstance(text, str) else text
    return hashlib.sha256(raw).hexdigest()
