"""The login itself: off to the issuer with a browser, back with a code, in with an identity."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client

from central.oidc.model import Identity, OidcRefusedError, OidcSettings, ProviderDownError
from central.oidc.provider import Provider
from central.oidc.roles import carries_roles
from central.oidc.tokens import TokenChecker, is_jwt


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser brought back from the issuer."""

    code: str | None
    issuer: str | None
    error: str | None = None


class Oidc:
    """Logging in at one issuer.

    The browser keeps one secret for a login (`secret`, in a cookie); the nonce and PKCE's verifier
    are derived from it, so that the database holds nothing worth stealing.
    """

    def __init__(
        self,
        settings: OidcSettings,
        http: httpx.Client,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.provider = Provider(settings.issuer, http, monotonic)
        self.tokens = TokenChecker(self.provider, settings.client_id, wall)
        self._http = http

    def begin(self, state: str, secret: str) -> str:
        """The address at the issuer to which the browser goes.

        Raises:
            OidcRefusedError: the issuer does not answer, or is not who it should be.
        """
        url, _ = self._client().create_authorization_url(
            self.provider.metadata().authorization_endpoint,
            state=state,
            code_verifier=derived(secret, "verifier"),
            nonce=derived(secret, "nonce"),
        )
        return str(url)

    def finish(self, answer: Answer, secret: str) -> Identity:
        """Whom the issuer vouches for.

        Raises:
            OidcRefusedError: naming the step that failed.
        """
        metadata = self.provider.metadata()
        if answer.issuer != self.settings.issuer and (metadata.sends_issuer or answer.issuer):
            raise OidcRefusedError("the answer came from another issuer (iss)")
        if answer.error is not None:
            raise OidcRefusedError(f"the issuer refused: {answer.error[:100]!r}")
        if not answer.code:
            raise OidcRefusedError("the answer holds no code")
        tokens = self._exchange(metadata.token_endpoint, answer.code, secret)
        access = tokens.get("access_token")
        if not isinstance(tokens.get("id_token"), str):
            raise OidcRefusedError("the issuer sent no ID token: is the scope openid allowed?")
        nonce = derived(secret, "nonce")
        claims = self.tokens.id_token(
            tokens["id_token"], nonce, access if isinstance(access, str) else None
        )
        return self._identity(claims, access)

    def logout_url(self) -> str | None:
        """Where a browser ends its session at the issuer; None if the issuer has no such page."""
        ending = self.provider.metadata().end_session_endpoint
        if ending is None:
            return None
        query = {
            "client_id": self.settings.client_id,
            "post_logout_redirect_uri": self.settings.public_url + "/",
        }
        return f"{ending}?{urlencode(query)}"

    def _client(self) -> OAuth2Client:
        return OAuth2Client(
            session=_Session(self._http),
            client_id=self.settings.client_id,
            client_secret=self.settings.client_secret,
            # in the body: in a header, servers disagree on how special characters are written
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 # a method's name
            scope="openid email profile",
            redirect_uri=self.settings.redirect_uri,
            code_challenge_method="S256",
        )

    def _exchange(self, endpoint: str, code: str, secret: str) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = self._client().fetch_token(
                endpoint,
                code=code,
                grant_type="authorization_code",
                code_verifier=derived(secret, "verifier"),
            )
        except AuthlibBaseError as error:
            raise OidcRefusedError(f"the code was refused: {error.error}") from error
        except httpx.HTTPError as error:
            raise ProviderDownError(f"{endpoint} failed ({type(error).__name__})") from error
        except ValueError as error:
            raise OidcRefusedError("the token endpoint's answer cannot be read") from error
        return found

    def _identity(self, claims: Mapping[str, Any], access: object) -> Identity:
        subject, email = claims["sub"], claims.get("email")
        roles = claims
        if not carries_roles(claims) and isinstance(access, str) and is_jwt(access):
            roles = self.tokens.access_token(access, subject)
        name = claims.get("name") or claims.get("preferred_username") or email or subject
        session = claims.get("sid")
        return Identity(
            issuer=self.settings.issuer,
            subject=subject,
            email=email.strip().lower() if isinstance(email, str) and "@" in email else None,
            email_verified=claims.get("email_verified") is not False,
            full_name=str(name)[:255],
            session=session if isinstance(session, str) else None,
            role=self.settings.roles.role_of(roles),
        )


class _Session:
    """What Authlib needs of an HTTP library, on httpx."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def post(
        self, url: str, data: Mapping[str, str], headers: Mapping[str, str], auth: ClientAuth
    ) -> httpx.Response:
        """POST a form with the client's own authentication."""
        prepare: Callable[..., tuple[str, dict[str, str], str]] = auth.prepare
        target, prepared, body = prepare("POST", url, dict(headers), urlencode(data))
        response = self._http.post(target, content=body, headers=prepared)
        if response.status_code >= 500:
            response.raise_for_status()
        return response


def derived(secret: str, purpose: str) -> str:
    """A value for one purpose that only the holder of the browser's secret can know."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()
