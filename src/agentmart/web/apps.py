"""Registers the module with Django (templates and static files), and its back office as the one admin site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class WebConfig(AppConfig):
    """Addresses of the REST API."""

    name = "agentmart.web"
    label = "web"


class BackOfficeConfig(AdminConfig):
    """Django's admin under our site."""

    default_site = "agentmart.web.admin_site.OperatorSite"
