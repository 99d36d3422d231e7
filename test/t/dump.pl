# pg_dump takes the feeds along, in every format and in parts: tables, and the
# sequence without which the first batch after a restore would meet an id that
# is already there.  What was restored answers as the original does.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use Answers;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('dump');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $external = q{'[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]'};

create_document($node);
fill_feeds($node);
$node->safe_psql('postgres', q{
	CREATE ROLE backend;
	GRANT USAGE ON SCHEMA activityfeed TO backend;
	GRANT EXECUTE ON ALL ROUTINES IN SCHEMA activityfeed TO backend;
	GRANT SELECT, INSERT, UPDATE, DELETE ON activityfeed.feed, activityfeed.activity, activityfeed.history_item TO backend;
	GRANT SELECT, INSERT ON activityfeed.external_activity TO backend;
	GRANT USAGE ON TYPE activityfeed.status TO backend});

my $expected = answers($node);
my $fingerprint = fingerprint($node);

# Dumps with some options; the name of what comes out.
my $dumps = 0;
sub dumped
{
	my (@options) = @_;
	my $file = "$folder/feeds." . ++$dumps;

	$node->command_ok([ 'pg_dump', @options, '-f', $file, $node->connstr('postgres') ], "dumped: @options");
	return $file;
}

# Runs each command on a new database, which then has to be as the original.
my $copies = 0;
sub restored
{
	my ($name, $prepare, @commands) = @_;
	my $copy = 'copy_' . ++$copies;

	$node->safe_psql('postgres', "CREATE DATABASE $copy TEMPLATE template0");
	$node->safe_psql($copy, $prepare) if $prepare ne '';
	$node->command_ok([ $_->[0], '-d', $node->connstr($copy), @$_[ 1 .. $#$_ ] ], "$name: restored") for @commands;
	create_helpers($node, $copy);
	same_answers(answers($node, $copy), $expected, "$name: everything answers as it did");
	is(broken_feeds($node, $copy), '', "$name: the feeds are whole");
	is($node->safe_psql($copy, qq{
		WITH before AS MATERIALIZED (SELECT max(id) AS id FROM activityfeed.external_activity)
		SELECT r.id > before.id FROM before, activityfeed.add_external_activities('connection', 'item 1', $external) r}),
		't', "$name: ids go on after those that were restored");
	is($node->safe_psql($copy, q{
		WITH before AS MATERIALIZED (SELECT change_number AS number FROM activityfeed.feed WHERE user_id = 'grace')
		SELECT activityfeed.was_created(a), a.change_number = before.number + 1
		FROM before, activityfeed.upsert_activity('grace', 'app 1', '{"appActivityId": "activity 5", "activitySourceHost": "example.com",
			"activationUrl": "example:open", "visualElements": {"displayText": "x"}}') a}),
		't|t', "$name: and so do change numbers");
	return $copy;
}

my @restore = ('pg_restore', '--exit-on-error');
my @psql = ('psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-f');

my $custom = dumped('-Fc');
my $copy = restored('custom format', '', [ @restore, $custom ]);
is(fingerprint_difference(fingerprint($node, $copy), $fingerprint), '', 'custom format: the catalogs say the same, grants too');
{
	# sessions may come before their activities
	local $ENV{PGOPTIONS} = '-c session_replication_role=replica';
	restored('several jobs', '', [ @restore, '-j2', dumped('-Fd', '-j2') ]);
}

restored('plain format', '', [ @psql, dumped('-Fp') ]);
restored('as statements', '', [ @psql, dumped('--rows-per-insert=10') ]);
restored('in sections', '', map { [ @restore, "--section=$_", $custom ] } qw(pre-data data post-data));
restored('dumped in sections', '', map { [ @psql, dumped("--section=$_") ] } qw(pre-data data post-data));
restored('data into a new extension', 'CREATE EXTENSION activityfeed', [ @psql, dumped('--data-only') ]);
restored('over one that is there', 'CREATE EXTENSION activityfeed', [ @restore, '--clean', '--if-exists', $custom ]);

$node->stop;
done_testing();
