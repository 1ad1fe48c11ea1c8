"""The purchases' transforms: pure functions from bytes and values to values."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic_core import from_json

from pipeline.files.failed_rows import FailedRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pipeline.files.rows import Row

COLUMNS = ("purchase_id", "customer_id", "item", "units", "amount", "purchased_at")
# What S3 Select casts to DECIMAL: it ends the whole query at the first value that it cannot cast.
_DECIMAL = re.compile(r"[+-]?\d{1,28}(\.\d{1,10})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)


def _amount(value: Any) -> str:
    """Returns the amount as text. JSON has it as a number or as a text."""
    if isinstance(value, bool) or not _DECIMAL.fullmatch(str(value)):
        raise ValueError("expected a decimal number")
    return str(value)


def _whole(value: Any) -> str:
    if isinstance(value, bool) or not _WHOLE.fullmatch(str(value)):
        raise ValueError("expected a whole number")
    return str(value)


def _moment(value: str) -> str:
    datetime.fromisoformat(value)
    return value


_Text = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class _Purchase(BaseModel):
    """What a row must hold. The row is stored as S3 Select returns it, not as this has it."""

    model_config = ConfigDict(strict=True, extra="allow")

    purchase_id: _Text
    customer_id: Annotated[str, BeforeValidator(_whole)]
    item: _Text
    units: Annotated[str, BeforeValidator(_whole)]
    amount: Annotated[str, BeforeValidator(_amount)]
    purchased_at: Annotated[str, AfterValidator(_moment)]


class Sorted(NamedTuple):
    """Rows that S3 Select can read, as bytes without a line end; and those that it cannot."""

    good: list[bytes]
    bad: list[FailedRow]


def sort_out(rows: Iterable[Row]) -> Sorted:
    """Returns the rows of CSV that are purchases, and the others. Total: every row is in exactly one of the two."""
    good, bad = [], []
    for row in rows:
        problem = row.problem or _invalid(dict(zip(COLUMNS, row.fields, strict=True)))
        if problem is None:
            good.append(_no_comment(row))
        else:
            bad.append(FailedRow(row.line, row.raw, problem))
    return Sorted(good, bad)


def _no_comment(row: Row) -> bytes:
    """Returns the row as it came. S3 Select leaves out rows that begin with #, but not where the sign is quoted."""
    if not row.raw.startswith(b"#"):
        return row.raw
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="").writerow(row.fields)
    return text.getvalue().encode()


def sort_out_json(lines: Sequence[tuple[int, bytes]]) -> Sorted:
    """Returns the lines of JSON that are purchases, and the others, each with its number. Total, as `sort_out` is."""
    good, bad = [], []
    for number, line in lines:
        raw = line.removesuffix(b"\r")
        problem = _invalid_json(raw)
        if problem is None:
            good.append(raw)
        else:
            bad.append(FailedRow(number, raw, problem))
    return Sorted(good, bad)


def _invalid_json(raw: bytes) -> str | None:
    if not raw.strip():
        return "EmptyRow: nothing between two line ends"
    try:
        from_json(raw, allow_inf_nan=False)
        document = json.loads(raw, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        return f"InvalidJson: {error}"
    return _invalid(document) if isinstance(document, dict) else "InvalidJson: no object"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns an object. Raises ValueError where S3 Select would not know which of its values is meant: it ends the whole query at such a row."""
    if len({name.lower() for name, _ in pairs}) < len(pairs) or any(not name for name, _ in pairs):
        raise ValueError("a name stands twice, or is empty")
    return dict(pairs)


def _invalid(values: Mapping[str, Any]) -> str | None:
    try:
        _Purchase.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        return "InvalidPurchase: " + "; ".join(f"{'.'.join(map(str, d['loc']))}: {d['msg']}" for d in found)
    return None


def results(payloads: Iterable[bytes], upload_id: bytes) -> Iterator[bytes]:
    """Yields the lines that S3 Select returns, each with the upload (as JSON) that it is of. Where one payload ends, a line need not."""
    rest = b""
    for payload in payloads:
        *whole, rest = (rest + payload).split(b"\n")
        for line in whole:
            yield line.rstrip()[:-1] + b',"upload":' + upload_id + b"}\n"
    if rest:
        raise ValueError("the last line does not end")
