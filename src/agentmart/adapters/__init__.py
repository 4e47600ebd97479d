"""The outside world: one folder per port, each with its protocol, a fake and the vendors."""
