package Test::Nginx::Socket::Skip;

# Blocks that do not run: how many subtests to skip, and why.
#
#   my ($n, $why) = skip($block, $nginx_version);   skip_eval, skip_nginx,
#                                                   skip_nginx2
#   my ($n, $why) = todo($block);
#
#   --- skip_eval: 3: $^O ne 'linux'
#   --- skip_nginx: 3: < 1.23.0
#   --- skip_nginx2: 3: < 1.23.0 and >= 1.19.0
#   --- todo: 3: not there yet

use strict;
use warnings;


sub skip {
    my ($block, $nginx_version) = @_;

    if (defined(my $spec = $block->skip_eval)) {
        my ($n, $code) = $spec =~ /^\s*(\d+)\s*:\s*(.*)/s
            or die "invalid --- skip_eval: $spec\n";

        my $skip = eval $code;

        die "skip_eval: $@" if $@;
        return ($n, 'skip_eval') if $skip;
    }

    for my $section (qw(skip_nginx skip_nginx2)) {
        my $spec = $block->$section;

        next if !defined $spec;

        my ($n, $rules, $why) = $spec =~ /^\s*(\d+)\s*:\s*([^:]+?)\s*
                                          (?::\s*(.*?)\s*)?$/xs
            or die "invalid --- $section: $spec\n";

        return ($n, defined $why ? $why : "nginx version $rules")
            if _version_rules($section, $rules, $nginx_version);
    }

    return;
}


sub _version_rules {
    my ($section, $rules, $have) = @_;

    my $result;
    my $join = 'or';

    for my $part (split /\s*\b(and|or)\b\s*/, $rules) {
        if ($part eq 'and' || $part eq 'or') {
            $join = $part;
            next;
        }

        my ($op, @version) = $part =~ /^([<>]=?)\s*(\d+)\.(\d+)\.(\d+)$/
            or die "invalid --- $section: $rules\n";

        my $limit = sprintf '%d.%03d%03d', @version;
        my $true = $op eq '<' ? $have < $limit : $op eq '<=' ? $have <= $limit
                   : $op eq '>' ? $have > $limit : $have >= $limit;

        $result = !defined $result ? $true
                  : $join eq 'and' ? $result && $true : $result || $true;
    }

    return $result;
}


sub todo {
    my ($block) = @_;

    my $spec = $block->todo;

    return if !defined $spec;

    my ($n, $why) = $spec =~ /^\s*(\d+)\s*:\s*(.*?)\s*$/s
        or die "invalid --- todo: $spec\n";

    return ($n, $why);
}


1;
