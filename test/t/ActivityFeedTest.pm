# What TAP tests share: a server that has the extension, what every state of
# the tables must satisfy, and sessions and their processes.

package ActivityFeedTest;

use strict;
use warnings;

use Exporter 'import';
use FindBin qw($RealBin);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_server create_document create_invariants
  open_session process_status);

# A running server with the extension in database postgres.
sub start_server
{
	my ($name, $configuration) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', $configuration)
	  if defined $configuration;
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION activityfeed');
	return $node;
}

# document(key, sessions): the smallest activity, with sessions to deep-insert.
sub create_document
{
	my ($node) = @_;

	$node->safe_psql(
		'postgres', q{
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

# broken_invariant: what the tables must not say.  It has to be empty at any
# time.
sub create_invariants
{
	my ($node) = @_;

	$node->safe_psql('postgres', slurp_file("$RealBin/../include/invariants.sql"));
	return;
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
