use strict;
use warnings;

# AgilicusTest: the same subtests over both libraries, and the one about logs.

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use Test::More;

use lib abs_path(dirname(__FILE__) . '/..');

use TapRun;

my $last = qr/no crit, alert, emerg, sanitizer report/;

my $good = <<'EOB';
=== TEST 1: a good block
--- config
    location = /t { return 200 "$arg_a\n"; }
--- request
GET /t?a=b
--- response_body
b
--- no_error_log
[error]



EOB

# a master that finds its worker dead logs [alert]

my $alert = <<'EOB';
=== TEST 2: kills its worker
--- config
    location = /t { return 200 $pid; }
--- init
sleep 0.1; require NginxControl;
my $pid = NginxControl::read_pidfile(server_root() . "/logs/nginx.pid");
kill KILL => (NginxControl::workers($pid))[0];
select undef, undef, undef, 0.3;
--- request
GET /t
EOB

$alert =~ s/server_root\(\)/\$ENV{TEST_NGINX_SERVER_ROOT}/;

my @libraries = ('fallback', TapRun::genuine() ? 'genuine' : ());

for my $library (@libraries) {
    my %opt = (
        use     => 'AgilicusTest -no_module',
        library => $library,
        plan    => 'repeat_each() * 3',
        repeat  => 2,
    );

    my $run = TapRun::blocks($good, %opt);

    is($run->{not_ok}, 0, "$library: a good file passes")
        or diag $run->{output};
    is($run->{planned}, 7, 'plan() counts the last subtest');
    is($run->{status}, 0, 'and the status says so');
    like($run->{tests}[-1]{name}, $last, 'which is about the logs');

    for my $tests (2, 4) {
        $run = TapRun::blocks($good, %opt, plan => "repeat_each() * $tests");
        isnt($run->{status}, 0, 'a plan that is not kept is an error');
    }

    $run = TapRun::blocks($good . "=== TEST 2: hides\n--- config\n"
                          . "--- request\nGET /\n--- response_body_like: x\n"
                          . "--- response_body_unlike: It works\n", %opt);
    isnt($run->{status}, 0, 'a section that another hides is an error');
    like($run->{errors}, qr/"--- response_body_unlike" is not looked at/,
         'that names it');

    $run = TapRun::blocks("$good=== TEST 2: twice\n--- config\n--- request\n"
                          . "GET /\n--- error_log: x\n--- error_log\n"
                          . "http process\n", %opt);
    isnt($run->{status}, 0, 'so is one that is there twice');

    $run = TapRun::blocks($good, %opt, plan => undef, head => <<'EOH');
add_block_preprocessor(sub {
    $_[0]->set_value(init => <<'EOI');
open my $f, ">>", "$ENV{TEST_NGINX_SERVER_ROOT}/logs/error.log";
print $f "2026/01/01 00:00:00 [crit] 1#1: injected\n";
EOI
});
EOH
    ok(!$run->{tests}[-1]{ok}, 'a [crit] in a block fails the file');

    %opt = (%opt, head => 'master_on();', plan => undef, repeat => 1);
    delete $opt{plan};

    $run = TapRun::blocks($good . $alert, %opt);
    ok(!$run->{tests}[-1]{ok}, 'an [alert] in a block fails the file');
    like($run->{output}, qr/TEST 2.*\[alert\].*signal 9/, 'and is shown');
    is($run->{ok}, 4, 'its blocks pass as before');

    $run = TapRun::blocks("$good$alert--- error_log\n[alert]\n", %opt);
    is($run->{not_ok}, 0, 'an error_log pattern asks for it')
        or diag $run->{output};

    $run = TapRun::blocks("$good$alert--- allow_alert: on signal 9\n", %opt);
    is($run->{not_ok}, 0, 'so does allow_alert')
        or diag $run->{output};

    $run = TapRun::blocks("$good$alert--- allow_alert: on signal 8\n", %opt);
    is($run->{not_ok}, 1, 'if it matches');

    $run = TapRun::blocks($good . $alert, %opt,
        head => 'master_on(); allow_alert(qr/signal 9/);');
    is($run->{not_ok}, 0, 'or the function') or diag $run->{output};

    $run = TapRun::blocks("$good=== TEST 2: dies\n--- config\n    bogus;\n"
                          . "--- must_die\n--- error_log\n\"bogus\"\n", %opt);
    is($run->{not_ok}, 0, 'must_die asks for [emerg]') or diag $run->{output};

    $run = TapRun::blocks("$good=== TEST 2: typo\n--- config\n--- request\n"
                          . "GET /\n--- eror_log: x\n", %opt);
    isnt($run->{status}, 0, 'an unknown section is an error');
    like($run->{errors}, qr/unknown section "--- eror_log"/, 'that names it');

    $run = TapRun::blocks($good . "=== TEST 2: own\n--- config\n--- request\n"
                          . "GET /\n--- own: x\n", %opt,
                          head => 'allow_section("own");');
    is($run->{status}, 0, 'unless the file knows it');

    $run = TapRun::blocks($good, %opt, head => <<'EOH');
add_block_preprocessor(sub {
    $_[0]->set_value(init => <<'EOI');
open my $f, ">>", "$ENV{TEST_NGINX_SERVER_ROOT}/logs/error.log";
print $f "==1==ERROR: AddressSanitizer: heap-use-after-free on address\n";
EOI
});
EOH
    is($run->{not_ok}, 1, 'a sanitizer report fails the file');
    like($run->{output}, qr/use-after-free/, 'and is shown');

    my $config = $good;
    $config =~ s/return/set \$agilicus s3cret; return/;
    $run = TapRun::blocks($config, %opt,
                          head => 'log_level("debug"); secrets("s3cret");');
    is($run->{not_ok}, 0, 'no secret logged') or diag $run->{output};

    $run = TapRun::blocks($good, %opt, head => <<'EOH');
secrets("s3cret");
add_block_preprocessor(sub {
    $_[0]->set_value(init => <<'EOI');
open my $f, ">>", "$ENV{TEST_NGINX_SERVER_ROOT}/logs/error.log";
print $f "[debug] 1#1: agilicus token s3cret\n";
EOI
});
EOH
    is($run->{not_ok}, 1, 'a secret logged fails the file');

    (my $second = $good) =~ s/TEST 1/TEST 2/;
    $run = TapRun::blocks($good . $second, %opt,
                          env => { TEST_NGINX_USE_HUP => 1 });
    is("$run->{ok} $run->{not_ok}", '7 0', 'reloads in place of restarts')
        or diag $run->{output};

    $run = TapRun::blocks(<<'EOB', %opt, head => 'free_port("MINE");');
=== TEST 1: variables
--- config
    location = /t { proxy_pass http://127.0.0.1:$TEST_NGINX_CLOSED_PORT; }
    location = /u { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/v; }
    location = /v { root $TEST_NGINX_HTML_DIR; try_files /x =404; }
    location = /w { return 200 $TEST_NGINX_MINE; }
    location = /x { return 200 $server_addr; }
--- user_files
>>> x
v
--- request eval
["GET /t", "GET /u", "GET /w", "GET /x"]
--- error_code eval
[502, 200, 200, 200]
--- response_body_like eval
["502", "v", "^[0-9]+\$", "127.0.0.1"]
EOB
    is($run->{not_ok}, 0, 'ports and folders for blocks')
        or diag $run->{output};
}


# a module, a wrapper, a preload: only nginx gets them

{
    my $dir = File::Temp->newdir;

    open my $fh, '>', "$dir/wrap" or die;
    print $fh "#!/bin/sh\necho \"\$AGILICUS_TEST_WRAPPED\" >> $dir/log\n"
              . "exec \"\$@\"\n";
    close $fh;
    chmod 0755, "$dir/wrap";

    for my $library (@libraries) {
        unlink "$dir/log";

        my $run = TapRun::blocks($good, library => $library,
            use => 'AgilicusTest -no_module',
            env => { AGILICUS_NGINX_WRAPPER => "$dir/wrap",
                     AGILICUS_TEST_WRAPPED => 'yes' });

        is($run->{not_ok}, 0, "$library: nginx in a wrapper")
            or diag $run->{output};
        ok(-s "$dir/log", 'which was used');
    }

    my $run = TapRun::blocks($good, use => 'AgilicusTest',
                             env => { AGILICUS_MODULE => "$dir/none.so" });

    isnt($run->{status}, 0, 'without the module there is no test');
    like($run->{errors}, qr/none\.so is not there: build it/, 'it says why');
}

done_testing();
