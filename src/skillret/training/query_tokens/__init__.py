"""Training of what reads queries for late interaction, over documents that are read but once."""
