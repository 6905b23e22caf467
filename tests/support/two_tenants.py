"""Two tenants that have one of everything, the platform, and everybody who may call: rows in PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import attrs
import jwt
import psycopg
from psycopg.rows import dict_row

from nxt_domain.identity.model import MemberType
from nxt_domain.identity.rules import create_api_key
from nxt_entrypoints.database.baseline_seed import Baseline, seed

PLATFORM_ORGANIZATION = Baseline().platform_organization_id
UNKNOWN_ID = 1_999_999_999
UNKNOWN_NUMBER = "47999999999"
_OWN_IDS_FROM, _FOREIGN_IDS_FROM = 10_000, 700_000

Ids = Mapping[str, int | str]
"""Of one tenant's things, by kind: ``grid``, ``customer``, ``meter_number`` …"""


@attrs.frozen(kw_only=True)
class Person:
    """An account with a role.

    Attributes:
        login: The identity provider's id.
        role: ``members``, ``agents``, ``customers``; None: no role.
    """

    account_id: int
    login: str
    role: str | None
    organization_id: int | None


class TwoTenants:
    """Builds the rows once; ids of the second tenant's things lie far from the first one's.

    Args:
        url: Of a migrated database, as its owner.
    """

    def __init__(self, url: str) -> None:
        seed(url, Baseline())
        self.owner = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        self._accounts = 0
        self.people: dict[str, Person] = {}
        self.keys: dict[str, str] = {}
        self._move_sequences(_OWN_IDS_FROM)
        self.own = self._tenant("Sunny Grids", "47001000011")
        self._move_sequences(_FOREIGN_IDS_FROM)
        self.foreign = self._tenant("Moon Power", "47002000028")
        self.unknown: Ids = {
            kind: UNKNOWN_ID if isinstance(value, int) else _unknown_text(kind) for kind, value in self.own.items()
        }
        self._staff()

    def close(self) -> None:
        self.owner.close()

    def insert(self, table: str, **values: object) -> int:
        """Insert a row and return its id."""
        columns = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        statement = f"insert into {table} ({columns}) values ({marks}) returning id"
        row = self.owner.execute(statement, list(values.values())).fetchone()  # type: ignore[arg-type]  # our names
        assert row is not None
        return int(row["id"])

    def snapshot(self) -> dict[str, tuple[int, str | None]]:
        """Return the number of rows and a digest of each table that the product may write."""
        tables = self.owner.execute(
            "select schemaname || '.' || quote_ident(tablename) as name from pg_tables"
            " where schemaname in ('public', 'internal', 'messaging', 'auth')"
        ).fetchall()
        query = " union all ".join(
            f"select '{row['name']}' as name, count(*) as rows,"
            f" md5(string_agg(t::text, ',' order by t::text)) as digest from {row['name']} t"
            for row in tables
        )
        return {row["name"]: (row["rows"], row["digest"]) for row in self.owner.execute(query).fetchall()}  # type: ignore[arg-type]  # our names

    def person(
        self, name: str, organization_id: int | None, role: str | None, *, is_deleted: bool = False, **values: object
    ) -> Person:
        """Add a login, its account, and the row of its role."""
        self._accounts += 1
        login = str(uuid.UUID(int=0x4000_8000_0000_0000_0000 + self._accounts))
        self.owner.execute(
            "insert into auth.users (id, email, raw_user_meta_data)"
            " values (%s, %s, jsonb_build_object('full_name', %s::text))",
            (login, f"p{self._accounts}@example.org", name),
        )
        row = self.owner.execute(
            "update accounts set organization_id = %s, deleted_at = %s where supabase_id = %s returning id",
            (organization_id, datetime.now(UTC) if is_deleted else None, login),
        ).fetchone()
        assert row is not None
        if role is not None:
            self.insert(role, account_id=row["id"], **values)
        made = Person(account_id=row["id"], login=login, role=role, organization_id=organization_id)
        self.people[name] = made
        return made

    def token(self, name: str, secret: str, **claims: object) -> str:
        """Sign somebody in."""
        person = self.people[name]
        content = {
            "sub": person.login,
            "aud": "authenticated",
            "exp": int((datetime.now(UTC) + timedelta(hours=1)).timestamp()),
            "app_metadata": {"account_id": person.account_id},
            **claims,
        }
        return jwt.encode(content, secret, algorithm="HS256")

    def key(self, name: str, owner: str, *, scopes: list[str] | None = None, **columns: object) -> str:
        """Make an API key."""
        secret, stored = create_api_key(self.people[owner].account_id, scopes=scopes)
        self.insert(
            "api_keys",
            account_id=stored.account_id,
            key_hash=stored.key_hash,
            key_prefix=stored.key_prefix,
            scopes=scopes,
            **columns,
        )
        self.keys[name] = secret
        return secret

    def _tenant(self, name: str, meter_number: str) -> dict[str, int | str]:
        organization = self.insert("organizations", name=name)
        grid = self.insert(
            "grids",
            name=f"{name} 1",
            organization_id=organization,
            kwh_tariff_essential_service=300,
            kwh_tariff_full_service=350,
            is_hidden_from_reporting=False,
        )
        agent = self.person(f"agent of {name}", organization, "agents", grid_id=grid)
        customer = self.person(f"customer of {name}", organization, "customers", grid_id=grid)
        agent_id, customer_id = self._role_id("agents", agent), self._role_id("customers", customer)
        member = self.person(f"member of {name}", organization, "members", member_type="DEVELOPER")
        connection = self.insert(
            "connections",
            customer_id=customer_id,
            currency="NGN",
            women_impacted=1,
            is_public=False,
            is_commercial=False,
            is_residential=True,
        )
        pole = self.insert(
            "poles",
            external_reference=meter_number[-6:],
            grid_id=grid,
            location_geom='{"type": "Point", "coordinates": [7.5, 9.1]}',
        )
        dcu = self.insert(
            "dcus",
            external_reference=f"D{meter_number}",
            external_system="CALIN",
            grid_id=grid,
            communication_protocol="CALIN_LORAWAN",
        )
        meter = self._meter(meter_number, connection, grid)
        organization_wallet = self.insert("wallets", organization_id=organization)
        meter_wallet = self.insert("wallets", meter_id=meter)
        other_meter = self._meter(f"{meter_number[:-1]}9", connection, grid, meter_type="FS")
        order = self.insert(
            "orders",
            amount=1000,
            currency="NGN",
            sender_wallet_id=organization_wallet,
            receiver_wallet_id=meter_wallet,
            rls_organization_id=organization,
            external_reference=f"order-of-{meter_number}",
            historical_grid_id=grid,
        )
        return {
            "organization": organization,
            "grid": grid,
            "agent": agent_id,
            "agent_account": agent.account_id,
            "customer": customer_id,
            "customer_account": customer.account_id,
            "member": self._role_id("members", member),
            "member_account": member.account_id,
            "connection": connection,
            "requested_meter": self.insert(
                "connection_requested_meters",
                connection_id=connection,
                meter_type="HPS",
                meter_phase="SINGLE_PHASE",
                fee=100,
            ),
            "pole": pole,
            "dcu": dcu,
            "dcu_number": f"D{meter_number}",
            "router": self._if_known("routers", external_reference=f"R{meter_number}", grid_id=grid),
            "mppt": self._if_known("mppts", external_reference=f"M{meter_number}", external_id="1", grid_id=grid),
            "meter": meter,
            "meter_number": meter_number,
            "other_meter": other_meter,
            "organization_wallet": organization_wallet,
            "meter_wallet": meter_wallet,
            "agent_wallet": self.insert("wallets", agent_id=agent_id),
            "connection_wallet": self.insert("wallets", connection_id=connection, wallet_type="VIRTUAL"),
            "order": order,
            "interaction": self._interaction(meter, meter_number),
            "order_reference": f"order-of-{meter_number}",
            "issue": self._if_known("issues", issue_type="NO_CREDIT", meter_id=meter),
            "note": self._if_known("notes", message="Roof", author_id=member.account_id, customer_id=customer_id),
        }

    def _if_known(self, table: str, **values: object) -> int:
        """Insert into a table that a later revision brings; until then its rows are as good as unknown."""
        row = self.owner.execute("select to_regclass(%s) is not null as known", (f"public.{table}",)).fetchone()
        return self.insert(table, **values) if row is not None and row["known"] else UNKNOWN_ID

    def _interaction(self, meter: int, number: str) -> int:
        """A read on its way, with its message."""
        interaction = self.insert(
            "meter_interactions",
            meter_id=meter,
            meter_interaction_type="READ_CREDIT",
            meter_interaction_status="QUEUED",
            origin="USER",
        )
        self.owner.execute(
            "insert into messaging.device_messages (id, command_type, priority, plugin_id, correlation_id, device,"
            " ready_queue, delivery_status, expires_at) values (%s, 'READ_CREDIT', 30, 'calin-chirpstack', %s,"
            " jsonb_build_object('type', 'ELECTRICITY_METER', 'externalReference', %s::text),"
            " 'queue:calin-chirpstack:network:1', 'QUEUED', now() + interval '1 day')",
            (f"01K0000000000000{interaction:010d}", str(interaction), number),
        )
        return interaction

    def _meter(self, number: str, connection: int, grid: int, meter_type: str = "HPS") -> int:
        meter = self.insert(
            "meters",
            external_reference=number,
            external_system="CALIN",
            connection_id=connection,
            rls_grid_id=grid,
            meter_type=meter_type,
        )
        session = self.insert("metering_hardware_install_sessions", meter_id=meter)
        commissioning = self.insert(
            "meter_commissionings",
            metering_hardware_install_session_id=session,
            meter_commissioning_status="SUCCESSFUL",
        )
        self.owner.execute(
            "update metering_hardware_install_sessions set last_meter_commissioning_id = %s where id = %s",
            (commissioning, session),
        )
        self.owner.execute(
            "update meters set last_metering_hardware_install_session_id = %s where id = %s", (session, meter)
        )
        return meter

    def _staff(self) -> None:
        own, foreign = int(self.own["organization"]), int(self.foreign["organization"])
        for kind in MemberType:
            self.person(f"own {kind}", own, "members", member_type=kind.value)
        self.person("foreign SUPERADMIN", foreign, "members", member_type="SUPERADMIN")
        self.person("platform SUPERADMIN", PLATFORM_ORGANIZATION, "members", member_type="SUPERADMIN")
        self.person("platform TECH", PLATFORM_ORGANIZATION, "members", member_type="TECH")
        for kind in ("LENDER", "DATA_AGGREGATOR"):
            tenant = self.insert("organizations", name=f"A {kind}", organization_type=kind)
            self.person(kind, tenant, "members", member_type="SUPERADMIN")
        self.person("nobody", own, None)
        self.person("deleted", own, "members", is_deleted=True, member_type="SUPERADMIN")
        self.key("own key", "own SUPERADMIN")
        self.key("platform key", "platform SUPERADMIN")
        self.key("lender's key", "LENDER")
        self.key("key without scopes", "own SUPERADMIN", scopes=[])
        self.key("locked key", "own SUPERADMIN", is_locked=True)
        self.key("expired key", "own SUPERADMIN", expires_at=datetime(2020, 1, 1, tzinfo=UTC))
        self.key("revoked key", "own SUPERADMIN", revoked_at=datetime(2020, 1, 1, tzinfo=UTC))
        self.key("agent's key", "agent of Sunny Grids")
        self.key("deleted owner's key", "deleted")

    def _role_id(self, table: str, person: Person) -> int:
        row = self.owner.execute(f"select id from {table} where account_id = %s", (person.account_id,)).fetchone()  # type: ignore[arg-type]  # our names
        assert row is not None
        return int(row["id"])

    def _move_sequences(self, start: int) -> None:
        """Let each table count from a number of its own, so that no id is another thing's as well."""
        sequences = self.owner.execute(
            "select quote_ident(schemaname) || '.' || quote_ident(sequencename) as name from pg_sequences"
            " where schemaname = 'public' order by 1"
        ).fetchall()
        for index, row in enumerate(sequences):
            self.owner.execute("select setval(%s::regclass, %s)", (row["name"], start + 1000 * index))


def _unknown_text(kind: str) -> str:
    return {"meter_number": UNKNOWN_NUMBER, "dcu_number": f"D{UNKNOWN_NUMBER}"}.get(kind, f"no such {kind}")
