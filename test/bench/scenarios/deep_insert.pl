# An activity that is new, with 1 and with 20 sessions in its document.

use strict;
use warnings;

use Bench;
use Upsert;

begin('deep_insert', sides => ['peer.sql']);

for my $sessions (1, 20)
{
	my $variants = variants("SELECT jsonb_build_object('document', bench.deep_document(n, $sessions)) FROM generate_series(0, 19) n");
	my @sides = map { { %$_, variants => $variants } } (
		{ name => 'ours', schema => 'activityfeed', statement => 'SELECT activityfeed.upsert_activity(:user, :app, :document)::json' },
		{ name => 'peer', schema => 'peer', statement => 'SELECT peer.deep_insert(:user, :app, :document)' });

	same_deep_inserts($sessions);
	throughput(\@sides, only => ['8_async'], suffix => "_$sessions");
	processor(\@sides, calls_of(40_000 / ($sessions + 3)), suffix => "_$sessions");
}
holds($_, $first_user, $first_user + $users - 1) for qw(activityfeed peer);

sub same_deep_inserts
{
	my ($sessions) = @_;
	my ($ours, $peer) = map {
		my ($function, $schema, $type) = @$_;
		my $answer = 'SELECT ' . plain_times('a') . " FROM (SELECT $schema.$function('$first_user', 'new', d::$type)::jsonb
			FROM bench.deep_document(3, $sessions) d) v (a);";

		"BEGIN; $answer
		SELECT a.change_number - f.change_number, a.history_change_number - f.change_number,
			a.history_expiration_date_time - a.last_modified_date_time, a.expiration_date_time - a.last_modified_date_time
		FROM $schema.activity a JOIN $schema.feed f USING (user_id) WHERE a.user_id = '$first_user' AND a.app_id = 'new';
		SELECT h.change_number - f.change_number, h.last_modified_date_time - f.last_modified_date_time,
			to_jsonb(h) - '{created_date_time,last_modified_date_time,expiration_date_time,change_number,change_bucket,expiration_day}'::text[]
		FROM $schema.history_item h JOIN $schema.feed f USING (user_id)
		WHERE h.user_id = '$first_user' AND h.app_id = 'new' ORDER BY h.change_number;
		ROLLBACK";
	} [qw(upsert_activity activityfeed json)], [qw(deep_insert peer jsonb)];

	same("ours and peer, answers and rows with $sessions sessions", $ours, $peer);
	return;
}
