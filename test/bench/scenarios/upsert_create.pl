# upsert_activity with the published body, which creates an activity in a feed
# that has some: each call is for an application that nobody has used yet, so
# that the body need not be changed.

use strict;
use warnings;

use Bench;
use Upsert;

begin('upsert_create', sides => [qw(floor.sql numbered.sql peer.sql)]);

my @sides = upsert_sides(
	app => ':app',
	numbered => 'create_activity',
	variants => variants(q{
		SELECT bench.columns(n) || jsonb_build_object('document', bench.document(n))
		FROM generate_series(0, 19) n}));

same_upserts("'never used'");
throughput(\@sides);
processor(\@sides, calls_of(20_000));
holds($_, $first_user, $first_user + $users - 1) for qw(activityfeed peer);
