# What the scenarios share: databases, sides, rounds, records.
#
# A side is {name, schema, statement, variants}.  In the statement, :name stands
# for a parameter: :user is one of the users at random, :app an application
# that nobody has used yet, and every other name a member of one of the
# variants, which are hashes and chosen at random.  pgbench and bench.measure
# get the same statement and the same texts.

package Bench;

use strict;
use warnings;

use Exporter 'import';
use File::Temp qw(tempfile);

our @EXPORT = qw(begin sql same holds record progress
  throughput transactions_of processor flatness in_turn timed variants rounds_of calls_of short_turns sized smoke
  $first_user $users);

my $mode = $ENV{BENCH_MODE};
my $work = $ENV{BENCH_WORK};
my $bench = $ENV{BENCH_FOLDER};
my $rounds = $ENV{BENCH_ROUNDS};

our $first_user = 100_000_000_001;
our $users;

my $scenario;

# How large things are: begin(full => 1000, quick => 100, smoke => 10).
sub sized
{
	my (%size) = @_;

	return $size{$mode};
}

sub smoke
{
	return $mode eq 'smoke';
}

# At least so many rounds where a row has a target, fewer where it has none.
sub rounds_of
{
	my ($kind) = @_;

	return $rounds if $kind eq 'judged';
	return $rounds < 3 ? $rounds : 3;
}

# Calls of a measurement inside one backend: so many in full mode.
sub calls_of
{
	my ($calls) = @_;

	return sized(full => $calls, quick => int($calls / 5) + 1, smoke => 20);
}

sub progress
{
	my ($text) = @_;

	printf STDERR "%5ds %s: %s\n", time - $^T, $scenario, $text;
	return;
}

sub run
{
	my ($input, @command) = @_;
	my ($out, $path) = tempfile(DIR => $work, UNLINK => 1);

	print $out $input;
	close $out;
	my $quoted = join ' ', map { s/'/'\\''/gr =~ s/^|$/'/gr } @command;
	my $output = `$quoted < $path 2>$work/errors`;
	die "failed: @command[0 .. 3] ...\n" . slurp("$work/errors") . $output if $? != 0;
	return $output;
}

sub slurp
{
	my ($path) = @_;

	open my $in, '<', $path or die "could not read $path: $!";
	local $/ = undef;
	return scalar <$in>;
}

# Runs statements as superuser, or as the role of the sides; returns what they
# print.
sub sql
{
	my ($text, $role) = @_;
	my $output = run($text, 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1',
		'-v', "module=$work/module/activityfeed_bench", '-v', "data=$work/source/test/data",
		'-U', $role // 'postgres');

	chomp $output;
	return $output;
}

sub sql_file
{
	my ($name) = @_;

	return sql(slurp("$bench/sides/$name"));
}

# A database of the scenario's own, with the extension, what measures, and the
# standard workload: so many users, with 20 activities of 5 sessions each.
# Then the sides' own tables and functions, from files of sides/.
sub begin
{
	my ($name, %options) = @_;

	$scenario = $name;
	$users = $options{users} // sized(full => 1000, quick => 1000, smoke => 20);
	progress('loading');
	$ENV{PGDATABASE} = 'postgres';
	sql("CREATE DATABASE $name");
	$ENV{PGDATABASE} = $name;
	sql("CREATE EXTENSION activityfeed");
	sql_file('bench.sql');
	sql("CALL bench.load($first_user, $users, 20, 5)") if $users > 0;
	$options{load}->() if $options{load};
	sql_file($_) for @{ $options{sides} // [] };
	sql_file('roles.sql');
	# no checkpoint here: all pages are younger than the last one, so that none
	# is written to the WAL as a whole
	sql('VACUUM ANALYZE');
	holds($_, $first_user, $first_user + int($users / 2)) for $users > 0 ? schemas() : ();
	return;
}

# The schemas whose tables are those of the extension.
sub schemas
{
	return split /\n/, sql(q{
		SELECT n.nspname FROM pg_namespace n
		WHERE n.nspname IN ('activityfeed', 'peer') AND EXISTS (
			SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'feed')});
}

# All that the store promises of a user's rows, by the query of the tests.
sub holds
{
	my ($schema, @sample) = @_;
	my $invariants = slurp("$bench/../include/invariants.sql")
	  =~ s/activityfeed\.(feed|activity|history_item)\b/$schema.$1/gr;
	my $list = join ', ', map { "'$_'" } @sample;
	my @broken = split /\n/, sql("SET search_path = pg_temp;\n$invariants\nSELECT DISTINCT rule FROM broken_invariant WHERE user_id IN ($list);\n");

	die "$scenario: the rows of schema $schema are not as they should be: @broken\n" if @broken;
	return;
}

# Dies unless both queries give the same, and something.
sub same
{
	my ($what, $one, $other, $role) = @_;
	my ($a, $b) = map { sql($_, $role // 'bench') } $one, $other;

	if ($a ne $b || $a eq '')
	{
		my ($difference) = grep { ($_->[0] // '') ne ($_->[1] // '') } zip([ split /\n/, $a ], [ split /\n/, $b ]);

		die "$scenario: $what: " . ($difference ? join("\n", 'not the same', map { $_ // '(nothing)' } @$difference) : 'no rows') . "\n";
	}
	progress("the same: $what");
	return;
}

sub record
{
	my ($side, $metric, $round, $value) = @_;

	open my $out, '>>', "$work/records" or die "could not write records: $!";
	print $out join("\t", $scenario, $side, $metric, $round, $value), "\n";
	close $out;
	return;
}

# Variants from a query of jsonb objects.
sub variants
{
	my ($query) = @_;
	my @variants;

	require JSON::PP;
	for my $line (split /\n/, sql($query))
	{
		push @variants, JSON::PP->new->decode($line);
	}
	utf8::encode($_) for map { values %$_ } @variants;
	return \@variants;
}

# The names of a statement's parameters, in the order of first use.
sub parameters
{
	my ($side) = @_;
	my %seen;

	return grep { !$seen{$_}++ } $side->{statement} =~ /(?<!:):([a-z_]+)/g;
}

# pgbench's scripts of a side, one for each variant, and its variables.
sub scripts
{
	my ($side) = @_;
	my @names = parameters($side);
	my @variants = @{ $side->{variants} // [ {} ] };
	my @arguments;

	for my $i (0 .. $#variants)
	{
		my $path = "$work/scripts/$scenario.$side->{name}.$i.sql";
		my $statement = $side->{statement};
		my $script = '';

		for my $name (@names)
		{
			if (exists $variants[$i]{$name})
			{
				$statement =~ s/(?<!:):$name\b/:${name}_$i/g;
				push @arguments, '-D', "${name}_$i=$variants[$i]{$name}";
			}
			elsif ($name eq 'user')
			{
				$script .= sprintf "\\set user random(%d, %d)\n", $first_user, $first_user + $users - 1;
			}
			elsif ($name eq 'app')
			{
				$script .= "\\set app random(1000000000000, 9999999999999)\n";
			}
			else
			{
				die "$scenario: no $name for $side->{name}";
			}
		}
		$statement =~ s/\s+/ /g;
		open my $out, '>', $path or die "could not write $path: $!";
		print $out "$script$statement;\n";
		close $out;
		push @arguments, '-f', $path;
	}
	return @arguments;
}

# Where the server's counters stand, once everybody has left.
sub counters
{
	my ($schema) = @_;

	return split /\|/, sql(qq{
		DO \$\$ BEGIN
			WHILE EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'bench') LOOP
				PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
			END LOOP;
		END \$\$;
		SELECT pg_current_wal_insert_lsn() - '0/0', coalesce(sum(n_tup_upd), 0), coalesce(sum(n_tup_hot_upd), 0)
		FROM pg_stat_user_tables WHERE schemaname = '$schema'});
}

# One run of pgbench; returns transactions per second and their number.
sub pgbench
{
	my ($side, $clients, $commit, @length) = @_;

	local $ENV{PGOPTIONS} = "-c synchronous_commit=$commit";
	my $output = run('', 'pgbench', '-n', '-M', 'prepared', '-c', $clients, '-j', $clients > 1 ? 2 : 1,
		'-U', 'bench', @length, @{ $side->{scripts} });
	my ($transactions) = $output =~ /actually processed: (\d+)/;
	my ($tps) = $output =~ /^tps = ([\d.]+)/m;

	die "$scenario: $side->{name}: no answer from pgbench\n$output"
	  if !$tps || $output !~ /number of failed transactions: 0 /;
	return ($tps, $transactions);
}

# So many transactions of a side by 8 clients, and nothing else.
sub transactions_of
{
	my ($side, $transactions) = @_;

	$side->{scripts} = [ scripts($side) ];
	my ($tps) = pgbench($side, 8, 'off', '-t', int($transactions / 8));
	counters($side->{schema});
	progress(sprintf '%d transactions, %.0f tps', $transactions, $tps);
	return;
}

sub run_length
{
	return smoke() ? ('-t', 10) : ('-T', sized(full => 5, quick => 1));
}

# Sides in the order of a round: each comes first as often as the others, and
# every other round goes backwards.
sub in_turn
{
	my ($round, @sides) = @_;
	my $first = int($round / 2) % @sides;
	my @order = (@sides[ $first .. $#sides ], @sides[ 0 .. $first - 1 ]);

	return $round % 2 ? reverse @order : @order;
}

# Transactions per second by pgbench, side by side: 8 clients and asynchronous
# commit, from which WAL and HOT share are taken too, then 8 clients and
# synchronous commit, then one client.  judged => [...] names the settings that
# have a target; only => [...] leaves others out; before is called before each
# run.
sub throughput
{
	my ($sides, %options) = @_;
	my %judged = map { $_ => 1 } @{ $options{judged} // ['8_async'] };
	my @only = smoke() ? '8_async' : @{ $options{only} // [qw(8_async 8_sync 1_async)] };
	my $suffix = $options{suffix} // '';

	$_->{scripts} = [ scripts($_) ] for @$sides;
	for my $side (smoke() ? () : @$sides)
	{
		progress("warming up $side->{name}$suffix");
		pgbench($side, 8, 'off', '-T', sized(full => 4, quick => 1));
	}
	for my $setting (@only)
	{
		my ($clients, $commit) = split /_/, $setting;

		for my $round (1 .. rounds_of($judged{$setting} ? 'judged' : 'told'))
		{
			for my $side (in_turn($round, @$sides))
			{
				$options{before}->() if $options{before};
				one_round($side, $clients, $commit, $round, "$setting$suffix");
			}
		}
	}
	return;
}

sub one_round
{
	my ($side, $clients, $commit, $round, $name) = @_;
	my @before = counters($side->{schema});
	my ($tps, $transactions) = pgbench($side, $clients, $commit eq 'sync' ? 'on' : 'off', run_length());
	my ($wal, $updates, $hot) = map { $_->[0] - $_->[1] } zip([ counters($side->{schema}) ], \@before);

	progress(sprintf 'round %d, %s, %s: %.0f tps', $round, $name, $side->{name}, $tps);
	record($side->{name}, "tps_$name", $round, $tps);
	return if $name !~ /^8_async/ || $side->{reads};
	record($side->{name}, 'wal', $round, $wal / $transactions);
	record($side->{name}, 'hot', $round, 100 * $hot / $updates) if $updates > 0;
	return;
}

sub zip
{
	my ($a, $b) = @_;

	return map { [ $a->[$_], $b->[$_] ] } 0 .. ($#$a > $#$b ? $#$a : $#$b);
}

# Calls inside one backend, 100 in a transaction; returns microseconds of
# processor time and of time, and rows, per call.
sub measured
{
	my ($side, $calls, $per_transaction) = @_;
	my @names = parameters($side);
	my %number = map { $names[$_] => $_ + 1 } 0 .. $#names;
	my $statement = $side->{statement} =~ s/(?<!:):([a-z_]+)/\$$number{$1}/gr;
	my @texts;

	for my $variant (@{ $side->{variants} // [ {} ] })
	{
		push @texts, map { $variant->{$_} // "%$_" } @names;
	}
	my $array = join ', ', map { "\$bench\$$_\$bench\$" } @texts;
	return split /\|/, sql(sprintf(
		'SET synchronous_commit = off; CALL bench.measure($bench$%s$bench$, ARRAY[%s]::text[], %d, %d, %d, %d)',
		$statement, $array, $calls, $per_transaction // 100, $first_user, $users || 1), 'bench');
}

# Microseconds of processor time and of time that statements take in a session
# of their own, and what they print.
sub timed
{
	my ($text, $role) = @_;
	my $clock = "SELECT bench.cpu(), extract(epoch FROM clock_timestamp()) * 1e6;\n";
	my ($before, @lines) = split /\n/, sql("SET synchronous_commit = off; SET client_min_messages = warning;\n$clock $text;\n$clock", $role // 'bench');
	my ($cpu, $elapsed) = map { $_->[0] - $_->[1] } zip([ split /\|/, pop @lines ], [ split /\|/, $before ]);

	return ($cpu, $elapsed, join "\n", @lines);
}

# For how many turns a round is long enough.
sub short_turns
{
	return sized(full => 20, quick => 10, smoke => 1);
}

# Processor time and time of a call of each side, by name.  Many short turns: what
# else the machine does meanwhile is the same for all sides.
sub in_short_turns
{
	my ($sides, $calls, $turns, $round, %options) = @_;
	my %time;

	for my $turn (1 .. $turns)
	{
		for my $side (in_turn($round + $turn, @$sides))
		{
			my $some = smoke() ? $calls : $side->{calls} // $calls;
			$options{before}->() if $options{before};
			my @time = measured($side, int($some / $turns) || 1, $options{per_transaction});

			$time{ $side->{name} }[$_] += $time[$_] / $turns for 0, 1;
		}
	}
	return \%time;
}

# Processor time of a call inside one backend, side by side.
sub processor
{
	my ($sides, $calls, %options) = @_;
	my $suffix = $options{suffix} // '';

	for my $round (1 .. rounds_of('judged'))
	{
		my $time = in_short_turns($sides, $calls, $options{turns} // 1, $round, %options);

		for my $name (map { $_->{name} } @$sides)
		{
			my ($cpu, $elapsed) = @{ $time->{$name} };

			progress(sprintf 'round %d, %s%s: %.1f us of processor, %.1f us', $round, $name, $suffix, $cpu, $elapsed);
			record($name, "cpu$suffix", $round, $cpu);
			record($name, "elapsed$suffix", $round, $elapsed);
		}
	}
	return;
}

# The same for a page of several users, as ours and the metrics cpu_NAME,
# milliseconds_NAME and flatness: the slowest by the fastest in a round.
sub flatness
{
	my ($sides, $calls) = @_;
	my @names = map { $_->{name} } @$sides;

	for my $round (1 .. rounds_of('judged'))
	{
		my $time = in_short_turns($sides, $calls, short_turns(), $round);
		my @sorted = sort { $a <=> $b } map { $_->[0] } values %$time;

		for my $name (@names)
		{
			record('ours', "cpu_$name", $round, $time->{$name}[0]);
			record('ours', "milliseconds_$name", $round, $time->{$name}[1] / 1000);
		}
		record('ours', 'flatness', $round, $sorted[-1] / $sorted[0]);
		progress("round $round, " . join ', ', map { sprintf '%s %.1f us', $_, $time->{$_}[0] } @names);
	}
	return;
}

1;
