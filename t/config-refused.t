# What "nginx -t" refuses, each with what it says about it, file and line.

use lib 't/lib';
use AgilicusTest;
use File::Temp;
use TestCA;

my $ca = TestCA->new;

$ca->file;

my $secret = File::Temp->new;

print $secret "edge-credential\n";
close $secret;
$ENV{TEST_NGINX_CREDENTIAL} = "$secret";


# A filter: the text as it stands, as an [emerg], with file and line behind

sub refused {
    my ($text) = @_;

    chomp $text;
    $text =~ s/\$(TEST_NGINX_\w+)/$ENV{$1}/g;

    return qr/\[emerg\] \S+ \Q$text\E in \S+\/nginx\.conf:[1-9]\d*$/;
}


# whether nginx has not got "stream" or "mail" built in

sub lacks {
    my ($module) = @_;

    return `$ENV{TEST_NGINX_BINARY} -V 2>&1` !~ /--with-$module(?![\w=-])/;
}


repeat_each(1);
plan tests => repeat_each() * blocks() * 2;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: "agilicus_token" is on, off or report
--- config: agilicus_token yes;
--- must_die
--- error_log refused
invalid value "yes"



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



=== TEST 8: a realm is one string
--- config: agilicus_token_realm a b;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_realm" directive



=== TEST 9: a realm has no control characters
--- config: agilicus_token_realm 'a	b';
--- must_die
--- error_log refused
"agilicus_token_realm" directive must not have control characters or non-ASCII in it



=== TEST 10: a realm has nothing beyond ASCII
--- config: agilicus_token_realm café;
--- must_die
--- error_log refused
"agilicus_token_realm" directive must not have control characters or non-ASCII in it



=== TEST 11: a realm stands once in a place
--- config: agilicus_token_realm a; agilicus_token_realm b;
--- must_die
--- error_log refused
"agilicus_token_realm" directive is duplicate



=== TEST 12: a token is taken from known places
--- config: agilicus_token_source header body;
--- must_die
--- error_log refused
invalid parameter "body"



=== TEST 13: a source is named once
--- config: agilicus_token_source header header;
--- must_die
--- error_log refused
invalid parameter "header"



=== TEST 14: a cookie has a name
--- config: agilicus_token_source cookie=;
--- must_die
--- error_log refused
invalid parameter "cookie="



=== TEST 15: the name of a cookie needs no escaping
--- config: agilicus_token_source "cookie=a;b";
--- must_die
--- error_log refused
invalid parameter "cookie=a;b"



=== TEST 16: the name of a query parameter needs no escaping
--- config: agilicus_token_source query=a%62;
--- must_die
--- error_log refused
invalid parameter "query=a%62"



=== TEST 17: the name of a query parameter has no variables
--- config: agilicus_token_source query=$arg_x;
--- must_die
--- error_log refused
invalid parameter "query=$arg_x"



=== TEST 18: two cookies have two names
--- config: agilicus_token_source cookie=a query=a cookie=a;
--- must_die
--- error_log refused
invalid parameter "cookie=a"



=== TEST 19: sources stand once in a place
--- config: agilicus_token_source header; agilicus_token_source header;
--- must_die
--- error_log refused
"agilicus_token_source" directive is duplicate



=== TEST 20: there is at least one source
--- config: agilicus_token_source;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_source" directive



=== TEST 21: "max_size" is no "-1"
--- config: agilicus_token_max_size "-1";
--- must_die
--- error_log refused
"agilicus_token_max_size" directive invalid value



=== TEST 22: "max_size" is no "4kb"
--- config: agilicus_token_max_size "4kb";
--- must_die
--- error_log refused
"agilicus_token_max_size" directive invalid value



=== TEST 23: "max_size" is no "99999999999999999999"
--- config: agilicus_token_max_size "99999999999999999999";
--- must_die
--- error_log refused
"agilicus_token_max_size" directive invalid value



=== TEST 24: "max_size" is no ""
--- config: agilicus_token_max_size "";
--- must_die
--- error_log refused
"agilicus_token_max_size" directive invalid value



=== TEST 25: "leeway" is no "-1"
--- config: agilicus_token_leeway "-1";
--- must_die
--- error_log refused
"agilicus_token_leeway" directive invalid value



=== TEST 26: "leeway" is no "1x"
--- config: agilicus_token_leeway "1x";
--- must_die
--- error_log refused
"agilicus_token_leeway" directive invalid value



=== TEST 27: "leeway" is no "99999999999999999999"
--- config: agilicus_token_leeway "99999999999999999999";
--- must_die
--- error_log refused
"agilicus_token_leeway" directive invalid value



=== TEST 28: "max_size" stands once in a place
--- config: agilicus_token_max_size 1k; agilicus_token_max_size 2k;
--- must_die
--- error_log refused
"agilicus_token_max_size" directive is duplicate



=== TEST 29: no token fits into nothing
--- config: agilicus_token on; agilicus_token_max_size 0;
--- must_die
--- error_log refused
"agilicus_token_max_size" must not be 0



=== TEST 30: "leeway" stands once in a place
--- config: agilicus_token_leeway 1s; agilicus_token_leeway 2s;
--- must_die
--- error_log refused
"agilicus_token_leeway" directive is duplicate



=== TEST 31: "require_expiry" is on or off
--- config: agilicus_token_require_expiry 1;
--- must_die
--- error_log refused
invalid value "1" in "agilicus_token_require_expiry" directive, it must be "on" or "off"



=== TEST 32: "require_expiry" stands once in a place
--- config: agilicus_token_require_expiry on; agilicus_token_require_expiry on;
--- must_die
--- error_log refused
"agilicus_token_require_expiry" directive is duplicate



=== TEST 33: "deny_masquerading" is on or off
--- config: agilicus_token_deny_masquerading 1;
--- must_die
--- error_log refused
invalid value "1" in "agilicus_token_deny_masquerading" directive, it must be "on" or "off"



=== TEST 34: "deny_masquerading" stands once in a place
--- config: agilicus_token_deny_masquerading on; agilicus_token_deny_masquerading on;
--- must_die
--- error_log refused
"agilicus_token_deny_masquerading" directive is duplicate



=== TEST 35: "api_ssl_verify" is on or off
--- config: agilicus_token_api_ssl_verify 1;
--- must_die
--- error_log refused
invalid value "1" in "agilicus_token_api_ssl_verify" directive, it must be "on" or "off"



=== TEST 36: "api_ssl_verify" stands once in a place
--- config: agilicus_token_api_ssl_verify on; agilicus_token_api_ssl_verify on;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_verify" directive is duplicate



=== TEST 37: "preflight" is check or pass
--- config: agilicus_token_preflight off;
--- must_die
--- error_log refused
invalid value "off"



=== TEST 38: scopes are named
--- config: agilicus_token_require_scopes;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_require_scopes" directive



=== TEST 39: "any" is no scope
--- config: agilicus_token_require_scopes any;
--- must_die
--- error_log refused
"agilicus_token_require_scopes" directive needs a scope after "any"



=== TEST 40: an empty scopes could not be met
--- config: agilicus_token_require_scopes a "";
--- must_die
--- error_log refused
"agilicus_token_require_scopes" directive has an empty value, which nothing could meet



=== TEST 41: an empty audience could not be met
--- config: agilicus_token_require_audience a "";
--- must_die
--- error_log refused
"agilicus_token_require_audience" directive has an empty value, which nothing could meet



=== TEST 42: an empty org could not be met
--- config: agilicus_token_require_org a "";
--- must_die
--- error_log refused
"agilicus_token_require_org" directive has an empty value, which nothing could meet



=== TEST 43: an empty role could not be met
--- config: agilicus_token_require_role app "";
--- must_die
--- error_log refused
"agilicus_token_require_role" directive has an empty value, which nothing could meet



=== TEST 44: a variable in a requirement must exist
--- config: agilicus_token on; agilicus_token_require_scopes $nonexistent;
--- must_die
--- error_log
unknown "nonexistent" variable



=== TEST 45: a role is one of an application
--- config: agilicus_token_require_role app;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_require_role" directive



=== TEST 46: a required value is needed
--- config: agilicus_token_require error=401;
--- must_die
--- error_log refused
"agilicus_token_require" directive needs a value



=== TEST 47: the error of a required value is 401 or 403
--- config: agilicus_token_require $arg_x error=404;
--- must_die
--- error_log refused
invalid parameter "error=404"



=== TEST 48: metadata is an absolute URL
--- config: agilicus_token_resource_metadata /meta;
--- must_die
--- error_log refused
"agilicus_token_resource_metadata" directive must be an absolute URL



=== TEST 49: a metadata URL can stand in a header
--- config: agilicus_token_resource_metadata 'https://a/"b';
--- must_die
--- error_log refused
"agilicus_token_resource_metadata" directive must be a URL as it goes into a header, without variables



=== TEST 50: metadata stands once in a place
--- config: agilicus_token_resource_metadata https://a; agilicus_token_resource_metadata https://b;
--- must_die
--- error_log refused
"agilicus_token_resource_metadata" directive is duplicate



=== TEST 51: identity headers have a prefix of letters
--- config: agilicus_token_identity_headers X_Y;
--- must_die
--- error_log refused
"agilicus_token_identity_headers" directive must be made of letters, digits and "-"



=== TEST 52: the prefix of identity headers is not too short
--- config: agilicus_token_identity_headers X-;
--- must_die
--- error_log refused
"agilicus_token_identity_headers" directive would take too many headers: a prefix has three letters at least



=== TEST 53: http://192.0.2.1 is no loopback address
--- config: agilicus_token_api http://192.0.2.1;
--- must_die
--- error_log refused
the URL of the Tokens API "http://192.0.2.1" must be "https": plain "http" is for literal loopback addresses only



=== TEST 54: http://api.example is no loopback address
--- config: agilicus_token_api http://api.example;
--- must_die
--- error_log refused
the URL of the Tokens API "http://api.example" must be "https": plain "http" is for literal loopback addresses only



=== TEST 55: http://127.0.0.1.example is no loopback address
--- config: agilicus_token_api http://127.0.0.1.example;
--- must_die
--- error_log refused
the URL of the Tokens API "http://127.0.0.1.example" must be "https": plain "http" is for literal loopback addresses only



=== TEST 56: http://0.0.0.0 is no loopback address
--- config: agilicus_token_api http://0.0.0.0;
--- must_die
--- error_log refused
the URL of the Tokens API "http://0.0.0.0" must be "https": plain "http" is for literal loopback addresses only



=== TEST 57: http://[::2] is no loopback address
--- config: agilicus_token_api http://[::2];
--- must_die
--- error_log refused
the URL of the Tokens API "http://[::2]" must be "https": plain "http" is for literal loopback addresses only



=== TEST 58: http://2130706433 is no loopback address
--- config: agilicus_token_api http://2130706433;
--- must_die
--- error_log refused
the URL of the Tokens API "http://2130706433" must have an IPv4 address as four decimal numbers without leading zeros



=== TEST 59: http://127.1 is no loopback address
--- config: agilicus_token_api http://127.1;
--- must_die
--- error_log refused
the URL of the Tokens API "http://127.1" must have an IPv4 address as four decimal numbers without leading zeros



=== TEST 60: a name is no loopback address, not even localhost
--- config: agilicus_token_api http://localhost:80;
--- must_die
--- error_log refused
the URL of the Tokens API "http://localhost:80" must say "127.0.0.1" or "[::1]": a name could resolve to any address



=== TEST 61: file:///etc/passwd is no API
--- config: agilicus_token_api file:///etc/passwd;
--- must_die
--- error_log refused
the URL of the Tokens API "file:///etc/passwd" must be an "https" URL



=== TEST 62: ftp://127.0.0.1 is no API
--- config: agilicus_token_api ftp://127.0.0.1;
--- must_die
--- error_log refused
the URL of the Tokens API "ftp://127.0.0.1" must be an "https" URL



=== TEST 63: gopher://127.0.0.1 is no API
--- config: agilicus_token_api gopher://127.0.0.1;
--- must_die
--- error_log refused
the URL of the Tokens API "gopher://127.0.0.1" must be an "https" URL



=== TEST 64: dict://127.0.0.1 is no API
--- config: agilicus_token_api dict://127.0.0.1;
--- must_die
--- error_log refused
the URL of the Tokens API "dict://127.0.0.1" must be an "https" URL



=== TEST 65: unix:/tmp/s is no API
--- config: agilicus_token_api unix:/tmp/s;
--- must_die
--- error_log refused
the URL of the Tokens API "unix:/tmp/s" must be an "https" URL



=== TEST 66: http:/127.0.0.1 is no API
--- config: agilicus_token_api http:/127.0.0.1;
--- must_die
--- error_log refused
the URL of the Tokens API "http:/127.0.0.1" must be an "https" URL



=== TEST 67: https: is no API
--- config: agilicus_token_api https:;
--- must_die
--- error_log refused
the URL of the Tokens API "https:" must be an "https" URL



=== TEST 68: 127.0.0.1 is no API
--- config: agilicus_token_api 127.0.0.1;
--- must_die
--- error_log refused
the URL of the Tokens API "127.0.0.1" must be an "https" URL



=== TEST 69: "" is no API
--- config: agilicus_token_api "";
--- must_die
--- error_log refused
the URL of the Tokens API "" must be an "https" URL



=== TEST 70: an API has no variables
--- config: agilicus_token_api https://$host;
--- must_die
--- error_log refused
the URL of the Tokens API "https://$host" must not have variables in it



=== TEST 71: https://user@api.example is more than an address
--- config: agilicus_token_api 'https://user@api.example';
--- must_die
--- error_log refused
the URL of the Tokens API "https://user@api.example" must be made of a host, a port and a plain path only



=== TEST 72: https://api.example?x is more than an address
--- config: agilicus_token_api 'https://api.example?x';
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example?x" must be made of a host, a port and a plain path only



=== TEST 73: https://api.example#x is more than an address
--- config: agilicus_token_api 'https://api.example#x';
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example#x" must be made of a host, a port and a plain path only



=== TEST 74: https://api.example\\x is more than an address
--- config: agilicus_token_api 'https://api.example\\x';
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example\x" must be made of a host, a port and a plain path only



=== TEST 75: https://api.example/%2e is more than an address
--- config: agilicus_token_api 'https://api.example/%2e';
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example/%2e" must be made of a host, a port and a plain path only



=== TEST 76: https://a b is more than an address
--- config: agilicus_token_api 'https://a b';
--- must_die
--- error_log refused
the URL of the Tokens API "https://a b" must be made of a host, a port and a plain path only



=== TEST 77: https:// has no host
--- config: agilicus_token_api https://;
--- must_die
--- error_log refused
the URL of the Tokens API "https://" must be an "https" URL



=== TEST 78: https://:443 has no host
--- config: agilicus_token_api https://:443;
--- must_die
--- error_log refused
the URL of the Tokens API "https://:443" has no valid host



=== TEST 79: https:///x has no host
--- config: agilicus_token_api https:///x;
--- must_die
--- error_log refused
the URL of the Tokens API "https:///x" has no valid host



=== TEST 80: https://[::1 has no valid host
--- config: agilicus_token_api https://[::1;
--- must_die
--- error_log refused
the URL of the Tokens API "https://[::1" has no valid host



=== TEST 81: https://a,b has no valid host
--- config: agilicus_token_api https://a,b;
--- must_die
--- error_log refused
the URL of the Tokens API "https://a,b" has no valid host



=== TEST 82: https://::1 has no valid host
--- config: agilicus_token_api https://::1;
--- must_die
--- error_log refused
the URL of the Tokens API "https://::1" has no valid host



=== TEST 83: https://api.example:0 has no valid port
--- config: agilicus_token_api https://api.example:0;
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example:0" has no valid port



=== TEST 84: https://api.example:65536 has no valid port
--- config: agilicus_token_api https://api.example:65536;
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example:65536" has no valid port



=== TEST 85: https://api.example:x has no valid port
--- config: agilicus_token_api https://api.example:x;
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example:x" has no valid port



=== TEST 86: https://api.example: has no valid port
--- config: agilicus_token_api https://api.example:;
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example:" has no valid port



=== TEST 87: an API is named once in a place
--- config: agilicus_token_api https://a; agilicus_token_api https://b;
--- must_die
--- error_log refused
"agilicus_token_api" directive is duplicate



=== TEST 88: https://proxy is no proxy
--- config: agilicus_token_api_proxy https://proxy;
--- must_die
--- error_log refused
the URL of the proxy "https://proxy" must be "http://host:port"



=== TEST 89: socks5://proxy is no proxy
--- config: agilicus_token_api_proxy socks5://proxy;
--- must_die
--- error_log refused
the URL of the proxy "socks5://proxy" must be "http://host:port"



=== TEST 90: proxy:3128 is no proxy
--- config: agilicus_token_api_proxy proxy:3128;
--- must_die
--- error_log refused
the URL of the proxy "proxy:3128" must be "http://host:port"



=== TEST 91: http://proxy/path is no proxy
--- config: agilicus_token_api_proxy http://proxy/path;
--- must_die
--- error_log refused
the URL of the proxy "http://proxy/path" must be "http://host:port"



=== TEST 92: a proxy has no password in its URL
--- config: agilicus_token_api_proxy http://u:p@proxy;
--- must_die
--- error_log refused
the URL of the proxy "http://u:p@proxy" must be made of a host, a port and a plain path only



=== TEST 93: a proxy is named once in a place
--- config: agilicus_token_api_proxy off; agilicus_token_api_proxy off;
--- must_die
--- error_log refused
"agilicus_token_api_proxy" directive is duplicate



=== TEST 94: "api_connect_timeout" is a time
--- config: agilicus_token_api_connect_timeout 1y2x;
--- must_die
--- error_log refused
"agilicus_token_api_connect_timeout" directive invalid value



=== TEST 95: "api_connect_timeout" is not negative
--- config: agilicus_token_api_connect_timeout -1;
--- must_die
--- error_log refused
"agilicus_token_api_connect_timeout" directive invalid value



=== TEST 96: "api_connect_timeout" does not overflow
--- config: agilicus_token_api_connect_timeout 99999999999999999999s;
--- must_die
--- error_log refused
"agilicus_token_api_connect_timeout" directive invalid value



=== TEST 97: "api_connect_timeout" stands once in a place
--- config: agilicus_token_api_connect_timeout 1s; agilicus_token_api_connect_timeout 1s;
--- must_die
--- error_log refused
"agilicus_token_api_connect_timeout" directive is duplicate



=== TEST 98: "api_connect_timeout" is not 0
--- config: agilicus_token on; agilicus_token_api_connect_timeout 0;
--- must_die
--- error_log refused
"agilicus_token_api_timeout" and "agilicus_token_api_connect_timeout" must not be 0



=== TEST 99: "api_timeout" is a time
--- config: agilicus_token_api_timeout 1y2x;
--- must_die
--- error_log refused
"agilicus_token_api_timeout" directive invalid value



=== TEST 100: "api_timeout" is not negative
--- config: agilicus_token_api_timeout -1;
--- must_die
--- error_log refused
"agilicus_token_api_timeout" directive invalid value



=== TEST 101: "api_timeout" does not overflow
--- config: agilicus_token_api_timeout 99999999999999999999s;
--- must_die
--- error_log refused
"agilicus_token_api_timeout" directive invalid value



=== TEST 102: "api_timeout" stands once in a place
--- config: agilicus_token_api_timeout 1s; agilicus_token_api_timeout 1s;
--- must_die
--- error_log refused
"agilicus_token_api_timeout" directive is duplicate



=== TEST 103: "api_timeout" is not 0
--- config: agilicus_token on; agilicus_token_api_timeout 0;
--- must_die
--- error_log refused
"agilicus_token_api_timeout" and "agilicus_token_api_connect_timeout" must not be 0



=== TEST 104: "api_ssl_trusted_certificate" is a file
--- config: agilicus_token_api_ssl_trusted_certificate "";
--- must_die
--- error_log refused
"agilicus_token_api_ssl_trusted_certificate" directive needs the name of a file



=== TEST 105: "api_ssl_trusted_certificate" stands once in a place
--- config: agilicus_token_api_ssl_trusted_certificate a; agilicus_token_api_ssl_trusted_certificate b;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_trusted_certificate" directive is duplicate



=== TEST 106: "api_ssl_certificate" is a file
--- config: agilicus_token_api_ssl_certificate "";
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate" directive needs the name of a file



=== TEST 107: "api_ssl_certificate" stands once in a place
--- config: agilicus_token_api_ssl_certificate a; agilicus_token_api_ssl_certificate b;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate" directive is duplicate



=== TEST 108: "api_ssl_certificate_key" is a file
--- config: agilicus_token_api_ssl_certificate_key "";
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate_key" directive needs the name of a file



=== TEST 109: "api_ssl_certificate_key" stands once in a place
--- config: agilicus_token_api_ssl_certificate_key a; agilicus_token_api_ssl_certificate_key b;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate_key" directive is duplicate



=== TEST 110: a file that is not there is refused
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/none.pem;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_trusted_certificate" names "$TEST_NGINX_HTML_DIR/none.pem", which cannot be opened (2: No such file or directory)



=== TEST 111: a directory is no file
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_trusted_certificate $TEST_NGINX_HTML_DIR;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_trusted_certificate" names "$TEST_NGINX_HTML_DIR", which is not a regular file



=== TEST 112: authorities are certificates
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/a.pem;
--- user_files
>>> a.pem
-----BEGIN CERTIFICATE-----
no
-----END CERTIFICATE-----
--- must_die
--- error_log refused
"agilicus_token_api_ssl_trusted_certificate" names "$TEST_NGINX_HTML_DIR/a.pem", which holds no certificate in PEM



=== TEST 113: an empty file holds no certificate
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/a.pem;
--- user_files eval: ">>> a.pem\n"
--- must_die
--- error_log refused
"agilicus_token_api_ssl_trusted_certificate" names "$TEST_NGINX_HTML_DIR/a.pem", which is empty



=== TEST 114: a certificate needs its key
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_certificate $TEST_NGINX_CA_FILE;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate" and "agilicus_token_api_ssl_certificate_key" must be set together



=== TEST 115: a key needs its certificate
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_certificate_key $TEST_NGINX_CA_FILE;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate" and "agilicus_token_api_ssl_certificate_key" must be set together



=== TEST 116: a key that everybody can read is no secret
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_certificate $TEST_NGINX_CA_FILE;
agilicus_token_api_ssl_certificate_key $TEST_NGINX_CA_FILE;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate_key" names "$TEST_NGINX_CA_FILE", which holds a secret and everybody can read it, take the permission away



=== TEST 117: a credential that everybody can read is no secret
--- config
agilicus_token on;
agilicus_token_api_credential $TEST_NGINX_CA_FILE;
--- must_die
--- error_log refused
"agilicus_token_api_credential" names "$TEST_NGINX_CA_FILE", which holds a secret and everybody can read it, take the permission away



=== TEST 118: a credential is a file
--- config: agilicus_token_api_credential;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_api_credential" directive



=== TEST 119: a credential may go with introspection, and nothing else
--- config: agilicus_token_api_credential f all;
--- must_die
--- error_log refused
invalid parameter "all"



=== TEST 120: a credential stands once in a place
--- config: agilicus_token_api_credential f; agilicus_token_api_credential f;
--- must_die
--- error_log refused
"agilicus_token_api_credential" directive is duplicate



=== TEST 121: introspection has known options
--- config: agilicus_token_introspect_options roles=on;
--- must_die
--- error_log refused
invalid parameter "roles=on"



=== TEST 122: options of introspection are on or off
--- config: agilicus_token_introspect_options no_cache=yes;
--- must_die
--- error_log refused
invalid parameter "no_cache=yes"



=== TEST 123: options of introspection are not empty
--- config: agilicus_token_introspect_options no_cache=;
--- must_die
--- error_log refused
invalid parameter "no_cache="



=== TEST 124: an option of introspection stands once
--- config: agilicus_token_introspect_options no_cache=on no_cache=off;
--- must_die
--- error_log refused
invalid parameter "no_cache=off"



=== TEST 125: options of introspection stand once in a place
--- config: agilicus_token_introspect_options no_cache=on; agilicus_token_introspect_options no_cache=on;
--- must_die
--- error_log refused
"agilicus_token_introspect_options" directive is duplicate



=== TEST 126: "api_max_inflight" belongs into http
--- config: agilicus_token_api_max_inflight 1;
--- must_die
--- error_log refused
"agilicus_token_api_max_inflight" directive is not allowed here



=== TEST 127: "api_rate" belongs into http
--- config: agilicus_token_api_rate off;
--- must_die
--- error_log refused
"agilicus_token_api_rate" directive is not allowed here



=== TEST 128: "api_breaker" belongs into http
--- config: agilicus_token_api_breaker off;
--- must_die
--- error_log refused
"agilicus_token_api_breaker" directive is not allowed here



=== TEST 129: "zone" belongs into http
--- config: agilicus_token_zone a:1m;
--- must_die
--- error_log refused
"agilicus_token_zone" directive is not allowed here



=== TEST 130: "revocation_ttl" belongs into http
--- config: agilicus_token_revocation_ttl 1h;
--- must_die
--- error_log refused
"agilicus_token_revocation_ttl" directive is not allowed here



=== TEST 131: "revocation_feed" belongs into http
--- config: agilicus_token_revocation_feed off;
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" directive is not allowed here



=== TEST 132: there is at least one call at a time
--- http_config: agilicus_token_api_max_inflight 0;
--- config
--- must_die
--- error_log refused
value must be between 1 and 65536



=== TEST 133: there are not more calls at a time than ports
--- http_config: agilicus_token_api_max_inflight 65537;
--- config
--- must_die
--- error_log refused
value must be between 1 and 65536



=== TEST 134: the number of calls is a number
--- http_config: agilicus_token_api_max_inflight many;
--- config
--- must_die
--- error_log refused
"agilicus_token_api_max_inflight" directive invalid number



=== TEST 135: "10" is no rate
--- http_config: agilicus_token_api_rate 10;
--- config
--- must_die
--- error_log refused
invalid parameter "10"



=== TEST 136: "0r/s" is no rate
--- http_config: agilicus_token_api_rate 0r/s;
--- config
--- must_die
--- error_log refused
invalid parameter "0r/s"



=== TEST 137: "-1r/s" is no rate
--- http_config: agilicus_token_api_rate -1r/s;
--- config
--- must_die
--- error_log refused
invalid parameter "-1r/s"



=== TEST 138: "10r/h" is no rate
--- http_config: agilicus_token_api_rate 10r/h;
--- config
--- must_die
--- error_log refused
invalid parameter "10r/h"



=== TEST 139: "r/s" is no rate
--- http_config: agilicus_token_api_rate r/s;
--- config
--- must_die
--- error_log refused
invalid parameter "r/s"



=== TEST 140: "1000001r/s" is no rate
--- http_config: agilicus_token_api_rate 1000001r/s;
--- config
--- must_die
--- error_log refused
invalid parameter "1000001r/s"



=== TEST 141: a rate per client is a rate
--- http_config: agilicus_token_api_rate 10r/s per_client=off;
--- config
--- must_die
--- error_log refused
invalid parameter "per_client=off"



=== TEST 142: a burst is a time
--- http_config: agilicus_token_api_rate 10r/s burst=x;
--- config
--- must_die
--- error_log refused
invalid parameter "burst=x"



=== TEST 143: a burst is not too long a time
--- http_config: agilicus_token_api_rate 10r/s burst=2h;
--- config
--- must_die
--- error_log refused
invalid parameter "burst=2h"



=== TEST 144: a burst stands once
--- http_config: agilicus_token_api_rate 10r/s burst=1s burst=2s;
--- config
--- must_die
--- error_log refused
invalid parameter "burst=2s"



=== TEST 145: a rate that is off has no burst
--- http_config: agilicus_token_api_rate off burst=1s;
--- config
--- must_die
--- error_log refused
invalid parameter "off"



=== TEST 146: a rate stands once
--- http_config: agilicus_token_api_rate off; agilicus_token_api_rate off;
--- config
--- must_die
--- error_log refused
"agilicus_token_api_rate" directive is duplicate



=== TEST 147: "0" is no breaker
--- http_config: agilicus_token_api_breaker 0;
--- config
--- must_die
--- error_log refused
invalid parameter "0"



=== TEST 148: "-1" is no breaker
--- http_config: agilicus_token_api_breaker -1;
--- config
--- must_die
--- error_log refused
invalid parameter "-1"



=== TEST 149: "x" is no breaker
--- http_config: agilicus_token_api_breaker x;
--- config
--- must_die
--- error_log refused
invalid parameter "x"



=== TEST 150: "5 open=" is no breaker
--- http_config: agilicus_token_api_breaker 5 open=;
--- config
--- must_die
--- error_log refused
invalid parameter "open="



=== TEST 151: "5 wait=1s" is no breaker
--- http_config: agilicus_token_api_breaker 5 wait=1s;
--- config
--- must_die
--- error_log refused
invalid parameter "wait=1s"



=== TEST 152: "5 open=1s open=1s" is no breaker
--- http_config: agilicus_token_api_breaker 5 open=1s open=1s;
--- config
--- must_die
--- error_log refused
invalid parameter "open=1s"



=== TEST 153: "off open=1s" is no breaker
--- http_config: agilicus_token_api_breaker off open=1s;
--- config
--- must_die
--- error_log refused
invalid parameter "off"



=== TEST 154: "5 open=0" is a breaker of impossible times
--- http_config: agilicus_token_api_breaker 5 open=0;
--- config
--- must_die
--- error_log refused
"agilicus_token_api_breaker" directive needs an "open" that is not 0 and a "max" that is not less



=== TEST 155: "5 open=2s max=1s" is a breaker of impossible times
--- http_config: agilicus_token_api_breaker 5 open=2s max=1s;
--- config
--- must_die
--- error_log refused
"agilicus_token_api_breaker" directive needs an "open" that is not 0 and a "max" that is not less



=== TEST 156: a breaker stands once
--- http_config: agilicus_token_api_breaker off; agilicus_token_api_breaker off;
--- config
--- must_die
--- error_log refused
"agilicus_token_api_breaker" directive is duplicate



=== TEST 157: "a" is no zone
--- http_config: agilicus_token_zone a;
--- config
--- must_die
--- error_log refused
invalid zone "a", it must be "name:size"



=== TEST 158: "a:" is no zone
--- http_config: agilicus_token_zone a:;
--- config
--- must_die
--- error_log refused
invalid zone size "a:"



=== TEST 159: ":1m" is no zone
--- http_config: agilicus_token_zone :1m;
--- config
--- must_die
--- error_log refused
invalid zone ":1m", it must be "name:size"



=== TEST 160: "a:1x" is no zone
--- http_config: agilicus_token_zone a:1x;
--- config
--- must_die
--- error_log refused
invalid zone size "a:1x"



=== TEST 161: "a:-1" is no zone
--- http_config: agilicus_token_zone a:-1;
--- config
--- must_die
--- error_log refused
invalid zone size "a:-1"



=== TEST 162: a zone has a smallest size
--- http_config: agilicus_token_zone a:16k;
--- config
--- must_die
--- error_log refused
zone "a:16k" is too small, it must have 32768 bytes at least



=== TEST 163: a zone is defined once
--- http_config: agilicus_token_zone a:1m; agilicus_token_zone a:1m;
--- config
--- must_die
--- error_log refused
duplicate zone "a"



=== TEST 164: a zone has one size
--- http_config: agilicus_token_zone a:1m; agilicus_token_zone a:2m;
--- config
--- must_die
--- error_log refused
the size 2097152 of shared memory zone "a" conflicts with already declared size 1048576



=== TEST 165: a zone of another module is not ours
--- http_config: limit_req_zone $remote_addr zone=a:1m rate=1r/s; agilicus_token_zone a:1m;
--- config
--- must_die
--- error_log refused
the shared memory zone "a" is already declared for a different use



=== TEST 166: our zone is not that of another module
--- http_config: agilicus_token_zone a:1m; limit_req_zone $remote_addr zone=a:1m rate=1r/s;
--- config
--- must_die
--- error_log refused
the shared memory zone "a" is already declared for a different use



=== TEST 167: a cache is not the zone of another module
--- http_config: limit_req_zone $remote_addr zone=a:1m rate=1r/s;
--- config: agilicus_token_cache a;
--- must_die
--- error_log refused
the shared memory zone "a" is already declared for a different use



=== TEST 168: a cache must be a zone that is there
--- config: agilicus_token on; agilicus_token_cache nowhere;
--- must_die
--- error_log refused
zone "nowhere" is not defined, add "agilicus_token_zone nowhere:10m;" to http



=== TEST 169: a cache stands once in a place
--- config: agilicus_token_cache off; agilicus_token_cache off;
--- must_die
--- error_log refused
"agilicus_token_cache" directive is duplicate



=== TEST 170: "cache_valid" has parameters
--- config: agilicus_token_cache_valid;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_cache_valid" directive



=== TEST 171: "cache_valid" has known parameters
--- config: agilicus_token_cache_valid 30s;
--- must_die
--- error_log refused
invalid parameter "30s"



=== TEST 172: "cache_valid" has times
--- config: agilicus_token_cache_valid active=x;
--- must_die
--- error_log refused
invalid parameter "active=x"



=== TEST 173: "cache_valid" has no negative times
--- config: agilicus_token_cache_valid active=-1;
--- must_die
--- error_log refused
invalid parameter "active=-1"



=== TEST 174: "cache_valid" has each parameter once
--- config: agilicus_token_cache_valid active=1s active=2s;
--- must_die
--- error_log refused
invalid parameter "active=2s"



=== TEST 175: "cache_valid" stands once in a place
--- config: agilicus_token_cache_valid active=1s; agilicus_token_cache_valid active=1s;
--- must_die
--- error_log refused
"agilicus_token_cache_valid" directive is duplicate



=== TEST 176: "cache_stale" has parameters
--- config: agilicus_token_cache_stale;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_cache_stale" directive



=== TEST 177: "cache_stale" has known parameters
--- config: agilicus_token_cache_stale 30s;
--- must_die
--- error_log refused
invalid parameter "30s"



=== TEST 178: "cache_stale" has times
--- config: agilicus_token_cache_stale update=x;
--- must_die
--- error_log refused
invalid parameter "update=x"



=== TEST 179: "cache_stale" has no negative times
--- config: agilicus_token_cache_stale update=-1;
--- must_die
--- error_log refused
invalid parameter "update=-1"



=== TEST 180: "cache_stale" has each parameter once
--- config: agilicus_token_cache_stale update=1s update=2s;
--- must_die
--- error_log refused
invalid parameter "update=2s"



=== TEST 181: "cache_stale" stands once in a place
--- config: agilicus_token_cache_stale update=1s; agilicus_token_cache_stale update=1s;
--- must_die
--- error_log refused
"agilicus_token_cache_stale" directive is duplicate



=== TEST 182: an answer is not used for longer than 300s without the API
--- config: agilicus_token_cache_stale error=301s;
--- must_die
--- error_log refused
"agilicus_token_cache_stale" directive must not have an "error" longer than 300s



=== TEST 183: "revocation_ttl" is a time
--- http_config: agilicus_token_revocation_ttl for-ever;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_ttl" directive invalid value



=== TEST 184: "revocation_ttl" stands once
--- http_config: agilicus_token_revocation_ttl 1h; agilicus_token_revocation_ttl 1h;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_ttl" directive is duplicate



=== TEST 185: a feed has an interval
--- http_config: agilicus_token_revocation_feed limit=10;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" directive needs an "interval"



=== TEST 186: "interval=999ms" is no feed
--- http_config: agilicus_token_revocation_feed interval=999ms;
--- config
--- must_die
--- error_log refused
invalid parameter "interval=999ms"



=== TEST 187: "interval=2d" is no feed
--- http_config: agilicus_token_revocation_feed interval=2d;
--- config
--- must_die
--- error_log refused
invalid parameter "interval=2d"



=== TEST 188: "interval=x" is no feed
--- http_config: agilicus_token_revocation_feed interval=x;
--- config
--- must_die
--- error_log refused
invalid parameter "interval=x"



=== TEST 189: "interval=1s limit=1" is no feed
--- http_config: agilicus_token_revocation_feed interval=1s limit=1;
--- config
--- must_die
--- error_log refused
invalid parameter "limit=1"



=== TEST 190: "interval=1s limit=101" is no feed
--- http_config: agilicus_token_revocation_feed interval=1s limit=101;
--- config
--- must_die
--- error_log refused
invalid parameter "limit=101"



=== TEST 191: "interval=1s interval=1s" is no feed
--- http_config: agilicus_token_revocation_feed interval=1s interval=1s;
--- config
--- must_die
--- error_log refused
invalid parameter "interval=1s"



=== TEST 192: "on" is no feed
--- http_config: agilicus_token_revocation_feed on;
--- config
--- must_die
--- error_log refused
invalid parameter "on"



=== TEST 193: a feed stands once
--- http_config: agilicus_token_revocation_feed off; agilicus_token_revocation_feed off;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" directive is duplicate



=== TEST 194: a feed needs a credential
--- http_config: agilicus_token_revocation_feed interval=1s;
--- config: agilicus_token on;
--- must_die
--- error_log
"agilicus_token_revocation_feed" needs "agilicus_token_api_credential" in http



=== TEST 195: nothing is looked at again every 999ms
--- config: agilicus_token_recheck 999ms;
--- must_die
--- error_log refused
"agilicus_token_recheck" directive must be 1s at least, or "off"



=== TEST 196: nothing is looked at again every 0
--- config: agilicus_token_recheck 0;
--- must_die
--- error_log refused
"agilicus_token_recheck" directive must be 1s at least, or "off"



=== TEST 197: "recheck" is a time
--- config: agilicus_token_recheck often;
--- must_die
--- error_log refused
"agilicus_token_recheck" directive invalid value



=== TEST 198: "recheck" stands once in a place
--- config: agilicus_token_recheck off; agilicus_token_recheck off;
--- must_die
--- error_log refused
"agilicus_token_recheck" directive is duplicate



=== TEST 199: "revoke" belongs into a location
--- config: agilicus_token_revoke;
--- must_die
--- error_log refused
"agilicus_token_revoke" directive is not allowed here



=== TEST 200: "revoke" knows one parameter
--- config: location /r { agilicus_token_revoke all; }
--- must_die
--- error_log refused
invalid parameter "all"



=== TEST 201: "revoke" takes one
--- config: location /r { agilicus_token_revoke all_sessions all_sessions; }
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_revoke" directive



=== TEST 202: "revoke" stands once in a place
--- config: location /r { agilicus_token_revoke all_sessions; agilicus_token_revoke; }
--- must_die
--- error_log refused
"agilicus_token_revoke" directive is duplicate



=== TEST 203: "revocation_hook" belongs into a location
--- config: agilicus_token_revocation_hook;
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" directive is not allowed here



=== TEST 204: "revocation_hook" knows one parameter
--- config: location /r { agilicus_token_revocation_hook all; }
--- must_die
--- error_log refused
invalid parameter "all"



=== TEST 205: "revocation_hook" takes one
--- config: location /r { agilicus_token_revocation_hook trusted trusted; }
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_revocation_hook" directive



=== TEST 206: "revocation_hook" stands once in a place
--- config: location /r { agilicus_token_revocation_hook trusted; agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" directive is duplicate



=== TEST 207: a hook is not for everybody
--- config: location /r { agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 208: a hook is not for any token
--- config: location /r { agilicus_token on; agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 209: a hook is not protected by a report
--- config: location /r { agilicus_token report; agilicus_token_require_scopes a; agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 210: a hook is not protected under "satisfy any"
--- config: location /r { satisfy any; agilicus_token on; agilicus_token_require_scopes a; agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 211: "rules" is on or off
--- config: agilicus_token_rules maybe;
--- must_die
--- error_log refused
invalid parameter "maybe"



=== TEST 212: "rules on host=" is not known
--- config: agilicus_token_rules on host=;
--- must_die
--- error_log refused
invalid parameter "host="



=== TEST 213: "rules on match=exact" is not known
--- config: agilicus_token_rules on match=exact;
--- must_die
--- error_log refused
invalid parameter "match=exact"



=== TEST 214: "rules on host=a host=b" is not known
--- config: agilicus_token_rules on host=a host=b;
--- must_die
--- error_log refused
invalid parameter "host=b"



=== TEST 215: "rules on match=full match=search" is not known
--- config: agilicus_token_rules on match=full match=search;
--- must_die
--- error_log refused
invalid parameter "match=search"



=== TEST 216: "rules off host=a" is not known
--- config: agilicus_token_rules off host=a;
--- must_die
--- error_log refused
invalid parameter "host=a"



=== TEST 217: "rules" stands once in a place
--- config: agilicus_token_rules on; agilicus_token_rules off;
--- must_die
--- error_log refused
"agilicus_token_rules" directive is duplicate



=== TEST 218: "forward" is on or off
--- config: agilicus_token_forward no;
--- must_die
--- error_log refused
invalid value "no" in "agilicus_token_forward" directive, it must be "on" or "off"



=== TEST 219: a reissued token is for an organisation
--- config: agilicus_token_reissue "";
--- must_die
--- error_log refused
"agilicus_token_reissue" directive needs an organisation



=== TEST 220: "reissue" stands once in a place
--- config: agilicus_token_reissue a; agilicus_token_reissue b;
--- must_die
--- error_log refused
"agilicus_token_reissue" directive is duplicate



=== TEST 221: "reissue" does not go with a report
--- config: agilicus_token report; agilicus_token_reissue a;
--- must_die
--- error_log refused
"agilicus_token report" refuses nothing, so it does not go with "agilicus_token_reissue"



=== TEST 222: "create identity=none" is not known
--- config: agilicus_token_create identity=none x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "identity=none"



=== TEST 223: "create identity=ssl identity=ssl" is not known
--- config: agilicus_token_create identity=ssl identity=ssl x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "identity=ssl"



=== TEST 224: "create sub=" is not known
--- config: agilicus_token_create sub= x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "sub="



=== TEST 225: "create sub=a sub=b" is not known
--- config: agilicus_token_create sub=a sub=b x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "sub=b"



=== TEST 226: "create roles=app" is not known
--- config: agilicus_token_create roles=app x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "roles=app"



=== TEST 227: "create roles=app:" is not known
--- config: agilicus_token_create roles=app: x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "roles=app:"



=== TEST 228: "create roles=:r" is not known
--- config: agilicus_token_create roles=:r x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "roles=:r"



=== TEST 229: "create audiences=a,,b" is not known
--- config: agilicus_token_create audiences=a,,b x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "audiences=a,,b"



=== TEST 230: "create scopes=a," is not known
--- config: agilicus_token_create scopes=a, x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "scopes=a,"



=== TEST 231: "create duration=0" is not known
--- config: agilicus_token_create duration=0 x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "duration=0"



=== TEST 232: "create duration=1x" is not known
--- config: agilicus_token_create duration=1x x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "duration=1x"



=== TEST 233: "create for=me" is not known
--- config: agilicus_token_create for=me x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "for=me"



=== TEST 234: "create alone" is not known
--- config: agilicus_token_create alone x=1 x=2 x=3 x=4;
--- must_die
--- error_log refused
invalid parameter "alone"



=== TEST 235: "create" needs to know whom for
--- config: agilicus_token_create identity=ssl sub=a org=b duration=1h;
--- must_die
--- error_log refused
"agilicus_token_create" directive needs "identity", "sub", "org" and "audiences"



=== TEST 236: "create" stands once in a place
--- config: agilicus_token_create identity=ssl sub=a org=b audiences=c; agilicus_token_create identity=ssl sub=a org=b audiences=c;
--- must_die
--- error_log refused
"agilicus_token_create" directive is duplicate



=== TEST 237: "create" does not go with a report
--- config: agilicus_token report; agilicus_token_create identity=ssl sub=a org=b audiences=c;
--- must_die
--- error_log refused
"agilicus_token report" refuses nothing, so it does not go with "agilicus_token_create"



=== TEST 238: "create" does not go with "satisfy any"
--- config: satisfy any; agilicus_token on; agilicus_token_create identity=ssl sub=a org=b audiences=c;
--- must_die
--- error_log refused
"agilicus_token_create" does not go with "satisfy any": nobody might have been asked who it is



=== TEST 239: "create" needs a credential
--- config: agilicus_token on; agilicus_token_create identity=ssl sub=a org=b audiences=c;
--- must_die
--- error_log refused
"agilicus_token_create" needs "agilicus_token_api_credential"



=== TEST 240: "create" needs somebody to have asked who it is
--- config: agilicus_token on; agilicus_token_api_credential $TEST_NGINX_CREDENTIAL; agilicus_token_create identity=access sub=a org=b audiences=c;
--- must_die
--- error_log refused
"agilicus_token_create identity=access" needs "auth_basic" or "auth_request" in the same location



=== TEST 241: "status" belongs into a location
--- config: agilicus_token_status;
--- must_die
--- error_log refused
"agilicus_token_status" directive is not allowed here



=== TEST 242: "status" has known parameters
--- config: location /s { agilicus_token_status all; }
--- must_die
--- error_log refused
invalid parameter "all"



=== TEST 243: "status" has each parameter once
--- config: location /s { agilicus_token_status purge purge; }
--- must_die
--- error_log refused
invalid parameter "purge"



=== TEST 244: "status" stands once in a place
--- config: location /s { agilicus_token_status; agilicus_token_status; }
--- must_die
--- error_log refused
"agilicus_token_status" directive is duplicate



=== TEST 245: a purge is not for everybody
--- config: location /s { agilicus_token_status purge; }
--- must_die
--- error_log refused
"agilicus_token_status purge" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 246: "agilicus_token" belongs into no stream server
--- main_config: stream { server { listen 127.0.0.1:$TEST_NGINX_CLOSED_PORT; agilicus_token on; } }
--- config
--- skip_eval: 2: main::lacks("stream")
--- must_die
--- error_log refused
"agilicus_token" directive is not allowed here



=== TEST 247: "agilicus_token" belongs into no mail server
--- main_config: mail { server { listen 127.0.0.1:$TEST_NGINX_CLOSED_PORT; agilicus_token on; } }
--- config
--- skip_eval: 2: main::lacks("mail")
--- must_die
--- error_log refused
"agilicus_token" directive is not allowed here



=== TEST 248: signing out is not for what goes on to an application
--- config: location /r { agilicus_token_revoke; proxy_pass http://127.0.0.1:1; }
--- must_die
--- error_log refused
"agilicus_token_revoke" answers by itself, so it does not go with another directive that answers, such as "proxy_pass": give it a location of its own



=== TEST 249: a location is not for signing out and for a hook
--- config: location /r { agilicus_token_revoke; agilicus_token_revocation_hook trusted; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" answers by itself, so it does not go with another directive that answers, such as "proxy_pass": give it a location of its own



=== TEST 250: a hook is not for what goes on to an application
--- config: location /r { agilicus_token_revocation_hook trusted; proxy_pass http://127.0.0.1:1; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" answers by itself, so it does not go with another directive that answers, such as "proxy_pass": give it a location of its own



=== TEST 251: nor is what shows the status
--- config: location /r { agilicus_token_status; proxy_pass http://127.0.0.1:1; }
--- must_die
--- error_log refused
"agilicus_token_status" answers by itself, so it does not go with another directive that answers, such as "proxy_pass": give it a location of its own



=== TEST 252: a denial lasts
--- http_config: agilicus_token_revocation_ttl 0;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_ttl" directive must be between 1s and 10y: with 0, a denial would end as it begins



=== TEST 253: a denial lasts no longer than there is time
--- http_config: agilicus_token_revocation_ttl 9223372036854775807s;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_ttl" directive must be between 1s and 10y: with 0, a denial would end as it begins



=== TEST 254: "leeway" is for clocks that are a little off
--- config: agilicus_token_leeway 86401s;
--- must_die
--- error_log refused
"agilicus_token_leeway" directive must not be longer than 1d



=== TEST 255: nobody waits for the API for longer than a day
--- config: agilicus_token_api_timeout 86401s;
--- must_die
--- error_log refused
"agilicus_token_api_timeout" directive must not be longer than 1d



=== TEST 256: nor for a connection to it
--- config: agilicus_token_api_connect_timeout 86401s;
--- must_die
--- error_log refused
"agilicus_token_api_connect_timeout" directive must not be longer than 1d



=== TEST 257: what runs on is looked at again
--- config: agilicus_token_recheck 86401s;
--- must_die
--- error_log refused
"agilicus_token_recheck" directive must not be longer than 1d



=== TEST 258: "cache_valid" has times that can be added up
--- config: agilicus_token_cache_valid active=9223372036854775s;
--- must_die
--- error_log refused
invalid parameter "active=9223372036854775s"



=== TEST 259: and so has a breaker
--- http_config: agilicus_token_api_breaker 5 max=9223372036854775s;
--- config
--- must_die
--- error_log refused
invalid parameter "max=9223372036854775s"



=== TEST 260: what is required is not where the error should be
--- config: agilicus_token_require error=401 $arg_x;
--- must_die
--- error_log refused
"agilicus_token_require" directive takes "error" at its end only



=== TEST 261: a credential has the name of a file
--- config: agilicus_token_api_credential "";
--- must_die
--- error_log refused
"agilicus_token_api_credential" directive needs the name of a file



=== TEST 262: a proxy has a port
--- config: agilicus_token_api_proxy http://proxy;
--- must_die
--- error_log refused
the URL of the proxy "http://proxy" must be "http://host:port": proxies have no usual port



=== TEST 263: an API is no operation
--- config: agilicus_token_api https://api.example/V1/tokens/introspect;
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example/V1/tokens/introspect" must not have "/v1/tokens" in it, which is added to it



=== TEST 264: a feed needs a credential where nothing is enforced yet, too
--- http_config: agilicus_token_revocation_feed interval=1s;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" needs "agilicus_token_api_credential" in http, for the list of tokens is not for everybody



=== TEST 265: a feed does not use the credential of a location
--- http_config: agilicus_token_revocation_feed interval=1s;
--- config: agilicus_token on; agilicus_token_api_credential $TEST_NGINX_CREDENTIAL;
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" needs "agilicus_token_api_credential" in http, for the list of tokens is not for everybody



=== TEST 266: what two levels make wrong is where the directive stands
--- config: include $TEST_NGINX_HTML_DIR/inner.conf;
--- user_files
>>> inner.conf
location /a { agilicus_token on; }

location /b {
    location /b/c {
        agilicus_token_status purge;
    }
}
--- must_die
--- error_log eval
qr/\[emerg\] .* needs "agilicus_token on" .* in \S+\/inner\.conf:5$/



=== TEST 267: what a level makes weak, likewise
--- http_config: agilicus_token_api http://127.0.0.1:1;
--- config: include $TEST_NGINX_HTML_DIR/inner.conf;
--- user_files
>>> inner.conf
agilicus_token off;

location /a {
    agilicus_token report;
}
--- request: GET /t
--- error_code: 404
--- error_log eval
qr/\[warn\] .* "agilicus_token report" refuses nothing in \S+\/inner\.conf:3$/



=== TEST 268: https://api.example/<b> is more than an address
--- config: agilicus_token_api 'https://api.example/<b>';
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example/<b>" must be made of a host, a port and a plain path only



=== TEST 269: there is room for 16 APIs, and none shares a budget with another
--- config eval
join "\n", map({ "location /$_ { agilicus_token on; "
                 . "agilicus_token_api https://api.example/$_; }" } 1 .. 16),
     'agilicus_token_api https://api.example/17;',
     'location /17 { agilicus_token on; }'
--- must_die
--- error_log refused
"agilicus_token_api" "https://api.example/17" is one too many: 16 different APIs are supported



=== TEST 270: an API counts once, however often and with whatever it is used
--- config eval
join "\n", map({ "location /$_ { agilicus_token on; "
                 . "agilicus_token_api http://127.0.0.1:1/$_; "
                 . "location /$_/a { agilicus_token_api_credential "
                 . "$ENV{TEST_NGINX_CREDENTIAL}; } }" } 1 .. 16)
--- request: GET /t
--- error_code: 404
--- no_error_log
[emerg]



=== TEST 271: a phase is access or preaccess
--- config: agilicus_token on; agilicus_token_phase rewrite;
--- must_die
--- error_log refused
invalid value "rewrite"
