# recent_activities(20) as documents: over users of the standard workload, and
# over users with 10^2 to 10^6 sessions (100 activities each), one whose newest
# 10^5 sessions are of one activity, and one with a bulk import of 10^4
# activities.

use strict;
use warnings;

use Bench;

my $largest = sized(full => 6, quick => 5, smoke => 3);
my $newest = sized(full => 100_000, quick => 100_000, smoke => 200);
my $imported = sized(full => 10_000, quick => 10_000, smoke => 100);
my $base = 200_000_000_000;
my %user = (hot => $base + 100, bulk => $base + 200, map { ("1e$_" => $base + $_) } 2 .. $largest);

begin('recent', sides => ['recent.sql'], load => \&load_users);

sub load_users
{
	sql("CALL bench.load($user{\"1e$_\"}, 1, 100, " . 10**($_ - 2) . ')') for 2 .. $largest;
	sql("CALL bench.load($user{hot}, 1, 100, 10); CALL bench.add_newest('$user{hot}', $newest)");
	sql("CALL bench.load($user{bulk}, 1, $imported, 1)");
	return;
}

my $columns = 'id, app_activity_id, activity_source_host, activation_url, app_display_name, content_url, fallback_url, user_timezone,
	visual_elements, content_info, status, created_date_time, last_modified_date_time, expiration_date_time';
my $document = "jsonb_build_object('id', a.id::text, 'appActivityId', a.app_activity_id, 'activitySourceHost', a.activity_source_host,
	'activationUrl', a.activation_url, 'appDisplayName', a.app_display_name, 'contentUrl', a.content_url,
	'fallbackUrl', a.fallback_url, 'userTimezone', a.user_timezone, 'visualElements', a.visual_elements,
	'contentInfo', a.content_info, 'status', a.status, 'createdDateTime', a.created_date_time,
	'lastModifiedDateTime', a.last_modified_date_time, 'expirationDateTime', a.expiration_date_time)";

my %statement = (
	ours => "SELECT activityfeed.recent_activities(:user, 'reader')::json",
	floor => "SELECT $columns FROM floor.recent WHERE user_id = :user AND app_id = 'reader' ORDER BY history_change_number DESC LIMIT 20",
	group_by => "SELECT $document FROM (
			SELECT h.activity_id, max(h.change_number) AS newest FROM peer.history_item h
			WHERE h.user_id = :user AND h.app_id = 'reader' AND h.status <> 'deleted'
			GROUP BY h.activity_id HAVING max(h.expiration_date_time) > now() ORDER BY newest DESC LIMIT 20) r
		JOIN peer.activity a ON a.user_id = :user AND a.id = r.activity_id AND a.status = 'updated'
		ORDER BY r.newest DESC",
	recursive => "WITH RECURSIVE r AS (
			(SELECT h.activity_id, h.change_number, h.expiration_date_time, ARRAY[h.activity_id] AS seen FROM peer.history_item h
			WHERE h.user_id = :user AND h.app_id = 'reader' AND h.status <> 'deleted' ORDER BY h.change_number DESC LIMIT 1)
			UNION ALL
			SELECT n.activity_id, n.change_number, n.expiration_date_time, r.seen || n.activity_id FROM r CROSS JOIN LATERAL (
				SELECT h.activity_id, h.change_number, h.expiration_date_time FROM peer.history_item h
				WHERE h.user_id = :user AND h.app_id = 'reader' AND h.status <> 'deleted' AND h.change_number < r.change_number
					AND h.activity_id <> ALL (r.seen)
				ORDER BY h.change_number DESC LIMIT 1) n
			WHERE cardinality(r.seen) < 20)
		SELECT $document FROM r JOIN peer.activity a ON a.user_id = :user AND a.id = r.activity_id AND a.status = 'updated'
		WHERE r.expiration_date_time > now() ORDER BY r.change_number DESC");
$statement{group_by_own} = $statement{group_by} =~ s/peer\./own./gr;
my %schema = (ours => 'activityfeed', floor => 'floor', group_by => 'peer', recursive => 'peer', group_by_own => 'own');

# A side for one user, or for all of the standard workload.
sub side
{
	my ($name, $user) = @_;

	return { name => $name, schema => $schema{$name}, reads => 1, statement => $statement{$name},
		$user ? (variants => [ { user => $user } ]) : () };
}

sub rows_of
{
	my ($name, $user) = @_;
	my $statement = $statement{$name} =~ s/:user/'$user'/gr;

	return "SELECT r ->> 'appActivityId', r - '{createdDateTime,lastModifiedDateTime,expirationDateTime}'::text[],
			date_trunc('milliseconds', (r ->> 'expirationDateTime')::timestamptz)
		FROM (SELECT a::jsonb FROM ($statement) v (a)) w (r)";
}

for my $user ($first_user, @user{ sort keys %user })
{
	same("ours and $_, documents of user $user", rows_of('ours', $user), rows_of($_, $user)) for qw(group_by recursive group_by_own);
	same("ours and floor, ids of user $user", map { "SELECT r ->> 'id' FROM ($_) v (r)" } $statement{ours} =~ s/:user/'$user'/r,
		"SELECT to_json(f) FROM (" . ($statement{floor} =~ s/:user/'$user'/r) . ") f");
	holds($_, $user) for qw(activityfeed peer);
}

throughput([ map { side($_) } qw(ours floor recursive group_by) ], only => [qw(8_async 1_async)]);
for my $size (grep { $user{$_} } '1e4', '1e6')
{
	throughput([ map { side($_, $user{$size}) } qw(ours floor group_by recursive group_by_own) ], only => ['8_async'], suffix => "_$size");
}
flatness([ map { { %{ side('ours', $user{$_}) }, name => $_ } } sort keys %user ], calls_of(10_000));
for my $size ('hot', map { "1e$_" } 2 .. $largest)
{
	my $calls = calls_of($size eq '1e6' ? 20 : $size eq '1e5' || $size eq 'hot' ? 100 : 500);

	processor([ map { side($_, $user{$size}) } qw(group_by recursive group_by_own) ], $calls, suffix => "_$size");
}
