"""A real producer for tests, as its own process."""

from pathlib import Path

from tests.support.service_process import ServiceProcess


class ProducerProcess(ServiceProcess):
    """``python -m producer``."""

    def __init__(self, directory: Path, gateway_url: str, **settings: str) -> None:
        super().__init__("producer", directory, FIZZBUZZ_GATEWAY_URL=gateway_url, **settings)
