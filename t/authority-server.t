#!/usr/bin/perl

# Tests of agilicus-authority itself: command line, storage, all operations of
# the Tokens API, and what HTTP clients do wrong.  Loopback only.
#
#   prove t/authority-server.t
#
# AGILICUS_AUTHORITY names the binary (build/agilicus-authority).  A wrapper
# before it, such as valgrind, goes into AGILICUS_AUTHORITY_WRAPPER; the time
# limits are multiplied by AGILICUS_AUTHORITY_SLOWER.

use strict;
use warnings;

use Cwd qw/abs_path/;
use File::Basename qw/dirname/;
use File::Temp qw/tempdir/;
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use IPC::Open2;
use JSON::PP;
use MIME::Base64 qw/decode_base64url encode_base64url/;
use POSIX qw/:sys_wait_h strftime/;
use Test::More;
use Time::HiRes qw/sleep time/;

use constant {
    JSON_TYPE => 'application/json',
    BODY_MAX  => 256 * 1024,
};

my $top    = abs_path(dirname(__FILE__) . '/..');
my $binary = abs_path($ENV{AGILICUS_AUTHORITY}
                      // "$top/build/agilicus-authority");
my @wrapper = split ' ', $ENV{AGILICUS_AUTHORITY_WRAPPER} // '';
my $slower  = $ENV{AGILICUS_AUTHORITY_SLOWER} // 1;

plan skip_all => 'agilicus-authority is not built'
    unless defined $binary && -x $binary;

my $seed = "$top/conf/organisation.json";
my $dir  = tempdir('agilicus-authority-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $main = $$;
my $json = JSON::PP->new->utf8->canonical;
my $db   = "$dir/main.db";

my %running;    # pids of servers, for the case that a test dies
my %spent;      # jti of tokens, or tokens, that no log may show


END {
    if ($$ == $main) {
        kill 'KILL', keys %running;
        waitpid $_, 0 for keys %running;
    }
}

$SIG{PIPE} = 'IGNORE';


# Programs.


# runs the authority to its end; returns (exit status, output, errors)

sub run {
    my (@args) = @_;

    my $pid = fork // die "cannot fork: $!\n";

    if ($pid == 0) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', "$dir/out.$$";
        open STDERR, '>', "$dir/err.$$";
        exec @wrapper, $binary, @args or POSIX::_exit(127);
    }

    waitpid $pid, 0;

    my $rc = $? & 127 ? "signal $?" : $? >> 8;

    return ($rc, slurp("$dir/out.$pid"), slurp("$dir/err.$pid"));
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or return '';
    local $/;

    return scalar <$fh>;
}


sub spew {
    my ($path, $text) = @_;

    open my $fh, '>', $path or die "$path: $!\n";
    print $fh $text;
    close $fh;

    return $path;
}


# tokens by --issue, on the main database unless options say otherwise

sub issue {
    my ($spec, @args) = @_;

    my ($rc, $out, $err) = run('--db', $db, '--seed', $seed, '--issue', $spec,
                               @args);

    die "--issue $spec: $err\n" if $rc ne '0';

    my @tokens = split /\n/, $out;

    @spent{@tokens} = ();

    return wantarray ? @tokens : $tokens[0];
}


sub start {
    my (@args) = @_;

    my $log = "$dir/stderr." . (keys(%running) + int(rand(1e9)));

    pipe my $read, my $write or die "pipe: $!\n";

    my $pid = fork // die "cannot fork: $!\n";

    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>&', $write;
        open STDERR, '>',  $log;
        exec @wrapper, $binary, '--listen', '127.0.0.1:0', '--seed', $seed,
             '--db', $db, @args
            or POSIX::_exit(127);
    }

    close $write;
    $running{$pid} = 1;

    my $ready = IO::Select->new($read)->can_read(10 * $slower);
    my $line = $ready ? <$read> : undef;

    my ($port) = ($line // '') =~ /^listening on 127\.0\.0\.1:(\d+)$/
        or die 'the authority does not start: ' . slurp($log) . "\n";

    return {
        pid    => $pid,
        port   => $port,
        url    => "http://127.0.0.1:$port",
        stdout => $read,
        stderr => $log,
        http   => HTTP::Tiny->new(timeout => 20 * $slower, keep_alive => 1),
    };
}


# ends a server; its exit status, and undef if it would not end

sub stop {
    my ($server, $signal) = @_;

    kill $signal // 'TERM', $server->{pid};

    my $until = time + 10 * $slower;

    while (time < $until) {
        if (waitpid($server->{pid}, WNOHANG) == $server->{pid}) {
            delete $running{ $server->{pid} };
            return $?;
        }

        sleep 0.02;
    }

    kill 'KILL', $server->{pid};
    waitpid $server->{pid}, 0;
    delete $running{ $server->{pid} };

    return undef;
}


sub stops {
    my ($server, $what, $signal) = @_;

    is stop($server, $signal), 0, "$what: ends cleanly";
    is slurp($server->{stderr}), '', "$what: says nothing";
}


# Requests.


sub request {
    my ($server, $method, $path, %options) = @_;

    my $reply = $server->{http}->request($method, "$server->{url}$path", {
        headers => $options{headers} // {},
        defined $options{content} ? (content => $options{content}) : (),
    });

    die "$method: $reply->{content}\n" if $reply->{status} == 599;

    $reply->{content} //= '';
    $reply->{json} = eval { $json->decode($reply->{content}) }
        unless $options{plain};

    return $reply;
}


sub post {
    my ($server, $path, $body, %headers) = @_;

    return request($server, 'POST', "/v1/tokens$path",
        headers => { 'Content-Type' => JSON_TYPE, %headers },
        content => ref $body ? $json->encode($body) : $body);
}


sub introspect {
    my ($server, $token, %options) = @_;

    return post($server, '/introspect', {
        token => $token,
        %options ? (introspect_options => \%options) : (),
    });
}


sub facts {
    my ($server, $token, %options) = @_;

    my $reply = introspect($server, $token, %options);

    return $reply->{status} == 200 ? $reply->{json} : {};
}


sub status {
    return introspect(@_)->{status};
}


sub list {
    my ($server, $bearer, $query) = @_;

    return request($server, 'GET', "/v1/tokens$query",
                   headers => { Authorization => "Bearer $bearer" });
}


sub jtis {
    my ($reply) = @_;

    return join ' ', sort map { $_->{jti} } @{ $reply->{json}{tokens} // [] };
}


# an ErrorMessage with this status and code

sub refuses {
    my ($reply, $status, $code, $what) = @_;

    my $error = $reply->{json} // {};

    is $reply->{status}, $status, "$what: $status";
    is $error->{error_code}, $code, "$what: $code";
    like $error->{error_message} // '', qr/^[ -~]{5,}$/, "$what: a message";
    is $reply->{headers}{'content-type'}, JSON_TYPE, "$what: as JSON";
}


# bytes over a connection of their own, and what comes back until it closes

sub raw {
    my ($server, @pieces) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $server->{port})
        or die "connect: $!\n";

    for my $piece (@pieces) {
        $socket->syswrite($piece);
        sleep 0.05 if @pieces > 1;
    }

    $socket->shutdown(1) unless "@pieces" =~ /Connection: close/;

    my $answer = '';
    my $select = IO::Select->new($socket);

    while ($select->can_read(5 * $slower)) {
        $socket->sysread($answer, 65536, length $answer) or last;
    }

    return $answer;
}


sub payload {
    my ($token) = @_;

    return $json->decode(decode_base64url((split /\./, $token)[1]));
}


sub at {
    my ($offset) = @_;

    return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $offset));
}


subtest 'command line' => sub {
    my ($rc, $out, $err) = run('--version');

    is $rc, 0, '--version';
    like $out, qr/^agilicus-authority \d+\.\d+\.\d+$/, 'prints a version';

    ($rc, $out) = run('--help');

    is $rc, 0, '--help';
    like $out, qr/^Usage: agilicus-authority /, 'prints the usage';

    my @refused = (
        [['--nonsense'], qr/unknown option "--nonsense"/],
        [['--db'], qr/no value for "--db"/],
        [['argument'], qr/unexpected argument "argument"/],
        [['--listen', 'nowhere'], qr/not an address and a port/],
        [['--listen', '127.0.0.1:99999'], qr/not an address and a port/],
        [['--listen', 'example.com:80'], qr/not a numeric address/],
        [['--listen', '0.0.0.0:0'], qr/plain HTTP is for a loopback/],
        [['--listen', '[::]:0'], qr/plain HTTP is for a loopback/],
        [['--tls-cert', 'x'], qr/--tls-cert and --tls-key go together/],
        [['--db', ':memory:'], qr/is not a file/],
        [['--delay', '20x'], qr/is not a time/],
        [['--fail-rate', '101%'], qr/is not a rate/],
        [['--fail-rate', '10'], qr/is not a rate/],
        [['--date-format', 'us'], qr/none of rfc3339/],
        [['--issue-count', '0'], qr/is not a number/],
        [['--issue-count', '2'], qr/goes with --issue/],
        map { [['--listen', '0.0.0.0:0', '--tls-cert', 'x', '--tls-key', 'x',
                @$_], qr/loopback address only/] }
            ['--delay', '1s'], ['--fail-rate', '1%'], ['--hang'],
    );

    for my $case (@refused) {
        my ($args, $message) = @$case;

        ($rc, $out, $err) = run('--db', $db, @$args);

        is $rc, 2, "@$args: usage";
        like $err, qr/^agilicus-authority: .*$message/, "@$args: says why";
        is $out, '', "@$args: no output";
    }

    ok !-e $db, 'a refused command line makes no database';
};


subtest 'database' => sub {
    my $file = "$dir/storage.db";

    my ($rc, $out, $err) = run('--db', $file, '--seed', $seed,
                               '--issue', 'sub=ben.osei,org=riverton');

    is $rc, 0, 'is made';
    is sprintf('%04o', (stat $file)[2] & 07777), '0600',
       'only its owner can read it';

    my $token = (split /\n/, $out)[0];

    ok index(slurp($file), $token) == -1, 'does not hold the token';
    ok index(slurp($file), (split /\./, $token)[2]) == -1,
       'nor its signature';

    chmod 0640, $file;

    ($rc, $out, $err) = run('--db', $file, '--seed', $seed);

    is $rc, 1, 'one that others can read is refused';
    like $err, qr/open to others \(mode 0640\)/, 'says why';

    chmod 0600, spew("$dir/text.db", "no database at all\n" x 100);

    ($rc, $out, $err) = run('--db', "$dir/text.db", '--seed', $seed);

    is $rc, 1, 'a file that is none is refused';
    like $err, qr/database/, 'says why';

    my $python = system(qw/python3 -c/, 'import sqlite3, sys; '
        . 'sqlite3.connect(sys.argv[1]).execute("CREATE TABLE a (b)")',
        "$dir/foreign.db");

    SKIP: {
        skip 'no python3 to make a database with', 2 if $python != 0;

        chmod 0600, "$dir/foreign.db";

        ($rc, $out, $err) = run('--db', "$dir/foreign.db", '--seed', $seed);

        is $rc, 1, 'the database of somebody else is refused';
        like $err, qr/not one of this authority's/, 'says why';
    }

    ($rc, $out, $err) = run('--db', "$dir/no/such.db", '--seed', $seed);

    is $rc, 1, 'no folder: refused';
    like $err, qr/cannot open the database/, 'says why';

    ($rc) = run('--db', $dir, '--seed', $seed);

    is $rc, 1, 'a folder is refused';
};


subtest 'seed' => sub {
    my $good = slurp($seed);

    my $try = sub {
        my ($text) = @_;

        return run('--db', "$dir/seed.db",
                   '--seed', spew("$dir/seed.json", $text),
                   '--issue', 'sub=ben.osei,org=riverton');
    };

    my ($rc) = $try->($good);

    is $rc, 0, 'the one of the demo is good';

    my @cases = (
        ['orgs[0].parent', sub { $_[0]{organisations}[0]{parent} = 'moon' },
         qr/organisations\[0\]\.parent: is not an organisation/],
        ['cycle', sub { $_[0]{organisations}[0]{parent} = 'riverton-water' },
         qr/organisations\[\d\]: is its own ancestor/],
        ['org twice', sub { $_[0]{organisations}[1]{id} = 'riverton' },
         qr/organisations\[1\]\.id: is there twice/],
        ['org id', sub { $_[0]{organisations}[1]{id} = 'a b' },
         qr/organisations\[1\]\.id: is not an identifier/],
        ['unknown member', sub { $_[0]{subjects}[2]{admin} = JSON::PP::true },
         qr/subjects\[2\]\.admin: is not a known member/],
        ['missing member', sub { delete $_[0]{subjects}[2]{org} },
         qr/subjects\[2\]\.org: is missing/],
        ['type', sub { $_[0]{subjects}[2]{enabled} = 'yes' },
         qr/subjects\[2\]\.enabled: is not a boolean/],
        ['subject type', sub { $_[0]{subjects}[2]{type} = 'robot' },
         qr/subjects\[2\]\.type: is neither/],
        ['email twice',
         sub { $_[0]{subjects}[2]{email} = 'ben.osei@riverton.example' },
         qr/subjects\[2\]\.email: is there twice/],
        ['permission', sub { $_[0]{subjects}[1]{permissions}[0]{org} = 'x' },
         qr/subjects\[1\]\.permissions\[0\]\.org: is not an organisation/],
        ['scope', sub { $_[0]{subjects}[1]{permissions}[0]{scopes}[1] = 'a b' },
         qr/subjects\[1\]\.permissions\[0\]\.scopes\[1\]: is not a scope/],
        ['app', sub { $_[0]{subjects}[1]{permissions}[0]{roles}{x} = ['y'] },
         qr/permissions\[0\]\.roles\.x: is not an application/],
        ['role',
         sub { $_[0]{subjects}[1]{permissions}[0]{roles}{permits} = ['y'] },
         qr/permissions\[0\]\.roles\.permits: has no role "y"/],
        ['app of another',
         sub { $_[0]{subjects}[1]{permissions}[0]{roles}{meters} =
               ['reader'] },
         qr/roles\.meters: is not used in organisation "riverton"/],
        ['method',
         sub { $_[0]{applications}[0]{roles}{viewer}[0]{methods}[0] = 'GET' },
         qr/roles\.viewer\[0\]\.methods\[0\]: is not a method/],
        ['rule member',
         sub { $_[0]{applications}[0]{roles}{viewer}[0]{pahts} = ['/'] },
         qr/roles\.viewer\[0\]\.pahts: is not a known member/],
        ['template',
         sub { delete $_[0]{applications}[1]{roles}{reader}[0]
                        {template_paths}[0]{prefix} },
         qr/template_paths\[0\]\.prefix: is missing/],
        ['pointer',
         sub { $_[0]{applications}[0]{roles}{clerk}[1]{body}{json}[0]
                 {pointer} = 'x' },
         qr/body\.json\[0\]\.pointer: is not a JSON pointer/],
        ['placeholder',
         sub { $_[0]{applications}[0]{roles}{clerk}[1]{body}{json}[0]
                 {exact_match} = '{{name}}' },
         qr/roles\.clerk\[1\]: has a placeholder/],
        ['instance twice',
         sub { $_[0]{applications}[3]{instances}[1]{org} = 'riverton' },
         qr/applications\[3\]\.instances\[1\]\.org: is there twice/],
        ['issuer', sub { $_[0]{issuer} = '' }, qr/issuer: does not have/],
        ['no subjects', sub { $_[0]{subjects} = [] },
         qr/subjects: is not an array of 1 to/],
    );

    for my $case (@cases) {
        my ($what, $change, $message) = @$case;

        my $data = $json->decode($good);
        $change->($data);

        my ($rc, $out, $err) = $try->($json->encode($data));

        is $rc, 1, "$what: refused";
        like $err, $message, "$what: names it";
    }

    my ($r1, $o1, $e1) = $try->('{"issuer":"a","issuer":"b"}');
    like $e1, qr/duplicate/, 'duplicate member: refused';

    my ($r2, $o2, $e2) = $try->('{');
    like $e2, qr/invalid JSON/, 'invalid JSON: refused';

    my ($r3, $o3, $e3) = run('--db', $db, '--seed', "$dir/none.json");
    like $e3, qr/seed ".*none\.json": cannot be read/, 'no file: refused';

    is "$r1$r2$r3", '111', 'all of them fail';
};


subtest '--issue' => sub {
    my @tokens = issue('sub=ben.osei,org=riverton', '--issue-count', 5);
    my %jti = map { payload($_)->{jti} => 1 } @tokens;

    is @tokens, 5, '--issue-count';
    is keys %jti, 5, 'all different';

    @tokens = issue('sub=ben.osei,org=riverton',
                    '--issue', 'sub=amelia.hart,org=riverton-water');

    is join(' ', map { payload($_)->{sub} } @tokens), 'ben.osei amelia.hart',
       'several of them, in order';

    my $token = issue('sub=ben.osei,org=riverton,duration=2h,jti=issued-1,'
                      . 'session=desk,aud=one+two,iat=-10s');
    my $claims = payload($token);

    is $claims->{iss}, 'https://auth.riverton.example', 'claim: iss';
    is $claims->{sub}, 'ben.osei', 'claim: sub';
    is $claims->{org}, 'riverton', 'claim: org';
    is $claims->{jti}, 'issued-1', 'claim: jti';
    is $claims->{session}, 'desk', 'claim: session';
    is_deeply $claims->{aud}, ['one', 'two'], 'claim: aud';
    is $claims->{exp} - $claims->{iat}, 7200, 'claim: exp';
    ok abs($claims->{iat} - time + 10) <= 3, 'claim: iat';
    ok length($tokens[0]) > 450 && length($tokens[0]) < 900,
       'of a usual length: ' . length $tokens[0];

    my @begin = times;

    @tokens = issue('sub=ben.osei,org=riverton', '--issue-count', 10_000,
                    '--db', "$dir/bulk.db");

    my @end = times;

    is @tokens, 10_000, '10,000 tokens';
    cmp_ok $end[2] + $end[3] - $begin[2] - $begin[3], '<', 6 * $slower,
           'within a few seconds of processor time';

    my @refused = (
        ['sub=ben.osei', qr/sub and org are needed/],
        ['sub=nobody,org=riverton', qr/no subject "nobody"/],
        ['sub=ben.osei,org=moon', qr/no organisation "moon"/],
        ['sub=ivy.brandt,org=riverton', qr/"ivy.brandt" is disabled/],
        ['sub=ben.osei,org=northgate', qr/no permission/],
        ['sub=ben.osei,org=riverton,scopes=urn:agilicus:users:owner',
         qr/scope "urn:agilicus:users:owner" is not permitted/],
        ['sub=ben.osei,org=riverton,roles=permits:owner', qr/role/],
        ['sub=ben.osei,org=riverton,jti=issued-1', qr/this jti already/],
        ['sub=ben.osei,org=riverton,colour=red', qr/unknown key "colour"/],
        ['sub=ben.osei,org=riverton,sub=a', qr/"sub" is there twice/],
        ['sub=ben.osei,org=riverton,exp=soon', qr/key "exp"/],
        ['sub=ben.osei,org=riverton,never=yes', qr/key "never"/],
        ['sub=ben.osei,org=riverton,scopes=a++b', qr/key "scopes"/],
        ['sub=ben.osei,org=riverton,roles=permits', qr/key "roles"/],
        ['sub=ben.osei,org=riverton,jti=a b', qr/key "jti"/],
        ['sub=ben.osei,org=riverton,creator=nobody', qr/no subject/],
        ['sub=ben.osei,org=riverton,hosts=/none', qr/key "hosts"/],
        ['', qr/unknown key ""/],
    );

    for my $case (@refused) {
        my ($spec, $message) = @$case;

        my ($rc, $out, $err) = run('--db', $db, '--seed', $seed,
                                   '--issue', $spec);

        is $rc, 1, "$spec: refused";
        like $err, $message, "$spec: says why";
        is $out, '', "$spec: no token";
    }
};


my $authority = start('--request-log', "$dir/requests.log");


subtest 'introspect: an active token' => sub {
    my $token = issue('sub=chloe.tremblay,org=riverton-water,jti=active-1,'
                      . 'session=lab,duration=10m');
    my $reply = introspect($authority, $token);
    my $facts = $reply->{json};

    is $reply->{status}, 200, 'status 200';
    is $reply->{headers}{'content-type'}, JSON_TYPE, 'is JSON';
    is $reply->{headers}{'cache-control'}, 'no-store', 'is not to be stored';

    is $facts->{sub}, 'chloe.tremblay', 'sub';
    is $facts->{sub_email}, 'chloe.tremblay@water.riverton.example',
       'sub_email';
    is $facts->{org}, 'riverton-water', 'org';
    is $facts->{root_org}, 'riverton', 'root_org';
    is $facts->{jti}, 'active-1', 'jti';
    is $facts->{session}, 'lab', 'session';
    like $facts->{iat}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'iat';
    is $facts->{exp}, strftime('%Y-%m-%dT%H:%M:%SZ',
                               gmtime(payload($token)->{exp})), 'exp';
    is_deeply $facts->{aud}, ['urn:api:agilicus:gateway',
        'urn:api:agilicus:users', 'urn:api:agilicus:applications'], 'aud';
    is_deeply $facts->{scopes}, ['urn:agilicus:users:viewer',
        'urn:agilicus:app:meters:technician', 'urn:agilicus:app:files:*'],
        'scopes';
    is_deeply $facts->{roles}, { meters => ['reader', 'technician'],
        files => ['editor'], reports => ['viewer'] }, 'roles';

    my %hosts = map { $_->{upstream_host} => $_ } @{ $facts->{hosts} };

    is_deeply [sort keys %hosts], ['files.water.riverton.example',
        'meters.water.riverton.example', 'reports.riverton.example'], 'hosts';

    my $meters = $hosts{'meters.water.riverton.example'};

    is $meters->{app_id}, 'meters', 'app_id';
    is $meters->{admin_org_id}, 'riverton-water', 'admin_org_id';
    is @{ $meters->{allowed_list} }, 3, 'the rules of both roles';
    is_deeply $hosts{'reports.riverton.example'}{allowed_list}[0]
        {query_parameters}, [{ name => 'department',
        exact_match => 'riverton-water' }, { name => 'year' }],
        'a rule is rendered for the organisation';

    for my $absent (qw/creating_sub creating_org masquerading revoked updated
                       refresh_token_jti active/)
    {
        ok !exists $facts->{$absent}, "no $absent";
    }

    my $clerk = facts($authority, issue('sub=ben.osei,org=riverton'));
    my ($permits) = grep { $_->{app_id} eq 'permits' } @{ $clerk->{hosts} };

    is $permits->{allowed_list}[1]{body}{json}[0]{exact_match}, 'ben.osei',
       'a rule is rendered for the subject';

    my $never = facts($authority,
                      issue('sub=ben.osei,org=riverton,never=1'));

    is $never->{sub}, 'ben.osei', 'never: active';
    ok !exists $never->{exp}, 'never: no exp';
};


subtest 'introspect: options' => sub {
    my $token = issue('sub=farid.nasser,org=riverton-water');

    my $facts = facts($authority, $token, exclude_roles => JSON::PP::true);

    is $facts->{sub}, 'farid.nasser', 'exclude_roles: active';
    ok !exists $facts->{roles}, 'exclude_roles: no roles';
    is @{ $facts->{hosts} }, 1, 'exclude_roles: hosts stay';

    $facts = facts($authority, $token,
                   support_http_matchers => JSON::PP::true);

    is $facts->{hosts}[0]{allowed_list}[0]{matchers}{matchers}[0]
        {extractor_name}, 'meter_id', 'matchers where they are supported';

    for my $options ([], [support_http_matchers => JSON::PP::false]) {
        $facts = facts($authority, $token, @$options);
        my $rule = $facts->{hosts}[0]{allowed_list}[0];

        ok !exists $rule->{matchers}, 'else none';
        is_deeply $rule->{template_paths}, [
            { template => '/meters/4711/readings',
              prefix => JSON::PP::false },
            { template => '/meters/4712/readings',
              prefix => JSON::PP::false },
        ], 'but exact matches';
    }

    my %fine = (no_cache => JSON::PP::true, from_the_future => 1,
        exclude_roles => undef,
        target_org_info => { target_orgs => ['a', 'b'],
                             target_domain => 'app1.example.com' });

    is status($authority, $token, %fine), 200, 'the others are tolerated';

    my @bad = (
        [exclude_roles => 'yes'], [support_http_matchers => 1],
        [no_cache => []], [target_org_info => 'org'],
        [target_org_info => { target_orgs => 'a' }],
        [target_org_info => { target_orgs => [1] }],
        [target_org_info => { target_domain => {} }],
    );

    for my $case (@bad) {
        refuses introspect($authority, $token, @$case), 400,
                'INVALID_REQUEST', 'option ' . $json->encode({ @$case });
    }

    refuses post($authority, '/introspect',
                 { token => $token, introspect_options => 'all' }), 400,
            'INVALID_REQUEST', 'options that are no object';
};


# rules that cannot be said without matchers must not come without them

subtest 'introspect: matchers as exact matches' => sub {
    my $template = sub {
        return { template => $_[0], prefix => JSON::PP::false };
    };
    my $matcher = sub {
        my ($name, $criteria, %more) = @_;

        return { extractor_name => $name, inverted => JSON::PP::false,
                 criteria => $criteria, %more };
    };
    my $equals = sub {
        return { operator => 'equals', match_literal => $_[0] };
    };

    my @cases = (
        ['a number', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->(7)])], ['/a/7']],
        ['or of criteria', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->('x'), $equals->('y')],
                     join_operation => 'or')], ['/a/x', '/a/y']],
        ['two names', [$template->('/a/{id}/{no}')],
         [$matcher->('id', [$equals->('x')]),
          $matcher->('no', [{ operator => 'in', match_literal => [1, 2] }])],
         ['/a/x/1', '/a/x/2']],
        ['and of criteria', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->('x'), $equals->('y')])], undef],
        ['inverted', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->('x')], inverted => JSON::PP::true)],
         undef],
        ['another operator', [$template->('/a/{id}')],
         [$matcher->('id', [{ operator => 'not_equals',
                              match_literal => 'x' }])], undef],
        ['two extractors', [$template->('/a/{id}')],
         [$matcher->('id', [{ operator => 'equals', match_literal => 'x',
                              match_extractor => 'no' }])], undef],
        ['no criteria', [$template->('/a/{id}')],
         [$matcher->('id', [])], undef],
        ['a name that one template lacks',
         [$template->('/a/{id}'), $template->('/b')],
         [$matcher->('id', [$equals->('x')])], undef],
        ['a literal with a slash', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->('x/y')])], undef],
        ['an empty literal', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->('')])], undef],
        ['too many', [$template->('/a/{id}')],
         [$matcher->('id', [{ operator => 'in',
                              match_literal => [1 .. 300] }])], undef],
    );

    for my $case (@cases) {
        my ($what, $templates, $matchers, $expected) = @$case;

        my $hosts = [{ upstream_host => 'h', allowed_list => [{
            methods => ['get'], template_paths => $templates,
            matchers => { matchers => $matchers },
        }] }];

        my $token = issue('force=1,sub=x,org=riverton,hosts='
            . spew("$dir/hosts.json", $json->encode($hosts)));
        my $list = facts($authority, $token)->{hosts}[0]{allowed_list};

        is_deeply [map { $_->{template} } map { @{ $_->{template_paths} } }
                   @$list], $expected // [], $what;
    }
};


subtest 'introspect: a token that is not active' => sub {
    my $token = issue('sub=ben.osei,org=riverton');
    my ($header, $claims, $signature) = split /\./, $token;

    refuses introspect($authority,
                       issue('sub=ben.osei,org=riverton,revoked=1')),
            410, 'TOKEN_REVOKED', 'revoked';
    refuses introspect($authority, issue('sub=ben.osei,org=riverton,'
                                         . 'revoked=1,exp=-5s')),
            410, 'TOKEN_REVOKED', 'revoked, and expired since';
    refuses introspect($authority, issue('sub=ben.osei,org=riverton,exp=-1s')),
            404, 'TOKEN_NOT_FOUND', 'expired';
    refuses introspect($authority,
                       issue('sub=ben.osei,org=riverton,nbf=+1h')),
            404, 'TOKEN_NOT_FOUND', 'not yet valid';
    refuses introspect($authority, issue('sub=ben.osei,org=riverton',
                                         '--db', "$dir/other.db")),
            404, 'TOKEN_NOT_FOUND', 'of another authority';

    my $mine = payload($token);
    my %forged = (
        'other claims' => [$header,
            encode_base64url($json->encode({ %$mine, sub => 'amelia.hart' })),
            $signature],
        'alg none' => [encode_base64url('{"alg":"none","typ":"JWT"}'), $claims,
                       $signature],
        'alg HS256' => [encode_base64url('{"alg":"HS256"}'), $claims,
                        $signature],
        'a signature of zeros' => [$header, $claims,
                                   encode_base64url("\0" x 64)],
        'a short signature' => [$header, $claims, encode_base64url('x' x 63)],
        'a long signature' => [$header, $claims, encode_base64url('x' x 65)],
    );

    for my $what (sort keys %forged) {
        refuses introspect($authority, join('.', @{ $forged{$what} })),
                404, 'TOKEN_NOT_FOUND', $what;
    }

    # ECDSA: with (r, s), (r, n - s) is a good signature, too

    my $twin = encode_base64url(negate(decode_base64url($signature)));

    refuses introspect($authority, "$header.$claims.$twin"),
            404, 'TOKEN_NOT_FOUND', 'another spelling of the signature';

    my %malformed = (
        'garbage' => 'garbage', 'two parts' => 'a.b',
        'four parts' => "$token.x", 'empty parts' => '..',
        'no signature' => "$header.$claims.", 'padding' => "$token=",
        'a foreign character' => "$header.$claims.$signature ",
        'no JSON' => 'YQ.YQ.YQ',
        'no jti' => join('.', $header, encode_base64url('{"sub":"x"}'),
                         $signature),
        'a jti that is a number' => join('.', $header,
                                         encode_base64url('{"jti":1}'),
                                         $signature),
        'bits left over' => "$header.$claims." . odd($signature),
        'letters of another language' => "\x{fc}ber.\x{fc}ber.\x{fc}ber",
    );

    for my $what (sort keys %malformed) {
        refuses introspect($authority, $malformed{$what}), 400,
                'INVALID_TOKEN', $what;
    }

    refuses introspect($authority, 'x' x 8193), 400, 'INVALID_REQUEST',
            'too long';
    refuses introspect($authority, ''), 400, 'INVALID_REQUEST', 'empty';

    is status($authority, $token), 200, 'the good one is good all the same';
};


# the last character of a signature has four bits that mean nothing

sub odd {
    my ($text) = @_;

    my $last = chop $text;

    return $text . chr(1 + ord $last);
}


# n - s for the order n of P-256, on the second half of a signature

sub negate {
    my ($signature) = @_;

    my @n = unpack 'C*', pack 'H*', 'ffffffff00000000ffffffffffffffff'
                                    . 'bce6faada7179e84f3b9cac2fc632551';
    my @s = unpack 'C*', substr $signature, 32;
    my ($borrow, @result) = (0);

    for my $i (reverse 0 .. 31) {
        my $digit = $n[$i] - $s[$i] - $borrow;

        $borrow = $digit < 0 ? 1 : 0;
        unshift @result, $digit + 256 * $borrow;
    }

    return substr($signature, 0, 32) . pack 'C*', @result;
}


subtest 'introspect: special tokens' => sub {
    my $facts = facts($authority, issue('sub=ben.osei,org=riverton,'
                                        . 'masquerading=1,creator=hugo.lind'));

    ok $facts->{masquerading}, 'masquerading';
    is $facts->{creating_sub}, 'hugo.lind', 'creating_sub';
    ok !exists $facts->{creating_org}, 'no creating_org where it is the same';

    $facts = facts($authority, issue('sub=farid.nasser,org=riverton-water,'
                                     . 'creator=edge'));

    is $facts->{creating_org}, 'riverton', 'creating_org where it is another';

    $facts = facts($authority, issue('sub=ben.osei,org=riverton,refresh=1'));

    like $facts->{refresh_token_jti}, qr/^[\w-]{22}$/, 'refresh token';

    $facts = facts($authority, issue('sub=ben.osei,org=riverton,'
        . 'roles=permits:clerk,scopes=urn:agilicus:users:viewer+openid?+x?'));

    is_deeply $facts->{roles}, { permits => ['clerk'] }, 'some roles only';
    is_deeply [map { $_->{app_id} } @{ $facts->{hosts} }], ['permits'],
              'and only their hosts';
    is_deeply $facts->{scopes}, ['urn:agilicus:users:viewer', 'openid'],
              'some scopes only, optional ones where permitted';

    $facts = facts($authority,
                   issue('sub=ben.osei,org=riverton,scopes='));

    is_deeply $facts->{scopes}, [], 'no scopes';

    $facts = facts($authority, issue('force=1,sub=ghost,org=nowhere,'
                                     . 'scopes=a+b?,roles=app:one+app:two'));

    is $facts->{sub}, 'ghost', 'forced: any subject';
    is_deeply $facts->{scopes}, ['a', 'b?'], 'forced: any scope, as spelled';
    is_deeply $facts->{roles}, { app => ['one', 'two'] }, 'forced: any role';
    is_deeply $facts->{hosts}, [], 'forced: no hosts that it could have';

    is status($authority, issue('force=1,sub=ivy.brandt,org=riverton')), 200,
       'forced: a disabled subject';
};


subtest 'revoke' => sub {
    my ($one, $two) = issue('sub=ben.osei,org=riverton', '--issue-count', 2);

    my $reply = post($authority, '/revoke', { token => $one });

    is $reply->{status}, 204, 'status 204';
    is $reply->{content}, '', 'no body';
    is status($authority, $one), 410, 'is revoked';
    is status($authority, $two), 200, 'another one is not';

    my %others = (
        'revoked before' => $one, 'garbage' => 'garbage',
        'expired' => scalar issue('sub=ben.osei,org=riverton,exp=-5s'),
        'of another authority' => scalar issue('sub=ben.osei,org=riverton',
                                               '--db', "$dir/other.db"),
    );

    for my $what (sort keys %others) {
        is post($authority, '/revoke', { token => $others{$what} })->{status},
           204, "$what: 204";
    }

    is status($authority, $others{expired}), 410, 'expired: revoked all the same';

    refuses post($authority, '/revoke', {}), 400, 'INVALID_REQUEST',
            'no token';
    refuses post($authority, '/revoke', { token => 1 }), 400,
            'INVALID_REQUEST', 'a token that is a number';
    refuses post($authority, '/revoke', { token => $two,
                                          all_sessions => 'yes' }), 400,
            'INVALID_REQUEST', 'all_sessions that is a string';
    is status($authority, $two), 200, 'which revokes nothing';
};


subtest 'revoke: all sessions' => sub {
    my $one = issue('sub=dev.patel,org=riverton-library,session=day');
    my $two = issue('sub=dev.patel,org=riverton-library,session=day');
    my $three = issue('sub=dev.patel,org=riverton-east-branch,session=night');
    my $shared = issue('sub=grace.liu,org=riverton-east-branch,session=day');
    my $other = issue('sub=grace.liu,org=riverton-east-branch,session=home');
    my $old = issue('sub=dev.patel,org=riverton-library,exp=-5s');

    my $revoke = sub {
        return post($authority, '/revoke', { token => $_[0],
                    all_sessions => $_[1] ? JSON::PP::true
                                          : JSON::PP::false })->{status};
    };

    is $revoke->($old, 1), 204, 'by an expired token: 204';
    is status($authority, $one), 200, 'but it ends no session';

    is $revoke->($one, 0), 204, 'not all: 204';
    is status($authority, $two), 200, 'not all: only that token';

    is $revoke->($one, 1), 204, 'all, by one that is revoked: 204';
    is status($authority, $two), 410, 'another token of the session';
    is status($authority, $three), 410, 'another session of the subject';
    is status($authority, $shared), 410, 'somebody else in the session';
    is status($authority, $other), 200, 'but no other session of theirs';
};


subtest 'reissue' => sub {
    my $token = issue('sub=erin.walsh,org=riverton-water,session=desk,'
                      . 'aud=gate,duration=15m');
    my $before = facts($authority, $token);

    my $reply = post($authority, '/reissue', { token => $token,
                                               org_id => 'riverton' });

    is $reply->{status}, 200, 'status 200';
    is $reply->{json}{session}, 'desk', 'with its session';

    $spent{ $reply->{json}{token} } = 1;

    my $after = facts($authority, $reply->{json}{token});

    is $after->{org}, 'riverton', 'for the organisation';
    is $after->{sub}, 'erin.walsh', 'the same subject';
    isnt $after->{jti}, $before->{jti}, 'a new jti';
    is $after->{exp}, $before->{exp}, 'the same expiry';
    is $after->{session}, 'desk', 'the same session';
    is_deeply $after->{aud}, ['gate'], 'the same audience';
    is_deeply $after->{scopes}, ['urn:agilicus:app:reports:author'],
              'scopes of both: what the one had and the other permits';
    is_deeply $after->{roles}, { reports => ['author'] },
              'roles of the new organisation';
    is_deeply [map { $_->{upstream_host} } @{ $after->{hosts} }],
              ['reports.riverton.example'], 'hosts of the new organisation';
    is status($authority, $token), 200, 'the old one stays';

    my $again = post($authority, '/reissue', {
        token => $reply->{json}{token}, org_id => 'riverton-water' });

    is_deeply facts($authority, $again->{json}{token})->{scopes},
              ['urn:agilicus:app:reports:author'], 'scopes never grow again';

    my $same = post($authority, '/reissue', { token => $token,
                                              org_id => 'riverton-water' });

    is_deeply facts($authority, $same->{json}{token})->{scopes},
              $before->{scopes}, 'for the same organisation: the same scopes';

    my $few = issue('sub=erin.walsh,org=riverton-water,roles=reports:author');
    my $kept = post($authority, '/reissue', { token => $few,
                                              org_id => 'riverton-water' });

    is_deeply facts($authority, $kept->{json}{token})->{roles},
              { reports => ['author'] }, 'restrictions stay';

    my $never = post($authority, '/reissue', {
        token => scalar issue('sub=erin.walsh,org=riverton,never=1'),
        org_id => 'riverton-water' });

    ok !exists facts($authority, $never->{json}{token})->{exp},
       'without expiry, without expiry';

    my $spec = 'sub=erin.walsh,org=riverton-water';
    my %refused = (
        'no permission there' => [$token, 'riverton-library'],
        'no such organisation' => [$token, 'moon'],
        'revoked' => [scalar issue("$spec,revoked=1"), 'riverton'],
        'expired' => [scalar issue("$spec,exp=-1s"), 'riverton'],
        'garbage' => ['garbage', 'riverton'],
        'a refresh token' => [scalar issue("$spec,refresh=1"), 'riverton'],
        'masquerading' => [scalar issue("$spec,masquerading=1"), 'riverton'],
        'of a disabled subject' =>
            [scalar issue('force=1,sub=ivy.brandt,org=riverton'), 'riverton'],
    );

    for my $what (sort keys %refused) {
        my ($presented, $org) = @{ $refused{$what} };

        refuses post($authority, '/reissue', { token => $presented,
                                               org_id => $org }),
                400, 'INVALID_REQUEST', $what;
    }

    refuses post($authority, '/reissue', { token => $token }), 400,
            'INVALID_REQUEST', 'no organisation';
};


my $edge = issue('sub=edge,org=riverton');

sub create {
    my ($bearer, %members) = @_;

    my $reply = post($authority, '', {
        sub => 'chloe.tremblay', org => 'riverton-water',
        audiences => ['urn:api:agilicus:gateway'],
        time_validity => { duration => 600 }, %members,
    }, defined $bearer ? (Authorization => "Bearer $bearer") : ());

    for my $name (qw/token refresh_token/) {
        $spent{ $reply->{json}{$name} } = 1 if $reply->{json}{$name};
    }

    return $reply;
}


subtest 'create' => sub {
    my $reply = create($edge, scopes => ['urn:agilicus:users:viewer',
        'urn:agilicus:users:owner?', 'urn:agilicus:app:meters:technician?',
        'urn:agilicus:app:files:anything', 'urn:agilicus:users:viewer?'],
        roles => { meters => 'technician' });

    is $reply->{status}, 201, 'status 201';
    is $reply->{json}{time_validity}{duration}, 600, 'with its validity';
    ok !exists $reply->{json}{refresh_token}, 'without a refresh token';
    ok !exists $reply->{json}{user}, 'without a user';

    my $facts = facts($authority, $reply->{json}{token});

    is $facts->{sub}, 'chloe.tremblay', 'sub';
    is $facts->{session}, $reply->{json}{session}, 'session';
    is_deeply $facts->{aud}, ['urn:api:agilicus:gateway'], 'aud';
    is_deeply $facts->{scopes}, ['urn:agilicus:users:viewer',
        'urn:agilicus:app:meters:technician',
        'urn:agilicus:app:files:anything'],
        'scopes: as far as permitted, once, without "?"';
    is_deeply $facts->{roles}, { meters => ['technician'] }, 'roles';
    is $facts->{creating_sub}, 'edge', 'creating_sub';
    is $facts->{creating_org}, 'riverton', 'creating_org';
    ok !exists $facts->{masquerading}, 'a service account is no masquerade';
    isnt $facts->{session}, payload($edge)->{session},
         'and its session is not handed on';

    $reply = create($edge, create_refresh_token => JSON::PP::true,
                    get_user => JSON::PP::true);

    is_deeply $reply->{json}{user}, { id => 'chloe.tremblay',
        email => 'chloe.tremblay@water.riverton.example',
        first_name => "Chlo\x{e9}", last_name => 'Tremblay',
        full_name => "Chlo\x{e9} Tremblay",
        display_name => "Chlo\x{e9} Tremblay", org_id => 'riverton-water',
        type => 'user', enabled => JSON::PP::true }, 'user';

    $facts = facts($authority, $reply->{json}{refresh_token});

    is $facts->{refresh_token_jti},
       facts($authority, $reply->{json}{token})->{jti}, 'refresh token';
    is $facts->{session}, $reply->{json}{session}, 'in the same session';
    is_deeply facts($authority, $reply->{json}{token})->{scopes}, [],
              'no scopes where none are asked for';

    my $soon = create($edge, token_validity => { start => at(3600),
                                                 duration => 60 });

    is $soon->{status}, 201, 'token_validity: start';
    is status($authority, $soon->{json}{token}), 404, 'which is not yet';

    my %validities = (
        'duration' => [{ duration => 120 }, 120],
        'end' => [{ end => at(300) }, 300],
        'end with offset' => [{ start => '2002-10-02T10:00:00-05:00',
                                end => at(240) }, 240],
    );

    for my $what (sort keys %validities) {
        my ($validity, $seconds) = @{ $validities{$what} };
        my $claims = payload(create($edge, token_validity => $validity)
                             ->{json}{token});

        ok abs($claims->{exp} - time - $seconds) <= 3,
           "token_validity: $what";
    }

    my $never = create($edge, token_validity =>
                       { does_not_expire => JSON::PP::true });

    ok !exists facts($authority, $never->{json}{token})->{exp},
       'token_validity: does_not_expire';
    ok !exists $never->{json}{time_validity}, 'and no time_validity';
};


subtest 'create: hosts' => sub {
    my $readings = { methods => ['get', 'post'], separate_query =>
        JSON::PP::true, template_paths => [{
            template => '/meters/{meter_id}/readings',
            prefix => JSON::PP::false }] };

    my $with = sub {
        my ($rules, $host) = @_;

        return create($edge, hosts => [{
            upstream_host => $host // 'meters.water.riverton.example',
            $rules ? (allowed_list => $rules) : () }]);
    };
    my $rules = sub {
        my ($reply) = @_;

        return facts($authority, $reply->{json}{token})->{hosts}[0]
               {allowed_list};
    };

    is_deeply $rules->($with->([$readings])), [$readings],
              'a rule that is permitted';
    is @{ $rules->($with->(undef)) }, 3, 'no rules: all that are permitted';

    my $fewer = { %$readings, methods => ['post'],
                  query_parameters => [{ name => 'unit',
                                         exact_match => 'm3' }] };

    is_deeply $rules->($with->([$fewer])), [$fewer],
              'a rule that is narrower';

    my %wider = (
        'another method' => { %$readings, methods => ['put'] },
        'any method' => { %$readings, methods => ['all'] },
        'paths, too' => { %$readings, paths => ['/.*'] },
        'another template' => { %$readings, template_paths => [{
            template => '/meters/{meter_id}/readings',
            prefix => JSON::PP::true }] },
        'no template' => { methods => ['get'] },
        'another reading of the query' => { %$readings,
            separate_query => JSON::PP::false },
    );

    for my $what (sort keys %wider) {
        refuses $with->([$wider{$what}]), 403, 'FORBIDDEN', $what;
    }

    refuses $with->([$readings], 'permits.riverton.example'), 403,
            'FORBIDDEN', 'another host';
    refuses $with->([{ %$readings, metods => ['get'] }]), 400,
            'INVALID_REQUEST', 'a member that no rule has';
};


subtest 'create: refused' => sub {
    my %permission = (
        'no such subject' => { sub => 'nobody' },
        'no such organisation' => { org => 'moon' },
        'not in that organisation' => { org => 'riverton-library' },
        'not in the bearer\'s organisation' => { org => 'northgate',
                                                 sub => 'farid.nasser' },
        'disabled' => { sub => 'ivy.brandt', org => 'riverton' },
        'a scope' => { scopes => ['urn:agilicus:users:owner'] },
        'a wildcard scope' => { scopes => ['urn:agilicus:*'] },
        'a role' => { roles => { meters => 'contractor' } },
        'an application' => { roles => { permits => 'owner' } },
    );

    for my $what (sort keys %permission) {
        refuses create($edge, %{ $permission{$what} }), 403, 'FORBIDDEN',
                $what;
    }

    my %requests = (
        'no sub' => { sub => undef }, 'sub is a number' => { sub => 5 },
        'no audiences' => { audiences => [] },
        'audiences is a string' => { audiences => 'a' },
        'no time_validity' => { time_validity => undef },
        'duration 0' => { time_validity => { duration => 0 } },
        'duration is a string' => { time_validity => { duration => '1' } },
        'duration of ages' => { time_validity => { duration => 1e12 } },
        'duration is a fraction' => { time_validity => { duration => 1.5 } },
        'scopes is a string' => { scopes => 'a' },
        'scope with a space' => { scopes => ['a b'] },
        'scope that is empty' => { scopes => [''] },
        'scope of 512 characters' => { scopes => ['x' x 512] },
        'roles is an array' => { roles => [] },
        'role is a number' => { roles => { a => 1 } },
        'end is no date' => { token_validity => { end => 'tomorrow' } },
        'end is past' => { token_validity => { end => at(-60) } },
        'end before start' => { token_validity => { start => at(600),
                                                    end => at(60) } },
        'session with a space' => { session => 'a b' },
        'get_user is a number' => { get_user => 1 },
    );

    for my $what (sort keys %requests) {
        refuses create($edge, %{ $requests{$what} }), 400, 'INVALID_REQUEST',
                $what;
    }

    my %bearers = (
        'none' => undef, 'garbage' => 'garbage',
        'revoked' => scalar issue('sub=edge,org=riverton,revoked=1'),
        'expired' => scalar issue('sub=edge,org=riverton,exp=-1s'),
        'a refresh token' => scalar issue('sub=edge,org=riverton,refresh=1'),
    );

    for my $what (sort keys %bearers) {
        my $reply = create($bearers{$what});

        refuses $reply, 401, 'UNAUTHORIZED', "bearer: $what";
        like $reply->{headers}{'www-authenticate'}, qr/^Bearer realm="/,
             "bearer: $what: challenge";
    }

    for my $header ("Basic $edge", "Bearer$edge", 'Bearer', 'Bearer ',
                    "Bearer $edge extra", "Bearer $edge,$edge")
    {
        is post($authority, '', '{}', Authorization => $header)->{status},
           401, 'not a bearer token';
    }

    is create($edge, sub => undef)->{status}, 400, 'BEARER in order: 400';
    is post($authority, '', '{}', Authorization => "bEARER   $edge")->{status},
       400, 'in any case, after any number of spaces';
    is post($authority, '', 'no JSON')->{status}, 401,
       'who has no bearer learns nothing about the body';

    my %forbidden = (
        'no such scope' => 'sub=ben.osei,org=riverton',
        'scope only to list' => 'sub=joao.mendes,org=riverton',
        'scope not in the token' => 'sub=edge,org=riverton,scopes=',
        'masquerading' => 'sub=edge,org=riverton,masquerading=1',
    );

    for my $what (sort keys %forbidden) {
        refuses create(scalar issue($forbidden{$what})), 403, 'FORBIDDEN',
                "bearer: $what";
    }
};


subtest 'create: sessions' => sub {
    my $hugo = issue('sub=hugo.lind,org=riverton,session=support');

    my $reply = create($hugo, sub => 'ben.osei', org => 'riverton');
    my $facts = facts($authority, $reply->{json}{token});

    ok $facts->{masquerading}, 'a person for somebody else masquerades';
    is $facts->{creating_sub}, 'hugo.lind', 'creating_sub';
    is $facts->{session}, 'support', 'in the session of the creator';

    $reply = create($hugo, sub => 'ben.osei', org => 'riverton',
                    inherit_session => JSON::PP::false);
    isnt $reply->{json}{session}, 'support', 'inherit_session off: a new one';

    $reply = create($hugo, sub => 'hugo.lind', org => 'riverton');
    $facts = facts($authority, $reply->{json}{token});

    is $facts->{session}, 'support', 'for oneself: the same session';
    ok !exists $facts->{creating_sub}, 'for oneself: no creating_sub';
    ok !exists $facts->{masquerading}, 'for oneself: no masquerade';

    is create($edge, session => 'made-up')->{json}{session}, 'made-up',
       'a session by name';
    is create($edge, session => 'made-up')->{status}, 201, 'and again';

    refuses create($edge, session => 'made-up', sub => 'erin.walsh'), 403,
            'FORBIDDEN', 'a session of somebody else';

    is create($hugo, sub => 'ben.osei', org => 'riverton',
              session => 'support')->{status}, 201, 'or the creator\'s own';

    is post($authority, '/revoke', { token => $hugo,
                                     all_sessions => JSON::PP::true })
       ->{status}, 204, 'the session ends';
    is status($authority, $reply->{json}{token}), 410,
       'and what was created in it';
};


subtest 'validations' => sub {
    my $validate = sub {
        my (%members) = @_;

        return post($authority, '/validations', {
            sub => 'chloe.tremblay', org => 'riverton-water',
            audiences => ['a'], time_validity => { duration => 60 }, %members,
        });
    };

    my $reply = $validate->(scopes => ['urn:agilicus:users:viewer?',
        'urn:agilicus:users:owner?'], extra => { a => [1] });

    is $reply->{status}, 200, 'no bearer is needed';
    is_deeply $reply->{json}, {
        sub => 'chloe.tremblay', org => 'riverton-water', audiences => ['a'],
        time_validity => { duration => 60 }, extra => { a => [1] },
        scopes => ['urn:agilicus:users:viewer?'],
    }, 'the request, less optional scopes that are not permitted';

    is_deeply $validate->()->{json}{scopes}, undef, 'no scopes, no scopes';

    refuses $validate->(scopes => ['urn:agilicus:users:owner']), 403,
            'FORBIDDEN', 'a scope';
    refuses $validate->(sub => 'nobody'), 403, 'FORBIDDEN', 'unknown subject';
    refuses $validate->(org => 'moon'), 403, 'FORBIDDEN',
            'unknown organisation';
    refuses $validate->(roles => { meters => 'contractor' }), 403,
            'FORBIDDEN', 'a role';
    refuses $validate->(audiences => 1), 400, 'INVALID_REQUEST', 'the request';
};


subtest 'scopes: wildcards' => sub {
    my %permitted = (
        'urn:agilicus:api:users:owner' => 1,
        'urn:agilicus:api:*:owner' => 1,
        'urn:agilicus:api:users:creator' => 0,
        'urn:agilicus:api:users:owner:more' => 0,
        'urn:agilicus:api:*' => 0,
        'urn:agilicus:api::owner' => 0,
        'urn:agilicus:app:permits:*' => 1,
        'urn:agilicus:app:permits' => 1,
        'urn:agilicus:app:*' => 1,
        'urn:agilicus:app' => 0,
        'urn:agilicus:app:' => 0,
        'URN:agilicus:users:owner' => 0,
        'urn:agilicus:users:owner' => 1,
        'openid' => 1,
        '*' => 0,
    );

    for my $scope (sort keys %permitted) {
        is post($authority, '/validations', {
            sub => 'amelia.hart', org => 'riverton-water', audiences => ['a'],
            time_validity => {}, scopes => [$scope],
        })->{status}, $permitted{$scope} ? 200 : 403, $scope;
    }
};


subtest 'list: filters' => sub {
    my $day = 1_600_000_000;    # 2020-09-13T12:26:40Z
    my $spec = 'sub=night-backup,session=nightly';

    issue("$spec,org=riverton,jti=list-1,iat=$day,exp=+1h");
    issue("$spec,org=riverton-water,jti=list-2,iat=" . ($day + 1)
          . ',never=1');
    issue("$spec,org=riverton-library,jti=list-3,iat=" . ($day + 2)
          . ',exp=+2h,revoked=1');
    issue("force=1,$spec,org=northgate,jti=list-4,iat=$day,exp=+1h");
    issue("force=1,$spec,org=riverton,jti=list-5,iat=" . ($day + 3)
          . ',exp=+3h,scopes=urn:agilicus:Desktop:main+a_b?');

    my $viewer = issue('sub=joao.mendes,org=riverton');
    my $all = 'list-1 list-2 list-3 list-5';

    my $from = sub { return strftime("%Y-%m-%dT%H:%M:%S$_[1]",
                                     gmtime($day + $_[0])) };

    my %cases = (
        'session=nightly' => $all,
        'session=nightly&revoked=true' => 'list-3',
        'session=nightly&revoked=True' => 'list-3',
        'session=nightly&revoked=false' => 'list-1 list-2 list-5',
        'session=nightly&sub=night-backup' => $all,
        'session=nightly&sub=edge' => '',
        'session=nightly&sub=' => '',
        'session=nightly&unknown=1' => $all,
        'org=riverton-water&session=nightly' => 'list-2',
        'org=northgate&session=nightly' => '',
        'jti=list-3' => 'list-3',
        'jti=list-4' => '',
        'jti=list-%' => '',
        'session=nightly&scopes=urn:agilicus:app:files:reader'
            => 'list-1 list-2 list-3',
        'session=nightly&scopes=urn:agilicus:desktop:%25' => 'list-5',
        'session=nightly&scopes=%25DESKTOP%25' => 'list-5',
        'session=nightly&scopes=desktop' => '',
        'session=nightly&scopes=%25desktop%25&scopes=%25files%25' => $all,
        'session=nightly&scopes=A_b%3F' => 'list-5',
        'session=nightly&scopes=axb%3F' => '',
        'session=nightly&scopes=%25%25a%25' => $all,
        'session=nightly&scopes=%25a%25a%25a%25a%25a%25a%25z' => '',

        # from is inclusive, to is exclusive

        'session=nightly&iat_from=' . $from->(1, 'Z') =>
            'list-2 list-3 list-5',
        'session=nightly&iat_to=' . $from->(1, 'Z') => 'list-1',
        'session=nightly&iat_from=' . ($day + 1) . '&iat_to=' . ($day + 2)
            => 'list-2',

        # a token without expiry expires after every date

        'session=nightly&exp_from=2999-01-01' => 'list-2',
        'session=nightly&exp_to=2999-01-01' => 'list-1 list-3 list-5',
        'session=nightly&revoked=true&exp_from=' . int(time) => 'list-3',
    );

    for my $query (sort keys %cases) {
        my $reply = list($authority, $viewer, "?$query");

        is $reply->{status}, 200, "$query: 200";
        is jtis($reply), $cases{$query}, "$query: found";
    }

    my $reply = list($authority, $viewer, '?session=nightly');

    is $reply->{json}{limit}, 100, 'the usual limit';
    is join(' ', map { $_->{jti} } @{ $reply->{json}{tokens} }),
       'list-5 list-3 list-2 list-1', 'issued last, listed first';

    my ($five, $three, $two) = @{ $reply->{json}{tokens} };

    ok $three->{revoked}, 'revoked is true';
    ok JSON::PP::is_bool($two->{revoked}) && !$two->{revoked},
       'revoked is false';
    like $three->{updated}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'updated';
    ok !exists $two->{exp}, 'no exp without expiry';
    ok !exists $three->{hosts}, 'no hosts in a list';
    is_deeply $three->{roles}, { files => ['reader'] }, 'roles';

    $reply = list($authority, $viewer, '?session=nightly&limit=2');

    is $reply->{json}{limit}, 2, 'another limit';
    is jtis($reply), 'list-3 list-5', 'the first two of them';

    my $erin = issue('sub=erin.walsh,org=riverton-water');

    is jtis(list($authority, $erin, '?session=nightly')), 'list-2',
       'who is in one organisation sees no others';

    is request($authority, 'HEAD', '/v1/tokens',
               headers => { Authorization => "Bearer $viewer" })->{content},
       '', 'HEAD has no body';
};


subtest 'list: refused' => sub {
    my $viewer = issue('sub=joao.mendes,org=riverton');

    for my $query ('limit=0', 'limit=101', 'limit=-1', 'limit=', 'limit=x',
                   'limit=1e1', 'limit=5&limit=5', 'revoked=1', 'revoked=',
                   'revoked=yes', 'sub=a&sub=b', 'scopes=',
                   join('&', ('scopes=a') x 17), join('&', ('a=b') x 65),
                   'sub=a%00b')
    {
        refuses list($authority, $viewer, "?$query"), 400, 'INVALID_REQUEST',
                substr $query, 0, 40;
    }

    for my $limit (1, 100) {
        is list($authority, $viewer, "?limit=$limit")->{status}, 200,
           "limit=$limit: 200";
    }

    refuses request($authority, 'GET', '/v1/tokens'), 401, 'UNAUTHORIZED',
            'no bearer';
    refuses list($authority, 'garbage', ''), 401, 'UNAUTHORIZED', 'garbage';
    refuses list($authority, scalar issue('sub=ben.osei,org=riverton'), ''),
            403, 'FORBIDDEN', 'no scope';
    refuses list($authority, scalar issue('force=1,sub=x,org=nowhere,'
                 . 'scopes=urn:agilicus:api:traffic-tokens:viewer'), ''),
            403, 'FORBIDDEN', 'an organisation that is none';
    is list($authority, scalar issue('force=1,sub=x,org=riverton,'
            . 'scopes=urn:agilicus:api:*'), '')->{status}, 200,
       'a wildcard scope with stated rights';
};


subtest 'list: dates' => sub {
    my $viewer = issue('sub=joao.mendes,org=riverton');

    issue('sub=ben.osei,org=riverton,jti=dated,session=dates,'
          . 'iat=2021-03-24T10:00:00Z');

    # all of them are that second

    my @same = ('2021-03-24T10:00:00Z', '2021-03-24t10:00:00z',
        '2021-03-24 10:00:00', '2021-03-24T10:00:00', '2021-03-24T10:00Z',
        '2021-03-24T10:00:00.000000Z', '2021-03-24T10:00:00,0Z',
        '2021-03-24 10:00:00.000', '2021-03-24T12:30:00+02:30',
        '2021-03-24T12:30:00+0230', '2021-03-24T05:00:00-05:00',
        '2021-03-24T11:00:00+01', '2021-03-23T22:00:00.0-12:00',
        '1616580000', '2021-03-24T09:59:60Z');

    for my $date (@same) {
        (my $query = $date) =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ge;

        is jtis(list($authority, $viewer,
                     "?session=dates&iat_from=$query")), 'dated',
           "$date: not before it";
        is jtis(list($authority, $viewer, "?session=dates&iat_to=$query")),
           '', "$date: nor after it";
    }

    is jtis(list($authority, $viewer, '?session=dates&iat_from='
                 . '2021-03-24T10:00:00.001Z')), '', 'a fraction counts';
    is jtis(list($authority, $viewer, '?session=dates&iat_to='
                 . '2021-03-24T10:00:00.001Z')), 'dated', 'both ways';
    is jtis(list($authority, $viewer, '?session=dates&iat_from=2021-03-24'
                 . '&iat_to=2021-03-25')), 'dated', 'days';

    my %known = ('2000-02-29' => 951782400, '1970-01-01T00:00:00.00Z' => 0,
                 '2024-12-31T23:59:59Z' => 1735689599,
                 '2100-03-01' => 4107542400);

    for my $date (sort keys %known) {
        issue("sub=ben.osei,org=riverton,jti=at-$known{$date},session=known,"
              . "iat=$known{$date},never=1");

        is jtis(list($authority, $viewer, '?session=known&iat_from=' . $date
                     . '&iat_to=' . ($known{$date} + 1))),
           "at-$known{$date}", "$date is $known{$date}";
    }

    my @none = ('', 'yesterday', 'now', '2021-3-24', '2021-13-01',
        '2021-00-01', '2021-02-29', '2100-02-29', '2021-04-31', '2021-03-24T',
        '2021-03-24T10', '2021-03-24T24:00:00Z', '2021-03-24T10:60:00Z',
        '2021-03-24T10:00:61Z', '2021-03-24T10:00:00.Z',
        '2021-03-24T10:00:00ZZ', '2021-03-24T10:00:00%2B1',
        '2021-03-24T10:00:00%2B24:00', '2021-03-24T10:00:00%2B01:60',
        '2021-03-24T10:00:00%2B01:', '2021-03-24T10:00:00+01:00',
        '%2020210324', '-5', '1e9', '1616580000.5', '9999999999999',
        '2021-03-24X10:00:00Z', '20210324T100000Z', '0000-01-01');

    for my $name (qw/iat_from iat_to exp_from exp_to/) {
        is list($authority, $viewer, "?$name=" . at(0))->{status}, 200,
           "$name: 200";
        is list($authority, $viewer, "?$name=soon")->{status}, 400,
           "$name: 400";
    }

    for my $date (@none) {
        refuses list($authority, $viewer, "?exp_from=$date"), 400,
                'INVALID_REQUEST', "\"$date\"";
    }
};


subtest 'jwsk' => sub {
    my $reply = request($authority, 'GET', '/v1/tokens/jwsk');
    my $key = $reply->{json}{keys}[0];

    is $reply->{status}, 200, 'status 200';
    is join(' ', map { "$_=$key->{$_}" } qw/kty crv alg use/),
       'kty=EC crv=P-256 alg=ES256 use=sig', 'a key for ES256';
    ok !exists $key->{d}, 'a public one';

    my $token = issue('sub=ben.osei,org=riverton');
    my ($header, $claims, $signature) = split /\./, $token;

    is_deeply $json->decode(decode_base64url($header)),
              { alg => 'ES256', typ => 'JWT', kid => $key->{kid} },
              'is named by tokens';

    # the public key as DER, the signature as DER, and openssl's word for it

    my $point = "\4" . decode_base64url($key->{x})
                . decode_base64url($key->{y});
    my $der = pack('H*', '3059301306072a8648ce3d020106082a8648ce3d0301070342'
                         . '00') . $point;
    my $integers = join '', map {
        (my $n = $_) =~ s/^\0+//;
        $n = "\0$n" if ord $n > 127;
        pack 'CC/a*', 2, $n;
    } unpack 'a32 a32', decode_base64url($signature);

    spew("$dir/key.der", $der);
    spew("$dir/signature", pack 'CC/a*', 0x30, $integers);
    spew("$dir/signed", "$header.$claims");

    my $verdict = `openssl dgst -sha256 -keyform DER -verify $dir/key.der \\
                   -signature $dir/signature $dir/signed 2>&1`;

    SKIP: {
        skip 'no openssl', 1 if $? == -1 || $? >> 8 == 127;

        like $verdict, qr/^Verified OK/, 'and verifies them';
    }
};


subtest 'HTTP: paths, methods and types' => sub {
    for my $path ('/', '/v1', '/v1/tokens/', '/v1/tokens/introspect/',
                  '/v1/tokens/nothing', '/V1/tokens', '/v1//tokens',
                  '/v1/tokens/introspect_self', '/v1/_counters')
    {
        refuses request($authority, 'GET', $path), 404, 'NOT_FOUND', $path;
        refuses request($authority, 'POST', $path, content => '{}'), 404,
                'NOT_FOUND', "POST $path";
    }

    my %allow = (
        '' => 'GET, HEAD, POST', '/jwsk' => 'GET, HEAD',
        '/introspect' => 'POST', '/reissue' => 'POST', '/revoke' => 'POST',
        '/validations' => 'POST',
    );

    for my $path (sort keys %allow) {
        for my $method (qw/GET POST PUT DELETE PATCH OPTIONS FOO/) {
            next if $allow{$path} =~ /\b$method\b/;

            my $reply = request($authority, $method, "/v1/tokens$path",
                headers => { 'Content-Type' => JSON_TYPE }, content => '{}');

            refuses $reply, 405, 'METHOD_NOT_ALLOWED', "$method $path";
            is $reply->{headers}{allow}, $allow{$path},
               "$method $path: Allow";
        }
    }

    my $body = $json->encode({ token => scalar issue('sub=ben.osei,'
                                                     . 'org=riverton') });
    my %types = (
        'application/json' => 200, 'Application/JSON' => 200,
        'application/json; charset=utf-8' => 200,
        'application/json;charset="UTF-8"' => 200,
        'application/json;' => 200, 'application/json; charset=latin1' => 415,
        'application/json; foo=bar' => 415, 'application/jsonp' => 415,
        'text/plain' => 415, 'application/x-www-form-urlencoded' => 415,
        '' => 415,
    );

    for my $type (sort keys %types) {
        my $reply = post($authority, '/introspect', $body,
                         'Content-Type' => $type);

        is $reply->{status}, $types{$type}, "\"$type\": $types{$type}";
    }

    refuses request($authority, 'POST', '/v1/tokens/introspect',
                    headers => { 'Content-Type' => 'text/plain' },
                    content => $body),
            415, 'UNSUPPORTED_MEDIA_TYPE', 'another type';

    like raw($authority, "POST /v1/tokens/introspect HTTP/1.1\r\nHost: a\r\n"
             . "Content-Length: 2\r\n\r\n{}"), qr{^HTTP/1\.1 415 },
         'no type at all';
};


subtest 'HTTP: bodies' => sub {
    my $token = issue('sub=ben.osei,org=riverton');
    my $plain = qq({"token":"$token"});

    my %invalid = (
        'nothing' => '', 'half' => '{"token":', 'more' => "$plain {}",
        'an array' => '[]', 'a string' => '"x"', 'null' => 'null',
        'a duplicate member' => qq({"token":"$token","token":"$token"}),
        'a duplicate member inside' => qq({"token":"$token",)
            . '"x":{"a":1,"a":2}}',
        'deep' => ('[' x 100_000), 'deep objects' => ('{"a":' x 50_000),
        'not so deep' => qq({"token":"$token","x":) . ('[' x 40)
                         . (']' x 40) . '}',
        'a byte order mark' => "\xef\xbb\xbf$plain",
        'invalid UTF-8' => qq({"token":"\xff\xfe"}),
        'half of UTF-8' => qq({"token":"\xc3"}),
        'a NUL' => qq({"token":"a\0b"}), 'an escaped NUL' =>
            '{"token":"a\u0000b"}',
        'half a surrogate' => '{"token":"\ud800"}',
        'a number too large' => qq({"token":"$token","x":1e999}),
        'an integer too large' => qq({"token":"$token","x":) . '9' x 40 . '}',
        'NaN' => qq({"token":"$token","x":NaN}),
        'a comment' => "$plain // yes", 'single quotes' => "{'token':'x'}",
    );

    for my $what (sort keys %invalid) {
        refuses post($authority, '/introspect', $invalid{$what}), 400,
                'INVALID_JSON', $what;
    }

    for my $what ('{}', '{"token":null}', '{"token":5}', '{"token":["x"]}',
                  '{"token":{}}', '{"token":true}')
    {
        refuses post($authority, '/introspect', $what), 400,
                'INVALID_REQUEST', $what;
    }

    is post($authority, '/introspect', qq({"token":"$token","x":) . ('[' x 30)
            . (']' x 30) . '}')->{status}, 200, 'deep enough';
    is post($authority, '/introspect', qq(  {"token" : "$token", "new": [1, )
            . qq({"x": null}]}\n))->{status}, 200, 'what is new is tolerated';

    my $fill = sub {
        my ($length) = @_;
        my $rest = $length - length($plain) - 7;

        return qq({"token":"$token","x":") . ('x' x $rest) . '"}';
    };

    is length $fill->(BODY_MAX), BODY_MAX, 'a body of 256 KiB';
    is post($authority, '/introspect', $fill->(BODY_MAX))->{status}, 200,
       'is read';
    refuses post($authority, '/introspect', $fill->(BODY_MAX + 1)), 413,
            'PAYLOAD_TOO_LARGE', 'one more';
    refuses post($authority, '/introspect', 'x' x 5_000_000), 413,
            'PAYLOAD_TOO_LARGE', 'five million';
    refuses request($authority, 'POST', '/v1/nothing', content =>
                    'x' x 1_000_000), 404, 'NOT_FOUND',
            'a large body for nobody';

    # a body in chunks

    my @chunks = ('{"token":', qq("$token"), '}', '');
    my $reply = request($authority, 'POST', '/v1/tokens/introspect',
        headers => { 'Content-Type' => JSON_TYPE },
        content => sub { return shift @chunks });

    is $reply->{status}, 200, 'chunked';

    my $sent = 0;
    $reply = request($authority, 'POST', '/v1/tokens/introspect',
        headers => { 'Content-Type' => JSON_TYPE },
        content => sub { return $sent++ < 20 ? 'x' x 50_000 : '' });

    refuses $reply, 413, 'PAYLOAD_TOO_LARGE', 'chunked, too large';

    # a client that waits for leave to send

    my $head = "POST /v1/tokens/introspect HTTP/1.1\r\nHost: a\r\n"
               . "Content-Type: application/json\r\n"
               . "Expect: 100-continue\r\n";

    like raw($authority, $head . "Content-Length: 300000\r\n\r\n"),
         qr{^HTTP/1\.1 413 .*PAYLOAD_TOO_LARGE}s,
         'Expect: is told at once that it is too large';
    like raw($authority, $head . 'Content-Length: ' . length($plain)
             . "\r\nConnection: close\r\n\r\n", $plain),
         qr{^HTTP/1\.1 100 .*HTTP/1\.1 200 }s, 'Expect: or that it may';
};


subtest 'HTTP: connections' => sub {
    my $token = issue('sub=ben.osei,org=riverton');
    my $body = qq({"token":"$token"});
    my $request = "POST /v1/tokens/introspect HTTP/1.1\r\nHost: a\r\n"
                  . "Content-Type: application/json\r\nContent-Length: "
                  . length($body) . "\r\n\r\n$body";

    my $last = $request =~ s/\r\n/\r\nConnection: close\r\n/r;
    my $answer = raw($authority, $request x 4 . $last);

    is scalar(() = $answer =~ m{HTTP/1\.1 200 }g), 5,
       'five requests at once, five answers';

    $answer = raw($authority, split //, substr($request, 0, 60));

    unlike $answer, qr/ 200 /, 'a request that ends too soon';

    $answer = raw($authority, substr($request, 0, 20), substr($request, 20, 90),
                  substr($request, 110));

    like $answer, qr{^HTTP/1\.1 200 }, 'a request in pieces';

    for my $garbage ("\0\0\0\0", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
                     'A' x 100_000, "GET / HTTP/9.9\r\n\r\n", "\r\n" x 1000,
                     "POST /v1/tokens/revoke HTTP/1.1\r\nHost: a\r\n"
                     . "Content-Length: -1\r\n\r\n",
                     "GET / HTTP/1.1\r\nHost: a\r\nX: " . 'y' x 200_000
                     . "\r\n\r\n",
                     "POST /v1/tokens/revoke HTTP/1.1\r\nHost: a\r\n"
                     . "Transfer-Encoding: chunked\r\n\r\nzzz\r\n")
    {
        raw($authority, $garbage);

        is status($authority, $token), 200, 'garbage does no harm';
    }

    my $double = raw($authority, "GET /v1/tokens HTTP/1.1\r\nHost: a\r\n"
        . "Authorization: Bearer $edge\r\nAuthorization: Bearer $edge\r\n"
        . "Connection: close\r\n\r\n");

    like $double, qr{^HTTP/1\.1 401 }, 'two bearers are none';

    my @idle = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                           PeerPort => $authority->{port}) }
               1 .. 200;

    $_->syswrite('POST /v1/tokens/introspect HTTP/1.1') for @idle;

    is status($authority, $token), 200, '200 idle connections hold up nobody';
};


subtest 'restart' => sub {
    my $token = issue('sub=ben.osei,org=riverton');
    my $revoked = issue('sub=ben.osei,org=riverton');

    is post($authority, '/revoke', { token => $revoked })->{status}, 204,
       'one is revoked';

    my $keys = request($authority, 'GET', '/v1/tokens/jwsk')->{content};

    stops $authority, 'SIGTERM';

    $authority = start('--request-log', "$dir/requests.log");

    is request($authority, 'GET', '/v1/tokens/jwsk')->{content}, $keys,
       'the key is the same';
    is status($authority, $token), 200, 'the token is still good';
    is status($authority, $revoked), 410, 'the revoked one is still revoked';

    # a process that is killed has lost nothing that it had answered

    is post($authority, '/revoke', { token => $token })->{status}, 204,
       'one more is revoked';

    stop $authority, 'KILL';
    $authority = start('--request-log', "$dir/requests.log");

    is status($authority, $token), 410, 'also after SIGKILL';

    stops $authority, 'SIGINT', 'INT';
    $authority = start('--request-log', "$dir/requests.log");

    my $second = start();
    $token = issue('sub=ben.osei,org=riverton');

    is status($second, $token), 200, 'two servers on one database';
    is post($second, '/revoke', { token => $token })->{status}, 204,
       'what one revokes';
    is status($authority, $token), 410, 'is revoked for both';

    stops $second, 'the second';

    my ($rc, $out, $err) = run('--listen', "127.0.0.1:$authority->{port}",
                               '--db', "$dir/second.db", '--seed', $seed);

    is $rc, 1, 'the same port twice: refused';
    like $err, qr/cannot listen: Address already in use/, 'says why';
};


subtest 'what the directory permits changes' => sub {
    my $data = $json->decode(slurp($seed));
    my $token = issue('sub=ben.osei,org=riverton');
    my $roles = issue('sub=ben.osei,org=riverton,'
                      . 'roles=permits:clerk+files:reader');
    my $gone = issue('sub=dev.patel,org=riverton-library');
    my $off = issue('sub=grace.liu,org=riverton-east-branch');
    my $bearer = issue('sub=joao.mendes,org=riverton');

    my %subject = map { $_->{id} => $_ } @{ $data->{subjects} };

    $subject{'ben.osei'}{permissions}[0]{roles} = { files => ['reader'] };
    $subject{'grace.liu'}{enabled} = JSON::PP::false;
    $subject{'joao.mendes'}{permissions} = [];
    $data->{subjects} = [grep { $_->{id} ne 'dev.patel' }
                         @{ $data->{subjects} }];

    my $later = start('--seed', spew("$dir/later.json", $json->encode($data)));

    is_deeply facts($later, $token)->{roles}, { files => ['reader'] },
              'roles are those of now';
    is_deeply facts($later, $roles)->{roles}, { files => ['reader'] },
              'also where a token is restricted';
    ok !grep({ $_->{app_id} eq 'permits' } @{ facts($later, $token)->{hosts} }),
       'and hosts';
    is status($later, $gone), 404, 'a subject that is gone: 404';
    is status($later, $off), 404, 'a subject that is disabled: 404';
    is list($later, $bearer, '')->{status}, 403,
       'a scope that is no longer permitted: 403';

    stops $later, 'another seed';

    is status($authority, $gone), 200, 'nothing of that is for ever';
};


subtest 'date formats' => sub {
    my $token = issue('sub=ben.osei,org=riverton,iat=1700000000,'
                      . 'exp=2100-01-01');
    my $viewer = issue('sub=joao.mendes,org=riverton');

    my %formats = (
        rfc3339 => ['2023-11-14T22:13:20Z', '2100-01-01T00:00:00Z'],
        python  => ['2023-11-14 22:13:20', '2100-01-01 00:00:00'],
        epoch   => ['1700000000', '4102444800'],
        number  => [1700000000, 4102444800],
    );

    for my $format (sort keys %formats) {
        my $server = start('--date-format', $format);
        my $reply = introspect($server, $token);

        is $reply->{json}{iat}, $formats{$format}[0], "$format: iat";
        is $reply->{json}{exp}, $formats{$format}[1], "$format: exp";

        if ($format eq 'number') {
            like $reply->{content}, qr/"exp":4102444800[,}]/, 'not quoted';

        } else {
            like $reply->{content}, qr/"exp":"/, 'quoted';
        }

        stops $server, $format;
    }
};


subtest 'faults' => sub {
    my $token = issue('sub=ben.osei,org=riverton');

    my $slow = start('--delay', '300ms');
    my $begin = time;
    my @pids;

    # twenty clients wait side by side, not one after another

    for (1 .. 20) {
        my $pid = fork // die "cannot fork: $!\n";

        if ($pid == 0) {
            POSIX::_exit(status($slow, $token) == 200 ? 0 : 1);
        }

        push @pids, $pid;
    }

    my $failed = grep { waitpid($_, 0); $? } @pids;
    my $took = time - $begin;

    is $failed, 0, '--delay: all are answered';
    cmp_ok $took, '>=', 0.3, '--delay: late';
    cmp_ok $took, '<', 3 * $slower, '--delay: but not one after another';

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $slow->{port});

    $socket->syswrite("GET /v1/tokens/jwsk HTTP/1.1\r\nHost: a\r\n\r\n");
    sleep 0.1;
    stops $slow, '--delay';
    $socket->sysread(my $answer, 65536);
    like $answer, qr{^HTTP/1\.1 200 }, '--delay: who waits is answered first';

    my $failing = start('--fail-rate', '25%');
    my %count;

    $count{ status($failing, $token) }++ for 1 .. 40;

    is_deeply \%count, { 200 => 30, 500 => 10 }, '--fail-rate: exactly that';

    my $reply;

    for (1 .. 4) {
        $reply = introspect($failing, $token);
        last if $reply->{status} == 500;
    }

    refuses $reply, 500, 'INTERNAL_ERROR', '--fail-rate';
    stops $failing, '--fail-rate';

    my $hanging = start('--hang', '--request-log', "$dir/hanging.log");

    $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                    PeerPort => $hanging->{port});
    $socket->syswrite("GET /v1/tokens/jwsk HTTP/1.1\r\nHost: a\r\n\r\n");

    ok !IO::Select->new($socket)->can_read(1), '--hang: no answer';
    is slurp("$dir/hanging.log"), "GET /v1/tokens/jwsk 000 -\n",
       '--hang: is logged all the same';

    # who leaves is noticed

    my $open = sub {
        return scalar(() = glob "/proc/$hanging->{pid}/fd/*");
    };
    my $held = $open->();

    $socket->close;
    sleep 0.1 until $open->() < $held || time > $begin + 20 * $slower;
    is $open->(), $held - 1, '--hang: keeps no connection of who has left';

    $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                    PeerPort => $hanging->{port});
    $socket->syswrite("GET /v1/tokens/jwsk HTTP/1.1\r\nHost: a\r\n\r\n");
    sleep 0.2;

    $begin = time;
    stops $hanging, '--hang';
    cmp_ok time - $begin, '<', 5 * $slower, '--hang: ends at once';
    is $socket->sysread($answer, 1), 0, '--hang: and closes';
};


subtest 'another process holds the lock for writing' => sub {
    my $locked = start();

    # a connection each, since children ask at the same time

    my $ask = sub {
        my ($path, $one) = @_;
        my $http = HTTP::Tiny->new(timeout => 20 * $slower, keep_alive => 0);
        my $reply = $http->post("$locked->{url}/v1/tokens/$path", {
            headers => { 'Content-Type' => JSON_TYPE },
            content => qq({"token":"$one"}),
        });

        return $reply->{status};
    };

    my $known = issue('sub=ben.osei,org=riverton,jti=readable');
    my @spent = map { issue("sub=ben.osei,org=riverton,jti=locked$_") } 1 .. 6;

    my $pid = open2(my $said, my $tell, 'python3', '-c', <<'PYTHON', $db);
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
database.execute("COMMIT")
PYTHON

    is <$said>, "locked\n", 'another process has it';

    my @pids;

    for my $token (@spent) {
        my $child = fork // die "cannot fork: $!\n";

        POSIX::_exit($ask->('revoke', $token) == 204 ? 0 : 1) if $child == 0;
        push @pids, $child;
    }

    sleep 0.3;

    my $begin = time;

    is $ask->('introspect', $_), 200, 'reads are answered'
        for $known, @spent[0 .. 2];
    cmp_ok time - $begin, '<', 2 * $slower, 'and do not wait';

    print $tell "\n";
    close $tell;
    waitpid $pid, 0;

    is scalar(grep { waitpid($_, 0); $? } @pids), 0,
       'those who wait to write are served when it is free';
    is_deeply [map { $ask->('introspect', $_) } @spent], [(410) x 6],
              'and what they wrote counts';

    $pid = open2($said, $tell, 'python3', '-c', <<'PYTHON', $db);
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
PYTHON

    is <$said>, "locked\n", 'it is held for good';

    $begin = time;
    is $ask->('revoke', $known), 503, 'a write gives up';
    cmp_ok time - $begin, '<', 15 * $slower, 'in time';

    close $tell;
    waitpid $pid, 0;

    is $ask->('revoke', $known), 204, 'and is taken later';
    stops $locked, 'the lock';
};


subtest 'TLS' => sub {
    my $quiet = '>/dev/null 2>&1';
    my ($key, $certificate) = ("$dir/tls.key", "$dir/tls.crt");

    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
           . "-nodes -keyout $key -out $certificate -days 2 -subj /CN=a "
           . "-addext subjectAltName=IP:127.0.0.1 $quiet") == 0
        or plan skip_all => 'no openssl';

    my @tls = ('--tls-cert', $certificate, '--tls-key', $key);
    my $server = start(@tls);
    my $token = issue('sub=ben.osei,org=riverton');
    my $body = qq({"token":"$token"});

    my $ask = sub {
        my (@options) = @_;

        spew("$dir/tls.request", "POST /v1/tokens/introspect HTTP/1.1\r\n"
             . "Host: a\r\nContent-Type: application/json\r\n"
             . "Connection: close\r\nContent-Length: " . length($body)
             . "\r\n\r\n$body");

        return scalar `openssl s_client -connect 127.0.0.1:$server->{port} \\
            -CAfile $certificate -verify_return_error -quiet -no_ign_eof \\
            @options < $dir/tls.request 2>/dev/null`;
    };

    my $talk = sub {
        my (@options) = @_;

        open my $pipe, '-|', "(cat $dir/tls.request; sleep 1) | openssl "
            . "s_client -connect 127.0.0.1:$server->{port} -CAfile "
            . "$certificate -verify_return_error -quiet @options 2>/dev/null"
            or die "openssl: $!\n";
        local $/;
        return scalar(<$pipe>) // '';
    };

    $ask->();

    for my $version ('-tls1_2', '-tls1_3') {
        like $talk->($version), qr{^HTTP/1\.1 200 .*"sub":"ben\.osei"}s,
             "$version: is answered";
    }

    unlike $talk->('-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'), qr/HTTP/,
           '-tls1_1: is not';
    unlike raw($server, "GET /v1/tokens/jwsk HTTP/1.1\r\nHost: a\r\n\r\n"),
           qr/HTTP/, 'plain HTTP is not';

    stops $server, 'TLS';

    chmod 0604, $key;
    my ($rc, $out, $err) = run('--db', $db, '--seed', $seed, '--listen',
                               '127.0.0.1:0', @tls);
    is $rc, 1, 'a key that everybody can read is refused';
    like $err, qr/can be read by everybody/, 'says why';
    chmod 0600, $key, $certificate;

    ($rc, $out, $err) = run('--db', $db, '--seed', $seed, '--listen',
                            '127.0.0.1:0', '--tls-cert', $certificate,
                            '--tls-key', $certificate);
    is $rc, 1, 'a key that is none is refused';
    like $err, qr/certificate and key/, 'says why';

    ($rc, $out, $err) = run('--db', $db, '--seed', $seed, '--tls-cert',
                            "$dir/none", '--tls-key', $key);
    is $rc, 1, 'no certificate is refused';
    like $err, qr/cannot read/, 'says why';
};


subtest 'many clients' => sub {
    my @tokens = issue('sub=chloe.tremblay,org=riverton-water',
                       '--issue-count', 100);
    my $begin = time;
    my @pids;

    # eight processes, a thousand requests each, a few of which write

    for my $n (0 .. 7) {
        my $pid = fork // die "cannot fork: $!\n";

        if ($pid == 0) {
            POSIX::_exit(client($n, @tokens) ? 0 : 1);
        }

        push @pids, $pid;
    }

    my $failed = grep { waitpid($_, 0); $? } @pids;

    is $failed, 0, '8 clients x 1,000 requests: all as expected';
    cmp_ok time - $begin, '<', 30 * $slower, 'in time';
};


# without decoding what comes back, which would take longer than all the rest

sub client {
    my ($n, @tokens) = @_;

    my $good = 1;

    my $ask = sub {
        my ($path, $token, $more) = @_;

        return request($authority, 'POST', "/v1/tokens/$path", plain => 1,
            headers => { 'Content-Type' => JSON_TYPE },
            content => qq({"token":"$token"$more}));
    };

    for my $i (1 .. 1000) {
        my $token = $tokens[($n * 131 + $i) % @tokens];
        my ($status, $expected);

        if ($i % 100 == 0) {
            my $reply = $ask->('reissue', $token,
                               ',"org_id":"riverton-water"');
            my ($new) = $reply->{content} =~ /"token":"([\w.-]+)"/;

            $expected = '200 204 410';
            $status = join ' ', $reply->{status},
                $ask->('revoke', $new, '')->{status},
                $ask->('introspect', $new, '')->{status};

        } elsif ($i % 10 == 0) {
            $status = $ask->('introspect', 'garbage', '')->{status};
            $expected = 400;

        } else {
            my $reply = $ask->('introspect', $token, '');

            $status = $reply->{status};
            $status = 'no sub'
                if $reply->{content} !~ /"sub":"chloe\.tremblay"/;
            $expected = 200;
        }

        $good &&= $status eq $expected;
    }

    return $good;
}


subtest 'request log' => sub {
    my $log = "$dir/requests.log";

    is sprintf('%04o', (stat $log)[2] & 07777), '0600',
       'only its owner can read it';

    my $token = issue('sub=ben.osei,org=riverton,jti=logged');
    my $before = -s $log;

    introspect($authority, $token);
    introspect($authority, 'garbage');
    post($authority, '/revoke', { token => $token });
    introspect($authority, $token);
    request($authority, 'GET', "/v1/tokens?sub=x&token=$token");
    request($authority, 'GET', "/$token");
    request($authority, 'FOO', '/v1/tokens');

    is substr(slurp($log), $before), <<'LOG', 'a line for each request';
POST /v1/tokens/introspect 200 logged
POST /v1/tokens/introspect 400 -
POST /v1/tokens/revoke 204 logged
POST /v1/tokens/introspect 410 logged
GET /v1/tokens 401 -
GET - 404 -
FOO /v1/tokens 405 -
LOG

    my @lines = split /\n/, slurp($log);

    is scalar(grep { !m{^[A-Z]+ (-|/v1/tokens(/[a-z]+)?) \d{3} [\w.~-]+$} }
              @lines), 0, 'all lines are of that form';

    my $text = join '', map { slurp($_) } glob "$dir/*.log $dir/stderr.*";
    my @found = grep { index($text, $_) >= 0
                       || index($text, (split /\./, $_)[2] // "\0") >= 0 }
                keys %spent;

    cmp_ok keys %spent, '>', 100, 'of the tokens of this test';
    is @found, 0, 'none is in any log';

    my $server = start('--request-log', '-');

    status($server, $token);
    my $stdout = $server->{stdout};
    is scalar(<$stdout>), "POST /v1/tokens/introspect 410 logged\n",
       '"-" is the standard output';
    stops $server, 'to the standard output';
};


stops $authority, 'the end';

done_testing();
