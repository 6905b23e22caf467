"""The outside systems that records name, in the database's order [API-216]."""

from __future__ import annotations

from enum import StrEnum


class ExternalSystem(StrEnum):
    """Where a record comes from, or who serves it."""

    STEAMACO = "STEAMACO"
    CALIN = "CALIN"
    SOLCAST = "SOLCAST"
    VICTRON = "VICTRON"
    FLUTTERWAVE = "FLUTTERWAVE"
    AFRICASTALKING = "AFRICASTALKING"
    JOTFORM = "JOTFORM"
    EPICOLLECT = "EPICOLLECT"
    JIRA = "JIRA"
    TELEGRAM = "TELEGRAM"
    ZEROTIER = "ZEROTIER"
    MAKE = "MAKE"
    FLOW_XO = "FLOW_XO"
    SENDGRID = "SENDGRID"
    ACREL = "ACREL"
