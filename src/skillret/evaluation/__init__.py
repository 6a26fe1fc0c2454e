"""Metrics, runs and reports of labelled requests."""
