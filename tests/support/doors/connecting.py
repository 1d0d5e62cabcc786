"""Who connects: logins that have more than their application."""

from __future__ import annotations

from support.doors.ground import GONE, MIGHTY, Door, Sound

DOORS: tuple[Door, ...] = (
    Door(
        title="the login of the application has BYPASSRLS",
        sql=MIGHTY.format("ALTER ROLE desk_web BYPASSRLS;"),
        attack="SELECT EXISTS (SELECT FROM desk.note WHERE title = 'theirs')",
        who="desk_web",
        rule="role-bypasses-rls",
        object="desk_web",
    ),
    Door(
        title="the login of the application is a superuser",
        sql=MIGHTY.format("ALTER ROLE desk_web SUPERUSER;"),
        attack="SELECT EXISTS (SELECT FROM desk.note WHERE title = 'theirs')",
        who="desk_web",
        rule="role-bypasses-rls",
        object="desk_web",
    ),
    Door(
        title="the login gets the rights of the application through a group, and BYPASSRLS of "
        "its own",
        sql=MIGHTY.format(
            "CREATE ROLE desk_team IN ROLE desk_app; CREATE ROLE desk_job LOGIN BYPASSRLS"
            " IN ROLE desk_team;"
        ),
        attack="SELECT EXISTS (SELECT FROM desk.note WHERE title = 'theirs')",
        who="desk_job",
        rule="role-bypasses-rls",
        object="desk_job",
    ),
    Door(
        title="the login may become a role with BYPASSRLS",
        sql=MIGHTY.format(
            "CREATE ROLE desk_admin BYPASSRLS; GRANT desk_admin TO desk_web;"
            "GRANT USAGE ON SCHEMA desk TO desk_admin; GRANT SELECT ON desk.note TO desk_admin;"
        ),
        attack="SET LOCAL ROLE desk_admin;"
        "SELECT EXISTS (SELECT FROM desk.note WHERE title = 'theirs')",
        who="desk_web",
        rule="role-bypasses-rls",
        object="desk_web",
    ),
    Door(
        title="the login is preset to a tenant",
        sql=MIGHTY.format("ALTER ROLE desk_web SET desk.me = '2';"),
        rule="setting-context",
        object="desk_web",
    ),
    Door(
        title="the login is preset to a tenant in this database",
        sql=MIGHTY.format("ALTER ROLE desk_web IN DATABASE {database} SET desk.me = '2';"),
        rule="setting-context",
        object="desk_web",
    ),
    Door(
        title="the login begins as another role",
        sql=MIGHTY.format("ALTER ROLE desk_web SET role = 'hk_migrator';"),
        rule="setting-role",
        object="desk_web",
    ),
    Door(
        title="the login is a member of two applications",
        sql="GRANT office_app TO desk_web;",
        attack="SELECT EXISTS (SELECT FROM office.paper WHERE title = 'theirs')",
        who="desk_web",
        rule="boundary-membership",
        object="desk_web",
    ),
    Door(
        title="the login has a grant of its own on another application's table",
        sql="GRANT USAGE ON SCHEMA office TO desk_web; GRANT SELECT ON office.paper TO desk_web;",
        attack="SELECT EXISTS (SELECT FROM office.paper WHERE title = 'theirs')",
        who="desk_web",
        rule="boundary-table-privilege",
        object="office.paper",
    ),
    Door(
        title="the login may empty a protected table",
        sql="GRANT TRUNCATE ON desk.note TO desk_web;",
        attack="TRUNCATE desk.note",
        seen=GONE,
        who="desk_web",
        rule="privilege-on-whole-table",
        object="desk.note",
    ),
    Door(
        title="the login has a policy of its own",
        sql="CREATE POLICY web ON desk.note TO desk_web USING (true);",
        attack="SELECT EXISTS (SELECT FROM desk.note WHERE title = 'theirs')",
        who="desk_web",
        rule="policy-always-true",
        object="web ON desk.note",
    ),
    Door(
        title="the login is a member of the owner of a table",
        sql="CREATE ROLE desk_boss; GRANT desk_boss TO hk_migrator; GRANT USAGE, CREATE ON SCHEMA"
        " desk TO desk_boss; ALTER TABLE desk.note OWNER TO desk_boss; GRANT desk_boss TO "
        "desk_web;",
        attack="ALTER TABLE desk.note DISABLE ROW LEVEL SECURITY;"
        "SELECT EXISTS (SELECT FROM desk.note WHERE title = 'theirs')",
        who="desk_web",
        rule="role-owns-table",
        object="desk.note",
    ),
    Door(
        title="the login makes roles",
        sql=MIGHTY.format("ALTER ROLE desk_web CREATEROLE;"),
        rule="role-may-create-roles",
        object="desk_web",
    ),
    Door(
        title="the login writes everywhere",
        sql=MIGHTY.format("GRANT pg_write_all_data, pg_read_all_data TO desk_web;"),
        attack="SELECT EXISTS (SELECT FROM office.paper WHERE title = 'theirs')",
        who="desk_web",
        rule="role-reads-all-data",
        object="desk_web",
    ),
    Door(
        title="a login that does not inherit, as poolers are, has BYPASSRLS itself",
        sql=MIGHTY.format("CREATE ROLE desk_pool LOGIN NOINHERIT BYPASSRLS IN ROLE desk_app;"),
        attack="RESET ROLE; SELECT true",
        who="desk_pool",
        rule="role-bypasses-rls",
        object="desk_pool",
    ),
    Door(
        title="the login of the application owns the database",
        sql="RESET ROLE; ALTER DATABASE {database} OWNER TO desk_web; SET LOCAL ROLE hk_migrator;",
        rule="role-owns-schema",
        object="DATABASE {database}",
    ),
    Door(
        title="the login replicates",
        sql=MIGHTY.format("ALTER ROLE desk_web REPLICATION;"),
        rule="role-may-replicate",
        object="desk_web",
    ),
)

SOUND: tuple[Sound, ...] = (
    Sound(
        title="the login of the application has a time limit",
        sql="RESET ROLE;"
        "ALTER ROLE desk_web SET statement_timeout = '5s'; ALTER ROLE desk_web CONNECTION LIMIT "
        "20;",
    ),
    Sound(
        title="a login that inherits nothing becomes whoever its token says, a service among them",
        sql="RESET ROLE; CREATE ROLE desk_service BYPASSRLS; CREATE ROLE desk_gate LOGIN NOINHERIT;"
        "GRANT desk_app, desk_service TO desk_gate;",
    ),
    Sound(
        title="an administrator may hand out the application's role",
        sql="RESET ROLE; CREATE ROLE desk_admin LOGIN BYPASSRLS CREATEROLE;"
        "GRANT desk_app TO desk_admin WITH ADMIN OPTION;",
    ),
    Sound(
        title="a colleague is a member of the migrator",
        sql="RESET ROLE; CREATE ROLE colleague LOGIN BYPASSRLS; GRANT hk_migrator TO colleague;",
    ),
    Sound(
        title="a member with BYPASSRLS that nobody can log in as",
        sql="RESET ROLE; CREATE ROLE desk_batch NOLOGIN BYPASSRLS IN ROLE desk_app;",
    ),
    Sound(
        title="the same grants once more for the login itself",
        sql="GRANT USAGE ON SCHEMA desk TO desk_web; GRANT SELECT, INSERT ON desk.note TO "
        "desk_web;",
    ),
)
