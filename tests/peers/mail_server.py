"""A real IMAP server (dovecot) and a real mail server (exim) for the tests, from Debian's packages, on loopback.

    apt-get install dovecot-imapd exim4-daemon-light

Any user of the IMAP server is let in with the one password. Everything is written in one folder.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from imap_tools.mailbox import MailBox

from tests.certificates import Authority

DOVECOT = Path("/usr/sbin/dovecot")
EXIM = Path("/usr/sbin/exim4")

_CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = {tls}
ssl_cert = <{certificate}
ssl_key = <{certificate}
disable_plaintext_auth = no
auth_failure_delay = 0
imap_capability = {capability}
mail_location = maildir:{folder}/mail/%Ld/%Ln
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/mail/%Ld/%Ln allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
namespace inbox {{
  inbox = yes
}}
"""

_EXIM_CONFIG = """\
primary_hostname = front.test
local_interfaces = 127.0.0.1
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
deliver_drop_privilege = true
exim_user = Debian-exim
exim_group = Debian-exim
never_users =
host_lookup =
keep_environment =
begin routers
ours:
  driver = accept
  domains = hub.test
  transport = lmtp
begin transports
lmtp:
  driver = lmtp
  socket = {socket}
  batch_max = 50
  return_path_add
  delivery_date_add
begin retry
* * F,1h,1m
"""


def missing(*programs: Path) -> str:
    """What keeps these from being started here; empty when nothing does."""
    if os.geteuid() != 0:
        return "they are started by root only"
    absent = [each.name for each in programs if not each.exists()]
    return f"not installed: {', '.join(absent)}" if absent else ""


class ImapServer:
    """One installation. ``kill`` ends it as a power cut would; ``serve`` starts it again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plain_port, self.tls_port = _free_ports(2)
        self.password = secrets.token_hex(12)
        self.authority = Authority(folder)
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "mail").mkdir()
        shutil.chown(folder / "mail", "mail", "mail")

    def url(self, user: str, scheme: str = "imaps", **folders: str) -> str:
        port = self.tls_port if scheme == "imaps" else self.plain_port
        query = "&".join(f"{name}={value}" for name, value in folders.items())
        return f"{scheme}://{user.replace('@', '%40')}@127.0.0.1:{port}/INBOX?{query}".rstrip("?")

    def serve(self, *, tls: str = "yes", capability: str = "") -> None:
        """Start it; return when it answers."""
        assert self._process is None
        config = self.folder / "dovecot.conf"
        config.write_text(
            _CONFIG.format(
                folder=self.folder,
                tls=tls,
                certificate=self.authority.both,
                capability=capability,
                password=self.password,
                plain_port=self.plain_port,
                tls_port=self.tls_port,
            )
        )
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig=TERM", DOVECOT, "-F", "-c", config],
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        give_up_at = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < give_up_at, (self.folder / "dovecot.log").read_text()
            time.sleep(0.05)

    def end(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End all of its processes at once."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, how)
            process.wait(20)

    def box(self, user: str) -> MailBox:
        """Somebody's connection to a mailbox; a context manager that is to be entered."""
        box = MailBox("127.0.0.1", self.tls_port, timeout=20, ssl_context=self.authority.trust())
        box.login(user, self.password)
        return box

    def put(self, user: str, *mails: bytes) -> None:
        with self.box(user) as box:
            for each in mails:
                box.append(each)

    def held(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """The mails in a folder, oldest first."""
        with self.box(user) as box:
            if not box.folder.exists(folder):
                return []
            box.folder.set(folder)
            found = [box.client.uid("FETCH", uid, "(BODY.PEEK[])")[1] for uid in box.uids()]
            return [part[1] for data in found for part in data if isinstance(part, tuple)]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "dovecot.log").read_text()
        try:
            with socket.create_connection(("127.0.0.1", self.plain_port), timeout=5) as connection:
                return connection.recv(10).startswith(b"* OK")
        except OSError:
            return False


def hand_over(folder: Path, lmtp: Path, raw: bytes, sender: str, *recipients: str) -> str:
    """Let exim take a mail for our domain and deliver it by LMTP now; what it wrote to its log."""
    spool = folder / "spool"
    spool.mkdir(exist_ok=True)
    shutil.chown(spool, "Debian-exim", "Debian-exim")
    config = folder / "exim.conf"
    config.write_text(_EXIM_CONFIG.format(folder=folder, socket=lmtp))
    subprocess.run(
        [EXIM, "-C", config, "-odf", "-oi", "-f", sender, *recipients],
        input=raw, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    return (spool / "mainlog").read_text()


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
