# The server of examples/graph-server and the official client of Microsoft
# Graph understand each other.
#
# The server is started as the README says.  test/graph_client.js talks to it
# over https with the unmodified client and prints what comes; here is what has
# to come.  The client retries what it is told to retry: for that a trigger
# makes first attempts fail.
use strict;
use warnings;

use FindBin;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ActivityFeedTest;

my $root = "$FindBin::RealBin/../..";
my $example = "$root/examples/graph-server";
my $folder = PostgreSQL::Test::Utils::tempdir();
my ($certificate_command, $server_command) = readme_commands();

check_example();
foreach my $needed ([ 'openssl', 'version' ], [ 'node', '--version' ],
	map { [ 'node', '-e', "require('$_')" ] } 'pg', '@microsoft/microsoft-graph-client')
{
	next if succeeds(@$needed);
	my $name = join ' ', @$needed;
	diag("skipped: the client of Microsoft Graph, for \"$name\" fails");
  SKIP: { skip("\"$name\" fails", 1) }
	done_testing();
	exit;
}

ok(succeeds('sh', '-c', "cd '$folder' && $certificate_command"), 'the certificate is made as the README says');

my $node = start_server('graph_client');
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'postgres';
$ENV{PGUSER} = $node->safe_psql('postgres', 'SELECT current_user');
my ($server_out, $server_log) = ('', '');
my $server = IPC::Run::start([ 'sh', '-c', "cd '$folder' && exec env $server_command" ],
	'<', \undef, '>', \$server_out, '2>', \$server_log, IPC::Run::timeout(600));
$server->pump until $server_out =~ /^listening on (\S+)\n/m || !$server->pumpable;
my ($origin) = $server_out =~ /^listening on (\S+)\n/m;
like($origin, qr{^https://localhost:\d+$}, 'the server is started as the README says') or diag($server_log);

my $key = '/articles/ü?a=b&c#d 100%+';
my $item = '61fc8f36-919f-4b73-89d4-1cb7b159d912';
my $deep_item = '0a5d1f2e-7c44-4f1e-8a57-3f0c5a9d6b11';
my $id = $node->safe_psql('postgres', "SELECT activityfeed.activity_id('reader', '$key')");

utf8::decode($key);
# newest first in each list
check_scenario('walkThrough',
	'put' => { status => 201, location => "/me/activities/$id", type => 'application/json', body => $key },
	'location' => $key,
	'put again' => 200,
	'deep insert' => { status => 201, items => [ [ $deep_item, 60 ] ] },
	'exact numbers' => [ JSON::PP::true, JSON::PP::true ],
	'history put' => [ $item, '2026-01-02T10:00:00Z', 20, 'updated' ],
	'list' => [ 'no history', 'deep', $key ],
	'expand' => [ [ 'no history', [] ], [ 'deep', [$deep_item] ] ],
	'expand with a filter' => [ [ 'no history', 0 ], [ 'deep', 0 ], [ $key, 0 ] ],
	'expand with a wrong filter' => graph_error(400, 'BadRequest', qr/lastModifiedDateTime/, target => '$expand'),
	'recent' => [ $key, 'deep' ],
	'recent()' => [ $key, 'deep' ],
	'get' => 'Text of deep',
	'of others' => [],
	'delete item' => undef,
	'items after it' => [],
	'delete activity' => { status => 204, location => undef, type => undef, body => '' },
	'list after it' => [ 'no history', 'deep' ],
	'addActivities' => [ 207, [ undef, 'type', undef ] ],
	'addActivities by a user' =>
	  graph_error(403, 'accessDenied', 'The principal may not add external activities.', sameRequestId => JSON::PP::true),
	'400' => graph_error(
		400, 'RequestBodyRead',
		'Member "visualElements.displayText" must be a string, not a number.', target => 'visualElements.displayText'),
	'400 for an option' => graph_error(400, 'BadRequest', qr/select/, target => '$select'),
	'404' => graph_error(404, 'itemNotFound', 'The user has no activity with this id in this app.'),
	'405' => graph_error(405, 'MethodNotAllowed', 'The methods of this resource are: GET, PUT, DELETE.'),
	'401' => graph_error(401, 'InvalidAuthenticationToken', 'The request needs a valid bearer token.',
		sameRequestId => JSON::PP::true));
is($node->safe_psql('postgres', q{SELECT string_agg(type::text, ',' ORDER BY id) FROM activityfeed.external_activity}),
	'viewed,commented', 'of the batch, the good elements are stored once');

check_scenario('pages',
	'first page' => [ 50, JSON::PP::true ],
	'iterated' => [ JSON::PP::true, 500, JSON::PP::true ]);

# 401 and 413 are the server's, the others the function's
my %json = (type => 'application/json', retryAfter => undef, authenticate => undef, internals => JSON::PP::false);
my $members = 'code,innerError,message';
check_scenario('oddities',
	'no token' => { %json, status => 401, code => 'InvalidAuthenticationToken', members => $members, authenticate => 'Bearer' },
	'another scheme' => 401,
	'a name of JavaScript' => 401,
	'no body' => { %json, status => 400, code => 'BadRequest', members => 'code,message' },
	'UTF-8' => 201,
	'no UTF-8' => 400,
	'a zero byte' => 400,
	'too long' => { %json, status => 413, code => 'RequestTooLarge', members => $members },
	'no such path' => 404,
	'alive' => 200);
is($server_log, '', 'nothing of that is an error of the server');

$node->safe_psql(
	'postgres', q{
	CREATE SEQUENCE serializations;
	CREATE SEQUENCE losses;
	CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.app_activity_id = 'always'
			OR (NEW.app_activity_id = 'serialize' AND nextval('serializations') = 1) THEN
			RAISE 'a secret conflict' USING ERRCODE = 'serialization_failure';
		ELSIF NEW.app_activity_id = 'lose' AND nextval('losses') = 1 THEN
			PERFORM pg_terminate_backend(pg_backend_pid());
			PERFORM pg_sleep(60);
		ELSIF NEW.app_activity_id = 'raise' THEN
			RAISE 'a secret of the trigger';
		END IF;
		RETURN NEW;
	END
	$$;
	CREATE TRIGGER fail BEFORE INSERT ON activityfeed.activity FOR EACH ROW EXECUTE FUNCTION fail();
	CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_terminate_backend(pg_backend_pid());
		PERFORM pg_sleep(60);
	END
	$$;
	CREATE TRIGGER lose BEFORE INSERT ON activityfeed.external_activity FOR EACH ROW EXECUTE FUNCTION lose()});
my %unavailable = (%json, status => 503, code => 'serviceNotAvailable', members => $members, retryAfter => '1');
check_scenario('failures',
	'serialization failure' => 'serialize',
	'connection lost' => 'lose',
	'500' => graph_error(500, 'generalException', 'The request could not be carried out.', sameRequestId => JSON::PP::true),
	'plain 503' => {%unavailable},
	'plain 500' => { %json, status => 500, code => 'generalException', members => $members },
	'connection lost by a POST' => 500);
is( $node->safe_psql('postgres', q{SELECT s.last_value, l.last_value FROM serializations s, losses l}),
	'2|2', 'what failed was sent again, once');
$server->pump_nb;
like($server_log, qr/^[0-9a-f-]{36} PUT: P0001 a secret of the trigger$/m, 'the log has the error with its request id');

# a connection that is idle when the database stops does not end the server
check_scenario('up', 'up' => 200);
$node->stop;
check_scenario('down', 'down' => {%unavailable}, 'nothing added' => 503);
$node->start;
check_scenario('up', 'up' => 200);

$server->signal('TERM');
$server->finish;
is($server->result(0), 0, 'the server ends when it is told to');
$node->stop;

done_testing();

# The two commands of the README that the test needs: for a certificate, and
# for the server, which gets a free port.
sub readme_commands
{
	my $readme = slurp_file("$root/README.md");
	my ($certificate) = $readme =~ /^(openssl req .*)$/m;
	my ($start) = $readme =~ /^(TOKENS=.* node server\.js)$/m;

	$start =~ s/PORT=8443/PORT=0/;
	$start =~ s{TOKENS=}{TOKENS=$example/};
	$start =~ s{server\.js}{$example/server.js};
	return ($certificate, $start);
}

# What is said of the example without running it.
sub check_example
{
	my $package = decode_json(slurp_file("$example/package.json"));
	my $server = slurp_file("$example/server.js");
	my $ci = -e "$root/.ci/run" ? slurp_file("$root/.ci/run") : undef;

	cmp_ok(scalar(my @lines = split /\n/, $server), '<=', 150, 'the server has at most 150 lines');
	is_deeply([ grep { !/^node:/ } $server =~ /require\('([^']+)'\)/g ], ['pg'], 'and needs pg only');
	is_deeply([ keys %{ $package->{dependencies} } ], ['pg'], 'so does its package');
	like($_, qr/^\d+\.\d+\.\d+$/, 'a version is pinned')
	  foreach values %{ $package->{dependencies} }, values %{ $package->{devDependencies} };
	return;
}

sub succeeds
{
	my (@command) = @_;
	my $ignored = '';
	return eval { IPC::Run::run \@command, '<', \undef, '>', \$ignored, '2>', \$ignored };
}

# An error as the client shows it.  message may be a pattern.
sub graph_error
{
	my ($status, $code, $message, %more) = @_;
	return { isGraphError => JSON::PP::true, statusCode => $status, code => $code, message => $message, %more };
}

# Every step of a scenario comes, in order, with what is expected of it.
sub check_scenario
{
	my ($scenario, @expected) = @_;
	my ($stdout, $stderr) = ('', '');
	local $ENV{NODE_EXTRA_CA_CERTS} = "$folder/cert.pem";

	IPC::Run::run [ 'node', "$root/test/graph_client.js", $origin, $scenario ],
	  '<', \undef, '>', \$stdout, '2>', \$stderr, IPC::Run::timeout(300);
	is($stderr, '', "$scenario comes to its end");
	my @came = map { decode_json($_) } split /\n/, $stdout;
	while (my ($step, $value) = splice @expected, 0, 2)
	{
		my $came = shift @came // [ 'nothing', undef ];
		if (ref $value eq 'HASH' && ref $value->{message})
		{
			like(delete $came->[1]{message}, delete $value->{message}, "$scenario, $step: the message");
		}
		is_deeply($came, [ $step, $value ], "$scenario: $step") or diag(explain($came));
	}
	is_deeply(\@came, [], "$scenario has no more steps");
	return;
}
