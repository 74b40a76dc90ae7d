"""`poolkeeper status --watch`, `node lifecycle` and colours, against a real central."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from click.testing import CliRunner, Result

from poolkeeper.cli import cli
from poolkeeper.commands_status import Glance, keep_looking, look
from poolkeeper.operator_client import OperatorClient, OperatorError
from tests import postgres
from tests.central_server import RunningCentral, running_central
from tests.heartbeats import CONFIG


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as running:
        yield running


@pytest.fixture(scope="module")
def central(cluster: postgres.Cluster) -> Iterator[RunningCentral]:
    with running_central(cluster.new_database()) as running:
        running.create_node("n1")
        running.push("n1", CONFIG)
        running.create_node("n2")
        running.execute("UPDATE nodes SET status = 'OFFLINE' WHERE name = 'n2'")
        running.execute(
            "INSERT INTO node_lifecycle_logs (node_id, event_type, previous_status, new_status, "
            "reason, triggered_by) SELECT id, event, 'ACTIVE', 'OFFLINE', event || ' of ' || name, "
            "'system' FROM nodes, (VALUES ('WENT_OFFLINE'), ('CAME_ONLINE')) AS e (event)"
        )
        yield running


def run(central: RunningCentral, *words: str, **environment: str) -> Result:
    token = central.operator("USER").headers["Authorization"].removeprefix("Bearer ")
    known = {"POOLKEEPER_CENTRAL_URL": central.url, "POOLKEEPER_TOKEN": token, "COLUMNS": "200"}
    return CliRunner(env={**known, **environment}).invoke(cli, list(words))


def stopping_after(rounds: int) -> Callable[[float], None]:
    """A sleep during which somebody presses Ctrl-C in the end."""
    left = [rounds]

    def _sleep(seconds: float) -> None:
        assert seconds == 5
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1

    return _sleep


@pytest.fixture
def ask(central: RunningCentral) -> Callable[[], Glance]:
    client: httpx.Client = central.operator("USER")
    return lambda: look(OperatorClient(client))


def test_watching_shows_glance_after_glance_until_ctrl_c(
    ask: Callable[[], Glance], capsys: pytest.CaptureFixture[str]
) -> None:
    first = ask()
    last = keep_looking(first, ask, 5, as_json=False, sleep=stopping_after(2))
    assert last.wrong == ["n2"]
    out = capsys.readouterr().out
    assert out.count("0 of 2 nodes active") == 3
    assert out.count("Ctrl-C ends") == 3


def test_a_central_that_does_not_answer_is_told_and_asked_again(
    ask: Callable[[], Glance], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([OperatorError("Central does not answer.", status=503), None])

    def _again() -> Glance:
        error = next(answers)
        if error is not None:
            raise error
        return ask()

    keep_looking(ask(), _again, 5, as_json=True, sleep=stopping_after(2))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(line) for line in lines] == [
        ["nodes", "pools", "wrong"],
        ["error"],
        ["nodes", "pools", "wrong"],
    ]


def test_watching_ends_with_the_session(ask: Callable[[], Glance]) -> None:
    def _again() -> Glance:
        raise OperatorError("Log in first.", status=401)

    with pytest.raises(OperatorError, match="Log in first"):
        keep_looking(ask(), _again, 5, as_json=True, sleep=stopping_after(1))


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_heeded(
    central: RunningCentral, environment: dict[str, str], coloured: bool
) -> None:
    result = run(central, "status", FORCE_COLOR="1", TERM="xterm-256color", **environment)
    assert (result.exit_code, "\x1b[31m" in result.output) == (1, coloured)
    assert "OFFLINE" in result.output


def test_what_happened_is_listed_narrowed_and_exported(central: RunningCentral) -> None:
    assert "WENT_OFFLINE of n2" in run(central, "node", "lifecycle").output
    only = run(central, "node", "lifecycle", "n1", "--event", "CAME_ONLINE", "--json")
    assert [row["reason"] for row in json.loads(only.output)] == ["CAME_ONLINE of n1"]
    csv = run(central, "node", "lifecycle", "--csv").output.splitlines()
    assert (len(csv), csv[0].split(",")[:2]) == (5, ["id", "node"])
    assert len(json.loads(run(central, "node", "lifecycle", "--limit", "1", "--json").output)) == 1


def test_an_account_gets_another_name(central: RunningCentral) -> None:
    token = central.operator("ADMIN").headers["Authorization"].removeprefix("Bearer ")
    central.operator("USER")
    result = run(central, "user", "rename", "user@example.com", "Uma", POOLKEEPER_TOKEN=token)
    assert result.output == "user@example.com is Uma now.\n"
    assert central.rows("SELECT full_name FROM users WHERE email = 'user@example.com'") == [
        {"full_name": "Uma"}
    ]


HOSTILE = "[/red][bold]\x1b]0;title\x07\u202e\x9b2J:skull:"
SPELT = "[/red][bold]\\x1b]0;title\\x07\\u202e\\x9b2J:skull:"


@pytest.mark.parametrize("words", ["status", "node list", "node show n1", "node lifecycle"])
def test_what_others_wrote_neither_styles_nor_commands_a_terminal(
    central: RunningCentral, words: str
) -> None:
    central.execute(
        "UPDATE node_state SET failed_hash = active_hash, apply_error = :why "
        "WHERE active_hash IS NOT NULL",
        why=HOSTILE,
    )
    central.execute(
        "UPDATE node_lifecycle_logs SET reason = :why WHERE event_type = 'CAME_ONLINE'", why=HOSTILE
    )
    out = run(central, *words.split()).output
    assert SPELT in out
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(out)
