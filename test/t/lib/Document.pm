# The SQL of a page: finds the statements that it shows, runs them in order, and compares their output with what the
# page shows. A page says this in Markdown:
#
#   ```sql              a block of statements; they must not fail, unless the output that follows shows the error
#   ```output           the output of the block above it
#   ```psql             a transcript: statements after the prompt `name=# `, each with its output
#   ```output varying   as above, but moments and durations may differ
#   ```sql in <!-- -->  statements that readers do not see: they prepare what the page takes for granted
#   <!-- needs X -->    the next block runs if the extension X is installed, and is left out if it is not
package Document;

use strict;
use warnings;

use IPC::Run ();

# Reads a page: a list of blocks { line, sql, shown, varying, needs }, shown undefined if the page shows no output.
sub blocks
{
	my ($text) = @_;
	my (@blocks, $needs);
	while ($text =~ /\G(.*?)^(?:```([^\n]*)\n(.*?)^```[ ]*$|<!-- needs (\w+) -->)/gms)
	{
		my ($kind, $body) = ($2, $3);
		if (defined $4) { $needs = $4; next; }
		my $line = 1 + (substr($text, 0, $-[2]) =~ tr/\n//);
		my %block = (line => $line, needs => $needs);
		if ($kind eq 'sql') { push @blocks, { %block, sql => $body }; }
		elsif ($kind =~ /^output( varying)?$/)
		{
			die "line $line: output without statements before it\n" if !@blocks || defined $blocks[-1]{shown};
			$blocks[-1]{shown} = $body;
			$blocks[-1]{varying} = defined $1;
			next;
		}
		elsif ($kind =~ /^psql( varying)?$/)
		{
			my $varying = defined $1;
			while ($body =~ /^\w+=[#>] (.*?;)[ ]*\n(.*?)(?=^\w+=[#>] |\z)/gms)
			{
				push @blocks, { %block, sql => $1, shown => $2, varying => $varying };
			}
		}
		elsif ($body =~ /^\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|GRANT|CALL|REFRESH)\s/m)
		{
			die "line $line: a block with statements is not marked as sql\n";
		}
		undef $needs;
	}
	return @blocks;
}

# Statements in running text, which nothing runs: they belong into a block.
sub loose_statements
{
	my ($text) = @_;
	my @lines = split /\n/, $text;
	my ($inside, @loose) = (0);
	for my $at (0 .. $#lines)
	{
		if ($lines[$at] =~ /^```/) { $inside = !$inside; next; }
		next if $inside;
		while ($lines[$at] =~ /`((?:SELECT|CALL|INSERT|UPDATE|DELETE FROM|ALTER|CREATE|GRANT|REVOKE)\s[^`]+)`/g)
		{
			my $statement = $1;
			push @loose, 'line ' . ($at + 1) . ": $statement"
			  if $statement !~ /…|[A-Z]{2,}$/ && ($statement =~ /\bFROM\b|\)$|;$|\sTO\s|=/);
		}
	}
	return @loose;
}

# A comparison passes over the width of columns.
sub plain
{
	my ($text) = @_;
	my @lines;
	for my $line (split /\n/, $text)
	{
		$line =~ s/-{2,}/--/g;
		$line =~ s/\s+/ /g;
		$line =~ s/^ | $//g;
		push @lines, $line;
	}
	pop @lines while @lines && $lines[-1] eq '';
	return join("\n", @lines);
}

# Whether the output is the one that the page shows: with other moments, times and fractional numbers, if they may vary.
sub is_shown
{
	my ($got, $shown, $varying) = @_;
	my $pattern = quotemeta(plain($shown));
	if ($varying)
	{
		my ($time, $number) = ('\d\d:\d\d:\d\d(?:\.\d+)?', '\d+(?:\.\d+)?');
		$pattern =~ s/\d{4}\\-\d\d\\-\d\d\\ \d\d\\:\d\d\\:\d\d(?:\\\.\d+)?\\\+\d\d/MOMENT/g;
		$pattern =~ s/\b\d\d\\:\d\d\\:\d\d(?:\\\.\d+)?/TIME/g;
		$pattern =~ s/\b\d+\\\.\d+\b/$number/g;
		$pattern =~ s/MOMENT/\\d{4}-\\d\\d-\\d\\d ${time}[+]\\d\\d/g;
		$pattern =~ s/TIME/$time/g;
	}
	return plain($got) =~ /\A$pattern\z/;
}

# Runs a block by the psql command given; returns what is wrong, undef if all is well.
sub problem
{
	my ($psql, $block) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([@$psql], '<', \"$block->{sql}\n", '>', \$out, '2>', \$err);
	my $failed = $? != 0;
	$err = join('', grep { !/^psql:/ } split /(?<=\n)/, $err);
	my $shown = $block->{shown};
	return $failed ? "failed: $err" : undef if !defined $shown;
	my $messages = qr/^(?:ERROR|WARNING|NOTICE|DETAIL|HINT|CONTEXT|LINE \d+):|^ *\^$/m;
	return "failed: $err" if $failed && $shown !~ /^ERROR:/m;
	$err =~ s/^CONTEXT:.*\n//mg if $shown !~ /^CONTEXT:/m;
	my $got = $shown =~ $messages ? $out . $err : $out;
	return undef if is_shown($got, $shown, $block->{varying});
	return "the output is\n$got" . "instead of\n$shown";
}

1;
