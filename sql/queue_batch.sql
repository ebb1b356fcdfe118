-- Batches: a job follows when the last job of a batch has ended, exactly once.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA qb;
CREATE TABLE qb.done (n bigint GENERATED ALWAYS AS IDENTITY, name text);
CREATE FUNCTION qb.work(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep((payload->>'sleep')::float8) WHERE payload ? 'sleep';
    IF payload ? 'fail' THEN RAISE 'it fails'; END IF;
    INSERT INTO qb.done (name) VALUES (payload->>'name');
    -- A running job may add jobs to its batch.
    PERFORM metrics_refresh.enqueue('qb', jsonb_build_object('name', payload->>'child', 'sleep', 0.1),
                                    batch => (payload->>'batch')::bigint) WHERE payload ? 'child';
END $$;
SELECT metrics_refresh.register_job_type('qb', 'qb.work(jsonb)', max_attempts => 1);
CREATE FUNCTION qb.add(name text, batch bigint, more jsonb DEFAULT '{}') RETURNS bigint LANGUAGE sql AS $$
    SELECT metrics_refresh.enqueue('qb', jsonb_build_object('name', name) || more, batch => batch) $$;
CREATE FUNCTION qb.status(id bigint) RETURNS text LANGUAGE sql AS $$ SELECT metrics_refresh.wait_job(id, '20 s') $$;
-- The number of a batch is that of its callback, which is added when the batch has ended.
CREATE FUNCTION qb.end(batch bigint) RETURNS text LANGUAGE sql AS $$ SELECT metrics_refresh.wait_job(batch, '20 s') $$;
CREATE FUNCTION qb.is_open(batch bigint) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM metrics_refresh_internal.queue_batch b WHERE b.id = batch) $$;
CREATE FUNCTION qb.order() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(name, ' ' ORDER BY n) FROM qb.done $$;

-- The callback has the number of the batch, and comes last.
BEGIN;
SELECT metrics_refresh.create_batch('qb', '{"name": "end of a"}') AS a \gset
SELECT qb.add('a1', :a, '{"sleep": 0.3}') AS a1, qb.add('a2', :a) AS a2 \gset
COMMIT;
SELECT qb.end(:a);
SELECT qb.order();
SELECT payload, status FROM background_jobs WHERE id = :a;

-- Jobs that are dead or canceled have ended, too.
TRUNCATE qb.done;
BEGIN;
SELECT metrics_refresh.create_batch('qb', '{"name": "end of b"}') AS b \gset
SELECT qb.add('b1', :b, '{"fail": 1}') AS b1,
       metrics_refresh.enqueue('qb', '{"name": "b2"}', batch => :b, delay => '1 hour') AS b2 \gset
COMMIT;
SELECT qb.status(:b1) AS b1, qb.is_open(:b);
SELECT metrics_refresh.cancel_job(:b2);
SELECT qb.end(:b) AS b;
SELECT qb.order();

-- A batch without jobs ends at once; a batch that is rolled back never was.
TRUNCATE qb.done;
SELECT metrics_refresh.create_batch('qb', '{"name": "end of c"}') AS c \gset
SELECT qb.end(:c) AS c;
BEGIN;
SELECT metrics_refresh.create_batch('qb', '{"name": "end of nothing"}') AS nothing \gset
SAVEPOINT s;
SELECT replace(tools.try(format('SELECT metrics_refresh.wait_job(%s)', :nothing)), :'nothing', 'N');
ROLLBACK TO s;
SELECT qb.add('nothing', :nothing) IS NOT NULL AS is_added;
ROLLBACK;

-- An open batch takes jobs until it is closed. It may have had none for a while.
SELECT metrics_refresh.create_batch('qb', '{"name": "end of d"}', open => true) AS d \gset
SELECT qb.add('d1', :d) AS d1 \gset
SELECT qb.status(:d1) AS d1, qb.is_open(:d), metrics_refresh.wait_job(:d, '0') AS d;
SELECT qb.add('d2', :d) AS d2 \gset
SELECT qb.status(:d2) AS d2;
SELECT metrics_refresh.close_batch(:d), metrics_refresh.close_batch(:d);
SELECT qb.end(:d) AS d;
SELECT qb.order();

-- A job of a batch adds another one.
TRUNCATE qb.done;
BEGIN;
SELECT metrics_refresh.create_batch('qb', '{"name": "end of e"}') AS e \gset
SELECT qb.add('e1', :e, jsonb_build_object('child', 'e2', 'batch', :e)) AS e1 \gset
COMMIT;
CALL metrics_refresh.wait_for_job(:e, '20 s');
SELECT qb.order();

-- A job may wait for a batch, which means for its callback.
TRUNCATE qb.done;
BEGIN;
SELECT metrics_refresh.create_batch('qb', '{"name": "end of f"}') AS f \gset
SELECT qb.add('f1', :f, '{"sleep": 0.2}') AS f1 \gset
COMMIT;
SELECT metrics_refresh.enqueue('qb', '{"name": "after f"}', after => ARRAY[:f]) AS after_f \gset
SELECT qb.status(:after_f) AS after_f;
SELECT qb.order();

-- Many batches, each with one callback; and a batch with many jobs.
TRUNCATE qb.done;
CREATE FUNCTION qb.make(i int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    batch bigint := metrics_refresh.create_batch('qb', jsonb_build_object('name', 'end of ' || i));
BEGIN
    PERFORM qb.add('job of ' || i, batch), qb.add('job of ' || i, batch);
    RETURN batch;
END $$;
SELECT array_agg(qb.make(i)) AS many FROM generate_series(1, 300) i \gset
BEGIN;
SELECT metrics_refresh.create_batch('qb', '{"name": "end of the large one"}') AS large \gset
SELECT count(*) FROM metrics_refresh.enqueue_many('qb', (SELECT array_agg('{"name": "large"}'::jsonb) FROM generate_series(1, 3000)),
                                                  batch => :large);
COMMIT;
SELECT qb.end(b), count(*) FROM unnest(:'many'::bigint[]) b GROUP BY 1;
SELECT qb.end(:large) AS large;
SELECT count(*), count(DISTINCT name) FROM qb.done WHERE name ~ '^end of \d';
SELECT name, count(*) FROM qb.done WHERE name ~ 'large' GROUP BY name ORDER BY name;
SELECT bool_and(e.n > j.n) AS callbacks_come_last FROM qb.done e JOIN qb.done j ON 'job of ' || substr(e.name, 8) = j.name
WHERE e.name ~ '^end of \d';
SELECT count(*) FROM metrics_refresh_internal.queue_batch;

-- Another scheduler goes on.
TRUNCATE qb.done;
BEGIN;
SELECT metrics_refresh.create_batch('qb', '{"name": "end of g"}') AS g \gset
SELECT metrics_refresh.enqueue('qb', '{"name": "g1"}', batch => :g, delay => '300 ms') AS g1 \gset
COMMIT;
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE backend_type = 'metrics_refresh scheduler' AND datname = current_database();
SELECT qb.end(:g) AS g;
SELECT qb.order();

SELECT metrics_refresh.purge_jobs('0', 'canceled') > 0 AS canceled, metrics_refresh.purge_jobs('0', 'dead') > 0 AS dead;
SELECT metrics_refresh.drop_job_type('qb');
DROP SCHEMA qb CASCADE;
