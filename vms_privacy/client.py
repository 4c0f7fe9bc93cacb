"""A small client of the API: what the command line and the story speak to the service with."""

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

_TIMEOUT_S: Final = 30.0
_MOST_BYTES: Final = 256 * 1024 * 1024
_PIECE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it came: status, headers in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class ApiRefused(Exception):
    """The service said no; `code` is stable, the text is its own sentence, `problem` its whole document."""

    def __init__(self, status: int, code: str, detail: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.problem: Mapping[str, Any] = problem or {}


class ApiClient:
    """Speaks JSON to one service. `access_token` may be set after a log-in. Not thread-safe."""

    def __init__(self, url: str, access_token: str | None = None, ca_file: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("a service's address is written http(s)://host:port")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.access_token = access_token
        self._host, self._port = parts.hostname, parts.port
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str | int) -> Any:
        """Return the JSON answer of a successful call, None where there is no body. Raises ApiRefused, OSError."""
        answer = self.ask(method, path, body, **query)
        _refuse(answer)
        return answer.json() if answer.body else None

    def fetch(self, path: str, **query: str | int) -> bytes:
        """Return the bytes of a successful answer. Raises ApiRefused, OSError."""
        answer = self.ask("GET", path, None, **query)
        _refuse(answer)
        return answer.body

    def download(self, path: str, **query: str | int) -> Iterator[bytes]:
        """Go through the bytes of a successful answer as they come. Raises ApiRefused, OSError if they break off."""
        connection = self._connection()
        try:
            connection.request("GET", f"{path}?{urlencode(query)}" if query else path, None, self._headers(path))
            response = connection.getresponse()
            if response.status >= 400:
                found = {name.lower(): value for name, value in response.getheaders()}
                _refuse(Answer(response.status, found, response.read(_MOST_BYTES)))
            while data := response.read1(_PIECE):
                yield data
        except http.client.HTTPException as error:
            raise ConnectionError(f"the service broke off its answer: {type(error).__name__}") from error
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str | int) -> Answer:
        """Return whatever the service answers. Raises OSError if there is none."""
        connection = self._connection()
        target = f"{path}?{urlencode(query)}" if query else path
        headers = self._headers(path)
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, target, payload, headers)
            response = connection.getresponse()
            data = response.read(_MOST_BYTES)
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, data)
        except http.client.HTTPException as error:
            raise ConnectionError(f"the service broke off its answer: {type(error).__name__}") from error
        finally:
            connection.close()

    def _headers(self, path: str) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if self.access_token is not None and path.startswith("/api/"):
            headers["Authorization"] = f"Bearer {self.access_token}"
        return headers

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=_TIMEOUT_S, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)


def _refuse(answer: Answer) -> None:
    if answer.status >= 400:
        told = _told(answer)
        raise ApiRefused(answer.status, str(told.get("code", "")), _sentence(told, answer.status), told)


def _told(answer: Answer) -> Mapping[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _sentence(told: Mapping[str, Any], status: int) -> str:
    text = str(told.get("detail") or f"the service answered {status}")
    errors = told.get("errors")
    if isinstance(errors, list):
        text += ": " + "; ".join(f"{one.get('where')}: {one.get('what')}" for one in errors if isinstance(one, dict))
    return text
