use strict;
use warnings;

# A client that was told that a token is revoked never sees it pass again: on
# all workers, under load, while calls are under way, with an API that is away,
# over reloads; where clients leave while they sign out, sessions end after one
# of their tokens did, and one client signs out again and again.

use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestPorts;

use constant WORKERS => 4;

my $slow = NginxControl::slow();
my $revocations = $ENV{AGILICUS_TEST_LONG} ? 10_000 : 1000;
my $port = $ENV{TEST_NGINX_EVEN_PORT} = TestPorts::free_port();

$revocations = 200 if $slow > 3;

# every token is good, for ever, as far as the API is concerned

my $good = sub { { token => { jti => $_[0]{token},
                              session => "of-$_[0]{token}",
                              sub => "who-has-$_[0]{token}" } } };

my $mock = MockAPI->start(
    default => $good,
    tokens => {
        map({ ("flight-$_" => { delay => 0.3, token => {
                   jti => "flight-$_", session => "session-$_",
                   sub => "sub-$_" } }) } qw(jti session sub off)),
        'elsewhere' => {},
    },
    paths => {
        'POST /v1/tokens/revoke' => {
            by_token => {
                again => [ 503, 500, 204 ],
                '*'   => 204,
            },
        },
    },
);

my $away = MockAPI->start(name => 'AWAY', default => $good);

my $locations = <<'EOC';
    location = /pid { return 200 "$pid"; }
    location = /page { agilicus_token on; }
    location = /off { agilicus_token on; agilicus_token_cache off; }
    location = /signout { client_max_body_size 0; agilicus_token_revoke; }
    location = /everywhere { agilicus_token_revoke all_sessions; }
    location = /denials { agilicus_token_revocation_hook trusted; }
    location = /status { agilicus_token_status trusted; }
EOC

my $http = <<'EOC';
    access_log off;
    keepalive_requests 1000000;
    agilicus_token_api_timeout 1s;
    agilicus_token_api_rate off;
    agilicus_token_api_breaker off;
    agilicus_token_cache_valid active=60s;
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
EOC

my $nginx = NginxProcess->new(
    workers => WORKERS,
    log_level => 'notice',
    http => <<"EOC",
        $http
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        server {
            # each worker has its share of connections
            listen 127.0.0.1:\$TEST_NGINX_EVEN_PORT reuseport;
            root \$TEST_NGINX_PREFIX/html;
            $locations
            location = /short {
                agilicus_token on;
                agilicus_token_cache_valid active=1s;
            }
        }
EOC
);

$nginx->write_file("html/$_", "page\n") for qw(page off short);
$nginx->start;

my $even = HttpClient->new(port => $port, timeout => 10 * $slow);
my %c = connections();

is(scalar(keys %c), WORKERS, 'a connection to each of four workers');


# a thousand under load

my @load = map { load() } 1, 2;
my @worker = values %c;
my ($known, $told, $allowed, $odd, @took) = (0, 0, 0, 0);
my $begun = time;

for my $i (1 .. $revocations) {
    my $token = "revoked-$i";
    my $sent = time;

    $known++ if over($worker[$i % 4], GET => '/page', $token)->{status} == 200;
    $known++ if over($worker[($i + 2) % 4], GET => '/page', $token)->{status}
                == 200;
    $told++ if over($worker[($i + 1) % 4], POST => '/signout', $token)
               ->{status} == 204;

    send_to($_, GET => '/page', $token) for @worker;

    for my $res (map { $_->read } @worker) {
        $allowed++ if $res->{status} == 200;
        $odd++ if why($res) ne 'revoked/revoked';
    }
}

note(sprintf '%d revocations in %.1f s', $revocations, time - $begun);

is($known, 2 * $revocations, 'tokens pass on two workers');
is($told, $revocations, 'each is revoked on a third');
is($allowed, 0, 'and after the 204 none of them passes on any');
is($odd, 0, 'but is refused as revoked');
is($mock->calls(path => '/v1/tokens/introspect', token => "revoked-$_"), 1,
   'which the API is not asked about') for 1, 500, $revocations;
is($mock->calls(path => '/v1/tokens/revoke', token => "revoked-$_"), 1,
   'while the API is told once') for 1, 500, $revocations;

my @served = map { ended($_) } @load;

is(scalar(grep { $_->{bad} } @served), 0, 'no other request was refused');
cmp_ok($_->{good}, '>', $revocations / 2, "others were served: $_->{good}")
    for @served;


# while its call is under way

my ($one, $two, $three) = @worker;

for my $kind (qw(jti session sub)) {
    my $token = "flight-$kind";
    my $named = $kind eq 'jti' ? $token : "$kind-$kind";

    send_to($one, GET => '/page', $token);
    ok($mock->wait_calls(1, token => $token), 'a token is asked about');
    send_to($two, GET => '/page', $token);
    is(deny($three, $kind, $named), 204, "its $kind is denied meanwhile");

    my @why = map { why($_->read) } $one, $two;
    my $reason = $kind eq 'sub' ? 'subject' : $kind;

    is("@why", "revoked/$reason revoked/$reason",
       'whatever the answer is, it is refused');
    is(why(over($three, GET => '/page', $token)), "revoked/$reason",
       'now as later');
}

send_to($one, GET => '/off', 'flight-off');
ok($mock->wait_calls(1, token => 'flight-off'), 'the same without a cache');
is(deny($two, jti => 'flight-off'), 204, 'its jti is denied meanwhile');
is(why($one->read), 'revoked/jti', 'it is refused');


# all sessions, on all workers

is(over($one, GET => '/page', 'mine')->{status}, 200, 'a token passes');
is(over($two, POST => '/everywhere', 'mine')->{status}, 204,
   'all sessions of its user end');
is(why(over($_, GET => '/page', 'mine')), 'revoked/revoked',
   'on each worker') for @worker;
is(over($one, GET => '/page', 'not-mine')->{status}, 200,
   'another user goes on');


# a body without end

my $res = $even->raw("POST /signout HTTP/1.1\r\nHost: a\r\n"
                     . "Authorization: Bearer endless\r\n"
                     . "Content-Length: 1073741824\r\n\r\nabc");

is($res->{status}, 413, 'a body of a gigabyte is not waited for');
is($mock->calls(token => 'endless'), 0, 'and does nothing');


# without a feed, at the API alone: when the known facts are too old

my @elsewhere;

for my $try (1 .. 3) {
    my $token = "elsewhere-$try";

    over($one, GET => '/short', $token);
    sleep 0.2 * $try;
    $mock->script(tokens => { $token => 410 });

    my $revoked = time;
    my $until = $revoked + 4 * $slow;

    sleep 0.01 while time < $until
                     && over($two, GET => '/short', $token)->{status} == 200;

    push @elsewhere, time - $revoked;
}

@elsewhere = sort { $a <=> $b } @elsewhere;

cmp_ok($elsewhere[0], '<', 1.1,
       'a token that was revoked elsewhere is refused');
cmp_ok($elsewhere[2], '<', 1 + 0.5 * $slow, 'after "active"');


# an API that takes it later

my $first = time;

is(over($one, POST => '/signout', 'again')->{status}, 503,
   'a revocation that the API does not take');
is(why(over($two, GET => '/page', 'again')), 'revoked/revoked',
   'is one here');


# an API that takes it when the worker goes; one that never does

my %edge = map { $_ => edge() } qw(exits loses refused reloads);

is($edge{$_}->request(GET => '/page', headers => bearer("token-$_"))->{status},
   200, "$_: a token passes") for sort keys %edge;

$away->down;

for my $name (sort keys %edge) {
    is($edge{$name}->request(POST => '/signout',
                             headers => bearer("token-$name"))->{status},
       503, "$name: it cannot be revoked at the API");
}

$begun = time;
is($edge{loses}->stop, 'QUIT', 'a worker may end');
cmp_ok(time - $begun, '<', 2.5 + $slow, 'soon');

my @lost = $edge{loses}->log_lines(qr/revocation lost/);

is(scalar @lost, 1, 'what is lost then is told');
like($lost[0], qr/\[error\].*revocation lost,.* fingerprint [0-9a-f]{16}$/,
     'by its fingerprint');
unlike($edge{loses}->error_log, qr/agilicus.*token-loses/, 'not its name');

$away->up;
$away->script(paths => { 'POST /v1/tokens/revoke' => {
                             by_token => { 'token-refused' => 503,
                                           '*'             => 204 } } });
$edge{refused}->stop;
is($away->calls(path => '/v1/tokens/revoke', token => 'token-refused'), 1,
   'an API that is there does not take it');
is(scalar($edge{refused}->log_lines(qr/revocation lost/)), 1,
   'which is told, too');

$edge{exits}->stop;
is($away->calls(path => '/v1/tokens/revoke', token => 'token-exits'), 1,
   'a worker that ends tries once more');
is(scalar($edge{exits}->log_lines(qr/revocation lost/)), 0,
   'so nothing is lost');

$edge{reloads}->reload;
ok($away->wait_calls(1, path => '/v1/tokens/revoke',
                     token => 'token-reloads'), 'also over a reload');
is(why($edge{reloads}->request(GET => '/page',
                               headers => bearer('token-reloads'))),
   'revoked/revoked', 'and is refused on');


# reloads with the same zone, another size, another name, and back

my $edge = $edge{reloads};
my @tokens = qw(by-token by-jti by-session by-sub);

is($edge->request(GET => '/page', headers => bearer($_))->{status}, 200,
   "$_ passes") for @tokens, 'good';
is($edge->request(POST => '/signout', headers => bearer('by-token'))->{status},
   204, 'four are denied');
is(deny_at($edge, 'jti', 'by-jti'), 204, 'each');
is(deny_at($edge, 'session', 'of-by-session'), 204, 'in another');
is(deny_at($edge, 'sub', 'who-has-by-sub'), 204, 'way');

my $calls = $away->calls(token => 'good');
my $last = '';

for my $zone ('', 'agilicus:1m', 'agilicus:64k', 'other:1m', '') {
    my $what = $zone || 'agilicus:10m';

    $edge->reload(http => edge_http($zone));

    my @why = map { why($edge->request(GET => '/page',
                                       headers => bearer($_))) } @tokens;

    is("@why", 'revoked/revoked revoked/jti revoked/session revoked/subject',
       "all are denied after a reload with the zone $what");
    is($edge->request(GET => '/page', headers => bearer('good'))->{status},
       200, 'and no other');

    $calls++ if $zone ne $last;
    $last = $zone;
    is($away->calls(token => 'good'), $calls,
       'which is asked about where the zone is new');
}

$edge->finish('the zone came and went');


# by now

ok($mock->wait_calls(3, path => '/v1/tokens/revoke', token => 'again',
                     timeout => 6 * $slow),
   'what the API did not take is tried again until it does');

my @times = map { $_->{time} } $mock->requests(path => '/v1/tokens/revoke',
                                               token => 'again');

cmp_ok($times[1] - $times[0], '>', 0.9, 'with a pause');
cmp_ok($times[2] - $times[1], '>', 1.8, 'that grows');
cmp_ok($times[2] - $first, '<', 3 + 2 * $slow, 'from little');

my @bodies = map { $_->{body} } $mock->requests(path => '/v1/tokens/revoke',
                                                token => 'again');

is($bodies[2], $bodies[0], 'with the same words');
is(status()->{events}{revocations_lost}, 0, 'nothing was lost');

$nginx->finish('all is well', secrets => [ 'revoked-', 'flight-', 'again' ]);


# token "a.b" is of session "a"

my $sessions = MockAPI->start(
    name    => 'SESSIONS',
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

my $patient = ($http =~ s/_timeout 1s/_timeout 2s/r) . <<'EOC';
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_SESSIONS_PORT;
    agilicus_token_revocation_ttl 2s;
EOC


# clients leave while they sign out, and something follows their requests

my $out = NginxProcess->new(
    workers   => 2,
    log_level => 'info',
    http      => $patient,
    config    => $locations . <<'EOC',
        location = /leave { agilicus_token_revoke; post_action /after; }
        location = /after {
            proxy_pass http://127.0.0.1:$TEST_NGINX_SESSIONS_PORT;
        }
EOC
);

$out->write_file('html/page', "page\n");
$out->start;

for my $i (1 .. 5) {
    my $c = $out->connect;

    $c->send("POST /leave HTTP/1.1\r\nHost: a\r\n"
             . "Authorization: Bearer leaves-$i\r\n"
             . "Content-Length: 0\r\n\r\n");
    $sessions->wait_calls(1, path => '/v1/tokens/revoke',
                          token => "leaves-$i");
    $c->reset;
}

ok($sessions->wait_calls(5, path => '/after'), 'what follows goes on');
sleep 1;

is(why(get($out, "leaves-$_")), 'revoked/revoked',
   'the client that left has signed out') for 1, 5;
is($sessions->calls(path => '/v1/tokens/revoke', token => "leaves-$_"), 1,
   'one worker has told the API, once') for 1 .. 5;
is(scalar($out->log_lines(qr/exited on signal/)), 0, 'no worker died of it');

# clients that leave even before the API has sent the facts of the token

for my $i (1 .. 5) {
    my $c = $out->connect;

    $c->send("POST /signout HTTP/1.1\r\nHost: a\r\n"
             . "Authorization: Bearer soon-$i.late\r\n"
             . "Content-Length: 0\r\n\r\n");
    $sessions->wait_calls(1, path => '/v1/tokens/introspect',
                          token => "soon-$i.late");
    $c->reset;
}

ok($sessions->wait_calls(1, path => '/v1/tokens/revoke',
                         token => "soon-$_.late"),
   'the API is told, though the client has left before it was asked')
    for 1 .. 5;
is(why(get($out, "soon-$_.late")), 'revoked/revoked', 'and the token is denied')
    for 1, 5;


# all sessions, after that one token

is(get($out, $_)->{status}, 200, "$_ passes") for 'mine.1', 'mine.2';
is(post($out, '/signout', 'mine.1'), 204, 'one of them is revoked');
is(get($out, 'mine.2')->{status}, 200, 'which says nothing of the other');
is(post($out, '/everywhere', 'mine.1'), 204, 'then its session is ended');
is(why(get($out, 'mine.2')), 'revoked/session', 'so is the other one');
is((map { $_->{body} =~ /"all_sessions":true/ ? 1 : 0 }
    $sessions->requests(path => '/v1/tokens/revoke', token => 'mine.1'))[-1],
   1, 'also at the API');

# the one is confirmed after the other has failed

my $plain = $out->connect;

$plain->send("POST /signout HTTP/1.1\r\nHost: a\r\n"
             . "Authorization: Bearer both\r\nContent-Length: 0\r\n\r\n");
$sessions->wait_calls(1, path => '/v1/tokens/revoke', token => 'both');
is(post($out, '/everywhere', 'both'), 503,
   'the API does not end a session');
is($plain->read->{status}, 204, 'it revokes a token of it');
ok($sessions->wait_calls(3, path => '/v1/tokens/revoke', token => 'both'),
   'the session is due all the same');
is(join(' ', map { $_->{body} =~ /"all_sessions":true/ ? 1 : 0 }
             $sessions->requests(path => '/v1/tokens/revoke',
                                 token => 'both')),
   '0 1 1', 'and is told of again');

is(get($out, 'busy.2')->{status}, 200, 'another one passes');

my $late = $out->connect;

$late->send("POST /everywhere HTTP/1.1\r\nHost: a\r\n"
            . "Authorization: Bearer busy.late\r\n"
            . "Content-Length: 0\r\n\r\n");
$sessions->wait_calls(1, path => '/v1/tokens/introspect', token => 'busy.late');
is(deny($out, jti => 'busy.late'), 204,
   'a token is denied while its session is about to end');
is($late->read->{status}, 204, 'it ends');
is(why(get($out, 'busy.2')), 'revoked/session', 'for all of it');


# again and again

is(post($out, '/signout', 'again'), 503, 'a revocation fails') for 1 .. 40;

$sessions->script(paths => { 'POST /v1/tokens/revoke' => { status => 204 } });
$sessions->reset;

ok($sessions->wait_calls(1, path => '/v1/tokens/revoke', token => 'again',
                         timeout => 10 * $slow), 'the API takes it later');
sleep 2.5;
cmp_ok($sessions->calls(path => '/v1/tokens/revoke', token => 'again'), '<=', 2,
       'once for each worker that was asked, not for each time');
$out->finish('denials in corners');


# more than are kept

my $full = NginxProcess->new(
    log_level => 'error',
    http      => "$patient agilicus_token_denials 256k;",
    config    => $locations,
);

$full->start;
$sessions->script(paths => { 'POST /v1/tokens/revoke' => { status => 503 } });

my %status;
my $c = $full->connect;

$status{ $c->request(POST => '/signout', body => '',
                     headers => bearer("many-$_"))->{status} }++ for 1 .. 400;

is_deeply(\%status, { 503 => 400 }, 'the API takes no revocation');

my @told = $full->log_lines(qr/revocation lost/);

cmp_ok(scalar(@told), '>=', 6, 'those that there is no place for are told');
like($told[0], qr/fingerprint [0-9a-f]{16}/, 'by their fingerprints');
like($full->get('/status?format=json')->{body},
     qr/"revocations_lost":\s*@{[scalar @told]}\b/, 'and counted');

$sessions->script(paths => { 'POST /v1/tokens/revoke' => { status => 204 } });
$full->finish('too many revocations');

done_testing();


sub bearer { return { Authorization => "Bearer $_[0]" } }
sub why { return HttpClient::header($_[0], 'X-Why') || '' }


sub get {
    my ($nginx, $token) = @_;

    return $nginx->get('/page', headers => bearer($token));
}


sub post {
    my ($nginx, $path, $token) = @_;

    return $nginx->request(POST => $path, headers => bearer($token))
           ->{status};
}


sub send_to {
    my ($c, $method, $path, $token) = @_;

    return $c->send("$method $path HTTP/1.1\r\nHost: a\r\n"
                    . "Authorization: Bearer $token\r\n"
                    . ($method eq 'POST' ? "Content-Length: 0\r\n\r\n"
                                         : "\r\n"));
}


sub over {
    my ($c, @request) = @_;

    send_to($c, @request);

    return $c->read(timeout => 10 * $slow);
}


sub deny {
    my ($c, $kind, @names) = @_;

    return $c->request(POST => '/denials',
        headers => { 'Content-Type' => 'application/json' },
        body => "{\"$kind\":[" . join(',', map { "\"$_\"" } @names) . ']}')
        ->{status};
}


sub deny_at {
    my ($server, @denial) = @_;

    return deny(scalar $server->connect, @denial);
}


sub status {
    require JSON::PP;

    return JSON::PP::decode_json($even->get('/status?format=json')->{body});
}


# a connection to each worker

sub connections {
    my %found;

    for (1 .. 1000) {
        my $c = $even->connect or next;

        $found{ $c->request(GET => '/pid')->{body} } ||= $c;

        last if keys %found == WORKERS;
    }

    return %found;
}


# Starts a client that asks for pages all the time, until told to stop

sub load {
    pipe my $read, my $write or die "pipe: $!\n";

    my $pid = fork;

    die "fork: $!\n" if !defined $pid;

    if ($pid) {
        close $write;
        NginxControl::guard($pid);

        return { pid => $pid, out => $read };
    }

    my ($end, $good, $bad) = (0, 0, 0);

    local $SIG{TERM} = sub { $end = 1 };

    open STDOUT, '>', '/dev/null';

    my @busy = map { $even->connect } 1 .. 8;
    my $until = time + 120;

    while (!$end && time < $until) {
        send_to($_, GET => '/page', 'busy-' . int rand 50) for @busy;

        for my $res (map { $_->read(timeout => 20) } @busy) {
            if (defined $res->{status} && $res->{status} == 200) {
                $good++;

            } else {
                $bad++;
            }
        }
    }

    syswrite $write, "$good $bad\n";

    require POSIX;
    POSIX::_exit(0);
}


sub ended {
    my ($load) = @_;

    kill 'TERM', $load->{pid};

    my ($good, $bad) = split ' ', readline $load->{out};

    waitpid $load->{pid}, 0;

    return { good => $good, bad => $bad };
}


sub edge_http {
    my ($zone) = @_;

    if ($zone) {
        my ($name) = $zone =~ /^(\w+)/;

        $zone = "agilicus_token_zone $zone; agilicus_token_cache $name;";
    }

    return <<"EOC";
        $http
        $zone
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_AWAY_PORT;
EOC
}


sub edge {
    my $new = NginxProcess->new(
        log_level => 'info',
        http      => edge_http(''),
        config    => $locations,
    );

    $new->write_file('html/page', "page\n");

    return $new->start;
}
