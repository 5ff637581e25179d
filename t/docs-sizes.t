#!/usr/bin/perl

# docs/operations.md says how many tokens a MiB of a zone holds: of the smallest
# shape, of one with rules, and of a long token, as bench/sizes counts them.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');

plan skip_all => 'takes too long under valgrind'
    if $ENV{TEST_NGINX_USE_VALGRIND};

open my $fh, '<', "$top/docs/operations.md" or die "operations.md: $!\n";

my ($section) = do { local $/; <$fh> } =~ /^## Sizing a zone\n(.*?)^## /ms;
my %said = map { $_->[0] => $_->[1] =~ tr/,//dr }
           map { /^\| ([^|]+) \| ([\d,]+) \|$/ ? [ $1, $2 ] : () }
           split /\n/, $section;

open my $list, '-|', $^X, "$top/bench/sizes", '--list' or die "sizes: $!\n";

my %shapes = map { /^(\w+): (.*)$/ ? ($1 => $2) : () } <$list>;

close $list;

is_deeply([ sort keys %said ], [ sort values %shapes ],
          'the page has each shape that can be measured, and no other');

my @measured = qw(small raw rules);

open my $out, '-|', $^X, "$top/bench/sizes", '1m', @measured
    or die "sizes: $!\n";

my %there = map { /^\| (.+) \| (\d+) \|$/ ? ($1 => $2) : () } <$out>;

ok(close $out, 'they are measured');

for my $shape (@measured) {
    my $text = $shapes{$shape};
    my $much = $there{$text} // 0;

    cmp_ok(abs($much - $said{$text}), '<', $said{$text} / 20,
           "$text: $much, and $said{$text} on the page");
}

done_testing;
