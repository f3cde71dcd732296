"""Kubernetes mode without a cluster: its settings, its manifests, and a fake ``kubectl``."""

import shutil
import subprocess
from pathlib import Path

import pytest

from launcher import configuration
from launcher.configuration import Configuration
from launcher.kubernetes import images

BUILT = {f"fizzbuzz-{name}": f"registry.example/team/fizzbuzz-{name}:0123" for name in images.NAMES}


def configured(home: Path, **settings: str) -> Configuration:
    wanted = configuration.load({"FIZZBUZZ_HOME": str(home), **settings})
    for folder in (wanted.home.kubernetes, wanted.home.logs):
        folder.mkdir(parents=True)
    return wanted


def fake_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first ``kubectl`` on PATH, to be written by ``fake``."""
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return program


def fake(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def rendered(folder: Path) -> str:
    if not shutil.which("kubectl"):
        pytest.skip("no kubectl on PATH")
    command = ["kubectl", "kustomize", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
