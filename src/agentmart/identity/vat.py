"""The forms of VAT numbers, by the prefix they carry (pure; whether a number is in use only its issuer knows)."""

from __future__ import annotations

import re
from collections.abc import Callable

_FORMS = {
    "AT": r"U\d{8}",
    "BE": r"[01]\d{9}",
    "BG": r"\d{9,10}",
    "CHE": r"\d{9}(MWST|TVA|IVA)?",
    "CY": r"\d{8}[A-Z]",
    "CZ": r"\d{8,10}",
    "DE": r"[1-9]\d{8}",
    "DK": r"\d{8}",
    "EE": r"\d{9}",
    "EL": r"\d{9}",
    "ES": r"[A-Z0-9]\d{7}[A-Z0-9]",
    "FI": r"\d{8}",
    "FR": r"[A-HJ-NP-Z0-9]{2}\d{9}",
    "GB": r"(\d{9}|\d{12}|GD[0-4]\d\d|HA[5-9]\d\d)",
    "HR": r"\d{11}",
    "HU": r"\d{8}",
    "IE": r"\d[A-Z0-9+*]\d{5}[A-Z]{1,2}",
    "IT": r"\d{11}",
    "LT": r"(\d{9}|\d{12})",
    "LU": r"\d{8}",
    "LV": r"\d{11}",
    "MT": r"\d{8}",
    "NL": r"[A-Z0-9+*]{9}B\d\d",
    "PL": r"\d{10}",
    "PT": r"\d{9}",
    "RO": r"\d{2,10}",
    "SE": r"\d{10}01",
    "SI": r"\d{8}",
    "SK": r"\d{10}",
    "XI": r"(\d{9}|\d{12}|GD[0-4]\d\d|HA[5-9]\d\d)",
}


def vat_problem(code: str) -> str | None:
    """Return what is wrong with a VAT number, None where its form is right or its prefix is not in the list.

    Blanks, dots and hyphens do not count.
    """
    plain = re.sub(r"[ .\-]", "", code).upper()
    prefix = "CHE" if plain.startswith("CHE") else plain[:2]
    form = _FORMS.get(prefix)
    if form is None or not plain[len(prefix) :]:
        return None
    body = plain[len(prefix) :]
    if not re.fullmatch(form, body, re.ASCII):
        return f"{code} does not have the form of a VAT number of {prefix}."
    check = _CHECKS.get(prefix)
    if check is not None and not check(body):
        return f"{code} is mistyped: its check digit does not fit."
    return None


def _weighted(body: str, weights: tuple[int, ...]) -> int:
    """Return the sum of digits times weights."""
    return sum(int(digit) * weight for digit, weight in zip(body, weights, strict=False))


def _mod_11_10(body: str) -> bool:
    """Check by ISO 7064 MOD 11,10 (Germany, Croatia)."""
    product = 10
    for digit in body[:-1]:
        product = (2 * ((int(digit) + product) % 10 or 10)) % 11
    return (product + int(body[-1])) % 10 == 1


def _luhn(body: str) -> bool:
    """Check by Luhn's sum (Italy; Sweden without its last two digits)."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


_CHECKS: dict[str, Callable[[str], bool]] = {
    "BE": lambda body: 97 - int(body[:-2]) % 97 == int(body[-2:]),
    "DE": _mod_11_10,
    "DK": lambda body: _weighted(body, (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0,
    "FI": lambda body: _weighted(body, (7, 9, 10, 5, 8, 4, 2, 1)) % 11 == 0,
    "FR": lambda body: not body[:2].isdigit() or (int(body[2:]) * 100 + 12) % 97 == int(body[:2]),
    "HR": _mod_11_10,
    "IT": _luhn,
    "LU": lambda body: int(body[:6]) % 89 == int(body[6:]),
    "PL": lambda body: _weighted(body, (6, 5, 7, 2, 3, 4, 5, 6, 7, -1)) % 11 == 0,
    "SE": lambda body: _luhn(body[:10]),
}
