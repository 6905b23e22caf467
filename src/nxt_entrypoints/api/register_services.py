"""Use cases behind the routes of customers, contracts, meters, issues and notes."""

from __future__ import annotations

import attrs

from nxt_domain.fieldwork.use_cases.issue_check import DebugIssueCheck
from nxt_domain.fieldwork.use_cases.read_fieldwork import ReadFieldwork
from nxt_domain.fieldwork.use_cases.update_issues import UpdateIssues
from nxt_domain.grids.use_cases.contracts import (
    ChangeConnections,
    CreateConnection,
    ReadContracts,
    ReviseRequestedMeters,
)
from nxt_domain.meters.delivery import ReadDeliveryStatus
from nxt_domain.meters.register import ReadMeters, SearchMeter
from nxt_domain.orders.partners import ReadForLenders
from nxt_domain.telemetry.partners import ReadForAggregators


@attrs.frozen(kw_only=True)
class RegisterServices:
    """Ready to be called; ``nxt_entrypoints.wiring.registers`` makes it."""

    create_connection: CreateConnection
    change_connections: ChangeConnections
    revise_requested_meters: ReviseRequestedMeters
    read_contracts: ReadContracts
    read_fieldwork: ReadFieldwork
    read_meters: ReadMeters
    search_meter: SearchMeter
    read_delivery_status: ReadDeliveryStatus
    update_issues: UpdateIssues
    debug_issue_check: DebugIssueCheck
    read_for_lenders: ReadForLenders
    read_for_aggregators: ReadForAggregators
