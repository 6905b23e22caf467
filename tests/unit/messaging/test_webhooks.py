"""Signatures, verdicts and waits of the adopter's webhook [DM 15.3]."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.messaging.webhooks import PostResult, WebhookPolicy, is_signed, signature

LONG = (
    b'{"eventId":"01ARZ3NDEKTSV4RRFFQ69G5FAV","occurredAt":"2026-08-14T10:00:00.000Z","pluginId":"calin-chirpstack",'
    b'"message":{"id":"01J8ZQ4T7M0000000000000000","correlationId":"4211","commandType":"READ_CREDIT",'
    b'"deliveryStatus":"DELIVERY_SUCCESSFUL","device":{"type":"ELECTRICITY_METER","externalReference":"47003333771"},'
    b'"response":{"status":"EXECUTION_SUCCESS","data":{"kwhCreditAvailable":123.45,"creditLevel":0,"isOn":true}}}}'
)
EXAMPLES = [
    (
        "test-secret",
        b'{"eventId":"01EVENT","message":{}}',
        "d12a8010f0f475e6b2390d0261b34bcb9e8186b42db678fe266cc6b1e9e5c70f",
    ),
    ("s3cret", LONG, "18331caecd03c2af7e5cea8aabe02c636c071bf760cc4aac5bb8b0ff31cbc90c"),
]


@pytest.mark.parametrize(("secret", "body", "expected"), EXAMPLES)
def test_signature_examples(secret: str, body: bytes, expected: str) -> None:
    """[DM-155] The specification's examples."""
    assert signature(secret, body) == f"sha256={expected}"
    assert is_signed(secret, body, f"sha256={expected}")


@given(body=st.binary(), other=st.binary(), secret=st.text(min_size=1))
def test_a_signature_is_of_one_body_and_one_secret(body: bytes, other: bytes, secret: str) -> None:
    """[DM-155] [DM-163] Any other byte, secret or form is refused; without a secret nothing is signed."""
    if "\ud800" <= max(secret) <= "\udfff":
        return
    right = signature(secret, body)
    assert is_signed(secret, body, right)
    assert is_signed(secret, other, right) is (body == other)
    assert not is_signed(secret + "x", body, right)
    assert not is_signed("", body, signature("", body))
    assert not is_signed(None, body, right)
    for shown in (None, "", right.upper(), right[7:], right + " ", "\udcff"):
        assert not is_signed(secret, body, shown)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        *((status, PostResult.POSTED) for status in (200, 201, 204, 299)),
        *((status, PostResult.RETRIED) for status in (None, 408, 429, 500, 502, 503, 599)),
        *((status, PostResult.BURIED) for status in (100, 301, 302, 400, 401, 404, 410, 422)),
    ],
)
def test_what_an_answer_means(status: int | None, result: PostResult) -> None:
    """[DM-156]"""
    assert WebhookPolicy().judge(status, failures=0) is result


def test_six_attempts_over_sixty_two_seconds() -> None:
    """[DM-157] Waits of 2, 4, 8, 16 and 32 s; the sixth failure ends it; no wait is longer than the cap."""
    policy = WebhookPolicy()
    assert [policy.judge(503, failures=failed) for failed in range(6)] == [PostResult.RETRIED] * 5 + [PostResult.BURIED]
    waits = [policy.wait_after(failures) for failures in range(1, 6)]
    assert waits == [timedelta(seconds=seconds) for seconds in (2, 4, 8, 16, 32)]
    assert sum(waits, timedelta()) == timedelta(seconds=62)
    assert policy.wait_after(7) == timedelta(seconds=60)
