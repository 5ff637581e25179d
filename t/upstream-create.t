use strict;
use warnings;

# Tokens for callers that were identified by other means than a token: a caller
# that was not identified gets none, no caller gets the token of another one,
# and the token is checked like any token.

use HTTP::Tiny ();
use IO::Socket::SSL ();
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
use TestCA;
use TestPorts;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;
my $ca = TestCA->new;
my $cert = $ca->cert('good');


# The token says itself what it was made from, so that a wrong one is seen.
# "odd-..." as its subject says what goes wrong.

my %validate = (
    map({ ("odd-v$_" => $_) } 400, 401, 403, 404, 422, 429, 500),
    'odd-vhang' => { hang => 1 },
    'odd-v201'  => { status => 201, body => '{}' },
    'odd-vslow' => { delay => 0.4, status => 200, body => '{}' },
);

my %create = (
    map({ ("odd-c$_" => $_) } 202, 204, 307, 400, 401, 403, 404, 422, 429,
                              500),
    'odd-chang'  => { hang => 1 },
    'odd-cempty' => { status => 201, body => '' },
    'odd-cbytes' => { status => 201, body => '{"token":"a b"}' },
    'odd-clong'  => { status => 201, body => '{"token":"' . 'x' x 70_000
                                             . '"}' },
    'odd-cbare'  => { status => 201, body => 'made-token' },
    'odd-c200'   => undef,
);

my $made = 0;


sub subject {
    my ($request) = @_;

    return $json->decode($request->{body})->{sub};
}


sub validate {
    my ($request) = @_;

    my $answer = $validate{ subject($request) };

    return defined $answer ? $answer
           : { status => 200, body => $request->{body} };
}


sub create {
    my ($request) = @_;

    my $sub = subject($request);

    return $create{$sub} if defined $create{$sub};

    return { status => $sub eq 'odd-c200' ? 200 : 201,
             delay  => $sub =~ /^slow/ ? 0.3 : 0,
             json   => { token => sprintf 'made-%s-%d',
                                  unpack('H*', $request->{body}),
                                  $sub eq 'odd-same' ? 0 : ++$made } };
}


sub introspect {
    my ($request) = @_;

    my ($body, $n) = $request->{token} =~ /^made-([0-9a-f]+)-(\d+)$/
        or return $request->{token} =~ /^own-/
                  ? { token => { sub => 'own', scopes => [ 'read' ] } } : 404;
    my $what = $json->decode(pack 'H*', $body);

    my @scopes = @{ $what->{scopes} || [] };

    s/\?$// for @scopes;

    return 410 if $what->{sub} eq 'odd-gone';
    return 404 if $what->{sub} eq 'odd-unknown';

    return { token => {
        sub    => $what->{sub},
        org    => $what->{org},
        jti    => "jti-$n-$what->{sub}",
        scopes => $what->{sub} eq 'odd-weak' ? [] : \@scopes,
        exp    => time + ($what->{sub} eq 'odd-early' ? 1
                          : $what->{time_validity}{duration}),
    } };
}


my $mock = MockAPI->start(
    default => \&introspect,
    paths   => {
        'POST /v1/tokens/validations' => \&validate,
        'POST /v1/tokens'             => \&create,
    },
);

my $app = MockUpstream->start(name => 'APP');
my $tls_port = $ENV{TEST_NGINX_TLS_PORT} = TestPorts::free_port();

my $nginx = NginxProcess->new(workers => 2,
                              events => 'accept_mutex off;');

my $credential = $nginx->write_file('credential', "edge-credential-one\n");
my $second = $nginx->write_file('second', "edge-credential-two\n");

chmod 0600, $credential, $second;

$nginx->write_file('passwords', "alice:{PLAIN}right\n");

my $create = 'agilicus_token_create sub=$http_x_sub org=org-1 '
             . 'audiences=aud scopes=read,write?';


# a location with one way to identify the caller

sub place {
    my ($path, $identity, $more) = @_;

    return <<"EOC";
        location $path {
            agilicus_token on;
            agilicus_token_require_scopes read;
            $create identity=$identity;
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
            $more
        }
EOC
}


# the caller has the name that goes with its password

sub named {
    my ($path, $identity, $more) = @_;

    return place($path, $identity, $more) =~ s/sub=\$http_x_sub/sub=\$subject/r;
}


my $basic = <<'EOC';
    auth_basic "known";
    auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
EOC

my $places = place('/basic', 'access', $basic)
    . place('/request', 'access', 'auth_request /allowed;')
    . place('/both', 'access', "$basic auth_request /allowed;")
    . place('/ssl', 'ssl', '')
    . place('/ssl_basic', 'ssl', $basic)
    . place('/ssl_both', 'ssl', "$basic auth_request /allowed;")
    . place('/denied', 'ssl', 'deny all;')
    . named('/named/ssl', 'ssl', '')
    . named('/named/off', 'ssl', 'auth_basic off;')
    . named('/named/request', 'access', 'auth_request /allowed;')
    . named('/named/nofile', 'access', 'auth_request /allowed; auth_basic x;')
    . named('/named/basic', 'ssl', $basic)
    . <<'EOC';
    location = /allowed {
        internal;
        if ($http_x_allow = yes) { return 204; }
        return 403;
    }
EOC

sub http {
    my ($file) = @_;

    return <<"EOC";
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_credential $file;
        agilicus_token_api_timeout @{[ 700 * $slow ]}ms;
        agilicus_token_api_breaker off;
        agilicus_token_api_rate off;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
        map \$http_x_realm \$realm { default \$http_x_realm; }
        map \$remote_user \$subject { default \$remote_user; }
        server {
            listen 127.0.0.1:\$TEST_NGINX_TLS_PORT ssl reuseport;
            ssl_certificate $cert->{cert};
            ssl_certificate_key $cert->{key};
            ssl_client_certificate @{[ $ca->file ]};
            ssl_verify_client optional_no_ca;
            $places
        }
EOC
}

$nginx->configure(
    http   => http($credential),
    config => $places . <<'EOC',
        location /list {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_create identity=access sub=$http_x_sub
                                  org=$http_x_org
                                  audiences=$http_x_a,$http_x_b
                                  "scopes=s.$http_x_a"
                                  "roles=app:$http_x_b" duration=600s;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /short {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_create identity=access sub=$http_x_sub org=org-1
                                  audiences=aud duration=2s;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /realm {
            set $early $remote_user;
            auth_basic $realm;
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_create identity=access sub=$http_x_sub org=org-1
                                  audiences=aud;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /user {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_create identity=access sub=$remote_user org=org-1
                                  audiences=aud;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /rules {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_rules on;
            agilicus_token_create identity=access sub=$http_x_sub org=org-1
                                  audiences=aud;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /reissued {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_reissue org-2;
            agilicus_token_create identity=access sub=$http_x_sub org=org-1
                                  audiences=aud;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /hidden {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_forward off;
            agilicus_token_create identity=access sub=$http_x_sub org=org-1
                                  audiences=aud;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /uncached {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_cache off;
            agilicus_token_create identity=access sub=$http_x_sub org=org-1
                                  audiences=aud;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /second {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_api_credential $TEST_NGINX_PREFIX/second;
            agilicus_token_create identity=access sub=$http_x_sub org=org-1
                                  audiences=aud scopes=read,write?;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /preaccess {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            add_header X-Cache "$agilicus_token_cache";
            agilicus_token on;
            agilicus_token_phase preaccess;
            agilicus_token_create identity=access sub=$http_x_sub org=org-1
                                  audiences=aud;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /signed_in {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_require_mfa 5m;
            agilicus_token_create identity=access sub=$http_x_sub org=org-1
                                  audiences=aud;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /page { ssi on; ssi_types text/plain; }
        location /moved { error_page 404 = /basic; }
        location /denials { agilicus_token_revocation_hook trusted; }
        location = /status { agilicus_token_status trusted; }
EOC
);

$nginx->write_file('html/page/basic', '<!--# include virtual="/basic" -->');
$nginx->write_file('html/page/request', '<!--# include virtual="/request" -->');
$nginx->start;

my $right = 'Basic YWxpY2U6cmlnaHQ=';
my $wrong = 'Basic YWxpY2U6d3Jvbmc=';


sub made { return $mock->calls(path => '/v1/tokens', method => 'POST') }
sub validated { return $mock->calls(path => '/v1/tokens/validations') }
sub why { return HttpMessage::header($_[0], 'X-Why') }


sub ask {
    my ($path, $sub, %header) = @_;

    return $nginx->get($path, headers => { Authorization => $right,
                       'X-Sub' => $sub, %header });
}


# what upstream got was made from

sub from {
    my ($res) = @_;

    my ($body) = ($res->{body} || '') =~
        /^Authorization: Bearer made-([0-9a-f]+)-\d+\r$/m or return undef;

    return $json->decode(pack 'H*', $body);
}


# a context for each certificate: making one takes long

my %contexts;


sub context {
    my ($certificate) = @_;

    return $contexts{ $certificate ? $certificate->{cert} : '' } ||=
        IO::Socket::SSL::SSL_Context->new(
            SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_NONE(),
            $certificate ? (SSL_cert_file => $certificate->{cert},
                            SSL_key_file  => $certificate->{key}) : ());
}


sub ask_tls {
    my ($path, $certificate, $headers) = @_;

    my $sock = IO::Socket::SSL->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $tls_port,
        Timeout  => 5 * $slow,
        SSL_reuse_ctx => context($certificate),
    ) or die "TLS: $IO::Socket::SSL::SSL_ERROR\n";

    print $sock join("\r\n", "GET $path HTTP/1.1", 'Host: localhost',
                     'Connection: close',
                     map({ "$_: $headers->{$_}" } sort keys %$headers),
                     '', '');

    my ($text, $part) = ('', '');
    my $until = time + 5 * $slow;

    while (time < $until && sysread $sock, $part, 65536) {
        $text .= $part;
    }

    return HttpMessage::parse($text, eof => 1) || { status => 0 };
}


subtest 'who was not identified has no token made' => sub {
    my %certificate = (
        verified => $ca->cert('client'),
        expired  => $ca->cert('client_expired'),
        foreign  => $ca->cert('client_untrusted'),
        absent   => undef,
    );
    my %password = (right => $right, wrong => $wrong, absent => undef);

    my %needs = (
        '/basic'     => [ 'password' ],
        '/request'   => [ 'allow' ],
        '/both'      => [ 'password', 'allow' ],
        '/ssl'       => [ 'certificate' ],
        '/ssl_basic' => [ 'certificate', 'password' ],
        '/ssl_both'  => [ 'certificate', 'password', 'allow' ],
        '/denied'    => [ 'nothing helps' ],
    );

    my ($n, $served) = (0, 0);

    for my $path (sort keys %needs) {
        for my $certificate (sort keys %certificate) {
            for my $password (sort keys %password) {
                for my $allow ('yes', 'no') {
                    my %has = (
                        certificate => $certificate eq 'verified',
                        password    => $password eq 'right',
                        allow       => $allow eq 'yes',
                    );

                    # nginx itself does not talk to an expired one

                    my $known = $certificate ne 'expired'
                                && !grep { !$has{$_} } @{ $needs{$path} };
                    my $sub = 'matrix-' . ++$n;

                    $mock->reset;

                    my $res = ask_tls($path, $certificate{$certificate}, {
                        'X-Sub' => $sub, 'X-Allow' => $allow,
                        defined $password{$password}
                        ? (Authorization => $password{$password}) : () });

                    my $got = from($res);
                    my $good = $known
                        ? $res->{status} == 200 && $got
                          && $got->{sub} eq $sub && made() == 1
                          && validated() == 1
                        : $res->{status} =~ /^40[013]$/ && made() == 0
                          && validated() == 0;

                    $served++ if $known;

                    ok($good, "$path, certificate $certificate, password "
                       . "$password, auth_request $allow: "
                       . ($known ? 'a token' : 'none'))
                        or diag("$res->{status}, made: " . made());
                }
            }
        }
    }

    is($served, 27, 'and some were known');
};


subtest 'a certificate says nothing in clear text' => sub {
    $mock->reset;

    my $res = $nginx->get('/ssl', headers => {
        'X-Sub' => 'clear', 'X-SSL-Client-Verify' => 'SUCCESS',
        'SSL_CLIENT_VERIFY' => 'SUCCESS' });

    is($res->{status}, 401, 'refused');
    is(why($res), 'missing/no_identity', '... no user');
    like(HttpMessage::header($res, 'WWW-Authenticate') || '',
         qr/^Bearer realm="agilicus"$/, '... and asked for a token');
    is(made() + validated(), 0, '... and nothing was asked for');
};


subtest 'a realm that is off identifies no user' => sub {
    $mock->reset;

    for my $authorization ($right, $wrong, undef) {
        my $res = $nginx->get('/realm', headers => { 'X-Sub' => 'realm',
            'X-Realm' => 'off',
            $authorization ? (Authorization => $authorization) : () });

        is($res->{status}, 401, 'refused');
        is(why($res), 'missing/no_identity', '... no user');
    }

    is(made() + validated(), 0, 'and nothing was asked for');
    is(ask('/realm', 'realm', 'X-Realm' => 'x')->{status}, 200,
       'one that is on does');
};


subtest 'parts of pages, and redirects inside' => sub {
    $mock->reset;

    for my $what (qw(basic request)) {
        my $res = $nginx->get("/page/$what", headers => {
            Authorization => $right, 'X-Sub' => 'part', 'X-Allow' => 'yes' });

        is($res->{status}, 200, "a page with a part of /$what");
        unlike($res->{body}, qr/made-/, '... for which no token was made');
    }

    is($nginx->get('/moved', headers => { 'X-Sub' => 'part' })->{status}, 401,
       'a redirect leads to the same questions');
    is(made() + validated(), 0, 'and nothing was asked for');

    my $res = ask('/moved', 'redirected');

    is($res->{status}, 200, '... which can be answered');
    is(from($res)->{sub}, 'redirected', '... with a token of its own');
};


subtest 'the questions, and their order' => sub {
    $mock->reset;

    my $res = ask('/list', 'order', 'X-Org' => 'here', 'X-A' => 'a',
                  'X-B' => 'b');

    is($res->{status}, 200, 'served');
    is(why($res), 'active/', '... active');

    my @asked = $mock->requests;

    is_deeply([ map { "$_->{method} $_->{path}" } @asked ],
              [ 'POST /v1/tokens/validations', 'POST /v1/tokens',
                'POST /v1/tokens/introspect' ], 'validated, made, looked at');

    my $body = $json->decode($asked[0]{body});

    is_deeply($body, { sub => 'order', org => 'here',
                       audiences => [ 'a', 'b' ], scopes => [ 's.a' ],
                       roles => { app => 'b' },
                       time_validity => { duration => 600 },
                       inherit_session => JSON::PP::false() },
              'what is asked for is what is configured');
    is($asked[1]{body}, $asked[0]{body}, '... both times');
    is($asked[0]{header}{authorization}, undef,
       'validating takes no credential');
    is($asked[1]{header}{authorization}, 'Bearer edge-credential-one',
       'making one does');
    is($asked[2]{header}{authorization}, undef, 'looking does not');
};


subtest 'optional scopes are passed on' => sub {
    my $res = ask('/basic', 'optional');

    is_deeply(from($res)->{scopes}, [ 'read', 'write?' ], 'as configured');
    is(from($res)->{time_validity}{duration}, 3600, 'for an hour');
};


subtest 'values that would run into each other do not' => sub {
    my @sets = (
        [ 'a,b', 'c', 'x', 'y' ],
        [ 'a', 'b,c', 'x', 'y' ],
        [ 'a', 'b', 'x,y', 'z' ],
        [ 'a', 'b', 'x', 'y,z' ],
        [ 'ab', 'c', 'x', 'y' ],
        [ 'a', 'bc', 'x', 'y' ],
        [ 'a","org":"root', 'c', 'x', 'y' ],
        [ 'a', 'root', 'x', 'y' ],
        [ 'a\\', 'c', 'x', 'y' ],
        [ 'a\\\\', 'c', 'x', 'y' ],
        [ 'a\\"', 'c', 'x', 'y' ],
        [ 'a"', 'c', 'x', 'y' ],
        [ 'a\\u0062', 'c', 'x', 'y' ],
        [ 'a:b', 'c', 'x', 'y' ],
        [ 'a', 'c', 'x"],"scopes":["all', 'y' ],
        [ 'a', 'c', 'x', 'y:z' ],
        [ 'a', 'c', 'x', 'y"},"sub":"root' ],
        [ 'A', 'c', 'x', 'y' ],
        [ "a\tb", 'c', 'x', 'y' ],
        [ "\xc3\xa9", 'c', 'x', 'y' ],
        [ "\xc3\x83\xc2\xa9", 'c', 'x', 'y' ],
        [ "\xf0\x9f\x94\x91", 'c', 'x', 'y' ],
    );

    $mock->reset;

    my %seen;

    for my $round (1, 2) {
        for my $set (@sets) {
            my ($sub, $org, $first, $last) = @$set;

            my $res = ask('/list', $sub, 'X-Org' => $org, 'X-A' => $first,
                          'X-B' => $last);
            my $got = from($res) || {};
            my ($token) = ($res->{body} || '') =~ /Bearer (\S+)/;

            utf8::decode(my $text = $sub);

            is_deeply([ $res->{status}, $got->{sub}, $got->{org},
                        $got->{audiences}, $got->{scopes}, $got->{roles} ],
                      [ 200, $text, $org, [ $first, $last ],
                        [ "s.$first" ], { app => $last } ],
                      join ' | ', map { s/([^ -~])/sprintf '\x%02x', ord $1/ger }
                                      @$set);

            push @{ $seen{ defined $token ? $token : '' } },
                 join "\0", @$set;
        }
    }

    is(made(), @sets, 'each had its own made, once');
    is_deeply([ grep { my %of = map { $_ => 1 } @{ $seen{$_} }; keys %of > 1 }
                keys %seen ], [], 'and no user got the token of another');
};


subtest 'an empty name, or one that is no text, is no user' => sub {
    $mock->reset;

    my %good = ('X-Org' => 'here', 'X-A' => 'a', 'X-B' => 'b');

    for my $case ([ '', %good ], [ 'x', %good, 'X-Org' => '' ],
                  [ 'x', %good, 'X-A' => '' ], [ 'x', %good, 'X-B' => '' ],
                  [ "\xe9", %good ], [ "a\xc0\xaf", %good ],
                  [ 'x', %good, 'X-Org' => "\xff" ],
                  [ 'x', %good, 'X-A' => "\xed\xa0\x80" ],
                  [ 'x', %good, 'X-B' => "\xc3" ])
    {
        my $res = ask('/list', @$case);

        is($res->{status}, 401, 'refused');
        is(why($res), 'missing/no_identity', '... no user');
    }

    is(made() + validated(), 0, 'and nothing was asked for');
};


subtest 'who is known by name has that name' => sub {
    my $res = $nginx->get('/user', headers => { Authorization => $right,
                          'X-Sub' => 'mallory' });

    is(from($res)->{sub}, 'alice', 'that of the password');
    unlike($res->{body}, qr/^Authorization: Basic/m,
           'which upstream does not get');
};


subtest 'a name that no password was asked for is no user' => sub {
    my $client = $ca->cert('client');

    $mock->reset;

    for my $path (map { "/named/$_" } qw(ssl off request nofile)) {
        for my $authorization ($right, $wrong) {
            my $res = ask_tls($path, $client, { 'X-Allow' => 'yes',
                              Authorization => $authorization });

            is($res->{status}, 401, "$path: refused");
            is(why($res), 'missing/no_identity', '... no user');
        }
    }

    is(made() + validated(), 0, 'and nothing was asked for');

    my $res = ask_tls('/named/basic', $client, { Authorization => $right });

    is(from($res)->{sub}, 'alice', 'one that was is');
};


subtest 'a token of the client\'s own comes first' => sub {
    $mock->reset;

    my $client = $ca->cert('client');

    my $res = ask_tls('/ssl', $client, { 'X-Sub' => 'own',
                      Authorization => 'Bearer own-1' });

    is($res->{status}, 200, 'a good one');
    like($res->{body}, qr/^Authorization: Bearer own-1\r$/m,
         '... is what upstream gets');

    for my $case ([ 'Bearer bad-1', 401, 'invalid/unknown' ],
                  [ 'Bearer bad 1', 400, 'malformed/syntax' ],
                  [ 'Bearer ', 400, 'malformed/syntax' ])
    {
        my ($authorization, $status, $why) = @$case;

        $res = ask_tls('/ssl', $client, { 'X-Sub' => 'own',
                       Authorization => $authorization });

        is($res->{status}, $status, "\"$authorization\": $status");
        is(why($res), $why, "... $why");
    }

    is(made() + validated(), 0, 'and none was made');
};


subtest 'requirements and rules hold for it' => sub {
    is(why(ask('/basic', 'odd-weak')), 'forbidden/scope', 'scopes');
    is(why(ask('/rules', 'ruled')), 'forbidden/rule', 'rules');
    is(ask('/basic', 'odd-weak')->{status}, 403, 'again');
    is(why(ask('/basic', 'odd-unknown')), 'unavailable/status',
       'one that the API does not know yet is none yet');
    is(why(ask('/basic', 'odd-gone')), 'revoked/revoked',
       'and one that it has revoked');

    # it has no sign-in, and neither would another one have

    my $before = made();

    is(why(ask('/signed_in', 'signed')), 'step_up/mfa', 'a sign-in')
        for 1 .. 3;
    is(made() - $before, 1, '... for which no other token is made');
};


subtest 'validations come first, and end it' => sub {
    for my $case ([ 400, 403, 'forbidden/create' ],
                  [ 403, 403, 'forbidden/create' ],
                  [ 404, 403, 'forbidden/create' ],
                  [ 422, 403, 'forbidden/create' ],
                  [ 401, 503, 'unavailable/credential' ],
                  [ 429, 503, 'unavailable/throttled' ],
                  [ 500, 503, 'unavailable/status' ],
                  [ 201, 503, 'unavailable/status' ],
                  [ 'hang', 503, 'unavailable/timeout' ])
    {
        my ($answer, $status, $why) = @$case;

        $mock->reset;

        my $res = ask('/basic', "odd-v$answer");

        is($res->{status}, $status, "$answer: $status");
        is(why($res), $why, "... $why");
        is(made(), 0, '... and none was made');

        is(ask('/basic', "odd-v$answer")->{status}, $status, '... again');
        is(validated(), $status == 403 ? 1 : 2, '... '
           . ($status == 403 ? 'remembered' : 'asked again'));
    }
};


subtest 'answers of creation' => sub {
    for my $case ([ 200, 200, 'active/' ],
                  [ 202, 503, 'unavailable/status' ],
                  [ 204, 503, 'unavailable/status' ],
                  [ 307, 503, 'unavailable/status' ],
                  [ 400, 403, 'forbidden/create' ],
                  [ 404, 403, 'forbidden/create' ],
                  [ 422, 403, 'forbidden/create' ],
                  [ 429, 503, 'unavailable/throttled' ],
                  [ 500, 503, 'unavailable/status' ],
                  [ 'hang', 503, 'unavailable/timeout' ],
                  [ 'empty', 503, 'unavailable/answer' ],
                  [ 'bytes', 503, 'unavailable/answer' ],
                  [ 'long', 503, 'unavailable/answer' ],
                  [ 'bare', 503, 'unavailable/answer' ])
    {
        my ($answer, $status, $why) = @$case;
        my $res = ask('/basic', "odd-c$answer");

        is($res->{status}, $status, "$answer: $status");
        is(why($res), $why, "... $why");
    }
};


sub refusals {
    my ($api) = @{JSON::PP::decode_json(
                      $nginx->get('/status?format=json')->{body})->{apis}};

    return $api->{calls}{validate}{refused} + $api->{calls}{create}{refused};
}


subtest 'a credential that is refused is our fault' => sub {
    for my $status (401, 403) {
        my $before = refusals();

        # a line a second is the most

        sleep 1.1;
        $nginx->mark;

        my $res = ask('/basic', "odd-c$status");

        is($res->{status}, 503, "$status: 503");
        is(why($res), 'unavailable/credential', '... and why');
        is(HttpMessage::header($res, 'WWW-Authenticate'), undef,
           '... no challenge');
        like(HttpMessage::header($res, 'Retry-After') || '', qr/^\d+$/,
             '... and when to come back');

        my @lines = grep { /\[error\]/ } split /\n/, $nginx->new_log;

        is(@lines, 1, '... one line');
        like($lines[0] || '', qr/(?:validate|create)\ failed:\ Tokens\ API
             .*\ refused\ the\ edge\ itself\ with\ status\ $status,
             .*agilicus_token_api_credential/x, '... says so');
        is(refusals(), $before + 1, '... and a counter');
    }
};


subtest 'one is made for all who wait' => sub {
    $mock->reset;

    my @res = $nginx->many([ map {
        { path => '/basic', headers => { Authorization => $right,
          'X-Sub' => 'slow-' . $_ % 3 } } } 1 .. 90 ]);

    is_deeply([ grep { $_->{status} != 200 } @res ], [], 'all are served');
    is_deeply([ grep { from($res[$_])->{sub} ne 'slow-' . ($_ + 1) % 3 }
                0 .. $#res ], [], 'each with its own');
    is(made(), 3, 'one was made for each');
    is(validated(), 3, '... after one validation');
};


subtest 'two credentials make two tokens' => sub {
    $mock->reset;

    is(ask('/basic', 'tenant')->{status}, 200, 'one edge');
    is(ask('/second', 'tenant')->{status}, 200, 'another');
    is(ask('/second', 'tenant')->{status}, 200, '... again');

    is_deeply([ map { $_->{header}{authorization} }
                $mock->requests(path => '/v1/tokens', method => 'POST') ],
              [ 'Bearer edge-credential-one', 'Bearer edge-credential-two' ],
              'each by its own');
};


subtest 'how long it is kept' => sub {
    $mock->reset;

    my $begun = time;

    is(ask('/short', 'kept')->{status}, 200, 'made for two seconds');
    is(ask('/short', 'kept')->{status}, 200, '... and used again');
    is(made(), 1, 'one was made') if time - $begun < 1;

    sleep 2.1;

    is(ask('/short', 'kept')->{status}, 200, 'then another is made');
    cmp_ok(made(), '>=', 2, '... and used');

    # what the API has made end early is seen when it is looked at

    $mock->reset;

    is(ask('/basic', 'odd-early')->{status}, 200, 'one that ends early');

    sleep 2.1;

    is(ask('/basic', 'odd-early')->{status}, 200, '... is made again');
    is(made(), 2, '... once');

    $mock->reset;

    is(ask('/uncached', 'uncached')->{status}, 200, 'without a cache')
        for 1, 2;
    is(made(), 2, '... each request has one made');
};


subtest 'one that is denied is made again, once' => sub {
    $mock->reset;

    my ($n) = ask('/basic', 'denied')->{body} =~ /Bearer made-\w+-(\d+)/;

    is($nginx->request(POST => '/denials', headers => { 'Content-Type' =>
       'application/json' }, body => qq({"jti":["jti-$n-denied"]}))->{status},
       204, 'a denial');

    my $res = ask('/basic', 'denied');

    is($res->{status}, 200, 'another is made');
    unlike($res->{body}, qr/Bearer made-\w+-$n\r/, '... which is another');
    is(made(), 2, '... once');

    # an API that gives the same one again

    $mock->reset;

    is(ask('/basic', 'odd-same')->{status}, 200, 'one');
    is($nginx->request(POST => '/denials', headers => { 'Content-Type' =>
       'application/json' }, body => '{"jti":["jti-0-odd-same"]}')->{status},
       204, '... is denied');

    $res = ask('/basic', 'odd-same');

    is($res->{status}, 401, '... and made again is no better');
    is(made(), 2, '... which is found out once');
};


subtest 'with other directives' => sub {
    my $res = ask('/hidden', 'hidden');

    is($res->{status}, 200, 'not forwarded');
    unlike($res->{body}, qr/made-/, '... it is not');

    # the mock reissues as "reissued-<token>", of which it knows nothing

    $mock->reset;
    $res = ask('/reissued', 'reissued');

    is($res->{status}, 503, 'reissued');
    is(why($res), 'unavailable/status', '... it would be, if the API did');

    my ($asked) = $mock->requests(path => '/v1/tokens/reissue');

    like($json->decode($asked->{body})->{token}, qr/^made-/,
         '... from the one that was made');
};


subtest 'in the preaccess phase there is none yet' => sub {
    for my $cache ('MISS', 'HIT') {
        my $res = ask('/preaccess', 'early');

        is($res->{status}, 200, 'one is made');
        is(from($res)->{sub}, 'early', '... for the caller');
        is(HttpMessage::header($res, 'X-Cache'), $cache, "... $cache");
    }
};


subtest 'bodies are waited for' => sub {
    my $body = join ' ', 1 .. 40_000;

    my $res = $nginx->request(POST => '/basic', headers => {
        Authorization => $right, 'X-Sub' => 'odd-vslow' }, body => $body);

    is($res->{status}, 200, 'a large one');
    like($res->{body}, qr/\r\n\r\n\Q$body\E\z/, '... arrives whole');
};


subtest 'another credential is read on reload' => sub {
    $mock->reset;

    is(ask('/basic', 'reload-1')->{status}, 200, 'before');

    $nginx->write_file('credential', "edge-credential-three\n");

    is(ask('/basic', 'reload-2')->{status}, 200, 'the file changes');

    $nginx->reload;

    is(ask('/basic', 'reload-3')->{status}, 200, 'and is read');

    is_deeply([ map { $_->{header}{authorization} }
                $mock->requests(path => '/v1/tokens', method => 'POST') ],
              [ map { "Bearer edge-credential-$_" } qw(one one three) ],
              'then it is the new one');
};


$nginx->finish('nginx ends with a clean log', secrets => [
    'edge-credential', 'made-', 'right', 'cmlnaHQ' ]);

done_testing();
