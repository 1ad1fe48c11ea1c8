"""Silver and gold of a whole lake by Apache Spark: for more days, or larger ones, than the functions build. Runs on AWS Glue as it does here:

    spark-submit build.py --bronze s3://LAKE/bronze/ --silver s3://LAKE/by-spark/silver/ --gold s3://LAKE/by-spark/gold/ --queries DIR

The places are the job's alone: a day that it builds replaces what lies below it there, which must not be the builds of the functions. The queries are those of the functions. What bronze has in many small objects is one object per hour in silver, and one per day in gold. A job that comes again overwrites its days with the same rows.

Source: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-partitions.html
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import SparkSession
from pyspark.sql.functions import lit

if TYPE_CHECKING:
    from collections.abc import Sequence

QUERIES = Path(__file__).resolve().parents[1] / "queries"
COLUMNS = (
    "event_id", "event_type", "user_id", "occurred_at", "hour_bucket", "received_at", "shard_id", "sequence_number", "payload", "dt", "hour",
)  # fmt: skip


def build(spark: SparkSession, bronze: str, silver: str, gold: str, queries: Path = QUERIES) -> list[str]:
    """Builds each day of bronze. Returns the days, in their order. Places are paths or URLs with a slash at their end."""
    by_hour, by_type = ((queries / f"{layer}.sql").read_text() for layer in ("silver", "gold"))
    # All is text, the hour "07" too, which Spark would take for a number.
    schema = ", ".join(f"{column} STRING" for column in COLUMNS)
    # An hour that a day no longer has must go with the day.
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "static")
    spark.read.schema(schema).option("mode", "FAILFAST").json(bronze).createOrReplaceTempView("bronze")
    days = sorted(row.dt for row in spark.sql("SELECT DISTINCT dt FROM bronze WHERE dt IS NOT NULL").collect())
    for day in days:
        rows = spark.sql(by_hour, [day]).repartition("hour")
        rows.write.mode("overwrite").partitionBy("hour").parquet(f"{silver}dt={day}/")
        # What was written, and not what would be computed again.
        written = spark.read.schema(rows.schema).parquet(f"{silver}dt={day}/").withColumn("dt", lit(day))
        written.createOrReplaceTempView("silver")
        spark.sql(by_type, [day]).coalesce(1).write.mode("overwrite").parquet(f"{gold}dt={day}/")
    return days


def main(arguments: Sequence[str]) -> None:
    """Runs the job. Glue passes further arguments, which the job ignores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for layer in ("bronze", "silver", "gold"):
        parser.add_argument(f"--{layer}", required=True, help="a path or an s3:// URL with a slash at its end")
    parser.add_argument("--queries", type=Path, default=QUERIES, help="the directory of silver.sql and gold.sql")
    told, _ = parser.parse_known_args(arguments)
    spark = SparkSession.builder.appName("lake").getOrCreate()
    days = build(spark, told.bronze, told.silver, told.gold, told.queries)
    sys.stdout.write(f"built: {', '.join(days) or 'nothing'}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
