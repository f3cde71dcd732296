"""What this process has counted for /metrics."""

from prometheus_client import REGISTRY


def counted(name: str, **labels: str) -> float:
    """The value of a sample; 0 where it was never counted."""
    return REGISTRY.get_sample_value(name, labels) or 0.0
