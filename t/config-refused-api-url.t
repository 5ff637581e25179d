# URLs of the API and of a proxy that "nginx -t" refuses.

use lib 't/lib';
use AgilicusTest;
use File::Temp;

my $secret = File::Temp->new;

print $secret "edge-credential\n";
close $secret;
$ENV{TEST_NGINX_CREDENTIAL} = "$secret";

plan tests => blocks() * 2;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: http://192.0.2.1 is no loopback address
--- config: agilicus_token_api http://192.0.2.1;
--- must_die
--- error_log refused
the URL of the Tokens API "http://192.0.2.1" must be "https": plain "http" is for literal loopback addresses only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 2: http://api.example is no loopback address
--- config: agilicus_token_api http://api.example;
--- must_die
--- error_log refused
the URL of the Tokens API "http://api.example" must be "https": plain "http" is for literal loopback addresses only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 3: http://127.0.0.1.example is no loopback address
--- config: agilicus_token_api http://127.0.0.1.example;
--- must_die
--- error_log refused
the URL of the Tokens API "http://127.0.0.1.example" must be "https": plain "http" is for literal loopback addresses only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 4: http://0.0.0.0 is no loopback address
--- config: agilicus_token_api http://0.0.0.0;
--- must_die
--- error_log refused
the URL of the Tokens API "http://0.0.0.0" must be "https": plain "http" is for literal loopback addresses only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 5: http://[::2] is no loopback address
--- config: agilicus_token_api http://[::2];
--- must_die
--- error_log refused
the URL of the Tokens API "http://[::2]" must be "https": plain "http" is for literal loopback addresses only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 6: http://2130706433 is no loopback address
--- config: agilicus_token_api http://2130706433;
--- must_die
--- error_log refused
the URL of the Tokens API "http://2130706433" must have an IPv4 address as four decimal numbers without leading zeros; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 7: http://127.1 is no loopback address
--- config: agilicus_token_api http://127.1;
--- must_die
--- error_log refused
the URL of the Tokens API "http://127.1" must have an IPv4 address as four decimal numbers without leading zeros; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 8: a name is no loopback address, not even localhost
--- config: agilicus_token_api http://localhost:80;
--- must_die
--- error_log refused
the URL of the Tokens API "http://localhost:80" must say "127.0.0.1" or "[::1]": a name could resolve to any address; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 9: file:///etc/passwd is no API
--- config: agilicus_token_api file:///etc/passwd;
--- must_die
--- error_log refused
the URL of the Tokens API "file:///etc/passwd" must be an "https" URL; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 10: ftp://127.0.0.1 is no API
--- config: agilicus_token_api ftp://127.0.0.1;
--- must_die
--- error_log refused
the URL of the Tokens API "ftp://127.0.0.1" must be an "https" URL; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 11: gopher://127.0.0.1 is no API
--- config: agilicus_token_api gopher://127.0.0.1;
--- must_die
--- error_log refused
the URL of the Tokens API "gopher://127.0.0.1" must be an "https" URL; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 12: dict://127.0.0.1 is no API
--- config: agilicus_token_api dict://127.0.0.1;
--- must_die
--- error_log refused
the URL of the Tokens API "dict://127.0.0.1" must be an "https" URL; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 13: unix:/tmp/s is no API
--- config: agilicus_token_api unix:/tmp/s;
--- must_die
--- error_log refused
the URL of the Tokens API "unix:/tmp/s" must be an "https" URL; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 14: http:/127.0.0.1 is no API
--- config: agilicus_token_api http:/127.0.0.1;
--- must_die
--- error_log refused
the URL of the Tokens API "http:/127.0.0.1" must be an "https" URL; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 15: https: is no API
--- config: agilicus_token_api https:;
--- must_die
--- error_log refused
the URL of the Tokens API "https:" must be an "https" URL; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 16: 127.0.0.1 is no API
--- config: agilicus_token_api 127.0.0.1;
--- must_die
--- error_log refused
the URL of the Tokens API "127.0.0.1" must be an "https" URL; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 17: "" is no API
--- config: agilicus_token_api "";
--- must_die
--- error_log refused
the URL of the Tokens API "" must be an "https" URL; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 18: an API has no variables
--- config: agilicus_token_api https://$host;
--- must_die
--- error_log refused
the URL of the Tokens API "https://$host" must not have variables in it; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 19: https://user@api.example is more than an address
--- config: agilicus_token_api 'https://user@api.example';
--- must_die
--- error_log refused
the URL of the Tokens API "https://user@api.example" must be made of a host, a port and a plain path only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 20: https://api.example?x is more than an address
--- config: agilicus_token_api 'https://api.example?x';
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example?x" must be made of a host, a port and a plain path only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 21: https://api.example#x is more than an address
--- config: agilicus_token_api 'https://api.example#x';
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example#x" must be made of a host, a port and a plain path only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 22: https://api.example\\x is more than an address
--- config: agilicus_token_api 'https://api.example\\x';
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example\x" must be made of a host, a port and a plain path only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 23: https://api.example/%2e is more than an address
--- config: agilicus_token_api 'https://api.example/%2e';
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example/%2e" must be made of a host, a port and a plain path only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 24: https://a b is more than an address
--- config: agilicus_token_api 'https://a b';
--- must_die
--- error_log refused
the URL of the Tokens API "https://a b" must be made of a host, a port and a plain path only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 25: https:// has no host
--- config: agilicus_token_api https://;
--- must_die
--- error_log refused
the URL of the Tokens API "https://" must be an "https" URL; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 26: https://:443 has no host
--- config: agilicus_token_api https://:443;
--- must_die
--- error_log refused
the URL of the Tokens API "https://:443" has no valid host; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 27: https:///x has no host
--- config: agilicus_token_api https:///x;
--- must_die
--- error_log refused
the URL of the Tokens API "https:///x" has no valid host; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 28: https://[::1 has no valid host
--- config: agilicus_token_api https://[::1;
--- must_die
--- error_log refused
the URL of the Tokens API "https://[::1" has no valid host; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 29: https://a,b has no valid host
--- config: agilicus_token_api https://a,b;
--- must_die
--- error_log refused
the URL of the Tokens API "https://a,b" has no valid host; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 30: https://::1 has no valid host
--- config: agilicus_token_api https://::1;
--- must_die
--- error_log refused
the URL of the Tokens API "https://::1" has no valid host; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 31: https://api.example:0 has no valid port
--- config: agilicus_token_api https://api.example:0;
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example:0" has no valid port; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 32: https://api.example:65536 has no valid port
--- config: agilicus_token_api https://api.example:65536;
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example:65536" has no valid port; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 33: https://api.example:x has no valid port
--- config: agilicus_token_api https://api.example:x;
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example:x" has no valid port; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 34: https://api.example: has no valid port
--- config: agilicus_token_api https://api.example:;
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example:" has no valid port; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 35: an API is named once in a place
--- config: agilicus_token_api https://a; agilicus_token_api https://b;
--- must_die
--- error_log refused
"agilicus_token_api" directive is duplicate



=== TEST 36: an API is no operation
--- config: agilicus_token_api https://api.example/V1/tokens/introspect;
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example/V1/tokens/introspect" must not have "/v1/tokens" in it, which is added to it; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 37: https://api.example/<b> is more than an address
--- config: agilicus_token_api 'https://api.example/<b>';
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example/<b>" must be made of a host, a port and a plain path only; write it like "agilicus_token_api https://api.agilicus.com"



=== TEST 38: there is room for 16 APIs, and none shares a budget with another
--- config eval
join "\n", map({ "location /$_ { agilicus_token on; "
                 . "agilicus_token_api https://api.example/$_; }" } 1 .. 16),
     'agilicus_token_api https://api.example/17;',
     'location /17 { agilicus_token on; }'
--- must_die
--- error_log refused
"agilicus_token_api" "https://api.example/17" is one too many: 16 different APIs are supported



=== TEST 39: an API counts once, however often and with whatever it is used
--- config eval
join "\n", map({ "location /$_ { agilicus_token on; "
                 . "agilicus_token_api http://127.0.0.1:1/$_; "
                 . "location /$_/a { agilicus_token_api_credential "
                 . "$ENV{TEST_NGINX_CREDENTIAL}; } }" } 1 .. 16)
--- request: GET /t
--- error_code: 404
--- no_error_log
[emerg]



=== TEST 40: https://proxy is no proxy
--- config: agilicus_token_api_proxy https://proxy;
--- must_die
--- error_log refused
the URL of the proxy "https://proxy" must be "http://host:port"; write it like "agilicus_token_api_proxy http://proxy.example.com:3128"



=== TEST 41: socks5://proxy is no proxy
--- config: agilicus_token_api_proxy socks5://proxy;
--- must_die
--- error_log refused
the URL of the proxy "socks5://proxy" must be "http://host:port"; write it like "agilicus_token_api_proxy http://proxy.example.com:3128"



=== TEST 42: proxy:3128 is no proxy
--- config: agilicus_token_api_proxy proxy:3128;
--- must_die
--- error_log refused
the URL of the proxy "proxy:3128" must be "http://host:port"; write it like "agilicus_token_api_proxy http://proxy.example.com:3128"



=== TEST 43: http://proxy/path is no proxy
--- config: agilicus_token_api_proxy http://proxy/path;
--- must_die
--- error_log refused
the URL of the proxy "http://proxy/path" must be "http://host:port"; write it like "agilicus_token_api_proxy http://proxy.example.com:3128"



=== TEST 44: a proxy has no password in its URL
--- config: agilicus_token_api_proxy http://u:p@proxy;
--- must_die
--- error_log refused
the URL of the proxy "http://u:p@proxy" must be made of a host, a port and a plain path only; write it like "agilicus_token_api_proxy http://proxy.example.com:3128"



=== TEST 45: a proxy is named once in a place
--- config: agilicus_token_api_proxy off; agilicus_token_api_proxy off;
--- must_die
--- error_log refused
"agilicus_token_api_proxy" directive is duplicate



=== TEST 46: a proxy has a port
--- config: agilicus_token_api_proxy http://proxy;
--- must_die
--- error_log refused
the URL of the proxy "http://proxy" must be "http://host:port": proxies have no usual port; write it like "agilicus_token_api_proxy http://proxy.example.com:3128"



=== TEST 47: a host has one spelling
--- config: agilicus_token_api https://api.example.;
--- must_die
--- error_log refused
the URL of the Tokens API "https://api.example." must not have a dot at the end of its host; write it like "agilicus_token_api https://api.agilicus.com"
