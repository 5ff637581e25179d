# Every way into a location: error pages, internal redirects, subrequests,
# and what a location inherits.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $mock = MockAPI->start(
    tokens => {
        map({ $_ => {} } map { "good-$_" } 1 .. 40),
        out => { status => 503, headers => { 'Retry-After' => 9 } },
    },
);

stop_with_tests($mock);
secrets('good-', 'unknown-');
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed $request_uri\n"; }
        location /accel {
            add_header X-Accel-Redirect $http_x_to;
            return 200 "not this\n";
        }
        location /ssi {
            default_type text/html;
            return 200 '[<!--#include virtual="/part" -->]';
        }
        location /status/401 { return 401; }
        location /file { alias $TEST_NGINX_HTML_DIR/file; }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_breaker off;
EOC

my $config = <<'EOC';
    location /_ {
        agilicus_token off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT;
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    my $more = $block->http_config;

    $block->set_value(http_config => $http_config
                                     . (defined $more ? $more : ''));
    $block->set_value(config => $config . $block->config);
    $block->set_value(user_files => ">>> login.html\nlog in\n"
                      . ">>> dir/page.html\npage\n>>> file\n" . "0123456789" x 300 . "\n")
        if !defined $block->user_files;
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 3 + 55);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: an error page keeps status and challenge
--- config
    error_page 401 /login.html;
    location = /login.html { agilicus_token off; }
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus"
Cache-Control: no-store
--- response_body
log in



=== TEST 2: an error page keeps status and challenge for HEAD
--- config
    error_page 401 /login.html;
    location = /login.html { agilicus_token off; }
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
HEAD /t
--- more_headers
Authorization: Bearer unknown-1
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"
Cache-Control: no-store
Content-Length: 7
--- response_body



=== TEST 3: an error page that is protected too is refused, with one challenge
--- config
    agilicus_token on;
    error_page 401 =200 @inherits;
    location @inherits { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
    location /t { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["", "Authorization: Bearer unknown-2"]
--- error_code eval
[401, 401]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\"",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\""]
--- response_body_unlike eval
["passed", "passed"]



=== TEST 4: a refusal is not turned into a way to another backend
--- config
    agilicus_token on;
    agilicus_token_require_scopes missing;
    error_page 403 = @backend;
    location @backend { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
    location /t { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
--- request
GET /t
--- more_headers
Authorization: Bearer good-1
--- error_code: 403
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="insufficient_scope", scope="missing"
--- response_body_unlike: passed



=== TEST 5: recursive error pages end in one refusal
--- config
    agilicus_token on;
    recursive_error_pages on;
    error_page 401 /again;
    location ~ ^/(t|again)$ { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
--- request
GET /t
--- error_code_like: ^(?:401|500)$
--- raw_response_headers_unlike: Bearer.*Bearer
--- response_body_unlike: passed



=== TEST 6: an error page for an API that fails keeps when to try again
--- config
    error_page 503 /login.html;
    location = /login.html { agilicus_token off; }
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer out
--- error_code: 503
--- response_headers
Retry-After: 9
Cache-Control: no-store
! WWW-Authenticate
--- response_body
log in



=== TEST 7: a challenge does not stay where the error page's API fails
--- config
    error_page 401 /again;
    location = /again {
        agilicus_token on;
        agilicus_token_cache off;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer unknown-3
--- error_code: 503
--- response_headers
! WWW-Authenticate
Retry-After: 1
--- response_body_unlike: passed



=== TEST 8: upstream's own refusal may have an error page
--- config
    location = /login.html { }
    location /t {
        agilicus_token on;
        proxy_intercept_errors on;
        error_page 401 /login.html;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/status/401;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer good-2
--- error_code: 401
--- response_headers
! WWW-Authenticate
! Cache-Control
--- response_body
log in



=== TEST 9: X-Accel-Redirect into a protected location is checked there
--- config
    location /accel { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
    location /inner {
        internal;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /accel") x 3]
--- more_headers eval
["X-To: /inner", "X-To: /inner\nAuthorization: Bearer unknown-4",
 "X-To: /inner\nAuthorization: Bearer good-3"]
--- error_code eval
[401, 401, 200]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\"",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"",
 "! WWW-Authenticate"]
--- response_body_like eval
["401 Authorization Required", "401 Authorization Required", "^passed /inner\$"]



=== TEST 10: from one protected location to another, the API is asked once
--- config
    location /accel {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /inner {
        internal;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /accel", "GET /_calls?token=good-4"]
--- more_headers
X-To: /inner
Authorization: Bearer good-4
--- response_body eval
["passed /inner\n", "1\n"]



=== TEST 11: each location that a request ends in has its own requirements
--- config
    location /accel {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /inner {
        internal;
        agilicus_token on;
        agilicus_token_require_scopes deeper;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /accel
--- more_headers
X-To: /inner
Authorization: Bearer good-5
--- error_code: 403
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="insufficient_scope", scope="deeper"
--- response_body_unlike: passed



=== TEST 12: a loop of redirects ends
--- config
    location /accel {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /accel
--- more_headers
X-To: /accel
Authorization: Bearer good-6
--- error_code: 500
--- error_log
rewrite or internal redirection cycle
--- no_error_log
[crit]



=== TEST 13: try_files into a protected location is checked there
--- config
    location /open { try_files /nowhere /t; }
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /open", "GET /open"]
--- more_headers eval
["", "Authorization: Bearer good-7"]
--- error_code eval
[401, 200]



=== TEST 14: try_files out of a protected location is checked before
--- config
    location /t {
        agilicus_token on;
        try_files /nowhere @open;
    }
    location @open { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
--- request eval
["GET /t", "GET /t", "GET /_calls?token=good-8"]
--- more_headers eval
["", "Authorization: Bearer good-8", ""]
--- error_code eval
[401, 200, 200]
--- response_body_like eval
["401 Authorization Required", "^passed /t\$", "^1\$"]



=== TEST 15: a rewritten request is checked in the location that it ends in
--- config
    location /open { rewrite ^ /t last; }
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /closed {
        agilicus_token on;
        rewrite ^ /free last;
    }
    location /free { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
--- request eval
["GET /open", "GET /open", "GET /closed"]
--- more_headers eval
["", "Authorization: Bearer good-9", ""]
--- error_code eval
[401, 200, 200]



=== TEST 16: a named location is protected as any other
--- config
    location /t {
        error_page 418 = @named;
        return 418;
    }
    location @named {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["", "Authorization: Bearer good-10"]
--- error_code eval
[401, 200]
--- response_body_like eval
["401 Authorization Required", "^passed /t\$"]



=== TEST 17: a part of a page that is protected shows its error inside
--- config
    location /ssi {
        ssi on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /part {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/inside;
    }
--- request eval
[("GET /ssi") x 3]
--- more_headers eval
["", "Authorization: Bearer unknown-5", "Authorization: Bearer good-11"]
--- response_headers eval
[("! WWW-Authenticate\n! Cache-Control") x 3]
--- response_body_like eval
["^\\[<html>.*401 Authorization Required.*\\]\$",
 "^\\[<html>.*401 Authorization Required.*\\]\$", "^\\[passed /inside\n\\]\$"]



=== TEST 18: a page and its part are asked about once
--- config
    agilicus_token on;
    location /ssi {
        ssi on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /part { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/inside; }
--- request eval
["GET /ssi", "GET /ssi", "GET /_calls?token=good-12"]
--- more_headers eval
["", "Authorization: Bearer good-12", ""]
--- error_code eval
[401, 200, 200]
--- response_body_like eval
["401 Authorization Required", "^\\[passed /inside\n\\]\$", "^1\$"]



=== TEST 19: text that is added to a page is protected by its own location
--- config
    location = /login.html { add_after_body /part; }
    location /part {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/inside;
    }
--- request eval
[("GET /login.html") x 2]
--- more_headers eval
["", "Authorization: Bearer good-13"]
--- response_body_like eval
["^log in\n<html>.*401 Authorization Required", "^log in\npassed /inside\n"]



=== TEST 20: what a protected location mirrors needs the token
--- config
    location /mirrored {
        mirror /_copy;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /_copy {
        internal;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/copied;
    }
--- request eval
["GET /_reset", "GET /mirrored", "GET /_calls?path=/copied", "GET /mirrored",
 "GET /_calls?path=/copied"]
--- more_headers eval
["", "Authorization: Bearer unknown-6", "", "Authorization: Bearer good-14", ""]
--- response_body eval
["ok\n", "passed /mirrored\n", "0\n", "passed /mirrored\n", "1\n"]



=== TEST 21: slices belong to the request that was allowed
--- config
    location /file {
        agilicus_token on;
        slice 1k;
        proxy_set_header Range $slice_range;
        proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /file", "GET /file", "GET /_calls?token=good-15"]
--- more_headers eval
["", "Authorization: Bearer good-15", ""]
--- error_code eval
[401, 200, 200]
--- response_body_like eval
["401 Authorization Required", "^(?:0123456789){300}\n\$", "^1\$"]



=== TEST 22: limit_except may enforce
--- config
    location /t {
        limit_except GET { agilicus_token on; }
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "HEAD /t", "POST /t\nx", "DELETE /t", "POST /t\nx"]
--- more_headers eval
["", "", "", "", "Authorization: Bearer good-16"]
--- error_code eval
[200, 200, 401, 401, 200]



=== TEST 23: a location inherits enforcement and requirements, and may change each
--- config
    agilicus_token on;
    agilicus_token_require_scopes outer;
    agilicus_token_realm outer;
    location /inherits { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
    location /off {
        agilicus_token off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location /off/on {
            agilicus_token on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
    }
    location ~ ^/replaces {
        agilicus_token_require_scopes urn:agilicus:users:owner;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /inherits", "GET /off", "GET /off/on", "GET /replaces"]
--- more_headers
Authorization: Bearer good-17
--- error_code eval
[403, 200, 403, 200]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"outer\", error=\"insufficient_scope\", scope=\"outer\"",
 "! WWW-Authenticate",
 "WWW-Authenticate: Bearer realm=\"outer\", error=\"insufficient_scope\", scope=\"outer\"",
 "! WWW-Authenticate"]



=== TEST 24: settings of several levels are taken from the nearest
--- http_config
    agilicus_token_max_size 3;
--- config
    agilicus_token on;
    agilicus_token_max_size 8;
    location /near {
        agilicus_token_max_size 100;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /far { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
--- request eval
["GET /near", "GET /far", "GET /far"]
--- more_headers eval
[map { "Authorization: Bearer $_" } "good-18", "good-18", "good-1234"]
--- error_code eval
[200, 200, 400]



=== TEST 25: a static file is protected, also as an index
--- config
    agilicus_token on;
    location /dir/ { index page.html; }
--- request eval
["GET /dir/page.html", "GET /dir/", "GET /dir/", "GET /dir"]
--- more_headers eval
["", "", "Authorization: Bearer good-19", ""]
--- error_code eval
[401, 401, 200, 401]
--- response_body_unlike eval
["page\n", "page\n", "Required", "page\n"]
