-- What each mode guarantees.
CREATE SCHEMA modes_queue AUTHORIZATION regress_owner;
SET ROLE regress_owner;
CREATE TABLE modes_queue.effect (n serial, job bigint, transaction xid8 DEFAULT pg_current_xact_id(), what text);
CREATE TABLE modes_queue.checked (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION modes_queue.act(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO modes_queue.effect (job, what) VALUES (job_id, payload ->> 'what');
    IF payload ? 'checked' THEN INSERT INTO modes_queue.checked VALUES ((payload ->> 'checked')::integer); END IF;
    IF payload ? 'fail' THEN RAISE 'it fails' USING ERRCODE = 'P0042'; END IF;
    IF payload ? 'sleep' THEN PERFORM pg_sleep((payload ->> 'sleep')::float); END IF;
    IF payload ? 'commit' THEN COMMIT; END IF;
END $$;
SELECT metrics_refresh.register_job_type('modes.once', 'modes_queue.act(bigint, jsonb)', max_attempts => 1);
SELECT metrics_refresh.register_job_type('modes.group', 'modes_queue.act(bigint, jsonb)', mode => 'grouped', max_attempts => 1);
RESET ROLE;

-- exactly_once: a transaction for each job, with its effect and its end.
SELECT count(metrics_refresh.enqueue('modes.once', '{"what": "once"}')) FROM generate_series(1, 10);
CALL tools.finish_jobs('modes.%');
SELECT count(DISTINCT job), count(DISTINCT transaction), count(*) FROM modes_queue.effect;
SELECT count(*) AS in_the_same FROM modes_queue.effect e JOIN metrics_refresh_internal.queue_history h ON h.id = e.job
    WHERE h.xmin::text = (e.transaction::text::numeric % 4294967296)::text;

-- Nothing is left of a failed attempt. A handler cannot end the transaction.
TRUNCATE modes_queue.effect;
SELECT count(metrics_refresh.enqueue('modes.once', payload::jsonb))
    FROM unnest('{"{\"fail\": 1}","{\"commit\": 1}"}'::text[]) payload;
CALL tools.finish_jobs('modes.%');
SELECT count(*) FROM modes_queue.effect;
SELECT status, attempts, last_error FROM tools.jobs WHERE status = 'dead' AND type = 'modes.once' ORDER BY n;

-- A deferred constraint is checked before the end is written.
SELECT count(metrics_refresh.enqueue('modes.once', '{"checked": 1}')) FROM generate_series(1, 3);
CALL tools.finish_jobs('modes.%');
SELECT * FROM modes_queue.checked;
SELECT count(*) FROM modes_queue.effect;
SELECT count(*), last_error FROM tools.jobs WHERE type = 'modes.once' AND payload ? 'checked' GROUP BY last_error ORDER BY 1;

-- grouped: many jobs in a transaction, each undone alone if it fails.
TRUNCATE modes_queue.effect;
BEGIN;
SELECT count(metrics_refresh.enqueue('modes.group', CASE WHEN i % 10 = 0 THEN '{"fail": 1}' ELSE '{"what": "group"}' END::jsonb))
    FROM generate_series(1, 200) i;
COMMIT;
CALL tools.finish_jobs('modes.%');
SELECT count(*), count(DISTINCT job), count(DISTINCT transaction) < 100 AS are_grouped FROM modes_queue.effect;
SELECT status, count(*), min(attempts), max(attempts), min(last_error) FROM tools.jobs WHERE type = 'modes.group' GROUP BY status ORDER BY 1;

-- A group whose transaction cannot commit is performed job by job.
TRUNCATE modes_queue.effect;
TRUNCATE modes_queue.checked;
BEGIN;
SELECT count(metrics_refresh.enqueue('modes.group', jsonb_build_object('checked', CASE WHEN i = 25 THEN 24 ELSE i END)))
    FROM generate_series(1, 50) i;
COMMIT;
CALL tools.finish_jobs('modes.%');
SELECT count(*), count(DISTINCT job) FROM modes_queue.effect;
SELECT status, count(*), min(last_error) FROM tools.jobs WHERE type = 'modes.group' AND payload ? 'checked' GROUP BY status ORDER BY 1;

-- A limit of one at a time.
SELECT metrics_refresh.register_job_type('modes.single', 'modes_queue.act(bigint, jsonb)', owner => 'regress_owner', concurrency => 1);
TRUNCATE modes_queue.effect;
SELECT count(metrics_refresh.enqueue('modes.single', '{"sleep": 0.05}')) FROM generate_series(1, 6);
CALL tools.finish_jobs('modes.%');
SELECT count(*) FROM background_jobs a JOIN background_jobs b ON a.id < b.id
    WHERE a.type = 'modes.single' AND b.type = 'modes.single' AND (a.started_at, a.finished_at) OVERLAPS (b.started_at, b.finished_at);

-- A flush for each job.
ALTER SYSTEM SET metrics_refresh.queue_flush = 'per_job';
SELECT pg_reload_conf();
SELECT count(metrics_refresh.enqueue('modes.once', '{"what": "flushed"}')) FROM generate_series(1, 10);
CALL tools.finish_jobs('modes.%');
SELECT count(*) FROM modes_queue.effect WHERE what = 'flushed';
ALTER SYSTEM RESET metrics_refresh.queue_flush;
SELECT pg_reload_conf();

SELECT metrics_refresh.drop_job_type(type) FROM metrics_refresh.job_types WHERE type LIKE 'modes.%';
DROP SCHEMA modes_queue CASCADE;
