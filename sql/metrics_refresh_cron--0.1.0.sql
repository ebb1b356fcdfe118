-- metrics_refresh_cron 0.1.0: the objects of CREATE EXTENSION metrics_refresh_cron.
--
-- The API of pg_cron over the jobs and the log of metrics_refresh. It stores nothing: a job is a row
-- of metrics_refresh.job, so pg_dump includes it and DROP EXTENSION metrics_refresh_cron does not remove it.
-- All functions run with the rights of their caller, except the one that deletes log rows.
\echo Use "CREATE EXTENSION metrics_refresh_cron" to load this file. \quit

-- Otherwise the path contains the target schema of metrics_refresh, in which other roles may create objects.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE SCHEMA cron;
COMMENT ON SCHEMA cron IS 'the API of pg_cron over the jobs of metrics_refresh';

------------------------------------------------------------------------------------------------
-- Names. As in pg_cron, they are unique for each user, because those of metrics_refresh are unique for each
-- owner. A job that was scheduled without a name has a generated one in metrics_refresh.

CREATE FUNCTION cron.jobname(job_name text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN job_name !~ '^unnamed cron job [0-9a-f-]{36}$' THEN job_name END
$$;
COMMENT ON FUNCTION cron.jobname(text) IS
    'returns the name of a job in cron.job; NULL if it was scheduled without a name';

CREATE FUNCTION cron.current_owner() RETURNS oid
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user
$$;
COMMENT ON FUNCTION cron.current_owner() IS 'the current role';

CREATE FUNCTION cron.is_superuser() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user
$$;
COMMENT ON FUNCTION cron.is_superuser() IS 'true if the current role is a superuser';

CREATE FUNCTION cron.longest_runtime() RETURNS interval
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN cron.is_superuser() THEN interval '24 days'
                ELSE current_setting('metrics_refresh.max_job_runtime')::interval END
$$;
COMMENT ON FUNCTION cron.longest_runtime() IS
    'max_runtime of new jobs: the longest that the current role may have, because pg_cron has no limit';

CREATE FUNCTION cron.sees_all() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles r WHERE r.rolname = current_user
$$;
COMMENT ON FUNCTION cron.sees_all() IS
    'true if the current role sees all jobs, as superusers and roles with BYPASSRLS do';

------------------------------------------------------------------------------------------------
-- Checks. Messages and codes are those of pg_cron, because applications compare them.

CREATE FUNCTION cron.checked_schedule(schedule text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted text := regexp_replace(schedule, '^\s*@restart\M', '@reboot');
    lenient text;
    message text; detail text; hint text;
BEGIN
    BEGIN
        PERFORM FROM metrics_refresh.next_runs(wanted, 1);
        RETURN wanted;
    EXCEPTION WHEN invalid_parameter_value THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
                                hint = PG_EXCEPTION_HINT;
    END;
    IF nullif(current_setting('metrics_refresh_cron.lenient', true), '')::boolean THEN
        lenient := metrics_refresh.as_pg_cron_reads(wanted);
        IF lenient <> wanted THEN
            BEGIN
                PERFORM FROM metrics_refresh.next_runs(lenient, 1);
                RAISE NOTICE 'schedule "%" is run as "%"', schedule, lenient
                    USING DETAIL = 'That is what pg_cron would have gone by; the rest has no meaning.';
                RETURN lenient;
            EXCEPTION WHEN invalid_parameter_value THEN
                NULL; -- the error is raised below
            END;
        END IF;
    END IF;
    message := regexp_replace(message, '^invalid schedule( ".*")?: ', '');
    RAISE invalid_parameter_value USING MESSAGE = 'invalid schedule: ' || schedule,
        DETAIL = upper(left(message, 1)) || substr(message, 2) || coalesce('. ' || nullif(detail, ''), '.'),
        HINT = coalesce(nullif(hint, ''), 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''');
END $$;
COMMENT ON FUNCTION cron.checked_schedule(text) IS
    'returns the schedule as stored; raises 22023 if it is not valid; if metrics_refresh_cron.lenient is on, removes text that pg_cron ignores, with a notice';

CREATE FUNCTION cron.check_none_is_null(job_name text, schedule text, command text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    missing constant text := CASE WHEN job_name IS NULL THEN 'job_name' WHEN schedule IS NULL THEN 'schedule'
                                  WHEN command IS NULL THEN 'command' END;
BEGIN
    IF missing IS NOT NULL THEN
        RAISE internal_error USING MESSAGE = missing || ' can not be NULL';
    END IF;
END $$;
COMMENT ON FUNCTION cron.check_none_is_null(text, text, text) IS 'raises an error that names the first of these that is NULL';

CREATE FUNCTION cron.login_role(username text) RETURNS oid
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    role record;
BEGIN
    SELECT r.oid, r.rolcanlogin INTO role FROM pg_roles r WHERE r.rolname = username;
    IF NOT FOUND THEN
        RAISE internal_error USING MESSAGE = format('role "%s" does not exist', username);
    ELSIF NOT role.rolcanlogin THEN
        RAISE internal_error USING MESSAGE = format('role "%s" can not log in', username),
            DETAIL = 'Jobs may only be run by roles that have the LOGIN attribute.';
    END IF;
    RETURN role.oid;
END $$;
COMMENT ON FUNCTION cron.login_role(text) IS
    'returns the role of this name; raises an error if there is none that may log in';

CREATE FUNCTION cron.check_database(database text, owner oid) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_database d WHERE d.datname = database) THEN
        RAISE invalid_catalog_name USING MESSAGE = format('database "%s" does not exist', database);
    ELSIF NOT has_database_privilege(owner, database, 'CONNECT') THEN
        RAISE internal_error USING MESSAGE = format('User %s does not have CONNECT privilege on %s',
                                                    pg_get_userbyid(owner), database);
    ELSIF database <> current_database() THEN
        RAISE feature_not_supported USING
            MESSAGE = format('jobs for database "%s" cannot be scheduled from database "%s"',
                             database, current_database()),
            DETAIL = 'Each database has its own jobs.',
            HINT = format('Connect to "%s", run CREATE EXTENSION metrics_refresh_cron CASCADE there, and schedule the job there.',
                          database);
    END IF;
END $$;
COMMENT ON FUNCTION cron.check_database(text, oid) IS
    'raises an error if jobs of the role cannot run in this database; 0A000 for a database other than the current one';

CREATE FUNCTION cron.check_may_schedule() RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    function constant regproc := 'metrics_refresh.schedule_command'::regproc;
BEGIN
    IF NOT has_function_privilege(function::oid, 'EXECUTE') THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied for function schedule_command',
            DETAIL = 'USAGE on the schema cron does not give the right to schedule commands.',
            HINT = format('A superuser gives it: GRANT EXECUTE ON FUNCTION %s TO %I', function, current_user);
    END IF;
END $$;
COMMENT ON FUNCTION cron.check_may_schedule() IS
    'raises 42501 with a hint if the caller may not execute metrics_refresh.schedule_command';

------------------------------------------------------------------------------------------------
-- Writing jobs

-- As in pg_cron, a new job has no time limit, no lock timeout and no retries. An existing job
-- keeps its options, and stays active or paused.
CREATE FUNCTION cron.put_job(jobname text, schedule text, command text, active boolean, owner oid)
    RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present record;
    -- A command belongs to the role that writes it. A superuser may write one for another role.
    for_other constant name := CASE WHEN owner <> cron.current_owner() THEN pg_get_userbyid(owner) END;
BEGIN
    PERFORM cron.check_may_schedule();
    SELECT j.job_id, j.command IS NOT NULL AS is_command, j.is_default INTO present
    FROM metrics_refresh.job j WHERE j.job_name = jobname AND j.owner_oid = put_job.owner;
    IF present.is_default THEN
        RAISE duplicate_object USING
            MESSAGE = format('the name "%s" is that of a default job of metrics_refresh', jobname),
            HINT = 'Choose another name, or change that job by metrics_refresh.alter_job().';
    ELSIF present.is_command THEN
        PERFORM metrics_refresh.alter_job(present.job_id::text, schedule, command => command, owner => for_other);
        RETURN present.job_id;
    END IF;
    RETURN metrics_refresh.schedule_command(
        coalesce(jobname, 'unnamed cron job ' || gen_random_uuid()), schedule, command, active => active,
        max_runtime => cron.longest_runtime(), lock_timeout => '24 days', max_retries => 0,
        owner => coalesce(for_other, current_user));
END $$;
COMMENT ON FUNCTION cron.put_job(text, text, text, boolean, oid) IS
    'writes the job of a role with this name; a new job has the options that jobs have in pg_cron, an existing one keeps its options';

------------------------------------------------------------------------------------------------
-- The functions of pg_cron

CREATE FUNCTION cron.schedule(schedule text, command text) RETURNS bigint
    LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    schedule := cron.checked_schedule(schedule);
    PERFORM cron.check_database(current_database(), cron.current_owner());
    RETURN cron.put_job(NULL, schedule, command, true, cron.current_owner());
END $$;
COMMENT ON FUNCTION cron.schedule(text, text) IS
    'makes a job without a name that runs a command on a schedule; returns its jobid';

CREATE FUNCTION cron.schedule_in_database(job_name text, schedule text, command text, database text,
                                          username text DEFAULT NULL, active boolean DEFAULT true)
    RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner oid := cron.current_owner();
BEGIN
    PERFORM cron.check_none_is_null(job_name, schedule, command);
    schedule := cron.checked_schedule(schedule);
    IF username IS NOT NULL THEN
        IF NOT cron.is_superuser() THEN
            RAISE internal_error USING MESSAGE = 'must be superuser to create a job for another role';
        END IF;
        owner := cron.login_role(username);
    END IF;
    PERFORM cron.check_database(coalesce(database, current_database()), owner);
    RETURN cron.put_job(job_name, schedule, command, coalesce(active, true), owner);
END $$;
COMMENT ON FUNCTION cron.schedule_in_database(text, text, text, text, text, boolean) IS
    'like schedule() with a name; the database must be the current one; superusers may choose the role; returns the jobid';

CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cron.check_none_is_null(job_name, schedule, command);
    schedule := cron.checked_schedule(schedule);
    PERFORM cron.check_database(current_database(), cron.current_owner());
    RETURN cron.put_job(job_name, schedule, command, true, cron.current_owner());
END $$;
COMMENT ON FUNCTION cron.schedule(text, text, text) IS
    'makes a job that runs a command on a schedule, or gives the caller''s job of that name the new schedule and command; returns its jobid';

CREATE FUNCTION cron.check_name_is_free(jobname text, owner oid) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM metrics_refresh.job j
               WHERE j.job_name = jobname AND j.owner_oid = check_name_is_free.owner) THEN
        RAISE unique_violation USING
            MESSAGE = 'duplicate key value violates unique constraint "jobname_username_uniq"',
            DETAIL = format('Key (jobname, username)=(%s, %s) already exists.', jobname, pg_get_userbyid(owner));
    END IF;
END $$;
COMMENT ON FUNCTION cron.check_name_is_free(text, oid) IS
    'raises 23505, as pg_cron does, if the role has a job of this name';

-- Both ways to change a job use this. The functions of metrics_refresh check the rights of the caller.
CREATE FUNCTION cron.change_job(job_id bigint, new_schedule text, new_command text,
                                new_owner oid, new_active boolean)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner oid;
    name text;
BEGIN
    SELECT j.owner_oid, j.job_name INTO STRICT owner, name FROM metrics_refresh.job j
    WHERE j.job_id = change_job.job_id;
    IF new_owner <> owner THEN
        PERFORM cron.check_name_is_free(name, new_owner);
    END IF;
    IF new_command IS NOT NULL THEN
        PERFORM cron.check_may_schedule();
        -- A command belongs to the role that writes it. A superuser may write one for another role.
        new_owner := coalesce(new_owner, owner);
        owner := cron.current_owner();
    END IF;
    IF num_nonnulls(new_schedule, new_command, nullif(new_owner, owner)) > 0 THEN
        PERFORM metrics_refresh.alter_job(job_id::text, new_schedule, command => new_command,
                                          owner => pg_get_userbyid(nullif(new_owner, owner)));
    END IF;
    IF new_active THEN
        PERFORM metrics_refresh.resume(job_id::text); -- ends a suspension too
    ELSIF NOT new_active THEN
        PERFORM metrics_refresh.pause(job_id::text);
    END IF;
END $$;
COMMENT ON FUNCTION cron.change_job(bigint, text, text, oid, boolean) IS
    'changes the values of a job that are not NULL';

CREATE FUNCTION cron.alter_job(job_id bigint, schedule text DEFAULT NULL, command text DEFAULT NULL,
                               database text DEFAULT NULL, username text DEFAULT NULL,
                               active boolean DEFAULT NULL)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner oid;
BEGIN
    IF job_id IS NULL THEN
        RAISE internal_error USING MESSAGE = 'job_id can not be NULL';
    END IF;
    IF username IS NOT NULL THEN
        IF NOT cron.is_superuser() THEN
            RAISE internal_error USING MESSAGE = 'must be superuser to alter username';
        END IF;
        owner := cron.login_role(username);
    END IF;
    IF database IS NOT NULL THEN
        PERFORM cron.check_database(database, coalesce(owner, cron.current_owner()));
    END IF;
    IF schedule IS NOT NULL THEN
        schedule := cron.checked_schedule(schedule);
    END IF;
    IF num_nonnulls(schedule, command, database, username, active) = 0 THEN
        RAISE internal_error USING MESSAGE = 'no updates specified',
            HINT = 'You must specify at least one job attribute to change when calling alter_job';
    END IF;
    PERFORM FROM metrics_refresh.job j
    WHERE j.job_id = alter_job.job_id AND j.command IS NOT NULL AND j.schedule IS NOT NULL
      AND NOT j.is_default
      AND (j.owner_oid = cron.current_owner() OR cron.is_superuser());
    IF NOT FOUND THEN
        RAISE internal_error USING MESSAGE = format('Job %s does not exist or you don''t own it', job_id);
    END IF;
    PERFORM cron.change_job(job_id, schedule, command, owner, active);
END $$;
COMMENT ON FUNCTION cron.alter_job(bigint, text, text, text, text, boolean) IS
    'changes the values of the caller''s job that are not NULL; superusers may change all jobs, and only they the user';

-- As in pg_cron, an administrator grants these.
REVOKE ALL ON FUNCTION cron.schedule_in_database(text, text, text, text, text, boolean),
    cron.alter_job(bigint, text, text, text, text, boolean) FROM PUBLIC;

CREATE FUNCTION cron.unschedule(job_id bigint) RETURNS boolean
    LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner oid;
BEGIN
    SELECT owner_oid INTO owner FROM metrics_refresh.job
    WHERE job.job_id = unschedule.job_id AND command IS NOT NULL AND schedule IS NOT NULL
      AND NOT is_default;
    IF NOT FOUND THEN
        RAISE internal_error USING MESSAGE = format('could not find valid entry for job %s', job_id);
    ELSIF owner <> cron.current_owner() AND NOT has_table_privilege('cron.job', 'DELETE') THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied for table job';
    END IF;
    RETURN metrics_refresh.unschedule(job_id::text);
END $$;
COMMENT ON FUNCTION cron.unschedule(bigint) IS
    'removes a job of the caller, or one that the caller sees if it has DELETE on cron.job; keeps the log of its runs';

CREATE FUNCTION cron.unschedule(job_name text) RETURNS boolean
    LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id bigint;
BEGIN
    SELECT j.job_id INTO id FROM metrics_refresh.job j
    WHERE j.job_name = unschedule.job_name AND j.owner_oid = cron.current_owner()
      AND j.command IS NOT NULL AND j.schedule IS NOT NULL AND NOT j.is_default;
    IF NOT FOUND THEN
        RAISE internal_error USING MESSAGE = format('could not find valid entry for job ''%s''', job_name);
    END IF;
    RETURN metrics_refresh.unschedule(id::text);
END $$;
COMMENT ON FUNCTION cron.unschedule(text) IS 'removes the caller''s job of this name; keeps the log of its runs';

------------------------------------------------------------------------------------------------
-- cron.job. It is a security barrier, because the policy of pg_cron on its table is one.

CREATE VIEW cron.job WITH (security_invoker = true, security_barrier = true) AS
    SELECT j.job_id AS jobid, j.schedule, j.command, 'localhost'::text AS nodename,
           current_setting('port')::integer AS nodeport, current_database()::text AS database,
           coalesce(r.rolname, j.owner)::text AS username, j.active, cron.jobname(j.job_name) AS jobname
    FROM metrics_refresh.job j LEFT JOIN pg_roles r ON r.oid = j.owner_oid -- may have been renamed
    WHERE j.command IS NOT NULL AND j.schedule IS NOT NULL AND NOT j.is_default
      AND ((SELECT cron.sees_all()) OR j.owner_oid = (SELECT cron.current_owner()));
COMMENT ON VIEW cron.job IS
    'the caller''s command jobs that have a schedule, or all of these for superusers, without the default one; with the privileges for it, rows may be inserted, updated (schedule, command, active; for superusers username) and deleted';
COMMENT ON COLUMN cron.job.jobname IS 'NULL for a job that was scheduled without a name';
COMMENT ON COLUMN cron.job.nodename IS 'always localhost: a job runs in this server';
COMMENT ON COLUMN cron.job.database IS 'always the current database; each database has its own jobs';
ALTER VIEW cron.job ALTER COLUMN active SET DEFAULT true;
ALTER VIEW cron.job ALTER COLUMN nodename SET DEFAULT 'localhost';
ALTER VIEW cron.job ALTER COLUMN nodeport SET DEFAULT current_setting('port')::integer;
ALTER VIEW cron.job ALTER COLUMN database SET DEFAULT current_database();
ALTER VIEW cron.job ALTER COLUMN username SET DEFAULT current_user;

CREATE FUNCTION cron.write_job() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner oid;
BEGIN
    IF TG_RELID <> 'cron.job'::regclass THEN
        RAISE 'the function is the trigger of cron.job' USING ERRCODE = '39P01';
    END IF;
    IF TG_OP <> 'INSERT' AND NOT EXISTS (SELECT FROM metrics_refresh.job j WHERE j.job_id = OLD.jobid) THEN
        RETURN NULL; -- removed meanwhile
    ELSIF TG_OP = 'DELETE' THEN
        RETURN CASE WHEN metrics_refresh.unschedule(OLD.jobid::text) THEN OLD END;
    END IF;
    IF num_nulls(NEW.schedule, NEW.command, NEW.database, NEW.username, NEW.active) > 0 THEN
        RAISE not_null_violation USING MESSAGE = format('null value in column "%s" of relation "job" violates not-null constraint',
            CASE WHEN NEW.schedule IS NULL THEN 'schedule' WHEN NEW.command IS NULL THEN 'command'
                 WHEN NEW.database IS NULL THEN 'database' WHEN NEW.username IS NULL THEN 'username'
                 ELSE 'active' END);
    END IF;
    IF TG_OP = 'INSERT' OR NEW.username <> OLD.username THEN
        IF NEW.username <> current_user AND NOT cron.is_superuser() THEN
            RAISE insufficient_privilege USING
                MESSAGE = 'new row violates row-level security policy for table "job"';
        END IF;
        owner := cron.login_role(NEW.username);
    END IF;
    IF TG_OP = 'INSERT' OR NEW.database <> OLD.database THEN
        PERFORM cron.check_database(NEW.database, coalesce(owner, cron.current_owner()));
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.jobid IS NOT NULL THEN
            RAISE generated_always USING MESSAGE = 'a jobid cannot be chosen',
                HINT = 'Leave it out: INSERT … RETURNING jobid says what it is.';
        END IF;
        PERFORM cron.check_name_is_free(NEW.jobname, owner);
        NEW.schedule := cron.checked_schedule(NEW.schedule);
        NEW.jobid := cron.put_job(NEW.jobname, NEW.schedule, NEW.command, NEW.active, owner);
    ELSE
        IF NEW.jobid IS DISTINCT FROM OLD.jobid OR NEW.jobname IS DISTINCT FROM OLD.jobname THEN
            RAISE feature_not_supported USING MESSAGE = 'jobid and jobname of a job cannot be changed',
                HINT = 'Unschedule it and schedule it under its new name.';
        END IF;
        IF NEW.schedule <> OLD.schedule THEN
            NEW.schedule := cron.checked_schedule(NEW.schedule);
        END IF;
        PERFORM cron.change_job(OLD.jobid, nullif(NEW.schedule, OLD.schedule),
                                nullif(NEW.command, OLD.command), owner,
                                nullif(NEW.active, OLD.active));
    END IF;
    IF NEW.nodename IS DISTINCT FROM 'localhost' OR NEW.nodeport IS DISTINCT FROM current_setting('port')::integer THEN
        RAISE NOTICE 'nodename and nodeport are ignored: jobs run in this server';
        NEW.nodename := 'localhost';
        NEW.nodeport := current_setting('port');
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION cron.write_job() IS 'applies changes of rows in cron.job by the functions of metrics_refresh';
CREATE TRIGGER write_job INSTEAD OF INSERT OR UPDATE OR DELETE ON cron.job
    FOR EACH ROW EXECUTE FUNCTION cron.write_job();

------------------------------------------------------------------------------------------------
-- cron.job_run_details

CREATE FUNCTION cron.return_message(status text, result text, error_message text, error_detail text,
                                    error_hint text, error_context text)
    RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN status = 'running' THEN NULL
        WHEN status <> 'success' THEN
            CASE WHEN error_message IS NULL THEN 'job canceled'
                 ELSE concat('ERROR:  ', error_message, E'\nDETAIL:  ' || nullif(error_detail, ''),
                             E'\nHINT:  ' || nullif(error_hint, ''),
                             E'\nCONTEXT:  ' || nullif(error_context, '')) END
        -- The tag of the last statement; for a query, the number of its rows.
        ELSE regexp_replace(regexp_replace(regexp_replace(result, '^.*; ', ''),
                            '^SELECT 1$', '1 row'), '^SELECT (\d+)$', '\1 rows')
    END
$$;
COMMENT ON FUNCTION cron.return_message(text, text, text, text, text, text) IS
    'returns the message of a run as pg_cron does: the complete error, or for the last statement the number of rows of a query or its tag';

CREATE VIEW cron.job_run_details WITH (security_invoker = true, security_barrier = true) AS
    SELECT l.job_id AS jobid, l.run_id AS runid, l.worker_pid AS job_pid,
           current_database()::text AS database, l.owner::text AS username, l.command,
           CASE l.status WHEN 'running' THEN 'running' WHEN 'success' THEN 'succeeded'
                         ELSE 'failed' END AS status,
           cron.return_message(l.status, l.result, l.error_message, l.error_detail, l.error_hint,
                               l.error_context) AS return_message,
           l.started_at AS start_time, l.finished_at AS end_time
    FROM metrics_refresh.run_log l
    WHERE l.command IS NOT NULL
      AND l.job_id NOT IN (SELECT j.job_id FROM metrics_refresh.job j WHERE j.is_default)
      AND ((SELECT cron.sees_all()) OR l.owner_oid = (SELECT cron.current_owner()));
COMMENT ON VIEW cron.job_run_details IS
    'the runs of the caller''s command jobs, or of all roles for superusers; rows of ended runs may be deleted';
COMMENT ON COLUMN cron.job_run_details.status IS 'running, succeeded or failed';

-- No role may write the log, and clean-up is for super admins. This function therefore runs as its owner, for a row
-- that the view has shown to the caller. No role may use it as the trigger of another relation.
CREATE FUNCTION cron.delete_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'cron.job_run_details'::regclass OR TG_OP <> 'DELETE' THEN
        RAISE 'the function is the trigger of cron.job_run_details' USING ERRCODE = '39P01';
    END IF;
    DELETE FROM metrics_refresh_internal.run_log l
    WHERE l.run_id = OLD.runid AND l.command IS NOT NULL AND l.finished_at IS NOT NULL;
    RETURN CASE WHEN FOUND THEN OLD END;
END $$;
COMMENT ON FUNCTION cron.delete_run() IS
    'deletes the log row of an ended run that the caller sees in cron.job_run_details';
REVOKE ALL ON FUNCTION cron.delete_run(), cron.write_job() FROM PUBLIC;
CREATE TRIGGER delete_run INSTEAD OF DELETE ON cron.job_run_details
    FOR EACH ROW EXECUTE FUNCTION cron.delete_run();

-- As in metrics_refresh's script.
SELECT metrics_refresh_internal.revoke_default_privileges('metrics_refresh_cron');
GRANT SELECT ON cron.job TO PUBLIC;
GRANT SELECT, DELETE ON cron.job_run_details TO PUBLIC;
