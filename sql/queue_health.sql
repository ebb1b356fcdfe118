-- The state of the queue, and the findings of health_check() about it, in a database of its own.
CREATE DATABASE regress_queue_health TEMPLATE template0;
\c regress_queue_health
\set SHOW_CONTEXT never
CREATE EXTENSION metrics_refresh;
SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job;
SET metrics_refresh.admin_role = 'regress_admins';
CREATE FUNCTION found() RETURNS TABLE (check_name text, severity text, detail text, hint text) LANGUAGE sql VOLATILE AS $$
    SELECT check_name, severity, regexp_replace(detail, '\d+ s\M', 'N s'), hint
    FROM metrics_refresh.health_check() WHERE check_name LIKE 'queue%' AND severity <> 'ok' $$;
CREATE PROCEDURE wait_until(query text) LANGUAGE plpgsql AS $$
DECLARE
    fulfilled boolean;
BEGIN
    FOR i IN 1 .. 6000 LOOP
        EXECUTE query INTO fulfilled;
        IF fulfilled THEN RETURN; END IF;
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
    RAISE 'this did not become true: %', query;
END $$;

-- Before its first use.
SELECT state, counts_exact, ready, segments, max_segments, segment_bytes, databases <= max_databases AS has_room, max_databases
FROM metrics_refresh.queue_status();
SELECT check_name, severity, detail, hint FROM metrics_refresh.health_check() WHERE check_name LIKE 'queue%';

-- Jobs of each kind.
CREATE FUNCTION handler(payload jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION slow(payload jsonb) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(600)';
SELECT metrics_refresh.register_job_type('paused', 'handler(jsonb)');
SELECT metrics_refresh.register_job_type('outside', mode => 'external');
SELECT metrics_refresh.register_job_type('slow', 'slow(jsonb)', max_attempts => 1);
SELECT metrics_refresh.pause_job_type('paused');
SELECT count(metrics_refresh.enqueue('paused', key => n::text)) FROM generate_series(1, 3) n;
SELECT metrics_refresh.enqueue('paused', delay => '1 day') > 0 AS added;
SELECT metrics_refresh.enqueue('slow') AS slow \gset
CALL wait_until('SELECT state = ''open'' AND counts_exact AND processing = 1 AND workers > 0 FROM metrics_refresh.queue_status()');
SELECT ready, processing, later, dead, external_claims, types, lanes, spans > 0 AS has_spans,
       max_types > types AS has_types, max_lanes > lanes AS has_lanes, max_spans > spans AS has_spans, segments, segment_bytes > 0 AS has_bytes
FROM metrics_refresh.queue_status();
SELECT metrics_refresh.enqueue('outside') > 0 AS added;
SELECT ready, now() - waiting_since < '1 min' AS waits FROM metrics_refresh.queue_status();
-- No worker comes, but the job does not wait any more when it is canceled.
SELECT metrics_refresh.cancel_job(id) FROM background_jobs WHERE type = 'outside';
SELECT ready, waiting_since FROM metrics_refresh.queue_status();
SELECT metrics_refresh.cancel_job(:slow);
CALL wait_until('SELECT processing = 0 FROM metrics_refresh.queue_status()');
SELECT count(*) FROM found();

-- Its numbers are for super admins.
SET ROLE regress_admin;
SELECT count(*) FROM metrics_refresh.queue_status();
SET ROLE regress_stranger;
SELECT count(*) FROM metrics_refresh.queue_status();
RESET ROLE;

-- queue_types: a handler that is missing, one that the owner may not execute, and an owner that is missing. A role is
-- told of its own types.
CREATE SCHEMA app AUTHORIZATION regress_owner;
SET ROLE regress_owner;
CREATE FUNCTION app.gone(payload jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION app.works(job_id bigint, payload jsonb) RETURNS void LANGUAGE sql AS '';
SELECT metrics_refresh.register_job_type('it''s gone', 'app.gone(jsonb)');
SELECT metrics_refresh.register_job_type('works', 'app.works(bigint, jsonb)');
SELECT * FROM found();
DROP FUNCTION app.gone;
SELECT * FROM found();
REVOKE EXECUTE ON FUNCTION app.works FROM PUBLIC, regress_owner;
SELECT detail, hint FROM found();
SET ROLE regress_stranger;
SELECT count(*) FROM found();
SET ROLE regress_owner;
GRANT EXECUTE ON FUNCTION app.works TO regress_owner;
CREATE FUNCTION app.gone(payload jsonb) RETURNS void LANGUAGE sql AS '';
SELECT count(*) FROM found();
RESET ROLE;
ALTER FUNCTION app.gone RENAME TO renamed;
SELECT count(*) FROM found();
CREATE ROLE regress_short_lived LOGIN;
UPDATE metrics_refresh_internal.job_type SET owner = 'regress_short_lived' WHERE name = 'works';
DROP ROLE regress_short_lived;
SELECT check_name, severity, detail, hint FROM found();
UPDATE metrics_refresh_internal.job_type SET owner = 'regress_owner' WHERE name = 'works';
SELECT metrics_refresh.drop_job_type('it''s gone');
-- Jobs of a paused type do not run anyway.
DROP FUNCTION handler;
SELECT count(*) FROM found();

-- queue_storage. The transaction that keeps the oldest segment is named, if there is one.
BEGIN;
UPDATE metrics_refresh_internal.queue_segment SET state = 'sealed', sealed_at = now() - segment * interval '1 min' WHERE state = 'free';
SELECT * FROM found();
SET ROLE regress_owner;
SELECT count(*) FROM found();
ROLLBACK;
BEGIN;
LOCK TABLE metrics_refresh_internal.queue_hot IN ACCESS SHARE MODE;
PREPARE TRANSACTION 'regress queue';
BEGIN;
UPDATE metrics_refresh_internal.queue_segment SET state = 'sealed', sealed_at = now() - segment * interval '1 min' WHERE state = 'free';
SELECT detail, hint FROM found();
ROLLBACK;
ROLLBACK PREPARED 'regress queue';

-- queue_crash. A dead job of another reason does not count, even if it was a suspect.
INSERT INTO metrics_refresh_internal.queue_stopped
    (id, created_at, type_id, enqueued_by, version, attempts, priority, crashes, flags, payload, status, finished_at, reason)
SELECT n, now(), t.id, 0, 1, 1, 0, 0, f.flags, '{}', f.status, now(), f.reason
FROM metrics_refresh_internal.job_type t,
     (VALUES (100001, 3, 'd', 'the server crashed while the job ran alone, 3 times'), (100002, 3, 'd', 'the server crashed while the job ran'),
             (100003, 3, 'd', 'division by zero'), (100004, 1, 'd', 'the server crashed while the job ran'),
             (100005, 3, 'c', 'the server crashed while the job ran')) f (n, flags, status, reason)
WHERE t.name = 'works';
SELECT * FROM found();
SET ROLE regress_owner;
SELECT check_name FROM found();
SET ROLE regress_stranger;
SELECT count(*) FROM found();
RESET ROLE;
DELETE FROM metrics_refresh_internal.queue_stopped WHERE reason LIKE 'the server crashed%';
SELECT count(*) FROM found();

-- queue_double: the second end of a job is refused, with all that was done before it.
CREATE TABLE effect (job bigint);
-- SQL cannot write end marks as long as this trigger is there.
ALTER TABLE metrics_refresh_internal.queue_ended_0 DISABLE TRIGGER queue_row;
CREATE FUNCTION ends_twice(job_id bigint, payload jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO effect VALUES (job_id);
    INSERT INTO metrics_refresh_internal.queue_ended_0 SELECT id, version FROM metrics_refresh_internal.queue_hot_0 WHERE id = job_id $$;
SELECT metrics_refresh.register_job_type('twice', 'ends_twice(bigint, jsonb)', max_attempts => 1);
SELECT metrics_refresh.enqueue('twice') AS twice \gset
SELECT metrics_refresh.wait_job(:twice, '60 s');
SELECT count(*) AS effects FROM effect;
SELECT * FROM found();
SET ROLE regress_owner;
SELECT count(*) FROM found();
RESET ROLE;
SELECT status, warnings, criticals FROM metrics_refresh.health_summary();

\c contrib_regression
DROP DATABASE regress_queue_health;
