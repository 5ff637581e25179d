# The hook: another system names what to deny, at once and for every API.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

# "s1.u1.a" is token "a" of subject "u1" in session "s1"; its jti is the name

sub token {
    my ($request) = @_;

    my ($session, $sub, $more) = split /\./, $request->{token};

    return { token => { session => $session, sub => $sub,
                        jti => $request->{token},
                        iat => $more =~ /^undated/ ? undef
                               : time - ($more =~ /^later/ ? -60 : 60) } };
}

my $mock = MockAPI->start(
    default => \&token,
    tokens => { weak => { token => { scopes => [] } } },
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
EOC

my $config = <<'EOC';
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
    location /t {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /t/second {
        agilicus_token on;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_SECOND_PORT;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /t/off {
        agilicus_token on;
        agilicus_token_cache off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location = /denials { agilicus_token_revocation_hook trusted; }
    location = /calls {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT/_calls;
    }
EOC

no_root_location();

# "--- steps" is a request a line: path, token, status, and the verdict with
# its reason; or "deny <body>", with the status expected before it if not 204.
# "--- type" is the Content-Type of all of these.

allow_section($_) for qw(steps type);

add_block_preprocessor(sub {
    my ($block) = @_;

    my $more = $block->http_config;
    my $own = $block->config;
    my $type = defined $block->type ? $block->type : 'application/json';

    $block->set_value(http_config => $http_config
                                     . (defined $more ? $more : ''));
    $block->set_value(config => $config . (defined $own ? $own : ''));

    my (@request, @headers, @code, @why, @body);

    for my $line (split /\n/, defined $block->steps ? $block->steps : '') {
        if ($line =~ /^deny (?:(\d+) )?(.*)/) {
            push @request, "POST /denials\n$2";
            push @headers, "Content-Type: $type";
            push @code, $1 || 204;
            push @body, $1 ? $1 : '^$';
            push @why, '';
            next;
        }

        my ($path, $token, $status, $why) = split ' ', $line;

        push @request, "GET $path";
        push @headers, "Authorization: Bearer $token";
        push @code, $status;
        push @body, $status == 200 ? '^passed' : $status;
        push @why, defined $why ? "X-Why: $why" : '';
    }

    return if !@request;

    $block->set_value(request => \@request);
    $block->set_value(more_headers => \@headers);
    $block->set_value(error_code => \@code);
    $block->set_value(response_headers => \@why);
    $block->set_value(response_body_like => \@body);
});

# a denial stays: each block runs once

repeat_each(1);
plan tests => blocks() * 2 + 218;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a token is denied by its jti, and no other
--- steps
/t s1.u1.a          200
/t s1.u1.b          200
deny {"jti":["s1.u1.a"]}
/t s1.u1.a          401 revoked/jti
/t s1.u1.b          200 active/
/t s1.u1.c          200 active/



=== TEST 2: before it was ever seen, too
--- steps
deny {"jti":["s1.u1.a"]}
/t s1.u1.a          401 revoked/jti
/t s1.u1.b          200 active/



=== TEST 3: a session is denied, whoever's and whenever issued
--- steps
/t s1.u1.a          200
/t s2.u1.a          200
deny {"session":["s1"]}
/t s1.u1.a          401 revoked/session
/t s1.u2.b          401 revoked/session
/t s1.u1.later      401 revoked/session
/t s1.u1.undated    401 revoked/session
/t s2.u1.a          200 active/



=== TEST 4: a subject is denied up to now
--- steps
/t s1.u1.a          200
/t s1.u2.a          200
deny {"sub":["u1"]}
/t s1.u1.a          401 revoked/subject
/t s2.u1.b          401 revoked/subject
/t s1.u1.undated    401 revoked/subject
/t s1.u1.later      200 active/
/t s1.u2.a          200 active/



=== TEST 5: a name stands for its own kind only
--- steps
deny {"jti":["s1","u1"],"session":["u1","s1.u1.a"],"sub":["s1","s1.u1.a"]}
/t s1.u1.a          200 active/



=== TEST 6: several of each kind at once
--- steps
deny {"jti":["s1.u1.a","s2.u2.a"],"session":["s3","s4"],"sub":["u5","u6"]}
/t s1.u1.a          401 revoked/jti
/t s2.u2.a          401 revoked/jti
/t s3.u3.a          401 revoked/session
/t s4.u4.a          401 revoked/session
/t s5.u5.a          401 revoked/subject
/t s6.u6.a          401 revoked/subject
/t s7.u7.a          200 active/



=== TEST 7: at every API, and where nothing is remembered
--- steps
/t/second s1.u1.a   200
/t/off s1.u1.a      200
deny {"jti":["s1.u1.a"]}
/t s1.u1.a          401 revoked/jti
/t/second s1.u1.a   401 revoked/jti
/t/off s1.u1.a      401 revoked/jti



=== TEST 8: what is known already is looked at again, each time
--- steps
/t s1.u1.a          200
deny {"jti":["s9.u9.x"]}
/t s1.u1.a          200
deny {"session":["s9"]}
/t s1.u1.a          200
deny {"sub":["u1"]}
/t s1.u1.a          401 revoked/subject
/t s1.u1.a          401 revoked/subject



=== TEST 9: a denial may be told again
--- steps
deny {"jti":["s1.u1.a","s1.u1.a"]}
deny {"jti":["s1.u1.a"]}
/t s1.u1.a          401 revoked/jti



=== TEST 10: case and blanks count
--- steps
deny {"sub":["U1"," u1","u1 "]}
/t s1.u1.a          200 active/



=== TEST 11: an escaped name is the same name
--- steps
deny {"s\u0075b":["\u0075\u0031"]}
/t s1.u1.a          401 revoked/subject



=== TEST 12: lists may be empty
--- steps
deny {"jti":[],"session":[],"sub":[]}
/t s1.u1.a          200 active/



=== TEST 13: of a body that is not as it should be, nothing is denied
--- steps
deny 400 {"jti":["s1.u1.a"],"jtis":["x"]}
deny 400 {"jti":["s1.u1.a"],"jti":["x"]}
deny 400 {"jti":["s1.u1.a",1]}
deny 400 {"jti":["s1.u1.a",null]}
deny 400 {"jti":["s1.u1.a",""]}
deny 400 {"jti":["s1.u1.a"],"sub":"u1"}
deny 400 {"jti":["s1.u1.a"],"sub":["u1"]
deny 400 {"jti":["s1.u1.a"]}{}
deny 400 {"jti":["s1.u1.a",["s1.u1.a"]]}
deny 400 {"jti":["s1.u1.a","\u0000"]}
deny 400 {"jti":["s1.u1.a"],"session":null}
deny 400 [{"jti":["s1.u1.a"]}]
deny 400 "s1.u1.a"
deny 400 null
deny 400 {}
deny 400 jti=s1.u1.a
/t s1.u1.a          200 active/



=== TEST 14: nor of text that is not UTF-8
--- request eval
["POST /denials\n{\"jti\":[\"s1.u1.a\",\"\xff\"]}",
 "POST /denials\n\xef\xbb\xbf{\"jti\":[\"s1.u1.a\"]}", "GET /t"]
--- more_headers eval
[("Content-Type: application/json") x 2, "Authorization: Bearer s1.u1.a"]
--- error_code eval
[400, 400, 200]



=== TEST 15: an empty body says nothing
--- request
POST /denials
--- more_headers
Content-Type: application/json
--- error_code: 400



=== TEST 16: a longest name, and one that is longer
--- request eval
["POST /denials\n{\"jti\":[\"" . "x" x 1024 . "\"]}",
 "POST /denials\n{\"jti\":[\"s1.u1.a\",\"" . "x" x 1025 . "\"]}", "GET /t"]
--- more_headers eval
[("Content-Type: application/json") x 2, "Authorization: Bearer s1.u1.a"]
--- error_code eval
[204, 400, 200]



=== TEST 17: a longest body, and one that is longer
--- request eval
["POST /denials\n{" . " " x (65536 - 19) . "\"jti\":[\"s1.u1.a\"]}",
 "POST /denials\n{" . " " x (65537 - 19) . "\"jti\":[\"s1.u1.b\"]}",
 "GET /t", "GET /t"]
--- more_headers eval
[("Content-Type: application/json") x 2, "Authorization: Bearer s1.u1.a",
 "Authorization: Bearer s1.u1.b"]
--- error_code eval
[204, 413, 401, 200]



=== TEST 18: a body in chunks
--- raw_request eval
"POST /denials HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
. "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
. sprintf("%x\r\n", 65536) . "{\"jti\":[\"s1.u1.a\"]}" . " " x (65536 - 19)
. "\r\n0\r\n\r\n"
--- error_code: 204



=== TEST 19: a body in pieces
--- config
    location = /small {
        client_body_buffer_size 8;
        agilicus_token_revocation_hook trusted;
    }
--- raw_request eval
["POST /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
 . "Content-Type: application/json\r\nContent-Length: 19\r\n\r\n",
 "{\"jti\":[\"s1", ".u1.a\"]}"]
--- raw_request_middle_delay: 0.05
--- error_code: 204



=== TEST 20: a type is needed, and one that is JSON
--- request eval
[("POST /denials\n{\"jti\":[\"s1.u1.a\"]}") x 7, "GET /t"]
--- more_headers eval
["", "Content-Type: text/plain", "Content-Type: application/jsonp",
 "Content-Type: application/x-www-form-urlencoded", "Content-Type: json",
 "Content-Type: multipart/form-data; boundary=x", "Content-Type: ;",
 "Authorization: Bearer s1.u1.a"]
--- error_code eval
[(415) x 7, 200]



=== TEST 21: its parameters and case do not matter
--- type: Application/JSON ; charset=utf-8
--- steps
deny {"jti":["s1.u1.a"]}
/t s1.u1.a          401 revoked/jti



=== TEST 22: no other method denies
--- request eval
[map { "$_ /denials\n{\"jti\":[\"s1.u1.a\"]}" }
 qw(GET HEAD PUT DELETE OPTIONS PATCH)]
--- more_headers
Content-Type: application/json
--- error_code eval
[(405) x 6]
--- response_headers eval
[("Allow: POST") x 6]



=== TEST 23: who may deny has a token that meets what is required
--- config
    location = /guarded {
        agilicus_token on;
        agilicus_token_require_scopes urn:agilicus:users:owner;
        agilicus_token_revocation_hook;
    }
--- request eval
[("POST /guarded\n{\"jti\":[\"s1.u1.a\"]}") x 2, "GET /t",
 "POST /guarded\n{\"jti\":[\"s1.u1.a\"]}", "GET /t"]
--- more_headers eval
["Content-Type: application/json",
 "Content-Type: application/json\nAuthorization: Bearer weak",
 "Authorization: Bearer s1.u1.a",
 "Content-Type: application/json\nAuthorization: Bearer s2.admin.x",
 "Authorization: Bearer s1.u1.a"]
--- error_code eval
[401, 403, 200, 204, 401]



=== TEST 24: who may deny may deny himself
--- config
    location = /guarded {
        agilicus_token on;
        agilicus_token_require_scopes urn:agilicus:users:owner;
        agilicus_token_revocation_hook;
    }
--- request eval
[("POST /guarded\n{\"sub\":[\"admin\"]}") x 2]
--- more_headers
Content-Type: application/json
Authorization: Bearer s2.admin.x
--- error_code eval
[204, 401]



=== TEST 25: the API is not asked about what is denied
--- request eval
["GET /t", "POST /denials\n{\"session\":[\"s25\"]}", ("GET /t") x 3,
 "GET /calls?token=s25.u1.a"]
--- more_headers eval
["Authorization: Bearer s25.u1.a", "Content-Type: application/json",
 ("Authorization: Bearer s25.u1.a") x 3, ""]
--- error_code eval
[200, 204, 401, 401, 401, 200]
--- response_body_like eval
["passed", '^$', (401) x 3, "^1\n"]



=== TEST 26: a hook without protection is refused
--- config
    location = /open { agilicus_token_revocation_hook; }
--- must_die
--- error_log
"agilicus_token_revocation_hook"
--- no_error_log
[alert]



=== TEST 27: so is one that any token opens
--- config
    location = /open {
        agilicus_token on;
        agilicus_token_revocation_hook;
    }
--- must_die
--- error_log
"agilicus_token_revocation_hook"
--- no_error_log
[alert]



=== TEST 28: one that opens to others than holders of tokens
--- config
    location = /open {
        satisfy any;
        allow all;
        agilicus_token on;
        agilicus_token_require_scopes a;
        agilicus_token_revocation_hook;
    }
--- must_die
--- error_log
"agilicus_token_revocation_hook"
--- no_error_log
[alert]



=== TEST 29: and one that only reports
--- config
    location = /open {
        agilicus_token report;
        agilicus_token_require_scopes a;
        agilicus_token_revocation_hook;
    }
--- must_die
--- error_log
"agilicus_token_revocation_hook"
--- no_error_log
[alert]



=== TEST 30: "if" and "limit_except" change nothing of a hook
--- config
    client_body_buffer_size 8;
    client_body_in_file_only on;
    location = /if {
        agilicus_token_revocation_hook trusted;
        if ($arg_x) { add_header X-If yes; }
    }
    location = /except {
        agilicus_token_revocation_hook trusted;
        limit_except GET { allow all; }
    }
    location = /both {
        agilicus_token on;
        agilicus_token_require_scopes read;
        agilicus_token_revocation_hook;
        if ($arg_x) { add_header X-If yes; }
        limit_except GET { agilicus_token_require_scopes other; }
    }
    location = /purge {
        agilicus_token_status purge trusted;
        if ($arg_x) { add_header X-If yes; }
        limit_except GET { allow all; }
    }
--- request eval
my $long = ' ' x 60000;
["GET /t", "POST /if?x=1\n{$long\"session\":[\"s1\"]}", "GET /t", "POST /except\n{$long\"session\":[\"s2\"]}", "GET /t",
 "GET /if?x=1", "GET /except", "POST /both?x=1\n{}", "POST /both\n{}", "GET /both?x=1", "DELETE /purge?x=1&all=1",
 "DELETE /purge?all=1", "GET /purge?x=1&format=json"]
--- more_headers eval
my $json = 'Content-Type: application/json';
["Authorization: Bearer s1.u1.a", $json, "Authorization: Bearer s1.u1.a", $json, "Authorization: Bearer s2.u2.a", $json, $json,
 $json, "$json\nAuthorization: Bearer weak", $json, ("") x 3]
--- error_code eval
[200, 204, 401, 204, 401, 405, 405, 401, 403, 401, 204, 204, 200]
--- no_error_log
exited on signal
