"""Servers: MCP."""
