"""Which requests are answered: only those that name this server as people reach it, come from its own pages, and, where
a token is asked for, have it. And what the browser may load: nothing from elsewhere, and no script but the server's own
files. Everything else of a page is data, whatever the names in a study are."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode

from commongarden.i18n.language import _, written

Scope = dict[str, Any]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
HEADERS = {
    # colours of models are attributes of elements, and Vega sets sizes so: styles may stand in the page, scripts not
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True)
class Policy:
    """names: the hosts that requests may name, without port. port: of the server. token: asked for unless it is ""."""

    names: frozenset[str]
    port: int
    token: str = ""

    @property
    def cookie(self) -> str:
        """Cookies are shared by all ports of a host."""
        return f"commongarden-{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """What the header Host may be."""
        named = {f"[{name}]" if ":" in name else name for name in self.names}
        return frozenset({f"{name}:{self.port}" for name in named} | (named if self.port == 80 else set()))


def new_token() -> str:
    """One that nobody guesses."""
    return secrets.token_urlsafe(24)


class Guard:
    """An ASGI application in front of another one."""

    def __init__(self, app: Any, policy: Policy) -> None:
        self.app, self.policy = app, policy

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

        async def answer(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _value in message["headers"]}
                more = [
                    (name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in known
                ]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        if (refusal := self._refusal(scope, headers)) is not None:
            await _refuse(answer, refusal)
        elif self.policy.token and (given := _given(scope)) is not None:
            await self._admit(scope, answer, given)
        elif self.policy.token and not self._is_admitted(headers):
            await _refuse(answer, _needs_token(headers))
        else:
            await self.app(scope, receive, answer)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> str | None:
        """Why a request is not answered, whoever sends it."""
        hosts, host, origin = self.policy.hosts, headers.get("host", ""), headers.get("origin")
        if host not in hosts:
            return f"found the host {host!r}; accepted: {', '.join(sorted(hosts))}"
        if origin is not None and origin not in {f"http://{name}" for name in hosts}:
            return f"found the origin {origin!r}; accepted: this server's own pages"
        fetched = headers.get("sec-fetch-site", "same-origin") in ("cross-site", "same-site")
        if fetched and headers.get("sec-fetch-mode") != "navigate":
            return "asked for by another site's page; accepted: this server's own pages"
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return f"found {scope['method']}; accepted: GET, HEAD, POST"
        if scope["method"] == "POST" and origin is None:
            return "found no origin; accepted: this server's own pages"
        return None

    def _is_admitted(self, headers: dict[str, str]) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.policy.cookie)
        except CookieError:
            return False
        return found is not None and _equal(found.value, self.policy.token)

    async def _admit(self, scope: Scope, answer: Any, given: str) -> None:
        """Takes the token out of the address and keeps it in a cookie that no script reads."""
        if not _equal(given, self.policy.token):
            await _refuse(answer, "wrong token; accepted: the address that `commongarden view` printed")
            return
        left = [(name, value) for name, value in _query(scope) if name != "token"]
        path = scope["raw_path"].decode("latin-1") if scope.get("raw_path") else "/"
        to = "/" + path.lstrip("/") + (f"?{urlencode(left)}" if left else "")
        cookie = f"{self.policy.cookie}={self.policy.token}; HttpOnly; SameSite=Strict; Path=/"
        headers = [
            (b"location", to.encode("latin-1")),
            (b"set-cookie", cookie.encode()),
            (b"cache-control", b"no-store"),
        ]
        await answer({"type": "http.response.start", "status": 303, "headers": headers})
        await answer({"type": "http.response.body", "body": b""})


def _needs_token(headers: dict[str, str]) -> str:
    with written("ko" if headers.get("accept-language", "").startswith("ko") else "en"):
        return _("This page needs its token. Open the whole address that `commongarden view` printed.")


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _given(scope: Scope) -> str | None:
    return next((value for name, value in _query(scope) if name == "token"), None)


def _equal(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


async def _refuse(answer: Any, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await answer({"type": "http.response.start", "status": 403, "headers": headers})
    await answer({"type": "http.response.body", "body": f"{text}\n".encode()})
