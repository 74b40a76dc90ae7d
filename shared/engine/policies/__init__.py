"""Policy kinds: each module, named like its `type`, compiles a policy model into a voter.

A voter is a callable from a Scene to a Vote. A new kind is a model in
`shared.config.policy_models` and a module here with `compile(policy) -> Voter`.
"""

from importlib import import_module
from typing import Any, Protocol, cast

from shared.config.policy_models import Policy
from shared.engine.model import Vote
from shared.engine.policies.scene import Scene


class Voter(Protocol):
    """One policy, ready to vote."""

    def __call__(self, scene: Scene) -> Vote:
        """What the policy says about this tick."""


def voter_for(policy: Policy) -> Voter:
    """The voter of a policy: `compile` of the module that bears its type's name."""
    module: Any = import_module(f"{__name__}.{policy.type}")
    return cast("Voter", module.compile(policy))
