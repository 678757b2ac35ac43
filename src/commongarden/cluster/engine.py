"""What runs workers on other machines: the contract between the crew of a study and an engine such as Ray."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from commongarden.cluster.messages import Arrived, Assignment, Files, Message, Wanted
from commongarden.runner.events import Piloted, Task


@dataclass(eq=False)
class Seat:
    """A worker as the crew sees it. handle: the engine's own. about: what it said when it arrived; None before. held:
    its tasks. ran: the arm of a user's own file whose code it has executed. is_open: whether it has all files."""

    handle: Any = None
    about: Arrived | None = None
    held: list[Task] = field(default_factory=list)
    is_open: bool = False
    leaves: bool = False


class Engine(Protocol):
    """Starts workers and carries messages. None of its methods but `wait` takes long, and none raises for a worker
    that is gone: `wait` then gives Lost for it, once, and nothing after that."""

    def start(self, assignment: Assignment) -> Seat:
        """A worker, as soon as there is room for it: it then gives Arrived."""
        ...

    def send(self, seat: Seat, lacks: Sequence[Wanted]) -> None:
        """The files that it lacks; Arrived comes once more, without any, when it has them."""
        ...

    def hand(self, seat: Seat, task: Task, files: Files, known: Piloted | None) -> None:
        """A task, with the files that it goes on from."""
        ...

    def leave(self, seat: Seat) -> None:
        """It goes home once it has no task, and gives Left."""
        ...

    def stop(self, seat: Seat) -> None:
        """It ends its runs as soon as it can, and goes home."""
        ...

    def end(self, seats: Sequence[Seat]) -> None:
        """Ends workers now, with what they are doing."""
        ...

    def wait(self, seconds: float) -> Iterator[tuple[Seat, Message]]:
        """What has come, after so many seconds at the most where nothing comes."""
        ...

    def room(self) -> str:
        """How much room there is, in a sentence."""
        ...
