"""The commands of `agentmart`, one file per group; each loads only what it needs."""
