# Draws what the records say of latency against history size: recent.svg and
# changes.svg.  Medians, with bars from the fastest to the slowest round.

use strict;
use warnings;

use Records;

my ($output) = @ARGV;
my $records = read_records("$ENV{BENCH_WORK}/records");
my %title = (ours => 'activityfeed', recursive => 'recursive CTE', group_by => 'GROUP BY max');

draw('recent', 'recent\\_activities(20) as documents', qw(group_by recursive ours));
draw('changes', 'changes, behind by 100', 'ours');

# One line for each side that was measured at more than one size.
sub draw
{
	my ($scenario, $what, @sides) = @_;
	my (%points, @lines, $data);

	for my $side (@sides)
	{
		for my $power (2 .. 6)
		{
			my $rounds = $records->{"$scenario\t$side\tcpu_1e$power"} or next;
			my %spread = spread(values %$rounds);

			push @{ $points{$side} }, join ' ', 10**$power, @spread{qw(median min max)};
		}
	}
	@sides = grep { @{ $points{$_} // [] } > 1 } @sides or return;
	for my $side (@sides)
	{
		$data .= "\$$side << END\n" . join("\n", @{ $points{$side} }) . "\nEND\n";
		push @lines, "\$$side using 1:2:3:4 with yerrorlines pointtype 7 title '$title{$side}'";
	}
	open my $gnuplot, '|-', 'gnuplot' or die "could not run gnuplot: $!";
	print $gnuplot <<~"PLOT";
		set terminal svg size 720,440 font 'sans,13' background 'white'
		set output '$output/$scenario.svg'
		set title '$what: processor time of a call'
		set xlabel 'sessions of the user'
		set ylabel 'microseconds'
		set logscale xy
		set format x '10^{%L}'
		set xrange [50:2e6]
		set yrange [1:*]
		set grid
		set key top left
		PLOT
	print $gnuplot $data, 'plot ', join(', ', @lines), "\n";
	close $gnuplot or die "gnuplot failed\n";
	return;
}
