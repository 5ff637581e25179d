"""What is to be reached, and whether it was: the rows of the one table."""

from rounds import LEAST, UNCACHED

OURS = 'this module'

REACHED, MISSED, FEW = 'reached', 'not reached', 'too few rounds'

# milliseconds that a client of an API that hangs waits, and a bit

TIMEOUT = 5.0
LATE = 0.5

# how much slower than any batch before may a batch be, to count as the same

SAME = 1.25


class Row:

    def __init__(self, key, title, reach, best, measured, spread, verdict):
        self.key = key
        self.title = title
        self.reach = reach
        self.best = best
        self.measured = measured
        self.spread = spread
        self.verdict = verdict

    def cells(self):
        return [self.title, self.reach, self.best, self.measured, self.spread,
                self.verdict]


HEAD = ['case', 'to reach', 'best other', 'this module', 'spread', 'verdict']


def at_most(value, limit, enough=True):
    if not enough:
        return FEW

    return REACHED if value <= limit else MISSED


def best(table, value, form):
    """The lowest of the others that have a value."""

    found = [(value(row), name) for name, row in table.items()
             if name not in (OURS, 'bare', UNCACHED)
             and value(row) is not None]

    return '%s (%s)' % (form(min(found)[0]), min(found)[1]) if found else ''


def ratio_row(results, key, limit, words):
    case = results['cases'][key]
    table = case['table']
    ours = table[OURS]

    if not ours['n']:
        return Row(key, case['title'], words, '', 'not measured', '', FEW)

    return Row(key, case['title'], words,
               best(table, lambda row: row.get('ratio'), '{:.2f}'.format),
               '%.3f' % ours['ratio'],
               '%.3f to %.3f, n=%d' % (ours['ratio_min'], ours['ratio_max'],
                                       ours['n']),
               at_most(ours['ratio'], limit, ours['n'] >= LEAST))


def miss_row(results):
    case = results['cases']['miss']
    table = case['table']
    ours, words = table[OURS], '60 us of CPU added'

    if not ours['n']:
        return Row('miss', case['title'], words, '', 'not measured', '', FEW)

    others = best(table, lambda row: row.get('added'), '{:.0f} us'.format)
    uncached = table.get(UNCACHED, {}).get('added')

    if uncached is not None:
        others += '; %.0f us (%s)' % (uncached, UNCACHED)

    return Row('miss', case['title'], words, others, '%.1f us' % ours['added'],
               '%.1f to %.1f, n=%d' % (ours['added_min'], ours['added_max'],
                                       ours['n']),
               at_most(ours['added'], 60, ours['n'] >= LEAST))


def instructions_row(results):
    table = results['instructions']
    ours = table[OURS]

    return Row('instructions', 'instructions added by a hot hit, digest '
               'excluded', '3,000',
               best(table, lambda row: row['added'], '{:,}'.format),
               '{:,}'.format(ours['added']), '',
               at_most(ours['added'], 3000))


def calls_row(results):
    table = results['system_calls']

    def added(row):
        return round(row['hit'] - row['open'], 2)

    ours = added(table[OURS])

    return Row('system_calls', 'system calls added by a hit', '0',
               best(table, added, '{:.2f}'.format), '%.2f' % ours,
               '', at_most(abs(ours), 0.05))


def look_up_row(results):
    found = results['look_ups']

    return Row('look_ups', 'look-up among {many:,} tokens against {few:,}'
               .format(**found), '150 ns more', '',
               '%.0f ns more' % found['more_ns'],
               '{more_ns_min:.0f} to {more_ns_max:.0f}, n={rounds}'
               .format(**found), at_most(found['more_ns'], 150))


def memory_row(results):
    found = results['look_ups']

    return Row('memory', 'shared memory of a cached token, entry and index',
               '512 bytes', '', '%.0f bytes' % found['token_bytes'], '',
               at_most(found['token_bytes'], 512))


def storm_row(results):
    table = results['storm']
    ours = table[OURS]
    calls = max(ours['calls'])

    good = calls == 1 and min(ours['calls']) == 1 and not ours['failed']

    return Row('storm', '200 connections, one new token, the API takes 20 ms',
               '1 call, 35 ms',
               best(table, lambda row: row['median_ms'], '{:.0f} ms'.format),
               '%d call%s, %.0f ms' % (calls, '' if calls == 1 else 's',
                                       ours['median_ms']),
               '%.0f to %.0f ms, n=%d' % (min(ours['ms']), max(ours['ms']),
                                          len(ours['ms'])),
               at_most(ours['median_ms'], 35) if good else MISSED)


def hung_rows(results):
    table = results['hung']
    ours = table[OURS]
    same = ours['during_p99'] <= max(ours['before']) * SAME
    on_time = (ours['statuses'] == [503]
               and TIMEOUT - LATE <= ours['seconds'] <= TIMEOUT + LATE)

    return [
        Row('hung', 'API hangs: p99 of known tokens', 'as before',
            best(table, lambda row: row['during_p99'], '{:.2f} ms'.format),
            '%.2f ms, before %.2f' % (ours['during_p99'], ours['before_p99']),
            '%.2f to %.2f, before %.2f to %.2f, n=%d'
            % (min(ours['during']), max(ours['during']), min(ours['before']),
               max(ours['before']), len(ours['before'])),
            REACHED if same and ours['waited'] else MISSED),
        Row('hung_client', 'API hangs: the client that waits',
            '503 after %.0f s' % TIMEOUT, '',
            '%s after %.1f s' % (words(ours['statuses']), ours['seconds']), '',
            REACHED if on_time else MISSED),
    ]


def words(statuses):
    return ', '.join(str(n) if n else 'nothing' for n in statuses)


def lock_row(results):
    found = results['lock']

    return Row('lock', '%d workers, one zone: waiting for its lock'
               % found['workers'], '1 % of their time', '',
               '%.2f %%' % (found['part'] * 100),
               '{requests:,} requests, {locks:,} locks, {waits:,} waits'
               .format(**found),
               at_most(found['part'], 0.01))


def rows(results):
    return [
        ratio_row(results, 'hot', 1.05, '1.05, aim 1.03'),
        ratio_row(results, 'random', 1.12, '1.12'),
        ratio_row(results, 'rules', 1.12, '1.12'),
        ratio_row(results, 'proxied', 1.03, '1.03'),
        instructions_row(results),
        calls_row(results),
        look_up_row(results),
        memory_row(results),
        miss_row(results),
        storm_row(results),
        *hung_rows(results),
        lock_row(results),
    ]
