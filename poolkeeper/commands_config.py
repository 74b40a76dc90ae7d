"""`poolkeeper config check` and `config schema`: what can be said about a file without a server."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from shared.config.json_schema import render
from shared.config.lints import lint
from shared.config.loader import ConfigError, load_document
from shared.config.problems import Problem
from shared.config.source import MAX_BYTES


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in one file.

    Attributes:
        file: as it was named on the command line.
        hash: the config hash; None when the file is not usable.
        summary: what a sound file holds.
        problems: why it is not usable.
        warnings: what is legal but looks wrong.
    """

    file: str
    hash: str | None
    summary: str
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    def as_json(self) -> dict[str, Any]:
        """The finding for scripts."""
        return {
            "file": self.file,
            "ok": not self.problems,
            "config_hash": self.hash,
            "problems": [asdict(problem) for problem in self.problems],
            "warnings": [asdict(problem) for problem in self.warnings],
        }


@click.command("check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
def check(files: tuple[str, ...], as_json: bool, strict: bool) -> None:
    """Say everything that is wrong with configuration files (- reads standard input).

    Exits 0 when all files are usable, 1 when one is not, 2 when one cannot be read.
    """
    now = datetime.now(UTC)
    findings: list[Finding] = []
    unreadable = False
    for file in files:
        try:
            findings.append(examine(file, _read(file), now))
        except OSError as error:
            unreadable = True
            reason = error.strerror or type(error).__name__
            click.echo(f"{file}: cannot be read: {reason}.", err=True)
    if as_json:
        click.echo(json.dumps({"files": [finding.as_json() for finding in findings]}, indent=2))
    else:
        _show(findings)
    refused = any(finding.problems or (strict and finding.warnings) for finding in findings)
    sys.exit(2 if unreadable else int(refused))


@click.command("schema")
def schema() -> None:
    """Print the JSON Schema of the file, for editors (yaml-language-server) and other tools."""
    click.echo(render(), nl=False)


def examine(file: str, source: bytes, now: datetime) -> Finding:
    """Load and lint a file that was read."""
    try:
        document = load_document(source)
    except ConfigError as error:
        return Finding(file, None, "", error.problems, ())
    parts = document.config
    summary = ", ".join(
        f"{len(entries)} {word if len(entries) == 1 else word + 's'}"
        for word, entries in (
            ("pool", parts.pools),
            ("schedule", parts.schedules),
            ("override", parts.overrides),
        )
    )
    return Finding(file, document.hash, summary, (), tuple(lint(document, now)))


def _read(file: str) -> bytes:
    """The bytes of a file or of standard input; one more than allowed is enough to refuse it."""
    if file == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with Path(file).open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _show(findings: list[Finding]) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for finding in findings:
        for line in _lines(finding):
            console.print(line)


def _lines(finding: Finding) -> Iterator[Text]:
    for problem in finding.problems:
        yield Text.assemble((f"{finding.file}: ", "bold"), ("error: ", "red"), str(problem))
    for warning in finding.warnings:
        yield Text.assemble((f"{finding.file}: ", "bold"), ("warning: ", "yellow"), str(warning))
    if finding.hash is not None:
        verdict = "usable" if finding.warnings else "fine"
        yield Text.assemble(
            (f"{finding.file}: ", "bold"),
            (verdict, "green"),
            f": {finding.summary}; hash {finding.hash[:12]}",
        )
