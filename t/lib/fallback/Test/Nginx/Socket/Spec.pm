package Test::Nginx::Socket::Spec;

# The text after __DATA__: blocks, their sections and the filters on them.
#
#   === TEST 1: the title
#   anything up to the first section describes the block
#   --- section
#   value, up to the next section
#   --- section: value on the same line
#   --- section filter filter
#   value
#   --- section filter: value
#
# Every value goes through the filters "norm" (line ends) and "trim" (blank
# lines around it) first, unless given as "-norm" or "-trim", and then through
# those of the section, from left to right:
#
#   eval       Perl code; its value is the value of the section
#   chomp      without the final newline        unchomp   with one more
#   chop       without the last character
#   lines      a list of lines                  array     a reference to it
#   escape     \n, \t, \x41 ... as in a double-quoted string
#   join=X     the list as one string           append=X  X after each
#   base64_encode  base64_decode  regexp
#
# and any function of the test file itself, called with the value.
#
# Meta sections: SKIP leaves the block out, ONLY leaves out all others, LAST
# ends the file.

use strict;
use warnings;

use Carp qw(croak);
use Exporter 'import';

our @EXPORT_OK = qw(seconds);


# A file of its own keeps the code of "eval" sections away from our lexicals.

my $evaluate = do {
    package Test::Nginx::Socket::Filter;

    no strict;
    no warnings;

    sub { CORE::eval($_[0]) };
};


my %filters = (
    norm => sub {
        map { my $s = defined $_ ? $_ : ''; $s =~ s/\r\n?/\n/g; $s } @_;
    },

    trim => sub {
        map {
            my $s = $_;
            $s =~ s/\A(?:[ \t]*\n)+//;
            $s =~ s/(?<=\n)\s*\z//;
            $s;
        } @_;
    },

    chomp   => sub { map { my $s = $_; chomp $s; $s } @_ },
    unchomp => sub { map { "$_\n" } @_ },
    chop    => sub { map { my $s = $_; chop $s; $s } @_ },
    lines   => sub { map { /[^\n]*\n|[^\n]+/g } @_ },
    array   => sub { [ @_ ] },
    append  => sub { my $x = pop; map { "$_$x" } @_ },
    join    => sub { my $x = pop; join $x, @_ },
    regexp  => sub { qr/$_[0]/ },

    escape => sub {
        map { my $s = $_; $s =~ s/(\\.)/CORE::eval("qq{$1}")/ge; $s } @_;
    },

    base64_encode => sub {
        require MIME::Base64;
        MIME::Base64::encode_base64($_[0]);
    },

    base64_decode => sub {
        require MIME::Base64;
        MIME::Base64::decode_base64($_[0]);
    },
);

my %takes_argument = map { $_ => 1 } qw(append join);


# "0.5", "2s" and "50ms" as seconds

sub seconds {
    my ($text) = @_;

    return undef if !defined $text;
    return $text / 1000 if $text =~ s/\s*ms\z//;

    $text =~ s/\s*s\z//;

    return $text;
}


sub parse {
    my ($text) = @_;

    my @blocks;

    for my $hunk ($text =~ /^(===.*?(?=^===|\z))/msg) {
        my $block = _block($hunk);

        return [ $block ] if exists $block->{ONLY};
        next if exists $block->{SKIP};

        push @blocks, $block;

        last if exists $block->{LAST};
    }

    my $n = 0;

    $_->{seq_num} = [ ++$n ] for @blocks;

    return \@blocks;
}


sub _block {
    my ($hunk) = @_;

    my ($title, $rest) = $hunk =~ /\A===[ \t]*([^\n]*?)[ \t]*(?:\n(.*))?\z/s;
    my $block = bless {}, 'Test::Nginx::Socket::Block';
    my ($description, $type, %sections, @order) = ('');

    for my $line (split /^/, defined $rest ? $rest : '') {
        if ($line =~ /^---[ ]+(\w+)[ ]*(.*)$/) {
            ($type, my $spec) = ($1, $2);

            croak "'$type' is a reserved section name ($title)\n"
                if $type =~ /^_/ || Test::Nginx::Socket::Block->can($type);

            my ($filters, $inline) = split /\s*:(?:\s+|\z)/, $spec, 2;

            if (defined $inline) {
                $inline =~ s/\s+\z//;
            }

            push @order, $type;

            $sections{$type} = {
                filters => defined $filters ? $filters : '',
                inline  => $inline,
                value   => defined $inline ? $inline : '',
            };

        } elsif (!defined $type) {
            $description .= $line;

        } elsif (!defined $sections{$type}{inline}) {
            $sections{$type}{value} .= $line;

        } elsif ($line =~ /\S/) {
            croak "extra lines after '--- $type: ...' in '$title'\n";
        }
    }

    $description = $title if $description !~ /\S/;
    $description =~ s/\s*\z//;

    $block->set_value(name => $title);
    $block->set_value(description => $description);
    $block->set_value($_, $sections{$_}{value}) for @order;

    $block->{_section_order} = [ \@order ];
    $block->{_filters} = { map { $_ => $sections{$_}{filters} } @order };

    return $block;
}


package Test::Nginx::Socket::Block;

# Sections are read by methods of their names: $block->request.  A section
# that is not there is undef.  $block->set_value(section => value) sets one.

use Carp ();

our $AUTOLOAD;


sub DESTROY {}


sub AUTOLOAD {
    my $self = shift;

    (my $name = $AUTOLOAD) =~ s/.*:://;

    Carp::croak "cannot set '$name' this way; use set_value\n" if @_;

    my $values = $self->{$name};

    return if !$values;
    return wantarray ? @$values : $values->[0];
}


sub set_value {
    my ($self, $name, @values) = @_;

    $self->{$name} = [ @values ];
}


sub run_filters {
    my ($self) = @_;

    my $filters = delete $self->{_filters} or return;

    my %seen;

    for my $type (grep { !$seen{$_}++ } @{ $self->{_section_order}[0] }) {
        for my $filter (_chain($filters->{$type})) {
            my @values = _apply($self, $type, $filter, @{ $self->{$type} });

            $self->{$type} = \@values;
        }
    }
}


sub _chain {
    my ($spec) = @_;

    my @chain = qw(norm trim);

    for my $filter (split ' ', $spec) {
        if ($filter =~ /^-(.*)/) {
            @chain = grep { $_ ne $1 } @chain;

        } else {
            push @chain, $filter;
        }
    }

    return @chain;
}


sub _apply {
    my ($block, $type, $filter, @values) = @_;

    my ($name, $argument) = split /=/, $filter, 2;
    my $where = "--- $type in '" . $block->name . "'";

    if (my $function = main->can($name)) {
        local $_ = join '', map { defined $_ ? $_ : '' } @values;

        my @got = $function->(@values);

        # a filter may as well change $_ and return how often

        return @got && !(@got == 1 && defined $got[0]
                         && $got[0] =~ /\A\d*\z/) ? @got : $_;
    }

    if ($name eq 'eval') {
        my @got = $evaluate->($values[0]);

        Carp::croak "$where: $@" if $@;

        return @got;
    }

    my $code = $filters{$name} 
        or Carp::croak "$where: no filter '$name'\n";

    return $code->(@values, $takes_argument{$name} ? $argument : ());
}


1;
