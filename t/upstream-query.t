# What is left of a token in the query once it has been taken: in all forms in
# which nginx sends a request upstream, in variables, after redirects, and in
# how the response may be kept.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $mock = MockAPI->start(
    tokens => {
        map({ ("query-canary-$_" => {}) } 1 .. 60),
        map({ ("cookie-canary-$_" => {}) } 1 .. 20),
        'header-canary-1' => {},
        'x' x 4096 => {},
    },
);

stop_with_tests($mock);
secrets('canary-');
free_port('UPSTREAM_PORT');
free_port('H2_PORT');

my $http_config = <<'EOC';
    proxy_http_version 1.0;
    log_format target '<$request|$args|$request_uri|$arg_access_token>';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        large_client_header_buffers 4 32k;
        location / {
            return 200 "$request|$http_authorization|$http_x_seen\n";
        }
        location /public {
            add_header Cache-Control "public, max-age=60";
            return 200;
        }
        location /private {
            add_header Cache-Control "max-age=60, Private";
            return 200;
        }
        location /stored {
            add_header Cache-Control no-store;
            return 200;
        }
        location /one-field {
            add_header Cache-Control 'private="X-Name"';
            return 200;
        }
        location /accel {
            add_header X-Accel-Redirect $http_x_to;
            return 200;
        }
        location /missing { return 404; }
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_H2_PORT http2;
        location / {
            return 200 "$request_uri|$http_authorization\n";
        }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_source query=access_token;
EOC

my $config = <<'EOC';
    large_client_header_buffers 4 32k;
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => $http_config);
    $block->set_value(config => $config . $block->config);
    $block->set_value(user_files => ">>> page.html\npage\n");
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 2 + 79);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: an upstream path that is replaced has the rest of the query
--- config
    location /t/ {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/u/;
    }
--- request eval
["GET /t/a%20b?x=1&access_token=query-canary-1&y", "GET /t/?access_token=query-canary-1"]
--- response_body eval
["GET /u/a%20b?x=1&y HTTP/1.0|Bearer query-canary-1|\n", "GET /u/ HTTP/1.0|Bearer query-canary-1|\n"]



=== TEST 2: an upstream path that is passed on is the client's, byte for byte
--- config
    location ~ ^/ {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[map { "GET $_" } "/%61%2Fb//c;d/?access_token=query-canary-2&e=%zz", "/a/..;/%2e/b?e&access_token=query-canary-2",
 "/access_token=query-canary-3?access_token=query-canary-2", "/a&access_token=b?access_token=query-canary-2&?"]
--- response_body eval
[map { "GET $_ HTTP/1.0|Bearer query-canary-2|\n" } "/%61%2Fb//c;d/?e=%zz", "/a/..;/%2e/b?e",
 "/access_token=query-canary-3", "/a&access_token=b??"]



=== TEST 3: an upstream address made of variables has no token in it
--- config
    location /a/ {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT$request_uri;
    }
    location /b/ {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/v?$args;
    }
    location /c/ {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT$uri$is_args$query_string;
    }
--- request eval
["GET /a/%20?x&access_token=query-canary-4", "GET /b/?x=%20&access_token=query-canary-4&y",
 "GET /c/?access_token=query-canary-4", "GET /c/?access_token=query-canary-4&z"]
--- response_body eval
["GET /a/%20?x HTTP/1.0|Bearer query-canary-4|\n", "GET /v?x=%20&y HTTP/1.0|Bearer query-canary-4|\n",
 "GET /c/ HTTP/1.0|Bearer query-canary-4|\n", "GET /c/?z HTTP/1.0|Bearer query-canary-4|\n"]



=== TEST 4: no variable has the token, save the one that is there for it
--- config
    location /t {
        agilicus_token on;
        proxy_set_header X-Seen "$request $request_uri $args $query_string $is_args $arg_access_token $arg_x";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
    }
    location /u {
        agilicus_token on;
        proxy_set_header Authorization "";
        proxy_set_header X-Seen $agilicus_token_upstream;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
    }
--- request eval
["GET /t?x=1&access_token=query-canary-5", "GET /u?access_token=query-canary-5"]
--- response_body eval
["GET /?x=1 HTTP/1.0|Bearer query-canary-5|GET /t?x=1 HTTP/1.1 /t?x=1 x=1 x=1 ?  1\n",
 "GET / HTTP/1.0||query-canary-5\n"]



=== TEST 5: a variable that was read before has the token no more
--- config
    location /t {
        if ($request_uri ~ never) { return 404; }
        if ($request ~ never) { return 404; }
        if ($args ~ never) { return 404; }
        agilicus_token on;
        proxy_set_header X-Seen "$request $request_uri $args";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
    }
--- request
GET /t?x&access_token=query-canary-6
--- response_body
GET /?x HTTP/1.0|Bearer query-canary-6|GET /t?x HTTP/1.1 /t?x x



=== TEST 6: arguments that a rewrite carries along are cut too
--- config
    location /last { rewrite ^ /t?y=1 last; }
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /break {
        agilicus_token on;
        rewrite ^ /u?y=1 break;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /set {
        agilicus_token on;
        set $args "z&$args";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/u;
    }
--- request eval
[map { "GET /$_?x&access_token=query-canary-7" } qw(last break set)]
--- response_body eval
[map { "GET $_ HTTP/1.0|Bearer query-canary-7|\n" } "/t?y=1&x", "/u?y=1&x", "/u?z&x"]



=== TEST 7: where a request goes on to, nothing has the token in the query
--- config
    agilicus_token on;
    location /accel { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
    location /inner {
        internal;
        proxy_set_header X-Seen "$request $request_uri $args";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /try {
        try_files /nowhere @named;
    }
    location @named {
        agilicus_token off;
        proxy_set_header X-Seen "$request $request_uri $args";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /missing {
        proxy_intercept_errors on;
        error_page 404 = /inner/error?$args;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /accel?access_token=query-canary-8&x", "GET /try?access_token=query-canary-8&x",
 "GET /missing?access_token=query-canary-8&x"]
--- more_headers
X-To: /inner/accel?y
--- response_body eval
["GET /inner/accel?y HTTP/1.0|Bearer query-canary-8|GET /accel?x HTTP/1.1 /accel?x y\n",
 "GET /try?x HTTP/1.0|Bearer query-canary-8|GET /try?x HTTP/1.1 /try?x x\n",
 "GET /inner/error?x HTTP/1.0|Bearer query-canary-8|GET /missing?x HTTP/1.1 /missing?x x\n"]



=== TEST 8: a place that is not named is not looked at after a redirect either
--- config
    location /accel {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /inner {
        internal;
        agilicus_token on;
        agilicus_token_source header;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /accel?access_token=query-canary-9", "GET /accel"]
--- more_headers eval
["X-To: /inner", "X-To: /inner\nAuthorization: Bearer header-canary-1"]
--- error_code eval
[401, 401]
--- response_body_unlike eval
[("HTTP/1.0") x 2]



=== TEST 9: arguments that upstream redirects with are not the client's
--- config
    location /accel {
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /inner {
        internal;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /accel
--- more_headers
X-To: /inner?access_token=query-canary-10
--- error_code: 401



=== TEST 10: another service that is asked, and a mirror, see no token in the target
--- config
    location /t {
        agilicus_token on;
        auth_request /_asked;
        auth_request_set $asked $upstream_http_x_asked;
        proxy_set_header X-Seen $asked;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /_asked {
        internal;
        proxy_set_header X-Original-URI $request_uri;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/_service;
    }
    location = /_service {
        add_header X-Asked "$http_x_original_uri";
        return 204;
    }
    location /mirrored {
        agilicus_token on;
        mirror /_mirror;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /_mirror {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/copied$request_uri;
    }
    location = /_requests {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT;
    }
    location = /_reset {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT;
    }
--- request eval
["GET /t?x&access_token=query-canary-11", "GET /_reset", "GET /mirrored?x&access_token=query-canary-11",
 "GET /_requests?path=/copied/mirrored"]
--- response_body_like eval
["^GET /t\\?x HTTP/1.0\\|Bearer query-canary-11\\|/t\\?x\$", "ok", "^GET /mirrored\\?x ",
 "^(?!.*access_token).*\"/copied/mirrored\\?x\""]



=== TEST 11: gRPC upstream gets the target without the token
--- config
    location ~ ^/ {
        agilicus_token on;
        grpc_pass grpc://127.0.0.1:$TEST_NGINX_H2_PORT;
    }
--- request
GET /pkg.Service/Method?x&access_token=query-canary-12
--- response_body
/pkg.Service/Method?x|Bearer query-canary-12



=== TEST 12: several parameters may be named, and each is cut
--- config
    agilicus_token_source query=a query=b.c-d_e cookie=f cookie=g;
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t?a=query-canary-13&x", "GET /t?x&b.c-d_e=query-canary-13", "GET /t?access_token=taken-by-nobody",
 "GET /t?a=query-canary-13&b.c-d_e=query-canary-13", "GET /t?a=query-canary-13&b.c-d_e", "GET /t", "GET /t", "GET /t"]
--- more_headers eval
[("") x 5, map { "Cookie: $_" } "f=cookie-canary-1", "h; g=cookie-canary-1", "f=cookie-canary-1; g=cookie-canary-1"]
--- error_code eval
[200, 200, 401, 400, 400, 200, 200, 400]
--- response_body_like eval
["^GET /t\\?x HTTP/1.0\\|Bearer query-canary-13\\|", "^GET /t\\?x HTTP/1.0\\|Bearer query-canary-13\\|", "401", "400", "400",
 "^GET /t HTTP/1.0\\|\\|", "^GET /t HTTP/1.0\\|\\|", "400"]



=== TEST 13: a token in the query may be as long as any, and so may the rest
--- config
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[map { "GET /t?$_" } "access_token=" . "x" x 4096, "access_token=" . "x" x 4097, "access_token=" . "%78" x 4096,
 "access_token=" . "%78" x 4097, "a=" . "y" x 12000 . "&access_token=query-canary-14&b=" . "%7a" x 4000]
--- error_code eval
[200, 400, 200, 400, 200]
--- response_body_like eval
["^GET /t HTTP/1.0\\|Bearer x{4096}\\|", "400", "^GET /t HTTP/1.0\\|Bearer x{4096}\\|", "400",
 "^GET /t\\?a=y{12000}&b=(?:%7a){4000} HTTP/1.0\\|Bearer query-canary-14\\|"]



=== TEST 14: a cookie's token may be as long as any
--- config
    agilicus_token_source cookie=token;
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 3]
--- more_headers eval
[map { "Cookie: $_" } "token=" . "x" x 4096, "token=" . "x" x 4097,
 join("; ", map({ "c$_=d" } 1 .. 500), "token=cookie-canary-2", map { "d$_=e" } 1 .. 500)]
--- error_code eval
[200, 400, 200]



=== TEST 15: an answer to a token in the query is private
--- config
    location ~ ^/ {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /page.html { agilicus_token on; }
    location = /empty { agilicus_token on; try_files /nowhere =404; }
--- request eval
[map { "$_?access_token=query-canary-15" } "GET /public", "GET /private", "GET /stored", "GET /one-field", "GET /page.html",
 "HEAD /page.html", "GET /empty"]
--- raw_response_headers_like eval
["Cache-Control: public, max-age=60\r\n(?:.*\r\n)*Cache-Control: private", "Cache-Control: max-age=60, Private\r\n",
 "Cache-Control: no-store\r\n", "Cache-Control: private=\"X-Name\"\r\n(?:.*\r\n)*Cache-Control: private\r\n",
 ("Cache-Control: private\r\n") x 3]
--- error_code eval
[(200) x 6, 404]



=== TEST 16: private is said once
--- config
    location ~ ^/ {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[map { "GET /$_?access_token=query-canary-16" } qw(private stored)]
--- raw_response_headers_unlike eval
[("Cache-Control(?:.|\n|\r)*Cache-Control") x 2]



=== TEST 17: reporting cuts as enforcing does
--- config
    location /t {
        agilicus_token report;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[map { "GET /t?x&access_token=$_" } "query-canary-17", "a%20canary-b"]
--- response_body eval
["GET /t?x HTTP/1.0|Bearer query-canary-17|\n", "GET /t?x HTTP/1.0||\n"]



=== TEST 18: a location that enforces nothing leaves the query alone
--- config
    location /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /enforces {
        agilicus_token on;
    }
--- request
GET /t?x&access_token=taken-by-nobody
--- response_body
GET /t?x&access_token=taken-by-nobody HTTP/1.0||
--- response_headers
! Cache-Control



=== TEST 19: an address that is allowed does not keep the token in the query
--- config
    location /t {
        satisfy any;
        allow 127.0.0.1;
        deny all;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[map { "GET /t?x&access_token=$_" } "query-canary-18", "unknown-canary-1", "a%20canary-c"]
--- response_body_like eval
[("^GET /t\\?x HTTP/1.0\\|") x 3]



=== TEST 20: the key of a page cache has no token in it
--- config
    location /t {
        agilicus_token on;
        set $key "$request_uri";
        add_header X-Key "[$request_uri][$args]";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[map { "GET /t?x&access_token=query-canary-$_" } 19, 20]
--- response_headers eval
[("X-Key: [/t?x][x]") x 2]



=== TEST 21: a request whose token a subrequest looks at has none left either
--- config
    location /t {
        auth_request /_asked;
        add_header X-Left "[$request_uri][$args]";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/x;
    }
    location = /_asked {
        internal;
        agilicus_token on;
        try_files /page.html =404;
    }
--- request
GET /t?x&access_token=query-canary-21&y
--- response_headers
Cache-Control: private
X-Left: [/t?x&y][x&y]
--- response_body
GET /x?x&y HTTP/1.0||
