"""Fitting what turns scores into probabilities, thresholds and a ranking; needs no extra."""
