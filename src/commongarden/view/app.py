"""The routes of `commongarden view`. Nothing here writes into a study's folder but `steer`, where it was asked for."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from commongarden.errors import CommonGardenError
from commongarden.i18n.language import _, current, languages, written
from commongarden.records.event_log import RunName
from commongarden.view import pages, steering
from commongarden.view.guarding import Guard, Policy
from commongarden.view.reports import Reports, warm_up
from commongarden.view.studies import Followed, Garden, Listed, follow
from commongarden.view.try_routes import TryPages
from commongarden.view.watching import Watch, message

LANGUAGE = "commongarden-language"  # the cookie
ALIVE = 15.0  # seconds without news, after which a connection is told that it is there
HERE = b": here\n\n"
PACE = 0.25  # seconds between two messages to one client
RELIST = 3.0  # seconds between two looks at all studies, while somebody has the list open
SPARE = 50  # times the seconds of such a look, where that is more
MOST_STREAMS = 100
MOST_COMPARED = 8  # studies
MOST_DIGITS = 18  # of a seed
ASSETS = {"view.css": "text/css"} | dict.fromkeys(("garden.js", "study.js", "try.js", "compare.js"), "text/javascript")
OF_REPORT = {"page.css": "text/css", "folds.js": "text/javascript", "draw.js": "text/javascript"}


class Server:
    """The studies of a folder as pages."""

    def __init__(self, garden: Garden, policy: Policy, data: Path | None = None, *, steers: bool = False) -> None:
        self.garden, self.policy, self.reports = garden, policy, Reports()
        self.steers = steers
        self.watches: dict[str, Watch] = {}
        self.trying = TryPages(self._watch, self._language, data)
        self.language = current()  # of readers who have not chosen one
        self.n_streams = 0
        self._listed: tuple[float, list[Listed]] = (0.0, [])
        self._took = 0.0  # seconds of the last look at all studies
        self._listing = asyncio.Lock()
        self._warm: asyncio.Task[None] | None = None

    def app(self) -> Guard:
        """The ASGI application."""
        study = "/study/{key}"
        routes = [
            Route("/", self.home),
            Route("/events", self.home_events),
            Route("/compare", self.compare),
            Route("/compare/report", self.compare_report),
            Route(study, self.study),
            Route(f"{study}/report", self.report),
            Route(f"{study}/curves", self.curves),
            Route(f"{study}/run", self.run),
            Route(f"{study}/events", self.events),
            *([Route(f"{study}/steer/{{action}}", self.steer, methods=["POST"])] if self.steers else []),
            Route("/assets/{name}", self.asset),
            *self.trying.routes(),
        ]
        answered = [Route(one.path, self._answered(one.endpoint), methods=[*(one.methods or ())]) for one in routes]
        made = Starlette(routes=answered)
        return Guard(made, self.policy)

    async def home(self, request: Request) -> Response:
        language = self._language(request)
        if self.garden.is_study:
            (one,) = self.garden.followed()
            return RedirectResponse(f"/study/{quote(one.key)}", 303)
        made = pages.garden(await self._list(), self.garden.root.name, language)
        return HTMLResponse(made, background=BackgroundTask(self._warm_up))

    async def _warm_up(self) -> None:
        """Loads what reports need while the reader looks at the first page."""
        if self._warm is None:
            self._warm = asyncio.create_task(asyncio.to_thread(warm_up))

    async def study(self, request: Request) -> Response:
        watch, language = await self._watch(request), self._language(request)
        await self._warm_up()
        made = pages.study(
            watch.counted.name, watch.followed.key, language, runs=watch.followed.runs,
            is_alone=self.garden.is_study, steers=self.steers,
        )  # fmt: skip
        return HTMLResponse(made)

    async def report(self, request: Request) -> Response:
        watch, language = await self._watch(request), self._language(request)
        try:
            is_running = watch.counted.state == "running"
            make = functools.partial(self.reports.report, watch.followed.folder, language, is_running=is_running)
            made = await asyncio.to_thread(make)
        except CommonGardenError as error:
            html = await asyncio.to_thread(_notice, str(error), language)
            return JSONResponse({"html": html, "specs": {}})
        html = made.body
        for warning in made.warnings:
            html = _notice(warning, language) + html
        return JSONResponse({"html": html, "specs": made.specs})

    async def curves(self, request: Request) -> Response:
        watch, language = await self._watch(request), self._language(request)
        return JSONResponse({"specs": await asyncio.to_thread(_curves, watch, language)})

    async def run(self, request: Request) -> Response:
        """One run of a study, by its arm and its seed."""
        watch, language, asked = await self._watch(request), self._language(request), request.query_params
        seed = asked.get("seed", "")
        if not seed.isdecimal() or len(seed) > MOST_DIGITS:
            return Response(status_code=404)
        try:
            html = await asyncio.to_thread(_run, watch, asked.get("arm", ""), int(seed), language)
        except CommonGardenError as error:
            html = await asyncio.to_thread(_notice, str(error), language)
        return JSONResponse({"html": html})

    async def events(self, request: Request) -> Response:
        watch, language = await self._watch(request), self._language(request)
        return self._stream(_news(watch, language))

    async def steer(self, request: Request) -> Response:
        """Stops, resumes or extends a study, or drops a model. Only there if the server was started to do so, which
        asks for a token."""
        watch, language, action = await self._watch(request), self._language(request), request.path_params["action"]
        if action not in steering.ACTIONS:
            return Response(status_code=404)
        try:
            arm = request.query_params.get("arm", "")
            await asyncio.to_thread(steering.steer, watch.followed.folder, action, arm)
        except (CommonGardenError, OSError) as error:
            return JSONResponse({"html": await asyncio.to_thread(_notice, str(error), language)}, 409)
        return JSONResponse({"html": ""})

    async def home_events(self, request: Request) -> Response:
        language = self._language(request)

        async def changes() -> AsyncIterator[bytes]:
            shown = ""
            while True:
                html = pages.listing(await self._list(), language)
                yield message("listing", {"html": html}) if html != shown else HERE
                shown = html
                await asyncio.sleep(RELIST)

        return self._stream(changes())

    async def compare(self, request: Request) -> Response:
        """The frame of a page with several studies."""
        found = await self._chosen(request)
        if len(found) < 2:
            return RedirectResponse("/", 303)
        return HTMLResponse(pages.comparison([one.key for one in found], self._language(request)))

    async def compare_report(self, request: Request) -> Response:
        language, found = self._language(request), await self._chosen(request)
        folders = [(one.place, one.folder) for one in found]
        try:
            made = await asyncio.to_thread(self.reports.across, folders, language)
        except CommonGardenError as error:
            return JSONResponse({"html": await asyncio.to_thread(_notice, str(error), language), "specs": {}})
        return JSONResponse({"html": made.body, "specs": made.specs})

    async def _chosen(self, request: Request) -> list[Followed]:
        """The studies that the address names, as far as the folder has them."""
        keys = dict.fromkeys(request.query_params.getlist("study"))
        found = [await asyncio.to_thread(self.garden.get, key) for key in list(keys)[:MOST_COMPARED]]
        return [one for one in found if one is not None]

    async def asset(self, request: Request) -> Response:
        name, text = request.path_params["name"], None
        if name == "vega.js":
            text, kind = await asyncio.to_thread(_vega), "text/javascript"
        elif name in ASSETS:
            text, kind = pages.asset(name), ASSETS[name]
        elif name in OF_REPORT:
            text, kind = await asyncio.to_thread(_of_report, name), OF_REPORT[name]
        if text is None:
            return Response(status_code=404)
        kept = "private, max-age=3600" if name == "vega.js" else "no-cache"
        return Response(text, media_type=kind, headers={"cache-control": kept})

    def _stream(self, messages: AsyncIterator[bytes]) -> Response:
        if self.n_streams >= MOST_STREAMS:
            return Response(_("Too many open pages."), 503)

        async def counted() -> AsyncIterator[bytes]:
            self.n_streams += 1
            try:
                async for message in messages:
                    yield message
            finally:
                self.n_streams -= 1

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(counted(), media_type="text/event-stream", headers=headers)

    async def _list(self) -> list[Listed]:
        """All studies; looked at again where the last look is some seconds old."""
        async with self._listing:
            when, listed = self._listed
            if time.monotonic() - when >= max(RELIST * 0.9, SPARE * self._took):
                begun = time.monotonic()
                listed = await asyncio.to_thread(self.garden.listed)
                self._took = time.monotonic() - begun
                self._listed = time.monotonic(), listed
            return listed

    async def _watch(self, request: Request) -> Watch:
        """The study that an address names. Raises KeyError where the folder has none such."""
        key = request.path_params["key"]
        found = await asyncio.to_thread(self.garden.get, key)
        if found is None:
            raise KeyError(key)
        if key not in self.watches:
            self.watches[key] = Watch(follow(found.key, found.place, found.folder), steers=self.steers)
        elif not self.watches[key].is_attended:
            self.watches[key].look()
        return self.watches[key]

    def _language(self, request: Request) -> str:
        chosen = request.query_params.get("lang") or request.cookies.get(LANGUAGE, "")
        return chosen if chosen in languages() else self.language

    def _answered(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Pages of what is not there and of errors; and the language that was chosen, kept."""

        @functools.wraps(endpoint)
        async def answer(request: Request) -> Response:
            language = self._language(request)
            try:
                response = await endpoint(request)
            except KeyError:
                with written(language):
                    said = _("There is no such study in this folder.")
                response = HTMLResponse(pages.failed(said, language), 404)
            except CommonGardenError as error:
                response = HTMLResponse(pages.failed(str(error), language), 500)
            response.headers.setdefault("cache-control", "no-store")
            if request.query_params.get("lang") in languages():
                response.set_cookie(LANGUAGE, language, httponly=True, samesite="strict", max_age=365 * 86_400)
            return response

        return answer


async def _news(watch: Watch, language: str) -> AsyncIterator[bytes]:
    """What a page of this study is told: first all, then what is new."""
    version = generation = n_reports = -1
    n_rows = 0
    with watch.attended() as wake:
        while True:
            wake.clear()
            said = []  # sent as one piece: what a client costs is the number of these
            if (watch.generation, len(watch.rows)) != (generation, n_rows):
                said.append(watch.new_rows(n_rows if watch.generation == generation else None))
                generation, n_rows = watch.generation, len(watch.rows)
            if watch.version != version:
                version = watch.version
                known = watch.known(language)
                said.append(known if known is not None else await asyncio.to_thread(watch.said, language))
            if watch.n_reports != n_reports:
                n_reports = watch.n_reports
                said.append(message("report", {"version": n_reports}))
            if said:
                yield b"".join(said)
            await asyncio.sleep(PACE)
            try:
                await asyncio.wait_for(wake.wait(), ALIVE)
            except TimeoutError:
                yield HERE


def _notice(text: str, language: str) -> str:
    from commongarden.report.document import Paragraph, html

    with written(language):
        return html.to_fragment([Paragraph(text, role="notice")], [])


def _curves(watch: Watch, language: str) -> dict[str, Any]:
    from commongarden.report.charts import curves

    with written(language):
        return {chart.name: chart.spec for chart in curves.under_way(watch.arms, watch.longest)}


def _run(watch: Watch, arm: str, seed: int, language: str) -> str:
    from commongarden.report.document import html
    from commongarden.store import Store
    from commongarden.view import one_run

    store = Store(watch.followed.folder)
    with written(language):
        made = one_run.blocks(
            store, watch.followed.progress, RunName(arm, seed, "fold" if store.study().folds else "run")
        )
        return html.to_fragment(made, watch.arms)


def _vega() -> str:
    from commongarden.report.document import scripts

    return scripts.bundle()


def _of_report(name: str) -> str:
    from commongarden.report.document import html

    return html.source(name)
