"""Redis's key names stand in one file, which needs nothing but the standard library."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("consumer", "gateway", "launcher", "pipeline", "producer", "web", "worker")
KEY = re.compile(r"\b(?:rq|fizzbuzz):[a-z_]+")


def literals(source: Path) -> Iterator[str]:
    """The string literals of a file that are no docstrings."""
    tree = ast.parse(source.read_text())
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    docstrings = {id(node.value) for node in statements}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("service", SERVICES)
def test_no_other_file_of_the_product_spells_a_key_of_redis(service: str) -> None:
    sources = [file for file in (ROOT / service).rglob("*.py") if file.name != "keys.py"]
    assert sources
    spelt = {
        str(file.relative_to(ROOT)): found
        for file in sources
        if (found := [key for text in literals(file) for key in KEY.findall(text)])
    }
    assert spelt == {}


def test_the_file_of_the_keys_has_keys() -> None:
    """The search above would find one."""
    assert KEY.findall(" ".join(literals(ROOT / "pipeline" / "queue" / "keys.py")))


def test_the_keys_need_the_standard_library_only() -> None:
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import pipeline.queue.keys
print(pipeline.queue.keys.RQ_QUEUE)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "rq:queue:messages\n", done.stderr
