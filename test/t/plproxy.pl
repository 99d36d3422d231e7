# A feed on two shards behind PL/Proxy, as the README sets it up: the same
# calls are answered as in one database.  It is skipped, and says so, where the
# package postgresql-<version>-plproxy is not installed.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use ShardTest;
use Test::More;

my ($shared) = run_command([ $ENV{PG_CONFIG} // 'pg_config', '--sharedir' ]);
if (!-e "$shared/extension/plproxy.control")
{
	diag('skipped: no plproxy');
	plan skip_all => 'no plproxy';
}

my $root = "$FindBin::RealBin/../..";
my $users = 40;
my ($section) = slurp_file("$root/README.md") =~ /^### PL\/Proxy\n(.*?)^##/ms;
my @blocks = $section =~ /^```pgsql\n(.*?)^```/msg;
my $node = start_server('plproxy', 'max_connections = 20');

set_up();
compare();
check_places();
check_purge();
check_external();
check_rest();
$node->stop;
done_testing();

# Databases shard0, shard1, whole and proxy, the last by the README's commands.
sub set_up
{
	my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
	my ($server) = ($blocks[0] // '') =~ /(.*)/s;
	my $places = $server =~ s/host=shard([01])\.example dbname=\w+/'host=' . $node->host . ' port=' . $node->port . " dbname=shard$1"/ge;

	is($places, 2, 'README sets up two shards');
	$server =~ s/user 'feed_backend', password '[^']*'/user '$superuser'/ or die 'no user mapping';
	$server =~ s/^\\i examples/\\i $root\/examples/m or die 'no script';
	$node->safe_psql('postgres', "CREATE DATABASE $_") foreach qw(shard0 shard1 whole proxy);
	$node->safe_psql($_, 'CREATE EXTENSION activityfeed') foreach qw(shard0 shard1 whole);
	$node->safe_psql('proxy', $server);
	create_calls($node, $_) foreach qw(whole proxy);
	return;
}

sub compare
{
	make_calls($node, 'proxy', 'feed, activityfeed', $users, 60);
	make_calls($node, 'whole', 'activityfeed', $users, 60);
	compare_answers($node, 'proxy', 'whole');
	return;
}

# on_shards(sql): what each shard says.
sub on_shards
{
	my ($sql) = @_;
	return map { $node->safe_psql($_, $sql) } qw(shard0 shard1);
}

# Every user is on one shard, the one of shard_of; nothing is at the proxy.
sub check_places
{
	my @feeds = on_shards('SELECT user_id FROM activityfeed.feed ORDER BY user_id');
	my %shard_of = map { split /\|/ } split /\n/, $node->safe_psql('proxy',
		'SELECT DISTINCT user_id, feed.shard_of(user_id) & 1 FROM answer');

	foreach my $shard (0, 1)
	{
		my @users = split /\n/, $feeds[$shard];
		cmp_ok(scalar @users, '>', $users / 4, "shard $shard has its part of the users");
		is_deeply([ grep { $shard_of{$_} != $shard } @users ], [], 'and no others');
	}
	is($node->safe_psql('proxy', 'SELECT count(*) FROM activityfeed.feed'), 0, 'the proxy has none');
	return;
}

# One call purges all shards.
sub check_purge
{
	my $expire = q{
		UPDATE activityfeed.history_item SET expiration_date_time = timestamptz 'epoch' WHERE user_id LIKE '%1_%';
		UPDATE activityfeed.activity SET expiration_date_time = timestamptz 'epoch',
			history_expiration_date_time = CASE WHEN history_change_number IS NOT NULL THEN timestamptz 'epoch' END
		WHERE user_id LIKE '%1_%'};

	$node->safe_psql($_, $expire) foreach qw(shard0 shard1 whole);
	my $whole = $node->safe_psql('whole', 'SELECT activityfeed.purge_expired()');
	cmp_ok($whole, '>', 50, 'rows have expired');
	is($node->safe_psql('proxy', 'SELECT count(*), sum(removed) FROM feed.purge_expired() removed'),
		"2|$whole", 'both shards purge as much together');
	is($node->safe_psql('proxy', 'SELECT sum(feeds) FROM feed.invalidate_cursors() feeds'),
		$node->safe_psql('whole', 'SELECT activityfeed.invalidate_cursors()'), 'cursors of all users are refused');
	return;
}

# External activities are on the shard of their item.
sub check_external
{
	my $add = q{SELECT count(*) FROM generate_series(1, 20) n, feed.add_external_activities('hr', 'item ' || n,
		'{"activities": [{"type": "viewed", "startDateTime": "2025-03-14T11:00:00Z"}, {"type": "no"}]}')};

	is($node->safe_psql('proxy', $add), 40, 'external activities have a result each');
	is($node->safe_psql('proxy', q{SELECT count(*) FROM generate_series(1, 20) n, feed.external_activities('hr', 'item ' || n)}),
		20, 'and are read back by item');
	cmp_ok($_, '>', 3, 'from this shard and the other') foreach on_shards('SELECT count(*) FROM activityfeed.external_activity');
	return;
}

# The README's other block runs, and casts at the proxy give documents.
sub check_rest
{
	my $put = q{feed.upsert_activity('ada', 'reader', '{"appActivityId": "1", "activitySourceHost": "reader.example",
		"activationUrl": "reader:1", "visualElements": {"displayText": "One"},
		"historyItems": [{"startedDateTime": "2025-03-14T11:00:00Z"}]}')};

	is($node->safe_psql('proxy', "SELECT activityfeed.was_created(a), a::json ->> 'appActivityId' FROM $put a"), 't|1',
		'casts and was_created work at the proxy');
	is($node->safe_psql('proxy', q{SELECT json_array_length(j -> 'historyItems')
			FROM feed.graph_json('ada', 'reader', activityfeed.activity_id('reader', '1'), 5) j}),
		1, 'graph_json has the sessions, which are on the shard');
	like($node->safe_psql('proxy', $blocks[1] // ''), qr/"appActivityId":\s*"1"/, 'the block of the README answers');
	is($node->safe_psql('proxy', q{SELECT count(*) FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner))) a
			WHERE pronamespace = 'feed'::regnamespace AND grantee = 0}),
		0, 'nothing is granted to PUBLIC');
	return;
}
