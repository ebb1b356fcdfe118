-- The strategy incremental: which definitions are kept by keys, and why others are not; what a refresh
-- says it did; how it is set up and taken down; what it does where changes may have been missed.
\set SHOW_CONTEXT never
CREATE SCHEMA i;
SET search_path = i;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE region (id int PRIMARY KEY, name text);
CREATE TABLE account (id int PRIMARY KEY, region int, parent int, name text, folded text COLLATE any_case, doc json);
CREATE TABLE event (id int PRIMARY KEY, account int, at timestamptz, local timestamp, kind text, amount numeric(10,2), ratio float8,
                    tags text[], big bigint, word varchar(10), padded char(5), feeling mood, plus positive);
CREATE INDEX ON event (account);
INSERT INTO region VALUES (1, 'north'), (2, 'south'), (3, NULL);
INSERT INTO account SELECT g, 1 + g % 3, g / 2, 'name ' || g % 5, 'n', '{}' FROM generate_series(1, 20) g;
INSERT INTO event SELECT g, nullif(g % 22, 0), '2026-01-01 UTC'::timestamptz + g * interval '1 hour', NULL, 'k' || g % 3, g % 7, g, ARRAY['t' || g % 2], g % 4,
    'w' || g % 3, 'p' || g % 3, (ARRAY['sad', 'ok', 'happy']::mood[])[1 + g % 3], 1 + g % 5
FROM generate_series(1, 200) g;
CREATE VIEW plain AS SELECT e.id, e.account, a.name, e.amount FROM event e JOIN account a ON a.id = e.account;
CREATE VIEW with_plain AS WITH e AS (SELECT id, account FROM event), a AS (SELECT id, region FROM account) SELECT e.id, a.region FROM e JOIN a ON a.id = e.account;
CREATE VIEW with_twice AS WITH a AS (SELECT id, parent FROM account) SELECT x.id FROM a x JOIN a y ON y.id = x.parent;
CREATE MATERIALIZED VIEW below AS SELECT id FROM event;
CREATE VIEW grouped AS SELECT account, count(*) FROM event GROUP BY account;

-- What becomes of a definition: why it is refused, or what is captured of each table.
CREATE FUNCTION kept(definition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE 'CREATE MATERIALIZED VIEW i.trial AS ' || definition || ' WITH NO DATA';
    answer := (SELECT x.incremental FROM metrics_refresh.explain_refresh('i.trial') x);
    IF answer = 'possible' THEN
        PERFORM metrics_refresh.schedule('i.trial', strategy => 'incremental');
        SELECT coalesce(string_agg(DISTINCT t.tgrelid::regclass || ': ' || array_to_string((string_to_array(encode(t.tgargs, 'escape'), '\000'))[2:], ' '), '; '),
            (SELECT string_agg(p.view_name || ': ' || array_to_string(p.columns, ' '), '; ') FROM metrics_refresh_internal.incremental_parent p WHERE p.id = min(i.id)))
        INTO answer FROM metrics_refresh_internal.incremental_view i
        LEFT JOIN pg_trigger t ON t.tgfoid = 'metrics_refresh_internal.capture_keys'::regproc AND encode(t.tgargs, 'escape') LIKE 'delta\_' || i.id || '\_%'
        WHERE i.view_name = 'trial';
        PERFORM metrics_refresh.unschedule('i.trial');
    END IF;
    DROP MATERIALIZED VIEW i.trial;
    RETURN answer;
END $$;

-- Kept.
SELECT d AS definition, kept(d) FROM unnest(ARRAY[
    'SELECT account, count(*) FROM event GROUP BY account',
    'SELECT account AS a, upper(kind), sum(amount) FROM event WHERE amount > 3 GROUP BY 1, 2 HAVING count(*) > 1',
    'SELECT count(*) AS n, account % 3 AS third FROM event GROUP BY account % 3',
    'SELECT account, array_agg(kind ORDER BY id), string_agg(DISTINCT kind, '','' ORDER BY kind), percentile_cont(0.5) WITHIN GROUP (ORDER BY ratio) FROM event GROUP BY account',
    'SELECT account, max(ratio), count(ratio), bool_and(amount > 1), sum(big) FILTER (WHERE kind = ''k1'') FROM event GROUP BY account ORDER BY account',
    'SELECT word, padded, feeling, plus, count(*) FROM event GROUP BY word, padded, feeling, plus',
    'SELECT * FROM event',
    'SELECT kind, amount FROM event',
    'SELECT DISTINCT kind, amount FROM event',
    'SELECT e.id, a.name FROM event e JOIN account a ON a.id = e.account',
    'SELECT e.id, a.id AS account, a.name FROM event e JOIN account a ON a.id = e.account',
    'SELECT a.name, count(*) FROM event e, account a WHERE a.id = e.account GROUP BY a.name',
    'SELECT r.name, e.kind, count(*) FROM event e JOIN account a ON a.id = e.account JOIN region r ON r.id = a.region GROUP BY r.name, e.kind',
    'SELECT account, count(*) FROM event e JOIN account a ON a.id = e.account GROUP BY account',
    'SELECT a.id, a.name, count(e.id) FROM account a LEFT JOIN event e ON e.account = a.id GROUP BY a.id',
    'SELECT e.id, e.kind, a.name FROM account a RIGHT JOIN event e ON e.account = a.id',
    'SELECT e.account, count(r.id) FROM event e LEFT JOIN (account a JOIN region r ON r.id = a.region) ON a.id = e.account GROUP BY 1',
    'SELECT a.id, b.name FROM account a JOIN account b ON b.id = a.parent',
    'SELECT id, account FROM event UNION ALL SELECT id, region FROM account UNION ALL SELECT id, id FROM region WHERE id > 1',
    'SELECT account, count(*) FROM plain GROUP BY account',
    'SELECT s.kind, count(*) FROM (SELECT kind, account AS id FROM event WHERE amount > 2) s JOIN account USING (id) GROUP BY 1',
    'SELECT e.kind, v.n, count(*) FROM event e JOIN (VALUES (''k1'', 1)) v (kind, n) USING (kind) GROUP BY 1, 2',
    'SELECT account, count(*), count(*) FILTER (WHERE at > now() - interval ''1 day'') AS fresh FROM event WHERE CURRENT_TIMESTAMP - interval ''30 days'' <= at GROUP BY 1',
    'SELECT id % 3 AS third, count(*) FROM below GROUP BY 1',
    'SELECT account, date_trunc(''day'', at AT TIME ZONE ''UTC'') AS day, count(*) FROM event GROUP BY 1, 2',
    'WITH e AS (SELECT account FROM event), f AS (SELECT a.region FROM e JOIN account a ON a.id = e.account) SELECT region, count(*) FROM f GROUP BY 1',
    'WITH a AS (SELECT id, region FROM account) SELECT e.id, a.region FROM event e LEFT JOIN a ON a.id = e.account',
    'WITH e AS (SELECT id, account FROM event) SELECT id, account FROM (WITH f AS (SELECT * FROM e) SELECT * FROM f) x UNION ALL SELECT id, region FROM account',
    'WITH a AS NOT MATERIALIZED (SELECT id, name, parent FROM account) SELECT a.id, b.name FROM a JOIN a b ON b.id = a.parent',
    'WITH w AS (SELECT * FROM with_plain) SELECT region, count(*) FROM w GROUP BY region'
]) WITH ORDINALITY u (d, n) ORDER BY n \gx

-- Refused.
CREATE TABLE parted (id int, n int) PARTITION BY HASH (id);
CREATE TABLE part PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE parent (id int);
CREATE TABLE child () INHERITS (parent);
CREATE UNLOGGED TABLE unlogged (id int);
CREATE TABLE guarded (id int);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far_away (id int) SERVER nowhere;
CREATE FUNCTION unsteady(int) RETURNS int LANGUAGE sql VOLATILE RETURN $1;
CREATE AGGREGATE own (int) (SFUNC = int4pl, STYPE = int);
CREATE FUNCTION added(int, int) RETURNS int LANGUAGE sql STABLE RETURN $1 + $2;
CREATE AGGREGATE own_stable (int) (SFUNC = added, STYPE = int);
SELECT d AS definition, kept(d) FROM unnest(ARRAY[
    'SELECT count(*) FROM event',
    'SELECT account, row_number() OVER (ORDER BY id) FROM event',
    'SELECT id FROM event ORDER BY id LIMIT 3',
    'SELECT id FROM event ORDER BY id OFFSET 3',
    'SELECT DISTINCT ON (kind) kind, id FROM event ORDER BY kind, id',
    'SELECT account, kind, count(*) FROM event GROUP BY ROLLUP (account, kind)',
    'SELECT id FROM event UNION SELECT id FROM account',
    'SELECT id FROM event EXCEPT ALL SELECT id FROM account',
    'WITH RECURSIVE a AS (SELECT id, parent FROM account UNION ALL SELECT b.id, b.parent FROM account b JOIN a ON a.id = b.parent) SELECT id FROM a',
    'WITH a AS MATERIALIZED (SELECT id FROM account) SELECT id FROM a',
    'WITH a AS (SELECT id, parent FROM account) SELECT x.id FROM a x JOIN a y ON y.id = x.parent',
    'WITH g AS (SELECT account, count(*) AS n FROM event GROUP BY account) SELECT a.id, g.n FROM account a LEFT JOIN g ON g.account = a.id',
    'SELECT id FROM with_twice',
    'SELECT id FROM (WITH a AS MATERIALIZED (SELECT id FROM account) SELECT id FROM a) x',
    'SELECT id, unnest(tags) FROM event',
    'SELECT id FROM event WHERE account IN (SELECT id FROM account)',
    'SELECT id, (SELECT max(id) FROM region) FROM event',
    'SELECT a.id, e.id AS event FROM account a FULL JOIN event e ON e.account = a.id',
    'SELECT id FROM event TABLESAMPLE system (50)',
    'SELECT e.id FROM event e, LATERAL (SELECT a.name FROM account a WHERE a.id = e.account) x',
    'SELECT account, count FROM grouped',
    'SELECT DISTINCT x.kind FROM (SELECT DISTINCT kind, id FROM event) x',
    'SELECT relname FROM pg_class',
    'SELECT id FROM parted',
    'SELECT id FROM part',
    'SELECT id FROM parent',
    'SELECT id FROM child',
    'SELECT id FROM unlogged',
    'SELECT id FROM guarded',
    'SELECT id FROM far_away',
    'SELECT 1 AS one',
    'SELECT generate_series FROM generate_series(1, 3)',
    'SELECT id, at::date FROM event',
    'SELECT id, unsteady(id) FROM event',
    'SELECT id, random() FROM event',
    'SELECT id FROM event WHERE at > clock_timestamp()',
    'SELECT id, now() FROM event',
    'SELECT id FROM event WHERE local > now()',
    'SELECT id FROM event WHERE at::date > CURRENT_DATE - 3',
    'SELECT id, CURRENT_USER FROM event',
    'SELECT account, array_agg(kind) FROM event GROUP BY account',
    'SELECT account, sum(ratio) FROM event GROUP BY account',
    'SELECT account, own(id) FROM event GROUP BY account',
    'SELECT folded, count(*) FROM account GROUP BY folded',
    'SELECT tags, count(*) FROM event GROUP BY tags',
    'SELECT doc FROM account',
    'SELECT a.name, count(*) FROM event e JOIN account a ON a.id = e.big GROUP BY a.name',
    'SELECT a.name, count(*) FROM event e JOIN account a ON a.id > e.account GROUP BY a.name',
    'SELECT a.id, count(*) FROM event e LEFT JOIN account a ON a.id = e.account GROUP BY a.id',
    'SELECT id FROM event UNION ALL SELECT big FROM event',
    'SELECT account, own_stable(id ORDER BY id) FROM event GROUP BY account',
    'SELECT id, to_tsvector(''english'', kind) FROM event',
    'SELECT id, kind COLLATE any_case AS kind FROM event UNION ALL SELECT id, name FROM account',
    'SELECT name COLLATE any_case AS name FROM region UNION ALL SELECT name FROM account'
]) WITH ORDINALITY u (d, n) ORDER BY n \gx

-- Set up, refused with the reason, and what a refresh says.
CREATE FUNCTION did(view regclass, strategy text DEFAULT 'incremental') RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(', ', r ->> 'strategy', coalesce(nullif(r ->> 'reason', ''), r ->> 'message'),
                     '+' || (r ->> 'rows_inserted') || ' ~' || (r ->> 'rows_updated') || ' -' || (r ->> 'rows_deleted') || ' =' || (r ->> 'rows'))
    FROM metrics_refresh.refresh(view, strategy) r $$;
CREATE MATERIALIZED VIEW mv AS SELECT account, count(*), sum(amount) FROM event GROUP BY account;
CREATE MATERIALIZED VIEW ranked AS SELECT account, rank() OVER (ORDER BY id) FROM event;
SELECT tools.try($$SELECT metrics_refresh.schedule('i.ranked', strategy => 'incremental')$$);
SELECT tools.try($$SELECT metrics_refresh.schedule_group('both', ARRAY['i.mv', 'i.ranked']::regclass[], strategy => 'incremental')$$);
SELECT count(*) FROM metrics_refresh.job WHERE job_name IN ('i.ranked', 'both');
SELECT did('mv', 'incremental');
-- Else what is taken away meanwhile would leave open whether the first refresh saw all changes.
CALL tools.sweep();
SELECT metrics_refresh.schedule('mv', strategy => 'incremental') > 0 AS scheduled;
SELECT strategy, reason, incremental FROM metrics_refresh.explain_refresh('mv');
SELECT did('mv');
SELECT did('mv');
INSERT INTO event (id, account, amount) VALUES (1001, 5, 1), (1002, NULL, 2), (1003, 100, 3);
SELECT did('mv');
UPDATE event SET account = 6 WHERE id = 1001;
DELETE FROM event WHERE id = 1003;
SELECT did('mv');
-- Others see nothing of what is captured, and an explicit diff takes it as well.
UPDATE event SET amount = amount + 1 WHERE account = 3;
SELECT did('mv', 'diff');
SELECT did('mv');
SELECT NOT EXISTS (TABLE mv EXCEPT ALL SELECT account, count(*), sum(amount) FROM event GROUP BY account) AS is_right;
-- What is undone is not captured.
BEGIN;
UPDATE event SET account = 9;
ROLLBACK;
SELECT did('mv');
-- In the transaction of the change.
BEGIN;
UPDATE event SET amount = 7 WHERE id = 4;
SELECT did('mv', 'incremental');
ROLLBACK;
SELECT did('mv', 'incremental');
-- By every command that changes rows.
MERGE INTO event e USING (VALUES (1, 50), (2000, 51)) s (id, account) ON e.id = s.id
    WHEN MATCHED THEN UPDATE SET account = s.account WHEN NOT MATCHED THEN INSERT (id, account) VALUES (s.id, s.account);
COPY event (id, account) FROM stdin;
2001	52
2002	52
\.
INSERT INTO event (id, account) VALUES (2001, 53), (2003, 53) ON CONFLICT (id) DO UPDATE SET account = 54;
SELECT did('mv');
SET session_replication_role = replica;
UPDATE event SET account = 55 WHERE id = 2003;
RESET session_replication_role;
SELECT did('mv');

-- All rows, and why.
TRUNCATE event;
INSERT INTO event (id, account, amount) SELECT g, g % 10, g FROM generate_series(1, 100) g;
SELECT did('mv');
SELECT did('mv');
-- Which one is a trigger, without its number.
CREATE FUNCTION on_trigger(command text, event text DEFAULT 'update') RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format(command, (SELECT tgname FROM pg_trigger WHERE tgrelid = 'i.event'::regclass AND tgname LIKE 'metrics\_refresh\_%\_' || event));
END $$;
SELECT on_trigger('ALTER TABLE i.event DISABLE TRIGGER %s');
UPDATE event SET account = 60 WHERE id = 1;
SELECT regexp_replace(did('mv'), '\d+_', 'N_');
SELECT on_trigger('ALTER TABLE i.event ENABLE TRIGGER %s');
SELECT regexp_replace(did('mv'), '\d+_', 'N_');
SELECT on_trigger('ALTER TABLE i.event ENABLE ALWAYS TRIGGER %s');
SELECT did('mv');
SELECT did('mv');
-- Switched off for a moment only.
BEGIN;
SELECT on_trigger('ALTER TABLE i.event DISABLE TRIGGER %s');
UPDATE event SET account = 61 WHERE id = 1;
SELECT on_trigger('ALTER TABLE i.event ENABLE ALWAYS TRIGGER %s');
COMMIT;
SELECT did('mv');
SELECT did('mv');
-- A job's run makes anew what is missing; a refresh by hand does not.
SELECT on_trigger('DROP TRIGGER %s ON i.event', 'delete');
DELETE FROM event WHERE id = 1;
SELECT regexp_replace(did('mv'), '\d+_', 'N_');
UPDATE event SET account = account WHERE id = 2;
CALL tools.run('i.mv');
SELECT strategy, strategy_reason FROM tools.log ORDER BY n DESC LIMIT 1;
SELECT did('mv');
-- A column by another name.
ALTER TABLE event RENAME account TO owner;
UPDATE event SET owner = 62 WHERE id = 2;
SELECT regexp_replace(did('mv'), '\d+_', 'N_');
CALL tools.run('i.mv');
ALTER TABLE event RENAME owner TO account;
CALL tools.run('i.mv');
SELECT did('mv');
-- The delta table is gone: writers are not stopped.
CALL tools.sweep();
DO $$ BEGIN EXECUTE (SELECT format('DROP TABLE metrics_refresh_internal.%I', relname) FROM pg_class WHERE relname LIKE 'delta\_%'); END $$;
UPDATE event SET account = 63 WHERE id = 3;
SELECT regexp_replace(did('mv'), '\d+_\d', 'N');
CALL tools.run('i.mv');
SELECT did('mv');
-- Refreshed by core meanwhile; emptied; and in full.
UPDATE event SET account = 64 WHERE id = 4;
REFRESH MATERIALIZED VIEW mv;
SELECT did('mv');
REFRESH MATERIALIZED VIEW mv WITH NO DATA;
SELECT did('mv', 'incremental');
UPDATE event SET account = 65 WHERE id = 4;
SELECT did('mv', 'incremental');
SELECT did('mv', 'full');
SELECT did('mv');
-- Too many keys: where it would cost more.
INSERT INTO event (id, account, amount) SELECT g, g, 1 FROM generate_series(10000, 13000) g;
SELECT did('mv');
-- A plain view that is replaced.
CREATE MATERIALIZED VIEW over_plain AS SELECT account, count(*) FROM plain GROUP BY account;
SELECT metrics_refresh.schedule('over_plain', strategy => 'incremental') > 0 AS scheduled;
SELECT did('over_plain');
CREATE OR REPLACE VIEW plain AS SELECT e.id, e.account, a.name, e.amount FROM event e JOIN account a ON a.id = e.account WHERE e.id < 50;
SELECT did('over_plain');
SELECT did('over_plain');
-- A function that is replaced.
CREATE FUNCTION half(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1 / 2;
CREATE MATERIALIZED VIEW halves AS SELECT half(account) AS half, count(*) FROM event WHERE account < 6 GROUP BY 1;
SELECT metrics_refresh.schedule('halves', strategy => 'incremental') > 0 AS scheduled;
SELECT did('halves'), did('halves');
CREATE OR REPLACE FUNCTION half(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN -$1 / 2;
SELECT did('halves'), did('halves');
SELECT metrics_refresh.unschedule('i.halves');
DROP MATERIALIZED VIEW halves;
-- The view that is made anew, under its name, with a definition that is not kept.
DROP MATERIALIZED VIEW over_plain;
CREATE MATERIALIZED VIEW over_plain AS SELECT account, count(*) FROM plain GROUP BY account LIMIT 3;
CALL tools.run('i.over_plain');
SELECT strategy, strategy_reason FROM tools.log ORDER BY n DESC LIMIT 1;
SELECT metrics_refresh.unschedule('i.over_plain');

-- Two jobs want it, then one, then none.
CALL tools.sweep();
CREATE FUNCTION there() RETURNS text LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'i.event'::regclass AND NOT tgisinternal) || ' triggers, '
        || (SELECT count(*) FROM pg_class WHERE relname LIKE 'delta\_%') || ' delta tables, '
        || (SELECT count(*) FROM metrics_refresh.incremental_view) || ' views' $$;
SELECT there();
SELECT metrics_refresh.schedule_group('pair', ARRAY['i.mv', 'i.below']::regclass[], strategy => 'incremental', populate => false) > 0 AS scheduled;
SELECT there();
SELECT metrics_refresh.alter_job('i.mv', strategy => 'diff');
SELECT there();
SELECT did('mv'), did('below');
SELECT metrics_refresh.unschedule('pair');
CALL tools.sweep();
SELECT there();
SELECT did('mv', 'auto');
SELECT metrics_refresh.alter_job('i.mv', strategy => 'incremental');
SELECT there();
SELECT metrics_refresh.schedule('mv', strategy => 'auto') > 0 AS scheduled;
CALL tools.sweep();
SELECT there();
-- With the view; with a table.
SELECT metrics_refresh.alter_job('i.mv', strategy => 'incremental');
DROP MATERIALIZED VIEW mv;
CALL tools.sweep();
SELECT there();
CREATE MATERIALIZED VIEW mv AS SELECT account, count(*), sum(amount) FROM event GROUP BY account;
CALL tools.run('i.mv');
SELECT strategy, strategy_reason FROM tools.log ORDER BY n DESC LIMIT 1;
SELECT there();
ALTER MATERIALIZED VIEW mv RENAME TO renamed;
SELECT did('renamed'), (SELECT string_agg(view_name, ', ') FROM metrics_refresh.incremental_view);
ALTER MATERIALIZED VIEW renamed RENAME TO mv;
CALL tools.run('i.mv');

-- Over another materialized view: kept by keys itself, refreshed by diff, by core.
CREATE MATERIALIZED VIEW above AS SELECT count % 10 AS tenth, sum(sum) FROM mv GROUP BY 1;
SELECT metrics_refresh.schedule('above', strategy => 'incremental') > 0 AS scheduled;
SELECT did('mv');
SELECT did('above');
UPDATE event SET amount = amount + 1 WHERE id = 20;
SELECT did('above');
SELECT did('mv');
SELECT did('above');
DELETE FROM event WHERE id = 20;
SELECT did('mv', 'diff');
SELECT did('above');
REFRESH MATERIALIZED VIEW mv;
SELECT did('above');
SELECT did('above');
CREATE UNIQUE INDEX ON mv (account);
REFRESH MATERIALIZED VIEW CONCURRENTLY mv;
SELECT did('above');
SELECT did('mv', 'full');
SELECT did('above');
SELECT metrics_refresh.unschedule('i.above');
CALL tools.sweep();
SELECT count(*) FROM metrics_refresh_internal.incremental_parent;
DROP MATERIALIZED VIEW above;
SELECT did('mv');

-- A comparison with now() that is none until some time, which is awaited.
CREATE TABLE moment AS SELECT g AS id, '2026-01-01 UTC'::timestamptz AS at FROM generate_series(1, 3) g;
SELECT now() + interval '300 ms' AS some_time \gset
CREATE MATERIALIZED VIEW by_and_by AS SELECT id, at FROM moment WHERE at <= CASE WHEN now() > :'some_time' THEN now() END;
SELECT metrics_refresh.schedule('by_and_by', strategy => 'incremental') > 0 AS scheduled;
SELECT count(did('by_and_by')) FROM generate_series(1, 2);
SELECT FROM pg_sleep_until(timestamptz :'some_time' + interval '1 ms');
SELECT count(did('by_and_by'));
SELECT * FROM by_and_by ORDER BY id;
SELECT metrics_refresh.unschedule('i.by_and_by');
DROP MATERIALIZED VIEW by_and_by;

-- Joins of several columns, of types that are the same in every byte.
CREATE TABLE worn AS SELECT ('w' || g % 4)::varchar(9) AS word, g AS n, g % 2 AS half FROM generate_series(1, 8) g;
CREATE TABLE weight AS SELECT 'w' || g % 4 AS name, g AS n, 1 AS factor FROM generate_series(1, 8) g;
CREATE MATERIALIZED VIEW weighed AS SELECT w.half, sum(f.factor) FROM worn w JOIN weight f ON f.name = w.word AND f.n = w.n GROUP BY w.half;
SELECT metrics_refresh.schedule('weighed', strategy => 'incremental') > 0 AS scheduled;
SELECT did('weighed'), did('weighed');
UPDATE weight SET factor = 2 WHERE n IN (1, 2);
SELECT did('weighed');
SELECT * FROM weighed ORDER BY half;
SELECT metrics_refresh.unschedule('i.weighed');
DROP MATERIALIZED VIEW weighed;
-- And of one whose values are equal without that.
CREATE TABLE blank AS SELECT ('w' || g % 4)::char(3) AS k, g AS n, g AS v FROM generate_series(1, 8) g;
CREATE TABLE blanks AS SELECT k::char(5), n, 1 AS w FROM blank;
CREATE MATERIALIZED VIEW padded AS SELECT a.k, a.n, sum(a.v * b.w) FROM blank a JOIN blanks b ON a.k = b.k AND a.n = b.n GROUP BY a.k, a.n;
CREATE MATERIALIZED VIEW mixed AS SELECT CASE WHEN a.n < 5 THEN a.k ELSE b.k END AS k, a.n % 4 AS n, sum(b.w) FROM blank a JOIN blanks b ON a.n = b.n GROUP BY 1, 2;
SELECT metrics_refresh.schedule(v, strategy => 'incremental') > 0 AS scheduled FROM unnest('{padded,mixed}'::regclass[]) v;
SELECT did('padded'), did('mixed');
UPDATE blanks SET w = 2 WHERE n IN (1, 2);
SELECT did('padded');
SELECT did('mixed');
(TABLE padded EXCEPT ALL SELECT a.k, a.n, sum(a.v * b.w) FROM blank a JOIN blanks b ON a.k = b.k AND a.n = b.n GROUP BY a.k, a.n);
SELECT * FROM mixed ORDER BY k;
SELECT metrics_refresh.unschedule(v) FROM unnest('{i.padded,i.mixed}'::text[]) v;
DROP MATERIALIZED VIEW padded, mixed;

-- An audit: captured keys that somebody took away.
CALL tools.sweep();
SET metrics_refresh.audit_every = 1;
SELECT did('mv');
UPDATE event SET amount = 1 WHERE id = 9;
DO $$ BEGIN EXECUTE (SELECT format('DELETE FROM metrics_refresh_internal.%I', relname) FROM pg_class WHERE relname LIKE 'delta\_%'); END $$;
SELECT did('mv');
SELECT NOT EXISTS (TABLE mv EXCEPT ALL SELECT account, count(*), sum(amount) FROM event GROUP BY account) AS is_right;
SELECT did('mv');
SELECT incremental FROM metrics_refresh.explain_refresh('mv');
SELECT severity, detail, hint FROM metrics_refresh.health_check() WHERE check_name = 'audit';
SELECT metrics_refresh.alter_job('i.mv', strategy => 'incremental');
SELECT severity, detail, hint FROM metrics_refresh.health_check() WHERE check_name = 'audit';
SELECT did('mv');
SELECT did('mv');

-- The order of equal rows is the plan's: sorting all rows leaves them in another order than sorting those of a
-- key. No alarm.
CREATE TABLE tie (grp int, id int, day date);
INSERT INTO tie SELECT n % 100, n, '2026-01-01' FROM generate_series(1, 5000) n;
ANALYZE tie;
CREATE MATERIALIZED VIEW ties AS SELECT grp, count(*), array_agg(id ORDER BY day) AS ids FROM tie GROUP BY grp;
SELECT metrics_refresh.schedule('ties', strategy => 'incremental') > 0 AS scheduled;
SELECT did('ties');
UPDATE tie SET day = '2025-12-31' WHERE id = 75;
SELECT regexp_replace(did('ties'), '[0-9]+ rows', 'some rows');
SELECT NOT EXISTS (TABLE ties EXCEPT ALL SELECT grp, count(*), array_agg(id ORDER BY day) FROM tie GROUP BY grp) AS is_right;
UPDATE tie SET day = '2025-12-31' WHERE id = 76;
SELECT regexp_replace(did('ties'), '[0-9]+ rows', 'some rows');
SELECT severity, regexp_replace(detail, '[0-9]+ rows', 'some rows') AS detail FROM metrics_refresh.health_check() WHERE check_name = 'audit';
-- A difference in what the definition fixes is one, also beside such a column.
UPDATE tie SET grp = 8 WHERE id = 77;
DO $$ BEGIN EXECUTE (SELECT format('DELETE FROM metrics_refresh_internal.%I', relname) FROM pg_class WHERE relname LIKE 'delta\_%' ORDER BY oid DESC LIMIT 1); END $$;
SET client_min_messages = error;
SELECT regexp_replace(did('ties'), '[0-9]+ rows', 'some rows');
RESET client_min_messages;
SELECT severity, regexp_replace(detail, '[0-9]+ rows', 'some rows') AS detail FROM metrics_refresh.health_check() WHERE check_name = 'audit';
SELECT metrics_refresh.unschedule('i.ties');
-- Equal values that look different form one group: its aggregates are compared nevertheless.
CREATE TABLE price (amount numeric, n int);
INSERT INTO price SELECT g % 10, g FROM generate_series(1, 100) g;
CREATE MATERIALIZED VIEW prices AS SELECT amount, sum(n) AS n FROM price GROUP BY amount;
SELECT metrics_refresh.schedule('prices', strategy => 'incremental') > 0 AS scheduled;
SELECT did('prices');
UPDATE price SET n = n + 1 WHERE amount = 3;
DO $$ BEGIN EXECUTE (SELECT format('DELETE FROM metrics_refresh_internal.%I', relname) FROM pg_class WHERE relname LIKE 'delta\_%' ORDER BY oid DESC LIMIT 1); END $$;
SELECT did('prices');
SELECT metrics_refresh.unschedule('i.prices');
DROP TABLE price CASCADE;
DROP TABLE tie CASCADE;
RESET metrics_refresh.audit_every;

-- Who may: the triggers need their privilege, writing captured keys none, and nobody reads them.
GRANT USAGE, CREATE ON SCHEMA i TO regress_owner;
GRANT SELECT ON event TO regress_owner;
CREATE MATERIALIZED VIEW theirs AS SELECT account, count(*) FROM event GROUP BY account;
ALTER MATERIALIZED VIEW theirs OWNER TO regress_owner;
SET ROLE regress_owner;
SELECT tools.try($$SELECT metrics_refresh.schedule('i.theirs', strategy => 'incremental')$$);
RESET ROLE;
GRANT TRIGGER ON event TO regress_owner;
GRANT USAGE ON SCHEMA i TO regress_stranger;
GRANT INSERT ON event TO regress_stranger;
SET ROLE regress_owner;
SELECT metrics_refresh.schedule('i.theirs', strategy => 'incremental') > 0 AS scheduled;
SELECT did('theirs');
SET ROLE regress_stranger;
INSERT INTO event (id, account) VALUES (5000, 500);
SELECT tools.try('SELECT count(*) FROM metrics_refresh.incremental_view');
SET ROLE regress_owner;
SELECT did('theirs');
SELECT regexp_replace(tools.try(format('SELECT count(*) FROM metrics_refresh_internal.%I', relname)), '\d+_\d', 'N') FROM pg_class WHERE relname LIKE 'delta\_%' ORDER BY relname LIMIT 1;
SELECT tools.try('CREATE TRIGGER mine AFTER INSERT ON i.event FOR EACH STATEMENT EXECUTE FUNCTION metrics_refresh_internal.capture_keys(''job'')');
-- The function in our queries is for nobody else.
SELECT tools.try('SELECT metrics_refresh.is_changed_key(1, 2, 3)');
SELECT tools.try('SELECT metrics_refresh.is_changed_key(NULL, 2, 3)');
RESET ROLE;
-- Whose functions run, runs as the owner of the view.
CREATE FUNCTION who(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    IF current_user <> 'regress_owner' THEN RAISE 'as %', current_user; END IF;
    RETURN $1;
END $$;
ALTER TABLE account OWNER TO regress_owner;
CREATE MATERIALIZED VIEW by_function AS SELECT i.who(e.account) AS who, a.region, count(*) FROM event e JOIN account a ON a.id = e.account GROUP BY 1, 2 WITH NO DATA;
ALTER MATERIALIZED VIEW by_function OWNER TO regress_owner;
SELECT metrics_refresh.schedule('by_function', strategy => 'incremental') > 0 AS scheduled;
SELECT did('by_function');
INSERT INTO event (id, account) VALUES (6000, 1), (6001, NULL);
UPDATE account SET region = 3 WHERE id = 5;
SELECT did('by_function');

-- A part that is dear is planned with parallel workers.
CREATE TABLE dear_row (id int, x int);
INSERT INTO dear_row SELECT g, g % 9 FROM generate_series(1, 1000) g;
CREATE FUNCTION computed_by(int) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100000000
    AS $$ BEGIN RETURN (SELECT backend_type FROM pg_stat_get_activity(pg_backend_pid())); END $$;
CREATE MATERIALIZED VIEW dear AS SELECT id, max(computed_by(x)) AS computed_by FROM dear_row GROUP BY id;
SELECT metrics_refresh.schedule('dear', NULL, strategy => 'incremental') > 0 AS scheduled;
SET max_parallel_workers_per_gather = 0;
SELECT did('dear');
RESET max_parallel_workers_per_gather;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET min_parallel_index_scan_size = 0;
SET parallel_leader_participation = off;
UPDATE dear_row SET x = x + 1 WHERE id = 5;
SELECT did('dear');
SELECT computed_by FROM dear WHERE id = 5;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET min_parallel_index_scan_size;
RESET parallel_leader_participation;
-- One change that reaches more rows than are looked up.
CREATE TABLE few (id int PRIMARY KEY, name text);
CREATE TABLE many (id int PRIMARY KEY, a int);
INSERT INTO few VALUES (1, 'one'), (2, 'two');
INSERT INTO many SELECT g, 1 + g / 200002 FROM generate_series(1, 200003) g;
CREATE MATERIALIZED VIEW far AS SELECT m.id, f.name FROM many m JOIN few f ON f.id = m.a;
SELECT metrics_refresh.schedule('far', NULL, strategy => 'incremental') > 0 AS scheduled;
SELECT did('far');
UPDATE few SET name = 'zwei' WHERE id = 2;
SELECT did('far');
UPDATE few SET name = 'eins' WHERE id = 1;
SELECT did('far');
SELECT name, count(*) FROM far GROUP BY name ORDER BY name;

-- What a definition depends on besides its tables: a function of an aggregate of the user's; one
-- that is replaced twice in a transaction; settings that functions of the server's depend on, which
-- are those of the view's owner: here they are the session's.
ALTER ROLE CURRENT_USER SET TimeZone = 'PST8PDT';
CREATE TABLE thing (id int PRIMARY KEY, n int, name text, opened timestamptz, closed timestamptz, share float8, bytes bytea);
INSERT INTO thing SELECT g, g, 'thing', '2026-02-28 23:30+00', '2026-03-31 22:30+00', 0.1::float8 + 0.2, '\x0102' FROM generate_series(1, 4) g;
CREATE FUNCTION weigh(int, int) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1 + $2;
CREATE AGGREGATE weight_of (int) (SFUNC = weigh, STYPE = int, INITCOND = '0');
CREATE MATERIALIZED VIEW by_aggregate AS SELECT n % 2 AS half, weight_of(n ORDER BY id) FROM thing GROUP BY 1;
CREATE FUNCTION times(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1;
CREATE MATERIALIZED VIEW by_times AS SELECT id, times(n) FROM thing;
CREATE MATERIALIZED VIEW lasted AS SELECT id, age(closed, opened) FROM thing;
CREATE MATERIALIZED VIEW written AS SELECT id, share::text, bytes::text FROM thing;
CREATE MATERIALIZED VIEW quoted AS SELECT id, quote_ident(name) AS name FROM thing;
CREATE MATERIALIZED VIEW zoned AS SELECT id, opened AT TIME ZONE 'IST' AS opened FROM thing;
CREATE MATERIALIZED VIEW collated AS SELECT id, name COLLATE any_case AS name FROM thing UNION ALL SELECT -id, name FROM thing;
CREATE VIEW to_see AS SELECT unnest('{by_aggregate,by_times,lasted,written,quoted,zoned,collated}'::regclass[]) AS view;
SELECT metrics_refresh.schedule(view, NULL, strategy => 'incremental') > 0 AS scheduled FROM to_see;
SELECT view, did(view) FROM to_see;
CREATE OR REPLACE FUNCTION weigh(int, int) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1 + 2 * $2;
SELECT did('by_aggregate');
BEGIN;
CREATE OR REPLACE FUNCTION times(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 2 * $1;
SELECT did('by_times');
CREATE OR REPLACE FUNCTION times(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 3 * $1;
COMMIT;
SELECT did('by_times');
UPDATE thing SET closed = closed WHERE id = 1;
SELECT view, did(view) FROM to_see;
ALTER ROLE CURRENT_USER SET TimeZone = 'UTC';
ALTER ROLE CURRENT_USER SET bytea_output = 'escape';
ALTER ROLE CURRENT_USER SET extra_float_digits = 0;
ALTER ROLE CURRENT_USER SET quote_all_identifiers = on;
ALTER ROLE CURRENT_USER SET timezone_abbreviations = 'India';
UPDATE thing SET closed = closed WHERE id = 1;
SELECT view, did(view) FROM to_see;
SELECT * FROM lasted JOIN written USING (id) JOIN quoted USING (id) JOIN zoned USING (id) ORDER BY id;
ALTER ROLE CURRENT_USER RESET ALL;
UPDATE thing SET name = 'another' WHERE id = 1;
SELECT did('collated');
SELECT * FROM collated ORDER BY id;

\set VERBOSITY terse
DROP SCHEMA i CASCADE;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
CALL tools.sweep();
SELECT count(*) FROM pg_class WHERE relname LIKE 'delta\_%';
SELECT metrics_refresh.unschedule(job_name) FROM metrics_refresh.job WHERE view_schema = 'i';
TRUNCATE metrics_refresh_internal.run_log;
