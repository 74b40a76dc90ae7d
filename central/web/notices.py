"""What a page says after a form did its work: a sentence, named by a word in the address."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse

NOTICES: Mapping[str, str] = MappingProxyType(
    {
        "deleted": "It was deleted.",
        "key-renewal-asked": "The agent renews its key with its next heartbeats.",
        "keys-revoked": "The keys were revoked; they fail on every replica within a second.",
        "maintenance-began": "Maintenance began: silence is expected of this node.",
        "maintenance-ended": "Maintenance ended: heartbeats are expected again.",
        "retried": "The configuration is offered to the node again with its next heartbeat.",
        "saved": "Saved: the node takes it with its next heartbeat.",
        "rolled-back": "Rolled back: the node takes the earlier text with its next heartbeat.",
        "adoption-asked": "The node is asked for what it runs; its next heartbeat brings it.",
        "token-revoked": "The enrolment token was revoked.",
        "user-changed": "The account was changed.",
        "user-created": "The account was made.",
        "user-linked": "The account signs in through Keycloak from now on.",
        "password-reset": "The account has a new password, and its sessions ended.",
        "sessions-ended": "The sessions ended.",
        "session-ended": "The session ended.",
        "halted": "The roll-out was halted: no further node gets the patch.",
        "resumed": "The roll-out goes on.",
        "started": "The roll-out has begun.",
        "edited": "The configuration was changed; the node gets it with its next heartbeat.",
        "retention-changed": "The retention was changed; what is older goes within the hour.",
    }
)


def notice_of(request: Request) -> str | None:
    """The sentence that an address asks for; None for a word that is none of ours."""
    return NOTICES.get(request.query_params.get("done", ""))


def see(path: str, done: str | None = None, **query: str) -> RedirectResponse:
    """Send the browser to a page after a form, with what was done."""
    asked = {**query, **({} if done is None else {"done": done})}
    return RedirectResponse(f"{path}?{urlencode(asked)}" if asked else path, status_code=303)
