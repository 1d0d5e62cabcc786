"""Where a password may stand in a SQL file, and where none does."""

from __future__ import annotations

import time

import pytest

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.file import from_text
from pytest_housekeeping.sql.password_literals import (
    holds_password,
    seen_passwords,
    without_passwords,
)

UNMISTAKABLE = "xQ9-kk71z"
SEEN = [
    "CREATE ROLE app PASSWORD 'PW'",
    "alter role app encrypted password E'PW'",
    "CREATE ROLE app PASSWORD\n  'PW'",
    "CREATE ROLE app PASSWORD /* of the app */ 'PW'",
    "CREATE ROLE app PASSWORD -- of the app\n 'PW'",
    "CREATE ROLE app PASSWORD $$PW$$",
    "CREATE ROLE app PASSWORD $a$PW$a$",
    "CREATE ROLE app PASSWORD U&'PW'",
    "CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'app', password 'PW')",
    "CREATE SERVER s FOREIGN DATA WRAPPER f OPTIONS (passwd 'PW')",
    "CREATE SUBSCRIPTION s CONNECTION 'host=h password=PW' PUBLICATION p",
    "SELECT dblink_connect('c', 'postgresql://app:PW@h/d')",
    "UPDATE account SET password = 'PW'",
    "SELECT sign_in(password => 'PW')",
    "DO $$DECLARE my_password text := 'PW'; BEGIN END$$",
    'SELECT \'{"password": "PW"}\'::jsonb',
    "-- postgres://app:PW@h/d",
    "/* password: PW */",
]
# Seen where they look like a secret.
HANDED_OVER = [
    f"COPY t FROM PROGRAM 'curl -u app:{UNMISTAKABLE} https://h/x'",
    f"COMMENT ON ROLE app IS 'the password is {UNMISTAKABLE}'",
    f"SELECT http_post('h', 'Authorization: Bearer {UNMISTAKABLE}')",
    f"COPY t FROM PROGRAM 'mysql -u root -p{UNMISTAKABLE} d'",
    f"COPY t FROM PROGRAM 'sshpass -p {UNMISTAKABLE} ssh h'",
    f"UPDATE t SET token = '{UNMISTAKABLE}'",
    f"SET app.token = '{UNMISTAKABLE}'",
    f"ALTER DATABASE d SET app.encryption_key TO '{UNMISTAKABLE}'",
    f"SELECT add(token => E'{UNMISTAKABLE}')",
    f"CREATE SERVER s FOREIGN DATA WRAPPER f OPTIONS (private_key '{UNMISTAKABLE}')",
    f"CREATE USER MAPPING FOR a SERVER s OPTIONS (credentials '{UNMISTAKABLE}')",
    f"""SELECT '{{"token": "{UNMISTAKABLE}"}}'""",
]
ONLY_KNOWN_TO_BE_THERE = [
    "DO $$BEGIN EXECUTE format('CREATE ROLE app PASSWORD %L', 'PW'); END$$",
    "DO $$BEGIN EXECUTE 'ALTER ROLE app PASSWORD ' || quote_literal('PW'); END$$",
    "\\set pw 'PW'\nCREATE ROLE app PASSWORD :'pw'",
    "INSERT INTO account (name, password) VALUES ('app', 'PW')",
    "INSERT INTO account (name, hash) VALUES ('app', crypt('PW', gen_salt('bf')))",
    "UPDATE account SET (name, password) = ('app', 'PW')",
    "INSERT INTO account (password) SELECT 'PW'",
    "EXECUTE 'ALTER ROLE app PASSWORD ''' || 'PW'",
    "DO $$DECLARE pw text := 'PW'; BEGIN EXECUTE format('ALTER ROLE a PASSWORD %L', pw); END$$",
    "SELECT sign_in(pass => 'PW')",
    "SELECT 'app' AS name, 'PW' AS password",
    "SET app.api_key = 'PW'",
    "CREATE SERVER s FOREIGN DATA WRAPPER f OPTIONS (access_token 'PW')",
    *HANDED_OVER,
]
NONE = [
    "COMMENT ON COLUMN account.password IS 'a password is required, and the token: a word'",
    "CREATE TABLE quiz (bypass text DEFAULT 'yes', api_keys int, tokens text DEFAULT 'none')",
    "COPY t FROM PROGRAM 'gunzip -u a'",
    "SELECT 'Basic English', 'bearer of news'",
    "CREATE TABLE t (token uuid DEFAULT uuid_generate_v4(), private_key bytea, sa_key text)",
    "UPDATE t SET token = uuid_generate_v4() WHERE token = new.Token_1x AND key = 'Word-1-a'",
    "SELECT token, 'a word', \"Token\", \"Of_2nd_Kind\" FROM t WHERE token = 'never-used'",
    "COPY t FROM PROGRAM 'psql -p 54321234 -a x'",
    "CREATE UNIQUE INDEX t_token_Key_1 ON t (token text_pattern_ops)",
    # How a column is called, by hand and by Prisma, Drizzle and Rails.
    "CREATE TABLE account (password text NOT NULL, id int)",
    'CREATE TABLE "User" ("password" TEXT)',
    """CREATE TABLE "User" ("password" TEXT NOT NULL, "role" TEXT DEFAULT 'a')""",
    'CREATE TABLE "VerificationToken" ("secret" TEXT NOT NULL, "expires" TIMESTAMP(3) NOT NULL)',
    """ALTER TABLE "User" ADD COLUMN "password" TEXT, ADD COLUMN "kind" TEXT DEFAULT 'a'""",
    """CREATE TABLE IF NOT EXISTS "users" ("password" text NOT NULL, "token" text DEFAULT '')""",
    """CREATE TABLE "users" ("encrypted_password" varchar DEFAULT ''::character varying)""",
    'CREATE UNIQUE INDEX "index_users_on_reset_password_token" ON "users" ("reset_password_token")',
    """ALTER TABLE "users" ADD "reset_password_sent_at" timestamp, ADD "role" text DEFAULT 'a'""",
    """SELECT u."password", 'user' AS kind FROM "User" u""",
    "ALTER TABLE account ADD COLUMN password_hash bytea",
    "UPDATE account SET password_hash = 'none yet'",
    "SELECT password, id FROM account",
    "SELECT id FROM account WHERE password = $1 AND kind = 'a'",
    "SELECT id FROM account WHERE has_password AND kind = 'a'",
    "UPDATE account SET password = '' WHERE kind = 'a'",
    "UPDATE account SET is_secret = 'false'",
    "UPDATE account SET password = NULL, kind = 'a'",
    # Tables, policies, functions, types, settings.
    "INSERT INTO vault.secret VALUES (1, 'content')",
    "SELECT id FROM vault.secret WHERE content = ''",
    "CREATE POLICY own ON secret USING (owner = current_setting('app.tenant'))",
    "GRANT SELECT ON TABLE secret TO desk_app; COMMENT ON TABLE secret IS 'what is kept'",
    "ALTER TABLE secret ADD COLUMN kind text DEFAULT 'a'",
    "CREATE TABLE secret (kind text DEFAULT 'a')",
    "SELECT reset_password('app@example.org')",
    "INSERT INTO kind (name, title) VALUES ('password', 'Password'), ('secret', 'Secret')",
    "SELECT id FROM account WHERE data->>'kind' = 'password' AND data->>'password' = given",
    "SELECT format('postgres://%s:%s@h/d', 'app', given)",
    "CREATE TYPE factor AS ENUM ('password', 'secret', 'totp')",
    "SELECT secret = current_setting('a')",
    "my_secret := current_setting('app.jwt_secret')",
    "SELECT set_config('app.jwt_secret', new_value, false)",
    "ALTER ROLE app SET password_encryption = 'scram-sha-256'",
    "ALTER ROLE app PASSWORD NULL",
    "SELECT crypt(given, stored)",
    "UPDATE account SET password = crypt(given, gen_salt('bf'))",
    "INSERT INTO account (name, password) VALUES ('app', crypt($1, gen_salt('bf')))",
    "INSERT INTO account (name, password_hash) VALUES ('app', 'a hash')",
    "SELECT vault.create_secret(current_setting('app.key'), 'name of the key')",
    "SELECT decrypted_secret FROM vault.decrypted_secrets WHERE name = 'stripe'",
    "SELECT dblink('c', 'SELECT 1'), dblink_connect('dbname=reports user=app')",
    "CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'app', password_required 'false')",
    "EXECUTE format('ALTER ROLE %I PASSWORD %L', 'app', given)",
    "EXECUTE 'ALTER ROLE app PASSWORD ' || quote_literal(given)",
    "EXECUTE 'UPDATE account SET password = ''' || given || ''' WHERE id = 1'",
    "RAISE EXCEPTION 'no password: % is not known', name USING ERRCODE = '28P01'",
    "RAISE EXCEPTION 'wrong password' USING HINT = 'set it'",
    "SELECT jsonb_build_object('type', 'password', 'label', 'Secret')",
    """SELECT '{"properties": {"password": {"type": "string"}, "secret": null}}'::jsonb""",
    "CREATE VIEW v AS SELECT name, '********' AS password FROM account",
    # Beside a name that is called like one: titles, kinds, types, what is done with one.
    "INSERT INTO label (key, value) VALUES ('login.password', 'Password'), ('a', 'b')",
    "INSERT INTO label (key, value) VALUES ('password', 'Your 2nd password?')",
    "INSERT INTO permission (name, value) VALUES ('reset_password', 'v2')",
    "INSERT INTO mail (name, template) VALUES ('forgot_password', 'tmpl_v2')",
    "INSERT INTO field (tab, name, type) VALUES ('users', 'password', 'varchar80')",
    "INSERT INTO route (key, value) VALUES ('login_password', '/auth/login?v=1')",
    "SELECT id FROM factor WHERE kind IN ('password', 'oauth2', 'x509')",
    "CREATE TYPE factor2 AS ENUM ('password', 'u2f', 'sms1')",
    "SELECT id FROM factor WHERE kind = ANY (ARRAY['password', 'sms1'])",
    "INSERT INTO settings (key, value) VALUES ('password_min_length', '12chars'), ('a', 'b1')",
    "INSERT INTO settings (key, value) VALUES ('password', current_setting('a.b1'))",
    "UPDATE settings SET value = 'v2' WHERE key = 'theme'",
    "SELECT coalesce('password', 'b1')",
    "UPDATE conf SET body = jsonb_set(body, '{smtp,host}', '\"h1\"')",
    "UPDATE conf SET body = jsonb_set(body, '{password,rule}', '\"min8\"')",
    "SELECT 'where password=given and secret=%s'",
    "DO $$BEGIN password = given; host = 'h1'; END$$",
    # Comments.
    "COMMENT ON COLUMN account.password IS 'the hash'",
    "COMMENT ON COLUMN account.password IS 'bcrypt of the password';\nSELECT 'a'",
    "-- No password: the throwaway server trusts.\nSELECT 'a'",
    "-- password: hashed\n-- secret: see the vault\nSELECT 'a'",
    "-- the user's password isn't kept, and it's never shown\nSELECT 'a'",
    "/* reset_password_token = what the mail holds */ SELECT 'a'",
    "-- postgres://user:password@host/db and postgres://app:${PASSWORD}@host/db",
    "-- see https://example.org/a:b",
    # What the server says.
    'password authentication failed for user "app"',
    'column "password" of relation "users" already exists',
    'null value in column "secret" of relation "key" violates not-null constraint',
    'relation "vault.secret" does not exist',
]
# Each with a literal that must not be shown; PW stands for it.
LITERALS = [
    "SELECT vault.create_secret('PW')",
    "SELECT vault.create_secret('PW', 'name', 'what for')",
    "SELECT vault.create_secret(new_secret => 'PW', new_name => 'name')",
    "SELECT vault.update_secret('6f1c', 'PW')",
    "ALTER DATABASE d SET app.jwt_secret TO 'PW'",
    "ALTER DATABASE d SET \"app.jwt_secret\" = 'PW'",
    "ALTER ROLE r SET app.password TO 'PW'",
    "SET LOCAL app.client_secret = 'PW'",
    "SELECT set_config('app.jwt_secret', 'PW', false)",
    "SELECT crypt('PW', gen_salt('bf'))",
    "SELECT pgp_sym_encrypt(body, 'PW') FROM note",
    "SELECT hmac(body, 'PW', 'sha256') FROM note",
    "INSERT INTO users (name, password) VALUES ('a', 'PW')",
    "INSERT INTO users (name, password) VALUES ('a', $1), ('b', 'PW')",
    'INSERT INTO "User" ("password", "name") VALUES (\'PW\', \'a\')',
    "INSERT INTO users (name, password) VALUES ('a', crypt('PW', gen_salt('bf')))",
    'UPDATE "User" SET "password" = \'PW\' WHERE id = 1',
    "UPDATE account SET password = md5('PW')",
    "UPDATE account SET password = ('PW')::text",
    "SELECT id FROM account WHERE password = 'PW'",
    "CREATE TABLE account (password varchar(80) NOT NULL DEFAULT 'PW')",
    "ALTER TABLE account ALTER COLUMN password SET DEFAULT 'PW'",
    "DO $$DECLARE api_secret CONSTANT text := 'PW'; BEGIN END$$",
    "DO $$BEGIN EXECUTE 'ALTER ROLE app PASSWORD ''PW'''; END$$",
    "DO $a$BEGIN EXECUTE format($b$ALTER ROLE app PASSWORD %L$b$, 'PW'); END$a$",
    "SELECT change_password('app', 'PW')",
    "SELECT jsonb_build_object('user', 'app', 'password', 'PW')",
    'INSERT INTO conf VALUES (\'{"client_secret": "PW"}\')',
    "SELECT hstore('password', 'PW')",
    "CREATE SUBSCRIPTION s CONNECTION 'postgres://app:PW@h/d' PUBLICATION p",
    "SELECT dblink_connect('host=h user=app password=''PW''')",
    "SELECT dblink_connect('postgresql://h/d?user=app&password=PW&sslmode=require')",
    "CREATE USER MAPPING FOR a SERVER s OPTIONS (ADD user 'a', ADD password 'PW')",
    "-- ALTER ROLE app PASSWORD 'PW';",
    "-- the login is app, secret=PW",
    "/* old /* password: PW */ */ SELECT 1",
    "SELECT it's broken; ALTER ROLE app PASSWORD 'PW'; SELECT it's",
    "SQL statement \"ALTER ROLE app PASSWORD 'PW'\"",
    "CREATE ROLE app PASSWORD 'PW'\n'and more'",
    "CREATE ROLE app PASSWORD /* a /* b */ c */ 'PW'",
    "CREATE USER MAPPING FOR a SERVER s OPTIONS (\"user\" 'a', \"password\" 'PW')",
    "SELECT id FROM account WHERE data->>'password' = 'PW'",
    "SELECT format('postgres://%s:%s@h/d', 'app', 'PW')",
    # Beside its name: rows of settings, parts of a document.
    "INSERT INTO settings (key, value) VALUES ('smtp_password', 'PW')",
    "INSERT INTO settings (key, value) VALUES ('smtp_host', 'h'), ('smtp.password', 'PW')",
    "INSERT INTO settings (name, about, setting) VALUES ('api_secret', 'of the mails', 'PW')",
    'INSERT INTO "Setting" ("key", "value") VALUES (\'smtp_password\', \'PW\'::text)',
    "INSERT INTO settings VALUES ('smtp_password', 'PW')",
    "INSERT INTO settings SELECT 'smtp_password', 'PW'",
    "UPDATE settings SET value = 'PW' WHERE key = 'smtp_password'",
    "UPDATE settings SET value = 'PW', at = now() WHERE id = 1 AND key = 'smtp_password'",
    "UPDATE conf SET body = jsonb_set(body, '{smtp,password}', '\"PW\"')",
    "UPDATE conf SET body = jsonb_set(body, '{password}', to_jsonb('PW'::text), true)",
    "UPDATE conf SET body = jsonb_set(body, ARRAY['smtp', 'password'], '\"PW\"'::jsonb)",
    "UPDATE conf SET body = jsonb_insert(body, '{client_secret}', '\"PW\"')",
    "UPDATE conf SET body['smtp']['password'] = '\"PW\"'",
    "SELECT $$host=h user=app password=PW$$",
    "SELECT 'reads from h: password=PW'",
    "SELECT 'host=' || h || ';password=PW;user=app'",
    "MERGE INTO u USING v ON true WHEN NOT MATCHED THEN INSERT (n, password) VALUES ('a', 'PW')",
    "SELECT 'postgres://app:' || 'PW' || '@h/d'",
]


@pytest.mark.parametrize("text", SEEN)
def test_a_password_that_stands_there_is_seen(text: str) -> None:
    for password in ("x", UNMISTAKABLE):
        assert holds_password(text.replace("PW", password))
    assert seen_passwords([text.replace("PW", UNMISTAKABLE)]) == {UNMISTAKABLE}


@pytest.mark.parametrize("text", ONLY_KNOWN_TO_BE_THERE)
def test_one_that_stands_elsewhere_is_known_to_be_there(text: str) -> None:
    assert holds_password(text)


@pytest.mark.parametrize("text", NONE)
def test_where_none_stands_everything_is_told(text: str) -> None:
    assert not holds_password(text)


@pytest.mark.parametrize("password", ["app", "desk_app", "orders", "throwaway", "Venture-App", "x"])
def test_a_name_or_word_is_never_hidden_from_a_whole_report(password: str) -> None:
    assert seen_passwords([f"CREATE ROLE app PASSWORD '{password}'"]) == frozenset()


@pytest.mark.parametrize("text", LITERALS)
@pytest.mark.parametrize("password", ["q7z", UNMISTAKABLE])
def test_no_message_about_a_literal_shows_it(text: str, password: str) -> None:
    text = text.replace("PW", password)
    assert holds_password(text)
    said = without_passwords(f'syntax error at or near "{password}"\n{text}', text)
    assert said is None or ("[secret]" in said and password not in said)


@pytest.mark.parametrize("text", ["ALTER ROLE a PASSWORD 'PW'", "SELECT create_secret('PW')"])
def test_what_can_be_cut_out_is_and_the_rest_is_told(text: str) -> None:
    for password, told in ((UNMISTAKABLE, "role app: [secret]"), ("app", None), ("q7z", None)):
        assert without_passwords(f"role app: {password}", text.replace("PW", password)) == told
    assert without_passwords("said", text.replace("PW", UNMISTAKABLE) + " it's") is None


@pytest.mark.parametrize("text", [*SEEN, *ONLY_KNOWN_TO_BE_THERE, *LITERALS])
@pytest.mark.parametrize(
    "broken", ["{} '; SELECT", "-- +goose Up {}\n", "-- hk: pw={}\n{}", "${{a}} {}"]
)
def test_what_is_wrong_in_such_a_file_is_told_by_its_place(text: str, broken: str) -> None:
    text = broken.format(text.replace("PW", UNMISTAKABLE), "SELECT 1")
    file = from_text("sql/migrations/0001_a.sql", Kind.MIGRATION, text, "")
    assert file.problems
    assert UNMISTAKABLE not in str(file.problems)


def test_a_thousand_files_cost_little() -> None:
    text = "CREATE TABLE venture.account (id bigint PRIMARY KEY, name text NOT NULL);\n" * 100
    started = time.process_time()
    assert not any(holds_password(text) for _ in range(1000))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "text",
    [
        "password" + "/*a*/" * 2_500,
        "password" + "/*a*/" * 2_500 + "'x'",
        "password" + "/*" * 2_500 + "*/" * 2_500 + "'x'",
        "password" + "/*" * 2_500,
        "/*password*/" * 2_500,
        "/* password " * 2_500,
        "-- password\n" * 2_500,
        "password = " * 2_500,
        "password (" * 2_500,
        "crypt(" * 2_500,
        "INSERT INTO a (password, " * 1_000,
        "INSERT INTO a (password) VALUES " + "((" * 2_500,
        "INSERT INTO a (password) VALUES (b " * 750,
        "into " * 2_500,
        "password '" * 2_500,
        "password $a" * 2_500,
        "format('password %L', " * 1_250,
        "password" + " " * 12_500,
        "password" * 2_500,
        "secret_" * 2_500,
        "password a.b:" * 1_250 + "://",
        "://a:" * 2_500,
        "('password', 'x1'), " * 1_250,
        "INSERT INTO a (key, value) VALUES " + "('a_password', 'x1'), " * 1_250,
        "jsonb_set('password', '{password}', " * 750,
        "select 'password', " * 1_250,
        "value = 'x1' where key = 'password' and " * 750,
        "'" + "a=b " * 5_000 + "password'",
        "$$" + "a=b " * 5_000 + "password$$",
        "'" + "password=" * 2_500 + "'",
    ],
    ids=range(30),
)
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    holds_password(text)
    without_passwords(text, text)
    # What grows with its square takes 4 s; workers that share a core double what the rest takes.
    assert time.process_time() - started < 1
