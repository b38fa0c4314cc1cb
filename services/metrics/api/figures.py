"""Figures by API, as numbers and as pictures."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import Row

from services.metrics import store
from services.metrics.domain import (
    FIGURES,
    Grouping,
    Metric,
    NoAnswerError,
    Point,
    Question,
    bar_chart,
    check,
    line_chart,
    span,
)
from services.metrics.schemas import DefinitionShown, DefinitionsShown, FigureShown, MetricShown
from shared.db import UnitOfWork
from shared.http import Caller, Invalid, Moment, NotFound, TransactionRoute, Work, requires

ReadMetrics = Annotated[Caller, Depends(requires("metrics:read"))]

metrics = APIRouter(prefix="/metrics", route_class=TransactionRoute, tags=["Metrics"])


class Picture(Response):
    """An SVG picture."""

    media_type = "image/svg+xml"


async def _question(
    since: Annotated[Moment | None, Query(alias="from", description="From this moment on.")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Until before this moment.")] = None,
    group_by: Annotated[
        Grouping | None, Query(description="By what; `GET /v1/metrics` tells for each figure what makes sense.")
    ] = None,
    business_hours: Annotated[
        bool, Query(description="Of a duration, count only the time in which the queue, or the tenant, was open.")
    ] = False,
) -> Question:
    return Question(since, until, group_by, business_hours)


Asked = Annotated[Question, Depends(_question)]


@metrics.get("", summary="List figures", dependencies=[Depends(requires("metrics:read"))])
async def list_metrics() -> DefinitionsShown:
    """All figures that there are, what each means, and how it can be asked for."""
    shown = [
        DefinitionShown(
            name=metric,
            definition=figure.definition,
            unit=figure.unit,
            group_by=list(figure.groupings),
            business_hours=figure.lasts,
        )
        for metric, figure in FIGURES.items()
    ]
    return DefinitionsShown(items=shown)


@metrics.get("/{name}", summary="Read a figure")
async def read_metric(name: Metric, caller: ReadMetrics, uow: Work, question: Asked) -> MetricShown:
    """How often something happened, how many there are, or how long something took, and what exactly is meant.

    What took long is counted when it ended. It is told for a label as often as there are conversations with it, so that
    groups may overlap. Hours are those in force at the time; days are those of the tenant's time zone, and for them 404
    while that is not known here yet. Days on which there was nothing are left out.

    A count that is not grouped is of all time; all else is of the last 366 days unless `from` is given, or of those
    before `to`. Of a backlog, which is that of the end of the span, `from` only says which day is the first.

    Counts are there at once, by channel, day and author too. Durations, the backlog, and counts by queue, agent and
    label are a second behind, and a tenth of a second for each message and change of a conversation that goes on.

    422 for a span that ends before it begins, for a backlog of more than 3660 days, for a grouping that the figure has
    not, and for business hours of a count.
    """
    rows = await _rows(name, caller, question, uow)
    figure = FIGURES[name]
    return MetricShown(items=[_show(row) for row in rows], definition=figure.definition, unit=figure.unit)


@metrics.get("/{name}/chart.svg", summary="Draw a figure", response_class=Picture)
async def draw_metric(name: Metric, caller: ReadMetrics, uow: Work, question: Asked) -> Picture:
    """The same figure as a picture: a line over days, a bar for each other group; of durations the median is drawn.

    A day on which nothing was counted is drawn as 0; where nothing took any time, the line is broken. Of more than 30
    groups the largest are drawn, and it is told how many others there are. It is refused where the figure is, with 404
    and 422.
    """
    items = [_show(row) for row in await _rows(name, caller, question, uow)]
    figure = FIGURES[name]
    title = name.replace("-", " ").capitalize()
    if figure.lasts:
        title += ", median in business hours" if question.business_hours else ", median"
    if question.group_by is not None:
        title += f", by {question.group_by}"
    points = [_point(item, question.group_by) for item in items]
    draw = line_chart if question.group_by is Grouping.DAY else bar_chart
    return Picture(draw(title, figure.definition, points, unit=figure.unit))


async def _rows(metric: Metric, caller: Caller, question: Question, uow: UnitOfWork) -> Sequence[Row[Any]]:
    figure = FIGURES[metric]
    try:
        check(figure, question)
        since, until = span(figure, question, uow.now)
    except NoAnswerError as refused:
        raise Invalid(errors=[{"pointer": f"query:{refused.parameter}", "detail": refused.why}]) from None
    if question.group_by is Grouping.DAY and not await store.is_known(caller.tenant_id, uow.session):
        raise NotFound("The tenant's time zone is not known here yet.")
    return await store.read_figure(caller.tenant_id, metric, figure, question, since, until, uow.session)


def _show(row: Row[Any]) -> FigureShown:
    p50, p90, p95 = (round(value, 3) for value in row.percentiles) if row.percentiles else (None, None, None)
    mean = None if row.mean is None else round(row.mean, 3)
    return FigureShown(group=row.group, count=row.count, mean=mean, p50=p50, p90=p90, p95=p95)


def _point(item: FigureShown, group_by: Grouping | None) -> Point:
    value = item.count if item.p50 is None else item.p50
    if group_by is None:
        return Point("all", value)
    return Point(f"no {group_by}", value, nameless=True) if item.group is None else Point(item.group, value)
