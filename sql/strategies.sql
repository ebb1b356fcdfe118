-- The strategies, what the log and explain_refresh() say about them, which unique index CONCURRENTLY
-- can use, and which index is proposed where there is none.
\set SHOW_CONTEXT never
CREATE SCHEMA s;
SET search_path = s;
CREATE TABLE base (id int PRIMARY KEY, grp text, num numeric, note json);
INSERT INTO base SELECT g, 'g' || g % 3, g, '{}' FROM generate_series(1, 10) g;
CREATE MATERIALIZED VIEW mv AS SELECT id, grp, num FROM base;

-- What a refresh says it did.
CREATE FUNCTION did(view regclass, strategy text DEFAULT 'auto') RETURNS jsonb LANGUAGE sql AS
    $$ SELECT metrics_refresh.refresh(view, strategy) - 'run_id' - 'duration_ms' $$;

-- The words that callers may use are those that the table of jobs allows.
CREATE FUNCTION allowed() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    PERFORM metrics_refresh.refresh('s.mv', 'fast');
    RETURN NULL;
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN ARRAY(SELECT w FROM regexp_split_to_table(hint, '\W+') w
                 WHERE w NOT IN ('', 'Allowed', 'are', 'and') ORDER BY w COLLATE "C");
END $$;
SELECT s.allowed() = ARRAY(
        SELECT w[1] FROM pg_constraint c, pg_get_constraintdef(c.oid) d,
            regexp_matches(d, $r$'(\w+)'$r$, 'g') w
        WHERE c.conrelid = 'metrics_refresh_internal.job'::regclass AND d ~ 'strategy = ANY'
        ORDER BY w[1] COLLATE "C") AS is_in_both;

-- None of these can be used.
CREATE UNIQUE INDEX partial ON mv (id) WHERE id > 0;
CREATE UNIQUE INDEX expression ON mv ((id + 0));
CREATE UNIQUE INDEX mixed ON mv (id, (grp || ''));
CREATE INDEX not_unique ON mv (id);
CREATE INDEX ON mv USING hash (id);
CREATE UNIQUE INDEX invalid ON mv (id);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 's.invalid'::regclass;
SELECT strategy, reason, unique_index, create_index FROM metrics_refresh.explain_refresh('mv');
SELECT did('mv');
SELECT did('mv', 'concurrently');
SELECT tools.try('ALTER TABLE s.mv ADD CONSTRAINT k UNIQUE (id) DEFERRABLE');
-- This one can, and what explain_refresh() says is what refresh() does.
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 's.invalid'::regclass;
ALTER INDEX invalid RENAME TO "now Valid";
SELECT strategy, reason, unique_index, create_index FROM metrics_refresh.explain_refresh('mv');
SELECT did('mv');
SELECT did('mv', 'concurrently');
SELECT did('mv', 'full');
SELECT did('mv', 'diff');
DROP INDEX "now Valid";
CREATE UNIQUE INDEX including ON mv (id) INCLUDE (grp);
SELECT did('mv', 'concurrently');
DROP INDEX including;
CREATE UNIQUE INDEX nulls ON mv (grp, id) NULLS NOT DISTINCT;
SELECT did('mv', 'concurrently');

-- Never populated: full, whatever is asked for, and as asked for from then on.
REFRESH MATERIALIZED VIEW mv WITH NO DATA;
SELECT strategy, reason, populated FROM metrics_refresh.explain_refresh('mv');
SELECT did('mv', 'concurrently');
SELECT did('mv', 'concurrently');
REFRESH MATERIALIZED VIEW mv WITH NO DATA;
SELECT did('mv', 'diff');
SELECT did('mv', 'diff');

-- The strategy of the view's job is what explain_refresh() speaks about.
SELECT metrics_refresh.schedule('mv', '0 0 1 1 *', strategy => 'full') IS NOT NULL AS scheduled;
SELECT strategy, reason, populated, unique_index, depends_on, job_name,
       next_due = (SELECT n FROM metrics_refresh.next_runs('0 0 1 1 *', 1) n) AS right_due
FROM metrics_refresh.explain_refresh('mv');
DROP INDEX nulls;
SELECT metrics_refresh.alter_job('s.mv', strategy => 'concurrently');
SELECT strategy, reason, create_index FROM metrics_refresh.explain_refresh('mv');
CALL tools.run('s.mv');
SELECT status, strategy, sqlstate, error_message, error_detail, error_hint FROM tools.log ORDER BY n DESC LIMIT 1 \gx
SELECT metrics_refresh.unschedule('s.mv');

-- Proposals. Each is made where it is safe, and made true below; none where it is not.
CREATE TABLE two (a int, b int, PRIMARY KEY (b, a));
INSERT INTO two SELECT g % 3, g FROM generate_series(1, 9) g;
CREATE TABLE part (id int PRIMARY KEY, v int) PARTITION BY HASH (id);
CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO part SELECT g, g FROM generate_series(1, 5) g;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (1);
CREATE TABLE late_key (id int PRIMARY KEY DEFERRABLE);
CREATE TABLE keyless (id int UNIQUE);
CREATE VIEW plain AS SELECT id, grp FROM base;
CREATE MATERIALIZED VIEW yes_group AS SELECT grp, count(*) FROM base GROUP BY grp;
CREATE MATERIALIZED VIEW yes_groups AS SELECT count(*) AS n, id % 2 AS "Odd One", grp FROM base GROUP BY grp, id % 2;
CREATE MATERIALIZED VIEW yes_group_key AS SELECT grp, id, num FROM base GROUP BY id;
CREATE MATERIALIZED VIEW yes_distinct AS SELECT DISTINCT grp, id % 2 AS odd FROM base;
CREATE MATERIALIZED VIEW yes_distinct_on AS SELECT DISTINCT ON (grp) id, grp FROM base ORDER BY grp, id;
CREATE MATERIALIZED VIEW yes_distinct_group AS SELECT DISTINCT count(*) AS n FROM base GROUP BY grp;
CREATE MATERIALIZED VIEW yes_one_row AS SELECT json_agg(id) AS j, count(*) AS n, sum(num) AS s FROM base;
CREATE MATERIALIZED VIEW yes_join_group AS SELECT b.grp, sum(t.a) FROM base b LEFT JOIN two t ON t.b = b.id GROUP BY 1;
CREATE MATERIALIZED VIEW yes_key AS SELECT num, id AS renamed FROM base WHERE id > 2;
CREATE MATERIALIZED VIEW yes_key_pair AS SELECT a, b FROM two;
CREATE MATERIALIZED VIEW yes_key_sublink AS SELECT id FROM base WHERE id IN (SELECT b FROM two);
CREATE MATERIALIZED VIEW yes_partitioned AS SELECT id, v FROM part;
CREATE MATERIALIZED VIEW yes_window AS SELECT id, rank() OVER (ORDER BY num) FROM base;
CREATE MATERIALIZED VIEW no_json_group AS SELECT json_agg(id) AS j FROM base;
CREATE MATERIALIZED VIEW no_hidden_group AS SELECT count(*) FROM base GROUP BY grp;
CREATE MATERIALIZED VIEW no_sets AS SELECT grp, count(*) FROM base GROUP BY ROLLUP (grp);
CREATE MATERIALIZED VIEW no_empty_set AS SELECT count(*) FROM base GROUP BY GROUPING SETS ((), ());
CREATE MATERIALIZED VIEW no_union AS SELECT id FROM base UNION SELECT b FROM two;
CREATE MATERIALIZED VIEW no_union_all AS SELECT id FROM base UNION ALL SELECT id FROM base;
CREATE MATERIALIZED VIEW no_set_function AS SELECT grp, generate_series(1, 2) AS g FROM base GROUP BY grp;
CREATE MATERIALIZED VIEW no_key_expression AS SELECT id + 0 AS id FROM base;
CREATE MATERIALIZED VIEW no_key_part AS SELECT b FROM two;
CREATE MATERIALIZED VIEW no_join AS SELECT b.id FROM base b JOIN two t ON t.a < b.id;
CREATE MATERIALIZED VIEW no_cross AS SELECT b.id FROM base b, two t;
CREATE MATERIALIZED VIEW no_children AS SELECT id FROM parent;
CREATE MATERIALIZED VIEW no_deferrable AS SELECT id FROM late_key;
CREATE MATERIALIZED VIEW no_key AS SELECT id FROM keyless;
CREATE MATERIALIZED VIEW no_plain_view AS SELECT id FROM plain;
CREATE MATERIALIZED VIEW no_function AS SELECT g FROM generate_series(1, 3) g;
CREATE MATERIALIZED VIEW no_values AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW no_sample AS SELECT id FROM base TABLESAMPLE bernoulli (100);
CREATE MATERIALIZED VIEW no_subquery AS SELECT id FROM (SELECT id FROM base) q;
CREATE MATERIALIZED VIEW no_with AS WITH q AS (SELECT id FROM base) SELECT id FROM q;

CREATE TABLE proposals AS
    SELECT c.oid::regclass AS view, e.create_index FROM pg_class c, metrics_refresh.explain_refresh(c.oid) e
    WHERE relkind = 'm' AND relnamespace = 's'::regnamespace AND relname <> 'mv';
SELECT view, create_index FROM proposals ORDER BY view::text COLLATE "C";
-- Each proposal can be made, and CONCURRENTLY can use it, with the data as they are and
-- after a change.
DO $$ DECLARE statement text; BEGIN
    FOR statement IN SELECT create_index FROM s.proposals WHERE create_index IS NOT NULL LOOP
        EXECUTE statement;
    END LOOP;
END $$;
INSERT INTO base SELECT g, 'g' || g % 4, g FROM generate_series(11, 30) g;
INSERT INTO base VALUES (0), (-1);
SELECT view, r ->> 'success' AS success, r ->> 'strategy' AS strategy, r ->> 'rows' AS rows
FROM proposals, LATERAL (SELECT metrics_refresh.refresh(view, 'concurrently') AS r) q
WHERE create_index IS NOT NULL ORDER BY view::text COLLATE "C";

-- Anybody may ask what a refresh would do; nobody gets an answer about what is no such view.
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.' || q) FROM unnest(ARRAY[
    $$explain_refresh(NULL)$$, $$explain_refresh('s.base')$$, $$explain_refresh('s.plain')$$,
    $$explain_refresh('s.none')$$, $$explain_refresh(1)$$,
    $$refresh(NULL)$$, $$refresh('s.mv', NULL)$$, $$refresh('s.mv', 'quick')$$, $$refresh('s.base')$$,
    $$refresh('s.plain')$$, $$refresh('s.none')$$, $$refresh(1)$$]) WITH ORDINALITY v (q, n) ORDER BY n;
\a \t
RESET search_path;
TRUNCATE metrics_refresh_internal.run_log;
\set VERBOSITY terse
DROP SCHEMA s CASCADE;
