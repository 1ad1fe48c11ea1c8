"""Packages of functions and layers that AWS would not unpack either."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest
from botocore.exceptions import ClientError


@pytest.mark.parametrize("kind", ["function", "layer"])
def test_a_package_that_leads_out_of_its_directory_is_refused(clients, emulator, kind):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("lnk")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/tmp")
        archive.writestr("lnk/escaped", "x")
        archive.writestr("app.py", "def handler(event, context):\n    return 1\n")
    calls = {
        "function": lambda: clients("lambda").create_function(
            FunctionName="escapes", Runtime=emulator.python_runtime, Role=f"arn:aws:iam::{clients.account}:role/test",
            Handler="app.handler", Code={"ZipFile": buffer.getvalue()},
        ),
        "layer": lambda: clients("lambda").publish_layer_version(LayerName="escapes", Content={"ZipFile": buffer.getvalue()}),
    }  # fmt: skip
    with pytest.raises(ClientError, match="leads out of the archive") as refused:
        calls[kind]()
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
