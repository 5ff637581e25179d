package MockAPI::Server;

# The process behind MockAPI: one loop over the API's listening socket, the
# control port and all connections.  See MockAPI for what it understands.

use strict;
use warnings;

use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use IO::Socket::INET ();
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY TCP_QUICKACK);
use Time::HiRes qw(time);

use MockAPI::Answer qw(steps);
use MockAPI::Control ();
use MockAPI::Operations ();

use constant {
    KEEP  => 100_000,       # requests remembered
    TICK  => 0.5,           # how often to look whether our parent lives
    LIMIT => 64 << 20,      # of one request
};

my $json = JSON::PP->new->utf8->canonical->allow_nonref;


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        api      => $opt{api},
        control  => $opt{control},
        parent   => $opt{parent},
        until    => time + $opt{lifetime},
        tls      => $opt{tls},
        conns    => {},
        timers   => [],
        serial   => 0,
    }, $class;

    $self->clear;
    $self->{script} = $opt{script};

    return $self;
}


# Forgets the requests that were received, but not the answers to give

sub clear {
    my ($self) = @_;

    $self->{requests} = [];
    $self->{dropped} = 0;
    $self->{accepted} = [];
    $self->{turn} = {};
}


sub run {
    my ($self) = @_;

    my $next_tick = 0;

    $self->_rebuild;

    for ( ;; ) {
        my $now = time;

        if ($now >= $next_tick) {
            return if getppid() != $self->{parent} || $now > $self->{until};
            $next_tick = $now + TICK;
        }

        my $wait = $self->_run_timers($now);

        $wait = TICK if $wait > TICK;
        $wait = 0 if $self->{buffered};

        my ($r, $w) = ($self->{rbits}, $self->{wbits});
        my $n = select $r, $w, undef, $wait;

        if ($n <= 0) {
            next if !$self->{buffered};
            $r = $w = '';
        }

        $self->_accept($self->{api}, 0)
            if $self->{api} && vec $r, fileno $self->{api}, 1;
        $self->_accept($self->{control}, 1)
            if vec $r, fileno $self->{control}, 1;

        delete $self->{buffered};

        my @conns = values %{ $self->{conns} };

        for my $conn (@conns) {
            next if $conn->{dead};

            eval {
                $self->_serve($conn, $r, $w);
                1;
            } or do {
                warn "MockAPI: $@";
                $self->_close($conn, 1);
            };
        }
    }
}


sub _serve {
    my ($self, $conn, $r, $w) = @_;

    my $fd = $conn->{fd};

    $self->_writable($conn) if vec $w, $fd, 1;

    return if $conn->{dead};

    $self->_readable($conn) if vec($r, $fd, 1) || $conn->{pending};
}


sub _rebuild {
    my ($self) = @_;

    $self->{rbits} = $self->{wbits} = '';

    for my $sock (grep { $_ } $self->{api}, $self->{control}) {
        vec($self->{rbits}, fileno $sock, 1) = 1;
    }

    for my $conn (values %{ $self->{conns} }) {
        $self->_watch($conn);
    }
}


sub _watch {
    my ($self, $conn) = @_;

    my $fd = $conn->{fd};

    vec($self->{rbits}, $fd, 1) = $conn->{deaf} ? 0 : 1;
    vec($self->{wbits}, $fd, 1) = length $conn->{out}
                                  || $conn->{wants_write} ? 1 : 0;
}


# Timers, soonest first: [ time, code ]

sub _after {
    my ($self, $seconds, $code) = @_;

    my $at = time + $seconds;
    my $timers = $self->{timers};
    my $i = @$timers;

    $i-- while $i > 0 && $timers->[$i - 1][0] > $at;

    splice @$timers, $i, 0, [ $at, $code ];
}


sub _run_timers {
    my ($self, $now) = @_;

    my $timers = $self->{timers};

    while (@$timers && $timers->[0][0] <= $now) {
        (shift @$timers)->[1]->();
    }

    return @$timers ? $timers->[0][0] - $now : TICK;
}


sub _accept {
    my ($self, $listener, $control) = @_;

    for (1 .. 64) {
        my $sock = $listener->accept or return;

        $sock->blocking(0);
        setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;

        my $conn = {
            sock    => $sock,
            fd      => fileno $sock,
            id      => ++$self->{serial},
            control => $control,
            in      => '',
            out     => '',
            steps   => [],
        };

        $self->{conns}{ $conn->{fd} } = $conn;

        if ($control) {
            $self->_watch($conn);

        } else {
            push @{ $self->{accepted} },
                 $conn->{info} = { id => $conn->{id}, time => time };
            $self->_greet($conn);
        }
    }
}


sub _greet {
    my ($self, $conn) = @_;

    my $how = $self->{script}{on_connect};
    my $delay = ref $how ? $how->{delay} : undef;

    $how = '' if !defined $how || ref $how;

    return $self->_close($conn, 1) if $how eq 'reset';
    return $self->_close($conn) if $how eq 'close';

    $conn->{deaf} = 1 if $how eq 'ignore' || $delay;
    $self->_watch($conn);

    return if $how eq 'ignore';

    if ($delay) {
        $self->_after($delay, sub {
            return if $conn->{dead};
            $conn->{deaf} = 0;
            $self->_start_tls($conn) if $self->{tls};
            $self->_watch($conn) if !$conn->{dead};
        });
        return;
    }

    $self->_start_tls($conn) if $self->{tls};
}


sub _start_tls {
    my ($self, $conn) = @_;

    my $sock = IO::Socket::SSL->start_SSL($conn->{sock},
        SSL_server         => 1,
        SSL_startHandshake => 0,
        SSL_reuse_ctx      => $self->{tls},
    ) or return $self->_close($conn);

    $conn->{sock} = $sock;
    $conn->{handshake} = 1;
    $self->_handshake($conn);
}


sub _handshake {
    my ($self, $conn) = @_;

    my $sock = $conn->{sock};

    if ($sock->accept_SSL) {
        $conn->{handshake} = $conn->{wants_write} = 0;
        $conn->{tls} = 1;

        my $info = $conn->{info};

        $info->{tls} = $sock->get_sslversion;
        $info->{resumed} = $sock->get_session_reused ? 1 : 0;
        $info->{sni} = $sock->get_servername;
        $info->{client} = $sock->peer_certificate('subject');

        $self->_watch($conn);
        return $self->_readable($conn);
    }

    if ($! == EAGAIN || $! == EWOULDBLOCK) {
        $conn->{wants_write} = $IO::Socket::SSL::SSL_ERROR
                               == IO::Socket::SSL::SSL_WANT_WRITE();
        $self->_watch($conn);
        return;
    }

    $conn->{info}{error} = "$IO::Socket::SSL::SSL_ERROR";
    $self->_close($conn);
}


sub _close {
    my ($self, $conn, $reset) = @_;

    return if $conn->{dead}++;

    my $fd = $conn->{fd};

    vec($self->{rbits}, $fd, 1) = 0;
    vec($self->{wbits}, $fd, 1) = 0;
    delete $self->{conns}{$fd};

    $conn->{info}{closed} = time if $conn->{info};

    if ($reset) {
        setsockopt $conn->{sock}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    }

    # no close_notify on a reset, and none is waited for

    if ($conn->{sock}->isa('IO::Socket::SSL')) {
        $conn->{sock}->close(SSL_no_shutdown => $reset ? 1 : 0,
                             SSL_fast_shutdown => 1);
    } else {
        close $conn->{sock};
    }
}


sub _readable {
    my ($self, $conn) = @_;

    return $self->_handshake($conn) if $conn->{handshake};

    $conn->{pending} = 0;

    my $n = sysread $conn->{sock}, $conn->{in}, 65536, length $conn->{in};

    if (!defined $n) {
        return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
        return $self->_close($conn);
    }

    return $self->_close($conn) if $n == 0;
    return $self->_close($conn, 1) if length $conn->{in} > LIMIT;

    $conn->{pending} = $self->{buffered} = 1
        if $conn->{tls} && $conn->{sock}->pending;

    $self->_requests($conn);
}


# One request at a time: the next is looked at when its answer is sent.

sub _requests {
    my ($self, $conn) = @_;

    while (!$conn->{busy} && !$conn->{dead}) {
        my $request = $self->_parse($conn) or return;

        $conn->{busy} = 1;

        my $steps = $conn->{control} ? MockAPI::Control::answer($self, $request)
                    : $self->_answer($conn, $request);

        push @{ $conn->{steps} }, @$steps;
        $self->_step($conn);
    }
}


sub _parse {
    my ($self, $conn) = @_;

    my $end = index $conn->{in}, "\r\n\r\n";

    return undef if $end < 0;

    my $head = substr $conn->{in}, 0, $end + 2;
    my $from = $end + 4;
    my ($body, $size);

    if ($head =~ /\r\nTransfer-Encoding:[ \t]*chunked/i) {
        ($body, $size) = _unchunk(substr $conn->{in}, $from);
        return undef if !defined $body;

    } else {
        $size = $head =~ /\r\nContent-Length:[ \t]*(\d+)/i ? $1 : 0;

        if (length($conn->{in}) < $from + $size) {
            $self->_continue($conn) if $head =~ /\r\nExpect:[ \t]*100-/i;

            # the caller may wait for an ACK before it sends the body

            setsockopt $conn->{sock}, IPPROTO_TCP, TCP_QUICKACK, 1;
            return undef;
        }

        $body = substr $conn->{in}, $from, $size;
    }

    substr $conn->{in}, 0, $from + $size, '';
    delete $conn->{continued};

    my ($method, $target, $version) =
        $head =~ m{^(\S+) (\S+) HTTP/(\S+)\r\n} ? ($1, $2, $3) : ('', '', '');

    my ($path, $args) = split /\?/, $target, 2;

    return {
        method  => $method,
        target  => $target,
        path    => defined $path ? $path : '',
        args    => $args,
        version => $version,
        head    => $head,
        body    => $body,
        time    => time,
        connection => $conn->{id},
    };
}


sub _continue {
    my ($self, $conn) = @_;

    return if $conn->{continued}++;

    $conn->{out} .= "HTTP/1.1 100 Continue\r\n\r\n";
    $self->_writable($conn);
}


sub _unchunk {
    my ($bytes) = @_;

    my $body = '';

    while ($bytes =~ /\G([0-9a-f]+)[^\r\n]*\r\n/gci) {
        my $size = hex $1;

        if ($size == 0) {
            return $bytes =~ /\G(?:[^\r\n]+\r\n)*\r\n/gc
                   ? ($body, pos $bytes) : ();
        }

        return () if length($bytes) < pos($bytes) + $size + 2;

        $body .= substr $bytes, pos($bytes), $size;
        pos($bytes) += $size + 2;
    }

    return ();
}


sub _answer {
    my ($self, $conn, $request) = @_;

    # a plain string without escapes needs no JSON parser

    if ($request->{body} =~ /"token"\s*:\s*"([^"\\]*)"/) {
        $request->{token} = $1;

    } elsif (length $request->{body}) {
        my $value = eval { $json->decode($request->{body}) };

        $request->{token} = $value->{token} if ref $value eq 'HASH';
    }

    my $requests = $self->{requests};

    push @$requests, $request;

    if (@$requests > KEEP) {
        splice @$requests, 0, KEEP / 10;
        $self->{dropped} += KEEP / 10;
    }

    my $steps = eval {
        steps($self->_choose($request), $self->full($request));
    };

    return $steps if $steps;

    warn "MockAPI: $@";

    return steps({ status => 500, body => "mock: $@", close => 1 });
}


# Paths come before tokens, with the method before without.

sub _choose {
    my ($self, $request) = @_;

    my $script = $self->{script};
    my ($method, $path) = @{$request}{qw(method path)};

    for my $key ("$method $path", $path) {
        my $answer = $script->{paths}{$key};

        next if !defined $answer;

        if (ref $answer eq 'HASH' && $answer->{by_token}) {
            my $by = $answer->{by_token};
            my $token = defined $request->{token} ? $request->{token} : '';

            my $name = exists $by->{$token} ? $token : '*';

            next if !exists $by->{$name};

            return $self->_turn("$key $name", $by->{$name});
        }

        return $self->_turn($key, $answer);
    }

    return MockAPI::Operations::answer($request, $script)
        if "$method $path" ne 'POST /v1/tokens/introspect';

    my $token = $request->{token};

    return $self->_turn("token $token", $script->{tokens}{$token})
        if defined $token && exists $script->{tokens}{$token};

    return $self->_turn('default', $script->{default});
}


# A list is a sequence of answers; the last one stays.

sub _turn {
    my ($self, $key, $answer) = @_;

    return $answer if ref $answer ne 'ARRAY';

    my $n = $self->{turn}{$key}++;

    return $answer->[ $n < @$answer ? $n : -1 ];
}


sub full {
    my ($self, $request) = @_;

    return $request if $request->{headers};

    my ($first, @lines) = split /\r\n/, $request->{head};
    my @headers = map { /^([^:]*):[ \t]*(.*?)[ \t]*$/ ? [ $1, $2 ]
                                                      : [ $_, '' ] } @lines;

    $request->{headers} = \@headers;
    $request->{header} = { map { lc $_->[0] => $_->[1] } @headers };

    return $request;
}


sub _step {
    my ($self, $conn) = @_;

    while (!$conn->{dead}) {
        return $self->_writable($conn) if length $conn->{out};

        my $step = shift @{ $conn->{steps} };

        if (!$step) {
            $conn->{busy} = 0;
            return;
        }

        my ($verb, $value) = @$step;

        if ($verb eq 'send') {
            $conn->{out} = $value;

        } elsif ($verb eq 'wait') {
            $self->_after($value, sub {
                $self->_step($conn) if !$conn->{dead};
                $self->_requests($conn) if !$conn->{dead};
            });
            return;

        } elsif ($verb eq 'hang') {
            return;

        } else {
            return $self->_close($conn, $verb eq 'reset');
        }
    }
}


sub _writable {
    my ($self, $conn) = @_;

    return $self->_handshake($conn) if $conn->{handshake};

    my $n = syswrite $conn->{sock}, $conn->{out};

    if (defined $n) {
        substr $conn->{out}, 0, $n, '';

    } elsif ($! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR) {
        return $self->_close($conn);
    }

    $self->_watch($conn) if length $conn->{out} || vec $self->{wbits},
                                                       $conn->{fd}, 1;

    if (!length $conn->{out} && $conn->{busy}) {
        $self->_step($conn);
        $self->_requests($conn) if !$conn->{busy} && length $conn->{in};
    }
}


sub drop_all {
    my ($self) = @_;

    my @conns = grep { !$_->{control} } values %{ $self->{conns} };

    $self->_close($_) for @conns;
}


# Not listening: connections are refused, and open ones end.

sub listen {
    my ($self, $on) = @_;

    if ($on && !$self->{api}) {
        $self->{api} = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => $self->{port},
            ReuseAddr => 1,
            Listen    => 512,
            Blocking  => 0,
        ) or return "cannot listen again: $!\n";

    } elsif (!$on && $self->{api}) {
        $self->{port} = $self->{api}->sockport;
        close $self->{api};
        delete $self->{api};

        $self->drop_all;
    }

    $self->_rebuild;

    return undef;
}


1;
