"""Stores and a broker from wheels, for one machine without containers (extra ``embedded``)."""
