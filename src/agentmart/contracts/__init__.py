"""What Django and the gateway share: frozen dataclasses, table names, key format, environment names."""
