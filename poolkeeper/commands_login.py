"""`poolkeeper login`, `logout`, `whoami`: a session with a central."""

import os
import sys

import click

from poolkeeper import keycloak_login
from poolkeeper.operator_client import (
    CENTRAL,
    JSON,
    OperatorClient,
    SavedSession,
    central_url,
    connect,
    errors_as_sentences,
    session_file,
)
from shared.wire_operator import Session, Who


@click.command()
@click.option("--email", help="Asked for, unless you log in through Keycloak.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--keycloak", is_flag=True, help="Log in through Keycloak, in a browser.")
@click.option(
    "--no-browser",
    is_flag=True,
    help="With --keycloak: print the address, and paste where the browser ends up.",
)
@CENTRAL
@JSON
def login(
    email: str | None,
    password_stdin: bool,
    keycloak: bool,
    no_browser: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Log in to a central; the session lasts half a day.

    The password comes from POOLKEEPER_PASSWORD, standard input, or a prompt.
    """
    with errors_as_sentences():
        address = central_url(url, os.environ)
        client = connect(address)
        if keycloak:
            session = _through_keycloak(client, address, no_browser)
        else:
            who = email or str(click.prompt("Email"))
            body = {"email": who, "password": _password(from_stdin=password_stdin)}
            session = client.ask(Session, "POST", "/v1/login", json=body)
    expires = session.expires_at.isoformat()
    saved = SavedSession(address, session.token, session.email, expires)
    saved.save(session_file(os.environ))
    if as_json:
        click.echo(session.model_dump_json())
    else:
        click.echo(f"Logged in to {address} as {session.email} ({session.role}) until {expires}.")


@click.command()
@CENTRAL
@JSON
def logout(url: str | None, as_json: bool) -> None:
    """End the session, here and at central."""
    with errors_as_sentences():
        connect(url).request("POST", "/v1/logout")
    session_file(os.environ).unlink(missing_ok=True)
    click.echo('{"logged_out": true}' if as_json else "Logged out.")


@click.command()
@CENTRAL
@JSON
def whoami(url: str | None, as_json: bool) -> None:
    """Who this session belongs to."""
    with errors_as_sentences():
        who = connect(url).ask(Who, "GET", "/v1/whoami")
    click.echo(who.model_dump_json() if as_json else f"{who.email} ({who.role}), {who.full_name}")


def _through_keycloak(client: OperatorClient, address: str, no_browser: bool) -> Session:
    def _show(start: str) -> None:
        click.echo(f"Open this address in a browser:\n  {start}", err=True)
        if not no_browser:
            click.launch(start)

    if not no_browser:
        return keycloak_login.log_in(client, address, _show)
    return keycloak_login.log_in_by_paste(
        client,
        address,
        _show,
        lambda: str(click.prompt("The address where the browser ended up", err=True)),
    )


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given = os.environ.get("POOLKEEPER_PASSWORD")
    return given or str(click.prompt("Password", hide_input=True))
