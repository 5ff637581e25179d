# Tokens among the protocols that a client of WebSocket offers: what is one, and
# what is left of it for upstream, variables and logs.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $mock = MockAPI->start(
    tokens => {
        map({ ("good-canary-$_" => {}) } 1 .. 40),
        map({ ("cookie-canary-$_" => {}) } 1 .. 10),
    },
);

stop_with_tests($mock);
secrets('canary-');
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    log_format protocols '<$http_sec_websocket_protocol>';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / {
            return 200 "[$http_authorization] [$http_sec_websocket_protocol] [$http_x_seen]\n";
        }
        location = /page {
            default_type text/html;
            return 200 '<!--#include virtual="/part" -->';
        }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_source subprotocol=bearer.;
    proxy_set_header X-Seen $http_sec_websocket_protocol;
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    my $text = $block->config;
    my $headers = $block->more_headers;

    $text =~ s{UP;}{proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;}g;

    s/^WS: (.*)$/Upgrade: websocket\nSec-WebSocket-Protocol: $1/mg
        for ref $headers ? @$headers : $headers;

    $block->set_value(http_config => $http_config);
    $block->set_value(config => $text);
    $block->set_value(more_headers => $headers);
    $block->set_value(user_files => ">>> page.html\npage\n");
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 2 + 54);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: the element goes upstream as credentials, and the others as they are
--- config
    location /t { agilicus_token on; UP; }
--- request eval
[("GET /t") x 6]
--- more_headers eval
["WS: chat, bearer.good-canary-1", "WS: bearer.good-canary-1,chat,soap", "WS: bearer.good-canary-1", "WS:  chat ,\tbearer.good-canary-1 ", "WS: chat\nSec-WebSocket-Protocol: bearer.good-canary-1",
 "Upgrade: h2c, WebSocket\nsec-websocket-protocol: bearer.good-canary-1, a"]
--- response_body eval
[map { "[Bearer good-canary-1] [$_] [$_]\n" } "chat", "chat,soap", "", "chat", "chat", "a"]



=== TEST 2: only on a GET that asks for WebSocket
--- config
    location /t { agilicus_token on; UP; }
    location /u { agilicus_token optional; UP; }
--- request eval
["GET /t", "GET /t", "POST /t", "HEAD /t", "GET /u"]
--- more_headers eval
["Sec-WebSocket-Protocol: bearer.good-canary-2", "Upgrade: websockets\nSec-WebSocket-Protocol: bearer.good-canary-2", ("WS: bearer.good-canary-2") x 2, "Sec-WebSocket-Protocol: bearer.x"]
--- error_code eval
[(401) x 4, 200]
--- response_body_like eval
[("401") x 3, "", "^\\[\\] \\[bearer.x\\]"]



=== TEST 3: what is no token, or two
--- config
    location /t { agilicus_token on; UP; }
    location /o { agilicus_token optional; UP; }
--- request eval
[("GET /t") x 8, ("GET /o") x 4]
--- more_headers eval
[(map { "WS: $_" } "chat", "BEARER.good-canary-3", "bearer", "bearer.", "bearer.a b", "bearer.good-canary-3, bearer.good-canary-3",
 "bearer.good-canary-3\nSec-WebSocket-Protocol: bearer.good-canary-3", "bearer." . "x" x 4097),
 (map { "WS: $_" } "chat", "chat, bearer.", "bearer.unknown-canary-1", "bearer.good-canary-3")]
--- error_code eval
[(401) x 3, (400) x 5, 200, 400, 401, 200]



=== TEST 4: beside another place, it is refused; the places of the location count
--- config
    location /t { agilicus_token on; agilicus_token_source header cookie=at query=q subprotocol=bearer. subprotocol=b64.; UP; }
    location /h { agilicus_token on; agilicus_token_source header; UP; }
--- request eval
["GET /t", "GET /t", "GET /t?q=good-canary-4", "GET /t", "GET /t", "GET /h"]
--- more_headers eval
["WS: bearer.good-canary-4\nAuthorization: Bearer good-canary-4", "WS: bearer.good-canary-4\nCookie: at=cookie-canary-1", "WS: bearer.good-canary-4",
 "WS: bearer.good-canary-4, b64.good-canary-4", "WS: b64.good-canary-4, chat", "WS: bearer.good-canary-4"]
--- error_code eval
[(400) x 4, 200, 401]
--- response_body_like eval
[("400") x 4, "^\\[Bearer good-canary-4\\] \\[chat\\]", "401"]



=== TEST 5: variables do not have it in the location, whatever reads them
--- config
    location /t { agilicus_token on; set $seen $http_sec_websocket_protocol; add_header X-Set "[$seen]" always; add_header X-Now "[$http_sec_websocket_protocol]" always; UP; }
    location /r { agilicus_token on; add_header X-Now "[$http_sec_websocket_protocol]" always; return 403; }
--- request eval
["GET /t", "GET /t", "GET /r"]
--- more_headers eval
["WS: bearer.good-canary-6, chat", "WS: bearer.a b, chat", "WS: bearer.good-canary-6, chat"]
--- error_code eval
[200, 400, 403]
--- response_headers eval
["X-Set: [chat]\nX-Now: [chat]", "X-Set: [chat]\nX-Now: [chat]", "X-Now: [chat]"]



=== TEST 6: parts of a page and redirects have the same token, and it stays cut
--- config
    location = /page { ssi on; agilicus_token on; UP; }
    location = /part { agilicus_token on; UP; }
    location /a { agilicus_token on; try_files /none /b; }
    location /b { agilicus_token on; UP; }
    location /c { agilicus_token on; try_files /none /d; }
    location /d { agilicus_token off; UP; }
--- request eval
["GET /page", "GET /a", "GET /c"]
--- more_headers eval
[("WS: chat, bearer.good-canary-7") x 3]
--- response_body eval
[("[Bearer good-canary-7] [chat] [chat]\n") x 3]



=== TEST 7: behind auth_request it is cut out of the request itself, too
--- config
    location /t { auth_request /check; UP; }
    location = /check { internal; agilicus_token on; root html; try_files /page.html =404; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["WS: chat, bearer.good-canary-8", "WS: chat, bearer.unknown-canary-2"]
--- error_code eval
[200, 401]
--- response_body_like eval
["^\\[\\] \\[chat\\] \\[chat\\]", "401"]



=== TEST 8: where the token is not forwarded, nothing of it is
--- config
    location /t { agilicus_token on; agilicus_token_forward off; UP; }
    location /r { agilicus_token report; UP; }
    location /s { satisfy any; allow all; agilicus_token on; UP; }
--- request eval
["GET /t", "GET /r", "GET /s"]
--- more_headers eval
["WS: chat, bearer.good-canary-9", "WS: chat, bearer.unknown-canary-3", "WS: chat, bearer.good-canary-9"]
--- response_body eval
["[] [chat] [chat]\n", "[Bearer unknown-canary-3] [chat] [chat]\n", "[Bearer good-canary-9] [chat] [chat]\n"]



=== TEST 9: a location that does not enforce leaves it
--- config
    location /t { agilicus_token off; UP; }
    location /on { agilicus_token on; UP; }
--- request
GET /t
--- more_headers
WS: chat, bearer.x
--- response_body
[] [chat, bearer.x] [chat, bearer.x]



=== TEST 10: a server that ends the request does not log it
--- config
    agilicus_token on;
    add_header X-Now "[$http_sec_websocket_protocol]" always;
    return 403;
--- request
GET /t
--- more_headers
WS: chat, bearer.good-canary-10
--- error_code: 403
--- response_headers
X-Now: [chat]
