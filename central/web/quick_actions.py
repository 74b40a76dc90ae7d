"""Quick actions on a pool: a form becomes an edit of the YAML, shown before it is made."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response

from central.deps import Deps, Editor, Parts
from central.errors import ApiError
from central.routes.config_edits import edit_config
from central.store import fleet, pool_page
from central.store.audit import Actor
from central.web.diffs import diff_view
from central.web.forms import Form, PageForm, checked
from central.web.notices import see
from central.web.rendering import page
from shared.config.models import Config, Schedule
from shared.wire_edits import EditedConfig, EditRequest

router = APIRouter(prefix="/pools/{number}", tags=["pages"], include_in_schema=False)
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
UNITS = {"minutes": 60, "hours": 3600, "days": 86_400}
LONGEST = 366 * 86_400
FIELDS = (
    *("kind", "target", "lasts", "unit", "reason", "mode", "min", "max", "schedule", "active"),
    *("name", "days", "start", "end", "size", "bound"),
)


@router.post("/preview")
def preview(
    request: Request, number: Number, deps: Parts, actor: Editor, form: PageForm
) -> Response:
    """What an action would change; nothing is changed yet."""
    with deps.engine.connect() as connection:
        pool = pool_page.by_number(connection, number)
        config = deps.known_configs.config_of(connection, pool["active_hash"])
        now = fleet.database_now(connection)
    try:
        wish = _wish([_edit_of(form, pool["name"], now)], dry_run=True)
        shown = edit_config(pool["node"], deps, actor, wish)
    except ApiError as error:
        values = actions_of(pool, config, now)
        values["typed"] |= {name: form.raw(name) for name in FIELDS if form.all(name)}
        values |= {"pool": pool, "back": pool_path(pool), "problem": error}
        return page(request, "quick_actions.html", status=error.status, **values)
    return _shown(request, pool, wish, shown)


@router.post("/edit")
def make(request: Request, number: Number, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Make what was shown; if the configuration is another one by now, show it anew."""
    with deps.engine.connect() as connection:
        pool = pool_page.by_number(connection, number)
    allowed = form.number("allow_shrink", "Instances that may end", default=0)
    wish = _wish(_edits_in(form), allow_shrink=allowed)
    try:
        edit_config(pool["node"], deps, actor, wish, form.get("base"))
    except ApiError as error:
        return _once_more(request, deps, actor, pool, wish, error)
    return see(pool_path(pool), "edited")


def pool_path(pool: dict[str, Any]) -> str:
    """The address of a pool's page."""
    return f"/nodes/{quote(pool['node'])}/pools/{quote(pool['name'])}"


def actions_of(pool: dict[str, Any], config: Config | None, now: datetime) -> dict[str, Any]:
    """What the forms of a page show: schedules, the override in force, what fields begin with."""
    name = pool["name"]
    schedules = [] if config is None else [one for one in config.schedules if _concerns(one, name)]
    leases = [] if config is None else [one for one in config.overrides if one.pool == name]
    in_force = (lease for lease in leases if lease.until > now.replace(tzinfo=UTC))
    typed = dict.fromkeys(FIELDS, "")
    typed |= {"lasts": "2", "unit": "hours", "days": "mon-fri", "bound": "at_least"}
    typed |= {"min": str(pool["min_instances"]), "max": str(pool["max_instances"])}
    return {
        "schedules": schedules,
        "override": next(in_force, None),
        "typed": typed,
        "units": tuple(UNITS),
    }


def _concerns(schedule: Schedule, pool: str) -> bool:
    return schedule.pools is None or pool in schedule.pools


def _edit_of(form: Form, pool: str, now: datetime) -> dict[str, Any]:
    """The edit that a form asks for.

    Raises:
        ApiError: 422 naming the field.
    """
    match form.get("kind"):
        case "override":
            return _override(form, pool, now)
        case "end_override":
            return {"kind": "end_override", "pool": pool}
        case "mode":
            return {"kind": "mode", "pool": pool, "mode": form.get("mode")}
        case "limits":
            least, most = form.number("min", "Fewest"), form.number("max", "Most")
            return {"kind": "limits", "pool": pool, "min": least, "max": most}
        case "schedule_active":
            active = form.get("active") == "yes"
            return {"kind": "schedule_active", "schedule": form.get("schedule"), "active": active}
        case "add_schedule":
            return {"kind": "add_schedule", "schedule": _schedule(form, pool)}
    raise ApiError(422, "invalid", "Say what to do: there is no such action.")


def _override(form: Form, pool: str, now: datetime) -> dict[str, Any]:
    seconds = form.number("lasts", "For how long") * UNITS.get(form.get("unit"), 0)
    if not 0 < seconds <= LONGEST:
        raise ApiError(422, "invalid", "For how long: from 1 minute to 366 days.")
    until = now.replace(microsecond=0) + timedelta(seconds=seconds)
    return {
        "kind": "override",
        "pool": pool,
        "target_instances": form.number("target", "Instances"),
        "until": f"{until.isoformat()}Z",
        "reason": form.get("reason"),
    }


def _schedule(form: Form, pool: str) -> dict[str, Any]:
    return {
        "name": form.get("name"),
        "pools": [pool],
        "days": form.get("days").replace(",", " ").split(),
        "start": form.get("start"),
        "end": form.get("end"),
        "target_instances": form.number("size", "Instances"),
        "mode": form.get("bound"),
    }


def _edits_in(form: Form) -> Any:
    try:
        return json.loads(form.raw("edits"))
    except ValueError:
        raise ApiError(422, "invalid", "The edits of the form cannot be read.") from None


def _wish(edits: Any, *, dry_run: bool = False, allow_shrink: int = 0) -> EditRequest:
    values = {"edits": edits, "dry_run": dry_run, "allow_shrink": allow_shrink}
    return checked(EditRequest, values)


def _once_more(  # a page, its parts, its pool, and what went wrong
    request: Request,
    deps: Deps,
    actor: Actor,
    pool: dict[str, Any],
    wish: EditRequest,
    error: ApiError,
) -> Response:
    """The preview again, of the configuration as it is now, with why the edit was not made."""
    again = wish.model_copy(update={"dry_run": True})
    shown = edit_config(pool["node"], deps, actor, again)
    return _shown(request, pool, again, shown, error)


def _shown(
    request: Request,
    pool: dict[str, Any],
    wish: EditRequest,
    shown: EditedConfig,
    problem: ApiError | None = None,
) -> Response:
    edits = [edit.model_dump(mode="json") for edit in wish.edits]
    return page(
        request,
        "quick_preview.html",
        status=200 if problem is None else problem.status,
        pool=pool,
        back=pool_path(pool),
        shown=shown,
        diff=diff_view(shown.diff),
        edits=json.dumps(edits),
        terminated=sum(loss.terminates for loss in shown.terminates),
        problem=problem,
    )
