"""numpy's smoke tests: known answers on the board.

No expectation comes from numpy itself. Each is a closed form, worked out by hand, computed by
Python's own arithmetic, or published: by the ISO C++ standard (MT19937), by numpy's documentation
(documented streams), or as a well-known test value of floating point. Runs on Python 2.7 and 3.4
to 3.15 with numpy 1.11 to 2.x.
"""
from __future__ import division, print_function

import cmath
import glob
import io
import math
import os
import pickle
import re
import struct
import subprocess
import sys
import tempfile
import threading
import warnings

import numpy as np

VERSION = tuple(int(part) for part in re.findall(r'\d+', np.__version__)[:2])
POINTER = struct.calcsize('P')


def as_float32(value):
    """The float32 nearest to a Python float, by way of struct."""
    return struct.unpack('<f', struct.pack('<f', value))[0]


def test_every_extension_loads(case):
    """Each native file of the wheel is imported."""
    top = os.path.dirname(os.path.abspath(np.__file__))
    names = []
    for folder, _, files in os.walk(top):
        for name in files:
            if name.endswith('.so') and not os.path.basename(folder).endswith('libs'):
                path = os.path.relpath(os.path.join(folder, name.split('.')[0]), top)
                names.append('numpy.' + path.replace(os.sep, '.'))
    case.note('numpy', np.__version__)
    case.note('extensions', sorted(names))
    case.check(len(names) >= 8, 'only %d native files below %s' % (len(names), top))
    os.environ['NUMPY_EXPERIMENTAL_DTYPE_API'] = '1'  # or _umath_tests of 1.2x refuses to load
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for name in sorted(names):
            __import__(name)
    del os.environ['NUMPY_EXPERIMENTAL_DTYPE_API']
    try:
        import numpy.f2py  # noqa: F401
        case.note('f2py', True)
    except ImportError:
        case.note('f2py', False)


def test_scripts(case):
    """f2py is there, and not under the name of another Python."""
    (record,) = glob.glob(os.path.join(os.path.dirname(os.path.dirname(np.__file__)),
                                       'numpy-*.dist-info', 'RECORD'))
    with io.open(record, encoding='utf-8') as stream:
        found = re.findall(r'bin/f2py([0-9.]*),', stream.read())
    case.check(found, 'no script f2py')
    names = ('', '%d' % sys.version_info[0], '%d.%d' % sys.version_info[:2])
    case.equal([version for version in found if version not in names], [], 'versions of f2py')


def test_cpu_features(case):
    """numpy does not claim a processor feature that the kernel does not report."""
    umath = getattr(np, '_core', None) or np.core
    features = getattr(getattr(umath, '_multiarray_umath', None), '__cpu_features__', None)
    if features is None:
        case.skip('numpy %s does not report processor features' % np.__version__)
    found = sorted(name for name, have in features.items() if have)
    case.note('features', found)
    try:
        with io.open('/proc/cpuinfo', encoding='utf-8', errors='replace') as stream:
            lines = stream.read().lower()
    except (IOError, OSError):
        lines = ''
    if 'features' in lines:
        words = set(re.findall(r'\w+', ' '.join(re.findall(r'(?m)^features\s*:(.*)$', lines))))
        if 'NEON' in found:
            case.check(words & set(['neon', 'asimd']), 'numpy claims NEON: /proc/cpuinfo has none')


def test_sizes(case):
    """The C types have the board's sizes."""
    case.equal(np.dtype(np.intp).itemsize, POINTER, 'intp')
    case.equal(np.dtype('l').itemsize, struct.calcsize('l'), 'long')
    case.equal(np.dtype('q').itemsize, 8, 'long long')
    case.equal([np.dtype(kind).itemsize for kind in ('?', 'i1', 'i2', 'i4', 'i8', 'f2', 'f4', 'f8',
                                                     'c8', 'c16', 'M8[s]', 'm8[s]')],
               [1, 1, 2, 4, 8, 2, 4, 8, 8, 16, 8, 8], 'item sizes')
    longdouble = np.dtype(np.longdouble).itemsize
    case.note('longdouble', longdouble)
    if POINTER == 4 and os.uname()[4].startswith('arm'):
        case.equal(longdouble, 8, 'longdouble on 32-bit ARM')
        case.equal(np.dtype(np.clongdouble).itemsize, 16, 'clongdouble on 32-bit ARM')
        case.equal(float(np.finfo(np.longdouble).eps), 2.0 ** -52, 'eps of longdouble')
    case.equal(float(np.finfo(np.float32).eps), 2.0 ** -23, 'eps of float32')
    case.equal(float(np.finfo(np.float64).tiny), 2.0 ** -1022, 'tiny of float64')
    case.equal(int(np.iinfo(np.uint64).max), 2 ** 64 - 1, 'max of uint64')
    # 64-bit members are 8-aligned on ARM, as C has it there.
    aligned = np.dtype([('a', 'u1'), ('b', 'f8')], align=True)
    case.equal((aligned.itemsize, aligned.fields['b'][1]), (16, 8), 'aligned structure')


def test_integers(case):
    """Wrapping, 64-bit products, quotients and remainders of every sign."""
    case.equal(np.array([127], 'i1') + np.array([1], 'i1'), [-128], 'int8 wraps')
    case.equal(np.array([0], 'u2') - np.array([1], 'u2'), [65535], 'uint16 wraps')
    case.equal(np.array([2 ** 31 - 1], 'i4') + np.array([1], 'i4'), [-2 ** 31], 'int32 wraps')
    case.equal(np.array([2 ** 63 - 1], 'i8') + np.array([1], 'i8'), [-2 ** 63], 'int64 wraps')
    case.equal(np.array([3037000499], 'i8') ** 2, [9223372030926249001], 'int64 square')
    values = [7, -7, 2 ** 40 + 1, -2 ** 40 - 1, 2 ** 63 - 1, -2 ** 63, 123456789012345678]
    for divisor in (3, -3, 1000003, -(2 ** 33), 10 ** 12):
        a = np.array(values, 'i8')
        d = np.array([divisor] * len(values), 'i8')
        case.equal(a // d, [value // divisor for value in values], 'floor by %d' % divisor)
        case.equal(a % d, [value % divisor for value in values], 'remainder by %d' % divisor)
        case.equal(a // np.int64(divisor), [value // divisor for value in values], 'by scalar')
        truncated = [abs(value) % abs(divisor) * (1 if value > 0 else -1) for value in values]
        case.equal(np.fmod(a, d), truncated, 'fmod by %d' % divisor)
    big = [2 ** 64 - 1, 2 ** 63, 10 ** 19]
    case.equal(np.array(big, 'u8') // np.array([10], 'u8'), [value // 10 for value in big], 'u8 //')
    case.equal(np.array(big, 'u8') % np.array([97], 'u8'), [value % 97 for value in big], 'u8 %')
    with np.errstate(divide='ignore'):
        case.equal(np.array([5, 0], 'i8') // np.array([0, 0], 'i8'), [0, 0], 'division by zero')
    case.equal(np.left_shift(np.array([1], 'u8'), np.array([63], 'u8')), [2 ** 63], 'shift')
    case.equal(np.right_shift(np.array([-2 ** 63], 'i8'), np.array([62], 'i8')), [-2], 'sar')
    case.equal(np.array([2.0 ** 62, -2.0 ** 62, 2.0 ** 40 + 0.75]).astype('i8'),
               [2 ** 62, -2 ** 62, 2 ** 40], 'float64 to int64')
    case.equal(np.array([2 ** 63 + 2 ** 12], 'u8').astype('f8'), [2.0 ** 63 + 2.0 ** 12], 'u8 to f8')
    case.equal(np.array([2 ** 53 + 1], 'i8').astype('f8'), [2.0 ** 53], 'ties to even')
    case.equal(np.bitwise_xor.reduce(np.arange(1000, dtype='i8')), 0, 'xor')


def test_float16(case):
    """Conversion to and from half precision, its subnormals and its rounding."""
    known = [(0x0000, 0.0), (0x0001, 2.0 ** -24), (0x03ff, 1023 * 2.0 ** -24),
             (0x0400, 2.0 ** -14), (0x3555, 0.333251953125), (0x3c00, 1.0), (0x3c01, 1.0009765625),
             (0x7bff, 65504.0), (0x7c00, float('inf')), (0x8001, -2.0 ** -24), (0xc000, -2.0)]
    bits = np.array([pair[0] for pair in known], 'u2')
    values = [pair[1] for pair in known]
    for kind in ('f4', 'f8'):
        case.equal(bits.view('f2').astype(kind), values, 'float16 to ' + kind)
        case.equal(np.array(values, kind).astype('f2').view('u2'), bits, kind + ' to float16')
    with np.errstate(over='ignore', under='ignore'):
        rounded = np.array([65519.0, 65520.0, 2.0 ** -25, 3 * 2.0 ** -25, 1 + 2.0 ** -11]).astype('f2')
    case.equal(rounded.view('u2'), [0x7bff, 0x7c00, 0x0000, 0x0002, 0x3c00], 'ties to even')
    case.equal(float(np.array([0.5, 0.25], 'f2').sum()), 0.75, 'sum')


def test_ieee_arithmetic(case):
    """float32 and float64 are IEEE: correctly rounded, and subnormals are not flushed to zero."""
    # In double precision the root and the quotient of float32 values are exact enough for the
    # second rounding to be harmless. NEON estimates and flush-to-zero fail here.
    numbers = [as_float32(value * 0.37 + 0.011) for value in range(1, 2048)]
    a = np.array(numbers, 'f4')
    case.equal(np.sqrt(a), [as_float32(math.sqrt(value)) for value in numbers], 'float32 sqrt')
    case.equal(a[::-1] / a, [as_float32(x / y) for x, y in zip(reversed(numbers), numbers)],
               'float32 quotient')
    case.equal(np.reciprocal(a), [as_float32(1 / value) for value in numbers], 'float32 1/x')
    b = np.array(numbers, 'f8')
    case.equal(np.sqrt(b), [math.sqrt(value) for value in numbers], 'float64 sqrt')
    case.equal(b[::-1] / b, [x / y for x, y in zip(reversed(numbers), numbers)], 'float64 quotient')
    case.equal(a * a, [as_float32(value * value) for value in numbers], 'float32 product')
    with np.errstate(under='ignore'):
        tiny = np.ones(37, 'u4').view('f4')
        case.equal((tiny + tiny).view('u4'), [2] * 37, 'float32 subnormals add')
        case.equal((tiny * np.float32(3)).view('u4'), [3] * 37, 'float32 subnormals multiply')
        case.equal((np.full(37, 2.0 ** -126, 'f4') / np.float32(2)).view('u4'), [1 << 22] * 37,
                   'float32 subnormal quotient')
        case.equal((tiny > 0).all(), True, 'float32 subnormals compare')
        case.equal(tiny.astype('f8'), [2.0 ** -149] * 37, 'float32 subnormals to float64')
        smallest = np.ones(5, 'u8').view('f8')
        case.equal((smallest + smallest).view('u8'), [2] * 5, 'float64 subnormals add')
        case.equal((np.full(5, 2.0 ** -1022) / 2).view('u8'), [1 << 51] * 5,
                   'float64 subnormal quotient')
    case.equal(np.rint([0.5, 1.5, 2.5, -0.5, -1.5]), [0, 2, 2, 0, -2], 'rint')
    case.equal(np.signbit(np.array([-0.0, 0.0, -np.inf])), [True, False, True], 'sign of zero')
    case.equal(np.nextafter(1.0, 2.0), 1 + 2.0 ** -52, 'nextafter')
    case.equal(np.spacing(np.float32(1)), 2.0 ** -23, 'spacing')
    mantissa, exponent = np.frexp(np.array([8.0, 0.1, 5e-324]))
    case.equal(mantissa, [0.5, 0.8, 0.5], 'frexp')
    case.equal(exponent, [4, -3, -1073], 'frexp exponents')
    case.equal(np.ldexp(np.array([0.5, 1.0]), np.array([-1073, 1023])), [5e-324, 2.0 ** 1023],
               'ldexp')
    case.equal(np.array([-7.5, 7.5]) % 2, [0.5, 1.5], 'mod')
    case.equal(np.fmod([-7.5, 7.5], 2), [-1.5, 1.5], 'fmod')
    case.equal(np.array([-7.5, 7.5]) // 2, [-4.0, 3.0], 'floor division')


def test_math_functions(case):
    """Elementary functions at known points, subnormals and huge arguments included."""
    # A compiler runtime linked into a wheel once answered log(5e-324) wrongly.
    known = [
        (np.log, 5e-324, -744.4400719213812), (np.log, 2.5e-310, -712.88508809628),
        (np.log, 10.0, 2.302585092994046), (np.log2, 5e-324, -1074.0), (np.log2, 8.0, 3.0),
        (np.log10, 5e-324, -323.30621534311575), (np.log10, 1e22, 22.0),
        (np.log1p, 1e-20, 1e-20), (np.expm1, 1e-20, 1e-20), (np.exp, 1.0, 2.718281828459045),
        (np.exp, 709.0, 8.218407461554972e+307), (np.exp, -745.0, 5e-324), (np.exp2, -1074.0, 5e-324),
        (np.exp2, 0.5, 1.4142135623730951), (np.sin, 1e22, -0.8522008497671888),
        (np.cos, 1e22, 0.5232147853951389), (np.sin, 0.5, 0.479425538604203),
        (np.sin, 3.141592653589793, 1.2246467991473532e-16), (np.tan, 1.0, 1.5574077246549023),
        (np.arcsin, 0.5, 0.5235987755982989), (np.arccos, -1.0, 3.141592653589793),
        (np.arctan, 1.0, 0.7853981633974483), (np.sinh, 1.0, 1.1752011936438014),
        (np.cosh, 1.0, 1.5430806348152437), (np.tanh, 0.5, 0.46211715726000973),
        (np.arcsinh, 1.0, 0.881373587019543), (np.arctanh, 0.5, 0.5493061443340549),
        (np.cbrt, 27.0, 3.0), (np.sqrt, 5e-324, 2.2227587494850775e-162),
    ]
    worst = 0.0
    with np.errstate(under='ignore'):
        for function, argument, expected in known:
            for copies in (1, 19):  # alone, and long enough for a vector loop and its tail
                got = function(np.array([argument] * copies))
                worst = max(worst, case.close(got, [expected] * copies, rtol=4.5e-16, atol=0.0,
                                              what='%s(%r)' % (function.__name__, argument))
                            / abs(expected))
    case.note('worst_relative_error', worst)
    single = [(np.log, as_float32(1e-45), -103.27892990343185), (np.exp, 88.0, 1.6516362549940018e+38),
              (np.exp, -1.0, 0.36787944117144233), (np.sin, 1.0, 0.8414709848078965),
              (np.cos, 1000.0, 0.5623790762907029), (np.tanh, 0.5, 0.46211715726000973),
              (np.log2, 0.125, -3.0), (np.arctan, 1.0, 0.7853981633974483)]
    for function, argument, expected in single:
        for copies in (1, 19):
            got = function(np.array([argument] * copies, 'f4'))
            case.equal(got.dtype.name, 'float32', function.__name__)
            case.close(got, [expected] * copies, rtol=5e-7, what='float32 %s(%r)'
                       % (function.__name__, argument))
    case.equal(np.power(np.array([2.0, 10.0, 0.5, -2.0]), np.array([10.0, -2.0, 1074.0, 3.0])),
               [1024.0, 0.01, 5e-324, -8.0], 'power')
    case.close(np.power(1.0000001, 1e7), 2.7182816925449662, rtol=1e-9, what='power near 1')
    case.close(np.hypot(np.array([3e200, 5e-324]), np.array([4e200, 0.0])), [5e200, 5e-324],
               rtol=4.5e-16, what='hypot')
    case.equal(np.arctan2([0.0, -0.0, 1.0], [-1.0, -1.0, 0.0]), [math.pi, -math.pi, math.pi / 2],
               'arctan2')
    case.close(np.exp(1j * np.array([math.pi, math.pi / 2])), [-1, 1j], atol=1e-15, what='complex exp')
    case.equal(np.sqrt(np.array([-4 + 0j, 3 + 4j])), [2j, 2 + 1j], 'complex sqrt')
    case.close(np.log(np.array([-1 + 0j])), [math.pi * 1j], rtol=1e-15, what='complex log')
    case.close(np.array([1 + 2j, 3 - 1j]) / np.array([3 - 4j, 1 + 1j]), [-0.2 + 0.4j, 1 - 2j],
               rtol=1e-15, what='complex quotient')
    case.equal(np.abs(np.array([3 + 4j, -6 + 8j], 'c8')), [5.0, 10.0], 'complex abs')


def test_float_errors(case):
    """Floating-point events are seen where they happen, and only there."""
    one, zero = np.array([1.0, 2.0]), np.array([1.0, 0.0])
    with np.errstate(all='raise'):
        case.raises(FloatingPointError, np.divide, one, zero, match='divide by zero')
        case.raises(FloatingPointError, np.multiply, np.array([1e300]), 1e300, match='overflow')
        case.raises(FloatingPointError, np.multiply, np.array([1e-300]), 1e-300, match='underflow')
        case.raises(FloatingPointError, np.sqrt, np.array([-1.0]), match='invalid')
        case.raises(FloatingPointError, np.log, np.array([0.0]), match='divide by zero')
        case.raises(FloatingPointError, np.floor_divide, np.array([1]), np.array([0]),
                    match='divide by zero')
        # No spurious flag out of ordinary values, in any length of loop.
        for kind in ('f4', 'f8'):
            for length in (1, 2, 3, 4, 7, 16, 33):
                a = np.linspace(0.5, 3.0, length).astype(kind)
                for function in (np.sqrt, np.exp, np.log, np.sin, np.tanh, np.reciprocal, np.rint):
                    function(a)
                np.divide(a, a[::-1])
                np.less(a, a)
    with np.errstate(divide='ignore', invalid='ignore'):
        case.equal(one / zero, [1.0, float('inf')], 'ignored division')
        case.equal(np.array([0.0]) / np.array([0.0]), [float('nan')], '0/0')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        with np.errstate(divide='warn'):
            np.divide(one, zero)
    case.equal([item.category.__name__ for item in caught], ['RuntimeWarning'], 'warnings')
    calls = []
    with np.errstate(over='call'):
        before = np.seterrcall(lambda kind, flag: calls.append(kind))
        np.multiply(np.array([1e300]), 1e300)
        np.seterrcall(before)
    case.equal(calls, ['overflow'], 'seterrcall')


def test_reductions(case):
    """Sums, means, variances and running sums of arithmetic series."""
    n = 10007
    a = np.arange(n, dtype='f8')
    case.equal(a.sum(), n * (n - 1) / 2.0, 'sum')
    case.equal(a.mean(), (n - 1) / 2.0, 'mean')
    case.close(a.var(), (n * n - 1) / 12.0, rtol=1e-13, what='variance')
    case.equal(np.arange(n, dtype='i4').sum(dtype='i8'), n * (n - 1) // 2, 'int sum')
    case.equal(np.cumsum(np.arange(1, 101))[-1], 5050, 'cumsum')
    case.equal(np.prod(np.arange(1, 21, dtype='i8')), 2432902008176640000, '20!')
    table = np.arange(24).reshape(2, 3, 4)
    case.equal(table.sum(axis=(0, 2)), [60, 92, 124], 'sum over axes')
    case.equal(table.max(axis=1), [[8, 9, 10, 11], [20, 21, 22, 23]], 'max over an axis')
    case.equal(np.argmin((a - 5000.25) ** 2), 5000, 'argmin')
    case.equal(np.add.reduceat(np.arange(8), [0, 4, 1, 5]), [6, 4, 10, 18], 'reduceat')
    case.close(np.sum(np.full(1000, 0.1, 'f4')), 100.0, rtol=2e-6, what='pairwise float32 sum')
    case.equal(np.nanmean(np.array([1.0, float('nan'), 3.0])), 2.0, 'nanmean')
    case.equal(np.median([7, 1, 5, 3]), 4.0, 'median')
    case.equal(np.percentile(np.arange(101), 37), 37.0, 'percentile')


def test_linalg_solve(case):
    """Systems, inverses and determinants with known solutions."""
    a = np.array([[4.0, -2, 1], [-2, 4, -2], [1, -2, 4]])
    case.close(np.linalg.solve(a, [11, -16, 17]), [1, -2, 3], rtol=1e-13, what='solve')
    hilbert = np.array([[1.0 / (i + j + 1) for j in range(4)] for i in range(4)])
    inverse = [[16, -120, 240, -140], [-120, 1200, -2700, 1680], [240, -2700, 6480, -4200],
               [-140, 1680, -4200, 2800]]
    case.close(np.linalg.inv(hilbert), inverse, rtol=1e-10, what='inverse of the Hilbert matrix')
    case.close(np.linalg.det(hilbert), 1.0 / 6048000, rtol=1e-10, what='its determinant')
    vandermonde = np.vander([1.0, 2, 3, 4], increasing=True)
    case.close(np.linalg.det(vandermonde), 12.0, rtol=1e-13, what='Vandermonde determinant')
    sign, logarithm = np.linalg.slogdet(np.diag([-1.0, 1e200, 1e200]))
    case.close([sign, logarithm], [-1.0, 400 * math.log(10)], rtol=1e-13, what='slogdet')
    case.close(np.linalg.solve(np.array([[2, 1], [1, 3]], 'f4'), np.array([3, 5], 'f4')),
               [0.8, 1.4], rtol=1e-6, what='float32 solve')
    case.close(np.linalg.solve(np.array([[1, 1j], [-1j, 2]]), [2 + 1j, 2 - 2j]), [2, 1],
               rtol=1e-13, what='complex solve')
    fit = np.linalg.lstsq(np.array([[0.0, 1], [1, 1], [2, 1], [3, 1]]), [-1, 0.2, 0.9, 2.1],
                          rcond=-1)
    case.close(fit[0], [1.0, -0.95], rtol=1e-13, what='least squares')
    case.close(fit[1], [0.05], rtol=1e-12, what='residual')
    case.raises(np.linalg.LinAlgError, np.linalg.inv, np.array([[1.0, 2], [2, 4]]))
    case.close(np.linalg.matrix_power(np.array([[1, 1], [1, 0]]), 40), [[165580141, 102334155],
               [102334155, 63245986]], rtol=0, what='Fibonacci by matrix power')


def test_linalg_decompositions(case):
    """Singular values, eigenvalues, Cholesky and QR of matrices that books solve."""
    a = np.array([[3.0, 0], [4, 5]])
    u, s, v = np.linalg.svd(a)
    case.close(s, [3 * math.sqrt(5), math.sqrt(5)], rtol=1e-14, what='singular values')
    case.close(np.dot(u * s, v), a, atol=1e-14, what='u s v')
    case.close(np.abs(u), [[0.1 ** 0.5, 0.9 ** 0.5], [0.9 ** 0.5, 0.1 ** 0.5]], rtol=1e-14, what='u')
    values, vectors = np.linalg.eigh(np.array([[2.0, -1, 0], [-1, 2, -1], [0, -1, 2]]))
    case.close(values, [2 - math.sqrt(2), 2, 2 + math.sqrt(2)], rtol=1e-14, what='eigh')
    case.close(np.abs(vectors[:, 0]), [0.5, math.sqrt(0.5), 0.5], rtol=1e-14, what='its vector')
    case.close(np.linalg.eigvalsh(np.array([[2, 1j], [-1j, 2]])), [1, 3], rtol=1e-14,
               what='Hermitian')
    companion = np.array([[6.0, -11, 6], [1, 0, 0], [0, 1, 0]])
    case.close(sorted(np.linalg.eigvals(companion).real), [1, 2, 3], rtol=1e-12, what='eigvals')
    turn = np.linalg.eigvals(np.array([[0.0, 1], [-1, 0]]))
    case.close(sorted(turn.imag), [-1, 1], rtol=1e-14, what='complex pair')
    lower = np.linalg.cholesky(np.array([[4.0, 12, -16], [12, 37, -43], [-16, -43, 98]]))
    case.close(lower, [[2, 0, 0], [6, 1, 0], [-8, 5, 3]], rtol=1e-13, what='Cholesky')
    b = np.array([[12.0, -51, 4], [6, 167, -68], [-4, 24, -41]])
    q, r = np.linalg.qr(b)
    case.close(np.abs(r), [[14, 21, 14], [0, 175, 70], [0, 0, 35]], rtol=1e-13, atol=1e-13,
               what='QR')
    case.close(np.dot(q.T, q), np.eye(3).tolist(), atol=1e-14, what='orthogonality')
    case.close(np.linalg.norm(b, 1), 242.0, rtol=1e-14, what='1-norm')
    case.close(np.linalg.cond(a), 3.0, rtol=1e-13, what='condition')
    case.equal(int(np.linalg.matrix_rank(np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]))), 2, 'rank')
    case.close(np.linalg.pinv(np.array([[1.0], [2.0]])), [[0.2, 0.4]], rtol=1e-13, what='pinv')
    case.close(np.roots([1.0, -10, 35, -50, 24]), [4, 3, 2, 1], rtol=1e-11, what='roots')


def test_products(case):
    """dot, matmul, einsum, tensordot, kron in each type, against sums by hand."""
    n, k, m = 7, 11, 5
    left = [[(3 * i + 5 * j) % 17 - 8 for j in range(k)] for i in range(n)]
    right = [[(7 * i + 2 * j) % 13 - 6 for j in range(m)] for i in range(k)]
    product = [[sum(left[i][t] * right[t][j] for t in range(k)) for j in range(m)]
               for i in range(n)]
    for kind in ('i4', 'i8', 'f4', 'f8', 'c8', 'c16'):
        a, b = np.array(left, kind), np.array(right, kind)
        case.equal(np.dot(a, b), product, 'dot of ' + kind)
        case.equal(np.matmul(a, b), product, 'matmul of ' + kind)
        case.equal(np.einsum('it,tj->ij', a, b), product, 'einsum of ' + kind)
        case.equal(np.tensordot(a, b, ([1], [0])), product, 'tensordot of ' + kind)
        case.equal(np.dot(a[:, ::2], b[::2]),
                   [[sum(left[i][t] * right[t][j] for t in range(0, k, 2)) for j in range(m)]
                    for i in range(n)], 'strided dot of ' + kind)
        case.equal(np.dot(np.asfortranarray(b).T, a.T), [list(row) for row in zip(*product)],
                   'transposed dot of ' + kind)
    stack = np.arange(12.0).reshape(3, 2, 2)
    case.equal(np.matmul(stack, stack), [[[2, 3], [6, 11]], [[46, 55], [66, 79]],
                                         [[154, 171], [190, 211]]], 'stacked matmul')
    case.equal(np.einsum('ii', np.arange(25.0).reshape(5, 5)), 60.0, 'trace')
    case.equal(np.einsum('ij,j,i->', np.arange(6.0).reshape(2, 3), [1.0, 2, 3], [1.0, 10]), 268.0,
               'three operands')
    case.equal(np.kron([1, 2], [1, 10]), [1, 10, 2, 20], 'kron')
    case.equal(np.vdot([1 + 1j, 2], [1j, 1]), 3 + 1j, 'vdot')
    case.equal(np.cross([1, 2, 3], [4, 5, 6]), [-3, 6, -3], 'cross')
    case.equal(np.convolve([1, 2, 3], [0, 1, 0.5]), [0, 1, 2.5, 4, 1.5], 'convolve')


def test_fft(case):
    """Fourier transforms with known spectra; lengths of small, large and prime factors."""
    case.close(np.fft.fft([1, 2, 3, 4]), [10, -2 + 2j, -2, -2 - 2j], atol=1e-15, what='fft')
    for n in (2, 12, 17, 49, 64, 127, 150, 211):
        delta = np.zeros(n)
        delta[1] = 1
        wave = [cmath.exp(-2j * cmath.pi * k / n) for k in range(n)]
        case.close(np.fft.fft(delta), wave, atol=2e-14, rtol=0, what='fft of a delta, %d' % n)
        case.close(np.fft.ifft(wave), delta, atol=2e-14, rtol=0, what='ifft, %d' % n)
        case.close(np.fft.rfft(delta), wave[:n // 2 + 1], atol=2e-14, rtol=0, what='rfft, %d' % n)
        case.close(np.fft.irfft(wave[:n // 2 + 1], n), delta, atol=2e-14, rtol=0,
                   what='irfft, %d' % n)
    tone = np.cos(2 * np.pi * 5 * np.arange(32) / 32.0)
    spectrum = [16.0 if k == 5 else 0.0 for k in range(17)]
    case.close(np.fft.rfft(tone), spectrum, atol=1e-13, what='rfft of a tone')
    case.close(np.fft.fft2([[1, 2], [3, 4]]), [[10, -2], [-4, 0]], atol=1e-14, what='fft2')
    case.equal(np.fft.fftfreq(5, 0.1), [0.0, 2.0, 4.0, -4.0, -2.0], 'fftfreq')
    case.equal(np.fft.fftshift([0, 1, 2, -2, -1]), [-2, -1, 0, 1, 2], 'fftshift')


def test_random_legacy(case):
    """RandomState: the stream that numpy guarantees, against the ISO standard's and the docs'."""
    # ISO C++ [rand.predef]: the 10000th output of mt19937 with its default seed 5489.
    raw = np.random.RandomState(5489).randint(0, 2 ** 32, size=10000, dtype=np.uint32)
    case.equal([int(raw[0]), int(raw[-1])], [3499211612, 4123659995], 'mt19937')
    # Python's random module is an MT19937 of its own: same state, same 53-bit doubles.
    import random
    state = [20240229]
    for i in range(1, 624):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + i) & 0xffffffff)
    other = random.Random()
    other.setstate((3, tuple(state) + (624,), None))
    case.equal(np.random.RandomState(20240229).random_sample(700),
               [other.random() for _ in range(700)], 'doubles against Python')
    # From numpy's documentation and its reference data.
    r = np.random.RandomState(0)
    case.close(r.rand(3), [0.5488135, 0.71518937, 0.60276338], atol=5e-9, what='rand')
    r = np.random.RandomState(0)
    case.close(r.randn(5), [1.76405235, 0.40015721, 0.97873798, 2.2408932, 1.86755799], atol=5e-9,
               what='randn')
    r = np.random.RandomState(42)
    case.equal(r.randint(0, 100, 5), [51, 92, 14, 71, 60], 'randint')
    case.equal(sorted(np.random.RandomState(3).permutation(100)), list(range(100)), 'permutation')
    r = np.random.RandomState(1)
    for name, arguments, mean in (('standard_gamma', (3.0,), 3.0), ('poisson', (4.0,), 4.0),
                                  ('binomial', (20, 0.25), 5.0), ('exponential', (2.0,), 2.0),
                                  ('beta', (2.0, 3.0), 0.4), ('chisquare', (5.0,), 5.0)):
        sample = getattr(r, name)(*arguments, size=4000)
        case.close(sample.mean(), mean, rtol=0.06, what='mean of ' + name)


def test_random_generator(case):
    """Generator and its bit generators (numpy 1.17 and newer), against published streams."""
    if VERSION < (1, 17):
        case.skip('numpy %s has no Generator' % np.__version__)
    # numpy's reference data: PCG64 seeded with 0xdeadbeaf.
    raw = np.random.PCG64(0xdeadbeaf).random_raw(3)
    case.equal([int(value) for value in raw],
               [0x60d24054e17a0698, 0xd5e79d89856e4f12, 0xd254972fe64bd782], 'PCG64')
    # numpy's documentation.
    case.equal(float(np.random.default_rng(12345).random()), 0.22733602246716966, 'random')
    rng = np.random.default_rng(42)
    case.close(rng.random((3, 3)), [[0.77395605, 0.43887844, 0.85859792],
                                    [0.69736803, 0.09417735, 0.97562235],
                                    [0.7611397, 0.78606431, 0.12811363]], atol=5e-9, what='doubles')
    case.close(np.random.default_rng(42).standard_normal(3),
               [0.30471708, -1.03998411, 0.7504512], atol=5e-9, what='normal')
    mt = np.random.Generator(np.random.MT19937(1))
    for bits in (mt, np.random.Generator(np.random.Philox(1)), np.random.Generator(np.random.SFC64(1))):
        sample = bits.random(2000)
        case.check(0 <= sample.min() and sample.max() < 1, 'doubles leave [0, 1)')
        case.close(sample.mean(), 0.5, atol=0.03, what='mean')
    whole = np.random.default_rng(7).integers(-2 ** 63, 2 ** 63 - 1, size=500, dtype=np.int64,
                                              endpoint=True)
    case.check(whole.min() < -2 ** 62 and whole.max() > 2 ** 62, 'integers do not fill 64 bits')
    jumped = np.random.PCG64(1).jumped()
    case.check(int(jumped.random_raw()) != int(np.random.PCG64(1).random_raw()), 'jumped')


def test_byte_order_and_alignment(case):
    """Foreign byte order and odd addresses, which trap on old ARM if code is careless."""
    for kind, values in (('i2', [1, -2, 300]), ('u4', [1, 2 ** 32 - 1, 7]), ('i8', [1, -2 ** 40, 9]),
                         ('f4', [1.5, -2.25, 1e30]), ('f8', [1.5, -2.25, 1e300])):
        code = {'i2': 'h', 'u4': 'I', 'i8': 'q', 'f4': 'f', 'f8': 'd'}[kind]
        for order in '<>':
            packed = struct.pack(order + '3' + code, *values)
            wanted = list(struct.unpack(order + '3' + code, packed))
            for offset in range(8):
                a = np.frombuffer(b'\x55' * offset + packed, order + kind, offset=offset)
                what = '%s%s at offset %d' % (order, kind, offset)
                case.equal(a, wanted, what)
                case.equal(a * 1, wanted, what + ', times 1')
                case.equal(a[::-1].copy(), wanted[::-1], what + ', copied backwards')
                case.equal(np.sort(a), sorted(wanted), what + ', sorted')
                case.equal(np.maximum(a, a), wanted, what + ', maximum')
    c = np.frombuffer(b'\x55' + struct.pack('<4d', 1, 2, 3, -4), '<c16', offset=1)
    case.equal(c * c, [-3 + 4j, -7 - 24j], 'complex at an odd address')
    record = np.zeros(3, dtype=[('flag', 'u1'), ('x', '<f8'), ('n', '>i4')])
    case.equal(record.dtype.itemsize, 13, 'packed record')
    record['x'] = [0.5, 1.5, 2.5]
    record['n'] = [1, 2, 3]
    record['x'] += record['n']
    case.equal(record['x'], [1.5, 3.5, 5.5], 'arithmetic in a packed record')
    case.equal(record.tobytes()[13:26], b'\0' + struct.pack('<d', 3.5) + struct.pack('>i', 2),
               'bytes of a record')
    case.equal(np.dot(record['x'], record['x']), 44.75, 'dot of unaligned vectors')
    case.equal(np.array([1, 256], '>i2').byteswap().tolist(), [256, 1], 'byteswap')
    case.equal(np.array([1.0, 2.0], '>f8').astype('<f4').tolist(), [1.0, 2.0], 'astype')


def test_printing(case):
    """Arrays and numbers as text, shortest and exact."""
    case.equal(repr(np.array([1.5, 2.25, -3])), 'array([ 1.5 ,  2.25, -3.  ])', 'repr')
    case.equal(str(np.array([[1, 20], [300, 4]])), '[[  1  20]\n [300   4]]', 'str')
    case.equal(repr(np.array([True, False])), 'array([ True, False])', 'bools')
    case.equal(repr(np.array([1, 2], 'u1')), 'array([1, 2], dtype=uint8)', 'dtype shown')
    case.equal(str(np.arange(2000)), '[   0    1    2 ... 1997 1998 1999]', 'summary')
    case.equal(str(np.array([1e-10, 1.0])), '[1.e-10 1.e+00]', 'exponents')
    case.equal(str(np.array([float('nan'), -float('inf')])), '[ nan -inf]', 'nan and inf')
    case.equal(str(np.array([1 + 2j, complex(0, -0.5)])), '[1.+2.j  0.-0.5j]', 'complex')
    case.equal(np.array2string(np.array([math.pi]), precision=3), '[3.142]', 'precision')
    texts = [(0.1, '0.1'), (1.0 / 3, '0.3333333333333333'), (5e-324, '5e-324'),
             (1.7976931348623157e308, '1.7976931348623157e+308'), (1e16, '1e+16'),
             (2.0 ** 53, '9007199254740992.0'), (1e-5, '1e-05'), (123456.789, '123456.789')]
    for value, text in texts:
        case.equal(str(np.float64(value)), text, 'str of float64')
    case.equal([str(np.float32(value)) for value in (0.1, 1.0 / 3, 123456, 1e-45, 3.4028235e38)],
               ['0.1', '0.33333334', '123456.0', '1e-45', '3.4028235e+38'], 'str of float32')
    case.equal(str(np.float16(0.1)), '0.1', 'str of float16')
    case.equal(str(np.int64(-2 ** 63)), '-9223372036854775808', 'str of int64')
    if VERSION >= (1, 14):
        case.equal(np.format_float_positional(np.float32(0.1), unique=False, precision=30),
                   '0.100000001490116119384765625000', 'exact digits')
        case.equal(np.format_float_scientific(2.0 ** -1074, unique=False, precision=20),
                   '4.94065645841246544177e-324', 'exact digits of the smallest')
        case.equal(str(np.longdouble(0.5)), '0.5', 'longdouble')


def test_parsing(case):
    """Text into numbers, correctly rounded."""
    case.equal(np.array(['0.1', '5e-324', '1.7976931348623157e308', '-inf']).astype('f8'),
               [0.1, 5e-324, 1.7976931348623157e308, -float('inf')], 'strings to float64')
    case.equal(np.array(['-9223372036854775808', '42']).astype('i8'), [-2 ** 63, 42], 'to int64')
    case.equal(np.fromstring('1.5, 2.5, 3', sep=','), [1.5, 2.5, 3.0], 'fromstring')
    case.equal(np.loadtxt(io.BytesIO(b'1 2.5\n3 4e-2\n')), [[1, 2.5], [3, 0.04]], 'loadtxt')
    case.equal(np.genfromtxt(io.BytesIO(b'1,,3\n4,5,6\n'), delimiter=',', filling_values=-1),
               [[1, -1, 3], [4, 5, 6]], 'genfromtxt')
    out = io.BytesIO()
    np.savetxt(out, np.array([[1.5, 2.0]]), fmt='%.3f')
    case.equal(out.getvalue(), b'1.500 2.000\n', 'savetxt')
    case.equal(np.char.upper(np.array(['ab', 'c'])).tolist(), ['AB', 'C'], 'char')


def test_datetime(case):
    """Calendar arithmetic in 64 bits, beyond 2038 and before 1970."""
    day = np.datetime64('2038-01-19T03:14:08', 's')
    case.equal(int(day.astype('i8')), 2 ** 31, 'the first second that 32 bits do not hold')
    case.equal(str(np.datetime64('1969-12-31', 'D') - np.timedelta64(1, 'D')), '1969-12-30', 'before')
    case.equal(str(np.datetime64('2024-02-28') + np.timedelta64(1, 'D')), '2024-02-29', 'leap day')
    case.equal(int((np.datetime64('2000-03-01') - np.datetime64('1900-03-01')).astype('i8')), 36525,
               'a century')
    case.equal(np.array(['2024-01', '2024-02', '2024-03'], 'M8[M]').astype('M8[D]').astype('i8'),
               [19723, 19754, 19783], 'months to days')
    case.equal(str(np.datetime64(0, 'ns') + np.timedelta64(1, 'ns')),
               '1970-01-01T00:00:00.000000001', 'nanosecond')
    case.equal(bool(np.isnat(np.datetime64('NaT'))), True, 'NaT')
    case.equal(int(np.busday_count('2024-01-01', '2024-02-01')), 23, 'business days')


def test_sorting(case):
    """Each kind of sort, selection and search on a scrambled sequence."""
    n = 1009  # a prime: i * 617 mod n runs through all residues
    scrambled = [i * 617 % n for i in range(n)]
    for dtype in ('i1', 'u2', 'i4', 'i8', 'f2', 'f4', 'f8', 'c8', 'S4'):
        size = 101 if dtype == 'i1' else n
        source = [value % size for value in scrambled[:size]] if dtype == 'i1' else scrambled
        a = np.array(source).astype(dtype)
        expected = sorted(a.tolist(), key=lambda v: (v.real, v.imag) if dtype == 'c8' else v)
        for kind in ('quicksort', 'mergesort', 'heapsort'):
            case.equal(np.sort(a, kind=kind), expected, '%s of %s' % (kind, dtype))
            case.equal(a[np.argsort(a, kind=kind)], expected, 'arg%s of %s' % (kind, dtype))
    keys = np.array([value % 5 for value in scrambled])
    stable = sorted(range(n), key=lambda i: scrambled[i] % 5)
    case.equal(np.argsort(keys, kind='mergesort'), stable, 'stable order')
    case.equal(np.sort(np.array([3, float('nan'), -float('inf'), 1])),
               [-float('inf'), 1, 3, float('nan')], 'NaN last')
    a = np.array(scrambled)
    case.equal(int(np.partition(a, 500)[500]), 500, 'partition')
    case.equal(np.searchsorted(np.arange(0, 100, 2), [0, 5, 98, 99]), [0, 3, 49, 50], 'searchsorted')
    case.equal(np.unique(a % 7), list(range(7)), 'unique')
    case.equal(np.lexsort(([1, 2, 1, 0], [0, 0, 1, 1])), [0, 1, 3, 2], 'lexsort')
    case.equal(np.bincount(a % 4).tolist(), [253, 252, 252, 252], 'bincount')
    case.equal(np.histogram(a, bins=4, range=(0, 1008))[0].tolist(), [252, 252, 252, 253], 'histogram')


def test_indexing(case):
    """Views, masks, fancy indices, broadcasting and overlapping copies."""
    a = np.arange(24).reshape(2, 3, 4)
    case.equal(a[:, 1, ::-2], [[7, 5], [19, 17]], 'slices')
    case.equal(a[[1, 0], [2, 1], [3, 0]], [23, 4], 'fancy')
    case.equal(a[a % 7 == 3], [3, 10, 17], 'mask')
    case.equal(a.T.ravel()[:4], [0, 12, 4, 16], 'transpose')
    case.equal(np.where(np.arange(6) % 2, 10, np.arange(6)), [0, 10, 2, 10, 4, 10], 'where')
    case.equal((np.arange(3)[:, None] * np.arange(4)), [[0, 0, 0, 0], [0, 1, 2, 3], [0, 2, 4, 6]],
               'broadcast')
    case.equal(np.take(a, [5, 30], mode='wrap'), [5, 6], 'take')
    b = np.arange(10)
    b[1:] = b[:-1]
    case.equal(b, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8], 'overlapping copy')
    b = np.zeros(4, int)
    np.add.at(b, [0, 1, 1, 3], 1)
    case.equal(b, [1, 2, 0, 1], 'add.at')
    case.equal(np.concatenate([np.arange(3), np.arange(2)]), [0, 1, 2, 0, 1], 'concatenate')
    case.equal(np.lib.stride_tricks.as_strided(np.arange(5), (3, 3), (np.arange(5).itemsize,) * 2),
               [[0, 1, 2], [1, 2, 3], [2, 3, 4]], 'as_strided')
    case.equal(np.ma.masked_less(np.array([1, 5, 2, 7]), 3).sum(), 12, 'masked array')
    case.raises(IndexError, lambda: a[2])
    case.raises(ValueError, np.add, np.arange(3), np.arange(4), match='broadcast')


def test_memory(case):
    """The buffer protocol both ways, shared memory, references and read-only arrays."""
    raw = bytearray(range(16))
    a = np.frombuffer(raw, '<u4')
    case.equal(a, [0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c], 'frombuffer')
    a[0] = 0xffffffff
    case.equal(bytes(raw[:5]), b'\xff\xff\xff\xff\x04', 'writing through')
    if VERSION >= (1, 22):  # older ones do not hold the buffer
        case.raises(BufferError, raw.extend, b'x')
    view = memoryview(np.arange(6, dtype='<i2').reshape(2, 3))
    case.equal((view.format, view.shape, view.strides, view.itemsize), ('h', (2, 3), (6, 2), 2),
               'memoryview')
    case.equal(np.array(memoryview(b'abc')), [97, 98, 99], 'from memoryview')
    frozen = np.frombuffer(b'1234', 'u1')
    case.check(not frozen.flags.writeable, 'bytes are read-only')
    case.raises(ValueError, frozen.__setitem__, 0, 1)
    part = np.arange(10)[3:7]
    case.check(part.base is not None and part.flags.owndata is False, 'a slice is a view')
    before = sys.getrefcount(raw)
    b = np.frombuffer(raw, 'u1')
    del b
    case.equal(sys.getrefcount(raw), before, 'references')
    pointer = np.arange(4, dtype='f8').ctypes.data
    case.check(pointer % 8 == 0, 'data of float64 at %#x' % pointer)
    case.raises((MemoryError, ValueError), np.empty, 2 ** 62, 'u1')


def test_pickle(case):
    """Pickles of every protocol, and one written on another machine."""
    values = np.array([(1, 2.5, b'xy'), (3, -4.0, b'z')], dtype=[('n', '>i4'), ('x', 'f8'), ('s', 'S3')])
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for item in (values, np.arange(5.0)[::2], np.float32(1.5), np.dtype('M8[us]'),
                     np.array([None, 'text'], object)):
            back = pickle.loads(pickle.dumps(item, protocol))
            case.equal(back if isinstance(item, np.dtype) else back.tolist(),
                       item if isinstance(item, np.dtype) else item.tolist(), 'protocol %d' % protocol)
            case.check(getattr(back, 'dtype', None) == getattr(item, 'dtype', None), 'dtype')
    # np.array([1.5, -2.0]) of numpy 1.16 on x86-64, protocol 2
    foreign = (b'\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00'
               b'\x85U\x01b\x87Rq\x03(K\x01K\x02\x85cnumpy\ndtype\nq\x04U\x02f8K\x00K\x01\x87Rq'
               b'\x05(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10\x00\x00\x00'
               b'\x00\x00\x00\xf8?\x00\x00\x00\x00\x00\x00\x00\xc0tb.')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        options = {'encoding': 'latin1'} if sys.version_info[0] > 2 else {}
        case.equal(pickle.loads(foreign, **options), [1.5, -2.0], 'foreign pickle')


def test_files(case):
    """npy and npz files: their bytes, a round trip, a memory map."""
    out = io.BytesIO()
    np.save(out, np.array([1, 2, 3], '<i4'))
    data = out.getvalue()
    case.equal(data[:8], b'\x93NUMPY\x01\x00', 'magic')
    size = struct.unpack('<H', data[8:10])[0]
    case.equal((10 + size) % 16, 0, 'alignment of the header')
    case.equal(data[10:10 + size].rstrip(),
               b"{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }", 'header')
    case.equal(data[10 + size:], struct.pack('<3i', 1, 2, 3), 'data')
    header = b"{'descr': '>f8', 'fortran_order': True, 'shape': (2, 2), }"
    header += b' ' * (118 - 1 - len(header)) + b'\n'
    foreign = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + struct.pack(
        '>4d', 1, 2, 3, 4)
    case.equal(np.load(io.BytesIO(foreign)), [[1, 3], [2, 4]], 'big-endian Fortran file')
    out = io.BytesIO()
    np.savez_compressed(out, a=np.arange(4), b=np.array(['x', 'yz']))
    out.seek(0)
    archive = np.load(out)
    case.equal((archive['a'].tolist(), archive['b'].tolist()), ([0, 1, 2, 3], ['x', 'yz']), 'npz')
    handle, path = tempfile.mkstemp(suffix='.npy')
    os.close(handle)
    try:
        np.save(path, np.arange(1000, dtype='f4'))
        mapped = np.load(path, mmap_mode='r+')
        case.equal(float(mapped.sum()), 499500.0, 'memory map')
        mapped[0] = 500
        mapped.flush()
        del mapped
        case.equal(float(np.load(path).sum()), 500000.0, 'written through the map')
        a = np.arange(5, dtype='<u2')
        a.tofile(path)
        case.equal(np.fromfile(path, '<u2'), [0, 1, 2, 3, 4], 'tofile and fromfile')
    finally:
        os.remove(path)
    case.raises(ValueError, np.load, io.BytesIO(data[:-4]))


def test_threads(case):
    """Four threads compute at once; error states stay with their thread."""
    failures = []
    answers = [None] * 4

    def work(which):
        try:
            total = 0.0
            a = np.arange(2000.0) + which
            for _ in range(20):
                total += float(np.sqrt(a * a).sum()) + float(np.linalg.det(np.eye(8) * 2))
                b = np.sort(a[::-1])
                total += float(b[0])
            answers[which] = total
            if which % 2:
                with np.errstate(divide='raise'):
                    case.raises(FloatingPointError, np.divide, np.ones(3), np.zeros(3))
            else:
                with np.errstate(divide='ignore'):
                    np.divide(np.ones(3), np.zeros(3))
        except BaseException as error:
            failures.append('thread %d: %r' % (which, error))

    threads = [threading.Thread(target=work, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        case.check(not thread.is_alive(), 'a thread did not end in 120 s')
    case.equal(failures, [], 'threads')
    case.equal(answers, [20.0 * (1999000 + 2000 * which + 256 + which) for which in range(4)], 'sums')


def test_polynomials_and_interpolation(case):
    """polyfit, polynomial classes, interpolation, differences and integrals."""
    x = np.arange(6.0)
    case.close(np.polyfit(x, 2 * x ** 2 - 3 * x + 1, 2), [2, -3, 1], rtol=1e-10, atol=1e-10,
               what='polyfit')
    case.equal(np.polyval([2, -3, 1], 4), 21, 'polyval')
    p = np.polynomial.Polynomial([1.0, 2, 3])
    case.equal((p * p).coef, [1, 4, 10, 12, 9], 'product')
    case.equal(p.deriv().coef, [2, 6], 'derivative')
    case.close(np.polynomial.legendre.leggauss(2)[0], [-1 / math.sqrt(3), 1 / math.sqrt(3)],
               rtol=1e-14, what='Gauss points')
    case.equal(np.interp([0.5, 2.25], [0, 1, 2, 3], [0, 10, 20, 40]), [5.0, 25.0], 'interp')
    case.equal(np.diff([1, 4, 9, 16]), [3, 5, 7], 'diff')
    case.equal(np.gradient(np.array([0.0, 1, 4, 9])), [1, 2, 4, 5], 'gradient')
    case.equal(np.linspace(0, 1, 5), [0, 0.25, 0.5, 0.75, 1], 'linspace')
    case.close(np.geomspace(1, 1000, 4), [1, 10, 100, 1000], rtol=1e-14, what='geomspace')


def test_many_random_samples(case):
    """Moments of 200000 normal deviates (slow under emulation)."""
    sample = np.random.RandomState(11).standard_normal(200000)
    case.close(sample.mean(), 0.0, atol=0.01, what='mean')
    case.close(sample.var(), 1.0, atol=0.02, what='variance')
    case.close((sample ** 4).mean(), 3.0, atol=0.1, what='fourth moment')


test_many_random_samples.level = 'full'


def test_large_products(case):
    """A product of 160 x 160 matrices against integers (slow under emulation)."""
    n = 160
    i, j = np.indices((n, n))
    a, b = (i * 3 + j * 5) % 17 - 8, (i * 7 + j * 2) % 13 - 6
    exact = np.dot(a.astype('i8'), b.astype('i8'))
    for row, column in ((0, 0), (37, 121), (159, 159)):
        case.equal(int(exact[row, column]), sum(int(a[row, t]) * int(b[t, column]) for t in range(n)),
                   'element (%d, %d)' % (row, column))
    case.equal(np.dot(a.astype('f4'), b.astype('f4')), exact.tolist(), 'float32')
    case.equal(np.dot(a.astype('f8'), b.astype('f8')), exact.tolist(), 'float64')


test_large_products.level = 'full'


# ---- Level full: numpy's own tests ---------------------------------------------------------------

def run_own_tests(case, *parts):
    """Runs tests that numpy's wheel brings along, in a process of their own; notes their counts."""
    path = case.tools()
    if not any(os.path.isfile(os.path.join(folder, 'pytest.py')) or
               os.path.isdir(os.path.join(folder, 'pytest')) for folder in path):
        case.skip('the recipe has no pytest for this Python')
    top = os.path.dirname(os.path.abspath(np.__file__))
    if parts[0] == 'core' and os.path.isdir(os.path.join(top, '_core')):
        parts = ('_core',) + parts[1:]
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE='1',
                       PYTHONPATH=os.pathsep.join(path + [os.path.dirname(top)]))
    process = subprocess.Popen(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-m', 'not slow',
         '--tb=short', '-rfE',
         # Asks ldd, which a board of ours does not have, for the Fortran libraries of BLAS.
         '--ignore=' + os.path.join(top, 'linalg', 'tests', 'test_build.py'),
         os.path.join(top, *parts)],
        cwd=tempfile.mkdtemp(), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = process.communicate()[0].decode('utf-8', 'replace').rstrip().split('\n')
    counts = dict((word.rstrip('s'), int(number)) for number, word in re.findall(
        r'(\d+) (passed|failed|skipped|errors?|xfailed|xpassed|deselected)', lines[-1]))
    for word in ('passed', 'skipped', 'failed', 'error', 'xfailed'):
        case.note(word, counts.get(word, 0))
    case.check(process.returncode == 0 and counts.get('passed'),
               'pytest ended with %s; its last lines: %s'
               % (process.returncode, '\n'.join(lines[-40:])))


def test_own_linalg(case):
    """numpy's own tests of linear algebra."""
    run_own_tests(case, 'linalg', 'tests')


def test_own_fft(case):
    """numpy's own tests of Fourier transforms."""
    run_own_tests(case, 'fft', 'tests')


def test_own_random(case):
    """numpy's own tests of random numbers."""
    run_own_tests(case, 'random', 'tests')


def test_own_umath(case):
    """numpy's own tests of its elementary functions."""
    run_own_tests(case, 'core', 'tests', 'test_umath.py')


def test_own_ufunc(case):
    """numpy's own tests of ufuncs."""
    run_own_tests(case, 'core', 'tests', 'test_ufunc.py')


def test_own_dtype(case):
    """numpy's own tests of data types."""
    run_own_tests(case, 'core', 'tests', 'test_dtype.py')


def test_own_multiarray(case):
    """numpy's own tests of arrays."""
    run_own_tests(case, 'core', 'tests', 'test_multiarray.py')


for _test in (test_own_linalg, test_own_fft, test_own_random, test_own_umath, test_own_ufunc,
              test_own_dtype, test_own_multiarray):
    _test.level = 'full'
