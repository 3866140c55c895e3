#!/usr/bin/env bats
# drill.bats - a recovery is rehearsed: restored beside everything, proven, examined, and gone again.
load harness

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "
        CREATE TABLE orders (id serial PRIMARY KEY, item text NOT NULL, paid boolean);
        INSERT INTO orders (item, paid) SELECT 'item ' || n, n % 2 = 0 FROM generate_series(1, 2000) n;
        CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
        INSERT INTO customers (name) VALUES ('ann'), ('bob'), ('eve');
        CREATE INDEX ON customers (name);
        ALTER TABLE customers ADD CONSTRAINT named CHECK (name <> '')"
    db_new staging
    sql staging "CREATE TABLE staging_only AS SELECT 1 AS n"
}
teardown_file() { file_end; }

setup() {
    test_begin
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url shop) STAGING_DATABASE_URL=$(db_url staging)
}
teardown() { test_end; }

# What is on the server: databases and roles.
on_server() { sql postgres "SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1"; }
# A backup in the cache: BACKUP is its path.
take_backup() {
    sfb backup --local-only >/dev/null && rm "$WORK"/*
    BACKUP=$(the_file "$CACHE" 'backup-*.dump')
}

@test "the latest backup is restored beside staging, proven, examined, and dropped again" {
    take_backup
    on_server >"$T/before"
    content_text staging >"$T/staging"
    run -0 --separate-stderr sfb drill
    has "$output" '✅ the server answers \(PostgreSQL 15\.'
    has "$output" '✅ the backup is whole \(backup-[0-9-]*\.dump, '
    has "$output" '✅ every row is as it was backed up \(2 tables, 2,003 rows, rows and fingerprints equal\)'
    has "$output" '✅ every index is valid \(3 indexes\)'
    has "$output" '✅ every index is sound \([0-9]+ B-tree indexes, every page of them\)'
    has "$output" '✅ every constraint is validated \(3 constraints\)'
    has "$output" '✅ no sequence is behind \(2 sequences\)'
    has "$output" '✅ production has not drifted away \(0\.0 % of the rows differ\)'
    has "$output" 'Recovery takes'
    [ -z "$stderr" ]
    on_server | diff "$T/before" -
    same_content staging "$T/staging"
    empty_dir "$WORK"
}
