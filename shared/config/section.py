"""What every mapping of the file has in common."""

from pydantic import BaseModel, ConfigDict


class InconsistentError(ValueError):
    """Values that are each legal but do not fit together; raised by a section about its keys.

    Attributes:
        at: where below the section to point, when one key is the one to mend.
    """

    def __init__(self, message: str, *at: str | int) -> None:
        self.at = at
        super().__init__(message)


class Section(BaseModel):
    """A mapping of the file: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
