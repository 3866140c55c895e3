-- Text, as articles, tickets and mails are; :mb is its size in megabytes, roughly. The server has little to do for it and
-- a compressor a lot; with mixed.sql it is the other way round.
\set ON_ERROR_STOP on
SELECT setseed(0.5);

CREATE TEMP TABLE vocabulary AS SELECT array_agg(left(translate(md5(i::text), '0123456789', 'etaoinshrd'), 2 + i % 8)) AS words
    FROM generate_series(1, 700) i;
CREATE TEMP TABLE passages (id int PRIMARY KEY, passage text);
INSERT INTO passages SELECT i, (SELECT string_agg(words[1 + j % 10 + floor(random() * random() * 690)::int], ' ')
        FROM generate_series(1, 85 + i % 7) j)
    FROM generate_series(0, 19999) i, vocabulary;

-- 800 bytes a row, a quarter of them random, as keys and signatures are
CREATE TABLE documents (id bigint, author text, tags text, body text);
INSERT INTO documents SELECT i, 'Person ' || i % 100000, 'tag' || i % 13 || ',tag' || i % 7, passage || ' ' ||
    (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 6) WHERE i > 0)
    FROM generate_series(1, :mb * 1000000 / 800) i JOIN passages ON passages.id = i % 20000;
ALTER TABLE documents ADD PRIMARY KEY (id);
VACUUM ANALYZE;
