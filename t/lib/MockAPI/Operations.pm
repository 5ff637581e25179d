package MockAPI::Operations;

# What the operations other than introspection answer where the script says
# nothing about them.
#
#   my $answer = MockAPI::Operations::answer($request, $script);
#
# Listing takes the rows of the script, filters them as the API documents it
# (revoked, jti, sub, org, session, exp_from, exp_to, iat_from, iat_to), and
# cuts at "limit", by default and at most 100.

use strict;
use warnings;

use Time::Local ();

use MockAPI::Answer qw(raw_token_json);

use constant LIMIT => 100;


sub answer {
    my ($request, $script) = @_;

    my $token = defined $request->{token} ? $request->{token} : '';
    my $what = "$request->{method} $request->{path}";

    return 204 if $what eq 'POST /v1/tokens/revoke';

    return { status => 200, body => raw_token_json("reissued-$token") }
        if $what eq 'POST /v1/tokens/reissue';

    return { status => 201, body => raw_token_json('created') }
        if $what eq 'POST /v1/tokens';

    return { status => 200, body => $request->{body} }
        if $what eq 'POST /v1/tokens/validations';

    return _list($request, $script->{rows} || [])
        if $what eq 'GET /v1/tokens';

    return 404;
}


sub _list {
    my ($request, $rows) = @_;

    my %args = arguments($request->{args});
    my $limit = defined $args{limit} && $args{limit} < LIMIT
                ? $args{limit} : LIMIT;
    my @found;

    for my $row (@$rows) {
        next if !_matches($row, \%args);

        my %copy = %$row;

        delete $copy{revoked};
        push @found, \%copy;

        last if @found == $limit;
    }

    return { status => 200, json => { limit  => 0 + $limit,
                                      tokens => \@found } };
}


sub _matches {
    my ($row, $args) = @_;

    return 0 if defined $args->{revoked}
                && ($args->{revoked} eq 'true') != !!$row->{revoked};

    for my $name (qw(jti sub org session)) {
        next if !defined $args->{$name};
        return 0 if !defined $row->{$name} || $row->{$name} ne $args->{$name};
    }

    for my $name (qw(exp iat)) {
        my ($from, $to) = map { _seconds($_) }
                          @{$args}{"${name}_from", "${name}_to"};

        next if !defined $from && !defined $to;

        my $at = _seconds($row->{$name});

        return 0 if !defined $at || defined $from && $at < $from
                    || defined $to && $at > $to;
    }

    return 1;
}


# Seconds since the epoch, of themselves or of an RFC 3339 date

sub _seconds {
    my ($text) = @_;

    return undef if !defined $text;
    return $text if $text =~ /^\d+(?:\.\d+)?$/;

    my ($y, $mon, $d, $h, $m, $s, $fraction, $zone) = $text =~
        /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d+)?
         (Z|[+-]\d\d:?\d\d)?$/x or die "no date: $text\n";

    my $seconds = Time::Local::timegm($s, $m, $h, $d, $mon - 1, $y)
                  + ($fraction || 0);

    $seconds -= "${1}1" * ($2 * 3600 + $3 * 60)
        if defined $zone && $zone =~ /([+-])(\d\d):?(\d\d)/;

    return $seconds;
}


# name=value&name=value

sub arguments {
    my ($text) = @_;

    my %args;

    for my $pair (split /&/, defined $text ? $text : '') {
        my ($name, $value) = split /=/, $pair, 2;

        $value = '' if !defined $value;
        $value =~ tr/+/ /;
        $value =~ s/%([0-9a-fA-F]{2})/chr hex $1/ge;
        $args{$name} = $value;
    }

    return %args;
}


1;
