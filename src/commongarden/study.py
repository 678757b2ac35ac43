"""The whole declared comparison: data, recipe, arms, seeds, contrasts; read from and written to TOML."""

from __future__ import annotations

import dataclasses
import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from commongarden import arch
from commongarden import arm as arms
from commongarden.arm import Arm as Arm
from commongarden.errors import StudyError, unknown
from commongarden.fields import convert
from commongarden.recipe import Recipe, override

ARM_NAME = re.compile(r"\w([\w.+-]{0,62}[\w+-])?")


@dataclass(frozen=True)
class Contrast:
    """A planned difference: how `arm` does beside `against`."""

    arm: str
    against: str


@dataclass(frozen=True)
class SplitPlan:
    """Which share of the photos goes where. `val` and `test` have what `train` leaves.

    stratified: each class is divided by the shares; otherwise all photos are shuffled once together.
    multiple: the train part is rounded down to a multiple of this.
    keep_conflicts: keep a photo that is found under two labels (otherwise every copy is left out).
    seed: of the shuffle; None takes the study's.
    """

    train: float = 0.80
    val: float = 0.05
    stratified: bool = True
    multiple: int = 1
    keep_conflicts: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        if not (0 < self.train < 1 and 0 < self.val < 1 and self.train + self.val < 1):
            raise StudyError(
                f"split: found train {self.train} and val {self.val}; accepted: both above 0, and together under 1, "
                "so that the test part has a share"
            )
        if self.multiple < 1:
            raise StudyError(f"split.multiple: found {self.multiple}, accepted: a whole number from 1")


@dataclass(frozen=True)
class Published:
    """What somebody else reported for an arm, to stand beside the study's own figures."""

    test_accuracy: float
    seconds: float | None = None


@dataclass(frozen=True)
class Study:
    """A comparison, complete: everything that decides its numbers, but the photos themselves.

    data: a folder of class folders, a folder of train/val/test folders, a CSV manifest, or "builtin:flowers".
    seeds: the run seeds, as numbers or how many; every arm is trained once with each.
    seed: the study's own; with the run seed it gives every random stream.
    contrasts: empty means every pair of up to four arms, else each arm against the first.
    """

    name: str
    data: str
    arms: dict[str, Arm]
    recipe: Recipe = field(default_factory=Recipe)
    seeds: tuple[int, ...] = (0, 1, 2)
    seed: int = 0
    split: SplitPlan = field(default_factory=SplitPlan)
    contrasts: tuple[Contrast, ...] = ()
    description: str = ""
    published: dict[str, Published] = field(default_factory=dict)
    published_source: str = ""

    def __post_init__(self) -> None:
        if not self.arms:
            raise StudyError('arms: found none; a study needs at least one [arms.NAME] with arch = "..."')
        for name in self.arms:
            if not ARM_NAME.fullmatch(name):
                raise StudyError(
                    f"arms: {name!r} cannot be an arm's name; accepted: letters, digits, . _ + - (up to 64)"
                )
        folded = [name.casefold() for name in self.arms]
        for name in self.arms:
            if folded.count(name.casefold()) > 1:
                raise StudyError(f"arms: {name!r} stands twice but for upper and lower case; file systems mix them up")
        object.__setattr__(self, "seeds", _seeds(self.seeds))
        _whole(self.seed, "study.seed")
        for contrast in self.contrasts:
            for name in (contrast.arm, contrast.against):
                if name not in self.arms:
                    raise StudyError(unknown("arm", name, self.arms, where="contrasts"))
            if contrast.arm == contrast.against:
                raise StudyError(f"contrasts: {contrast.arm!r} is compared with itself")
        for name in self.published:
            if name not in self.arms:
                raise StudyError(unknown("arm", name, self.arms, where="published"))
        for name, arm in self.arms.items():
            arms.check_recipe(name, arm, self.recipe_of(name))

    def recipe_of(self, arm: str) -> Recipe:
        """The shared recipe with the arm's own values in it."""
        return override(self.recipe, self.arms[arm].overrides, where=f"arms.{arm}")

    def planned_contrasts(self) -> tuple[Contrast, ...]:
        """The declared contrasts, or where none is declared the ones that the number of arms allows."""
        if self.contrasts:
            return self.contrasts
        names = list(self.arms)
        if len(names) <= 4:
            return tuple(Contrast(arm, against) for against, arm in itertools.combinations(names, 2))
        return tuple(Contrast(arm, names[0]) for arm in names[1:])


def builtin_studies() -> tuple[str, ...]:
    """Names that `commongarden run` takes in place of a study file."""
    folder = resources.files("commongarden") / "studies"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def read(path: str | Path) -> Study:
    """The study in a TOML file, or the built-in one of that name. Raises StudyError."""
    file = Path(path)
    if file.is_file():
        data = file.read_bytes()
        # Windows' editors write a mark before UTF-8; its shell writes UTF-16 where output is sent to a file
        encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        try:
            study = parse(data.decode(encoding).replace("\r\n", "\n"), where=str(path))
        except UnicodeDecodeError as error:
            raise StudyError(f"{path}: not UTF-8 text (byte {error.start}); a study file is TOML in UTF-8") from None
        for name, arm in study.arms.items():
            arms.check_file(arm, where=f"{path}: arms.{name}")
        return study
    if str(path) in builtin_studies():
        return parse(
            (resources.files("commongarden") / "studies" / f"{path}.toml").read_text(encoding="utf-8"), where=str(path)
        )
    if file.is_dir() or file.suffix.lower() == ".csv":
        raise StudyError(f"{path}: found photos, not a study file; did you mean --data {path}?")
    raise StudyError(unknown("study", str(path), builtin_studies()) + ", or the path of a study file (TOML)")


def parse(text: str, *, where: str = "study") -> Study:
    """The study that TOML text declares. Raises StudyError naming the place and the key."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{where}: not valid TOML: {error}") from None
    try:
        return from_table(table)
    except StudyError as error:
        raise StudyError(f"{where}: {error}") from None


SECTIONS = ("study", "recipe", "arms", "contrasts", "split", "published")
STUDY_KEYS = ("name", "data", "seeds", "seed", "description")


def from_table(table: Mapping[str, Any]) -> Study:
    """The study in nested mappings, laid out as in a study file."""
    for section in table:
        if section not in SECTIONS:
            raise StudyError(unknown("section", section, SECTIONS))
    head = _mapping(table, "study")
    for key in head:
        if key not in STUDY_KEYS:
            raise StudyError(unknown("key", key, STUDY_KEYS, where="study"))
    published = dict(_mapping(table, "published"))
    source = published.pop("source", "")
    return Study(
        name=_text(head, "name", "study"),
        data=_text(head, "data", ""),
        description=_text(head, "description", ""),
        seeds=head.get("seeds", 3),
        seed=_whole(head.get("seed", 0), "study.seed"),
        recipe=convert(Recipe, _mapping(table, "recipe"), where="recipe"),
        arms={name: arms.from_table(name, values) for name, values in _mapping(table, "arms").items()},
        split=convert(SplitPlan, _mapping(table, "split"), where="split"),
        contrasts=tuple(_contrasts(table.get("contrasts", []))),
        published={
            name: convert(Published, _mapping(published, name), where=f"published.{name}") for name in published
        },
        published_source=str(source),
    )


def to_table(study: Study) -> dict[str, Any]:
    """The study as nested mappings, every default written out: the effective study file."""
    table: dict[str, Any] = {
        "study": {
            "name": study.name,
            "description": study.description,
            "data": study.data,
            "seeds": list(study.seeds),
            "seed": study.seed,
        },
        "recipe": msgspec.to_builtins(study.recipe),
        "split": {key: value for key, value in dataclasses.asdict(study.split).items() if value is not None},
        "arms": {name: arms.to_table(arm) for name, arm in study.arms.items()},
        "contrasts": [{"is": [contrast.arm, contrast.against]} for contrast in study.contrasts],
    }
    if study.published:
        table["published"] = {
            "source": study.published_source,
            **{
                name: {key: value for key, value in dataclasses.asdict(published).items() if value is not None}
                for name, published in study.published.items()
            },
        }
    return table


def dump(study: Study) -> str:
    """The effective study file as TOML text; `parse` gives the same study back."""
    return tomli_w.dumps(to_table(study))


def _seeds(value: object) -> tuple[int, ...]:
    """Run seeds from how many there are (3 gives 0, 1, 2) or from themselves."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return tuple(range(value))
    found = tuple(value) if isinstance(value, list | tuple | range) else ()
    whole = all(isinstance(item, int) and not isinstance(item, bool) and item >= 0 for item in found)
    if not found or not whole or len(set(found)) < len(found):
        raise StudyError(
            f"study.seeds: found {value!r}, accepted: how many (a whole number from 1), or the seeds themselves, "
            "different whole numbers from 0"
        )
    return found


def _contrasts(rows: object) -> Iterator[Contrast]:
    if not isinstance(rows, list):
        raise StudyError(f'contrasts: found {rows!r}, accepted: [[contrasts]] with is = ["ARM", "ARM"]')
    for row in rows:
        pair = row.get("is") if isinstance(row, Mapping) and set(row) == {"is"} else None
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(name, str) for name in pair):
            raise StudyError(f'contrasts: found {row!r}, accepted: is = ["ARM", "ARM"]')
        yield Contrast(*pair)


def _mapping(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise StudyError(f"{key}: found {value!r}, accepted: a table ([{key}])")
    return value


def _text(table: Mapping[str, Any], key: str, default: str) -> str:
    value = table.get(key, default)
    if not isinstance(value, str):
        raise StudyError(f"study.{key}: found {value!r}, accepted: text in quotes")
    return value


def _whole(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise StudyError(f"{where}: found {value!r}, accepted: a whole number from 0")
    return value


def conflicts(stored: Study, wanted: Study) -> list[str]:
    """What keeps `wanted` from going on in the folder of `stored`: the keys that differ, with both values.

    More seeds, arms or contrasts, another name, description or published figure are no conflict: they extend it.
    Where the photos lie is none either; that they are the same photos is seen from their contents. So it is with the
    folder of a file in list form.
    """
    before, after = to_table(stored), to_table(wanted)
    pairs = {
        "study.seed": (before["study"]["seed"], after["study"]["seed"]),
    }
    for section in ("recipe", "split"):
        keys = {**before[section], **after[section]}
        pairs |= {f"{section}.{key}": (before[section].get(key), after[section].get(key)) for key in keys}
    lines = [f"{key}: {old!r} here, {new!r} asked for" for key, (old, new) in pairs.items() if old != new]
    for name in stored.arms:
        if name in wanted.arms:
            lines += arms.conflicts(name, stored.arms[name], wanted.arms[name])
    return lines


def extend(stored: Study, wanted: Study) -> Study:
    """`wanted` with all that the folder holds already; `conflicts` must be empty.

    Contrasts that were planned stay, also those that nobody declared and that more arms would leave out.
    """
    together = {**stored.arms, **{name: arms.kept(stored.arms.get(name), arm) for name, arm in wanted.arms.items()}}
    contrasts: tuple[Contrast, ...] = (*stored.contrasts, *wanted.contrasts)
    if together.keys() != stored.arms.keys():
        later = wanted.contrasts or dataclasses.replace(wanted, arms=together).planned_contrasts()
        contrasts = (*stored.planned_contrasts(), *later)
    return dataclasses.replace(
        wanted,
        arms=together,
        seeds=tuple(sorted({*stored.seeds, *wanted.seeds})),
        contrasts=tuple(dict.fromkeys(contrasts)),
        published={**stored.published, **wanted.published},
        published_source=wanted.published_source or stored.published_source,
    )


def of_architectures(data: str, names: list[str] | None) -> Study:
    """A study of architectures as the command line names them; where none is named, of the small ones made for flowers,
    which a laptop trains in minutes."""
    chosen: dict[str, Arm] = {}
    for text in names if names is not None else arch.families.FLOWER_ARMS:
        name, arm = arms.from_text(text)
        if name in chosen:
            raise StudyError(f"arms: {text!r} would be a second arm {name!r}; write a study file and name it there")
        chosen[name] = arm
    return Study(Path(data).name or "study", data, chosen)


def choose_arms(study: Study, names: list[str]) -> Study:
    """The study with some of its arms, and the contrasts and published figures between those."""
    for name in names:
        if name not in study.arms:
            raise StudyError(unknown("arm", name, study.arms, where=study.name))
    return dataclasses.replace(
        study,
        arms={name: study.arms[name] for name in names},
        contrasts=tuple(pair for pair in study.contrasts if pair.arm in names and pair.against in names),
        published={name: figures for name, figures in study.published.items() if name in names},
    )


def folder_name(study: Study) -> str:
    """The study's name as a folder: letters, digits and - only."""
    return re.sub(r"[^\w.-]+", "-", study.name).strip("-.") or "study"
