use strict;
use warnings;

# Only the API speaks of a token.  In each operation, 400, 403, 404, 410 and 422
# with something else than a JSON object come from something in front of the
# API: they refuse no token for good, and no sign-out succeeds by them.

use File::Temp;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use HttpMessage;
use MockAPI;
use MockUpstream;
use NginxControl;
use NginxProcess;

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;
my $object = '{"error_code":"nothing","error_message":"of it"}';
my $dir = File::Temp->newdir;
my $end = int(time) + 3600;

open my $fh, '>', "$dir/credential" or die "$dir/credential: $!\n";
chmod 0600, "$dir/credential";
print $fh "edge-credential\n";
close $fh;


# Bodies of the API, and of others

my %of_api = (
    object  => { body => $object },
    empty   => { body => '{}' },
    problem => { body => $object, type => 'application/problem+json' },
    untyped => { body => $object, no_type => 1 },
    charset => { body => $object, type => 'Application/JSON; charset=utf-8' },
    chunked => { body => $object, chunked => 1 },
    closed  => { body => $object, no_length => 1 },
);

my %of_others = (
    html      => { body => '<html>404</html>', type => 'text/html' },
    plain     => { body => 'default backend - 404', type => 'text/plain' },
    nothing   => { body => '', no_type => 1 },
    blank     => { body => '' },
    untyped   => { body => '<html>404</html>', no_type => 1 },
    string    => { body => '"not found"' },
    array     => { body => "[$object]" },
    null      => { body => 'null' },
    number    => { body => '404' },
    short     => { body => substr $object, 0, -1 },
    twice     => { body => "$object$object" },
    same      => { body => '{"a":1,"a":1}' },
    nul       => { body => "{\"a\":1\0}" },
    bom       => { body => "\xef\xbb\xbf$object" },
    cut       => { body => $object, headers => { 'Content-Length' => 4096 },
                   end => 'close' },
    unended   => { body => $object, chunked => 1, no_last_chunk => 1,
                   end => 'close' },
    typed     => { body => $object, type => 'text/html' },
    coded     => { body => $object, headers => { 'Content-Encoding' => 'br' } },
    large     => { body => '<p>' x 50_000, type => 'text/html' },
    long      => { body => '{"a":"' . 'x' x 100_000 . '"}' },
    script    => { body => $object, type => 'application/jsonp' },
);

my @statuses = (400, 403, 404, 422);


# "<status>_<kind>_..." is answered so the first time, and well after that

my %answers = (%of_others, map { ("api$_" => $of_api{$_}) } keys %of_api);
my %seen;


sub answer {
    my ($operation, $what, $good) = @_;

    my ($where, $status, $kind) = $what =~ /(\w)(\d+)_([a-z]+)_/
        or return $good;

    return $good if $where ne substr $operation, 0, 1;
    return $good if $seen{"$operation $what"}++;
    return { %{ $answers{$kind} }, status => $status };
}


sub subject { return $json->decode($_[0]{body})->{sub} }


my $mock = MockAPI->start(
    default => sub {
        my ($request) = @_;

        my ($sub, $org) = $request->{token} =~ /^child-([^-]+)-(\w+)$/
                          ? ($1, $2) : ($request->{token}, 'home');

        return answer('introspect', $request->{token},
                      { token => { sub => $sub, org => $org, exp => $end,
                                   jti => "jti-$request->{token}" } });
    },
    paths => {
        'POST /v1/tokens/reissue' => sub {
            my $token = $json->decode($_[0]{body})->{token};

            return answer('reissue', $token,
                          { json => { token => "child-$token-org" } });
        },
        'POST /v1/tokens/validations' => sub {
            return answer('validate', subject($_[0]), { body => $object });
        },
        'POST /v1/tokens' => sub {
            my $sub = subject($_[0]);

            return answer('create', $sub, { status => 201, json => {
                              token => "child-$sub-org" } });
        },
        'POST /v1/tokens/revoke' => sub {
            return answer('signout', $_[0]{token}, 204);
        },
    },
);

my $lists = MockAPI->start(name => 'LISTS', default => {});
my $app = MockUpstream->start(name => 'APP');

my $nginx = NginxProcess->new(
    http => <<"EOC",
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_credential $dir/credential;
        agilicus_token_api_rate off;
        agilicus_token_api_breaker 3 open=60s max=60s;
        agilicus_token_cache_valid active=60s invalid=60s;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
EOC
    config => <<'EOC',
        location /t {
            agilicus_token on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /reissue {
            agilicus_token on;
            agilicus_token_reissue org;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /create {
            auth_request /yes;
            agilicus_token on;
            agilicus_token_create identity=access sub=$http_x_sub org=org
                                  audiences=aud;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /yes { return 204; }
        location = /signout { agilicus_token_revoke; }
        location /short {
            agilicus_token on;
            agilicus_token_cache_valid invalid=1s;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /short/signout {
            agilicus_token_revoke;
            agilicus_token_cache_valid invalid=1s;
        }
EOC
);

$nginx->start;


sub ask {
    my ($path, $token) = @_;

    my $method = $path =~ /signout$/ ? 'POST' : 'GET';
    my $res = $nginx->request($method, $path, headers => $path eq '/create'
                              ? { 'X-Sub' => $token }
                              : { Authorization => "Bearer $token" });

    return "$res->{status} " . (HttpClient::header($res, 'X-Why') || '-');
}


sub name { return join '_', @_, 'x' }


# what it takes for each operation: where, its letter, what the API's own word
# comes to, and what there is when it speaks again

my @operations = (
    [ '/t',       'i', { map { $_ => '401 invalid/unknown' } 400, 404, 422 } ],
    [ '/reissue', 'r', { map { $_ => '403 forbidden/reissue' } @statuses } ],
    [ '/create',  'v', { map { $_ => '403 forbidden/create' } @statuses } ],
    [ '/create',  'c', { map { $_ => '403 forbidden/create' } 400, 404, 422 } ],
);

for my $operation (@operations) {
    my ($path, $letter, $word) = @$operation;

    for my $status (@statuses) {
        for my $kind (sort keys %of_others) {
            my $token = name("$letter$status", $kind);

            is(ask($path, $token), '503 unavailable/not_the_api',
               "$path: $status, $kind of something else");
            is(ask($path, $token), '200 active/',
               "$path: $status, $kind is not remembered");
        }

        for my $kind (sort keys %of_api) {
            my $token = name("$letter$status", "api$kind");
            my $wanted = $word->{$status} || '503 unavailable/credential';

            is(ask($path, $token), $wanted, "$path: $status, $kind of the API");
            is(ask($path, $token),
               $word->{$status} ? $wanted : '200 active/',
               "$path: $status, $kind is remembered as it is due");
        }
    }
}


# 410 refuses, whatever its body is

for my $kind (sort(keys %of_others), map { "api$_" } sort keys %of_api) {
    is(ask('/t', name('i410', $kind)), '401 revoked/revoked',
       "410 refuses: $kind");
    is(ask('/reissue', name('r410', $kind)), '401 revoked/revoked',
       "410 refuses a reissue: $kind");
    is(ask('/create', name('v410', $kind)),
       $kind =~ /^api/ ? '503 unavailable/status'
                       : '503 unavailable/not_the_api',
       "410 makes no token: $kind");
}


# a sign-out: the revocation of a token that is known

for my $status (@statuses, 410) {
    for my $kind (sort keys %of_others) {
        my $token = name("s$status", $kind);

        is(ask('/t', $token), '200 active/', "sign-out: $status, $kind");
        is(ask('/signout', $token), '503 unavailable/not_the_api',
           "a sign-out that is answered so has failed: $status, $kind");
        is(ask('/t', $token), '401 revoked/revoked',
           "and is denied here: $status, $kind");
    }

    for my $kind (sort keys %of_api) {
        my $token = name("s$status", "api$kind");

        is(ask('/t', $token), '200 active/', "sign-out: $status, $kind");
        is(ask('/signout', $token),
           $status == 403 ? '503 unavailable/credential' : '204 /',
           "a sign-out that the API answers: $status, $kind");
    }
}

cmp_ok(tries(name('s404', 'html'), 2), '>=', 2, 'it is tried again');
cmp_ok(tries(name('s410', 'nothing'), 2), '>=', 2, 'also after 410');
is($mock->calls(path => '/v1/tokens/revoke', token => name('s404', 'apiobject')),
   1, 'what the API has answered is not');


# a sign-out whose introspection is answered so

for my $kind (sort keys %of_others) {
    for my $status (400, 404, 422) {
        my $token = name("i$status", $kind, 'out');

        is(ask('/signout', $token), '503 unavailable/not_the_api',
           "a sign-out that the API has not confirmed: $status, $kind");
        is($mock->calls(path => '/v1/tokens/revoke', token => $token), 0,
           "and nothing is revoked: $status, $kind");
    }

    my $token = name('i410', $kind, 'out');

    is(ask('/signout', $token), '204 /', "a sign-out after 410: $kind");
    is($mock->calls(path => '/v1/tokens/revoke', token => $token), 1,
       "is told to the API all the same: $kind");
}

for my $kind (sort keys %of_api) {
    my $token = name('i410', "api$kind", 'out');

    is(ask('/signout', $token), '204 /', "a sign-out of what is gone: $kind");
    is($mock->calls(path => '/v1/tokens/revoke', token => $token), 0,
       "needs no more: $kind");
}

$mock->script(paths => { 'POST /v1/tokens/revoke' => { status => 410,
                                                       body => '' } });

my $gone = name('i410', 'html', 'gone');
my $seen = name('i410', 'nothing', 'seen');

is(ask('/short/signout', $gone), '503 unavailable/not_the_api',
   'two answers of 410 by something else are no success');
is(ask('/short', $gone), '401 revoked/revoked',
   'and the token is denied here');
is(ask('/short', $seen), '401 revoked/revoked',
   'a token of which something else has said 410');
sleep 1.5;
is(ask('/short', $gone), '401 revoked/revoked',
   'a token that was to be revoked is denied for longer than "invalid"');
is(ask('/short', $seen), '200 active/',
   'a token that was only asked about is asked about again');
cmp_ok(tries($gone, 2), '>=', 2, 'and it is tried again');


# said once a second at most, and by name

my @lines = grep { /\[error\]/ } split /\n/, $nginx->error_log;
my @said = grep { /without a JSON object/ } @lines;
my %second;

$second{ substr $_, 0, 19 }++ for @said;

cmp_ok(@said, '>', 0, 'the log asks');
like($said[0], qr/is "agilicus_token_api" right\?/, 'for the directive');
is((grep { $_ > 1 } values %second), 0, 'once a second at most');
is((grep { /html>|error_code|edge-credential|api(?:object|empty)/ } @lines), 0,
   'without a body or a token in it');

unlike($nginx->error_log, qr/breaker opens/, 'the breaker counts none of it');

$nginx->stop;


# the feed's list

my $fed = NginxProcess->new(
    http => <<"EOC",
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_LISTS_PORT;
        agilicus_token_api_credential $dir/credential;
        agilicus_token_api_breaker off;
        agilicus_token_revocation_feed interval=1s;
EOC
    config => 'location = /status { agilicus_token_status trusted; }',
);

for my $status (@statuses, 410) {
    for my $kind (qw(html nothing string short)) {
        $lists->script(paths => { 'GET /v1/tokens' => {
                           %{ $of_others{$kind} }, status => $status } });

        $fed->start;
        ok($lists->wait_calls(1, path => '/v1/tokens', timeout => 5 * $slow),
           "the feed asks: $status, $kind");
        ok(said($fed, qr/list: status $status without a JSON obj/),
           "and the log says what is wrong: $status, $kind");

        my $state = $json->decode($fed->get('/status?format=json')->{body})
                         ->{feed}{state};

        isnt($state, 'healthy', "the feed is not healthy: $status, $kind");

        $fed->stop;
        $lists->reset;
    }
}

done_testing();


# how often the API was told to revoke a token, once that was often enough

sub tries {
    my ($token, $enough) = @_;

    $mock->wait_calls($enough, path => '/v1/tokens/revoke', token => $token,
                      timeout => 10 * $slow);

    return $mock->calls(path => '/v1/tokens/revoke', token => $token);
}


sub said {
    my ($nginx, $what) = @_;

    my $until = time + 5 * $slow;

    while (time < $until) {
        return 1 if $nginx->error_log =~ $what;
        sleep 0.05;
    }

    return 0;
}
