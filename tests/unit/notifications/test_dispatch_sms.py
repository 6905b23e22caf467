"""Sending what waits [AUTO-81 … AUTO-85]: each row's outcome is written before the next is sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from nxt_adapters.memory.notifications import MemoryNotificationQueue, NotificationRow
from nxt_adapters.memory.sms import MemorySms
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_domain.notifications.dispatch import DispatchSms
from nxt_domain.notifications.errors import SmsFateUnknown, SmsNotSent
from nxt_domain.notifications.model import SmsMessage, SmsReceipt
from nxt_domain.orders.notices import NoticeType, SmsNotice

PHONE = "+2348030000041"


class Office:
    """A queue, a gateway, and the dispatch between them."""

    def __init__(self) -> None:
        self.plane, self.sms = MemoryPlane(), MemorySms()
        self.queue: MemoryNotificationQueue = self.plane.notification_queue

    async def notify(self, *texts: str, phone: str = PHONE) -> None:
        notices = [
            SmsNotice(
                type=NoticeType.CREDIT_RECEIVED,
                phone=phone,
                message=text,
                account_id=None,
                grid_id=None,
                organization_id=None,
                dedupe_key=f"{phone}:{text}",
            )
            for text in texts
        ]
        async with self.plane.begin() as tx:
            await tx.notices.add(notices)
            await tx.commit()

    async def dispatch(self, sms: Any = None) -> int:
        return await DispatchSms(queue=self.queue, sms=sms or self.sms)()

    @property
    def rows(self) -> Sequence[NotificationRow]:
        return self.queue.rows()

    @property
    def sent(self) -> list[str]:
        return [message.text for _, message in self.sms.sent]


@pytest.fixture
def office() -> Office:
    return Office()


async def test_auto_84_messages_go_out_in_their_order_with_their_references(office: Office) -> None:
    await office.notify("a", "b", "c")
    assert await office.dispatch() == 3
    assert office.sent == ["a", "b", "c"]
    assert [(row.status, row.reference) for row in office.rows] == [
        ("RECEIVED_BY_API", "memory-1"),
        ("RECEIVED_BY_API", "memory-2"),
        ("RECEIVED_BY_API", "memory-3"),
    ]
    assert await office.dispatch() == 0


async def test_auto_81_a_pass_takes_a_hundred(office: Office) -> None:
    await office.notify(*(str(number) for number in range(130)))
    assert [await office.dispatch() for _ in range(3)] == [100, 30, 0]


async def test_auto_85_a_refusal_is_final(office: Office) -> None:
    office.sms.refused_phones[PHONE] = "UserInBlacklist"
    await office.notify("a")
    await office.dispatch()
    (row,) = office.rows
    assert (row.status, row.last_error, row.reference) == ("FAILED", "SMS_REFUSED: UserInBlacklist", None)
    office.plane.clock.advance(timedelta(days=1))
    assert await office.dispatch() == 0


async def test_auto_85_an_unknown_fate_is_never_tried_again(office: Office) -> None:
    """A second message costs money."""
    office.sms.fail_next(SmsFateUnknown("no answer"))
    await office.notify("a", "b")
    await office.dispatch()
    assert [row.status for row in office.rows] == ["FAILED", "RECEIVED_BY_API"]
    assert office.rows[0].last_error == "SMS_FATE_UNKNOWN: no answer"
    office.plane.clock.advance(timedelta(days=1))
    await office.dispatch()
    assert office.sent == ["a", "b"]


async def test_auto_85_what_certainly_was_not_sent_is_tried_five_times(office: Office) -> None:
    """After 5, 20, 80 and 320 seconds; the fifth failure is the last."""
    await office.notify("a")
    waits = []
    for _ in range(5):
        office.sms.fail_next(SmsNotSent("down"))
        waited = 0
        while await office.dispatch() == 0:
            office.plane.clock.advance(timedelta(seconds=5))
            waited += 5
        waits.append(waited)
    assert waits == [0, 5, 20, 80, 320]
    (row,) = office.rows
    assert (row.status, row.last_error, row.attempt_count) == ("FAILED", "SMS_NOT_SENT: down", 4)
    office.plane.clock.advance(timedelta(days=1))
    assert await office.dispatch() == 0
    assert office.sent == []


async def test_auto_85_a_failed_attempt_does_not_hold_up_the_next_row(office: Office) -> None:
    office.sms.fail_next(SmsNotSent("down"))
    await office.notify("a", "b")
    await office.dispatch()
    assert office.sent == ["b"]
    office.plane.clock.advance(timedelta(seconds=5))
    await office.dispatch()
    assert office.sent == ["b", "a"]


@pytest.mark.parametrize(
    ("phone", "text"),
    [("2348030000041", "Hello"), ("", "Hello"), (PHONE, ""), (PHONE, "   "), (PHONE, "x" * 1601)],
    ids=["no plus", "no phone", "no text", "blank text", "too long"],
)
async def test_auto_85_an_unusable_row_fails_without_a_call(office: Office, phone: str, text: str) -> None:
    await office.notify(text, phone=phone)
    await office.notify("fine")
    await office.dispatch()
    assert [row.status for row in office.rows] == ["FAILED", "RECEIVED_BY_API"]
    assert office.sent == ["fine"]


async def test_auto_82_a_sender_that_dies_leaves_a_message_that_is_not_sent_again(office: Office) -> None:
    """The row was ``PROCESSING`` when its claim lapsed; those behind it were not touched, and go out."""

    class Deadly:
        async def send(self, _message: SmsMessage) -> SmsReceipt:
            raise KeyboardInterrupt

    await office.notify("a", "b")
    with pytest.raises(KeyboardInterrupt):
        await office.dispatch(Deadly())
    assert [row.status for row in office.rows] == ["PROCESSING", "PENDING"]
    assert await office.dispatch() == 0
    office.plane.clock.advance(timedelta(minutes=10))
    assert await office.dispatch() == 1
    assert [row.status for row in office.rows] == ["FAILED", "RECEIVED_BY_API"]
    assert (office.rows[0].last_error or "").startswith("INTERRUPTED")
    assert office.sent == ["b"]


async def test_auto_82_a_row_that_someone_else_began_is_left_alone(office: Office) -> None:
    """A claim lapsed while its pass was slow; the row belongs to the other one now."""
    await office.notify("a", "b")
    queue, other = office.queue, MemorySms()

    class Slow(MemorySms):
        async def send(self, message: SmsMessage) -> SmsReceipt:
            if message.text == "a":
                office.plane.clock.advance(timedelta(minutes=9, seconds=59))
                receipt = await super().send(message)
                office.plane.clock.advance(timedelta(seconds=1))
                await DispatchSms(queue=queue, sms=other)()
                return receipt
            return await super().send(message)

    slow = Slow()
    await office.dispatch(slow)
    assert [message.text for _, message in slow.sent] == ["a"]
    assert [message.text for _, message in other.sent] == ["b"]
    assert [row.status for row in office.rows] == ["RECEIVED_BY_API", "RECEIVED_BY_API"]


async def test_auto_84_each_outcome_is_written_before_the_next_is_sent(office: Office) -> None:
    seen: list[list[str]] = []

    class Watching(MemorySms):
        async def send(self, message: SmsMessage) -> SmsReceipt:
            seen.append([row.status for row in office.rows])
            return await super().send(message)

    await office.notify("a", "b")
    await office.dispatch(Watching())
    assert seen == [["PROCESSING", "PENDING"], ["RECEIVED_BY_API", "PROCESSING"]]


def test_r49_neither_number_nor_text_is_shown() -> None:
    shown = repr(SmsMessage(to_phone=PHONE, text="Your token is 12345678901234567890"))
    assert "8030000" not in shown
    assert "12345678901234567890" not in shown
