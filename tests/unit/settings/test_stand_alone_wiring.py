"""A deployment whose device messages live in a service of their own."""

from __future__ import annotations

import pytest
from settings_samples import BASE, SPLIT

from nxt_domain.messaging.remote import DEVICE_MESSAGE
from nxt_entrypoints.container import Container
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.problems import ConfigInvalid
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.settings.settings import Settings
from nxt_entrypoints.wiring import metering

STAND_ALONE = {"DEVICE_MESSAGING_URL": "http://127.0.0.1:3100/", "DEVICE_MESSAGING_WEBHOOK_SECRET": "s"}


def settings_of(role: Role, **more: str) -> Settings:
    return load_settings({**BASE, **SPLIT, **more}, [role])


def test_the_address_decides_the_mode() -> None:
    """[DM-2] Commands, vendors' posts and events: in this database, or there."""
    embedded = Container(settings=settings_of(Role.API))
    assert embedded.messages_of() is embedded.device_messages
    assert embedded.stand_alone_messaging().forward is None
    assert embedded.stand_alone_messaging().secret is None
    remote = Container(settings=settings_of(Role.API, **STAND_ALONE))
    assert remote.messages_of() is remote.remote_messages
    assert remote.stand_alone_messaging().forward is not None
    assert remote.stand_alone_messaging().secret == "s"
    assert not metering.uses_chirpstack(settings_of(Role.JOBS, **STAND_ALONE))


def test_events_of_a_service_must_be_signed() -> None:
    """[DM-163] [DM-177] The API role does not start without the secret; the jobs role needs none."""
    with pytest.raises(ConfigInvalid, match="DEVICE_MESSAGING_WEBHOOK_SECRET: missing"):
        settings_of(Role.API, DEVICE_MESSAGING_URL="http://127.0.0.1:3100")
    assert metering.is_stand_alone(settings_of(Role.JOBS, DEVICE_MESSAGING_URL="http://127.0.0.1:3100"))


def test_the_kind_of_its_tasks_is_as_ruled() -> None:
    """[R56]"""
    assert DEVICE_MESSAGE == "DEVICE_MESSAGE"
