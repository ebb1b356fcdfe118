# The shares of roles in the room of a queue, beyond the life of a transaction: the end of a session, a restart
# of the server, and counts that the scheduler takes anew.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MetricsRefreshTest;
use Test::More;

# With little memory, the room is soon full.
my $node = start_node('shares', 'metrics_refresh.queue_memory' => '1MB');
create_extension($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub as { return $node->safe_psql('postgres', "SET metrics_refresh.max_queued_jobs_per_role = 100; SET ROLE $_[0]; $_[1]") }

# The message of a statement that fails.
sub refusal
{
	my ($role, $sql) = @_;
	my $error = '';
	$node->psql('postgres', "SET metrics_refresh.max_queued_jobs_per_role = 100; SET ROLE $role; $sql", stderr => \$error);
	return $error =~ /ERROR:  (.*)/ ? $1 : 'none';
}

sql(qq{
	CREATE ROLE $_ LOGIN;
	GRANT EXECUTE ON FUNCTION metrics_refresh.enqueue, metrics_refresh.enqueue_many, metrics_refresh.create_batch TO $_;
	SET ROLE $_;
	SELECT metrics_refresh.register_job_type('$_', mode => 'external')}) for qw(greedy modest);
sub wait_until_counted { return until_ok($node, 'postgres', 'SELECT counts_exact FROM metrics_refresh.queue_status()', $_[0]) }
wait_until_counted('the jobs are counted');
my $beyond = 'role "greedy" would have more background jobs than it may';

# A session that ends in the middle of a transaction takes nothing with it.
my $session = $node->background_psql('postgres', on_error_die => 1);
$session->query_safe(q{BEGIN; SELECT metrics_refresh.enqueue('greedy') FROM generate_series(1, 60)});
is(refusal('greedy', q{SELECT metrics_refresh.enqueue('greedy') FROM generate_series(1, 41)}), $beyond, 'jobs of an open transaction count');
my $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'});
sql("SELECT pg_terminate_backend($pid, 60000)");
eval { $session->quit };
is(as('greedy', q{BEGIN; SELECT count(metrics_refresh.enqueue('greedy')) FROM generate_series(1, 100); ROLLBACK}), 100,
	'those of a terminated session do not');

# Batches that have not ended count after a crash, too.
as('greedy', q{SELECT metrics_refresh.create_batch('greedy', open => true) FROM generate_series(1, 60)});
sub crash { $node->stop('immediate'); $node->start; return wait_until_counted('the jobs are counted after a crash') }
crash();
is(refusal('greedy', q{SELECT metrics_refresh.enqueue('greedy') FROM generate_series(1, 41)}), $beyond, 'open batches count after a crash');
is(as('greedy', q{BEGIN; SELECT count(metrics_refresh.enqueue('greedy')) FROM generate_series(1, 40); ROLLBACK}), 40, 'each once');
is(sql(q{SELECT sum(pending) FROM metrics_refresh.job_counts()}), 0, 'they are no jobs');

# So do claims from outside.
sql(qq{SELECT count(*) FROM metrics_refresh.enqueue_many('$_', array_fill('{}'::jsonb, '{6000}'))}) for qw(greedy modest);
my $claim = sub { return "SELECT count(*) FROM metrics_refresh.claim_jobs('{$_[0]}', 1000, lease => '1 hour', wait => '20 seconds')" };
my $claimed = 0;
my $full = qr/^external workers would claim more jobs of types of role "greedy" than they may$/;
for (1 .. 6)
{
	last if refusal('greedy', 'BEGIN; ' . $claim->('greedy')) =~ $full;
	$claimed += as('greedy', $claim->('greedy'));
}
cmp_ok($claimed, '>', 0, "a role claims its share: $claimed");
like(refusal('greedy', $claim->('greedy')), $full, 'and no more');
crash();
is(sql('SELECT external_claims FROM metrics_refresh.queue_status()'), $claimed, 'the claims are there after a crash');
like(refusal('greedy', $claim->('greedy')), $full, 'and are its share');
is(sql(q{SELECT type, count(*) FROM metrics_refresh.claim_jobs('{greedy,modest}', 10) GROUP BY type}), 'modest|10',
	'a call that names types of both gets jobs of the other');
cmp_ok(as('modest', $claim->('modest')), '>', 0, 'there is room for another role');

done_testing();
