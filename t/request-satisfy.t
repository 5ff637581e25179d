# Beside other modules that decide about access: all of them must allow, or,
# with "satisfy any", one of them.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $mock = MockAPI->start(
    tokens => {
        map({ $_ => {} } qw(good-1 good-2 good-3 good-4 good-5 good-6 good-7
                            good-8 good-9 good-10 good-11 good-12 good-13
                            good-14 good-15 good-16 good-17 good-18)),
        out => 503,
    },
);

stop_with_tests($mock);
secrets(qw(good- unknown-));
free_port('UPSTREAM_PORT');

# Basic dTpw is u:p

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed\n"; }
        location = /yes { return 204; }
        location = /no-401 {
            add_header WWW-Authenticate 'Other realm="x"' always;
            return 401;
        }
        location = /no-403 { return 403; }
        location = /broken { return 418; }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_breaker off;
EOC

my $config = <<'EOC';
    location ~ ^/(yes|no-401|no-403|broken)$ {
        internal;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /upstream {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    my $more = $block->http_config;

    $block->set_value(http_config => $http_config
                                     . (defined $more ? $more : ''));
    $block->set_value(config => $config . $block->config);
    $block->set_value(user_files => ">>> users\nu:{PLAIN}p\n");
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 3 + 122);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: an address that is allowed needs no token, and sees no challenge
--- config
    location /t {
        satisfy any;
        allow 127.0.0.1;
        deny all;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 4]
--- more_headers eval
["", map { "Authorization: Bearer $_" } "unknown-1", "a b", "out"]
--- error_code eval
[(200) x 4]
--- response_headers eval
[("! WWW-Authenticate\n! Cache-Control\n! Retry-After") x 4]
--- response_body eval
[("passed\n") x 4]



=== TEST 2: an address that is denied needs a good token
--- config
    location /t {
        satisfy any;
        deny all;
        agilicus_token on;
        agilicus_token_require_scopes $http_x_scope;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 6]
--- more_headers eval
[map { "X-Scope: $_" } (map { "urn:agilicus:users:owner\nAuthorization: $_" }
 "Bearer good-1", "Basic dTpw", "Bearer unknown-2", "Bearer a b", "Bearer out"),
 "other\nAuthorization: Bearer good-1"]
--- error_code eval
[200, 401, 401, 400, 503, 403]
--- response_headers eval
["! WWW-Authenticate\n! Retry-After\n! Cache-Control",
 "WWW-Authenticate: Bearer realm=\"agilicus\"\nCache-Control: no-store",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"\nCache-Control: no-store",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_request\"\nCache-Control: no-store",
 "! WWW-Authenticate\nRetry-After: 1\nCache-Control: no-store",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"insufficient_scope\", scope=\"other\"\nCache-Control: no-store"]



=== TEST 3: a spent budget is the final status where no other module allows
--- http_config
    agilicus_token_api_rate 10r/s per_client=1r/m burst=60s;
--- config
    location /t {
        satisfy any;
        deny all;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /allowed {
        satisfy any;
        allow all;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /t", "GET /allowed"]
--- more_headers eval
[map { "Authorization: Bearer $_" } "good-2", "unknown-3", "unknown-3"]
--- error_code eval
[200, 429, 200]
--- response_headers eval
["! WWW-Authenticate\n! Cache-Control", "! WWW-Authenticate\nCache-Control: no-store",
 "! WWW-Authenticate\n! Cache-Control"]



=== TEST 4: name and password may stand for a token, and a token for them
--- config
    location /t {
        satisfy any;
        auth_basic "b";
        auth_basic_user_file $TEST_NGINX_HTML_DIR/users;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 2]
--- more_headers eval
["Authorization: Basic dTpw", "Authorization: Bearer good-3"]
--- response_headers eval
[("! WWW-Authenticate\n! Cache-Control") x 2]
--- response_body eval
[("passed\n") x 2]



=== TEST 5: with neither, there is one challenge of each kind
--- config
    location /t {
        satisfy any;
        auth_basic "b";
        auth_basic_user_file $TEST_NGINX_HTML_DIR/users;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 3]
--- more_headers eval
["", "Authorization: Basic dTp3cm9uZw==", "Authorization: Bearer unknown-4"]
--- error_code eval
[(401) x 3]
--- response_headers eval
["WWW-Authenticate: Basic realm=\"b\", Bearer realm=\"agilicus\"",
 "WWW-Authenticate: Basic realm=\"b\", Bearer realm=\"agilicus\"",
 "WWW-Authenticate: Basic realm=\"b\", Bearer realm=\"agilicus\", error=\"invalid_token\""]



=== TEST 6: what is malformed or unavailable stays so beside auth_basic
--- config
    location /t {
        satisfy any;
        auth_basic "b";
        auth_basic_user_file $TEST_NGINX_HTML_DIR/users;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 2]
--- more_headers eval
["Authorization: Bearer a b", "Authorization: Bearer out"]
--- error_code eval
[400, 503]
--- response_headers eval
[("Cache-Control: no-store") x 2]
--- raw_response_headers_unlike eval
["Bearer.*Bearer", "Bearer"]



=== TEST 7: another service may allow what has no good token
--- config
    location /t {
        satisfy any;
        auth_request /yes;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 5]
--- more_headers eval
["", map { "Authorization: Bearer $_" } "good-4", "unknown-5", "a b", "out"]
--- response_headers eval
[("! WWW-Authenticate\n! Cache-Control\n! Retry-After") x 5]
--- response_body eval
[("passed\n") x 5]



=== TEST 8: where another service refuses too, our refusal stands
--- config
    location /t {
        satisfy any;
        auth_request /no-403;
        agilicus_token on;
        agilicus_token_require_scopes $http_x_scope;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 5]
--- more_headers eval
[map { "X-Scope: $_" } (map { "urn:agilicus:users:owner\nAuthorization: Bearer $_" }
 "good-5", "unknown-6", "a b", "out"), "other\nAuthorization: Bearer good-5"]
--- error_code eval
[200, 401, 400, 503, 403]
--- response_headers eval
["! WWW-Authenticate\n! Cache-Control",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"\nCache-Control: no-store",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_request\"\nCache-Control: no-store",
 "! WWW-Authenticate\nCache-Control: no-store",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"insufficient_scope\", scope=\"other\"\nCache-Control: no-store"]



=== TEST 9: another service's own challenge stands beside ours
--- config
    location /t {
        satisfy any;
        auth_request /no-401;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- error_code: 401
--- response_headers
WWW-Authenticate: Other realm="x", Bearer realm="agilicus"
--- no_error_log
[error]



=== TEST 10: a service behind the same enforcement brings no second challenge
--- config
    agilicus_token on;
    location = /in {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/yes;
    }
    location /t {
        satisfy any;
        auth_request /in;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 3]
--- more_headers eval
["", map { "Authorization: Bearer $_" } "unknown-7", "good-6"]
--- error_code eval
[401, 401, 200]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\"",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"",
 "! WWW-Authenticate"]



=== TEST 11: a refusal of several modules is lifted as a whole
--- config
    location /t {
        satisfy any;
        deny all;
        auth_basic "b";
        auth_basic_user_file $TEST_NGINX_HTML_DIR/users;
        auth_request /yes;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer unknown-8
--- response_headers
! WWW-Authenticate
! Cache-Control
--- response_body
passed



=== TEST 12: alone, it refuses under "satisfy any" as it does otherwise
--- config
    location /t {
        satisfy any;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 5]
--- more_headers eval
["", map { "Authorization: Bearer $_" } "good-7", "unknown-9", "a b", "out"]
--- error_code eval
[401, 200, 401, 400, 503]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\"\nCache-Control: no-store",
 "! WWW-Authenticate\n! Cache-Control",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"\nCache-Control: no-store",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_request\"\nCache-Control: no-store",
 "! WWW-Authenticate\nCache-Control: no-store"]



=== TEST 13: with "satisfy all", the address must be allowed and the token good
--- config
    location /allowed {
        allow all;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /denied {
        deny all;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /allowed", "GET /denied", "GET /allowed", "GET /denied"]
--- more_headers eval
[map { "Authorization: Bearer $_" } "good-8", "good-8", "unknown-10", "unknown-10"]
--- error_code eval
[200, 403, 401, 401]
--- response_headers eval
["! WWW-Authenticate", "! WWW-Authenticate",
 ("WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"") x 2]



=== TEST 14: with "satisfy all", the other service must allow too
--- config
    location /yes-and {
        auth_request /yes;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
    }
    location /no-and {
        auth_request /no-403;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
    }
    location /broken-and {
        auth_request /broken;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
    }
--- request eval
["GET /yes-and", "GET /no-and", "GET /broken-and", "GET /yes-and"]
--- more_headers eval
[map { "Authorization: Bearer $_" } "good-9", "good-9", "good-9", "unknown-11"]
--- error_code eval
[200, 403, 500, 401]



=== TEST 15: a challenge of the other service is the only one where our token is good
--- config
    location /t {
        auth_request /no-401;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer good-10
--- error_code: 401
--- response_headers
WWW-Authenticate: Other realm="x"
--- no_error_log
[error]



=== TEST 16: auth_request may ask a location that only this module protects
--- config
    location = /in {
        internal;
        agilicus_token on;
        agilicus_token_require_scopes $http_x_scope;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/yes;
    }
    location /t {
        auth_request /in;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 4]
--- more_headers eval
[map { "X-Scope: $_" } "", "urn:agilicus:users:owner\nAuthorization: Bearer good-11",
 "x\nAuthorization: Bearer unknown-12", "other\nAuthorization: Bearer good-11"]
--- error_code eval
[401, 200, 401, 403]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\"", "! WWW-Authenticate",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"",
 "! WWW-Authenticate"]



=== TEST 17: nginx makes an error of other refusals behind auth_request
--- config
    location = /in {
        internal;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/yes;
    }
    location /t {
        auth_request /in;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 2]
--- more_headers eval
["Authorization: Bearer a b", "Authorization: Bearer out"]
--- error_code eval
[500, 500]
--- error_log
auth request unexpected status



=== TEST 18: reporting neither refuses nor allows
--- config
    location /denied {
        satisfy any;
        deny all;
        agilicus_token report;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /allowed {
        satisfy any;
        allow all;
        agilicus_token report;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /free {
        agilicus_token report;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /denied", "GET /denied", "GET /allowed", "GET /free"]
--- more_headers eval
["Authorization: Bearer good-12", "", "", ""]
--- error_code eval
[403, 403, 200, 200]
--- response_headers eval
[("! WWW-Authenticate\n! Cache-Control") x 4]



=== TEST 19: the token waits for its answer before others are asked
--- config
    location /t {
        satisfy any;
        auth_basic "b";
        auth_basic_user_file $TEST_NGINX_HTML_DIR/users;
        auth_request /no-403;
        deny all;
        agilicus_token on;
        agilicus_token_cache off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer good-13
--- response_headers
! WWW-Authenticate
--- response_body
passed
