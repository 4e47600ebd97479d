"""The web process: gunicorn with threads around Django."""

from __future__ import annotations

import gc
import logging
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

THREADS = 4
GRACE_SECONDS = 20
YOUNG_OBJECTS = 10_000


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Where the web server listens and with how many processes."""

    host: str
    port: int
    workers: int


class _Logger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Leaves gunicorn's lines to the process's own log configuration."""

    def setup(self, cfg: object) -> None:
        """Let the lines pass to the root logger; there is no access log of gunicorn's."""
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO)

    def reopen_files(self) -> None:
        """Do nothing: no file is open."""

    def close_on_exec(self) -> None:
        """Do nothing: no file is open."""


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, options: WebOptions) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        settings: dict[str, Any] = {
            "bind": f"{host}:{self._options.port}",
            "workers": self._options.workers,
            "threads": THREADS,
            "worker_class": "gthread",
            "graceful_timeout": GRACE_SECONDS,
            "timeout": 60,
            "keepalive": 5,
            "max_requests": 20_000,
            "max_requests_jitter": 2_000,
            "accesslog": None,  # the application logs its requests itself, with their ids
            "logger_class": _Logger,
            "proc_name": "agentmart-web",
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:  # releases differ; the control socket came late
                self.cfg.set(name, value)

    def load(self) -> Any:
        application = import_module("agentmart.config.wsgi").application
        spare_collector()
        return application


def spare_collector() -> None:
    """Let the garbage collector pass over what stays for good, and look less often.

    A page of rows makes tens of thousands of objects; by default each such answer pays for several walks over all
    classes, addresses and forms of the product.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)


def run(options: WebOptions) -> None:
    """Serve until SIGTERM; the environment must hold Django's settings."""
    _Application(options).run()
