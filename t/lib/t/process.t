use strict;
use warnings;

# NginxProcess and HttpClient against an nginx without our module.

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;
use Time::HiRes qw(sleep time);

use lib abs_path(dirname(__FILE__) . '/..');

use NginxControl;
use NginxProcess;
use TapRun;

my $config = <<'EOC';
location /t { return 200 "pid $pid\n"; }
location /slow { proxy_pass http://127.0.0.1:$TEST_NGINX_SLOW_PORT; }
location /env { return 200 "$http_x|$server_port|$TEST_NGINX_SERVER_PORT"; }
EOC

# a backend that says nothing

my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 100);

$ENV{TEST_NGINX_SLOW_PORT} = $silent->sockport;

my $nginx = NginxProcess->new(module => 0, workers => 2, config => $config);

is($nginx->test_config->{code}, 0, 'the configuration is good');

my $from = time;

$nginx->start;
cmp_ok(time - $from, '<', 2, 'starts at once');
ok($nginx->running, 'runs');
is(scalar(() = $nginx->workers), 2, 'two workers');
ok(NginxControl::alive($nginx->pid), 'and a master');

like($nginx->get('/t')->{body}, qr/^pid \d+$/, 'GET');
is($nginx->get('/env', headers => { X => 'y' })->{body},
   join('|', 'y', $nginx->port, $nginx->port), 'headers and variables');
is($nginx->request(HEAD => '/t')->{body}, '', 'HEAD');
is($nginx->raw("GET /t HTTP/1.0\r\n\r\n")->{status}, 200, 'raw');
is($nginx->raw("GET /t HTTP/1.1\r\n\r\n")->{status}, 400, 'raw and wrong');


# a connection

my $c = $nginx->connect;

is(join(' ', map { $c->request(GET => $_)->{status} } qw(/t /none /t)),
   '200 404 200', 'keep-alive');
$c->send("GET /t HT");
is($c->read_some(0.05), '', 'half a request');
$c->send("TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
is($c->read->{status}, 200, 'and the rest');
ok($c->closed(1), 'then it is closed');


# many

my $n = 0;
my @res = $nginx->many([ map { { path => "/t?$_" } } 1 .. 300 ],
                       at_once => 50, on_result => sub { $n++ });

is(scalar(grep { !$_->{error} && $_->{status} == 200 } @res), 300,
   'three hundred requests');
is($n, 300, 'each reported');
ok(!grep({ $_->{latency} <= 0 } @res), 'with a latency');

$nginx->mark;
$from = time;
@res = $nginx->many([
    { path => '/slow', abort => 0.1 },
    { path => '/slow', abort => 0.1, reset => 1 },
    { path => '/slow', timeout => 0.2 },
    { path => '/t', delay => 0.1 },
    { raw => "GET /t HTTP/1.1\r\nHost: x\r\n\r\n" },
    { path => '/none' },
]);

is(join(' ', map { $_->{error} || $_->{status} } @res),
   'aborted aborted timeout 200 200 404', 'as each was told');
cmp_ok(time - $from, '<', 1.5, 'all together');
ok($nginx->wait_log(qr/client prematurely closed connection/),
   'nginx saw them leave');
is($nginx->new_log =~ /GET \/none/ ? 1 : 0, 1, 'the log since the mark');
ok(!$nginx->wait_log(qr/no such line/, 0.05), 'and what is not in it');

is(HttpClient->new(port => TestPorts::free_port())->get('/')->{error},
   'connect', 'no server there');


# life

my @before = $nginx->workers;

ok($nginx->reload(config => 'location /t { return 200 two; }'), 'reload');

my @after = $nginx->workers;

is(scalar @after, 2, 'two new workers');
ok(!grep({ my $pid = $_; grep { $_ == $pid } @before } @after),
   'and no old one');
is($nginx->get('/t')->{body}, 'two', 'with the new configuration');

like($nginx->try_reload(config => 'bogus;'),
     qr/refused to reload.*unknown directive "bogus"/, 'a reload refused');
is($nginx->get('/t')->{body}, 'two', 'changes nothing');
is($nginx->test_config->{code}, 1, 'the test of it fails');
like($nginx->test_config->{output}, qr/"bogus"/, 'and says why');

my @replaced = $nginx->kill_worker($after[0]);

is(scalar @replaced, 2, 'a killed worker is replaced');
ok(!NginxControl::alive($after[0]), 'it is gone');

my @problems = $nginx->problems;

ok(scalar(grep { /exited on signal 9/ } @problems), 'alerts are problems');
is(scalar $nginx->problems(allow => [ qr/signal 9/, qr/bogus/ ]), 0,
   'unless allowed');

$nginx->configure(config => '');
$nginx->finish('finish with what is allowed',
               allow => [ qr/signal 9/, qr/bogus/ ]);
ok(!$nginx->running, 'it is over');

like(NginxProcess->new(module => 0, config => 'bogus;')->try_start,
     qr/did not start.*unknown directive "bogus"/s, 'a failure to start');


# single process, own configuration, environment

my $single = NginxProcess->new(
    module  => 0,
    main    => 'env FOO;',
    master  => 'off',
    config  => 'location /t { return 200 $pid; }',
    env     => { FOO => 'bar' },
    command => [ 'env', 'BAR=baz' ],
)->start;

is($single->get('/t')->{body}, $single->pid, 'without a master');
like(NginxControl::slurp('/proc/' . $single->pid . '/environ'),
     qr/BAR=baz/, 'a command before it');
$single->finish;

my $own = NginxProcess->new(conf => <<'EOC')->start;
daemon off;
error_log @PREFIX@/logs/error.log;
pid @PREFIX@/logs/nginx.pid;
events {}
http { access_log off; server { listen 127.0.0.1:@PORT@; return 204; } }
EOC

is($own->get('/')->{status}, 204, 'a configuration of its own');
$own->finish;


# binary upgrade

my $daemon = NginxProcess->new(module => 0, daemon => 1,
    config => 'location /t { return 200 ok; }')->start;
my $first = $daemon->pid;

isnt($daemon->upgrade, $first, 'a new master');
ok(NginxControl::alive($first), 'beside the old one');
is($daemon->get('/t')->{status}, 200, 'both serve');
$daemon->retire_old;
ok(!NginxControl::alive($first), 'the old one leaves');
is($daemon->get('/t')->{status}, 200, 'the new one serves');

my $second = $daemon->pid;

$daemon->upgrade;
$daemon->roll_back;
is($daemon->pid, $second, 'back');
is($daemon->get('/t')->{status}, 200, 'to the server before');
$daemon->finish;


# finish fails where it should

for my $case (
    [ 'ended by itself', 'kill KILL => $n->pid; $n->wait_gone($n->pid);' ],
    [ 'a bad line', 'open my $f, ">>", $n->prefix . "/logs/error.log";
                     print $f "1 [alert] a bad line\n"; close $f;' ],
    [ 'did not quit, it took TERM',
      'my $c = $n->connect; $c->send("GET /slow HTTP/1.0\r\n\r\n"); sleep 1;' ],
) {
    my ($what, $do) = @$case;
    my $slow = 'location /slow { proxy_pass http://127.0.0.1:'
               . $silent->sockport . '; }';
    my $run = TapRun::script(<<"EOP", use => 'AgilicusTest',
use Test::More tests => 1;
use NginxProcess;
my \$n = NginxProcess->new(module => 0, config => '$slow')->start;
$do
\$n->finish('finish');
File::Path::remove_tree(\$n->prefix);
EOP
                             env => { AGILICUS_TEST_SLOW => 0.2 });

    is($run->{not_ok}, 1, "finish fails: $what");
    like($run->{output} . $run->{errors}, qr/\Q$what\E/, 'and tells');
}

for my $case (
    [ 'an alert', '[alert]', 1, 'fails the file' ],
    [ 'an error', '[error]', 0, 'does not' ],
) {
    my ($what, $line, $fails, $title) = @$case;
    my $run = TapRun::script(<<"EOP", use => 'AgilicusTest');
use Test::More tests => 1;
use NginxProcess;
my \$n = NginxProcess->new(module => 0)->start;
open my \$f, '>>', \$n->prefix . '/logs/error.log';
print \$f "1 $line a line\\n";
close \$f;
\$n->stop;
ok(1);
File::Path::remove_tree(\$n->prefix) if !$fails;
EOP

    my ($dir) = $run->{errors} =~ m{never finished: (\S*/servroot-[-\d]+)$}m;

    is(defined $dir ? 1 : 0, $fails, "$what that no finish looks for $title");
    is($run->{status} != 0 ? 1 : 0, $fails, 'as the status says');
    File::Path::remove_tree($dir) if defined $dir;
}

my $dirs = join ' ', grep { -d } map { $_->prefix } $nginx, $single;

like($dirs, qr/servroot/, 'folders stay until the end');

done_testing();
