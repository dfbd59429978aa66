"""Public holidays of a country or a part of it, for the calendars of units. No network: a library knows them."""

from collections.abc import Iterable
from datetime import date

import holidays

from domain.errors import Invalid


def public_holidays(where: str, years: Iterable[int]) -> frozenset[date]:
    """The holidays of ``DE`` or ``DE-BW`` (ISO 3166). Raises ``Invalid`` for places that are not known.

    They become dates of a published calendar: later knowledge of the library changes no published version.
    """
    country, _, part = where.partition("-")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=part or None, years=list(years)))
    except NotImplementedError as error:
        raise Invalid(f"{where!r}: {error}") from error
