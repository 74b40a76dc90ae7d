"""Parsed configurations that pages look at again and again, by their hash."""

from collections.abc import Callable

from sqlalchemy import Connection

from central.store import configs
from shared.config.loader import load
from shared.config.models import Config
from shared.config.problems import ConfigError

MOST_KEPT = 256
MOST_BYTES = 2**21  # of text; parsed, it takes many times that


class KnownConfigs:
    """The newest configurations that were asked for; what cannot be read is kept as None."""

    def __init__(self) -> None:
        self._kept: dict[str, Config | None] = {}
        self._bytes = 0

    def config_of(self, connection: Connection, digest: str | None) -> Config | None:
        """The configuration behind a hash; None for none, or if this release refuses it."""
        if digest is None:
            return None
        return self.parsed(digest, lambda: configs.text_of_hash(connection, digest))

    def parsed(self, digest: str, read: Callable[[], str | None]) -> Config | None:
        """The configuration behind a hash; None if this release refuses its text.

        `read` gets the text when it is not known yet.
        """
        kept = self._kept
        if digest in kept:
            return kept[digest]
        yaml = read() or ""
        found = _parsed(yaml)
        if len(kept) >= MOST_KEPT or self._bytes + len(yaml) > MOST_BYTES:
            kept, self._bytes = {}, 0
        self._kept, self._bytes = {**kept, digest: found}, self._bytes + len(yaml)
        return found


def _parsed(yaml: str) -> Config | None:
    try:
        return load(yaml.encode())
    except ConfigError:
        return None
