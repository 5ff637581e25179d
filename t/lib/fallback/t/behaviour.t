use strict;
use warnings;

# What the stand-in does around blocks: starting, failing to, reloading,
# meta sections, hooks, and leaving nothing behind.

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use Test::More;
use Time::HiRes qw(time sleep);

use lib abs_path(dirname(__FILE__) . '/../..');

use NginxControl;
use TapRun;
use TestPorts;

my $ok = "--- config\n    location = /t { return 200 ok; }\n"
         . "--- request\nGET /t\n--- response_body: ok\n";


sub names {
    my ($run) = @_;

    return join ' ', map { $_->{name} =~ /(TEST \d+)/ } @{ $run->{tests} };
}


# nginx that does not start

{
    my $run = TapRun::blocks("=== TEST 1: bad\n--- config\n    bogus;\n"
                             . "--- request\nGET /t\n\n\n\n"
                             . "=== TEST 2: good\n$ok");

    is($run->{not_ok}, 1, 'a block that cannot start fails once');
    like($run->{output}, qr/not ok 1 .*TEST 1.*nginx did not start/,
         'saying so');
    like($run->{output}, qr/unknown directive "bogus"/, 'and why');
    is($run->{ok}, 2, 'the next one runs');
}

{
    my $dir = File::Temp->newdir;
    my $fake = "$dir/nginx";

    open my $fh, '>', $fake or die;
    print $fh "#!/bin/sh\ncase \$1 in -v|-V) echo 'nginx version: "
              . "nginx/1.22.1' >&2; exit 0;; esac\nexec sleep 60\n";
    close $fh;
    chmod 0755, $fake;

    my $from = time;
    my $run = TapRun::blocks("=== TEST 1: hangs\n$ok",
        env => { TEST_NGINX_BINARY => $fake, AGILICUS_TEST_SLOW => 0.1 });

    cmp_ok(time - $from, '<', 10, 'an nginx that hangs does not hang us');
    like($run->{output}, qr/not ok 1.*neither started nor failed/,
         'it is reported');
}

{
    my $run = TapRun::blocks("=== TEST 1: x\n$ok",
        env => { TEST_NGINX_BINARY => '/nowhere/nginx' });

    isnt($run->{status}, 0, 'no nginx is an error');
    like($run->{errors}, qr{cannot find or run nginx.*/nowhere/nginx},
         'that names it');
}


# blocks that cannot be understood

for my $case (
    [ "--- config\n--- request\nGET / HTTP/1.1 x\n",
      qr/Request line is not valid/ ],
    [ "--- config\n    return 200 \$TEST_NGINX_NOT_THERE;\n--- request\nGET /",
      qr/No environment TEST_NGINX_NOT_THERE/ ],
    [ "--- config\n", qr/request empty/ ],
    [ "--- config\n--- request\nGET /\n--- grep_error_log: x\n",
      qr/go together/ ],
    [ "--- config\n--- request eval\n['GET /', 'GET /']\n"
      . "--- response_body: x\n", qr/must be an array/ ],
    [ "--- config\n--- request\nGET /\n--- tcp_listen: 1\n",
      qr/without --- tcp_reply/ ],
    [ "--- config\n--- request\nGET /\n--- http2\n", qr/not supported/ ],
    [ "--- request\nGET /\n", qr/no --- config section/ ],
) {
    my ($text, $why) = @$case;
    my $run = TapRun::blocks("=== TEST 1: bad\n$text\n");

    like($run->{output}, qr/^not ok \d+ .*TEST 1.*$why/m, "reported: $why");
}

for my $case (
    [ "--- config eval\n1 +\n", qr/--- config in 'TEST 1: bad': syntax/ ],
    [ "--- config nofilter\nx\n", qr/no filter 'nofilter'/ ],
    [ "--- error_code: 200\nmore\n", qr/extra lines after/ ],
) {
    my ($text, $why) = @$case;
    my $run = TapRun::blocks("=== TEST 1: bad\n$text");

    like($run->{errors}, $why, "the file ends: $why");
    isnt($run->{status}, 0, 'with an error');
}


# a plan that is not kept

for my $plan (1, 3) {
    my $run = TapRun::blocks("=== TEST 1: x\n$ok", plan => $plan);

    isnt($run->{status}, 0, "two tests where $plan are planned are an error");
    like($run->{errors}, qr/planned $plan tests? but ran 2/, 'that is told');
}


# meta sections, order, filters of the file

{
    my @blocks = map { "=== TEST $_: x\n$ok" } 1 .. 4;
    my $sep = "\n\n\n";

    my $run = TapRun::blocks(join $sep, $blocks[0], "$blocks[1]--- SKIP",
                                        $blocks[2]);

    is(names($run), 'TEST 1 TEST 1 TEST 3 TEST 3', 'SKIP');

    $run = TapRun::blocks(join $sep, $blocks[0], "$blocks[1]--- LAST",
                                     $blocks[2]);
    is(names($run), 'TEST 1 TEST 1 TEST 2 TEST 2', 'LAST');

    $run = TapRun::blocks(join($sep, $blocks[0], "$blocks[1]--- ONLY",
                               $blocks[2]),
                          plan => 'repeat_each() * (blocks() * 2)');
    is(names($run), 'TEST 2 TEST 2', 'ONLY');
    is($run->{planned}, 2, 'and blocks() counts what is left');
}

{
    my $run = TapRun::blocks(<<'EOB', head => <<'EOH');
=== TEST 1: filters
--- config
    location = /t { return 200 "$arg_x"; }
--- request quoted
GET /t?x=_
--- response_body -trim chop shout
go_

EOB
our $n = 0;
sub quoted { my ($s) = @_; $s =~ s/_/1/; $s }
sub shout { my ($s) = @_; return $s =~ /^go_\n?$/ ? '1x' : 'bad' }
add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(response_body => '1') if $block->response_body eq '1x';
    $n += $block->name eq 'TEST 1: filters';
});
add_block_preprocessor(sub { $n = 10 if !$n });
add_cleanup_handler(sub { print "# cleaned up, n=$n\n" });
add_test_cleanup_handler(sub { print "# after ", $_[0]->name, "\n" });
EOH

    is($run->{not_ok}, 0, "functions of the file are filters")
        or diag $run->{output};
    like($run->{output}, qr/^# after .*TEST 1.*^# cleaned up, n=11$/ms,
         'preprocessors in their order, cleanup handlers');
}

{
    my $run = TapRun::script(<<'EOP', use => '');
use Test::Nginx::Socket tests => 2;
no_root_location();
workers(2); master_on(); worker_connections(128); log_level('warn');
config_preamble("set \$p pre;");
env_to_nginx("FOO=a b", "BAR=c");
run_tests();
__DATA__

=== TEST 1: settings
--- config
    location / { return 200 $p; }
--- request
GET /
--- response_body: pre
--- init
open my $f, '<', server_root() . '/conf/nginx.conf'; my $c = join '', <$f>;
print "# $_\n" for grep { $c !~ /\Q$_/ } "worker_processes 2;",
    "listen 127.0.0.1:", "master_process on;", "worker_connections 128;",
    "error.log warn;", "env 'FOO=a b';", "env BAR=c;"
EOP

    is($run->{ok}, 2, 'settings') or diag $run->{output};
    unlike($run->{output}, qr/^# /m, 'are all in the configuration');
}


# reloading

{
    my $run = TapRun::blocks(<<'EOB', env => { TEST_NGINX_USE_HUP => 1 });
=== TEST 1: one
--- config
    location = /t { return 200 one; }
    location = /pid { return 200 $pid; }
--- request
GET /t
--- response_body: one



=== TEST 2: two
--- config
    location = /t { return 200 two; }
--- request
GET /t
--- response_body: two
--- no_error_log
[error]



=== TEST 3: fails
--- config
    location = /t { return 200 three; }
    bogus;
--- request
GET /t
--- reload_fails
--- response_body: two
--- error_log
unknown directive "bogus"



=== TEST 4: dies
--- config
    bogus;
--- must_die
--- error_log
unknown directive "bogus"



=== TEST 5: again
--- config
    location = /t { return 200 five; }
--- request
GET /t
--- response_body: five
EOB

    is($run->{not_ok}, 0, 'HUP in place of a restart') or diag $run->{output};
    is($run->{ok}, 12, 'with all subtests');
}


# the worker's user can read the server root

SKIP: {
    skip 'needs root', 1 if $> != 0;

    my $run = TapRun::blocks(
        "=== TEST 1: user\n--- config\n--- request\nGET /index.html\n",
        head => 'umask 077; master_on();',
        env  => { TEST_NGINX_WORKER_USER => 'nobody nogroup' });

    is($run->{ok}, 1, 'a worker run by nobody reads its files')
        or diag $run->{output};
}


# nothing stays, even if the test file is killed

sub left_of {
    my ($root) = @_;

    my @pids;

    for my $path (glob '/proc/[0-9]*') {
        open my $fh, '<', "$path/cmdline" or next;
        my $line = do { local $/; <$fh> };

        push @pids, $path =~ /(\d+)/
            if defined $line && $line =~ /\Q$root\E/
               && NginxControl::alive($path =~ /(\d+)/) && "/proc/$$" ne $path;
    }

    return @pids;
}

{
    my $dir = File::Temp->newdir;

    chmod 0755, "$dir";

    my $file = "$dir/x.t";
    my $lib = abs_path(dirname(__FILE__) . '/../..');

    open my $fh, '>', $file or die;
    print $fh <<"EOP";
use lib '$lib/fallback', '$lib';
use Test::Nginx::Socket 'no_plan';
run_tests();
__DATA__

=== TEST 1: waits
$ok--- init
open my \$f, '>', '$dir/ready'; close \$f; sleep 30;
EOP
    close $fh;

    my $pid = fork;

    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        $ENV{TEST_NGINX_SERVROOT} = "$dir/servroot";
        $ENV{TEST_NGINX_PORT} = TestPorts::free_port();
        $ENV{TEST_NGINX_BINARY} ||= '/usr/sbin/nginx';
        exec $^X, $file;
    }

    my $until = time + 10;

    sleep 0.01 while !-e "$dir/ready" && time < $until;

    my @before = left_of("$dir/servroot");

    cmp_ok(scalar @before, '>', 0, 'nginx runs');

    kill 'KILL', $pid;
    waitpid $pid, 0;

    $until = time + 10;
    sleep 0.02 while left_of("$dir/servroot") && time < $until;

    is(scalar left_of("$dir/servroot"), 0,
       'it is ended when the test file is killed');
}

done_testing();
