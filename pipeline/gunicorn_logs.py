"""gunicorn's log records in the format of the other services."""

from gunicorn.glogging import Logger


class RootLogger(Logger):  # type: ignore[misc] # gunicorn has no types
    """Passes gunicorn's records to the root logger."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
