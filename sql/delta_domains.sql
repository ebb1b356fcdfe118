-- What is captured of a column of a domain has the domain's base type: no check of a domain's owner runs over our
-- tables, neither in ALTER DOMAIN nor in a restore, and no row of theirs fails one.
\set SHOW_CONTEXT never
CREATE SCHEMA domains;
SET search_path = domains, public;
CREATE TABLE checked (who text, value int);
CREATE FUNCTION note(value int) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO domains.checked VALUES (current_user, value); RETURN true; END $$;
CREATE DOMAIN number AS int;
CREATE DOMAIN code AS varchar(10);
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN feeling AS mood CHECK (VALUE IS NOT NULL);
CREATE DOMAIN pair AS int[];
CREATE TABLE fact (n number, c code, f feeling, p pair, v int);
INSERT INTO fact SELECT i % 5, 'c' || i % 3, 'happy', ARRAY[i % 2, 1], i FROM generate_series(1, 100) i;
CREATE TABLE named (n number PRIMARY KEY, name text);
INSERT INTO named SELECT i, 'name ' || i FROM generate_series(0, 9) i;
CREATE MATERIALIZED VIEW by_all AS SELECT n, c, f, p, sum(v) AS v FROM fact GROUP BY n, c, f, p;
CREATE MATERIALIZED VIEW by_name AS SELECT d.n, d.name, sum(v) AS v FROM fact JOIN named d ON d.n = fact.n GROUP BY d.n, d.name;
SELECT metrics_refresh.schedule(v::regclass, job_name => v, strategy => 'incremental') IS NOT NULL AS scheduled FROM unnest('{by_all,by_name}'::text[]) v;
CALL tools.run('by_all');
CALL tools.run('by_name');
SELECT DISTINCT format_type(atttypid, atttypmod) AS captured_as FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
WHERE relname LIKE 'delta\_%' AND relkind = 'r' AND attname LIKE 'k_' ORDER BY 1;

CREATE FUNCTION differences() RETURNS bigint LANGUAGE sql SET search_path = domains AS $$
    SELECT (SELECT count(*) FROM (SELECT n, c, f, p, sum(v) FROM fact GROUP BY n, c, f, p EXCEPT SELECT n, c, f, p, v FROM by_all) x)
         + (SELECT count(*) FROM (SELECT n, c, f, p, v FROM by_all EXCEPT SELECT n, c, f, p, sum(v) FROM fact GROUP BY n, c, f, p) y)
         + (SELECT count(*) FROM (SELECT d.n, d.name, sum(v) FROM fact JOIN named d ON d.n = fact.n GROUP BY 1, 2 EXCEPT SELECT n, name, v FROM by_name) z) $$;
INSERT INTO fact VALUES (1, 'new', 'sad', ARRAY[7, 8], 1000);
UPDATE fact SET v = v + 1 WHERE n = 2;
UPDATE named SET name = 'another' WHERE n = 3;
CALL tools.run('by_all');
CALL tools.run('by_name');
SELECT status, strategy FROM tools.log ORDER BY n DESC LIMIT 2;
SELECT differences();

-- A TRUNCATE is captured as a row without values.
TRUNCATE fact;
ALTER DOMAIN number SET NOT NULL;
INSERT INTO fact SELECT i % 5, 'c' || i % 3, 'happy', ARRAY[i % 2, 1], i FROM generate_series(1, 50) i;
CALL tools.run('by_all');
CALL tools.run('by_name');
SELECT status, strategy FROM tools.log ORDER BY n DESC LIMIT 2;
SELECT differences();

-- What is in no table of his any more, an owner's check does not see.
INSERT INTO fact VALUES (77, 'gone', 'sad', ARRAY[7, 8], 0);
DELETE FROM fact WHERE n = 77;
ALTER DOMAIN number ADD CHECK (domains.note(VALUE));
SELECT count(*) > 0 AS checked, count(*) FILTER (WHERE value = 77) AS checks_of_our_rows FROM checked;

SELECT metrics_refresh.unschedule(v) FROM unnest('{by_all,by_name}'::text[]) v;
CALL tools.sweep();
TRUNCATE metrics_refresh_internal.run_log;
RESET search_path;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA domains CASCADE;
