"""A success that passed no gate is not sent."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from auth.backstop import GateBackstop
from auth.gate import mark, public
from vms_privacy.http.problems import install_problems

SECRET = "nobody was asked about this"


def given_app() -> FastAPI:
    app = FastAPI()

    @app.get("/forgotten")
    def forgotten() -> str:
        return SECRET

    @app.get("/hidden", include_in_schema=False)
    def hidden() -> StreamingResponse:
        return StreamingResponse(iter([SECRET.encode(), SECRET.encode()]), headers={"X-Told": SECRET})

    @app.get("/moved")
    def moved() -> RedirectResponse:
        return RedirectResponse(f"/elsewhere?secret={SECRET}")

    @app.get("/open", **public("a probe asks this"))
    def opened() -> str:
        return "open"

    @app.get("/refused")
    def refused() -> JSONResponse:
        return JSONResponse({"code": "no"}, 403)

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].endswith("/marked"):
            mark(dict(scope), "a copy of the scope is as good")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": SECRET.encode()})

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(SECRET)

    app.mount("/mounted", mounted)
    install_problems(app)
    return app


async def ask(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=GateBackstop(given_app()))
    async with httpx.AsyncClient(transport=transport, base_url="http://service.example.org") as client:
        return await client.get(path)


@pytest.mark.parametrize("path", ["/forgotten", "/hidden", "/moved", "/mounted/thing", "/docs", "/openapi.json"])
async def test_an_answer_nobody_authorised_is_not_sent(path: str) -> None:
    answer = await ask(path)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "ungated-route"
    assert SECRET not in answer.text
    assert SECRET not in str(answer.headers)


async def test_a_marked_answer_and_every_refusal_pass_as_they_are() -> None:
    assert (await ask("/open")).json() == "open"
    assert (await ask("/mounted/marked")).text == SECRET
    assert (await ask("/refused")).json() == {"code": "no"}
    assert (await ask("/not-there")).status_code == 404


async def test_a_websocket_nobody_authorised_is_not_accepted() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/socket",
        "raw_path": b"/socket",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "subprotocols": [],
        "scheme": "ws",
    }
    await GateBackstop(given_app())(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_an_endless_answer_nobody_authorised_is_ended() -> None:
    handed_out = 0

    async def live() -> AsyncIterator[bytes]:
        nonlocal handed_out
        while True:
            handed_out += 1
            yield SECRET.encode()

    app = given_app()

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        return StreamingResponse(live())

    transport = httpx.ASGITransport(app=GateBackstop(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://service.example.org") as client:
        answer = await client.get("/endless")
    assert answer.json()["code"] == "ungated-route"
    assert handed_out <= 2


async def test_what_is_no_request_passes_through() -> None:
    seen: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def never() -> Message:
        raise AssertionError("nobody receives here")

    async def nothing(message: Message) -> None:
        raise AssertionError(message)

    await GateBackstop(inner)({"type": "lifespan"}, never, nothing)
    assert seen == ["lifespan"]
