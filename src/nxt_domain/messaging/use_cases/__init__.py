"""The verbs of device messaging: dispatch, tick, apply an event, sweep."""

from nxt_domain.messaging.use_cases.apply_event import ApplyDeviceEvent
from nxt_domain.messaging.use_cases.dispatch import Dispatch, PassResult
from nxt_domain.messaging.use_cases.leases import LeaseKeeper
from nxt_domain.messaging.use_cases.outcomes import Outcomes, Verdict
from nxt_domain.messaging.use_cases.sweep import Sweep
from nxt_domain.messaging.use_cases.tick import Tick

__all__ = ["ApplyDeviceEvent", "Dispatch", "LeaseKeeper", "Outcomes", "PassResult", "Sweep", "Tick", "Verdict"]
