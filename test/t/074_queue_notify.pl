# Listeners are told of jobs that have ended: by the scheduler, at most ten times a second, and of each end once.
use strict;
use warnings;

use FindBin;
use JSON::PP;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('notify', 'metrics_refresh.worker_idle_timeout' => '10min');
create_extension($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(q{
	CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE sql AS '';
	CREATE FUNCTION fail(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'on purpose'; END $$;
	SELECT metrics_refresh.register_job_type('work', 'work(jsonb)');
	SELECT metrics_refresh.register_job_type('fail', 'fail(jsonb)', max_attempts => 2, backoff => '1 ms');
	SELECT metrics_refresh.register_job_type('external', mode => 'external');
	SELECT metrics_refresh.register_job_type('idle', 'work(jsonb)')});
my %number = split /[|\n]/, sql('SELECT type, type_id FROM metrics_refresh.job_types');
my $scheduler = process_id($node, 'scheduler', 'postgres');
my $listener = $node->background_psql('postgres', on_error_stop => 1);
$listener->query_safe('LISTEN metrics_refresh');
my $session = $node->background_psql('postgres', on_error_stop => 1);

# The notifications that have come since the last call, in their order.
sub news
{
	my @news;
	my $output = $listener->query_safe('SELECT 1');
	while ($output =~ /^Asynchronous notification "(\w+)" with payload "(.*)" received from server process with PID (\d+)\.$/mg)
	{
		push @news, { channel => $1, payload => $2, content => decode_json($2), sender => $3 };
	}
	return @news;
}

# Those until as many ends of this kind have been told of.
sub news_until
{
	my ($kind, $count) = @_;
	my @news;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		push @news, news();
		return @news if told($kind, @news) >= $count;
		select undef, undef, undef, 0.1;
	}
	die "only " . told($kind, @news) . " $kind of $count";
}
sub told { my ($kind, @news) = @_; my $sum = 0; $sum += $_->{content}{queue}{$kind} for @news; return $sum }

# Many jobs, some of which fail, and some that are canceled.
sql(q{
	SELECT metrics_refresh.pause_job_type(type) FROM unnest('{work,fail}'::text[]) type;
	SELECT count(*) FROM metrics_refresh.enqueue_many('work', (SELECT array_agg('{}'::jsonb) FROM generate_series(1, 20000)));
	SELECT count(*) FROM metrics_refresh.enqueue_many('fail', (SELECT array_agg('{}'::jsonb) FROM generate_series(1, 3)));
	SELECT count(*) FROM metrics_refresh.enqueue_many('external', (SELECT array_agg('{}'::jsonb) FROM generate_series(1, 5)))});
is(scalar(news()), 0, 'nothing has ended yet');
my $begun = sql('SELECT extract(epoch FROM clock_timestamp())');
sql(q{
	SELECT metrics_refresh.resume_job_type(type) FROM unnest('{work,fail}'::text[]) type;
	SELECT metrics_refresh.cancel_job(id) FROM background_jobs WHERE type = 'external'});
until_ok($node, 'postgres', q{SELECT count(*) = 4 AND bool_and(pending + processing + failed = 0) FROM metrics_refresh.job_counts()}, 'all have ended');
my @news = news_until(completed => 20000);
push @news, news_until(dead => 3 - told(dead => @news)) if told(dead => @news) < 3;
is( sql('SELECT sum(completed_since_start), sum(failures_since_start), sum(dead), sum(canceled) FROM metrics_refresh.job_counts()'),
	join('|', map { told($_, @news) } qw(completed failed dead canceled)),
	'the sums are those of job_counts()');
is(join('|', map { told($_, @news) } qw(completed failed dead canceled)), '20000|6|3|5', 'of these jobs');

is(join(' ', sort keys %{ $_->{content} }), 'at queue', 'the keys of a notification') for $news[0];
is(join(' ', sort keys %{ $_->{content}{queue} }), 'canceled completed dead failed types', 'and of its object') for $news[0];
my %types = map { $_ => 1 } map { @{ $_->{content}{queue}{types} } } @news;
is_deeply([ sort keys %types ], [ sort @number{qw(work fail external)} ], 'the types are numbers of job_types');
my %senders = map { $_->{sender} => 1 } @news;
is_deeply([ keys %senders ], [$scheduler], 'the scheduler has sent all of them');
my $took = sql("SELECT extract(epoch FROM '$news[-1]{content}{at}'::timestamptz) - $begun");
note(@news . " notifications in $took s");
cmp_ok(@news - 1, '<=', 10 * $took, 'at most ten a second');
cmp_ok(scalar(@news), '>', 1, 'more than one');

# More types than a notification can list. All their jobs are canceled while the scheduler rests.
sql(q{
	DO $$ BEGIN
		FOR i IN 1 .. 501 LOOP
			PERFORM metrics_refresh.register_job_type('many ' || i, mode => 'external'), metrics_refresh.enqueue('many ' || i);
		END LOOP;
	END $$});
sub cancel_at_once
{
	my ($condition) = @_;
	stop_asleep($session, $scheduler);
	my $canceled = eval { sql("SELECT count(metrics_refresh.cancel_job(id)) FROM background_jobs WHERE status = 'pending' AND $condition") };
	kill('CONT', $scheduler);
	die $@ if $@;
	return news_until(canceled => $canceled);
}
my ($all) = cancel_at_once('true');
is($all->{content}{queue}{canceled}, 501, 'jobs of 501 types are canceled together');
is($all->{content}{queue}{types}, undef, 'their types are not listed');
like($all->{payload}, qr/"types": null/, 'but null');
sql(q{SELECT count(metrics_refresh.enqueue(type)) FROM metrics_refresh.job_types WHERE type LIKE 'many %'});
my ($most) = cancel_at_once(q{type <> 'many 1'});
is(scalar(@{ $most->{content}{queue}{types} }), 500, '500 types are listed');

# Switched off. The ends meanwhile are not told later.
sub switch
{
	my ($value) = @_;
	sql("ALTER SYSTEM SET metrics_refresh.queue_notify = $value");
	$node->reload;
	# A process of the server that starts with this value starts after all others were told of it.
	$node->poll_query_until('postgres', "SELECT current_setting('metrics_refresh.queue_notify') = '$value'") or die 'the setting does not change';
	return;
}
sub complete { return sql(q{SELECT metrics_refresh.enqueue('work') AS job \gset
	SELECT metrics_refresh.wait_job(:job, '60 s')}) }
switch('off');
is(complete(), 'completed', 'a job without a notification');
switch('on');
my ($ends, @told) = (0);
until (@told or $ends == 50)
{
	complete();
	$ends++;
	select undef, undef, undef, 0.2;
	@told = news();
}
my $told = told(completed => @told);
ok(1 <= $told && $told <= $ends, "only ends after that are told of: $told of $ends");

$_->quit for $listener, $session;
$node->stop;
done_testing();
