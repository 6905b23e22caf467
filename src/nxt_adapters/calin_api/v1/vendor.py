"""Port ``TokenVendor`` over the service of the first generation [DM 11.5]."""

from __future__ import annotations

from collections.abc import Mapping

from nxt_adapters.calin_api.errors import CalinApiFailed
from nxt_adapters.calin_api.tokens import Sale, token_of, untold
from nxt_adapters.calin_api.v1.client import CalinV1Client
from nxt_adapters.calin_api.v1.settings import PLUGIN_ID
from nxt_adapters.calin_api.values import reason_of, text
from nxt_domain.shared.json import Json, JsonObject
from nxt_domain.tokens.model import TokenClass, TokenRequest

SERVICE = "CALIN API-V1 TOKEN SERVICE"
_PATHS: Mapping[TokenClass, str] = {
    TokenClass.TOP_UP: "/POS_Purchase",
    TokenClass.SET_POWER_LIMIT: "/Maintenance_SetMaxPower",
    TokenClass.CLEAR_TAMPER: "/Maintenance_ClearTamper",
    TokenClass.CLEAR_CREDIT: "/Maintenance_ClearCredit",
}
_GOOD = "OK"


class CalinV1TokenVendor:
    """Has the vendor sell top-ups and make maintenance tokens; issue date and decoder key are its own affair.

    Nothing is repeated here: the order's task does that, unless the sale may have been booked [MET-75].

    Args:
        client: Calls the service.
    """

    vendor_id = PLUGIN_ID
    needs_decoder_key = False

    def __init__(self, client: CalinV1Client) -> None:
        self._client = client

    async def request(self, request: TokenRequest) -> str:
        """Have one token made [DM-120]; each order is a sale of its own.

        Raises:
            InvalidInput: The order says too little; the vendor was not asked [DM-140].
            TokenOutcomeUnknown: A top-up may have been booked.
            TokenVendorUnavailable: No token came, and asking again is safe.
        """
        return await self.sell(Sale.requested(request))

    async def sell(self, sale: Sale) -> str:
        """Have one token made.

        Raises:
            TokenOutcomeUnknown: A top-up may have been booked.
            TokenVendorUnavailable: No token came, and asking again is safe.
        """
        try:
            answer = await self._client.post("mint", _PATHS[sale.token_class], self._body(sale))
        except CalinApiFailed as failed:
            raise untold(failed, sale.token_class) from failed
        return token_of(
            _token(answer, sale.token_class),
            sale.token_class,
            service=SERVICE,
            reason=answer.get("reason"),
            is_success=text(answer.get("result_code")).strip() == "0" and reason_of(answer.get("reason")) == _GOOD,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _body(self, sale: Sale) -> dict[str, object]:
        settings = self._client.settings
        is_top_up = sale.token_class is TokenClass.TOP_UP
        user = settings.pos if is_top_up else settings.maintenance
        body: dict[str, object] = {
            "company_name": settings.company,
            "user_name": user.name,
            "password": user.password(),
            "meter_number": sale.meter,
        }
        if is_top_up:
            body |= {"password_vend": user.password(), "is_vend_by_unit": True, "amount": sale.energy_kwh}
        if sale.token_class is TokenClass.SET_POWER_LIMIT:
            body["max_power"] = sale.power_limit_w
        return body


def _token(answer: JsonObject, token_class: TokenClass) -> Json:
    result = answer.get("result")
    if token_class is not TokenClass.TOP_UP:
        return result
    return result.get("token") if isinstance(result, Mapping) else None
