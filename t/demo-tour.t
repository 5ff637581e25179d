#!/usr/bin/perl

# "make demo": the tour gives what it promises, and leaves nothing behind.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use lib dirname(__FILE__) . '/lib';

use TestPorts;

my $top = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{BUILD} || "$top/build";

plan skip_all => 'for the release build only'
    if $ENV{AGILICUS_NGINX_PRELOAD} || $ENV{TEST_NGINX_USE_VALGRIND}
       || ($ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx') ne '/usr/sbin/nginx';

for my $file (qw(ngx_agilicus_token_module.so agilicus-authority)) {
    plan skip_all => "$file is not built" if !-e "$build/$file";
}

my $tmp = tempdir('agilicus-demo-XXXXXX', TMPDIR => 1, CLEANUP => 1);


# Starts the demo as a job of its own, with what it says in a file.

sub start {
    my (%opt) = @_;

    my $log = "$opt{dir}.log";
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        setpgrp;
        delete @ENV{qw(DEMO_ONCE MAKEFLAGS)};
        $ENV{BUILD} = $build;
        $ENV{DEMO_DIR} = $opt{dir};
        $ENV{DEMO_PORT} = $opt{port};
        $ENV{DEMO_ONCE} = 1 if $opt{once};

        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;


        # a shell cannot trap what it was started to ignore

        $SIG{INT} = 'DEFAULT';

        exec @{ $opt{as} || [] }, "$top/scripts/demo" or POSIX::_exit(127);
    }

    return { pid => $pid, log => $log, port => $opt{port} };
}


# Its exit status once it has ended, or undef

sub ended {
    my ($demo, $seconds) = @_;

    my $until = time + $seconds;

    while (time < $until) {
        return $? if waitpid($demo->{pid}, WNOHANG) == $demo->{pid};
        sleep 0.05;
    }

    kill 'KILL', -$demo->{pid};
    waitpid $demo->{pid}, 0;

    return undef;
}


sub said {
    my ($demo) = @_;

    open my $fh, '<', $demo->{log} or return '';
    local $/;

    return scalar(<$fh>) // '';
}


# No process of the demo is left: all of them are in its group

sub nothing_left {
    my ($demo) = @_;

    my $until = time + 5;

    sleep 0.05 while kill(0, -$demo->{pid}) && time < $until;

    ok(!kill(0, -$demo->{pid}), 'no process is left');
    ok(!IO::Socket::INET->new("127.0.0.1:$demo->{port}"),
       'no process listens any more');
}


sub is_a_good_tour {
    my ($demo) = @_;

    my $text = said($demo);

    ok($text =~ /^Everything was as promised: \d+ answers\./m
       && $text !~ /NOT as promised/, 'every step is as promised')
        or diag($text);

    my @promised = $text =~ /^   as promised: (\d+)$/mg;

    is_deeply([ sort keys %{ { map { $_ => 1 } @promised } } ],
              [ 200, 204, 401, 403 ], 'allowed, refused, forbidden, revoked');

    unlike($text, qr/eyJ[\w-]{20}/, 'no token is shown');

    my ($dashboard) = $text =~ m{\A\s*Dashboard: (http://127\.0\.0\.1:\d+/\S+)\n};

    ok($dashboard, 'the address of the dashboard comes first') or diag($text);

    my ($summary) = $text =~ /^(Everything was as promised: \d+ answers\..*)\z/ms;
    my @lines = split /\n/, $summary // '';

    cmp_ok(scalar @lines, '<=', 10, 'the summary has ten lines')
        or diag($summary);
    is_deeply([ grep { length > 80 } @lines ], [], '... of 80 columns');
    is((grep { /^  dashboard +(\S+)$/ } @lines)[0] =~ s/^  dashboard +//r,
       $dashboard, '... with the dashboard');
    like($summary, qr/: ${\scalar @promised} answers\./, '... and their number');

    return @lines;
}


# What the summary gives to paste works as it stands: the status of a request
# stands beside its user, and the log and the settings are there.

sub can_be_pasted {
    my (@lines) = @_;

    my %status = map { /^  (\w+), (\d+) +(curl .*)$/ ? ($1 => [ $2, $3 ]) : () }
                 @lines;

    is_deeply([ sort keys %status ], [ qw(Amelia Ben Chloe Dev nobody) ],
              'one command for each user');

    for my $user (sort keys %status) {
        my ($wanted, $command) = @{ $status{$user} };

        like(`$command -s`, qr{\AHTTP/1\.1 $wanted }, "$command: $wanted");
    }

    my ($sign_out) = map { /^  sign Dev out (.*)$/ } @lines;

    like(`$sign_out -s`, qr{\AHTTP/1\.1 204 }, "$sign_out: 204");
    like(`$status{Dev}[1] -s`, qr{\AHTTP/1\.1 401 }, '... and Dev is out');

    my ($dashboard) = map { /^  dashboard +(.*)$/ } @lines;

    like(`curl -s -H 'Accept: text/html' $dashboard`, qr{<html.*</html>}s,
         'the dashboard is a page');

    my ($log) = map { /^  log +(.*)$/ } @lines;

    like(`$log`, qr{"GET /api/hello" 401 verdict=revoked}, $log);

    my ($settings) = map { /^  settings +(.*)$/ } @lines;

    ok(-s $settings, $settings);

    # tokens are for the user who has started the demo

    for my $file (map { /curl -iK (\S+)/ } @lines) {
        is((stat $file)[2] & 077, 0, "$file is private");
    }
}


subtest 'the tour' => sub {
    my $demo = start(dir => "$tmp/once", port => TestPorts::free_port(),
                     once => 1);

    is(ended($demo, 60), 0, 'ends well');
    is_a_good_tour($demo);
    nothing_left($demo);

    done_testing;
};


subtest 'it keeps running until Ctrl-C' => sub {
    my $demo = start(dir => "$tmp/on", port => TestPorts::free_port());
    my $until = time + 60;

    sleep 0.1 while said($demo) !~ /^  settings /m && time < $until;

    can_be_pasted(is_a_good_tour($demo));

    ok(IO::Socket::INET->new("127.0.0.1:$demo->{port}"), 'it is there');

    sleep 0.5;
    is(waitpid($demo->{pid}, WNOHANG), 0, 'and stays');

    # as a terminal does it: to all of them

    kill 'INT', -$demo->{pid};

    is(ended($demo, 20), 0, 'and ends well');
    nothing_left($demo);

    done_testing;
};


subtest 'a port that is taken' => sub {
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1:0', Listen => 1);
    my $demo = start(dir => "$tmp/taken", port => $taken->sockport, once => 1);

    isnt(ended($demo, 20), 0, 'it fails');
    like(said($demo), qr/port \d+ of 127\.0\.0\.1 is in use.*DEMO_PORT=/,
         'and says so');

    done_testing;
};


subtest 'as a normal user' => sub {
    plan skip_all => 'not root' if $> != 0;

    my @as = qw(setpriv --reuid=65534 --regid=65534 --clear-groups);

    plan skip_all => 'others cannot read the tree'
        if system("@as test -r '$top/conf/demo.conf' "
                  . "-a -r '$build/ngx_agilicus_token_module.so' "
                  . "-a -x '$build/agilicus-authority' 2>/dev/null");

    chmod 0711, $tmp;
    mkdir "$tmp/user" or die "$tmp/user: $!\n";
    chown 65534, 65534, "$tmp/user";

    my $demo = start(dir => "$tmp/user/demo", port => TestPorts::free_port(),
                     once => 1, as => \@as);

    is(ended($demo, 60), 0, 'ends well');
    is_a_good_tour($demo);
    nothing_left($demo);

    done_testing;
};


done_testing;
