-- The platform of bench/refresh: 5.1 million rows times the scale, and views over them, twice: one
-- that core refreshes (schema core) and one that we do (schema ours); and those that can be kept by keys
-- once more (schema keys). Psql variables: scale.
SELECT setseed(0.5);
CREATE TABLE accounts (id int PRIMARY KEY, plan text, country text, created_at timestamptz);
CREATE TABLE memberships (id int PRIMARY KEY, account_id int, role text, active boolean);
CREATE TABLE assets (id int PRIMARY KEY, account_id int, name text, size bigint, updated_at timestamptz);
CREATE TABLE licenses (id int PRIMARY KEY, account_id int, seats int, price numeric(10,2), ends_at timestamptz);
CREATE TABLE events (id int PRIMARY KEY, account_id int, at timestamptz, amount numeric(12,2));
INSERT INTO accounts SELECT g, (ARRAY['free','team','business','enterprise'])[1 + g % 4], 'country ' || g % 60, now() - random() * interval '400 days'
  FROM generate_series(1, (100000 * :scale)::int) g;
INSERT INTO memberships SELECT g, 1 + random() * (100000 * :scale - 1), CASE WHEN g % 10 = 0 THEN 'admin' ELSE 'member' END, g % 7 > 0
  FROM generate_series(1, (400000 * :scale)::int) g;
INSERT INTO assets SELECT g, 1 + random() * (100000 * :scale - 1), 'asset ' || md5(g::text), random() * 1e9, now() - random() * interval '90 days'
  FROM generate_series(1, (1000000 * :scale)::int) g;
INSERT INTO licenses SELECT g, 1 + random() * (100000 * :scale - 1), 1 + random() * 50, random() * 1000, now() + random() * interval '400 days'
  FROM generate_series(1, (600000 * :scale)::int) g;
INSERT INTO events SELECT g, 1 + random() * (100000 * :scale - 1), date_trunc('day', now()) - random() * interval '30 days', random() * 100
  FROM generate_series(1, (3000000 * :scale)::int) g;
CREATE INDEX ON memberships (account_id);
CREATE INDEX ON assets (account_id);
CREATE INDEX ON licenses (account_id);
CREATE INDEX ON events (account_id, at);
VACUUM ANALYZE;

CREATE SCHEMA core;
CREATE SCHEMA ours;
CREATE SCHEMA keys;
CREATE PROCEDURE twice(statement text) LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE replace(statement, '@', 'core');
  EXECUTE replace(statement, '@', 'ours');
END $$;
CREATE PROCEDURE thrice(statement text) LANGUAGE plpgsql AS $$ BEGIN
  CALL twice(statement);
  EXECUTE replace(statement, '@', 'keys');
END $$;
-- One row, over windows of time.
CALL twice($$CREATE MATERIALIZED VIEW @.v1 AS SELECT 1 AS id, (SELECT count(*) FROM accounts) AS accounts,
  (SELECT count(*) FROM accounts WHERE created_at > now() - interval '30 days') AS new_accounts,
  (SELECT count(*) FROM memberships WHERE active) AS members, (SELECT sum(size) FROM assets) AS bytes,
  (SELECT count(*) FROM assets WHERE updated_at > now() - interval '30 days') AS active_assets,
  (SELECT sum(seats * price) FROM licenses WHERE ends_at > now()) AS revenue,
  (SELECT count(*) FROM events WHERE at > now() - interval '30 days') AS events,
  (SELECT sum(amount) FROM events WHERE at > now() - interval '30 days') AS amount$$);
CALL twice('CREATE UNIQUE INDEX ON @.v1 (id)');
-- A row for each account.
CALL thrice($$CREATE MATERIALIZED VIEW @.v2 AS SELECT a.id AS account_id, a.plan, count(e.id) AS events, sum(e.amount) AS amount,
  avg(e.amount) AS mean, max(e.at) AS last_at FROM accounts a LEFT JOIN events e ON e.account_id = a.id GROUP BY a.id$$);
CALL thrice('CREATE UNIQUE INDEX ON @.v2 (account_id)');
-- Again a row for each account, of a definition that costs less.
CALL thrice($$CREATE MATERIALIZED VIEW @.members AS SELECT a.id AS account_id, a.plan, count(m.id) AS members, count(*) FILTER (WHERE m.active) AS active,
  count(*) FILTER (WHERE m.role = 'admin') AS admins FROM accounts a LEFT JOIN memberships m ON m.account_id = a.id GROUP BY a.id$$);
CALL thrice('CREATE UNIQUE INDEX ON @.members (account_id)');
-- A row for each account and day.
CALL thrice($$CREATE MATERIALIZED VIEW @.v3 AS SELECT e.account_id, (e.at AT TIME ZONE 'UTC')::date AS day, a.plan, count(*) AS events,
  sum(e.amount) AS amount, min(e.at) AS first_at, max(e.at) AS last_at
  FROM events e JOIN accounts a ON a.id = e.account_id GROUP BY e.account_id, day, a.plan$$);
CALL thrice('CREATE UNIQUE INDEX ON @.v3 (account_id, day)');
-- A row for each asset.
CALL thrice($$CREATE MATERIALIZED VIEW @.v4 AS SELECT s.id AS asset_id, s.name, s.size, s.updated_at, a.id AS account_id, a.plan, a.country
  FROM assets s JOIN accounts a ON a.id = s.account_id$$);
CALL thrice('CREATE UNIQUE INDEX ON @.v4 (asset_id)');
CALL thrice('CREATE INDEX ON @.v4 (account_id)');
-- Over another view.
CALL twice($$CREATE MATERIALIZED VIEW @.v5 AS SELECT day, plan, sum(events) AS events, sum(amount) AS amount FROM @.v3 GROUP BY day, plan$$);
CALL twice('CREATE UNIQUE INDEX ON @.v5 (day, plan)');
-- Worst cases: nothing but NULL in a column of every row, and duplicates without an index.
CALL thrice($$CREATE MATERIALIZED VIEW @.nulls AS SELECT id, NULL::text AS nothing, NULL::numeric AS more FROM licenses$$);
CALL thrice('CREATE UNIQUE INDEX ON @.nulls (id)');
VACUUM ANALYZE;
SELECT metrics_refresh.schedule(format('keys.%I', v)::regclass, strategy => 'incremental') FROM unnest('{v2,members,v3,v4,nulls}'::text[]) v;
SELECT metrics_refresh.refresh(format('keys.%I', v)::regclass) FROM unnest('{v2,members,v3,v4,nulls}'::text[]) v;

-- So many rows of the tables that have most change.
CREATE PROCEDURE change(rows bigint) LANGUAGE plpgsql AS $$ BEGIN
  UPDATE events SET amount = amount + 1 WHERE id IN (SELECT 1 + (random() * ((SELECT max(id) FROM events) - 1))::int FROM generate_series(1, rows));
  UPDATE memberships SET active = NOT active WHERE id IN (SELECT 1 + (random() * ((SELECT max(id) FROM memberships) - 1))::int FROM generate_series(1, rows));
  UPDATE assets SET size = size + 1 WHERE id IN (SELECT 1 + (random() * ((SELECT max(id) FROM assets) - 1))::int FROM generate_series(1, rows));
  UPDATE licenses SET id = -id WHERE id IN (SELECT 1 + (random() * ((SELECT max(id) FROM licenses) - 1))::int FROM generate_series(1, rows));
END $$;
CREATE TABLE sample (strategy text, round int, view text, changed bigint, system text, ms float8, wal bigint, rows bigint, memory text);

-- One refresh, timed with its commit; 0 WAL bytes where nothing but the log row of ours was written. Or
-- the definition alone, of which the rows go nowhere: no refresh that looks at all rows takes less.
CREATE PROCEDURE take(round int, view text, changed bigint, system text) LANGUAGE plpgsql AS $$
DECLARE
  began timestamptz;
  lsn pg_lsn := pg_current_wal_lsn();
  answer jsonb;
BEGIN
  COMMIT;
  began := clock_timestamp();
  IF system = 'definition' THEN
    EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF) ' || pg_get_viewdef(format('core.%I', view)::regclass);
  ELSIF system = 'core' THEN
    EXECUTE format('REFRESH MATERIALIZED VIEW CONCURRENTLY core.%I', view);
  ELSE
    IF to_regclass(format('%I.%I', system, view)) IS NULL THEN RETURN; END IF;
    answer := metrics_refresh.refresh(format('%I.%I', system, view)::regclass, CASE system WHEN 'ours' THEN 'diff' ELSE 'incremental' END);
    IF NOT (answer ->> 'success')::boolean THEN RAISE '%', answer; END IF;
  END IF;
  COMMIT;
  INSERT INTO sample VALUES (answer ->> 'strategy', round, view, changed, system, extract(epoch FROM clock_timestamp() - began) * 1000,
    pg_current_wal_lsn() - lsn, (answer ->> 'rows_inserted')::bigint + (answer ->> 'rows_updated')::bigint + (answer ->> 'rows_deleted')::bigint,
    current_setting('work_mem'));
  COMMIT;
END $$;

CREATE PROCEDURE warm_up(view text) LANGUAGE plpgsql AS $$ BEGIN
  IF to_regclass(format('keys.%I', view)) IS NOT NULL THEN PERFORM metrics_refresh.refresh(format('keys.%I', view)::regclass, 'incremental'); END IF;
END $$;

-- How long it takes to find that a view is fresh, and to log that somebody asked.
CREATE PROCEDURE take_check(round int, view text, changed bigint) LANGUAGE plpgsql AS $$
DECLARE
  answer jsonb;
BEGIN
  IF view = 'v1' THEN RETURN; END IF;  -- depends on the time
  answer := metrics_refresh.refresh(format('ours.%I', view)::regclass);
  IF answer ->> 'strategy' <> 'skip' THEN RAISE '%', answer; END IF;
  COMMIT;
  INSERT INTO sample SELECT 'skip', round, view, changed, 'check', (answer ->> 'duration_ms')::float8, wal_bytes FROM metrics_refresh.run_log WHERE run_id = (answer ->> 'run_id')::bigint;
  COMMIT;
END $$;

CREATE PROCEDURE compare(view text) LANGUAGE plpgsql AS $$
DECLARE
  kept text;
  differing bigint;
BEGIN
  IF view = 'v1' THEN RETURN; END IF;  -- depends on the time of its refresh
  FOREACH kept IN ARRAY ARRAY['ours', 'keys'] LOOP
    CONTINUE WHEN to_regclass(format('%I.%I', kept, view)) IS NULL;
    EXECUTE format('SELECT count(*) FROM (TABLE core.%1$I EXCEPT ALL TABLE %2$I.%1$I) d', view, kept) INTO differing;
    IF differing > 0 THEN RAISE 'core.% and %.% differ in % rows', view, kept, view, differing; END IF;
  END LOOP;
END $$;

-- Here, not in parallel workers: the session's memory shall know the pages.
CREATE EXTENSION pg_prewarm;
CREATE PROCEDURE read_everything() LANGUAGE plpgsql SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
  one regclass;
  rows bigint;
BEGIN
  FOR one IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'm')
    AND relnamespace IN ('public'::regnamespace, 'core'::regnamespace, 'ours'::regnamespace, 'keys'::regnamespace) LOOP
    EXECUTE format('SELECT count(*) FROM %s', one) INTO rows;
  END LOOP;
  PERFORM pg_prewarm(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relkind = 'i';
END $$;
