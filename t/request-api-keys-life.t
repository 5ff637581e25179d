use strict;
use warnings;

# How long what is known of an API key counts, and what ends it: denials, a 410,
# the end of its raw token, guesses; on all workers, over reloads, and while a
# response runs.

use JSON::PP ();
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpMessage;
use MockAPI;
use MockUpstream;
use NginxControl;
use NginxProcess;

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;

# "key-<name>" belongs to <name>@example.com, "raw-<name>" is its raw token; the
# API goes on answering about a key for as long as it is not told otherwise

my %exp;

sub jwt {
    my ($exp) = @_;

    return join '.', 'e30', encode_base64url(qq({"exp":$exp})), 'x';
}


sub about {
    my ($name, %more) = @_;

    return { status => 200, json => {
        primary_token => $json->decode(MockAPI::token_json(
            sub => $name, jti => "jti-$name", session => "session-$name",
            iat => undef, exp => undef)),
        sub_org_results => [],
        raw_token => "raw-$name",
        %more,
    } };
}


sub introspect_key {
    my ($request) = @_;

    my $info = $json->decode($request->{body})->{api_key_auth_info};
    my ($name) = $info->{key} =~ /^key-(\w+)$/ or return 404;

    return 404 if $info->{username} ne "$name\@example.com";

    # a raw token for two seconds, anew for each call

    return about($name, raw_token => jwt(int(time) + 2)) if $name =~ /^brief/;

    # one that has passed, then one that has not

    return about($name, raw_token => jwt(int(time) - 10)) if $name =~ /^past/;

    return about($name);
}


my $mock = MockAPI->start(
    default => sub {
        my ($name) = $_[0]{token} =~ /^raw-(\w+)$/ or return 404;

        return { token => { sub => $name, jti => undef, exp => undef } };
    },
    paths => {
        'POST /v1/api_keys/introspect' => \&introspect_key,
        'POST /v1/tokens/revoke' => 204,
    },
);

my $app = MockUpstream->start(name => 'APP');

my $http = <<'EOC';
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_breaker off;
    agilicus_token_zone agilicus:1m;
    agilicus_token_recheck 1s;
    set_real_ip_from 127.0.0.1;
    real_ip_header X-From;
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
    add_header X-Cache $agilicus_token_cache always;
    add_header X-Print $agilicus_token_fingerprint always;
    add_header X-Pid $pid always;
EOC

my $config = <<'EOC';
    agilicus_token_api_keys on;
    location / {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        location /short {
            agilicus_token_cache_valid active=1s invalid=5s;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /stale {
            agilicus_token_cache_valid active=0s;
            agilicus_token_cache_stale error=60s;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /slow {
            limit_rate 2000;
            alias $TEST_NGINX_PREFIX/long;
        }
    }
    location = /revoke { agilicus_token_revoke; }
    location = /hook { agilicus_token_revocation_hook trusted; }
    location = /status { agilicus_token_status purge trusted; }
EOC

my $nginx = NginxProcess->new(workers => 2, events => 'accept_mutex off;',
                              http => $http, config => $config);

$nginx->write_file('long', 'x' x 60_000);
$nginx->start;


sub with {
    my ($name, $key) = @_;

    $key = "key-$name" if !defined $key;

    return 'Basic ' . encode_base64("$name\@example.com:$key", '');
}


sub ask {
    my ($path, $authorization) = @_;

    my $res = $nginx->get($path, headers => { Authorization => $authorization });

    $res->{why} = HttpMessage::header($res, 'X-Why') || '';
    $res->{cache} = HttpMessage::header($res, 'X-Cache') || '';

    return $res;
}


sub calls {
    return $mock->calls(path => '/v1/api_keys/introspect');
}


sub hook {
    my ($kind, $value) = @_;

    return $nginx->request(POST => '/hook', body => $json->encode({ $kind => [ $value ] }),
        headers => { 'Content-Type' => 'application/json' })->{status};
}


subtest 'both workers know what one of them has asked' => sub {
    my %pids;

    for (1 .. 40) {
        my $res = ask('/', with('shared'));

        is($res->{why}, 'active/', 'active') if $res->{why} ne 'active/';
        like($res->{body}, qr/^Authorization: Bearer raw-shared\r$/m, 'raw')
            if $res->{body} !~ /Bearer raw-shared\r/;
        $pids{ HttpMessage::header($res, 'X-Pid') }++;
    }

    is(keys %pids, 2, 'two workers');
    is(calls(), 1, 'one call');

    my $before = HttpMessage::header(ask('/', with('shared')), 'X-Print');

    like($before, qr/^[0-9a-f]{16}$/, 'it has a fingerprint');

    $nginx->reload;

    is(ask('/', with('shared'))->{cache}, 'HIT', 'also after a reload');
    is(HttpMessage::header(ask('/', with('shared')), 'X-Print'), $before,
       '... with the same fingerprint');
    is(calls(), 1, '... and no other call');

    my $all = $json->decode($nginx->get('/status?format=json')->{body});

    is($all->{apis}[0]{calls}{introspect_key}{ok}, 1, 'and it is counted');
};


subtest 'many at once wait for one call' => sub {
    my $before = calls();

    my @res = $nginx->many([ map { { path => '/', headers => {
        Authorization => with('many') } } } 1 .. 30 ]);

    is(scalar(grep { $_->{status} == 200 && $_->{body} =~ /Bearer raw-many\r/ }
              @res), 30, 'each gets the raw token');
    is(calls() - $before, 1, 'one call');
};


for my $kind (qw(sub jti session)) {
    subtest "a denial by $kind of its primary token" => sub {
        my $name = "denied$kind";
        my $before = calls();

        is(ask('/', with($name))->{why}, 'active/', 'a key');
        is(hook($kind, $kind eq 'sub' ? $name : "$kind-$name"), 204,
           'is denied');

        my $reason = $kind eq 'sub' ? 'subject' : $kind;

        is(ask('/', with($name))->{why}, "revoked/$reason", '... and refused')
            for 1 .. 4;
        is(calls() - $before, 1, '... without a call');
    };
}


subtest 'a denial of its raw token' => sub {
    is(ask('/', with('raw'))->{why}, 'active/', 'a key');

    my $res = $nginx->request(POST => '/revoke', headers => {
        Authorization => with('raw') });

    is($res->{status}, 401, 'a sign-out takes no key');
    unlike($res->{raw_headers}, qr/Basic/, '... and asks for none');
    is(ask('/', with('raw'))->{why}, 'active/', '... which is as before');

    is($nginx->request(POST => '/revoke', headers => {
        Authorization => 'Bearer raw-raw' })->{status}, 204,
       'but its raw token signs out');
    is(ask('/', with('raw'))->{why}, 'revoked/revoked', 'the key is refused')
        for 1 .. 4;
};


subtest 'a 410' => sub {
    is(ask('/short', with('ended'))->{why}, 'active/', 'a key');

    $mock->script(paths => { 'POST /v1/api_keys/introspect' => 410 });
    sleep 1.2;

    is(ask('/short', with('ended'))->{why}, 'revoked/revoked', 'is revoked');

    $mock->script(paths => { 'POST /v1/api_keys/introspect' =>
                             about('ended') });

    is(ask('/short', with('ended'))->{why}, 'revoked/revoked',
       '... whatever the API says later');
    is(ask('/', with('ended'))->{why}, 'revoked/revoked',
       '... also where facts live longer');
};


subtest 'facts are kept for "active", and served when the API is away' => sub {
    my $before = calls();

    $mock->script(paths => { 'POST /v1/api_keys/introspect' =>
                             about('away') });

    is(ask('/short', with('away'))->{why}, 'active/', 'a key');
    is(ask('/short', with('away'))->{cache}, 'HIT', 'is known');
    sleep 1.2;
    is(ask('/short', with('away'))->{cache}, 'MISS', '... for a second');
    is(calls() - $before, 2, '... then it is asked about');

    $mock->script(paths => { 'POST /v1/api_keys/introspect' => 503 });
    sleep 1.2;

    is(ask('/short', with('away'))->{why}, 'unavailable/status',
       'without an answer it is not known to be good');

    my $res = ask('/stale', with('away'));

    is($res->{why}, 'active/', '... but where old facts may serve');
    is($res->{cache}, 'STALE', '... they do');
    like($res->{body}, qr/^Authorization: Bearer raw-away\r$/m,
         '... with the raw token');
};


# the API of the subtests below is the one at the beginning again

$mock->stop;
$mock = MockAPI->start(
    port => $ENV{TEST_NGINX_MOCK_PORT},
    paths => { 'POST /v1/api_keys/introspect' => \&introspect_key },
);


subtest 'a purge' => sub {
    is(ask('/', with('purged'))->{why}, 'active/', 'a key');
    is($nginx->request(DELETE => '/status?sub=purged')->{status}, 204,
       'is dropped');
    is(ask('/', with('purged'))->{cache}, 'MISS', '... and asked about again');
    is($nginx->request(DELETE => '/status?all=1')->{status}, 204, 'so are all');
    is(ask('/', with('purged'))->{cache}, 'MISS', '... and this one');
};


subtest 'the end of its raw token' => sub {
    my $before = calls();

    my $first = ask('/', with('brief'));

    is($first->{why}, 'active/', 'a key whose raw token is brief');
    is(ask('/', with('brief'))->{cache}, 'HIT', 'is known until then');
    sleep 2.3;

    my $res = ask('/', with('brief'));

    is($res->{why}, 'active/', 'after it the API is asked');
    isnt($res->{body}, $first->{body}, '... and gives another');
    is(calls() - $before, 2, '... by one call');

    $before = calls();

    is(ask('/', with('past'))->{why}, 'expired/expired', 'one that had passed');
    sleep 2.1;
    ask('/', with('past'));
    $before = calls();
    is(ask('/', with('past'))->{why}, 'expired/expired', '... stays so')
        for 1 .. 5;
    is(calls() - $before, 0, '... for a while, without calls');
};


subtest 'a response that runs is cut' => sub {
    for my $how ('hook', 'exp') {
        my $name = $how eq 'exp' ? 'briefslow' : 'slowdenied';
        my $c = $nginx->connect;

        $c->send("GET /slow HTTP/1.0\r\nAuthorization: " . with($name)
                 . "\r\n\r\n");

        like($c->read_some(2 * $slow), qr/^HTTP\/1.1 200/, 'it runs');

        is(hook('sub', $name), 204, 'the subject is denied') if $how eq 'hook';

        my ($begun, $got) = (time, '');

        while (time - $begun < 10 * $slow) {
            last if $c->closed(0.1);
            $got .= $c->read_some(0.1);
        }

        cmp_ok(length $got, '<', 50_000, "cut by $how");
        ok($nginx->wait_log(qr/response cut: @{[ $how eq 'exp'
            ? 'expired, expired' : 'revoked, subject' ]}/, 5 * $slow),
           '... as the log says');
    }
};


subtest 'guesses' => sub {
    is(ask('/', with('known'))->{why}, 'active/', 'a right key');

    my $before = calls();
    my %seen;

    $seen{ ask('/', with('victim', "guess-$_"))->{why} }++ for 1 .. 15;

    cmp_ok($seen{'invalid/unknown'}, '>=', 10, 'ten are asked about');
    cmp_ok($seen{'invalid/unknown'}, '<=', 12, '... and hardly more');
    is($seen{'invalid/unknown'} + ($seen{'unavailable/client_rate'} || 0), 15,
       'the others are not');
    is(calls() - $before, $seen{'invalid/unknown'}, '... nor is the API');

    my $res = ask('/', with('victim', 'guess-again'));

    is($res->{status}, 429, 'that is the client\'s own budget');
    like(HttpMessage::header($res, 'Retry-After'), qr/^\d+$/,
         '... until when is said');

    is(ask('/', with('shared'))->{status}, 429,
       'a key of which nothing is known waits too');
    is(ask('/', with('known'))->{why}, 'active/',
       'one that is known to be good does not');
    is(ask('/', with('victim', 'guess-1'))->{why}, 'invalid/unknown',
       'a wrong one that is known costs nothing');

    sleep 3.2;

    is(ask('/', with('shared'))->{why}, 'active/', 'a right key takes none')
        for 1 .. 3;

    my @why = map { ask('/', with("right$_"))->{why} } 1 .. 20;

    is_deeply([ grep { $_ ne 'active/' } @why ], [],
              '... nor do twenty of them');
};


subtest 'guesses at one user name from many clients' => sub {
    sleep 3.2;

    my ($asked, %seen) = (0);

    for my $i (1 .. 30) {
        my $res = $nginx->get('/', headers => { 'X-From' => "127.0.1.$i",
            Authorization => with('famous', "guess-$i") });

        $seen{ HttpMessage::header($res, 'X-Why') . " $res->{status}" }++;
    }

    cmp_ok($seen{'invalid/unknown 401'} || 0, '<=', 15, 'few are asked about');
    cmp_ok($seen{'unavailable/rate 503'} || 0, '>=', 15, 'the others are not');
};


subtest 'a guess whose answer is no answer is none' => sub {
    sleep 10.5;
    $mock->script(paths => { 'POST /v1/api_keys/introspect' => 503 });

    is(ask('/', with("late$_"))->{why}, 'unavailable/status', 'the API is away')
        for 1 .. 15;
};

$nginx->finish('logs', secrets => [ 'key-', 'raw-', 'guess-',
    map { substr encode_base64($_, ''), 0, 20 } 'victim@example.com:guess',
        'shared@example.com:key-shared' ],
    allow => []);

done_testing();
