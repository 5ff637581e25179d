use strict;
use warnings;

# Tokens for upstream, by the ways on which another one could get there: what
# variables remember, parts of pages, copies, redirects, other modules that let
# a request in first; and tokens that are denied on their own.

use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use HttpMessage;
use MockAPI;
use MockUpstream;
use NginxControl;
use NginxProcess;
use TestPorts;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;
my $exp = int time + 3600;


# "parent-<what>-token", "child-<org>-<what>-token<n>": what is said of a child
# depends on "what", and so does whether each has another number

my %scopes = (
    text   => 'a b c',
    mixed  => [ 'a', 7 ],
    object => { a => JSON::PP::true() },
    number => 1,
);

my ($n, %asked) = (0);


sub introspect {
    my ($request) = @_;

    my ($kind, $org, $what) =
        $request->{token} =~ /^(parent|child)(?:-([^-]+))??-([^-]+)-token\d*$/
        or return 404;

    my $looked = ++$asked{ $request->{token} };

    return 410 if $kind eq 'child' && $what eq 'ends' && $looked > 1;
    return 404 if $kind eq 'child' && $what eq 'late' && $looked == 1;

    return { token => {
        sub    => 'user',
        org    => defined $org ? $org : 'home',
        jti    => "jti-$request->{token}",
        scopes => $kind eq 'child' && $scopes{$what} || [ 'a', 'b' ],
        exp    => $what eq 'ends' ? undef : $exp,
    } };
}


sub reissue {
    my ($request) = @_;

    my $body = $json->decode($request->{body});
    my ($what) = $body->{token} =~ /^parent-([^-]+)-/;

    return { status => 200, json => { token => "child-$body->{org_id}-$what-"
             . 'token' . ($what =~ /^(?:same|ends|late)$/ ? 0 : ++$n) } };
}


my $mock = MockAPI->start(
    default => \&introspect,
    paths   => { 'POST /v1/tokens/reissue' => \&reissue },
);

my $app = MockUpstream->start(name => 'APP');
my $fcgi = MockUpstream->start(name => 'FCGI', type => 'fastcgi');

$ENV{TEST_NGINX_CLOSED_PORT} = TestPorts::free_port();

# A module that is loaded after ours is asked before us: this one lets in each
# client that asks for it.

my $first = <<'EOC';
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

static ngx_int_t
first_handler(ngx_http_request_t *r)
{
    return ngx_strstr(r->headers_in.user_agent
                      ? (char *) r->headers_in.user_agent->value.data : "",
                      "let me in")
           ? NGX_OK : NGX_DECLINED;
}

static ngx_int_t
first_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    *h = first_handler;

    return NGX_OK;
}

static ngx_http_module_t  first_ctx = {
    NULL, first_init, NULL, NULL, NULL, NULL, NULL, NULL
};

ngx_module_t  first_module = {
    NGX_MODULE_V1, &first_ctx, NULL, NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NGX_MODULE_V1_PADDING
};

ngx_module_t  *ngx_modules[] = { &first_module, NULL };
char  *ngx_module_names[] = { "first_module", NULL };
char  *ngx_module_order[] = { NULL };
EOC


sub compile {
    my ($dir) = @_;

    my $build = $ENV{BUILD} || 'build';
    my $src = $ENV{NGINX_SRC} || '/usr/share/nginx/src';
    my $cc = $ENV{CC} || 'cc';

    open my $fh, '>', "$dir/first.c" or die "$dir/first.c: $!\n";
    print $fh $first;
    close $fh;

    my $include = join ' ', map { "-I'$src/src/$_'" }
        qw(core event event/modules os/unix http http/modules http/v2);

    $build = dirname($ENV{AGILICUS_MODULE})
        if defined $ENV{AGILICUS_MODULE};

    my $command = "$cc -shared -fPIC -I'$build' $include "
                  . "-o '$dir/first.so' '$dir/first.c'";
    my $output = `$command 2>&1`;

    die "$cc: $output\n" if !-e "$dir/first.so";

    return "$dir/first.so";
}


my $tmp = tempdir(CLEANUP => 1);
my $module = compile($tmp);

my $any = <<'EOC';
        location /any/ {
            satisfy any;
            deny all;
            agilicus_token on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
            location /any/reissue {
                agilicus_token_reissue north;
                    proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
            }
            location /any/hidden {
                agilicus_token_forward off;
                    proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
            }
        }
EOC

my $nginx = NginxProcess->new(
    main => "load_module $module;",
    http => <<"EOC",
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        agilicus_token_api_timeout @{[ 2 * $slow ]}s;
        agilicus_token_source header cookie=sid query=access_token;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
        proxy_cache_path \$TEST_NGINX_PREFIX/cache keys_zone=pages:1m;
        map \$http_authorization \$mapped {
            "~^Bearer (?<bare>.+)" \$bare;
            default none;
        }
        map "\$http_cookie \$cookie_sid" \$cookies { default "\$cookie_sid"; }
EOC
    config => <<'EOC'
        set $early "$http_authorization $http_cookie $mapped $cookies";
        location /early {
            agilicus_token on;
            agilicus_token_reissue north;
            proxy_set_header X-Authorization $http_authorization;
            proxy_set_header X-Cookie "$http_cookie $cookie_sid";
            proxy_set_header X-Mapped "$mapped $bare $cookies";
            proxy_set_header X-Set "$early";
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
            location /early/fastcgi {
                fastcgi_param X_AUTHORIZATION $http_authorization;
                fastcgi_param X_COOKIE "$http_cookie $cookie_sid";
                fastcgi_param X_MAPPED "$mapped $bare $cookies";
                fastcgi_param X_SET $early;
                fastcgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
            }
            location /early/request {
                auth_request /asked;
                proxy_set_header Authorization $http_authorization;
                proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
            }
        }
        location = /asked {
            internal;
            proxy_set_header Authorization $http_authorization;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /hidden {
            agilicus_token on;
            agilicus_token_forward off;
            proxy_set_header X-Authorization $http_authorization;
            proxy_set_header X-Cookie "$http_cookie $cookie_sid";
            proxy_set_header X-Mapped "$mapped $bare $cookies";
            proxy_set_header X-Set "$early";
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /south {
            agilicus_token on;
            agilicus_token_reissue south;
            proxy_set_header X-Authorization $http_authorization;
            proxy_set_header X-Upstream $agilicus_token_upstream;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /short {
            agilicus_token on;
            agilicus_token_reissue south;
            agilicus_token_cache_valid active=1s watched=1s invalid=1s;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /cached {
            agilicus_token on;
            agilicus_token_reissue south;
            proxy_set_header X-Upstream $agilicus_token_upstream;
            proxy_cache pages;
            proxy_cache_key $uri;
            proxy_cache_valid 200 1s;
            proxy_cache_use_stale updating;
            proxy_cache_background_update on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /free { proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT; }
        location /page/ {
            agilicus_token on;
            agilicus_token_reissue north;
            proxy_set_header X-Authorization $http_authorization;
            proxy_set_header X-Upstream $agilicus_token_upstream;
            ssi on;
            ssi_types text/plain;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/text/;
        }
        location = /text/south {
            return 200 '<!--# include virtual="/south" -->';
        }
        location = /text/free {
            return 200 '<!--# include virtual="/free" -->';
        }
        location = /text/cached {
            return 200 '<!--# include virtual="/cached" -->';
        }
        location = /moved/path {
            agilicus_token on;
            agilicus_token_reissue north;
            error_page 502 = /free;
            proxy_pass http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
        }
        location = /moved/named {
            agilicus_token on;
            agilicus_token_reissue north;
            error_page 502 = @free;
            proxy_pass http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
        }
        location = /moved/hidden {
            agilicus_token on;
            agilicus_token_forward off;
            error_page 502 = /free;
            proxy_pass http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
        }
        location @free { proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT; }
        location = /hook { agilicus_token_revocation_hook trusted; }
        location = /revoke { agilicus_token_revoke; }
EOC
    . $any,
);

$nginx->start;


sub ask {
    my ($path, $token, @headers) = @_;

    return $nginx->get($path, headers => [
        defined $token ? (Authorization => "Bearer $token") : (), @headers ]);
}


sub why { return HttpMessage::header($_[0], 'X-Why') }
sub child { return ($_[0]{body} =~ /Bearer (child-[-\w]+)/)[0] }


sub deny {
    return $nginx->request(POST => '/hook', body => $json->encode({ @_ }),
        headers => { 'Content-Type' => 'application/json' })->{status};
}


# all that reached upstream of any token

sub only {
    my ($title, $res, @expected) = @_;

    my %seen;

    $seen{ $1 =~ s/\d+$//r }++ while $res->{body} =~ /((?:parent|child)-[-\w]+)/g;

    is($res->{status}, 200, "$title: served");
    is_deeply([ sort keys %seen ], \@expected,
              '... with ' . (@expected ? "@expected" : 'no token'));
}


subtest 'a value that was read before does not go upstream' => sub {
    for my $path ('/early', '/early/fastcgi', '/early/request') {
        my $res = ask($path, 'parent-one-token');

        only($path, $res, 'child-north-one-token');

        my @got = $res->{body} =~
            /^\S*AUTHORIZATION: Bearer child-north-one-token\d+\r?$/gmi;

        cmp_ok(scalar @got, '>=', 1, '... as its credentials');

        only("$path, cookie", ask($path, undef,
             Cookie => 'sid=parent-two-token; a=1'), 'child-north-two-token');
        only("$path, query", ask("$path?access_token=parent-two-token"),
             'child-north-two-token');
    }

    like(ask('/early', 'parent-one-token')->{body},
         qr/^X-Mapped: child-north-one-token/m, 'a map is read anew');

    only('not forwarded', ask('/hidden', 'parent-one-token'));
    only('nor of a cookie', ask('/hidden', undef,
         Cookie => 'sid=parent-one-token'));
    only('a cookie of another name', ask('/hidden', 'parent-one-token',
         Cookie => 'other=parent-one-token'));
};


subtest 'a page and its parts' => sub {
    only('a part', ask('/page/south', 'parent-page-token'),
         'child-south-page-token');
    only('one where nothing is enforced',
         ask('/page/free', 'parent-page-token'));

    # a copy that nginx has brought up to date behind the client's back

    only('one that is kept', ask('/page/cached', 'parent-page-token'),
         'child-south-page-token');

    sleep 2.1;

    my $until = time + 5 * $slow;
    my $old = ask('/page/cached', 'parent-later-token')->{body};
    my $new = $old;

    while ($new eq $old && time < $until) {
        $new = ask('/page/cached', 'parent-later-token')->{body};
    }

    only('... and is refreshed', { status => 200, body => $new },
         'child-south-later-token');
};


subtest 'what one location was given is for no other' => sub {
    only("/moved/$_", ask("/moved/$_", 'parent-one-token'))
        for qw(path named hidden);

    only('without a redirect', ask('/free', 'parent-one-token'),
         'parent-one-token');
};


subtest 'an argument that says it in other words' => sub {
    for my $arg ('a=p%61rent-one-token', '%70%61%72%65%6e%74-one-token',
                 'x=%&a=parent-one%2Dtoken')
    {
        my $res = ask("/south?$arg", 'parent-one-token');

        is($res->{status}, 400, $arg =~ s/parent/p/r);
        is(why($res), 'malformed/multiple', '... is refused');
    }

    is(ask('/south?a=p%61rent-o', 'parent-one-token')->{status}, 200,
       'another is not');
};


subtest 'scopes that cannot be read are not less' => sub {
    for my $what (sort keys %scopes) {
        my $res = ask('/south', "parent-$what-token");

        is($res->{status}, 403, "$what: refused");
        is(why($res), 'forbidden/reissue', '... as no token of the parent\'s');
    }
};


subtest 'a token that is denied on its own' => sub {
    my $parent = 'parent-own-token';
    my $old = child(ask('/south', $parent));

    is(deny(jti => [ "jti-$old" ]), 204, 'by its jti');

    my $new = child(ask('/south', $parent));

    like($new || '', qr/^child-south-own-token\d+$/, '... another is made');
    isnt($new, $old, '... which is another');
    is(child(ask('/south', $parent)), $new, '... and kept');

    is($nginx->request(POST => '/revoke', headers => {
       Authorization => "Bearer $new" })->{status}, 204, 'or itself');
    isnt(child(ask('/south', $parent)), $new, '... the same');

    # an API that does not know better

    $parent = 'parent-same-token';
    $old = child(ask('/south', $parent));

    is(deny(jti => [ "jti-$old" ]), 204, 'and given again');

    my $res = ask('/south', $parent);

    is($res->{status}, 403, '... it is refused');
    is(why($res), 'forbidden/reissue', '... as if it were none');
    is(ask('/early', $parent)->{status}, 200, '... for that organisation');
};


subtest 'a token that is given again is looked at again' => sub {
    my $res = ask('/short', 'parent-ends-token');

    is(child($res), 'child-south-ends-token0', 'once');

    sleep 1.1;

    $res = ask('/short', 'parent-ends-token');

    is($res->{status}, 403, 'revoked since: refused');
    is(why($res), 'forbidden/reissue', '... as none of the parent\'s');

    $res = ask('/short', 'parent-late-token');

    is($res->{status}, 503, 'one that is not known yet');
    is(HttpMessage::header($res, 'Retry-After'), 1, '... is asked about again soon');
    is(ask('/short', 'parent-late-token')->{status}, 200,
       '... and is good as soon as it is known');
};


subtest 'where another module has let the client in' => sub {
    my @in = ('User-Agent' => 'let me in');

    only('a header is hidden', ask('/any/hidden', 'parent-any-token',
         @in));
    only('an argument too', ask('/any/hidden?access_token=parent-any-token',
         undef, @in));
    only('a cookie too', ask('/any/hidden', undef, @in,
         Cookie => 'sid=parent-any-token'));
    only('no child either', ask('/any/reissue', 'parent-any-token', @in));
    only('of none', ask('/any/reissue?a=1&access_token=parent-any-token', undef,
         @in));

    my $res = ask('/any/?access_token=parent-any-token&a=1', undef, @in);

    unlike($res->{body}, qr/access_token/, 'an argument is cut');
    like($res->{body}, qr/^Authorization: Bearer parent-any-token\r$/m,
         '... and sent on as it should be');
    is(why($res), '/', '... while nothing was decided');

    only('one that it has not', ask('/any/reissue', 'parent-any-token'),
         'child-north-any-token');
    is(ask('/any/reissue')->{status}, 401, 'nor is anybody else');
};


# nginx adds the request to our lines, and some have a token in their target

$nginx->finish('nginx ends with a clean log', secrets => [ 'Bearer parent-',
               'child-' ]);

done_testing();
