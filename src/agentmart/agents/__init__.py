"""What providers build: agents and the immutable versions of their flows."""
