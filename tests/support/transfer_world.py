"""Two ready meters of one organization whose wallets hold money, on both stores, and the hands that move credit."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs

from nxt_domain.grids.tariffs import MeterType, TariffFacts
from nxt_domain.identity.model import AccountType, CredentialKind, MemberType, OrganizationType, Principal
from nxt_domain.messaging.model import CommandType
from nxt_domain.meters.model import Interaction, InteractionType
from nxt_domain.meters.use_cases.apply_delivery_events import ApplyDeliveryEvents
from nxt_domain.meters.use_cases.command_meters import MeterCommands
from nxt_domain.meters.use_cases.top_ups import TopUpCommands
from nxt_domain.orders.credit_transfers import CreditTransfer
from nxt_domain.orders.meta import Party
from nxt_domain.orders.model import ActorType, Order
from nxt_domain.orders.ports import MeterForSale
from nxt_domain.orders.use_cases.advance_transfers import AdvanceTransfers
from nxt_domain.orders.use_cases.place_order import OrderPlacement
from nxt_domain.orders.use_cases.settle_orders import SettleOrders
from nxt_domain.orders.use_cases.transfer_credit import TransferCredit, WantedTransfer
from nxt_domain.shared.money import Currency
from nxt_domain.tokens.model import TokenRequest
from nxt_domain.wallets.accounts import manual_account, wallet_account
from nxt_domain.wallets.model import Entry, EntryType, Posting
from tests.support.meters_villages import MemoryVillage, PostgresVillage
from tests.support.meters_world import NUMBERS, RADIO, TARIFF, MetersWorld

HELD = Decimal(2000)
"""What each meter's wallet holds at first."""


class AnyTokens:
    """Makes tokens of every class here."""

    vendor_id = "any"
    needs_decoder_key = False

    def make(self, request: TokenRequest) -> str:
        """Twenty digits that depend on the minute and the energy."""
        minute = int(request.issued_at.timestamp()) // 60
        return f"{int((request.energy_kwh or 0) * 10):08d}{minute % 10**12:012d}"


class TransferWorld:
    """What tests of transfers do.

    Args:
        village: The stores.
    """

    def __init__(self, village: MetersWorld) -> None:
        self.village = village
        self.sender, self.receiver, self.third = village.meter_ids
        makers = {RADIO: AnyTokens()}
        self.commands = MeterCommands(clock=village.clock, makers=makers)
        self.ask = TransferCredit(
            begin=village.begin, placement=OrderPlacement(clock=village.clock, platform_organization_id=2)
        )
        self.advance_once = AdvanceTransfers(
            begin=village.begin, commands=self.commands, clock=village.clock, wake_ups=village.wakeups
        )
        self.settle: SettleOrders[Any] = SettleOrders(
            begin=village.begin,
            top_ups=TopUpCommands(clock=village.clock, makers=makers),
            clock=village.clock,
            wake_ups=village.wakeups,
        )
        self.apply = ApplyDeliveryEvents(begin=village.begin, clock=village.clock, wakeups=village.wakeups)

    async def prepare(self) -> None:
        """Make meters ready and fund their wallets."""
        if isinstance(self.village, MemoryVillage):
            wallets = self._in_memory()
        else:
            assert isinstance(self.village, PostgresVillage)
            wallets = self._in_postgres(self.village)
        entries = [
            Entry(
                key=f"fund:{wallet_id}",
                entry_type=EntryType.ADJUSTMENT,
                memo="test",
                postings=(Posting(wallet_account(wallet_id), HELD), Posting(manual_account(), -HELD)),
            )
            for wallet_id in wallets
        ]
        async with self.village.begin() as tx:
            await tx.ledger.post(entries)
            await tx.commit()
        self.wallets = dict(zip(self.village.meter_ids, wallets, strict=True))
        self.organization_id = (await self.village.meter(self.sender)).organization_id

    def member(self, organization_id: int | None = None, *, is_platform: bool = False) -> Principal:
        """Somebody who works for an organization; that of the meters by default."""
        return Principal(
            kind=CredentialKind.USER,
            account_id=self._account(),
            supabase_id=None,
            email=None,
            full_name="Desk",
            account_type=AccountType.MEMBER,
            organization_id=2 if is_platform else organization_id or self.organization_id,
            organization_type=OrganizationType.SOLAR_DEVELOPER,
            is_admin_org=is_platform,
            member_id=1,
            member_type=MemberType.DEVELOPER,
            agent_id=None,
            customer_id=None,
            grid_id=None,
        )

    async def move(self, amount: str = "600", **changes: int) -> CreditTransfer:
        """Ask for a transfer from the first meter to the second."""
        wanted = WantedTransfer(
            sender_meter_id=self.sender,
            receiver_meter_id=self.receiver,
            amount=Decimal(amount),
            currency=Currency.NGN,
        )
        return await self.ask(self.member(), attrs.evolve(wanted, **changes))

    async def advance(self) -> int:
        """Let the time pass after which transfers are looked at, and settle what is ready."""
        self.village.clock.advance(timedelta(seconds=3))
        moved = await self.advance_once()
        await self.settle()
        return moved

    async def last(self, kind: InteractionType, meter_id: int | None = None) -> Interaction:
        """The newest command of a kind."""
        wanted = self.sender if meter_id is None else meter_id
        return [one for one in await self.village.of_type(kind) if one.meter_id == wanted][-1]

    async def done(self, kind: InteractionType, meter_id: int | None = None, **data: Any) -> None:
        """Let the newest command of a kind succeed."""
        command = await self.last(kind, meter_id)
        word = CommandType.TOP_UP_KWH if kind is InteractionType.TOP_UP else CommandType(kind.value)
        number = NUMBERS[self.village.meter_ids.index(command.meter_id)]
        await self.apply([self.village.succeeded(command.id, data, command=word, number=number)])

    async def refused(self, kind: InteractionType) -> None:
        """Let the newest command of a kind be refused by its meter."""
        command = await self.last(kind)
        await self.apply([self.village.refused(command.id, command=CommandType(kind.value))])

    async def order(self, transfer: CreditTransfer) -> Order:
        """The order of a transfer."""
        async with self.village.begin() as tx:
            found: Order = await tx.orders.find(order_id=transfer.order_id)
        return found

    async def transfer(self, transfer_id: int) -> CreditTransfer:
        """A transfer as stored, whether it goes on or not."""
        if isinstance(self.village, MemoryVillage):
            stored: CreditTransfer = self.village.plane.database.table("credit_transfers")[transfer_id].transfer
            return stored
        assert isinstance(self.village, PostgresVillage)
        reopened = "update internal.credit_transfer_runs set finished_at = null where transfer_id = %s returning 1"
        async with self.village.begin() as tx:
            open_now = await tx.credit_transfers.lock(transfer_id)
        if open_now is not None:
            return open_now
        at = self.village.one(
            "select finished_at from internal.credit_transfer_runs where transfer_id = %s", transfer_id
        )
        self.village.one(reopened, transfer_id)
        async with self.village.begin() as tx:
            found = await tx.credit_transfers.lock(transfer_id)
        self.village.run(
            "update internal.credit_transfer_runs set finished_at = %s where transfer_id = %s", at, transfer_id
        )
        assert found is not None
        return attrs.evolve(found, finished_at=at)

    async def in_manual_mode(self) -> list[bool]:
        """Whether each meter is in manual mode."""
        if isinstance(self.village, MemoryVillage):
            modes = self.village.begin().credit_transfers.manual_mode
            return [modes.get(meter_id, False) for meter_id in self.village.meter_ids]
        assert isinstance(self.village, PostgresVillage)
        rows = self.village.all(
            "select is_manual_mode_on from meters where id = any(%s) order by id", self.village.meter_ids
        )
        return [row["is_manual_mode_on"] for row in rows]

    async def balances(self) -> list[Decimal]:
        """What the wallets of the meters hold."""
        codes = [wallet_account(self.wallets[meter_id]) for meter_id in self.village.meter_ids]
        async with self.village.begin() as tx:
            held = await tx.ledger.balances(codes)
        return [held[code] for code in codes]

    def _account(self) -> int:
        if isinstance(self.village, PostgresVillage):
            return int(self.village.one("insert into accounts (full_name) values ('Desk') returning id"))
        return 41

    def _in_memory(self) -> list[int]:
        tariffs = TariffFacts(
            meter_type=MeterType.HPS,
            own_tariff=None,
            essential_tariff=TARIFF,
            full_tariff=TARIFF,
            is_dual_meter_grid=False,
        )
        orders = self.village.begin().orders
        wallets = []
        for meter_id, number in zip(self.village.meter_ids, NUMBERS, strict=True):
            wallet_id = 500 + meter_id
            place = {
                "customer_id": 60,
                "customer_name": "Baker",
                "grid_id": self.village.grid_id,
                "organization_id": 9,
                "tariffs": tariffs,
            }
            orders.know_wallet(
                Party(
                    wallet_id=wallet_id,
                    currency=Currency.NGN,
                    actor=ActorType.METER,
                    owner_id=meter_id,
                    name=number,
                    is_customer_hidden=False,
                    is_grid_hidden=False,
                    **place,
                )
            )
            orders.know_meter(
                MeterForSale(
                    id=meter_id,
                    external_reference=number,
                    wallet_id=wallet_id,
                    is_ready=True,
                    grid_name="Mbari",
                    organization_name="Sun Power",
                    **place,
                )
            )
            wallets.append(wallet_id)
        return wallets

    def _in_postgres(self, village: PostgresVillage) -> list[int]:
        village.run("insert into wallets (id, identifier) values (968, 'BANKING_SYSTEM') on conflict do nothing")
        wallets = []
        for meter_id in village.meter_ids:
            session = village.one(
                "insert into metering_hardware_install_sessions (meter_id) values (%s) returning id", meter_id
            )
            commissioning = village.one(
                "insert into meter_commissionings (metering_hardware_install_session_id, meter_commissioning_status)"
                " values (%s, 'SUCCESSFUL') returning id",
                session,
            )
            village.run(
                "update metering_hardware_install_sessions set last_meter_commissioning_id = %s where id = %s",
                commissioning,
                session,
            )
            village.run(
                "update meters set last_metering_hardware_install_session_id = %s where id = %s", session, meter_id
            )
            village.run("insert into wallets (meter_id) values (%s) on conflict do nothing", meter_id)
            wallets.append(int(village.one("select id from wallets where meter_id = %s", meter_id)))
        return wallets
