"""The REST API's addresses, errors and request context."""
