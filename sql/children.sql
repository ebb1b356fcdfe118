-- A table that had a child is one without children as soon as the child is gone, not with the next
-- ANALYZE: what pg_class says of it is a hint.
\set SHOW_CONTEXT never
CREATE SCHEMA children;
SET search_path = children, public;
CREATE TABLE t (id int PRIMARY KEY, n int);
INSERT INTO t VALUES (1, 1), (2, 2);
CREATE MATERIALIZED VIEW mv AS SELECT id, n FROM t;
CREATE TABLE c () INHERITS (t);
SELECT create_index, incremental FROM metrics_refresh.explain_refresh('mv');
DROP TABLE c;
SELECT relhassubclass FROM pg_class WHERE oid = 't'::regclass;
SELECT create_index, incremental FROM metrics_refresh.explain_refresh('mv');
SELECT metrics_refresh.schedule('mv', job_name => 'children', strategy => 'incremental') IS NOT NULL AS scheduled;
CALL tools.run('children');
UPDATE t SET n = 3 WHERE id = 2;
CALL tools.run('children');
SELECT status, strategy, rows_total FROM tools.log ORDER BY n DESC LIMIT 1;
SELECT * FROM mv ORDER BY id;
-- One that comes meanwhile is seen, and its rows.
CREATE TABLE c () INHERITS (t);
INSERT INTO c VALUES (3, 3);
CALL tools.run('children');
SELECT * FROM mv ORDER BY id;
DROP TABLE c;
CALL tools.run('children');
SELECT * FROM mv ORDER BY id;
-- A child that was attached and taken off again, and was one of others before.
CREATE TABLE other (LIKE t);
ALTER TABLE other INHERIT t;
ALTER TABLE other NO INHERIT t;
CREATE MATERIALIZED VIEW of_other AS SELECT id, n FROM other;
SELECT incremental FROM metrics_refresh.explain_refresh('of_other');
SELECT incremental FROM metrics_refresh.explain_refresh('mv');

SELECT metrics_refresh.unschedule('children');
CALL tools.sweep();
TRUNCATE metrics_refresh_internal.run_log;
RESET search_path;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA children CASCADE;
