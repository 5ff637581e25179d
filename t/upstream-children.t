use strict;
use warnings;

# Tokens that this edge had reissued or created have a life of their own: they
# are looked at again, they never have more than their parent has now, and each
# one that was handed out is revoked when its parent is, whatever happened to
# the cache, the workers and the configuration meanwhile.

use File::Temp ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpMessage;
use MockAPI;
use MockUpstream;
use NginxControl;
use NginxProcess;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;
my $begun = int time;
my $n = 0;
my $says = File::Temp->new;


# what the API answers to an operation in place of what it would: a file, for
# the API is a process of its own

sub api_says {
    my (%what) = @_;

    open my $file, '>', "$says" or die "$says: $!\n";
    print {$file} $json->encode(\%what);
    close $file;

    return;
}


sub said {
    my ($operation) = @_;

    open my $file, '<', "$says" or die "$says: $!\n";
    my $text = do { local $/; <$file> };

    return $text ? $json->decode($text)->{$operation} : undef;
}


# A child is "<parent>.<org><n>"; parents that begin with "same" are given the
# same one each time, and those that begin with "endless" have no exp.

sub introspect {
    my ($request) = @_;

    my $token = $request->{token};
    my ($sub, $child) = $token =~ /^([\w-]+)(?:\.\w+)*?(?:\.([a-z]+)\d*)?$/
        or return 404;

    return { token => {
        sub     => $sub,
        org     => defined $child ? $child : 'home',
        jti     => "jti-$token",
        session => "session-$token",
        scopes  => [ 'a', 'b' ],
        exp     => $sub =~ /^endless/ ? undef : $begun + 3600,
    } };
}


sub reissue {
    my ($request) = @_;

    my $said = said('reissue');

    return $said if $said;

    my $body = $json->decode($request->{body});
    my $child = "$body->{token}.$body->{org_id}";

    return { status => 200, json => {
        token => $body->{token} =~ /^same/ ? $child : $child . ++$n } };
}


sub revoke {
    my ($request) = @_;

    my $said = said('revoke') || 204;

    # children alone are told of in vain

    return 204 if ref $said && $said->{hang} && $request->{token} !~ /\./;

    return $said;
}


my $mock = MockAPI->start(
    default => \&introspect,
    paths   => { 'POST /v1/tokens/reissue' => \&reissue,
                 'POST /v1/tokens/revoke' => \&revoke },
);

my $app = MockUpstream->start(name => 'APP');

my $main = 'agilicus_token_api_rate off; agilicus_token_api_breaker off;'
           . 'agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;'
           . 'add_header X-Why '
           . '"$agilicus_token_verdict/$agilicus_token_reason" always;';

my $locations = <<'EOC';
    agilicus_token_cache_valid active=1s watched=1s invalid=500ms;
    agilicus_token_cache_stale update=0s;
    location /in/ {
        agilicus_token on;
        agilicus_token_reissue acme;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location /named/ {
        agilicus_token on;
        agilicus_token_reissue acme;
        agilicus_token_identity_headers on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location /long/ {
        agilicus_token on;
        agilicus_token_reissue acme;
        agilicus_token_cache_valid active=60s;
        proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
    }
    location /fill/ { agilicus_token on; empty_gif; }
    location /options/ {
        agilicus_token on;
        agilicus_token_introspect_options exclude_roles=on;
        empty_gif;
    }
    location /other/ {
        agilicus_token on;
        agilicus_token_cache other;
        empty_gif;
    }
    location /uncached/ {
        agilicus_token on;
        agilicus_token_cache off;
        empty_gif;
    }
    location = /out { agilicus_token_revoke; }
    location = /all { agilicus_token_revoke all_sessions; }
    location = /hook { agilicus_token_revocation_hook trusted; }
    location = /status { agilicus_token_status purge trusted; }
EOC

my $zones = 'agilicus_token_zone agilicus:%s; agilicus_token_zone other:1m;';


sub edge {
    my ($more, %options) = @_;

    my $nginx = NginxProcess->new(
        http    => sprintf($zones, $options{size} || '10m') . $main
                   . ($more || ''),
        config  => $locations,
        workers => $options{workers} || 2,
        log_level => 'info',
    );

    return $nginx->start;
}


sub ask {
    my ($nginx, $path, $token) = @_;

    return $nginx->get($path, headers => { Authorization => "Bearer $token" });
}


sub post {
    my ($nginx, $path, $token) = @_;

    return $nginx->request(POST => $path, body => '',
        headers => { Authorization => "Bearer $token" })->{status};
}


sub why { return HttpMessage::header($_[0], 'X-Why') }
sub got { return ($_[0]{body} || '') =~ /^Authorization: Bearer (\S+)\r$/m
                 ? $1 : undef }


sub calls {
    my ($operation, $token) = @_;

    return $mock->calls(path => "/v1/tokens/$operation", token => $token);
}


# 1 if each of these is revoked at the API soon

sub revoked {
    my (@tokens) = @_;

    return !grep { !$mock->wait_calls(1, path => '/v1/tokens/revoke',
                                      token => $_, timeout => 8 * $slow) }
           @tokens;
}


my $nginx = edge();

subtest 'a parent that the API calls revoked is denied without a client' => sub {
    is(ask($nginx, '/fill/', 'leaves')->{status}, 200, 'it is known');
    api_says(reissue => { status => 410, delay => 0.4 * $slow });

    my $c = $nginx->connect;

    $c->send("GET /in/ HTTP/1.1\r\nHost: a\r\n"
             . "Authorization: Bearer leaves\r\n\r\n");
    ok($mock->wait_calls(1, path => '/v1/tokens/reissue', token => 'leaves'),
       'the API is asked to reissue it');
    $c->reset;
    sleep 0.8 * $slow;
    api_says();

    is(why(ask($nginx, '/fill/', 'leaves')), 'revoked/revoked',
       'its 410 counts, though the client has left');

    done_testing;
};

subtest 'what is kept is looked at again' => sub {
    my $child = got(ask($nginx, '/in/', 'look'));

    is(got(ask($nginx, '/in/', 'look')), $child, 'one is kept');

    $mock->script(tokens => { $child => 410 });
    sleep 1.2;

    my $res = ask($nginx, '/in/', 'look');

    isnt(got($res) || '', $child, 'one that the API has revoked goes');

    for my $status (400, 403, 404, 422) {
        my $parent = "no$status";

        $child = got(ask($nginx, '/in/', $parent));
        ok($child, "$status: one is reissued");

        api_says(reissue => $status);
        sleep 1.2;

        is(ask($nginx, '/in/', $parent)->{status}, 403,
           '... none is when the API refuses that');
        is(ask($nginx, '/options/', $child)->{status}, 401,
           '... and the one that was ends here');
        ok(revoked($child), '... and at the API');

        api_says();
    }
};


subtest 'no child has more than its parent has now' => sub {
    my %less = (
        scopes => { scopes => [ 'a' ] },
        exp    => { exp => $begun + 1800 },
        sub    => { sub => 'somebody' },
    );

    for my $what (sort keys %less) {
        my $parent = "same-$what";
        my $child = got(ask($nginx, '/in/', $parent));

        is($child, "$parent.acme", "$what: one is reissued");

        my %token = (sub => $parent, org => 'home', jti => "jti-$parent",
                     scopes => [ 'a', 'b' ], exp => $begun + 3600,
                     %{ $less{$what} });

        $mock->script(tokens => { $parent => { token => \%token } });
        sleep 1.2;

        my $res = ask($nginx, '/in/', $parent);

        is($res->{status}, 403, '... none when the parent has less');
        is(ask($nginx, '/options/', $child)->{status}, 401,
           '... the one that was ends here');
        ok(revoked($child), '... and at the API');
    }

    # facts of the parent that are younger than those of its child

    my $child = got(ask($nginx, '/long/', 'narrow'));

    $mock->script(tokens => { narrow => { token => {
        sub => 'narrow', org => 'home', scopes => [ 'a' ],
        exp => $begun + 3600 } } });
    ask($nginx, '/in/', 'narrow');
    sleep 1.2;
    ask($nginx, '/fill/', 'narrow');

    isnt(got(ask($nginx, '/long/', 'narrow')) || '', $child,
         'a child that is young still does not go upstream then');
};


subtest 'a failure is no reason to use an older one' => sub {
    my $child = got(ask($nginx, '/in/', 'fails'));

    api_says(reissue => 503);
    sleep 1.2;

    my $res = ask($nginx, '/in/', 'fails');

    is($res->{status}, 503, 'refused');
    is(got($res), undef, '... and nothing goes upstream');

    api_says();

    ok(got(ask($nginx, '/in/', 'fails')), '... until it is there again');
    is(calls('revoke', $child), 0, 'the older one is no use, but no danger');
};


subtest 'an API that does not know at once what it has given' => sub {
    my $lines = $nginx->log_lines(qr/good for more/);

    for my $status (400, 404, 422) {
        my $child = "same-late$status.acme";

        $mock->script(tokens => { $child => [ $status, {} ] });

        my $res = ask($nginx, '/in/', "same-late$status");

        is($res->{status}, 503, "$status: unavailable");
        is(HttpMessage::header($res, 'Retry-After'), 1, '... for a second');

        $mock->script(tokens => { $child => { token => {
            sub => "same-late$status", org => 'acme', scopes => [],
            exp => $begun + 3600 } } });

        is(got(ask($nginx, '/in/', "same-late$status")), $child,
           '... and good as soon as it is known');
        is(calls('reissue', "same-late$status"), 1, '... as it was given');
    }

    # a token that ends in padding is the same child

    my $padded = 'same-padded.acme==';

    $mock->script(tokens => { $padded => 404 });
    api_says(reissue => { status => 200, json => { token => $padded } });

    is(ask($nginx, '/in/', 'same-padded')->{status}, 503, 'with padding too');
    api_says();

    is(scalar($nginx->log_lines(qr/good for more/)), $lines,
       'the log says nothing wrong');
};


subtest 'identity headers are of the token that goes upstream' => sub {
    my $res = ask($nginx, '/named/', 'named');

    like($res->{body}, qr/^X-Agilicus-Org: acme\r$/mi, 'its organisation');
    like($res->{body}, qr/^X-Agilicus-Jti: jti-@{[got($res)]}\r$/mi,
         '... its jti');

    $res = ask($nginx, '/named/', 'named');
    like($res->{body}, qr/^X-Agilicus-Org: acme\r$/mi, 'also when it is kept');
};


subtest 'a child is denied here first, everywhere' => sub {
    my %by = (
        out     => sub { post($nginx, '/out', $_[0]) },
        all     => sub { post($nginx, '/all', $_[0]) },
        map({ my $kind = $_;
              ($kind => sub {
                  my $value = $kind eq 'sub' ? $_[0] : "$kind-$_[0]";

                  return $nginx->request(POST => '/hook',
                      body => $json->encode({ $kind => [ $value ] }),
                      headers => { 'Content-Type' => 'application/json' }
                      )->{status};
              }) } qw(jti session sub)),
    );

    api_says(revoke => { delay => 0.5, status => 204 });

    for my $by (sort keys %by) {
        my $parent = "here-$by";
        my $child = got(ask($nginx, '/in/', $parent));
        my @paths = map { "/$_/" } qw(fill options other uncached);

        is(ask($nginx, $_, $child)->{status}, 200, "$by: passes at $_")
            for @paths;

        is($by{$by}->($parent), 204, '... its parent is denied');
        is(ask($nginx, $_, $child)->{status}, 401, "... it is refused at $_")
            for @paths;
        ok(revoked($child), '... and the API is told');
    }

    api_says();
};


subtest 'children of children' => sub {
    my $child = got(ask($nginx, '/in/', 'chain'));

    # the API lets a child be reissued once more

    my $grandchild = got(ask($nginx, '/long/', $child));

    ok($grandchild, 'one is made');
    is(post($nginx, '/out', 'chain'), 204, 'the first of them is revoked');
    is(ask($nginx, '/fill/', $grandchild)->{status}, 401,
       'so is the last here');
    ok(revoked($child, $grandchild), '... and both are at the API');
};

$nginx->finish('looked at again');


# whatever happens between a child and the end of its parent

my %between = (
    'a purge'            => [ sub { $_[0]->request(DELETE =>
                                                   '/status?all=1') } ],
    'a purge of a name'  => [ sub { $_[0]->request(DELETE => '/status?jti='
                                                   . "jti-$_[1]") } ],
    'a small zone'       => [ sub { ask($_[0], '/fill/', "fill$_")
                                        for 1 .. 1200 }, '64k' ],
    'a reload'           => [ sub { $_[0]->reload } ],
    'other options'      => [ sub { $_[0]->configure(http =>
        sprintf($zones, '10m') . $main
        . 'agilicus_token_introspect_options exclude_roles=on;');
                                    $_[0]->reload } ],
    'another zone'       => [ sub { $_[0]->configure(http =>
        sprintf($zones, '12m') . $main); $_[0]->reload } ],
    'a worker killed'    => [ sub { $_[0]->kill_worker($_)
                                        for $_[0]->workers } ],
    'a new child'        => [ sub { sleep 1.2; ask($_[0], '/in/', $_[1]) } ],
);

for my $what (sort keys %between) {
    subtest "$what between a child and its parent's end" => sub {
        my ($between, $size) = @{ $between{$what} };
        my $edge = edge('', size => $size);

        for my $parent (map { "$_-" . ++$n } qw(between endless)) {
            my $child = got(ask($edge, '/in/', $parent));

            ok($child, 'a child');
            $between->($edge, $parent);
            is(post($edge, '/out', $parent), 204, '... its parent ends');
            ok(revoked($child), '... and so does it');
        }

        $edge->finish($what, allow => [ qr/signal 9/ ]);
    };
}


# and while the API is told

subtest 'workers that are killed while they tell' => sub {
    my $edge = edge();
    my @parents = map { "killed$_" } 1 .. 12;
    my @children = map { got(ask($edge, '/in/', $_)) } @parents;

    is(scalar(grep { defined } @children), 12, 'twelve children');

    api_says(revoke => { hang => 1 });

    is(post($edge, '/out', $_), 204, "$_ ends") for @parents;

    $mock->wait_calls(3, path => '/v1/tokens/revoke', token => $_,
                      timeout => 0.5) for $children[0];
    $edge->kill_worker($_) for $edge->workers;

    api_says();

    # a revocation is due until the API has answered it

    my $until = time + 12 * $slow;
    my $due;

    do {
        ($due) = $edge->get('/status?format=json')->{body}
                 =~ /"revocations_due":\s*(\d+)/;
    } while ($due && time < $until && sleep 1);

    is($due, 0, 'others tell the API');
    ok(revoked(@children), '... of each child');
    $edge->finish('killed', allow => [ qr/signal 9/ ]);
};


subtest 'a reload while an old worker drains' => sub {
    my $edge = edge('', workers => 1);
    my $child = got(ask($edge, '/in/', 'drains'));

    api_says(revoke => 503);
    is(post($edge, '/out', 'drains'), 503, 'the API is away');
    is(ask($edge, '/fill/', $child)->{status}, 401, 'denied here');

    $edge->reload;
    api_says();
    $mock->reset;

    ok(revoked('drains', $child), 'the new worker tells it');
    sleep 1.5;
    is(calls('revoke', $_), 1, "... once of $_") for 'drains', $child;

    like($edge->get('/status?format=json')->{body},
         qr/"revocations_due":\s*0\b/, 'none is due then');
    $edge->finish('drains');
};


subtest 'many at once, over a reload' => sub {
    my $edge = edge();
    my @tokens = map { "many$_" } 1 .. 60;

    api_says(revoke => 503);

    my %status;

    $status{ post($edge, '/out', $_) }++ for @tokens;
    is_deeply(\%status, { 503 => 60 }, 'the API takes none');
    like($edge->get('/status?format=json')->{body},
         qr/"revocations_due":\s*60\b/, 'all are due');

    api_says(revoke => { status => 204, delay => 0.05 });
    $mock->reset;
    $edge->reload;

    ok(revoked(@tokens), 'it takes all of them');
    is(scalar($edge->log_lines(qr/revocation lost/)), 0, 'none is lost');

    api_says();
    $edge->finish('many');
};


subtest 'an API that is configured no more' => sub {
    my $edge = edge();

    api_says(revoke => 503);
    is(post($edge, '/out', 'moved'), 503, 'the API takes it not');

    (my $moved = $main) =~ s/127\.0\.0\.1:/127.0.0.2:/;

    $edge->configure(http => sprintf($zones, '10m') . $moved);
    $edge->reload;
    api_says();
    $mock->reset;
    sleep 1.5;

    is(calls('revoke', 'moved'), 0, 'no other API is told');
    like($edge->get('/status?format=json')->{body},
         qr/"revocations_due":\s*1\b/, '... and it is kept');

    $edge->configure(http => sprintf($zones, '10m') . $main);
    $edge->reload;

    ok(revoked('moved'), 'it is told when it is there again');
    $edge->finish('moved');
};


subtest 'no room for a record' => sub {
    my $edge = edge('agilicus_token_denials 64k;');
    my ($given, $refused, @children) = (0, 0);

    for my $i (1 .. 80) {
        my $res = ask($edge, '/in/', "room$i");

        $res->{status} == 200 ? push(@children, got($res)) : $refused++;
    }

    cmp_ok(scalar @children, '>', 5, 'some fit');
    cmp_ok($refused, '>', 5, '... and others get none');

    my $calls = $mock->calls(path => '/v1/tokens/reissue');
    my $res = ask($edge, '/in/', 'room-for-none');

    is($res->{status}, 503, 'without room there is none');
    is(why($res), 'unavailable/internal', '... for a reason of our own');
    is($mock->calls(path => '/v1/tokens/reissue'), $calls,
       '... and the API is not asked');
    like($edge->error_log, qr/\[error\].*no room for records of tokens/,
         '... which the log says');

    is(post($edge, "/out", "room$_"), 204, "$_ ends") for 1 .. 15;
    ok(revoked(@children[0 .. 14]), 'when some ended, and the API was told');
    sleep 0.5;
    is(ask($edge, '/in/', 'room-for-one')->{status}, 200,
       '... there is room again');
    $edge->finish('no room', allow => [ qr/no room/ ]);
};


subtest 'a call that gives a token is made once' => sub {
    my $edge = edge();

    ask($edge, '/in/', 'warm');
    api_says(reissue => { drop => 1 });
    $mock->reset;

    is(ask($edge, '/in/', 'dropped')->{status}, 503,
       'the answer of a reissue is lost');
    is(calls('reissue', 'dropped'), 1, '... and it is not asked for again');

    api_says();
    is(ask($edge, '/in/', 'dropped')->{status}, 200, '... but by the next one');
    $edge->finish('once');
};


done_testing();
