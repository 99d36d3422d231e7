# Random calls.
#
# Every function, procedure and cast that the extension has, told by the
# catalog, is called with arguments drawn by type and name: plausible ones, so
# that calls get somewhere, and nasty ones (NULL, extremes, damaged or hostile
# documents, ids of other users, cursors from anywhere, forged rows).  Calls
# are by themselves, or in transactions of every isolation level, with
# savepoints that are kept or rolled back, and settings change between them.
# First one session, then three at once on the same users.
#
# Nothing may crash; no error may be an internal one or of an unexpected
# class; and what the store promises of its rows holds at the end.
#
# The calls are the same for the same ACTIVITYFEED_SEED, which is printed, and
# ACTIVITYFEED_CALLS sets how many a session makes.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{ACTIVITYFEED_SEED} // 1;
my $calls = $ENV{ACTIVITYFEED_CALLS} // 14_000;
my $concurrent_calls = int($calls / 7);
my $sessions = 3;
diag("seed $seed, $calls calls, then $concurrent_calls in each of $sessions sessions");

my $node = start_server('random_calls', <<~'CONF');
	max_prepared_transactions = 0
	deadlock_timeout = 10ms
	log_min_messages = warning
	log_min_error_statement = panic
	CONF

# What a caller may be told: data that is wrong (22), a collision of ids
# (23505), limits (54), no such activity (P0002), a cursor that is of no use
# (55000), a race (40001, 40P01), a role that is not there (42704), a commit in
# a transaction (2D000), and that the transaction is read-only (25006) or has
# failed already (25P02; then it has no savepoint either, 3B001).
my $expected = qr/^(22...|23505|54...|P0002|55000|40001|40P01|42704|2D000|25006|25P02)$/;
my $expected_of_savepoints = qr/^(3B001|25P02)$/;

#
# Values, as SQL expressions.
#

sub one_of { return $_[int(rand(@_))]; }
sub chance { return rand() < $_[0]; }

# A string as SQL, on one line.
sub quote
{
	my ($string) = @_;
	$string =~ s/([\\'])/$1$1/g;
	$string =~ s/\n/\\n/g;
	return "E'$string'";
}

my @keys = ('k1', 'k2', 'k3', '/article?12345', "\x{c3}\x{a9}t\x{c3}\x{a9}");
my @users = ('u1', 'u2', 'u3', "\x{c3}\x{bc}ser 4");
my @apps = ('app1', 'app2');
my @nasty_texts = ('', ' ', 'x' x 512, 'x' x 513, 'x' x 2048, 'x' x 2049,
	"\x{c3}\x{a9}" x 256, "\x{c3}\x{a9}" x 257, "\x{f0}\x{9f}\x{98}\x{80}" x 600,
	"a\nb", "a\tb", "\x01", "'; DROP TABLE feed; --", '%00', '%', '\\', '"', 'null', '%s%n',
	"\x{e2}\x{80}\x{ae}rtl", 'y' x 100_000, '-1', '1e308');
my @timestamps = ('2024-05-01T10:00:00Z', '2024-05-01T10:30:00Z', '2018-02-26T20:54:04.345Z', '2031-01-01T00:00:00+14:00');
my @nasty_timestamps = ('0001-01-01T00:00:00Z', '9999-12-31T23:59:59.9999999Z', '2024-02-30T00:00:00Z', '2024-05-01', '2024-05-01T25:00:00Z',
	'infinity', '-infinity', 'now', '294276-12-31T23:59:59Z', '4713-01-01 BC', '2016-12-31T23:59:60Z', '2024-05-01T10:00:00.0000000000001Z', '2024-05-01T10:00:00-99:99');
my @numbers = ('0', '-0', '-1', '1', '2147483647', '2147483648', '9223372036854775807', '9223372036854775808', '1e400', '-1e-400', '0.1', '1e2',
	'18446744073709551616', '123456789012345678901234567890');

# JSON: values of every kind, to a depth.
sub json_string
{
	my ($string) = @_;
	$string =~ s/(["\\])/\\$1/g;
	$string =~ s/([\x00-\x1f])/sprintf('\\u%04x', ord($1))/ge;
	return "\"$string\"";
}

sub nasty_json
{
	my ($depth) = @_;
	my $kind = int(rand(10));

	return one_of('null', 'true', 'false', '{}', '[]', '""') if $kind < 3;
	return one_of(@numbers) if $kind < 5;
	return json_string(one_of(@nasty_texts, @nasty_timestamps)) if $kind < 7;
	return one_of('"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\/"', '[' x 70 . ']' x 70) if $kind < 8 || $depth > 3;
	return '[' . join(',', map { nasty_json($depth + 1) } 1 .. rand(4)) . ']' if $kind < 9;
	return '{' . join(',', map { one_of('"a"', '"id"', '"@odata.type"', '""', '"historyItems"') . ': ' . nasty_json($depth + 1) } 1 .. rand(4)) . '}';
}

# An object of these members, some left out, some nasty, some twice.
sub json_object
{
	my ($badness, %members) = @_;
	my @members;

	for my $name (sort keys %members)
	{
		next if chance($badness / 2);
		my $value = chance($badness) ? nasty_json(0) : $members{$name}->();
		push @members, json_string($name) . ": $value";
		push @members, json_string($name) . ": " . nasty_json(2) if chance($badness / 10);
	}
	push @members, '"unknown": ' . nasty_json(1) if chance($badness / 4);
	return '{' . join(', ', @members) . '}';
}

sub guid { return sprintf('%08d-0000-4000-8000-00000000000%d', 1 + int(rand(4)), chance(0.1) ? 1 : 0); }

sub history_item
{
	my ($badness) = @_;
	my %members = (startedDateTime => sub { json_string(one_of(@timestamps)) });

	$members{lastActiveDateTime} = sub { json_string(one_of(@timestamps, '2032-01-01T00:00:00Z')) } if chance(0.5);
	$members{activeDurationSeconds} = sub { one_of(0, 1, 100, 2147483647) } if chance(0.3);
	$members{expirationDateTime} = sub { json_string(one_of('2030-01-01T00:00:00Z', '9000-01-01T00:00:00Z')) } if chance(0.3);
	$members{userTimezone} = sub { one_of('"Africa/Casablanca"', '"x"', 'null') } if chance(0.3);
	$members{id} = sub { json_string(guid()) } if chance(0.5);
	return json_object($badness, %members);
}

sub activity
{
	my ($badness) = @_;
	my %members = (
		appActivityId => sub { json_string(one_of(@keys)) },
		activitySourceHost => sub { '"https://www.contoso.com"' },
		activationUrl => sub { one_of('"https://www.contoso.com/a"', '"app:1"') },
		visualElements => sub { json_object($badness / 2, displayText => sub { '"text"' }, description => sub { '"d"' },
			backgroundColor => sub { '"#ff0000"' }, attribution => sub { '{"iconUrl": "https://x/y"}' }, content => sub { '{"a": [1, 2.50]}' }) });

	$members{contentInfo} = sub { one_of('{"@context": "x", "n": 1.10}', '{}', nasty_json(1)) } if chance(0.4);
	$members{fallbackUrl} = sub { '"https://x"' } if chance(0.3);
	$members{contentUrl} = sub { '"https://x"' } if chance(0.3);
	$members{userTimezone} = sub { '"Europe/Berlin"' } if chance(0.3);
	$members{historyItems} = sub { '[' . join(', ', map { history_item($badness / 2) } 1 .. rand(4)) . ']' } if chance(0.4);
	return json_object($badness, %members);
}

sub external_batch
{
	my ($badness) = @_;
	my $batch = '[' . join(', ', map { json_object($badness,
		type => sub { one_of('"viewed"', '"created"', '"nothing"') },
		startDateTime => sub { json_string(one_of(@timestamps)) },
		performedBy => sub { json_object($badness / 2, type => sub { '"user"' }, id => sub { '"1"' }) }) } 1 .. rand(5)) . ']';

	return chance(0.5) ? $batch : "{\"activities\": $batch}";
}

# What a document parameter of this name is, good or not.
sub document
{
	my ($name, $badness) = @_;

	return nasty_json(0) if chance($badness / 4);
	return history_item($badness) if $name eq 'history_item';
	return external_batch($badness) if $name eq 'activities';
	return activity($badness);
}

# A document with a byte changed, cut or doubled: for text only.
sub damaged
{
	my ($text) = @_;
	my $at = int(rand(length($text)));
	my $what = int(rand(3));

	substr($text, $at, 1) = one_of('"', '{', ',', '\\', "\x01", ' ', '0', ']') if $what == 0;
	$text = substr($text, 0, $at) if $what == 1;
	$text .= substr($text, $at) if $what == 2;
	return $text;
}

sub target
{
	my $id = one_of(map { "{$_}" } @keys);
	my $path = one_of('/me/activities', '/me/activities/recent', '/me/activities/' . one_of(@keys), "/me/activities/$id",
		"/me/activities/$id/historyItems", "/me/activities/$id/historyItems/" . guid(), '/v1.0/me/activities',
		'/external/connections/c/items/i/activities', '/me/nothing', '');

	$path .= '?' . join('&', map { one_of('$top=', '$skiptoken=', '$filter=', '$expand=', '$orderby=', '$select=', '$count=', 'x=', '%24top=')
			. one_of('1', '0', '-1', '99999999999', 'historyItems', 'historyItems($top=1;$orderby=x)', 'lastModifiedDateTime%20gt%202018-01-01T00:00:00Z', 'lastModifiedDateTime%20desc', 'true', '%zz', '%00', one_of(@numbers), '') } 1 .. 1 + rand(2))
	  if chance(0.5);
	return $path;
}

# A text by the name of its parameter.
sub text_value
{
	my ($name) = @_;

	return quote(one_of(@nasty_texts)) if chance(0.08);
	return quote(one_of(@users)) if $name eq 'user_id';
	return quote(one_of(@apps)) if $name eq 'app_id';
	return quote(one_of(@keys)) if $name eq 'app_activity_id';
	return quote(one_of('GET', 'PUT', 'DELETE', 'POST', 'PATCH', 'get', '')) if $name eq 'method';
	return quote(one_of('UTC', 'Europe/Berlin', 'Pacific/Kiritimati', '+05', 'nowhere', 'PST8PDT')) if $name eq 'time_zone';
	return quote(one_of('c1', 'c2')) if $name eq 'connection_id';
	return quote(one_of('i1', 'i2')) if $name eq 'item_id';
	if ($name eq 'body')
	{
		my $document = document(one_of('activity', 'activity', 'history_item', 'activities'), 0.1);
		return quote(chance(0.3) ? damaged($document) : $document);
	}
	if ($name eq 'target')
	{
		# ids stand in braces until the server has computed them
		my $target = target();
		return "replace(" . quote($target) . ", " . quote("{$1}") . ", activityfeed.activity_id('" . one_of(@apps) . "', " . quote($1) . ")::text)"
		  if $target =~ /\{([^{}]*)\}/;
		return quote($target);
	}
	return quote(one_of(@keys, @nasty_texts));
}

sub bigint_value
{
	my ($name) = @_;

	return one_of('0', '-1', '1', '9223372036854775807', '(-9223372036854775807 - 1)', '255', '256') if chance(0.15);
	return "activityfeed.activity_id('" . one_of(@apps) . "', " . quote(one_of(@keys)) . ')' if $name eq 'activity_id' || $name eq 'id';
	return '(SELECT max(change_number) ' . one_of('', '- 1', '- 5', '+ 1') . ' FROM activityfeed.' . one_of('feed', 'activity', 'history_item')
	  . ' WHERE user_id = ' . quote(one_of(@users)) . ')';
}

my %rows;    # row type => its attributes

# A row that is there, one that is forged, or one of nulls.
sub row_value
{
	my ($type) = @_;

	return "(SELECT r FROM $type r LIMIT 1 OFFSET " . int(rand(5)) . ')' if chance(0.4) && $type !~ /result|change|response/;
	return "ROW(" . join(', ', map { chance(0.25) ? 'NULL' : value(@$_) } @{ $rows{$type} }) . ")::$type";
}

my %values = (
	text => \&text_value,
	'character varying' => \&text_value,
	bigint => \&bigint_value,
	integer => sub { one_of(0, 1, 2, 5, 50, 1000, -1, 2147483647, '(-2147483648)') },
	boolean => sub { one_of('true', 'false') },
	uuid => sub { quote(chance(0.9) ? guid() : one_of('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff')) },
	json => sub { quote(document($_[0], one_of(0, 0, 0.05, 0.3))) },
	jsonb => sub { quote(document($_[0], one_of(0, 0, 0.05, 0.3))) },
	date => sub { quote(one_of('2024-05-01', 'infinity', '-infinity', '4713-01-01 BC', '5874897-12-31')) },
	interval => sub { quote(one_of('1 day', '-1 day', '0', '178000000 years')) },
	'timestamp with time zone' => sub {
		chance(0.7) ? one_of('now()', map { quote($_) } @timestamps)
		: quote(one_of('infinity', '-infinity', '4713-01-01 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00', '0001-01-01Z', '9999-12-31Z', '10000-01-01Z')) },
	'activityfeed.status' => sub { quote(one_of('active', 'updated', 'deleted', 'ignored')) },
	'activityfeed.external_activity_type' => sub { quote(one_of('viewed', 'modified', 'created', 'commented')) },
	'activityfeed.identity_type' => sub { quote(one_of('user', 'group', 'externalGroup')) },
	regrole => sub { one_of("'somebody'", '0', '4294967295') });

# An argument: (name, type).
sub value
{
	my ($name, $type) = @_;

	return "NULL::$type" if chance(0.04);
	return row_value($type) if $rows{$type};
	die "no values are known for type $type" if !$values{$type};
	return '(' . $values{$type}->($name) . ")::$type";
}

#
# What is called.
#

$node->safe_psql('postgres', 'CREATE ROLE somebody');

for my $line (split /\n/, $node->safe_psql('postgres', q{
	SELECT format('%I.%I', n.nspname, t.typname), attname, format_type(atttypid, NULL)
	FROM pg_depend d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('r', 'c')
		JOIN pg_type t ON t.oid = c.reltype JOIN pg_namespace n ON n.oid = t.typnamespace
		JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'activityfeed')
	ORDER BY c.relname, attnum}))
{
	my ($type, $name, $attribute) = split /\|/, $line;
	push @{ $rows{$type} }, [ $name, $attribute ];
}
# composites without a relation of their own come by pg_type
for my $line (split /\n/, $node->safe_psql('postgres', q{
	SELECT t.oid::regtype, attname, format_type(atttypid, NULL)
	FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped
		JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
	WHERE t.typnamespace = 'activityfeed'::regnamespace ORDER BY t.typname, attnum}))
{
	my ($type, $name, $attribute) = split /\|/, $line;
	push @{ $rows{$type} }, [ $name, $attribute ];
}

# [name, kind, defaults, [parameter, type], ...]
my @callables;
for my $line (split /\n/, $node->safe_psql('postgres', q{
	SELECT p.oid::regprocedure, format('%I.%I', n.nspname, p.proname), p.prokind, p.pronargdefaults,
		(SELECT string_agg(coalesce(p.proargnames[i], 'x') || '=' || format_type(p.proargtypes[i - 1], NULL), ';' ORDER BY i)
			FROM generate_series(1, p.pronargs) i)
	FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
		JOIN pg_namespace n ON n.oid = p.pronamespace
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'activityfeed')
	ORDER BY 1}))
{
	my ($signature, $name, $kind, $defaults, $parameters) = split /\|/, $line;
	push @callables, { signature => $signature, name => $name, kind => $kind, defaults => $defaults,
		parameters => [ map { [ split /=/ ] } split /;/, $parameters ] };
}
for my $line (split /\n/, $node->safe_psql('postgres', q{
	SELECT castsource::regtype, casttarget::regtype
	FROM pg_depend d JOIN pg_cast c ON d.classid = 'pg_cast'::regclass AND c.oid = d.objid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'activityfeed')
	ORDER BY 1, 2}))
{
	my ($source, $target) = split /\|/, $line;
	push @callables, { signature => "$source as $target", kind => 'cast', target => $target, source => $source };
}
cmp_ok(scalar(@callables), '>=', 40, scalar(@callables) . ' functions, procedures and casts');

# Writes are called more often: the rest needs something to look at.
my @weighted = map { ($_) x ($_->{signature} =~ /upsert|touch|graph_request/ ? 4 : $_->{signature} =~ /erase|invalidate/ ? 1 : 2) } @callables;
my %called;

sub call
{
	my $callable = one_of(@weighted);

	$called{ $callable->{signature} }++;
	return 'SELECT ' . value('x', $callable->{source}) . "::$callable->{target}" if $callable->{kind} eq 'cast';
	my @parameters = @{ $callable->{parameters} };
	if ($callable->{defaults} && chance(0.5))
	{
		splice @parameters, @parameters - int(rand($callable->{defaults} + 1));
	}
	my $arguments = join(', ', map { value(@$_) } @parameters);
	return "CALL $callable->{name}($arguments)" if $callable->{kind} eq 'p';
	return "SELECT x FROM $callable->{name}($arguments) AS x" if chance(0.9);
	# a set in the select list, cut short
	return "SELECT $callable->{name}($arguments) LIMIT 1";
}

sub setting
{
	my $scope = one_of('', 'LOCAL ');

	return "RESET activityfeed." . one_of('strict', 'retention', 'page_size', 'max_batch', 'max_depth', 'max_document_size', 'notify') if chance(0.4);
	return "SET ${scope}activityfeed." . one_of('strict = off', 'strict = on', 'retention = 1', 'retention = -1', 'retention = 2147483647',
		'page_size = 1', 'page_size = 1000', 'max_batch = 1', 'max_batch = 1000000', 'max_depth = 4', 'max_depth = 1000',
		'max_document_size = 1024', 'max_document_size = 16777216', 'notify = on');
}

# A script of so many calls.
sub script
{
	my ($count) = @_;
	my @lines;

	while ($count > 0)
	{
		push @lines, setting() if chance(0.15);
		if (chance(0.6))
		{
			push @lines, call();
			$count--;
			next;
		}
		push @lines, '\set ON_ERROR_ROLLBACK ' . (chance(0.7) ? 'on' : 'off');
		push @lines, 'BEGIN' . one_of('', '', ' ISOLATION LEVEL REPEATABLE READ', ' ISOLATION LEVEL SERIALIZABLE', ' READ ONLY');
		for (1 .. 1 + rand(6))
		{
			push @lines, setting() if chance(0.1);
			push @lines, 'SAVEPOINT s' if my $saved = chance(0.8);
			push @lines, call();
			push @lines, one_of('ROLLBACK TO s', 'ROLLBACK TO s', 'RELEASE s') if $saved;
			$count--;
		}
		push @lines, one_of('COMMIT', 'COMMIT', 'ROLLBACK');
	}
	return @lines;
}

#
# Running them.
#

my @errors;

sub start_session
{
	my ($name, @lines) = @_;
	my ($out, $err) = ('', '');
	my $input = join('', "\\set VERBOSITY sqlstate\n\\o /dev/null\nSET client_min_messages = error;\n", map { /^\\/ ? "$_\n" : "$_;\n" } @lines);
	my $harness = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-f', '-' ],
		'<', \$input, '>', \$out, '2>', \$err);

	return { name => $name, harness => $harness, lines => \@lines, err => \$err };
}

sub finish_session
{
	my ($session) = @_;
	my (%states, @unexpected);

	$session->{harness}->finish;
	is($session->{harness}->full_result(0), 0, "$session->{name}: stays connected");
	for my $line (split /\n/, ${ $session->{err} })
	{
		if ($line =~ /^psql:<stdin>:(\d+): ERROR:  (\w{5})$/)
		{
			$states{$2}++;
			my ($state, $call) = ($2, $session->{lines}[ $1 - 4 ]);
			next if $state =~ ($call =~ /^(SAVEPOINT|ROLLBACK TO|RELEASE) s$/ ? $expected_of_savepoints : $expected);
			push @unexpected, "$state: " . substr($call, 0, 2000);
		}
		else
		{
			push @unexpected, $line if $line !~ /^psql:<stdin>:\d+: WARNING:/;
		}
	}
	is(join("\n", @unexpected[ 0 .. ($#unexpected < 9 ? $#unexpected : 9) ]), '', "$session->{name}: only errors that a caller may be told");
	diag("$session->{name}: " . join(' ', map { "$_ $states{$_}" } sort keys %states));
	return;
}

sub check_feeds
{
	my ($when) = @_;
	my $rows = $node->safe_psql('postgres', 'SELECT count(*) FROM activityfeed.activity');

	is(broken_feeds($node), '', "$when: invariants hold");
	cmp_ok($rows, '>', 0, "$when: $rows activities are there");
	return;
}

srand($seed);
finish_session(start_session('one session', script($calls)));
check_feeds('after one session');
is(join(', ', grep { ($called{$_} // 0) < $calls / 1000 } map { $_->{signature} } @callables), '', 'each was called often');

my @scripts = map { [ script($concurrent_calls) ] } 1 .. $sessions;
my @running = map { start_session("session $_ of $sessions", @{ $scripts[ $_ - 1 ] }) } 1 .. $sessions;
finish_session($_) for @running;
check_feeds('after all');

unlike(slurp_file($node->logfile), qr/TRAP:|PANIC:|terminated by signal|terminating connection because of crash/, 'no process came to harm');
$node->stop;
done_testing();
