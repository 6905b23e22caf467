"""Who is calling: accounts, tokens, API keys, and what each kind of caller may do."""
