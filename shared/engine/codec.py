"""Observations, memories and decisions as JSON: for disk, for the wire, for the command line."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from shared.engine.inputs import memory_from_json, observation_from_json
from shared.engine.model import Decision, Edge, Memory, NoData, Observation, Resize, Vote, Wanted

__all__ = [
    "decision_to_json",
    "memory_from_json",
    "memory_to_json",
    "observation_from_json",
    "observation_to_json",
    "vote_to_json",
]

MEMORY_VERSION = 1


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def observation_to_json(seen: Observation) -> dict[str, Any]:
    """The observation as `poolkeeper decide --input` reads it."""
    pool = seen.pool
    return {
        "now": _iso(seen.now),
        "pool": pool
        and {
            "size": pool.size,
            "active": pool.active,
            "state": pool.state,
            "instances": pool.instances
            if pool.instances is None
            else [
                {"id": m.id, "state": m.state, "running_since": _iso(m.running_since)}
                for m in pool.instances
            ],
        },
        "problem": seen.problem,
        "metrics": {
            name: {
                "value": reading.value,
                "at": _iso(reading.at),
                "samples": reading.samples,
                "instances": None if reading.instances is None else dict(reading.instances),
                "history": [[_iso(at), value, count] for at, value, count in reading.history],
                "error": reading.error,
            }
            for name, reading in seen.metrics.items()
        },
        "blocked": seen.blocked
        and {
            "scale_out_until": _iso(seen.blocked.scale_out_until),
            "writes_until": _iso(seen.blocked.writes_until),
            "code": seen.blocked.code,
        },
        "guard": seen.guard
        and {"min": seen.guard.min, "max": seen.guard.max, "removable": seen.guard.removable},
        "last_write": seen.last_write
        and {"to": seen.last_write.to, "at": _iso(seen.last_write.at)},
        "elapsed": seen.elapsed,
    }


def memory_to_json(memory: Memory) -> dict[str, Any]:
    """The memory as plain JSON values, with its version."""
    return {
        "version": MEMORY_VERSION,
        "at": _iso(memory.at),
        "policies": memory.policies,
        "needs": [[_iso(run.first), _iso(run.last), run.need] for run in memory.needs],
        "counts": [[_iso(at), count] for at, count in memory.counts],
        "size": memory.size,
        "change": memory.change,
        "changed_at": _iso(memory.changed_at),
        "changing": memory.changing,
        "settled_at": _iso(memory.settled_at),
        "settled_out_at": _iso(memory.settled_out_at),
        "busy_since": _iso(memory.busy_since),
        "mode": memory.mode,
        "reentering": memory.reentering,
    }


def _edge(edge: Edge | None) -> dict[str, Any] | None:
    return None if edge is None else {"value": edge.value, "size": edge.size}


def vote_to_json(vote: Vote) -> dict[str, Any]:
    """A vote: `opinion` is wanted, no_data or no_opinion; three different things."""
    opinion = vote.opinion
    kind = "no_data" if isinstance(opinion, NoData) else "no_opinion"
    return {
        "policy": vote.policy,
        "opinion": "wanted" if isinstance(opinion, Wanted) else kind,
        "wanted": opinion.size if isinstance(opinion, Wanted) else None,
        "code": vote.reason.code.value,
        "text": vote.reason.text,
        "value": vote.value,
        "at": _iso(vote.at),
        "grows": _edge(vote.grows),
        "shrinks": _edge(vote.shrinks),
        "rejected": dict(vote.rejected),
    }


def decision_to_json(
    decision: Decision, outlook: Callable[[Decision], list[str]] | None = None
) -> dict[str, Any]:
    """A decision as scripts read it. With `outlook`, also what would make something happen."""
    verdict = decision.verdict
    action = "hold"
    if isinstance(decision, Resize):
        action = "scale_out" if decision.is_growth else "scale_in"
    return {
        "action": action,
        "cause": decision.cause if isinstance(decision, Resize) else None,
        "current": verdict.current,
        "desired": verdict.desired,
        "status": verdict.status,
        "reasons": [{"code": r.code.value, "text": r.text} for r in verdict.reasons],
        "votes": [vote_to_json(vote) for vote in verdict.votes],
        "bounds": {
            "floor": verdict.bounds.floor,
            "ceiling": verdict.bounds.ceiling,
            "override": verdict.bounds.override,
            "schedules": list(verdict.bounds.schedules),
        },
        "waits": [{"until": _iso(wait.until), "what": wait.what} for wait in verdict.waits],
        **({} if outlook is None else {"outlook": outlook(decision)}),
        "memory": memory_to_json(verdict.memory),
    }
