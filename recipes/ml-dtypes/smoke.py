# Valid for Python 3.7 and newer.
"""ml_dtypes on the board: its types in arrays of numpy, against numbers worked out by hand."""

import ml_dtypes
import numpy as np
from ml_dtypes import bfloat16

FLOAT8 = ('float8_e4m3fn', 'float8_e4m3b11fnuz', 'float8_e5m2')


def type_of(name):
    return getattr(ml_dtypes, name)


def test_the_types_are_numpys(case):
    """Sizes, names, and that numpy finds them by name."""
    for name, size in [('bfloat16', 2), ('int4', 1), ('uint4', 1)] + [(n, 1) for n in FLOAT8]:
        dtype = np.dtype(type_of(name))
        case.equal(dtype.itemsize, size, 'bytes of ' + name)
        case.equal(dtype.name, name, 'name')
        case.check(np.dtype(name) == dtype, 'numpy does not find %s' % name)
    case.note('ml_dtypes', ml_dtypes.__version__)


def test_bfloat16_is_the_upper_half_of_float32(case):
    """Its bits, with rounding to the nearest even number."""
    numbers = np.array([1.0, -2.5, 3.140625, 1e38, 0.0, -0.0], 'f4')
    bits = numbers.astype(bfloat16).view('u2')
    case.equal(bits.tolist(), [0x3F80, 0xC020, 0x4049, 0x7E96, 0, 0x8000], 'bits')
    # 1 + 2^-8 lies in the middle of two: to the even one, 1. And 1 + 3*2^-8 to 1 + 2^-6.
    halves = np.array([1 + 2.0 ** -8, 1 + 3 * 2.0 ** -8, 1 + 2.0 ** -8 + 2.0 ** -20], 'f4')
    case.equal(halves.astype(bfloat16).astype('f4').tolist(),
               [1.0, 1.015625, 1.0078125], 'rounded')


def test_bfloat16_special_numbers(case):
    """Infinities and NaN survive; what is too large becomes infinite; the smallest are kept."""
    given = np.array([np.inf, -np.inf, np.nan, 3.4e38, 2.0 ** -133, 2.0 ** -135], 'f4')
    got = given.astype(bfloat16).astype('f4')
    case.equal(got.tolist(), [np.inf, -np.inf, np.nan, np.inf, 2.0 ** -133, 0.0], 'numbers')


def test_arithmetic_is_that_of_float32_rounded(case):
    """Sums, products and quotients of all pairs, against float32 rounded once."""
    small = np.array([-3, -1.5, -0.1, 0.3, 1, 7, 100], 'f4').astype(bfloat16)
    wide = small.astype('f4')
    for name in ('add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum'):
        function = getattr(np, name)
        got = function.outer(small, small)
        case.check(got.dtype == np.dtype(bfloat16), '%s answers %s' % (name, got.dtype))
        want = function.outer(wide, wide).astype(bfloat16)
        case.equal(got.view('u2').tolist(), want.view('u2').tolist(), name)


def test_functions_and_comparisons(case):
    """exp, sqrt, comparisons, sorting, argmax, dot."""
    array = np.array([4, 0.25, 9, 1], 'f4').astype(bfloat16)
    case.equal(np.sqrt(array).astype('f4').tolist(), [2, 0.5, 3, 1], 'sqrt')
    case.equal(np.sort(array).astype('f4').tolist(), [0.25, 1, 4, 9], 'sort')
    case.equal((array > bfloat16(1)).tolist(), [True, False, True, False], 'greater')
    case.equal(int(np.argmax(array)), 2, 'argmax')
    case.equal(float(np.dot(array, array)), 98.0, 'dot')  # 98.0625, rounded
    case.equal(float(np.exp(bfloat16(1))), 2.71875, 'exp')


def test_float8_numbers(case):
    """Each of the 256 bit patterns goes to float32 and back to itself."""
    for name in FLOAT8:
        patterns = np.arange(256, dtype='u1').view(type_of(name))
        back = patterns.astype('f4').astype(type_of(name)).view('u1')
        numbers = ~np.isnan(patterns.astype('f4'))
        case.equal(back[numbers].tolist(), np.arange(256)[numbers].tolist(), name)
        case.note(name, int(numbers.sum()))


def test_float8_limits(case):
    """The largest numbers, and what lies above them: NaN without infinities, else infinity."""
    case.equal(float(ml_dtypes.finfo(ml_dtypes.float8_e4m3fn).max), 448.0, 'e4m3fn')
    case.equal(float(ml_dtypes.finfo(ml_dtypes.float8_e5m2).max), 57344.0, 'e5m2')
    beyond = np.array([1000.0], 'f4').astype(ml_dtypes.float8_e4m3fn).astype('f4')
    case.check(bool(np.isnan(beyond[0])), '1000 became %s' % beyond[0])
    beyond = np.array([1e6], 'f4').astype(ml_dtypes.float8_e5m2).astype('f4')
    case.equal(beyond.tolist(), [np.inf], '1e6')


def test_finfo_and_iinfo(case):
    """What is known of the types."""
    info = ml_dtypes.finfo(bfloat16)
    case.equal([info.bits, info.nexp, info.nmant], [16, 8, 7], 'bits of bfloat16')
    case.equal(float(info.eps), 2.0 ** -7, 'eps')
    case.equal(float(info.tiny), 2.0 ** -126, 'tiny')
    info = ml_dtypes.iinfo(ml_dtypes.int4)
    case.equal([int(info.min), int(info.max), info.bits], [-8, 7, 4], 'int4')
    case.equal(int(ml_dtypes.iinfo(ml_dtypes.uint4).max), 15, 'uint4')


def test_int4_wraps(case):
    """Sums of four bits wrap as they do in two's complement."""
    array = np.array([7, -8, 3], 'i1').astype(ml_dtypes.int4)
    case.equal((array + array).astype('i1').tolist(), [-2, 0, 6], 'int4')
    array = np.array([15, 8, 3], 'u1').astype(ml_dtypes.uint4)
    case.equal((array + array).astype('u1').tolist(), [14, 0, 6], 'uint4')


def test_files_and_pickles(case):
    """An array of bfloat16 is pickled, copied and printed."""
    import copy
    import pickle
    array = np.array([1.5, -2], 'f4').astype(bfloat16)
    for again in (pickle.loads(pickle.dumps(array)), copy.deepcopy(array)):
        case.check(again.dtype == array.dtype, 'another type: %s' % again.dtype)
        case.equal(again.astype('f4').tolist(), [1.5, -2.0], 'numbers')
    case.equal(str(array), '[1.5 -2]', 'text')
