package TapRun;

# Runs a test file made on the spot and tells what it reported; for tests of
# the test tools.
#
#   my $run = TapRun::blocks($text, %opt);   a block file with this __DATA__
#   my $run = TapRun::script($perl, %opt);   any test file
#
#   repeat => 1      plan => N (else no_plan)    use => 'AgilicusTest ...'
#   library => 'fallback' (default) or 'genuine' env => { NAME => value }
#   head => '...'    Perl before run_tests()     timeout => 60
#
# The result: { status, output, ok, not_ok, planned, tests => [ { ok, name,
# skip, todo } ], by_block => { 'TEST 1' => [ ok, not ok ] }, errors }.
#
# genuine() is the folder of the genuine library, if there is one in PERL5LIB
# or in Perl's own folders.

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use File::Temp ();
use POSIX ();

use NginxControl ();
use TestPorts ();

my $lib = Cwd::abs_path(File::Basename::dirname(__FILE__));


sub genuine {
    for my $dir (grep { !ref } @INC) {
        next if $dir =~ m{/fallback/?$} || !-f "$dir/Test/Nginx/Socket.pm";
        return Cwd::abs_path($dir);
    }

    return undef;
}


sub blocks {
    my ($text, %opt) = @_;

    my $use = $opt{use} || 'Test::Nginx::Socket';
    my $head = defined $opt{head} ? $opt{head} : '';
    my $plan = defined $opt{plan} ? "plan tests => $opt{plan};"
               : "plan 'no_plan';";
    my $repeat = $opt{repeat} || 1;

    return script("use $use;\nrepeat_each($repeat);\n$plan\nno_shuffle();\n"
                  . "no_long_string();\n$head\nrun_tests();\n\n__DATA__\n\n"
                  . $text, %opt);
}


sub script {
    my ($perl, %opt) = @_;

    my $library = $opt{library} || 'fallback';
    my $dir = File::Temp->newdir;
    my $port = TestPorts::free_port();

    chmod 0755, "$dir";

    my @include = $library eq 'genuine' ? (genuine(), $lib)
                  : $opt{use} && $opt{use} =~ /^Agilicus/ ? ($lib)
                  : ("$lib/fallback", $lib);

    my %env = (
        TEST_NGINX_BINARY  => _nginx(),
        TEST_NGINX_PORT    => $port,
        TEST_NGINX_SERVROOT => "$dir/servroot",
        PERL5LIB           => join(':', @include),
        map({ $_ => undef } qw(TEST_NGINX_SERVER_PORT TEST_NGINX_CLIENT_PORT
            TEST_NGINX_USE_HUP TEST_NGINX_LOAD_MODULES HARNESS_ACTIVE
            TEST_NGINX_USE_VALGRIND AGILICUS_NGINX_WRAPPER
            AGILICUS_NGINX_PRELOAD TEST_NGINX_SERVER_ROOT)),
        %{ $opt{env} || {} },
    );

    mkdir "$dir/t";
    _write("$dir/t/inner.t", $perl);

    my ($status, $output) = _run("$dir", \%env, $opt{timeout} || 60);

    return _parse($status, $output);
}


sub _nginx {
    for my $path ($ENV{TEST_NGINX_BINARY}, map { "$_/nginx" }
                  split(/:/, $ENV{PATH}), '/usr/sbin')
    {
        return $path if defined $path && -x $path && !-d _;
    }

    die "no nginx found; set TEST_NGINX_BINARY\n";
}


sub _write {
    my ($path, $text) = @_;

    open my $fh, '>', $path or die "$path: $!\n";
    print $fh $text;
    close $fh;
}


sub _run {
    my ($dir, $env, $timeout) = @_;

    my $pid = fork;

    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        for my $name (keys %$env) {
            if (defined $env->{$name}) {
                $ENV{$name} = $env->{$name};

            } else {
                delete $ENV{$name};
            }
        }

        chdir $dir or POSIX::_exit(126);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        exec $^X, 't/inner.t' or POSIX::_exit(127);
    }

    NginxControl::guard($pid);

    if (!NginxControl::wait_gone($pid, $timeout)) {
        NginxControl::stop($pid, signal => 'TERM');
        return (-1, NginxControl::slurp("$dir/out")
                    . "# test file timed out\n");
    }

    NginxControl::release($pid);

    my $errors = NginxControl::slurp("$dir/err");

    $errors =~ s/^/#err /mg;

    return (NginxControl::status($pid),
            NginxControl::slurp("$dir/out") . "\n$errors");
}


sub _parse {
    my ($status, $output) = @_;

    my %run = (status => $status, output => $output, ok => 0, not_ok => 0,
               tests => [], by_block => {}, errors => '');

    for my $line (split /\n/, $output) {
        if ($line =~ /^1\.\.(\d+)/) {
            $run{planned} = $1;

        } elsif ($line =~ /^(not )?ok \d+ ?(?:- )?(.*)$/) {
            my ($bad, $name) = ($1, $2);
            my $skip = $line =~ /# (?:TODO & )?skip/i;
            my $todo = $line =~ /# TODO/;
            my $ok = !$bad || $todo;

            push @{ $run{tests} }, { ok => $ok, name => $name,
                                     skip => $skip, todo => $todo };
            $run{$ok ? 'ok' : 'not_ok'}++;

            if ($name =~ /(TEST \d+)\b/) {
                $run{by_block}{$1} ||= [ 0, 0 ];
                $run{by_block}{$1}[$ok ? 0 : 1]++;
            }

        } elsif ($line =~ /^#err (.*)/) {
            $run{errors} .= "$1\n";
        }
    }

    return \%run;
}


1;
