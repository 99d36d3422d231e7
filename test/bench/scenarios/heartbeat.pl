# A heartbeat for one of three live sessions of one of the users: the session
# put again with the published body (upsert_history_item), and the cheap way
# (touch_history_item).  Both answer the session as JSON.

use strict;
use warnings;

use Bench;
use Upsert;

begin('heartbeat', sides => [qw(floor.sql numbered.sql peer.sql)]);

my $variants = variants(q{
	SELECT jsonb_build_object('activity', activityfeed.activity_id('reader', bench.key(n))::text, 'item', bench.item_id(1),
		'document', body, 'started', body::jsonb ->> 'startedDateTime', 'active', body::jsonb ->> 'lastActiveDateTime',
		'duration', '0', 'timezone', body::jsonb ->> 'userTimezone')
	FROM bench.published, generate_series(0, 2) n WHERE name = 'history_item'});

my @sides = map { { %$_, variants => $variants } } (
	{   name => 'ours',
		schema => 'activityfeed',
		statement => "SELECT activityfeed.upsert_history_item(:user, 'reader', :activity, :item, :document)::json" },
	{   name => 'touch',
		schema => 'activityfeed',
		statement => "SELECT activityfeed.touch_history_item(:user, 'reader', :activity, :item)::json" },
	{   name => 'floor',
		schema => 'floor',
		statement => q{
			INSERT INTO floor.history_item (user_id, activity_id, id, started_date_time, last_active_date_time,
				active_duration_seconds, user_timezone, created_date_time, last_modified_date_time, expiration_date_time)
			VALUES (:user, :activity, :item, :started, :active, :duration, :timezone,
				clock_timestamp(), clock_timestamp(), clock_timestamp() + interval '30 days')
			ON CONFLICT (user_id, activity_id, id) DO UPDATE SET started_date_time = excluded.started_date_time,
				last_active_date_time = excluded.last_active_date_time,
				active_duration_seconds = excluded.active_duration_seconds, user_timezone = excluded.user_timezone,
				last_modified_date_time = excluded.last_modified_date_time
			RETURNING id} },
	{   name => 'numbered',
		schema => 'numbered',
		statement => 'SELECT numbered.replace_history_item(:user, :activity, :item, :started, :active, :duration, :timezone)' },
	{   name => 'peer',
		schema => 'peer',
		statement => "SELECT peer.upsert_history_item(:user, 'reader', :activity, :item, :document)" });

same_heartbeats();
throughput(\@sides);
processor(\@sides, calls_of(20_000));
same_heartbeats();
holds($_, $first_user, $first_user + $users - 1) for qw(activityfeed peer);

# Of a session that is there, and of one that is not.
sub same_heartbeats
{
	for my $item (1, 77)
	{
		my ($ours, $peer) = map {
			my ($schema, $type) = @$_;
			my $times = plain_times('h') . " - '{startedDateTime,lastActiveDateTime}'::text[]";

			qq{BEGIN; SELECT $times, date_trunc('milliseconds', (h ->> 'startedDateTime')::timestamptz),
				date_trunc('milliseconds', (h ->> 'lastActiveDateTime')::timestamptz)
			FROM (SELECT $schema.upsert_history_item('$first_user', 'reader', activityfeed.activity_id('reader', bench.key(1)),
					bench.item_id($item), body::$type)::jsonb FROM bench.published WHERE name = 'history_item') v (h);
			SELECT h.change_number - f.change_number, a.history_change_number - f.change_number,
				h.last_modified_date_time - f.last_modified_date_time, a.expiration_date_time >= h.expiration_date_time,
				to_jsonb(h) - '{created_date_time,last_modified_date_time,expiration_date_time,change_number,change_bucket,expiration_day}'::text[]
			FROM $schema.history_item h JOIN $schema.feed f USING (user_id)
				JOIN $schema.activity a ON a.user_id = h.user_id AND a.id = h.activity_id
			WHERE h.user_id = '$first_user' AND h.id = bench.item_id($item) AND a.app_activity_id = bench.key(1);
			ROLLBACK}
		} [ 'activityfeed', 'json' ], [ 'peer', 'jsonb' ];

		same("ours and peer, session $item", $ours, $peer);
	}
	return;
}
