"""Orders that signed-in people and programs place."""

from __future__ import annotations

from dependency_injector import containers, providers

from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.timescale.daily_use import TimescaleDailyUse
from nxt_adapters.timescale.plant_history import TimescalePlantHistory
from nxt_adapters.timescale.pool import SeriesPool
from nxt_domain.identity.ports import Accounts
from nxt_domain.orders.gateway_ports import MerchantAccounts
from nxt_domain.orders.use_cases.make_payout import ChangePayout, DraftPayout
from nxt_domain.orders.use_cases.move_money import InitialiseOrder, PlaceOrder
from nxt_domain.orders.use_cases.place_order import OrderPlacement
from nxt_domain.orders.use_cases.resolve_suspense import ResolveSuspense
from nxt_domain.orders.use_cases.reverse_order import ReverseOrder
from nxt_domain.orders.use_cases.show_lost_revenue import ShowLostRevenue
from nxt_domain.orders.use_cases.show_payout import ShowPayout
from nxt_domain.orders.use_cases.transfer_credit import TransferCredit
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import WakeUps
from nxt_entrypoints.api.money_services import MoneyServices


class Money(containers.DeclarativeContainer):
    """Use cases of one area, over what the process's container lends it."""

    begin: providers.Dependency[UnitOfWorkFactory[SupabaseUnitOfWork]] = providers.Dependency()
    placement: providers.Dependency[OrderPlacement] = providers.Dependency()
    accounts: providers.Dependency[MerchantAccounts] = providers.Dependency()
    wake_ups: providers.Dependency[WakeUps] = providers.Dependency()
    system_wallet_id: providers.Dependency[int] = providers.Dependency()

    clock: providers.Dependency[Clock] = providers.Dependency()

    series: providers.Dependency[SeriesPool] = providers.Dependency()

    people: providers.Dependency[Accounts] = providers.Dependency()

    draft_payout = providers.Singleton(
        DraftPayout, begin=begin, plants=providers.Singleton(TimescalePlantHistory, series), wake_ups=wake_ups
    )
    services = providers.Singleton(
        MoneyServices,
        place_order=providers.Singleton(PlaceOrder, begin=begin, placement=placement, wake_ups=wake_ups),
        initialise_order=providers.Singleton(
            InitialiseOrder, begin=begin, placement=placement, accounts=accounts, system_wallet_id=system_wallet_id
        ),
        draft_payout=draft_payout,
        change_payout=providers.Singleton(ChangePayout, begin=begin),
        show_payout=providers.Singleton(ShowPayout, begin=begin, accounts=people),
        show_lost_revenue=providers.Singleton(
            ShowLostRevenue, begin=begin, use=providers.Singleton(TimescaleDailyUse, series), clock=clock
        ),
        resolve_suspense=providers.Singleton(
            ResolveSuspense, begin=begin, placement=placement, wake_ups=wake_ups, system_wallet_id=system_wallet_id
        ),
        transfer_credit=providers.Singleton(TransferCredit, begin=begin, placement=placement),
        reverse_order=providers.Singleton(ReverseOrder, begin=begin, clock=clock),
    )
