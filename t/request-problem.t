# "agilicus_token_error_body problem": refusals of the module have a body in
# JSON, wherever nginx would send its own page, and no other response has it.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $mock = MockAPI->start(
    tokens => {
        map({ ("good-$_" => {}) } 1 .. 20),
        'known-and-long-enough' => {},
        out => 503,
    },
);

stop_with_tests($mock);
secrets(qw(good- unknown-));
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed\n"; }
        location = /no { return 401 "upstream refuses\n"; }
        location = /page {
            default_type text/html;
            return 200 '[<!--#include virtual="/part" -->]';
        }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_breaker off;
    agilicus_token_error_body problem;
EOC

my %title = (400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden',
             429 => 'Too Many Requests', 503 => 'Service Unavailable');

sub problem {
    my ($status) = @_;

    return qq({"type":"about:blank","title":"$title{$status}",)
           . qq("status":$status}\n);
}

add_block_preprocessor(sub {
    my ($block) = @_;

    my $text = $block->config;
    my $more = $block->http_config;

    $text =~ s{UP;}{proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;}g;

    $block->set_value(http_config => $http_config
                                     . (defined $more ? $more : ''));
    $block->set_value(config => $text);
    $block->set_value(user_files => ">>> page.html\npage\n");
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 2 + 80);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: each status of a refusal has its problem; headers are the same
--- config
    location /t { agilicus_token on; UP; }
    location /s { agilicus_token on; agilicus_token_require_scopes none; UP; }
--- request eval
[("GET /t") x 4, "GET /s"]
--- more_headers eval
["", map { "Authorization: Bearer $_" } "a b", "unknown-1", "out", "good-1"]
--- error_code eval
[401, 400, 401, 503, 403]
--- response_headers eval
[map { my ($s, $h) = @$_; "Content-Type: application/problem+json\nCache-Control: no-store\n$h\nContent-Length: " . length main::problem($s) }
 [401, 'WWW-Authenticate: Bearer realm="agilicus"'],
 [400, 'WWW-Authenticate: Bearer realm="agilicus", error="invalid_request"'],
 [401, 'WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"'],
 [503, "Retry-After: 1\n! WWW-Authenticate"],
 [403, 'WWW-Authenticate: Bearer realm="agilicus", error="insufficient_scope", scope="none"']]
--- response_body eval
[map { main::problem($_) } 401, 400, 401, 503, 403]



=== TEST 2: HEAD has the headers and no body, and the connection goes on
--- config
    location /t { agilicus_token on; UP; }
--- raw_request eval
"HEAD /t HTTP/1.1\r\nHost: x\r\n\r\nGET /t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
--- error_code: 401
--- response_headers eval
"Content-Type: application/problem+json\nContent-Length: " . length main::problem(401)
--- response_body_like eval
"^HTTP/1\\.1 401 "



=== TEST 3: an error page comes in its place
--- config
    location /t { agilicus_token on; error_page 401 /e; UP; }
    location = /e { agilicus_token off; default_type text/plain; return 200 "our own\n"; }
    location /u { agilicus_token on; error_page 401 = @n; UP; }
    location @n { agilicus_token off; return 401 "named\n"; }
    location /v { agilicus_token on; error_page 401 https://login.example/; UP; }
    location /w { agilicus_token on; error_page 401 /page.html; UP; }
    location = /page.html { agilicus_token off; root html; }
    location /x { agilicus_token on; error_page 401 /y; UP; }
    location /y { agilicus_token on; UP; }
--- request eval
["GET /t", "GET /u", "GET /v", "GET /w", "GET /x"]
--- error_code eval
[401, 401, 302, 401, 401]
--- response_headers eval
["Content-Type: text/plain", "Content-Type: text/plain", "Content-Type: text/html", "Content-Type: text/html", "Content-Type: application/problem+json"]
--- response_body_like eval
["^our own\n\$", "^named\n\$", "302 Found", "^page\n\$", "^.\"type\":\"about:blank\""]



=== TEST 4: what is no refusal of ours keeps its body
--- config
    location /off { agilicus_token off; deny all; UP; }
    location /on { agilicus_token on; deny all; UP; }
    location = /no { agilicus_token on; UP; }
    location /report { agilicus_token report; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/no; }
    location /any { satisfy any; allow 127.0.0.1; agilicus_token on; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/no; }
    location /missing { agilicus_token on; root html; }
    location /html { agilicus_token on; agilicus_token_error_body html; UP; }
--- request eval
["GET /off", "GET /on", "GET /no", "GET /report", "GET /any", "GET /missing", "GET /html"]
--- more_headers eval
["", ("Authorization: Bearer good-2") x 2, "", "", "Authorization: Bearer good-2", ""]
--- error_code eval
[403, 403, 401, 401, 401, 404, 401]
--- response_headers eval
[("Content-Type: text/html") x 2, ("Content-Type: text/plain") x 3, ("Content-Type: text/html") x 2]
--- response_body_like eval
["403 Forbidden", "403 Forbidden", ("^upstream refuses\n\$") x 3, "404 Not Found", "401 Authorization Required"]



=== TEST 5: a refusal under "satisfy any" has it, if it is ours
--- config
    location /t { satisfy any; deny all; agilicus_token on; UP; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["", "Authorization: Bearer out"]
--- error_code eval
[401, 503]
--- response_body eval
[main::problem(401), main::problem(503)]



=== TEST 6: limits of a client are a problem of their own
--- http_config
    agilicus_token_api_rate 500r/s per_client=1r/m burst=60s;
--- config
    location /t { agilicus_token on; UP; }
--- request eval
[("GET /t") x 4]
--- more_headers eval
[map { "Authorization: Bearer unknown-rate-$_-" . rand } 1 .. 4]
--- error_code eval
[401, (429) x 3]
--- response_body eval
[main::problem(401), (main::problem(429)) x 3]



=== TEST 7: a part of a page that is refused shows it in the page
--- config
    location = /page { ssi on; agilicus_token on; UP; }
    location = /part { agilicus_token on; agilicus_token_require_scopes none; UP; }
--- request
GET /page
--- more_headers
Authorization: Bearer good-3
--- response_headers
Content-Type: text/html
--- response_body eval
"[" . main::problem(403) . "]"



=== TEST 8: other filters take it as what it is
--- config
    location /t { agilicus_token on; gzip on; gzip_min_length 1; ssi on; charset utf-8; addition_types *; UP; }
    location /u { agilicus_token on; agilicus_token_require_scopes none; gzip on; gzip_min_length 1; gzip_types application/problem+json; UP; }
    location /v { auth_request /check; UP; }
    location = /check { internal; agilicus_token on; UP; }
--- request eval
["GET /t", "GET /u", "GET /v"]
--- more_headers eval
["", "Accept-Encoding: gzip\nAuthorization: Bearer good-4", ""]
--- error_code eval
[401, 403, 401]
--- response_headers eval
["Content-Type: application/problem+json", "Content-Encoding: gzip", "Content-Type: text/html"]



=== TEST 9: a sign-out has it too, and what is refused when the access phase is over
--- config
    location /signout { agilicus_token_revoke; }
    location /hide { agilicus_token on; agilicus_token_forward off; UP; }
--- request eval
["POST /signout", "GET /hide?x=known-and-long-enough", "GET /hide/known-and-long-enough"]
--- more_headers eval
["", ("Authorization: Bearer known-and-long-enough") x 2]
--- error_code eval
[401, 400, 400]
--- response_body eval
[main::problem(401), (main::problem(400)) x 2]
