"""DynamoDB: expressions, what they compare and what they may ask for; PartiQL."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

OPERATORS = "amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html"
QUERY = "amazondynamodb/latest/APIReference/API_Query.html"
SELECT = "amazondynamodb/latest/developerguide/ql-reference.select.html"
ITEM = {
    "p": {"S": "a"},
    "s": {"N": "1"},
    "zero": {"N": "0"},
    "word": {"S": "yes"},
    "flag": {"BOOL": True},
    "bytes": {"B": b"yes"},
    "big": {"N": "90071992547409931"},
    "list": {"L": [{"BOOL": True}, {"S": "x"}]},
    "set": {"NS": ["1", "2"]},
    "map": {"M": {"k": {"N": "1"}}},
}
VALUES = {
    ":one": {"N": "1"},
    ":minus": {"N": "-1"},
    ":yes": {"S": "yes"},
    ":true": {"BOOL": True},
    ":near": {"N": "90071992547409930"},
    ":b": {"B": b"yes"},
}


@pytest.fixture
def dynamodb(clients):
    """A client, and the table `t` with a hash and a range key, a local and a global index of keys alone, and two items."""
    client = clients("dynamodb")
    keys = [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "word", "KeyType": "RANGE"}]
    client.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (("p", "S"), ("s", "N"), ("word", "S"))],
        KeySchema=[keys[0], {"AttributeName": "s", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[{"IndexName": "local", "KeySchema": keys, "Projection": {"ProjectionType": "KEYS_ONLY"}}],
        GlobalSecondaryIndexes=[
            {"IndexName": "global", "KeySchema": [{"AttributeName": "word", "KeyType": "HASH"}], "Projection": {"ProjectionType": "KEYS_ONLY"}}
        ],
    )  # fmt: skip
    client.put_item(TableName="t", Item=ITEM)
    client.put_item(TableName="t", Item={"p": {"S": "a"}, "s": {"N": "2"}})
    return client


def refused(call, **options):
    with pytest.raises(ClientError) as error:
        call(TableName="t", **options)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.mark.rule(OPERATORS)
@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("flag = :one", False),
        ("flag <> :one", True),
        ("flag IN (:one)", False),
        ("word = :b", False),
        ("zero BETWEEN :minus AND :one", True),
        ("big = :near", False),
        ("big > :near", True),
        ("zero < :yes", False),
        ("word > :one", False),
        ("word BETWEEN :minus AND :one", False),
        ("contains(#list, :one)", False),
        ("contains(#list, :true)", True),
        ("contains(#set, :one)", True),
        ("size(nothing) > :one", False),
        ("size(zero) > :one", False),
        ("size(bytes) > :one", True),
        ("begins_with(bytes, :b)", True),
    ],
)
def test_values_are_compared_by_type(dynamodb, condition, holds):
    """Values of different types are neither equal nor in an order; numbers are exact."""
    used = {name: value for name, value in VALUES.items() if name in condition}
    names = {f"#{name}": name for name in ("list", "set") if f"#{name}" in condition}
    options = {"ExpressionAttributeValues": used, **({"ExpressionAttributeNames": names} if names else {})}
    found = dynamodb.scan(TableName="t", FilterExpression=condition, **options)["Items"]
    assert bool([one for one in found if one["s"] == {"N": "1"}]) is holds


@pytest.mark.rule("amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html")
def test_a_key_has_one_condition(dynamodb):
    """A key condition has one comparison for the sort key."""
    values = {":p": {"S": "a"}, ":x": {"N": "0"}, ":y": {"N": "9"}}
    ask = {"ExpressionAttributeValues": values, "KeyConditionExpression": "p = :p AND s > :x AND s < :y"}
    assert refused(dynamodb.query, **ask) == (
        "ValidationException",
        "KeyConditionExpressions must only contain one condition per key",
    )
    ask["KeyConditionExpression"] = "p = :p AND s BETWEEN :x AND :y"
    assert dynamodb.query(TableName="t", **ask)["Count"] == 2


@pytest.mark.rule(QUERY)
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"FilterExpression": "s > :n", "ExpressionAttributeValues": {":p": {"S": "a"}, ":n": {"N": "0"}}}, "non-primary key attributes"),
        ({"ExclusiveStartKey": {"p": {"S": "a"}}}, "starting key is invalid"),
        ({"Select": "SPECIFIC_ATTRIBUTES"}, "Must specify the AttributesToGet or ProjectionExpression"),
    ],
)  # fmt: skip
def test_a_query_is_refused(dynamodb, options, why):
    """A filter on a key, a key to start from that is none, and attributes that are not named are refused."""
    ask = {"KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}, **options}
    code, message = refused(dynamodb.query, **ask)
    assert code == "ValidationException"
    assert why in message


@pytest.mark.rule(QUERY)
def test_a_count_has_no_items(dynamodb):
    """Select COUNT returns the number of items, and none of them."""
    answer = dynamodb.scan(TableName="t", Select="COUNT")
    assert (answer["Count"], answer.get("Items", [])) == (2, [])


@pytest.mark.rule(QUERY)
def test_all_attributes_of_an_index(dynamodb):
    """ALL_ATTRIBUTES fetches what a local index does not have from the table; a global one that does not have all, refuses it."""
    ask = {"KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}, "Select": "ALL_ATTRIBUTES"}
    (found,) = dynamodb.query(TableName="t", IndexName="local", **ask)["Items"]
    assert found.keys() == ITEM.keys()
    assert found["map"] == ITEM["map"]
    ask = {**ask, "KeyConditionExpression": "#t = :p", "ExpressionAttributeNames": {"#t": "word"}}
    code, message = refused(dynamodb.query, IndexName="global", **ask)
    assert code == "ValidationException"
    assert "ALL_ATTRIBUTES is not supported for global secondary index global" in message


@pytest.mark.rule("amazondynamodb/latest/APIReference/API_BatchWriteItem.html")
@pytest.mark.parametrize(
    "bad",
    [
        {"PutRequest": {"Item": {"p": {"S": "bad"}, "s": {"N": "1"}, "x": {"S": "x" * 420_000}}}},
        {"PutRequest": {"Item": {"p": {"S": "bad"}}}},
        {"PutRequest": {"Item": {"p": {"S": "bad"}, "s": {"S": "1"}}}},
        {"DeleteRequest": {"Key": {"p": {"S": "bad"}}}},
    ],
    ids=["too large", "no range key", "another type", "half a key"],
)
def test_a_batch_that_is_refused_writes_nothing(dynamodb, bad):
    """A batch with one request that is not valid is refused as a whole."""
    good = {"PutRequest": {"Item": {"p": {"S": "good"}, "s": {"N": "1"}}}}
    with pytest.raises(ClientError, match="ValidationException"):
        dynamodb.batch_write_item(RequestItems={"t": [good, bad]})
    assert {one["p"]["S"] for one in dynamodb.scan(TableName="t")["Items"]} == {"a"}


@pytest.mark.rule(SELECT)
@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("zero = 0", [1]),
        ("p = 'a' AND zero = 0", [1]),
        ("p = 'a' AND (s = 1 OR s = 2)", [1, 2]),
        ("s IN [1, 2, 3]", [1, 2]),
        ("s BETWEEN 2 AND 3", [2]),
        ("s <> 1", [2]),
        ("map.k = 1", [1]),
        ("s > 0 AND s < 2", [1]),
        ("contains(word, 'es')", [1]),
        ("begins_with(word, ?)", [1]),
        ("word IS MISSING", [2]),
        ("NOT s = 1", [2]),
    ],
)
def test_a_partiql_select(dynamodb, where, found):
    """SELECT finds all items for which its WHERE holds."""
    options = {"Parameters": [{"S": "ye"}]} if "?" in where else {}
    items = dynamodb.execute_statement(Statement=f"SELECT * FROM t WHERE {where}", **options)["Items"]
    assert sorted(int(one["s"]["N"]) for one in items) == found


@pytest.mark.rule(SELECT)
def test_a_partiql_select_of_an_index(dynamodb):
    """SELECT reads an index by its name, and shows the attributes that it names."""
    statement = 'SELECT p, s FROM "t"."global" WHERE word = \'yes\''
    assert dynamodb.execute_statement(Statement=statement)["Items"] == [{"p": {"S": "a"}, "s": {"N": "1"}}]
    with pytest.raises(ClientError, match="ValidationException"):
        dynamodb.execute_statement(Statement='SELECT * FROM "t"."none"')


@pytest.mark.rule("amazondynamodb/latest/APIReference/API_ExecuteTransaction.html")
def test_statements_of_a_transaction_are_all_done_or_none(dynamodb):
    """A transaction with a statement that fails changes nothing, and tells the reason at its place."""
    insert = "INSERT INTO t VALUE {'p': 'new', 's': 1}"
    statements = [{"Statement": insert}, {"Statement": "INSERT INTO t VALUE {'p': 'a', 's': 1}"}]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as error:
        dynamodb.execute_transaction(TransactStatements=statements)
    assert [one["Code"] for one in error.value.response["CancellationReasons"]] == ["None", "DuplicateItem"]
    assert {one["p"]["S"] for one in dynamodb.scan(TableName="t")["Items"]} == {"a"}
    dynamodb.execute_transaction(TransactStatements=[{"Statement": insert}])
    assert {one["p"]["S"] for one in dynamodb.scan(TableName="t")["Items"]} == {"a", "new"}
