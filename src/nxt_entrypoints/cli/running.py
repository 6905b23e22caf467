"""Finds the services a command shall ask: those of a running ``nxt up``, or those of the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nxt_entrypoints.settings.connections import database_urls
from nxt_entrypoints.supervisor.runfile import find, instances

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def chosen(data: Path | None) -> Path | None:
    """Tell whom a command is meant for.

    What is named wins, then an environment that names a database, then the only ``nxt up`` that runs.

    Args:
        data: Data directory, as the command was given it.

    Returns:
        The data directory of a running ``nxt up``; None: the services of the environment.

    Raises:
        NotRunning: The environment names no database, and several run.
    """
    if data is not None or _names_a_database() or not instances():
        return data
    return find(None).data


def environment_of(data: Path | None) -> Mapping[str, str]:
    """Return the environment of the roles that a command is meant for; see ``chosen``.

    Raises:
        NotRunning: When nothing runs on ``data``, or several could be meant.
    """
    from nxt_entrypoints.demo.environment import running_environment  # noqa: PLC0415 - needs the extra

    where = chosen(data)
    return os.environ if where is None else running_environment(find(where).content)


def relational_url(data: Path | None, url: str | None) -> str:
    """Address of the relational database.

    Args:
        data: Data directory of a running ``nxt up``.
        url: An address given outright, which wins.

    Raises:
        NotRunning: When nothing runs on ``data``, or several could be meant.
        ConfigInvalid: When neither the environment nor a running ``nxt up`` names a database.
    """
    return url or plane_urls(data)[0]


def plane_urls(data: Path | None) -> tuple[str, str]:
    """Addresses of both planes; that of the series may be empty. See ``relational_url``."""
    where = chosen(data)
    if where is not None:
        content = find(where).content
        return str(content["relational_url"]), str(content["series_url"])
    return database_urls(os.environ)


def _names_a_database() -> bool:
    return any(os.environ.get(name) for name in ("NXT_DB_URL", "NXT_DB_HOST", "DATABASE_URL"))
