use strict;
use warnings;

# Clients that go away while the API is asked: nothing is hurt, nothing is
# left behind, and the answer serves the client that comes next.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();
my $clients = 1000;

my $mock = MockAPI->start(
    tokens => {
        map({ ("slow-$_" => { delay => 0.15 }) } 1 .. 9),
        map({ ("some-$_" => { delay => 0.01 * ($_ % 8) }) } 1 .. 200),
        map({ ("hang-$_" => { hang => 1 }) } 1 .. 20),
        'half' => { pieces => [ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
                                { pause => 0.15 }, '{"sub"', { pause => 0.1 },
                                ':""}' ] },
    },
    default => {},
    paths => { '/after' => { status => 200, delay => 0.4 } },
);

my $nginx = NginxProcess->new(
    worker_connections => 2048,
    http => <<'EOC',
        log_format status '$status';
        access_log $TEST_NGINX_PREFIX/logs/status.log status;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        agilicus_token_api_breaker off;
        agilicus_token_api_max_inflight 16;
        agilicus_token_api_timeout 1s;
        agilicus_token_cache_valid active=100ms;
EOC
    config => <<'EOC',
        location / {
            agilicus_token on;
            agilicus_token_cache_valid active=60s;
            try_files /page =404;
        }
        location = /short { agilicus_token on; try_files /page =404; }
        location = /off {
            agilicus_token on;
            agilicus_token_cache off;
            try_files /page =404;
        }
        location = /free { try_files /page =404; }
        location = /any {
            satisfy any;
            auth_request /short;
            deny all;
            agilicus_token on;
            try_files /page =404;
        }
        location = /parts {
            ssi on;
            ssi_types *;
            try_files /parts.txt =404;
        }
        location = /page-of-error {
            error_page 401 503 =200 /short;
            agilicus_token on;
            agilicus_token_cache off;
            try_files /page =404;
        }
        location = /proxied {
            agilicus_token on;
            proxy_request_buffering off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
        }
        location = /echo { return 200; }
        location = /followed {
            agilicus_token on;
            post_action /_after;
            try_files /page =404;
        }
        location = /_after {
            internal;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/after;
        }
EOC
);

$nginx->write_file('html/page', "page\n");
$nginx->write_file('html/parts.txt', join '',
    map { "<!--#include virtual=\"$_\" -->" } qw(/short /off /short));
$nginx->start;

my ($worker) = $nginx->workers;


sub request {
    my ($path, $token, %more) = @_;

    return { path => $path, %more,
             headers => { Authorization => "Bearer $token" } };
}


sub ask { return ($nginx->many([ request(@_) ]))[0] }
sub descriptors { return scalar(my @fds = glob "/proc/$worker/fd/*") }


sub wait_descriptors {
    my ($n) = @_;

    my $until = time + 5 * $slow;

    sleep 0.02 while descriptors() > $n && time < $until;

    return descriptors();
}


is(ask('/', 'first')->{status}, 200, 'a client that stays');

my $base = descriptors();


# one that goes

for my $how ([ 1, 'ends the connection' ], [ 2, 'resets it', reset => 1 ],
             [ 3, 'ends its half', shutdown => 1 ])
{
    my ($n, $what, @how) = @$how;
    my $token = "slow-$n";

    $mock->reset;
    $nginx->mark;
    $nginx->many([ request('/', $token, abort => 0.05, @how) ]);

    ok($nginx->wait_log(qr/client prematurely closed connection/),
       "a client that $what is noticed");

    sleep 0.25;
    is(ask('/', $token)->{status}, 200, 'its token is good');
    is($mock->calls, 1, 'as its own call had told');
}

$nginx->many([ request('/', 'half', abort => 0.2) ]);
sleep 0.2;
is(ask('/', 'half')->{status}, 503, 'half an answer in the meantime');


# a client leaves, and a subrequest follows its request all the same

$mock->reset;
$nginx->many([ request('/followed', 'slow-5', abort => 0.05) ]);

ok($mock->wait_calls(1, path => '/after'), 'what follows a request is done');
sleep 0.5;
is($mock->calls(path => '/after'), 1, 'once, whatever the API answers then');
is(ask('/', 'slow-5')->{status}, 200, 'and its answer has been kept');
is($mock->calls(token => 'slow-5'), 1, 'from that one call');


# one of several clients that wait for the same answer leaves

$mock->reset;

my @res = $nginx->many([
    request('/', 'slow-4', abort => 0.05),
    (map { request('/', 'slow-4', delay => 0.01) } 1 .. 9),
    (map { request('/', 'slow-4', delay => 0.01, abort => 0.05, reset => 1) }
         1 .. 9),
]);

is(join(' ', map { $_->{status} } @res[1 .. 9]), join(' ', (200) x 9),
   'who stays has the answer, though the first has gone');
is($mock->calls, 1, 'of one call');


# some that stand in line

$mock->reset;
@res = $nginx->many([
    (map { request('/', "hang-$_") } 1 .. 16),
    (map { request('/', "line-$_", delay => 0.1, abort => 0.1) } 1 .. 20),
    request('/', 'line-21', delay => 0.15, timeout => 10 * $slow),
]);

is(scalar(grep { defined $_->{status} && $_->{status} == 503 } @res[0 .. 15]),
   16, 'the line does not move');

is(scalar(grep { $mock->calls(token => "line-$_") } 1 .. 20), 0,
   'for clients that have left the API is not asked');
cmp_ok($mock->calls, '<=', 17, 'nor anybody else');


# a thousand of them, everywhere

srand 20;

# auth_request makes a 500 of our 503

my @paths = qw(/ /short /off /any /parts /page-of-error /proxied);

@res = $nginx->many([
    map {
        my $path = $paths[ rand @paths ];

        request($path, 'some-' . (1 + int rand 220),
                abort => rand 0.12,
                reset => $_ % 2,
                $path eq '/proxied' ? (method => 'POST', body => 'x' x 5000)
                                    : ())
    } 1 .. $clients
], at_once => 150);

my $gone = grep { defined $_->{error} && $_->{error} eq 'aborted' } @res;

cmp_ok($gone, '>', $clients / 4, "$gone clients went away");
is(scalar(grep { defined $_->{status} && $_->{status} !~ /^(?:200|50[03])$/ }
          @res), 0, 'the others had their answer, or are too many');

# pipelined, and gone before the answers

for my $i (1 .. 100) {
    my $c = $nginx->connect or next;

    $c->send(join '', map { "GET /short HTTP/1.1\r\nHost: a\r\n"
                            . "Authorization: Bearer some-$i\r\n\r\n" }
                      1 .. 1 + $i % 5);
    sleep 0.001 * ($i % 7);
    $i % 2 ? $c->close : $c->reset;
}

@res = $nginx->many([ map { request('/', "after-$_") } 1 .. 50 ],
                    at_once => 10);

is(scalar(grep { $_->{status} != 200 } @res), 0, 'all is well afterwards');
is(ask('/off', 'after')->{status}, 200, 'without a cache too');

# the API keeps some connections open

my $kept = wait_descriptors($base + 16);

cmp_ok($kept, '<=', $base + 16, 'no connection is left behind');
is(join(' ', $nginx->workers), $worker, 'by the same worker');

my $log = NginxControl::slurp($nginx->prefix . '/logs/status.log');
my $aborted = () = $log =~ /^499$/mg;

cmp_ok($aborted, '>', 50, "$aborted requests were ended as nginx does");
unlike($nginx->error_log, qr/request count is zero|zero size buf|http finalize .* c:0/,
       'none was counted wrongly');

$nginx->finish(secrets => [ qw(slow- some- hang- line- after-) ]);

done_testing();
