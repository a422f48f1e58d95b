"""Smoke tests of the ARMv6 root: its Python, and its C library.

Every module that a Python of Debian has does one real thing; then come chosen modules of CPython's
own tests (data folder `python`: `Lib` of its sources) and glibc's own tests of threads and memory
(data folder `tests`: compiled beside the C library). Runs on Python 2.7 and 3.4 to 3.15.
"""
from __future__ import print_function

import io
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PY2 = sys.version_info[0] == 2

# Modules of CPython's own tests: those quick ones that depend on the processor, the C library or
# another library. Behind a name, what is left out of it, by a part of a test's name.
CPYTHON_TESTS = {
    'array': (), 'binascii': (), 'bisect': (), 'bz2': (), 'cmath': (), 'complex': (),
    'ctypes': ('find_library_with',),  # gcc or ld
    'float': (), 'hashlib': (), 'heapq': (), 'json': (), 'marshal': (), 'math': (),
    'memoryview': (), 'queue': (), 'select': (), 'struct': (), 'thread': (), 'threading': (),
    'threading_local': (), 'time': (), 'zlib': (),
}
# Where they are, if not in test.test_NAME: (the first Python for which it holds, module).
CPYTHON_MODULES = {
    'ctypes': [((3, 12), 'test.test_ctypes.*'), ((2, 7), 'ctypes.test.*')],
    'json': [((3, 0), 'test.test_json.*'), ((2, 7), 'json.tests.*')],
}
# glibc's tests, without their `tst-`: those of threads, and those of memory. They are the ones of
# systems/armv6-libc/tests.txt.
LIBC_TESTS = {
    'nptl': '''
        abstime atfork1 attr1 attr2 attr3 exec1 exit1 fork1 fork2 barrier1 barrier2 barrier3
        barrier4 basic1 basic4 basic5 basic6 call-once cancel1 cancel2 cancel3 cancel8 cancel10
        cleanup0 cleanup1 cleanup2 cleanup3 cnd-basic cnd-broadcast cond1 cond2 cond4 cond5
        cond7 cond8 cond9 cond12 cond20 cond22 cond23 join1 join2 join4 join6 key1 key2 key3
        key4 kill1 mtx-basic mtx-recursive mtx-timedlock mutex-errorcheck mutex1 mutex2 mutex3
        mutex4 mutex8 mutex11 once1 once3 pt-tls1 pt-tls2 pthread-getattr raise1 robust1 robust2
        robust3 robust8 rwlock1 rwlock4 rwlock12 rwlock13 rwlock14 sem1 sem3 sem4 sem7 sem8 sem9
        sem10 setgetname signal1 signal2 spin1 spin2 spin3 stack2 thread-setspecific tsd1 tsd2
        tsd3 tsd4 tsd5 tss-basic
    ''',
    'malloc': '''
        alloc_buffer calloc dynarray free-errno mallinfo2 malloc malloc-thread-exit
        malloc-too-large mallocalign1 mallocfork mallopt memalign mxfast obstack posix_memalign
        pvalloc realloc reallocarray safe-linking scratch_buffer tcfree1 tcfree2 tcfree3 trim1
        valloc
    ''',
}
# Generous: an emulator on a busy machine is slow, and what hangs is found all the same.
LIMIT = 600  # seconds, of one process
TEST_SECONDS = 3 * LIMIT  # so that a process that hangs is told by its own limit


def run(case, argv, **options):
    """Runs a program to its end; returns its exit code and what it printed."""
    before = os.times()
    # What one process compiles of pip and of CPython's tests is there for the next one.
    environment = dict(os.environ, PYTHONPYCACHEPREFIX=os.path.join(
        tempfile.gettempdir(), 'compiled'))
    environment.pop('PYTHONDONTWRITEBYTECODE', None)
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=printed, env=environment,
                                   stderr=subprocess.STDOUT, preexec_fn=os.setsid, **options)
        process.stdin.close()
        end = time.time() + LIMIT
        while process.poll() is None and time.time() < end:
            time.sleep(0.05)
        hung = process.poll() is None
        try:
            os.killpg(process.pid, signal.SIGKILL)  # what it started too
        except OSError:
            pass
        process.wait()
        printed.seek(0)
        text = printed.read().decode('utf-8', 'replace')
    after = os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    case.note('cpu_seconds', round(case.notes.get('cpu_seconds', 0) + cpu, 2))
    case.check(not hung, '%s did not end within %d s; it printed: %s'
               % (' '.join(argv), LIMIT, text[-1000:]))
    return process.returncode, text


def python(case, code):
    """Runs a piece of Python in a process of its own; returns what it printed."""
    status, text = run(case, [sys.executable, '-c', code])
    case.equal(status, 0, 'exit code, having printed %s' % text[-1000:])
    return text


class Folder(object):
    """An empty folder for a while."""

    def __enter__(self):
        self.path = tempfile.mkdtemp()
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


# --- what Python is made of -----------------------------------------------------------------------


def test_every_extension_loads(case):
    """Each extension module that was built is imported: none wants a name that nobody has."""
    folders = [folder for folder in sys.path if os.path.basename(folder) == 'lib-dynload']
    names = sorted(set(entry.split('.')[0] for folder in folders for entry in os.listdir(folder)
                       if '.so' in entry and 'test' not in entry and 'xx' not in entry))
    wrong = []
    for name in names:
        try:
            __import__(name)
        except ImportError as error:
            wrong.append('%s: %s' % (name, error))
    case.note('extensions', names)
    case.check(len(names) >= 20, 'only %d extension modules in %s' % (len(names), folders))
    case.equal(wrong, [])


def test_hashlib(case):
    """Digests of 'abc' as FIPS 180-2, FIPS 202 and RFC 1321 give them."""
    import hashlib
    known = {
        'md5': '900150983cd24fb0d6963f7d28e17f72',
        'sha1': 'a9993e364706816aba3e25717850c26c9cd0d89d',
        'sha256': 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
        'sha512': 'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a'
                  '2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    }
    if sys.version_info >= (3, 6):
        known['sha3_256'] = '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532'
    for name, digest in sorted(known.items()):
        case.equal(getattr(hashlib, name)(b'abc').hexdigest(), digest, name)
        case.equal(hashlib.new(name, b'abc').hexdigest(), digest, name + ' of OpenSSL')
    # RFC 6070's second vector.
    case.equal(hashlib.pbkdf2_hmac('sha1', b'password', b'salt', 2)[:4], b'\xea\x6c\x01\x4d')


def test_compression(case):
    """zlib, bz2 and lzma give back what they took; zlib's CRC is the known one."""
    import bz2
    import zlib
    case.equal(zlib.crc32(b'123456789') & 0xffffffff, 0xcbf43926, 'CRC-32')  # its check value
    modules = [zlib, bz2]
    if not PY2:
        import lzma
        modules.append(lzma)
    data = b''.join(struct.pack('>I', number * number) for number in range(20000))
    for module in modules:
        packed = module.compress(data)
        case.check(len(packed) < len(data), module.__name__ + ' makes nothing smaller')
        case.check(module.decompress(packed) == data, module.__name__ + ' gives something else')


def test_sqlite3(case):
    """A table, a sum over it, a function in Python, a full-text search."""
    import sqlite3
    with Folder() as folder:
        base = sqlite3.connect(os.path.join(folder, 'base'))
        base.execute('create table t (n integer, x real, s text)')
        base.executemany('insert into t values (?, ?, ?)',
                         [(n, n / 4.0, u'row %d' % n) for n in range(1000)])
        base.commit()
        case.equal(base.execute('select sum(n), sum(x), max(s) from t').fetchone(),
                   (499500, 124875.0, u'row 999'))
        base.create_function('twice', 1, lambda x: 2 * x)
        case.equal(base.execute('select twice(x) from t where n = 3').fetchone(), (1.5,))
        base.execute('create virtual table words using fts5 (body)')
        base.execute('insert into words values (?)', (u'a raspberry and a pi',))
        case.equal(base.execute("select count(*) from words where words match 'raspberry'")
                   .fetchone(), (1,))
        base.close()
        case.note('sqlite', sqlite3.sqlite_version)


def test_ctypes(case):
    """Calls into the C library: numbers, doubles in VFP registers, structures, a callback."""
    import ctypes
    libc, libm = ctypes.CDLL('libc.so.6'), ctypes.CDLL('libm.so.6')
    case.equal(libc.strlen(b'raspberry'), 9)
    libc.strtoll.restype = ctypes.c_longlong
    case.equal(libc.strtoll(b'-1234567890123', None, 10), -1234567890123)
    libm.ldexp.restype = ctypes.c_double
    libm.ldexp.argtypes = [ctypes.c_double, ctypes.c_int]
    case.equal(libm.ldexp(0.75, 4), 12.0)
    libm.fmaf.restype = ctypes.c_float
    libm.fmaf.argtypes = [ctypes.c_float] * 3
    case.equal(libm.fmaf(1.5, 2.0, 0.25), 3.25)

    class Quotient(ctypes.Structure):
        _fields_ = [('quot', ctypes.c_longlong), ('rem', ctypes.c_longlong)]

    libc.lldiv.restype = Quotient
    libc.lldiv.argtypes = [ctypes.c_longlong] * 2
    quotient = libc.lldiv(10 ** 12 + 7, 10)
    case.equal((quotient.quot, quotient.rem), (10 ** 11, 7))
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int),
                               ctypes.POINTER(ctypes.c_int))(lambda a, b: a[0] - b[0])
    numbers = (ctypes.c_int * 6)(5, 3, 1, 4, 2, 0)
    libc.qsort(numbers, 6, 4, compare)
    case.equal(list(numbers), [0, 1, 2, 3, 4, 5])


def test_ssl(case):
    """A TLS handshake over a socket pair, with the certificate of CPython's own tests."""
    if sys.version_info[:2] == (3, 4):
        case.skip('CPython 3.4 cannot be built with OpenSSL 1.1 or newer: it has no _ssl')
    import ssl
    places = [case.data('python', 'test', *parts)
              for parts in (('certdata', 'keycert.pem'), ('keycert.pem',))]
    certificate = [path for path in places if os.path.isfile(path)][0]
    # The certificate's dates and key size are those of its time.
    ours = ssl.SSLContext(getattr(ssl, 'PROTOCOL_TLS_SERVER', ssl.PROTOCOL_SSLv23))
    ours.set_ciphers('DEFAULT:@SECLEVEL=1')
    ours.load_cert_chain(certificate)
    theirs = ssl.create_default_context()
    theirs.set_ciphers('DEFAULT:@SECLEVEL=1')
    theirs.check_hostname = False
    theirs.verify_mode = ssl.CERT_NONE
    left, right = socket.socketpair()
    if PY2:  # its socketpair() gives no such sockets as ssl wraps
        listener = socket.socket()
        listener.bind(('127.0.0.1', 0))
        listener.listen(1)
        left = socket.create_connection(listener.getsockname())
        right = listener.accept()[0]

    def serve():
        server = ours.wrap_socket(right, server_side=True)
        server.sendall(server.recv(100).upper())
        server.close()

    thread = threading.Thread(target=serve)
    thread.daemon = True
    thread.start()
    left.settimeout(LIMIT)
    client = theirs.wrap_socket(left)
    client.sendall(b'raspberry')
    case.equal(client.recv(100), b'RASPBERRY')
    with open(certificate) as stream:
        pem = re.search('-----BEGIN CERTIFICATE.*?-----END CERTIFICATE-----\n', stream.read(), re.S)
    case.equal(client.getpeercert(True), ssl.PEM_cert_to_DER_cert(pem.group(0)), 'certificate')
    case.note('openssl', ssl.OPENSSL_VERSION)
    case.note('cipher', client.cipher())
    client.close()
    thread.join(LIMIT)
    case.check(not thread.is_alive(), 'the server did not end')


def test_threading(case):
    """Eight threads take turns; a condition, a semaphore and thread-local values hold."""
    local, lock, wrong = threading.local(), threading.Lock(), []
    condition, semaphore = threading.Condition(), threading.Semaphore(3)
    total = [0]
    ready = []

    def work(number):
        local.number = number
        for _ in range(200):
            with lock:
                total[0] += 1
        with semaphore:
            time.sleep(0.001)
        with condition:
            ready.append(number)
            condition.notify()
        if local.number != number:
            wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    with condition:
        end = time.time() + LIMIT
        while len(ready) < 8 and time.time() < end:
            condition.wait(1)
    for thread in threads:
        thread.join(LIMIT)
    case.equal((total, sorted(ready), wrong), ([1600], list(range(8)), []))


def test_multiprocessing(case):
    """A process with a pipe and a pool of two, by fork."""
    import math
    import multiprocessing
    context = multiprocessing if PY2 else multiprocessing.get_context('fork')
    ours, theirs = context.Pipe()
    process = context.Process(target=answer, args=(theirs,))
    process.start()
    ours.send({'number': 7})
    case.check(ours.poll(LIMIT), 'no answer')
    case.equal(ours.recv(), (7 * 7, process.pid))
    process.join(LIMIT)
    case.equal(process.exitcode, 0)
    pool = context.Pool(2)
    case.equal(pool.map_async(math.factorial, range(6)).get(LIMIT), [1, 1, 2, 6, 24, 120])
    pool.close()
    pool.join()


def answer(pipe):
    """What the process of test_multiprocessing does."""
    pipe.send((pipe.recv()['number'] ** 2, os.getpid()))


def test_multiprocessing_spawn(case):
    """A pool of one in a new interpreter, with its semaphores and its resource tracker."""
    if PY2:
        case.skip('Python 2 has fork only')
    import math
    import multiprocessing
    pool = multiprocessing.get_context('spawn').Pool(1)
    case.equal(pool.map_async(math.factorial, [5]).get(LIMIT), [120])
    pool.close()
    pool.join()


def test_readline(case):
    """A history that is written and read; keys that are bound."""
    readline = optional(case, 'readline')
    with Folder() as folder:
        path = os.path.join(folder, 'history')
        readline.clear_history()
        readline.add_history('import this')
        readline.write_history_file(path)
        readline.clear_history()
        readline.read_history_file(path)
        case.equal(readline.get_history_item(1), 'import this')
    readline.parse_and_bind('tab: complete')


def test_curses(case):
    """The description of a terminal is read, and a cursor movement made of it."""
    optional(case, '_curses')
    # term(5): magic, sizes of name, flags, numbers, offsets of strings, table of strings.
    movement = b'\x1b[%i%p1%d;%p2%dH\0'
    name = b'toy|a terminal\0'
    offsets = [-1] * 10 + [0]  # the eleventh string is cursor_address
    entry = struct.pack('<6h', 0o432, len(name), 1, 3, len(offsets), len(movement))
    entry += name + b'\1' + struct.pack('<3h', 80, 8, 24)
    entry += struct.pack('<%dh' % len(offsets), *offsets) + movement
    with Folder() as folder:
        os.mkdir(os.path.join(folder, 't'))
        with open(os.path.join(folder, 't', 'toy'), 'wb') as stream:
            stream.write(entry)
        os.environ['TERMINFO'] = folder
        try:
            text = python(case, 'import curses; curses.setupterm("toy", 1);'
                          'print(curses.tigetnum("cols"), curses.tigetnum("lines"));'
                          'print(repr(curses.tparm(curses.tigetstr("cup"), 3, 4)))')
        finally:
            del os.environ['TERMINFO']
    case.equal(re.findall(r'\d+', text), ['80', '24', '1', '4', '5'], 'numbers in ' + text)


def optional(case, name):
    """A module that not every build of Python has."""
    try:
        return __import__(name)
    except ImportError:
        if name in sys.builtin_module_names or has_extension(name):
            raise
        case.skip('this Python was built without ' + name)


def has_extension(name):
    """Whether there is a file for an extension module."""
    return any(entry.split('.')[0] == name for folder in sys.path if os.path.isdir(folder)
               for entry in os.listdir(folder) if entry.endswith('.so'))


def test_decimal_and_datetime(case):
    """Decimal arithmetic to fifty digits; a date before the epoch."""
    import datetime
    import decimal
    context = decimal.Context(prec=50)
    case.equal(str(context.sqrt(decimal.Decimal(2))),
               '1.4142135623730950488016887242096980785696718753769')
    case.equal((datetime.datetime(1970, 1, 1) - datetime.datetime(1900, 1, 1)).days, 25567)


def test_locale_and_text(case):
    """Text of several planes goes out to a file and comes back."""
    text = u'\u03c0 \u20ac \U0001f353'
    with Folder() as folder:
        path = os.path.join(folder, 'file')
        with io.open(path, 'w', encoding='utf-8') as stream:
            stream.write(text)
        with open(path, 'rb') as stream:
            case.equal(stream.read(), b'\xcf\x80 \xe2\x82\xac \xf0\x9f\x8d\x93')
        with io.open(path, encoding='utf-8') as stream:
            case.equal(stream.read(), text)


def test_subprocess_and_tools(case):
    """A pipeline in the shell, of the tools that this root brings."""
    pipeline = 'seq 1 20 | grep 1 | sort -rn | head -n 3 | tr "\\n" ,'
    status, text = run(case, ['/bin/sh', '-c', pipeline])
    case.equal((status, text), (0, '19,18,17,'))


def test_pip(case):
    """pip says its version."""
    status, text = run(case, [sys.executable, '-m', 'pip', '--version'])
    case.equal(status, 0, 'exit code, having printed %s' % text)
    case.check(re.match(r'pip \d+', text), text)
    case.note('pip', text.split()[1])


def test_venv(case):
    """A virtual environment, whose Python has its own place and the system's pip."""
    venv(case, ['--without-pip', '--system-site-packages'], False)


def test_venv_with_its_own_pip(case):
    """A virtual environment with a pip of its own: minutes under an emulator."""
    venv(case, [], True)


test_venv_with_its_own_pip.level = 'full'


def venv(case, options, own_pip):
    """Makes a virtual environment and asks its pip for its version."""
    if PY2:
        case.skip('Python 2 has no venv')
    with Folder() as folder:
        place = os.path.join(folder, 'place')
        status, text = run(case, [sys.executable, '-m', 'venv'] + options + [place])
        case.equal(status, 0, 'exit code, having printed %s' % text[-1000:])
        program = os.path.join(place, 'bin', 'python')
        status, text = run(case, [program, '-c', 'import sys; print(sys.prefix)'])
        case.equal((status, text.strip()), (0, place))
        status, text = run(case, [program, '-m', 'pip', '--version'])
        case.equal(status, 0, 'exit code, having printed %s' % text[-1000:])
        case.equal(place in text, own_pip, text)


def test_shutdown(case):
    """A process ends that leaks a threading.local which holds another (python/cpython gh-102126).

    CPython 3.11.2 without the fix hangs for ever; programs that used hypothesis did.
    """
    text = python(case, '''
import ctypes, sys, threading
outer = threading.local()
outer.inner = threading.local()  # freed when the thread's state is cleared, and no earlier ...
ctypes.pythonapi.Py_IncRef(ctypes.py_object(outer))  # ... since this one outlives the modules
print("at the end")
sys.stdout.flush()
''')
    case.equal(text, 'at the end\n')


def test_shutdown_with_a_threads_finalizer(case):
    """A process ends although a daemon thread's values ask for the threads when they go.

    CPython 2.7 and 3.4 to 3.8 without the fix of the above hang for ever.
    """
    text = python(case, '''
import sys, threading, time
class Asks(object):
    frames = staticmethod(sys._current_frames)
    def __del__(self):
        self.frames()
def work():
    local = threading.local()
    local.asks = Asks()
    ready.set()
    while True:
        time.sleep(10)
ready = threading.Event()
thread = threading.Thread(target=work)
thread.daemon = True
thread.start()
ready.wait()
print("at the end")
sys.stdout.flush()
''')
    case.equal(text, 'at the end\n')


def test_shutdown_with_daemon_threads(case):
    """A process ends whose daemon threads still run."""
    text = python(case, '''
import threading, time
def work():
    while True:
        time.sleep(0.0001)
for _ in range(10):
    thread = threading.Thread(target=work)
    thread.daemon = True
    thread.start()
time.sleep(0.1)
print("at the end")
''')
    if sys.version_info[0] > 2:
        case.equal(text, 'at the end\n')
    else:
        # Python 2 takes its modules away under threads that run, and may say so; it ends all the same.
        case.check('at the end' in text.splitlines(), text)


# --- CPython's own tests --------------------------------------------------------------------------


def module_of(name):
    """The module of CPython's tests for a name, in this Python."""
    for first, module in CPYTHON_MODULES.get(name, []):
        if sys.version_info >= first:
            return module
    return 'test.test_' + name


def cpython_test(name, left_out):
    """A test of ours that runs a module of CPython's."""

    def test(case):
        lib = case.data('python')
        with Folder() as folder:
            out = os.path.join(folder, 'out.json')
            program = os.path.join(HERE, 'smoke', 'cpython_tests.py')
            argv = [sys.executable, program, lib, module_of(name), out] + list(left_out)
            status, text = run(case, argv, cwd=folder)
            case.check(os.path.exists(out), 'exit code %s, no results; it printed: %s'
                       % (status, text[-2000:]))
            with open(out) as stream:
                result = json.load(stream)
        for key in ('run', 'skipped', 'left_out', 'reasons'):
            case.note(key, result[key])
        print('%s: %d run, %d skipped, %d left out' % (
            name, result['run'], result['skipped'], result['left_out']))
        for failure in result['failures']:
            print(failure['name'])
            print(failure['traceback'].encode('ascii', 'backslashreplace').decode('ascii'))
        case.check(not result['failures'], '%d of %d failed: %s' % (
            len(result['failures']), result['run'],
            ', '.join(failure['name'] for failure in result['failures'][:10])))
        case.check(result['run'] > result['skipped'], 'nothing was run: %s' % result['reasons'])

    test.__doc__ = "CPython's own tests: %s." % name
    return test


for _name, _left_out in CPYTHON_TESTS.items():
    globals()['test_cpython_' + _name] = cpython_test(_name, _left_out)


# --- glibc's own tests ----------------------------------------------------------------------------


def libc_test(folder, name):
    """A test of ours that runs a program of glibc's: 0 is passed, 77 does not apply here."""

    def test(case):
        with Folder() as scratch:
            status, text = run(case, [case.data('tests', folder, 'tst-' + name)], cwd=scratch)
        if status == 77:
            case.skip(text[-300:])
        case.equal(status, 0, 'exit code, having printed %s' % text[-1000:])

    test.__doc__ = "glibc's own test %s/tst-%s." % (folder, name)
    return test


for _folder, _names in LIBC_TESTS.items():
    for _name in _names.split():
        globals()['test_libc_%s_%s' % (_folder, _name)] = libc_test(_folder, _name)


def test_libc_selection(case):
    """The programs that were compiled are those that are run, no more and no fewer."""
    for folder, names in sorted(LIBC_TESTS.items()):
        case.equal(sorted(os.listdir(case.data('tests', folder))),
                   sorted('tst-' + name for name in names.split()), folder)
