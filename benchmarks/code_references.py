"""References out of generated application code, cold and warm, against ``compileall`` in one run.

Half of the files are Python, half TypeScript, as long as the Python ones. Exits 1 when a figure is
above its limit: cold 3 times ``python -m compileall`` of as many Python files of the same size,
warm 0.5 s, and twice the files at most 2.6 times the time.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_housekeeping.checks.code.facts import CodeReference
from pytest_housekeeping.checks.code.readers.extract import extract

COLD, WARM_S, LINEAR = 3.0, 0.5, 2.6
PYTHON = '''\
"""Orders of kind {n}: what the counter needs."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import psycopg
from psycopg import sql

log = logging.getLogger(__name__)
BY_ID = "SELECT id, total FROM venture.orders_{n} WHERE id = %s"


@dataclass(frozen=True)
class Order:
    """One order, as the counter sees it."""

    id: int
    total: int
    note: str = "nothing was noted about this order"


class Orders:
    """Reads and writes orders."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def load(self, number: int) -> Order | None:
        """The order of a number, or nothing."""
        row = self._connection.execute(BY_ID, [number]).fetchone()
        log.info("loaded order %s", number)
        return Order(id=row[0], total=row[1]) if row else None

    def place(self, order: Order) -> int:
        """Place an order; its number."""
        if order.total < 0:
            raise ValueError(f"order {{order.id}} has a negative total")
        row = self._connection.execute(
            """
            INSERT INTO venture.orders_{n} (id, total, note)
            VALUES (%(id)s, %(total)s, %(note)s)
            RETURNING id
            """,
            {{"id": order.id, "total": order.total, "note": order.note}},
        ).fetchone()
        return row[0]

    def count(self, column: str, wanted: list[int]) -> dict[str, int]:
        """How many there are, by a column."""
        query = sql.SQL("SELECT count(*) FROM {{}} WHERE id = ANY(%s)").format(
            sql.Identifier("venture", "orders_{n}")
        )
        found = {{}}
        for number in range({n} % 7):
            rows = self._connection.execute(query, [wanted]).fetchall()
            found[f"{{column}}_{{number}}"] = sum(row[0] for row in rows) + number * 2
        log.debug("counted %s", found)
        return found
'''
SCRIPT = """\
// Orders of kind {n}: what the counter needs.
import {{ Pool }} from "pg";

const BY_ID = "SELECT id, total FROM venture.orders_{n} WHERE id = $1";

export interface Order {{
  readonly id: number;
  readonly total: number;
  readonly note: string;
}}

export class Orders {{
  constructor(private readonly pool: Pool) {{}}

  /** The order of a number, or nothing. */
  async load(id: number): Promise<Order | undefined> {{
    const {{ rows }} = await this.pool.query(BY_ID, [id]);
    console.log(`loaded order ${{id}}`);
    return rows.length > 0 ? {{ id: rows[0].id, total: rows[0].total, note: "" }} : undefined;
  }}

  async place(order: Order): Promise<number> {{
    if (order.total < 0) {{
      throw new Error(`order ${{order.id}} has a negative total`);
    }}
    const {{ rows }} = await this.pool.query(
      `
        INSERT INTO venture.orders_{n} (id, total, note)
        VALUES ($1, $2, $3)
        RETURNING id
      `,
      [order.id, order.total, order.note],
    );
    return rows[0].id;
  }}

  async count(column: string, wanted: number[]): Promise<Record<string, number>> {{
    const found: Record<string, number> = {{}};
    for (let number = 0; number < {n} % 7; number += 1) {{
      const {{ rows }} = await this.pool.query(
        `SELECT count(*) AS number FROM venture.orders_{n} WHERE id = ANY($1)`,
        [wanted],
      );
      found[`${{column}}_${{number}}`] = rows.reduce((sum, row) => sum + row.number, number * 2);
    }}
    return found;
  }}
}}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    theirs, cold, warm, double = [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        size = generate(root, arguments.files)
        for number in range(arguments.rounds):
            theirs.append(compiled(root))
            cache = root / f"cache-{number}"
            cold.append(read(root, ["app/**"], cache, arguments.files))
            warm.append(read(root, ["app/**"], cache, arguments.files))
            other = root / f"cache-double-{number}"
            double.append(read(root, ["app/**", "more/**"], other, 2 * arguments.files))
    medians = [statistics.median(each) for each in (theirs, cold, warm, double)]
    print(f"{arguments.files} files, {size / 1e6:.1f} MB, medians of {arguments.rounds}")
    print(f"python -m compileall   {medians[0]:7.2f} s")
    print(f"references, cold       {medians[1]:7.2f} s")
    print(f"references, warm       {medians[2]:7.3f} s")
    print(f"twice the files, cold  {medians[3]:7.2f} s")
    ratio, growth = medians[1] / medians[0], medians[3] / medians[1]
    print(f"cold/compileall {ratio:.2f} (limit {COLD}), growth {growth:.2f} (limit {LINEAR})")
    return 0 if ratio <= COLD and medians[2] <= WARM_S and growth <= LINEAR else 1


def generate(root: Path, count: int) -> int:
    """The application twice, and as many Python files for compileall; bytes of one."""
    size = 0
    for number in range(count):
        python = PYTHON.format(n=number)
        script = SCRIPT.format(n=number)
        script += "".join(f"// {'-' * 90}\n" for _ in range((len(python) - len(script)) // 94))
        for folder in ("app", "more"):
            name = f"{folder}/orders_{number}.{'py' if number % 2 else 'ts'}"
            text = (python if number % 2 else script) + f"# {folder}\n" * (number % 2)
            write(root / name, text)
            size += len(text) if folder == "app" else 0
        write(root / f"compiled/orders_{number}.py", python)
    return size


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def compiled(root: Path) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "compileall", "-q", "-f", "compiled"]
    subprocess.run(command, cwd=root, check=True)
    return time.perf_counter() - started


def read(root: Path, patterns: list[str], cache: Path, expected: int) -> float:
    started = time.perf_counter()
    extraction = extract(root, patterns, cache_folder=cache)
    seconds = time.perf_counter() - started
    found = [each for each in extraction.found if isinstance(each, CodeReference)]
    if len(extraction.files) != expected or len(found) < 3 * expected:
        raise SystemExit(f"{len(extraction.files)} files, {len(found)} references")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
