#!/usr/bin/perl

# Every example in conf/ is started and does what it says.  Ports and paths are
# the only things that are changed.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep time);

use lib dirname(__FILE__) . '/lib';

use HttpClient;
use NginxControl;
use NginxProcess;
use RedisServer;
use TestPorts;

my $top = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{BUILD} || "$top/build";
my $module = $ENV{AGILICUS_MODULE} || "$build/ngx_agilicus_token_module.so";
my $authority = $ENV{AGILICUS_AUTHORITY} || "$build/agilicus-authority";

plan skip_all => 'agilicus-authority is not built' if !-x $authority;

my $tmp = tempdir('agilicus-examples-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my @pids;
my $owner = $$;


# Two authorities with keys of their own

sub start_authority {
    my ($name) = @_;

    my $pid = open my $out, '-|';

    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        open STDIN, '<', '/dev/null';
        exec $authority, '--listen', '127.0.0.1:0', '--db', "$tmp/$name.db",
             '--seed', "$top/conf/organisation.json" or exit 127;
    }

    push @pids, $pid;

    my $line = <$out>;

    die "the authority did not start\n"
        if !defined $line || $line !~ /:(\d+)$/;

    return { port => $1, out => $out, db => "$tmp/$name.db" };
}


sub issue {
    my ($api, $what) = @_;

    open my $out, '-|', $authority, '--db', $api->{db}, '--seed',
        "$top/conf/organisation.json", '--issue', $what
        or die "$authority: $!\n";

    my $token = <$out>;

    close $out;
    chomp $token;

    return $token;
}


# As an administrator does it elsewhere

sub revoke {
    my ($api, $token) = @_;

    my $res = HttpClient->new(port => $api->{port})->request(
        POST => '/v1/tokens/revoke',
        headers => { 'Content-Type' => 'application/json' },
        body => qq({"token":"$token"}));

    is($res->{status}, 204, 'the API takes a revocation');
}


END {
    if ($$ == $owner) {
        my $status = $?;

        kill 'TERM', @pids if @pids;
        waitpid $_, 0 for @pids;
        $? = $status;
    }
}


my $api = start_authority('city');
my $other = start_authority('other');
my $redis = RedisServer->start(port => 1);

my %tokens = (
    amelia  => issue($api, 'sub=amelia.hart,org=riverton'),
    ben     => issue($api, 'sub=ben.osei,org=riverton'),
    chloe   => issue($api, 'sub=chloe.tremblay,org=riverton-water'),
    revoked => issue($api, 'sub=ben.osei,org=riverton,revoked=1'),
    partner => issue($other, 'sub=ben.osei,org=riverton'),
    endless => issue($other, 'sub=ben.osei,org=riverton,never=1'),
    garbage => 'garbage',
    fleet   => issue($api, 'sub=ben.osei,org=riverton'),
    one     => issue($api, 'sub=ben.osei,org=riverton'),
    dev     => issue($api, 'sub=dev.patel,org=riverton-library'),
    dev2    => issue($api, 'sub=dev.patel,org=riverton-library'),
    erin    => issue($api, 'sub=erin.walsh,org=riverton-water'),
    erin2   => issue($api, 'sub=erin.walsh,org=riverton-water'),
    night   => issue($api, 'sub=erin.walsh,org=riverton-water,session=night'),
    chloe2  => issue($api, 'sub=chloe.tremblay,org=riverton-water'),
    edge    => issue($api, 'sub=edge,org=riverton'),
    joao    => issue($api, 'sub=joao.mendes,org=riverton'),
    'ben-now'  => issue($api, 'sub=ben.osei,org=riverton,mfa=-1m'),
    'ben-then' => issue($api, 'sub=ben.osei,org=riverton,mfa=-20m'),
    'joao-now' => issue($api, 'sub=joao.mendes,org=riverton,mfa=-1m'),
);


sub revoke_session {
    my ($api, $user, $session) = @_;

    my $res = HttpClient->new(port => $api->{port})->request(
        POST => '/v1/sessions/bulk_revoke',
        headers => { 'Content-Type' => 'application/json',
                     Authorization => "Bearer $tokens{edge}" },
        body => qq({"user_id":"$user","session_id":"$session"}));

    is($res->{status}, 200, 'the API revokes a session');
}


# Of each example: requests, as [ method, path, token, status, what else,
# headers, body ]; "what else" is text that is in the answer, or code that
# gets it.

my $bare = 'WWW-Authenticate: Bearer realm="agilicus"';
my $key = encode_base64('ben.osei@riverton.example:demo-key-of-ben', '');

my %examples = (

    'minimal.conf' => [
        [ GET => '/', undef, 200, 'the app got: GET /' ],
        [ GET => '/api/x', undef, 401, "$bare\r\n" ],
        [ GET => '/api/x', 'ben', 200, 'the app got: GET /api/x' ],
        [ GET => '/api/x', 'revoked', 401, "$bare, error=\"invalid_token\"" ],
        [ GET => '/api/x', 'garbage', 401, "$bare, error=\"invalid_token\"" ],
    ],

    'scopes.conf' => [
        [ GET => '/', undef, 401, "$bare\r\n" ],
        [ GET => '/', 'ben', 200, 'the app got' ],
        [ GET => '/users/', 'ben', 200, 'the app got' ],
        [ GET => '/users/', 'chloe', 403, 'error="insufficient_scope", '
          . 'scope="urn:agilicus:users:viewer urn:agilicus:app:files:reader"' ],
        [ GET => '/files/', 'ben', 200, 'the app got' ],
        [ GET => '/files/', 'amelia', 403, 'error="insufficient_scope"' ],
        [ GET => '/apps/meters/1', 'chloe', 200, 'the app got' ],
        [ GET => '/apps/meters/1', 'ben', 403, 'insufficient_scope' ],
        [ GET => '/apps/permits/1', 'ben', 200, 'the app got' ],
        [ GET => '/apps/others/1', 'ben', 403, 'insufficient_scope' ],
        [ GET => '/accounts/', 'ben', 200, 'the app got' ],
        [ POST => '/accounts/', 'ben', 403,
          'scope="urn:agilicus:users:owner"' ],
        [ POST => '/accounts/', 'amelia', 200, 'the app got: POST' ],
    ],

    'step_up.conf' => [
        [ GET => '/', 'ben', 200, 'the app got' ],
        [ GET => '/permits/approve/1', 'ben-now', 200, 'the app got' ],
        [ GET => '/permits/approve/1', 'ben', 401, "$bare, "
          . 'error="insufficient_user_authentication", max_age="900"' ],
        [ GET => '/permits/approve/1', 'ben-then', 401, "$bare, "
          . 'error="insufficient_user_authentication", max_age="900"' ],
        [ GET => '/permits/approve/1', 'joao-now', 403,
          'error="insufficient_scope"' ],
        [ GET => '/shares/plans/a', 'joao', 200, 'the app got' ],
        [ GET => '/shares/other/a', 'joao', 403, 'insufficient_scope' ],
        [ GET => '/shares/plans/a', 'ben', 403, 'insufficient_scope' ],
    ],

    'report.conf' => [
        [ GET => '/', undef, 200, 'the app got' ],
        [ GET => '/', 'revoked', 200, 'the app got' ],
        [ GET => '/', 'ben', 200, sub {
              my ($res, $nginx) = @_;

              my $log = access_log($nginx, 3);

              like($log, qr/200 verdict=missing reason=no_token /,
                   'what would have been refused is logged');
              like($log, qr/200 verdict=revoked reason=revoked /,
                   'and why');
              like($log, qr/200 verdict=active reason= cache=MISS /,
                   'and what would not');
          } ],
    ],

    'optional.conf' => [
        [ GET => '/', undef, 200, "user:         \norganisation: \n",
          { 'X-User' => 'forged' } ],
        [ GET => '/', 'amelia', 200, 'user:         amelia.hart' ],
        [ GET => '/', undef, 200, "user:         \norganisation: \n" ],
        [ GET => '/', 'revoked', 401, 'error="invalid_token"' ],
        [ GET => '/account', undef, 401, "$bare\r\n" ],
        [ GET => '/account', 'amelia', 200, sub {
              my ($res, $nginx) = @_;

              like(access_log($nginx, 6), qr/200 verdict=anonymous reason= /,
                   'the log says who had no token');
          } ],
    ],

    'discovery.conf' => [
        [ GET => '/mcp', undef, 401, sub {
              my ($res, $nginx) = @_;

              is($res->{body}, '{"type":"about:blank",'
                 . qq("title":"Unauthorized","status":401}\n),
                 'a program can read the refusal');

              my ($path) = $res->{raw_headers} =~ m{resource_metadata="
                  http://127\.0\.0\.1:\d+(/[^"]+)"}x;

              like($nginx->get($path)->{body},
                   qr{"authorization_servers": \["https://[^"]+"\]},
                   'the document that it names says where tokens come from');
          } ],
        [ GET => '/mcp', 'ben', 200, 'the app got' ],
    ],

    'websocket.conf' => [
        [ GET => '/ws/', undef, 200, sub {
              my ($res) = @_;

              my ($tail) = $tokens{ben} =~ /(.{8})\z/;

              like($res->{body}, qr/^token:        ends in \Q$tail\E$/m,
                   'the application gets the token as credentials');
          }, { Upgrade => 'websocket', 'Sec-WebSocket-Protocol' =>
               "chat, bearer.$tokens{ben}" } ],
        [ GET => '/ws/', undef, 401, "$bare\r\n",
          { 'Sec-WebSocket-Protocol' => "chat, bearer.$tokens{ben}" } ],
        [ GET => '/ws/', undef, 400, 'error="invalid_request"',
          { Upgrade => 'websocket',
            'Sec-WebSocket-Protocol' => 'chat, bearer.' } ],
    ],

    'apis.conf' => [
        [ GET => '/', 'ben', 200, 'the app got' ],
        [ GET => '/', 'partner', 401, 'realm="City of Riverton", '
          . 'error="invalid_token"' ],
        [ GET => '/partners/', 'partner', 200, 'the app got' ],
        [ GET => '/partners/', 'ben', 401, 'realm="partners", '
          . 'error="invalid_token"' ],
        [ GET => '/partners/', 'endless', 401, 'error="invalid_token"' ],
        [ GET => '/payments/', 'ben', 200, 'the app got' ],
        [ GET => '/payments/', 'revoked', 401, 'error="invalid_token"' ],
    ],

    'satisfy.conf' => [
        [ GET => '/metrics/', undef, 200, sub {
              unlike($_[0]{raw_headers}, qr/WWW-Authenticate/i,
                     'no challenge on what is allowed');
          } ],
        [ GET => '/office/', 'ben', 403 ],
        [ GET => '/legacy/', undef, 401, 'Bearer realm="agilicus"' ],
        [ GET => '/legacy/', 'ben', 200, 'the app got' ],
        [ GET => '/legacy/', 'Basic bGVnYWN5OmV4YW1wbGU=', 200,
          'the app got' ],
        [ GET => '/legacy/', 'Basic bGVnYWN5Ondyb25n', 401 ],
    ],

    'identity.conf' => [
        [ GET => '/api/', 'chloe', 200, "user:         chloe.tremblay\n"
          . "organisation: riverton-water\n", { 'X-User' => 'forged' } ],
        [ GET => '/', undef, 200, "user:         \norganisation: \n",
          { 'X-User' => 'forged', 'X-Org' => 'forged' } ],
        [ GET => '/api/', 'ben', 200, sub {
              my ($res, $nginx) = @_;

              my $log = access_log($nginx, 3);

              like($log, qr/user=chloe\.tremblay org=riverton-water /,
                   'the log says who it was');
              unlike($log, qr/\Q$tokens{chloe}\E/, 'and has no token in it');
          } ],
    ],

    'api_keys.conf' => [
        [ GET => '/git/', undef, 401, "$bare\r\nWWW-Authenticate: Basic "
          . 'realm="agilicus", charset="UTF-8"' ],
        [ GET => '/git/', "Basic $key", 200, 'token:        ends in ' ],
        [ GET => '/git/', 'ben', 200, 'the app got' ],
        [ GET => '/git/', 'Basic eDp5', 401, 'error="invalid_token"' ],
        [ GET => '/packages/', "Basic $key", 200,
          "user:         ben.osei\norganisation: riverton\n"
          . "token:        none\n" ],
        [ GET => '/', "Basic $key", 401, "$bare\r\n" ],
        [ GET => '/', 'ben', 200, 'the app got' ],
    ],

    'revoke.conf' => [
        [ GET => '/api/', 'one', 200, 'the app got' ],
        [ GET => '/signout', 'one', 405 ],
        [ POST => '/signout', undef, 401, "$bare\r\n" ],
        [ POST => '/signout', 'one', 204 ],
        [ GET => '/api/', 'one', 401, 'error="invalid_token"' ],
        [ GET => '/api/', 'dev', 200, 'the app got' ],
        [ POST => '/signout_everywhere', 'dev2', 204 ],
        [ GET => '/api/', 'dev', 401, 'error="invalid_token"' ],
        [ POST => '/denials', 'ben', 403 ],
        [ GET => '/api/', 'erin', 200, 'the app got' ],
        [ POST => '/denials', 'edge', 204, undef,
          { 'Content-Type' => 'application/json' },
          '{"sub":["erin.walsh"]}' ],
        [ GET => '/api/', 'erin', 401, 'error="invalid_token"' ],
    ],

    'reissue.conf' => [
        [ GET => '/reports/', 'erin2', 200, sub {
              my ($res) = @_;

              like($res->{body}, qr/^token:        ends in [\w-]{8}$/m,
                   'the application gets a token');
              unlike($res->{body}, qr/ends in \Q@{[
                     substr $tokens{erin2}, -8 ]}\E/,
                     'which is not that of the client');
          } ],
        [ GET => '/reports/', 'chloe', 403,
          'error="insufficient_scope"' ],
        [ GET => '/meters/', 'amelia', 200, sub {
              my ($res, $nginx) = @_;

              my $city = $nginx->get('/reports/', headers => {
                  Authorization => "Bearer $tokens{amelia}" });

              my @tails = map { $_->{body} =~ /ends in ([\w-]{8})$/m }
                              $res, $city;

              is(@tails, 2, 'each application gets a token');
              isnt($tails[0], $tails[1], 'which is that of no other');
              isnt($_, substr($tokens{amelia}, -8), 'nor of the client')
                  for @tails;
          } ],
        [ GET => '/meters/', 'ben', 403, 'error="insufficient_scope"' ],
        [ GET => '/files/', 'chloe', 200,
          "user:         chloe.tremblay\norganisation: riverton-water\n"
          . "token:        none\n", { 'X-User' => 'forged' } ],
    ],

    'create.conf' => [
        [ GET => '/meters/', undef, 401, 'Basic realm="legacy clients"' ],
        [ GET => '/meters/', 'Basic bGVnYWN5OmV4YW1wbGU=', 200, sub {
              my ($res) = @_;

              like($res->{body},
                   qr/^user:\s+meter-gateway\norganisation:\s+riverton-water\n
                      token:\s+ends\s/mx,
                   'the application gets a token and is told whose it is');
          } ],
        [ GET => '/meters/', 'Basic bGVnYWN5Ondyb25n', 401 ],
    ],

    'mtls.conf' => [
        [ GET => '/meters/', undef, 400, sub {
              my ($res, $nginx) = @_;

              my $dir = $nginx->prefix . '/logs';
              my $curl = "curl -s -i --cacert $dir/ca.pem "
                  . 'https://localhost:' . $nginx->port . '/meters/ '
                  . "--connect-to ::127.0.0.1: ";
              my $known = "--cert $dir/meter-7.pem --key $dir/meter-7.key";

              like(scalar `$curl $known`,
                   qr/^user:\s+meter-gateway\norganisation:\s+riverton-water\n
                      token:\s+ends\s/mx,
                   'a device that is known by its certificate gets a token');
              like(scalar `$curl -H 'Authorization: Bearer $tokens{chloe}'`,
                   qr/^user:\s+chloe\.tremblay$/m,
                   'a client with a token needs no certificate');
              like(scalar `$curl`, qr/ 401 .*Bearer realm="agilicus"\r\n/s,
                   'a client with neither is asked for a token');
              like(scalar `$curl @{[ $known =~ s/meter-7/localhost/gr ]}`,
                   qr/ 401 /, 'and so is one that is not listed');
          } ],
    ],

    'status.conf' => [
        [ GET => '/', 'ben', 200, 'the app got' ],
        [ GET => '/status?format=prometheus', undef, 200,
          "# TYPE agilicus_token_" ],
        [ GET => '/status?format=json', undef, 200, '"verdicts"' ],
        [ GET => '/status', undef, 200, '<html' ],
        [ DELETE => '/status?all=1', undef, 405 ],
        [ DELETE => '/forget?all=1', 'ben', 403 ],
        [ DELETE => '/forget?all=1', 'edge', 204 ],
    ],

    'rules.conf' => [
        [ GET => '/meters/4711/readings', 'chloe', 200, 'the app got',
          { Host => 'meters.water.riverton.example' } ],
        [ GET => '/meters/4711/readings', undef, 401, "$bare\r\n",
          { Host => 'meters.water.riverton.example' } ],
        [ PUT => '/meters/4711/readings', 'chloe', 403,
          "$bare, error=\"insufficient_scope\"\r\n",
          { Host => 'meters.water.riverton.example' } ],
        [ GET => '/meters/4711/../../admin', 'chloe', 403, undef,
          { Host => 'meters.water.riverton.example' } ],
        [ GET => '/meters/4711/readings', 'ben', 403, undef,
          { Host => 'meters.water.riverton.example' } ],
        [ GET => '/api/permits/7', 'ben', 200, 'the app got' ],
        [ DELETE => '/api/permits/7', 'ben', 403 ],
        [ GET => '/api/permits/7', 'chloe', 403 ],
    ],

    'feed.conf' => [
        [ GET => '/', 'chloe2', 200, 'the app got' ],
        [ GET => '/', 'chloe2', 200, sub {
              my ($res, $nginx) = @_;

              revoke($api, $tokens{chloe2});

              my $until = time + 10 * NginxControl::slow();
              my $status;

              do {
                  sleep 0.2;
                  $status = $nginx->get('/', headers => {
                      Authorization => "Bearer $tokens{chloe2}" })->{status};
              } while ($status == 200 && time < $until);

              is($status, 401, 'a token that was revoked elsewhere is refused');
          } ],
        [ GET => '/', 'night', 200, sub {
              my ($res, $nginx) = @_;

              revoke_session($api, 'erin.walsh', 'night');

              my $until = time + 10 * NginxControl::slow();
              my $status;

              do {
                  sleep 0.2;
                  $status = $nginx->get('/', headers => {
                      Authorization => "Bearer $tokens{night}" })->{status};
              } while ($status == 200 && time < $until);

              is($status, 401, 'and one whose session was');
          } ],
        [ GET => '/', 'chloe', 200, 'the app got' ],
    ],

    'fleet.conf' => [
        [ GET => '/', 'fleet', 200, 'the app got' ],
        [ GET => '/status?format=json', undef, 200, sub {
              my ($res, $nginx) = @_;

              my $until = time + 20 * NginxControl::slow();

              while ($res->{body} !~ /"fleet":\{"state":"healthy"/
                     && time < $until)
              {
                  sleep 0.2;
                  $res = $nginx->get('/status?format=json');
              }

              like($res->{body}, qr/"fleet":\{"state":"healthy"/,
                   'the fleet is healthy');
          } ],
        [ POST => '/signout', 'fleet', 204 ],
        [ GET => '/', 'fleet', 401 ],
        [ GET => '/', 'ben', 200, sub {
              cmp_ok($redis->cli('XLEN', 'agilicus:stream'), '>', 0,
                     'the fleet is told');
          } ],
    ],

    'signature.conf' => [
        [ GET => '/', 'chloe', 200, 'the app got' ],
        [ GET => '/', 'chloe', 200, sub {
              my ($res, $nginx) = @_;

              my $until = time + 10 * NginxControl::slow();
              my $status;

              do {
                  sleep 0.1;
                  $status = $nginx->get('/status?format=json')->{body};
              } while ($status =~ /"keys":0,/ && time < $until);

              like($status, qr/"keys":1,/, 'the keys are there');

              # a signature of other bytes

              my $forged = $tokens{chloe} =~ s/[^.]+$/'A' x 86/er;

              is($nginx->get('/', headers => {
                     Authorization => "Bearer $forged" })->{status}, 401,
                 'a forged token is refused');
              like($nginx->get('/status?format=json')->{body},
                   qr/"refused":1,/, 'by the gate');
          } ],
        [ GET => '/', 'ben', 200, 'the app got' ],
    ],

    'error_pages.conf' => [
        [ GET => '/', undef, 401, 'Please sign in.' ],
        [ GET => '/', 'garbage', 401, "$bare, error=\"invalid_token\"" ],
        [ GET => '/', 'ben', 403, 'this is not for you' ],
        [ GET => '/', 'chloe', 200, 'the app got' ],
        [ GET => '/errors/sign_in', 'chloe', 404 ],
    ],
);


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;
    return scalar <$fh>;
}


# The log, once it has so many lines: they come after the response.

sub access_log {
    my ($nginx, $lines) = @_;

    my $until = time + 5 * NginxControl::slow();
    my $text;

    do {
        $text = slurp($nginx->prefix . '/logs/access.log');
    } while ($text =~ tr/\n// < $lines && time < $until && sleep 0.05);

    return $text;
}


# An example with ports of its own, and files in a folder of its own

sub example {
    my ($name) = @_;

    my $nginx = NginxProcess->new(conf => '');
    my $dir = $nginx->prefix;
    my %port = (
        8080 => $nginx->port,
        8081 => TestPorts::free_port(),
        8089 => $api->{port},
        8090 => $other->{port},
        6379 => $redis->port,
    );

    my $change = sub {
        my ($text) = @_;

        $text =~ s{ build/ngx_agilicus_token_module\.so}{ $module};
        $text =~ s{([ =])(?:\.\./)?build/}{$1$dir/logs/}g;
        $text =~ s{^error_log  stderr}{error_log $dir/logs/error.log}m;
        $text =~ s{127\.0\.0\.1:(\d+)}
                  {'127.0.0.1:' . ($port{$1} || die "port $1?\n")}ge;

        # comments have commands, which begin and end with a path

        $text =~ s{(?<=[ (>])build/}{$dir/logs/}g;

        return $text;
    };

    for my $file (glob "$top/conf/include/*") {
        $nginx->write_file('conf/include/' . basename($file),
                           $change->(slurp($file)));
    }

    chmod 0600, $nginx->write_file('logs/edge.token', "$tokens{edge}\n");
    chmod 0600, $nginx->write_file('logs/fleet.key', '5a' x 32 . "\n");

    my $text = $change->(slurp("$top/conf/$name"));

    # certificates are made as the example says

    if ($text =~ /^(#   openssl .*?^#   done\n)/ms) {
        my $script = $1;

        $script =~ s/^#   //mg;

        my $output = `set -e; ($script) 2>&1`;
    }

    $text = "user root;\n$text" if $> == 0;
    $nginx->configure(conf => $text);

    return $nginx;
}


sub ask {
    my ($nginx, $request) = @_;

    my ($method, $path, $token, $status, $more, $headers, $body) = @$request;
    my %headers = %{ $headers || {} };

    if (defined $token) {
        $headers{Authorization} = $token =~ / / ? $token
                                                : "Bearer $tokens{$token}";
    }

    my $title = "$method $path with "
                . (!defined $token ? 'no token'
                   : $token =~ / / ? 'a password' : "$token\'s token");

    my $res = $nginx->request($method => $path, headers => \%headers,
                              defined $body ? (body => $body) : ());

    is($res->{status}, $status, "$title: $status");

    if (ref $more) {
        $more->($res, $nginx);

    } elsif (defined $more) {
        like("$res->{raw_headers}\r\n\r\n$res->{body}", qr/\Q$more\E/,
             "... \"$more\"" =~ s/\s+/ /gr);
    }
}


# demo.conf has a test of its own

my @files = grep { $_ ne 'demo.conf' } map { basename($_) }
            glob "$top/conf/*.conf";

is_deeply([ sort @files ], [ sort keys %examples ],
          'every example has requests here');

for my $name (@files) {
    subtest $name => sub {
        my $text = slurp("$top/conf/$name");

        like($text, qr/\A# [A-Z][^\n]+\n(?:#[^\n]*\n)+\n/,
             'says at the top what it shows');
        like($text, qr/^#   nginx -p \. -c conf\/\Q$name\E$/m,
             'and how to start it');

        my $nginx = example($name);

        $nginx->start;

        ask($nginx, $_) for @{ $examples{$name} };

        $nginx->finish('nginx ends with a clean log');

        done_testing;
    };
}


subtest 'as they stand, from the top folder' => sub {
    plan skip_all => 'the module lies elsewhere'
        if abs_path($module) ne "$top/build/ngx_agilicus_token_module.so";

    my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

    for my $name (@files, 'demo.conf') {

        # some need files that are made first

        next if grep { !-e "$top/$_" }
                slurp("$top/conf/$name") =~ m{[ =]\.\./(build/[\w.-]+);}g;

        my $text = `cd '$top' && '$nginx' -t -p . -c 'conf/$name' 2>&1`;

        like($text, qr/test is successful/, $name) or diag($text);
    }

    done_testing;
};


done_testing;
