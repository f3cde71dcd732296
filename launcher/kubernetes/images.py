"""The services' images: built as Docker mode builds them, then copied to where the cluster finds them."""

from launcher import run_command
from launcher.compose import engine
from launcher.compose.project import Project
from launcher.configuration import Configuration

NAMES = ("producer", "gateway", "consumer", "worker", "web", "influxdb-setup")


def build(configuration: Configuration) -> dict[str, str]:
    """Build the images, and push or copy them, if the settings say where to; each one by its base's name.

    The tag is the image's own id: a changed service has another image, one that is not changed is not
    restarted.

    Raises:
        UserError: one can't be built, pushed or copied.
    """
    engine.check()
    project, settings = Project(configuration), configuration.settings
    project.build(*NAMES)
    prefix = f"{settings.kubernetes_registry.rstrip('/')}/" if settings.kubernetes_registry else ""
    built = {}
    for name in NAMES:
        local = f"{project.name}-{name}"
        digest = engine.run("image", "inspect", "--format", "{{.Id}}", local).strip().removeprefix("sha256:")
        built[f"fizzbuzz-{name}"] = f"{prefix}fizzbuzz-{name}:{digest[:12]}"
        engine.run("tag", local, built[f"fizzbuzz-{name}"])
    if prefix:
        for image in built.values():
            engine.run("push", "--quiet", image, failed=f"{image} can't be pushed", timeout_s=None)
    if settings.kubernetes_load:
        command = [*settings.kubernetes_load, *built.values()]
        log = configuration.home.logs / "kubernetes-load.log"
        run_command.logged(command, log, "FIZZBUZZ_KUBERNETES_LOAD failed")
    return built


def split(image: str) -> dict[str, str]:
    """``name:tag`` or ``name@digest``, as kustomize has it."""
    image, _, digest = image.partition("@")
    folder, slash, last = image.rpartition("/")  # a registry may have a port
    name, _, tag = last.partition(":")
    return {
        "newName": folder + slash + name,
        **({"digest": digest} if digest else {"newTag": tag or "latest"}),
    }
