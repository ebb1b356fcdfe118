-- Jobs from a crontab, and what import_from_pg_cron says where there is no pg_cron.
\set SHOW_CONTEXT never
\a
\pset null -
GRANT CREATE ON DATABASE contrib_regression TO regress_owner;
SET ROLE regress_owner;
CREATE SCHEMA im;
CREATE TABLE im.fact (n int);
CREATE MATERIALIZED VIEW im.a AS SELECT count(*) AS n FROM im.fact;
CREATE MATERIALIZED VIEW im.b AS SELECT n + 1 AS n FROM im.a;
CREATE MATERIALIZED VIEW im."Odd 'name" AS SELECT 1 AS n;
CREATE FUNCTION im.refresh_a() RETURNS void LANGUAGE sql AS 'REFRESH MATERIALIZED VIEW im.a';
CREATE FUNCTION im.refresh_both() RETURNS boolean LANGUAGE plpgsql SET search_path = im AS $$
BEGIN
    -- b reads a
    REFRESH MATERIALIZED VIEW CONCURRENTLY a; /* and /* then */ */
    REFRESH MATERIALIZED VIEW b;
    RETURN true;
END $$;
CREATE PROCEDURE im.refresh_path() LANGUAGE plpgsql AS $$ BEGIN REFRESH MATERIALIZED VIEW a; END $$;
CREATE FUNCTION im.logs() RETURNS void LANGUAGE plpgsql AS $$
BEGIN REFRESH MATERIALIZED VIEW im.a; INSERT INTO im.fact VALUES (1); END $$;
CREATE FUNCTION im.guarded() RETURNS void LANGUAGE plpgsql AS $$
BEGIN REFRESH MATERIALIZED VIEW im.a; EXCEPTION WHEN OTHERS THEN NULL; END $$;
CREATE FUNCTION im.declares() RETURNS void LANGUAGE plpgsql AS $$
DECLARE n int; BEGIN REFRESH MATERIALIZED VIEW im.a; END $$;
CREATE FUNCTION im.returns() RETURNS int LANGUAGE plpgsql AS $$
BEGIN REFRESH MATERIALIZED VIEW im.a; RETURN (SELECT count(*) FROM im.fact); END $$;
CREATE FUNCTION im.configured() RETURNS void LANGUAGE sql SET work_mem = '1GB' AS 'REFRESH MATERIALIZED VIEW im.a';
RESET ROLE;
CREATE MATERIALIZED VIEW public.admins_view AS SELECT 1 AS n;

CREATE TABLE im.crontab (name text, content text);
GRANT SELECT ON im.crontab TO PUBLIC;
CREATE FUNCTION im.crontab(name text) RETURNS text LANGUAGE sql AS
    'SELECT content FROM im.crontab c WHERE c.name = crontab.name';

-- What commands do.
INSERT INTO im.crontab VALUES ('commands', $crontab$
# m h dom mon dow  command
CRON_TZ=Europe/Berlin
*/5 * * * *   psql -d contrib_regression -c 'REFRESH MATERIALIZED VIEW im.a'
0 * * * *     psql -d contrib_regression -c "REFRESH MATERIALIZED VIEW CONCURRENTLY im.b; REFRESH MATERIALIZED VIEW im.a;"
1 * * * *     psql -d contrib_regression -c 'REFRESH MATERIALIZED VIEW im.a' -c 'REFRESH MATERIALIZED VIEW im.b'
2 * * * *     psql -d contrib_regression -c "REFRESH MATERIALIZED VIEW im.\"Odd 'name\""
3 * * * *     psql -d contrib_regression -c 'SELECT im.refresh_a()'
4 * * * *     psql -d contrib_regression -c 'SELECT * FROM im.refresh_both();'
5 * * * *     psql -d contrib_regression -c 'CALL im.refresh_path()'
6 * * * *     psql -d contrib_regression -c 'SELECT im.logs()'
7 * * * *     psql -d contrib_regression -c 'SELECT im.guarded()'
8 * * * *     psql -d contrib_regression -c 'SELECT im.declares()'
9 * * * *     psql -d contrib_regression -c 'SELECT im.returns()'
10 * * * *    psql -d contrib_regression -c 'SELECT im.configured()'
11 * * * *    psql -d contrib_regression -c 'SELECT im.refresh_a() WHERE false'
12 * * * *    psql -d contrib_regression -c 'REFRESH MATERIALIZED VIEW im.a WITH NO DATA'
13 * * * *    psql -d contrib_regression -c 'REFRESH MATERIALIZED VIEW im.missing'
14 * * * *    psql -d contrib_regression -c 'REFRESH MATERIALIZED VIEW a'
15 * * * *    psql -d contrib_regression -c 'REFRESH MATERIALIZED VIEW im.fact'
16 * * * *    psql -d contrib_regression -c 'REFRESH MATERIALIZED VIEW admins_view'
17 * * * *    psql -d contrib_regression -c 'REFRESH MATERIALIZED VIEW im.a; VACUUM'
18 * * * *    psql -d contrib_regression -c 'SELECT im.no_such()'
19 * * * *    psql -d contrib_regression -c 'SELEC 1'
20 * * * *    psql -d contrib_regression -c "DELETE FROM im.fact WHERE n::text LIKE '50\%'"
21 * * * *    psql -d contrib_regression -c 'VACUUM im.fact -- and' -c 'ANALYZE im.fact'
$crontab$);
SET ROLE regress_owner;
SELECT source_id AS line, kind, target, action, note
FROM metrics_refresh.import_from_crontab(im.crontab('commands'));

-- What lines are.
RESET ROLE;
INSERT INTO im.crontab VALUES ('lines', $crontab$MAILTO=ops@example.org
0 1 * * *  psql -d contrib_regression -c 'SELECT 1'
@daily     /usr/bin/psql contrib_regression regress_owner -qAtX -v ON_ERROR_STOP=1 --command="SELECT 2" >> /var/log/two.log 2>&1
CRON_TZ=America/New_York
TZ=Asia/Tokyo
0 2 * * 1-5  psql -h db1 -p 6432 -U regress_owner -d regression -c 'SELECT 3' >/dev/null
CRON_TZ=Mars/Olympus
0 3 * * *  psql -d contrib_regression -c 'SELECT 4'
CRON_TZ=UTC
PGDATABASE=elsewhere
0 4 * * *  psql -c 'REFRESH MATERIALIZED VIEW im.a'
1 4 * * *  psql -c 'REFRESH MATERIALIZED VIEW a'
2 4 * * *  psql -U somebody -c 'SELECT 5'
PGDATABASE=
3 4 * * *  psql -c 'SELECT 6'
4 4 * * *  psql -d contrib_regression -f nightly.sql
5 4 * * *  pg_dump contrib_regression | gzip > dump.gz
6 4 * * *  psql -d contrib_regression -c "SELECT '$HOME'"
7 4 * * *  psql -d contrib_regression -c 'SELECT 7' && echo done
8 4 * * *  psql -d contrib_regression%SELECT 8
9 4 * * *  psql -d contrib_regression -c '\i nightly.sql'
10 4 * * * psql -d contrib_regression -c ' ; '
11 4 * * * postgres psql -d contrib_regression -c 'SELECT 9'
12 4 * *   psql
@never     psql -d contrib_regression -c 'SELECT 10'
0 4 31 2 * psql -d contrib_regression -c 'SELECT 11'
0 4 L * *  psql "dbname=contrib_regression" -c 'SELECT 12'
nonsense
@reboot    psql -d contrib_regression -c 'SELECT 13'
0 22-2 * * * psql -d contrib_regression -c 'SELECT 14'
H H * * *  psql -d contrib_regression -c 'SELECT 15'
0 5 * * *  psql -U app -c 'SELECT 16'
0 5 * * *  PGPASSWORD=x psql -d contrib_regression -c 'SELECT 17'
0 5 * * *  psql app -d contrib_regression -c 'SELECT 18'
PGOPTIONS='-c search_path=tenant7'
0 5 * * *  psql -d contrib_regression -c 'DELETE FROM log'
$crontab$);
SET ROLE regress_owner;
SELECT source_id AS line, job_name, kind, target, old_schedule, schedule, timezone, owner, database, active, action, note, statement
FROM metrics_refresh.import_from_crontab(im.crontab('lines')) \gx

-- Nothing is made by a dry run, and NULL is no text.
SELECT count(*) FROM metrics_refresh.job WHERE job_name LIKE 'crontab%';
SELECT tools.try('SELECT metrics_refresh.import_from_crontab(NULL)');
SELECT tools.try('SELECT metrics_refresh.import_from_crontab('''', NULL)');
SELECT count(*) FROM metrics_refresh.import_from_crontab('');
BEGIN READ ONLY;
SELECT count(*), count(DISTINCT action) FROM metrics_refresh.import_from_crontab(im.crontab('commands'));
COMMIT;

-- The import; what it would have made it has made.
CREATE TEMP TABLE planned AS SELECT * FROM metrics_refresh.import_from_crontab(im.crontab('commands'));
BEGIN;
SELECT count(*) FROM metrics_refresh.import_from_crontab(im.crontab('commands'), dry_run => false);
ROLLBACK;
SELECT count(*) FROM metrics_refresh.job WHERE job_name LIKE 'crontab%';
SELECT action, count(*) FROM metrics_refresh.import_from_crontab(im.crontab('commands'), dry_run => false) GROUP BY 1;
SELECT p.source_id, p.job_name, p.schedule = j.schedule AND p.timezone = j.timezone AND p.owner = j.owner
       AND p.kind = s.kind AND p.active = j.active AS as_planned,
       j.max_retries, j.max_runtime, j.lock_timeout
FROM planned p LEFT JOIN metrics_refresh.job j USING (job_name)
LEFT JOIN metrics_refresh.job_status s USING (job_name)
WHERE p.source_id IN (4, 5, 7, 24) ORDER BY 1;
SELECT j.job_name, m.view_schema, m.view_name FROM metrics_refresh.job_member m JOIN metrics_refresh.job j USING (job_id)
ORDER BY 1, 2, 3;
-- Again, also where lines have moved: nothing twice.
SELECT action, count(*) FROM metrics_refresh.import_from_crontab(im.crontab('commands'), dry_run => false) GROUP BY 1;
SELECT action, count(*) FROM metrics_refresh.import_from_crontab(E'#\n#' || im.crontab('commands'), false) GROUP BY 1;
SELECT count(*) FROM metrics_refresh.job WHERE job_name LIKE 'crontab%';
-- A job that was changed stays as it is; one of another task leaves the name alone.
SELECT metrics_refresh.alter_job('crontab line 4', schedule => '*/7 * * * *');
SELECT job_name, action, note FROM metrics_refresh.import_from_crontab(im.crontab('commands'), false) WHERE source_id = 4;
SELECT schedule FROM metrics_refresh.job WHERE job_name = 'crontab line 4';
SELECT job_name, action FROM metrics_refresh.import_from_crontab(E'\n\n\n0 0 * * * psql -d contrib_regression -c ''SELECT 1''', false);
SELECT job_name, action FROM metrics_refresh.import_from_crontab(E'\n\n\n0 0 * * * psql -d contrib_regression -c ''SELECT 2''', false);

-- The statement makes the same job.
RESET ROLE;
SELECT statement AS made FROM planned WHERE source_id = 7 \gset
SELECT metrics_refresh.unschedule('crontab line 7');
SET ROLE regress_owner;
SELECT count(*) FROM (:made) s;
SELECT job_name, action FROM metrics_refresh.import_from_crontab(im.crontab('commands'), false) WHERE source_id = 7;

-- One that may not write commands has its views refreshed all the same.
RESET ROLE;
GRANT USAGE ON SCHEMA im TO regress_stranger;
GRANT CREATE ON SCHEMA im TO regress_stranger;
SET ROLE regress_stranger;
CREATE MATERIALIZED VIEW im.own AS SELECT 1 AS n;
SELECT job_name, kind, action, note FROM metrics_refresh.import_from_crontab(
    E'CRON_TZ=UTC\n1 1 * * * psql -d contrib_regression -c "REFRESH MATERIALIZED VIEW im.own"\n'
    '1 1 * * * psql -d contrib_regression -c "SELECT 1"\n'
    '1 1 * * * psql -d contrib_regression -c "REFRESH MATERIALIZED VIEW im.a"', false);
SELECT job_name, view_name, owner FROM metrics_refresh.job;

-- pg_cron is for super admins, and is not here.
SELECT tools.try('SELECT metrics_refresh.import_from_pg_cron()');
RESET ROLE;
SELECT tools.try('SELECT metrics_refresh.import_from_pg_cron()');
SELECT tools.try('SELECT metrics_refresh.import_from_pg_cron(NULL)');
CREATE EXTENSION metrics_refresh_cron;
SELECT tools.try('SELECT metrics_refresh.import_from_pg_cron(false)');
DROP EXTENSION metrics_refresh_cron;

-- A schedule as pg_cron reads it.
SELECT t, metrics_refresh.as_pg_cron_reads(t) FROM unnest('{* * * * *,0 3 * * * SELECT 1,*/10 2 * * * *,*/10 30 2 * * *,@daily now,
    30 seconds,0 3 $ * *,0 3 * *,x * * * *}'::text[]) t;

-- The trigger is the table's alone.
SELECT tools.try('SELECT metrics_refresh_internal.job_take_over()');

-- Of functions that may be called so, the one that the server would call.
RESET ROLE;
CREATE SCHEMA im2;
CREATE FUNCTION im.shadowed() RETURNS void LANGUAGE plpgsql AS $$ BEGIN REFRESH MATERIALIZED VIEW im.a; END $$;
CREATE FUNCTION im2.shadowed(n int DEFAULT 1) RETURNS void LANGUAGE plpgsql AS $$ BEGIN DELETE FROM im.fact; END $$;
GRANT USAGE ON SCHEMA im2 TO regress_owner;
ALTER ROLE regress_owner IN DATABASE contrib_regression SET search_path = im2, im;
SET ROLE regress_owner;
SELECT kind, note FROM metrics_refresh.import_from_crontab('0 0 * * * psql -d contrib_regression -c "SELECT shadowed()"');
SELECT kind, note FROM metrics_refresh.import_from_crontab('0 0 * * * psql -d contrib_regression -c "SELECT im.shadowed()"');
SELECT kind, note FROM metrics_refresh.import_from_crontab('0 0 * * * psql -d contrib_regression -c "CALL shadowed()"');
RESET ROLE;
ALTER ROLE regress_owner IN DATABASE contrib_regression RESET search_path;
DROP SCHEMA im2 CASCADE;
SELECT count(metrics_refresh.unschedule(job_name)) FROM metrics_refresh.job WHERE job_name LIKE 'crontab%';
SET client_min_messages = warning;
DROP SCHEMA im CASCADE;
DROP MATERIALIZED VIEW admins_view;
REVOKE CREATE ON DATABASE contrib_regression FROM regress_owner;
