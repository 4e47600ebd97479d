"""Measurements that print their figures; run by `make bench-…`."""
