use strict;
use warnings;

# Each kind of right expectation passes, each kind of wrong one fails, and
# both make the documented number of subtests.

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

use lib abs_path(dirname(__FILE__) . '/../..');

use TapRun;

my @cases = do(abs_path(dirname(__FILE__) . '/cases.pl')) or die $@ || $!;

my @libraries = ([ fallback => 2 ]);

# the genuine one takes some minutes

push @libraries, [ genuine => 1 ]
    if $ENV{TEST_GENUINE} && TapRun::genuine();

my $n = 0;
my $text = join "\n\n\n",
           map { '=== TEST ' . ++$n . ": $_->[0]\n$_->[3]" } @cases;

for my $library (@libraries) {
    my ($name, $repeat) = @$library;
    my $run = TapRun::blocks($text, library => $name, repeat => $repeat,
                             timeout => 300);

    for my $i (0 .. $#cases) {
        my ($title, $ok, $bad) = @{ $cases[$i] };
        my $got = $run->{by_block}{ 'TEST ' . ($i + 1) } || [ 0, 0 ];

        # one in the whole file, not one for each repetition

        my ($want_ok, $want_bad) = ($ok * $repeat, $bad * $repeat);

        if ($title eq 'shutdown_error_log') {
            $want_ok = $repeat + 1;

        } elsif ($title eq 'shutdown_error_log, not') {
            ($want_ok, $want_bad) = ($repeat, 1);
        }

        is("@$got", "$want_ok $want_bad", "$name, $repeat times: $title");
    }

    next if $name eq 'genuine';

    isnt($run->{status}, 0, "$name, $repeat times: failures show in the exit "
         . 'status');

    diag($run->{output}) if !Test::More->builder->is_passing
                            && $ENV{TEST_VERBOSE};
}

done_testing();
