-- Unique keys: over states, over a period, within a call, within a transaction. The type is paused.
\set SHOW_CONTEXT never
CREATE SCHEMA qu;
CREATE FUNCTION qu.run(payload jsonb) RETURNS void LANGUAGE sql AS '';
SELECT metrics_refresh.register_job_type('u', 'qu.run(jsonb)');
SELECT metrics_refresh.register_job_type('v', 'qu.run(jsonb)');
SELECT metrics_refresh.pause_job_type(t) FROM unnest('{u,v}'::text[]) t;
-- The messages have numbers, which differ from run to run.
CREATE FUNCTION qu.add(type text DEFAULT 'u', key text DEFAULT 'k', states text[] DEFAULT '{pending,processing,failed}', period interval DEFAULT NULL)
    RETURNS bigint LANGUAGE plpgsql SET client_min_messages = warning AS $$
BEGIN RETURN metrics_refresh.enqueue(type, unique_key => key, unique_states => states, unique_for => period); END $$;

SELECT qu.add() AS first \gset
SELECT qu.add() = :first AS duplicate, qu.add('v') = :first AS other_type, qu.add(key => 'K') = :first AS other_key;
SELECT qu.add() = :first AS duplicate, qu.add(states => '{dead,completed}') = :first AS other_states;
SELECT count(*) FROM background_jobs WHERE unique_key = 'k';
-- What the notice says, without the number.
CREATE FUNCTION qu.notice() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM metrics_refresh.enqueue('u', unique_key => 'k');
END $$;
\set VERBOSITY sqlstate
SELECT qu.notice();
\set VERBOSITY default
-- After its end the key is free, unless the states say otherwise.
SELECT metrics_refresh.cancel_job(:first);
SELECT qu.add(states => '{canceled}') = :first AS canceled_counts;
SELECT qu.add() AS second \gset
SELECT :second = :first AS duplicate;
-- A waiting job, and one that waits for another.
SELECT metrics_refresh.enqueue('u', unique_key => 'later', delay => '1 day') AS later \gset
SELECT qu.add(key => 'later') = :later AS duplicate;
SELECT metrics_refresh.enqueue('u', unique_key => 'after', after => ARRAY[:second]) AS after \gset
SELECT qu.add(key => 'after') = :after AS duplicate;

-- A period counts in every state.
SELECT qu.add(key => 'period', period => '1 hour') AS period \gset
SELECT metrics_refresh.cancel_job(:period);
SELECT qu.add(key => 'period') = :period AS in_period, qu.add(key => 'period', states => '{completed}') = :period AS in_period;
SELECT metrics_refresh.enqueue('u', unique_key => 'short', unique_for => '1 ms', unique_states => '{}') AS short \gset
SELECT pg_sleep(0.01);
SELECT qu.add(key => 'short', states => '{dead}') = :short AS in_period;

-- In one transaction, and after a rollback of a part of it.
BEGIN;
SELECT qu.add(key => 'tx') AS tx \gset
SELECT qu.add(key => 'tx') = :tx AS duplicate;
SAVEPOINT s;
SELECT qu.add(key => 'part') AS part \gset
ROLLBACK TO s;
SELECT qu.add(key => 'part') = :part AS duplicate;
COMMIT;
-- With an old snapshot, the jobs of others count as well.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) > 0 AS some FROM background_jobs;
SELECT qu.add(key => 'tx') = :tx AS duplicate;
COMMIT;

-- Within a call, and with earlier jobs. The order is that of the payloads.
SELECT m.n, m.duplicate, m.job_id = :tx AS is_tx, dense_rank() OVER (ORDER BY job_id) AS job
FROM ROWS FROM (metrics_refresh.enqueue_many('u', ARRAY['1', '2', '3', '4', '5', '6']::jsonb[], unique_keys => '{m,NULL,m,tx,NULL,n}'))
    WITH ORDINALITY m (job_id, duplicate, n) ORDER BY n;
SELECT payload, unique_key FROM background_jobs WHERE unique_key IN ('m', 'n') ORDER BY id;
-- Within a call a first job is pending.
SELECT array_agg(duplicate) FROM metrics_refresh.enqueue_many('u', ARRAY['1', '2']::jsonb[], unique_keys => '{p,p}', unique_states => '{dead}');
-- Many keys, which lock all keys of the type.
SELECT count(*), count(*) FILTER (WHERE duplicate) AS duplicates FROM metrics_refresh.enqueue_many('u',
    (SELECT array_agg(to_jsonb(n)) FROM generate_series(1, 900) n), unique_keys => (SELECT array_agg('many ' || n % 600) FROM generate_series(1, 900) n));
SELECT count(*) FROM background_jobs WHERE unique_key LIKE 'many %';
BEGIN;
SELECT count(*) FROM (SELECT qu.add(key => 'loop ' || n) FROM generate_series(1, 600) n) x;
SELECT count(*) <= 300 AS few_locks FROM pg_locks WHERE locktype = 'object' AND pid = pg_backend_pid();
COMMIT;

-- Only what waits: a running job does not count, which no job of a paused type is.
SELECT qu.add(key => 'waiting', states => '{pending}') AS waiting \gset
SELECT qu.add(key => 'waiting', states => '{pending}') = :waiting AS duplicate, qu.add(key => 'waiting', states => '{processing}') = :waiting AS running;

SELECT bool_and(metrics_refresh.cancel_job(id)) AS all_canceled FROM background_jobs WHERE status = 'pending';
SELECT metrics_refresh.drop_job_type(t) FROM unnest('{u,v}'::text[]) t;
DROP SCHEMA qu CASCADE;
