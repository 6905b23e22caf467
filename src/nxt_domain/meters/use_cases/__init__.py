"""What is done with meters: one verb a module."""
