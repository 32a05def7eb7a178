"""A door with TLS before a PostgreSQL that has none: answers its SSLRequest on 127.0.0.1, then passes bytes on."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""What a client sends first that would like TLS (PostgreSQL's protocol, "SSLRequest")."""


class TlsDoor:
    """``encrypted``: of each connection that came, whether it was. ``authority``: the file that vouches for it."""

    def __init__(self, socket: Path, folder: Path, *, offers: bool) -> None:
        self.port, self.encrypted = 0, list[bool]()
        self.authority = folder / "cert.pem"
        self._socket, self._offers = socket, offers
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certify(folder)
        self._context.load_cert_chain(self.authority, folder / "key.pem")

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        try:
            first, is_encrypted = await reader.readexactly(len(SSL_REQUEST)), False
            if first == SSL_REQUEST:
                first, is_encrypted = b"", self._offers
                writer.write(b"S" if self._offers else b"N")
                await writer.drain()
                if is_encrypted:
                    await writer.start_tls(self._context)
            there = await asyncio.open_unix_connection(self._socket)
            there[1].write(first)
            self.encrypted.append(is_encrypted)
            await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
        except (OSError, EOFError):
            writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    finally:
        sink.close()


@asynccontextmanager
async def tls_door(socket: Path, folder: Path, *, offers: bool = True) -> AsyncIterator[TlsDoor]:
    """Open it before the socket of a server. ``offers``: TLS; otherwise it is refused."""
    door = TlsDoor(socket, folder, offers=offers)
    server = await asyncio.start_server(door.pass_on, "127.0.0.1", 0)
    door.port = server.sockets[0].getsockname()[1]
    async with server:
        yield door


def certify(folder: Path) -> None:
    """A certificate for 127.0.0.1, and for no name, that vouches for itself: ``cert.pem`` with ``key.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "spotbot test")])
    began = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(began).not_valid_after(began + dt.timedelta(days=3650))
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = builder.add_extension(here, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "cert.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
