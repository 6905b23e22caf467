"""Finds the services a command shall ask: those of a running ``nxt up``, or those of the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nxt_entrypoints.settings.connections import database_urls
from nxt_entrypoints.supervisor.runfile import find

if TYPE_CHECKING:
    from pathlib import Path


def relational_url(data: Path | None, url: str | None) -> str:
    """Address of the relational database.

    Args:
        data: Data directory of a running ``nxt up``.
        url: An address given outright, which wins.

    Raises:
        NotRunning: When nothing runs on ``data``.
        ConfigInvalid: When the environment names no database.
    """
    if url:
        return url
    if data is not None:
        return str(find(data).content["relational_url"])
    return database_urls(os.environ)[0]


def plane_urls(data: Path | None) -> tuple[str, str]:
    """Addresses of both planes; that of the series may be empty."""
    if data is not None:
        content = find(data).content
        return str(content["relational_url"]), str(content["series_url"])
    return database_urls(os.environ)
