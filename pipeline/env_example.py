"""Writes ``.env.example`` from the declarations: ``python -m pipeline.env_example > .env.example``."""

from collections.abc import Iterator

from pipeline.declaration import Declaration
from pipeline.settings import DECLARED

_HEAD = """\
# Every setting, with its default. Copy what you change into .env: at the top of the checkout, or in
# FIZZBUZZ_HOME where that is set. The environment overrides .env; an empty value means the default.
# ./start.sh adds random secrets to it, and makes one where none is. An invalid value stops the start.
"""


def render() -> str:
    """The whole file."""
    return _HEAD + "".join(line for one in DECLARED.values() for line in _lines(one))


def _lines(one: Declaration) -> Iterator[str]:
    if one.section:
        yield f"\n# ── {one.section} {'─' * (95 - len(one.section))}\n"
    if one.text:
        yield "\n"
        yield from (f"# {line}\n" for line in one.text.splitlines())
    fixed = one.default if isinstance(one.default, str) and not one.secret else ""
    yield f"#{one.name}={one.example or fixed}\n"


if __name__ == "__main__":
    print(render(), end="")
