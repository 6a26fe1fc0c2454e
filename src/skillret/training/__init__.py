"""Training, export and model cards (needs `skillret[train]`)."""
