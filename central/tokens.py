"""Secrets that central hands out: node keys, enrolment tokens and operators' session tokens.

A node key reads `pk_node_<id>_<secret><checksum>`: the id tells whose it is, the checksum lets
scanners and central recognise a mistyped one without asking the database. Only SHA-256 hashes of
secrets are stored; they are long and random, so a slow hash would add cost and no strength.
"""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass

ALPHABET = string.digits + string.ascii_letters
SECRET_LENGTH = 43  # 62**43 > 2**256
CHECKSUM_LENGTH = 6  # 62**6 > 2**32
NODE_KEY = re.compile(rf"pk_node_(\d{{1,10}})_[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}")
SESSION_PREFIX = "pk_user_"
ENROLMENT_PREFIX = "pk_enroll_"
ENROLMENT_TOKEN = re.compile(rf"{ENROLMENT_PREFIX}[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}")


@dataclass(frozen=True, slots=True)
class Secret:
    """A fresh secret: `text` is shown once, `digest` is stored."""

    text: str
    digest: str


def new_node_key(node_id: int) -> Secret:
    """A key for a node."""
    body = f"pk_node_{node_id}_{_random(SECRET_LENGTH)}"
    return _secret(body + _checksum(body))


def new_session_token() -> Secret:
    """A bearer token for an operator's session."""
    body = SESSION_PREFIX + _random(SECRET_LENGTH)
    return _secret(body + _checksum(body))


def new_enrolment_token() -> Secret:
    """A token by which one machine becomes a node."""
    body = ENROLMENT_PREFIX + _random(SECRET_LENGTH)
    return _secret(body + _checksum(body))


def is_enrolment_token(text: str) -> bool:
    """Whether a text has the shape and the checksum of an enrolment token."""
    return ENROLMENT_TOKEN.fullmatch(text) is not None and _is_whole(text)


def is_node_key(text: str) -> bool:
    """Whether a text has the shape and the checksum of a node key."""
    return NODE_KEY.fullmatch(text) is not None and _is_whole(text)


def _is_whole(text: str) -> bool:
    return text[-CHECKSUM_LENGTH:] == _checksum(text[:-CHECKSUM_LENGTH])


def digest(text: str) -> str:
    """SHA-256 in hex: what is stored and looked up."""
    return hashlib.sha256(text.encode()).hexdigest()


def _secret(text: str) -> Secret:
    return Secret(text, digest(text))


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    value, digits = zlib.crc32(body.encode()), []
    for _ in range(CHECKSUM_LENGTH):
        value, digit = divmod(value, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
