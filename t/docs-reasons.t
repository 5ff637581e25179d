use strict;
use warnings;

# Every word of $agilicus_token_reason is asserted by a test in nginx, and has
# its line in docs/troubleshooting.md; and nothing else is called a reason.

use Cwd ();
use File::Basename ();
use Test::More;

my $top = File::Basename::dirname(File::Basename::dirname(
              Cwd::abs_path(__FILE__)));

sub slurp {
    my ($path) = @_;

    open my $file, '<', $path or die "$path: $!\n";
    local $/;

    return scalar <$file>;
}


my $source = slurp("$top/ngx_agilicus_token_module/token/reason.h");
my @verdicts = grep { length } $source =~ /\bV\(\w+, "(\w*)"\)/g;
my @words = grep { length } $source =~ /\bR\(\w+, "(\w*)", \w+\)/g;

cmp_ok(@verdicts, '>=', 8, 'there are verdicts');
cmp_ok(@words, '>=', 40, 'and reasons');

my $verdict = join '|', @verdicts;
my (%asserted, %unknown);

for my $path (grep { !m{/docs-reasons\.t$} } glob "$top/t/*.t") {
    my $file = File::Basename::basename($path);
    my $text = slurp($path);

    # as a test that asserts it writes it: "forbidden/scope", "forbidden,
    # scope", or a section or the end of a line that says "reason scope"

    while ($text =~ m{\b(?:$verdict)(?:/|, )(\w+)}g) {
        $asserted{$1}{$file} = 1;
    }

    while ($text =~ /^--- reason(?::[ ]*|\n)(\w+)/mg) {
        $asserted{$1}{$file} = 1;
    }

    while ($text =~ m{^[A-Z:]*\s*/\S*\s.*\b(?:401|403)\s+(\w+)$}mg) {
        $asserted{$1}{$file} = 1;
    }
}

for my $word (@words) {
    ok($asserted{$word}, "\"$word\" is asserted")
        or diag('  by no t/*.t');
}

my $cures = slurp("$top/docs/troubleshooting.md");

for my $word (@words) {
    like($cures, qr/`$word`/, "\"$word\" has a cure");
}

done_testing();
