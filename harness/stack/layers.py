"""Public layers, which are on AWS only: those that PyPI has the same packages of are built from there.

Sources: https://docs.powertools.aws.dev/lambda/python/latest/ (layer ARNs), https://aws-sdk-pandas.readthedocs.io/en/stable/layers.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.stack.values import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_LAYER = re.compile(r"arn:[\w-]+:lambda:[^:]*:(\d{12}):layer:([\w-]+):\d+")
_PARAMETER = re.compile(r"(?:\{\{resolve:ssm:)?/aws/service/powertools/python/")
_PACKAGES = (
    (re.compile(r"AWSLambdaPowertoolsPythonV3"), "aws-lambda-powertools[all]>=3,<4"),
    (re.compile(r"AWSLambdaPowertoolsPythonV2"), "aws-lambda-powertools[all]>=2,<3"),
    (re.compile(r"AWSLambdaPowertoolsPython"), "aws-lambda-powertools[all]<2"),
    (re.compile(r"AWS(SDKPandas|DataWrangler)-"), "awswrangler"),
)


def is_public(layer: Any, values: Mapping[str, Any]) -> bool:
    """Returns whether an entry of `Layers` names a layer of another account. `values` are those of the parameters."""
    text = text_of(layer, values) or ""
    found = _LAYER.fullmatch(text)
    return bool(_PARAMETER.match(text)) or (found is not None and found[1] != values["AWS::AccountId"])


def requirement_of(layer: Any, values: Mapping[str, Any]) -> str | None:
    """Returns the requirement, as pip takes it, that has what a public layer has; None where PyPI has nothing the same."""
    text = text_of(layer, values) or ""
    if _PARAMETER.match(text):
        return _PACKAGES[0][1]
    found = _LAYER.fullmatch(text)
    return next((requirement for pattern, requirement in _PACKAGES if found and pattern.match(found[2])), None)
