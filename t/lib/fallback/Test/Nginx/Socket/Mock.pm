package Test::Nginx::Socket::Mock;

# The servers of tcp_listen and udp_listen: each takes one connection (or one
# datagram), reads, waits, replies, and is gone.
#
#   my $mock = tcp($ctx) or udp($ctx);      $ctx: { block, name, expand }
#   $mock->check;                           tcp_query, tcp_query_len, udp_query
#   $mock->stop;
#
# Sections: tcp_listen (a port or a path ending in .sock), tcp_reply (string,
# array, or sub of the query that returns one), tcp_reply_delay, tcp_query,
# tcp_query_len, tcp_query_auto_timeout, tcp_no_close, tcp_shutdown (0, 1, 2),
# tcp_shutdown_delay; udp_listen, udp_reply, udp_reply_delay, udp_query.

use strict;
use warnings;

use File::Temp ();
use IO::Select ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use POSIX ();
use Socket qw(SOCK_DGRAM SOCK_STREAM);
use Test::More ();
use Time::HiRes qw(sleep);

use NginxControl ();
use Test::Nginx::Socket::Check ();
use Test::Nginx::Socket::Spec qw(seconds);

# a forgotten server ends by itself

use constant LIFETIME => 300;


sub tcp {
    my ($ctx) = @_;

    my $block = $ctx->{block};

    die "--- tcp_listen without --- tcp_reply\n"
        if !defined $block->tcp_reply && !defined $block->tcp_shutdown;

    return _start($ctx, 'tcp', \&_serve_tcp);
}


sub udp {
    my ($ctx) = @_;

    die "--- udp_listen without --- udp_reply\n"
        if !defined $ctx->{block}->udp_reply;

    return _start($ctx, 'udp', \&_serve_udp);
}


sub _start {
    my ($ctx, $proto, $serve) = @_;

    my $section = "${proto}_listen";
    my $target = $ctx->{expand}->($ctx->{block}->$section);
    my $sock = _listen($proto, $target);
    my $log = File::Temp->new;
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM QUIT ALRM);
        $SIG{PIPE} = 'IGNORE';
        alarm LIFETIME;

        eval { $serve->($ctx->{block}, $sock, $log) };
        warn "WARNING: $ctx->{name} - $proto server: $@" if $@;
        POSIX::_exit(0);
    }

    NginxControl::guard($pid);

    return bless {
        ctx    => $ctx,
        proto  => $proto,
        pid    => $pid,
        sock   => $sock,
        log    => $log,
        socket => $target =~ /\.sock$/ ? $target : undef,
    }, __PACKAGE__;
}


sub _listen {
    my ($proto, $target) = @_;

    my $sock;

    if ($target =~ /^\d+$/) {
        $sock = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => $target,
            Proto     => $proto,
            $proto eq 'tcp' ? (Listen => 5, ReuseAddr => 1) : (),
        );

    } elsif ($target =~ /\.sock$/) {
        unlink $target;
        $sock = IO::Socket::UNIX->new(
            Local => $target,
            Type  => $proto eq 'tcp' ? SOCK_STREAM : SOCK_DGRAM,
            $proto eq 'tcp' ? (Listen => 5) : (),
        );

    } else {
        die "bad ${proto}_listen target: $target\n";
    }

    return $sock || die "cannot listen on $target: $!\n";
}


sub _serve_tcp {
    my ($block, $sock, $log) = @_;

    my $client;

    for ( ;; ) {
        last if $client = $sock->accept;
    }

    my $shutdown = $block->tcp_shutdown;
    my ($reads, $writes) = (1, 1);

    if (defined $shutdown) {
        sleep $block->tcp_shutdown_delay if $block->tcp_shutdown_delay;
        shutdown $client, $shutdown;
        $reads = 0 if $shutdown == 0 || $shutdown == 2;
        $writes = $reads if $shutdown != 0;
        $writes = 0 if $shutdown == 1;
    }

    my $query = $reads ? _read_query($block, $client, $log) : '';
    my $delay = seconds(scalar $block->tcp_reply_delay);

    sleep $delay if $delay;

    if ($writes && defined $block->tcp_reply) {
        for my $part (_reply(scalar $block->tcp_reply, $query)) {
            _write_all($client, $part);
        }
    }

    if (defined $block->tcp_no_close) {
        sleep 1 while 1;
    }

    close $client;
    close $sock;
}


sub _read_query {
    my ($block, $client, $log) = @_;

    my $want = $block->tcp_query_len;
    my $auto = $block->tcp_query_auto_timeout;
    my $query = '';

    $want = length $block->tcp_query
        if !defined $want && defined $block->tcp_query;

    $auto = 0.1 if defined $auto && $auto eq '';

    for ( ;; ) {
        last if defined $auto && !IO::Select->new($client)->can_read($auto);

        my $n = sysread $client, $query, 4096, length $query;

        die "read: $!\n" if !defined $n;
        last if $n == 0;

        # the test reads this as soon as it has its answer

        syswrite $log, substr($query, -$n);

        last if !defined $auto && (!$want || length $query >= $want);
    }

    return $query;
}


sub _reply {
    my ($reply, $query) = @_;

    $reply = $reply->($query) if ref $reply eq 'CODE';

    return ref $reply eq 'ARRAY' ? @$reply : defined $reply ? $reply : ();
}


sub _write_all {
    my ($client, $bytes) = @_;

    while (length $bytes) {
        my $n = syswrite $client, $bytes;

        return if !defined $n;

        substr $bytes, 0, $n, '';
    }
}


sub _serve_udp {
    my ($block, $sock, $log) = @_;

    my $query = '';
    my $from = $sock->recv($query, 65536);

    die "recv: $!\n" if !defined $from;

    syswrite $log, $query;

    my $delay = seconds(scalar $block->udp_reply_delay);

    sleep $delay if $delay;

    for my $part (_reply(scalar $block->udp_reply, $query)) {
        $sock->send($part, 0, $from);
    }
}


sub check {
    my ($self) = @_;

    my ($ctx, $proto) = @{$self}{qw(ctx proto)};
    my $section = "${proto}_query";
    my $query = NginxControl::slurp($self->{log}->filename);

    if (defined(my $expected = $ctx->{block}->$section)) {
        if (ref $expected) {
            Test::More::like($query, $expected, "$ctx->{name} - $section ok");

        } else {
            Test::Nginx::Socket::Check::is_string($ctx, $query, $expected,
                                            "$ctx->{name} - $section ok");
        }
    }

    if ($proto eq 'tcp' && defined $ctx->{block}->tcp_query_len) {
        Test::More::is(length $query, $ctx->{block}->tcp_query_len,
                       "$ctx->{name} - TCP query length ok");
    }
}


sub stop {
    my ($self) = @_;

    NginxControl::stop($self->{pid}, signal => 'KILL');
    close $self->{sock};
    unlink $self->{socket} if defined $self->{socket};
}


1;
