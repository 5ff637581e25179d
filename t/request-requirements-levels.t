# Requirements at every level of a configuration: those of the nearest level
# that has any of their kind hold, and those of another kind stay.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

sub with { my (%token) = @_; return { token => \%token } }

# the name of a token is the name of its rights: "a" has scope a, org a, role a
# and audience a

my %of;

for my $name (qw(a b c ab)) {
    my @each = split //, $name;

    $of{"token-$name"} = with(scopes => \@each, org => $each[0],
                              aud => \@each, roles => { app => \@each },
                              resource_permissions => [ map { {
                                  user_id => 'user-1', org_id => $each[0],
                                  resource_type => 'group', resource_id => 'g',
                                  resource_role_name => $_ } } @each ],
                              map { ("has_$_" => 1) } @each);
}

my $mock = MockAPI->start(
    tokens => {
        %of,
        masked  => with(scopes => [ 'a' ], masquerading => JSON::PP::true),
        plain   => with(scopes => [ 'a' ], masquerading => JSON::PP::false),
        odd     => with(scopes => [ 'a' ], masquerading => 'true'),
    },
);

stop_with_tests($mock);
secrets(qw(token- masked));
free_port('UPSTREAM_PORT');

# "--- http" and "--- server" are what these levels say, "--- config" what
# locations do; "UP" in it passes the request on.  "--- answers" are lines of
# "path token status reason", where "-" is no token or no reason.

allow_section($_) for qw(http server answers);

my $why = '$agilicus_token_verdict/$agilicus_token_reason';

add_block_preprocessor(sub {
    my ($block) = @_;

    my $http = $block->http;
    my $server = $block->server;
    my $config = $block->config;
    my (@requests, @headers, @codes, @answers);

    $config =~ s{UP;}{proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;}g;

    $block->set_value(http_config => <<"EOC" . (defined $http ? $http : ''));
    server {
        listen 127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;
        agilicus_token off;
        location / { return 200 "passed\\n"; }
    }
    agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
EOC
    $block->set_value(config => <<"EOC" . $config);
    agilicus_token on;
    add_header X-Why "$why" always;
@{[ defined $server ? $server : '' ]}
EOC

    for my $line (split /\n/, defined $block->answers ? $block->answers : '') {
        my ($request, $token, $code, $reason) = split ' ', $line;

        $request = "GET $request" if $request !~ s/^(\w+):/$1 /;

        push @requests, $request;
        push @headers, $token eq '-' ? '' : "Authorization: Bearer $token";
        push @codes, $code;
        push @answers, 'X-Why: ' . ($code == 200 ? 'active/'
                       : ($code == 401 ? 'invalid/' : 'forbidden/') . $reason);
    }

    return if !@requests;

    $block->set_value(request => \@requests);
    $block->set_value(more_headers => \@headers);
    $block->set_value(error_code => \@codes);
    $block->set_value(response_headers => \@answers)
        if !defined $block->response_headers;
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 2 + 238);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: scopes of http hold in servers and locations that say nothing
--- http
    agilicus_token_require_scopes a;
--- config
    location /t { UP; location /t/in { UP; } }
--- answers
/t     token-a  200
/t     token-b  403  scope
/t/in  token-a  200
/t/in  token-b  403  scope



=== TEST 2: scopes of a server take the place of those of http
--- http
    agilicus_token_require_scopes a;
--- server
    agilicus_token_require_scopes b;
--- config
    location /t { UP; location /t/in { UP; } }
--- answers
/t     token-b  200
/t     token-a  403  scope
/t/in  token-b  200
/t/in  token-a  403  scope



=== TEST 3: scopes of a location take the place of those outside, in nested ones too
--- http
    agilicus_token_require_scopes a;
--- server
    agilicus_token_require_scopes a;
--- config
    location /t {
        agilicus_token_require_scopes b;
        UP;
        location /t/same { UP; }
        location /t/more { agilicus_token_require_scopes a; agilicus_token_require_scopes b; UP; }
        location /t/other { agilicus_token_require_scopes c; UP; }
    }
    location /u { UP; }
--- answers
/t         token-b   200
/t         token-a   403  scope
/t/same    token-b   200
/t/same    token-a   403  scope
/t/more    token-ab  200
/t/more    token-b   403  scope
/t/more    token-a   403  scope
/t/other   token-c   200
/t/other   token-ab  403  scope
/u         token-a   200
/u         token-b   403  scope



=== TEST 4: a requirement of another kind does not take the place of scopes
--- http
    agilicus_token_require_scopes a;
--- server
    agilicus_token_require_org a;
--- config
    location /t { agilicus_token_require_role app a; UP; }
    location /u { agilicus_token_require_role app b; UP; }
    location /v { agilicus_token_require_audience b; UP; }
    location /w { agilicus_token_require $agilicus_token_claim_has_b; UP; }
    location /x { agilicus_token_deny_masquerading on; UP; }
--- answers
/t  token-a   200
/t  token-b   403  scope
/u  token-ab  200
/u  token-a   403  role
/v  token-ab  200
/v  token-a   401  audience
/w  token-ab  200
/w  token-a   403  require
/x  token-a   200
/x  token-b   403  scope
/x  masked    403  org



=== TEST 5: an organisation is replaced at each level
--- http
    agilicus_token_require_org a;
--- server
    agilicus_token_require_org b;
--- config
    location /t { UP; }
    location /u { agilicus_token_require_org c; UP; location /u/in { UP; } }
    location /v { agilicus_token_require_org a c; UP; }
--- answers
/t     token-b  200
/t     token-a  403  org
/u     token-c  200
/u     token-b  403  org
/u/in  token-c  200
/u/in  token-a  403  org
/v     token-a  200
/v     token-c  200
/v     token-b  403  org



=== TEST 6: an audience is replaced at each level
--- http
    agilicus_token_require_audience a;
--- server
    agilicus_token_require_audience b;
--- config
    location /t { UP; }
    location /u { agilicus_token_require_audience c; UP; location /u/in { UP; } }
    location /v { agilicus_token_require_audience a; agilicus_token_require_audience b; UP; }
--- answers
/t     token-b   200
/t     token-a   401  audience
/u     token-c   200
/u     token-ab  401  audience
/u/in  token-c   200
/u/in  token-b   401  audience
/v     token-ab  200
/v     token-a   401  audience



=== TEST 7: a role is replaced at each level
--- http
    agilicus_token_require_role app a;
--- server
    agilicus_token_require_role app b;
--- config
    location /t { UP; }
    location /u { agilicus_token_require_role app c; UP; location /u/in { UP; } }
    location /v { agilicus_token_require_role app a; agilicus_token_require_role app b; UP; }
    location /w { agilicus_token_require_role other a; UP; }
--- answers
/t     token-b   200
/t     token-a   403  role
/u     token-c   200
/u     token-ab  403  role
/u/in  token-c   200
/u/in  token-b   403  role
/v     token-ab  200
/v     token-b   403  role
/w     token-a   403  role



=== TEST 8: a resource is replaced at each level, and a role beside it stays
--- http
    agilicus_token_require_resource group g a;
    agilicus_token_require_role app b;
--- server
    agilicus_token_require_resource group g b;
--- config
    location /t { UP; }
    location /u { agilicus_token_require_resource group g a; UP; location /u/in { UP; } }
--- answers
/t     token-b   200
/t     token-a   403  role
/u     token-ab  200
/u     token-b   403  resource
/u/in  token-ab  200
/u/in  token-c   403  role



=== TEST 9: values are replaced at each level, their error with them
--- http
    agilicus_token_require $agilicus_token_claim_has_a error=401;
--- config
    location /t { UP; location /t/in { UP; } }
    location /u { agilicus_token_require $agilicus_token_claim_has_b; UP; location /u/in { UP; } }
    location /v { agilicus_token_require $agilicus_token_claim_has_b error=403; UP; }
    location /w { agilicus_token_require $agilicus_token_claim_has_a; agilicus_token_require $agilicus_token_claim_has_b error=401; UP; }
--- answers
/t     token-a   200
/t     token-b   401  require
/t/in  token-b   401  require
/u     token-b   200
/u     token-a   403  require
/u/in  token-a   403  require
/v     token-a   403  require
/w     token-ab  200
/w     token-b   403  require
/w     token-a   401  require



=== TEST 10: who acts as somebody else is refused where that is said
--- http
    agilicus_token_deny_masquerading on;
--- config
    location /t { UP; }
    location /u { agilicus_token_deny_masquerading off; UP; location /u/in { UP; } }
    location /v { agilicus_token_deny_masquerading off; location /v/in { agilicus_token_deny_masquerading on; UP; } }
--- answers
/t     plain    200
/t     token-a  200
/t     masked   403  masquerading
/u     masked   200
/u/in  masked   200
/v/in  masked   403  masquerading
/v/in  plain    200



=== TEST 11: acting as somebody else is allowed unless that is said
--- config
    location /t { UP; }
--- answers
/t  masked  200
/t  plain   200



=== TEST 12: limit_except has requirements of its own, and those outside that it does not replace
--- server
    agilicus_token_require_org a;
--- config
    location /t {
        agilicus_token_require_scopes a;
        limit_except GET { agilicus_token_require_scopes b; }
        UP;
    }
    location /u {
        agilicus_token_require_scopes a;
        limit_except GET { agilicus_token_require_role app b; }
        UP;
    }
--- answers
/t       token-a   200
HEAD:/t  token-a   200
PUT:/t   token-a   403  scope
PUT:/t   token-ab  200
/t       token-b   403  scope
PUT:/t   token-b   403  org
/u       token-a   200
PUT:/u   token-a   403  role
PUT:/u   token-ab  200
PUT:/u   token-c   403  scope



=== TEST 13: limit_except may require where the location requires nothing
--- config
    location /t {
        limit_except GET HEAD OPTIONS { agilicus_token_require_org b; agilicus_token_deny_masquerading on; agilicus_token_require_audience b; }
        UP;
    }
--- answers
/t         token-a  200
OPTIONS:/t token-a  200
DELETE:/t  token-a  401  audience
DELETE:/t  token-c  401  audience
DELETE:/t  token-b  200
BREW:/t    token-a  401  audience



=== TEST 14: a location of a condition keeps the requirements around it
--- server
    agilicus_token_require_scopes a;
--- config
    location /t {
        agilicus_token_require_org a;
        if ($arg_x) { set $y 1; UP; }
        UP;
    }
    location /u {
        if ($request_method = PUT) { UP; }
        UP;
    }
--- answers
/t?x=1  token-a  200
/t?x=1  token-b  403  scope
/t?x=1  masked   403  org
/t      masked   403  org
/u      token-b  403  scope
PUT:/u  token-b  403  scope
PUT:/u  token-a  200



=== TEST 15: a condition has no requirement of its own
--- config
    location /t { if ($arg_x) { agilicus_token_require_scopes a; } }
--- must_die
--- error_log
"agilicus_token_require_scopes" directive is not allowed here



=== TEST 16: no condition enforces less
--- config
    location /t { if ($arg_x) { agilicus_token off; } }
--- must_die
--- error_log
"agilicus_token" directive is not allowed here



=== TEST 17: a location that enforces nothing requires nothing, one within may
--- http
    agilicus_token_require_scopes a;
--- config
    location /t {
        agilicus_token off;
        UP;
        location /t/in { agilicus_token on; UP; }
    }
--- answers
/t/in  token-a  200
/t/in  token-b  403  scope
--- request eval
["GET /t/in", "GET /t/in"]



=== TEST 18: variables are those of the request, at whatever level they stand
--- http
    agilicus_token_require_scopes $http_x_scope;
    map $uri $http_x_scope_of_map { /t/a a; /t/b b; default ""; }
--- config
    location /t { agilicus_token_require_scopes $http_x_scope_of_map; UP; }
--- answers
/t/a  token-a   200
/t/a  token-b   403  scope
/t/b  token-b   200
/t/b  token-a   403  scope
/t/c  token-ab  403  scope
/t    token-ab  403  scope



=== TEST 19: a part of a value that is empty leaves the other part
--- config
    location /t { agilicus_token_require_org "a$arg_x"; UP; }
    location /u { agilicus_token_require_role "a${arg_x}pp" "b$arg_x"; UP; }
    location /v { agilicus_token_require_audience $arg_x b; UP; }
    location /w { agilicus_token_require "0$arg_x"; UP; }
--- answers
/t      token-a   200
/t?x=b  token-ab  403  org
/u      token-b   200
/u      token-a   403  role
/u?x=b  token-b   403  role
/v      token-b   401  audience
/v?x=c  token-b   200
/w      token-a   403  require
/w?x=0  token-a   200



=== TEST 20: the header names the scopes that are needed here, and nothing else
--- http
    agilicus_token_require_scopes outer;
    agilicus_token_require_org a b c;
--- config
    location /t {
        agilicus_token_require_scopes any one two;
        agilicus_token_require_scopes three one;
        agilicus_token_require_role secret-app secret-role;
        agilicus_token_require_audience a b c;
        UP;
        limit_except GET { agilicus_token_require_scopes four; }
    }
    location /u { agilicus_token_require_scopes a; agilicus_token_require_role secret-app secret-role; UP; }
    location /v { agilicus_token_require_scopes a; agilicus_token_require_org secret-org; UP; }
    location /w { agilicus_token_require_scopes a; agilicus_token_require $arg_secret; UP; }
    location /x { agilicus_token_require_scopes a; agilicus_token_deny_masquerading on; agilicus_token_require_org org-1; UP; }
    location /y { agilicus_token_require_scopes a; agilicus_token_require $arg_secret error=401; UP; }
    location /z { agilicus_token_require_scopes a; agilicus_token_require_audience secret-audience; UP; }
--- answers
/t      token-a  403  scope
PUT:/t  token-a  403  scope
/u      token-a  403  role
/v      token-a  403  org
/w      token-a  403  require
/x      masked   403  masquerading
/y      token-a  401  require
/z      token-a  401  audience
--- response_headers eval
["WWW-Authenticate: Bearer realm=\"agilicus\", error=\"insufficient_scope\", scope=\"one two three\"",
 "WWW-Authenticate: Bearer realm=\"agilicus\", error=\"insufficient_scope\", scope=\"four\"",
 ("WWW-Authenticate: Bearer realm=\"agilicus\", error=\"insufficient_scope\"") x 4,
 ("WWW-Authenticate: Bearer realm=\"agilicus\", error=\"invalid_token\"") x 2]



=== TEST 21: the client is told nothing else of requirements either
--- config
    location /t { agilicus_token_require_role secret-app secret-role; agilicus_token_require_org secret-org; UP; }
--- answers
/t  token-a  403  org
/t  token-b  403  org
--- response_body_unlike eval
[("secret|token-") x 2]
--- no_error_log
[error]



=== TEST 22: requirements hold for what is remembered, in each location by itself
--- config
    location /t { agilicus_token_require_scopes a; UP; }
    location /u { agilicus_token_require_scopes b; UP; }
    location /v { UP; }
--- answers
/v  token-c  200
/t  token-c  403  scope
/v  token-c  200
/u  token-c  403  scope
/u  token-b  200
/t  token-b  403  scope
