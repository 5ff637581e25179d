# "agilicus_token_preflight pass", which lets in what a browser asks by itself
# and nothing else; and "agilicus_token_resource_metadata" in challenges.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $mock = MockAPI->start(
    tokens => {
        map({ ("good-$_" => {}) } 1 .. 20),
        out => 503,
    },
);

stop_with_tests($mock);
secrets(qw(good- unknown-));
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / {
            add_header Access-Control-Allow-Origin *;
            return 200 "passed $request_method [$http_authorization]\n";
        }
        location = /no { return 403; }
        location = /yes { return 204; }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_breaker off;
    add_header X-Why "[$agilicus_token_verdict$agilicus_token_reason$agilicus_token_sub]" always;
EOC

my $preflight = "Origin: http://app.example\n"
                . "Access-Control-Request-Method: PUT\n";

add_block_preprocessor(sub {
    my ($block) = @_;

    my $text = $block->config;
    my $headers = $block->more_headers;

    $text =~ s{UP;}{proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;}g;

    $block->set_value(http_config => $http_config);
    $block->set_value(config => $text);
    $block->set_value(user_files => ">>> page.html\npage\n");

    return if !defined $headers;

    s/^PREFLIGHT$/$preflight/mg for ref $headers ? @$headers : $headers;
    s/\n+/\n/g for ref $headers ? @$headers : $headers;
    $block->set_value(more_headers => $headers);
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 2 + 63);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a preflight is let through, and nothing is decided about it
--- config
    location /t { agilicus_token on; agilicus_token_preflight pass; UP; }
--- request
OPTIONS /t
--- more_headers
PREFLIGHT
--- response_headers
X-Why: []
Access-Control-Allow-Origin: *
! WWW-Authenticate
! Cache-Control
--- response_body
passed OPTIONS []



=== TEST 2: by default a preflight needs a token as anything
--- config
    location /t { agilicus_token on; UP; }
    location /u { agilicus_token on; agilicus_token_preflight check; UP; }
--- request eval
["OPTIONS /t", "OPTIONS /u"]
--- more_headers eval
[("PREFLIGHT") x 2]
--- error_code eval
[401, 401]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\"") x 2]



=== TEST 3: what is no preflight is let through by nothing
--- config
    location ~ ^/t { agilicus_token on; agilicus_token_preflight pass; UP; }
--- request eval
["OPTIONS /t", "OPTIONS /t", "OPTIONS /t", "OPTIONS /t", "OPTIONS /t", "OPTIONS /t", "GET /t", "POST /t\nx", "HEAD /t",
 "PUT /t\nx", "BREW /t", "OPTIONSX /t", "XOPTIONS /t"]
--- more_headers eval
["", "Origin: http://x", "Access-Control-Request-Method: PUT", "Origin: \nAccess-Control-Request-Method: PUT",
 "Origin: http://x\nAccess-Control-Request-Method:", "X-Origin: http://x\nAccess-Control-Request-Methods: PUT",
 ("PREFLIGHT") x 7]
--- error_code eval
[(401) x 13]
--- response_body_unlike eval
[("passed") x 13]



=== TEST 4: header names are found in any case
--- config
    location /t { agilicus_token on; agilicus_token_preflight pass; UP; }
--- request
OPTIONS /t
--- more_headers
ORIGIN: null
access-control-request-method: x
--- response_body
passed OPTIONS []



=== TEST 5: a preflight with a token is checked as any request
--- config
    location /t { agilicus_token on; agilicus_token_preflight pass; agilicus_token_require_scopes $arg_scope; UP; }
--- request eval
["OPTIONS /t?scope=urn:agilicus:users:owner", ("OPTIONS /t?scope=more") x 5]
--- more_headers eval
[map { "PREFLIGHT\nAuthorization: $_" } "Bearer good-1", "Bearer good-1", "Bearer unknown-1", "Bearer a b", "Bearer", "Bearer out"]
--- error_code eval
[200, 403, 401, 400, 400, 503]
--- response_body_like eval
["^passed OPTIONS \\[Bearer good-1\\]", "403", "401", "400", "400", "503"]



=== TEST 6: credentials of another scheme are no token
--- config
    location /t { agilicus_token on; agilicus_token_preflight pass; UP; }
--- request
OPTIONS /t
--- more_headers
PREFLIGHT
Authorization: Basic dTpw
--- response_body
passed OPTIONS [Basic dTpw]



=== TEST 7: tokens in other places count too, where they may stand there
--- config
    location /t { agilicus_token on; agilicus_token_preflight pass; agilicus_token_source header query=q cookie=c; UP; }
--- request eval
["OPTIONS /t?q=unknown-2", "OPTIONS /t?q=", "OPTIONS /t", "OPTIONS /t", "OPTIONS /t?x"]
--- more_headers eval
["PREFLIGHT", "PREFLIGHT", "PREFLIGHT\nCookie: c=unknown-2", "PREFLIGHT\nCookie: c=good-2", "PREFLIGHT\nCookie: d=e"]
--- error_code eval
[401, 400, 401, 200, 200]



=== TEST 8: other modules are asked all the same
--- config
    location /denied { agilicus_token on; agilicus_token_preflight pass; deny all; UP; }
    location /asked { agilicus_token on; agilicus_token_preflight pass; auth_request /no; UP; }
    location = /no { internal; UP; }
    location /any { satisfy any; deny all; agilicus_token on; agilicus_token_preflight pass; UP; }
--- request eval
["OPTIONS /denied", "OPTIONS /asked", "OPTIONS /any"]
--- more_headers eval
[("PREFLIGHT") x 3]
--- error_code eval
[403, 403, 200]



=== TEST 9: rules and requirements are for tokens
--- config
    location /t { agilicus_token on; agilicus_token_preflight pass; agilicus_token_rules on; agilicus_token_require_org none; UP; }
--- request eval
["OPTIONS /t", "OPTIONS /t"]
--- more_headers eval
["PREFLIGHT", "PREFLIGHT\nAuthorization: Bearer good-3"]
--- error_code eval
[200, 403]



=== TEST 10: where a request goes on to, the last location decides
--- config
    location /a { agilicus_token on; agilicus_token_preflight pass; try_files /nowhere /b; }
    location /b { agilicus_token on; UP; }
    location /c { agilicus_token on; agilicus_token_preflight pass; try_files /nowhere /d; }
    location /d { agilicus_token on; agilicus_token_preflight pass; UP; }
--- request eval
["OPTIONS /a", "OPTIONS /c"]
--- more_headers eval
[("PREFLIGHT") x 2]
--- error_code eval
[401, 200]



=== TEST 11: it is set at any level
--- config
    agilicus_token on;
    agilicus_token_preflight pass;
    location /t { UP; }
    location /u { agilicus_token_preflight check; UP; }
    location /v { limit_except GET { agilicus_token_preflight check; } UP; }
--- request eval
["OPTIONS /t", "OPTIONS /u", "OPTIONS /v"]
--- more_headers eval
[("PREFLIGHT") x 3]
--- error_code eval
[200, 401, 401]



=== TEST 12: a preflight is not reported as one that would be refused
--- config
    location /t { agilicus_token report; agilicus_token_preflight pass; UP; }
--- request
OPTIONS /t
--- more_headers
PREFLIGHT
--- response_headers
X-Why: []
--- no_error_log
would be rejected



=== TEST 13: a static page answers a preflight as nginx does
--- config
    location = /page.html { agilicus_token on; agilicus_token_preflight pass; }
--- request
OPTIONS /page.html
--- more_headers
PREFLIGHT
--- error_code: 405



=== TEST 14: challenges say where to ask for a token
--- config
    location /t {
        agilicus_token on;
        agilicus_token_resource_metadata https://app.example/.well-known/oauth-protected-resource;
        agilicus_token_require_scopes one two;
        UP;
    }
--- request eval
[("GET /t") x 5]
--- more_headers eval
["", map { "Authorization: Bearer $_" } "unknown-3", "a b", "good-4", "out"]
--- error_code eval
[401, 401, 400, 403, 503]
--- response_headers eval
[(map { "WWW-Authenticate: Bearer realm=\"agilicus\"$_, resource_metadata=\"https://app.example/.well-known/oauth-protected-resource\"" }
 "", ", error=\"invalid_token\"", ", error=\"invalid_request\"", ", error=\"insufficient_scope\", scope=\"one two\""),
 "! WWW-Authenticate"]



=== TEST 15: each location says its own, or that outside
--- config
    agilicus_token on;
    agilicus_token_resource_metadata https://a.example/;
    location /t { UP; location /t/in { UP; } }
    location /u { agilicus_token_resource_metadata http://b.example:8080/x?y=%20; agilicus_token_realm u; UP; }
    location /v { limit_except GET { agilicus_token_resource_metadata https://c.example/; } UP; }
--- request eval
["GET /t", "GET /t/in", "GET /u", "GET /v", "PUT /v\nx"]
--- error_code eval
[(401) x 5]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\", resource_metadata=\"https://a.example/\"",
 "WWW-Authenticate: Bearer realm=\"agilicus\", resource_metadata=\"https://a.example/\"",
 "WWW-Authenticate: Bearer realm=\"u\", resource_metadata=\"http://b.example:8080/x?y=%20\"",
 "WWW-Authenticate: Bearer realm=\"agilicus\", resource_metadata=\"https://a.example/\"",
 "WWW-Authenticate: Bearer realm=\"agilicus\", resource_metadata=\"https://c.example/\""]



=== TEST 16: without it there is no such parameter, and on an allowed response no challenge
--- config
    location /t { agilicus_token on; UP; }
    location /u { agilicus_token on; agilicus_token_resource_metadata https://a.example/; UP; }
--- request eval
["GET /t", "GET /u"]
--- more_headers eval
["", "Authorization: Bearer good-5"]
--- error_code eval
[401, 200]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\"", "! WWW-Authenticate"]
