"""The tables of the adapter against the machine-readable facts of the specification."""

from __future__ import annotations

import json
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from tests.support import baseline_changes as reviewed

from nxt_adapters.supabase.tables import GeoJson, enums, metadata
from nxt_domain.fieldwork.issues import IssueStatus
from nxt_domain.grids.contracts import IdDocumentType
from nxt_domain.grids.model import CommunicationProtocol, MeterPhase, Weather
from nxt_domain.grids.solar_chargers import MpptType
from nxt_domain.grids.tariffs import MeterType
from nxt_domain.identity.model import MemberType
from nxt_domain.identity.people import Gender, GeneratorType
from nxt_domain.orders.model import PaymentChannel
from nxt_domain.shared.money import Currency
from nxt_domain.wallets.payouts import PayoutStatus

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "spec"
SPEC = Path(os.environ.get("NXT_SPEC_DIR", _BESIDE)) / "relational-schema.json"
if not SPEC.is_file():
    pytest.skip("the specification is not beside this checkout (NXT_SPEC_DIR)", allow_module_level=True)

FACTS: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's factory has no annotation
LIVE = {name for name, table in FACTS["tables"].items() if table["status"] == "live"}
BUILT = sorted(LIVE)
ADDITIONS = FACTS["baseline_additions"]
TYPE_WORDS = {
    "timestamp(3) with time zone": "timestamptz(3)",
    "timestamp(3) without time zone": "timestamp(3)",
    "timestamp with time zone": "timestamptz",
    "character varying": "varchar",
    "character varying(10)": "varchar(10)",
    "geometry(Point,4326)": "geojson Point",
    "geometry(Polygon,4326)": "geojson Polygon",
}


def type_of(column: Column[Any]) -> str:
    if isinstance(column.type, GeoJson):
        return f"geojson {column.type.kind}"
    word = column.type.compile(dialect=DIALECT).lower().replace(", ", ",").split(" collate")[0]
    word = re.sub(r"^timestamp(\(\d\))? with time zone$", r"timestamptz\1", word)
    return re.sub(r"^float$", "double precision", word)


def default_of(column: Column[Any]) -> str | None:
    default = column.server_default
    if column.identity is not None or default is None:
        return None
    return str(getattr(default, "arg", default)).strip("'")


@pytest.mark.parametrize("name", BUILT)
def test_columns_are_those_of_the_specification(name: str) -> None:
    """[REL-174] [REL-136] [REL-144] Names, types, nullability and defaults, save the reviewed changes."""
    table, facts = metadata.tables[name], FACTS["tables"][name]
    renamed = reviewed.RENAMED.get(name, {})
    added = {renamed.get(c["name"], c["name"]) for c in ADDITIONS["added_columns"].get(name, [])}
    expected = {c["name"] for c in facts["columns"]} | added | reviewed.ADDED.get(name, set())
    assert set(table.columns.keys()) == expected
    for fact in facts["columns"]:
        column = table.columns[fact["name"]]
        change = reviewed.TYPES.get(name, {}).get(column.name)
        assert type_of(column) == (change or TYPE_WORDS.get(fact["type"], fact["type"])), column
        strict = column.name in reviewed.NOT_NULL.get(name, set())
        assert column.nullable == (fact["nullable"] and not strict), column
        assert default_of(column) == fact.get("default"), column
        assert (column.identity is not None) == ("generated" in fact), column


@pytest.mark.parametrize("name", BUILT)
def test_keys_keep_their_names(name: str) -> None:
    """[REL-117] [REL-116] [REL-16] Foreign keys and unique constraints, by name; hints and embedding depend on them."""
    table, facts = metadata.tables[name], FACTS["tables"][name]
    expected = {
        (
            fact["name"],
            fact["columns"][0],
            fact["references"].replace("(id)", ".id"),
            "cascade" if (name, fact["columns"][0]) in reviewed.CASCADES else fact["on_delete"],
        )
        for fact in facts.get("foreign_keys", [])
        if (name, fact["columns"][0]) not in reviewed.FOREIGN_KEYS_DROPPED
    }
    for added in ADDITIONS["added_columns"].get(name, []):
        target = re.search(r"-> (\w+)(?! on delete)\b", added["definition"])
        if target and "set null" not in added["definition"]:
            column = reviewed.RENAMED.get(name, {}).get(added["name"], added["name"])
            expected.add((f"{name}_{column}_fkey", column, f"{target[1]}.id", "no action"))
    found = {
        (str(key.name), key.parent.name, key.target_fullname, (key.ondelete or "no action").lower())
        for key in table.foreign_keys
    }
    assert found == expected
    unique = {
        (str(item.name), tuple(item.columns.keys())) for item in table.constraints if isinstance(item, UniqueConstraint)
    }
    assert unique == {(fact["name"], tuple(fact["columns"])) for fact in facts["unique"]}
    assert [column.name for column in table.primary_key] == facts["primary_key"]


@pytest.mark.parametrize("name", sorted(ADDITIONS["added_columns"]))
def test_added_columns_are_those_of_the_specification(name: str) -> None:
    """[REL-162] Type, nullability and default, of interactions and of other tables."""
    for fact in ADDITIONS["added_columns"][name]:
        column = metadata.tables[name].columns[reviewed.RENAMED.get(name, {}).get(fact["name"], fact["name"])]
        definition = fact["definition"]
        assert type_of(column) == re.split(r" |,", definition)[0], column
        assert column.nullable == (" not null" not in definition.partition(",")[0]), column
        default = re.search(r"default (\S+)", definition)
        assert default_of(column) == (default and default[1]), column


def test_a_row_is_the_newest_of_one_parent() -> None:
    """[REL-30] Each column that points to the newest child is unique."""
    pointers = [
        (table, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if re.fullmatch(r"last_\w+_id", column.name)
    ]
    assert len(pointers) == 5
    for table, name in pointers:
        unique = [item.columns.keys() for item in table.constraints if isinstance(item, UniqueConstraint)]
        assert [name] in unique, (table, name)


@pytest.mark.parametrize("name", BUILT)
def test_indexes_stay_and_every_foreign_key_has_one(name: str) -> None:
    """[REL-139] An index or a unique constraint leads with each foreign key's column."""
    table, facts = metadata.tables[name], FACTS["tables"][name]
    names = {index.name for index in table.indexes}
    kept = {fact["name"] for fact in facts["indexes"] if fact["method"] != "gist"} - reviewed.INDEXES_DROPPED
    assert kept <= names
    for key in table.foreign_keys:
        assert _is_led(table, key.parent.name), key.parent


def _is_led(table: Table, column: str) -> bool:
    lists = [[str(getattr(e, "name", e)) for e in index.expressions] for index in table.indexes]
    lists += [list(c.columns.keys()) for c in table.constraints if isinstance(c, UniqueConstraint)]
    lists.append([c.name for c in table.primary_key])
    return any(columns[0] == column for columns in lists)


@pytest.mark.parametrize("name", sorted(ADDITIONS["new_tables"]))
def test_new_tables_have_the_specified_columns(name: str) -> None:
    """Each column of section 14, with its type and nullability [REL-145, REL-149, REL-150, REL-151, REL-154, REL-155,
    REL-156, REL-157, REL-158, REL-160, REL-163, REL-164, REL-165, REL-167, REL-168, REL-169]."""
    table = metadata.tables[name.removeprefix("public.")]
    facts = {fact["name"]: fact["definition"] for fact in ADDITIONS["new_tables"][name]}
    beyond = set(table.columns.keys()) - set(facts) - reviewed.NEW_TABLES_ADDED.get(name, set())
    assert set(facts) <= set(table.columns.keys())
    assert beyond <= {"id", "created_at"}
    for column_name, definition in facts.items():
        column = table.columns[column_name]
        word = re.split(r"[ ,]", definition.replace(", ", ",", 1) if definition.startswith("numeric") else definition)[
            0
        ]
        assert type_of(column).startswith(word if not definition.startswith("numeric") else definition.split()[0]), (
            column
        )
        if (name, column_name) in reviewed.NEW_TABLES_NULL:
            assert column.nullable is reviewed.NEW_TABLES_NULL[name, column_name]
        elif " null" in definition:
            assert column.nullable == ("not null" not in definition), column


def test_nothing_else_was_built() -> None:
    """[REL-21] [REL-123] [R44] Every table is in the specification or the reviewed list; none of the dead ones is."""
    known = set(BUILT) | {name.removeprefix("public.") for name in ADDITIONS["new_tables"]} | reviewed.NEW_TABLES_BEYOND
    assert set(metadata.tables) == known


def test_enumerations_are_word_for_word() -> None:
    """[REL-78] [PAY-14] [MET-10] Values, in order."""
    ours = {value.name: list(value.enums) for value in vars(enums).values() if isinstance(value, postgresql.ENUM)}
    deployed = {name: values for name, values in FACTS["enums"].items() if name in ours}
    assert {name: ours[name] for name in deployed} == deployed
    new = set(ours) - set(FACTS["enums"])
    assert new == {
        "interaction_resolution_enum", "shadow_attribute_enum", "shadow_state_enum", "ledger_account_class_enum",
        "ledger_entry_type_enum",
    }  # fmt: skip
    assert ours["shadow_attribute_enum"] == ["relay", "power_limit"]


API_PAGE = SPEC.with_name("api.md").read_text(encoding="utf-8").partition("[API-216]")[2].partition("\n---\n")[0]
NAMED_ENUMS = {
    name: tuple(re.sub(r" \(.*?\)", "", values).split(", "))
    for names, values in re.findall(r"^\| (`.*?) \| ([A-Z].*) \|$", API_PAGE, re.MULTILINE)
    for name in re.findall(r"`(\w+)`", names)
}
# Members of the domain that clients name, in the order of texts that say "one of" [API-23].
OURS: dict[str, type[StrEnum]] = {
    "member_type_enum": MemberType,
    "communication_protocol_enum": CommunicationProtocol,
    "currency_enum": Currency,
    "payment_channel_enum": PaymentChannel,
    "payout_status_enum": PayoutStatus,
    "meter_type_enum": MeterType,
    "meter_phase_enum": MeterPhase,
    "issue_status_enum": IssueStatus,
    "mppt_type_enum": MpptType,
    "gender_enum": Gender,
    "generator_type_enum": GeneratorType,
    "id_document_type_enum": IdDocumentType,
    "weather_type_enum": Weather,
}


def test_enumerations_have_one_order() -> None:
    """[API-216] That of the page, in the database and in the domain."""
    built = {value.name: tuple(value.enums) for value in vars(enums).values() if isinstance(value, postgresql.ENUM)}
    assert len(NAMED_ENUMS) > 30
    assert {name: built.get(name) for name in NAMED_ENUMS} == NAMED_ENUMS
    assert {name: tuple(kind) for name, kind in OURS.items()} == {name: NAMED_ENUMS[name] for name in OURS}


# New pairs that the additions of section 14 connect.
_PAIRS = [
    frozenset((name, fact["references"].partition("(")[0]))
    for name in BUILT
    for fact in FACTS["tables"][name].get("foreign_keys", [])
]


def test_no_second_path_between_two_tables() -> None:
    """[REL-115] [REL-188] Embedding needs no hint where it needs none today, and no table joins two others by key."""
    ours: dict[frozenset[str], int] = {}
    for table in metadata.tables.values():
        if table.schema is None:
            for key in table.foreign_keys:
                pair = frozenset((table.name, key.column.table.name))
                ours[pair] = ours.get(pair, 0) + 1
        assert sum(bool(column.foreign_keys) for column in table.primary_key) < 2, table
    assert {pair for pair, count in ours.items() if count > 1} <= {p for p in _PAIRS if _PAIRS.count(p) > 1}


def test_instants_have_zones() -> None:
    """[REL-11] [REL-134] Also the five columns that had none."""
    zoneless = [
        column
        for table in metadata.tables.values()
        for column in table.columns
        if "TIMESTAMP" in str(column.type) and not getattr(column.type, "timezone", False)
    ]
    assert zoneless == []


def test_rows_go_with_few_others() -> None:
    """[REL-16] [REL-14] Deleting cascades to hops, shadows, secrets, requests and steps; elsewhere it is refused."""
    cascades = {
        table.name for table in metadata.tables.values() for key in table.foreign_keys if key.ondelete is not None
    }
    assert cascades == {
        "ussd_session_hops", "meter_shadows", "meter_secrets", "interaction_requests", "provisioning_job_steps",
    }  # fmt: skip


BIG = {
    "meter_interactions", "transactions", "autopilot_executions", "device_logs", "device_types", "devices",
    "meter_state_events",
}  # fmt: skip


def test_keys_are_numbers_of_the_known_width() -> None:
    """[REL-8] 64 bits where they always were, and in every new table; 32 elsewhere; no key is text."""
    for table in metadata.tables.values():
        if table.schema is None and "id" in table.columns:
            is_big = table.name in BIG or table.name.startswith("pd_")
            assert type_of(table.columns["id"]) == ("bigint" if is_big else "integer"), table
        elif table.schema == "internal" and table.columns.get("id") is not None and table.name != "secrets":
            assert type_of(table.columns["id"]) == "bigint", table


def test_soft_deletion_has_its_marks() -> None:
    """[REL-14] [REL-15] Gateways and poles have one too, others none beyond the deployed."""
    marked = {table.name for table in metadata.tables.values() if "deleted_at" in table.columns}
    assert marked == {
        "accounts", "organizations", "grids", "connections", "connection_requested_meters", "meters", "mppts",
        "routers", "pd_sites", "pd_site_submissions", "dcus", "poles",
    }  # fmt: skip
    assert {table.name for table in metadata.tables.values() if "is_deleted" in table.columns} == {"directive_batches"}


def test_money_has_a_currency() -> None:
    """[REL-133] [REL-135] Wallets and grids say theirs; an unknown tariff or balance is -1."""
    for name in ("wallets", "grids"):
        currency = metadata.tables[name].columns["currency"]
        assert (type_of(currency), currency.nullable, default_of(currency)) == ("currency_enum", False, "NGN")
    sentinels = [("orders", "tariff"), ("transactions", "balance_before"), ("transactions", "balance_after")]
    assert {default_of(metadata.tables[table].columns[column]) for table, column in sentinels} == {"-1"}


def test_no_table_of_a_former_generation_is_known() -> None:
    """[REL-124] What is no table here, no adapter can read or write."""
    former = {name for name, table in FACTS["tables"].items() if table["status"] != "live"}
    assert former & {table.name for table in metadata.tables.values()} == set()
