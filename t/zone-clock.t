use strict;
use warnings;

# How time passes for what is known: ages by the clock that never steps, expiry
# by the one on the wall, lifetimes by the location that reads and by how far
# the revocation feed can be relied on.
#
# nginx is given clocks that the test sets, so that an hour takes no time.

use File::Temp;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestClock;

my $slow = $ENV{AGILICUS_TEST_SLOW} = NginxControl::slow();
my $dir = File::Temp->newdir;
my $begun = int time;
my ($polled, $since_poll, %ahead) = (0, 0);
my $clock = TestClock->new;

my @unusable = ([ 'a redirect', { status => 302, headers => { Location => '/' } } ],
                [ 'half a Token', { body => '{"sub":"x"' } ],
                [ 'no Token', { body => '[]' } ],
                [ 'a page', { type => 'text/html', body => '<p>' } ],
                [ 'what is for the edge', 401 ], [ 'or not', 403 ]);

my @away = ([ 'an error', 500 ], [ 'unavailability', 503 ],
            [ 'too many calls', 429 ], [ 'a reset', { reset => 1 } ],
            [ 'silence', { hang => 1 } ]);

my $mock = MockAPI->start(
    tokens => {
        bad       => 404,
        comes     => [ { token => { exp => undef } }, 410, {} ],
        denied    => { token => { session => 'session-denied' } },
        slow      => { delay => 0.3 },
        'no-end'  => { token => { exp => undef } },
        'no-jti'  => { token => { jti => undef } },
        'ends'    => { token => { exp => $begun + 100 } },
        'ends-2'  => { token => { exp => $begun + 100 } },
        'unseen'  => { token => { exp => $begun + 1800 } },
        'waits'   => { token => { exp => $begun + 100, hosts => [ {
            upstream_host => 'localhost', allowed_list => [ {
                methods => [ 'all' ], paths => [ '/rules' ],
                body => { json => [ { name => 'n', pointer => '/n',
                                      exact_match => '1' } ] },
                separate_query => \1 } ] } ] } },
        'begins'  => { token => { nbf => $begun + 1000,
                                  exp => $begun + 9000 } },
        map({ ("unusable-$_" => [ {}, $unusable[$_][1] ]) } 0 .. $#unusable),
        map({ ("away-$_" => [ {}, $away[$_][1] ]) } 0 .. $#away),
        'away-revoked' => [ {}, 410 ],
        'away-denied'  => [ { token => { jti => 'away-denied' } }, 503 ],
        'swap'      => { token => { sub => 'swap', exp => $begun + 9000 } },
        'due'       => { token => { exp => $begun + 9000 } },
        'swap.acme' => { token => { sub => 'swap', org => 'acme',
                                    exp => $begun + 5000 } },
    },
    paths => {
        'POST /v1/tokens/reissue' => [
            { status => 200, json => { token => 'swap.acme' } }, 503 ],
        'POST /v1/tokens/revoke' => 503,
    },
    default => sub { { token => { jti => $_[0]{token} } } },
);

my $second = MockAPI->start(name => 'SECOND', default => {});

my $locations = <<'EOC';
    location / { agilicus_token on; try_files /page =404; }
    location /short {
        agilicus_token on;
        agilicus_token_cache_valid active=5s invalid=2s;
        try_files /page =404;
    }
    location /long {
        agilicus_token on;
        agilicus_token_cache_valid active=1h invalid=1h;
        try_files /page =404;
    }
    location /rules {
        agilicus_token on;
        agilicus_token_rules on;
        agilicus_token_cache_valid active=1h;
        try_files /page =404;
    }
    location /leeway {
        agilicus_token on;
        agilicus_token_leeway 10s;
        agilicus_token_cache_valid active=1h;
        try_files /page =404;
    }
    location /one {
        agilicus_token on;
        agilicus_token_cache_valid active=1s;
        try_files /page =404;
    }
    location /hundred {
        agilicus_token on;
        agilicus_token_cache_valid active=100s;
        try_files /page =404;
    }
    location /spare {
        agilicus_token on;
        agilicus_token_cache_valid active=10s;
        agilicus_token_cache_stale error=30s;
        try_files /page =404;
    }
    location /update {
        agilicus_token on;
        agilicus_token_cache_stale update=60s;
        try_files /page =404;
    }
    location /no-update {
        agilicus_token on;
        agilicus_token_cache_stale update=0s;
        try_files /page =404;
    }
    location /spare-long {
        agilicus_token on;
        agilicus_token_cache_valid watched=30s;
        agilicus_token_cache_stale error=300s update=0s;
        try_files /page =404;
    }
    location /watched-long {
        agilicus_token on;
        agilicus_token_cache_valid watched=1h;
        agilicus_token_cache_stale update=0s;
        try_files /page =404;
    }
    location /swap {
        agilicus_token on;
        agilicus_token_reissue acme;
        agilicus_token_cache_valid active=1h;
        try_files /page =404;
    }
    location /second {
        agilicus_token on;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_SECOND_PORT;
        try_files /page =404;
    }
    location = /denials { agilicus_token_revocation_hook trusted; }
    location = /signout { agilicus_token_revoke; }
EOC

my $http = <<'EOC';
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_timeout 400ms;
    agilicus_token_api_breaker off;
    agilicus_token_api_rate off;
    agilicus_token_revocation_ttl 100s;
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
    add_header X-Cache $agilicus_token_cache always;
    add_header X-Age $agilicus_token_age always;
EOC

my $nginx = start_nginx($http);


# how old

$mock->reset;

seen('/hundred', $_, 'MISS', 'many tokens are asked about')
    for map { "many-$_" } 1 .. 60;
seen('/', 'aged', 'MISS', 'and another one');
seen('/', 'no-end', 'MISS', 'and one without an end');
seen('/', 'bad', 'MISS', 'and one that is none');
seen('/short', 'short', 'MISS', 'and one for a short while');

passes(4);
seen('/short', 'short', 'HIT', 'four seconds of five');
passes(1.1);
seen('/short', 'short', 'MISS', 'five seconds');
passes(2.9);
seen('/', 'bad', 'HIT', 'eight seconds of ten for what is not known');
passes(2.1);
seen('/', 'bad', 'MISS', 'ten seconds');
passes(15.9);
seen('/', 'aged', 'HIT', '26 seconds of 30');
is(HttpClient::header(ask('/', 'aged'), 'X-Age'), 26, 'are its age');
seen('/', 'no-end', 'HIT', 'without an end, too');
passes(4.1);
seen('/', 'aged', 'MISS', '30 seconds');
seen('/', 'no-end', 'MISS', 'without an end, too');
is($mock->calls(token => 'aged'), 2, 'the API was asked again');

passes(58.5);

my @from = map { from(ask('/hundred', "many-$_")) } 1 .. 30;

is(scalar(grep { $_ eq 'HIT' } @from), 30, 'nothing goes before nine tenths');
passes(6.5);

@from = map { from(ask('/hundred', "many-$_")) } 1 .. 30;

cmp_ok(scalar(grep { $_ eq 'MISS' } @from), '>=', 3,
       'what came together does not go');
cmp_ok(scalar(grep { $_ eq 'HIT' } @from), '>=', 3, 'together');
passes(5.1);

@from = map { from(ask('/hundred', "many-$_")) } 31 .. 60;

is(scalar(grep { $_ eq 'MISS' } @from), 30, 'nothing stays beyond its time');

seen('/one', 'slow', 'MISS', 'an answer that takes its time');
passes(0.75);
seen('/one', 'slow', 'MISS', 'is as old as its question');


# until when

seen('/long', $_, 'MISS', 'a token that ends') for qw(ends ends-2 unseen waits);
seen('/leeway', 'ends', 'HIT', 'may end a little later elsewhere');

my $end = $begun + 100;

wall_at($end - 0.8);
seen('/long', 'ends', 'HIT', 'the last second');

my $waits = $nginx->connect;

$waits->send("POST /rules HTTP/1.0\r\nHost: localhost\r\n"
             . "Authorization: Bearer waits\r\nContent-Length: 7\r\n"
             . "Content-Type: application/json\r\n\r\n");
sleep 0.3 * $slow;
wall_at($end + 0.05);
sleep 0.1 * $slow;
$waits->send('{"n":1}');
like($waits->read_some(5 * $slow), qr{^HTTP/1.1 401 .*expired/expired}s,
     'a token that ends while a body is waited for');
$waits->close;
is(why(ask('/long', 'ends')), 'expired/expired', 'the first one after it');
is(ask('/leeway', 'ends')->{status}, 200, 'not for who is lenient');
wall_at($end + 9.2);
is(ask('/leeway', 'ends')->{status}, 200, 'for ten seconds');
wall_at($end + 10.05);
is(why(ask('/leeway', 'ends')), 'expired/expired', 'and no more');
is($mock->calls(token => 'ends'), 1, 'the API was not asked for that');
is(why(ask('/long', 'ends')), 'expired/expired', 'what has ended');

wall_at($end - 3600);
is(why(ask('/long', 'ends')), 'expired/expired',
   'stays so when the clock is set back');
is(why(ask('/leeway', 'ends')), 'expired/expired', 'everywhere');
is($mock->calls(token => 'ends'), 1, 'and the API is not asked');
is(why(ask('/long', 'waits')), 'expired/expired', 'nor after a body');
seen('/long', 'ends-2', 'HIT', 'a token that was not seen to end has not');

wall_at(time);
is(ask('/swap', 'swap')->{status}, 200, 'a token is reissued') for 1, 2;
wall_at($begun + 5001);
is(ask('/swap', 'swap')->{status}, 503, 'which ends, and no other is to be had');
wall_at(time);
is(ask('/swap', 'swap')->{status}, 503,
   'a reissued token stays expired when the clock is set back');
is($mock->calls(path => '/v1/tokens/reissue'), 3, 'another one is asked for');

is(why(ask('/long', 'begins')), 'invalid/not_yet_valid', 'a token begins later');
wall_at(time + 1001);
is(ask('/long', 'begins')->{status}, 200, 'when its time has come it is good');
wall_at(time);


# steps of the clock on the wall

seen('/', 'stepped', 'MISS', 'a token when the clock is right');
wall_at(time + 1700);
seen('/', 'stepped', 'HIT', 'no age comes from a clock that steps ahead');
seen('/', 'no-end-2', 'MISS', 'a token while the clock is wrong');
wall_at(time - 3600);
seen('/', 'stepped', 'HIT', 'no age comes from a clock that steps back');
is(HttpClient::header(ask('/', 'stepped'), 'X-Age'), 0, 'none at all');
seen('/long', 'unseen', 'HIT', 'nor an end that is not there yet');
mono_by(26);
seen('/', 'stepped', 'HIT', 'ages are of the other clock');
mono_by(4.1);
seen('/', 'stepped', 'MISS', 'also at their end');
wall_at(time);


# how long a denial lasts

ask('/', 'comes');
mono_by(31);
is(why(ask('/', 'comes')), 'revoked/revoked', 'a token is revoked');
is(why(ask('/', 'denied')), 'active/', 'another is not');
is(deny('{"session":["session-denied"]}'), 204, 'until its session is denied');
is(why(ask('/', 'denied')), 'revoked/session', 'which is seen at once');

wall_at(time + 200);
is(why(ask('/', 'comes')), 'revoked/revoked', 'a clock that is set does not');
is(why(ask('/', 'denied')), 'revoked/session', 'end a denial');
wall_at(time);
mono_by(90);
wall_at(time + 90);
is(why(ask('/', 'comes')), 'revoked/revoked', 'nor does most of its time');
is(why(ask('/', 'denied')), 'revoked/session', 'of either clock');
mono_by(11);
is(why(ask('/', 'comes')), 'revoked/revoked', 'nor all of it on one clock');
is($mock->calls(token => 'comes'), 2, 'and the API is not asked');
wall_at(time + 101);
is(ask('/', 'comes')->{status}, 200, 'then the API is asked again');
is(ask('/', 'denied')->{status}, 200, 'and what it says counts');
wall_at(time);


# past its age while the API is away

$mock->script(tokens => { soon => [ { token => { exp => int(time) + 15 } },
                                    503 ] });

my @spared = ((map { "away-$_" } 0 .. $#away, 'revoked', 'denied'),
              (map { "unusable-$_" } 0 .. $#unusable), 'soon');

seen('/spare', $_, 'MISS', 'a token that is known') for @spared;
passes(20);
is(deny('{"jti":["away-denied"]}'), 204, 'one is denied');

for my $i (0 .. $#away) {
    my $res = ask('/spare', "away-$i");

    is("$res->{status} " . from($res), '200 STALE',
       "the API answers with $away[$i][0]");
}

is(why(ask('/spare', 'soon')), 'expired/expired', 'an end is an end');
is(why(ask('/spare', 'away-revoked')), 'revoked/revoked',
   'what is revoked is');
is(why(ask('/spare', 'away-denied')), 'revoked/jti', 'what is denied is');

for my $i (0 .. $#unusable) {
    is(ask('/spare', "unusable-$i")->{status}, 503,
       "the API answers with $unusable[$i][0]");
}

passes(18);
is(from(ask('/spare', 'away-1')), 'STALE', 'half a minute past its age');
passes(2.2);
is(ask('/spare', 'away-1')->{status}, 503, 'is all there is to spare');
is(ask('/', 'away-1')->{status}, 503, 'and elsewhere there is nothing');


# sign-outs that are due

wall_at(time);
is(HttpClient->new(port => $nginx->port)->request(POST => '/signout',
       headers => { Authorization => 'Bearer due' })->{status}, 503,
   'a revocation that the API does not take');
wall_at($begun + 20_000);
sleep 0.7;
wall_at(time);
$mock->script(paths => { 'POST /v1/tokens/revoke' => { status => 204 } });
$mock->reset;
mono_by(2);
ok($mock->wait_calls(1, path => '/v1/tokens/revoke', token => 'due'),
   'is due still when the clock was ahead for a while');

$nginx->finish('clocks may step');


# with a feed

open my $fh, '>', "$dir/credential" or die "$dir/credential: $!\n";
chmod 0600, "$dir/credential";
print $fh "edge\n";
close $fh;

my $list = 'GET /v1/tokens';

$mock->script(paths => { $list => 503 });

$http =~ s/revocation_ttl 100s/revocation_ttl 1d/;

$nginx = start_nginx($http . <<"EOC");
    agilicus_token_api_credential $dir/credential;
    agilicus_token_revocation_feed interval=60s;
EOC

ok($mock->wait_calls(1, path => '/v1/tokens'), 'a feed is polled');
$polled = 1;
seen('/', 'early', 'MISS', 'a token before it has told anything');
passes(31);
seen('/', 'early', 'MISS', 'is remembered as if there were none');

$mock->script(paths => { $list => undef });
passes(61);
ok($nginx->wait_log(qr/feed is healthy, was not polled yet/),
   'the feed tells');

$mock->reset;

seen('/', 'early', 'HIT', 'what is known is good for longer');
seen('/', $_, 'MISS', 'a token') for qw(watched no-jti no-end);
seen('/second', 'second', 'MISS', 'and one of another API');
seen('/update', "update-$_", 'MISS', 'and some more') for 1 .. 30;
seen('/update', $_, 'MISS', 'and some that will change')
    for qw(gone-later bad-later slow-later out-later never-asked denied-later);
seen('/no-update', 'no-update', 'MISS', 'and one without notice');

passes(31);
seen('/', 'watched', 'HIT', 'is now remembered for longer');
seen('/', 'no-jti', 'MISS', 'not without an identifier');
seen('/', 'no-end', 'UPDATING', 'nor without an end');
seen('/second', 'second', 'MISS', 'nor from another API');

$mock->script(tokens => { 'gone-later' => 410, 'bad-later' => 404,
                          'out-later' => 503,
                          'slow-later' => { delay => 0.3 } });

passes(234);
@from = map { from(ask('/update', "update-$_")) } 1 .. 30;
is(scalar(grep { $_ eq 'HIT' } @from), 30, '265 seconds of 300');

passes(36);
@from = map { from(ask('/update', "update-$_")) } 1 .. 30;
is(scalar(grep { $_ eq 'UPDATING' } @from), 30, 'a little later');
ok($mock->wait_calls(2, token => 'update-30'), 'they are renewed');
sleep 0.05;
@from = map { from(ask('/update', "update-$_")) } 1 .. 30;
is(scalar(grep { $_ eq 'HIT' } @from), 30, 'and new');
is($mock->calls(token => "update-$_"), 2, 'by one call') for 1, 15, 30;

my @res = $nginx->many([ map { request('/update', 'slow-later') } 1 .. 20 ]);

is(scalar(grep { from($_) eq 'UPDATING' && $_->{latency} < 0.25 * $slow }
          @res), 20, 'no request waits for that');
ok($mock->wait_calls(2, token => 'slow-later'), 'nor is anybody asked');
is($mock->calls(token => 'slow-later'), 2, 'more than once');

seen('/no-update', 'no-update', 'MISS', 'unless one should wait');

seen('/update', 'gone-later', 'UPDATING', 'a token that was revoked meanwhile');
is(after_renewal('gone-later'), 'revoked/revoked', 'is so for the next');
seen('/update', 'bad-later', 'UPDATING', 'what is not known any more');
is(after_renewal('bad-later'), 'invalid/unknown', 'is so for the next');

is(deny('{"jti":["denied-later"]}'), 204, 'what is denied');
is(why(ask('/update', 'denied-later')), 'revoked/jti', 'is not renewed');
is($mock->calls(token => 'denied-later'), 1, 'at all');

seen('/update', 'out-later', 'UPDATING', 'what cannot be renewed');
sleep 0.1;
seen('/update', 'out-later', 'UPDATING', 'is tried again');
passes(59);
seen('/update', 'never-asked', 'MISS', 'what is too old for that is not used');
is(ask('/update', 'out-later')->{status}, 503,
   'and what cannot be renewed ends');


# the feed fails

$mock->script(tokens => { 'spare-later' => [ {}, 503 ],
                          'kept' => [ {}, 503 ] });

seen('/watched-long', 'kept', 'MISS', 'a token to be remembered for long');
passes(90);
seen('/spare-long', 'spare-later', 'MISS', 'a token to be spared');
seen('/watched-long', 'kept', 'HIT', 'while the feed tells it is');
$mock->script(paths => { $list => 503 });
passes(91);
seen('/watched-long', 'kept', 'HIT', 'when it fails once, too');
passes(91);
ok($nginx->wait_log(qr/revocation feed is late, was healthy/),
   'then it is late');
is(ask('/watched-long', 'kept')->{status}, 503, 'and nothing is kept for it');

is(from(ask('/spare-long', 'spare-later')), 'STALE',
   'what may be spared is, by a feed that is late');
passes(61);
ok($nginx->wait_log(qr/feed is dead, was late/), 'then it is dead');
is(ask('/spare-long', 'spare-later')->{status}, 503, 'and nothing is spared');

$mock->script(paths => { $list => undef });
passes(61);
ok($nginx->wait_log(qr/feed is healthy, was dead/), 'then it tells again');
seen('/watched-long', 'kept', 'HIT', 'and what is known counts again');

is(scalar(my @said = $nginx->log_lines(qr/revocation feed is/)), 5,
   'each change is told once');

$nginx->finish('feeds may fail');

done_testing();


sub start_nginx {
    my ($more) = @_;

    %ahead = (wall => 0, mono => 0);
    $since_poll = 0;
    set_clock();

    my $new = NginxProcess->new(
        http   => $more,
        config => $locations,
        env    => { $clock->env },
    );

    $new->write_file('html/page', "page\n");

    return $new->start;
}


sub request {
    my ($path, $token) = @_;

    return { path => $path, headers => { Authorization => "Bearer $token" } };
}


sub ask { return ($nginx->many([ request(@_) ]))[0] }
sub from { return HttpClient::header($_[0], 'X-Cache') || '' }
sub why { return HttpClient::header($_[0], 'X-Why') || '' }


sub seen {
    my ($path, $token, $wanted, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is(from(ask($path, $token)), $wanted, "$title ($token)");
}


sub deny {
    my ($body) = @_;

    return $nginx->request(POST => '/denials', body => $body,
        headers => { 'Content-Type' => 'application/json' })->{status};
}


# what a token is once its renewal in the background has ended

sub after_renewal {
    my ($token) = @_;

    my $until = time + 3 * $slow;

    for ( ;; ) {
        my $why = why(ask('/update', $token));

        return $why if $why ne 'active/' || time > $until;

        sleep 0.01;
    }
}


# How far the clocks of nginx are ahead of ours, in seconds

sub set_clock { return $clock->set(%ahead) }


sub wall_at {
    my ($at) = @_;

    $ahead{wall} = $at - time;

    return set_clock();
}


sub mono_by {
    my ($seconds) = @_;

    $ahead{mono} += $seconds;

    return set_clock();
}


# Time passes on both clocks, and no poll that is due is left out.

sub passes {
    my ($seconds) = @_;

    while ($seconds > 0) {
        my $step = $seconds > 100 ? 100 : $seconds;
        my $polls = $polled ? $mock->calls(path => '/v1/tokens') : 0;

        $seconds -= $step;
        $since_poll += $step;

        $ahead{wall} += $step;
        mono_by($step);

        if ($polled && $since_poll > 60) {
            $mock->wait_calls($polls + 2, path => '/v1/tokens');
            $since_poll = 0;
            sleep 0.05 * $slow;
        }
    }

    return;
}
