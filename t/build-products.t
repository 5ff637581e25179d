#!/usr/bin/perl

# The products of a build: versions that agree, and a module that is hardened,
# depends on the declared libraries only, comes out the same twice, and can be
# installed.  AGILICUS_TEST_QUICK=1 leaves out the products that have to be
# built first.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Find qw(find);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{BUILD} || "$top/build";
my $module = $ENV{AGILICUS_MODULE} || "$build/ngx_agilicus_token_module.so";
my $authority = $ENV{AGILICUS_AUTHORITY} || "$build/agilicus-authority";
my $name = 'ngx_agilicus_token_module';

plan skip_all => 'for the release build only'
    if $ENV{AGILICUS_NGINX_PRELOAD} || $ENV{TEST_NGINX_USE_VALGRIND};

plan skip_all => "$module is not built" if !-f $module;

my $tmp = tempdir('agilicus-build-XXXXXX', TMPDIR => 1, CLEANUP => 1);


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;
    return scalar <$fh>;
}


# Runs a command; its exit status, and what it said.

sub run {
    my (@command) = @_;

    my $pid = open my $out, '-|';

    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';

        # make's own variables are not for those that are started here

        delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL NGINX_SRC MODULE_CFLAGS
                       MODULE_LDFLAGS CC FORTIFY)};

        exec { $command[0] } @command or exit 127;
    }

    my $text = do { local $/; <$out> };

    close $out;

    return ($?, defined $text ? $text : '');
}


sub succeeds {
    my ($title, @command) = @_;

    my ($status, $text) = run(@command);

    ok($status == 0, $title) or diag($text);

    return $text;
}


sub readelf {
    my ($file, @options) = @_;

    my ($status, $text) = run('readelf', @options, $file);

    die "readelf: $text\n" if $status;

    return $text;
}


subtest 'versions agree' => sub {
    my ($version) = slurp("$top/$name/$name.h")
                    =~ /VERSION\s+"([0-9.]+)"/;

    like($version, qr/^\d+\.\d+\.\d+$/, 'the module has a version');

    my ($changes) = slurp("$top/CHANGES")
                    =~ /^Changes with ngx_agilicus_token_module (\S+)/m;

    is($changes, $version, 'CHANGES begins with it');

    my ($package) = slurp("$top/debian/changelog") =~ /\((\S+?)\)/;

    is($package, $version, 'and so does the package');

    done_testing;
};


subtest 'config lists every source' => sub {
    my $config = slurp("$top/config");
    my %listed = map { $_ => 1 }
                 $config =~ m{\$agilicus_dir/([\w/]+\.(?:c|h|html|map))\b}g;

    my @sources = map { s{^\Q$top/$name/}{}r } grep { -f }
                  glob "$top/$name/* $top/$name/*/*";

    is_deeply([ sort grep { !$listed{$_} } @sources ], [],
              'nothing is left out');

    my %there = map { $_ => 1 } @sources;

    is_deeply([ sort grep { !$there{$_} } keys %listed ], [],
              'nothing is listed that is not there');

    done_testing;
};


subtest 'rooms build on lower rooms only' => sub {
    local $ENV{BUILD} = $build;

    succeeds('scripts/arrows finds nothing', "$top/scripts/arrows");

    # each of these is one thing too many in a copy

    my $copy = "$tmp/arrows";

    make_path("$copy/scripts");
    succeeds('a copy is made', 'cp', '-r', "$top/$name", $copy);
    succeeds('of the script, too', 'cp', "$top/scripts/arrows",
             "$copy/scripts");

    for ([ 'zone/cache.c', '#include "request/context.h"',
           qr/includes "request\/context.h", which stands higher/ ],
         [ 'api/call.c', 'ngx_int_t ngx_agt_challenge_set(void *r, void *c);',
           qr/uses ngx_agt_challenge_set of request\/challenge.h/ ],
         [ 'request/access.c', '#include <curl/curl.h>',
           qr/includes <curl\/curl.h>, which is for api\/ only/ ],
         [ 'api/call.c', '#include <jansson.h>',
           qr/includes <jansson.h>, which is for json\/ only/ ],
         [ 'zone/planted.c', '', qr/zone\/planted.c: has no header/ ],
         [ 'planted/planted.c', '', qr/its room is not in the list/ ],
         [ 'token/planted.c', '', qr/token\/planted.c: is not built/ ])
    {
        my ($file, $line, $says) = @$_;
        my $path = "$copy/$name/$file";
        my $before = -f $path ? slurp($path) : undef;

        make_path(dirname($path));

        open my $fh, '>', $path or die "$path: $!\n";
        print $fh $before // '', "$line\n";
        close $fh or die "$path: $!\n";

        my ($status, $text) = run("$copy/scripts/arrows");

        isnt($status, 0, "it fails for $file: $line");
        like($text, $says, 'and says why');

        if (defined $before) {
            open $fh, '>', $path or die "$path: $!\n";
            print $fh $before;
            close $fh or die "$path: $!\n";

        } else {
            unlink $path or die "$path: $!\n";
        }
    }

    # a pure room that uses nginx is seen by its objects

    my $objects = "$tmp/objects";

    make_path($objects);
    succeeds('objects are copied', 'cp', '-r', "$build/addon", $objects);
    succeeds('one that uses nginx is among them', 'cp',
             "$build/addon/zone/zone.o", "$objects/addon/token/time.o");

    $ENV{BUILD} = $objects;

    my ($status, $text) = run("$top/scripts/arrows");

    isnt($status, 0, 'it fails for the room');
    like($text, qr/token\/time.c: uses nginx's ngx_\w+, but is pure/,
         'and says why, too');

    done_testing;
};


sub is_hardened {
    my ($file) = @_;

    my $segments = readelf($file, '-lW');
    my $dynamic = readelf($file, '-dW');
    my $symbols = readelf($file, '--dyn-syms', '-W');

    like($segments, qr/^\s*GNU_RELRO\s/m, 'RELRO');
    like($dynamic, qr/\(FLAGS(?:_1)?\).*\bNOW\b/, 'symbols are bound at start');
    like($segments, qr/^\s*GNU_STACK\s.*\sRW\s/m, 'no code on the stack');
    unlike($segments, qr/^\s*LOAD\s.*\sRWE\s/m,
           'nothing is writable and executable');
    unlike($dynamic, qr/TEXTREL/, 'no relocation of code');
    unlike($dynamic, qr/\((?:RPATH|RUNPATH)\)/, 'no search path of its own');
    like($symbols, qr/UND __stack_chk_fail\b/, 'stack protector');
    like($symbols, qr/UND __\w+_chk\b(?<!stack_chk)/, 'fortified functions');
    like(readelf($file, '-nW'), qr/Build ID:/, 'a build id');
}


subtest 'the module is hardened' => sub {
    is_hardened($module);

    like(readelf($module, '-dW'), qr/\(FLAGS_1\).*\bNODELETE\b/,
         'it is never unloaded under a running thread');

    done_testing;
};


subtest 'the authority is hardened' => sub {
    plan skip_all => 'it is not built' if !-f $authority;

    is_hardened($authority);

    like(readelf($authority, '-h'), qr/Type:\s+DYN/, 'position independent');

    done_testing;
};


# each line of the list in SECURITY.md: a file that is linked, the program that
# links it, and the package that has it on Debian 12 with its version

sub declared {
    return map { { file => $_->[1] =~ s/`//gr, by => $_->[2],
                   package => $_->[5] } }
           grep { @$_ == 7 && $_->[5] =~ /^`/ }
           map { [ split / \| / ] }
           slurp("$top/SECURITY.md") =~ /^\| (.*) \|$/mg;
}


sub depends_as_declared {
    my ($file, $by) = @_;

    my @needed = readelf($file, '-dW') =~ /\(NEEDED\).*\[(.*?)\]/g;

    is_deeply([ sort @needed ],
              [ sort map { $_->{file} } grep { $_->{by} =~ /\b$by\b/
                                               && $_->{file} =~ /\.so\./ }
                declared() ], "all that the $by is linked with");

    my ($status, $text) = run('ldd', $file);

    unlike($text, qr/not found/, 'all of it is there');
}


subtest 'what is declared has the versions of Debian 12' => sub {
    plan skip_all => 'this is not Debian 12'
        if !-f '/etc/os-release'
           || slurp('/etc/os-release') !~ /^ID=debian$/m
           || slurp('/etc/os-release') !~ /^VERSION_ID="12"$/m;

    cmp_ok(scalar declared(), '>=', 9, 'there is a list');

    for my $library (declared()) {
        my ($package, $version) = $library->{package} =~ /^`(\S+)` (\S+)$/;
        my ($status, $there) = run('dpkg-query', '-W', '-f', '${Version}',
                                   $package);

        like($there, qr/^(?:\d+:)?\Q$version\E(?![0-9])/,
             "$package $version");
    }

    done_testing;
};


subtest 'the authority depends on what is declared' => sub {
    plan skip_all => 'it is not built' if !-f $authority;

    depends_as_declared($authority, 'authority');

    done_testing;
};


sub exports_what_nginx_looks_for {
    my ($file) = @_;

    my @exported = map { (split)[7] }
                   grep { /\s(?:GLOBAL|WEAK)\s/ && !/\sUND\s/ }
                   split /\n/, readelf($file, '--dyn-syms', '-W');

    is_deeply([ sort @exported ],
              [ qw(ngx_module_names ngx_module_order ngx_modules) ],
              'it shows nginx what nginx looks for, and no more');
}


subtest 'the module depends on what is declared' => sub {
    depends_as_declared($module, 'module');
    exports_what_nginx_looks_for($module);

    done_testing;
};


# a compiler that knows no more than the one that is named in the environment

sub compiler_without {
    my (@flags) = @_;

    my $cc = "$tmp/cc-without";

    open my $fh, '>', $cc or die "$cc: $!\n";
    print $fh "#!/bin/sh\n", 'for flag in "$@"; do case $flag in',
              map({ " $_) exit 1 ;;" } @flags), " esac done\n",
              'exec gcc "$@"', "\n";
    close $fh or die "$cc: $!\n";
    chmod 0755, $cc;

    return $cc;
}


subtest 'flags are those that the compiler knows' => sub {
    my $cc = compiler_without('-fcf-protection*', '-fzero-call-used-regs*');

    my @kinds = (
        [ 'the module', sub { run("$top/scripts/module-flags", $_[0], $top) } ],
        [ 'the authority', sub { run(qw(make -n -C), "$top/authority",
                                     "CC=$_[0]", "BUILD=$tmp/b") } ],
        [ 'the package', sub { run(qw(make -pn -f debian/rules -C), $top,
                                   "CC=$_[0]") } ],
    );

    for my $kind (@kinds) {
        my ($title, $ask) = @$kind;
        my ($status, $text) = $ask->($cc);

        unlike($text, qr/-fcf-protection|-fzero-call-used-regs/,
               "$title: none that it does not know");
        like($text, qr/-fstack-clash-protection/, '... those that it knows');

        if (scalar run_text('gcc', '-dumpmachine') =~ /^x86_64/) {
            ($status, $text) = $ask->('gcc');
            like($text, qr/-fcf-protection=full/, '... all of them on x86');
        }
    }

    done_testing;
};


# A shell, make and nginx's configure would take a path with a blank for two,
# and delete what the first half names.

subtest 'an odd path is refused before anything is run' => sub {
    my $words = qr/the path ".*" has a\s+blank, a quote or another character/s;
    my @targets = (qw(all module authority unit replay simulate demo test check deb
                      install lint clean));
    my @scripts = map { "scripts/$_" }
        qw(build-clang build-deb build-module build-sanitized check clean
           cross-build demo install lint newer-nginx package-check run-tests
           sdk-check test
           valgrind with-sanitizers);

    # the programs that run must not find tools to install or to build with

    mkdir "$tmp/bin" or die "$tmp/bin: $!\n";

    for my $tool (qw(gcc cc apt-get dpkg-buildpackage cargo pip)) {
        open my $fh, '>', "$tmp/bin/$tool" or die "$tool: $!\n";
        print $fh qq{#!/bin/sh\necho "\$0" >>"$tmp/run"\nexit 1\n};
        close $fh;
        chmod 0755, "$tmp/bin/$tool";
    }

    local $ENV{PATH} = "$tmp/bin:$ENV{PATH}";

    my $copy = sub {
        my ($dir) = @_;

        my ($status, $text) = run('sh', '-c',
            'mkdir -p "$2" && cd "$1" && cp -R Makefile config scripts .ci'
            . ' mutation debian authority "$2" && mkdir "$2/unit" "$2/fuzz"'
            . ' "$2/simulation" &&'
            . ' cp unit/Makefile unit/ngx-headers "$2/unit" &&'
            . ' cp simulation/Makefile "$2/simulation" &&'
            . ' cp fuzz/Makefile "$2/fuzz"', 'sh', $top, $dir);

        die "copy: $text\n" if $status;
    };

    my $untouched = sub {
        my ($title, @paths) = @_;

        ok(!-e "$tmp/run" && !grep({ !-e } @paths), "... and $title stays")
            or unlink "$tmp/run";
    };

    # a checkout

    local $ENV{BUILD};
    delete $ENV{BUILD};

    for my $odd ('a b', "a\tb", "a'b", 'a"b', 'a$b', 'a`b', 'a;b', 'a(b',
                 'a*b', 'a#b', 'a%b', 'a:b', 'a,b', 'a&b', 'a\\b', "a\nb",
                 ' a', 'a ')
    {
        my $dir = "$tmp/odd/$odd/tree";
        my $half = "$tmp/odd/a";

        $copy->($dir);
        mkdir "$dir/build";
        mkdir $half;

        # the same for all, so a few will do for most

        my $few = $odd ne 'a b' && $odd ne 'a$b';
        my @commands = (
            map({ [ 'make', '-C', $dir, $_ ] }
                $few ? qw(clean module) : @targets),
            map({ [ 'make', '-C', "$dir/$_", 'clean' ] }
                $few ? 'unit' : qw(unit fuzz simulation authority)),
            map({ [ "$dir/$_" ] } $few ? 'scripts/build-module'
                                       : (@scripts, 'mutation/run', '.ci/run')),
            [ 'make', '-C', $dir, '-f', 'debian/rules', 'clean' ],
        );
        my @wrong;

        for my $command (@commands) {
            my ($status, $text) = run(@$command);

            push @wrong, "@$command: $text" if !$status || $text !~ $words;
        }

        is_deeply(\@wrong, [], "a checkout in " . $odd =~ s/\W/?/gr);
        $untouched->('all', $dir, "$dir/build", $half);
        run('rm', '-rf', "$tmp/odd");
    }

    # a folder for the build, from the environment and as an argument

    my $dir = "$tmp/plain";

    $copy->($dir);

    for my $odd ('a b', "a'b", 'a"b', 'a$b', 'a$(b)', '$a', 'a#b', 'a*', 'a%b',
                 "a\tb", "a\nb")
    {
        my $half = "$tmp/a";
        my @wrong;

        mkdir $half;

        for my $target (qw(clean module authority)) {
            local $ENV{BUILD} = "$tmp/$odd";

            for my $command ([ 'make', '-C', $dir, $target ],
                             $target eq 'clean' ? [ "$dir/scripts/clean" ]
                                                : [ "$dir/scripts/build-module" ])
            {
                my ($status, $text) = run(@$command);

                push @wrong, "@$command: $text" if !$status || $text !~ $words;
            }

            delete $ENV{BUILD};

            my ($status, $text) = run('make', '-C', $dir, $target,
                                      "BUILD=$tmp/$odd");

            push @wrong, "$target: $text" if !$status || $text !~ $words;
        }

        is_deeply(\@wrong, [], "BUILD with " . $odd =~ s/\W/?/gr);
        $untouched->('all', $half, $dir);
        ok(!-e "$tmp/$odd", '... and nothing is made');
    }

    # a folder into which nothing was built is not removed

    mkdir "$tmp/else";
    mkdir "$tmp/built";
    mkdir "$tmp/built/authority-obj";

    for my $folder ("$tmp/else", $dir, "$dir/..", "$dir/unit/..", '.', '..') {
        my ($status, $text) = run('make', '-C', $dir, 'clean',
                                  "BUILD=$folder");

        ok($status && $text =~ /, which stays$/m, 'clean: another folder')
            or diag($text);
    }

    $untouched->('all', "$tmp/else", $dir, "$dir/unit/Makefile");

    for my $part (qw(unit fuzz simulation)) {
        my ($status, $text) = run('make', '-C', "$dir/$part", 'clean',
                                  'BUILD=..');

        ok($status && $text =~ /BUILD is the project itself/, "clean in $part");
        ok(-e "$dir/$part/Makefile", "... and $part stays");
    }

    succeeds('clean: a folder that was built into', 'make', '-C', $dir,
             'clean', "BUILD=$tmp/built");
    ok(!-e "$tmp/built", '... is gone');
    succeeds('clean: a folder that is not there', 'make', '-C', $dir, 'clean',
             "BUILD=$tmp/built");
    mkdir "$dir/build";
    succeeds('clean: the usual folder', 'make', '-C', $dir, 'clean');
    ok(!-e "$dir/build", '... is gone');

    done_testing;
};


# from here on it takes a while; and another nginx has other files

if ($ENV{AGILICUS_TEST_QUICK}
    || $ENV{TEST_NGINX_BINARY} && $ENV{TEST_NGINX_BINARY} !~ m{^/usr/sbin/}) {
    done_testing;
    exit 0;
}


sub nginx_loads {
    my ($file, $title) = @_;

    my $conf = "$tmp/load.conf";

    open my $fh, '>', $conf or die "$conf: $!\n";
    print $fh "load_module $file;\n",
              "pid $tmp/nginx.pid;\n",
              "error_log stderr;\n",
              "events { }\n",
              "http {\n",
              map({ "${_}_temp_path $tmp/$_;\n" }
                  qw(client_body proxy fastcgi uwsgi scgi)),
              "access_log off;\n",
              "server { listen 127.0.0.1:1; agilicus_token on; }\n",
              "}\n";
    close $fh or die "$conf: $!\n";

    local $ENV{PATH} = "$ENV{PATH}:/usr/sbin";

    succeeds($title, 'nginx', '-t', '-e', 'stderr', '-p', "$tmp/", '-c',
             $conf);
}


sub files_below {
    my ($folder) = @_;
    my @files;

    find(sub { push @files, $File::Find::name if -f || -l }, $folder);

    return [ sort @files ];
}


subtest 'make install' => sub {
    local $ENV{DESTDIR} = "$tmp/root";
    local $ENV{BUILD} = dirname($module);

    succeeds('installs', "$top/scripts/install");

    my $installed = "$tmp/root/usr/lib/nginx/modules/$name.so";

    ok(slurp($installed) eq slurp($module), 'the module');
    is(slurp("$tmp/root/usr/share/nginx/modules-available/"
             . 'mod-http-agilicus-token.conf'),
       "load_module modules/$name.so;\n", 'and what loads it');

    nginx_loads($installed, 'nginx takes it');

    local $ENV{DESTDIR} = "$tmp/own";
    local $ENV{MODULES_DIR} = '/opt/nginx/modules';

    succeeds('installs for another nginx', "$top/scripts/install");

    is_deeply(files_below("$tmp/own"),
              [ "$tmp/own/opt/nginx/modules/$name.so" ],
              'the module, and nothing of Debian');

    done_testing;
};


# removes the files that were installed above

subtest 'make uninstall' => sub {
    local $ENV{BUILD} = dirname($module);

    my $modules = "$tmp/root/usr/lib/nginx/modules";
    my $enabled = "$tmp/root/etc/nginx/modules-enabled";
    my $link = "$enabled/50-mod-http-agilicus-token.conf";
    my @make = ('make', '-s', '-C', $top, 'uninstall');

    open my $fh, '>', "$modules/another.so" or die "$modules: $!\n";
    close $fh;

    make_path($enabled);
    symlink '/usr/share/nginx/modules-available/mod-http-agilicus-token.conf',
            $link or die "$link: $!\n";

    {
        local $ENV{DESTDIR} = "$tmp/root";

        my ($status, $text) = run(@make);

        ok($status != 0, 'refuses while a link loads the module');
        like($text, qr/\Q$link\E/, 'and names the link');
        ok(-f "$modules/$name.so", 'and removes nothing');

        unlink $link or die "$link: $!\n";

        succeeds('uninstalls', @make);
        is_deeply(files_below("$tmp/root"), [ "$modules/another.so" ],
                  'all that was installed, and nothing else');

        succeeds('where nothing is installed', @make);
    }

    {
        local $ENV{DESTDIR} = "$tmp/own";
        local $ENV{MODULES_DIR} = '/opt/nginx/modules';

        succeeds('uninstalls for another nginx', @make);
        is_deeply(files_below("$tmp/own"), [], 'all that was installed');
    }

    done_testing;
};


subtest 'make help' => sub {
    my ($status, $text) = run('make', '-s', '-C', $top, 'help');
    my ($phony) = slurp("$top/Makefile") =~ /^\.PHONY: (.*?)\n\n/ms;

    is_deeply([ sort $text =~ /^([a-z-]+) /mg ],
              [ sort grep { !/^needs-/ } $phony =~ /([a-z-]+)/g ],
              'a line for each target');

    done_testing;
};


# Both are made here: an older build may have been made of other headers.

subtest 'two clean builds are the same' => sub {
    my @builds = map { { dir => $_ } } "$tmp/one", "$tmp/another/and-longer";

    for my $one (@builds) {
        succeeds('a copy of the tree', 'sh', '-c',
                 'mkdir -p "$2" && cd "$1" && cp -R config scripts "$3" "$2"',
                 'sh', $top, $one->{dir}, $name);

        $one->{pid} = fork;

        die "fork: $!\n" if !defined $one->{pid};

        if (!$one->{pid}) {
            delete @ENV{qw(NGINX_SRC MODULE_CFLAGS MODULE_LDFLAGS FORTIFY CC
                           MAKEFLAGS MFLAGS MAKELEVEL)};
            $ENV{BUILD} = "$one->{dir}/build";

            open STDOUT, '>', "$one->{dir}/log";
            open STDERR, '>&', \*STDOUT;
            open STDIN, '<', '/dev/null';
            exec "$one->{dir}/scripts/build-module" or exit 127;
        }
    }

    for my $one (@builds) {
        waitpid $one->{pid}, 0;

        ok($? == 0, 'it builds') or diag(slurp("$one->{dir}/log"));

        my $file = "$one->{dir}/build/$name.so";

        $one->{module} = -f $file ? slurp($file) : '';
    }

    ok(length $builds[0]{module} && $builds[0]{module} eq $builds[1]{module},
       'byte for byte, wherever they are made');

    unlike($builds[0]{module}, qr/\Q$tmp\E/, 'and do not say where');

    done_testing;
};


subtest 'the tools of the benchmarks' => sub {
    local $ENV{BUILD} = dirname($module);

    plan skip_all => 'no objects lie beside the module'
        if !-d "$ENV{BUILD}/addon";

    unlike(succeeds('build', "$top/bench/tools"), qr/warning:/,
           'without a warning');

    done_testing;
};


subtest 'the Debian package' => sub {
    plan skip_all => 'debhelper or dpkg-dev is not installed'
        if system('command -v dh_nginx dpkg-buildpackage dh >/dev/null 2>&1');

    local $ENV{BUILD} = "$tmp/package";

    succeeds('builds from a clean copy', "$top/scripts/build-deb");

    my ($package) = glob "$tmp/package/deb/"
                         . 'libnginx-mod-http-agilicus-token_*.deb';

    ok($package, 'has its name') or return;

    my ($status, $abi) = run('dpkg-query', '-W', '-f', '${Provides}',
                             'nginx-common', 'nginx');

    ($abi) = $abi =~ /\b(nginx-abi-[\w.-]+)/;

    like(succeeds('says what it depends on', 'dpkg-deb', '-f', $package,
                  'Depends'),
         defined $abi ? qr/(?:^|, )\Q$abi\E(?:,|$)/m : qr/nginx-abi-/,
         'the ABI of the nginx that is installed here');

    succeeds('unpacks', 'dpkg-deb', '-x', $package, "$tmp/unpacked");

    my ($other) = glob "$tmp/package/deb/agilicus-authority_*.deb";
    my $files = run_text('dpkg-deb', '-c', $other);

    like($files, qr{ \./\Q$_\E$}m, "that of the authority has $_")
        for qw(usr/bin/agilicus-authority etc/agilicus-authority/organisation.json
               usr/share/man/man1/agilicus-authority.1.gz);
    like($files, qr{systemd/system/agilicus-authority\.service$}m,
         '... and a service');

    my $installed = "$tmp/unpacked/usr/lib/nginx/modules/$name.so";

    ok(-f $installed, 'has the module');
    like(slurp("$tmp/unpacked/usr/share/nginx/modules-available/"
               . 'mod-http-agilicus-token.conf'),
         qr{^load_module modules/\Q$name\E\.so;$}m, 'and what loads it');

    like(scalar run_text('dpkg-deb', '--ctrl-tarfile', $package),
         qr/50-mod-http-agilicus-token\.conf/, 'and enables it');

    nginx_loads($installed, 'nginx takes it');

    is_hardened($installed);
    depends_as_declared($installed, 'module');
    exports_what_nginx_looks_for($installed);

    done_testing;
};


sub run_text { return (run(@_))[1] }


done_testing;
