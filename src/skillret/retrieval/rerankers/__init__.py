"""Rerankers that read query and document together: cross-encoders, by torch or onnxruntime."""
