CREATE TYPE desk.urgency AS ENUM ('low', 'high');
ALTER TABLE desk.ticket ADD COLUMN urgency desk.urgency NOT NULL DEFAULT 'low';
