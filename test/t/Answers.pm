# What every function of the extension is called with, and what it answers: for
# tests that compare two servers, or one before and after something.
#
# A function that is missing here is found by unlisted_functions().

package Answers;

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT = qw(fill_feeds fill_script create_helpers answers answers_script split_answers same_answers
  unlisted_functions read_calls write_calls);

# Names for what is in the feeds below.
my $helpers = q{
	SET check_function_bodies = off;
	CREATE OR REPLACE FUNCTION item(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT lpad(n::text, 32, '0')::uuid $$;
	CREATE OR REPLACE FUNCTION id(n int) RETURNS bigint LANGUAGE sql IMMUTABLE AS
		$$ SELECT activityfeed.activity_id('app ' || n % 2, 'activity ' || n) $$;
};

# Feeds with something of everything: three users, one of them with a name that
# is not ASCII, two apps, sessions that run and that have ended, tombstones,
# what is hidden, and what has expired.
my $fill = q{
	SELECT count(activityfeed.upsert_activity(u, 'app ' || n % 2,
		((document('activity ' || n, json_build_array(
			json_build_object('id', item(3 * n), 'startedDateTime', '2026-01-01T22:00:00Z', 'lastActiveDateTime', '2026-01-02T03:00:00Z'),
			json_build_object('id', item(3 * n + 1), 'startedDateTime', '2026-03-29T00:30:00Z', 'activeDurationSeconds', n),
			json_build_object('id', item(3 * n + 2), 'startedDateTime', '2026-01-05T00:00:00Z', 'lastActiveDateTime', '2026-01-05T00:00:30Z'))))::jsonb
		|| '{"contentInfo": {"name": "\u00e9", "big": 12345678901234567890.5}, "userTimezone": "Europe/Paris"}')::json))
	FROM unnest(ARRAY['ada', 'grace', U&'zo\00eb "z"']) u, generate_series(1, 20) n;
	SELECT count(activityfeed.upsert_activity('ada', 'app 1', document('no session ' || n))) FROM generate_series(1, 5) n;

	SELECT count(activityfeed.touch_history_item(user_id, app_id, activity_id, id, '2026-03-29T04:00:00Z'))
	FROM activityfeed.history_item WHERE id IN (item(16), item(19));
	SELECT count(activityfeed.ignore_activity(user_id, 'app 0', id(4))),
		count(activityfeed.delete_activity(user_id, 'app 1', id(5))),
		count(activityfeed.delete_history_item(user_id, 'app 0', id(6), item(20)))
	FROM activityfeed.feed;
	SELECT activityfeed.upsert_activity('ada', 'app 1', document('activity 5'));

	UPDATE activityfeed.history_item SET expiration_date_time = '2026-01-01' WHERE activity_id = id(8);
	UPDATE activityfeed.activity SET expiration_date_time = '2026-01-01', history_expiration_date_time = '2026-01-01'
	WHERE id = id(8);

	SELECT count(*) FROM generate_series(1, 10) n, activityfeed.add_external_activities('connection', 'item ' || n % 2,
		'[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"type": "user", "id": "u"}},
		{"type": "created", "startDateTime": "2021-04-06T18:04:31Z"}]');
};

sub fill_script
{
	return $fill;
}

# Needs create_document().
sub fill_feeds
{
	my ($node, $database) = @_;

	create_helpers($node, $database);
	$node->safe_psql($database // 'postgres', $fill);
	return;
}

sub create_helpers
{
	my ($node, $database) = @_;

	$node->safe_psql($database // 'postgres', $helpers);
	return;
}

# The first page of a list for each user, of one app and of every app, and all
# that comes after it.
sub list
{
	my ($function, $cursor, $number) = @_;

	return qq{
		WITH first AS (
			SELECT u.user_id AS of_user, v.app AS of_app, r.* FROM activityfeed.feed u, (VALUES (NULL), ('app 1')) v (app),
				activityfeed.$function(u.user_id, v.app, 7) WITH ORDINALITY r),
		last AS (
			SELECT DISTINCT ON (of_user, of_app) of_user, of_app, $number AS number FROM first ORDER BY of_user, of_app, ordinality DESC)
		SELECT 'first', f.* FROM first f
		UNION ALL SELECT 'later', l.of_user, l.of_app, r.* FROM last l,
			activityfeed.$function(l.of_user, l.of_app, 1000, $cursor => l.number) WITH ORDINALITY r
		ORDER BY 1, of_user, of_app, ordinality};
}

my $graph = q{
	SELECT u.user_id, v.target, r.* FROM activityfeed.feed u, (VALUES
		('/v1.0/me/activities?$expand=historyItems&$top=1000'), ('/v1.0/me/activities?$top=3'), ('/v1.0/me/activities/recent'),
		('/v1.0/me/activities/' || id(1)), ('/v1.0/me/activities/' || id(1) || '?$expand=historyItems'), ('/v1.0/me/activities/1'),
		('/v1.0/me/activities/' || id(2) || '/historyItems'), ('/v1.0/me/activities/' || id(2) || '/historyItems/' || item(6)),
		('/v1.0/me/activities?$top=-1'), ('/v1.0/nothing')) v (target),
		activityfeed.graph_request(u.user_id, NULL, 'GET', v.target) r
	ORDER BY u.user_id, v.target COLLATE "C"};

my $result = q{FROM (VALUES (row(0, 1, 'viewed', '2026-01-01Z', NULL)::activityfeed.external_activity_result),
	(row(1, NULL, NULL, NULL, '{"code": "BadRequest"}')::activityfeed.external_activity_result)) v (r)};
my $activities = 'FROM activityfeed.activity a ORDER BY a.user_id, a.id';
my $items = 'FROM activityfeed.history_item h ORDER BY h.user_id, h.activity_id, h.id';

# Every function that reads, by its signature.
my %reads = (
	'activity_id(text,text)' => "SELECT activityfeed.activity_id(a.app_id, a.app_activity_id) $activities",
	'get_activity(text,text,bigint)' =>
	  'SELECT r.* FROM activityfeed.activity a, activityfeed.get_activity(a.user_id, a.app_id, a.id) r ORDER BY a.user_id, a.id',
	'get_history_item(text,text,bigint,uuid)' =>
	  'SELECT r.* FROM activityfeed.history_item h, activityfeed.get_history_item(h.user_id, h.app_id, h.activity_id, h.id) r
		ORDER BY h.user_id, h.activity_id, h.id',
	'activities(text,text,integer,bigint,timestamp with time zone,timestamp with time zone,boolean)' =>
	  list('activities', 'before_change_number', 'change_number'),
	'recent_activities(text,text,integer,bigint,timestamp with time zone,timestamp with time zone)' =>
	  list('recent_activities', 'before_history_change_number', 'history_change_number'),
	'history_items(text,text,bigint,integer,bigint,timestamp with time zone,timestamp with time zone)' =>
	  'SELECT r.* FROM activityfeed.activity a, activityfeed.history_items(a.user_id, NULL, a.id) r ORDER BY a.user_id, a.id, r.change_number',
	'external_activities(text,text,integer,bigint)' =>
	  q{SELECT * FROM activityfeed.external_activities('connection', 'item 1', 5), activityfeed.external_activities('connection', 'item 0', 3, 8) r},
	'changes(text,text,bigint,integer)' => q{
		SELECT u.user_id, r.* FROM (SELECT * FROM activityfeed.feed ORDER BY user_id) u, activityfeed.changes(u.user_id, NULL, 0, 1000) r
		UNION ALL SELECT u.user_id, r.* FROM (SELECT * FROM activityfeed.feed ORDER BY user_id) u, activityfeed.changes(u.user_id, 'app 1', greatest(u.oldest_change_number, u.change_number - 8), 5) r
		UNION ALL SELECT u.user_id, r.* FROM (SELECT * FROM activityfeed.feed ORDER BY user_id) u, activityfeed.changes(u.user_id, 'app 1', u.change_number) r},
	'export_user(text)' => 'SELECT u.user_id, r FROM activityfeed.feed u, activityfeed.export_user(u.user_id) r ORDER BY u.user_id, r::text',
	'active_time(text,text,timestamp with time zone,timestamp with time zone,text)' => q{
		SELECT u.user_id, z, r.* FROM activityfeed.feed u, unnest('{UTC,Europe/Paris}'::text[]) z,
			activityfeed.active_time(u.user_id, NULL, '2025-01-01', '2027-01-01', z) r
		ORDER BY u.user_id, z, r.activity_id, r.day},
	'graph_json(activityfeed.activity,integer)' => "SELECT activityfeed.graph_json(a), activityfeed.graph_json(a, 2) $activities",
	'graph_request(text,text,text,text,text)' => $graph,
	'activity_to_json(activityfeed.activity)' => "SELECT a::json $activities",
	'activity_to_jsonb(activityfeed.activity)' => "SELECT a::jsonb $activities",
	'history_item_to_json(activityfeed.history_item)' => "SELECT h::json $items",
	'history_item_to_jsonb(activityfeed.history_item)' => "SELECT h::jsonb $items",
	'external_activity_result_to_json(activityfeed.external_activity_result)' => "SELECT r::json $result",
	'external_activity_result_to_jsonb(activityfeed.external_activity_result)' => "SELECT r::jsonb $result",
	'was_created(activityfeed.activity)' => "SELECT activityfeed.was_created(a) $activities",
	'was_created(activityfeed.history_item)' => "SELECT activityfeed.was_created(h) $items",
	'current_user_id()' => q{SELECT coalesce(activityfeed.current_user_id(), 'nobody')},
	'current_app_id()' => q{SELECT coalesce(activityfeed.current_app_id(), 'none')},
	'is_service()' => 'SELECT activityfeed.is_service()',
	# no functions, but answers too
	'live_activity' => 'SELECT a.* FROM activityfeed.live_activity a ORDER BY a.user_id, a.id',
	'live_history_item' => 'SELECT h.* FROM activityfeed.live_history_item h ORDER BY h.user_id, h.activity_id, h.id',
	'feed' => 'SELECT f.* FROM activityfeed.feed f ORDER BY f.user_id',
	'activity' => "SELECT a.* $activities",
	'history_item' => "SELECT h.* $items",
	'external_activity' => 'SELECT e.* FROM activityfeed.external_activity e ORDER BY e.connection_id, e.item_id, e.id');

my $document = q{'{"appActivityId": "activity 1", "activitySourceHost": "https://www.example.com", "activationUrl": "example:open",
	"visualElements": {"displayText": "x"}}'};
my $session = q{'{"startedDateTime": "2026-01-01T00:00:00Z"}'};
my $external = q{'[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]'};

# Every function that writes: where there is something to write, and where
# there is nothing.
my %writes = (
	'upsert_activity(text,text,json)' => [ "SELECT activityfeed.upsert_activity('ada', 'app 1', $document)" ],
	'upsert_activity(character varying,character varying,jsonb)' =>
	  [ "SELECT activityfeed.upsert_activity('new'::varchar, 'app 1', ${document}::jsonb)" ],
	'upsert_history_item(text,text,bigint,uuid,json)' => [
		"SELECT activityfeed.upsert_history_item('ada', 'app 1', id(1), item(1), $session)",
		"SELECT activityfeed.upsert_history_item('ada', 'app 1', 1, item(1), $session)" ],
	'upsert_history_item(character varying,character varying,bigint,uuid,jsonb)' =>
	  [ "SELECT activityfeed.upsert_history_item('ada'::varchar, 'app 1', id(1), item(1), ${session}::jsonb)" ],
	'touch_history_item(text,text,bigint,uuid,timestamp with time zone)' => [
		q{SELECT activityfeed.touch_history_item('ada', 'app 1', id(1), item(3))},
		q{SELECT activityfeed.touch_history_item('ada', 'app 1', id(1), item(3), '2020-01-01')},
		q{SELECT activityfeed.touch_history_item('ada', 'app 1', id(1), item(9999))} ],
	'delete_activity(text,text,bigint)' => [
		q{SELECT activityfeed.delete_activity('ada', 'app 1', id(1))},
		q{SELECT activityfeed.delete_activity('ada', 'app 1', 1)} ],
	'delete_history_item(text,text,bigint,uuid)' => [
		q{SELECT activityfeed.delete_history_item('ada', 'app 1', id(1), item(3))},
		q{SELECT activityfeed.delete_history_item('ada', 'app 1', id(1), item(9999))} ],
	'ignore_activity(text,text,bigint,boolean)' => [
		q{SELECT activityfeed.ignore_activity('ada', 'app 1', id(1))},
		q{SELECT activityfeed.ignore_activity('ada', 'app 1', id(1), false)},
		q{SELECT activityfeed.ignore_activity('ada', 'app 1', 1)} ],
	'add_external_activities(text,text,json)' => [
		"SELECT activityfeed.add_external_activities('c', 'i', $external)",
		q{SELECT activityfeed.add_external_activities('c', 'i', '[]')},
		q{SELECT activityfeed.add_external_activities('c', 'i', '[{}]')} ],
	'add_external_activities(character varying,character varying,jsonb)' =>
	  [ "SELECT activityfeed.add_external_activities('c'::varchar, 'i', ${external}::jsonb)" ],
	'graph_request(text,text,text,text,text)' => [
		qq{SELECT activityfeed.graph_request('ada', 'app 1', 'PUT', '/v1.0/me/activities/activity%201', $document)},
		qq{SELECT activityfeed.graph_request('ada', 'app 1', 'PUT', '/v1.0/me/activities/' || id(1) || '/historyItems/' || item(1), $session)},
		qq{SELECT activityfeed.graph_request('ada', 'app 1', 'PUT', '/v1.0/me/activities/1/historyItems/' || item(1), $session)},
		q{SELECT activityfeed.graph_request('ada', 'app 1', 'DELETE', '/v1.0/me/activities/' || id(1))},
		q{SELECT activityfeed.graph_request('ada', 'app 1', 'DELETE', '/v1.0/me/activities/1')},
		q{SELECT activityfeed.graph_request('ada', 'app 1', 'DELETE', '/v1.0/me/activities/' || id(1) || '/historyItems/' || item(3))},
		qq{SELECT activityfeed.graph_request('ada', NULL, 'POST', '/v1.0/external/connections/c/items/i/addActivities', '{"activities": ' || $external || '}')},
		q{SELECT activityfeed.graph_request('ada', NULL, 'POST', '/v1.0/external/connections/c/items/i/addActivities', '{"activities": [{}]}')} ],
	'invalidate_cursors(text)' => [
		q{SELECT activityfeed.invalidate_cursors('ada')}, q{SELECT activityfeed.invalidate_cursors('nobody')},
		q{SELECT activityfeed.invalidate_cursors()} ],
	'grant_service(regrole)' => [ q{SELECT activityfeed.grant_service(current_user::regrole)} ],
	'grant_session(regrole)' => [ q{SELECT activityfeed.grant_session('pg_monitor')} ],
	'revoke_access(regrole)' => [ q{SELECT activityfeed.revoke_access('pg_monitor')} ],
	'purge_expired(integer)' => [ q{SELECT activityfeed.purge_expired()} ],
	'purge(integer)' => [ q{CALL activityfeed.purge()} ],
	'erase_user(text)' => [ q{SELECT activityfeed.erase_user('ada')}, q{SELECT activityfeed.erase_user('nobody')} ]);

sub read_calls
{
	return %reads;
}

sub write_calls
{
	return %writes;
}

# The functions of the extension that the lists above do not have, and what the
# lists have too much.  A function that is not volatile has to be among those
# that read.
sub unlisted_functions
{
	my ($node) = @_;
	my %unknown = map { $_ => 1 } grep { /\(/ } keys %reads, keys %writes;
	my @unlisted;

	for (split /\n/, $node->safe_psql('postgres', q{
		SELECT p.oid::regprocedure, p.provolatile FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
		WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
			AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'activityfeed')}))
	{
		my ($signature, $volatility) = /^activityfeed\.(.*)\|(.)$/ or die "a function $_";

		push @unlisted, $signature
		  if !$reads{$signature} && ($volatility ne 'v' || !$writes{$signature});
		delete $unknown{$signature};
	}
	return sort @unlisted, map { "no $_" } keys %unknown;
}

# A script that calls everything that reads, and what psql prints for it, by
# signature.
sub answers_script
{
	return join "\n", "SET timezone = 'UTC';", map { "\\echo \@\@$_\n$reads{$_};" } sort keys %reads;
}

sub split_answers
{
	my ($out) = @_;
	my (undef, %answers) = split /^\@\@(.*)\n?/m, "$out\n", -1;

	s/\n+\z// for values %answers;
	return \%answers;
}

# What all functions that read answer, by signature, in a session of its own.
sub answers
{
	my ($node, $database, $settings) = @_;
	my ($status, $out, $err) = $node->psql($database // 'postgres', ($settings // '') . "\n" . answers_script(), on_error_stop => 1);

	is($err, '', $node->name . ': everything answers');
	return split_answers($out);
}

# Whether all answers are as they were; one test.
sub same_answers
{
	my ($answers, $expected, $name) = @_;
	my @different = grep { ($answers->{$_} // 'none') ne $expected->{$_} } sort keys %$expected;
	my @empty = grep { $expected->{$_} !~ /\S/ } keys %$expected;

	is(join(', ', @different, map { "nothing to compare in $_" } @empty), '', $name);
	note("expected of $_:\n$expected->{$_}\ngot:\n" . ($answers->{$_} // 'none')) for @different;
	return;
}

1;
