"""User tokens: JSON Web Tokens, checked with a shared secret or a published key set."""
