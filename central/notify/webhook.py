"""A digest as a signed JSON POST."""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from central.notify.model import ChannelError, Digest

SIGNATURE = "X-Poolkeeper-Signature"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts to one address that the operator of central gave; redirects are not followed.

    The signature is `t=UNIX,v1=HEX`: HMAC-SHA256 by the secret over the time, a dot, and the body.
    """

    url: str
    secret: str = field(repr=False)
    http: httpx.Client
    clock: Callable[[], float]
    name: str = "webhook"

    def send(self, digest: Digest) -> None:
        """Post it; any status but 2xx is a failure."""
        body = json.dumps(digest.as_json(), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "poolkeeper-central",
            "X-Poolkeeper-Delivery": digest.id,
            SIGNATURE: signature(self.secret, int(self.clock()), body),
        }
        post(self.http, self.url, body, headers)


def signature(secret: str, at: int, body: bytes) -> str:
    """The header that proves who sent a body, and when (seconds since 1970)."""
    signed = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def post(http: httpx.Client, url: str, body: bytes, headers: dict[str, str]) -> None:
    """Send a body.

    Raises:
        ChannelError: it was not accepted. The answer's text is not repeated: whoever may read logs
            should not learn by them what stands behind an address inside the network.
    """
    try:
        with http.stream("POST", url, content=body, headers=headers, follow_redirects=False) as got:
            status = got.status_code
    except httpx.HTTPError as error:
        raise ChannelError(f"no answer ({type(error).__name__})") from error
    if not 200 <= status < 300:
        raise ChannelError(f"the answer was status {status}")
