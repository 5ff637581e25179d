use strict;
use warnings;

# Refusals that need something out of the ordinary: a library that fails, a
# name that cannot be looked up, a budget that all clients together have spent.

use File::Temp ();
use Test::More;

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

my $dir = File::Temp::tempdir(CLEANUP => 1);
my $broken = "$dir/broken";

preload();

my $mock = MockAPI->start(default => {});
my $long = 'x' x 64;

my $nginx = NginxProcess->new(
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate 3r/m per_client=100r/s burst=60s;
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
EOC
    config => <<"EOC",
        location / {
            agilicus_token on;
            try_files /page =404;
        }
        location = /report {
            agilicus_token report;
            try_files /page =404;
        }
        location = /either {
            satisfy any;
            deny all;
            agilicus_token on;
            try_files /page =404;
        }
        location = /name {
            agilicus_token on;
            agilicus_token_cache off;
            agilicus_token_api https://$long.invalid;
            try_files /page =404;
        }
EOC
);

$nginx->write_file('html/page', 'page');
$nginx->start;


sub ask {
    my ($path, $token) = @_;

    my $res = $nginx->get($path, headers => {
        Authorization => "Bearer $token" });

    return "$res->{status} " . (HttpClient::header($res, 'X-Why') || '-');
}


# a token whose digest cannot be computed is refused, even a good one

is(ask('/', 'token-1'), '200 active/', 'a token');

open my $file, '>', $broken or die "$broken: $!\n";
close $file;

for my $path ('/', '/either') {
    is(ask($path, 'token-2'), '503 unavailable/internal',
       "a library that fails: $path is refused");
}

is(ask('/report', 'token-2'), '200 unavailable/internal',
   'and reported where that is all that is asked for');

unlink $broken;

is(ask('/', 'token-1'), '200 active/', 'and then all is well again');


# a label of 64 characters is no name, whichever resolver is asked

is(ask('/name', 'token-3'), '503 unavailable/resolve',
   'a name that cannot be looked up');


# three calls a minute, for all clients together: two are spent

ask('/', 'token-4');

my $last = '';

for my $n (5 .. 9) {
    $last = ask('/', "token-$n");
    last if $last !~ /^200/;
}

is($last, '503 unavailable/rate', 'a budget that all have spent together');
is(ask('/', 'token-1'), '200 active/', 'is not needed for what is known');

$nginx->finish(secrets => [ 'token-' ]);

done_testing();


# SHA-256 fails while there is the file

sub preload {
    open my $c, '>', "$dir/digest.c" or die "$dir: $!\n";
    print $c <<"EOC";
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

typedef int (*final_pt)(void *ctx, unsigned char *md, unsigned int *len);

int EVP_DigestFinal_ex(void *ctx, unsigned char *md, unsigned int *len);

int
EVP_DigestFinal_ex(void *ctx, unsigned char *md, unsigned int *len)
{
    final_pt  next = (final_pt) dlsym(RTLD_NEXT, "EVP_DigestFinal_ex");

    return access("$broken", F_OK) == 0 ? 0 : next(ctx, md, len);
}
EOC
    close $c or die "$dir: $!\n";

    system('cc', '-shared', '-fPIC', '-O1', '-o', "$dir/digest.so",
           "$dir/digest.c", '-ldl') == 0 or die "cc: $?\n";

    $ENV{AGILICUS_NGINX_PRELOAD} = join ' ', grep { defined && length }
        $ENV{AGILICUS_NGINX_PRELOAD}, "$dir/digest.so";
}
