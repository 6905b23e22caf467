"""The payment gateway as one thing to start and stop: its API, and ``POST /pay`` for payers [R34]."""

import re
from collections.abc import Iterable
from typing import Any

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, utc_now
from nxt_entrypoints.simulators.http_server import (
    RefusedError,
    json_answer,
    plain_refusal,
    read_object,
)
from nxt_entrypoints.simulators.payment_gateway import (
    GatewayConfig,
    GatewayFrame,
    Refusal,
    currency_of,
    one_of,
    refuse_unknown,
)
from nxt_entrypoints.simulators.paystack.transactions import (
    CHANNELS,
    PAYABLE,
    REFUND_STATUSES,
    STATUSES,
    GivenBack,
    Ledger,
    Transaction,
)
from nxt_entrypoints.simulators.paystack.webhook import Merchant, Webhook
from nxt_entrypoints.simulators.state import StateStore

_LARGEST = 10**14
_MENUS = ("737", "919", "822", "966")
_REFERENCE = re.compile(r"[A-Za-z0-9.=-]{1,255}")
_PAY_KEYS = {"reference", "amount", "currency", "status", "channel", "merchant", "is_fee_on_payer"}
_SETTLE_KEYS = {"id", "status"}
_CODES = {401: "invalid_Key", 400: "invalid_params"}


def _merchants(values: Iterable[Merchant]) -> tuple[Merchant, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class PaystackConfig(GatewayConfig):
    """How the gateway is set up.

    Attributes:
        merchants: the accounts; the first is the platform's.
    """

    merchants: tuple[Merchant, ...] = attrs.field(converter=_merchants)


class Paystack:
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
        config: PaystackConfig,
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
            prefixes=("/transaction", "/charge", "/refund"),
            server_error=lambda: _refusal(500, "An error occurred"),
            unauthorized=lambda: _refusal(401, "Invalid key"),
            pace=speed,
            seed=seed,
            clock=clock,
        )
        self.control, self.http = self._frame.control, self._frame.http
        self.start, self.stop, self._merchant = self._frame.start, self._frame.stop, self._frame.merchant
        self._webhooks = {merchant.name: Webhook(merchant, self._frame) for merchant in config.merchants}
        self.http.app.add_routes(
            [
                web.post("/transaction/initialize", self._initialize),
                web.get("/transaction/verify/{reference}", self._verify),
                web.get("/transaction/{id}", self._fetch),
                web.get("/transaction", self._list),
                web.post("/charge", self._charge),
                web.post("/refund", self._refund),
                web.get("/refund", self._refunds),
                web.post("/pay", self._pay),
                web.post("/settle-refund", self._settle_refund),
            ]
        )

    # -- the vendor's API -----------------------------------------------------------------------

    async def _initialize(self, request: web.Request) -> web.Response:
        """Make a transaction that the payer completes in the browser, here by ``POST /pay``."""
        started = self._ledger.save(await self._started(request, "abandoned", "card"))
        data = {
            "authorization_url": f"https://checkout.paystack.example/{started.id}",
            "access_code": f"access-{started.id}",
            "reference": started.reference,
        }
        return _success("Authorization URL created", data)

    async def _verify(self, request: web.Request) -> web.Response:
        found = self._ledger.by_reference(self._merchant(request), request.match_info["reference"])
        if found is None:
            raise _refusal(400, "Transaction reference not found.", code="transaction_not_found")
        return _success("Verification successful", found.as_json())

    async def _fetch(self, request: web.Request) -> web.Response:
        found = self._ledger.by_id(self._merchant(request), request.match_info["id"])
        if found is None:
            raise _refusal(404, "Transaction not found", code="transaction_not_found")
        return _success("Transaction retrieved", found.as_json())

    async def _list(self, request: web.Request) -> web.Response:
        found = [each.as_json() for each in self._ledger.of(self._merchant(request))]
        query = request.query
        if status := query.get("status"):
            found = [each for each in found if each["status"] == status]
        if start := query.get("from"):
            found = [each for each in found if str(each["created_at"]) >= start]
        if end := query.get("to"):
            found = [each for each in found if str(each["created_at"]) <= end]
        return _page(request, "Transactions retrieved", found)

    async def _charge(self, request: web.Request) -> web.Response:
        """Start a USSD charge; the payer completes it by ``POST /pay`` with its reference."""
        started = await self._started(request, "ongoing", "ussd")
        menu = (await read_object(request, _bad)).get("ussd")
        kind = menu.get("type") if isinstance(menu, dict) else None
        if kind not in _MENUS:
            raise _bad("Only USSD charges by 737, 919, 822 and 966 are supported here")
        self._ledger.save(started)
        code = f"*{kind}*000*{started.id % 10_000:04d}#"
        data = {
            "reference": started.reference,
            "status": "pay_offline",
            "display_text": f"Please dial {code} on your mobile phone to complete the transaction",
            "ussd_code": code,
        }
        return _success("Charge attempted", data)

    async def _started(self, request: web.Request, status: str, channel: str) -> Transaction:
        merchant = self._merchant(request)
        body = await read_object(request, _bad)
        if not isinstance(body.get("email"), str) or "@" not in body["email"]:
            raise _bad("Invalid Email Address Passed")
        reference = body.get("reference", f"T{self._ledger.next_id()}")
        return self._transaction(merchant, body, _reference(reference, _bad), status, channel, _bad)

    def _transaction(
        self, merchant: str, body: dict[str, Any], reference: str, status: str, channel: str, refusal: Refusal
    ) -> Transaction:
        if self._ledger.by_reference(merchant, reference) is not None:
            raise _refusal(400, "Duplicate Transaction Reference", code="duplicate_reference")
        return Transaction(
            id=self._ledger.next_id(),
            merchant=merchant,
            reference=reference,
            requested_amount=_amount(body.get("amount"), refusal),
            currency=currency_of(body.get("currency", "NGN"), refusal),
            status=status,
            channel=channel,
            created_at=self._clock(),
        )

    async def _refund(self, request: web.Request) -> web.Response:
        merchant = self._merchant(request)
        body = await read_object(request, _bad)
        name = str(body.get("transaction", ""))
        found = self._ledger.by_reference(merchant, name) or self._ledger.by_id(merchant, name)
        if found is None:
            raise _refusal(404, "Transaction not found", code="transaction_not_found")
        if found.status in PAYABLE:
            raise _bad("Transaction has not been paid")
        amount = found.left if body.get("amount") is None else _amount(body["amount"], _bad)
        if not 0 < amount <= found.left:
            raise _bad("Refund amount cannot be more than what is left of the transaction")
        note = body.get("merchant_note")
        refund = GivenBack(
            id=(found.id - 4_000_000_000) * 100 + len(found.refunds),
            amount=amount,
            at=self._clock(),
            merchant_note=note if isinstance(note, str) else None,
        )
        changed = self._ledger.save(found.given_back(refund))
        self._webhooks[merchant].refunded(changed, refund)
        whole = {"id": changed.id, "reference": changed.reference, "amount": changed.amount}
        data = changed.refund_as_json(refund) | {"transaction": whole}
        return _success("Refund has been queued for processing", data)

    async def _refunds(self, request: web.Request) -> web.Response:
        merchant = self._merchant(request)
        wanted = request.query.get("transaction")
        known = (each for each in self._ledger.of(merchant) if wanted in {None, str(each.id)})
        return _page(request, "Refunds retrieved", [each.refund_as_json(r) for each in known for r in each.refunds])

    # -- the payer, and the banks ---------------------------------------------------------------

    async def _pay(self, request: web.Request) -> web.Response:
        """Pay under a reference, or complete what was started under it; a success sends the webhook."""
        body = await _own_body(request, _PAY_KEYS)
        merchant = self._frame.merchant_of_payer(body)
        status = one_of(body, "status", STATUSES, "success")
        reference = _reference(body.get("reference"), plain_refusal)
        channel = one_of(body, "channel", CHANNELS, "card")
        known = self._ledger.by_reference(merchant, reference)
        if known is None:
            known = self._transaction(merchant, body, reference, "abandoned", channel, plain_refusal)
        if known.status not in PAYABLE:
            raise plain_refusal(f"{reference} is paid already")
        is_fee_on_payer = body.get("is_fee_on_payer", False) is True
        tried = attrs.evolve(
            known, status=status, channel=channel, attempts=known.attempts + 1, is_fee_on_payer=is_fee_on_payer
        )
        paid = self._ledger.save(tried)
        self.control.log.add("pay", id=paid.id, reference=reference, amount=paid.amount, status=status)
        if status == "success":
            self._webhooks[merchant].paid(paid)
        return json_answer({"id": paid.id, "status": paid.status})

    async def _settle_refund(self, request: web.Request) -> web.Response:
        """Say how far a refund is."""
        body = await _own_body(request, _SETTLE_KEYS)
        number = body.get("id")
        found = self._ledger.refund(number) if isinstance(number, int) else None
        if found is None:
            raise plain_refusal(f"no refund {number}")
        transaction, refund = found
        settled = attrs.evolve(refund, status=one_of(body, "status", REFUND_STATUSES, "processed"))
        changed = self._ledger.save(transaction.given_back(settled))
        self._webhooks[changed.merchant].refunded(changed, settled)
        return json_answer({"id": settled.id, "status": settled.status, "transaction_status": changed.status})


async def _own_body(request: web.Request, known: set[str]) -> dict[str, Any]:
    body = await read_object(request, plain_refusal)
    refuse_unknown(body, known)
    return body


def _refusal(status: int, message: str, *, code: str = "") -> RefusedError:
    named = code or _CODES.get(status, "unknown")
    kind = "api_error" if status >= 500 else "validation_error"
    return RefusedError(status, {"status": False, "message": message, "meta": {}, "type": kind, "code": named})


def _bad(message: str) -> RefusedError:
    return _refusal(400, message)


def _success(message: str, data: object) -> web.Response:
    return json_answer({"status": True, "message": message, "data": data})


def _page(request: web.Request, message: str, found: list[dict[str, object]]) -> web.Response:
    """Answer a page of a list, as ``?page=`` and ``?perPage=`` ask for it."""
    page, size = (_whole(request.query.get(name, ""), default) for name, default in (("page", 1), ("perPage", 50)))
    meta = {
        "total": len(found),
        "skipped": (page - 1) * size,
        "perPage": size,
        "page": page,
        "pageCount": -(-len(found) // size),
    }
    shown = found[(page - 1) * size : page * size]
    return json_answer({"status": True, "message": message, "data": shown, "meta": meta})


def _whole(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 and int(text) > 0 else default


def _amount(value: object, refusal: Refusal) -> int:
    """Read an amount in minor units: a whole number, or its digits as text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST:
        raise refusal("amount must be a positive whole number of minor units")
    return value


def _reference(value: object, refusal: Refusal) -> str:
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise refusal("Transaction reference contains an invalid character: only -, ., = and alphanumeric ones")
    return value
