-- A database of several shapes; :mb is its size in megabytes of COPY text, roughly.
\set ON_ERROR_STOP on
SELECT setseed(0.5);

-- narrow rows: 30 %
CREATE TABLE clicks (id bigint, person int, at timestamptz, kind smallint);
INSERT INTO clicks SELECT i, (random() * 100000)::int, '2025-01-01'::timestamptz + i * interval '1 second', i % 7
    FROM generate_series(1, :mb * 300000 / 48) i;

-- wide JSON: 25 %, with prose in which no text comes back before 16 MB have passed
CREATE TEMP TABLE vocabulary AS SELECT array_agg(left(translate(md5(i::text), '0123456789', 'etaoinshrd'), 2 + i % 8)) AS words
    FROM generate_series(1, 700) i;
CREATE TEMP TABLE bios (id int PRIMARY KEY, bio text);
INSERT INTO bios SELECT i, (SELECT string_agg(words[1 + j % 10 + floor(random() * random() * 690)::int], ' ')
        FROM generate_series(1, 85 + i % 7) j)
    FROM generate_series(0, 19999) i, vocabulary;
CREATE TABLE profiles (id int, profile jsonb);
INSERT INTO profiles SELECT i, jsonb_build_object('name', 'Person ' || i, 'email', 'p' || i || '@example.org', 'roles',
    jsonb_build_array('member', 'role' || i % 13), 'address', jsonb_build_object('street', 'Street ' || i % 5000, 'city',
    'City ' || i % 300, 'zip', i % 99999), 'bio', bio, 'token', md5(random()::text))
    FROM generate_series(1, :mb * 250000 / 800) i JOIN bios ON bios.id = i % 20000 ORDER BY i;

-- bytea that does not compress: 10 % of the text
CREATE TABLE files (id int, name text, content bytea);
INSERT INTO files SELECT i, 'file-' || i || '.bin', (SELECT string_agg(sha256((i::text || j)::bytea), '') FROM generate_series(1, 128) j)
    FROM generate_series(1, :mb * 100000 / 8300) i;

-- one giant table: 34 %, a row like an application's
CREATE TABLE signups (id bigint, event int, person int, name text, email text, status text, note text, at timestamptz, price numeric);
INSERT INTO signups SELECT i, i % 5000, (random() * 100000)::int, 'Person ' || i % 100000, 'person' || i % 100000 || '@example.org',
    (ARRAY['open', 'paid', 'cancelled'])[1 + i % 3], CASE WHEN i % 4 = 0 THEN 'note ' || md5(i::text) END,
    '2025-01-01'::timestamptz + i * interval '7 seconds', (i % 10000) / 100.0
    FROM generate_series(1, :mb * 340000 / 122) i;

-- one table of 1 %
CREATE TABLE events (id int, title text, org text, starts timestamptz);
INSERT INTO events SELECT i, 'Event number ' || i, 'org_' || i % 300, '2025-01-01'::timestamptz + i * interval '1 hour'
    FROM generate_series(1, :mb * 10000 / 60) i;

-- many small tables
SELECT format('CREATE TABLE small_%s (id int PRIMARY KEY, label text); INSERT INTO small_%s SELECT j, ''label '' || j FROM generate_series(1, 50) j', i, i)
    FROM generate_series(1, 300) i \gexec

ALTER TABLE signups ADD PRIMARY KEY (id);
ALTER TABLE events ADD PRIMARY KEY (id);
CREATE INDEX ON signups (event);
CREATE INDEX ON clicks (person);
VACUUM ANALYZE;
