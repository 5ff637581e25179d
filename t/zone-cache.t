# Which answers about a token are remembered, which requests may use them, and
# when the API is asked again.

use lib 't/lib';
use AgilicusTest;
use File::Temp;
use MockAPI;

my @subs = map { { token => { sub => "user-$_", jti => "jti-$_" } } } 1, 2;

my $mock = MockAPI->start(
    tokens => {
        map({ $_ => {} } map { "good-$_" } 1 .. 40),
        'Tail-a'    => { token => { sub => 'the one' } },
        'back-1'    => [ 410, {} ],
        'back-2'    => 410,
        'back-3'    => [ 410, {} ],
        'both-1'    => 410,
        'changes-1' => \@subs,
        'narrow'    => [ { token => { scopes => [ 'a', 'b' ] } },
                         { token => { scopes => [ 'a' ] } } ],
        'large'     => { token => { scopes => [ map { "scope-$_" }
                                                1 .. 9000 ] } },
        'ends-soon' => { token => { exp => time - 30 } },
        'no-end'    => { token => { exp => undef } },
    },
);

my $second = MockAPI->start(name => 'SECOND', tokens => { 'both-1' => {} });

stop_with_tests($mock, $second);
secrets(qw(Tail- back- both- edge-CREDENTIAL));
free_port('UPSTREAM_PORT');

my $dir = File::Temp->newdir;

for my $name (qw(CREDENTIAL OTHER_CREDENTIAL)) {
    $ENV{"TEST_NGINX_$name"} = "$dir/$name";

    open my $fh, '>', "$dir/$name" or die "$dir/$name: $!\n";
    chmod 0600, "$dir/$name";
    print $fh "edge-$name\n";
    close $fh;
}

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "$http_x_seen\n"; }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    proxy_set_header X-Seen $agilicus_token_cache;
EOC

my $config = <<'EOC';
    location / {
        agilicus_token on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /_ {
        agilicus_token off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT;
    }
    location /second/ {
        agilicus_token off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SECOND_CONTROL_PORT/;
    }
EOC

no_root_location();

add_block_preprocessor(sub {
    my ($block) = @_;

    my $more = $block->http_config;
    my $own = $block->config;

    $block->set_value(http_config => $http_config
                                     . (defined $more ? $more : ''));
    $block->set_value(config => $config . (defined $own ? $own : ''));
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 3 + 122);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a token is asked about once
--- request eval
[("GET /t") x 3, "GET /_calls?token=good-1"]
--- more_headers
Authorization: Bearer good-1
--- response_body_like eval
["MISS|HIT", "HIT", "HIT", "^1\n\$"]



=== TEST 2: a bad token is asked about once
--- request eval
[("GET /t") x 3, "GET /_calls?token=unknown-1"]
--- more_headers
Authorization: Bearer unknown-1
--- error_code eval
[401, 401, 401, 200]
--- response_body_like eval
["401", "401", "401", "^1\n\$"]



=== TEST 3: tokens that differ in a byte, in case or at the end are different
--- request eval
[("GET /t") x 7]
--- more_headers eval
[map { "Authorization: Bearer $_" }
 "Tail-a", "Tail-b", "tail-a", "Tail-A", "Tail-a=", "Tail-", "Tail-a"]
--- error_code eval
[200, 401, 401, 401, 401, 401, 200]



=== TEST 4: without a cache every request asks
--- config
    location /off {
        agilicus_token on;
        agilicus_token_cache off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /_reset", "GET /off", "GET /off", "GET /_calls?token=good-2"]
--- more_headers eval
["", ("Authorization: Bearer good-2") x 2, ""]
--- response_body eval
["ok\n", "BYPASS\n", "BYPASS\n", "2\n"]



=== TEST 5: what one location has asked serves another
--- config
    location /other {
        agilicus_token on;
        agilicus_token_realm other;
        agilicus_token_api_timeout 2s;
        agilicus_token_leeway 10s;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /other", "GET /_calls?token=good-3"]
--- more_headers
Authorization: Bearer good-3
--- response_body_like eval
["MISS|HIT", "HIT", "^1\n\$"]



=== TEST 6: facts are remembered, and each location decides anew
--- config
    location /a {
        agilicus_token on;
        agilicus_token_require_scopes urn:agilicus:users:owner;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /b {
        agilicus_token on;
        agilicus_token_require_scopes other;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /b", "GET /a", "GET /b", "GET /t", "GET /_calls?token=good-4"]
--- more_headers
Authorization: Bearer good-4
--- error_code eval
[403, 200, 403, 200, 200]
--- response_body_like eval
["403", "HIT", "403", "HIT", "^1\n\$"]



=== TEST 7: expiry is judged by the location that reads
--- config
    location /leeway {
        agilicus_token on;
        agilicus_token_leeway 10m;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /leeway", "GET /t", "GET /_calls?token=ends-soon"]
--- more_headers
Authorization: Bearer ends-soon
--- error_code eval
[401, 200, 401, 200]
--- response_body_like eval
["401", "HIT", "401", "^1\n\$"]



=== TEST 8: whether a token must expire is judged by the location that reads
--- config
    location /strict {
        agilicus_token on;
        agilicus_token_require_expiry on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /strict", "GET /t", "GET /_calls?token=no-end"]
--- more_headers
Authorization: Bearer no-end
--- error_code eval
[200, 401, 200, 200]
--- response_body_like eval
["MISS|HIT", "401", "HIT", "^1\n\$"]



=== TEST 9: how old a good answer may be is judged by the location that reads
--- config
    location /now {
        agilicus_token on;
        agilicus_token_cache_valid active=0;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /_reset", "GET /now", "GET /now", "GET /t", "GET /now", "GET /_calls?token=good-5"]
--- more_headers eval
["", ("Authorization: Bearer good-5") x 4, ""]
--- response_body eval
["ok\n", "MISS\n", "MISS\n", "HIT\n", "MISS\n", "3\n"]



=== TEST 10: how old a bad answer may be is judged by the location that reads
--- config
    location /now {
        agilicus_token on;
        agilicus_token_cache_valid invalid=0;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /_reset", "GET /now", "GET /now", "GET /t", "GET /now", "GET /_calls?token=unknown-2"]
--- more_headers eval
["", ("Authorization: Bearer unknown-2") x 4, ""]
--- error_code eval
[200, 401, 401, 401, 401, 200]
--- response_body_like eval
["ok", ("401") x 4, "^3\n\$"]



=== TEST 11: parameters that are left out keep their defaults
--- config
    location /now {
        agilicus_token on;
        agilicus_token_cache_valid invalid=0;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /now", "GET /now", "GET /_calls?token=good-6"]
--- more_headers
Authorization: Bearer good-6
--- response_body_like eval
["MISS|HIT", "HIT", "^1\n\$"]



=== TEST 12: two APIs share no facts
--- config
    location /other {
        agilicus_token on;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_SECOND_PORT;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /other", "GET /t", "GET /_calls?token=good-7", "GET /second/_calls?token=good-7"]
--- more_headers
Authorization: Bearer good-7
--- error_code eval
[200, 401, 200, 200, 200]
--- response_body_like eval
["MISS|HIT", "401", "HIT", "^1\n\$", "^1\n\$"]



=== TEST 13: other options make other facts
--- config
    location /roles {
        agilicus_token on;
        agilicus_token_introspect_options exclude_roles=on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /matchers {
        agilicus_token on;
        agilicus_token_introspect_options support_http_matchers=on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /cache {
        agilicus_token on;
        agilicus_token_introspect_options no_cache=on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /none {
        agilicus_token on;
        agilicus_token_introspect_options no_cache=off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /roles", "GET /matchers", "GET /cache", "GET /none", "GET /_calls?token=good-8"]
--- more_headers
Authorization: Bearer good-8
--- response_body_like eval
[("MISS|HIT") x 4, "HIT", "^4\n\$"]



=== TEST 14: a credential that goes with introspection makes other facts
--- config
    location /sent {
        agilicus_token on;
        agilicus_token_api_credential $TEST_NGINX_CREDENTIAL introspect;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /other {
        agilicus_token on;
        agilicus_token_api_credential $TEST_NGINX_OTHER_CREDENTIAL introspect;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /kept {
        agilicus_token on;
        agilicus_token_api_credential $TEST_NGINX_CREDENTIAL;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /sent", "GET /other", "GET /kept", "GET /_calls?token=good-9"]
--- more_headers
Authorization: Bearer good-9
--- response_body_like eval
[("MISS|HIT") x 3, "HIT", "^3\n\$"]



=== TEST 15: two zones share no facts
--- http_config
    agilicus_token_zone one:1m;
    agilicus_token_zone two:1m;
--- config
    location /one {
        agilicus_token on;
        agilicus_token_cache one;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /two {
        agilicus_token on;
        agilicus_token_cache two;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /one", "GET /two", "GET /one", "GET /two", "GET /_calls?token=good-10"]
--- more_headers
Authorization: Bearer good-10
--- response_body_like eval
["MISS|HIT", "MISS|HIT", "HIT", "HIT", "^2\n\$"]



=== TEST 16: the zone that exists by itself may be given a size
--- http_config
    agilicus_token_zone agilicus:64k;
    agilicus_token_cache agilicus;
--- request eval
["GET /t", "GET /t", "GET /_calls?token=good-11"]
--- more_headers
Authorization: Bearer good-11
--- response_body_like eval
["MISS|HIT", "HIT", "^1\n\$"]



=== TEST 17: a revoked token is not asked about again, without a cache either
--- config
    location /off {
        agilicus_token on;
        agilicus_token_cache off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /off", "GET /off", "GET /t", "GET /_calls?token=back-1"]
--- more_headers
Authorization: Bearer back-1
--- error_code eval
[401, 401, 401, 200]
--- response_body_like eval
["401", "401", "401", "^1\n\$"]



=== TEST 18: a revoked token that was never good is forgotten as other bad answers are
--- config
    location /now {
        agilicus_token on;
        agilicus_token_cache_valid active=0 invalid=0;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /now", "GET /now", "GET /t", "GET /_calls?token=back-2"]
--- more_headers
Authorization: Bearer back-2
--- error_code eval
[401, 401, 401, 200]
--- response_body_like eval
["401", "401", "401", "^3\n\$"]



=== TEST 19: a revoked token is so under other options, credentials and zones
--- http_config
    agilicus_token_zone agilicus:1m;
    agilicus_token_zone two:1m;
--- config
    location /other {
        agilicus_token on;
        agilicus_token_introspect_options no_cache=on;
        agilicus_token_api_credential $TEST_NGINX_CREDENTIAL introspect;
        agilicus_token_cache two;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /other", "GET /_calls?token=back-3"]
--- more_headers
Authorization: Bearer back-3
--- error_code eval
[401, 401, 200]
--- response_body_like eval
["401", "401", "^1\n\$"]



=== TEST 20: what one API has revoked, another may know
--- config
    location /other {
        agilicus_token on;
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_SECOND_PORT;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /t", "GET /other", "GET /t"]
--- more_headers
Authorization: Bearer both-1
--- error_code eval
[401, 200, 401]



=== TEST 21: a new answer replaces the old one as a whole
--- config
    location /now {
        agilicus_token on;
        agilicus_token_cache_valid active=0;
        proxy_set_header X-Seen "$agilicus_token_sub $agilicus_token_jti";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /then {
        agilicus_token on;
        proxy_set_header X-Seen "$agilicus_token_sub $agilicus_token_jti";
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /_reset", "GET /now", "GET /then", "GET /now", "GET /then"]
--- more_headers eval
["", ("Authorization: Bearer changes-1") x 4]
--- response_body eval
["ok\n", ("user-1 jti-1\n") x 2, ("user-2 jti-2\n") x 2]



=== TEST 22: a scope that a new answer lacks is gone
--- config
    location /now {
        agilicus_token on;
        agilicus_token_cache_valid active=0;
        agilicus_token_require_scopes b;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
    location /then {
        agilicus_token on;
        agilicus_token_require_scopes b;
        proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
--- request eval
["GET /_reset", "GET /now", "GET /then", "GET /now", "GET /then"]
--- more_headers eval
["", ("Authorization: Bearer narrow") x 4]
--- error_code eval
[200, 200, 200, 403, 403]



=== TEST 23: facts that no zone has room for are asked for each time
--- http_config
    agilicus_token_zone agilicus:32k;
--- request eval
["GET /_reset", "GET /t", "GET /t", "GET /t", "GET /_calls?token=large"]
--- more_headers eval
["", ("Authorization: Bearer large") x 2, "Authorization: Bearer good-12", ""]
--- response_body_like eval
["ok", "MISS", "MISS", "MISS|HIT", "^2\n\$"]
