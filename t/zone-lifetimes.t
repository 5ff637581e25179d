use strict;
use warnings;

# How long what is known of a token holds, for all workers alike.

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

my $mock = MockAPI->start(
    tokens => {
        shared     => {},
        'to-end'   => sub { { token => { exp => int(time) + 2 } } },
        'past'     => { token => { exp => time - 5 } },
        'no-end'   => { token => { exp => undef } },
        'aged'     => {},
        'becomes'  => [ 404, {} ],
        'gone'     => [ 410, {} ],
        'until'    => [ {}, 410, {} ],
        'fails'    => [ {}, 503 ],
        'odd'      => [ {}, { body => '{}' } ],
        'spared'   => {},
        'spared-2' => [ {}, 404 ],
        'nearly'   => [ sub { { token => { nbf => time + 100 } } }, 410 ],
        'ahead'    => [ sub { { token => { nbf => time + 900 } } }, 410 ],
    },
    default => {},
);

my $nginx = NginxProcess->new(
    workers => 2,
    worker_connections => 1024,
    events  => 'accept_mutex off;',
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_breaker off;
        agilicus_token_api_rate off;
        agilicus_token_revocation_ttl 3s;
        agilicus_token_zone agilicus:1m;
        agilicus_token_zone small:32k;
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
        add_header X-Cache $agilicus_token_cache always;
        add_header X-Age $agilicus_token_age always;
        add_header X-Pid $pid always;
EOC
    config => <<'EOC',
        location / {
            agilicus_token on;
            agilicus_token_cache_valid active=60s invalid=1s;
            try_files /page =404;
        }
        location /short {
            agilicus_token on;
            agilicus_token_cache_valid active=1s invalid=1s;
            try_files /page =404;
        }
        location /lenient {
            agilicus_token on;
            agilicus_token_leeway 300s;
            agilicus_token_cache_valid active=0 invalid=60s;
            try_files /page =404;
        }
        location /spare {
            agilicus_token on;
            agilicus_token_cache_valid active=1s invalid=1s;
            agilicus_token_cache_stale error=2s;
            try_files /page =404;
        }
        location /small {
            agilicus_token on;
            agilicus_token_cache small;
            try_files /page =404;
        }
EOC
);

$nginx->write_file('html/page', 'page');
$nginx->start;


sub request {
    my ($path, $token) = @_;

    return { path => $path, headers => { Authorization => "Bearer $token" } };
}


sub ask { return ($nginx->many([ request(@_) ]))[0] }
sub why { return HttpClient::header($_[0], 'X-Why') }
sub from { return HttpClient::header($_[0], 'X-Cache') }


# the same request until each worker has had it

sub ask_all {
    my ($path, $token) = @_;

    my %seen;

    for (1 .. 400) {
        my $res = ask($path, $token);

        $seen{HttpClient::header($res, 'X-Pid')} = $res;

        last if keys %seen == 2;
    }

    return values %seen;
}


my @res = ask_all('/', 'shared');

is(scalar @res, 2, 'two workers are asked');
is(scalar(grep { $_->{status} == 200 } @res), 2, 'both know the token');
is($mock->calls(token => 'shared'), 1, 'the API was asked once');

@res = $nginx->many([ map { request('/', 'shared-by-many') } 1 .. 100 ]);

is(scalar(grep { $_->{status} == 200 } @res), 100, 'a hundred at a time');
is($mock->calls(token => 'shared-by-many'), 1, 'the API was asked once');


# everything that needs time, at the same time

my $start = time;

is(ask('/', 'to-end')->{status}, 200, 'a token that ends soon is good');
is(ask('/', 'past')->{status}, 401, 'one that has ended is not');
is(ask('/short', $_)->{status}, 200, 'a token that will age is good')
    for qw(no-end aged);

SKIP: {
    my @young = map { ask('/short', $_) } qw(no-end aged);

    skip 'too slow to look before it has aged', 3 if time - $start > 0.8;

    is(from($_), 'HIT', 'a young answer is used') for @young;
    is(HttpClient::header($young[1], 'X-Age'), '0', 'which tells its age');
}

is(why(ask('/', 'becomes')), 'invalid/unknown', 'a token is not known');
is(why(ask('/', 'gone')), 'revoked/revoked', 'a token is revoked');
is(ask('/short', 'until')->{status}, 200, 'a token is good until now');
is(ask('/short', 'fails')->{status}, 200, 'a token is known');
is(ask('/spare', 'odd')->{status}, 200, 'another token is known');
is(ask('/spare', $_)->{status}, 200, 'a token that may be spared is known')
    for qw(spared spared-2);

my $known = time;

sleep 1.15 - (time - $known) if time - $known < 1.15;

is(from(ask('/short', 'aged')), 'MISS', 'an old answer is not');
is(from(ask('/short', 'no-end')), 'MISS', 'nor of a token without an end');
is(ask('/', 'becomes')->{status}, 200,
   'a token that has become known is known after the time for bad ones');
is(ask('/', 'gone')->{status}, 200,
   'what was revoked, and never good here, is asked about again by then');
is($mock->calls(token => 'gone'), 2, 'once');

is(why($_), 'revoked/revoked', 'what a new answer tells of, both workers know')
    for (ask('/short', 'until'), ask_all('/', 'until'));

is(why(ask('/short', 'fails')), 'unavailable/status',
   'an old answer is not used because the API fails');
is(from(ask('/', 'fails')), 'HIT', 'where it is young enough it is');
is(why(ask('/spare', 'odd')), 'unavailable/answer',
   'an answer that is unusable spares nobody');

$mock->script(tokens => { spared => 503 });

my $res = ask('/spare', 'spared');

is($res->{status}, 200, 'an old answer is used if it may be and the API fails');
is(from($res), 'STALE', 'which is told');
is(ask('/spare', 'spared-2')->{status}, 401,
   'but not against what the API says');


# what lets a token in decides for how long it is remembered

is(ask('/lenient', 'nearly')->{status}, 200,
   'a token is good before its time, within the leeway');
is(why(ask('/lenient', 'nearly')), 'revoked/revoked',
   'and is remembered as a good one is');
is(why(ask('/lenient', 'ahead')), 'invalid/not_yet_valid',
   'beyond the leeway it is not');
is(why(ask('/lenient', 'ahead')), 'invalid/not_yet_valid',
   'and is remembered as a bad one is');


# past the time for which old answers may serve, denials and expiry

sleep 3.2 - (time - $known) if time - $known < 3.2;

is(why(ask('/spare', 'spared')), 'unavailable/status',
   'an answer is not used for ever');
is(why($_), 'expired/expired', 'a token has ended, for both workers')
    for ask_all('/', 'to-end');
is($mock->calls(token => 'to-end'), 1, 'which is known without asking');
is($mock->calls(token => 'past'), 1, 'and was of the other');

sleep 3.2 - (time - $start) if time - $start < 3.2;

is(ask('/', 'gone')->{status}, 200,
   'a revocation is forgotten after its time, and the token asked about');


# a zone that is far too small

$nginx->mark;

@res = $nginx->many([ map { request('/small', 'many-' . $_ % 400) }
                          1 .. 1200 ], at_once => 50);

is(scalar(grep { $_->{status} != 200 } @res), 0,
   'more tokens than a zone can hold');
is(scalar(grep { from($_) !~ /^(?:HIT|MISS|JOINED)$/ } @res), 0,
   'are asked about or known');

my @complaints = grep { /\[(?:warn|error|crit|alert)\]|no memory/ }
                 split /\n/, $nginx->new_log;

cmp_ok(scalar @complaints, '<=', 5, 'and hardly anything is said of it');

ask('/small', 'kept');
@res = map { ask('/small', "passing-$_"); ask('/small', 'kept') } 1 .. 300;

cmp_ok(scalar(grep { from($_) eq 'HIT' } @res), '>=', 290,
       'what is used is kept while others come and go');

$nginx->finish;


# the log of all this, at debug level

my $log = $nginx->error_log;
my @tokens = qw(shared to-end no-end aged becomes gone until fails spared
                passing);

is(scalar(grep { my $token = $_;
                 grep { /agilicus token.*\b\Q$token\E/ } split /\n/, $log }
          @tokens), 0, 'no token is in a line of the module');

done_testing();
