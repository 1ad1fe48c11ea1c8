"""What it takes to reconcile many records, by engine: seconds, and the memory of all its processes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import psutil

from tests.bench.figures import Figure, write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LOOK_S = 0.2
_MB = 1 << 20
# One record in so many is lost, and one stored twice.
_RARE = 100_000

_RECORD = """'{"event_id":"' || id || '","user_id":"user-' || (index % 5000) || '","type":"page_view","amount":' || (index % 977) || '}'"""
_IDS = "SELECT index, md5(index::VARCHAR) AS id FROM range({records}) r(index)"
_LEDGER = f"""
SELECT index, id AS record_id, unhex(id) AS payload_hash, encode({_RECORD}) AS promised, NULL::VARCHAR AS malformed, 'acked' AS status,
       'shardId-00000000000' || (index % 8) AS shard, lpad(index::VARCHAR, 56, '0') AS sequence, 1780000000000 + index // 100 AS offered_at_ms, NULL::VARCHAR AS detail,
       NULL::VARCHAR AS put_at, NULL::BLOB AS file_hash, true AS about_record, NULL::VARCHAR AS filtered, NULL::VARCHAR AS rival, 90::BIGINT AS payload_bytes
FROM ({_IDS})
"""
_OBSERVATIONS = f"""
SELECT 'stored' AS outcome, 's3://lake/part-' || (index // 500) AS place, id AS record_id, NULL::VARCHAR AS shard, NULL::VARCHAR AS sequence, NULL::BLOB AS payload_hash,
       1780000000900 + index // 100 AS seen_at_ms, encode({_RECORD}[:-2] || ',"seen":true}}') AS content, NULL::BIGINT AS position, true AS keeps_payload,
       NULL::VARCHAR AS put_at, NULL::VARCHAR AS reason, NULL::VARCHAR AS misplaced, NULL::VARCHAR AS incomplete
FROM (SELECT * FROM ({_IDS}) WHERE index % {_RARE} <> 7 UNION ALL SELECT * FROM ({_IDS}) WHERE index % {_RARE} = 8)
"""
_RECONCILE = """
import sys
from pathlib import Path
from harness.accounting.reconcile import reconcile
root = Path(sys.argv[1])
account = reconcile(root / "ledger.parquet", root / "observations.parquet", root, engine=sys.argv[2])
print(*account.anomalies.values(), account.outcome.stored)
"""


def bench_reconcile(sizes: Sequence[int], engines: Sequence[str], out: Path, tell: Callable[[str], None]) -> list[Figure]:
    """Generates ledgers of these sizes, and runs each engine on each of them in a new process. Raises RuntimeError where an engine's account is wrong."""
    figures = []
    for records in sizes:
        with tempfile.TemporaryDirectory(prefix="pipeproof-reconcile-", dir=out.parent) as folder:
            root = Path(folder)
            _generate(root, records)
            tell(f"{records:,} records: {sum(path.stat().st_size for path in root.iterdir()) / _MB:,.0f} MB of tables")
            for engine in engines:
                seconds, most = _measured(root, engine, records)
                tell(f"{engine}: {seconds:,.1f} s, {most:,.0f} MB")
                figures += [
                    Figure(f"{records:,} records on {engine}", "s", (seconds,)),
                    Figure(f"{records:,} records on {engine}, memory", "MB", (most,)),
                ]
            # Those that are done stay, if a later one is too much for the machine.
            write(figures, out)
    return figures


def _generate(root: Path, records: int) -> None:
    with duckdb.connect(config={"memory_limit": "2GB", "temp_directory": str(root), "preserve_insertion_order": False}) as db:
        for name, of in (("ledger", _LEDGER), ("observations", _OBSERVATIONS)):
            query = of.replace("{records}", str(records))
            db.execute(f"COPY ({query}) TO '{root / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")


def _measured(root: Path, engine: str, records: int) -> tuple[float, float]:
    """Returns the seconds, and the most memory of the process and those that it started, in MB: resident, what they share counted once for each."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", _RECONCILE, str(root), engine], stdout=subprocess.PIPE, text=True)
    most = 0.0
    while process.poll() is None:
        most = max(most, _memory_mb(process.pid))
        time.sleep(_LOOK_S)
    seconds = time.monotonic() - began
    assert process.stdout is not None
    told = process.stdout.read().split()
    rare = len(range(7, records, _RARE))
    twice = len(range(8, records, _RARE))
    # lost, irrecoverable, duplicated, phantom, corrupted, conflicting, misrouted, and stored.
    if told != [str(count) for count in (rare, 0, twice, 0, 0, 0, 0, records - rare)]:
        raise RuntimeError(f"{engine} came to {told}")
    return seconds, most


def _memory_mb(pid: int) -> float:
    try:
        process = psutil.Process(pid)
        return sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) / _MB
    except psutil.NoSuchProcess:
        return 0.0
