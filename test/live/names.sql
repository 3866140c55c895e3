-- Names that bite. Variables: role (a name that bites, too).
SET client_min_messages = warning;
CREATE SCHEMA "select * from; drop schema";
CREATE SCHEMA "Schéma ""quoted"" 'n %s";
CREATE SCHEMA "new
line";
CREATE SCHEMA "sixty_three_bytes_long_names_are_the_longest_that_there_can_be_";
ALTER SCHEMA "new
line" OWNER TO :"role";

CREATE TABLE "select * from; drop schema"."a;b" ("col;umn" int PRIMARY KEY, "%d%s%n" text, "with space" text);
INSERT INTO "select * from; drop schema"."a;b" SELECT n, '%' || n, E'a\tb' FROM generate_series(1, 50) n;
CREATE TABLE "Schéma ""quoted"" 'n %s"."Tàble ""x"" 'y'" ("Cölumn ""x""" serial, "'" text, """" text, "
" int, "\" text, "\." text, "	tab" text);
INSERT INTO "Schéma ""quoted"" 'n %s"."Tàble ""x"" 'y'" ("'", """", "
", "\", "\.", "	tab") VALUES ('a', 'b', 1, '\', '\.', E'\t'), (NULL, '', 2, NULL, '\N', '');
CREATE TABLE "new
line"."table
-- DROP TABLE x;
\connect template1
" ("c
\! touch /tmp/sfb-names-was-here
d" text);
INSERT INTO "new
line"."table
-- DROP TABLE x;
\connect template1
" VALUES ('one'), ('two');
ALTER TABLE "new
line"."table
-- DROP TABLE x;
\connect template1
" OWNER TO :"role";
CREATE TABLE "sixty_three_bytes_long_names_are_the_longest_that_there_can_be_"."Ünïcödé_漢字_🗜️_sixty_three_bytes_long_exactly_so_____"
    ("sixty_three_bytes_long_names_are_the_longest_that_there_can_be_" int PRIMARY KEY, "漢" text);
INSERT INTO "sixty_three_bytes_long_names_are_the_longest_that_there_can_be_"."Ünïcödé_漢字_🗜️_sixty_three_bytes_long_exactly_so_____"
    VALUES (1, '字');
CREATE TABLE "UPPER" ("Order" int, "user" text, "from" text, "COPY" text, "sfb" int);
INSERT INTO "UPPER" VALUES (1, 'u', 'f', 'c', 2);
CREATE TABLE "table" ("table" int);
INSERT INTO "table" VALUES (1);
CREATE TABLE "a.b" (n int);
CREATE SCHEMA a;
CREATE TABLE a.b (n int);
INSERT INTO "a.b" VALUES (1);
INSERT INTO a.b VALUES (2), (3);
CREATE TABLE "--verbose" (n int);
INSERT INTO "--verbose" VALUES (1);
CREATE TABLE "* ?[a-z]" (n int);
INSERT INTO "* ?[a-z]" VALUES (1);
CREATE TABLE "$(id)`id`$1" (n int);
INSERT INTO "$(id)`id`$1" VALUES (1), (2);
CREATE TABLE " " (" " int);
INSERT INTO " " VALUES (1);
CREATE FUNCTION "f; DROP"("a b" int) RETURNS int LANGUAGE sql RETURN "a b";
CREATE VIEW "v'iew" AS SELECT "f; DROP"(1) AS "x;y";
CREATE TYPE "e num" AS ENUM ('a;b', 'c''d', '"e"');
CREATE SEQUENCE "se'quence;";
SELECT nextval('"se''quence;"');
CREATE INDEX "in;dex" ON "table" ("table");
COMMENT ON TABLE "table" IS E'\\.\n\\connect template1\n-- ''; DROP TABLE "table";';
GRANT SELECT ON "UPPER" TO :"role";
SELECT lo_from_bytea(99, 'x');
ALTER LARGE OBJECT 99 OWNER TO :"role";
