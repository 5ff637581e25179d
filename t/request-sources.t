# Tokens from cookies and from the query: what is one, what goes upstream, and
# what is left of it in logs and variables.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $mock = MockAPI->start(
    tokens => {
        map({ ("query-canary-$_" => {}) } 1 .. 40),
        map({ ("cookie-canary-$_" => {}) } 1 .. 40),
        'header-canary-1' => {},
        'query-canary-~+/=' => {},
        'known-to-nobody-canary' => 404,
    },
);

stop_with_tests($mock);
secrets('canary-');
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    log_format target '<$request|$args|$request_uri|$arg_access_token>';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / {
            return 200 "$request_uri|$http_authorization|$http_cookie\n";
        }
        location /ssi {
            default_type text/html;
            return 200 '[<!--#include virtual="/part?access_token=query-canary-20" -->]';
        }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
EOC

# "--- source" is where tokens come from at /t

allow_section('source');

add_block_preprocessor(sub {
    my ($block) = @_;

    my $source = $block->source;
    my $config = $block->config;

    $block->set_value(http_config => $http_config);
    $block->set_value(config => (defined $config ? $config : '') . <<"EOC")
    location /t {
        agilicus_token on;
        agilicus_token_source $source;
        proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;
    }
    location /_ {
        proxy_pass http://127.0.0.1:\$TEST_NGINX_MOCK_CONTROL_PORT;
    }
EOC
        if defined $source;
    $block->set_value(user_files => ">>> users\nu:{PLAIN}p\n");
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 3 + 97);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a token in the query goes upstream as credentials
--- source: query=access_token
--- request
GET /t?access_token=query-canary-1
--- response_body
/t|Bearer query-canary-1|
--- response_headers
Cache-Control: private
! WWW-Authenticate



=== TEST 2: other parameters stay as they were, byte for byte
--- source: query=access_token
--- request eval
[map { "GET /t?$_" } "a=1&access_token=query-canary-2&b=2", "access_token=query-canary-2&b=%20+%2f",
 "&&a&access_token=query-canary-2&&c=&", "a=?/x;y&access_token=query-canary-2"]
--- response_body eval
[map { "/t?$_|Bearer query-canary-2|\n" } "a=1&b=2", "b=%20+%2f", "&&a&&c=&", "a=?/x;y"]



=== TEST 3: the token is neither in the log nor in a variable
--- config
    location /t/logged {
        access_log $TEST_NGINX_HTML_DIR/target.log target;
        agilicus_token on;
        agilicus_token_source query=access_token;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /target.log { }
--- source: header
--- request eval
["GET /t/logged?a=1&access_token=query-canary-3&b=2", "GET /target.log"]
--- response_body_like eval
["^/t/logged\\?a=1&b=2\\|Bearer query-canary-3",
 "\\A(?:<GET /t/logged\\?a=1&b=2 HTTP/1.1\\|a=1&b=2\\|/t/logged\\?a=1&b=2\\|->\n)+\\z"]



=== TEST 4: a token in the query that is refused is not in the log either
--- config
    location /t/logged {
        access_log $TEST_NGINX_HTML_DIR/target.log target;
        agilicus_token on;
        agilicus_token_source query=access_token;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /target.log { }
--- source: header
--- request eval
["GET /t/logged?access_token=known-to-nobody-canary", "GET /t/logged?access_token=a%20canary-b",
 "GET /t/logged?access_token=canary-c&access_token=canary-d", "GET /target.log"]
--- error_code eval
[401, 400, 400, 200]
--- response_body_unlike eval
[("canary") x 4]



=== TEST 5: an absolute target is cut too
--- config
    location /t/logged {
        access_log $TEST_NGINX_HTML_DIR/target.log target;
        agilicus_token on;
        agilicus_token_source query=access_token;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /target.log { }
--- source: header
--- request eval
["GET http://localhost/t/logged?access_token=query-canary-4&x", "GET /target.log"]
--- response_body_like eval
["^/t/logged\\?x\\|Bearer query-canary-4", "\\A(?:<GET http://localhost/t/logged\\?x HTTP/1.1\\|x\\|/t/logged\\?x\\|->\n)+\\z"]



=== TEST 6: a value is decoded once
--- source: query=access_token
--- request eval
[map { "GET /t?access_token=$_" } "query%2Dcanary-5", "%71uery-canary%2d5", "query-canary-~%2B/=",
 "query%252Dcanary-5"]
--- error_code eval
[200, 200, 200, 400]
--- response_body_like eval
[("^/t\\|Bearer query-canary-5") x 2, "^/t\\|Bearer query-canary-~\\+/=", "400"]



=== TEST 7: what is no token is malformed
--- source: query=access_token
--- request eval
[map { "GET /t?access_token$_" } "", "=", "=a+b", "=a%", "=a%2", "=a%zz", "=a%00", "=a%20b", "=Bearer%20a",
 "=a=b"]
--- error_code eval
[(400) x 10]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_request\"\nCache-Control: no-store") x 10]



=== TEST 8: names are compared as they are, and parameters separated by "&" only
--- source: query=access_token
--- request eval
[map { "GET /t?$_" } "xaccess_token=taken-by-nobody", "ACCESS_TOKEN=taken-by-nobody",
 "a=1;access_token=taken-by-nobody", "%61ccess_token=taken-by-nobody", "access_token[]=taken-by-nobody",
 "a=access_token=taken-by-nobody", "a#access_token=taken-by-nobody"]
--- error_code eval
[(401) x 7]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\"") x 7]



=== TEST 9: two tokens are one too many, even if they are the same
--- source: header query=access_token cookie=token
--- request eval
["GET /t?access_token=query-canary-7&access_token=query-canary-7", "GET /t?access_token=query-canary-7&access_token=",
 "GET /t?access_token=query-canary-7", "GET /t?access_token=query-canary-7", "GET /t", "GET /t?access_token=a+b"]
--- more_headers eval
["", "", "Authorization: Bearer query-canary-7", "Cookie: token=query-canary-7",
 "Cookie: token=query-canary-7\nAuthorization: Bearer query-canary-7", "Authorization: Bearer query-canary-7"]
--- error_code eval
[(400) x 6]



=== TEST 10: one token in any of several places is good
--- source: header query=access_token cookie=token
--- request eval
["GET /t?access_token=query-canary-8", "GET /t", "GET /t", "GET /t?access_token=query-canary-8"]
--- more_headers eval
["", "Cookie: token=cookie-canary-1", "Authorization: Bearer header-canary-1", "Authorization: Basic dTpw"]
--- response_body eval
["/t|Bearer query-canary-8|\n", "/t||token=cookie-canary-1\n", "/t|Bearer header-canary-1|\n",
 "/t|Bearer query-canary-8|\n"]



=== TEST 11: a place that is not named is not looked at
--- source: query=access_token
--- request eval
["GET /t", "GET /t", "GET /t?access_token=query-canary-9"]
--- more_headers eval
["Authorization: Bearer header-canary-1", "Cookie: access_token=cookie-canary-2",
 "Authorization: Bearer a b\nCookie: access_token=a b"]
--- error_code eval
[401, 401, 200]



=== TEST 12: a cookie goes upstream as it came
--- source: cookie=token
--- request eval
[("GET /t") x 4]
--- more_headers eval
[map { "Cookie: $_" } "token=cookie-canary-3", "a=b; token=cookie-canary-3; c=d",
 "a=b;token=cookie-canary-3;c", "x=token=y; token=cookie-canary-3"]
--- response_body eval
[map { "/t||$_\n" } "token=cookie-canary-3", "a=b; token=cookie-canary-3; c=d",
 "a=b;token=cookie-canary-3;c", "x=token=y; token=cookie-canary-3"]



=== TEST 13: two cookies of the name are one too many, in one line or in two
--- source: cookie=token
--- request eval
[("GET /t") x 6]
--- more_headers eval
["Cookie: token=cookie-canary-4; token=cookie-canary-4", "Cookie: token=cookie-canary-4; token=",
 "Cookie: token=cookie-canary-4\nCookie: token=cookie-canary-4", "Cookie: token=; token=cookie-canary-4",
 "Cookie: token=\nCookie: token=cookie-canary-4", "Cookie: token=; a=b; token="]
--- error_code eval
[(400) x 6]



=== TEST 14: a cookie that is no token is malformed
--- source: cookie=token
--- request eval
[("GET /t") x 6]
--- more_headers eval
[map { "Cookie: token$_" } "", " =", '="cookie-canary-5"', "=a b", "=a%20b", "=Bearer a"]
--- error_code eval
[(400) x 6]



=== TEST 15: a cookie's name is compared as it is
--- source: cookie=token
--- request eval
[("GET /t") x 4]
--- more_headers eval
[map { "Cookie: $_" } "Token=cookie-canary-6", "xtoken=cookie-canary-6", "token2=cookie-canary-6",
 "a=token=cookie-canary-6"]
--- error_code eval
[(401) x 4]



=== TEST 16: what upstream must not have is taken out
--- config
    location /t/hidden {
        agilicus_token on;
        agilicus_token_forward off;
        agilicus_token_source header query=access_token cookie=token;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- source: header
--- request eval
["GET /t/hidden?a&access_token=query-canary-10", "GET /t/hidden", "GET /t/hidden"]
--- more_headers eval
["", "Cookie: a=b; token=cookie-canary-7; c=d", "Authorization: Bearer header-canary-1"]
--- response_body eval
["/t/hidden?a||\n", "/t/hidden||a=b; c=d\n", "/t/hidden||\n"]



=== TEST 17: name and password and a token in a cookie can both be wanted
--- config
    location /t/both {
        auth_basic "b";
        auth_basic_user_file $TEST_NGINX_HTML_DIR/users;
        agilicus_token on;
        agilicus_token_source cookie=token;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- source: header
--- request eval
[("GET /t/both") x 4]
--- more_headers eval
["Authorization: Basic dTpw\nCookie: token=cookie-canary-8", "Cookie: token=cookie-canary-8",
 "Authorization: Basic dTpw", "Authorization: Basic dTp4\nCookie: token=cookie-canary-8"]
--- error_code eval
[200, 401, 401, 401]
--- response_headers eval
["! WWW-Authenticate", "WWW-Authenticate: Basic realm=\"b\"",
 "WWW-Authenticate: Bearer realm=\"agilicus\"", "WWW-Authenticate: Basic realm=\"b\""]



=== TEST 18: the token is taken before anything is rewritten
--- config
    location /from { rewrite ^ /t/to? last; }
    location /added { rewrite ^ /t/to?access_token=query-canary-12 last; }
--- source: query=access_token
--- request eval
["GET /from?access_token=query-canary-11", "GET /added", "GET /from?access_token=a%20b"]
--- error_code eval
[200, 401, 400]
--- response_body_like eval
["Bearer query-canary-11", "401", "400"]



=== TEST 19: the arguments of a part are not the client's
--- config
    location /ssi {
        ssi on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /part {
        agilicus_token on;
        agilicus_token_source query=access_token;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- source: header
--- request eval
["GET /ssi", "GET /ssi?access_token=query-canary-13"]
--- response_body_like eval
["^\\[.*401 Authorization Required.*\\]\$", "^\\[/part\\|Bearer query-canary-13\\|\n\\]\$"]



=== TEST 20: a token in the query is challenged as any other
--- source: query=access_token
--- request eval
["GET /t?access_token=known-to-nobody-canary", "GET /t"]
--- error_code eval
[401, 401]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"\nCache-Control: no-store",
 "WWW-Authenticate: Bearer realm=\"agilicus\"\nCache-Control: no-store"]



=== TEST 21: a token that came by cookie or header leaves caching alone
--- source: header query=access_token cookie=token
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["Cookie: token=cookie-canary-9", "Authorization: Bearer header-canary-1"]
--- response_headers eval
[("! Cache-Control") x 2]



=== TEST 22: an empty cookie is no token, also beside others
--- source: header cookie=token
--- request eval
[("GET /t") x 4]
--- more_headers eval
["Cookie: token=", "Cookie: a=1; token=; b=2", "Cookie: token= ;a=1", "Cookie: a=1\nCookie: token="]
--- error_code eval
[(401) x 4]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\"") x 4]



=== TEST 23: beside an empty cookie the header or the query counts
--- source: header cookie=token query=access_token
--- request eval
["GET /t", "GET /t?access_token=query-canary-1", "GET /t?access_token="]
--- more_headers eval
["Cookie: token=\nAuthorization: Bearer header-canary-1", "Cookie: token=", "Cookie: token="]
--- error_code eval
[200, 200, 400]
