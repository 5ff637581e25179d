package BlockSections;

# Finds blocks that would test less than they say.
#
#   my $why = BlockSections::mistake($block, \%own);
#
# undef, or what is wrong with the sections of a block whose filters have run:
#
#   * a name that neither library knows, nor %own
#   * a section given twice, of which the first is not looked at
#   * sections of which only one is looked at, as response_body and
#     response_body_like
#   * sections that are not looked at beside another, as error_code beside
#     ignore_response, or without another, as tcp_query without tcp_listen
#   * a line of response_headers that is neither "Name: value" nor "! Name",
#     or that names a header again
#   * a text pattern for the log with blanks around it, which no line may have
#   * a pattern that is empty, which everything matches

use strict;
use warnings;


my %known = map { $_ => 1 } qw(
    config http_config main_config post_main_config server_name log_level
    error_log_file user_files init post_setup_server_root request
    more_headers raw_request raw_request_middle_delay pipelined_requests
    request_eval timeout abort shutdown wait error_code error_code_like
    response_headers response_headers_like raw_response_headers_like
    raw_response_headers_unlike response_body response_body_like
    response_body_unlike response_body_eval response_body_filters
    response_body_json_sort http09 ignore_response ignore_response_body
    server_addr_for_client error_log no_error_log grep_error_log
    grep_error_log_out shutdown_error_log no_shutdown_error_log access_log
    no_access_log must_die reload_fails suppress_stderr tcp_listen tcp_reply
    tcp_reply_delay tcp_query tcp_query_len tcp_query_auto_timeout
    tcp_no_close tcp_shutdown tcp_shutdown_delay udp_listen udp_reply
    udp_reply_delay udp_query skip_nginx skip_nginx2 skip_eval todo
    no_check_leak SKIP ONLY LAST allow_alert
);

# the libraries look at the first of these that is there

my @one_of = (
    [ qw(raw_request pipelined_requests request) ],
    [ qw(error_code_like error_code) ],
    [ qw(response_headers response_headers_like) ],
    [ qw(response_body response_body_eval response_body_like
         response_body_unlike) ],
);

my $about_response = qr/^(?:raw_)?response_(?!body_(?:filters|json_sort)$)
                        |^error_code|^(?:no_)?access_log$/x;

my @patterns = qw(
    error_code_like response_headers_like raw_response_headers_like
    raw_response_headers_unlike response_body_like response_body_unlike
    error_log no_error_log grep_error_log shutdown_error_log
    no_shutdown_error_log access_log no_access_log
);


sub mistake {
    my ($block, $own) = @_;

    my $order = $block->_section_order || [];
    my %has;

    for my $section (@$order) {
        return "unknown section \"--- $section\""
            if !$known{$section} && !$own->{$section};

        return "\"--- $section\" is there twice" if $has{$section}++;
    }

    # a preprocessor may have added some, or taken some away

    %has = map { $_ => 1 } grep { defined $block->$_ } keys %known;

    return _unused(\%has) || _headers($block) || _patterns($block, \%has);
}


sub _unused {
    my ($has) = @_;

    for my $group (@one_of) {
        my ($used, $unused) = grep { $has->{$_} } @$group;

        return "\"--- $unused\" is not looked at beside \"--- $used\""
            if defined $unused;
    }

    for my $other (qw(ignore_response must_die)) {
        my ($unused) = grep { $_ =~ $about_response } sort keys %$has;

        return "\"--- $unused\" is not looked at beside \"--- $other\""
            if $has->{$other} && defined $unused;
    }

    for my $proto (qw(tcp udp)) {
        my ($unused) = grep { /^${proto}_/ } sort keys %$has;

        return "\"--- $unused\" is not looked at without \"--- ${proto}_"
               . 'listen"' if !$has->{"${proto}_listen"} && defined $unused;
    }

    return undef;
}


sub _headers {
    my ($block) = @_;

    for my $section (qw(response_headers response_headers_like)) {
        for my $text (_texts($block, $section)) {
            my %seen;

            for my $line (grep { /\S/ } split /\n/, $text) {
                return "a line of \"--- $section\" is no header: $line"
                    if $line !~ /^\s*(?:!\s*([\w-]+)\s*$|([\w-]+)\s*:)/;

                my $name = lc(defined $1 ? $1 : $2);

                return "\"--- $section\" names a header twice: $name"
                    if $seen{$name}++;
            }
        }
    }

    return undef;
}


sub _patterns {
    my ($block, $has) = @_;

    for my $section (grep { $has->{$_} } @patterns) {
        my $value = $block->$section;

        next if ref $value;

        return "\"--- $section\" is empty" if $value !~ /\S/;

        next if $section !~ /_log$/ || $section eq 'grep_error_log';

        for my $line (split /\n/, $value) {
            return "a line of \"--- $section\" has blanks around it: $line"
                if $line =~ /^\s|\s$/;
        }
    }

    return undef;
}


sub _texts {
    my ($block, $section) = @_;

    my $value = $block->$section;

    return grep { defined && !ref } ref $value eq 'ARRAY' ? @$value : $value;
}


1;
