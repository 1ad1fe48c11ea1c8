"""The fault plan: plain data, each fault addressed to events. DESIGN: never to chance at run time.

A plan is checked when a scenario is read, resolved against the deployed stack (logical ids become physical names), and then
armed inside LocalStack, which imports this module too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    model_validator,
)

from harness.faults.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTIAL = {
    ("kinesis", "PutRecords"),
    ("dynamodb", "BatchWriteItem"),
    ("dynamodb", "BatchGetItem"),
    ("sqs", "SendMessageBatch"),
    ("sqs", "DeleteMessageBatch"),
    ("sns", "PublishBatch"),
    ("events", "PutEvents"),
    ("firehose", "PutRecordBatch"),
}
"""Operations whose answer tells the entries that failed."""

HARNESS = "harness"
LOCALSTACK = "localstack"


def _window(text: str) -> str:
    Window.parse(text)
    return text


def _counted(text: str) -> str:
    """Checks a window of what is counted from 1."""
    if any(first == 0 for first, _ in Window.parse(text).ranges):
        raise ValueError(f"{text!r}: calls and invocations count from 1")
    return text


def _listed(value: Any) -> Any:
    """Returns one text as a list of it."""
    return [value] if isinstance(value, str | int) else value


# At most a week: Python's timers fail on much larger numbers.
Seconds = Annotated[float, Field(gt=0, le=604_800)]
Events = Annotated[str, AfterValidator(_window)]
Counted = Annotated[str, AfterValidator(_counted)]
Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed)]


class _Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)

    id: str = ""
    seed: str = ""
    of: str = ""
    """In a replay, the id of the fault that this one repeats at one event."""

    @property
    def whole(self) -> str:
        """Returns the id of the fault that this one is, or is a part of."""
        return self.of or self.id


class ServiceFault(_Fault):
    """At the gateway, before or after an AWS call is executed.

    throttle    refused with the service's own throttling error          error       refused with a 5xx error, or `code` and `status`
    partial     `entries` of a batch fail, the others are executed       latency     executed after `seconds`
    hang        not executed, no answer for `seconds`, then cut          cut         not executed, the connection is cut
    reply_lost  executed, then the connection is cut

    `caller` is a function's logical id, "harness" or "localstack"; `resource` a logical id of the template. `carrying` names texts, such as
    the id of a record, that all stand in the request (not in the body of an object); `during` texts that stand in the event of the
    invocation that makes the call. `after` and `repeats` name another fault: only calls match that the invocation makes which that fault met, behind it; or
    that an invocation makes which has one of the messages or records, or the event, of one that it met. `calls` counts the calls that match all of these. With `until_success`
    the fault is over when one of them got through."""

    kind: Literal["throttle", "error", "partial", "latency", "hang", "cut", "reply_lost"]
    service: str
    operation: str | None = None
    resource: str | None = None
    caller: str | None = None
    carrying: Texts = ()
    during: Texts = ()
    after: str | None = None
    repeats: str | None = None
    calls: Counted = "1"
    entries: Events = "all"
    seconds: Seconds | None = None
    code: str | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    until_success: bool = False

    @model_validator(mode="after")
    def _fits(self) -> ServiceFault:
        if self.kind == "partial" and (self.service, self.operation) not in PARTIAL:
            known = ", ".join(sorted(f"{service} {operation}" for service, operation in PARTIAL))
            raise ValueError(f"partial: {self.service} {self.operation} has no answer per entry; there is {known}")
        if self.kind in {"latency", "hang"} and self.seconds is None:
            raise ValueError(f"{self.kind}: needs seconds")
        if self.after and self.repeats:
            raise ValueError("after and repeats: an invocation is either the one that a fault met, or repeats it")
        return self

    @property
    def follows(self) -> str | None:
        """Returns the id of the fault that it comes after, or that what it meets repeats."""
        return self.after or self.repeats

    @property
    def window(self) -> Window:
        return Window.parse(self.calls)

    @property
    def expects(self) -> str:
        """Returns what must happen for it to fire, in words."""
        what = f"{self.operation or 'a call'} of {self.service}"
        what += f" on {self.resource}" if self.resource else ""
        what += _of("with", self.carrying) + f" by {self.caller or 'any caller'}" + _of("in an invocation with", self.during)
        what += f" in the invocation that fault {self.after} met, behind it" if self.after else ""
        what += f" in an invocation that repeats one that fault {self.repeats} met" if self.repeats else ""
        return f"{what}, calls {self.calls}"


def _of(word: str, texts: tuple[str, ...]) -> str:
    return f" {word} {' and '.join(texts)}" if texts else ""


class LambdaFault(_Fault):
    """In the executor, per function (logical id) and invocation; `lambda_init` counts inits instead, each for the invocation that it is
    made for. `carrying` names texts, such as the id of a record, that all stand in the event; `invocations` counts those that carry them.

    lambda_error_before    an error in the handler's place               lambda_error_after     an error in the place of its answer
    lambda_timeout         the handler runs, then counts as timed out    lambda_throttled       the invocation does not reach the function
    lambda_killed_before, lambda_killed_after    SIGKILL before the handler has its event, or when it has answered
    lambda_killed_during   SIGKILL when its `after_calls`-th AWS call of this invocation has been executed
    lambda_init            SIGKILL during the init                       lambda_slow            the handler starts `seconds` late"""

    kind: Literal[
        "lambda_error_before", "lambda_error_after", "lambda_timeout", "lambda_throttled", "lambda_killed_before",
        "lambda_killed_during", "lambda_killed_after", "lambda_init", "lambda_slow",
    ]  # fmt: skip
    function: str
    carrying: Texts = ()
    invocations: Counted = "1"
    after_calls: Annotated[int, Field(gt=0, le=1_000_000_000)] = 1
    seconds: Seconds | None = None

    @model_validator(mode="after")
    def _fits(self) -> LambdaFault:
        if self.kind == "lambda_slow" and self.seconds is None:
            raise ValueError("lambda_slow: needs seconds")
        return self

    @property
    def window(self) -> Window:
        return Window.parse(self.invocations)

    @property
    def expects(self) -> str:
        what = "init" if self.kind == "lambda_init" else "invocation"
        calls = f", and {self.after_calls} AWS calls in it" if self.kind == "lambda_killed_during" else ""
        return f"{what} {self.invocations} of {self.function}{_of('with', self.carrying)}{calls}"


class RecordFault(_Fault):
    """In the load: spoils the records whose index (from 0) `records` names, by the malformer `malform`."""

    kind: Literal["record"]
    malform: str
    records: Events

    @property
    def window(self) -> Window:
        return Window.parse(self.records)

    @property
    def expects(self) -> str:
        return f"record {self.records}"


class SettingFault(_Fault):
    """A setting of a function (logical id) that Lambda itself has, from before the load until the faults end. It counts no events, and is possible on AWS, too.

    reserved_concurrency    0: each invocation is throttled
    timeout                 `seconds`, fewer than the function has: an invocation that takes longer is ended"""

    kind: Literal["reserved_concurrency", "timeout"]
    function: str
    seconds: Annotated[int, Field(ge=1, le=899)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> SettingFault:
        if self.kind == "timeout" and self.seconds is None:
            raise ValueError("timeout: needs seconds")
        if self.kind == "reserved_concurrency" and self.seconds is not None:
            raise ValueError("reserved_concurrency: takes no seconds")
        return self

    @property
    def window(self) -> Window:
        return Window.parse("all")

    @property
    def expects(self) -> str:
        """Returns what must happen for it to have met something, in words."""
        what = (
            "an invocation that is throttled"
            if self.kind == "reserved_concurrency"
            else f"an invocation that takes more than {self.seconds} s"
        )
        return f"{what} of {self.function}"


# What has a window of events.
EventFault = Annotated[ServiceFault | LambdaFault | RecordFault, Field(discriminator="kind")]
Fault = Annotated[ServiceFault | LambdaFault | RecordFault | SettingFault, Field(discriminator="kind")]
Plan = tuple[Fault, ...]
_PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)


def named(faults: Plan, seed: int) -> Plan:
    """Returns the plan with an id for each fault (kind and position where it has none) and its share of the run's seed."""
    given = [fault.id or f"{fault.kind}-{number}" for number, fault in enumerate(faults, 1)]
    return tuple(
        fault.model_copy(update={"id": name, "seed": fault.seed or f"{seed}/{name}"})
        for fault, name in zip(faults, given, strict=True)
    )


def resolved(faults: Plan, physical: Mapping[str, str]) -> Plan:
    """Returns the plan with logical ids replaced by the names that the stack has given them."""

    def one(fault: Any) -> Any:
        names = {
            key: physical.get(value, value) for key in ("function", "resource", "caller") if (value := getattr(fault, key, None))
        }
        return fault.model_copy(update=names)

    return tuple(one(fault) for fault in faults if not isinstance(fault, RecordFault))


def dump(faults: Plan) -> list[dict[str, Any]]:
    """Returns the plan as JSON has it, without default values."""
    return [{"kind": fault.kind, **fault.model_dump(exclude_defaults=True)} for fault in faults]


def load(document: Any) -> Plan:
    """Returns the reverse of `dump`. Raises pydantic's ValidationError."""
    return _PLAN.validate_python(document)
