"""Changes of a grid become tasks of the outbox, whoever writes the row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from tests.support.ledger import connect

Session = psycopg.Connection[tuple[object, ...]]
SWITCHES = {
    "is_hps_on": "is_energised_notification_enabled",
    "is_fs_on": "is_fs_on_notification_enabled",
    "kwh_tariff_essential_service": "is_tariff_change_notification_enabled",
}
NEW_VALUES = {"is_hps_on": "true", "is_fs_on": "true", "kwh_tariff_essential_service": "265.5"}


@pytest.fixture
def session(relational_url: str) -> Iterator[Session]:
    with connect(relational_url) as opened:
        opened.execute("insert into organizations (name) values ('Oke Agbede Power')")
        opened.execute("insert into grids (name, organization_id) values ('Oke Agbede', 1), ('Tungan Doki', 1)")
        yield opened


def _tasks(session: Session) -> list[tuple[object, ...]]:
    query = "select kind, stream_key, payload, grid_id, organization_id from internal.outbox_tasks order by id"
    return [tuple(row) for row in session.execute(query)]


@pytest.mark.parametrize("column", SWITCHES)
def test_a_change_is_told_while_its_switch_is_on(session: Session, column: str) -> None:
    """[REL-103] [API-213] [AUTO-43] [PAY-17] One task with the known body; the switch is read from the new row."""
    session.execute(f"update grids set {column} = {NEW_VALUES[column]} where id = 1")  # type: ignore[arg-type]  # names of this file
    assert _tasks(session) == [], "switched off"
    session.execute(f"update grids set {column} = default, {SWITCHES[column]} = true where id = 1")  # type: ignore[arg-type]  # as above
    session.execute(f"update grids set {column} = {NEW_VALUES[column]} where id = 1")  # type: ignore[arg-type]  # as above
    (_, (kind, stream, payload, grid, organization)) = _tasks(session)
    value = {"is_hps_on": True, "is_fs_on": True, "kwh_tariff_essential_service": 265.5}[column]
    assert (kind, stream, grid, organization) == ("GRID_STATE", "grid:1", 1, 1)
    assert isinstance(payload, dict)
    told_at = datetime.fromisoformat(payload.pop("updated_at"))
    assert abs(datetime.now(UTC) - told_at) < timedelta(minutes=5)
    assert payload == {"grid_id": 1, "grid_name": "Oke Agbede", column: value}


def test_nothing_is_told_when_nothing_changed(session: Session) -> None:
    """[AUTO-43] The same value again, or another column, is no news."""
    switches = ", ".join(f"{name} = true" for name in SWITCHES.values())
    session.execute(f"update grids set {switches}")  # type: ignore[arg-type]  # names of this file
    session.execute("update grids set is_hps_on = is_hps_on, is_hps_on_updated_at = now(), name = name || '!'")
    assert _tasks(session) == []


def test_several_changes_are_several_tasks_of_one_stream(session: Session) -> None:
    """[REL-103] In one statement, twice in one transaction, and for many grids."""
    switches = ", ".join(f"{name} = true" for name in SWITCHES.values())
    session.execute(f"update grids set {switches}")  # type: ignore[arg-type]  # names of this file
    with session.transaction():
        session.execute("update grids set is_hps_on = true, is_fs_on = true, kwh_tariff_essential_service = 1")
        session.execute("update grids set is_hps_on = false where id = 2")
    told = [(stream, *(set(payload) & set(SWITCHES))) for _, stream, payload, _, _ in _tasks(session)]  # type: ignore[call-overload]  # an object
    assert sorted(told) == sorted(
        [*((f"grid:{n}", name) for n in (1, 2) for name in SWITCHES), ("grid:2", "is_hps_on")]
    )


def test_tasks_are_dropped_after_a_day(session: Session) -> None:
    """[REL-103] A receiver that is down for longer is not told of yesterday."""
    session.execute("update grids set is_energised_notification_enabled = true")
    session.execute("update grids set is_hps_on = true where id = 1")
    row = session.execute("select give_up_at - created_at from internal.outbox_tasks").fetchone()
    assert row == (timedelta(hours=24),)


def test_a_rolled_back_change_is_not_told(session: Session) -> None:
    """[REL-156] The task is part of the transaction."""
    session.execute("update grids set is_energised_notification_enabled = true")
    with session.transaction(force_rollback=True):
        session.execute("update grids set is_hps_on = true")
        assert len(_tasks(session)) == 2
    assert _tasks(session) == []
