-- The strategy diff: what it writes and what it leaves, where it fails, and as whom it runs. Many shapes
-- of view under load are in test/t/023_diff.pl.
\set SHOW_CONTEXT never
CREATE SCHEMA f;
SET search_path = f;
CREATE FUNCTION did(view regclass) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT metrics_refresh.refresh(view, 'diff') - '{run_id,duration_ms,reason,message}'::text[] $$;

-- It writes the rows that differ and no others: their versions are those of before.
CREATE TABLE d (id int, k int, t text);
INSERT INTO d SELECT g, g % 4, 't' || g FROM generate_series(1, 20) g;
CREATE MATERIALIZED VIEW dv AS SELECT * FROM d;
CREATE UNIQUE INDEX ON dv (id);
CREATE TABLE before AS SELECT id, ctid AS place FROM dv;
UPDATE d SET t = 'changed' WHERE id = 3;
DELETE FROM d WHERE id = 4;
INSERT INTO d VALUES (21, NULL, NULL), (22, 1, 'new');
SELECT did('dv');
SELECT id, t, b.id IS NULL AS new FROM dv LEFT JOIN before b USING (id) WHERE b.place IS DISTINCT FROM dv.ctid ORDER BY id;
SELECT did('dv');
SELECT rows_total, rows_inserted, rows_updated, rows_deleted FROM metrics_refresh.run_log WHERE view_name = 'dv' ORDER BY run_id;
-- What is unique may move from row to row.
UPDATE d SET id = 23 - id WHERE id BETWEEN 5 AND 18;
SELECT did('dv');
SELECT count(*) FROM (SELECT * FROM d EXCEPT SELECT * FROM dv) x;
-- It leaves all as it was where it fails: a definition that is not unique any more, and one that fails.
INSERT INTO d VALUES (22, 1, 'again');
SELECT metrics_refresh.refresh('dv') - 'run_id' - 'duration_ms' AS did;
SELECT count(*), count(*) FILTER (WHERE t = 'again') AS again FROM dv;
DELETE FROM d WHERE id = 22;
CREATE MATERIALIZED VIEW ratio AS SELECT id, 1 / id AS n FROM d;
INSERT INTO d VALUES (0);
SELECT metrics_refresh.refresh('ratio') - 'run_id' - 'duration_ms' AS did;
SELECT count(*) FROM ratio;
-- Duplicates and NULLs are rows like others, and types without equality too.
CREATE MATERIALIZED VIEW bag AS SELECT k, NULL::json AS j, point(k, 0) AS p FROM d;
SELECT did('bag');
INSERT INTO d VALUES (30, 1), (31, 1), (32, NULL);
DELETE FROM d WHERE k = 3;
SELECT did('bag');
SELECT k, count(*) FROM bag GROUP BY k ORDER BY k;
-- The transaction's own changes count, also of a refresh before.
BEGIN;
INSERT INTO d VALUES (40, 9, 'own');
SELECT did('dv') ->> 'rows_inserted' AS inserted;
DELETE FROM d WHERE id = 40;
SELECT did('dv') ->> 'rows_deleted' AS deleted;
ROLLBACK;
-- The definition runs as the view's owner, restricted.
CREATE FUNCTION who() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
  RETURN current_user || ' ' || current_setting('search_path');
END $$;
CREATE FUNCTION escape() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE 'RESET ROLE';
  RETURN current_user;
END $$;
CREATE FUNCTION scratch() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
  CREATE TEMP TABLE t AS SELECT 1;
  RETURN 1;
END $$;
GRANT USAGE, CREATE ON SCHEMA f TO regress_owner;
CREATE MATERIALIZED VIEW as_owner AS SELECT f.who();
ALTER MATERIALIZED VIEW as_owner OWNER TO regress_owner;
SELECT metrics_refresh.refresh('as_owner') ->> 'success' AS success;
TABLE as_owner;
CREATE MATERIALIZED VIEW escapes AS SELECT f.escape() WITH NO DATA;
UPDATE pg_class SET relispopulated = true WHERE oid = 'f.escapes'::regclass;
ALTER MATERIALIZED VIEW escapes OWNER TO regress_owner;
SELECT metrics_refresh.refresh('escapes') - 'run_id' - 'duration_ms' AS did;
CREATE MATERIALIZED VIEW scratches AS SELECT f.scratch() WITH NO DATA;
UPDATE pg_class SET relispopulated = true WHERE oid = 'f.scratches'::regclass;
SELECT metrics_refresh.refresh('scratches') - 'run_id' - 'duration_ms' AS did;

-- How far a worker is with it; others see nothing of it.
CREATE TABLE nap (seconds float8);
INSERT INTO nap VALUES (0), (0);
CREATE MATERIALIZED VIEW slow AS SELECT seconds, pg_sleep(seconds) IS NULL AS woke FROM f.nap;
UPDATE nap SET seconds = 600;
SELECT metrics_refresh.schedule('slow', job_name => 'slow') IS NOT NULL AS scheduled;
SELECT metrics_refresh.trigger('slow') AS run \gset
CALL tools.wait_until('SELECT count(*) = 1 FROM metrics_refresh.refresh_progress WHERE phase = ''running the definition''');
SELECT run_id = :run AS right_run, job_name, view_schema, view_name, phase, rows_read, rows_expected, rows_changed FROM metrics_refresh.refresh_progress;
SET ROLE regress_stranger;
SELECT count(*) FROM metrics_refresh.refresh_progress;
RESET ROLE;
SELECT metrics_refresh.cancel(:run);
SELECT metrics_refresh.wait(:run, '1 minute');
SELECT count(*) FROM metrics_refresh.refresh_progress;
SELECT metrics_refresh.unschedule('slow');
SELECT count(*), count(*) FILTER (WHERE seconds = 0) AS as_before FROM slow;
RESET search_path;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA f CASCADE;
