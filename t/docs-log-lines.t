#!/usr/bin/perl

# Every line of the error log that a page quotes, and every message of nginx -t,
# is one that a test in nginx expects.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;
    return scalar <$fh>;
}


# what tests expect, without comments, without what regular expressions have
# before a character, and with strings put together that go on in the next line

my %tests = map {
    basename($_) => slurp($_) =~ s/^\s*#.*//mgr =~ s/['"]\s*\n?\s*\. ['"]//gr
                              =~ s/\\(?=\W)//gr
} grep { !m{/docs-} } glob "$top/t/*.t";


sub expected {
    my ($quoted) = @_;

    # a name in a quote stands for any

    my $pattern = join '"[^"]+"', map { quotemeta } split /"x"/, $quoted, -1;

    return grep { $tests{$_} =~ /$pattern/ } sort keys %tests;
}


# what the module can log, up to its first value

my $sources = join '', map { slurp($_) }
              glob "$top/ngx_agilicus_token_module/*/*.c";

$sources =~ s/"\s*\n\s*"//g;
$sources =~ s/\\"/"/g;

my @logged = grep { / / } map { s/[,: "]*\z//r }
             $sources =~ /"agilicus token: ([^%\n]+)/g;

cmp_ok(scalar @logged, '>', 20, 'lines are found');


# the table of what the module says, the messages of nginx -t, and what begins
# like a line of the log

sub quotes {
    my ($page, $text) = @_;

    my ($said) = $text =~ /^\| level \| what the module says \|\n(.*?)\n\n/ms;
    my ($refused) = $text =~ /^## nginx -t refuses\n(.*?)^## /ms;
    my @quotes = map { /`([^`]+ [^`]+)`(?=[,:])/g }
                 ($said // '') =~ /^\|[^|]*\| (.*) \|$/mg;

    push @quotes, map { /`([^`]+)`/g }
                  grep { !/^`(?:unknown directive|module) / }
                  ($refused // '') =~ /^\| (`.*?`)(?: \(.*?\))? \|/mg;

    $text =~ s/^```.*?^```$//msg;

    push @quotes, grep { my $quoted = $_;
                         grep { index($quoted, $_) == 0 } @logged }
                  $text =~ /`([^`\n]+)`/g;

    return grep { / / } map { split / ?\.\.\.,? ?/ } @quotes;
}


for my $page (glob "$top/README.md $top/docs/*.md") {
    my %seen;

    for my $quoted (quotes($page, slurp($page))) {
        $quoted =~ s/,\z//;

        next if $seen{$quoted}++;

        ok(scalar expected($quoted), basename($page) . ": $quoted");
    }
}

done_testing;
