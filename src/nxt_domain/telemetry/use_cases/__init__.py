"""What the telemetry role does."""
