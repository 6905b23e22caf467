"""Plug-in ``calin-api-v2``: commands to meters behind DCUs by the vendor's tasks [DM 12]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nxt_adapters.calin_api.commands import DcuIntake
from nxt_adapters.calin_api.errors import CalinApiFailed, poll_failure, send_failure
from nxt_adapters.calin_api.v2.answers import interpret
from nxt_adapters.calin_api.v2.client import CalinV2Client
from nxt_adapters.calin_api.v2.settings import PLUGIN_ID
from nxt_adapters.calin_api.v2.tasks import numbered, poll_path, task_id, task_of
from nxt_domain.messaging.model import DeviceEvent, DeviceMessage


class CalinV2Meters(DcuIntake):
    """Implements ``PullPlugin`` over the service of the second generation. Safe for many tasks of one event loop.

    Args:
        client: Calls the service.
    """

    def __init__(self, client: CalinV2Client) -> None:
        super().__init__(PLUGIN_ID)
        self._client = client

    async def send(self, message: DeviceMessage) -> str:
        """Create a message's task and return its id [DM-126, DM-127].

        Raises:
            SendFailed: It can't be written (final), or no task was made.
        """
        task = task_of(message)
        settings = self._client.settings
        order = {**task.fields, "customerId": settings.customer_id, "company": settings.company}
        try:
            answer = await self._client.act("create", task.path, [order])
        except CalinApiFailed as failed:
            raise send_failure(failed) from failed
        return task_id(answer)

    async def poll(self, message: DeviceMessage) -> DeviceEvent | None:
        """Ask for the result of a message's task; None: not yet [DM-128, DM-129].

        Raises:
            PollFailed: The service gave no answer, or no login [DM-49].
        """
        question = {
            "id": numbered(message.delivery_queue_id),
            "lang": "en",
            "company": self._client.settings.company,
        }
        try:
            answer = await self._client.ask("poll", poll_path(message), question)
        except CalinApiFailed as failed:
            raise poll_failure(failed) from failed
        return interpret(answer, message)

    async def check(self) -> str:
        """Log in and ask something harmless, for ``nxt doctor``; return one line on what was found.

        Raises:
            UpstreamFailed: It can't be reached, or doesn't know us.
        """
        question = {"pageNumber": 0, "pageSize": 1, "company": self._client.settings.company}
        answer = await self._client.ask("online", "/API/ConcentratorOnlineStatus/Read", question)
        result = answer.get("result")
        listed = result.get("data") if isinstance(result, Mapping) else None
        if isinstance(listed, str) or not isinstance(listed, Sequence):
            raise CalinApiFailed("CALIN API-V2 lets us in, and lists no concentrators")
        return "CALIN API-V2 lets us in and lists its concentrators"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
