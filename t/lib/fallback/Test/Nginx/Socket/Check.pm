package Test::Nginx::Socket::Check;

# The assertions of a block.  Each function makes the subtests that its
# sections ask for, and no others:
#
#   response($ctx, $res, $i)   one for the status; one for each header line;
#                              one for each raw_response_headers_(un)like; one
#                              for the body if a body section is there
#   logs($ctx, $lines)         one for grep_error_log; one for each pattern of
#                              error_log and no_error_log
#   access_log($ctx, $lines)   one for each pattern
#
# $ctx: { block, name, need_array, repeat, expand, server_port, filters,
# body_checks, long_string }

use strict;
use warnings;

use Test::More ();

use HttpMessage ();


sub response {
    my ($ctx, $res, $i) = @_;

    _status($ctx, $res, $i);
    _raw_headers($ctx, $res, $i);
    _headers($ctx, $res, $i);
    _body($ctx, $res, $i);
}


# The value of a section for request $i: an array where there are several
# requests.

sub _indexed {
    my ($ctx, $section, $i) = @_;

    my $value = $ctx->{block}->$section;

    return $value->[$i] if ref $value eq 'ARRAY';

    die "--- $section must be an array, as there are several requests\n"
        if $ctx->{need_array};

    return $value;
}


sub _status {
    my ($ctx, $res, $i) = @_;

    my $got = defined $res->{status} ? $res->{status} : '';
    my $title = "$ctx->{name} - status code ok";

    if (defined $ctx->{block}->error_code_like) {
        my $like = _indexed($ctx, 'error_code_like', $i);

        return Test::More::like($got, qr/$like/sm, $title);
    }

    my $expected = defined $ctx->{block}->error_code
                   ? _indexed($ctx, 'error_code', $i) : 200;

    Test::More::is($got, $expected, $title);
}


sub _raw_headers {
    my ($ctx, $res, $i) = @_;

    my $raw = defined $res->{raw_headers} ? $res->{raw_headers} : '';

    if (defined $ctx->{block}->raw_response_headers_like) {
        my $like = _indexed($ctx, 'raw_response_headers_like', $i);

        Test::More::like($raw, qr/$like/s,
                         "$ctx->{name} - raw resp headers like");
    }

    if (defined $ctx->{block}->raw_response_headers_unlike) {
        my $unlike = _indexed($ctx, 'raw_response_headers_unlike', $i);

        Test::More::unlike($raw, qr/$unlike/s,
                           "$ctx->{name} - raw resp headers unlike");
    }
}


sub _headers {
    my ($ctx, $res, $i) = @_;

    my $block = $ctx->{block};
    my $section = defined $block->response_headers ? 'response_headers'
                  : 'response_headers_like';

    return if !defined $block->$section;

    my $raw = defined $res->{raw_headers} ? $res->{raw_headers} : '';

    for my $line (_header_lines(_indexed($ctx, $section, $i))) {
        my ($name, $value) = @$line;
        my $title = "$ctx->{name} - header $name";
        my $got = HttpMessage::header($res, $name);

        $got = '' if !defined $got;

        if ($section eq 'response_headers_like') {
            $value = '' if !defined $value;
            Test::More::like($got, qr/^$value$/, "$title like ok");

        } elsif (!defined $value) {
            Test::More::unlike($raw, qr/^\s*\Q$name\E\s*:/ms,
                               "$title not present in the raw headers");

        } else {
            $value = _ports($ctx, $value);
            Test::More::is($got, $value, "$title ok");
        }
    }
}


# "Name: value" and "! Name"; of two lines of one name, the last counts.

sub _header_lines {
    my ($text) = @_;

    my (%seen, @lines);

    for my $line (split /\n/, defined $text ? $text : '') {
        $line =~ s/^\s+|\s+$//g;

        my ($name, $value) = ($line);

        if ($name !~ s/^!\s*//) {
            ($name, $value) = split /\s*:\s*/, $line, 2;
            $name = '' if !defined $name;
        }

        my $entry = $seen{$name};

        if (!$entry) {
            $entry = $seen{$name} = [ $name ];
            push @lines, $entry;
        }

        $entry->[1] = $value;
    }

    return @lines;
}


sub _ports {
    my ($ctx, $text) = @_;

    $text =~ s/\$ServerPort(?:ForClient)?\b/$ctx->{server_port}/g;

    return $text;
}


sub _body {
    my ($ctx, $res, $i) = @_;

    my ($block, $name, $repeat) = @{$ctx}{qw(block name repeat)};
    my $body = _filtered($ctx, $res->{body}, $i);
    my $got = $body;

    if (defined $block->response_body_json_sort && defined $got) {
        $got = _sorted_json($got);
    }

    if (defined $block->response_body || defined $block->response_body_eval) {
        my $expected = _expected_body($ctx, $i);
        my $title = "$name - response_body - response is expected "
                    . "(repeated req $repeat, req $i)";

        if (ref $expected) {
            Test::More::like($got, $expected, $title);

        } else {
            is_string($ctx, $got, $expected, $title);
        }

    } elsif (defined $block->response_body_like) {
        my $like = _ports($ctx, _indexed($ctx, 'response_body_like', $i));

        Test::More::like($got, qr/$like/s, "$name - response_body_like - "
                         . 'response is expected (' . _summary($got) . ')');

    } elsif (defined $block->response_body_unlike) {
        my $unlike = _ports($ctx, _indexed($ctx, 'response_body_unlike', $i));

        Test::More::unlike($got, qr/$unlike/s, "$name - response_body_unlike "
                           . '- response is expected (' . _summary($got)
                           . ')');
    }

    for my $check (@{ $ctx->{body_checks} }) {
        $check->($block, $body, $i, $repeat, 0);
    }
}


sub _expected_body {
    my ($ctx, $i) = @_;

    my $expected;

    if (defined $ctx->{block}->response_body_eval) {
        $expected = eval _indexed($ctx, 'response_body_eval', $i);
        die "response_body_eval: $@" if $@;

    } else {
        $expected = _indexed($ctx, 'response_body', $i);
    }

    return $expected if !defined $expected || ref $expected;
    return $ctx->{expand}->(_ports($ctx, $expected));
}


sub _summary {
    my ($text) = @_;

    return '' if !defined $text;

    $text =~ s/^\s+|\s+$//g;
    $text =~ s/([^\n -~])/sprintf '\\x%02x', ord $1/ge;
    $text =~ s/\n/ /g;

    return length $text > 80 ? substr($text, 0, 77) . '...' : $text;
}


sub _sorted_json {
    my ($text) = @_;

    require JSON::PP;

    my $json = JSON::PP->new->canonical->loose;
    my $value = eval { $json->decode($text) };

    return $@ ? $text : $json->encode($value) . "\n";
}


my %body_filters = (
    uc      => sub { uc $_[0] },
    lc      => sub { lc $_[0] },
    ucfirst => sub { ucfirst $_[0] },
    lcfirst => sub { lcfirst $_[0] },
    length  => sub { length $_[0] },
    md5_hex => sub { require Digest::MD5; Digest::MD5::md5_hex($_[0]) },
    sha1_hex => sub { require Digest::SHA; Digest::SHA::sha1_hex($_[0]) },
);


sub _filtered {
    my ($ctx, $body, $i) = @_;

    my $chain = $ctx->{block}->response_body_filters;

    return $body if !defined $chain || !defined $body;

    my @chain = ref $chain eq 'ARRAY' ? @$chain
                : ref $chain ? $chain : split ' ', $chain;

    @chain = @{ $chain[$i] || [] } if @chain && ref $chain[0] eq 'ARRAY';

    for my $filter (@chain) {
        my $code = ref $filter ? $filter : $body_filters{$filter};

        die "unknown response_body_filters \"$filter\"\n" if !$code;

        $body = $code->($body);
    }

    return $body;
}


# Long strings differ somewhere in the middle: say where.

sub is_string {
    my ($ctx, $got, $expected, $title) = @_;

    if (!$ctx->{long_string} || !defined $got || !defined $expected
        || length($got) + length($expected) < 160 || $got eq $expected)
    {
        return Test::More::is($got, $expected, $title);
    }

    my $at = 0;

    $at++ while $at < length $got && $at < length $expected
                && substr($got, $at, 1) eq substr($expected, $at, 1);

    my $from = $at > 20 ? $at - 20 : 0;

    Test::More::fail($title);
    Test::More::diag(sprintf "     lengths: got %d, expected %d; they differ "
                     . "at %d\n         got: ...%s\n    expected: ...%s",
                     length $got, length $expected, $at,
                     _summary(substr $got, $from, 80),
                     _summary(substr $expected, $from, 80));
    return 0;
}


sub logs {
    my ($ctx, $lines) = @_;

    my ($block, $name, $repeat) = @{$ctx}{qw(block name repeat)};

    _grep($ctx, $lines);

    for my $pattern (patterns($block->error_log)) {
        Test::More::ok(_found($pattern, $lines),
                       "$name - pattern \"$pattern\" should match a line in "
                       . "error.log (req $repeat)");
    }

    for my $pattern (patterns($block->no_error_log)) {
        _absent($pattern, $lines, "$name - pattern \"$pattern\" should not "
                . "match a line in error.log (req $repeat)");
    }

    my $asked = join ' ', patterns($block->error_log),
                          patterns($block->no_error_log);

    for my $level (qw(alert crit emerg)) {
        next if $asked =~ /\[$level/
                || $level eq 'emerg' && defined $block->must_die;

        for my $line (grep { /\[$level\]/ } @$lines) {
            chomp(my $copy = $line);
            warn "WARNING: $name - $copy\n";
        }
    }

    for my $line (grep { /\bAssertion .*? failed\b/ } @$lines) {
        Test::More::fail("$name - $line");
    }
}


sub shutdown_logs {
    my ($ctx, $lines) = @_;

    for my $pattern (patterns($ctx->{block}->shutdown_error_log)) {
        Test::More::ok(_found($pattern, $lines), "$ctx->{name} - pattern "
                       . "\"$pattern\" should match a line in error.log");
    }

    for my $pattern (patterns($ctx->{block}->no_shutdown_error_log)) {
        _absent($pattern, $lines, "$ctx->{name} - pattern \"$pattern\" should "
                . 'not match a line in error.log');
    }
}


sub access_log {
    my ($ctx, $lines) = @_;

    my ($block, $name, $repeat) = @{$ctx}{qw(block name repeat)};

    for my $pattern (patterns($block->access_log)) {
        Test::More::ok(_found($pattern, $lines),
                       "$name - pattern \"$pattern\" should match a line in "
                       . "access.log (req $repeat)");
    }

    for my $pattern (patterns($block->no_access_log)) {
        _absent($pattern, $lines, "$name - pattern \"$pattern\" should not "
                . "match a line in access.log (req $repeat)");
    }
}


# A section's patterns: lines of text, each a substring, or regexes.

sub patterns {
    my ($value) = @_;

    return () if !defined $value;
    return grep { defined } @$value if ref $value eq 'ARRAY';
    return $value if ref $value;
    return split /\n+/, $value;
}


sub matches {
    my ($pattern, $line) = @_;

    return ref $pattern ? $line =~ $pattern : index($line, $pattern) >= 0;
}


sub _found {
    my ($pattern, $lines) = @_;

    return scalar grep { matches($pattern, $_) } @$lines;
}


sub _absent {
    my ($pattern, $lines, $title) = @_;

    my @found = grep { matches($pattern, $_) } @$lines;

    Test::More::ok(!@found, $title)
        or Test::More::diag('    matches: ', join '    matches: ',
                            @found > 5 ? @found[0 .. 4] : @found);
}


sub _grep {
    my ($ctx, $lines) = @_;

    my ($block, $repeat) = @{$ctx}{qw(block repeat)};
    my $pattern = $block->grep_error_log;
    my $expected = $block->grep_error_log_out;

    die "--- grep_error_log and --- grep_error_log_out go together\n"
        if defined $pattern != defined $expected;

    $pattern = $pattern->[$repeat] if ref $pattern eq 'ARRAY';

    return if !defined $pattern;

    $expected = $expected->[$repeat] if ref $expected eq 'ARRAY';

    my $regex = ref $pattern ? $pattern : qr/\Q$pattern\E/;
    my $got = '';

    for my $line (@$lines) {
        next if $line !~ $regex;

        my $match = substr $line, $-[0], $+[0] - $-[0];

        $got .= "$match\n" if $match !~ /\n/;
    }

    my $title = "$ctx->{name} - grep_error_log_out (req $repeat)";

    return Test::More::like($got, $expected, $title)
        if ref $expected eq 'Regexp';

    $expected = $ctx->{expand}->($expected) if defined $expected;

    is_string($ctx, $got, $expected, $title);
}


1;
