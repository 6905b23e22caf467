"""What is written to the log, and what never is."""

import io
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from tests.support.messaging_worlds import token_message

from nxt_domain.messaging.routing import newborn
from nxt_entrypoints.logging import REDACTED, set_up_logging


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def lines(out):
    before = (logging.getLogger().handlers[:], logging.getLogger().level)
    set_up_logging("jobs", style="json", out=out, secrets=["flw-s3cret-key", "tiny"])
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    structlog.reset_defaults()
    logging.getLogger().handlers[:], level = before
    logging.getLogger().setLevel(level)
    logging.captureWarnings(capture=False)


def test_both_kinds_of_loggers_give_the_same_lines(lines):
    """[API-41] One JSON object a line, with the role."""
    structlog.get_logger("nxt.a").info("settled", order_id=7)
    logging.getLogger("nxt.b").warning("late by %s s", 3, extra={"grid_id": 4})
    first, second = lines()
    assert (first["event"], first["order_id"], first["role"], first["level"]) == ("settled", 7, "jobs", "info")
    assert (second["event"], second["grid_id"], second["logger"]) == ("late by 3 s", 4, "nxt.b")
    assert first["time"].endswith("Z")


def test_the_request_id_is_on_every_line_of_a_request(lines):
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        logging.getLogger("library").info("inside")
    logging.getLogger("library").info("outside")
    inside, outside = lines()
    assert inside["request_id"] == "r-1"
    assert "request_id" not in outside


@pytest.mark.parametrize(
    "given",
    [
        {"status": 200, "duration_ms": 1.5, "route": '/grids/{id} "\\\n', "account_id": None, "is_admin": True},
        {"status": 2**70},
        {"name": "Ọdẹ"},
        {"name": "half a character \ud83d"},
        {"nested": {"ids": [1, 2]}},
    ],
)
def test_lines_look_alike_whatever_they_hold(out, lines, given):
    """[AUTO-165] Letters beyond ASCII are escaped: no terminal and no pipe refuses a line."""
    structlog.get_logger().info("x", **given)
    (line,) = lines()
    assert line.items() >= given.items()
    assert out.getvalue() == json.dumps(line) + "\n"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "token",
        "authorization",
        "X-API-KEY",
        "api_key",
        "FLW_SECRET_KEY",
        "refresh_token",
        "decoder_key",
        "credentials",
        "tokens",
    ],
)
def test_values_under_telling_keys_are_taken_out(lines, name):
    """[AUTO-166, DM-171]"""
    structlog.get_logger().info("x", **{name: "51234567890123456789", "nested": {name: ["a", "b"]}})
    assert lines()[0][name] == REDACTED
    assert lines()[0]["nested"][name] == REDACTED


@pytest.mark.parametrize("name", ["token_vendor", "token_kind", "key", "dedupe_key", "order_id", "monkey"])
def test_harmless_keys_stay(lines, name):
    structlog.get_logger().info("x", **{name: "native"})
    assert lines()[0][name] == "native"


def test_phone_numbers_keep_four_digits(lines):
    """[AUTO-166]"""
    structlog.get_logger().info("sent", phone="+2348012345678", phone_number=2348012345678)
    assert lines()[0]["phone"] == "…5678"
    assert lines()[0]["phone_number"] == "…5678"


@pytest.mark.parametrize(
    "text",
    [
        "cannot reach postgresql://nxt:p4ssw0rd@db/nxt",
        "sent Authorization: Bearer abcdefghij.klmnop",
        "key nxt_" + "a" * 43 + " was used",
        "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl expired",
        "gateway said flw-s3cret-key is wrong",
    ],
)
def test_secrets_inside_texts_are_taken_out(lines, text):
    logging.getLogger("any").error(text)
    line = lines()[0]["event"]
    assert REDACTED in line
    for secret in ("p4ssw0rd", "klmnop", "a" * 43, "c2lnbmF0dXJl", "flw-s3cret-key"):
        assert secret not in line


def test_tracebacks_are_written_and_cleaned_too(lines):
    try:
        int("refused flw-s3cret-key")
    except ValueError:
        logging.getLogger("any").exception("failed")
    line = lines()[0]
    assert "ValueError" in line["exception"]
    assert "flw-s3cret-key" not in json.dumps(line)


def test_short_words_are_not_torn(lines):
    logging.getLogger("any").warning("a tiny thing")
    assert lines()[0]["event"] == "a tiny thing"


def test_people_get_text_without_secrets_too():
    out = io.StringIO()
    before = logging.getLogger().handlers[:]
    try:
        set_up_logging("api", style="console", out=out)
        structlog.get_logger("nxt").info("ready", port=8080)
        try:
            int("postgresql://nxt:p4ssw0rd@db")
        except ValueError:
            logging.getLogger("any").exception("failed")
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers[:] = before
        logging.captureWarnings(capture=False)
    assert "ready" in out.getvalue()
    assert "port=8080" in out.getvalue()
    assert "Traceback" in out.getvalue()
    assert "p4ssw0rd" not in out.getvalue()


def test_lines_of_messaging_name_what_they_are_about(lines):
    """[DM-171] The module, and the message by all its names; nothing that it carries."""
    new = token_message(7, token="73625140983726150493")
    message = newborn(
        new,
        message_id="01JQ8R7T0V3W5X7Y9Z1B3D5F7H",
        ready_queue="queue:stub-push:network:42",
        now=datetime(2026, 3, 10, 9, 15, tzinfo=UTC),
        max_age=timedelta(days=1),
    )
    logger = logging.getLogger("nxt_domain.messaging.use_cases.dispatch")
    logger.warning("sending a message took %.1f s", 21.3, extra=message.names)
    logging.getLogger("library").warning("something else")
    ours, other = lines()
    assert ours["module"] == "messaging"
    named = {name: ours[name] for name in ("message_id", "correlation_id", "plugin_id")}
    assert named == {"message_id": message.id, "correlation_id": "7", "plugin_id": "stub-push"}
    assert "module" not in other
    assert "73625140983726150493" not in json.dumps(ours)
