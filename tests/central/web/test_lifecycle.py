"""The page of what happened to nodes."""

import csv
import io
import re

from tests.central_server import RunningCentral
from tests.pages import Reader, shown

EVENTS = """
INSERT INTO node_lifecycle_logs (node_id, event_type, previous_status, new_status, reason,
    triggered_by, extra_data)
SELECT id, CAST(:event AS text), 'ACTIVE', 'OFFLINE', CAST(:reason AS text) || i, 'system',
    '{"text": "<b>bold</b>"}'
FROM nodes, generate_series(1, :count) AS i WHERE name = :node
"""


def happen(central: RunningCentral, node: str, event: str, count: int, reason: str = "r") -> None:
    central.execute(EVENTS, node=node, event=event, count=count, reason=reason)


def test_events_are_read_back_newest_first_page_by_page(
    central: RunningCentral, user: Reader
) -> None:
    central.create_node("n1")
    happen(central, "n1", "WENT_OFFLINE", 230, "silence ")
    seen: list[int] = []
    address: str | None = "/lifecycle"
    while address:
        text = user.open(address).text
        seen += [int(number) for number in re.findall(r"silence (\d+)<", text)]
        found = re.search(r'href="([^"]+)" rel="next"', text)
        address = found[1].replace("&amp;", "&") if found else None
    assert seen == list(range(230, 0, -1))


def test_a_node_and_an_event_narrow_it(central: RunningCentral, user: Reader) -> None:
    for node in ("n1", "n2"):
        central.create_node(node)
        happen(central, node, "WENT_OFFLINE", 1, f"{node} went ")
        happen(central, node, "CAME_ONLINE", 1, f"{node} came ")
    text = shown(user.open("/lifecycle?node=n1&event=CAME_ONLINE"))
    found = [words for words in ("n1 came", "n1 went", "n2 came", "n2 went") if words in text]
    assert found == ["n1 came"]
    assert "Nothing matches" in shown(user.open("/lifecycle?node=n1&event=NEVER"))
    api = user.central.operator("USER").get("/v1/lifecycle?event=CAME_ONLINE").json()
    assert {row["node"] for row in api} == {"n1", "n2"}


def test_what_agents_wrote_is_text(central: RunningCentral, user: Reader) -> None:
    central.create_node("n1")
    happen(central, "n1", "ODD", 1, "<img src=x onerror=alert(1)>\u202e")
    page = user.open("/lifecycle")
    assert "<img src=x" in shown(page)
    assert "<img src=x" not in page.text
    assert "<b>bold" not in page.text


def test_the_csv_holds_what_the_filters_let_through(central: RunningCentral, user: Reader) -> None:
    central.create_node("n1")
    happen(central, "n1", "WENT_OFFLINE", 3)
    happen(central, "n1", "CAME_ONLINE", 2)
    page = user.open("/lifecycle?event=CAME_ONLINE").text
    (link,) = re.findall(r'href="(/v1/lifecycle[^"]+)"', page)
    answer = user.open(link.replace("&amp;", "&"))
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["node"], row["event_type"]) for row in rows] == [("n1", "CAME_ONLINE")] * 2
