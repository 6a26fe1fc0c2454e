"""Training of rerankers: groups of a gold skill and hard negatives, a pool to be judged by."""
