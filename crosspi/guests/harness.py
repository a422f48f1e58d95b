#!/usr/bin/env python
# Old Python on purpose, without annotations.
# mypy: ignore-errors
# ruff: noqa
"""Runs a recipe's smoke tests on the (emulated) board.

    python harness.py SMOKE.PY --out RESULTS.json [--data NAME=DIR]... [--level default|full]
                      [--test NAME]...

This one file is all that the board needs beside the wheels: standard library only, Python 2.7 and
3.4 to 3.15 (no f-strings, no annotations, no pathlib).

SMOKE.PY is a plain module. Each function `test_*` takes one argument, a `Case`, and is run in the
order of definition. `test_x.level = 'full'` keeps a test out of the default level. A folder
`smoke/` beside SMOKE.PY is put on `sys.path`, for what recorders share with the tests.

Each test has a limit of its own: `test_x.seconds`, else SMOKE.PY's `TEST_SECONDS`, else that of the
level. A test over its limit is ended by SIGALRM, whose action is the system's: it works where a
test hangs in C code and holds Python's lock. Python's stack is printed before (not by Python 2.7),
and the run is over: what would come after a hang in this process proves nothing.

Written while it runs, so that after a death by SIGILL or SIGSEGV the host knows which test it was:
`RESULTS.jsonl`, one JSON object a line, `event` = run | start | step | end | done. At the end, atomically:
`RESULTS.json`. A `start` without its `end` is the test that killed the process; a RESULTS.json
from a process that did not exit by itself means that it died, or hung, when Python shut down:
the pseudo test `(exit)`.

Exit codes: 0 every test passed; 1 a failure, an error, or nothing was run; 2 misuse of the harness
(nothing was tested; no results are written).
"""
from __future__ import print_function

import argparse
import io
import json
import math
import os
import platform
import re
import signal
import struct
import sys
import time
import traceback
import types

FORMAT = 1
LEVELS = ('default', 'full')
EXIT_PASSED, EXIT_FAILED, EXIT_MISUSE = 0, 1, 2
IMPORT = '(import)'  # the pseudo test that is the loading of SMOKE.PY itself
EXIT = '(exit)'  # and the one that is the end of Python
# Seconds that a test may take: generous, since an emulator on a busy machine is slow.
LIMITS = {'default': 300, 'full': 3600}
EXIT_LIMIT = 120

monotonic = getattr(time, 'monotonic', time.time)


class Misuse(Exception):
    """The harness was called wrongly: nothing is said about the wheel."""


class Failure(AssertionError):
    """A check of a test did not hold."""


class Skip(Exception):
    """The test does not apply here, and says why."""


class Case(object):
    """What a test is given: its data folders, its checks, and a place for facts."""

    def __init__(self, data, level='default', progress=None):
        self.notes = {}
        self.level = level
        self._data = data
        self._progress = progress

    def data(self, name, *parts):
        """The path of the source folder that was given by `--data NAME=DIR`, or of a file in it."""
        if name not in self._data:
            raise LookupError('no data folder %r was given to the harness (given: %s)'
                              % (name, ', '.join(sorted(self._data)) or 'none'))
        return os.path.join(self._data[name], *parts)

    def tools(self):
        """The unpacked wheels of the recipe's tool sets for tests, to be laid on a path."""
        return [self._data[name] for name in sorted(self._data) if name[:5] == 'tool-']

    def note(self, key, value):
        """Records a fact for the report."""
        self.notes[str(key)] = plain(value)

    def step(self, what):
        """Says what the test does next: a crash or a hang is told with it."""
        if self._progress is not None:
            self._progress.write('step', what=decoded(what))

    def skip(self, why):
        """Ends the test: it does not apply here."""
        raise Skip(why)

    def check(self, condition, message):
        """Fails with `message` unless `condition` holds."""
        if not condition:
            raise Failure(message)

    def equal(self, actual, expected, what='value'):
        """Fails unless both are equal: element by element and in shape for arrays."""
        shape, wanted = shape_of(actual), shape_of(expected)
        if shape != wanted:
            raise Failure('%s: shape %s, expected %s' % (what, shape, wanted))
        left, right = flat(actual), flat(expected)
        for place, (a, b) in enumerate(zip(left, right)):
            if not a == b and not (is_nan(a) and is_nan(b)):
                where = ' at element %d of %d' % (place, len(left)) if shape else ''
                raise Failure('%s%s: %s, expected %s' % (what, where, cut(repr(a)), cut(repr(b))))

    def close(self, actual, expected, rtol=1e-6, atol=0.0, what='value'):
        """Fails unless |actual - expected| <= atol + rtol * |expected|, element by element.

        Infinities and NaNs must be the same ones in the same places. Returns the largest
        absolute difference.
        """
        shape, wanted = shape_of(actual), shape_of(expected)
        if shape != wanted:
            raise Failure('%s: shape %s, expected %s' % (what, shape, wanted))
        left, right = flat(actual), flat(expected)
        worst = 0.0
        for place, (a, b) in enumerate(zip(left, right)):
            if a == b or (is_nan(a) and is_nan(b)):
                continue
            error = abs(a - b)
            if not error <= atol + rtol * abs(b):  # written so that a NaN fails
                where = ' at element %d of %d' % (place, len(left)) if shape else ''
                raise Failure('%s%s: %r, expected %r (difference %.3g, allowed %.3g)'
                              % (what, where, a, b, error, atol + rtol * abs(b)))
            worst = max(worst, error)
        return worst

    def raises(self, kinds, function, *args, **kwargs):
        """Calls `function` and returns its exception; fails unless it is one of `kinds`.

        The keyword argument `match` is a regular expression that its message must contain.
        """
        match = kwargs.pop('match', None)
        try:
            function(*args, **kwargs)
        except kinds as error:
            if match is not None and not re.search(match, text_of(error)):
                raise Failure('%s says %s: expected a message like %r'
                              % (type(error).__name__, cut(text_of(error)), match))
            return error
        names = getattr(kinds, '__name__', None) or ' or '.join(k.__name__ for k in kinds)
        raise Failure('%s was not raised' % names)


def shape_of(value):
    """The shape of an array or of nested lists; () for a scalar."""
    if hasattr(value, 'shape'):
        return tuple(int(size) for size in value.shape)
    if isinstance(value, (list, tuple)):
        return (len(value),) + (shape_of(value[0]) if value else ())
    return ()


def flat(value):
    """The elements of an array, of nested lists, or of a scalar, as plain Python values."""
    if hasattr(value, 'ravel') and hasattr(value, 'tolist'):
        return value.ravel().tolist()
    if isinstance(value, (list, tuple)):
        return [item for part in value for item in flat(part)]
    return [value]


def is_nan(value):
    return isinstance(value, float) and math.isnan(value)


def cut(text, limit=300):
    return text if len(text) <= limit else text[:limit] + '...'


def text_of(error):
    """The message of an exception as text, whatever its bytes are."""
    try:
        return decoded(str(error))
    except UnicodeError:  # Python 2: a message that is not ASCII
        return u'%s' % error


def decoded(text):
    return text.decode('utf-8', 'replace') if isinstance(text, bytes) else text


def plain(value):
    """A value that JSON can hold."""
    if hasattr(value, 'tolist'):
        value = value.tolist()
    if isinstance(value, dict):
        return dict((str(key), plain(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
        return repr(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, bytes):
        return decoded(value)
    return decoded(str(value))


def to_json(value, **options):
    return json.dumps(value, sort_keys=True, **options).encode('ascii')


def say(text):
    """One line of plain ASCII on stdout: an old Python in a C locale prints nothing else."""
    line = decoded(text).replace('\r', ' ').replace('\n', ' | ')
    print(line.encode('ascii', 'backslashreplace').decode('ascii'))
    sys.stdout.flush()


def cpu_seconds():
    if hasattr(time, 'process_time'):
        return time.process_time()
    times = os.times()
    return times[0] + times[1]


def cpu_facts():
    """What the board says of its processor: the first of each line of interest."""
    facts = {}
    wanted = ('model name', 'Processor', 'Features', 'CPU architecture', 'CPU part', 'Hardware',
              'Revision', 'Model')
    try:
        with io.open('/proc/cpuinfo', encoding='utf-8', errors='replace') as stream:
            for line in stream:
                key, _, value = line.partition(':')
                if key.strip() in wanted:
                    facts.setdefault(key.strip(), value.strip())
    except (IOError, OSError):
        pass
    return facts


def hwcap():
    """What the kernel (here: qemu) tells programs of the processor: AT_HWCAP and AT_HWCAP2."""
    found = {}
    try:
        with open('/proc/self/auxv', 'rb') as stream:
            data = stream.read()
        words = struct.unpack('@%dL' % (len(data) // struct.calcsize('@L')), data)
        for key, value in zip(words[::2], words[1::2]):
            if key in (16, 26):
                found['HWCAP' if key == 16 else 'HWCAP2'] = hex(value).rstrip('L')
    except (IOError, OSError, struct.error):
        pass
    return found


def board():
    """Where this runs."""
    facts = cpu_facts()
    return {
        'python': platform.python_version(),
        'python_full': decoded(sys.version),
        'executable': decoded(sys.executable or ''),
        'machine': platform.machine(),
        'uname': [decoded(part) for part in os.uname()],
        'libc': ' '.join(platform.libc_ver()).strip(),
        'bits': 64 if sys.maxsize > 2 ** 32 else 32,
        'byteorder': sys.byteorder,
        'cpu': facts.get('Model') or facts.get('model name') or facts.get('Processor') or '',
        'cpuinfo': facts,
        'hwcap': hwcap(),
    }


class Progress(object):
    """The JSON lines beside the results: each is in the kernel's hands before the next step."""

    def __init__(self, path):
        self._stream = open(path, 'wb')

    def write(self, event, **fields):
        fields['event'] = event
        self._stream.write(to_json(fields) + b'\n')
        self._stream.flush()

    def close(self):
        self._stream.close()


def load(path):
    """The module SMOKE.PY. Nothing is cached beside it: its folder is mounted read-only."""
    sys.dont_write_bytecode = True
    folder = os.path.join(os.path.dirname(path), 'smoke')
    if os.path.isdir(folder) and folder not in sys.path:
        sys.path.insert(0, folder)
    with open(path, 'rb') as stream:
        code = compile(stream.read(), path, 'exec', 0, True)
    module = types.ModuleType('crosspi_smoke')
    module.__file__ = path
    sys.modules[module.__name__] = module  # so that pickle finds what it defines
    exec(code, module.__dict__)
    return module


def tests_of(module):
    """[(name, function)] of the module's tests, in the order of definition.

    Those that it imports, from modules in `smoke/`, come after its own, a module after the other.
    """
    found = []
    for name, value in vars(module).items():
        if name.startswith('test_') and callable(value):
            code = getattr(value, '__code__', None)
            origin = code.co_filename if code else ''
            place = (origin != module.__file__, origin, code.co_firstlineno if code else 0, name)
            found.append((place, name, value))
    return [(name, value) for _, name, value in sorted(found, key=lambda item: item[0])]


def limit_of(function, module, level):
    """The seconds that a test may take."""
    limit = (getattr(function, 'seconds', None) or getattr(module, 'TEST_SECONDS', None)
             or LIMITS[level])
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise Misuse('%s has the odd limit %r: seconds are a whole number from 1'
                     % (function.__name__, limit))
    return limit


def run_one(name, function, case, progress, limit):
    """Runs one test (or the import) and returns its result and what the function returned."""
    progress.write('start', name=name, limit=limit)
    signal.alarm(limit)
    title = (getattr(function, '__doc__', None) or '').strip().split('\n')[0]
    result = {'name': name, 'title': decoded(title), 'outcome': 'passed', 'message': '',
              'traceback': ''}
    value = None
    wall, cpu = monotonic(), cpu_seconds()
    try:
        value = function(case)
    except Skip as why:
        result.update(outcome='skipped', message=text_of(why))
    except AssertionError as error:
        result.update(outcome='failed', message=text_of(error) or 'an assertion failed',
                      traceback=decoded(traceback.format_exc()))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a test must not end the run
        result.update(outcome='error', message='%s: %s' % (type(error).__name__, text_of(error)),
                      traceback=decoded(traceback.format_exc()))
    signal.alarm(0)
    result['seconds'] = round(monotonic() - wall, 4)
    result['cpu_seconds'] = round(cpu_seconds() - cpu, 4)
    result['notes'] = case.notes
    progress.write('end', **result)
    say('%-7s %-40s %8.3f s%s' % (result['outcome'], name, result['seconds'],
                                  '  ' + cut(result['message']) if result['message'] else ''))
    return result, value


def run(options, progress):
    """Runs everything; returns the results as one dictionary."""
    where = board()
    progress.write('run', format=FORMAT, board=where, smoke=options.smoke, level=options.level)
    say('python %s on %s, %s, tests of %s, level %s'
        % (where['python'], where['machine'], where['cpu'] or 'unknown processor', options.smoke,
           options.level))
    wall, cpu = monotonic(), cpu_seconds()
    data = dict(options.data)
    loading, module = run_one(IMPORT, lambda case: load(options.smoke),
                              Case(data, options.level, progress), progress, LIMITS[options.level])
    results = [loading]
    message = ''
    if loading['outcome'] == 'passed':
        tests = tests_of(module)
        names = set(name for name, _ in tests)
        unknown = [name for name in options.test if name not in names]
        if unknown:
            raise Misuse('no test named %s in %s' % (', '.join(unknown), options.smoke))
        for name, function in tests:
            if options.test and name not in options.test:
                continue
            level = getattr(function, 'level', 'default')
            if level not in LEVELS:
                raise Misuse('%s has the unknown level %r' % (name, level))
            if level == 'full' and options.level != 'full' and name not in options.test:
                continue
            limit = limit_of(function, module, options.level)
            case = Case(data, options.level, progress)
            results.append(run_one(name, function, case, progress, limit)[0])
        if not any(result['outcome'] in ('passed', 'failed', 'error') for result in results[1:]):
            message = ('%s has no tests at level %s' % (options.smoke, options.level)
                       if len(results) == 1 else 'every test was skipped')
    counts = {}
    for result in results:
        if result['name'] != IMPORT or result['outcome'] != 'passed':
            counts[result['outcome']] = counts.get(result['outcome'], 0) + 1
    bad = counts.get('failed', 0) + counts.get('error', 0)
    passed = not bad and not message
    summary = dict((outcome, counts.get(outcome, 0))
                   for outcome in ('passed', 'failed', 'error', 'skipped'))
    say('%s: %s%s' % ('passed' if passed else 'FAILED',
                      ', '.join('%d %s' % (summary[key], key)
                                for key in ('passed', 'failed', 'error', 'skipped')),
                      '; ' + message if message else ''))
    return {
        'format': FORMAT,
        'outcome': 'passed' if passed else 'failed',
        'message': message,
        'level': options.level,
        'smoke': options.smoke,
        'board': where,
        'counts': summary,
        'seconds': round(monotonic() - wall, 4),
        'cpu_seconds': round(cpu_seconds() - cpu, 4),
        'tests': results,
    }


def name_and_folder(text):
    name, equals, folder = text.partition('=')
    if not (name and equals and folder):
        raise argparse.ArgumentTypeError('%r is not NAME=DIR' % text)
    if not os.path.isdir(folder):
        raise argparse.ArgumentTypeError('%s: there is no folder %s' % (name, folder))
    return name, os.path.abspath(folder)


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog='harness.py', description="Runs a recipe's smoke tests on the board.")
    parser.add_argument('smoke', help="the recipe's smoke.py")
    parser.add_argument('--out', required=True, metavar='FILE.json',
                        help='the results; progress goes to FILE.jsonl beside it')
    parser.add_argument('--data', action='append', default=[], type=name_and_folder,
                        metavar='NAME=DIR', help='a folder of test data, by name (repeatable)')
    parser.add_argument('--level', choices=LEVELS, default='default')
    parser.add_argument('--test', action='append', default=[], metavar='NAME',
                        help='only this test (repeatable)')
    options = parser.parse_args(arguments)
    options.smoke = os.path.abspath(options.smoke)
    options.out = os.path.abspath(options.out)
    if not os.path.isfile(options.smoke):
        parser.error('there is no file %s' % options.smoke)
    if not options.out.endswith('.json'):
        parser.error('--out must end in .json: %s' % options.out)
    if not os.path.isdir(os.path.dirname(options.out)):
        parser.error('there is no folder %s' % os.path.dirname(options.out))
    return options


def explain_crashes():
    """The Python stack on stderr at SIGSEGV, SIGILL and the like, at the limit, and at SIGTERM."""
    try:
        import faulthandler
        faulthandler.enable()
        faulthandler.register(signal.SIGALRM, chain=True)
        faulthandler.register(signal.SIGTERM, chain=True)
    except Exception:  # Python 2.7, or no stderr
        pass


def main(arguments=None):
    options = parse(arguments)
    explain_crashes()
    lines = options.out + 'l'
    for old in (options.out, lines):
        if os.path.exists(old):
            os.remove(old)
    try:
        progress = Progress(lines)
    except (IOError, OSError) as error:
        print('harness.py: cannot write %s: %s' % (lines, error), file=sys.stderr)
        return EXIT_MISUSE
    try:
        results = run(options, progress)
    except Misuse as error:
        progress.close()
        os.remove(lines)
        print('harness.py: %s' % error, file=sys.stderr)
        return EXIT_MISUSE
    code = EXIT_PASSED if results['outcome'] == 'passed' else EXIT_FAILED
    with open(options.out + '.part', 'wb') as stream:
        stream.write(to_json(results, indent=1) + b'\n')
    os.rename(options.out + '.part', options.out)
    progress.write('start', name=EXIT, limit=EXIT_LIMIT)
    signal.alarm(EXIT_LIMIT)
    progress.write('done', exit=code)
    progress.close()
    return code


if __name__ == '__main__':
    sys.exit(main())
