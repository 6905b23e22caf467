"""Data identifiers and control codes of CALIN meters [DM-71, DM-72]."""

from __future__ import annotations

from typing import Final

from nxt_domain.messaging.model import Phase

READ: Final = 0x01
WRITE: Final = 0x04
DELIVER_TOKEN: Final = 0x00

READ_DONE: Final = 0x81
READ_REFUSED: Final = 0xC1
WRITE_DONE: Final = 0x84
WRITE_REFUSED: Final = 0xC4
TOKEN_ACCEPTED: Final = 0x80
TOKEN_REFUSED: Final = 0xC0

UPWARD_CODES: Final = frozenset({READ_DONE, READ_REFUSED, WRITE_DONE, WRITE_REFUSED, TOKEN_ACCEPTED, TOKEN_REFUSED})

CREDIT: Final = 0xE421
DATE: Final = 0xC010
TIME: Final = 0xC011
CLOSE_RELAY: Final = 0xC03D
OPEN_RELAY: Final = 0xC03C
TOKEN: Final = 0xA120
REPORT: Final = 0xC111

VOLTAGE: Final = {Phase.A: 0xB611, Phase.B: 0xB612, Phase.C: 0xB613}
CURRENT: Final = {Phase.A: 0xB621, Phase.B: 0xB622, Phase.C: 0xB623}
POWER: Final = {Phase.A: 0xB630, Phase.B: 0xB631, Phase.C: 0xB632}

READ_POWER_LIMIT_FRAME: Final = bytes.fromhex("000100660001000DC001C100470000110000FF0300")
"""DLMS: wrapper (version 1, ports 0x66 and 1, length 13), GET class 71, object 0.0.17.0.0.255, attribute 3 [DM-87]."""
