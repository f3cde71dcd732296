"""What each command does to a system, whichever way it runs."""

import os
import sys
from collections.abc import Sequence

from launcher import access, bootstrap, configuration, env_file, mode, saved_state
from launcher.configuration import Configuration
from launcher.errors import FAILED, UserError
from launcher.errors import explain as explain_error
from launcher.layout import Layout
from launcher.lock import exclusive_lock
from launcher.log_line import wants_colour
from launcher.saved_state import SavedState
from launcher.system import (
    System,
    elsewhere,
    find_running,
    last_configuration,
    makes_first_influxdb,
    open_system,
)

_NEXT_STEPS = {
    "see the state": "./start.sh status",
    "open the notebook": "./start.sh notebook",
    "stop": "./start.sh down",
}


def up(asked: str | None) -> int:
    """Start everything. Where a system runs, say what differs from what is wanted, and change nothing."""
    wanted = _checked()
    with exclusive_lock(wanted.home.lock):
        running = find_running(wanted.home, asked)
        if running:
            return _report_running(running, wanted, asked)
        wanted.home.check_space()
        if env_file.create(wanted.env_file, wanted.given):
            wanted = configuration.load()
        saved = saved_state.load(wanted.home)
        choice = mode.choose(wanted.checkout, saved.mode if saved else None, asked)
        if makes_first_influxdb(choice.mode, wanted) and env_file.add_secrets(wanted.env_file, wanted.given):
            wanted = configuration.load()
        if not os.environ.get(mode.CHOSEN):
            print(f"mode: {choice.mode} ({choice.why})", flush=True)
        system = open_system(choice.mode, wanted)
        system.prepare(None)
        if choice.mode == mode.LOCAL and not os.environ.get(mode.CHOSEN):  # also where a user activated it
            wanted.home.make()
            bootstrap.ensure(wanted, "run", *bootstrap.redis_group(wanted), running=False)
        if choice.mode != mode.LOCAL or bootstrap.is_inside(wanted.venv):
            return _start(system, wanted, choice.mode)
    words = ["up", *(["--mode", asked] if asked else [])]  # what was asked for excuses an engine that is away
    bootstrap.enter(wanted, words, **{mode.CHOSEN: f"{choice.mode}:{choice.why}"})
    return FAILED  # never reached


def down(*, wipe: bool) -> int:
    """Stop everything, whatever the current settings are."""
    home = configuration.home_of()
    with exclusive_lock(home.lock):
        saved = saved_state.load(home)
        last = last_configuration(home)
        running, away = None, None
        try:
            running = find_running(home)
            if running is None:
                print("nothing was running")
        except UserError as error:
            away = error
        system = running or open_system(saved.mode if saved else mode.default(), last)
        others = [open_system(name, last) for name in elsewhere(home) if name != system.mode]
        try:  # also where an engine or a cluster is away: something may run on this machine
            _stop(system, home)
        except UserError as error:
            away = error
        for other in others:
            _stop_forgotten(other)
        if wipe:
            _wipe([system, *others])
        elif away:
            raise away
    return 0


def _stop_forgotten(other: System) -> None:
    """Stop containers of a mode that is no longer used: the engine was away when another one was chosen."""
    if other.mode != mode.DOCKER:  # a cluster may be far away, and need a minute to say so
        return
    try:
        if other.is_running():
            print("stopping what still ran in docker mode")
            other.stop()
    except UserError:  # it is still away
        pass


def _wipe(systems: Sequence[System]) -> None:
    """Delete the data of each; where one can't be reached, of the others all the same. Raises UserError."""
    problems: list[UserError] = []
    for one in systems:
        try:
            for line in one.wipe():
                print(line)
        except UserError as problem:
            problems.append(problem)
    if problems:
        raise UserError("; ".join(map(str, problems)))


def restart() -> int:
    """Stop, and start with the current settings, which are checked before anything is stopped."""
    wanted = _checked()
    with exclusive_lock(wanted.home.lock):
        running = find_running(wanted.home)
        if running:
            saved = saved_state.load(wanted.home)
            choice = mode.choose(wanted.checkout, saved.mode if saved else None, None)
            python = bootstrap.python_of(wanted.venv)
            if choice.mode == mode.LOCAL and bootstrap.works(python, "import redis, supervisor"):
                bootstrap.enter(wanted, ["restart"])
            wanted.home.check_space()
            system = open_system(choice.mode, wanted)
            system.prepare(saved)
            _stop(running, wanted.home)
            if choice.mode != mode.LOCAL:
                return _start(system, wanted, choice.mode)
    bootstrap.start_again(wanted.checkout, ["up"])
    return FAILED  # never reached


def logs(service: str | None, *, follow: bool, pretty: bool) -> int:
    """Print the logs; following them ends with the system, or with Ctrl-C."""
    home = configuration.home_of()
    saved = saved_state.load(home)
    system = open_system(saved.mode if saved else mode.default(), last_configuration(home))
    colour = pretty and wants_colour(sys.stdout)
    line = None
    try:
        for line in system.logs(service, follow=follow):
            print(line.as_text(colour=colour) if pretty else line.as_json(), flush=follow)
    except KeyboardInterrupt:
        if not follow:
            raise
    if line is None:
        print(f"start.sh: {service or 'the system'} has no log lines", file=sys.stderr)
    return 0


def _checked() -> Configuration:
    """The current configuration, once it is checked. Raises UserError."""
    wanted = configuration.load()
    access.check(wanted)
    access.check_home(wanted)
    return wanted


def _stop(system: System, home: Layout) -> None:
    left = system.stop()
    if left:
        print(f"{left} jobs still wait in the queue; the next start stores them")
    if left is not None:
        print("stopped")
    try:
        saved_state.mark_stopped(home)
    except OSError as error:  # on a full disk, of which down --wipe must free space all the same
        print(f"start.sh: it was stopped, and can't be marked so: {explain_error(error)}", file=sys.stderr)


def _start(system: System, wanted: Configuration, name: str) -> int:
    """Remember what is started before it is: whatever happens then, ``down`` finds it."""
    before = saved_state.load(wanted.home)
    code, packages = (
        saved_state.code_digest(wanted.checkout),
        saved_state.packages_digest(wanted.checkout),
    )
    saved_state.save(wanted.home, SavedState(name, True, wanted.given, code, packages))
    try:
        system.start()
    except BaseException:
        if before:
            saved_state.save(wanted.home, before)
        else:
            wanted.home.state.unlink(missing_ok=True)
        raise
    _print_addresses(system)
    return 0


def _report_running(system: System, wanted: Configuration, asked: str | None) -> int:
    saved = saved_state.load(wanted.home)
    if saved and asked not in (None, saved.mode):
        raise UserError(f"it runs in {saved.mode} mode: ./start.sh down, then up --mode {asked}")
    if partly := system.partly_stopped():
        raise UserError(f"{partly}: ./start.sh restart starts all of it")
    print(f"mode: {saved.mode if saved else mode.default()} (already running; nothing was changed)")
    found = _differences(saved, wanted) if saved else []
    for text in found:
        print(f"  {text}")
    if found:
        print("./start.sh restart applies this")
    _print_addresses(system)
    return 0


def _differences(saved: SavedState, wanted: Configuration) -> list[str]:
    found = list(configuration.differences(saved.settings, wanted))
    if saved.code != saved_state.code_digest(wanted.checkout):
        found.append("the code was changed since the start")
    if saved.packages != saved_state.packages_digest(wanted.checkout):
        found.append("requirements/run.txt was changed since the start")
    return found


def _print_addresses(system: System) -> None:
    lines = {**system.addresses(), **_NEXT_STEPS}
    if not system.runs_notebook:
        del lines["open the notebook"]
    for name, text in lines.items():
        print(f"{name:<17} {text}")
