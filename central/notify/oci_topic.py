"""A digest published to a topic of OCI Notifications.

One signed request needs no SDK: PublishMessage (API version 20181201), signed as Oracle's "Request
Signatures" page says, RSA-SHA256 over `date`, `(request-target)`, `host` and the body's headers.
"""

import base64
import configparser
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from central.errors import StartError
from central.notify.model import Digest
from central.notify.webhook import post

LONGEST_BODY = 60_000  # bytes; OCI takes 64 KB


@dataclass(frozen=True, slots=True)
class Profile:
    """Who signs: a profile of OCI's configuration file."""

    key_id: str
    region: str
    key: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def load(cls, path: Path, name: str) -> "Profile":
        """Read a profile with an API key.

        Raises:
            StartError: the file or the key cannot be used.
        """
        reader = configparser.ConfigParser(interpolation=None)
        try:
            reader.read_string(path.read_text(encoding="utf-8"))
            section = reader[name]
            phrase = section.get("pass_phrase")
            key = serialization.load_pem_private_key(
                Path(section["key_file"]).expanduser().read_bytes(),
                None if phrase is None else phrase.encode(),
            )
            names = (section["tenancy"], section["user"], section["fingerprint"])
            region = section["region"]
        except (OSError, KeyError, ValueError, TypeError, configparser.Error) as error:
            raise StartError(
                f"OCI Notifications: the profile {name} of {path} cannot be used "
                f"({type(error).__name__}): it needs tenancy, user, fingerprint, region, key_file."
            ) from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise StartError(f"OCI Notifications: the key of {name} in {path} is no RSA key.")
        return cls("/".join(names), region, key)


@dataclass(frozen=True, slots=True)
class OciTopic:
    """Publishes to one topic, from which OCI sends on (mail, SMS, PagerDuty, functions …)."""

    topic: str
    profile: Profile
    endpoint: str
    http: httpx.Client
    clock: Callable[[], float]
    name: str = "oci_topic"

    def send(self, digest: Digest) -> None:
        """Publish it."""
        text = "\n".join([*digest.lines, "", f"-- {digest.source}"])
        clipped = text.encode()[:LONGEST_BODY].decode(errors="ignore")
        body = json.dumps({"title": digest.subject, "body": clipped}).encode()
        path = f"/20181201/topics/{quote(self.topic, safe='')}/messages"
        headers = self._signed(path, body)
        post(self.http, self.endpoint + path, body, headers)

    def _signed(self, path: str, body: bytes) -> dict[str, str]:
        values = {
            "date": formatdate(self.clock(), usegmt=True),
            "(request-target)": f"post {path}",
            "host": urlsplit(self.endpoint).netloc,
            "content-length": str(len(body)),
            "content-type": "application/json",
            "x-content-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
        }
        text = "\n".join(f"{name}: {value}" for name, value in values.items())
        signed = self.profile.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        del values["(request-target)"]
        authorization = (
            f'Signature version="1",keyId="{self.profile.key_id}",algorithm="rsa-sha256",'
            'headers="date (request-target) host content-length content-type x-content-sha256",'
            f'signature="{base64.b64encode(signed).decode()}"'
        )
        return {**values, "authorization": authorization}
