package Test::Nginx::Socket::Setup;

# What a test file has set, by the environment or by calling these functions:
# %Setup is read by the rest of the stand-in.

use strict;
use warnings;

use Cwd ();
use Exporter 'import';

use TestPorts ();

our @EXPORT = qw(
    %Setup env
    repeat_each workers log_level timeout
    server_name server_addr server_port server_port_for_client
    worker_connections master_process_enabled no_shuffle no_long_string
    no_diff no_root_location no_nginx_manager check_accum_error_log
    use_hup master_on master_off env_to_nginx
    config_preamble set_http_config_filter server_root html_dir
);

our %Setup;


# The value of TEST_NGINX_<name>, where empty counts as unset

sub env {
    my ($name, $default) = @_;

    my $value = $ENV{"TEST_NGINX_$name"};

    return defined $value && length $value ? $value : $default;
}


sub _init_setup {
    my $randomize = env('RANDOMIZE');
    my $cwd = Cwd::getcwd();

    my $port = env('SERVER_PORT', env('PORT'));

    $port = $randomize ? TestPorts::free_port() : 1984 if !defined $port;

    %Setup = (
        binary      => _find(env('BINARY', 'nginx')),
        servroot    => env('SERVROOT', $randomize
                              ? "$cwd/t/servroot_$port" : "$cwd/t/servroot"),
        port        => $port,
        client_port => env('CLIENT_PORT', env('PORT', $port)),
        addr        => '127.0.0.1',
        server_name => 'localhost',
        timeout     => env('TIMEOUT', 3),
        master      => env('MASTER_PROCESS', 'off'),
        log_level   => env('LOG_LEVEL', 'debug'),
        user        => env('WORKER_USER', $> == 0 ? 'root' : undef),
        use_hup     => env('USE_HUP'),
        no_shuffle  => env('NO_SHUFFLE'),
        unmanaged   => env('NO_NGINX_MANAGER'),
        accumulate  => env('CHECK_ACCUM_ERR_LOG'),
        event_type  => env('EVENT_TYPE'),
        reuse_port  => env('REUSE_PORT'),
        force_restart   => env('FORCE_RESTART_ON_TEST', 1),
        load_modules    => env('LOAD_MODULES', ''),
        postpone_output => env('POSTPONE_OUTPUT', ''),
        workers            => 1,
        worker_connections => 64,
        repeat             => 1,
        root_location      => 1,
        long_string        => 1,
        preamble           => '',
        env => [ qw(LD_PRELOAD LD_LIBRARY_PATH ASAN_OPTIONS LSAN_OPTIONS
                    UBSAN_OPTIONS) ],
    );

    $Setup{servroot} = Cwd::getcwd() . "/$Setup{servroot}"
        if $Setup{servroot} !~ m{^/};

    $Setup{master} = 'on' if $Setup{use_hup};
}


sub _find {
    my ($name) = @_;

    return $name if $name =~ m{/};

    for my $dir (split(/:/, $ENV{PATH} || ''), '/usr/sbin',
                 '/usr/local/sbin')
    {
        return "$dir/$name" if -x "$dir/$name" && !-d _;
    }

    return $name;
}


sub repeat_each { $Setup{repeat} = $_[0] if @_; return $Setup{repeat} }
sub workers { $Setup{workers} = $_[0] if @_; return $Setup{workers} }
sub log_level { $Setup{log_level} = $_[0] if @_; return $Setup{log_level} }
sub timeout { $Setup{timeout} = $_[0] if @_; return $Setup{timeout} }
sub server_name { $Setup{server_name} = $_[0] if @_; $Setup{server_name} }
sub server_addr { $Setup{addr} = $_[0] if @_; return $Setup{addr} }
sub server_port { $Setup{port} = $_[0] if @_; return $Setup{port} }

sub server_port_for_client {
    $Setup{client_port} = $_[0] if @_;
    return $Setup{client_port};
}

sub worker_connections {
    $Setup{worker_connections} = $_[0] if @_;
    return $Setup{worker_connections};
}

sub master_process_enabled {
    $Setup{master} = $_[0] ? 'on' : 'off' if @_;
    return $Setup{master};
}

sub no_shuffle () { $Setup{no_shuffle} = 1 }
sub no_long_string () { $Setup{long_string} = 0 }
sub no_diff () { }
sub no_root_location () { $Setup{root_location} = 0 }
sub no_nginx_manager () { $Setup{unmanaged} = 1 }
sub check_accum_error_log () { $Setup{accumulate} = 1 }
sub use_hup () { $Setup{use_hup} = 1; $Setup{master} = 'on' }
sub master_on () { $Setup{master} = 'on' }
sub master_off () { $Setup{master} = 'off' if !$Setup{use_hup} }
sub env_to_nginx { push @{ $Setup{env} }, @_ }
sub config_preamble ($) { $Setup{preamble} = $_[0] }
sub set_http_config_filter ($) { $Setup{http_config_filter} = $_[0] }
sub server_root () { return $Setup{servroot} }
sub html_dir () { return "$Setup{servroot}/html" }


_init_setup();


1;
