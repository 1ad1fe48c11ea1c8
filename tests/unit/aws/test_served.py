"""What a pipeline on AWS fetches from this machine."""

from __future__ import annotations

import base64
import socket
import struct

import pytest
import urllib3

from harness.aws.served import ServedHere
from harness.emulator.ports import free_port
from harness.errors import UsageError
from tests.conformance.functions import wait_until

ACCOUNT = "111111111111"
MADE = {"key": "secret", "page_size": 2, "answers": [], "version": "", "older": {}}


@pytest.fixture
def here():
    served = ServedHere("https://tunnel.example/", free_port(), ACCOUNT)
    served.start()
    yield served
    served.stop()


def fetched(here, path, key="secret"):
    return urllib3.request("GET", f"http://127.0.0.1:{here._port}{path}", headers={"x-api-key": key}, retries=False)


def unserved(here, first):
    """Of each record from the first on, whether it was not served. A page counts once it is written: who fetches it may have it sooner."""
    return [at is None for at in here.told("customers", first)["served"]]


def test_pages_are_served_below_any_path_and_what_was_served_is_told(here):
    here.make("customers", MADE)
    here.add("customers", [(base64.b64encode(b'{"n": %d}' % number).decode(), True) for number in range(3)])
    page = fetched(here, f"/tunnel/_served/{ACCOUNT}/customers?limit=2").json()
    assert (page["items"], page["more"]) == ([{"n": 0}, {"n": 1}], True)
    wait_until(lambda: unserved(here, 0) == [False, False, True], "the first page to count as served")
    page = fetched(here, f"/_served/{ACCOUNT}/customers?cursor={page['next']}").json()
    assert (page["items"], page["more"]) == ([{"n": 2}], False)
    wait_until(lambda: unserved(here, 1) == [False, False], "the second page to count as served")


def test_what_is_not_there_and_who_has_no_key_are_refused(here):
    here.make("customers", {**MADE, "answers": [{"requests": "2", "answer": "throttled", "status": 503, "seconds": 7}]})
    for path in ("/", "/_served/222222222222/customers", f"/_served/{ACCOUNT}/other", f"/other/{ACCOUNT}/customers"):
        assert fetched(here, path).status == 404
    assert fetched(here, f"/_served/{ACCOUNT}/customers", key="other").status == 401
    assert fetched(here, f"/_served/{ACCOUNT}/customers").headers["Retry-After"] == "7"
    assert here.told("customers")["met"] == [1]


def test_a_port_that_is_taken_is_told(here):
    with pytest.raises(UsageError, match=r"--served-port \d+: Address already in use"):
        ServedHere("https://tunnel.example", here._port, ACCOUNT).start()


def test_it_listens_no_more_at_the_end(here):
    here.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", here._port), timeout=5)
    here.start()
    assert fetched(here, "/").status == 404


def test_what_a_client_did_not_get_is_not_served_and_nothing_is_said(here, capfd):
    here.make("customers", {**MADE, "page_size": 10})
    here.add("customers", [(base64.b64encode(b'{"n": "%s"}' % (b"x" * 5_000_000)).decode(), True) for _ in range(10)])
    with socket.create_connection(("127.0.0.1", here._port)) as client:
        client.sendall(f"GET /_served/{ACCOUNT}/customers HTTP/1.1\r\nx-api-key: secret\r\n\r\n".encode())
        client.recv(1000)
        # It goes at once, with what is not read.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with socket.create_connection(("127.0.0.1", here._port)) as scanner:
        scanner.sendall(b"GET http://[x HTTP/1.0\r\n\r\n")
        assert b" 404 " in scanner.recv(1000)
    here.stop()
    assert here.told("customers")["served"] == [None] * 10
    assert capfd.readouterr() == ("", "")
