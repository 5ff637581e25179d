use strict;
use warnings;

# Who may have calls, and who waits for them: nobody is in the way of others,
# and refreshes of what is known stand behind all that somebody waits for.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

my $slow = NginxControl::slow();
my $mock = MockAPI->start(
    tokens => { map({ ("good-$_" => {}) } 1 .. 20) },
    default => 404,
);
my $nginx;


# clients are told apart by a header, as behind a balancer

sub launch {
    my (%opt) = @_;

    $nginx = NginxProcess->new(
        worker_connections => 4096,
        workers => $opt{workers} || 1,
        http => <<"EOC",
            access_log off;
            set_real_ip_from 127.0.0.1;
            real_ip_header X-From;
            agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
            add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                       always;
            $opt{http}
EOC
        config => <<"EOC",
            location = /page { agilicus_token on; try_files /page =404; }
            $opt{config}
EOC
    );

    $nginx->write_file('html/page', "page\n");
    $nginx->start;
}


sub request {
    my ($path, $token, $from, %more) = @_;

    return { path => $path, timeout => 30 * $slow, %more,
             headers => { Authorization => "Bearer $token",
                          'X-From' => $from } };
}


sub why { return HttpClient::header($_[0], 'X-Why') }


sub tally {
    my %n;

    $n{$_}++ for @_;

    return join ', ', map { "$_: $n{$_}" } sort keys %n;
}


# a budget binds for all tokens that were never good, remembered or not

launch(
    http => <<'EOC',
        agilicus_token_api_rate 500r/s per_client=3r/m burst=60s;
        agilicus_token_cache_valid active=100ms invalid=100ms;
        agilicus_token_zone other:1m;
EOC
    config => <<'EOC',
        location = /other {
            agilicus_token on;
            agilicus_token_cache other;
            try_files /page =404;
        }
        location = /uncached {
            agilicus_token on;
            agilicus_token_cache off;
            try_files /page =404;
        }
EOC
);

my @res = $nginx->many([ map({ request('/page', "bad-$_", "192.0.2.$_") }
                             1 .. 12),
                         map({ request('/page', "good-$_", "192.0.2.$_") }
                             1 .. 12) ]);

is(tally(map { $_->{status} } @res), '200: 12, 401: 12',
   'what is good and what is not was learnt by many');

sleep 0.3;
$mock->reset;
@res = $nginx->many([ map { request('/page', "bad-$_", '198.51.100.1') }
                      1 .. 12 ]);

is(tally(map { why($_) } @res), 'invalid/unknown: 3, unavailable/client_rate: 9',
   'one client asks again about what is invalid, within its budget');
is($mock->calls, 3, 'and makes no other call');

@res = $nginx->many([ map { request('/page', "good-$_", '198.51.100.1') }
                      1 .. 12 ]);

is(tally(map { why($_) } @res), 'active/: 12',
   'what was good once is free, whatever the budget is');

@res = $nginx->many([ map { request($_, 'good-1', '198.51.100.1') }
                      qw(/other /uncached) ]);

is(tally(map { why($_) } @res), 'unavailable/client_rate: 2',
   'good is what is remembered where it is looked for');

# a token that was good and is not any more

$mock->script(tokens => { 'good-12' => 404 });
sleep 0.3;

is(why(($nginx->many([ request('/page', 'good-12', '198.51.100.1') ]))[0]),
   'invalid/unknown', 'that a token is good no longer is learnt for nothing');
sleep 0.3;
is(why(($nginx->many([ request('/page', 'good-12', '198.51.100.1') ]))[0]),
   'unavailable/client_rate', 'and then it is like any other');

$nginx->finish('budgets bind');


# a request waits as long as it wants to, whoever waits with it

sub impatient {
    my ($short, $long, $http) = @_;

    launch(
        http => "agilicus_token_api_rate off; $http",
        config => <<"EOC",
            location = /short {
                agilicus_token on;
                agilicus_token_api_timeout ${short}ms;
                try_files /page =404;
            }
            location = /long {
                agilicus_token on;
                agilicus_token_api_timeout ${long}ms;
                try_files /page =404;
            }
EOC
        workers => 2,
    );
}

my $late = 1 * $slow;

$mock->script(tokens => { map({ ("late-$_" => { delay => $late }) } 1 .. 60) });
$mock->reset;
impatient(300, 20_000 * $slow, '');

@res = $nginx->many([
    map({ (request('/short', "late-$_", '192.0.2.1'),
           request('/long', "late-$_", '192.0.2.1', delay => 0.1)) } 1 .. 10),
    map({ (request('/long', "late-$_", '192.0.2.1'),
           request('/short', "late-$_", '192.0.2.1', delay => 0.1)) } 11 .. 20),
]);

my @short = grep { why($_) eq 'unavailable/timeout' } @res;

is(tally(map { why($_) } @res), 'active/: 20, unavailable/timeout: 20',
   'of two that wait for one token each waits for its own time');
is(scalar(grep { $_->{latency} > 0.3 + 0.5 * $slow } @short), 0,
   'the short not longer');
is($mock->calls, 20, 'and there is one call for both, on any worker');

@res = $nginx->many([ map { request('/short', "late-$_", '192.0.2.1') }
                      21 .. 40 ]);

is(tally(map { why($_) } @res), 'unavailable/timeout: 20',
   'many that did not wait long enough');
sleep $late + 0.3;
is(why(($nginx->many([ request('/long', 'late-41', '192.0.2.1') ]))[0]),
   'active/', 'are no failures of an API that answers');
is(why(($nginx->many([ request('/short', 'late-21', '192.0.2.1') ]))[0]),
   'active/', 'and its answers were remembered');
unlike($nginx->error_log, qr/breaker/, 'the breaker stays out of it');
$nginx->finish('the patient and the impatient');

# what nobody waits for any more is in nobody's way, and is a failure at last

$mock->script(tokens => { map({ ("never-$_" => { hang => 1 }) } 1 .. 60) });
impatient(200, 2000, 'agilicus_token_api_max_inflight 4;'
                     . 'agilicus_token_api_breaker 1 open=60s max=60s;');

@res = $nginx->many([ map { request('/short', "never-$_", '192.0.2.1') }
                      1 .. 40 ]);

is(tally(map { why($_) } @res), 'unavailable/timeout: 40',
   'no answer for many');
is(why(($nginx->many([ request('/long', 'good-1', '192.0.2.1') ]))[0]),
   'active/', 'their calls make room for one that is waited for');
ok($nginx->wait_log(qr/breaker opens/, 10 * $slow),
   'what is never answered is a failure');
$nginx->finish('an API that is silent');


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
$mock->script(default => {});

my $until = time + 5 * $slow;

sleep 0.05 while time < $until
                 && $crowd->get('/status?format=json')->{body} !~ /"healthy"/;

$crowd->many([ map { { path => '/page', headers => bearer("crowd-$_") } }
               1 .. 30 ]);
sleep 1.1;
$mock->script(default => { delay => 0.4 });

@res = $crowd->many([ map { { path => '/short',
                              headers => bearer("crowd-$_") } } 1 .. 30 ]);

is(scalar(grep { (HttpClient::header($_, 'X-Cache') || '') eq 'UPDATING' }
          @res), 30, 'thirty tokens are due and pass');

my $begun = time;

is($crowd->get('/page', headers => bearer('newcomer'))->{status}, 200,
   'a new one passes too');
cmp_ok(time - $begun, '<', 1.2 * $slow, 'and does not wait for thirty calls');
$crowd->finish('a crowd of refreshes');

done_testing();


sub bearer { return { Authorization => "Bearer $_[0]" } }
