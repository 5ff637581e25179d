use strict;
use warnings;

# The signature gate: which unknown tokens are refused without the API, which
# are left to it, and that a signature lets no token in.
#
# The mock API lets in every token that it is asked about, so a status of 200
# says that the API has decided, and each refusal is of the gate.

use JSON::PP ();
use MIME::Base64 ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestJWT;

my $slow = NginxControl::slow();
my $asked = '/v1/tokens/introspect';
my $n = 0;

my $one = TestJWT->new(kid => 'one');
my $two = TestJWT->new(kid => 'two');
my $other = TestJWT->new(kid => 'other');

my $mock = MockAPI->start(
    default => sub { { token => { jti => substr $_[0]{token}, -40 } } },
    paths   => {
        'GET /v1/tokens/jwsk' => keys_of($one, $two),
        'POST /v1/tokens/validations' => sub {
            return { status => 200, body => $_[0]{body} };
        },
        'POST /v1/tokens' => sub {
            return { status => 201, json => { token => 'created-' . ++$n } };
        },
        'POST /v1/api_keys/introspect' => { json => {
            primary_token => JSON::PP::decode_json(
                MockAPI::token_json(jti => 'of-a-key')),
        } },
    },
);

my $second = MockAPI->start(name => 'SECOND', default => { token => {} });

my $nginx;


sub keys_of { return { json => { keys => [ map { $_->jwk } @_ ] } } }

# a token of its own for each request

sub fresh { return (sub => 'user-' . ++$n, @_) }


sub launch {
    my ($signature, %more) = @_;

    $nginx->finish if $nginx;
    $mock->reset;

    $nginx = NginxProcess->new(
        workers => 1,
        worker_connections => 4096,
        log_level => $more{log_level} || 'debug',
        http => <<"EOC",
            agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
            agilicus_token_signature $signature;
            agilicus_token_cache_valid active=600s invalid=600s;
            agilicus_token_api_breaker off;
            add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                       always;
            add_header X-Cache \$agilicus_token_cache always;
            @{[ $more{http} || '' ]}
EOC
        config => <<'EOC',
            location / { agilicus_token on; try_files /page =404; }
            location = /late {
                agilicus_token on;
                agilicus_token_leeway 1h;
                try_files /page =404;
            }
            location = /short {
                agilicus_token on;
                agilicus_token_cache_valid active=1s;
                try_files /page =404;
            }
            location = /off {
                agilicus_token on;
                agilicus_token_cache off;
                try_files /page =404;
            }
            location = /report { agilicus_token report; try_files /page =404; }
            location = /optional {
                agilicus_token optional;
                try_files /page =404;
            }
            location = /early {
                agilicus_token on;
                agilicus_token_phase preaccess;
                try_files /page =404;
            }
            location = /any {
                agilicus_token on;
                satisfy any;
                allow 127.0.0.1;
                deny all;
                try_files /page =404;
            }
            location = /none {
                agilicus_token on;
                satisfy any;
                deny all;
                try_files /page =404;
            }
            location = /second {
                agilicus_token on;
                agilicus_token_api http://127.0.0.1:$TEST_NGINX_SECOND_PORT;
                try_files /page =404;
            }
            location = /reissue {
                agilicus_token on;
                agilicus_token_reissue riverton;
                proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/free;
            }
            location = /free { try_files /page =404; }
            location = /key {
                agilicus_token on;
                agilicus_token_api_keys on;
                try_files /page =404;
            }
            location = /create {
                agilicus_token on;
                agilicus_token_api_credential $TEST_NGINX_PREFIX/credential;
                auth_basic "known";
                auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
                agilicus_token_create identity=access sub=$remote_user
                                      org=riverton audiences=app;
                try_files /page =404;
            }
            location = /out { agilicus_token_revoke; }
            location = /status { agilicus_token_status purge trusted; }
EOC
    );

    $nginx->write_file('html/page', 'page');
    $nginx->write_file('passwords', "alice:{PLAIN}right\n");
    chmod 0600, $nginx->write_file('credential', "edge-credential\n");
    $nginx->start;

    wait_keys() if !$more{no_keys};
}


sub wait_keys {
    for (1 .. 100 * $slow) {
        return 1 if status()->{signature}{keys};
        sleep 0.05;
    }

    return 0;
}


sub status {
    my $body = $nginx->get('/status?format=json')->{body};

    return JSON::PP::decode_json($body);
}


sub ask {
    my ($token, $path, $method) = @_;

    return $nginx->request($method || 'GET', $path || '/',
                           headers => { Authorization => "Bearer $token" });
}


# status, verdict and reason, and how many calls it took

sub get {
    my ($token, $path, $method) = @_;

    my $before = $mock->calls(path => $asked);
    my $res = ask($token, $path, $method);
    my $calls = $mock->calls(path => $asked) - $before;

    return join ' ', $res->{status} || $res->{error},
           HttpClient::header($res, 'X-Why') // '-', $calls;
}

sub create {
    return $nginx->get('/create', headers => {
        Authorization => 'Basic '
                         . MIME::Base64::encode_base64('alice:right', '')
    })->{status};
}

my $refused = '401 invalid/signature 0';
my $let_in = '200 active/ 1';


launch('on');

subtest 'who is refused at no call' => sub {
    my %wrong = (
        'random bytes' => $one->forged(fresh()),
        'the signature of another key that is known' =>
            $two->token(fresh(), header => { kid => 'one' }),
        'the signature of a key that is not known' =>
            $other->token(fresh(), header => { kid => 'two' }),
        'no signature' => TestJWT::jwt({ alg => 'ES256', kid => 'one' },
                                       { fresh() }, ''),
        'a short signature' =>
            TestJWT::jwt({ alg => 'ES256', kid => 'one' }, { fresh() },
                         'x' x 63),
        'a long signature' =>
            TestJWT::jwt({ alg => 'ES256', kid => 'one' }, { fresh() },
                         'x' x 65),
        'the number 0' =>
            TestJWT::jwt({ alg => 'ES256', kid => 'one' }, { fresh() },
                         "\0" x 64),
        'alg none' => TestJWT::jwt({ alg => 'none' }, { fresh() }, ''),
        'alg None' => TestJWT::jwt({ alg => 'None', kid => 'other' },
                                   { fresh() }, 'x' x 64),
        'alg HS256' => TestJWT::jwt({ alg => 'HS256', kid => 'one' },
                                    { fresh() }, 'x' x 32),
        'alg HS512, no kid' => TestJWT::jwt({ alg => 'HS512' }, { fresh() },
                                            'x' x 64),
        'a key of its own' =>
            $other->token(fresh(), header => { kid => 'one',
                jwk => $other->jwk, jku => $mock->url, x5u => $mock->url,
                crit => [ 'b64' ], b64 => JSON::PP::false() }),
    );

    my ($head, undef, $signature) = split /\./, $one->token(fresh());
    my (undef, $claims) = split /\./, $one->token(fresh(), sub => 'admin');

    $wrong{'claims that were changed'} = "$head.$claims.$signature";

    for my $what (sort keys %wrong) {
        is(get($wrong{$what}), $refused, $what);
    }

    is($mock->calls(path => '/v1/tokens/jwsk'), 1, 'the keys were not fetched '
       . 'again');
};


subtest 'who is left to the API' => sub {
    is(get($one->token(fresh())), $let_in, 'a token of the first key');
    is(get($two->token(fresh())), $let_in, 'a token of the second key');
    is(get($one->token(fresh(exp => undef))), $let_in, 'without an expiry');
    is(get($one->token(fresh(exp => 'soon'))), $let_in,
       'with an expiry that cannot be read');
    is(get($one->token(fresh(nbf => time + 600))), $let_in,
       'not yet valid, as it says');
    is(get($one->token(fresh(), header => { kid => undef })), $let_in,
       'one that names no key');
    is(get('opaque-' . ++$n), $let_in, 'one that is no JWT');
    is(get($one->forged(fresh()) . '='), $let_in, 'nor is this one');
    is(get($one->forged(fresh(), header => { kid => 1 })), $let_in,
       'nor one whose kid is a number');
    is(get(TestJWT::jwt('{"alg":"ES256","alg":"none","kid":"one"}',
                        { fresh() }, 'x' x 64)), $let_in,
       'nor one with two algorithms');
    is(get(TestJWT::jwt('{"kid":"one"}', { fresh() }, 'x' x 64)), $let_in,
       'nor one without an algorithm');
};


subtest 'a signature lets no token in' => sub {
    my $token = $one->token(fresh());

    $mock->script(tokens => { $token => 404 });

    is(get($token), '401 invalid/unknown 1', 'the API says no');

    my $gone = $one->token(fresh());

    $mock->script(tokens => { $gone => 410 });

    is(get($gone), '401 revoked/revoked 1', 'or that it is revoked');
};


subtest 'expired' => sub {
    my $token = $one->token(fresh(exp => time - 60));

    is(get($token), '401 expired/expired 0', 'refused at no call');
    is(HttpClient::header(ask($token), 'X-Cache') // '', '',
       'it is not remembered');
    is(get($token, '/late'), $let_in,
       'nor does it count where the location has a leeway');

    my $forged = $one->forged(fresh(exp => time - 60));

    is(get($forged, '/late'), $refused, 'a forged one has no leeway');

    is(get($one->token(fresh(exp => time + 2)), '/'), $let_in, 'not yet');
};


subtest 'a refusal is remembered' => sub {
    my $token = $one->forged(fresh());

    is(get($token), $refused, 'refused');

    my $checked = status()->{signature}{checked};

    is(HttpClient::header(ask($token), 'X-Cache'), 'HIT', 'known then');
    is(get($token), $refused, 'as what it is');
    is(get($token, '/late'), $refused, 'in every location of the zone');
    is(status()->{signature}{checked}, $checked, 'and not checked again');

    # without a cache, each time

    is(get($token, '/off'), $refused, 'without a cache: refused as well');
    is(get($token, '/off'), $refused, 'and again');
    is(status()->{signature}{checked}, $checked + 2, 'checked each time');

    my $later = $one->token(fresh());

    is(get($later, '/off'), $let_in, 'a good one is asked about');
    is(get($later, '/off'), $let_in, 'each time');
};


subtest 'what is known is not checked' => sub {
    my $token = $one->token(fresh(exp => time + 2));

    is(get($token), $let_in, 'asked about once');

    my $checked = status()->{signature}{checked};

    sleep 2.2;

    # facts of the API go before claims that only the gate has read

    is(get($token), '200 active/ 0', 'then the API has told the expiry');
    is(get($token, '/short'), $let_in, 'is asked again where that is too old');
    is(status()->{signature}{checked}, $checked, 'and the keys have nothing '
       . 'to say');
};


subtest 'where it counts' => sub {
    is(get($one->forged(fresh()), '/report'), '200 invalid/signature 0',
       'in a location that reports');
    ok($nginx->wait_log(qr/would be rejected: invalid, signature/),
       'which says so');
    is(get($one->forged(fresh()), '/early'), $refused,
       'in the preaccess phase');
    is(get($one->token(fresh(exp => 1)), '/early'), '401 expired/expired 0',
       'the same for an expired one');
    is(get($one->token(fresh()), '/early'), $let_in, 'a good one passes');
    is(get($one->forged(fresh()), '/optional'), $refused,
       'where a token is optional');
    is(get($one->forged(fresh()), '/any'), '200 invalid/signature 0',
       'another module may let it in');
    is(get($one->forged(fresh()), '/none'), $refused, 'or not');
    is(get($one->forged(fresh()), '/reissue'), $refused,
       'nothing is reissued');
    is($mock->calls(path => '/v1/tokens/reissue'), 0, '... nor asked for');

    ask($one->token(fresh()), '/reissue');
    is($mock->calls(path => '/v1/tokens/reissue'), 1, 'for a good token it is');

    is(ask($one->forged(fresh()), '/second')->{status}, 200,
       'an API that is not that of http has other keys');
    is($second->calls(path => '/v1/tokens/jwsk'), 0, '... which is not asked '
       . 'for');
};


subtest 'a sign-out' => sub {
    my $told = sub {
        return scalar grep { $_->{token} !~ /^reissued/ }
                      $mock->requests(path => '/v1/tokens/revoke');
    };

    is(get($one->forged(fresh()), '/out', 'POST'), $refused,
       'of a forged token is refused at no call');
    is(get($one->token(fresh(exp => 1)), '/out', 'POST'),
       '401 expired/expired 0', 'of an expired one too');
    is($told->(), 0, 'the API is not told');

    my $token = $one->token(fresh());

    is(get($token), $let_in, 'a good token');
    is(ask($token, '/out', 'POST')->{status}, 204, 'is revoked');
    is(get($token), '401 revoked/revoked 0', 'and refused');

    my $unknown = $one->token(fresh());

    is(get($unknown, '/out', 'POST'), '204 / 1',
       'one that was never seen is asked about');
    is($told->(), 2, 'the API was told of both');
};


subtest 'figures' => sub {
    my $figures = status()->{signature};

    is($figures->{keys}, 2, 'keys that are published');
    is(scalar($nginx->log_lines(
           qr/\[notice\].*the public keys have changed, 2 are published, Tok/)),
       1, '... as the log has said, once');
    is($figures->{withdrawn}, 0, 'and withdrawn');
    is($figures->{fetches}, 1, 'fetches');
    is($figures->{failed}, 0, 'that failed');
    cmp_ok($figures->{age_ms}, '>=', 0, 'their age');
    cmp_ok($figures->{refused}, '>=', 20, 'refused');
    cmp_ok($figures->{checked}, '>', $figures->{refused}, 'of those checked');
    is($figures->{reported}, 0, 'none was reported');
    is($figures->{unchecked}, 0, 'none was one too many');
};


subtest 'tokens that the keys do not know' => sub {
    my $fetched = sub { $mock->calls(path => '/v1/tokens/jwsk') };
    my $nameless = sub { $other->forged(fresh(), header => { kid => undef }) };

    is(get($other->token(fresh())), $let_in, 'an unknown kid goes to the API');
    ok($mock->wait_calls(2, path => '/v1/tokens/jwsk'), '... and makes the '
       . 'keys be fetched');
    settled();

    is(get($other->token(fresh())), $let_in, 'also after that');
    is(get($other->token(fresh(), header => { alg => 'RS256', kid => 'one' })),
       $let_in, 'another algorithm counts as unknown');
    is(get($nameless->()), $refused, 'one without a kid is refused, for the '
       . 'keys were fetched');
    is(get($other->token(fresh(), header => { kid => undef })), $refused,
       'whoever has signed it');
    is($fetched->(), 2, 'and this was the only time');
};


# the first token without a kid that no key verifies

launch('on');

subtest 'a token without a kid' => sub {
    $mock->script(paths => {
        'GET /v1/tokens/jwsk' => { %{ keys_of($one, $two) }, delay => 1 } });

    my $nameless = sub { $other->forged(fresh(), header => { kid => undef }) };

    is(get($nameless->()), $let_in, 'makes the keys be fetched');
    is(get($nameless->()), $let_in, 'and goes to the API meanwhile');
    is(get($one->forged(fresh())), $refused, 'a kid that is known does not');
    is(get($one->token(fresh(), header => { kid => undef })), $let_in,
       'a good one is good');

    settled();

    is(get($nameless->()), $refused, 'then it is refused');
    is($mock->calls(path => '/v1/tokens/jwsk'), 2, 'one fetch for all');

    $mock->script(paths => { 'GET /v1/tokens/jwsk' => keys_of($one, $two) });
};


# more keys than are tried

my @many = map { TestJWT->new(kid => "many-$_") } 1 .. 3;

$mock->script(paths => {
    'GET /v1/tokens/jwsk' => keys_of($one, $two, @many[0, 1]) });
launch('on strict');

subtest 'what the API has just created is not checked' => sub {
    is(create(), 200, 'a created token that is no JWT');
    is($mock->calls(path => '/v1/tokens'), 1, 'is created once');
};


launch('on strict');

subtest 'a refusal of a client does not count for a created token' => sub {
    is(get("created-$_"), $refused, "a client presents created-$_")
        for 1 .. 4;
    is(create(), 200, 'one of them is created');
    is($mock->calls(path => '/v1/tokens'), 1, 'once');
};


launch('on strict');

subtest 'four keys are tried' => sub {
    is(get($many[1]->token(fresh(), header => { kid => undef })), $let_in,
       'the fourth one');

    get($other->token(fresh()));
    settled();

    is(get($other->forged(fresh(), header => { kid => undef })), $refused,
       'and no other');
};

$mock->script(paths => {
    'GET /v1/tokens/jwsk' => keys_of($one, $two, @many) });
launch('on strict');

subtest 'of five, none is' => sub {
    get($other->token(fresh()));
    settled();

    is(get($many[2]->token(fresh(), header => { kid => undef })), $let_in,
       'a good token without a kid goes to the API');
    is(get($other->forged(fresh(), header => { kid => undef })), $let_in,
       'and so does a forged one');
    is(get($many[2]->forged(fresh())), $refused, 'a kid says which it is');
    is(get($many[2]->token(fresh(exp => 1))), '401 expired/expired 0',
       'also for an expired one');
};

$mock->script(paths => { 'GET /v1/tokens/jwsk' => keys_of($one, $two) });


launch('on strict');

subtest 'strict' => sub {
    is(get($one->token(fresh())), $let_in, 'a good token');
    is(get('opaque-' . ++$n), $refused, 'one that is no JWT is refused');
    is(get("opaque.$n.token"), $refused, 'nor is this one');
    is(get($one->forged(fresh(), header => { kid => 1 })), $refused,
       'nor one whose kid is a number');

    is(get($other->token(fresh())), $let_in, 'an unknown kid goes to the API');
    ok($mock->wait_calls(2, path => '/v1/tokens/jwsk'), '... while the keys '
       . 'are fetched');
    settled();

    is(get($other->token(fresh())), $refused, 'and is refused then');
    is(get($other->token(fresh(), header => { alg => 'ES384' })), $refused,
       'another algorithm too');
    is($mock->calls(path => '/v1/tokens/jwsk'), 2, 'no further fetch');
    is(get('opaque-' . $n), $refused, 'a refusal is remembered');

    is($nginx->get('/key', headers => {
           Authorization => 'Basic '
               . MIME::Base64::encode_base64('a@example.com:key', '') })
       ->{status}, 200, 'an API key has no signature');
};


launch('report strict');

subtest 'report' => sub {
    my $token = $one->forged(fresh());

    $nginx->mark;
    is(get($token), $let_in, 'a forged token goes to the API');
    like($nginx->new_log,
         qr/\[warn\].*the signature gate would refuse: invalid, signature, its signature is wrong, fingerprint [0-9a-f]{16}/,
         'with a line in the log');
    is(get($token), '200 active/ 0', 'whose word counts');

    $nginx->mark;
    is(get($one->token(fresh(exp => 1))), $let_in, 'an expired one too');
    like($nginx->new_log, qr/would refuse: expired, expired, its exp has/,
         'reported');

    is(get('opaque-' . ++$n), $let_in, 'and one that is no JWT');
    is(get($one->token(fresh())), $let_in, 'a good one');

    my $figures = status()->{signature};

    is($figures->{reported}, 3, 'three would have been refused');
    is($figures->{refused}, 0, 'none was');
};


launch('on', http => 'agilicus_token_api_rate 1r/m per_client=1r/m burst=0s;');

subtest 'budgets' => sub {
    my @res = $nginx->many([ map({ { path => '/', headers => {
        Authorization => 'Bearer ' . $one->forged(fresh()) } } } 1 .. 50) ],
        at_once => 10);

    is(scalar(grep { ($_->{status} || 0) == 401 } @res), 50, 'refusals cost nothing');
    is($mock->calls(path => $asked), 0, 'no call was made');
    is(get($one->token(fresh())), $let_in, 'the budget is whole');
};


# requests follow each other on few connections, so that the time is nginx's

launch('on', http => 'agilicus_token_api_rate off;', log_level => 'notice');

subtest 'a thousand checks in a second' => sub {
    my @requests = map {
        [ map { 'GET / HTTP/1.1' . "\r\nHost: x\r\nAuthorization: Bearer "
                . $one->forged(fresh()) . "\r\n" } 1 .. 300 ]
    } 1 .. 10;

    my @connections = map { $nginx->connect } @requests;
    my $answers = '';
    my $begin = time;

    for my $i (0 .. $#requests) {
        $connections[$i]->send(join("\r\n", @{$requests[$i]})
                               . "Connection: close\r\n\r\n");
    }

    for my $c (@connections) {
        $c->closed(30 * $slow);
        $answers .= $c->read_some(0);
    }

    my $seconds = time - $begin;
    my $let_in = () = $answers =~ m{HTTP/1.1 200 }g;
    my $figures = status()->{signature};

    is($figures->{checked} + $figures->{unchecked}, 3000, 'all were counted');
    is($figures->{refused}, $figures->{checked},
       'all that were checked were refused');
    is($mock->calls(path => $asked), $figures->{unchecked},
       'and all others went to the API');
    is($let_in, $figures->{unchecked}, 'whose word counts');
    cmp_ok($figures->{checked}, '<=', 1000 * (int($seconds) + 1),
           'no more than a thousand in a second');
    cmp_ok($figures->{checked}, '>=', 1000, '... nor less');
};


# forged tokens among known ones, at a rate below this limit

launch('on');

subtest 'a flood' => sub {
    my @good = map { $one->token(fresh()) } 1 .. 5;

    is(get($_), $let_in, 'a good token') for @good;

    $mock->reset;

    my $i = 0;
    my @kinds = (
        sub { $one->forged(fresh()) },
        sub { TestJWT::jwt({ alg => 'none' }, { fresh() }, '') },
        sub { $one->forged(fresh(exp => 1)) },
        sub { $two->forged(fresh()) },
    );
    my $expired = $two->token(fresh(exp => 1));

    my @requests = map {
        my $token = $_ % 5 == 4 ? $expired : $kinds[$_ % 5]->();

        { path => '/', delay => $_ / 300, timeout => 20 * $slow, headers => {
            Authorization => "Bearer $token",
        } }
    } 0 .. 599;

    push @requests, map({ {
        path => '/', delay => $_ / 60, timeout => 20 * $slow,
        headers => { Authorization => "Bearer $good[$_ % 5]" }
    } } 0 .. 119);

    my @res = $nginx->many(\@requests);

    is(scalar(grep { ($_->{status} || 0) == 401 } @res[0 .. 599]), 600,
       'all forged and expired tokens are refused');
    is(scalar(grep { ($_->{status} || 0) == 200 } @res[600 .. 719]), 120,
       'and no good one');
    is($mock->calls, 0, 'at no call of any kind');
    is(status()->{signature}{unchecked}, 0, 'each of them was checked');
};


# switched off again: what it has refused does not count

subtest 'a reload that switches it off' => sub {
    my $token = $one->forged(fresh());

    is(get($token), $refused, 'refused');

    $nginx->reload(http => $nginx->{http}
                           =~ s/agilicus_token_signature on/agilicus_token_signature report/r);

    is(get($token), $let_in, 'the API decides now');
};


$nginx->finish('nginx', secrets => [ 'eyJ' ]);

done_testing();


# until all keys that were asked for have come

sub settled {
    for (1 .. 200 * $slow) {
        my $answered = () = $nginx->log_lines(
                                qr/agilicus token public_keys answered/);

        return 1 if $answered >= status()->{signature}{fetches};
        sleep 0.05;
    }

    return 0;
}
