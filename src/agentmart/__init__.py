"""Agentmart: a self-hosted marketplace for AI agents."""

__version__ = "0.1.0"
