"""Cutting a connection, on real sockets: what is thrown away, and what never looks like a whole answer."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from auth.media_sessions.transport import (
    SEND_BUFFER,
    TRANSPORT,
    MediaHttpProtocol,
    bound_buffers,
    cut_of,
    cut_transport,
)

MANY = 4 * 1024 * 1024
DEADLINE_S = 20
HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % MANY)]}
App = Callable[[Any, Any, Any], Any]


@asynccontextmanager
async def serving(app: App) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=MediaHttpProtocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await task


def stalled_client(port: int) -> socket.socket:
    client = socket.socket()
    client.settimeout(DEADLINE_S)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
    client.connect(("127.0.0.1", port))
    return client


def read_all(client: socket.socket) -> tuple[int, bool]:
    """How much was still to be read, and whether a reset ended it."""
    octets = 0
    while True:
        try:
            piece = client.recv(64 * 1024)
        except ConnectionResetError:
            return octets, True
        if not piece:
            return octets, False
        octets += len(piece)


async def written_to_somebody_who_stalls(ending: Callable[[asyncio.Transport], None]) -> tuple[int, bool]:
    """Write 4 MiB to a client that does not read, end the connection, and then let the client read."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[asyncio.Transport] = loop.create_future()

    class Writing(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            bound_buffers(transport)
            transport.write(bytes(MANY))
            ready.set_result(transport)

    async with await loop.create_server(Writing, "127.0.0.1", 0) as server:
        with await asyncio.to_thread(stalled_client, server.sockets[0].getsockname()[1]) as client:
            ending(await ready)
            return await asyncio.wait_for(asyncio.to_thread(read_all, client), DEADLINE_S)


async def test_what_a_clean_close_would_still_send_a_cut_throws_away() -> None:
    closed, cut = (
        await written_to_somebody_who_stalls(lambda transport: transport.close()),
        await written_to_somebody_who_stalls(cut_transport),
    )
    # The control: without the cut every byte would have arrived.
    assert closed == (MANY, False)
    octets, was_reset = cut
    assert was_reset
    assert octets < 4 * SEND_BUFFER


async def test_cutting_twice_or_after_a_close_is_calm() -> None:
    def again(transport: asyncio.Transport) -> None:
        cut_transport(transport)
        cut_transport(transport)

    def after_a_close(transport: asyncio.Transport) -> None:
        transport.close()
        cut_transport(transport)

    assert (await written_to_somebody_who_stalls(again))[1]
    octets, _ = await written_to_somebody_who_stalls(after_a_close)
    assert octets < MANY


async def ask(port: int) -> tuple[int, bool]:
    client = stalled_client(port)
    with client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return await asyncio.wait_for(asyncio.to_thread(read_all, client), DEADLINE_S)


async def test_an_answer_left_unfinished_is_a_reset_and_a_finished_one_is_not() -> None:
    async def unfinished(scope: Any, receive: Any, send: Any) -> None:
        await send(HEAD)
        await send({"type": "http.response.body", "body": bytes(1000), "more_body": True})

    async def finished(scope: Any, receive: Any, send: Any) -> None:
        await send(HEAD)
        await send({"type": "http.response.body", "body": bytes(MANY)})

    async with serving(unfinished) as port:
        assert (await ask(port))[1]
    async with serving(finished) as port:
        octets, was_reset = await ask(port)
    assert not was_reset
    assert octets > MANY


async def test_an_answer_whose_app_fails_in_the_middle_is_a_reset(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await send(HEAD)
        raise LookupError("in the middle")

    async with serving(failing) as port:
        assert (await ask(port))[1]
    assert "LookupError" in caplog.text


async def test_a_cut_from_another_thread_ends_an_answer_that_is_being_sent() -> None:
    cuts: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
    buffers: list[int] = []

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await cuts.put(cut_of(scope))
        buffers.append(scope[TRANSPORT].get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not scope[TRANSPORT].is_closing():
            await send({"type": "http.response.body", "body": bytes(SEND_BUFFER), "more_body": True})

    async with serving(endless) as port:
        asking = asyncio.create_task(ask(port))
        cut = await asyncio.wait_for(cuts.get(), DEADLINE_S)
        await asyncio.to_thread(cut)
        assert (await asking)[1]
    assert 0 < buffers[0] <= 128 * 1024


async def test_media_is_not_sent_where_it_could_not_be_cut() -> None:
    with pytest.raises(KeyError):
        cut_of({"type": "http"})
