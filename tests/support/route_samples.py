"""A sample call of every route of the API role, for the proofs that go over all of them.

Each declared route needs an entry; ``tests/unit/repository/test_route_samples.py`` says so when one has none. Where a
call names a thing of a tenant, write ``Of("<kind>")``, with a kind of ``tests/support/two_tenants.py``: the proofs put
there a thing of the caller's own tenant, a foreign one, or one that nobody has, and compare. Everything else of the
sample should be good input, so that nothing but those things decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs


@attrs.frozen
class Of:
    """Stands for a tenant's thing: its id, or its reference.

    Attributes:
        is_exempt: The specification lets the answer tell a foreign one from an unknown one.
    """

    kind: str
    is_exempt: bool = False


@attrs.frozen(kw_only=True)
class Sample:
    """What is sent.

    Attributes:
        path: Values of the path's parameters.
        body: JSON; None: no body.
        form: Fields of a form, in place of a body.
        file: Content of the field ``file`` of a multipart body.
        not_for: Callers whom the route refuses though the matrix admits their kind: what its note says.
        refusal: What they are told.
    """

    path: Mapping[str, Any] = attrs.field(factory=dict)
    query: Mapping[str, Any] = attrs.field(factory=dict)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: Any = None
    form: Mapping[str, str] | None = None
    file: bytes | None = None
    not_for: frozenset[str] = frozenset()
    refusal: str = "You do not have access to this resource"

    def things(self) -> list[Of]:
        """Return the tenants' things that are named, in order."""
        return list(_things([self.path, self.query, self.body, self.form]))


def _things(value: Any) -> Iterator[Of]:
    if isinstance(value, Of):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _things(item)
    elif isinstance(value, list):
        for item in value:
            yield from _things(item)


LIST = Sample(query={"grid_id": Of("grid"), "limit": 5})
# Money may be sent to anybody [PAY-48, PAY-52]; a foreign sender is 403, an unknown one 409 [R39, PAY-51].
_RECEIVER = Of("meter_wallet", is_exempt=True)
_SENDER = Of("organization_wallet", is_exempt=True)
_PURCHASE = {"amount": 1000, "currency": "NGN", "payment_channel": "NIFFLER"}
_CONNECTION = {
    "currency": "NGN",
    "requested_meters": [{"meter_type": "HPS", "meter_phase": "SINGLE_PHASE", "fee": 100}],
    "is_public": False,
    "is_commercial": False,
    "is_residential": True,
    "women_impacted": 1,
}

# Types without a place in the ranking may set none [API-66].
_UNRANKED = frozenset(f"own {kind}" for kind in ("ADMIN", "PARTNER", "MANAGER", "SUPPORT", "SERVICE", "SALES"))
_CONTACT = {"full_name": "Sample", "phone": "+2348031234567"}

SAMPLES: Mapping[str, Sample] = {
    "GET /auth/grafana-token": Sample(),
    "POST /auth/v1/token": Sample(
        query={"grant_type": "password"}, body={"email": "sample@example.org", "password": "sample password"}
    ),
    "GET /auth/v1/user": Sample(),
    "POST /auth/v1/logout": Sample(),
    "POST /chirpstack/acrel": Sample(
        body={"deviceInfo": {"devEui": "24e124136d000001"}, "object": {"data": {"EPa": 1}}}
    ),
    "POST /chirpstack/milesight": Sample(body={"deviceInfo": {"devEui": "24e124136d000001"}, "object": {"co2": 400}}),
    "POST /chirpstack/calin": Sample(query={"event": "up"}, body={}),
    "GET /connections": LIST,
    "POST /connections": Sample(body={**_CONNECTION, "customer_id": Of("customer")}),
    "PATCH /connections": Sample(body=[{"id": Of("connection"), "women_impacted": 2}]),
    "POST /connections/upsert-requested-meters": Sample(
        body={
            "connection_id": Of("connection"),
            "requested_meters": [
                {"id": Of("requested_meter"), "meter_type": "HPS", "meter_phase": "SINGLE_PHASE", "fee": 200}
            ],
        }
    ),
    "GET /customers": LIST,
    "GET /dcus": LIST,
    "PUT /dcus": Sample(body=[{"id": Of("dcu"), "is_online": True}]),
    "POST /dcus/insert-from-inventory": Sample(
        body={"external_reference": "D-new", "external_system": "CALIN", "communication_protocol": "CALIN_LORAWAN"}
    ),
    "POST /dcus/assign": Sample(
        body={
            "external_reference": Of("dcu_number"),
            "external_system": "CALIN",
            "grid_id": Of("grid"),
            "communication_protocol": "CALIN_LORAWAN",
        }
    ),
    "PUT /dcus/unassign/{id}": Sample(path={"id": Of("dcu")}),
    "POST /device-messages/events": Sample(),
    "POST /flutterwave/webhook": Sample(body={}),
    "POST /flutterwave/webhook/{organizationId}": Sample(path={"organizationId": Of("organization")}, body={}),
    "POST /gateway-suspense/{entryId}/resolve": Sample(
        path={"entryId": 5},
        body={"action": "credit", "reason": "Paid by phone", "receiver_wallet_id": _RECEIVER},
        not_for=frozenset({"platform TECH"}),
    ),
    "GET /grids": LIST,
    "PUT /grids": Sample(body=[{"id": Of("grid"), "name": "Renamed"}]),
    "GET /grids/{id}": Sample(path={"id": Of("grid")}),
    "GET /grids/{id}/metering_hardware_connectivity_stats": Sample(path={"id": Of("grid")}),
    "GET /grids/{id}/pbg-connections/download": Sample(path={"id": Of("grid")}),
    "GET /issues": LIST,
    "PUT /issues": Sample(body=[{"id": Of("issue"), "snoozed_until": "2026-04-01T00:00:00Z"}]),
    "POST /issues/debug": Sample(body={"external_reference": None}),
    "GET /meter-interactions/{id}/delivery-status": Sample(path={"id": Of("interaction")}),
    "POST /meter-credit-transfers": Sample(
        body={
            "sender_meter_id": Of("meter"),
            "receiver_meter_id": Of("other_meter"),
            "amount": 600,
            "currency": "NGN",
        }
    ),
    "GET /meters": LIST,
    "GET /meters/search": Sample(query={"search": "1"}),
    "GET /notes": LIST,
    "GET /mppts": LIST,
    "GET /mppts/sync/{grid_id}": Sample(path={"grid_id": Of("grid")}),
    "POST /orders": Sample(
        body={
            **_PURCHASE,
            "sender_wallet_id": _SENDER,
            "receiver_wallet_id": _RECEIVER,
        }
    ),
    "POST /orders/flutterwave/initialise": Sample(
        body={**_PURCHASE, "external_reference": "sample-1", "receiver_wallet_id": _RECEIVER}
    ),
    "POST /orders/flutterwave/initialise/public": Sample(
        body={**_PURCHASE, "meter_external_reference": Of("meter_number")}
    ),
    "POST /orders/flutterwave/check/public": Sample(body={"id": Of("order")}),
    "POST /orders/flutterwave/cancel/public": Sample(body={"id": Of("order")}),
    "POST /orders/flutterwave/verify": Sample(body={"external_reference": Of("order_reference")}),
    "GET /poles": LIST,
    "GET /routers": LIST,
    "POST /telegram/link": Sample(body={"telegram_id": "tg-1", "telegram_link_token": "sample"}),
    "GET /telegram/accounts/{telegram_id}": Sample(path={"telegram_id": "tg-1"}),
    "POST /user-admin/invite-member": Sample(
        body={
            "email": "sample@example.org",
            "full_name": "Sample",
            "organization_id": Of("organization"),
            "member_type": "TECH",
            "busy_commissioning_id": Of("grid"),
        },
        not_for=_UNRANKED,
        refusal="You can't assign the role TECH",
    ),
    "POST /user-admin/update-member": Sample(
        body={
            "id": Of("member"),
            "full_name": "Sample",
            "member_type": "DEVELOPER",
            "training_level": 1,
            "busy_commissioning_id": Of("grid"),
            "subscribed_to_telegram_revenue_notifications": True,
            "hidden": False,
        }
    ),
    "DELETE /user-admin/member/{id}": Sample(path={"id": Of("member")}),
    "POST /user-admin/create-agent": Sample(body={**_CONTACT, "grid_id": Of("grid")}),
    "POST /user-admin/update-agent": Sample(body={**_CONTACT, "id": Of("agent")}),
    "DELETE /user-admin/agent/{id}": Sample(path={"id": Of("agent")}),
    "POST /user-admin/create-customer": Sample(
        body={**_CONTACT, "grid_id": Of("grid"), "is_hidden_from_reporting": False}
    ),
    "POST /user-admin/update-customer": Sample(
        body={**_CONTACT, "id": Of("customer"), "is_hidden_from_reporting": True}
    ),
    "DELETE /user-admin/customer/{id}": Sample(path={"id": Of("customer")}),
    "GET /lost-revenue/{id}": Sample(path={"id": Of("grid")}),
    "POST /payouts": Sample(
        body={"grid_id": Of("grid"), "date_from": "2026-01-01T00:00:00+01:00", "date_to": "2026-02-01T00:00:00+01:00"}
    ),
    "PUT /payouts": Sample(body={"id": 9, "draft_link": "https://docs.example.org/1"}),
    "POST /orders/{id}/reverse": Sample(
        path={"id": Of("order")}, body={"reason": "Paid twice"}, not_for=frozenset({"platform TECH"})
    ),
}
