-- background_jobs as applications use it: INSERT with RETURNING, COPY, UPDATE, DELETE, and reading. The type is paused.
\set SHOW_CONTEXT never
CREATE SCHEMA qv;
CREATE FUNCTION qv.run(payload jsonb) RETURNS void LANGUAGE sql AS '';
SELECT metrics_refresh.register_job_type('mail', 'qv.run(jsonb)', priority => 3);
SELECT metrics_refresh.pause_job_type('mail');
INSERT INTO background_jobs (type, payload) VALUES ('mail', '{"to": 1}') RETURNING id AS first \gset
INSERT INTO background_jobs (type) VALUES ('mail') RETURNING id > :first AS ascending, type, payload, status, priority, attempts, run_at = created_at AS at_once, finished_at;
INSERT INTO background_jobs (type, payload, status, attempts, priority, run_at, max_attempts, key, unique_key)
VALUES ('mail', '2', 'pending', 0, -1, '2100-01-01', 2, 'k', 'u') RETURNING status, priority, run_at > now() AS later, max_attempts, key, unique_key;
INSERT INTO background_jobs (type, payload) SELECT 'mail', to_jsonb(n) FROM generate_series(10, 12) n;
COPY background_jobs (type, payload, key) FROM stdin;
mail	{"copied": 1}	a
mail	{"copied": 2}	\N
\.
SELECT payload, status, priority, run_at > created_at AS later, max_attempts, key, unique_key FROM background_jobs WHERE type = 'mail' ORDER BY id;
-- A duplicate adds no job, and RETURNING gives the number of the first.
SET client_min_messages = warning;
INSERT INTO background_jobs (type, unique_key) VALUES ('mail', 'u') RETURNING id = (SELECT id FROM background_jobs WHERE unique_key = 'u') AS is_first;
RESET client_min_messages;

-- Conditions on id and status find their way into the branches.
SELECT id = :first AS found, status FROM background_jobs WHERE id = :first;
SELECT count(*) FROM background_jobs WHERE status = 'pending' AND type = 'mail';
SELECT count(*) FROM background_jobs WHERE status = 'dead';
SELECT count(*) FROM background_jobs WHERE type = 'mail' AND status IN ('pending', 'failed');
-- A look by number reads indexes only.
CREATE FUNCTION qv.tables_read_whole(query text) RETURNS SETOF text LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line ~ 'Seq Scan on queue_((hot|ended|history)_[0-9]|later|stopped)' THEN RETURN NEXT line; END IF;
    END LOOP;
END $$;
SELECT * FROM qv.tables_read_whole('SELECT status FROM background_jobs WHERE id = 1');
SELECT count(*) FROM qv.tables_read_whole('SELECT status FROM background_jobs WHERE status = ''dead'' AND id > 5') t WHERE t LIKE '%history%';

-- UPDATE: status, run_at and priority.
UPDATE background_jobs SET status = 'canceled' WHERE id = :first RETURNING status;
SELECT status, finished_at IS NOT NULL AS finished FROM background_jobs WHERE id = :first;
UPDATE background_jobs SET status = 'pending' WHERE id = :first;
SELECT status, priority, finished_at, run_at > created_at AS later FROM background_jobs WHERE id = :first;
UPDATE background_jobs SET priority = 50 WHERE id = :first;
SELECT status, priority FROM background_jobs WHERE id = :first;
UPDATE background_jobs SET run_at = '2100-01-02', priority = 7 WHERE id = :first;
SELECT status, priority, run_at = '2100-01-02' AS moved FROM background_jobs WHERE id = :first;
UPDATE background_jobs SET run_at = '2100-01-03' WHERE unique_key = 'u';
SELECT run_at = '2100-01-03' AS moved FROM background_jobs WHERE unique_key = 'u';
UPDATE background_jobs SET priority = priority WHERE id = :first;
-- In one transaction, and rolled back.
BEGIN;
UPDATE background_jobs SET status = 'canceled' WHERE id = :first;
UPDATE background_jobs SET status = 'pending' WHERE id = :first;
UPDATE background_jobs SET status = 'canceled' WHERE payload = '10';
SELECT payload, status FROM background_jobs WHERE id = :first OR payload = '10' ORDER BY id;
ROLLBACK;
SELECT payload, status FROM background_jobs WHERE id = :first OR payload = '10' ORDER BY id;
BEGIN;
SAVEPOINT s;
UPDATE background_jobs SET status = 'canceled' WHERE payload = '10';
ROLLBACK TO s;
UPDATE background_jobs SET status = 'canceled' WHERE payload = '11';
COMMIT;
SELECT payload, status FROM background_jobs WHERE payload IN ('10', '11') ORDER BY id;
\a \t
SELECT change || E'\n' || tools.try(format('UPDATE background_jobs SET %s WHERE id = %s', change, :first)) FROM unnest(ARRAY[
    'status = ''completed''', 'status = ''dead''', 'status = NULL', 'payload = ''9''', 'type = ''x''', 'attempts = 0, max_attempts = 9', 'last_error = ''x''',
    'id = 1', 'priority = 101', 'priority = NULL', 'run_at = ''infinity''', 'run_at = NULL']) change;
-- INSERT: values that the queue sets.
SELECT assigned || E'\n' || tools.try(format('INSERT INTO background_jobs (type, %s) VALUES (''mail'', %s)', split_part(assigned, ' = ', 1), split_part(assigned, ' = ', 2)))
FROM unnest(ARRAY['id = 1', 'status = ''completed''', 'status = ''canceled''', 'attempts = 1', 'last_error = ''x''', 'created_at = now()', 'started_at = now()',
    'finished_at = now()', 'enqueued_by = ''x''', 'owner = ''x''', 'worker = ''x''', 'progress_done = 1', 'payload = NULL', 'priority = 101', 'run_at = ''infinity''',
    'key = ''''', 'unique_key = ''''', 'max_attempts = 0', 'batch = 1']) assigned;
SELECT tools.try($$INSERT INTO background_jobs (payload) VALUES ('1')$$);
SELECT tools.try($$INSERT INTO background_jobs (type) VALUES ('mai')$$);
\a \t
-- DELETE: a waiting job is canceled, a canceled one is removed.
DELETE FROM background_jobs WHERE id = :first;
SELECT status FROM background_jobs WHERE id = :first;
DELETE FROM background_jobs WHERE id = :first;
SELECT count(*) FROM background_jobs WHERE id = :first;
DELETE FROM background_jobs WHERE type = 'mail';
SELECT status, count(*) FROM background_jobs WHERE type = 'mail' GROUP BY status;
SELECT metrics_refresh.purge_jobs('1 day'), metrics_refresh.purge_jobs('0', 'dead'), metrics_refresh.purge_jobs('0', 'canceled') > 5 AS purged;
SELECT count(*) FROM background_jobs WHERE type = 'mail';

-- What is in the way of the extension is named.
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION metrics_refresh CASCADE;
CREATE TABLE background_jobs (id bigint);
CREATE FUNCTION retry_failed_jobs(text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE EXTENSION metrics_refresh;
ROLLBACK;
-- The trigger function is for this view.
CREATE VIEW qv.bait AS SELECT 1::bigint AS id, 'x' AS type;
CREATE TRIGGER t INSTEAD OF INSERT ON qv.bait FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.background_jobs_write();
SELECT tools.try('INSERT INTO qv.bait VALUES (1)');
SELECT metrics_refresh_internal.background_jobs_write();
SELECT metrics_refresh.drop_job_type('mail');
DROP SCHEMA qv CASCADE;
