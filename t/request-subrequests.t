# Requests within requests, and more ways into a location and out of it: parts
# of parts, what another location asks, what follows a request, redirects, files
# that are written, and other protocols upstream.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

sub with { my (%token) = @_; return { token => \%token } }

my $mock = MockAPI->start(
    tokens => {
        map({ ("good-$_" => {}) } 1 .. 40),
        map({ ("one-$_" => with(scopes => [ 'one' ])) } 1 .. 5),
        map({ ("two-$_" => with(scopes => [ 'one', 'two' ])) } 1 .. 5),
        'ruled-1' => with(hosts => [ {
            upstream_host => 'localhost', allowed_list => [
                { methods => [ 'get' ], paths => [ '/page', '/part/a' ] },
                { methods => [ 'all' ], paths => [ '/checked' ] } ] } ]),
    },
);

stop_with_tests($mock);
secrets(qw(good- unknown- one- two- ruled-));
free_port('UPSTREAM_PORT');
free_port('H2_PORT');

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed $request_uri\n"; }
        location = /page {
            default_type text/html;
            return 200 '[<!--#include virtual="/part/a" --><!--#include virtual="/part/b" -->]';
        }
        location = /outer {
            default_type text/html;
            return 200 '[<!--#include virtual="/inner" -->]';
        }
        location = /inner {
            default_type text/html;
            return 200 '(<!--#include virtual="/part/b" -->)';
        }
        location = /twice {
            default_type text/html;
            return 200 '[<!--#include virtual="/part/b" --><!--#include virtual="/part/b" -->]';
        }
        location = /accel {
            add_header X-Accel-Redirect $http_x_to;
            return 200;
        }
        location = /gone { return 404; }
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_H2_PORT http2;
        location / {
            add_header grpc-status 0;
            return 200 "called $request_uri $http_authorization\n";
        }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
EOC

my $config = <<'EOC';
    location ~ ^/_(calls|reset) {
        agilicus_token off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT;
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    my $text = $block->config;

    $text =~ s{UP;}{proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;}g;

    $block->set_value(http_config => $http_config);
    $block->set_value(config => $config . $text);
    $block->set_value(user_files => ">>> page.html\npage\n"
                                    . ">>> dav/there\nthere\n");
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 2 + 103);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: text that is added before a page is protected by its own location
--- config
    location = /page.html { add_before_body /part; }
    location /part { agilicus_token on; UP; }
--- request eval
[("GET /page.html") x 3]
--- more_headers eval
["", "Authorization: Bearer unknown-1", "Authorization: Bearer good-1"]
--- error_code eval
[(200) x 3]
--- response_body_like eval
["^<html>.*401 Authorization Required(?s:.*)page\n\\z", "^<html>.*401 Authorization Required(?s:.*)page\n\\z",
 "^passed /part\npage\n\\z"]



=== TEST 2: each part of a page has requirements of its own
--- config
    agilicus_token on;
    location = /page { ssi on; UP; }
    location = /part/a { agilicus_token_require_scopes one; UP; }
    location = /part/b { agilicus_token_require_scopes two; UP; }
--- request eval
[("GET /page") x 4]
--- more_headers eval
["", map { "Authorization: Bearer $_" } "good-2", "one-1", "two-1"]
--- error_code eval
[401, 200, 200, 200]
--- response_body_like eval
["401", "^\\[<html>(?s:.*)403 Forbidden(?s:.*)403 Forbidden(?s:.*)\\]\$",
 "^\\[passed /part/a\n<html>(?s:.*)403 Forbidden(?s:.*)\\]\$", "^\\[passed /part/a\npassed /part/b\n\\]\$"]



=== TEST 3: a part of a part is checked as well
--- config
    location = /outer { ssi on; UP; }
    location = /inner { ssi on; UP; }
    location = /part/b { agilicus_token on; UP; }
--- request eval
[("GET /outer") x 3]
--- more_headers eval
["", "Authorization: Bearer unknown-2", "Authorization: Bearer good-3"]
--- response_body_like eval
[("^\\[\\(<html>(?s:.*)401 Authorization(?s:.*)\\)\\]\$") x 2, "^\\[\\(passed /part/b\n\\)\\]\$"]



=== TEST 4: the parts of a page that wait for one token ask once
--- config
    location = /twice { ssi on; UP; }
    location = /part/b { agilicus_token on; UP; }
--- request eval
["GET /twice", "GET /_calls?token=good-4"]
--- more_headers
Authorization: Bearer good-4
--- response_body eval
["[passed /part/b\npassed /part/b\n]", "1\n"]



=== TEST 5: a part has a path of its own for rules, and its own method
--- config
    agilicus_token on;
    agilicus_token_rules on;
    location = /page { ssi on; UP; }
    location /part/ { UP; }
--- request eval
["GET /page", "GET /part/b"]
--- more_headers
Authorization: Bearer ruled-1
--- error_code eval
[200, 403]
--- response_body_like eval
["^\\[passed /part/a\n<html>(?s:.*)403 Forbidden(?s:.*)\\]\$", "403"]



=== TEST 6: another location that asks a protected one follows its answer
--- config
    location /t { auth_request /checked; UP; }
    location = /checked { agilicus_token on; agilicus_token_require_scopes one; UP; }
--- request eval
[("GET /t") x 4, "POST /t\nx"]
--- more_headers eval
["", map { "Authorization: Bearer $_" } "unknown-3", "good-5", "one-2", "one-2"]
--- error_code eval
[401, 401, 403, 200, 200]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\"",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"", ("! WWW-Authenticate") x 3]
--- response_body_like eval
["401", "401", "403", "^passed /t\$", "^passed /t\$"]



=== TEST 7: both may be protected, each in its own way
--- config
    location /t { agilicus_token on; agilicus_token_require_scopes two; auth_request /checked; UP; }
    location = /checked { agilicus_token on; agilicus_token_rules on; UP; }
--- request eval
[("GET /t") x 2]
--- more_headers eval
[map { "Authorization: Bearer $_" } "two-2", "ruled-1"]
--- error_code eval
[403, 403]
--- response_headers eval
["! WWW-Authenticate",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"insufficient_scope\", scope=\"two\""]



=== TEST 8: what follows a request is checked where it ends
--- config
    location /t {
        post_action /_after;
        UP;
    }
    location = /_after {
        internal;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/after;
    }
--- request eval
["GET /_reset", "GET /t", "GET /_calls?path=/after", "GET /t", "GET /_calls?path=/after"]
--- more_headers eval
["", "Authorization: Bearer unknown-4", "", "Authorization: Bearer good-6", ""]
--- response_body eval
["ok\n", "passed /t\n", "0\n", "passed /t\n", "1\n"]



=== TEST 9: a refused request changes no file
--- config
    location /dav/ {
        agilicus_token on;
        agilicus_token_require_scopes one;
        dav_methods PUT DELETE MKCOL COPY MOVE;
        create_full_put_path on;
        limit_except PUT DELETE MKCOL COPY MOVE { agilicus_token off; }
    }
--- request eval
["DELETE /dav/there", "PUT /dav/new\nx", "MKCOL /dav/folder/", "COPY /dav/there", "MOVE /dav/there", "DELETE /dav/there",
 "GET /dav/there", "GET /dav/new", "GET /dav/copy"]
--- more_headers eval
["", "", "", map({ "Destination: /dav/copy\n$_" } "", ""), "Authorization: Bearer good-7", "", "", ""]
--- error_code eval
[(401) x 5, 403, 200, 404, 404]



=== TEST 10: a method that is let out is let out
--- config
    location /t {
        agilicus_token on;
        limit_except POST { agilicus_token off; }
        UP;
    }
--- request eval
["GET /t", "HEAD /t", "DELETE /t", "POST /t\nx", "BREW /t"]
--- error_code eval
[200, 200, 200, 401, 200]



=== TEST 11: gRPC calls are checked as any request
--- config
    location ~ ^/ {
        agilicus_token on;
        agilicus_token_require_scopes one;
        grpc_pass grpc://127.0.0.1:$TEST_NGINX_H2_PORT;
    }
--- request eval
[("POST /pkg.Service/Method\nx") x 4]
--- more_headers eval
["Content-Type: application/grpc", map { "Content-Type: application/grpc\nTE: trailers\nAuthorization: Bearer $_" }
 "unknown-5", "good-8", "one-3"]
--- error_code eval
[401, 401, 403, 200]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\"\n! grpc-status",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"\n! grpc-status",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"insufficient_scope\", scope=\"one\"\n! grpc-status",
 "! WWW-Authenticate\ngrpc-status: 0"]
--- response_body_like eval
["401", "401", "403", "^called /pkg.Service/Method Bearer one-3\$"]



=== TEST 12: another location's error page is no way round
--- config
    location /gone {
        error_page 404 = /inner;
        proxy_intercept_errors on;
        UP;
    }
    location /inner { agilicus_token on; UP; }
    location /limited {
        deny all;
        error_page 403 /inner;
        UP;
    }
--- request eval
["GET /gone", "GET /gone", "GET /limited", "GET /limited"]
--- more_headers eval
["", "Authorization: Bearer good-9", "", "Authorization: Bearer good-9"]
--- error_code eval
[401, 200, 401, 403]
--- response_body_unlike eval
["passed|\\(", "404", "passed|\\(", "404"]



=== TEST 13: a protected location that refuses does not lead on to an open one
--- config
    location /t {
        agilicus_token on;
        error_page 401 403 @open;
        UP;
    }
    location @open { UP; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["", "Authorization: Bearer good-10"]
--- error_code eval
[401, 200]
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\"\nCache-Control: no-store", "! WWW-Authenticate"]



=== TEST 14: X-Accel-Redirect to a named location, and with a query, is checked there
--- config
    location = /accel { UP; }
    location @named { agilicus_token on; agilicus_token_require_scopes one; rewrite ^ /x break; UP; }
    location /inner { internal; agilicus_token on; agilicus_token_require $arg_y; UP; }
--- request eval
[("GET /accel") x 5]
--- more_headers eval
["X-To: \@named", "X-To: \@named\nAuthorization: Bearer good-11", "X-To: \@named\nAuthorization: Bearer one-4",
 "X-To: /inner?y=1\nAuthorization: Bearer good-11", "X-To: /inner?y=0\nAuthorization: Bearer good-11"]
--- error_code eval
[401, 403, 200, 200, 403]



=== TEST 15: requests of a location that is protected by another method are its own
--- config
    location /t {
        agilicus_token report;
        auth_basic "b";
        auth_basic_user_file $TEST_NGINX_HTML_DIR/none;
        UP;
    }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["", "Authorization: Bearer good-12"]
--- error_code eval
[401, 401]
--- response_headers eval
[("WWW-Authenticate: Basic realm=\"b\"\n! Cache-Control") x 2]



=== TEST 16: after a redirect from one protected location to the next, each decides for itself
--- config
    agilicus_token on;
    location /a { agilicus_token_require_scopes one; rewrite ^ /b last; }
    location /b { agilicus_token_require_scopes two; UP; }
    location /c { agilicus_token_require_scopes two; try_files /nowhere /d; }
    location /d { agilicus_token_require_scopes one; UP; }
    location /e { agilicus_token_require_scopes two; try_files /nowhere @f; }
    location @f { agilicus_token_require_scopes three; UP; }
--- request eval
["GET /a", "GET /a", "GET /c", "GET /c", "GET /d", "GET /e"]
--- more_headers eval
[map { "Authorization: Bearer $_" } "one-5", "two-3", "one-5", "two-3", "one-5", "two-3"]
--- error_code eval
[403, 200, 403, 200, 200, 403]
--- response_headers eval
[map { $_ ? "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"insufficient_scope\", scope=\"$_\"" : "! WWW-Authenticate" }
 "two", "", "two", "", "", "three"]



=== TEST 17: where an error page leads to a location that allows, no challenge is left
--- config
    agilicus_token on;
    location /a { agilicus_token_require_scopes two; error_page 403 = @allows; UP; }
    location /b { agilicus_token_require_scopes two; error_page 403 =200 /allows; UP; }
    location /c { agilicus_token_require_scopes two; error_page 403 @allows; UP; }
    location /d {
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
        error_page 503 = @allows;
        UP;
    }
    location @allows { UP; }
    location /allows { UP; }
--- request eval
["GET /a", "GET /b", "GET /c", "GET /d"]
--- more_headers eval
[map { "Authorization: Bearer one-$_" } 1 .. 4]
--- error_code eval
[200, 200, 403, 200]
--- response_headers eval
["! WWW-Authenticate\nCache-Control: no-store", "! WWW-Authenticate",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"insufficient_scope\", scope=\"two\"",
 "! WWW-Authenticate\n! Retry-After"]
--- response_body_like eval
[("^passed") x 4]
