# shellcheck shell=bash
# drill-tools.bash - what the files of drill tests share: a shop with everything that is examined, backups of it, alterations.
#
#     load harness; load drill-tools
#     setup_file() { file_begin; pg_start; drill_shop; }
#     setup()      { test_begin; drill_environment; }

# Production's database shop, and staging's with something that must stay.
drill_shop() {
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
drill_environment() {
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url shop) STAGING_DATABASE_URL=$(db_url staging)
}

# take_backup [DATABASE]: one in the cache. BACKUP is its path.
take_backup() {
    PRODUCTION_DATABASE_URL=$(db_url "${1:-shop}") sfb backup --local-only >/dev/null || return 1
    rm "$WORK"/*
    BACKUP=$(the_file "$CACHE" 'backup-*.dump')
}

# A copy of shop that the test may change: new_shop NAME; the test drops it with db_drop.
new_shop() { db_new "$1" "TEMPLATE shop"; }

# alter_manifest PERL: $m is BACKUP's manifest, decoded.
alter_manifest() {
    perl -MJSON::PP -0777 -i -pe 'my $m = JSON::PP->new->utf8->decode($_); '"$1"'; $_ = JSON::PP->new->utf8->canonical->pretty->encode($m)' \
        "${BACKUP%.dump}.manifest.json"
}

# What is on the server: databases, but for copies of the shop, and roles.
on_server() {
    sql postgres "SELECT datname FROM pg_database WHERE datname !~ '^shop_' UNION ALL SELECT rolname FROM pg_roles ORDER BY 1"
}
