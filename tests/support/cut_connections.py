"""A TCP relay before a server, which cuts connections in the middle of an answer."""

import contextlib
import socket
import threading


class CutConnections:
    """Cuts the next `n` connections after so many bytes of the answer."""

    def __init__(self, host, port, after=150):
        self.server, self.after, self.n, self.n_cut = (host, port), after, 0, 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = "http://{}:{}".format(*self.listening.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listening.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _address = self.listening.accept()
                server = socket.create_connection(self.server)
                threading.Thread(target=self._relay, args=(client, server), daemon=True).start()
                threading.Thread(target=self._relay_answers, args=(server, client), daemon=True).start()

    def _relay(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        _end(source, target)

    def _relay_answers(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.n > 0:
                    self.n, self.n_cut = self.n - 1, self.n_cut + 1
                    target.sendall(data[: self.after])
                    break
                target.sendall(data)
        _end(source, target)


def _end(*sockets):
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
