"""The API's own description, served by the service itself: no page of ours loads anything from elsewhere (DR-9)."""

import html
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Response

from auth.gate import public

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    "code{font-size:14px}table{border-collapse:collapse;width:100%}td{border-top:1px solid #ccc;padding:.3rem .6rem;"
    "vertical-align:top}h2{margin-top:2rem;text-transform:capitalize}.needs{color:#666}"
)


def document_routes(app: FastAPI) -> APIRouter:
    """Return `/openapi.json` and `/docs`, which says the same for people."""
    routes = APIRouter()

    @routes.get("/openapi.json", include_in_schema=False, **public("it describes doors, not what is behind them"))
    def openapi() -> dict[str, Any]:
        """Return the OpenAPI document."""
        return app.openapi()

    @routes.get("/docs", include_in_schema=False, **public("it describes doors, not what is behind them"))
    def docs() -> Response:
        """Return the list of all routes, what each needs, and what it says of itself."""
        return Response(_page(app.openapi()), media_type="text/html; charset=utf-8", headers=_HEADERS)

    return routes


def _page(document: dict[str, Any]) -> str:
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            group = (operation.get("tags") or ["other"])[0]
            groups.setdefault(group, []).append(_row(method, path, operation))
    title = html.escape(document["info"]["title"])
    body = "".join(f"<h2>{html.escape(group)}</h2><table>{''.join(rows)}</table>" for group, rows in groups.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>The machine's version of this page is <code>/openapi.json</code>.</p>{body}</html>"
    )


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    says = html.escape(operation.get("description") or operation.get("summary") or "")
    needs = html.escape(str(operation.get("x-needs", "")))
    door = f"<code>{method.upper()} {html.escape(path)}</code>"
    return f'<tr><td>{door}</td><td>{says}<div class="needs">needs: {needs}</div></td></tr>'
