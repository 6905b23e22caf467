"""Jira: tickets of issues, and comments on them."""

from nxt_adapters.jira.tracker import DEFAULT_POLICY, ELSEWHERE, PRODUCTION, JiraProject, JiraSettings, JiraTracker

__all__ = ["DEFAULT_POLICY", "ELSEWHERE", "PRODUCTION", "JiraProject", "JiraSettings", "JiraTracker"]
