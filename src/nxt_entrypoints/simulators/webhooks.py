"""How a simulated vendor posts to us: now and then twice, late, or not at all while it is down."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from nxt_entrypoints.simulators.control import ControlPlane

_LISTEN_POLL_S = 0.1

logger = logging.getLogger(__name__)


class Tasks:
    """Background tasks of one simulator: kept alive, logged when they fail, ended at stop."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Run the coroutine in the background."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("background task %s of a simulator failed", task.get_name(), exc_info=error)

    async def stop(self) -> None:
        """Cancel what still runs and wait for its end."""
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Poster:
    """Posts bodies to one address, with the faults of the control plane.

    Args:
        control: where the faults and the dice are.
        url: the receiver; empty means that nobody listens and nothing is sent.
        headers: sent with every post.
        pace: a divisor of all waiting times, so that tests are fast.
        timeout_s: how long the vendor waits for an answer.
    """

    def __init__(
        self,
        control: ControlPlane,
        url: str,
        headers: Mapping[str, str],
        *,
        pace: float = 1.0,
        timeout_s: float = 10.0,
    ) -> None:
        self._control = control
        self.url = url
        self._headers = dict(headers)
        self._pace = pace
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: bytes, *, content_type: str, params: Mapping[str, str] | None = None) -> bool:
        """Post once (twice when a duplicate is drawn); tell whether the first answer was 200 to 299.

        Failures to connect and time-outs are an answer of false, as they are to a vendor.
        """
        status = await self.post_for_status(body, content_type=content_type, params=params)
        return status is not None and 200 <= status < 300

    async def post_for_status(
        self,
        body: bytes,
        *,
        content_type: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> int | None:
        """Like `post`, but return the HTTP status, or None when there was none; ``headers`` are this body's own."""
        if not self.url or self._control.faults.down:
            return None
        copies = 2 if self._control.hits(self._control.faults.duplicate_rate) else 1
        statuses = [await self._send(body, content_type, params, headers or {}) for _ in range(copies)]
        return statuses[0]

    async def until_listening(self, longest_s: float) -> None:
        """Wait until the address takes connections, or the time is over."""
        address = urlsplit(self.url)
        if not address.hostname:
            return
        port = address.port or (443 if address.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + longest_s
        while loop.time() < give_up:
            try:
                _reader, writer = await asyncio.open_connection(address.hostname, port)
            except OSError:
                await asyncio.sleep(_LISTEN_POLL_S)
            else:
                writer.close()
                return

    async def linger(self, seconds: float) -> None:
        """Delay a post past later ones, when the dice say so."""
        if self._control.hits(self._control.faults.reorder_rate):
            await asyncio.sleep(self._control.random.uniform(0.5, 1.0) * seconds / self._pace)

    async def _send(
        self, body: bytes, content_type: str, params: Mapping[str, str] | None, own_headers: Mapping[str, str]
    ) -> int | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        headers = {**self._headers, **own_headers, "Content-Type": content_type}
        try:
            async with self._session.post(self.url, data=body, headers=headers, params=params) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            logger.info("a simulated vendor could not post to %s: %s", self.url, type(error).__name__)
            return None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
