"""The links in e-mails: of this run, to an object's bytes, each object once, and valid for a while."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.parts.checks.email import Link
from tests.loads import context
from tests.unit.parts.places import Bucket, Places


@pytest.fixture
def downloads():
    """Serves /bucket/key: the key's own bytes; 404 for a key that is gone."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            key = self.path.partition("?")[0].removeprefix("/mine/").encode()
            self.send_response(404 if key == b"gone" else 200)
            self.end_headers()
            self.wfile.write(key)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def followed(endpoint, links, objects=("out/a", "out/b")):
    places = Places(s3=Bucket({key: (key.encode(), {}) for key in objects}))
    places.endpoint = endpoint
    return Link(bucket="mine", prefix="out/").followed(context(places), links)


AWS = "https://s3.amazonaws.com/mine/"


def test_each_object_is_downloaded_by_a_link_also_by_two(downloads):
    finding = followed(downloads, [f"{AWS}out/a", f"{AWS}out/b", f"{AWS}out/a"])
    assert finding.holds
    assert finding.text == "3 links download the 2 objects below out/"


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ([f"{AWS}out/a"], "no link downloads out/b"),
        ([f"{AWS}out/a", f"{AWS}out/b", f"{AWS}gone"], "link 3 answers 404"),
        ([f"{AWS}out/a", f"{AWS}out/b", f"{AWS}in/a"], "link 3 downloads other bytes than those of any object below out/"),
    ],
)
def test_a_link_to_something_else_and_an_object_without_one_are_named(downloads, links, said):
    finding = followed(downloads, links)
    assert (finding.holds, finding.text) == (False, said)


def signed(key, seconds, ago=0):
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - ago))
    return f"{AWS}{key}?X-Amz-Date={at}&X-Amz-Expires={seconds}&X-Amz-Signature=00"


def test_a_link_that_is_soon_over_is_named(downloads):
    assert followed(downloads, [signed("out/a", 86_400), signed("out/b", 7200)]).holds
    finding = followed(downloads, [signed("out/a", 86_400), signed("out/b", 7200, ago=7000)])
    assert not finding.holds
    assert finding.text.startswith("link 2 is valid for ")
    assert not followed(downloads, [f"{AWS}out/a?Expires={int(time.time()) + 60}", f"{AWS}out/b"]).holds


def test_a_mail_of_another_run_is_told_by_its_bucket():
    link = Link(bucket="mine")
    assert link.of({"Body": {"text_part": f"see https://x.org/ and {AWS}a?b=c."}}) == f"{AWS}a?b=c"
    assert link.of({"Body": {"html_part": f'<a href="{AWS}a?b=c&amp;d=e">'}}) == f"{AWS}a?b=c&d=e"
    assert link.of({"Body": {"html_part": '<a href="https://s3.amazonaws.com/other/a">'}}) is None
