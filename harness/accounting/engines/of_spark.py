"""Apache Spark: on this machine in local mode, or on the cluster that `spark-submit` names. For more records than one machine reconciles."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot

from harness.errors import UnknownVerdictError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from harness.accounting.engines import Engine, Row

_ROWS_PER_GROUP = 100_000
_LONGEST_LINE = 300
_TYPES = {"VARCHAR": "STRING"}
# `spark-submit` sets it, and says itself where Spark runs.
_SUBMITTED = "PYSPARK_GATEWAY_PORT"
# Of the files that are read; a step holds a few times that of each of its partitions.
_BYTES_PER_PARTITION = 1 << 24

T = TypeVar("T")


def require() -> None:
    """Raises UsageError where PySpark or Java is not installed."""
    if importlib.util.find_spec("pyspark") is None:
        raise UsageError("--engine spark: PySpark is not installed: pip install '.[spark]' in a clone of pipeproof")
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        raise UsageError(
            "--engine spark: there is no Java, which Spark runs on: install a JRE of version 17 or later, or set JAVA_HOME"
        )


def run(scratch: Path, work: Callable[[Engine], T], rows: int) -> T:  # noqa: ARG001 - its memory is the same for all
    """Returns what `work` does. A session that is there is used, and stays; else one begins, and ends with it. Raises UsageError as `require` does, UnknownVerdictError where
    Spark fails."""
    require()
    from py4j.protocol import Py4JError  # noqa: PLC0415 - an extra
    from pyspark.errors import PySparkException  # noqa: PLC0415
    from pyspark.sql import SparkSession  # noqa: PLC0415

    existing = SparkSession.getActiveSession()
    with tempfile.TemporaryDirectory(prefix="spark-", dir=scratch) as folder:
        spark = existing
        try:
            spark = spark or _session(Path(folder))
            return work(_Spark(spark, Path(folder)))
        except (PySparkException, Py4JError, ConnectionError) as error:
            raise UnknownVerdictError(f"Spark: {_in_a_line(error)}") from error
        finally:
            if existing is None and spark is not None:
                # The process of Java may have ended; then `stop` cannot reach it.
                with contextlib.suppress(Py4JError, OSError):
                    spark.stop()


def _in_a_line(error: Exception) -> str:
    """Returns what went wrong, of the pages of Java that come with it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # "An error occurred while calling o45.parquet." comes before what it was.
    return next((line.removeprefix(": ") for line in lines if line.startswith(": ")), lines[0])[:_LONGEST_LINE]


def _session(folder: Path) -> SparkSession:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra

    settings = {
        "spark.app.name": "pipeproof reconcile",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
        # To how much a compressed file grows is not known before: a join by sorting has what it needs on disk.
        "spark.sql.autoBroadcastJoinThreshold": "-1",
        # A sighting that is passed over would make its record look lost.
        "spark.sql.files.ignoreCorruptFiles": "false",
        "spark.sql.files.ignoreMissingFiles": "false",
    }
    if _SUBMITTED not in os.environ:
        # Workers import the harness by the Python that runs it.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        settings |= {
            "spark.master": "local[*]",
            # Nothing listens but on loopback.
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.local.dir": str(folder),
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.driver.memory": "2g",
            # Ends Java when it runs out of memory. Otherwise one of its threads ends, and the query hangs.
            "spark.driver.extraJavaOptions": "-XX:+ExitOnOutOfMemoryError",
            "spark.log.level": "ERROR",
        }
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


class _Spark:
    """Tables are Parquet files in a directory: each is made once, however many queries read it."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self._spark = spark
        self._folder = folder
        self._bytes = 0

    def read(self, name: str, paths: Sequence[Path], columns: Mapping[str, str], number: str = "") -> None:
        if not paths:
            schema = ", ".join(f"{column} {_TYPES.get(kind, kind)}" for column, kind in columns.items())
            self._spark.createDataFrame([], schema).createOrReplaceTempView(name)
            return
        self._bytes += sum(path.stat().st_size for path in paths)
        self._spark.conf.set("spark.sql.shuffle.partitions", max(2, self._bytes // _BYTES_PER_PARTITION))
        found = self._spark.read.parquet(*map(_as_url, paths))
        if number:
            found = found.selectExpr("*", f"_metadata.row_index AS {number}")
        found.createOrReplaceTempView(name)

    def view(self, name: str, query: str) -> None:
        self._query(query).createOrReplaceTempView(name)

    def table(self, name: str, query: str) -> None:
        self._keep(name, self._query(query))

    def drop(self, name: str) -> None:
        self._spark.catalog.dropTempView(name)
        shutil.rmtree(self._folder / name)

    def tell(self, name: str, query: str, why: Callable[..., str | None], given: int) -> None:
        found = self._query(query)
        names = found.columns[:-given]

        def told(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                columns = [column.to_pylist() for column in batch.columns]
                rows = [(*row[:-given], said) for row in zip(*columns, strict=True) if (said := why(*row[-given:])) is not None]
                values = list(zip(*rows, strict=True)) or [()] * (len(names) + 1)
                types = [*(pa.int64() for _ in names), pa.string()]
                yield pa.record_batch(
                    [pa.array(column, kind) for column, kind in zip(values, types, strict=True)], names=[*names, "why"]
                )

        schema = ", ".join([*(f"{column} BIGINT" for column in names), "why STRING"])
        self._keep(name, found.mapInArrow(told, schema))

    def rows(self, query: str) -> list[Row]:
        return [
            tuple(bytes(value) if isinstance(value, bytearray) else value for value in row) for row in self._query(query).collect()
        ]

    def write(self, query: str, path: Path) -> None:
        found = self._query(query)
        # By the workers, a file for each part of the order: here a part that is whole may not fit into memory.
        parts = self._folder / path.name
        found.write.parquet(_as_url(parts))
        schema = _schema(found)
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for part in sorted(parts.glob("part-*.parquet"), key=lambda path: int(path.name.split("-")[1])):
                with pq.ParquetFile(part) as file:
                    for rows in file.iter_batches(_ROWS_PER_GROUP):
                        writer.write_table(pa.Table.from_batches([rows]).cast(schema))
        shutil.rmtree(parts)

    def _keep(self, name: str, found: DataFrame) -> None:
        path = self._folder / name
        found.write.parquet(_as_url(path))
        self._spark.read.schema(found.schema).parquet(_as_url(path)).createOrReplaceTempView(name)

    def _query(self, query: str) -> DataFrame:
        return self._spark.sql(sqlglot.transpile(query, read="duckdb", write="spark")[0])


def _as_url(path: Path) -> str:
    """Returns a path of this machine as Hadoop takes it: unescaped. A cluster may have another file system as its default."""
    return f"file://{path.resolve()}"


def _schema(found: DataFrame) -> pa.Schema:
    from pyspark.sql.pandas.types import to_arrow_schema  # noqa: PLC0415 - an extra

    return to_arrow_schema(found.schema)
