"""Athena and Glue's catalogue."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conformance.functions import wait_until

START = "athena/latest/APIReference/API_StartQueryExecution.html"
RESULTS = "athena/latest/APIReference/API_GetQueryResults.html"
TABLES = "athena/latest/ug/create-table.html"
PARTITIONS = "athena/latest/ug/partitions.html"


@pytest.fixture
def lake(clients):
    bucket = f"lake-{clients.account}"
    clients("s3").create_bucket(Bucket=bucket)
    rows = [{"id": n, "kind": "buy" if n % 2 else "look", "amount": n * 1.5} for n in range(6)]
    clients("s3").put_object(Bucket=bucket, Key="json/a.json", Body="".join(json.dumps(row) + "\n" for row in rows))
    clients("s3").put_object(Bucket=bucket, Key="csv/a.csv", Body='id,name\n1,"a, b"\n2,\n')
    for day in ("2026-01-01", "2026-01-02"):
        body = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows[:3]), body)
        clients("s3").put_object(Bucket=bucket, Key=f"days/dt={day}/a.parquet", Body=body.getvalue())
    return bucket


@pytest.fixture
def athena(clients, lake):
    client = clients("athena")

    def run(statement, database="lake", **options):
        started = client.start_query_execution(
            QueryString=statement, QueryExecutionContext={"Database": database},
            ResultConfiguration={"OutputLocation": f"s3://{lake}/results/"}, **options,
        )["QueryExecutionId"]  # fmt: skip

        def ended():
            found = client.get_query_execution(QueryExecutionId=started)["QueryExecution"]
            return found if found["Status"]["State"] in {"SUCCEEDED", "FAILED", "CANCELLED"} else None

        return wait_until(ended, "the query to end")

    run("CREATE DATABASE lake")
    run(
        f"CREATE EXTERNAL TABLE events (id int, kind string, amount double) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://{lake}/json/'"
    )
    run(
        f"CREATE EXTERNAL TABLE people (id int, name string) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' "
        f"LOCATION 's3://{lake}/csv/' TBLPROPERTIES ('skip.header.line.count'='1')"
    )
    run(
        f"CREATE EXTERNAL TABLE days (id bigint, kind string, amount double) PARTITIONED BY (dt string) STORED AS PARQUET LOCATION 's3://{lake}/days/'"
    )
    return run


def rows(clients, execution):
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    found = clients("athena").get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"]["Rows"]
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in found]


@pytest.mark.rule(START)
def test_a_query_over_json(clients, athena):
    """A query aggregates the rows of JSON objects; the first row of the results names the columns."""
    execution = athena("SELECT kind, count(*) AS n, sum(amount) AS total FROM events GROUP BY kind ORDER BY kind")
    assert rows(clients, execution) == [["kind", "n", "total"], ["buy", "3", "13.5"], ["look", "3", "9.0"]]


@pytest.mark.rule(TABLES)
def test_a_query_over_csv(clients, athena):
    """A table over CSV skips its header, and reads quoted cells."""
    assert rows(clients, athena("SELECT name FROM people WHERE id = 1")) == [["name"], ["a, b"]]


@pytest.mark.rule(PARTITIONS)
def test_partitions_are_found_by_msck_repair(clients, athena):
    """Without partitions in the catalogue a partitioned table is empty; MSCK REPAIR TABLE adds those of the keys."""
    assert rows(clients, athena("SELECT count(*) AS n FROM days")) == [["n"], ["0"]]
    athena("MSCK REPAIR TABLE days")
    assert rows(clients, athena("SELECT dt, count(*) AS n FROM days GROUP BY dt ORDER BY dt")) == [
        ["dt", "n"],
        ["2026-01-01", "3"],
        ["2026-01-02", "3"],
    ]


@pytest.mark.rule(PARTITIONS)
def test_a_partition_is_added(clients, athena, lake):
    """ALTER TABLE ADD PARTITION adds a partition."""
    athena("ALTER TABLE days ADD PARTITION (dt='2026-01-02')")
    assert rows(clients, athena("SELECT DISTINCT dt FROM days")) == [["dt"], ["2026-01-02"]]


@pytest.mark.rule(PARTITIONS)
def test_partitions_are_pruned(clients, athena):
    """A condition on the partition key reads the objects of its partitions alone."""
    athena("MSCK REPAIR TABLE days")
    whole = athena("SELECT count(*) FROM days")["Statistics"]["DataScannedInBytes"]
    pruned = athena("SELECT count(*) FROM days WHERE dt = '2026-01-01'")["Statistics"]["DataScannedInBytes"]
    assert 0 < pruned * 2 == whole


@pytest.mark.rule("athena/latest/ug/querying-finding-output-files.html")
def test_the_result_is_a_csv_file(clients, athena, lake):
    """The result of a query is a CSV file in the output location, every cell quoted."""
    execution = athena("SELECT id, kind FROM events WHERE id < 2 ORDER BY id")
    place = execution["ResultConfiguration"]["OutputLocation"]
    assert place == f"s3://{lake}/results/{execution['QueryExecutionId']}.csv"
    body = clients("s3").get_object(Bucket=lake, Key=place.partition(f"{lake}/")[2])["Body"].read()
    assert body == b'"id","kind"\n"0","look"\n"1","buy"\n'


@pytest.mark.rule("athena/latest/ug/ctas.html")
def test_a_table_from_a_query(clients, athena, lake):
    """CREATE TABLE AS writes the rows of a query to its location, and makes their table."""
    made = athena(
        f"CREATE TABLE buys WITH (format = 'PARQUET', external_location = 's3://{lake}/buys/') AS SELECT id, amount FROM events WHERE kind = 'buy'"
    )
    assert made["Status"]["State"] == "SUCCEEDED", made["Status"]
    assert rows(clients, athena("SELECT count(*) AS n, sum(amount) AS a FROM buys")) == [["n", "a"], ["3", "13.5"]]


@pytest.mark.rule("athena/latest/ug/insert-into.html")
def test_rows_are_inserted(clients, athena, lake):
    """INSERT INTO adds the rows of a query to a table."""
    athena(
        f"CREATE TABLE buys WITH (format = 'PARQUET', external_location = 's3://{lake}/buys/') AS SELECT id FROM events WHERE kind = 'buy'"
    )
    athena("INSERT INTO buys SELECT id FROM events WHERE kind = 'look'")
    assert rows(clients, athena("SELECT count(*) AS n FROM buys")) == [["n"], ["6"]]


@pytest.mark.rule("athena/latest/ug/ctas-insert-into-etl.html")
def test_a_table_from_a_query_has_partitions(clients, athena, lake):
    """CREATE TABLE AS with partitioned_by writes each partition below its values, which are the last columns, and knows them."""
    made = athena(
        f"CREATE TABLE by_kind WITH (external_location = 's3://{lake}/by-kind/', partitioned_by = ARRAY['kind']) AS SELECT id, kind FROM events"
    )
    assert made["Status"]["State"] == "SUCCEEDED", made["Status"]
    keys = {item["Key"].rpartition("/")[0] for item in clients("s3").list_objects_v2(Bucket=lake, Prefix="by-kind/")["Contents"]}
    assert keys == {"by-kind/kind=buy", "by-kind/kind=look"}
    assert rows(clients, athena("SELECT kind, count(*) AS n FROM by_kind GROUP BY kind ORDER BY kind"))[1:] == [
        ["buy", "3"],
        ["look", "3"],
    ]
    made = athena(
        f"CREATE TABLE wrong WITH (external_location = 's3://{lake}/wrong/', partitioned_by = ARRAY['kind']) AS SELECT kind, id FROM events"
    )
    assert (made["Status"]["State"], "HIVE_COLUMN_ORDER_MISMATCH" in made["Status"]["StateChangeReason"]) == ("FAILED", True)


@pytest.mark.rule("athena/latest/ug/insert-into.html")
def test_rows_are_inserted_into_their_partitions(clients, athena):
    """INSERT INTO a partitioned table goes by the places of the columns, the partition keys last, and adds new partitions to the catalogue."""
    athena("MSCK REPAIR TABLE days")
    athena("INSERT INTO days SELECT id AS a, kind AS b, amount AS c, '2026-01-0' || CAST(2 + id % 2 AS varchar) AS d FROM events")
    found = rows(clients, athena("SELECT dt, count(*) AS n, sum(amount) AS s FROM days GROUP BY dt ORDER BY dt"))
    assert found[1:] == [["2026-01-01", "3", "4.5"], ["2026-01-02", "6", "13.5"], ["2026-01-03", "3", "13.5"]]
    failed = athena("INSERT INTO days SELECT id FROM events")
    assert (failed["Status"]["State"], "TYPE_MISMATCH" in failed["Status"]["StateChangeReason"]) == ("FAILED", True)


@pytest.mark.rule("athena/latest/ug/alter-table-add-partition.html")
def test_rows_are_inserted_where_their_partition_is(clients, athena, lake):
    """The rows of a partition are those at its location, wherever that is: INSERT INTO adds to them there."""
    athena(f"ALTER TABLE days ADD PARTITION (dt = '2026-03-01') LOCATION 's3://{lake}/elsewhere/'")
    athena("INSERT INTO days SELECT id, kind, amount, '2026-03-01' FROM events")
    assert rows(clients, athena("SELECT count(*) FROM days WHERE dt = '2026-03-01'"))[1:] == [["6"]]
    assert clients("s3").list_objects_v2(Bucket=lake, Prefix="elsewhere/")["KeyCount"] == 1


@pytest.mark.rule("athena/latest/ug/ctas-considerations-limitations.html")
def test_a_table_from_a_query_needs_an_empty_place(athena, lake):
    """CREATE TABLE AS fails where its location has objects."""
    failed = athena(f"CREATE TABLE again WITH (external_location = 's3://{lake}/json/') AS SELECT id FROM events")
    assert (failed["Status"]["State"], "HIVE_PATH_ALREADY_EXISTS" in failed["Status"]["StateChangeReason"]) == ("FAILED", True)


@pytest.mark.rule("athena/latest/ug/ctas-insert-into.html")
def test_a_query_writes_a_hundred_partitions_at_most(athena, lake):
    """A CTAS or INSERT that would write more than 100 partitions fails."""
    many = " UNION ALL ".join(f"SELECT {number} AS id, 'k{number}' AS k" for number in range(101))
    failed = athena(f"CREATE TABLE many WITH (external_location = 's3://{lake}/many/', partitioned_by = ARRAY['k']) AS {many}")
    assert (failed["Status"]["State"], "TOO_MANY_OPEN_PARTITIONS" in failed["Status"]["StateChangeReason"]) == ("FAILED", True)


@pytest.mark.rule(START)
@pytest.mark.parametrize("statement", ["SELECT * FROM missing", "SELEC 1", "SELECT nothing FROM events"])
def test_a_wrong_query_fails(athena, statement):
    """A query that cannot run ends as FAILED with its reason."""
    execution = athena(statement)
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["StateChangeReason"]


@pytest.mark.rule(START)
def test_an_output_location_is_needed(clients):
    """A query without an output location is refused."""
    with pytest.raises(clients("athena").exceptions.InvalidRequestException):
        clients("athena").start_query_execution(QueryString="SELECT 1")


@pytest.mark.rule("athena/latest/ug/querying-with-prepared-statements.html")
def test_execution_parameters(clients, athena):
    """Question marks of a query stand for its ExecutionParameters."""
    assert rows(clients, athena("SELECT id FROM events WHERE id = ?", ExecutionParameters=["3"])) == [["id"], ["3"]]


@pytest.mark.rule("athena/latest/ug/presto-functions.html")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("approx_distinct(id)", "6"), ("date_format(from_unixtime(0), '%Y-%m-%d')", "1970-01-01"), ("count_if(kind = 'buy')", "3"),
        ("max_by(id, amount)", "5"), ("try_cast('x' AS integer)", None), ("cast(min(amount) AS varchar)", "0.0"),
    ],
)  # fmt: skip
def test_functions(clients, athena, expression, expected):
    """Functions of Trino are those of DuckDB under their names."""
    assert rows(
        clients,
        athena(
            f"SELECT {expression} AS v FROM events {'' if '(' in expression and 'try' not in expression and 'from_unix' not in expression else 'LIMIT 1'}"
        ),
    )[1] == [expected]


@pytest.mark.rule("glue/latest/dg/aws-glue-api-catalog-tables.html")
def test_the_catalogue_has_the_table(clients, athena, lake):
    """CREATE EXTERNAL TABLE makes a table in Glue's catalogue."""
    table = clients("glue").get_table(DatabaseName="lake", Name="days")["Table"]
    assert [column["Name"] for column in table["StorageDescriptor"]["Columns"]] == ["id", "kind", "amount"]
    assert table["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    assert table["StorageDescriptor"]["Location"] == f"s3://{lake}/days/"


@pytest.mark.rule("athena/latest/APIReference/API_StartQueryExecution.html")
def test_a_query_with_the_same_token_runs_once(clients, athena, lake):
    """A request with the ClientRequestToken of an earlier one starts nothing; another query with it is refused."""
    make = f"CREATE TABLE buys WITH (format = 'PARQUET', external_location = 's3://{lake}/buys/') AS SELECT id FROM events WHERE kind = 'buy'"
    athena(make)
    token, insert = "t" * 32, "INSERT INTO buys SELECT id FROM events WHERE kind = 'look'"
    first, again = (athena(insert, ClientRequestToken=token) for _ in range(2))
    assert first["QueryExecutionId"] == again["QueryExecutionId"]
    assert rows(clients, athena("SELECT count(*) AS n FROM buys")) == [["n"], ["6"]]
    with pytest.raises(clients("athena").exceptions.InvalidRequestException):
        athena("SELECT 1", ClientRequestToken=token)
