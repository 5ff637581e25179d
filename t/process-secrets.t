use strict;
use warnings;

# Tokens and credentials through every path, then looked for: in each line that
# the module logs at debug level, in the zone, in files, and in a core of a
# worker that did not serve those requests.
#
# nginx itself logs the headers that it reads and sends at that level; its lines
# are not the module's, and a server in use logs at "notice".

use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use HttpMessage;
use MockAPI;
use MockUpstream;
use NginxControl;
use NginxProcess;

$SIG{PIPE} = 'IGNORE';

my $native = NginxControl::slow() == 1;

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;

# each has "CaNaRy" in it, and what it is; parts, so that this file's own bytes
# are none

my $mark = join '', 'CaN', 'aRy';

# an API key is sent in base64; its user name has a length that keeps the mark
# in one piece there

my $user = 'uv@example.com';
my $mark64 = encode_base64($mark, '');

my %child = (more => { token => { scopes => [ 'x' ] } }, broken => 500);

my %answer = (
    gone    => 410,
    unknown => 404,
    html    => { status => 200, body => "<html>$mark-answer" },
    down    => { status => 500, body => "$mark-answer" },
    silent  => { hang => 1 },
    refused => 403,
);


sub introspect {
    my ($request) = @_;

    my ($kind, $what) = $request->{token} =~ /^$mark-(\w+)-(\w+)$/
                        or return 404;

    if ($kind eq 'child') {
        return $child{$what} if $child{$what};

    } elsif (defined $answer{$what}) {
        return $answer{$what};
    }

    return { token => { sub => $kind eq 'made' ? $what : 'u',
                        org => $kind eq 'child' ? 'north' : 'home',
                        jti => "jti-$what", session => "session-$what",
                        scopes => [ 'a' ], exp => int(time / 1000) * 1000
                                                  + 5000 } };
}


sub reissue {
    my ($request) = @_;

    my ($what) = $request->{token} =~ /-(\w+)$/;

    return $what =~ /^no(\d+)/ ? $1
           : $what eq 'bytes' ? { status => 200,
                                  body => qq({"token":"$mark-child x"}) }
           : { status => 200, json => { token => "$mark-child-$what" } };
}


sub create {
    my ($request) = @_;

    my $sub = $json->decode($request->{body})->{sub};

    return $sub =~ /^no(\d+)/ ? $1
           : { status => 201, json => { token => "$mark-made-$sub" } };
}


# of an API key; "raw" is its raw token

sub introspect_key {
    my ($request) = @_;

    my $info = $json->decode($request->{body})->{api_key_auth_info};
    my ($what) = $info->{key} =~ /^$mark-key-(\w+)$/ or return 404;

    return $answer{$what} if defined $answer{$what};

    return { status => 200, json => {
        primary_token => { sub => 'u', org => 'home', jti => "jti-$what",
                           scopes => [ 'a' ] },
        sub_org_results => [],
        raw_token => "$mark-raw-$what",
    } };
}


my $mock = MockAPI->start(
    default => \&introspect,
    paths   => {
        'POST /v1/tokens/reissue' => \&reissue,
        'POST /v1/tokens'         => \&create,
        'POST /v1/api_keys/introspect' => \&introspect_key,
    },
);

my $app = MockUpstream->start(name => 'APP');

my $nginx = NginxProcess->new(workers => 2, events => 'accept_mutex off;');

my $credential = $nginx->write_file('credential', "$mark-edge-introspects\n");
my $other = $nginx->write_file('other', "$mark-edge-creates\n");

chmod 0600, $credential, $other;

$nginx->write_file('passwords', "alice:{PLAIN}right\n");

$nginx->configure(
    http => <<"EOC",
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_credential $credential introspect;
        agilicus_token_api_timeout @{[ 300 * $slow ]}ms;
        agilicus_token_api_breaker off;
        agilicus_token_api_rate off;
        agilicus_token_zone agilicus:1m;
EOC
    config => <<"EOC",
        add_header X-Pid \$pid always;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
        location = /pid { return 204; }
        location /plain {
            agilicus_token on;
            agilicus_token_source header cookie=sid query=access_token;
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
        }
        location /uncached {
            agilicus_token on;
            agilicus_token_cache off;
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
        }
        location /strict {
            agilicus_token on;
            agilicus_token_require_scopes b;
            error_page 403 /error;
        }
        location /rules { agilicus_token on; agilicus_token_rules on; }
        location /error { internal; return 403 "no"; }
        location /r {
            agilicus_token on;
            agilicus_token_source header cookie=sid query=access_token;
            agilicus_token_reissue north;
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
        }
        location /hidden {
            agilicus_token on;
            agilicus_token_forward off;
            agilicus_token_identity_headers on;
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
        }
        location /create {
            auth_basic "known";
            auth_basic_user_file \$TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_api_credential $other;
            agilicus_token_create identity=access sub=\$http_x_sub org=home
                                  audiences=a;
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
        }
        location /keys {
            agilicus_token on;
            agilicus_token_api_keys on;
            agilicus_token_source header cookie=sid;
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
            location /keys/r {
                agilicus_token_reissue north;
                proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
            }
            location /keys/strict { agilicus_token_require_scopes b; }
        }
        location = /revoke { agilicus_token_revoke; }
        location = /status { agilicus_token_status trusted; }
        location = /hook { agilicus_token_revocation_hook trusted; }
EOC
);

$nginx->start;

my $until = time + 5 * $slow;

sleep 0.01 while $nginx->workers < 2 && time < $until;

# the worker that takes the first connection serves, the other one is idle

my $server = HttpMessage::header($nginx->get('/pid'), 'X-Pid');
my ($idle) = grep { $_ != $server } $nginx->workers;


# a connection that the one worker has; nginx says which took it

sub connection {
    my ($pid) = @_;

    for (1 .. 200) {
        my $c = $nginx->connect;
        my $res = $c->request(GET => '/pid');

        return $c if (HttpMessage::header($res, 'X-Pid') || '') eq $pid;

        $c->close;
    }

    die "worker $pid takes no connection\n";
}


my $c = connection($server);
my %served;


sub ask {
    my ($path, $token, $why, %header) = @_;

    my $method = $path =~ s/^([A-Z]+) // ? $1 : 'GET';

    my $res = $c->request($method => $path, headers => {
        defined $token ? (Authorization => "Bearer $mark-$token") : (),
        %header });

    my $got = HttpMessage::header($res, 'X-Why') || '';

    is($got, $why, "$method $path: $why") if defined $why;

    my $pid = HttpMessage::header($res, 'X-Pid');

    $served{$pid}++ if defined $pid;

    $c = connection($server) if $res->{error}
        || (HttpMessage::header($res, 'Connection') || '') eq 'close';

    return $res;
}


subtest 'every path' => sub {
    ask('/plain', 'client-good', 'active/') for 1, 2;
    ask("/plain?access_token=$mark-client-query", undef, 'active/');
    ask('/plain', undef, 'active/', Cookie => "sid=$mark-client-cookie");
    ask('/plain', 'client-gone', 'revoked/revoked') for 1, 2;
    ask('/plain', 'client-unknown', 'invalid/unknown') for 1, 2;
    ask('/plain', 'client-html', 'unavailable/answer');
    ask('/plain', 'client-down', 'unavailable/status');
    ask('/plain', 'client-silent', 'unavailable/timeout');
    ask('/plain', 'client-refused', 'unavailable/credential');
    ask('/plain', 'client-bad,', 'malformed/syntax');
    ask('/plain', 'client-' . 'x' x 5000, 'malformed/too_long');
    ask('/plain', 'client-two', 'malformed/multiple',
        Cookie => "sid=$mark-client-cookie");
    ask('/uncached', 'client-uncached', 'active/') for 1, 2;
    ask('/strict', 'client-strict', 'forbidden/scope');
    ask('/rules', 'client-rules', 'forbidden/rule');
    ask('/hidden', 'client-hidden', 'active/');

    like(ask('/r', 'client-good', 'active/')->{body},
         qr/Bearer $mark-child-good\r/, '... as reissued') for 1, 2;
    ask("/r?access_token=$mark-client-query", undef, 'active/');
    ask('/r', undef, 'active/', Cookie => "sid=$mark-client-cookie");
    ask('/r', 'client-no403', 'forbidden/reissue') for 1, 2;
    ask('/r', 'client-no410', 'revoked/revoked');
    ask('/r', 'client-no500', 'unavailable/status');
    ask('/r', 'client-bytes', 'unavailable/answer');
    ask('/r', 'client-more', 'forbidden/reissue');
    ask('/r', 'client-broken', 'unavailable/status') for 1, 2;

    my @right = (Authorization => 'Basic YWxpY2U6cmlnaHQ=');

    like(ask('/create', undef, 'active/', @right, 'X-Sub' => 'first')->{body},
         qr/Bearer $mark-made-first\r/, '... as created') for 1, 2;
    ask('/create', undef, 'forbidden/create', @right, 'X-Sub' => 'no400');
    ask('/create', undef, 'unavailable/credential', @right,
        'X-Sub' => 'no401');
    ask('/create', undef, 'unavailable/status', @right, 'X-Sub' => 'no500');

    is(ask('POST /revoke', 'client-hidden')->{status}, 204, 'revoked');
    ask('/plain', 'client-hidden', 'revoked/revoked');

    my $with = sub {
        return (Authorization => 'Basic '
                . encode_base64("$user:$mark-key-$_[0]", ''));
    };

    like(ask('/keys', undef, 'active/', $with->('good'))->{body},
         qr/Bearer $mark-raw-good\r/, '... with its raw token') for 1, 2;
    like(ask('/keys/r', undef, 'active/', $with->('good'))->{body},
         qr/Bearer $mark-child-good\r/, '... with a reissued one') for 1, 2;
    ask('/keys', undef, 'revoked/revoked', $with->('gone')) for 1, 2;
    ask('/keys', undef, 'invalid/unknown', $with->('unknown')) for 1, 2;
    ask('/keys', undef, 'unavailable/answer', $with->('html'));
    ask('/keys', undef, 'unavailable/status', $with->('down'));
    ask('/keys', undef, 'unavailable/timeout', $with->('silent'));
    ask('/keys/strict', undef, 'forbidden/scope', $with->('good'));
    ask('/keys', undef, 'malformed/multiple', $with->('good'),
        Cookie => "sid=$mark-client-cookie");
    ask('/keys', undef, 'malformed/syntax',
        Authorization => 'Basic ' . encode_base64("$user:$mark\n", ''));
    ask('/keys', undef, 'malformed/too_long',
        Authorization => 'Basic ' . encode_base64("$user:$mark" x 9, ''));

    is(ask('/status')->{status}, 200, 'the status');
    unlike(ask('/status?format=json')->{body}, qr/$mark/, '... shows none');

    is_deeply([ keys %served ], [ $server ], 'one worker served all');
};


subtest 'the log' => sub {
    my @lines = split /\n/, $nginx->error_log;
    my @ours = grep { /agilicus|curl/i } @lines;

    cmp_ok(scalar @ours, '>', 100, 'the module logs at debug level');
    is_deeply([ grep { /$mark|$mark64/ } @ours ], [], '... no token, no credential');

    my @text = grep { /$mark|$mark64/ } $nginx->log_lines(qr/\[(?!debug\])\w+\]/);

    is_deeply([ grep { !/ malformed, too_long| client sent | request: "/ }
                @text ], [], 'nor does anybody else above it');
    like(join("\n", @lines), qr/\[debug\].*$mark/, 'nginx does, at debug');
};


# [ start, end, what, flags ] of what can be read and written

sub mappings {
    my ($pid) = @_;

    my @found;

    open my $fh, '<', "/proc/$pid/smaps" or die "smaps of $pid: $!\n";

    while (<$fh>) {
        if (/^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)$/) {
            no warnings 'portable';

            push @found, { from => hex $1, to => hex $2, mode => $3,
                           name => $4 };

        } elsif (/^VmFlags: (.*)/) {
            $found[-1]{flags} = { map { $_ => 1 } split ' ', $1 };
        }
    }

    # a sanitizer has terabytes of its own

    return grep { $_->{mode} =~ /^rw/ && $_->{to} - $_->{from} < 1 << 28 }
           @found;
}


sub memory {
    my ($pid, $m) = @_;

    open my $fh, '<:raw', "/proc/$pid/mem" or die "mem of $pid: $!\n";

    my ($text, $size) = ('', $m->{to} - $m->{from});

    sysseek $fh, $m->{from}, 0 or return '';

    while (length $text < $size) {
        sysread $fh, $text, $size - length $text, length $text or last;
    }

    return $text;
}


# what there is of them, as text or as JSON would have it

sub found {
    my ($text) = @_;

    my %seen;

    $seen{$1}++ while $text =~ /((?:$mark|$mark64)[-\w]{0,24})/g;

    return sort keys %seen;
}


subtest 'the zone' => sub {
    my @shared = grep { $_->{mode} =~ /^rw.s/ && $_->{to} - $_->{from} > 65536 }
                 mappings($server);

    my @zones = grep { memory($server, $_) =~ /jti-good/ } @shared;

    is(@zones, 1, 'there is one, with what is known of tokens');

    my $text = memory($server, $zones[0]);

    is(length $text, 1 << 20, '... all of it');
    is_deeply([ found($text) ], [], '... but no token');
    ok($zones[0]{flags}{dd}, '... and not for a core');
};


subtest 'a worker that did not serve them' => sub {
    my @mappings = mappings($idle);

    cmp_ok(scalar @mappings, '>', 10, 'it has memory');

    my @dumped = grep { !$_->{flags}{dd} } @mappings;
    my %found;

    for my $m (@dumped) {
        $found{$_} = $m->{name} || 'anonymous' for found(memory($idle, $m));
    }

    is_deeply(\%found, {}, '... and none of them in what a core has');

    my %kept;

    for my $m (grep { $_->{flags}{dd} } @mappings) {
        $kept{$_}++ for found(memory($idle, $m));
    }

    is_deeply([ sort keys %kept ], [ "$mark-edge-creates",
                                     "$mark-edge-introspects" ],
              'but the credentials, on pages that a core has not');

    my @key = grep { $_->{flags}{dd} && $_->{flags}{lo} }
              mappings($nginx->pid);

    # a sanitizer makes of locking a call that does nothing

    is(@key, $native ? 1 : 0,
       'and the master has the key on one that is locked besides');
};


# The same as the kernel and a debugger see it, where there is one.  Not where a
# sanitizer has its shadow of all memory, which would be in the core too.

my ($gcore) = grep { -x } map { "$_/gcore" } split /:/, $ENV{PATH};

subtest 'a core of it' => sub {
    my $file = $nginx->prefix . '/core';

    system("ulimit -f 1048576; timeout 60 '$gcore' -o '$file' $idle "
           . ">'$file.log' 2>&1");

    my $core = NginxControl::slurp("$file.$idle");

    cmp_ok(length $core, '>', 1 << 20, 'is written');
    is_deeply([ found($core) ], [], '... and has none of them');

    unlink "$file.$idle";
} if $native && defined $gcore;


subtest 'files' => sub {
    my @files = grep { -f && !m{/(?:credential|other|error\.log|access\.log)$} }
                glob $nginx->prefix . '/{*,*/*,*/*/*}';

    is_deeply([ grep { NginxControl::slurp($_) =~ /$mark/ } @files ], [],
              'none of them anywhere');
};


# what the reaper opens to revoke is of the worker that does

subtest 'the end of a parent' => sub {
    $nginx->mark;

    is(ask('POST /revoke', 'client-good')->{status}, 204, 'it is revoked');
    ok($mock->wait_calls(1, path => '/v1/tokens/revoke',
                         token => "$mark-child-good"), '... its child too');
    is_deeply([ grep { /agilicus|curl/i && /$mark/ } split /\n/,
                $nginx->new_log ], [], '... and no log line has its name');
};


$c->close;
$nginx->finish('nginx ends with a clean log');

done_testing();
