# Records and targets to a summary: summary.md, which is printed too, and
# summary.json.

use strict;
use warnings;

use JSON::PP;
use Records;

my ($output) = @ARGV;
my $smoke = $ENV{BENCH_MODE} eq 'smoke';
my $records = read_records("$ENV{BENCH_WORK}/records");
my @targets = $smoke ? () : read_targets("$ENV{BENCH_FOLDER}/targets.tsv");
my %summary = (mode => $ENV{BENCH_MODE}, failed => [ split / /, $ENV{BENCH_FAILED} ], machine => machine(), targets => [], figures => []);

for my $target (@targets)
{
	my @values = values_of($records, $target) or next;
	my %row = (%$target, spread(@values));

	$row{verdict} = meets($row{median}, $target->{op}, $target->{limit}) ? 'met' : 'missed';
	push @{ $summary{targets} }, \%row;
}
for my $key (sort keys %$records)
{
	my ($scenario, $side, $metric) = split /\t/, $key;

	push @{ $summary{figures} },
	  { scenario => $scenario, side => $side, metric => $metric, spread(values %{ $records->{$key} }) };
}

my $markdown = markdown(\%summary);
write_file("$output/summary.md", $markdown);
write_file("$output/summary.json", JSON::PP->new->canonical->pretty->encode(\%summary));
print $markdown;

sub meets
{
	my ($value, $op, $limit) = @_;

	return $op eq '>=' ? $value >= $limit : $op eq '<=' ? $value <= $limit : $value < $limit;
}

sub machine
{
	my ($model) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)$/m;
	my $processors = () = slurp('/proc/cpuinfo') =~ /^processor\s*:/mg;
	my $server = `postgres --version`;

	chomp $server;
	return { model => $model // 'unknown', processors => $processors, server => $server };
}

sub markdown
{
	my ($summary) = @_;
	my $machine = $summary->{machine};
	my $text = "$machine->{server}; $machine->{processors} processors, $machine->{model}; mode $summary->{mode}.\n\n";

	return $text . "Failed: $ENV{BENCH_FAILED}\n" if $ENV{BENCH_FAILED} ne '' && $smoke;
	return $text . "Smoke: every side answers, and as it should. The figures mean nothing.\n" if $smoke;
	$text .= "Failed: $ENV{BENCH_FAILED}\n\n" if $ENV{BENCH_FAILED} ne '';
	$text .= "| what | against | value | spread | target | |\n|---|---|---|---|---|---|\n";
	for my $row (@{ $summary->{targets} })
	{
		$text .= sprintf "| %s | %s | %s | %s | %s %s | %s |\n", $row->{what}, $row->{against} eq '-' ? '' : $row->{against},
		  figure($row->{median}), spread_text($row), $row->{op}, $row->{limit},
		  $row->{verdict} eq 'met' ? 'met' : '**missed**';
	}
	$text .= "\n| scenario | side | metric | median | spread | rounds |\n|---|---|---|---|---|---|\n";
	for my $row (@{ $summary->{figures} })
	{
		$text .= sprintf "| %s | %s | %s | %s | %s | %d |\n", @$row{qw(scenario side metric)},
		  figure($row->{median}), spread_text($row), $row->{rounds};
	}
	return $text;
}

sub spread_text
{
	my ($row) = @_;

	return $row->{rounds} == 1 ? '' : join ' .. ', figure($row->{min}), figure($row->{max});
}

# Three digits that count.
sub figure
{
	my ($value) = @_;
	my $size = abs $value;

	return sprintf $size >= 100 || $value == int $value ? '%.0f' : $size >= 10 ? '%.1f' : $size >= 0.1 ? '%.2f' : '%.3g', $value;
}

sub write_file
{
	my ($path, $text) = @_;

	open my $out, '>', $path or die "could not write $path: $!";
	print $out $text;
	close $out;
	return;
}
