# Whoever sets search_path must not be able to put an operator, function, type
# or table of his own in the place of ours: every name in the statements of
# the module and of the install script is qualified.
#
# The statements of the module are the strings in the built library, so none
# is missed, however it is put together in the source.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";

# What may stand before a parenthesis and is no function: grammar.
my %is_grammar = map { $_ => 1 } qw(
  AND ANY AS BY CHECK ELSE NULL COALESCE CONFLICT DISTINCT EXISTS FROM FUNCTION GREATEST IF IN KEY LATERAL
  LEAST NOT ON OPERATOR OR ROW SELECT THEN UPDATE USING VALUES WHEN WHERE WITH varchar);

# What searches for an operator without naming it.
my $hidden_operator = qr/\b(?:CASE (?!WHEN\b)|NOT IN|IN \((?!SELECT\b)|BETWEEN|I?LIKE|SIMILAR TO|NULLIF|DISTINCT FROM)/;

check_checker();
check_library();
check_script();
done_testing();

# What is not qualified in one statement.
sub unqualified
{
	my ($sql, @relations) = @_;
	my $known = join '|', @relations, 'ONLY', 'LATERAL', 'ROWS', '\(';
	my @found;

	$sql =~ s/'(?:[^']|'')*'/''/g;
	$sql =~ s/OPERATOR\(pg_catalog\.[^)]+\)/OR/g;
	push @found, "hidden operator $&" while $sql =~ /$hidden_operator/g;
	push @found, map { "function $_" } grep { !$is_grammar{$_} && !has_columns($sql, $_) } $sql =~ /(?<![.\w])([A-Za-z_]\w*)\s*\(/g;
	push @found, "cast to $1" while $sql =~ /::(?!pg_catalog\.|activityfeed\.)(\w+)/g;
	push @found, "relation $1" while $sql =~ /\b(?:FROM|JOIN|INTO|^UPDATE)\s+(?!pg_catalog\.|activityfeed\.|$known)(\w+)/g;
	$sql =~ s/(?:\bSET|,)\s+[a-z_]+ = //g;
	$sql =~ s/\b(?:MESSAGE|DETAIL|HINT|ERRCODE|SCHEMA) = |\w+ := //g;
	$sql =~ s/::|\.\*|\(\*\)|\$\d+|=>//g;
	push @found, "operator $&" while $sql =~ /[-<>=+*\/|&@~%^!]+/g;
	return @found;
}

# A name that is a relation's alias with a list of columns: WITH name (..),
# INSERT INTO name (..).
sub has_columns
{
	my ($sql, $name) = @_;
	return $sql =~ /\b(?:AS|WITH|RECURSIVE|INTO)\s+(?:\w+\s+AS\s+)?\Q$name\E\s*\(/;
}

# The checker sees what it is there for.
sub check_checker
{
	my %bad = (
		'SELECT 1 FROM activityfeed.feed f WHERE f.user_id = $1' => 'operator =',
		'SELECT 1 FROM activityfeed.feed f WHERE pg_catalog.now() > $1' => 'operator >',
		'SELECT now() FROM activityfeed.feed' => 'function now',
		'SELECT $1::text FROM activityfeed.feed' => 'cast to text',
		'SELECT 1 FROM feed' => 'relation feed',
		'UPDATE activityfeed.feed SET change_number = change_number + 1' => 'operator +',
		'SELECT CASE x WHEN 1 THEN 2 END FROM activityfeed.feed' => 'hidden operator CASE ',
		'SELECT x IN (1, 2) FROM activityfeed.feed' => 'hidden operator IN (');
	foreach my $sql (sort keys %bad)
	{
		my @found = unqualified($sql);
		is("@found", $bad{$sql}, "found: $bad{$sql}");
	}
	is_deeply([ unqualified("UPDATE activityfeed.feed AS f SET change_number = GREATEST(f.change_number OPERATOR(pg_catalog.+) 1, \$1), a = pg_catalog.now() WHERE f.user_id OPERATOR(pg_catalog.=) 'a = b'") ], [], 'and nothing else');
}

sub check_library
{
	my ($library) = grep { -e } map { "$_/activityfeed.so" } library_folders();
	my @statements;

	die 'activityfeed.so is nowhere' if !defined $library;
	@statements = grep { /\bactivityfeed\.\w/ && /\b(SELECT|INSERT|UPDATE|DELETE)\b/ && !/^activityfeed\./ }
	  split /[^\x09-\x7e]+/, slurp_file($library);
	cmp_ok(scalar @statements, '>', 30, 'the library has statements');
	foreach my $sql (@statements)
	{
		my @ctes = $sql =~ /\b([a-z_]+)\s+(?:\([a-z_, ]+\)\s+)?AS\s+(?:NOT MATERIALIZED\s+|MATERIALIZED\s+)?\(/g;
		my @found = unqualified($sql, @ctes);
		is("@found", '', 'qualified: ' . substr($sql, 0, 60));
	}
}

# Where the server finds the module in this run, as test/run.sh arranges it,
# and else where it is installed.
sub library_folders
{
	my $folder = `pg_config --pkglibdir`;
	my $configuration = defined $ENV{TEMP_CONFIG} && -e $ENV{TEMP_CONFIG} ? slurp_file($ENV{TEMP_CONFIG}) : '';
	my @stages = $configuration =~ /^(?:extension_destdir|dynamic_library_path)\s*=\s*'([^':]+)/mg;

	chomp $folder;
	return ((map { ("$_$folder", $_) } @stages), $folder);
}

# The install script runs under a search_path that has pg_catalog in front, but
# then the schema, which may have been somebody else's.
sub check_script
{
	foreach my $script (glob "$root/sql/activityfeed--*.sql")
	{
		my $sql = slurp_file($script);
		$sql =~ s/^(?:--|\/\*|\\echo).*$//mg;
		$sql =~ s/--.*$//mg;
		$sql =~ s/\$\$/;/g;
		my @statements = grep { /\b(?:SELECT|CHECK|USING|WHERE|GENERATED|:=|EXECUTE|RAISE|IF)\b/ } split /;/, without_literals($sql);
		cmp_ok(scalar @statements, '>', 10, 'the script has statements');
		foreach my $statement (@statements)
		{
			next if $statement =~ /^\s*(?:COMMENT|GRANT|REVOKE)\b/;
			my ($short) = $statement =~ /(\S[^\n]{0,60})/;
			my @variables = $statement =~ /\bSELECT\b.*?\bINTO (\w+) FROM/s;
			my @found = unqualified(of_table($statement), @variables);
			is("@found", '', "qualified: $short");
		}
	}
}

# Literals may hold semicolons.
sub without_literals
{
	my ($sql) = @_;
	$sql =~ s/'(?:[^']|'')*'/''/g;
	return $sql;
}

# Of a CREATE, only the expressions; its list of columns looks like a call.
sub of_table
{
	my ($statement) = @_;
	$statement =~ s/\bCREATE (?:TABLE|VIEW|INDEX|FUNCTION|PROCEDURE|TYPE) [^(]*\(/(/;
	$statement =~ s/\bON activityfeed\.\w+ \(/(/g;
	$statement =~ s/\b(?:PRIMARY|FOREIGN) KEY \(|\bREFERENCES \S+ \(|\bCONSTRAINT \w+|\bTO %s\b/(/g;
	$statement =~ s/\(\w+ = \w+\)//g;
	$statement =~ s/\bsearch_path = [^\n]*//g;
	return $statement;
}
