use strict;
use warnings;

# Rules that look into the body: which bodies are read, which are not, and that
# upstream gets the very body that the rules have seen.

use Test::More;

use lib 't/lib';

use HttpClient;
use JSON::PP;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestPorts;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();
my $json = JSON::PP->new;

sub rules { return { token => { hosts => [
    { upstream_host => 'app', allowed_list => $json->decode("[$_[0]]") } ] } } }

my $mock = MockAPI->start(
    tokens => {
        user => rules('{"methods":["post","put"],'
                      . '"paths":["/(t|file|unbuffered|large|further)"],"body":{"json":['
                      . '{"name":"u","pointer":"/user","exact_match":"me"}]}}'),
        deep => rules('{"methods":["post"],"paths":["/t"],"body":{"json":['
                      . '{"name":"a","pointer":"/a~1b/0/~0","exact_match":"x"},'
                      . '{"name":"b","pointer":"/there"},'
                      . '{"name":"c","pointer":"/e","exact_match":""}]}}'),
        whole => rules('{"methods":["post"],"paths":["/t"],"body":{"json":['
                       . '{"name":"a","pointer":"","exact_match":"me"}]}}'),
        either => rules('{"methods":["post"],"paths":["/t"],"body":{"json":['
                        . '{"name":"u","pointer":"/user","exact_match":"me"}]}},'
                        . '{"methods":["post"],"paths":["/t","/free"],'
                        . '"query_parameters":[{"name":"q"}],'
                        . '"separate_query":true}'),
        bad => rules(join ',', map { '{"methods":["post"],"paths":["/t"],'
                                     . '"body":{"json":[' . $_ . ']}}' }
            '{"name":"u","exact_match":"me"}',
            '{"name":"u","pointer":"user","exact_match":"me"}',
            '{"name":"u","pointer":"/us~2er","exact_match":"me"}',
            '{"name":"u","pointer":"/user","match_type":"regex","exact_match":".*"}',
            '{"name":"u","pointer":"/user","exact_match":true}',
            '{"name":"u","pointer":"/user","negated":true}',
            '{"pointer":"/user"}', '"/user"'),
    },
    paths => { '/app/t' => { json => {} }, '/app/free' => { json => {} } },
);

my $h2 = $ENV{TEST_NGINX_H2_PORT} = TestPorts::free_port();

my $server = <<'EOC';
        agilicus_token on;
        agilicus_token_rules on host=app;
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
        client_max_body_size 1m;
        location / {
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/app/;
        }
        location = /t {
            client_body_buffer_size 4k;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/app/t;
        }
EOC

my $nginx = NginxProcess->new(
    http => <<"EOC",
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        server {
            listen 127.0.0.1:\$TEST_NGINX_H2_PORT http2;
$server
        }
EOC
    config => $server . <<'EOC',
        location = /unbuffered {
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/app/t;
        }
        location = /large {
            client_body_buffer_size 128k;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/app/t;
        }
        location = /further {
            try_files /nowhere @further;
        }
        location @further {
            rewrite ^ /app/t break;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        }
        location = /file {
            client_body_in_file_only on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/app/t;
        }
        location = /mirrored {
            agilicus_token off;
            mirror /t;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/app/free;
        }
EOC
);

$nginx->start;

my ($why, $body);

sub ask {
    my ($token, $content, %opt) = @_;

    my %headers = (Authorization => "Bearer $token",
                   'Content-Type' => 'application/json',
                   %{ $opt{headers} || {} });

    delete $headers{$_} for grep { !defined $headers{$_} } keys %headers;

    my $path = $opt{path} || '/t';

    $mock->reset;

    my $res = $nginx->request($opt{method} || 'POST', $path,
                              headers => $opt{list} || \%headers,
                              defined $content ? (body => $content) : ());

    $why = HttpClient::header($res, 'X-Why');
    $why = '' if !defined $why;

    my ($got) = grep { $_->{path} =~ m{^/app} } $mock->requests;

    $body = $got ? $got->{body} : undef;

    return $res->{status};
}


sub allowed {
    my ($token, $content, $what, %opt) = @_;

    is(ask($token, $content, %opt), 200, "$what is allowed");
    ok(defined $body && $body eq $content, 'and upstream gets it as it came');
}


sub refused {
    my ($token, $content, $what, %opt) = @_;

    is(ask($token, $content, %opt) . " $why",
       '403 forbidden/' . ($opt{reason} || 'body'), "$what is refused");
    is($body, undef, 'and nothing gets upstream');
}


my $good = '{"user":"me"}';

allowed('user', $good, 'a body with the value');
allowed('user', qq( {\n"other":[1,{}],"user":"m\\u0065","z":null}\n),
        'a body with the value among others, however it is written');
allowed('user', $good, 'another method of the rule', method => 'PUT');

refused('user', $_, "\"$_\"")
    for '{"user":"you"}', '{"user":"me2"}', '{"user":""}', '{"user":null}',
        '{"user":["me"]}', '{"user":{"user":"me"}}', '{"User":"me"}',
        '{"x":{"user":"me"}}', '[{"user":"me"}]', '"me"', '{}', '[]', 'null',
        'user=me', '{"user":"me"', '{"user":"me"}}', '{"user":"me"} {}',
        '{"user":"you","user":"me"}', '{"user":"me","user":"me"}',
        '{"user":"me","USER":"you"}', '{"user":"me",}', "{'user':'me'}",
        '{"user":"me"/**/}', '{"user":"me\\u0000"}', "\xef\xbb\xbf$good",
        "{\"user\":\"me\",\"x\":\"\xff\"}", "{\"user\":\"me\",\"x\":\"\\ud800\"}",
        ' ', "\0", '[' x 2000 . ']' x 2000;

refused('user', undef, 'no body', headers => { 'Content-Length' => 0 });
refused('user', undef, 'no body and no length');

refused('user', $good, 'another method', method => 'DELETE',
        reason => 'method');
refused('user', $good, 'another path', path => '/u', reason => 'path');


# several constraints, and pointers

my $deep = '{"a/b":[{"~":"x"}],"there":"any","e":""}';

allowed('deep', $deep, 'a body that meets all of several constraints');
refused('deep', $_, "\"$_\"")
    for '{"a/b":[{"~":"y"}],"there":"any","e":""}',
        '{"a/b":[{"~":"x"}],"e":""}', '{"a/b":[{"~":"x"}],"there":1,"e":""}',
        '{"a/b":[{"~":"x"}],"there":"any","e":"1"}',
        '{"a/b":{"0":{"~":"y"}},"there":"any","e":""}',
        '{"a":{"b":[{"~":"x"}]},"there":"any","e":""}';

refused('whole', '"me"', 'a constraint on the document as a whole',
        reason => 'rule');
refused('bad', $good, 'a constraint that is not understood', reason => 'rule');


# types that mean JSON, and that upstream takes for JSON, too

allowed('user', $good, "the type \"$_\"", headers => { 'Content-Type' => $_ })
    for 'application/json; charset=utf-8', 'Application/JSON;charset=UTF-8',
        'application/json; charset="utf-8"', 'application/json;v=1';

refused('user', $good, 'the type ' . (defined $_ ? "\"$_\"" : 'that is none'),
        headers => { 'Content-Type' => $_ })
    for undef, '', 'text/plain', 'text/json', 'application/jsonp',
        'application/x-www-form-urlencoded', 'application/problem+json',
        'application/json, text/plain', 'text/plain; application/json',
        'application/json; charset=utf-7', 'application/json;charset=utf-16',
        'application/json; v=1; charset="UTF-16LE"',
        'application/json; charset=utf-8; charset=utf-7',
        'application/json; x="; charset=utf-7',
        'application/json; v=1, application/x-www-form-urlencoded';

my @common = (Authorization => 'Bearer user');

refused('user', $good, 'a type that is said twice',
        list => [ @common, map { ('Content-Type' => $_) } @$_ ])
    for [ 'application/json', 'application/x-www-form-urlencoded' ],
        [ 'application/x-www-form-urlencoded', 'application/json' ],
        [ ('application/json') x 2 ];

refused('user', $good, "the encoding \"$_\"",
        headers => { 'Content-Encoding' => $_ })
    for 'gzip', 'deflate', 'br', 'x', 'identity, deflate';
allowed('user', $good, "the encoding \"$_\"",
        headers => { 'Content-Encoding' => $_ }) for 'identity';
refused('user', $good, 'an encoding that is said twice',
        list => [ @common, 'Content-Type' => 'application/json',
                  'Content-Encoding' => 'identity',
                  'Content-Encoding' => 'deflate' ]);


# how it comes, and how large it is

sub padded {
    my ($size) = @_;
    my $rest = $size - length '{"user":"me","x":""}';

    return '{"user":"me","x":"' . 'y' x $rest . '"}';
}

allowed('user', padded(4096), 'a body that fills the buffer');
refused('user', padded(4097), 'a body that is larger than the buffer');

allowed('user', padded(65536), 'a body of 64 KiB where the buffer is larger',
        path => '/large');
refused('user', padded(65537), 'a larger one', path => '/large');

# what reads it has to end soon

sub many {
    my ($n) = @_;

    return '{"user":"me"' . join('', map { ",\"u$_\":1" } 1 .. $n) . '}';
}

allowed('user', many(3070), 'a body with 3072 values', path => '/large');
refused('user', many(3071), 'one more', path => '/large');

refused('user', $good, 'a body that nginx puts into a file', path => '/file');
allowed('user', $good, 'a body that is not buffered otherwise',
        path => '/unbuffered');
refused('user', '{"user":"you"}', 'another one', path => '/unbuffered');
allowed('user', $good, 'a body that is looked at in two locations',
        path => '/further');
refused('user', '{"user":"you"}', 'another one', path => '/further');

sub chunked {
    my (@chunks) = @_;

    $mock->reset;

    my $res = $nginx->raw(join("\r\n", 'POST /t HTTP/1.1', 'Host: app',
        'Connection: close', 'Authorization: Bearer user',
        'Content-Type: application/json', 'Transfer-Encoding: chunked', '',
        map({ (sprintf('%x', length $_), $_) } @chunks), '0', '', ''));

    return $res->{status} . ' ' . HttpClient::header($res, 'X-Why') . ' '
           . $mock->calls(path => '/app/t');
}

is(chunked($good), '403 forbidden/body 0', 'a body in chunks is not looked at');
is(chunked(), '403 forbidden/body 0', 'nor is one without any');

for my $case ([ 'Content-Length: 13', 'Transfer-Encoding: chunked' ],
              [ 'Content-Length: 13', 'Content-Length: 13' ],
              [ 'Content-Length: +13' ], [ 'Content-Length: 0xd' ])
{
    $mock->reset;

    my $res = $nginx->raw(join("\r\n", 'POST /t HTTP/1.1', 'Host: app',
        'Connection: close', 'Authorization: Bearer user',
        'Content-Type: application/json', @$case, '', $good));

    is($res->{status}, 400, "\"@$case\" is refused by nginx");
    is($mock->calls, 0, 'and the API is not asked');
}


# in pieces, and only as much of it as there is

my $head = join "\r\n", 'POST /t HTTP/1.1', 'Host: app',
    'Authorization: Bearer user', 'Content-Type: application/json';
my $c = $nginx->connect;

$c->send("$head\r\nContent-Length: 13\r\n\r\n");

for my $byte (split //, $good) {
    $c->send($byte);
    select undef, undef, undef, 0.005;
}

is($c->read->{status}, 200, 'a body that comes byte by byte is waited for');

$c->send("$head\r\nContent-Length: 14\r\n\r\n{\"user\":\"you\"}"
         . "$head\r\nContent-Length: 13\r\n\r\n$good");
is($c->read->{status}, 403, 'a second one on the connection is another one');
is($c->read->{status}, 200, 'and so is the third, right behind it');
$c->close;

$c = $nginx->connect;
$c->send("$head\r\nExpect: 100-continue\r\nContent-Length: 13\r\n\r\n");

my $some = '';

for (1 .. 50) {
    $some .= $c->read_some(0.1);
    last if $some =~ /\r\n\r\n/;
}

like($some, qr{^HTTP/1.1 100 }, 'a body that decides is called for');
$c->send($good);
is($c->read->{status}, 200, 'and decides');
$c->close;

$c = $nginx->connect;
$c->send("$head\r\nContent-Length: 13\r\n\r\n{\"user\"");
$c->reset;

$c = $nginx->connect;
(my $other = $head) =~ s/Bearer user/Bearer none/;
$other =~ s/POST/DELETE/;
$c->send("$other\r\nExpect: 100-continue\r\nContent-Length: 13\r\n\r\n");
is_deeply($c->read->{interim}, [], 'a body that decides nothing is not');
$c->close;


# only where it is needed

is(ask('either', 'text', path => '/t?q', headers =>
       { 'Content-Type' => 'text/plain' }), 200,
   'a rule that matches without the body does');
is($body, 'text', 'and the body goes upstream all the same');
allowed('either', $good, 'where it does not, the body');
refused('either', '{"user":"you"}', 'and another one');
is(ask('either', 'x' x 100_000, path => '/free?q',
       headers => { 'Content-Type' => 'text/plain' }), 200, 'a large one too');
is(length $body, 100_000, 'which comes as a whole');


# a subrequest has a body that it does not read

$mock->reset;
is($nginx->request(POST => '/mirrored', body => $good, headers =>
       { Authorization => 'Bearer user', 'Content-Type' => 'application/json' }
   )->{status}, 200, 'what is mirrored is refused apart');
ok($mock->wait_calls(1, path => '/app/free'), 'the page is there');
is($mock->calls(path => '/app/t'), 0, 'and its copy is not');


# HTTP/2

sub curl {
    my ($content, @args) = @_;

    $mock->reset;

    open my $out, '-|', 'curl', '-s', '-o', '/dev/null', '--max-time',
        10 * $slow, '--noproxy', '*', '--http2-prior-knowledge', '-w',
        '%{http_code} %{http_version}', '-H', 'Authorization: Bearer user',
        '-H', 'Content-Type: application/json', '--data-binary', $content,
        @args, "http://127.0.0.1:$h2/t" or die "curl: $!\n";

    my $text = <$out>;

    close $out;

    my ($got) = $mock->requests(path => '/app/t');

    return $text . ' ' . ($got ? $got->{body} : '-');
}

is(curl($good), "200 2 $good", 'a body over HTTP/2');
is(curl('{"user":"you"}'), '403 2 -', 'another one');

# refused before the body has come; what curl makes of that differs

for my $case ([ 'one without a length', 'Content-Length:' ],
              [ 'one that is encoded', 'Content-Encoding: deflate' ])
{
    my ($what, $line) = @$case;

    $nginx->mark;
    like(curl($good, '-H', $line), qr/ -\z/, $what);
    ok($nginx->new_log =~ /rejected: forbidden, body/, 'is refused');
}

$nginx->finish;

done_testing();
