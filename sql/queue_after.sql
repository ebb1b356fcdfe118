-- Jobs that wait for the end of others: enqueue(after => …).
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA qa;
CREATE TABLE qa.done (n bigint GENERATED ALWAYS AS IDENTITY, name text);
CREATE FUNCTION qa.work(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep((payload->>'sleep')::float8) WHERE payload ? 'sleep';
    IF payload ? 'until' AND NOT EXISTS (SELECT FROM qa.done WHERE name = payload->>'until') THEN
        INSERT INTO qa.tries DEFAULT VALUES;
        RAISE 'not yet';
    END IF;
    IF payload ? 'fail' THEN RAISE 'it fails'; END IF;
    INSERT INTO qa.done (name) VALUES (payload->>'name');
END $$;
CREATE TABLE qa.tries ();
SELECT metrics_refresh.register_job_type('qa', 'qa.work(jsonb)', backoff => '10 ms', max_backoff => '100 ms');
CREATE FUNCTION qa.add(name text, after bigint[] DEFAULT NULL, more jsonb DEFAULT '{}', max_attempts int DEFAULT NULL,
                       delay interval DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
    SELECT metrics_refresh.enqueue('qa', jsonb_build_object('name', name) || more, after => after,
                                   max_attempts => max_attempts, delay => delay) $$;
-- The status of a job that has ended; a job that does not end shows as it is after a while.
CREATE FUNCTION qa.status(id bigint) RETURNS text LANGUAGE sql AS $$ SELECT metrics_refresh.wait_job(id, '20 s') $$;
CREATE FUNCTION qa.reason(id bigint) RETURNS text LANGUAGE sql AS $$
    SELECT reason FROM metrics_refresh_internal.queue_stopped WHERE queue_stopped.id = reason.id $$;
-- Names of completed jobs, in the order of their ends.
CREATE FUNCTION qa.order() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(name, ' ' ORDER BY n) FROM qa.done $$;

-- A chain is done in its order, whether its jobs come in one transaction or in several.
BEGIN;
SELECT qa.add('a1', more => '{"sleep": 0.2}') AS a1 \gset
SELECT qa.add('a2', ARRAY[:a1]) AS a2 \gset
SELECT qa.add('a3', ARRAY[:a2]) AS a3 \gset
COMMIT;
SELECT qa.add('a4', ARRAY[:a3]) AS a4 \gset
SELECT qa.status(:a4);
SELECT qa.order();

-- A job may wait for several, of which some have ended already. They count once.
TRUNCATE qa.done;
SELECT qa.add('b1', more => '{"sleep": 0.3}') AS b1, qa.add('b2', more => '{"sleep": 0.1}') AS b2 \gset
SELECT qa.add('b3', ARRAY[:a1, :b1, :b2, :a4, :b1]) AS b3, qa.add('b4', ARRAY[:a1, :a2]) AS b4 \gset
SELECT qa.status(:b4), qa.status(:b3);
SELECT name FROM qa.done ORDER BY n DESC LIMIT 1;
SELECT count(*) FROM metrics_refresh_internal.queue_dependency;

-- Many jobs wait for one, and one for many.
TRUNCATE qa.done;
SELECT qa.add('c', more => '{"sleep": 0.2}') AS c \gset
SELECT count(*), max(job_id) AS last, array_agg(job_id) AS middle
FROM metrics_refresh.enqueue_many('qa', (SELECT array_agg(jsonb_build_object('name', 'm' || i)) FROM generate_series(1, 700) i),
                                  after => ARRAY[:c]) \gset
SELECT qa.add('e', :'middle'::bigint[]) AS e \gset
SELECT qa.status(:e);
SELECT count(*), (array_agg(name ORDER BY n))[1] AS first, (array_agg(name ORDER BY n DESC))[1] AS last FROM qa.done;

-- If a job is dead or canceled, those that wait for it are canceled, and those that wait for these.
SELECT qa.add('d1', more => '{"fail": 1, "sleep": 0.1}', max_attempts => 1) AS d1 \gset
SELECT qa.add('d2', ARRAY[:d1, :e]) AS d2 \gset
SELECT qa.add('d3', ARRAY[:d2]) AS d3 \gset
SELECT qa.status(:d1) AS d1, qa.status(:d2) AS d2, qa.status(:d3) AS d3;
SELECT qa.reason(:d2);
SELECT qa.add('d4', ARRAY[:d1]) AS d4 \gset
SELECT qa.status(:d4) AS d4;
SELECT qa.add('d5', delay => '1 hour') AS d5 \gset
SELECT qa.add('d6', ARRAY[:d5]) AS d6 \gset
SELECT metrics_refresh.cancel_job(:d5);
SELECT qa.status(:d5) AS d5, qa.status(:d6) AS d6;

-- A job that fails and is tried again keeps the others waiting.
TRUNCATE qa.done;
SELECT qa.add('f1', more => '{"until": "go"}', max_attempts => 1000) AS f1 \gset
SELECT qa.add('f2', ARRAY[:f1]) AS f2 \gset
SELECT metrics_refresh.wait_job(:f2, '300 ms') AS f2;
INSERT INTO qa.done (name) VALUES ('go');
SELECT qa.status(:f1) AS f1, qa.status(:f2) AS f2;
SELECT qa.order();

-- A waiter that has a time as well starts when both are fulfilled.
TRUNCATE qa.done;
SELECT qa.add('g1') AS g1 \gset
SELECT qa.add('g2', ARRAY[:g1], delay => '1 hour') AS g2, qa.add('g3', ARRAY[:g1], delay => '500 ms') AS g3 \gset
SELECT qa.status(:g1) AS g1, qa.status(:g3) AS g3, metrics_refresh.wait_job(:g2, '0') AS g2;
SELECT finished_at - created_at >= '500 ms' AS is_late FROM background_jobs WHERE id = :g3;

-- A waiter that is canceled waits for nothing.
SELECT qa.add('h1', delay => '1 hour') AS h1 \gset
SELECT qa.add('h2', ARRAY[:h1]) AS h2 \gset
SELECT metrics_refresh.cancel_job(:h2);
SELECT qa.status(:h2) AS h2, count(*) AS rows FROM metrics_refresh_internal.queue_dependency;
SELECT metrics_refresh.cancel_job(:h1);

-- Another scheduler goes on.
TRUNCATE qa.done;
SELECT qa.add('i1', delay => '300 ms') AS i1 \gset
SELECT qa.add('i2', ARRAY[:i1]) AS i2 \gset
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE backend_type = 'metrics_refresh scheduler' AND datname = current_database();
SELECT qa.status(:i2) AS i2;
SELECT qa.order();

SELECT metrics_refresh.cancel_job(:g2);
SELECT status, count(*) FROM background_jobs WHERE type = 'qa' GROUP BY status ORDER BY status;
SELECT metrics_refresh.purge_jobs('0', 'canceled') > 0 AS canceled, metrics_refresh.purge_jobs('0', 'dead') > 0 AS dead;
SELECT metrics_refresh.drop_job_type('qa');
DROP SCHEMA qa CASCADE;
