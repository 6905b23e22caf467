"""The demo's window: payments, commands, energy and plants as they happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from nxt_domain.shared.money import plain
from nxt_entrypoints.demo.figures import Figures, LatestPurchase, PlantFigures, Totals

_STATE_STYLES = {"SUCCESSFUL": "green", "FAILED": "red", "ABORTED": "red", "SUSPENDED": "yellow"}


def render(figures: Figures, *, since: datetime, roles: Mapping[str, str]) -> RenderableType:
    """Draw the figures.

    Args:
        figures: See ``read_figures``.
        since: When the demo was started.
        roles: State of each process by name, e.g. ``ready``.
    """
    minutes, seconds = divmod(int((datetime.now(UTC) - since).total_seconds()), 60)
    states = Text.assemble(*(part for item in roles.items() for part in _role(*item)))
    header = Text.assemble(("nxt ", "bold"), (f"up for {minutes}:{seconds:02d}   ", "dim"), states)
    return Group(
        header,
        Columns([_money(figures.totals), _commands(figures.totals), _plants(figures.plants)], padding=(0, 1)),
        _latest(figures.latest),
        Text("Ctrl-C stops everything; with --data the next start goes on from here", style="dim"),
    )


def _role(name: str, state: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (f"{name} ", "dim"), ("● ", "green" if state == "ready" else "yellow")


def _money(totals: Totals) -> Panel:
    table = _facts()
    table.add_row("payments settled", str(totals.payments))
    table.add_row("money", f"NGN {plain(totals.money)}")
    table.add_row("settling now", str(totals.settling))
    table.add_row("failed", _alarming(totals.failed_payments))
    table.add_row("SMS sent", str(totals.sms))
    return Panel(table, title="Money")


def _commands(totals: Totals) -> Panel:
    table = _facts()
    table.add_row("in flight", str(totals.in_flight))
    table.add_row("delivered", str(totals.delivered))
    table.add_row("energy sold", f"{plain(totals.energy_kwh)} kWh")
    table.add_row("failed", _alarming(totals.failed_commands))
    table.add_row("meter reports", str(totals.reports))
    return Panel(table, title="Meters")


def _plants(plants: Sequence[PlantFigures]) -> Panel:
    table = Table("village", "power", "heard", "credit", box=None, header_style="dim")
    for plant in plants:
        table.add_row(*_plant(plant))
    return Panel(table, title="Villages")


def _plant(plant: PlantFigures) -> tuple[str, Text, str, str]:
    power = Text("on", style="green") if plant.is_energised else Text("dark", style="bold red")
    return plant.name, power, f"{plant.heard} of {plant.meters}", f"{plant.credit_kwh:.0f} kWh"


def _latest(latest: Sequence[LatestPurchase]) -> Table:
    table = Table("time", "customer", "paid", "energy", "command", box=None, header_style="dim", pad_edge=False)
    for purchase in latest:
        table.add_row(*_purchase(purchase))
    return table


def _purchase(purchase: LatestPurchase) -> tuple[str, str, str, str, Text]:
    energy = "" if purchase.energy_kwh is None else f"{plain(purchase.energy_kwh)} kWh"
    state = Text(purchase.state, style=_STATE_STYLES.get(purchase.state, ""))
    return (
        purchase.at.strftime("%H:%M:%S"),
        purchase.customer or "",
        f"NGN {plain(purchase.amount)}",
        energy,
        state,
    )


def _facts() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    return table


def _alarming(count: int) -> Text:
    return Text(str(count), style="bold red" if count else "green")
