"""Disks that fail, tear, or stop the process at a chosen step, in the place of `commongarden.io.disk`'s functions."""

from __future__ import annotations

import os
import random
import signal
from contextlib import contextmanager
from pathlib import Path

from commongarden.io import disk

STEPS = ("make_folder", "create", "write", "flush", "rename", "flush_folder", "remove", "remove_tree")


class Disk:
    """Counts the steps that are done to files, and meddles with the one whose number is `at` (from 1).

    seen: (step, name of the file) of each.
    """

    def __init__(self, at=0):
        self.at, self.seen = at, []

    def meddle(self, step, path, do):
        """What happens at the chosen step; do() is what the real disk would have done."""
        return do()

    def _step(self, step, real):
        def stepped(first, *rest):
            path = Path(first.name) if step in ("write", "flush") else first
            self.seen.append((step, Path(path).name))
            if len(self.seen) == self.at:
                return self.meddle(step, Path(path), lambda: real(first, *rest), first, *rest)
            return self.do(step, Path(path), lambda: real(first, *rest), *rest)

        return stepped

    def do(self, step, path, do, *rest):
        """What happens at every other step."""
        return do()

    @contextmanager
    def in_place(self):
        kept = {step: getattr(disk, step) for step in STEPS}
        for step, real in kept.items():
            setattr(disk, step, self._step(step, real))
        try:
            yield self
        finally:
            for step, real in kept.items():
                setattr(disk, step, real)


class Failing(Disk):
    """Refuses the chosen step, and all that write from there on if it is full, with the error of this number."""

    def __init__(self, at, number, lasting=True):
        super().__init__(at)
        self.number, self.lasting = number, lasting

    def meddle(self, step, path, do, first, *rest):
        if step == "write":
            first.write(rest[0][: len(rest[0]) // 2])  # a full disk takes as much as fits
        raise OSError(self.number, os.strerror(self.number), str(path))

    def do(self, step, path, do, *rest):
        if self.lasting and self.at and len(self.seen) > self.at and step not in ("flush_folder", "remove", "flush"):
            raise OSError(self.number, os.strerror(self.number), str(path))
        return do()


class Killing(Disk):
    """Ends the process by SIGKILL before, after or in the middle of the chosen step; tell(step, name) is called before.

    power: what was not flushed is lost as well, in part: files are torn, names are as they were.
    """

    def __init__(self, at, when, seed, *, power=False, tell=lambda step, name: None):
        super().__init__(at)
        self.when, self.chance, self.power, self.tell = when, random.Random(seed), power, tell
        self.torn, self.undo = {}, []  # files that are not flushed; how names are put back, by folder

    def meddle(self, step, path, do, first, *rest):
        self.tell(step, path.name)
        if self.when == "half" and step == "write":
            first.write(rest[0][: self.chance.randrange(len(rest[0]) + 1)])
            first.flush()
        elif self.when == "after":
            self.do(step, path, do, *rest)
        if self.power:
            self._cut()
        os.kill(os.getpid(), signal.SIGKILL)

    def do(self, step, path, do, *rest):
        if not self.power:
            return do()
        if step == "create":
            self.torn[path] = True
        elif step == "flush":
            self.torn.pop(path, None)
        elif step == "rename":
            target = rest[0]
            before = target.read_bytes() if target.is_file() else None
            if path in self.torn:
                self.torn[target] = self.torn.pop(path)
            self.undo.append((path.parent, path, target, before))
        elif step == "remove" and path.is_file():
            self.undo.append((path.parent, path, None, path.read_bytes()))
        elif step == "flush_folder":
            self.undo = [one for one in self.undo if one[0] != path]
        return do()

    def _cut(self):
        for _folder, path, target, before in reversed(self.undo):
            if self.chance.random() < 0.5:
                break  # a file system keeps the order of names
            if target is None:
                path.write_bytes(before)
            elif target.exists():
                os.replace(target, path)
                if before is not None:
                    target.write_bytes(before)
        for path in self.torn:
            if path.is_file():
                size = path.stat().st_size
                with path.open("r+b") as file:
                    file.truncate(self.chance.randrange(size + 1))
