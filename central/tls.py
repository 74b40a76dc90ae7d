"""Serving TLS with an own certificate, which may be renewed while central runs."""

import logging
import ssl
from pathlib import Path

from central.errors import StartError

log = logging.getLogger(__name__)


class Certificate:
    """A certificate (with its chain) and its key as PEM files; TLS 1.2 or newer.

    New connections get the renewed certificate as soon as `renew` has seen its files change.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read the files.

        Raises:
            StartError: they cannot be read or do not belong together.
        """
        self._certificate = certificate
        self._key = key
        self._seen: tuple[int, int] | None = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        self.context.set_alpn_protocols(["http/1.1"])
        try:
            self._read()
        except (OSError, ssl.SSLError) as error:
            raise StartError(
                f"TLS: {certificate} and {key} cannot be used ({_reason(error)}): give a PEM "
                "certificate with its chain, and its key without a password."
            ) from error

    def renew(self) -> bool:
        """Take up files that have changed; bad ones are told once and the old ones stay."""
        try:
            if self._times() == self._seen:
                return False
            self._check()
            self._read()
        except (OSError, ssl.SSLError) as error:
            log.warning("TLS: the renewed certificate cannot be used: %s", _reason(error))
            self._seen = self._times_or_none()
            return False
        log.info("TLS: the certificate was renewed")
        return True

    def _check(self) -> None:
        """Try the files on a context of their own: half a change must not reach the real one."""
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._certificate, self._key, "")

    def _read(self) -> None:
        seen = self._times()
        self.context.load_cert_chain(self._certificate, self._key, "")  # "": do not ask on a tty
        self._seen = seen

    def _times(self) -> tuple[int, int]:
        return self._certificate.stat().st_mtime_ns, self._key.stat().st_mtime_ns

    def _times_or_none(self) -> tuple[int, int] | None:
        try:
            return self._times()
        except OSError:
            return None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not PEM"
    return str(getattr(error, "strerror", None) or error)
