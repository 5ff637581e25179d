use strict;
use warnings;

# Denials in corners: another zone becomes the first one, clients leave while
# they sign out, all sessions end after one token did, one client signs out
# again and again, refreshes come in crowds.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

my $slow = NginxControl::slow();

# token "a.b" is of session "a"

my $mock = MockAPI->start(
    default => sub {
        my ($session) = split /\./, $_[0]{token};

        return { delay => $_[0]{token} =~ /late$/ ? 0.5 : 0,
                 token => { jti => $_[0]{token}, session => $session,
                            sub => "sub-$session" } };
    },
    paths => {
        'POST /v1/tokens/revoke' => {
            by_token => {
                'again'  => 503,
                'both'   => [ { status => 204, delay => 0.5 }, 503, 204 ],
                '*'      => { status => 204, delay => 0.2 },
                map({ ("many-$_" => 503) } 1 .. 1030),
            },
        },
        '/after' => { status => 200, body => 'x', delay => 0.6 },
    },
);

my $config = <<'EOC';
    location = /page { agilicus_token on; }
    location = /signout { agilicus_token_revoke; }
    location = /denials { agilicus_token_revocation_hook trusted; }
EOC

my $http = <<'EOC';
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_rate off;
    agilicus_token_api_breaker off;
    agilicus_token_revocation_ttl 2s;
    agilicus_token_cache_valid active=600s;
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
EOC


# The first zone is made anew, another one with facts is kept: what was found
# clean by the old one's count of denials is looked through again.

my $two = NginxProcess->new(
    log_level => 'info',
    http      => zones('first:2m', 'facts:2m'),
    config    => $config,
);

$two->write_file('html/page', "page\n");
$two->start;

is(deny($two, jti => map { "old-$_" } 1 .. 100), 204, 'a hundred denials');
is(get($two, 'resized')->{status}, 200, 'a token passes');
is(get($two, 'resized')->{status}, 200, 'and is found clean');
sleep 2.6;

for my $case (
    [ resized   => 'first:1m', 'facts:2m' ],
    [ renamed   => 'other:1m', 'facts:2m' ],
    [ reordered => 'facts:2m', 'other:1m' ],
    [ back      => 'other:1m', 'facts:2m' ],
) {
    my ($token, @zones) = @$case;

    is(get($two, $token)->{status}, 200, "$token: a token passes");
    $two->reload(http => zones(@zones), config => $config);

    my $calls = $mock->calls(token => $token);

    is(deny($two, jti => $token), 204, 'it is denied after a reload');
    is(why(get($two, $token)), 'revoked/jti', 'and refused');
    is($mock->calls(token => $token), $calls, 'from what was known before');

    deny($two, sub => "nobody-$_") for 1 .. 20;
    sleep 2.6;
}

is(get($two, 'unused')->{status}, 200, 'a token passes');
$two->reload(http => zones('other:1m', 'facts:2m'), config => '');
$two->reload(http => zones('third:1m', 'facts:2m'), config => $config);
is(deny($two, jti => 'unused'), 204,
   'after a configuration that uses no zone it is denied');
is(why(get($two, 'unused')), 'revoked/jti', 'and refused');
$two->finish('zones came and went');


# clients leave while they sign out, and something follows their requests

my $nginx = NginxProcess->new(
    workers   => 2,
    log_level => 'info',
    http      => "$http agilicus_token_api_timeout 2s;",
    config    => $config . <<'EOC',
        location = /everywhere { agilicus_token_revoke all_sessions; }
        location = /status { agilicus_token_status trusted; }
        location = /leave { agilicus_token_revoke; post_action /after; }
        location = /after {
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        }
EOC
);

$nginx->write_file('html/page', "page\n");
$nginx->start;

for my $i (1 .. 5) {
    my $c = $nginx->connect;

    $c->send("POST /leave HTTP/1.1\r\nHost: a\r\n"
             . "Authorization: Bearer leaves-$i\r\n"
             . "Content-Length: 0\r\n\r\n");
    $mock->wait_calls(1, path => '/v1/tokens/revoke', token => "leaves-$i");
    $c->reset;
}

ok($mock->wait_calls(5, path => '/after'), 'what follows goes on');
sleep 1;

is(why(get($nginx, "leaves-$_")), 'revoked/revoked',
   'the client that left has signed out') for 1, 5;
is($mock->calls(path => '/v1/tokens/revoke', token => "leaves-$_"), 1,
   'one worker has told the API, once') for 1 .. 5;
is(scalar($nginx->log_lines(qr/exited on signal/)), 0, 'no worker died of it');


# all sessions, after that one token

is(get($nginx, $_)->{status}, 200, "$_ passes") for 'mine.1', 'mine.2';
is(post($nginx, '/signout', 'mine.1'), 204, 'one of them is revoked');
is(get($nginx, 'mine.2')->{status}, 200, 'which says nothing of the other');
is(post($nginx, '/everywhere', 'mine.1'), 204, 'then its session is ended');
is(why(get($nginx, 'mine.2')), 'revoked/session', 'so is the other one');
is((map { $_->{body} =~ /"all_sessions":true/ ? 1 : 0 }
    $mock->requests(path => '/v1/tokens/revoke', token => 'mine.1'))[-1],
   1, 'also at the API');

# the one is confirmed after the other has failed

my $one = $nginx->connect;

$one->send("POST /signout HTTP/1.1\r\nHost: a\r\n"
           . "Authorization: Bearer both\r\nContent-Length: 0\r\n\r\n");
$mock->wait_calls(1, path => '/v1/tokens/revoke', token => 'both');
is(post($nginx, '/everywhere', 'both'), 503,
   'the API does not end a session');
is($one->read->{status}, 204, 'it revokes a token of it');
ok($mock->wait_calls(3, path => '/v1/tokens/revoke', token => 'both'),
   'the session is due all the same');
is(join(' ', map { $_->{body} =~ /"all_sessions":true/ ? 1 : 0 }
             $mock->requests(path => '/v1/tokens/revoke', token => 'both')),
   '0 1 1', 'and is told of again');

is(get($nginx, 'busy.2')->{status}, 200, 'another one passes');

my $late = $nginx->connect;

$late->send("POST /everywhere HTTP/1.1\r\nHost: a\r\n"
            . "Authorization: Bearer busy.late\r\n"
            . "Content-Length: 0\r\n\r\n");
$mock->wait_calls(1, path => '/v1/tokens/introspect', token => 'busy.late');
is(deny($nginx, jti => 'busy.late'), 204,
   'a token is denied while its session is about to end');
is($late->read->{status}, 204, 'it ends');
is(why(get($nginx, 'busy.2')), 'revoked/session', 'for all of it');


# again and again

is(post($nginx, '/signout', 'again'), 503, 'a revocation fails') for 1 .. 40;

$mock->script(paths => { 'POST /v1/tokens/revoke' => { status => 204 } });
$mock->reset;

ok($mock->wait_calls(1, path => '/v1/tokens/revoke', token => 'again',
                     timeout => 10 * $slow), 'the API takes it later');
sleep 2.5;
cmp_ok($mock->calls(path => '/v1/tokens/revoke', token => 'again'), '<=', 2,
       'once for each worker that was asked, not for each time');
$nginx->finish('denials in corners');


# more than are kept

my $full = NginxProcess->new(
    log_level => 'error',
    http      => "$http keepalive_requests 10000; agilicus_token_denials 256k;",
    config    => $config . 'location = /status { agilicus_token_status; }',
);

$full->start;
$mock->script(paths => { 'POST /v1/tokens/revoke' => { status => 503 } });

my %status;
my $c = $full->connect;

$status{ $c->request(POST => '/signout', body => '',
                     headers => bearer("many-$_"))->{status} }++ for 1 .. 400;

is_deeply(\%status, { 503 => 400 }, 'the API takes no revocation');

my @lost = $full->log_lines(qr/revocation lost/);

cmp_ok(scalar(@lost), '>=', 6, 'those that there is no place for are told');
like($lost[0], qr/fingerprint [0-9a-f]{16}/, 'by their fingerprints');
like($full->get('/status?format=json')->{body},
     qr/"revocations_lost":\s*@{[scalar @lost]}\b/, 'and counted');

$mock->script(paths => { 'POST /v1/tokens/revoke' => { status => 204 } });
$full->finish('too many revocations');


# Refreshes never stand before those who wait: what comes in a crowd and is
# answered from what is known asks only where there is room.

my $crowd = NginxProcess->new(
    log_level => 'info',
    http      => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_credential $TEST_NGINX_PREFIX/credential;
        agilicus_token_api_rate off;
        agilicus_token_api_max_inflight 2;
        agilicus_token_api_timeout 2s;
        agilicus_token_revocation_feed interval=30s;
        agilicus_token_cache_valid active=600s watched=600s;
        agilicus_token_cache_stale update=60s;
        add_header X-Cache $agilicus_token_cache always;
EOC
    config    => <<'EOC',
        location = /page { agilicus_token on; }
        location = /short {
            agilicus_token on;
            agilicus_token_cache_valid active=1s watched=1s;
            try_files /page =404;
        }
        location = /status { agilicus_token_status; }
EOC
);

$crowd->write_file('html/page', "page\n");
chmod 0600, $crowd->write_file('credential', "of-the-edge\n");
$crowd->start;

my $until = time + 5 * $slow;

sleep 0.05 while time < $until
                 && $crowd->get('/status?format=json')->{body} !~ /"healthy"/;

$crowd->many([ map { { path => '/page', headers => bearer("crowd-$_") } }
               1 .. 30 ]);
sleep 1.1;
$mock->script(default => { delay => 0.4 });

my @res = $crowd->many([ map { { path => '/short',
                                 headers => bearer("crowd-$_") } } 1 .. 30 ]);

is(scalar(grep { (HttpClient::header($_, 'X-Cache') || '') eq 'UPDATING' }
          @res), 30, 'thirty tokens are due and pass');

my $begun = time;

is($crowd->get('/page', headers => bearer('newcomer'))->{status}, 200,
   'a new one passes too');
cmp_ok(time - $begun, '<', 1.2 * $slow, 'and does not wait for thirty calls');
$crowd->finish('a crowd of refreshes');


done_testing();


sub why { return HttpClient::header($_[0], 'X-Why') || '' }
sub bearer { return { Authorization => "Bearer $_[0]" } }


sub get {
    my ($nginx, $token) = @_;

    return $nginx->get('/page', headers => bearer($token));
}


sub post {
    my ($nginx, $path, $token) = @_;

    return $nginx->request(POST => $path, headers => bearer($token))
           ->{status};
}


sub deny {
    my ($nginx, $kind, @names) = @_;

    return $nginx->request(POST => '/denials',
        headers => { 'Content-Type' => 'application/json' },
        body => "{\"$kind\":[" . join(',', map { "\"$_\"" } @names) . ']}')
        ->{status};
}


sub zones {
    return join '', $http, map({ "agilicus_token_zone $_;" } @_),
                'agilicus_token_cache facts;';
}
