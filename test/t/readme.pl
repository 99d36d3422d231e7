# README.md is the manual, so it must be true: every SQL block is run in order
# in one fresh database and its output compared with the one shown, the
# programs are run where their runtime and driver are found, and the reference
# tables are compared with the catalogs.  META.json and the control file must
# name one version.
use strict;
use warnings;

use FindBin;
use IPC::Run qw(run);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";
my $readme = slurp_file("$root/README.md");
my @blocks = read_blocks($readme);
my $java;	# its command, or 0 where there is none

$ENV{PGCLIENTENCODING} = 'UTF8';
my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
# JDBC knows no sockets
$node->append_conf('postgresql.conf', "listen_addresses = '127.0.0.1'") if defined java_command();
$node->start;
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');

check_sql();
check_grants();
check_ids();
check_programs();
check_shell();
check_reference();
check_links();
check_version();

done_testing();

# The fenced blocks in order: language, text, the line they begin at, the "##"
# section they are in, and for an sql block the output that is shown after it.
sub read_blocks
{
	my ($text) = @_;
	my @found;
	my ($section, $block) = ('', undef);
	my $line = 0;
	foreach (split /^/, $text)
	{
		$line++;
		if (/^```(\w*)/)
		{
			if (defined $block)
			{
				push @found, $block;
				$block = undef;
			}
			else
			{
				$block = { language => $1, text => '', line => $line, section => $section };
			}
		}
		elsif (defined $block)
		{
			$block->{text} .= $_;
		}
		elsif (/^## (.*)/)
		{
			$section = $1;
		}
	}
	foreach my $i (1 .. $#found)
	{
		$found[ $i - 1 ]{output} = $found[$i]
		  if $found[ $i - 1 ]{language} eq 'sql' && $found[$i]{language} =~ /^(text|json)$/;
	}
	return @found;
}

sub blocks_of
{
	my ($language) = @_;
	return grep { $_->{language} eq $language } @blocks;
}

# Hides what differs from run to run: times, but for those of the day on which
# the examples happen, and change numbers, which begin as microseconds since
# 1970.
sub mask
{
	my ($output) = @_;
	$output =~ s/(?!2025-03-14)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/<time>/g;
	$output =~ s/\b1[6-9]\d{14}\b/<change number>/g;
	$output =~ s/[ \t]+$//mg;
	$output =~ s/\A\n+|\n+\z//g;
	return $output;
}

# What psql is given for a block: the block between markers, in the format in
# which its output is shown.
sub psql_input
{
	my ($number, $block) = @_;
	my $output = $block->{output};
	my $as_json = defined $output && $output->{language} eq 'json';
	my $fails = defined $output && $output->{text} =~ /^ERROR:/m;
	return join "\n",
	  '\set QUIET on',
	  '\pset format ' . ($as_json ? 'unaligned' : 'aligned'),
	  '\pset tuples_only ' . ($as_json ? 'on' : 'off'),
	  '\set ON_ERROR_STOP ' . ($fails ? 'off' : 'on'),
	  '\set QUIET off',
	  "\\echo \@\@$number",
	  "\\warn \@\@$number",
	  $block->{text};
}

# The text after each marker, by its number.
sub split_at_markers
{
	my ($text) = @_;
	my (undef, %parts) = split /^\@\@(\d+)\n/m, $text, -1;
	return %parts;
}

sub psql
{
	my ($input) = @_;
	my ($stdout, $stderr) = ('', '');
	local $ENV{PGTZ} = 'UTC';
	run [ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') ],
	  '<', \$input, '>', \$stdout, '2>', \$stderr;
	return ($stdout, $stderr);
}

# Every sql block runs, and prints what the README shows.
sub check_sql
{
	my @sql = blocks_of('sql');
	my ($stdout, $stderr) = psql(join "\n", map { psql_input($_, $sql[$_]) } 0 .. $#sql);
	my %stdout = split_at_markers($stdout);
	my %stderr = split_at_markers($stderr);

	cmp_ok(scalar @sql, '>', 20, 'README has SQL blocks');
	foreach my $number (0 .. $#sql)
	{
		my ($block, $name) = ($sql[$number], "SQL block in line $sql[$number]{line}");
		my $shown = $block->{output};
		my $got = defined $stdout{$number} ? $stdout{$number} . $stderr{$number} : 'not run';

		if (!defined $shown)
		{
			unlike($got, qr/^ERROR|^not run/m, "$name runs");
		}
		elsif ($shown->{language} eq 'json')
		{
			is_deeply(from_json_text($got), from_json_text($shown->{text}), "$name answers as shown");
		}
		else
		{
			is(mask($got), mask($shown->{text}), "$name prints what is shown");
		}
	}
}

sub from_json_text
{
	my ($text) = @_;
	my $value = eval { decode_json(mask($text)) };
	return defined $value ? $value : "no JSON: $text";
}

# The grants of the section "Security" are enough for the section "Tasks".
sub check_grants
{
	my @tasks = grep { $_->{section} eq 'Tasks' } blocks_of('sql');
	my ($stdout, $stderr) = psql(join "\n", 'SET ROLE feed_backend;', (map { $_->{text} } @tasks), '\echo done');

	cmp_ok(scalar @tasks, '>', 10, 'the section "Tasks" has SQL blocks');
	is($stderr, '', 'a role with the grants of the README can do the tasks');
	like($stdout, qr/^done$/m, 'and comes to their end');
}

# The expression of the README computes the ids of other activities too.
sub check_ids
{
	my ($block) = grep { $_->{text} =~ /sha256/ } blocks_of('sql');
	foreach my $pair ([ 'reader', '/articles/bowline' ], [ 'a', 'b' ], [ 'лес', 'ключ 🔑' ], [ 'x', 'y' x 2048 ])
	{
		my ($app, $key) = @$pair;
		my $sql = $block->{text} =~ s/'reader'/'$app'/gr =~ s{'/articles/reef-knot'}{'$key'}gr;
		my ($id, $computed) = split /\|/, $node->safe_psql('postgres', $sql);
		ok($id > 0, 'an id is positive');
		is($computed, $id, 'the id of ' . substr($key, 0, 20) . ' is computed as the README says');
	}
	my $high = $node->safe_psql('postgres', <<'SQL');
SELECT count(*) > 0, count(*) FILTER (WHERE activityfeed.activity_id('reader', n::text) <>
	(('x' || encode(substr(digest, 1, 8), 'hex'))::bit(64) >> 1)::bigint)
FROM generate_series(1, 50) n,
	sha256(convert_to('reader', 'UTF8') || '\x00'::bytea || convert_to(n::text, 'UTF8')) digest
WHERE get_byte(digest, 0) >= 128
SQL
	is($high, 't|0', 'also where the first bit of the digest is set');
}

# A command that succeeds, silently.
sub succeeds
{
	my (@command) = @_;
	my $ignored = '';
	return eval { run \@command, '<', \undef, '>', \$ignored, '2>', \$ignored };
}

sub node_command
{
	return succeeds('node', '-e', 'require("pg")') ? ['node'] : undef;
}

sub python_command
{
	my ($python) = grep { succeeds($_, '-c', 'import psycopg2') } 'python3', '/usr/bin/python3';
	return defined $python ? [$python] : undef;
}

# Java runs a source file if it is a JDK.
sub java_command
{
	if (!defined $java)
	{
		my ($jar) = grep { -e } '/usr/share/java/postgresql.jar', split /:/, $ENV{CLASSPATH} // '';
		$java = defined $jar && succeeds('javac', '-version') ? [ 'java', '-cp', $jar ] : 0;
	}
	return $java || undef;
}

# Each program is run where it can be, and prints what is shown once for all.
sub check_programs
{
	my ($shown) = grep { $_->{section} eq 'From an application' } blocks_of('text');
	my $url = 'jdbc:postgresql://127.0.0.1:' . $node->port . "/postgres?user=$superuser";

	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'postgres';
	local $ENV{PGUSER} = $superuser;
	check_program('js', 'feed.js', 'node with pg', node_command(), $shown);
	check_program('python', 'feed.py', 'python3 with psycopg2', python_command(), $shown);
	check_program('java', 'Feed.java', 'a JDK with the JDBC driver', java_command(), $shown, $url);
}

sub check_program
{
	my ($language, $file, $needed, $command, $shown, @arguments) = @_;
	my @programs = blocks_of($language);

	is(scalar @programs, 1, "README has one program in $language");
  SKIP:
	{
		if (!defined $command)
		{
			diag("skipped: no $needed");
			skip("no $needed", 1);
		}
		my $path = PostgreSQL::Test::Utils::tempdir() . "/$file";
		my ($stdout, $stderr) = ('', '');
		append_to_file($path, $programs[0]{text});
		run [ @$command, $path, @arguments ], '<', \undef, '>', \$stdout, '2>', \$stderr;
		diag($stderr) if $stderr ne '';
		is($stdout, $shown->{text}, "the program in $language prints what is shown");
	}
}

# Commands for a shell are those that the scripts use themselves.
sub check_shell
{
	my $run = slurp_file("$root/test/run.sh");
	my $demo = slurp_file("$root/test/demo.sh");
	my $lib = slurp_file("$root/test/lib.sh");
	my ($install) = grep { $_->{section} eq 'Install' } blocks_of('sh');
	my ($packages) = $install->{text} =~ /^apt-get install (.*)$/m;
	my ($used) = $demo =~ /^install_packages (.*)$/m;
	my ($commands) = grep { $_->{section} eq 'Two commands' } blocks_of('sh');

	$used =~ s/"|\$PG_MAJOR/$& eq '"' ? '' : 15/ge;
	is($packages, $used, 'the packages are those that demo.sh installs');
	like($run, qr/^install_packages build-essential libjson-c-dev /m, 'and run.sh');
	foreach my $line (split /\n/, $install->{text})
	{
		next unless $line =~ /^make/;
		my ($target) = $line =~ /^make (install )?/;
		my $pattern = $target ? qr/make -C \S+ install .*with_llvm=no/ : qr/make -C \S+ (?!install).*with_llvm=no/;
		like($lib, $pattern, "lib.sh builds with \"$line\"");
		like($line, qr/with_llvm=no/, 'without bitcode');
	}
	foreach my $script (split /\n/, $commands->{text})
	{
		ok(-x "$root/$script", "$script can be run");
		like(slurp_file("$root/$script"), qr/--keep\)/, "and takes --keep");
	}
}

# The rows of a reference table: cells by the name in the first.
sub table_rows
{
	my ($heading) = @_;
	my ($section) = $readme =~ /^### \Q$heading\E\n(.*?)(?=^##)/ms;
	my @rows = map { [ split /\s*\|\s*/ ] } grep { /^\| `/ } split /\n/, $section;
	my %rows = map { $_->[1] =~ s/`//gr => $_ } @rows;
	is(scalar keys %rows, scalar @rows, "the table \"$heading\" has no name twice");
	return %rows;
}

sub query
{
	my ($sql) = @_;
	return map { [ split /\|/ ] } split /\n/,
	  $node->safe_psql('postgres', "SET search_path = activityfeed; SELECT activity_id('a', 'b') \\g /dev/null\n$sql");
}

# A signature in the words of the README.
sub plain
{
	my ($signature) = @_;
	$signature =~ s/timestamp with time zone/timestamptz/g;
	$signature =~ s/character varying/varchar/g;
	$signature =~ s/\binteger\b/int/g;
	$signature =~ s/NULL::\w+/NULL/g;
	return $signature;
}

# The reference tables say what the catalogs say, of everything there is.
sub check_reference
{
	my %functions = table_rows('Functions');
	my @functions = query(<<'SQL');
SELECT proname || '(' || pg_get_function_arguments(oid) || ')', coalesce(pg_get_function_result(oid), 'procedure')
FROM pg_proc WHERE pronamespace = 'activityfeed'::regnamespace
SQL
	my %documented = map { $_ => $functions{$_}[2] } keys %functions;
	my %existing = map { plain($_->[0]) => "`$_->[1]`" } @functions;
	is_deeply(\%documented, \%existing, 'functions, with their arguments and results');

	my %types = table_rows('Types');
	my @types = query(<<'SQL');
SELECT t.typname, CASE t.typtype WHEN 'e'
		THEN (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
		ELSE (SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = t.typrelid) END
FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typnamespace = 'activityfeed'::regnamespace
	AND (t.typtype = 'e' OR c.relkind = 'c')
SQL
	is_deeply([ sort keys %types ], [ sort map { $_->[0] } @types ], 'types');
	foreach (@types)
	{
		my ($name, $members) = @$_;
		my @shown = ($types{$name}[2] // '') =~ /`(\w+)`/g;
		my %wanted = map { $_ => 1 } split /,/, $members;
		is(join(',', grep { $wanted{$_} } @shown), $members, "what type $name consists of");
	}

	my %relations = table_rows('Tables and views');
	my %columns = map { $_->[0] => $_->[1] } query(<<'SQL');
SELECT c.relname, string_agg(a.attname, ',' ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'activityfeed'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
GROUP BY c.relname
SQL
	my %shown = map { $_ => join ',', $relations{$_}[2] =~ /`(\w+)`/g } keys %relations;
	is_deeply(\%shown, \%columns, 'tables and views, with their columns');

	check_settings();
}

sub check_settings
{
	my %rows = table_rows('Settings');
	my @settings = query(<<'SQL');
SELECT name, boot_val, unit, min_val, max_val, context FROM pg_settings WHERE name LIKE 'activityfeed.%'
SQL
	cmp_ok(scalar @settings, '>=', 5, 'the module has settings');
	is_deeply([ sort keys %rows ], [ sort map { $_->[0] } @settings ], 'settings');
	foreach (@settings)
	{
		my ($name, $default, $unit, $least, $most, $context) = @$_;
		my (undef, undef, $shown, $bounds, $who) = @{ $rows{$name} // [ ('') x 5 ] };
		$default = '(empty)' if $default eq '';
		like($shown, qr/^\Q$default\E(?!\w)/, "default of $name");
		like($bounds, qr/\Q($unit)\E/, "unit of $name") if $unit ne '';
		like($bounds, qr/(?<![\d-])\Q$_\E(?!\d)/, "bound $_ of $name") foreach grep { $_ ne '' } $least, $most;
		is($who, $context, "context of $name");
	}
}

# Links go to files and headings that are there.
sub check_links
{
	my %anchors = map { lc(s/[^\w -]//gr) =~ s/ /-/gr => 1 } $readme =~ /^#+ (.*)$/mg;
	foreach my $link ($readme =~ /\]\(([^)]+)\)/g)
	{
		next if $link =~ /^https?:/;
		ok($link =~ /^#(.*)/ ? $anchors{$1} : -e "$root/$link", "link to $link");
	}
}

# META.json wants a semantic version, the control file has two numbers.
sub check_version
{
	my ($version) = slurp_file("$root/activityfeed.control") =~ /^default_version = '([\d.]+)'/m;
	my $meta = decode_json(slurp_file("$root/META.json"));
	my $provided = $meta->{provides}{activityfeed};

	is($meta->{version}, "$version.0", 'META.json has the version of the control file');
	is($provided->{version}, $meta->{version}, 'also of what it provides');
	ok(-e "$root/$provided->{file}", 'and the file of that exists');
	is($provided->{file}, "sql/activityfeed--$version.sql", 'it is the script of that version');
	foreach my $key (qw(name version abstract maintainer license provides meta-spec))
	{
		ok(defined $meta->{$key}, "META.json has \"$key\", which the specification requires");
	}
	like(slurp_file("$root/CHANGELOG.md"), qr/^## \Q$version\E\b/m, 'CHANGELOG.md has the version');
}
