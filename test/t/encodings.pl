# Server encodings.
#
# json-c speaks UTF-8, a database need not.  In UTF8, LATIN1, EUC_JP and
# SQL_ASCII a document with characters beyond ASCII, written as they are or as escapes, is
# stored as ::jsonb stores it and comes back so; a character that the server
# encoding lacks is refused with the path of its member, not turned into
# another and not left to the conversion's own error, and so is one of the
# server encoding that UTF-8 lacks; and an activity has the same id in whatever
# encoding its database is.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use Digest::SHA qw(sha256);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('encodings');
my %databases = (utf8 => 'UTF8', latin1 => 'LATIN1', eucjp => 'EUC_JP', ascii => 'SQL_ASCII');

# What everything is asked of: a document with values in the places where
# strings are, typed and opaque; and a function that says how a statement
# fails: state, kind of error, path, and whether anything was stored.
my $setup = <<~'SQL';
	CREATE EXTENSION activityfeed;

	CREATE FUNCTION document(key text, typed text, opaque text) RETURNS json LANGUAGE sql AS $$
		SELECT format('{"appActivityId": "%s", "activitySourceHost": "example.com", '
			'"activationUrl": "app:1", "appDisplayName": "%s", "userTimezone": "%2$s", '
			'"visualElements": {"displayText": "%2$s", "attribution": {"alternateText": "%2$s"}, "content": {"%3$s": ["%3$s"]}}, '
			'"contentInfo": {"name %3$s": {"value": "%3$s"}}}', key, typed, opaque)::json
	$$;

	CREATE FUNCTION failure(document json) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		kind text;
		path text;
		feed text;
	BEGIN
		SELECT f::text INTO feed FROM activityfeed.feed f;
		BEGIN
			PERFORM activityfeed.upsert_activity('u', 'app', document);
			RETURN 'stored';
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS kind = CONSTRAINT_NAME, path = COLUMN_NAME;
			RETURN concat_ws(' ', SQLSTATE, kind, 'at', path)
				|| CASE WHEN feed IS DISTINCT FROM (SELECT f::text FROM activityfeed.feed f)
					THEN ', and a number was used' ELSE '' END;
		END;
	END
	$$;

	-- whether what is stored and what is answered equal what ::jsonb makes of it
	CREATE FUNCTION is_kept(document json) RETURNS boolean LANGUAGE plpgsql AS $$
	DECLARE
		a activityfeed.activity := activityfeed.upsert_activity('u', 'app', document);
		d jsonb := document::jsonb;
		again activityfeed.activity;
	BEGIN
		SELECT * INTO again FROM activityfeed.get_activity('u', 'app', a.id);
		RETURN again IS NOT DISTINCT FROM a
			AND a.app_activity_id = d ->> 'appActivityId'
			AND a.app_display_name = d ->> 'appDisplayName'
			AND a.user_timezone = d ->> 'userTimezone'
			AND a.visual_elements @> (d -> 'visualElements')
			AND a.visual_elements -> 'content' = d -> 'visualElements' -> 'content'
			AND a.content_info = d -> 'contentInfo'
			AND a::jsonb @> d
			AND a::json::jsonb = a::jsonb
			AND a.id = activityfeed.activity_id('app', d ->> 'appActivityId');
	END
	$$;
	SQL

for my $database (sort keys %databases)
{
	$node->safe_psql('postgres',
		"CREATE DATABASE $database TEMPLATE template0 ENCODING '$databases{$database}' LOCALE 'C'");
	$node->safe_psql($database, $setup);
}

# Asks in a database, as a client whose strings are the server's bytes.
sub ask
{
	my ($database, $query) = @_;

	return $node->safe_psql($database, "SET client_encoding = '$databases{$database}'; $query");
}

# e acute, u diaeresis, and in UTF-8 the euro and a character beyond 16 bits;
# in EUC_JP characters of two bytes, of kana and of three bytes
my %bytes = (
	utf8 => "\xc3\xa9\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80",
	latin1 => "\xe9\xfc",
	eucjp => "\xc6\xfc\xcb\xdc\x8e\xb1\x8f\xb0\xa1",
	ascii => "\xe9\xff\xc3\xa9");
my %escapes = (
	utf8 => '\u00e9\u20ac\ud83d\ude00',
	latin1 => '\u00e9\u00ff',
	eucjp => '\u00e9\u65e5\uff71\u4e02',
	ascii => '\u0041\u007e\u0009');

for my $database (sort keys %databases)
{
	my ($bytes, $escapes) = ($bytes{$database}, $escapes{$database});

	is(ask($database, "SELECT is_kept(document('$bytes', '$bytes', '$bytes'))"),
		't', "$database: characters are kept");
	is(ask($database, "SELECT is_kept(document('$escapes', '$escapes', '$escapes'))"),
		't', "$database: escapes are kept");
	is(ask($database, "SELECT is_kept(document('$bytes$escapes', '$escapes$bytes', '$bytes\\n$escapes'))"),
		't', "$database: both are kept");
	is(ask($database, "SELECT count(*) FROM activityfeed.activity"), 3, "$database: three activities");
	is( ask($database, qq~
			SELECT failure((left(document('x', 'x', 'x')::text, -1) || ', "$bytes": 1}')::json)~),
		"22023 unknown_member at $bytes",
		"$database: a path is in the server encoding");
}

# What the server encoding lacks is refused, wherever it stands.
my %lacking = (
	latin1 => [ '\u20ac', '\u0100', '\ud83d\ude00' ],
	eucjp => [ '\u20ac', '\u0e01', '\ud83d\ude00' ],
	ascii => [ '\u00e9', '\u20ac', '\ud83d\ude00' ]);
for my $database (sort keys %lacking)
{
	my $stored = ask($database, 'SELECT count(*) FROM activityfeed.activity');

	for my $character (@{ $lacking{$database} })
	{
		my $name = "$database: $character";

		is(ask($database, "SELECT failure(document('$character', 'x', 'x'))"),
			'22023 bad_value at appActivityId', "$name in the key");
		is(ask($database, "SELECT failure(document('x', '$character', 'x'))"),
			'22023 bad_value at appDisplayName', "$name in a typed member");
		is(ask($database, qq{SELECT failure(replace(document('x', 'x', 'y')::text, '["y"]', '["y", {"z": "$character"}]')::json)}),
			'22023 bad_value at visualElements.content.y[1].z', "$name in an opaque member");
		like(ask($database, qq{SELECT failure(replace(document('x', 'x', 'y')::text, '"name y"', '"$character"')::json)}),
			qr/^22023 bad_value at contentInfo\b/, "$name in the name of an opaque member");
		like(ask($database, qq~SELECT failure((left(document('x', 'x', 'x')::text, -1) || ', "$character": 1}')::json)~),
			qr/^22023 \w+ at /, "$name in the name of a member");
	}
	is(ask($database, 'SELECT count(*) FROM activityfeed.activity'), $stored, "$database: nothing was stored");
	is( ask($database, q{
			SELECT index, id IS NOT NULL, type, error ->> 'code', error ->> 'target'
			FROM activityfeed.add_external_activities('c', 'i', '[
				{"type": "viewed", "startDateTime": "2024-01-01T00:00:00Z", "performedBy": {"type": "user", "id": "a"}},
				{"type": "viewed", "startDateTime": "2024-01-01T00:00:00Z", "performedBy": {"type": "user", "id": "\u20ac"}},
				{"type": "viewed", "startDateTime": "2024-01-01T00:00:00Z", "performedBy": {"type": "user", "id": "b"}}]')}),
		"0|t|viewed||\n1|f|viewed|BadRequest|performedBy.id\n2|t|viewed||",
		"$database: in a batch only that element is refused");
	is(ask($database, "SELECT string_agg(performed_by_id, ' ' ORDER BY id) FROM activityfeed.external_activity"),
		'a b', "$database: and the others are stored");
}

# What UTF-8 lacks: EUC_JP has room for characters that no standard has put
# there, and PostgreSQL converts nothing from MULE_INTERNAL.  They are refused
# as the others are, and a client that speaks UTF-8 can be told where.
$node->safe_psql('postgres', "CREATE DATABASE mule TEMPLATE template0 ENCODING 'MULE_INTERNAL' LOCALE 'C'");
$node->safe_psql('mule', $setup);
$databases{mule} = 'MULE_INTERNAL';
my %unknown = (eucjp => "\xa9\xa1", mule => "\x81\xe9");
for my $database (sort keys %unknown)
{
	my $character = $unknown{$database};
	my $stored = ask($database, 'SELECT count(*) FROM activityfeed.activity');
	my $element = '{"type": "viewed", "startDateTime": "2024-01-01T00:00:00Z", '
	  . '"performedBy": {"type": "user", "id": "%s"}, "@x": {%s: 1}}';
	my $batch = join ',', map { sprintf $element, @$_ } [ 'a', '"x"' ],
	  [ $character, '"x"' ], [ 'x', qq{"$character"} ], [ ('x' x 9000) . $character, '"x"' ], [ 'b', '"x"' ];

	is(ask($database, "SELECT is_kept(document('k', 't', 'o'))"), 't', "$database: ASCII is kept");
	is(ask($database, "SELECT failure(document('$character', 'x', 'x'))"),
		'22023 bad_value at appActivityId', "$database: unknown character in the key");
	is(ask($database, "SELECT failure(document('x', 'x', '$character'))"),
		'22023 bad_value at visualElements.content', "$database: unknown character in an opaque member");
	is( ask($database, qq~
			SELECT index, id IS NOT NULL, type, error ->> 'code', error ->> 'target'
			FROM activityfeed.add_external_activities('u', 'i', '[$batch]')~),
		"0|t|viewed||\n1|f|viewed|BadRequest|performedBy.id\n2|f|viewed|BadRequest|\@x\n3|f|viewed|BadRequest|performedBy.id\n4|t|viewed||",
		"$database: in a batch only those elements are refused");
	is(ask($database, "SELECT string_agg(performed_by_id, ' ' ORDER BY id) FROM activityfeed.external_activity WHERE connection_id = 'u'"),
		'a b', "$database: and the others are stored");
	is(ask($database, "SELECT status FROM activityfeed.graph_request('g', 'app', 'GET', '/me/activities/$character')"),
		'400', "$database: a path with an unknown character");
	is( ask($database, qq{
			SELECT status, body -> 'error' ->> 'target' FROM activityfeed.graph_request('g', 'app', 'PUT', '/me/activities/x',
				'{"activitySourceHost": "example.com", "activationUrl": "$character", "visualElements": {"displayText": "x"}}')}),
		'400|activationUrl', "$database: a body with an unknown character");
	is(ask($database, 'SELECT count(*) FROM activityfeed.activity'), $stored + 1,
		"$database: nothing else was stored");
}

# The same characters have the same id, and it is what a client computes.
is(ask('latin1', "SELECT activityfeed.activity_id('caf\xe9', '\xfcber')"),
	ask('utf8', "SELECT activityfeed.activity_id('caf\xc3\xa9', '\xc3\xbcber')"),
	'the id is the same in UTF8 and LATIN1');
is(ask('utf8', "SELECT activityfeed.activity_id('caf\xc3\xa9', '\xc3\xbcber')"),
	unpack('Q>', sha256("caf\xc3\xa9\0\xc3\xbcber")) >> 1,
	'and what a client computes from their bytes in UTF-8');

# A request's path is percent-encoded UTF-8 whatever the server encoding; a
# character that the server lacks is an answer, not an error.
my %put = (
	utf8 => [ '201', '201', '201' ],
	latin1 => [ '201', '400', '400' ],
	eucjp => [ '201', '400', '400' ],
	ascii => [ '201', '201', '201' ]);
foreach my $database (sort keys %put)
{
	my @statuses = map {
		ask($database, qq{
			SELECT status FROM activityfeed.graph_request('g', 'app', 'PUT', '/me/activities/$_',
				'{"activitySourceHost": "example.com", "activationUrl": "app:1", "visualElements": {"displayText": "x"}}')})
	} '%C3%A9', '%E2%82%AC', '%F0%9F%98%80';
	is_deeply(\@statuses, $put{$database}, "paths of requests in $database");
	is( ask($database, q{
			SELECT id FROM activityfeed.activity WHERE user_id = 'g' ORDER BY created_date_time LIMIT 1}),
		unpack('Q>', sha256("app\0\xc3\xa9")) >> 1, "the id is that of the UTF-8 in $database");
	is( ask($database, q{
			SELECT status FROM activityfeed.graph_request('g', 'app', 'GET', '/me/activities?%E2%82%AC=1')}),
		'400', "an option's name in $database");
}

$node->stop;
done_testing();
