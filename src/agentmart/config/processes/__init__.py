"""The bodies of the processes: web, gateway, worker, runtime."""
