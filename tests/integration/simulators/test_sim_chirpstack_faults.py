"""What faults do to the network server: outages, losses, repeats, disorder."""

import asyncio
import base64

import grpc
from sim_radio import EUI, NUMBER, READ_CREDIT, control, kinds, meter, refused, token_frame


async def test_down_means_unavailable_and_nothing_is_sent(sims, caller, receiver, http):
    """[R33] gRPC answers UNAVAILABLE, queued items wait; the control side goes on working."""
    await http.put(f"{sims.urls['chirpstack']}/meters/{NUMBER}", json={"gateway_online": False})
    await caller.enqueue(EUI, READ_CREDIT)
    await control(http, sims, down=True)
    await http.put(f"{sims.urls['chirpstack']}/meters/{NUMBER}", json={"gateway_online": True})
    code, _ = await refused(caller.queue(EUI))
    assert code == grpc.StatusCode.UNAVAILABLE
    await asyncio.sleep(0.2)
    assert receiver.posts == []
    await control(http, sims, down=False)
    await receiver.until_count(3)


async def test_errors_have_no_effect_and_garbage_has(sims, caller, receiver, http):
    """[R33] error_rate: refused without effect; garbage_rate: an empty answer although it took effect."""
    await control(http, sims, error_rate=1.0)
    code, _ = await refused(caller.enqueue(EUI, READ_CREDIT))
    assert code == grpc.StatusCode.INTERNAL
    await control(http, sims, error_rate=0.0, garbage_rate=1.0)
    assert await caller.enqueue(EUI, READ_CREDIT) == ""
    posts = await receiver.until_count(3)
    (up,) = [post["body"] for post in posts if post["query"]["event"] == "up"]
    frame = base64.b64decode(up["data"])
    assert frame[-2] != sum(frame[:-2]) % 256


async def test_lost_downlinks_do_nothing_and_are_told_or_not(sims, caller, receiver, http, make_token):
    """[R33] [DM-102] After the time-out: an ack with acknowledged false and no id, or silence."""
    await control(http, sims, loss_rate=1.0, seed=5)
    for minute in range(12):
        await caller.enqueue(EUI, token_frame(make_token("5", minute=minute)))
    await receiver.until(lambda posts: kinds(posts).count("txack") == 12)
    await asyncio.sleep(0.3)
    said = [post["body"] for post in receiver.posts if post["query"]["event"] == "ack"]
    assert 0 < len(said) < 12
    assert {(body["acknowledged"], body["deduplicationId"]) for body in said} == {(False, "")}
    assert "up" not in kinds(receiver.posts)
    assert (await meter(http, sims))["credited_kwh_total"] == 0


async def test_a_lost_answer_is_an_executed_command_nobody_knows_of(sims, caller, receiver, http, make_token):
    """[R21] The repeat of such a top-up is refused by the meter, which was credited once."""
    url = f"{sims.urls['chirpstack']}/meters/{NUMBER}"
    await http.put(url, json={"uplink_loss": 1.0})
    frame = token_frame(make_token("5"))
    item = await caller.enqueue(EUI, frame)
    await receiver.until_count(1)
    async with asyncio.timeout(5):
        while (await meter(http, sims))["tokens_accepted"] == 0:  # noqa: ASYNC110 - the other side is a socket
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    assert not any(post["body"].get("acknowledged") for post in receiver.posts)
    await http.put(url, json={"uplink_loss": 0.0})
    again = await caller.enqueue(EUI, frame)
    assert again != item
    await receiver.until(lambda posts: "up" in kinds(posts))
    (up,) = [post["body"] for post in receiver.posts if post["query"]["event"] == "up"]
    assert base64.b64decode(up["data"])[8] == 0xC0
    assert (await meter(http, sims))["credited_kwh_total"] == 5


async def test_duplicates_are_the_same_post_twice(sims, caller, receiver, http):
    """[R33] duplicate_rate repeats a post, body and all."""
    await control(http, sims, duplicate_rate=1.0)
    await caller.enqueue(EUI, READ_CREDIT)
    posts = await receiver.until_count(6)
    texts = [post["text"] for post in posts]
    assert sorted(texts) == sorted(2 * [*dict.fromkeys(texts)])


async def test_reordering_lets_the_answer_overtake_the_txack(sims, caller, receiver, http):
    """[R33] reorder_rate: events arrive late, past later ones."""
    await control(http, sims, reorder_rate=1.0)
    await caller.enqueue(EUI, READ_CREDIT)
    posts = await receiver.until_count(3)
    assert sorted(kinds(posts)) == ["ack", "txack", "up"]
    assert kinds(posts)[0] != "txack"


async def test_events_are_posted_once_whatever_is_answered(sims, caller, receiver):
    """[DM-100] ChirpStack posts once and does not retry."""
    receiver.answers = [500, 503, 401]
    await caller.enqueue(EUI, READ_CREDIT)
    await receiver.until_count(3)
    await asyncio.sleep(0.3)
    assert len(receiver.posts) == 3
