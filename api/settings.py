"""What an operator can set: environment variables ``TICKETLEDGER_...``, some also as options."""

from enum import Enum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from api.mail_settings import MailSettings, Port


class Environment(Enum):
    """Shown on every page, so that nobody mistakes a test for the real thing."""

    PRODUCTION = "production"
    TEST = "test"
    DEVELOPMENT = "development"


class Settings(MailSettings):
    model_config = SettingsConfigDict(env_prefix="TICKETLEDGER_", extra="forbid", frozen=True)

    data_dir: Path = Path("var")
    """Where the program keeps its own PostgreSQL, when no ``database_url`` is given."""
    database_url: SecretStr | None = None
    """A PostgreSQL of version 15 or later, as URL or libpq string; the user must be able to create roles."""

    host: str = "127.0.0.1"
    port: Port = 8000
    environment: Environment = Environment.PRODUCTION
    prefix: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{1,15}$")] = "GGUS"
    """Stands before ticket numbers where mail needs it: ``GGUS-Ticket-ID: #N``."""
    zone: str = "UTC"
    """IANA name of the zone in which people are shown times. Machines always get UTC."""

    exchange: bool = False
    """Exchange tickets also where no mail goes in or out, with partners that call or are called."""
    allow_private_partners: bool = False
    """Whether partners may be in private networks; otherwise calls to such addresses are refused."""
    partner_poll_s: Annotated[float, Field(ge=0.5, le=3600)] = 5.0
    """How often partners that do not tell us by themselves are asked for their changes."""
    partner_compare_s: Annotated[float, Field(ge=0, le=30 * 86_400)] = 21_600.0
    """How often the tickets of partners with an interface are compared with ours; 0 for never."""
    partner_messages_per_s_max: Annotated[float, Field(gt=0, le=100_000)] = 200.0
    """Of each partner that sends webhooks; for a short time ten times as many."""
    metrics_open: bool = False
    """Whether programs on this machine may read ``/metrics`` without a token. Not behind a proxy of this machine."""
    public_url: Annotated[str, Field(pattern=r"^(https?://[^\s{}]{1,200})?$")] = ""
    """Where our pages are reached from outside; stands in mails that had to be cut."""

    body_bytes_max: Annotated[int, Field(ge=1_000)] = 1_000_000
    readers_max: Annotated[int, Field(ge=1, le=50)] = 6
    """Connections that answer questions; writing needs one more, listening another."""
    answer_days: Annotated[float, Field(gt=0, le=3_650)] = 7.0
    """How long a repetition of a request with an Idempotency-Key gets the first answer."""
    wait_s_max: Annotated[float, Field(gt=0, le=30)] = 2.0
    """How long a question waits for the position it asks for."""

    @property
    def exchanges(self) -> bool:
        """Whether tickets travel: where mail does, or where it is set."""
        return self.mail_comes_or_goes or self.exchange

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{zone!r} is no IANA time zone, such as Europe/Berlin") from error
        return zone
