"""The provisioning role: vendors' registries, step by step; its routes come with metering."""

from __future__ import annotations

from nxt_entrypoints.provisioning.app import build_provisioning
from nxt_entrypoints.roles.base import Process, registry
from nxt_entrypoints.settings.roles import Role


async def start_provisioning(process: Process) -> None:
    """Open the provisioning role in a process."""
    app = build_provisioning(
        gate=process.internal_gate(),
        settings=process.http_settings(),
        readiness=process.readiness(),
        registry=registry,
    )
    await process.listen(Role.PROVISIONING, app)
