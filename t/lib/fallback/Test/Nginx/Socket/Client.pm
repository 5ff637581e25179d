package Test::Nginx::Socket::Client;

# What a block sends, and the sending.
#
#   my @requests = requests($block, \%setup);   each a list of packets,
#                                               { value, delay_before }
#   my $bytes = send_packets($packets, %options);
#
# Dies with a message for a block that cannot be understood.

use strict;
use warnings;

use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use IO::Select ();
use IO::Socket::INET ();
use Time::HiRes qw(sleep time);


sub requests {
    my ($block, $setup) = @_;

    if (defined(my $raw = $block->raw_request)) {
        return [ map { { value => $_ } } ref $raw ? @$raw : $raw ];
    }

    if (my $pipelined = $block->pipelined_requests) {
        return _pipelined($block, $setup, $pipelined);
    }

    my $request = $block->request;

    if (defined $block->request_eval) {
        $request = eval $block->request_eval;
        die "request_eval: $@" if $@;
    }

    die "request empty\n" if !defined $request;

    if (!ref $request) {
        1 while $request =~ s/\A(?:\s+|\s*#[^\n]*\n)//;

        return _one($block, $setup, [ $request ], 0, 'close');
    }

    die "--- request must be a string or an array of requests\n"
        if ref $request ne 'ARRAY';

    die "request empty\n" if !@$request;

    my $i = 0;

    return map { _one($block, $setup, ref $_ eq 'ARRAY' ? $_ : [ $_ ],
                      $i++, 'close') } @$request;
}


sub _pipelined {
    my ($block, $setup, $list) = @_;

    die "--- pipelined_requests must be an array\n" if ref $list ne 'ARRAY';

    my $i = 0;
    my $bytes = '';

    for my $request (@$list) {
        my $connection = $i == $#$list ? 'close' : 'keep-alive';
        my $text = $setup->{expand}->($request);
        my $packets = _one($block, $setup, [ $text ], $i++, $connection);

        $bytes .= $_->{value} for @$packets;
    }

    return [ { value => $bytes } ];
}


# One request: its packets, a string or { value, delay_before } each, with
# the first line completed and the header block put after it.

sub _one {
    my ($block, $setup, $packets, $i, $connection) = @_;

    my @packets = map { ref $_ eq 'HASH' ? { %$_ } : { value => $_ } }
                  @$packets;

    for my $packet (@packets) {
        die "a packet is a string or a hash with a value\n"
            if ref $packet->{value} || !defined $packet->{value};
    }

    my ($more, $chunked) = _more_headers($block, $i);
    my ($line, $body) = split /\n/, join('', map { $_->{value} } @packets), 2;

    $body = '' if !defined $body;
    $line = '' if !defined $line;

    my @words = split ' ', $line;

    die "Request line should be non-empty\n" if !@words;
    die "Request line is not valid: \"$line\"\n" if @words > 3;

    $words[1] = '/' if @words < 2;
    $words[2] = 'HTTP/1.1' if @words < 3;

    my $trim = !$chunked && $body =~ /\S/ && $more !~ /^Content-Length:/m;
    my $head = join(' ', @words) . "\r\n";

    $head .= "Host: $setup->{server_name}\r\n" if $more !~ /^Host:/mi;
    $head .= "Connection: $connection\r\n" if $more !~ /^Connection/mi;
    $head .= $more;

    if ($trim) {
        (my $stripped = $body) =~ s/\A\s+|\s+\z//g;

        $head .= 'Content-Length: ' . length($stripped) . "\r\n";
    }

    return _lay_out(\@packets, "$head\r\n", length $line, $trim);
}


# Puts the head in place of the request line, wherever the packets cut it: a
# cut inside the line is kept at the same distance from its start.

sub _lay_out {
    my ($packets, $head, $line_length, $trim) = @_;

    my $indent = $packets->[0]{value} =~ /\A([ \t]+)/ ? length $1 : 0;
    my $seen = 0;
    my $sent = 0;
    my $in_body = 0;

    for my $packet (@$packets) {
        my $value = $packet->{value};

        if (!$in_body) {
            my $end = $seen + length $value;

            if ($end <= $line_length && $packet != $packets->[-1]) {
                my $take = $end - $indent - $sent;

                $take = 0 if $take < 0;
                $packet->{value} = substr $head, $sent, $take;
                $sent += $take;
                $seen = $end;
                next;
            }

            my $rest = $end > $line_length
                       ? substr($value, $line_length + 1 - $seen) : '';

            $rest =~ s/\A\s+// if $trim;
            $packet->{value} = substr($head, $sent) . $rest;
            $in_body = 1;
        }
    }

    $packets->[-1]{value} =~ s/\s+\z// if $trim;

    return $packets;
}


sub _more_headers {
    my ($block, $i) = @_;

    my $more = $block->more_headers;

    $more = '' if !defined $more;

    if (ref $more eq 'ARRAY') {
        $more = $more->[$i];
        die "--- more_headers lacks data for request $i\n" if !defined $more;
    }

    my $out = '';
    my $chunked = 0;

    for my $header (split /\n+/, $more) {
        next if $header =~ /^\s*#/;

        my ($name, $value) = split /:\s*/, $header, 2;

        $name = '' if !defined $name;
        $value = '' if !defined $value;
        $value =~ s/\r\z//;
        $chunked = 1 if lc $name eq 'transfer-encoding' && $value eq 'chunked';
        $out .= "$name: $value\r\n";
    }

    return ($out, $chunked);
}


# Sends the packets and reads until the peer closes.  The timeout is that of
# each wait; "limit" bounds the whole.  Returns the bytes and, if there is
# one, why the exchange ended early: 'timeout', 'connect', or the text of an
# error.

sub send_packets {
    my ($packets, %opt) = @_;

    my $sock = _connect(\%opt);

    return ('', 'connect') if !$sock;

    my @queue = map { { %$_ } } @$packets;
    my $out = (shift @queue)->{value};
    my $select = IO::Select->new($sock);
    my ($in, $writing) = ('', 1);
    my $until = time + ($opt{limit} || 60);

    while (time < $until) {
        my $bits = $select->bits;
        my ($r, $w) = ($bits, $writing ? $bits : undef);
        my $n = select $r, $w, undef, $opt{timeout};

        next if $n < 0 && $! == EINTR;
        return ($in, 'timeout') if $n <= 0;

        if (vec($r, fileno $sock, 1)) {
            my $got = _read($sock, \$in);

            return ($in, undef) if defined $got && $got eq 'eof';
            return ($in, $got) if defined $got;
        }

        next if !$writing || !vec($w, fileno $sock, 1);

        if (length $out) {
            my $written = syswrite $sock, $out;

            if (defined $written) {
                substr $out, 0, $written, '';

            } elsif ($! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR) {
                # data that was received before the reset still counts

                my $error = "write failed: $!";

                1 while !defined _read($sock, \$in) && $select->can_read(0.1);
                return (length $in ? $in : '', length $in ? undef : $error);
            }
        }

        next if length $out;

        if (my $next = shift @queue) {
            my $delay = defined $next->{delay_before}
                        ? $next->{delay_before} : $opt{middle_delay};

            sleep $delay if $delay;
            $out = $next->{value};
            next;
        }

        $writing = 0;

        if (defined(my $how = $opt{shutdown})) {
            shutdown $sock, $how =~ /^\s*$/ ? 1 : $how;
        }
    }

    return ($in, 'timeout');
}


# undef: more may come; 'eof'; or the text of an error

sub _read {
    my ($sock, $in) = @_;

    my $n = sysread $sock, $$in, 65536, length $$in;

    return $n == 0 ? 'eof' : undef if defined $n;
    return undef if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
    return "HTTP response read failure: $!";
}


sub _connect {
    my ($opt) = @_;

    my $until = time + ($opt->{connect} || 3);

    for ( ;; ) {
        my $sock = IO::Socket::INET->new(
            PeerAddr => $opt->{addr},
            PeerPort => $opt->{port},
            Proto    => 'tcp',
            Timeout  => $opt->{timeout},
        );

        if ($sock) {
            $sock->blocking(0);
            return $sock;
        }

        return undef if time > $until || !$opt->{retry}->();

        sleep 0.005;
    }
}


1;
