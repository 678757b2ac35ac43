"""A server on this machine that speaks the file protocol of the Hugging Face hub, and breaks where it is asked to.

Weights lie on another host, as the hub's do: the first answer is a redirect with their SHA-256 and size.
"""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0" * 20
LARGE = (".safetensors", ".bin", ".pth")


class Hub:
    """files: by repository, then by commit, then by name. main: the newest commit of each repository. breaks: by
    repository, how it breaks: gated, private, torn, broken (each answer is torn, and none goes on in the middle),
    wrong, loop, hangs, silent (no hub), fails."""

    def __init__(self, url):
        self.url = url
        self.files, self.main, self.breaks, self.asked = {}, {}, {}, []

    def put(self, repository, files, commit=COMMIT):
        self.files.setdefault(repository, {})[commit] = dict(files)
        self.main[repository] = commit


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.answer(whole=False)

    def do_GET(self):
        self.answer(whole=True)

    def answer(self, whole):
        hub = self.server.hub
        hub.asked.append((self.command, self.path))
        parts = self.path.strip("/").split("/")
        if parts[0] == "api":
            return self.api("/".join(parts[2:4]))
        if parts[0] == "plain":  # a server of plain files, such as torchvision's
            return self.plain(parts[1], whole)
        repository, name = "/".join(parts[-5:-3]), parts[-1]
        how, commits = hub.breaks.get(repository), hub.files.get(repository, {})
        if how == "hangs":
            threading.Event().wait(3)  # tests let the library's sleeps be none
        if how == "gated":
            return self.refuse(403, "GatedRepo")
        if how == "private" or not commits:
            return self.refuse(401, "RepoNotFound")
        if how == "fails":
            return self.refuse(503, "")
        if how == "loop":
            return self.send(302, b"", {"Location": self.path})
        revision = parts[-2]
        commit = hub.main[repository] if revision == "main" else revision
        if commit not in commits:
            return self.refuse(404, "RevisionNotFound")
        headers = {} if how == "silent" else {"X-Repo-Commit": commit}
        if name not in commits[commit]:
            return self.refuse(404, "EntryNotFound", headers)
        body = commits[commit][name]
        digest = hashlib.sha256(body).hexdigest()
        if name.endswith(LARGE) and parts[0] != "cdn":
            linked = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(body))}
            place = f"http://localhost:{self.server.server_port}/cdn{self.path}"
            return self.send(302, b"", {**headers, **linked, "Location": place})
        if name.endswith(LARGE) and how == "wrong":
            body = bytes([body[0] ^ 1]) + body[1:]
        etag = digest if name.endswith(LARGE) else hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        return self.part(body, {**headers, "ETag": f'"{etag}"'}, whole, how if name.endswith(LARGE) else None)

    def plain(self, name, whole):
        return self.part(self.server.hub.files[""][""][name], {}, whole, self.server.hub.breaks.get(""))

    def part(self, body, headers, whole, how):
        begin = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0]) if how != "broken" else 0
        status = 206 if begin else 200
        rest = body[begin:]
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        sent = rest if whole else b""
        torn = whole and (how == "broken" or (how == "torn" and not begin))
        self.send(status, sent[: len(sent) // 2] if torn else sent, headers, len(rest))
        if torn:
            self.close_connection = True

    def api(self, repository):
        hub = self.server.hub
        if repository not in hub.main:
            return self.refuse(401, "RepoNotFound")
        commit = hub.main[repository]
        files = [{"rfilename": name} for name in hub.files[repository][commit]]
        return self.send(200, json.dumps({"id": repository, "sha": commit, "siblings": files}).encode(), {})

    def refuse(self, status, code, headers=None):
        self.send(status, b"", {**(headers or {}), "X-Error-Code": code, "X-Error-Message": "refused"})

    def send(self, status, body, headers, length=None):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    def handle_error(self, request, address):
        pass  # a client that gave up


@contextmanager
def served():
    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    server.hub = Hub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
