"""The demo operator: two invented villages, a month of history, and villagers who pay."""
