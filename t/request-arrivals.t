use strict;
use warnings;

# How a request arrives in a location: rules judge what the client, or the page,
# has asked for, whatever nginx has made of it since; and each location sees the
# credentials that the client has sent, whatever the one before did with them.

use HTTP::Tiny ();
use JSON::PP ();
use MIME::Base64 ();
use Test::More;

use lib 't/lib';

use MockAPI;
use NginxProcess;
use TestPorts;

my $exp = time + 3600;

sub rules {
    my ($methods, @paths) = @_;

    return { token => { sub => 'user', hosts => [ { upstream_host => 'h', allowed_list => [
             { methods => $methods, paths => \@paths } ] } ] } };
}

my $mock = MockAPI->start(
    tokens => {
        inner  => rules([ 'get' ], '/inner/.*'),
        part   => rules([ 'get' ], '/part/.*'),
        query  => rules([ 'get' ], '/part/f[?]q=1'),
        exact  => rules([ 'get' ], '/part/f'),
        with   => rules([ 'get' ], '/part/with'),
        put    => rules([ 'put' ], '/from/.*'),
        read   => rules([ 'get', 'post', 'head' ], '/from/.*'),
        head   => rules([ 'head' ], '/from/.*'),
        good   => { token => { exp => $exp, org => 'home' } },
    },
    default => sub { $_[0]->{token} =~ /^reissued-/ ? { token => { exp => $exp, org => 'acme' } } : 404 },
);

my $app = $ENV{TEST_NGINX_APP_PORT} = TestPorts::free_port();
my $nginx = NginxProcess->new(workers => 1, log_level => 'info');

$nginx->write_file('passwords', "admin:{PLAIN}secret\n");
chmod 0600, $nginx->write_file('credential', "edge\n");

$nginx->configure(
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_credential $TEST_NGINX_PREFIX/credential;
        server {
            listen 127.0.0.1:$TEST_NGINX_APP_PORT;
            location / { return 200 "$request_method $request_uri|$http_authorization|$http_cookie|$http_x_seen|"; }
            location /from {
                add_header X-Accel-Redirect $http_x_to;
                return 200;
            }
            location /missing { return 404; }
            location /page {
                default_type text/html;
                return 200 '<!--#include virtual="$arg_v" -->';
            }
        }
EOC
    config => <<'EOC' =~ s/UP;/proxy_pass http:\/\/127.0.0.1:\$TEST_NGINX_APP_PORT;/gr);
        auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
        proxy_intercept_errors on;
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
        agilicus_token_rules on host=h;

        location /page { agilicus_token off; ssi on; UP; }
        location /part/rewritten { rewrite ^ /inner/f last; }
        location /part/with { rewrite ^ /inner/f?q=9 last; }
        location /part/tried { try_files /nowhere /inner/f; }
        location /part/named { try_files /nowhere @inner; }
        location /part/failed { error_page 418 = /inner/f; return 418; }
        location /part/accel { proxy_set_header X-To /inner/f; proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT/from; }
        location /part/missing { error_page 404 = /inner/f; proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT/missing; }
        location /inner/moved { rewrite ^ /inner/f last; }
        location /inner { agilicus_token on; proxy_method GET; UP; }
        location @inner { agilicus_token on; UP; }
        location /part/f { agilicus_token on; agilicus_token_source header query=t; UP; }
        location = /asks { auth_request /part/rewritten; UP; }

        location /from/accel { proxy_set_header X-To $http_x_to; UP; }
        location /from/error { error_page 418 = /judged; return 418; }
        location /from/back { error_page 418 = @judged; return 418; }
        location /judged { agilicus_token on; UP; }
        location @judged { agilicus_token on; UP; }

        location /query/accel {
            agilicus_token on; agilicus_token_rules off; agilicus_token_source query=t;
            proxy_set_header X-Seen $remote_user;
            proxy_set_header X-To $http_x_to;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT/from;
        }
        location /query/error {
            agilicus_token on; agilicus_token_rules off; agilicus_token_source query=t;
            error_page 404 = @basic;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT/missing;
        }
        location /cookie/accel {
            agilicus_token on; agilicus_token_rules off; agilicus_token_source cookie=t;
            agilicus_token_reissue acme;
            proxy_set_header X-To $http_x_to;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT/from;
        }
        location /hidden/accel {
            agilicus_token on; agilicus_token_rules off;
            agilicus_token_forward off;
            proxy_set_header X-To $http_x_to;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT/from;
        }
        location /query/page {
            agilicus_token on; agilicus_token_rules off; agilicus_token_source query=t;
            ssi on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT/page?v=/seen;
        }
        location /basic { auth_basic closed; proxy_set_header X-To ""; UP; }
        location @basic { auth_basic closed; UP; }
        location /asked { auth_request /basic/by; proxy_set_header X-To ""; UP; }
        location /seen { set $seen $http_authorization; proxy_set_header X-To ""; proxy_set_header X-Seen $seen; UP; }
        location /seen/cookie { set $seen $cookie_t; proxy_set_header X-To ""; proxy_set_header X-Seen $seen; UP; }
        location /again { agilicus_token on; agilicus_token_rules off; proxy_set_header X-To ""; UP; }
EOC
$nginx->start;

sub ask {
    my ($path, $token, %opt) = @_;

    my $method = delete $opt{method} || 'GET';
    my $res = HTTP::Tiny->new->request($method,
                  'http://127.0.0.1:' . $nginx->port . $path,
                  { headers => { $token ? (Authorization => "Bearer $token")
                                        : (), %opt },
                    $method =~ /^P/ ? (content => 'x') : () });

    return wantarray ? ($res->{status}, $res->{content})
           : "$res->{status} " . ($res->{headers}{'x-why'} || '');
}


# parts are judged by the URL that they were made with

for my $how (qw(rewritten tried named failed accel missing)) {
    like((ask("/page?v=/part/$how", 'inner'))[1], qr/403 Forbidden/,
         "a part's own URL, $how: not the one that it is led to");
    like((ask("/page?v=/part/$how", 'part'))[1], qr/^GET \S+\|/,
         "a part's own URL, $how");
    is(scalar ask("/part/$how", 'inner'), '403 forbidden/path',
       "as for the client, $how");
    is(scalar ask("/part/$how", 'part'), '200 active/', "likewise, $how");
}

like((ask('/page?v=/inner/moved', 'inner'))[1], qr/^GET \/inner\/f\|/,
     'both are allowed');
is((ask('/asks', 'inner'))[0], 403, 'a location that is asked');
is((ask('/asks', 'part'))[0], 200, 'by its own URL');
like((ask('/page?v=/part/f?q=1', 'query'))[1], qr/^GET/, 'a part has arguments');
like((ask('/page?v=/part/f?q=2', 'query'))[1], qr/403/, 'of its own');
like((ask('/page?v=/part/f?t=none', 'exact'))[1], qr/^GET/,
     'without one that is a place of tokens');
like((ask('/page?v=/part/with', 'with'))[1], qr/^GET \/inner\/f\?q=9/,
     'and none that a rewrite has added');


# the client's method goes with the client's path

for my $how ('accel', 'error', 'back') {
    my @to = $how eq 'accel' ? ('X-To' => '/judged') : ();

    is(scalar ask("/from/$how", 'read', method => 'PUT', @to),
       '403 forbidden/method', "PUT, $how");
    is(scalar ask("/from/$how", 'put', method => 'PUT', @to), '200 active/',
       "PUT that is allowed, $how");
    is(scalar ask("/from/$how", 'put', method => 'GET', @to),
       '403 forbidden/method', "GET, $how");
    is(scalar ask("/from/$how", 'read', method => 'POST', @to), '200 active/',
       "POST, $how");
    is(scalar ask("/from/$how", 'put', method => 'HEAD', @to),
       '403 forbidden/method', "HEAD, $how");
    is(scalar ask("/from/$how", 'head', method => 'HEAD', @to), '200 active/',
       "HEAD that is allowed, $how");
}


# credentials are the client's until something goes upstream

my $right = 'Basic ' . MIME::Base64::encode_base64('admin:secret', '');
my $wrong = 'Basic ' . MIME::Base64::encode_base64('admin:other', '');
my @basic = ('X-To' => '/basic', Authorization => $right);

for my $try ([ '/query/accel?t=good' ], [ '/cookie/accel', Cookie => 't=good' ],
             [ '/query/error?t=good' ])
{
    my ($path, @cookie) = @$try;

    is((ask($path, undef, @basic, @cookie))[0], 200,
       "a password after $path");
    is((ask($path, undef, @basic, @cookie, Authorization => $wrong))[0], 401,
       'which must be right');
    is((ask($path, undef, @cookie, 'X-To' => '/basic'))[0], 401, 'and there');
}

is((ask('/query/accel?t=good', undef, @basic, 'X-To' => '/asked'))[0], 200,
   'another location that is asked sees it');
like((ask('/query/accel?t=good', undef, @basic, 'X-To' => '/seen'))[1],
     qr/\|Bearer good\|\|\Q$right\E\|$/,
     'what a location sees, and what it passes on');
like((ask('/cookie/accel', undef, 'X-To' => '/seen/cookie', Cookie => 't=good'))[1],
     qr/^GET \/seen\/cookie\|\|\|good\|$/,
     "a cookie that was hidden upstream is there for the next location's variables");
like((ask('/hidden/accel', 'good', 'X-To' => '/seen'))[1],
     qr/^GET \/seen\|\|\|Bearer good\|$/, 'hidden tokens stay hidden upstream');
like((ask('/hidden/accel', 'good', 'X-To' => '/again'))[1],
     qr/\|Bearer good\|/, 'but where it is forwarded again');
like((ask('/query/page?t=good', undef, Authorization => $right))[1],
     qr/^GET \/seen\|Bearer good\|\|\Q$right\E\|$/, 'a part of a page');

done_testing();
