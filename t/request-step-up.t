use strict;
use warnings;

# A location that requires a multi-factor sign-in: which times count, what a
# refusal says, and how soon it ends after the user has signed in.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxProcess;
use TestPorts;

sub signed_in {
    my ($ago, %more) = @_;

    return { token => { last_mfa_time => int(time) - $ago, %more } };
}

my %written = (
    text => '"1616580000"', real => '1.6e9', true => 'true', null => 'null',
    list => '[1616580000]', minus => '-1', zero => '0',
);

my $mock = MockAPI->start(
    tokens => {
        recent  => signed_in(5),
        'not-too-old' => signed_in(295),
        'too-old'  => signed_in(305),
        'ahead'    => signed_in(-50),
        'too-far-ahead' => signed_in(-120),
        'in-milliseconds' => { token => { last_mfa_time => time * 1000 } },
        none    => {},
        map({ ("is-$_" => { body => '{"sub":"a","last_mfa_time":'
                                    . $written{$_} . '}' }) } keys %written),
        narrow  => signed_in(305, scopes => [ 'other' ]),
        gone    => [ signed_in(305), 410 ],
        ends    => [ signed_in(305), 404 ],
        passes  => sub { signed_in(2) },
    },
    default => signed_in(305),
);

my $nginx = NginxProcess->new(
    workers => 2,
    events  => 'accept_mutex off;',
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_breaker off;
        agilicus_token_api_rate off;
        agilicus_token_cache_valid active=60s;
        limit_req_zone $binary_remote_addr zone=slow:64k rate=30r/m;
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
        add_header X-Cache $agilicus_token_cache always;
        add_header X-Who "$agilicus_token_sub,$agilicus_token_mfa_time" always;
        add_header X-Pid $pid always;
EOC
    config => <<'EOC',
        agilicus_token on;
        agilicus_token_require_mfa 5m;
        location / { }
        location /shorter { agilicus_token_require_mfa 3s; }
        location /spare { agilicus_token_cache_stale error=60s; }
        location /asks { agilicus_token_cache off; }
        location /early { agilicus_token_phase preaccess; }
        location /late {
            agilicus_token_phase preaccess;
            agilicus_token_api_timeout 1s;
            limit_req zone=slow burst=5;
        }
        location /short { agilicus_token_cache_valid active=0; }
        location /report { agilicus_token report; }
        location /any { satisfy any; deny all; }
        location /scope {
            agilicus_token_require_scopes urn:agilicus:users:owner;
        }
        location /rules { agilicus_token_rules on; }
        location /impatient { agilicus_token_api_timeout 300ms; }
        location = /page.shtml { agilicus_token off; ssi on; ssi_types *; }
        location = /asked {
            agilicus_token off;
            auth_request /auth;
        }
        location = /auth { internal; }
EOC
);

$nginx->write_file("html/$_", "page\n")
    for qw(page shorter spare asks early late short report any scope rules
           impatient part asked auth);
$nginx->write_file('html/page.shtml', "[<!--#include virtual=\"/part\" -->]\n");
$nginx->start;


sub request {
    my ($path, $token) = @_;

    return { path => $path, headers => { Authorization => "Bearer $token" } };
}


sub ask { return ($nginx->many([ request(@_) ]))[0] }
sub why { return HttpClient::header($_[0], 'X-Why') }
sub from { return HttpClient::header($_[0], 'X-Cache') }
sub calls { return $mock->calls(token => $_[0]) }


# until each worker has been asked, and at least "n" times

sub ask_all {
    my ($path, $token, $n) = @_;

    my (%seen, @res);

    while (@res < $n || keys %seen < 2) {
        push @res, $nginx->many([ map { request($path, $token) } 1 .. $n ]);
        $seen{HttpClient::header($_, 'X-Pid')} = 1 for @res;

        last if @res > 400;
    }

    return @res;
}


sub is_all {
    my ($res, $status, $why, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %is;

    $is{"$_->{status} " . why($_)}++ for @$res;

    return is_deeply([ keys %is ], [ "$status $why" ], $title);
}


# which times count

for my $token (qw(recent not-too-old ahead)) {
    my $res = ask('/page', $token);

    is($res->{status}, 200, "$token: let in");
    like(HttpClient::header($res, 'X-Who'), qr/^user-1,\d{10}$/,
         '... and the time has a variable');
}

for my $token (qw(too-old too-far-ahead in-milliseconds none),
               map { "is-$_" } sort keys %written)
{
    my $res = ask('/page', $token);

    is("$res->{status} " . why($res), '401 step_up/mfa', "$token: refused");
    is(calls($token), 1, '... and asked about once');
}

is(HttpClient::header(ask('/page', 'is-text'), 'X-Who'), 'a,',
   'a time that cannot be read is none');

my $res = ask('/page', 'too-old');

is(HttpClient::header($res, 'WWW-Authenticate'),
   'Bearer realm="agilicus", error="insufficient_user_authentication", '
   . 'max_age="300"', 'what is asked for');
is(HttpClient::header($res, 'Cache-Control'), 'no-store', '... is not kept');
like(HttpClient::header($res, 'X-Who'), qr/^user-1,/, '... of a known user');

SKIP: {
    my $first = time;

    ask('/page', 'young') for 1 .. 3;

    skip 'too slow', 1 if time - $first > 0.8;

    is(calls('young'), 1, 'young facts are taken as they are');
}

is(why(ask('/scope', 'narrow')), 'forbidden/scope',
   'no user signs in for a token that is refused all the same');
is(why(ask('/rules', 'too-old')), 'step_up/mfa',
   'rules are looked at after the sign-in');

# other ways to a location

my $reported = ask('/report', 'reported');

is("$reported->{status} " . why($reported), '200 step_up/mfa',
   'a report refuses nothing');
is(why(ask('/any', 'any')), 'step_up/mfa', 'under "satisfy any"');
is(ask('/asked', 'behind')->{status}, 401, 'behind auth_request');
like(ask('/page.shtml', 'part')->{body}, qr/^\[.*401.*\]/s, 'in a page');


# facts that get old; everything that takes time, at the same time

my @aging = qw(signs burst fails spared later looks quick goes);

is(why(ask($_ eq 'spared' ? '/spare' : '/page', $_)), 'step_up/mfa', "$_: refused")
    for @aging, qw(gone ends part);
is(why(ask('/early', 'early')), 'step_up/mfa', 'early: refused');
is(ask('/shorter', 'passes')->{status}, 200, 'passes: let in');

sleep 1.2;

$mock->script(tokens => { map { $_ => signed_in(1) }
                          qw(signs early part behind any) });

$res = ask('/page', 'signs');

is($res->{status}, 200, 'a sign-in ends the refusal at once');
is(from($res), 'MISS', '... for the API is asked');
is(calls('signs'), 2, '... once');
is(from(ask('/page', 'signs')), 'HIT', '... and not again');
is(ask('/early', 'early')->{status}, 200, '... also in the preaccess phase');
is(ask('/any', 'any')->{status}, 200, '... under "satisfy any"');
is(ask('/asked', 'behind')->{status}, 200, '... behind auth_request');
is(ask('/page.shtml', 'part')->{body}, "[page\n]\n", '... and in a page');

is_all([ ask_all('/page', 'burst', 50) ], 401, 'step_up/mfa',
       'many requests of two workers are refused');
is(calls('burst'), 2, '... and the API is asked once for all');

is(why(ask('/page', 'gone')), 'revoked/revoked', 'what is revoked by then, is so');
is(why(ask('/page', 'ends')), 'invalid/unknown', 'what is unknown by then, is so');
is(ask('/rules', 'signs')->{status}, 403, 'rules are looked at then');

is(ask('/asks', 'asked-always')->{status}, 401, 'where all requests ask');
is(calls('asked-always'), 1, '... this one does so once');
is(ask('/short', 'looks')->{status}, 401, 'where facts are never young');
is(calls('looks'), 2, '... a request asks once');


# an API that fails

$mock->script(tokens => { map { $_ => { status => 503, delay => 0.1 } }
                          qw(fails spared quick) });

is_all([ ask_all('/page', 'fails', 20) ], 503, 'unavailable/status',
       'where the API fails, it cannot be decided');

SKIP: {
    my $first = time;

    ask('/page', 'fails') for 1 .. 5;

    skip 'too slow', 1 if time - $first > 0.8;

    is(calls('fails'), 2, '... and it is asked once a second');
}

ok(HttpClient::header(ask('/page', 'fails'), 'Retry-After'), '... as is said');

is_all([ ask_all('/spare', 'spared', 20) ], 401, 'step_up/mfa',
       'where old facts may serve, they do');
is(calls('spared'), 2, '... and it is asked once a second');
is(from(ask('/spare', 'spared')), 'STALE', '... as is said');

$mock->script(tokens => { quick => { hang => 1 }, fails => signed_in(1) });

is(why(ask('/impatient', 'quick')), 'unavailable/timeout',
   'no request waits for longer than elsewhere');

sleep 1.2;

is(ask('/page', 'fails')->{status}, 200, 'a second later it is asked again');


# a call that is slow: no request asks twice, but where it was asked for another

$mock->script(tokens => { slow => { %{ signed_in(305) }, delay => 1.3 } });

is(why(ask('/page', 'slow')), 'step_up/mfa', 'a slow answer refuses');
is(calls('slow'), 1, '... and is not asked for again');


# what limit_req has delayed

ask('/late', 'recent');
is(why(ask('/late', 'delayed')), 'step_up/mfa', 'a request was delayed');
is(calls('delayed'), 2, '... and asks again after that');


# a sign-in that gets too old while it is remembered

my $end = time + 10;

sleep 0.2 while ask('/shorter', 'passes')->{status} == 200
                && calls('passes') == 1 && time < $end;

cmp_ok(calls('passes'), '>', 1, 'a sign-in ends by the clock');

$nginx->finish('all is well');

done_testing();
