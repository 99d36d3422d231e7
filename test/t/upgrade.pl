# pg_upgrade moves a server that has the extension, by copies and by links.
# After it the catalogs say the same, whatever reads answers the same, and
# numbers and ids go on.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use Answers;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = start_server('old');
my $bin = $old->config_data('--bindir');

create_document($old);
fill_feeds($old);
$old->safe_psql('postgres', q{
	CREATE ROLE backend;
	GRANT USAGE ON SCHEMA activityfeed TO backend;
	GRANT EXECUTE ON ALL ROUTINES IN SCHEMA activityfeed TO backend;
	GRANT SELECT ON activityfeed.activity TO backend});
my $expected = answers($old);
my $fingerprint = fingerprint($old);
my $empty = fingerprint_of_new($old);
$old->stop;

# Of a database in which the extension is new.
sub fingerprint_of_new
{
	my ($node) = @_;

	$node->safe_psql('postgres', 'CREATE DATABASE empty TEMPLATE template0');
	$node->safe_psql('empty', 'CREATE EXTENSION activityfeed');
	return fingerprint($node, 'empty');
}

# But for privileges on the row types of tables, which pg_upgrade does not know
# and leaves to the default.
sub difference
{
	my @fingerprints = map { join "\n", grep { !/^type activityfeed\.\w+: (0: initially|c C owner)/ } split /\n/ } @_;

	return fingerprint_difference(@fingerprints);
}

for my $mode ('copies', 'links')
{
	my $new = PostgreSQL::Test::Cluster->new($mode);

	$new->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
	# it writes scripts to where it is
	chdir $new->basedir or die $!;
	$new->command_ok([ 'pg_upgrade', ($mode eq 'links' ? '--link' : ()), '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bin, '-B', $bin,
		'-s', $new->host, '-p', $old->port, '-P', $new->port ], "pg_upgrade by $mode");
	$new->start;
	same_answers(answers($new), $expected, "$mode: everything answers as it did");
	is(difference(fingerprint($new), $fingerprint), '', "$mode: the catalogs say the same");
	is(difference(fingerprint($new, 'empty'), $empty), '', "$mode: also where there are no feeds");
	is(fingerprint_difference(fingerprint_of_copy($new), $empty), '', "$mode: and after a dump of that");
	is(broken_feeds($new), '', "$mode: the feeds are whole");
	is($new->safe_psql('postgres', q{
		WITH before AS MATERIALIZED (SELECT (SELECT max(id) FROM activityfeed.external_activity) AS id, change_number AS number
			FROM activityfeed.feed WHERE user_id = 'ada')
		SELECT r.id > before.id, a.change_number > before.number FROM before,
			activityfeed.add_external_activities('connection', 'item 1', '[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]') r,
			activityfeed.upsert_activity('ada', 'app 1', document('activity 1')) a}), 't|t', "$mode: ids and numbers go on");
	$new->stop;
}

# pg_dump has to know what is the extension's after pg_upgrade, too.
sub fingerprint_of_copy
{
	my ($node) = @_;
	my $file = $node->basedir . '/empty.dump';

	$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
	$node->command_ok([ 'pg_dump', '-Fc', '-f', $file, $node->connstr('empty') ], 'dumped');
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('copy'), $file ], 'and restored');
	return fingerprint($node, 'copy');
}

done_testing();
