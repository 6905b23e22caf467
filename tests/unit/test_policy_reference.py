"""The access table of direct clients against the policies of the deployed schema, and the reviewed changes of them."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nxt_adapters.supabase.policies import RULES, Act, Caller
from nxt_adapters.supabase.policies.readers import PRESETS

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "spec"
SPEC = Path(os.environ.get("NXT_SPEC_DIR", _BESIDE)) / "relational-schema.json"
if not SPEC.is_file():
    pytest.skip("the specification is not beside this checkout (NXT_SPEC_DIR)", allow_module_level=True)

FACTS: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
Matrix = Mapping[str, Mapping[str, set[str]]]

LETTER = {Act.SELECT: "S", Act.INSERT: "I", Act.UPDATE: "U", Act.DELETE: "D"}
COMMANDS = {"ALL": "SIUD", "SELECT": "S", "INSERT": "I", "UPDATE": "U", "DELETE": "D"}
NOT_BUILT = {"directives", "lorawan_directives", "features"}
EVERYBODY = {"authenticated": "any", "PUBLIC": "everybody"}
READERS = {"grafana_readonly": "dashboards", "make_readonly": "automation"}

# What section 9.3 changes, as it is afterwards; a caller that is not named keeps what section 9.2 says.
CHANGED: Mapping[str, Mapping[str, str]] = {
    "orders": {Caller.OWNER: "S", Caller.PLATFORM: "SU"},
    "accounts": {Caller.LENDER: ""},
    "wallets": {"any": "", Caller.OWNER: "S", Caller.PLATFORM: "SI"},
    "meter_interactions": {"any": "", Caller.OWNER: "S"},
    "metering_hardware_imports": {"any": "", Caller.OWNER: "S", Caller.PLATFORM: "S"},
    "audits": {"everybody": "", Caller.OWNER: "SI", Caller.PLATFORM: "SI"},
    "directive_batch_executions": {Caller.OWNER: "S"},
    "device_types": {"any": "", Caller.MEMBER: "S", Caller.PLATFORM: "IU"},
    "pd_audits": {"any": "", Caller.MEMBER: "S"},
    "pd_documents": {"any": "", Caller.MEMBER: "S"},
    "pd_action_templates": {"any": "", Caller.MEMBER: "S"},
    "pd_document_templates": {"any": "", Caller.MEMBER: "S"},
    "pd_flow_templates": {"any": "", Caller.MEMBER: "S"},
    "pd_site_submissions": {"everybody": "", Caller.ANONYMOUS: "SI", Caller.OWNER: "S", Caller.PLATFORM: "SIU"},
    "meters": {Caller.MEMBER: "S"},
    # Changes by an author are narrowed to members, who have the row in sight.
    "notes": {"author": "", Caller.OWNER: "SIU", Caller.PLATFORM: "SIU"},
    "meter_shadows": {Caller.OWNER: "S", Caller.PLATFORM: "S"},
    "meter_state_events": {Caller.OWNER: "S", Caller.PLATFORM: "S"},
}


def _caller(rule: str, role: str) -> str:
    if role in READERS:
        return READERS[role]
    if rule == "every row":
        return EVERYBODY[role]
    for words, caller in (
        ("platform operator", Caller.PLATFORM),
        ("lender", Caller.LENDER),
        ("author", "author"),
        ("organization", Caller.OWNER),
    ):
        if words in rule:
            return caller
    raise AssertionError(rule)


def _expected() -> Matrix:
    cells: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for policy in FACTS["policies"]:
        if policy["table"] in NOT_BUILT:
            continue
        for role in policy["roles"]:
            cells[policy["table"]][_caller(policy["rule"], role)] |= set(COMMANDS[policy["command"]])
    for table, changes in CHANGED.items():
        cells[table] |= {caller: set(letters) for caller, letters in changes.items()}
    return cells


def _actual() -> Matrix:
    cells: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for table, rules in RULES.items():
        for rule in rules:
            if rule.caller is not Caller.PERSON:
                cells[table][rule.caller] |= {LETTER[act] for act in rule.acts}
    for reader in READERS.values():
        for table in PRESETS[reader]:
            cells[table][reader] |= {"S"}
    return cells


@pytest.mark.parametrize("table", sorted(_expected().keys() | _actual().keys()))
def test_rights_are_those_of_the_specification(table: str) -> None:
    """[REL-108] [REL-120] [API-209] As deployed, save the reviewed changes; agents and customers stand apart."""
    expected = {str(caller): letters for caller, letters in _expected().get(table, {}).items() if letters}
    assert {str(caller): letters for caller, letters in _actual().get(table, {}).items()} == expected


def test_agents_and_customers_read_what_is_their_own() -> None:
    """[REL-107] Own account, row, wallet, orders; customers also contracts, meters, commands. No more."""
    rules = {table: [rule for rule in rules if rule.caller is Caller.PERSON] for table, rules in RULES.items()}
    assert {table for table, found in rules.items() if found} == {
        "accounts", "agents", "customers", "wallets", "orders", "connections", "meters", "meter_interactions",
    }  # fmt: skip
    assert {act for found in rules.values() for rule in found for act in rule.acts} == {Act.SELECT}
