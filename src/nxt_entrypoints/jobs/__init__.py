"""The jobs role: settlement, relay, message engine, RQ workers and cron, notifications."""
