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
plan tests => repeat_each() * (blocks() * 2 + 147);
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



=== TEST 13: for a static page, which knows no OPTIONS, a preflight gets 204
--- config
    location = /page.html { agilicus_token on; agilicus_token_preflight pass; }
--- request
OPTIONS /page.html
--- more_headers
PREFLIGHT
--- error_code: 204



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



=== TEST 17: where static files are read, a preflight that passes gets 204
--- config
    agilicus_token on;
    agilicus_token_preflight pass;
    root html;
    location /t { add_header X-Allow here; }
    location /try { try_files $uri /t/page.html; }
    location /named { try_files /none @files; }
    location @files { add_header X-Allow named; }
    location /alias/ { alias html/; autoindex on; }
    location /index/ { alias html/; index page.html; }
    location /if { if ($http_origin) { add_header X-Allow if; } }
    location /except { add_header X-Allow except; limit_except GET { allow all; } }
    location /moved { rewrite ^ /t/page.html last; }
    location /dav { dav_methods PUT; }
    location /report { agilicus_token report; }
--- request eval
[map { "OPTIONS $_" } "/t/page.html", "/t/none", "/try", "/named", "/alias/", "/index/", "/if", "/except", "/moved", "/dav/x",
 "/report"]
--- more_headers eval
[("PREFLIGHT") x 11]
--- error_code eval
[(204) x 11]
--- response_headers eval
["X-Allow: here", "X-Allow: here", "X-Allow: here", "X-Allow: named", "", "", "X-Allow: if", "X-Allow: except",
 "X-Allow: here", "", ""]



=== TEST 18: what has another answer keeps it
--- config
    agilicus_token on;
    agilicus_token_preflight pass;
    location /t { UP; }
    location /return { return 403; }
    location /try { try_files $uri =404; }
    location /fallback { try_files $uri @app; }
    location @app { UP; }
    location /off { agilicus_token off; root html; }
    location /check { agilicus_token_preflight check; root html; }
    location /denied { deny all; root html; }
--- request eval
[map { "OPTIONS $_" } "/t", "/return", "/try", "/fallback", "/off", "/check", "/denied"]
--- more_headers eval
[("PREFLIGHT") x 7]
--- error_code eval
[200, 403, 404, 200, 405, 401, 403]



=== TEST 19: static files: OPTIONS that is no preflight, or has a token, is as ever
--- config
    agilicus_token on;
    agilicus_token_preflight pass;
    root html;
    location /t { }
    location /report { agilicus_token report; }
--- request eval
["OPTIONS /t", "OPTIONS /t", "OPTIONS /t", "OPTIONS /t", "OPTIONS /t", "GET /t", "OPTIONS /report", "OPTIONS /report"]
--- more_headers eval
["", "Origin: http://x", "Access-Control-Request-Method: PUT", "PREFLIGHT\nAuthorization: Bearer good-1",
 "PREFLIGHT\nAuthorization: Bearer unknown-1", "PREFLIGHT", "PREFLIGHT\nAuthorization: Bearer good-1",
 "PREFLIGHT\nAuthorization: Bearer a b"]
--- error_code eval
[401, 401, 401, 405, 401, 401, 405, 405]



=== TEST 20: a preflight to one of the module's own handlers gets 204
--- config
    agilicus_token_preflight pass;
    add_header X-Allow yes;
    location = /out { agilicus_token_revoke; }
    location = /out/on { agilicus_token on; agilicus_token_revoke; }
    location = /hook { agilicus_token_revocation_hook trusted; }
    location = /hook/on { agilicus_token on; agilicus_token_require_scopes a; agilicus_token_revocation_hook; }
    location = /status { agilicus_token_status; }
    location = /purge { agilicus_token on; agilicus_token_require_scopes a; agilicus_token_status purge; }
    location = /if { agilicus_token_revoke; if ($http_origin) { add_header X-Allow if; } }
    location = /except { agilicus_token_revoke; add_header X-Allow except; limit_except POST { allow all; } }
--- request eval
[map { "OPTIONS $_" } "/out", "/out/on", "/hook", "/hook/on", "/status", "/purge", "/if", "/except"]
--- more_headers eval
[("PREFLIGHT") x 8]
--- error_code eval
[(204) x 8]
--- response_headers eval
[("X-Allow: yes") x 6, "X-Allow: if", "X-Allow: except"]



=== TEST 21: these handlers refuse what is no preflight that passes
--- config
    agilicus_token_preflight pass;
    location = /out { agilicus_token_revoke; }
    location = /check { agilicus_token_revoke; agilicus_token_preflight check; }
    location = /hook { agilicus_token_revocation_hook trusted; }
    location = /status { agilicus_token_status; }
    location = /on { agilicus_token on; agilicus_token_revoke; }
--- request eval
["OPTIONS /out", "OPTIONS /out", "OPTIONS /out", "GET /out", "OPTIONS /check", "OPTIONS /hook", "OPTIONS /status", "OPTIONS /on",
 "OPTIONS /on"]
--- more_headers eval
["", "Origin: http://x", "PREFLIGHT\nAuthorization: Bearer good-1", "PREFLIGHT", "PREFLIGHT", "", "Origin: http://x",
 "PREFLIGHT\nAuthorization: Bearer good-2", "PREFLIGHT\nAuthorization: Bearer unknown-1"]
--- error_code eval
[(405) x 8, 401]
--- response_headers eval
["Allow: POST", "Allow: POST", "Allow: POST", "Allow: POST", "Allow: POST", "Allow: POST", "Allow: GET, HEAD",
 "Allow: POST", ""]



=== TEST 22: metadata may have variables
--- config
    agilicus_token on;
    agilicus_token_resource_metadata https://$host/.well-known/oauth-protected-resource$uri;
    location /t { UP; }
    location /u { agilicus_token_resource_metadata $arg_m; UP; }
--- request eval
["GET /t/a", "GET /u?m=https://a.example/", "GET /u?m=http://a.example/%22"]
--- error_code eval
[401, 401, 400]
--- more_headers eval
["Host: App.Example:8080", "", "Authorization: Bearer a b"]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\", resource_metadata=\"https://app.example/.well-known/oauth-protected-resource/t/a\"",
 "WWW-Authenticate: Bearer realm=\"agilicus\", resource_metadata=\"https://a.example/\"",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_request\", resource_metadata=\"http://a.example/%22\""]



=== TEST 23: ... and is left out where they make something else of it
--- config
    location /t { agilicus_token on; agilicus_token_resource_metadata https://a$uri; UP; }
    location /u { agilicus_token on; agilicus_token_resource_metadata $arg_m; UP; }
--- request eval
[(map { "GET /t$_" } "%22", "%5c", "%0a", "%0d", "%7f", "%20", "%c3%a4", "%22,realm=%22x"), (map { "GET /u?m=$_" } "", "/x", "https://", "javascript:x", "ftp://a")]
--- error_code eval
[(401) x 13]
--- response_headers eval
[('WWW-Authenticate: Bearer realm="agilicus"') x 13]
