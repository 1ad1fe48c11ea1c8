"""Anomalies by what they have in common: what went wrong last on their way, what was said there, and the faults that met it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.accounting.verdict import ANOMALIES
from harness.faults.plan import HARNESS
from harness.report.html.traits import in_common
from harness.report.said import brief, errors_in, said, shortened
from harness.run.causes import signature
from harness.run.trace import FILE, HOW, NEAR, TAKEN, as_they_began, decisive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.report.html.traits import Trait
    from harness.run.trace import Hop

_LONGEST = 300
_MOST_WHYS = 4
# The kinds of malformed records are told by themselves.
_KIND = re.compile(r"(?<=malformed) \([^)]*\)")
_LEAST_HEALTHY, _MOST_MISSING = 5, 5
# Not all ways are known: a call has to be on most of the others', and to be on none of these must be no chance.
_MOST, _BY_CHANCE = 0.6, 0.1
_SPOILT = "not as promised"
_OWN, _BESIDE, _OVERCOME, _LOGGED, _UNTOLD, _TAKEN, _OF_FILE = "own", "beside", "overcome", "logged", "untold", "taken", "file"
# A function that gives up some records of its batch loses others of it; it does not spoil them.
_BY_OTHERS = frozenset({"lost", "irrecoverable"})


@dataclass(frozen=True, slots=True)
class Failure:
    """A call, an invocation, an execution or a state of one that failed, the faults that met it, and of a state what its Retry or Catch did `then`."""

    who: str
    call: str
    said: str
    faults: tuple[str, ...] = ()
    kind: str = ""
    """`execution` or `state`; empty for a call or an invocation."""
    then: str = ""


@dataclass(slots=True)
class Cluster:
    """`failure` is what went wrong last, or where nothing did the last hop; None where nothing is known to have carried the records. `how` says in which relation it
    stands to them: `own` carried them, `beside` was another call of the invocation that carried them, `overcome` carried them and was repeated with success,
    `taken` overwrote or deleted what was stored of them, `logged` is the last invocation, which logged an error, `file` the last step of their file, where nothing else is known; empty where nothing went wrong; `untold` where the report does not keep their ways. `logged` is what the
    function logged of an error then. `records` are numbers of those in the report; `common` is what their contents have in common, and those of others have not;
    `missing` are calls that most records of their kind that ended well had on their way, and none of these, the earliest first; the kind is stored or malformed records. `untold` is of how many the report keeps no way."""

    anomaly: str
    why: str
    how: str = ""
    failure: Failure | None = None
    logged: str = ""
    records: list[int] = field(default_factory=list)
    common: str = ""
    missing: tuple[str, ...] = ()
    untold: int = 0


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Of a record what it is, why, the fields that are not as promised, its way (None where the report does not keep it), and whether it is malformed."""

    record: int
    record_id: str
    anomaly: str
    why: str
    fields: tuple[str, ...]
    hops: Sequence[Hop] | None
    traits: frozenset[Trait] = frozenset()
    malformed: bool = False


def clusters(
    anomalies: Sequence[Anomaly],
    failed_calls: Mapping[str, Failure],
    usual: Sequence[frozenset[Trait]] = (),
    healthy: Sequence[Sequence[Hop]] = (),
    refused: Sequence[Sequence[Hop]] = (),
) -> list[Cluster]:
    """Returns the clusters: first those of lost records, and of each kind of anomaly the largest first. `usual` are the traits of records without an anomaly, `healthy` the ways of some, `refused` those of malformed ones. `failed_calls` has the last call of each invocation that failed and was not repeated with success."""
    found: dict[tuple[object, ...], Cluster] = {}
    fields: dict[tuple[object, ...], Counter[str]] = defaultdict(Counter)
    whys: dict[tuple[object, ...], Counter[str]] = defaultdict(Counter)
    contents: dict[tuple[object, ...], list[frozenset[Trait]]] = defaultdict(list)
    ways: dict[tuple[object, ...], list[Sequence[Hop]]] = defaultdict(list)
    for one in anomalies:
        made = Cluster(one.anomaly, shortened(_KIND.sub("", one.why), _LONGEST), *_cause(one, failed_calls))
        # One mistake spoils other fields of other records, and one failure befalls records of all kinds.
        why = _SPOILT if one.fields else "" if made.how in {_OWN, _BESIDE} else signature(made.why)
        # The last step of a file says nothing of one of its records.
        same = () if made.how == _OF_FILE else _same(made.failure)
        key: tuple[object, ...] = made.anomaly, why, one.malformed, made.how in {_OVERCOME, _UNTOLD}, same
        found.setdefault(key, made).records.append(one.record)
        fields[key].update(one.fields)
        whys[key][made.why] += 1
        if one.traits:
            contents[key].append(one.traits)
        if one.hops is not None:
            ways[key].append(one.hops)
    for key, cluster in found.items():
        if fields[key]:
            cluster.why = f"{_SPOILT}: {_told(fields[key], len(cluster.records))}"
        elif len({signature(why) for why in whys[key]}) > 1:
            cluster.why = "; ".join(f"{why} ({many:,})" for why, many in whys[key].most_common(_MOST_WHYS))
        cluster.common = in_common(contents[key], usual)
        # What failed says more.
        cluster.missing = () if cluster.how in {_OWN, _BESIDE, _TAKEN} else _missing(ways[key], refused if key[2] else healthy)
    found = _joined(found)
    return sorted(found.values(), key=lambda one: (one.how == _UNTOLD, ANOMALIES.index(one.anomaly), -len(one.records)))


def _joined(found: dict[tuple[object, ...], Cluster]) -> dict[tuple[object, ...], Cluster]:
    """Returns the clusters without those whose ways are not kept, where only one other is of the same anomaly for the same reason: it has their records too."""
    left = dict(found)
    for key, cluster in found.items():
        anomaly, why, malformed, *_ = key
        like = [other for other in found if other != key and (other[0], other[2]) == (anomaly, malformed) and other[1] in {"", why}]
        if cluster.how == _UNTOLD and len(like) == 1 and found[like[0]].failure:
            del left[key]
            found[like[0]].records += cluster.records
            found[like[0]].untold += len(cluster.records)
    return left


def _missing(ways: Sequence[Sequence[Hop]], healthy: Sequence[Sequence[Hop]]) -> tuple[str, ...]:
    """Returns the calls that carried most healthy records, in their order, and none of those of these ways; none where no way is known, or few healthy ones are."""
    if not ways or len(healthy) < _LEAST_HEALTHY:
        return ()
    steps = [dict.fromkeys(_steps(way)) for way in healthy]
    places: dict[str, list[int]] = defaultdict(list)
    for of_way in steps:
        for place, step in enumerate(of_way):
            places[step].append(place)
    theirs = {step for way in ways for step in _steps(way)} | {
        _step(hop) for way in ways for hop in way if _is_call(hop) and hop.went_wrong
    }
    found = [
        (sum(at) / len(at), step)
        for step, at in places.items()
        if step not in theirs and (share := len(at) / len(healthy)) >= _MOST and (1 - share) ** len(ways) <= _BY_CHANCE
    ]
    return tuple(step for _, step in sorted(found)[:_MOST_MISSING])


def _steps(way: Sequence[Hop]) -> Iterator[str]:
    for hop in as_they_began(way):
        if hop.how in NEAR and _is_call(hop) and not hop.went_wrong:
            yield _step(hop)


def _is_call(hop: Hop) -> bool:
    return bool(hop.entry["kind"] == "call" and hop.entry["name"] != HARNESS)


def _step(hop: Hop) -> str:
    return f"{hop.entry['name']} → {hop.entry['call']}" + (f" of {hop.entry['of']}" if hop.entry.get("of") else "")


def _told(fields: Counter[str], records: int) -> str:
    """Returns the fields, the most frequent first, each with its records where not all have it."""
    return ", ".join(name if many == records else f"{name} ({many:,})" for name, many in fields.most_common())


def _same(failure: Failure | None) -> tuple[object, ...]:
    return (
        () if failure is None else (failure.who, failure.call, signature(failure.said), failure.faults, failure.kind, failure.then)
    )


def _cause(anomaly: Anomaly, failed_calls: Mapping[str, Failure]) -> tuple[str, Failure | None, str]:
    """Returns how, what and what was logged of it, as a Cluster has them."""
    hops = anomaly.hops
    if not hops:
        return "" if hops is not None else _UNTOLD, None, ""
    # What the pipeline has accepted is its own to keep: what met the offer does not matter then.
    own = [hop for hop in hops if hop.entry["name"] != HARNESS] or list(hops)
    last, log = decisive(own)
    logged = brief(next(reversed(errors_in(said(log, anomaly.record_id))), ""))[:_LONGEST]
    if last.how in TAKEN:
        return _TAKEN, replace(_failure(last), said=f"{last.how} what was stored of it"), logged
    wrong = [hop for hop in own if hop.went_wrong]
    lasting = [hop for hop in wrong if not _was_overcome(hop, own)]
    if lasting:
        # What carried the record itself says more than what carried its file.
        nearest = min(HOW.index(hop.how) for hop in lasting)
        return _OWN, _failure([hop for hop in lasting if HOW.index(hop.how) == nearest][-1]), logged
    invocation = last.invocation or last.request_id
    if anomaly.anomaly in _BY_OTHERS and invocation in failed_calls:
        return _BESIDE, failed_calls[invocation], logged
    # A function may ask on purpose for what is refused, such as a condition, and then do otherwise.
    unwanted = [hop for hop in wrong if hop.faults or hop.entry["kind"] != "call"]
    if unwanted:
        return _OVERCOME, _failure(unwanted[-1]), logged
    near = [hop for hop in own if hop.how in NEAR]
    # Of a file's rows a call may have carried others.
    whole = [hop for hop in own if hop.entry["kind"] == "invocation"] if last.how == FILE else near
    how = _LOGGED if logged else "" if last.how != FILE else _OF_FILE
    return how, _failure((whole or [last])[-1]), logged


def _was_overcome(hop: Hop, hops: Sequence[Hop]) -> bool:
    """Whether the same was done later with what is as near to the record, and went well."""
    what = hop.entry["name"], hop.entry.get("call")
    later = [one for one in hops[hops.index(hop) + 1 :] if HOW.index(one.how) <= HOW.index(hop.how)]
    return any((one.entry["name"], one.entry.get("call")) == what and not one.went_wrong for one in later)


def _failure(hop: Hop) -> Failure:
    entry = hop.entry
    said_there = entry.get("error") or (f"answered {entry['status']}" if entry["kind"] == "call" else "")
    kind = entry["kind"] if entry["kind"] in {"execution", "state"} else ""
    return Failure(entry["name"], entry.get("call") or "", shortened(said_there, _LONGEST), hop.faults, kind, hop.then)
