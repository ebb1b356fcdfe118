-- Failed attempts, timeouts, cancels, and delays from inside of a handler.
CREATE SCHEMA retry_queue AUTHORIZATION regress_owner;
SET ROLE regress_owner;
CREATE TABLE retry_queue.effect (n serial, job bigint, what text);
CREATE SEQUENCE retry_queue.attempt;
CREATE FUNCTION retry_queue.fail_twice(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('retry_queue.attempt') < 3 THEN
        RAISE 'not yet' USING DETAIL = 'It is too early.', HINT = 'Wait.', ERRCODE = '40001';
    END IF;
    INSERT INTO retry_queue.effect (what) VALUES ('done');
END $$;
CREATE FUNCTION retry_queue.fail(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'never'; END $$;
CREATE FUNCTION retry_queue.sleep(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO retry_queue.effect (what) VALUES ('slept');
    PERFORM pg_sleep(60);
END $$;
CREATE FUNCTION retry_queue.never_end(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    LOOP
        BEGIN
            PERFORM pg_sleep(60);
        EXCEPTION WHEN query_canceled THEN NULL;
        END;
    END LOOP;
END $$;
CREATE FUNCTION retry_queue.snooze(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO retry_queue.effect (job, what) VALUES (job_id, 'snoozed');
    IF nextval('retry_queue.attempt') < 3 THEN PERFORM metrics_refresh.snooze_job(job_id, '50 ms'); END IF;
END $$;
CREATE FUNCTION retry_queue.progress(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    PERFORM metrics_refresh.job_progress(3, 7, 'almost');
    PERFORM pg_advisory_xact_lock_shared(4712);
END $$;
SELECT metrics_refresh.register_job_type('retry.twice', 'retry_queue.fail_twice(jsonb)', backoff => '20 ms', max_backoff => '1 s');
SELECT metrics_refresh.register_job_type('retry.never', 'retry_queue.fail(jsonb)', max_attempts => 3, backoff => '1 ms', max_backoff => '1 s');
SELECT metrics_refresh.register_job_type('retry.slow', 'retry_queue.sleep(jsonb)', max_attempts => 1, timeout => '200 ms');
SELECT metrics_refresh.register_job_type('retry.endless', 'retry_queue.never_end(jsonb)', max_attempts => 1, timeout => '200 ms');
SELECT metrics_refresh.register_job_type('retry.long', 'retry_queue.sleep(jsonb)', max_attempts => 1);
SELECT metrics_refresh.register_job_type('retry.long_endless', 'retry_queue.never_end(jsonb)', max_attempts => 1);
SELECT metrics_refresh.register_job_type('retry.snooze', 'retry_queue.snooze(bigint, jsonb)', max_attempts => 1);
SELECT metrics_refresh.register_job_type('retry.progress', 'retry_queue.progress(bigint, jsonb)');
RESET ROLE;
ALTER SYSTEM SET metrics_refresh.cancel_grace = '300 ms';
SELECT pg_reload_conf();

-- Two attempts fail, and the third one does it. Each failure has a row in the logs.
SELECT metrics_refresh.enqueue('retry.twice') AS job \gset
CALL tools.finish_jobs('retry.%');
SELECT type, payload, status, attempts, enqueued_by, owner, starts_later, ends_later, last_error FROM tools.jobs WHERE type = 'retry.twice';
SELECT what FROM retry_queue.effect;
SELECT function_name, level, message, sqlstate, attempt FROM edge_function_logs WHERE job_id = :job ORDER BY attempt;
SELECT status, context, duration_ms >= 0 AS timed, owner FROM edge_function_logs WHERE job_id = :job ORDER BY attempt \gx
-- A completed job is neither canceled nor started again.
SELECT metrics_refresh.cancel_job(:job) AS canceled, metrics_refresh.retry_job(:job) AS retried, metrics_refresh.snooze_job(:job, '0') AS snoozed;
SELECT status, attempts FROM background_jobs WHERE id = :job;

-- None of three attempts does it.
SELECT metrics_refresh.enqueue('retry.never') AS job \gset
CALL tools.finish_jobs('retry.%');
SELECT status, attempts, last_error FROM tools.jobs WHERE type = 'retry.never';
SELECT count(*) FROM edge_function_logs WHERE job_id = :job;
-- However short the backoff is, a job that fails again and again does so once a second.
SELECT third.created_at - second.created_at >= '1 second' AS a_second
FROM edge_function_logs second JOIN edge_function_logs third USING (job_id) WHERE job_id = :job AND second.attempt = 2 AND third.attempt = 3;
-- It can be tried again, with all its attempts.
SELECT metrics_refresh.retry_job(:job);
CALL tools.finish_jobs('retry.%');
SELECT status, attempts FROM tools.jobs WHERE type = 'retry.never';
SELECT metrics_refresh.retry_failed_jobs('retry.never');
CALL tools.finish_jobs('retry.%');
SELECT status, attempts FROM tools.jobs WHERE type = 'retry.never';

-- A worker that has to be terminated writes the failure at its exit, which the function for alerts cannot hold up.
SELECT pg_get_functiondef('notify_failed_job()'::regprocedure) AS original \gset
CREATE OR REPLACE FUNCTION notify_failed_job() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END';
SELECT metrics_refresh.enqueue('retry.endless') AS job \gset
CALL tools.finish_jobs('retry.%');
:original;
SELECT status, last_error FROM background_jobs WHERE id = :job;
SELECT message FROM edge_function_logs WHERE job_id = :job;
DELETE FROM background_jobs WHERE id = :job;

-- A timeout ends an attempt, also of a handler that goes on when it is canceled.
TRUNCATE retry_queue.effect;
SELECT metrics_refresh.enqueue('retry.slow') IS NOT NULL AS is_enqueued;
SELECT metrics_refresh.enqueue('retry.endless') IS NOT NULL AS is_enqueued;
CALL tools.finish_jobs('retry.%');
SELECT type, status, attempts, last_error FROM tools.jobs WHERE type IN ('retry.slow', 'retry.endless') ORDER BY n;
SELECT count(*) FROM retry_queue.effect;

-- A cancel ends a running job, also one that goes on.
SELECT metrics_refresh.enqueue('retry.long') AS job \gset
SELECT metrics_refresh.enqueue('retry.long_endless') AS endless \gset
CALL tools.wait_until($$ SELECT count(*) = 2 FROM background_jobs WHERE type LIKE 'retry.long%' AND status = 'processing' $$);
SELECT metrics_refresh.cancel_job(:job), metrics_refresh.cancel_job(:endless);
CALL tools.finish_jobs('retry.%');
SELECT type, status, attempts, last_error FROM tools.jobs WHERE type LIKE 'retry.long%' ORDER BY n;
SELECT count(*) FROM retry_queue.effect;

-- A job that delays itself keeps its effect, and its attempts.
SELECT setval('retry_queue.attempt', 1, false);
SELECT metrics_refresh.enqueue('retry.snooze') AS job \gset
CALL tools.finish_jobs('retry.%');
SELECT status, attempts FROM tools.jobs WHERE type = 'retry.snooze';
SELECT job = :job AS is_its, what FROM retry_queue.effect;

-- Progress is seen before the commit.
SELECT pg_advisory_lock(4712);
SELECT metrics_refresh.enqueue('retry.progress') AS job \gset
CALL tools.wait_until($$ SELECT count(*) = 1 FROM background_jobs WHERE type = 'retry.progress' AND progress_done IS NOT NULL $$);
SELECT status, attempts, progress_done, progress_total, progress_note FROM background_jobs WHERE id = :job;
SELECT pg_advisory_unlock(4712);
CALL tools.finish_jobs('retry.%');
SELECT status, attempts FROM background_jobs WHERE id = :job;
-- A note is cut to 100 bytes, and not inside of a character.
CREATE OR REPLACE FUNCTION retry_queue.progress(job_id bigint, payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    PERFORM metrics_refresh.job_progress(1, note => payload #>> '{}');
    INSERT INTO retry_queue.effect (job, what) SELECT job_id, progress_note FROM background_jobs WHERE id = job_id;
END $$;
TRUNCATE retry_queue.effect;
SELECT count(metrics_refresh.enqueue('retry.progress', to_jsonb(note)))
FROM unnest(ARRAY[repeat('x', 101), repeat(chr(233), 60), 'x' || repeat(chr(233), 60), 'short', '']) note;
CALL tools.finish_jobs('retry.%');
SELECT octet_length(what) AS bytes, length(what) AS characters, right(what, 1) IN ('x', chr(233), 't') AS is_whole FROM retry_queue.effect ORDER BY job;

-- A handler that is gone fails with its name. So does one that the owner may no longer execute.
SELECT metrics_refresh.alter_job_type('retry.never', max_attempts => 1), metrics_refresh.alter_job_type('retry.twice', max_attempts => 1);
SELECT metrics_refresh.enqueue('retry.never', delay => '300 ms') AS gone \gset
SELECT metrics_refresh.enqueue('retry.twice', delay => '300 ms') AS revoked \gset
SET ROLE regress_owner;
DROP FUNCTION retry_queue.fail(jsonb);
REVOKE ALL ON FUNCTION retry_queue.fail_twice FROM PUBLIC, regress_owner;
RESET ROLE;
CALL tools.finish_jobs('retry.%');
SELECT status, attempts, last_error FROM background_jobs WHERE id IN (:gone, :revoked) ORDER BY id;
SELECT level, message, sqlstate FROM edge_function_logs WHERE job_id IN (:gone, :revoked) ORDER BY job_id;

ALTER SYSTEM RESET metrics_refresh.cancel_grace;
SELECT pg_reload_conf();
SELECT metrics_refresh.drop_job_type(type) FROM metrics_refresh.job_types WHERE type LIKE 'retry.%';
DROP SCHEMA retry_queue CASCADE;
