package NameServer;

# A name server for tests, as a child: every name has the address that was set
# last.
#
#   my $names = NameServer->start('127.0.0.1');
#   $names->port                    of UDP at 127.0.0.1
#   $names->says('127.0.0.2')       'none': there is no such name; 'silent'
#   $names->stop

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET ();
use POSIX ();
use Socket qw(inet_aton);


sub start {
    my ($class, $address) = @_;

    my $self = bless { dir => File::Temp->newdir, owner => $$ }, $class;
    my $socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
        or die "a socket: $!\n";

    $self->{port} = $socket->sockport;
    $self->says($address);

    my $pid = fork();
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        $self->_answer($socket) for 1 .. 1e6;
        POSIX::_exit(0);
    }

    $self->{pid} = $pid;

    return $self;
}


sub port { return $_[0]{port} }


sub says {
    my ($self, $address) = @_;

    my $path = "$self->{dir}/address";

    open my $fh, '>', "$path.new" or die "$path: $!\n";
    print $fh $address;
    close $fh;
    rename "$path.new", $path or die "$path: $!\n";
}


# a question of one name, and the answer to its A record

sub _answer {
    my ($self, $socket) = @_;

    defined $socket->recv(my $query, 512) or return;

    open my $fh, '<', "$self->{dir}/address" or POSIX::_exit(0);

    my $address = <$fh>;

    close $fh;

    return if $address eq 'silent' || length $query < 17;

    my $none = $address eq 'none';
    my $head = pack 'a2 n5', $query, $none ? 0x8183 : 0x8180, 1, !$none, 0, 0;
    my $answer = $none ? '' : pack 'n3 N n a4', 0xc00c, 1, 1, 1, 4,
                                   inet_aton($address);

    $socket->send($head . substr($query, 12) . $answer);
}


sub stop {
    my ($self) = @_;

    return if !$self->{pid} || $self->{owner} != $$;

    kill KILL => $self->{pid};
    waitpid $self->{pid}, 0;
    $self->{pid} = 0;
}


sub DESTROY {
    local ($?, $!);

    $_[0]->stop;
}

1;
