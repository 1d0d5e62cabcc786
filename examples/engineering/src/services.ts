// The services of one team: what runs, what was deployed, what is wrong with it.
import type { Pool, PoolClient } from "pg";

export interface Service {
  id: number;
  name: string;
  tier: number;
}

/** Runs `work` for one team: the identity belongs to the transaction and ends with it. */
export async function actingFor<T>(
  pool: Pool,
  team: string,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("SELECT set_config('app.team_id', $1, true)", [team]);
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}

export async function listServices(client: PoolClient): Promise<Service[]> {
  const found = await client.query<Service>(
    "SELECT id, name, tier FROM engineering.service ORDER BY tier, name",
  );
  return found.rows;
}

/** A commit on its way to production; it is `running` until somebody says how it ended. */
export async function startDeployment(
  client: PoolClient,
  service: number,
  commit: string,
): Promise<number> {
  const made = await client.query<{ id: number }>(
    `INSERT INTO engineering.deployment (service_id, commit_sha)
     VALUES ($1, $2)
     RETURNING id`,
    [service, commit],
  );
  return made.rows[0].id;
}

export async function finishDeployment(
  client: PoolClient,
  deployment: number,
  outcome: "succeeded" | "failed" | "reverted",
): Promise<void> {
  await client.query(
    `UPDATE engineering.deployment
     SET outcome = $2::engineering.deployment_outcome, finished_at = now()
     WHERE id = $1 AND outcome = 'running'`,
    [deployment, outcome],
  );
}
