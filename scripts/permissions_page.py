"""Makes docs/permissions.md from the one permission matrix (`python -m scripts.permissions_page`)."""

from __future__ import annotations

import os

import django

HEAD = """\
# Who may do what

This page is made by `.venv/bin/python -m scripts.permissions_page > docs/permissions.md` from the one matrix in
`src/agentmart/identity/permissions.py`; a test compares them, and `tests/web/test_roles.py` tries every operation
by every role on its own and on foreign objects.

Operators act everywhere: **St**aff, **Su**pport, **Fi**nance, **Ca**talog manager. The others act in their own
customer or project, and the rights of several roles add up: **CO** owner, **CM** manager, **CS** support of a buyer's
customer; **PA** admin, **PM** manager, **Pm** member of a project; **PO** owner of a provider's customer, **OM**
offering manager.

"""


def markdown() -> str:
    """Return the page; Django must be set up."""
    from agentmart.identity.permissions import MATRIX, ROLE_LETTERS  # noqa: PLC0415 - needs Django set up

    letters = list(ROLE_LETTERS)
    lines = [f"| operation | {' | '.join(letters)} |", "|---|" + ":-:|" * len(letters)]
    for operation, allowed in MATRIX.items():
        may = set(allowed.split())
        cells = " | ".join("●" if letter in may else "" for letter in letters)
        lines.append(f"| `{operation}` | {cells} |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentmart.config.settings")
    os.environ.setdefault("AGENTMART_SECRET_KEY", "only for making this page")
    os.environ.setdefault("AGENTMART_APP_DATABASE_URL", "postgresql://nobody@localhost/none")
    django.setup()
    print(markdown(), end="")
