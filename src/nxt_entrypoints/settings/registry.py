"""Every environment variable the system knows, by name [API-204]."""

from __future__ import annotations

import difflib
import itertools
from typing import TYPE_CHECKING

from nxt_entrypoints.settings.variables.process import PROCESS
from nxt_entrypoints.settings.variables.tuning import TUNING
from nxt_entrypoints.settings.variables.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nxt_entrypoints.settings.variables.model import Variable

_ALL: tuple[Variable, ...] = (*PROCESS, *VENDORS, *TUNING)

VARIABLES: Mapping[str, Variable] = {item.name: item for item in _ALL}
"""The registry, in the order of the specification's table."""

ALIASES: Mapping[str, Variable] = {alias: item for item in _ALL for alias in item.aliases}

_PREFIXES = (
    "NXT_",
    "HERMES_",
    "SUPABASE_",
    "FLW_",
    "PAYSTACK_",
    "FLOW_XO_",
    "CALIN_",
    "CHIRPSTACK_",
    "VICTRON_",
    "SOLCAST_",
    "ZEROTIER_",
    "EXCHANGE_RATES_",
    "EPICOLLECT_",
    "SENDGRID_",
    "AFRICASTALKING_",
    "MAKE_",
    "JIRA_",
    "AUTOPILOT_",
    "TIAMAT_",
    "RECONCILER_",
    "STS_GENERATOR_",
    "AYRTON_",
    "DEVICE_MESSAGING_",
    "TALOS_",
    "YETI_",
    "LOCH_",
    "LOKI_",
    "VRM_",
)
_FOREIGN = (
    "NXT_TEST_",  # services of the test suite (R57)
    "MAKE_TERMERR",  # set by GNU make for what it runs
    "MAKE_TERMOUT",
    "NXT_STS_KEY",  # read by the token tool [STS-75]
    "NXT_STS_NEW_KEY",
    "NXT_STS_VENDING_KEY",
    "NXT_EMBEDDED_USER",  # read by the embedded database
)


def likely_mistakes(names: Iterable[str]) -> tuple[str, ...]:
    """Warnings about names with a prefix of the system that no registry holds.

    A close known name is suggested. Variables of the test suite and of tools are left alone.
    """
    known = sorted(itertools.chain(VARIABLES, ALIASES))
    warnings = []
    for name in sorted(names):
        if name in VARIABLES or name in ALIASES or name.startswith(_FOREIGN):
            continue
        if not name.startswith(_PREFIXES):
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        hint = f" (did you mean {close[0]}?)" if close else ""
        warnings.append(f"{name}: unknown variable, ignored{hint}")
    return tuple(warnings)
