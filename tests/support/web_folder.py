"""A folder served on this machine's own address, as a web server lists one, with faults that are ordered."""

import threading
from collections import Counter
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


class WebFolder:
    """faults: of a path, what its next answers are: an HTTP status, or "cut" for a connection that breaks off in the
    middle. asked: how often each path was asked for with GET."""

    def __init__(self, folder):
        self.faults, self.asked = {}, Counter()
        outer = self

        class Handler(SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __init__(self, *given):
                super().__init__(*given, directory=folder)

            def do_GET(self):
                outer.asked[self.path] += 1
                fault = outer.faults[self.path].pop(0) if outer.faults.get(self.path) else None
                if fault == "cut":
                    data = self.content()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data[: len(data) // 2])
                    self.close_connection = True
                elif fault:
                    self.send_error(fault)
                else:
                    super().do_GET()

            def content(self):
                path = Path(folder) / unquote(self.path).lstrip("/")
                return path.read_bytes() if path.is_file() else bytes(100)

            def log_message(self, *given):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
