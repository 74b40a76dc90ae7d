"""Identifiers that look like Oracle's and are the same in every run."""

import base64
import hashlib

_REALM = "oc1"


def ocid(kind: str, region: str, *seed: object) -> str:
    """Return `ocid1.<kind>.oc1.<region>.<unique>`; the same seed gives the same one.

    Form: Oracle, "Resource Identifiers" (General/Concepts/identifiers.htm).
    """
    return f"ocid1.{kind}.{_REALM}.{region}.{unique(kind, region, *seed)}"


def unique(*seed: object) -> str:
    """Return 60 lower-case letters and digits that depend only on the seed."""
    digest = hashlib.shake_256("/".join(map(str, seed)).encode()).digest(37)
    return base64.b32encode(digest).decode().rstrip("=").lower()
