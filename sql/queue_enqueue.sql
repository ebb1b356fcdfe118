-- Jobs are added: one, several, with options, after others, and in batches. All types are paused, so that nothing runs.
\set SHOW_CONTEXT never
CREATE SCHEMA qe;
GRANT USAGE, CREATE ON SCHEMA qe TO regress_owner;
GRANT EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many, metrics_refresh.create_batch,
    metrics_refresh.close_batch TO regress_owner;
SET ROLE regress_owner;
CREATE FUNCTION qe.run(payload jsonb) RETURNS void LANGUAGE sql AS '';
-- In one transaction: the type is known at once.
BEGIN;
SELECT metrics_refresh.register_job_type('a', 'qe.run(jsonb)', priority => 5, max_attempts => 3);
SELECT metrics_refresh.register_job_type('b', 'qe.run(jsonb)');
SELECT metrics_refresh.pause_job_type(t) FROM unnest('{a,b}'::text[]) t;
SELECT metrics_refresh.enqueue('a') AS first \gset
COMMIT;
CREATE FUNCTION qe.jobs() RETURNS TABLE (job bigint, type text, payload jsonb, status text, priority int, late bool, attempts int,
    max_attempts int, key text, unique_key text, batch bigint) LANGUAGE sql AS $$
    SELECT dense_rank() OVER (ORDER BY id), type, payload, status, priority, run_at > created_at, attempts, max_attempts, key, unique_key, batch
    FROM public.background_jobs ORDER BY id $$;
SELECT * FROM qe.jobs();
SELECT enqueued_by, owner, run_at = created_at AS at_once, started_at, finished_at, last_error, worker FROM background_jobs;

SELECT metrics_refresh.enqueue('a', '{"to": "x"}', priority => -100, key => 'k', max_attempts => 1) > :first AS ascending;
SELECT metrics_refresh.enqueue('b', '[1, 2]', run_at => now() + interval '1 day') > 0 AS added;
SELECT metrics_refresh.enqueue('b', '"past"', run_at => now() - interval '1 day') > 0 AS added;
SELECT metrics_refresh.enqueue('b', delay => interval '1 hour') > 0 AS added;
SELECT metrics_refresh.enqueue('b', 'null', delay => '0') > 0 AS added;
SELECT * FROM qe.jobs();

-- Many at a time: numbers in the order of the payloads, which follow each other.
SELECT row_number() OVER () AS n, job_id - first_value(job_id) OVER () AS number, duplicate
FROM metrics_refresh.enqueue_many('b', ARRAY['{"n": 1}', '{"n": 2}', '{"n": 3}']::jsonb[], keys => '{x,NULL,y}');
SELECT * FROM metrics_refresh.enqueue_many('b', '{}');
SELECT payload, key FROM background_jobs WHERE payload ? 'n' ORDER BY id;
SELECT count(*), count(DISTINCT job_id), min(job_id) = (array_agg(job_id))[1] AS ascending
FROM metrics_refresh.enqueue_many('b', (SELECT array_agg(to_jsonb(n)) FROM generate_series(1, 2000) n), run_at => now() - interval '1 s');
SELECT count(*) FROM background_jobs WHERE type = 'b' AND jsonb_typeof(payload) = 'number';
-- A large payload, which is compressed and stored out of line.
SELECT metrics_refresh.enqueue('a', jsonb_build_object('text', (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 20000) n))) AS large \gset
SELECT length(payload ->> 'text') FROM background_jobs WHERE id = :large;
SELECT metrics_refresh.enqueue('a', (SELECT payload FROM background_jobs WHERE id = :large)) AS copy \gset
SELECT length(payload ->> 'text') FROM background_jobs WHERE id = :copy;

-- What is rolled back, was not added; a part of a transaction neither.
BEGIN;
SELECT metrics_refresh.enqueue('a', '"gone"') > 0 AS added;
ROLLBACK;
BEGIN;
SELECT metrics_refresh.enqueue('a', '"outer"') > 0 AS added;
SAVEPOINT s;
SELECT metrics_refresh.enqueue('a', '"inner"') > 0 AS added;
ROLLBACK TO s;
SAVEPOINT s;
SELECT metrics_refresh.enqueue('a', '"released"') > 0 AS added;
RELEASE s;
COMMIT;
DO $$ BEGIN
    FOR i IN 1 .. 20 LOOP
        BEGIN
            PERFORM metrics_refresh.enqueue('a', to_jsonb('loop ' || i));
            IF i % 2 = 0 THEN RAISE 'no'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
    END LOOP;
END $$;
SELECT count(*) FILTER (WHERE payload IN ('"gone"', '"inner"')) AS rolled_back,
       count(*) FILTER (WHERE payload IN ('"outer"', '"released"')) AS kept,
       count(*) FILTER (WHERE payload #>> '{}' LIKE 'loop%') AS of_loop FROM background_jobs;

-- The counts in memory are those of the rows.
CALL tools.wait_until('SELECT bool_and(exact) FROM metrics_refresh.job_counts()');
SELECT c.*, (SELECT count(*) FROM background_jobs j WHERE j.type = c.type) AS rows FROM metrics_refresh.job_counts() c;

-- After other jobs. Those that do not exist any more have ended; those that never existed are refused.
SELECT metrics_refresh.enqueue('a', '"1st"') AS one \gset
SELECT metrics_refresh.enqueue('a', '"2nd"', after => ARRAY[:one, :one]) AS two \gset
SELECT metrics_refresh.enqueue('a', '"3rd"', after => ARRAY[:one, :two], run_at => now() - interval '1 s') AS three \gset
SELECT metrics_refresh.enqueue('a', '"4th"', after => '{}') AS four \gset
SELECT payload, status FROM background_jobs WHERE id IN (:one, :two, :three, :four) ORDER BY id;
SELECT array_agg(duplicate) FROM metrics_refresh.enqueue_many('a', ARRAY['"5th"', '"6th"']::jsonb[], after => ARRAY[:one]);
SELECT tools.try($$SELECT metrics_refresh.enqueue('a', after => '{9000000000000000}')$$);
SELECT tools.try($$SELECT metrics_refresh.enqueue('a', after => '{-1}')$$);
SELECT tools.try($$SELECT metrics_refresh.enqueue('a', after => '{NULL}')$$);
RESET ROLE;
SELECT count(*) AS dependencies, count(DISTINCT waiter) AS waiters FROM metrics_refresh_internal.queue_dependency;
SET ROLE regress_owner;

-- Batches: in the transaction that makes it, or as long as it is open.
BEGIN;
SELECT metrics_refresh.create_batch('b', '"all done"') AS batch \gset
SELECT metrics_refresh.enqueue('a', '"of batch"', batch => :batch) > 0 AS added;
COMMIT;
SELECT replace(tools.try(format($$SELECT metrics_refresh.enqueue('a', batch => %s)$$, :batch)), :'batch', 'N');
SELECT metrics_refresh.close_batch(:batch);
SELECT metrics_refresh.create_batch('b', open => true) AS batch \gset
SELECT count(*) FROM metrics_refresh.enqueue_many('a', ARRAY['1', '2']::jsonb[], batch => :batch);
SELECT count(*) FROM background_jobs WHERE batch = :batch;
SELECT metrics_refresh.close_batch(:batch);
SELECT metrics_refresh.close_batch(:batch);
SELECT replace(tools.try(format($$SELECT metrics_refresh.enqueue('a', batch => %s)$$, :batch)), :'batch', 'N');
SELECT tools.try($$SELECT metrics_refresh.enqueue('a', batch => 1)$$);
SELECT tools.try($$SELECT metrics_refresh.close_batch(1)$$);
SET ROLE regress_stranger;
SELECT tools.try(format($$SELECT metrics_refresh.close_batch(%s)$$, :batch));

-- A type with jobs is not dropped. Its dead and canceled jobs go with it.
SET ROLE regress_owner;
SELECT tools.try($$SELECT metrics_refresh.drop_job_type('a')$$);
SELECT bool_and(metrics_refresh.cancel_job(id)) FROM background_jobs WHERE type IN ('a', 'b') AND status = 'pending';
-- The scheduler ends the batches, whose last jobs have the numbers of the batches.
CALL tools.wait_until($$SELECT count(*) = 2 FROM background_jobs WHERE type = 'b' AND status = 'pending'$$);
SELECT payload FROM background_jobs WHERE status = 'pending' ORDER BY id;
SELECT id = :batch AS is_number_of_batch FROM background_jobs WHERE status = 'pending' ORDER BY id DESC LIMIT 1;
SELECT bool_and(metrics_refresh.cancel_job(id)) FROM background_jobs WHERE status = 'pending';
SELECT status, count(*) FROM background_jobs GROUP BY status;
SELECT metrics_refresh.drop_job_type(t) FROM unnest('{a,b}'::text[]) t;
SELECT count(*) FROM background_jobs;
RESET ROLE;
DROP SCHEMA qe CASCADE;
REVOKE EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many, metrics_refresh.create_batch,
    metrics_refresh.close_batch FROM regress_owner;
