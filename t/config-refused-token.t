# What "nginx -t" refuses of what a location asks of a token: where it stands,
# what is required, and what the client is told.

use lib 't/lib';
use AgilicusTest;


# whether nginx has not got "stream" or "mail" built in

sub lacks {
    my ($module) = @_;

    return `$ENV{TEST_NGINX_BINARY} -V 2>&1` !~ /--with-$module(?![\w=-])/;
}


plan tests => blocks() * 2;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: "agilicus_token" is on, optional, off or report
--- config: agilicus_token yes;
--- must_die
--- error_log refused
invalid parameter "yes" in "agilicus_token" directive, it must be "on", "optional", "off" or "report"



=== TEST 2: "agilicus_token" has one parameter
--- config: agilicus_token on report;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token" directive



=== TEST 3: "agilicus_token" stands once in a place
--- config: agilicus_token on; agilicus_token off;
--- must_die
--- error_log refused
"agilicus_token" directive is duplicate



=== TEST 4: "agilicus_token" does not belong into "if"
--- config: location /t { if ($arg_x) { agilicus_token on; } }
--- must_die
--- error_log refused
"agilicus_token" directive is not allowed here



=== TEST 5: "agilicus_token" does not belong outside of http
--- main_config: agilicus_token on;
--- config
--- must_die
--- error_log refused
"agilicus_token" directive is not allowed here



=== TEST 6: "agilicus_token" does not belong into upstream
--- http_config: upstream u { agilicus_token on; server 127.0.0.1; }
--- config
--- must_die
--- error_log refused
"agilicus_token" directive is not allowed here



=== TEST 7: an unknown directive of the family is refused
--- config: agilicus_token_require_scope a;
--- must_die
--- error_log refused
unknown directive "agilicus_token_require_scope"



=== TEST 8: "agilicus_token" belongs into no stream server
--- main_config: stream { server { listen 127.0.0.1:$TEST_NGINX_CLOSED_PORT; agilicus_token on; } }
--- config
--- skip_eval: 2: main::lacks("stream")
--- must_die
--- error_log refused
"agilicus_token" directive is not allowed here



=== TEST 9: "agilicus_token" belongs into no mail server
--- main_config: mail { server { listen 127.0.0.1:$TEST_NGINX_CLOSED_PORT; agilicus_token on; } }
--- config
--- skip_eval: 2: main::lacks("mail")
--- must_die
--- error_log refused
"agilicus_token" directive is not allowed here



=== TEST 10: a realm is one string
--- config: agilicus_token_realm a b;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_realm" directive



=== TEST 11: a realm has no control characters
--- config: agilicus_token_realm 'a	b';
--- must_die
--- error_log refused
"agilicus_token_realm" directive must not have control characters or non-ASCII in it



=== TEST 12: a realm has nothing beyond ASCII
--- config: agilicus_token_realm café;
--- must_die
--- error_log refused
"agilicus_token_realm" directive must not have control characters or non-ASCII in it



=== TEST 13: a realm stands once in a place
--- config: agilicus_token_realm a; agilicus_token_realm b;
--- must_die
--- error_log refused
"agilicus_token_realm" directive is duplicate



=== TEST 14: a token is taken from known places
--- config: agilicus_token_source header body;
--- must_die
--- error_log refused
invalid parameter "body" in "agilicus_token_source" directive, it must be "header" or like "cookie=name" or like "query=name" or like "subprotocol=prefix", with a name of letters, digits, "-", "_" and "."



=== TEST 15: a source is named once
--- config: agilicus_token_source header header;
--- must_die
--- error_log refused
duplicate parameter "header" in "agilicus_token_source" directive



=== TEST 16: a cookie has a name
--- config: agilicus_token_source cookie=;
--- must_die
--- error_log refused
invalid parameter "cookie=" in "agilicus_token_source" directive, it must be "header" or like "cookie=name" or like "query=name" or like "subprotocol=prefix", with a name of letters, digits, "-", "_" and "."



=== TEST 17: the name of a cookie needs no escaping
--- config: agilicus_token_source "cookie=a;b";
--- must_die
--- error_log refused
invalid parameter "cookie=a;b" in "agilicus_token_source" directive, it must be "header" or like "cookie=name" or like "query=name" or like "subprotocol=prefix", with a name of letters, digits, "-", "_" and "."



=== TEST 18: the name of a query parameter needs no escaping
--- config: agilicus_token_source query=a%62;
--- must_die
--- error_log refused
invalid parameter "query=a%62" in "agilicus_token_source" directive, it must be "header" or like "cookie=name" or like "query=name" or like "subprotocol=prefix", with a name of letters, digits, "-", "_" and "."



=== TEST 19: the name of a query parameter has no variables
--- config: agilicus_token_source query=$arg_x;
--- must_die
--- error_log refused
invalid parameter "query=$arg_x" in "agilicus_token_source" directive, it must be "header" or like "cookie=name" or like "query=name" or like "subprotocol=prefix", with a name of letters, digits, "-", "_" and "."



=== TEST 20: two cookies have two names
--- config: agilicus_token_source cookie=a query=a cookie=a;
--- must_die
--- error_log refused
duplicate parameter "cookie=a" in "agilicus_token_source" directive



=== TEST 21: sources stand once in a place
--- config: agilicus_token_source header; agilicus_token_source header;
--- must_die
--- error_log refused
"agilicus_token_source" directive is duplicate



=== TEST 22: there is at least one source
--- config: agilicus_token_source;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_source" directive



=== TEST 23: "max_size" is no "-1"
--- config: agilicus_token_max_size "-1";
--- must_die
--- error_log refused
invalid parameter "-1" in "agilicus_token_max_size" directive, it must be a size, like "4k"



=== TEST 24: "max_size" is no "4kb"
--- config: agilicus_token_max_size "4kb";
--- must_die
--- error_log refused
invalid parameter "4kb" in "agilicus_token_max_size" directive, it must be a size, like "4k"



=== TEST 25: "max_size" is no "99999999999999999999"
--- config: agilicus_token_max_size "99999999999999999999";
--- must_die
--- error_log refused
invalid parameter "99999999999999999999" in "agilicus_token_max_size" directive, it must be a size, like "4k"



=== TEST 26: "max_size" is no ""
--- config: agilicus_token_max_size "";
--- must_die
--- error_log refused
invalid parameter "" in "agilicus_token_max_size" directive, it must be a size, like "4k"



=== TEST 27: "leeway" is no "-1"
--- config: agilicus_token_leeway "-1";
--- must_die
--- error_log refused
invalid parameter "-1" in "agilicus_token_leeway" directive, it must be a time, like "5s" (1d at most)



=== TEST 28: "leeway" is no "1x"
--- config: agilicus_token_leeway "1x";
--- must_die
--- error_log refused
invalid parameter "1x" in "agilicus_token_leeway" directive, it must be a time, like "5s" (1d at most)



=== TEST 29: "leeway" is no "99999999999999999999"
--- config: agilicus_token_leeway "99999999999999999999";
--- must_die
--- error_log refused
invalid parameter "99999999999999999999" in "agilicus_token_leeway" directive, it must be a time, like "5s" (1d at most)



=== TEST 30: "leeway" is for clocks that are a little off
--- config: agilicus_token_leeway 86401s;
--- must_die
--- error_log refused
invalid parameter "86401s" in "agilicus_token_leeway" directive, it must be a time, like "5s" (1d at most)



=== TEST 31: "max_size" stands once in a place
--- config: agilicus_token_max_size 1k; agilicus_token_max_size 2k;
--- must_die
--- error_log refused
"agilicus_token_max_size" directive is duplicate



=== TEST 32: no token fits into nothing
--- config: agilicus_token on; agilicus_token_max_size 0;
--- must_die
--- error_log refused
"agilicus_token_max_size" must not be 0, write a size, like "4k"



=== TEST 33: "leeway" stands once in a place
--- config: agilicus_token_leeway 1s; agilicus_token_leeway 2s;
--- must_die
--- error_log refused
"agilicus_token_leeway" directive is duplicate



=== TEST 34: "require_expiry" is on or off
--- config: agilicus_token_require_expiry 1;
--- must_die
--- error_log refused
invalid parameter "1" in "agilicus_token_require_expiry" directive, it must be "on" or "off"



=== TEST 35: "require_expiry" stands once in a place
--- config: agilicus_token_require_expiry on; agilicus_token_require_expiry on;
--- must_die
--- error_log refused
"agilicus_token_require_expiry" directive is duplicate



=== TEST 36: "deny_masquerading" is on or off
--- config: agilicus_token_deny_masquerading 1;
--- must_die
--- error_log refused
invalid parameter "1" in "agilicus_token_deny_masquerading" directive, it must be "on" or "off"



=== TEST 37: "deny_masquerading" stands once in a place
--- config: agilicus_token_deny_masquerading on; agilicus_token_deny_masquerading on;
--- must_die
--- error_log refused
"agilicus_token_deny_masquerading" directive is duplicate



=== TEST 38: "preflight" is check or pass
--- config: agilicus_token_preflight off;
--- must_die
--- error_log refused
invalid parameter "off" in "agilicus_token_preflight" directive, it must be "check" or "pass"



=== TEST 39: scopes are named
--- config: agilicus_token_require_scopes;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_require_scopes" directive



=== TEST 40: "any" is no scope
--- config: agilicus_token_require_scopes any;
--- must_die
--- error_log refused
"agilicus_token_require_scopes" directive needs a scope after "any"



=== TEST 41: an empty scopes could not be met
--- config: agilicus_token_require_scopes a "";
--- must_die
--- error_log refused
"agilicus_token_require_scopes" directive has an empty value, which nothing could meet



=== TEST 42: an empty audience could not be met
--- config: agilicus_token_require_audience a "";
--- must_die
--- error_log refused
"agilicus_token_require_audience" directive has an empty value, which nothing could meet



=== TEST 43: an empty org could not be met
--- config: agilicus_token_require_org a "";
--- must_die
--- error_log refused
"agilicus_token_require_org" directive has an empty value, which nothing could meet



=== TEST 44: an empty role could not be met
--- config: agilicus_token_require_role app "";
--- must_die
--- error_log refused
"agilicus_token_require_role" directive has an empty value, which nothing could meet



=== TEST 45: a variable in a requirement must exist
--- config: agilicus_token on; agilicus_token_require_scopes $nonexistent;
--- must_die
--- error_log
unknown "nonexistent" variable



=== TEST 46: a role is one of an application
--- config: agilicus_token_require_role app;
--- must_die
--- error_log refused
"agilicus_token_require_role" directive needs an application and at least one of its roles, like "meters technician"



=== TEST 47: a resource has a type, an identifier and a role
--- config: agilicus_token_require_resource application;
--- must_die
--- error_log refused
"agilicus_token_require_resource" directive needs a type, an identifier and at least one role, like "fileshare plans editor"



=== TEST 48: a role on a resource is needed
--- config: agilicus_token_require_resource application wiki;
--- must_die
--- error_log refused
"agilicus_token_require_resource" directive needs a type, an identifier and at least one role, like "fileshare plans editor"



=== TEST 49: an empty resource could not be met
--- config: agilicus_token_require_resource application "" editor;
--- must_die
--- error_log refused
"agilicus_token_require_resource" directive has an empty value, which nothing could meet



=== TEST 50: a required value is needed
--- config: agilicus_token_require error=401;
--- must_die
--- error_log refused
"agilicus_token_require" directive needs a value



=== TEST 51: the error of a required value is 401 or 403
--- config: agilicus_token_require $arg_x error=404;
--- must_die
--- error_log refused
invalid parameter "error=404" in "agilicus_token_require" directive, it must be "error=401" or "error=403"



=== TEST 52: what is required is not where the error should be
--- config: agilicus_token_require error=401 $arg_x;
--- must_die
--- error_log refused
"agilicus_token_require" directive takes "error" at its end only



=== TEST 53: metadata is an absolute URL
--- config: agilicus_token_resource_metadata /meta;
--- must_die
--- error_log refused
"agilicus_token_resource_metadata" directive must be an absolute URL, as it goes into a header



=== TEST 54: a metadata URL can stand in a header
--- config: agilicus_token_resource_metadata 'https://a/"b';
--- must_die
--- error_log refused
"agilicus_token_resource_metadata" directive must be an absolute URL, as it goes into a header



=== TEST 55: metadata stands once in a place
--- config: agilicus_token_resource_metadata https://a; agilicus_token_resource_metadata https://b;
--- must_die
--- error_log refused
"agilicus_token_resource_metadata" directive is duplicate



=== TEST 56: identity headers have a prefix of letters
--- config: agilicus_token_identity_headers X_Y;
--- must_die
--- error_log refused
invalid parameter "X_Y" in "agilicus_token_identity_headers" directive, it must be "on", "off", or a prefix of three characters at least, which are letters, digits and "-"



=== TEST 57: the prefix of identity headers is not too short
--- config: agilicus_token_identity_headers X-;
--- must_die
--- error_log refused
invalid parameter "X-" in "agilicus_token_identity_headers" directive, it must be "on", "off", or a prefix of three characters at least, which are letters, digits and "-"



=== TEST 58: "rules" is on or off
--- config: agilicus_token_rules maybe;
--- must_die
--- error_log refused
invalid parameter "maybe" in "agilicus_token_rules" directive, it must be "on" or "off"



=== TEST 59: "rules on host=" is not known
--- config: agilicus_token_rules on host=;
--- must_die
--- error_log refused
invalid parameter "host=" in "agilicus_token_rules" directive, it must be like "host=$host"



=== TEST 60: "rules on match=exact" is not known
--- config: agilicus_token_rules on match=exact;
--- must_die
--- error_log refused
invalid parameter "match=exact" in "agilicus_token_rules" directive, it must be "match=full" or "match=search"



=== TEST 61: "rules on host=a host=b" is not known
--- config: agilicus_token_rules on host=a host=b;
--- must_die
--- error_log refused
duplicate parameter "host=b" in "agilicus_token_rules" directive



=== TEST 62: "rules on match=full match=search" is not known
--- config: agilicus_token_rules on match=full match=search;
--- must_die
--- error_log refused
duplicate parameter "match=search" in "agilicus_token_rules" directive



=== TEST 63: "rules off host=a" is not known
--- config: agilicus_token_rules off host=a;
--- must_die
--- error_log refused
invalid parameter "host=a" in "agilicus_token_rules" directive, nothing goes with "off"



=== TEST 64: "rules" stands once in a place
--- config: agilicus_token_rules on; agilicus_token_rules off;
--- must_die
--- error_log refused
"agilicus_token_rules" directive is duplicate



=== TEST 65: a phase is access or preaccess
--- config: agilicus_token on; agilicus_token_phase rewrite;
--- must_die
--- error_log refused
invalid parameter "rewrite" in "agilicus_token_phase" directive, it must be "access" or "preaccess"



=== TEST 66: "optional" does not go with "satisfy any"
--- config: location /t { satisfy any; allow 127.0.0.1; deny all; agilicus_token optional; }
--- must_die
--- error_log refused
"agilicus_token optional" does not go with "satisfy any": a request without a token would satisfy it



=== TEST 67: ... also where one of them is inherited
--- config
    agilicus_token optional;
    location /t { satisfy any; location /t/u { } }
--- must_die
--- error_log refused
"agilicus_token optional" does not go with "satisfy any": a request without a token would satisfy it



=== TEST 68: ... or stands in limit_except
--- config: location /t { satisfy any; agilicus_token on; limit_except GET { agilicus_token optional; } }
--- must_die
--- error_log refused
"agilicus_token optional" does not go with "satisfy any": a request without a token would satisfy it



=== TEST 69: "require_mfa" has a time
--- config: agilicus_token_require_mfa;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_require_mfa" directive



=== TEST 70: "require_mfa" has one time
--- config: agilicus_token_require_mfa 5m 6m;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_require_mfa" directive



=== TEST 71: "require_mfa" has a time that can pass
--- config: agilicus_token_require_mfa 0;
--- must_die
--- error_log refused
invalid parameter "0" in "agilicus_token_require_mfa" directive, it must be a time, like "15m" (between 1s and 10y)



=== TEST 72: "require_mfa" has no other word
--- config: agilicus_token_require_mfa off;
--- must_die
--- error_log refused
invalid parameter "off" in "agilicus_token_require_mfa" directive, it must be a time, like "15m" (between 1s and 10y)



=== TEST 73: "require_mfa" has no negative time
--- config: agilicus_token_require_mfa -1;
--- must_die
--- error_log refused
invalid parameter "-1" in "agilicus_token_require_mfa" directive, it must be a time, like "15m" (between 1s and 10y)



=== TEST 74: "require_mfa" has no variable
--- config: agilicus_token_require_mfa $arg_x;
--- must_die
--- error_log refused
invalid parameter "$arg_x" in "agilicus_token_require_mfa" directive, it must be a time, like "15m" (between 1s and 10y)



=== TEST 75: "require_mfa" has no time beyond ten years
--- config: agilicus_token_require_mfa 11y;
--- must_die
--- error_log refused
invalid parameter "11y" in "agilicus_token_require_mfa" directive, it must be a time, like "15m" (between 1s and 10y)



=== TEST 76: "require_mfa" stands once in a place
--- config: agilicus_token_require_mfa 5m; agilicus_token_require_mfa 6m;
--- must_die
--- error_log refused
"agilicus_token_require_mfa" directive is duplicate



=== TEST 77: the body of refusals is HTML or a problem
--- config: agilicus_token_error_body json;
--- must_die
--- error_log refused
invalid parameter "json" in "agilicus_token_error_body" directive, it must be "html" or "problem"



=== TEST 78: ... and stands once in a place
--- config: agilicus_token_error_body html; agilicus_token_error_body problem;
--- must_die
--- error_log refused
"agilicus_token_error_body" directive is duplicate



=== TEST 79: metadata with variables is a URL, too
--- config: agilicus_token_resource_metadata /meta/$host;
--- must_die
--- error_log refused
"agilicus_token_resource_metadata" directive must be an absolute URL, as it goes into a header



=== TEST 77: the prefix of a subprotocol is not empty
--- config: agilicus_token_source subprotocol=;
--- must_die
--- error_log refused
invalid parameter "subprotocol=" in "agilicus_token_source" directive, it must be "header" or like "cookie=name" or like "query=name" or like "subprotocol=prefix", with a name of letters, digits, "-", "_" and "."



=== TEST 78: ... and is no list
--- config: agilicus_token_source subprotocol=a,b;
--- must_die
--- error_log refused
invalid parameter "subprotocol=a,b" in "agilicus_token_source" directive, it must be "header" or like "cookie=name" or like "query=name" or like "subprotocol=prefix", with a name of letters, digits, "-", "_" and "."



=== TEST 79: ... and stands once
--- config: agilicus_token_source subprotocol=a. subprotocol=a.;
--- must_die
--- error_log refused
duplicate parameter "subprotocol=a." in "agilicus_token_source" directive



=== TEST 80: "any" among scopes would be one that no token has
--- config: agilicus_token_require_scopes a b any;
--- must_die
--- error_log refused
"agilicus_token_require_scopes" directive takes "any" before the first scope only
