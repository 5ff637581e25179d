package NginxReports;

# What no run of nginx may leave behind.
#
#   NginxReports::problems($text, allow => [ qr/.../ ])
#       the lines of a log that are [crit], [alert] or [emerg], belong to a
#       report of a sanitizer or valgrind, or tell of a failed assertion or a
#       corrupted heap.  With all => 1 any line is one (valgrind -q writes
#       nothing else)
#   NginxReports::leaked($text, @secrets)
#       the lines of ours (that have "agilicus" in them) with one of the
#       strings.  nginx's own lines show headers at level debug
#   NginxReports::sanitizer_logs()
#       files that log_path in ASAN_OPTIONS, LSAN_OPTIONS, UBSAN_OPTIONS names
#   NginxReports::valgrind($dir)
#       the command to put before nginx under TEST_NGINX_USE_VALGRIND, with
#       reports going to $dir/valgrind.<pid>; () if it is not set
#
# nginx itself does not free everything when a worker ends.  A leak is taken
# for nginx's own, and left out, if its whole stack lies in nginx, the C
# library and the sanitizer, from malloc() to main().  To have whole stacks,
# loading this sets ASAN_OPTIONS=fast_unwind_on_malloc=0, and, as the verdict
# is read from the report, LSAN_OPTIONS=exitcode=0, where they say nothing
# else.

use strict;
use warnings;

my $suppressions = 'valgrind.suppress';

_default('ASAN_OPTIONS', 'fast_unwind_on_malloc', 0);
_default('LSAN_OPTIONS', 'exitcode', 0);


sub _default {
    my ($variable, $name, $value) = @_;

    my $options = defined $ENV{$variable} ? $ENV{$variable} : '';

    return if $options =~ /\b$name=/;

    $ENV{$variable} = join ':', grep { length } $options, "$name=$value";
}


my @forbidden = (
    qr/\[(?:crit|alert|emerg)\]/,
    qr/\b(?:Address|Leak|Memory|Thread|UndefinedBehavior)Sanitizer\b/,
    qr/\bruntime error: /,
    qr/\bAssertion .* failed\b/,
    qr/\*\*\* (?:stack smashing|buffer overflow) detected/,
    qr/\b(?:double\ free\ or\ corruption|corrupted\ (?:size|double|unsorted)
         |munmap_chunk\(\)|free\(\):\ invalid|malloc\(\):\ )/x,
    qr/^==\d+==\s+(?:Invalid\ (?:read|write|free)|Conditional\ jump
         |Use\ of\ uninitialised|Syscall\ param
         |.*\b(?:definitely|indirectly|possibly)\ lost\b)/x,
    qr/^(?:Direct|Indirect) leak of /,
);


sub problems {
    my ($text, %opt) = @_;

    my @found;

    for my $line (split /\n/, _without_own_leaks($text)) {
        next if $opt{all} ? $line !~ /\w/ || $line =~ /^==\d+== *$/
                          : !grep { $line =~ $_ } @forbidden;
        next if grep { $line =~ $_ } @{ $opt{allow} || [] };

        push @found, $line;
    }

    return @found;
}


sub leaked {
    my ($text, @secrets) = @_;

    return () if !@secrets;

    my $any = join '|', map { quotemeta } @secrets;

    return grep { /agilicus/i && /$any/ } split /\n/, $text;
}


sub _without_own_leaks {
    my ($text) = @_;

    # Several workers may end, and tell, at the same time, line by line: where
    # all that stands in any stack is nginx's own, so are all leaks.

    my @frames = $text =~ /^ +#\d+ .*/mg;

    if ($text =~ /^==\d+==ERROR: LeakSanitizer/m && @frames
        && !grep({ !_is_own_frame($_) } @frames)
        && grep({ /^ +#0 / } @frames) == grep({ /\bin main\b/ } @frames))
    {
        $text =~ s/^(?:==\d+==ERROR:\ LeakSanitizer
                   |SUMMARY:\ AddressSanitizer:\ .*\ leaked\ in
                   |(?:Direct|Indirect)\ leak\ of
                   |\ +\#\d+\ ).*\n//gmx;
    }

    # LeakSanitizer: a header, stacks, a summary

    $text =~ s{^==\d+==ERROR:\ LeakSanitizer.*?
               ^SUMMARY:\ \w+Sanitizer:\ [^\n]*\ leaked\ in\ [^\n]*\n}
              { _lsan($&) }gemsx;

    # valgrind: one stack after the other

    $text =~ s{^(==\d+==)\ [\d,]+\ (?:\(.*?\)\ )?bytes\ in\ .*
               \ lost\ in\ loss\ record\ .*\n
               (?:\1\ +(?:at|by)\ .*\n)+}
              { _is_own($&) ? '' : $& }gemx;

    return $text;
}


sub _lsan {
    my ($report) = @_;

    my $foreign = 0;

    $report =~ s{^(?:Direct|Indirect)\ leak\ of\ .*\n(?:[ ]+\#\d+\ .*\n)+}
                { _is_own($&) ? '' : do { $foreign++; $& } }gemx;

    return $foreign ? $report : '';
}


sub _is_own {
    my ($stack) = @_;

    my ($reaches_main, $frames) = (0, 0);

    for my $line (split /\n/, $stack) {
        next if $line !~ /^ +#\d+ |^==\d+== +(?:at|by) /;

        $frames++;
        $reaches_main = 1 if $line =~ /\bin main\b|: main \(/;

        return 0 if !_is_own_frame($line);
    }

    return $reaches_main && $frames > 1;
}


sub _is_own_frame {
    my ($line) = @_;

    return $line =~ m{(?:\(|\bin\ )/\S*/nginx(?:\+0x|\))
                      |\ (?:\S*/)?src/(?:core|event|http|os)/
                      |libsanitizer/|libasan|/sysdeps/|/csu/
                      |/vgpreload_|/libc\.so|/ld-linux|\b_start\b}x;
}


sub sanitizer_logs {
    my @files;

    for my $name (qw(ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS)) {
        my $options = $ENV{$name};

        next if !defined $options
                || $options !~ /\blog_path=['"]?([^:,'"]+)/;

        push @files, glob "$1*";
    }

    return @files;
}


sub valgrind {
    my ($dir, $top) = @_;

    my $options = $ENV{TEST_NGINX_USE_VALGRIND};

    return () if !$options;

    if ($options =~ /^\d+$/) {
        $options = '--tool=memcheck --leak-check=full --num-callers=100 '
                   . '--keep-debuginfo=yes --show-possibly-lost=no';

        for my $file ($suppressions, defined $top ? "$top/$suppressions" : ())
        {
            next if !-f $file;

            $options .= " --suppressions=$file";
            last;
        }
    }

    return ('valgrind', '-q', split(' ', $options),
            $options =~ /--log-file/ ? () : "--log-file=$dir/valgrind.%p");
}


1;
