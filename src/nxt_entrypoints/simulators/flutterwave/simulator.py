"""The payment gateway as one thing to start and stop: the v3 API, and ``POST /pay`` for payers [R34]."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, utc_now
from nxt_entrypoints.simulators.flutterwave.transactions import (
    PAYMENT_TYPES,
    STATUSES,
    Ledger,
    Transaction,
)
from nxt_entrypoints.simulators.flutterwave.webhook import FORMS, Merchant, Webhook
from nxt_entrypoints.simulators.http_server import (
    RefusedError,
    json_answer,
    plain_refusal,
    read_object,
)
from nxt_entrypoints.simulators.payment_gateway import (
    GatewayConfig,
    GatewayFrame,
    currency_of,
    one_of,
    refuse_unknown,
)
from nxt_entrypoints.simulators.state import StateStore

_LARGEST = Decimal(10) ** 12
_PAGE = 100
_PAY_KEYS = {"tx_ref", "amount", "currency", "status", "payment_type", "form", "merchant", "id"}


def _merchants(values: Iterable[Merchant]) -> tuple[Merchant, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class FlutterwaveConfig(GatewayConfig):
    """How the gateway is set up.

    Attributes:
        merchants: the accounts; the first is the platform's.
    """

    merchants: tuple[Merchant, ...] = attrs.field(converter=_merchants)


class Flutterwave:
    """The gateway.

    Args:
        config: port, accounts, retries.
        store: memory between runs.
        speed: divisor of the lateness of reordered events.
        seed: start of the faults.
        clock: the present instant.
    """

    def __init__(
        self,
        config: FlutterwaveConfig,
        store: StateStore,
        *,
        speed: float = 1.0,
        seed: int = 0,
        clock: Clock = utc_now,
    ) -> None:
        self._clock = clock
        self._ledger = Ledger(store)
        self._frame = GatewayFrame(
            config,
            config.merchants,
            prefixes=("/v3/",),
            server_error=lambda: RefusedError(500, _error("An error occurred")),
            unauthorized=lambda: RefusedError(401, _error("Invalid authorization key")),
            pace=speed,
            seed=seed,
            clock=clock,
        )
        self.control, self.http = self._frame.control, self._frame.http
        self.start, self.stop, self._merchant = self._frame.start, self._frame.stop, self._frame.merchant
        self._webhooks = {merchant.name: Webhook(merchant, self._frame) for merchant in config.merchants}
        self.http.app.add_routes(
            [
                web.get("/v3/transactions/verify_by_reference", self._verify_by_reference),
                web.get("/v3/transactions/{id}/verify", self._verify),
                web.get("/v3/transactions", self._list),
                web.post("/v3/charges", self._charge),
                web.post("/v3/transactions/{id}/refund", self._refund),
                web.get("/v3/refunds", self._refunds),
                web.post("/pay", self._pay),
            ]
        )

    # -- the vendor's API -----------------------------------------------------------------------

    async def _verify_by_reference(self, request: web.Request) -> web.Response:
        merchant = self._merchant(request)
        found = self._ledger.by_reference(merchant, request.query.get("tx_ref", ""))
        if found is None:
            raise RefusedError(400, _error("No transaction was found for this id"))
        return _success("Transaction fetched successfully", found.as_json())

    async def _verify(self, request: web.Request) -> web.Response:
        found = self._found(request, self._merchant(request))
        return _success("Transaction fetched successfully", found.as_json())

    def _found(self, request: web.Request, merchant: str) -> Transaction:
        text = request.match_info["id"]
        number = int(text) if text.isdecimal() and len(text) < 18 else -1
        found = self._ledger.by_id(merchant, number)
        if found is None:
            raise RefusedError(400, _error("No transaction was found for this id"))
        return found

    async def _list(self, request: web.Request) -> web.Response:
        merchant = self._merchant(request)
        found = self._ledger.of(merchant, request.query.get("tx_ref"))
        if status := request.query.get("status"):
            found = [each for each in found if each.status == status]
        return _page(request, "Transactions fetched", [each.as_json() for each in found])

    async def _charge(self, request: web.Request) -> web.Response:
        """Start a USSD charge [PAY-64]; the payer completes it by ``POST /pay`` with its ``id``."""
        merchant = self._merchant(request)
        if request.query.get("type") != "ussd":
            raise _bad("Only USSD charges are supported here")
        body = await read_object(request, _bad)
        for name in ("tx_ref", "account_bank", "email", "phone_number"):
            if not isinstance(body.get(name), str) or not body[name]:
                raise _bad(f"{name} is required")
        amount = _amount(body.get("amount"), _bad, from_text=True)
        transaction = self._ledger.save(
            Transaction(
                id=self._ledger.next_id(),
                merchant=merchant,
                tx_ref=body["tx_ref"],
                amount=amount,
                currency=currency_of(body.get("currency"), _bad),
                status="pending",
                payment_type="ussd",
                created_at=self._clock(),
            )
        )
        note = f"*{body['account_bank'].lstrip('0') or '0'}*000*{transaction.id % 10_000:04d}#"
        return json_answer(
            {
                "status": "success",
                "message": "Charge initiated",
                "data": transaction.as_json() | {"processor_response": "Transaction in progress"},
                "meta": {"authorization": {"mode": "ussd", "note": note}},
            }
        )

    async def _refund(self, request: web.Request) -> web.Response:
        merchant = self._merchant(request)
        found = self._found(request, merchant)
        body = await read_object(request, _bad) if request.can_read_body else {}
        amount = _amount(body["amount"], _bad) if body.get("amount") is not None else found.left
        if found.status != "successful" or amount > found.left or found.left == 0:
            raise _bad("Transaction is not refundable by this amount")
        given = self._ledger.save(found.given_back(amount, self._clock(), body.get("comments")))
        return _success("Transaction refund initiated", given.refunds_as_json()[-1])

    async def _refunds(self, request: web.Request) -> web.Response:
        merchant = self._merchant(request)
        wanted = request.query.get("tx_id")
        paid = (each for each in self._ledger.of(merchant, None) if wanted in {None, str(each.id)})
        listed = [refund for each in paid for refund in each.refunds_as_json()]
        return _page(request, "Refunds fetched", listed)

    # -- the payer ------------------------------------------------------------------------------

    async def _pay(self, request: web.Request) -> web.Response:
        """Pay under a reference, or complete a started charge, and send the webhook."""
        body = await read_object(request, plain_refusal)
        refuse_unknown(body, _PAY_KEYS)
        merchant = self._frame.merchant_of_payer(body)
        form = one_of(body, "form", FORMS, "current")
        status = one_of(body, "status", STATUSES, "successful")
        started = self._started(body, merchant) if "id" in body else self._attempt(body, merchant)
        paid = self._ledger.save(attrs.evolve(started, status=status))
        self.control.log.add("pay", id=paid.id, tx_ref=paid.tx_ref, amount=str(paid.amount), status=status)
        if status != "pending":
            self._webhooks[merchant].send(paid, form)
        return json_answer({"id": paid.id, "status": paid.status})

    def _started(self, body: dict[str, Any], merchant: str) -> Transaction:
        number = body["id"]
        found = self._ledger.by_id(merchant, number) if isinstance(number, int) else None
        if found is None or found.status != "pending":
            raise plain_refusal(f"no pending transaction {number}")
        return found

    def _attempt(self, body: dict[str, Any], merchant: str) -> Transaction:
        tx_ref = body.get("tx_ref")
        if not isinstance(tx_ref, str) or not tx_ref:
            raise plain_refusal("tx_ref must be a string")
        return Transaction(
            id=self._ledger.next_id(),
            merchant=merchant,
            tx_ref=tx_ref,
            amount=_amount(body.get("amount"), plain_refusal, from_text=True),
            currency=currency_of(body.get("currency"), plain_refusal),
            status="pending",
            payment_type=one_of(body, "payment_type", PAYMENT_TYPES, "card"),
            created_at=self._clock(),
        )


def _error(message: str) -> dict[str, object]:
    return {"status": "error", "message": message, "data": None}


def _bad(message: str) -> RefusedError:
    return RefusedError(400, _error(message))


def _success(message: str, data: object) -> web.Response:
    return json_answer({"status": "success", "message": message, "data": data})


def _page(request: web.Request, message: str, found: list[dict[str, object]]) -> web.Response:
    """Answer a page of a list, as ``?page=`` asks for it."""
    page_text = request.query.get("page", "1")
    page = int(page_text) if page_text.isdecimal() and 0 < len(page_text) < 9 else 1
    info = {"total": len(found), "current_page": page, "total_pages": -(-len(found) // _PAGE)}
    shown = found[(page - 1) * _PAGE : page * _PAGE]
    return json_answer({"status": "success", "message": message, "meta": {"page_info": info}, "data": shown})


def _amount(value: object, refusal: Any, *, from_text: bool = False) -> Decimal:  # noqa: ANN401 - maker of a refusal
    """Read an amount: a JSON number, or (where the gateway takes one) plain decimal text."""
    if isinstance(value, str) and from_text and value.replace(".", "", 1).isdecimal() and len(value) <= 20:
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise refusal("amount must be a number")
    amount = Decimal(value)
    if not 0 < amount <= _LARGEST or amount != amount.quantize(Decimal("0.000001")):
        raise refusal("amount must be positive, at most 1e12, with at most 6 decimals")
    return amount
