"""One session for all tests: to begin one takes longer than most of them."""

from __future__ import annotations

import os
import sys

import pytest

pytest.importorskip("pyspark", reason="PySpark is not installed: tox -e spark")

from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def session(tmp_path_factory):
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {
        "spark.master": "local[2]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.local.dir": str(tmp_path_factory.mktemp("spark")),
        "spark.log.level": "ERROR",
        # A few rows are sooner done than compiled.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    made = builder.getOrCreate()
    yield made
    made.stop()
