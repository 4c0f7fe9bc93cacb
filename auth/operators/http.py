"""Routes of operators: the platform creates and lists them; each one's people read their own."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy.orm import Session

from auth.gate import Asker, On, needs
from auth.operators.rules import Operator
from auth.operators.service import OperatorService
from vms_privacy.db import Database
from vms_privacy.ids import OperatorId
from vms_privacy.web import ONE_LINE, Moment, Name, Page, Strict

Region = Annotated[str, Field(min_length=1, max_length=63), ONE_LINE]


class NewOperator(Strict):
    """An operator to create. `name` is the first segment of its streaming URLs and does not change.

    Without a `region` its footage goes to that of the store that every installation has.
    """

    name: Name
    title: Annotated[str, Field(min_length=1, max_length=200), ONE_LINE]
    region: Region | None = None


class WantedRegion(Strict):
    """Where an operator's footage is to go from the next file on."""

    region: Region


class OperatorShown(Strict):
    """One operator. `region` is where its footage goes from now on; what is there lies where it was put.

    Since `leaving_since` nothing new comes to it; of one that is closed nothing is left, nor its name.
    """

    operator_id: OperatorId
    name: str
    title: str
    region: str | None
    created_at: Moment
    leaving_since: Moment | None
    closed_at: Moment | None


def operator_routes(db: Database, operators: OperatorService) -> APIRouter:
    """Return the routes under /api/v1/operators."""
    routes = APIRouter(prefix="/api/v1/operators", tags=["operators"])

    def shown(session: Session, operator_id: OperatorId) -> OperatorShown:
        return _shown(operators.by_id(session, operator_id), operators.region_of(session, operator_id))

    @routes.post("", status_code=201, **needs(None, on=On.PLATFORM))
    def create_operator(wanted: NewOperator, asker: Asker) -> OperatorShown:
        """Create an operator, as yet without people."""
        with db.writing() as session:
            operator_id = operators.create(session, asker, wanted.name, wanted.title, wanted.region)
            return shown(session, operator_id)

    @routes.put("/{operator_id}/region", **needs(None, on=On.PLATFORM))
    def set_region(operator_id: OperatorId, wanted: WantedRegion, asker: Asker) -> OperatorShown:
        """Have an operator's footage go to another region from the next file on."""
        with db.writing() as session:
            operators.set_region(session, asker, operator_id, wanted.region)
            return shown(session, operator_id)

    @routes.get("", **needs(None, on=On.PLATFORM))
    def list_operators(
        after: Annotated[str, Query(max_length=63), ONE_LINE] = "", limit: Annotated[int, Query(ge=1, le=200)] = 100
    ) -> Page[OperatorShown]:
        """Return all operators by name; `next` of a page is `after` of the following one."""
        with db.reading() as session:
            found = operators.listing(session, after, limit + 1)
            regions = operators.regions_of(session, [operator.id for operator in found])
        more = found[limit - 1].name if len(found) > limit else None
        return Page(items=[_shown(operator, regions.get(operator.id)) for operator in found[:limit]], next=more)

    @routes.get("/{operator_id}", **needs(None, on=On.OPERATOR))
    def read_operator(operator_id: OperatorId) -> OperatorShown:
        """Return the operator one belongs to."""
        with db.reading() as session:
            return shown(session, operator_id)

    return routes


def _shown(operator: Operator, region: str | None) -> OperatorShown:
    return OperatorShown(
        operator_id=operator.id,
        name=operator.name,
        title=operator.title,
        region=region,
        created_at=operator.created_at,
        leaving_since=operator.leaving_since,
        closed_at=operator.closed_at,
    )
