-- What keeps a refresh by keys from being right or from working at all: then it looks at all rows.
\set VERBOSITY terse
CREATE SCHEMA f;
SET search_path = f;
SET metrics_refresh.audit_every = 0;
CREATE TABLE event (id int PRIMARY KEY, kind text, value text, a int, b int);
INSERT INTO event SELECT g, 'number', g % 3, g, 1 FROM generate_series(1, 9) g;
CREATE TABLE kind (name text PRIMARY KEY, is_number boolean);
INSERT INTO kind VALUES ('number', true), ('word', false);
CREATE FUNCTION did(view regclass) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(', ', r ->> 'strategy', r ->> 'reason', r ->> 'message')
    FROM metrics_refresh.refresh(view, 'incremental') r $$;

-- A key that can be computed only of rows that the definition takes.
CREATE MATERIALIZED VIEW by_value AS SELECT value::int AS value, count(*) FROM event WHERE kind = 'number' GROUP BY 1;
CREATE MATERIALIZED VIEW by_join AS SELECT value::int AS value, count(*) FROM event e JOIN kind k ON k.name = e.kind WHERE k.is_number GROUP BY 1;
CREATE MATERIALIZED VIEW by_ratio AS SELECT a / b AS ratio, count(*) FROM event WHERE b <> 0 GROUP BY 1;
SELECT metrics_refresh.schedule(v::regclass, strategy => 'incremental') > 0 AS scheduled FROM unnest('{by_value,by_join,by_ratio}'::text[]) v;
SELECT v, did(v::regclass) FROM unnest('{by_value,by_join,by_ratio}'::text[]) v;
SELECT count(did(v::regclass)) FROM unnest('{by_value,by_join,by_ratio}'::text[]) v;
INSERT INTO event VALUES (10, 'number', '7', 10, 1);
SELECT v, did(v::regclass) FROM unnest('{by_value,by_join,by_ratio}'::text[]) v;
INSERT INTO event VALUES (11, 'word', 'eleven', 11, 0), (12, 'number', '7', 12, 1);
SELECT v, did(v::regclass) FROM unnest('{by_value,by_join,by_ratio}'::text[]) v;
INSERT INTO event VALUES (13, 'number', '7', 13, 1);
SELECT v, did(v::regclass) FROM unnest('{by_value,by_join,by_ratio}'::text[]) v;
SELECT (SELECT count FROM by_value WHERE value = 7) AS by_value, (SELECT count FROM by_join WHERE value = 7) AS by_join, (SELECT sum(count) FROM by_ratio) AS by_ratio;
-- What fails for all rows as well is reported.
CREATE FUNCTION positive(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF $1 < 0 THEN RAISE 'it is negative'; END IF; RETURN $1; END $$;
CREATE MATERIALIZED VIEW by_function AS SELECT id, positive(a) AS a FROM event;
SELECT metrics_refresh.schedule('by_function', strategy => 'incremental') > 0 AS scheduled, did('by_function');
UPDATE event SET a = -1 WHERE id = 1;
SELECT did('by_function');
UPDATE event SET a = 1 WHERE id = 1;
SELECT did('by_function');

-- A refresh in a trigger of the table sees rows of which the keys are yet to be written.
CREATE TABLE said (what text);
CREATE FUNCTION refresh_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO said SELECT f.did('f.by_id'); RETURN NULL; END $$;
CREATE MATERIALIZED VIEW by_id AS SELECT id, kind FROM event;
SELECT metrics_refresh.schedule('by_id', strategy => 'incremental') > 0 AS scheduled, did('by_id');
CREATE TRIGGER a_refresh AFTER INSERT ON event FOR EACH STATEMENT EXECUTE FUNCTION refresh_it();
INSERT INTO event VALUES (20, 'number', '2', 2, 2);
SELECT count(*) FROM by_id WHERE id = 20;
TABLE said;
DROP TRIGGER a_refresh ON event;
CREATE TRIGGER a_refresh AFTER INSERT ON event FOR EACH ROW EXECUTE FUNCTION refresh_it();
INSERT INTO event VALUES (21, 'number', '2', 2, 2), (22, 'number', '2', 2, 2);
SELECT count(*) FROM by_id WHERE id IN (21, 22);
DROP TRIGGER a_refresh ON event;
INSERT INTO event VALUES (23, 'number', '2', 2, 2);
SELECT did('by_id');
SELECT count(*) FROM by_id WHERE id = 23;

-- So does one in a trigger of a table whose rows take those of another along.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int, parent int REFERENCES parent ON DELETE CASCADE);
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (1, 1), (2, 2);
CREATE MATERIALIZED VIEW of_child AS SELECT parent, count(*) FROM child GROUP BY parent;
SELECT metrics_refresh.schedule('of_child', strategy => 'incremental') > 0 AS scheduled;
SELECT count(did('of_child'));
SELECT count(did('of_child'));
CREATE FUNCTION refresh_child() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM f.did('f.of_child'); RETURN NULL; END $$;
CREATE TRIGGER z_refresh AFTER DELETE ON parent FOR EACH STATEMENT EXECUTE FUNCTION refresh_child();
DELETE FROM parent WHERE id = 1;
TABLE of_child;

-- A view that goes with a column takes its delta table along.
CREATE TABLE source (k int, n int);
CALL tools.sweep();
CREATE MATERIALIZED VIEW goes AS SELECT k FROM source;
SELECT metrics_refresh.schedule('goes', strategy => 'incremental') > 0 AS scheduled;
SELECT count(*) FROM pg_class WHERE relname LIKE 'delta\_%';
ALTER TABLE source DROP COLUMN k CASCADE;
CALL tools.sweep();
SELECT count(*) FROM pg_class WHERE relname LIKE 'delta\_%';

-- One that is not dropped after all leaves nothing behind for the next statement, which would take a snapshot.
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'it stays'; END $$;
CREATE EVENT TRIGGER refuse ON sql_drop EXECUTE FUNCTION refuse();
DROP MATERIALIZED VIEW by_id;
BEGIN;
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
DROP MATERIALIZED VIEW by_id;
ROLLBACK;
DROP EVENT TRIGGER refuse;

-- Who publishes all tables publishes no captured keys.
SET client_min_messages = error;  -- without wal_level = logical it warns
CREATE PUBLICATION all_tables FOR ALL TABLES;
RESET client_min_messages;
SELECT count(*) FROM pg_class WHERE relname LIKE 'delta\_%';
SELECT tablename FROM pg_publication_tables WHERE pubname = 'all_tables' AND tablename LIKE 'delta\_%';
DROP PUBLICATION all_tables;

DROP SCHEMA f CASCADE;
CALL tools.sweep();
SELECT count(*) FROM pg_class WHERE relname LIKE 'delta\_%';
SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE view_schema = 'f';
TRUNCATE metrics_refresh_internal.run_log;
