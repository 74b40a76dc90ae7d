"""Whatever a page does, the API does and a command does: the three lists, compared."""

import re
from dataclasses import dataclass

import click
import pytest

from central.permissions import ROUTES, Permission
from poolkeeper.cli import cli

# Each page, what it calls of the API, and the commands that do the same.
_TABLE = """
GET /sign-in
    calls GET /v1/login
    does  login
POST /sign-in
    calls POST /v1/session
    does  login --email
POST /sign-out
    calls POST /v1/logout
    does  logout

GET /
    calls GET /v1/nodes
    calls GET /v1/pools
    does  status
GET /fleet/rows
    calls GET /v1/nodes
    calls GET /v1/pools
    does  status --watch
GET /system
    calls GET /v1/system-analytics
    calls GET /v1/conditions
    calls GET /v1/notifications
    calls GET /v1/retention
    does  system show
    does  system conditions
    does  system notifications
    does  system retention
GET /system/now
    calls GET /v1/system-analytics
    does  system show
GET /system/plot
    calls GET /v1/system-analytics
    does  system show --hours
POST /system/retention
    calls PUT /v1/retention/{kind}
    does  system retention

GET /nodes
    calls GET /v1/nodes
    calls GET /v1/enroll-tokens
    does  node list
    does  node enroll-token list
POST /nodes
    calls POST /v1/nodes
    does  node create
POST /nodes/enroll-tokens
    calls POST /v1/enroll-tokens
    does  node enroll-token create
POST /nodes/enroll-tokens/{token_id}/revoke
    calls DELETE /v1/enroll-tokens/{token_id}
    does  node enroll-token revoke
GET /nodes/{name}
    calls GET /v1/nodes/{name}
    calls GET /v1/nodes/{name}/keys
    does  node show
GET /nodes/{name}/live
    calls GET /v1/nodes/{name}
    calls GET /v1/lifecycle
    does  node show
    does  node lifecycle
POST /nodes/{name}/rotate-key
    calls POST /v1/nodes/{name}/keys
    does  node rotate-key
POST /nodes/{name}/renew-key
    calls POST /v1/nodes/{name}/keys/rotation
    does  node rotate-key --through-agent
POST /nodes/{name}/revoke-keys
    calls DELETE /v1/nodes/{name}/keys
    does  node revoke-keys
POST /nodes/{name}/maintenance
    calls PUT /v1/nodes/{name}/maintenance
    calls DELETE /v1/nodes/{name}/maintenance
    does  node maintenance --off
POST /nodes/{name}/retry
    calls POST /v1/nodes/{name}/config/retry
    does  config retry
GET /nodes/{name}/delete
    calls DELETE /v1/nodes/{name}
    does  node delete
POST /nodes/{name}/delete
    calls DELETE /v1/nodes/{name}
    does  node delete

GET /nodes/{name}/pools/{pool:path}
    calls GET /v1/pools/{pool:path}/analytics
    does  pool show
GET /pools/{number}/now
    calls GET /v1/pools
    does  pool list
GET /pools/{number}/plot
    calls GET /v1/pools/{pool:path}/chart
    calls GET /v1/pools/{pool:path}/events
    does  pool show
    does  pool events
POST /pools/{number}/preview
    calls POST /v1/nodes/{name}/config/edits
    does  pool override --dry-run
    does  schedule add --dry-run
POST /pools/{number}/edit
    calls POST /v1/nodes/{name}/config/edits
    does  pool override
    does  pool pause
    does  pool observe
    does  pool activate
    does  pool limits
    does  schedule add
    does  schedule suspend
    does  schedule resume

GET /nodes/{name}/config
    calls GET /v1/nodes/{name}/config
    does  config pull
GET /nodes/{name}/config/state
    calls GET /v1/nodes/{name}
    does  node show
POST /nodes/{name}/config
    calls PUT /v1/nodes/{name}/config
    does  config push
    does  config edit
POST /nodes/{name}/config/review
    calls POST /v1/nodes/{name}/config/review
    does  config push --dry-run
POST /nodes/{name}/config/replay
    calls POST /v1/nodes/{name}/config/replay
    does  config replay
POST /nodes/{name}/config/adopt
    calls POST /v1/nodes/{name}/config/adopt
    does  config adopt
GET /nodes/{name}/config/history
    calls GET /v1/nodes/{name}/config/history
    does  config history
GET /nodes/{name}/config/versions/{generation}
    calls GET /v1/nodes/{name}/config/diff
    does  config diff
GET /nodes/{name}/config/rollback
    calls GET /v1/nodes/{name}/config/diff
    does  config diff
POST /nodes/{name}/config/rollback
    calls POST /v1/nodes/{name}/config/rollback
    does  config rollback

GET /rollouts
    calls GET /v1/rollouts
    does  rollout list
POST /rollouts/preview
    calls POST /v1/rollouts
    does  config patch --dry-run
POST /rollouts
    calls POST /v1/rollouts
    does  config patch
GET /rollouts/{number}
    calls GET /v1/rollouts/{number}
    does  rollout show
GET /rollouts/{number}/live
    calls GET /v1/rollouts/{number}
    does  rollout show
POST /rollouts/{number}/halt
    calls POST /v1/rollouts/{number}/halt
    does  rollout halt
POST /rollouts/{number}/resume
    calls POST /v1/rollouts/{number}/resume
    does  rollout resume

GET /lifecycle
    calls GET /v1/lifecycle
    does  node lifecycle
GET /audit
    calls GET /v1/audit
    calls GET /v1/audit/export
    does  audit list
    does  audit export
GET /audit/verify
    calls GET /v1/audit/verify
    does  audit verify
GET /users
    calls GET /v1/users
    does  user list
POST /users
    calls POST /v1/users
    does  user create
GET /users/{email}
    calls GET /v1/users/{email}
    calls GET /v1/users/{email}/sessions
    does  user list
    does  user sessions
POST /users/{email}
    calls PATCH /v1/users/{email}
    does  user rename
    does  user set-role --override
    does  user activate
    does  user deactivate
POST /users/{email}/password
    calls POST /v1/users/{email}/password
    does  user reset-password
POST /users/{email}/link
    calls POST /v1/users/{email}/link
    does  user link
POST /users/{email}/sessions
    calls DELETE /v1/users/{email}/sessions
    does  user revoke
POST /users/{email}/delete
    calls DELETE /v1/users/{email}
    does  user delete
GET /account
    calls GET /v1/whoami
    calls GET /v1/sessions
    does  whoami
    does  user sessions
POST /account/password
    calls POST /v1/password
    does  user password
POST /account/sessions/{session_id}/end
    calls DELETE /v1/sessions/{session_id}
    does  user revoke --session
"""
API = re.compile(r"^/(v1/|healthz$|readyz$|metrics$|openapi\.json$)")
FILES = ("GET", "/assets/{name:path}")  # styles and scripts: neither shown nor done
MACHINES = {  # of agents, of Keycloak, of a browser's script: no person asks for these
    *("POST /v1/heartbeat", "POST /v1/enroll", "POST /v1/config/check", "GET /v1/config/schema"),
    *("GET /v1/oidc/login", "GET /v1/oidc/callback", "POST /v1/oidc/token"),
    *("GET /v1/oidc/logout", "POST /v1/oidc/backchannel-logout", "POST /v1/login"),
    "GET /v1/session",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the table."""

    page: tuple[str, str]
    api: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]


def _route(text: str) -> tuple[str, str]:
    method, path = text.split()
    return method, path


def _read(table: str) -> list[Action]:
    found: list[Action] = []
    for block in re.split(r"\n(?=[A-Z])", table.strip()):
        page, *rest = filter(str.strip, block.splitlines())
        lines = [line.split(maxsplit=1) for line in rest]
        api = tuple(_route(text) for what, text in lines if what == "calls")
        found.append(Action(_route(page), api, tuple(t for what, t in lines if what == "does")))
    return found


ACTIONS = _read(_TABLE)
PAGES = {route for route in ROUTES if not API.match(route[1])} - {FILES}


def test_every_page_stands_in_the_table_once() -> None:
    listed = [action.page for action in ACTIONS]
    assert len(listed) == len(set(listed))
    assert set(listed) == PAGES


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: " ".join(action.page))
def test_what_a_page_does_the_api_does(action: Action) -> None:
    missing = [route for route in action.api if route not in ROUTES]
    assert missing == []
    if action.page[0] == "POST":
        assert any(method != "GET" for method, _ in action.api)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: " ".join(action.page))
def test_a_page_asks_for_no_less_than_the_api(action: Action) -> None:
    rank = (Permission.PUBLIC, Permission.OWN, Permission.READ, Permission.EDIT, Permission.ADMIN)
    needed = [rank.index(ROUTES[route]) for route in action.api]
    # what it only shows may be a part that it leaves out for those who may not see it
    least = min(needed) if action.page[0] == "GET" else max(needed)
    assert rank.index(ROUTES[action.page]) >= least


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: " ".join(action.page))
def test_what_a_page_does_a_command_does(action: Action) -> None:
    assert [words for words in action.commands if not exists(words)] == []


def exists(words: str) -> bool:
    """Whether a command is there, with the option that may stand behind it."""
    path, _, option = words.partition(" --")
    command: click.Command | None = cli
    for name in path.split():
        if not isinstance(command, click.Group):
            return False
        command = command.get_command(click.Context(command), name)
    if command is None or isinstance(command, click.Group):
        return False
    known = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
    return not option or f"--{option}" in known


def test_what_the_api_offers_to_people_is_on_a_page_or_said_not_to_be() -> None:
    used = {f"{method} {path}" for action in ACTIONS for method, path in action.api}
    offered = {f"{method} {path}" for method, path in ROUTES if path.startswith("/v1/")}
    assert offered - used - MACHINES == WITHOUT_A_PAGE


WITHOUT_A_PAGE = {  # commands and scripts have these; a page shows the same another way
    "GET /v1/metrics",
    "GET /v1/metrics/chart",
    "GET /v1/schedules",
    "GET /v1/audit/retention",
    "PUT /v1/audit/retention",
    "GET /v1/nodes/{name}/config/adopt",
}


@pytest.mark.parametrize("words", ["node levitate", "status --fly", "node", "status list"])
def test_what_no_command_does_is_noticed(words: str) -> None:
    assert not exists(words)
