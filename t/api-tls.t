use strict;
use warnings;

# Which server may answer for the API: certificates, versions of TLS, client
# certificates, and that a token is not sent to any other server.

use Test::More;

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestCA;

my $slow = NginxControl::slow();
my $ca = TestCA->new;

# the certificate of the server, the name by which it is asked, the status that
# the client gets, and the words in the log

my @cases = (
    [ 'good',          '127.0.0.1', 200 ],
    [ 'good',          'localhost', 200 ],
    [ 'chain',         'localhost', 200 ],
    [ 'wildcard',      'b.api.localhost', 200 ],
    [ 'self_signed',   '127.0.0.1', 503, qr/self.signed certificate/ ],
    [ 'untrusted',     '127.0.0.1', 503,
      qr/unable to get local issuer certificate/ ],
    [ 'no_chain',      'localhost', 503,
      qr/unable to get local issuer certificate/ ],
    [ 'expired',       '127.0.0.1', 503, qr/certificate has expired/ ],
    [ 'not_yet_valid', '127.0.0.1', 503, qr/certificate is not yet valid/ ],
    [ 'no_server_use', '127.0.0.1', 503, qr/certificate purpose/ ],
    [ 'wrong_host',    '127.0.0.1', 503, qr/no alternative certificate subject name matches target/ ],
    [ 'wrong_host',    'localhost', 503, qr/no alternative certificate subject name matches target/ ],
    [ 'cn_not_san',    'localhost', 503, qr/no alternative certificate subject name matches target/ ],
    [ 'nul_san',       'localhost', 503, qr/no alternative certificate subject name matches target/ ],
    [ 'wildcard',      'api.localhost', 503, qr/no alternative certificate subject name matches target/ ],
    [ 'wildcard',      'a.b.api.localhost', 503, qr/no alternative certificate subject name matches target/ ],
    [ 'cn_only',       '127.0.0.1', 503, qr/does not match target host name/ ],
);

my %mocks = map {
    my $kind = $_;
    ($kind => MockAPI->start(tls => $ca->cert($kind), default => {}))
} do { my %seen; grep { !$seen{$_}++ } map { $_->[0] } @cases };

sub mock { return MockAPI->start(default => {}, @_) }

my $deaf = mock(on_connect => 'close');
my $tls11 = mock(tls => { %{ $ca->cert('good') }, version => 'TLSv1_1',
                          ciphers => 'DEFAULT:@SECLEVEL=0' });
my $tls12 = mock(tls => { %{ $ca->cert('good') }, version => 'TLSv1_2' });
my $tls13 = mock(tls => { %{ $ca->cert('good') }, version => 'TLSv1_3' });
my $alpn = mock(tls => { %{ $ca->cert('good') }, alpn => [ 'h2', 'http/1.1' ] });
my $mutual = mock(tls => { %{ $ca->cert('good') }, client_ca => $ca->file });
my $closes = MockAPI->start(tls => $ca->cert('good'),
                            default => { close => 1 });

my $n = 0;
my %place;


# a location for each way to the API; its path is returned

sub place {
    my ($url, $more) = @_;

    my $path = '/' . ++$n;

    $place{$path} = <<"EOC";
        location = $path {
            agilicus_token on;
            agilicus_token_api $url;
            @{[ defined $more ? $more : '' ]}
            try_files /page =404;
        }
EOC

    return $path;
}


sub url { my ($mock, $host) = @_;
          return 'https://' . ($host || '127.0.0.1') . ':' . $mock->port }

sub client {
    my ($kind, $key) = @_;

    my $cert = $ca->cert($kind)->{cert};

    $key = $ca->cert($key || $kind)->{key};

    return "agilicus_token_api_ssl_certificate $cert;"
           . "agilicus_token_api_ssl_certificate_key $key;";
}

$_->[4] = place(url($mocks{$_->[0]}, $_->[1])) for @cases;

my %at = (
    plain    => place('https://127.0.0.1:$TEST_NGINX_SERVER_PORT'),
    closed   => place(url($deaf)),
    tls11    => place(url($tls11)),
    tls12    => place(url($tls12)),
    tls13    => place(url($tls13)),
    alpn     => place(url($alpn)),
    closes   => place(url($closes)),
    system   => place(url($mocks{good}), 'agilicus_token_api_ssl_trusted_certificate '
                      . '/etc/ssl/certs/ca-certificates.crt;'),
    any      => place(url($mocks{self_signed}),
                      'agilicus_token_api_ssl_verify off;'),
    none     => place(url($mocks{self_signed})),
    'any-name' => place(url($mocks{wrong_host}),
                        'agilicus_token_api_ssl_verify off;'),
    nobody   => place(url($mutual)),
    edge     => place(url($mutual), client('client')),
    past     => place(url($mutual), client('client_expired')),
    stranger => place(url($mutual), client('client_untrusted')),
    mixed    => place(url($mutual), client('client', 'good')),
);

# an nginx for the certificates and one for all else: each has few enough APIs

my %certificate = map { $_->[4] => 1 } @cases[0 .. 11];

sub edge {
    my $edge = NginxProcess->new(
        worker_connections => 1024,
        http => <<"EOC",
        agilicus_token_api_ssl_trusted_certificate @{[ $ca->file ]};
        agilicus_token_api_breaker off;
        agilicus_token_api_timeout @{[ 3 * $slow ]}s;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
EOC
        config => join('', map { $place{$_} } @_),
    );

    $edge->write_file('html/page', 'page');

    return $edge;
}

my $first = edge(grep { $certificate{$_} } sort keys %place);
my $nginx = edge(grep { !$certificate{$_} } sort keys %place);


# a key that is not that of its certificate

my $checked = $nginx->test_config;

is($checked->{code}, 0, 'certificates and keys can be read')
    or diag $checked->{output};

like($checked->{output}, qr/\[warn\] .*agilicus_token_api_ssl_verify off.*anybody/,
     'not to verify is warned about');

$first->start;
$nginx->start;


sub ask {
    my ($path, $token) = @_;

    my $edge = $certificate{$path} ? $first : $nginx;

    $edge->mark;

    return $edge->get($path, headers => { Authorization => "Bearer $token" },
                       timeout => 10 * $slow);
}

sub why { return HttpClient::header($_[0], 'X-Why') }

my $i = 0;

for my $case (@cases) {
    my ($kind, $host, $status, $logged, $path) = @$case;

    # one line a second says that an API fails

    my $mock = $mocks{$kind};

    $mock->reset;
    my $res = ask($path, 'cert-' . ++$i);

    is($res->{status}, $status, "certificate \"$kind\" for $host");
    is($mock->calls, $status == 200 ? 1 : 0,
       $status == 200 ? 'the API is asked' : 'the token is not sent');
    is(why($res), 'unavailable/tls', 'the reason is known')
        if $status != 200;
}


# what the log says: one line a second at most

for my $case (grep { $_->[3] } @cases) {
    my ($kind, $host, $status, $logged, $path) = @$case;

    select undef, undef, undef, 1.1;
    ask($path, 'logged-' . ++$i);
    my $edge = $certificate{$path} ? $first : $nginx;

    ok($edge->wait_log(qr/\[error\] .*agilicus token: introspect failed: tls.*$logged.*Tokens API "https:/),
       "the log tells about \"$kind\" for $host");
}


is(why(ask($at{plain}, 'to-plain')), 'unavailable/tls',
   'a server without TLS is no API');
is(why(ask($at{closed}, 'to-closed')), 'unavailable/tls',
   'nor one that ends the connection at once');
is(why(ask($at{system}, 'to-system')), 'unavailable/tls',
   'other authorities than those named are not trusted');
is(why(ask($at{tls11}, 'to-11')), 'unavailable/tls', 'TLS 1.1 is too old');
is($tls11->calls, 0, 'and gets no token');
is(ask($at{tls12}, 'to-12')->{status}, 200, 'TLS 1.2 is good');
is(ask($at{tls13}, 'to-13')->{status}, 200, 'TLS 1.3 is good');

is(ask($at{alpn}, 'to-alpn')->{status}, 200, 'an API that offers HTTP/2');
is(($alpn->requests)[0]{version}, '1.1', 'is asked by HTTP/1.1');


# not verified

is(ask($at{any}, 'unverified')->{status}, 200,
   'anybody may answer where nothing is verified');
is(ask($at{'any-name'}, 'unverified')->{status}, 200, 'under any name');
is(why(ask($at{none}, 'unverified')), 'unavailable/tls',
   'that answer is not used where it would be verified');
is(ask($at{any}, 'unverified')->{status}, 200, 'but remembered');

# no name of a file tells the two apart there

my $bare = NginxProcess->new(
    http   => <<"EOC",
        agilicus_token_api @{[ url($mocks{self_signed}) ]};
        agilicus_token_api_breaker off;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
EOC
    config => <<'EOC',
        location = /any { agilicus_token on; agilicus_token_api_ssl_verify off;
                          try_files /page =404; }
        location = /system { agilicus_token on; try_files /page =404; }
EOC
);

$bare->write_file('html/page', 'page');
$bare->start;

is($bare->get('/any', headers => { Authorization => 'Bearer bare-canary' })->{status},
   200, 'without names of authorities, one that is not verified is asked');
is(why($bare->get('/system', headers => { Authorization => 'Bearer bare-canary' })),
   'unavailable/tls', 'and does not count where the system verifies it');
$bare->finish(secrets => [ 'bare-canary' ]);


# sessions

is(ask($at{closes}, "session-$_")->{status}, 200, "connection $_")
    for 1 .. 3;
is(scalar(grep { $_->{resumed} } $closes->connection_list), 2,
   'a session is taken up again');


# client certificates

# with TLS 1.3, the server refuses after the handshake

my $refused = qr{^unavailable/(?:tls|transport)$};

like(why(ask($at{nobody}, 'client-1')), $refused,
     'an API that wants a certificate gets none');
is(ask($at{edge}, 'client-2')->{status}, 200, 'or the one configured');
like((grep { $_->{client} } $mutual->connection_list)[-1]{client}, qr/edge-1/,
     'which it sees');
like(why(ask($at{past}, 'client-3')), $refused, 'one that has expired');
like(why(ask($at{stranger}, 'client-4')), $refused, 'or is not trusted');
is(why(ask($at{mixed}, 'client-5')), 'unavailable/tls',
   'or is not that of the key is of no use');
is($mutual->calls, 1, 'and the token is not sent');

$_->finish(secrets => [ qw(cert- logged- in-between- to- unverified session-
                           client-) ]) for $first, $nginx;


# the master reads a key that no other process can read

SKIP: {
    skip 'not root', 3 if $> != 0;

    my $nobody = NginxProcess->new(
        user => 'nobody nogroup',
        http => "agilicus_token_api_ssl_trusted_certificate @{[ $ca->file ]};",
        config => $place{$at{edge}},
    );

    $nobody->write_file('html/page', 'page');
    $nobody->start;
    $nginx = $nobody;

    my ($worker) = $nobody->workers;

    isnt((stat "/proc/$worker")[4], 0, 'a worker that is not root');
    is(ask($at{edge}, 'nobodys')->{status}, 200,
       'has a key that only root can read');

    $nobody->finish(secrets => [ 'nobodys' ]);
}


# a system without the certificates of authorities

SKIP: {
    skip 'no mounts of its own', 1
        if system('unshare -m mount -t tmpfs none /etc/ssl/certs 2>/dev/null')
           != 0;

    my $bare = NginxProcess->new(
        command => [ 'unshare', '-m', 'sh', '-c',
                     'mount -t tmpfs none /etc/ssl/certs && exec "$@"', 'sh' ],
        config => 'location / { agilicus_token on; }',
    );

    like($bare->try_start, qr/cannot be verified: install the package "ca-certificates"/,
         'is told which package it needs');
}

done_testing();
