-- The engineering side: teams, the services that they run, what they deployed and when.

CREATE SCHEMA engineering;
COMMENT ON SCHEMA engineering IS 'How the product is run. Every row belongs to one team.';

CREATE FUNCTION engineering.current_team() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = ''
AS $$ SELECT nullif(current_setting('app.team_id', true), '')::uuid $$;

REVOKE ALL ON FUNCTION engineering.current_team() FROM PUBLIC;
COMMENT ON FUNCTION engineering.current_team() IS 'The team on whose behalf the session acts.';

CREATE TYPE engineering.deployment_outcome AS ENUM ('running', 'succeeded', 'failed', 'reverted');

CREATE TABLE engineering.team (
    id uuid PRIMARY KEY DEFAULT engineering.current_team(),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE engineering.team IS 'Who runs services and is called when they fail.';

CREATE TABLE engineering.service (
    team_id uuid NOT NULL DEFAULT engineering.current_team() REFERENCES engineering.team (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    repository_url text NOT NULL,
    tier smallint NOT NULL DEFAULT 3,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id),
    CONSTRAINT service_name_key UNIQUE (team_id, name),
    CONSTRAINT service_tier_known CHECK (tier BETWEEN 1 AND 3)
);
COMMENT ON TABLE engineering.service IS 'Something that runs. Tier 1 wakes people at night.';

CREATE TABLE engineering.deployment (
    team_id uuid NOT NULL DEFAULT engineering.current_team() REFERENCES engineering.team (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    service_id bigint NOT NULL,
    commit_sha text NOT NULL,
    outcome engineering.deployment_outcome NOT NULL DEFAULT 'running',
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, service_id) REFERENCES engineering.service (team_id, id),
    CONSTRAINT deployment_commit_shape CHECK (commit_sha ~ '^[0-9a-f]{40}$'),
    CONSTRAINT deployment_finished_when_over CHECK (
        (outcome = 'running') = (finished_at IS NULL)
    )
);
COMMENT ON TABLE engineering.deployment IS 'One commit of a service on its way to production.';
CREATE INDEX deployment_service_idx ON engineering.deployment (team_id, service_id, started_at);
