package HttpClient;

# An HTTP/1.1 client for tests: exact bytes, deadlines everywhere, connections
# that can be broken off at a chosen moment, and many requests at once.
#
#   my $http = HttpClient->new(port => $port);    # addr, timeout => 5, host
#
#   my $res = $http->get('/t', headers => { Authorization => 'Bearer x' });
#   my $res = $http->request(POST => '/t', headers => [ A => 1, A => 2 ],
#                            body => 'x');
#   my $res = $http->raw("GET / HTTP/1.0\r\n\r\n");   until the peer closes
#                                                     or the answer is whole
#
# Each is a connection of its own ("Connection: close").  A result:
#
#   status headers body raw_headers version interim    as in HttpMessage
#   complete     1 if the whole response came
#   error        undef, 'connect', 'timeout', 'closed' (before the end of the
#                response), 'aborted', or the system's text
#   latency      seconds until it was complete (or failed)
#   bytes        all that was received
#
#   HttpClient::header($res, 'Name')
#
# A connection in the hand:
#
#   my $c = $http->connect;
#   $c->request(GET => '/t')                  keep-alive; same result
#   $c->send($bytes)   $c->read(head => 0)    one response
#   $c->read_some($seconds)                   whatever comes; '' if nothing
#   $c->closed($seconds)                      true once the peer has closed
#   $c->shutdown  $c->close  $c->reset
#
# Many at once, in one loop:
#
#   my @res = $http->many([ { path => '/t', headers => {...} }, ... ],
#                         at_once => 100);
#
# Each entry: method path headers body, or raw; timeout; delay (starts so many
# seconds later); abort => 0.1 (breaks off so many seconds after sending, with
# RST if "reset" is set).  at_once bounds the open connections (default: all).
# on_result => sub { my ($i, $res) = @_ } is called as each is done.

use strict;
use warnings;

use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use IO::Select ();
use IO::Socket::INET ();
use Socket qw(SOL_SOCKET SO_LINGER SO_ERROR IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use HttpMessage ();
use NginxControl ();


sub header { return HttpMessage::header(@_) }


sub new {
    my ($class, %opt) = @_;

    return bless {
        addr    => $opt{addr} || '127.0.0.1',
        port    => $opt{port},
        host    => defined $opt{host} ? $opt{host} : 'localhost',
        timeout => $opt{timeout} || 5 * NginxControl::slow(),
    }, $class;
}


sub get {
    my ($self, $path, %opt) = @_;

    return $self->request(GET => $path, %opt);
}


sub request {
    my ($self, $method, $path, %opt) = @_;

    return ($self->many([ { method => $method, path => $path, %opt } ]))[0];
}


sub raw {
    my ($self, $bytes, %opt) = @_;

    return ($self->many([ { raw => $bytes, %opt } ]))[0];
}


sub connect {
    my ($self, %opt) = @_;

    my $sock = IO::Socket::INET->new(
        PeerAddr => $self->{addr},
        PeerPort => $self->{port},
        Proto    => 'tcp',
        Timeout  => $opt{timeout} || $self->{timeout},
    ) or return undef;

    $sock->blocking(0);
    setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;

    return bless { client => $self, sock => $sock, in => '' },
           'HttpClient::Connection';
}


sub bytes_of {
    my ($self, $spec, $connection) = @_;

    return $spec->{raw} if defined $spec->{raw};

    my $headers = $spec->{headers} || [];
    my @headers = ref $headers eq 'HASH'
                  ? map { ($_, $headers->{$_}) } sort keys %$headers
                  : @$headers;

    my $out = ($spec->{method} || 'GET') . " $spec->{path} HTTP/1.1\r\n";
    my %seen;

    for (my $i = 0; $i < @headers; $i += 2) {
        $out .= "$headers[$i]: $headers[$i + 1]\r\n";
        $seen{lc $headers[$i]} = 1;
    }

    $out .= "Host: $self->{host}\r\n" if !$seen{host};
    $out .= "Connection: $connection\r\n" if !$seen{connection};

    my $body = $spec->{body};

    $out .= 'Content-Length: ' . length($body) . "\r\n"
        if defined $body && !$seen{'content-length'}
           && !$seen{'transfer-encoding'};

    return "$out\r\n" . (defined $body ? $body : '');
}


sub many {
    my ($self, $specs, %opt) = @_;

    my $at_once = $opt{at_once} || scalar @$specs;
    my $start = time;
    my (@results, %open);

    my @waiting = sort { $a->{at} <=> $b->{at} || $a->{i} <=> $b->{i} }
                  map { { i => $_, spec => $specs->[$_],
                          at => $start + ($specs->[$_]{delay} || 0) } }
                  0 .. $#$specs;

    my $done = sub {
        my ($job, $error) = @_;

        delete $open{$job->{fd}} if defined $job->{fd};

        $results[$job->{i}] = _result($job, $error);
        $opt{on_result}->($job->{i}, $results[$job->{i}]) if $opt{on_result};
    };

    while (@waiting || %open) {
        my $now = time;

        while (@waiting && $waiting[0]{at} <= $now
               && keys %open < $at_once)
        {
            my $job = shift @waiting;

            if ($self->_begin($job)) {
                $open{$job->{fd}} = $job;

            } else {
                $done->($job, 'connect');
            }
        }

        my ($r, $w, $next) = ('', '', $now + 1);

        $next = $waiting[0]{at} if @waiting && $waiting[0]{at} < $next;

        for my $job (values %open) {
            vec($r, $job->{fd}, 1) = 1;
            vec($w, $job->{fd}, 1) = 1 if length $job->{out};
            $next = $job->{until} if $job->{until} < $next;
            $next = $job->{abort} if $job->{abort} && $job->{abort} < $next;
        }

        my $wait = $next - time;
        my $n = select $r, $w, undef, $wait > 0 ? $wait : 0;

        ($r, $w) = ('', '') if $n <= 0;

        $now = time;

        my @jobs = values %open;

        for my $job (@jobs) {
            my $error = _progress($job, vec($r, $job->{fd}, 1),
                                  vec($w, $job->{fd}, 1), $now);

            $done->($job, $error eq 'ok' ? undef : $error)
                if defined $error;
        }
    }

    return @results;
}


sub _begin {
    my ($self, $job) = @_;

    my $spec = $job->{spec};

    $job->{begun} = time;
    $job->{until} = $job->{begun} + ($spec->{timeout} || $self->{timeout});
    $job->{in} = '';

    $job->{out} = $self->bytes_of($spec, 'close');
    $job->{head} = $job->{out} =~ /^\s*HEAD\s/;

    my $sock = IO::Socket::INET->new(
        PeerAddr => $self->{addr},
        PeerPort => $self->{port},
        Proto    => 'tcp',
        Blocking => 0,
    );

    return 0 if !$sock;

    setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;

    $job->{sock} = $sock;
    $job->{fd} = fileno $sock;

    return 1;
}


# undef: goes on; 'ok'; or the error

sub _progress {
    my ($job, $readable, $writable, $now) = @_;

    if ($writable && length $job->{out}) {
        my $error = $job->{connected} ? 0
                    : unpack 'i', getsockopt $job->{sock}, SOL_SOCKET,
                                             SO_ERROR;

        return 'connect' if $error;

        $job->{connected} = 1;

        my $n = syswrite $job->{sock}, $job->{out};

        if (defined $n) {
            substr $job->{out}, 0, $n, '';

            $job->{abort} = $now + $job->{spec}{abort}
                if !length $job->{out} && defined $job->{spec}{abort};

            shutdown $job->{sock}, 1
                if !length $job->{out} && $job->{spec}{shutdown};

        } elsif ($! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR) {
            $job->{out} = '';     # an answer may have come all the same
        }
    }

    if ($readable) {
        my $n = sysread $job->{sock}, $job->{in}, 65536, length $job->{in};

        if (defined $n) {
            my $res = HttpMessage::parse($job->{in}, head => $job->{head},
                                         eof => $n == 0, interim => 1);

            $job->{res} = $res if $res;

            return 'ok' if $res && $res->{complete} && defined $res->{status}
                           && (!$job->{spec}{until_close} || $n == 0);
            return 'closed' if $n == 0;

        } elsif ($! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR) {
            return $job->{connected} ? "$!" : 'connect';
        }
    }

    if ($job->{abort} && $now >= $job->{abort}) {
        _linger_off($job->{sock}) if $job->{spec}{reset};
        return 'aborted';
    }

    return 'timeout' if $now >= $job->{until};
    return undef;
}


sub _result {
    my ($job, $error) = @_;

    my $res = $job->{res} || { headers => [], body => '', interim => [] };

    $res->{error} = $error;
    $res->{latency} = time - $job->{begun};
    $res->{bytes} = $job->{in};

    close delete $job->{sock} if $job->{sock};

    return $res;
}


# so that close() sends RST

sub _linger_off {
    my ($sock) = @_;

    setsockopt $sock, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
}


package HttpClient::Connection;

use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use Time::HiRes qw(time);


sub request {
    my ($self, $method, $path, %opt) = @_;

    my $bytes = $self->{client}->bytes_of({ method => $method,
                                            path => $path, %opt },
                                          'keep-alive');

    $self->send($bytes) or return $self->_failed('closed');

    return $self->read(head => $method eq 'HEAD', timeout => $opt{timeout});
}


sub send {
    my ($self, $bytes) = @_;

    my $until = time + $self->{client}{timeout};

    while (length $bytes) {
        my $n = syswrite $self->{sock}, $bytes;

        if (defined $n) {
            substr $bytes, 0, $n, '';

        } elsif ($! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR) {
            return 0;

        } else {
            return 0 if time > $until;
            IO::Select->new($self->{sock})->can_write(0.1);
        }
    }

    return 1;
}


sub read {
    my ($self, %opt) = @_;

    my $begun = time;
    my $until = $begun + ($opt{timeout} || $self->{client}{timeout});

    for ( ;; ) {
        my $res = HttpMessage::parse($self->{in}, head => $opt{head},
                                     eof => $self->{eof}, interim => 1);

        if ($res && $res->{complete}) {
            $self->{in} = defined $res->{rest} ? $res->{rest} : '';
            $res->{latency} = time - $begun;
            return $res;
        }

        return $self->_failed('closed', $res) if $self->{eof};
        return $self->_failed('timeout', $res) if time > $until;

        $self->_fill($until - time);
    }
}


sub _fill {
    my ($self, $seconds) = @_;

    $seconds = 0 if $seconds < 0;

    return if !IO::Select->new($self->{sock})->can_read($seconds);

    my $n = sysread $self->{sock}, $self->{in}, 65536, length $self->{in};

    $self->{eof} = 1 if defined $n ? $n == 0
                        : $! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR;
}


sub _failed {
    my ($self, $error, $res) = @_;

    $res ||= { headers => [], body => '', interim => [] };
    $res->{error} = $error;

    return $res;
}


sub read_some {
    my ($self, $seconds) = @_;

    $self->_fill($seconds) if !length $self->{in} && !$self->{eof};

    my $bytes = $self->{in};

    $self->{in} = '';

    return $bytes;
}


sub closed {
    my ($self, $seconds) = @_;

    my $until = time + ($seconds || 0);

    for ( ;; ) {
        return 1 if $self->{eof};

        my $left = $until - time;

        $self->_fill($left);

        return $self->{eof} ? 1 : 0 if $left <= 0;
    }
}


sub shutdown { CORE::shutdown($_[0]{sock}, 1) }
sub close { CORE::close($_[0]{sock}) }


sub reset {
    my ($self) = @_;

    HttpClient::_linger_off($self->{sock});

    return CORE::close($self->{sock});
}


1;
