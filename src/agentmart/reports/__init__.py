"""Statistics and key figures over all modules; reads only."""
