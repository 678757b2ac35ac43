"""What the workers of a study need on another machine: gathered by the process that holds the study."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from commongarden.cluster import messages
from commongarden.cluster.messages import Assignment, Wanted
from commongarden.data import image
from commongarden.data.remote import is_remote
from commongarden.i18n import language
from commongarden.runner.executor import TaskContext
from commongarden.runner.prepared_data import PreparedData, reopen
from commongarden.store import Store
from commongarden.store.checksums import FILE as CHECKSUMS
from commongarden.study import Study, origin, weight_files
from commongarden.study.arm import Arm

OWN = ("study.toml", "manifest.csv", "split.json", CHECKSUMS)  # and splits/, of the files in a study's folder
PASSED_ON = (origin.NO_CODE, "HF_HUB_OFFLINE", "ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "COMMONGARDEN_LANG")
NEIGHBOURS = 2_000_000  # bytes of a user's further Python files, beside the one that an arm names


def assignment(context: TaskContext, shared: bool | None) -> Assignment:
    """What a worker needs before its first task of the study in `context.root`. Raises CommonGardenError."""
    store = Store(context.root)
    study = store.study()
    paths = [context.root / name for name in OWN] + sorted((context.root / "splits").glob("*.json"))
    own = {path.relative_to(context.root).as_posix(): path.read_bytes() for path in paths if path.is_file()}
    prepared = reopen(store, context.cache_folder, context.direct)
    wanted = (*_images(study, prepared), *(file for arm in study.arms.values() for file in _of_arm(arm)))
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return Assignment(
        own,
        context,
        tuple(dict.fromkeys(wanted)),
        _photos(study, prepared),
        shared,
        language.current(),
        environment,
        os.getcwd(),
    )


def _images(study: Study, prepared: PreparedData) -> Iterator[Wanted]:
    """The files of decoded images, each with the one beside it that says what it holds."""
    for recipe in map(study.recipe_of, study.arms):
        if recipe.resolution in prepared.direct:
            continue
        images = prepared.images(recipe.resolution, recipe.framing)
        path = Path(str(getattr(images, "filename")))  # noqa: B009 (of a map into memory)
        for file in (path, path.with_suffix(".json")):
            if file.is_file():
                yield Wanted(str(file), file.stat().st_size)


def _photos(study: Study, prepared: PreparedData) -> dict[str, str]:
    """The first and the last photo with their SHA-256, where runs read the original photos."""
    recipes = list(map(study.recipe_of, study.arms))
    reads = prepared.direct or any("random-resized-crop" in recipe.augment for recipe in recipes)
    manifest = prepared.manifest
    if not reads or manifest.root.startswith(image.BUILTIN):
        return {}
    ends = (manifest.photos[0], manifest.photos[-1])
    root = manifest.root if is_remote(manifest.root) else str(Path(manifest.root).absolute())
    return {messages.SEPARATOR.join((root, photo.path, photo.stored)): photo.sha256 for photo in ends}


def _of_arm(arm: Arm) -> Iterator[Wanted]:
    """The files that an arm names: the code of its network with what lies beside it, and its first weights."""
    kept = arm.origin
    if kept is None:
        return
    place = origin.parts(arm.arch)[0]
    if place.endswith(".py"):
        file = origin.code_file(arm.arch)
        beside = [other for other in sorted(file.parent.glob("*.py")) if other != file]
        if sum(other.stat().st_size for other in beside) > NEIGHBOURS:
            beside = []
        for one in (file, *beside):
            yield _wanted(one, place)
    if arm.options["weights"]:
        named = arm.options["weights"]
        yield _wanted(weight_files.find(arm.arch, named), named)
    elif arm.wants_published and (fetched := _fetched(kept.weights)) is not None:
        yield _wanted(fetched, arm.arch)


def _wanted(file: Path, named: str) -> Wanted:
    return Wanted(str(file.absolute()), file.stat().st_size, origin.file_hash(file), named)


def _fetched(digest: str) -> Path | None:
    """The file of published weights with this SHA-256 in the caches of the Hugging Face hub and of torch, found by its
    name: neither library is loaded for it."""
    if not digest:
        return None
    from huggingface_hub.constants import HF_HUB_CACHE

    torch_home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    places = (
        (Path(HF_HUB_CACHE), f"models--*/blobs/{digest}"),
        (Path(torch_home).expanduser() / "hub" / "checkpoints", f"*-{digest[:8]}*"),
    )
    for folder, pattern in places:
        for file in sorted(folder.glob(pattern)):
            if file.is_file() and origin.file_hash(file) == digest:
                return file
    return None
