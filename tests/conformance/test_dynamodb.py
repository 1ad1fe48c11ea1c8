"""DynamoDB: what writes are refused, and what is written once."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.conformance.tables import item, items, refused

TRANSACTION = "amazondynamodb/latest/APIReference/API_TransactWriteItems.html"
BATCH = "amazondynamodb/latest/APIReference/API_BatchWriteItem.html"
LIMITS = "amazondynamodb/latest/developerguide/Constraints.html"
CONDITIONS = "amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html"


def adds(key="a", number="1"):
    update = {
        "TableName": "t",
        "Key": item(key),
        "UpdateExpression": "ADD n :n",
        "ExpressionAttributeValues": {":n": {"N": number}},
    }
    return [{"Update": update}]


@pytest.mark.rule(TRANSACTION)
def test_a_transaction_with_the_same_token_is_done_once(dynamodb):
    """Calls with the same ClientRequestToken have the effect of one, for ten minutes."""
    for _ in range(3):
        dynamodb.transact_write_items(TransactItems=adds(), ClientRequestToken="token")
    assert items(dynamodb)["a"]["n"] == {"N": "1"}


@pytest.mark.rule(TRANSACTION)
def test_a_token_with_another_transaction_is_refused(dynamodb):
    """The same token with other parameters is an IdempotentParameterMismatchException."""
    dynamodb.transact_write_items(TransactItems=adds(), ClientRequestToken="token")
    code, _ = refused(dynamodb.transact_write_items, TransactItems=adds(number="2"), ClientRequestToken="token")
    assert code == "IdempotentParameterMismatchException"
    assert items(dynamodb)["a"]["n"] == {"N": "1"}


@pytest.mark.rule(TRANSACTION)
def test_without_a_token_each_transaction_counts(dynamodb):
    """Without a ClientRequestToken the same transaction twice is applied twice."""
    for _ in range(2):
        dynamodb.transact_write_items(TransactItems=adds())
    assert items(dynamodb)["a"]["n"] == {"N": "2"}


@pytest.mark.rule(TRANSACTION)
def test_a_failed_transaction_may_be_tried_again_with_its_token(dynamodb):
    """A transaction that was cancelled has no effect, and its token is free."""
    put = {"Put": {"TableName": "t", "Item": item("b"), "ConditionExpression": "attribute_exists(id)"}}
    code, _ = refused(dynamodb.transact_write_items, TransactItems=[put, *adds()], ClientRequestToken="token")
    assert code == "TransactionCanceledException"
    dynamodb.put_item(TableName="t", Item=item("b"))
    dynamodb.transact_write_items(TransactItems=[put, *adds()], ClientRequestToken="token")
    assert items(dynamodb)["a"]["n"] == {"N": "1"}


@pytest.mark.rule(TRANSACTION)
def test_a_cancelled_transaction_writes_nothing_and_says_why(dynamodb):
    """All or none; CancellationReasons are in the order of the items."""
    put = {"Put": {"TableName": "t", "Item": item("b"), "ConditionExpression": "attribute_exists(id)"}}
    with pytest.raises(ClientError) as error:
        dynamodb.transact_write_items(TransactItems=[*adds(), put])
    assert [reason["Code"] for reason in error.value.response["CancellationReasons"]] == ["None", "ConditionalCheckFailed"]
    assert items(dynamodb) == {}


@pytest.mark.rule(TRANSACTION)
def test_a_transaction_has_a_hundred_actions_at_most(dynamodb):
    """More than 100 actions are refused."""
    puts = [{"Put": {"TableName": "t", "Item": item(str(n))}} for n in range(101)]
    assert refused(dynamodb.transact_write_items, TransactItems=puts)[0] == "ValidationException"
    dynamodb.transact_write_items(TransactItems=puts[:100])
    assert len(items(dynamodb)) == 100


@pytest.mark.rule(TRANSACTION)
def test_a_transaction_names_an_item_once(dynamodb):
    """Two actions on one item are refused."""
    code, message = refused(dynamodb.transact_write_items, TransactItems=adds() * 2)
    assert code == "ValidationException"
    assert "multiple operations on one item" in message


@pytest.mark.rule(BATCH)
def test_a_batch_has_25_requests_at_most(dynamodb):
    """More than 25 requests are refused, and nothing is written."""
    puts = [{"PutRequest": {"Item": item(str(n))}} for n in range(26)]
    assert refused(dynamodb.batch_write_item, RequestItems={"t": puts})[0] == "ValidationException"
    assert items(dynamodb) == {}
    answer = dynamodb.batch_write_item(RequestItems={"t": puts[:25]})
    assert (answer["UnprocessedItems"], "ConsumedCapacity" in answer) == ({}, False)
    asked = dynamodb.batch_write_item(RequestItems={"t": puts[:25]}, ReturnConsumedCapacity="TOTAL")
    assert asked["ConsumedCapacity"][0]["TableName"] == "t"


@pytest.mark.rule(BATCH)
@pytest.mark.parametrize("second", [{"PutRequest": {"Item": item("a")}}, {"DeleteRequest": {"Key": item("a")}}])
def test_a_batch_names_an_item_once(dynamodb, second):
    """Two requests for one item are refused: Provided list of item keys contains duplicates."""
    puts = [{"PutRequest": {"Item": item("a", n={"N": "1"})}}, second]
    code, message = refused(dynamodb.batch_write_item, RequestItems={"t": puts})
    assert (code, message) == ("ValidationException", "Provided list of item keys contains duplicates")
    assert items(dynamodb) == {}


@pytest.mark.rule("amazondynamodb/latest/APIReference/API_BatchGetItem.html")
def test_a_batch_of_gets_has_a_hundred_keys_at_most(dynamodb):
    """More than 100 keys are refused; so is a key that is named twice."""
    keys = [item(str(n)) for n in range(101)]
    assert refused(dynamodb.batch_get_item, RequestItems={"t": {"Keys": keys}})[0] == "ValidationException"
    assert refused(dynamodb.batch_get_item, RequestItems={"t": {"Keys": [item("a")] * 2}})[0] == "ValidationException"


@pytest.mark.rule(LIMITS)
def test_an_item_has_400_kb_at_most(dynamodb):
    """A larger item is refused."""
    code, message = refused(dynamodb.put_item, TableName="t", Item=item("a", text={"S": "x" * 409_600}))
    assert code == "ValidationException"
    assert "Item size has exceeded the maximum allowed size" in message
    dynamodb.put_item(TableName="t", Item=item("a", text={"S": "x" * 409_000}))


@pytest.mark.rule(LIMITS)
def test_a_key_is_not_empty(dynamodb):
    """An empty string is no key."""
    assert refused(dynamodb.put_item, TableName="t", Item=item(""))[0] == "ValidationException"


@pytest.mark.rule(CONDITIONS)
def test_a_condition_that_fails_leaves_the_item(dynamodb):
    """ConditionalCheckFailedException, with the item where that was asked for."""
    dynamodb.put_item(TableName="t", Item=item("a", n={"N": "1"}))
    with pytest.raises(ClientError) as error:
        dynamodb.put_item(
            TableName="t", Item=item("a"), ConditionExpression="attribute_not_exists(id)", ReturnValuesOnConditionCheckFailure="ALL_OLD"
        )  # fmt: skip
    assert error.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert error.value.response["Item"] == item("a", n={"N": "1"})
    assert items(dynamodb)["a"]["n"] == {"N": "1"}


@pytest.mark.rule("amazondynamodb/latest/APIReference/API_UpdateItem.html")
def test_a_key_is_not_updated(dynamodb):
    """An update of an attribute of the key is refused."""
    code, _ = refused(
        dynamodb.update_item, TableName="t", Key=item("a"), UpdateExpression="SET id = :v",
        ExpressionAttributeValues={":v": {"S": "b"}},
    )  # fmt: skip
    assert code == "ValidationException"


@pytest.mark.rule(LIMITS)
def test_numbers_have_38_digits(dynamodb):
    """A number with more digits is refused, and one with 38 is kept as it is."""
    assert refused(dynamodb.put_item, TableName="t", Item=item("a", n={"N": "1" * 39}))[0] == "ValidationException"
    dynamodb.put_item(TableName="t", Item=item("a", n={"N": "1" * 38}))
    assert items(dynamodb)["a"]["n"] == {"N": "1" * 38}


@pytest.mark.rule("amazondynamodb/latest/developerguide/Scan.html")
def test_a_scan_ends_at_a_megabyte(dynamodb):
    """A page has at most 1 MB; LastEvaluatedKey leads on, and all pages have each item once."""
    for start in range(0, 30, 10):
        for n in range(start, start + 10):
            dynamodb.put_item(TableName="t", Item=item(str(n), text={"S": "x" * 100_000}))
    pages = list(dynamodb.get_paginator("scan").paginate(TableName="t", ConsistentRead=True))
    assert len(pages) >= 3
    assert sorted(int(found["id"]["S"]) for page in pages for found in page["Items"]) == list(range(30))


@pytest.mark.rule("amazondynamodb/latest/developerguide/TTL.html")
def test_time_to_live_is_described(dynamodb):
    """The attribute that holds the time is as it was set."""
    dynamodb.update_time_to_live(TableName="t", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    described = dynamodb.describe_time_to_live(TableName="t")["TimeToLiveDescription"]
    assert described["AttributeName"] == "expires"
    assert described["TimeToLiveStatus"] in {"ENABLING", "ENABLED"}


TYPES = "amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html"


@pytest.mark.rule(TYPES)
def test_numbers_are_numbers(clients):
    """1, 1.0, 01 and 1E0 are the same key, and come back as 1."""
    client = clients("dynamodb")
    client.create_table(
        TableName="numbers",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    for text in ("1", "1.0", "01", "1E0"):
        client.put_item(TableName="numbers", Item={"id": {"N": text}, "n": {"N": f"{text}"}})
    assert client.scan(TableName="numbers")["Items"] == [{"id": {"N": "1"}, "n": {"N": "1"}}]
    assert client.get_item(TableName="numbers", Key={"id": {"N": "1.00"}})["Item"]["n"] == {"N": "1"}


@pytest.mark.rule(TYPES)
@pytest.mark.parametrize(
    "value", [{"N": "abc"}, {"N": "1E126"}, {"N": ""}, {"NS": ["1", "1.0"]}, {"SS": ["a", "a"]}, {"SS": []}], ids=str
)
def test_values_that_are_none(dynamodb, value):
    """What is no number, a number beyond the bounds, an empty set, and a set that has something twice are a ValidationException."""
    code, _ = refused(dynamodb.put_item, TableName="t", Item={**item("a"), "x": value})
    assert code == "ValidationException"


@pytest.fixture
def indexed(clients):
    """A table with the index `by-of` over `of`, a text, and `at`, a number."""
    client = clients("dynamodb")
    names = {"id": "S", "of": "S", "at": "N"}
    client.create_table(
        TableName="indexed",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-of",
                "KeySchema": [{"AttributeName": "of", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return client


@pytest.mark.rule("amazondynamodb/latest/developerguide/GSI.html")
@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"of": {"N": "1"}}, "Type mismatch for Index Key of Expected: S Actual: N IndexName: by-of"),
        ({"at": {"S": "1"}}, "Type mismatch for Index Key at Expected: N Actual: S IndexName: by-of"),
        ({"at": {"NULL": True}}, "Type mismatch for Index Key at Expected: N Actual: NULL IndexName: by-of"),
        ({"of": {"S": ""}}, "cannot contain an empty string value. IndexName: by-of, IndexKey: of"),
    ],
    ids=["a number", "a text", "null", "empty"],
)
def test_the_key_of_an_index_has_its_type(indexed, attributes, why):
    """An item whose attribute is the key of an index must have its type there, and no empty text: it is refused, however it is written."""
    put = {"TableName": "indexed", "Item": item("a", **attributes)}
    [[name, value]] = attributes.items()
    update = {
        "TableName": "indexed",
        "Key": item("a"),
        "UpdateExpression": "SET #n = :v, other = :o",
        "ExpressionAttributeNames": {"#n": name},
        "ExpressionAttributeValues": {":v": value, ":o": {"S": "x"}},
    }
    told = [
        refused(indexed.put_item, **put),
        refused(indexed.update_item, **update),
        refused(indexed.batch_write_item, RequestItems={"indexed": [{"PutRequest": {"Item": put["Item"]}}]}),
        refused(indexed.transact_write_items, TransactItems=[{"Put": put}]),
    ]
    assert {code for code, _ in told} == {"ValidationException"}
    assert all(why in message for _, message in told)
    assert indexed.scan(TableName="indexed")["Items"] == []
    indexed.put_item(TableName="indexed", Item=item("a", of={"S": "x"}))


@pytest.mark.rule(TRANSACTION)
def test_a_transaction_has_4_mb_at_most(dynamodb):
    """The items of a transaction have 4 MB at most together."""
    puts = [{"Put": {"TableName": "t", "Item": item(str(n), text={"S": "x" * 390_000})}} for n in range(11)]
    assert refused(dynamodb.transact_write_items, TransactItems=puts)[0] == "ValidationException"
    assert items(dynamodb) == {}
    dynamodb.transact_write_items(TransactItems=puts[:10])


@pytest.mark.rule("amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html")
@pytest.mark.parametrize(
    ("call", "options"),
    [
        ("update_item", {"Key": item("a"), "UpdateExpression": "SET #n = :v", "ExpressionAttributeValues": {":v": {"N": "1"}}}),
        ("update_item", {"Key": item("a"), "UpdateExpression": "SET n = :v"}),
        ("put_item", {"Item": item("a"), "ConditionExpression": "attribute_not_exists(#n)"}),
        ("put_item", {"Item": item("a"), "ConditionExpression": "n = :v"}),
        ("delete_item", {"Key": item("a"), "ConditionExpression": "#n = :v", "ExpressionAttributeValues": {":v": {"N": "1"}}}),
        ("query", {"KeyConditionExpression": "#id = :v", "ExpressionAttributeValues": {":v": {"S": "a"}}}),
        ("query", {"KeyConditionExpression": "id = :v"}),
        ("scan", {"FilterExpression": "#n = :v", "ExpressionAttributeValues": {":v": {"N": "1"}}}),
        ("get_item", {"Key": item("a"), "ProjectionExpression": "#n"}),
        ("scan", {"ProjectionExpression": "#n"}),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(v for k, v in value.items() if k.endswith("Expression")),
)
def test_what_an_expression_does_not_define(dynamodb, call, options):
    """An expression that uses a name or a value which the request does not define, is refused."""
    dynamodb.put_item(TableName="t", Item=item("a"))
    code, message = refused(getattr(dynamodb, call), TableName="t", **options)
    assert code == "ValidationException"
    assert "An expression attribute " in message
    assert "used in" in message or "used in expression is not defined" in message


@pytest.mark.rule("amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeValues.html")
@pytest.mark.parametrize(
    "unused", [{"ExpressionAttributeNames": {"#x": "x"}}, {"ExpressionAttributeValues": {":x": {"N": "1"}, ":v": {"N": "1"}}}]
)
def test_what_no_expression_uses(dynamodb, unused):
    """A name or a value that no expression of the request uses, is refused."""
    options = {"UpdateExpression": "SET n = :v", "ExpressionAttributeValues": {":v": {"N": "1"}}, **unused}
    code, message = refused(dynamodb.update_item, TableName="t", Key=item("a"), **options)
    assert code == "ValidationException"
    assert "unused in expressions" in message
