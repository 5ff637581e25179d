#!/usr/bin/perl

# The rules of conf/prometheus/ and the dashboard of conf/grafana/ name figures
# that exist, with the labels that these have: docs/operations.md lists them,
# and t/endpoint-status.t compares that list with what nginx says.

use strict;
use warnings;

use File::Basename qw(dirname);
use JSON::PP ();
use Test::More;

my $top = dirname(__FILE__) . '/..';

my %families = map { $_->[0] => $_ } families();


sub slurp {
    my ($name) = @_;

    open my $fh, '<', "$top/$name" or die "$name: $!\n";
    local $/;

    return scalar <$fh>;
}


sub families {
    return map { /^\| `(agilicus_token_\w+)(?:\{([\w,]+)\})?` \| (\w+) \|/
                 ? [ $1, $3, split /,/, $2 || '' ] : () }
           split /\n/, slurp('docs/operations.md');
}


# every name of a figure in a text, with the labels that stand behind it

sub wrong_in {
    my ($text, @more) = @_;
    my %wrong;

    while ($text =~ /\b(agilicus_token_\w+)(?:\{([^}]*)\})?/g) {
        my ($name, $labels) = ($1, $2 // '');
        my $family = $families{$name};

        if (!$family && $name =~ /^(\w+)_(?:bucket|sum|count)$/) {
            $family = $families{$1};
            $family = undef if $family && $family->[1] ne 'histogram';
        }

        if (!$family) {
            $wrong{$name} = 1;
            next;
        }

        my %known = map { $_ => 1 } @$family[2 .. $#$family], 'instance', @more;

        $wrong{"$name: $_"} = 1
            for grep { !$known{$_} } $labels =~ /(\w+)\s*(?:=~|!~|!=|=)/g;
    }

    return [ sort keys %wrong ];
}


# the settings that a summary tells to change are no figures

sub expressions {
    my ($text) = @_;

    $text =~ s/^\s*summary:.*$//mg;

    return $text;
}


my $tests = slurp('conf/prometheus/agilicus-token.test.yml');

cmp_ok(scalar keys %families, '>', 30, 'operations.md has figures');

is_deeply(wrong_in(expressions(slurp('conf/prometheus/agilicus-token.rules.yml'))),
          [], 'the rules name what there is');
is_deeply(wrong_in($tests =~ s{^\s*exp_annotations:.*$}{}mgr, 'le'),
          [], '... and so do their tests');

my $board = JSON::PP::decode_json(slurp('conf/grafana/agilicus-token.json'));
my @expressions = map { $_->{expr} } map { @{$_->{targets}} } @{$board->{panels}};

cmp_ok(scalar @expressions, '>', 15, 'the dashboard has panels');
is_deeply(wrong_in(join "\n", @expressions,
                   map { ref $_->{query} ? $_->{query}{query} : () }
                       @{$board->{templating}{list}}),
          [], '... which name what there is');


# each alert has a test in which it is raised, and the first raises none

my @alerts = slurp('conf/prometheus/agilicus-token.rules.yml') =~ /^\s+- alert: (\w+)$/mg;
is_deeply([ sort $tests =~ /alertname: (\w+), exp_alerts: \[\]/g ], [ sort @alerts ],
          'no alert where all is well');
is_deeply([ sort $tests =~ /alertname: (\w+)\n/g ], [ sort @alerts ],
          'each alert is raised once');


SKIP: {
    skip 'no promtool', 2 if system('command -v promtool >/dev/null 2>&1') != 0;

    my $run = "cd $top/conf/prometheus && promtool";

    like(`$run check config prometheus.yml 2>&1`, qr/SUCCESS: 1 rule files/,
         'promtool reads the configuration and the rules');
    like(`$run test rules agilicus-token.test.yml 2>&1`,
         qr/Unit Testing:.*\n\s*SUCCESS\s*\z/, 'the tests of the rules pass');
}

done_testing;
