"""Lints of our own, beside ruff, mypy and import-linter: `python -m scripts.lints src`."""
