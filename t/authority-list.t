#!/usr/bin/perl

# The list of tokens that agilicus-authority gives: the arguments that it takes,
# the callers that may read it, and how dates are written.

use strict;
use warnings;

use JSON::PP;
use POSIX qw/strftime/;
use Test::More;
use Time::HiRes qw/time/;

use lib 't/lib';

use Authority;


my $authority = start('--request-log', "$dir/requests.log");


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


stops $authority, 'the end';
is tokens_logged(), 0, 'no token is in any log';

done_testing();
