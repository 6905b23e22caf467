"""STS tokens as a meter sees them: a second implementation, slow and plain, of what the domain does with tables."""
