use strict;
use warnings;

# Requests as no good client sends them, byte by byte, and what stays of the
# connection afterwards.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();
my $mock = MockAPI->start(default => {});

my $nginx = NginxProcess->new(
    worker_connections => 1024,
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        client_max_body_size 100m;
        client_header_timeout 2s;
        lingering_timeout 2s;
EOC
    config => <<'EOC',
        location / {
            agilicus_token on;
            try_files /page =404;
        }
        location = /echo { return 200 "$request_method\n"; }
        location = /proxied {
            agilicus_token on;
            proxy_request_buffering off;
            proxy_http_version 1.1;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
        }
        location = /buffered {
            agilicus_token on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
        }
        location = /delayed {
            agilicus_token on;
            auth_delay 300ms;
            try_files /page =404;
        }
        location = /free { try_files /page =404; }
        location = /sent { return 200 "<$http_authorization>"; }
        location = /kept {
            agilicus_token on;
            agilicus_token_forward off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/sent;
        }
        location = /unread {
            agilicus_token report;
            agilicus_token_forward off;
            agilicus_token_source cookie=t;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/sent;
        }
        location = /cookie {
            agilicus_token on;
            agilicus_token_source cookie=t;
            try_files /page =404;
        }
        location = /hook { agilicus_token_revocation_hook trusted; }
        location = /cors {
            agilicus_token on;
            agilicus_token_preflight pass;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
        }
EOC
);

$nginx->write_file('html/page', 'page');
$nginx->start;


sub raw { return $nginx->raw(join("\r\n", @_, '', '')) }


# what nginx itself refuses, so that we never see it

my $token = 'Authorization: Bearer tok';

my @refused = (
    [ 'two Authorization lines', "$token-1", "$token-2" ],
    [ 'two equal ones', "$token-3", "$token-3" ],
    [ 'two in different case', "$token-4", "aUTHORIZATION: Bearer tok-4" ],
    [ 'a space before the colon', 'Authorization : Bearer tok-5' ],
    [ 'a line that is folded', 'Authorization: Bearer', ' tok-6' ],
    [ 'a folded line before it', 'X: y', " $token-7" ],
    [ 'a NUL in the token', "$token\0-8" ],
    [ 'a NUL behind it', "$token-9\0" ],
    [ 'a carriage return in the token', "$token\r-10" ],
    [ 'two Host lines', 'Host: b', "$token-11" ],
);

for my $case (@refused) {
    my ($what, @lines) = @$case;

    is(raw('GET / HTTP/1.1', 'Host: a', @lines, 'Connection: close')->{status},
       400, $what);
}

for my $size (8.2, 33) {
    my $res = raw('GET / HTTP/1.1', 'Host: a', 'Connection: close',
                  "$token-" . 'x' x ($size * 1024));

    is($res->{status}, 400, "a header line of $size KiB");
    unlike($res->{bytes}, qr/Bearer/, 'which is nginx\'s own refusal');
}

is($mock->calls, 0, 'the API was asked about none of these');


# RFC 9110, section 5.5: blanks and tabs around a value are no part of it

for my $case (
    [ 'a blank', ' Bearer tok-60', 200 ],
    [ 'no blank', 'Bearer tok-60', 200 ],
    [ 'blanks before', '    Bearer tok-60', 200 ],
    [ 'blanks behind', ' Bearer tok-60   ', 200 ],
    [ 'a tab before', "\tBearer tok-60", 200 ],
    [ 'a tab behind', " Bearer tok-60\t", 200 ],
    [ 'both on both ends', " \t \tBearer  tok-60\t \t ", 200 ],
    [ 'a tab behind the scheme', " Bearer\ttok-60", 400 ],
    [ 'a tab and a blank behind the scheme', " Bearer\t tok-60", 400 ],
    [ 'a blank and a tab behind the scheme', " Bearer \ttok-60", 400 ],
    [ 'a tab within', " Bearer tok\t-60", 400 ],
    [ 'no token between tabs', "\tBearer\t", 400 ],
    [ 'nothing but tabs', "\t\t", 401 ],
    [ 'a vertical tab', "\x0bBearer tok-60", 401 ],
    [ 'another scheme behind a tab', "\tBasic eA==", 401 ],
) {
    my ($what, $value, $status) = @$case;

    is(raw('GET / HTTP/1.1', 'Host: a', "Authorization:$value",
           'Connection: close')->{status}, $status,
       "around a value: $what");
}

for my $path (qw(/kept /unread)) {
    is(raw("GET $path HTTP/1.1", 'Host: a', "Authorization:\tBearer tok-60\t",
           'Connection: close')->{body}, '<>',
       "$path: a token behind a tab does not go upstream");
}

is(raw('GET /cookie HTTP/1.1', 'Host: a', "Cookie:\ta=b;\tt=tok-61\t",
       'Connection: close')->{status}, 200, 'tabs around a cookie');

for my $type ("\tapplication/json", "application/json\t",
              "\t application/json\t ;\tcharset=utf-8\t") {
    is($nginx->raw("POST /hook HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                   . "Content-Type:$type\r\nContent-Length: 13\r\n\r\n"
                   . '{"jti":["x"]}')->{status}, 204,
       'tabs around a content type');
}

for my $case ([ 'with both', 'x', 'GET', 200 ],
              [ 'with tabs around them', "\tx\t", "\tGET\t", 200 ],
              [ 'with nothing but a tab for Origin', "\t", 'GET', 401 ],
              [ 'with nothing but a tab for the method', 'x', " \t ", 401 ]) {
    my ($what, $origin, $method, $status) = @$case;

    is(raw('OPTIONS /cors HTTP/1.1', 'Host: a', "Origin:$origin",
           "Access-Control-Request-Method:$method", 'Connection: close')
       ->{status}, $status, "a preflight $what");
}


# old clients

my $res = raw('GET / HTTP/1.0');

is($res->{status}, 401, 'HTTP/1.0 without Host and token');
is(HttpClient::header($res, 'WWW-Authenticate'), 'Bearer realm="agilicus"',
   'is asked for one');
is(raw('GET / HTTP/1.0', "$token-20")->{status}, 200,
   'HTTP/1.0 with a token');

$res = $nginx->raw("GET /\r\n", timeout => 2 * $slow, until_close => 1);
unlike($res->{bytes}, qr/page/, 'HTTP/0.9 does not get the page');

$res = raw('GET http://a/ HTTP/1.1', 'Host: b', 'Connection: close',
           "$token-21");
is($res->{status}, 200, 'an absolute target');

for my $method (qw(TRACE CONNECT)) {
    $res = raw("$method / HTTP/1.1", 'Host: a', "$token-22",
               'Connection: close');
    unlike($res->{status}, qr/^2/, "$method is not allowed");
}


# line by line, byte by byte

my $c = $nginx->connect;

for my $byte (split //, "GET / HTTP/1.1\r\nHost: a\r\n$token-23\r\n\r\n") {
    $c->send($byte);
}

is($c->read->{status}, 200, 'a header that comes byte by byte');
$c->close;

$c = $nginx->connect;
$c->send("GET / HTTP/1.1\nHost: a\n$token-24\nConnection: close\n\n");
is($c->read->{status}, 200, 'lines that end in a line feed alone');


# one connection, many requests

$c = $nginx->connect;

my @steps = (
    [ HEAD => undef, 401 ], [ GET => 'tok-30', 200 ], [ HEAD => 'a', 200 ],
    [ GET => undef, 401 ],  [ POST => undef, 401, 'x' x 1000 ],
    [ GET => 'tok-30', 200 ], [ DELETE => undef, 401 ],
    [ POST => undef, 401, 'x' x 100_000 ], [ GET => 'tok-30', 200 ],
);

for my $step (@steps) {
    my ($method, $bearer, $status, $body) = @$step;

    $res = $c->request($method => '/', body => $body,
                       headers => $bearer
                       ? { Authorization => "Bearer $bearer" } : {});
    is($res->{status}, $status, "$method, in step");
}

$res = $c->request(GET => '/', headers => { Authorization => 'Bearer a b' });
is($res->{status}, 400, 'a malformed token');
ok($c->closed(1 * $slow), 'ends the connection, as nginx does with any 400');

$c = $nginx->connect;
$c->send(join '', map { "GET / HTTP/1.1\r\nHost: a\r\n"
                        . ($_ % 2 ? "$token-40-$_\r\n" : '') . "\r\n" }
                  1 .. 20);

is(join(' ', map { $c->read->{status} } 1 .. 20),
   join(' ', (200, 401) x 10), 'twenty requests at once, in order');
$c->close;

# a request within the body of a refused one

$c = $nginx->connect;

my $inner = "GET / HTTP/1.1\r\nHost: a\r\n$token-41\r\n\r\n";

$c->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " . length($inner)
         . "\r\n\r\n$inner");
is($c->read->{status}, 401, 'a body that looks like a request');
is($c->read_some(0.2), '', 'is none');
$c->close;
is($mock->calls(token => 'tok-41'), 0, 'and the API is not asked about it');

$c = $nginx->connect;
$c->send("POST /proxied HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
         . "\r\n5\r\nab");
is($c->read->{status}, 401, 'a chunked body that has not come yet');
$c->send("cde\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n$token-42\r\n\r\n");
$res = $c->read(timeout => 1);
ok($res->{error} || $res->{status} == 200,
   'is read to its end, or the connection is ended');
$c->close;


# a large body that waits for leave

$c = $nginx->connect;
$c->send("POST /proxied HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
         . "Authorization: Bearer a b\r\nContent-Length: 10485760\r\n\r\n");
$res = $c->read;
is($res->{status}, 400, 'a body is not called for where it is refused');
is_deeply($res->{interim}, [], 'not even in between');
$c->close;

$c = $nginx->connect;
$c->send("POST /buffered HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
         . "$token-43\r\nContent-Length: 3\r\n\r\n");

my $some = '';

for (1 .. 50) {
    $some .= $c->read_some(0.1);
    last if $some =~ /\r\n\r\n/;
}

like($some, qr{^HTTP/1.1 100 }, 'it is where it is allowed');
$c->send('abc');
is($c->read->{status}, 200, 'and passed on');
$c->close;


# refusals that are held back do not hold back others

my $begun = time;
my @res = $nginx->many([
    (map { { path => '/delayed' } } 1 .. 100),
    map { { path => '/free', delay => 0.01 * $_ } } 1 .. 10
]);

is(scalar(grep { $_->{status} != 401 || $_->{latency} < 0.25 } @res[0 .. 99]),
   0, 'a hundred refusals are delayed');
is(scalar(grep { $_->{status} != 200 || $_->{latency} > 0.25 * $slow }
          @res[100 .. 109]), 0, 'and no request waits for them');
cmp_ok(time - $begun, '<', 3 * $slow, 'they are delayed at the same time');

$res = $nginx->get('/delayed', headers => { Authorization => 'Bearer tok-44' });
is($res->{status}, 200, 'a good token is not');
cmp_ok($res->{latency}, '<', 0.25 * $slow, 'delayed');

is($nginx->get('/', headers => { Authorization => 'Bearer tok-45' })->{status},
   200, 'all is well afterwards');

$nginx->finish(secrets => [ 'tok-' ]);


# an error page of what nginx itself refuses

$nginx = NginxProcess->new(
    http => 'agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;',
    config => <<'EOC',
        agilicus_token on;
        error_page 400 =200 /page;
        location / { try_files $uri =404; }
EOC
);

$nginx->write_file('html/page', 'page');
$nginx->start;

for my $case ([ 'two Authorization lines', "$token-50", "$token-51" ],
              [ 'a second one of another kind', "$token-52",
                'Authorization: Basic eA==' ],
              [ 'a first one of another kind', 'Authorization: Basic eA==',
                "$token-53" ])
{
    my ($what, @lines) = @$case;

    $res = raw('GET / HTTP/1.1', 'Host: a', @lines, 'Connection: close');

    is($res->{status}, 400, "$what are not good for the error page");
    unlike($res->{body}, qr/^page/, 'which is not shown');
}

is(raw('GET / HTTP/1.1', "$token-54", 'Host: a', 'Host: b',
       'Connection: close')->{status}, 200, 'one is');

$nginx->finish(secrets => [ 'tok-' ]);


# a line that nginx cannot read is logged as it came, but for the token; where
# the error log has it too, nginx has taken the line already

$nginx = NginxProcess->new(
    log_level => 'notice',
    http => 'agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;',
    config => <<'EOC',
        agilicus_token on;
        agilicus_token_source query=t;
EOC
);

$nginx->start;

my @lines = (
    [ 'GET /a?t=tok-60&b=1 HTTP/9.9', 'GET /a?b=1 HTTP/9.9' ],
    [ 'GET /b?t=tok-61 HTTP/1.1 x', 'GET /b HTTP/1.1 x' ],
    [ 'GET /c?t=tok-62 x', 'GET /c x' ],
    [ 'get /d?t=tok-63 HTTP/1.1', 'get /d HTTP/1.1' ],
    [ 'GET e?t=tok-64 HTTP/1.1', 'GET e HTTP/1.1' ],
    [ "GET /f?t=tok-65\0 HTTP/1.1", 'GET /f HTTP/1.1' ],
    [ "GET /g?b=\1&t=tok-66 HTTP/1.1", 'GET /g?b=\x01 HTTP/1.1' ],
    [ 'GET /h?b=1 x', 'GET /h?b=1 x' ],
);

raw($_->[0], 'Host: a') for @lines;

my $access = '';

for (1 .. 100) {
    $access = NginxControl::slurp($nginx->prefix . '/logs/access.log');
    last if ($access =~ tr/\n//) == @lines;
    sleep 0.05;
}

like($access, qr/"\Q$_->[1]\E" [45]/, "logged: $_->[1]") for @lines;
unlike($access, qr/tok-/, 'without any token');

$nginx->finish(secrets => [ 'tok-' ]);

done_testing();
