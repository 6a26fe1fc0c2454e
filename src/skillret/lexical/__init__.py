"""Lexical search: BM25 over fields, words and their neighbours."""
