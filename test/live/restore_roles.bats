#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# restore_roles.bats - a server that lacks what the dump speaks of, and users who may not do everything: what is missing is
# made, or told in one line each before anything is touched; never an avalanche of errors.
load harness

BITING='ro"le; '"'n %s"

setup_file() {
    file_begin
    pg_start
    mkdir "$ROOT/space"
    ! is_root || chown postgres "$ROOT/space"
    sql postgres "CREATE ROLE boss SUPERUSER LOGIN; CREATE ROLE clerk LOGIN CREATEDB NOINHERIT CONNECTION LIMIT 3 VALID UNTIL '2040-01-01 00:00+00';
        CREATE ROLE team; GRANT team TO clerk; CREATE ROLE $(quote_name "$BITING"); ALTER ROLE clerk PASSWORD 'geheim'"
    sql postgres "CREATE TABLESPACE far LOCATION '$ROOT/space'"
    db_new source "OWNER clerk"
    sql source "CREATE EXTENSION hstore; CREATE EXTENSION IF NOT EXISTS plpgsql; COMMENT ON EXTENSION plpgsql IS 'as ever';
        CREATE SCHEMA work AUTHORIZATION clerk;
        CREATE TABLE work.paper (id int PRIMARY KEY, h hstore) TABLESPACE far;
        INSERT INTO work.paper VALUES (1, 'a=>1'), (2, NULL);
        ALTER TABLE work.paper OWNER TO clerk;
        GRANT SELECT, UPDATE (h) ON work.paper TO team;
        GRANT SELECT ON work.paper TO $(quote_name "$BITING");
        ALTER TABLE work.paper ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON work.paper TO team USING (id > 0);
        ALTER DEFAULT PRIVILEGES FOR ROLE boss IN SCHEMA work GRANT SELECT ON TABLES TO team;
        CREATE TABLE plain (n int); INSERT INTO plain VALUES (7);
        CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION watch();
        COMMENT ON SCHEMA public IS 'everybody''s'"
    mkdir "$ROOT/backups" "$ROOT/cache" "$ROOT/log" "$ROOT/state"
    PRODUCTION_DATABASE_URL=$(db_url source) SFB_WORK_DIR=$ROOT/backups SFB_CACHE_DIR='' SFB_LOG_DIR=$ROOT/log \
        SFB_STATE_DIR=$ROOT/state sfb backup --local-only >/dev/null
    BACKUP=$(the_file "$ROOT/backups" '*.dump')
    pg pg_dump -Fc -f "$ROOT/stock.dump" source
    pg pg_dump -Fp -f "$ROOT/stock.sql" source
    chmod 644 "$ROOT"/stock.*
    export BACKUP
    content_text source >"$ROOT/content"
    # from here on this server is another one: it has none of that
    db_drop source
    forget
    sql postgres "DROP TABLESPACE far"
    sql postgres "CREATE ROLE plainly LOGIN CREATEDB PASSWORD 'x'; CREATE ROLE maker LOGIN CREATEDB CREATEROLE PASSWORD 'x'"
}
teardown_file() { file_end; }
forget() { sql postgres "DROP ROLE IF EXISTS boss, clerk, team, $(quote_name "$BITING")"; }
setup() {
    test_begin
    export STAGING_DATABASE_URL
    STAGING_DATABASE_URL=$(db_url target)
}
teardown() {
    db_drop target
    forget
    test_end
}
role() { sql postgres "SELECT rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit, rolpassword IS NULL,
                              rolvaliduntil AT TIME ZONE 'UTC' FROM pg_authid WHERE rolname = '$1'"; }

@test "missing roles come from the globals: no login, no password, no powers, and it says so" {
    run -0 --separate-stderr sfb restore --force "$BACKUP"
    has "$stderr" 'roles created because the backup needs them: boss, clerk, ro"le; .* and team \(they can.t log in\)'
    has "$stderr" 'not given to them: boss \(SUPERUSER\) and clerk \(CREATEDB\)'
    has "$stderr" 'everything goes into the default tablespace, for there is no far'
    [ "$(role boss)" = 'f|t|f|f|f|-1|t|' ]
    [ "$(role clerk)" = 'f|f|f|f|f|3|t|2040-01-01 00:00:00' ]
    answers postgres "SELECT pg_has_role('clerk', 'team', 'MEMBER') AND NOT pg_has_role('team', 'clerk', 'MEMBER')"
    same_but_tablespace ''
}
same_but_tablespace() { # and but what else matches the pattern
    content_text target >"$T/now"
    diff -u <(leave_out "$1" <"$ROOT/content") <(leave_out "$1" <"$T/now")
}
leave_out() { sed 's/; Tablespace: far$//; /default_tablespace/d' | { [ -z "$1" ] && cat || grep -v "$1"; } | cat -s; }

@test "--role-login: who could log in there may log in here, still without a password" {
    run -0 --separate-stderr sfb restore --force --role-login "$BACKUP"
    [ "$(role clerk)" = 'f|f|f|f|t|3|t|2040-01-01 00:00:00' ]
    [ "$(role team)" = 'f|t|f|f|f|-1|t|' ]
}

@test "without globals missing roles are made plain" {
    run -0 --separate-stderr sfb restore --force "$ROOT/stock.dump"
    has "$stderr" 'roles created'
    [ "$(role clerk)" = 'f|t|f|f|f|-1|t|' ]
    answers target "SELECT relowner = 'clerk'::regrole FROM pg_class WHERE relname = 'paper'"
}

@test "a script's missing roles are made as well" {
    sed '/^SET default_tablespace = far;$/d' "$ROOT/stock.sql" >"$T/stock.sql"
    run -0 --separate-stderr sfb restore --force "$T/stock.sql"
    has "$stderr" 'roles created because the backup needs them: boss, clerk, ro"le; .* and team'
    same_but_tablespace '^database|' # a script alone does not tell whose the database was
}

@test "changed globals are not used" {
    cp "$ROOT"/backups/* "$T/"
    sed -i 's/ALTER ROLE clerk WITH/ALTER ROLE clerk WITH SUPERUSER/' "$T"/*.globals.sql
    run -0 --separate-stderr sfb restore --force "$T/${BACKUP##*/}"
    has "$stderr" 'globals.sql is not used: it was changed since the backup'
    [ "$(role clerk)" = 'f|t|f|f|f|-1|t|' ]
}

@test "roles that exist are not touched" {
    sql postgres "CREATE ROLE clerk LOGIN PASSWORD 'mine'; CREATE ROLE team"
    run -0 --separate-stderr sfb restore --force "$BACKUP"
    has_not "$stderr" 'created.*clerk'
    [ "$(role clerk)" = 'f|t|f|f|t|-1|f|' ]
    answers postgres "SELECT NOT pg_has_role('clerk', 'team', 'MEMBER')"
}

@test "a user who may create databases but no roles: all the data, and each loss in a line" {
    STAGING_DATABASE_URL=$(db_url target plainly x)
    run -0 --separate-stderr sfb restore --force "$BACKUP"
    has "$stderr" 'plainly will own what belonged to roles that do not exist here: clerk'
    has "$stderr" 'plainly will own what belonged to roles it is no member of: postgres'
    has "$stderr" 'nothing is granted to roles that do not exist here: boss, ro"le; .* and team'
    has "$stderr" 'policies and user mappings of such roles are missing: paper own'
    has "$stderr" 'only a superuser can make EVENT TRIGGER watching'
    [ "$(grep -c . <<<"$stderr")" -le 8 ]
    has "$output" '✅ Data integrity verification successful'
    [ "$(sql target "SELECT count(*) FROM work.paper")" = 2 ]
    answers postgres "SELECT pg_get_userbyid(datdba) = 'plainly' FROM pg_database WHERE datname = 'target'"
    # and again, over what is there
    run -0 --separate-stderr sfb restore --force "$BACKUP"
    has "$output" 'Pre-restore backup saved'
}

@test "a user who may create roles: owners and privileges are restored" {
    STAGING_DATABASE_URL=$(db_url target maker x)
    run -0 --separate-stderr sfb restore --force "$BACKUP"
    answers target "SELECT relowner = 'clerk'::regrole FROM pg_class WHERE relname = 'paper'"
    answers target "SELECT has_table_privilege('team', 'work.paper', 'SELECT')"
}

@test "what can be given is given, though some roles can't be had" {
    sql postgres "CREATE ROLE clerk; CREATE ROLE team; GRANT clerk TO plainly"
    STAGING_DATABASE_URL=$(db_url target plainly x)
    run -0 --separate-stderr sfb restore --force "$BACKUP"
    has "$stderr" 'nothing is granted to roles that do not exist here: boss and ro"le'
    has_not "$stderr" 'could not be given'
    answers target "SELECT relowner = 'clerk'::regrole AND has_table_privilege('team', oid, 'SELECT')
                    AND has_column_privilege('team', oid, 'h', 'UPDATE') FROM pg_class WHERE relname = 'paper'"
    [ "$(sql target "SELECT count(*) FROM work.paper")" = 2 ]
    sql postgres "REVOKE clerk FROM plainly"
}

@test "a dry run names the roles it would make, and makes none" {
    run -0 --separate-stderr sfb restore --dry-run "$BACKUP"
    has "$stderr" 'roles that would be created, without password and login: boss, clerk'
    [ "$(sql postgres "SELECT count(*) FROM pg_roles WHERE rolname IN ('boss', 'clerk', 'team')")" = 0 ]
    run -0 --separate-stderr env STAGING_DATABASE_URL="$(db_url target plainly x)" "$SFB" restore --dry-run "$BACKUP"
    has "$stderr" 'plainly will own what belonged to'
}

@test "a restore that fails takes its roles away again" {
    sed 's/CREATE EVENT TRIGGER watching ON ddl_command_end/CREATE EVENT TRIGGER watching ON ddl_commandXend/' "$ROOT/stock.dump" >"$T/late.dump"
    run -4 --separate-stderr sfb restore --force "$T/late.dump"
    [ "$(sql postgres "SELECT count(*) FROM pg_roles WHERE rolname IN ('boss', 'clerk', 'team')")" = 0 ]
}

@test "extensions that the server lacks: all in one line, before anything is touched" {
    db_new target
    sql target "CREATE TABLE precious (n int)"
    sed 's/hstore/hstorX/g' "$ROOT/stock.dump" >"$T/lacking.dump"
    run -4 --separate-stderr sfb restore --force "$T/lacking.dump"
    has "$stderr" 'this server has no extension hstorX, and the backup needs it; nothing was touched'
    sed 's/CREATE EXTENSION IF NOT EXISTS hstore /CREATE EXTENSION IF NOT EXISTS hstorX /' "$ROOT/stock.sql" >"$T/lacking.sql"
    run -4 --separate-stderr sfb restore --force "$T/lacking.sql"
    has "$stderr" 'this server has no extension hstor[xX]'
    answers target "SELECT count(*) = 0 FROM precious"
}

@test "somebody else's database: 4, whose it is, nothing touched" {
    db_new target
    STAGING_DATABASE_URL=$(db_url target plainly x)
    run -4 --separate-stderr sfb restore --force "$BACKUP"
    has "$stderr" 'database target belongs to postgres, so user plainly may not replace it; nothing was touched'
}

@test "a user who may not create databases: 4, and the statement that helps" {
    sql postgres "CREATE ROLE nothing LOGIN PASSWORD 'x'"
    STAGING_DATABASE_URL=$(db_url target nothing x)
    run -4 --separate-stderr sfb restore --force "$BACKUP"
    has "$stderr" 'user nothing may not create databases'
    has "$stderr" 'ALTER ROLE "nothing" CREATEDB'
    sql postgres "DROP ROLE nothing"
}

@test "a locale that the server lacks: another one is used, and that is said" {
    sed "s/C\\.UTF-8/q_Q.UT8/g" "$ROOT/stock.dump" >"$T/locale.dump"
    run -0 --separate-stderr sfb restore --force "$T/locale.dump"
    has "$stderr" "can't make a database with the backup's locale .*q_Q.UT8"
    [ "$(sql target "SELECT count(*) FROM work.paper")" = 2 ]
}

@test "a script that runs psql's commands is refused before anything is touched, and its shell is never run" {
    db_new target
    sql target "CREATE TABLE precious (n int)"
    { head -n 20 "$ROOT/stock.sql"; echo "\\! touch $T/was-here"; tail -n +21 "$ROOT/stock.sql"; } >"$T/shell.sql"
    run -4 --separate-stderr sfb restore --force "$T/shell.sql"
    has "$stderr" 'holds psql commands'
    # hidden from a reader of statements: within a line, behind the script's own \unrestrict
    { echo '\unrestrict abc'; sed 's/^SET statement_timeout = 0;$/SELECT 1 AS a \\! touch '"${T//\//\\/}"'\/was-here/' "$ROOT/stock.sql"; } >"$T/sly.sql"
    run -4 --separate-stderr sfb restore --force "$T/sly.sql"
    [ ! -e "$T/was-here" ]
    pg pg_dump -Fp --create -f "$T/create.sql" target
    chmod 644 "$T/create.sql"
    run -4 --separate-stderr sfb restore --force "$T/create.sql"
    has "$stderr" 'pg_dump --create'
    answers target "SELECT count(*) = 0 FROM precious"
}
