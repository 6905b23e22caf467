"""The four roles as processes: what each opens, runs and closes [API-39, API-201]."""
