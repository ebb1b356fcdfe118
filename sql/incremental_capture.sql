-- The strategy incremental: changes that were made where no trigger, or another column's, captured them.
\set SHOW_CONTEXT never
SET metrics_refresh.audit_every = 0;
CREATE SCHEMA c;
SET search_path = c;
CREATE FUNCTION did(view regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r json := metrics_refresh.refresh(view, 'incremental');
    differing bigint;
BEGIN
    EXECUTE format('WITH d AS MATERIALIZED (%s) SELECT (SELECT count(*) FROM (TABLE %s EXCEPT ALL TABLE d) a)
        + (SELECT count(*) FROM (TABLE d EXCEPT ALL TABLE %2$s) b)', rtrim(pg_get_viewdef(view), ';'), view) INTO differing;
    RETURN concat_ws(', ', r ->> 'strategy', coalesce(nullif(r ->> 'reason', ''), r ->> 'message'),
                     '+' || (r ->> 'rows_inserted') || ' ~' || (r ->> 'rows_updated') || ' -' || (r ->> 'rows_deleted'),
                     CASE differing WHEN 0 THEN 'right' ELSE 'WRONG' END);
END $$;
CREATE TABLE base (id int PRIMARY KEY, a int, b int);
INSERT INTO base SELECT g, g % 4, 77 FROM generate_series(1, 40) g;
CREATE MATERIALIZED VIEW mv AS SELECT a, count(*), sum(id) FROM base GROUP BY a;
SELECT metrics_refresh.schedule('mv', NULL, strategy => 'incremental') > 0 AS scheduled;
SELECT did('mv');
SELECT did('mv');

-- Columns that change places for a moment, of a table and of a materialized view.
ALTER TABLE base RENAME a TO c;
ALTER TABLE base RENAME b TO a;
UPDATE base SET c = 2 WHERE id = 1;
ALTER TABLE base RENAME a TO b;
ALTER TABLE base RENAME c TO a;
SELECT did('mv');
UPDATE base SET a = 3 WHERE id = 1;
SELECT did('mv');
CREATE MATERIALIZED VIEW below AS SELECT id, a, b FROM base;
CREATE MATERIALIZED VIEW above AS SELECT a, count(*) FROM below GROUP BY a;
SELECT metrics_refresh.schedule('above', NULL, strategy => 'incremental') > 0 AS scheduled;
SELECT did('above');
UPDATE base SET a = 1 WHERE id = 4;
ALTER MATERIALIZED VIEW below RENAME a TO c;
ALTER MATERIALIZED VIEW below RENAME b TO a;
SELECT metrics_refresh.refresh('below', 'diff') ->> 'rows_updated' AS updated;
ALTER MATERIALIZED VIEW below RENAME a TO b;
ALTER MATERIALIZED VIEW below RENAME c TO a;
SELECT did('above');
SELECT did('above');

-- A table that is another's child for a moment: statements on the parent fire no trigger of the child.
-- Its captured columns are not among the parent's, so that nothing else shows it.
CREATE TABLE parent (id int);
BEGIN;
INSERT INTO base VALUES (100, 0);
ALTER TABLE base INHERIT parent;
DELETE FROM parent WHERE id = 2;
ALTER TABLE base NO INHERIT parent;
COMMIT;
SELECT did('mv');
-- Captured only afterwards, and in a part that is taken back.
BEGIN;
ALTER TABLE base INHERIT parent;
DELETE FROM parent WHERE id = 5;
ALTER TABLE base NO INHERIT parent;
SAVEPOINT s;
INSERT INTO base VALUES (102, 0);
ROLLBACK TO s;
UPDATE base SET b = 1 WHERE id = 101;
COMMIT;
SELECT did('mv');
-- In three transactions.
ALTER TABLE base INHERIT parent;
BEGIN;
INSERT INTO base VALUES (103, 0);
DELETE FROM parent WHERE id = 6;
COMMIT;
ALTER TABLE base NO INHERIT parent;
SELECT did('mv');
-- With a refresh meanwhile.
ALTER TABLE base INHERIT parent;
SELECT did('mv');
BEGIN;
INSERT INTO base VALUES (104, 0);
DELETE FROM parent WHERE id = 7;
COMMIT;
ALTER TABLE base NO INHERIT parent;
SELECT did('mv');
-- Taken back: one look at all rows at most.
BEGIN;
INSERT INTO base VALUES (105, 0);
SAVEPOINT s;
ALTER TABLE base INHERIT parent;
DELETE FROM parent WHERE id = 8;
ROLLBACK TO s;
COMMIT;
SELECT did('mv');
BEGIN;
ALTER TABLE base INHERIT parent;
DELETE FROM parent WHERE id = 9;
ROLLBACK;
INSERT INTO base VALUES (106, 0);
SELECT did('mv');
-- A partition for a moment.
CREATE TABLE parted (id int, a int, b int) PARTITION BY LIST (a);
BEGIN;
INSERT INTO base VALUES (107, 0);
ALTER TABLE parted ATTACH PARTITION base DEFAULT;
INSERT INTO parted VALUES (108, 3);
ALTER TABLE parted DETACH PARTITION base;
COMMIT;
SELECT did('mv');
INSERT INTO base VALUES (109, 3);
SELECT did('mv');

-- Statements that change nothing, but lock the table as those do that change something.
CREATE TABLE other (id int PRIMARY KEY);
INSERT INTO other SELECT generate_series(0, 9);
ALTER TABLE base ADD FOREIGN KEY (a) REFERENCES other ON DELETE CASCADE ON UPDATE CASCADE;
SELECT did('mv');
BEGIN;
INSERT INTO other VALUES (10);
UPDATE base SET a = 1 WHERE id = -1;
DELETE FROM base WHERE id = -1;
INSERT INTO base SELECT * FROM base WHERE id = -1;
COMMIT;
SELECT did('mv');
DELETE FROM other WHERE id = 9;
SELECT did('mv');
UPDATE other SET id = 9 WHERE id = 8;
SELECT did('mv');
DELETE FROM other WHERE id = 1;
SELECT did('mv');
-- They hide nothing that was changed past the triggers.
BEGIN;
UPDATE base SET a = 1 WHERE id = -1;
ALTER TABLE base INHERIT parent;
DELETE FROM parent WHERE id = 10;
ALTER TABLE base NO INHERIT parent;
UPDATE base SET a = 1 WHERE id = -1;
COMMIT;
SELECT did('mv');
ALTER TABLE base INHERIT parent;
BEGIN;
UPDATE base SET a = 1 WHERE id = -1;
DELETE FROM parent WHERE id = 11;
COMMIT;
ALTER TABLE base NO INHERIT parent;
SELECT did('mv');

\set VERBOSITY terse
DROP SCHEMA c CASCADE;
SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE view_schema = 'c';
TRUNCATE metrics_refresh_internal.run_log;
