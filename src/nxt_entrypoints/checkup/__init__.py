"""The checks of ``nxt doctor``: each gives findings, none fails the others, all run at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from attrs import field, frozen

from nxt_entrypoints.checkup import backlog, stores, tokens, vendors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nxt_entrypoints.checkup.findings import Finding
    from nxt_entrypoints.settings.settings import Settings


@frozen(kw_only=True)
class Subject:
    """What is looked at; an empty address is left out.

    Attributes:
        data_keys: As in ``NXT_SECRETS_KEYS``.
        settings: Of the roles, for what else they talk to; None: unknown.
    """

    relational_url: str
    series_url: str
    valkey_url: str
    data_keys: str = field(default="", repr=False)
    settings: Settings | None = None


async def check_up(subject: Subject) -> Sequence[Finding]:
    """Run all checks."""
    checks = []
    if subject.relational_url:
        checks += [
            stores.database("relational", subject.relational_url, "relational"),
            stores.secrets(subject.relational_url, subject.data_keys),
            backlog.waiting(subject.relational_url),
        ]
    if subject.series_url:
        checks.append(stores.database("series", subject.series_url, "telemetry"))
    if subject.valkey_url:
        checks.append(stores.valkey(subject.valkey_url))
    if subject.settings is not None:
        checks += vendors.live(subject.settings, subject.relational_url)
        if subject.relational_url:
            checks.append(stores.deployment(subject.relational_url, subject.settings.artifact.deployment))
            checks.append(tokens.keyless_meters(subject.settings, subject.relational_url))
    return [finding for findings in await asyncio.gather(*checks) for finding in findings]
