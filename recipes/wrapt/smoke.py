# Valid for Python 2.7 and 3.4 and newer.
"""wrapt on the board: that it is the C code that runs, and that it wraps as it documents."""

import wrapt
from wrapt import _wrappers


def test_the_c_code_is_used(case):
    """The names of the package are those of the extension."""
    case.check(wrapt.ObjectProxy is _wrappers.ObjectProxy, 'ObjectProxy is that of C')
    case.check(wrapt.FunctionWrapper is _wrappers.FunctionWrapper, 'and FunctionWrapper')


def test_a_decorator_sees_instance_and_arguments(case):
    """As in the documentation of decorators: wrapped, instance, args, kwargs."""
    seen = []

    @wrapt.decorator
    def note(wrapped, instance, args, kwargs):
        seen.append((wrapped.__name__, type(instance).__name__, args, kwargs))
        return wrapped(*args, **kwargs) + 1

    class Adder(object):
        @note
        def add(self, one, two=2):
            """Adds."""
            return one + two

    @note
    def double(value):
        return 2 * value

    case.equal(Adder().add(1, two=5), 7)
    case.equal(double(4), 9)
    case.equal(seen, [('add', 'Adder', (1,), {'two': 5}), ('double', 'NoneType', (4,), {})])
    case.equal(Adder.add.__doc__, 'Adds.')


def test_a_proxy_is_what_it_wraps(case):
    """Operators, attributes and isinstance reach the wrapped object."""
    proxy = wrapt.ObjectProxy([3, 1, 2])
    case.check(isinstance(proxy, list), 'isinstance')
    case.equal(sorted(proxy), [1, 2, 3])
    case.equal(len(proxy) + proxy[0], 6)
    proxy.append(4)
    case.equal(proxy.__wrapped__, [3, 1, 2, 4])
    number = wrapt.ObjectProxy(2 ** 40)
    case.equal((number + 1, 1 + number, number * 2), (2 ** 40 + 1, 2 ** 40 + 1, 2 ** 41))
    case.equal(hash(number), hash(2 ** 40))


def test_attributes_of_a_module_are_patched(case):
    """Monkey patching, on a function of C."""
    import math

    def wrapper(wrapped, instance, args, kwargs):
        return -wrapped(*args, **kwargs)

    original = math.floor
    wrapt.wrap_function_wrapper('math', 'floor', wrapper)
    try:
        case.equal(math.floor(2.5), -2)
    finally:
        math.floor = original


def test_weak_methods_and_locks(case):
    """A synchronized method, and a weak proxy of a bound one."""
    class Thing(object):
        @wrapt.synchronized
        def value(self):
            return 5

    case.equal(Thing().value(), 5)

    class Other(object):
        def value(self):
            return 6

    other = Other()
    weak = wrapt.WeakFunctionProxy(other.value)
    case.equal(weak(), 6)


def test_many_calls_leak_no_references(case):
    """The counts of references are right after thousands of calls through C."""
    import sys

    @wrapt.decorator
    def passing(wrapped, instance, args, kwargs):
        return wrapped(*args, **kwargs)

    @passing
    def same(value):
        return value

    token = object()
    before = sys.getrefcount(token)
    for _ in range(2000):
        same(token)
    case.equal(sys.getrefcount(token), before)
