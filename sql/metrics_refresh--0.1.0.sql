-- metrics_refresh 0.1.0: the objects of CREATE EXTENSION metrics_refresh.
--
-- Everything is in the schema metrics_refresh, except the platform-metrics functions. These are in the
-- extension's target schema, under the names that applications already call.
\echo Use "CREATE EXTENSION metrics_refresh" to load this file. \quit

-- Applies until the end of this script. Otherwise the path contains the target schema, in which other roles may create objects.
SET LOCAL search_path = pg_catalog, pg_temp;
-- The library writes some tables below the executor, as heaps.
SET LOCAL default_table_access_method = heap;

CREATE SCHEMA metrics_refresh;
COMMENT ON SCHEMA metrics_refresh IS 'keeps materialized views fresh: jobs, runs, health';

-- PUBLIC has no USAGE, so other roles cannot name a table in this schema, and cannot request a lock on one. Some
-- statements wait for an exclusive lock before the server checks privileges, and jobs would wait behind them.
-- The views in metrics_refresh show each role the rows that it may see.
CREATE SCHEMA metrics_refresh_internal;
COMMENT ON SCHEMA metrics_refresh_internal IS 'private tables of metrics_refresh; use the views in metrics_refresh';

-- Raises a clear error, with a hint, if the library is not preloaded.
CREATE FUNCTION metrics_refresh_internal.require_preload() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_require_preload';
COMMENT ON FUNCTION metrics_refresh_internal.require_preload() IS
    'raises an error with a hint if metrics_refresh is not in shared_preload_libraries';
SELECT metrics_refresh_internal.require_preload();

-- Without this, the error of the server would name only the first of these objects, and no solution.
DO $$
DECLARE
    target text := (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = '@extschema@'::pg_catalog.regnamespace);
    hand_written text;
    other text;
BEGIN
    SELECT pg_catalog.string_agg(o.name, ', ' ORDER BY o.name) INTO hand_written FROM (
        SELECT 'function ' || p.oid::pg_catalog.regprocedure::pg_catalog.text AS name
        FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = '@extschema@'::pg_catalog.regnamespace
          AND (p.proname, pg_catalog.oidvectortypes(p.proargtypes)) IN (
              ('refresh_platform_metrics_with_logging', ''), ('trigger_platform_metrics_refresh', ''),
              ('cleanup_old_metrics_logs', ''), ('get_metrics_refresh_stats', 'integer'), ('notify_failed_job', ''),
              ('retry_failed_jobs', 'text'))
        UNION ALL
        SELECT CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' ELSE 'table ' END
               || c.oid::pg_catalog.regclass::pg_catalog.text
        FROM pg_catalog.pg_class c
        WHERE c.relnamespace = '@extschema@'::pg_catalog.regnamespace
          AND c.relname IN ('metrics_refresh_log', 'edge_function_logs', 'background_jobs')) o;
    IF hand_written IS NOT NULL THEN
        other := CASE WHEN pg_catalog.to_regnamespace('metrics') IS NULL THEN 'metrics' ELSE 'metrics_platform' END;
        RAISE duplicate_object USING
            MESSAGE = pg_catalog.format('schema "%s" has objects already that metrics_refresh makes there', target),
            DETAIL = pg_catalog.format('In the way: %s.', hand_written),
            HINT = pg_catalog.format('To keep what calls them: CREATE SCHEMA %1$s; CREATE EXTENSION metrics_refresh SCHEMA %1$s; '
                'then SELECT * FROM metrics_refresh.adopt_platform_metrics(schema_name => %2$L) shows how those for platform_metrics are taken over.',
                other, target);
    END IF;
END $$;

------------------------------------------------------------------------------------------------
-- Privileges

CREATE FUNCTION metrics_refresh.is_super_admin() RETURNS boolean
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mr_is_super_admin';
COMMENT ON FUNCTION metrics_refresh.is_super_admin() IS
    'true for a superuser, a member of metrics_refresh.admin_role, and a role that the function metrics_refresh.admin_check accepts';

------------------------------------------------------------------------------------------------
-- Jobs: configuration, dumped by pg_dump

CREATE SEQUENCE metrics_refresh_internal.job_id_seq;

-- The intervals of jobs. Years and months have no fixed length. The views show plain intervals, and no other role may
-- use the types: a column of such a type would make a table of that role depend on the extension.
CREATE DOMAIN metrics_refresh_internal.span AS interval
    CHECK (VALUE BETWEEN interval '0' AND interval '24 days'
           AND extract(month FROM VALUE) = numeric '0' AND extract(year FROM VALUE) = numeric '0');
COMMENT ON DOMAIN metrics_refresh_internal.span IS 'from 0 to 24 days, without years and months';
CREATE DOMAIN metrics_refresh_internal.positive_span AS metrics_refresh_internal.span
    CHECK (VALUE >= interval '1 millisecond');
COMMENT ON DOMAIN metrics_refresh_internal.positive_span IS 'from 1 ms to 24 days, without years and months';
REVOKE ALL ON TYPE metrics_refresh_internal.span, metrics_refresh_internal.positive_span FROM PUBLIC;

CREATE TABLE metrics_refresh_internal.job (
    job_id         bigint PRIMARY KEY DEFAULT pg_catalog.nextval('metrics_refresh_internal.job_id_seq'),
    job_name       text NOT NULL CHECK (job_name !~ '^[0-9]*$') -- digits are a job_id in place of a name
                   CONSTRAINT job_name_length CHECK (pg_catalog.octet_length(job_name) <= 500),
    view_schema    name,
    view_name      name,
    view_oid       oid NOT NULL,
    given_schema   name,
    given_name     name,
    command        text CHECK (command <> '')
                   CONSTRAINT job_command_length CHECK (pg_catalog.octet_length(command) <= 1048576),
    schedule       text CHECK (pg_catalog.octet_length(schedule) <= 1000),
    timezone       text CHECK (pg_catalog.octet_length(timezone) <= 63),
    strategy       text NOT NULL DEFAULT 'auto'
                   CHECK (strategy IN ('auto', 'incremental', 'diff', 'concurrently', 'full')),
    owner          name NOT NULL,
    owner_oid      oid NOT NULL,
    owner_gone     boolean NOT NULL DEFAULT false,
    active         boolean NOT NULL DEFAULT true,
    max_runtime    metrics_refresh_internal.positive_span NOT NULL DEFAULT '1 hour',
    lock_timeout   metrics_refresh_internal.positive_span NOT NULL DEFAULT '10 seconds',
    on_missed      text NOT NULL DEFAULT 'once' CHECK (on_missed IN ('once', 'skip')),
    on_overlap     text NOT NULL DEFAULT 'skip' CHECK (on_overlap IN ('skip', 'queue_one')),
    priority       integer NOT NULL DEFAULT 0 CHECK (priority BETWEEN -1000 AND 1000),
    max_retries    integer NOT NULL DEFAULT 3 CHECK (max_retries BETWEEN 0 AND 100),
    retry_delay    metrics_refresh_internal.positive_span NOT NULL DEFAULT '10 seconds',
    retry_max_delay metrics_refresh_internal.positive_span NOT NULL DEFAULT '5 minutes',
    jitter         metrics_refresh_internal.span NOT NULL DEFAULT '0',
    starts_at      timestamptz CHECK (pg_catalog.isfinite(starts_at)),
    ends_at        timestamptz CHECK (pg_catalog.isfinite(ends_at)),
    blackout       text[] CHECK (pg_catalog.array_position(blackout, NULL) IS NULL
                          AND pg_catalog.cardinality(blackout) <= 100
                          AND pg_catalog.octet_length(pg_catalog.array_to_string(blackout, '')) <= 10000),
    settings       jsonb CONSTRAINT job_settings_length CHECK (pg_catalog.octet_length(settings::pg_catalog.text) <= 8192)
                         CHECK (pg_catalog.jsonb_typeof(settings) = 'object'
                                AND NOT pg_catalog.jsonb_path_exists(settings,
                                    'strict $.* ? (@.type() != "string" && @.type() != "number" && @.type() != "boolean")')),
    group_schema   name,
    isolation      text NOT NULL DEFAULT 'read_committed'
                   CHECK (isolation IN ('read_committed', 'repeatable_read')),
    max_parallel   integer CHECK (max_parallel >= 1),
    one_time       boolean NOT NULL DEFAULT false,
    is_default     boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    effective_from timestamptz NOT NULL DEFAULT clock_timestamp(),
    counts_from_commit boolean NOT NULL DEFAULT false,
    CHECK (pg_catalog.num_nonnulls(view_schema, view_name) IN (0, 2)),
    CHECK (pg_catalog.num_nonnulls(given_schema, given_name) IN (0, 2)),
    CHECK (pg_catalog.num_nonnulls(view_name, command, group_schema) <= 1),
    CHECK (starts_at < ends_at)
);
-- Includes the name, so that each index finds one row when the server looks up a job of an owner.
CREATE INDEX job_owner ON metrics_refresh_internal.job (owner_oid, job_name);
-- Names are unique for each owner. If an owner is missing when a dump is restored, owner_oid is 0. A job for one
-- run is identified by its number, so that its creator does not wait for another role that uses its name.
CREATE UNIQUE INDEX job_owner_name ON metrics_refresh_internal.job (owner_oid, job_name)
    WHERE owner_oid <> '0'::oid AND NOT one_time;
CREATE INDEX job_name ON metrics_refresh_internal.job (job_name);
-- Used for the settings of a view's own jobs.
CREATE INDEX job_view ON metrics_refresh_internal.job (view_oid) WHERE view_name IS NOT NULL;
CREATE INDEX job_view_name ON metrics_refresh_internal.job (view_name) WHERE view_name IS NOT NULL;
CREATE INDEX job_given_name ON metrics_refresh_internal.job (given_name) WHERE given_name IS NOT NULL;
COMMENT ON TABLE metrics_refresh_internal.job IS
    'jobs with their schedules and options; change them with the functions';

-- A job without a view and a command is a group. There are no foreign keys between dumped tables, because a
-- restore may fill them in any order. The trigger delete_members does the work of a foreign key.
CREATE TABLE metrics_refresh_internal.job_member (
    job_id      bigint NOT NULL,
    view_schema name NOT NULL,
    view_name   name NOT NULL,
    view_oid    oid NOT NULL DEFAULT 0,
    given_schema name,
    given_name  name,
    PRIMARY KEY (job_id, view_schema, view_name),
    CHECK (pg_catalog.num_nonnulls(given_schema, given_name) IN (0, 2))
);
COMMENT ON TABLE metrics_refresh_internal.job_member IS
    'materialized views of the groups that have a list of views, bound by name as in job';

-- CREATE EXTENSION creates the default jobs. If one was unscheduled, a restore removes it again.
CREATE TABLE metrics_refresh_internal.removed_default_job (
    job_name text PRIMARY KEY
);
COMMENT ON TABLE metrics_refresh_internal.removed_default_job IS 'default jobs that were unscheduled';

-- The delta tables and triggers of these views are ordinary objects with this number in their names. pg_dump includes them.
CREATE SEQUENCE metrics_refresh_internal.incremental_id_seq;
CREATE TABLE metrics_refresh_internal.incremental_view (
    id               bigint PRIMARY KEY DEFAULT pg_catalog.nextval('metrics_refresh_internal.incremental_id_seq'),
    view_schema      name NOT NULL,
    view_name        name NOT NULL,
    view_oid         oid NOT NULL,
    fingerprint      text,
    refreshed_as_of  timestamptz,
    rows_total       bigint,
    runs_since_audit integer NOT NULL DEFAULT 0,
    demoted          text,
    demoted_at       timestamptz,
    uncaptured       text,
    owner_oid        oid NOT NULL DEFAULT 0,
    UNIQUE (view_schema, view_name)
) WITH (fillfactor = 50);
COMMENT ON COLUMN metrics_refresh_internal.incremental_view.owner_oid IS
    'owner of the view at its last refresh; what is left of a removed view counts for this role';
COMMENT ON TABLE metrics_refresh_internal.incremental_view IS
    'materialized views that are set up for the strategy incremental, with the state for their next refresh';

-- The code that writes a view reads this table by position.
CREATE TABLE metrics_refresh_internal.incremental_parent (
    delta       text PRIMARY KEY,
    columns     text[] NOT NULL,
    view_schema name NOT NULL,
    view_name   name NOT NULL,
    view_oid    oid NOT NULL,
    id          bigint NOT NULL
);
COMMENT ON TABLE metrics_refresh_internal.incremental_parent IS
    'materialized views that incremental views read: the keys to write, and the delta table to write them into, when one is refreshed';

-- Not dumped: a dump contains the delta tables and triggers themselves.
CREATE TABLE metrics_refresh_internal.incremental_leftover (
    id        bigint NOT NULL,
    owner_oid oid NOT NULL DEFAULT 0
);
CREATE INDEX incremental_leftover_id ON metrics_refresh_internal.incremental_leftover (id);
COMMENT ON TABLE metrics_refresh_internal.incremental_leftover IS
    'numbers of incremental_view whose delta tables and triggers the scheduler removes if no job uses them; a number may occur several times';

CREATE INDEX incremental_parent_id ON metrics_refresh_internal.incremental_parent (id);

-- A dump contains the name of the owner. The scheduler updates the names, and marks jobs whose role was dropped. A row
-- that it has not checked since is left out: it would be restored as the job of a role that got the name later.
DO $do$
DECLARE
    dumped constant pg_catalog.text := $$WHERE NOT one_time AND (owner_gone
        OR owner = (SELECT rolname FROM pg_catalog.pg_roles WHERE oid = owner_oid)
        OR owner_oid = '0'::pg_catalog.oid AND owner NOT IN (SELECT rolname FROM pg_catalog.pg_roles))$$;
BEGIN
    PERFORM pg_catalog.pg_extension_config_dump('metrics_refresh_internal.job', dumped);
    PERFORM pg_catalog.pg_extension_config_dump('metrics_refresh_internal.job_member',
        pg_catalog.format('WHERE job_id IN (SELECT job_id FROM metrics_refresh_internal.job %s)', dumped));
END $do$;
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.incremental_view', '');
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.incremental_parent',
    'WHERE id IN (SELECT id FROM metrics_refresh_internal.incremental_view)');
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.incremental_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.job_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.removed_default_job', '');

CREATE FUNCTION metrics_refresh_internal.job_before_write() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_job_before_write';
COMMENT ON FUNCTION metrics_refresh_internal.job_before_write() IS
    'checks schedule, time zone and blackout windows of each row, and stores the view and the role that its names refer to';
CREATE TRIGGER before_write BEFORE INSERT OR UPDATE ON metrics_refresh_internal.job
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.job_before_write();

CREATE FUNCTION metrics_refresh_internal.member_before_write() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_member_before_write';
COMMENT ON FUNCTION metrics_refresh_internal.member_before_write() IS
    'stores the view that the name of a group''s member refers to';
CREATE TRIGGER before_write BEFORE INSERT OR UPDATE ON metrics_refresh_internal.job_member
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.member_before_write();

CREATE TRIGGER before_write BEFORE INSERT OR UPDATE ON metrics_refresh_internal.incremental_view
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.member_before_write();

CREATE TRIGGER before_write BEFORE INSERT OR UPDATE ON metrics_refresh_internal.incremental_parent
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.member_before_write();

CREATE FUNCTION metrics_refresh_internal.capture_keys() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_capture_keys';
COMMENT ON FUNCTION metrics_refresh_internal.capture_keys() IS
    'writes the keys of changed rows into a delta table, for the strategy incremental';

CREATE FUNCTION metrics_refresh.is_changed_key(key_set bigint, VARIADIC key "any") RETURNS boolean
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mr_is_changed_key';
COMMENT ON FUNCTION metrics_refresh.is_changed_key(bigint, "any") IS
    'true if these column values are a changed key; only for the queries of the strategy incremental, raises 55000 elsewhere';

CREATE FUNCTION metrics_refresh_internal.job_after_write() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_job_after_write';
COMMENT ON FUNCTION metrics_refresh_internal.job_after_write() IS
    'tells the scheduler at commit which job changed';
CREATE TRIGGER after_write AFTER INSERT OR UPDATE OR DELETE ON metrics_refresh_internal.job
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.job_after_write();
CREATE TRIGGER after_truncate AFTER TRUNCATE ON metrics_refresh_internal.job
    FOR EACH STATEMENT EXECUTE FUNCTION metrics_refresh_internal.job_after_write();

CREATE FUNCTION metrics_refresh_internal.job_take_over() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_job_take_over';
COMMENT ON FUNCTION metrics_refresh_internal.job_take_over() IS
    'starts the due times of jobs imported from pg_cron at this commit, and keeps the commit away from the beginning of a minute';
CREATE CONSTRAINT TRIGGER take_over AFTER UPDATE ON metrics_refresh_internal.job
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.counts_from_commit)
    EXECUTE FUNCTION metrics_refresh_internal.job_take_over();

CREATE FUNCTION metrics_refresh_internal.delete_members() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'job' THEN
        DELETE FROM metrics_refresh_internal.job_member WHERE job_id = OLD.job_id;
    ELSE
        DELETE FROM metrics_refresh_internal.incremental_parent WHERE id = OLD.id;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION metrics_refresh_internal.delete_members() IS
    'deletes the members of a deleted group, and the parents of a deleted incremental view';
CREATE TRIGGER delete_members AFTER DELETE ON metrics_refresh_internal.job
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.delete_members();
CREATE TRIGGER delete_members AFTER DELETE ON metrics_refresh_internal.incremental_view
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.delete_members();

CREATE FUNCTION metrics_refresh_internal.replace_default_job() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Both tables may be filled at the same time. To avoid deadlocks, rows are locked in the order of their numbers.
    IF TG_TABLE_NAME = 'removed_default_job' THEN
        PERFORM FROM metrics_refresh_internal.job j WHERE j.is_default ORDER BY j.job_id FOR UPDATE;
        DELETE FROM metrics_refresh_internal.job WHERE job_name = NEW.job_name AND is_default;
    ELSIF EXISTS (SELECT FROM metrics_refresh_internal.job j WHERE j.job_name = NEW.job_name AND j.is_default) THEN
        -- A job of this name that belongs to another owner does not replace the default job. This is checked here,
        -- which most jobs never reach: as a part of the condition, the server would plan it for each job.
        IF EXISTS (SELECT FROM metrics_refresh_internal.job j WHERE j.job_name = NEW.job_name AND j.is_default
                   AND (NEW.is_default OR j.owner_oid = NEW.owner_oid)) THEN
            PERFORM FROM metrics_refresh_internal.job j
            WHERE j.is_default AND (NEW.is_default OR j.owner_oid = NEW.owner_oid) ORDER BY j.job_id FOR UPDATE;
            DELETE FROM metrics_refresh_internal.job
            WHERE job_name = NEW.job_name AND is_default AND (NEW.is_default OR owner_oid = NEW.owner_oid);
        END IF;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION metrics_refresh_internal.replace_default_job() IS
    'lets a restored dump replace or remove the jobs that CREATE EXTENSION has just made';
-- Fires after before_write, in alphabetical order, which looks up the owner.
CREATE TRIGGER replace_default BEFORE INSERT ON metrics_refresh_internal.job
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.replace_default_job();
CREATE TRIGGER remove_default BEFORE INSERT ON metrics_refresh_internal.removed_default_job
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.replace_default_job();

-- Also in sessions that replicate or restore.
ALTER TABLE metrics_refresh_internal.job ENABLE ALWAYS TRIGGER before_write;
ALTER TABLE metrics_refresh_internal.job ENABLE ALWAYS TRIGGER after_write;
ALTER TABLE metrics_refresh_internal.job ENABLE ALWAYS TRIGGER after_truncate;
ALTER TABLE metrics_refresh_internal.job ENABLE ALWAYS TRIGGER replace_default;
ALTER TABLE metrics_refresh_internal.job ENABLE ALWAYS TRIGGER take_over;
ALTER TABLE metrics_refresh_internal.job ENABLE ALWAYS TRIGGER delete_members;
ALTER TABLE metrics_refresh_internal.incremental_view ENABLE ALWAYS TRIGGER delete_members;
ALTER TABLE metrics_refresh_internal.job_member ENABLE ALWAYS TRIGGER before_write;
ALTER TABLE metrics_refresh_internal.incremental_view ENABLE ALWAYS TRIGGER before_write;
ALTER TABLE metrics_refresh_internal.incremental_parent ENABLE ALWAYS TRIGGER before_write;
ALTER TABLE metrics_refresh_internal.removed_default_job ENABLE ALWAYS TRIGGER remove_default;

REVOKE ALL ON FUNCTION metrics_refresh_internal.require_preload(), metrics_refresh_internal.job_before_write(),
    metrics_refresh_internal.member_before_write(), metrics_refresh_internal.capture_keys(),
    metrics_refresh_internal.job_after_write(), metrics_refresh_internal.job_take_over(),
    metrics_refresh_internal.replace_default_job(), metrics_refresh_internal.delete_members() FROM PUBLIC;

------------------------------------------------------------------------------------------------
-- State of jobs and their runs: not dumped

CREATE TABLE metrics_refresh_internal.job_state (
    job_id                bigint PRIMARY KEY,
    handled_until         timestamptz,
    last_run_id           bigint,
    last_started_at       timestamptz,
    last_finished_at      timestamptz,
    last_status           text,
    last_success_at       timestamptz,
    last_error            text,
    error_owner_oid       oid,
    consecutive_failures  integer NOT NULL DEFAULT 0,
    permanent_failures    integer NOT NULL DEFAULT 0,
    interruptions         integer NOT NULL DEFAULT 0,
    suspended_at          timestamptz,
    suspend_reason        text,
    retry_at              timestamptz,
    retry_due             timestamptz,
    retry_attempt         integer,
    CHECK (pg_catalog.num_nonnulls(retry_at, retry_due, retry_attempt) IN (0, 3))
) WITH (fillfactor = 50);
-- There is no foreign key: only runs of the job write the row, so that no transaction of a user can lock
-- it and make a run wait. cleanup_logs() removes the rows of dropped jobs.
COMMENT ON COLUMN metrics_refresh_internal.job_state.error_owner_oid IS
    'owner, in the log, of the run that last_error belongs to; only this role may see the error';
COMMENT ON TABLE metrics_refresh_internal.job_state IS 'state of each job: last run, failures, retry, suspension';

CREATE SEQUENCE metrics_refresh_internal.run_id_seq;

CREATE TABLE metrics_refresh_internal.run_log (
    run_id          bigint PRIMARY KEY DEFAULT pg_catalog.nextval('metrics_refresh_internal.run_id_seq'),
    job_id          bigint,
    job_name        text,
    group_run_id    bigint,
    view_schema     name,
    view_name       name,
    command         text,
    owner           name,
    owner_oid       oid,
    triggered_by    text NOT NULL CHECK (triggered_by IN ('schedule', 'manual', 'retry', 'dependency')),
    initiated_by    name,
    due_at          timestamptz,
    started_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    duration_ms     double precision,
    status          text NOT NULL CHECK (status IN ('running', 'success', 'error', 'skipped', 'canceled', 'interrupted')),
    strategy        text,
    strategy_reason text,
    result          text,
    notices         text,
    error_message   text,
    sqlstate        text,
    error_detail    text,
    error_hint      text,
    error_context   text,
    attempt         integer NOT NULL DEFAULT 1,
    missed          bigint NOT NULL DEFAULT 0,
    rows_total      bigint,
    rows_inserted   bigint,
    rows_updated    bigint,
    rows_deleted    bigint,
    wal_bytes       bigint,
    buffers_hit     bigint,
    buffers_read    bigint,
    cpu_ms          double precision,
    worker_pid      integer,
    adopted         jsonb,
    CHECK ((status = 'running') = (finished_at IS NULL))
) WITH (fillfactor = 85);
CREATE INDEX run_log_started_at ON metrics_refresh_internal.run_log (started_at);
CREATE INDEX run_log_job ON metrics_refresh_internal.run_log (job_id, started_at);
CREATE INDEX run_log_view ON metrics_refresh_internal.run_log (view_schema, view_name, started_at);
CREATE INDEX run_log_group ON metrics_refresh_internal.run_log (group_run_id) WHERE group_run_id IS NOT NULL;
COMMENT ON TABLE metrics_refresh_internal.run_log IS 'one row for each run, kept for metrics_refresh.log_retention';

-- Runs whose 'running' row is committed and whose outcome is not. After a crash, their log rows are closed.
CREATE TABLE metrics_refresh_internal.active_run (
    run_id bigint PRIMARY KEY,
    job_id bigint NOT NULL
);
COMMENT ON TABLE metrics_refresh_internal.active_run IS 'runs that a worker has begun and not ended';

-- The plan of an active group run: its members in the order of their dependencies.
CREATE TABLE metrics_refresh_internal.group_run_member (
    group_run_id bigint NOT NULL,
    member       integer NOT NULL,
    job_id       bigint NOT NULL,
    view_schema  name NOT NULL,
    view_name    name NOT NULL,
    view_oid     oid NOT NULL,
    waits_for    integer[] NOT NULL,
    state        text NOT NULL DEFAULT 'pending'
                 CHECK (state IN ('pending', 'running', 'success', 'failed', 'skipped', 'canceled')),
    run_id       bigint,
    PRIMARY KEY (group_run_id, member)
);
CREATE INDEX group_run_member_job ON metrics_refresh_internal.group_run_member (job_id);
CREATE INDEX group_run_member_run ON metrics_refresh_internal.group_run_member (run_id);
COMMENT ON TABLE metrics_refresh_internal.group_run_member IS 'members of active group runs';

-- The state of a view's tables at its last refresh. If it is still the same, no table has changed.
CREATE TABLE metrics_refresh_internal.view_state (
    view_oid    oid PRIMARY KEY,
    fingerprint text NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE metrics_refresh_internal.view_state IS
    'state of each view at its last refresh, to find out whether it is still fresh';
COMMENT ON COLUMN metrics_refresh_internal.view_state.fingerprint IS
    'number for the tables and all other objects that the rows of the view depend on';

-- Dumped, because a view that an audit found incorrect once is so in a copy too. The names are those of the last
-- refresh, so several rows may have the same name.
CREATE TABLE metrics_refresh_internal.skip_alarm (
    view_schema name NOT NULL,
    view_name   name NOT NULL,
    view_oid    oid NOT NULL,
    found       text NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX skip_alarm_view ON metrics_refresh_internal.skip_alarm (view_oid);
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.skip_alarm',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = view_oid)');
CREATE TRIGGER before_write BEFORE INSERT ON metrics_refresh_internal.skip_alarm
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.member_before_write();
ALTER TABLE metrics_refresh_internal.skip_alarm ENABLE ALWAYS TRIGGER before_write;
COMMENT ON TABLE metrics_refresh_internal.skip_alarm IS
    'materialized views that are no longer skipped, because an audit found incorrect rows although no known dependency had changed';

CREATE TABLE metrics_refresh_internal.run_request (
    run_id       bigint PRIMARY KEY DEFAULT pg_catalog.nextval('metrics_refresh_internal.run_id_seq'),
    job_id       bigint NOT NULL REFERENCES metrics_refresh_internal.job ON DELETE CASCADE,
    requested_by name NOT NULL,
    requested_by_oid oid NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX run_request_job ON metrics_refresh_internal.run_request (job_id);
CREATE INDEX run_request_role ON metrics_refresh_internal.run_request (requested_by_oid);
COMMENT ON TABLE metrics_refresh_internal.run_request IS 'runs that were requested and have not begun';
CREATE TRIGGER after_write AFTER INSERT OR DELETE ON metrics_refresh_internal.run_request
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.job_after_write();
ALTER TABLE metrics_refresh_internal.run_request ENABLE ALWAYS TRIGGER after_write;

------------------------------------------------------------------------------------------------
-- Storage of jobs: the rows of the job queue. Jobs are written by C code below the executor. Jobs that come from COPY
-- or INSERT are those of a restored dump or of logical replication; queue_row() decides about them.

-- Gives blocks of numbers. Each process takes numbers from the present block in shared memory.
CREATE SEQUENCE metrics_refresh_internal.queue_job_id_seq INCREMENT BY 4096;

-- A hot child is a log: its rows are never updated or deleted. If a row has ended, queue_ended has its end mark, in
-- the child of the same number. When all rows of a child have ended, both children are emptied by TRUNCATE. So no
-- transaction that holds the xmin horizon can make the hot part slow. Columns are in an order without padding.
CREATE TABLE metrics_refresh_internal.queue_hot (
    id           bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    type_id      integer NOT NULL,
    enqueued_by  oid NOT NULL,      -- 0: unknown, since the row was restored from a dump
    version      smallint NOT NULL, -- counts the rows of a job: one that moves gets a new row, and an end mark for the old one
    attempts     smallint NOT NULL, -- that have failed
    priority     smallint NOT NULL,
    crashes      smallint NOT NULL, -- of the server, while it ran
    flags        smallint NOT NULL, -- src/store/queue/job.hpp
    max_attempts smallint,          -- NULL: as its type says
    run_at       timestamptz,       -- NULL: at once
    batch        bigint,
    unique_hash  bigint,
    unique_until timestamptz,
    key          text,
    unique_key   text,
    last_error   text,
    payload      jsonb NOT NULL,
    CHECK (false) NO INHERIT        -- rows are in the children
) USING heap;
COMMENT ON TABLE metrics_refresh_internal.queue_hot IS 'jobs that can start, in a ring of children; a row with an end mark is no job any more';

CREATE TABLE metrics_refresh_internal.queue_ended (
    id      bigint NOT NULL,
    version smallint NOT NULL,
    CHECK (false) NO INHERIT
) USING heap;
COMMENT ON TABLE metrics_refresh_internal.queue_ended IS 'end marks: one for each row of queue_hot that is no job any more, in the child of the same number';

CREATE TABLE metrics_refresh_internal.queue_claim (
    id          bigint NOT NULL,
    claimed_at  timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    token       uuid NOT NULL,
    claimed_by  oid NOT NULL,
    version     smallint NOT NULL,
    attempt     smallint NOT NULL,
    worker      text,
    CHECK (false) NO INHERIT
) USING heap;
COMMENT ON TABLE metrics_refresh_internal.queue_claim IS 'claims of external workers, so that attempts and tokens outlive a crash of the server; children as in queue_ended';

-- The first columns are those of queue_hot.
CREATE TABLE metrics_refresh_internal.queue_later (
    LIKE metrics_refresh_internal.queue_hot,
    waits smallint NOT NULL, -- rows of queue_dependency in which it is the waiter
    PRIMARY KEY (id),
    -- Always true. It lets the planner leave out the table for another status of background_jobs.
    CHECK (CASE WHEN flags & 1 <> 0 THEN 'failed' ELSE 'pending' END IN ('failed', 'pending'))
) USING heap;
CREATE INDEX queue_later_due ON metrics_refresh_internal.queue_later (run_at, id) WHERE waits = 0;
CREATE INDEX queue_later_unique ON metrics_refresh_internal.queue_later (unique_hash) WHERE unique_hash IS NOT NULL;
CREATE INDEX queue_later_batch ON metrics_refresh_internal.queue_later (batch) WHERE batch IS NOT NULL;
CREATE INDEX queue_later_failed ON metrics_refresh_internal.queue_later (type_id) WHERE flags & 1 <> 0;
COMMENT ON TABLE metrics_refresh_internal.queue_later IS 'jobs that cannot start yet: run_at is in the future, or other jobs must end first';

CREATE TABLE metrics_refresh_internal.queue_stopped (
    LIKE metrics_refresh_internal.queue_hot,
    status      "char" NOT NULL CHECK (status IN ('d', 'c')), -- dead, canceled
    started_at  timestamptz,
    finished_at timestamptz NOT NULL,
    reason      text,
    PRIMARY KEY (id),
    -- Always true. It lets the planner leave out the table for another status of background_jobs.
    CHECK (CASE status WHEN 'd' THEN 'dead' ELSE 'canceled' END IN ('dead', 'canceled'))
) USING heap;
CREATE INDEX queue_stopped_type ON metrics_refresh_internal.queue_stopped (type_id, id);
CREATE INDEX queue_stopped_enqueued_by ON metrics_refresh_internal.queue_stopped (enqueued_by);
CREATE INDEX queue_stopped_crashed ON metrics_refresh_internal.queue_stopped (type_id) WHERE flags & 2 <> 0; -- for health_check()
CREATE INDEX queue_stopped_unique ON metrics_refresh_internal.queue_stopped (unique_hash) WHERE unique_hash IS NOT NULL;
COMMENT ON TABLE metrics_refresh_internal.queue_stopped IS 'dead and canceled jobs';

-- A ring over time: the oldest child is emptied by TRUNCATE.
CREATE TABLE metrics_refresh_internal.queue_history (
    id           bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    started_at   timestamptz NOT NULL,
    finished_at  timestamptz NOT NULL,
    type_id      integer NOT NULL,
    enqueued_by  oid NOT NULL,
    attempts     smallint NOT NULL,
    priority     smallint NOT NULL,
    max_attempts smallint,
    run_at       timestamptz,
    batch        bigint,
    unique_hash  bigint,
    unique_until timestamptz,
    key          text,
    unique_key   text,
    worker       text,
    result_note  text,
    payload      jsonb NOT NULL,
    CHECK (false) NO INHERIT
) USING heap;
COMMENT ON TABLE metrics_refresh_internal.queue_history IS 'completed jobs, in a ring of children by time';

CREATE TABLE metrics_refresh_internal.queue_segment (
    segment   smallint PRIMARY KEY,
    state     text NOT NULL CHECK (state IN ('free', 'current', 'sealed')),
    opened_at timestamptz,
    sealed_at timestamptz
) USING heap WITH (fillfactor = 50);
COMMENT ON TABLE metrics_refresh_internal.queue_segment IS
    'state of the children of queue_hot: new jobs go to the current one; a sealed one is emptied when its jobs have ended, and free then';

CREATE TABLE metrics_refresh_internal.queue_period (
    period    smallint PRIMARY KEY,
    state     text NOT NULL CHECK (state IN ('empty', 'current', 'closed')),
    opened_at timestamptz,
    closed_at timestamptz
) USING heap WITH (fillfactor = 50);
COMMENT ON TABLE metrics_refresh_internal.queue_period IS
    'the times of the children of queue_history: completed jobs go to the current one, and the oldest is emptied';

DO $do$
BEGIN
    FOR k IN 0..7 LOOP
        EXECUTE pg_catalog.format($$
CREATE TABLE metrics_refresh_internal.queue_hot_%1$s () INHERITS (metrics_refresh_internal.queue_hot)
    USING heap WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off);
CREATE INDEX queue_hot_%1$s_id ON metrics_refresh_internal.queue_hot_%1$s (id);
CREATE INDEX queue_hot_%1$s_unique ON metrics_refresh_internal.queue_hot_%1$s (unique_hash) WHERE unique_hash IS NOT NULL;
CREATE INDEX queue_hot_%1$s_batch ON metrics_refresh_internal.queue_hot_%1$s (batch) WHERE batch IS NOT NULL;
COMMENT ON TABLE metrics_refresh_internal.queue_hot_%1$s IS 'a child of queue_hot';
CREATE TABLE metrics_refresh_internal.queue_ended_%1$s () INHERITS (metrics_refresh_internal.queue_ended)
    USING heap WITH (autovacuum_enabled = off);
CREATE UNIQUE INDEX queue_ended_%1$s_id ON metrics_refresh_internal.queue_ended_%1$s (id, version);
COMMENT ON TABLE metrics_refresh_internal.queue_ended_%1$s IS 'the end marks of queue_hot_%1$s';
CREATE TABLE metrics_refresh_internal.queue_claim_%1$s () INHERITS (metrics_refresh_internal.queue_claim)
    USING heap WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off);
COMMENT ON TABLE metrics_refresh_internal.queue_claim_%1$s IS 'claims of rows of queue_hot_%1$s';
INSERT INTO metrics_refresh_internal.queue_segment
VALUES (%1$s, CASE %1$s WHEN 0 THEN 'current' ELSE 'free' END, CASE %1$s WHEN 0 THEN pg_catalog.now() END)
$$, k);
        PERFORM pg_catalog.pg_extension_config_dump('metrics_refresh_internal.queue_hot_' || k, pg_catalog.format(
            'WHERE NOT EXISTS (SELECT FROM metrics_refresh_internal.queue_ended_%1$s e'
            ' WHERE e.id = queue_hot_%1$s.id AND e.version = queue_hot_%1$s.version)', k));
    END LOOP;
    -- BRIN: rows are nearly in the order of both columns, and an entry covers a range of pages, so that a job costs
    -- no WAL here. minmax_multi stands jobs that ended long after their neighbors.
    FOR k IN 0..9 LOOP
        EXECUTE pg_catalog.format($$
CREATE TABLE metrics_refresh_internal.queue_history_%1$s () INHERITS (metrics_refresh_internal.queue_history)
    USING heap WITH (autovacuum_vacuum_insert_scale_factor = 100);
CREATE INDEX queue_history_%1$s_id ON metrics_refresh_internal.queue_history_%1$s
    USING brin (id int8_minmax_multi_ops, finished_at) WITH (autosummarize = on);
CREATE INDEX queue_history_%1$s_unique ON metrics_refresh_internal.queue_history_%1$s (unique_hash) WHERE unique_hash IS NOT NULL;
COMMENT ON TABLE metrics_refresh_internal.queue_history_%1$s IS 'a child of queue_history';
INSERT INTO metrics_refresh_internal.queue_period
VALUES (%1$s, CASE %1$s WHEN 0 THEN 'current' ELSE 'empty' END, CASE %1$s WHEN 0 THEN pg_catalog.now() END)
$$, k);
        -- An index of an empty table has an entry for the first pages, which each row there would change.
        PERFORM pg_catalog.brin_desummarize_range(('metrics_refresh_internal.queue_history_' || k || '_id')::pg_catalog.regclass, 0);
    END LOOP;
END $do$;

CREATE TABLE metrics_refresh_internal.queue_dependency (
    predecessor bigint NOT NULL,
    waiter      bigint NOT NULL,
    PRIMARY KEY (predecessor, waiter)
) USING heap;
CREATE INDEX queue_dependency_waiter ON metrics_refresh_internal.queue_dependency (waiter);
COMMENT ON TABLE metrics_refresh_internal.queue_dependency IS 'jobs of queue_later that wait for the end of other jobs';

-- The number of a batch is that of its callback job.
CREATE TABLE metrics_refresh_internal.queue_batch (
    id          bigint PRIMARY KEY,
    created_at  timestamptz NOT NULL,
    type_id     integer NOT NULL,
    enqueued_by oid NOT NULL,
    is_open     boolean NOT NULL,
    payload     jsonb NOT NULL
) USING heap;
COMMENT ON TABLE metrics_refresh_internal.queue_batch IS
    'batches whose jobs have not all ended, with the type and payload of the job that follows; one that is open may get more jobs';

SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.queue_later', '');
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.queue_stopped', '');
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.queue_dependency', '');
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.queue_batch', '');
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.queue_job_id_seq', '');

CREATE FUNCTION metrics_refresh_internal.queue_row() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_queue_row';
COMMENT ON FUNCTION metrics_refresh_internal.queue_row() IS
    'puts ready jobs of a restored dump into queue_later, forgets who enqueued a restored job, and discards rows and changes that are replicated';
REVOKE ALL ON FUNCTION metrics_refresh_internal.queue_row() FROM PUBLIC;

-- Row-level security is on for all these tables, so that members of pg_read_all_data see only rows that a policy
-- shows them.
DO $do$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT c.relname FROM pg_catalog.pg_class c
                WHERE c.relnamespace = 'metrics_refresh_internal'::pg_catalog.regnamespace AND c.relkind = 'r'
                  AND c.relname ~ '^queue_((hot|ended|claim|history)(_[0-9])?|later|stopped|batch|dependency|segment|period)$'
    LOOP
        EXECUTE pg_catalog.format($$
ALTER TABLE metrics_refresh_internal.%1$I ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER queue_row BEFORE INSERT OR UPDATE OR DELETE ON metrics_refresh_internal.%1$I
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.queue_row(%2$L);
ALTER TABLE metrics_refresh_internal.%1$I ENABLE ALWAYS TRIGGER queue_row
$$, name, CASE WHEN name LIKE 'queue\_hot%' THEN 'later' WHEN name ~ '^queue_(ended|claim|history)' THEN 'discard' ELSE 'keep' END);
    END LOOP;
END $do$;

------------------------------------------------------------------------------------------------
-- Row-level security: super admins see all rows, other roles their own jobs and the jobs of their views. Without USAGE
-- on the schema, the privilege to read is only useful to the views below.

ALTER TABLE metrics_refresh_internal.job ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON metrics_refresh_internal.job FOR SELECT USING (
    (SELECT metrics_refresh.is_super_admin())
    OR owner_oid IN (SELECT r.oid FROM pg_catalog.pg_roles r
                     WHERE pg_catalog.pg_has_role(r.oid, 'USAGE'))
    OR EXISTS (SELECT FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = view_schema AND c.relname = job.view_name AND c.relkind = 'm'
                 AND pg_catalog.pg_has_role(c.relowner, 'USAGE')));

ALTER TABLE metrics_refresh_internal.job_member ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON metrics_refresh_internal.job_member FOR SELECT USING (
    job_id IN (SELECT j.job_id FROM metrics_refresh_internal.job j));

ALTER TABLE metrics_refresh_internal.incremental_view ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON metrics_refresh_internal.incremental_view FOR SELECT USING (
    (SELECT metrics_refresh.is_super_admin())
    OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = view_oid
               AND pg_catalog.pg_has_role(c.relowner, 'USAGE')));

ALTER TABLE metrics_refresh_internal.skip_alarm ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON metrics_refresh_internal.skip_alarm FOR SELECT USING (
    (SELECT metrics_refresh.is_super_admin())
    OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = view_oid
               AND pg_catalog.pg_has_role(c.relowner, 'USAGE')));

ALTER TABLE metrics_refresh_internal.job_state ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON metrics_refresh_internal.job_state FOR SELECT USING (
    job_id IN (SELECT j.job_id FROM metrics_refresh_internal.job j));

ALTER TABLE metrics_refresh_internal.run_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON metrics_refresh_internal.run_request FOR SELECT USING (
    job_id IN (SELECT j.job_id FROM metrics_refresh_internal.job j));

ALTER TABLE metrics_refresh_internal.group_run_member ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON metrics_refresh_internal.group_run_member FOR SELECT USING (
    job_id IN (SELECT j.job_id FROM metrics_refresh_internal.job j));

ALTER TABLE metrics_refresh_internal.run_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON metrics_refresh_internal.run_log FOR SELECT USING (
    (SELECT metrics_refresh.is_super_admin())
    OR owner_oid IN (SELECT r.oid FROM pg_catalog.pg_roles r
                     WHERE pg_catalog.pg_has_role(r.oid, 'USAGE')));

-- Members of pg_write_all_data and pg_read_all_data have no access to the rows of these tables.
ALTER TABLE metrics_refresh_internal.removed_default_job ENABLE ROW LEVEL SECURITY;
ALTER TABLE metrics_refresh_internal.incremental_parent ENABLE ROW LEVEL SECURITY;
ALTER TABLE metrics_refresh_internal.incremental_leftover ENABLE ROW LEVEL SECURITY;
ALTER TABLE metrics_refresh_internal.active_run ENABLE ROW LEVEL SECURITY;
ALTER TABLE metrics_refresh_internal.view_state ENABLE ROW LEVEL SECURITY;

-- The views that all roles use. They have the rights of the caller, so the policies check each row before a
-- function in the caller's query sees it, like a security barrier. Without an explicit barrier, the server can plan
-- them like the table itself.

-- The owner of a view sees the jobs that refresh it, to manage them. The settings of another role's job are hidden,
-- because it may have chosen the values for an earlier view of the name.
CREATE VIEW metrics_refresh.job WITH (security_invoker = true) AS
    SELECT j.job_id, j.job_name, j.view_schema, j.view_name, j.view_oid, j.command, j.schedule,
           j.timezone, j.strategy, j.owner, j.owner_oid, j.active,
           j.max_runtime::interval AS max_runtime, j.lock_timeout::interval AS lock_timeout,
           j.on_missed, j.on_overlap, j.priority, j.max_retries,
           j.retry_delay::interval AS retry_delay, j.retry_max_delay::interval AS retry_max_delay,
           j.jitter::interval AS jitter, j.starts_at, j.ends_at, j.blackout,
           CASE WHEN (SELECT metrics_refresh.is_super_admin())
                  OR j.owner_oid IN (SELECT r.oid FROM pg_catalog.pg_roles r
                                     WHERE pg_catalog.pg_has_role(r.oid, 'USAGE'))
                THEN j.settings END AS settings,
           j.group_schema, j.isolation, j.max_parallel, j.one_time, j.is_default, j.created_at,
           j.effective_from, j.given_schema, j.given_name
    FROM metrics_refresh_internal.job j;
COMMENT ON VIEW metrics_refresh.job IS 'jobs with their schedules and options; change them with the functions';
COMMENT ON COLUMN metrics_refresh.job.job_name IS 'unique among the jobs of its owner';
COMMENT ON COLUMN metrics_refresh.job.view_name IS 'bound by name: the job survives DROP and CREATE of the view';
COMMENT ON COLUMN metrics_refresh.job.view_oid IS
    'OID of the view when last seen, so that a rename is followed; 0 if there was none';
COMMENT ON COLUMN metrics_refresh.job.given_name IS
    'name that the job was given, with given_schema, if its view was renamed since; the job returns to it when a view of that name appears again';
COMMENT ON COLUMN metrics_refresh.job.command IS 'SQL to run instead of a refresh, connected as the owner';
COMMENT ON COLUMN metrics_refresh.job.schedule IS
    'five cron fields, a nickname or an interval; NULL if the job runs only when triggered';
COMMENT ON COLUMN metrics_refresh.job.timezone IS 'NULL for the setting metrics_refresh.timezone, else UTC';
COMMENT ON COLUMN metrics_refresh.job.owner IS 'role whose rights the job has; a refresh runs as the owner of the view';
COMMENT ON COLUMN metrics_refresh.job.owner_oid IS
    'OID of the role when the row was written; 0 if the role did not exist, or no longer exists';
COMMENT ON COLUMN metrics_refresh.job.on_missed IS
    'due times that passed while no run could begin are served by one run (once) or none (skip)';
COMMENT ON COLUMN metrics_refresh.job.on_overlap IS
    'due times during a run of the job are counted (skip), or the latest is served by one run afterwards (queue_one)';
COMMENT ON COLUMN metrics_refresh.job.priority IS
    'if runs of one owner wait for a worker, the higher priority begins first; above 0, for jobs of super admins, also before those of other owners';
COMMENT ON COLUMN metrics_refresh.job.max_retries IS
    'how often a run that failed for a transient reason is tried again, until the next due time';
COMMENT ON COLUMN metrics_refresh.job.retry_delay IS
    'delay before the first retry; doubles with each retry, up to retry_max_delay';
COMMENT ON COLUMN metrics_refresh.job.jitter IS
    'each start is delayed by a part of this interval, which depends on job and due time';
COMMENT ON COLUMN metrics_refresh.job.starts_at IS 'due times before this do not count';
COMMENT ON COLUMN metrics_refresh.job.ends_at IS 'due times after this do not count';
COMMENT ON COLUMN metrics_refresh.job.blackout IS
    'windows without due times, in the job''s time zone: [days] HH:MM-HH:MM';
COMMENT ON COLUMN metrics_refresh.job.settings IS
    'settings during a run, by name: {"work_mem": "256MB"}; visible to members of the owner and super admins';
COMMENT ON COLUMN metrics_refresh.job.group_schema IS
    'for groups: the members are the materialized views of this schema; NULL if job_member lists them';
COMMENT ON COLUMN metrics_refresh.job.isolation IS
    'for groups: repeatable_read refreshes all members in one transaction on one snapshot';
COMMENT ON COLUMN metrics_refresh.job.max_parallel IS
    'for groups: number of members that are refreshed at the same time; NULL for all free workers';
COMMENT ON COLUMN metrics_refresh.job.one_time IS 'made by a function for one run, and removed when it ends';
COMMENT ON COLUMN metrics_refresh.job.is_default IS 'created with the extension';
COMMENT ON COLUMN metrics_refresh.job.effective_from IS 'due times before this do not count';

CREATE VIEW metrics_refresh.job_member WITH (security_invoker = true) AS
    SELECT * FROM metrics_refresh_internal.job_member;
COMMENT ON VIEW metrics_refresh.job_member IS
    'materialized views of the groups that have a list of views, bound by name as in job';
COMMENT ON COLUMN metrics_refresh.job_member.view_oid IS
    'OID of the view when last seen, so that a rename is followed; 0 if there was none';
COMMENT ON COLUMN metrics_refresh.job_member.given_name IS 'as in job';

CREATE VIEW metrics_refresh.job_state WITH (security_invoker = true) AS
    SELECT s.job_id, s.handled_until, s.last_run_id, s.last_started_at, s.last_finished_at,
           s.last_status, s.last_success_at, CASE WHEN e.may_see THEN s.last_error END AS last_error,
           s.consecutive_failures, s.permanent_failures, s.interruptions, s.suspended_at,
           CASE WHEN e.may_see THEN s.suspend_reason END AS suspend_reason,
           s.retry_at, s.retry_due, s.retry_attempt
    FROM metrics_refresh_internal.job_state s
    -- As in the log: when the job failed, it or its view may have belonged to another role.
    CROSS JOIN LATERAL (
        SELECT (SELECT metrics_refresh.is_super_admin())
               OR s.error_owner_oid IN (SELECT r.oid FROM pg_catalog.pg_roles r
                                        WHERE pg_catalog.pg_has_role(r.oid, 'USAGE')) AS may_see) e;
COMMENT ON VIEW metrics_refresh.job_state IS 'state of each job: last run, failures, retry, suspension';
COMMENT ON COLUMN metrics_refresh.job_state.suspended_at IS
    'the job is suspended if this is later than its effective_from';
COMMENT ON COLUMN metrics_refresh.job_state.handled_until IS 'due times up to this one were served or missed';
COMMENT ON COLUMN metrics_refresh.job_state.interruptions IS
    'runs in a row that were interrupted because their worker ended';
COMMENT ON COLUMN metrics_refresh.job_state.retry_at IS
    'time of the next try, for the due time retry_due and with the number retry_attempt';
COMMENT ON COLUMN metrics_refresh.job_state.permanent_failures IS 'failures in a row that were not transient';

CREATE VIEW metrics_refresh.run_log WITH (security_invoker = true) AS
    SELECT * FROM metrics_refresh_internal.run_log;
COMMENT ON VIEW metrics_refresh.run_log IS 'one row for each run, kept for metrics_refresh.log_retention';
COMMENT ON COLUMN metrics_refresh.run_log.group_run_id IS
    'for the run of a member: the run of its group; job_id is then NULL';
COMMENT ON COLUMN metrics_refresh.run_log.attempt IS '1 for the first try, and one more for each retry';
COMMENT ON COLUMN metrics_refresh.run_log.owner IS 'owner of the view or of the command';
COMMENT ON COLUMN metrics_refresh.run_log.initiated_by IS 'role that requested a manual run';
COMMENT ON COLUMN metrics_refresh.run_log.due_at IS 'when the run should have started';
COMMENT ON COLUMN metrics_refresh.run_log.duration_ms IS 'from started_at to finished_at, in milliseconds';
COMMENT ON COLUMN metrics_refresh.run_log.strategy IS
    'skip, incremental, diff, concurrently, full, or command; group for the run of a group';
COMMENT ON COLUMN metrics_refresh.run_log.result IS
    'for a command that succeeded: the command tags, for example DELETE 5; VACUUM';
COMMENT ON COLUMN metrics_refresh.run_log.notices IS 'for a command: notices and warnings for a client, up to 8 kB';
COMMENT ON COLUMN metrics_refresh.run_log.missed IS 'due times of the job during the run';
COMMENT ON COLUMN metrics_refresh.run_log.rows_total IS
    'rows in the view after the run, or rows that the command processed';
COMMENT ON COLUMN metrics_refresh.run_log.rows_inserted IS
    'rows added to the view; this and the next two columns only for the strategies diff and incremental';
COMMENT ON COLUMN metrics_refresh.run_log.rows_updated IS 'rows replaced by a new version';
COMMENT ON COLUMN metrics_refresh.run_log.rows_deleted IS 'rows removed from the view';
COMMENT ON COLUMN metrics_refresh.run_log.wal_bytes IS 'WAL that the process of the run generated';
COMMENT ON COLUMN metrics_refresh.run_log.cpu_ms IS
    'CPU time of the process of the run, user and system, in milliseconds';

COMMENT ON COLUMN metrics_refresh.run_log.adopted IS
    'for rows that adopt_platform_metrics() copied from a hand-written log: all columns of that log, as text';

CREATE VIEW metrics_refresh.run_request WITH (security_invoker = true) AS
    SELECT * FROM metrics_refresh_internal.run_request;
COMMENT ON VIEW metrics_refresh.run_request IS 'runs that were requested and have not begun';

CREATE VIEW metrics_refresh.group_run_member WITH (security_invoker = true) AS
    SELECT * FROM metrics_refresh_internal.group_run_member;
COMMENT ON VIEW metrics_refresh.group_run_member IS 'members of active group runs';
COMMENT ON COLUMN metrics_refresh.group_run_member.waits_for IS 'numbers of the members that must succeed first';

CREATE VIEW metrics_refresh.incremental_view WITH (security_invoker = true) AS
    SELECT id, view_schema, view_name, view_oid, fingerprint, refreshed_as_of, rows_total,
           runs_since_audit, demoted, demoted_at, uncaptured
    FROM metrics_refresh_internal.incremental_view;
COMMENT ON VIEW metrics_refresh.incremental_view IS
    'materialized views that are set up for the strategy incremental, with the state for their next refresh';
COMMENT ON COLUMN metrics_refresh.incremental_view.fingerprint IS
    'number for the definition, its triggers and delta tables at the last refresh; if it has changed, the next refresh compares all rows';
COMMENT ON COLUMN metrics_refresh.incremental_view.uncaptured IS
    'number for the changes of tables past their triggers, and of the view''s own rows, until the last refresh; if it has changed, the next refresh compares all rows';
COMMENT ON COLUMN metrics_refresh.incremental_view.refreshed_as_of IS 'value of now() in the last refresh';
COMMENT ON COLUMN metrics_refresh.incremental_view.demoted IS
    'difference that an audit found, because of which the view is refreshed with diff until its strategy is set again';

CREATE VIEW metrics_refresh.skip_alarm WITH (security_invoker = true) AS
    SELECT view_schema, view_name, view_oid, found, found_at FROM metrics_refresh_internal.skip_alarm;
COMMENT ON VIEW metrics_refresh.skip_alarm IS
    'materialized views that are no longer skipped, until the strategy of one of their jobs is set again';
COMMENT ON COLUMN metrics_refresh.skip_alarm.view_name IS 'name of the view at its last refresh';
COMMENT ON COLUMN metrics_refresh.skip_alarm.view_oid IS 'OID of the view; 0 if a restore did not find it';
COMMENT ON COLUMN metrics_refresh.skip_alarm.found IS 'difference that an audit found';

------------------------------------------------------------------------------------------------
-- Schedules

CREATE FUNCTION metrics_refresh.next_runs(schedule text, count integer DEFAULT 5,
                                          after timestamptz DEFAULT now(),
                                          timezone text DEFAULT NULL,
                                          job_name text DEFAULT NULL)
    RETURNS SETOF timestamptz
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'mr_next_runs';
COMMENT ON FUNCTION metrics_refresh.next_runs(text, integer, timestamptz, text, text) IS
    'returns the next count (at most 10000) due times of a schedule after a time, up to the year 9999; H has the values of the job with this name, @after counts from that time; 22023 if the schedule or time zone is not valid';

CREATE FUNCTION metrics_refresh.describe_schedule(schedule text, job_name text DEFAULT NULL)
    RETURNS text
    LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'mr_describe_schedule';
COMMENT ON FUNCTION metrics_refresh.describe_schedule(text, text) IS
    'describes a schedule in English, with the values of H in the job of this name; times with "every" follow the clock when an hour is repeated or left out, others are fixed, unless the text says otherwise; 22023 if the schedule is not valid';

CREATE FUNCTION metrics_refresh.validate_schedule(schedule text, job_name text DEFAULT NULL)
    RETURNS TABLE (valid boolean, error text, "position" integer, hint text)
    LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'mr_validate_schedule';
COMMENT ON FUNCTION metrics_refresh.validate_schedule(text, text) IS
    'checks a schedule and returns the error, its position and a hint instead of raising it; for a valid schedule, the hint says if a step is longer than its range and leaves only the first value (5-6/2)';

CREATE FUNCTION metrics_refresh.next_due(schedule text, timezone text DEFAULT NULL,
                                         starts_at timestamptz DEFAULT NULL,
                                         ends_at timestamptz DEFAULT NULL,
                                         blackout text[] DEFAULT NULL,
                                         after timestamptz DEFAULT now(),
                                         job_name text DEFAULT NULL,
                                         last_end timestamptz DEFAULT NULL)
    RETURNS timestamptz
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'mr_next_due';
COMMENT ON FUNCTION metrics_refresh.next_due(text, text, timestamptz, timestamptz, text[], timestamptz, text, timestamptz) IS
    'returns the first due time after a time, within start and end and outside of blackout windows, or NULL if there is none; H has the values of the job with this name, @after counts from last_end; 22023 if the schedule, time zone or a window is not valid';

------------------------------------------------------------------------------------------------
-- Jobs

-- The options have the names and the defaults of the columns of the table job. The code reads them by name.
DO $do$
DECLARE
    -- Each column as a parameter with its default.
    option constant pg_catalog.jsonb := (
        SELECT pg_catalog.jsonb_object_agg(a.attname, pg_catalog.format('%I %s DEFAULT %s', a.attname,
            CASE t.typtype WHEN 'd' THEN 'interval' ELSE pg_catalog.format_type(t.oid, NULL) END,
            coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), 'NULL')))
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = 'metrics_refresh_internal.job'::regclass AND a.attnum > 0);
    -- The options of all kinds of jobs.
    common constant pg_catalog.text := (
        SELECT pg_catalog.string_agg(option ->> c.name, ', ' ORDER BY c.place)
        FROM pg_catalog.unnest('{active,max_runtime,lock_timeout,on_missed,on_overlap,priority,max_retries,retry_delay,
            retry_max_delay,jitter,starts_at,ends_at,blackout,settings}'::pg_catalog.text[])
            WITH ORDINALITY c (name, place));
BEGIN
    EXECUTE pg_catalog.format($$CREATE FUNCTION metrics_refresh.schedule(
            view_name regclass, schedule text DEFAULT NULL, job_name text DEFAULT NULL,
            timezone text DEFAULT NULL, %s, %s, owner name DEFAULT NULL)
        RETURNS bigint
        LANGUAGE c AS 'MODULE_PATHNAME', 'mr_schedule'$$, option ->> 'strategy', common);
    EXECUTE pg_catalog.format($$CREATE FUNCTION metrics_refresh.schedule_command(
            job_name text, schedule text, command text, timezone text DEFAULT NULL, %s,
            owner name DEFAULT NULL)
        RETURNS bigint
        LANGUAGE c AS 'MODULE_PATHNAME', 'mr_schedule_command'$$, common);
    EXECUTE pg_catalog.format($$CREATE FUNCTION metrics_refresh.schedule_group(
            group_name text, views regclass[] DEFAULT NULL, schema_name text DEFAULT NULL,
            schedule text DEFAULT NULL, timezone text DEFAULT NULL, %s,
            max_parallel integer DEFAULT NULL, %s, %s,
            populate boolean DEFAULT true, owner name DEFAULT NULL)
        RETURNS bigint
        LANGUAGE c AS 'MODULE_PATHNAME', 'mr_schedule_group'$$,
        option ->> 'isolation', option ->> 'strategy', common);
END $do$;
COMMENT ON FUNCTION metrics_refresh.schedule IS
    'makes a job that refreshes a materialized view on a schedule, or replaces the job of the same name (default: schema.view); returns its job_id; for the owner of the view and super admins, who may also choose the owner of the job';

COMMENT ON FUNCTION metrics_refresh.schedule_command IS
    'makes a job that runs SQL on a schedule, as in a client of the caller, or replaces the job of the same name; several statements are one transaction, unless they contain BEGIN and COMMIT; returns its job_id; for superusers and roles with EXECUTE on this function; a super admin may choose another owner whose rights the super admin has';
-- A role that may schedule commands can use the workers of the cluster at any time.
REVOKE ALL ON FUNCTION metrics_refresh.schedule_command FROM PUBLIC;

COMMENT ON FUNCTION metrics_refresh.schedule_group IS
    'makes a job that refreshes a list of materialized views, or the views of a schema, in the order of their dependencies, or replaces the job of the same name; if a view has never been populated, a run begins at once; returns the job_id; for roles that may refresh each view';

CREATE FUNCTION metrics_refresh.alter_job(
        job_name text, schedule text DEFAULT NULL, timezone text DEFAULT NULL,
        active boolean DEFAULT NULL, strategy text DEFAULT NULL, max_runtime interval DEFAULT NULL,
        lock_timeout interval DEFAULT NULL, on_missed text DEFAULT NULL, owner name DEFAULT NULL,
        on_overlap text DEFAULT NULL, priority integer DEFAULT NULL,
        max_retries integer DEFAULT NULL, retry_delay interval DEFAULT NULL,
        retry_max_delay interval DEFAULT NULL, jitter interval DEFAULT NULL,
        starts_at timestamptz DEFAULT NULL, ends_at timestamptz DEFAULT NULL,
        blackout text[] DEFAULT NULL, settings jsonb DEFAULT NULL, isolation text DEFAULT NULL,
        max_parallel integer DEFAULT NULL, command text DEFAULT NULL)
    RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_alter_job';
COMMENT ON FUNCTION metrics_refresh.alter_job IS
    'changes the options that are not NULL; infinity removes starts_at and ends_at, an empty value removes blackout and settings, 0 removes max_parallel; only a super admin may change the owner; a caller who changes the command needs EXECUTE on schedule_command and becomes the owner';

CREATE FUNCTION metrics_refresh.unschedule(job_name text) RETURNS boolean
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_unschedule';
COMMENT ON FUNCTION metrics_refresh.unschedule(text) IS
    'removes a job, but not its log; if there is no such job, returns false with a notice; an active run continues';

CREATE FUNCTION metrics_refresh.note_missing_job(job_name text) RETURNS void
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'mr_note_missing_job';
COMMENT ON FUNCTION metrics_refresh.note_missing_job(text) IS
    'raises a notice that there is no such job, with the likely one; for functions that return nothing in this case';

CREATE FUNCTION metrics_refresh.pause(job_name text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_pause';
COMMENT ON FUNCTION metrics_refresh.pause(text) IS 'stops scheduled runs of a job until resume()';

CREATE FUNCTION metrics_refresh.resume(job_name text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_resume';
COMMENT ON FUNCTION metrics_refresh.resume(text) IS
    'ends a pause or a suspension; due times that have passed meanwhile do not count';

------------------------------------------------------------------------------------------------
-- Job types: the kinds of background jobs. Configuration, dumped by pg_dump

CREATE SEQUENCE metrics_refresh_internal.job_type_id_seq AS integer;

-- Names are compared byte by byte, so that no version of a collation can change their order in the index.
CREATE TABLE metrics_refresh_internal.job_type (
    id             integer PRIMARY KEY DEFAULT pg_catalog.nextval('metrics_refresh_internal.job_type_id_seq'),
    name           text COLLATE "C" NOT NULL CONSTRAINT job_type_name UNIQUE
                   CONSTRAINT job_type_name_length CHECK (pg_catalog.octet_length(name) BETWEEN 1 AND 200),
    handler_schema name,
    handler_name   name,
    passes_id      boolean NOT NULL DEFAULT false,
    handler_oid    oid NOT NULL DEFAULT 0,
    handler_owner  name,
    handler_owner_oid oid NOT NULL DEFAULT 0,
    mode           text NOT NULL DEFAULT 'exactly_once' CHECK (mode IN ('exactly_once', 'grouped', 'external')),
    owner          name NOT NULL,
    owner_oid      oid NOT NULL,
    owner_gone     boolean NOT NULL DEFAULT false,
    max_attempts   integer NOT NULL DEFAULT 5 CHECK (max_attempts BETWEEN 1 AND 1000),
    backoff        metrics_refresh_internal.span NOT NULL DEFAULT '10 seconds',
    max_backoff    metrics_refresh_internal.span NOT NULL DEFAULT '1 hour',
    timeout        metrics_refresh_internal.positive_span NOT NULL DEFAULT '5 minutes',
    concurrency    integer CHECK (concurrency BETWEEN 1 AND 1000000),
    concurrency_per_key integer CHECK (concurrency_per_key BETWEEN 1 AND 1000000),
    rate_limit     integer CHECK (rate_limit BETWEEN 1 AND 1000000000),
    rate_period    metrics_refresh_internal.positive_span NOT NULL DEFAULT '1 second',
    priority       integer NOT NULL DEFAULT 0 CHECK (priority BETWEEN -100 AND 100),
    paused         boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (pg_catalog.num_nonnulls(handler_schema, handler_name, handler_owner) = CASE mode WHEN 'external' THEN 0 ELSE 3 END)
);
CREATE INDEX job_type_owner ON metrics_refresh_internal.job_type (owner_oid);
COMMENT ON TABLE metrics_refresh_internal.job_type IS
    'types of background jobs with their handlers and options; change them with the functions';
COMMENT ON COLUMN metrics_refresh_internal.job_type.handler_owner IS
    'owner of the handler when it was bound; a new function of its name is used only if it belongs to this role, or to one with the rights of the type''s owner';

-- A dump contains names of roles, as for job.
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.job_type', $$WHERE owner_gone
    OR owner = (SELECT rolname FROM pg_catalog.pg_roles WHERE oid = owner_oid)
    OR owner_oid = '0'::pg_catalog.oid AND owner NOT IN (SELECT rolname FROM pg_catalog.pg_roles)$$);
SELECT pg_catalog.pg_extension_config_dump('metrics_refresh_internal.job_type_id_seq', '');

CREATE FUNCTION metrics_refresh_internal.job_type_before_write() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_job_type_before_write';
COMMENT ON FUNCTION metrics_refresh_internal.job_type_before_write() IS
    'stores the role and the handler that the names in a row refer to';
CREATE TRIGGER before_write BEFORE INSERT OR UPDATE ON metrics_refresh_internal.job_type
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.job_type_before_write();
CREATE FUNCTION metrics_refresh_internal.job_type_after_write() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_job_type_after_write';
COMMENT ON FUNCTION metrics_refresh_internal.job_type_after_write() IS
    'tells the scheduler and all sessions at commit that job types changed';
CREATE TRIGGER after_write AFTER INSERT OR UPDATE OR DELETE ON metrics_refresh_internal.job_type
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.job_type_after_write();
CREATE TRIGGER after_truncate AFTER TRUNCATE ON metrics_refresh_internal.job_type
    FOR EACH STATEMENT EXECUTE FUNCTION metrics_refresh_internal.job_type_after_write();
ALTER TABLE metrics_refresh_internal.job_type ENABLE ALWAYS TRIGGER before_write;
ALTER TABLE metrics_refresh_internal.job_type ENABLE ALWAYS TRIGGER after_write;
ALTER TABLE metrics_refresh_internal.job_type ENABLE ALWAYS TRIGGER after_truncate;
REVOKE ALL ON FUNCTION metrics_refresh_internal.job_type_before_write(),
    metrics_refresh_internal.job_type_after_write() FROM PUBLIC;

-- The other policies of the queue ask this table which types the caller may manage.
ALTER TABLE metrics_refresh_internal.job_type ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON metrics_refresh_internal.job_type FOR SELECT USING (
    (SELECT metrics_refresh.is_super_admin())
    OR owner_oid IN (SELECT r.oid FROM pg_catalog.pg_roles r
                     WHERE pg_catalog.pg_has_role(r.oid, 'USAGE')));

CREATE VIEW metrics_refresh.job_types WITH (security_invoker = true) AS
    SELECT t.name AS type, t.mode,
           pg_catalog.quote_ident(t.handler_schema) || '.' || pg_catalog.quote_ident(t.handler_name)
               || CASE WHEN t.passes_id THEN '(bigint, jsonb)' ELSE '(jsonb)' END AS handler,
           t.owner, t.paused, t.max_attempts, t.backoff::interval AS backoff,
           t.max_backoff::interval AS max_backoff, t.timeout::interval AS timeout, t.concurrency,
           t.concurrency_per_key, t.rate_limit, t.rate_period::interval AS rate_period, t.priority,
           t.id AS type_id, t.created_at
    FROM metrics_refresh_internal.job_type t;
COMMENT ON VIEW metrics_refresh.job_types IS 'types of background jobs with their options';
COMMENT ON COLUMN metrics_refresh.job_types.mode IS
    'exactly_once, grouped (several short jobs in one transaction), or external (claimed by clients)';
COMMENT ON COLUMN metrics_refresh.job_types.handler IS
    'function that runs a job of the type, connected as the owner; bound by name, so that it may be dropped and created again';
COMMENT ON COLUMN metrics_refresh.job_types.backoff IS
    'delay after the first failed attempt of a job; doubles with each attempt, up to max_backoff';
COMMENT ON COLUMN metrics_refresh.job_types.timeout IS 'an attempt that takes longer is ended and fails';
COMMENT ON COLUMN metrics_refresh.job_types.concurrency IS 'jobs of the type that run at a time; NULL for no limit';
COMMENT ON COLUMN metrics_refresh.job_types.concurrency_per_key IS
    'jobs with the same key that run at a time; NULL for no limit';
COMMENT ON COLUMN metrics_refresh.job_types.rate_limit IS
    'starts in any time of the length rate_period; NULL for no limit';
COMMENT ON COLUMN metrics_refresh.job_types.priority IS 'priority of jobs that are enqueued without one';
COMMENT ON COLUMN metrics_refresh.job_types.type_id IS 'number of the type in notifications';

-- The options have the names and the defaults of the columns. The code reads them by name.
DO $do$
DECLARE
    options constant pg_catalog.text := (
        SELECT pg_catalog.string_agg(pg_catalog.format('%I %s DEFAULT %s', a.attname,
                   CASE t.typtype WHEN 'd' THEN 'interval' ELSE pg_catalog.format_type(t.oid, NULL) END,
                   coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), 'NULL')), ', ' ORDER BY c.place)
        FROM pg_catalog.unnest('{max_attempts,backoff,max_backoff,timeout,concurrency,concurrency_per_key,rate_limit,
            rate_period,priority,mode}'::pg_catalog.text[]) WITH ORDINALITY c (name, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = 'metrics_refresh_internal.job_type'::regclass AND a.attname = c.name
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum);
BEGIN
    EXECUTE pg_catalog.format($$CREATE FUNCTION metrics_refresh.register_job_type(
            type text, handler regprocedure DEFAULT NULL, %s, owner name DEFAULT NULL)
        RETURNS void
        LANGUAGE c AS 'MODULE_PATHNAME', 'mr_register_job_type'$$, options);
END $do$;
COMMENT ON FUNCTION metrics_refresh.register_job_type IS
    'makes a type of background jobs, or replaces the options of the type with this name; the handler is a function of (payload jsonb) or (job_id bigint, payload jsonb) and runs connected as the owner of the type, with the payload of any role that may enqueue; 42P13 if it has another form; for all roles; a super admin may choose another owner whose rights the super admin has';

CREATE FUNCTION metrics_refresh.alter_job_type(
        type text, handler regprocedure DEFAULT NULL, max_attempts integer DEFAULT NULL,
        backoff interval DEFAULT NULL, max_backoff interval DEFAULT NULL, timeout interval DEFAULT NULL,
        concurrency integer DEFAULT NULL, concurrency_per_key integer DEFAULT NULL,
        rate_limit integer DEFAULT NULL, rate_period interval DEFAULT NULL,
        priority integer DEFAULT NULL, mode text DEFAULT NULL, owner name DEFAULT NULL)
    RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_alter_job_type';
COMMENT ON FUNCTION metrics_refresh.alter_job_type IS
    'changes the options that are not NULL; 0 removes a limit; who changes the handler, the mode or the owner needs the rights of the owner, and only a super admin may change the owner; for the owner of the type and super admins';

CREATE FUNCTION metrics_refresh.pause_job_type(type text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_pause_job_type';
COMMENT ON FUNCTION metrics_refresh.pause_job_type(text) IS
    'starts no more jobs of a type until resume_job_type(); running jobs go on, and jobs can be enqueued; for the owner of the type and super admins';

CREATE FUNCTION metrics_refresh.resume_job_type(type text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_resume_job_type';
COMMENT ON FUNCTION metrics_refresh.resume_job_type(text) IS 'ends a pause of a type; for the owner of the type and super admins';

CREATE FUNCTION metrics_refresh.drop_job_type(type text) RETURNS boolean
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_drop_job_type';
COMMENT ON FUNCTION metrics_refresh.drop_job_type(text) IS
    'removes a type; 55006 if it has jobs that have not ended; if there is no such type, returns false with a notice; for the owner of the type and super admins';

------------------------------------------------------------------------------------------------
-- The API of the queue. A role needs EXECUTE on enqueue() and the like, which no role has, and EXECUTE on the handler
-- of the type, as for calling the handler itself.

CREATE FUNCTION metrics_refresh.enqueue(
        type text, payload jsonb DEFAULT '{}', priority integer DEFAULT NULL,
        run_at timestamptz DEFAULT NULL, delay interval DEFAULT NULL, unique_key text DEFAULT NULL,
        unique_for interval DEFAULT NULL,
        unique_states text[] DEFAULT '{pending,processing,failed}', key text DEFAULT NULL,
        after bigint[] DEFAULT NULL, batch bigint DEFAULT NULL, max_attempts integer DEFAULT NULL)
    RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_enqueue';
COMMENT ON FUNCTION metrics_refresh.enqueue IS
    'adds a background job, which can start when this transaction has committed, or later: at run_at, after a delay, or after other jobs have ended; returns its number; if a job with the same unique key is in one of the states, or was added with unique_for and the period goes on, returns the number of that job with a notice; 42704 if there is no such type or batch, 53400 if the owner of the type would have more open jobs than max_queued_jobs_per_role; for roles with EXECUTE on this function and on the handler of the type';
REVOKE ALL ON FUNCTION metrics_refresh.enqueue FROM PUBLIC;

CREATE FUNCTION metrics_refresh.enqueue_many(
        type text, payloads jsonb[], priority integer DEFAULT NULL, run_at timestamptz DEFAULT NULL,
        delay interval DEFAULT NULL, keys text[] DEFAULT NULL, unique_keys text[] DEFAULT NULL,
        unique_for interval DEFAULT NULL,
        unique_states text[] DEFAULT '{pending,processing,failed}', after bigint[] DEFAULT NULL,
        batch bigint DEFAULT NULL, max_attempts integer DEFAULT NULL)
    RETURNS TABLE (job_id bigint, duplicate boolean)
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_enqueue_many';
COMMENT ON FUNCTION metrics_refresh.enqueue_many IS
    'adds a job for each payload and returns their numbers in the same order; keys and unique_keys have one element for each payload; duplicate is true for the number of an earlier job with the same unique key; other options and rights as for enqueue()';
REVOKE ALL ON FUNCTION metrics_refresh.enqueue_many FROM PUBLIC;

CREATE FUNCTION metrics_refresh.create_batch(callback_type text, callback_payload jsonb DEFAULT '{}',
                                             open boolean DEFAULT false)
    RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_create_batch';
COMMENT ON FUNCTION metrics_refresh.create_batch IS
    'makes a batch, to which enqueue() adds jobs, and returns its number; when the last job has ended, a job of the type callback_type is added, whose number is that of the batch; takes jobs in this transaction only, or until close_batch() if open is true, and always from its own running jobs; rights as for enqueue()';
REVOKE ALL ON FUNCTION metrics_refresh.create_batch FROM PUBLIC;

CREATE FUNCTION metrics_refresh.close_batch(batch bigint) RETURNS boolean
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_close_batch';
COMMENT ON FUNCTION metrics_refresh.close_batch(bigint) IS
    'closes an open batch, so that it can end; returns false if it was closed before, 42704 if it does not exist or has ended; for the role that has made it';
REVOKE ALL ON FUNCTION metrics_refresh.close_batch FROM PUBLIC;

-- External workers. The token that claim_jobs() returns proves the claim in all other calls.

CREATE FUNCTION metrics_refresh.claim_jobs(types text[], n integer DEFAULT 1, lease interval DEFAULT '1 minute',
                                           worker text DEFAULT NULL, wait interval DEFAULT NULL)
    RETURNS TABLE (id bigint, type text, payload jsonb, attempt integer, token text, lease_until timestamptz)
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_claim_jobs';
COMMENT ON FUNCTION metrics_refresh.claim_jobs IS
    'gives up to n ready jobs of these types, whose mode is external, to an external worker; they are its own until the lease ends, at most one day later; with wait, waits up to 60 seconds until there are some; 53400 if memory has no room for more claims; for members of the owner of the types';

CREATE FUNCTION metrics_refresh.heartbeat_jobs(ids bigint[], tokens text[], lease interval DEFAULT '1 minute')
    RETURNS TABLE (id bigint, result text)
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_heartbeat_jobs';
COMMENT ON FUNCTION metrics_refresh.heartbeat_jobs IS
    'lets the leases of claimed jobs end that long from now, even if the transaction is rolled back; result is done, or stale if the worker has lost the job or is no member of the owner of its type';

CREATE FUNCTION metrics_refresh.complete_jobs(ids bigint[], tokens text[], results jsonb[] DEFAULT NULL)
    RETURNS TABLE (id bigint, result text)
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_complete_jobs';
COMMENT ON FUNCTION metrics_refresh.complete_jobs IS
    'ends claimed jobs as completed, each with its result; result is done, or stale if the worker has lost the job, which is then unchanged';

CREATE FUNCTION metrics_refresh.fail_job(job_id bigint, token text, message text DEFAULT NULL,
                                         permanent boolean DEFAULT false, retry_in interval DEFAULT NULL)
    RETURNS TABLE (id bigint, result text)
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_fail_job';
COMMENT ON FUNCTION metrics_refresh.fail_job IS
    'ends the attempt of a claimed job as failed; the job starts again after the backoff of its type, or after retry_in, and is dead after its last attempt or if permanent is true; result is done, or stale if the worker has lost the job, which is then unchanged';

CREATE FUNCTION metrics_refresh.fail_jobs(ids bigint[], tokens text[], messages text[] DEFAULT NULL)
    RETURNS TABLE (id bigint, result text)
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_fail_jobs';
COMMENT ON FUNCTION metrics_refresh.fail_jobs IS
    'ends the attempts of claimed jobs as failed, each with its message, as fail_job() does';

CREATE FUNCTION metrics_refresh.release_jobs(ids bigint[], tokens text[])
    RETURNS TABLE (id bigint, result text)
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_release_jobs';
COMMENT ON FUNCTION metrics_refresh.release_jobs IS
    'gives claimed jobs back, so that other workers can claim them at once; the attempt does not count; result is done, or stale if the worker has lost the job';

-- Row-level security of the queue: the role that has enqueued a job sees it, and so do the owner of its type and super
-- admins. Rows are read through the parents, whose policies decide. An end mark is only a number of a job: a policy that
-- looked for the job would make each read of background_jobs do so for each mark.
DO $do$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{queue_hot,queue_later,queue_stopped,queue_history}'::pg_catalog.text[] LOOP
        EXECUTE pg_catalog.format($$CREATE POLICY visible ON metrics_refresh_internal.%I FOR SELECT USING (
            type_id IN (SELECT t.id FROM metrics_refresh_internal.job_type t)
            OR (SELECT metrics_refresh.is_super_admin())
            OR enqueued_by IN (SELECT r.oid FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(r.oid, 'USAGE')))$$, name);
    END LOOP;
END $do$;
CREATE POLICY visible ON metrics_refresh_internal.queue_ended FOR SELECT USING (true);

-- A role sees its own jobs, and so the names of their types. This view has the rights of its owner. Besides the views
-- below, only members of pg_read_all_data and pg_write_all_data can name it, because they have USAGE on its schema.
CREATE VIEW metrics_refresh_internal.named_job_type AS
    SELECT t.id, t.name, t.owner, t.max_attempts::integer AS max_attempts FROM metrics_refresh_internal.job_type t;
COMMENT ON VIEW metrics_refresh_internal.named_job_type IS 'names of all job types, for the jobs that a role sees';

CREATE FUNCTION metrics_refresh_internal.queue_claims(OUT job_id bigint, OUT worker text, OUT started_at timestamptz,
                                                      OUT progress_done bigint, OUT progress_total bigint, OUT progress_note text)
    RETURNS SETOF record
    LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 20 AS 'MODULE_PATHNAME', 'mr_queue_claims';
COMMENT ON FUNCTION metrics_refresh_internal.queue_claims() IS
    'running jobs with their workers: the process ID, or the name that an external worker has given; worker and note are NULL if the caller may not manage the type';

-- The branches have the status as a constant, so that a condition on it leaves out the others. Without the barrier, a
-- condition could see the rows of named_job_type and queue_claims() before they are joined with jobs that the caller sees.
CREATE VIEW @extschema@.background_jobs WITH (security_invoker = true, security_barrier = true) AS
    SELECT j.id, t.name::pg_catalog.text AS type, j.payload, j.status, j.priority, j.run_at, j.attempts,
           coalesce(j.max_attempts::integer, t.max_attempts) AS max_attempts,
           CASE WHEN j.type_id IN (SELECT m.id FROM metrics_refresh_internal.job_type m) THEN j.last_error END AS last_error,
           j.unique_key, j.key, j.batch, j.created_at, j.started_at, j.finished_at,
           pg_catalog.pg_get_userbyid(nullif(j.enqueued_by, '0'::pg_catalog.oid)) AS enqueued_by, t.owner,
           CASE WHEN j.type_id IN (SELECT m.id FROM metrics_refresh_internal.job_type m) THEN j.worker END AS worker,
           j.progress_done, j.progress_total,
           CASE WHEN j.type_id IN (SELECT m.id FROM metrics_refresh_internal.job_type m) THEN j.progress_note END AS progress_note
    FROM (
        SELECT h.id, h.type_id, h.payload,
               CASE WHEN c.job_id IS NOT NULL THEN 'processing' WHEN h.flags & 1 <> 0 THEN 'failed' ELSE 'pending' END AS status,
               h.priority::pg_catalog.int4 AS priority, coalesce(h.run_at, h.created_at) AS run_at,
               h.attempts::pg_catalog.int4 + (c.job_id IS NOT NULL)::pg_catalog.int4 AS attempts, h.max_attempts,
               h.last_error, h.unique_key, h.key, h.batch, h.created_at, c.started_at,
               NULL::pg_catalog.timestamptz AS finished_at, h.enqueued_by, c.worker, c.progress_done, c.progress_total,
               c.progress_note
        FROM metrics_refresh_internal.queue_hot h
        LEFT JOIN metrics_refresh_internal.queue_claims() c ON c.job_id = h.id
        WHERE NOT EXISTS (SELECT FROM metrics_refresh_internal.queue_ended e WHERE e.id = h.id AND e.version = h.version)
        UNION ALL
        SELECT l.id, l.type_id, l.payload, CASE WHEN l.flags & 1 <> 0 THEN 'failed' ELSE 'pending' END,
               l.priority::pg_catalog.int4,
               -- The least time marks a job that ran when the server crashed, and starts before all others.
               coalesce(nullif(l.run_at, '4714-11-24 00:00:00+00 BC'), l.created_at), l.attempts::pg_catalog.int4, l.max_attempts, l.last_error, l.unique_key,
               l.key, l.batch, l.created_at, NULL, NULL, l.enqueued_by, NULL, NULL, NULL, NULL
        FROM metrics_refresh_internal.queue_later l
        UNION ALL
        SELECT s.id, s.type_id, s.payload, CASE s.status WHEN 'd' THEN 'dead' ELSE 'canceled' END,
               s.priority::pg_catalog.int4, coalesce(s.run_at, s.created_at), s.attempts::pg_catalog.int4, s.max_attempts,
               coalesce(s.last_error, s.reason), s.unique_key, s.key, s.batch, s.created_at, s.started_at, s.finished_at,
               s.enqueued_by, NULL, NULL, NULL, NULL
        FROM metrics_refresh_internal.queue_stopped s
        UNION ALL
        SELECT d.id, d.type_id, d.payload, 'completed', d.priority::pg_catalog.int4, coalesce(d.run_at, d.created_at),
               d.attempts::pg_catalog.int4 + 1, d.max_attempts, NULL, d.unique_key, d.key, d.batch, d.created_at,
               d.started_at, d.finished_at, d.enqueued_by, d.worker, NULL, NULL, d.result_note
        FROM metrics_refresh_internal.queue_history d) j
    LEFT JOIN metrics_refresh_internal.named_job_type t ON t.id = j.type_id;
ALTER VIEW @extschema@.background_jobs ALTER COLUMN payload SET DEFAULT '{}'::pg_catalog.jsonb;
COMMENT ON VIEW @extschema@.background_jobs IS
    'jobs of the queue, for the role that has enqueued them, the owner of their type and super admins; INSERT adds a job, UPDATE of status to canceled or pending cancels it or starts it again, UPDATE of run_at or priority changes a job that waits, DELETE cancels it or removes one that has stopped';
COMMENT ON COLUMN @extschema@.background_jobs.status IS
    'pending, processing, failed (another attempt follows), completed, dead (no attempt follows), or canceled';
COMMENT ON COLUMN @extschema@.background_jobs.run_at IS 'the job starts no earlier';
COMMENT ON COLUMN @extschema@.background_jobs.attempts IS 'attempts that have begun';
COMMENT ON COLUMN @extschema@.background_jobs.last_error IS
    'message of the last failed attempt, for members of the owner of the type and super admins; so are worker and progress_note';
COMMENT ON COLUMN @extschema@.background_jobs.unique_key IS 'no other job with this key is added; see enqueue()';
COMMENT ON COLUMN @extschema@.background_jobs.key IS 'jobs with the same key take turns with those of other keys';
COMMENT ON COLUMN @extschema@.background_jobs.enqueued_by IS 'NULL for a job that was restored from a dump';
COMMENT ON COLUMN @extschema@.background_jobs.owner IS 'role that the job runs as';

CREATE FUNCTION metrics_refresh_internal.background_jobs_write() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_background_jobs_write';
COMMENT ON FUNCTION metrics_refresh_internal.background_jobs_write() IS
    'does INSERT, UPDATE and DELETE on background_jobs, with the rights of the functions that do the same';
REVOKE ALL ON FUNCTION metrics_refresh_internal.background_jobs_write() FROM PUBLIC;
CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.background_jobs
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.background_jobs_write();

CREATE FUNCTION metrics_refresh.job_counts(OUT type text, OUT pending bigint, OUT processing bigint, OUT failed bigint,
                                           OUT dead bigint, OUT canceled bigint, OUT completed_since_start bigint,
                                           OUT failures_since_start bigint, OUT exact boolean)
    RETURNS SETOF record
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mr_job_counts';
COMMENT ON FUNCTION metrics_refresh.job_counts() IS
    'counts jobs by type and status without reading them, for the types that the caller may manage; the last two numbers count from the start of the server; exact is false for a moment after the start, while the jobs are counted';

CREATE FUNCTION metrics_refresh.queue_status(
        OUT state text, OUT counts_exact boolean, OUT ready bigint, OUT processing bigint, OUT later bigint, OUT dead bigint,
        OUT waiting_since timestamptz, OUT workers integer, OUT external_claims integer, OUT spans integer, OUT max_spans integer,
        OUT lanes integer, OUT max_lanes integer, OUT types integer, OUT max_types integer, OUT segments integer,
        OUT max_segments integer, OUT segment_bytes bigint, OUT databases integer, OUT max_databases integer)
    RETURNS SETOF record
    LANGUAGE c ROWS 1 AS 'MODULE_PATHNAME', 'mr_queue_status';
COMMENT ON FUNCTION metrics_refresh.queue_status() IS
    'one row with the state of the job queue of this database: numbers of jobs, the memory that they use of that which there is, and the storage of jobs that have not ended; for super admins, no row for others';

CREATE FUNCTION metrics_refresh.cancel_job(job_id bigint) RETURNS boolean
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_cancel_job';
COMMENT ON FUNCTION metrics_refresh.cancel_job(bigint) IS
    'cancels a job: one that waits at the commit of this transaction, one that runs at once; returns false if it has already ended; 55P03 if another session is changing it; for the role that has enqueued it, the owner of its type and super admins';

CREATE FUNCTION metrics_refresh.retry_job(job_id bigint) RETURNS boolean
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_retry_job';
COMMENT ON FUNCTION metrics_refresh.retry_job(bigint) IS
    'starts a failed, dead or canceled job again now; one that is dead or canceled has all its attempts again; returns false if it has completed; 55000 if it has not failed, 55P03 if another session is changing it; for the owner of its type and super admins';

CREATE FUNCTION metrics_refresh.retry_failed_jobs(p_job_type text DEFAULT NULL) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_retry_failed_jobs';
COMMENT ON FUNCTION metrics_refresh.retry_failed_jobs(text) IS
    'starts all failed and dead jobs of a type, or of all types that the caller may manage, again now; returns their number';
CREATE FUNCTION @extschema@.retry_failed_jobs(p_job_type text DEFAULT NULL) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_retry_failed_jobs';
COMMENT ON FUNCTION @extschema@.retry_failed_jobs(text) IS 'metrics_refresh.retry_failed_jobs()';

CREATE FUNCTION metrics_refresh.snooze_job(job_id bigint, delay interval) RETURNS boolean
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_snooze_job';
COMMENT ON FUNCTION metrics_refresh.snooze_job(bigint, interval) IS
    'lets a job that waits start no earlier than after a delay; called by a handler for its own job, ends this attempt without counting it, and starts the job again after the delay; returns false if the job has ended; 55006 if it runs, 55P03 if another session is changing it; for the owner of its type and super admins';

CREATE FUNCTION metrics_refresh.purge_jobs(older_than interval, status text DEFAULT NULL) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_purge_jobs';
COMMENT ON FUNCTION metrics_refresh.purge_jobs(interval, text) IS
    'removes jobs that ended longer ago than this: dead and canceled ones of the types that the caller may manage, and completed ones by whole periods of the history, for super admins; status selects one of the three; returns how many were removed';

CREATE FUNCTION metrics_refresh.job_progress(done bigint, total bigint DEFAULT NULL, note text DEFAULT NULL) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_job_progress';
COMMENT ON FUNCTION metrics_refresh.job_progress(bigint, bigint, text) IS
    'called by a handler: shows the progress of its job at once, without a commit; the note has at most 100 bytes; 55000 elsewhere';

CREATE FUNCTION metrics_refresh.wait_job(job_id bigint, timeout interval DEFAULT NULL) RETURNS text
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_wait_job';
COMMENT ON FUNCTION metrics_refresh.wait_job(bigint, interval) IS
    'waits until a job has ended and its end is on disk, and returns its status, or the present one if the timeout passes first; 25001 if this transaction has added it, 55006 if it waits for this transaction; for the role that has enqueued it, the owner of its type and super admins';

CREATE PROCEDURE metrics_refresh.wait_for_job(job_id bigint, timeout interval DEFAULT NULL, INOUT status text DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_wait_for_job';
COMMENT ON PROCEDURE metrics_refresh.wait_for_job(bigint, interval, text) IS
    'like wait_job(), but holds no snapshot; commits the transaction first, so it raises 25001 in a transaction block or a function';

------------------------------------------------------------------------------------------------
-- Moving over

CREATE FUNCTION metrics_refresh.import_from_pg_cron(
        dry_run boolean DEFAULT true, OUT source_id bigint, OUT job_name text, OUT kind text, OUT target text,
        OUT old_schedule text, OUT schedule text, OUT timezone text, OUT owner name,
        OUT database name, OUT active boolean, OUT action text, OUT note text,
        OUT statement text)
    RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_import_from_pg_cron';
COMMENT ON FUNCTION metrics_refresh.import_from_pg_cron(boolean) IS
    'makes jobs from the jobs of pg_cron in this database and pauses these, unless it is a dry run; one row for each, by jobid: kind is refresh, group, command or none; action is imported, would be imported, already there or left; note contains differences and reasons; statement makes the job, or is NULL; all or nothing; 55000 if pg_cron is not in this database; for super admins';

CREATE FUNCTION metrics_refresh.import_from_crontab(
        crontab text, dry_run boolean DEFAULT true, OUT source_id bigint, OUT job_name text, OUT kind text, OUT target text,
        OUT old_schedule text, OUT schedule text, OUT timezone text, OUT owner name,
        OUT database name, OUT active boolean, OUT action text, OUT note text,
        OUT statement text)
    RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_import_from_crontab';
COMMENT ON FUNCTION metrics_refresh.import_from_crontab(text, boolean) IS
    'like import_from_pg_cron() for the text of a crontab; source_id is the line; a line that calls psql with SQL becomes a job of the caller; the crontab is not changed';

CREATE FUNCTION metrics_refresh.as_pg_cron_reads(schedule text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mr_as_pg_cron_reads';
COMMENT ON FUNCTION metrics_refresh.as_pg_cron_reads(text) IS
    'returns the part of a schedule that pg_cron uses: five fields, a nickname or a number of seconds; NULL if pg_cron would refuse it';

CREATE FUNCTION metrics_refresh.adopt_platform_metrics(
        dry_run boolean DEFAULT true, schema_name text DEFAULT 'public', OUT step integer, OUT object text,
        OUT action text, OUT statement text, OUT note text)
    RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_adopt_platform_metrics';
COMMENT ON FUNCTION metrics_refresh.adopt_platform_metrics(boolean, text) IS
    'takes over hand-written functions, log table and pg_cron jobs around the materialized view platform_metrics of a schema, unless it is a dry run; one row for each step: action is what was done or would be done, "in the way" for an obstacle, "undo" for a statement that takes a step back, in the order of execution; all or nothing; for superusers; each object is read and replaced as its owner';

CREATE FUNCTION metrics_refresh.create_schema_api(
        schema_name text, dry_run boolean DEFAULT false, OUT step integer, OUT object text,
        OUT action text, OUT statement text, OUT note text)
    RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_create_schema_api';
COMMENT ON FUNCTION metrics_refresh.create_schema_api(text, boolean) IS
    'makes the functions refresh_all_views(), manual_refresh(), get_cron_job_status() and health_check() in a schema of materialized views, or replaces hand-written ones with the same results; makes a group for the schema if there is none; takes over the pg_cron jobs that call these functions; rows as in adopt_platform_metrics(); for super admins who have the rights of the schema''s owner';

CREATE FUNCTION metrics_refresh.forget_adopted_runs(schema_name text) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_forget_adopted_runs';
COMMENT ON FUNCTION metrics_refresh.forget_adopted_runs(text) IS
    'removes the log rows that adopt_platform_metrics() has copied for views of a schema, to undo it; returns their number; for super admins';

CREATE FUNCTION metrics_refresh.restore_definition(owner text, statement text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_restore_definition';
COMMENT ON FUNCTION metrics_refresh.restore_definition(text, text) IS
    'runs CREATE OR REPLACE FUNCTION or CREATE OR REPLACE VIEW as the owner of the replaced object, in a security-restricted operation that reads no body; code in the text has only the rights of that role; to undo an adoption; for superusers and roles that may SET ROLE to the owner';

CREATE FUNCTION metrics_refresh.require_schema_rights(schema_name text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_require_schema_rights';
COMMENT ON FUNCTION metrics_refresh.require_schema_rights(text) IS
    'raises 42501 if the caller may not refresh each materialized view of the schema; for the functions that create_schema_api() makes';

------------------------------------------------------------------------------------------------
-- Runs

CREATE FUNCTION metrics_refresh.refresh(view_name regclass, strategy text DEFAULT 'auto')
    RETURNS jsonb
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_refresh';
COMMENT ON FUNCTION metrics_refresh.refresh(regclass, text) IS
    'refreshes a view now and logs it, in this session and transaction, or in a worker if the caller lacks the rights of the views owner; with the settings of the owner, and those of the jobs that refresh only this view, if they are all the same; an error is logged and returned, not raised: success, run_id, strategy, reason, duration_ms, rows, message, sqlstate';

CREATE FUNCTION metrics_refresh.refresh_by_name(view_schema name, view_name name, only_admins boolean DEFAULT false)
    RETURNS jsonb
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_refresh_by_name';
COMMENT ON FUNCTION metrics_refresh.refresh_by_name(name, name, boolean) IS
    'like refresh() for a view that may not exist; this error is logged and returned too: success, duration_ms, message; if only_admins is true, for super admins';

CREATE FUNCTION metrics_refresh.refresh_group(group_name text) RETURNS timestamptz
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_refresh_group';
COMMENT ON FUNCTION metrics_refresh.refresh_group(text) IS
    'refreshes the views of a group now, in the order of their dependencies, and logs each, in this session and transaction, or in workers if the caller lacks the rights of an owner; returns the time of completion; if a view fails, the views that depend on it are skipped and a warning names them';

CREATE FUNCTION metrics_refresh.refresh_all_views(schema_name text) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_refresh_all_views';
COMMENT ON FUNCTION metrics_refresh.refresh_all_views(text) IS
    'starts one run that refreshes all materialized views of a schema in workers, in the order of their dependencies, when this transaction has committed; returns the run_id for wait() and cancel(), or NULL if there is no view';

CREATE FUNCTION metrics_refresh.refresh_dependents(base_table regclass) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_refresh_dependents';
COMMENT ON FUNCTION metrics_refresh.refresh_dependents(regclass) IS
    'like refresh_all_views() for all materialized views that read a relation, directly or through other views';

CREATE FUNCTION metrics_refresh.populate_views(schema_name text) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_populate_views';
COMMENT ON FUNCTION metrics_refresh.populate_views(text) IS
    'like refresh_all_views() for the materialized views of a schema that have never been populated';

CREATE FUNCTION metrics_refresh.trigger(job_name text) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_trigger';
COMMENT ON FUNCTION metrics_refresh.trigger(text) IS
    'starts a run of a job in a worker when this transaction has committed; returns the run_id for wait() and cancel()';

CREATE FUNCTION metrics_refresh.wait(run_id bigint, timeout interval DEFAULT NULL) RETURNS text
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_wait';
COMMENT ON FUNCTION metrics_refresh.wait(bigint, interval) IS
    'waits until a run has ended and returns its status; if the timeout passes first, returns running, or queued if the run has not begun; if the run in turn waits for this transaction, as CREATE INDEX CONCURRENTLY does, raises 55006, or a warning if there is a timeout';

CREATE PROCEDURE metrics_refresh.wait_for(run_id bigint, timeout interval DEFAULT NULL,
                                          INOUT status text DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_wait_for';
COMMENT ON PROCEDURE metrics_refresh.wait_for(bigint, interval, text) IS
    'like wait(), but holds no snapshot and no lock, so that every run can end; commits the transaction first, so it raises 25001 in a transaction block or a function; returns the status of the run in status';

CREATE FUNCTION metrics_refresh.cancel(run_id bigint) RETURNS boolean
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_cancel';
COMMENT ON FUNCTION metrics_refresh.cancel(bigint) IS
    'cancels a run that is active or has not begun; returns false if it has already ended';

CREATE FUNCTION metrics_refresh.explain_refresh(view_name regclass, OUT strategy text,
                                                OUT reason text, OUT populated boolean,
                                                OUT unique_index text, OUT create_index text,
                                                OUT depends_on text[], OUT job_name text,
                                                OUT next_due timestamptz,
                                                OUT change_state text, OUT incremental text)
    RETURNS record
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'mr_explain_refresh';
COMMENT ON FUNCTION metrics_refresh.explain_refresh(regclass) IS
    'shows how a view would be refreshed, and the reason; create_index is a statement for a unique index that CONCURRENTLY can use, if one can be derived from the definition; change_state says whether the tables of the view have changed since its last refresh, or why that is not known, to roles that may refresh the view';

CREATE FUNCTION metrics_refresh.cleanup_logs(older_than interval DEFAULT NULL) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_cleanup_logs';
COMMENT ON FUNCTION metrics_refresh.cleanup_logs(interval) IS
    'removes runs, failures, function calls and webhooks that were logged longer ago than this interval (default: metrics_refresh.log_retention), in batches; returns the number of runs; for super admins';

------------------------------------------------------------------------------------------------
-- Looking

CREATE FUNCTION metrics_refresh.worker_slots(OUT run_id bigint, OUT job_id bigint,
                                             OUT member integer, OUT worker_pid integer,
                                             OUT state text, OUT triggered_by text,
                                             OUT due_at timestamptz, OUT started_at timestamptz,
                                             OUT missed bigint, OUT phase text,
                                             OUT rows_read bigint, OUT rows_expected bigint,
                                             OUT rows_changed bigint)
    RETURNS SETOF record
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'mr_worker_slots';
COMMENT ON FUNCTION metrics_refresh.worker_slots() IS
    'runs that workers of this database execute now; super admins see all, other roles those of their jobs';

CREATE FUNCTION metrics_refresh.waiting_runs(OUT job_id bigint, OUT member integer,
                                             OUT due_at timestamptz)
    RETURNS SETOF record
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'mr_waiting_runs';
COMMENT ON FUNCTION metrics_refresh.waiting_runs() IS
    'runs of this database that wait for a worker now; super admins see all, other roles those of their jobs';

CREATE FUNCTION metrics_refresh.skipped_runs(OUT job_id bigint, OUT skipped bigint,
                                             OUT fresh_at timestamptz)
    RETURNS SETOF record
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'mr_skipped_runs';
COMMENT ON FUNCTION metrics_refresh.skipped_runs() IS
    'since the start of the server: number of due times of a job without a run because no table had changed, and the last time when its views were found fresh; super admins see all, other roles their jobs';

CREATE VIEW metrics_refresh.running WITH (security_invoker = true) AS
    SELECT r.run_id, r.job_id, j.job_name, coalesce(j.view_schema, m.view_schema) AS view_schema,
           coalesce(j.view_name, m.view_name) AS view_name, r.state, r.triggered_by, r.due_at,
           r.started_at, clock_timestamp() - r.started_at AS elapsed, r.worker_pid
    FROM (SELECT run_id, job_id, member, state, triggered_by, due_at, started_at, worker_pid
          FROM metrics_refresh.worker_slots()
          UNION ALL
          SELECT NULL, job_id, member, 'queued', NULL, due_at, NULL, NULL
          FROM metrics_refresh.waiting_runs()) r
    LEFT JOIN metrics_refresh.job j USING (job_id)
    LEFT JOIN metrics_refresh.group_run_member m USING (job_id, member);
COMMENT ON VIEW metrics_refresh.running IS 'runs that workers execute, and runs that wait for a worker';

CREATE VIEW metrics_refresh.refresh_progress WITH (security_invoker = true) AS
    SELECT r.run_id, r.job_id, j.job_name, coalesce(j.view_schema, m.view_schema) AS view_schema,
           coalesce(j.view_name, m.view_name) AS view_name, r.worker_pid, r.started_at, r.phase,
           r.rows_read, r.rows_expected, r.rows_changed
    FROM metrics_refresh.worker_slots() r
    LEFT JOIN metrics_refresh.job j USING (job_id)
    LEFT JOIN metrics_refresh.group_run_member m USING (job_id, member)
    WHERE r.phase IS NOT NULL;
COMMENT ON VIEW metrics_refresh.refresh_progress IS
    'progress of refreshes with the strategy diff in workers of this database';
COMMENT ON COLUMN metrics_refresh.refresh_progress.phase IS 'reading the view, running the definition, comparing rows on disk, or writing changes';
COMMENT ON COLUMN metrics_refresh.refresh_progress.rows_read IS 'rows read in this phase, to within some thousand';
COMMENT ON COLUMN metrics_refresh.refresh_progress.rows_expected IS
    'rows to be read in this phase: an estimate, or the previous number of rows of the view';
COMMENT ON COLUMN metrics_refresh.refresh_progress.rows_changed IS 'rows written so far';

CREATE VIEW metrics_refresh.job_status WITH (security_invoker = true) AS
    SELECT j.job_id, j.job_name,
           CASE WHEN j.view_name IS NOT NULL THEN 'refresh' WHEN j.command IS NOT NULL THEN 'command'
                ELSE 'group' END AS kind,
           CASE WHEN j.job_id IN (SELECT w.job_id FROM metrics_refresh.worker_slots() w)
                  OR j.job_id IN (SELECT m.job_id FROM metrics_refresh.group_run_member m)
                  THEN 'running'
                WHEN j.job_id IN (SELECT w.job_id FROM metrics_refresh.waiting_runs() w)
                  OR j.job_id IN (SELECT r.job_id FROM metrics_refresh.run_request r)
                  THEN 'queued'
                WHEN f.suspended_at IS NOT NULL THEN 'suspended'
                WHEN NOT j.active THEN 'paused'
                WHEN f.retry_at IS NOT NULL THEN 'retrying'
                WHEN j.view_name IS NOT NULL
                  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c
                                  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                                  WHERE n.nspname = j.view_schema AND c.relname = j.view_name
                                    AND c.relkind = 'm')
                  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c
                                  WHERE c.oid = j.view_oid AND c.relkind = 'm')
                  THEN 'waiting for its view'
                WHEN d.next_due IS NOT NULL THEN 'scheduled'
                ELSE 'on demand' END AS state,
           j.view_schema, j.view_name, j.command, j.schedule,
           coalesce(j.timezone, nullif(pg_catalog.current_setting('metrics_refresh.timezone', true), ''),
                    'UTC') AS timezone,
           j.active, j.owner, d.next_due, f.retry_at,
           CASE WHEN f.retry_at IS NOT NULL THEN s.retry_attempt END AS attempt,
           s.last_run_id, s.last_started_at, s.last_finished_at, s.last_status, s.last_success_at,
           coalesce(k.skipped, 0) AS skipped, greatest(s.last_success_at, k.fresh_at) AS fresh_at,
           s.last_error, f.consecutive_failures, f.suspended_at,
           CASE WHEN f.suspended_at IS NOT NULL THEN s.suspend_reason END AS suspend_reason
    FROM metrics_refresh.job j
    LEFT JOIN metrics_refresh.job_state s USING (job_id)
    LEFT JOIN metrics_refresh.skipped_runs() k USING (job_id)
    CROSS JOIN LATERAL (
        -- Failures before the job was rescheduled or resumed do not count.
        SELECT CASE WHEN s.suspended_at > j.effective_from THEN s.suspended_at END AS suspended_at,
               CASE WHEN s.last_finished_at >= j.effective_from THEN s.retry_at END AS retry_at,
               CASE WHEN s.last_finished_at >= j.effective_from THEN s.consecutive_failures
                    ELSE 0 END AS consecutive_failures) f
    CROSS JOIN LATERAL (
        SELECT CASE WHEN j.active AND f.suspended_at IS NULL AND j.schedule IS NOT NULL
                    THEN metrics_refresh.next_due(j.schedule, j.timezone, j.starts_at, j.ends_at,
                                                  j.blackout, clock_timestamp(), j.job_name,
                                                  greatest(j.effective_from,
                                                           s.last_finished_at))
               END AS next_due) d;
COMMENT ON VIEW metrics_refresh.job_status IS
    'each job with its state, its next due time and the outcome of its last run';
COMMENT ON COLUMN metrics_refresh.job_status.kind IS 'refresh, command or group';
COMMENT ON COLUMN metrics_refresh.job_status.state IS
    'running, queued, suspended, paused, retrying, waiting for its view, scheduled, or on demand (without a due time)';
COMMENT ON COLUMN metrics_refresh.job_status.skipped IS
    'due times without a run because no table had changed, since the start of the server';
COMMENT ON COLUMN metrics_refresh.job_status.fresh_at IS 'last time when the job succeeded, or found its views fresh';
COMMENT ON COLUMN metrics_refresh.job_status.retry_at IS
    'time of the next try of the failed run; its number is in attempt';

CREATE VIEW metrics_refresh_internal.view_dependencies AS
    WITH RECURSIVE edge AS (
        -- The relations that the rule of each view reads, from the catalogs.
        SELECT DISTINCT r.ev_class AS dependent, d.refobjid AS referenced
        FROM pg_catalog.pg_rewrite r
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass::oid
             AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass::oid
        JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
        WHERE r.ev_class <> d.refobjid
    ), reach AS (
        SELECT e.dependent AS view_oid, e.referenced, 1 AS depth
        FROM edge e JOIN pg_catalog.pg_class c ON c.oid = e.dependent AND c.relkind = 'm'
        UNION
        -- Plain views are followed. Materialized views, tables and other relations are ends.
        SELECT r.view_oid, e.referenced, r.depth + 1
        FROM reach r
        JOIN pg_catalog.pg_class c ON c.oid = r.referenced AND c.relkind = 'v'
        JOIN edge e ON e.dependent = r.referenced
        WHERE r.depth < 100 -- plain views may be made to read each other in a circle
    )
    SELECT vn.nspname AS view_schema, v.relname AS view_name,
           bn.nspname AS depends_on_schema, b.relname AS depends_on_name,
           CASE b.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table'
                          WHEN 'm' THEN 'materialized view' WHEN 'v' THEN 'view'
                          WHEN 'f' THEN 'foreign table' ELSE 'other' END AS depends_on_kind,
           min(r.depth) AS depth, r.view_oid, r.referenced AS depends_on_oid
    FROM reach r
    JOIN pg_catalog.pg_class v ON v.oid = r.view_oid
    JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
    JOIN pg_catalog.pg_class b ON b.oid = r.referenced
    JOIN pg_catalog.pg_namespace bn ON bn.oid = b.relnamespace
    GROUP BY 1, 2, 3, 4, 5, 7, 8;
COMMENT ON VIEW metrics_refresh_internal.view_dependencies IS
    'metrics_refresh.view_dependencies, for the plans of groups';
CREATE VIEW metrics_refresh.view_dependencies AS
    SELECT * FROM metrics_refresh_internal.view_dependencies;
COMMENT ON VIEW metrics_refresh.view_dependencies IS
    'relations that each materialized view reads, directly (depth 1) or through plain views';

CREATE VIEW metrics_refresh.settings AS
    SELECT name, setting, unit, context, short_desc AS description
    FROM pg_catalog.pg_settings WHERE name LIKE 'metrics\_refresh.%';
COMMENT ON VIEW metrics_refresh.settings IS 'the settings of metrics_refresh';

CREATE FUNCTION metrics_refresh.get_cron_job_status(
        schema_name text DEFAULT NULL, OUT job_name text, OUT schedule text, OUT command text, OUT active boolean,
        OUT last_run timestamptz, OUT last_status text, OUT last_duration_ms numeric,
        OUT next_run timestamptz)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.job_name, s.schedule,
           CASE s.kind
               WHEN 'refresh' THEN 'REFRESH MATERIALIZED VIEW '
                   || CASE j.strategy WHEN 'concurrently' THEN 'CONCURRENTLY ' ELSE '' END
                   || quote_ident(s.view_schema) || '.' || quote_ident(s.view_name)
               WHEN 'command' THEN s.command
               ELSE 'refresh in the order of their dependencies: ' || coalesce(
                   'all materialized views of the schema ' || quote_ident(j.group_schema),
                   (SELECT string_agg(quote_ident(m.view_schema) || '.' || quote_ident(m.view_name), ', '
                                      ORDER BY m.view_schema, m.view_name)
                    FROM metrics_refresh.job_member m WHERE m.job_id = j.job_id))
           END,
           s.active, s.last_started_at, s.last_status,
           CASE WHEN s.last_status <> 'running'
                THEN round(1000 * extract(epoch FROM s.last_finished_at - s.last_started_at), 3) END,
           s.next_due
    FROM metrics_refresh.job_status s JOIN metrics_refresh.job j USING (job_id)
    WHERE NOT j.one_time
      AND (get_cron_job_status.schema_name IS NULL
           OR get_cron_job_status.schema_name IN (j.view_schema, j.group_schema)
           OR j.job_id IN (SELECT m.job_id FROM metrics_refresh.job_member m
                           WHERE m.view_schema = get_cron_job_status.schema_name))
    ORDER BY s.job_name, s.job_id
$$;
COMMENT ON FUNCTION metrics_refresh.get_cron_job_status(text) IS
    'one row for each job that the caller may see, or for each job that refreshes views of a schema: command and schedule, begin, status and duration of its last run, and next due time';

CREATE FUNCTION metrics_refresh.view_status(
        OUT view_schema name, OUT view_name name, OUT owner name, OUT is_populated boolean,
        OUT row_count bigint, OUT total_bytes bigint, OUT last_refresh_at timestamptz,
        OUT age interval, OUT last_status text, OUT last_error text, OUT freshness text,
        OUT job_name text, OUT next_due timestamptz)
    RETURNS SETOF record
    LANGUAGE c VOLATILE SET jit = off
    SET random_page_cost = 1.1 -- the rows of the last hours are in memory: rather few of them than all
    AS 'MODULE_PATHNAME', 'mr_view_status';
COMMENT ON FUNCTION metrics_refresh.view_status() IS
    'one row for each materialized view that the caller may refresh: rows as last logged, else estimated; size, NULL while it is locked; last success; age since then, or since a due time at which no table had changed; last run; freshness: fresh, stale, never (populated) or unmanaged (without an active job); its job or group; waits for no lock';

CREATE FUNCTION metrics_refresh.stats_since(hours integer, parameter text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF hours IS NULL OR hours < 1 THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s must be at least 1', parameter),
            HINT = 'It is the length of the window that ends now.';
    END IF;
    RETURN now() - make_interval(hours => least(hours, 876000));
END $$;
COMMENT ON FUNCTION metrics_refresh.stats_since(integer, text) IS
    'start of the window of the last hours; raises 22023 with the name of the parameter if it is less than 1';

-- One row for each job, and one more if a view is given. The two conditions on the log are branches of a UNION, so
-- that each uses its own index. A branch that is not wanted ends at once.
CREATE FUNCTION metrics_refresh.stats_of(
        jobs bigint[], view_schema name, view_name name, since timestamptz, OUT job_id bigint,
        OUT total_refreshes bigint, OUT successful_refreshes bigint, OUT failed_refreshes bigint,
        OUT success_rate numeric, OUT avg_duration_ms numeric, OUT max_duration_ms numeric,
        OUT min_duration_ms numeric, OUT last_refresh_at timestamptz, OUT last_error text)
    RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
    SET random_page_cost = 1.1 -- the rows of the last hours are in memory: rather few of them than all
    AS $$
    SELECT k.job_id, s.*
    FROM (SELECT unnest(jobs) UNION ALL SELECT NULL WHERE stats_of.view_name IS NOT NULL) k (job_id)
    CROSS JOIN LATERAL (
        SELECT count(*), count(*) FILTER (WHERE l.status = 'success'),
               count(*) FILTER (WHERE l.status <> 'success'),
               round(100.0 * count(*) FILTER (WHERE l.status = 'success') / nullif(count(*), 0), 2),
               round(avg(l.duration_ms)::numeric, 3), round(max(l.duration_ms)::numeric, 3),
               round(min(l.duration_ms)::numeric, 3), max(l.started_at),
               (array_agg(l.error_message ORDER BY l.started_at DESC)
                   FILTER (WHERE l.status <> 'success'))[1]
        FROM (SELECT r.status, r.duration_ms, r.started_at, r.error_message
              FROM metrics_refresh.run_log r WHERE r.job_id = k.job_id
              UNION ALL
              SELECT r.status, r.duration_ms, r.started_at, r.error_message
              FROM metrics_refresh.run_log r
              WHERE k.job_id IS NULL
                AND r.view_schema = stats_of.view_schema AND r.view_name = stats_of.view_name) l
        WHERE l.status NOT IN ('running', 'skipped') AND l.started_at >= since) s
$$;
COMMENT ON FUNCTION metrics_refresh.stats_of(bigint[], name, name, timestamptz) IS
    'one row for each job in the array, and one with job_id NULL for the view if its name is not NULL: ended runs since a time, as far as the caller may see them; for get_refresh_stats and get_view_stats';

CREATE FUNCTION metrics_refresh.get_refresh_stats(
        hours integer DEFAULT 24, job_name text DEFAULT NULL, OUT job text,
        OUT total_refreshes bigint, OUT successful_refreshes bigint, OUT failed_refreshes bigint,
        OUT success_rate numeric, OUT avg_duration_ms numeric, OUT max_duration_ms numeric,
        OUT min_duration_ms numeric, OUT last_refresh_at timestamptz, OUT last_error text)
    RETURNS SETOF record
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    since constant timestamptz := metrics_refresh.stats_since(hours, 'hours');
BEGIN
    RETURN QUERY
    WITH wanted AS MATERIALIZED (
        SELECT j.job_id, j.job_name FROM metrics_refresh.job j
        WHERE get_refresh_stats.job_name IS NULL
           OR get_refresh_stats.job_name IN (j.job_name, j.job_id::text))
    SELECT w.job_name, s.total_refreshes, s.successful_refreshes, s.failed_refreshes, s.success_rate,
           s.avg_duration_ms, s.max_duration_ms, s.min_duration_ms, s.last_refresh_at, s.last_error
    FROM wanted w JOIN metrics_refresh.stats_of(
        (SELECT array_agg(v.job_id) FROM wanted v), NULL, NULL, since) s USING (job_id)
    ORDER BY w.job_name, w.job_id;
    IF NOT FOUND AND job_name IS NOT NULL THEN
        PERFORM metrics_refresh.note_missing_job(job_name);
    END IF;
END $$;
COMMENT ON FUNCTION metrics_refresh.get_refresh_stats(integer, text) IS
    'one row for each job that the caller may see, or for those with a name or number: ended runs of the last hours; success_rate in percent, durations in milliseconds; NULL if there was no run; no row and a notice if there is no such job';

CREATE FUNCTION metrics_refresh.get_view_stats(
        view_schema name, view_name name, p_hours integer DEFAULT 24,
        OUT total_refreshes bigint, OUT successful_refreshes bigint, OUT failed_refreshes bigint,
        OUT success_rate numeric, OUT avg_duration_ms numeric, OUT max_duration_ms numeric,
        OUT min_duration_ms numeric, OUT last_refresh_at timestamptz, OUT last_error text)
    RETURNS record
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    since constant timestamptz := metrics_refresh.stats_since(p_hours, 'p_hours');
BEGIN
    SELECT s.total_refreshes, s.successful_refreshes, s.failed_refreshes, s.success_rate,
           s.avg_duration_ms, s.max_duration_ms, s.min_duration_ms, s.last_refresh_at, s.last_error
    INTO total_refreshes, successful_refreshes, failed_refreshes, success_rate, avg_duration_ms,
         max_duration_ms, min_duration_ms, last_refresh_at, last_error
    FROM metrics_refresh.stats_of('{}', view_schema, coalesce(view_name, ''), since) s;
END $$;
COMMENT ON FUNCTION metrics_refresh.get_view_stats(name, name, integer) IS
    'one row with the ended refreshes of a materialized view, which may have been dropped, in the last p_hours hours, as far as the caller may see them; success_rate in percent, durations in milliseconds; NULL if there was no run';

CREATE FUNCTION metrics_refresh.health_check(OUT check_name text, OUT severity text,
                                             OUT detail text, OUT hint text)
    RETURNS SETOF record
    LANGUAGE c VOLATILE SET jit = off
    SET random_page_cost = 1.1 -- as above
    AS 'MODULE_PATHNAME', 'mr_health_check';
COMMENT ON FUNCTION metrics_refresh.health_check() IS
    'findings about the jobs and job types that the caller may see: severity ok, warning or critical, and a hint how to fix the problem';

CREATE FUNCTION metrics_refresh.health_summary(OUT status text, OUT warnings bigint,
                                               OUT criticals bigint, OUT reasons text[])
    RETURNS record
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN bool_or(h.severity = 'critical') THEN 'critical'
                WHEN bool_or(h.severity = 'warning') THEN 'warning' ELSE 'ok' END,
           count(*) FILTER (WHERE h.severity = 'warning'),
           count(*) FILTER (WHERE h.severity = 'critical'),
           coalesce(array_agg(h.detail ORDER BY h.severity, h.detail)
                        FILTER (WHERE h.severity <> 'ok'), '{}')
    FROM metrics_refresh.health_check() h
$$;
COMMENT ON FUNCTION metrics_refresh.health_summary() IS
    'health_check() in one row: the worst severity and all reasons for it';

------------------------------------------------------------------------------------------------
-- Platform metrics, in the target schema

CREATE FUNCTION @extschema@.refresh_platform_metrics_with_logging() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_refresh_platform_metrics';
COMMENT ON FUNCTION @extschema@.refresh_platform_metrics_with_logging() IS
    'refreshes the materialized view platform_metrics of this schema now and logs the run; does not raise an error of the refresh';

CREATE FUNCTION @extschema@.trigger_platform_metrics_refresh() RETURNS jsonb
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_trigger_platform_metrics';
COMMENT ON FUNCTION @extschema@.trigger_platform_metrics_refresh() IS
    'refreshes platform_metrics now; returns success, duration_ms and message; for super admins';

CREATE FUNCTION @extschema@.cleanup_old_metrics_logs() RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_cleanup_old_metrics_logs';
COMMENT ON FUNCTION @extschema@.cleanup_old_metrics_logs() IS
    'removes runs, failures, function calls and webhooks that were logged before metrics_refresh.log_retention (30 days); returns the number of runs; for super admins';

CREATE FUNCTION @extschema@.get_metrics_refresh_stats(
        p_hours integer DEFAULT 24,
        OUT total_refreshes bigint, OUT successful_refreshes bigint, OUT failed_refreshes bigint,
        OUT success_rate numeric, OUT avg_duration_ms numeric, OUT max_duration_ms numeric,
        OUT min_duration_ms numeric, OUT last_refresh_at timestamptz, OUT last_error text)
    RETURNS record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.* FROM metrics_refresh.get_view_stats(
        (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'metrics_refresh'), 'platform_metrics', p_hours) s
$$;
COMMENT ON FUNCTION @extschema@.get_metrics_refresh_stats(integer) IS
    'one row with the ended refreshes of platform_metrics in the last p_hours hours; success_rate in percent, durations in milliseconds; NULL if there was no run';

CREATE VIEW @extschema@.metrics_refresh_log WITH (security_invoker = true) AS
    SELECT run_id AS id, view_name, status, started_at, finished_at AS completed_at, duration_ms,
           error_message, started_at AS created_at, sqlstate, error_detail, error_hint, strategy,
           strategy_reason, triggered_by, initiated_by, due_at, rows_total, view_schema, job_name
    FROM metrics_refresh.run_log;
COMMENT ON VIEW @extschema@.metrics_refresh_log IS 'the log of runs, with the column names that applications read';
INSERT INTO metrics_refresh_internal.job (job_name, view_schema, view_name, command, schedule, owner, is_default)
SELECT v.job_name, CASE WHEN v.command IS NULL THEN n.nspname END,
       CASE WHEN v.command IS NULL THEN 'platform_metrics' END, v.command, v.schedule,
       current_user, true
FROM pg_catalog.pg_namespace n,
     (VALUES ('refresh-platform-metrics', NULL, '*/5 * * * *'),
             ('cleanup-metrics-logs', 'SELECT metrics_refresh.cleanup_logs()', '0 2 * * *')
     ) v (job_name, command, schedule)
WHERE n.oid = '@extschema@'::regnamespace::oid;

-- At wal_level minimal, the server does not log numbers that a sequence returned in the transaction that
-- created it. After a crash it would return them again. This makes it log the next number.
SELECT pg_catalog.setval('metrics_refresh_internal.job_id_seq',
                         (SELECT pg_catalog.max(job_id) FROM metrics_refresh_internal.job));

------------------------------------------------------------------------------------------------
-- Logs of failures, functions and webhooks: not dumped

-- One row for each failed attempt of a run or of a queued job. The trigger on_job_failure writes its row of the log.
CREATE SEQUENCE metrics_refresh_internal.job_failure_id_seq;
CREATE TABLE metrics_refresh_internal.job_failure (
    id          bigint PRIMARY KEY DEFAULT pg_catalog.nextval('metrics_refresh_internal.job_failure_id_seq'),
    kind        text NOT NULL, -- refresh, command, group, job
    name        text NOT NULL, -- of the job of a run, of its view if it has no job, or of the type of a queued job
    job_id      bigint,
    attempt     integer NOT NULL,
    status      text NOT NULL, -- error, interrupted
    message     text,
    sqlstate    text,
    context     jsonb NOT NULL, -- kind, and as far as known: view, run_id, detail, hint, context
    duration_ms double precision,
    owner       text,
    owner_oid   oid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX job_failure_created_at ON metrics_refresh_internal.job_failure (created_at);
COMMENT ON TABLE metrics_refresh_internal.job_failure IS
    'one row for each failed attempt of a run or of a queued job, kept for metrics_refresh.log_retention';

CREATE SEQUENCE metrics_refresh_internal.edge_function_log_id_seq;
CREATE TABLE metrics_refresh_internal.edge_function_log (
    id            bigint PRIMARY KEY DEFAULT pg_catalog.nextval('metrics_refresh_internal.edge_function_log_id_seq'),
    function_name text NOT NULL,
    level         text NOT NULL CHECK (level IN ('debug', 'info', 'warning', 'error')),
    message       text,
    sqlstate      text,
    context       jsonb,
    job_id        bigint,
    attempt       integer,
    status        text,
    duration_ms   double precision,
    request_id    text,
    failure_id    bigint, -- of job_failure
    owner         text,
    owner_oid     oid NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX edge_function_log_created_at ON metrics_refresh_internal.edge_function_log (created_at);
CREATE INDEX edge_function_log_failure ON metrics_refresh_internal.edge_function_log (failure_id)
    WHERE failure_id IS NOT NULL;
CREATE INDEX edge_function_log_job ON metrics_refresh_internal.edge_function_log (job_id) WHERE job_id IS NOT NULL;
COMMENT ON TABLE metrics_refresh_internal.edge_function_log IS
    'calls of edge functions and failed attempts, kept for metrics_refresh.log_retention';

CREATE SEQUENCE metrics_refresh_internal.webhook_log_id_seq;
CREATE TABLE metrics_refresh_internal.webhook_log (
    id          bigint PRIMARY KEY DEFAULT pg_catalog.nextval('metrics_refresh_internal.webhook_log_id_seq'),
    source      text NOT NULL,
    event       text NOT NULL,
    payload     jsonb,
    status      text NOT NULL,
    duration_ms double precision,
    error       text,
    owner       text,
    owner_oid   oid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX webhook_log_created_at ON metrics_refresh_internal.webhook_log (created_at);
COMMENT ON TABLE metrics_refresh_internal.webhook_log IS
    'incoming webhooks, kept for metrics_refresh.log_retention';

-- As for run_log. The owner of a row is the role whose code failed, or that wrote the row.
DO $do$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{job_failure,edge_function_log,webhook_log}'::pg_catalog.text[] LOOP
        EXECUTE pg_catalog.format($$ALTER TABLE metrics_refresh_internal.%1$I ENABLE ROW LEVEL SECURITY;
            CREATE POLICY visible ON metrics_refresh_internal.%1$I FOR SELECT USING (
                (SELECT metrics_refresh.is_super_admin())
                OR owner_oid IN (SELECT r.oid FROM pg_catalog.pg_roles r
                                 WHERE pg_catalog.pg_has_role(r.oid, 'USAGE')))$$, name);
    END LOOP;
END $do$;

CREATE VIEW metrics_refresh.webhook_log WITH (security_invoker = true) AS
    SELECT id, source, event, payload, status, duration_ms, error, created_at, owner
    FROM metrics_refresh_internal.webhook_log;
COMMENT ON VIEW metrics_refresh.webhook_log IS
    'webhooks that record_webhook() has logged, kept for metrics_refresh.log_retention; each role sees its own rows, super admins all';
COMMENT ON COLUMN metrics_refresh.webhook_log.owner IS 'role that called record_webhook()';

CREATE VIEW @extschema@.edge_function_logs WITH (security_invoker = true) AS
    SELECT id, function_name, level, message, sqlstate, context, job_id, attempt, status, duration_ms, created_at,
           request_id, owner
    FROM metrics_refresh_internal.edge_function_log;
COMMENT ON VIEW @extschema@.edge_function_logs IS
    'calls of edge functions, and one row for each failed attempt of a refresh, a command or a queued job; roles with INSERT may add rows';
COMMENT ON COLUMN @extschema@.edge_function_logs.function_name IS
    'for a failed attempt: the name of the job or of the type of queued jobs, or the view of a refresh without a job';
COMMENT ON COLUMN @extschema@.edge_function_logs.level IS 'debug, info, warning or error';
COMMENT ON COLUMN @extschema@.edge_function_logs.context IS
    'for a failed attempt: kind (refresh, command, group, job), and as far as known view, run_id, detail, hint and context of the error';
COMMENT ON COLUMN @extschema@.edge_function_logs.owner IS
    'role whose members see the row: the owner of the view, the command or the type that failed, or the role that wrote the row';

CREATE FUNCTION metrics_refresh_internal.edge_function_logs_insert() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_edge_function_logs_insert';
COMMENT ON FUNCTION metrics_refresh_internal.edge_function_logs_insert() IS
    'logs a row that is inserted into edge_function_logs, as log_function_call() does';
REVOKE ALL ON FUNCTION metrics_refresh_internal.edge_function_logs_insert() FROM PUBLIC;
CREATE TRIGGER instead_of_insert INSTEAD OF INSERT ON @extschema@.edge_function_logs
    FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.edge_function_logs_insert();

CREATE FUNCTION metrics_refresh.log_function_call(
        function_name text, status text, duration_ms double precision DEFAULT NULL, message text DEFAULT NULL,
        context jsonb DEFAULT NULL, level text DEFAULT NULL, request_id text DEFAULT NULL) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_log_function_call';
COMMENT ON FUNCTION metrics_refresh.log_function_call(text, text, double precision, text, jsonb, text, text) IS
    'writes a call of an edge function into edge_function_logs, as a row of the caller; returns its number; without a level it is error for the status error, failed, failure, timeout or interrupted, else info';
REVOKE ALL ON FUNCTION metrics_refresh.log_function_call(text, text, double precision, text, jsonb, text, text) FROM PUBLIC;

CREATE FUNCTION metrics_refresh.record_webhook(
        source text, event text, payload jsonb DEFAULT NULL, status text DEFAULT NULL,
        duration_ms double precision DEFAULT NULL, error text DEFAULT NULL) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'mr_record_webhook';
COMMENT ON FUNCTION metrics_refresh.record_webhook(text, text, jsonb, text, double precision, text) IS
    'writes an incoming webhook into metrics_refresh.webhook_log, as a row of the caller; returns its number; without a status it is error if there is an error, else received';
REVOKE ALL ON FUNCTION metrics_refresh.record_webhook(text, text, jsonb, text, double precision, text) FROM PUBLIC;

-- It names only objects of metrics_refresh: the owner of the target schema could rename that schema, and make another
-- one with traps. The extension adds job_id, attempt and sqlstate, and the row belongs to the owner of what has failed.
CREATE FUNCTION @extschema@.notify_failed_job() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM metrics_refresh.log_function_call(NEW.name, NEW.status, NEW.duration_ms, NEW.message, NEW.context, 'error');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION @extschema@.notify_failed_job() IS
    'the trigger on_job_failure calls it for each failed attempt, to write a row of edge_function_logs; superusers may replace it, for example to send an alert too';
REVOKE ALL ON FUNCTION @extschema@.notify_failed_job() FROM PUBLIC;
CREATE TRIGGER on_job_failure AFTER INSERT ON metrics_refresh_internal.job_failure
    FOR EACH ROW EXECUTE FUNCTION @extschema@.notify_failed_job();
COMMENT ON TRIGGER on_job_failure ON metrics_refresh_internal.job_failure IS
    'writes the row of edge_function_logs; if it fails, the extension writes the row itself';

------------------------------------------------------------------------------------------------
-- Rights

-- ALTER DEFAULT PRIVILEGES may have granted privileges on the objects of this script.
-- No role may change objects that jobs rely on.
CREATE FUNCTION metrics_refresh_internal.revoke_default_privileges(extension name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('REVOKE ALL ON %s %s FROM %s', o.kind, o.name,
                      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
        FROM pg_extension e
        JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
        CROSS JOIN LATERAL (
            SELECT 'SCHEMA' AS kind, quote_ident(n.nspname) AS name, n.nspacl AS acl, n.nspowner AS owner
            FROM pg_namespace n WHERE d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
            UNION ALL
            SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text, c.relacl, c.relowner
            FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid
            UNION ALL
            SELECT 'TYPE', t.oid::regtype::text, t.typacl, t.typowner
            FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid AND t.typtype = 'd'
            UNION ALL
            SELECT 'ROUTINE', p.oid::regprocedure::text, p.proacl, p.proowner
            FROM pg_proc p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid) o
        CROSS JOIN LATERAL (SELECT DISTINCT x.grantee FROM aclexplode(o.acl) x) a
        WHERE e.extname = extension AND a.grantee <> o.owner
          -- EXECUTE of PUBLIC is decided at each function.
          AND (a.grantee <> 0 OR o.kind <> 'ROUTINE')
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;
COMMENT ON FUNCTION metrics_refresh_internal.revoke_default_privileges(name) IS
    'revokes the privileges that ALTER DEFAULT PRIVILEGES gave on objects of an extension, except those of PUBLIC on its functions; for the scripts';
REVOKE ALL ON FUNCTION metrics_refresh_internal.revoke_default_privileges(name) FROM PUBLIC;
SELECT metrics_refresh_internal.revoke_default_privileges('metrics_refresh');

GRANT USAGE ON SCHEMA metrics_refresh TO PUBLIC;
GRANT SELECT ON metrics_refresh_internal.job, metrics_refresh_internal.job_member, metrics_refresh_internal.job_state,
                metrics_refresh_internal.incremental_view, metrics_refresh_internal.skip_alarm,
                metrics_refresh_internal.run_log, metrics_refresh_internal.run_request,
                metrics_refresh_internal.group_run_member, metrics_refresh_internal.job_failure,
                metrics_refresh_internal.edge_function_log, metrics_refresh_internal.webhook_log TO PUBLIC;
GRANT SELECT ON metrics_refresh.job, metrics_refresh.job_member, metrics_refresh.job_state,
                metrics_refresh.incremental_view, metrics_refresh.skip_alarm,
                metrics_refresh.run_log,
                metrics_refresh.run_request, metrics_refresh.group_run_member,
                metrics_refresh.running, metrics_refresh.refresh_progress, metrics_refresh.job_status,
                metrics_refresh.view_dependencies, metrics_refresh.settings,
                metrics_refresh.webhook_log, @extschema@.edge_function_logs,
                @extschema@.metrics_refresh_log TO PUBLIC;
-- The queue.
GRANT SELECT ON metrics_refresh_internal.job_type, metrics_refresh_internal.named_job_type,
                metrics_refresh_internal.queue_hot, metrics_refresh_internal.queue_ended,
                metrics_refresh_internal.queue_later, metrics_refresh_internal.queue_stopped,
                metrics_refresh_internal.queue_history, metrics_refresh.job_types,
                @extschema@.background_jobs TO PUBLIC;
-- It looks at the rights of the caller itself.
GRANT EXECUTE ON FUNCTION metrics_refresh.queue_status() TO PUBLIC;
-- The queries of incremental refreshes call it as the owners of the views.
GRANT EXECUTE ON FUNCTION metrics_refresh.is_changed_key(bigint, "any") TO PUBLIC;
