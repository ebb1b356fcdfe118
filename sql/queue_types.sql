-- Types of background jobs: the options, the handler and how it is bound, and who may change what.
\set SHOW_CONTEXT never
CREATE SCHEMA qt;
GRANT USAGE, CREATE ON SCHEMA qt TO regress_owner, regress_stranger;
GRANT USAGE ON SCHEMA qt TO regress_admin;
SET ROLE regress_owner;
CREATE FUNCTION qt.send(payload jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION qt.with_id(job_id bigint, payload jsonb) RETURNS text LANGUAGE sql AS $$ SELECT 'sent' $$;

-- With the defaults, and with all options.
SELECT metrics_refresh.register_job_type('send mail', 'qt.send(jsonb)');
SELECT metrics_refresh.register_job_type('score', handler => 'qt.with_id(bigint, jsonb)', max_attempts => 3,
    backoff => '2 s', max_backoff => '1 min', timeout => '30 s', concurrency => 4, concurrency_per_key => 1,
    rate_limit => 100, rate_period => '1 min', priority => -5, mode => 'grouped');
SELECT metrics_refresh.register_job_type('fetch', mode => 'external');
SELECT type_id > 0 AS has_id, type, mode, handler, owner, paused, max_attempts, backoff, max_backoff, timeout, concurrency,
       concurrency_per_key, rate_limit, rate_period, priority FROM metrics_refresh.job_types ORDER BY type;

-- A second call replaces all options, and leaves number and pause.
SELECT type_id AS score FROM metrics_refresh.job_types WHERE type = 'score' \gset
SELECT metrics_refresh.pause_job_type('score');
SELECT metrics_refresh.register_job_type('score', 'qt.send(jsonb)', max_attempts => 7);
SELECT type_id = :score AS same, mode, handler, paused, max_attempts, backoff, concurrency, priority
FROM metrics_refresh.job_types WHERE type = 'score';
SELECT metrics_refresh.resume_job_type('score');

-- alter_job_type() leaves the options that are NULL; 0 removes a limit.
SELECT metrics_refresh.alter_job_type('score', concurrency => 2, rate_limit => 10);
SELECT paused, handler, max_attempts, concurrency, rate_limit FROM metrics_refresh.job_types WHERE type = 'score';
SELECT metrics_refresh.alter_job_type('score', concurrency => 0, rate_limit => 0, max_attempts => 1, handler => 'qt.with_id(bigint, jsonb)');
SELECT handler, max_attempts, concurrency, rate_limit FROM metrics_refresh.job_types WHERE type = 'score';
SELECT metrics_refresh.alter_job_type('score', mode => 'external');
SELECT mode, handler FROM metrics_refresh.job_types WHERE type = 'score';
SELECT tools.try($$SELECT metrics_refresh.alter_job_type('score', mode => 'grouped')$$);
SELECT tools.try($$SELECT metrics_refresh.alter_job_type('score', handler => 'qt.send(jsonb)')$$);
SELECT metrics_refresh.alter_job_type('score', mode => 'grouped', handler => 'qt.send(jsonb)');
SELECT mode, handler FROM metrics_refresh.job_types WHERE type = 'score';
SELECT metrics_refresh.alter_job_type('score', mode => 'exactly_once');
SELECT mode, handler FROM metrics_refresh.job_types WHERE type = 'score';

-- Values that are not allowed.
SELECT option, tools.try(format($$SELECT metrics_refresh.alter_job_type('score', %s)$$, option)) AS refused FROM unnest(ARRAY[
    'max_attempts => 0', 'max_attempts => 1001', 'backoff => ''-1 s''', 'max_backoff => ''1 month''', 'timeout => ''0''',
    'timeout => ''2 days''', 'concurrency => -1', 'concurrency_per_key => 1000001', 'rate_limit => -1', 'rate_period => ''0''',
    'priority => 101', 'priority => -101', 'mode => ''twice''', 'owner => ''nobody_of_this_name''']) option;
SELECT tools.try($$SELECT metrics_refresh.register_job_type(NULL, 'qt.send(jsonb)')$$);
SELECT tools.try($$SELECT metrics_refresh.register_job_type('', 'qt.send(jsonb)')$$);
SELECT tools.try($$SELECT metrics_refresh.register_job_type(repeat('x', 201), 'qt.send(jsonb)')$$);
SELECT tools.try($$SELECT metrics_refresh.register_job_type('t', 'qt.send(jsonb)', max_attempts => NULL)$$);
SELECT tools.try($$SELECT metrics_refresh.register_job_type('t')$$);
SELECT tools.try($$SELECT metrics_refresh.register_job_type('t', 'qt.send(jsonb)', mode => 'external')$$);
SELECT tools.try($$SELECT metrics_refresh.register_job_type('t', 'qt.missing(jsonb)')$$);
SELECT tools.try($$SELECT metrics_refresh.register_job_type('t', 2147483647::oid::regprocedure)$$);

-- The form of a handler.
CREATE FUNCTION qt.as_text(payload text) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION qt.as_int(job_id int, payload jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION qt.three(job_id bigint, payload jsonb, more int DEFAULT 0) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION qt.any_kind(payload anyelement) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION qt.many(payload jsonb) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION qt.variadic_one(VARIADIC payload jsonb[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION qt.none() RETURNS void LANGUAGE sql AS '';
CREATE PROCEDURE qt.proc(payload jsonb) LANGUAGE sql AS '';
CREATE AGGREGATE qt.agg(jsonb) (SFUNC = jsonb_concat, STYPE = jsonb);
SELECT handler, tools.try(format($$SELECT metrics_refresh.register_job_type('t', %L)$$, handler)) AS refused
FROM unnest(ARRAY['qt.as_text(text)', 'qt.as_int(int, jsonb)', 'qt.three(bigint, jsonb, int)', 'qt.any_kind(anyelement)', 'qt.many(jsonb)',
    'qt.variadic_one(jsonb[])', 'qt.none()', 'qt.proc(jsonb)', 'qt.agg(jsonb)']) handler;
CREATE FUNCTION pg_temp.short_lived(payload jsonb) RETURNS void LANGUAGE sql AS '';
SELECT tools.try($$SELECT metrics_refresh.register_job_type('t', 'pg_temp.short_lived(jsonb)')$$);
SELECT count(*) FROM metrics_refresh.job_types WHERE type = 't';

-- The owner has to be able to execute it.
RESET ROLE;
CREATE FUNCTION qt.secret(payload jsonb) RETURNS void LANGUAGE sql AS '';
REVOKE ALL ON FUNCTION qt.secret(jsonb) FROM PUBLIC;
SET ROLE regress_owner;
SELECT tools.try($$SELECT metrics_refresh.register_job_type('t', 'qt.secret(jsonb)')$$);
SELECT tools.try($$SELECT metrics_refresh.alter_job_type('score', handler => 'qt.secret(jsonb)')$$);

-- A missing type, with the likely name; a stranger gets no hint of types that it cannot see.
SELECT tools.try($$SELECT metrics_refresh.alter_job_type('scor', priority => 1)$$);
SELECT tools.try($$SELECT metrics_refresh.pause_job_type('sendmail')$$);
SELECT tools.try($$SELECT metrics_refresh.resume_job_type('nothing like it')$$);
SELECT metrics_refresh.drop_job_type('scor');
SELECT tools.try($$SELECT metrics_refresh.drop_job_type(NULL)$$);
SET ROLE regress_stranger;
SELECT count(*) AS seen_by_stranger FROM metrics_refresh.job_types;
SELECT tools.try($$SELECT metrics_refresh.alter_job_type('scor', priority => 1)$$);

-- Strangers change nothing; the name is taken in the whole database.
SELECT call, tools.try(format('SELECT metrics_refresh.%s', call)) AS refused FROM unnest(ARRAY[
    'alter_job_type(''score'', priority => 1)', 'pause_job_type(''score'')', 'resume_job_type(''score'')', 'drop_job_type(''score'')',
    'register_job_type(''score'', mode => ''external'')', 'register_job_type(''own'', mode => ''external'', owner => ''regress_owner'')']) call;
SELECT tools.try($$SELECT count(*) FROM metrics_refresh_internal.job_type$$);

-- A super admin manages all types, but chooses no code that runs with rights that the super admin lacks.
RESET ROLE;
SET metrics_refresh.admin_role = 'regress_admins';
SET ROLE regress_admin;
SELECT type, owner FROM metrics_refresh.job_types ORDER BY type;
SELECT metrics_refresh.pause_job_type('score');
SELECT metrics_refresh.alter_job_type('score', max_attempts => 9);
SELECT metrics_refresh.resume_job_type('score');
SELECT call, tools.try(format('SELECT metrics_refresh.%s', call)) AS refused FROM unnest(ARRAY[
    'alter_job_type(''score'', handler => ''qt.send(jsonb)'')', 'alter_job_type(''score'', mode => ''external'')',
    'alter_job_type(''score'', owner => ''regress_admin'')', 'register_job_type(''score'', ''qt.send(jsonb)'')',
    'register_job_type(''new'', mode => ''external'', owner => ''regress_owner'')']) call;
RESET ROLE;
GRANT regress_owner TO regress_admin;
SET ROLE regress_admin;
SELECT metrics_refresh.register_job_type('new', 'qt.send(jsonb)', owner => 'regress_owner');
SELECT metrics_refresh.alter_job_type('new', owner => 'regress_admin');
SELECT type, owner FROM metrics_refresh.job_types WHERE type = 'new';
SELECT metrics_refresh.drop_job_type('new');
-- Without the argument owner, a type keeps its owner.
SELECT metrics_refresh.register_job_type('fetch', mode => 'external', priority => 3);
SELECT owner, priority FROM metrics_refresh.job_types WHERE type = 'fetch';
RESET ROLE;
REVOKE regress_owner FROM regress_admin;
RESET metrics_refresh.admin_role;
-- Jobs run connected as the owner, so that has to be possible.
SELECT tools.try($$SELECT metrics_refresh.register_job_type('t', 'qt.send(jsonb)', owner => 'regress_admins')$$);

-- The handler is bound by name: dropped and made again by its owner, it is the same. A function of this name that a
-- stranger has made is not used, for it would run with the rights of the type's owner.
CREATE FUNCTION qt.bound(type text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE t.handler_oid WHEN 0 THEN 'none' ELSE coalesce(p.proowner::regrole::text, 'dropped') END
    FROM metrics_refresh_internal.job_type t LEFT JOIN pg_proc p ON p.oid = t.handler_oid WHERE t.name = type $$;
SELECT qt.bound('score');
SET ROLE regress_owner;
DROP FUNCTION qt.send(jsonb);
SET ROLE regress_stranger;
CREATE FUNCTION qt.send(payload jsonb) RETURNS void LANGUAGE sql AS '';
RESET ROLE;
-- As a restore writes the row.
UPDATE metrics_refresh_internal.job_type SET handler_oid = 1 WHERE name = 'score';
SELECT qt.bound('score');
DROP FUNCTION qt.send(jsonb);
SET ROLE regress_owner;
CREATE FUNCTION qt.send(payload jsonb) RETURNS void LANGUAGE sql AS '';
RESET ROLE;
UPDATE metrics_refresh_internal.job_type SET handler_oid = 1 WHERE name IN ('score', 'send mail');
SELECT qt.bound('score');
-- A rename of the function is followed.
ALTER FUNCTION qt.send(jsonb) RENAME TO deliver;
CALL tools.wait_until($$SELECT handler = 'qt.deliver(jsonb)' FROM metrics_refresh.job_types WHERE type = 'score'$$);
-- So is a rename of the owner; a role that takes the name of a dropped owner does not get the type.
CREATE ROLE regress_qt LOGIN;
GRANT USAGE, CREATE ON SCHEMA qt TO regress_qt;
SET ROLE regress_qt;
CREATE FUNCTION qt.own(payload jsonb) RETURNS void LANGUAGE sql AS '';
SELECT metrics_refresh.register_job_type('of qt', 'qt.own(jsonb)');
RESET ROLE;
ALTER ROLE regress_qt RENAME TO regress_qt2;
CALL tools.wait_until($$SELECT owner = 'regress_qt2' FROM metrics_refresh.job_types WHERE type = 'of qt'$$);
DROP OWNED BY regress_qt2;
DROP ROLE regress_qt2;
CREATE ROLE regress_qt2 LOGIN;
SELECT metrics_refresh.pause_job_type('of qt');
SET ROLE regress_qt2;
SELECT count(*) FROM metrics_refresh.job_types;
SELECT tools.try($$SELECT metrics_refresh.resume_job_type('of qt')$$);
RESET ROLE;
SELECT tools.try($$SELECT metrics_refresh.alter_job_type('of qt', mode => 'external')$$);
SELECT metrics_refresh.alter_job_type('of qt', owner => 'regress_owner', mode => 'external');
SELECT owner, mode FROM metrics_refresh.job_types WHERE type = 'of qt';
SELECT metrics_refresh.drop_job_type('of qt');
DROP ROLE regress_qt2;

-- Types count for the share of jobs.
ALTER ROLE regress_owner SET metrics_refresh.max_jobs_per_role = 4;
SET metrics_refresh.max_jobs_per_role = 4;
SET ROLE regress_owner;
SELECT metrics_refresh.register_job_type('fourth', mode => 'external');
SELECT tools.try($$SELECT metrics_refresh.register_job_type('fifth', mode => 'external')$$);
SELECT metrics_refresh.alter_job_type('fourth', priority => 1);
RESET ROLE;
ALTER ROLE regress_owner RESET metrics_refresh.max_jobs_per_role;
RESET metrics_refresh.max_jobs_per_role;

-- Not for triggers of other tables.
CREATE TEMP TABLE bait (id int, name text);
CREATE TRIGGER t BEFORE INSERT ON bait FOR EACH ROW EXECUTE FUNCTION metrics_refresh_internal.job_type_before_write();
SELECT tools.try($$INSERT INTO bait VALUES (1)$$);
SELECT metrics_refresh_internal.job_type_after_write();

SELECT metrics_refresh.drop_job_type(type) FROM metrics_refresh.job_types;
SELECT count(*) FROM metrics_refresh.job_types;
DROP SCHEMA qt CASCADE;
