"""What control routes answer to a request that they do not understand."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from localstack.http import Response

from harness.documents import MISTYPED

if TYPE_CHECKING:
    from collections.abc import Callable

    from localstack.http import Request


def understood(serve: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Makes a route answer 400, with what is wrong, where its query or its document has other types than it expects."""

    @functools.wraps(serve)
    def answer(request: Request) -> Response:
        try:
            return serve(request)
        except MISTYPED as error:
            return Response.for_json({"error": f"the request is not understood: {type(error).__name__}: {error}"}, status=400)

    return answer
