use strict;
use warnings;

# The public keys of the API: which worker fetches them and when, which answers
# count, which keys are kept over reloads and deaths of workers, and keys that
# come and go without one good token being refused.

use File::Temp;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestJWT;
use TestPorts;

my $slow = NginxControl::slow();
my $dir = File::Temp->newdir;
my $asked = '/v1/tokens/introspect';
my $path = '/v1/tokens/jwsk';
my $n = 0;

my $one = TestJWT->new(kid => 'one');
my $two = TestJWT->new(kid => 'two');
my @plain = map { TestJWT->new } 1 .. 2;

open my $fh, '>', "$dir/credential" or die "$dir/credential: $!\n";
chmod 0600, "$dir/credential";
print $fh "edge-credential\n";
close $fh;

# every token that the API is asked about is good

my $mock = MockAPI->start(
    default => sub { { token => { jti => substr $_[0]{token}, -40 } } },
    paths   => { "GET $path" => 404 },
);

my $second = MockAPI->start(
    name    => 'SECOND',
    default => { token => {} },
    paths   => { "GET $path" => 404 },
);

my $config = <<'EOC';
    location / { agilicus_token on; try_files /page =404; }
    location = /status { agilicus_token_status; }
EOC

my $nginx;


sub keys_of { return { json => { keys => [ map { $_->jwk } @_ ] } } }
sub publish { $mock->script(paths => { "GET $path" => $_[0] }) }
sub fetched { return $mock->calls(path => $path) }
sub fresh { return (sub => 'user-' . ++$n, @_) }


sub http {
    my ($signature) = @_;

    return <<"EOC";
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_credential $dir/credential;
        agilicus_token_api_timeout 2s;
        agilicus_token_signature $signature;
        agilicus_token_zone first:1m;
        agilicus_token_cache first;
        agilicus_token_api_breaker 2 open=60s max=60s;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
EOC
}


sub launch {
    my ($signature, %more) = @_;

    finish() if $nginx;
    $mock->reset;

    $nginx = NginxProcess->new(
        workers => 2,
        http    => http($signature),
        config  => $config,
        %more,
    );

    $nginx->write_file('html/page', 'page');
    $nginx->start;
}


sub finish {
    $nginx->finish('nginx', secrets => [ 'eyJ' ],
                   allow => [ qr/exited on signal 9/ ]);
}


sub figures {
    return JSON::PP::decode_json($nginx->get('/status?format=json')->{body})
           ->{signature};
}


# until a figure is as high as it should be

sub wait_for {
    my ($what, $value, $seconds) = @_;

    for (1 .. ($seconds || 5) * 20 * $slow) {
        return 1 if figures()->{$what} >= $value;
        sleep 0.05;
    }

    diag("$what: " . figures()->{$what});

    return 0;
}


sub ask {
    my ($token) = @_;

    return $nginx->get('/', headers => { Authorization => "Bearer $token" });
}


sub get {
    my ($token) = @_;

    my $before = $mock->calls(path => $asked);
    my $res = ask($token);
    my $calls = $mock->calls(path => $asked) - $before;

    return join ' ', $res->{status} || $res->{error},
           HttpClient::header($res, 'X-Why') // '-', $calls;
}

my $refused = '401 invalid/signature 0';
my $let_in = '200 active/ 1';


subtest 'one of all workers fetches the keys, once in an interval' => sub {
    publish(keys_of($one));
    launch('on interval=1s', workers => 4);

    ok(wait_for(keys => 1), 'there is a key');
    sleep 3;

    my $fetched = fetched();

    cmp_ok($fetched, '>=', 2, 'fetched again');
    cmp_ok($fetched, '<=', 5, 'by one of four workers');

    my ($request) = $mock->requests(path => $path);

    is($request->{method}, 'GET', 'with a GET');
    is($request->{args} // '', '', 'without arguments');
    unlike($request->{head}, qr/^Authorization:/mi,
           'and without the credential of the edge');

    is(get($one->forged(fresh())), $refused, 'each worker has it')
        for 1 .. 8;

    my @workers = $nginx->workers;

    $nginx->kill_worker($_) for @workers;
    $mock->reset;
    sleep 2.5;

    cmp_ok(fetched(), '>=', 1, 'workers that died are replaced in this');
    is(get($one->forged(fresh())), $refused, 'and lose no key');

    done_testing;
};


subtest 'keys are kept over a reload' => sub {
    publish(keys_of($one));
    launch('on');
    ok(wait_for(keys => 1), 'there is a key');
    is(fetched(), 1, 'fetched once');

    publish({ hang => 1 });
    $nginx->reload;
    is(get($one->forged(fresh())), $refused, 'new workers have it at once');
    is(fetched(), 1, 'and fetch none');

    $nginx->reload(http => http('off'));
    is(get($one->forged(fresh())), $let_in, 'off');

    $nginx->reload(http => http('on'));
    is(get($one->forged(fresh())), $refused, 'on again');

    # keys of another API are none

    $nginx->reload(http => http('on') =~ s/MOCK_PORT/SECOND_PORT/r);
    is(ask($one->forged(fresh()))->{status}, 200, 'another API');

    done_testing;
};


# what is no set of keys changes nothing, neither without keys nor with some

my %bad = (
    away      => 404,
    forbidden => 403,
    unknown   => 401,
    throttled => 429,
    down      => 500,
    moved     => { status => 302, headers => { Location => '/' } },
    garbled   => { body => '{"keys":[{"kty":"EC","crv":' },
    html      => { type => 'text/html', json => { keys => [ $one->jwk ] } },
    empty     => { json => { keys => [] } },
    nothing   => { json => {} },
    list      => { json => [ $one->jwk ] },
    many      => { json => { keys => [
                     map({ $two->jwk(kid => "k$_") } 1 .. 32), $one->jwk ] } },
    large     => { json => { keys => [ $one->jwk ], more => 'x' x 70_000 } },
    twice     => { json => { keys => [
                     $one->jwk, $two->jwk(kid => 'one') ] } },
    off_curve => { json => { keys => [ $one->jwk(y => $one->jwk->{x}) ] } },
    other     => { json => { keys => [ $one->jwk(use => 'enc'),
                                       $one->jwk(crv => 'P-384'),
                                       { kty => 'RSA', n => 'AQAB',
                                         e => 'AQAB', kid => 'one' } ] } },
    private   => { json => { keys => [ $one->jwk(d => 'AAAA') ] } },
    cut       => { %{ keys_of($one) }, cut => 40 },
    lost      => { reset => 1 },
    gzip      => { %{ keys_of($one) },
                   headers => { 'Content-Encoding' => 'gzip' } },
);

# each with an API of its own, for all of them at once

subtest 'answers that bring no key' => sub {
    my %started;
    my @cases = sort keys %bad;
    my $answer = sub {
        my ($what) = @_;

        $mock->script(paths => {
            map { ("GET /$_$path" => $what || $bad{$_}) } @cases });
    };

    $mock->script(paths => {
        map { ("POST /$_$asked" => { token => {} }) } @cases });
    $answer->();

    for my $case (@cases) {
        $started{$case} = NginxProcess->new(
            workers => 1,
            http    => http('on strict interval=1s')
                       =~ s{MOCK_PORT}{MOCK_PORT/$case}r,
            config  => $config,
        );
        $started{$case}->write_file('html/page', 'page');
        $started{$case}->start;
    }

    my $each = sub {
        my ($do) = @_;

        for (@cases) {
            $nginx = $started{$_};
            $do->($_);
        }
    };

    finish();

    $each->(sub {
        ok(wait_for(failed => 1), "$_[0]: failed");
        is(figures()->{keys}, 0, "$_[0]: no key");
        is(ask($one->forged(fresh()))->{status}, 200,
           "$_[0]: the API decides");
        is(ask("opaque-$_[0]")->{status}, 200,
           "$_[0]: also where it is strict");
    });

    $answer->(keys_of($one));

    my %failed;

    $each->(sub {
        ok(wait_for(keys => 1), "$_[0]: later there is a key");
        $failed{$_[0]} = figures()->{failed};
    });

    $answer->();

    $each->(sub {
        ok(wait_for(failed => $failed{$_[0]} + 1), "$_[0]: failed again");
        is(ask($one->forged(fresh()))->{status}, 401,
           "$_[0]: the key stays");
        is(ask($one->token(fresh()))->{status}, 200,
           "$_[0]: the API is asked");
        is(figures()->{keys}, 1, "$_[0]: as long as no other comes");
        finish();
    });

    $nginx = undef;

    done_testing;
};


subtest 'keys that are late' => sub {
    publish({ %{ keys_of($one) }, delay => 1.5 });
    launch('on');

    my $begin = time;

    is(get($one->forged(fresh())), $let_in, 'no request waits for them');
    cmp_ok(time - $begin, '<', 1 * $slow, '... at all');
    ok(wait_for(keys => 1), 'they come');
    is(get($one->forged(fresh())), $refused, 'and count then');

    # a worker that fetches them may end first

    publish({ hang => 1 });
    launch('on');
    $mock->wait_calls(1, path => $path);
    $nginx->reload;
    publish(keys_of($one));
    ok(wait_for(keys => 1), 'new workers fetch them after a reload');

    publish({ hang => 1 });
    launch('on', workers => 1);
    $mock->wait_calls(1, path => $path);
    publish(keys_of($one));
    $nginx->kill_worker(($nginx->workers)[0]);
    ok(wait_for(keys => 1, 12), 'and after a death');

    done_testing;
};


subtest 'the breaker knows nothing of them' => sub {
    publish(500);
    launch('on interval=1s');
    ok(wait_for(failed => 3, 8), 'three failures');
    is(get('opaque-breaker'), $let_in, 'the API is asked');

    publish(keys_of($one));
    $mock->script(paths => { "POST $asked" => 503 });
    get("opaque-down-$_") for 1 .. 3;
    like(get('opaque-down'), qr{unavailable/breaker}, 'open');
    ok(wait_for(keys => 1), 'keys come all the same');
    $mock->script(paths => { "POST $asked" => undef });

    done_testing;
};


subtest 'keys rotate, and no good token is refused' => sub {
    publish(keys_of($one));
    launch('on');
    ok(wait_for(keys => 1), 'the first key');

    my @seen;
    my $ask = sub { push @seen, get($_[0]); return $seen[-1] };

    is($ask->($one->token(fresh())), $let_in, 'is used');

    publish(keys_of($one, $two));
    is($ask->($one->token(fresh())), $let_in, 'the second one is published');

    is($ask->($two->token(fresh())), $let_in, 'the second one is used');
    ok(wait_for(keys => 2), '... and fetched at once');
    is($ask->($two->token(fresh())), $let_in, '... and used again');
    is($ask->($one->token(fresh())), $let_in, 'the first one is still good');
    is(get($two->forged(fresh())), $refused, 'forged ones are refused');
    is(get($two->token(fresh(exp => 1))), '401 expired/expired 0',
       'and expired ones');

    # at most one fetch in ten seconds is made on account of a token

    $nginx->reload(http => http('on interval=1s'));
    publish(keys_of($two));
    ok(wait_for(withdrawn => 1), 'the first one is withdrawn');

    is($ask->($one->token(fresh())), $let_in, 'its tokens go to the API');
    is($ask->($one->token(fresh(exp => 1))), $let_in, 'whatever they say');
    is($ask->($one->token(fresh(), header => { kid => undef })), $let_in,
       'and whether or not they name it');
    is($ask->($one->forged(fresh())), $let_in, 'its name counts as unknown');
    is($ask->($two->token(fresh())), $let_in, 'the second one is good');
    is(get($two->forged(fresh())), $refused, 'forged ones are refused');

    is(scalar(grep { $_ ne $let_in } @seen), 0, 'no good token was refused');

    # in strict mode, forged ones of a withdrawn key are refused, good ones not

    $nginx->reload(http => http('on strict'));
    get($one->forged(fresh()));
    ok(wait_for(withdrawn => 1), 'still withdrawn');
    sleep 0.5;
    is(get($one->forged(fresh())), $refused, 'strict: forged');
    is(get($one->token(fresh())), $let_in, 'strict: good');

    done_testing;
};


subtest 'keys without names' => sub {
    publish(keys_of($plain[0]));
    launch('on strict');
    ok(wait_for(keys => 1), 'a key');

    is(get($plain[0]->token(fresh(), header => { kid => 'any' })), $let_in,
       'may be meant by any name');
    is(get($plain[0]->token(fresh())), $let_in, 'or by none');
    is(get($plain[1]->token(fresh(), header => { kid => 'any' })), $let_in,
       'another one makes the keys be fetched');
    ok($mock->wait_calls(2, path => $path), '... again');
    sleep 0.5;
    is(get($plain[1]->token(fresh(), header => { kid => 'any' })), $refused,
       'and is refused then');

    done_testing;
};


subtest 'keys of a file' => sub {
    my $file = "$dir/keys.pem";

    put_keys($file, @plain);
    launch("on key=$file");

    is(figures()->{keys}, 2, 'are there at once');
    is(get($plain[0]->token(fresh())), $let_in, 'the first one');
    is(get($plain[1]->token(fresh(), header => { kid => 'any' })), $let_in,
       'the second one, by any name');
    is(get($one->token(fresh(), header => { kid => undef })), $refused,
       'another one without a name');
    is(get($one->token(fresh())), $let_in, 'and with one, which may be new');
    is(fetched(), 0, 'none is fetched');

    my $thumbprint = thumbprint($plain[0]);

    is(get($plain[0]->token(fresh(), header => { kid => $thumbprint })),
       $let_in, 'a thumbprint is a name');
    is(get($one->token(fresh(), header => { kid => $thumbprint })), $refused,
       'of this key and no other');

    $nginx->reload(http => http("on strict key=$file"));
    is(get($one->token(fresh())), $refused, 'strict');
    is(get($plain[0]->token(fresh(), header => { kid => 'any' })), $let_in,
       'a good one');

    put_keys($file, $plain[1]);
    $nginx->reload;
    is(figures()->{withdrawn}, 1, 'a key that has left the file is withdrawn');
    is(get($plain[0]->token(fresh())), $let_in, 'its tokens go to the API');
    is(get($plain[1]->forged(fresh())), $refused, 'the other one is there');

    done_testing;
};


finish();

done_testing();


sub put_keys {
    my ($file, @keys) = @_;

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh map { $_->pem } @keys;
    close $fh;
}


# RFC 7638

sub thumbprint {
    my ($key) = @_;

    require Digest::SHA;

    my $jwk = $key->jwk;

    return TestJWT::b64(Digest::SHA::sha256(
        JSON::PP->new->canonical->encode($jwk)));
}
