# The way to the API: what is sent, connections that are kept, lost and
# refused, proxies, and an API that is left alone for a while.

use lib 't/lib';
use AgilicusTest;
use File::Temp;
use MockAPI qw(token_json);

my $whole = join '', "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
    'Content-Length: ', length token_json(), "\r\n\r\n", token_json();

my $mock = MockAPI->start(
    tokens => {
        map({ $_ => {} } map { "good-$_" } 1 .. 40),
        reset        => { reset => 1 },
        drop         => { drop => 1 },
        'reset-once' => [ { reset => 1 }, {} ],
        'drop-once'  => [ { drop => 1 }, {} ],
        'reset-cut'  => { cut => 20, end => 'reset' },
        'reset-after' => { end => 'reset', end_delay => 0.05 },
        'close-after' => { end => 'close', end_delay => 0.05 },
        'close-told' => { close => 1 },
        twice        => { pieces => [ $whole, { pause => 0.02 }, $whole ],
                          end => 'keep' },
        'half-head'  => { raw => "HTTP/1.1 200 OK\r\nContent-Le" },
        throttled    => { status => 429, headers => { 'Retry-After' => 20 } },
        odd          => { body => '{}' },
        out          => 503,
    },
    paths => { 'POST /base/v1/tokens/introspect' => {} },
);

my $proxy = MockAPI->start(name => 'PROXY', default => { status => 502 });

stop_with_tests($mock, $proxy);
secrets(qw(edge-credential reset- close- half- throttled-));
free_port('UPSTREAM_PORT');
free_port('V6_PORT');

my $dir = File::Temp->newdir;

$ENV{TEST_NGINX_CREDENTIAL} = "$dir/credential";

open my $fh, '>', $ENV{TEST_NGINX_CREDENTIAL} or die "credential: $!\n";
chmod 0600, $ENV{TEST_NGINX_CREDENTIAL};
print $fh "edge-credential\n";
close $fh;


sub no_v6 {
    require IO::Socket::IP;
    return !IO::Socket::IP->new(LocalHost => '::1', Listen => 1);
}


my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed\n"; }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
EOC

my $config = <<'EOC';
    location /t {
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
EOC

my $control = <<'EOC';
    location /_ {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT;
    }
    location /proxy/ {
        proxy_pass http://127.0.0.1:$TEST_NGINX_PROXY_CONTROL_PORT/;
    }
EOC

# "--- conf" is the configuration of the location

allow_section('conf');

add_block_preprocessor(sub {
    my ($block) = @_;

    my $more = $block->http_config;
    my $conf = $block->conf;
    my $own = $block->config;

    (my $location = $config) =~ s/^(?=\s+proxy_pass)/$conf/m
        if defined $conf;

    $block->set_value(http_config => $http_config
                                     . (defined $more ? $more : ''));
    $block->set_value(config => (defined $conf ? $location : $config)
                                . $control . (defined $own ? $own : ''));
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 3 + 101);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: the token is in the body of the call, and nowhere else
--- request eval
["GET /t", "GET /_requests?token=good-1"]
--- more_headers
Authorization: Bearer good-1
--- response_body_like eval
["passed", '\A(?:(?!good-1).)*"body":"\{\\\\"token\\\\":\\\\"good-1\\\\",'
 . '(?:(?!good-1).)*"token":"good-1"(?:(?!good-1).)*\z']



=== TEST 2: the call is a plain one, with nothing of the client's in it
--- request eval
["GET /t?args=canary-args", "GET /_requests?token=good-2"]
--- more_headers
Authorization: Bearer good-2
Cookie: canary-cookie
Referer: http://canary-referer/
User-Agent: canary-agent
X-Forwarded-For: canary-address
--- response_body_like eval
["passed", '\A(?!.*canary).*"head":"POST /v1/tokens/introspect HTTP/1.1\\\\r\\\\n'
 . 'Host: 127.0.0.1:\d+\\\\r\\\\nUser-Agent: ngx_agilicus_token_module\\\\r\\\\n'
 . '(?!.*(?:Expect|Encoding|Cookie|Referer|Authorization|Forwarded))']



=== TEST 3: options are sent, and all off by default
--- request eval
["GET /t", "GET /_requests?token=good-3"]
--- more_headers
Authorization: Bearer good-3
--- response_body_like eval
["passed", '"introspect_options\\\\":\{\\\\"exclude_roles\\\\":false,'
 . '\\\\"support_http_matchers\\\\":false,\\\\"no_cache\\\\":false\}\}"']



=== TEST 4: options can be set
--- conf
agilicus_token_introspect_options exclude_roles=on no_cache=on;
--- request eval
["GET /t", "GET /_requests?token=good-4"]
--- more_headers
Authorization: Bearer good-4
--- response_body_like eval
["passed", '"introspect_options\\\\":\{\\\\"exclude_roles\\\\":true,'
 . '\\\\"support_http_matchers\\\\":false,\\\\"no_cache\\\\":true\}\}"']



=== TEST 5: the edge's own credential is not for introspection
--- conf
agilicus_token_api_credential $TEST_NGINX_CREDENTIAL;
--- request eval
["GET /t", "GET /_requests?token=good-5"]
--- more_headers
Authorization: Bearer good-5
--- response_body_like eval
["passed", '\A(?!.*(?:Authorization|edge-credential))']



=== TEST 6: the credential goes with introspection where that is wanted
--- conf
agilicus_token_api_credential $TEST_NGINX_CREDENTIAL introspect;
--- request eval
["GET /t", "GET /_requests?token=good-6"]
--- more_headers
Authorization: Bearer good-6
--- response_body_like eval
["passed", 'Authorization: Bearer edge-credential\\\\r\\\\n']
--- no_error_log
edge-credential



=== TEST 7: an API may live under a path
--- conf
agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT/base/;
--- request eval
["GET /_reset", "GET /t", "GET /_calls?path=/v1/tokens/introspect"]
--- more_headers
Authorization: Bearer good-7
--- response_body eval
["ok\n", "passed\n", "0\n"]



=== TEST 8: an API may have an IPv6 address
--- http_config
    server {
        listen [::1]:$TEST_NGINX_V6_PORT;
        location / { proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT; }
    }
--- conf
agilicus_token_api http://[::1]:$TEST_NGINX_V6_PORT;
--- request
GET /t
--- more_headers
Authorization: Bearer good-8
--- response_body
passed
--- no_error_log
[error]
--- skip_eval: 3: main::no_v6()



=== TEST 9: one connection serves one call after the other
--- request eval
["GET /_reset", (map { "GET /t" } 1 .. 4), "GET /_connections"]
--- more_headers eval
["", (map { "Authorization: Bearer good-$_" } 9 .. 12), ""]
--- response_body_like eval
["ok", ("passed") x 4, "^[01]\n\$"]



=== TEST 10: a connection that the API ends is not used again
--- conf
agilicus_token_cache off;
--- request eval
["GET /_reset", "GET /t", "GET /t", "GET /t", "GET /_calls",  "GET /_connections"]
--- more_headers eval
["", (map { "Authorization: Bearer $_" } qw(close-told good-13 good-13)), "", ""]
--- response_body_like eval
["ok", ("passed") x 3, "^3\n\$", "^[12]\n\$"]



=== TEST 11: an idle connection that went away is replaced
--- conf
agilicus_token_cache off;
--- request eval
["GET /_reset", "GET /t", "GET /t", "GET /_calls?token=good-14"]
--- more_headers eval
["", (map { "Authorization: Bearer $_" } qw(close-after good-14)), ""]
--- wait: 0.1
--- response_body eval
["ok\n", "passed\n", "passed\n", "1\n"]



=== TEST 12: a complete answer counts, whatever becomes of its connection
--- conf
agilicus_token_cache off;
--- request eval
["GET /t", "GET /t"]
--- more_headers
Authorization: Bearer reset-after
--- wait: 0.1
--- response_body eval
["passed\n", "passed\n"]



=== TEST 13: a call that was lost before any answer is made once more
--- conf
agilicus_token_cache off;
--- request eval
["GET /_reset", "GET /t", "GET /_calls?token=reset-once", "GET /t", "GET /_calls?token=drop-once"]
--- more_headers eval
["", "Authorization: Bearer reset-once", "", "Authorization: Bearer drop-once", ""]
--- response_body eval
["ok\n", "passed\n", "2\n", "passed\n", "2\n"]



=== TEST 14: a call is made once more and not again
--- http_config
    agilicus_token_api_breaker off;
--- request eval
["GET /_reset", "GET /t", "GET /_calls?token=reset", "GET /t", "GET /_calls?token=drop"]
--- more_headers eval
["", "Authorization: Bearer reset", "", "Authorization: Bearer drop", ""]
--- error_code eval
[200, 503, 200, 503, 200]
--- response_body_like eval
["ok", "503", "^2\n\$", "503", "^2\n\$"]



=== TEST 15: half an answer is none, and nothing is asked again
--- http_config
    agilicus_token_api_breaker off;
--- request eval
["GET /_reset", "GET /t", "GET /_calls?token=reset-cut", "GET /t", "GET /_calls?token=half-head"]
--- more_headers eval
["", "Authorization: Bearer reset-cut", "", "Authorization: Bearer half-head", ""]
--- error_code eval
[200, 503, 200, 503, 200]
--- response_body_like eval
["ok", "503", "^1\n\$", "503", "^1\n\$"]



=== TEST 16: an API that refuses connections is unavailable
--- conf
agilicus_token_api http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
--- request
GET /t
--- more_headers
Authorization: Bearer good-15
--- error_code: 503
--- response_headers
X-Why: unavailable/connect
! WWW-Authenticate
Retry-After: 1



=== TEST 17: proxies of the environment are never asked
--- main_config
    env http_proxy=http://127.0.0.1:$TEST_NGINX_PROXY_PORT;
    env HTTP_PROXY=http://127.0.0.1:$TEST_NGINX_PROXY_PORT;
    env https_proxy=http://127.0.0.1:$TEST_NGINX_PROXY_PORT;
    env all_proxy=http://127.0.0.1:$TEST_NGINX_PROXY_PORT;
    env ALL_PROXY=http://127.0.0.1:$TEST_NGINX_PROXY_PORT;
    env no_proxy=;
--- request eval
["GET /proxy/_reset", "GET /t", "GET /proxy/_connections"]
--- more_headers
Authorization: Bearer good-16
--- response_body eval
["ok\n", "passed\n", "0\n"]



=== TEST 18: a proxy that is configured is asked for the API
--- main_config
    env no_proxy=*;
    env NO_PROXY=*;
--- conf
agilicus_token_api https://127.0.0.1:$TEST_NGINX_MOCK_PORT;
agilicus_token_api_ssl_verify off;
agilicus_token_api_proxy http://127.0.0.1:$TEST_NGINX_PROXY_PORT;
--- request eval
["GET /_reset", "GET /t", "GET /_connections", "GET /proxy/_requests?method=CONNECT"]
--- more_headers
Authorization: Bearer good-17
--- error_code eval
[200, 503, 200, 200]
--- response_body_like eval
["ok", "503", "^0\n\$", '"CONNECT 127.0.0.1:\d+ HTTP/1.1']



=== TEST 19: a proxy can be taken away again
--- http_config
    agilicus_token_api_proxy http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
--- conf
agilicus_token_api_proxy off;
--- request
GET /t
--- more_headers
Authorization: Bearer good-18
--- response_body
passed
--- no_error_log
[error]



=== TEST 20: a proxy that is not there makes the API unavailable
--- conf
agilicus_token_api https://127.0.0.1:$TEST_NGINX_MOCK_PORT;
agilicus_token_api_ssl_verify off;
agilicus_token_api_proxy http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
--- request
GET /t
--- more_headers
Authorization: Bearer good-19
--- error_code: 503
--- response_headers
X-Why: unavailable/connect



=== TEST 21: an API that fails again and again is left alone
--- http_config
    agilicus_token_api_breaker 2 open=60s max=60s;
--- request eval
["GET /_reset", "GET /t", "GET /t", "GET /t", "GET /_calls"]
--- more_headers
Authorization: Bearer out
--- error_code eval
[200, 503, 503, 503, 200]
--- response_headers_like eval
["X-Why: ", "X-Why: unavailable/(?:status|breaker)", "X-Why: unavailable/(?:status|breaker)",
 "X-Why: unavailable/breaker\nRetry-After: (?:[1-5][0-9]|60)", "X-Why: "]
--- response_body_like eval
["ok", "503", "503", "503", "^[02]\n\$"]



=== TEST 22: what is known is used meanwhile
--- http_config
    agilicus_token_api_breaker 1 open=60s max=60s;
--- request eval
[("GET /t") x 3]
--- more_headers eval
[map { "Authorization: Bearer $_" } qw(good-20 out good-20)]
--- error_code eval
[200, 503, 200]
--- response_headers eval
["X-Why: active/", "! WWW-Authenticate", "X-Why: active/"]
--- no_error_log
[crit]



=== TEST 23: an API that says how long it wants to be left alone is
--- http_config
    agilicus_token_api_breaker 100 open=1s max=30s;
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
[map { "Authorization: Bearer $_" } qw(throttled good-21)]
--- error_code eval
[503, 503]
--- response_headers_like eval
["Retry-After: (?:1[5-9]|20)", "X-Why: unavailable/breaker\nRetry-After: (?:1[0-9]|20)"]



=== TEST 24: answers that are unusable for one token do not stop the others
--- http_config
    agilicus_token_api_breaker 1 open=60s max=60s;
--- request eval
[("GET /t") x 4]
--- more_headers eval
[map { "Authorization: Bearer $_" } qw(odd unknown-1 odd good-22)]
--- error_code eval
[503, 401, 503, 200]
--- response_headers eval
["X-Why: unavailable/answer", "X-Why: invalid/unknown", "X-Why: unavailable/answer",
 "X-Why: active/"]



=== TEST 25: two APIs fail apart from each other
--- http_config
    agilicus_token_api_breaker 1 open=60s max=60s;
--- config
    location /other {
        agilicus_token on;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /other", "GET /t"]
--- more_headers
Authorization: Bearer good-23
--- error_code eval
[503, 200]



=== TEST 26: of a token that is asked about nothing is logged but its fingerprint
--- request
GET /t
--- more_headers
Authorization: Bearer out
--- error_code: 503
--- grep_error_log eval
qr/agilicus token: .*/
--- grep_error_log_out eval
[qr/\Aagilicus token: introspect failed: status, status 503, [^,]+, Tokens API "http:\/\/127.0.0.1:\d+", fingerprint ([0-9a-f]{16})\nagilicus token: rejected: unavailable, status, fingerprint \1: introspect: status 503, client: .*\n\z/,
 qr/agilicus token: rejected: unavailable, status, fingerprint [0-9a-f]{16}: introspect: status 503, client: .*\n\z/]
--- no_error_log eval
qr/agilicus token.*Bearer/



=== TEST 27: bytes that come unasked on a kept connection answer no request
--- conf
agilicus_token_cache off;
--- request eval
["GET /_reset", "GET /t", "GET /t", "GET /_calls?token=unknown-2", "GET /t"]
--- more_headers eval
["", (map { "Authorization: Bearer $_" } qw(twice unknown-2 unknown-2 good-24))]
--- wait: 0.1
--- error_code eval
[200, 200, 401, 200, 200]
--- response_body_like eval
["ok", "passed", "401", "^1\n\$", "passed"]
--- no_error_log
[error]
