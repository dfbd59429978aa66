"""All projections of the program: one line each."""

from typing import Final

from projections.conversations import Conversations
from projections.entries import Directory
from projections.feeds import Feeds
from projections.projection import Projection
from projections.tickets import Tickets

ALL: Final[tuple[Projection, ...]] = (Tickets(), Directory(), Conversations(), Feeds())
