"""Skill search inside agent frameworks, one module a framework, an extra each.

Each takes a `Retriever`, or a `Client` of a service, and needs nothing else.
"""
