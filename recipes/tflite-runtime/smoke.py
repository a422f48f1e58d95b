"""tflite-runtime's smoke tests: TensorFlow's own test models, and three small nets, on the board.

The models, their inputs and what they must answer are in smoke/models.py: closed forms and own
numpy implementations, and beside them the recorded output of the official x86-64 wheel
(smoke/expected.json). The data folder `tensorflow` is TensorFlow's source tree or its
tensorflow/lite/testdata. Runs on Python 2.7 and 3.4 to 3.15.
"""
from __future__ import division, print_function

import gc
import hashlib
import io
import json
import os
import re
import sys
import tempfile
import threading
import time

import numpy as np
import tflite_runtime
from tflite_runtime.interpreter import Interpreter, OpResolverType

import models
import once_broken

WITHOUT_DELEGATES = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES

with io.open(os.path.join(models.HERE, 'expected.json'), encoding='utf-8') as _stream:
    EXPECTED = json.load(_stream)


def testdata(case):
    below = case.data('tensorflow', 'tensorflow', 'lite', 'testdata')
    return below if os.path.isdir(below) else case.data('tensorflow')


def model_path(case, name):
    return models.BY_NAME[name].path(testdata(case))


def opened(case, name, **options):
    """An interpreter of one of the models, allocated."""
    interpreter = Interpreter(model_path(case, name), **options)
    interpreter.allocate_tensors()
    return interpreter


def names_of_ops(interpreter):
    return [op['op_name'] for op in interpreter._get_ops_details()]


def compare(case, model, outputs, wanted, which):
    """Outputs against wanted values, by the tolerance of the model; returns the largest error."""
    case.equal(len(outputs), len(wanted), 'number of outputs')
    worst = 0.0
    for place, (output, want) in enumerate(zip(outputs, wanted)):
        what = '%s, output %d against the %s' % (model.name, place, which)
        if output.dtype.kind in 'SO':
            case.equal(output, want, what)
        else:
            worst = max(worst, case.close(output.astype('f8'), np.array(want, 'f8'),
                                          rtol=model.rtol, atol=model.atol, what=what))
    return worst


def check_model(case, name):
    """Runs one model; compares with its closed form or numpy, and with the recording."""
    model = models.BY_NAME[name]
    entry = EXPECTED['models'][name]
    path = model.path(testdata(case))
    with open(path, 'rb') as stream:
        case.equal(hashlib.sha256(stream.read()).hexdigest(), entry['sha256'],
                   'sha256 of %s (record.py makes new expectations)' % model.filename)
    interpreter = opened(case, name)
    inputs = model.inputs()
    start = time.time()
    outputs = models.run(interpreter, inputs, model.outputs)
    case.note('invoke_ms', round((time.time() - start) * 1000, 2))
    case.note('source', entry['source'])
    case.note('delegate_nodes', names_of_ops(interpreter).count('DELEGATE'))
    case.note('error_computed',
              compare(case, model, outputs, model.expect(inputs), 'computed value'))
    recorded = []
    for output, value in zip(outputs, entry['outputs']):
        if value['dtype'] == 'string':
            recorded.append(np.array([item.encode('utf-8') for item in value['values']],
                                     object).reshape(value['shape']))
        else:
            case.equal(output.dtype.name, value['dtype'], 'type of the output')
            recorded.append(np.array(value['values'], value['dtype']).reshape(value['shape']))
    near = max(model.atol, 1e-6)  # closed forms in float32 may be exact where kernels round
    case.note('error_recorded', max(
        case.close(output.astype('f8'), want.astype('f8'), rtol=1e-5, atol=near,
                   what='%s against the official wheel' % name)
        if want.dtype != object else case.equal(output, want, name) or 0.0
        for output, want in zip(outputs, recorded)))


# ---- The package ---------------------------------------------------------------------------------


def test_version_and_requirements(case):
    """The version is the wheel's, and nothing but numpy is needed."""
    case.check(re.match(r'\d+\.\d+\.\d+$', tflite_runtime.__version__),
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


# ---- The interpreter's ways ----------------------------------------------------------------------


def test_signatures(case):
    """get_signature_list and get_signature_runner, with names, resizing and their errors."""
    add = Interpreter(model_path(case, 'add'))
    case.equal(add.get_signature_list(), {'serving_default': {'inputs': ['a'], 'outputs': ['x']}})
    x = models.images(7)
    case.close(add.get_signature_runner()(a=x)['x'], 3 * x, rtol=1e-6, what='add')
    case.raises(ValueError, add.get_signature_runner, 'no such', match='Invalid signature_key')
    runner = add.get_signature_runner('serving_default')
    case.raises(ValueError, runner, b=x, match='Invalid Input name')
    case.raises(ValueError, runner, match='Invalid number of inputs')
    both = Interpreter(model_path(case, 'multi_signatures'))
    case.equal(sorted(both.get_signature_list()), ['add', 'sub'], 'signatures')
    case.raises(ValueError, both.get_signature_runner, match='signature_key is None')
    for length in (1, 5, 2):
        y = models.pattern((length,), 3, 7, 0.5)
        case.close(both.get_signature_runner('add')(x=y)['output_0'], y + 2, what='add %d' % length)
        case.close(both.get_signature_runner('sub')(x=y)['output_0'], y - 3, what='sub %d' % length)
    multi = Interpreter(model_path(case, 'multi_add')).get_signature_runner()
    a, b, c, d = models.BY_NAME['multi_add'].inputs()
    got = multi(d=d, c=c, b=b, a=a)
    case.close(got['x'], a + b + c, rtol=1e-6, what='x by name')
    case.close(got['y'], b + c + d, rtol=1e-6, what='y by name')
    details = multi.get_input_details()
    case.equal(sorted(details), ['a', 'b', 'c', 'd'], 'inputs of the runner')
    case.equal(details['a']['shape'].tolist(), [1, 8, 8, 3], 'shape of a')
    loop = Interpreter(model_path(case, 'while')).get_signature_runner()
    got = loop(inp=np.array(0.5, 'f4'))
    case.equal(sorted(float(value) for value in got.values()), [2.0, 2.0], 'while by signature')


def test_details(case):
    """Names, types, shapes and quantization of tensors, per channel too."""
    add = opened(case, 'add_uint8')
    detail = add.get_input_details()[0]
    case.equal((detail['name'], detail['dtype'] is np.uint8), ('input', True), 'input')
    case.close(detail['quantization'][0], 0.003922, rtol=1e-6, what='scale')
    net = opened(case, 'convnet_int8')
    by_name = dict((item['name'], item) for item in net.get_tensor_details())
    weights = by_name['w2']['quantization_parameters']
    case.close(weights['scales'], [np.float32(scale) for scale in models.Int8Net.s2], what='scales')
    case.equal(weights['quantized_dimension'], 3, 'dimension')
    case.equal(weights['zero_points'].tolist(), [0] * models.FILTERS, 'zero points')
    case.equal(net.get_output_details()[0]['quantization'], (0.5, 1), 'output')
    signature = Interpreter(model_path(case, 'sub')).get_input_details()[0]['shape_signature']
    case.equal(signature.tolist(), [-1, 3], 'unknown dimension')


def test_resize(case):
    """resize_tensor_input to other batches and back; strict resizing refuses."""
    interpreter = opened(case, 'add')
    index = interpreter.get_input_details()[0]['index']
    for shape in ((2, 8, 8, 3), (3, 2, 5, 1), (1, 8, 8, 3)):
        interpreter.resize_tensor_input(index, shape)
        case.raises(RuntimeError, interpreter.invoke, match='not ready')
        interpreter.allocate_tensors()
        x = models.pattern(shape, 7, 31, 0.5)
        case.close(models.run(interpreter, [x])[0], 3 * x, what='resized to %s' % (shape,))
    case.raises((ValueError, RuntimeError), interpreter.resize_tensor_input, index, [1, 4, 8, 3],
                strict=True, match='Resiz')
    sub = Interpreter(model_path(case, 'sub'))
    first, second = [detail['index'] for detail in sub.get_input_details()]
    for index in (first, second):
        sub.resize_tensor_input(index, [4, 3], strict=True)
    sub.allocate_tensors()
    a, b = models.pattern((4, 3), 5, 11), models.pattern((4, 3), 3, 7)
    case.close(models.run(sub, [a, b])[0], a - b, what='unknown dimension of 4')
    net = opened(case, 'convnet_float')
    x = models.BY_NAME['convnet_float'].inputs()[0]
    alone = models.run(net, [x])[0]
    net.resize_tensor_input(net.get_input_details()[0]['index'], (3,) + x.shape[1:])
    net.allocate_tensors()
    batch = models.run(net, [np.concatenate([x, x * 0.5, x])])[0]
    case.close(batch[0], alone[0], rtol=1e-5, what='first of a batch of three')
    case.close(batch[2], alone[0], rtol=1e-5, what='last of a batch of three')
    half = models.FloatNet.layers(x * 0.5)[-1]
    case.close(batch[1:2], half, atol=1e-5, what='second of a batch of three')


def test_threads(case):
    """One, two and four threads give the same numbers."""
    for name in ('convnet_float', 'convnet_int8', 'convnet_uint8', 'multi_add', 'sequence_lstm'):
        model = models.BY_NAME[name]
        inputs = model.inputs()
        single = models.run(opened(case, name, num_threads=1), inputs)
        compare(case, model, single, model.expect(inputs), 'computed value, one thread')
        for threads in (2, 4):
            interpreter = opened(case, name, num_threads=threads)
            for repetition in range(3):
                got = models.run(interpreter, inputs)
                if name == 'sequence_lstm' and repetition:
                    continue  # it has a memory
                for a, b in zip(got, single):
                    case.close(a.astype('f8'), b.astype('f8'), rtol=1e-6, atol=1e-7,
                               what='%s with %d threads' % (name, threads))
    case.raises(ValueError, Interpreter, model_path(case, 'add'), num_threads=0,
                match='num_threads should >= 1')
    case.raises(ValueError, Interpreter, model_path(case, 'add'), num_threads='2',
                match='type of num_threads should be int')


def test_interpreters_in_parallel(case):
    """Three interpreters in three Python threads at once: invoke lets go of the GIL."""
    wrong = []
    model = models.BY_NAME['convnet_float']
    path = model_path(case, 'convnet_float')

    def work(which):
        try:
            interpreter = Interpreter(path, num_threads=1 + which % 2)
            interpreter.allocate_tensors()
            x = model.inputs()[0] * (1 + which)
            want = models.FloatNet.layers(x)[-1]
            for _ in range(10):
                error = np.abs(models.run(interpreter, [x])[0] - want).max()
                if not error < 1e-5:
                    wrong.append('thread %d: error %r' % (which, error))
        except BaseException as error:
            wrong.append('thread %d: %r' % (which, error))

    threads = [threading.Thread(target=work, args=(which,)) for which in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        case.check(not thread.is_alive(), 'a thread did not end in 120 s')
    case.equal(wrong, [], 'threads')


def test_state_of_lstm(case):
    """An LSTM remembers from call to call; reset_all_variables makes it forget."""
    interpreter = opened(case, 'lstm')
    cell = models.Lstm()
    rows = [[0.75, -0.5], [1.5, 0.25], [-1.0, 3.0]]
    for row in rows:
        got = models.run(interpreter, [np.array([row], 'f4')])[0]
        case.close(got, cell.step(np.array(row)).reshape(1, 2), atol=1e-5, what='step %s' % row)
    interpreter.reset_all_variables()
    got = models.run(interpreter, [np.array([rows[0]], 'f4')])[0]
    case.close(got, models.Lstm().step(np.array(rows[0])).reshape(1, 2), atol=1e-5, what='reset')


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


# ---- numpy ---------------------------------------------------------------------------------------


def test_views(case):
    """tensor() gives views of the interpreter's memory, and protects them."""
    interpreter = opened(case, 'add')
    into = interpreter.tensor(interpreter.get_input_details()[0]['index'])
    out = interpreter.tensor(interpreter.get_output_details()[0]['index'])
    into().fill(1.5)
    interpreter.invoke()
    case.equal(float(out().min()), 4.5, 'through views')
    view = into()
    case.check(view.base is not None, 'a view without an owner')
    case.raises(RuntimeError, interpreter.invoke, match='at least 1 reference')
    case.raises(RuntimeError, interpreter.allocate_tensors, match='at least 1 reference')
    del view
    interpreter.invoke()
    view = into()
    view[...] = 2.0
    before = sys.getrefcount(interpreter._interpreter)
    another = into()
    case.equal(sys.getrefcount(interpreter._interpreter), before + 1, 'references')
    del another
    del interpreter, into, out
    gc.collect()
    case.equal(float(view.sum()), 2.0 * 192, 'a view outlives its interpreter')
    copies = opened(case, 'add')
    first = models.run(copies, [models.images(7)])[0]
    kept = first.copy()
    models.run(copies, [models.images(11)])
    case.equal(first, kept.tolist(), 'get_tensor gives a copy')
    case.check(first.flags.owndata and first.flags.writeable, 'a copy that is not our own')


def test_arrays_of_every_layout(case):
    """set_tensor takes strided, transposed, read-only and foreign-order arrays by their values."""
    interpreter = opened(case, 'add')
    x = models.images(7)
    frozen = x.copy()
    frozen.flags.writeable = False
    wide = np.zeros((1, 8, 16, 3), 'f4')
    wide[:, :, ::2] = x
    odd = np.frombuffer(b'\x55' + x.tobytes(), 'u1')[1:].view('f4').reshape(x.shape)
    for label, value in (('Fortran', np.asfortranarray(x)), ('strided', wide[:, :, ::2]),
                         ('read-only', frozen), ('unaligned', odd),
                         ('backwards', x[:, ::-1][:, ::-1])):
        case.close(models.run(interpreter, [value])[0], 3 * x, rtol=1e-6, what=label)


def test_model_from_memory(case):
    """model_content instead of a file; it may be let go of."""
    with open(model_path(case, 'convnet_int8'), 'rb') as stream:
        interpreter = Interpreter(model_content=stream.read())
    gc.collect()
    interpreter.allocate_tensors()
    model = models.BY_NAME['convnet_int8']
    inputs = model.inputs()
    for _ in range(3):
        compare(case, model, models.run(interpreter, inputs), model.expect(inputs), 'computed value')
    case.raises(ValueError, Interpreter, match='must be specified')
    case.raises(ValueError, Interpreter, 'a', b'b', match='both provide')


def test_many_interpreters(case):
    """Forty interpreters come and go."""
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(20):
        for name in ('convnet_float', 'lstm'):
            model = models.BY_NAME[name]
            models.run(opened(case, name), model.inputs())
    gc.collect()
    case.note('growth_kb', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)


# ---- Errors --------------------------------------------------------------------------------------


def test_broken_models(case):
    """Broken files are refused with a ValueError that says why."""
    data = testdata(case)
    case.raises(ValueError, Interpreter, os.path.join(data, 'no such file.bin'),
                match="Could not open")
    case.raises(ValueError, Interpreter, os.path.join(data, 'test_model_broken.bin'),
                match='model identifier')
    for name in ('0_subgraphs.bin', 'no_subgraphs.bin'):
        case.raises(ValueError, Interpreter, os.path.join(data, name), match='No subgraph')
    case.raises(ValueError, Interpreter, model_content=b'garbage', match='model identifier')
    with open(model_path(case, 'add'), 'rb') as stream:
        good = stream.read()
    case.raises(ValueError, Interpreter, model_content=good[:4] + b'XFL3' + good[8:],
                match='model identifier')
    handle, path = tempfile.mkstemp(suffix='.tflite')
    os.close(handle)
    try:
        # Cut off. (The rest of a mapped page is zeros, so that what is read is defined.)
        for size in (0, 5, 40, 100, 300):
            with open(path, 'wb') as stream:
                stream.write(good[:size])
            error = case.raises(ValueError, Interpreter, path)
            case.note('cut_to_%d' % size, str(error))
    finally:
        os.remove(path)


def test_models_that_cannot_run(case):
    """Models that ask for what is not there say so, and do not crash."""
    data = testdata(case)
    for name, words in (('custom_sinh.bin', 'unresolved custom op: Sinh'),
                        ('double_flex.bin', 'Select TensorFlow op'),
                        ('softplus_flex.bin', 'Select TensorFlow op'),
                        ('add_shared_tensors.bin', 'is both input 0 and output 0')):
        interpreter = Interpreter(os.path.join(data, name))
        case.raises(RuntimeError, interpreter.allocate_tensors, match=words)
    for name, words in (('segment_sum_invalid_buffer.bin', 'lacks data'),
                        ('tensor_string_data_type.bin', '')):
        interpreter = Interpreter(os.path.join(data, name))
        interpreter.allocate_tensors()
        error = case.raises(RuntimeError, interpreter.invoke, match=words)
        case.note(name, str(error))
    case.raises(RuntimeError, Interpreter(model_path(case, 'add')).invoke, match='not ready')


def test_wrong_tensors(case):
    """Wrong shapes, types and indices are refused; the interpreter stays usable."""
    interpreter = opened(case, 'add')
    index = interpreter.get_input_details()[0]['index']
    case.raises(ValueError, interpreter.set_tensor, index, np.zeros((1, 8, 8, 2), 'f4'),
                match='Got 2 but expected 3 for dimension 3')
    case.raises(ValueError, interpreter.set_tensor, index, np.zeros((8, 8, 3), 'f4'),
                match='Got 3 but expected 4')
    case.raises(ValueError, interpreter.set_tensor, index, np.zeros((1, 8, 8, 3), 'f8'),
                match='Got value of type FLOAT64 but expected type FLOAT32')
    case.raises(ValueError, interpreter.set_tensor, 99, np.zeros(1, 'f4'), match='index 99')
    case.raises(ValueError, interpreter.get_tensor, 99, match='index 99')
    case.raises(ValueError, interpreter._get_op_details, 99, match='Invalid node index')
    x = models.images(7)
    case.close(models.run(interpreter, [x])[0], 3 * x, rtol=1e-6, what='afterwards')


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
