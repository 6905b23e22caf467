"""Port ``TokenVendor`` over the service of the second generation [DM 12.4]."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from nxt_adapters.calin_api.errors import CalinApiFailed
from nxt_adapters.calin_api.tokens import Sale, token_of, untold
from nxt_adapters.calin_api.v2.client import CalinV2Client, is_success
from nxt_adapters.calin_api.v2.settings import PLUGIN_ID
from nxt_domain.tokens.model import TokenClass, TokenRequest

SERVICE = "CALIN API-V2 TOKEN SERVICE"
_KINDS: Mapping[TokenClass, str] = {
    TokenClass.TOP_UP: "CreditToken",
    TokenClass.SET_POWER_LIMIT: "SetMaximumPowerLimitToken",
    TokenClass.CLEAR_TAMPER: "ClearTamperToken",
    TokenClass.CLEAR_CREDIT: "ClearCreditToken",
}


def _serial_number() -> str:
    return str(uuid.uuid4())


class CalinV2TokenVendor:
    """Has the vendor sell top-ups and make other tokens; issue date and decoder key are its own affair.

    Attempts after a 401 or a refused connection bear the serial number of the first, so that one order is one sale.

    Args:
        client: Calls the service.
        serial_number: Draws one for each order.
    """

    vendor_id = PLUGIN_ID
    needs_decoder_key = False

    def __init__(self, client: CalinV2Client, *, serial_number: Callable[[], str] = _serial_number) -> None:
        self._client = client
        self._serial_number = serial_number

    async def request(self, request: TokenRequest) -> str:
        """Have one token made [DM-131]; each order is a sale of its own.

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
        path = f"/API/Token/{_KINDS[sale.token_class]}/Generate"
        try:
            answer = await self._client.act("mint", path, self._body(sale))
        except CalinApiFailed as failed:
            raise untold(failed, sale.token_class) from failed
        result = answer.get("result")
        return token_of(
            result.get("token") if isinstance(result, Mapping) else None,
            sale.token_class,
            service=SERVICE,
            reason=answer.get("reason"),
            is_success=is_success(answer),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _body(self, sale: Sale) -> dict[str, object]:
        settings = self._client.settings
        body: dict[str, object] = {"meterId": sale.meter, "company": settings.company}
        if sale.token_class is TokenClass.TOP_UP:
            body |= {
                "amount": sale.energy_kwh,
                "authorizationPassword": settings.pos_password(),
                "isPreview": False,
                "isVendByTotalPaid": False,
                "serialNumber": self._serial_number(),
            }
        if sale.token_class is TokenClass.SET_POWER_LIMIT:
            body["maximumPower"] = sale.power_limit_w
        return body
