"""Whether the database knows the platform's ids as the configuration does [REL-10, API-200]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import RowMapping, literal, select, true
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.tables import deployment, organizations, wallets

SYSTEM_WALLET = "BANKING_SYSTEM"


async def deployment_faults(engine: AsyncEngine, *, admin_organization_id: int, system_wallet_id: int) -> Sequence[str]:
    """Say in one line each what an operator should mend.

    Args:
        engine: Of the application.
        admin_organization_id: As configured.
        system_wallet_id: As configured.
    """
    one = select(literal(1).label("one")).subquery()
    wallet = wallets.c.id == system_wallet_id
    question = select(
        deployment.c.platform_organization_id.label("known"),
        organizations.c.id.label("organization"),
        wallets.c.identifier.label("wallet"),
    ).select_from(
        one.outerjoin(deployment, true())
        .outerjoin(organizations, organizations.c.id == admin_organization_id)
        .outerjoin(wallets, wallet)
    )
    async with engine.connect() as connection:
        row = (await connection.execute(question)).mappings().one()
    return list(_faults(row, admin_organization_id, system_wallet_id))


def _faults(row: RowMapping, admin_organization_id: int, system_wallet_id: int) -> Iterator[str]:
    if row["organization"] is None:
        yield f"the admin organization {admin_organization_id} does not exist; run: nxt db seed"
    if row["wallet"] != SYSTEM_WALLET:
        yield f"wallet {system_wallet_id} is not the banking system's; set BANKING_SYSTEM_WALLET_ID or run: nxt db seed"
    if row["known"] != admin_organization_id:
        yield (
            f"row security takes {row['known'] or 'no organization'} for the platform's, the configuration "
            f"{admin_organization_id}; run: nxt db seed"
        )
