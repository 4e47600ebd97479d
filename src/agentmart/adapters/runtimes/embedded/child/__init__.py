"""What runs inside the runtime's own virtual environment: standard library and lfx, nothing of Agentmart.

The folder is put on the zygote's path and imported as the package `child`, so its files import each other
relatively. Only `flows.py` and `memory.py` know lfx.
"""
