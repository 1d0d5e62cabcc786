"""What every part of the audit's model is: frozen, and without fields that nobody knows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of an audit."""

    model_config = ConfigDict(frozen=True, extra="forbid")
