# Random definitions of views, from a grammar over whatever relations it is told of; the same ones from
# the same seed. All are such that PostgreSQL takes them and that their rows do not depend on the order
# in which tables are read: what is ordered is ordered in full, and sums of floating-point numbers are
# of such as are added without rounding.
#
# A relation is {sql, columns}; a column is {name, type, kind}, and columns of one kind are worth
# joining by. What new() makes of them has methods that draw; an expression is [sql, type], or
# [sql, type, kind] where it is a column.
package Definition;

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
		my @columns = grep { $made_from{ $_->{type} } } @{ $relation->{columns} };
		push @{ $self->{relations} }, { sql => $relation->{sql}, columns => \@columns } if @columns;
	}
	return;
}

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
	my $column = $self->one_of(@times && $self->chance(30) ? @times : @columns);
	my ($name, $type) = @$column{qw(name type)};
	my $constant = $self->one_of(@{ $constants{$type} });
	my @others = grep { $_->{type} eq $type && $_ != $column } @columns;
	my @forms = ("$name > $constant", "$name <= $constant", "$name IS NOT NULL", "$name <> $constant");
	push @forms, "$name = $constant" if $constant !~ /now/;
	push @forms, "$name IS NULL", "$name IN (" . join(', ', @{ $constants{$type} }) . ')' if $type ne 'timestamptz';
	push @forms, map { ("$name = $_->{name}", "$name IS DISTINCT FROM $_->{name}") } $self->one_of(@others) if @others;
	my $form = $self->one_of(@forms);
	$form = "($form OR " . $self->condition(@columns) . ')' if $self->chance(10);
	$form = "NOT ($form)" if $self->chance(5);
	return $form;
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
		push @list, "$constants{$type}[0]::$type AS q" . @list;
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
