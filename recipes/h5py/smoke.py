# Valid for Python 3.7 and newer.
"""h5py on the board: a file of another machine, all kinds of data there and back, large offsets."""

import base64
import io
import os
import threading
import zlib

import h5py
import numpy as np

#: Written on x86-64 by the index's own h5py 3.16.0 (HDF5 1.14.6, libver='earliest').
KNOWN = (
    'eNrtm0tsG0UYx2d3Y3ubB3VI4jjNy6UpBEiakLhuoBQnpXkgVbSiVI04oLyc1MKKQxKUNBLgY+DEESEhRYhDoHBBAnFoxaEC'
    '9cINTlxyqVQhVBAChMLDzOx/Pu8j9iaKBDXq/KPol91vZnb28zfjmW83b4ydGampPFTJhEyTVbAwcyovNZ5wH5N9QlKTXJfc'
    '1Om8Ydmi8nxYth8z3PWff254WJTOe0TXGYxQfaV7UWPDQ+cFxykeJG/q7nJzkovZlSXBTHr+JcGeuZ70/PISm8pmM8KwmJpF'
    'ucm5udSMHb9Rz3VrZcR547pa9kDEdz0zWRbNsSZNs2qEC2PCdI2PIP/NGfaYGX363FnNEdjOckKrA4nuRJwxz20yw1NubeXG'
    'Zxnehwp5TEyl5y0/BBj1276OXqQdqnfAc72JgyoGlZSUlJSUlJSUlJSUlJT2K836sfMOlG/YrMPxzQZwt/zY27KBTuXSe1Le'
    '/Fiv5O0GdzkrCcY1lUambG4tvSCYWUMCayW7OLPE7DzUbvF04dlzZzQWLJR7s8+/vCmZq6P4Z0XjncYDxTnlv2Ke9gYkP437'
    'X5f88W6/fznKL//Q+1/PAwH4QqNjeFTTcYLydJSf23kctqqGTcoV4k4C3ONWrk9HQ6b0rKFtNbk9TcqVRTwjrgKFz+P3Jv/y'
    'dBcDzXuLv/VG/3IUZ6sd/uUo7j/qKc95YTv/R/7P/F/5v63vCo3HhsFjJlAk3uBBTcMJygcHC/EVtYrWHk5KHw6yeBWL52Ug'
    'lo4zs9k9AknrZemv5LcXLSVvSf4kz/8qj7c/FLoq5jw//92WfiEWxmdhzMbcfjPgtyp23jrWZD3dsmts6fIrs7OZVGG8a/L8'
    'TGo2M7mccs0DQrzs8vTl1GJ/H8W9/Dx0faxFhoZj+nDMpPuTWJ9ovDnv+qS1RPlbx0Gyb3vsunzeKPvKftHc9vaEu/4dzwOS'
    'kwn3Mdkr1FJBSUlJSUnpLuY9/NdP4/L7mujc39D6s/j6qRPrJ1ovvGpa72jQ/lZ8/we4bTC4Y120flRuQR3bBGa/ofTvCusn'
    'Y8f66b0S5T/vBj9gdqedeuGY2/6WZ/1kePYr5GdThaaSkpKSklIZr5/Y1imOjZGtEyGmb4wKGEAFEACCQAgwgQNAJVAFVAM1'
    'wH3AQSAM1AL3A3VAPdAARDZGcyHePS0iUsmRXHArFmKNGz3CFkWRJuAQ0Ay0AK1AG9AOxIDDwAPAEaADOAo8CDwEdAIPA48A'
    'jwJdHDVWR7tER7t4R8Mh1r3RLozHUKYH6AUeA/qAfiAOHAcSwAlgAHgceAI4CTwJnAKeApLAIDAEnOZotTq6S86WngnYRM62'
    '1DvJds6WeXK212SytrxztmItT+9Si7+d71aTD3KFPKq49wrrRhdK+I9SiLrtP8sS4W2I15/n99gvsUehHO+ao69+iuj4VBb3'
    'eI3aWHvhGo0ma3yd/5Xe47WK1V2Stupd6tZptm9L5/wzMuvc5p2zxCeSFJu3yalpPJKwnjd9sbqf6MZOL6qzws6Qontk6OyF'
    'YWtXdXGYLl26t+/0u1smrd7lGV7b6RL3PxMY8pYa5ZAufYsfx4tv7zb/V1969kNj/1ApMpAxEcpJ0DlA/SfCL+VjilhZT4SG'
    'Y6ILSLfQsZgUV1+cnpiZmp1MTUev1N/ojAaO8LO/fa1/f6mj7X1uTMHcahtDr+l30t9lm7hRVOPmtivfCFuIsfpe/efrz9Rc'
    '4jY0OtFiVzQX9B9f/uraJ/8AhgKs6g=='
)


def known_file():
    return h5py.File(io.BytesIO(zlib.decompress(base64.b64decode(KNOWN))), 'r')


def in_memory(mode='w', **options):
    """A file that no disk sees."""
    return h5py.File('memory.h5', mode, driver='core', backing_store=False, **options)


def test_one_library_beside_the_modules(case):
    """All modules have the one HDF5 of this wheel."""
    with open('/proc/self/maps') as stream:
        found = {line.split()[-1] for line in stream if 'libhdf5' in line}
    case.equal(len(found), 1, 'libraries: %s' % sorted(found))
    case.equal(os.path.dirname(found.pop()), os.path.dirname(h5py.__file__), 'where it lies')
    case.equal(h5py.version.hdf5_version_tuple, (1, 14, 6), 'version of HDF5')
    case.note('h5py', h5py.version.version)


def test_a_file_of_another_machine(case):
    """What was written on x86-64 is read: types of both byte orders, filters, links, references."""
    with known_file() as file:
        case.equal(file.attrs['of'], 'x86-64')
        case.equal(sorted(file), ['bools', 'g', 'link', 'ragged', 'ref', 'rows'])
        case.equal(file['link'][()].tolist(), np.arange(-6, 6).reshape(3, 4).tolist())
        big = file['g/big']
        case.equal(big.dtype.str, '>f8')
        case.equal(big[()].tolist(), [n / 3 for n in range(6)])
        case.equal(file['g/gzip'][()].tolist(), [n % 7 for n in range(1000)])
        case.equal(file['g/gzip'].compression, 'gzip')
        case.equal(file['g/lzf'][()].tolist(), [n // 9 for n in range(600)])
        case.equal(file['g/words'].asstr()[()].tolist(), ['eins', 'zw\u00f6lf', ''])
        rows = file['rows'][()]
        case.equal(rows['n'].tolist(), [1, -2])
        case.equal(rows['z'].tolist(), [1 + 2j, -0.5j])
        case.equal(rows['s'].tolist(), [b'abc', b'x'])
        case.equal(file['bools'][()].tolist(), [True, False, True])
        case.equal(file[file['ref'][()]].name, '/g')
        case.equal([part.tolist() for part in file['ragged'][()]], [[1, 2, 3], [9]])


def test_types_there_and_back(case):
    """Every number type in both byte orders, bit by bit."""
    random = np.random.RandomState(7)
    kinds = ['i1', 'u1'] + [o + k + s for o in '<>' for k, s in (
        'i2', 'u2', 'i4', 'u4', 'i8', 'u8', 'f2', 'f4', 'f8', ('c', '8'), ('c', '16'))]
    with in_memory() as file:
        for kind in kinds:
            size = np.dtype(kind).itemsize
            values = np.frombuffer(random.bytes(size * 24), kind).reshape(2, 3, 4)
            file[kind] = values
            back = file[kind]
            case.equal(back.dtype.str, np.dtype(kind).str, kind)
            case.equal(back[()].tobytes(), values.tobytes(), kind)
        case.equal(len(file), len(kinds))


def test_numbers_are_converted(case):
    """HDF5 converts between types: saturating, rounding, exact where it can be."""
    with in_memory() as file:
        wide = file.create_dataset('wide', data=np.array([2.0 ** 40, -2.0 ** 40, 1.75, -1.75], 'f8'))
        case.equal(wide.astype('i4')[()].tolist(), [2 ** 31 - 1, -2 ** 31, 1, -1])
        case.equal(wide.astype('f4')[()].tolist(), [2.0 ** 40, -2.0 ** 40, 1.75, -1.75])
        long = file.create_dataset('long', data=np.array([2 ** 62 + 1, -2 ** 62], 'i8'))
        case.equal(long.astype('f8')[()].tolist(), [2.0 ** 62, -2.0 ** 62])
        half = file.create_dataset('half', data=np.array([1.0, -2.5, 65504.0, 6e-8], 'f2'))
        case.equal(half.astype('f8')[()].tolist(), np.array([1.0, -2.5, 65504.0, 6e-8], 'f2').astype('f8').tolist())


def test_parts_of_data(case):
    """Slices, steps, masks, lists of indices, against numpy's."""
    values = np.arange(7 * 9 * 5).reshape(7, 9, 5)
    with in_memory() as file:
        data = file.create_dataset('d', data=values, chunks=(2, 3, 5))
        for name, index in [('slice', np.s_[1:6, 2:, 3]), ('step', np.s_[::3, 1:8:2]),
                            ('list', np.s_[[0, 2, 5]]), ('dots', np.s_[..., -1])]:
            case.equal(data[index].tolist(), values[index].tolist(), name)
        mask = values % 4 == 1
        case.equal(data[mask].tolist(), values[mask].tolist(), 'mask')
        data[2:4, ::2, 1] = -1
        values[2:4, ::2, 1] = -1
        case.equal(data[()].tolist(), values.tolist(), 'written')
        grown = file.create_dataset('grown', (0, 3), 'i4', maxshape=(None, 3))
        for row in range(50):
            grown.resize(row + 1, axis=0)
            grown[row] = row
        case.equal(grown[()].sum(), 3 * sum(range(50)), 'grown')


def test_filters(case):
    """Compressed, shuffled, checked; and a byte that was changed is found."""
    values = (np.arange(40000) // 37).astype('i4')
    stream = io.BytesIO()
    with h5py.File(stream, 'w') as file:
        for kind in ('gzip', 'lzf'):
            data = file.create_dataset(kind, data=values, chunks=(5000,), compression=kind,
                                       shuffle=True, fletcher32=True)
            case.check(data.id.get_storage_size() < values.nbytes / 4, kind + ' compresses')
            case.equal(data[()].tolist(), values.tolist(), kind)
        offset = file['gzip'].id.get_chunk_info(3).byte_offset
        scaled = file.create_dataset('scaled', data=values, chunks=(5000,), scaleoffset=0)
        case.equal(scaled[()].tolist(), values.tolist(), 'scaleoffset')
    broken = bytearray(stream.getvalue())
    broken[offset + 20] ^= 1
    with h5py.File(io.BytesIO(bytes(broken)), 'r') as file:
        case.raises(OSError, lambda: file['gzip'][()])


def test_text_compounds_enums_references(case):
    """What has a type of its own."""
    with in_memory() as file:
        file['text'] = 'Gr\u00fc\u00dfe'
        case.equal(file['text'].asstr()[()], 'Gr\u00fc\u00dfe')
        colours = h5py.enum_dtype({'red': 1, 'blue': 7}, basetype='u1')
        file.create_dataset('enum', data=[7, 1], dtype=colours)
        case.equal(h5py.check_enum_dtype(file['enum'].dtype), {'red': 1, 'blue': 7})
        nested = np.dtype([('at', 'f4', (2,)), ('in', [('a', 'i8'), ('b', 'S4')])])
        rows = np.zeros(3, nested)
        rows['at'] = np.arange(6).reshape(3, 2)
        rows['in']['a'] = [1, -2 ** 60, 3]
        file['rows'] = rows
        case.equal(file['rows'][()].tolist(), rows.tolist())
        case.equal(file['rows']['in']['a'].tolist(), [1, -2 ** 60, 3])
        region = file['rows'].regionref[1:]
        case.equal(file['rows'][region]['in']['a'].tolist(), [-2 ** 60, 3])
        opaque = np.array(['2026-11-27'], 'M8[D]')
        file['day'] = opaque.astype(h5py.opaque_dtype(opaque.dtype))
        case.equal(file['day'][()].tolist(), opaque.tolist())


def test_groups_attributes_links(case):
    """Names in order, attributes, links of each kind, copies, dimension scales."""
    with in_memory(track_order=True) as file:
        for name in 'zab':
            file.create_group(name).attrs.update({'n': ord(name), 'list': np.arange(3)})
        case.equal(list(file), list('zab'), 'in the order of creation')
        file['z/soft'] = h5py.SoftLink('/a')
        file['z/hard'] = file['b']
        case.equal(file['z/soft'].attrs['n'], ord('a'))
        file['z/hard'].attrs['n'] = 5
        case.equal(file['b'].attrs['n'], 5)
        file.copy('b', 'copy')
        seen = []
        file.visit(seen.append)
        case.equal(sorted(seen), ['a', 'b', 'copy', 'z'], 'each once')
        data = file.create_dataset('data', data=np.zeros((2, 3)))
        scale = file.create_dataset('scale', data=[1, 2, 3])
        scale.make_scale('x')
        data.dims[1].attach_scale(scale)
        case.equal(data.dims[1]['x'][()].tolist(), [1, 2, 3])
        del file['a']
        case.raises(KeyError, lambda: file['z/soft'])


def test_several_files(case):
    """On disk: modes, virtual datasets over files, links into another, a reader beside a writer."""
    for number in range(3):
        with h5py.File('part%d.h5' % number, 'w') as file:
            file['d'] = np.arange(4) + 10 * number
    layout = h5py.VirtualLayout(shape=(3, 4), dtype='i8')
    for number in range(3):
        layout[number] = h5py.VirtualSource('part%d.h5' % number, 'd', shape=(4,))
    with h5py.File('all.h5', 'w', libver='latest') as file:
        file.create_virtual_dataset('v', layout)
        file['other'] = h5py.ExternalLink('part2.h5', '/d')
    with h5py.File('all.h5', 'r') as file:
        case.equal(file['v'][:, 1].tolist(), [1, 11, 21])
        case.equal(file['other'][()].tolist(), [20, 21, 22, 23])
        case.raises((OSError, ValueError, KeyError), file.create_group, 'g')
    with h5py.File('swmr.h5', 'w', libver='latest') as writer:
        data = writer.create_dataset('d', (1,), 'i4', maxshape=(None,), chunks=(4,))
        writer.swmr_mode = True
        with h5py.File('swmr.h5', 'r', swmr=True) as reader:
            data.resize((9,))
            data[:] = 3
            data.flush()
            reader['d'].refresh()
            case.equal(reader['d'][()].tolist(), [3] * 9)


def test_more_than_four_gigabytes(case):
    """Offsets and shapes have 64 bits, on a processor of 32: most of the file is a hole."""
    size = 5 * 2 ** 30
    with h5py.File('large.h5', 'w') as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((size,))
        one = h5py.Dataset(h5py.h5d.create(file.id, b'flat', h5py.h5t.NATIVE_UINT8, space, plist))
        one[size - 3:] = [1, 2, 3]
        two = file.create_dataset('chunks', (2 ** 40,), 'u1', chunks=(1000,))
        two[2 ** 40 - 2:] = [8, 9]
    case.check(os.path.getsize('large.h5') > size, 'the size of the file')
    with h5py.File('large.h5', 'r') as file:
        case.equal(file['flat'][size - 4:].tolist(), [0, 1, 2, 3])
        case.equal(file['chunks'].shape, (2 ** 40,))
        case.equal(file['chunks'][-3:].tolist(), [0, 8, 9])
    os.remove('large.h5')


def test_threads(case):
    """Threads wait for one another."""
    values = np.arange(30000)
    sums = []
    with in_memory() as file:
        file.create_dataset('d', data=values, chunks=(1000,), compression='gzip')
        threads = [threading.Thread(target=lambda: sums.append(int(file['d'][()].sum())))
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    case.equal(sums, [int(values.sum())] * 4)


def test_what_is_no_file(case):
    """Python's own errors, and HDF5's words in them."""
    case.raises(FileNotFoundError, h5py.File, 'nothing.h5', 'r')
    with open('text.h5', 'w') as stream:
        stream.write('no HDF5' * 100)
    case.raises(OSError, h5py.File, 'text.h5', 'r')
    whole = zlib.decompress(base64.b64decode(KNOWN))
    case.raises(OSError, h5py.File, io.BytesIO(whole[:len(whole) // 2]), 'r')
    with in_memory() as file:
        case.raises(KeyError, lambda: file['nothing'])
        case.raises(TypeError, file.create_dataset, 'o', data=np.array([object()]))
        data = file.create_dataset('d', (3,), 'f4')
        case.raises((IndexError, ValueError), lambda: data[7])
        case.raises((TypeError, ValueError), data.resize, (9,))
