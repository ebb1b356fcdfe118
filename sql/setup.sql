-- What the other files build on: the extension, the roles, and a few tools.
BEGIN;
CREATE EXTENSION metrics_refresh;

-- The default jobs are there from the start; paused, for the clock must not write into these tests.
SELECT job_name, view_schema, view_name, command, schedule, timezone, active, strategy,
       max_runtime, lock_timeout, on_missed
FROM metrics_refresh.job ORDER BY job_name \gx
SELECT metrics_refresh.pause(job_name) FROM metrics_refresh.job;
COMMIT;
SELECT job_name, active, next_due FROM metrics_refresh.job_status ORDER BY job_name;

CREATE ROLE regress_owner LOGIN;
CREATE ROLE regress_stranger LOGIN;
CREATE ROLE regress_admins;
CREATE ROLE regress_admin LOGIN IN ROLE regress_admins;
CREATE ROLE regress_jwt LOGIN;
GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO regress_owner, regress_admins, regress_jwt;

CREATE SCHEMA tools;
GRANT USAGE ON SCHEMA tools TO PUBLIC;

-- Triggers a job, lets the request commit, and waits for the end of the run.
CREATE PROCEDURE tools.run(job text, INOUT status text DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
    run bigint := metrics_refresh.trigger(job);
BEGIN
    COMMIT;
    status := metrics_refresh.wait(run, '60 seconds');
END $$;

-- Runs a statement and says how it failed: SQLSTATE, message, detail, hint.
CREATE FUNCTION tools.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text; answer text;
BEGIN
    EXECUTE statement INTO answer;
    RETURN coalesce(answer, 'NULL');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
                            hint = PG_EXCEPTION_HINT;
    RETURN concat(SQLSTATE, ': ', message, E'\n    DETAIL: ' || nullif(detail, ''),
                  E'\n    HINT: ' || nullif(hint, ''));
END $$;

-- Waits until a query answers true; raises after a minute.
CREATE PROCEDURE tools.wait_until(query text) LANGUAGE plpgsql AS $$
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

-- Waits until a run has begun: its first row is committed and its worker is at it.
CREATE PROCEDURE tools.wait_for_begin(run bigint) LANGUAGE plpgsql AS $$ BEGIN
    CALL tools.wait_until(format('SELECT count(*) = 1 FROM metrics_refresh.run_log l JOIN metrics_refresh.running r USING (run_id)
                                  WHERE run_id = %s AND l.status = ''running'' AND r.state = ''running''', run));
END $$;

-- Waits until the scheduler has taken away what is left over of incremental views.
CREATE PROCEDURE tools.sweep() LANGUAGE plpgsql AS $$ BEGIN
    COMMIT;
    CALL tools.wait_until('SELECT NOT EXISTS (SELECT FROM metrics_refresh_internal.incremental_leftover)
        AND NOT EXISTS (SELECT FROM metrics_refresh_internal.incremental_view WHERE view_oid <> 0
                        AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = view_oid))');
END $$;

-- The log without what differs from one run to the next.
CREATE VIEW tools.log WITH (security_invoker = true) AS
    SELECT row_number() OVER (ORDER BY run_id) AS n, job_name, view_schema || '.' || view_name AS view,
           owner, triggered_by, initiated_by, status, strategy, strategy_reason, sqlstate,
           error_message, error_detail, error_hint, rows_total
    FROM metrics_refresh.run_log;
GRANT SELECT ON tools.log TO PUBLIC;
-- Waits until no queued job of the types like this is open.
CREATE PROCEDURE tools.finish_jobs(types text) LANGUAGE plpgsql AS $$ BEGIN
    COMMIT;
    CALL tools.wait_until(format('SELECT NOT EXISTS (SELECT FROM background_jobs WHERE type LIKE %L
                                                     AND status IN (''pending'', ''processing'', ''failed''))', types));
END $$;
-- Queued jobs without what differs from one run to the next.
CREATE VIEW tools.jobs WITH (security_invoker = true) AS
    SELECT row_number() OVER (ORDER BY id) AS n, type, payload, status, attempts, enqueued_by, owner,
           started_at >= created_at AS starts_later, finished_at >= started_at AS ends_later, last_error
    FROM background_jobs;
GRANT SELECT ON tools.jobs TO PUBLIC;
