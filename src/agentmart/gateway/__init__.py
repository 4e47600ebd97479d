"""The gateway: an async ASGI process of its own that checks keys, keeps limits, runs flows and meters calls."""
