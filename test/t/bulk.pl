# Bulk in one transaction is linear.
#
# Every write takes its number from the user's row in feed, and a transaction
# that makes thousands of writes leaves as many dead versions of that row
# behind it, which no vacuum can remove yet.  Looked up by key, the row costs
# more with each of them, and an import of 40 000 activities takes minutes.  So
# a row costs the same in a transaction of 40 000 as in one of 10 000, whether
# the activities are new or are replaced, in one statement or in many.
#
# Measured is the processor time of the backend, which other load on the
# machine does not change by much; what fails is measured again, twice.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use POSIX qw(sysconf _SC_CLK_TCK);
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs /proc' if !-r '/proc/self/stat';

my ($few, $many) = (10_000, 40_000);
my $allowed = 1.5;
my $rounds = 3;
my $node = start_server('bulk', <<~'CONF');
	autovacuum = off
	max_wal_size = 4GB
	shared_buffers = 256MB
	CONF

create_document($node);

# One statement for all, or one for each.  (Not one in a subtransaction each:
# tens of thousands of those cost PostgreSQL itself more and more.)
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION in_one_statement(u text, n int) RETURNS bigint LANGUAGE sql AS $$
		SELECT count(activityfeed.upsert_activity(u, 'app', document(i::text)))
		FROM generate_series(1, n) i
	$$;

	CREATE FUNCTION one_by_one(u text, n int) RETURNS bigint LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. n LOOP
			PERFORM activityfeed.upsert_activity(u, 'app', document(i::text));
		END LOOP;
		RETURN n;
	END
	$$});

# Seconds that a process has had a processor for.
sub processor_time
{
	my ($pid) = @_;
	my ($fields) = slurp_file("/proc/$pid/stat") =~ /\) (.*)/;
	my ($user, $system) = (split ' ', $fields)[ 11, 12 ];

	return ($user + $system) / sysconf(_SC_CLK_TCK);
}

# Microseconds for each row.
sub cost
{
	my ($way, $user, $count) = @_;
	my ($session, $pid) = open_session($node);

	$session->query_safe("SELECT $way('warm-up', 1)");
	$session->query_safe('CHECKPOINT');
	my $before = processor_time($pid);
	die "$way did not write $count rows"
	  if $session->query_safe("SELECT $way('$user', $count)") != $count;
	my $cost = (processor_time($pid) - $before) * 1e6 / $count;
	$session->quit;
	return $cost;
}

# The second pass of each way finds the rows of the first.
for my $way (qw(in_one_statement one_by_one))
{
	for my $what ('new', 'replaced')
	{
		my ($short, $long);

		for my $round (1 .. $rounds)
		{
			$short = cost($way, "$way few $round", $few);
			$long = cost($way, "$way many $round", $many);
			last if $long <= $allowed * $short;
		}
		cmp_ok($long, '<=', $allowed * $short,
			sprintf '%s, %s: %.1f us a row of %d, %.1f us of %d', $way, $what, $short, $few, $long, $many);
	}
}

$node->stop;
done_testing();
