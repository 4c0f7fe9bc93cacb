"""At a glance: what `status` makes of an answer that is not a plain yes."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.vms_privacy.cli.typed import say

Capture = pytest.CaptureFixture[str]
PARTS = [{"name": "store", "ready": False, "why": "store-unavailable"}, {"name": "clock", "ready": True, "why": ""}]


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Serve one answer to every question, and give its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            _stop(server.shutdown, thread)


def _stop(shutdown: Callable[[], None], thread: threading.Thread) -> None:
    shutdown()
    thread.join(10)


def test_a_part_that_is_not_ready_is_named_and_the_exit_code_says_so(capsys: Capture) -> None:
    with answering(503, json.dumps({"ready": False, "parts": PARTS}).encode()) as url:
        said = say(capsys, "status", "--url", url)
        told = say(capsys, "status", "--url", url, "--json")
    assert said.code == told.code == 7
    assert f"{url} is NOT ready." in said.out
    assert "store  NOT ready  store-unavailable" in said.out
    assert (told.document["ready"], told.document["time_doubt"]) == (False, False)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b"{}", b""])
def test_what_is_no_service_of_ours_is_not_taken_for_one(body: bytes, capsys: Capture) -> None:
    with answering(200, body) as url:
        said = say(capsys, "status", "--url", url, "--json")
    assert (said.code, said.document["code"]) == (7, "service-unreachable")
    assert "no vms-privacy" in said.document["detail"]


def test_an_answer_in_words_of_http_alone_is_a_problem_too(capsys: Capture) -> None:
    with answering(502, b"bad gateway") as url:
        said = say(capsys, "receipt", "keys", "--to", "/nowhere/keys", "--url", url, "--json")
    assert (said.code, said.document["code"], said.document["status"]) == (1, "refused", 502)
