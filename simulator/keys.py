"""API keys for the simulator: a key pair and the configuration file that the SDK reads."""

import configparser
import io
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.names import ocid
from simulator.signatures import fingerprint

TENANCY = ocid("tenancy", "", "simulator")
USER = ocid("user", "", "simulator")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Where a key pair and its configuration file were written."""

    tenancy: str
    user: str
    fingerprint: str
    config_file: Path
    private_key: Path
    public_key: Path


def generate(directory: Path, *, region: str, bits: int = 2048) -> ApiKey:
    """Write `key.pem`, `public.pem` and `config` (profile DEFAULT) into a directory.

    The private key and the configuration are readable by their owner only, as the SDK demands.

    Raises:
        FileExistsError: there is a key already; it is never overwritten.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    private, public = directory / "key.pem", directory / "public.pem"
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_new(private, pem + b"OCI_API_KEY\n")
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    print_of = fingerprint(key.public_key())
    config = configparser.ConfigParser(default_section="never")
    config["DEFAULT"] = {
        "tenancy": TENANCY,
        "user": USER,
        "fingerprint": print_of,
        "key_file": str(private.resolve()),
        "region": region,
    }
    config_file = directory / "config"
    text = io.StringIO()
    config.write(text)
    _write_new(config_file, text.getvalue().encode())
    return ApiKey(TENANCY, USER, print_of, config_file, private, public)


def _write_new(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
