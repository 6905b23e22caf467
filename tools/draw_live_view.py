"""Draw what ``nxt up`` shows into a picture, from a demo that runs now.

Run: python tools/draw_live_view.py DATA_DIRECTORY docs/images/up.svg
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from rich.console import Console

from nxt_entrypoints.demo.figures import read_figures
from nxt_entrypoints.demo.live_view import render
from nxt_entrypoints.supervisor.runfile import find

COLUMNS = 104


async def picture(data: Path) -> str:
    """Read the figures of a running demo and return them as SVG, in a font that the reader has."""
    content = find(data).content
    since = datetime.fromtimestamp((data / "run.json").stat().st_mtime, UTC)
    async with await psycopg.AsyncConnection.connect(str(content["relational_url"]), autocommit=True) as connection:
        figures = await read_figures(connection, organization_id=int(content["demo"]["organization_id"]), since=since)
    roles = {name: str(role["state"]) for name, role in content["roles"].items()}
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(render(figures, since=since, roles=roles))
    svg = console.export_svg(title="nxt up", unique_id="up")
    own_fonts_only = re.sub(r"\s*@font-face \{.*?\}|\s*<!--.*?-->", "", svg, flags=re.DOTALL)
    return own_fonts_only.replace("Fira Code", "DejaVu Sans Mono")


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(asyncio.run(picture(Path(sys.argv[1]))))
