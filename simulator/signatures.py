"""Verify the HTTP signature that every OCI request carries.

Scheme: draft-cavage-http-signatures-08 as Oracle's "Request Signatures" page
(API/Concepts/signingrequests.htm) narrows it: RSA-SHA256 over `date`, `(request-target)` and
`host`, with a body also over `content-length`, `content-type` and `x-content-sha256`. The client
side is `oci.signer.Signer` (SDK 2.189 signer.py).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from simulator.errors import missing, not_authenticated

MAX_SKEW = timedelta(minutes=5)
SIGNED = ("date", "(request-target)", "host")
_WITH_BODY = ("content-length", "content-type", "x-content-sha256")
_PART = re.compile(r'(\w+)="([^"]*)"')
FAILED = "The required information to complete authentication was not provided or was incorrect."


@dataclass(frozen=True, slots=True)
class Request:
    """What a signature covers. `headers` are lower-case; `target` is path and query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Principal:
    """A user of a tenancy whose public key was uploaded."""

    tenancy: str
    user: str
    fingerprint: str

    @property
    def key_id(self) -> str:
        """The keyId of a signature: tenancy/user/fingerprint."""
        return f"{self.tenancy}/{self.user}/{self.fingerprint}"


@dataclass
class KeyRing:
    """The registered public keys, and the session keys of tokens."""

    _keys: dict[str, tuple[Principal, rsa.RSAPublicKey]] = field(default_factory=dict)
    _sessions: dict[str, tuple[Principal, rsa.RSAPublicKey, datetime]] = field(default_factory=dict)

    def register(self, tenancy: str, user: str, public_key_pem: str) -> Principal:
        """Accept requests signed with the private half of this key.

        Raises:
            ValueError: the text is not an RSA public key in PEM form.
        """
        key = load_public_key(public_key_pem)
        principal = Principal(tenancy, user, fingerprint(key))
        self._keys[principal.key_id] = (principal, key)
        return principal

    def open_session(
        self, token: str, principal: Principal, key: rsa.RSAPublicKey, expires_at: datetime
    ) -> None:
        """Accept requests with the keyId `ST$token`, signed with this key, until it expires."""
        self._sessions[f"ST${token}"] = (principal, key, expires_at)

    @property
    def tenancies(self) -> frozenset[str]:
        """The tenancies that have a key."""
        return frozenset(principal.tenancy for principal, _ in self._keys.values())

    def verify(self, request: Request, wall: datetime) -> Principal:
        """Return who signed a request.

        Raises:
            ApiError: 401 NotAuthenticated, for every way in which a signature can be wrong.
        """
        parts = signature_parts(request)
        principal, key = self._find(parts.get("keyId", ""), wall)
        check_signature(request, parts, key, wall)
        return principal

    def _find(self, key_id: str, wall: datetime) -> tuple[Principal, rsa.RSAPublicKey]:
        if key_id in self._keys:
            return self._keys[key_id]
        session = self._sessions.get(key_id)
        if session is None or wall >= session[2]:
            raise not_authenticated(FAILED)
        return session[0], session[1]


def load_public_key(pem: str) -> rsa.RSAPublicKey:
    """Read an RSA public key; anything else raises ValueError."""
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("an OCI API key must be an RSA key")  # noqa: TRY004 - bad text, right type
    return key


def check_signature(
    request: Request,
    parts: dict[str, str],
    key: rsa.RSAPublicKey,
    wall: datetime,
    *,
    always: tuple[str, ...] = SIGNED,
) -> None:
    """Check date, coverage, signature and body digest; 401 when one of them is wrong.

    Args:
        request: what was sent.
        parts: its Authorization header, taken apart.
        key: the public half of the key that should have signed.
        wall: the wall time of now.
        always: the headers that the signature must cover with or without a body.
    """
    _check_date(request.headers.get("date", ""), wall)
    covered = parts.get("headers", "date").lower().split()
    has_body = request.method in ("POST", "PUT", "PATCH")
    needed = set(always + (_WITH_BODY if has_body else ()))
    if parts.get("algorithm", "").lower() != "rsa-sha256" or not needed <= set(covered):
        raise not_authenticated(FAILED)
    try:
        signature = base64.b64decode(parts.get("signature", ""), validate=True)
        key.verify(signature, _signed_text(request, covered), padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, InvalidSignature):
        raise not_authenticated(FAILED) from None
    if has_body:
        _check_body(request)


def fingerprint(key: rsa.RSAPublicKey) -> str:
    """Return the colon-separated MD5 of the DER form, as the OCI console shows it."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.md5(der, usedforsecurity=False).digest().hex(":")


def signature_parts(request: Request) -> dict[str, str]:
    """Take the Authorization header apart: keyId, algorithm, headers, signature."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "signature":
        raise not_authenticated(FAILED)
    return dict(_PART.findall(rest))


def _check_date(text: str, wall: datetime) -> None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        raise not_authenticated(FAILED) from None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    if abs(aware - wall) > MAX_SKEW:
        low, high = (format_datetime(wall + d, usegmt=True) for d in (-MAX_SKEW, MAX_SKEW))
        raise not_authenticated(
            f"Date '{text}' is not within allowed clock skew. Current valid date range: "
            f"['{low}', '{high}']"
        )


def _signed_text(request: Request, covered: list[str]) -> bytes:
    lines = []
    for name in covered:
        if name == "(request-target)":
            lines.append(f"{name}: {request.method.lower()} {request.target}")
        elif name in request.headers:
            lines.append(f"{name}: {request.headers[name]}")
        else:
            raise not_authenticated(FAILED)
    return "\n".join(lines).encode()


def _check_body(request: Request) -> None:
    digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    if request.headers["x-content-sha256"] != digest:
        raise not_authenticated("The x-content-sha256 header does not match the body.")
    if request.headers["content-length"] != str(len(request.body)):
        raise missing("content-length")
