"""Telemetry: what a guard does, as numbers, spans and alarms."""
