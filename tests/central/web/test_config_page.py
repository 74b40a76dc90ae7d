"""The pages of a node's configuration: edited, reviewed, saved, rolled back; nothing is lost."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from shared.config.hashing import config_hash
from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG, WEB, analytics, beat
from tests.pages import Reader, shown

POLICY = "    policies: [{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}]\n"
SCALED = CONFIG + POLICY
SMALL = SCALED.replace("max: 20", "max: 3")
LARGER = SCALED.replace("max: 20", "max: 30")
PATH = "/nodes/n1/config"
HOSTILE = '</textarea><script>alert(1)</script>"&#0;'
HISTORY = """
INSERT INTO pool_analytics (pool_id, node_id, oracle_pool_id, timestamp, received_at,
  current_instances, active_instances, avg_cpu_utilization, avg_memory_utilization)
SELECT p.id, p.node_id, p.oracle_pool_id, at, now(), 4, 4, 90, 50
FROM pools p, generate_series(:start, :end, interval '1 minute') at
"""


@pytest.fixture
def store(central: RunningCentral) -> RunningCentral:
    key = central.create_node("n1")
    central.push("n1", SCALED)
    with central.client(key) as agent:
        agent.post("/v1/heartbeat", json=beat(1, analytics(1, current_instances=12)))
    return central


def text_of(page: str) -> str:
    """What stands in the page's textarea, as a browser reads it."""
    found = re.search(r'<textarea[^>]*name="yaml"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found, page[:2000]
    return html.unescape(found[1])


def base_of(page: str) -> str:
    found = re.search(r'name="base_hash" value="([^"]*)"', page)
    assert found, page[:2000]
    return found[1]


def active(store: RunningCentral) -> str:
    return store.operator().get("/v1/nodes/n1/config").text


# the editor --------------------------------------------------------------------------------------


def test_the_editor_holds_the_active_text_and_tells_whose_it_is(
    store: RunningCentral, devops: Reader
) -> None:
    page = devops.open(PATH)
    assert text_of(page.text) == SCALED
    assert base_of(page.text) == config_hash(SCALED)
    words = shown(page)
    assert "Generation 1" in words
    assert "by admin@example.com" in words
    assert "pending" in words
    assert 'check="/v1/config/check"' in page.text
    assert "Review …" in words


EXACT = ["\n\n" + CONFIG, CONFIG + "# ümläut <b> &amp; \U0001f600\n\n", "#  \n" + CONFIG + "#"]


@pytest.mark.parametrize("text", EXACT)
def test_what_stands_in_the_editor_is_the_text_to_the_last_letter(
    store: RunningCentral, devops: Reader, text: str
) -> None:
    store.push("n1", text)
    assert text_of(devops.open(PATH).text) == text


def test_who_may_only_read_gets_no_button_and_no_check(store: RunningCentral, user: Reader) -> None:
    page = user.open(PATH)
    assert text_of(page.text) == SCALED
    assert "Review …" not in shown(page)
    assert "readonly" in page.text
    assert "changing them takes DEVOPS" in shown(page)
    assert user.send(f"{PATH}/review", yaml=SMALL).status_code == 403
    assert user.send(PATH, yaml=SMALL).status_code == 403


def test_the_first_configuration_is_written_in_the_editor(
    central: RunningCentral, devops: Reader
) -> None:
    central.create_node("n1")
    page = devops.open(PATH)
    assert "no configuration yet" in shown(page)
    assert (text_of(page.text), base_of(page.text)) == ("", "")
    assert "The first configuration" in shown(devops.send(f"{PATH}/review", yaml=CONFIG))
    words = devops.done(PATH, yaml=CONFIG, base_hash="")
    assert "Saved: the node takes it" in words
    assert active(central) == CONFIG


def test_an_unknown_node_has_no_editor(central: RunningCentral, user: Reader) -> None:
    for path in ("", "/history", "/state", "/versions/1"):
        assert user.get(f"/nodes/nobody/config{path}").status_code == 404


def test_hostile_text_stays_text(store: RunningCentral, devops: Reader) -> None:
    text = f"{SCALED}# {HOSTILE}\n"
    for page in (
        devops.send(f"{PATH}/review", yaml=text, base_hash=config_hash(SCALED)),
        devops.send(f"{PATH}/review", yaml=f"x: {text}", base_hash=config_hash(SCALED)),
        devops.send(PATH, yaml=text, base_hash=config_hash(CONFIG)),
    ):
        assert "<script>alert" not in page.text
        assert HOSTILE in text_of(page.text)
    store.push("n1", text)
    for path in ("", "/history", "/versions/2"):
        assert "<script>alert" not in devops.open(PATH + path).text


# the review --------------------------------------------------------------------------------------


def test_a_review_shows_diff_losses_lints_and_asks_for_the_number(
    store: RunningCentral, devops: Reader
) -> None:
    page = devops.send(f"{PATH}/review", yaml=SMALL, base_hash=config_hash(SCALED))
    words = shown(page)
    assert page.status_code == 200
    assert '<span class="line del">-    limits: {min: 2, max: 20}</span>' in page.text
    assert '<span class="line add">+    limits: {min: 2, max: 3}</span>' in page.text
    assert "This terminates 9 of 12 instances in web now." in words
    assert "Type 9 to agree" in words
    assert "the limits hold at all times" in words
    assert 'hx-post="/nodes/n1/config/replay"' in page.text
    assert text_of(page.text) == SMALL
    assert active(store) == SCALED


def test_schedules_of_the_next_14_days_are_in_the_review(
    store: RunningCentral, devops: Reader
) -> None:
    schedules = "schedules: [{name: day, start: '08:00', end: '18:00', target_instances: 5}]\n"
    text = SCALED + schedules
    words = shown(devops.send(f"{PATH}/review", yaml=text, base_hash=config_hash(SCALED)))
    assert "The next 14 days" in words
    assert "web : differs from now, 28 changes of its bounds" in words
    assert "08:00" in words


def test_a_mistake_brings_the_editor_back_with_its_place(
    store: RunningCentral, devops: Reader
) -> None:
    wrong = SCALED.replace("limits:", "limit:")
    for path in (f"{PATH}/review", PATH):
        page = devops.send(path, yaml=wrong, base_hash=config_hash(SCALED))
        assert page.status_code == 422
        assert "line 7, column 5: pools[0].limit : unknown key; did you mean 'limits'?" in shown(
            page
        )
        assert text_of(page.text) == wrong
        assert base_of(page.text) == config_hash(SCALED)
    assert active(store) == SCALED


def test_the_same_text_leaves_nothing_to_save(store: RunningCentral, devops: Reader) -> None:
    words = shown(devops.send(f"{PATH}/review", yaml=SCALED, base_hash=config_hash(SCALED)))
    assert "there is nothing to save" in words
    assert "Save and activate" not in words


def test_one_may_edit_further_with_the_same_text(store: RunningCentral, devops: Reader) -> None:
    base = config_hash(SCALED)
    page = devops.send(f"{PATH}/review", yaml=SMALL, base_hash=base, step="edit")
    assert (page.status_code, text_of(page.text), base_of(page.text)) == (200, SMALL, base)


# saving ------------------------------------------------------------------------------------------


def test_saving_activates_and_shows_the_way_to_in_sync(
    store: RunningCentral, devops: Reader
) -> None:
    words = devops.done(PATH, yaml=LARGER.replace("\n", "\r\n"), base_hash=config_hash(SCALED))
    assert "Saved: the node takes it with its next heartbeat." in words
    assert "pending" in words
    assert active(store) == LARGER  # the form's line ends are not the text's
    row = store.rows("SELECT user_email, action FROM audit_logs ORDER BY id DESC LIMIT 1")[0]
    assert row == {"user_email": "devops@pages.example", "action": "CONFIG_PUSHED"}
    store.execute("UPDATE node_state SET running_hash = active_hash")
    assert "in sync" in shown(devops.open(f"{PATH}/state"))


AGREED = [("", 409), ("8", 409), ("9", 303), ("nine", 422), ("-1", 422)]


@pytest.mark.parametrize(("typed", "status"), AGREED)
def test_instances_are_only_lost_when_their_number_was_typed(
    store: RunningCentral, devops: Reader, typed: str, status: int
) -> None:
    page = devops.send(PATH, yaml=SMALL, base_hash=config_hash(SCALED), allow_shrink=typed)
    assert page.status_code == status
    if status != 303:
        assert "Type 9 to agree" in shown(page)
        assert text_of(page.text) == SMALL
    assert active(store) == (SMALL if status == 303 else SCALED)


def test_a_pool_of_a_silent_node_may_be_taken_over(store: RunningCentral, devops: Reader) -> None:
    store.create_node("n2")
    store.execute("UPDATE nodes SET status = 'OFFLINE' WHERE name = 'n1'")
    review = devops.send("/nodes/n2/config/review", yaml=SCALED)
    assert "belongs to node n1" in shown(review)
    refused = devops.send("/nodes/n2/config", yaml=SCALED)
    assert (refused.status_code, text_of(refused.text)) == (409, SCALED)
    assert "Saved" in devops.done("/nodes/n2/config", yaml=SCALED, take_over="yes")


def test_what_a_take_over_terminates_is_asked_for_too(
    store: RunningCentral, devops: Reader
) -> None:
    store.create_node("n2")
    store.execute("UPDATE nodes SET status = 'OFFLINE' WHERE name = 'n1'")
    assert "Type 9 to agree" in shown(devops.send("/nodes/n2/config/review", yaml=SMALL))
    agreed = {"take_over": "yes", "allow_shrink": "9"}
    assert "Saved" in devops.done("/nodes/n2/config", yaml=SMALL, **agreed)


@pytest.mark.parametrize("path", [f"{PATH}/review", PATH])
def test_a_change_of_somebody_else_is_a_conflict_and_nothing_is_lost(
    store: RunningCentral, devops: Reader, path: str
) -> None:
    mine = SCALED + "# mine\n"
    store.push("n1", LARGER)
    page = devops.send(path, yaml=mine, base_hash=config_hash(SCALED))
    words = shown(page)
    assert page.status_code == 412
    assert "Somebody saved meanwhile" in words
    assert "admin@example.com saved generation 2" in words
    theirs, own = page.text.index("What they changed"), page.text.index("What saving your text")
    assert '<span class="line add">+    limits: {min: 2, max: 30}</span>' in page.text[theirs:own]
    assert '<span class="line add">+# mine</span>' in page.text[own:]
    assert '<span class="line del">-    limits: {min: 2, max: 30}</span>' in page.text[own:]
    assert text_of(page.text) == mine
    assert base_of(page.text) == config_hash(LARGER)
    assert active(store) == LARGER
    again = devops.send(f"{PATH}/review", yaml=mine, base_hash=base_of(page.text))
    assert again.status_code == 200


# the replay --------------------------------------------------------------------------------------


@pytest.fixture
def lived(store: RunningCentral) -> RunningCentral:
    end = datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)
    store.execute("DELETE FROM pool_analytics")
    store.execute(HISTORY, start=end - timedelta(hours=24), end=end)
    return store


def test_the_replay_of_the_new_text_stands_beside_the_active_one(
    lived: RunningCentral, user: Reader
) -> None:
    page = user.send(f"{PATH}/replay", yaml=SMALL, pool="web", days="1")
    words = shown(page)
    assert page.status_code == 200
    assert "Replay of web on n1" in words  # a whole page without scripts
    assert "Active, replayed This text, replayed" in words
    assert re.search(r"Instance-hours 9[56]\.\d 14\d\.\d 7\d\.\d", words)
    assert re.search(r"Largest size 4 6 3", words)
    for kind in ("recorded", "current", "proposed"):
        assert re.search(rf'<polyline class="{kind}" points="34,', page.text)
    assert "style=" not in page.text
    fragment = user.fragment(f"{PATH}/replay", yaml=SMALL, pool="web", days="1")
    assert fragment.startswith("<div")
    assert "<html" not in fragment


def test_a_replay_without_history_says_so(store: RunningCentral, user: Reader) -> None:
    store.execute("DELETE FROM pool_analytics")
    assert "nothing to replay for pool web" in user.fragment(f"{PATH}/replay", yaml=SMALL)


# history and rolling back ------------------------------------------------------------------------


def test_every_version_is_listed_with_who_and_what_it_changed(
    store: RunningCentral, user: Reader
) -> None:
    store.push("n1", LARGER)
    words = shown(user.open(f"{PATH}/history"))
    assert re.search(r"2 active \w{8} .*admin@example.com .* 1 \w{8}", words)
    assert "Roll back" not in words
    version = user.open(f"{PATH}/versions/2")
    assert '<span class="line add">+    limits: {min: 2, max: 30}</span>' in version.text
    first = shown(user.open(f"{PATH}/versions/1"))
    assert f"{len(SCALED.splitlines())} lines added, 0 removed" in first


def test_a_long_history_is_turned_page_by_page(store: RunningCentral, user: Reader) -> None:
    store.execute(
        "INSERT INTO node_configurations (node_id, yaml_config, config_hash, is_active, generation)"
        " SELECT id, 'x', md5(i::text), false, i FROM nodes, generate_series(2, 70) i"
    )
    seen: list[int] = []
    address: str | None = f"{PATH}/history"
    while address:
        page = user.open(address).text
        seen += [
            int(n) for n in re.findall(r'<th scope="row"><a href="[^"]*/versions/(\d+)"', page)
        ]
        found = re.search(r'href="([^"]+)" rel="next"', page)
        address = found[1] if found else None
    assert seen == list(range(70, 0, -1))


def test_going_back_is_shown_asked_and_done(store: RunningCentral, devops: Reader) -> None:
    store.push("n1", LARGER)
    assert f"{PATH}/rollback?generation=1" in devops.open(f"{PATH}/history").text
    question = devops.open(f"{PATH}/rollback?generation=1")
    assert "Roll n1 back to generation 1?" in shown(question)
    assert '<span class="line add">+    limits: {min: 2, max: 20}</span>' in question.text
    words = devops.done(f"{PATH}/rollback", generation="1")
    assert "Rolled back" in words
    assert "a roll-back to generation 1" in words
    assert active(store) == SCALED


def test_going_back_also_asks_for_the_number(store: RunningCentral, devops: Reader) -> None:
    store.push("n1", SMALL, allow_shrink=9)
    store.push("n1", LARGER)
    assert "Type 9 to agree" in shown(devops.open(f"{PATH}/rollback?generation=2"))
    refused = devops.send(f"{PATH}/rollback", generation="2")
    assert refused.status_code == 409
    assert "Type 9 to agree" in shown(refused)
    assert "Rolled back" in devops.done(f"{PATH}/rollback", generation="2", allow_shrink="9")


def test_going_back_to_what_is_active_is_nothing_to_do(
    store: RunningCentral, devops: Reader
) -> None:
    assert "there is nothing to do" in shown(devops.open(f"{PATH}/rollback?generation=1"))
    assert devops.get(f"{PATH}/rollback?generation=99").status_code == 404


def test_what_the_node_refused_is_said_with_a_way_to_offer_it_again(
    store: RunningCentral, devops: Reader, user: Reader
) -> None:
    store.execute(
        "UPDATE node_state SET failed_hash = active_hash, apply_status = 'failed', "
        "apply_error = 'no such <pool>'"
    )
    page = devops.open(PATH)
    assert "keeps its last good one: no such <pool>" in shown(page)
    assert 'action="/nodes/n1/retry"' in page.text
    assert 'action="/nodes/n1/retry"' not in user.open(PATH).text


def test_what_a_node_runs_can_be_adopted_when_central_is_behind(
    store: RunningCentral, devops: Reader
) -> None:
    store.execute("UPDATE node_state SET reported_generation = 9")
    page = devops.open(PATH)
    assert "Central is behind: the node runs generation 9, central knows 1." in shown(page)
    assert 'action="/nodes/n1/config/adopt"' in page.text


def test_names_of_pools_are_text_wherever_they_stand(store: RunningCentral, devops: Reader) -> None:
    odd = SCALED.replace(WEB, WEB + "2").replace("name: web", 'name: "a/b-<i>"')
    page = devops.send(f"{PATH}/review", yaml=odd, base_hash=config_hash(SCALED))
    assert page.status_code in (200, 422)  # the loader decides which names there are
    assert "<i>" not in page.text
