package MockUpstream;

# An application on 127.0.0.1 that answers with what reached it: the request's
# head and body as they came, or, where the protocol has parameters, these, as
# "NAME: value" lines.
#
#   use MockUpstream;
#
#   my $app = MockUpstream->start(name => 'APP');              # HTTP
#   my $app = MockUpstream->start(name => 'FCGI', type => 'fastcgi');
#   my $app = MockUpstream->start(name => 'UWSGI', type => 'uwsgi');
#
# Blocks find it at 127.0.0.1:$TEST_NGINX_APP_PORT.  Each connection serves one
# request.  A process of its own, which ends with the test file and after
# lifetime seconds (600) in any case.
#
# Methods: port, stop.
#
# For gRPC, put an nginx that speaks HTTP/2 and proxies to the HTTP one between.

use strict;
use warnings;

use IO::Socket::INET ();
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);

use NginxControl ();
use TestPorts ();

my $owner = $$;
my @running;

my %types = (
    http    => \&_http,
    fastcgi => \&_fastcgi,
    uwsgi   => \&_uwsgi,
);


sub start {
    my ($class, %opt) = @_;

    my $read = $types{ $opt{type} || 'http' }
               or die "MockUpstream: unknown type \"$opt{type}\"\n";
    my $port = TestPorts::free_port();

    my $sock = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        ReuseAddr => 1,
        Listen    => 512,
        Blocking  => 0,
    ) or die "MockUpstream: cannot listen on $port: $!\n";

    my $parent = $$;
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM QUIT ALRM HUP);
        $SIG{PIPE} = 'IGNORE';
        $0 = 'mock upstream of ' . $parent;

        # prove waits for the end of file on it

        open STDOUT, '>', '/dev/null';
        open STDIN, '<', '/dev/null';

        _run($sock, $read, $parent, time + ($opt{lifetime} || 600));
        POSIX::_exit(0);
    }

    close $sock;
    NginxControl::guard($pid);

    $ENV{"TEST_NGINX_$opt{name}_PORT"} = $port if defined $opt{name};

    my $self = bless { pid => $pid, port => $port }, $class;

    push @running, $self;

    return $self;
}


sub port { $_[0]{port} }


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid};

    NginxControl::stop($pid, signal => 'KILL') if defined $pid;

    return;
}


sub _run {
    my ($listener, $read, $parent, $until) = @_;

    my %conns;

    while (getppid() == $parent && time < $until) {
        my ($r, $w) = ('', '');

        vec($r, fileno $listener, 1) = 1;

        for my $conn (values %conns) {
            vec(length $conn->{out} ? $w : $r, fileno $conn->{sock}, 1) = 1;
        }

        next if select($r, $w, undef, 0.5) <= 0;

        if (vec $r, fileno $listener, 1) {
            while (my $sock = $listener->accept) {
                $sock->blocking(0);
                setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;
                $conns{ fileno $sock } = { sock => $sock, in => '',
                                           out => '' };
            }
        }

        for my $fd (keys %conns) {
            my $conn = $conns{$fd};

            if (vec $w, $fd, 1) {
                my $n = syswrite $conn->{sock}, $conn->{out};

                substr $conn->{out}, 0, $n, '' if defined $n;
                delete $conns{$fd} if !defined $n || !length $conn->{out};

            } elsif (vec $r, $fd, 1) {
                my $n = sysread $conn->{sock}, $conn->{in}, 65536,
                                length $conn->{in};

                if (!$n) {
                    delete $conns{$fd};
                    next;
                }

                my $answer = $read->($conn->{in});

                $conn->{out} = $answer if defined $answer;
            }
        }
    }
}


# Each takes the bytes received so far, and returns the answer once the request
# is complete.

sub _http {
    my ($in) = @_;

    return undef if $in !~ /\r\n\r\n/;

    my $head = $+[0];
    my ($length) = substr($in, 0, $head) =~ /^Content-Length: (\d+)/mi;

    return undef if length($in) < $head + ($length || 0);

    return "HTTP/1.1 200 OK\r\n" . _response($in);
}


sub _response {
    my ($body) = @_;

    return "Content-Type: text/plain\r\nContent-Length: " . length($body)
           . "\r\nConnection: close\r\n\r\n$body";
}


# "modifier1, size, modifier2", then parameters

sub _uwsgi {
    my ($in) = @_;

    return undef if length $in < 4;

    my (undef, $size) = unpack 'CvC', $in;

    return undef if length($in) < 4 + $size;

    my $text = '';

    for (my $i = 4; $i < 4 + $size; ) {
        my ($name, $value) = unpack "x$i v/a v/a", $in;

        $text .= "$name: $value\r\n";
        $i += 4 + length($name) + length $value;
    }

    return "HTTP/1.1 200 OK\r\n" . _response($text);
}


# Records; parameters end with an empty one, and so does the body

sub _fastcgi {
    my ($in) = @_;

    my ($params, $id, $done) = ('', 1, 0);

    while (length $in >= 8) {
        my (undef, $type, $request, $length, $padding) = unpack 'CCnnC', $in;

        last if length($in) < 8 + $length + $padding;

        $id = $request;
        $params .= substr $in, 8, $length if $type == 4;
        $done = 1 if $type == 5 && $length == 0;

        substr $in, 0, 8 + $length + $padding, '';
    }

    return undef if !$done;

    my $text = '';

    while (length $params) {
        my ($name, $value) = map { _fastcgi_length(\$params) } 1, 2;

        $text .= substr($params, 0, $name, '') . ': '
                 . substr($params, 0, $value, '') . "\r\n";
    }

    my $out = "Status: 200 OK\r\n" . _response($text);

    return pack('CCnnCx', 1, 6, $id, length $out, 0) . $out
           . pack('CCnnCx NCx3', 1, 3, $id, 8, 0, 0, 0);
}


sub _fastcgi_length {
    my ($params) = @_;

    my $n = ord substr $$params, 0, 1, '';

    return $n if $n < 128;

    return ($n & 127) << 24 | unpack 'N', "\0" . substr $$params, 0, 3, '';
}


END {
    if ($$ == $owner) {
        local $?;

        $_->stop for @running;
    }
}


1;
