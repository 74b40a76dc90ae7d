"""Quick actions: a form is shown as a diff first, made once, and refused with what was typed."""

import html
import re
from collections.abc import Mapping

import pytest

from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG
from tests.pages import Reader, shown

YAML = (
    CONFIG.replace("limits:", "limits:  # agreed with the shop\n     ")
    + """\
schedules:
  - {name: day, pools: [web], start: "08:00", end: "18:00", target_instances: 6}  # shop hours
  - {name: everywhere, start: "01:00", end: "02:00", target_instances: 3}
"""
)


@pytest.fixture
def pool(central: RunningCentral) -> str:
    """The address under which the forms of a pool of 12 instances are sent."""
    central.create_node("n1")
    central.push("n1", YAML)
    central.execute("UPDATE pools SET current_instances = 12, last_analytics_at = now()")
    return f"/pools/{central.rows('SELECT id FROM pools')[0]['id']}"


def active(central: RunningCentral) -> str:
    text: str = central.operator().get("/v1/nodes/n1/config").text
    return text


def hidden(text: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', text)
    assert found is not None, f"no field {name}"
    return html.unescape(found[1])


def confirm(reader: Reader, pool: str, text: str, **more: str) -> str:
    """Press the button of a preview."""
    fields = {name: hidden(text, name) for name in ("edits", "base")}
    return reader.done(f"{pool}/edit", **fields, **more)


ACTIONS: dict[str, tuple[dict[str, str], str]] = {
    "pause": ({"kind": "mode", "mode": "paused"}, "mode: paused"),
    "observe": ({"kind": "mode", "mode": "observe"}, "mode: observe"),
    "limits": ({"kind": "limits", "min": "3", "max": "30"}, "{min: 3, max: 30}"),
    "suspend": ({"kind": "schedule_active", "schedule": "day", "active": "no"}, "active: false"),
    "override": (
        {"kind": "override", "target": "15", "lasts": "90", "unit": "minutes", "reason": "a fair"},
        "target_instances: 15",
    ),
    "schedule": (
        {
            "kind": "add_schedule",
            "name": "night",
            "days": "sat, sun",
            "start": "22:00",
            "end": "06:00",
            "size": "4",
            "bound": "at_most",
        },
        "name: night",
    ),
}


@pytest.mark.parametrize(("fields", "written"), ACTIONS.values(), ids=ACTIONS.keys())
def test_an_action_is_shown_then_made_and_keeps_the_comments(
    central: RunningCentral, devops: Reader, pool: str, fields: dict[str, str], written: str
) -> None:
    answer = devops.send(f"{pool}/preview", **fields)
    assert answer.status_code == 200, shown(answer)
    assert written in shown(answer)
    assert "It terminates no instance that runs now." in shown(answer)
    assert active(central) == YAML, "looking changes nothing"
    text = confirm(devops, pool, answer.text)
    assert "The configuration was changed" in text
    made = active(central)
    assert written in made
    for comment in ("# agreed with the shop", "# shop hours"):
        assert comment in made


def test_an_override_lasts_as_long_as_was_said_and_can_be_ended(
    central: RunningCentral, devops: Reader, pool: str
) -> None:
    preview = devops.send(f"{pool}/preview", **ACTIONS["override"][0])
    text = confirm(devops, pool, preview.text)
    assert "An override holds it at 15: a fair" in text
    (until,) = re.findall(r'until: "?([0-9T:Z-]+)"?', active(central))
    asked = "SELECT abs(extract(epoch FROM CAST(:until AS timestamptz) - now()) - 5400) AS off"
    assert central.rows(asked, until=until)[0]["off"] < 60
    assert "Held at 15 until" in text
    ended = devops.send(f"{pool}/preview", kind="end_override")
    confirm(devops, pool, ended.text)
    assert "overrides" not in active(central) or "a fair" not in active(central)


def test_instances_end_only_when_that_was_agreed_to(
    central: RunningCentral, devops: Reader, pool: str
) -> None:
    preview = devops.send(f"{pool}/preview", kind="limits", min="2", max="6")
    assert "This terminates 6 of 12 instances in web now. Type 6 to agree" in shown(preview)
    fields = {name: hidden(preview.text, name) for name in ("edits", "base")}
    refused = devops.send(f"{pool}/edit", **fields)
    assert refused.status_code == 409
    assert "This configuration terminates 6 of 12 instances in web now" in shown(refused)
    assert active(central) == YAML
    confirm(devops, pool, refused.text, allow_shrink="6")
    assert "{min: 2, max: 6}" in active(central)


def test_what_somebody_else_changed_meanwhile_is_shown_first(
    central: RunningCentral, devops: Reader, pool: str
) -> None:
    preview = devops.send(f"{pool}/preview", kind="mode", mode="paused")
    central.push("n1", YAML + "# theirs\n")
    fields = {name: hidden(preview.text, name) for name in ("edits", "base")}
    conflict = devops.send(f"{pool}/edit", **fields)
    assert conflict.status_code == 412
    assert "was changed by somebody else" in shown(conflict)
    assert "mode: paused" in shown(conflict), "the action is still there, on what is active now"
    confirm(devops, pool, conflict.text)
    assert "# theirs" in active(central)
    assert "mode: paused" in active(central)


def test_what_is_so_already_is_said_and_nothing_is_made(
    central: RunningCentral, devops: Reader, pool: str
) -> None:
    answer = devops.send(f"{pool}/preview", kind="limits", min="2", max="20")
    assert "Nothing: it is so already." in shown(answer)
    assert "Make this change" not in answer.text


BAD: list[tuple[Mapping[str, str], str]] = [
    ({"kind": "limits", "min": "9", "max": "4"}, "min (9) is above max (4)"),
    ({"kind": "limits", "min": "many", "max": "4"}, "Fewest: write a whole number."),
    ({"kind": "mode", "mode": "asleep"}, "mode"),
    ({"kind": "schedule_active", "schedule": "none", "active": "no"}, "none"),
    (
        {"kind": "override", "target": "15", "lasts": "0", "unit": "hours", "reason": "x"},
        "For how long: from 1 minute to 366 days.",
    ),
    (
        {"kind": "override", "target": "15", "lasts": "1", "unit": "years", "reason": "x"},
        "For how long",
    ),
    (
        {"kind": "override", "target": "15", "lasts": "2", "unit": "hours", "reason": ""},
        "reason",
    ),
    (
        {"kind": "override", "target": "99", "lasts": "2", "unit": "hours", "reason": "x"},
        "99",
    ),
    ({"kind": "explode"}, "Say what to do"),
    ({}, "Say what to do"),
]


@pytest.mark.parametrize(("fields", "why"), BAD)
def test_a_form_that_does_not_fit_comes_back_with_why_and_what_was_typed(
    central: RunningCentral, devops: Reader, pool: str, fields: dict[str, str], why: str
) -> None:
    answer = devops.send(f"{pool}/preview", **fields)
    assert answer.status_code == 422
    assert why in shown(answer)
    assert "Nothing was changed." in shown(answer)
    for name in ("min", "max", "target"):
        if name in fields:
            assert f'name="{name}" min="0" required value="{fields[name]}"' in answer.text
    assert active(central) == YAML


@pytest.mark.parametrize("edits", ["", "{", "[]", '[{"kind": "mode"}]', '"x"'])
def test_a_confirmation_that_was_tampered_with_is_refused(
    central: RunningCentral, devops: Reader, pool: str, edits: str
) -> None:
    assert devops.send(f"{pool}/edit", edits=edits, base="x").status_code == 422
    assert active(central) == YAML


def test_hostile_text_is_text_in_the_diff(devops: Reader, pool: str) -> None:
    fields = ACTIONS["override"][0] | {"reason": "</pre><script>alert(1)</script> # {{ 7*7 }}"}
    answer = devops.send(f"{pool}/preview", **fields)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "# {{ 7*7 }}" in html.unescape(answer.text)
    assert "</pre><script>alert(1)</script> # {{ 7*7 }}" in html.unescape(
        hidden(answer.text, "edits")
    )


def test_a_suspended_schedule_and_one_that_concerns_more_are_marked(
    central: RunningCentral, devops: Reader, pool: str
) -> None:
    preview = devops.send(f"{pool}/preview", **ACTIONS["suspend"][0])
    text = confirm(devops, pool, preview.text)
    assert "day suspended Let it apply again" in text
    assert "everywhere concerns other pools too" in text


def test_readers_may_neither_look_at_nor_make_an_action(
    central: RunningCentral, user: Reader, pool: str
) -> None:
    for what in ("preview", "edit"):
        assert user.send(f"{pool}/{what}", kind="mode", mode="paused").status_code == 403
    assert active(central) == YAML


def test_an_override_that_has_ended_by_itself_is_not_told(
    central: RunningCentral, devops: Reader
) -> None:
    central.create_node("n1")
    lease = "{pool: web, target_instances: 9, until: 2026-01-01T00:00:00Z, reason: a fair}"
    central.push("n1", f"{CONFIG}overrides:\n  - {lease}\n")
    text = shown(devops.open("/nodes/n1/pools/web"))
    assert "a fair" not in text
