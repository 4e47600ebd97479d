"""Every address of the web process."""

from django.urls import path  # noqa: F401

urlpatterns: list = []
