# activityfeed.notify: one notification for each user and transaction, with the
# last change number that is committed, and none for what was rolled back.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('notify', 'max_prepared_transactions = 5');

create_document($node);
$node->safe_psql('postgres', q{
	CREATE FUNCTION put(u text) RETURNS bigint LANGUAGE sql AS
	$$ SELECT (activityfeed.upsert_activity(u, 'app', document('x'))).change_number $$;
	CREATE FUNCTION put_and_fail(u text) RETURNS void LANGUAGE plpgsql AS
	$$ BEGIN PERFORM put(u); RAISE EXCEPTION 'no'; EXCEPTION WHEN raise_exception THEN NULL; END $$;
	CREATE FUNCTION put_and_catch(u text) RETURNS void LANGUAGE plpgsql AS
	$$ BEGIN PERFORM put(u); EXCEPTION WHEN raise_exception THEN NULL; END $$});

# What a script notifies of, as user=number, where the number is one of those
# that the script's SELECTs print.
sub notified
{
	my ($script) = @_;
	my ($result, $out, $err) = $node->psql('postgres',
		"LISTEN activityfeed; SET activityfeed.notify = on; $script");
	my @sent;

	while ($out =~ /^Asynchronous notification "activityfeed" with payload "(\{.*\})" received/mg)
	{
		my ($user, $number) = $1 =~ /^\{"user_id": "(.*)", "change_number": (\d+)\}$/ or die "payload $1";
		my $stored = $node->safe_psql('postgres', "SELECT change_number FROM activityfeed.feed WHERE user_id = E'$user'");
		push @sent, $user . ($number == $stored ? '' : ", $number and not $stored");
	}
	return join '; ', @sent;
}

is(notified(q{SELECT put('a');}), 'a', 'one write');
is(notified(q{BEGIN; SELECT put('a') FROM generate_series(1, 100); SELECT put('b'); SELECT put('a'); COMMIT;}),
	'a; b', 'each user once, with the last number');
is(notified(q{BEGIN; SELECT put('a'); ROLLBACK;}), '', 'nothing of what was rolled back');
is(notified(q{BEGIN; SELECT put('a'); SAVEPOINT s; SELECT put('a'); SELECT put('b'); ROLLBACK TO s; COMMIT;}),
	'a', 'the number before a savepoint that was gone back to');
is(notified(q{BEGIN; SAVEPOINT s; SELECT put('a'); SELECT put('b'); RELEASE s; SELECT put('a'); COMMIT;}),
	'a; b', 'a savepoint that was released');
is(notified(q{BEGIN; SELECT put('a'); SAVEPOINT s; SELECT put('a'); SAVEPOINT t; SELECT put('a'); SELECT put('b'); RELEASE t;
		SELECT put('c'); ROLLBACK TO s; SELECT put('d'); COMMIT;}),
	'a; d', 'released in one that was gone back to');
is(notified(q{BEGIN; SAVEPOINT s; SELECT put('b'); SAVEPOINT t; SELECT put('a'); RELEASE t; SELECT put('a'); SAVEPOINT t; SELECT put('a'); ROLLBACK TO t; RELEASE s; COMMIT;}),
	'b; a', 'and the other way round');
is(notified(q{SELECT put_and_fail('a'), put_and_catch('b'), put_and_fail('b'), put_and_catch('b');}),
	'b', 'blocks that catch errors');
is(notified(q{BEGIN; SELECT count(put_and_catch('user ' || i % 100)) FROM generate_series(1, 20000) i; COMMIT;}) =~ tr/;//,
	99, '20 000 subtransactions for 100 users');
is(notified(q{SELECT activityfeed.delete_activity('a', 'app', activityfeed.activity_id('app', 'x'));
		SELECT activityfeed.delete_activity('a', 'app', activityfeed.activity_id('app', 'x'));}),
	'a', 'a deletion, once: the second found nothing');
is(notified(q{SET activityfeed.notify = off; SELECT put('a');}), '', 'off');
is(notified(q{BEGIN; SELECT put('a'); SET activityfeed.notify = off; SELECT put('b'); COMMIT;}),
	'a', 'as it was at the write');
is($node->safe_psql('postgres', 'SELECT activityfeed.activity_id($$a$$, $$b$$) > 0; SHOW activityfeed.notify'),
	"t\noff", 'off by default');

# What happens at commit, or in parts of a transaction.
$node->safe_psql('postgres', q{
	CREATE TABLE late (u text);
	CREATE FUNCTION put_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM put(NEW.u); RETURN NULL; END $$;
	CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION put_late();
	CREATE TABLE many AS SELECT i FROM generate_series(1, 10000) i;
	ANALYZE many;
	CREATE PROCEDURE put_in_parts() LANGUAGE plpgsql AS $$ BEGIN PERFORM put('a'); COMMIT; PERFORM put('b'); ROLLBACK; PERFORM put('c'); COMMIT; END $$});
is(notified(q{BEGIN; SELECT put('a'); INSERT INTO late VALUES ('b'), ('a'); COMMIT;}), 'a; b', 'a trigger that writes at commit');
is(notified(q{CALL put_in_parts();}), 'a; c', 'a procedure that commits');
my $parallel = $node->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';
is(notified(qq{SET $parallel = on; BEGIN; SELECT put('a'); SELECT count(activityfeed.activity_id('app', i::text)) FROM many; COMMIT;
		SELECT count(activityfeed.activity_id('app', i::text)) FROM many;}),
	'a', 'parallel workers, whose transactions are no others');
is(notified(q{SELECT * FROM activityfeed.changes('a', NULL, 0); BEGIN READ ONLY; SELECT * FROM activityfeed.activities('a', NULL); COMMIT;}),
	'', 'nothing of reads');

# A listener that writes in answer to what others write is told of its own
# writes too, under its own process id; the server sends no more than that.
my ($listener, $pid) = open_session($node);
my @heard;
sub hear
{
	my $printed = $listener->query(shift // 'SELECT 1');

	push @heard, $printed =~ /received from server process with PID (\d+)/g;
	return scalar @heard;
}
$listener->query_safe('SET activityfeed.notify = on');
hear('LISTEN activityfeed');
hear(q{SELECT put('listener')});
$node->safe_psql('postgres', q{SET activityfeed.notify = on; SELECT put('writer')});
for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
	last if hear() > 1;
	select(undef, undef, undef, 0.1);
}
is(scalar @heard, 2, 'a listener hears itself, and another');
is($heard[0], $pid, 'itself under its own process id');
isnt($heard[1], $pid, 'and the other under another');
hear(q{SELECT put('answer')});
for (1 .. 20)
{
	my $known = @heard;

	hear();
	hear(q{SELECT put('answer')}) for grep { $_ != $pid } @heard[ $known .. $#heard ];
}
is("@heard[2 .. $#heard]", "$pid", 'its answer is told once, and there it ends');
is($node->safe_psql('postgres', 'SELECT pg_notification_queue_usage()'), 0, 'nothing is waiting');
$listener->quit;

# A name as JSON has it.
my ($result, $out, $err) = $node->psql('postgres',
	q{LISTEN activityfeed; SET activityfeed.notify = on; SELECT put(E'a "b" \\\\ \n'); SELECT put(repeat(E'\x01', 512)) > 0;});
like($out, qr/payload "\{"user_id": "a \\"b\\" \\\\ \\n", "change_number": /, 'a name is written as JSON');
like($out, qr/payload "\{"user_id": "(\\u0001){512}", /, 'the longest there is');

# Two-phase commit.
($result, $out, $err) = $node->psql('postgres',
	q{SET activityfeed.notify = on; BEGIN; SELECT put('a'); PREPARE TRANSACTION 'p';});
like($err, qr/ERROR:  cannot PREPARE a transaction .* while activityfeed\.notify was on/, 'a transaction with a notification cannot be prepared');
is(notified(q{BEGIN; SAVEPOINT s; SELECT put('a'); ROLLBACK TO s; PREPARE TRANSACTION 'q'; COMMIT PREPARED 'q'; SELECT put('b');}),
	'b', 'one without can');
is($node->psql('postgres', q{SELECT put('a') > 0; BEGIN; SELECT put('a') > 0; PREPARE TRANSACTION 'r'; COMMIT PREPARED 'r'}), 0, 'and where it is off');

$node->stop;
done_testing();
