"""DynamoDB: what PartiQL writes. What it reads is with the expressions."""

from __future__ import annotations

import pytest

from tests.conformance.tables import item, items, refused

PARTIQL = "amazondynamodb/latest/developerguide/ql-reference.insert.html"
UPDATE = "amazondynamodb/latest/developerguide/ql-reference.update.html"
DELETE = "amazondynamodb/latest/developerguide/ql-reference.delete.html"


@pytest.mark.rule(PARTIQL)
def test_a_partiql_insert_of_a_key_that_is_there_is_refused(dynamodb):
    """INSERT of an item whose key exists is a DuplicateItemException; the item stays as it is."""
    dynamodb.put_item(TableName="t", Item=item("a", n={"N": "1"}))
    statement = "INSERT INTO t VALUE {'id': 'a', 'n': 2}"
    assert refused(dynamodb.execute_statement, Statement=statement)[0] == "DuplicateItemException"
    assert items(dynamodb)["a"]["n"] == {"N": "1"}


@pytest.mark.rule("amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html")
def test_statements_of_a_batch_succeed_or_fail_each_for_itself(dynamodb):
    """The answer has one response per statement, with an error where one failed."""
    statements = [{"Statement": f"INSERT INTO t VALUE {{'id': '{key}'}}"} for key in ("a", "b")]
    dynamodb.put_item(TableName="t", Item=item("a"))
    responses = dynamodb.batch_execute_statement(Statements=statements)["Responses"]
    assert [response.get("Error", {}).get("Code") for response in responses] == ["DuplicateItem", None]
    assert set(items(dynamodb)) == {"a", "b"}


@pytest.mark.rule(UPDATE)
@pytest.mark.parametrize(
    ("statement", "parameters", "becomes"),
    [
        ("UPDATE t SET n = 2 WHERE id = 'a'", [], {"n": {"N": "2"}, "tags": {"SS": ["x", "y"]}, "m": {"M": {"k": {"S": "v"}}}}),
        ("UPDATE \"t\" SET n = n + ? SET s='it''s' WHERE \"id\" = ?", [{"N": "4"}, {"S": "a"}], {"n": {"N": "5"}, "s": {"S": "it's"}, "tags": {"SS": ["x", "y"]}, "m": {"M": {"k": {"S": "v"}}}}),
        ("UPDATE t SET m.k = 'w' REMOVE tags WHERE id = 'a' AND n = 1", [], {"n": {"N": "1"}, "m": {"M": {"k": {"S": "w"}}}}),
        ("UPDATE t SET tags = set_add(tags, <<'z'>>) REMOVE m WHERE id = 'a'", [], {"n": {"N": "1"}, "tags": {"SS": ["x", "y", "z"]}}),
        ("UPDATE t SET l = [1, {'a': TRUE}] REMOVE m REMOVE tags WHERE id = 'a' AND l IS MISSING", [], {"n": {"N": "1"}, "l": {"L": [{"N": "1"}, {"M": {"a": {"BOOL": True}}}]}}),
    ],
    ids=["a literal", "parameters", "a path", "a set", "a list"],
)  # fmt: skip
def test_a_partiql_update(dynamodb, statement, parameters, becomes):
    """UPDATE sets and removes attributes of the one item that its WHERE names."""
    dynamodb.put_item(TableName="t", Item=item("a", n={"N": "1"}, tags={"SS": ["x", "y"]}, m={"M": {"k": {"S": "v"}}}))
    dynamodb.put_item(TableName="t", Item=item("b", n={"N": "1"}))
    dynamodb.execute_statement(Statement=statement, **({"Parameters": parameters} if parameters else {}))
    found = items(dynamodb)
    if "tags" in found["a"]:
        found["a"]["tags"]["SS"].sort()
    assert found == {"a": item("a", **becomes), "b": item("b", n={"N": "1"})}


@pytest.mark.rule(UPDATE)
@pytest.mark.parametrize(
    "where", ["id = 'none'", "id = 'a' AND n = 2", "id = 'a' AND n IS MISSING", "id = 'a' AND (n > 5 OR begins_with(id, 'b'))"]
)
@pytest.mark.parametrize("verb", ["UPDATE t SET n = 9", "DELETE FROM t"])
def test_a_partiql_change_whose_condition_does_not_hold(dynamodb, verb, where):
    """An UPDATE or DELETE that finds no item as its WHERE wants it, fails and changes nothing."""
    dynamodb.put_item(TableName="t", Item=item("a", n={"N": "1"}))
    code, _ = refused(dynamodb.execute_statement, Statement=f"{verb} WHERE {where}")
    assert code == "ConditionalCheckFailedException"
    assert items(dynamodb) == {"a": item("a", n={"N": "1"})}


@pytest.mark.rule(DELETE)
@pytest.mark.parametrize("statement", ["DELETE FROM t", "DELETE FROM t WHERE n = 1", "UPDATE t SET n = 2 WHERE id = 'a' OR n = 1"])
def test_a_partiql_change_names_one_item(dynamodb, statement):
    """The WHERE of a DELETE or UPDATE has an equality for each key attribute."""
    dynamodb.put_item(TableName="t", Item=item("a", n={"N": "1"}))
    code, _ = refused(dynamodb.execute_statement, Statement=statement)
    assert code == "ValidationException"
    assert items(dynamodb) == {"a": item("a", n={"N": "1"})}


@pytest.mark.rule(DELETE)
def test_a_partiql_delete_with_a_parameter(dynamodb):
    """DELETE removes the item of its WHERE, and RETURNING ALL OLD * returns it."""
    for key in ("a", "b"):
        dynamodb.put_item(TableName="t", Item=item(key, n={"N": "1"}))
    answer = dynamodb.execute_statement(Statement="DELETE FROM t WHERE id = ? RETURNING ALL OLD *", Parameters=[{"S": "a"}])
    assert answer["Items"] == [item("a", n={"N": "1"})]
    assert set(items(dynamodb)) == {"b"}
