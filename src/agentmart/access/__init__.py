"""API keys and the Grants that tell the gateway what each may do."""
