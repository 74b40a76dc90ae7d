"""`poolkeeper user …`: accounts, roles, sessions; and one's own password and sessions."""

import json
import os
import sys
from collections.abc import Sequence

import click

from poolkeeper.listing import Listing
from poolkeeper.operator_client import CENTRAL, JSON, connect, errors_as_sentences, segment
from shared.wire_people import SessionView, UserView

ROLE = click.Choice(["USER", "DEVOPS", "ADMIN"])
STDIN = click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")

EPILOG = """\b
Examples:
  poolkeeper user create eva@example.com --role DEVOPS
  poolkeeper user set-role eva@example.com ADMIN --override --reason "on call"
  poolkeeper user sessions eva@example.com
  poolkeeper user deactivate eva@example.com
  poolkeeper user password                              one's own
"""


@click.group(epilog=EPILOG)
def user() -> None:
    """Accounts, roles, sessions."""


@user.command("list")
@CENTRAL
@JSON
def list_users(url: str | None, as_json: bool) -> None:
    """Every account, with who decides about its role."""
    with errors_as_sentences():
        found = connect(url).ask(list[UserView], "GET", "/v1/users")
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in found]))
        return
    table = Listing("EMAIL", "NAME", "ROLE", "ROLE SET BY", "LOGS IN WITH", "ACTIVE")
    for one in found:
        owner = f"{one.role_owner} (override)" if one.role_override else one.role_owner
        active = "yes" if one.is_active else "no"
        table.row(one.email, one.full_name, one.role, owner, one.auth_provider, active)
    table.show()


@user.command()
@click.argument("email")
@click.option("--role", type=ROLE, default="USER", show_default=True)
@click.option("--full-name", help="Default: the part of the address before the @.")
@STDIN
@CENTRAL
@JSON
def create(
    email: str,
    role: str,
    full_name: str | None,
    password_stdin: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Make a local account (password from stdin, POOLKEEPER_NEW_PASSWORD, or asked for)."""
    body = {
        "email": email,
        "full_name": full_name or email.partition("@")[0],
        "role": role,
        "password": _new_password(password_stdin),
    }
    with errors_as_sentences():
        made = connect(url).ask(UserView, "POST", "/v1/users", json=body)
    _show(made, as_json, f"Created {made.email} with the role {made.role}.")


@user.command("set-role")
@click.argument("email")
@click.argument("role", type=ROLE)
@click.option(
    "--override/--no-override",
    default=None,
    help="Keep this role whatever Keycloak says at later logins, or follow Keycloak again.",
)
@click.option("--reason", help="Why Keycloak's role is overridden.")
@CENTRAL
@JSON
def set_role(
    email: str,
    role: str,
    override: bool | None,
    reason: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Give an account a role; its sessions end."""
    body: dict[str, object] = {"role": role}
    if override is not None:
        body["role_override"] = override
    if reason is not None:
        body["override_reason"] = reason
    _change(email, body, url, as_json, f"{email} has the role {role} now.")


@user.command()
@click.argument("email")
@click.argument("full_name")
@CENTRAL
@JSON
def rename(email: str, full_name: str, url: str | None, as_json: bool) -> None:
    """Give an account another full name."""
    _change(email, {"full_name": full_name}, url, as_json, f"{email} is {full_name} now.")


@user.command()
@click.argument("email")
@CENTRAL
@JSON
def deactivate(email: str, url: str | None, as_json: bool) -> None:
    """Lock an account out; its sessions end at once."""
    _change(email, {"is_active": False}, url, as_json, f"{email} is deactivated.")


@user.command()
@click.argument("email")
@CENTRAL
@JSON
def activate(email: str, url: str | None, as_json: bool) -> None:
    """Let an account in again."""
    _change(email, {"is_active": True}, url, as_json, f"{email} is active.")


@user.command()
@click.argument("email")
@CENTRAL
@JSON
def delete(email: str, url: str | None, as_json: bool) -> None:
    """Delete an account; its audit rows stay."""
    with errors_as_sentences():
        connect(url).request("DELETE", f"/v1/users/{segment(email)}")
    click.echo('{"deleted": true}' if as_json else f"Deleted {email}.")


@user.command("reset-password")
@click.argument("email")
@STDIN
@CENTRAL
@JSON
def reset_password(email: str, password_stdin: bool, url: str | None, as_json: bool) -> None:
    """Give a local account a new password; its sessions end."""
    body = {"new": _new_password(password_stdin)}
    with errors_as_sentences():
        connect(url).request("POST", f"/v1/users/{segment(email)}/password", json=body)
    click.echo('{"reset": true}' if as_json else f"{email} has a new password.")


@user.command()
@click.argument("email")
@click.argument("subject")
@CENTRAL
@JSON
def link(email: str, subject: str, url: str | None, as_json: bool) -> None:
    """Hand an account over to a subject in Keycloak (`poolkeeper audit list` names it)."""
    with errors_as_sentences():
        path = f"/v1/users/{segment(email)}/link"
        linked = connect(url).ask(UserView, "POST", path, json={"subject": subject})
    _show(linked, as_json, f"{email} logs in through Keycloak from now on.")


@user.command()
@click.argument("email", required=False)
@CENTRAL
@JSON
def sessions(email: str | None, url: str | None, as_json: bool) -> None:
    """Live sessions: one's own, or those of EMAIL (ADMIN)."""
    path = "/v1/sessions" if email is None else f"/v1/users/{segment(email)}/sessions"
    with errors_as_sentences():
        found = connect(url).ask(list[SessionView], "GET", path)
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in found]))
    else:
        _print_sessions(found)


@user.command()
@click.argument("email", required=False)
@click.option("--session", type=int, help="One of one's own, by its number.")
@CENTRAL
@JSON
def revoke(email: str | None, session: int | None, url: str | None, as_json: bool) -> None:
    """End every session of EMAIL (ADMIN), or --session of one's own, at once."""
    if (email is None) == (session is None):
        raise click.UsageError("Name an account, or one of your own sessions with --session.")
    path = f"/v1/sessions/{session}" if email is None else f"/v1/users/{segment(email)}/sessions"
    with errors_as_sentences():
        connect(url).request("DELETE", path)
    click.echo('{"revoked": true}' if as_json else "Revoked.")


@user.command()
@CENTRAL
@JSON
def password(url: str | None, as_json: bool) -> None:
    """Change one's own password; every session of the account ends."""
    current = os.environ.get("POOLKEEPER_PASSWORD") or click.prompt("Current", hide_input=True)
    body = {"current": current, "new": _new_password(from_stdin=False)}
    with errors_as_sentences():
        connect(url).request("POST", "/v1/password", json=body)
    click.echo('{"changed": true}' if as_json else "Changed. Log in again.")


def _change(
    email: str, body: dict[str, object], url: str | None, as_json: bool, sentence: str
) -> None:
    with errors_as_sentences():
        changed = connect(url).ask(UserView, "PATCH", f"/v1/users/{segment(email)}", json=body)
    _show(changed, as_json, sentence)


def _show(one: UserView, as_json: bool, sentence: str) -> None:
    click.echo(one.model_dump_json() if as_json else sentence)


def _print_sessions(found: Sequence[SessionView]) -> None:
    table = Listing("ID", "KIND", "SINCE", "LAST SEEN", "FROM", "")
    for one in found:
        since, seen = (f"{at:%Y-%m-%d %H:%M}" for at in (one.created_at, one.last_seen_at))
        here = "this one" if one.current else ""
        table.row(str(one.id), one.kind, since, seen, one.ip_address or "-", here)
    table.show()


def _new_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given = os.environ.get("POOLKEEPER_NEW_PASSWORD")
    prompt = "New password"
    return given or str(click.prompt(prompt, hide_input=True, confirmation_prompt=True))
