# What "nginx -t" refuses of how the API is asked: times, certificates,
# credentials, options, limits, and the revocation feed.

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

plan tests => blocks() * 2;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: "api_ssl_verify" is on or off
--- config: agilicus_token_api_ssl_verify 1;
--- must_die
--- error_log refused
invalid value "1" in "agilicus_token_api_ssl_verify" directive, it must be "on" or "off"



=== TEST 2: "api_ssl_verify" stands once in a place
--- config: agilicus_token_api_ssl_verify on; agilicus_token_api_ssl_verify on;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_verify" directive is duplicate



=== TEST 3: "api_connect_timeout" is a time
--- config: agilicus_token_api_connect_timeout 1y2x;
--- must_die
--- error_log refused
invalid parameter "1y2x" in "agilicus_token_api_connect_timeout" directive, it must be a time, like "3s" (1d at most)



=== TEST 4: "api_connect_timeout" is not negative
--- config: agilicus_token_api_connect_timeout -1;
--- must_die
--- error_log refused
invalid parameter "-1" in "agilicus_token_api_connect_timeout" directive, it must be a time, like "3s" (1d at most)



=== TEST 5: "api_connect_timeout" does not overflow
--- config: agilicus_token_api_connect_timeout 99999999999999999999s;
--- must_die
--- error_log refused
invalid parameter "99999999999999999999s" in "agilicus_token_api_connect_timeout" directive, it must be a time, like "3s" (1d at most)



=== TEST 6: "api_connect_timeout" stands once in a place
--- config: agilicus_token_api_connect_timeout 1s; agilicus_token_api_connect_timeout 1s;
--- must_die
--- error_log refused
"agilicus_token_api_connect_timeout" directive is duplicate



=== TEST 7: "api_connect_timeout" is not 0
--- config: agilicus_token on; agilicus_token_api_connect_timeout 0;
--- must_die
--- error_log refused
"agilicus_token_api_timeout" and "agilicus_token_api_connect_timeout" must not be 0, write a time, like "3s"



=== TEST 8: nor for a connection to it
--- config: agilicus_token_api_connect_timeout 86401s;
--- must_die
--- error_log refused
invalid parameter "86401s" in "agilicus_token_api_connect_timeout" directive, it must be a time, like "3s" (1d at most)



=== TEST 9: "api_timeout" is a time
--- config: agilicus_token_api_timeout 1y2x;
--- must_die
--- error_log refused
invalid parameter "1y2x" in "agilicus_token_api_timeout" directive, it must be a time, like "3s" (1d at most)



=== TEST 10: "api_timeout" is not negative
--- config: agilicus_token_api_timeout -1;
--- must_die
--- error_log refused
invalid parameter "-1" in "agilicus_token_api_timeout" directive, it must be a time, like "3s" (1d at most)



=== TEST 11: "api_timeout" does not overflow
--- config: agilicus_token_api_timeout 99999999999999999999s;
--- must_die
--- error_log refused
invalid parameter "99999999999999999999s" in "agilicus_token_api_timeout" directive, it must be a time, like "3s" (1d at most)



=== TEST 12: "api_timeout" stands once in a place
--- config: agilicus_token_api_timeout 1s; agilicus_token_api_timeout 1s;
--- must_die
--- error_log refused
"agilicus_token_api_timeout" directive is duplicate



=== TEST 13: "api_timeout" is not 0
--- config: agilicus_token on; agilicus_token_api_timeout 0;
--- must_die
--- error_log refused
"agilicus_token_api_timeout" and "agilicus_token_api_connect_timeout" must not be 0, write a time, like "3s"



=== TEST 14: a time of more than a day to wait for the API is refused
--- config: agilicus_token_api_timeout 86401s;
--- must_die
--- error_log refused
invalid parameter "86401s" in "agilicus_token_api_timeout" directive, it must be a time, like "3s" (1d at most)



=== TEST 15: "api_ssl_trusted_certificate" is a file
--- config: agilicus_token_api_ssl_trusted_certificate "";
--- must_die
--- error_log refused
invalid parameter "" in "agilicus_token_api_ssl_trusted_certificate" directive, it must be the name of a file



=== TEST 16: "api_ssl_trusted_certificate" stands once in a place
--- config: agilicus_token_api_ssl_trusted_certificate a; agilicus_token_api_ssl_trusted_certificate b;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_trusted_certificate" directive is duplicate



=== TEST 17: "api_ssl_certificate" is a file
--- config: agilicus_token_api_ssl_certificate "";
--- must_die
--- error_log refused
invalid parameter "" in "agilicus_token_api_ssl_certificate" directive, it must be the name of a file



=== TEST 18: "api_ssl_certificate" stands once in a place
--- config: agilicus_token_api_ssl_certificate a; agilicus_token_api_ssl_certificate b;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate" directive is duplicate



=== TEST 19: "api_ssl_certificate_key" is a file
--- config: agilicus_token_api_ssl_certificate_key "";
--- must_die
--- error_log refused
invalid parameter "" in "agilicus_token_api_ssl_certificate_key" directive, it must be the name of a file



=== TEST 20: "api_ssl_certificate_key" stands once in a place
--- config: agilicus_token_api_ssl_certificate_key a; agilicus_token_api_ssl_certificate_key b;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate_key" directive is duplicate



=== TEST 21: a file that is not there is refused
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/none.pem;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_trusted_certificate" names "$TEST_NGINX_HTML_DIR/none.pem", which cannot be opened (2: No such file or directory)



=== TEST 22: a directory is no file
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_trusted_certificate $TEST_NGINX_HTML_DIR;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_trusted_certificate" names "$TEST_NGINX_HTML_DIR", which is not a regular file



=== TEST 23: authorities are certificates
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



=== TEST 24: an empty file holds no certificate
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_trusted_certificate $TEST_NGINX_HTML_DIR/a.pem;
--- user_files eval: ">>> a.pem\n"
--- must_die
--- error_log refused
"agilicus_token_api_ssl_trusted_certificate" names "$TEST_NGINX_HTML_DIR/a.pem", which is empty



=== TEST 25: a certificate needs its key
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_certificate $TEST_NGINX_CA_FILE;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate" and "agilicus_token_api_ssl_certificate_key" must be set together



=== TEST 26: a key needs its certificate
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_certificate_key $TEST_NGINX_CA_FILE;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate" and "agilicus_token_api_ssl_certificate_key" must be set together



=== TEST 27: a key that everybody can read is no secret
--- config
agilicus_token on;
agilicus_token_api https://127.0.0.1;
agilicus_token_api_ssl_certificate $TEST_NGINX_CA_FILE;
agilicus_token_api_ssl_certificate_key $TEST_NGINX_CA_FILE;
--- must_die
--- error_log refused
"agilicus_token_api_ssl_certificate_key" names "$TEST_NGINX_CA_FILE", which holds a secret and everybody can read it, take the permission away with "chmod o-r"



=== TEST 28: a credential that everybody can read is no secret
--- config
agilicus_token on;
agilicus_token_api_credential $TEST_NGINX_CA_FILE;
--- must_die
--- error_log refused
"agilicus_token_api_credential" names "$TEST_NGINX_CA_FILE", which holds a secret and everybody can read it, take the permission away with "chmod o-r"



=== TEST 29: a credential is a file
--- config: agilicus_token_api_credential;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_api_credential" directive



=== TEST 30: a credential may go with introspection, and nothing else
--- config: agilicus_token_api_credential f all;
--- must_die
--- error_log refused
invalid parameter "all" in "agilicus_token_api_credential" directive, it must be "introspect"



=== TEST 31: a credential stands once in a place
--- config: agilicus_token_api_credential f; agilicus_token_api_credential f;
--- must_die
--- error_log refused
"agilicus_token_api_credential" directive is duplicate



=== TEST 32: introspection has known options
--- config: agilicus_token_introspect_options roles=on;
--- must_die
--- error_log refused
invalid parameter "roles=on" in "agilicus_token_introspect_options" directive, it must be "exclude_roles=on" or "exclude_roles=off" or "support_http_matchers=on" or "support_http_matchers=off" or "no_cache=on" or "no_cache=off"



=== TEST 33: options of introspection are on or off
--- config: agilicus_token_introspect_options no_cache=yes;
--- must_die
--- error_log refused
invalid parameter "no_cache=yes" in "agilicus_token_introspect_options" directive, it must be "no_cache=on" or "no_cache=off"



=== TEST 34: options of introspection are not empty
--- config: agilicus_token_introspect_options no_cache=;
--- must_die
--- error_log refused
invalid parameter "no_cache=" in "agilicus_token_introspect_options" directive, it must be "no_cache=on" or "no_cache=off"



=== TEST 35: an option of introspection stands once
--- config: agilicus_token_introspect_options no_cache=on no_cache=off;
--- must_die
--- error_log refused
duplicate parameter "no_cache=off" in "agilicus_token_introspect_options" directive



=== TEST 36: options of introspection stand once in a place
--- config: agilicus_token_introspect_options no_cache=on; agilicus_token_introspect_options no_cache=on;
--- must_die
--- error_log refused
"agilicus_token_introspect_options" directive is duplicate



=== TEST 37: a credential has the name of a file
--- config: agilicus_token_api_credential "";
--- must_die
--- error_log refused
invalid parameter "" in "agilicus_token_api_credential" directive, it must be the name of a file



=== TEST 38: "api_max_inflight" belongs into http
--- config: agilicus_token_api_max_inflight 1;
--- must_die
--- error_log refused
"agilicus_token_api_max_inflight" directive is not allowed here



=== TEST 39: "api_rate" belongs into http
--- config: agilicus_token_api_rate off;
--- must_die
--- error_log refused
"agilicus_token_api_rate" directive is not allowed here



=== TEST 40: "api_breaker" belongs into http
--- config: agilicus_token_api_breaker off;
--- must_die
--- error_log refused
"agilicus_token_api_breaker" directive is not allowed here



=== TEST 41: there is at least one call at a time
--- http_config: agilicus_token_api_max_inflight 0;
--- config
--- must_die
--- error_log refused
invalid parameter "0" in "agilicus_token_api_max_inflight" directive, it must be a number, like "64" (between 1 and 65536)



=== TEST 42: there are not more calls at a time than ports
--- http_config: agilicus_token_api_max_inflight 65537;
--- config
--- must_die
--- error_log refused
invalid parameter "65537" in "agilicus_token_api_max_inflight" directive, it must be a number, like "64" (between 1 and 65536)



=== TEST 43: the number of calls is a number
--- http_config: agilicus_token_api_max_inflight many;
--- config
--- must_die
--- error_log refused
invalid parameter "many" in "agilicus_token_api_max_inflight" directive, it must be a number, like "64" (between 1 and 65536)



=== TEST 44: "10" is no rate
--- http_config: agilicus_token_api_rate 10;
--- config
--- must_die
--- error_log refused
invalid parameter "10" in "agilicus_token_api_rate" directive, it must be like "500r/s" or "500r/m" (1000000 at most), or "off"



=== TEST 45: "0r/s" is no rate
--- http_config: agilicus_token_api_rate 0r/s;
--- config
--- must_die
--- error_log refused
invalid parameter "0r/s" in "agilicus_token_api_rate" directive, it must be like "500r/s" or "500r/m" (1000000 at most), or "off"



=== TEST 46: "-1r/s" is no rate
--- http_config: agilicus_token_api_rate -1r/s;
--- config
--- must_die
--- error_log refused
invalid parameter "-1r/s" in "agilicus_token_api_rate" directive, it must be like "500r/s" or "500r/m" (1000000 at most), or "off"



=== TEST 47: "10r/h" is no rate
--- http_config: agilicus_token_api_rate 10r/h;
--- config
--- must_die
--- error_log refused
invalid parameter "10r/h" in "agilicus_token_api_rate" directive, it must be like "500r/s" or "500r/m" (1000000 at most), or "off"



=== TEST 48: "r/s" is no rate
--- http_config: agilicus_token_api_rate r/s;
--- config
--- must_die
--- error_log refused
invalid parameter "r/s" in "agilicus_token_api_rate" directive, it must be like "500r/s" or "500r/m" (1000000 at most), or "off"



=== TEST 49: "1000001r/s" is no rate
--- http_config: agilicus_token_api_rate 1000001r/s;
--- config
--- must_die
--- error_log refused
invalid parameter "1000001r/s" in "agilicus_token_api_rate" directive, it must be like "500r/s" or "500r/m" (1000000 at most), or "off"



=== TEST 50: a rate per client is a rate
--- http_config: agilicus_token_api_rate 10r/s per_client=off;
--- config
--- must_die
--- error_log refused
invalid parameter "per_client=off" in "agilicus_token_api_rate" directive, it must be like "per_client=50r/s" or "per_client=50r/m" (1000000 at most)



=== TEST 51: a burst is a time
--- http_config: agilicus_token_api_rate 10r/s burst=x;
--- config
--- must_die
--- error_log refused
invalid parameter "burst=x" in "agilicus_token_api_rate" directive, it must be like "burst=2s" (1h at most)



=== TEST 52: a burst is not too long a time
--- http_config: agilicus_token_api_rate 10r/s burst=2h;
--- config
--- must_die
--- error_log refused
invalid parameter "burst=2h" in "agilicus_token_api_rate" directive, it must be like "burst=2s" (1h at most)



=== TEST 53: a burst stands once
--- http_config: agilicus_token_api_rate 10r/s burst=1s burst=2s;
--- config
--- must_die
--- error_log refused
duplicate parameter "burst=2s" in "agilicus_token_api_rate" directive



=== TEST 54: a rate that is off has no burst
--- http_config: agilicus_token_api_rate off burst=1s;
--- config
--- must_die
--- error_log refused
invalid parameter "burst=1s" in "agilicus_token_api_rate" directive, nothing goes with "off"



=== TEST 55: a rate stands once
--- http_config: agilicus_token_api_rate off; agilicus_token_api_rate off;
--- config
--- must_die
--- error_log refused
"agilicus_token_api_rate" directive is duplicate



=== TEST 56: "0" is no breaker
--- http_config: agilicus_token_api_breaker 0;
--- config
--- must_die
--- error_log refused
invalid parameter "0" in "agilicus_token_api_breaker" directive, it must be a number of failures, like "5", or "off"



=== TEST 57: "-1" is no breaker
--- http_config: agilicus_token_api_breaker -1;
--- config
--- must_die
--- error_log refused
invalid parameter "-1" in "agilicus_token_api_breaker" directive, it must be a number of failures, like "5", or "off"



=== TEST 58: "x" is no breaker
--- http_config: agilicus_token_api_breaker x;
--- config
--- must_die
--- error_log refused
invalid parameter "x" in "agilicus_token_api_breaker" directive, it must be a number of failures, like "5", or "off"



=== TEST 59: "5 open=" is no breaker
--- http_config: agilicus_token_api_breaker 5 open=;
--- config
--- must_die
--- error_log refused
invalid parameter "open=" in "agilicus_token_api_breaker" directive, it must be like "open=1s" (10y at most)



=== TEST 60: "5 wait=1s" is no breaker
--- http_config: agilicus_token_api_breaker 5 wait=1s;
--- config
--- must_die
--- error_log refused
invalid parameter "wait=1s" in "agilicus_token_api_breaker" directive, it must be like "open=1s" (10y at most) or like "max=30s" (10y at most)



=== TEST 61: "5 open=1s open=1s" is no breaker
--- http_config: agilicus_token_api_breaker 5 open=1s open=1s;
--- config
--- must_die
--- error_log refused
duplicate parameter "open=1s" in "agilicus_token_api_breaker" directive



=== TEST 62: "off open=1s" is no breaker
--- http_config: agilicus_token_api_breaker off open=1s;
--- config
--- must_die
--- error_log refused
invalid parameter "open=1s" in "agilicus_token_api_breaker" directive, nothing goes with "off"



=== TEST 63: "5 open=0" is a breaker of impossible times
--- http_config: agilicus_token_api_breaker 5 open=0;
--- config
--- must_die
--- error_log refused
"agilicus_token_api_breaker" directive needs an "open" that is not 0 and a "max" that is not less



=== TEST 64: "5 open=2s max=1s" is a breaker of impossible times
--- http_config: agilicus_token_api_breaker 5 open=2s max=1s;
--- config
--- must_die
--- error_log refused
"agilicus_token_api_breaker" directive needs an "open" that is not 0 and a "max" that is not less



=== TEST 65: a breaker stands once
--- http_config: agilicus_token_api_breaker off; agilicus_token_api_breaker off;
--- config
--- must_die
--- error_log refused
"agilicus_token_api_breaker" directive is duplicate



=== TEST 66: and so has a breaker
--- http_config: agilicus_token_api_breaker 5 max=9223372036854775s;
--- config
--- must_die
--- error_log refused
invalid parameter "max=9223372036854775s" in "agilicus_token_api_breaker" directive, it must be like "max=30s" (10y at most)



=== TEST 67: "revocation_feed" belongs into http
--- config: agilicus_token_revocation_feed off;
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" directive is not allowed here



=== TEST 68: a feed has an interval
--- http_config: agilicus_token_revocation_feed limit=10;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" directive needs an "interval", like "interval=5s", or "off"



=== TEST 69: "interval=999ms" is no feed
--- http_config: agilicus_token_revocation_feed interval=999ms;
--- config
--- must_die
--- error_log refused
invalid parameter "interval=999ms" in "agilicus_token_revocation_feed" directive, it must be like "interval=5s" (between 1s and 1d)



=== TEST 70: "interval=2d" is no feed
--- http_config: agilicus_token_revocation_feed interval=2d;
--- config
--- must_die
--- error_log refused
invalid parameter "interval=2d" in "agilicus_token_revocation_feed" directive, it must be like "interval=5s" (between 1s and 1d)



=== TEST 71: "interval=x" is no feed
--- http_config: agilicus_token_revocation_feed interval=x;
--- config
--- must_die
--- error_log refused
invalid parameter "interval=x" in "agilicus_token_revocation_feed" directive, it must be like "interval=5s" (between 1s and 1d)



=== TEST 72: "interval=1s limit=1" is no feed
--- http_config: agilicus_token_revocation_feed interval=1s limit=1;
--- config
--- must_die
--- error_log refused
invalid parameter "limit=1" in "agilicus_token_revocation_feed" directive, it must be like "limit=100" (between 2 and 100)



=== TEST 73: "interval=1s limit=101" is no feed
--- http_config: agilicus_token_revocation_feed interval=1s limit=101;
--- config
--- must_die
--- error_log refused
invalid parameter "limit=101" in "agilicus_token_revocation_feed" directive, it must be like "limit=100" (between 2 and 100)



=== TEST 74: "interval=1s interval=1s" is no feed
--- http_config: agilicus_token_revocation_feed interval=1s interval=1s;
--- config
--- must_die
--- error_log refused
duplicate parameter "interval=1s" in "agilicus_token_revocation_feed" directive



=== TEST 75: "on" is no feed
--- http_config: agilicus_token_revocation_feed on;
--- config
--- must_die
--- error_log refused
invalid parameter "on" in "agilicus_token_revocation_feed" directive, it must be like "interval=5s" (between 1s and 1d) or like "limit=100" (between 2 and 100) or like "sessions=30d" (between 1m and 10y)



=== TEST 76: a feed stands once
--- http_config: agilicus_token_revocation_feed off; agilicus_token_revocation_feed off;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" directive is duplicate



=== TEST 77: a feed needs a credential
--- http_config: agilicus_token_revocation_feed interval=1s;
--- config: agilicus_token on;
--- must_die
--- error_log
"agilicus_token_revocation_feed" needs "agilicus_token_api_credential" in http



=== TEST 78: a feed needs a credential where nothing is enforced yet, too
--- http_config: agilicus_token_revocation_feed interval=1s;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" needs "agilicus_token_api_credential" in http, for the list of tokens is not for everybody



=== TEST 79: a feed does not use the credential of a location
--- http_config: agilicus_token_revocation_feed interval=1s;
--- config: agilicus_token on; agilicus_token_api_credential $TEST_NGINX_CREDENTIAL;
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" needs "agilicus_token_api_credential" in http, for the list of tokens is not for everybody



=== TEST 80: a header of calls is for tracing
--- config: agilicus_token_api_header Authorization x;
--- must_die
--- error_log refused
invalid parameter "Authorization" in "agilicus_token_api_header" directive, it must be the name of a header for tracing: "traceparent", "tracestate", "baggage", "b3", like "X-B3-TraceId", "X-Request-ID" or "X-Correlation-ID"



=== TEST 81: ... and not only like one
--- config: agilicus_token_api_header X-B3-:x x;
--- must_die
--- error_log refused
invalid parameter "X-B3-:x" in "agilicus_token_api_header" directive, it must be the name of a header for tracing: "traceparent", "tracestate", "baggage", "b3", like "X-B3-TraceId", "X-Request-ID" or "X-Correlation-ID"



=== TEST 82: ... with a name after its prefix
--- config: agilicus_token_api_header X-B3- x;
--- must_die
--- error_log refused
invalid parameter "X-B3-" in "agilicus_token_api_header" directive, it must be the name of a header for tracing: "traceparent", "tracestate", "baggage", "b3", like "X-B3-TraceId", "X-Request-ID" or "X-Correlation-ID"



=== TEST 83: ... and stands once, in any spelling
--- config: agilicus_token_api_header b3 x; agilicus_token_api_header B3 y;
--- must_die
--- error_log refused
duplicate parameter "B3" in "agilicus_token_api_header" directive



=== TEST 84: a header of calls has a value
--- config: agilicus_token_api_header b3;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_api_header" directive



=== TEST 85: "sessions=0" reads no sessions
--- http_config: agilicus_token_revocation_feed interval=1s sessions=0;
--- config
--- must_die
--- error_log refused
invalid parameter "sessions=0" in "agilicus_token_revocation_feed" directive, it must be like "sessions=30d" (between 1m and 10y)



=== TEST 86: "sessions=59s" reads no sessions
--- http_config: agilicus_token_revocation_feed interval=1s sessions=59s;
--- config
--- must_die
--- error_log refused
invalid parameter "sessions=59s" in "agilicus_token_revocation_feed" directive, it must be like "sessions=30d" (between 1m and 10y)



=== TEST 87: "sessions=11y" reads no sessions
--- http_config: agilicus_token_revocation_feed interval=1s sessions=11y;
--- config
--- must_die
--- error_log refused
invalid parameter "sessions=11y" in "agilicus_token_revocation_feed" directive, it must be like "sessions=30d" (between 1m and 10y)



=== TEST 88: "sessions=-1d" reads no sessions
--- http_config: agilicus_token_revocation_feed interval=1s sessions=-1d;
--- config
--- must_die
--- error_log refused
invalid parameter "sessions=-1d" in "agilicus_token_revocation_feed" directive, it must be like "sessions=30d" (between 1m and 10y)



=== TEST 89: "sessions=" reads no sessions
--- http_config: agilicus_token_revocation_feed interval=1s sessions=;
--- config
--- must_die
--- error_log refused
invalid parameter "sessions=" in "agilicus_token_revocation_feed" directive, it must be like "sessions=30d" (between 1m and 10y)



=== TEST 90: "sessions=off" reads no sessions
--- http_config: agilicus_token_revocation_feed interval=1s sessions=off;
--- config
--- must_die
--- error_log refused
invalid parameter "sessions=off" in "agilicus_token_revocation_feed" directive, it must be like "sessions=30d" (between 1m and 10y)



=== TEST 91: "sessions=1d sessions=2d" is no feed
--- http_config: agilicus_token_revocation_feed interval=1s sessions=1d sessions=2d;
--- config
--- must_die
--- error_log refused
duplicate parameter "sessions=2d" in "agilicus_token_revocation_feed" directive



=== TEST 92: sessions alone are no feed
--- http_config: agilicus_token_revocation_feed sessions=1d;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" directive needs an "interval", like "interval=5s", or "off"



=== TEST 93: sessions of a feed that is off are not read
--- http_config: agilicus_token_revocation_feed off sessions=1d;
--- config
--- must_die
--- error_log refused
invalid parameter "sessions=1d" in "agilicus_token_revocation_feed" directive, nothing goes with "off"



=== TEST 94: a feed of sessions needs a credential
--- http_config: agilicus_token_revocation_feed interval=1s sessions=1d;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_feed" needs "agilicus_token_api_credential" in http, for the list of tokens is not for everybody



=== TEST 95: "signature" is off, report or on
--- http_config: agilicus_token_signature yes;
--- config
--- must_die
--- error_log refused
invalid parameter "yes" in "agilicus_token_signature" directive, it must be "off", "report" or "on"



=== TEST 96: "signature" stands once
--- http_config: agilicus_token_signature on; agilicus_token_signature report;
--- config
--- must_die
--- error_log refused
"agilicus_token_signature" directive is duplicate



=== TEST 97: "signature off" has no parameters
--- http_config: agilicus_token_signature off strict;
--- config
--- must_die
--- error_log refused
invalid parameter "strict" in "agilicus_token_signature" directive, nothing goes with "off"



=== TEST 98: "signature" knows its parameters
--- http_config: agilicus_token_signature on lax;
--- config
--- must_die
--- error_log refused
invalid parameter "lax" in "agilicus_token_signature" directive, it must be like "interval=1h" (between 1s and 1d) or like "key=agilicus.pem" or "strict"



=== TEST 99: "interval" of "signature" is not shorter than a second
--- http_config: agilicus_token_signature on interval=999ms;
--- config
--- must_die
--- error_log refused
invalid parameter "interval=999ms" in "agilicus_token_signature" directive, it must be like "interval=1h" (between 1s and 1d)



=== TEST 100: "interval" of "signature" is not longer than a day
--- http_config: agilicus_token_signature on interval=25h;
--- config
--- must_die
--- error_log refused
invalid parameter "interval=25h" in "agilicus_token_signature" directive, it must be like "interval=1h" (between 1s and 1d)



=== TEST 101: "key" of "signature" is a file
--- http_config: agilicus_token_signature on key=;
--- config
--- must_die
--- error_log refused
invalid parameter "key=" in "agilicus_token_signature" directive, it must be like "key=agilicus.pem"



=== TEST 102: "key" of "signature" is there
--- http_config: agilicus_token_signature on key=/nonexistent.pem;
--- config: agilicus_token on;
--- must_die
--- error_log refused
"agilicus_token_signature" names "/nonexistent.pem", which cannot be opened (2: No such file or directory)



=== TEST 103: "key" of "signature" is no certificate
--- http_config: agilicus_token_signature on key=$TEST_NGINX_CA_FILE;
--- config: agilicus_token on;
--- must_die
--- error_log refused
"agilicus_token_signature" names "$TEST_NGINX_CA_FILE", which holds no public key on P-256 in PEM, or more than 32, or something else besides



=== TEST 104: "key" of "signature" is no secret
--- http_config: agilicus_token_signature on key=$TEST_NGINX_CREDENTIAL;
--- config: agilicus_token on;
--- must_die
--- error_log refused
"agilicus_token_signature" names "$TEST_NGINX_CREDENTIAL", which holds no public key on P-256 in PEM, or more than 32, or something else besides



=== TEST 105: "signature" checks nothing where no token is asked for
--- http_config: agilicus_token_signature on;
--- config
--- must_die
--- error_log refused
"agilicus_token_signature" checks no token: none is asked for of the Tokens API "https://api.agilicus.com", which is that of http



=== TEST 106: "signature" checks nothing where all ask another API
--- http_config: agilicus_token_signature report;
--- config: agilicus_token on; agilicus_token_api http://127.0.0.1:1;
--- must_die
--- error_log refused
"agilicus_token_signature" checks no token: none is asked for of the Tokens API "https://api.agilicus.com", which is that of http



=== TEST 107: "signature" belongs into http
--- config: agilicus_token_signature on;
--- must_die
--- error_log refused
"agilicus_token_signature" directive is not allowed here



=== TEST 108: "signature" needs room in the first zone
--- http_config: agilicus_token_signature on; agilicus_token_zone small:32k; agilicus_token_zone large:1m;
--- config: agilicus_token on;
--- must_die
--- error_log refused
"agilicus_token_signature" needs a first zone of 65536 bytes at least, "small" has 32768



=== TEST 109: "api_keys" is on or off
--- config: agilicus_token on; agilicus_token_api_keys yes;
--- must_die
--- error_log refused
invalid value "yes" in "agilicus_token_api_keys" directive, it must be "on" or "off"



=== TEST 110: "api_keys" stands once in a place
--- config: agilicus_token on; agilicus_token_api_keys on; agilicus_token_api_keys on;
--- must_die
--- error_log refused
"agilicus_token_api_keys" directive is duplicate



=== TEST 111: API keys are taken where something enforces
--- config: agilicus_token_api_keys on;
--- must_die
--- error_log refused
nothing enforces "agilicus_token_api_keys": no token is asked for in its block or in any block inside it, add "agilicus_token on"



=== TEST 112: API keys do not go with "auth_basic"
--- config: location / { agilicus_token on; agilicus_token_api_keys on; auth_basic "users"; auth_basic_user_file users; }
--- must_die
--- error_log refused
"agilicus_token_api_keys" does not go with "auth_basic" in one location: both read "Authorization: Basic", write "auth_basic off"



=== TEST 113: ... which may be inherited
--- config: auth_basic "users"; location / { agilicus_token on; agilicus_token_api_keys on; }
--- must_die
--- error_log refused
"agilicus_token_api_keys" does not go with "auth_basic" in one location: both read "Authorization: Basic", write "auth_basic off"



=== TEST 114: ... and so may the keys
--- config: agilicus_token on; agilicus_token_api_keys on; location / { auth_basic "users"; }
--- must_die
--- error_log refused
"agilicus_token_api_keys" does not go with "auth_basic" in one location: both read "Authorization: Basic", write "auth_basic off"



=== TEST 115: ... also under "satisfy any", and with "report"
--- config: location / { satisfy any; agilicus_token report; agilicus_token_api_keys on; auth_basic "users"; }
--- must_die
--- error_log refused
"agilicus_token_api_keys" does not go with "auth_basic" in one location: both read "Authorization: Basic", write "auth_basic off"



=== TEST 116: ... and with a realm that may be any
--- config: set $realm off; location / { agilicus_token on; agilicus_token_api_keys on; auth_basic $realm; }
--- must_die
--- error_log refused
"agilicus_token_api_keys" does not go with "auth_basic" in one location: both read "Authorization: Basic", write "auth_basic off"
