"""An authority of the tests' own, and a certificate of it for this machine."""

import ssl
import subprocess
from pathlib import Path


class Authority:
    """Made once in a folder: ``authority`` vouches for ``both`` (certificate and key) of 127.0.0.1 and localhost."""

    def __init__(self, folder: Path, names: str = "IP:127.0.0.1,DNS:localhost") -> None:
        self.authority, self.both = folder / "authority.pem", folder / "both.pem"
        key, signed = folder / "authority.key", folder / "certificate.pem"
        wanted, own_key = folder / "wanted.pem", folder / "own.key"
        extensions = folder / "extensions"
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        _openssl("req", "-x509", *curve, "-keyout", key, "-out", self.authority, "-days", "2",
                 "-subj", "/CN=Test authority")  # fmt: skip
        _openssl("req", *curve, "-keyout", own_key, "-out", wanted, "-subj", "/CN=localhost")
        _openssl("x509", "-req", "-in", wanted, "-CA", self.authority, "-CAkey", key,
                 "-CAcreateserial", "-out", signed, "-days", "2", "-extfile", extensions)  # fmt: skip
        self.both.write_text(signed.read_text() + own_key.read_text())

    def trust(self) -> ssl.SSLContext:
        """Of a client that believes this authority alone."""
        return ssl.create_default_context(cafile=self.authority)

    def identity(self) -> ssl.SSLContext:
        """Of a server."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.both)
        return context


def _openssl(*arguments: object) -> None:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
