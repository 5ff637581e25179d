# What the API may answer to introspection, and what each answer means.  Only
# a complete and valid 200 allows.

use lib 't/lib';
use AgilicusTest;
use MockAPI qw(token_json);

my $now = time;
my $json = token_json();
my $second = MockAPI->start(name => 'SECOND', default => {});

my $mock = MockAPI->start(
    tokens => {
        # revoked

        'gone-empty' => 410,
        'gone-again' => 410,
        'gone-json'  => { status => 410, json => { error_code => 'gone' } },
        'gone-html'  => { status => 410, type => 'text/html',
                          body => '<h1>Gone</h1>' },
        'gone-big'   => { status => 410, body => 'x' x (1 << 20) },
        'gone-cut'   => { status => 410, body => 'abc', cut => 1 },
        'gone-token' => { status => 410, body => $json },

        # unknown

        map({ ("unknown-$_" => { status => $_, body => $json }) }
            400, 404, 422),

        'unknown-again' => 404,

        # no answer at all

        map({ ("status-$_" => { status => $_, body => $json }) }
            100, 199, 201, 202, 203, 204, 206, 300, 304, 305, 402, 405, 406,
            408, 409, 411, 418, 451, 500, 501, 502, 503, 504, 599),
        map({ ("mended-$_" => $_) } 401, 403),
        throttled    => { status => 429, headers => { 'Retry-After' => 7 } },
        'throttled-date' => { status => 503, headers => {
            'Retry-After' => 'Thu, 01 Jan 1970 00:00:00 GMT' } },
        'throttled-long' => { status => 503,
                              headers => { 'Retry-After' => 86400 } },
        'throttled-odd'  => { status => 503,
                              headers => { 'Retry-After' => '-5; x' } },

        map({ ("moved-$_" => { status => $_, headers => { Location =>
                "http://127.0.0.1:$ENV{TEST_NGINX_SECOND_PORT}"
                . '/v1/tokens/introspect' } }) } 301, 302, 303, 307, 308),

        # bodies

        empty        => { body => '' },
        'no-length'  => { body => '', no_length => 1 },
        spaces       => { body => " \r\n\t " },
        null         => { body => 'null' },
        true         => { body => 'true' },
        one          => { body => '1' },
        string       => { body => '"x"' },
        'no-member'  => { body => '{}' },
        list         => { body => '[]' },
        'list-token' => { body => "[$json]" },
        'no-sub'     => { token => { sub => undef } },
        'empty-sub'  => { token => { sub => '' } },
        'odd-sub'    => { token => { sub => [ 'user-1' ] } },
        'cut-short'  => { cut => 20 },
        'cut-json'   => { body => substr $json, 0, -1 },
        trailing     => { body => "$json x" },
        twice        => { body => "$json$json" },
        'two-subs'   => { body => '{"sub":"a",' . substr $json, 1 },
        'two-exps'   => { body => '{"exp":9999999999,' . substr $json, 1 },
        bom          => { body => "\xef\xbb\xbf$json" },
        utf8         => { body => '{"sub":"' . "\xc0\xaf" . '"}' },
        surrogate    => { body => '{"sub":"\ud800"}' },
        nul          => { body => '{"sub":"admin\u0000x"}' },
        'raw-nul'    => { body => "{\"sub\":\"admin\0x\"}" },
        comment      => { body => "/* */ $json" },
        deep         => { body => '{"sub":"a","x":' . '[' x 100 . ']' x 100
                                  . '}' },
        html         => { body => "<html>$json</html>",
                          type => 'text/html' },

        'last-chunk' => { chunked => 1, body => $json, no_last_chunk => 1,
                          end => 'close' },
        chunked      => { chunked => 1, body => $json },
        chunks       => { chunks => [ map { substr $json, 3 * $_, 3 }
                                      0 .. length($json) / 3 ] },
        'as-html'    => { type => 'text/html' },
        'as-text'    => { type => 'text/plain; charset=utf-8' },
        'as-problem' => { type => 'application/problem+json' },
        'as-charset' => { type => 'Application/JSON;charset=utf-8' },
        'as-nothing' => { no_type => 1 },
        'as-trailed' => { raw => "HTTP/1.1 200 OK\r\n"
                                 . "Content-Type: text/html\r\n"
                                 . "Transfer-Encoding: chunked\r\n\r\n"
                                 . sprintf('%x', length $json)
                                 . "\r\n$json\r\n0\r\n"
                                 . "Content-Type: application/json\r\n\r\n" },
        'as-line'    => { raw => "HTTP/1.1 200 OK\r\n"
                                 . "Content-Type: text/html\r\n"
                                 . "HTTP/1.1 200 OK: no status line\r\n\r\n"
                                 . $json },
        'as-jsonp'   => { type => 'application/jsonp' },
        'as-model'   => { type => 'model/vnd.something+json' },

        gzip         => { headers => { 'Content-Encoding' => 'gzip' } },
        identity     => { headers => { 'Content-Encoding' => 'identity' } },
        'gzip-body'  => { headers => { 'Content-Encoding' => 'gzip' },
                          body => "\x1f\x8b\x08\0\0\0\0\0" . "\0" x 4096 },

        'big'        => { token => { x => [ ('x' x 20) x 8000 ] } },
        'big-scopes' => { token => { scopes => [ map { "scope-$_" }
                                                 1 .. 9000 ] } },
        'big-claim'  => { token => { x => 'x' x 70_000 } },
        'too-big'    => { token => { x => 'x' x (256 * 1024) } },
        'too-big-stream' => { token => { x => 'x' x (1 << 20) },
                              no_length => 1 },
        'too-big-chunks' => { token => { x => 'x' x (1 << 20) },
                              chunked => 1 },

        # headers

        'head-big'   => { headers => { map { ("X-$_" => 'x' x 1000) }
                                       1 .. 300 } },
        'head-many'  => { headers => { map { ("X-$_" => 'x') } 1 .. 5000 } },
        'head-nul'   => { headers => { "X-A\0B" => 'x' } },
        interim      => { informational => [ 100, 103,
                              [ 103, { 'Content-Encoding' => 'gzip' } ] ] },
        'interim-410' => { status => 410, informational => [ 103 ] },
        old          => { version => '1.0', no_length => 1, body => $json },
        older        => { raw => $json },
        nonsense     => { raw => "SSH-2.0-OpenSSH_9.2\r\n\r\n$json" },
        'no-status'  => { raw => "HTTP/1.1\r\n\r\n$json" },
        'bad-status' => { raw => "HTTP/1.1 2000 OK\r\n\r\n$json" },
        cookie       => { headers => { 'Set-Cookie' => 'canary=1; Path=/' } },

        # tokens

        past         => { token => { exp => $now - 1 } },
        'past-date'  => { token => { exp => '2001-09-09T01:46:40Z' } },
        'never'      => { token => { exp => undef } },
        'null-exp'   => { body => '{"sub":"a","exp":null}' },
        map({ my $i = $_->[0]; ("odd-exp-$i" => { token => { exp => $_->[1] } }) }
            [ 1, '' ], [ 2, ' ' ], [ 3, 'never' ], [ 4, [] ], [ 5, {} ],
            [ 6, JSON::PP::true ], [ 7, '2030-13-01T00:00:00Z' ]),
        'odd-nbf'    => { token => { nbf => 'later' } },
        later        => { token => { nbf => $now + 86400 } },
        'later-start' => { token => { token_validity => {
                               start => '2999-01-01T00:00:00Z' } } },
        'soon'       => { token => { nbf => $now + 7200 } },
        'iat-later'  => { token => { iat => $now + 7200 } },
        refresh      => { token => { refresh_token_jti => 'r' } },
        'null-refresh' => { body => '{"sub":"a","refresh_token_jti":null}' },
        bound        => { token => { cnf => { jkt => 'x' } } },
        inactive     => { token => { active => JSON::PP::false } },
        'active-odd' => { token => { active => 'true' } },
        active       => { token => { active => JSON::PP::true } },
        masquerading => { token => { masquerading => JSON::PP::true } },

        'aud-string' => { token => { aud => 'urn:a' } },
        'aud-list'   => { token => { aud => [ 'urn:x', 'urn:a' ] } },
        'aud-empty'  => { token => { aud => [] } },
        'aud-none'   => { token => { aud => undef } },
        'aud-odd'    => { token => { aud => [ 'urn:a', 1 ] } },
        'aud-other'  => { token => { aud => 'urn:a2' } },

        unknown      => { token => { zzz => { a => [ 1 ] }, yyy => undef } },
        pretty       => { body => "{\n  \"sub\" : \"a\" ,\r\n\t\"x\":1 }\n" },
    },
    default => 500,
);

stop_with_tests($mock, $second);
secrets(qw(gone- unknown- moved- mended- cut- two- big- head- odd- null- aud-));
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed\n"; }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_breaker off;
EOC

my $locations = <<'EOC';
    location /t {
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /strict {
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
        agilicus_token on;
        agilicus_token_require_expiry on;
        agilicus_token_deny_masquerading on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
    }
    location /aud {
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
        agilicus_token on;
        agilicus_token_require_audience urn:b urn:a;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
    }
    location /leeway {
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
        agilicus_token on;
        agilicus_token_leeway 3h;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/;
    }
    location /_ {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT;
    }
    location /second/ {
        proxy_pass http://127.0.0.1:$TEST_NGINX_SECOND_CONTROL_PORT/;
    }
EOC

# "--- tokens" are asked about one after the other, at "--- path" if it is
# there, and all expect the same

allow_section($_) for qw(tokens path);

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => $http_config);
    $block->set_value(config => $locations);

    return if !defined $block->tokens;

    my @tokens = split ' ', $block->tokens;
    my $path = $block->path || '/t';

    $block->set_value(request => [ ("GET $path") x @tokens ]);
    $block->set_value(more_headers => [ map { "Authorization: Bearer $_" }
                                        @tokens ]);

    for my $name (qw(error_code response_headers response_body)) {
        my $value = $block->$name;

        $block->set_value($name => [ ($value) x @tokens ]) if defined $value;
    }
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 3 + 311);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a Token allows
--- tokens: active pretty unknown chunked chunks
--- response_headers
X-Why: active/
--- response_body
passed



=== TEST 2: 410 means revoked, whatever its body is
--- tokens: gone-empty gone-json gone-html gone-big gone-cut gone-token
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"
X-Why: revoked/revoked



=== TEST 3: what is revoked is not asked about again
--- request eval
["GET /t", "GET /t", "GET /_calls?token=gone-again"]
--- more_headers
Authorization: Bearer gone-again
--- error_code eval
[401, 401, 200]
--- response_body_like eval
["401", "401", "^1\n\$"]



=== TEST 4: 400, 404 and 422 mean that the token is not known
--- tokens: unknown-400 unknown-404 unknown-422
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"
X-Why: invalid/unknown



=== TEST 5: that a token is not known is remembered
--- request eval
["GET /t", "GET /t", "GET /t", "GET /_calls?token=unknown-again"]
--- more_headers
Authorization: Bearer unknown-again
--- error_code eval
[401, 401, 401, 200]
--- response_body_like eval
["401", "401", "401", "^1\n\$"]



=== TEST 6: 401 and 403 are ours to mend, not the client's
--- tokens: mended-401 mended-403
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/credential



=== TEST 7: what is ours to mend is not remembered
--- request eval
["GET /_reset", "GET /t", "GET /t", "GET /_calls?token=mended-401"]
--- more_headers
Authorization: Bearer mended-401
--- error_code eval
[200, 503, 503, 200]
--- response_body_like eval
["ok", "503", "503", "^2\n\$"]



=== TEST 8: any other status decides nothing
--- tokens
status-201 status-202 status-203 status-204 status-206 status-300 status-304
status-305 status-402 status-405 status-406 status-408 status-409 status-411
status-418 status-451 status-500 status-501 status-502 status-503 status-504
status-599
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/status



=== TEST 9: a failure of the API is not remembered
--- request eval
["GET /_reset", "GET /t", "GET /t", "GET /_calls?token=status-500"]
--- more_headers
Authorization: Bearer status-500
--- error_code eval
[200, 503, 503, 200]
--- response_body_like eval
["ok", "503", "503", "^2\n\$"]



=== TEST 10: an API that is too busy says for how long
--- tokens: throttled
--- error_code: 503
--- response_headers
Retry-After: 7
X-Why: unavailable/throttled



=== TEST 11: how long to wait is bounded, and read as RFC 9110 has it
--- request eval
[("GET /t") x 3]
--- more_headers eval
[map { "Authorization: Bearer throttled-$_" } qw(date long odd)]
--- error_code eval
[503, 503, 503]
--- response_headers eval
["Retry-After: 1", "Retry-After: 300", "Retry-After: 1"]



=== TEST 12: a redirect is not followed
--- tokens: moved-301 moved-302 moved-303 moved-307 moved-308
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/status



=== TEST 13: after redirects no other server was given the token
--- request
GET /second/_calls
--- response_body
0
--- no_error_log
[error]



=== TEST 14: a 200 that is empty decides nothing
--- tokens: empty no-length spaces
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/answer



=== TEST 15: a 200 must be an object that says of whom it speaks
--- tokens
null true one string list list-token no-member no-sub empty-sub odd-sub
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/answer



=== TEST 16: a 200 must be JSON throughout
--- tokens
cut-json trailing twice two-subs two-exps bom utf8 surrogate nul raw-nul
comment deep
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/answer



=== TEST 17: a broken answer is not remembered
--- request eval
["GET /_reset", "GET /t", "GET /t", "GET /_calls?token=cut-json"]
--- more_headers
Authorization: Bearer cut-json
--- error_code eval
[200, 503, 503, 200]
--- response_body_like eval
["ok", "503", "503", "^2\n\$"]



=== TEST 18: an answer that ends too early decides nothing
--- tokens: cut-short last-chunk
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/transport



=== TEST 19: an answer that says it is something else is not read
--- tokens: html as-html as-text as-jsonp as-trailed as-line as-model
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/answer



=== TEST 20: JSON has several names, and may have none
--- tokens: as-problem as-charset as-nothing
--- response_headers
X-Why: active/
--- response_body
passed



=== TEST 21: compression that was not asked for is refused
--- tokens: gzip gzip-body
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/answer



=== TEST 22: no compression is none
--- tokens: identity
--- response_headers
X-Why: active/
--- response_body
passed



=== TEST 23: a large Token is read
--- tokens: big big-scopes
--- response_headers
X-Why: active/
--- response_body
passed



=== TEST 24: a Token with a text that is too long to be kept is not read
--- tokens: big-claim
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/answer



=== TEST 25: a Token of more than 256k is not read, with its length told or not
--- tokens: too-big too-big-stream too-big-chunks
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/answer



=== TEST 26: the header of an answer is bounded
--- tokens: head-big
--- error_code: 503
--- response_headers
! WWW-Authenticate



=== TEST 27: many header lines, interim answers and HTTP/1.0 are fine
--- tokens: head-many interim old
--- response_headers
X-Why: active/
--- response_body
passed



=== TEST 28: the final status counts
--- tokens: interim-410
--- error_code: 401
--- response_headers
X-Why: revoked/revoked



=== TEST 29: a NUL in a header is no answer
--- tokens: head-nul
--- error_code: 503
--- response_headers
! WWW-Authenticate



=== TEST 30: what does not begin with a status line is no answer
--- tokens: older nonsense no-status bad-status
--- error_code: 503
--- response_headers
! WWW-Authenticate
X-Why: unavailable/transport



=== TEST 31: cookies of the API are not kept
--- request eval
["GET /t", "GET /t", "GET /_requests?token=active"]
--- more_headers eval
[map { "Authorization: Bearer $_" } qw(cookie active), ""]
--- response_body_like eval
["passed", "passed", "\\A(?!.*canary).*introspect"]



=== TEST 32: a token past its time is expired
--- tokens: past past-date
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"
X-Why: expired/expired



=== TEST 33: a token may live for ever
--- tokens: never null-exp
--- response_headers
X-Why: active/
--- response_body
passed



=== TEST 34: a token that lives for ever may be refused
--- path: /strict
--- tokens: never null-exp
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"
X-Why: invalid/no_expiry



=== TEST 35: an expiry that cannot be read is not none
--- tokens: odd-exp-1 odd-exp-2 odd-exp-3 odd-exp-4 odd-exp-5 odd-exp-6 odd-exp-7 odd-nbf
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"
X-Why: invalid/date



=== TEST 36: a token that is not valid yet is refused
--- tokens: later later-start soon
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"
X-Why: invalid/not_yet_valid



=== TEST 37: clocks may differ by the leeway
--- path: /leeway
--- tokens: soon past
--- response_headers
X-Why: active/
--- response_body
passed



=== TEST 38: clocks may not differ by more than the leeway
--- path: /leeway
--- tokens: later
--- error_code: 401
--- response_headers
X-Why: invalid/not_yet_valid



=== TEST 39: when a token was issued does not matter
--- tokens: iat-later
--- response_headers
X-Why: active/
--- response_body
passed



=== TEST 40: a refresh token is no access token
--- tokens: refresh
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"
X-Why: invalid/refresh_token



=== TEST 41: null is as good as absent
--- tokens: null-refresh
--- response_headers
X-Why: active/
--- response_body
passed



=== TEST 42: a token that is bound to a key is no bearer token
--- tokens: bound
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"
X-Why: invalid/bound_token



=== TEST 43: an answer that says no, or anything but active, refuses
--- tokens: inactive active-odd
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"
X-Why: invalid/says_no



=== TEST 44: a user in the guise of another may be kept out
--- request eval
["GET /t", "GET /strict"]
--- more_headers
Authorization: Bearer masquerading
--- error_code eval
[200, 403]
--- response_headers eval
["X-Why: active/", "X-Why: forbidden/masquerading"]



=== TEST 45: the audience may be one string or several
--- path: /aud
--- tokens: aud-string aud-list
--- response_headers
X-Why: active/
--- response_body
passed



=== TEST 46: a token for somebody else is refused
--- path: /aud
--- tokens: aud-empty aud-none aud-odd aud-other
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="invalid_token"
X-Why: invalid/audience
