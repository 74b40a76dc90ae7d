"""`config edit` with real editors, `push --dry-run` and `config replay`, on a real central."""

import contextlib
import json
import re
import socket
import socketserver
import stat
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from poolkeeper.cli import cli
from shared.config.hashing import config_hash
from tests import postgres
from tests.central_server import RunningCentral, running_central
from tests.heartbeats import CONFIG, analytics, beat

POLICY = "    policies: [{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}]\n"
SCALED = CONFIG + POLICY
SMALL = SCALED.replace("max: 20", "max: 3")
LARGER = SCALED.replace("max: 20", "max: 30")
WRONG = SCALED.replace("limits:", "limit:")
HISTORY = """
INSERT INTO pool_analytics (pool_id, node_id, oracle_pool_id, timestamp, received_at,
  current_instances, active_instances, avg_cpu_utilization, avg_memory_utilization)
SELECT p.id, p.node_id, p.oracle_pool_id, at, now(), 4, 4, 90, 50
FROM pools p, generate_series(:start, :end, interval '1 minute') at
"""


@pytest.fixture(scope="module")
def shared_central() -> Iterator[RunningCentral]:
    with postgres.cluster() as cluster, running_central(cluster.new_database()) as running:
        yield running


@pytest.fixture
def central(shared_central: RunningCentral) -> RunningCentral:
    for table in ("users", "nodes", "pools"):
        shared_central.execute(f"DELETE FROM {table}")
    shared_central.forget_operators()
    key = shared_central.create_node("n1")
    shared_central.push("n1", SCALED)
    with shared_central.client(key) as agent:
        agent.post("/v1/heartbeat", json=beat(1, analytics(1, current_instances=12)))
    return shared_central


class Desk:
    """A person with an editor: a script that writes what it is told, one text for each opening."""

    def __init__(self, central: RunningCentral, home: Path) -> None:
        self.central, self.home = central, home
        self.texts = home / "texts"
        self.texts.mkdir()
        self.saw = home / "saw"
        self.saw.mkdir()
        (home / "tmp").mkdir()
        token = central.operator("DEVOPS").headers["Authorization"].removeprefix("Bearer ")
        self.environment = {
            "POOLKEEPER_CONFIG_DIR": str(home),
            "POOLKEEPER_CENTRAL_URL": central.url,
            "POOLKEEPER_TOKEN": token,
            "TMPDIR": str(home / "tmp"),
            "COLUMNS": "200",
            "NO_COLOR": "1",
            "VISUAL": "",
        }

    def editor(self, *texts: str, before: str = "", code: int = 0) -> None:
        """An editor that writes these texts, one each time; `before` is Python that runs first."""
        for number, text in enumerate(texts):
            (self.texts / f"{number}").write_text(text, "utf-8")
        script = self.home / "editor.py"
        script.write_text(
            f"""\
import pathlib, shutil, sys
file, texts, saw = pathlib.Path(sys.argv[1]), {str(self.texts)!r}, {str(self.saw)!r}
number = len(list(pathlib.Path(saw).iterdir()))
shutil.copy(file, pathlib.Path(saw, str(number)))
{before}
text = pathlib.Path(texts, str(number))
if text.exists():
    file.write_bytes(text.read_bytes())
sys.exit({code})
""",
            "utf-8",
        )
        self.environment["EDITOR"] = f"{sys.executable} {script}"

    def __call__(self, *words: str, text: str = "") -> Result:
        # a temporary directory is chosen once in a process, and this is not a new one
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tempfile.tempdir", str(self.home / "tmp"))
            return CliRunner(env=self.environment).invoke(cli, list(words), input=text)

    @property
    def kept(self) -> list[Path]:
        """The files that are left behind."""
        return list((self.home / "tmp").iterdir())

    @property
    def active(self) -> str:
        """What the node's configuration is."""
        return self.central.operator().get("/v1/nodes/n1/config").text


@pytest.fixture
def desk(central: RunningCentral, tmp_path: Path) -> Desk:
    return Desk(central, tmp_path)


def file_of(desk: Desk, text: str) -> str:
    path = desk.home / "new.yaml"
    path.write_text(text, "utf-8")
    return str(path)


# config edit -------------------------------------------------------------------------------------


def test_an_edit_is_shown_asked_for_and_saved(desk: Desk) -> None:
    desk.editor(LARGER)
    done = desk("config", "edit", "n1", text="y\n")
    assert done.exit_code == 0, done.output
    assert (desk.saw / "0").read_text("utf-8") == SCALED
    assert "-    limits: {min: 2, max: 20}\n+    limits: {min: 2, max: 30}\n" in done.stderr
    assert "Save it?" in done.stderr
    assert "n1 is at generation 2" in done.stdout
    assert desk.active == LARGER
    assert desk.kept == []


def test_problems_are_told_and_the_editor_opens_again_with_the_text(desk: Desk) -> None:
    desk.editor(WRONG, LARGER)
    done = desk("config", "edit", "n1", "--yes", text="\n")
    assert done.exit_code == 0, done.output
    assert "line 7, column 5: pools[0].limit: unknown key; did you mean 'limits'?" in done.stderr
    assert (desk.saw / "1").read_text("utf-8") == WRONG
    assert desk.active == LARGER


def test_giving_up_keeps_the_text_and_names_its_file(desk: Desk) -> None:
    desk.editor(WRONG)
    done = desk("config", "edit", "n1", text="n\n")
    assert done.exit_code == 1
    (kept,) = desk.kept
    assert kept.read_text("utf-8") == WRONG
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert f"Your text is kept in {kept}" in done.stderr
    assert f"poolkeeper config push n1 {kept}" in done.stderr
    assert desk.active == SCALED


@pytest.mark.parametrize(("answers", "saved"), [("n\n", False), ("e\ny\n", True), ("", False)])
def test_one_may_say_no_or_edit_again(desk: Desk, answers: str, saved: bool) -> None:
    desk.editor(SCALED + "# first\n", LARGER)
    done = desk("config", "edit", "n1", text=answers)
    assert done.exit_code == (0 if saved else 1)
    assert desk.active == (LARGER if saved else SCALED)
    assert [path.read_text("utf-8") for path in desk.kept] == (
        [] if saved else [SCALED + "# first\n"]
    )


def test_an_unchanged_text_is_nothing(desk: Desk) -> None:
    desk.editor()
    done = desk("config", "edit", "n1")
    assert (done.exit_code, done.stdout) == (0, "Nothing was changed.\n")
    assert desk.kept == []


def test_instances_are_only_lost_when_their_number_is_typed(desk: Desk) -> None:
    desk.editor(SMALL, LARGER)
    done = desk("config", "edit", "n1", "--yes", text="8\n")
    assert "This terminates 9 of 12 instances in web now." in done.stderr
    assert (done.exit_code, desk.active) == (0, LARGER)  # the editor opened again


@pytest.mark.parametrize(("options", "answers"), [((), "9\n"), (("--allow-shrink", "9"), "")])
def test_typing_it_or_agreeing_beforehand_saves(
    desk: Desk, options: tuple[str, ...], answers: str
) -> None:
    desk.editor(SMALL)
    done = desk("config", "edit", "n1", "--yes", *options, text=answers)
    assert done.exit_code == 0, done.output
    assert desk.active == SMALL


def test_a_change_of_somebody_else_loses_neither_text(desk: Desk) -> None:
    theirs = file_of(desk, LARGER)
    token = desk.environment["POOLKEEPER_TOKEN"]
    address = f"{desk.central.url}/v1/nodes/n1/config"
    desk.editor(
        SCALED + "# mine\n",
        before=f"""\
import urllib.request
urllib.request.urlopen(urllib.request.Request({address!r}, open({theirs!r}, 'rb').read(),
    {{"Authorization": "Bearer {token}", "Content-Type": "application/yaml"}}, method="PUT"))
""",
    )
    done = desk("config", "edit", "n1", "--yes")
    assert done.exit_code == 1
    assert "was changed by somebody else" in done.stderr
    assert desk.active == LARGER
    (kept,) = desk.kept
    assert kept.read_text("utf-8") == SCALED + "# mine\n"
    assert f"poolkeeper config diff n1 {kept}" in done.stderr
    diff = desk("config", "diff", "n1", str(kept))
    assert "+# mine" in diff.stdout


class Cable:
    """Carries bytes to central until a file says that it was cut."""

    def __init__(self, target: str, cut: Path) -> None:
        host, port = target.removeprefix("http://").split(":")

        class _Carry(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection((host, int(port))) as there:
                    back = threading.Thread(target=carry, args=(there, self.request))
                    back.start()
                    carry(self.request, there, cut)
                    there.shutdown(socket.SHUT_RDWR)
                    back.join(10)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Carry)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


def carry(source: socket.socket, target: socket.socket, cut: Path | None = None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if cut is not None and cut.exists():
                return
            target.sendall(data)


def test_a_lost_connection_loses_no_text(desk: Desk, central: RunningCentral) -> None:
    cut = desk.home / "cut"
    cable = Cable(central.url, cut)
    thread = threading.Thread(target=cable.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        desk.editor(LARGER, before=f"pathlib.Path({str(cut)!r}).touch()")
        done = desk("config", "edit", "n1", "--url", cable.url)
    finally:
        cable.server.shutdown()
        thread.join(10)
        cable.server.server_close()
    assert done.exit_code == 2
    assert "does not answer" in done.stderr
    (kept,) = desk.kept
    assert kept.read_text("utf-8") == LARGER
    assert f"Your text is kept in {kept}" in done.stderr
    cut.unlink()
    desk.environment["POOLKEEPER_CENTRAL_URL"] = central.url
    assert desk("config", "push", "n1", str(kept)).exit_code == 0
    assert desk.active == LARGER


def test_an_editor_that_fails_loses_nothing(desk: Desk) -> None:
    desk.editor(LARGER, code=1)
    done = desk("config", "edit", "n1")
    assert done.exit_code != 0
    assert "Your text is kept in" in done.stderr
    assert desk.active == SCALED


def test_a_node_without_a_configuration_starts_with_a_first_one(desk: Desk) -> None:
    desk.central.create_node("n2")
    fresh = CONFIG.replace("name: web", "name: other").replace(".web", ".other")
    desk.editor(fresh)
    done = desk("config", "edit", "n2", "--yes", "--json")
    assert done.exit_code == 0, done.output
    assert "version: 1" in (desk.saw / "0").read_text("utf-8")
    pushed = json.loads(done.stdout)
    assert (pushed["generation"], pushed["config_hash"]) == (1, config_hash(fresh))


def test_an_unknown_node_opens_no_editor(desk: Desk) -> None:
    desk.editor(LARGER)
    done = desk("config", "edit", "nobody")
    assert (done.exit_code, done.stderr) == (1, "Error: There is no node 'nobody'.\n")
    assert list(desk.saw.iterdir()) == []


# config push --dry-run ---------------------------------------------------------------------------


def test_a_dry_run_shows_and_writes_nothing(desk: Desk) -> None:
    done = desk("config", "push", "n1", file_of(desk, LARGER), "--dry-run")
    assert done.exit_code == 0, done.output
    assert "+    limits: {min: 2, max: 30}" in done.stdout
    assert desk.active == SCALED
    shown = json.loads(
        desk("config", "push", "n1", file_of(desk, LARGER), "--dry-run", "--json").stdout
    )
    assert (shown["base_hash"], shown["changed"]) == (config_hash(SCALED), True)


REFUSED = [
    ((), 1, "add --allow-shrink 9"),
    (("--allow-shrink", "9"), 0, ""),
    (("--allow-shrink", "9", "--if-match", "0" * 64), 1, "The active configuration is another"),
]


@pytest.mark.parametrize(("options", "code", "sentence"), REFUSED)
def test_a_dry_run_says_whether_a_push_would_be_refused(
    desk: Desk, options: tuple[str, ...], code: int, sentence: str
) -> None:
    done = desk("config", "push", "n1", file_of(desk, SMALL), "--dry-run", *options)
    assert done.exit_code == code
    assert sentence.lower() in done.stderr.lower()
    assert "This terminates 9 of 12 instances in web now." in done.output
    assert desk.active == SCALED


def test_a_dry_run_of_a_mistake_tells_its_place(desk: Desk) -> None:
    done = desk("config", "push", "n1", file_of(desk, WRONG), "--dry-run")
    assert done.exit_code == 1
    assert "did you mean 'limits'?" in done.stderr


# config replay -----------------------------------------------------------------------------------


@pytest.fixture
def lived(desk: Desk) -> Desk:
    end = datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)
    desk.central.execute("DELETE FROM pool_analytics")
    desk.central.execute(HISTORY, start=end - timedelta(hours=6), end=end)
    return desk


def test_a_new_file_is_replayed_beside_the_active_one(lived: Desk) -> None:
    words = ("config", "replay", "n1", "--file", file_of(lived, SMALL), "--days", "0.25")
    done = lived(*words, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["current"]["largest_size"], report["proposed"]["largest_size"]) == (6, 3)
    assert report["proposed"]["config_hash"] == config_hash(SMALL)


def test_the_active_one_alone(lived: Desk) -> None:
    report = json.loads(lived("config", "replay", "n1", "--pool", "web", "--days", "0.25").stdout)
    assert (report["proposed"], report["pool"]) == (None, "web")


def test_people_get_a_table(lived: Desk) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # click's runner is no terminal
        patch.setattr("poolkeeper.commands_config_replay.prints_json", lambda asked: asked)
        done = lived("config", "replay", "n1", "--file", file_of(lived, SMALL), "--days", "0.25")
    assert re.search(r"as it was +active +new", done.stdout)
    assert re.search(r"largest size +4 +6 +3", done.stdout)
    assert "above 80 %" in done.stdout


def test_no_history_is_a_no(desk: Desk) -> None:
    desk.central.execute("DELETE FROM pool_analytics")
    done = desk("config", "replay", "n1")
    assert done.exit_code == 1
    assert "nothing to replay for pool web" in done.stderr
