"""Taking a meter out of the vendor's registry [DM-132]."""

from __future__ import annotations

from collections.abc import Mapping

from nxt_adapters.calin_api.errors import CalinApiFailed
from nxt_adapters.calin_api.v2.client import CalinV2Client
from nxt_adapters.calin_api.values import first_object, identifier, reason_of
from nxt_domain.shared.json import JsonObject


class CalinV2Registry:
    """Removes meters. The spelling of paths and members is the vendor's.

    Args:
        client: Calls the service.
    """

    def __init__(self, client: CalinV2Client) -> None:
        self._client = client

    async def deregister(self, meter: str, concentrator: str) -> None:
        """Take a meter off its DCU, tell the DCU, and close its account, in this order.

        Args:
            meter: Number of the meter.
            concentrator: The vendor's id of its DCU.

        Raises:
            CalinApiFailed: One of the calls failed, or its answer lacks what it should have; those before it stand.
        """
        settings = self._client.settings
        company = settings.company
        found = await self._client.ask(
            "find_assignment",
            "/API/ConcentratorFile/Read",
            {"meterId": meter, "concentratorId": concentrator, "company": company},
        )
        number = _assignment(found, meter)
        removed = await self._client.act(
            "delete_assignment",
            "/api/concentratorFile/delete",
            [{"pn": number, "concentratorId": concentrator, "company": company}],
        )
        _expect_result(removed, "delete the assignment")
        told = await self._client.act(
            "update_concentrator",
            "/api/concentrator/updateStatusFile",
            {"Company": company, "ConcentratorId": concentrator},
        )
        _expect_result(told, "update the concentrator")
        closed = await self._client.act(
            "delete_account",
            "/api/account/delete",
            [{"meterId": meter, "customerId": settings.customer_id, "Company": company}],
        )
        _expect_result(closed, "delete the account")


def _assignment(answer: JsonObject, meter: str) -> int:
    """Read the number of a meter's assignment, which must be that meter's [MET-230]."""
    result = answer.get("result")
    row = first_object(result.get("data")) if isinstance(result, Mapping) else None
    number = identifier(row.get("pn")) if row is not None else ""
    if row is None or not (number.isascii() and number.isdigit()):
        raise _refused(answer, "find the assignment")
    if row.get("meterId", meter) != meter:
        raise CalinApiFailed("CALIN API-V2 found the assignment of another meter")
    return int(number)


def _expect_result(answer: JsonObject, what: str) -> None:
    result = answer.get("result")
    is_missing = isinstance(result, str) or not isinstance(result, list | tuple) or not result or result[0] is None
    if is_missing:
        raise _refused(answer, what)


def _refused(answer: JsonObject, what: str) -> CalinApiFailed:
    reason = reason_of(answer.get("reason")) or "unknown"
    return CalinApiFailed(f"CALIN API-V2 did not {what} because: {reason}")
