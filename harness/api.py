"""All that a part of a user's own imports. Nothing else of the harness is public.

docs/extending.md shows a source, an ingress, a probe and a check in one file.
"""

from __future__ import annotations

from harness.accounting.record import (
    Answer,
    Observation,
    Outcome,
    Record,
    Status,
    identifier,
    now_ms,
    payload_hash,
    upload_id,
)
from harness.errors import UnknownVerdictError, UsageError
from harness.parts.formats.csv_format import CSV_FILE_FAULTS, CsvFormat
from harness.parts.formats.csv_malformers import CSV_MALFORMERS
from harness.parts.formats.file_set import Draft, Entry, FileSet, FileSource, Malformed
from harness.parts.formats.json_format import JSON_FILE_FAULTS, JsonFormat
from harness.parts.formats.json_malformers import JSON_MALFORMERS
from harness.parts.part import Beside, NotEmpty, Part, Share, one_of
from harness.parts.ports import (
    COPY,
    DUPLICATE,
    LATE,
    Actor,
    Check,
    Context,
    Finding,
    Ingress,
    Load,
    Lookup,
    Malformer,
    Probe,
    Sender,
    Source,
    SourceContext,
)
from harness.parts.units import File, Offer, Unit, records
from harness.parts.variety import TEXTS, Dimensions, Variety

__all__ = [
    "COPY",
    "CSV_FILE_FAULTS",
    "CSV_MALFORMERS",
    "DUPLICATE",
    "JSON_FILE_FAULTS",
    "JSON_MALFORMERS",
    "LATE",
    "TEXTS",
    "Actor",
    "Answer",
    "Beside",
    "Check",
    "Context",
    "CsvFormat",
    "Dimensions",
    "Draft",
    "Entry",
    "File",
    "FileSet",
    "FileSource",
    "Finding",
    "Ingress",
    "JsonFormat",
    "Load",
    "Lookup",
    "Malformed",
    "Malformer",
    "NotEmpty",
    "Observation",
    "Offer",
    "Outcome",
    "Part",
    "Probe",
    "Record",
    "Sender",
    "Share",
    "Source",
    "SourceContext",
    "Status",
    "Unit",
    "UnknownVerdictError",
    "UsageError",
    "Variety",
    "identifier",
    "now_ms",
    "one_of",
    "payload_hash",
    "records",
    "upload_id",
]
