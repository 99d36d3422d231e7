# add_external_activities with 100, 1 000 and 10 000 elements, of which every
# 100th is bad, to an item that nobody has used yet.  The tables are emptied
# before each run.

use strict;
use warnings;

use Bench;

begin('external', users => 0, sides => ['external.sql']);

my @sizes = smoke() ? 100 : (100, 1000, 10_000);

sub sides
{
	my ($size) = @_;

	return (
		{   name => 'ours',
			schema => 'activityfeed',
			statement => "SELECT count(*), count(r.id), count(r.error) FROM activityfeed.add_external_activities('c', (:app::bigint)::text,
				(SELECT body::json FROM bench.batch WHERE size = $size)) r" },
		{   name => 'peer',
			schema => 'peer',
			statement => "SELECT count(*), count(r.id), count(r.error) FROM peer.add_external_activities('c', (:app::bigint)::text,
				(SELECT body::jsonb FROM bench.batch WHERE size = $size)) r" },
		{   name => 'floor',
			schema => 'floor',
			statement => "INSERT INTO floor.external_activity (connection_id, item_id, type, start_date_time, performed_by_type,
					performed_by_id, created_date_time)
				SELECT 'c', (:app::bigint)::text, type, start_date_time, performed_by_type, performed_by_id, now()
				FROM floor.element WHERE n <= $size" });
}

sub empty
{
	sql('TRUNCATE activityfeed.external_activity, peer.external_activity, floor.external_activity');
	return;
}

same('ours and peer, results', map {
	"SELECT index, id IS NULL, type, start_date_time, error ->> 'code', (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(error) k)
	FROM $_ ORDER BY index"
} "activityfeed.add_external_activities('c', 'same', (SELECT body::json FROM bench.batch WHERE size = 1000))",
	"peer.add_external_activities('c', 'same', (SELECT body::jsonb FROM bench.batch WHERE size = 1000))");
sql('INSERT INTO floor.external_activity (connection_id, item_id, type, start_date_time, performed_by_type, performed_by_id, created_date_time)
	SELECT $$c$$, $$same$$, type, start_date_time, performed_by_type, performed_by_id, now() FROM floor.element WHERE n <= 1000');
for my $schema (qw(peer floor))
{
	same("ours and $schema, rows", map {
		"SELECT connection_id, item_id, type, start_date_time, performed_by_type, performed_by_id FROM $_.external_activity ORDER BY id"
	} 'activityfeed', $schema);
}
transaction_ids();

for my $size (@sizes)
{
	my @sides = sides($size);

	throughput([ @sides[ 0, 1 ] ], only => ['8_async'], suffix => "_$size", before => \&empty);
	processor(\@sides, calls_of(200_000 / $size), suffix => "_$size", before => \&empty, per_transaction => 1,
		turns => int(short_turns() * 100 / $size) || 1);
}

# How many transaction ids a call takes, a subtransaction's among them.
sub transaction_ids
{
	for my $side ((sides(100))[ 0, 1 ])
	{
		my $call = $side->{statement} =~ s/:app/1/r;
		my ($before, undef, $after) = split /\n/, sql("SELECT pg_current_xact_id(); $call; SELECT pg_current_xact_id()");

		record($side->{name}, 'transaction_ids', 1, $after - $before - 1);
	}
	return;
}
