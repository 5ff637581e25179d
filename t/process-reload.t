use strict;
use warnings;

# A server that is reloaded, upgraded, ended or shot while the API is asked:
# no wrong verdict, no lost answer, nothing forgotten that must not be.

use File::Temp;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestPorts;

$SIG{PIPE} = 'IGNORE';

# reports of workers that end at the same time must not mix

my $reports = File::Temp->newdir;

$ENV{$_} .= ":log_path=$reports/report"
    for grep { defined $ENV{$_} && $ENV{$_} !~ /log_path/ }
        qw(ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS);

my $slow = NginxControl::slow();

my $mock = MockAPI->start(
    tokens => {
        map({ ("good-$_" => {}) } 1 .. 40),
        map({ ("slow-$_" => { delay => 0.5 }) } 1 .. 20),
        map({ ("gone-$_" => 410) } 1 .. 9),
        'hang'   => { hang => 1 },
        'hang-2' => { hang => 1 },
        'once'   => [ { hang => 1 }, {} ],
    },
);

my $second = MockAPI->start(name => 'SECOND', tokens => { 'only-2' => {} });

# connections to this one go to each worker in turn, more or less

my $spread = $ENV{TEST_NGINX_SPREAD_PORT} = TestPorts::free_port();

my $config = <<'EOC';
    location / { agilicus_token on; try_files /page =404; }
    location = /off {
        agilicus_token on;
        agilicus_token_cache off;
        try_files /page =404;
    }
    location = /free { try_files /page =404; }
EOC


# the parts of a configuration; what is named replaces the default

sub http {
    my (%part) = @_;

    %part = (
        api  => 'http://127.0.0.1:$TEST_NGINX_MOCK_PORT',
        zone => '1m',
        more => '',
        %part,
    );

    return <<"EOC";
        agilicus_token_api $part{api};
        agilicus_token_zone agilicus:$part{zone};
        agilicus_token_api_breaker off;
        agilicus_token_api_rate off;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
        add_header X-Cache \$agilicus_token_cache always;
        $part{more}
        server {
            listen 127.0.0.1:\$TEST_NGINX_SPREAD_PORT reuseport;
            root \$TEST_NGINX_PREFIX/html;
            location / { agilicus_token on; try_files /page =404; }
        }
EOC
}


my $nginx;


sub launch {
    my (%opt) = @_;

    $nginx = NginxProcess->new(
        workers => 2,
        worker_connections => 1024,
        events  => 'accept_mutex off;',
        http    => http(),
        config  => $config,
        %opt,
    );

    $nginx->write_file('html/page', 'page');
    $nginx->start;
}


sub request {
    my ($path, $token, %more) = @_;

    return { path => $path, %more, timeout => 10 * $slow,
             headers => { Authorization => "Bearer $token" } };
}


sub ask { return ($nginx->many([ request(@_) ]))[0] }
sub why { return HttpClient::header($_[0], 'X-Why') }
sub from { return HttpClient::header($_[0], 'X-Cache') }


# a request that is under way

sub begin {
    my ($path, $token, $port) = @_;

    my $c = $port ? HttpClient->new(port => $port)->connect
            : $nginx->connect;

    $c->send("GET $path HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
             . "Authorization: Bearer $token\r\n\r\n");

    return $c;
}


# Reloads.

launch();

is(ask('/', 'good-1')->{status}, 200, 'a token is known');
is(why(ask('/', 'gone-1')), 'revoked/revoked', 'a token is revoked');
is(why(ask('/', 'only-2')), 'invalid/unknown', 'a token is not known');

my $begun;
my @old = $nginx->workers;

$mock->reset;
$nginx->reload;

ok($nginx->wait_gone($_), 'an old worker has gone') for @old;
is(from(ask('/', 'good-1')), 'HIT', 'what is known is known after a reload');
is(why(ask('/', 'gone-1')), 'revoked/revoked', 'so is what is revoked');
is(why(ask('/', 'only-2')), 'invalid/unknown', 'and what is unknown');
is($mock->calls, 0, 'the API was not asked');


# with requests that wait

@old = $nginx->workers;

my @waiting = map { begin($_ % 2 ? '/' : '/off', "slow-$_") } 1 .. 6;

ok($mock->wait_calls(6), 'six requests wait');
push @waiting, map { begin('/', 'slow-1') } 1 .. 4;
$nginx->reload;
push @waiting, map { begin('/', 'slow-1') } 1 .. 4;

is(join(' ', map { $_->read->{status} || 'none' } @waiting),
   join(' ', (200) x 14), 'they and later ones have their answers');
cmp_ok($mock->calls(token => 'slow-1'), '<=', 2, 'the API is not asked more');
ok($nginx->wait_gone($_), 'an old worker has gone') for @old;
is(from(ask('/', 'slow-1')), 'HIT', 'what old workers learned is known');


# to another API, with other options, and back

$nginx->reload(http => http(api => 'http://127.0.0.1:$TEST_NGINX_SECOND_PORT'));
is(why(ask('/', 'good-1')), 'invalid/unknown',
   'another API does not know the token');
is(ask('/', 'only-2')->{status}, 200, 'but others');
is(why(ask('/', 'gone-1')), 'invalid/unknown',
   'what the first has revoked, it has not');

$mock->reset;
$nginx->reload(http => http(more => 'agilicus_token_introspect_options '
                                    . 'exclude_roles=on;'));
is(from(ask('/', 'good-1')), 'MISS', 'with other options it is asked again');
is(why(ask('/', 'gone-1')), 'revoked/revoked', 'a revoked token is not');
is($mock->calls, 1, 'by one call');

$mock->reset;
$nginx->reload(http => http(more => 'agilicus_token_cache_valid active=0 '
                                    . 'invalid=0;'));
is(from(ask('/', 'good-1')), 'MISS', 'new lifetimes count for what is known');
$nginx->reload(http => http());
is(from(ask('/', 'good-1')), 'HIT', 'as do the old ones');
is($mock->calls, 1, 'one call in between');


# to a zone of another size, and under another name

$mock->reset;
is(why(ask('/', 'gone-2')), 'revoked/revoked', 'a token is revoked');

for my $zone ([ '2m', 'larger' ], [ '64k', 'smaller' ]) {
    $nginx->reload(http => http(zone => $zone->[0]));
    is(why(ask('/', 'gone-2')), 'revoked/revoked',
       "it is so in a $zone->[1] zone");
    is(from(ask('/', 'good-1')), 'MISS', 'where other tokens are new');
}

$nginx->reload(http => http(more => 'agilicus_token_zone other:1m; '
                                    . 'agilicus_token_cache other;'));
is(why(ask('/', 'gone-2')), 'revoked/revoked', 'and beside another zone');
is($mock->calls(token => 'gone-2'), 1, 'it was asked about once');


# a credential that changes

my $file = $nginx->write_file('credential', "edge-one\n");

chmod 0600, $file;
$nginx->reload(http => http(more => "agilicus_token_api_credential $file "
                                    . 'introspect;'));
$mock->reset;
is(ask('/', 'good-2')->{status}, 200, 'with a credential');

$nginx->write_file('credential', "edge-two\n");
$nginx->reload;
is(ask('/', 'good-3')->{status}, 200, 'and with a new one');
is(join(' ', map { $_->{header}{authorization} } $mock->requests),
   'Bearer edge-one Bearer edge-two', 'each as it was at the last reload');

$nginx->write_file('credential', "not a token\n");
like($nginx->try_reload, qr/holds no bearer token/,
     'a reload with a broken one fails');
is(why(ask('/', 'gone-2')), 'revoked/revoked', 'and all is as before');


# to nothing that enforces, and back

$nginx->reload(config => 'location / { try_files /page =404; }',
               http => http());
is(ask('/', 'gone-2')->{status}, 200, 'nothing is enforced');
$nginx->reload(config => $config);
is(why(ask('/', 'only-2')), 'invalid/unknown', 'it is again');


# one after the other, under load

my ($asked, $reloads) = (0, 0);

my @jobs = map { [ $_ % 3 ? ('/', 'good-' . (1 + $_ % 40), 200)
                          : ('/', "never-$_", 401) ] } 1 .. 1500;

my @res = $nginx->many([ map { request(@$_[0, 1]) } @jobs ],
    at_once   => 20,
    on_result => sub {
        $nginx->signal('HUP') if ++$asked % 150 == 0 && ++$reloads;
    });

is(scalar(grep { ($res[$_]{status} || 0) != $jobs[$_][2] } 0 .. $#jobs), 0,
   "no wrong verdict in $asked requests and $reloads reloads");

my $until = time + 10 * $slow;

my @children;

sleep 0.02 while (@children = $nginx->children) > 2 && time < $until;

is(scalar @children, 2, 'two workers are left');

SKIP: {
    skip 'memory is another under a sanitizer or valgrind', 1 if $slow > 1;

    my @rss;

    for my $round (1 .. 2) {
        $nginx->reload for 1 .. 10;

        my ($kb) = NginxControl::slurp('/proc/' . $nginx->pid . '/status')
                   =~ /^VmRSS:\s+(\d+)/m;

        push @rss, $kb;
    }

    cmp_ok($rss[1] - $rss[0], '<', 1024, 'the master does not grow');
}


# Ends.

@waiting = map { begin('/', "slow-$_") } 11 .. 14;
ok($mock->wait_calls(1, token => 'slow-14'), 'requests wait');
$nginx->signal('QUIT');
is(join(' ', map { $_->read->{status} || 'none' } @waiting),
   '200 200 200 200', 'before it ends they have their answers');
ok($nginx->wait_gone($nginx->pid), 'then it ends');
is_deeply([ $nginx->problems(allow => [ qr/holds no bearer token/ ]) ], [],
          'and its log is clean');

launch();
@waiting = map { begin($_ % 2 ? '/' : '/off', 'hang') } 1 .. 8;
ok($mock->wait_calls(3, token => 'hang'), 'requests wait in vain');
$begun = time;
$nginx->signal('TERM');
ok($nginx->wait_gone($nginx->pid), 'a quick end');
cmp_ok(time - $begun, '<', 2 * $slow, 'waits for no request');
is_deeply([ $nginx->problems ], [], 'and its log is clean');
$_->close for @waiting;

launch(main => 'worker_shutdown_timeout 300ms;',
       http => http(more => 'agilicus_token_api_timeout 30s;'));
$mock->reset;
@waiting = map { begin($_ % 2 ? '/' : '/off', 'hang-2') } 1 .. 8;
ok($mock->wait_calls(3, token => 'hang-2'), 'requests wait in vain again');
$begun = time;
$nginx->signal('QUIT');
ok($nginx->wait_gone($nginx->pid), 'an end with a limit');
cmp_ok(time - $begun, '<', 2 * $slow, 'waits no longer than that');
is_deeply([ $nginx->problems ], [], 'and its log is clean');
$_->close for @waiting;


# A worker that is shot: another takes its calls over.

launch();
$mock->reset;
@waiting = map { begin('/', 'once', $spread) } 1 .. 24;
ok($mock->wait_calls(1, token => 'once'), 'many wait for one call');
ok($nginx->wait_log(qr/agilicus token waits, joined: 1/), 'and know it');
sleep 0.2;

my ($leader) = $nginx->error_log
               =~ /\[debug\] (\d+)#.*agilicus token waits, joined: 0/;

$begun = time;
$nginx->kill_worker($leader);

my @got = map { $_->read } @waiting;
my @ok = grep { defined $_->{status} } @got;

cmp_ok(scalar @ok, '>', 0, 'some wait at the other worker');
is(scalar(grep { $_->{status} != 200 } @ok), 0, 'they have their answer');
cmp_ok(time - $begun, '<', 2 * $slow, 'soon');
is($mock->calls(token => 'once'), 2, 'by one more call');

is(from(ask('/', 'once')), 'HIT', 'which is known');
$nginx->finish('but for the shot its log is clean',
               allow => [ qr/exited on signal 9/, qr/was locked by/ ],
               secrets => [ qw(good- slow- gone- hang once) ]);


# One process alone.

launch(master => 'off', workers => 1);
is(ask('/', 'good-1')->{status}, 200, 'without a master');
is(why(ask('/', 'gone-3')), 'revoked/revoked', 'it decides the same');

my $c = begin('/', 'slow-15');

ok($mock->wait_calls(1, token => 'slow-15'), 'a request waits');
$nginx->signal('QUIT');
ok($nginx->wait_gone($nginx->pid), 'an end, which waits for no request then');
is_deeply([ $nginx->problems ], [], 'without a complaint');
$c->close;


# A new binary beside the old one.

# a sanitizer is preloaded, into the new one too

launch(daemon => 1,
       main => join '', map { "env $_;" } qw(LD_PRELOAD ASAN_OPTIONS
                                               UBSAN_OPTIONS LSAN_OPTIONS));
is(ask('/', 'good-1')->{status}, 200, 'a daemon');

$mock->script(tokens => { map { ("slow-$_" => { delay => 0.5 }) } 16 .. 20 });
$c = begin('/', 'slow-16');
ok($mock->wait_calls(1, token => 'slow-16'), 'a request waits');
$nginx->upgrade;

for my $token (map { "good-$_" } 1 .. 10) {
    my %seen;

    $seen{ ask('/', $token)->{status} }++ for 1 .. 6;
    is(join(' ', %seen), '200 6', 'both generations know a good token')
        if $token eq 'good-1' || !$seen{200} || $seen{200} != 6;
}

is(why(ask('/', 'gone-4')), 'revoked/revoked', 'and a bad one');
is($c->read->{status}, 200, 'the request has its answer');
$nginx->roll_back;
is(ask('/', 'good-11')->{status}, 200, 'back to the old one');
$nginx->upgrade;
$nginx->retire_old;
is(ask('/', 'good-12')->{status}, 200, 'on to the new one');
is(why(ask('/', 'never')), 'invalid/unknown', 'which refuses as ever');
$nginx->finish(secrets => [ qw(good- slow- gone- never) ]);

done_testing();
