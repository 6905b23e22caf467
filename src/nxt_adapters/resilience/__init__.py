"""What every outbound adapter owes: time-outs, retries with jitter, a circuit breaker, a bulkhead, metrics."""

from nxt_adapters.resilience.errors import (
    CallFailed,
    CircuitOpen,
    FateUnknown,
    Faulty,
    HttpFailed,
    NotReached,
    Overloaded,
)
from nxt_adapters.resilience.guard import Guard
from nxt_adapters.resilience.http import HttpCaller, HttpReply
from nxt_adapters.resilience.metrics import OutboundMetrics, Outcome
from nxt_adapters.resilience.policy import BreakerPolicy, CallPolicy, RetryPolicy

__all__ = [
    "BreakerPolicy",
    "CallFailed",
    "CallPolicy",
    "CircuitOpen",
    "FateUnknown",
    "Faulty",
    "Guard",
    "HttpCaller",
    "HttpFailed",
    "HttpReply",
    "NotReached",
    "OutboundMetrics",
    "Outcome",
    "Overloaded",
    "RetryPolicy",
]
