"""The page on which a photo is shown to every model of a study, and the test photos are looked through."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from commongarden.errors import CommonGardenError
from commongarden.inference.tried import Source
from commongarden.store import Store
from commongarden.view import browsing, pages, trying
from commongarden.view.trying import MOST_BYTES, Busy, Trying
from commongarden.view.watching import Watch

THUMBNAIL = 160  # pixels a side
Finder = Callable[[Request], Awaitable[Watch]]


class TryPages:
    """find: the study that an address names. language: of a reader. data: the folder of photos, in place of the one
    that a study names."""

    def __init__(self, find: Finder, language: Callable[[Request], str], data: Path | None) -> None:
        self.find, self.language, self.data = find, language, data
        self.trying = Trying()
        self._thumbnails = asyncio.Semaphore(1)
        self._photos: dict[Path, tuple[object, list[browsing.Shown]]] = {}

    def routes(self) -> list[Route]:
        """Of this page and of what it asks for."""
        study = "/study/{key}"
        return [
            Route(f"{study}/try", self.page),
            Route(f"{study}/try/photo", self.sent, methods=["POST"]),
            Route(f"{study}/try/test/{{number:int}}", self.of_test),
            Route(f"{study}/near/photo", self.near_sent, methods=["POST"]),
            Route(f"{study}/near/test/{{number:int}}", self.near_test),
            Route(f"{study}/photos", self.photos),
            Route(f"{study}/photos/{{number:int}}", self.thumbnail),
        ]

    async def page(self, request: Request) -> Response:
        watch = await self.find(request)
        manifest = await asyncio.to_thread(Store(watch.followed.folder).manifest)
        absent = browsing.absent(manifest, self.data)
        name, key = watch.counted.name, watch.followed.key
        return HTMLResponse(pages.trying(name, key, manifest.classes, absent, self.language(request)))

    async def sent(self, request: Request) -> Response:
        """A photo that was sent as the body of the request."""
        watch, language = await self.find(request), self.language(request)
        if (data := await _body(request)) is None:
            return JSONResponse({"html": pages.too_large(MOST_BYTES, language)}, 413)
        return await self._tried(watch, Source(data), language, name=pages.your_photo(language))

    async def near_sent(self, request: Request) -> Response:
        """The photos of the study nearest to one that was sent."""
        watch, language = await self.find(request), self.language(request)
        if (data := await _body(request)) is None:
            return JSONResponse({"html": pages.too_large(MOST_BYTES, language)}, 413)
        return await self._near(watch, Source(data), language)

    async def near_test(self, request: Request) -> Response:
        """The photos of the study nearest to one of its own."""
        watch, language = await self.find(request), self.language(request)
        try:
            store = Store(watch.followed.folder)
            source, _photo = await asyncio.to_thread(
                browsing.source_of, store, request.path_params["number"], self.data
            )
        except IndexError:
            return Response(status_code=404)
        return await self._near(watch, source, language)

    async def _near(self, watch: Watch, source: Source, language: str) -> Response:
        folder = watch.followed.folder
        try:
            manifest = await asyncio.to_thread(Store(folder).manifest)
            root = browsing.root_of(manifest, self.data)
            found = await asyncio.to_thread(self.trying.neighbours, folder, root, source)
        except (CommonGardenError, Busy) as error:
            status = 503 if isinstance(error, Busy) else 422
            return JSONResponse({"html": await asyncio.to_thread(trying.failed, error, language)}, status)
        return JSONResponse({"html": pages.near(found, manifest, watch.followed.key, language)})

    async def of_test(self, request: Request) -> Response:
        watch, language = await self.find(request), self.language(request)
        try:
            number = request.path_params["number"]
            store = Store(watch.followed.folder)
            source, photo = await asyncio.to_thread(browsing.source_of, store, number, self.data)
        except IndexError:
            return Response(status_code=404)
        return await self._tried(watch, source, language, name=photo.path, label=photo.label)

    async def photos(self, request: Request) -> Response:
        """A page of the test photos."""
        watch, language, asked = await self.find(request), self.language(request), request.query_params
        order = asked.get("order", "")
        found = await asyncio.to_thread(self._of_study, watch.followed.folder)
        number = int(asked.get("page", "0")) if asked.get("page", "0").isdecimal() else 0
        chosen = browsing.ORDERS[browsing.ORDERS.index(order)] if order in browsing.ORDERS else browsing.ORDERS[0]
        shown, has_more = browsing.page(found, asked.get("class", ""), chosen, number)
        return JSONResponse({"html": pages.photos(shown, watch.followed.key, language), "more": has_more})

    async def thumbnail(self, request: Request) -> Response:
        watch = await self.find(request)
        try:
            store = Store(watch.followed.folder)
            source, _photo = await asyncio.to_thread(
                browsing.source_of, store, request.path_params["number"], self.data
            )
            async with self._thumbnails:  # those of a whole page hold up neither the photos that are tried nor the rest
                made = await asyncio.to_thread(self.trying.thumbnail, source, THUMBNAIL)
        except (CommonGardenError, IndexError):
            return Response(status_code=404)
        return Response(made, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})

    async def _tried(self, watch: Watch, source: Source, language: str, *, name: str, label: str = "") -> Response:
        status = 200
        try:
            photo, n, found = await asyncio.to_thread(self.trying.tried, watch.followed.folder, source)
            shown = functools.partial(trying.fragment, photo, found, language, name=name, label=label, n_frames=n)
            html = await asyncio.to_thread(shown)
        except (CommonGardenError, Busy) as error:
            status = 503 if isinstance(error, Busy) else 422
            html = await asyncio.to_thread(trying.failed, error, language)
        return JSONResponse({"html": html}, status)

    def _of_study(self, folder: Path) -> list[browsing.Shown]:
        state = sorted((folder / "runs").glob("*/*/predictions.npz"))
        if folder not in self._photos or self._photos[folder][0] != state:
            self._photos[folder] = state, browsing.test_photos(folder)
        return self._photos[folder][1]


async def _body(request: Request) -> bytes | None:
    """The photo that a request has as its body; None where it is too large."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MOST_BYTES:
            return None
    return bytes(data)
