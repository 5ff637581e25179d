package PageCommands;

# The commands of a page of docs/, run as a reader pastes them: all in one shell,
# so that variables and background jobs stay.
#
#   my @commands = PageCommands::of($text);
#       of the ```sh blocks in a text.  A command is a line, with its
#       here-document or what follows a backslash; "  # 401, text" behind it is
#       what its output must have: a number is the status of an HTTP response,
#       other items are parts of the output, or with "without" before them not.
#       Each is { line, shell, wanted }.
#
#   PageCommands::run(\@commands, dir => $dir, env => { BEN => ... },
#                     change => sub { ... }, after => sub { ... });
#       runs them, one test for each.  "change" gets a command's shell text and
#       returns it, with other ports for example; "after" returns what the
#       shell does once the command has ended, such as waiting for a port.
#
#   PageCommands::await($port)          such a wait, as shell text
#   PageCommands::slurp($path)          a file, or an empty text

use strict;
use warnings;

use File::Temp ();
use Test::More ();

use NginxControl ();


sub of {
    my ($text) = @_;

    my @commands;

    while ($text =~ /^```sh\n(.*?)^```$/msg) {
        my ($block, $start) = ($1, $-[1]);
        my $line = 1 + (substr($text, 0, $start) =~ tr/\n//);

        while (length $block) {
            $block =~ s/\A(.*?[^\\])\n//s or die "no command in line $line\n";

            my $shell = $1;

            if ($shell =~ /<<'?(\w+)'?/) {
                $block =~ s/\A(.*?\n\Q$1\E)\n//s
                    or die "no end of \"$1\" in line $line\n";
                $shell .= "\n$1";
            }

            my $at = $line;

            $line += 1 + ($shell =~ tr/\n//);

            my @wanted = $shell =~ s/ {2,}# (.*)\z// ? split /, /, $1 : ();

            push @commands, { line => $at, shell => $shell,
                              wanted => \@wanted };
        }
    }

    return @commands;
}


sub run {
    my ($commands, %opt) = @_;

    my $tmp = File::Temp->newdir('agilicus-page-XXXXXX', TMPDIR => 1);
    my $change = $opt{change} || sub { $_[0] };
    my $after = $opt{after} || sub { '' };

    # a page that breaks off leaves no background job behind

    my $script = "cd '$opt{dir}' || exit 1\n"
                 . q(trap '[ -z "${!:-}" ] || kill $! 2>/dev/null' EXIT) . "\n";

    for my $n (0 .. $#$commands) {
        my $shell = $change->($commands->[$n]{shell});

        $script .= "{\n$shell\n} >'$tmp/out.$n' 2>&1 </dev/null\n"
                   . "echo \$? >'$tmp/status.$n'\n"
                   . $after->($shell) . "\n";
    }

    _write("$tmp/script", $script);

    {
        local %ENV = (%ENV, %{ $opt{env} || {} });

        delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL http_proxy)};

        system 'timeout', 120 * NginxControl::slow(), 'sh', '-u',
            "$tmp/script";
    }

    for my $n (0 .. $#$commands) {
        _judge($commands->[$n], slurp("$tmp/status.$n"), slurp("$tmp/out.$n"));
    }

    return;
}


sub await {
    my ($port) = @_;

    return "tries=0\nuntil perl -MIO::Socket::INET -e '"
           . "exit !IO::Socket::INET->new(q(127.0.0.1:$port))'\n"
           . "do tries=\$((tries + 1)); [ \$tries -lt 200 ] || break; "
           . "sleep 0.05; done";
}


sub _judge {
    my ($command, $status, $output) = @_;

    my ($first) = $command->{shell} =~ /\A(.*)/;
    my @missing = grep { !_has($output, $_) } @{ $command->{wanted} };

    Test::More::ok($status eq "0\n" && !@missing,
                   "line $command->{line}: $first")
        or Test::More::diag("status: $status", "missing: @missing\n", $output);
}


sub _has {
    my ($output, $item) = @_;

    return $output =~ m{^HTTP/\S+ \Q$item\E\b}m if $item =~ /\A\d{3}\z/;
    return index($output, $1) < 0 if $item =~ /\Awithout (.+)/;
    return index($output =~ s/\r//gr, $item) >= 0;
}


sub _write {
    my ($path, $text) = @_;

    open my $fh, '>', $path or die "$path: $!\n";
    print $fh $text;
    close $fh or die "$path: $!\n";
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or return '';
    local $/;

    return scalar(<$fh>) // '';
}


1;
