"""Bytes for the eyes of a person."""

from __future__ import annotations

import binascii

from nxt_adapters.chirpstack.calin.frames import MAX_BYTES


def hex_of_base64(text: str) -> str:
    """Return the hexadecimal form of a base64 text for a log [DM-80]; empty when it is none, cut when it is long."""
    try:
        return binascii.a2b_base64(text[: 4 * (MAX_BYTES // 3)].encode("ascii")).hex()
    except (UnicodeEncodeError, binascii.Error):
        return ""
