"""Tables as files of any length: text, or a workbook, never held in memory as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from decimal import Decimal
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, TypeVar

from xlsxwriter import Workbook  # type: ignore[import-untyped]  # ships no types

T = TypeVar("T")

_CHUNK = 65_536


async def joined(
    header: T, rows: AsyncIterator[T], line_of: Callable[[T], str], *, separator: str = "\n"
) -> AsyncGenerator[bytes]:
    """Write a line for each row, in UTF-8; there is none after the last.

    Args:
        header: The first row.
        rows: The others.
        line_of: Writes a row.
        separator: Between lines.
    """
    pending = [line_of(header)]
    size = len(pending[0])
    async for row in rows:
        line = separator + line_of(row)
        pending.append(line)
        size += len(line)
        if size >= _CHUNK:
            yield "".join(pending).encode()
            pending, size = [], 0
    yield "".join(pending).encode()


async def workbook(header: Sequence[str], rows: AsyncIterator[Sequence[str | Decimal]]) -> AsyncGenerator[bytes]:
    """Write a workbook with one sheet. Texts stay texts, whatever they begin with; decimals become numbers.

    Rows go to a folder of their own while they come, which is gone when the last byte is sent or the reader has left.

    Args:
        header: Titles of the columns.
        rows: What stands below them, at most 1,048,575 rows.
    """
    with TemporaryDirectory(prefix="nxt-workbook-") as folder, TemporaryFile(dir=folder) as file:
        book = Workbook(file, {"constant_memory": True, "tmpdir": folder})
        sheet = book.add_worksheet()
        _write_row(sheet, 0, header)
        number = 0
        async for row in rows:
            number += 1
            _write_row(sheet, number, row)
        await asyncio.to_thread(book.close)
        async for chunk in _parts(file):
            yield chunk


def _write_row(sheet: Any, number: int, row: Sequence[str | Decimal]) -> None:  # noqa: ANN401 - ships no types
    for column, cell in enumerate(row):
        if isinstance(cell, Decimal):
            sheet.write_number(number, column, cell)
        else:
            sheet.write_string(number, column, cell)


async def _parts(file: IO[bytes]) -> AsyncGenerator[bytes]:
    file.seek(0)
    while chunk := await asyncio.to_thread(file.read, _CHUNK):
        yield chunk
