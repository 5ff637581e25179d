package RedisProxy;

# What stands between an edge and the Redis of a test, so that it can be cut off
# or slow while Redis is well: a process of its own, on a port of 127.0.0.1.
#
#   my $proxy = RedisProxy->start($redis);
#   $proxy->url                   "redis://..."
#   $proxy->halt; $proxy->go_on   SIGSTOP, SIGCONT
#   $proxy->stop
#
# Options of start: late => sub { my ($n, $asks) = @_ } returns the seconds by
# which data on the n-th connection is late; it comes from the edge if $asks,
# else from Redis.  hold => a sub with the same arguments, true while data must
# wait.

use strict;
use warnings;

use IO::Select ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use POSIX ();
use Time::HiRes qw(time);

use NginxControl ();

my $owner = $$;
my @all;


sub start {
    my ($class, $redis, %opt) = @_;

    my $parent = $$;
    my $listen = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1')
        or die "RedisProxy: listen: $!\n";
    my $pid = fork();

    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        $SIG{PIPE} = 'IGNORE';
        $SIG{TERM} = 'DEFAULT';

        # prove waits for the end of file on it

        open STDOUT, '>', '/dev/null';

        eval { _run($parent, $listen, $redis->{socket}, %opt); 1 }
            or print STDERR "RedisProxy: $@";
        POSIX::_exit(0);
    }

    NginxControl::guard($pid);

    my $self = bless { pid => $pid, port => $listen->sockport }, $class;

    push @all, $self;

    return $self;
}


sub url { return "redis://127.0.0.1:$_[0]{port}" }
sub halt { return kill STOP => $_[0]{pid} }
sub go_on { return kill CONT => $_[0]{pid} }


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    NginxControl::stop($pid, signal => 'KILL');

    return;
}


sub _run {
    my ($parent, $listen, $path, %opt) = @_;

    my $select = IO::Select->new($listen);
    my (%peer, %from, @due);
    my $n = 0;

    while (getppid() == $parent) {
        for my $from ($select->can_read(@due ? 0.01 : 0.5)) {

            if ($from == $listen) {
                my $client = $listen->accept or next;
                my $server = IO::Socket::UNIX->new($path);

                # Redis is gone: so is the connection

                next if !$server;

                @peer{$client, $server} = ($server, $client);
                $from{$client} = [ ++$n, 1 ];
                $from{$server} = [ $n, 0 ];
                $select->add($client, $server);
                next;
            }

            my $to = $peer{$from} or next;

            if (!sysread $from, my $data, 65536) {
                $select->remove($from, $to);
                delete @peer{$from, $to};
                delete @from{$from, $to};
                @due = grep { $_->{to} != $from && $_->{to} != $to } @due;
                shutdown $_, 2 for $from, $to;

            } else {
                my $late = $opt{late} ? $opt{late}->(@{ $from{$from} }) : 0;

                push @due, { at => time + $late, to => $to, data => $data,
                             from => $from{$from} };
            }
        }

        my @wait;

        for my $due (@due) {
            if ($due->{at} > time || ($opt{hold}
                                      && $opt{hold}->(@{ $due->{from} })))
            {
                push @wait, $due;
                next;
            }

            _write($due->{to}, $due->{data});
        }

        @due = @wait;
    }
}


# all of it, where the other end lives

sub _write {
    my ($to, $data) = @_;

    while (length $data) {
        my $n = syswrite $to, $data or return;

        substr $data, 0, $n, '';
    }
}


END {
    if ($$ == $owner) {
        local $?;

        $_->stop for @all;
    }
}

1;
