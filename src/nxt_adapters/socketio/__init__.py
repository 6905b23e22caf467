"""Socket.IO: live news to dashboards, over any number of processes [API-158 … API-166]."""

from nxt_adapters.socketio.realtime import SocketIoRealtime
from nxt_adapters.socketio.server import SocketAuth, SocketServer

__all__ = ["SocketAuth", "SocketIoRealtime", "SocketServer"]
