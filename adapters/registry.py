"""The adapters that helpdesks can be registered with: one line each, two where there is an interface to call."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.helpdesks.email.mapping import Email
from adapters.helpdesks.ggus_soap.connector import SoapConnector
from adapters.helpdesks.ggus_soap.mapping import GgusSoap
from adapters.helpdesks.jira.connector import JiraConnector
from adapters.helpdesks.jira.mapping import Jira
from adapters.helpdesks.osg_mail.mapping import OsgMail
from adapters.helpdesks.redmine.connector import RedmineConnector
from adapters.helpdesks.redmine.mapping import Redmine
from adapters.helpdesks.rt.connector import RtConnector
from adapters.helpdesks.rt.mapping import Rt
from adapters.helpdesks.rt_mail.mapping import RtMail
from adapters.helpdesks.servicenow.connector import ServiceNowConnector
from adapters.helpdesks.servicenow.mapping import ServiceNow
from adapters.helpdesks.webhook.connector import WebhookConnector
from adapters.helpdesks.webhook.mapping import Webhook
from adapters.helpdesks.zammad.connector import ZammadConnector
from adapters.helpdesks.zammad.mapping import Zammad
from adapters.kit.addresses import must_be_mailbox
from adapters.kit.contract import Adapter
from adapters.kit.interface import Connector

_ALL: Final[tuple[Adapter, ...]] = (
    OsgMail(),
    GgusSoap(),
    Rt(),
    Redmine(),
    Email(),
    RtMail(Email()),
    Zammad(),
    Jira(),
    Webhook(),
    ServiceNow(),
)  # fmt: skip

CONNECTORS: Final[Mapping[str, Connector]] = MappingProxyType({
    "ggus_soap": SoapConnector(),
    "rt": RtConnector(),
    "redmine": RedmineConnector(),
    "zammad": ZammadConnector(),
    "jira": JiraConnector(),
    "webhook": WebhookConnector(),
    "servicenow": ServiceNowConnector(),
})  # fmt: skip
"""How to reach the helpdesks that have an interface; all others have a mailbox."""

ADAPTERS: Final[Mapping[str, Adapter]] = MappingProxyType({each.name: each for each in _ALL})


def check_address(adapter: str, address: str) -> None:
    """Look at a partner's address before it is registered. Raises ``Undelivered`` where it cannot be one."""
    if connector := CONNECTORS.get(adapter):
        connector.check(address)
    else:
        must_be_mailbox(address)
