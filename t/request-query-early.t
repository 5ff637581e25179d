# A token in the query is out of the request before anything of its location
# can read it, and whatever ends the request: before the look-up, after a
# redirect, in parts of a page.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $mock = MockAPI->start(
    tokens => { map({ ("query-canary-$_" => {}) } 1 .. 40) },
);

stop_with_tests($mock);
secrets('canary-');
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    log_format target '<$request|$args|$request_uri|$arg_t>';
    limit_req_zone $uri zone=one:1m rate=1r/m;
    map $args $mapped { default $args; }
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "$request_uri|$http_authorization|$http_x_seen\n"; }
        location /accel {
            add_header X-Accel-Redirect $http_x_to;
            return 200;
        }
        location /page {
            default_type text/html;
            return 200 '[<!--#include virtual="/part?p&t=query-canary-30" -->]';
        }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_source query=t;
EOC

my $config = <<'EOC';
    access_log $TEST_NGINX_HTML_DIR/target.log target;
    location = /target.log {
        agilicus_token off;
        access_log off;
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => $http_config);
    $block->set_value(config => $config . $block->config);
});

plan tests => blocks() * 2 + 28;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: what limit_req refuses is not logged with its token
--- config
    agilicus_token on;
    location /t {
        limit_req zone=one;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t?a=1&t=query-canary-1&b", "GET /t?a=1&t=query-canary-1&b", "GET /target.log"]
--- error_code eval
[200, 503, 200]
--- response_body_like eval
["^/t\\?a=1&b\\|Bearer query-canary-1\\|", "503",
 "\\A(?:<GET /t\\?a=1&b HTTP/1.1\\|a=1&b\\|/t\\?a=1&b\\|->\n){2}\\z"]



=== TEST 2: "set", "if" and "rewrite" of the location see none
--- config
    agilicus_token on;
    location /set {
        set $a "$arg_t,$args,$request_uri,$request,$query_string";
        proxy_set_header X-Seen $a;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /map {
        set $a $mapped;
        proxy_set_header X-Seen $mapped;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /if {
        if ($args ~ (canary.*)) { return 403 "seen $1"; }
        if ($request_uri ~ (canary.*)) { return 403 "seen $1"; }
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /rewrite {
        rewrite ^ /new?was=$arg_t break;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[map { "GET /$_?x&t=query-canary-2" } qw(set map if rewrite)]
--- response_body eval
["/set?x|Bearer query-canary-2|,x,/set?x,GET /set?x HTTP/1.1,x\n", "/map?x|Bearer query-canary-2|x\n",
 "/if?x|Bearer query-canary-2|\n", "/new?was=&x|Bearer query-canary-2|\n"]



=== TEST 3: nor does what answers before the access phase
--- config
    agilicus_token on;
    location /return { return 200 "$args|$request_uri|$request\n"; }
    location /moved { rewrite ^ /there redirect; }
    location /large { client_max_body_size 1; }
    location /short { if ($arg_x) { return 404; } }
--- request eval
["GET /return?t=query-canary-3&x", "GET /moved?t=query-canary-3&x", "POST /large?t=large-3&x\ntoo large",
 "GET /short?x=1&t=query-canary-3", "GET /target.log"]
--- error_code eval
[200, 302, 413, 404, 200]
--- response_body_like eval
["^x\\|/return\\?x\\|GET /return\\?x HTTP/1.1\n\\z", "302", "413", "404",
 "\\A<GET /return\\?x HTTP/1.1\\|x\\|/return\\?x\\|->\n<GET /moved\\?x HTTP/1.1\\|x\\|/moved\\?x\\|->\n"
 . "<POST /large\\?x HTTP/1.1\\|x\\|/large\\?x\\|->\n<GET /short\\?x=1 HTTP/1.1\\|x=1\\|/short\\?x=1\\|->\n\\z"]



=== TEST 4: what a server answers that enforces is not logged with its token
--- config
    agilicus_token on;
    if ($request_method = PUT) { return 405; }
--- request eval
["PUT /t?t=query-canary-4", "GET /target.log"]
--- error_code eval
[405, 200]
--- response_body_like eval
["405", "\\A<PUT /t HTTP/1.1\\|\\|/t\\|->\n\\z"]



=== TEST 5: after a redirect, a named location and an error page see none
--- config
    agilicus_token on;
    location /last { rewrite ^ /inner?y=1 last; }
    location /inner {
        set $a "$args|$request_uri";
        return 200 "$a\n";
    }
    location /try {
        try_files /nowhere @named;
    }
    location @named {
        agilicus_token on;
        set $a "$args|$request_uri";
        proxy_set_header X-Seen $a;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /accel {
        agilicus_token off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /closed {
        error_page 404 = /inner?$args;
        return 404;
    }
--- request eval
["GET /last?t=query-canary-5&x", "GET /try?t=query-canary-5&x", "GET /accel?t=query-canary-5&x",
 "GET /closed?t=query-canary-5&x"]
--- more_headers
X-To: /inner?t=query-canary-6&z
--- response_body eval
["y=1&x|/last?x\n", "/try?x|Bearer query-canary-5|x|/try?x\n", "z|/accel?x\n", "x|/closed?x\n"]



=== TEST 6: a part has arguments of its own, which are cut as the page's are
--- config
    location /page {
        ssi on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /part {
        agilicus_token on;
        set $a "$args|$request_uri";
        proxy_set_header X-Seen $a;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /page?t=query-canary-7&x", "GET /target.log"]
--- response_body_like eval
["\\A\\[/part\\?p\\|Bearer query-canary-7\\|p\\|/page\\?x\n\\]\\z",
 "\\A<GET /page\\?x HTTP/1.1\\|x\\|/page\\?x\\|->\n\\z"]



=== TEST 7: a location that enforces nothing keeps its query
--- config
    agilicus_token on;
    location /open {
        agilicus_token off;
        set $a $args;
        return 200 "$a|$request_uri\n";
    }
--- request
GET /open?t=open-7&x
--- response_body
t=open-7&x|/open?t=open-7&x
