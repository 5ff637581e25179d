# Signing out: the token that is presented is denied here and revoked at the
# API, and nothing else of the request matters.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

# "s1.u1.a" is token "a" of subject "u1" in session "s1"

sub token {
    my ($request) = @_;

    my ($session, $sub, $more) = split /\./, $request->{token};

    return 404 if !defined $more;
    return { token => { session => $session, sub => $sub,
                        jti => "jti-$request->{token}",
                        iat => time - ($more =~ /^later/ ? -60 : 60) } };
}

my $mock = MockAPI->start(
    default => \&token,
    tokens => {
        'gone'      => 410,
        'refused'   => 403,
        'down'      => 503,
        'refresh'   => { token => { refresh_token_jti => 'x' } },
        'past'      => { token => { exp => time - 5, jti => 'jti-past' } },
        'becomes'   => [ 404, { token => { jti => 'jti-becomes' } } ],
        'appears'   => [ 404, { token => { jti => 'jti-appears' } } ],
        'recovers'  => [ 503, { token => { jti => 'jti-recovers' } } ],
    },
    paths => {
        'POST /v1/tokens/revoke' => {
            by_token => {
                map({ ("s9.u9.$_" => $_) } 200, 204, 400, 401, 403, 404, 410,
                                           422, 429, 500, 503),
                's9.u9.moved' => { status => 307,
                                   headers => { Location => '/' } },
                's9.u9.silent' => { hang => 1 },
                's9.u9.lost'  => { reset => 1 },
                '*' => 204,
            },
        },
    },
);

my $second = MockAPI->start(name => 'SECOND', default => \&token);

stop_with_tests($mock, $second);
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed\n"; }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_timeout $TEST_NGINX_API_TIMEOUT;
    agilicus_token_api_breaker off;
EOC

my $config = <<'EOC';
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /signout { agilicus_token_revoke; }
    location = /everywhere { agilicus_token_revoke all_sessions; }
    location /calls/ {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT/_calls;
        rewrite ^/calls/([a-z]+)/(.*) /_calls?path=/v1/tokens/$1&token=$2 break;
    }
    location /bodies/ {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT;
        rewrite ^/bodies/(.*) /_requests?path=/v1/tokens/revoke&token=$1 break;
    }
EOC

no_root_location();

# "--- steps" is a request a line: method, path, token ("-" for none), the
# status, and the verdict with its reason; or "calls <operation> <token> <n>"

allow_section('steps');

add_block_preprocessor(sub {
    my ($block) = @_;

    my $more = $block->http_config;
    my $own = $block->config;

    $block->set_value(http_config => $http_config
                                     . (defined $more ? $more : ''));
    $block->set_value(config => $config . (defined $own ? $own : ''));

    my (@request, @headers, @code, @why, @body);

    for my $line (split /\n/, defined $block->steps ? $block->steps : '') {
        my ($method, $path, $token, $status, $why) = split ' ', $line;

        push @why, defined $why ? "X-Why: $why" : '';

        if ($method eq 'calls') {
            push @request, "GET /calls/$path/$token";
            push @headers, '';
            push @code, 200;
            push @body, "^$status\n\$";
            next;
        }

        push @request, "$method $path";
        push @headers, $token eq '-' ? '' : "Authorization: Bearer $token";
        push @code, $status;
        push @body, $status == 200 ? '^passed' : $status == 204
                    || $method eq 'HEAD' ? '^$' : $status;
    }

    return if !@request;

    $block->set_value(request => \@request);
    $block->set_value(more_headers => \@headers);
    $block->set_value(error_code => \@code);
    $block->set_value(response_headers => \@why);
    $block->set_value(response_body_like => \@body);
});

# a token that is revoked stays so: each block runs once

repeat_each(1);
plan tests => blocks() * 2 + 360;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a token that is known is revoked here and at the API
--- steps
GET /t s1.u1.known                  200 active/
POST /signout s1.u1.known           204
GET /t s1.u1.known                  401 revoked/revoked
calls revoke s1.u1.known            1
calls introspect s1.u1.known        1



=== TEST 2: a token that is not known yet is asked about first
--- steps
POST /signout s1.u1.new             204
GET /t s1.u1.new                    401 revoked/revoked
calls revoke s1.u1.new              1
calls introspect s1.u1.new          1



=== TEST 3: only the token that is presented is revoked
--- steps
GET /t s2.u2.other                  200
POST /signout s2.u2.this            204
GET /t s2.u2.other                  200
GET /t s2.u2.another                200
calls revoke s2.u2.other            0



=== TEST 4: a token that the API does not know is no denial
--- config
    location /t/now {
        agilicus_token on;
        agilicus_token_cache_valid invalid=0;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- steps
POST /signout becomes               204
calls revoke becomes                0
GET /t/now becomes                  200 active/



=== TEST 5: a token that is known not to be known is none either
--- steps
GET /t made-up                      401 invalid/unknown
POST /signout made-up               204
GET /t made-up                      401 invalid/unknown
calls revoke made-up                0
calls introspect made-up            2



=== TEST 6: a token that the API has revoked stays so
--- steps
POST /signout gone                  204
POST /signout gone                  204
GET /t gone                         401 revoked/revoked
calls introspect gone               1



=== TEST 7: a token may be revoked twice
--- steps
POST /signout s1.u1.twice           204
POST /signout s1.u1.twice           204
GET /t s1.u1.twice                  401 revoked/revoked
calls introspect s1.u1.twice        1



=== TEST 8: a token that is good for nothing here is revoked all the same
--- steps
GET /t refresh                      401 invalid/refresh_token
POST /signout refresh               204
GET /t refresh                      401 revoked/revoked
calls revoke refresh                1



=== TEST 9: a token that has expired is revoked all the same
--- steps
GET /t past                         401 expired/expired
POST /signout past                  204
calls revoke past                   1



=== TEST 10: who presents no token is told so
--- request
POST /signout
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus"
Cache-Control: no-store
X-Why: missing/no_token



=== TEST 11: who presents what is none is told so
--- request
POST /signout
--- more_headers
Authorization: Bearer a b
--- error_code: 400
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_request"
Cache-Control: no-store



=== TEST 12: a cookie or a query cannot sign anybody out
--- config
    agilicus_token_source header cookie=sid query=access_token;
--- request eval
["POST /signout", "POST /signout?access_token=s3.u3.query",
 "POST /signout\naccess_token=s3.u3.body"]
--- more_headers eval
["Cookie: sid=s3.u3.cookie", "",
 "Content-Type: application/x-www-form-urlencoded"]
--- error_code eval
[401, 401, 401]
--- no_error_log
[error]



=== TEST 13: a cookie beside the header changes nothing
--- config
    agilicus_token_source cookie=sid;
--- request eval
["POST /signout", "GET /calls/revoke/s3.u3.header",
 "GET /calls/revoke/s3.u3.cookie"]
--- more_headers eval
["Cookie: sid=s3.u3.cookie\nAuthorization: Bearer s3.u3.header", "", ""]
--- error_code eval
[204, 200, 200]
--- response_body eval
["", "1\n", "0\n"]



=== TEST 14: no other method revokes
--- steps
GET /signout s4.u4.method           405
HEAD /signout s4.u4.method          405
PUT /signout s4.u4.method           405
DELETE /signout s4.u4.method        405
OPTIONS /signout s4.u4.method       405
PATCH /signout s4.u4.method         405
calls revoke s4.u4.method           0
calls introspect s4.u4.method       0
GET /t s4.u4.method                 200



=== TEST 15: which method does is said
--- request
GET /signout
--- more_headers
Authorization: Bearer s4.u4.allow
--- error_code: 405
--- response_headers
Allow: POST



=== TEST 16: nothing of the client's asks for all sessions
--- request eval
["POST /signout?all_sessions=true&all_sessions\n{\"all_sessions\":true}",
 "GET /bodies/s5.u5.alone", "GET /t"]
--- more_headers eval
["Authorization: Bearer s5.u5.alone\nContent-Type: application/json\nAll-Sessions: true\nX-All-Sessions: 1",
 "", "Authorization: Bearer s5.u5.other"]
--- error_code eval
[204, 200, 200]
--- response_body_like eval
['^$', '"body":"\{\\\\"token\\\\":\\\\"s5\.u5\.alone\\\\"(?:,\\\\"all_sessions\\\\":false)?\}"', '^passed']



=== TEST 17: the configuration does
--- request eval
["POST /everywhere", "GET /bodies/s6.u6.all"]
--- more_headers eval
["Authorization: Bearer s6.u6.all", ""]
--- error_code eval
[204, 200]
--- response_body_like eval
['^$', '"body":"\{\\\\"token\\\\":\\\\"s6\.u6\.all\\\\",\\\\"all_sessions\\\\":true\}"']



=== TEST 18: all sessions are the session and the subject of the token
--- steps
GET /t s7.u7.same                   200
GET /t s7.u8.same-session           200
GET /t s8.u7.same-subject           200
GET /t s8.u8.stranger               200
POST /everywhere s7.u7.all          204
GET /t s7.u7.all                    401 revoked/revoked
GET /t s7.u7.same                   401 revoked/session
GET /t s7.u8.same-session           401 revoked/session
GET /t s8.u7.same-subject           401 revoked/subject
GET /t s7.u7.new                    401 revoked/session
GET /t s8.u7.new                    401 revoked/subject
GET /t s8.u7.later                  200 active/
GET /t s8.u8.stranger               200 active/
GET /t s8.u8.new                    200 active/



=== TEST 19: a body may be there, but no long one
--- request eval
["POST /signout\n" . "x" x 65536, "POST /signout\n" . "x" x 65537]
--- more_headers
Authorization: Bearer s10.u10.long
--- error_code eval
[204, 413]
--- no_error_log
[error]



=== TEST 20: what stands above does not decide who may sign out
--- config
    agilicus_token on;
    agilicus_token_require_scopes nobody:has:this;
--- steps
GET / s11.u11.any                   403 forbidden/scope
POST /signout s11.u11.any           204



=== TEST 21: unless it stands in the location itself
--- config
    location = /guarded {
        agilicus_token on;
        agilicus_token_require_scopes nobody:has:this;
        agilicus_token_revoke;
    }
--- steps
POST /guarded s11.u11.guarded       403 forbidden/scope
GET /t s11.u11.guarded              200
calls revoke s11.u11.guarded        0



=== TEST 22: while the API is down the token is denied here
--- steps
GET /t s9.u9.500                    200
POST /signout s9.u9.500             503 unavailable/status
GET /t s9.u9.500                    401 revoked/revoked
GET /t s9.u9.503                    200
POST /signout s9.u9.503             503 unavailable/status
GET /t s9.u9.503                    401 revoked/revoked
GET /t s9.u9.429                    200
POST /signout s9.u9.429             503 unavailable/throttled
GET /t s9.u9.429                    401 revoked/revoked
GET /t s9.u9.moved                  200
POST /signout s9.u9.moved           503 unavailable/status
GET /t s9.u9.moved                  401 revoked/revoked
GET /t s9.u9.silent                 200
POST /signout s9.u9.silent          503 unavailable/timeout
GET /t s9.u9.silent                 401 revoked/revoked
GET /t s9.u9.lost                   200
POST /signout s9.u9.lost            503 unavailable/transport
GET /t s9.u9.lost                   401 revoked/revoked



=== TEST 23: nor does it have to let the edge in for that
--- steps
GET /t s9.u9.401                    200
POST /signout s9.u9.401             503 unavailable/credential
GET /t s9.u9.401                    401 revoked/revoked
POST /signout s9.u9.403             503 unavailable/credential
GET /t s9.u9.403                    401 revoked/revoked



=== TEST 24: what the API does not know any more is revoked
--- steps
POST /signout s9.u9.200             204
POST /signout s9.u9.204             204
POST /signout s9.u9.400             204
POST /signout s9.u9.404             204
POST /signout s9.u9.410             204
POST /signout s9.u9.422             204
GET /t s9.u9.400                    401 revoked/revoked



=== TEST 25: a value that is no token is not denied
--- steps
POST /signout recovers              503 unavailable/status
calls revoke recovers               0
GET /t recovers                     200
POST /signout refused               503 unavailable/credential
calls revoke refused                0



=== TEST 26: who is refused for a while is told for how long
--- request
POST /signout
--- more_headers
Authorization: Bearer down
--- error_code: 503
--- response_headers_like
Retry-After: \d+
Cache-Control: no-store
X-Why: unavailable/status



=== TEST 27: a denial holds under other options, in other zones and without
--- http_config
    agilicus_token_zone agilicus:1m;
    agilicus_token_zone two:1m;
--- config
    location /t/options {
        agilicus_token on;
        agilicus_token_introspect_options no_cache=on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /t/zone {
        agilicus_token on;
        agilicus_token_cache two;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /t/off {
        agilicus_token on;
        agilicus_token_cache off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- steps
GET /t/options s12.u12.a            200
GET /t/zone s12.u12.a               200
GET /t/off s12.u12.a                200
POST /signout s12.u12.a             204
GET /t/options s12.u12.a            401 revoked/revoked
GET /t/zone s12.u12.a               401 revoked/revoked
GET /t/off s12.u12.a                401 revoked/revoked



=== TEST 28: a denial is one at one API
--- config
    location /t/second {
        agilicus_token on;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_SECOND_PORT;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- steps
POST /everywhere s13.u13.a          204
GET /t s13.u13.b                    401 revoked/session
GET /t/second s13.u13.a             200
GET /t/second s13.u13.b             200



=== TEST 29: without a cache, a token is asked about and revoked
--- config
    location = /signout-off {
        agilicus_token_cache off;
        agilicus_token_revoke;
    }
--- steps
POST /signout-off s14.u14.a         204
GET /t s14.u14.a                    401 revoked/revoked
calls revoke s14.u14.a              1
calls introspect s14.u14.a          1



=== TEST 30: strings that are tried out come out of the client's budget
--- http_config
    agilicus_token_api_rate 100r/s per_client=1r/m burst=0s;
--- steps
POST /signout try-1                 204
POST /signout try-2                 429 unavailable/client_rate
POST /signout try-3                 429 unavailable/client_rate
calls introspect try-2              0



=== TEST 31: a token that another denial stands against is revoked at the API
--- config
    location = /denials { agilicus_token_revocation_hook trusted; }
--- request eval
["GET /t", "POST /denials\n{\"session\":[\"s15\"]}", "GET /t",
 "POST /signout", "GET /calls/revoke/s15.u15.a",
 "POST /signout", "GET /calls/revoke/s15.u15.b"]
--- more_headers eval
["Authorization: Bearer s15.u15.a", "Content-Type: application/json",
 ("Authorization: Bearer s15.u15.a") x 2, "",
 "Authorization: Bearer s15.u15.b", ""]
--- error_code eval
[200, 204, 401, 204, 200, 204, 200]
--- response_body_like eval
["passed", '^$', "401", '^$', "^1\n", '^$', "^1\n"]



=== TEST 32: subrequests and redirects revoke nothing by accident
--- config
    location = /inner { internal; agilicus_token_revoke; }
    location = /outer { auth_request /inner; try_files /none =404; }
--- steps
GET /outer s16.u16.a                500
calls revoke s16.u16.a              0
GET /t s16.u16.a                    200



=== TEST 33: what lies inside of where one signs out is enforced as outside
--- config
    location /within {
        agilicus_token on;
        location /within/out {
            agilicus_token_revoke;
            location /within/out/app {
                proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
            }
            if ($arg_x) {
                set $args "";
            }
            limit_except POST PUT {
                agilicus_token on;
            }
        }
    }
--- steps
GET /within/out/app -               401 missing/no_token
GET /within/out/app s17.u17.a       200 active/
PUT /within/out?x=1 -               405
GET /within/out -                   401 missing/no_token
GET /within/out s17.u17.a           405
POST /within/out s17.u17.a          204
GET /within/out/app s17.u17.a       401 revoked/revoked



=== TEST 34: a token that was not known is asked about again, and denied
--- steps
GET /t appears                      401 invalid/unknown
POST /signout appears               204
calls introspect appears            2
calls revoke appears                1
GET /t appears                      401 revoked/revoked



=== TEST 35: "if" and "limit_except" change nothing of a sign-out
--- config
    location = /if {
        agilicus_token_revoke all_sessions;
        if ($arg_x) { add_header X-If yes always; }
        if ($arg_y) { set $y yes; }
    }
    location = /except {
        agilicus_token_revoke all_sessions;
        limit_except GET { allow all; }
    }
    location = /around {
        agilicus_token on;
        agilicus_token_revoke;
        if ($arg_x) { add_header X-If yes always; }
        limit_except GET { allow all; }
    }
--- steps
POST /if?x=1 -                      401
POST /if?x=1&y=1 -                  401
GET /if?x=1 -                       405
POST /except -                      401 missing/no_token
GET /except -                       405
POST /around?x=1 -                  401 missing/no_token
POST /around?x=1 unknown            401 invalid/unknown
GET /t s18.u18.b                    200
POST /if?x=1 s18.u18.a              204
GET /t s18.u18.b                    401 revoked/session
GET /t s19.u19.b                    200
POST /except s19.u19.a              204
GET /t s19.u19.b                    401 revoked/session
POST /around?x=1 s20.u20.a          204
GET /t s20.u20.a                    401 revoked/revoked



=== TEST 36: a denial counts for each spelling of its API
--- config
    location /zeros {
        agilicus_token on;
        agilicus_token_api HTTP://127.0.0.1:000$TEST_NGINX_MOCK_PORT//;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /zeros/out {
        agilicus_token_api http://127.0.0.1:0$TEST_NGINX_MOCK_PORT;
        agilicus_token_revoke;
    }
--- steps
GET /zeros s21.u21.a                200 active/
GET /t s21.u21.a                    200 active/
calls introspect s21.u21.a          1
POST /signout s21.u21.a             204
GET /zeros s21.u21.a                401 revoked/revoked
GET /t s22.u22.a                    200 active/
POST /zeros/out s22.u22.a           204
GET /t s22.u22.a                    401 revoked/revoked
