"""Patches whose effect can be seen without LocalStack."""

from __future__ import annotations

from types import SimpleNamespace

from harness.inside.patches import _http, _sessions


class Loader:
    """As botocore's: reads a file for whoever asks."""

    read: list[str]

    def load_file(self, path):
        self.read.append(path)
        return {"of": path}


def test_the_tables_that_all_sessions_need_are_read_once_and_other_files_each_time():
    botocore = SimpleNamespace(JSONFileLoader=type("Own", (Loader,), {"read": []}))
    _sessions(botocore)
    for _ in range(3):
        for path in ("/data/endpoints", "/data/partitions", "/data/s3/service-2"):
            assert botocore.JSONFileLoader().load_file(path) == {"of": path}
    assert botocore.JSONFileLoader.read == ["/data/endpoints", "/data/partitions", *["/data/s3/service-2"] * 3]


def test_a_content_type_is_parsed_once_and_no_access_log_is_written():
    parsed = []

    def parse(line):
        parsed.append(line)
        return line.partition(b";")[0]

    class Factory:
        def log(self, request):
            raise AssertionError(request)

    twisted = SimpleNamespace(_parseContentType=parse, HTTPFactory=Factory)
    _http(twisted)
    for _ in range(3):
        assert twisted._parseContentType(b"application/json; charset=utf-8") == b"application/json"
    assert parsed == [b"application/json; charset=utf-8"]
    twisted.HTTPFactory().log("request")
