# What "nginx -t" says of tokens for upstream: a configuration that could have a
# token made for a caller who was not identified is refused.

use lib 't/lib';
use AgilicusTest;
use File::Temp ();

my $dir = File::Temp->newdir;


sub file {
    my ($name, $mode, $content) = @_;

    open my $fh, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $fh $content;
    close $fh;
    chmod $mode, "$dir/$name";

    $ENV{"TEST_NGINX_\U$name"} = "$dir/$name";
}


file('credential', 0600, "edge-token\n");
file('group', 0640, "edge-token\n");
file('everybody', 0644, "edge-token\n");
file('worldly', 0604, "edge-token\n");
file('empty', 0600, '');
file('newline', 0600, "\n");
file('two', 0600, "edge-token another\n");
file('lines', 0600, "edge-token\nanother\n");
file('bearer', 0600, "Bearer edge-token\n");
file('large', 0600, 'x' x (5 << 20));
file('passwords', 0644, "u:{PLAIN}p\n");

$ENV{TEST_NGINX_FOLDER} = "$dir";
$ENV{TEST_NGINX_NOWHERE} = "$dir/nowhere";

secrets('edge-token');

# "--- create" is a location with "agilicus_token_create" and what stands there,
# "--- credential" a file for it

allow_section($_) for qw(create credential refused);

add_block_preprocessor(sub {
    my ($block) = @_;

    # the blocks at the end name the refused configuration themselves

    return if defined $block->must_die;

    my $create = $block->create;
    my $credential = $block->credential;

    if (defined $create) {
        $block->set_value(http_config =>
            'agilicus_token_api_credential $TEST_NGINX_CREDENTIAL;');
        $block->set_value(config => "location /c { agilicus_token on; "
            . "$create }\nlocation = /t { return 204; }");
    }

    if (defined $credential) {
        chomp $credential;
        $block->set_value(config => "location /c { agilicus_token on; "
            . "agilicus_token_api_credential $credential; }\n"
            . "location = /t { return 204; }");
    }

    # the system's authorities are many, and read with care under sanitizers

    my $http = $block->http_config;

    $block->set_value(http_config => (defined $http ? $http : '')
        . "\nagilicus_token_api http://127.0.0.1:1;");

    if (defined $block->refused) {
        chomp(my $text = $block->refused);
        $block->set_value(must_die => '');
        $block->set_value(error_log => $text);

    } else {
        $block->set_value(request => 'GET /t');
        $block->set_value(error_code => 204);
        $block->set_value(no_error_log => '[error]');
    }
});

plan tests => blocks() * 2;
no_shuffle();
run_tests();

__DATA__

=== TEST 1: a certificate may identify
--- create
agilicus_token_create identity=ssl sub=$ssl_client_s_dn org=o audiences=a;



=== TEST 2: a password may
--- create
auth_basic x;
auth_basic_user_file $TEST_NGINX_PASSWORDS;
agilicus_token_create identity=access sub=$remote_user org=o audiences=a,b scopes=c,d? roles=app:r duration=10m;



=== TEST 3: a subrequest may
--- create
auth_request /t;
agilicus_token_create identity=access sub=u org=o audiences=a;



=== TEST 4: the access phase identifies no user without a directive that asks
--- create
agilicus_token_create identity=access sub=u org=o audiences=a;
--- refused
"agilicus_token_create identity=access" needs "auth_basic" or "auth_request" in the same location



=== TEST 5: an address is no identity
--- create
allow 127.0.0.1;
deny all;
agilicus_token_create identity=access sub=u org=o audiences=a;
--- refused
needs "auth_basic" or "auth_request" in the same location



=== TEST 6: what is asked elsewhere is not asked here
--- create
auth_request off;
agilicus_token_create identity=access sub=u org=o audiences=a;
--- refused
needs "auth_basic" or "auth_request" in the same location



=== TEST 7: a location inside that asks for no user
--- create
auth_request /t;
agilicus_token_create identity=access sub=u org=o audiences=a;
location /c/inside { auth_request off; }
--- refused
needs "auth_basic" or "auth_request" in the same location



=== TEST 8: "satisfy any" may let in who was not asked
--- create
satisfy any;
auth_basic x;
auth_basic_user_file $TEST_NGINX_PASSWORDS;
agilicus_token_create identity=access sub=u org=o audiences=a;
--- refused
"agilicus_token_create" does not go with "satisfy any"



=== TEST 9: with a certificate too
--- create
satisfy any;
agilicus_token_create identity=ssl sub=u org=o audiences=a;
--- refused
"agilicus_token_create" does not go with "satisfy any"



=== TEST 10: in a location inside, too
--- create
auth_request /t;
agilicus_token_create identity=access sub=u org=o audiences=a;
location /c/inside { satisfy any; }
--- refused
"agilicus_token_create" does not go with "satisfy any"



=== TEST 11: making one needs a credential
--- config
    location /c {
        agilicus_token on;
        agilicus_token_create identity=ssl sub=u org=o audiences=a;
    }
--- refused
"agilicus_token_create" needs "agilicus_token_api_credential", a file with the token of the edge itself



=== TEST 12: a report has nothing made
--- create
agilicus_token report;
--- refused
"agilicus_token" directive is duplicate



=== TEST 13: a report has nothing made, in a location inside
--- create
agilicus_token_create identity=ssl sub=u org=o audiences=a;
location /c/inside { agilicus_token report; }
--- refused
"agilicus_token report" refuses nothing, so it does not go with "agilicus_token_create", write "agilicus_token on"



=== TEST 14: nor reissued
--- create
agilicus_token_reissue o;
location /c/inside { agilicus_token report; }
--- refused
"agilicus_token report" refuses nothing, so it does not go with "agilicus_token_reissue", write "agilicus_token on"



=== TEST 15: who it is must be said
--- create
agilicus_token_create identity=ssl org=o audiences=a;
--- refused
needs "identity", "sub", "org" and "audiences"



=== TEST 16: and for which organisation
--- create
agilicus_token_create identity=ssl sub=u audiences=a;
--- refused
needs "identity", "sub", "org" and "audiences"



=== TEST 17: and for whom
--- create
agilicus_token_create identity=ssl sub=u org=o;
--- refused
needs "identity", "sub", "org" and "audiences"



=== TEST 18: and how that is known
--- create
agilicus_token_create sub=u org=o audiences=a;
--- refused
needs "identity", "sub", "org" and "audiences"



=== TEST 19: in one of two ways
--- create
agilicus_token_create identity=address sub=u org=o audiences=a;
--- refused
invalid parameter "identity=address" in "agilicus_token_create" directive, it must be "identity=ssl" or "identity=access"



=== TEST 20: not in both
--- create
agilicus_token_create identity=ssl identity=access sub=u org=o audiences=a;
--- refused
duplicate parameter "identity=access" in "agilicus_token_create" directive



=== TEST 21: no identity at all is refused
--- create
agilicus_token_create identity=ssl sub= org=o audiences=a;
--- refused
invalid parameter "sub=" in "agilicus_token_create" directive, it must be like "sub=$remote_user"



=== TEST 22: each once
--- create
agilicus_token_create identity=ssl sub=u sub=v org=o audiences=a;
--- refused
duplicate parameter "sub=v" in "agilicus_token_create" directive



=== TEST 23: no member of a list is empty
--- create
agilicus_token_create identity=ssl sub=u org=o audiences=a,,b;
--- refused
invalid parameter "audiences=a,,b" in "agilicus_token_create" directive, it must be like "audiences=a,b"



=== TEST 24: not the last one either
--- create
agilicus_token_create identity=ssl sub=u org=o audiences=a scopes=b,;
--- refused
invalid parameter "scopes=b," in "agilicus_token_create" directive, it must be like "scopes=a,b"



=== TEST 25: a role is that of an application
--- create
agilicus_token_create identity=ssl sub=u org=o audiences=a roles=admin;
--- refused
invalid parameter "roles=admin" in "agilicus_token_create" directive, it must be like "roles=application:role,application:role"



=== TEST 26: of one with a name
--- create
agilicus_token_create identity=ssl sub=u org=o audiences=a roles=:admin;
--- refused
invalid parameter "roles=:admin" in "agilicus_token_create" directive, it must be like "roles=application:role,application:role"



=== TEST 27: no token is for no time
--- create
agilicus_token_create identity=ssl sub=u org=o audiences=a duration=0;
--- refused
invalid parameter "duration=0" in "agilicus_token_create" directive, it must be like "duration=1h" (1s at least)



=== TEST 28: a time is one
--- create
agilicus_token_create identity=ssl sub=u org=o audiences=a duration=soon;
--- refused
invalid parameter "duration=soon" in "agilicus_token_create" directive, it must be like "duration=1h" (1s at least)



=== TEST 29: what is not known is refused
--- create
agilicus_token_create identity=ssl sub=u org=o audiences=a session=x;
--- refused
invalid parameter "session=x" in "agilicus_token_create" directive, it must be "identity=ssl" or "identity=access" or like "sub=$remote_user" or like "org=riverton" or like "audiences=a,b" or like "scopes=a,b" or like "roles=application:role,application:role" or like "duration=1h" (1s at least)



=== TEST 30: a variable is one
--- create
agilicus_token_create identity=ssl sub=$nobody org=o audiences=a;
--- refused
unknown "nobody" variable



=== TEST 31: one token is made, not two
--- create
agilicus_token_create identity=ssl sub=u org=o audiences=a;
agilicus_token_create identity=ssl sub=v org=o audiences=a;
--- refused
"agilicus_token_create" directive is duplicate



=== TEST 32: reissuing needs an organisation
--- create
agilicus_token_reissue "";
--- refused
invalid parameter "" in "agilicus_token_reissue" directive, it must be an organisation, like "riverton"



=== TEST 33: one
--- create
agilicus_token_reissue a b;
--- refused
invalid number of arguments in "agilicus_token_reissue" directive



=== TEST 34: once
--- create
agilicus_token_reissue a;
agilicus_token_reissue b;
--- refused
"agilicus_token_reissue" directive is duplicate



=== TEST 35: what goes upstream does or does not
--- create
agilicus_token_forward maybe;
--- refused
invalid value "maybe" in "agilicus_token_forward" directive, it must be "on" or "off"



=== TEST 36: a condition is no place for any of it
--- create
if ($arg_a) { agilicus_token_reissue a; }
--- refused
"agilicus_token_reissue" directive is not allowed here



=== TEST 37: where nothing is enforced, nothing is needed
--- config
    location /c {
        agilicus_token_create identity=access sub=u org=o audiences=a;
        agilicus_token_reissue o;
        location /c/on {
            agilicus_token on;
            agilicus_token_api_credential $TEST_NGINX_CREDENTIAL;
            auth_basic x;
            auth_basic_user_file $TEST_NGINX_PASSWORDS;
        }
    }
    location = /t { return 204; }



=== TEST 38: a credential that its owner reads
--- credential
$TEST_NGINX_CREDENTIAL



=== TEST 39: or its group
--- credential
$TEST_NGINX_GROUP



=== TEST 40: but not everybody
--- credential
$TEST_NGINX_EVERYBODY
--- refused
holds a secret and everybody can read it, take the permission away with "chmod o-r"



=== TEST 41: not even without the group
--- credential
$TEST_NGINX_WORLDLY
--- refused
holds a secret and everybody can read it



=== TEST 42: a credential that is empty is none
--- credential
$TEST_NGINX_EMPTY
--- refused
is empty



=== TEST 43: nor is a line without anything on it
--- credential
$TEST_NGINX_NEWLINE
--- refused
holds no bearer token: it must have one token, on one line, and nothing else



=== TEST 44: nor are two words
--- credential
$TEST_NGINX_TWO
--- refused
holds no bearer token: it must have one token, on one line, and nothing else



=== TEST 45: nor two lines
--- credential
$TEST_NGINX_LINES
--- refused
holds no bearer token: it must have one token, on one line, and nothing else



=== TEST 46: nor what a header would have
--- credential
$TEST_NGINX_BEARER
--- refused
holds no bearer token: it must have one token, on one line, and nothing else



=== TEST 47: nor is a large file
--- credential
$TEST_NGINX_LARGE
--- refused
is too large



=== TEST 48: nor a folder
--- credential
$TEST_NGINX_FOLDER
--- refused
is not a regular file



=== TEST 49: nor what is not there
--- credential
$TEST_NGINX_NOWHERE
--- refused
which cannot be opened (2: No such file or directory)



=== TEST 50: a realm without a file of users asks for no user
--- create
auth_basic x;
agilicus_token_create identity=access sub=u org=o audiences=a;
--- refused
needs "auth_basic" or "auth_request" in the same location



=== TEST 51: "forward" is on or off
--- config: agilicus_token_forward no;
--- must_die
--- error_log refused
invalid value "no" in "agilicus_token_forward" directive, it must be "on" or "off"



=== TEST 52: a reissued token is for an organisation
--- config: agilicus_token_reissue "";
--- must_die
--- error_log refused
invalid parameter "" in "agilicus_token_reissue" directive, it must be an organisation, like "riverton"



=== TEST 53: "reissue" stands once in a place
--- config: agilicus_token_reissue a; agilicus_token_reissue b;
--- must_die
--- error_log refused
"agilicus_token_reissue" directive is duplicate



=== TEST 54: "reissue" does not go with a report
--- config: agilicus_token report; agilicus_token_reissue a;
--- must_die
--- error_log refused
"agilicus_token report" refuses nothing, so it does not go with "agilicus_token_reissue", write "agilicus_token on"



=== TEST 55: "create identity=none" is not known
--- config: agilicus_token_create identity=none x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "identity=none" in "agilicus_token_create" directive, it must be "identity=ssl" or "identity=access"



=== TEST 56: "create identity=ssl identity=ssl" is not known
--- config: agilicus_token_create identity=ssl identity=ssl x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
duplicate parameter "identity=ssl" in "agilicus_token_create" directive



=== TEST 57: "create sub=" is not known
--- config: agilicus_token_create sub= x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "sub=" in "agilicus_token_create" directive, it must be like "sub=$remote_user"



=== TEST 58: "create sub=a sub=b" is not known
--- config: agilicus_token_create sub=a sub=b x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
duplicate parameter "sub=b" in "agilicus_token_create" directive



=== TEST 59: "create roles=app" is not known
--- config: agilicus_token_create roles=app x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "roles=app" in "agilicus_token_create" directive, it must be like "roles=application:role,application:role"



=== TEST 60: "create roles=app:" is not known
--- config: agilicus_token_create roles=app: x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "roles=app:" in "agilicus_token_create" directive, it must be like "roles=application:role,application:role"



=== TEST 61: "create roles=:r" is not known
--- config: agilicus_token_create roles=:r x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "roles=:r" in "agilicus_token_create" directive, it must be like "roles=application:role,application:role"



=== TEST 62: "create audiences=a,,b" is not known
--- config: agilicus_token_create audiences=a,,b x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "audiences=a,,b" in "agilicus_token_create" directive, it must be like "audiences=a,b"



=== TEST 63: "create scopes=a," is not known
--- config: agilicus_token_create scopes=a, x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "scopes=a," in "agilicus_token_create" directive, it must be like "scopes=a,b"



=== TEST 64: "create duration=0" is not known
--- config: agilicus_token_create duration=0 x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "duration=0" in "agilicus_token_create" directive, it must be like "duration=1h" (1s at least)



=== TEST 65: "create duration=1x" is not known
--- config: agilicus_token_create duration=1x x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "duration=1x" in "agilicus_token_create" directive, it must be like "duration=1h" (1s at least)



=== TEST 66: "create for=me" is not known
--- config: agilicus_token_create for=me x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "for=me" in "agilicus_token_create" directive, it must be "identity=ssl" or "identity=access" or like "sub=$remote_user" or like "org=riverton" or like "audiences=a,b" or like "scopes=a,b" or like "roles=application:role,application:role" or like "duration=1h" (1s at least)



=== TEST 67: "create alone" is not known
--- config: agilicus_token_create alone x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "alone" in "agilicus_token_create" directive, it must be "identity=ssl" or "identity=access" or like "sub=$remote_user" or like "org=riverton" or like "audiences=a,b" or like "scopes=a,b" or like "roles=application:role,application:role" or like "duration=1h" (1s at least)



=== TEST 68: "create" needs to know whom for
--- config: agilicus_token_create identity=ssl sub=a org=b duration=1h;
--- must_die
--- error_log refused
"agilicus_token_create" directive needs "identity", "sub", "org" and "audiences", like "identity=ssl sub=$ssl_client_s_dn org=riverton audiences=billing"



=== TEST 69: "create" stands once in a place
--- config: agilicus_token_create identity=ssl sub=a org=b audiences=c; agilicus_token_create identity=ssl sub=a org=b audiences=c;
--- must_die
--- error_log refused
"agilicus_token_create" directive is duplicate



=== TEST 70: "create" does not go with a report
--- config: agilicus_token report; agilicus_token_create identity=ssl sub=a org=b audiences=c;
--- must_die
--- error_log refused
"agilicus_token report" refuses nothing, so it does not go with "agilicus_token_create", write "agilicus_token on"



=== TEST 71: "create" does not go with "satisfy any"
--- config: satisfy any; agilicus_token on; agilicus_token_create identity=ssl sub=a org=b audiences=c;
--- must_die
--- error_log refused
"agilicus_token_create" does not go with "satisfy any": it could let in a client that was not identified



=== TEST 72: "create" needs a credential
--- config: agilicus_token on; agilicus_token_create identity=ssl sub=a org=b audiences=c;
--- must_die
--- error_log refused
"agilicus_token_create" needs "agilicus_token_api_credential", a file with the token of the edge itself



=== TEST 73: "create" needs somebody to have asked who it is
--- config: agilicus_token on; agilicus_token_api_credential $TEST_NGINX_CREDENTIAL; agilicus_token_create identity=access sub=a org=b audiences=c;
--- must_die
--- error_log refused
"agilicus_token_create identity=access" needs "auth_basic" or "auth_request" in the same location



=== TEST 74: identity headers are of fields that are known
--- config: agilicus_token on; agilicus_token_identity_headers on fields=sub,iss;
--- must_die
--- error_log refused
invalid parameter "fields=sub,iss" in "agilicus_token_identity_headers" directive, it must be like "fields=sub,org" (some of sub, email, org, scopes, jti, roles, root_org, session, aud and exp, each once)



=== TEST 75: a field is written as it stands in the documentation
--- config: agilicus_token on; agilicus_token_identity_headers on fields=Sub;
--- must_die
--- error_log refused
invalid parameter "fields=Sub" in "agilicus_token_identity_headers" directive, it must be like "fields=sub,org" (some of sub, email, org, scopes, jti, roles, root_org, session, aud and exp, each once)



=== TEST 76: a field has no blank before it
--- config: agilicus_token on; agilicus_token_identity_headers "on" "fields=sub, org";
--- must_die
--- error_log refused
invalid parameter "fields=sub, org" in "agilicus_token_identity_headers" directive, it must be like "fields=sub,org" (some of sub, email, org, scopes, jti, roles, root_org, session, aud and exp, each once)



=== TEST 77: there are fields
--- config: agilicus_token on; agilicus_token_identity_headers on fields=;
--- must_die
--- error_log refused
invalid parameter "fields=" in "agilicus_token_identity_headers" directive, it must be like "fields=sub,org" (some of sub, email, org, scopes, jti, roles, root_org, session, aud and exp, each once)



=== TEST 78: fields do not end with a comma
--- config: agilicus_token on; agilicus_token_identity_headers on fields=sub,;
--- must_die
--- error_log refused
invalid parameter "fields=sub," in "agilicus_token_identity_headers" directive, it must be like "fields=sub,org" (some of sub, email, org, scopes, jti, roles, root_org, session, aud and exp, each once)



=== TEST 79: fields do not begin with one
--- config: agilicus_token on; agilicus_token_identity_headers on fields=,sub;
--- must_die
--- error_log refused
invalid parameter "fields=,sub" in "agilicus_token_identity_headers" directive, it must be like "fields=sub,org" (some of sub, email, org, scopes, jti, roles, root_org, session, aud and exp, each once)



=== TEST 80: a field is named once
--- config: agilicus_token on; agilicus_token_identity_headers on fields=sub,org,sub;
--- must_die
--- error_log refused
invalid parameter "fields=sub,org,sub" in "agilicus_token_identity_headers" directive, it must be like "fields=sub,org" (some of sub, email, org, scopes, jti, roles, root_org, session, aud and exp, each once)



=== TEST 81: an encoding is known
--- config: agilicus_token on; agilicus_token_identity_headers on encoding=base64;
--- must_die
--- error_log refused
invalid parameter "encoding=base64" in "agilicus_token_identity_headers" directive, it must be "encoding=none" or "encoding=percent"



=== TEST 82: an encoding is not empty
--- config: agilicus_token on; agilicus_token_identity_headers on encoding=;
--- must_die
--- error_log refused
invalid parameter "encoding=" in "agilicus_token_identity_headers" directive, it must be "encoding=none" or "encoding=percent"



=== TEST 83: no other parameter is known
--- config: agilicus_token on; agilicus_token_identity_headers on scopes=all;
--- must_die
--- error_log refused
invalid parameter "scopes=all" in "agilicus_token_identity_headers" directive, it must be like "fields=sub,org" (some of sub, email, org, scopes, jti, roles, root_org, session, aud and exp, each once) or "encoding=none" or "encoding=percent"



=== TEST 84: a parameter has a name
--- config: agilicus_token on; agilicus_token_identity_headers X-Who on;
--- must_die
--- error_log refused
invalid parameter "on" in "agilicus_token_identity_headers" directive, it must be like "fields=sub,org" (some of sub, email, org, scopes, jti, roles, root_org, session, aud and exp, each once) or "encoding=none" or "encoding=percent"



=== TEST 85: fields are named at one place
--- config: agilicus_token on; agilicus_token_identity_headers on fields=sub fields=org;
--- must_die
--- error_log refused
duplicate parameter "fields=org" in "agilicus_token_identity_headers" directive



=== TEST 86: there is one encoding
--- config: agilicus_token on; agilicus_token_identity_headers on encoding=none fields=sub encoding=none;
--- must_die
--- error_log refused
duplicate parameter "encoding=none" in "agilicus_token_identity_headers" directive



=== TEST 87: what is off has no fields
--- config: agilicus_token on; agilicus_token_identity_headers off fields=sub;
--- must_die
--- error_log refused
invalid parameter "fields=sub" in "agilicus_token_identity_headers" directive, nothing goes with "off"



=== TEST 88: identity headers are configured once in a place
--- config: agilicus_token on; agilicus_token_identity_headers off; agilicus_token_identity_headers on;
--- must_die
--- error_log refused
"agilicus_token_identity_headers" directive is duplicate



=== TEST 89: "reissue" does not go with "optional"
--- config: agilicus_token optional; agilicus_token_reissue a;
--- must_die
--- error_log refused
"agilicus_token optional" lets requests without a token in, so it does not go with "agilicus_token_reissue", write "agilicus_token on"



=== TEST 90: nor does "create", also where it is inherited
--- create
agilicus_token_create identity=ssl sub=u org=o audiences=a;
location /c/inside { agilicus_token optional; }
--- refused
"agilicus_token optional" lets requests without a token in, so it does not go with "agilicus_token_create", write "agilicus_token on"
