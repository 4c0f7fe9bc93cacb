"""What is between a client and a store when it goes wrong: a wire that loses answers, a store that talks nonsense.

Both serve on loopback in threads of their own and end with their context.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_HEAD_END: Final = b"\r\n\r\n"
_STEP: Final = 65536


class LossyWire:
    """Carries requests to a store. From `lose` on, matching ones are answered by silence.

    A lost answer was carried out by the store; a lost request never reached it.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._lost_answers: tuple[bytes, ...] = ()
        self._lost_requests: tuple[bytes, ...] = ()
        self.lost = threading.Semaphore(0)

    def lose(self, *, answers_to: bytes = b"", requests: bytes = b"") -> None:
        """Name the beginnings of requests that are lost, such as `b"PUT "`."""
        self._lost_answers = (answers_to,) if answers_to else ()
        self._lost_requests = (requests,) if requests else ()

    def serve(self, client: socket.socket) -> None:
        """Carry one connection's requests, one after the other."""
        with client, socket.create_connection(("127.0.0.1", self._to)) as store:
            while request := _message(client):
                if request.startswith(self._lost_requests):
                    self.lost.release()
                    client.recv(1)
                    return
                store.sendall(request)
                is_head = request.startswith(b"HEAD ")
                answer = _message(store, has_body=not is_head)
                if request.startswith(self._lost_answers):
                    self.lost.release()
                    client.recv(1)
                    return
                client.sendall(answer)


class Babbler:
    """Answers every request with the same bytes, and counts them."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.asked = 0

    def serve(self, client: socket.socket) -> None:
        """Answer once and hang up."""
        with client:
            if _message(client):
                self.asked += 1
                client.sendall(self._answer)


class Interrupter:
    """Carries requests to a store, but answers by itself where it is told an answer for one."""

    def __init__(self, port: int, answer_to: Callable[[bytes], bytes]) -> None:
        self._to = port
        self._answer_to = answer_to
        self.interrupted = 0

    def serve(self, client: socket.socket) -> None:
        """Carry one connection's requests, one after the other."""
        with client, socket.create_connection(("127.0.0.1", self._to)) as store:
            while request := _message(client):
                answer = self._answer_to(request)
                if answer:
                    self.interrupted += 1
                else:
                    store.sendall(request)
                    answer = _message(store, has_body=not request.startswith(b"HEAD "))
                client.sendall(answer)


Wire = LossyWire | Babbler | Interrupter


@contextmanager
def served(by: Wire) -> Iterator[str]:
    """Serve on a port of loopback; yields host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        clients: list[socket.socket] = []
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                try:
                    client = listener.accept()[0]
                except OSError:
                    return
                clients.append(client)
                threading.Thread(target=_quietly, args=(by, client), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            for client in clients:
                client.close()


def _quietly(by: Wire, client: socket.socket) -> None:
    try:
        by.serve(client)
    except OSError:
        return


def _message(link: socket.socket, *, has_body: bool = True) -> bytes:
    """Read one request or answer; its body has a length or comes in chunks. Nothing at the end of the connection."""
    data = b""
    while _HEAD_END not in data:
        part = link.recv(_STEP)
        if not part:
            return data
        data += part
    head = data.partition(_HEAD_END)[0].lower()
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    is_chunked = b"\r\ntransfer-encoding: chunked" in head
    whole = len(head) + len(_HEAD_END) + (length if has_body else 0)
    while has_body and (not data.endswith(b"0\r\n\r\n") if is_chunked else len(data) < whole):
        part = link.recv(_STEP)
        if not part:
            break
        data += part
    return data
