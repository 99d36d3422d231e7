# changes(top 100) for a replica that is behind by 100, of users with 10^2 to
# 10^6 sessions.

use strict;
use warnings;

use Bench;

my $largest = sized(full => 6, quick => 5, smoke => 3);
my @sizes = map { "1e$_" } 2 .. $largest;

begin('changes', users => 0,
	load => sub { sql("CALL bench.load($first_user + $_, 1, 100, " . 10**($_ - 2) . ')') for 2 .. $largest });

my %side = map {
	my $user = $first_user + log($_) / log 10;
	my $since = sql("SELECT change_number - 100 FROM activityfeed.feed WHERE user_id = '$user'");

	same("changes of $_", "SELECT change_number, document ->> 'id' FROM activityfeed.changes('$user', 'reader', $since, 100)",
		"SELECT change_number, id FROM activityfeed.history_item WHERE user_id = '$user' AND change_number > $since ORDER BY change_number");
	($_ => { name => $_, statement => "SELECT c FROM activityfeed.changes(:user, 'reader', :since, 100) c",
		variants => [ { user => $user, since => $since } ] })
} @sizes;

flatness([ @side{@sizes} ], calls_of(4000));
