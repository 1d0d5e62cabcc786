"""The catalogue, by way of SQLAlchemy's mapping."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Numeric, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """Every table of venture's."""


class Product(Base):
    """Something that can be ordered while it is active."""

    __tablename__ = "product"
    __table_args__ = {"schema": "venture"}  # noqa: RUF012 - SQLAlchemy's own form

    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str]
    name: Mapped[str]
    unit_price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    is_active: Mapped[bool]
    updated_at: Mapped[datetime]


def active_products(session: Session) -> list[Product]:
    """What can be ordered, by name."""
    return list(session.scalars(select(Product).where(Product.is_active).order_by(Product.name)))


def raise_prices(session: Session, percent: Decimal) -> int:
    """How many products cost more now."""
    changed = session.execute(
        text(
            "UPDATE venture.product SET unit_price = round(unit_price * (1 + :percent / 100), 2)"
            " WHERE is_active RETURNING id"
        ),
        {"percent": percent},
    )
    return len(changed.all())
