# CALL purge() and a VACUUM after it: 10^5 sessions that have expired of 10^6
# that have not, of 1 000 users; in every round as many that have just been
# added.  The floor is one DELETE of the same rows, all in one transaction with an
# asynchronous commit: no feed is locked or told, no activity asked for what it
# knows of its sessions, nothing flushed.

use strict;
use warnings;

use Bench;

my $owners = sized(full => 1000, quick => 100, smoke => 10);

begin('purge', users => 0, load => sub { sql("CALL bench.load($first_user, $owners, 20, 50)") });
sql(q{
	-- 5 sessions for each activity, older than the feed's first number
	CREATE PROCEDURE bench.add_expired(round int) LANGUAGE sql BEGIN ATOMIC
		INSERT INTO activityfeed.history_item (user_id, activity_id, id, app_id, started_date_time, last_active_date_time,
			active_duration_seconds, active_duration_given, user_timezone, status, created_date_time, last_modified_date_time,
			expiration_date_time, change_number)
		SELECT a.user_id, a.id, bench.item_id(1000000 * round + i), a.app_id, t.start - interval '90 s', t.start, 90, false,
			'Africa/Casablanca', 'updated', t.start, t.start, t.start + interval '30 days', a.change_number - 1000 * i
		FROM activityfeed.activity a, generate_series(1, 5) i,
			LATERAL (VALUES (a.created_date_time - interval '31 days' - 1000 * i * interval '1 us')) t (start)
		ORDER BY a.user_id, i, a.id;
	END});

my %statement = (
	ours => 'CALL activityfeed.purge()',
	floor => q{DELETE FROM activityfeed.history_item
		WHERE expiration_day <= timezone('UTC', now())::date AND expiration_date_time <= now()});

for my $round (1 .. rounds_of('judged'))
{
	one_round($round, $_) for in_turn($round, qw(ours floor));
}
holds('activityfeed', $first_user, $first_user + 1);

sub one_round
{
	my ($round, $name) = @_;

	sql('CALL bench.add_expired(' . (2 * $round + ($name eq 'ours')) . '); VACUUM ANALYZE activityfeed.history_item');
	my $expired = sql('SELECT count(*) FROM activityfeed.history_item WHERE expiration_date_time < now()');
	my ($purge_cpu, $purge) = timed($statement{$name});
	my ($vacuum_cpu, $vacuum) = timed('VACUUM activityfeed.history_item, activityfeed.activity, activityfeed.feed', 'postgres');
	my $left = sql('SELECT count(*) FROM activityfeed.history_item WHERE expiration_date_time < now()');

	die "$name: of $expired rows $left are left\n" if $left > 0 || $expired != 100 * $owners;
	record($name, 'us_per_row', $round, ($purge + $vacuum) / $expired);
	record($name, 'us_per_row_purge', $round, $purge / $expired);
	record($name, 'us_per_row_vacuum', $round, $vacuum / $expired);
	record($name, 'cpu_per_row_purge', $round, $purge_cpu / $expired);
	progress(sprintf 'round %d, %s: purge %.2f us a row, vacuum %.2f', $round, $name, $purge / $expired, $vacuum / $expired);
	return;
}
