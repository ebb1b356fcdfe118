-- Unique keys of jobs in each state: which states of a question find them.
CREATE SCHEMA qs;
CREATE FUNCTION qs.run(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF payload = '"wait"' THEN PERFORM pg_advisory_xact_lock_shared(4713); END IF;
    IF payload = '"fail"' THEN RAISE 'it fails'; END IF;
END $$;
SELECT metrics_refresh.register_job_type('qs', 'qs.run(jsonb)', concurrency => 1, backoff => '1 hour');

-- The keys are the names of the states.
SELECT count(metrics_refresh.enqueue('qs', payload, unique_key => key, max_attempts => attempts))
FROM (VALUES ('completed', '"end"'::jsonb, 1), ('failed', '"fail"', 2), ('dead', '"fail"', 1)) j (key, payload, attempts);
SELECT count(metrics_refresh.enqueue('qs', '"end"', unique_key => 'completed in period', unique_for => '1 hour'));
CALL tools.wait_until($$SELECT count(*) = 4 FROM background_jobs WHERE type = 'qs' AND status IN ('completed', 'failed', 'dead')$$);
SELECT pg_advisory_lock(4713);
SELECT count(metrics_refresh.enqueue('qs', '"wait"', unique_key => 'processing'));
CALL tools.wait_until($$SELECT count(*) = 1 FROM background_jobs WHERE type = 'qs' AND status = 'processing'$$);
SELECT count(metrics_refresh.enqueue('qs', unique_key => key)) FROM unnest('{pending,canceled}'::text[]) key;
SELECT metrics_refresh.cancel_job(id) FROM background_jobs WHERE unique_key = 'canceled';
SELECT unique_key, status, attempts FROM background_jobs WHERE type = 'qs' ORDER BY unique_key;

-- A job that a question adds is rolled back. The notices have numbers of jobs.
CREATE FUNCTION qs.finds(of_key text, variadic states text[]) RETURNS boolean LANGUAGE plpgsql SET client_min_messages = warning AS $$
DECLARE
    known bigint = (SELECT id FROM background_jobs WHERE unique_key = of_key);
    job bigint;
BEGIN
    BEGIN
        job = metrics_refresh.enqueue('qs', unique_key => of_key, unique_states => states);
        RAISE SQLSTATE 'UNDO1';
    EXCEPTION WHEN SQLSTATE 'UNDO1' THEN NULL;
    END;
    RETURN job = known;
END $$;
SELECT unique_key, string_agg(state, ', ' ORDER BY n) FILTER (WHERE qs.finds(unique_key, state)) AS found_as,
       qs.finds(unique_key, 'pending', 'processing', 'failed') AS by_default
FROM background_jobs, unnest('{pending,processing,failed,completed,dead,canceled}'::text[]) WITH ORDINALITY s (state, n)
WHERE type = 'qs' GROUP BY unique_key ORDER BY unique_key;
SELECT unique_key, qs.finds(unique_key, variadic array_remove('{pending,processing,failed,completed,dead,canceled}', status)) AS found_as_another
FROM background_jobs WHERE type = 'qs' ORDER BY unique_key;
-- A job with the key of one that runs is added, and waits.
SELECT count(metrics_refresh.enqueue('qs', unique_key => 'processing', unique_states => '{pending,failed}'));
SELECT status, count(*) FROM background_jobs WHERE unique_key = 'processing' GROUP BY 1 ORDER BY 1;

SELECT pg_advisory_unlock(4713);
SELECT metrics_refresh.cancel_job(id) FROM background_jobs WHERE unique_key = 'failed';
CALL tools.finish_jobs('qs');
SELECT unique_key, status FROM background_jobs WHERE type = 'qs' ORDER BY id;
SELECT metrics_refresh.drop_job_type('qs');
DROP SCHEMA qs CASCADE;
