-- Jobs are performed by workers, connected as the owner of their type.
CREATE SCHEMA run_queue AUTHORIZATION regress_owner;
GRANT EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many TO regress_owner, regress_stranger;
SET ROLE regress_owner;
CREATE TABLE run_queue.effect (n serial, job bigint, what text);
CREATE FUNCTION run_queue.note(payload jsonb) RETURNS void LANGUAGE sql
    AS $$ INSERT INTO run_queue.effect (what) VALUES (payload ->> 'what') $$;
CREATE FUNCTION run_queue.note(job_id bigint, payload jsonb) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO run_queue.effect (job, what) VALUES (job_id, payload ->> 'what');
    RETURN 'it does not matter';
END $$;
CREATE FUNCTION run_queue.who(payload jsonb) RETURNS void LANGUAGE sql
    AS $$ INSERT INTO run_queue.effect (what) SELECT concat_ws(', ', session_user, current_user, current_setting('is_superuser')) $$;
SELECT metrics_refresh.register_job_type('run.note', 'run_queue.note(jsonb)');
SELECT metrics_refresh.register_job_type('run.note_id', 'run_queue.note(bigint, jsonb)');
SELECT metrics_refresh.register_job_type('run.who', 'run_queue.who(jsonb)');
RESET ROLE;

SELECT metrics_refresh.enqueue('run.note', '{"what": "a"}') IS NOT NULL AS is_enqueued;
SELECT metrics_refresh.enqueue('run.note_id', '{"what": "b"}') AS job \gset
CALL tools.finish_jobs('run.%');
SELECT type, payload, status, attempts, enqueued_by, owner, starts_later, ends_later, last_error FROM tools.jobs WHERE type LIKE 'run.%' ORDER BY n;
SELECT job = :job AS is_its_number, what FROM run_queue.effect ORDER BY what;

-- The session is the owner's, whoever has enqueued the job. A role that may not call the handler cannot enqueue.
TRUNCATE run_queue.effect;
SELECT metrics_refresh.enqueue('run.who') IS NOT NULL AS is_enqueued;
GRANT USAGE ON SCHEMA run_queue TO regress_stranger;
SET ROLE regress_stranger;
SELECT metrics_refresh.enqueue('run.who') IS NOT NULL AS is_enqueued;
RESET ROLE;
CALL tools.finish_jobs('run.%');
SELECT what FROM run_queue.effect;
SELECT type, status, enqueued_by, owner FROM tools.jobs WHERE type = 'run.who' ORDER BY n;

-- Jobs of a transaction that is rolled back never run; those of one that commits run after it.
TRUNCATE run_queue.effect;
BEGIN;
SELECT count(metrics_refresh.enqueue('run.note', '{"what": "rolled back"}')) FROM generate_series(1, 3);
ROLLBACK;
BEGIN;
SELECT count(metrics_refresh.enqueue('run.note', jsonb_build_object('what', 'many'))) FROM generate_series(1, 500);
SAVEPOINT s;
SELECT count(metrics_refresh.enqueue('run.note', '{"what": "rolled back"}')) FROM generate_series(1, 3);
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM metrics_refresh.enqueue_many('run.note', array_fill('{"what": "array"}'::jsonb, ARRAY[1000]));
CALL tools.finish_jobs('run.%');
SELECT what, count(*) FROM run_queue.effect GROUP BY what ORDER BY what;

-- What a job leaves in its session is gone when the next one begins.
SET ROLE regress_owner;
CREATE FUNCTION run_queue.leave(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO run_queue.effect (what) VALUES (concat_ws(', ', current_setting('work_mem'), nullif(current_setting('run.own', true), ''),
        current_setting('search_path'), (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors),
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
        to_regclass('pg_temp.leaves')));
    PERFORM set_config('work_mem', '1MB', false), set_config('run.own', 'mine', false), set_config('search_path', 'run_queue', false);
    EXECUTE 'PREPARE leaves AS SELECT 1';
    EXECUTE 'DECLARE leaves CURSOR WITH HOLD FOR SELECT 1';
    PERFORM pg_advisory_lock(4711);
    IF payload ? 'table' THEN CREATE TEMPORARY TABLE leaves (); END IF;
    IF payload ? 'fail' THEN RAISE 'it leaves all this, and fails'; END IF;
END $$;
RESET ROLE;
TRUNCATE run_queue.effect;
SELECT metrics_refresh.register_job_type('run.leave', 'run_queue.leave(jsonb)', max_attempts => 1, owner => 'regress_owner', concurrency => 1);
SELECT count(metrics_refresh.enqueue('run.leave', payload))
    FROM unnest('{"{}","{\"fail\": 1}","{}","{\"table\": 1}","{}","{}"}'::jsonb[]) payload;
CALL tools.finish_jobs('run.%');
SELECT what, count(*) FROM run_queue.effect GROUP BY what;
SELECT status, last_error, count(*) FROM tools.jobs WHERE type = 'run.leave' GROUP BY 1, 2 ORDER BY 1;

-- The settings are those that the owner has now.
SET ROLE regress_owner;
CREATE FUNCTION run_queue.setting(payload jsonb) RETURNS void LANGUAGE sql
    AS $$ INSERT INTO run_queue.effect (what) VALUES (current_setting('run.of_role', true)) $$;
SELECT metrics_refresh.register_job_type('run.setting', 'run_queue.setting(jsonb)');
RESET ROLE;
TRUNCATE run_queue.effect;
ALTER ROLE regress_owner SET run.of_role = 'first';
SELECT pg_sleep(1.1);
SELECT metrics_refresh.enqueue('run.setting') IS NOT NULL AS is_enqueued;
CALL tools.finish_jobs('run.%');
ALTER ROLE regress_owner SET run.of_role = 'second';
SELECT pg_sleep(1.1);
SELECT metrics_refresh.enqueue('run.setting') IS NOT NULL AS is_enqueued;
CALL tools.finish_jobs('run.%');
ALTER ROLE regress_owner RESET run.of_role;
SELECT what FROM run_queue.effect ORDER BY n;

-- Jobs that enqueue others, in the same transaction as their own end.
SET ROLE regress_owner;
CREATE FUNCTION run_queue.count_down(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO run_queue.effect (what) VALUES (payload ->> 'n');
    IF (payload ->> 'n')::integer > 0 THEN
        PERFORM metrics_refresh.enqueue('run.count_down', jsonb_build_object('n', (payload ->> 'n')::integer - 1));
    END IF;
END $$;
SELECT metrics_refresh.register_job_type('run.count_down', 'run_queue.count_down(jsonb)');
RESET ROLE;
TRUNCATE run_queue.effect;
SELECT metrics_refresh.enqueue('run.count_down', '{"n": 20}') IS NOT NULL AS is_enqueued;
CALL tools.finish_jobs('run.%');
SELECT count(*), min(what::integer), max(what::integer) FROM run_queue.effect;

-- Later jobs start when their time has come.
TRUNCATE run_queue.effect;
SELECT metrics_refresh.enqueue('run.note', '{"what": "later"}', delay => '100 ms') AS job \gset
CALL tools.finish_jobs('run.%');
SELECT status, started_at - created_at BETWEEN '100 ms' AND '10 s' AS in_time FROM background_jobs WHERE id = :job;

-- With metrics_refresh.enabled off, no job starts.
ALTER SYSTEM SET metrics_refresh.enabled = off;
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
SELECT metrics_refresh.enqueue('run.note', '{"what": "off"}') AS job \gset
SELECT pg_sleep(0.5);
SELECT status FROM background_jobs WHERE id = :job;
ALTER SYSTEM RESET metrics_refresh.enabled;
SELECT pg_reload_conf();
CALL tools.finish_jobs('run.%');
SELECT status FROM background_jobs WHERE id = :job;

-- A worker of the queue is no run.
SELECT count(*) FROM metrics_refresh.worker_slots() WHERE job_id = 0;

SELECT metrics_refresh.drop_job_type(type) FROM metrics_refresh.job_types WHERE type LIKE 'run.%';
DROP SCHEMA run_queue CASCADE;
