# API keys: "Authorization: Basic" is a credential where it is configured.  What
# the API is asked, what is remembered, what upstream gets, and what is refused.

use lib 't/lib';
use AgilicusTest;
use JSON::PP ();
use MIME::Base64 qw(encode_base64 encode_base64url);
use MockAPI;
use MockUpstream;

# A key is "key-<sub>-<what>" and belongs to <sub>@example.com; "what" says what
# is special about it, if anything is.  "raw-<sub>-<what>" is its raw token.

my $json = JSON::PP->new->canonical->utf8;

sub jwt {
    my ($exp) = @_;

    return join '.', encode_base64url('{"alg":"ES256"}'),
                     encode_base64url(qq({"exp":$exp})), 'signature';
}

my %status = (
    wrong => 404, gone => 410, bad => 400, unprocessable => 422,
    unauthorized => 401, forbidden => 403, throttled => 429, broken => 500,
    html => { status => 404, type => 'text/html', body => '<html>' },
    htmlgone => { status => 410, type => 'text/html', body => '<html>' },
    silent => { hang => 1 },
    token => { status => 200, json => { sub => 'x' } },
    flagged => { status => 200, json => { primary_token => { sub => 'x' },
                                          oper_status => 'disabled' } },
    list => { status => 200, json => { primary_token => [] } },
    twice => { status => 200,
               body => '{"primary_token":{"sub":"x"},"raw_token":"raw-1",'
                       . '"raw_token":"raw-2"}' },
    accepted => { status => 202, json => { primary_token => { sub => 'x' } } },
    created => { status => 201, json => { primary_token => { sub => 'x' } } },
);

my %raw = (
    none => undef, empty => '', number => 1, object => {}, spaced => 'raw a',
    injected => "raw\r\nX-Injected: 1", nul => "raw\0a", long => 'r' x 16385,
    longest => 'r' x 16384, padded => 'raw-padded==', wide => "raw-\x{e9}",
    past => jwt(time - 60), soon => jwt(time + 7200),
    unreadable => 'e30.e30', noexp => join('.', 'e30', 'e30', 'x'),
);

my %token = (
    narrow    => { scopes => [] },
    nosub     => { sub => undef },
    expired   => { exp => time - 5 },
    ahead     => { nbf => time + 7200 },
    refresh   => { refresh_token_jti => 'x' },
    bound     => { cnf => { jkt => 'x' } },
    disabled  => { enabled => JSON::PP::false() },
    forever   => { exp => undef },
    soon      => { exp => undef },
    ruled     => { hosts => [] },
);

sub key {
    my ($request) = @_;

    my $body = $json->decode($request->{body});
    my $info = $body->{api_key_auth_info};
    my ($sub, $what) = $info->{key} =~ /^key-([^-]+)-([^-]+)$/ or return 404;

    return 404 if $info->{username} ne "$sub\@example.com";
    return $status{$what} if exists $status{$what};

    my $raw = exists $raw{$what} ? $raw{$what} : "raw-$sub-$what";

    return {
        status => 200,
        json => {
            primary_token => $json->decode(MockAPI::token_json(
                sub => $sub, sub_email => "$sub\@example.com",
                jti => "jti-$sub-$what", session => "session-$sub",
                %{ $token{$what} || {} })),
            sub_org_results => [],
            defined $raw ? (raw_token => $raw) : (),
        },
    };
}

my $mock = MockAPI->start(
    tokens => { 'good-token' => {}, 'reissued-raw-u1-parent' => {
        token => { sub => 'u1', org => 'north', jti => 'child',
                   exp => time + 1800 } } },
    paths => { 'POST /v1/api_keys/introspect' => \&key },
);

stop_with_tests($mock, MockUpstream->start(name => 'APP'));
secrets('key-', 'raw-', 'good-token',
        map { substr encode_base64($_, ''), 0, 24 } 'u1@example.com:key-u1-');

my $http_config = <<'EOC';
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_timeout $TEST_NGINX_API_TIMEOUT;
    agilicus_token_api_breaker off;
EOC

my $config = <<'EOC';
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
    add_header X-Cache $agilicus_token_cache always;
    location = /reset {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT/_reset;
    }
    location /calls/ {
        rewrite ^/calls/(.*) /_calls?path=/v1/$1 break;
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT;
    }
    location = /requests {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT/_requests;
    }
    location /app {
        agilicus_token on;
        agilicus_token_api_keys on;
        agilicus_token_source header cookie=sid query=access_token;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        location /app/scopes {
            agilicus_token_require_scopes urn:agilicus:users:owner;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/hidden {
            agilicus_token_forward off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/rules {
            agilicus_token_rules on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/off {
            agilicus_token_api_keys off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/expiry {
            agilicus_token_require_expiry on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/uncached {
            agilicus_token_cache off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/reissue {
            agilicus_token_reissue north;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/short {
            agilicus_token_max_size 34;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/pre {
            agilicus_token_phase preaccess;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/report {
            agilicus_token report;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/any {
            satisfy any;
            allow 127.0.0.1;
            deny all;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/none {
            satisfy any;
            deny all;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /app/echo {
            proxy_set_header X-Echo "$agilicus_token_sub $agilicus_token_email $agilicus_token_jti $agilicus_token_upstream";
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
    }
    location /cookies {
        agilicus_token on;
        agilicus_token_api_keys on;
        agilicus_token_source cookie=sid;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location /plain {
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
EOC

no_root_location();

# "--- steps" is a request a line:
#
#   <method> <path> <credentials> <status> <verdict>/<reason> <upstream> | ...
#
# "-" for none.  Credentials are user:key or =base64, for "Basic".  Upstream must
# get the token that is named, as Bearer, as its one Authorization (or none),
# and "Basic" never.  Or "calls <path> <n>".

allow_section('steps');

add_block_preprocessor(sub {
    my ($block) = @_;

    my $more = $block->http_config;
    my $own = $block->config;

    $block->set_value(http_config => $http_config
                                     . (defined $more ? $more : ''));
    $block->set_value(config => $config . (defined $own ? $own : ''));

    return if !defined $block->steps;

    my @request = 'GET /reset';
    my @headers = '';
    my @code = 200;
    my @why = '';
    my @body = '';

    for my $line (split /\n/, $block->steps) {
        my ($main, @more) = split / \| /, $line;
        my ($method, $path, $credentials, $status, $why, $upstream) =
            split ' ', $main;

        push @why, defined $why && $why ne '-' ? "X-Why: $why" : '';

        if ($method eq 'calls') {
            push @request, "GET /calls/$path";
            push @headers, '';
            push @code, 200;
            push @body, "\\A$credentials\n\\z";
            next;
        }

        $credentials = encode_base64($credentials, '')
            if $credentials !~ s/^=// && $credentials ne '-';

        push @request, "$method $path";
        push @headers, join "\n", $credentials eq '-' ? ()
                                  : "Authorization: Basic $credentials", @more;
        push @code, $status;
        push @body, $status != 200 ? $status : '\A(?!(?si:.*basic ))'
            . (!defined $upstream || $upstream eq '-'
               ? '(?!(?si:.*authorization: ))'
               : '(?!(?si:.*authorization: .*^\S*authorization: ))(?si:.*)'
                 . "^(?i:authorization): Bearer \Q$upstream\E\r?\$");
    }

    $block->set_value(request => \@request);
    $block->set_value(more_headers => \@headers);
    $block->set_value(error_code => \@code);
    $block->set_value(response_headers => \@why);
    $block->set_value(response_body_like => [ map { qr/$_/m } @body ]);
});

repeat_each(1);
plan tests => 514;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: an API key is a credential, its raw token goes upstream, once asked
--- steps
GET /app u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /app u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /app/scopes u1@example.com:key-u1-first 200 active/ raw-u1-first
calls api_keys/introspect 1
calls tokens/introspect 0



=== TEST 2: what the API is asked, and no more of a user name than it must be
--- request eval
[ 'GET /reset', 'GET /app', 'GET /requests' ]
--- more_headers eval
[ '', 'Authorization: Basic ' . MIME::Base64::encode_base64(
      qq(a"\\\xc3\xa4\@example.com:key-:":\\x), ''), '' ]
--- error_code eval
[ 200, 401, 200 ]
--- response_body_like eval
[ '', 401, qr/\\"key\\":\\"key-:\\\\\\":\\\\\\\\x\\"\},\\"introspect_options\\":\{\\"exclude_roles\\":false,\\"support_http_matchers\\":false,\\"no_cache\\":false\},\\"multi_org\\":false\}/ ]
--- no_error_log
[error]



=== TEST 3: statuses of the API mean the same as of a token
--- steps
GET /app u1@example.com:key-u1-wrong 401 invalid/unknown
GET /app u1@example.com:key-u1-wrong 401 invalid/unknown
GET /app u2@example.com:key-u1-first 401 invalid/unknown
GET /app u1@example.com:key-u1-bad 401 invalid/unknown
GET /app u1@example.com:key-u1-unprocessable 401 invalid/unknown
calls api_keys/introspect 4
GET /app u1@example.com:key-u1-gone 401 revoked/revoked
GET /app u1@example.com:key-u1-gone 401 revoked/revoked
GET /app u1@example.com:key-u1-htmlgone 401 revoked/revoked
calls api_keys/introspect 6
GET /app u1@example.com:key-u1-html 503 unavailable/not_the_api
GET /app u1@example.com:key-u1-html 503 unavailable/not_the_api
GET /app u1@example.com:key-u1-unauthorized 503 unavailable/credential
GET /app u1@example.com:key-u1-throttled 503 unavailable/throttled
GET /app u1@example.com:key-u1-broken 503 unavailable/status
GET /app u1@example.com:key-u1-accepted 503 unavailable/status
GET /app u1@example.com:key-u1-created 503 unavailable/status
GET /app u1@example.com:key-u1-silent 503 unavailable/timeout



=== TEST 4: an answer is read as strictly as a Token
--- steps
GET /app u1@example.com:key-u1-token 503 unavailable/answer
GET /app u1@example.com:key-u1-list 503 unavailable/answer
GET /app u1@example.com:key-u1-twice 503 unavailable/answer
GET /app u1@example.com:key-u1-nosub 503 unavailable/answer
GET /app u1@example.com:key-u1-number 503 unavailable/answer
GET /app u1@example.com:key-u1-object 503 unavailable/answer
GET /app u1@example.com:key-u1-spaced 503 unavailable/answer
GET /app u1@example.com:key-u1-injected 503 unavailable/answer
GET /app u1@example.com:key-u1-nul 503 unavailable/answer
GET /app u1@example.com:key-u1-wide 503 unavailable/answer
GET /app u1@example.com:key-u1-long 503 unavailable/answer
GET /app u1@example.com:key-u1-flagged 401 invalid/says_no
GET /app u1@example.com:key-u1-disabled 401 invalid/says_no
GET /app u1@example.com:key-u1-refresh 401 invalid/refresh_token
GET /app u1@example.com:key-u1-bound 401 invalid/bound_token
GET /app u1@example.com:key-u1-ahead 401 invalid/not_yet_valid
GET /app u1@example.com:key-u1-expired 401 expired/expired



=== TEST 5: without a raw token, upstream gets none
--- steps
GET /app u1@example.com:key-u1-none 200 active/
GET /app u1@example.com:key-u1-none 200 active/
GET /app u1@example.com:key-u1-empty 200 active/
GET /app u1@example.com:key-u1-empty 200 active/
GET /app u1@example.com:key-u1-padded 200 active/ raw-padded==
GET /app u1@example.com:key-u1-padded 200 active/ raw-padded==
calls api_keys/introspect 3



=== TEST 6: the requirements of a location hold
--- steps
GET /app u1@example.com:key-u1-narrow 200 active/ raw-u1-narrow
GET /app/scopes u1@example.com:key-u1-narrow 403 forbidden/scope
GET /app/rules u1@example.com:key-u1-narrow 403 forbidden/rule
GET /app/expiry u1@example.com:key-u1-forever 401 invalid/no_expiry
calls api_keys/introspect 2



=== TEST 7: upstream gets nothing where it is to get nothing
--- steps
GET /app/hidden u1@example.com:key-u1-hidden 200 active/
GET /app/hidden u1@example.com:key-u1-hidden 200 active/ - | X-Copy: dTFAZXhhbXBsZS5jb206a2V5LXUxLWhpZGRlbg==
calls api_keys/introspect 1



=== TEST 8: with the cache off, the API is asked each time
--- steps
GET /app/uncached u1@example.com:key-u1-uncached 200 active/ raw-u1-uncached
GET /app/uncached u1@example.com:key-u1-uncached 200 active/ raw-u1-uncached
calls api_keys/introspect 2



=== TEST 9: Basic is read strictly
--- steps
GET /app = 400 malformed/syntax
GET /app =eA 400 malformed/syntax
GET /app =eA== 400 malformed/syntax
GET /app =Og== 400 malformed/syntax
GET /app =dTo= 400 malformed/syntax
GET /app =OnA= 400 malformed/syntax
GET /app =dTpw= 400 malformed/syntax
GET /app =dTp= 400 malformed/syntax
GET /app =dTpx 401 invalid/unknown
GET /app =dTpwcB== 400 malformed/syntax
GET /app =dTpwcA== 401 invalid/unknown
GET /app =dTo_cA== 400 malformed/syntax
GET /app =dTo/cA== 401 invalid/unknown
GET /app =dTpw,Bearer 400 malformed/syntax
GET /app =dQo6cA== 400 malformed/syntax
GET /app =dTp/ 400 malformed/syntax
GET /app =dTp/cA== 400 malformed/syntax
GET /app =dTr/cA== 400 malformed/syntax
calls api_keys/introspect 3



=== TEST 10: what is longer than an API key can be is not sent
--- steps eval
my $user = 'u' x 100;

"GET /app $user:" . 'k' x 40 . " 401 invalid/unknown\n"
. "GET /app $user:" . 'k' x 41 . " 400 malformed/too_long\n"
. "GET /app/short u1\@example.com:key-u1-s 200 active/ raw-u1-s\n"
. "GET /app/short u1\@example.com:key-u1-first 400 malformed/too_long\n"
. "GET /app =" . 'A' x 5000 . " 400 malformed/too_long\n"
. "calls api_keys/introspect 2\n"



=== TEST 11: Basic counts as a place
--- steps
GET /app u1@example.com:key-u1-first 400 malformed/multiple - | Cookie: sid=good-token
GET /app?access_token=good-token u1@example.com:key-u1-first 400 malformed/multiple
GET /app u1@example.com:key-u1-first 200 active/ raw-u1-first | Cookie: other=good-token
GET /app - 200 active/ good-token | Authorization: Bearer good-token
GET /app - 401 missing/no_token | Authorization: Digest u1
GET /app - 401 missing/no_token | Authorization: Basically dTpw
GET /app - 400 malformed/syntax | Authorization: Basic
GET /app - 400 malformed/syntax | Authorization: Bearer good-token, Basic dTpw
GET /app - 200 active/ raw-u1-first | Authorization: bASIC   dTFAZXhhbXBsZS5jb206a2V5LXUxLWZpcnN0



=== TEST 12: also where tokens are not taken from Authorization
--- steps
GET /cookies u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /cookies u1@example.com:key-u1-first 400 malformed/multiple - | Cookie: sid=good-token
GET /cookies - 401 missing/no_token | Authorization: Bearer good-token



=== TEST 13: where it is off, Basic is no token
--- steps
GET /app/off u1@example.com:key-u1-first 401 missing/no_token
GET /app/off =!!! 401 missing/no_token
calls api_keys/introspect 0



=== TEST 14: 401 has a challenge of each scheme
--- request eval
[ 'GET /app', 'GET /app', 'GET /app/off' ]
--- more_headers eval
[ '', 'Authorization: Basic dTpw', '' ]
--- error_code eval
[ 401, 401, 401 ]
--- raw_response_headers_like eval
[ qr/^WWW-Authenticate: Bearer realm="agilicus"\r\nWWW-Authenticate: Basic realm="agilicus", charset="UTF-8"\r$/m,
  qr/^WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"\r\nWWW-Authenticate: Basic realm="agilicus", charset="UTF-8"\r$/m,
  qr/^(?!.*WWW-Authenticate: Basic)/s ]
--- no_error_log
[error]



=== TEST 15: 400, 403 and 503 have none of Basic
--- request eval
[ 'GET /app', 'GET /app/scopes', 'GET /app' ]
--- more_headers eval
[ 'Authorization: Basic =',
  'Authorization: Basic ' . MIME::Base64::encode_base64(
      'u1@example.com:key-u1-narrow', ''),
  'Authorization: Basic ' . MIME::Base64::encode_base64(
      'u1@example.com:key-u1-broken', '') ]
--- error_code eval
[ 400, 403, 503 ]
--- raw_response_headers_like eval
[ qr/^(?!.*WWW-Authenticate: Basic).*WWW-Authenticate: Bearer/s,
  qr/^(?!.*WWW-Authenticate: Basic).*WWW-Authenticate: Bearer/s,
  qr/^(?!.*WWW-Authenticate)/s ]



=== TEST 16: the realm is quoted in both challenges
--- config
    location /realm {
        agilicus_token on;
        agilicus_token_api_keys on;
        agilicus_token_realm 'a "b" \c';
    }
--- request
GET /realm
--- error_code: 401
--- raw_response_headers_like eval
qr/^WWW-Authenticate: Bearer realm="a \\"b\\" \\\\c"\r
WWW-Authenticate: Basic realm="a \\"b\\" \\\\c", charset="UTF-8"\r$/m
--- no_error_log
[error]



=== TEST 17: an error page keeps both challenges
--- config
    location = /welcome {
        return 200 "sign in\n";
    }
    location = /page {
        agilicus_token on;
        agilicus_token_api_keys on;
        error_page 401 /welcome;
    }
--- request
GET /page
--- error_code: 401
--- raw_response_headers_like eval
qr/^WWW-Authenticate: Bearer realm="agilicus"\r
WWW-Authenticate: Basic realm="agilicus", charset="UTF-8"\r$/m
--- response_body
sign in
--- no_error_log
[error]



=== TEST 18: variables are of the primary token
--- request
GET /app/echo
--- more_headers eval
'Authorization: Basic ' . MIME::Base64::encode_base64(
    'u1@example.com:key-u1-first', '')
--- response_body_like
X-Echo: u1 u1@example.com jti-u1-first raw-u1-first\r
--- no_error_log
[error]



=== TEST 19: the header goes no further after an internal redirect
--- config
    location /redirects {
        agilicus_token on;
        agilicus_token_api_keys on;
        location /redirects/error {
            error_page 404 = /plain/error;
            return 404;
        }
        location /redirects/refused {
            error_page 403 = /plain/refused;
            if ($arg_x) {
                return 403;
            }
        }
        location /redirects/try {
            try_files /nothing /plain/try;
        }
        location /redirects/named {
            try_files /nothing @named;
        }
        location /redirects/report {
            try_files /nothing /app/report;
        }
        location /redirects/again {
            try_files /nothing /app;
        }
        location /redirects/off {
            try_files /nothing /app/off;
        }
        location /redirects/any {
            try_files /nothing /tokens;
        }
    }
    location @named {
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location /tokens {
        agilicus_token on;
        satisfy any;
        allow all;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /redirects/try u1@example.com:key-u1-first 200 - raw-u1-first
GET /redirects/named u1@example.com:key-u1-first 200 - raw-u1-first
GET /redirects/again u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /redirects/off u1@example.com:key-u1-first 401 missing/no_token
GET /redirects/any u1@example.com:key-u1-first 200 -
GET /redirects/error u1@example.com:key-u1-first 200 -
GET /redirects/refused?x=1 u1@example.com:key-u1-first 200 -
GET /redirects/report u1@example.com:key-u1-first 200 active/ raw-u1-first



=== TEST 20: another location that lets the key in has no challenge
--- config
    location = /page {
        agilicus_token on;
        agilicus_token_api_keys on;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
        error_page 401 503 =200 /app;
    }
--- request
GET /page
--- more_headers eval
'Authorization: Basic ' . MIME::Base64::encode_base64(
    'u1@example.com:key-u1-first', '')
--- raw_response_headers_unlike
WWW-Authenticate
--- response_body_like
Authorization: Bearer raw-u1-first\r
--- error_log
[error]



=== TEST 21: auth_request and parts of a page send no Basic either
--- config
    location = /asks {
        agilicus_token on;
        agilicus_token_api_keys on;
        auth_request /auth;
        auth_request_set $seen $upstream_http_x_seen;
        add_header X-Seen "<$seen>" always;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location = /auth {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
    }
    location = /echo {
        add_header X-Seen "$http_authorization" always;
        return 204;
    }
    location = /page.html {
        agilicus_token on;
        agilicus_token_api_keys on;
        ssi on;
    }
--- user_files
>>> page.html
<!--#include virtual="/plain/part" -->.<!--#include virtual="/app/part" -->
--- request eval
[ 'GET /asks', 'GET /page.html' ]
--- more_headers eval
[ map { 'Authorization: Basic ' . MIME::Base64::encode_base64(
    'u1@example.com:key-u1-first', '') } 1, 2 ]
--- response_headers eval
[ 'X-Seen: <>', '' ]
--- response_body_like eval
[ qr/\A(?!(?si:.*basic))(?s:.*)^Authorization: Bearer raw-u1-first\r$/m,
  qr/\A(?!(?si:.*basic))(?s:.*)^Authorization: Bearer raw-u1-first\r$(?s:.*)\.(?s:.*)^Authorization: Bearer raw-u1-first\r$/m ]
--- no_error_log
[error]



=== TEST 22: a mirror gets what upstream gets, and never the key
--- config
    location = /mirrored {
        agilicus_token on;
        agilicus_token_api_keys on;
        mirror /mirror;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location = /mirror {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/v1/mirrored;
    }
    location = /seen {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT/_requests?path=/v1/mirrored;
    }
--- request eval
[ 'GET /reset', 'GET /mirrored', 'GET /seen' ]
--- more_headers eval
[ '', 'Authorization: Basic ' . MIME::Base64::encode_base64(
      'u1@example.com:key-u1-first', ''), '' ]
--- response_body_like eval
[ '', qr/Bearer raw-u1-first/,
  qr/\A(?!(?si:.*basic))(?s:.*)(?i:authorization)": *"Bearer raw-u1-first"/ ]
--- no_error_log
[error]



=== TEST 23: a value that was read before does not bring the key back
--- http_config
    map $http_authorization $early {
        default $http_authorization;
    }
--- config
    location /early {
        set $copy "$http_authorization";
        set $mapped "$early";
        agilicus_token on;
        agilicus_token_api_keys on;
        proxy_set_header X-Copy $copy;
        proxy_set_header X-Mapped $early;
        proxy_set_header X-Again $http_authorization;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /early u1@example.com:key-u1-first 200 active/ raw-u1-first



=== TEST 24: the raw token is the parent of a reissued one; without one, 403
--- steps
GET /app/reissue u1@example.com:key-u1-parent 200 active/ reissued-raw-u1-parent
GET /app/reissue u1@example.com:key-u1-parent 200 active/ reissued-raw-u1-parent
calls api_keys/introspect 1
calls tokens/reissue 1
GET /app/reissue u1@example.com:key-u1-none 403 forbidden/reissue
GET /app/reissue u1@example.com:key-u1-empty 403 forbidden/reissue
calls tokens/reissue 1



=== TEST 25: report takes the key, refuses nothing and hides it all the same
--- steps
GET /app/report u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /app/report u1@example.com:key-u1-wrong 200 invalid/unknown
GET /app/report =dTpw= 200 malformed/syntax
GET /app/report u1@example.com:key-u1-broken 200 unavailable/status



=== TEST 26: satisfy any
--- steps
GET /app/any u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /app/any u1@example.com:key-u1-wrong 200 invalid/unknown
GET /app/none u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /app/none u1@example.com:key-u1-wrong 401 invalid/unknown



=== TEST 27: the preaccess phase
--- steps
GET /app/pre u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /app/pre u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /app/pre u1@example.com:key-u1-wrong 401 invalid/unknown
GET /app/pre =dTpw= 400 malformed/syntax
calls api_keys/introspect 2



=== TEST 28: a raw token that has expired makes the key expired
--- steps
GET /app u1@example.com:key-u1-past 401 expired/expired
GET /app u1@example.com:key-u1-past 401 expired/expired
calls api_keys/introspect 1
GET /app/expiry u1@example.com:key-u1-forever 401 invalid/no_expiry
GET /app u1@example.com:key-u1-unreadable 200 active/ e30.e30
GET /app u1@example.com:key-u1-noexp 200 active/ e30.e30.x



=== TEST 29: keys of one API are not known to another, nor to other options
--- config
    location /other {
        agilicus_token on;
        agilicus_token_api_keys on;
        agilicus_token_introspect_options exclude_roles=on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location /elsewhere {
        agilicus_token on;
        agilicus_token_api_keys on;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /app u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /other u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /other u1@example.com:key-u1-first 200 active/ raw-u1-first
calls api_keys/introspect 2
GET /elsewhere u1@example.com:key-u1-first 503 unavailable/connect



=== TEST 30: the base64 of a key is no token, and its raw token no key
--- steps
GET /app u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /app - 401 invalid/unknown - | Authorization: Bearer dTFAZXhhbXBsZS5jb206a2V5LXUxLWZpcnN0
GET /app - 401 invalid/unknown - | Cookie: sid=dTFAZXhhbXBsZS5jb206a2V5LXUxLWZpcnN0
GET /app - 401 invalid/unknown - | Authorization: Bearer raw-u1-first
GET /app u1@example.com:raw-u1-first 401 invalid/unknown
calls api_keys/introspect 2
calls tokens/introspect 2



=== TEST 31: "auth_basic" may stand beside locations with API keys
--- config
    location /outer {
        auth_basic "users";
        auth_basic_user_file users;
        location /outer/keys {
            auth_basic off;
            agilicus_token on;
            agilicus_token_api_keys on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /outer/both {
            agilicus_token on;
            agilicus_token_source cookie=sid;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
    }
--- user_files
>>> ../conf/users
u:{PLAIN}p
--- steps
GET /outer/keys u1@example.com:key-u1-first 200 active/ raw-u1-first
GET /outer/both u1@example.com:key-u1-first 401
