# upsert_activity with the published body, which replaces one of the 20
# activities of one of the users, and the answer as JSON.

use strict;
use warnings;

use Bench;
use Upsert;

begin('upsert_replace', sides => [qw(floor.sql numbered.sql peer.sql)]);

my @sides = upsert_sides(
	app => "'reader'",
	numbered => 'replace_activity',
	variants => variants(q{
		SELECT bench.columns(n) || jsonb_build_object('document', bench.document(n))
		FROM generate_series(0, 19) n}));

same_upserts("'reader'");
throughput(\@sides, judged => [qw(8_async 8_sync)]);
processor(\@sides, calls_of(20_000));
same_upserts("'reader'");
holds($_, $first_user, $first_user + $users - 1) for qw(activityfeed peer);
