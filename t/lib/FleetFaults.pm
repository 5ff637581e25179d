package FleetFaults;

# Runs of random faults of a fleet of three edges with a real Redis, of its own
# API, and a proxy before each edge.  No edge that says that it is healthy may
# allow a denied token.
#
#   my $faults = FleetFaults->new(seed => 1);
#   my @wrong = $faults->run($number);     strings, one for each thing wrong
#   $faults->counts                        { denials => ..., ... }
#   $faults->finish                        strings, too
#
# A denial counts as told when the edge that was called has nothing pending; from
# $known_after on, no edge that is healthy may let its token in.  What may have
# been deleted before all edges have read it is missed with a later mark only.
# Where an edge is killed with its memory, what it alone may have known counts no
# more.  No edge is healthy while it says that something is missing.

use strict;
use warnings;

use HttpClient ();
use Time::HiRes qw(sleep time);

use FleetEdges ();
use MockAPI ();
use NginxControl ();
use RedisProxy ();
use RedisServer ();

# after this, a denial that was told must be known to an edge that is healthy

my $known_after = 2 * NginxControl::slow();

# one that has heard no mark for this long is not healthy

my $marked_after = 11 * NginxControl::slow();

# faults of a run, and denials that are still looked at in later ones

my $faults_of_run = 10;
my $kept = 100;

my $allow = [ qr/agilicus token: /, qr/exited on signal 9/ ];
my $stream = 'agilicus:stream';

# how often, and what it is, and whether entries are lost; for a poison, edges
# are "unreadable" for a minute, so it comes last in a run

my @faults = (
    [ 10, 'worker killed',          \&worker_killed ],
    [ 8,  'edge killed',            \&edge_killed ],
    [ 6,  'edge that polls killed', \&poller_killed ],
    [ 10, 'Redis stands still',     \&redis_halted ],
    [ 8,  'Redis killed',           \&redis_killed ],
    [ 6,  'Redis killed, empty',    \&redis_emptied, 1 ],
    [ 12, 'partition',              \&partition ],
    [ 6,  'Redis full',             \&redis_full ],
    [ 6,  'password wrong',         \&password_wrong ],
    [ 12, 'entries deleted',        \&entries_deleted, 1 ],
    [ 6,  'stream deleted',         \&stream_deleted, 1 ],
    [ 6,  'entries replayed',       \&entries_replayed ],
    [ 4,  'ids ahead',              \&ids_ahead ],
    [ 2,  'the last id',            \&ids_last, 1 ],
    [ 4,  'odd epoch or lease',     \&odd_value, 1 ],
);

my $poisoned = 0.15;

# how often one edge is cut off meanwhile

my $cut_off = 0.4;

my @poisons = (
    [ 1, 'edge with a wrong key',         \&wrong_key ],
    [ 1, 'entries forged',                \&entries_forged ],
    [ 1, 'entries of another epoch',      \&epoch_replayed, 1 ],
    [ 1, 'another epoch',                 \&other_epoch, 1 ],
);


sub new {
    my ($class, %opt) = @_;

    my $mock = MockAPI->start(
        default  => sub { return { token => { jti => "j-$_[0]{token}" } } },
        rows     => [],
        lifetime => 4 * 3600,
    );

    my $redis = RedisServer->start(data => 1, password => 'right',
                                   args => [ '--requirepass', 'right' ]);
    my $fleet = FleetEdges->new($redis->url);
    my $credential = $fleet->key('credential', 'edge-credential');
    my $password = $fleet->key('password', 'right');

    my $self = bless {
        %opt,
        mock  => $mock,
        redis => $redis,
        fleet => $fleet,
        proxies => [ map { RedisProxy->start($redis) } 0 .. 2 ],
        params  => "user=default password=$password",
        http    => "agilicus_token_api_credential $credential;\n"
                   . 'agilicus_token_revocation_feed interval=2s;',
        denied  => {},
        names   => 0,
        counts  => { map { $_ => 0 } qw(runs denials looks healthy let_in),
                     map({ $_->[1] } @faults, @poisons) },
    }, $class;

    $self->{edges} = [ map { $self->new_edge($_) } 0 .. 2 ];

    defined $fleet->all_healthy(60, @{ $self->{edges} })
        or die "the fleet does not begin\n";

    return $self;
}


# the last edge has two workers

sub new_edge {
    my ($self, $at, %opt) = @_;

    return $self->{fleet}->edge(workers => $at == 2 ? 2 : 1,
                                url     => $self->{proxies}[$at]->url,
                                params  => $self->{params},
                                http    => $self->{http}, %opt);
}


sub counts { return $_[0]{counts} }


sub run {
    my ($self, $number) = @_;

    my @steps;

    $self->{wrong} = [];
    srand($self->{seed} * 100_000 + $number);

    my $poison = rand() < $poisoned;
    my @plan = map { [ chosen($_ == $faults_of_run && $poison ? @poisons
                                                              : @faults) ] }
               1 .. $faults_of_run;

    for my $step (@plan) {
        my ($name, $fault, $loses) = @$step;
        my $cut = rand() < $cut_off ? int rand 3 : undef;

        push @steps, sprintf '%.1f %s%s', time - $^T, $name,
                             defined $cut ? ", edge $cut is cut off" : '';
        $self->{steps} = [ @steps ];
        $self->{counts}{$name}++;

        # what is denied just before a fault is what may be lost by it

        $self->{proxies}[$cut]->halt if defined $cut;
        $self->deny;
        $self->look(8) if rand() < 0.5;
        $fault->($self);
        $self->may_be_lost if $loses;
        $self->{proxies}[$cut]->go_on if defined $cut;
        $self->look(16);
    }

    my $took = $self->{fleet}->all_healthy(180, @{ $self->{edges} });

    if (defined $took) {
        push @steps, sprintf '%.1f all are healthy after %.1f s',
                             time - $^T, $took;
        $self->{steps} = [ @steps ];

        # the first look notes which denials are told, the next one judges by it

        $self->look(0);

        my ($due) = sort { $b <=> $a } time + $known_after,
                    map { $_->{due} } values %{ $self->{denied} };

        sleep $due - time + 0.1;
        $self->look;

    } else {
        $self->wrong('not all are healthy: ' . join ' ',
                     map { $self->{fleet}->state($_) } @{ $self->{edges} });
    }

    # an edge that starts would find what cannot be opened

    if ($poison) {
        $self->cli('DEL', $stream);
        $self->{fleet}->all_healthy(60, @{ $self->{edges} });
    }

    $self->{counts}{runs}++;
    $self->forget;

    return @{ $self->{wrong} };
}


sub finish {
    my ($self) = @_;

    my @problems;

    $_->signal('QUIT') for @{ $self->{edges} };

    for my $edge (@{ $self->{edges} }) {
        $edge->stop;
        push @problems, $edge->problems(allow => $allow);
    }

    $_->stop for @{ $self->{proxies} }, $self->{redis}, $self->{mock};

    return @problems;
}


sub chosen {
    my (@list) = @_;

    my $all = 0;

    $all += $_->[0] for @list;

    my $dice = rand $all;

    for my $one (@list) {
        $dice -= $one->[0];
        return @$one[1 .. 3] if $dice < 0;
    }

    return @{ $list[-1] }[1 .. 3];
}


# something is wrong: said at once, with what is needed to look into it

sub wrong {
    my ($self, $text) = @_;

    my $edge = $self->{edges}[0];

    # redis-cli would wait for it

    $self->{redis}->go_on if $self->{redis}->pid;

    my @status = map { my $s = $self->{fleet}->figures($_);
                       join ' ', $_->prefix, map { "$_=$s->{$_}" } sort keys %$s }
                 @{ $self->{edges} };

    my $path = $edge->write_file('wrong-' . @{ $self->{wrong} },
        join "\n", $text, @{ $self->{steps} }, @status,
                   $self->cli('INFO'), $self->cli('XRANGE', $stream, '-', '+'));

    push @{ $self->{wrong} }, "$text; steps: " . join(', ', @{ $self->{steps} })
                              . "; $path";

    return;
}


sub cli { my ($self, @args) = @_; return $self->{redis}->cli(@args) }


sub deny {
    my ($self) = @_;

    my ($fleet, $edges) = @$self{qw(fleet edges)};

    for (1 .. 1 + int rand 3) {
        my $at = int rand @$edges;
        my $name = 'fault-' . ++$self->{names};

        # known as active everywhere

        $fleet->why($_, $name) for @$edges;

        if ($fleet->hook($edges->[$at], jti => "j-$name") == 204) {
            $self->{denied}{$name} = { at => $edges->[$at], told => 0,
                                       due => 0, known => { $at => 1 },
                                       begun => time };
            $self->{counts}{denials}++;
        }
    }

    return;
}


# what is not seen to be known to all

sub may_be_lost {
    my ($self) = @_;

    for my $denial (values %{ $self->{denied} }) {
        $denial->{due} = time + $marked_after if keys %{ $denial->{known} } < 3;
    }

    return;
}


# some time passes, in which something is denied

sub meanwhile {
    my ($self, $seconds) = @_;

    sleep rand $seconds;
    $self->deny;
    $self->look(8);

    return;
}


# asks all edges about at most $n denied tokens: the newest ones, and others

sub look {
    my ($self, $n) = @_;

    my ($fleet, $denied) = @$self{qw(fleet denied)};
    my @names = sort { (split /-/, $b)[1] <=> (split /-/, $a)[1] } keys %$denied;

    @names = (@names[0 .. $n / 2 - 1], map { $names[rand @names] } 1 .. $n / 2)
        if defined $n && @names > $n;

    # an edge with pending denials may not have told all of its denials

    my %told;

    for my $edge (@{ $self->{edges} }) {
        my $figures = $fleet->figures($edge);
        my $pending = $figures->{pending};

        $told{$edge} = defined $pending && $pending == 0;

        # these are not read at once

        $self->wrong('healthy, and something is missing: ' . $edge->prefix)
            if misses($figures) && misses($fleet->figures($edge));
    }

    for my $denial (values %$denied) {
        $denial->{told} ||= $told{$denial->{at}} ? time : 0;
    }

    return if !@names;

    for my $at (0 .. 2) {
        my $edge = $self->{edges}[$at];
        my $now = time;
        my $log = -s "$edge->{errlog}";
        my $healthy = $fleet->state($edge) eq 'healthy';

        my @answers = $edge->many([ map { { path => '/t', headers =>
            { Authorization => "Bearer $_" } } } @names ], at_once => 8);

        $healthy &&= $fleet->state($edge) eq 'healthy';

        for my $name (@names) {
            my $why = HttpClient::header(shift @answers, 'X-Why') || '';
            my $denial = $denied->{$name};

            $self->{counts}{looks}++;
            $denial->{known}{$at} = 1 if $why eq 'revoked/jti';

            next if !$healthy || !$denial->{told} || $now <= $denial->{due}
                    || $now - $denial->{told} <= $known_after;

            $self->{counts}{healthy}++;

            next if $why !~ m{^active/};

            # a state that has changed meanwhile is logged

            next if substr(NginxControl::slurp($edge->{errlog}), $log)
                    =~ /fleet is (?!healthy)/;

            $self->{counts}{let_in}++;
            $self->wrong(sprintf '%s, denied %.1f s ago by %s, told %.1f s ago,'
                                 . ' is let in by edge %d, %s, which is healthy',
                                 $name, $now - $denial->{begun},
                                 $denial->{at}->prefix, $now - $denial->{told},
                                 $at, $edge->prefix);
        }
    }

    return;
}


sub misses {
    my ($figures) = @_;

    return ($figures->{state} || '') eq 'healthy' && $figures->{missing};
}


# all but some, of any age

sub forget {
    my ($self) = @_;

    my $denied = $self->{denied};

    while (keys %$denied > $kept) {
        my @names = sort keys %$denied;

        delete $denied->{ $names[rand @names] };
    }

    return;
}


sub worker_killed {
    my ($self) = @_;

    my $edge = $self->{edges}[rand 3];
    my @pids = $edge->workers;

    $edge->kill_worker($pids[rand @pids]) if @pids;

    return;
}


sub edge_killed { my ($self) = @_; return $self->end_edge(int rand 3) }


sub poller_killed {
    my ($self) = @_;

    my ($at) = grep { $self->{fleet}->status($self->{edges}[$_])->{feed}{here} }
               0 .. 2;

    return $self->end_edge(defined $at ? $at : int rand 3);
}


# an edge dies with its memory, and another one starts in its place

sub end_edge {
    my ($self, $at) = @_;

    my $edge = $self->{edges}[$at];

    for my $name (keys %{ $self->{denied} }) {
        my $known = $self->{denied}{$name}{known};

        delete $known->{$at};
        delete $self->{denied}{$name} if !%$known;
    }

    kill KILL => $edge->pid, $edge->workers;
    $edge->stop;

    my @problems = $edge->problems(allow => $allow);

    push @{ $self->{wrong} }, @problems;

    $self->{edges}[$at] = $self->new_edge($at);

    return;
}


sub redis_halted {
    my ($self) = @_;

    $self->{redis}->halt;
    $self->meanwhile(2);
    $self->{redis}->go_on;

    return;
}


sub redis_killed {
    my ($self) = @_;

    $self->{redis}->kill;
    $self->meanwhile(1.5);
    $self->{redis}->restart;

    return;
}


sub redis_emptied {
    my ($self) = @_;

    $self->{redis}->kill;
    $self->meanwhile(1.5);
    unlink glob "$self->{redis}{dir}/appendonlydir/*";
    $self->{redis}->restart;

    return;
}


# one edge, or two

sub partition {
    my ($self) = @_;

    my $proxies = $self->{proxies};
    my @cut = (int rand 3, int rand 3);

    $proxies->[$_]->halt for @cut;
    $self->meanwhile(2.5);
    $proxies->[$_]->go_on for @cut;

    return;
}


sub redis_full {
    my ($self) = @_;

    $self->cli('CONFIG', 'SET', 'maxmemory', '1');
    $self->meanwhile(2);
    $self->cli('CONFIG', 'SET', 'maxmemory', '0');

    return;
}


sub password_wrong {
    my ($self) = @_;

    my $redis = $self->{redis};

    for my $password ('wrong', 'right') {
        $redis->cli('CONFIG', 'SET', 'requirepass', $password);
        $redis->{password} = $password;

        if ($password eq 'wrong') {
            $redis->cli('CLIENT', 'KILL', 'TYPE', 'normal');
            $self->meanwhile(1.5);
        }
    }

    return;
}


sub entries_deleted {
    my ($self) = @_;

    $self->cli('EVAL', <<'EOL', 1, $stream, 1 + int rand 3);
        for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-',
                                          'COUNT', ARGV[1]))
        do
            redis.call('XDEL', KEYS[1], entry[1])
        end
EOL

    return;
}


sub stream_deleted {
    my ($self) = @_;

    my @commands = ([ 'DEL', $stream ], [ 'XTRIM', $stream, 'MAXLEN', 0 ],
                    [ 'FLUSHALL' ]);

    $self->cli(@{ $commands[rand @commands] });

    return;
}


sub entries_replayed {
    my ($self) = @_;

    $self->cli('EVAL', <<'EOL', 1, $stream, 1 + int rand 50);
        for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-',
                                          'COUNT', ARGV[1]))
        do
            redis.call('XADD', KEYS[1], '*', unpack(entry[2]))
        end
EOL

    return;
}


# as after a failover to a Redis whose clock is behind that of the one before

sub ids_ahead {
    my ($self) = @_;

    my ($last) = $self->cli('XINFO', 'STREAM', $stream)
                 =~ /last-generated-id\n(\d+)-/ or return;

    $self->cli('XSETID', $stream, $last + 3_600_000 . '-0');

    return;
}


sub ids_last {
    my ($self) = @_;

    $self->cli('XSETID', $stream, '18446744073709551615-18446744073709551615');

    return;
}


sub odd_value {
    my ($self) = @_;

    my ($key) = map { "agilicus:$_" } rand() < 0.5 ? 'epoch' : 'lease';

    $self->cli('DEL', $key);
    $self->cli(@{ ([ SET => $key, 'x' ], [ LPUSH => $key, 'x' ])[rand 2] });

    return;
}


sub wrong_key {
    my ($self) = @_;

    my $fleet = $self->{fleet};
    my $edge = $self->new_edge(0, key => $fleet->key('other.key', 'a5' x 32));

    $fleet->hook($edge, jti => 'j-other');
    $self->meanwhile(2);
    $edge->stop;
    push @{ $self->{wrong} }, $edge->problems(allow => $allow);

    return;
}


sub entries_forged {
    my ($self) = @_;

    $self->cli('EVAL', <<'EOL', 1, $stream, int rand 1000);
        for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-',
                                          'COUNT', 5))
        do
            local good = entry[2][2]
            local at = 3 + ARGV[1] % (#good - 2)

            redis.call('XADD', KEYS[1], '*', 'e', good:sub(1, at - 1)
                       .. string.char((good:byte(at) + 1) % 256)
                       .. good:sub(at + 1))
        end
EOL

    return;
}


# what stood there before everything was flushed

sub epoch_replayed {
    my ($self) = @_;

    my $all = 'for i = 0, redis.call("LLEN", KEYS[2]) do'
              . ' local v = redis.call("LPOP", KEYS[2])'
              . ' if v then redis.call("XADD", KEYS[1], "*", "e", v) end end';

    $self->cli('EVAL', <<'EOL', 2, $stream, 'kept');
        for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-',
                                          'COUNT', 20))
        do
            redis.call('RPUSH', KEYS[2], entry[2][2])
        end

        redis.call('DEL', KEYS[1], 'agilicus:epoch', 'agilicus:lease')
EOL

    $self->meanwhile(3);
    $self->cli('EVAL', $all, 2, $stream, 'kept');

    return;
}


sub other_epoch {
    my ($self) = @_;

    $self->cli('SET', 'agilicus:epoch', join '', map { sprintf '%02x', rand 256 }
                                                 1 .. 16);

    return;
}

1;
