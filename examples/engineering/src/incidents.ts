// Incidents of a team, and the switches that turn features off while they last.
import type { PoolClient } from "pg";

export interface Incident {
  id: number;
  severity: string;
  summary: string;
}

export async function openIncidents(client: PoolClient): Promise<Incident[]> {
  const found = await client.query<Incident>(
    `SELECT id, severity::text AS severity, summary
     FROM engineering.incident
     WHERE resolved_at IS NULL
     ORDER BY severity DESC, opened_at`,
  );
  return found.rows;
}

export async function report(
  client: PoolClient,
  service: number,
  severity: string,
  summary: string,
): Promise<number> {
  const made = await client.query<{ id: number }>(
    `INSERT INTO engineering.incident (service_id, severity, summary)
     VALUES ($1, $2::engineering.severity, $3)
     RETURNING id`,
    [service, severity, summary],
  );
  return made.rows[0].id;
}

export async function comment(
  client: PoolClient,
  incident: number,
  author: string,
  body: string,
): Promise<void> {
  await client.query(
    "INSERT INTO engineering.incident_update (incident_id, author, body) VALUES ($1, $2, $3)",
    [incident, author, body],
  );
}

export async function switchOff(client: PoolClient, flag: string): Promise<boolean> {
  const changed = await client.query(
    "UPDATE engineering.feature_flag SET is_enabled = false, rollout_percent = 0 WHERE name = $1",
    [flag],
  );
  return changed.rowCount === 1;
}
