# activities(50) of a user with 10^5 activities: the first page, and one from
# the middle.
#
# How many rows a page looks at depends on where in a bucket of 256 numbers it
# begins: the first at 50 to 305, another at 256 or 512.  So the middle is 16
# places, and the first page's is another one in each turn, as activities are
# added.

use strict;
use warnings;

use Bench;

my $activities = sized(full => 100_000, quick => 100_000, smoke => 200);

begin('pages', users => 0, load => sub { sql("CALL bench.load($first_user, 1, $activities, 0)") });

my $middle = sql("SELECT change_number - $activities / 2 FROM activityfeed.feed");
my @places = map { $middle - 16 * $_ } 0 .. 15;
my @sides = map { { %$_, schema => 'activityfeed',
	statement => "SELECT activityfeed.activities(:user, 'reader', 50, :before)::json" } } (
	{ name => 'first', variants => [ { user => $first_user, before => '9223372036854775807' } ] },
	{ name => 'middle', variants => [ map { { user => $first_user, before => $_ } } @places ] });
my $added = 0;

sub add_some
{
	sql("SELECT activityfeed.upsert_activity('$first_user', 'reader', bench.document(1000000 + n)::json)
		FROM generate_series($added, $added + 6) n", 'bench');
	$added += 7;
	return;
}

for my $side (@sides)
{
	my $before = $side->{variants}[0]{before};

	same("$side->{name} page", "SELECT id FROM activityfeed.activities('$first_user', 'reader', 50, $before)",
		"SELECT id FROM activityfeed.activity WHERE change_number < $before ORDER BY change_number DESC LIMIT 50");
}
processor(\@sides, calls_of(4000), turns => short_turns(), before => \&add_some);
