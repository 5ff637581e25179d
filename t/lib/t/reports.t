use strict;
use warnings;

# NginxReports: what is a problem, and which leaks are nginx's own.

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

BEGIN {
    $ENV{ASAN_OPTIONS} = 'log_path=/nowhere/asan:fast_unwind_on_malloc=1';
    delete $ENV{LSAN_OPTIONS};
    delete $ENV{TEST_NGINX_USE_VALGRIND};
}

use lib abs_path(dirname(__FILE__) . '/..');

use NginxReports;


sub found { return scalar(() = NginxReports::problems(@_)) }


is($ENV{ASAN_OPTIONS}, 'log_path=/nowhere/asan:fast_unwind_on_malloc=1',
   'what is set stays');
is($ENV{LSAN_OPTIONS}, 'exitcode=0', 'what is not has a default');

for my $line (
    '2026/01/01 00:00:00 [alert] 1#1: worker process 2 exited on signal 11',
    '2026/01/01 00:00:00 [emerg] 1#1: bind() failed',
    '2026/01/01 00:00:00 [crit] 1#1: *1 pread() failed (5: I/O error)',
    '==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x1',
    '==1==ERROR: LeakSanitizer: detected memory leaks',
    'x.c:1:2: runtime error: signed integer overflow',
    'nginx: x.c:1: f: Assertion `x\' failed.',
    '*** stack smashing detected ***: terminated',
    'double free or corruption (out)',
    'malloc(): corrupted top size',
    'free(): invalid pointer',
    '==1== Invalid read of size 4',
    '==1== Conditional jump or move depends on uninitialised value(s)',
    '==1== Syscall param write(buf) points to uninitialised byte(s)',
    '==1== 24 bytes in 1 blocks are definitely lost in loss record 1 of 9',
) {
    is(found("a\n$line\nb\n"), 1, $line);
}

for my $line (
    '2026/01/01 00:00:00 [error] 1#1: *1 connect() failed',
    '2026/01/01 00:00:00 [debug] 1#1: *1 http header: "X: alert"',
) {
    is(found("$line\n"), 0, $line);
}

is(found("[alert] a b\n[alert] c\n", allow => [ qr/a b/ ]), 1, 'allowed');
is(found("anything\n\n==1== \n", all => 1), 1, 'any line');

my $log = "[debug] 1#1: *1 http header: \"Authorization: Bearer s3cret\"\n"
          . "[info] 1#1: *1 agilicus token: rejected s3cret, client\n";

is(scalar(() = NginxReports::leaked($log, 'x', 's3cret')), 1,
   'a secret in a line of ours');
is(scalar(() = NginxReports::leaked($log, 'x')), 0, 'no other');
is(scalar(() = NginxReports::leaked($log)), 0, 'nothing to look for');


my $own = <<'EOT';
Indirect leak of 49152 byte(s) in 1 object(s) allocated from:
    #0 0x1 in __interceptor_malloc ../../libsanitizer/asan/asan_malloc.cpp:69
    #1 0x2 in ngx_alloc (/usr/sbin/nginx+0x4ccfe)
    #2 0x3  (/usr/sbin/nginx+0x47b22)
    #3 0x4 in main (/usr/sbin/nginx+0x253ad)
    #4 0x5 in __libc_start_call_main ../sysdeps/nptl/libc_start_call_main.h:58
    #5 0x6 in _start (/usr/sbin/nginx+0x25430)

EOT

my $ours = $own =~ s{0x3  \(/usr/sbin/nginx}
                    {0x3 in f (/x/build/ngx_agilicus_token_module.so}r;
my $source = $own =~ s{0x3 .*}
                      {0x3 in ngx_agilicus_f /x/ngx_agilicus_token_module/a.c}r;
my $short = $own =~ s/    #3.*//sr;
my $built = $own =~ s{ngx_alloc .*}{ngx_alloc src/os/unix/ngx_alloc.c:22}r;


sub lsan {
    return "\n===\n==7==ERROR: LeakSanitizer: detected memory leaks\n\n"
           . join('', @_) . "SUMMARY: AddressSanitizer: 49152 byte(s) leaked "
           . "in 1 allocation(s).\n";
}


is(found(lsan($own)), 0, 'a leak of nginx');
is(found(lsan($built)), 0, 'with sources');
is(found(lsan($ours)), 3, 'a leak of the module');
is(found(lsan($source)), 3, 'with sources');
is(found(lsan($short)), 3, 'a stack that ends too soon');
is(found(lsan($own, $ours, $own)), 3, 'among others');
is(found(lsan($own) . lsan($ours)), 3, 'in another process');


# a line of this one, a line of that one

sub mixed {
    my @a = split /^/, shift;
    my @b = split /^/, shift;

    return join '', map { ($a[$_] // '', $b[$_] // '') }
                    0 .. (@a > @b ? $#a : $#b);
}


is(found(mixed(lsan($own), lsan($own, $built))), 0, 'two at the same time');
cmp_ok(found(mixed(lsan($own), lsan($own, $ours))), '>', 0,
       'of which one is of the module');
cmp_ok(found(mixed(lsan($own), lsan($short))), '>', 0,
       'or ends too soon');
cmp_ok(found(mixed(lsan($own), "==7==ERROR: AddressSanitizer: x\n")), '>', 0,
       'or is of something else');

my $valgrind = <<'EOT';
==9== 221,184 (122,880 direct, 98,304 indirect) bytes in 1 blocks are definitely lost in loss record 9 of 9
==9==    at 0x48417B4: malloc (in /usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so)
==9==    by 0x154CFE: ngx_alloc (in /usr/sbin/nginx)
==9==    by 0x14FAF7: ??? (in /usr/sbin/nginx)
==9==    by 0x12D30F: main (in /usr/sbin/nginx)
==9== 
EOT

is(found($valgrind, all => 1), 0, 'valgrind: a leak of nginx');
is(found($valgrind =~ s/14FAF7.*/1: f (a.c:1)/r), 1, 'of the module');
is(found("==9== Invalid read of size 1\n$valgrind"), 1, 'and an error');

is(scalar(() = NginxReports::sanitizer_logs()), 0, 'no files yet');
is(scalar(() = NginxReports::valgrind('/x')), 0, 'no valgrind');

{
    local $ENV{TEST_NGINX_USE_VALGRIND} = 1;
    like(join(' ', NginxReports::valgrind('/x')),
         qr{^valgrind -q .*--leak-check=full.* --log-file=/x/valgrind\.%p$},
         'valgrind');

    $ENV{TEST_NGINX_USE_VALGRIND} = '--tool=x --log-file=y';
    is(join(' ', NginxReports::valgrind('/x')),
       'valgrind -q --tool=x --log-file=y', 'with its own options');
}

done_testing();
