"""The front page until the portal stands: what runs here and where to go."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def home(request: HttpRequest) -> HttpResponse:
    """Show where the API, its description and the gateway are."""
    return render(request, "web/home.html", {"gateway_url": settings.GATEWAY_URL})
