"""Adopting what a node runs, when central knows less: a restored backup, or a local file."""

from fastapi import APIRouter

from central.deps import Editor, Parts, Reader, audited, aware
from central.store import adoptions
from central.store.audit import Event
from shared.wire_edits import Adoption

router = APIRouter(prefix="/v1/nodes/{name}/config/adopt", tags=["configurations"])


@router.post("")
def adopt_config(name: str, deps: Parts, actor: Editor, take_over: bool = False) -> Adoption:
    """Ask the node's agent for what it runs, with the answer to its next heartbeat.

    What it sends is validated and becomes the active version, unless another was pushed meanwhile.
    """
    event = Event("CONFIG_ADOPTION_ASKED", "CONFIG", "node", None, name)
    with audited(deps, actor, event) as connection:
        adoptions.ask(connection, name, actor, take_over=take_over)
    return adoption(name, deps, actor)


@router.get("")
def adoption(name: str, deps: Parts, _actor: Reader) -> Adoption:
    """What became of the newest adoption."""
    with deps.engine.connect() as connection:
        return Adoption.model_validate(aware(adoptions.show(connection, name)))
