use strict;
use warnings;

# Denials cannot be washed out: not by reloads, by other spellings of a token,
# by strings that were never good, by a full memory, by zones that come and go,
# nor by an answer that was under way; and a subject's denial covers all that
# was asked about before it.

use File::Copy qw(copy);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

my $slow = NginxControl::slow();
my $begun = int time;

# "gone-..." is revoked; "ahead-..." was issued later than it is now; "new-..."
# even later; "plain..." has no jti, so that only the token itself is denied

my $mock = MockAPI->start(
    default => sub {
        my $name = $_[0]{token};

        return 410 if $name =~ /^gone/;

        (my $bare = $name) =~ s/=+$//;

        my %token = (jti => $bare, sub => "sub-$bare", session => "s-$bare");

        $token{jti} = undef if $name =~ /^plain/;
        $token{sub} = 'sub-ahead' if $name =~ /^(ahead|new)/;
        $token{iat} = $begun + 4000 if $name =~ /^ahead/;
        $token{iat} = $begun + 4500 if $name =~ /^new/;

        return { delay => $name =~ /^late/ ? 0.8 : 0, token => \%token };
    },
    paths => { 'POST /v1/tokens/revoke' => { by_token => {
        '*' => 204, map({ ("untold-$_" => 503) } 1 .. 200),
    } } },
);

my $http = <<'EOC';
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_rate off;
    agilicus_token_api_breaker off;
    agilicus_token_zone one:1m;
    agilicus_token_zone two:1m;
    agilicus_token_cache one;
    agilicus_token_cache_valid active=600s invalid=1s;
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
EOC

my $config = <<'EOC';
    location = /one { agilicus_token on; try_files /page =404; }
    location = /two {
        agilicus_token on;
        agilicus_token_cache two;
        agilicus_token_cache_valid active=0s invalid=1s;
        try_files /page =404;
    }
    location = /options {
        agilicus_token on;
        agilicus_token_introspect_options exclude_roles=on;
        try_files /page =404;
    }
    location = /off {
        agilicus_token on;
        agilicus_token_cache off;
        try_files /page =404;
    }
    location = /out { agilicus_token_revoke; }
    location = /hook { agilicus_token_revocation_hook trusted; }
    location = /status { agilicus_token_status purge trusted; }
EOC

my @all = qw(/one /two /options /off);


# spellings

my $nginx = begin(2, $http);

for my $way (qw(hook sign-out gone)) {
    for my $pair ([ '', '=' ], [ '=', '' ], [ '=', '===' ]) {
        my ($denied, $other) = map { "plain-$way-" . length($pair->[0])
                                     . length($pair->[1]) . $_ } @$pair;

        is(status($_, $denied), 200, "$way: a token passes") for @all;
        is(status('/one', $other), 200, 'and another spelling of it');

        if ($way eq 'hook') {
            is(hook(sub => 'sub-' . bare($denied)), 204, 'its subject is denied');

        } elsif ($way eq 'sign-out') {
            is(post('/out', $denied), 204, 'it is signed out');

        } else {
            $mock->script(tokens => { $denied => 410 });
            is(why('/two', $denied), 'revoked/revoked', 'the API revokes it');
        }

        like(why($_, $denied), qr/^revoked/, "it is refused, $_") for @all;
        like(why($_, $other), qr/^revoked/, "and the other, $_") for @all;
    }
}

is(status('/one', 'plain-other='), 200, 'a token with padding passes');
is(status('/one', 'plain-othe'), 200, 'and one that is not the same');


# 410

my $calls;

for my $where (qw(/one /options)) {
    my $token = 'known-' . substr $where, 1;

    is(status($where, $token), 200, "a token is known, $where");
    $mock->script(tokens => { $token => [ 410, {} ] });
    is(why('/two', $token), 'revoked/revoked', 'the API revokes it elsewhere');
    sleep 1.2;

    $calls = $mock->calls(token => $token);

    is(why($_, $token), 'revoked/revoked', "and it is refused for long, $_")
        for @all;
    is($mock->calls(token => $token), $calls, 'without asking again');
}

is(why('/one', 'gone-1'), 'revoked/revoked', 'what was never good is refused');
is(why($_, 'gone-1'), 'revoked/revoked', "anywhere, $_") for @all;
is($mock->calls(token => 'gone-1'), 1, 'without asking again');
sleep 1.2;
is(why('/one', 'gone-1'), 'revoked/revoked', 'then it is asked about');
is($mock->calls(token => 'gone-1'), 2, 'again');


# subjects

is(status('/one', 'ahead-used'), 200, 'a token is ahead of the clock');
is(status('/two', 'ahead-other'), 200, 'and one in another zone');
is(status('/off', 'ahead-off'), 200, 'and one that is not kept');
is(status('/one', "ahead-$_"), 200, "and more: $_") for qw(purge zone);
is(hook(sub => 'sub-ahead'), 204, 'their subject is denied');

like(why($_, 'ahead-used'), qr/^revoked/, "it is refused, $_") for @all;
like(why($_, 'ahead-other'), qr/^revoked/, "and the other, $_") for @all;
like(why($_, 'ahead-off'), qr/^revoked/, "and what is not kept, $_") for @all;

is(remove('all=1'), 204, 'all facts are removed');
like(why($_, 'ahead-purge'), qr/^revoked/, "and it is refused, $_") for @all;

is(status($_, 'new-used'), 200, "a token that was made later passes, $_")
    for @all;
is(status($_, 'new-used'), 200, "and passes again, $_") for @all;


# purges, with an answer under way in either worker

for my $what ('all=1', 'jti=late-', 'sub=sub-late-', 'session=s-late-') {
    my $name = 'late-' . ($what =~ /^(\w+)/)[0];
    my $value = $what =~ /late/ ? "$what" . substr($name, 5) : $what;

    my @waiting = map { $nginx->connect } 1 .. 6;

    $_->send("GET /one HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $name\r\n"
             . "Connection: close\r\n\r\n") for @waiting;
    $mock->wait_calls(1, token => $name);

    is(remove($value), 204, "$what: facts are removed while the API is asked");
    is((grep { $_->read->{status} == 200 } @waiting), 6,
       'those that wait get the answer');

    is(status('/one', $name), 200, 'the next one passes');
    cmp_ok($mock->calls(token => $name), '>', 1,
           'by an answer that was asked for after that');
    $calls = $mock->calls(token => $name);
    is(status('/one', $name), 200, 'whose answer is kept');
    is($mock->calls(token => $name), $calls, 'from then on');
}


# reloads

is(status('/one', $_), 200, 'a token passes') for qw(re-hook re-out);
is(hook(jti => 're-hook'), 204, 'one is denied by the hook');
is(post('/out', 're-out'), 204, 'one is signed out');

for my $case ([ 'another size', $http =~ s/one:1m/one:2m/r ],
              [ 'another order', $http =~ s/(\S+ one:1m;)\s*(\S+ two:1m;)/$2$1/r ],
              [ 'one more in front',
                $http =~ s/(agilicus_token_zone one)/agilicus_token_zone x:1m; $1/r ],
              [ 'no zone at all', '' ], [ 'as it was', $http ])
{
    my ($what, $new) = @$case;

    $nginx->reload(http => $new, config => $new ? $config : '');

    next if !$new;

    is(why('/one', 're-hook'), 'revoked/jti', "$what: the hook's stays");
    is(why('/one', 're-out'), 'revoked/revoked', 'and the sign-out');
    like(why('/one', 'ahead-zone'), qr/^revoked/, 'and who is ahead');
    like(why('/one', 'plain-sign-out-01'), qr/^revoked/, 'and other spellings');
}

ok(defined $nginx->try_reload(http => "agilicus_token_denials 4m;\n$http",
                              config => $config), 'another size is refused');
ok($nginx->wait_log(qr/\[emerg\].*"agilicus_token_denials" cannot change its size.*restart nginx/,
                    2),
   'and the log says what to do');

# a module in another file has memory of its own for what this one has

my $other = $nginx->prefix . '/other.so';

copy($ENV{AGILICUS_MODULE} || 'build/ngx_agilicus_token_module.so', $other)
    or die "$other: $!\n";

ok(defined $nginx->try_reload(module => $other, http => $http,
                              config => $config), 'another file is refused');
ok($nginx->wait_log(qr/the module's file was replaced and a reload would lose all denials: restart nginx/,
                    2),
   'and the log says what to do');
$nginx->configure(module => 1);

is(why('/one', 're-hook'), 'revoked/jti', 'denials stay');
$nginx->configure(http => $http, config => $config);
$nginx->finish('denials stayed', allow => [ qr/cannot change its size|file was replaced/ ]);


# a full memory

for my $way (qw(hook untold told gone)) {
    my ($code, @denied);

    $nginx = begin(1, "agilicus_token_denials 32k;\n$http");

    is(status('/one', "kept-$_"), 200, "$way: a token passes") for 1 .. 20;
    is(hook(jti => "kept-$_"), 204, 'it is denied') for 1 .. 20;

    is(status('/one', "$_-$way"), 200, "a token passes: $_") for qw(ahead was);
    is(hook(sub => 'sub-ahead'), 204, 'the subject of one is denied');
    $mock->script(tokens => { "was-$way" => 410 });
    is(why('/two', "was-$way"), 'revoked/revoked', 'the API revokes the other');

    for my $n (1 .. ($way eq 'gone' ? 2000 : 200)) {

        if ($way eq 'hook') {
            $code = hook(jti => "filled-$n");
            push @denied, "filled-$n" if $code == 204;

        } elsif ($way eq 'untold') {
            $code = post('/out', "untold-$n");
            push @denied, "untold-$n" if $n <= 40;

        } elsif ($way eq 'told') {
            $code = post('/out', "told-$n");

        } else {
            status('/one', "gone-$n");
        }
    }

    is((grep { why('/one', "kept-$_") eq 'revoked/jti' } 1 .. 20), 20,
       'what the hook has denied stays');
    is((grep { why('/one', $_) !~ /^revoked/ } @denied), 0,
       'and all that was said to be denied');
    like(why('/two', "ahead-$way"), qr/^revoked/,
         'and the time of the first call for a token is known');
    is(why('/one', "was-$way"), 'revoked/revoked',
       'and facts that the API has withdrawn do not come back');

    if ($way eq 'hook') {
        cmp_ok(scalar @denied, '<', 200, 'there is no room for all');

        my $res = $nginx->request(POST => '/hook',
            headers => { 'Content-Type' => 'application/json' },
            body => '{"jti":[' . join(',', map { "\"many-$_\"" } 1 .. 500)
                    . ']}');

        is($res->{status}, 503, 'the hook says so');
        is(HttpClient::header($res, 'X-Why'), 'unavailable/overload', 'and why');
        ok(HttpClient::header($res, 'Retry-After'), 'and when to come again');
        ok($nginx->wait_log(qr/no\ room\ for\ all\ denials,\ make
                               \ "agilicus_token_denials"\ larger/x, 2),
           'and the log what to do');

    } elsif ($way eq 'told') {
        is($code, 204, 'what the API has confirmed makes room');
        cmp_ok(lost(), '>', 0, 'which is counted');

    } elsif ($way eq 'gone') {
        is(lost(), 0, 'what was never good pushes out nothing');
    }

    $nginx->finish("$way: the memory was full",
                   allow => [ qr/no room for all denials/ ]);
}


# The first zone is made anew, another one with facts is kept: denials are
# looked for again for a token that was clean by the old zone's count of them.

my $few = <<'EOC';
    location = /page { agilicus_token on; }
    location = /hook { agilicus_token_revocation_hook trusted; }
EOC

$nginx = NginxProcess->new(
    log_level => 'info',
    http      => zones('first:2m', 'facts:2m'),
    config    => $few,
);

$nginx->write_file('html/page', "page\n");
$nginx->start;

is(hook(jti => map { "old-$_" } 1 .. 100), 204, 'a hundred denials');
is(status('/page', 'resized'), 200, 'a token passes');
is(status('/page', 'resized'), 200, 'and is found clean');
sleep 2.6;

for my $case (
    [ resized   => 'first:1m', 'facts:2m' ],
    [ renamed   => 'other:1m', 'facts:2m' ],
    [ reordered => 'facts:2m', 'other:1m' ],
    [ back      => 'other:1m', 'facts:2m' ],
) {
    my ($token, @zones) = @$case;

    is(status('/page', $token), 200, "$token: a token passes");
    $nginx->reload(http => zones(@zones), config => $few);

    $calls = $mock->calls(token => $token);

    is(hook(jti => $token), 204, 'it is denied after a reload');
    is(why('/page', $token), 'revoked/jti', 'and refused');
    is($mock->calls(token => $token), $calls, 'from what was known before');

    hook(sub => "nobody-$_") for 1 .. 20;
    sleep 2.6;
}

is(status('/page', 'unused'), 200, 'a token passes');
$nginx->reload(http => zones('other:1m', 'facts:2m'), config => '');
$nginx->reload(http => zones('third:1m', 'facts:2m'), config => $few);
is(hook(jti => 'unused'), 204,
   'after a configuration that uses no zone it is denied');
is(why('/page', 'unused'), 'revoked/jti', 'and refused');
$nginx->finish('zones came and went');


# what nginx -t refuses

for my $case ([ 'agilicus_token_denials 16k;', qr/is too small/ ],
              [ 'agilicus_token_denials many;', qr/"many" .* must be a size/ ],
              [ 'agilicus_token_denials 1m; agilicus_token_denials 1m;',
                qr/is duplicate/ ],
              [ 'agilicus_token_zone agilicus_token_denials:1m;',
                qr/already declared for a different use|conflicts/ ])
{
    my ($text, $why) = @$case;

    my $res = NginxProcess->new(http => "$http\n$text",
                                config => $config)->test_config;

    isnt($res->{code}, 0, "\"$text\" is refused");
    like($res->{output}, $why, 'and it is said why');
}

$mock->stop;

done_testing();


sub begin {
    my ($workers, $text) = @_;

    my $new = NginxProcess->new(workers => $workers, log_level => 'info',
                                http => $text, config => $config);

    $new->write_file('html/page', "page\n");
    $new->start;

    return $new;
}


sub bare { (my $name = shift) =~ s/=+$//; return $name }


sub ask {
    my ($uri, $token) = @_;

    return $nginx->get($uri, headers => { Authorization => "Bearer $token" });
}


sub status { return ask(@_)->{status} }
sub why { return HttpClient::header(ask(@_), 'X-Why') || '' }


sub post {
    my ($uri, $token) = @_;

    return $nginx->request(POST => $uri,
        headers => { Authorization => "Bearer $token" })->{status};
}


sub hook {
    my ($kind, @names) = @_;

    return $nginx->request(POST => '/hook',
        headers => { 'Content-Type' => 'application/json' },
        body => "{\"$kind\":[" . join(',', map { "\"$_\"" } @names) . ']}')
        ->{status};
}


sub remove { return $nginx->request(DELETE => "/status?$_[0]")->{status} }


sub lost {
    my $text = $nginx->get('/status?format=json')->{body};

    return $text =~ /"denials":\{[^}]*"lost":(\d+)/ ? $1 : -1;
}


# the zones of a test that needs no others, where a denial without an end of its
# own lasts for two seconds

sub zones {
    return join '', $http =~ s/^ *agilicus_token_(?:zone|cache) .*\n//mgr,
                'agilicus_token_revocation_ttl 2s;',
                map({ "agilicus_token_zone $_;" } @_),
                'agilicus_token_cache facts;';
}
