use strict;
use warnings;

# What the system does not give: descriptors, connections, and names.

use File::Temp;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();
my $mock = MockAPI->start(default => { close => 1 });
my $nginx;


sub launch {
    my (%opt) = @_;

    my $http = delete $opt{more} || '';

    $nginx = NginxProcess->new(
        http => <<"EOC",
            agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
            agilicus_token_api_breaker off;
            add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                       always;
            $http
EOC
        config => <<'EOC',
            location / { agilicus_token on; try_files /page =404; }
            location = /free { try_files /page =404; }
            location = /named {
                agilicus_token on;
                agilicus_token_api https://api.test-name.example;
                try_files /page =404;
            }
EOC
        %opt,
    );

    $nginx->write_file('html/page', 'page');
    $nginx->start;
}


sub request {
    my ($path, $token, %more) = @_;

    return { path => $path, %more, timeout => 30 * $slow,
             headers => { Authorization => "Bearer $token" } };
}


sub why { return HttpClient::header($_[0], 'X-Why') }


# A request that has come in half while there was something left; those that
# take the rest are in the middle of a request too, or nginx would end them.

sub squeezed {
    my ($what, $n, $sign) = @_;

    my $c = $nginx->connect;

    $c->send("GET / HTTP/1.1\r\nHost: a\r\n");
    sleep 0.1 * $slow;

    my @idle;

    for (1 .. $n) {
        my $idle = $nginx->connect or last;

        $idle->send('GET /');
        push @idle, $idle;
        sleep 0.01 * $slow;
    }

    ok($nginx->wait_log($sign), "$what have run out");
    sleep 0.1 * $slow;
    $c->send("Authorization: Bearer squeezed-1\r\n\r\n");

    my $res = $c->read;

    is($res->{status}, 503, 'the API cannot be asked');
    like(why($res), qr{^unavailable/(?:connect|transport|timeout|internal)$},
         'for want of a connection');

    $_->close for @idle;
    sleep 0.2 * $slow;

    is($c->request(GET => '/', headers => {
                       Authorization => 'Bearer squeezed-2' })->{status},
       200, 'afterwards it can');
    is(($nginx->many([ request('/', 'squeezed-3') ]))[0]{status}, 200,
       'by everybody');
    $c->close;
}


launch(main => 'worker_rlimit_nofile 64;');
squeezed('descriptors', 64, qr/accept4?\(\) failed \(24: /);
$nginx->finish('and nothing is left behind',
               allow => [ qr/accept4?\(\) failed \(24: Too many open files\)/,
                          qr/socket\(\) failed \(24: Too many open files\)/,
                          qr/worker_connections exceed open file/ ],
               secrets => [ 'squeezed-' ]);

launch(worker_connections => 24);
squeezed('connections', 24, qr/worker_connections are not enough/);
$nginx->finish('and nothing is left behind here',
               allow => [ qr/worker_connections are not enough/ ],
               secrets => [ 'squeezed-' ]);


# A name server that says nothing, in a file system of its own

SKIP: {
    my $dns = IO::Socket::INET->new(LocalAddr => '127.0.0.9', LocalPort => 53,
                                    Proto => 'udp');
    my $conf = File::Temp->new;

    chmod 0644, "$conf";
    print $conf "nameserver 127.0.0.9\noptions timeout:3 attempts:2\n";
    close $conf;

    my @command = ('unshare', '-m', 'sh', '-c',
                   "mount --bind $conf /etc/resolv.conf && exec \"\$@\"", 'sh');

    skip 'not root, or no name server of our own', 6
        if !$dns || system("@command[0 .. 3] 'mount --bind $conf "
                           . "/etc/resolv.conf' >/dev/null 2>&1") != 0;

    launch(command => \@command,
           more    => 'agilicus_token_api_timeout 600ms;');

    # a worker begins by reading the authorities of the system

    $nginx->many([ request('/free', 'x') ]);

    my @res = $nginx->many([
        (map { request('/named', "unresolved-$_") } 1 .. 5),
        (map { request('/free', 'x', delay => 0.03 * $_) } 1 .. 20),
    ]);

    is(scalar(grep { why($_) ne 'unavailable/timeout' } @res[0 .. 4]), 0,
       'a name is waited for no longer than for an answer');
    is(scalar(grep { $_->{latency} > 0.6 + 0.5 * $slow } @res[0 .. 4]), 0,
       'not a second');
    is(scalar(grep { $_->{status} != 200 } @res[5 .. 24]), 0,
       'others are served');
    cmp_ok(scalar(grep { $_->{latency} > 0.15 * $slow } @res[5 .. 24]), '<=', 5,
           'and not held up');

    my $begun = time;

    $nginx->finish('and it ends', secrets => [ 'unresolved-' ]);
    cmp_ok(time - $begun, '<', 2 * $slow, 'without waiting for the name');
}

done_testing();
