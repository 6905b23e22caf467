"""``nxt status``: what runs, and whether it is ready."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, json_option, mark
from nxt_entrypoints.supervisor.probe import Readiness, probe
from nxt_entrypoints.supervisor.runfile import Instance, find

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_ROLES = ("api", "provisioning", "jobs", "telemetry")


@click.command(epilog=examples("nxt status", "nxt status --data ./demo --json"))
@data_option
@json_option
def status(data: Path | None, as_json: bool) -> int:
    """Show what a running `nxt up` does, and where it answers.

    Exits with 0 when every role is ready, with 1 when one is not or nothing runs. The JSON is that of
    `nxt up --json` with "ready" and "roles"; it holds the demo's credentials.
    """
    instance = find(data)
    answers = asyncio.run(_ask(instance.content.get("urls", {})))
    facts = describe(instance, answers)
    emit(facts, as_json=as_json, lines=lambda: _lines(facts))
    return 0 if facts["ready"] else 1


def describe(instance: Instance, answers: Mapping[str, Readiness]) -> dict[str, Any]:
    """The JSON of ``nxt status`` (R7): what was written, ``ready``, and each role's state."""
    supervised = instance.content.get("roles", {})
    roles = {name: {**supervised.get(name, {}), **answer.as_json()} for name, answer in answers.items()}
    return {
        **{name: value for name, value in instance.content.items() if name != "started"},
        "ready": bool(answers) and all(answer.ready for answer in answers.values()),
        "roles": roles,
    }


async def _ask(urls: Mapping[str, str]) -> dict[str, Readiness]:
    names = [name for name in _ROLES if name in urls]
    answers = await asyncio.gather(*(probe(urls[name]) for name in names))
    return dict(zip(names, answers, strict=True))


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"process {facts['pid']}, data in {facts['data']}"
    for name, role in facts["roles"].items():
        trouble = role.get("error") or ", ".join(role.get("failing", ()))
        restarts = f", restarted {role['restarts']} times" if role.get("restarts") else ""
        yield f"  {mark(ok=role['ready'])} {name:<13} {facts['urls'][name]}{restarts}  {trouble}".rstrip()
        for warning in role.get("warnings", ()):
            yield f"       {name}: {warning}"
    for name, url in facts.get("simulators", {}).items():
        yield f"       {name + ' simulator':<22} {url}"
