package TestClock;

# Clocks of nginx that a test sets, so that an hour takes no time.
#
#   use TestClock;
#
#   my $clock = TestClock->new;                 # before any nginx is started
#   my $nginx = NginxProcess->new(env => { $clock->env }, ...);
#
#   %ENV = (%ENV, $clock->preload);             of another program
#
#   $clock->set(wall => 3600, mono => 3600)     how many seconds the clocks are
#                                               ahead of ours from now on
#
# libcurl in nginx has the same clocks, so nothing may be on its way when they
# are set.

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use File::Temp ();

my $lib = Cwd::abs_path(File::Basename::dirname(__FILE__));


sub new {
    my ($class) = @_;

    my $dir = File::Temp->newdir;

    system($ENV{CC} || 'gcc', qw(-O1 -fPIC -shared -Wall -Werror),
           '-o', "$dir/clock.so", "$lib/clock.c") == 0
        or die "t/lib/clock.c cannot be built\n";

    $ENV{AGILICUS_NGINX_PRELOAD} = join ' ', grep { defined && length }
        $ENV{AGILICUS_NGINX_PRELOAD}, "$dir/clock.so";

    my $self = bless { dir => $dir }, $class;

    $self->set(wall => 0, mono => 0);

    return $self;
}


sub env { return (AGILICUS_TEST_CLOCK => "$_[0]{dir}/clock") }
sub preload { return ($_[0]->env, LD_PRELOAD => "$_[0]{dir}/clock.so") }


sub set {
    my ($self, %ahead) = @_;

    my $name = "$self->{dir}/clock";

    # in place: nginx has it mapped

    open my $file, -e $name ? '+<' : '+>', $name or die "$name: $!\n";
    syswrite $file, pack 'qq', map { int $ahead{$_} * 1000 } qw(wall mono);
    close $file;

    return;
}


1;
