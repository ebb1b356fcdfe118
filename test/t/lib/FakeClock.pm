# A clock that the test steers while servers run (test/preload/clock.c). It is shown to every program
# that is started after new(), pg_ctl among them: that compares the server's start with its own time.
#
# A process that sleeps does not see the clock move, as it would where somebody sets the real one:
# there the kernel ends its sleep by way of a timerfd. wake() ends it by its latch instead, which is
# the same wait in the same place, and what follows is the same: the process looks at the clock anew.
package FakeClock;

use strict;
use warnings;

use Fcntl;
use MetricsRefreshTest;
use PostgreSQL::Test::Utils;
use Time::HiRes;

sub new
{
	my ($class) = @_;
	my $path = PostgreSQL::Test::Utils::tempdir() . '/clock';
	sysopen(my $file, $path, O_RDWR | O_CREAT) or die "$path: $!";
	syswrite($file, "\0" x 32);
	$ENV{MR_CLOCK} = $path;
	preload('clock');
	return bless { file => $file, version => 0, real => 0, shown => 0, rate => 1 }, $class;
}

# Shows this time (seconds since 1970), and goes on from there at this rate, or at the one it had.
sub set
{
	my ($self, $shown, $rate) = @_;
	@$self{qw(real shown rate)} = (Time::HiRes::time(), $shown, $rate // $self->{rate});
	$self->_write(0, pack('Q', $self->{version} + 1));
	$self->_write(8, pack('q q d', map({ int($_ * 1e9) } @$self{qw(real shown)}), $self->{rate}));
	$self->_write(0, pack('Q', $self->{version} += 2));
	return;
}

sub now
{
	my ($self) = @_;
	my $real = Time::HiRes::time();
	return $real unless $self->{version};
	return $self->{shown} + ($real - $self->{real}) * $self->{rate};
}

# Forward, or back.
sub step
{
	my ($self, $seconds) = @_;
	return $self->set($self->now + $seconds);
}

# All processes of ours look at the clock anew.
sub wake
{
	my ($self, $session) = @_;
	return $session->query_safe('SELECT pg_reload_conf()');
}

sub _write
{
	my ($self, $offset, $bytes) = @_;
	sysseek($self->{file}, $offset, 0);
	syswrite($self->{file}, $bytes) == length $bytes or die "the clock cannot be set: $!";
	return;
}

1;
