package MockAPI::Control;

# The control port of the mock: it gives the requests that were received, and
# takes other answers from now on.  MockAPI lists its commands.

use strict;
use warnings;

use JSON::PP ();

use MockAPI::Answer qw(steps);
use MockAPI::Operations ();

my $json = JSON::PP->new->utf8->canonical->allow_nonref;


# The steps of the answer; $self is the MockAPI::Server

sub answer {
    my ($self, $request) = @_;

    my $path = $request->{path};
    my %args = MockAPI::Operations::arguments($request->{args});

    my ($type, $text) = ('text/plain');

    if ($path =~ m{/_calls$}) {
        $text = _count($self, \%args) . "\n";

    } elsif ($path =~ m{/_requests$}) {
        $type = 'application/json';
        $text = $json->encode([ map { $self->full($_) }
                                _select($self, \%args) ]);

    } elsif ($path =~ m{/_connections$}) {
        $text = $args{list} ? $json->encode($self->{accepted})
                : scalar(@{ $self->{accepted} }) . "\n";

    } elsif ($path =~ m{/_open$}) {
        $text = grep({ !$_->{control} } values %{ $self->{conns} }) . "\n";

    } elsif ($path =~ m{/_reset$}) {
        $self->clear;
        $text = "ok\n";

    } elsif ($path =~ m{/_script$}) {
        my $error = _set_script($self, $request->{body});

        return steps({ status => 400, body => $error }) if defined $error;

        $text = "ok\n";

    } elsif ($path =~ m{/_ping$}) {
        $text = "ok\n";

    } else {
        return steps({ status => 404, body => "no such control\n" });
    }

    return steps({ status => 200, type => $type, body => $text,
                   headers => { 'Cache-Control' => 'no-store' } });
}


sub _select {
    my ($self, $args) = @_;

    my @found = @{ $self->{requests} };

    for my $field (qw(token path method connection)) {
        my $value = $args->{$field};

        next if !defined $value;

        @found = grep { defined $_->{$field} && $_->{$field} eq $value }
                 @found;
    }

    return @found;
}


sub _count {
    my ($self, $args) = @_;

    my $n = _select($self, $args);

    $n += $self->{dropped} if !grep { defined $args->{$_} }
                              qw(token path method connection);

    return $n;
}


sub _set_script {
    my ($self, $body) = @_;

    my $new = eval { $json->decode($body) };

    return "not a JSON object: $@" if ref $new ne 'HASH';

    my $script = $self->{script};

    for my $map (qw(tokens paths)) {
        my $set = delete $new->{$map} or next;

        for my $key (keys %$set) {
            delete @{ $self->{turn} }{ "token $key", $key };

            if (defined $set->{$key}) {
                $script->{$map}{$key} = $set->{$key};

            } else {
                delete $script->{$map}{$key};
            }
        }
    }

    for my $name (qw(default on_connect rows)) {
        next if !exists $new->{$name};

        delete $self->{turn}{default} if $name eq 'default';
        $script->{$name} = delete $new->{$name};
    }

    if (exists $new->{listen}) {
        my $error = $self->listen(delete $new->{listen});

        return $error if defined $error;
    }

    my ($unknown) = sort keys %$new;

    return defined $unknown ? "unknown: $unknown\n" : undef;
}


1;
