"""Data sets of every layout: one reader for evaluation, training and calibration."""
