-- What went wrong, what was said about it, and the switches that turn features off meanwhile.

CREATE TYPE engineering.severity AS ENUM ('minor', 'major', 'critical');

CREATE FUNCTION engineering.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;
REVOKE ALL ON FUNCTION engineering.touch_updated_at() FROM PUBLIC;

-- An incident is known by its number alone, on the phone too, so that is its key.
CREATE TABLE engineering.incident (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id uuid NOT NULL DEFAULT engineering.current_team() REFERENCES engineering.team (id),
    service_id bigint NOT NULL,
    severity engineering.severity NOT NULL,
    summary text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    FOREIGN KEY (team_id, service_id) REFERENCES engineering.service (team_id, id),
    CONSTRAINT incident_resolved_after_opened CHECK (resolved_at >= opened_at)
);
COMMENT ON TABLE engineering.incident IS 'Something that users noticed. Open until resolved_at.';
CREATE INDEX incident_service_idx ON engineering.incident (team_id, service_id);
CREATE INDEX incident_open_idx ON engineering.incident (team_id, severity)
WHERE resolved_at IS NULL;

-- No team of its own: an update belongs to whoever its incident belongs to.
CREATE TABLE engineering.incident_update (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES engineering.incident (id),
    author text NOT NULL,
    body text NOT NULL,
    posted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE engineering.incident_update IS 'What was said while an incident lasted.';
CREATE INDEX incident_update_incident_idx ON engineering.incident_update (incident_id, posted_at);

CREATE TABLE engineering.feature_flag (
    team_id uuid NOT NULL DEFAULT engineering.current_team() REFERENCES engineering.team (id),
    name text NOT NULL,
    service_id bigint NOT NULL,
    is_enabled boolean NOT NULL DEFAULT FALSE,
    rollout_percent smallint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, name),
    FOREIGN KEY (team_id, service_id) REFERENCES engineering.service (team_id, id),
    CONSTRAINT feature_flag_name_shape CHECK (name ~ '^[a-z][a-z0-9_]*$'),
    CONSTRAINT feature_flag_rollout_range CHECK (rollout_percent BETWEEN 0 AND 100)
);
COMMENT ON TABLE engineering.feature_flag IS 'A switch, and how many users it reaches.';
CREATE INDEX feature_flag_service_idx ON engineering.feature_flag (team_id, service_id);

CREATE TRIGGER feature_flag_touch BEFORE UPDATE ON engineering.feature_flag
FOR EACH ROW EXECUTE FUNCTION engineering.touch_updated_at();
