package TestPorts;

# Free TCP ports on 127.0.0.1, each handed out once.
#
#   use TestPorts qw(free_port free_ports);
#   my $port = free_port();
#   my ($a, $b) = free_ports(2);
#
# Ports come from below the kernel's ephemeral range, so that no outgoing
# connection takes one between the choice and its use.  A lock file for each
# port, held while the process lives, keeps test files that run at the same
# time apart.

use strict;
use warnings;

use Exporter 'import';
use Fcntl qw(:flock);
use File::Spec ();
use IO::Socket::INET ();

our @EXPORT_OK = qw(free_port free_ports);

use constant {
    FIRST => 10240,
    LAST  => 32000,
};

my %held;


sub free_port {
    for (1 .. 2000) {
        my $port = FIRST + int(rand(LAST - FIRST));

        next if $held{$port};

        my $lock = _lock($port) or next;

        if (_is_free($port)) {
            $held{$port} = $lock;
            return $port;
        }
    }

    die "no free TCP port on 127.0.0.1\n";
}


sub free_ports {
    my ($n) = @_;

    return map { free_port() } 1 .. $n;
}


# Without SO_REUSEADDR and on every address: a port that is only in TIME_WAIT,
# or taken on another address, is not given out either.

sub _is_free {
    my ($port) = @_;

    my $sock = IO::Socket::INET->new(
        LocalAddr => '0.0.0.0',
        LocalPort => $port,
        Proto     => 'tcp',
        Listen    => 1,
    );

    return defined $sock;
}


sub _lock {
    my ($port) = @_;

    my $dir = File::Spec->catdir(File::Spec->tmpdir, "test-ports-$>");

    mkdir $dir, 0700;

    open my $fh, '>>', "$dir/$port" or return undef;

    return flock($fh, LOCK_EX | LOCK_NB) ? $fh : undef;
}


1;
