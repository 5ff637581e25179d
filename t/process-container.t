#!/usr/bin/perl

# The configuration of conf/container, as a container runs it: by a user without
# rights, on a root that cannot be written to, with a /tmp of its own.  Mounts
# and users of their own stand for a container engine; ports and paths differ.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Authority;
use HttpClient;
use TestPorts qw(free_ports);

use constant NOBODY => 65534;

my $top = abs_path(dirname(__FILE__) . '/..');
my $module = $ENV{AGILICUS_MODULE}
             || ($ENV{BUILD} || "$top/build") . '/ngx_agilicus_token_module.so';
my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

plan skip_all => 'for the release build only'
    if $ENV{AGILICUS_NGINX_PRELOAD} || $ENV{TEST_NGINX_USE_VALGRIND};

# the root becomes read-only, also below it

my $MOUNTS = 'mount --make-rprivate / && mount --rbind / /mnt &&'
             . ' mount -o remount,bind,ro /mnt && mount -t tmpfs none /mnt/tmp'
             . ' && ';

plan skip_all => 'only root can make mounts of its own here'
    if $> != 0 || system('unshare', '--mount', 'sh', '-c', "$MOUNTS true") != 0
       || system('command -v setpriv >/dev/null') != 0;

my ($port, $app) = free_ports(2);
my $authority = start();
my $good = issue('sub=ben.osei,org=riverton');
my $revoked = issue('sub=ben.osei,org=riverton,revoked=1');


sub changed {
    my ($name) = @_;
    my $text = slurp("$top/conf/container/$name");

    $text =~ s{modules/ngx_agilicus_token_module\.so}{/tmp/module.so};
    $text =~ s{/dev/stdout}{/tmp/access.log};
    $text =~ s{\b8080\b}{127.0.0.1:$port}g;
    $text =~ s{127\.0\.0\.1:8081}{127.0.0.1:$app}g;
    $text =~ s{include  site\.conf;}{agilicus_token_api $authority->{url};
        server { listen 127.0.0.1:$app; return 200 app; }
        $&};

    return $text;
}


# the files are put into /tmp, which only the namespace sees, before rights go

spew("$dir/nginx.conf", changed('nginx.conf'));
spew("$dir/site.conf", changed('site.conf'));
system('cp', $module, "$dir/module.so") == 0 or die "cp failed\n";

my $log = "$dir/log";
my $pid = fork // die "fork: $!\n";

if (!$pid) {
    open STDOUT, '>', $log or die;
    open STDERR, '>&', \*STDOUT or die;
    open STDIN, '<', '/dev/null' or die;

    exec 'unshare', '--mount', 'sh', '-c',
         'cp -r "$1" /dev/shm/agilicus-$$ && ' . $MOUNTS
         . 'chmod 1777 /mnt/tmp && cp /dev/shm/agilicus-$$/*.* /mnt/tmp/ &&'
         . ' rm -rf /dev/shm/agilicus-$$ && chmod 644 /mnt/tmp/*.* &&'
         . ' exec chroot /mnt setpriv --reuid=' . NOBODY . ' --regid=' . NOBODY
         . ' --clear-groups --no-new-privs --bounding-set=-all'
         . ' --inh-caps=-all "$2" -e stderr -c /tmp/nginx.conf',
         'sh', $dir, $nginx;
    exit 127;
}

my $http = HttpClient->new(port => $port);


sub status_of {
    my ($path, $token) = @_;
    my $res = $http->get($path, defined $token
        ? (headers => { Authorization => "Bearer $token" }) : ());

    return $res->{status} // $res->{error};
}


sub master_says {
    my ($word) = @_;

    open my $fh, '<', "/proc/$pid/status" or return '';

    return join '', map { /^$word:\s*(.*)/ ? $1 : () } <$fh>;
}


my $until = time + 20 * $Authority::slower;

sleep 0.05 until status_of('/health') eq 204 || time > $until;

is(status_of('/health'), 204, 'nginx runs') or diag(slurp($log));
like(master_says('Uid'), qr/^65534\t65534\t65534/, 'as a user without rights');
like(master_says('CapEff'), qr/^0+$/, '... and without a capability');
like(slurp("/proc/$pid/mountinfo"), qr{^\d+ \d+ \S+ \S+ / ro[, ]}m,
     '... on a root that cannot be written to');

is(status_of('/'), 401, 'no token');
is(status_of('/', $good), 200, 'a good token');
is(status_of('/', $revoked), 401, 'a revoked token');
is($http->request(POST => '/', body => 'x' x 100000,
                  headers => { Authorization => "Bearer $good" })->{status},
   200, 'a body that goes into a file');

kill HUP => $pid;
sleep 0.5;
is(status_of('/', $good), 200, 'a good token after a reload');
is(status_of('/'), 401, 'no token after a reload');

kill QUIT => $pid;

$until = time + 10 * $Authority::slower;
my $gone = 0;

until ($gone || time > $until) {
    $gone = waitpid($pid, 1) == $pid;
    sleep 0.05 if !$gone;
}

ok($gone && $? == 0, 'it ends when it is told to') or kill KILL => $pid;
unlike(slurp($log), qr/\[(?:emerg|alert|crit|error)\]/, 'nothing is wrong');
stops($authority, 'the authority');


# what the Containerfile names is there

my $text = slurp("$top/conf/container/Containerfile");

is_deeply([ grep { !-e "$top/$_" } $text =~ m{\b((?:conf|scripts)/[\w./-]+)}g ],
          [], 'the Containerfile names files that exist');
like($text, qr/^USER www-data$/m, '... and runs nginx without rights');

done_testing;
