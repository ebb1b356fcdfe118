-- Who may do what in the queue: an owner of types, a client that enqueues, an administrator, and a stranger.
\set SHOW_CONTEXT never
CREATE ROLE regress_client LOGIN;
CREATE SCHEMA qr;
GRANT USAGE ON SCHEMA qr TO PUBLIC;
GRANT CREATE ON SCHEMA qr TO regress_owner;
SET metrics_refresh.admin_role = 'regress_admins';
SET ROLE regress_owner;
CREATE FUNCTION qr.open_to_all(payload jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION qr.closed(payload jsonb) RETURNS void LANGUAGE sql AS '';
REVOKE EXECUTE ON FUNCTION qr.closed FROM PUBLIC;
SELECT metrics_refresh.register_job_type('open', 'qr.open_to_all(jsonb)');
SELECT metrics_refresh.register_job_type('closed', 'qr.closed(jsonb)');
SELECT metrics_refresh.register_job_type('outside', mode => 'external');
SELECT metrics_refresh.pause_job_type(type) FROM metrics_refresh.job_types;
-- The owner of a type needs EXECUTE on enqueue() like all others.
SELECT tools.try($$SELECT metrics_refresh.enqueue('open')$$);
INSERT INTO background_jobs (type) VALUES ('open');
RESET ROLE;
SELECT routine, has_function_privilege('regress_client', routine, 'EXECUTE') AS client
FROM unnest('{metrics_refresh.enqueue,metrics_refresh.enqueue_many,metrics_refresh.create_batch,metrics_refresh.close_batch}'::regproc[]) routine;
GRANT EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many, metrics_refresh.create_batch, metrics_refresh.close_batch
    TO regress_client, regress_owner;

-- A client: EXECUTE on the handler decides, for external types membership.
SET ROLE regress_client;
SELECT metrics_refresh.enqueue('open', '{"secret": 1}') AS job \gset
SELECT tools.try($$SELECT metrics_refresh.enqueue('closed')$$);
SELECT tools.try($$SELECT count(*) FROM metrics_refresh.enqueue_many('closed', '{}')$$);
SELECT tools.try($$SELECT metrics_refresh.create_batch('closed')$$);
SELECT tools.try($$SELECT metrics_refresh.enqueue('outside')$$);
RESET ROLE;
GRANT EXECUTE ON FUNCTION qr.closed TO regress_client;
SET ROLE regress_client;
SELECT metrics_refresh.enqueue('closed') > 0 AS added;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION qr.closed FROM regress_client;
SET ROLE regress_client;
SELECT tools.try($$SELECT metrics_refresh.enqueue('closed')$$);
RESET ROLE;
GRANT regress_owner TO regress_client;
SET ROLE regress_client;
SELECT metrics_refresh.enqueue('outside') > 0 AS added, metrics_refresh.enqueue('closed') > 0 AS added;
RESET ROLE;
REVOKE regress_owner FROM regress_client;
-- In a SECURITY DEFINER function the definer counts.
CREATE FUNCTION qr.as_definer() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT metrics_refresh.enqueue('closed') $$;
SET ROLE regress_stranger;
SELECT qr.as_definer() > 0 AS added;
SELECT count(*) FROM background_jobs;
RESET ROLE;

-- What each sees. Errors, workers and notes are for those who manage the type.
SET ROLE regress_client;
SELECT type, enqueued_by, owner, status FROM background_jobs ORDER BY id;
SELECT type FROM metrics_refresh.job_types;
SELECT type FROM metrics_refresh.job_counts();
SET ROLE regress_owner;
SELECT type, enqueued_by FROM background_jobs ORDER BY id;
SELECT type, pending FROM metrics_refresh.job_counts();
SET ROLE regress_admin;
SELECT type, count(*) FROM background_jobs WHERE type IS NOT NULL GROUP BY type ORDER BY type; -- of types that exist
SET ROLE regress_stranger;
SELECT count(*) FROM background_jobs;
SELECT count(*) FROM metrics_refresh.job_counts();
-- A function in a condition sees no row of another role.
CREATE FUNCTION pg_temp.look(jsonb) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE 'seen: %', $1; END $$;
SELECT * FROM background_jobs WHERE pg_temp.look(payload);
RESET ROLE;
-- A role that may read all tables sees no jobs, and one that may write all tables adds none.
SET ROLE regress_client;
SELECT metrics_refresh.cancel_job(metrics_refresh.enqueue('open'));
SET ROLE regress_owner;
SELECT metrics_refresh.resume_job_type('outside');
SELECT id AS claimed, token FROM metrics_refresh.claim_jobs('{outside}', worker => 'of the owner', wait => '30 s') \gset
SELECT status, worker FROM background_jobs WHERE id = :claimed;
RESET ROLE;
SELECT count(*) > 0 AS marks FROM metrics_refresh_internal.queue_ended;
CREATE PROCEDURE qr.name_tables_with_rows() LANGUAGE plpgsql AS $$
DECLARE
    name text;
    is_empty boolean;
BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'metrics_refresh_internal'::regnamespace
                AND relname ~ '^(queue_|job_type|named_)' AND relkind IN ('r', 'v') AND has_table_privilege(oid, 'SELECT') ORDER BY 1 LOOP
        EXECUTE format('SELECT NOT EXISTS (SELECT FROM metrics_refresh_internal.%I)', name) INTO is_empty;
        IF NOT is_empty THEN
            RAISE NOTICE '% shows rows', name;
        END IF;
    END LOOP;
END $$;
GRANT pg_read_all_data, pg_write_all_data TO regress_stranger;
SET ROLE regress_stranger;
SELECT count(*) FROM background_jobs;
SELECT count(*) AS jobs FROM metrics_refresh_internal.queue_hot;
SELECT count(*) AS types FROM metrics_refresh_internal.job_type;
-- All that it sees: numbers of jobs that have ended or run, and names of types.
CALL qr.name_tables_with_rows();
SELECT worker, progress_note FROM metrics_refresh_internal.queue_claims() WHERE job_id = :claimed;
INSERT INTO metrics_refresh_internal.queue_later (id, created_at, type_id, enqueued_by, version, attempts, priority, crashes, flags, payload, waits)
VALUES (1, now(), 1, 0, 0, 0, 0, 0, 0, '{}', 0);
-- Nor by the way that the jobs of a dump take, and no end or claim of a job.
INSERT INTO metrics_refresh_internal.queue_hot (id, created_at, type_id, enqueued_by, version, attempts, priority, crashes, flags, payload)
VALUES (1, now(), 1, 0, 0, 0, 0, 0, 0, '{}');
INSERT INTO metrics_refresh_internal.queue_hot_3 (id, created_at, type_id, enqueued_by, version, attempts, priority, crashes, flags, payload)
VALUES (1, now(), 1, 0, 0, 0, 0, 0, 0, '{}');
INSERT INTO metrics_refresh_internal.queue_ended_0 VALUES (1, 0);
INSERT INTO metrics_refresh_internal.queue_claim_0 DEFAULT VALUES;
INSERT INTO metrics_refresh_internal.queue_history_0 DEFAULT VALUES;
COPY metrics_refresh_internal.queue_hot FROM STDIN;
\.
INSERT INTO metrics_refresh_internal.job_type (name, owner, owner_oid, mode) VALUES ('x', 'postgres', 10, 'external');
UPDATE metrics_refresh_internal.job_type SET owner = 'regress_stranger';
RESET ROLE;
-- To a role that may write all tables but not read them, PUBLIC's privileges show the same.
REVOKE pg_read_all_data FROM regress_stranger;
SET ROLE regress_stranger;
CALL qr.name_tables_with_rows();
SELECT worker, progress_note FROM metrics_refresh_internal.queue_claims() WHERE job_id = :claimed;
RESET ROLE;
REVOKE pg_write_all_data FROM regress_stranger;
SET ROLE regress_owner;
SELECT result FROM metrics_refresh.release_jobs(ARRAY[:claimed], ARRAY[:'token']);
SELECT metrics_refresh.pause_job_type('outside');
RESET ROLE;

-- Changing jobs: the client may cancel its own, the owner may do all, a stranger knows of none.
SET ROLE regress_stranger;
SELECT replace(tools.try(format('SELECT metrics_refresh.%s(%s)', f, :job)), ' ' || :'job', ' N') FROM unnest('{cancel_job,retry_job,wait_job}'::text[]) f;
SELECT replace(tools.try(format('SELECT metrics_refresh.snooze_job(%s, ''1 s'')', :job)), ' ' || :'job', ' N');
-- wait_for_job() is called by itself, so its error is shown as its SQLSTATE: the message has the number of the job.
\set VERBOSITY sqlstate
CALL metrics_refresh.wait_for_job(:job, '1 ms');
\set VERBOSITY default
SELECT metrics_refresh.retry_failed_jobs(), retry_failed_jobs(), metrics_refresh.purge_jobs('0');
SELECT tools.try($$SELECT metrics_refresh.retry_failed_jobs('open')$$);
SELECT tools.try($$SELECT metrics_refresh.purge_jobs('0', 'completed')$$);
SET ROLE regress_client;
SELECT replace(tools.try(format('SELECT metrics_refresh.%s', replace(f, 'N', :'job'))), ' ' || :'job', ' N') FROM unnest('{retry_job(N),"snooze_job(N, ''1 s'')"}'::text[]) f;
SELECT metrics_refresh.wait_job(:job, '0');
CALL metrics_refresh.wait_for_job(:job, '1 ms');
UPDATE background_jobs SET status = 'canceled';
DELETE FROM background_jobs;
SELECT metrics_refresh.cancel_job(:job);
SELECT replace(tools.try(format('SELECT metrics_refresh.retry_job(%s)', :job)), ' ' || :'job', ' N');
SET ROLE regress_owner;
SELECT metrics_refresh.retry_job(:job), metrics_refresh.snooze_job(:job, '1 day');
SET ROLE regress_admin;
SELECT metrics_refresh.snooze_job(:job, '2 days'), metrics_refresh.cancel_job(:job), metrics_refresh.retry_job(:job);
-- A job of another role is neither waited for nor learnt from.
RESET ROLE;
GRANT EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.create_batch TO regress_stranger;
SET ROLE regress_stranger;
SELECT replace(tools.try(format($$SELECT metrics_refresh.enqueue('open', after => '{%s}')$$, :job)), ' ' || :'job', ' N');
SET ROLE regress_client;
SELECT metrics_refresh.create_batch('open', open => true) AS batch \gset
SET ROLE regress_stranger;
SELECT replace(tools.try(format($$SELECT metrics_refresh.enqueue('open', batch => %s)$$, :batch)), ' ' || :'batch', ' N');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.create_batch FROM regress_stranger;

-- The view: each privilege is granted by itself.
GRANT INSERT ON background_jobs TO regress_client;
SET ROLE regress_client;
INSERT INTO background_jobs (type, payload) VALUES ('open', '{"by": "view"}');
SELECT tools.try($$INSERT INTO background_jobs (type) VALUES ('closed')$$);
SELECT enqueued_by, count(*) FROM background_jobs WHERE payload ? 'by' GROUP BY 1;
RESET ROLE;
-- A role without EXECUTE on enqueue() adds jobs by the view alone, with EXECUTE on the handler.
GRANT INSERT, SELECT ON background_jobs TO regress_stranger;
SET ROLE regress_stranger;
INSERT INTO background_jobs (type) VALUES ('open');
SELECT count(*) FROM background_jobs;
RESET ROLE;
REVOKE INSERT ON background_jobs FROM regress_stranger, regress_client;

-- The share of the owner of a type.
CALL tools.wait_until('SELECT bool_and(exact) FROM metrics_refresh.job_counts()');
SET metrics_refresh.max_queued_jobs_per_role = 10;
SET ROLE regress_client;
SELECT tools.try($$SELECT count(*) FROM metrics_refresh.enqueue_many('open', (SELECT array_agg('1'::jsonb) FROM generate_series(1, 5000)))$$);
SELECT metrics_refresh.enqueue('open') > 0 AS added;
RESET ROLE;
RESET metrics_refresh.max_queued_jobs_per_role;

SELECT count(*) > 0 AS some, bool_and(metrics_refresh.cancel_job(id)) AS canceled FROM background_jobs WHERE status = 'pending';
SELECT metrics_refresh.drop_job_type(type) FROM metrics_refresh.job_types;
RESET metrics_refresh.admin_role;
REVOKE EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many, metrics_refresh.create_batch, metrics_refresh.close_batch
    FROM regress_client, regress_owner;
DROP SCHEMA qr CASCADE;
DROP OWNED BY regress_client;
DROP ROLE regress_client;
