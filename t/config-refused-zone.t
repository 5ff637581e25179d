# What "nginx -t" refuses of zones, of how long facts are kept, and of how long
# denials are.

use lib 't/lib';
use AgilicusTest;

plan tests => blocks() * 2;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: "zone" belongs into http
--- config: agilicus_token_zone a:1m;
--- must_die
--- error_log refused
"agilicus_token_zone" directive is not allowed here



=== TEST 2: "a" is no zone
--- http_config: agilicus_token_zone a;
--- config
--- must_die
--- error_log refused
invalid parameter "a" in "agilicus_token_zone" directive, it must be a name and a size, like "agilicus:10m"



=== TEST 3: "a:" is no zone
--- http_config: agilicus_token_zone a:;
--- config
--- must_die
--- error_log refused
invalid parameter "a:" in "agilicus_token_zone" directive, it must be a name and a size, like "agilicus:10m"



=== TEST 4: ":1m" is no zone
--- http_config: agilicus_token_zone :1m;
--- config
--- must_die
--- error_log refused
invalid parameter ":1m" in "agilicus_token_zone" directive, it must be a name and a size, like "agilicus:10m"



=== TEST 5: "a:1x" is no zone
--- http_config: agilicus_token_zone a:1x;
--- config
--- must_die
--- error_log refused
invalid parameter "a:1x" in "agilicus_token_zone" directive, it must be a name and a size, like "agilicus:10m"



=== TEST 6: "a:-1" is no zone
--- http_config: agilicus_token_zone a:-1;
--- config
--- must_die
--- error_log refused
invalid parameter "a:-1" in "agilicus_token_zone" directive, it must be a name and a size, like "agilicus:10m"



=== TEST 7: a zone has a smallest size
--- http_config: agilicus_token_zone a:16k;
--- config
--- must_die
--- error_log refused
zone "a:16k" is too small, it must have 32768 bytes at least, like "agilicus_token_zone a:10m"



=== TEST 8: a zone is defined once
--- http_config: agilicus_token_zone a:1m; agilicus_token_zone a:1m;
--- config
--- must_die
--- error_log refused
duplicate zone "a": each "agilicus_token_zone" needs a name of its own



=== TEST 9: a zone has one size
--- http_config: agilicus_token_zone a:1m; agilicus_token_zone a:2m;
--- config
--- must_die
--- error_log refused
the size 2097152 of shared memory zone "a" conflicts with already declared size 1048576



=== TEST 10: a zone of another module is not ours
--- http_config: limit_req_zone $remote_addr zone=a:1m rate=1r/s; agilicus_token_zone a:1m;
--- config
--- must_die
--- error_log refused
the shared memory zone "a" is already declared for a different use



=== TEST 11: our zone is not that of another module
--- http_config: agilicus_token_zone a:1m; limit_req_zone $remote_addr zone=a:1m rate=1r/s;
--- config
--- must_die
--- error_log refused
the shared memory zone "a" is already declared for a different use



=== TEST 12: a cache is not the zone of another module
--- http_config: limit_req_zone $remote_addr zone=a:1m rate=1r/s;
--- config: agilicus_token_cache a;
--- must_die
--- error_log refused
the shared memory zone "a" is already declared for a different use



=== TEST 13: a cache must be a zone that is there
--- config: agilicus_token on; agilicus_token_cache nowhere;
--- must_die
--- error_log refused
zone "nowhere" is not defined, add "agilicus_token_zone nowhere:10m;" to http



=== TEST 14: a cache stands once in a place
--- config: agilicus_token_cache off; agilicus_token_cache off;
--- must_die
--- error_log refused
"agilicus_token_cache" directive is duplicate



=== TEST 15: "cache_valid" has parameters
--- config: agilicus_token_cache_valid;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_cache_valid" directive



=== TEST 16: "cache_valid" has known parameters
--- config: agilicus_token_cache_valid 30s;
--- must_die
--- error_log refused
invalid parameter "30s" in "agilicus_token_cache_valid" directive, it must be like "active=30s" (10y at most) or like "watched=300s" (10y at most) or like "rights=30s" (10y at most) or like "invalid=10s" (10y at most)



=== TEST 17: "cache_valid" has times
--- config: agilicus_token_cache_valid active=x;
--- must_die
--- error_log refused
invalid parameter "active=x" in "agilicus_token_cache_valid" directive, it must be like "active=30s" (10y at most)



=== TEST 18: "cache_valid" has no negative times
--- config: agilicus_token_cache_valid active=-1;
--- must_die
--- error_log refused
invalid parameter "active=-1" in "agilicus_token_cache_valid" directive, it must be like "active=30s" (10y at most)



=== TEST 19: "cache_valid" has each parameter once
--- config: agilicus_token_cache_valid active=1s active=2s;
--- must_die
--- error_log refused
duplicate parameter "active=2s" in "agilicus_token_cache_valid" directive



=== TEST 20: "cache_valid" stands once in a place
--- config: agilicus_token_cache_valid active=1s; agilicus_token_cache_valid active=1s;
--- must_die
--- error_log refused
"agilicus_token_cache_valid" directive is duplicate



=== TEST 21: "cache_valid" has times that can be added up
--- config: agilicus_token_cache_valid active=9223372036854775s;
--- must_die
--- error_log refused
invalid parameter "active=9223372036854775s" in "agilicus_token_cache_valid" directive, it must be like "active=30s" (10y at most)



=== TEST 22: "cache_stale" has parameters
--- config: agilicus_token_cache_stale;
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_cache_stale" directive



=== TEST 23: "cache_stale" has known parameters
--- config: agilicus_token_cache_stale 30s;
--- must_die
--- error_log refused
invalid parameter "30s" in "agilicus_token_cache_stale" directive, it must be like "update=10s" (10y at most) or like "error=60s" (300s at most)



=== TEST 24: "cache_stale" has times
--- config: agilicus_token_cache_stale update=x;
--- must_die
--- error_log refused
invalid parameter "update=x" in "agilicus_token_cache_stale" directive, it must be like "update=10s" (10y at most)



=== TEST 25: "cache_stale" has no negative times
--- config: agilicus_token_cache_stale update=-1;
--- must_die
--- error_log refused
invalid parameter "update=-1" in "agilicus_token_cache_stale" directive, it must be like "update=10s" (10y at most)



=== TEST 26: "cache_stale" has each parameter once
--- config: agilicus_token_cache_stale update=1s update=2s;
--- must_die
--- error_log refused
duplicate parameter "update=2s" in "agilicus_token_cache_stale" directive



=== TEST 27: "cache_stale" stands once in a place
--- config: agilicus_token_cache_stale update=1s; agilicus_token_cache_stale update=1s;
--- must_die
--- error_log refused
"agilicus_token_cache_stale" directive is duplicate



=== TEST 28: an answer is not used for longer than 300s without the API
--- config: agilicus_token_cache_stale error=301s;
--- must_die
--- error_log refused
invalid parameter "error=301s" in "agilicus_token_cache_stale" directive, it must be like "error=60s" (300s at most)



=== TEST 29: "revocation_ttl" belongs into http
--- config: agilicus_token_revocation_ttl 1h;
--- must_die
--- error_log refused
"agilicus_token_revocation_ttl" directive is not allowed here



=== TEST 30: "revocation_ttl" is a time
--- http_config: agilicus_token_revocation_ttl for-ever;
--- config
--- must_die
--- error_log refused
invalid parameter "for-ever" in "agilicus_token_revocation_ttl" directive, it must be a time, like "24h" (between 1s and 10y: with 0, a denial would end as it begins)



=== TEST 31: "revocation_ttl" stands once
--- http_config: agilicus_token_revocation_ttl 1h; agilicus_token_revocation_ttl 1h;
--- config
--- must_die
--- error_log refused
"agilicus_token_revocation_ttl" directive is duplicate



=== TEST 32: a denial lasts
--- http_config: agilicus_token_revocation_ttl 0;
--- config
--- must_die
--- error_log refused
invalid parameter "0" in "agilicus_token_revocation_ttl" directive, it must be a time, like "24h" (between 1s and 10y: with 0, a denial would end as it begins)



=== TEST 33: a denial lasts no longer than there is time
--- http_config: agilicus_token_revocation_ttl 9223372036854775807s;
--- config
--- must_die
--- error_log refused
invalid parameter "9223372036854775807s" in "agilicus_token_revocation_ttl" directive, it must be a time, like "24h" (between 1s and 10y: with 0, a denial would end as it begins)
