-- view_dependencies: what each materialized view reads, directly and through plain views, from the
-- catalogs and not from texts.
CREATE SCHEMA d;
CREATE SCHEMA "D e";
SET search_path = d;
CREATE TABLE base (id int PRIMARY KEY, v int);
CREATE TABLE "D e"."Other" (id int);
CREATE TABLE part (id int) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE SEQUENCE seq;
CREATE VIEW plain AS SELECT id FROM base;
CREATE VIEW deeper AS SELECT p.id FROM plain p JOIN "D e"."Other" o USING (id);
CREATE VIEW both_ways AS SELECT id FROM deeper UNION SELECT id FROM base;
CREATE MATERIALIZED VIEW direct AS SELECT id FROM base;
CREATE MATERIALIZED VIEW through_view AS SELECT id FROM plain;
CREATE MATERIALIZED VIEW through_two AS SELECT id FROM deeper;
CREATE MATERIALIZED VIEW shortest AS SELECT id FROM both_ways;
CREATE MATERIALIZED VIEW stacked AS SELECT id FROM direct;
CREATE MATERIALIZED VIEW "D e".top AS SELECT s.id FROM stacked s JOIN through_view USING (id);
CREATE VIEW over_top AS SELECT id FROM "D e".top;
CREATE MATERIALIZED VIEW over_the_top AS SELECT id FROM over_top;
CREATE MATERIALIZED VIEW of_partitions AS SELECT id FROM part;
CREATE MATERIALIZED VIEW of_sequence AS SELECT last_value FROM seq;
CREATE MATERIALIZED VIEW of_sublink AS SELECT 1 AS one WHERE EXISTS (WITH q AS (SELECT FROM base) SELECT FROM q);
CREATE MATERIALIZED VIEW of_catalog AS SELECT relname FROM pg_class;
CREATE MATERIALIZED VIEW of_itself_only AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW "D e".base AS SELECT 1 AS one;

SELECT view_schema, view_name, depends_on_schema, depends_on_name, depends_on_kind, depth
FROM metrics_refresh.view_dependencies WHERE view_schema IN ('d', 'D e')
ORDER BY view_name COLLATE "C", depth, depends_on_name COLLATE "C", depends_on_kind;
SELECT count(*) AS wrong FROM metrics_refresh.view_dependencies
WHERE view_oid <> format('%I.%I', view_schema, view_name)::regclass
   OR depends_on_oid <> format('%I.%I', depends_on_schema, depends_on_name)::regclass;
SELECT c.oid::regclass AS view, e.depends_on FROM pg_class c, metrics_refresh.explain_refresh(c.oid) e
WHERE relkind = 'm' AND relnamespace IN ('d'::regnamespace, '"D e"'::regnamespace) ORDER BY c.oid::regclass::text COLLATE "C";

-- It follows names and definitions.
ALTER TABLE base RENAME TO renamed;
ALTER VIEW plain SET SCHEMA "D e";
CREATE OR REPLACE VIEW deeper AS SELECT id FROM "D e"."Other";
SELECT depends_on_schema, depends_on_name, depth FROM metrics_refresh.view_dependencies
WHERE view_oid = 'shortest'::regclass ORDER BY depth, depends_on_name COLLATE "C";
-- Anybody may look: it shows what the catalogs show.
SET ROLE regress_stranger;
SELECT count(*) > 0 AS rows FROM metrics_refresh.view_dependencies WHERE view_schema = 'd';
RESET ROLE;
RESET search_path;
\set VERBOSITY terse
DROP SCHEMA d, "D e" CASCADE;
-- Plain views that read each other in a circle are not walked for ever.
BEGIN;
CREATE VIEW circle_a AS SELECT 1 AS x;
CREATE VIEW circle_b AS SELECT * FROM circle_a;
CREATE MATERIALIZED VIEW circle AS SELECT * FROM circle_a;
CREATE OR REPLACE VIEW circle_a AS SELECT * FROM circle_b;
SELECT count(DISTINCT depends_on_name) FROM metrics_refresh.view_dependencies WHERE view_name = 'circle';
ROLLBACK;
