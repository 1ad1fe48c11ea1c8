"""Which operation of S3 a request asks for: the answer is the one that LocalStack's table of routes gives."""

from __future__ import annotations

import types

import localstack.aws.protocol.op_router as original
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from localstack.aws.spec import load_service
from localstack.http import Request
from rolo.request import get_raw_path
from werkzeug.exceptions import NotFound

from harness.inside.patches import gateway, parsing


class Quick(original.RestServiceOperationRouter):
    """LocalStack's with the patch."""


Quick.__init__, Quick.match = original.RestServiceOperationRouter.__init__, original.RestServiceOperationRouter.match
_patched = types.SimpleNamespace(
    RestServiceOperationRouter=Quick,
    get_raw_path=gateway._raw_path(get_raw_path),
    _RequestMatchingRule=original._RequestMatchingRule,
)
parsing.operations.apply(_patched)
S3 = load_service("s3")
QUICK, PLAIN = Quick(S3), original.RestServiceOperationRouter(S3)

SEGMENTS = st.sampled_from(
    ["", "b", "k", "a%20b", "%2F", "a;b", "a#b", "\u00e9", "a:b", "<x>", "WriteGetObjectResponse", ".", ".."]
)
PATHS = st.lists(SEGMENTS, max_size=5).map(lambda parts: "/" + "/".join(parts))
QUERIES = st.sampled_from(
    ["", "acl", "list-type=2", "uploads", "uploadId=1", "uploadId=1&partNumber=2", "versioning", "tagging", "select&select-type=2", "x-id=PutObject", "delete", "a=/b"]
)  # fmt: skip
HEADERS = st.sampled_from([{}, {"x-amz-copy-source": "/b/k"}, {"X-Amz-Copy-Source": "/b/k", "x-amz-object-attributes": "ETag"}])
METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"])


def found(router, method, path, query, headers):
    uri = f"{path}?{query}" if query else path
    request = Request(method, path, headers={**headers, "Host": "127.0.0.1:4566"}, query_string=query, raw_path=path)
    request.environ["RAW_URI"] = uri
    try:
        operation, named = router.match(request)
    except NotFound:
        return None
    return operation.name, dict(named)


@given(METHODS, PATHS, QUERIES, HEADERS)
@example("PUT", "/b/k/", "", {})
@example("PUT", "/b/", "", {})
@example("GET", "/b//k", "", {})
@example("PUT", "/b/a;b", "", {})
@example("POST", "/WriteGetObjectResponse", "", {})
def test_the_operation_is_the_one_that_localstack_finds(method, path, query, headers):
    asked = (method, path, query, headers)
    assert found(QUICK, *asked) == found(QUICK, *asked) == found(PLAIN, *asked)


def test_other_services_are_left_to_localstack():
    assert Quick(load_service("lambda")).pipeproof_rules is None


@pytest.mark.parametrize("uri", ["/a?b", "/a", "//a?b", "http://h/a?b", "/a;b?c", "/a#b", "", "/?a=;"])
def test_a_raw_path_is_the_one_that_rolo_finds(uri):
    request = types.SimpleNamespace(environ={"RAW_URI": uri}, path="/there")
    assert gateway._raw_path(get_raw_path)(request) == get_raw_path(request)
