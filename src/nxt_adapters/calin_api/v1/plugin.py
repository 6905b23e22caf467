"""Plug-in ``calin-api-v1``: commands to meters behind DCUs by the vendor's tasks [DM 11]."""

from __future__ import annotations

from collections.abc import Sequence

from nxt_adapters.calin_api.commands import DcuIntake
from nxt_adapters.calin_api.errors import CalinApiFailed, poll_failure, send_failure
from nxt_adapters.calin_api.v1.answers import interpret
from nxt_adapters.calin_api.v1.client import CalinV1Client, credentials
from nxt_adapters.calin_api.v1.settings import PLUGIN_ID
from nxt_adapters.calin_api.v1.tasks import poll_path, task_number, task_of
from nxt_domain.messaging.model import DeviceEvent, DeviceMessage


class CalinV1Meters(DcuIntake):
    """Implements ``PullPlugin`` over the service of the first generation. Safe for many tasks of one event loop.

    Args:
        client: Calls the service.
    """

    def __init__(self, client: CalinV1Client) -> None:
        super().__init__(PLUGIN_ID)
        self._client = client

    async def send(self, message: DeviceMessage) -> str:
        """Create a message's task and return its number [DM-112, DM-115].

        Raises:
            SendFailed: It can't be written (final), was rejected with code 99 (final), or the call failed.
        """
        task = task_of(message)
        try:
            answer = await self._client.post("create", task.path, {**self._login(), **task.fields})
        except CalinApiFailed as failed:
            raise send_failure(failed) from failed
        return task_number(answer, message)

    async def poll(self, message: DeviceMessage) -> DeviceEvent | None:
        """Ask for the result of a message's task; None: not yet [DM-116, DM-117].

        Raises:
            PollFailed: The service gave no answer [DM-49].
        """
        try:
            question = {**self._login(), "TaskNo": message.delivery_queue_id}
            answer = await self._client.post("poll", poll_path(message), question, is_question=True)
        except CalinApiFailed as failed:
            raise poll_failure(failed) from failed
        return interpret(answer, message)

    async def check(self) -> str:
        """Ask the service something harmless, for ``nxt doctor``; return one line on what was found.

        Raises:
            UpstreamFailed: It can't be reached, or doesn't know us.
        """
        settings = self._client.settings
        body = credentials(settings.company, settings.maintenance)
        answer = await self._client.post("online", "/COMM_OnlineStatus", body, is_question=True)
        listed = answer.get("Result")
        if isinstance(listed, str) or not isinstance(listed, Sequence):
            raise CalinApiFailed("CALIN API-V1 answers, and lists no concentrators: does it know our maintenance user?")
        return f"CALIN API-V1 answers and lists {len(listed)} concentrators"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _login(self) -> dict[str, object]:
        return credentials(self._client.settings.company, self._client.settings.admin)
