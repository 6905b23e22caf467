"""Requests per second and times to answer of the payment routes, beside bare aiohttp handlers that run the same SQL.

The routes are those of a purchase's way over HTTP: the pay page begins it (``initialise``), the gateway tells of the
payment (``webhook``), the page looks for the token (``check``). Ours is ``nxt api`` as it is run: rate limit in Valkey,
secret hash, validation, log line, figures, exact numbers. The peer runs the very statements that ours sends, in the
same transactions, gives the bodies that ours gives, and does nothing else.

Neither side calls the gateway: ``initialise`` only tells the page its public key, and a webhook is stored, for the jobs
role to ask the gateway later; no jobs role runs here. Each purchase has a reference of its own, each event an id.

Each round gives both servers a short turn, one after the other, and there are many rounds: a machine's own speed
changes by more than the goal leaves room for.

Goal: at least 0.6 of the peer's requests per second, and at most twice its p99.

Run: ``python benchmarks/orders_http.py [--seconds S] [--rounds N] [--json]``
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
from _harness import Report, arguments, count, publish, run
from _http_load import Load, answer, request
from _http_servers import Recorded, Server, environment_of, peer, product
from _postgres import ServerCpu, migrated_stack
from _turns import report, take_turns
from _village import build

from nxt_domain.orders.model import PaymentChannel
from nxt_domain.orders.use_cases.public_orders import PublicPurchase
from nxt_domain.shared.money import Currency
from nxt_entrypoints.container import Container
from nxt_entrypoints.demo.environment import new_secrets
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role

_AMOUNT = 500
_MOST_PER_S = 5000
_WARM_UP_S = 1
_CHANNEL = PaymentChannel.AYRTON
_INITIALISE = "/orders/flutterwave/initialise/public"
_CHECK = "/orders/flutterwave/check/public"
_WEBHOOK = "/flutterwave/webhook"
_MADE_ANEW = frozenset({"order_id", "external_reference"})


@attrs.frozen(kw_only=True)
class Case:
    """One route under load.

    Attributes:
        requests: Makes what is asked in one turn.
    """

    name: str
    requests: Callable[[], Sequence[bytes]]
    status: int = 201


@attrs.frozen(kw_only=True)
class Seen:
    """What the use cases sent to the database, run in this process, and the orders that came of it."""

    told: Mapping[str, object]
    orders: Sequence[tuple[int, str]]


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=count, default=2, help="of each turn (default: 2)")
    parser.add_argument("--rounds", type=count, default=15, help="turns of each server and route (default: 15)")
    parser.add_argument("--connections", type=count, default=8, help="asked at once (default: 8)")
    parser.add_argument("--meters", type=count, default=500, help="that purchases are for (default: 500)")
    wanted = parser.parse_args()
    publish(run(compare(wanted.seconds, wanted.rounds, wanted.connections, wanted.meters)), as_json=wanted.json)


async def compare(seconds: int, rounds: int, connections: int, meters: int) -> Report:
    """Load both servers in turn, route by route."""
    async with migrated_stack() as stack:
        operator = await asyncio.to_thread(build, stack.relational_url, meters)
        numbers = [meter.house.meter_number for village in operator.villages for meter in village.meters]
        environment = _unlimited(environment_of(stack, new_secrets()))
        seen = await _seen(environment, numbers)
        cases = _cases(seen, numbers, environment["FLW_WEBHOOK_SECRET"], seconds)
        async with product(environment) as ours, peer("_bare_orders.py", stack.relational_url, seen.told) as theirs:
            await _same_answers(cases, ours, theirs)
            database, servers = ServerCpu.of(stack), (theirs, ours)
            load = Load(url="", requests=(), connections=connections, seconds=seconds)
            turns = {
                case.name: await take_turns(
                    case.name, servers, attrs.evolve(load, status=case.status), case.requests, database, rounds
                )
                for case in cases
            }
    return report("orders_http", turns)


def _unlimited(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Let one address call as often as it likes; calls are counted all the same."""
    artifact = json.loads(environment["NXT_CONFIG_JSON"])
    artifact["security"]["publicRequestsPerMinute"] = 1_000_000
    return {**environment, "NXT_CONFIG_JSON": json.dumps(artifact)}


async def _seen(environment: Mapping[str, str], numbers: Sequence[str]) -> Seen:
    """Run each use case twice, and keep what the second run sent: merchants' keys are remembered from the first on."""
    container = Container(settings=load_settings({**environment, "NXT_PORT": "1"}, [Role.API]))
    recorded = Recorded.of(container)
    statements: dict[str, Sequence[Any]] = {}
    orders: list[tuple[int, str]] = []
    for reference in ("seen-1", "seen-2"):
        recorded.take()
        made = await container.initialise_public_order()(_purchase(numbers[0], reference))
        statements["begin"] = recorded.take()
        await container.check_public_order()(made.order_id, reference)
        statements["look"] = recorded.take()
        await container.receive_gateway_event()("platform", _event(len(orders), reference))
        statements["take"] = recorded.take()
        orders.append((made.order_id, reference))
    await container.merchant_accounts().close()
    await container.read_pool().close()
    await container.engine().dispose()
    await container.http_session().close()
    return Seen(told={**statements, "public_key": environment["FLW_PUBLIC_KEY"]}, orders=orders)


def _purchase(number: str, reference: str) -> PublicPurchase:
    return PublicPurchase(
        meter_external_reference=number,
        amount=Decimal(_AMOUNT),
        currency=Currency.NGN,
        payment_channel=_CHANNEL,
        external_reference=reference,
    )


def _event(event_id: int, reference: str) -> dict[str, Any]:
    payment = {"id": event_id, "tx_ref": reference, "status": "successful", "amount": _AMOUNT, "currency": "NGN"}
    return {"event": "charge.completed", "data": payment}


def _cases(seen: Seen, numbers: Sequence[str], secret: str, seconds: int) -> Sequence[Case]:
    """More requests than a turn takes, none of them twice."""
    size, serial, meters = _MOST_PER_S * (seconds + _WARM_UP_S), itertools.count(1000), itertools.cycle(numbers)
    common = {"amount": _AMOUNT, "currency": "NGN", "payment_channel": _CHANNEL}

    def purchases() -> Sequence[bytes]:
        names = [
            {"meter_external_reference": next(meters), "external_reference": f"b-{next(serial)}"} for _ in range(size)
        ]
        return [_post(_INITIALISE, common | each) for each in names]

    def events() -> Sequence[bytes]:
        head = {"verif-hash": secret}
        return [_post(_WEBHOOK, _event(number, f"b-{number}"), head) for number in itertools.islice(serial, size)]

    def looks() -> Sequence[bytes]:
        return [_post(_CHECK, {"id": order_id, "external_reference": known}) for order_id, known in seen.orders]

    return [
        Case(name=f"POST {_INITIALISE}", requests=purchases),
        Case(name=f"POST {_WEBHOOK}", requests=events, status=200),
        Case(name=f"POST {_CHECK}", requests=looks),
    ]


def _post(path: str, body: object, headers: Mapping[str, str] | None = None) -> bytes:
    return request("POST", path, headers or {}, json.dumps(body).encode())


async def _same_answers(cases: Sequence[Case], ours: Server, theirs: Server) -> None:
    """Compare what both answer, but for what is made anew with each request.

    Raises:
        RuntimeError: They differ.
    """
    for case in cases:
        first, second = json.loads(await _answered(ours, case)), json.loads(await _answered(theirs, case))
        is_same = all(first[name] == second.get(name) for name in first if name not in _MADE_ANEW)
        if not is_same or list(first) != list(second):
            raise RuntimeError(f"{case.name} has two answers")


async def _answered(server: Server, case: Case) -> bytes:
    return await answer(server.url, case.requests()[0], case.status)


if __name__ == "__main__":
    main()
