# What a token says of itself, and what is known of a decision, as variables;
# and "agilicus_token report", which decides and refuses nothing.

use lib 't/lib';
use AgilicusTest;
use MIME::Base64 ();
use MockAPI;

my $full = {
    sub       => 'user-7',
    sub_email => 'seven@example.com',
    org       => 'org-7',
    root_org  => 'root-7',
    jti       => 'jti-7',
    session   => 'session-7',
    aud       => [ 'urn:a', 'urn:b' ],
    scopes    => [ 'urn:s:one', 'urn:s:two?' ],
    iat       => '2020-01-02T03:04:05Z',
    exp       => 4102444800,
    text      => 'some text',
    number    => 42,
    real      => 1.5,
    yes       => JSON::PP::true,
    masquerading => JSON::PP::true,
    no        => JSON::PP::false,
    list      => [ 1 ],
    object    => { a => 1 },
};

# a Token, and the object of its facts

my $whole = '{"sub":"a\u20ac\"","org":"o","aud":"u","exp":"2100-01-01T00:00:00Z",'
            . '"roles":{"app":["x","y"]},"last_mfa_time":5,"is":true,"n":"1",'
            . '"hosts":[{"upstream_host":"h"}],"user":{"enabled":true}}';
my $object = "{\"masquerading\":false,\"sub\":\"a\xe2\x82\xac\\\"\",\"org\":\"o\","
             . '"exp":4102444800,"last_mfa_time":5,"aud":["u"],"scopes":[],'
             . '"roles":{"app":["x","y"]},"resource_permissions":[],'
             . '"is":true,"n":"1"}';

sub object { return MIME::Base64::encode_base64url($object) }

my $mock = MockAPI->start(
    tokens => {
        map({ $_ => { token => $full } } qw(full-1 full-2 full-3 full-4
                                            full-5 full-6)),
        map({ $_ => {} } map { "good-$_" } 1 .. 20),
        roles   => { token => { roles => {
            'app-1' => [ 'owner', 'view:er' ], 'app 2' => [ 'owner' ],
            "app\n3" => [ 'owner' ], "caf\x{e9}" => [ 'owner' ],
            'app-4' => [ 'own er', "own\ter", '' ],
            'app:5' => [ 'owner' ], '' => [ 'owner' ],
        } } },
        role    => { token => { roles => { one => [ 'viewer' ] } } },
        'no-roles' => { token => { roles => {} } },
        'past-role' => { token => { exp => 1000,
                                    roles => { one => [ 'viewer' ] } } },
        bare    => { body => '{"sub":"only"}' },
        whole   => { body => $whole },
        past    => { token => { %$full, exp => 1000 } },
        later   => { token => { %$full, nbf => 4102444800 } },
        revoked => 410,
        out     => 503,
        slow    => { delay => 0.15 },
        breaks  => { token => {
            sub    => "a\r\nX-Evil: 1", org => "o\tp", jti => "\x7f",
            aud    => "urn:a\nb", scopes => [ "x y", "z\n", 'fine' ],
            text   => "c\nd", session => "caf\x{e9}",
        } },
    },
);

stop_with_tests($mock);
secrets(qw(full- good- unknown- breaks));
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    log_format fingerprint $agilicus_token_fingerprint;
    log_format seen '<$agilicus_token_verdict|$agilicus_token_reason|'
                    '$agilicus_token_cache|$agilicus_token_sub>';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed[$http_x_seen]$http_x_evil\n"; }
        location /ssi {
            default_type text/html;
            return 200 '[<!--#include virtual="/part" -->]';
        }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_breaker off;
    map $agilicus_token_json $has_json { "" 0; default 1; }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => $http_config);
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 3 + 80);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: who, for whom, and what for
--- config
    location /t {
        agilicus_token on;
        proxy_set_header X-Seen "$agilicus_token_sub,$agilicus_token_email,$agilicus_token_org,$agilicus_token_root_org,$agilicus_token_jti,$agilicus_token_session,$agilicus_token_aud,$agilicus_token_scopes";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer full-1
--- response_body
passed[user-7,seven@example.com,org-7,root-7,jti-7,session-7,urn:a urn:b,urn:s:one urn:s:two?]
--- no_error_log
[error]



=== TEST 2: dates in seconds since the epoch
--- config
    location /t {
        agilicus_token on;
        proxy_set_header X-Seen "$agilicus_token_iat,$agilicus_token_exp";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer full-2
--- response_body
passed[1577934245,4102444800]
--- no_error_log
[error]



=== TEST 3: any other claim that is one value
--- config
    location /t {
        agilicus_token on;
        proxy_set_header X-Seen "$agilicus_token_claim_text,$agilicus_token_claim_number,$agilicus_token_claim_real,$agilicus_token_claim_yes,$agilicus_token_claim_no,$agilicus_token_claim_masquerading";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer full-3
--- response_body
passed[some text,42,1.5,true,false,true]
--- no_error_log
[error]



=== TEST 4: a claim that is several values, or none, is empty
--- config
    location /t {
        agilicus_token on;
        proxy_set_header X-Seen "[$agilicus_token_claim_list$agilicus_token_claim_object$agilicus_token_claim_nothing$agilicus_token_claim_never]";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer full-4
--- response_body
passed[[]]
--- no_error_log
[error]



=== TEST 5: what the token does not say is empty
--- config
    location /t {
        agilicus_token on;
        proxy_set_header X-Seen "$agilicus_token_sub,$agilicus_token_email$agilicus_token_org$agilicus_token_root_org$agilicus_token_jti$agilicus_token_session$agilicus_token_aud$agilicus_token_scopes$agilicus_token_iat$agilicus_token_exp";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer bare
--- response_body
passed[only,]
--- no_error_log
[error]



=== TEST 6: a value that could break a header line is empty
--- config
    location /t {
        agilicus_token on;
        add_header X-Seen "[$agilicus_token_sub$agilicus_token_org$agilicus_token_jti$agilicus_token_aud$agilicus_token_claim_text]";
        proxy_set_header X-Seen "$agilicus_token_sub$agilicus_token_org$agilicus_token_jti$agilicus_token_aud$agilicus_token_claim_text,$agilicus_token_scopes";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer breaks
--- response_headers
X-Seen: []
! X-Evil
--- response_body
passed[,fine]
--- no_error_log
[error]



=== TEST 7: text beyond ASCII is given as it is
--- config
    location /t {
        agilicus_token on;
        proxy_set_header X-Seen $agilicus_token_session;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer breaks
--- response_body eval
"passed[caf\x{c3}\x{a9}]\n"
--- no_error_log
[error]



=== TEST 8: nothing is left of the request before on the same connection
--- config
    location /t {
        agilicus_token report;
        add_header X-Seen "[$agilicus_token_sub$agilicus_token_jti$agilicus_token_claim_text]" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /off {
        add_header X-Seen "[$agilicus_token_sub$agilicus_token_verdict$agilicus_token_fingerprint$agilicus_token_cache]" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- pipelined_requests eval
["GET /t", "GET /t", "GET /t", "GET /off"]
--- more_headers eval
["Authorization: Bearer full-5", "Authorization: Bearer bare", "",
 "Authorization: Bearer full-5"]
--- response_headers eval
["X-Seen: [user-7jti-7some text]", "X-Seen: [only]", "X-Seen: []", "X-Seen: []"]



=== TEST 9: a token that is not good speaks for no user
--- config
    location /t {
        agilicus_token on;
        add_header X-Seen "[$agilicus_token_verdict][$agilicus_token_sub$agilicus_token_jti$agilicus_token_scopes$agilicus_token_exp$agilicus_token_claim_text]" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 4]
--- more_headers eval
[map { "Authorization: Bearer $_" } qw(past later revoked out)]
--- error_code eval
[401, 401, 401, 503]
--- response_headers eval
["X-Seen: [expired][]", "X-Seen: [invalid][]", "X-Seen: [revoked][]",
 "X-Seen: [unavailable][]"]



=== TEST 10: one that may not do this still says whose it is
--- config
    location /t {
        agilicus_token on;
        agilicus_token_require_scopes more;
        add_header X-Seen "$agilicus_token_verdict $agilicus_token_sub" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer full-6
--- error_code: 403
--- response_headers
X-Seen: forbidden user-7
--- no_error_log
[error]



=== TEST 11: variables are known in an error page
--- config
    error_page 403 /page;
    location /page {
        add_header X-Seen "$agilicus_token_verdict $agilicus_token_sub" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /t {
        agilicus_token on;
        agilicus_token_require_scopes more;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer good-1
--- error_code: 403
--- response_headers
X-Seen: forbidden user-1
--- response_body
passed[]



=== TEST 12: and in a log
--- config
    location /t {
        access_log $TEST_NGINX_HTML_DIR/seen.log seen;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /seen.log { }
--- request eval
["GET /t", "GET /t", "GET /seen.log"]
--- more_headers
Authorization: Bearer good-2
--- response_body_like eval
["passed", "passed", "\\A<active\\|\\|MISS\\|user-1>\n<active\\|\\|HIT\\|user-1>\n"]



=== TEST 13: where the decision comes from
--- config
    location /t {
        agilicus_token on;
        add_header X-Seen $agilicus_token_cache always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /uncached {
        agilicus_token on;
        agilicus_token_cache off;
        add_header X-Seen $agilicus_token_cache always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /t", "GET /uncached", "GET /t"]
--- more_headers eval
[(map { "Authorization: Bearer $_" } qw(good-3 good-3 good-3)), ""]
--- error_code eval
[200, 200, 200, 401]
--- response_headers_like eval
["X-Seen: MISS|HIT", "X-Seen: HIT", "X-Seen: BYPASS", "X-Seen: "]



=== TEST 14: how old it is, and how long the API took
--- config
    location /t {
        agilicus_token on;
        add_header X-Age "[$agilicus_token_age]" always;
        add_header X-Time "[$agilicus_token_api_time]" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /t", "GET /t"]
--- more_headers eval
["Authorization: Bearer slow", "Authorization: Bearer slow", ""]
--- error_code eval
[200, 200, 401]
--- response_headers_like eval
["X-Age: \\[[0-2]\\]\nX-Time: \\[(?:0\\.[1-9]\\d\\d)?\\]", "X-Age: \\[[0-2]\\]\nX-Time: \\[\\]",
 "X-Age: \\[\\]\nX-Time: \\[\\]"]



=== TEST 15: a fingerprint stands for the token
--- config
    location /t {
        agilicus_token on;
        add_header X-Seen $agilicus_token_fingerprint always;
        access_log $TEST_NGINX_HTML_DIR/seen.log fingerprint;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /seen.log { }
--- request eval
[("GET /t") x 4, "GET /seen.log"]
--- more_headers eval
[map { "Authorization: Bearer $_" } qw(good-4 good-4 good-5 revoked revoked)]
--- error_code eval
[200, 200, 200, 401, 200]
--- response_body_like eval
["", "", "", "", "\\A(?:(\\w+)\n\\1\n(?!\\1)(\\w+)\n(?!\\1|\\2)\\w+\n)+\\z"]



=== TEST 16: the fingerprint is sixteen hexadecimal digits, and none of the token
--- config
    location /t {
        agilicus_token on;
        add_header X-Seen $agilicus_token_fingerprint always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["Authorization: Bearer good-6", ""]
--- error_code eval
[200, 401]
--- response_headers_like eval
["X-Seen: [0-9a-f]{16}", "X-Seen: "]



=== TEST 17: a location that enforces nothing has no verdict
--- config
    location /t {
        add_header X-Seen "[$agilicus_token_verdict$agilicus_token_reason$agilicus_token_cache$agilicus_token_age$agilicus_token_api_time$agilicus_token_fingerprint$agilicus_token_sub]";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /u {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer good-7
--- response_headers
X-Seen: []
--- no_error_log
[error]



=== TEST 18: variables need no enforcement anywhere
--- config
    location /t {
        add_header X-Seen "[$agilicus_token_verdict$agilicus_token_claim_x]";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer good-8
--- response_headers
X-Seen: []
--- no_error_log
[error]



=== TEST 19: a part of a page has its own verdict, and leaves the page its own
--- config
    location /ssi {
        ssi on;
        agilicus_token on;
        access_log $TEST_NGINX_HTML_DIR/seen.log seen;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /part {
        agilicus_token on;
        agilicus_token_require_scopes more;
        proxy_set_header X-Seen $agilicus_token_verdict;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /seen.log { }
--- request eval
["GET /ssi", "GET /seen.log"]
--- more_headers
Authorization: Bearer good-9
--- response_body_like eval
["403 Forbidden", "<active\\|\\|(?:MISS|HIT)\\|user-1>\n"]



=== TEST 20: reporting decides, and refuses nothing
--- config
    location /t {
        agilicus_token report;
        agilicus_token_require_scopes $http_x_scope;
        add_header X-Seen "$agilicus_token_verdict/$agilicus_token_reason" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 7]
--- more_headers eval
["", map { "X-Scope: urn:agilicus:users:owner\nAuthorization: Bearer $_" }
 "a b", qw(good-10 unknown-1 past revoked out)]
--- response_headers eval
[map { "X-Seen: $_\n! WWW-Authenticate\n! Retry-After\n! Cache-Control" }
 "missing/no_token", "malformed/syntax", "active/", "invalid/unknown",
 "expired/expired", "revoked/revoked", "unavailable/status"]



=== TEST 21: a scope that lacks is reported too
--- config
    location /t {
        agilicus_token report;
        agilicus_token_require_scopes more;
        add_header X-Seen "$agilicus_token_verdict/$agilicus_token_reason" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer good-11
--- response_headers
X-Seen: forbidden/scope
--- response_body
passed[]



=== TEST 22: what would have been refused is a warning, without the token
--- config
    location /t {
        agilicus_token report;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer unknown-canary
--- grep_error_log eval
qr/\[warn\] .*?agilicus token: .*?, fingerprint [0-9a-f]+: .*?, client/
--- grep_error_log_out eval
qr/\[warn\] \S+ \*\d+ agilicus token: would be rejected: invalid, unknown, fingerprint [0-9a-f]{16}: introspect: status 404, client\n/
--- no_error_log eval
qr/agilicus token: .*unknown-canary/
--- response_body
passed[]



=== TEST 23: a part of a page is reported, and shown
--- config
    location /ssi {
        ssi on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /part {
        agilicus_token report;
        proxy_set_header X-Seen $agilicus_token_verdict;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /ssi
--- response_body eval
"[passed[missing]\n]"
--- error_log
would be rejected: missing, no_token



=== TEST 24: roles, each with its application; nothing that could be another
--- config
    location /t {
        agilicus_token report;
        add_header X-Seen "[$agilicus_token_roles]" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 5]
--- more_headers eval
[map { "Authorization: Bearer $_" } qw(roles role no-roles past-role bare)]
--- response_headers eval
["X-Seen: [app-1:owner app-1:view:er]", "X-Seen: [one:viewer]", "X-Seen: []",
 "X-Seen: []", "X-Seen: []"]



=== TEST 25: all facts as one object, and nothing of a token that is refused
--- config
    location /t {
        agilicus_token on;
        add_header X-Seen "[$agilicus_token_json]" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
[("GET /t") x 5]
--- more_headers eval
["Authorization: Bearer whole", "Authorization: Bearer whole",
 "Authorization: Bearer past", "Authorization: Bearer revoked", ""]
--- error_code eval
[200, 200, 401, 401, 401]
--- response_headers eval
["X-Seen: [" . main::object() . "]", "X-Seen: [" . main::object() . "]",
 "X-Seen: []", "X-Seen: []", "X-Seen: []"]



=== TEST 26: it may be read too early, as any variable of a token
--- config
    location /t {
        agilicus_token on;
        agilicus_token_require $has_json;
        if ($has_json) { return 444; }
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer whole
--- error_code: 200
