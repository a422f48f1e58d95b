"""tflite-runtime's smoke tests: TensorFlow's own test models, and three small nets, on the board.

The models, their inputs and what they must answer are in smoke/models.py: closed forms and own
numpy implementations, and beside them the recorded output of the official x86-64 wheel
(smoke/expected.json). The data folder `tensorflow` is TensorFlow's source tree or its
tensorflow/lite/testdata. More tests are in smoke/tests_of_*.py; they run after those of this file.
Runs on Python 2.7 and 3.4 to 3.15.
"""
from __future__ import division, print_function

import io
import os
import re
import sys

import numpy as np
import tflite_runtime
from tflite_runtime.interpreter import Interpreter, OpResolverType

import models
import once_broken
from checking import (EXPECTED, WITHOUT_DELEGATES, check_model, compare, model_path, names_of_ops,
                      opened, testdata)
from tests_of_2026 import *
from tests_of_arrays import *
from tests_of_interpreters import *
from tests_of_kernels import *
from tests_of_perception import *
from tests_of_versions import *

# ---- The package ---------------------------------------------------------------------------------


def test_version_and_requirements(case):
    """The version is the wheel's, and nothing but numpy is needed."""
    case.check(re.match(r'\d+\.\d+\.\d+(\.post\d+)?$', tflite_runtime.__version__),
               'odd version %r' % tflite_runtime.__version__)
    case.note('tflite_runtime', tflite_runtime.__version__)
    case.note('numpy', np.__version__)
    case.note('expected', EXPECTED['recorded_with'])
    package = os.path.dirname(os.path.abspath(tflite_runtime.__file__))
    site = os.path.dirname(package)
    infos = [name for name in os.listdir(site)
             if name.startswith('tflite_runtime-') and name.endswith('.dist-info')]
    case.equal(len(infos), 1, 'number of tflite_runtime-*.dist-info folders')
    case.equal(infos[0][len('tflite_runtime-'):-len('.dist-info')].split('+')[0],
               tflite_runtime.__version__, 'version of the installed wheel')
    with io.open(os.path.join(site, infos[0], 'METADATA'), encoding='utf-8') as stream:
        header = stream.read().split('\n\n')[0]
    needs = [re.split(r'[ ;(<>=!~\[]', line.split(':', 1)[1].strip())[0]
             for line in header.split('\n') if line.startswith('Requires-Dist:')]
    case.note('requires', needs)
    case.check('numpy' in needs, 'numpy is not required by the metadata')
    case.check(set(needs) <= set(['numpy', 'enum34']), 'unexpected requirements: %s' % needs)
    strangers = set()
    for name, module in list(sys.modules.items()):
        origin = getattr(module, '__file__', None) or ''
        if os.path.dirname(os.path.abspath(origin)).startswith(site + os.sep):
            strangers.add(name.split('.')[0])
    strangers -= set(['numpy', 'tflite_runtime', 'enum', '_distutils_hack', '__mp_main__'])
    case.equal(sorted(strangers), [], 'other installed packages that were loaded')


def test_native_file(case):
    """There is one native file, and it was built for this machine's word size."""
    package = os.path.dirname(os.path.abspath(tflite_runtime.__file__))
    native = [name for name in os.listdir(package) if name.endswith('.so')]
    case.equal(len(native), 1, 'native files')
    with open(os.path.join(package, native[0]), 'rb') as stream:
        head = bytearray(stream.read(20))
    case.equal(bytes(head[:4]), b'\x7fELF', 'magic')
    case.equal(head[4], 2 if sys.maxsize > 2 ** 32 else 1, 'ELF class')
    case.note('file', native[0])
    case.note('size', os.path.getsize(os.path.join(package, native[0])))


# ---- Models with known answers -------------------------------------------------------------------


def test_add(case):
    """add.bin: float, signature."""
    check_model(case, 'add')


def test_multi_add(case):
    """multi_add.bin: four inputs, two outputs."""
    check_model(case, 'multi_add')


def test_add_uint8(case):
    """add_quantized.bin."""
    check_model(case, 'add_uint8')


def test_add_int8(case):
    """add_quantized_int8.bin."""
    check_model(case, 'add_int8')


def test_sub(case):
    """sub.bin: one input is a variable tensor."""
    check_model(case, 'sub')


def test_float16_weights(case):
    """test_model_redux_precision.bin: a convolution with float16 weights."""
    check_model(case, 'float16_weights')


def test_lstm(case):
    """lstm.bin."""
    check_model(case, 'lstm')


def test_custom_lstm(case):
    """custom_lstm.bin."""
    check_model(case, 'custom_lstm')


def test_sequence_lstm(case):
    """unidirectional_sequence_lstm.bin."""
    check_model(case, 'sequence_lstm')


def test_variable(case):
    """call_once_mul.bin: CALL_ONCE and resource variables in a second subgraph."""
    check_model(case, 'variable')


def test_while(case):
    """multi_subgraphs_while.bin."""
    check_model(case, 'while')


def test_nested_while(case):
    """nested_while.bin: five subgraphs."""
    check_model(case, 'nested_while')


def test_while_string(case):
    """while_op_with_forwarding_input.bin: a string goes through a loop."""
    check_model(case, 'while_string')


def test_string(case):
    """string_input_model.bin: strings in and out, empty and not ASCII."""
    check_model(case, 'string')


def test_scalar_reshape(case):
    """zero_size_constant.bin: a constant without elements."""
    check_model(case, 'scalar_reshape')


def test_empty_tensor(case):
    """test_min_runtime.bin: tensors without elements."""
    check_model(case, 'empty_tensor')


def test_multi_signatures(case):
    """multi_signatures.bin: its first subgraph."""
    check_model(case, 'multi_signatures')


def test_convnet_float(case):
    """Our float net: CONV_2D, DEPTHWISE_CONV_2D, pooling, FULLY_CONNECTED, SOFTMAX."""
    check_model(case, 'convnet_float')


def test_convnet_int8(case):
    """Our int8 net, weights quantized by channel."""
    check_model(case, 'convnet_int8')


def test_convnet_uint8(case):
    """Our uint8 net, weights quantized by tensor."""
    check_model(case, 'convnet_uint8')


def test_models_without_operators(case):
    """empty_model.bin and two_subgraphs.bin open and run."""
    for name in ('empty_model.bin', 'two_subgraphs.bin', '2_subgraphs.bin'):
        interpreter = Interpreter(os.path.join(testdata(case), name))
        interpreter.allocate_tensors()
        interpreter.invoke()
        case.equal((interpreter.get_input_details(), interpreter.get_output_details()), ([], []),
                   name)


# ---- Delegates and kernels -----------------------------------------------------------------------


def check_delegated(case, name):
    """XNNPACK takes the whole net; without it, and with reference kernels, the answer stays."""
    model = models.BY_NAME[name]
    inputs = model.inputs()
    interpreter = opened(case, name)
    ops = interpreter._get_ops_details()
    case.note('ops', [op['op_name'] for op in ops])
    output = interpreter.get_output_details()[0]['index']
    taken = [op for op in ops if op['op_name'] == 'DELEGATE']
    case.check(taken, 'XNNPACK took no node of %s: %s' % (name, [op['op_name'] for op in ops]))
    case.equal(len(taken), 1, 'delegated parts')
    case.check(output in [int(index) for index in taken[0]['outputs']],
               'XNNPACK does not compute the output of %s' % name)
    delegated = models.run(interpreter, inputs)
    for label, resolver in (('without_delegates', WITHOUT_DELEGATES),
                            ('reference', OpResolverType.BUILTIN_REF)):
        plain = opened(case, name, experimental_op_resolver_type=resolver)
        if resolver is WITHOUT_DELEGATES:
            case.check('DELEGATE' not in names_of_ops(plain), 'a delegate nobody asked for')
            case.equal(len(names_of_ops(plain)), len(ops) - 1, 'operators')
        got = models.run(plain, inputs)
        case.note('difference_' + label, max(
            case.close(a.astype('f8'), b.astype('f8'), rtol=1e-5, atol=model.atol,
                       what='%s: delegated against %s' % (name, label))
            for a, b in zip(delegated, got)))


def test_xnnpack_float(case):
    """XNNPACK takes the float net."""
    check_delegated(case, 'convnet_float')


def test_xnnpack_int8(case):
    """XNNPACK takes the int8 net (a build with XNNPACK_DELEGATE_ENABLE_QS8)."""
    check_delegated(case, 'convnet_int8')


def test_xnnpack_uint8(case):
    """XNNPACK takes the uint8 net (a build with XNNPACK_DELEGATE_ENABLE_QU8)."""
    check_delegated(case, 'convnet_uint8')


def test_resolvers_agree(case):
    """Optimized and reference kernels give the known answers without the delegate."""
    for name in ('multi_add', 'add_uint8', 'add_int8', 'float16_weights', 'convnet_float',
                 'convnet_int8', 'convnet_uint8', 'sequence_lstm'):
        model = models.BY_NAME[name]
        inputs = model.inputs()
        for resolver in (WITHOUT_DELEGATES, OpResolverType.BUILTIN_REF):
            got = models.run(opened(case, name, experimental_op_resolver_type=resolver), inputs)
            compare(case, model, got, model.expect(inputs), 'computed value, ' + resolver.name)
    case.raises(ValueError, Interpreter, model_path(case, 'add'),
                experimental_op_resolver_type='AUTO', match='Unrecognized')


def test_intermediate_tensors(case):
    """experimental_preserve_all_tensors: every layer of the nets is what numpy says."""
    for name, net in (('convnet_float', models.FloatNet), ('convnet_int8', models.Int8Net)):
        interpreter = opened(case, name, experimental_preserve_all_tensors=True)
        x = models.BY_NAME[name].inputs()[0]
        models.run(interpreter, [x])
        by_name = dict((item['name'], item['index']) for item in interpreter.get_tensor_details())
        layers = net.layers(x)
        labels = ['c1', 'c2', 'pool', 'logits', 'y'] if len(layers) == 5 else ['c1', 'c2', 'y']
        for label, layer in zip(labels, layers):
            case.note('%s_%s' % (name, label), case.close(
                interpreter.get_tensor(by_name[label]).astype('f8'), layer, rtol=1e-5,
                atol=1e-5 if net is models.FloatNet else 1, what='%s of %s' % (label, name)))


# ---- Faults of wheels that were published --------------------------------------------------------


def test_depthwise_5x5(case):
    """A float 5x5 depthwise convolution: on ARMv6, allocating its tensors never ended."""
    once_broken.check(case, 'depthwise_5x5.tflite', atol=1e-5)


def test_conv_one_pixel_int8(case):
    """An int8 convolution to one pixel: on a Cortex-A7 it died of SIGSEGV."""
    once_broken.check(case, 'conv_one_pixel_int8.tflite', atol=1)


# ---- Level full ----------------------------------------------------------------------------------


def test_dynamic_shapes(case):
    """dynamic_shapes.bin: attention over 344064 floats; rows of equal values (slow)."""
    interpreter = Interpreter(os.path.join(testdata(case), 'dynamic_shapes.bin'))
    interpreter.allocate_tensors()
    inputs = [np.full(detail['shape'], value, 'f4')
              for detail, value in zip(interpreter.get_input_details(), (1.5, 0.5, 1.0))]
    # Attention weights sum to 1 over rows that are all 1.5: the answer is 1.5 throughout.
    got = models.run(interpreter, inputs)[0]
    case.equal(got.shape, (8, 1, 1024), 'shape')
    case.close(got, np.full((8, 1, 1024), 1.5), rtol=1e-5, what='attention')


test_dynamic_shapes.level = 'full'
