"""Read a configuration file: every problem at once, each with its place, never a traceback."""

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from shared.config.crosschecks import cross_problems
from shared.config.explain import Finding, explain, suggestion
from shared.config.hashing import config_hash
from shared.config.keys import NOT_DEFAULTABLE, default_keys
from shared.config.models import Config, Override, Pool, Schedule
from shared.config.nodes import Node, merged, plain
from shared.config.places import Places
from shared.config.problems import MAX_PROBLEMS, ConfigError, Location, Problem
from shared.config.section import InconsistentError, Section
from shared.config.source import readable_text
from shared.config.tree import parse_tree

_SECTION = TypeVar("_SECTION", bound=Section)


@dataclass(frozen=True, slots=True)
class Document:
    """A sound configuration together with its text.

    Attributes:
        config: the values, defaults merged in.
        text: the file as it was read.
        hash: the config hash over its exact bytes.
        places: finds the line and column of a location.
    """

    config: Config
    text: str
    hash: str
    places: Places


def load(source: str | bytes) -> Config:
    """Read a configuration; see `load_document`."""
    return load_document(source).config


def load_document(source: str | bytes) -> Document:
    """Read a configuration and keep where everything stands.

    Raises:
        ConfigError: the file is not usable; it carries every problem with line, column and path.
    """
    text = readable_text(source)
    root, problems = parse_tree(text)
    reader = _Reader(root)
    config = reader.config()
    found = [*problems, *_elsewhere(reader.problems, problems)]
    if found or config is None:
        raise ConfigError(found)
    whole = source if isinstance(source, str) else source.decode("utf-8")
    return Document(config, whole, config_hash(source), reader.places)


def _elsewhere(problems: list[Problem], said: list[Problem]) -> list[Problem]:
    """The problems at places about which nothing was said before: one number, one sentence."""
    taken = {(problem.line, problem.column) for problem in said}
    return [problem for problem in problems if (problem.line, problem.column) not in taken]


class _Reader:
    """Validates the sections one by one, so that a mistake in one hides none in another."""

    def __init__(self, root: Node) -> None:
        self.problems: list[Problem] = []
        self._root = root
        self._defaults = root.child("defaults")
        self._pools = self._merged_pools()
        self.places = Places(root, self._pools, self._defaults)

    def config(self) -> Config | None:
        """The configuration, or None when there are problems."""
        if not isinstance(self._root.value, dict):
            message = "the file is empty; it needs `version: 1` and `pools`"
            self.problems.append(self.places.problem((), message))
            return None
        self._check_defaults()
        pools = self._sections("pools", Pool, self._pools)
        schedules = self._sections("schedules", Schedule)
        overrides = self._sections("overrides", Override)
        self.problems += cross_problems(pools, schedules, overrides, self.places, self._names())
        sound: dict[str, list[Any]] = {
            "pools": [*pools.values()],
            "schedules": [*schedules.values()],
            "overrides": [*overrides.values()],
        }
        values = {
            key: sound[key] if key in sound and isinstance(node.value, list) else plain(node)
            for key, node in self._root.value.items()
            if key != "defaults"
        }
        config = self._validate(Config, values, ())
        return None if self.problems else config

    def _merged_pools(self) -> list[Node]:
        pools = self._root.child("pools")
        if pools is None or not isinstance(pools.value, list):
            return []
        defaults = self._usable_defaults()
        return [pool if defaults is None else merged(defaults, pool) for pool in pools.value]

    def _usable_defaults(self) -> Node | None:
        """The defaults without keys that a pool may not inherit; those are told once, not here."""
        if self._defaults is None or not isinstance(self._defaults.value, dict):
            return None
        legal = {k: v for k, v in self._defaults.value.items() if k in default_keys()}
        return Node(legal, self._defaults.mark, self._defaults.key_mark)

    def _check_defaults(self) -> None:
        """Tell what is wrong inside `defaults` even where no pool uses it."""
        if self._defaults is None:
            return
        if not isinstance(self._defaults.value, dict):
            self.problems.append(
                self.places.problem(("defaults",), "must be a mapping of keys to values")
            )
            return
        for key in self._defaults.value:
            if key in NOT_DEFAULTABLE:
                message = "every pool has its own; it cannot be a default"
            elif key not in default_keys():
                message = f"unknown key{suggestion(key, default_keys())}"
            else:
                continue
            self.problems.append(self.places.problem(("defaults", key), message, at_key=True))
        usable = self._usable_defaults()
        if usable is not None:
            self._validate(Pool, plain(usable), ("defaults",), partial=True)

    def _sections(
        self, key: str, model: type[_SECTION], nodes: list[Node] | None = None
    ) -> dict[int, _SECTION]:
        node = self._root.child(key)
        if node is None or not isinstance(node.value, list):
            return {}
        sound: dict[int, _SECTION] = {}
        for index, entry in enumerate(node.value if nodes is None else nodes):
            if len(self.problems) > MAX_PROBLEMS:
                break  # nobody reads on, and a hostile file must be refused quickly
            section = self._validate(model, plain(entry), (key, index))
            if section is not None:
                sound[index] = section
        return sound

    def _validate(
        self, model: type[_SECTION], value: Any, place: Location, *, partial: bool = False
    ) -> _SECTION | None:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            keep = _of_itself if partial else _everything
            self.problems += explain(error, self.places, place, keep=keep)
            return None

    def _names(self) -> frozenset[str]:
        names = (pool.child("name") for pool in self._pools)
        return frozenset(n.value for n in names if n is not None and isinstance(n.value, str))


def _everything(_finding: Finding, _location: Location) -> bool:
    return True


def _of_itself(finding: Finding, location: Location) -> bool:
    """Whether a finding inside `defaults` holds whatever a pool adds to them."""
    inside_a_list = any(isinstance(step, int) for step in location)
    if finding["type"] == "missing":
        return inside_a_list
    error = finding.get("ctx", {}).get("error")
    return inside_a_list or not isinstance(error, InconsistentError)


__all__ = ["ConfigError", "Document", "Problem", "load", "load_document"]
