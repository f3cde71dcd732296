"""Docker mode: every part is a container, kept alive by the Docker engine."""

from launcher.docker.system import DockerSystem

__all__ = ["DockerSystem"]
