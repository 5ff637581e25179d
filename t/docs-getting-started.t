#!/usr/bin/perl

# docs/getting-started.md: each command is run, and has the answer that stands
# behind it.  Ports are the only thing that is changed.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use lib dirname(__FILE__) . '/lib';

use NginxControl;
use PageCommands;
use TestPorts;

my $top = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{BUILD} || "$top/build";

plan skip_all => 'for the release build only'
    if $ENV{AGILICUS_NGINX_PRELOAD} || $ENV{TEST_NGINX_USE_VALGRIND}
       || ($ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx') ne '/usr/sbin/nginx';

for my $file (qw(ngx_agilicus_token_module.so agilicus-authority)) {
    plan skip_all => "$file is not built" if !-e "$build/$file";
}


# a checkout with a build folder and ports of its own

my $tmp = tempdir('agilicus-start-XXXXXX', TMPDIR => 1, CLEANUP => 1);

chmod 0755, $tmp;
make_path("$tmp/build", "$tmp/conf/include");

my %port = map { $_ => TestPorts::free_port() } 8080, 8081, 8089;

sub change {
    my ($text) = @_;

    return $text =~ s{127\.0\.0\.1:(80\d\d)}{127.0.0.1:$port{$1}}gr;
}

for my $file (qw(ngx_agilicus_token_module.so agilicus-authority)) {
    symlink "$build/$file", "$tmp/build/$file" or die "$tmp/build/$file: $!\n";
}

copy("$top/conf/organisation.json", "$tmp/conf") or die "$tmp/conf: $!\n";

for my $file (glob "$top/conf/include/*.conf") {
    open my $out, '>', "$tmp/conf/include/" . basename($file)
        or die "$tmp: $!\n";
    print $out change(PageCommands::slurp($file));
    close $out;
}

# the page lets the authority listen where it does by itself

my @commands = PageCommands::of(
    PageCommands::slurp("$top/docs/getting-started.md"));

cmp_ok(scalar @commands, '>', 15, 'the page has commands');

my $start = time;

PageCommands::run(\@commands,
    dir => $tmp,
    change => sub {
        my ($shell) = @_;

        # what is built is what these tests are run for

        $shell =~ s/\Amake\z/make -C '$top' BUILD='$build'/;
        $shell =~ s/agilicus-authority --db \S+ --seed \S+\K/ --listen 127.0.0.1:8089/;

        return change($shell);
    },
    after => sub {
        my ($shell) = @_;

        return $shell =~ /&\z/ ? PageCommands::await($port{8089}) : '';
    });

cmp_ok(time - $start, '<', 600, 'in ten minutes');

ok(!-e "$tmp/build/edge.pid" || NginxControl::wait_gone(
       NginxControl::read_pidfile("$tmp/build/edge.pid") || 0, 20),
   'nginx has ended');

sub listening {
    return grep { IO::Socket::INET->new("127.0.0.1:$port{$_}") }
           sort keys %port;
}

my $until = time + 10 * NginxControl::slow();

sleep 0.1 while listening() && time < $until;

is_deeply([ listening() ], [], 'and nothing listens any more');

done_testing;


# nginx is a daemon here: if the page did not get to its end, it still runs

END {
    my $pid = $tmp && NginxControl::read_pidfile("$tmp/build/edge.pid");

    kill 'TERM', $pid if $pid;
}
