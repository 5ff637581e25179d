use strict;
use warnings;

# MockAPI answers as it was told, and tells what it was asked.

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IO::Socket::INET;
use JSON::PP qw(decode_json);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib abs_path(dirname(__FILE__) . '/..');

use HttpClient;
use MockAPI qw(token_json);
use NginxControl;

my $introspect = '/v1/tokens/introspect';

my $mock = MockAPI->start(
    tokens => {
        good    => {},
        json    => { json => { a => [ 1 ] } },
        narrow  => { token => { scopes => [], sub => 'x', org => undef } },
        gone    => 410,
        slow    => { delay => 0.2 },
        flaky   => [ 503, { status => 429, headers => { 'Retry-After' => 7 } },
                     {} ],
        raw     => { raw => "not HTTP at all" },
        chunked => { chunked => 1, body => 'hello' },
        chunks  => { chunks => [ 'hel', { pause => 0.1 }, 'lo' ] },
        broken  => { chunks => [ 'hel', { reset => 1 } ] },
        nolast  => { chunked => 1, body => 'x', no_last_chunk => 1,
                     end => 'close' },
        cut     => { cut => 4 },
        cutrst  => { body => 'abcdef', cut => 3, end => 'reset' },
        old     => { version => '1.0', no_length => 1, body => 'old' },
        hints   => { informational => [ 103, [ 103, { Link => 'x' } ] ] },
        hang    => { hang => 1 },
        reset   => { reset => 1 },
        drop    => { drop => 1 },
        close   => { close => 1 },
        idle    => { end => 'close', end_delay => 0.1 },
        drip    => { body => 'abc', drip => { bytes => 20, every => 0.01 } },
        headers => { headers => [ [ 'X-A', 1 ], [ 'X-A', 2 ] ],
                     type => 'text/html', reason => 'Fine', body => '' },
        pieces  => { pieces => [ "HTTP/1.1 200 OK\r\nContent-Le",
                                 { pause => 0.02 }, "ngth: 2\r\n\r\nok" ] },
        code    => sub { my ($request) = @_;
                         return { status => 200,
                                  body => $request->{header}{'x-me'} } },
        "quo\"te" => { status => 202 },
    },
    rows => [
        { jti => 'r1', exp => '2030-01-01T00:00:00Z', revoked => 1 },
        { jti => 'r2', exp => '2030-01-02T01:00:00+01:00', revoked => 1 },
        { jti => 'r3', iat => '2025-01-01 00:00:00.5', revoked => 1 },
        { jti => 'live', exp => 1893456000 },
    ],
    paths => {
        '/outage'    => 503,
        'GET /list' => { json => { tokens => [] } },
        'POST /both' => { by_token => { good => 201, '*' => 404 } },
    },
);

my $http = HttpClient->new(port => $mock->port, timeout => 2);


sub ask {
    my ($token, %opt) = @_;

    return $http->request(POST => $introspect, body => qq({"token":"$token"}),
                          headers => { 'X-Me' => 'you' }, %opt);
}


my $res = ask('good');

is($res->{status}, 200, 'a known token');
is(HttpClient::header($res, 'Content-Type'), 'application/json', 'is JSON');

my $token = decode_json($res->{body});

is($token->{sub}, 'user-1', 'and a Token');
like($token->{exp}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'with a date');

$token = decode_json(ask('narrow')->{body});

is_deeply([ @{$token}{qw(scopes sub)}, exists $token->{org} ],
          [ [], 'x', '' ], 'changed members');
is(decode_json(token_json(jti => 'j'))->{jti}, 'j', 'the builder alone');
is(ask('json')->{body}, '{"a":[1]}', 'a structure');
is(ask('gone')->{status}, 410, 'a status');
is(ask('gone')->{body}, '{"error_code":"e410"}', 'has a body as the API would');
is(ask('who')->{status}, 404, 'an unknown token');
is(ask('quo\"te')->{status}, 202, 'a token with escapes');

cmp_ok(ask('slow')->{latency}, '>=', 0.2, 'delay');
is(join(' ', map { ask('flaky')->{status} } 1 .. 4), '503 429 200 200',
   'a sequence');
is(ask('raw')->{bytes}, 'not HTTP at all', 'raw bytes');
is(ask('chunked')->{body}, 'hello', 'chunked');

$res = ask('chunks');
is($res->{body}, 'hello', 'chunks');
cmp_ok($res->{latency}, '>=', 0.1, 'with a pause');

is(ask('pieces')->{body}, 'ok', 'pieces');
like(ask('broken')->{error}, qr/reset/, 'reset within chunks');
is(ask('nolast')->{error}, 'closed', 'no last chunk');

$res = ask('cut');
is($res->{error}, 'closed', 'cut short');
is(length $res->{body}, 4, 'after so many bytes');
like(ask('cutrst')->{error}, qr/reset/, 'cut and reset');

$res = ask('old');
is("$res->{version} $res->{body}", '1.0 old', 'HTTP/1.0, until close');
is_deeply(ask('hints')->{interim}, [ 103, 103 ], 'interim responses');
is(ask('hang', timeout => 0.2)->{error}, 'timeout', 'hang');
like(ask('reset')->{error}, qr/reset/, 'reset');
is(ask('drop')->{error}, 'closed', 'drop');
is(HttpClient::header(ask('close'), 'Connection'), 'close', 'close');
is(ask('drip')->{body}, 'abc', 'drip');
cmp_ok(ask('drip')->{latency}, '>=', 0.03, 'takes its time');

$res = ask('headers');
is(HttpClient::header($res, 'X-A'), '1, 2', 'headers');
is("$res->{reason} " . HttpClient::header($res, 'Content-Type'),
   'Fine text/html', 'reason and type');
is(ask('code')->{body}, 'you', 'a sub');
is($http->get('/outage?x')->{status}, 503, 'by path');
is($http->get('/list')->{body}, '{"tokens":[]}', 'by method and path');
is($http->request(POST => '/list')->{status}, 404, 'not by another method');
is(join(' ', map { $http->request(POST => '/both',
                                  body => qq({"token":"$_"}))->{status} }
             qw(good bad)), '201 404', 'by path and token');

is($http->request(POST => '/v1/tokens/revoke', body => '{"token":"a"}')
        ->{status}, 204, 'revoke');
is($http->request(POST => '/v1/tokens/reissue', body => '{"token":"a"}')
        ->{body}, '{"token":"reissued-a"}', 'reissue');
is($http->request(POST => '/v1/tokens', body => '{}')->{status}, 201,
   'create');
is($http->request(POST => '/v1/tokens/validations', body => '{"a":1}')
        ->{body}, '{"a":1}', 'validations');

for my $case (
    [ '', 'r1 r2 r3 live' ],
    [ 'revoked=true', 'r1 r2 r3' ],
    [ 'revoked=false', 'live' ],
    [ 'revoked=true&limit=2', 'r1 r2' ],
    [ 'jti=r2', 'r2' ],
    [ 'exp_from=2030-01-01T00%3A00%3A01Z', 'r2' ],
    [ 'exp_from=1893456000&exp_to=2030-01-01T00:00:00Z&revoked=true', 'r1' ],
    [ 'iat_to=2026-01-01T00:00:00%2B00:00', 'r3' ],
) {
    my ($query, $want) = @$case;
    my $list = decode_json($http->get("/v1/tokens?$query")->{body});

    is(join(' ', map { $_->{jti} } @{ $list->{tokens} }), $want,
       "list: $query");
}

$mock->script(rows => []);
is($http->get('/v1/tokens')->{body}, '{"limit":100,"tokens":[]}', 'none');


# keep-alive

{
    my $c = $http->connect;

    is($c->request(POST => $introspect, body => '{"token":"good"}')
         ->{status}, 200, 'keep-alive, first') for 1 .. 3;

    is($c->request(POST => $introspect, body => '{"token":"idle"}')->{status},
       200, 'an answer after which');
    ok($c->closed(1), 'the connection goes away');

    $c = $http->connect;
    $c->send("POST $introspect HTTP/1.1\r\nExpect: 100-continue\r\n"
             . "Content-Length: 16\r\n\r\n");
    like($c->read_some(1), qr/^HTTP.1.1 100 /, '100 Continue');
    $c->send('{"token":"good"}');
    is($c->read->{status}, 200, 'then the answer');

    $c->send("POST $introspect HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
             . "5\r\n{\"tok\r\nb\r\nen\":\"good\"}\r\n0\r\n\r\n"
             . "GET /outage HTTP/1.1\r\n\r\n");
    is(join(' ', map { $c->read->{status} } 1 .. 2), '200 503',
       'a chunked request, and one behind it');
}


# the requests that the mock received

$mock->reset;
is($mock->calls, 0, 'nothing after a reset');

ask('good') for 1 .. 3;
ask('gone');
$http->get('/outage?a=b');

is($mock->calls, 5, 'all calls');
is($mock->calls(token => 'good'), 3, 'of a token');
is($mock->calls(path => '/outage'), 1, 'of a path');
is($mock->calls(method => 'POST', token => 'gone'), 1, 'of both');
is($mock->calls(token => 'none'), 0, 'of no token');
is($mock->connections, 5, 'connections');

my ($request) = $mock->requests(token => 'gone');

is_deeply([ @{$request}{qw(method path version token body)},
            $request->{header}{'x-me'} ],
          [ 'POST', $introspect, '1.1', 'gone', '{"token":"gone"}', 'you' ],
          'a request whole');
is(($mock->requests(path => '/outage'))[0]{args}, 'a=b', 'its arguments');

ok(!$mock->wait_calls(6, timeout => 0.05), 'no sixth call');

if (!fork) {
    sleep 0.1;
    ask('late');
    POSIX::_exit(0);
}

ok($mock->wait_calls(1, token => 'late'), 'one that comes later');
wait;

{
    my $control = HttpClient->new(port => $mock->control_port);

    is($control->get('/_calls?token=good')->{body}, "3\n", 'over HTTP');
    is($control->get('/x')->{status}, 404, 'nothing else there');
}


# changes while running

$mock->script(tokens => { good => 410, flaky => [ 500, 200 ] }, default => 429);

is(join(' ', map { ask($_)->{status} } qw(good flaky flaky flaky who)),
   '410 500 200 200 429', 'other answers');

$mock->script(tokens => { good => undef }, paths => { $introspect => 503 });
is(ask('good')->{status}, 503, 'an outage');
$mock->script(paths => { $introspect => undef });
is(ask('good')->{status}, 429, 'and its end');

ok(!eval { $mock->script(bogus => 1); 1 }, 'an unknown change');

$mock->down;
is(ask('gone')->{error}, 'connect', 'down');
$mock->up;
is(ask('gone')->{status}, 410, 'up');

for my $how (qw(close reset)) {
    $mock->script(on_connect => $how);
    ok(ask('gone')->{error}, "on_connect $how");
}

$mock->script(on_connect => 'ignore');
is(ask('gone', timeout => 0.2)->{error}, 'timeout', 'on_connect ignore');

$mock->script(on_connect => { delay => 0.2 });
cmp_ok(ask('gone')->{latency}, '>=', 0.2, 'on_connect delay');
$mock->script(on_connect => undef);


# many at once

{
    my @res = $http->many([ map { { method => 'POST', path => $introspect,
                                    body => '{"token":"slow"}' } } 1 .. 100 ]);

    is(scalar(grep { $_->{status} && $_->{status} == 200 } @res), 100,
       'a hundred slow ones');
    cmp_ok((sort { $b <=> $a } map { $_->{latency} } @res)[0], '<', 1.5,
           'together');

    $mock->reset;

    my $from = time;
    my @conns = map { $http->connect } 1 .. 16;
    my $bytes = $http->bytes_of({ method => 'POST', path => $introspect,
                                  body => '{"token":"gone"}' }, 'keep-alive');

    for (1 .. 50) {
        $_->send($bytes) for @conns;
        $_->read for @conns;
    }

    my $rate = 800 / (time - $from);

    is($mock->calls, 800, 'every call is counted');

    # about 2,500 on an idle machine with this client; it is the bottleneck

    cmp_ok($rate, '>', 300, 'in reasonable time');
}


# TLS

SKIP: {
    skip 'IO::Socket::SSL is not installed', 8
        if !eval { require IO::Socket::SSL; require TestCA; 1 };

    my $ca = TestCA->new;
    my $tls = MockAPI->start(
        tls    => { %{ $ca->cert('good') }, client_ca => $ca->file },
        tokens => { good => {} },
        name   => 'SECURE',
    );

    like($tls->url, qr{^https://127\.0\.0\.1:\d+$}, 'https');
    is($ENV{TEST_NGINX_SECURE_PORT}, $tls->port, 'a name of its own');

    my $client = $ca->cert('client');
    my $connect = sub {
        return IO::Socket::SSL->new(
            PeerAddr => '127.0.0.1', PeerPort => $tls->port,
            SSL_ca_file => $ca->file, SSL_verifycn_name => 'localhost',
            SSL_verifycn_scheme => 'http', SSL_hostname => 'localhost',
            Timeout => 5, @_);
    };

    my $sock = $connect->(SSL_cert_file => $client->{cert},
                          SSL_key_file => $client->{key});

    ok($sock, 'handshake') or diag $IO::Socket::SSL::SSL_ERROR;

    for (1 .. 2) {
        print $sock "POST $introspect HTTP/1.1\r\nContent-Length: 16\r\n\r\n"
                    . '{"token":"good"}';
        sysread $sock, my $answer, 8192;
        like($answer, qr/^HTTP.1.1 200 .*"sub"/s, "answer $_");
    }

    my ($info) = $tls->connection_list;

    is_deeply([ @{$info}{qw(client sni resumed)} ],
              [ '/CN=edge-1', 'localhost', 0 ], 'what it saw');

    my $bare = $connect->();

    if ($bare) {
        print $bare "GET / HTTP/1.1\r\n\r\n";
        ok(!sysread($bare, my $answer, 10), 'no client certificate');

    } else {
        pass('no client certificate');
    }

    is($tls->calls, 2, 'no call without one');
    $tls->stop;
}


# a port where no server answers, and the end

{
    my $hole = MockAPI::blackhole();
    my $res = HttpClient->new(port => $hole->port)
                        ->get('/', timeout => 0.3);

    is($res->{error}, 'timeout', 'a black hole');
    $hole->stop;
}

my $pid = $mock->pid;

$mock->stop;
ok(!NginxControl::alive($pid), 'stopped');
is(ask('gone')->{error}, 'connect', 'and gone');

done_testing();
