"""Data sets, metrics, runs and reports."""
