"""Configuration texts for tests: one sound pool to build on, and a table of files that are not."""

from typing import NamedTuple

HEAD = """\
version: 1
pools:
  - name: web
    instance_pool_id: ocid1.instancepool.oc1..web
    compartment_id: ocid1.compartment.oc1..c
    region: eu-frankfurt-1
"""
"""A sound file with one pool; lines indented by four that follow belong to the pool."""

SCHEDULE = "name: day, start: 08:00, end: 18:00, target_instances: 3"


class Bad(NamedTuple):
    """A file that is refused, and the one problem that must be told about it.

    The mark » in the text shows the place that the problem must name; it is no part of the file.
    """

    marked: str
    path: str
    message: str

    @property
    def text(self) -> str:
        return self.marked.replace("»", "")

    @property
    def line(self) -> int:
        return self.marked[: self.marked.index("»")].count("\n") + 1

    @property
    def column(self) -> int:
        before = self.marked[: self.marked.index("»")]
        return len(before) - before.rfind("\n")


def pool(*lines: str) -> str:
    """The head and more lines of its pool."""
    return HEAD + "".join(f"    {line}\n" for line in lines)


def _braced(text: str) -> str:
    """A mapping in flow style; a mark in front of its keys means the whole of it."""
    return f"»{{{text[1:]}}}" if text.startswith("»") else f"{{{text}}}"


def policy(text: str) -> str:
    """The head and one policy in flow style."""
    return pool("policies:", f"  - {_braced(text)}")


def schedule(text: str) -> str:
    """The head and one schedule in flow style."""
    return f"{HEAD}schedules:\n  - {_braced(text)}\n"


def override(text: str) -> str:
    """The head and one override in flow style."""
    return f"{HEAD}overrides:\n  - {_braced(text)}\n"


_DURATION = "must be a duration with its unit, such as 30s, 5m or 2h"
_MAPPING = "must be a mapping of keys to values"
_OF_POOL = "pools[0].policies[0]"

STRUCTURE = {
    "an empty file": Bad("»", "", "the file is empty; it needs `version: 1` and `pools`"),
    "a file of comments": Bad(
        "»# nothing\n", "", "the file is empty; it needs `version: 1` and `pools`"
    ),
    "a list instead of a mapping": Bad(
        "»- a\n", "", "the file must be a mapping that starts with `version: 1`"
    ),
    "a single word": Bad(
        "»hello\n", "", "the file must be a mapping that starts with `version: 1`"
    ),
    "two documents": Bad(
        "version: 1\npools: []\n»---\nversion: 1\n",
        "",
        "a second document starts here; a file holds one",
    ),
    "a YAML directive": Bad(
        "»%YAML 1.1\n---\nversion: 1\n", "", "directives (%YAML, %TAG) are not allowed"
    ),
    "an anchor": Bad(
        "version: 1\npools: »&all []\n",
        "pools",
        "anchors (&name) are not allowed; `defaults` is for repetition",
    ),
    "an alias": Bad(
        pool("limits: »*some"),
        "pools[0].limits",
        "aliases (*name) are not allowed; `defaults` is for repetition",
    ),
    "a merge key": Bad(
        pool("»<<: {mode: paused}"),
        "pools[0]",
        "merge keys (<<) are not allowed; `defaults` is for repetition",
    ),
    "a tag": Bad(
        pool("mode: »!!str active"),
        "pools[0].mode",
        "tags such as !!str are not allowed; quote text instead",
    ),
    "a Python tag": Bad(
        "version: 1\npools: »!!python/object/apply:os.system [id]\n",
        "pools",
        "tags such as !!str are not allowed; quote text instead",
    ),
    "a key twice": Bad(
        pool("warmup: 1m", "»warmup: 2m"), "pools[0].warmup", "this key is already on line 7"
    ),
    "a number as key": Bad(pool("limits: {»1: 2}"), "pools[0].limits", "a key must be text"),
    "null as key": Bad(pool("limits: {»~: 2}"), "pools[0].limits", "a key must be text"),
    "a list as key": Bad(pool("limits: {? »[a] : 2}"), "pools[0].limits", "a key must be text"),
    "a tab as indentation": Bad(
        "version: 1\npools:\n»\t- a\n",
        "",
        "a value cannot start with this character (tabs do not indent; put %, @ or ` in quotes)",
    ),
    "a colon inside a value": Bad(
        "version: 1\ntimezone: a»: b\n",
        "",
        "a key is not expected here: check the indentation, or put text that holds ': ' in quotes",
    ),
    "an open quote": Bad('version: "1\n»', "", "the closing quote is missing"),
    "an open brace": Bad("version: 1\npools: {a: 1\n»", "", "a ',' or the closing '}' is missing"),
    "an open bracket": Bad("version: 1\npools: [a\n»", "", "a ',' or the closing ']' is missing"),
    "a NUL byte": Bad("version: 1\n# »\0\n", "", "the unprintable character U+0000 is not allowed"),
    "an escape character": Bad(
        "version: 1 # »\x1b[2J\n", "", "the unprintable character U+001B is not allowed"
    ),
    "text that runs backwards": Bad(
        "version: 1 # »\u202eevil\n", "", "the unprintable character U+202E is not allowed"
    ),
    "a lone surrogate": Bad(
        "version: 1 # »\ud800\n", "", "the unprintable character U+D800 is not allowed"
    ),
    "infinity": Bad(
        policy("name: a, type: step, metric: M, target: »-.inf"),
        f"{_OF_POOL}.target",
        "must be a finite number",
    ),
    "not a number": Bad(
        policy("name: a, type: step, metric: M, target: ».nan"),
        f"{_OF_POOL}.target",
        "must be a finite number",
    ),
    "1e999": Bad(
        policy("name: a, type: step, metric: M, target: »1e999"),
        f"{_OF_POOL}.target",
        "the number is too large",
    ),
    "a huge whole number": Bad(
        pool(f"limits: {{max: »1{'0' * 5000}}}"),
        "pools[0].limits.max",
        "the number is too large",
    ),
}

KEYS = {
    "a misspelt key at the top": Bad(
        "version: 1\n»timezon: UTC\npools: []\n",
        "timezon",
        "unknown key; did you mean 'timezone'?",
    ),
    "a key like no other": Bad("version: 1\npools: []\n»qqqq: 1\n", "qqqq", "unknown key"),
    "a misspelt key of a pool": Bad(
        pool("»cooldwn: {scale_in: 5m}"),
        "pools[0].cooldwn",
        "unknown key; did you mean 'cooldown'?",
    ),
    "a misspelt key in a section": Bad(
        pool("limits: {»maxx: 3}"),
        "pools[0].limits.maxx",
        "unknown key; did you mean 'max'?",
    ),
    "a misspelt key of a policy": Bad(
        policy("name: a, type: target_tracking, metric: M, target: 1, »tolerence: {in: 5%}"),
        f"{_OF_POOL}.tolerence",
        "unknown key; did you mean 'tolerance'?",
    ),
    "a key of the other policy type": Bad(
        policy(
            "name: a, type: step, metric: M, scale_in: {for: 1m, steps: [{below: 1, remove: 1}]},"
            " »target: 1"
        ),
        f"{_OF_POOL}.target",
        "unknown key",
    ),
    "a misspelt key deep in a ladder": Bad(
        policy(
            "name: a, type: step, metric: M, scale_in: {for: 1m, steps: [{»bellow: 1, remove: 1}]}"
        ),
        f"{_OF_POOL}.scale_in.steps[0].bellow",
        "unknown key; did you mean 'below'?",
    ),
    "a misspelt key of a schedule": Bad(
        schedule("name: a, start: 08:00, end: 09:00, »target: 3, target_instances: 3"),
        "schedules[0].target",
        "unknown key; did you mean 'target_instances'?",
    ),
    "a misspelt key in defaults": Bad(
        "version: 1\ndefaults: {»warmp: 1m}\npools: []\n",
        "defaults.warmp",
        "unknown key; did you mean 'warmup'?",
    ),
    "a misspelt key deep in defaults": Bad(
        "version: 1\ndefaults: {limits: {»mn: 1}}\npools: []\n",
        "defaults.limits.mn",
        "unknown key; did you mean 'min'?",
    ),
    "a name in defaults": Bad(
        "version: 1\ndefaults: {»name: web}\npools: []\n",
        "defaults.name",
        "every pool has its own; it cannot be a default",
    ),
    "no version": Bad("»pools: []\n", "version", "is missing"),
    "no pools": Bad("»version: 1\n", "pools", "is missing"),
    "a pool without an OCID": Bad(
        "version: 1\npools:\n"
        "  - »{name: a, compartment_id: ocid1.compartment.oc1..c, region: eu-frankfurt-1}\n",
        "pools[0].instance_pool_id",
        "is missing",
    ),
    "a policy without a type": Bad(
        policy("»name: a, metric: M, target: 1"),
        f"{_OF_POOL}.type",
        "is missing: a policy's type is target_tracking or step",
    ),
    "an unknown policy type": Bad(
        policy("name: a, type: »target-tracking, metric: M, target: 1"),
        f"{_OF_POOL}.type",
        "must be target_tracking or step; did you mean 'target_tracking'?",
    ),
    "a step without `for`": Bad(
        policy("name: a, type: step, metric: M, »scale_in: {steps: [{below: 1, remove: 1}]}"),
        f"{_OF_POOL}.scale_in.for",
        "is missing",
    ),
}

VALUES = {
    "version 2": Bad(
        "version: »2\npools: []\n", "version", "must be 1, the only version of this format"
    ),
    "version true": Bad(
        "version: »true\npools: []\n", "version", "must be 1, the only version of this format"
    ),
    "version in quotes": Bad(
        'version: »"1"\npools: []\n', "version", "must be 1, the only version of this format"
    ),
    "an unknown time zone": Bad(
        "version: 1\ntimezone: »Europe/Bärlin\npools: []\n",
        "timezone",
        "must be an IANA time zone such as Europe/Berlin or UTC",
    ),
    "a path as time zone": Bad(
        "version: 1\ntimezone: »../../etc/passwd\npools: []\n",
        "timezone",
        "must be an IANA time zone such as Europe/Berlin or UTC",
    ),
    "the machine's own time zone": Bad(
        "version: 1\ntimezone: »localtime\npools: []\n",
        "timezone",
        "must be an IANA time zone such as Europe/Berlin or UTC",
    ),
    "a mapping for pools": Bad("version: 1\n»pools: {web: {}}\n", "pools", "must be a list"),
    "pools without a value": Bad(
        "version: 1\npools:»\ntimezone: UTC\n", "pools", "must be a list, but has no value"
    ),
    "text for a pool": Bad("version: 1\npools: [»web]\n", "pools[0]", _MAPPING),
    "a number for a section": Bad(pool("limits: »5"), "pools[0].limits", _MAPPING),
    "a duration without unit": Bad(pool("warmup: »60"), "pools[0].warmup", _DURATION),
    "a negative duration": Bad(pool("warmup: »-1m"), "pools[0].warmup", _DURATION),
    "a duration in words": Bad(pool("warmup: »1 minute"), "pools[0].warmup", _DURATION),
    "an empty duration": Bad(pool("warmup:»"), "pools[0].warmup", f"{_DURATION}, but has no value"),
    "a duration beyond its bounds": Bad(
        pool("warmup: »25h"), "pools[0].warmup", "must be at most 24h"
    ),
    "a poll interval below its bounds": Bad(
        "version: 1\npoll_interval: »0\npools: []\n",
        "poll_interval",
        "must be between 1s and 1h",
    ),
    "a fraction of an instance": Bad(
        pool("limits: {max: »2.5}"), "pools[0].limits.max", "must be a whole number"
    ),
    "true instances": Bad(
        pool("limits: {max: »true}"), "pools[0].limits.max", "must be a whole number"
    ),
    "instances in words": Bad(
        pool("limits: {max: »many}"), "pools[0].limits.max", "must be a whole number"
    ),
    "a hexadecimal number": Bad(
        pool("limits: {max: »0x1F}"),
        "pools[0].limits.max",
        "must be a whole number, in plain decimal digits and without quotes",
    ),
    "an octal number": Bad(
        pool("limits: {max: »0o17}"),
        "pools[0].limits.max",
        "must be a whole number, in plain decimal digits and without quotes",
    ),
    "a number with leading zero": Bad(
        pool("limits: {max: »010}"),
        "pools[0].limits.max",
        "must be a whole number, in plain decimal digits and without quotes",
    ),
    "a number with underscores": Bad(
        pool("limits: {max: »1_0}"),
        "pools[0].limits.max",
        "must be a whole number, in plain decimal digits and without quotes",
    ),
    "a number in quotes": Bad(
        pool('limits: {max: »"5"}'),
        "pools[0].limits.max",
        "must be a whole number, in plain decimal digits and without quotes",
    ),
    "minus one instance": Bad(
        pool("limits: {min: »-1}"), "pools[0].limits.min", "must be at least 0"
    ),
    "too many instances": Bad(
        pool("limits: {max: »10001}"), "pools[0].limits.max", "must be at most 10000"
    ),
    "limits upside down": Bad(
        pool("»limits: {min: 5, max: 4}"), "pools[0].limits", "min (5) is above max (4)"
    ),
    "a mode with a typo": Bad(
        pool("mode: »pausd"),
        "pools[0].mode",
        "must be active, observe or paused; did you mean 'paused'?",
    ),
    "off as a mode": Bad(pool("mode: »off"), "pools[0].mode", "must be active, observe or paused"),
    "an OCID of something else": Bad(
        "version: 1\npools:\n  - {name: a, instance_pool_id: »ocid1.instance.oc1..x,"
        " compartment_id: ocid1.compartment.oc1..c, region: eu-frankfurt-1}\n",
        "pools[0].instance_pool_id",
        "must be the OCID of an instance pool (ocid1.instancepool.…)",
    ),
    "a region with capitals": Bad(
        HEAD.replace("eu-frankfurt-1", "»EU-Frankfurt-1"),
        "pools[0].region",
        "must be a region such as eu-frankfurt-1",
    ),
    "a number as name": Bad(
        HEAD.replace("name: web", "name: »7"),
        "pools[0].name",
        "must be text: put it in quotes",
    ),
    "a name with a space": Bad(
        HEAD.replace("name: web", "name: »my web"),
        "pools[0].name",
        "a name has 1 to 63 letters, digits, dots, dashes and underscores,"
        " and starts with a letter or digit",
    ),
    "stale before it is trusted": Bad(
        pool("stale_after: »2m"), "pools[0].stale_after", "must be longer than metric_lag (2m)"
    ),
    "an unknown answer to missing metrics": Bad(
        pool("on_missing_metrics: »grow"),
        "pools[0].on_missing_metrics",
        "must be hold, or a mapping such as {at_least: 2}",
    ),
    "a number as answer to missing metrics": Bad(
        pool("on_missing_metrics: »2"),
        "pools[0].on_missing_metrics",
        "must be hold, or a mapping such as {at_least: 2}",
    ),
    "a misspelt answer to missing metrics": Bad(
        pool("on_missing_metrics: {»at_lest: 2}"),
        "pools[0].on_missing_metrics.at_lest",
        "unknown key; did you mean 'at_least'?",
    ),
    "a step of nothing": Bad(
        pool("max_step: {scale_in: »0}"),
        "pools[0].max_step.scale_in",
        "must be at least 1 (or a percentage such as 50%)",
    ),
    "a step of 0 %": Bad(
        pool("max_step: {scale_in: »0%}"),
        "pools[0].max_step.scale_in",
        "must be above 0% and at most 10000%",
    ),
}

POLICIES = {
    "a policy without a metric": Bad(
        policy("»name: a, type: target_tracking, target: 1"),
        _OF_POOL,
        "give either `metric` or `query`, not both and not neither",
    ),
    "a policy with metric and query": Bad(
        policy("»name: a, type: target_tracking, target: 1, metric: M, query: 'M[1m].mean()'"),
        _OF_POOL,
        "give either `metric` or `query`, not both and not neither",
    ),
    "a statistic beside a query": Bad(
        policy("name: a, type: target_tracking, target: 1, statistic: »max, query: 'M[1m].mean()'"),
        f"{_OF_POOL}.statistic",
        "goes with `metric`; a query names its own",
    ),
    "an interval beside another one of the query": Bad(
        policy("name: a, type: target_tracking, target: 1, interval: »5m, query: 'M[1m].mean()'"),
        f"{_OF_POOL}.interval",
        "the query's own is 1m; leave this out",
    ),
    "an unknown statistic": Bad(
        policy("name: a, type: target_tracking, target: 1, metric: M, statistic: »p100"),
        f"{_OF_POOL}.statistic",
        "must be mean, max, min or a percentile from p1 to p99",
    ),
    "a query that is not MQL": Bad(
        policy("name: a, type: target_tracking, target: 1, query: »'M[1m]'"),
        f"{_OF_POOL}.query",
        "MQL column 6: expected a statistic such as .mean(), found the end",
    ),
    "a query that compares": Bad(
        policy("name: a, type: target_tracking, target: 1, query: »'M[1m].mean() > 5'"),
        f"{_OF_POOL}.query",
        "a comparison answers only 0 and 1; leave it out, the policy compares for itself",
    ),
    "an empty query": Bad(
        policy("name: a, type: target_tracking, target: 1, query: »''"),
        f"{_OF_POOL}.query",
        "must have at least 3 character(s)",
    ),
    "a target of zero": Bad(
        policy("name: a, type: target_tracking, metric: M, target: »0"),
        f"{_OF_POOL}.target",
        "must be above 0",
    ),
    "a target in words": Bad(
        policy("name: a, type: target_tracking, metric: M, target: »60%"),
        f"{_OF_POOL}.target",
        "must be a number",
    ),
    "yes as a truth value": Bad(
        policy("name: a, type: target_tracking, metric: M, target: 1, per_instance: »yes"),
        f"{_OF_POOL}.per_instance",
        "must be true or false (yes, no, on and off are text)",
    ),
    "a tolerance without a percent sign": Bad(
        policy("name: a, type: target_tracking, metric: M, target: 1, tolerance: {out: »0.1}"),
        f"{_OF_POOL}.tolerance.out",
        "must be a percentage such as 10%",
    ),
    "a tolerance of everything": Bad(
        policy("name: a, type: target_tracking, metric: M, target: 1, tolerance: {in: »100%}"),
        f"{_OF_POOL}.tolerance.in",
        "must be below 100%",
    ),
    "a percentile of 0": Bad(
        policy(
            "name: a, type: target_tracking, metric: M, target: 1,"
            " demand: {percentile: »0, window: 5m}"
        ),
        f"{_OF_POOL}.demand.percentile",
        "must be at least 1",
    ),
    "a percentile in quotes": Bad(
        policy(
            "name: a, type: target_tracking, metric: M, target: 1,"
            " demand: {percentile: »'9', window: 5m}"
        ),
        f"{_OF_POOL}.demand.percentile",
        "must be a whole number, in plain decimal digits and without quotes",
    ),
    "a demand window of a minute": Bad(
        policy(
            "name: a, type: target_tracking, metric: M, target: 1,"
            " demand: {percentile: 9, window: »1m}"
        ),
        f"{_OF_POOL}.demand.window",
        "must be between 2m and 24h",
    ),
    "a step policy without ladders": Bad(
        policy("»name: a, type: step, metric: M"),
        _OF_POOL,
        "give `scale_out`, `scale_in` or both",
    ),
    "a ladder without rungs": Bad(
        policy("name: a, type: step, metric: M, scale_in: {for: 1m, steps: »[]}"),
        f"{_OF_POOL}.scale_in.steps",
        "must have at least 1 item(s)",
    ),
    "two rungs at one height": Bad(
        policy(
            "name: a, type: step, metric: M, scale_in: {for: 1m,"
            " steps: [{below: 1, remove: 1}, »{below: 1, remove: 2}]}"
        ),
        f"{_OF_POOL}.scale_in.steps[1]",
        "another step has the same threshold",
    ),
    "ladders that overlap": Bad(
        policy(
            "»name: a, type: step, metric: M,"
            " scale_out: {for: 1m, steps: [{above: 50, add: 1}]},"
            " scale_in: {for: 1m, steps: [{below: 51, remove: 1}]}"
        ),
        _OF_POOL,
        "scale_in below 51 overlaps scale_out above 50",
    ),
    "two policies of one name": Bad(
        pool(
            "policies:",
            "  - {name: a, type: target_tracking, metric: M, target: 1}",
            "  - {name: »a, type: target_tracking, metric: N, target: 1}",
        ),
        "pools[0].policies[1].name",
        "another policy is named 'a'",
    ),
}

TOGETHER = {
    "two pools of one name": Bad(
        HEAD + HEAD.removeprefix("version: 1\npools:\n").replace("web", "»web", 1),
        "pools[1].name",
        "a second pool 'web'; the first is on line 3",
    ),
    "two schedules of one name": Bad(
        f"{HEAD}schedules:\n  - {{{SCHEDULE}}}\n  - {{{SCHEDULE.replace('day', '»day')}}}\n",
        "schedules[1].name",
        "a second schedule 'day'; the first is on line 8",
    ),
    "a schedule for an unknown pool": Bad(
        schedule(SCHEDULE + ", pools: [»wbe]"),
        "schedules[0].pools[0]",
        "no pool is named 'wbe'; did you mean 'web'?",
    ),
    "a schedule above the limits": Bad(
        schedule(SCHEDULE.replace(" 3", " »31")),
        "schedules[0].target_instances",
        "31 is outside the limits of pool 'web' (1 to 10)",
    ),
    "a schedule below the limits": Bad(
        schedule("name: a, start: 08:00, end: 09:00, target_instances: »0, mode: at_most"),
        "schedules[0].target_instances",
        "0 is outside the limits of pool 'web' (1 to 10)",
    ),
    "a window of no length": Bad(
        schedule("name: a, start: 08:00, end: »08:00, target_instances: 2"),
        "schedules[0].end",
        "start and end are equal: for a whole day write 00:00 to 24:00",
    ),
    "a start at 24:00": Bad(
        schedule("name: a, start: »24:00, end: 08:00, target_instances: 2"),
        "schedules[0].start",
        "start cannot be 24:00: write 00:00 of the next day",
    ),
    "a whole number as time of day": Bad(
        schedule("name: a, start: »8, end: 09:00, target_instances: 2"),
        "schedules[0].start",
        'must be a local time such as "08:00" (HH:MM, 00:00 to 24:00)',
    ),
    "25 o'clock": Bad(
        schedule("name: a, start: 08:00, end: »25:00, target_instances: 2"),
        "schedules[0].end",
        'must be a local time such as "08:00" (HH:MM, 00:00 to 24:00)',
    ),
    "an unknown day": Bad(
        schedule(SCHEDULE + ", days: »[mon, weekend]"),
        "schedules[0].days",
        "each day must be one of mon … sun, or a range such as mon-fri",
    ),
    "no days at all": Bad(
        schedule(SCHEDULE + ", days: »[]"),
        "schedules[0].days",
        "must be a list of days such as [mon-fri, sun]",
    ),
    "the 30th of February": Bad(
        schedule(SCHEDULE + ", except: [»2026-02-30]"),
        "schedules[0].except[0]",
        "must be a date such as 2026-12-25, between the years 2000 and 2199",
    ),
    "a date before its time": Bad(
        schedule(SCHEDULE + ", from: »1999-12-31"),
        "schedules[0].from",
        "must be a date such as 2026-12-25, between the years 2000 and 2199",
    ),
    "from after until": Bad(
        schedule(SCHEDULE + ", from: »2026-02-02, until: 2026-02-01"),
        "schedules[0].from",
        "from (2026-02-02) is after until (2026-02-01)",
    ),
    "an override for an unknown pool": Bad(
        override("pool: »wb, target_instances: 3, until: 2026-12-01T12:00:00Z, reason: x"),
        "overrides[0].pool",
        "no pool is named 'wb'; did you mean 'web'?",
    ),
    "an override outside the limits": Bad(
        override("pool: web, target_instances: »11, until: 2026-12-01T12:00:00Z, reason: x"),
        "overrides[0].target_instances",
        "11 is outside the limits of pool 'web' (1 to 10)",
    ),
    "an override without an end": Bad(
        override("»pool: web, target_instances: 3, reason: x"),
        "overrides[0].until",
        "is missing",
    ),
    "an override until a local time": Bad(
        override("pool: web, target_instances: 3, until: »2026-12-01T12:00:00, reason: x"),
        "overrides[0].until",
        "must be an instant with its zone, such as 2026-12-01T12:00:00Z",
    ),
    "an override without a reason": Bad(
        override("pool: web, target_instances: 3, until: 2026-12-01T12:00:00Z, reason: »''"),
        "overrides[0].reason",
        "must have at least 1 character(s)",
    ),
    "two overrides of one pool": Bad(
        f"{HEAD}overrides:\n"
        "  - {pool: web, target_instances: 3, until: 2026-12-01T12:00:00Z, reason: x}\n"
        "  - {pool: »web, target_instances: 4, until: 2026-12-01T12:00:00Z, reason: x}\n",
        "overrides[1].pool",
        "a second override of 'web'; the first is on line 8",
    ),
    "a floor for missing metrics outside the limits": Bad(
        pool("on_missing_metrics: {at_least: »11}"),
        "pools[0].on_missing_metrics.at_least",
        "11 is outside the limits of pool 'web' (1 to 10)",
    ),
}

BAD_FILES = STRUCTURE | KEYS | VALUES | POLICIES | TOGETHER
