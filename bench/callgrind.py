"""Instructions of a request, counted by callgrind."""

import collections
import os
import re
import signal
import subprocess
import time

from servers import Connection

# at least so many requests

REQUESTS = 300

# of one request: in libcrypto, and everywhere else

Count = collections.namedtuple('Count', 'rest libcrypto')


def count(s, conf, name, path, tokens, **values):
    """
    Runs nginx with CONF once under callgrind; its requests present each of
    "tokens" by turns, and all of them have been seen before.
    """

    out = os.path.join(s.run, 'callgrind.' + name)

    port, process = s.nginx(
        conf, 'count-' + name, main='user root; master_process off;',
        command=['valgrind', '-q', '--tool=callgrind', '--instr-atstart=no',
                 '--callgrind-out-file=' + out], **values)

    # the first requests ask the API, and fill the caches

    connection = Connection(port)
    turns = -(-REQUESTS // len(tokens))

    drive(connection, path, tokens, max(2, -(-20 // len(tokens))))
    control(process.pid, 'on')
    drive(connection, path, tokens, turns)
    control(process.pid, 'off')
    connection.close()

    s.stop_one(process, signal.SIGQUIT)

    text = subprocess.run(['callgrind_annotate', '--threshold=100', out],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    total = number(re.search(r'^ *([\d,]+) .*PROGRAM TOTALS', text, re.M))
    libcrypto = sum(number(m) for m in
                    re.finditer(r'^ *([\d,]+) .*libcrypto', text, re.M))
    requests = turns * len(tokens)

    return Count((total - libcrypto) / requests, libcrypto / requests)


def drive(connection, path, tokens, turns):
    for _ in range(turns):
        for token in tokens:
            status = connection.get(path, token)

            if status != 200:
                raise SystemExit('%s: %d' % (path, status))


def control(pid, state):
    subprocess.run(['callgrind_control', '-i', state, str(pid)],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=True)
    time.sleep(0.2)


def number(match):
    return int(match.group(1).replace(',', ''))
