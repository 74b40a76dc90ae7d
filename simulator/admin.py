"""The simulator's own API under /admin: JSON, unsigned, for callers on this machine only."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from ipaddress import ip_address
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from simulator.calls import error_reply
from simulator.clock import ScaledClock
from simulator.errors import ApiError, invalid, not_allowed
from simulator.faults import Faults
from simulator.replies import Reply, timestamp
from simulator.scenario import AutoscalingSpec, CurveSpec, KeySpec, PoolSpec, Scenario, StreamSpec
from simulator.world import World

Action = Callable[[World, bytes, dict[str, str]], object]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClockChange(_Body):
    """Move the clock forward by simulated seconds, or change how fast it runs."""

    advance_seconds: float | None = Field(default=None, ge=0)
    scale: float | None = Field(default=None, ge=0)


class DemandChange(_Body):
    """A new demand for a pool, from now on."""

    pool: str
    curve: CurveSpec


class PoolChange(_Body):
    """Something that an operator does to a pool behind the autoscaler's back."""

    action: Literal["resize", "stop", "start", "terminate", "lose"]
    size: int | None = Field(default=None, ge=0)
    instance_id: str | None = None


def routes(world: World) -> list[BaseRoute]:
    """Return the admin routes of a world."""
    table: list[tuple[str, str, Action]] = [
        ("GET", "/admin/state", _state),
        ("POST", "/admin/scenario", _play),
        ("POST", "/admin/pools", _add_pool),
        ("POST", "/admin/pools/{pool}", _change_pool),
        ("POST", "/admin/demand", _set_demand),
        ("POST", "/admin/streams", _add_stream),
        ("POST", "/admin/autoscaling", _add_autoscaling),
        ("POST", "/admin/keys", _register_key),
        ("GET", "/admin/faults", lambda world, _body, _path: world.faults.model_dump(mode="json")),
        ("PUT", "/admin/faults", _set_faults),
        ("PATCH", "/admin/faults", _merge_faults),
        ("POST", "/admin/clock", _move_clock),
        ("GET", "/admin/clock", lambda world, _body, _path: {"now": timestamp(world.now())}),
        ("GET", "/admin/requests", _requests),
        ("DELETE", "/admin/requests", _forget_requests),
    ]
    return [Route(path, _endpoint(world, act), methods=[verb]) for verb, path, act in table]


def _endpoint(world: World, act: Action) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        body = await request.body()
        try:
            if request.client is None or not ip_address(request.client.host).is_loopback:
                raise not_allowed()
            with world.lock:
                reply = Reply(act(world, body, dict(request.path_params)))
        except ApiError as error:
            reply = error_reply(error)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "body"
            reply = error_reply(invalid(f"{place}: {first['msg']}"))
        except ValueError as error:
            reply = error_reply(invalid(str(error)))
        return Response(reply.encoded(), reply.status, {"content-type": "application/json"})

    return serve


def _state(world: World, _body: bytes, _path: dict[str, str]) -> object:
    now = world.now()
    pools = []
    for pool in world.pools.values():
        seen = world.seen(pool, now) or pool.current
        workload = world.workload(pool)
        pools.append(
            {
                "id": pool.id,
                "name": pool.name,
                "compartment_id": pool.compartment_id,
                "region": pool.region,
                "state": seen.state,
                "size": seen.size,
                "running": seen.running,
                "demand": workload.demand.at(now),
                "instances": [
                    {"id": m.id, "state": m.state(now), "fault_domain": m.domain[1]}
                    for m in pool.counted(now)
                ],
                "history": [
                    {"at": timestamp(s.at), "size": s.size, "running": s.running, "state": s.state}
                    for s in pool.history
                ],
            }
        )
    return {"now": timestamp(now), "pools": pools, "requests": world.requests.by_operation()}


def _play(world: World, body: bytes, _path: dict[str, str]) -> object:
    world.play(Scenario.model_validate_json(body))
    return {"pools": [{"id": pool.id, "name": pool.name} for pool in world.pools.values()]}


def _add_pool(world: World, body: bytes, _path: dict[str, str]) -> object:
    pool = world.add_pool(PoolSpec.model_validate_json(body))
    return {"id": pool.id, "name": pool.name}


def _change_pool(world: World, body: bytes, path: dict[str, str]) -> object:
    change = PoolChange.model_validate_json(body)
    now = world.now()
    pool = world.pool(path["pool"])
    match change.action:
        case "resize":
            if change.size is None:
                raise invalid("size: required to resize")
            pool.resize(change.size, now)
        case "stop":
            pool.stop(now)
        case "start":
            pool.start(now)
        case "terminate":
            pool.terminate(now)
        case "lose":
            chosen = [m for m in pool.counted(now) if change.instance_id in (None, m.id)]
            if not chosen:
                raise invalid("instance_id: no such instance in the pool")
            pool.lose(chosen[0], now)
    return {"size": pool.size, "state": pool.current.state}


def _set_demand(world: World, body: bytes, _path: dict[str, str]) -> object:
    change = DemandChange.model_validate_json(body)
    world.set_demand(change.pool, change.curve)
    return {"pool": change.pool}


def _add_stream(world: World, body: bytes, _path: dict[str, str]) -> object:
    stream = world.add_stream(StreamSpec.model_validate_json(body))
    return {"namespace": stream.namespace, "name": stream.name}


def _add_autoscaling(world: World, body: bytes, _path: dict[str, str]) -> object:
    return {"id": world.add_autoscaling(AutoscalingSpec.model_validate_json(body)).id}


def _register_key(world: World, body: bytes, _path: dict[str, str]) -> object:
    key = KeySpec.model_validate_json(body)
    return {"key_id": world.register_key(key.tenancy, key.user, key.public_key).key_id}


def _set_faults(world: World, body: bytes, _path: dict[str, str]) -> object:
    world.faults = Faults.model_validate_json(body)
    return world.faults.model_dump(mode="json")


def _merge_faults(world: World, body: bytes, _path: dict[str, str]) -> object:
    changed = Faults.model_validate_json(body)
    world.faults = world.faults.model_copy(
        update={name: getattr(changed, name) for name in changed.model_fields_set}
    )
    return world.faults.model_dump(mode="json")


def _move_clock(world: World, body: bytes, _path: dict[str, str]) -> object:
    change = ClockChange.model_validate_json(body)
    if change.advance_seconds is not None:
        world.clock.advance(timedelta(seconds=change.advance_seconds))
    if change.scale is not None:
        if not isinstance(world.clock, ScaledClock):
            raise invalid("scale: this clock only moves in steps")
        world.clock.rescale(change.scale)
    return {"now": timestamp(world.now())}


def _requests(world: World, _body: bytes, _path: dict[str, str]) -> object:
    return {
        "counts": world.requests.by_operation(),
        "requests": [
            asdict(entry) | {"at": timestamp(entry.at), "wall": timestamp(entry.wall)}
            for entry in world.requests.entries
        ],
    }


def _forget_requests(world: World, _body: bytes, _path: dict[str, str]) -> object:
    world.requests.clear()
    return {"counts": {}}
