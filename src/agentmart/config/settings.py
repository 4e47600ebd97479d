"""Django settings: from the environment only (`contracts.environment` lists every variable)."""

from __future__ import annotations

import os
import secrets as random
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import unquote, urlsplit

from agentmart.contracts.environment import environment
from agentmart.contracts.payloads import keys_of
from agentmart.contracts.runtimes import fallback_runtime, new_runtime, runtime_parameters
from agentmart.infra import openapi
from agentmart.kit.env import BadSetting
from agentmart.support.sla import Calendar, read_calendar

ENV = environment()

DATA_DIR = ENV.path("AGENTMART_DATA_DIR")
# The command line passes the data folder's secret; without it nothing signed outlives this process.
SECRET_KEY = ENV.text("AGENTMART_SECRET_KEY") or random.token_urlsafe(50)
DEBUG = False
ALLOWED_HOSTS = [host.strip() for host in ENV.text("AGENTMART_ALLOWED_HOSTS").split(",")]

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "agentmart.web.apps.BackOfficeConfig",  # Django's admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "procrastinate.contrib.django",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "agentmart.infra",
    "agentmart.identity",
    "agentmart.agents",
    "agentmart.catalog",
    "agentmart.resources",
    "agentmart.access",
    "agentmart.ordering",
    "agentmart.metering",
    "agentmart.support",
    "agentmart.billing",
    "agentmart.reports",
    "agentmart.web.apps.WebConfig",
]

MIDDLEWARE = [
    "agentmart.web.middleware.RequestContextMiddleware",
    "agentmart.web.middleware.WrongTokensMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "agentmart.web.urls"
WSGI_APPLICATION = "agentmart.config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def _database() -> dict[str, Any]:
    """Return the connection of the role this process runs as: the owner for migrations, else the application."""
    owner = os.environ.get("AGENTMART_DATABASE_ROLE") == "owner"
    url = urlsplit(ENV.text("DATABASE_URL" if owner else "AGENTMART_APP_DATABASE_URL"))
    query = dict(part.split("=", 1) for part in url.query.split("&") if "=" in part)
    host = unquote(query.pop("host", url.hostname or ""))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")) or "agentmart",
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": host,
        "PORT": str(url.port or ""),
        "ATOMIC_REQUESTS": True,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {name: unquote(value) for name, value in query.items()},
    }


def _trusted_proxies() -> list[IPv4Network | IPv6Network]:
    """Return whose word is believed about where a request came from; raises BadSetting."""
    name = "AGENTMART_TRUSTED_PROXIES"
    try:
        return [ip_network(part.strip()) for part in ENV.text(name).split(",") if part.strip()]
    except ValueError as error:
        raise BadSetting(f"{name}: {error}") from None


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "identity.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "agentmart.web.formats"
STATIC_URL = "/static/"
STATIC_ROOT = None  # files are served from where the packages hold them
WHITENOISE_USE_FINDERS = True
LOGGING_CONFIG = None  # kit.logs configures every process alike
DATA_UPLOAD_MAX_MEMORY_SIZE = ENV.integer("AGENTMART_FLOW_MAX_BYTES") + 1024 * 1024
TRUSTED_PROXIES = _trusted_proxies()
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_AGE = 12 * 60 * 60
# Behind an ingress that ends TLS the browser's origin is https, the request that arrives here is not.
CSRF_TRUSTED_ORIGINS = [
    f"https://{'*' * host.startswith('.')}{host}" for host in ALLOWED_HOSTS if host != "*"
]
UNFOLD = {
    "SITE_TITLE": "Agentmart",
    "SITE_HEADER": "Agentmart",
    "SITE_SUBHEADER": "Back office",
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"show_search": True},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "agentmart.identity.authentication.TokenAuthentication",
        "agentmart.identity.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["agentmart.infra.permissions.LoggedIn"],
    "DEFAULT_RENDERER_CLASSES": ["agentmart.infra.renderers.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "agentmart.infra.parsers.JsonParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_PAGINATION_CLASS": "agentmart.infra.pagination.Pagination",
    "DEFAULT_SCHEMA_CLASS": "agentmart.infra.schema.ApiSchema",
    "EXCEPTION_HANDLER": "agentmart.web.errors.handle",
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,  # the handler makes lists of them
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Agentmart",
    "DESCRIPTION": "The marketplace for AI agents: catalog, orders, keys, usage, invoices.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "APPEND_COMPONENTS": openapi.COMPONENTS,
    # Choices stay with their fields: the same word is another set of states elsewhere.
    "POSTPROCESSING_HOOKS": ["agentmart.infra.schema.add_counts"],
}

# -- the product's own settings
HOST = ENV.text("AGENTMART_HOST")
WEB_URL = ENV.text("AGENTMART_WEB_URL") or f"http://{HOST}:{ENV.text('AGENTMART_WEB_PORT')}"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = WEB_URL.startswith("https://")
GATEWAY_URL = ENV.text("AGENTMART_GATEWAY_URL") or f"http://{HOST}:{ENV.text('AGENTMART_GATEWAY_PORT')}"
DEV_CLOCK = ENV.flag("AGENTMART_DEV_CLOCK")
DEV_CLOCK_FILE = DATA_DIR / "dev-clock.json"
ADAPTERS: dict[str, dict[str, dict[str, Any]]] = {"runtimes": runtime_parameters(ENV)}
RUNTIME = new_runtime(ENV)
FALLBACK_RUNTIME = fallback_runtime(ENV)
AGENT_KEYS = {
    "SECRET_KEY": ENV.text("AGENT_KEYS_SECRET_KEY"),
    "ALGORITHM": ENV.text("AGENT_KEYS_ALGORITHM"),
    "ISSUER": ENV.text("AGENT_KEYS_ISSUER"),
    "AUDIENCE": ENV.text("AGENT_KEYS_AUDIENCE"),
    "FILE": ENV.text("AGENT_KEYS_FILE"),
}
TEST_KEY_CAPS = {
    "requests_per_minute": ENV.integer("AGENTMART_TEST_KEY_REQUESTS_PER_MINUTE"),
    "requests_per_month": ENV.integer("AGENTMART_TEST_KEY_REQUESTS_PER_MONTH"),
}
KEY_EXPIRY_DAYS = ENV.integer("AGENT_KEYS_DEFAULT_EXPIRY_DAYS")
FLOW_MAX_BYTES = ENV.integer("AGENTMART_FLOW_MAX_BYTES")
RUN_TIMEOUT_SECONDS = ENV.integer("AGENTMART_RUN_TIMEOUT_SECONDS")
PROVIDER_PUBLISH = ENV.text("AGENTMART_PROVIDER_PUBLISH")
PUBLIC_CATALOG = ENV.flag("AGENTMART_PUBLIC_CATALOG")
INVITATIONS_PER_DAY = ENV.integer("AGENTMART_INVITATIONS_PER_DAY")
INVOICE_GRACE_SECONDS = ENV.integer("AGENTMART_INVOICE_GRACE_SECONDS")
INVOICE_DUE_DAYS = ENV.integer("AGENTMART_INVOICE_DUE_DAYS")
CURRENCY = ENV.text("AGENTMART_CURRENCY")
PAYLOAD_KEYS = keys_of(ENV.text("AGENTMART_PAYLOAD_KEY"))
STORED_SECRETS_KEYS = keys_of(ENV.text("AGENTMART_STORED_SECRETS_KEY"))
OPERATOR_NAME = ENV.text("AGENTMART_OPERATOR_NAME")


def _hosts(name: str) -> frozenset[str]:
    """Return the hosts that a setting names."""
    return frozenset(host.strip().lower() for host in ENV.text(name).split(",") if host.strip())


CALLBACK_HOSTS = _hosts("AGENTMART_CALLBACK_HOSTS")
STUDIO_HOSTS = _hosts("AGENTMART_STUDIO_HOSTS")


def _support_calendar() -> Calendar:
    """Return when the support desk works; raises BadSetting."""
    names = [f"AGENTMART_SUPPORT_{name}" for name in ("HOURS", "TIMEZONE", "HOLIDAYS")]
    try:
        return read_calendar(*(ENV.text(name) for name in names))
    except ValueError as error:
        raise BadSetting(f"{', '.join(names)}: {error}") from None


SUPPORT_HOURS = ENV.text("AGENTMART_SUPPORT_HOURS")
SUPPORT_CALENDAR = _support_calendar()
SUPPORT_EMAIL = [part.strip() for part in ENV.text("AGENTMART_SUPPORT_EMAIL").split(",") if part.strip()]
SUPPORT_ATTACHMENT_MAX_BYTES = ENV.integer("AGENTMART_SUPPORT_ATTACHMENT_MAX_BYTES")
FORM_UPLOAD_MAX_BYTES = max(DATA_UPLOAD_MAX_MEMORY_SIZE, SUPPORT_ATTACHMENT_MAX_BYTES + 1024 * 1024)

EMAIL_HOST = ENV.text("AGENTMART_EMAIL_HOST")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'dummy'}.EmailBackend"
EMAIL_PORT = ENV.integer("AGENTMART_EMAIL_PORT")
EMAIL_HOST_USER = ENV.text("AGENTMART_EMAIL_USER")
EMAIL_HOST_PASSWORD = ENV.text("AGENTMART_EMAIL_PASSWORD")
EMAIL_USE_TLS = ENV.flag("AGENTMART_EMAIL_TLS")
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = ENV.text("AGENTMART_EMAIL_FROM")
