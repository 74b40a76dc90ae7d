"""Parsed configurations that pages look at again and again, by their hash."""

from collections.abc import Callable
from typing import Any

from fastapi import Request
from sqlalchemy import Connection

from central.store import configs
from shared.config.loader import load
from shared.config.models import Config
from shared.config.problems import ConfigError

MOST_KEPT = 64


class KnownConfigs:
    """The newest configurations that were asked for; what cannot be read is kept as None."""

    def __init__(self) -> None:
        self._kept: dict[str, Config | None] = {}

    def parsed(self, digest: str, read: Callable[[], str | None]) -> Config | None:
        """The configuration behind a hash; None if this release refuses its text.

        `read` gets the text when it is not known yet.
        """
        if digest not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[digest] = _parsed(read())
        return self._kept.get(digest)


def _parsed(yaml: str | None) -> Config | None:
    if yaml is None:
        return None
    try:
        return load(yaml.encode())
    except ConfigError:
        return None


def configs_of(request: Request) -> KnownConfigs:
    """The configurations that this application knows."""
    state = request.app.state
    if not hasattr(state, "known_configs"):
        state.known_configs = KnownConfigs()
    known: KnownConfigs = state.known_configs
    return known


def active_config(request: Request, connection: Connection, pool: dict[str, Any]) -> Config | None:
    """The active configuration of a pool's node; None without one, or if this release refuses it.

    `pool` is a row with the node's `active_hash`.
    """
    digest = pool["active_hash"]
    if digest is None:
        return None
    return configs_of(request).parsed(digest, lambda: configs.text_of_hash(connection, digest))
