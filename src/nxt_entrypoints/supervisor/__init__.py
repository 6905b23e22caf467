"""Runs the roles of one machine as child processes, and tells others what runs."""
