use strict;
use warnings;

# Rules and request targets as no good client sends them, byte by byte: what is
# checked is what upstream acts on, and what can be read in two ways is refused.

use Test::More;

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestPorts;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();

sub rules {
    my ($host, @paths) = @_;

    return { upstream_host => $host, allowed_list => [
        { methods => [ 'get' ], paths => \@paths, separate_query => \1 } ] };
}

my $mock = MockAPI->start(
    tokens => {
        every  => { token => { hosts => [ rules('app', '/.*') ] } },
        # a path with "admin" in it is not allowed, however it is spelt
        public => { token => { hosts => [ rules('app', '/public/.*', '/') ] } },
        text   => { token => { hosts => [ rules('app', "/caf\x{e9}/a b",
                                                '/a;b/c=d', '/%') ] } },
        sheets => { token => { hosts => [
            rules('app', '/static/.*[.]css', '/named;v=1/x') ] } },
        hosts  => { token => { hosts => [
            rules('app.example', '/.*'), rules('::1', '/v6'),
            rules('[::2]', '/v6'), rules('xn--bcher-kva.example', '/.*'),
        ] } },
        ssi    => { token => { hosts => [ rules('app', '/page',
                                                '/part/one', '/part/a b') ] } },
    },
);

my $upstream = $ENV{TEST_NGINX_UPSTREAM_PORT} = TestPorts::free_port();
my $h2 = $ENV{TEST_NGINX_H2_PORT} = TestPorts::free_port();

my $server = <<'EOC';
        server_name app.example;
        agilicus_token on;
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
        location / {
            agilicus_token_rules on;
            proxy_set_header Host $host;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
EOC

my $nginx = NginxProcess->new(
    http => <<"EOC",
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        server {
            listen 127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;
            merge_slashes off;
            location / { return 200 "\$host \$request_uri\\n"; }
            location = /page {
                default_type text/html;
                return 200 '[<!--#include virtual="\$arg_part" -->]';
            }
        }
        server {
            listen 127.0.0.1:\$TEST_NGINX_H2_PORT http2;
$server
        }
EOC
    config => $server . <<'EOC',
        location /t/ {
            agilicus_token_rules on host=app;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
        }
        location /loose/ {
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
        }
        location ~ "^/(?:public|admin|caf|a;b|%)" {
            agilicus_token_rules on host=app;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
        location = /page {
            agilicus_token_rules on host=app;
            ssi on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
        location /part {
            agilicus_token_rules on host=app;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
EOC
);

$nginx->start;


sub ask {
    my ($token, $target, @lines) = @_;

    @lines = ('Host: app.example') if !@lines;

    my $res = $nginx->raw(join "\r\n", "GET $target HTTP/1.1", @lines,
                          "Authorization: Bearer $token", 'Connection: close',
                          '', '');

    my $why = HttpClient::header($res, 'X-Why');

    return $res->{status} == 200 ? "200 $res->{body}"
           : "$res->{status} " . (defined $why ? $why : '-');
}


sub shown {
    my ($text) = @_;

    $text =~ s/([^\x21-\x7e])/sprintf '\\x%02x', ord $1/ge;

    return $text;
}


# paths that two readers could read differently

my @unclear = (
    '//admin', '/public//x', '/public//', '/./admin', '/public/.', '/public/./',
    '/public/..', '/public/../admin', '/public/../../admin', '/..', '/.',
    '/public/%2e%2e/admin', '/public/%2E%2e/admin', '/public/.%2e/admin',
    '/public/%2e/x', '/public/..%2fadmin', '/public%2fx', '/public/%2Fx',
    '/public/..\\admin', '/public\\x', '/public/..%5cadmin', '/public/%5Cx',
    '/public/..;/admin', '/public/..;x/admin', '/public/..;x=y;z/admin',
    '/public/.;/x', '/public/..%3b/admin', '/public/%2e%2e;/admin',
    '/public/;/admin', '/public/;x',
    '/public/%252e%252e/admin', '/public/%252fx', '/public/%25%32%65',
    '/public/%2500', '/public/x%00', '/public/x%0a', '/public/x%0d%0a',
    '/public/x%09', '/public/x%1f', '/public/x%7f', '/public/x%3fy',
    '/public/%c0%ae%c0%ae/admin', '/public/%e0%80%ae', '/public/%ff',
    '/public/%ed%a0%80', '/public/%f4%90%80%80', "/public/\xc0\xae",
    "/public/\xff", "/public/\x7f", '/public/x#y',
);

for my $target (@unclear) {
    like(ask('public', $target), qr{^403 forbidden/path$|^400 },
         shown($target) . ' is refused');
    like(ask('every', $target), qr{^403 forbidden/path$|^400 },
         'also where everything is allowed');
}

for my $target (map { "/t$_" } '//x', '/%2e/x', '/..;/x', '/a%2fb') {
    is(ask('every', $target), '403 forbidden/path', "$target, with another "
       . 'path upstream');
}

like(ask('every', '/public/%u002e/'), qr/^40[03] /, 'escapes that are none');
like(ask('every', '/public/%zz'), qr/^40[03] /, 'and others');
like(ask('every', '/public/%'), qr/^40[03] /, 'and what is left of one');
like(ask('every', '/public/%2'), qr/^40[03] /, 'or two');


# there are readers that drop the parameters of a segment

for my $target ('/static/secret;.css', '/static/secret%3b.css', '/named/x',
                '/named;v=2/x')
{
    is(ask('sheets', $target, 'Host: app'), '403 forbidden/path',
       "$target is refused");
}

for my $target ('/static/a.css', '/static/a.css;v=1.css', '/named;v=1/x') {
    like(ask('sheets', $target, 'Host: app'), qr/^200 /,
         "$target is allowed");
}


# without rules, what nginx makes of a path counts

is(ask('every', '/loose/a%2fb//c/..;/'), "200 127.0.0.1 /a/b/c/..;/\n",
   'where there are no rules, none of this is refused');


# paths that every server reads in the same way

my %clear = (
    '/public/' => 'public', '/public/a.b..c' => 'public',
    '/public/.x/...' => 'public', '/public/%20' => 'public',
    '/public/%61' => 'public', '/public/%c3%a9' => 'public',
    "/public/\xc3\xa9" => 'public', '/public/a;b' => 'public',
    '/public/a:b@c!$\'()*+,=' => 'public', '/public/%25' => 'public',
    '/public/%25x' => 'public', '/public/%23' => 'public',
    '/public/x?../..//;%00' => 'public', '/public/x?' => 'public',
    '/caf%C3%A9/a%20b' => 'text', '/a;b/c=d' => 'text', '/%61;b/c=d' => 'text',
    '/%25' => 'text',
);

for my $target (sort keys %clear) {
    is(ask($clear{$target}, $target), "200 127.0.0.1 $target\n",
       shown($target) . ' is allowed, and goes upstream as it is');
}

is(ask('public', '/%70ublic/x'), "200 127.0.0.1 /%70ublic/x\n",
   'an escape stands for its character');
is(ask('public', '/admin'), '403 forbidden/path', 'what no rule allows is not');
is(ask('public', '/%61dmin'), '403 forbidden/path', 'however it is escaped');
is(ask('public', '/admin?/public/x'), '403 forbidden/path',
   'nor with a path in the query');
is(ask('public', '/publicx'), '403 forbidden/path', 'nor what begins like it');
is(ask('public', '/public/x?y=%zz#z'), '403 forbidden/path',
   'a fragment behind the query has no meaning here');
is(ask('public', '/public/' . 'x' x 8000), "200 127.0.0.1 /public/"
   . 'x' x 8000 . "\n", 'a long path');


# of other forms, and from other hosts

my @hosts = (
    # target, Host, status and reason or what upstream is told
    [ '/a', 'app.example' => '200 app.example /a' ],
    [ '/a', 'APP.Example' => '200 app.example /a' ],
    [ '/a', 'app.example:8080' => '200 app.example /a' ],
    [ '/a', 'app.example.' => '200 app.example /a' ],
    [ '/a', 'App.Example.:8080' => '200 app.example /a' ],
    [ '/a', 'other.example' => '403 forbidden/host' ],
    [ '/a', 'app.example.evil' => '403 forbidden/host' ],
    [ '/a', 'evilapp.example' => '403 forbidden/host' ],
    [ '/a', 'app.example..' => '4' ],
    [ '/a', 'x.app.example' => '403 forbidden/host' ],
    [ '/a', 'app' => '403 forbidden/host' ],
    [ '/a', 'app.example@evil' => '4' ],
    [ '/a', 'evil@app.example' => '4' ],
    [ '/a', 'app.example/evil' => '4' ],
    [ '/a', 'app.example,evil' => '4' ],
    [ '/a', 'app.example evil' => '4' ],
    [ '/a', 'app.example%00' => '4' ],
    [ '/a', "app.example\0" => '4' ],
    [ '/a', '' => '4' ],
    [ '/a', ':80' => '4' ],
    [ '/a', "b\xc3\xbccher.example" => '4' ],
    [ '/a', 'xn--bcher-kva.example' => '200 xn--bcher-kva.example /a' ],
    [ '/a', 'XN--BCHER-KVA.example' => '200 xn--bcher-kva.example /a' ],
    [ '/v6', '[::2]' => '200 [::2] /v6' ],
    [ '/v6', '[::2]:80' => '200 [::2] /v6' ],
    [ '/v6', '[::3]' => '403 forbidden/host' ],
    [ 'http://app.example/a', 'app.example' => '200 app.example /a' ],
    [ 'http://app.example/a', 'other.example' => '400 malformed/host' ],
    [ 'http://app.example/a', 'app.example.evil' => '400 malformed/host' ],
    [ 'http://app.example/a', 'app' => '400 malformed/host' ],
    [ 'http://app.example/a', 'APP.Example.:80' => '200 app.example /a' ],
    [ 'http://app.example:80/a', 'app.example' => '200 app.example /a' ],
    [ 'https://app.example/a', 'app.example:443' => '200 app.example /a' ],
    [ 'https://app.example/a', 'app.example:80' => '400 malformed/host' ],
    [ 'http://app.example/a', 'app.example:81' => '400 malformed/host' ],
    [ 'HTTP://APP.example:1/a', 'app.example:1' => '200 app.example /a' ],
    [ 'HTTP://APP.example:1/a', 'app.example' => '400 malformed/host' ],
    [ 'HTTP://APP.example:1/a', 'app.example:2' => '400 malformed/host' ],
    [ 'http://other.example/a', 'app.example' => '400 malformed/host' ],
    [ 'http://other.example/a', 'other.example' => '403 forbidden/host' ],
    [ 'http://app.example./a?b', 'app.example' => '200 app.example /a?b' ],
    [ 'http://app.example', 'app.example' => '200 app.example /' ],
    [ 'http://app.example', 'other' => '400 malformed/host' ],
    [ 'http://[::2]/v6', '[::2]' => '200 [::2] /v6' ],
    [ 'http://[::2]/v6', '[::3]' => '400 malformed/host' ],
    [ 'http://app.example?x', 'app.example' => '4' ],
    [ 'http://app.example//a', 'app.example' => '403 forbidden/path' ],
    [ 'http://app.example/../a', 'app.example' => '4' ],
    [ 'http://app.example/b/../a', 'app.example' => '403 forbidden/path' ],
    [ '/', 'app.example' => '200 app.example /' ],
    [ 'http://evil@app.example/a', 'app.example' => '4' ],
    [ 'http:///a', 'app.example' => '4' ],
    [ 'app.example/a', 'app.example' => '4' ],
    [ '*', 'app.example' => '4' ],
    [ '?x', 'app.example' => '4' ],
);

for my $case (@hosts) {
    my ($target, $host, $expected) = @$case;
    my $got = ask('hosts', $target, "Host: $host");

    $got =~ s/\n\z//;

    if ($expected eq '4') {
        like($got, qr/^4\d\d /, shown("$target from \"$host\"")
             . ' is not allowed');

    } else {
        is($got, $expected, shown("$target from \"$host\""));
    }
}

is(ask('hosts', '/a', 'Host: app.example', 'Host: app.example'), '400 /',
   'two hosts are one too many');
is(ask('hosts', '/a', 'X: y'), '400 /', 'and HTTP/1.1 wants one');

my $res = $nginx->raw("GET /a HTTP/1.0\r\nAuthorization: Bearer hosts\r\n\r\n");

is($res->{status} . ' ' . HttpClient::header($res, 'X-Why'),
   '403 forbidden/host', 'HTTP/1.0 without one is no host of a server\'s name');

for my $case ([ 'HTTP/1.0', '400 malformed/host' ],
              [ "HTTP/1.0\r\nHost: app.example", '200 active/' ],
              [ "HTTP/1.0\r\nHost: other", '400 malformed/host' ]) {
    my ($rest, $expected) = @$case;

    $res = $nginx->raw("GET http://app.example/a $rest\r\n"
                       . "Authorization: Bearer hosts\r\n\r\n");

    is($res->{status} . ' ' . HttpClient::header($res, 'X-Why'), $expected,
       'an absolute target, ' . shown($rest));
}

$res = $nginx->raw("GET http://app.example/loose/ HTTP/1.1\r\nHost: other\r\n"
                   . "Connection: close\r\nAuthorization: Bearer hosts"
                   . "\r\n\r\n");

is($res->{status}, 200, 'without rules, two hosts are as nginx takes them');

is(ask('hosts', '/a', 'Host: other.example', map { "$_: app.example" }
       qw(X-Forwarded-Host X-Host X-Forwarded-Server X-Original-Host)),
   '403 forbidden/host', 'other lines do not say which host it is');


# HTTP/2

sub curl {
    my ($path, @args) = @_;

    open my $out, '-|', 'curl', '-s', '-i', '--max-time', 10 * $slow,
        '--noproxy', '*', '--path-as-is', '--http2-prior-knowledge', '-H',
        'Authorization: Bearer hosts', @args, "http://127.0.0.1:$h2$path"
        or die "curl: $!\n";
    local $/;
    my $text = <$out>;
    close $out;

    my ($status) = $text =~ m{^HTTP/2 (\d+)};
    my ($why) = $text =~ /^x-why: (\S+)/mi;

    return join ' ', grep { defined } $status, $why;
}

is(curl('/a', '-H', 'Host: app.example'), '200 active/', 'HTTP/2');
is(curl('/a', '-H', 'Host: APP.example:1'), '200 active/', 'in any case');
is(curl('/a', '-H', 'Host: other.example'), '403 forbidden/host',
   'another host over HTTP/2');
for my $host (qw(other.example app.example)) {
    open my $out, '-|', 'nghttp', '-v', '-t', 10 * $slow,
        '-H', ':authority: app.example', '-H', "host: $host",
        '-H', 'Authorization: Bearer hosts', "http://127.0.0.1:$h2/a"
        or die "nghttp: $!\n";
    my $text = do { local $/; <$out> };
    close $out;

    my ($status) = $text =~ /:status: (\d+)/;

    is($status, 400, "app.example and $host over HTTP/2")
        if $host ne 'app.example' || $status ne '200';
}

is(curl($_, '-H', 'Host: app.example'), '403 forbidden/path', "$_ over HTTP/2")
    for '/public/../a', '//a', '/a%2fb', '/a/..;/b';


# a part of a page has a path of its own

is(ask('ssi', '/page?part=/part/one'), "200 [127.0.0.1 /part/one\n]",
   'a part that a rule allows');
is(ask('ssi', '/page?part=/part/a%20b'), "200 [127.0.0.1 /part/a%20b\n]",
   'one that is escaped');
like(ask('ssi', "/page?part=$_"), qr/^200 \[.*403 Forbidden/s,
     "the part $_ is refused")
    for '/part/two', '/part/one/x', '/part/one%3Fx', '/part/%2Fone';
like(ask('every', '/page?part=/part/one'), qr/^200 \[127/,
     'where everything is allowed, so is a part');

$nginx->finish;

done_testing();
