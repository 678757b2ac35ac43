"""`commongarden view` as a process, and requests to it that a browser would not send."""

import hashlib
import http.client
import subprocess
import sys
import urllib.parse
from contextlib import contextmanager

from command import environment


@contextmanager
def viewed(folder, cache_folder, *arguments):
    """Serves a folder; gives the address that the command printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "commongarden.cli", "view", str(folder), "--port", "0", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(cache_folder),
    )  # fmt: skip
    try:
        address = process.stdout.readline().strip()
        assert address, process.stderr.read()
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=20)


def asked(address, path="/", method="GET", headers=None, body=None):
    """(status, headers, text) of one request, with the path as it is written here."""
    found = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(found.hostname, found.port, timeout=30)
    connection.request(method, path, body=body, headers=headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def contents(folder):
    """Every file with its bytes and the time of its last change."""
    return {
        path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
