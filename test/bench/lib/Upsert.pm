# The sides of an upsert, and that their answers and rows are the same.

package Upsert;

use strict;
use warnings;

use Exporter 'import';

use Bench;

our @EXPORT = qw(upsert_sides same_upserts plain_times);

my $columns = ':key, :host, :activation_url, :app_display_name, :content_url, :fallback_url, :timezone, :visual, :content';

# The floors get an id with each call, as a client would have calculated it.
# For an application of its own it is any number.
sub upsert_sides
{
	my (%options) = @_;
	my $app = $options{app};
	my $id = $app eq ':app' ? ':app' : ':activity';
	my $floor = "INSERT INTO floor.activity (user_id, id, app_id, app_activity_id, activity_source_host, activation_url,
			app_display_name, content_url, fallback_url, user_timezone, visual_elements, content_info,
			created_date_time, last_modified_date_time, expiration_date_time)
		VALUES (:user, $id, $app, $columns, now(), now(), now() + interval '30 days')
		ON CONFLICT (user_id, id) DO UPDATE SET app_id = excluded.app_id, app_activity_id = excluded.app_activity_id,
			activity_source_host = excluded.activity_source_host, activation_url = excluded.activation_url,
			app_display_name = excluded.app_display_name, content_url = excluded.content_url, fallback_url = excluded.fallback_url,
			user_timezone = excluded.user_timezone, visual_elements = excluded.visual_elements, content_info = excluded.content_info,
			last_modified_date_time = excluded.last_modified_date_time, expiration_date_time = excluded.expiration_date_time
		RETURNING id";

	# one parameter can have one type only
	$floor =~ s/:user, :app, :app/:user, :app::bigint, (:app::bigint)::text/;
	my $numbered = "SELECT numbered.$options{numbered}(:user, $id, $app, $columns)"
	  =~ s/:user, :app, :app/:user, :app::bigint, (:app::bigint)::text/r;

	return map { { %$_, variants => $options{variants} } } (
		{ name => 'ours', schema => 'activityfeed', statement => "SELECT activityfeed.upsert_activity(:user, $app, :document)::json" },
		{ name => 'floor', schema => 'floor', statement => $floor },
		{ name => 'numbered', schema => 'numbered', statement => $numbered },
		{ name => 'peer', schema => 'peer', statement => "SELECT peer.upsert_activity(:user, $app, :document)" });
}

# An expression for a document whose times are those that PostgreSQL reads, to
# the millisecond; the times of the call itself are left out.
sub plain_times
{
	my ($document) = @_;

	return "($document)::jsonb - '{createdDateTime,lastModifiedDateTime,expirationDateTime}'::text[]";
}

# Upserts by ours and by the peer, of what is there and of what is not, and
# what is stored then, and whether created was kept.
sub same_upserts
{
	my ($app) = @_;

	for my $user ($first_user, "'nobody'")
	{
		my ($ours, $peer) = map {
			my ($schema, $answer) = @$_;
			my $times = plain_times('a');
			my $call = "upsert_activity(u, $app, d$answer";

			qq{BEGIN; SELECT $times, (a ->> 'createdDateTime')::timestamptz = (a ->> 'lastModifiedDateTime')::timestamptz,
				(a ->> 'expirationDateTime')::timestamptz - (a ->> 'lastModifiedDateTime')::timestamptz
				FROM (SELECT $user\::text, bench.document(3)) v (u, t),
				LATERAL (SELECT $schema.upsert_activity(u, $app, t::$answer)::jsonb) w (a);
			SELECT a.change_number - f.change_number, a.created_change_number = a.change_number, a.history_change_number = a.change_number,
				to_jsonb(a) - '{created_date_time,last_modified_date_time,expiration_date_time,change_number,created_change_number,history_change_number,change_bucket,history_bucket,expiration_day}'::text[]
			FROM $schema.activity a JOIN $schema.feed f USING (user_id)
			WHERE a.user_id = $user\::text AND a.app_id = $app AND a.app_activity_id = bench.key(3);
			ROLLBACK};
		} [ 'activityfeed', 'json' ], [ 'peer', 'jsonb' ];

		same("ours and peer, answer and row, user $user", $ours, $peer);
	}
	same_floors();
	return;
}

# The floors store the same bytes that ours does, but for the JSON.
sub same_floors
{
	my $columns = 'app_activity_id, activity_source_host, activation_url, app_display_name, content_url, fallback_url, user_timezone';

	for my $schema (qw(floor numbered))
	{
		same("ours and $schema, rows", map {
			"SELECT count(*), md5(string_agg(concat_ws('|', $columns), ' ' ORDER BY user_id, id))
			FROM $_.activity WHERE app_id = 'reader'"
		} 'activityfeed', $schema);
	}
	return;
}

1;
