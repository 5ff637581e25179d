use strict;
use warnings;

# Memory that runs short: each thing that the module asks for while it serves a
# request is refused to it once.  A client that is refused otherwise never gets
# in, a client that is let in gets all of an answer or an error, and upstream
# never sees a token or a header that it must not see.

use Cwd ();
use File::Basename ();
use File::Temp ();
use Test::More;

use lib 't/lib';

use HttpClient;
use HttpMessage;
use MockAPI;
use MockUpstream;
use NginxControl;
use NginxProcess;

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/..');
my $dir = File::Temp::tempdir(CLEANUP => 1);
my $module = build();
my $armed = "$dir/armed";
my $until = time + 60 * NginxControl::slow();

arm(0);

my @rules = ({ upstream_host => 'app.example', allowed_list => [
    { methods => [ 'all' ], paths => [ '/rules/(a|b)+c' ],
      separate_query => JSON::PP::true() },
    { methods => [ 'post' ], template_paths => [
          { template => '/rules/{name}/x', prefix => JSON::PP::false() } ],
      body => { json => [ { name => 'kind', pointer => '/kind',
                            exact_match => 'good' } ] },
      separate_query => JSON::PP::true() },
] });

my $mock = MockAPI->start(
    default => sub {
        my ($request) = @_;

        my ($kind) = $request->{token} =~ /^(?:reissued-)?([a-z]+)/;

        return 404 if $kind eq 'bad';
        return 410 if $kind eq 'revoked';

        return { token => {
            sub    => 'somebody',
            org    => $request->{token} =~ /^reissued/ ? 'other' : 'home',
            jti    => 'jti-' . reverse($request->{token}),
            scopes => $kind eq 'narrow' ? [] : [ 'a', 'b' ],
            hosts  => $kind eq 'narrow' ? [] : \@rules,
        } };
    });
my $app = MockUpstream->start(name => 'APP');

my $nginx = NginxProcess->new(
    module => $module,
    env => { AGILICUS_SHORTAGE => $armed },
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        agilicus_token_api_breaker off;
        agilicus_token_identity_headers X-Who-;
        proxy_set_header Host app.example;
EOC
    config => <<'EOC',
        location = /page {
            agilicus_token on;
            agilicus_token_require_scopes a $arg_scope;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /hidden {
            agilicus_token on;
            agilicus_token_source header cookie=token query=token;
            agilicus_token_forward off;
            agilicus_token_require_scopes a;
            proxy_set_header X-Sub $agilicus_token_sub;
            proxy_set_header X-Scopes $agilicus_token_scopes;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /report {
            agilicus_token report;
            agilicus_token_source header query=token query=other;
            agilicus_token_forward off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /either {
            satisfy any;
            allow all;
            agilicus_token on;
            agilicus_token_source header query=token query=other;
            agilicus_token_forward off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /elsewhere {
            error_page 500 503 = @elsewhere;
            agilicus_token on;
            agilicus_token_source header query=token query=other;
            agilicus_token_forward off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location @elsewhere {
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /reissue {
            agilicus_token on;
            agilicus_token_reissue other;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /rules/ {
            agilicus_token on;
            agilicus_token_rules on host=app.example;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /any {
            satisfy any;
            deny all;
            agilicus_token on;
            agilicus_token_require_scopes a;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /subrequest {
            auth_request /check;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /check {
            internal;
            agilicus_token on;
            agilicus_token_require_scopes a;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /open {
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /revoke {
            agilicus_token on;
            agilicus_token_revoke;
        }
        location = /status {
            agilicus_token_status trusted;
        }
EOC
);

$nginx->start;

my $http = HttpClient->new(port => $nginx->port);
my ($worker) = $nginx->workers;
my $serial = 0;


# the module with t/lib/shortage.c in front of what gives it memory

sub build {
    my $name = 'ngx_agilicus_token_module.so';
    my $from = $ENV{AGILICUS_MODULE} || ($ENV{BUILD} || "$top/build") . "/$name";
    my $made = File::Basename::dirname($from);
    my $out = "$dir/$name";
    my @objects = (glob("$made/addon/*/*.o"),
                   "$made/ngx_agilicus_token_module_modules.o");
    my @wrapped = slurp("$top/t/lib/shortage.c") =~ /^SHORTAGE\((\w+),/mg;
    my @flags = $ENV{AGILICUS_NGINX_PRELOAD}
                ? '-fsanitize=address,undefined' : ();

    system($ENV{CC} || 'gcc', '-O2', '-g', '-fPIC', '-shared', '-Wall',
           '-Wextra', '-Werror', @flags, '-o', $out,
           "$top/t/lib/shortage.c", @objects,
           map({ "-Wl,--wrap=$_" } @wrapped), '-Wl,-z,nodelete',
           qw(-lcurl -ljansson -lhiredis -lssl -lcrypto -lpcre2-8)) == 0
        or die "the module cannot be linked with t/lib/shortage.c\n";

    return $out;
}


sub slurp {
    my ($name) = @_;

    open my $file, '<', $name or die "$name: $!\n";
    local $/;
    return scalar <$file>;
}


# the nth thing asked for is refused

sub arm {
    my ($n) = @_;

    open my $file, -e $armed ? '+<' : '>', $armed or die "$armed: $!\n";
    syswrite $file, pack 'l3', $n, 0, 0;
    close $file;
}


# whether it was asked for

sub failed { return (unpack 'l3', slurp($armed))[2] }


sub ask {
    my ($path, $token, %more) = @_;

    my %headers = %{$more{headers} || {}};

    $headers{Authorization} = "Bearer $token"
        if defined $token && !$more{elsewhere};

    return $http->request($more{method} || 'GET', $path,
                          headers => { %headers, 'X-Who-Sub' => 'forged' },
                          defined $more{body} ? (body => $more{body}) : ());
}


# Each thing that is asked for on the way is refused once, until there are no
# more.  "kind" is the kind of token, "known" whether it was seen before.

sub short {
    my ($name, %case) = @_;

    my ($n, %statuses, @wrong);

    for ($n = 1; $n < 500 && time < $until; $n++) {
        my $token = defined $case{kind} ? "$case{kind}-" . ++$serial : undef;
        my %more = map { $_ => $case{$_} } qw(method body elsewhere);
        my $path = $case{path};

        $path .= "?token=$token" if ($case{elsewhere} || '') eq 'query';
        $more{headers} = { %{$case{headers} || {}},
                           ($case{elsewhere} || '') eq 'cookie'
                           ? (Cookie => "a=b; token=$token") : () };

        ask($path, $token, %more) if $case{known};

        arm($n);
        my $res = ask($path, $token, %more);
        my $done = !failed();
        arm(0);

        my $status = $res && $res->{status} || 0;
        my $seen = $status == 200 ? $res->{body} : '';

        $statuses{$status}++;

        push @wrong, "$n: $status"
            if !grep { $_ == $status } 0, 500, 503, @{$case{may}};

        $seen =~ s/reissued-\Q$token\E//g if $case{hides};

        push @wrong, "$n: upstream sees the token"
            if $case{hides} && $seen =~ /\Q$token\E/;

        push @wrong, "$n: upstream sees a forged header"
            if $seen =~ /forged/;

        push @wrong, "$n: " . $case{after}->($status, $token)
            if $case{after} && $case{after}->($status, $token);

        last if $done;
    }

    ok(!@wrong, "$name, $n times") or diag(join "\n", @wrong);
    cmp_ok($n, '>', $case{least} || 3, '... which is not nothing');

    # with all of it there

    ok($statuses{$case{may}[0]}, "... and $case{may}[0]")
        or diag(join ' ', %statuses);
}


# what a revocation with an answer has promised

sub stays_revoked {
    my ($status, $token) = @_;

    return if $status != 204;

    my $res = ask('/page?scope=b', $token);

    return $res && $res->{status} == 401 ? '' : 'a revoked token is let in';
}


for my $known (0, 1) {
    my $is = $known ? 'known' : 'new';

    short("a good token, $is", path => '/page?scope=b', kind => 'good',
          known => $known, may => [ 200 ]);
    short("a token that the API does not know, $is", path => '/page?scope=b',
          kind => 'bad', known => $known, may => [ 401 ]);
    short("a revoked one, $is", path => '/page?scope=b', kind => 'revoked',
          known => $known, may => [ 401 ]);
    short("one without the scope, $is", path => '/page?scope=b',
          kind => 'narrow', known => $known, may => [ 403 ]);

    short("in the header, for upstream without it, $is", path => '/hidden',
          kind => 'good', known => $known, may => [ 200 ], hides => 1);
    short("in a cookie, $is", path => '/hidden', kind => 'good',
          elsewhere => 'cookie', known => $known, may => [ 200 ], hides => 1);
    short("in the query, $is", path => '/hidden', kind => 'good',
          elsewhere => 'query', known => $known, may => [ 200 ], hides => 1);
    short("in the query, where it goes on, $is: $_", path => $_,
          kind => 'good', elsewhere => 'query', known => $known,
          may => [ 200 ], hides => 1)
        for '/report', '/either', '/elsewhere';
    short("reissued, $is", path => '/reissue', kind => 'good',
          known => $known, may => [ 200, 403 ], hides => 1);

    short("a pattern, $is", path => '/rules/abac', kind => 'good',
          known => $known, may => [ 200, 403 ]);
    short("no rule for it, $is", path => '/rules/abad', kind => 'good',
          known => $known, may => [ 403 ]);
    short("a body, $is", path => '/rules/a/x', kind => 'good',
          method => 'POST', body => '{"kind":"good"}', known => $known,
          headers => { 'Content-Type' => 'application/json' },
          may => [ 200, 403 ]);
    short("another body, $is", path => '/rules/a/x', kind => 'good',
          method => 'POST', body => '{"kind":"bad"}', known => $known,
          headers => { 'Content-Type' => 'application/json' },
          may => [ 403 ]);

    short("either way, $is", path => '/any', kind => 'good', known => $known,
          may => [ 200, 403, 401 ]);
    short("neither way, $is", path => '/any', kind => 'narrow',
          known => $known, may => [ 403, 401 ]);
    short("in a subrequest, $is", path => '/subrequest', kind => 'good',
          known => $known, may => [ 200, 403, 401 ]);
    short("not in a subrequest, $is", path => '/subrequest',
          kind => 'narrow', known => $known, may => [ 403, 401 ]);

    short("a revocation, $is", path => '/revoke', kind => 'good',
          method => 'POST', known => 0, may => [ 204, 401 ],
          after => \&stays_revoked);
}

short('no token', path => '/page?scope=b', may => [ 401 ]);
short('an empty requirement', path => '/page', kind => 'good',
      may => [ 403 ]);
short('where no token is asked for', path => '/open', may => [ 200 ],
      least => 1);
short('the status', path => '/status', may => [ 200 ]);

is_deeply([ $nginx->workers ], [ $worker ], 'all by one worker');
cmp_ok(time, '<', $until, 'in time');

is(ask('/page?scope=b', 'good-after')->{status}, 200, 'and it serves on');

$nginx->finish('nobody was hurt');

done_testing();
