package Test::Nginx::Socket::Server;

# The nginx of the test file: its directory, configuration, life and logs.
#
#   my $server = Test::Nginx::Socket::Server->new(\%setup);
#   $server->start($block, $config);   undef, or why it did not start
#   $server->reload($block, $config);  the same, with HUP
#   $server->dies($block, $config);    { code, signal } or { lives => 1 }
#   $server->stop;
#   $server->new_lines;                of error.log, since the last call
#   $server->settled_lines(@patterns)  the same, but gives nginx a moment

use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use Time::HiRes qw(sleep time);

use NginxControl ();
use NginxReports ();
use Test::Nginx::Socket::Check ();

# how long a log line may come after the response, and how long the log must
# have been quiet for a line to count as absent

use constant {
    LOG_WAIT  => 0.1,
    LOG_QUIET => 0.008,
};


sub new {
    my ($class, $setup) = @_;

    my $root = $setup->{servroot};

    return bless {
        setup   => $setup,
        root    => $root,
        conf    => "$root/conf/nginx.conf",
        pidfile => "$root/logs/nginx.pid",
        errlog  => "$root/logs/error.log",
        acclog  => "$root/logs/access.log",
        stderr  => "$root/logs/stderr.log",
        offset  => 0,
    }, $class;
}


sub running {
    my ($self) = @_;

    return defined $self->{pid} && NginxControl::alive($self->{pid});
}


# Only what a server root consists of is removed, in case the variable points
# at something precious.

sub _prepare {
    my ($self, $block, $keep) = @_;

    my $root = $self->{root};
    my $mask = umask 022;

    if (!$keep) {
        remove_tree("$root/conf", "$root/html", "$root/logs",
                    glob("$root/*_temp"), glob("$root/*_cache"));

    } else {
        remove_tree("$root/conf", "$root/html");
        unlink $self->{errlog}, $self->{acclog};
    }

    # the worker's user has to read all this whatever the umask

    for my $dir ($root, map { "$root/$_" } qw(conf html logs)) {
        make_path($dir);
        chmod 0755, $dir;
    }

    _write("$root/html/index.html", '<html><head><title>It works!</title>'
           . '</head><body>It works!</body></html>');

    if (defined $block->post_setup_server_root) {
        eval $block->post_setup_server_root;
        die "post_setup_server_root failed: $@" if $@;
    }

    $self->write_user_files($block);
    $self->{offset} = 0;

    umask $mask;
}


sub _write {
    my ($path, $text) = @_;

    open my $fh, '>:raw', $path or die "cannot write $path: $!\n";

    print $fh $text;

    close $fh or die "cannot write $path: $!\n";
}


sub write_user_files {
    my ($self, $block) = @_;

    my $files = $block->user_files;

    return if !defined $files;

    my $mask = umask 022;

    for my $file (ref $files ? @$files : _user_files($files)) {
        my ($name, $body, $date) = @$file;
        my $path = $name =~ m{^/} ? $name : "$self->{root}/html/$name";

        make_path($1) if $path =~ m{^(.*)/};

        $body = '' if !defined $body;

        _write($path, $self->{setup}{expand}->($body));

        if (defined $date) {
            my $time = _touch_time($date);

            utime $time, $time, $path or die "cannot touch $path: $!\n";
        }
    }

    umask $mask;
}


sub _user_files {
    my ($text) = @_;

    my @files;

    for my $line (split /^/, $text) {
        if ($line =~ /^>>> (\S+)(?:\s+(\S+))?/) {
            push @files, [ $1, '', $2 ];

        } elsif (@files) {
            $files[-1][1] .= $line;
        }
    }

    return @files;
}


# "[[CC]YY]MMDDhhmm[.SS]" in UTC, as touch(1) reads it

sub _touch_time {
    my ($text) = @_;

    require Time::Local;

    my ($year, $mon, $day, $hour, $min, $sec) =
        $text =~ /^(\d{4}|\d{2}|)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d\d))?$/
        or die "bad time of a user file: $text\n";

    $year = (gmtime)[5] + 1900 if $year eq '';
    $year += $year < 69 ? 2000 : 1900 if $year < 100;

    return Time::Local::timegm($sec || 0, $min, $hour, $day, $mon - 1, $year);
}


sub _write_conf {
    my ($self, $block, $config) = @_;

    my $setup = $self->{setup};
    my $expand = $setup->{expand};
    my $root = $self->{root};

    my %text = map { $_ => $expand->(defined $block->$_ ? $block->$_ : '') }
               qw(main_config http_config post_main_config);

    my $http = $setup->{http_config_filter}
               ? $setup->{http_config_filter}->($text{http_config})
               : $text{http_config};

    my $name = defined $block->server_name ? $block->server_name
               : $setup->{server_name};
    my $error_log = defined $block->error_log_file
                    ? $expand->($block->error_log_file) : $self->{errlog};

    $name =~ s/([\\'])/\\$1/g;

    my @main = (
        (map { "load_module $_;" } split ' ', $setup->{load_modules}),
        "daemon off;",
        "master_process $setup->{master};",
        "worker_processes $setup->{workers};",
        "error_log $error_log $setup->{log_level};",
        "pid $self->{pidfile};",
        (map { /\s/ ? "env '$_';" : "env $_;" } @{ $setup->{env} }),
        $setup->{user} ? "user $setup->{user};" : (),
    );

    my @events = (
        'accept_mutex off;',
        "worker_connections $setup->{worker_connections};",
        $setup->{event_type} ? "use $setup->{event_type};" : (),
    );

    my @temp = map { "${_}_temp_path $root/${_}_temp;" }
               grep { $setup->{has}{$_} && $http !~ /\b${_}_temp_path\b/ }
               qw(client_body proxy fastcgi uwsgi scgi);

    my @http = (
        "access_log $self->{acclog};",
        @temp,
        'default_type text/plain;',
        'keepalive_timeout 68s;',
        length $setup->{postpone_output} && $http !~ /\bpostpone_output\b/
            ? "postpone_output $setup->{postpone_output};" : (),
    );

    my $listen = "listen 127.0.0.1:$setup->{port}"
                 . ($setup->{reuse_port} ? ' reuseport' : '');

    my $locations = $setup->{root_location}
        ? "location / {\n    root $root/html;\n"
          . "    index index.html index.htm;\n}\n" : '';

    _write($self->{conf}, join "\n",
           @main, $text{main_config},
           'events {', @events, '}',
           'http {', @http, $http,
           'server {', "$listen;", "server_name '$name';",
           'client_max_body_size 30M;',
           $setup->{preamble}, $config, $locations, '}',
           '}', $text{post_main_config}, '');
}


sub _launch {
    my ($self, $block, $config, @command) = @_;

    my $setup = $self->{setup};

    $self->_prepare($block);
    $self->_write_conf($block, $config);

    return NginxControl::start(
        binary  => $setup->{binary},
        command => \@command,
        prefix  => $self->{root},
        conf    => $self->{conf},
        pidfile => $self->{pidfile},
        stderr  => $self->{stderr},
        errlog  => $setup->{nginx_version} >= 1.019005
                   ? $self->{errlog} : undef,
    );
}


sub start {
    my ($self, $block, $config) = @_;

    my $result = $self->_launch($block, $config,
                     NginxReports::valgrind("$self->{root}/logs"));

    if ($result->{started}) {
        $self->{pid} = $result->{pid};
        return undef;
    }

    my $why = $result->{hung} ? 'nginx neither started nor failed in time'
              : 'nginx did not start (' . _status($result->{status}) . ')';

    return join "\n", $why, $self->_last_words;
}


sub dies {
    my ($self, $block, $config) = @_;

    my $result = $self->_launch($block, $config);

    if ($result->{started} || $result->{hung}) {
        NginxControl::stop($result->{pid}, signal => 'KILL');
        return { lives => 1 };
    }

    return {
        code   => $result->{status} >> 8,
        signal => $result->{status} & 127,
    };
}


sub _status {
    my ($status) = @_;

    return $status & 127 ? 'signal ' . ($status & 127)
           : 'exit code ' . ($status >> 8);
}


sub _last_words {
    my ($self) = @_;

    my @lines = split /\n/, NginxControl::slurp($self->{stderr});

    push @lines, grep { /\[(?:emerg|alert|crit)\]/ }
                 split /\n/, NginxControl::slurp($self->{errlog});

    my %seen;

    @lines = grep { !$seen{ s/^(?:nginx:|\d+\/.*?\d+#\d+:) //r }++ } @lines;

    return @lines > 20 ? @lines[-20 .. -1] : @lines;
}


sub reload {
    my ($self, $block, $config) = @_;

    my $pid = $self->{pid};
    my $until = time + 5 * NginxControl::slow();

    $self->_prepare($block, 1);
    $self->_write_conf($block, $config);

    kill 'USR1', $pid;

    while (!-e $self->{errlog} && time < $until) {
        sleep 0.002;
    }

    if (defined $block->reload_fails) {
        kill 'HUP', $pid;
        $self->_await_line(qr/\[emerg\]/, 2 * NginxControl::slow());
        return undef;
    }

    my $why = NginxControl::reload($pid, errlog  => $self->{errlog},
                                         workers => $self->{setup}{workers});

    return defined $why ? join("\n", $why, $self->_last_words) : undef;
}


sub _await_line {
    my ($self, $regex, $seconds) = @_;

    my $until = time + $seconds;

    while (time < $until) {
        return 1 if NginxControl::slurp($self->{errlog}) =~ $regex;
        sleep 0.005;
    }

    return 0;
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid};

    return if !defined $pid;

    my $first = $ENV{TEST_NGINX_FAST_SHUTDOWN} ? 'TERM' : 'QUIT';
    my $needed = NginxControl::stop($pid, signal => $first,
                                    deadline => $self->{setup}{timeout});

    warn "WARNING: nginx $pid had to be ended with $needed\n"
        if defined $needed && $needed ne $first;

    unlink $self->{pidfile};

    for my $file (glob "$self->{root}/logs/valgrind.*") {
        warn "$_\n" for NginxReports::problems(NginxControl::slurp($file),
                                               all => 1);
    }
}


sub new_lines {
    my ($self) = @_;

    open my $fh, '<:raw', $self->{errlog} or return ();

    seek $fh, $self->{offset}, 0 if !$self->{setup}{accumulate};

    my @lines = <$fh>;

    # a line that is still being written belongs to the next look

    pop @lines if @lines && $lines[-1] !~ /\n\z/;

    $self->{pending} = 0;
    $self->{pending} += length for @lines;

    return @lines;
}


# What nginx logs after the client has its answer takes a moment.  Patterns
# that are to come are waited for; for all others the log has to fall silent.

sub settled_lines {
    my ($self, @wanted) = @_;

    my $slow = NginxControl::slow();
    my $until = time + LOG_WAIT * $slow;
    my ($size, $since) = (-1, time);

    for ( ;; ) {
        my $now = -s $self->{errlog} || 0;

        if ($now != $size) {
            ($size, $since) = ($now, time);

        } elsif (time - $since > LOG_QUIET * $slow) {
            my @lines = $self->new_lines;

            if (time > $until || $self->_all_there(\@lines, @wanted)) {
                $self->_advance;
                return \@lines;
            }
        }

        if (time > $until) {
            my @lines = $self->new_lines;

            $self->_advance;
            return \@lines;
        }

        sleep 0.002;
    }
}


sub _all_there {
    my ($self, $lines, @wanted) = @_;

    for my $pattern (@wanted) {
        return 0 if !grep {
            Test::Nginx::Socket::Check::matches($pattern, $_)
        } @$lines;
    }

    return 1;
}


sub _advance {
    my ($self) = @_;

    $self->{offset} += delete $self->{pending} || 0
        if !$self->{setup}{accumulate};
}


sub access_lines {
    my ($self) = @_;

    open my $fh, '<:raw', $self->{acclog} or return [];

    return [ <$fh> ];
}


1;
