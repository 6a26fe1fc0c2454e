"""The page on which people review the requests of a benchmark in the making."""

from skillret.serving.review.server import ReviewServer, serve_reviews

__all__ = ["ReviewServer", "serve_reviews"]
