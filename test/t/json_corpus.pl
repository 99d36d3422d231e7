# The verdict on JSON, and its value, are jsonb's.
#
# A generated corpus: every production of RFC 8259 and every way to break it,
# as an opaque member of a document.  PostgreSQL says with ::jsonb whether a
# document is good and what it holds; each way in (json, jsonb, the text of a
# request, an element of a batch) must say the same, and what is stored must be
# the same key for key and digit for digit.
#
# What differs, and is meant to: a document that is too deep or too large is
# refused with 54000 although jsonb would take it, and what jsonb refuses but
# json does not (\u0000, halves of surrogate pairs, numbers beyond numeric) is
# 22023 with the member's path instead of jsonb's own errors.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

no warnings 'qw'; # commas in JSON

my (@cases, %seen);
my $random = 1;

# A repeatable number below $limit.
sub pick
{
	my ($limit) = @_;

	$random = ($random * 1103515245 + 12345) % 2**31;
	return int($random / 65536) % $limit;
}

# add(class, value, ...): cases whose opaque members hold the value.
sub add
{
	my ($class, @values) = @_;

	for my $value (@values)
	{
		next if $seen{$value}++;
		push @cases, { class => $class, bytes => $value, whole => 0 };
	}
}

my ($begin, $middle, $end) = (
	'{"appActivityId": "x", "activitySourceHost": "h", "activationUrl": "u", "contentInfo": {"v": ',
	'}, "visualElements": {"displayText": "d", "content": {"v": ',
	'}}}');

# Cases that are documents of their own.
sub add_document
{
	my ($class, @documents) = @_;

	push @cases, map { { class => $class, bytes => $_, whole => 1 } } @documents;
}

add_structures();
add_numbers();
add_strings();
add_unicode();
add_broken();
add_random();
add_documents();
cmp_ok(scalar @cases, '>=', 2000, scalar(@cases) . ' cases');

my $node = start_server('json_corpus');
create_check();
load_corpus();
check_corpus();
check_depth();
check_size();
check_invalid_bytes();
$node->stop;
done_testing();

sub add_structures
{
	my @space = (' ', "\t", "\n", "\r", "\f", "\x0b", "\xc2\xa0", "\xe2\x80\x83", "\xef\xbb\xbf", "\\n", '/**/', '//', '#');

	add('values', qw(true false null 0 "" [] {} [null] [[]] [{}] {"":null} {"a":{}} {"a":[]} {"a":{"b":[{"c":1}]}}));
	add('not values', '', qw(True TRUE tru truee nul nulll nan NaN Infinity -Infinity undefined fals t f n ' '' 'a' a
		{'a':1} {a:1} [a] {1:1} {null:1} {[]:1} {{}:1} {"a"} {"a":} {:1} {"a",1} {"a"=1} {"a":1;} [1;2] [1:2] {"a":1:2}
		[1,] [,1] [,] [1,,2] {,} {"a":1,} {,"a":1} {"a":1,,"b":2} {"a":1"b":2} [1"2"] [ ] { } [ { [} {] [1} {"a":1]
		(1) <1> "a":1 0x10 1_000 $1 @ ~ `), '[1 2]', '{"a" 1}', '{"a":1 "b":2}', 'nu ll', 't rue', '"a" "b"', '1 2', '[1][2]', '{}{}', '[]]');
	for my $space (@space)
	{
		add('space', join($space, '', '{', '"a"', ':', '[', '1', ',', 'true', ']', ',', '"b"', ':', '"c"', '}', ''));
		add('space', "$space\[1]", "[1]$space", "[1$space,2]", "[1,${space}2]", "{\"a\"$space:1}", "tr${space}ue", "1${space}0", "-${space}1", "\"$space\"");
	}
	add('keys', '{"a":1,"a":2}', '{"a":{"b":1},"a":{"c":2}}', '{"a":1,"\u0061":2}', '{"\u0061":1,"a":2,"b":3,"a":null}', '[{"a":1,"a":1},{"a":[],"a":{}}]',
		'{"b":1,"a":2,"aa":3,"c":4,"ab":5,"":6}', '{"v":1,"v":{"v":2,"v":3}}', '{"contentInfo":{"v":7}}', '{"content":1,"visualElements":{"content":2}}',
		'{"@odata.type":"#x","x@odata.count":1}', '{"a.b":1,"a":{"b":2}}', '{"__proto__":1,"constructor":2}', '{"é":1,"\u00e9":2}', '{"A":1,"a":2}',
		'{"a b":1,"a\tb":2}', '{"\"":1,"\\\\":2,"/":3,"\/":4}', '{"[":1,"]":2,"{":3,"}":4,",":5,":":6}', '{"1":1,"10":2,"2":3,"-1":4}',
		'{' . join(',', map { "\"k$_\":$_" } 1 .. 300) . '}', '{' . join(',', map { '"' . chr(97 + $_ % 26) . "\":$_" } 1 .. 300) . '}',
		'{"' . 'k' x 70000 . '":1}', '[' . join(',', 1 .. 2000) . ']', '"' . 'long ' x 20000 . '"');
	return;
}

sub add_numbers
{
	for my $sign ('', '-', '+')
	{
		for my $integer ('', '0', '1', '00', '01', '10', '120', '9223372036854775807', '9223372036854775808', '9223372036854775809',
			'18446744073709551615', '18446744073709551616', '2147483648', '123456789012345678901234567890')
		{
			for my $fraction ('', '.', '.0', '.50', '.000001')
			{
				add('numbers', map { "$sign$integer$fraction$_" } '', 'e', 'e1', 'E+02', 'e-3', 'E-', 'e+1.0');
			}
		}
	}
	# past what a double can hold, and to the ends of numeric
	for my $number ('1e308', '1.7976931348623157e308', '1.7976931348623159e308', '1e309', '4.9e-324', '1e-325', '2.2250738585072011e-308',
		'0.1000000000000000055511151231257827', '123456789.123456789123456789e-5', '1e22', '1e23', '5e-324', '1e400', '1e-400',
		'9007199254740993', '0.30000000000000004', '1.0', '1.00', '1.10', '100e-2', '0e0', '0e1', '0E-5', '0.0e10', '0.000',
		'0e131072', '0e-16383', '0e-16384', '0e999999999', '0.0e-999999999', '1e131071', '9e131071', '10e131071', '1e131072', '1e-16383', '1e-16384',
		'0.1e-16382', '0.1e-16383', '0.01e131073', '0.01e131074', '1e999999999999999999999', '1e-999999999999999999999',
		'1e2147483647', '1e2147483648', '1e-2147483648', '1e1073741823', '1e1073741822', '1e-1073741823', '1e000000000000000000001', '1e-000000000000000000001',
		'1e+0', '1e-0', '9' x 1000, '9' x 20000, '0.' . '9' x 1000, '0.' . '0' x 16382 . '1', '0.' . '0' x 16383 . '1', '0.' . '0' x 16384, '1.' . '5' x 16383, '1.' . '5' x 16384,
		'1' . '0' x 131071, '1' . '0' x 131072, '0.' . '0' x 500 . '1e500', '0.' . '0' x 16000 . '1e16384')
	{
		add('numbers at the limits', $number, "-$number");
	}
	add('numbers in places', map { ("[$_]", "[$_,$_]", "{\"a\":$_}", "[0,{\"a\":[$_]}]") } '-0', '-0.0', '-0e0', '1e2', '-1', '9223372036854775808', '-9223372036854775809', '1e131072', '01', '-', '.5', '--1', '1-2', '1e', 'e1', '1.2.3', '1e5e5', '0-0');
	return;
}

sub add_strings
{
	# every character after a backslash, and every one as it is
	for my $code (1 .. 127)
	{
		my $character = chr $code;
		add('escapes', "\"\\$character\"", "{\"\\$character\":1}", "\"a\\$character" . 'b"');
		add('characters', "\"$character\"", "{\"a$character\":1}");
	}
	add('escapes', '"\\\\"', '"\\\\\\""', '"\\\\\\\\"', '"\\', '"\\\\\\"', '"\\""', '"\"', '"\\\\""', '"\/\/"', '"\\\\u0041"', '"\\\\\\u0041"', '"\b\f\n\r\t\"\\\\\/"');
	add('strings', '"', '"a', 'a"', '"""', '"a""b"', '["a]', '["a"', '{"a', '{"a"', '"[{]}"', '"{\"a\":1}"', '"\u"', '"\u0"', '"\u00"', '"\u004"', '"\u0041"', '"\u00410"',
		'"\u004g"', '"\ug041"', '"\u-041"', '"\u+041"', '"\u 041"', '"\U0041"', '"\x41"', '"\u{41}"', '"\101"', '"\u0041', '"\u00');
	return;
}

sub add_unicode
{
	# what can stand beside each other: halves of pairs, whole and broken ones
	my @pieces = ('', 'a', '\ud83d', '\ude00', '\ud800', '\udbff', '\udc00', '\udfff', '\ud836', '\udc1d', '\u0041', '\ud7ff', '\ue000', '\uD83D', '\uDE00', '\\\\', '\n', "\xf0\x9f\x98\x80", '\ufffd');
	for my $first (@pieces)
	{
		add('surrogates', map { "\"$first$_\"" } @pieces);
		add('surrogates in keys', map { "{\"k$first$_\":1}" } @pieces[ 2 .. 6, 10 ]);
	}
	add('surrogates', '"\ud83d\ude0"', '"\ud83d\ude00\ud83d"', '"\ud83dx\ude00"', '"\ud83d\\\\ude00"', '"\\\\ud83d\ude00"', '"\ud83d \ude00"', '"\ud83d\nude00"',
		'"\ud83d\ud83d\ude00"', '"\ude00\ud83d"', '"\ud83d\u"', '"\ud83d\ude"', '["\ud83d","\ude00"]', '{"\ud83d":"\ude00"}');
	# the borders of every range, as escapes and in UTF-8
	for my $code (0x1, 0x1f, 0x20, 0x22, 0x2f, 0x5c, 0x7f, 0x80, 0x9f, 0xa0, 0xff, 0x100, 0x7ff, 0x800, 0xfff, 0x2028, 0x2029, 0xd7ff, 0xe000, 0xfdd0, 0xfeff, 0xfffd, 0xfffe, 0xffff)
	{
		add('code points', sprintf('"\u%04x"', $code), sprintf('{"\u%04X":1}', $code), $code > 0x7f ? '"' . utf8_of($code) . '"' : ());
	}
	for my $code (0x10000, 0x1d800, 0x1d834, 0x1dc00, 0x1f600, 0x1fffe, 0x2d800, 0xfffff, 0x100000, 0x10ffff)
	{
		add('code points', sprintf('"\u%04x\u%04x"', 0xd800 + (($code - 0x10000) >> 10), 0xdc00 + ($code & 0x3ff)), '"' . utf8_of($code) . '"', '{"' . utf8_of($code) . '":"é"}');
	}
	add('zero', '"\u0000"', '{"\u0000":1}', '"a\u0000b"', '"\\\\u0000"', '["\u0001\u0000"]', '{"a":{"b":["\u0000"]}}', '"\u00000"');
	return;
}

sub utf8_of
{
	my $character = chr shift;

	utf8::encode($character);
	return $character;
}

# One document with everything in it, broken at each byte.
sub add_broken
{
	my $text = '{"a":[1,-2.5e3,true],"b\u00e9":{"c":null,"d":"x\"y"}}';

	for my $position (0 .. length($text) - 1)
	{
		my ($before, $after) = (substr($text, 0, $position), substr($text, $position));
		my $here = substr($text, $position, 1);

		add('cut', $before);
		add('cut', $after) if $after ne $text;
		add('a byte less', $before . substr($after, 1));
		add('a byte twice', $before . $here . $after);
		add('a byte more', map { "$before$_$after" } '{', '}', '[', ']', ',', ':', '"', '\\', '0', '-', 'e', '.', ' ', "\x01", "\xc3\xa9");
		add('another byte', map { $before . $_ . substr($after, 1) } '}', ']', ',', '"', '1', 'u', ' ');
	}
	return;
}

sub random_value
{
	my ($depth) = @_;
	my @scalars = ('true', 'null', '-0', '1.50', '12345678901234567890', '"\u00e9"', '"\ud83d\ude00"', '""', '"a\\\\b"', '1E-7', "\"\xe2\x82\xac\"", '{}', '[]');
	my $kind = pick(4);
	my $count = pick(5);

	return $scalars[ pick(scalar @scalars) ] if $kind < 2 || $depth == 0;
	return '[' . join(', ', map { random_value($depth - 1) } 1 .. $count) . ']' if $kind == 2;
	return '{' . join(', ', map { '"' . substr('abcéab', pick(4), 1 + pick(2)) =~ s/[^a-z]//gr . '": ' . random_value($depth - 1) } 1 .. $count) . '}';
}

sub add_random
{
	for (1 .. 250)
	{
		my $value = random_value(5);
		my $broken = $value;

		substr($broken, pick(length $broken), 1) = substr('{}[],:"\\x0', pick(10), 1);
		add('random', $value);
		add('random, broken', $broken) if $broken !~ /[^\x01-\x7f]/;
	}
	return;
}

# Around a document, and in place of one.
sub add_documents
{
	my $good = $begin . '1' . $middle . '1' . $end;

	add_document('around', map { ("$_$good", "$good$_") } ' ', "\n\t\r ", "\xef\xbb\xbf", 'x', ',', '}', '"', '0', '\\', "\xc2\xa0", "\f", '//', $good, "\x1a");
	# the last one counts, however it is spelt
	for my $name (qw(contentInfo content\u0049nfo visualElements visual\u0045lements))
	{
		my $other = '"' . $name . '": {"displayText": "e", "content": {"w": 2}}';

		add_document('several of one name', $good =~ s/^\{/{$other, /r, $good =~ s/\}$/, $other}/r);
	}
	add_document('several of one name', $good =~ s/"content": /"content": {"w": 3}, "content": /r, $good =~ s/\}\}\}$/}, "cont\\u0065nt": {"w": 3}}}/r);
	add_document('cut', map { substr($good, 0, length($good) - $_) } 1 .. 40);
	return;
}

# failure(case): NULL if every way in says what jsonb says, else what it says.
sub create_check
{
	$node->safe_psql('postgres', <<~"SQL" . <<~'SQL');
		CREATE SEQUENCE person;
		CREATE TABLE verdict (id int PRIMARY KEY, failure text, state text);
		CREATE TABLE corpus (id int PRIMARY KEY, class text, whole boolean, bytes bytea);
		CREATE FUNCTION document_of(value bytea) RETURNS text LANGUAGE sql AS
			\$\$ SELECT convert_from('$begin'::bytea || value || '$middle'::bytea || value || '$end'::bytea, 'UTF8') \$\$;
		SQL
		-- the state that a statement ends with, '00000' if it does
		CREATE FUNCTION state_of(statement text, document text, person text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN
			EXECUTE statement USING document, person;
			RETURN '00000';
		EXCEPTION WHEN OTHERS THEN
			RETURN SQLSTATE;
		END
		$$;

		-- what has been stored by one way in, as text: nothing is rounded
		CREATE FUNCTION stored(person text, way text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN
			RETURN (SELECT concat_ws(' ', a.content_info::text, (a.visual_elements -> 'content')::text)
			FROM activityfeed.activity a WHERE a.user_id = person AND a.app_id = way);
		END
		$$;

		CREATE FUNCTION request_state(document text, person text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN
			RETURN (SELECT r.status || coalesce(' ' || (r.body -> 'error' ->> 'code'), '')
			FROM activityfeed.graph_request(person, 'request', 'PUT', '/me/activities/x', document) r);
		END
		$$;

		-- an element between two good ones: its error's code, 00000 for none
		CREATE FUNCTION batch_state(value text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN
			RETURN (SELECT string_agg(coalesce(r.error ->> 'code', '00000'), ' ' ORDER BY r.index)
			FROM activityfeed.add_external_activities('corpus', 'batch', format('[%1$s}, %1$s, "@x": %2$s}, %1$s}]',
				'{"type": "viewed", "startDateTime": "2024-01-01T00:00:00Z"', value)::json) r);
		END
		$$;

		-- document_limit and element_limit are the differences that are meant to
		-- be: whether the document, or the element, is too deep or too large
		CREATE FUNCTION failure(value bytea, whole boolean, document_limit boolean DEFAULT false, element_limit boolean DEFAULT false)
		RETURNS text LANGUAGE plpgsql AS $$
		DECLARE
			document text := CASE WHEN whole THEN convert_from(value, 'UTF8') ELSE document_of(value) END;
			json_state text := state_of('SELECT $1::json', document);
			jsonb_state text := state_of('SELECT $1::jsonb', document);
			good boolean := jsonb_state = '00000';
			expected text := CASE WHEN json_state <> '00000' THEN json_state WHEN NOT good THEN '22023' WHEN document_limit THEN '54000' ELSE '00000' END;
			should_be text;
			state text;
			person text := nextval('person');
			said text := '';
		BEGIN
			IF good THEN
				should_be := concat_ws(' ', (document::jsonb -> 'contentInfo')::text, (document::jsonb -> 'visualElements' -> 'content')::text);
			END IF;
			IF NOT whole AND good <> (state_of('SELECT $1::jsonb', format('{"v": %s}', convert_from(value, 'UTF8'))) = '00000') THEN
				said := said || ' the value alone has another verdict;';
			END IF;

			state := state_of($s$SELECT activityfeed.upsert_activity($2, 'json', $1::json)$s$, document, person);
			IF state <> expected OR stored(person, 'json') IS DISTINCT FROM (CASE WHEN state = '00000' THEN should_be END) THEN
				said := said || format(' json: %s, not %s, %s;', state, expected, left(stored(person, 'json'), 200));
			END IF;

			state := state_of($s$SELECT activityfeed.upsert_activity($2, 'jsonb', $1::jsonb)$s$, document, person);
			expected := CASE WHEN NOT good THEN jsonb_state
				WHEN document_limit OR octet_length(document::jsonb::text) > 1048576 THEN '54000' ELSE '00000' END;
			IF state <> expected OR stored(person, 'jsonb') IS DISTINCT FROM (CASE WHEN state = '00000' THEN should_be END) THEN
				said := said || format(' jsonb: %s, not %s, %s;', state, expected, left(stored(person, 'jsonb'), 200));
			END IF;

			state := request_state(document, person);
			expected := CASE WHEN NOT good THEN '400 BadRequest' WHEN octet_length(document) > 1048576 THEN '413 RequestTooLarge'
				WHEN document_limit THEN '400 BadRequest' ELSE '201' END;
			IF state <> expected OR stored(person, 'request') IS DISTINCT FROM (CASE WHEN state = '201' THEN should_be END) THEN
				said := said || format(' request: %s, not %s, %s;', state, expected, left(stored(person, 'request'), 200));
			END IF;

			IF NOT whole AND json_state = '00000' THEN
				state := batch_state(convert_from(value, 'UTF8'));
				expected := CASE WHEN NOT good THEN '00000 BadRequest 00000' WHEN element_limit THEN '00000 RequestTooLarge 00000' ELSE '00000 00000 00000' END;
				IF state IS DISTINCT FROM expected THEN
					said := said || format(' batch: %s, not %s;', state, expected);
				END IF;
			END IF;
			RETURN nullif(said, '');
		END
		$$;
		SQL
	return;
}

sub load_corpus
{
	my $file = $node->basedir . '/corpus';

	open my $out, '>', $file or die "could not write $file: $!";
	print $out join("\t", $_, $cases[$_]{class}, $cases[$_]{whole} ? 't' : 'f', '\\\\x' . unpack('H*', $cases[$_]{bytes})), "\n" for 0 .. $#cases;
	close $out;
	$node->safe_psql('postgres', "\\copy corpus FROM '$file'");
	return;
}

sub check_corpus
{
	my %count;

	$count{ $_->{class} }++ for @cases;
	# a transaction for some at a time: what a transaction has overwritten stays
	# in the way until it ends
	for (my $first = 0; $first < @cases; $first += 200)
	{
		$node->safe_psql('postgres', qq{
			INSERT INTO verdict
			SELECT id, failure(bytes, whole),
				state_of('SELECT \$1::jsonb', CASE WHEN whole THEN convert_from(bytes, 'UTF8') ELSE document_of(bytes) END)
			FROM corpus WHERE id >= $first AND id < $first + 200});
	}
	for my $class (sort keys %count)
	{
		is( $node->safe_psql('postgres', qq{
				SELECT c.id, left(encode(c.bytes, 'escape'), 100), v.failure
				FROM verdict v JOIN corpus c USING (id) WHERE c.class = '$class' AND v.failure IS NOT NULL ORDER BY 1 LIMIT 10}),
			'', "$class: $count{$class} cases");
	}
	# that the corpus has it all: what is good, and each way of jsonb to say no
	for my $state (qw(00000 22P02 22P05 22003))
	{
		cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM verdict WHERE state = '$state'"), '>', 5, "documents of which jsonb says $state");
	}
	is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT state, ' ' ORDER BY state) FROM verdict}), '00000 22003 22P02 22P05', 'and nothing else');
	return;
}

# Nesting up to the limit is jsonb's, past it the limit's: the opaque member is
# three levels down, in an element of a batch one.
sub check_depth
{
	for my $limit (4, 64, 1000)
	{
		my @queries;

		for my $depth ($limit - 4 .. $limit + 1)
		{
			for my $pair ([ '[', ']' ], [ '{"a":', '}' ], [ '[{"a":', '}]' ])
			{
				my $levels = length($pair->[1]);
				my $times = int($depth / $levels);
				my $value = $pair->[0] x $times . '1' . $pair->[1] x $times;
				my $deep = $times * $levels;

				push @queries, "SELECT '$deep of $pair->[0]', failure('$value'::bytea, false, $deep + 3 > $limit, $deep + 1 > $limit)";
			}
		}
		is( $node->safe_psql('postgres', "SET activityfeed.max_depth = $limit; SELECT * FROM ("
				  . join(' UNION ALL ', @queries) . ') q (name, failure) WHERE failure IS NOT NULL'),
			'', scalar(@queries) . " depths around a limit of $limit");
	}
	return;
}

# A document has a limit in bytes of its text, or of the text that jsonb makes
# of it, and an element has one too.
sub check_size
{
	my $around = length("$begin$middle$end");
	my $element = length('{"type": "viewed", "startDateTime": "2024-01-01T00:00:00Z", "@x": }');
	my $half = int((1048576 - $around) / 2) - 2;

	is($node->safe_psql('postgres', "SELECT failure(('\"' || repeat('x', $half) || '\"')::bytea, false)"), '', 'a document at the limit');
	is($node->safe_psql('postgres', "SELECT failure(('\"' || repeat('x', $half + 1) || '\"')::bytea, false, true)"), '', 'a document past the limit');
	for my $more (0, 1)
	{
		is( $node->safe_psql('postgres', "SELECT failure(('\"' || repeat('x', 1048576 - $element - 2 + $more) || '\"')::bytea, false, true, $more = 1)"),
			'', 'an element ' . ($more ? 'past' : 'at') . ' the limit');
	}
	is($node->safe_psql('postgres', "SELECT failure('[1e131071,1e131071,1e131071,1e131071]', false)"), '', 'a small text that is a large jsonb');
	return;
}

# Bytes that are no UTF-8 do not come in: the server refuses them first.
sub check_invalid_bytes
{
	for my $bytes ("\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe2\x82", "\xe2(\xa1", "\xe0\x80\xaf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x28\x8c\xbc",
		"\xf0\x80\x80\xaf", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "\xff\xfe")
	{
		my $name = unpack('H*', $bytes);

		my $document = "$begin\"$bytes\"$middle" . "1$end";
		my ($status, $out, $error) = $node->psql(
			'postgres', qq{
				\\set VERBOSITY sqlstate
				SELECT activityfeed.upsert_activity('invalid', 'app', '$document'::json);
				SELECT activityfeed.upsert_activity('invalid', 'app', '$document'::jsonb);
				SELECT activityfeed.graph_request('invalid', 'app', 'PUT', '/me/activities/x', '$document');
				SELECT activityfeed.add_external_activities('invalid', 'i', '[$document]');},
			on_error_stop => 0);

		is(join(' ', $error =~ /ERROR:  (\w+)$/mg), '22021 22021 22021 22021', "$name as json, jsonb, body and batch");
	}
	is($node->safe_psql('postgres', "SELECT state_of('SELECT convert_from(decode(\$1, ''hex''), ''UTF8'')::json', '2200')"), '22021', 'nor does a zero byte');
	return;
}
