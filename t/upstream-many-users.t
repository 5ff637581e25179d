use strict;
use warnings;

# Ten thousand requests of many users, on connections that are kept, through
# two workers, to locations that forward, reissue, create or take away: each
# arrives with the token that it must have, and with no other.

use JSON::PP ();
use MIME::Base64 ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpMessage;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestPorts;

$SIG{PIPE} = 'IGNORE';

use constant {
    REQUESTS    => 10_000,
    CONNECTIONS => 40,
    USERS       => 30,
};

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;

# "own.<user>", "child.<org>.<user>", "made.<user>"

my $exp = time + 3600;


sub introspect {
    my ($request) = @_;

    my ($kind, @more) = split /\./, $request->{token};

    return 404 if $kind !~ /^(?:own|child|made)$/;

    return { delay => rand 0.02, token => {
        sub => $more[-1],
        org => $kind eq 'child' ? $more[0] : 'home',
        jti => $request->{token}, exp => $exp, scopes => [ 'a' ] } };
}


sub reissue {
    my ($request) = @_;

    my $body = $json->decode($request->{body});
    my $user = $body->{token} =~ s/^\w+\.//r;

    return { delay => rand 0.02, status => 200,
             json => { token => "child.$body->{org_id}.$user" } };
}


sub create {
    my ($request) = @_;

    return { delay => rand 0.02, status => 201, json => {
             token => 'made.' . $json->decode($request->{body})->{sub} } };
}


my $mock = MockAPI->start(
    default => \&introspect,
    paths   => {
        'POST /v1/tokens/reissue' => \&reissue,
        'POST /v1/tokens'         => \&create,
    },
);

my $app = $ENV{TEST_NGINX_APP_PORT} = TestPorts::free_port();
my $nginx = NginxProcess->new(workers => 2, log_level => 'info',
                              events => 'accept_mutex off;');

chmod 0600, $nginx->write_file('credential', "edge\n");

$nginx->write_file('passwords', join '', map { "u$_:{PLAIN}p$_\n" }
                                         1 .. USERS);

# the application's own nginx, so that many connections are kept open to it

$nginx->configure(
    http => <<'EOC',
        access_log off;
        keepalive_requests 100000;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_credential $TEST_NGINX_PREFIX/credential;
        agilicus_token_api_rate off;
        upstream app { server 127.0.0.1:$TEST_NGINX_APP_PORT; keepalive 32; }
        server {
            listen 127.0.0.1:$TEST_NGINX_APP_PORT;
            location / {
                return 200 "$http_x_n|$http_authorization|$http_cookie|$args|$http_x_user";
            }
        }
        proxy_http_version 1.1;
        proxy_set_header Connection "";

        # nginx is the application too, and takes these headers from any client

        proxy_set_header X-User $http_x_agilicus_sub;
EOC
    config => <<'EOC',
        agilicus_token_source header cookie=sid query=access_token;
        location /forward {
            agilicus_token on;
            agilicus_token_identity_headers on;
            proxy_pass http://app;
        }
        location /north {
            agilicus_token on;
            agilicus_token_identity_headers on;
            agilicus_token_reissue north;
            proxy_pass http://app;
        }
        location ~ ^/org/(?<org>\w+) {
            agilicus_token on;
            agilicus_token_reissue $org;
            proxy_pass http://app;
        }
        location /hidden {
            agilicus_token on;
            agilicus_token_forward off;
            agilicus_token_identity_headers on;
            proxy_pass http://app;
        }
        location /created {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_identity_headers on;
            agilicus_token_create identity=access sub=$remote_user org=home
                                  audiences=a;
            proxy_pass http://app;
        }
        location /created/north {
            auth_basic "known";
            auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_reissue north;
            agilicus_token_create identity=access sub=$remote_user org=home
                                  audiences=a;
            proxy_pass http://app;
        }
        location /redirected {
            agilicus_token on;
            agilicus_token_reissue south;
            error_page 404 = /forward;
        }
EOC
);

$nginx->start;


# [ path, by a password?, the token that upstream gets, and the identity too? ]

my @places = (
    [ '/forward',       0, 'Bearer own.%s',         1 ],
    [ '/north',         0, 'Bearer child.north.%s', 1 ],
    [ '/org/east',      0, 'Bearer child.east.%s',  0 ],
    [ '/org/west',      0, 'Bearer child.west.%s',  0 ],
    [ '/hidden',        0, '',                      1 ],
    [ '/created',       1, 'Bearer made.%s',        1 ],
    [ '/created/north', 1, 'Bearer child.north.%s', 0 ],
    [ '/redirected',    0, 'Bearer own.%s',         1 ],
);


# the bytes of a request, and what the application must say of it

sub request {
    my ($n) = @_;

    my ($path, $password, $token, $named) = @{ $places[ rand @places ] };
    my $user = 'u' . (1 + int rand USERS);
    my $way = $password ? 'password' : qw(header cookie query nobody)[
              rand(20) < 1 ? 3 : rand 3 ];

    my ($args, $headers, $cookie) = ('a=1', '', 'a=1');

    if ($way eq 'password') {
        $headers = 'Authorization: Basic '
            . MIME::Base64::encode_base64("$user:" . $user =~ s/u/p/r, '')
            . "\r\n";

    } elsif ($way eq 'header') {
        $headers = "Authorization: Bearer own.$user\r\n";

    } elsif ($way eq 'cookie') {
        $cookie = "sid=own.$user; a=1";

    } elsif ($way eq 'query') {
        $args = "access_token=own.$user&a=1";
    }

    # a cookie that is forwarded goes as it came; the query's token is sent on
    # as credentials

    my $by = $way eq 'cookie' && $path =~ /forward|redirected/;
    my $expected = $way eq 'nobody' ? undef : join '|', $n,
        $by ? '' : $token =~ s/%s/$user/r,
        $by ? $cookie : 'a=1', $path eq '/redirected' ? '' : 'a=1',
        $named ? $user : '';

    return ("GET $path?$args HTTP/1.1\r\nHost: localhost\r\nX-N: $n\r\n"
            . "Cookie: $cookie\r\nX-Agilicus-Sub: forged\r\n$headers\r\n",
            $expected, "$path, $way");
}


my ($begun, $sent, $done) = (time, 0, 0);
my (%statuses, %served, @wrong, %open);

my $until = $begun + 60 * $slow;


sub next_request {
    my ($conn) = @_;

    @{$conn}{qw(out expected what)} = request(++$sent);
    $conn->{in} = '';
}


for (1 .. CONNECTIONS) {
    my $c = $nginx->connect;
    my $conn = { c => $c, sock => $c->{sock} };

    next_request($conn);
    $open{ fileno $c->{sock} } = $conn;
}

while (%open && time < $until) {
    my ($r, $w) = ('', '');

    vec(length $open{$_}{out} ? $w : $r, $_, 1) = 1 for keys %open;

    next if select($r, $w, undef, 1) <= 0;

    for my $fd (keys %open) {
        my $conn = $open{$fd};

        if (vec $w, $fd, 1) {
            my $n = syswrite $conn->{sock}, $conn->{out};

            substr $conn->{out}, 0, $n, '' if defined $n;
        }

        next if !vec $r, $fd, 1;

        my $n = sysread $conn->{sock}, $conn->{in}, 65536, length $conn->{in};

        if (!$n) {
            push @wrong, "$conn->{what}: the connection ended";
            delete $open{$fd};
            next;
        }

        my ($status, $length, $body) = $conn->{in} =~
            m{^HTTP/1\.1\ (\d+)\ .*?^Content-Length:\ (\d+)\r\n
              .*?\r\n\r\n(.*)}msx or next;

        next if length $body < $length;

        $done++;
        $statuses{$status}++;
        $served{ $conn->{what} }++;

        if (defined $conn->{expected} ? $status != 200
                                        || $body ne $conn->{expected}
                                      : $status != 401)
        {
            push @wrong, "$conn->{what}: $status $body, not "
                . (defined $conn->{expected} ? $conn->{expected} : '401');
        }

        if ($sent < REQUESTS) {
            next_request($conn);

        } else {
            delete $open{$fd};
        }
    }
}

is($done, REQUESTS, 'all were answered');
is(scalar @wrong, 0, 'none arrived with the wrong token');
diag("  $_") for splice @wrong, 0, 10;

cmp_ok($statuses{200} || 0, '>', REQUESTS * 0.9, 'nearly all of them arrived');
cmp_ok($statuses{401} || 0, '>', 50, 'and those without a token did not');
cmp_ok(scalar keys %served, '>=', 24, 'in every way');

# for each user: own and made; and a child of each for each organisation

my $calls = $mock->calls(path => '/v1/tokens/reissue');

cmp_ok($calls, '<=', USERS * 5, 'one call for each token and organisation');
cmp_ok($mock->calls(path => '/v1/tokens', method => 'POST'), '<=', USERS,
       'and for each caller');

diag(sprintf 'took %.1f s', time - $begun) if time - $begun > 30;

$nginx->finish('nginx ends with a clean log');

done_testing();
