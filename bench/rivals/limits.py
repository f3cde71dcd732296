"""How long each part of a run takes at most."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, unless a name says otherwise."""

    flood_s: int = 6
    drain_s: float = 20.0
    """How long what a flood left in the queue may take; what is not stored then does not count."""
    connections: tuple[int, ...] = (64, 16)
    """Of wrk. What is stored is measured with the most of them."""
    rate: float = 500.0
    """Messages per second for the latency."""
    latency_s: float = 10.0
    probe_s: int = 3
    """The flood for each way to run a rival, of which the best is measured."""
    probe_drain_s: float = 5.0
    loss_rate: float = 200.0
    loss_s: float = 30.0
    worker_kills_s: tuple[float, ...] = (5.0, 12.0, 24.0)
    """When the worker is killed."""
    redis_kills_s: tuple[float, ...] = (18.0,)
    settle_s: float = 120.0
    """How long the messages of the loss run may take to be stored after its end."""


SHORT = Limits(
    flood_s=1,
    drain_s=3.0,
    connections=(16,),
    rate=50.0,
    latency_s=1.0,
    probe_s=1,
    probe_drain_s=1.0,
    loss_rate=50.0,
    loss_s=3.0,
    worker_kills_s=(0.7,),
    redis_kills_s=(1.5,),
    settle_s=15.0,
)
"""To see that all parts work; its figures mean nothing."""
