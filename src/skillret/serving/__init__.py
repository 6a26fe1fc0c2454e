"""Servers: HTTP with its page, MCP, and the page that reviews a benchmark."""
