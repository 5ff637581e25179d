"""What the benchmarks start and stop: nginx, agilicus-authority, tokens."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(BENCH)
BUILD = os.environ.get('BUILD', os.path.join(ROOT, 'build'))

if subprocess.call([os.path.join(ROOT, 'scripts', 'paths')]):
    sys.exit(1)

SCOPES = ['urn:agilicus:users:reader', 'urn:agilicus:orgs:reader',
          'urn:agilicus:permits:reader', 'urn:agilicus:permits:writer',
          'urn:agilicus:reports:reader']

AUDIENCES = ['gateway', 'users', 'tools', 'files', 'reports', 'permits',
             'meters', 'policies', 'issuers', 'audits', 'catalogues',
             'lookups', 'messages']

# tokens of 900 bytes, as they are in the field

ISSUE = ('sub=ana-ruiz,org=riverton,force=1,duration=24h,roles=permits:owner,'
         'aud=' + '+'.join('urn:api:agilicus:' + a for a in AUDIENCES))


def nginx_binary():
    path = os.environ.get('PATH', '') + ':/usr/sbin'

    return shutil.which('nginx', path=path)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


def await_port(port, process):
    for _ in range(600):
        try:
            socket.create_connection(('127.0.0.1', port)).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)

    raise SystemExit('nothing listens on port %d of 127.0.0.1' % port)


def rules(count):
    """Host rules as tokens have them: literal and prefix paths, by turns."""

    paths = ['/service/%02d/%s' % (i, 'items' if i % 2 else '.*')
             for i in range(count)]

    return [{
        'upstream_host': 'bench.example',
        'allowed_list': [{'methods': ['get'], 'paths': [path],
                          'separate_query': True}
                         for path in paths],
    }]


class Servers:

    def __init__(self, run, server_core=0, other_core=1):
        self.run = run
        self.server_core = server_core
        self.other_core = other_core
        self.processes = []
        self.apis = 0

        shutil.rmtree(run, ignore_errors=True)
        os.makedirs(run)
        os.chmod(run, 0o755)

        self.db = os.path.join(run, 'authority.db')

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def spawn(self, command, core):
        log = open(os.path.join(self.run, 'output.log'), 'ab')
        process = subprocess.Popen(command, stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL,
                                   preexec_fn=pinned(core))
        log.close()
        self.processes.append(process)

        return process

    def stop_one(self, process, how=signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(how)

        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

        if process in self.processes:
            self.processes.remove(process)

    def stop(self):
        for process in list(reversed(self.processes)):
            self.stop_one(process)

    def authority_command(self):
        return [os.path.join(BUILD, 'agilicus-authority'), '--db', self.db,
                '--seed', os.path.join(ROOT, 'conf', 'organisation.json')]

    def issue(self, name, what, count=1):
        """Writes tokens to a file, a line each; returns its name."""

        path = os.path.join(self.run, name)

        with open(path, 'w') as f:
            subprocess.run(self.authority_command()
                           + ['--issue-count', str(count), '--issue', what],
                           stdout=f, check=True)

        return path

    def issue_all(self, count):
        hosts = os.path.join(self.run, 'rules.json')

        with open(hosts, 'w') as f:
            json.dump(rules(50), f)

        none = os.path.join(self.run, 'no-rules.json')

        with open(none, 'w') as f:
            f.write('[]')

        five = 'scopes=' + '+'.join(SCOPES)

        self.tokens = self.issue('tokens', '%s,%s,hosts=%s'
                                 % (ISSUE, five, none), count)
        self.ruled = self.issue('ruled', '%s,%s,hosts=%s'
                                % (ISSUE, five, hosts), 1)

    def authority(self, *options):
        """Starts one more; returns its port, its process and its log."""

        port = free_port()
        log = os.path.join(self.run, 'requests-%d.log' % port)

        process = self.spawn(self.authority_command()
                             + ['--listen', '127.0.0.1:%d' % port,
                                '--request-log', log, *options],
                             self.other_core)
        await_port(port, process)

        return port, process, log

    def answer(self):
        """What the instant API says: the answer for the first token."""

        with open(self.tokens) as f:
            token = f.readline().strip()

        body = json.dumps({'token': token}).encode()

        with socket.create_connection(('127.0.0.1', self.api)) as s:
            s.sendall(b'POST /v1/tokens/introspect HTTP/1.1\r\nHost: a\r\n'
                      b'Content-Type: application/json\r\nConnection: close'
                      b'\r\nContent-Length: %d\r\n\r\n%s' % (len(body), body))
            reply = b''
            while True:
                more = s.recv(65536)
                if not more:
                    break
                reply += more

        head, _, text = reply.partition(b'\r\n\r\n')

        if b' 200 ' not in head.split(b'\r\n')[0]:
            raise SystemExit('the authority does not know its token')

        answer = json.loads(text)

        return json.dumps(answer).replace("'", '').replace('$', '')

    def nginx(self, conf, name=None, core=None, main='', command=(), **values):
        """Starts nginx with bench/nginx/CONF.conf; returns port, process."""

        name = name or conf
        port = free_port()
        prefix = os.path.join(self.run, name)
        os.makedirs(prefix, exist_ok=True)

        values = {
            'RUN': self.run, 'NAME': name, 'PORT': port,
            'API': getattr(self, 'api', 1),
            'INSTANT': getattr(self, 'instant', 1),
            'MODULE': os.path.join(BUILD, 'ngx_agilicus_token_module.so'),
            'MODULES': '/usr/lib/nginx/modules',
            'SCOPES': ' '.join(SCOPES[2:]),
            'WORKERS': 1, 'ZONE': '64m', 'OPEN_FILE_CACHE': '',
            'ANSWER': '{}', **values,
        }

        for file in os.listdir(os.path.join(BENCH, 'nginx')):
            with open(os.path.join(BENCH, 'nginx', file)) as f:
                text = f.read()
            for key, value in values.items():
                text = text.replace('@%s@' % key, str(value))
            with open(os.path.join(prefix, file), 'w') as f:
                f.write(text)

        process = self.spawn([*command, nginx_binary(), '-p', prefix + '/',
                              '-c', os.path.join(prefix, conf + '.conf'),
                              '-e', os.path.join(prefix, 'error.log'),
                              '-g', main or 'user root;'],
                             self.server_core if core is None else core)

        if conf == 'app':
            await_port(values['INSTANT'], process)
        else:
            await_port(port, process)

        return port, process

    def start_apis(self):
        self.api, self.authority_process, self.log = self.authority()
        self.instant = free_port()
        self.nginx('app', core=self.other_core, ANSWER=self.answer())


def workers(process):
    """Process ids of nginx's workers, as soon as there are any."""

    path = '/proc/%d/task/%d/children' % (process.pid, process.pid)

    for _ in range(100):
        with open(path) as f:
            pids = [int(pid) for pid in f.read().split()]
        if pids:
            return pids
        time.sleep(0.05)

    raise SystemExit('nginx has no worker')


def schedstat(pid):
    """Nanoseconds on a core, and nanoseconds waiting for one."""

    with open('/proc/%d/schedstat' % pid) as f:
        return [int(n) for n in f.read().split()[:2]]


def steal(core):
    """Seconds that the machine wanted the core and did not get it."""

    with open('/proc/stat') as f:
        for line in f:
            if line.startswith('cpu%d ' % core):
                return int(line.split()[8]) / os.sysconf('SC_CLK_TCK')

    return 0


def request(path, token):
    return (b'GET %s HTTP/1.1\r\nHost: bench.example\r\n'
            b'Authorization: Bearer %s\r\n\r\n'
            % (path.encode(), token.encode()))


class Connection:
    """A client of nginx that sends one request after the other."""

    def __init__(self, port, seconds=60):
        self.socket = socket.create_connection(('127.0.0.1', port), seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self.socket.close()

    def get(self, path, token):
        """Sends a request, reads its answer as a whole, returns its status."""

        self.socket.sendall(request(path, token))

        got, want = b'', None

        while want is None or len(got) < want:
            more = self.socket.recv(65536)

            if not more:
                raise SystemExit('nginx closed a connection')

            got += more

            if want is None and b'\r\n\r\n' in got:
                head = got[:got.index(b'\r\n\r\n') + 4]
                body = re.search(rb'(?i)\r\ncontent-length: *(\d+)', head)
                want = len(head) + int(body.group(1))

        return int(got[9:12])


def ask(port, path, token, seconds=10):
    """One request; returns its status, or 0, and the seconds it took."""

    start = time.monotonic()

    try:
        with socket.create_connection(('127.0.0.1', port), seconds) as s:
            s.sendall(b'GET %s HTTP/1.1\r\nHost: bench.example\r\n'
                      b'Connection: close\r\nAuthorization: Bearer %s\r\n\r\n'
                      % (path.encode(), token.encode()))
            line = s.recv(4096)
            status = int(line.split(b' ')[1])

    except (OSError, IndexError, ValueError):
        status = 0

    return status, time.monotonic() - start
