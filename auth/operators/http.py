"""Routes of operators: the platform creates and lists them; each one's people read their own."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from auth.gate import Asker, On, needs
from auth.operators.rules import Operator
from auth.operators.service import OperatorService
from vms_privacy.db import Database
from vms_privacy.ids import OperatorId
from vms_privacy.web import ONE_LINE, Moment, Name, Page, Strict


class NewOperator(Strict):
    """An operator to create. `name` is the first segment of its streaming URLs and does not change."""

    name: Name
    title: Annotated[str, Field(min_length=1, max_length=200), ONE_LINE]


class OperatorShown(Strict):
    """One operator."""

    operator_id: OperatorId
    name: str
    title: str
    created_at: Moment


def operator_routes(db: Database, operators: OperatorService) -> APIRouter:
    """Return the routes under /api/v1/operators."""
    routes = APIRouter(prefix="/api/v1/operators", tags=["operators"])

    @routes.post("", status_code=201, **needs(None, on=On.PLATFORM))
    def create_operator(wanted: NewOperator, asker: Asker) -> OperatorShown:
        """Create an operator, as yet without people."""
        with db.writing() as session:
            operator_id = operators.create(session, asker, wanted.name, wanted.title)
            return _shown(operators.by_id(session, operator_id))

    @routes.get("", **needs(None, on=On.PLATFORM))
    def list_operators(
        after: Annotated[str, Query(max_length=63), ONE_LINE] = "", limit: Annotated[int, Query(ge=1, le=200)] = 100
    ) -> Page[OperatorShown]:
        """Return all operators by name; `next` of a page is `after` of the following one."""
        with db.reading() as session:
            found = operators.listing(session, after, limit + 1)
        more = found[limit - 1].name if len(found) > limit else None
        return Page(items=[_shown(operator) for operator in found[:limit]], next=more)

    @routes.get("/{operator_id}", **needs(None, on=On.OPERATOR))
    def read_operator(operator_id: OperatorId) -> OperatorShown:
        """Return the operator one belongs to."""
        with db.reading() as session:
            return _shown(operators.by_id(session, operator_id))

    return routes


def _shown(operator: Operator) -> OperatorShown:
    return OperatorShown(
        operator_id=operator.id, name=operator.name, title=operator.title, created_at=operator.created_at
    )
