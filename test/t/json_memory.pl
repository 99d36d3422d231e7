# json-c runs out of memory, at each of the times that it asks for some, while
# it reads a document of every kind: the call fails with 53200, nothing of it
# is stored, what json-c had is given back, and the next call does what it
# should.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $library = fault_library('failing_malloc');

plan skip_all => 'needs a C library whose malloc can be replaced'
  if !defined $library;

my $node;
{
	local $ENV{LD_PRELOAD} = $library;
	$node = start_server('json_memory');
}
create_invariants($node);
create_everything($node);
$node->safe_psql('postgres', <<~"SQL");
	CREATE FUNCTION fail_at(int) RETURNS boolean LANGUAGE C STRICT AS '$library';
	CREATE FUNCTION requests() RETURNS int LANGUAGE C AS '$library';
	CREATE FUNCTION live_pieces() RETURNS int LANGUAGE C AS '$library';
	SQL

# Strings longer than what json-c's buffer begins with, escapes, a surrogate
# pair, a number, members in objects in objects.
my $long = 'word ' x 30;
my $item = qq({"startedDateTime": "2024-01-01T00:00:00Z", "lastActiveDateTime": "2024-01-01T00:10:00Z",
	"activeDurationSeconds": 20, "userTimezone": "Africa\\u002f$long"}) =~ s/\\\\/\\/gr;
my $activity = sub {
	my ($more) = @_;
	return qq({"\@odata.type": "#microsoft.graph.userActivity", "appActivityId": "a", "activitySourceHost": "https://www.example.com",
		"activationUrl": "https://www.example.com/$long", "appDisplayName": "caf\\\\u00e9 \\\\ud83d\\\\ude00 \\\\n $long \\\\u20ac",
		"visualElements": {"displayText": "x", "attribution": {"iconUrl": "https://www.example.com/i", "addImageQuery": "true"}},
		"contentInfo": {"a": [1, {"b": "c"}]} $more}) =~ s/\\\\/\\/gr;
};
my $id = q(activityfeed.activity_id('app', 'a'));
my $element = '{"type": "viewed", "startDateTime": "2024-01-01T00:00:00Z", "performedBy": {"type": "user", "id": "caf\u00e9 \ud83d\ude00"}}';
my %calls = (
	'an activity' => "SELECT FROM activityfeed.upsert_activity('u', 'app', '" . $activity->('') . "'::json)",
	'an activity as jsonb' => "SELECT FROM activityfeed.upsert_activity('u', 'app', '" . $activity->('') . "'::jsonb)",
	'a deep insert' => "SELECT FROM activityfeed.upsert_activity('u', 'app', '" . $activity->(qq(, "historyItems": [$item, $item])) . "'::json)",
	'a session' => "SELECT FROM activityfeed.upsert_history_item('u', 'app', $id, '00000000-0000-4000-8000-000000000001', '$item'::json)",
	'a batch' => "SELECT FROM activityfeed.add_external_activities('c', 'i', '[$element, $element]'::json)",
	'a batch with bad elements' => qq(SELECT FROM activityfeed.add_external_activities('c', 'i',
		'[$element, {"type": "seen", "startDateTime": "never"}, {"type": "viewed", "startDateTime": "2024-01-01T00:00:00Z", "x": 1}]'::json)),
	'a request for an activity' => "SELECT status / (status < 300)::int FROM activityfeed.graph_request('u', 'app', 'PUT', '/me/activities/a', '" . $activity->('') . "')",
	'a request for a session' => "SELECT status / (status < 300)::int FROM activityfeed.graph_request('u', 'app', 'PUT',
		format('/me/activities/%s/historyItems/00000000-0000-4000-8000-000000000002', $id), '$item')");

$node->safe_psql('postgres', $calls{'an activity'});
my ($session, $pid) = open_session($node, on_error_stop => 0);
$session->query_safe('\set VERBOSITY sqlstate');

sub state_of
{
	my ($call) = @_;

	$session->query($call);
	my ($state) = $session->{stderr} =~ /ERROR:  (\w{5})$/m;
	$session->{stderr} = '';
	return $state // 'none';
}

for my $name (sort keys %calls)
{
	my $call = $calls{$name};
	my %outcomes;

	$session->query_safe('SELECT fail_at(0)');
	is(state_of($call), 'none', "$name is good");
	is($session->query_safe('SELECT fail_at(0)'), 't', "$name: json-c is there");
	state_of($call);
	my $requests = $session->query_safe('SELECT requests()');
	cmp_ok($requests, '>', 4, "$name asks for memory $requests times");
	my $before = $session->query_safe('SELECT everything()');
	for my $n (1 .. $requests)
	{
		$session->query_safe("SELECT fail_at($n)");
		my $state = state_of($call);
		my ($live, $after) = split /\|/, $session->query_safe('SELECT live_pieces(), everything() FROM fail_at(0)');
		push @{ $outcomes{ join ', ', $state, "$live left", $after eq $before ? 'nothing stored' : 'stored' } }, $n;
	}
	is(join('; ', sort keys %outcomes), '53200, 0 left, nothing stored', "$name fails whole, each time")
	  or diag(explain(\%outcomes));
	is(state_of($call), 'none', "$name: the next call is good");
}

is($session->query_safe('SELECT pg_backend_pid()'), $pid, 'it is the same session');
is($session->query_safe('SELECT * FROM broken_invariant'), '', 'invariants hold');
$session->quit;
$node->stop;
done_testing();
