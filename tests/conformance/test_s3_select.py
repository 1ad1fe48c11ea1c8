"""SelectObjectContent."""

from __future__ import annotations

import bz2
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SELECT = "AmazonS3/latest/userguide/s3-select-sql-reference-select.html"
API = "AmazonS3/latest/API/API_SelectObjectContent.html"
OPERATORS = "AmazonS3/latest/userguide/s3-select-sql-reference-operators.html"
FUNCTIONS = "AmazonS3/latest/userguide/s3-select-sql-reference-sql-functions.html"

PEOPLE = 'name,age,city\nada,36,London\nbob,5,Paris\n"o, hara",41,Rome\n'
HEADER = {"CSV": {"FileHeaderInfo": "USE"}}


@pytest.fixture
def select(clients):
    s3 = clients("s3")
    bucket = f"select-{clients.account}"
    s3.create_bucket(Bucket=bucket)

    def run(body, expression, source=None, target=None, **options):
        s3.put_object(Bucket=bucket, Key="object", Body=body)
        answer = s3.select_object_content(
            Bucket=bucket, Key="object", Expression=expression, ExpressionType="SQL",
            InputSerialization=source or HEADER, OutputSerialization=target or {"CSV": {}}, **options,
        )  # fmt: skip
        events = list(answer["Payload"])
        run.events = events
        return b"".join(event["Records"]["Payload"] for event in events if "Records" in event).decode()

    return run


@pytest.mark.rule(SELECT)
def test_selects_columns_of_rows(select):
    """A query selects columns by name, of the rows that its condition holds for."""
    assert select(PEOPLE, "SELECT s.name FROM S3Object s WHERE s.city = 'Paris'") == "bob\n"


@pytest.mark.rule(SELECT)
def test_selects_everything(select):
    """SELECT * gives all columns of all rows; a value with a delimiter in it is quoted."""
    assert select(PEOPLE, "SELECT * FROM S3Object") == 'ada,36,London\nbob,5,Paris\n"o, hara",41,Rome\n'


@pytest.mark.rule("AmazonS3/latest/userguide/s3-select-sql-reference-conversion.html")
def test_values_of_csv_are_strings_until_they_are_cast(select):
    """Values of CSV are strings; CAST makes numbers of them."""
    assert select(PEOPLE, "SELECT s.name FROM S3Object s WHERE CAST(s.age AS INT) > 10") == 'ada\n"o, hara"\n'
    assert select(PEOPLE, "SELECT s.name FROM S3Object s WHERE CAST(s.age AS DECIMAL) > 40.5") == '"o, hara"\n'
    assert select(PEOPLE, "SELECT s.name FROM S3Object s WHERE s.age > '4'") == 'bob\n"o, hara"\n'


@pytest.mark.rule(API)
def test_columns_without_a_header_are_numbered(select):
    """FileHeaderInfo NONE names columns _1, _2 and so on; IGNORE does so, too, and skips the first row."""
    assert select("a,1\nb,2\n", "SELECT s._2 FROM S3Object s WHERE s._1 = 'b'", {"CSV": {"FileHeaderInfo": "NONE"}}) == "2\n"
    assert select("h,i\na,1\n", "SELECT s._1 FROM S3Object s", {"CSV": {"FileHeaderInfo": "IGNORE"}}) == "a\n"


@pytest.mark.rule(API)
def test_delimiters(select):
    """Field delimiter, quote character and record delimiter of input and output can be chosen."""
    source = {"CSV": {"FileHeaderInfo": "USE", "FieldDelimiter": ";", "QuoteCharacter": "'"}}
    target = {"CSV": {"FieldDelimiter": "|", "RecordDelimiter": "#", "QuoteFields": "ALWAYS"}}
    assert select("a;b\n1;'x;y'\n", "SELECT * FROM S3Object", source, target) == '"1"|"x;y"#'


@pytest.mark.rule(API)
@pytest.mark.parametrize(("kind", "pack"), [("GZIP", gzip.compress), ("BZIP2", bz2.compress)])
def test_compressed_objects(select, kind, pack):
    """CompressionType GZIP and BZIP2 read compressed objects."""
    assert select(pack(PEOPLE.encode()), "SELECT s.city FROM S3Object s LIMIT 1", {**HEADER, "CompressionType": kind}) == "London\n"


LINES = '{"id": 1, "user": {"name": "ada"}, "tags": ["x"]}\n{"id": 2, "user": {"name": "bob"}, "tags": []}\n'


@pytest.mark.rule(SELECT)
def test_json_lines(select):
    """JSON LINES has a record per line, with nested members and types."""
    source, target = {"JSON": {"Type": "LINES"}}, {"JSON": {}}
    assert select(LINES, "SELECT s.user.name FROM S3Object s WHERE s.id > 1", source, target) == '{"name":"bob"}\n'


@pytest.mark.rule(SELECT)
def test_a_json_document(select):
    """JSON DOCUMENT reads from a path: S3Object[*].items[*]."""
    body = json.dumps({"items": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]})
    assert (
        select(body, "SELECT i.b FROM S3Object[*].items[*] i WHERE i.a = 2", {"JSON": {"Type": "DOCUMENT"}}, {"JSON": {}})
        == '{"b":"y"}\n'
    )


@pytest.mark.rule(API)
def test_parquet(select):
    """Parquet objects are read, with their types."""
    file = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]}), file)
    assert (
        select(file.getvalue(), "SELECT s.b FROM S3Object s WHERE s.a >= 2", {"Parquet": {}}, {"JSON": {}})
        == '{"b":"y"}\n{"b":"z"}\n'
    )


@pytest.mark.rule("AmazonS3/latest/userguide/s3-select-sql-reference-aggregate.html")
@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("COUNT(*)", "3"),
        ("SUM(CAST(s.age AS INT))", "82"),
        ("MIN(CAST(s.age AS INT))", "5"),
        ("MAX(s.name)", '"o, hara"'),
        ("AVG(CAST(s.age AS INT))", "27.333333333333332"),
    ],
)
def test_aggregates(select, aggregate, expected):
    """COUNT, SUM, MIN, MAX and AVG aggregate all rows that are selected."""
    assert select(PEOPLE, f"SELECT {aggregate} FROM S3Object s") == f"{expected}\n"


@pytest.mark.rule(SELECT)
def test_a_limit(select):
    """LIMIT bounds the number of records."""
    assert select(PEOPLE, "SELECT s.name FROM S3Object s LIMIT 2") == "ada\nbob\n"


@pytest.mark.rule(OPERATORS)
@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("s.name LIKE 'a%'", ["ada"]),
        ("s.city IN ('Paris', 'London')", ["ada", "bob"]),
        ("CAST(s.age AS INT) BETWEEN 30 AND 40", ["ada"]),
        ("s.nothing IS MISSING AND s.name = 'bob'", ["bob"]),
        ("NOT s.city = 'Rome'", ["ada", "bob"]),
        ("s.\"name\" = 'ada' OR s.NAME = 'bob'", ["ada", "bob"]),
    ],
)
def test_operators(select, condition, names):
    """LIKE, IN, BETWEEN, IS MISSING, NOT and OR; names without quotes ignore case."""
    assert select(PEOPLE, f"SELECT s.name FROM S3Object s WHERE {condition}").split() == names


@pytest.mark.rule(FUNCTIONS)
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("UPPER(s.name)", "ADA"), ("CHAR_LENGTH(s.city)", "6"), ("SUBSTRING(s.city, 1, 3)", "Lon"), ("TRIM('  x ')", "x"),
        ("COALESCE(s.nothing, s.name)", "ada"), ("NULLIF(s.name, 'ada')", ""), ("CAST(s.age AS INT) + 1", "37"),
        ("CASE WHEN s.name = 'ada' THEN 'yes' ELSE 'no' END", "yes"),
    ],
)  # fmt: skip
def test_functions(select, function, expected):
    """String, conditional and conversion functions."""
    assert select(PEOPLE, f"SELECT {function} FROM S3Object s LIMIT 1") == f"{expected}\n"


@pytest.mark.rule("AmazonS3/latest/API/RESTSelectObjectAppendix.html")
def test_the_events_of_an_answer(select):
    """The answer is a stream of events: Records, then Stats with the bytes, then End."""
    select(PEOPLE, "SELECT s.name FROM S3Object s LIMIT 1")
    assert [next(iter(event)) for event in select.events] == ["Records", "Stats", "End"]
    details = select.events[1]["Stats"]["Details"]
    assert (details["BytesScanned"], details["BytesReturned"]) == (len(PEOPLE), 4)


@pytest.mark.rule("AmazonS3/latest/API/RESTSelectObjectAppendix.html")
def test_large_results_come_in_several_events(select):
    """A Records event has at most 1 MiB."""
    body = "a\n" + "x" * 999 + "\n"
    rows = body + ("x" * 999 + "\n") * 3000
    assert len(select(rows, "SELECT * FROM S3Object")) == 3001 * 1000
    assert all(len(event["Records"]["Payload"]) <= 1024 * 1024 for event in select.events if "Records" in event)


@pytest.mark.rule(API)
def test_a_scan_range_selects_the_records_that_begin_in_it(select):
    """ScanRange selects the records that begin within it."""
    body = "a,1\nb,2\nc,3\n"
    assert select(body, "SELECT * FROM S3Object", {"CSV": {"FileHeaderInfo": "NONE"}}, ScanRange={"Start": 4, "End": 8}) == "b,2\n"


@pytest.mark.rule("AmazonS3/latest/userguide/s3-select-sql-reference-select.html")
@pytest.mark.parametrize("expression", ["SELECT s.a FROM", "SELEC s.a FROM S3Object s", "SELECT a FROM other"])
def test_wrong_queries_are_refused(clients, select, expression):
    """A query that cannot be parsed is refused with 400."""
    with pytest.raises(clients("s3").exceptions.ClientError) as refused:
        select(PEOPLE, expression)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.rule(API)
def test_an_object_that_is_not_there(clients, select):
    """A key that does not exist answers NoSuchKey."""
    with pytest.raises(clients("s3").exceptions.ClientError, match="NoSuchKey"):
        clients("s3").select_object_content(
            Bucket=f"select-{clients.account}", Key="missing", Expression="SELECT * FROM S3Object", ExpressionType="SQL",
            InputSerialization=HEADER, OutputSerialization={"CSV": {}},
        )  # fmt: skip


@pytest.mark.rule(SELECT)
def test_texts_of_json_stay_as_they_are_written(select):
    """JSON has texts and numbers: a text that looks like a time or a UUID is neither, and a record that is selected as a whole is not written anew."""
    record = {
        "id": "DFF11764-D432-4426-AD5D-5B8DDB256927", "at": "2025-05-17T10:00:00+02:00", "day": "2025-05-17", "of": "007",
        "amount": "200.50", "large": 12345678901234567890123, "nothing": None,
    }  # fmt: skip
    body = (json.dumps(record) + "\n" + json.dumps({**record, "amount": 99})).encode()
    source, target = {"JSON": {"Type": "LINES"}}, {"JSON": {}}
    whole = select(body, "SELECT * FROM S3Object s WHERE CAST(s.amount AS DECIMAL) > 100", source, target)
    assert json.loads(whole) == record
    some = select(body, "SELECT s.id, s.at, s.day, s.of FROM S3Object s WHERE CAST(s.amount AS DECIMAL) > 100", source, target)
    assert json.loads(some) == {name: record[name] for name in ("id", "at", "day", "of")}


@pytest.mark.rule(API)
def test_rows_that_begin_with_the_comment_character_are_left_out(select):
    """Comments is # where it is not given. The sign within a row, or quoted, begins no comment."""
    rows = '#x,1\n"#y",2\na#b,3\n"two\n#lines",4\n'
    assert select("name,n\n" + rows, "SELECT s.n FROM S3Object s") == "2\n3\n4\n"
    other = {"CSV": {"FileHeaderInfo": "USE", "Comments": ";"}}
    assert select("name,n\n#x,1\n;y,2\n", "SELECT s.n FROM S3Object s", other) == "1\n"
