# The examples of background jobs do as they say: examples/queue.sql in an empty database, and
# examples/job-worker.mjs beside it, against a receiver of webhooks that fails at times.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $examples = "$FindBin::RealBin/../../examples";
my $node = start_node('queue_examples', 'metrics_refresh.queue_workers' => 2, 'metrics_refresh.max_workers' => 4);
create_extension($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Twice, as it says that it may be run again.
for my $run ('first', 'second')
{
	my ($status, $out, $errors) = $node->psql('postgres', slurp_file("$examples/queue.sql"), on_error_stop => 1);
	is($status, 0, "queue.sql, the $run time") or diag($out, $errors);
	is($errors, '', '... without a warning');
	my @lines = split /\n/, $out;
	is_deeply([ @lines[-3 .. -1] ], [ 'done', 'done', 'stale' ], '... a claim, its end, and a stale token');
	my $of_run = "FROM queue_example.report WHERE day = current_date";
	until_ok($node, 'postgres', "SELECT EXISTS (SELECT $of_run)", '... the report follows the scores');
	is(sql("SELECT accounts >= 1000 $of_run"), 't', '... and has all of them');
	is(sql('SELECT count(*) FROM queue_example.mail'), 3, '... each good mail is sent once');
	like($out, qr/^send_mail\|P0001\|not an address: nobody$|not an address: nobody/m, '... the bad one is in the log');
}

# What the worker needs: Node, and pg of Debian or of npm.
sub modules
{
	return '/usr/share/nodejs' if -d '/usr/share/nodejs/pg';
	my $folder = PostgreSQL::Test::Utils::tempdir();
	append_to_file("$folder/package.json", '{ "private": true }');
	IPC::Run::run([ 'npm', 'install', '--prefix', $folder, '--no-audit', '--no-fund', 'pg@8' ],
		'<', '/dev/null', '>', "$folder/log", '2>', "$folder/log") or return;
	return "$folder/node_modules";
}

sub has_program { return IPC::Run::run([ 'sh', '-c', "command -v $_[0]" ], '>', \my $path) }

SKIP:
{
	skip 'there is no node', 1 unless has_program('node');
	skip 'there is neither node-pg nor npm', 1 unless -d '/usr/share/nodejs/pg' || has_program('npm');
	my $modules = modules() // skip 'npm could not install pg', 1;
	worker($modules);
}

sub worker
{
	my ($modules) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	symlink $modules, "$folder/node_modules" or die "$folder: $!";
	copy_file("$examples/job-worker.mjs", "$folder/job-worker.mjs");
	append_to_file("$folder/receiver.mjs", receiver());
	local $ENV{NODE_PATH} = $modules;
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'postgres';
	local $ENV{PGUSER} = sql('SELECT current_user');
	local $ENV{LEASE_SECONDS} = 3;

	my $port = '';
	my $receiver = IPC::Run::start([ 'node', "$folder/receiver.mjs" ], '>', \$port);
	$receiver->pump until $port =~ /\n/;
	chomp $port;

	sql(q{SELECT metrics_refresh.alter_job_type('deliver_webhook', backoff => '10 ms', max_attempts => 4)});
	sql(qq{SELECT count(*) FROM metrics_refresh.enqueue_many('deliver_webhook',
		ARRAY(SELECT jsonb_build_object('url', 'http://127.0.0.1:$port/fails-once/' || i) FROM generate_series(1, 20) i))});
	my $gone = enqueue("http://127.0.0.1:$port/gone");
	my $down = enqueue("http://127.0.0.1:$port/down");
	# Longer than a lease: heartbeats keep it.
	my $slow = enqueue("http://127.0.0.1:$port/slow/5000");

	my $said = '';
	my $began = time;
	my $worker = IPC::Run::start([ 'node', "$folder/job-worker.mjs" ], '2>', \$said);
	until_ok($node, 'postgres', q{SELECT count(*) = 20 FROM background_jobs
		WHERE type = 'deliver_webhook' AND status = 'completed' AND payload ->> 'url' LIKE '%/fails-once/%' AND attempts = 2},
		'jobs whose first attempt failed complete with the second');
	until_ok($node, 'postgres', "SELECT status = 'dead' AND attempts = 1 FROM background_jobs WHERE id = $gone",
		'a permanent failure is not tried again');
	until_ok($node, 'postgres', "SELECT status = 'dead' AND attempts = 4 FROM background_jobs WHERE id = $down",
		'another failure is, up to max_attempts');
	until_ok($node, 'postgres', "SELECT status = 'completed' FROM background_jobs WHERE id = $slow", 'a job that takes longer than its lease ends');
	is(sql("SELECT attempts FROM background_jobs WHERE id = $slow"), 1, '... in its first attempt');

	# The worker waits for work in the server: a job is taken at once.
	my $at_once = enqueue("http://127.0.0.1:$port/ok");
	is(sql("SELECT metrics_refresh.wait_job($at_once, '10 s')"), 'completed', 'a waiting worker takes a new job');

	# A graceful stop: the job under way ends, and one that is enqueued then stays.
	my $under_way = enqueue("http://127.0.0.1:$port/slow/1500");
	until_ok($node, 'postgres', "SELECT status = 'processing' FROM background_jobs WHERE id = $under_way", 'a slow job is under way');
	$worker->signal('TERM');
	$worker->finish;
	is($worker->full_result(0), 0, 'the worker ends after SIGTERM');
	is(sql("SELECT status FROM background_jobs WHERE id = $under_way"), 'completed', '... when its job has ended');
	my $left = enqueue("http://127.0.0.1:$port/ok");
	is(sql("SELECT status FROM background_jobs WHERE id = $left"), 'pending', '... and claims no more');

	# Beyond the grace time a job is given back, and its attempt does not count.
	local $ENV{GRACE_SECONDS} = 0;
	sql("SELECT metrics_refresh.cancel_job($left)");
	my $cut = enqueue("http://127.0.0.1:$port/slow/60000");
	$worker = IPC::Run::start([ 'node', "$folder/job-worker.mjs" ], '2>', \$said);
	until_ok($node, 'postgres', "SELECT status = 'processing' FROM background_jobs WHERE id = $cut", 'an endless job is under way');
	$worker->signal('TERM');
	$worker->finish;
	is($worker->full_result(0), 0, 'the worker ends without it');
	is(sql("SELECT status || ' ' || attempts FROM background_jobs WHERE id = $cut"), 'pending 0', '... and gives it back');
	unlike($said, qr/could not|no jobs can be claimed|no heartbeat/, 'the worker had no trouble') or diag($said);

	$receiver->signal('KILL');
	$receiver->finish;
	return;
}

sub enqueue
{
	return sql(qq{SELECT metrics_refresh.enqueue('deliver_webhook', '{"url": "$_[0]"}')});
}

sub copy_file
{
	my ($from, $to) = @_;
	append_to_file($to, slurp_file($from));
	return;
}

# Answers as the path says.
sub receiver
{
	return <<'JS';
import { createServer } from "node:http";
const seen = new Set();
const server = createServer((request, response) => {
  const [, kind, argument] = request.url.split("/");
  const answer = (status) => { response.statusCode = status; response.end(); };
  request.resume();
  if (kind === "gone") answer(410);
  else if (kind === "down") answer(503);
  else if (kind === "slow") setTimeout(answer, Number(argument), 200);
  else if (kind === "fails-once" && !seen.has(request.url)) { seen.add(request.url); answer(500); }
  else answer(200);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
JS
}

done_testing();
