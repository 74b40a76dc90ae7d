"""The options by which `poolkeeper central serve` speaks TLS."""

import logging
from ipaddress import ip_address
from pathlib import Path

import click

from central.errors import StartError
from central.tls import Certificate

log = logging.getLogger("central")
FILE = click.Path(dir_okay=False, path_type=Path)
TLS_CERTIFICATE = click.option(
    "--tls-certificate",
    envvar="POOLKEEPER_TLS_CERTIFICATE",
    type=FILE,
    help="A PEM file with the certificate and its chain: serve TLS without a proxy.",
)
TLS_KEY = click.option(
    "--tls-key",
    envvar="POOLKEEPER_TLS_KEY",
    type=FILE,
    help="Its key; default: the certificate's file holds it too.",
)


def certificate_of(certificate: Path | None, key: Path | None) -> Certificate | None:
    """The certificate to serve with; None for plain HTTP.

    Raises:
        StartError: there is only a key, or the files cannot be used.
    """
    if certificate is None:
        if key is not None:
            raise StartError("--tls-key needs --tls-certificate.")
        return None
    return Certificate(certificate, key or certificate)


def warn_of_clear_text(host: str) -> None:
    """Say so, when plain HTTP without a proxy is offered to other machines."""
    if not is_here(host):
        log.warning(
            "keys and passwords travel in the clear on %s: give --tls-certificate, or name the "
            "proxy that ends TLS in POOLKEEPER_TRUSTED_PROXIES",
            host,
        )


def is_here(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
