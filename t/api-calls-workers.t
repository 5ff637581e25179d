use strict;
use warnings;

# One call for all requests that need the same, on whichever worker they are,
# whichever client leaves and whichever worker dies.

use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVTIMEO);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use HttpMessage;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestPorts;

use constant {
    WORKERS => 4,
    DELAY   => 0.4,      # of the API, for crowds
};

my $slow = NginxControl::slow();
my $port = $ENV{TEST_NGINX_EVEN_PORT} = TestPorts::free_port();

my $mock = MockAPI->start(
    tokens => {
        map({ ("crowd-$_" => { delay => DELAY }) } 1 .. 40),
        map({ ("pair-$_" => { delay => 0.02 }) } 1 .. 160),
        map({ ("some-$_" => { delay => 0.2 }) } 1 .. 10),
        map({ ("dies-$_" => [ { hang => 1 }, {} ]) } 1 .. 5),
        map({ ("herd-$_" => { delay => 0.02 }) } 1 .. 300),
        map({ ("busy-$_" => { delay => 0.8 }) } 1 .. 2),
        map({ ("down-$_" => { status => 503 }) } 1 .. 200),
        'left'    => { delay => 0.3 },
        'left-by-all' => { delay => 0.2 },
        'freezes' => [ { delay => 0.5 }, {} ],
        'fails'   => [ { delay => 0.3, status => 503 }, {} ],
        'breaks'  => [ { delay => 0.3, body => '{' }, {} ],
        'silent'  => [ { hang => 1 }, {} ],
        'unknown' => { delay => 0.3, status => 404 },
        'revoked' => { delay => 0.3, status => 410 },
        'late'    => { delay => 0.6 },
        'each'    => { delay => 0.2 },
        'options' => { delay => 0.2 },
        'waits'   => {},
    },
);

my $nginx = NginxProcess->new(
    workers => WORKERS,
    worker_connections => 2048,
    log_level => 'info',
    http => <<'EOC',
        access_log off;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_timeout 1s;
        agilicus_token_api_max_inflight 8;
        agilicus_token_api_rate off;
        agilicus_token_api_breaker off;
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
        add_header X-Detail $agilicus_token_detail always;
        add_header X-Cache $agilicus_token_cache always;
        add_header X-Pid $pid always;
        keepalive_requests 100000;

        server {
            # each worker has its share of connections
            listen 127.0.0.1:$TEST_NGINX_EVEN_PORT reuseport backlog=4096;
            root $TEST_NGINX_PREFIX/html;

            location = /free { try_files /page =404; }
            location = /page { agilicus_token on; try_files /page =404; }
            location = /hasty {
                agilicus_token on;
                agilicus_token_api_timeout 300ms;
                try_files /page =404;
            }
            location = /off {
                agilicus_token on;
                agilicus_token_cache off;
                try_files /page =404;
            }
            location = /options {
                agilicus_token on;
                agilicus_token_introspect_options no_cache=on;
                try_files /page =404;
            }
            location = /short {
                agilicus_token on;
                agilicus_token_cache_valid active=1s;
                agilicus_token_api_timeout 30s;
                try_files /page =404;
            }
        }
EOC
);

$nginx->write_file('html/page', "page\n");
$nginx->start;

my $http = HttpClient->new(port => $port, timeout => 10 * $slow);
my (%c, $one, $two);


sub request {
    my ($path, $token, %more) = @_;

    return { path => $path, %more,
             headers => { Authorization => "Bearer $token" } };
}


sub ask { return ($http->many([ request(@_) ]))[0] }
sub why { return HttpClient::header($_[0], 'X-Why') || '' }
sub from { return HttpClient::header($_[0], 'X-Cache') || '' }


sub tally {
    my %n;

    $n{$_}++ for @_;

    return join ' ', map { "$_: $n{$_}" } sort keys %n;
}


# connections to all workers, by pid

sub connections {
    my %c;

    for (1 .. 500) {
        my $c = $http->connect or next;
        my $res = $c->request(GET => '/free');
        my $pid = HttpClient::header($res, 'X-Pid');

        $c{$pid} ||= $c if defined $pid;

        last if keys %c == WORKERS;
    }

    return %c;
}


sub send_request {
    my ($c, $path, $token) = @_;

    return $c->send("GET $path HTTP/1.1\r\nHost: a\r\n"
                    . "Authorization: Bearer $token\r\n\r\n");
}


# One asks, the other joins: how much later is it told; nothing where the other
# was not sent before the answer to the first one can have come

sub pair {
    my ($token) = @_;

    my $begun = time;

    send_request($c{$one}, '/page', $token);
    sleep 0.005;
    send_request($c{$two}, '/page', $token);

    my $late = time - $begun > 0.015;

    my $res = $c{$one}->read;
    my $told = time;
    my $other = $c{$two}->read;
    my $later = time - $told;

    # on a busy machine the second may be the first, or come after the answer

    return if $late || $slow > 1 && grep { from($_) eq 'HIT' } $res, $other;

    fail("$token: " . from($res) . ' ' . from($other))
        if tally(from($res), from($other)) ne 'JOINED: 1 MISS: 1';

    return $later;
}


# So many requests at the same moment, over connections that are open already:
# the seconds until each of them was answered, and the answers

sub crowd {
    my ($n, $token) = @_;

    my $bytes = "GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                . "Authorization: Bearer $token\r\n\r\n";
    my (@socks, @res);

    for my $i (1 .. $n) {
        my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                         PeerPort => $port)
            or die "connect: $!\n";

        setsockopt $sock, SOL_SOCKET, SO_RCVTIMEO, pack 'qq', 10 * $slow, 0;
        push @socks, $sock;
    }

    my $begun = time;

    syswrite $_, $bytes for @socks;

    # in turn: when the last has been read, all have been answered

    for my $sock (@socks) {
        my $in = '';

        1 while sysread $sock, $in, 4096, length $in;

        push @res, $in;
    }

    return (time - $begun, $begun,
            map { HttpMessage::parse($_, eof => 1) || {} } @res);
}


# 200 at once.  What the client itself takes shows in the same number of hits:
# on a machine that has other things to do, that is what counts.

my ($best, $hits, $tries) = (9, 9, 0);

for my $try (1 .. 10) {
    my $token = "crowd-$try";
    my ($took, $begun, @res) = crowd(200, $token);
    my ($call) = $mock->requests(token => $token);
    my $more = $begun + $took - $call->{time} - DELAY;
    my ($as_hits) = crowd(200, $token);

    if ($try == 1) {
        is(tally(map { $_->{status} } @res), '200: 200',
           'two hundred who need the same token');
        is(tally(map { from($_) } @res), 'JOINED: 199 MISS: 1',
           'but one join the call of that one');

        my %pids = map { HttpClient::header($_, 'X-Pid') => 1 } @res;

        is(scalar(keys %pids), WORKERS, 'on all workers');
    }

    $tries = $try;
    $best = $more if $more < $best;
    $hits = $as_hits if $as_hits < $hits;

    last if $try >= 3 && $best < 0.015;
}

is(join(' ', map { $mock->calls(token => "crowd-$_") } 1 .. $tries),
   join(' ', (1) x $tries), 'one call is made for them');
ok($best < 0.015 * $slow || $best < 1.5 * $hits,
   'the last is answered soon after it')
    or diag("$best, $hits");
note(sprintf 'the last of 200: %.1f ms after the API, all as hits: %.1f ms',
     $best * 1000, $hits * 1000);


# 1,000 at once

my $ratio = 99;

for my $try (1 .. 20) {
    my $token = 'crowd-' . (10 + $try);
    my ($took, $begun, @res) = crowd(1000, $token);
    my ($as_hits) = crowd(1000, $token);
    my $this = ($took - DELAY) / $as_hits;

    if ($try == 1) {
        is(tally(map { $_->{status} } @res), '200: 1000',
           'a thousand who need the same token');
        is(tally(map { from($_) } @res), 'JOINED: 999 MISS: 1',
           'but one join the call of that one');
        is($mock->calls(token => $token), 1, 'which is one');
    }

    $ratio = $this if $this < $ratio;

    note(sprintf '1,000: %.0f ms beyond the API, %.0f ms as hits',
         1000 * ($took - DELAY), 1000 * $as_hits);

    last if $try >= 2 && $ratio < 1.4;
}

cmp_ok($ratio, '<', 1.5, 'which hardly takes longer than to look it up');


# two requests on two workers: how much later the one that joins is told

%c = connections();
($one, $two) = keys %c;

is(scalar(keys %c), WORKERS, 'a connection to each worker');

my @later;

for my $round (0 .. 3) {
    @later = sort { $a <=> $b } map { pair("pair-$_") }
             map { $round * 40 + $_ } 1 .. 40;

    last if @later > 20 && $later[@later / 2] < 0.002
            && $later[@later * 0.95] < 0.01;
}

cmp_ok(scalar(@later), '>', 20, 'two are on the way together');
cmp_ok($later[@later / 2], '<', 0.002 * $slow,
       'two on two workers are told at once');
cmp_ok($later[@later * 0.95], '<', 0.01 * $slow, 'nearly always');
note(sprintf 'who joins is told later by %.2f ms (median), %.2f ms (95 %%)',
     1000 * $later[@later / 2], 1000 * $later[@later * 0.95]);

my @calls = map { $mock->calls(token => "pair-$_") } 1 .. 40;

is(tally(@calls), '1: 40', 'by one call each time');


# several tokens, several answers, at once

my @res = $http->many([ map { my $n = $_; map { request('/page', "some-$n") }
                                              1 .. 20 } 1 .. 10 ]);

is(tally(map { $_->{status} } @res), '200: 200', 'twenty for each of ten');
is(join(' ', map { $mock->calls(token => "some-$_") } 1 .. 10),
   join(' ', (1) x 10), 'make ten calls');

for my $case ([ 'unknown', 'invalid/unknown', 'introspect: status 404' ],
              [ 'revoked', 'revoked/revoked' ],
              [ 'fails', 'unavailable/status', 'introspect: status 503' ],
              [ 'breaks', 'unavailable/answer',
                'introspect: the answer is not a Token' ])
{
    my ($token, $wanted, $detail) = @$case;

    @res = $http->many([ map { request('/page', $token) } 1 .. 40 ]);

    is(tally(map { why($_) } @res), "$wanted: 40", "all hear of it: $wanted");
    is(tally(map { HttpClient::header($_, 'X-Detail') } @res), "$detail: 40",
       '... and what it was')
        if $detail;
    is($mock->calls(token => $token), 1, 'by one call');
}

is(ask('/page', $_)->{status}, 200, 'a failure is not remembered')
    for qw(fails breaks);
is(ask('/page', $_)->{status}, 401, 'a verdict is') for qw(unknown revoked);
is($mock->calls(token => $_), 1, 'so the API is not asked')
    for qw(unknown revoked);

@res = $http->many([ map { request('/page', 'silent') } 1 .. 40 ]);

is(tally(map { why($_) } @res), 'unavailable/timeout: 40',
   'all hear that there is no answer');
is($mock->calls(token => 'silent'), 1, 'to one call');
is(ask('/page', 'silent')->{status}, 200, 'the next one has one');

@res = $http->many([ map { request('/off', 'each') } 1 .. 5 ]);
is($mock->calls(token => 'each'), 5, 'without a cache each one asks');

@res = $http->many([ map { (request('/page', 'options'),
                            request('/options', 'options')) } 1 .. 20 ]);
is(tally(map { $_->{status} } @res), '200: 40', 'forty ask in two ways');
is($mock->calls(token => 'options'), 2, 'by two calls');


# each request that waits has a deadline of its own

send_request($c{$one}, '/page', 'late');
sleep 0.05;

my $begun = time;

send_request($c{$two}, '/hasty', 'late');

my $res = $c{$two}->read;
my $took = time - $begun;

is(why($res), 'unavailable/timeout', 'who is in a hurry does not wait for all');
cmp_ok($took, '>', 0.28, 'but its time');
cmp_ok($took, '<', 0.55 * $slow, 'and no longer');
is($c{$one}->read->{status}, 200, 'who is not has the answer');
is($mock->calls(token => 'late'), 1, 'of the same call');


# the client whose request began the call leaves

send_request($c{$one}, '/page', 'left');
ok($mock->wait_calls(1, token => 'left'), 'one asks');
send_request($c{$two}, '/page', 'left');
sleep 0.05;
$c{$one}->reset;

$res = $c{$two}->read;

is("$res->{status} " . from($res), '200 JOINED', 'leaves, and another has it');
is($mock->calls(token => 'left'), 1, 'by the same call');

%c = connections();

send_request($c{$_}, '/page', 'left-by-all') for $one, $two;
ok($mock->wait_calls(1, token => 'left-by-all'), 'two ask');
$c{$_}->close for $one, $two;
sleep 0.4;
is(from(ask('/page', 'left-by-all')), 'HIT', 'leave, and the next one has it');
is($mock->calls(token => 'left-by-all'), 1, 'by the same call');


# the worker that asks dies

my (@noticed, @bad);

for my $i (1 .. 5) {
    %c = connections();

    my ($dies, @others) = keys %c;
    my $token = "dies-$i";

    send_request($c{$dies}, '/page', $token);
    $mock->wait_calls(1, token => $token);
    send_request($c{$_}, '/page', $token) for @others;
    sleep 0.03;

    my $killed = time;

    kill 'KILL', $dies;

    push @bad, map { "$_->{status} " . why($_) } grep { $_->{status} != 200 }
               map { $c{$_}->read(timeout => 5 * $slow) } @others;

    my @calls = $mock->requests(token => $token);

    push @bad, scalar(@calls) . ' calls' if @calls != 2;
    push @noticed, $calls[1]{time} - $killed if @calls > 1;

    my $until = time + 5 * $slow;

    sleep 0.002 while $nginx->workers < WORKERS && time < $until;
}

is("@bad", '', 'a worker that asks may die: another asks, no refusal');

@noticed = sort { $a <=> $b } @noticed;

cmp_ok($noticed[0], '<', 0.2 * $slow, 'soon');
cmp_ok($noticed[2], '<', 0.3 * $slow, 'most of the time');
note(sprintf 'a dead worker is noticed after %.0f ms (median of 5)',
     1000 * $noticed[2]);


# the worker that asks lives, but does nothing

%c = connections();
($one, $two) = keys %c;

send_request($c{$one}, '/page', 'freezes');
$mock->wait_calls(1, token => 'freezes');
kill 'STOP', $one;

$begun = time;
send_request($c{$two}, '/page', 'freezes');
$res = $c{$two}->read;
$took = time - $begun;

is(why($res), 'unavailable/timeout', 'who waits for it in vain is told');
cmp_ok($took, '>', 0.9, 'at the end of its time');
cmp_ok($took, '<', 1.6 * $slow, 'and not later');
sleep 1.2;
$res = $c{$two}->request(GET => '/page',
                       headers => { Authorization => 'Bearer freezes' });
is($res->{status}, 200, 'then somebody else asks');
kill 'CONT', $one;
like($c{$one}->read->{status}, qr/^(?:200|503)$/,
     'and the frozen worker goes on');


# a leader that has not asked yet, and leaves: what it has left is a call of its
# own, for which there is a budget or not

my %full = (off => 200, '3r/m burst=60s' => 503);

for my $rate (sort keys %full) {
    my $narrow = narrow($rate);
    my (%n, @waits);

    for (1 .. 500) {
        my @some = map { $narrow->connect } 1 .. 4;

        for my $c (@some) {
            my $pid = HttpClient::header($c->request(GET => '/free'), 'X-Pid');

            push @{ $n{$pid} }, $c if @{ $n{$pid} || [] } < 3;
        }

        last if 2 == grep { @$_ == 3 } values %n;
    }

    my ($full, $other) = sort { @$b <=> @$a } values %n;

    $mock->reset;

    send_request($full->[$_ - 1], '/page', "busy-$_") for 1, 2;
    $mock->wait_calls(1, token => "busy-$_") for 1, 2;
    send_request($full->[2], '/page', 'waits');
    sleep 0.05;
    send_request($other->[0], '/page', 'waits');
    sleep 0.05;
    is($mock->calls(token => 'waits'), 0, 'a token waits for its turn');
    $begun = time;
    $full->[2]->close;
    $res = $other->[0]->read;

    is($res->{status}, $full{$rate},
       "who wanted it leaves: another worker asks, rate $rate");
    cmp_ok(time - $begun, '<', 0.4 * $slow, 'at once');

    if ($full{$rate} == 200) {
        is($mock->calls(token => 'waits'), 1, 'and once');

    } else {
        is(why($res), 'unavailable/rate', 'or would, if there was a budget');
        is($mock->calls(token => 'waits'), 0, 'which there is not');
    }

    is($full->[$_]->read->{status}, 200, 'the others had their turn') for 0, 1;

    $narrow->finish("two workers, one of them full, rate $rate");
}


sub narrow {
    my ($rate) = @_;

    my $narrow = NginxProcess->new(
        workers => 2,
        http => <<"EOC",
            agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
            agilicus_token_api_max_inflight 2;
            agilicus_token_api_rate $rate;
            add_header X-Pid \$pid always;
            add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                       always;
EOC
        events => 'accept_mutex off;',
        config => <<'EOC',
            location = /free { try_files /page =404; }
            location = /page { agilicus_token on; try_files /page =404; }
EOC
    );

    $narrow->write_file('html/page', "page\n");
    $narrow->start;

    return $narrow;
}


# tokens that came together are renewed within limits

@res = $http->many([ map { request('/short', "herd-$_") } 1 .. 300 ],
                   at_once => 100);
is(tally(map { $_->{status} } @res), '200: 300', 'many tokens');
sleep 1.1;
$mock->reset;

my $peak = 0;

@res = $http->many([ map { request('/short', "herd-$_") } 1 .. 300 ],
                   on_result => sub {
                       my ($i) = @_;

                       return if $i % 5;

                       my $open = $mock->open_connections;

                       $peak = $open if $open > $peak;
                   });

is(tally(map { $_->{status} } @res), '200: 300', 'all too old at once');
cmp_ok($peak, '<=', 8 * WORKERS, 'no more calls at a time than allowed');
is($mock->calls, 300, 'one for each');

# one of the workers says that the API fails, once a second

$nginx->mark;

@res = $http->many([ map { request('/page', "down-$_") } 1 .. 200 ],
                   at_once => 50);
is(tally(map { $_->{status} } @res), '503: 200', 'the API fails');

my (%workers, %second);

$workers{HttpMessage::header($_, 'X-Pid')}++ for @res;
$second{$_}++ for map { /^(\S+ \S+) \[error\] .* introspect failed: / }
                  split /\n/, $nginx->new_log;

cmp_ok(scalar keys %workers, '>', 1, '... for several workers');
cmp_ok(scalar keys %second, '>', 0, '... one says so');
is_deeply([ grep { $_ > 1 } values %second ], [], '... once a second');

$nginx->finish('nobody was hurt', allow => [ qr/exited on signal 9/ ]);

done_testing();
