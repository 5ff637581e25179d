# "agilicus_token report": one line for each request that would have been
# refused, and nothing else that a client or upstream could notice.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

sub with { my (%token) = @_; return { token => \%token } }

my $mock = MockAPI->start(
    tokens => {
        map({ ("good-$_" => {}) } 1 .. 20),
        'known-and-long-enough' => {},
        masked  => with(masquerading => JSON::PP::true),
        past    => with(exp => 1000),
        revoked => 410,
        out     => 503,
        slow    => { delay => 0.3, status => 404 },
    },
);

stop_with_tests($mock);
secrets(qw(good- unknown-));
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed\n"; }
        location = /page {
            default_type text/html;
            return 200 '[<!--#include virtual="/part" --><!--#include virtual="/part" -->]';
        }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_breaker off;
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    my $text = $block->config;

    $text =~ s{UP;}{proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;}g;

    $block->set_value(http_config => $http_config);
    $block->set_value(config => $text);
    $block->set_value(grep_error_log => qr/agilicus token: \w+ \w+ [^:]*: \w+, \w+/)
        if !defined $block->grep_error_log
           && defined $block->grep_error_log_out;
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 2 + 102);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: one line says what would have been refused, and why
--- config
    location /t { agilicus_token report; UP; }
--- request
GET /t
--- grep_error_log_out
agilicus token: would be rejected: missing, no_token
--- response_body
passed
--- no_error_log
[error]



=== TEST 2: it is a warning
--- config
    location /t { agilicus_token report; UP; }
--- request
GET /t
--- grep_error_log eval
qr/\[\w+\] .*agilicus token: .*?,/
--- grep_error_log_out eval
qr/\A\[warn\] \S+ \*\d+ agilicus token: would be rejected: missing,\n\z/



=== TEST 3: what passes is not in the log
--- config
    location /t { agilicus_token report; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer good-1
--- grep_error_log_out
--- response_body
passed



=== TEST 4: enforcing says so in other words, and in no warning
--- config
    location /t { agilicus_token on; UP; }
--- request
GET /t
--- grep_error_log eval
qr/\[\w+\] \S+ \*\d+ agilicus token: .*?,/
--- grep_error_log_out eval
qr/\A\[info\] \S+ \*\d+ agilicus token: rejected: missing,\n\z/
--- error_code: 401



=== TEST 5: a request that goes on to other locations is in the log once for the same reason
--- config
    agilicus_token report;
    location /t { try_files /nowhere /u; }
    location /u { error_page 418 = @v; UP; }
    location @v { UP; }
--- request
GET /t
--- grep_error_log_out
agilicus token: would be rejected: missing, no_token
--- response_body
passed



=== TEST 6: whatever the reason is, nothing of it gets to the client
--- config
    location /a { agilicus_token report; agilicus_token_require_scopes more; UP; }
    location /b { agilicus_token report; agilicus_token_deny_masquerading on; UP; }
    location /c { agilicus_token report; agilicus_token_rules on; UP; }
    location /d { agilicus_token report; UP; }
--- request eval
["GET /a", "GET /b", "GET /c", ("GET /d") x 5]
--- more_headers eval
[map { "Authorization: Bearer $_" } "good-2", "masked", "good-2", "a b", qw(unknown-1 past revoked out)]
--- error_code eval
[(200) x 8]
--- response_headers eval
[("! WWW-Authenticate\n! Cache-Control\n! Retry-After") x 8]



=== TEST 7: a request that waits for its answer is in the log once
--- config
    location /t { agilicus_token report; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer slow
--- grep_error_log_out
agilicus token: would be rejected: invalid, unknown
--- response_body
passed



=== TEST 8: a part of a page is a request of its own
--- config
    location = /page { ssi on; agilicus_token report; UP; }
    location = /part { agilicus_token report; agilicus_token_require_scopes more; UP; }
--- request
GET /page
--- more_headers
Authorization: Bearer good-3
--- grep_error_log_out
agilicus token: would be rejected: forbidden, scope
agilicus token: would be rejected: forbidden, scope
--- response_body chop
[passed
passed
]



=== TEST 9: beside another module that refuses, ours is still told
--- config
    location /t { agilicus_token report; deny all; UP; }
--- request
GET /t
--- error_code: 403
--- grep_error_log_out
agilicus token: would be rejected: missing, no_token
--- response_headers
! WWW-Authenticate



=== TEST 10: under "satisfy any" it lets in no request that the others refuse
--- config
    location /t { satisfy any; agilicus_token report; deny all; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer good-4
--- error_code: 403
--- grep_error_log_out



=== TEST 11: a body that would decide is not read for it twice
--- config
    location /t { agilicus_token report; agilicus_token_rules on; UP; }
--- request
POST /t
{"user":"me"}
--- more_headers
Authorization: Bearer good-5
Content-Type: application/json
--- grep_error_log_out
agilicus token: would be rejected: forbidden, rule
--- response_body
passed



=== TEST 12: a requirement that is not met is told of
--- config
    location /t { agilicus_token report; agilicus_token_deny_masquerading on; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer masked
--- grep_error_log_out
agilicus token: would be rejected: forbidden, masquerading
--- response_body
passed



=== TEST 13: an API that is away is told of
--- config
    location /t { agilicus_token report; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer out
--- grep_error_log_out
agilicus token: would be rejected: unavailable, status
--- response_body
passed



=== TEST 14: of a request that is refused further on, both are told
--- config
    location /t { agilicus_token report; agilicus_token_require_scopes more; try_files /nowhere /u; }
    location /u { agilicus_token on; agilicus_token_require_org other; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer good-6
--- grep_error_log eval
qr/agilicus token: [\w ]*rejected: \w+, \w+/
--- grep_error_log_out
agilicus token: would be rejected: forbidden, scope
agilicus token: rejected: forbidden, org
--- error_code: 403



=== TEST 15: where the first location would let it in, the second one is told of
--- config
    location /t { agilicus_token report; try_files /nowhere /u; }
    location /u { agilicus_token report; agilicus_token_require_org other; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer good-7
--- grep_error_log_out
agilicus token: would be rejected: forbidden, org
--- response_body
passed



=== TEST 16: a token that stands in a second place is told of, and hides nothing
--- config
    location /t { agilicus_token report; agilicus_token_forward off; UP; error_page 400 /refused; }
    location = /refused { return 418; }
--- request
GET /t?x=known-and-long-enough
--- more_headers
Authorization: Bearer known-and-long-enough
--- grep_error_log_out
agilicus token: would be rejected: malformed, multiple
--- response_body
passed
--- response_headers
! WWW-Authenticate
! Cache-Control



=== TEST 17: whatever is presented, and whatever is done with it, the request is let through
--- config
    agilicus_token report;
    agilicus_token_source header cookie=at query=access_token;
    agilicus_token_max_size 24;
    agilicus_token_forward off;
    agilicus_token_identity_headers on;
    agilicus_token_require_scopes none;
    agilicus_token_require_expiry on;
    agilicus_token_recheck 1s;
    location /t { UP; }
    location /rules { agilicus_token_rules on; UP; }
    location /ssi { ssi on; rewrite ^ /page break; UP; }
    location /part { UP; }
    location /files { root html; try_files /page.html =404; }
--- request eval
["GET /t", (map { "GET /$_" } ("t") x 9), "GET /t?access_token=", "GET /t?access_token=a&access_token=b",
 "GET /t?access_token=good-1", "GET /t?x=known-and-long-enough", "GET /t/known-and-long-enough", "GET /t?x=%6bnown-and-long-enough",
 "GET /rules//a", "POST /rules\nx", "GET /ssi?x=known-and-long-enough", "GET /files"]
--- more_headers eval
my $long = "Authorization: Bearer known-and-long-enough";
["", map({ "Authorization: $_" } "Bearer", "Bearer a b", "Bearer " . "x" x 25, "Basic dTpw", "Bearer unknown-1", "Bearer past",
         "Bearer revoked", "Bearer out", "Bearer masked"), "", "", "Authorization: Bearer good-1\nCookie: at=good-1", ($long) x 7]
--- error_code eval
[(200) x 20]
--- response_headers eval
[("! WWW-Authenticate\n! Retry-After") x 20]
--- user_files
>>> page.html
page
