"""Langflow flows run by lfx in sandboxed child processes.

`client` is what gateway and worker hold; `parent` is the process they reach; `child` is what runs under lfx.
"""
