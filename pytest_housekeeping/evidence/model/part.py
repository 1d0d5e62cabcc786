"""What every part of the audit's model is: frozen, and without fields that nobody knows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

# Years in which a run can have taken place: in each of them a moment can be told in any time zone.
_YEARS = range(1970, 9999)


def _of_a_run(moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise ValueError("no run took place in that year")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_of_a_run)]


class Part(BaseModel):
    """A part of an audit."""

    model_config = ConfigDict(frozen=True, extra="forbid")
