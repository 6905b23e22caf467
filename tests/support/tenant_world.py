"""Two tenants with rows in every table of ``public``, and everybody who may come to look at them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import attrs
import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from nxt_entrypoints.database.baseline_seed import Baseline, seed

Row = dict[str, object]
Session = psycopg.Connection[Row]

PLATFORM = 2
POINT = {"type": "Point", "coordinates": [4.1, 8.2]}
CONNECTION: Mapping[str, object] = {
    "currency": "NGN",
    "women_impacted": 0,
    "is_public": False,
    "is_commercial": False,
    "is_residential": True,
}
SUBMISSION: Mapping[str, object] = {
    "author_full_name": "Somebody",
    "author_email": "somebody@example.org",
    "author_organization_name": "Power of the hills",
    "site_name": "Oke Agbede",
    "site_details": {},
}
_ORDER = {"amount": 5, "currency": "NGN", "order_status": "INITIALISED", "historical_grid_id": "$grid"}
_ORDER |= {"rls_organization_id": "$org"}
_READING = {"meter_interaction_type": "READ_CREDIT", "origin": "USER"}

# Rows of one tenant, in order of making: a name, a table, its values. "$x" is the id of the row named x, {n} the
# tenant's number. The neighbour is a customer of the same grid, hidden from reporting.
ROWS: Sequence[tuple[str, str, Mapping[str, object]]] = (
    ("org_wallet", "wallets", {"organization_id": "$org"}),
    ("grid", "grids", {"name": "Grid {n}", "organization_id": "$org", "is_hidden_from_reporting": "$hidden"}),
    ("member", "members", {"account_id": "$member_account"}),
    ("agent", "agents", {"grid_id": "$grid", "account_id": "$agent_account"}),
    ("customer", "customers", {"grid_id": "$grid", "account_id": "$customer_account"}),
    (
        "neighbour",
        "customers",
        {"grid_id": "$grid", "account_id": "$neighbour_account", "is_hidden_from_reporting": True},
    ),
    ("api_key", "api_keys", {"account_id": "$member_account", "key_hash": "hash {n}"}),
    ("connection", "connections", {"customer_id": "$customer", **CONNECTION}),
    ("unused_connection", "connections", {"customer_id": "$customer", **CONNECTION}),
    ("next_connection", "connections", {"customer_id": "$neighbour", **CONNECTION}),
    (
        "requested",
        "connection_requested_meters",
        {"connection_id": "$connection", "meter_type": "HPS", "meter_phase": "SINGLE_PHASE"},
    ),
    ("pole", "poles", {"external_reference": "10{n}", "grid_id": "$grid", "location_geom": POINT}),
    (
        "dcu",
        "dcus",
        {
            "external_reference": "a84041ffff{n}",
            "external_system": "CALIN",
            "communication_protocol": "CALIN_LORAWAN",
            "grid_id": "$grid",
        },
    ),
    ("cabin", "energy_cabins", {"grid_id": "$grid", "location_geom": POINT}),
    ("router", "routers", {"external_reference": "r{n}", "grid_id": "$grid"}),
    ("mppt", "mppts", {"external_reference": "P{n}", "external_id": "p{n}", "grid_id": "$grid"}),
    ("device_type", "device_types", {"name": "Pump {n}"}),
    ("device", "devices", {"external_reference": "d{n}", "grid_id": "$grid", "device_type_id": "$device_type"}),
    ("device_log", "device_logs", {"message": "up", "device_id": "$device"}),
    (
        "meter",
        "meters",
        {
            "external_reference": "4700177147{n}",
            "external_system": "CALIN",
            "connection_id": "$connection",
            "dcu_id": "$dcu",
            "decoder_key": "key",
        },
    ),
    (
        "next_meter",
        "meters",
        {"external_reference": "4700177148{n}", "external_system": "CALIN", "connection_id": "$next_connection"},
    ),
    ("stock", "meters", {"external_reference": "4700177149{n}", "external_system": "CALIN"}),
    ("shadow", "meter_shadows", {"meter_id": "$meter", "attribute": "relay"}),
    ("state_event", "meter_state_events", {"meter_id": "$meter", "event": "X", "actor": "SYSTEM"}),
    ("session", "metering_hardware_install_sessions", {"meter_id": "$meter"}),
    ("import", "metering_hardware_imports", {"metering_hardware_install_session_id": "$session"}),
    ("commissioning", "meter_commissionings", {"metering_hardware_install_session_id": "$session"}),
    ("issue", "issues", {"meter_id": "$meter", "issue_type": "NO_CREDIT"}),
    ("agent_wallet", "wallets", {"agent_id": "$agent"}),
    ("connection_wallet", "wallets", {"connection_id": "$connection"}),
    ("meter_wallet", "wallets", {"meter_id": "$meter"}),
    ("next_wallet", "wallets", {"meter_id": "$next_meter"}),
    (
        "transfer",
        "meter_credit_transfers",
        {"amount": 5, "currency": "NGN", "sender_meter_id": "$next_meter", "receiver_meter_id": "$meter"},
    ),
    ("ussd_session", "ussd_sessions", {"phone": "+2348030000001", "external_system": "AFRICASTALKING"}),
    ("ussd_hop", "ussd_session_hops", {"ussd_session_id": "$ussd_session"}),
    (
        "order",
        "orders",
        {
            "sender_wallet_id": "$agent_wallet",
            "receiver_wallet_id": "$meter_wallet",
            "author_id": "$agent_account",
            "meta_receiver_id_part_2": "$customer",
            "meta_is_hidden_from_reporting": "$hidden",
            **_ORDER,
        },
    ),
    (
        "former_customers_order",
        "orders",
        {
            "sender_wallet_id": "$org_wallet",
            "receiver_wallet_id": "$meter_wallet",
            "meta_receiver_id_part_2": "$neighbour",
            **_ORDER,
        },
    ),
    (
        "refund",
        "orders",
        {"sender_wallet_id": "$connection_wallet", "receiver_wallet_id": "$org_wallet", **_ORDER},
    ),
    (
        "next_order",
        "orders",
        {
            "sender_wallet_id": "$org_wallet",
            "receiver_wallet_id": "$next_wallet",
            "meta_is_hidden_from_reporting": True,
            **_ORDER,
        },
    ),
    (
        "transaction",
        "transactions",
        {"amount": 5, "transaction_status": "SUCCESSFUL", "wallet_id": "$meter_wallet", "order_id": "$order"},
    ),
    ("batch", "directive_batches", {"hour": 6, "minute": 0, "grid_id": "$grid", "fs_command": "ON"}),
    ("execution", "directive_batch_executions", {"directive_batch_id": "$batch"}),
    ("interaction", "meter_interactions", {"meter_id": "$meter", **_READING}),
    ("next_interaction", "meter_interactions", {"meter_id": "$next_meter", **_READING}),
    ("bank", "banks", {"name": "Bank {n}", "external_id": "{n}"}),
    ("bank_account", "bank_accounts", {"organization_id": "$org", "account_number": "0123456789"}),
    (
        "payout",
        "payouts",
        {
            "proposed_amount": 5,
            "payout_status": "INITIALISED",
            "started_at": "2026-05-01Z",
            "ended_at": "2026-06-01Z",
            "grid_id": "$grid",
        },
    ),
    ("parameters", "notification_parameters", {}),
    (
        "notification",
        "notifications",
        {
            "carrier_external_system": "AFRICASTALKING",
            "notification_type": "INVITE",
            "notification_status": "PENDING",
            "phone": "+2348030000001",
            "organization_id": "$org",
        },
    ),
    ("note", "notes", {"message": "Paid late", "customer_id": "$customer", "author_id": "$member_account"}),
    ("agents_note", "notes", {"message": "Loud", "meter_id": "$meter", "author_id": "$agent_account"}),
    (
        "audit",
        "audits",
        {"message": "Somebody did it", "author_id": "$member_account", "organization_id": "$org"},
    ),
    ("audit_of_nobody", "audits", {"message": "Nobody did it"}),
    ("autopilot", "autopilot_executions", {}),
    (
        "forecast",
        "solcast_cache",
        {
            "request_type": "FORECAST",
            "latitude": "7.1",
            "longitude": "4.1",
            "tilt": "12",
            "azimuth": "180",
            "capacity_kwp": "{n}",
            "install_date": "2026-01-01",
            "response": "[]",
        },
    ),
    (
        "submission",
        "pd_site_submissions",
        {**SUBMISSION, "organization_id": "$org"},
    ),
    ("flow_template", "pd_flow_templates", {"name": "Kind {n}"}),
    ("flow", "pd_flows", {"pd_flow_template_id": "$flow_template"}),
    ("site", "pd_sites", {"name": "Site {n}", "organization_id": "$org", "pd_flow_id": "$flow"}),
    ("document_template", "pd_document_templates", {"google_drive_template_id": "template {n}"}),
    (
        "action_template",
        "pd_action_templates",
        {"name": "Begin", "pd_flow_template_id": "$flow_template", "pd_action_type": "START"},
    ),
    ("action", "pd_actions", {"name": "Begin", "pd_action_type": "START", "pd_flow_id": "$flow"}),
    ("document", "pd_documents", {"google_drive_document_id": "document {n}", "pd_action_id": "$action"}),
    ("pd_audit", "pd_audits", {"message": "Somebody did it", "author_id": "$member_account"}),
)

# What tenant B has beyond that: a customer with a wallet, who places and gets orders; a visit of the platform's staff.
OF_B: Sequence[tuple[str, str, Mapping[str, object]]] = (
    ("customer_wallet", "wallets", {"customer_id": "$customer"}),
    (
        "customers_order",
        "orders",
        {
            "sender_wallet_id": "$org_wallet",
            "receiver_wallet_id": "$next_wallet",
            "author_id": "$customer_account",
            **_ORDER,
        },
    ),
    (
        "customers_bonus",
        "orders",
        {"sender_wallet_id": "$org_wallet", "receiver_wallet_id": "$customer_wallet", **_ORDER},
    ),
    ("visit", "notes", {"message": "Visited", "customer_id": "$customer", "author_id": "$staff"}),
)


@attrs.frozen(kw_only=True)
class Who:
    """A caller: what the token says, and what the world knows of that person.

    Attributes:
        name: For the test's report.
        role: ``anon`` or ``authenticated``.
        login: Id at the identity provider.
        account: The login's account.
        organization: Of members alone.
        kind: ``MEMBER``, ``AGENT``, ``CUSTOMER`` or none.
        is_lender: Of an organization that lends money.
    """

    name: str
    role: str = "authenticated"
    login: str = ""
    account: int | None = None
    organization: int | None = None
    kind: str | None = None
    is_lender: bool = False

    @property
    def is_platform(self) -> bool:
        """Tell a member of the platform operator."""
        return self.organization == PLATFORM

    def claims(self, organization: int | None) -> str:
        """Write the token's claims [REL-99]."""
        facts: Row = {"account_id": self.account, "account_type": self.kind, "organization_id": organization}
        if self.is_lender:
            facts["organization_type"] = "LENDER"
        return json.dumps({"sub": self.login or None, "role": self.role, "app_metadata": facts})


class World:
    """A database with two tenants, and a session of its owner.

    Attributes:
        session: Outside any role of clients; open transactions are the caller's.
        tenants: Ids of each tenant's rows, by the names of ``ROWS``.
        everybody: Callers by name.
    """

    def __init__(self, url: str) -> None:
        seed(url, Baseline(platform_organization_id=PLATFORM))
        self.session: Session = psycopg.connect(url, row_factory=dict_row)
        self.everybody: dict[str, Who] = {"anonymous": Who(name="anonymous", role="anon")}
        self.everybody["nobody"] = Who(name="nobody", login=str(uuid.uuid4()))
        self.tenants: Mapping[str, Row] = {name: self._settle(name, n) for n, name in enumerate("AB", start=1)}
        self._employ("platform member", PLATFORM)
        ids = {**self.tenants["B"], "staff": self.everybody["platform member"].account}
        for row, table, values in OF_B:
            ids[row] = self.insert(table, values, ids)["key"]
        lender = self._one(
            "insert into organizations (name, organization_type) values ('Lender', 'LENDER') returning id"
        )
        self._employ("lender", lender, is_lender=True)
        self.session.commit()

    def _settle(self, name: str, number: int) -> Row:
        organization = self._one("insert into organizations (name) values (%s) returning id", f"Power {name}")
        ids: Row = {"org": organization, "n": number, "hidden": number == 2}
        ids["member_account"] = self._employ(f"member {name}", organization).account
        for kind in ("AGENT", "CUSTOMER"):
            who = self._employ(f"{kind.lower()} {name}", organization, kind=kind)
            ids[f"{kind.lower()}_account"] = who.account
        ids["neighbour_account"] = self._one("insert into accounts (full_name) values ('Neighbour') returning id")
        for row, table, values in ROWS:
            ids[row] = self.insert(table, values, ids)["key"]
        return ids

    def _employ(self, name: str, organization: int, *, kind: str = "MEMBER", is_lender: bool = False) -> Who:
        login = str(uuid.uuid4())
        self.session.execute("insert into auth.users (id, email) values (%s, %s)", [login, f"{login}@example.org"])
        self.session.execute(
            "update auth.users set raw_app_meta_data = %s where id = %s",
            [Jsonb({"organization_id": organization}), login],
        )
        account = self._one("select id from accounts where supabase_id = %s", login)
        own = organization if kind == "MEMBER" else None
        who = Who(name=name, login=login, account=account, organization=own, kind=kind, is_lender=is_lender)
        self.everybody[name] = who
        return who

    def insert(self, table: str, values: Mapping[str, object], ids: Mapping[str, object]) -> Row:
        """Insert a row as whoever the session is, and return it as PostgreSQL has it, with its ``key``."""
        statement, given = _insertion(table, values, ids)
        returning = sql.SQL("{} returning to_jsonb({}) as it").format(statement, sql.Identifier(table))
        row = self.session.execute(returning, given).fetchone()
        assert row is not None
        it = row["it"]
        assert isinstance(it, dict)
        return {**it, "key": it.get("id", it.get("meter_id"))}

    def insert_blindly(self, table: str, values: Mapping[str, object], ids: Mapping[str, object]) -> None:
        """Insert a row without asking for it back, which its policy for reading would have to admit."""
        self.session.execute(*_insertion(table, values, ids))

    def query(self, query: str, *values: object) -> list[Row]:
        """Return what a test's own query finds."""
        return self.session.execute(query, values).fetchall()  # type: ignore[arg-type]  # queries of the tests

    def do(self, statement: str, *values: object) -> None:
        """Run a test's own statement."""
        self.session.execute(statement, values)  # type: ignore[arg-type]  # statements of the tests

    def rows(self, table: str) -> list[Row]:
        """Return the rows that the session sees."""
        found = self.session.execute(sql.SQL("select to_jsonb(t) as it from {} t").format(sql.Identifier(table)))
        return [dict(row["it"]) for row in found]  # type: ignore[call-overload]  # a JSON object

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo what is done inside, roles included."""
        with self.session.transaction(force_rollback=True):
            yield

    @contextmanager
    def acting(self, who: Who) -> Iterator[None]:
        """Act as a caller of the table REST gateway does; afterwards everything is undone."""
        organization = who.organization or self._organization_of(who)
        with self.undone():
            self.session.execute("select set_config('request.jwt.claims', %s, true)", [who.claims(organization)])
            self.session.execute(sql.SQL("set local role {}").format(sql.Identifier(who.role)))
            yield

    def _organization_of(self, who: Who) -> int | None:
        # Tokens of agents and customers name their organization too.
        return next((int(str(ids["org"])) for name, ids in self.tenants.items() if who.name.endswith(f" {name}")), None)

    def _one(self, statement: str, *values: object) -> int:
        row = self.session.execute(statement, values).fetchone()
        assert row is not None
        return int(str(next(iter(row.values()))))


def _insertion(
    table: str, values: Mapping[str, object], ids: Mapping[str, object]
) -> tuple[sql.Composed, list[object]]:
    given = {column: _filled(value, ids) for column, value in values.items()}
    if not given:
        return sql.SQL("insert into {} default values").format(sql.Identifier(table)), []
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, given)),
        sql.SQL(", ").join(sql.Placeholder() * len(given)),
    )
    return statement, list(given.values())


def _filled(value: object, ids: Mapping[str, object]) -> object:
    if isinstance(value, dict):
        return json.dumps(value)  # as text, which geometry takes like jsonb
    if not isinstance(value, str):
        return value
    return ids[value[1:]] if value.startswith("$") else value.format(**ids)
