"""What the running agent tells about itself, as JSON: one document, read over loopback."""

from datetime import datetime, timedelta
from typing import Any

from agent.report import PoolReport
from agent.service import Agent
from agent.version import version
from shared.wire import HeartbeatAnswer

_STALE_POLLS = 3
_START_GRACE = timedelta(seconds=60)


def status_document(agent: Agent) -> dict[str, Any]:
    """Return everything: configuration, central, outbox, troubles, and each pool."""
    now = agent.now()
    well, reason = health(agent)
    return {
        "version": version(),
        "now": now.isoformat(),
        "healthy": well,
        "health": reason,
        "last_tick_at": _iso(agent.last_tick_at),
        "last_tick_seconds": round(agent.board.figures.last_tick_seconds, 3),
        "configuration": agent.configs.report.model_dump(mode="json"),
        "central": _central(agent),
        "outbox": _outbox(agent),
        "troubles": [*agent.ticker.troubles.values()],
        "pools": [
            _pool(report, at)
            for report, at in sorted(agent.board.pools().values(), key=lambda s: s[0].pool.name)
        ],
    }


def health(agent: Agent) -> tuple[bool, str]:
    """Say whether ticks go on, and why not when they do not.

    Being without central, OCI or metrics is no ill health: a restart would mend none of it.
    """
    running = agent.configs.running
    if running is None:
        return True, "waiting for a first configuration"
    allowed = _START_GRACE + _STALE_POLLS * running.config.poll_interval
    last = agent.last_tick_at or agent.started_at
    if last is None or agent.now() - last > allowed:
        told = f"no tick was completed since {_iso(last)}"
        return False, told
    return True, "ok"


def _central(agent: Agent) -> dict[str, Any] | None:
    central = agent.central
    if central is None:
        return None
    return {
        "url": agent.settings.central_url,
        "answered_at": _iso(central.answered_at),
        "error": central.error,
        "records_refused": agent.beats.rejected if agent.beats else 0,
        "duplicate": last.duplicate if (last := _last_answer(agent)) else False,
    }


def _last_answer(agent: Agent) -> HeartbeatAnswer | None:
    return agent.beats.last_answer if agent.beats else None


def _outbox(agent: Agent) -> dict[str, int]:
    outbox = agent.outbox
    return {"waiting": outbox.pending(), "dropped": outbox.dropped, "damaged": outbox.corrupt}


def _pool(report: PoolReport, at: datetime) -> dict[str, Any]:
    verdict = report.decision.verdict
    newest = verdict.reasons[-1] if verdict.reasons else None
    back = report.notes.backoff
    return {
        "name": report.pool.name,
        "id": report.pool.instance_pool_id,
        "at": at.isoformat(),
        "mode": report.pool.mode,
        "size": report.size,
        "running": report.active,
        "wanted": verdict.desired,
        "bounds": {"floor": verdict.bounds.floor, "ceiling": verdict.bounds.ceiling},
        "status": report.status,
        "code": newest.code.value if newest else None,
        "reason": newest.text if newest else None,
        "restraint": report.restraint.text if report.restraint else None,
        "cpu_percent": report.readings.cpu.mean if report.readings.cpu else None,
        "memory_percent": report.readings.memory.mean if report.readings.memory else None,
        "growth_waits_until": _iso(back.scale_out_until),
        "writes_wait_until": _iso(back.writes_until),
        "failure": report.notes.work_error or back.code or None,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
