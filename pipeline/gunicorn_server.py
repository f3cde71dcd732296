"""What the services that gunicorn runs have in common."""

import os
import socket
from collections.abc import Sequence
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.sock import create_sockets

from pipeline.settings import Settings


class GunicornServer(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """Serves on ``listeners`` and owns them.

    Args:
        settings: those of the service.
        listeners: listening sockets.
        options: gunicorn's settings, beside those that are the same for all.
    """

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket], **options: Any) -> None:
        self.settings = settings
        self._options = {
            "bind": [f"fd://{listener.detach()}" for listener in listeners],
            "control_socket_disable": True,
            "logger_class": _RootLogger,
            "loglevel": "warning",
            "proc_name": settings.name,
            "secure_scheme_headers": {},  # whether a connection is by TLS is not for a header to say
            **options,
        }
        super().__init__()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT: in this process where one is enough, else in several below it.

        A process that ends or hangs is replaced by what runs the service, and one of several by this one.
        """
        if self.cfg.workers > 1:
            super().run()
            return
        log = self.cfg.logger_class(self.cfg)
        listeners = create_sockets(self.cfg, log)
        worker = self.cfg.worker_class(1, os.getppid(), listeners, self, self.cfg.timeout, self.cfg, log)
        worker.pid = os.getpid()
        worker.init_process()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)


class _RootLogger(Logger):  # type: ignore[misc] # gunicorn has no types
    """Passes gunicorn's records to the root logger."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
