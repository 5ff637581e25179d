use strict;
use warnings;

# Which clients may have calls, and which requests wait for them: no client is
# in the way of others, and refreshes of known tokens stand behind all calls
# that requests wait for.

use JSON::PP ();
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
    chmod 0600, $nginx->write_file('credential', "of-the-edge\n");
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
   'a token that was good once is free of the budget');

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


# a request waits for its own timeout, whichever requests share its call

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

# a call that no request waits for any more is in no request's way, and is a
# failure at last

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

# also while requests keep coming: the oldest calls that are left do not end for
# them

launch(
    http   => <<'EOC',
        agilicus_token_api_rate off;
        agilicus_token_api_max_inflight 4;
        agilicus_token_api_breaker 1 open=60s max=60s;
EOC
    config => <<"EOC",
        location = /short {
            agilicus_token on;
            agilicus_token_api_timeout 200ms;
        }
        location = /long {
            agilicus_token on;
            agilicus_token_api_timeout @{[ 2000 * $slow ]}ms;
        }
EOC
);

$mock->script(default => { hang => 1 });
$nginx->many([ map { my $wave = $_;
                     map { request('/short', "wave-$wave-$_", '192.0.2.1',
                                   delay => 0.25 * $slow * $wave) } 1 .. 8 }
               0 .. 13 ]);

is(scalar($nginx->log_lines(qr/breaker opens/)), 1,
   'what is never answered is one while more is asked');
$nginx->finish('an API that is silent to many');


# Refreshes never stand before requests that wait: a request that comes in a
# crowd and is answered from known facts asks only where there is room.

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


# places are shared out: one client with all that it can open at once does not
# keep others, their sign-outs or the feed from the API

launch(
    http => <<'EOC',
        agilicus_token_api_rate off;
        agilicus_token_api_timeout 10s;
        agilicus_token_api_credential $TEST_NGINX_PREFIX/credential;
        agilicus_token_revocation_feed interval=1s;
EOC
    config => <<'EOC',
        location = /out { agilicus_token_revoke; }
        location = /status { agilicus_token_status; }
EOC
);

sub feed { return JSON::PP::decode_json(
                      $nginx->get('/status?format=json')->{body})->{feed} }

$until = time + 10 * $slow;

sleep 0.05 while time < $until && feed()->{state} ne 'healthy';

my $before = feed();

$mock->script(
    default => { status => 404, delay => 0.5 },
    tokens => { map({ ("good-$_" => { delay => 0.5,
                                      token => { jti => "of-$_" } }) }
                    1 .. 20),
                map({ ("new-$_" => { delay => 0.5 }) } 1 .. 40) },
);
$mock->reset;

@res = $nginx->many([
    map({ request('/page', "flood-$_", '192.0.2.1') } 1 .. 900),
    map({ request('/page', "new-$_", "192.0.2.$_", delay => 1) } 2 .. 21),
    map({ request('/out', "good-$_", "192.0.2.$_", delay => 1 + $_ / 10,
                  method => 'POST') } 2 .. 20),
    request('/status?format=json', 'x', '192.0.2.99', delay => 3),
]);

my @flood = @res[0 .. 899];
my @new = @res[900 .. 919];
my @out = @res[920 .. 938];
my $after = JSON::PP::decode_json($res[939]{body})->{feed};

is(tally(map { why($_) } grep { $_->{status} != 401 } @flood),
   'unavailable/client_places: ' . grep({ $_->{status} == 429 } @flood),
   'a flood waits for its calls, or is told that it holds its share');
cmp_ok(scalar(grep { $_->{status} == 429 } @flood), '>=', 900 - 700,
       'which is little more than half of the places');
is(scalar(grep { $_->{status} == 429
                 && (HttpClient::header($_, 'Retry-After') || 0) < 1 }
          @flood), 0, 'and when to come back');
is(tally(map { why($_) } @new), 'active/: 20',
   'new tokens of other clients pass meanwhile');
is(scalar(grep { $_->{latency} > 2 * $slow } @new), 0,
   'and do not wait behind it');
is(tally(map { $_->{status} } @out), '204: 19', 'so do sign-outs');
cmp_ok($after->{polls}, '>', $before->{polls}, 'the feed goes on');
is($after->{failed}, $before->{failed}, 'and misses nothing');

# many behind one address, with one token

$mock->reset;
@res = $nginx->many([ map { request('/page', 'new-40', '192.0.2.7') }
                      1 .. 200 ]);

is(tally(map { $_->{status} } @res), '200: 200',
   'two hundred behind one address pass');
is($mock->calls(token => 'new-40'), 1, 'by one call');
$nginx->finish('a flood');


# sign-outs and the feed have calls of their own where all others are taken

launch(
    http => <<'EOC',
        agilicus_token_api_rate off;
        agilicus_token_api_timeout 4s;
        agilicus_token_api_max_inflight 4;
        agilicus_token_api_credential $TEST_NGINX_PREFIX/credential;
        agilicus_token_revocation_feed interval=1s;
EOC
    config => <<'EOC',
        location = /out { agilicus_token_revoke; }
        location = /status { agilicus_token_status; }
EOC
);

$until = time + 10 * $slow;

sleep 0.05 while time < $until && feed()->{state} ne 'healthy';

$mock->script(default => { hang => 1 },
              tokens => { map({ ("good-$_" => { token => { jti => "of-$_" } })
                              } 1 .. 20) });
@res = $nginx->many([
    map({ request('/page', "stuck-$_", "192.0.2.$_") } 1 .. 8),
    map({ request('/out', "good-$_", '198.51.100.1', delay => 0.5,
                  method => 'POST') } 1 .. 6),
    request('/page', 'good-20', '198.51.100.2', delay => 0.5),
    map({ request('/status?format=json', 'x', '192.0.2.99', delay => $_) }
        0.5, 3.2),
]);

is(tally(map { $_->{status} } @res[8 .. 13]), '204: 6',
   'sign-outs pass where the API is silent about all else');
is(scalar(grep { $_->{latency} > 2 * $slow } @res[8 .. 13]), 0, 'at once');
cmp_ok($res[14]{latency}, '>', 2.5, 'and nothing else does');

my ($then, $later) = map { JSON::PP::decode_json($_->{body})->{feed}{polls} }
                     @res[15, 16];

cmp_ok($later, '>', $then, 'but the feed');
$nginx->finish('sign-outs');


# all places may be taken by many clients

launch(http => 'agilicus_token_api_rate off; agilicus_token_api_timeout 1s;',
       config => '');

@res = $nginx->many([ map { request('/page', "many-$_",
                                    sprintf '10.0.%d.%d', $_ / 250, $_ % 250) }
                      1 .. 1100 ]);

my @full = grep { why($_) eq 'unavailable/places' } @res;

cmp_ok(scalar @full, '>', 0, 'whoever is too many is told so');
cmp_ok(scalar @full, '<=', 1100 - 1024, 'and no other request is');
is(tally(map { $_->{status} } @full), '503: ' . @full, 'with the status of all');
$nginx->finish('all places');


# one token may not take them, also where its calls are not shared

launch(http => 'agilicus_token_api_rate off; agilicus_token_api_timeout 3s;
                agilicus_token_api_max_inflight 1000;',
       config => 'location = /off { agilicus_token on;
                                    agilicus_token_cache off; }');

$mock->script(default => { hang => 1 }, tokens => { 'stranger' => {} });

@res = $nginx->many([
    map({ request('/off', 'everywhere', '192.0.2.' . $_ % 9) } 1 .. 1300),
    request('/page', 'stranger', '198.51.100.1', delay => 1.5),
]);

is($res[-1]{status}, 200, 'one token from many clients leaves places');
cmp_ok(scalar(grep { why($_) eq 'unavailable/places' } @res), '>', 500,
       'for it holds little more than half of them');
$nginx->finish('one token everywhere');

done_testing();


sub bearer { return { Authorization => "Bearer $_[0]" } }
