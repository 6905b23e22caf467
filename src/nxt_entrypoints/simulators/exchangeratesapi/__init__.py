"""A provider of exchange rates to try the telemetry role against."""
