"""The first rows of a fresh installation [REL-170, REL-171, PAY-66].

Existing rows win, so seeding twice changes nothing. The first superadmin's login belongs to the identity provider and
is made through it, by ``EnsureSuperadmin``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import attrs
from sqlalchemy import Connection, Table, cast, func, or_, select, text
from sqlalchemy.dialects.postgresql import REGCLASS, Insert, insert

from nxt_adapters.supabase.tables import banks, deployment, ledger_accounts, organizations, wallets
from nxt_domain.shared.errors import Conflict, InvalidInput
from nxt_entrypoints.database.migrate import connected

BANKING_SYSTEM = "BANKING_SYSTEM"

SYSTEM_ACCOUNTS: Sequence[str] = (
    "external:gateway:platform",
    "external:manual",
    "external:disbursement",
    "suspense:gateway:platform",
    "income:platform_fee",
    "income:insurance",
    "income:rental",
    "income:gateway_fee",
    "income:payout_adjustment",
    "income:rounding",
    "opening:migration",
)
"""Accounts of the ledger that belong to no wallet, grid or organization of their own (payments 5.2)."""

BANKS: Mapping[str, str] = {
    "First bank of Nigeria": "011",
    "FCMB": "214",
    "Stanbic IBTC bank": "221",
    "United Bank for Africa": "033",
    "Access Bank": "044",
    "Zenith Bank": "057",
    "Guaranty Trust Bank": "058",
    "Sterling Bank": "232",
    "Fidelity Bank": "070",
    "Keystone Bank": "082",
    "Unity Bank": "215",
    "Ecobank": "050",
    "Heritage bank": "030",
    "Union bank": "032",
    "Wema bank": "035",
}
"""Names as the phone menu matches them, and the gateway's codes [PAY-66, REL-70]."""


@attrs.frozen(kw_only=True)
class Baseline:
    """What a fresh installation starts with.

    Attributes:
        platform_organization_id: ``PLATFORM_ORGANIZATION_ID`` [REL-10].
        platform_organization_name: Its short unique name.
        banking_system_wallet_id: ``BANKING_SYSTEM_WALLET_ID`` [REL-10].
        banks: Name to code at the payment provider.
    """

    platform_organization_id: int = 2
    platform_organization_name: str = "Platform operator"
    banking_system_wallet_id: int = 968
    banks: Mapping[str, str] = attrs.field(factory=lambda: dict(BANKS))


def read_banks(text: str) -> Mapping[str, str]:
    """Read an operator's codes of banks at the payment provider: a JSON object of names and codes.

    Args:
        text: Of the file. Banks of the phone menu that it doesn't name keep the code of ``BANKS``.

    Raises:
        InvalidInput: It is no such object, or two banks have one code.
    """
    try:
        codes = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"The banks are no JSON: {error}", code="BANKS_MALFORMED") from error
    if not isinstance(codes, dict) or not all(isinstance(code, str) and code.strip() for code in codes.values()):
        raise InvalidInput("The banks must be an object of names and codes, all text", code="BANKS_MALFORMED")
    banks = {**BANKS, **{name.strip(): code.strip() for name, code in codes.items()}}
    if len(set(banks.values())) < len(banks):
        raise InvalidInput("Two banks have the same code", code="BANKS_MALFORMED")
    return banks


@attrs.frozen(kw_only=True)
class Seeded:
    """What stands after seeding.

    Attributes:
        platform_wallet_id: Wallet of the platform organization.
        banking_system_wallet_id: The system wallet.
        created: How many rows were made now; 0 on a repetition.
    """

    platform_wallet_id: int
    banking_system_wallet_id: int
    created: int


def seed(url: str, baseline: Baseline) -> Seeded:
    """Insert what is missing of the first rows, in one transaction.

    Args:
        url: ``postgresql://…`` of the login that owns the database.
        baseline: Configured ids and names.

    Returns:
        Ids that other steps need, and how many rows were new.

    Raises:
        Conflict: ``BANKING_SYSTEM_WALLET_ID`` names a wallet that is not the banking system's, or the banking system
            has a wallet with another id.
        Unavailable: The database can't be reached.
    """
    with connected(url) as connection, connection.begin():
        created = _organization(connection, baseline) + _system_wallet(connection, baseline)
        created += _accounts(connection) + _banks(connection, baseline.banks)
        _remember_ids(connection, baseline)
        for table in (organizations, wallets):
            _move_sequence(connection, table)
        platform_wallet = connection.scalar(
            select(wallets.c.id).where(wallets.c.organization_id == baseline.platform_organization_id)
        )
        return Seeded(
            platform_wallet_id=int(platform_wallet or 0),
            banking_system_wallet_id=baseline.banking_system_wallet_id,
            created=created,
        )


def _organization(connection: Connection, baseline: Baseline) -> int:
    operator = insert(organizations).values(
        id=baseline.platform_organization_id, name=baseline.platform_organization_name
    )
    wallet = insert(wallets).values(organization_id=baseline.platform_organization_id)
    return _made(
        connection, operator.on_conflict_do_nothing(index_elements=[organizations.c.id]), organizations
    ) + _made(connection, wallet.on_conflict_do_nothing(index_elements=[wallets.c.organization_id]), wallets)


def _system_wallet(connection: Connection, baseline: Baseline) -> int:
    wanted = baseline.banking_system_wallet_id
    known = connection.scalar(select(wallets.c.id).where(wallets.c.identifier == BANKING_SYSTEM))
    if known == wanted:
        return 0
    if known is not None:
        raise Conflict(
            f"The banking system's wallet is {known}, while BANKING_SYSTEM_WALLET_ID says {wanted}",
            code="BANKING_SYSTEM_WALLET_MISMATCH",
        )
    wallet = insert(wallets).values(id=wanted, identifier=BANKING_SYSTEM)
    made = _made(connection, wallet.on_conflict_do_nothing(index_elements=[wallets.c.id]), wallets)
    if not made:
        raise Conflict(
            f"Wallet {wanted} has an owner and can't be the banking system's", code="BANKING_SYSTEM_WALLET_MISMATCH"
        )
    return made


def _remember_ids(connection: Connection, baseline: Baseline) -> None:
    # Row security asks for them; they follow the configuration.
    ids = {
        "platform_organization_id": baseline.platform_organization_id,
        "banking_system_wallet_id": baseline.banking_system_wallet_id,
    }
    differs = or_(*(deployment.c[name] != value for name, value in ids.items()))
    statement = insert(deployment).values(**ids)
    connection.execute(statement.on_conflict_do_update(index_elements=[deployment.c.is_only], set_=ids, where=differs))


def _accounts(connection: Connection) -> int:
    count = select(func.count()).select_from(ledger_accounts)
    before = connection.scalar(count) or 0
    connection.execute(
        text("select internal.ensure_ledger_account(code) from unnest(cast(:codes as text[])) as t (code)"),
        {"codes": list(SYSTEM_ACCOUNTS)},
    )
    return (connection.scalar(count) or 0) - before


def _banks(connection: Connection, known: Mapping[str, str]) -> int:
    if not known:
        return 0
    rows = [{"name": name, "external_id": code} for name, code in known.items()]
    return _made(connection, insert(banks).values(rows).on_conflict_do_nothing(), banks)


def _made(connection: Connection, statement: Insert, table: Table) -> int:
    return len(connection.execute(statement.returning(table.c.id)).all())


def _move_sequence(connection: Connection, table: Table) -> None:
    # Forward only: a sequence may be ahead of the rows, where some were rolled back.
    sequence = cast(func.pg_get_serial_sequence(table.name, "id"), REGCLASS)
    highest = select(func.max(table.c.id)).scalar_subquery()
    connection.execute(select(func.setval(sequence, func.greatest(highest, func.nextval(sequence) - 1))))
