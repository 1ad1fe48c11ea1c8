"""The server in front of LocalStack, over TCP and TLS: what only a real connection shows."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness.inside import server
from tests.unit.inside.wire import CLOSING, all_of, echo, head_and_body, post


@pytest.fixture
def serve():
    """Called with an application, and perhaps a TLS context, it returns the address at which the server accepts connections for it."""
    listeners = []

    def listen(app, tls=None):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=server.accept, args=(listener, app, tls), daemon=True).start()
        return listener.getsockname()

    yield listen
    for listener in listeners:
        server.stop_listening(listener)


def test_a_client_sees_that_a_connection_was_cut_as_a_reset(serve):
    def app(environ, start):
        answer = echo(environ, start)
        environ["pipeproof.connection"].cut()
        return answer

    with socket.create_connection(serve(app), 10) as connection:
        connection.sendall(post(b"x" * 100))
        with pytest.raises(ConnectionResetError):
            all_of(connection)


def test_small_answers_are_sent_without_delay(serve):
    options = []

    def app(environ, start):
        options.append(environ["pipeproof.connection"]._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        return echo(environ, start)

    with socket.create_connection(serve(app), 10) as connection:
        connection.sendall(CLOSING)
        all_of(connection)
    assert options != [0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "here")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1)).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "here.pem"
    encoding = serialization.Encoding.PEM
    of_key = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(of_key + made.public_bytes(encoding))
    return path


def test_one_port_speaks_with_tls_and_without(serve, certificate):
    def app(environ, start):
        body = environ["wsgi.url_scheme"].encode()
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.load_cert_chain(certificate)
    theirs.check_hostname, theirs.verify_mode = False, ssl.CERT_NONE
    address = serve(app, ours)
    for scheme in (b"http", b"https"):
        plain = socket.create_connection(address, 10)
        with plain if scheme == b"http" else theirs.wrap_socket(plain) as connection:
            connection.sendall(CLOSING)
            assert head_and_body(all_of(connection))[1] == scheme
