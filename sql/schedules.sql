-- What a schedule means, and how it is refused: next_runs, describe_schedule, validate_schedule.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\set SHOW_CONTEXT never

-- Fields, names, lists, ranges, steps.
CREATE TEMP VIEW example AS SELECT * FROM (VALUES
    (1, '*/5 * * * *'), (2, '0 2 * * *'), (3, '30 9-17/4 * * mon-fri'), (4, '0 0 1,15 * *'),
    (5, '0 0 13 * fri'), (6, '15 10 * JAN,Jul Sun'), (7, '0 0 * * 7'), (8, '0 0 * * fri-sun'),
    (9, '0 12 29 2 *'), (10, '  59	23  31 12 *  '), (11, '0 0 31 */2 *'), (12, '5-10/5,40 6 * * 1')
    ) v (n, schedule);
SELECT n, schedule, array_agg(to_char(r, 'Dy YYYY-MM-DD HH24:MI') ORDER BY r) AS runs
FROM example, metrics_refresh.next_runs(schedule, 3, '2024-02-28 23:58:30+00') r
GROUP BY 1, 2 ORDER BY 1;

-- Nicknames, in any case, and intervals, which fall on multiples since the epoch.
SELECT schedule, array_agg(to_char(r, 'Dy YYYY-MM-DD HH24:MI:SS') ORDER BY r) AS runs
FROM unnest('{@hourly,@daily,@midnight,@Weekly,@MONTHLY,@yearly,@annually,1 second,90 seconds,
              7 minutes,1 Hour,36 hours}'::text[]) WITH ORDINALITY v (schedule, n),
     metrics_refresh.next_runs(schedule, 2, '2024-12-30 12:34:56.789+00') r
GROUP BY schedule, n ORDER BY n;

-- Ranges that wrap, steps from a value on, days counted from the month's end, several schedules,
-- seconds, longer intervals.
SELECT schedule, array_agg(to_char(r, 'Dy YYYY-MM-DD HH24:MI:SS') ORDER BY r) AS runs
FROM unnest('{0 22-2 * * *,50/5 12 * * *,0 0 * * fri-sun,0 0 28-2/2 * *,0 0 L * ?,0 0 $ * *,0 0 L-2 * *,0 0 LW * *,
              0 0 15W * *,0 0 ? * 5L,0 0 ? * mon#2,0 0 L * sun,0 9 * * *; 30 17 * * 1-5,@seconds */25 30 2 * * *,
              2 days,2 weeks,3 months,@every 1h30m,@every 01:30,PT90M,P1W,@after 45 minutes}'::text[])
     WITH ORDINALITY v (schedule, n)
     LEFT JOIN LATERAL metrics_refresh.next_runs(schedule, 3, '2024-12-27 12:34:56.789+00') r ON true
GROUP BY schedule, n ORDER BY n;
SELECT r = pg_postmaster_start_time() AS at_the_start FROM metrics_refresh.next_runs('@reboot', 3, '2024-12-27') r;
SELECT count(*) AS after_the_start FROM metrics_refresh.next_runs('@reboot');

-- H is a number that the job's name chooses, once and for all.
SELECT name, array_agg(to_char(r, 'YYYY-MM-DD HH24:MI') ORDER BY r) AS runs
FROM unnest('{NULL,"",first,second}'::text[]) WITH ORDINALITY v (name, n),
     metrics_refresh.next_runs('H(0-29)/10 H(2-4) * * *', 3, '2025-01-01', job_name => name) r
GROUP BY name, n ORDER BY n;

-- In plain English.
\a \t
SELECT s || ' -> ' || metrics_refresh.describe_schedule(s, 'nightly')
FROM unnest('{@hourly,30 2 * 3\,11 friL,*/5 9-17 * * mon-fri,0 0 13 * fri,0 0 */2 * fri,H H(2-4) * * *,@seconds */10 * * * * *,
              0 0 15W\,LW * *,90 minutes,P1D,2 weeks,3 months,@after 10 minutes,@reboot; 0 4 * * *}'::text[]) s;
SELECT metrics_refresh.describe_schedule(NULL), metrics_refresh.describe_schedule('61 * * * *');
\a \t

-- The error as a row.
SELECT s, v.* FROM unnest('{0 2 * * *,5-6/2 12-13/2 * * *,0 25 * * *,0 2 * * mond,"",@seconds 0 2 * * *}'::text[]) s,
     metrics_refresh.validate_schedule(s) v;
SELECT * FROM metrics_refresh.validate_schedule('H H H(29-31) 2 *', 'any');
SELECT * FROM metrics_refresh.validate_schedule(NULL);

-- Strictly after: a due time does not follow itself, but it follows the microsecond before.
SELECT * FROM metrics_refresh.next_runs('0 2 * * *', 1, '2025-01-01 02:00:00+00');
SELECT * FROM metrics_refresh.next_runs('0 2 * * *', 1, '2025-01-01 01:59:59.999999+00');
SELECT * FROM metrics_refresh.next_runs('10 seconds', 1, '2025-01-01 02:00:00+00');

-- 29 February over a century that has none.
SELECT * FROM metrics_refresh.next_runs('0 0 29 2 *', 3, '2095-01-01 00:00:00+00');
SELECT * FROM metrics_refresh.next_runs('0 0 29 2 mon', 4, '2097-01-01 00:00:00+00');

-- Daylight saving in Berlin: 02:30 does not exist on 30 March and exists twice on 26 October 2025.
SET timezone = 'Europe/Berlin';
SELECT 'spring, fixed' AS what, r FROM metrics_refresh.next_runs('30 2 * * *', 3, '2025-03-29 12:00', 'Europe/Berlin') r
UNION ALL
SELECT 'spring, every 30 min', r FROM metrics_refresh.next_runs('*/30 1-3 * * *', 5, '2025-03-30 00:59', 'Europe/Berlin') r
UNION ALL
SELECT 'autumn, fixed', r FROM metrics_refresh.next_runs('30 2 * * *', 3, '2025-10-25 12:00', 'Europe/Berlin') r
UNION ALL
SELECT 'autumn, every 30 min', r FROM metrics_refresh.next_runs('*/30 2 * * *', 5, '2025-10-26 01:00', 'Europe/Berlin') r;
-- In the second of the two hours the fixed time is past.
SELECT * FROM metrics_refresh.next_runs('30 2 * * *', 1, '2025-10-26 02:10+01', 'europe/berlin');

-- New York.
SET timezone = 'America/New_York';
SELECT 'spring, fixed' AS what, r FROM metrics_refresh.next_runs('15 2 * * *', 3, '2025-03-08 12:00', 'America/New_York') r
UNION ALL
SELECT 'spring, hourly', r FROM metrics_refresh.next_runs('@hourly', 4, '2025-03-08 23:30', 'America/New_York') r
UNION ALL
SELECT 'autumn, fixed', r FROM metrics_refresh.next_runs('0 1 * * *', 3, '2025-11-01 12:00', 'America/New_York') r
UNION ALL
SELECT 'autumn, hourly', r FROM metrics_refresh.next_runs('@hourly', 4, '2025-11-01 23:30', 'America/New_York') r
UNION ALL
SELECT 'autumn, interval', r FROM metrics_refresh.next_runs('30 minutes', 4, '2025-11-02 00:45', 'America/New_York') r;

-- The zone: the argument, else the setting, else UTC; the session's own is of no interest.
SET timezone = 'UTC';
SELECT * FROM metrics_refresh.next_runs('0 12 * * *', 1, '2025-06-01 00:00:00+00', 'Asia/Kolkata');
SET metrics_refresh.timezone = 'Pacific/Auckland';
SELECT * FROM metrics_refresh.next_runs('0 12 * * *', 1, '2025-06-01 00:00:00+00');
SELECT * FROM metrics_refresh.next_runs('0 12 * * *', 1, '2025-06-01 00:00:00+00', 'UTC');
RESET metrics_refresh.timezone;
SET timezone = 'Asia/Tokyo';
SELECT * FROM metrics_refresh.next_runs('0 12 * * *', 1, '2025-06-01 00:00:00+00');
SET timezone = 'UTC';

-- By default five, from now.
SELECT count(*), bool_and(r > now()) AS later, max(r) - min(r) AS span FROM metrics_refresh.next_runs('@hourly') r;
SELECT count(*) FROM metrics_refresh.next_runs('1 second', 10000);
SELECT count(*) FROM metrics_refresh.next_runs('* * * * *', after => '0001-01-01 BC');

-- What is refused, and how: field, position, what would be right.
\a \t
SELECT format('[%s] ', left(s, 60)) || tools.try(format('SELECT metrics_refresh.next_runs(%L)', s))
FROM unnest(ARRAY[
    '', '   ', '* * * *', '* * * * * *', '0 */5 * * * *', '0 0 12 * * ? 2025', '0 0 * * * root', '5 minutes please',
    '@daily please', '60 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *', '* * * 13 *', '* * * * 8', '-1 * * * *',
    '99999999999999999999 * * * *', '0 0 31 2 *', '0 0 30 FEB *', '0 0 31 4,6,9,11 *', '0 0 31W 2 ?',
    '0 0 */15 2 mon#5', '*/0 * * * *', '*/60 * * * *', '*/x * * * *', '5/0 * * * *', '1,,2 * * * *', '1, * * * *',
    ',1 * * * *', '1-2-3 * * * *', '1- * * * *', '* * * foo *', '* * * * tues', '* * * january *', 'mon * * * *',
    '? * * * *', '0 0 ? * ?', '* * * * L', '* * 5L * *', '* * * * fri#6', 'H(30-10) * * * *', '0 2 * * *;',
    '@fortnightly', '@dayly', '@', '0 seconds', '-5 minutes', '1.5 hours', '5 fortnights', '90s', 'five minutes',
    '1 day 12 hours', '@every', '@every 20', '@after 2 days', '315360001 seconds', '99999999999999999999 hours',
    'hourly', 'every 5 minutes', E'*/5 * * * *\u00a0', '٥ * * * *', repeat('1,', 500) || '1 * * * *']) WITH ORDINALITY v (s, n) ORDER BY n;
\a \t

-- NULLs and what is out of range.
\a \t
SELECT q || ' -> ' || tools.try('SELECT metrics_refresh.next_runs(' || q || ')')
FROM unnest(ARRAY['NULL', '$$@daily$$, NULL', '$$@daily$$, 0', '$$@daily$$, -1', '$$@daily$$, 10001',
                  '$$@daily$$, 5, NULL', '$$@daily$$, 5, $$infinity$$', '$$@daily$$, 5, $$-infinity$$',
                  '$$@daily$$, timezone => $$Mars/Olympus$$', '$$@daily$$, timezone => $$CEST$$',
                  '$$@daily$$, timezone => $$../../etc/passwd$$', '$$@daily$$, timezone => $$Europe/Berlin $$',
                  '$$@daily$$, timezone => repeat($$x$$, 70)'])
     WITH ORDINALITY v (q, n) ORDER BY n;
\a \t
-- The end of the calendar ends the rows, not with an error.
SELECT * FROM metrics_refresh.next_runs('@yearly', 5, '9997-12-31 00:00:00+00');
SELECT * FROM metrics_refresh.next_runs('@yearly', 5, '294276-12-31 00:00:00+00');
SELECT * FROM metrics_refresh.next_runs('1 hour', 5, '294276-12-31 00:00:00+00');
