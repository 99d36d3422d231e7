# A feed on two workers of Citus, distributed by examples/citus.sql: the same
# calls are answered as in one database.  It is skipped, and says so, where
# Citus is not installed.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use ShardTest;
use Test::More;

my ($shared) = run_command([ $ENV{PG_CONFIG} // 'pg_config', '--sharedir' ]);
if (!-e "$shared/extension/citus.control")
{
	diag('skipped: no citus');
	plan skip_all => 'no citus';
}

my $root = "$FindBin::RealBin/../..";
my $users = 20;
my $steps = 60;
my ($coordinator, @workers) = map { start_node($_) } qw(coordinator worker0 worker1);

set_up();
compare();
check_places();
check_delegation();
check_external();
check_all_users();
$_->stop foreach $coordinator, @workers;
done_testing();

sub start_node
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'citus'
citus.node_conninfo = 'sslmode=disable'
citus.shard_count = 4
citus.enable_statistics_collection = off
max_prepared_transactions = 50
CONF
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION citus');
	return $node;
}

sub place_of
{
	my ($node) = @_;
	return "'" . $node->host . "', " . $node->port;
}

sub set_up
{
	$coordinator->safe_psql('postgres', 'SELECT citus_set_coordinator_host(' . place_of($coordinator) . ')');
	$coordinator->safe_psql('postgres', 'SELECT citus_add_node(' . place_of($_) . ')') foreach @workers;
	$coordinator->safe_psql('postgres', slurp_file("$root/examples/citus.sql"));
	$coordinator->safe_psql('postgres', 'CREATE DATABASE whole');
	$coordinator->safe_psql('whole', 'CREATE EXTENSION activityfeed');
	create_calls($coordinator, $_) foreach qw(postgres whole);
	return;
}

sub compare
{
	make_calls($coordinator, $_, 'activityfeed', $users, $steps) foreach qw(postgres whole);
	compare_answers($coordinator, 'postgres', 'whole');
	return;
}

# Each worker has its part of the users, the coordinator none.
sub check_places
{
	my %feeds = map { split /\|/ } split /\n/, $coordinator->safe_psql('postgres', q{
		SELECT nodeport, sum(result::int) FROM run_command_on_placements('activityfeed.feed', 'SELECT count(*) FROM %s')
		GROUP BY nodeport});

	cmp_ok($feeds{ $_->port } // 0, '>', 0, $_->name . ' has users') foreach @workers;
	is($feeds{ $coordinator->port } // 0, 0, 'the coordinator has none');
	return;
}

# A call goes to the worker as a whole.
sub check_delegation
{
	foreach my $call (q{SELECT activityfeed.delete_activity('user 1', 'app', 1)},
		q{SELECT a.id FROM activityfeed.activities('user 1', 'app') a})
	{
		my $plan = $coordinator->safe_psql('postgres', "EXPLAIN (COSTS OFF, VERBOSE) $call");
		like($plan, qr/Custom Scan \(Citus.*Task Count: 1/s, "goes to a worker: $call");
	}
	return;
}

sub check_external
{
	my $add = q{SELECT count(*) FROM activityfeed.add_external_activities('hr', 'item %s',
		'{"activities": [{"type": "viewed", "startDateTime": "2025-03-14T11:00:00Z"}, {"type": "no"}]}')};

	is($coordinator->safe_psql('postgres', sprintf($add, $_)), 2, "activities of item $_ have a result each") foreach 1 .. 4;
	is($coordinator->safe_psql('postgres', qq{SELECT count(*) FROM activityfeed.external_activities('hr', 'item $_')}),
		1, "and item $_ is read back") foreach 1 .. 4;
	return;
}

# Cursors of all users are refused at once; nothing is purged for all of them.
sub check_all_users
{
	my $feeds = $coordinator->safe_psql('postgres', 'SELECT count(*) FROM activityfeed.feed');
	my ($status, undef, $error) = $coordinator->psql('postgres', 'SELECT activityfeed.purge_expired()');

	is($coordinator->safe_psql('postgres', 'SELECT activityfeed.invalidate_cursors()'), $feeds, 'cursors of all users are refused');
	isnt($status, 0, 'a purge is refused, as the README says');
	like($error, qr/ERROR:  cannot push down/, 'by Citus');
	return;
}
