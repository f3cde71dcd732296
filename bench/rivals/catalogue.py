"""The rivals, by the name that ``--only`` takes."""

import importlib

from bench.rivals.rival import Rival

NAMES = ("rq", "huey", "dramatiq", "taskiq", "saq", "celery", "celery_late")
OWN = "own"
"""This system."""


def load(name: str) -> Rival:
    """The rival; imports its packages."""
    rival: Rival = importlib.import_module(f"bench.rivals.with_{name}").RIVAL
    return rival
