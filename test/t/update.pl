# ALTER EXTENSION .. UPDATE leads to what CREATE EXTENSION makes: for every
# script that there is, by a fingerprint of the catalogs.  While there is one
# version only, a second one is made up here.  Each of its statements is left
# out of the step script once: the fingerprint has to tell.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use Answers;
use PostgreSQL::Test::Utils;
use Test::More;

# What a next version could bring.
my @statements = (
	'CREATE TABLE activityfeed.extra (id int NOT NULL, size int, twice int GENERATED ALWAYS AS (size * 2) STORED)',
	q{COMMENT ON TABLE activityfeed.extra IS 'More'},
	q{COMMENT ON COLUMN activityfeed.extra.id IS 'Which'},
	'ALTER TABLE activityfeed.extra ADD CONSTRAINT extra_pkey PRIMARY KEY (id)',
	'ALTER TABLE activityfeed.extra ADD CONSTRAINT extra_size CHECK (size > 0)',
	'ALTER TABLE activityfeed.extra ALTER size SET DEFAULT 1',
	'CREATE INDEX extra_size_idx ON activityfeed.extra (size) WHERE size > 1',
	q{SELECT pg_catalog.pg_extension_config_dump('activityfeed.extra', '')},
	'ALTER TABLE activityfeed.extra ENABLE ROW LEVEL SECURITY',
	'CREATE POLICY extra_policy ON activityfeed.extra FOR SELECT USING (size > 2)',
	'ALTER TABLE activityfeed.extra SET (fillfactor = 70)',
	'ALTER TABLE activityfeed.extra REPLICA IDENTITY FULL',
	'ALTER TABLE activityfeed.feed ADD note text',
	'CREATE FUNCTION activityfeed.extra_function(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$',
	'ALTER FUNCTION activityfeed.extra_function(int) STABLE STRICT',
	'ALTER FUNCTION activityfeed.activity_id(text, text) COST 5',
	'REVOKE ALL ON FUNCTION activityfeed.extra_function(int) FROM PUBLIC',
	q{ALTER TYPE activityfeed.identity_type ADD VALUE 'extra' BEFORE 'group'},
	'ALTER TYPE activityfeed.graph_response ADD ATTRIBUTE extra int',
	'CREATE CAST (activityfeed.feed AS text) WITH INOUT AS ASSIGNMENT',
	'ALTER SEQUENCE activityfeed.external_activity_id_seq CACHE 10',
	'CREATE OR REPLACE VIEW activityfeed.extra_view AS SELECT id FROM activityfeed.extra',
	'ALTER EXTENSION activityfeed DROP VIEW activityfeed.extra_view',
	q{COMMENT ON SCHEMA activityfeed IS 'Even more'});

my $node = PostgreSQL::Test::Cluster->new('update');
my $stage = PostgreSQL::Test::Utils::tempdir . '/stage';

$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
my $destination = $node->safe_psql('postgres', q{SELECT setting FROM pg_settings WHERE name = 'extension_destdir'});

my $databases = 0;
sub new_database
{
	my (@commands) = @_;
	my $name = 'd' . ++$databases;

	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0");
	$node->safe_psql($name, join ';', @commands);
	return $name;
}

sub fingerprint_after
{
	my (@commands) = @_;
	my $database = new_database(@commands);
	my $fingerprint = fingerprint($node, $database);

	$node->safe_psql('postgres', "DROP DATABASE $database");
	return $fingerprint;
}

# What is really there: the versions that have a script of their own, and those
# that a step leads to.
my $folder = $destination . $node->config_data('--sharedir') . '/extension';
my @scripts = map { m{/activityfeed--([^/]*)\.sql\z} } glob "$folder/activityfeed--*.sql";
my @bases = grep { !/--/ } @scripts;
my %targets = map { $_ => 1 } map { /--(.*)/ } @scripts;
my ($version) = slurp_file("$folder/activityfeed.control") =~ /^default_version = '(.*)'/m;
my $fresh = fingerprint_after('CREATE EXTENSION activityfeed');
cmp_ok(scalar(split /\n/, $fresh), '>', 300, 'a fingerprint has many lines');
is(fingerprint_difference(fingerprint_after("CREATE EXTENSION activityfeed VERSION '$version'"), $fresh), '', 'and is the same twice');
for my $source (@bases)
{
	for my $target (grep { $_ ne $source } sort keys %targets)
	{
		is( fingerprint_difference(
				fingerprint_after("CREATE EXTENSION activityfeed VERSION '$source'", "ALTER EXTENSION activityfeed UPDATE TO '$target'"),
				fingerprint_after("CREATE EXTENSION activityfeed VERSION '$target'")), '', "from $source to $target");
	}
}

SKIP:
{
	skip 'this server takes extensions from one place only', 1 if $destination eq '';
	# The next version, in a stage of its own.
	system_or_bail('cp', '-R', $destination, $stage);
	$folder = $stage . $node->config_data('--sharedir') . '/extension';
	my $base = slurp_file("$folder/activityfeed--$version.sql");
	write_script("$folder/activityfeed--next.sql", $base, @statements);
	$node->append_conf('postgresql.conf', "extension_destdir = '$stage'");
	$node->restart;

	my $next = fingerprint_after(q{CREATE EXTENSION activityfeed VERSION 'next'});
	my $step = "$folder/activityfeed--$version--next.sql";
	my @update = ("CREATE EXTENSION activityfeed VERSION '$version'", q{ALTER EXTENSION activityfeed UPDATE TO 'next'});
	write_script($step, '', @statements);
	is(fingerprint_difference(fingerprint_after(@update), $next), '', 'a whole step leads to the same');

	for my $forgotten (0 .. $#statements)
	{
		write_script($step, '', @statements[ grep { $_ != $forgotten } 0 .. $#statements ]);
		my $difference = eval { fingerprint_difference(fingerprint_after(@update), $next) } // 'an error';
		isnt($difference, '', "a step without $statements[$forgotten] does not");
	}

	# A session that has planned everything, and its feeds, go through an update.
	write_script($step, '', @statements);
	my $database = new_database("CREATE EXTENSION activityfeed VERSION '$version'");
	create_document($node, $database);
	fill_feeds($node, $database);
	my $session = $node->background_psql($database);
	my $before = split_answers($session->query_safe(answers_script()));
	$session->query_safe(fill_script());
	my $changed = split_answers($session->query_safe(answers_script()));
	isnt($changed->{feed}, $before->{feed}, 'the session writes');
	$node->safe_psql($database, q{ALTER EXTENSION activityfeed UPDATE TO 'next'});
	my $after = split_answers($session->query_safe(answers_script()));
	# the table has one more column, the type of an answer one more
	$_ = join "\n", map { s/\|\z//r } split /\n/ for @$after{ 'feed', 'graph_request(text,text,text,text,text)' };
	$_ = join "\n", map { s/\|\z//r } split /\n/ for @$changed{ 'feed', 'graph_request(text,text,text,text,text)' };
	same_answers($after, $changed, 'it answers the same after an update in another session');
	$session->query_safe(fill_script());
	$session->quit;
	is(broken_feeds($node, $database), '', 'and writes on');
}

sub write_script
{
	my ($file, @statements) = @_;

	open my $script, '>', $file or die "$file: $!";
	print $script join(";\n", @statements), ";\n";
	close $script;
	return;
}

$node->stop;
done_testing();
