use strict;
use warnings;

# An API that is slow, silent, deaf or gone: how long a request waits, how many
# calls are under way meanwhile, and that no other request waits with it.

use File::Temp;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

# reports of workers that end at the same time must not mix

my $reports = File::Temp->newdir;

$ENV{$_} .= ":log_path=$reports/report"
    for grep { defined $ENV{$_} && $ENV{$_} !~ /log_path/ }
        qw(ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS);

my $slow = NginxControl::slow();

# how late a busy machine may be

my $late = 0.5 * $slow;

# silence in every form

my %silent = (
    'hang'      => { hang => 1 },
    'half-head' => { pieces => [ "HTTP/1.1 200 OK\r\n", { hang => 1 } ] },
    'half-body' => { pieces => [ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
                                 '{"sub"', { hang => 1 } ] },
    'slow-head' => { drip => { bytes => 1, every => 0.05 } },
    'slow-body' => { chunks => [ map { ('{', { pause => 0.05 }) } 1 .. 99 ] },
    'interim'   => { pieces => [ map { ("HTTP/1.1 103 Early Hints\r\n\r\n",
                                        { pause => 0.05 }) } 1 .. 99 ] },
    'lost-late' => [ { delay => 0.2, reset => 1 }, { hang => 1 } ],
);

my $mock = MockAPI->start(
    tokens => {
        %silent,
        slow    => { delay => 0.3 },
        map({ ("slow-$_" => { delay => 0.3 }) } 1 .. 40),
        map({ ("hang-$_" => { hang => 1 }) } 1 .. 1200),
        out     => 503,
        good    => {},
        'good-2' => {},
    },
);

my $deaf = MockAPI->start(name => 'DEAF', on_connect => 'ignore');
my $hole = MockAPI::blackhole();

$ENV{TEST_NGINX_HOLE_PORT} = $hole->port;

my $nginx = NginxProcess->new(
    worker_connections => 4096,
    http => <<'EOC',
        access_log off;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_max_inflight 8;
        agilicus_token_api_breaker off;
        agilicus_token_api_rate off;
        agilicus_token_api_connect_timeout 400ms;
        agilicus_token_api_timeout 500ms;
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
        add_header X-Cache $agilicus_token_cache always;
EOC
    config => <<'EOC',
        location = /free { try_files /page =404; }
        location = /page { agilicus_token on; try_files /page =404; }
        location = /patient {
            agilicus_token on;
            agilicus_token_api_timeout 20s;
            try_files /page =404;
        }
        location = /hole {
            agilicus_token on;
            agilicus_token_api http://127.0.0.1:$TEST_NGINX_HOLE_PORT;
            agilicus_token_api_timeout 5s;
            try_files /page =404;
        }
        location = /deaf {
            agilicus_token on;
            agilicus_token_api http://127.0.0.1:$TEST_NGINX_DEAF_PORT;
            try_files /page =404;
        }
        location = /gone {
            agilicus_token on;
            agilicus_token_api http://127.0.0.1:1;
            try_files /page =404;
        }
        location = /nowhere {
            agilicus_token on;
            agilicus_token_api https://nonexistent.invalid;
            try_files /page =404;
        }
EOC
);

$nginx->write_file('html/page', 'page');
$nginx->start;


sub request {
    my ($path, $token, %more) = @_;

    return { path => $path, %more, timeout => 30 * $slow,
             headers => { Authorization => "Bearer $token" } };
}


sub ask {
    my ($path, $token) = @_;

    return ($nginx->many([ request($path, $token) ]))[0];
}


# A worker that stands still would let most of them wait; a busy machine lets
# some.

sub unhindered {
    my ($what, @others) = @_;

    my $late = grep { $_->{latency} > 0.15 * $slow } @others;

    is(scalar(grep { $_->{status} != 200 } @others), 0, 'others are served');
    cmp_ok($late, '<=', @others / 4, "not held up $what");
}


sub why { return HttpClient::header($_[0], 'X-Why') }


my $res = ask('/gone', 'refused');

is(why($res), 'unavailable/connect', 'a refused connection is no answer');
cmp_ok($res->{latency}, '<', $late, 'and no request waits for it');

$res = ask('/hole', 'dropped');

is(why($res), 'unavailable/timeout', 'an address that drops all is no answer');
cmp_ok($res->{latency}, '>=', 0.35, 'it is tried for the connect timeout');
cmp_ok($res->{latency}, '<', 0.4 + $late, 'and no longer');

my @tokens = sort keys %silent;
my @res = $nginx->many([ map { request('/page', $_) } @tokens ]);

for my $i (0 .. $#tokens) {
    is(why($res[$i]), 'unavailable/timeout', "no answer in time: $tokens[$i]");
    cmp_ok($res[$i]{latency}, '>=', 0.45, 'a request waits for it');
    cmp_ok($res[$i]{latency}, '<', 0.5 + $late, 'but not for longer');
}

# an API that accepts and never reads

$res = ask('/deaf', 'x' x 4096);

is(why($res), 'unavailable/timeout', 'an API that reads nothing is no answer');
cmp_ok($res->{latency}, '<', 0.5 + $late, 'a request does not wait long for it');

is($mock->calls(token => 'lost-late'), 2,
   'what a lost call took is not added to the one after it');


# timeouts are not remembered

$mock->script(tokens => { 'half-head' => {} });
is(ask('/page', 'half-head')->{status}, 200,
   'a token that had no answer has one later');


# a name that does not exist blocks no other request

@res = $nginx->many([ request('/nowhere', 'resolved'),
                      map { request('/free', 'x', delay => 0.02 * $_) }
                          1 .. 20 ]);

like(why($res[0]), qr{^unavailable/(?:resolve|timeout)$},
     'a name that cannot be resolved is no answer');
unhindered('by a name that cannot be resolved', @res[1 .. 20]);


# others are served meanwhile

@res = $nginx->many([ (map { request('/hole', "dropped-$_") } 1 .. 20),
                      map { request('/free', 'x', delay => 0.02 * $_) }
                          1 .. 20 ]);

is(scalar(grep { why($_) ne 'unavailable/timeout' } @res[0 .. 19]), 0,
   'twenty that wait for an address that drops all');
unhindered('by those that wait', @res[20 .. 39]);


# one call for all requests that need it

$mock->reset;
@res = $nginx->many([ map { request('/page', 'slow') } 1 .. 50 ]);

is(scalar(grep { $_->{status} != 200 } @res), 0, 'fifty wait for one token');
is($mock->calls(token => 'slow'), 1, 'one call is made for them');
is(join(' ', sort map { HttpClient::header($_, 'X-Cache') } @res),
   join(' ', ('JOINED') x 49, 'MISS'), 'the others join it');
is(HttpClient::header(ask('/page', 'slow'), 'X-Cache'), 'HIT',
   'and its answer is remembered');


# not more calls at once than allowed; what waits in line is served in turn

$mock->reset;

my $peak = 0;

@res = $nginx->many([ map { request('/patient', "slow-$_") } 1 .. 40 ],
                    on_result => sub {
                        my $open = $mock->open_connections;
                        $peak = $open if $open > $peak;
                    });

is(scalar(grep { $_->{status} != 200 } @res), 0,
   'forty calls at most eight at a time');
cmp_ok($peak, '<=', 8, 'eight connections are open at most');
is($mock->calls, 40, 'each token is asked about once');


# a line has an end, and one client has no more than its share of it

$nginx->mark;
@res = $nginx->many([ (map { request('/page', "hang-$_") } 1 .. 1100),
                      request('/free', 'x', delay => 0.2) ]);

my @many = grep { why($_) eq 'unavailable/client_places' } @res[0 .. 1099];
my @timeout = grep { why($_) eq 'unavailable/timeout' } @res[0 .. 1099];

# a client that is late finds a place that another one has left

cmp_ok(scalar @many, '>', 0, 'a client with too many is told so');
cmp_ok(scalar @many, '<=', 1100 - 512, 'and not before it has half');
is(scalar(grep { $_->{status} != 429
                 || HttpClient::header($_, 'Retry-After') ne '1' } @many), 0,
   'and when to come back');
is(scalar @timeout, 1100 - @many, 'its others wait as long as the rest');
is($res[1100]{status}, 200, 'who asks for nothing is served');
is(ask('/page', 'good')->{status}, 200, 'and all is well afterwards');

$nginx->finish('nothing was hurt');


# the breaker: one probe at a time, and back as soon as it succeeds

my $guarded = NginxProcess->new(
    workers => 2,
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_breaker 3 open=400ms max=2s;
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
EOC
    config => 'location = /page { agilicus_token on; try_files /page =404; }',
);

$guarded->write_file('html/page', 'page');
$guarded->start;
$nginx = $guarded;

is(ask('/page', 'good')->{status}, 200, 'a token is known');

$mock->reset;
$mock->script(default => 503);

my @why = map { why(ask('/page', "new-$_")) } 1 .. 6;

is("@why", join(' ', ('unavailable/status') x 3, ('unavailable/breaker') x 3),
   'after three failures the API is left alone');
is($mock->calls, 3, 'by all workers');
is(ask('/page', 'good')->{status}, 200, 'what is known is used meanwhile');

sleep 0.45;

@why = map { why($_) } $guarded->many([ map { request('/page', "probe-$_") }
                                        1 .. 10 ]);

is(scalar(grep { $_ eq 'unavailable/status' } @why), 1,
   'one request tries after a while');
is($mock->calls, 4, 'and only one');

$mock->script(default => {});
sleep 0.45;

is(ask('/page', 'new-7')->{status}, 200, 'the first that succeeds');
is(ask('/page', 'new-8')->{status}, 200, 'lets all others through');

like($guarded->error_log, qr/breaker opens/, 'it is logged that it opened');
like($guarded->error_log, qr/breaker closes/, 'and that it closed');

$guarded->finish('two workers, clean log');

done_testing();
