# What TAP tests share: a server that has the extension, what every state of
# the tables must satisfy, and sessions and their processes.

package ActivityFeedTest;

use strict;
use warnings;

use Cwd qw(realpath);
use Exporter 'import';
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_server create_document create_sessions create_direct_and_statements statements_of create_invariants
  create_everything broken_feeds fault_library fingerprint
  fingerprint_difference open_session process_status);

my $include = realpath(dirname(__FILE__) . '/../include');
my $fault = realpath(dirname(__FILE__) . '/../fault');

# A running server with the extension in database postgres.  What follows the
# configuration goes to PostgreSQL::Test::Cluster's init().
sub start_server
{
	my ($name, $configuration, %init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '--encoding=UTF8', '--locale=C' ], %init);
	$node->append_conf('postgresql.conf', $configuration)
	  if defined $configuration;
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION activityfeed');
	return $node;
}

# document(key, sessions): the smallest activity, with sessions to deep-insert.
sub create_document
{
	my ($node, $database) = @_;

	$node->safe_psql(
		$database // 'postgres', q{
		CREATE FUNCTION document(key text, sessions json DEFAULT NULL)
		RETURNS json LANGUAGE sql STABLE AS $$
			SELECT json_build_object('appActivityId', key,
				'activitySourceHost', 'https://www.example.com',
				'activationUrl', 'example:open',
				'visualElements', json_build_object('displayText', key),
				'historyItems', sessions)
		$$});
	return;
}

# sessions(n): to deep-insert; elements(n): a batch of external activities.
sub create_sessions
{
	my ($node, $database) = @_;

	$node->safe_psql(
		$database // 'postgres', q{
		CREATE FUNCTION sessions(n int) RETURNS json LANGUAGE sql AS $$
			SELECT json_agg(json_build_object('id', md5(i::text)::uuid, 'startedDateTime', '2026-01-01T00:00:00Z'))
			FROM generate_series(1, n) i
		$$;
		CREATE FUNCTION elements(n int) RETURNS json LANGUAGE sql AS $$
			SELECT json_agg(json_build_object('type', 'viewed', 'startDateTime', '2026-01-01T00:00:00Z'))
			FROM generate_series(1, n)
		$$});
	return;
}

# Databases "direct" and "statements", with include/direct.sql: for calls that
# leave the same in one, where writes may go without statements, as in the
# other, where the caller sees to it that they do not.
sub create_direct_and_statements
{
	my ($node) = @_;
	my $prepare = slurp_file(dirname(realpath(__FILE__)) . '/../include/direct.sql');

	for my $database ('direct', 'statements')
	{
		$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
		$node->safe_psql($database, 'CREATE EXTENSION activityfeed; CREATE EXTENSION amcheck');
		create_document($node, $database);
		create_sessions($node, $database);
		$node->safe_psql($database, $prepare);
	}
	return;
}

# What SQL prints, and what auto_explain tells of the statements that it
# executes, those within functions among them.
sub statements_of
{
	my ($node, $database, $sql) = @_;
	my ($out, $err);

	$node->psql(
		$database,
		"LOAD 'auto_explain'; SET auto_explain.log_nested_statements = on; SET auto_explain.log_level = notice;"
		  . " SET auto_explain.log_min_duration = 0; $sql",
		stdout => \$out,
		stderr => \$err);
	return ($out, $err);
}

# everything(): all rows as one value, to see that nothing changed.
sub create_everything
{
	my ($node) = @_;

	$node->safe_psql(
		'postgres', q{
		CREATE FUNCTION everything() RETURNS text LANGUAGE sql AS $$
			SELECT md5(concat((SELECT string_agg(f::text, ' ' ORDER BY user_id) FROM activityfeed.feed f),
				(SELECT string_agg(a::text, ' ' ORDER BY user_id, id) FROM activityfeed.activity a),
				(SELECT string_agg(h::text, ' ' ORDER BY user_id, activity_id, id) FROM activityfeed.history_item h),
				(SELECT string_agg(e::text, ' ' ORDER BY id) FROM activityfeed.external_activity e)))
		$$});
	return;
}

# Builds test/fault/<name>.c, which replaces functions of the C library in a
# server that is started with it as LD_PRELOAD.  Returns where it is, or
# nothing where it cannot be built.
sub fault_library
{
	my ($name) = @_;
	my $cc = $ENV{CC} || 'cc';
	my $headers = `"$ENV{PG_CONFIG}" --includedir-server`;
	my $library = PostgreSQL::Test::Utils::tempdir() . "/$name.so";

	chomp $headers;
	return if system("$cc -D_GNU_SOURCE -O1 -fno-builtin -fPIC -shared -I'$headers' -o '$library' '$fault/$name.c' -ldl") != 0;
	return $library;
}

# broken_invariant: what the tables must not say.  It has to be empty at any
# time.
sub create_invariants
{
	my ($node) = @_;

	$node->safe_psql('postgres', slurp_file("$include/invariants.sql"));
	return;
}

# What in the feeds is not as the store promises: nothing.
sub broken_feeds
{
	my ($node, $database) = @_;

	my $invariants = slurp_file("$include/invariants.sql");

	return $node->safe_psql($database // 'postgres', "SET search_path = pg_temp; $invariants
		SELECT user_id, rule, place FROM broken_invariant ORDER BY user_id, rule, place");
}

# All that the catalogs say of the extension's objects, a line for each thing.
# OIDs and the order of creation do not matter.
sub fingerprint
{
	my ($node, $database) = @_;

	return $node->safe_psql($database // 'postgres', "\\i $include/fingerprint.sql");
}

# The lines that only one of two fingerprints has.
sub fingerprint_difference
{
	my ($got, $expected) = @_;
	my %got = map { $_ => 1 } split /\n/, $got;
	my %expected = map { $_ => 1 } split /\n/, $expected;

	return join "\n", (map { "- $_" } grep { !$got{$_} } sort keys %expected),
	  (map { "+ $_" } grep { !$expected{$_} } sort keys %got);
}

# A session that stays, and the process id of its backend.
sub open_session
{
	my ($node, %parameters) = @_;
	my $session = $node->background_psql('postgres', %parameters);

	$session->set_query_timer_restart;
	return ($session, $session->query_safe('SELECT pg_backend_pid()'));
}

# A line of /proc/<pid>/status that is a size, in bytes.
sub process_status
{
	my ($pid, $name) = @_;
	my ($size) = slurp_file("/proc/$pid/status") =~ /^$name:\s+(\d+) kB$/m;

	die "no $name of process $pid" if !defined $size;
	return $size * 1024;
}

1;
