-- Engineering goes as a whole: teams, services, deployments.

DROP TABLE engineering.deployment;
DROP TABLE engineering.service;
DROP TABLE engineering.team;
DROP TYPE engineering.deployment_outcome;
DROP FUNCTION engineering.current_team();
DROP SCHEMA engineering;
