-- Incidents go, with what was said about them, and the switches.

DROP TABLE engineering.feature_flag;
DROP TABLE engineering.incident_update;
DROP TABLE engineering.incident;
DROP FUNCTION engineering.touch_updated_at();
DROP TYPE engineering.severity;
