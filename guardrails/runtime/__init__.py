"""The run-time wing: one event at a time, from a compiled program to a decision."""
