# Upstream gets the token that was reissued for its organisation, or nothing;
# the client's own never.

use lib 't/lib';
use AgilicusTest;
use JSON::PP ();
use MockAPI;
use MockUpstream;

# "parent-<sub>-<what>" is a token of a client, "child-<org>-<sub>-<what>" what
# it is reissued as.  "what" says how one of them goes wrong, if it does.

my $exp = time + 7200;

my %reissue = (
    'refused400' => 400,
    'refused403' => 403,
    'refused404' => 404,
    'refused422' => 422,
    'refused401' => 401,
    'gone410'    => 410,
    'down429'    => 429,
    'down500'    => 500,
    'down503'    => 503,
    'moved'      => { status => 307, headers => { Location => '/' } },
    'accepted'   => { status => 202, body => '{"token":"child-x-x-x"}' },
    'nothing'    => { status => 200, body => '' },
    'html'       => { status => 200, type => 'text/html', body => '<html>' },
    'list'       => { status => 200, body => '["child-x-x-x"]' },
    'nameless'   => { status => 200, body => '{"tokens":"child-x-x-x"}' },
    'number'     => { status => 200, body => '{"token":1}' },
    'null'       => { status => 200, body => '{"token":null}' },
    'empty'      => { status => 200, body => '{"token":""}' },
    'twice'      => { status => 200,
                      body => '{"token":"child-a-b-c","token":"child-a-b-d"}' },
    'spaced'     => { status => 200, body => '{"token":"child a"}' },
    'injected'   => { status => 200,
                      body => '{"token":"child\r\nX-Injected: 1"}' },
    'nul'        => { status => 200, body => '{"token":"child\u0000a"}' },
    'beyond'     => { status => 200, body => '{"token":"child-\u00e9"}' },
    'comma'      => { status => 200, body => '{"token":"child,other"}' },
    'cut'        => { status => 200, body => '{"token":"child-a-b-c"}',
                      cut => 12 },
    'large'      => { status => 200, body => '{"token":"' . 'x' x 300_000
                                             . '"}' },
    'long'       => { status => 200, body => '{"token":"' . 'x' x 70_000
                                             . '"}' },
    'silent'     => { hang => 1 },
    'reset'      => { reset => 1 },
    'zipped'     => { status => 200, body => "\x1f\x8b",
                      headers => { 'Content-Encoding' => 'gzip' } },
);

my %child = (
    'more'      => { token => { scopes => [ 'a', 'b', 'c' ] } },
    'optional'  => { token => { scopes => [ 'a?' ] } },
    'later'     => { token => { exp => $exp + 1 } },
    'endless'   => { token => { exp => undef } },
    'past'      => { token => { exp => time - 1 } },
    'odd'       => { token => { exp => 'soon' } },
    'ahead'     => { token => { nbf => time + 7200 } },
    'other'     => { token => { sub => 'somebody' } },
    'nobody'    => { token => { sub => undef } },
    'elsewhere' => { token => { org => 'home' } },
    'nowhere'   => { token => { org => undef } },
    'refresh'   => { token => { refresh_token_jti => 'x' } },
    'bound'     => { token => { cnf => { jkt => 'x' } } },
    'inactive'  => { token => { active => JSON::PP::false() } },
    'unknown'   => 404,
    'revoked'   => 410,
    'unasked'   => 403,
    'broken'    => 500,
    'garbled'   => { status => 200, body => '{' },
    'mute'      => { hang => 1 },
    'less'      => { token => { scopes => [ 'b' ], exp => $exp - 1 } },
    'none'      => { token => { scopes => undef } },
);


sub introspect {
    my ($request) = @_;

    my ($kind, $org, $sub, $what) = $request->{token} =~
        /^(parent|target|child)(?:-([^-]+))??-([^-]+)-([^-]+)$/
        or return 404;

    $org =~ s/_([0-9a-f]+)\./chr hex $1/ge if defined $org;

    my $bad = $kind eq 'child' && $child{$what} || {};

    return $bad if !ref $bad || !$bad->{token} && %$bad;

    return { token => {
        sub     => $sub,
        org     => defined $org ? $org : 'home',
        jti     => "jti-$request->{token}",
        session => "session-$what",
        scopes  => [ 'a', 'b' ],
        exp     => $what eq 'forever' ? undef : $exp,
        %{ $bad->{token} || {} },
    } };
}


sub reissue {
    my ($request) = @_;

    my $body = JSON::PP->new->utf8->decode($request->{body});
    my (undef, $sub, $what) = split /-/, $body->{token};

    return $reissue{$what} if $reissue{$what};

    $body->{org_id} =~ s/([^A-Za-z0-9])/sprintf '_%x.', ord $1/ge;

    return { status => 200,
             json => { token => $what eq 'same' ? $body->{token}
                                : "child-$body->{org_id}-$sub-$what" } };
}


my $mock = MockAPI->start(
    default => \&introspect,
    paths => { 'POST /v1/tokens/reissue' => \&reissue },
);

my $app = MockUpstream->start(name => 'APP');

stop_with_tests($mock, $app,
                MockUpstream->start(name => 'FCGI', type => 'fastcgi'),
                MockUpstream->start(name => 'UWSGI', type => 'uwsgi'));
free_port('GRPC_PORT');
secrets('parent-', 'child-');

my $http_config = <<'EOC';
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_timeout $TEST_NGINX_API_TIMEOUT;
    agilicus_token_api_breaker off;
    agilicus_token_api_rate off;

    # gRPC as HTTP/2, handed on in a form that can be read

    server {
        listen 127.0.0.1:$TEST_NGINX_GRPC_PORT http2;
        location / { proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT; }
    }

    # what the variables say that have a value of their own, not the list's

    map $uri $echo {
        default "auth=$http_authorization; cookie=$http_cookie; referer=$http_referer; agent=$http_user_agent; via=$http_via; for=$http_x_forwarded_for; sid=$cookie_sid; other=$cookie_other; args=$args; uri=$request_uri; request=$request; upstream=$agilicus_token_upstream";
    }
EOC

my $config = <<'EOC';
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
    location /calls/ {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT/_calls;
        rewrite ^/calls/([a-z]+)/(.*) /_calls?path=/v1/tokens/$1&token=$2 break;
    }
    location /r {
        agilicus_token on;
        agilicus_token_source header cookie=sid query=access_token;
        agilicus_token_reissue north;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        location /r/south {
            agilicus_token_reissue south;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /r/home {
            agilicus_token_reissue home;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /r/fastcgi {
            fastcgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_URI $request_uri;
        }
        location /r/uwsgi {
            uwsgi_pass 127.0.0.1:$TEST_NGINX_UWSGI_PORT;
            uwsgi_param QUERY_STRING $query_string;
            uwsgi_param REQUEST_URI $request_uri;
        }
        location /r/grpc {
            grpc_pass grpc://127.0.0.1:$TEST_NGINX_GRPC_PORT;
        }
        location /r/bare {
            proxy_pass_request_headers off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /r/echo {
            proxy_set_header X-Echo $echo;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
    }
EOC

no_root_location();

# "--- steps" is a request a line:
#
#   <method> <path> <token> <status> <verdict>/<reason> <upstream> | <header> ...
#
# "-" for none.  What upstream saw must have the token named there as its one
# Authorization (or none), and the client's nowhere, be it that of the step or
# one that begins with "parent-".  Or "calls <operation> <token> <n>".

allow_section('steps');

add_block_preprocessor(sub {
    my ($block) = @_;

    my $more = $block->http_config;
    my $own = $block->config;

    $block->set_value(http_config => $http_config
                                     . (defined $more ? $more : ''));
    $block->set_value(config => $config . (defined $own ? $own : ''));

    my (@request, @headers, @code, @why, @body);

    for my $line (split /\n/, defined $block->steps ? $block->steps : '') {
        my ($main, @more) = split / \| /, $line;
        my ($method, $path, $token, $status, $why, $upstream) =
            split ' ', $main;

        push @why, defined $why && $why ne '-' ? "X-Why: $why" : '';

        if ($method eq 'calls') {
            push @request, "GET /calls/$path/$token";
            push @headers, '';
            push @code, 200;
            push @body, "\\A$status\n\\z";
            next;
        }

        push @request, "$method $path";
        push @headers, join "\n", $token eq '-' ? ()
                                  : "Authorization: Bearer $token", @more;
        push @code, $status;
        push @body, $status != 200 ? $status : '\A(?!(?s:.*(?:parent|target)-))'
            . (!defined $upstream || $upstream eq '-'
               ? '(?!(?si:.*authorization: ))'
               : "(?!(?si:.*authorization: .*^\\S*authorization: ))(?si:.*)"
                 . "^(?i:HTTP_)?(?i:authorization): Bearer \Q$upstream\E\r?\$");
    }

    return if !@request;

    $block->set_value(request => \@request);
    $block->set_value(more_headers => \@headers);
    $block->set_value(error_code => \@code);
    $block->set_value(response_headers => \@why);
    $block->set_value(response_body_like => [ map { qr/$_/m } @body ]);
});

# the module does not ask again for a token that it has: each block runs once

repeat_each(1);
plan tests => blocks() * 2 + 410;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: upstream gets the reissued token, and the same one again
--- steps
GET /r parent-u1-first          200 active/ child-north-u1-first
GET /r parent-u1-first          200 active/ child-north-u1-first
calls reissue parent-u1-first           1
calls introspect child-north-u1-first   1
calls introspect parent-u1-first        1



=== TEST 2: each organisation has a token of its own
--- steps
GET /r parent-u1-both           200 active/ child-north-u1-both
GET /r/south parent-u1-both     200 active/ child-south-u1-both
GET /r parent-u1-both           200 active/ child-north-u1-both
calls reissue parent-u1-both            2
calls introspect parent-u1-both         1



=== TEST 3: each token has one of its own
--- steps
GET /r parent-u1-mine           200 active/ child-north-u1-mine
GET /r parent-u2-mine           200 active/ child-north-u2-mine
GET /r parent-u1-mine           200 active/ child-north-u1-mine
calls reissue parent-u1-mine            1
calls reissue parent-u2-mine            1



=== TEST 4: whatever way upstream is spoken to
--- steps
GET /r/fastcgi parent-u1-fcgi   200 active/ child-north-u1-fcgi
GET /r/uwsgi parent-u1-uwsgi    200 active/ child-north-u1-uwsgi
POST /r/grpc parent-u1-grpc     200 active/ child-north-u1-grpc
GET /r/fastcgi?a=1 - 200 active/ child-north-u1-fcgi | Cookie: a=1; sid=parent-u1-fcgi; b=2
GET /r/uwsgi?a=1 - 200 active/ child-north-u1-uwsgi | Cookie: sid=parent-u1-uwsgi
POST /r/grpc?a=1 - 200 active/ child-north-u1-grpc | Cookie: sid=parent-u1-grpc
GET /r/fastcgi?access_token=parent-u1-fcgi&a=1 - 200 active/ child-north-u1-fcgi
GET /r/uwsgi?a=1&access_token=parent-u1-uwsgi - 200 active/ child-north-u1-uwsgi
POST /r/grpc?access_token=parent-u1-grpc - 200 active/ child-north-u1-grpc



=== TEST 5: a cookie with the token goes, others stay
--- request
GET /r/echo?x=1
--- more_headers
Cookie: a=1; sid=parent-u5-cookie; b=2
--- response_body_like eval
qr/\A(?!(?s:.*parent-))(?s:.*)^X-Echo: auth=Bearer child-north-u5-cookie; cookie=a=1; b=2; .*sid=; (?s:.*)^Cookie: a=1; b=2\r$/m
--- no_error_log
[error]



=== TEST 6: an argument with the token goes, others stay
--- request
GET /r/echo?a=%41&access_token=parent-u6-query&b
--- response_body_like eval
qr/\A(?!(?s:.*parent-))GET \/r\/echo\?a=%41&b HTTP(?s:.*)^X-Echo: .*args=a=%41&b; uri=\/r\/echo\?a=%41&b; request=GET \/r\/echo\?a=%41&b HTTP\/1.1; upstream=child-north-u6-query\r$/m
--- no_error_log
[error]



=== TEST 7: credentials of another kind give way to the new token
--- steps
GET /r - 200 active/ child-north-u7-basic | Authorization: Basic cGFyZW50 | Cookie: sid=parent-u7-basic



=== TEST 8: a field that repeats the token is not passed on
--- steps
GET /r parent-u8-repeated 200 active/ child-north-u8-repeated | X-Token: parent-u8-repeated | X-Copy: a=parent-u8-repeated;
GET /r parent-u8-repeated 200 active/ child-north-u8-repeated | Proxy-Authorization: Bearer parent-u8-repeated
GET /r parent-u8-repeated 200 active/ child-north-u8-repeated | Referer: https://example.com/?access_token=parent-u8-repeated
GET /r/grpc parent-u8-repeated 200 active/ child-north-u8-repeated | Referer: parent-u8-repeated
GET /r/uwsgi parent-u8-repeated 200 active/ child-north-u8-repeated | Referer: parent-u8-repeated
GET /r/fastcgi parent-u8-repeated 200 active/ child-north-u8-repeated | Referer: parent-u8-repeated



=== TEST 9: nor what a variable says of such a field
--- steps
GET /r/echo parent-u9-variable 200 active/ child-north-u9-variable | Referer: parent-u9-variable
GET /r/echo parent-u9-variable 200 active/ child-north-u9-variable | User-Agent: parent-u9-variable
GET /r/echo parent-u9-variable 200 active/ child-north-u9-variable | Via: 1.1 parent-u9-variable
GET /r/echo parent-u9-variable 200 active/ child-north-u9-variable | X-Forwarded-For: parent-u9-variable



=== TEST 10: nor a cookie of another name
--- steps
GET /r parent-u10-stray 200 active/ child-north-u10-stray | Cookie: a=1; other=parent-u10-stray; b=2
GET /r/echo parent-u10-stray 200 active/ child-north-u10-stray | Cookie: other=parent-u10-stray
GET /r/uwsgi parent-u10-stray 200 active/ child-north-u10-stray | Cookie: a=1 | Cookie: other="parent-u10-stray"
GET /r/echo - 200 active/ child-north-u10-stray | Cookie: sid=parent-u10-stray; other=parent-u10-stray



=== TEST 11: a target that repeats the token is refused
--- steps
GET /r?copy=target-u11-target target-u11-target 400 malformed/multiple
GET /r/target-u11-target target-u11-target 400 malformed/multiple
GET /r/%74arget-u11-target target-u11-target 400 malformed/multiple
GET /r?access_token=target-u11-target&b=target-u11-target - 400 malformed/multiple
GET /r?copy=target-u11-target - 400 malformed/multiple | Cookie: sid=target-u11-target



=== TEST 12: a bearer token in a place that is not looked at is not passed on
--- config
    location /c {
        agilicus_token on;
        agilicus_token_source cookie=sid;
        agilicus_token_reissue north;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /c parent-u12-unread 200 active/ child-north-u12-read | Cookie: sid=parent-u12-read
GET /r parent-u12-head 400 malformed/multiple | Cookie: sid=parent-u12-head



=== TEST 13: with its headers off, upstream gets none
--- steps
GET /r/bare parent-u13-bare     200 active/ -



=== TEST 14: what the API does not reissue is forbidden, and remembered
--- steps
GET /r parent-u14-refused400    403 forbidden/reissue
GET /r parent-u14-refused403    403 forbidden/reissue
GET /r parent-u14-refused404    403 forbidden/reissue
GET /r parent-u14-refused422    403 forbidden/reissue
GET /r parent-u14-refused403    403 forbidden/reissue
calls reissue parent-u14-refused400     1
calls reissue parent-u14-refused403     1
calls reissue parent-u14-refused404     1
calls introspect parent-u14-refused403  1
--- no_error_log
[error]



=== TEST 15: a parent that the API has revoked is revoked here
--- steps
GET /r parent-u15-gone410       401 revoked/revoked
GET /r parent-u15-gone410       401 revoked/revoked
calls reissue parent-u15-gone410        1



=== TEST 16: an API that refuses, or cannot answer, is not the client's fault
--- steps
GET /r parent-u16-refused401    503 unavailable/credential
GET /r parent-u16-down429       503 unavailable/throttled
GET /r parent-u16-down500       503 unavailable/status
GET /r parent-u16-down503       503 unavailable/status
GET /r parent-u16-moved         503 unavailable/status
GET /r parent-u16-accepted      503 unavailable/status
GET /r parent-u16-reset         503 unavailable/transport
GET /r parent-u16-silent        503 unavailable/timeout
GET /r parent-u16-down503       503 unavailable/status
calls reissue parent-u16-down503        2



=== TEST 17: what is no token is no answer
--- steps
GET /r parent-u17-nothing       503 unavailable/answer
GET /r parent-u17-html          503 unavailable/answer
GET /r parent-u17-list          503 unavailable/answer
GET /r parent-u17-nameless      503 unavailable/answer
GET /r parent-u17-number        503 unavailable/answer
GET /r parent-u17-null          503 unavailable/answer
GET /r parent-u17-empty         503 unavailable/answer
GET /r parent-u17-twice         503 unavailable/answer
GET /r parent-u17-spaced        503 unavailable/answer
GET /r parent-u17-injected      503 unavailable/answer
GET /r parent-u17-nul           503 unavailable/answer
GET /r parent-u17-beyond        503 unavailable/answer
GET /r parent-u17-comma         503 unavailable/answer
GET /r parent-u17-cut           503 unavailable/transport
GET /r parent-u17-large         503 unavailable/answer
GET /r parent-u17-long          503 unavailable/answer
GET /r parent-u17-zipped        503 unavailable/answer



=== TEST 18: a token that is good for more than its parent is refused
--- steps
GET /r parent-u18-more          403 forbidden/reissue
GET /r parent-u18-optional      403 forbidden/reissue
GET /r parent-u18-later         403 forbidden/reissue
GET /r parent-u18-endless       403 forbidden/reissue
GET /r parent-u18-more          403 forbidden/reissue
calls reissue parent-u18-more           1



=== TEST 19: and one that is not the one that was asked for
--- steps
GET /r parent-u19-other         403 forbidden/reissue
GET /r parent-u19-elsewhere     403 forbidden/reissue
GET /r parent-u19-nowhere       403 forbidden/reissue
GET /r parent-u19-same          403 forbidden/reissue
GET /r/home parent-u19a-same    403 forbidden/reissue



=== TEST 20: and one that is good for nothing; one not known yet may be soon
--- steps
GET /r parent-u20-past          403 forbidden/reissue
GET /r parent-u20-odd           403 forbidden/reissue
GET /r parent-u20-ahead         403 forbidden/reissue
GET /r parent-u20-refresh       403 forbidden/reissue
GET /r parent-u20-bound         403 forbidden/reissue
GET /r parent-u20-inactive      403 forbidden/reissue
GET /r parent-u20-unknown       503 unavailable/status
GET /r parent-u20-revoked       403 forbidden/reissue



=== TEST 21: a token that the API cannot speak of is not used
--- steps
GET /r parent-u21-broken        503 unavailable/status
GET /r parent-u21-garbled       503 unavailable/answer
GET /r parent-u21-unasked       503 unavailable/credential
GET /r parent-u21-mute          503 unavailable/timeout
GET /r parent-u21-nobody        503 unavailable/answer
GET /r parent-u21-broken        503 unavailable/status
calls reissue parent-u21-broken             1
calls introspect child-north-u21-broken     2



=== TEST 22: less than its parent is what it should be
--- steps
GET /r parent-u22-less          200 active/ child-north-u22-less
GET /r parent-u22-none          200 active/ child-north-u22-none
GET /r parent-u22-forever       200 active/ child-north-u22-forever



=== TEST 23: what the location requires comes first
--- config
    location /r/strict {
        agilicus_token on;
        agilicus_token_reissue north;
        agilicus_token_require_scopes c;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /r/strict parent-u23-strict 403 forbidden/scope
GET /r/strict -                 401 missing/no_token
GET /r/strict broken-u23-strict 401 invalid/unknown
calls reissue parent-u23-strict         0
calls reissue broken-u23-strict         0



=== TEST 24: the organisation may be a variable, and an empty one refuses
--- config
    location /v {
        agilicus_token on;
        agilicus_token_reissue $arg_org;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location /v/mixed {
        agilicus_token on;
        agilicus_token_reissue "org.$arg_org";
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /v?org=east parent-u24-variable     200 active/ child-east-u24-variable
GET /v?org=west parent-u24-variable     200 active/ child-west-u24-variable
GET /v parent-u24-variable              403 forbidden/reissue
GET /v?org= parent-u24-variable         403 forbidden/reissue
GET /v/mixed?org=1 parent-u24-variable  200 active/ child-org_2e.1-u24-variable
calls reissue parent-u24-variable       3



=== TEST 25: what is in the organisation adds nothing to the question
--- config
    location /v {
        agilicus_token on;
        agilicus_token_reissue $http_x_org;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /v parent-u25-odd1 200 active/ child-a_22._2c._22.org_5f.id_22._3a._22.b_5c.-u25-odd1 | X-Org: a","org_id":"b\
GET /v parent-u25-odd2 200 active/ child-a_9.b-u25-odd2 | X-Org: a	b
GET /v parent-u25-odd3 200 active/ child-a_2c.b-u25-odd3 | X-Org: a,b



=== TEST 26: an error page is for the client, and shows no token
--- config
    location /e {
        error_page 401 403 503 /page;
        agilicus_token on;
        agilicus_token_reissue north;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location = /page {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        proxy_set_header X-Upstream "<$agilicus_token_upstream>";
    }
--- request eval
["GET /e", "GET /e", "GET /e"]
--- more_headers eval
["", "Authorization: Bearer parent-u26-refused403",
 "Authorization: Bearer parent-u26-more"]
--- error_code eval
[401, 403, 403]
--- response_body_like eval
["X-Upstream: <>\r\n", "X-Upstream: <>\r\n", "X-Upstream: <>\r\n"]



=== TEST 27: a redirect inside goes by the location that it ends in
--- config
    location = /x/to_south {
        agilicus_token on;
        agilicus_token_reissue north;
        error_page 502 = /r/south;
        proxy_pass http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
    }
    location = /x/to_none {
        agilicus_token on;
        agilicus_token_reissue north;
        error_page 502 = /x/none;
        proxy_pass http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
    }
    location = /x/none {
        agilicus_token on;
        agilicus_token_forward off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location = /x/named {
        agilicus_token on;
        agilicus_token_reissue north;
        try_files /nowhere @south;
    }
    location @south {
        agilicus_token on;
        agilicus_token_reissue south;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /x/to_south parent-u27-redirected   200 active/ child-south-u27-redirected
GET /x/to_none parent-u27-redirected    200 active/ -
GET /x/named parent-u27-redirected      200 active/ child-south-u27-redirected



=== TEST 28: where it is forwarded again, it is the client's own
--- config
    location = /x/own {
        agilicus_token on;
        agilicus_token_reissue north;
        error_page 502 = /x/forwarded;
        proxy_pass http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
    }
    location = /x/cookie {
        agilicus_token on;
        agilicus_token_source cookie=sid;
        agilicus_token_reissue north;
        error_page 502 = /x/forwarded;
        proxy_pass http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
    }
    location = /x/hidden {
        agilicus_token on;
        agilicus_token_forward off;
        error_page 502 = /x/forwarded;
        proxy_pass http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
    }
    location = /x/forwarded {
        agilicus_token on;
        agilicus_token_source header cookie=sid;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- request eval
["GET /x/own", "GET /x/cookie", "GET /x/hidden"]
--- more_headers eval
["Authorization: Bearer parent-u28-own", "Cookie: sid=parent-u28-cookie",
 "Authorization: Bearer parent-u28-hidden"]
--- error_code eval
[200, 200, 200]
--- response_body_like eval
[qr/\A(?!(?s:.*child-))(?s:.*)^Authorization: Bearer parent-u28-own\r$/m,
 qr/\A(?!(?s:.*child-))/,
 qr/\A(?!(?s:.*child-))(?s:.*)^Authorization: Bearer parent-u28-hidden\r$/m]



=== TEST 29: a part of a page is reissued for by its own location
--- config
    location = /ssi {
        agilicus_token on;
        agilicus_token_reissue north;
        ssi on;
        ssi_types text/plain;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/ssi.txt;
    }
    location = /ssi.txt {
        return 200 '<!--# include virtual="/r/south" -->|<!--# include virtual="/r" -->';
    }
--- request
GET /ssi
--- more_headers
Authorization: Bearer parent-u29-part
--- response_body_like eval
qr/\A(?!(?s:.*parent-))(?s:.*)^Authorization: Bearer child-south-u29-part\r\n(?s:.*)\|(?s:.*)^Authorization: Bearer child-north-u29-part\r\n/m
--- no_error_log
[error]



=== TEST 30: who is let in without a good token takes none upstream
--- config
    location /any {
        satisfy any;
        allow 127.0.0.1;
        deny all;
        agilicus_token on;
        agilicus_token_source header query=access_token;
        agilicus_token_reissue north;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /any -                              200 missing/no_token -
GET /any parent-u30-1-2-3             200 invalid/unknown -
GET /any?access_token=parent-u30-4-5-6 - 200 invalid/unknown -
GET /any parent-u30-any                 200 active/ child-north-u30-any



=== TEST 31: without a cache each request has one reissued
--- config
    location /off {
        agilicus_token on;
        agilicus_token_cache off;
        agilicus_token_reissue north;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /off parent-u31-uncached            200 active/ child-north-u31-uncached
GET /off parent-u31-uncached            200 active/ child-north-u31-uncached
calls reissue parent-u31-uncached           2
calls introspect child-north-u31-uncached   2



=== TEST 32: a question under way is of one kind and one context
--- http_config
    agilicus_token_zone other:1m;
--- config
    location /z {
        agilicus_token on;
        agilicus_token_cache other;
        agilicus_token_reissue north;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /r parent-u32-zones                 200 active/ child-north-u32-zones
GET /z parent-u32-zones                 200 active/ child-north-u32-zones
calls reissue parent-u32-zones          2



=== TEST 33: the variable names what goes upstream, and nothing else
--- config
    location /f {
        agilicus_token on;
        agilicus_token_source header query=access_token;
        agilicus_token_forward off;
        proxy_set_header X-Upstream "<$agilicus_token_upstream>";
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location /f/on {
        agilicus_token on;
        agilicus_token_source header query=access_token;
        proxy_set_header X-Upstream "<$agilicus_token_upstream>";
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location /f/none {
        agilicus_token off;
        proxy_set_header X-Upstream "<$agilicus_token_upstream>";
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- request eval
["GET /f", "GET /f/on", "GET /f/on?access_token=parent-u33-query", "GET /f/none",
 "GET /r/echo"]
--- more_headers eval
["Authorization: Bearer parent-u33-value",
 "Authorization: Bearer parent-u33-value",
 "",
 "Authorization: Bearer parent-u33-value",
 "Authorization: Bearer parent-u33-value"]
--- error_code eval
[200, 200, 200, 200, 200]
--- response_body_like eval
[qr/\A(?!(?s:.*parent-))(?s:.*)X-Upstream: <>\r/,
 qr/X-Upstream: <parent-u33-value>\r(?s:.*)Authorization: Bearer parent-u33-value\r/,
 qr/\A(?!.*parent-)(?s:.*)X-Upstream: <parent-u33-query>\r(?s:.*)Authorization: Bearer parent-u33-query\r/,
 qr/X-Upstream: <>\r/,
 qr/upstream=child-north-u33-value\r/]



=== TEST 34: what is not forwarded is in no other place
--- config
    location /f {
        agilicus_token on;
        agilicus_token_source header cookie=sid query=access_token;
        agilicus_token_forward off;
        proxy_set_header X-Echo $echo;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- steps
GET /f parent-u34-hidden                200 active/ -
GET /f parent-u34-hidden                200 active/ - | Referer: parent-u34-hidden
GET /f parent-u34-hidden                200 active/ - | Cookie: other=parent-u34-hidden
GET /f - 200 active/ - | Cookie: sid=parent-u34-hidden; a=1
GET /f?access_token=parent-u34-hidden - 200 active/ -
GET /f?a=target-u34-hidden target-u34-hidden 400 malformed/multiple



=== TEST 35: Basic credentials are not a token, and stay
--- config
    location /f {
        agilicus_token on;
        agilicus_token_source cookie=sid;
        agilicus_token_forward off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- request
GET /f
--- more_headers
Cookie: sid=parent-u35-cookie
Authorization: Basic dTpw
--- response_body_like eval
qr/\A(?!(?s:.*parent-))(?s:.*)^Authorization: Basic dTpw\r$/m
--- no_error_log
[error]



=== TEST 36: a name beyond ASCII is that name, and bytes that are no text none
--- config
    location /v {
        agilicus_token on;
        agilicus_token_reissue $http_x_org;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
--- request eval
["GET /v", "GET /v", "GET /v", "GET /calls/reissue/parent-u36-text"]
--- more_headers eval
["Authorization: Bearer parent-u36-text\nX-Org: Qu\xc3\xa9bec",
 "Authorization: Bearer parent-u36-text\nX-Org: Qu\xe9bec",
 "Authorization: Bearer parent-u36-text\nX-Org: \xed\xa0\x80", ""]
--- error_code eval
[200, 403, 403, 200]
--- response_headers eval
["X-Why: active/", "X-Why: forbidden/reissue", "X-Why: forbidden/reissue", ""]
--- response_body_like eval
["Bearer child-Qu_e9.bec-u36-text\r\n", "403", "403", "^1\$"]
