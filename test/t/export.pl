# Exporting much: 10^5 sessions, spread over 1000 activities or all of one, take
# no more memory than 10^4 over 100.  What was exported can be put back.  Then
# all that is erased, in one go.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'needs /proc' if !-r '/proc/self/status';

# As in memory.pl: what glibc has freed is not kept, and few shared buffers count.
$ENV{MALLOC_TRIM_THRESHOLD_} = $ENV{MALLOC_MMAP_THRESHOLD_} = 128 * 1024;
my $node = start_server('export', <<~'CONF');
	shared_buffers = 1MB
	autovacuum = off
	max_wal_size = 4GB
	CONF

create_document($node);
for (['few', 100, 100], ['many', 1000, 100], ['huge', 1, 100_000])
{
	my ($user, $activities, $sessions) = @$_;

	$node->safe_psql('postgres', qq{
		SET activityfeed.max_document_size = '16MB';
		SET activityfeed.max_batch = 100000;
		SELECT FROM generate_series(1, $activities) a, activityfeed.upsert_activity('$user', 'app', document(a::text,
			(SELECT json_agg(json_build_object('startedDateTime', '2026-01-01T00:00:00Z')) FROM generate_series(1, $sessions))))});
}

# How far a session's memory rises while a user is exported to a file, and the
# size of that.
sub peak
{
	my ($user) = @_;
	my ($session, $pid) = open_session($node);
	my $file = $node->basedir . "/$user.json";
	my $copy = q{COPY (SELECT activityfeed.export_user('%s')) TO '%s' (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')};

	$session->query_safe(sprintf $copy, 'nobody', $file);
	open my $clear, '>', "/proc/$pid/clear_refs" or return;
	print $clear "5\n";
	close $clear or return;
	my $before = process_status($pid, 'VmHWM');
	$session->query_safe(sprintf $copy, $user, $file);
	my $after = process_status($pid, 'VmHWM');
	$session->quit;
	return ($after - $before, -s $file);
}

SKIP:
{
	my ($few) = peak('few');
	skip 'cannot reset VmHWM', 2 if !defined $few;
	my ($many, $size) = peak('many');
	my ($huge, $huge_size) = peak('huge');

	diag("peaks above the start, in bytes: $few, $many, $huge; the last two export $size and $huge_size");
	cmp_ok($many, '<=', $few + 1024 * 1024, "1000 activities: $many bytes for an export of $size, 100: $few");
	cmp_ok($huge, '<=', $few + 4 * 1024 * 1024, "one activity: $huge bytes for an export of $huge_size, 100: $few");
}
is($node->safe_psql('postgres', q{
		SELECT count(*), sum(json_array_length(d -> 'historyItems')) FROM activityfeed.export_user('many') d}),
	'1000|100000', 'all of many activities');
is($node->safe_psql('postgres', q{
		SELECT count(*), sum(json_array_length(d -> 'historyItems')) FROM activityfeed.export_user('huge') d}),
	'100|100000', 'all of one activity, in documents of 1000');
is( $node->safe_psql(
		'postgres', q{
		SELECT count(*) FROM activityfeed.export_user('huge') d, activityfeed.upsert_activity('copy', 'app', d);
		SELECT count(*), bool_and(c.started_date_time = h.started_date_time AND c.active_duration_seconds IS NOT DISTINCT FROM h.active_duration_seconds)
		FROM activityfeed.history_item h LEFT JOIN activityfeed.history_item c ON c.user_id = 'copy' AND c.activity_id = h.activity_id AND c.id = h.id
		WHERE h.user_id = 'huge';
		SELECT activityfeed.erase_user('copy')}),
	"100\n100000|t\n100002",
	'and they can be put back');

for (['many', 101_001], ['huge', 100_002])
{
	my ($user, $rows) = @$_;
	my $begin = time;

	is($node->safe_psql('postgres', "SELECT activityfeed.erase_user('$user')"), $rows, "$rows rows are erased");
	diag(sprintf '%d rows erased in %.1f seconds', $rows, time - $begin);
}
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT user_id, ',') FROM activityfeed.history_item}), 'few', 'and no others');

$node->stop;
done_testing();
