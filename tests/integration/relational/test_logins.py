"""Accounts mirror the logins of the identity provider."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import psycopg
import pytest
from tests.support.ledger import connect

Session = psycopg.Connection[tuple[object, ...]]


def _sign_up(session: Session, **columns: object) -> UUID:
    login = uuid4()
    names = ["id", *columns]
    session.execute(
        f"insert into auth.users ({', '.join(names)}) values ({', '.join(['%s'] * len(names))})",  # type: ignore[arg-type]  # names of the test's own
        [login, *(json.dumps(value) if isinstance(value, dict) else value for value in columns.values())],
    )
    return login


def _account(session: Session, login: UUID, columns: str = "email, phone, full_name, organization_id") -> object:
    return session.execute(f"select {columns} from accounts where supabase_id = %s", [login]).fetchone()  # type: ignore[arg-type]  # as above


def test_a_new_login_has_an_account(relational_url: str) -> None:
    """[REL-97] [REL-141] Address, name and a random link token that lasts 30 days; no organization yet."""
    with connect(relational_url) as session:
        first = _sign_up(session, email="a@example.org", raw_user_meta_data={"full_name": "First"})
        second = _sign_up(session, phone="2348012345678", raw_app_meta_data={"organization_id": 7})
        assert _account(session, first) == ("a@example.org", None, "First", None)
        assert _account(session, second) == (None, "2348012345678", None, None)
        tokens = session.execute(
            "select telegram_link_token::uuid, telegram_link_token_expires_at - now() > interval '29 days 23 hours'"
            " from accounts"
        ).fetchall()
        assert len({token for token, _ in tokens}) == 2
        assert all(lasts for _, lasts in tokens)


def test_an_account_follows_its_login(relational_url: str) -> None:
    """[REL-98] [REL-34] Every mirrored column, also one that was touched by hand since."""
    with connect(relational_url) as session:
        organization = session.execute("insert into organizations (name) values ('Oke Agbede') returning id").fetchone()
        assert organization is not None
        login = _sign_up(session, email="a@example.org", raw_user_meta_data={"full_name": "First"})
        other = _sign_up(session, email="other@example.org")
        session.execute(
            "update auth.users set email = 'b@example.org', phone = '+2348012345678', raw_user_meta_data = %s,"
            " raw_app_meta_data = %s where id = %s",
            [json.dumps({"full_name": "Second"}), json.dumps({"organization_id": organization[0]}), login],
        )
        expected = ("b@example.org", "2348012345678", "Second", organization[0])
        assert _account(session, login) == expected
        session.execute("update accounts set full_name = 'By hand' where supabase_id = %s", [login])
        session.execute("update auth.users set last_sign_in_at = now() where id = %s", [login])
        assert _account(session, login) == expected
        assert _account(session, other) == ("other@example.org", None, None, None)


def test_an_organization_that_is_taken_away_is_null(relational_url: str) -> None:
    """[REL-98] Absent metadata means no organization; the members below the account follow."""
    with connect(relational_url) as session:
        session.execute("insert into organizations (name) values ('Oke Agbede')")
        login = _sign_up(session, email="a@example.org")
        session.execute("insert into members (account_id) select id from accounts")
        session.execute("update auth.users set raw_app_meta_data = '{\"organization_id\": 1}'")
        assert session.execute("select rls_organization_id from members").fetchone() == (1,)
        session.execute("update auth.users set raw_app_meta_data = '{}'")
        assert _account(session, login, "organization_id") == (None,)
        assert session.execute("select rls_organization_id from members").fetchone() == (None,)


@pytest.mark.parametrize("organization", ["two", 2.5, True, [2], {"id": 2}])
def test_an_organization_that_is_no_integer_fails_the_change(relational_url: str, organization: object) -> None:
    """[REL-98] It is not ignored: the login keeps what it had."""
    with connect(relational_url) as session:
        login = _sign_up(session, email="a@example.org")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            session.execute(
                "update auth.users set email = 'b@example.org', raw_app_meta_data = %s",
                [json.dumps({"organization_id": organization})],
            )
        assert _account(session, login, "email") == ("a@example.org",)


def test_an_organization_that_does_not_exist_fails_the_change(relational_url: str) -> None:
    """[REL-98] An account never points at nothing."""
    with connect(relational_url) as session:
        _sign_up(session, email="a@example.org")
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            session.execute("update auth.users set raw_app_meta_data = '{\"organization_id\": 4711}'")


def test_a_second_login_with_a_known_address_fails(relational_url: str) -> None:
    """[REL-138] Undeleted accounts have addresses of their own; the login is not made either."""
    with connect(relational_url) as session:
        _sign_up(session, phone="2348012345678")
        with pytest.raises(psycopg.errors.UniqueViolation):
            _sign_up(session, phone="+2348012345678")
        assert session.execute("select count(*) from auth.users").fetchone() == (1,)
