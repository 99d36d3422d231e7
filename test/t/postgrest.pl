# examples/postgrest.sql, with psql in the place of PostgREST: each request is
# a transaction in which the role and the claims are set, the pre-request
# function is called, and then what the request names.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('postgrest');
my $ada = '{"role": "web_user", "sub": "ada", "app_id": "reader"}';
my $bob = '{"role": "web_user", "sub": "bob", "app_id": "reader"}';
my $put = q{SELECT feed_api.put_activity('{"appActivityId": "1", "activitySourceHost": "reader.example",
	"activationUrl": "reader:1", "visualElements": {"displayText": "One"},
	"historyItems": [{"id": "61fc8f36-919f-4b73-89d4-1cb7b159d912", "startedDateTime": "2025-03-14T09:00:00Z"}]}') ->> 'status'};
my $recent = q{SELECT json_array_length(feed_api.recent_activities() -> 'value')};
my $seen = 'SELECT count(*) FROM activityfeed.live_activity';
my $id = q{activityfeed.activity_id('reader', '1')};

$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../../examples/postgrest.sql"));
$node->safe_psql('postgres', 'CREATE ROLE authenticator LOGIN NOINHERIT; GRANT web_user, web_anonymous TO authenticator');

check_calls();
check_others();
check_claims();
check_choosing();
$node->stop;
done_testing();

# A request: what its transaction says to each of the statements.
sub request
{
	my ($role, $claims, @statements) = @_;
	return ('BEGIN', "SET LOCAL ROLE $role",
		defined $claims ? "SELECT set_config('request.jwt.claims', '$claims', true) \\g /dev/null" : (),
		'SELECT feed_gate.set_principal() \g /dev/null', @statements, 'ROLLBACK');
}

# What one connection of PostgREST's role answers; an error is its SQLSTATE.
sub answers
{
	my $sql = join "\n", '\set ON_ERROR_STOP off', '\set VERBOSITY sqlstate', map { /\\g/ ? $_ : "$_;" } @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql('postgres', $sql, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0,
		extra_params => [ '-U', 'authenticator' ]);
	my @errors = $stderr =~ /ERROR:\s+(\w+)/g;
	return join ' ', (split /\n/, $stdout), grep { $_ ne '25P02' } @errors;
}

sub check_calls
{
	my @request = request('web_user', $ada, $put, $recent,
		"SELECT feed_api.put_history_item($id, '61fc8f36-919f-4b73-89d4-1cb7b159d912', '{\"startedDateTime\": \"2025-03-14T09:00:00Z\"}') ->> 'status'",
		"SELECT feed_api.touch_history_item($id, '61fc8f36-919f-4b73-89d4-1cb7b159d912') ->> 'status'",
		q{SELECT json_array_length(feed_api.changes() -> 'value')},
		q{SELECT feed_api.recent_activities(1) ->> 'next' = feed_api.changes() ->> 'next'},
		q{SELECT json_array_length(feed_api.recent_activities(1, feed_api.recent_activities(1) ->> 'next') -> 'value')},
		q{SELECT json_array_length(feed_api.graph_request('GET', '/me/activities/recent') -> 'value')},
		q{SELECT current_setting('response.status')},
		q{SELECT feed_api.graph_request('GET', '/nothing') -> 'error' ->> 'code' IS NOT NULL},
		q{SELECT current_setting('response.status')},
		"SELECT feed_api.delete_activity($id)", $recent);
	$request[-1] = 'COMMIT';

	is(answers(@request), 'updated 1 active updated 2 t 0 1 200 t 404 t 0', 'each wrapper answers');
	is(answers(map { s/ROLLBACK/COMMIT/r } request('web_user', $ada, $put)), 'updated', 'a feed to look at');
	return;
}

# Another user's token, on the same connection as well.
sub check_others
{
	is(answers(request('web_user', $ada, $recent, $seen), request('web_user', $bob, $recent, $seen), request('web_user', $ada, $recent)),
		'1 1 0 0 1', 'each request sees its own');
	is(answers(request('web_user', $bob, q{SELECT * FROM activityfeed.recent_activities('ada', 'reader')})),
		'42501', 'and can name no other');
	is(answers(request('web_user', $ada =~ s/reader/editor/r, $recent, $seen)), '0 0', 'nor what another app has');
	is(answers((map { s/ROLLBACK/COMMIT/r } request('web_user', $ada, $seen)), $seen, 'BEGIN', 'SET LOCAL ROLE web_user', $seen),
		'1 0 42501', 'the principal does not outlive its transaction');
	is(answers(request('web_user', $ada, $seen, q{SELECT set_config('request.jwt.claims', '{}', true) \g /dev/null},
				q{SELECT feed_gate.set_principal() \g /dev/null}, $seen)),
		'1 0', 'or new claims');
	is(answers(request('web_user', $ada, 'SELECT 1/0'), 'BEGIN', 'SET LOCAL ROLE web_user', $seen), '0 22012',
		'nor one that fails');
	return;
}

# Without a user and an app, and with claims that are none.
sub check_claims
{
	foreach my $claims (undef, '', '{}', 'null', '[]', '"ada"', '{"sub": "ada"}', '{"app_id": "reader"}', '{"sub": null, "app_id": "reader"}',
		'{"sub": "", "app_id": "reader"}', '{"sub": ["ada"], "app_id": "reader"}', '{"sub": {"sub": "ada"}, "app_id": "reader"}')
	{
		my $name = $claims // 'no claims';
		is(answers(request('web_user', $claims, $seen, $recent)), '0 42501', "nothing for $name");
		is(answers(request('web_user', $claims, $put)), '42501', 'nor a write');
	}
	is(answers(request('web_user', 'ada', $seen)), '22P02', 'claims that are no JSON are an error');
	is(answers(request('web_user', '{"sub": "' . 'x' x 513 . '", "app_id": "reader"}', $seen)), '22023', 'so is an id that is too long');
	is(answers(request('web_anonymous', $ada, $recent)), '42501', 'without a role in the token nothing can be called');
	is(answers(request('web_anonymous', $ada, $seen)), '42501', 'or read');
	return;
}

# The role of requests cannot be somebody else by itself.
sub check_choosing
{
	foreach my $statement (q{SET LOCAL activityfeed.user_id = 'ada'}, q{SELECT set_config('activityfeed.user_id', 'ada', true)},
		q{SELECT feed_gate.claim('{}', 'sub')}, q{SELECT activityfeed.export_user('ada')})
	{
		is(answers(request('web_user', $bob, $statement)), '42501', "refused: $statement");
	}
	# a setting of that name, made before the module is there
	is(answers('BEGIN', 'SET LOCAL ROLE web_user', q{SET LOCAL activityfeed.user_id = 'ada'}, q{SET LOCAL activityfeed.app_id = 'reader'},
			q{SELECT feed_gate.set_principal() \g /dev/null}, $seen),
		'0', 'a placeholder is not believed');
	return;
}
