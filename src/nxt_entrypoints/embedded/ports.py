"""Free TCP ports on the loopback interface."""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_TRIES = 64
_LOWEST = 10_000
_FEWEST = 1_000
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_dice = random.SystemRandom()


def free_port(*, avoid: frozenset[int] = frozenset()) -> int:
    """A port that is free right now; ``avoid`` are promised to somebody else.

    It lies below the ports that the kernel lends to outgoing connections, so that none of these takes it while its
    listener is being started again.

    Raises:
        OSError: When none can be found.
    """
    highest = _below_outgoing()
    for _ in range(_TRIES):
        port = _dice.randint(_LOWEST, highest) if highest - _LOWEST >= _FEWEST else _any_port()
        if port not in avoid and is_free(port):
            return port
    raise OSError("no free port on the loopback interface")


def _below_outgoing() -> int:
    try:
        return int(_OUTGOING.read_text(encoding="ascii").split()[0]) - 1
    except (OSError, ValueError, IndexError):  # another system than Linux
        return 0


def _any_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a listener could bind the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
