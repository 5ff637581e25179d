package NginxControl;

# Starting, watching and ending nginx processes: what the stand-in for
# Test::Nginx::Socket, NginxProcess and AgilicusTest share.
#
#   my $pid = NginxControl::start(
#       prefix  => $dir,              # -p
#       conf    => "$dir/nginx.conf", # -c
#       pidfile => "$dir/nginx.pid",
#       stderr  => "$dir/stderr.log", # what nginx says before its log opens
#       errlog  => "$dir/error.log",  # -e
#       binary  => '/usr/sbin/nginx',
#       command => [ 'prlimit', '--nofile=64' ],    # put before the binary
#       env     => { https_proxy => '...' },        # undef: not set
#       daemon  => 1,                 # the configuration says "daemon on"
#       deadline => 10,
#   );
#
# start() returns a hash: { pid, started => 1 } once nginx has written its
# pid file (its sockets listen by then), { pid, status => $? } if it has
# exited first, or { pid, hung => 1 } if it did neither in time.  The process
# is a child of the caller, in a session of its own, with TAP kept away from
# its standard output.
#
#   NginxControl::stop($pid, signal => 'QUIT', deadline => 5)
#       sends the signal, then TERM, then KILL; returns the name of the signal
#       that was needed, or undef if the process was gone already.  Workers
#       that are left are killed, unless told "alone => 1"
#   NginxControl::wait_gone($pid, $seconds)
#   NginxControl::status($pid)         $? of a child that has ended
#   NginxControl::alive($pid)          a zombie is not alive
#   NginxControl::reload($pid, errlog => $path, workers => 2)
#       sends HUP and waits until none but new workers take connections;
#       returns undef, or why that did not happen
#   NginxControl::children($pid)       [ { pid, title } ]
#   NginxControl::workers($master)     pids of workers that take connections
#   NginxControl::guard($pid)          ended should this process die
#   NginxControl::release($pid)
#   NginxControl::slow()               factor for every deadline
#   NginxControl::version($binary)     1.022001
#
# Environment:
#
#   AGILICUS_NGINX_WRAPPER   command put before nginx ("valgrind -q ...")
#   AGILICUS_NGINX_PRELOAD   LD_PRELOAD for nginx alone (libasan.so)
#   AGILICUS_TEST_SLOW       factor for deadlines; by default 10 under
#                            valgrind, 3 under another wrapper or preload

use strict;
use warnings;

use Errno qw(ESRCH EPERM);
use IO::Handle ();
use POSIX qw(WNOHANG setsid);
use Time::HiRes qw(sleep time);

our $Owner = $$;

my ($guard_pid, $guard_pipe, %status);


sub slow {
    my $slow = $ENV{AGILICUS_TEST_SLOW};

    return $slow if $slow;

    my $wrapper = $ENV{AGILICUS_NGINX_WRAPPER} || '';

    return 10 if $ENV{TEST_NGINX_USE_VALGRIND} || $wrapper =~ /valgrind/;
    return 3 if length $wrapper || $ENV{AGILICUS_NGINX_PRELOAD}
                || $ENV{TEST_NGINX_LD_PRELOAD};
    return 1;
}


sub version {
    my ($binary) = @_;

    my $out = `\Q$binary\E -v 2>&1`;

    return undef if $out !~ m{version: \S+?/(\d+)\.(\d+)\.(\d+)};

    return sprintf '%d.%03d%03d', $1, $2, $3;
}


sub start {
    my (%opt) = @_;

    my @command = (
        split(' ', $ENV{AGILICUS_NGINX_WRAPPER} || ''),
        @{ $opt{command} || [] },
        $opt{binary},
    );

    my @args = ('-p', "$opt{prefix}/", '-c', $opt{conf});

    unshift @args, '-e', $opt{errlog} if $opt{errlog};

    unlink $opt{pidfile};

    my $pid = _spawn([ @command, @args ], $opt{stderr}, $opt{env} || {});
    my $until = time + ($opt{deadline} || 10) * slow();

    guard($pid);

    for ( ;; ) {
        my $found = read_pidfile($opt{pidfile});

        if (defined $found) {
            guard($found) if $found != $pid;
            return { pid => $found, child => $pid, started => 1 };
        }

        if (waitpid($pid, WNOHANG) == $pid) {
            my $status = $status{$pid} = $?;

            release($pid);

            # with "daemon on" the parent leaves before its child is ready

            if ($status == 0 && $opt{daemon}) {
                $found = _await_pidfile($opt{pidfile}, $until);

                if (defined $found) {
                    guard($found);
                    return { pid => $found, started => 1 };
                }
            }

            return { pid => $pid, status => $status };
        }

        if (time > $until) {
            stop($pid, signal => 'KILL');
            return { pid => $pid, hung => 1 };
        }

        sleep 0.001;
    }
}


sub read_pidfile {
    my ($path) = @_;

    open my $fh, '<', $path or return undef;

    my $line = <$fh>;

    return defined $line && $line =~ /^(\d+)\n/ ? $1 : undef;
}


sub _await_pidfile {
    my ($path, $until) = @_;

    while (time < $until) {
        my $pid = read_pidfile($path);

        return $pid if defined $pid;

        sleep 0.001;
    }

    return undef;
}


sub _spawn {
    my ($argv, $stderr, $env) = @_;

    my $pid = fork;

    die "fork: $!\n" if !defined $pid;

    return $pid if $pid;

    setsid();

    if (defined(my $preload = $ENV{AGILICUS_NGINX_PRELOAD}
                              || $ENV{TEST_NGINX_LD_PRELOAD}))
    {
        $ENV{LD_PRELOAD} = join ' ', grep { defined && length }
                                     $preload, $ENV{LD_PRELOAD};
    }

    for my $name (keys %$env) {
        if (defined $env->{$name}) {
            $ENV{$name} = $env->{$name};

        } else {
            delete $ENV{$name};
        }
    }

    open STDIN, '<', '/dev/null' or POSIX::_exit(127);
    open STDOUT, '>', '/dev/null' or POSIX::_exit(127);
    open STDERR, '>', ($stderr || '/dev/null') or POSIX::_exit(127);

    { no warnings 'exec'; exec { $argv->[0] } @$argv; }

    print STDERR "cannot run $argv->[0]: $!\n";
    STDERR->flush;
    POSIX::_exit(127);
}


sub alive {
    my ($pid) = @_;

    my $stat = _stat($pid) or return 0;

    return $stat->{state} ne 'Z' && $stat->{state} ne 'X';
}


sub _stat {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return undef;

    my $line = <$fh>;

    return undef if !defined $line
                    || $line !~ /^\d+ \(.*\) (\S) (\d+) (.*)/s;

    my ($state, $parent, @rest) = ($1, $2, split ' ', $3);

    return { state => $state, parent => $parent, session => $rest[1],
             start => $rest[17] };
}


sub wait_gone {
    my ($pid, $seconds) = @_;

    my $until = time + $seconds;

    for ( ;; ) {
        if (!alive($pid)) {
            $status{$pid} = $? if waitpid($pid, 0) == $pid;
            return 1;
        }

        return 0 if time > $until;

        sleep 0.001;
    }
}


sub stop {
    my ($pid, %opt) = @_;

    my $deadline = ($opt{deadline} || 5) * slow();
    my $first = $opt{signal} || 'QUIT';
    my @steps = ([ $first, $deadline ]);

    push @steps, [ 'TERM', 2 ], [ 'KILL', 5 ] if $first ne 'KILL';

    for my $step (@steps) {
        my ($signal, $seconds) = @$step;

        if (wait_gone($pid, 0)) {
            release($pid);
            end_session($pid) if !$opt{alone};
            return undef;
        }

        kill $signal, $pid;

        if (wait_gone($pid, $seconds)) {
            release($pid);
            end_session($pid) if !$opt{alone};
            return $signal;
        }
    }

    return 'KILL';
}


sub status {
    my ($pid) = @_;

    return $status{$pid};
}


sub reload {
    my ($pid, %opt) = @_;

    my %old = map { $_ => 1 } workers($pid);
    my $until = time + ($opt{deadline} || 10) * slow();
    my $wanted = $opt{workers} && $opt{workers} =~ /^\d+$/
                 ? $opt{workers} : 1;
    my $logged = -s $opt{errlog} || 0;

    kill 'HUP', $pid;

    while (time < $until) {
        sleep 0.003;

        return 'nginx is gone after HUP' if !alive($pid);

        my @workers = workers($pid);

        return undef if @workers >= $wanted && !grep { $old{$_} } @workers;

        my ($refused) = substr(slurp($opt{errlog}), $logged)
                        =~ /^(.*\[emerg\].*)/m;

        return "nginx refused to reload: $refused" if defined $refused;
    }

    return 'nginx did not reload in time';
}


sub children {
    my ($pid) = @_;

    return _processes(parent => $pid);
}


sub _processes {
    my ($field, $value) = @_;

    my @found;

    opendir my $dir, '/proc' or return ();

    for my $entry (grep { /^\d+$/ } readdir $dir) {
        my $stat = _stat($entry) or next;

        next if $stat->{$field} != $value || $stat->{state} eq 'Z';

        push @found, { pid => $entry, title => _title($entry) };
    }

    return sort { $a->{pid} <=> $b->{pid} } @found;
}


# Workers outlive a master that was killed.  They are found by the session
# that start() made for it.

sub end_session {
    my ($session) = @_;

    my @left = map { $_->{pid} } grep { $_->{title} =~ /nginx/ }
               _processes(session => $session);

    kill 'KILL', @left;
    wait_gone($_, 2) for @left;

    return;
}


sub _title {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/cmdline" or return '';
    local $/;

    my $title = <$fh>;

    return '' if !defined $title;

    $title =~ tr/\0/ /;

    return $title;
}


# Where the title is not nginx's (valgrind hides it), any child will do.

sub workers {
    my ($master) = @_;

    return map { $_->{pid} }
           grep { $_->{title} !~ /^nginx: /
                  || $_->{title} =~ /worker process\s*$/ }
           children($master);
}


# The guard is a process that outlives us just long enough to end what we have
# started, if we die without doing it ourselves.  It knows each process by pid
# and start time, so a pid that another process uses now is left alone.

sub guard {
    my ($pid) = @_;

    my $stat = _stat($pid) or return;

    _start_guard() if !$guard_pid || $Owner != $$;

    print $guard_pipe "+ $pid $stat->{start}\n";
}


sub release {
    my ($pid) = @_;

    print $guard_pipe "- $pid 0\n" if $guard_pipe && $Owner == $$;
}


sub _start_guard {
    my $parent = $$;

    pipe my $read, my $write or die "pipe: $!\n";

    $guard_pid = fork;

    die "fork: $!\n" if !defined $guard_pid;

    if ($guard_pid) {
        close $read;
        $guard_pipe = $write;
        $guard_pipe->autoflush(1);
        $Owner = $$;
        return;
    }

    close $write;
    setsid();

    $0 = "test guard of $parent";
    $SIG{$_} = 'IGNORE' for qw(INT TERM HUP PIPE);

    # not our descriptors: others wait for the end of file on them, or for a
    # port to be given up

    for my $fd (0 .. 255) {
        POSIX::close($fd) if $fd != fileno $read;
    }

    _guard_loop($read, $parent);
    POSIX::_exit(0);
}


sub _guard_loop {
    my ($read, $parent) = @_;

    my (%pids, $buf);

    $buf = '';

    for ( ;; ) {
        my $bits = '';

        vec($bits, fileno $read, 1) = 1;

        # children of the parent may hold the pipe open when it has died

        if (!select $bits, undef, undef, 1) {
            last if getppid() != $parent;
            next;
        }

        last if !sysread $read, $buf, 4096, length $buf;

        while ($buf =~ s/^([+-]) (\d+) (\d+)\n//) {
            if ($1 eq '+') { $pids{$2} = $3 } else { delete $pids{$2} }
        }

        last if $buf =~ /^q/;
    }

    for my $pid (keys %pids) {
        my $stat = _stat($pid);

        # another process may have the number by now

        if ($stat && $stat->{start} == $pids{$pid}) {
            kill 'TERM', $pid;
            kill 'KILL', $pid if !wait_gone($pid, 2);

        } elsif ($stat) {
            next;
        }

        end_session($pid);
    }
}


# The guard has nothing left to do, and is reaped here: where no process reaps
# orphans it would stay as a zombie.

END {
    if ($guard_pid && $Owner == $$) {
        local $?;

        # closing the pipe is not enough if some child has it too

        print $guard_pipe "q 0 0\n";
        close $guard_pipe;
        wait_gone($guard_pid, 5);
    }
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or return '';
    local $/;

    my $text = <$fh>;

    return defined $text ? $text : '';
}


1;
