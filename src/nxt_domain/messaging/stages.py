"""Where a message in delivery waits, and what leads there [DM 5]."""

from __future__ import annotations

from enum import StrEnum

from nxt_domain.messaging.model import DeliveryStatus


class Pipeline(StrEnum):
    """How a plug-in learns what became of a command [DM-34]."""

    PUSH = "push"
    """The network server reports by events: ``ns → relayNode → device``."""

    PULL = "pull"
    """The vendor is asked again and again: ``ns → awaitingTask``."""


class Stage(StrEnum):
    """The one place where a message in delivery waits [DM-33]."""

    NS = "ns"
    RELAY_NODE = "relayNode"
    DEVICE = "device"
    AWAITING_TASK = "awaitingTask"
    RETRY = "retry"

    @property
    def status(self) -> DeliveryStatus:
        """The status a message has in this stage."""
        return _STATUS[self]


_STATUS = {
    Stage.NS: DeliveryStatus.SENT_TO_NS,
    Stage.RELAY_NODE: DeliveryStatus.DELIVERED_TO_NS,
    Stage.DEVICE: DeliveryStatus.SENT_TO_DEVICE,
    Stage.AWAITING_TASK: DeliveryStatus.DELIVERED_TO_NS,
    Stage.RETRY: DeliveryStatus.TO_RETRY,
}


def stage_of(status: DeliveryStatus, pipeline: Pipeline) -> Stage | None:
    """Tell the stage from status and plug-in; none is stored [DM-35].

    Returns:
        None in a ready queue and at the end.
    """
    match status:
        case DeliveryStatus.SENT_TO_NS:
            return Stage.NS
        case DeliveryStatus.DELIVERED_TO_NS:
            return accepted_stage(pipeline)
        case DeliveryStatus.SENT_TO_DEVICE:
            return Stage.DEVICE
        case DeliveryStatus.TO_RETRY:
            return Stage.RETRY
        case _:
            return None


def accepted_stage(pipeline: Pipeline) -> Stage:
    """Tell the stage that follows an accepted send [DM-42]."""
    return Stage.RELAY_NODE if pipeline is Pipeline.PUSH else Stage.AWAITING_TASK
