"""``nxt openapi``: the documents of all roles."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nxt_entrypoints.cli.output import emit, examples, json_option


@click.command(
    epilog=examples(
        "nxt openapi --out docs/api",
    )
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder to write to. Default: the current one.",
)
@json_option
def openapi(out: Path, as_json: bool) -> int:
    """Write openapi-<role>.json for each role, with all capabilities on, and openapi-messaging.json."""
    from nxt_entrypoints.http.catalogue import openapi_documents  # noqa: PLC0415 - needs the extra
    from nxt_entrypoints.messaging.openapi import messaging_document  # noqa: PLC0415 - as above

    try:
        out.mkdir(parents=True, exist_ok=True)
        written = []
        for role, document in {**openapi_documents(), "messaging": messaging_document()}.items():
            path = out / f"openapi-{role}.json"
            path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            written.append(str(path))
    except OSError as error:
        raise click.UsageError(f"{out} cannot be written: {error.strerror}") from None
    emit({"written": written}, as_json=as_json, lines=lambda: written)
    return 0
