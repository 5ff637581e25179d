# "agilicus_token optional": a request without any token passes as anonymous,
# with nothing of a user about it; a token that is presented must be good, as
# with "on".

use lib 't/lib';
use AgilicusTest;
use MockAPI;

sub with { my (%token) = @_; return { token => \%token } }

my $mock = MockAPI->start(
    tokens => {
        map({ ("good-$_" => {}) } 1 .. 30),
        masked  => with(masquerading => JSON::PP::true),
        past    => with(exp => 1000),
        refresh => with(refresh_token_jti => 'r'),
        revoked => 410,
        out     => 503,
        soon    => sub { { token => { exp => time + 2 } } },
    },
    paths => { 'POST /v1/api_keys/introspect' => 404 },
);

stop_with_tests($mock);
secrets(qw(good- unknown-));
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    proxy_cache_path $TEST_NGINX_HTML_DIR/pages keys_zone=pages:1m;
    map $agilicus_token_upstream $upstream { "" ""; default token; }
    map $agilicus_token_no_cache $mapped { "" no; default yes; }
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        add_header Cache-Control "public, max-age=60";
        location / {
            return 200 "[$http_authorization] [$http_cookie] [$http_x_seen] $request_uri\n";
        }
        location = /page {
            default_type text/html;
            return 200 '<!--#include virtual="/part" -->';
        }
        location = /accel { add_header X-Accel-Redirect /closed; return 200; }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_breaker off;
    add_header X-Why "[$agilicus_token_verdict,$agilicus_token_reason,$agilicus_token_sub$agilicus_token_org$agilicus_token_scopes$agilicus_token_exp$agilicus_token_cache$agilicus_token_age$agilicus_token_api_time$agilicus_token_fingerprint$upstream$agilicus_token_no_cache]" always;
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    my $text = $block->config;

    $text =~ s{UP;}{proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;}g;
    $text .= <<'EOC' if $text !~ /location =? ?\/calls/;
    location = /calls {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT/_calls;
    }
EOC

    $block->set_value(http_config => $http_config);
    $block->set_value(config => $text);
    $block->set_value(user_files => ">>> page.html\n" . "file\n" x 4000);
});

plan tests => blocks() + 173;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: without a token it passes, and no variable says anything but "anonymous"
--- config
    location /t {
        agilicus_token optional;
        agilicus_token_require_scopes none;
        agilicus_token_require_org $arg_nothing;
        agilicus_token_require_expiry on;
        agilicus_token_require $arg_nothing;
        agilicus_token_rules on;
        UP;
    }
--- request eval
["GET /t", "GET /calls"]
--- response_headers eval
["X-Why: [anonymous,,]\n! WWW-Authenticate\nCache-Control: public, max-age=60\n! Retry-After", "X-Why: [,,]"]
--- response_body eval
["[] [] [] /t\n", "0\n"]
--- no_error_log eval
qr/rejected|error/



=== TEST 2: a token that is presented must be good, and is never anonymous
--- config
    agilicus_token optional;
    location /t { UP; }
    location /s { agilicus_token_require_scopes none; UP; }
    location /a { agilicus_token_require_audience none; UP; }
    location /m { agilicus_token_deny_masquerading on; UP; }
    location /r { agilicus_token_rules on; UP; }
    location /e { agilicus_token_require $arg_nothing; UP; }
--- request eval
[("GET /t") x 11, "GET /s", "GET /a", "GET /m", "GET /r", "GET /e"]
--- more_headers eval
[map { "Authorization: Bearer$_" } "", " ", " a b", "\tgood-1", " " . "x" x 5000, " unknown-1", " past", " refresh", " revoked", " out",
 " good-1", " good-1", " good-1", " masked", " good-1", " good-1"]
--- error_code eval
[(400) x 5, (401) x 4, 503, 200, 403, 401, 403, 403, 403]
--- response_headers_like eval
[("X-Why: \\[malformed,.*") x 5,
 map({ "X-Why: \\[$_,.*\nWWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"" } qw(invalid expired invalid revoked)),
 "X-Why: \\[unavailable,status,.*", "X-Why: \\[active,,.+",
 map({ "X-Why: \\[$_,.*" } "forbidden,scope", "invalid,audience", "forbidden,masquerading", "forbidden,rule", "forbidden,require")]



=== TEST 3: other schemes are no token, and go on as they are; the cache does not keep the page
--- config
    location /t { agilicus_token optional; UP; }
--- request eval
[("GET /t") x 4]
--- more_headers eval
["Authorization: Basic dTpw", "Authorization: Digest x=\"Bearer good-1\"", "Authorization: XBearer good-1", "Authorization:"]
--- response_headers eval
[("X-Why: [anonymous,,1]") x 4]
--- response_body eval
["[Basic dTpw] [] [] /t\n", "[Digest x=\"Bearer good-1\"] [] [] /t\n", "[XBearer good-1] [] [] /t\n", "[] [] [] /t\n"]



=== TEST 4: two tokens are refused
--- config
    location /t { agilicus_token optional; agilicus_token_source header cookie=at query=access_token; UP; }
--- request eval
["GET /t?access_token=good-2", "GET /t?access_token=good-2&access_token=good-2", "GET /t", "GET /t?access_token="]
--- more_headers eval
["Cookie: at=good-2", "", "Authorization: Bearer good-2\nCookie: at=good-2", "Cookie: at="]
--- error_code eval
[(400) x 4]
--- response_headers eval
[map { "X-Why: [malformed,$_,1]" } ("multiple") x 3, "syntax"]



=== TEST 5: a cookie without a value is no token; one with a bad value is
--- config
    location /t { agilicus_token optional; agilicus_token_source cookie=at query=access_token; UP; }
--- request eval
["GET /t", "GET /t", "GET /t", "GET /t?xaccess_token=a", "GET /t?ACCESS_TOKEN=a", "GET /t?access_token", "GET /t?access_token=a%20b"]
--- more_headers eval
["Cookie: at=", "Cookie: at=a b", "Cookie: AT=unknown-2", "", "", "", ""]
--- error_code eval
[200, 400, 200, 200, 200, 400, 400]
--- response_headers eval
[map { "X-Why: [$_]" } "anonymous,,", "malformed,syntax,1", ("anonymous,,") x 3, ("malformed,syntax,1") x 2]



=== TEST 6: identity headers of the client are taken out, and none are made
--- config
    location /t { agilicus_token optional; agilicus_token_identity_headers on; proxy_set_header X-Seen $http_x_agilicus_sub; UP; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["X-Agilicus-Sub: root\nX_Agilicus.Sub: root", "X-Agilicus-Sub: root\nAuthorization: Bearer good-3"]
--- response_body_like eval
["^\\[\\] \\[\\] \\[\\] /t\$", "^\\[Bearer good-3\\] \\[\\] \\[user-1\\] /t\$"]



=== TEST 7: an anonymous page is kept by nginx's cache, and that of a user is not
--- config
    location /t {
        agilicus_token optional;
        proxy_cache pages;
        proxy_cache_key $uri;
        proxy_no_cache $agilicus_token_no_cache;
        proxy_cache_bypass $agilicus_token_no_cache;
        add_header X-Page $upstream_cache_status;
        UP;
    }
--- request eval
[("GET /t") x 6]
--- more_headers eval
["Authorization: Bearer good-4", "", "", "Authorization: Bearer good-4", "Authorization: Basic dTpw", ""]
--- response_headers eval
[map { "X-Page: $_" } qw(BYPASS MISS HIT BYPASS BYPASS HIT)]
--- response_body eval
[map { "[$_] [] [] /t\n" } "Bearer good-4", "", "", "Bearer good-4", "Basic dTpw", ""]



=== TEST 8: before the look-up no page may be kept, also after an anonymous location
--- config
    location /t { agilicus_token optional; set $early $mapped; add_header X-Early "$early $mapped"; try_files /none /u; }
    location /u { agilicus_token on; set $early $mapped; add_header X-Early "$early $mapped" always; UP; }
    location /v { agilicus_token optional; set $early $mapped; add_header X-Early "$early $mapped"; UP; }
    location /w { agilicus_token optional; try_files /none /x; }
    location /x { add_header X-Early $mapped; UP; }
--- request eval
["GET /t", "GET /v", "GET /w", "GET /x"]
--- error_code eval
[401, 200, 200, 200]
--- response_headers eval
["X-Early: yes yes", "X-Early: yes no", "X-Early: no", "X-Early: no"]



=== TEST 9: parts of a page, and redirects, are decided by their own locations
--- config
    location = /page { ssi on; agilicus_token optional; UP; }
    location = /part { agilicus_token on; UP; }
    location /a { agilicus_token optional; try_files /none /closed; }
    location /closed { agilicus_token on; UP; }
    location /b { agilicus_token on; try_files /none /c; }
    location /c { agilicus_token optional; UP; }
    location = /accel { agilicus_token optional; UP; }
    location /n { agilicus_token optional; error_page 404 = @named; return 404; }
    location @named { agilicus_token on; UP; }
--- request eval
["GET /page", "GET /page", "GET /a", "GET /b", "GET /b", "GET /accel", "GET /accel", "GET /n", "GET /a"]
--- more_headers eval
["", "Authorization: Bearer good-5", "", "", "Authorization: Bearer good-5", "", "Authorization: Bearer good-5", "", "Authorization: Bearer unknown-3"]
--- error_code eval
[200, 200, 401, 401, 200, 401, 200, 401, 401]
--- response_body_like eval
["401 Authorization Required", "^\\[Bearer good-5\\] ", "401", "401", "^\\[Bearer good-5\\] ", "401", "^\\[Bearer good-5\\] ", "401", "401"]



=== TEST 10: a part that is anonymous shows in a page that is not, by another place for its token
--- config
    location = /page { ssi on; agilicus_token on; UP; }
    location = /part { agilicus_token optional; agilicus_token_source cookie=at; UP; }
--- request eval
["GET /page", "GET /page", "GET /page"]
--- more_headers eval
["Authorization: Bearer good-6", "Authorization: Bearer good-6\nCookie: at=unknown-4", ""]
--- error_code eval
[200, 200, 401]
--- response_body_like eval
["\\[Bearer good-6\\] \\[\\] \\[\\] /part", "401 Authorization Required", "401 Authorization Required"]



=== TEST 11: an error page that is optional keeps the challenge, and does not let a bad token in
--- config
    location /t { agilicus_token on; error_page 401 /e; UP; }
    location /e { agilicus_token optional; UP; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["", "Authorization: Bearer unknown-5"]
--- error_code eval
[401, 401]
--- response_headers eval
['WWW-Authenticate: Bearer realm="agilicus"', 'WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"']
--- response_body_like eval
["^\\[\\] \\[\\] \\[\\] /e", "401 Authorization Required"]



=== TEST 12: behind auth_request, an anonymous request is a 2xx
--- config
    location /t { auth_request /check; auth_request_set $who $agilicus_token_verdict; add_header X-Who "[$who]" always; UP; }
    location = /check { internal; agilicus_token optional; root html; try_files /page.html =404; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["", "Authorization: Bearer unknown-6"]
--- error_code eval
[200, 401]
--- response_headers eval
["X-Who: [anonymous]", "X-Who: [invalid]"]



=== TEST 13: with preaccess it is the same
--- config
    location /t { agilicus_token optional; agilicus_token_phase preaccess; agilicus_token_require_scopes none; UP; }
    location /u { agilicus_token optional; agilicus_token_phase preaccess; UP; }
--- request eval
["GET /t", "GET /t", "GET /u", "GET /u"]
--- more_headers eval
["", "Authorization: Bearer good-7", "Authorization: Bearer good-7", "Authorization: Bearer unknown-7"]
--- error_code eval
[200, 403, 200, 401]
--- response_headers_like eval
["X-Why: \\[anonymous,,\\]", "X-Why: \\[forbidden,scope,.+", "X-Why: \\[active,,.+", "X-Why: \\[invalid,unknown,.*"]



=== TEST 14: limit_except may be optional, or the location around it
--- config
    location /t { agilicus_token on; limit_except POST { agilicus_token optional; } UP; }
    location /u { agilicus_token optional; limit_except GET { agilicus_token on; } UP; }
--- request eval
["GET /t", "POST /t", "GET /t", "GET /u", "POST /u"]
--- more_headers eval
["", "", "Authorization: Bearer unknown-8", "", ""]
--- error_code eval
[200, 401, 401, 200, 401]



=== TEST 15: a preflight is a preflight where it passes, else it is anonymous
--- config
    location /t { agilicus_token optional; UP; }
    location /u { agilicus_token optional; agilicus_token_preflight pass; UP; }
    location /v { agilicus_token optional; agilicus_token_preflight pass; root html; }
--- request eval
["OPTIONS /t", "OPTIONS /u", "OPTIONS /v", "OPTIONS /u"]
--- more_headers eval
[("Origin: http://a.example\nAccess-Control-Request-Method: PUT") x 3, "Authorization: Bearer unknown-9\nOrigin: http://a.example\nAccess-Control-Request-Method: PUT"]
--- error_code eval
[200, 200, 204, 401]
--- response_headers_like eval
["X-Why: \\[anonymous,,\\]", "X-Why: \\[,,1\\]", "X-Why: \\[,,1\\]", "X-Why: \\[invalid,unknown,.*"]



=== TEST 16: what asks for a token elsewhere still does
--- config
    agilicus_token optional;
    location /t { UP; }
    location /signout { agilicus_token_revoke; }
    location /basic { auth_basic x; auth_basic_user_file none; UP; }
    location /denied { deny all; UP; }
--- request eval
["POST /signout", "GET /denied", "GET /basic"]
--- error_code eval
[401, 403, 401]
--- response_headers eval
['WWW-Authenticate: Bearer realm="agilicus"', "! WWW-Authenticate", 'WWW-Authenticate: Basic realm="x"']



=== TEST 17: a query or a cookie is not upstream's where the token is not forwarded
--- config
    location /t { agilicus_token optional; agilicus_token_source header cookie=at query=access_token; agilicus_token_forward off; UP; }
--- request eval
["GET /t?a=b", "GET /t?access_token=good-8&a=b", "GET /t"]
--- more_headers eval
["Cookie: at=; b=c", "", "Authorization: Basic dTpw"]
--- response_body eval
["[] [b=c] [] /t?a=b\n", "[] [] [] /t?a=b\n", "[Basic dTpw] [] [] /t\n"]



=== TEST 18: anonymous requests are counted as such
--- config
    location /t { agilicus_token optional; UP; }
    location /status { agilicus_token_status; }
--- request eval
["GET /t", "GET /status?format=json", "GET /status?format=prometheus"]
--- response_body_like eval
["\\[\\]", '"active":0,"anonymous":1,"missing":0', 'agilicus_token_decisions_total\{verdict="anonymous",reason=""\} 1\n']



=== TEST 19: a response that runs on is cut when its token expires
--- config
    location = /page.html { agilicus_token optional; agilicus_token_recheck 1s; root html; limit_rate 2k; }
--- request
GET /page.html
--- more_headers
Authorization: Bearer soon
--- ignore_response
--- timeout: 8
--- wait: 1
--- error_log
response cut: expired, expired



=== TEST 20: where API keys are taken, a bad key is not anonymous either
--- config
    location = /page.html { agilicus_token optional; agilicus_token_api_keys on; root html; }
--- request eval
[("GET /page.html") x 4]
--- more_headers eval
["", "Authorization: Basic dTpw", "Authorization: Basic !!", "Authorization: Bearer good-9"]
--- error_code eval
[200, 401, 400, 200]
--- response_headers_like eval
["X-Why: \\[anonymous,,\\]", "X-Why: \\[invalid,.*", "X-Why: \\[malformed,.*", "X-Why: \\[active,.*"]
