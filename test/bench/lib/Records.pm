# What was measured, and what it should be: reading both.

package Records;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(read_records read_targets values_of spread slurp);

sub slurp
{
	my ($path) = @_;

	open my $in, '<', $path or die "could not read $path: $!";
	local $/ = undef;
	return scalar <$in>;
}

# By "scenario side metric", separated by tabs: round => value.
sub read_records
{
	my ($path) = @_;
	my %records;

	for my $line (split /\n/, slurp($path))
	{
		my ($scenario, $side, $metric, $round, $value) = split /\t/, $line;

		$records{"$scenario\t$side\t$metric"}{$round} = $value;
	}
	return \%records;
}

sub read_targets
{
	my ($path) = @_;
	my @names = qw(scenario what against metric side other op limit);
	my @targets;

	for my $line (grep { !/^#/ } split /\n/, slurp($path))
	{
		my %target;

		@target{@names} = split /\t/, $line;
		$target{limit} += 0;
		push @targets, \%target;
	}
	return @targets;
}

# What a target is about: one value of each round; none when it was not
# measured.
sub values_of
{
	my ($records, $target) = @_;
	my ($of, $by) = map { $records->{"$target->{scenario}\t$_\t$target->{metric}"} } @$target{qw(side other)};

	return if !$of;
	return values %$of if $target->{other} eq '-';
	return map { $of->{$_} / $by->{$_} } grep { $by->{$_} } keys %$of;
}

# Median and spread.
sub spread
{
	my @sorted = sort { $a <=> $b } @_;
	my $middle = $#sorted / 2;

	return (median => ($sorted[$middle] + $sorted[ $middle + 0.5 ]) / 2,
		min => $sorted[0] + 0, max => $sorted[-1] + 0, rounds => scalar @sorted);
}

1;
