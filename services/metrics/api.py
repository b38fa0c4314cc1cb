"""Figures by API."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.metrics import store
from services.metrics.domain import COUNTED, Grouping, Metric
from services.metrics.schemas import FigureShown, MetricShown
from shared.http import Caller, Moment, NotFound, TransactionRoute, Work, requires

ReadMetrics = Annotated[Caller, Depends(requires("metrics:read"))]

metrics = APIRouter(prefix="/metrics", route_class=TransactionRoute, tags=["Metrics"])


@metrics.get("/{name}", summary="Read a figure")
async def read_metric(
    name: Metric,
    caller: ReadMetrics,
    uow: Work,
    since: Annotated[Moment | None, Query(alias="from", description="From this moment on.")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Until before this moment.")] = None,
    group_by: Grouping | None = None,
) -> MetricShown:
    """How often something happened, and what exactly is counted; days are those of the tenant's time zone.

    404 while that is not known here yet.
    """
    kind, definition = COUNTED[name]
    if group_by is Grouping.DAY and not await store.is_known(caller.tenant_id, uow.session):
        raise NotFound("The tenant's time zone is not known here yet.")
    rows = await store.count(caller.tenant_id, kind, uow.session, since=since, until=until, group_by=group_by)
    return MetricShown(items=[FigureShown(group=row.group, count=row.count) for row in rows], definition=definition)
