"""Whether a token is what it says: signature, issuer, audience, time, nonce."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from central.oidc.model import OidcRefusedError
from central.oidc.provider import Provider

ALGORITHMS = ("RS256", "ES256")
LEEWAY_SECONDS = 60
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LONGEST_TOKEN = 64 * 1024
Claims = dict[str, Any]


class TokenChecker:
    """Checks what one issuer signs for one client. `wall`: seconds since 1970, UTC."""

    def __init__(self, provider: Provider, client_id: str, wall: Callable[[], float]) -> None:
        self._provider = provider
        self._client_id = client_id
        self._wall = wall

    def id_token(self, text: str, nonce: str, access_token: str | None) -> Claims:
        """The claims of an ID token that was made for this very login.

        Raises:
            OidcRefusedError: naming what is wrong.
        """
        token = self._signed(text)
        checks = {"nonce": nonce, "client_id": self._client_id, "access_token": access_token}
        claims = CodeIDToken(token.claims, token.header, self._options(), checks)
        try:
            claims.validate(now=int(self._wall()), leeway=LEEWAY_SECONDS)
        except JoseError as error:
            raise OidcRefusedError(f"the ID token is refused: {_why(error)}") from error
        self._check_audience(claims, "the ID token")
        return dict(claims)

    def access_token(self, text: str, subject: str) -> Claims:
        """The claims of an access token that was made for this client and this user.

        Raises:
            OidcRefusedError: naming what is wrong, and the mapper that is missing.
        """
        claims = self._plain(self._signed(text), "the access token", {"sub": {"value": subject}})
        if claims.get("azp") != self._client_id:
            raise OidcRefusedError("the access token was made for another client (azp)")
        if self._client_id not in _list(claims.get("aud")):
            raise OidcRefusedError(
                "the access token is not meant for us (aud): add an Audience mapper for the client "
                f"{self._client_id!r} in Keycloak"
            )
        return claims

    def logout_token(self, text: str) -> Claims:
        """The claims of a back-channel logout token: who, or which session, has logged out.

        Raises:
            OidcRefusedError: naming what is wrong.
        """
        token = self._signed(text)
        options = {**self._options(), "exp": {"essential": False}, "sub": {"essential": False}}
        claims = self._plain(token, "the logout token", options)
        self._check_audience(claims, "the logout token")
        events = claims.get("events")
        if not isinstance(events, dict) or LOGOUT_EVENT not in events or "nonce" in claims:
            raise OidcRefusedError("the token is no logout token")
        if not isinstance(claims.get("sid") or claims.get("sub"), str):
            raise OidcRefusedError("the logout token names neither a session nor a user")
        if claims["iat"] < self._wall() - 600:
            raise OidcRefusedError("the logout token is old")
        return claims

    def _signed(self, text: str) -> jwt.Token:
        header = _header(text)
        if header.get("alg") not in ALGORITHMS:  # before any key is looked at: none, HS256 …
            raise OidcRefusedError(f"the signature's algorithm {header.get('alg')!r} is refused")
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise OidcRefusedError("the token does not name its key (kid)")
        try:
            return jwt.decode(text, self._provider.key(kid), algorithms=list(ALGORITHMS))
        except (JoseError, ValueError) as error:
            raise OidcRefusedError(f"the signature is not right ({_why(error)})") from error

    def _plain(self, token: jwt.Token, what: str, options: Mapping[str, Any]) -> Claims:
        registry = JWTClaimsRegistry(
            int(self._wall()), LEEWAY_SECONDS, **{**self._options(), **options}
        )
        try:
            registry.validate(token.claims)
        except JoseError as error:
            raise OidcRefusedError(f"{what} is refused: {_why(error)}") from error
        return token.claims

    def _options(self) -> dict[str, Any]:
        return {
            "iss": {"essential": True, "value": self._provider.issuer},
            "sub": {"essential": True},
            "exp": {"essential": True},
            "iat": {"essential": True},
        }

    def _check_audience(self, claims: Mapping[str, Any], what: str) -> None:
        audience = _list(claims.get("aud"))
        if self._client_id not in audience:
            raise OidcRefusedError(f"{what} is not meant for us (aud)")
        if len(audience) > 1 and claims.get("azp") != self._client_id:
            raise OidcRefusedError(f"{what} has several audiences and was made for another (azp)")


def is_jwt(text: object) -> bool:
    """Whether a text has the three parts of a signed token."""
    return isinstance(text, str) and text.count(".") == 2


def _header(text: str) -> Claims:
    first = text.partition(".")[0]
    if not is_jwt(text) or len(text) > LONGEST_TOKEN:
        raise OidcRefusedError("the token is no signed token")
    try:
        found = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (binascii.Error, ValueError) as error:
        raise OidcRefusedError("the token's header cannot be read") from error
    if not isinstance(found, dict):
        raise OidcRefusedError("the token's header cannot be read")
    return found


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _why(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
