"""Logging in through Keycloak: OpenID Connect, authorization code with PKCE."""
