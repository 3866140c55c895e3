-- demo.sql - a sign-up application's database: organisations, people, events, sign-ups, posters. About 440,000 rows.
SET client_min_messages = warning;
SELECT setseed(0.42);

CREATE TYPE role AS ENUM ('member', 'helper', 'organiser', 'admin');
CREATE TYPE answer AS ENUM ('yes', 'no', 'maybe', 'waiting list');

CREATE TABLE organisations (
    id serial PRIMARY KEY,
    name text NOT NULL UNIQUE,
    city text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}',
    logo bytea,
    created timestamptz NOT NULL
);
COMMENT ON TABLE organisations IS 'Clubs, choirs and neighbourhoods that invite people';
CREATE TABLE people (
    id serial PRIMARY KEY,
    organisation int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    name text NOT NULL,
    email text NOT NULL,
    role role NOT NULL DEFAULT 'member',
    born date,
    joined timestamptz NOT NULL,
    CHECK (email LIKE '%@%')
);
CREATE TABLE events (
    id serial PRIMARY KEY,
    organisation int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    title text NOT NULL,
    description text,
    during tstzrange NOT NULL,
    seats int CHECK (seats > 0),
    poster oid
);
CREATE TABLE signups (
    event int NOT NULL REFERENCES events ON DELETE CASCADE,
    person int NOT NULL REFERENCES people ON DELETE CASCADE,
    answer answer NOT NULL,
    note text,
    at timestamptz NOT NULL,
    PRIMARY KEY (event, person)
);
CREATE TABLE messages (
    id bigint GENERATED ALWAYS AS IDENTITY,
    sent timestamptz NOT NULL,
    event int,
    body text NOT NULL,
    PRIMARY KEY (id, sent)
) PARTITION BY RANGE (sent);
CREATE TABLE messages_2024 PARTITION OF messages FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE messages_2025 PARTITION OF messages FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');

INSERT INTO organisations (name, city, settings, logo, created)
SELECT kind || ' ' || city || CASE WHEN n >= 60 THEN ' ' || n / 60 + 1 ELSE '' END, city,
       jsonb_build_object('locale', (ARRAY['de', 'en', 'fr'])[1 + n % 3], 'reminders', n % 4 > 0, 'colours', ARRAY['#0a6', '#fc3']),
       decode(repeat(md5('logo' || n), 40 + n % 100), 'hex'), timestamptz '2023-01-01 08:00+00' + n * interval '7 hours'
FROM generate_series(0, 299) n,
     LATERAL (SELECT (ARRAY['Chess Club', 'Choir', 'Allotment Society', 'Rowing Club', 'Repair Café', 'Running Group'])[1 + n % 6] kind,
                     (ARRAY['Ulm', 'Zürich', 'Malmö', 'Leeds', 'Galway', 'Łódź', 'Porto', 'Besançon', 'Århus', 'Graz'])[1 + n / 6 % 10] city) x;

INSERT INTO people (organisation, name, email, role, born, joined)
SELECT 1 + (n * 7919) % 300, first || ' ' || last, lower(translate(first, 'éøåüł', 'eoaul')) || '.' || n || '@example.org',
       (ARRAY['admin', 'organiser', 'helper', 'helper', 'member', 'member', 'member', 'member'])[1 + n % 8]::role,
       CASE WHEN n % 5 > 0 THEN date '1940-01-01' + (random() * 25000)::int END, timestamptz '2023-06-01 12:00+00' + n * interval '17 minutes'
FROM generate_series(1, 40000) n,
     LATERAL (SELECT (ARRAY['Ada', 'Bjørn', 'Chloé', 'Dilek', 'Emeka', 'Fatima', 'Günter', 'Hanna', 'Ivo', 'Jūratė', 'Kofi', 'Łucja'])[1 + n % 12] first,
                     (ARRAY['Nowak', 'Müller', 'O''Brien', 'Silva', 'Åkesson', 'Okafor', 'Dupont', 'Rossi', 'van der Berg', 'Yılmaz'])[1 + n / 12 % 10] last) x;

INSERT INTO events (organisation, title, description, during, seats)
SELECT 1 + (n * 31) % 300, (ARRAY['Spring', 'Summer', 'Autumn', 'Winter'])[1 + n % 4] || ' ' ||
       (ARRAY['tournament', 'rehearsal', 'meeting', 'picnic', 'workshop', 'concert', 'clean-up'])[1 + n % 7] || ' ' || 2024 + n % 2,
       repeat('Bring good shoes, something to share, and a friend. ', 1 + n % 9),
       tstzrange(start, start + (1 + n % 5) * interval '1 hour'), 10 + n % 190
FROM generate_series(1, 6000) n, LATERAL (SELECT timestamptz '2024-01-02 17:00+00' + n * interval '2 hours' start) x;

INSERT INTO signups
SELECT event, person, (ARRAY['yes', 'yes', 'yes', 'no', 'maybe', 'waiting list'])[1 + (event + person) % 6]::answer,
       CASE WHEN person % 11 = 0 THEN 'I can take ' || 1 + person % 4 || ' people along' END,
       timestamptz '2024-01-01 00:00+00' + event * interval '2 hours' - person % 90 * interval '1 day'
FROM generate_series(1, 6000) event, LATERAL (SELECT DISTINCT 1 + (event * 37 + k * 601) % 40000 person FROM generate_series(1, 55) k) x;

INSERT INTO messages (sent, event, body)
SELECT timestamptz '2024-01-01 06:00+00' + n * interval '10 minutes', 1 + n % 6000,
       'Reminder: see you ' || (ARRAY['tomorrow', 'on Sunday', 'tonight'])[1 + n % 3] || '. ' || md5(n::text)
FROM generate_series(1, 64000) n;

-- posters are large objects, of up to half a megabyte
UPDATE events SET poster = lo_from_bytea(0, decode(repeat(md5('poster' || id), 1000 * (1 + id % 32)), 'hex')) WHERE id <= 24;

CREATE INDEX ON people (organisation);
CREATE UNIQUE INDEX ON people (lower(email));
CREATE INDEX ON signups (person);
CREATE INDEX ON events USING gist (during);
CREATE VIEW coming AS SELECT e.id, e.title, count(*) FILTER (WHERE s.answer = 'yes') AS people
    FROM events e LEFT JOIN signups s ON s.event = e.id GROUP BY e.id;
CREATE MATERIALIZED VIEW busiest AS SELECT o.city, count(*) AS answers
    FROM signups s JOIN events e ON e.id = s.event JOIN organisations o ON o.id = e.organisation GROUP BY o.city;
CREATE FUNCTION no_double_booking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM events WHERE organisation = NEW.organisation AND title = NEW.title AND during && NEW.during) THEN
        RAISE EXCEPTION '% is already planned for that time', NEW.title;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER double_booking BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no_double_booking();
