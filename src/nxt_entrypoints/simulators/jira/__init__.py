"""A team's tracker, as Jira answers."""
