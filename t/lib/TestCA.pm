package TestCA;

# Certificates for tests, made by openssl(1) when they are asked for.
#
#   my $ca = TestCA->new;               # in a temporary folder, or (dir => $d)
#   $ca->file                           # the CA's certificate, to be trusted
#   my $c = $ca->cert('good');          # { cert => $file, key => $file }
#   MockAPI->start(tls => $ca->cert('expired'));
#
# Certificates can be read by every user, so by a worker that is not root too;
# keys by the owner only.  new() sets $TEST_NGINX_CA_FILE and
# $TEST_NGINX_CA_DIR for blocks; a certificate that was asked for lies at
# $TEST_NGINX_CA_DIR/<kind>.pem, its key at <kind>.key.
#
# Kinds (SAN = subject alternative name)
#
#   good           SAN 127.0.0.1, ::1, localhost, api.localhost
#   self_signed    the same names, signed by its own key
#   untrusted      the same names, signed by a CA that no test trusts
#   expired        valid until yesterday      not_yet_valid  from tomorrow
#   wrong_host     SAN other.example, 192.0.2.1
#   cn_only        CN localhost, no SAN
#   cn_not_san     CN localhost, SAN other.example
#   wildcard       SAN *.api.localhost
#   nul_san        SAN "localhost\0.other.example"
#   chain          good, signed by an intermediate CA; the file has both
#   no_chain       the same without the intermediate
#   no_server_use  good names, but for client authentication only
#   client         a client certificate (CN edge-1)
#   client_expired, client_untrusted
#
#   $ca->issue('name', cn => 'x', san => [ 'DNS:a', 'IP:192.0.2.1' ],
#              from => -2, to => -1 (days from now), issuer => 'ca', 'other',
#              'intermediate' or 'self', use => 'serverAuth', ca => 1,
#              san_der => $hex, with => [ 'intermediate' ])
#       makes any other one and returns it as cert() does.

use strict;
use warnings;

use File::Temp ();

my @names = qw(IP:127.0.0.1 IP:::1 DNS:localhost DNS:api.localhost);

my %kinds = (
    good          => { cn => 'localhost', san => \@names },
    self_signed   => { cn => 'localhost', san => \@names, issuer => 'self' },
    untrusted     => { cn => 'localhost', san => \@names, issuer => 'other' },
    expired       => { cn => 'localhost', san => \@names,
                       from => -10, to => -1 },
    not_yet_valid => { cn => 'localhost', san => \@names,
                       from => 1, to => 10 },
    wrong_host    => { cn => 'other.example',
                       san => [ 'DNS:other.example', 'IP:192.0.2.1' ] },
    cn_only       => { cn => 'localhost' },
    cn_not_san    => { cn => 'localhost', san => [ 'DNS:other.example' ] },
    wildcard      => { cn => '*.api.localhost',
                       san => [ 'DNS:*.api.localhost' ] },

    # GeneralNames of one dNSName

    nul_san => {
        cn      => 'localhost',
        san_der => _der(0x30, _der(0x82, "localhost\0.other.example")),
    },

    chain    => { cn => 'localhost', san => \@names,
                  issuer => 'intermediate', with => [ 'intermediate' ] },
    no_chain => { cn => 'localhost', san => \@names,
                  issuer => 'intermediate' },

    no_server_use => { cn => 'localhost', san => \@names,
                       use => 'clientAuth' },

    client           => { cn => 'edge-1', use => 'clientAuth' },
    client_expired   => { cn => 'edge-1', use => 'clientAuth',
                          from => -10, to => -1 },
    client_untrusted => { cn => 'edge-1', use => 'clientAuth',
                          issuer => 'other' },

    ca           => { cn => 'Test CA', issuer => 'self', ca => 1 },
    other        => { cn => 'Other CA', issuer => 'self', ca => 1 },
    intermediate => { cn => 'Test Intermediate', ca => 1 },
);


sub _der {
    my ($tag, $bytes) = @_;

    return chr($tag) . chr(length $bytes) . $bytes;
}


sub new {
    my ($class, %opt) = @_;

    my $temp = defined $opt{dir} ? undef : File::Temp->newdir;
    my $dir = defined $opt{dir} ? $opt{dir} : "$temp";

    mkdir $dir;
    chmod 0755, $dir;

    my $self = bless { dir => $dir, temp => $temp, serial => time,
                       made => {} }, $class;

    $ENV{TEST_NGINX_CA_DIR} = $dir;
    $ENV{TEST_NGINX_CA_FILE} = $self->file;

    return $self;
}


sub dir { $_[0]{dir} }
sub file { $_[0]->cert('ca')->{cert} }


sub cert {
    my ($self, $kind) = @_;

    return $self->{made}{$kind} if $self->{made}{$kind};

    my $spec = $kinds{$kind} or die "TestCA: unknown kind \"$kind\"\n";

    return $self->issue($kind, %$spec);
}


sub issue {
    my ($self, $name, %spec) = @_;

    my $issuer = $spec{issuer} || 'ca';
    my ($cert, $key) = map { "$self->{dir}/$name.$_" } qw(pem key);
    my $request = "$self->{dir}/$name.csr";

    my $signer = $issuer eq 'self' ? { cert => undef, key => $key }
                 : $self->cert($issuer);

    _openssl('req', '-new', '-newkey', 'ec', '-pkeyopt',
             'ec_paramgen_curve:P-256', '-nodes', '-subj', "/CN=$spec{cn}",
             '-keyout', $key, '-out', $request);

    $self->_sign($name, $request, $cert, $signer, \%spec);

    for my $more (@{ $spec{with} || [] }) {
        _append($cert, $self->cert($more)->{cert});
    }

    unlink $request;
    chmod 0644, $cert;
    chmod 0600, $key;

    return $self->{made}{$name} = { cert => $cert, key => $key };
}


# "openssl ca" is the one that takes any dates

sub _sign {
    my ($self, $name, $request, $cert, $signer, $spec) = @_;

    my $dir = "$self->{dir}/.$name";

    mkdir $dir or die "TestCA: $dir: $!\n";

    _write("$dir/index", '');
    _write("$dir/serial", sprintf("%08X\n", $self->{serial}++));
    _write("$dir/conf", join "\n", '[ca]', 'default_ca=this', '[this]',
           "database=$dir/index", "serial=$dir/serial",
           "new_certs_dir=$dir", 'default_md=sha256', 'policy=any',
           'unique_subject=no', 'email_in_dn=no', '[any]',
           'commonName=supplied', '[ext]', _extensions($spec), '');

    my $from = defined $spec->{from} ? $spec->{from} : -1;
    my $to = defined $spec->{to} ? $spec->{to} : 30;

    _openssl('ca', '-batch', '-notext', '-config', "$dir/conf",
             '-extensions', 'ext', '-in', $request, '-out', $cert,
             '-startdate', _date($from), '-enddate', _date($to),
             '-keyfile', $signer->{key},
             defined $signer->{cert} ? ('-cert', $signer->{cert})
                                     : ('-selfsign'));

    unlink glob "$dir/*";
    rmdir $dir;
}


sub _extensions {
    my ($spec) = @_;

    my @lines = ('subjectKeyIdentifier=hash');

    if ($spec->{ca}) {
        push @lines, 'basicConstraints=critical,CA:TRUE',
                     'keyUsage=critical,keyCertSign,cRLSign';
    } else {
        push @lines, 'basicConstraints=critical,CA:FALSE',
                     'keyUsage=critical,digitalSignature',
                     'extendedKeyUsage=' . ($spec->{use} || 'serverAuth');
    }

    push @lines, 'subjectAltName=' . join ',', @{ $spec->{san} }
        if $spec->{san};

    push @lines, 'subjectAltName=DER:' . join ':', unpack '(H2)*',
                 $spec->{san_der} if defined $spec->{san_der};

    return @lines;
}


sub _date {
    my ($days) = @_;

    my ($s, $m, $h, $d, $mon, $y) = gmtime time + $days * 86400;

    return sprintf '%04d%02d%02d%02d%02d%02dZ', $y + 1900, $mon + 1, $d,
                   $h, $m, $s;
}


sub _openssl {
    my (@args) = @_;

    my $pid = open my $out, '-|';

    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec 'openssl', @args or print "cannot run openssl: $!\n";
        require POSIX;
        POSIX::_exit(127);
    }

    my $said = do { local $/; <$out> };

    close $out or die "TestCA: openssl $args[0] failed\n$said";
}


sub _write {
    my ($path, $text) = @_;

    open my $fh, '>', $path or die "TestCA: $path: $!\n";
    print $fh $text;
    close $fh or die "TestCA: $path: $!\n";
}


sub _append {
    my ($path, $more) = @_;

    open my $in, '<', $more or die "TestCA: $more: $!\n";
    open my $out, '>>', $path or die "TestCA: $path: $!\n";
    print {$out} do { local $/; <$in> };
    close $out or die "TestCA: $path: $!\n";
}


1;
