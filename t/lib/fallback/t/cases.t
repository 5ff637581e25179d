use strict;
use warnings;

# Each kind of right expectation passes, each kind of wrong one fails, and
# both make the documented number of subtests: see cases.txt.

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

use lib abs_path(dirname(__FILE__) . '/../..');

use NginxControl;
use TapRun;

my ($intro, @cases) = split /^(?=### )/m,
    NginxControl::slurp(abs_path(dirname(__FILE__)) . '/cases.txt');

my %shared = $intro =~ /^(\[\w+\]\n)(---.*?\n)\n/msg;

is(keys %shared, 3, 'shared sections');

@cases = map {
    my ($title, $ok, $bad, $text) = /^### (.*): (\d+) (\d+)\n(.*)/s
        or die "not a case: $_";

    $text =~ s/^(\[(?:config|get|mock)\]\n)/$shared{$1}/mg;
    [ $title, $ok, $bad, $text ];
} @cases;

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
                             timeout => 500);

    for my $i (0 .. $#cases) {
        my ($title, $ok, $bad) = @{ $cases[$i] };
        my $got = $run->{by_block}{ 'TEST ' . ($i + 1) } || [ 0, 0 ];
        my ($want_ok, $want_bad) = ($ok * $repeat, $bad * $repeat);

        # one when nginx ends, not one for each repetition

        if ($title eq 'shutdown_error_log') {
            $want_ok = $repeat + 1;

        } elsif ($title eq 'shutdown_error_log, not') {
            ($want_ok, $want_bad) = ($repeat, 1);
        }

        is("@$got", "$want_ok $want_bad", "$name, $repeat times: $title");
    }

    diag($run->{output}) if $ENV{TEST_VERBOSE};

    next if $name eq 'genuine';

    isnt($run->{status}, 0, "$name: failures show in the exit status");
}

done_testing();
