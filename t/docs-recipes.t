#!/usr/bin/perl

# docs/recipes.md: each recipe is put into the configuration of
# docs/getting-started.md, as the page says, and each of its requests has the
# answer that stands behind it.  Ports and paths are the only things that are
# changed.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use Test::More;

use lib dirname(__FILE__) . '/lib';

use Authority;
use NginxProcess;
use PageCommands;
use TestPorts;

my $top = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{BUILD} || "$top/build";
my $module = $ENV{AGILICUS_MODULE} || "$build/ngx_agilicus_token_module.so";

my $page = PageCommands::slurp("$top/docs/recipes.md");
my ($conf) = PageCommands::slurp("$top/docs/getting-started.md")
             =~ /^cat >build\/edge\.conf <<'END'\n(.*?)^END$/ms;
my ($server) = $conf =~ /^(    server \{\n.*?^    \}\n)/ms;

ok($server, 'the configuration of getting started has a server');

my @recipes = map { /\A([^\n]*)\n.*?^```nginx\n(.*?)^```$/ms
                    ? { title => $1, conf => $2, text => $_ } : () }
              split /^## /m, $page;

is(scalar @recipes, 10, 'there are ten recipes');

# each is in the list at the top

my ($list) = $page =~ /\A(.*?)^## /ms;

is_deeply([ sort map { lc $_->{title} } @recipes ],
          [ sort map { lc } $list =~ /\[([^]]+)\]\(#/g ], 'which list all');

my $authority = start();


# tokens are made as the page says, but with this database

my %tokens;

for my $command (PageCommands::of($list)) {
    my ($name, $what) = $command->{shell} =~ /^(\w+)=\$\(.*--issue (\S+)\)$/
        or die "line $command->{line}: no token\n";

    $tokens{$name} = $what;
}

is_deeply([ sort keys %tokens ], [ qw(AMELIA BEN CHLOE) ], 'three users');


for my $recipe (@recipes) {
    my $nginx = NginxProcess->new(conf => '');
    my $dir = $nginx->prefix;
    my %port = (8080 => $nginx->port, 8081 => TestPorts::free_port(),
                8089 => $authority->{port});

    my $change = sub {
        my ($text) = @_;

        $text =~ s{ build/ngx_agilicus_token_module\.so}{ $module};
        $text =~ s{ build/}{ logs/}g;
        $text =~ s{ logs/edge\.pid}{ logs/nginx.pid};
        $text =~ s{ logs/edge\.log}{ logs/error.log};
        $text =~ s{127\.0\.0\.1:(80\d\d)}{127.0.0.1:$port{$1}}g;

        return $text;
    };

    for my $file (glob "$top/conf/include/*.conf") {
        $nginx->write_file('conf/include/' . basename($file),
                           $change->(slurp($file)));
    }

    my $text = $conf =~ s/\Q$server\E/$recipe->{conf}/r;

    $text = $change->($text =~ s{\.\./conf/include/}{include/}gr);
    $text = "user root;\n$text" if $> == 0;

    $nginx->configure(conf => "daemon off;\n$text");

    subtest $recipe->{title} => sub {
        my @commands = PageCommands::of($recipe->{text});

        cmp_ok(scalar @commands, '>', 1, 'it has requests');
        is(scalar(grep { !@{ $_->{wanted} } } @commands), 0,
           'each of them with its answer');

        my $checked = $nginx->test_config;

        is($checked->{code}, 0, 'nginx -t takes it');
        unlike($checked->{output}, qr/\[warn\]/, 'without a warning');

        $nginx->start;

        PageCommands::run(\@commands, dir => $dir, change => $change,
                          env => { map { $_ => issue($tokens{$_}) }
                                   grep { $recipe->{text} =~ /\$$_\b/ }
                                   keys %tokens });

        $nginx->finish('nginx ends with a clean log');

        done_testing;
    };
}

stops $authority, 'the authority ends';

done_testing;
