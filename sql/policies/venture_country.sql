-- Countries are the same for everybody, so there is nothing to isolate: checks/rls.toml exempts the
-- table and says why. The application reads them; only a migration writes.

REVOKE ALL ON TABLE venture.country FROM PUBLIC, venture_app;
GRANT SELECT ON TABLE venture.country TO venture_app;
