"""Kubernetes mode: the system in a cluster, by ``kubectl``."""
