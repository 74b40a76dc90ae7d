"""`docs/configuration.md`: every key with its type, default and meaning, read off the models."""

from collections.abc import Iterator, Sequence

from pydantic.fields import FieldInfo

from shared.config.events import MAX_DEPTH, MAX_ITEMS, MAX_KEYS, MAX_NODES
from shared.config.keys import NOT_DEFAULTABLE, all_sections, keys_of, sections_in
from shared.config.models import Config, Pool
from shared.config.policy_models import MetricPolicy, TargetTracking
from shared.config.section import Section
from shared.config.spelling import default_of, noun_of, range_of, title_of

_HEAD = f"""\
<!-- Generated from the models in shared/config by `make docs`. Do not edit by hand. -->

# The configuration file

One YAML file says *what* a node scales: its instance pools, the policies and limits that size
them, the schedules and the leases. The same file serves a standalone agent
(`poolkeeper agent run --config FILE`) and the central store. *Who* the agent is and whom it trusts
(the address of central, keys, OCI credentials, the local guard) comes from its environment, so no
configuration can cut an agent off. There are no secrets in the file.

A complete example with every option is [config.example.yaml](../config.example.yaml).

- `poolkeeper config check FILE` prints every problem with line, column and path, and what is legal
  but looks wrong.
- `poolkeeper config schema > config.schema.json` writes a JSON Schema. With the line
  `# yaml-language-server: $schema=./config.schema.json` on top, editors complete and check keys.

## How a file is read

- UTF-8, at most 1 MiB, {MAX_NODES:,} values, {MAX_DEPTH} levels, {MAX_KEYS} keys in one mapping and
  {MAX_ITEMS:,} items in one list. One document, without anchors, aliases, merge keys, tags or
  directives: `defaults` is for repetition.
- Words have the meaning of YAML 1.2: `08:00`, `off`, `yes` and `2026-12-25` are text, no quotes
  needed. Hexadecimal, octal and numbers with leading zeros are text too; where a number is needed
  they are refused, because readers disagree about them.
- A **duration** is a whole number with a unit: `30s`, `5m`, `2h`, `1d`; a bare `0` is none.
  A **percentage** is `10%` or `12.5%`. A **count or percentage** is `2` or `50%`.
  A **local time** is `08:00`; `24:00` is the end of a day. An **instant** carries its zone:
  `2026-12-01T12:00:00Z`.
- Unknown and repeated keys are errors. All problems are reported at once, and none repeats a value
  that could be a secret. A file with a problem changes nothing: the agent keeps the one it has.
- The **config hash** is SHA-256 over the exact bytes of the file, in hex. A changed comment is a
  changed configuration.

## What outranks what

From the strongest: the node's **local guard** (not part of this file), the pool's `limits`, an
active **override**, **schedules**, **policies**. An override replaces schedules and policies while
it lasts. Bounds are enforced with or without metrics, at once: cooldown, stabilization and
`max_step` apply to policies only. Targets of schedules and overrides must lie inside the limits of
every pool that they concern.

`defaults` holds any key of a pool except {" and ".join(f"`{key}`" for key in NOT_DEFAULTABLE)}.
Mappings merge deeply into each pool (`limits: {{min: 1}}` there and `limits: {{max: 5}}` in a pool
give both); lists, such as `policies`, are replaced as a whole.

# Keys
"""

_LINTS = {
    "pools": (
        "two pools with one OCID",
        "a region that contradicts the OCID",
        "no policy and no schedule",
        "a file without pools",
    ),
    "limits": ("`min` equal to `max` beside policies", "`min: 0` that nothing can leave"),
    "cooldown": ("`scale_in` shorter than `warmup`",),
    "stabilization": ("a window shorter than `poll_interval`",),
    "stale_after": ("shorter than `metric_lag` and one metric window",),
    "thresholds": (
        "a percentage above 100, or not above 1",
        "`per_instance` on a percentage",
    ),
    "step policies": (
        "a scale-in that the scale-out rule would undo",
        "`for` shorter than one metric window",
        "a farther step that does less than a nearer one",
        "a step beyond `max_step`",
    ),
    "demand": ("a window that holds a single value",),
    "schedules": (
        "never opens: suspended, no matching day, all its dates left out, ended",
        "a window inside the hour that the clocks skip",
        "a floor above a ceiling while both are open",
        "`at_least` no higher than `limits.min`, `at_most` no lower than `limits.max`",
    ),
    "overrides": ("already ended",),
}


def render() -> str:
    """The page as Markdown. It depends on the models alone, so a test can prove it fresh."""
    return "\n".join([_HEAD, *_sections(), *_lints()])


def _sections() -> Iterator[str]:
    for section in all_sections():
        if section is TargetTracking:
            yield from _section(MetricPolicy, keys_of(MetricPolicy))
        inherited = keys_of(MetricPolicy) if issubclass(section, MetricPolicy) else ()
        yield from _section(section, [key for key in keys_of(section) if key not in inherited])


def _section(section: type[Section], keys: Sequence[str]) -> Iterator[str]:
    yield f"## {title_of(section)}\n\n{_first_paragraph(section)}\n"
    yield "| Key | Value | Default | Meaning |\n|---|---|---|---|"
    fields = dict(zip(keys_of(section), section.model_fields.values(), strict=True))
    for key in keys:
        if section is Config and key == "pools":
            yield (
                "| `defaults` | keys of a [pool](#pool) |  | What holds for every pool that does"
                " not say otherwise. |"
            )
        default = _default(fields[key])
        if section is Pool and fields[key].is_required() and key not in NOT_DEFAULTABLE:
            default += ", here or in `defaults`"
        yield f"| `{key}` | {_value(fields[key])} | {default} | {_meaning(fields[key])} |"
    yield ""


def _first_paragraph(section: type[Section]) -> str:
    return (section.__doc__ or "").split("\n\n")[0].strip()


def _value(field: FieldInfo) -> str:
    noun = noun_of(field.annotation, field.metadata)
    bounds = range_of(field)
    return f"{noun}, {bounds}" if bounds else noun


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = default_of(field)
    if default is None or default == []:
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, dict):
        return "`{" + ", ".join(f"{key}: {value}" for key, value in default.items()) + "}`"
    return f"`[{', '.join(default)}]`" if isinstance(default, list) else f"`{default}`"


def _meaning(field: FieldInfo) -> str:
    text = field.description or " ".join(map(_first_paragraph, sections_in(field.annotation)))
    return text.replace("|", "\\|")


def _lints() -> Iterator[str]:
    yield "# What `config check` warns about\n"
    yield "These files load, but do not do what somebody wanted:\n"
    for where, warnings in _LINTS.items():
        yield f"- **{where}**: {'; '.join(warnings)}."
    yield ""
