"""The images of a project: built when what they are made of has changed, else left alone."""

import hashlib
import re
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from launcher.docker import containers, engine
from launcher.docker.project import Project
from launcher.progress import Progress

SOURCES = ("consumer", "deploy", "gateway", "pipeline", "producer", "proto", "requirements", "web")
"""The folders that images are made of."""

BUILT = ("producer", "gateway", "consumer", "worker", "web", "influxdb-setup", "door")

_STEP = re.compile(r"#\d+ \[(.+?)\] (?:FROM|RUN|COPY|WORKDIR)")
_STEPS = 30
"""About so many steps has a build of all images."""


def build(project: Project, logs: Path) -> None:
    """Make the images, unless they are there and their sources are as they were.

    Raises:
        Problem: the build failed, or the disk has no room for the first one.
    """
    fingerprint = _fingerprint(project)
    there = _there(project)
    if there.issuperset(BUILT) and _stamp(project) == fingerprint:
        return
    if not there:
        engine.check_space()
    lines = project.lines(
        logs / "docker-build.log", "building the images failed", "--progress", "plain", "build"
    )
    if there:
        print("building the images that have changed", flush=True)
        deque(lines, maxlen=0)
    else:
        with Progress("building images", _STEPS, sys.stdout) as progress:
            for found in filter(None, map(_STEP.match, lines)):
                progress.step(found[1])
    remove_old(project)
    project.images_stamp.write_text(fingerprint)


def remove_old(project: Project) -> None:
    """Each build leaves the images behind that it replaced. Raises Problem."""
    containers.run(
        "image", "prune", "--force", "--filter", f"label=com.docker.compose.project={project.name}"
    )


def _there(project: Project) -> set[str]:
    label = f"label=com.docker.compose.project={project.name}"
    names = containers.run("images", "--filter", label, "--format", "{{.Repository}}").split()
    return {name.removeprefix(f"{project.name}-") for name in names}


def _stamp(project: Project) -> str:
    return project.images_stamp.read_text() if project.images_stamp.exists() else ""


def _fingerprint(project: Project) -> str:
    digest = hashlib.sha256(project.told.get("FIZZBUZZ_PYTHON_IMAGE", "").encode())
    for path in sorted(_sources(project.checkout)):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(project.checkout).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _sources(checkout: Path) -> Iterator[Path]:
    yield checkout / ".dockerignore"
    for folder in SOURCES:
        for path in (checkout / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and "_pb2" not in path.name:
                yield path
