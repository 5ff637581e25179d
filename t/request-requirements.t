# What a location requires of a good token.  Each requirement must be met, and
# one whose value came out empty is met by no token.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

sub with { my (%token) = @_; return { token => \%token } }

# a token of "u" in "o", with a row of resource_permissions that differs

sub row {
    my (%differs) = @_;

    my %row = (user_id => 'u', org_id => 'o', resource_type => 'application',
               resource_id => 'wiki', resource_role_name => 'editor',
               %differs);

    return with(sub => 'u', org => 'o', resource_permissions => [ \%row ]);
}

# values of a member "is"

my %is = (
    true => 'true', one => '1', small => '1e-300', text => '"no"',
    zeros => '"00"', point => '"0.0"', space => '" "',
    false => 'false', null => 'null', zero => '0', minus => '-0',
    real => '0.0', negative => '-0.0', exponent => '0e5', tiny => '0E-3',
    long => '0.000000000000', underflow => '-1e-999', empty => '""',
    digit => '"0"', array => '[]', arrays => '[1]', object => '{}',
    objects => '{"is":true}',
);

my $mock = MockAPI->start(
    tokens => {
        both     => with(scopes => [ 'read', 'write' ]),
        read     => with(scopes => [ 'read' ]),
        longer   => with(scopes => [ 'read:all', 'Read', 'read ', ' read',
                                     'xread', 'rea', 'read?', 'r*', '*' ]),
        optional => with(scopes => [ 'x?' ]),
        none     => with(scopes => []),
        absent   => with(scopes => undef),
        null     => { body => '{"sub":"a","scopes":null}' },
        text     => with(scopes => 'read'),
        words    => with(scopes => 'read write'),
        mixed    => with(scopes => [ 'read', 1 ]),
        nested   => with(scopes => [ [ 'read' ] ]),
        object   => with(scopes => { read => 1 }),
        twice    => with(scopes => [ 'read', 'read' ]),
        blank    => with(scopes => [ '' ], org => '', aud => [ '' ]),
        many     => with(scopes => [ map { "s$_" } 1 .. 3000 ]),

        'org-a'  => with(org => 'org-a', root_org => 'org-b'),
        'org-b'  => with(org => 'org-b'),
        'no-org' => with(org => undef),

        editor   => with(roles => { app => [ 'viewer', 'editor' ] }),
        string   => with(roles => { app => 'editor' }),
        elsewhere => with(roles => { other => [ 'editor' ], app => [] }),
        'no-roles' => with(roles => undef),
        'odd-roles' => with(roles => { app => [ 'editor', 1 ] }),
        'list-roles' => with(roles => [ 'app', 'editor' ]),

        row       => row(),
        'no-row'  => with(sub => 'u', org => 'o'),
        'no-list' => with(sub => 'u', org => 'o', resource_permissions => 1),
        'half-a-row' => row(resource_role_name => undef),
        'other-role' => row(resource_role_name => 'viewer'),
        'other-id'   => row(resource_id => 'wiki2'),
        'other-type' => row(resource_type => 'database'),
        'other-user' => row(user_id => 'v'),
        'other-org'  => row(org_id => 'p'),

        plan     => with(plan => 'gold', level => 3, off => 0, no => ''),

        map({ ("is-$_" => { body => '{"sub":"a","is":' . $is{$_} . '}' }) }
            keys %is),
    },
);

stop_with_tests($mock);
secrets(qw(longer elsewhere odd-roles list-roles));
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed\n"; }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    map $agilicus_token_claim_is $is { default $agilicus_token_claim_is; }
EOC

# "--- require" is what the location requires; "--- passes" and "--- refused"
# are tokens, "--- status" and "--- reason" what the latter are told

allow_section($_) for qw(require passes refused status reason);

add_block_preprocessor(sub {
    my ($block) = @_;

    my $require = $block->require;
    my @passes = split ' ', $block->passes || '';
    my @refused = split ' ', $block->refused || '';
    my $status = $block->status || 403;
    my $verdict = ($status == 401 ? 'invalid' : 'forbidden') . '/'
                  . ($block->reason || '');

    $block->set_value(http_config => $http_config);
    $block->set_value(config => <<"EOC");
    location /t {
        agilicus_token on;
        $require
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
        proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;
    }
EOC

    return if $block->request;

    $block->set_value(request => [ ("GET /t") x (@passes + @refused) ]);
    $block->set_value(more_headers => [ map { "Authorization: Bearer $_" }
                                        @passes, @refused ]);
    $block->set_value(error_code => [ (200) x @passes,
                                      ($status) x @refused ]);
    $block->set_value(response_headers => [ ('X-Why: active/') x @passes,
                                            ("X-Why: $verdict") x @refused ]);
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 2 + 172);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a scope that is required must be there
--- require: agilicus_token_require_scopes read;
--- passes: both read twice
--- refused: none longer optional
--- reason: scope



=== TEST 2: all scopes of a directive must be there
--- require: agilicus_token_require_scopes read write;
--- passes: both
--- refused: read none
--- reason: scope



=== TEST 3: one of several scopes is enough, where that is said
--- require: agilicus_token_require_scopes any other write read;
--- passes: both read
--- refused: none longer
--- reason: scope



=== TEST 4: each of several directives must hold
--- require: agilicus_token_require_scopes any read other; agilicus_token_require_scopes write;
--- passes: both
--- refused: read none
--- reason: scope



=== TEST 5: a scope that a token has as optional is another one
--- require: agilicus_token_require_scopes x;
--- passes:
--- refused: optional
--- reason: scope



=== TEST 6: a scope may be named with its question mark
--- require: agilicus_token_require_scopes x?;
--- passes: optional
--- refused: none
--- reason: scope



=== TEST 7: a star is a character
--- require: agilicus_token_require_scopes r*;
--- passes: longer
--- refused: read both
--- reason: scope



=== TEST 8: scopes are a list of strings, or there are none
--- require: agilicus_token_require_scopes read;
--- passes: read
--- refused: absent null text words mixed nested object
--- reason: scope



=== TEST 9: the last of many scopes is found
--- require: agilicus_token_require_scopes s1 s3000;
--- passes: many
--- refused: read
--- reason: scope



=== TEST 10: a scope that came out empty is met by no token
--- require: agilicus_token_require_scopes $arg_x;
--- passes:
--- refused: both none blank
--- reason: scope



=== TEST 11: one of several scopes that came out empty refuses all tokens
--- require: agilicus_token_require_scopes any read $arg_x;
--- passes:
--- refused: both read blank
--- reason: scope



=== TEST 12: a scope may come from the request
--- require: agilicus_token_require_scopes $arg_x $http_x;
--- request eval
["GET /t?x=read", "GET /t?x=read", "GET /t?x=", "GET /t?x=read"]
--- more_headers eval
["X: write\nAuthorization: Bearer both", "X: other\nAuthorization: Bearer both",
 "X: write\nAuthorization: Bearer both", "Authorization: Bearer both"]
--- error_code eval
[200, 403, 403, 403]



=== TEST 13: an organisation must be one of those named
--- require: agilicus_token_require_org org-a org-c;
--- passes: org-a
--- refused: org-b no-org blank
--- reason: org



=== TEST 14: several directives about the organisation must each hold
--- require: agilicus_token_require_org org-a org-b; agilicus_token_require_org org-b;
--- passes: org-b
--- refused: org-a no-org
--- reason: org



=== TEST 15: an organisation that came out empty is met by no token
--- require: agilicus_token_require_org $arg_x;
--- passes:
--- refused: org-a no-org blank
--- reason: org



=== TEST 16: a role must be one of those named, in that application
--- require: agilicus_token_require_role app owner editor;
--- passes: editor string
--- refused: elsewhere no-roles odd-roles list-roles
--- reason: role



=== TEST 17: an application is not a role
--- require: agilicus_token_require_role app app;
--- passes:
--- refused: editor list-roles
--- reason: role



=== TEST 18: an application that came out empty has no roles
--- require: agilicus_token_require_role $arg_x editor;
--- passes:
--- refused: editor elsewhere
--- reason: role



=== TEST 19: a role on a resource must be one of those named
--- require: agilicus_token_require_resource application wiki owner editor;
--- passes: row
--- refused
no-row no-list half-a-row other-role other-id other-type other-user other-org
--- reason: resource



=== TEST 20: a resource that came out empty is met by no token
--- require: agilicus_token_require_resource application $arg_x editor;
--- passes:
--- refused: row no-row
--- reason: resource



=== TEST 21: a resource may come from the request
--- require: agilicus_token_require_resource $arg_type "w$arg_id" $arg_role owner;
--- request eval
["GET /t?type=application&id=iki&role=editor",
 "GET /t?type=application&id=iki&role=viewer",
 "GET /t?type=application&id=&role=editor",
 "GET /t?type=application&id=iki",
 "GET /t?type=APPLICATION&id=iki&role=editor",
 "GET /t?id=iki&role=editor"]
--- more_headers: Authorization: Bearer row
--- error_code eval
[200, 403, 403, 403, 403, 403]



=== TEST 22: resources are required of each directive
--- require: agilicus_token_require_resource application wiki editor; agilicus_token_require_resource database wiki editor;
--- passes:
--- refused: row other-type
--- reason: resource



=== TEST 23: an audience that came out empty is met by no token
--- require: agilicus_token_require_audience $arg_x;
--- passes:
--- refused: both blank
--- status: 401
--- reason: audience



=== TEST 24: a value is required not to be empty nor zero
--- require: agilicus_token_require $agilicus_token_claim_plan;
--- passes: plan
--- refused: both
--- reason: require



=== TEST 25: zero is no value
--- require: agilicus_token_require $agilicus_token_claim_off;
--- passes:
--- refused: plan both
--- reason: require



=== TEST 26: each value of several is required
--- require: agilicus_token_require $agilicus_token_claim_plan $agilicus_token_claim_level; agilicus_token_require $agilicus_token_claim_no;
--- passes:
--- refused: plan
--- reason: require



=== TEST 27: a value may refuse the token itself
--- require: agilicus_token_require $agilicus_token_claim_plan error=401;
--- passes: plan
--- refused: both
--- status: 401
--- reason: require



=== TEST 28: requirements of several kinds must all hold
--- require: agilicus_token_require_scopes read; agilicus_token_require_org org-1; agilicus_token_require_role my-app editor; agilicus_token_require_audience urn:api:agilicus:gateway; agilicus_token_require $agilicus_token_sub;
--- passes: both
--- refused: none
--- reason: scope



=== TEST 29: what JSON says no by is no value, however it is written
--- require: agilicus_token_require $agilicus_token_claim_is;
--- passes: is-true is-one is-small is-text is-zeros is-point is-space
--- refused
is-false is-null is-zero is-minus is-real is-negative is-exponent is-tiny
is-long is-underflow is-empty is-digit is-array is-arrays is-object is-objects
--- reason: require



=== TEST 30: nor is it one when a map has handed it on
--- require: agilicus_token_require $is;
--- passes: is-true
--- refused: is-false is-null is-zero is-real is-negative
--- reason: require
