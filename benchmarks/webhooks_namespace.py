"""A network of its own for attacks: a namespace whose only interface is ``lo``, with the attacked addresses on it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from ctypes import addressof, create_string_buffer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.processes import ROOT

PUBLIC = "93.184.216.34"
PRIVATE = ("169.254.169.254", "10.0.0.1", "2002:7f00:1::1", "64:ff9b::7f00:1", "fd00::1")
"""Put on ``lo`` beside the loopback addresses that are there anyway."""

NAMESPACE = Path("/proc/self/ns/net")
SO_ATTACH_FILTER, ETH_P_ALL, OUTGOING = 26, 3, 4
ETHERNET = 14
"""Bytes before the IP header."""


def enter(module: str, arguments: list[str]) -> int:
    """Run a module again inside a new network namespace; gives its exit code."""
    flags = next((one for one in ("-n", "-rn") if _works(one)), None)
    if flags is None:
        raise SystemExit("unshare makes no network namespace on this machine: the drill runs nowhere else")
    outside = os.readlink(NAMESPACE)
    command = ["unshare", flags, sys.executable, "-m", module, "--outside", outside, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _works(flags: str) -> bool:
    return bool(shutil.which("unshare")) and not subprocess.run(["unshare", flags, "true"], check=False).returncode


def must_be_inside(outside: str) -> None:
    """Refuse to go on where this is the network of who started us, or has any interface but ``lo``."""
    names = [name for _, name in socket.if_nameindex()]
    if os.readlink(NAMESPACE) == outside or names != ["lo"]:
        raise SystemExit("this drill runs only in a network namespace that it made itself")


def set_up_addresses() -> None:
    """Bring ``lo`` up with all addresses."""
    _ip("link", "set", "lo", "up")
    for address in (PUBLIC, *PRIVATE):
        bits = "128" if ":" in address else "32"
        _ip("addr", "add", f"{address}/{bits}", "dev", "lo", *(["nodad"] if ":" in address else []))


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


class Packets:
    """Counts every byte that goes to another address than PUBLIC, by a filter in the kernel: none is overlooked."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, self._program())
        self._socket.bind(("lo", 0))
        self.bytes: Counter[str] = Counter()
        threading.Thread(target=self._read, daemon=True).start()

    def _program(self) -> bytes:
        """Take all but IPv4 packets to PUBLIC."""
        public = int(ipaddress.IPv4Address(PUBLIC))
        steps = [(0x28, 0, 0, 12), (0x15, 0, 3, 0x0800), (0x20, 0, 0, ETHERNET + 16), (0x15, 0, 1, public),
                 (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFF)]  # fmt: skip
        self._steps = create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
        return struct.pack("HL", len(steps), addressof(self._steps))

    def _read(self) -> None:
        while True:
            frame, (*_, kind, _type, _mac) = self._socket.recvfrom(65_536)
            packet = frame[ETHERNET:]
            if kind != OUTGOING and packet:  # on lo each is seen twice
                self.bytes[_destination(packet)] += len(packet)


def _destination(packet: bytes) -> str:
    return str(ipaddress.ip_address(packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]))


def touch_private() -> int:
    """Connect to every private address ourselves, so that what is counted is known to be counted; gives how many."""
    addresses = ("127.0.0.1", "::1", *PRIVATE)
    for address in addresses:
        with suppress(OSError), socket.create_connection((address, 443), 1) as connection:
            connection.sendall(b"x")
    return len(addresses)


def make_certificate(folder: Path, names: str) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for these names and every address here; gives its file and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "drill")])
    now = dt.datetime.now(dt.UTC)
    hosts: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(one)) for one in (PUBLIC, "127.0.0.1", "::1", *PRIVATE)
    ]
    hosts += [x509.DNSName(names), x509.DNSName("localhost")]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, secret = folder / "ca.pem", folder / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return file, context
