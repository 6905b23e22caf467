"""HTTP of the telemetry role."""
