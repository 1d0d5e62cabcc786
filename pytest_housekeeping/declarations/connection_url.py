"""What a connection string holds that nobody may see."""

from __future__ import annotations


def passwords_in(url: str | None) -> tuple[str, ...]:
    """The secrets that a connection string holds, as libpq reads it; all of it where it cannot."""
    if not url:
        return ()
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        known = conninfo_to_dict(url)
    except ProgrammingError:
        return (url,)
    return tuple(str(known[key]) for key in ("password", "sslpassword") if known.get(key))
