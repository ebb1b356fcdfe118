# Attacks by roles that have a LOGIN and a schema of their own, and no more, on those who only want their
# jobs to run: workers that are held, memory, starvation, locks in which everybody waits. Each subtest is
# an attack with its relatives and ends with the question whether somebody else's job of every second
# runs. 037_attacks.pl has those on rights.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Attack;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

my $node = start_attacked_node('metrics_refresh.cancel_grace' => '1s');
sub sql { return $node->safe_psql('postgres', $_[0]) }
sql('CREATE EXTENSION metrics_refresh_cron; GRANT USAGE ON SCHEMA cron TO alice, mallory;
	GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command TO alice, mallory;
	REVOKE EXECUTE ON FUNCTION metrics_refresh.schedule_command FROM PUBLIC');

# What took how long, in seconds.
sub seconds_of
{
	my ($call) = @_;
	my $began = Time::HiRes::time();
	$call->();
	return Time::HiRes::time() - $began;
}

subtest 'definitions and commands that will not be canceled' => sub {
	as('mallory', q{
		CREATE FUNCTION mallory.stay() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
		  FOR n IN 1 .. 1000 LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; RETURN 1; END $$;
		CREATE FUNCTION mallory.stay(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
		  IF $1 > 1 THEN PERFORM mallory.stay(); END IF; RETURN $1; END $$;
		CREATE TABLE mallory.n (n int); INSERT INTO mallory.n VALUES (1);
		CREATE MATERIALIZED VIEW mallory.stays1 AS SELECT mallory.stay() AS c WITH NO DATA;
		CREATE MATERIALIZED VIEW mallory.stays2 AS SELECT n FROM mallory.n; CREATE INDEX ON mallory.stays2 (mallory.stay(n));
		CREATE MATERIALIZED VIEW mallory.stays3 AS SELECT n FROM mallory.n WHERE mallory.stay(3) > 0 WITH NO DATA;
		INSERT INTO mallory.n SELECT 2 FROM generate_series(1, 200);
		SELECT metrics_refresh.schedule('mallory.stays' || n, NULL, 'stays' || n, max_runtime => '1 s', max_retries => 0) FROM generate_series(1, 3) n;
		SELECT metrics_refresh.schedule_command('stays4', NULL, 'SELECT mallory.stay()', max_runtime => '1 s');
		SELECT metrics_refresh.trigger('stays' || n) FROM generate_series(1, 4) n});
	is_worker_free('^stays', 15, 'each has been ended, whatever it catches');
	heart_beats('and others run');
	# cancel() as well.
	as('mallory', q{SELECT metrics_refresh.alter_job('stays1', max_runtime => '1 hour')});
	my $run = (try_as('mallory', q{SELECT metrics_refresh.trigger('stays1')}))[0];
	ok(becomes("SELECT count(*) = 1 FROM metrics_refresh.run_log WHERE run_id = $run AND status = 'running'", 10), 'one is under way');
	try_as('postgres', "SELECT metrics_refresh.cancel($run)");
	is_worker_free('^stays', 10, 'cancel() ends it in the end');
	sql(q{SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE job_name LIKE 'stays%';
		SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'metrics_refresh worker'});
	# Else they were among the views of a schema that are refreshed below, for an hour.
	as('mallory', 'DROP MATERIALIZED VIEW mallory.stays1, mallory.stays2, mallory.stays3');
};

subtest 'rows and tables that are locked, and workers that would wait for them' => sub {
	as('mallory', q{
		CREATE TABLE mallory.l (id int PRIMARY KEY); INSERT INTO mallory.l VALUES (1);
		CREATE MATERIALIZED VIEW mallory.l_mv AS SELECT id, pg_sleep(0.5)::text AS s FROM mallory.l WITH NO DATA;
		CREATE MATERIALIZED VIEW mallory.k_mv AS SELECT id FROM mallory.l; CREATE UNIQUE INDEX ON mallory.k_mv (id);
		SELECT metrics_refresh.schedule_group('l group', '{mallory.l_mv}', populate => false)});
	# One-time jobs, whose rows the end of their run removes.
	for my $call ("alter_job('%s', lock_timeout => '1 s')", "trigger('%s')", "unschedule('%s')")
	{
		my $run = (try_as('mallory', q{SELECT metrics_refresh.refresh_all_views('mallory')}))[0];
		my $job = sql("SELECT job_name FROM metrics_refresh.run_log WHERE run_id = $run UNION SELECT j.job_name FROM metrics_refresh.job j JOIN metrics_refresh.run_request USING (job_id) WHERE run_id = $run LIMIT 1");
		open_session('mallory', 'BEGIN; SELECT metrics_refresh.' . sprintf($call, $job =~ s/'/''/gr));
	}
	my $run = (try_as('mallory', q{SELECT metrics_refresh.trigger('l group')}))[0];
	open_session('mallory', q{BEGIN; SELECT metrics_refresh.pause('l group')});
	open_session('mallory', "BEGIN; SELECT metrics_refresh.cancel($run)");
	heart_beats('others run meanwhile');
	# One that is about to has the time to give up.
	ok(becomes(q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'metrics_refresh worker' AND wait_event_type = 'Lock'}, 5), 'no worker waits for a row that a session holds');
	close_sessions();
	is_worker_free('^(?!heart)', 20, 'and all ends');

	# The set-up of a strategy waits for a table that its owner holds.
	as('mallory', q{SELECT metrics_refresh.schedule('mallory.k_mv', NULL, 'k' || n, strategy => 'incremental', lock_timeout => '24 days', max_runtime => '1 s', max_retries => 0) FROM generate_series(1, 4) n});
	my $trigger = sql(q{SELECT tgname FROM pg_trigger WHERE tgrelid = 'mallory.l'::regclass AND NOT tgisinternal LIMIT 1});
	# The sweep may have been faster.
	as('mallory', "SET client_min_messages = warning; DROP TRIGGER IF EXISTS $trigger ON mallory.l");
	my $session = open_session('mallory', 'BEGIN; LOCK TABLE mallory.l IN ROW EXCLUSIVE MODE; INSERT INTO mallory.l VALUES (2)');
	as('mallory', q{SELECT metrics_refresh.trigger('k' || n) FROM generate_series(1, 4) n});
	is_worker_free('^k\d', 15, 'no set-up waits longer than the run may last');
	heart_beats('and others run');
	close_sessions();
	sql(q{SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE job_name ~ '^(k\d|l group)'});
	as('mallory', 'DROP MATERIALIZED VIEW mallory.l_mv, mallory.k_mv');
};

subtest 'what is stored, and what the scheduler keeps of it' => sub {
	as('mallory', 'CREATE MATERIALIZED VIEW mallory.one AS SELECT 1 AS one');
	my $before = memory_of_scheduler();
	for my $n (1 .. 3)
	{
		try_as('mallory', "SELECT metrics_refresh.schedule('mallory.one', '1 hour', 'big$n', settings => jsonb_build_object('work_mem', repeat(' ', 20000000) || '64'))", limit => '30s');
		try_as('mallory', "SELECT metrics_refresh.schedule_command('big command $n', '1 hour', repeat(' ', 20000000) || 'SELECT 1')", limit => '30s');
		try_as('mallory', "SELECT metrics_refresh.schedule('mallory.one', '1 hour', 'blackout$n', blackout => array_fill('Mon-Fri 00:00-01:00'::text, ARRAY[100]))", limit => '30s');
	}
	my $took = seconds_of(sub { try_as('mallory', "SELECT metrics_refresh.schedule('mallory.one', '1 hour', 'many', settings => (SELECT jsonb_object_agg('mallory.x' || n, n) FROM generate_series(1, 3000) n))", limit => '1s') });
	cmp_ok($took, '<', 4, 'many settings are refused, or can be canceled');
	heart_beats('others run');
	cmp_ok(memory_of_scheduler() - $before, '<', 20 * 1024, 'the scheduler has not grown by it');
	cmp_ok(sql(q{SELECT coalesce(max(greatest(length(settings::text), length(command))), 0) FROM metrics_refresh_internal.job}), '<', 3_000_000, 'nor is so much stored of one job');
	sql(q{SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE owner = 'mallory'});

	as('mallory', q{
		CREATE FUNCTION mallory.shout() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
		  RAISE '%', repeat('x', 20000000) USING DETAIL = repeat('y', 20000000), HINT = repeat('z', 20000000); END $$;
		CREATE MATERIALIZED VIEW mallory.shouts AS SELECT mallory.shout() AS c WITH NO DATA;
		SELECT metrics_refresh.schedule('mallory.shouts', NULL, 'shouts');
		SELECT metrics_refresh.schedule_command('shouts too', NULL, 'DO $x$ BEGIN PERFORM mallory.shout(); END $x$')});
	run_job('mallory', $_) for 'shouts', 'shouts too';
	try_as('mallory', q{SELECT metrics_refresh.refresh('mallory.shouts')});
	cmp_ok(sql(q{SELECT max(length(l::text)) FROM metrics_refresh_internal.run_log l}), '<', 300_000, 'of an error some is kept');
	cmp_ok(sql(q{SELECT coalesce(max(length(s::text)), 0) FROM metrics_refresh_internal.job_state s}), '<', 300_000, 'in the state of the job as well');

	my (undef, $err) = try_as('mallory', q{SELECT metrics_refresh.trigger('shouts') FROM generate_series(1, 20000)}, limit => '60s');
	like($err, qr/ERROR:  5[34]\d\d\d/, 'requests are limited');
	(undef, $err) = try_as('mallory', q{SELECT metrics_refresh.schedule('mallory.one', '1 second', 'crowd' || n) FROM generate_series(1, 3000) n}, limit => '60s');
	like($err, qr/ERROR:  5[34]\d\d\d/, 'jobs are limited');
	heart_beats('others run');
	sql(q{SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE owner = 'mallory'});
};

subtest 'more work than workers' => sub {
	as('mallory', q{
		CREATE MATERIALIZED VIEW mallory.naps AS SELECT pg_sleep(2)::text AS s WITH NO DATA;
		SELECT metrics_refresh.schedule_command('naps' || n, '1 second', 'SELECT pg_sleep(2)', max_runtime => '1 hour') FROM generate_series(1, 16) n});
	my (undef, $err) = try_as('mallory', q{SELECT metrics_refresh.alter_job('naps' || n, priority => 1000) FROM generate_series(1, 16) n});
	like($err, qr/ERROR:  (42501|22023)/, 'who is first is not for everybody to say');
	(undef, $err) = try_as('mallory', q{SELECT metrics_refresh.schedule_command('naps' || n, '1 second', 'SELECT pg_sleep(2)', priority => 1) FROM generate_series(1, 16) n});
	like($err, qr/ERROR:  (42501|22023)/, 'nor of a new job');
	heart_beats('others run', 12);
	my $now = sql('SELECT clock_timestamp()');
	select undef, undef, undef, 9;
	cmp_ok(sql("SELECT count(*) FROM metrics_refresh.run_log WHERE job_name = 'heart' AND status = 'success' AND started_at > '$now'"), '>=', 3, 'and not only now and then');
	sql(q{SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE owner = 'mallory'});
	is_worker_free('^naps', 20, 'the rest ends');
};

subtest 'locks that are asked for without any right, behind one that is held' => sub {
	as('alice', 'CREATE TABLE alice.inc (id int PRIMARY KEY); CREATE MATERIALIZED VIEW alice.inc_mv AS SELECT id FROM alice.inc; CREATE UNIQUE INDEX ON alice.inc_mv (id)');
	as('mallory', q{CREATE TABLE mallory.inc (id int PRIMARY KEY); CREATE MATERIALIZED VIEW mallory.inc_mv AS SELECT id FROM mallory.inc; CREATE UNIQUE INDEX ON mallory.inc_mv (id);
		CREATE FUNCTION mallory.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'});
	# The views for looking are everybody's to lock, as those of pg_catalog; what works does not read them.
	# Everything that a role without rights can hold, and then everything that queues an exclusive lock
	# before it is refused.
	my $hold = 'BEGIN; ' . join(' ', map { "SELECT * FROM metrics_refresh.$_;" } qw(job_status running run_log job view_dependencies health_check() view_status() explain_refresh('mallory.inc_mv')))
	  . "SELECT metrics_refresh.schedule('mallory.inc_mv', '1 hour', 'held', strategy => 'incremental'); SELECT metrics_refresh.refresh('mallory.inc_mv')";
	my @asks = ('DROP EXTENSION metrics_refresh CASCADE', 'DROP SCHEMA metrics_refresh CASCADE', 'DROP SCHEMA metrics_refresh_internal CASCADE', 'ALTER EXTENSION metrics_refresh UPDATE', 'ALTER EXTENSION metrics_refresh SET SCHEMA mallory',
		'COMMENT ON EXTENSION metrics_refresh IS $$x$$', 'DROP FUNCTION metrics_refresh_internal.capture_keys()', 'DROP ROLE heart');
	my @relations = split /\n/, sql(q{SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'v') AND n.nspname LIKE 'metrics\_refresh%' AND c.relname !~ '^delta'});
	for my $relation (@relations)
	{
		push @asks, "CREATE RULE r AS ON INSERT TO $relation DO INSTEAD NOTHING", "CREATE OR REPLACE RULE \"_RETURN\" AS ON SELECT TO $relation DO INSTEAD SELECT 1",
		  "CREATE TRIGGER t AFTER INSERT ON $relation EXECUTE FUNCTION mallory.nothing()", "COMMENT ON COLUMN $relation.job_id IS 'x'";
	}
	for my $at (0 .. $#asks)
	{
		# One at a time would take long; those of four relations at once, and the first few alone.
		next if $at >= 8 && ($at - 8) % 16;
		open_session('mallory', $hold);
		my @now = $at < 8 ? $asks[$at] : grep { defined } @asks[ $at .. $at + 15 ];
		say_in(open_session('mallory', 'SELECT 1'), $_) for @now;
		my $name = $at < 8 ? $asks[$at] : 'rules, triggers and comments on ' . join ' ', grep { my $r = $_; grep { /\b\Q$r\E\b/ } @now } @relations;
		heart_beats("$name: others run", 4);
		my (undef, $err) = try_as('alice', q{SELECT metrics_refresh.schedule('alice.inc_mv', '1 hour', 'hers', strategy => 'incremental'); SELECT metrics_refresh.refresh('alice.inc_mv');
			SELECT metrics_refresh.unschedule('hers')}, limit => '3s');
		is($err, '', "$name: others schedule and refresh");
		close_sessions();
	}
	sql(q{SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE owner IN ('mallory', 'alice')});
};

subtest 'transactions that stay open, and advisory locks' => sub {
	as('mallory', q{SELECT metrics_refresh.schedule('mallory.inc_mv', '1 hour', 'inc', strategy => 'incremental')});
	my $schedule = q{SELECT metrics_refresh.schedule('alice.inc_mv', '1 hour', 'hers', strategy => 'incremental'); SELECT metrics_refresh.unschedule('hers')};
	for my $statement (
		q{SELECT metrics_refresh.unschedule('inc')}, q{SELECT metrics_refresh.schedule('mallory.inc_mv', '2 hours', 'hers')}, q{SELECT metrics_refresh.alter_job('inc', strategy => 'diff')},
		'DROP MATERIALIZED VIEW mallory.inc_mv', q{SELECT metrics_refresh.refresh('mallory.inc_mv')}, q{SELECT metrics_refresh.schedule('mallory.inc_mv', '2 hours', 'other', strategy => 'incremental')},
		'SELECT pg_advisory_lock(classid, objid) FROM (VALUES (hashtext($$metrics_refresh$$), hashtext($$import$$)), (hashtext($$metrics_refresh_cron$$), hashtext($$nightly$$))) l (classid, objid)')
	{
		open_session('mallory', "BEGIN; $statement");
		my (undef, $err) = try_as('alice', $schedule, limit => '3s');
		is($err, '', "BEGIN; $statement: others schedule");
		(undef, $err) = try_as('alice', q{SELECT cron.schedule('nightly', '0 3 * * *', 'SELECT 1'); SELECT cron.unschedule('nightly'); SELECT * FROM metrics_refresh.import_from_crontab('', false)}, limit => '3s');
		is($err, '', 'and use pg_cron\'s functions');
		heart_beats('and run', 4);
		close_sessions();
	}
	sql(q{SELECT metrics_refresh.unschedule(job_id::text) FROM metrics_refresh.job WHERE owner IN ('mallory', 'alice')});
};

subtest 'what is asked of the tables of others' => sub {
	as('alice', q{
		CREATE TABLE alice.mine (id int PRIMARY KEY); CREATE MATERIALIZED VIEW alice.mine_mv AS SELECT id FROM alice.mine; CREATE UNIQUE INDEX ON alice.mine_mv (id);
		CREATE MATERIALIZED VIEW alice.unpopulated AS SELECT id FROM alice.mine WITH NO DATA;
		GRANT SELECT, TRIGGER ON alice.mine TO mallory});
	my $held = q{SELECT string_agg(concat_ws(' ', l.mode, c.relname), ', ') FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = pg_backend_pid() AND c.relnamespace = 'alice'::regnamespace};
	for my $call (
		q{metrics_refresh.explain_refresh('alice.mine_mv')}, q{metrics_refresh.explain_refresh('alice.unpopulated')}, q{metrics_refresh.view_status()}, q{metrics_refresh.health_check()})
	{
		is((try_as('mallory', "BEGIN; SELECT FROM $call; $held"))[0] =~ s/^\s+//r, '', "$call leaves no lock");
	}
	for my $call (q{metrics_refresh.refresh('alice.mine_mv')}, q{metrics_refresh.schedule('alice.mine_mv', strategy => 'incremental')}, q{metrics_refresh.refresh_dependents('alice.mine')})
	{
		my ($out, $err) = try_as('mallory', "BEGIN; SAVEPOINT s; SELECT $call; ROLLBACK TO s; $held", goes_on => 1);
		unlike($out, qr/Lock/, "$call takes none that stays");
	}
	# The privilege TRIGGER keeps nobody from reading.
	as('mallory', q{CREATE MATERIALIZED VIEW mallory.of_hers AS SELECT id FROM alice.mine; CREATE UNIQUE INDEX ON mallory.of_hers (id); SELECT metrics_refresh.schedule('mallory.of_hers', NULL, 'of hers', strategy => 'incremental')});
	open_session('mallory', q{BEGIN; SELECT metrics_refresh.unschedule('of hers')});
	my ($out, $err) = try_as('alice', 'SELECT count(*) FROM alice.mine', limit => '3s');
	is($err, '', 'an open transaction that has unscheduled keeps nobody from reading the table');
	close_sessions();
	for my $statement (q{SELECT metrics_refresh.alter_job('of hers', strategy => 'diff')}, 'DROP MATERIALIZED VIEW mallory.of_hers')
	{
		open_session('mallory', "BEGIN; $statement");
		($out, $err) = try_as('alice', 'SELECT count(*) FROM alice.mine', limit => '3s');
		is($err, '', "nor does $statement");
		close_sessions();
	}
};

subtest 'definitions that take long to look at' => sub {
	my %joins = (
		chain => join(' ', map { "JOIN mallory.j j$_ ON j$_.id = j" . ($_ - 1) . '.v' } 1 .. 299),
		outer => join(' ', map { "LEFT JOIN mallory.j j$_ ON j$_.id = j" . ($_ - 1) . '.v' } 1 .. 299),
		star => join(' ', map { "JOIN mallory.j j$_ ON j$_.id = j0.id" } 1 .. 299));
	as('mallory', 'CREATE TABLE mallory.j (id int PRIMARY KEY, v int)');
	as('mallory', "CREATE MATERIALIZED VIEW mallory.$_ AS SELECT j0.id, j299.v FROM mallory.j j0 $joins{$_} WITH NO DATA", limit => '60s') for sort keys %joins;
	as('mallory', q{
		CREATE VIEW mallory.e0 AS SELECT id FROM mallory.j});
	as('mallory', join ';', map { my $b = $_ - 1; "CREATE VIEW mallory.e$_ AS SELECT a.id FROM mallory.e$b a JOIN mallory.e$b b USING (id)" } 1 .. 16);
	as('mallory', q{
		CREATE MATERIALIZED VIEW mallory.exponential AS SELECT id FROM mallory.e16 WITH NO DATA;
		CREATE VIEW mallory.c1 AS SELECT 1 AS id; CREATE VIEW mallory.c2 AS SELECT id FROM mallory.c1; CREATE OR REPLACE VIEW mallory.c1 AS SELECT id FROM mallory.c2;
		CREATE MATERIALIZED VIEW mallory.circle AS SELECT id FROM mallory.c1 WITH NO DATA});
	for my $view (qw(chain outer star exponential circle))
	{
		for my $call ("explain_refresh('mallory.$view')", "schedule('mallory.$view', NULL, '$view', strategy => 'incremental')", 'view_status()', 'health_check()')
		{
			my $took = seconds_of(sub { try_as('mallory', "SELECT metrics_refresh.$call", limit => '1s') });
			cmp_ok($took, '<', 4, "$view: $call ends within its time");
		}
		try_as('mallory', "SELECT metrics_refresh.schedule('mallory.$view', NULL, '$view', max_runtime => '1 s', max_retries => 0)", limit => '2s');
		try_as('mallory', "SELECT metrics_refresh.trigger('$view')", limit => '2s');
		is_worker_free("^$view", 8, "$view: its run ends");
	}
	heart_beats('others run');
	# Tables whose changes are counted are shared out: 64 of them here.
	as('mallory', 'CREATE TABLE mallory.parts (id int) PARTITION BY LIST (id);' . join(';', map { "CREATE TABLE mallory.part$_ PARTITION OF mallory.parts FOR VALUES IN ($_)" } 1 .. 80));
	as('mallory', q{CREATE MATERIALIZED VIEW mallory.of_parts AS SELECT id FROM mallory.parts; SELECT metrics_refresh.explain_refresh('mallory.of_parts'); SELECT metrics_refresh.refresh('mallory.of_parts')});
	as('mallory', join ';', map { "CREATE MATERIALIZED VIEW mallory.of_part$_ AS SELECT id FROM mallory.part$_; SELECT metrics_refresh.refresh('mallory.of_part$_')" } 1 .. 80);
	as('bob', q{CREATE TABLE bob.t (id int); CREATE MATERIALIZED VIEW bob.mv AS SELECT id FROM bob.t; SELECT metrics_refresh.refresh('bob.mv')});
	like(as('bob', q{SELECT metrics_refresh.refresh('bob.mv') ->> 'strategy'}), qr/^skip$/, 'others still have their tables counted');
};

done_testing();
