package HttpMessage;

# Reads one HTTP/1.x response from a string of bytes.
#
#   my $res = HttpMessage::parse($bytes, head => 0, eof => 1, interim => 1);
#
# Returns undef while the header block is incomplete, else a hash:
#
#   status       200, or undef if the status line cannot be read
#   reason       'OK'
#   version      '1.1'
#   headers      [ [ name, value ], ... ] as sent
#   raw_headers  status line and header lines, CRLFs included
#   body         decoded (chunked) body
#   rest         bytes after the end of this response (undef: none)
#   complete     1 once the whole response has been read
#   chunk_error  why the chunked body cannot be decoded (undef: it can)
#   truncated    [ expected, got ] where Content-Length promises more
#   interim      [ 100, 103, ... ] statuses of the interim responses skipped
#
# head: the request was HEAD.  eof: the peer has closed, so a body without a
# length ends here.  interim: skip 1xx responses (101 excepted).
#
#   HttpMessage::header($res, 'Name')   values joined with ", "; undef: none
#   HttpMessage::headers($res, 'Name')  list of values

use strict;
use warnings;


sub parse {
    my ($bytes, %opt) = @_;

    my (@interim, $res);

    for ( ;; ) {
        $res = _head($bytes) or return undef;

        last if !$opt{interim}
                || !defined $res->{status}
                || $res->{status} !~ /^1/
                || $res->{status} == 101;

        push @interim, $res->{status};
        $bytes = $res->{left};
    }

    $res->{interim} = \@interim;

    my $left = delete $res->{left};
    my $status = $res->{status};

    $res->{body} = '';
    $res->{complete} = 1;

    if (defined $status && ($status == 204 || $status == 304)
        || $opt{head})
    {
        $res->{rest} = $left if length $left;
        $res->{complete} = $opt{eof} if !defined $status;
        return $res;
    }

    my $coding = header($res, 'Transfer-Encoding');
    my $length = header($res, 'Content-Length');

    if (defined $coding && lc $coding eq 'chunked') {
        _chunked($res, $left, $opt{eof});

    } elsif (defined $length && $length =~ /^\d+$/) {
        _sized($res, $left, $length);

    } else {
        $res->{body} = $left;
        $res->{complete} = $opt{eof} ? 1 : 0;
    }

    return $res;
}


sub header {
    my ($res, $name) = @_;

    my @values = headers($res, $name);

    return @values ? join(', ', @values) : undef;
}


sub headers {
    my ($res, $name) = @_;

    return map { $_->[1] } grep { lc $_->[0] eq lc $name }
           @{ $res->{headers} };
}


sub _head {
    my ($bytes) = @_;

    my $end = index $bytes, "\r\n\r\n";

    return undef if $end < 0;

    my $raw = substr $bytes, 0, $end + 2;
    my ($first, @lines) = split /\r?\n/, $raw;

    my %res = (
        raw_headers => $raw,
        headers     => [],
        left        => substr($bytes, $end + 4),
    );

    if ($first =~ m{^HTTP/(\d+\.\d+)[ ]+(\d{3})(?:[ ]+(.*))?$}) {
        @res{qw(version status reason)} = ($1, $2, defined $3 ? $3 : '');
    }

    for my $line (@lines) {
        if ($line =~ /^[ \t]+(.*)/ && @{ $res{headers} }) {
            $res{headers}[-1][1] .= " $1";

        } elsif ($line =~ /^([^:]+?)[ \t]*:[ \t]*(.*?)[ \t]*$/) {
            push @{ $res{headers} }, [ $1, $2 ];
        }
    }

    return \%res;
}


sub _sized {
    my ($res, $left, $length) = @_;

    my $got = length $left;

    $res->{body} = substr $left, 0, $length;

    if ($got < $length) {
        $res->{complete} = 0;
        $res->{truncated} = [ $length, $got ];

    } elsif ($got > $length) {
        $res->{rest} = substr $left, $length;
    }
}


sub _chunked {
    my ($res, $left, $eof) = @_;

    my $pos = 0;
    my $body = '';

    for ( ;; ) {
        pos($left) = $pos;

        if ($left !~ /\G[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n/gc) {
            if (length($left) - $pos > 20) {
                $res->{chunk_error} = 'invalid chunk size at byte '
                                      . length $body;
            } elsif ($eof) {
                $res->{chunk_error} = 'no last chunk found';
            }

            last;
        }

        my $size = hex $1;

        $pos = pos $left;

        if ($size == 0) {
            if ($left =~ /\G((?:[^\r\n]+\r\n)*)\r\n/gc) {
                my $rest = substr $left, pos $left;

                $res->{rest} = $rest if length $rest;
                $res->{body} = $body;
                return;
            }

            $res->{chunk_error} = 'no end of the last chunk' if $eof;
            last;
        }

        if (length($left) - $pos < $size + 2) {
            $body .= substr $left, $pos, $size;
            $res->{chunk_error} = 'not enough octets for a chunk' if $eof;
            last;
        }

        $body .= substr $left, $pos, $size;
        $pos += $size;

        if (substr($left, $pos, 2) ne "\r\n") {
            $res->{chunk_error} = 'no CRLF after a chunk';
            last;
        }

        $pos += 2;
    }

    $res->{body} = $body;
    $res->{complete} = 0;
}


1;
