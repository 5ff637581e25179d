# "agilicus_token_api_header": headers for tracing, in calls on account of a
# request, and what cannot be a header is left out.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $mock = MockAPI->start(
    default => sub {
        my ($r) = @_;

        my @h = map { "$_=$r->{header}{$_}" }
                grep { /^(?:traceparent|tracestate|baggage|b3|x-.*)$/ }
                sort keys %{$r->{header}};

        return { token => { sub => 'ann', jti => $r->{token}, org => join('+', @h) || 'none' } };
    },
    paths => {
        'POST /v1/tokens/revoke' => sub {
            return ($_[0]{header}{baggage} || '') eq 'out' ? 204 : 500;
        },
        'POST /v1/tokens/reissue' => sub {
            return ($_[0]{header}{baggage} || '') eq 'again' ? 403 : 500;
        },
    },
);

stop_with_tests($mock);
secrets('good-');
free_port('UPSTREAM_PORT');

my $http_config = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "passed\n"; }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    add_header X-Org $agilicus_token_org always;
EOC

add_block_preprocessor(sub {
    my ($block) = @_;

    my $text = $block->config;

    $text =~ s{UP;}{proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;}g;

    $block->set_value(http_config => $http_config);
    $block->set_value(config => $text);
});

plan tests => blocks() * 2 + 18;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: the call that a request causes has its headers
--- config
    location /t {
        agilicus_token on;
        agilicus_token_api_header traceparent $http_traceparent;
        agilicus_token_api_header X-Request-ID "id $arg_id";
        agilicus_token_api_header x-b3-traceid const;
        UP;
    }
--- request
GET /t?id=7
--- more_headers
Authorization: Bearer good-1
traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
--- response_headers
X-Org: traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01+x-b3-traceid=const+x-request-id=id 7



=== TEST 2: without the directive there are none
--- config
    location /t { agilicus_token on; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer good-2
traceparent: x
--- response_headers
X-Org: none



=== TEST 3: a value that is empty, too long or has a control character is left out
--- config
    location ~ (?s)^/t(?<value>.*)$ {
        agilicus_token on;
        agilicus_token_api_header b3 $value;
        agilicus_token_api_header baggage $http_baggage;
        UP;
    }
--- request eval
[map { "GET /t$_" } "", "%0d%0aX-Evil:%201", "%0aX-Evil:%201", "%09", "%7f", "a", "b"]
--- more_headers eval
[(map { "Authorization: Bearer good-3-$_" } 1 .. 5), "Authorization: Bearer good-3-6\nbaggage: " . "x" x 1025,
 "Authorization: Bearer good-3-7\nbaggage: " . "x" x 1024]
--- response_headers eval
[("X-Org: none") x 5, "X-Org: b3=a", "X-Org: b3=b+baggage=" . "x" x 1024]



=== TEST 4: a level that has the directive inherits none
--- config
    agilicus_token on;
    agilicus_token_api_header baggage outer;
    location /t { UP; }
    location /u { agilicus_token_api_header tracestate inner; UP; }
--- request eval
["GET /t", "GET /u"]
--- more_headers eval
[map { "Authorization: Bearer good-4-$_" } 1 .. 2]
--- response_headers eval
["X-Org: baggage=outer", "X-Org: tracestate=inner"]



=== TEST 5: a sign-out and a reissue have the headers of their requests, too
--- config
    agilicus_token_api_header baggage $arg_b;
    location /signout { agilicus_token_revoke; }
    location /r { agilicus_token on; agilicus_token_reissue o; UP; }
--- request eval
["POST /signout?b=out", "POST /signout?b=in", "GET /r?b=again", "GET /r?b=first"]
--- more_headers eval
[map { "Authorization: Bearer good-5-$_" } 1 .. 4]
--- error_code eval
[204, 503, 403, 503]



=== TEST 6: requests that share a call have the headers of the one that makes it
--- config
    agilicus_token_api_header baggage $arg_b;
    agilicus_token_api_header tracestate $arg_c;
    location /t { agilicus_token on; UP; }
--- request eval
["GET /t?b=first", "GET /t?c=second"]
--- more_headers
Authorization: Bearer good-6
--- response_headers eval
[("X-Org: baggage=first") x 2]
