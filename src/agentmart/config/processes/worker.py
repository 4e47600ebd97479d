"""The worker process: runs jobs and periodic jobs from the database."""

from __future__ import annotations

import socket
from collections.abc import Callable
from importlib import import_module

import django

CONCURRENCY = 4
GRACE_SECONDS = 25.0
POLL_SECONDS = 2.0  # only for what NOTIFY misses: jobs that become due later
HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 20.0


def run(ready: Callable[[], None]) -> None:
    """Run jobs until SIGTERM, then let those in hand finish; `ready` is called once Django and its tasks are loaded."""
    django.setup()
    app = import_module("procrastinate.contrib.django").app
    with app.replace_connector(app.connector.get_worker_connector()) as worker_app:
        ready()
        worker_app.run_worker(
            name=f"worker@{socket.gethostname()}",
            concurrency=CONCURRENCY,
            listen_notify=True,
            fetch_job_polling_interval=POLL_SECONDS,
            shutdown_graceful_timeout=GRACE_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_SECONDS,
            install_signal_handlers=True,
        )
