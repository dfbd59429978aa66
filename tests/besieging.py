"""What the tests of hostile input share: a served federation with tokens, and what every answer must be."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from tests.conftest import _folder
from tests.serving import Served, eventually, is_whole, served, ticketledger

TICKETS = "/api/v1/tickets"
PARTNER = "footprints@osg.test"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Besieged:
    """A service that is asked nothing sensible for the length of a module."""

    def __init__(self, service: Served, mail_port: int) -> None:
        self.service, self.mail_port = service, mail_port
        self.tokens = {
            "user": service.token(name="User"),
            "other": service.token(name="Other"),
            "supporter": service.token("supporter:NGI_DE", name="Supporter"),
            "all": service.token("tpm", "auditor", "admin", name="All"),
        }
        self.clients = {role: service.client(token) for role, token in self.tokens.items()}
        self.nobody = service.client()

    def close(self) -> None:
        for client in (*self.clients.values(), self.nobody):
            client.close()

    def opened(self, **fields: str) -> int:
        answer = self.clients["user"].post(TICKETS, json={"subject": "It is broken"} | fields)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["number"])

    def head(self) -> int:
        return int(self.nobody.get("/health").json()["head"])

    def spoken(self, data: bytes, seconds: float = 5.0) -> bytes:
        """Send bytes as they are; what came back until the other end closed, or until it was silent."""
        parts = urlsplit(self.service.address)
        return spoken(parts.port or 80, data, seconds)


def spoken(port: int, data: bytes, seconds: float = 5.0) -> bytes:
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        with contextlib.suppress(ConnectionError, TimeoutError):
            while some := connection.recv(65536):
                answer += some
    return answer


def is_problem(answer: httpx2.Response, status: int, code: str) -> None:
    """A refusal as it is documented, which tells nothing of our inside."""
    told = f"{answer.request.method} {answer.request.url}"[:200] + f": {answer.text[:500]}"
    assert (answer.status_code, answer.json().get("code")) == (status, code), told
    assert answer.headers["content-type"] == "application/problem+json", told
    assert answer.json()["type"] == f"urn:ticketledger:problem:{code}", told
    assert answer.json()["detail"], told
    assert "Traceback" not in answer.text, told


@contextlib.contextmanager
def siege(folder: Path) -> Iterator[Besieged]:
    mail_port = free_port()
    settings = {"MAIL_PORT": str(mail_port), "MAIL_DOMAIN": "hub.test", "METRICS_OPEN": "1"}
    with served(folder, **settings) as service:
        for entry in (
            ("unit", "NGI_DE", "--kind=NGI"),
            ("unit", "ROC_US", "--kind=NGI"),
            ("site", "EXAMPLE-T2", "--ngi=NGI_DE"),
            ("vo", "atlas"),
            (
                "helpdesk", "osg", "--adapter=osg_mail", "--unit=ROC_US", f"--sender={PARTNER}",
                "--address=machine@osg.test", "--policy=full", "--interface=live", "--unproved",
            ),
        ):  # fmt: skip
            done = ticketledger("directory", *entry, **service.settings)
            assert done.returncode == 0, done.stderr
        besieged = Besieged(service, mail_port)
        eventually(lambda: besieged.nobody.get("/health").json()["ok"])
        yield besieged
        metrics = besieged.nobody.get("/metrics").text
        besieged.close()
        is_whole(service)
        assert "ticketledger_failures_total 0.0" in metrics, service.log
        assert "Traceback" not in service.log, service.log


def besieged_service() -> Iterator[Besieged]:
    """For a fixture of a module. At its end: no mistake of ours happened, and nothing is half done."""
    for folder in _folder():
        with siege(folder) as besieged:
            yield besieged
