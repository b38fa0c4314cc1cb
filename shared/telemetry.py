"""What a process tells of itself: JSON logs without personal data, metrics, and traces that go through events."""

import logging
import sys
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from random import getrandbits, random, randrange
from typing import Any, Final, TypeVar, cast

import orjson
import structlog
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

log = structlog.stdlib.get_logger()

# Every metric is declared here, once.

HTTP_REQUESTS = Counter("balcao_http_requests_total", "Requests answered", ["method", "route", "status"])
HTTP_SECONDS = Histogram(
    "balcao_http_seconds", "From the request's first byte to the answer's last",
    ["route"], buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip
WEBHOOK_ITEMS = Counter("balcao_webhook_items_total", "Items that providers posted", ["kind", "outcome"])
WEBHOOKS_REFUSED = Counter("balcao_webhooks_refused_total", "Webhooks refused before storing", ["kind", "reason"])
OUTBOX_ROWS = Gauge("balcao_outbox_rows", "Events that wait to be published")
OUTBOX_OLDEST = Gauge("balcao_outbox_oldest_seconds", "Age of the oldest event that waits to be published")
EVENTS_PUBLISHED = Counter("balcao_events_published_total", "Events that the broker acknowledged", ["topic"])
PUBLISH_FAILURES = Counter("balcao_publish_failures_total", "Attempts to publish that the broker did not acknowledge")
EVENTS_HANDLED = Counter("balcao_events_handled_total", "Events by what became of them", ["type", "outcome"])
EVENT_SECONDS = Histogram(
    "balcao_event_seconds", "From what happened until it took effect here, by the clocks of database and process",
    ["type"], buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)  # fmt: skip
BATCH_SECONDS = Histogram("balcao_batch_seconds", "One polled batch, from its first statement to its commit")
BATCH_EVENTS = Histogram(
    "balcao_batch_events", "Events in a polled batch", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500)
)
CONSUMER_LAG = Gauge("balcao_consumer_lag", "Records not yet handled", ["topic"])
FUSE_BLOWN = Gauge("balcao_fuse_blown", "1 when too many dead letters stopped the consumer")
JOBS_DUE = Gauge("balcao_jobs_due", "Jobs that are due and that nobody is at")
JOBS_OLDEST = Gauge("balcao_jobs_oldest_seconds", "For how long the oldest of them has been due")
JOBS_DONE = Counter("balcao_jobs_total", "Jobs by what became of them", ["type", "outcome"])
DEAD_LETTERS = Counter("balcao_dead_letters_total", "Events and jobs that became dead letters")
BROKER_CONTACT = Gauge("balcao_broker_contact", "1 while the broker answers")

M = TypeVar("M", bound=MetricWrapperBase)


def by_labels(metric: M, *, most: int) -> Callable[..., M]:
    """The metric's children by their labels, `most` of which are remembered: to look one up takes a lock and as long as
    to count."""
    return lru_cache(maxsize=most)(metric.labels)


@dataclass(frozen=True, slots=True)
class _Tracing:
    """Who makes the spans that are recorded, and which those are."""

    tracer: trace.Tracer
    share: float
    """Of the traces that begin here."""
    trusting: bool
    """Whether callers decide it of theirs."""

    def records(self, parent: trace.SpanContext) -> bool:
        """Whether what is done under this parent is recorded."""
        if not parent.is_valid:
            return random() < self.share  # noqa: S311 - which ones are recorded is no secret
        if not parent.trace_flags.sampled:
            return False
        # By the id, so that all who do not trust decide the same of one trace.
        return self.trusting or not parent.is_remote or (parent.trace_id & _HALF) < _bound(self.share)


class _RecordedIds(IdGenerator):
    """The ids of traces that begin here and are recorded: such that whoever decides by them decides the same."""

    def __init__(self, share: float) -> None:
        self._bound = max(_bound(share), 2)

    def generate_span_id(self) -> int:
        return randrange(1, 1 << 64)  # noqa: S311

    def generate_trace_id(self) -> int:
        return getrandbits(64) << 64 | randrange(1, self._bound)  # noqa: S311 - an id is no secret


_HALF: Final = TraceIdRatioBased.TRACE_ID_LIMIT
_bound: Final = TraceIdRatioBased.get_bound_for_rate
_propagator = TraceContextTextMapPropagator()
_tracing = _Tracing(trace.get_tracer("balcao"), 0.0, trusting=True)

# Messages of these errors name no data; any other error is logged by its type and place alone.
_SPOKEN = (OSError, LookupError)


def start_logging(service: str, level: str, redact: structlog.typing.Processor) -> None:
    """Write one JSON object a line to standard output, from structlog and from the libraries alike."""

    def say_service(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = trace.format_trace_id(context.trace_id)
        return event

    before: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        say_service,
        _say_error,
        redact,
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # It would tell the address of every request, and a handshake's address holds a secret.
    logging.getLogger("uvicorn.access").disabled = True
    # These speak of every connection and statement; what matters of it is ours to say.
    for name, quiet in {
        "aiokafka": "CRITICAL",
        "sqlalchemy": "WARNING",
        "httpx": "WARNING",
        "alembic": "WARNING",
    }.items():
        logging.getLogger(name).setLevel(quiet)


def _say_error(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    info = event.pop("exc_info", None)
    if not info:
        return event
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else sys.exc_info()[1]
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        event["error"] = describe(error)
        frames = traceback.extract_tb(error.__traceback__)[-8:]
        event["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def describe(error: BaseException) -> str:
    """An error by its type, with its words only where they cannot hold data."""
    name = type(error).__name__
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    if state:
        return f"{name} {state}"
    return f"{name}: {error}" if isinstance(error, _SPOKEN) and not isinstance(error, KeyError) else name


def _render(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=str).decode()


def start_tracing(service: str, share: float, endpoint: str | None, *, trusting: bool = True) -> TracerProvider:
    """Sample `share` of the traces that begin here, export to an OTLP collector.

    Those that began elsewhere are followed where callers are trusted; strangers do not decide what is recorded.
    """
    global _tracing  # noqa: PLW0603 - one tracer a process, as OpenTelemetry has one provider
    resource = Resource.create({"service.name": f"balcao-{service}"})
    # Which are recorded is decided before it is asked: it takes as long to find that a span is not as to record it.
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, id_generator=_RecordedIds(share))
    if endpoint:
        # Only where it is used, for what it brings along takes more memory than all of the rest of tracing.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5)))
    _tracing = _Tracing(provider.get_tracer("balcao"), share, trusting)
    return provider


@contextmanager
def span(
    name: str, *, parent: str | None = None, kind: trace.SpanKind = trace.SpanKind.INTERNAL
) -> Iterator[trace.Span]:
    """A span of this name, under the W3C `traceparent` given or the current span."""
    context = _propagator.extract({"traceparent": parent}) if parent else None
    # Entered by hand: the tracer's own way goes through two context managers more, for what is switched off here.
    current = _begun(name, context, kind)
    token = attach(trace.set_span_in_context(current))
    try:
        yield current
    finally:
        detach(token)
        current.end()


def _begun(name: str, context: Context | None, kind: trace.SpanKind) -> trace.Span:
    parent = trace.get_current_span(context).get_span_context()
    if _tracing.records(parent):
        return _tracing.tracer.start_span(name, context=context, kind=kind)
    ids = (parent.trace_id, parent.span_id) if parent.is_valid else (getrandbits(128), getrandbits(64))
    return trace.NonRecordingSpan(trace.SpanContext(*ids, is_remote=False))


def is_sampled(traceparent: str | None) -> bool:
    """Whether a `traceparent` says that its trace is recorded: the lowest bit of its flags (W3C Trace Context §3.3)."""
    return traceparent is not None and bool(int(traceparent[-2:], 16) & 1)


def current_trace() -> str | None:
    """The W3C `traceparent` of the current span (W3C Trace Context §3.2)."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    ids = trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)
    return f"00-{'-'.join(ids)}-{context.trace_flags:02x}"


def current_trace_id() -> str | None:
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def redaction(redact: Any) -> structlog.typing.Processor:
    """The log processor that cuts with `redact` all but the words of the line itself."""
    own = {"event", "level", "timestamp", "service", "trace_id", "error", "at", "logger"}

    def processor(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        said = {name: value for name, value in event.items() if name in own or name.startswith("_")}
        rest = {name: value for name, value in event.items() if name not in said}
        return said | cast("dict[str, Any]", redact(rest)) if rest else said

    return processor
