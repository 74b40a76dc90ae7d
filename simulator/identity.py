"""Instance principals: the metadata service of one instance, and tokens for its certificate.

An agent on an OCI instance reads a certificate from the metadata service (IMDS v2) and trades it
for a token that names its session key. Flow: SDK 2.189
auth/signers/instance_principals_security_token_signer.py, auth/federation_client.py; Oracle,
"Calling Services from an Instance".
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from simulator.calls import Call
from simulator.errors import not_authenticated, unreadable
from simulator.names import ocid
from simulator.replies import Reply
from simulator.signatures import (
    FAILED,
    Principal,
    Request,
    check_signature,
    load_public_key,
    signature_parts,
)

_FEDERATION_SIGNED = ("date", "(request-target)")  # the SDK's request leaves the host out


@dataclass(frozen=True)
class Instance:
    """The one instance that this machine plays, with its certificate."""

    principal: Principal
    region: str
    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    token_life: timedelta = timedelta(minutes=20)

    @property
    def certificate_pem(self) -> str:
        """The certificate as the metadata service gives it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The certificate's private key."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()


def create_instance(tenancy: str, region: str, wall: datetime) -> Instance:
    """Make an instance with a certificate of its own, good for a day of wall time."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    identifier = ocid("instance", region, tenancy, "self")
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, identifier[:64]),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "opc-certtype:instance"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"opc-tenant:{tenancy}", _validate=False),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulator")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wall - timedelta(minutes=5))
        .not_valid_after(wall + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return Instance(Principal(tenancy, identifier, ""), region, key, certificate)


def verify_certificate(instance: Instance, request: Request, wall: datetime) -> Principal:
    """Return the instance if it signed the request with its certificate's key, else 401."""
    parts = signature_parts(request)
    digest = instance.certificate.fingerprint(hashes.SHA1()).hex(":").upper()  # noqa: S303 - a name
    if parts.get("keyId") != f"{instance.principal.tenancy}/fed-x509/{digest}":
        raise not_authenticated(FAILED)
    key = instance.key.public_key()
    check_signature(request, parts, key, wall, always=_FEDERATION_SIGNED)
    return instance.principal


def issue_token(instance: Instance, call: Call) -> Reply:
    """Trade the certificate for a token of the session key in the body."""
    details = call.json()
    public = details.get("publicKey")
    if not isinstance(public, str):
        raise unreadable("publicKey is required.")
    try:
        key = load_public_key(f"-----BEGIN PUBLIC KEY-----\n{public}\n-----END PUBLIC KEY-----\n")
    except ValueError:
        raise unreadable("publicKey is not an RSA public key.") from None
    expires_at = call.wall + instance.token_life
    token = _token(instance, call.wall, expires_at)
    call.world.keys.open_session(token, instance.principal, key, expires_at)
    return Reply({"token": token})


def _token(instance: Instance, issued_at: datetime, expires_at: datetime) -> str:
    """Return a JSON Web Token (RS256); clients read `iat` and `exp` from it."""
    claims = {
        "sub": instance.principal.user,
        "tenant": instance.principal.tenancy,
        "ttype": "x509",
        "iat": int(issued_at.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    text = ".".join(
        _base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims)
    )
    signature = instance.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{_base64url(signature)}"


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
