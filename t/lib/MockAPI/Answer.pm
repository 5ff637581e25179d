package MockAPI::Answer;

# Turns an answer, as MockAPI describes it, into the steps that send it:
#
#   [ send => $bytes ]   [ wait => $seconds ]   [ close ]   [ reset ]
#   [ hang ]
#
#   my $steps = MockAPI::Answer::steps($answer, $request);

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();

our @EXPORT_OK = qw(steps token_json raw_token_json);

my $json = JSON::PP->new->canonical->utf8->allow_nonref;

my %words = map { $_ => 1 } 400, 403, 404, 410, 422;

my %reasons = (
    200 => 'OK', 201 => 'Created', 204 => 'No Content', 301 => 'Moved',
    302 => 'Found', 303 => 'See Other', 307 => 'Temporary Redirect',
    308 => 'Permanent Redirect', 400 => 'Bad Request', 401 => 'Unauthorized',
    403 => 'Forbidden', 404 => 'Not Found', 410 => 'Gone',
    422 => 'Unprocessable Entity', 429 => 'Too Many Requests',
    500 => 'Internal Server Error', 502 => 'Bad Gateway',
    503 => 'Service Unavailable', 504 => 'Gateway Timeout',
    100 => 'Continue', 103 => 'Early Hints',
);


# A Token as the API answers introspection with.  Overrides replace members;
# undef leaves one out.

sub token_json {
    my (%over) = @_;

    my $now = time;

    my %token = (
        sub       => 'user-1',
        sub_email => 'user-1@example.com',
        org       => 'org-1',
        root_org  => 'org-1',
        jti       => 'jti-1',
        session   => 'session-1',
        iat       => _date($now - 60),
        exp       => _date($now + 3600),
        aud       => [ 'urn:api:agilicus:gateway' ],
        roles     => { 'my-app' => [ 'editor' ] },
        scopes    => [ 'urn:agilicus:users:owner' ],
    );

    for my $name (keys %over) {
        if (defined $over{$name}) {
            $token{$name} = $over{$name};

        } else {
            delete $token{$name};
        }
    }

    return $json->encode(\%token);
}


sub _date {
    my ($seconds) = @_;

    my ($s, $m, $h, $d, $mon, $y) = gmtime $seconds;

    return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ',
                   $y + 1900, $mon + 1, $d, $h, $m, $s;
}


sub raw_token_json {
    my ($token, %more) = @_;

    return $json->encode({ token => $token, %more });
}


sub steps {
    my ($answer, $request) = @_;

    $answer = $answer->($request) if ref $answer eq 'CODE';
    $answer = { status => $answer } if !ref $answer;

    my @steps;

    push @steps, [ wait => $answer->{delay} ] if $answer->{delay};

    return [ @steps, [ 'hang' ] ] if $answer->{hang};
    return [ @steps, [ 'reset' ] ] if $answer->{reset};
    return [ @steps, [ 'close' ] ] if $answer->{drop};

    for my $interim (@{ $answer->{informational} || [] }) {
        push @steps, [ send => _interim($interim) ];
    }

    push @steps, _content($answer, $request);

    @steps = _drip($answer->{drip}, @steps) if $answer->{drip};

    my $end = $answer->{end} || ($answer->{close} || $answer->{no_length}
              || defined $answer->{cut} || $answer->{raw}
              || ($answer->{version} || '') eq '1.0' ? 'close' : 'keep');

    if ($end ne 'keep') {
        push @steps, [ wait => $answer->{end_delay} ] if $answer->{end_delay};
        push @steps, [ $end ];
    }

    return \@steps;
}


sub _interim {
    my ($interim) = @_;

    return $interim if !ref $interim && $interim =~ m{^HTTP/};

    my ($status, $headers) = ref $interim ? @$interim : $interim;

    return _status_line($status) . _lines($headers) . "\r\n";
}


sub _content {
    my ($answer, $request) = @_;

    return [ send => $answer->{raw} ] if defined $answer->{raw};
    return map { _piece($_) } @{ $answer->{pieces} } if $answer->{pieces};

    my $status = defined $answer->{status} ? $answer->{status} : 200;
    my $body = exists $answer->{json} ? $json->encode($answer->{json})
               : $answer->{body};

    # by default the body of a 200 is a token, that of what the API says of a
    # token an object, and nothing else has one

    $body = $answer->{chunks} ? ''
            : $status == 200 ? token_json(%{ $answer->{token} || {} })
            : $words{$status} ? $json->encode({ error_code => "e$status" })
            : ''
        if !defined $body;

    my $head = _status_line($status, $answer);
    my $headers = _lines($answer->{headers});

    $head .= 'Content-Type: '
             . (defined $answer->{type} ? $answer->{type} : 'application/json')
             . "\r\n"
        if $headers !~ /^Content-Type:/mi && !$answer->{no_type};

    $head .= "Connection: close\r\n"
        if $answer->{close} && $headers !~ /^Connection:/mi;

    if ($answer->{chunks}) {
        return ([ send => "${head}Transfer-Encoding: chunked\r\n"
                          . "$headers\r\n" ],
                map({ ref $_ ? _piece($_)
                      : [ send => sprintf "%x\r\n%s\r\n", length $_, $_ ] }
                    @{ $answer->{chunks} }),
                $answer->{no_last_chunk} ? () : [ send => "0\r\n\r\n" ]);
    }

    if ($answer->{chunked}) {
        my $last = $answer->{no_last_chunk} ? '' : "0\r\n\r\n";

        $head .= "Transfer-Encoding: chunked\r\n";
        $body = (length $body
                 ? sprintf "%x\r\n%s\r\n", length $body, $body : '') . $last;

    } elsif (!$answer->{no_length} && $status != 204
             && $headers !~ /^(?:Content-Length|Transfer-Encoding):/mi)
    {
        $head .= 'Content-Length: ' . length($body) . "\r\n";
    }

    $body = '' if $request && $request->{method} eq 'HEAD';
    $body = substr $body, 0, $answer->{cut} if defined $answer->{cut};

    return [ send => "$head$headers\r\n$body" ];
}


sub _piece {
    my ($piece) = @_;

    return [ send => $piece ] if !ref $piece;
    return [ wait => $piece->{pause} ] if defined $piece->{pause};

    for my $verb (qw(close reset hang)) {
        return [ $verb ] if $piece->{$verb};
    }

    die "unknown piece of an answer\n";
}


sub _status_line {
    my ($status, $answer) = @_;

    my $version = $answer && $answer->{version} || '1.1';
    my $reason = $answer && defined $answer->{reason} ? $answer->{reason}
                 : $reasons{$status};

    return "HTTP/$version $status "
           . (defined $reason ? $reason : 'Unknown') . "\r\n";
}


sub _lines {
    my ($headers) = @_;

    return '' if !$headers;

    my @pairs = ref $headers eq 'HASH'
                ? map { [ $_, $headers->{$_} ] } sort keys %$headers
                : ref $headers->[0] ? @$headers
                : map { [ @{$headers}[ 2 * $_, 2 * $_ + 1 ] ] }
                      0 .. @$headers / 2 - 1;

    return join '', map { my $name = $_->[0];
                          map { "$name: $_\r\n" }
                              ref $_->[1] ? @{ $_->[1] } : $_->[1] } @pairs;
}


# The same bytes, a few at a time

sub _drip {
    my ($drip, @steps) = @_;

    my $bytes = $drip->{bytes} || 1;
    my $every = defined $drip->{every} ? $drip->{every} : 1;

    return map {
        my $step = $_;

        $step->[0] ne 'send' ? $step
        : map({ ([ send => $_ ], [ wait => $every ]) }
              unpack "(a$bytes)*", $step->[1]);
    } @steps;
}


1;
