-- Skip: what counts as a change of what a view reads, and what does not. After each thing done, what a
-- refresh does, then what the next one does, which finds nothing new.
CREATE SCHEMA k;
SET search_path = k;
CREATE TABLE base (id int PRIMARY KEY, grp text, at timestamptz DEFAULT '2026-01-02 03:04:05+00');
INSERT INTO base SELECT g, 'g' || g % 3 FROM generate_series(1, 10) g;
CREATE TABLE other (id int PRIMARY KEY);
CREATE MATERIALIZED VIEW v AS SELECT grp, count(*) AS n FROM base GROUP BY grp;

-- Whether the view holds what its definition gives.
CREATE FUNCTION is_right(view regclass) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE differing bigint; BEGIN
    EXECUTE format('WITH d AS MATERIALIZED (%s) SELECT (SELECT count(*) FROM (TABLE %s EXCEPT ALL TABLE d) a)
        + (SELECT count(*) FROM (TABLE d EXCEPT ALL TABLE %2$s) b)', rtrim(pg_get_viewdef(view), ';'), view) INTO differing;
    RETURN differing = 0;
END $$;
CREATE PROCEDURE look(what text, view text DEFAULT 'k.v') LANGUAGE plpgsql AS $$
DECLARE first text; second text; BEGIN
    first := metrics_refresh.refresh(view::regclass) ->> 'strategy'; COMMIT;
    ASSERT k.is_right(view::regclass);
    second := metrics_refresh.refresh(view::regclass) ->> 'strategy'; COMMIT;
    RAISE INFO '%: %, %', what, first, second;
END $$;

CALL look('created');
INSERT INTO base VALUES (11, 'g1');
CALL look('INSERT');
UPDATE base SET grp = 'g2' WHERE id = 11;
CALL look('UPDATE');
DELETE FROM base WHERE id = 11;
CALL look('DELETE');
COPY base (id, grp) FROM stdin;
12	g5
\.
CALL look('COPY');
MERGE INTO base USING (VALUES (12), (13)) s (id) ON base.id = s.id
    WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'g6');
CALL look('MERGE');
INSERT INTO base VALUES (13, 'x') ON CONFLICT (id) DO UPDATE SET grp = 'g7';
CALL look('upsert');
WITH gone AS (DELETE FROM base WHERE id = 13 RETURNING id) INSERT INTO other SELECT id FROM gone;
CALL look('a data-modifying WITH');
INSERT INTO other VALUES (1);
CALL look('INSERT into another table');
SELECT id FROM base WHERE id = 1 FOR UPDATE;
CALL look('SELECT FOR UPDATE');
VACUUM ANALYZE base;
CALL look('VACUUM');
CREATE INDEX ON base (grp);
CALL look('CREATE INDEX');

-- Transactions and their parts
BEGIN; INSERT INTO base VALUES (20, 'a'); ROLLBACK;
CALL look('rollback');
BEGIN; SAVEPOINT a; INSERT INTO base VALUES (20, 'a'); ROLLBACK TO a; INSERT INTO other VALUES (2); COMMIT;
CALL look('rollback to a savepoint');
BEGIN; SAVEPOINT a; INSERT INTO base VALUES (20, 'a'); RELEASE a; SAVEPOINT b; ROLLBACK TO b; COMMIT;
CALL look('released savepoint');
DO $$ BEGIN INSERT INTO other VALUES (3); BEGIN INSERT INTO base VALUES (20, 'a'); EXCEPTION WHEN unique_violation THEN NULL; END; END $$;
CALL look('exception block that caught the insertion''s error');
-- More locks than a process has places for of its own, before the table and after it.
DO $$ BEGIN FOR i IN 1 .. 100 LOOP EXECUTE format('CREATE TABLE many_%s (id int)', i); END LOOP; END $$;
CREATE PROCEDURE write_many() LANGUAGE plpgsql AS $$ BEGIN
    FOR i IN 1 .. 100 LOOP EXECUTE format('INSERT INTO k.many_%s VALUES (1)', i); END LOOP;
END $$;
BEGIN; CALL write_many(); INSERT INTO base VALUES (21, 'a'); COMMIT;
CALL look('after many others');
BEGIN; DELETE FROM base WHERE id = 21; CALL write_many(); COMMIT;
CALL look('before many others');
DO $$ BEGIN CALL k.write_many(); END $$;
CALL look('many others alone');
DO $$ BEGIN FOR i IN 1 .. 100 LOOP EXECUTE format('DROP TABLE k.many_%s', i); END LOOP; END $$;
DROP PROCEDURE write_many();
DO $$ BEGIN BEGIN PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN INSERT INTO base VALUES (21, 'a'); END; END $$;
CALL look('exception block that inserted');
CREATE PROCEDURE three() LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM base WHERE id = 20; COMMIT; INSERT INTO other VALUES (4); COMMIT; PERFORM 1; END $$;
CALL three();
CALL look('procedure that commits');
BEGIN; DECLARE c CURSOR FOR SELECT * FROM base WHERE id = 1 FOR UPDATE; FETCH c; UPDATE base SET grp = 'c' WHERE CURRENT OF c; COMMIT;
CALL look('WHERE CURRENT OF');

-- What this transaction has not committed is its own to see.
BEGIN;
INSERT INTO base VALUES (30, 'own');
SELECT metrics_refresh.refresh('v') ->> 'strategy' AS strategy, is_right('v');
SELECT metrics_refresh.refresh('v') ->> 'strategy' AS strategy, is_right('v');
ROLLBACK;
CALL look('rolled back with its refresh');
BEGIN; INSERT INTO base VALUES (30, 'own'); SELECT metrics_refresh.refresh('v') ->> 'strategy' AS strategy; COMMIT;
CALL look('committed after its refresh');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) > 0 AS some FROM base;
SELECT metrics_refresh.refresh('v') ->> 'strategy' AS strategy;
COMMIT;
CALL look('refreshed on an older snapshot');

-- Who writes rows in other ways
SET session_replication_role = replica; UPDATE base SET grp = 'r' WHERE id = 2; RESET session_replication_role;
CALL look('session_replication_role = replica');
SET track_counts = off; UPDATE base SET grp = 's' WHERE id = 2; RESET track_counts;
CALL look('track_counts = off');
CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1), (2);
ALTER TABLE base ADD COLUMN parent int REFERENCES parent ON DELETE CASCADE;
UPDATE base SET parent = 2 WHERE id = 3;
CALL look('UPDATE of a column that is not read');
DELETE FROM parent WHERE id = 2;
CALL look('ON DELETE CASCADE');
CREATE FUNCTION from_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE base SET grp = 't' WHERE id = 4; RETURN NULL; END $$;
CREATE TRIGGER t AFTER INSERT ON other EXECUTE FUNCTION from_trigger();
INSERT INTO other VALUES (5);
CALL look('trigger of another table');
DROP TRIGGER t ON other;

-- Storage and structure
TRUNCATE base CASCADE;
CALL look('TRUNCATE');
BEGIN; TRUNCATE base; INSERT INTO base VALUES (1, 'a'); ROLLBACK;
CALL look('TRUNCATE that is rolled back');
INSERT INTO base VALUES (1, '1'), (2, '2');
CALL look('INSERT');
ALTER TABLE base ALTER id TYPE bigint USING id + 1;
CALL look('rewriting ALTER TABLE');
VACUUM FULL base;
CALL look('VACUUM FULL');
ALTER TABLE base ADD COLUMN note text DEFAULT 'none';
CALL look('ADD COLUMN');
REFRESH MATERIALIZED VIEW v;
CALL look('REFRESH by core');
REFRESH MATERIALIZED VIEW v WITH NO DATA;
CALL look('WITH NO DATA');
DROP MATERIALIZED VIEW v;
CREATE MATERIALIZED VIEW v AS SELECT grp, count(*) AS n FROM base GROUP BY grp;
CALL look('made anew');

-- Partitions and inheritance
CREATE TABLE p (id int, grp text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE MATERIALIZED VIEW pv AS SELECT grp, count(*) AS n FROM p GROUP BY grp;
CALL look('created', 'pv');
INSERT INTO p VALUES (1, 'a');
CALL look('INSERT by the root', 'pv');
INSERT INTO p1 VALUES (2, 'b');
CALL look('INSERT into the partition', 'pv');
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
CALL look('a new partition', 'pv');
COPY p FROM stdin;
11	c
\.
CALL look('COPY through the root', 'pv');
ALTER TABLE p DETACH PARTITION p2;
CALL look('DETACH', 'pv');
INSERT INTO p2 VALUES (12, 'd');
CALL look('INSERT into what was detached', 'pv');
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
CALL look('ATTACH', 'pv');
UPDATE p SET id = id + 10 WHERE id = 1;
CALL look('UPDATE that moves a row', 'pv');
TRUNCATE p1;
CALL look('TRUNCATE of a partition', 'pv');
CREATE TABLE child (extra int) INHERITS (base);
CALL look('a child of the table');
INSERT INTO child VALUES (50, 'child');
CALL look('INSERT into the child');

-- The step of an aggregate
CREATE FUNCTION step(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + $2';
CREATE AGGREGATE total(int) (SFUNC = step, STYPE = int, INITCOND = 0);
CREATE MATERIALIZED VIEW totals AS SELECT total(id::int) FROM base;
CALL look('created', 'totals');
CREATE OR REPLACE FUNCTION step(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 2 * $2';
CALL look('its step replaced', 'totals');

-- Through views, stacked views, and what is not in the query but changes it
CREATE VIEW plain AS SELECT grp FROM base WHERE id > 0;
CREATE MATERIALIZED VIEW through AS SELECT count(*) AS n FROM plain;
CREATE MATERIALIZED VIEW stacked AS SELECT sum(n) AS n FROM v;
CALL look('created', 'through');
CALL look('created', 'stacked');
UPDATE base SET grp = 'z' WHERE id = 2;
CALL look('the table below', 'through');
CALL look('the view below is not refreshed yet', 'stacked');
CALL look('the view below');
CALL look('the view below was refreshed', 'stacked');
REFRESH MATERIALIZED VIEW v;
CALL look('the view below was refreshed by core', 'stacked');
CREATE OR REPLACE VIEW plain AS SELECT grp FROM base WHERE id > 2;
CALL look('the plain view replaced', 'through');
CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE MATERIALIZED VIEW calling AS SELECT f(id::int) AS f FROM base;
CALL look('created', 'calling');
CREATE OR REPLACE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
CALL look('its function replaced', 'calling');

-- What depends on settings, which are those of the owner, on the time, or on who knows what
ALTER ROLE CURRENT_USER SET TimeZone = 'PST8PDT'; ALTER ROLE CURRENT_USER SET DateStyle = 'Postgres, MDY';
CREATE MATERIALIZED VIEW days AS SELECT date_trunc('day', at) AS day, to_char(at, 'TMDay HH24') AS hour, at::text AS text,
    jsonb_agg(at) AS json, at + interval '1 day' AS next, concat(at, ' ', id) AS c FROM base GROUP BY at, id;
CALL look('created', 'days');
ALTER ROLE CURRENT_USER SET TimeZone = 'Asia/Tokyo'; SET TimeZone = 'Asia/Tokyo';
CALL look('another TimeZone', 'days');
ALTER ROLE CURRENT_USER SET DateStyle = 'German'; SET DateStyle = 'German';
CALL look('another DateStyle', 'days');
SET work_mem = '8MB';
CALL look('another work_mem', 'days');
RESET TimeZone; RESET DateStyle; RESET work_mem; ALTER ROLE CURRENT_USER RESET ALL;
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE FUNCTION stable_one() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION no_promise() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE SEQUENCE s;
CREATE TABLE asked (query text, reason text);
CREATE PROCEDURE why(query text) LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE 'CREATE MATERIALIZED VIEW k.w AS ' || query;
    INSERT INTO asked SELECT query, change_state FROM metrics_refresh.explain_refresh('k.w');
    EXECUTE 'DROP MATERIALIZED VIEW k.w';
END $$;
CALL why('SELECT id FROM k.base WHERE at > now()');
CALL why('SELECT id FROM k.base WHERE at > statement_timestamp()');
CALL why('SELECT id FROM k.base WHERE at > clock_timestamp()');
CALL why('SELECT id, CURRENT_DATE FROM k.base');
CALL why('SELECT id, CURRENT_USER FROM k.base');
CALL why('SELECT id, age(at) FROM k.base');
CALL why('SELECT id, grp::timestamptz FROM k.base LIMIT 0');
CALL why('SELECT (ARRAY[''sad'']::k.mood[])::text FROM k.base');
CALL why('SELECT concat(''sad''::k.mood) FROM k.base');
CALL why('SELECT to_json(base) FROM k.base');
CALL why('SELECT base FROM k.base');
CALL why('SELECT id + k.stable_one() FROM k.base');
CALL why('SELECT id + k.no_promise() FROM k.base');
CALL why('SELECT count(*) FILTER (WHERE random() < 2) FROM k.base');
CALL why('SELECT id FROM k.base ORDER BY random()');
CREATE FUNCTION restless(numeric, int) RETURNS numeric LANGUAGE sql AS 'SELECT $1 + $2';
CREATE AGGREGATE restless(int) (SFUNC = restless, STYPE = numeric, INITCOND = 0);
CALL why('SELECT k.restless(id::int) FROM k.base');
CALL why('SELECT k.restless(id::int) OVER () FROM k.base');
CALL why('SELECT jsonb_object_agg(id, ''sad''::k.mood) FROM k.base');
CALL why('SELECT jsonb_object_agg(id, grp) FROM k.base');
CALL why('SELECT to_tsvector(''simple'', grp) FROM k.base');
CALL why('SELECT xmax AS x FROM k.base');
CALL why('SELECT tableoid AS t, id FROM k.base');
CALL why('SELECT id FROM k.base TABLESAMPLE SYSTEM (50)');
CALL why('SELECT last_value FROM k.s');
CALL why('SELECT nextval(''k.s'')');
CALL why('SELECT relname FROM pg_class LIMIT 1');
CALL why('SELECT table_name FROM information_schema.tables LIMIT 1');
CALL why('WITH w AS (SELECT now() AS t) SELECT t FROM w');
CALL why('SELECT g FROM generate_series(1, 3) g');
CALL why('SELECT xmlelement(name a, id) FROM k.base');
CALL why('SELECT current_setting(''work_mem'')');
SELECT * FROM asked;
-- A foreign table, also as a partition
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nothing FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (id int, grp text) SERVER nothing;
CREATE MATERIALIZED VIEW from_far AS SELECT id FROM far WITH NO DATA;
SELECT change_state FROM metrics_refresh.explain_refresh('from_far');
ALTER TABLE p ATTACH PARTITION far FOR VALUES FROM (20) TO (30);
SELECT change_state FROM metrics_refresh.explain_refresh('pv');

-- Row-level security is the owner's.
CREATE ROLE regress_skipper;
GRANT ALL ON SCHEMA k TO regress_skipper;
GRANT SELECT ON base TO regress_skipper;
ALTER TABLE base ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON base USING (id < 3);
SET ROLE regress_skipper;
CREATE MATERIALIZED VIEW his AS SELECT id FROM base;
RESET ROLE;
SELECT metrics_refresh.refresh('his') ->> 'strategy' AS strategy;
SELECT metrics_refresh.refresh('his') ->> 'strategy' AS strategy, count(*) FROM his;
ALTER POLICY few ON base USING (id < 4);
SELECT metrics_refresh.refresh('his') ->> 'strategy' AS strategy;
SELECT count(*) FROM his;
SET ROLE regress_skipper;
SELECT metrics_refresh.refresh('his') ->> 'strategy' AS strategy;
SELECT strategy, change_state FROM metrics_refresh.explain_refresh('k.his');
SELECT metrics_refresh.refresh('v') ->> 'message' AS message;
SELECT strategy, change_state FROM metrics_refresh.explain_refresh('k.v');
SELECT * FROM metrics_refresh_internal.view_state;
SELECT count(*) FROM metrics_refresh.skipped_runs();
RESET ROLE;

-- Strategies that are asked for are done.
SELECT metrics_refresh.refresh('v') ->> 'strategy' AS strategy;
SELECT metrics_refresh.refresh('v', 'diff') ->> 'strategy' AS strategy;
SELECT metrics_refresh.refresh('v', 'full') ->> 'strategy' AS strategy;
CALL look('refreshed in full by request');
SELECT status, strategy, strategy_reason, rows_total, wal_bytes FROM metrics_refresh.run_log WHERE strategy = 'skip' ORDER BY run_id DESC LIMIT 1;

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA k CASCADE;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
DROP ROLE regress_skipper;
