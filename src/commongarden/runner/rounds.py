"""The rounds of a study: which runs are made next, by the race and the budget, and what is told of each look."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from commongarden.runner import forecast, plan
from commongarden.runner.budget import Spending
from commongarden.runner.events import Job, Piloted
from commongarden.stats import raced, racing
from commongarden.stats.raced import Raced
from commongarden.store import Store


class Rounds:
    """Gives the runs of one round after the other. known: what a run of each arm takes, filled while runs are made."""

    def __init__(
        self,
        store: Store,
        spending: Spending | None,
        known: Mapping[str, Piloted],
        tell: Callable[[Raced, int], None],
    ) -> None:
        self.study, self.store, self.spending, self.known, self.tell = store.study(), store, spending, known, tell
        self.n_told = -1
        self.is_over = False
        self.raced: Raced | None = None

    def all(self) -> list[Job]:
        """Every run that may have to be made."""
        jobs = plan.pending(self.study, self.store)
        spending = self.spending
        if spending is None:
            return jobs
        race = self._race()
        if not race.needed:
            return []
        playing = {arm for look in race.looks[-1:] for row in look.contrasts if row.decision == "open"
                   for arm in (row.arm, row.against)} or set(self.study.arms)  # fmt: skip
        jobs = [job for job in jobs if job.arm in playing]
        if spending.budget is not None and spending.budget.runs is not None:
            return jobs[: max(spending.budget.runs - len(self._made()), 0)]
        return jobs

    def next(self) -> list[Job]:
        """The runs of the next round; none once the study is over."""
        if self.spending is None:
            jobs = [] if self.is_over else plan.pending(self.study, self.store)
            self.is_over = True
            return jobs
        return self._round()

    def close(self) -> None:
        """Writes down how the race stands where it was broken off."""
        if self.spending is not None:
            self._round()

    @property
    def n_needed(self) -> int:
        """Runs that are still to be made by the rule."""
        assert self.raced is not None
        return len(self.raced.race.needed) if self.raced.end == "under way" else 0

    def _race(self) -> racing.Race:
        assert self.spending is not None
        return raced.replay(
            self.study, self.store, racing.RacePlan(self.spending.most, self.study.margin / 100), self.study.seeds
        )

    def _made(self) -> list[Job]:
        return [Job(arm, seed) for arm in self.study.arms for seed in self.study.seeds if self.store.has(arm, seed)]

    def _left(self) -> float | None:
        assert self.spending is not None
        budget = self.spending.budget
        if budget is None:
            return None
        return (float(budget.runs) if budget.runs is not None else budget.seconds or 0.0) - self._used()

    def _used(self) -> float:
        assert self.spending is not None
        budget, made = self.spending.budget, self._made()
        if budget is None or budget.runs is not None:
            return float(len(made))
        return sum(forecast.run_seconds(self.store, job.arm, job.seed) for job in made)

    def _round(self) -> list[Job]:
        """The runs of the next round that the budget has room for. How the race stands is written down."""
        race = self._race()
        jobs = [Job(arm, seed) for arm, seed in race.needed]
        fitting = self._fitting(jobs, is_first=not race.looks)
        self._keep(race, out_of_budget=bool(jobs) and not fitting)
        return fitting

    def _fitting(self, jobs: list[Job], *, is_first: bool) -> list[Job]:
        """The round where the budget has room for all of it, since a look at half a round decides nothing. Of the first
        round, before which there is nothing to show, as much as fits."""
        left = self._left()
        if left is None:
            return jobs
        assert self.spending is not None and self.spending.budget is not None  # noqa: PT018
        in_runs = self.spending.budget.runs is not None
        measured = {**self.known, **forecast.measured(self.store)}
        fitting = forecast.within(left, jobs, None if in_runs else measured)
        return fitting if is_first or len(fitting) == len(jobs) else []

    def _keep(self, race: racing.Race, *, out_of_budget: bool) -> None:
        assert self.spending is not None
        is_open = any(row.decision == "open" for look in race.looks[-1:] for row in look.contrasts)
        end: raced.End = "under way"
        if out_of_budget:
            end = "budget"
        elif not race.needed:
            end = "most seeds" if is_open else "resolved"
        budget = self.spending.budget
        text = "" if budget is None else budget.text
        n_made, n_most = len(self._made()), len(self.study.arms) * self.spending.most
        self.raced = Raced(raced.SCHEMA, race, end, text, self._used(), self._left(), n_made, n_most)
        raced.write(self.store, self.raced)
        for number in range(self.n_told + 1, len(race.looks)):
            self.tell(self.raced, number)
        self.n_told = len(race.looks) - 1
