# A replica that polls the change feed equals the store.
#
# Writers put, touch, hide and delete in transactions of any length, many of
# them rolled back, and make again what they deleted, while readers poll from
# their last cursor and apply what they get to copies of their own, outside of
# the server.  In the end every copy has to equal the store: nothing missed,
# nothing that was not committed.  Then the same with asynchronous commit and a
# server that crashes in between: a reader must never hold what a crash takes
# back.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ActivityFeedTest;

my $users = 8;
my $writers = 16;
# The WAL of asynchronous commits stays in memory for as long as it can.
my $node = start_server('replica', q{
	max_connections = 40
	autovacuum = off
	wal_buffers = 64MB
	wal_writer_delay = 10s
	wal_writer_flush_after = 1GB
});
my $bin = $node->config_data('--bindir');

create_document($node);
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION any_of(n int) RETURNS int LANGUAGE sql VOLATILE AS $$
		SELECT floor(random() * n)::int
	$$;

	-- One write of a random kind to one of a user's 2 x 10 activities and their
	-- 3 sessions; some sessions expire soon.
	CREATE FUNCTION random_write(u text) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		app text := 'app' || any_of(2);
		key text := 'activity ' || any_of(10);
		id bigint := activityfeed.activity_id(app, key);
		item uuid := md5(any_of(3)::text)::uuid;
		kind int := any_of(100);
	BEGIN
		IF kind < 25 THEN
			PERFORM activityfeed.upsert_activity(u, app, document(key));
		ELSIF kind < 30 THEN
			PERFORM activityfeed.upsert_activity(u, app, document(key,
				json_build_array(json_build_object('id', item, 'startedDateTime', '2026-01-01T00:00:00Z'))));
		ELSIF kind < 60 THEN
			PERFORM activityfeed.upsert_history_item(u, app, id, item, json_strip_nulls(json_build_object(
				'startedDateTime', '2026-01-01T00:00:00Z', 'userTimezone', kind::text,
				'expirationDateTime', CASE WHEN kind < 33 THEN
					to_char(clock_timestamp() AT TIME ZONE 'UTC' + interval '2 s', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END)));
		ELSIF kind < 85 THEN
			PERFORM activityfeed.touch_history_item(u, app, id, item);
		ELSIF kind < 90 THEN
			PERFORM activityfeed.ignore_activity(u, app, id, kind % 2 = 0);
		ELSIF kind < 91 AND any_of(4) = 0 THEN
			PERFORM activityfeed.purge_expired(20);
		ELSIF kind < 95 THEN
			PERFORM activityfeed.delete_history_item(u, app, id, item);
		ELSE
			PERFORM activityfeed.delete_activity(u, app, id);
		END IF;
	EXCEPTION WHEN no_data_found THEN
		NULL;
	END
	$$;

	-- Transactions of 1 to 8 writes of one user; one in five is rolled back.
	CREATE PROCEDURE work(users int, transactions int, pause float) LANGUAGE plpgsql AS $$
	DECLARE
		u text;
	BEGIN
		FOR i IN 1 .. transactions LOOP
			u := 'user ' || any_of(users);
			FOR j IN 1 .. 1 + any_of(8) LOOP
				PERFORM random_write(u);
			END LOOP;
			IF any_of(5) = 0 THEN
				ROLLBACK;
			ELSE
				COMMIT;
			END IF;
			PERFORM pg_sleep(random() * pause);
		END LOOP;
	END
	$$;

	CREATE FUNCTION changes_as_text(u text, since bigint) RETURNS SETOF text LANGUAGE sql AS $$
		SELECT concat_ws('|', c.change_number, c.kind, c.activity_id, coalesce(c.history_item_id::text, '-'), c.status,
			coalesce(c.created_change_number, 0), md5(c.document::text), extract(epoch FROM (c.document->>'expirationDateTime')::timestamptz))
		FROM activityfeed.changes(u, NULL, since, 100) c ORDER BY c.change_number
	$$;

	-- What a replica has to hold in the end, at a moment.
	CREATE FUNCTION truth(u text, moment timestamptz) RETURNS SETOF text LANGUAGE sql AS $$
		SELECT concat_ws('|', a.id, '-', a.change_number, md5(a::json::text)) FROM activityfeed.activity a
		WHERE a.user_id = u AND a.status <> 'deleted' AND a.expiration_date_time > moment
		UNION ALL
		SELECT concat_ws('|', h.activity_id, h.id, h.change_number, md5(h::json::text)) FROM activityfeed.history_item h
		WHERE h.user_id = u AND h.status <> 'deleted' AND h.expiration_date_time > moment
	$$;
	});

# How often a copy had to be read anew.
my $resets = 0;

# A copy: {cursor, rows => {activity => {item or "-" => [number, md5, expiration]}}, problems}
sub new_copy
{
	return { cursor => 0, rows => {}, problems => [] };
}

# Applies one row of the change feed to a copy.
sub apply
{
	my ($copy, $line) = @_;
	my ($number, $kind, $activity, $item, $status, $created, $md5, $expiration) = split /\|/, $line;

	push @{ $copy->{problems} }, "number $number after $copy->{cursor}"
	  if $number <= $copy->{cursor};
	$copy->{cursor} = $number;
	return if $kind eq 'feed';
	my $rows = $copy->{rows}{$activity} //= {};
	if ($kind eq 'activity')
	{
		delete $copy->{rows}{$activity} if $status eq 'deleted';
		return if $status eq 'deleted';
		delete @$rows{ grep { $rows->{$_}[0] < $created } keys %$rows };
	}
	if ($status eq 'deleted') { delete $rows->{$item} }
	else { $rows->{$item} = [ $number, $md5, $expiration ] }
	return;
}

# Reads some pages, or until one brings nothing.
sub poll_changes
{
	my ($copy, $user, $pages) = @_;

	for (1 .. $pages)
	{
		my ($status, $out, $err) = $node->psql('postgres',
			"SELECT * FROM changes_as_text('$user', $copy->{cursor})");
		if ($status != 0)
		{
			push @{ $copy->{problems} }, $err if $err =~ /cursor of the change feed is from the future/;
			return if $err !~ /cursor of the change feed is too old/;
			$copy->{rows} = {};
			$copy->{cursor} = 0;
			$resets++;
			next;
		}
		return if $out eq '';
		apply($copy, $_) for split /\n/, $out;
	}
	return;
}

# What a copy holds once it has dropped by itself what has expired.  A raised
# expiration of an activity is no change: its sessions' count too.
sub held
{
	my ($copy, $moment) = @_;
	my @held;

	while (my ($activity, $rows) = each %{ $copy->{rows} })
	{
		my $latest = 0;
		for my $row (values %$rows)
		{
			$latest = $row->[2] if $row->[2] > $latest;
		}
		for my $item (keys %$rows)
		{
			my ($number, $md5, $expiration) = @{ $rows->{$item} };
			$expiration = $latest if $item eq '-';
			push @held, "$activity|$item|$number" if $expiration > $moment;
		}
	}
	return join "\n", sort @held;
}

# The documents that a copy holds, for those rows that a raised expiration
# cannot have changed since: sessions.
sub documents
{
	my ($copy) = @_;

	my %documents;

	while (my ($activity, $rows) = each %{ $copy->{rows} })
	{
		for my $item (grep { $_ ne '-' } keys %$rows)
		{
			$documents{"$activity|$item"} = $rows->{$item}[1];
		}
	}
	return %documents;
}

sub compare
{
	my ($copies, $name) = @_;
	my (@wrong, @problems);
	my $differing = 0;

	sleep 3;    # until what expires soon has expired
	my $moment = $node->safe_psql('postgres', 'SELECT extract(epoch FROM clock_timestamp())');
	for my $user (sort keys %$copies)
	{
		my $copy = $copies->{$user};
		poll_changes($copy, $user, 10000);
		my %truth;
		for (split /\n/, $node->safe_psql('postgres', "SELECT * FROM truth('$user', to_timestamp($moment))"))
		{
			my ($activity, $item, $number, $md5) = split /\|/;
			$truth{"$activity|$item|$number"} = $md5;
		}
		my %held = map { $_ => 1 } split /\n/, held($copy, $moment);
		push @wrong, map { "$user: missed $_" } grep { !$held{$_} } sort keys %truth;
		push @wrong, map { "$user: phantom $_" } grep { !$truth{$_} } sort keys %held;
		my %documents = documents($copy);
		for my $row (grep { !/\|-\|/ } keys %truth)
		{
			my $key = $row =~ s/\|\d+$//r;
			$differing++ if ($documents{$key} // '') ne $truth{$row};
		}
		push @problems, @{ $copy->{problems} };
	}
	is(join("\n", @wrong), '', "$name: every copy holds the rows of the store");
	is($differing, 0, "$name: and their documents");
	is("@problems", '', "$name: numbers only rise, and no cursor was refused");
	return;
}

sub start_writers
{
	my ($transactions, $pause, @settings) = @_;

	return map {
		IPC::Run::start(
			[ "$bin/psql", '-XqAt', '-d', $node->connstr('postgres'), (map { ('-c', $_) } @settings),
				'-c', "CALL work($users, $transactions, $pause)" ],
			'<', \undef, '>', \my $out, '2>', \my $err)
	} 1 .. $writers;
}

# Beside writers.
$node->safe_psql(
	'postgres', qq{
	SELECT count(activityfeed.upsert_activity('user ' || n, 'app0', document('activity 0')))
	FROM generate_series(0, $users - 1) n;
	CREATE TABLE start AS SELECT user_id, change_number AS number FROM activityfeed.feed});
my %copies = map { ("user $_" => new_copy()) } 0 .. $users - 1;
my @running = start_writers(800, 0.03);
my $polls = 0;
while (grep { $_->pumpable } @running)
{
	for my $user (keys %copies) { poll_changes($copies{$user}, $user, 1); $polls++; }
	for my $writer (@running) { eval { $writer->pump_nb } }
}
for my $writer (@running) { eval { $writer->finish } }
my $writes = $node->safe_psql('postgres',
	'SELECT sum(change_number - number) FROM activityfeed.feed JOIN start USING (user_id)');
cmp_ok($writes, '>=', 30000, "at least 30 000 changes were committed ($writes)");
cmp_ok($polls, '>', 5 * $users, "readers polled meanwhile ($polls times)");
cmp_ok($resets, '<', $polls / 2, "and read anew only where a purge had left them behind ($resets times)");
compare(\%copies, 'beside writers');
is( $node->safe_psql(
		'postgres', q{SELECT count(*) > 50 FROM activityfeed.activity JOIN start USING (user_id)
		WHERE created_change_number > number + 500}),
	't', 'activities were deleted and made again');

# Across crashes, with asynchronous commit.  What a crash of the processes takes
# back is the last page of WAL: in every second round writers are so slow that
# this is what readers have just seen.
for my $crash (1 .. 6)
{
	@running = start_writers(100000, $crash % 2 ? 0.03 : 2, 'SET synchronous_commit = off');
	for (1 .. 6)
	{
		poll_changes($copies{$_}, $_, 3) for keys %copies;
	}
	$node->stop('immediate');
	for my $writer (@running) { eval { $writer->finish } }
	$node->start;

	# A number that was taken back would be a cursor from the future.
	poll_changes($copies{$_}, $_, 1) for keys %copies;
}
compare(\%copies, 'across crashes');

$node->stop;
done_testing();
