use strict;
use warnings;

# PageCommands: what it finds in a page, and that a wrong answer fails.

use File::Basename qw(dirname);
use Test::More;

use lib dirname(__FILE__) . '/..';

use PageCommands;
use TapRun;

my $page = <<'PAGE';
# A page

```
not run
```

```sh
NAME=ben
cat >file <<'END'
two  # lines
END
printf 'HTTP/1.1 401 Nope\r\n\r\nfor %s\n' \
    $NAME                                   # 401, for ben
```

```sh
cat file        # two, without three
```
PAGE

my @commands = PageCommands::of($page);

is_deeply([ map { $_->{line} } @commands ], [ 8, 9, 12, 17 ],
          'commands are found, with their lines');
is($commands[1]{shell}, "cat >file <<'END'\ntwo  # lines\nEND",
   'a here-document belongs to its command');
is_deeply([ map { $_->{wanted} } @commands ],
          [ [], [], [ '401', 'for ben' ], [ 'two', 'without three' ] ],
          'with what is wanted');


sub judged {
    my ($text) = @_;

    my $run = TapRun::script(<<"EOC");
use Test::More;
use File::Temp;
use PageCommands;
my \$dir = File::Temp->newdir;
PageCommands::run([ PageCommands::of(<<'PAGE') ], dir => \$dir);
$text
PAGE
done_testing;
EOC

    return join ' ', map { $_->{ok} ? 'ok' : 'not' } @{ $run->{tests} };
}


is(judged($page), 'ok ok ok ok', 'they run in one shell');
is(judged($page =~ s/# 401/# 403/r), 'ok ok not ok', 'another status');
is(judged($page =~ s/for ben$/for amelia/mr), 'ok ok not ok', 'another text');
is(judged($page =~ s/without three/without two/r), 'ok ok ok not',
   'a text that should not be there');
is(judged($page =~ s/^cat file/cat nofile/mr =~ s/# two.*//r),
   'ok ok ok not', 'a command that fails');

done_testing;
