"""An MQTT broker inside this process: 127.0.0.1, anonymous, nothing kept."""

from __future__ import annotations

import importlib.util
import logging
from typing import TYPE_CHECKING, Any

from nxt_entrypoints.embedded.errors import MissingExtra, StartFailed
from nxt_entrypoints.embedded.ports import LOOPBACK, is_free

if TYPE_CHECKING:
    from nxt_entrypoints.embedded.data_dir import DataDir

_ATTEMPTS = 3
_NOISY = ("amqtt", "transitions")


class EmbeddedMqtt:
    """The ``amqtt`` broker.

    Attributes:
        port: Its TCP port.
    """

    def __init__(self, data: DataDir) -> None:
        """Name the broker.

        Raises:
            MissingExtra: When ``amqtt`` is not installed.
        """
        if importlib.util.find_spec("amqtt") is None:
            raise MissingExtra("amqtt")
        self._data = data
        self._broker: Any = None
        self.port = 0

    @property
    def url(self) -> str:
        """``mqtt://…``."""
        return f"mqtt://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """Start listening.

        Raises:
            StartFailed: When no port can be bound.
        """
        from amqtt.broker import Broker  # type: ignore[import-untyped] # noqa: PLC0415 - of the extra, untyped
        from amqtt.errors import BrokerError  # type: ignore[import-untyped] # noqa: PLC0415 - of the extra, untyped

        for name in _NOISY:
            logging.getLogger(name).setLevel(logging.WARNING)
        for attempt in range(1, _ATTEMPTS + 1):
            self.port = self._data.port("mqtt")
            broker = Broker(_configuration(self.port))
            try:
                await broker.start()
            except (BrokerError, OSError) as error:
                if attempt == _ATTEMPTS or is_free(self.port):
                    raise StartFailed(f"the MQTT broker did not start: {error}") from error
                self._data.forget_port("mqtt")
            else:
                self._broker = broker
                return

    async def stop(self) -> None:
        """End all sessions and stop listening."""
        if self._broker is not None:
            broker, self._broker = self._broker, None
            await broker.shutdown()


def _configuration(port: int) -> dict[str, Any]:
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{port}", "max_connections": 200}},
        "timeout_disconnect_delay": 2,
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
