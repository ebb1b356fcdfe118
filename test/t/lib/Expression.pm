# Random expressions, conditions and aggregates over columns, for the definitions of Definition.pm, and
# the chance that they come from. A column is {name, type, kind}, and columns of one kind are worth
# joining by. An expression is [sql, type], or [sql, type, kind] where it is a column.
package Expression;

use strict;
use warnings;

# What a type's expressions are made of, %s being one; of each type some constants.
my %made_from = (
	int => [ [ '%s %% 5', 'int' ], [ '-%s', 'int' ], [ 'coalesce(%s, -1)', 'int' ], [ 'CASE WHEN %s > 3 THEN 1 END', 'int' ], [ '%s::bigint', 'bigint' ] ],
	bigint => [ [ '%s %% 7', 'bigint' ], [ '%s / 2', 'bigint' ], [ 'nullif(%s, 4)', 'bigint' ] ],
	text => [ [ 'upper(%s)', 'text' ], [ "%s || '+'", 'text' ], [ 'length(%s)', 'int' ], [ "coalesce(%s, 'none')", 'text' ], [ 'left(%s, 1)', 'text' ] ],
	'varchar(9)' => [ [ 'lower(%s)', 'text' ], [ '%s::text', 'text' ], [ 'length(%s)', 'int' ] ],
	'char(3)' => [ [ 'length(%s)', 'int' ], [ "%s = 'kg'", 'boolean' ] ],
	mood => [ [ "%s > 'sad'", 'boolean' ], [ "coalesce(%s, 'sad')", 'mood' ] ],
	date => [ [ '%s + 1', 'date' ], [ 'extract(month FROM %s)::int', 'int' ], [ "%s - date '2026-01-01'", 'int' ] ],
	timestamptz => [ [ "%s AT TIME ZONE 'UTC'", 'timestamp' ], [ "%s > now() - interval '2 seconds'", 'boolean' ], [ "%s <= now() + interval '1 second'", 'boolean' ] ],
	timestamp => [ [ "date_trunc('minute', %s)", 'timestamp' ], [ '%s::date', 'date' ] ],
	numeric => [ [ '%s * 2', 'numeric' ], [ 'floor(%s)::int', 'int' ], [ '%s > 20', 'boolean' ], [ '-%s', 'numeric' ] ],
	boolean => [ [ 'NOT %s', 'boolean' ], [ '%s::int', 'int' ], [ "CASE WHEN %s THEN 'yes' ELSE 'no' END", 'text' ] ],
	float8 => [ [ '%s * 0.5', 'float8' ], [ '%s > 2', 'boolean' ] ]);
# And of two.
my %two = (
	int => '(%s + %s)', bigint => '(%s - %s)', text => '(%s || %s)', numeric => '(%s + %s)',
	boolean => '(%s AND %s)', date => 'least(%s, %s)', mood => 'greatest(%s, %s)');
my %constants = (
	int => [ 1, 2, 3, 5, 12 ],
	bigint => [ 2, 4, 11 ],
	text => [ "'a'", "'b'", "'name 3'" ],
	'varchar(9)' => [ "'w1'", "'w2'" ],
	'char(3)' => [ "'kg'", "'l'" ],
	mood => [ "'sad'", "'ok'" ],
	date => [ "'2026-01-02'", "'2026-01-03'" ],
	timestamptz => [ "'2026-01-01 UTC'", "now() - interval '3 seconds'", "now() - interval '1 second'", "now() + interval '1 second'" ],
	timestamp => [ "'2026-01-01'" ],
	numeric => [ '3', '10.5', '25', '-4' ],
	boolean => [ 'true', 'false' ],
	float8 => [ '2', '3.5' ]);

# Whether something can be made of columns of a type.
sub knows { return exists $made_from{ $_[1] } }

sub constant { return "$constants{$_[1]}[0]::$_[1]" }

# A number below a limit: of our own, since the modules of the tests draw from Perl's.
sub below
{
	my ($self, $limit) = @_;
	$self->{state} = $self->{state} * 48271 % 2147483647;
	return int($self->{state} / 2147483647 * $limit);
}

sub chance { return $_[0]->below(100) < $_[1] }

sub one_of { my ($self, @of) = @_; return $of[ $self->below(scalar @of) ] }

sub alias { return $_[1] . ++$_[0]{aliases} }

sub some_of
{
	my ($self, $count, @of) = @_;
	my @taken;
	push @taken, splice @of, $self->below(scalar @of), 1 while @of && @taken < $count;
	return @taken;
}

# A column or something made of one.
sub expression
{
	my ($self, @columns) = @_;
	my $column = $self->one_of(@columns);
	my @expression = @$column{qw(name type kind)};
	if ($self->chance(25))
	{
		my ($form, $type) = @{ $self->one_of(@{ $made_from{ $column->{type} } }) };
		@expression = ('(' . sprintf($form, $column->{name}) . ')', $type);
	}
	elsif ($self->chance(10))
	{
		my $type = $column->{type};
		my $other = $self->one_of(grep { $_->{type} eq $type } @columns);
		my $form = $two{$type} && $self->chance(60) ? $two{$type} : 'coalesce(%s, %s)';
		@expression = (sprintf($form, $column->{name}, $other->{name}), $type);
	}
	return \@expression;
}

sub condition
{
	my ($self, @columns) = @_;
	my @times = grep { $_->{type} eq 'timestamptz' } @columns;
	my $column = $self->one_of(@times && $self->chance(45) ? @times : @columns);
	my ($name, $type) = @$column{qw(name type)};
	my $constant = $self->one_of(@{ $constants{$type} });
	my @others = grep { $_->{type} eq $type && $_ != $column } @columns;
	my @forms = ("$name > $constant", "$name <= $constant");
	push @forms, "$name = $constant", "$name <> $constant", "$name IS NOT NULL" if $constant !~ /now/;
	push @forms, "$name IS NULL", "$name IN (" . join(', ', @{ $constants{$type} }) . ')' if $type ne 'timestamptz';
	push @forms, map { ("$name = $_->{name}", "$name IS DISTINCT FROM $_->{name}") } $self->one_of(@others) if @others;
	my $form = $self->one_of(@forms);
	$form = "($form OR " . $self->condition(@columns) . ')' if $self->chance(10);
	$form = "NOT ($form)" if $self->chance(5);
	return $form;
}

# Equal columns of two sides: of one kind, now and then of one type, or of types that differ.
sub equality
{
	my ($self, $left, $right) = @_;
	my (@kind, @type);
	for my $a (@$left)
	{
		for my $b (@$right)
		{
			push @kind, [ $a, $b ] if $a->{kind} && $a->{kind} eq $b->{kind};
			push @type, [ $a, $b ] if $a->{type} eq $b->{type} && $a->{type} !~ /boolean|timestamp/;
		}
	}
	my @pairs = @kind && $self->chance(92) ? @kind : @type ? @type : @kind;
	return undef unless @pairs;
	my @taken = $self->some_of($self->one_of(1, 1, 2), @pairs);
	return '(' . join(', ', map { $_->[0]{name} } @taken) . ') = (' . join(', ', map { $_->[1]{name} } @taken) . ')'
	  if @taken > 1 && $self->chance(30);
	return join ' AND ', map { $self->chance(50) ? "$_->[0]{name} = $_->[1]{name}" : "$_->[1]{name} = $_->[0]{name}" } @taken;
}

sub aggregate
{
	my ($self, $grouped, @columns) = @_;
	my $column = $self->one_of(@columns);
	my ($name, $type) = @$column{qw(name type)};
	my @other = map { $_->{name} } $self->one_of(@columns);
	my @forms = ([ 'count(*)', 'bigint' ], [ "count($name)", 'bigint' ], [ "count(DISTINCT $name)", 'bigint' ]);
	push @forms, [ "min($name)", $type ], [ "max($name)", $type ] if $type !~ /boolean|varchar/;
	push @forms, [ "sum($name)", 'numeric' ], [ "sum(DISTINCT $name)", 'numeric' ], [ "avg($name)::numeric(9,2)", 'numeric' ] if $type eq 'numeric';
	push @forms, [ "sum($name)::bigint", 'bigint' ], [ "avg($name)::numeric(9,2)", 'numeric' ] if $type =~ /int$/;
	push @forms, [ "string_agg($name, ',' ORDER BY $name)", 'text' ], [ "string_agg(DISTINCT $name, ',' ORDER BY $name)", 'text' ],
	  [ "string_agg($name, ',' ORDER BY @other DESC, $name)", 'text' ] if $type eq 'text';
	push @forms, [ "bool_or($name)", 'boolean' ], [ "bool_and($name)", 'boolean' ] if $type eq 'boolean';
	push @forms, [ "array_agg($name ORDER BY $name)", "${type}[]" ] if $type !~ /boolean/;
	push @forms, [ "percentile_disc(0.5) WITHIN GROUP (ORDER BY $name)", $type ] if $type !~ /varchar/;
	# Order matters to these, but not here.
	push @forms, [ "sum($name)", 'float8' ] if $type eq 'float8';
	push @forms, [ "array_agg($grouped->[0])", "$grouped->[1]\[]" ] if $self->chance(5);
	my ($sql, $result) = @{ $self->one_of(@forms) };
	if ($self->chance(15))
	{
		my $filter = ' FILTER (WHERE ' . $self->condition(@columns) . ')';
		$sql =~ s/(?=::|$)/$filter/;
	}
	return [ $sql, $result ];
}

1;
