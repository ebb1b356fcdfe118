# Random definitions of views, from a grammar over whatever relations it is told of; the same ones from
# the same seed. All are such that PostgreSQL takes them and that their rows do not depend on the order
# in which tables are read: what is ordered is ordered in full, and sums of floating-point numbers are
# of such as are added without rounding.
#
# A relation is {sql, columns}; columns and expressions are what Expression.pm says.
package Definition;

use strict;
use warnings;

use Expression;

our @ISA = ('Expression');

sub new
{
	my ($class, $seed, @relations) = @_;
	my $self = bless { state => $seed % 2147483647 || 1, relations => [], aliases => 0 }, $class;
	$self->add(@relations);
	return $self;
}

# From now on these are read as well: of their columns, those of which something can be made.
sub add
{
	my ($self, @relations) = @_;
	for my $relation (@relations)
	{
		my @columns = grep { $self->knows($_->{type}) } @{ $relation->{columns} };
		push @{ $self->{relations} }, { sql => $relation->{sql}, columns => \@columns } if @columns;
	}
	return;
}

# Something in FROM: a relation, or a subquery over one or two, or rows that are written out.
sub source
{
	my ($self, $plain) = @_;
	my $alias = $self->alias('s');
	if ($self->chance(4))
	{
		my ($values, @columns) = $self->chance(50)
		  ? ("(VALUES (1, 'a'), (2, 'b'), (3, NULL)) $alias (v, w)", [ v => 'int', 'shop' ], [ w => 'text', 'kind' ])
		  : ("generate_series(1, 9) $alias (v)", [ v => 'int', 'shop' ]);
		return { sql => $values, columns => [ map { { name => "$alias.$_->[0]", type => $_->[1], kind => $_->[2] } } @columns ] };
	}
	my $relation = !$plain && $self->chance(15) ? $self->subquery : $self->one_of(@{ $self->{relations} });
	return {
		sql => "$relation->{sql} $alias",
		columns => [ map { { %$_, name => "$alias.$_->{name}" } } @{ $relation->{columns} } ] };
}

# Output columns keep the kind of a column that they are.
sub subquery
{
	my ($self) = @_;
	my $from = $self->from($self->chance(70) ? 1 : 2, 1);
	my @columns = @{ $from->{columns} };
	my (@list, @named);
	for my $column ($self->some_of(2 + $self->below(4), @columns))
	{
		my $name = 'q' . @list;
		my ($sql, $type) = $self->chance(85) ? @$column{qw(name type)} : @{ $self->expression($column) };
		push @list, "$sql AS $name";
		push @named, { name => $name, type => $type, kind => $sql eq $column->{name} ? $column->{kind} : '' };
	}
	if ($self->chance(10))
	{
		my $type = $self->one_of(qw(int text numeric));
		push @named, { name => 'q' . @list, type => $type, kind => '' };
		push @list, $self->constant($type) . ' AS q' . @list;
	}
	my $where = $self->where($from);
	my $distinct = $self->chance(7) ? 'DISTINCT ' : '';
	if ($self->chance(7))
	{
		my @grouped = map { s/ AS q\d+$//r } @list;
		push @list, 'count(*) AS n';
		push @named, { name => 'n', type => 'bigint', kind => '' };
		$where .= ' GROUP BY ' . join ', ', @grouped;
	}
	return { sql => "(SELECT $distinct" . join(', ', @list) . " FROM $from->{sql}$where)", columns => \@named };
}

# A name that one column of one type has on either side, for USING.
sub shared_name
{
	my ($left, $right) = @_;
	for my $column (@$left)
	{
		my ($name) = $column->{name} =~ /(\w+)$/;
		my @same = grep { $_->{name} =~ /\.$name$/ } @$left, @$right;
		return $name if @same == 2 && $same[1]{type} eq $column->{type} && !grep { $_ == $same[1] } @$left;
	}
	return undef;
}

# {sql, columns, equalities}: the last are for WHERE.
sub from
{
	my ($self, $count, $plain, $nested) = @_;
	my $from = $self->source($plain);
	$from->{equalities} = [];
	while (--$count > 0)
	{
		# Now and then a join within the join.
		my $other = $count > 1 && $self->chance(20) ? $self->from(2, $plain, 1) : $self->source($plain);
		$count-- if $other->{equalities};
		my $on = $self->chance(6) ? 'true' : $self->equality($from->{columns}, $other->{columns}) // 'true';
		my @columns = (@{ $from->{columns} }, @{ $other->{columns} });
		my $right = $other->{equalities} ? "($other->{sql})" : $other->{sql};
		my @equalities = (@{ $from->{equalities} }, @{ $other->{equalities} // [] });
		my $way = $self->below(100);
		if ($way < 12)
		{
			push @equalities, $on;
			$from->{sql} .= ($count > 1 || $nested ? ' CROSS JOIN' : ',') . " $right";
		}
		else
		{
			$on .= ' AND ' . $self->condition($self->chance(50) ? @{ $other->{columns} } : @columns) if $self->chance(25);
			my $join = $way < 55 ? 'JOIN' : $way < 85 ? 'LEFT JOIN' : $way < 97 ? 'RIGHT JOIN' : 'FULL JOIN';
			# A full join takes equalities alone.
			$on = $self->equality($from->{columns}, $other->{columns}) // 'true' if $join eq 'FULL JOIN';
			my $name = $self->chance(15) ? shared_name($from->{columns}, $other->{columns}) : undef;
			if (defined $name)
			{
				my $using = $self->alias('u');
				my ($column) = grep { $_->{name} =~ /\.$name$/ } @columns;
				$on = "USING ($name) AS $using";
				push @columns, { %$column, name => "$using.$name" };
			}
			$from->{sql} .= " $join $right " . (defined $name ? $on : "ON $on");
		}
		$from = { sql => $from->{sql}, columns => \@columns, equalities => \@equalities };
	}
	return $from;
}

sub where
{
	my ($self, $from, @more) = @_;
	my @conditions = (@{ $from->{equalities} }, @more);
	push @conditions, $self->condition(@{ $from->{columns} }) for 1 .. $self->one_of(0, 0, 0, 1, 1, 2);
	push @conditions, $self->one_of(
		'EXISTS (SELECT FROM shop x WHERE x.id = 3)',
		"$from->{columns}[0]{name} IS DISTINCT FROM (SELECT y.x FROM (SELECT $from->{columns}[0]{name} AS x) y)")
	  if $self->chance(2);
	return @conditions ? ' WHERE ' . join ' AND ', @conditions : '';
}

# Expressions to put out, of which the first are such as tell rows apart, mostly.
sub outputs
{
	my ($self, $count, $from) = @_;
	my @columns = @{ $from->{columns} };
	my @kinds = grep { $_->{kind} } @columns;
	return map {
		my $column = @kinds && $self->chance(70) ? $self->one_of(@kinds) : undef;
		defined $column ? [ @$column{qw(name type kind)} ] : $self->expression(@columns)
	} 1 .. $count;
}

# A SELECT with output columns c1, c2, …: {sql, columns, unique}, the last being the names of those
# that cannot but be unique together.
sub select
{
	my ($self) = @_;
	my $from = $self->from($self->one_of(1, 1, 2, 2, 2, 3, 3, 4));
	my $where = $self->where($from);
	my $way = $self->below(100);
	my (@list, @unique);
	my $start = 'SELECT ';
	my $tail = '';
	if ($way < 50)
	{
		my @grouped = $self->outputs($self->one_of(1, 1, 2, 2, 3), $from);
		@grouped = @grouped[ grep { my $i = $_; !grep { $grouped[$_][0] eq $grouped[$i][0] } 0 .. $i - 1 } 0 .. $#grouped ];
		my @shown = $self->chance(8) ? $self->some_of(scalar(@grouped) - 1, @grouped) : @grouped;
		@list = @shown;
		push @list, $self->aggregate($grouped[0], @{ $from->{columns} }) for 1 .. $self->below(4);
		# What is grouped by stands anywhere in the list.
		@list = $self->some_of(scalar @list, @list) if $self->chance(20);
		push @list, [ 'count(*)', 'bigint' ] unless @list;
		my $by = join ', ', map { $_->[0] } @grouped;
		$tail = ' GROUP BY ' . ($self->chance(2) ? "ROLLUP ($by)" : $by);
		$tail .= ' HAVING ' . $self->one_of('count(*) > 1', 'count(*) < 4', $self->aggregate($grouped[0], grep { $_->{type} ne 'boolean' } @{ $from->{columns} })->[0] . ' IS NOT NULL')
		  if $self->chance(25);
		if (@shown == @grouped && $tail !~ /ROLLUP/)
		{
			for my $grouped (@grouped)
			{
				push @unique, 'c' . (1 + (grep { $list[$_] == $grouped } 0 .. $#list)[0]);
			}
		}
	}
	elsif ($way < 65)
	{
		$start .= 'DISTINCT ';
		@list = $self->outputs(1 + $self->below(3), $from);
		@unique = map { "c$_" } 1 .. @list;
	}
	else
	{
		@list = $self->outputs(1 + $self->below(5), $from);
		push @list, $self->one_of(
			[ "count(*) OVER (PARTITION BY $list[0][0])", 'bigint' ],
			[ "rank() OVER (ORDER BY $list[0][0])", 'bigint' ],
			[ '(SELECT max(x.id) FROM town x)', 'int' ],
			[ 'now()', 'timestamptz' ],
			[ 'CURRENT_DATE', 'date' ],
			[ 'generate_series(1, 2)', 'int' ]) if $self->chance(6);
	}
	my $number = 0;
	my $sql = $start . join(', ', map { "$_->[0] AS c" . ++$number } @list) . " FROM $from->{sql}$where$tail";
	$number = 0;
	return { sql => $sql, columns => [ map { { name => 'c' . ++$number, type => $_->[1], kind => $_->[2] // '' } } @list ], unique => \@unique };
}

# Another one of the same columns, where they are of types that tables have.
sub alike
{
	my ($self, $first) = @_;
	my $from = $self->from($self->one_of(1, 1, 2));
	my @list;
	for my $column (@{ $first->{columns} })
	{
		my @fitting = grep { $_->{type} eq $column->{type} } @{ $from->{columns} };
		# The type of the whole is then another than that of this part.
		@fitting = grep { $_->{type} eq 'int' } @{ $from->{columns} } if $column->{type} eq 'bigint' && $self->chance(40);
		push @list, @fitting && $self->chance(90) ? $self->one_of(@fitting)->{name} : "NULL::$column->{type}";
	}
	my $by = $self->chance(20) ? ' GROUP BY ' . join ', ', @list : '';
	return 'SELECT ' . join(', ', @list) . " FROM $from->{sql}" . $self->where($from) . ($by =~ /NULL::/ ? '' : $by);
}

# The definition of a view: as select().
sub draw
{
	my ($self) = @_;
	$self->{aliases} = 0;
	my $select = $self->select;
	my $all = join ', ', map { $_->{name} } @{ $select->{columns} };
	my $way = $self->below(100);
	if ($way < 12)
	{
		my $operation = $self->one_of(('UNION ALL') x 8, 'UNION', 'EXCEPT', 'INTERSECT ALL');
		$select->{sql} = join " $operation ", $select->{sql}, map { $self->alike($select) } 1 .. 1 + $self->chance(20);
		$select->{unique} = [];
	}
	elsif ($way < 14)
	{
		$select->{sql} .= " ORDER BY $all LIMIT " . (1 + $self->below(20));
	}
	elsif ($way < 16)
	{
		$select->{sql} = "WITH w AS ($select->{sql}) SELECT * FROM w";
	}
	elsif ($way < 18)
	{
		$select->{sql} = "SELECT DISTINCT ON (c1) $all FROM ($select->{sql}) d ORDER BY $all";
		$select->{unique} = ['c1'];
	}
	elsif ($way < 20)
	{
		$select->{sql} = "SELECT count(*) AS c1 FROM ($select->{sql}) d";
		@$select{qw(columns unique)} = ([ { name => 'c1', type => 'bigint', kind => '' } ], []);
	}
	elsif ($way < 22)
	{
		$select->{sql} .= " ORDER BY $all";
	}
	return $select;
}

1;
