# What a refusal says: status, challenge, Cache-Control, Retry-After, and
# nothing that a client or the API could have put there.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $past = { token => { exp => time - 10 } };

my $mock = MockAPI->start(
    tokens => {
        map({ $_ => {} } qw(narrow-1 narrow-2 narrow-3 narrow-4 narrow-5
                            four-statuses upstream-401 shown-1 own-header
                            budget-1 budget-2 nothing-asked)),
        map({ $_ => 410 } qw(revoked-1 revoked-2)),
        map({ $_ => $past } qw(expired-1 expired-2)),
        'told-off' => { status => 404, json => {
            error_code    => 'canary-code',
            error_message => 'canary-message <script>alert(1)</script>',
        } },
        'out'      => 503,
        'out-long' => { status => 503, headers => { 'Retry-After' => 17 } },
    },
);

stop_with_tests($mock);
secrets(qw(canary-token canary-message canary-code narrow- revoked- expired-
           unknown- budget- four- out-long));
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed\n"; }
        location = /own {
            add_header WWW-Authenticate 'Basic realm="upstream"' always;
            add_header Cache-Control private always;
            return 401 "upstream refuses\n";
        }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    proxy_set_header Connection "";
    agilicus_token_api_breaker off;
EOC

my $config = <<'EOC';
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    my $more = $block->http_config;

    $block->set_value(http_config => $http_config
                                     . (defined $more ? $more : ''));
    $block->set_value(config => $config) if !defined $block->config;
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 3 + 40);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: the realm can be set
--- config
    location /t {
        agilicus_token on;
        agilicus_token_realm "the edge";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="the edge"
--- no_error_log
[error]



=== TEST 2: quotes and backslashes of the realm are escaped
--- config
    location /t {
        agilicus_token on;
        agilicus_token_realm 'a "b" \\c';
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer a b
--- error_code: 400
--- response_headers eval
'WWW-Authenticate: Bearer realm="a \"b\" \\\\c", error="invalid_request"'
--- no_error_log
[error]



=== TEST 3: an empty realm is still a parameter
--- config
    location /t {
        agilicus_token on;
        agilicus_token_realm "";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm=""
--- no_error_log
[error]



=== TEST 4: unknown, revoked and expired tokens get the very same answer
--- request eval
[("GET /t") x 3]
--- more_headers eval
[map { "Authorization: Bearer $_" } qw(unknown-1 revoked-1 expired-1)]
--- error_code eval
[(401) x 3]
--- raw_response_headers_like eval
[("\\AHTTP/1.1 401 Unauthorized\r\nServer: [^\r]*\r\nDate: [^\r]*\r\n"
 . "Content-Type: text/html\r\nContent-Length: \\d+\r\n"
 . "Connection: close\r\nCache-Control: no-store\r\n"
 . "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"\r\n"
 . "(?:\r\n)?\\z") x 3]
--- response_body_like eval
[("<h1>401 Authorization Required</h1>") x 3]



=== TEST 5: the variables tell them apart
--- config
    location /t {
        agilicus_token on;
        add_header X-Verdict "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 5]
--- more_headers eval
["", map { "Authorization: Bearer $_" } "a b", qw(unknown-2 revoked-2 expired-2)]
--- error_code eval
[401, 400, 401, 401, 401]
--- response_headers eval
[map { "X-Verdict: $_" } "missing/no_token", "malformed/syntax",
 "invalid/unknown", "revoked/revoked", "expired/expired"]



=== TEST 6: a scope that the token has not got is asked for
--- config
    location /t {
        agilicus_token on;
        agilicus_token_require_scopes urn:agilicus:other;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer narrow-1
--- error_code: 403
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="insufficient_scope", scope="urn:agilicus:other"
--- no_error_log
[error]



=== TEST 7: all scopes configured here are listed, in order and once
--- config
    location /t {
        agilicus_token on;
        agilicus_token_require_scopes urn:agilicus:users:owner c;
        agilicus_token_require_scopes b c;
        agilicus_token_require_scopes any b a c;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer narrow-2
--- error_code: 403
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="insufficient_scope", scope="urn:agilicus:users:owner c b a"
--- no_error_log
[error]



=== TEST 8: the scopes of another location are not listed
--- config
    agilicus_token_require_scopes outer;
    location /t {
        agilicus_token on;
        agilicus_token_require_scopes inner;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer narrow-3
--- error_code: 403
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="insufficient_scope", scope="inner"
--- no_error_log
[error]



=== TEST 9: what a variable brings and no scope may hold is not listed
--- config
    location /t {
        agilicus_token on;
        agilicus_token_require_scopes good $http_x_scope last;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 4]
--- more_headers eval
[map { "Authorization: Bearer narrow-4\r\nX-Scope: $_" }
 'x" evil="y', "\\", "two words", ""]
--- error_code eval
[(403) x 4]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\", error=\"insufficient_scope\", scope=\"good last\"") x 4]



=== TEST 10: no scope is listed where none can be
--- config
    location /t {
        agilicus_token on;
        agilicus_token_require_scopes $http_x_scope;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer narrow-5
--- error_code: 403
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="insufficient_scope"
--- no_error_log
[error]



=== TEST 11: an API that fails makes no client lose its token
--- request
GET /t
--- more_headers
Authorization: Bearer out
--- error_code: 503
--- response_headers
! WWW-Authenticate
Retry-After: 1
Cache-Control: no-store
--- no_error_log
[crit]



=== TEST 12: the time that the API asks for is passed on
--- request
GET /t
--- more_headers
Authorization: Bearer out-long
--- error_code: 503
--- response_headers
Retry-After: 17
--- no_error_log
[crit]



=== TEST 13: a client that has spent its own budget is told to slow down
--- http_config
    agilicus_token_api_rate 10r/s per_client=1r/m burst=60s;
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["Authorization: Bearer budget-1", "Authorization: Bearer budget-2"]
--- error_code eval
[200, 429]
--- response_headers_like eval
["Retry-After: ", "Retry-After: [1-6][0-9]\nCache-Control: no-store"]



=== TEST 14: an empty common budget is an overload
--- http_config
    agilicus_token_api_rate 1r/m per_client=100r/s burst=60s;
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["Authorization: Bearer budget-1", "Authorization: Bearer budget-2"]
--- error_code eval
[200, 503]
--- response_headers_like eval
["Retry-After: ", "Retry-After: [1-6][0-9]\nCache-Control: no-store"]



=== TEST 15: no refusal may be stored, and each has at most one challenge
--- config
    location /t {
        agilicus_token on;
        agilicus_token_require_scopes none;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 5]
--- more_headers eval
["", map { "Authorization: Bearer $_" } "a b", "unknown-3", "four-statuses", "out"]
--- error_code eval
[401, 400, 401, 403, 503]
--- response_headers eval
[("Cache-Control: no-store") x 5]
--- raw_response_headers_unlike eval
[("WWW-Authenticate:.*WWW-Authenticate:") x 5]



=== TEST 16: text of the API is neither in the header nor in the body
--- request
GET /t
--- more_headers
Authorization: Bearer told-off
--- error_code: 401
--- raw_response_headers_unlike: canary|script|error_description
--- response_body_unlike: canary|script
--- no_error_log
canary-



=== TEST 17: the path and the token are not repeated to the client
--- request
GET /t/canary-path%22%3Cscript%3E?canary-args
--- more_headers
Authorization: Bearer canary-token
--- error_code: 401
--- raw_response_headers_unlike: canary|script
--- response_body_unlike: canary|script
--- no_error_log eval
qr/agilicus token: [^,]*, [^,]*, [^,]*canary/



=== TEST 18: an answer of upstream is passed through, its own challenge too
--- config
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/own;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer upstream-401
--- error_code: 401
--- response_headers
WWW-Authenticate: Basic realm="upstream"
Cache-Control: private
--- response_body
upstream refuses



=== TEST 19: a header that the configuration adds stands beside ours
--- config
    location /t {
        agilicus_token on;
        add_header WWW-Authenticate 'Negotiate' always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", Negotiate
--- no_error_log
[error]



=== TEST 20: an allowed response has no challenge and keeps its caching
--- request
GET /t
--- more_headers
Authorization: Bearer shown-1
--- response_headers
! WWW-Authenticate
! Cache-Control
--- response_body
passed



=== TEST 21: a location that enforces nothing asks for nothing
--- config
    agilicus_token on;
    location /t {
        agilicus_token off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer nothing-asked
--- response_headers
! WWW-Authenticate
--- response_body
passed
