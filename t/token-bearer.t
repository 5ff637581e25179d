# The token in the Authorization header: which fields are one, which are none,
# and which are refused before the API is asked.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

# Whatever reaches the API is a good token, so anything that gets through by
# mistake shows.  Blocks without a configuration have an API that is not
# there: a call would leave an [error].

my $mock = MockAPI->start(default => {});

stop_with_tests($mock);
secrets(qw(canary- once any-case spaced sourced in-step in-cookie
           elsewhere 12345678));
free_port('UPSTREAM_PORT');

my $unreachable = <<'EOC';
    location = /t {
        agilicus_token on;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
EOC

my $upstream = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "$request_method $http_authorization\n"; }
        location /_calls {
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT;
        }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => $upstream);
    $block->set_value(config => $unreachable) if !defined $block->config;
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 3 + 94);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a request without a token is refused without an error code
--- request
GET /t
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus"
--- no_error_log
[error]



=== TEST 2: a good token passes, and the API is asked about it once
--- config
    location = /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /_calls {
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /_calls?token=once"]
--- more_headers
Authorization: Bearer once
--- response_body eval
["GET Bearer once\n", "1\n"]



=== TEST 3: header name and scheme are found in any case
--- config
    location = /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
aUTHORIZATION: bEaReR any-case
--- response_body
GET bEaReR any-case
--- no_error_log
[error]



=== TEST 4: several spaces may stand before the token
--- config
    location = /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer    spaced
--- response_body
GET Bearer    spaced
--- no_error_log
[error]



=== TEST 5: "agilicus_token_source header" is the default written out
--- config
    location = /t {
        agilicus_token on;
        agilicus_token_source header;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer sourced
--- response_body
GET Bearer sourced
--- no_error_log
[error]



=== TEST 6: other schemes are no bearer token
--- request eval
[("GET /t") x 6]
--- more_headers eval
["Authorization: Basic dTpw", "Authorization: DPoP dpop-token",
 "Authorization: Digest username=\"u\"", "Authorization: Token abc",
 "Authorization: Negotiate YII=", "Authorization: "]
--- error_code eval
[(401) x 6]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\"") x 6]
--- no_error_log
[error]



=== TEST 7: the scheme is the whole first word, and found nowhere else
--- request eval
[("GET /t") x 7]
--- more_headers eval
["Authorization: Basic Bearer tok", "Authorization: XBearer tok",
 "Authorization: Bearertok", "Authorization: Digest x=\"Bearer tok\"",
 "Authorization: Beare tok", "Authorization: Bearer-tok",
 "Authorization: Bearers tok"]
--- error_code eval
[(401) x 7]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\"") x 7]
--- no_error_log
[error]



=== TEST 8: the scheme alone is malformed
--- request eval
[("GET /t") x 2]
--- more_headers eval
["Authorization: Bearer", "Authorization: Bearer  "]
--- error_code eval
[(400) x 2]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_request\"") x 2]
--- no_error_log
[error]



=== TEST 9: two tokens, and lists of credentials, are malformed
--- request eval
[("GET /t") x 5]
--- more_headers eval
["Authorization: Bearer a b", "Authorization: Bearer a, Basic eA==",
 "Authorization: Bearer a,Bearer b", "Authorization: Bearer a;b",
 "Authorization: Bearer Bearer a"]
--- error_code eval
[(400) x 5]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_request\"") x 5]
--- no_error_log
[error]



=== TEST 10: only spaces separate scheme and token
--- request eval
[("GET /t") x 3]
--- more_headers eval
["Authorization: Bearer\ttok", "Authorization: Bearer \ttok",
 "Authorization: Bearer=tok"]
--- error_code eval
[(400) x 3]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_request\"") x 3]
--- no_error_log
[error]



=== TEST 11: a token may have all characters of token68
--- config
    location = /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer azAZ09-._~+/==
--- response_body
GET Bearer azAZ09-._~+/==
--- no_error_log
[error]



=== TEST 12: "=" stands at the end only
--- request eval
[("GET /t") x 3]
--- more_headers eval
["Authorization: Bearer a=b", "Authorization: Bearer =",
 "Authorization: Bearer =a"]
--- error_code eval
[(400) x 3]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_request\"") x 3]
--- no_error_log
[error]



=== TEST 13: a token has no other characters
--- request eval
[("GET /t") x 9]
--- more_headers eval
[map { "Authorization: Bearer a${_}b" }
     '"', '%20', ':', '$', '{', "\\", "\x{7f}", "\x{c3}\x{a9}", "\x{01}"]
--- error_code eval
[(400) x 9]
--- no_error_log
[error]



=== TEST 14: a token of one character, and one of 4096, are good
--- config
    location = /t {
        agilicus_token on;
        proxy_set_header Authorization "";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["Authorization: Bearer o", "Authorization: Bearer " . "x" x 4096]
--- response_body eval
["GET \n", "GET \n"]



=== TEST 15: a longer token never leaves the machine
--- request
GET /t
--- more_headers eval
"Authorization: Bearer " . "y" x 4097
--- error_code: 400
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_request"
--- no_error_log
[error]



=== TEST 16: the longest token can be set
--- config
    location = /t {
        agilicus_token on;
        agilicus_token_max_size 8;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["Authorization: Bearer 12345678", "Authorization: Bearer 123456789"]
--- error_code eval
[200, 400]
--- response_body_like eval
["^GET Bearer 12345678\$", "400 Bad Request"]



=== TEST 17: a token that fits nginx's own buffers may still be too long
--- config
    large_client_header_buffers 4 64k;
    location = /t {
        agilicus_token on;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers eval
"Authorization: Bearer " . "z" x (60 * 1024)
--- error_code: 400
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_request"
--- no_error_log
[error]



=== TEST 18: a long token is asked about where the limit allows it
--- config
    large_client_header_buffers 4 64k;
    location = /t {
        agilicus_token on;
        agilicus_token_max_size 60k;
        proxy_set_header Authorization "";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers eval
"Authorization: Bearer " . "w" x (60 * 1024)
--- response_body eval
"GET \n"
--- no_error_log
[error]



=== TEST 19: a token in the query is none by default
--- request
GET /t?access_token=in-query
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus"
--- no_error_log
[error]



=== TEST 20: a token in a form is none
--- request
POST /t
access_token=in-form
--- more_headers
Content-Type: application/x-www-form-urlencoded
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus"
--- no_error_log
[error]



=== TEST 21: a token in a cookie, or in another header, is none by default
--- request eval
[("GET /t") x 4]
--- more_headers eval
["Cookie: access_token=in-cookie; token=in-cookie",
 "Proxy-Authorization: Bearer elsewhere", "X-Authorization: Bearer elsewhere",
 "Authorization-X: Bearer elsewhere"]
--- error_code eval
[(401) x 4]
--- response_headers eval
[("WWW-Authenticate: Bearer realm=\"agilicus\"") x 4]
--- no_error_log
[error]



=== TEST 22: HEAD is answered with the headers of GET, and no body
--- request
HEAD /t
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus"
Cache-Control: no-store
--- response_body
--- no_error_log
[error]



=== TEST 23: a body that a refusal leaves unread is not the next request
--- config
    location = /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- pipelined_requests eval
["POST /t\nGET /t HTTP/1.1", "GET /t"]
--- more_headers eval
["Authorization: Basic dTpw", "Authorization: Bearer in-step"]
--- error_code eval
[401, 200]
--- response_body_like eval
["401 Authorization Required", "^GET Bearer in-step\$"]



=== TEST 24: methods with a meaning of their own do not get around it
--- raw_request eval
["TRACE /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"]
--- error_code: 405
--- response_body_unlike: TRACE
--- no_error_log
[error]



=== TEST 25: unknown methods are checked as any other
--- request
BREW /t
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus"
--- no_error_log
[error]



=== TEST 26: a malformed token is in no line of the module, nor in the answer
--- request
GET /t
--- more_headers
Authorization: Bearer canary-malformed"
--- error_code: 400
--- response_body_unlike: canary
--- raw_response_headers_unlike: canary
--- no_error_log eval
qr/agilicus token[^"]*canary/



=== TEST 27: the reason of a refusal is logged without the token
--- request
GET /t
--- more_headers
Authorization: Bearer canary-malformed"
--- error_code: 400
--- grep_error_log eval
qr/agilicus token: .*?, client/
--- grep_error_log_out
agilicus token: rejected: malformed, syntax: header: no token by its syntax, client
--- no_error_log
[error]



=== TEST 28: a token that is remembered is too long where less is allowed
--- config
    agilicus_token on;
    location = /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /short {
        agilicus_token_max_size 16;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /t", "GET /short"]
--- more_headers
Authorization: Bearer canary-known-by-now
--- error_code eval
[200, 200, 400]
--- no_error_log
[error]
