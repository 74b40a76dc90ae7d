"""What the issuer publishes: its addresses and its keys, cached, and kept while it is down."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from central.oidc.model import OidcRefusedError, ProviderDownError, is_confidential

DISCOVERY = "/.well-known/openid-configuration"
METADATA_SECONDS = 3600.0
REFETCH_SECONDS = 60.0  # an unknown kid asks again at most this often
LARGEST_ANSWER = 1024 * 1024
SigningKey = RSAKey | ECKey


@dataclass(frozen=True, slots=True)
class Metadata:
    """The issuer's addresses. `sends_issuer`: its answers name it (RFC 9207)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    sends_issuer: bool


class Provider:
    """One issuer, asked over `http`."""

    def __init__(self, issuer: str, http: httpx.Client, monotonic: Callable[[], float]) -> None:
        self.issuer = issuer
        self._http = http
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._metadata: Metadata | None = None
        self._metadata_at = 0.0
        self._keys: dict[str, SigningKey] = {}
        self._keys_asked: float | None = None

    def metadata(self) -> Metadata:
        """The issuer's addresses, at most an hour old unless it does not answer.

        Raises:
            ProviderDownError: never seen, and not reachable now.
            OidcRefusedError: it says that it is somebody else, or names unsafe addresses.
        """
        with self._lock:
            known, now = self._metadata, self._monotonic()
            if known is not None and now - self._metadata_at < METADATA_SECONDS:
                return known
        try:
            fresh = self._read_metadata(self._get(self.issuer.rstrip("/") + DISCOVERY))
        except ProviderDownError:
            if known is None:
                raise
            return known
        with self._lock:
            self._metadata, self._metadata_at = fresh, now
        return fresh

    def key(self, kid: str) -> SigningKey:
        """The signing key of an id; an unknown id asks the issuer anew, at most once a minute.

        Raises:
            OidcRefusedError: the issuer has no such key, or it cannot be asked now.
        """
        with self._lock:
            known, now = self._keys.get(kid), self._monotonic()
            may_ask = self._keys_asked is None or now - self._keys_asked >= REFETCH_SECONDS
            if known is None and may_ask:
                self._keys_asked = now
        if known is not None:
            return known
        if may_ask:
            fresh = _signing_keys(self._get(self.metadata().jwks_uri))
            with self._lock:
                self._keys = fresh or self._keys
                known = self._keys.get(kid)
        if known is None:
            raise OidcRefusedError(f"the token is signed with a key {kid[:80]!r} that is not known")
        return known

    def _read_metadata(self, found: Mapping[str, Any]) -> Metadata:
        if found.get("issuer") != self.issuer:
            raise OidcRefusedError(
                f"the issuer calls itself {found.get('issuer')!r}, not {self.issuer!r}: write "
                "POOLKEEPER_OIDC_ISSUER exactly so"
            )
        ending = found.get("end_session_endpoint")
        return Metadata(
            _address(found, "authorization_endpoint"),
            _address(found, "token_endpoint"),
            _address(found, "jwks_uri"),
            ending if isinstance(ending, str) and is_confidential(ending) else None,
            found.get("authorization_response_iss_parameter_supported") is True,
        )

    def _get(self, url: str) -> dict[str, Any]:
        try:
            response = self._http.get(url, headers={"Accept": "application/json"})
            response.raise_for_status()
            if len(response.content) > LARGEST_ANSWER:
                raise ProviderDownError(f"{url} answered with more than {LARGEST_ANSWER} bytes")
            found = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderDownError(f"{url} does not answer ({type(error).__name__})") from error
        if not isinstance(found, dict):
            raise ProviderDownError(f"{url} answered with something else than an object")
        return found


def _address(found: Mapping[str, Any], name: str) -> str:
    url = found.get(name)
    if not isinstance(url, str) or not is_confidential(url):
        raise OidcRefusedError(f"the issuer's {name} is missing or not https")
    return url


def _signing_keys(found: Mapping[str, Any]) -> dict[str, SigningKey]:
    """The RSA and EC keys for signatures; whatever else is published is left out."""
    keys: dict[str, SigningKey] = {}
    entries = found.get("keys")
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        try:
            (key,) = KeySet.import_key_set({"keys": [entry]}).keys
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # one key that we cannot read must not take the others away
        if isinstance(key, RSAKey | ECKey) and isinstance(entry.get("kid"), str):
            keys[entry["kid"]] = key
    return keys
