-- Attacks of ordinary roles on the queue, and their refusals. Locks are in the isolation test queue-hostile.
\set SHOW_CONTEXT never
CREATE ROLE regress_client LOGIN;
CREATE SCHEMA qh;
GRANT USAGE, CREATE ON SCHEMA qh TO PUBLIC;
GRANT EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many, metrics_refresh.create_batch, metrics_refresh.close_batch
    TO regress_owner, regress_client;
SET ROLE regress_owner;
CREATE FUNCTION qh.work(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM metrics_refresh.job_progress(4242, 10000, 'a secret note');
    PERFORM pg_sleep(600);
END $$;
REVOKE EXECUTE ON FUNCTION qh.work FROM PUBLIC;
SELECT metrics_refresh.register_job_type('secret', 'qh.work(jsonb)');
SELECT metrics_refresh.register_job_type('outside', mode => 'external');
SELECT metrics_refresh.enqueue('secret', '{"a": "secret"}', unique_key => 'secret') AS job \gset
SELECT metrics_refresh.enqueue('outside') AS outside \gset
CALL tools.wait_until('SELECT progress_done = 4242 FROM background_jobs WHERE type = ''secret''');
SELECT token FROM metrics_refresh.claim_jobs('{outside}', worker => 'w') \gset

-- A condition sees no row of another role: neither that of a job, nor the name of a type, nor that of a worker. The
-- planner may not move it below the join with the jobs that the role may see.
SET ROLE regress_stranger;
SELECT count(*) FROM background_jobs WHERE type::integer = 1;
CREATE FUNCTION pg_temp.look(value anyelement) RETURNS boolean LANGUAGE plpgsql STRICT COST 0.0000001 AS $$
BEGIN
    RAISE 'seen: %', value;
END $$;
SELECT tools.try(format('SELECT count(*) FROM background_jobs WHERE pg_temp.look(%I)', attname))
FROM pg_attribute WHERE attrelid = 'background_jobs'::regclass AND attnum > 0 GROUP BY 1;
SELECT tools.try(format('SELECT count(*) FROM metrics_refresh.job_types WHERE pg_temp.look(%I)', attname))
FROM pg_attribute WHERE attrelid = 'metrics_refresh.job_types'::regclass AND attnum > 0 GROUP BY 1;
SELECT tools.try('SELECT * FROM metrics_refresh_internal.named_job_type');
SELECT tools.try('SELECT * FROM metrics_refresh_internal.queue_claims()');

-- Numbers and tokens of other roles.
SELECT replace(tools.try(replace(statement, 'N', :'job')), :'job', 'N')
FROM unnest(ARRAY['SELECT metrics_refresh.wait_job(N)', 'SELECT metrics_refresh.cancel_job(N)',
                  'SELECT metrics_refresh.wait_job(900000000000)']) statement;
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:outside, :outside + 1000000], ARRAY[repeat('0', 32), repeat('0', 32)]);
SELECT result FROM metrics_refresh.fail_job(:outside, repeat('0', 32), 'mine', permanent => true);
SELECT result FROM metrics_refresh.release_jobs(ARRAY[:outside], ARRAY[repeat('f', 32)]);
SELECT result FROM metrics_refresh.heartbeat_jobs(ARRAY[:outside], ARRAY[repeat('f', 32)], '1 day');
SELECT tools.try($$SELECT count(*) FROM metrics_refresh.claim_jobs('{outside}')$$);
SELECT tools.try($$SELECT metrics_refresh.job_progress(1)$$);
RESET ROLE;
SELECT status FROM background_jobs WHERE id = :outside;
SELECT metrics_refresh.cancel_job(:outside), metrics_refresh.cancel_job(:job);
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:outside], ARRAY[:'token']);
CALL tools.finish_jobs('secret');

-- A worker whose membership has been revoked ends what it has claimed, but cannot keep it.
SET ROLE regress_owner;
SELECT count(*) FROM metrics_refresh.enqueue_many('outside', '{1,2}');
RESET ROLE;
GRANT regress_owner TO regress_client;
SET ROLE regress_client;
SELECT id AS first, token AS token1 FROM metrics_refresh.claim_jobs('{outside}', wait => '10 s') \gset
SELECT id AS second, token AS token2 FROM metrics_refresh.claim_jobs('{outside}', wait => '10 s') \gset
SELECT result FROM metrics_refresh.heartbeat_jobs(ARRAY[:first, :second], ARRAY[:'token1', :'token2']);
RESET ROLE;
REVOKE regress_owner FROM regress_client;
SET ROLE regress_client;
SELECT result FROM metrics_refresh.heartbeat_jobs(ARRAY[:first, :second], ARRAY[:'token1', :'token2'], '1 day');
SELECT result FROM metrics_refresh.complete_jobs(ARRAY[:first], ARRAY[:'token1']);
SELECT result FROM metrics_refresh.release_jobs(ARRAY[:second], ARRAY[:'token2']);
SET ROLE regress_owner;
SELECT result FROM metrics_refresh.claim_jobs('{outside}', wait => '10 s') c, metrics_refresh.complete_jobs(ARRAY[c.id], ARRAY[c.token]);
RESET ROLE;

-- A type of another role: its handler, and a function that takes the name of its handler.
SET ROLE regress_client;
SELECT tools.try($$SELECT metrics_refresh.register_job_type('mine', 'qh.work(jsonb)')$$);
SELECT tools.try($$SELECT metrics_refresh.register_job_type('secret', mode => 'external')$$);
SELECT tools.try($$SELECT metrics_refresh.register_job_type('mine', mode => 'external', owner => 'regress_owner')$$);
SELECT tools.try($$SELECT metrics_refresh.alter_job_type('secret', max_attempts => 1)$$);
RESET ROLE;
SELECT metrics_refresh.drop_job_type('secret');
SET ROLE regress_owner;
DROP FUNCTION qh.work;
CREATE TABLE qh.seen (who name);
GRANT INSERT ON qh.seen TO PUBLIC;
CREATE FUNCTION qh.work(payload jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO qh.seen VALUES (current_user)';
SELECT metrics_refresh.register_job_type('swapped', 'qh.work(jsonb)', max_attempts => 1);
BEGIN;
SELECT metrics_refresh.enqueue('swapped') > 0 AS added;
DROP FUNCTION qh.work;
SET ROLE regress_client;
CREATE FUNCTION qh.work(payload jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO qh.seen VALUES (current_user)';
COMMIT;
SELECT tools.try($$SELECT metrics_refresh.enqueue('swapped')$$);
SET ROLE regress_owner;
CALL tools.finish_jobs('swapped');
SELECT status, last_error FROM background_jobs WHERE type = 'swapped';
SELECT * FROM qh.seen;

-- A handler that changes its session: the next job begins with the values of the owner, and no lock stays.
CREATE FUNCTION qh.changes(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '%', current_user;
    IF current_setting('statement_timeout') <> '0' OR current_setting('search_path') <> '"$user", public'
       OR current_setting('default_transaction_read_only') <> 'off' THEN RAISE 'changed'; END IF;
    SET statement_timeout = '1h';
    SET search_path = qh;
    SET default_transaction_read_only = on;
    SET TRANSACTION READ ONLY;
    PERFORM pg_catalog.pg_advisory_lock(47114711);
END $$;
SELECT metrics_refresh.register_job_type('changes', 'qh.changes(jsonb)', max_attempts => 1);
SELECT count(*) FROM metrics_refresh.enqueue_many('changes', array_fill('{}'::jsonb, '{5}'));
CALL tools.finish_jobs('changes');
SELECT status, count(*) FROM background_jobs WHERE type = 'changes' GROUP BY 1;
CALL tools.wait_until('SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = ''advisory'' AND objid = 47114711)');
RESET ROLE;

-- Shares: no role takes the room of all others, neither with types nor in one long transaction.
SET ROLE regress_client;
SELECT regexp_replace(tools.try($$SELECT count(metrics_refresh.register_job_type('flood ' || i, mode => 'external')) FROM generate_series(1, 900) i$$),
                      'for \d+', 'for N');
SELECT count(*) FROM metrics_refresh.job_types;
SELECT count(metrics_refresh.register_job_type('flood ' || i, mode => 'external')) FROM generate_series(1, 3) i;
RESET ROLE;
CALL tools.wait_until('SELECT bool_and(exact) FROM metrics_refresh.job_counts()');
SET metrics_refresh.max_queued_jobs_per_role = 100;
SET ROLE regress_client;
SELECT tools.try($$SELECT count(metrics_refresh.enqueue('flood 1')) FROM generate_series(1, 300)$$);
SELECT count(*) FROM background_jobs;
-- A type counts from its first job on, before the scheduler knows whose it is.
DO $$ BEGIN
  PERFORM metrics_refresh.register_job_type('flood new', mode => 'external');
  COMMIT;
  PERFORM metrics_refresh.enqueue('flood new') FROM generate_series(1, 60);
  COMMIT;
  RAISE INFO '%', tools.try($try$SELECT count(metrics_refresh.enqueue('flood new')) FROM generate_series(1, 41)$try$);
END $$;
SELECT count(metrics_refresh.cancel_job(id)) FROM background_jobs;
SELECT metrics_refresh.purge_jobs('0', 'canceled');
-- Types of one role share, and so do the callbacks of batches, from create_batch() on.
SELECT tools.try($$SELECT count(metrics_refresh.enqueue('flood ' || 1 + i % 3)) FROM generate_series(1, 101) i$$);
SELECT tools.try($$SELECT count(metrics_refresh.create_batch('flood 1', open => true)) FROM generate_series(1, 101)$$);
SELECT count(metrics_refresh.create_batch('flood 1', open => true)) FROM generate_series(1, 60);
SELECT tools.try($$SELECT count(metrics_refresh.enqueue('flood 2')) FROM generate_series(1, 41)$$);
SELECT count(metrics_refresh.enqueue('flood 2', unique_key => 'key ' || i)) FROM generate_series(1, 40) i;
-- A duplicate takes no room.
SET client_min_messages = warning;
SELECT metrics_refresh.enqueue('flood 2', unique_key => 'key 1') > 0 AS is_duplicate;
RESET client_min_messages;
SELECT tools.try($$SELECT metrics_refresh.enqueue('flood 3')$$);
SELECT sum(pending) FROM metrics_refresh.job_counts();
-- The callbacks become jobs, of the same number.
RESET ROLE;
SELECT count(metrics_refresh.close_batch(id)) FROM metrics_refresh_internal.queue_batch;
SET ROLE regress_client;
CALL tools.wait_until('SELECT count(*) = 100 FROM background_jobs');
SELECT sum(pending) FROM metrics_refresh.job_counts();
SELECT tools.try($$SELECT metrics_refresh.enqueue('flood 3')$$);
SELECT count(metrics_refresh.cancel_job(id)) FROM background_jobs;
-- A prepared transaction counts before it is committed, and no more when it is rolled back.
BEGIN;
SELECT count(metrics_refresh.enqueue('flood 1')) FROM generate_series(1, 90);
PREPARE TRANSACTION 'regress_share';
SELECT tools.try($$SELECT count(metrics_refresh.enqueue('flood 2')) FROM generate_series(1, 11)$$);
ROLLBACK PREPARED 'regress_share';
CALL tools.wait_until($$SELECT tools.try('SELECT count(metrics_refresh.enqueue(''flood 2'')) FROM generate_series(1, 100)') = '100'$$);
SELECT count(metrics_refresh.cancel_job(id)) FROM background_jobs WHERE status = 'pending';
RESET ROLE;
RESET metrics_refresh.max_queued_jobs_per_role;

-- One transaction, or role, does not take all room for changes of jobs, nor for claims from outside.
SET ROLE regress_client;
SELECT count(*) FROM metrics_refresh.enqueue_many('flood 1', array_fill('{}'::jsonb, '{12000}'));
BEGIN;
SELECT count(metrics_refresh.cancel_job(id)) FROM (SELECT id FROM background_jobs WHERE status = 'pending' ORDER BY id LIMIT 2000) s;
SELECT tools.try($$SELECT count(metrics_refresh.cancel_job(id)) FROM (SELECT id FROM background_jobs WHERE status = 'pending' LIMIT 100) s$$);
-- They are given back by a part of a transaction, too.
SELECT count(metrics_refresh.cancel_job(id)) FROM (SELECT id FROM background_jobs WHERE status = 'pending' ORDER BY id LIMIT 40) s;
ROLLBACK;
BEGIN;
SELECT count(metrics_refresh.cancel_job(id)) FROM (SELECT id FROM background_jobs WHERE status = 'pending' ORDER BY id LIMIT 2000) s;
COMMIT;
CREATE TEMP TABLE claims (id bigint, token text);
INSERT INTO claims SELECT id, token FROM metrics_refresh.claim_jobs('{flood 1}', 1000);
INSERT INTO claims SELECT id, token FROM metrics_refresh.claim_jobs('{flood 1}', 1000);
INSERT INTO claims SELECT id, token FROM metrics_refresh.claim_jobs('{flood 1}', 1000);
INSERT INTO claims SELECT id, token FROM metrics_refresh.claim_jobs('{flood 1}', 1000);
INSERT INTO claims SELECT id, token FROM metrics_refresh.claim_jobs('{flood 1}', 1000);
-- The rest of the share, and no more.
INSERT INTO claims SELECT id, token FROM metrics_refresh.claim_jobs('{flood 1}', 1000);
SELECT tools.try($$SELECT count(*) FROM metrics_refresh.claim_jobs('{flood 1}', 1000)$$);
SET ROLE regress_owner;
SELECT count(*) FROM metrics_refresh.enqueue_many('outside', array_fill('{}'::jsonb, '{1000}'));
SELECT count(*) FROM metrics_refresh.claim_jobs('{outside}', 1000);
SET ROLE regress_client;
SELECT bool_and(result = 'done') AS done
FROM metrics_refresh.complete_jobs((SELECT array_agg(id ORDER BY id) FROM claims WHERE id % 2 = 0),
                                   (SELECT array_agg(token ORDER BY id) FROM claims WHERE id % 2 = 0));
SELECT bool_and(result = 'done') AS done
FROM metrics_refresh.release_jobs((SELECT array_agg(id ORDER BY id) FROM claims WHERE id % 2 = 1),
                                  (SELECT array_agg(token ORDER BY id) FROM claims WHERE id % 2 = 1));
BEGIN;
SELECT count(*) FROM metrics_refresh.claim_jobs('{flood 1}', 1000);
ROLLBACK;
RESET ROLE;
DO $$
BEGIN
    LOOP
        PERFORM metrics_refresh.cancel_job(id) FROM background_jobs WHERE status IN ('pending', 'processing') LIMIT 2000;
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END $$;
SELECT count(metrics_refresh.drop_job_type(type)) FROM metrics_refresh.job_types;
-- The other files count their completed jobs.
TRUNCATE metrics_refresh_internal.queue_history;
REVOKE EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many, metrics_refresh.create_batch, metrics_refresh.close_batch
    FROM regress_client, regress_owner;
DROP SCHEMA qh CASCADE;
DROP OWNED BY regress_client;
DROP ROLE regress_client;
