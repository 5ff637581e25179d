use strict;
use warnings;

# BlockSections: blocks that test what they say, and those that do not.

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

use lib abs_path(dirname(__FILE__) . '/..');
use lib abs_path(dirname(__FILE__) . '/../fallback');

use BlockSections;
use Test::Nginx::Socket::Spec;


sub mistake {
    my ($text) = @_;

    my ($block) = @{ Test::Nginx::Socket::Spec::parse("=== x\n$text\n") };

    $block->run_filters;

    return BlockSections::mistake($block, { own => 1 });
}


for my $case (
    [ "--- config\n--- request\nGET /\n--- own: x" ],
    [ "--- response_body: x\n--- error_code: 200\n--- error_log\na\nb c\n" ],
    [ "--- response_headers\nX-A: b\nX-B:\n! X-C\n!X-D\n" ],
    [ "--- response_headers eval\n['X-A: b', '! X-A', '']\n" ],
    [ "--- response_headers_like eval\n['X-A: b|c:d']\n" ],
    [ "--- ignore_response\n--- error_log: x\n--- no_error_log: y" ],
    [ "--- ignore_response_body\n--- error_code: 200" ],
    [ "--- must_die\n--- request\nGET /\n--- error_log: x" ],
    [ "--- tcp_listen: 1\n--- tcp_reply: x\n--- tcp_query: y" ],
    [ "--- udp_listen: 1\n--- udp_reply: x" ],
    [ "--- error_log eval\nqr/ x /\n--- no_error_log eval\n[' x']\n" ],
    [ "--- response_body_filters: uc\n--- response_body\n" ],
    [ "--- grep_error_log: x\n--- grep_error_log_out" ],
    [ "--- response_body_like chomp\n a \n" ],

    [ "--- eror_log: x", qr/^unknown section "--- eror_log"/ ],
    [ "--- error_log: x\n--- request\n--- error_log: y",
      qr/^"--- error_log" is there twice/ ],
    [ "--- response_body: x\n--- response_body_like: y",
      qr/_like" is not looked at beside "--- response_body"/ ],
    [ "--- response_body_like: x\n--- response_body_unlike: y",
      qr/_unlike" is not looked at beside "--- response_body_like"/ ],
    [ "--- error_code: 200\n--- error_code_like: 2",
      qr/error_code" is not looked at beside "--- error_code_like"/ ],
    [ "--- response_headers: X: y\n--- response_headers_like: X: y",
      qr/_like" is not looked at beside/ ],
    [ "--- raw_request: x\n--- request: y",
      qr/"--- request" is not looked at beside "--- raw_request"/ ],

    map({ my $section = $_;
          map { [ "--- $_\n--- $section: X: y",
                  qr/$section" is not looked at beside "--- $_"/ ] }
              qw(ignore_response must_die) }
        qw(error_code error_code_like response_headers response_headers_like
           raw_response_headers_like raw_response_headers_unlike
           response_body response_body_like response_body_unlike access_log
           no_access_log)),

    [ "--- tcp_query: x", qr/tcp_query" is not looked at without/ ],
    [ "--- tcp_reply: x", qr/tcp_reply" is not looked at without/ ],
    [ "--- udp_query: x", qr/udp_query" is not looked at without/ ],

    [ "--- response_headers\nX-A b\n", qr/is no header: X-A b/ ],
    [ "--- response_headers\n! X-A: b\n", qr/is no header: ! X-A: b/ ],
    [ "--- response_headers eval\n['X: y', 'X']\n", qr/is no header: X/ ],
    [ "--- response_headers\nX-A: b\nx-a: c\n", qr/a header twice: x-a/ ],
    [ "--- response_headers_like\nX-A b\n", qr/is no header: X-A b/ ],

    [ "--- no_error_log\n  x\n", qr/no_error_log" has blanks/ ],
    [ "--- error_log\na\nx \n", qr/error_log" has blanks.*: x $/ ],
    [ "--- no_error_log\n", qr/"--- no_error_log" is empty/ ],
    [ "--- response_body_like:", qr/"--- response_body_like" is empty/ ],
) {
    my ($text, $why) = @$case;
    my $got = mistake($text);

    $text =~ s/\n/ | /g;

    if (defined $why) {
        like(defined $got ? $got : '', $why, "a mistake: $text");

    } else {
        is($got, undef, "none: $text");
    }
}

done_testing();
