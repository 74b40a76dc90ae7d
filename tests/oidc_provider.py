"""An OpenID provider with keys of its own that can be told to misbehave, over real HTTP."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT_ID = "poolkeeper"
CLIENT_SECRET = "client secret with % and :"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
Claims = dict[str, Any]


@dataclass
class Hostility:
    """How the provider differs from an honest one; each hook gets what would have been sent."""

    id_claims: Callable[[Claims], Claims] = lambda claims: claims
    access_claims: Callable[[Claims], Claims] = lambda claims: claims
    metadata: Callable[[Claims], Claims] = lambda found: found
    callback: Callable[[dict[str, str]], dict[str, str]] = lambda query: query
    token_answer: Callable[[Claims], Claims] = lambda answer: answer
    sign: Callable[[Claims], str] | None = None
    down: set[str] = field(default_factory=set)  # paths that answer 503


class FakeProvider:
    """Answers discovery, keys, authorization and token requests at `issuer`."""

    def __init__(self) -> None:
        self._first = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
        self.behave()
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._post(self)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}/realms/test"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def behave(self) -> None:
        """Be honest again, with the first key and the first user."""
        self.key = self._first
        self.published: list[Claims] = [self.key.as_dict(private=False)]
        self.user: Claims = {
            "sub": "subject-1",
            "email": "kim@example.com",
            "email_verified": True,
            "name": "Kim",
            "sid": "their-session",
        }
        self.roles: Claims = {"realm_access": {"roles": ["ops"]}}
        self.hostile = Hostility()
        self.requests: list[str] = []

    def close(self) -> None:
        """Stop answering at all."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def rotate(self, kid: str = "second") -> None:
        """Sign with a new key, and publish only that one."""
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})
        self.published = [self.key.as_dict(private=False)]

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(request.endswith(path) for request in self.requests)

    def signed(self, claims: Claims) -> str:
        """A token with these claims, as the provider signs now."""
        if self.hostile.sign is not None:
            return self.hostile.sign(claims)
        return sign(self.key, claims)

    def logout_token(self, **changes: Any) -> str:
        """A token that says: this session has ended."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": "j",
            "sid": "their-session",
            "events": {LOGOUT_EVENT: {}},
        }
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return sign(self.key, claims)

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        path = parts.path.removeprefix("/realms/test")
        self.requests.append(path)
        if path in self.hostile.down:
            _answer(handler, 503, {})
        elif path == "/.well-known/openid-configuration":
            _answer(handler, 200, self.hostile.metadata(self._metadata()))
        elif path == "/certs":
            _answer(handler, 200, {"keys": self.published})
        elif path == "/auth":
            self._authorize(handler, {k: v[0] for k, v in parse_qs(parts.query).items()})
        else:
            _answer(handler, 404, {})

    def _authorize(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        code = f"code-{len(self._codes)}"
        self._codes[code] = query
        back = {"code": code, "state": query["state"], "iss": self.issuer}
        handler.send_response(302)
        target = f"{query['redirect_uri']}?{urlencode(self.hostile.callback(back))}"
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path.removeprefix("/realms/test")
        self.requests.append(path)
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if path in self.hostile.down:
            _answer(handler, 503, {})
            return
        asked = self._codes.pop(form.get("code", ""), None)  # a code works once
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        )
        if (
            asked is None
            or asked["code_challenge_method"] != "S256"
            or asked["code_challenge"] != challenge.decode().rstrip("=")
            or asked["redirect_uri"] != form["redirect_uri"]
            or (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET)
        ):
            _answer(handler, 400, {"error": "invalid_grant"})
            return
        _answer(handler, 200, self.hostile.token_answer(self._tokens(asked["nonce"])))

    def _tokens(self, nonce: str) -> Claims:
        now = int(time.time())
        common = {"iss": self.issuer, "iat": now, "exp": now + 300, "azp": CLIENT_ID}
        access = {**common, "sub": self.user["sub"], "aud": [CLIENT_ID, "account"], **self.roles}
        identity = {**common, **self.user, "aud": CLIENT_ID, "nonce": nonce}
        return {
            "token_type": "Bearer",
            "expires_in": 300,
            "access_token": sign(self.key, self.hostile.access_claims(access)),
            "id_token": self.signed(self.hostile.id_claims(identity)),
        }

    def _metadata(self) -> Claims:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/certs",
            "end_session_endpoint": f"{self.issuer}/logout",
            "authorization_response_iss_parameter_supported": True,
        }


def sign(key: RSAKey | ECKey, claims: Claims, alg: str = "RS256") -> str:
    """A signed token whose header names the key."""
    return jwt.encode({"alg": alg, "kid": key.kid}, claims, key, algorithms=[alg])


def unsigned(claims: Claims) -> str:
    """A token with `alg: none` and an empty signature."""
    return f"{_part({'alg': 'none', 'kid': 'first'})}.{_part(claims)}."


def signed_with_public_key(key: RSAKey, claims: Claims) -> str:
    """HS256 with the public key as the secret: the classic confusion of algorithms."""
    content = f"{_part({'alg': 'HS256', 'kid': key.kid})}.{_part(claims)}"
    mac = hmac.new(key.as_pem(private=False), content.encode(), hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def signed_otherwise(key: RSAKey, claims: Claims, alg: str) -> str:
    """Signed with the right key in another way than it is meant for."""
    bare = {name: value for name, value in key.as_dict(private=True).items() if name != "alg"}
    return sign(RSAKey.import_key(bare), claims, alg)


def _part(value: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _answer(handler: BaseHTTPRequestHandler, status: int, body: Claims) -> None:
    content = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
