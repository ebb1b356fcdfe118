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
