# nginx's own page cache in a protected location: no client gets a page that was
# made for another one.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $mock = MockAPI->start(
    tokens => {
        map({ my $who = $_; map({ ("$who-$_" => { token => { sub => $who } }) }
                                1 .. 20) } qw(alice bob)),
        'gone-1' => [ { token => { sub => 'alice' } }, 410 ],
    },
    paths => { '/slow' => { delay => 1.1, json => {} } },
);

stop_with_tests($mock);
secrets(qw(alice- bob- unknown- gone-));
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    proxy_cache_path $TEST_NGINX_HTML_DIR/pages keys_zone=pages:1m;
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        add_header Cache-Control "public, max-age=60";
        location / {
            return 200 "for [$http_x_sub$http_authorization$http_cookie] $request_uri\n";
        }
        location = /stale {
            add_header Cache-Control "max-age=0, stale-while-revalidate=60";
            return 200 "for [$http_x_sub]\n";
        }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
EOC

# the example of docs/variables.md

my $config = <<'EOC';
    proxy_cache          pages;
    proxy_no_cache       $agilicus_token_no_cache;
    proxy_cache_bypass   $agilicus_token_no_cache;
    proxy_cache_key      $uri;
    add_header           X-Page $upstream_cache_status;

    location /api/ {
        agilicus_token on;
        UP;
    }
    location /any/ {
        agilicus_token on;
        agilicus_token_source header query=access_token cookie=token;
        UP;
    }
    location /open/ { UP; }
    location /report/ { agilicus_token report; UP; }
    location /either/ { satisfy any; allow 127.0.0.1; agilicus_token on; UP; }
    location /preflight/ { agilicus_token on; agilicus_token_preflight pass; proxy_cache_methods GET HEAD; UP; }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    my $text = defined $block->config ? $block->config : $config;

    $text =~ s{UP;}{proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;}g;

    $block->set_value(http_config => $http_config);
    $block->set_value(config => $text);
    $block->set_value(user_files => ">>> none\n");
});

plan tests => blocks() * 3 + 86;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: without the variable, one user's page is the next one's
--- config
    proxy_cache pages;
    proxy_cache_key $uri;
    add_header X-Page $upstream_cache_status;
    location /api/ { agilicus_token on; UP; }
--- request eval
["GET /api/a", "GET /api/a", "GET /api/a"]
--- more_headers eval
["Authorization: Bearer alice-1", "Authorization: Bearer bob-1", ""]
--- error_code eval
[200, 200, 401]
--- response_headers eval
["X-Page: MISS", "X-Page: HIT", "! X-Page"]
--- response_body_like eval
["for \\[Bearer alice-1\\]", "for \\[Bearer alice-1\\]", "401"]



=== TEST 2: with it, each gets their own
--- request eval
[("GET /api/a") x 5]
--- more_headers eval
[map { $_ && "Authorization: Bearer $_" } "alice-2", "bob-2", "alice-2", "unknown-1", ""]
--- error_code eval
[200, 200, 200, 401, 401]
--- response_headers eval
[("X-Page: BYPASS") x 3, ("! X-Page") x 2]
--- response_body_like eval
["for \\[Bearer alice-2\\]", "for \\[Bearer bob-2\\]", "for \\[Bearer alice-2\\]", "401", "401"]



=== TEST 3: a token from the query or a cookie counts as well
--- request eval
["GET /any/a?access_token=alice-3", "GET /any/a?access_token=bob-3", "GET /any/a", "GET /any/a", "GET /any/a"]
--- more_headers eval
["", "", "Cookie: token=alice-3", "Cookie: token=bob-3", ""]
--- error_code eval
[(200) x 4, 401]
--- response_headers eval
[("X-Page: BYPASS") x 4, "! X-Page"]
--- response_body_like eval
["for \\[Bearer alice-3\\]", "for \\[Bearer bob-3\\]", "for \\[token=alice-3\\]", "for \\[token=bob-3\\]", "401"]



=== TEST 4: pages that are open are kept, but not for those who show a token
--- request eval
[("GET /open/a") x 5]
--- more_headers eval
["Authorization: Bearer alice-4", "", "", "Authorization: Bearer bob-4", ""]
--- response_headers eval
["X-Page: BYPASS", "X-Page: MISS", "X-Page: HIT", "X-Page: BYPASS", "X-Page: HIT"]
--- response_body_like eval
["for \\[Bearer alice-4\\]", "for \\[\\]", "for \\[\\]", "for \\[Bearer bob-4\\]", "for \\[\\]"]



=== TEST 5: other credentials are no less private
--- request eval
[("GET /open/b") x 2]
--- more_headers eval
["Authorization: Basic dTpw", ""]
--- response_headers eval
["X-Page: BYPASS", "X-Page: MISS"]



=== TEST 6: nothing is kept where a token is asked for, whoever is let in without
--- request eval
["GET /report/a", "GET /report/a", "GET /report/a", "GET /either/a", "GET /either/a"]
--- more_headers eval
["", "Authorization: Bearer alice-5", "Authorization: Bearer a b", "", "Authorization: Bearer alice-5"]
--- response_headers eval
[("X-Page: BYPASS") x 5]



=== TEST 7: a key with the user in it keeps pages apart
--- config
    location /api/ {
        agilicus_token on;
        proxy_cache pages;
        proxy_cache_key "$agilicus_token_sub $agilicus_token_org $uri";
        proxy_set_header Authorization "";
        proxy_set_header X-Sub $agilicus_token_sub;
        add_header X-Page $upstream_cache_status;
        UP;
    }
--- request eval
[("GET /api/a") x 6]
--- more_headers eval
[map { $_ && "Authorization: Bearer $_" } "alice-6", "bob-6", "alice-7", "bob-6", "unknown-2", ""]
--- error_code eval
[(200) x 4, 401, 401]
--- response_headers eval
["X-Page: MISS", "X-Page: MISS", "X-Page: HIT", "X-Page: HIT", "! X-Page", "! X-Page"]
--- response_body_like eval
["for \\[alice\\]", "for \\[bob\\]", "for \\[alice\\]", "for \\[bob\\]", "401", "401"]



=== TEST 8: a page that is kept for a user is not given out once the token is revoked
--- config
    location /api/ {
        agilicus_token on;
        agilicus_token_cache off;
        proxy_cache pages;
        proxy_cache_key "$agilicus_token_sub $uri";
        proxy_set_header Authorization "";
        add_header X-Page $upstream_cache_status;
        UP;
    }
--- request eval
[("GET /api/a") x 2]
--- more_headers
Authorization: Bearer gone-1
--- error_code eval
[200, 401]
--- response_headers eval
["X-Page: MISS", "! X-Page"]
--- response_body_unlike eval
["401", "for"]



=== TEST 9: a page that is renewed in the background belongs to a request that was allowed
--- config
    location = /stale {
        agilicus_token on;
        proxy_cache pages;
        proxy_cache_key "$agilicus_token_sub $uri";
        proxy_cache_use_stale updating;
        proxy_cache_background_update on;
        proxy_set_header X-Sub $agilicus_token_sub;
        add_header X-Page $upstream_cache_status;
        proxy_ignore_headers Cache-Control;
        proxy_cache_valid 200 1s;
        UP;
    }
    location = /wait {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/slow;
    }
--- request eval
["GET /stale", "GET /wait", "GET /wait", "GET /stale", "GET /stale", "GET /stale"]
--- more_headers eval
[("Authorization: Bearer alice-8") x 4, "", "Authorization: Bearer bob-8"]
--- error_code eval
[200, 200, 200, 200, 401, 200]
--- response_headers eval
["X-Page: MISS", ("! X-Page") x 2, "X-Page: STALE", "! X-Page", "X-Page: MISS"]
--- response_body_like eval
["^for \\[alice\\]\$", "", "", "^for \\[alice\\]\$", "401", "^for \\[bob\\]\$"]



=== TEST 10: a preflight that is passed on is not kept for others
--- request eval
["GET /preflight/a", "OPTIONS /preflight/a", "GET /preflight/a"]
--- more_headers eval
["Authorization: Bearer alice-9", "Origin: http://x\nAccess-Control-Request-Method: GET", "Authorization: Bearer bob-9"]
--- error_code eval
[200, 200, 200]
--- response_body_like eval
["for \\[Bearer alice-9\\]", "for \\[\\]", "for \\[Bearer bob-9\\]"]
