"""The service over HTTP (FastAPI)."""
