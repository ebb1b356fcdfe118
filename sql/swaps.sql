-- A job keeps the name that it was given: when its view is renamed it follows, and when a view of that
-- name appears again it returns. Nobody takes a job away by making a view of the name.
\set SHOW_CONTEXT never
CREATE ROLE regress_deployer;
GRANT regress_owner TO regress_deployer;
CREATE SCHEMA swaps;
GRANT ALL ON SCHEMA swaps TO regress_owner, regress_stranger;
CREATE TABLE swaps.base AS SELECT g AS id FROM generate_series(1, 3) g;
GRANT SELECT ON swaps.base TO regress_owner, regress_stranger, regress_deployer;
SET ROLE regress_owner;
CREATE MATERIALIZED VIEW swaps.v AS SELECT id FROM swaps.base;
CREATE MATERIALIZED VIEW swaps.w AS SELECT id FROM swaps.base;
SELECT metrics_refresh.schedule('swaps.v', job_name => 'swapped') IS NOT NULL AS scheduled;
SELECT metrics_refresh.schedule_group('swapped group', ARRAY['swaps.v', 'swaps.w']::regclass[], populate => false) IS NOT NULL AS scheduled;
RESET ROLE;
CREATE VIEW swaps.means AS
    SELECT job_name, j.view_schema || '.' || j.view_name AS known_as, j.given_schema || '.' || j.given_name AS given, c.relname AS means
    FROM metrics_refresh.job j LEFT JOIN pg_class c ON c.oid = j.view_oid WHERE job_name = 'swapped'
    UNION ALL
    SELECT 'group', m.view_schema || '.' || m.view_name, m.given_schema || '.' || m.given_name, c.relname
    FROM metrics_refresh.job_member m LEFT JOIN pg_class c ON c.oid = m.view_oid;
CREATE VIEW swaps.renamed AS SELECT severity, detail, hint FROM metrics_refresh.health_check() WHERE check_name = 'view_renamed';
SELECT * FROM swaps.renamed;

-- Three transactions, and runs in between.
ALTER MATERIALIZED VIEW swaps.v RENAME TO v_backup;
CALL tools.run('swapped');
CALL tools.run('swapped group');
SELECT * FROM swaps.means ORDER BY 1, 2;
SELECT * FROM swaps.renamed;
SET ROLE regress_owner;
CREATE MATERIALIZED VIEW swaps.v_new AS SELECT id FROM swaps.base WITH NO DATA;
RESET ROLE;
ALTER MATERIALIZED VIEW swaps.v_new RENAME TO v;
CALL tools.run('swapped');
CALL tools.run('swapped group');
SELECT * FROM swaps.means ORDER BY 1, 2;
SELECT * FROM swaps.renamed;
SELECT count(*) FROM swaps.v;

-- A stranger's view of the name is left alone, before and after the rename is noted, and health names it.
ALTER MATERIALIZED VIEW swaps.v RENAME TO v_old;
SET ROLE regress_stranger;
CREATE MATERIALIZED VIEW swaps.v AS SELECT 0 AS id;
RESET ROLE;
CALL tools.run('swapped');
CALL tools.run('swapped group');
CALL tools.run('swapped');
SELECT * FROM swaps.means ORDER BY 1, 2;
SELECT * FROM swaps.renamed;
SELECT job_name, view, status, error_message FROM tools.log ORDER BY n DESC LIMIT 1;
-- What a role with the owner's rights makes is meant, if the job's owner may refresh it.
DROP MATERIALIZED VIEW swaps.v;
GRANT ALL ON SCHEMA swaps TO regress_deployer;
SET ROLE regress_deployer;
CREATE MATERIALIZED VIEW swaps.v AS SELECT id FROM swaps.base;
RESET ROLE;
CALL tools.run('swapped');
SELECT * FROM swaps.means WHERE job_name = 'swapped';
SELECT * FROM swaps.renamed WHERE detail LIKE 'job %';
ALTER MATERIALIZED VIEW swaps.v OWNER TO regress_owner;
CALL tools.run('swapped');
CALL tools.run('swapped group');
SELECT * FROM swaps.means ORDER BY 1, 2;

-- Called by its new name, the job is settled.
ALTER MATERIALIZED VIEW swaps.v RENAME TO v_renamed;
CALL tools.run('swapped');
SET ROLE regress_owner;
SELECT metrics_refresh.schedule('swaps.v_renamed', job_name => 'swapped') IS NOT NULL AS scheduled;
CREATE MATERIALIZED VIEW swaps.v AS SELECT id FROM swaps.base;
RESET ROLE;
CALL tools.run('swapped');
SELECT * FROM swaps.means WHERE job_name = 'swapped';
-- Dropped and made anew under the name that it was renamed to.
ALTER MATERIALIZED VIEW swaps.v_renamed RENAME TO v_again;
CALL tools.run('swapped');
DROP MATERIALIZED VIEW swaps.v_again;
SET ROLE regress_owner;
CREATE MATERIALIZED VIEW swaps.v_again AS SELECT id FROM swaps.base;
RESET ROLE;
CALL tools.run('swapped');
SELECT * FROM swaps.means WHERE job_name = 'swapped';

-- A schema that is renamed, and one that takes its place.
ALTER SCHEMA swaps RENAME TO swaps_old;
CALL tools.run('swapped');
SELECT * FROM swaps_old.means WHERE job_name = 'swapped';
CREATE SCHEMA swaps AUTHORIZATION regress_owner;
SET ROLE regress_owner;
CREATE MATERIALIZED VIEW swaps.v_renamed AS SELECT id FROM swaps_old.base;
RESET ROLE;
CALL tools.run('swapped');
SELECT * FROM swaps_old.means WHERE job_name = 'swapped';
SELECT status, count(*) FROM tools.log WHERE job_name = 'swapped' GROUP BY 1;

-- What is incremental follows too.
SET ROLE regress_owner;
CREATE TABLE swaps.counted (id int PRIMARY KEY, n int);
INSERT INTO swaps.counted VALUES (1, 1), (2, 1);
CREATE MATERIALIZED VIEW swaps.sums AS SELECT n, count(*) FROM swaps.counted GROUP BY n;
SELECT metrics_refresh.schedule('swaps.sums', job_name => 'sums', strategy => 'incremental') IS NOT NULL AS scheduled;
ALTER MATERIALIZED VIEW swaps.sums RENAME TO sums_backup;
CALL tools.run('sums');
CREATE MATERIALIZED VIEW swaps.sums_new AS SELECT n, count(*) FROM swaps.counted GROUP BY n;
ALTER MATERIALIZED VIEW swaps.sums_new RENAME TO sums;
CALL tools.run('sums');
INSERT INTO swaps.counted VALUES (3, 2);
CALL tools.run('sums');
SELECT * FROM swaps.sums ORDER BY 1;
RESET ROLE;
SELECT view, status, strategy FROM tools.log WHERE job_name = 'sums' ORDER BY n;
CALL tools.sweep();
SELECT view_schema, view_name FROM metrics_refresh_internal.incremental_view;

SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE NOT is_default;
CALL tools.sweep();
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA swaps, swaps_old CASCADE;
DROP ROLE regress_deployer;
