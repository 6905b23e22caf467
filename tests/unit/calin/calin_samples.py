"""The decoding examples of DM 9.6, and frames built without the codec."""

from __future__ import annotations

from decimal import Decimal

METER = "47003333771"
ADDRESS = "047003333771"
TOKEN_REASON = "Delivery was successful but the token was not accepted"
WRITE_REASON = "Delivery was successful but the command was not (successfully) executed"
READ_REASON = "Delivery was successful but the readout was not (successfully) executed"

CREDIT_HEX = "687137330370046881085417785634333333B116"
REPORT_HEX = "6871373303700468812344F4333346473B59A1E5333333337B74333333333333333374343333333C863A33333B3C16"

EXAMPLES = [
    (
        13,
        CREDIT_HEX,
        "aHE3MwNwBGiBCFQXeFY0MzMzsRY=",
        None,
        {"kwhCreditAvailable": Decimal("123.45"), "creditLevel": 0, "isOn": True},
    ),
    (
        14,
        "6871373303700468810854173A33333335345216",
        "aHE3MwNwBGiBCFQXOjMzMzU0UhY=",
        None,
        {"kwhCreditAvailable": Decimal("0.07"), "creditLevel": 2, "isOn": False},
    ),
    (
        15,
        "6871373303700468810644E933BA5C355416",
        "aHE3MwNwBGiBBkTpM7pcNVQW",
        None,
        {"voltage": Decimal("229.87"), "phase": "A"},
    ),
    (
        16,
        "6871373303700468810664E9674833330B16",
        "aHE3MwNwBGiBBmTpZ0gzMwsW",
        None,
        {"power": Decimal("153.4"), "phase": "B"},
    ),
    (
        17,
        "6871373303700468810456E958377516",
        "aHE3MwNwBGiBBFbpWDd1Fg==",
        None,
        {"current": Decimal("4.25"), "phase": "C"},
    ),
    (
        18,
        "6871373303700468810643F333483659E916",
        "aHE3MwNwBGiBBkPzM0g2WekW",
        None,
        {"day": "15", "month": "03", "year": "2026"},
    ),
    (
        19,
        "6871373303700468810544F3386347C116",
        "aHE3MwNwBGiBBUTzOGNHwRY=",
        None,
        {"hour": "14", "minute": "30", "second": "05"},
    ),
    (20, "6871373303700468800133D616", "aHE3MwNwBGiAATPWFg==", None, {"tokenAccepted": True}),
    (21, "6871373303700468C001341716", "aHE3MwNwBGjAATQXFg==", TOKEN_REASON, {"tokenAccepted": False}),
    (22, "6871373303700468840270F30B16", "aHE3MwNwBGiEAnDzCxY=", None, {"onOffToggleAccepted": True}),
    (23, "6871373303700468C401351C16", "aHE3MwNwBGjEATUcFg==", WRITE_REASON, {"onOffToggleAccepted": False}),
    (24, "6871373303700468C101341816", "aHE3MwNwBGjBATQYFg==", READ_REASON, {}),
    (25, "0001000100660009C401C1000600001388", "AAEAAQBmAAnEAcEABgAAE4g=", None, {"powerLimit": 5000}),
    (26, "0001000100660005C401C10103", "AAEAAQBmAAXEAcEBAw==", READ_REASON, {}),
]


def frame(control: int, body: bytes, *, size: int | None = None, tail: bytes = b"") -> bytes:
    """Build an uplink frame independently of the codec; ``body`` is plain, identifier first."""
    head = bytes.fromhex("68 71 37 33 03 70 04 68") + bytes((control, len(body) if size is None else size))
    content = head + bytes((value + 0x33) % 256 for value in body)
    return content + bytes((sum(content) % 256,)) + tail + b"\x16"


def report_body(remain: bytes, status: int = 0, freeze: bytes = b"\x00\x13\x14\x08\x26") -> bytes:
    return (
        b"\x11\xc1\x00"
        + freeze
        + bytes(4)
        + remain
        + b"\xff\xff\xff\xff"
        + bytes(4)
        + b"\x41\x01\x00\x00"
        + b"\x00\x09"
        + bytes(4)
        + bytes((status,))
    )
