"""What a client that is closed leaves on the wire."""

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flotilla.client.blocking import _hang_up


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(signed.public_bytes(encoding) + private)
    return file


def test_a_thread_that_is_sending_when_the_client_is_closed_sends_nothing_in_plain_text(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    calling = ssl.create_default_context(cafile=str(certificate))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        shaken: list[ssl.SSLSocket] = []

        def accept() -> None:
            connection, _ = listening.accept()
            shaken.append(serving.wrap_socket(connection, server_side=True))

        accepting = threading.Thread(target=accept)
        accepting.start()
        plain = socket.create_connection(listening.getsockname(), timeout=5)
        with calling.wrap_socket(plain, server_hostname="localhost") as client:
            accepting.join(5)
            with shaken[0] as server:
                # The thread comes before the kernel has ended the connection.
                monkeypatch.setattr(socket.socket, "shutdown", lambda *_: None)
                _hang_up(client)
                client.sendall(b"of nobody's concern")
                server.settimeout(5)
                assert b"concern" not in socket.socket.recv(server, 4096)
