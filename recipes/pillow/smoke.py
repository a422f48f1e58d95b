# Valid for Python 3.6 and newer.
"""Pillow on the board: what it decodes, encodes, draws and computes, against known numbers."""

import io
import math
import struct
import zlib

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageMorph, features

#: 16 x 8 pixels of grey, written by hand by the standard (ITU-T T.81): see libjpeg-turbo's smoke/.
#: The left block is 148, the right one 148 and a cosine.
JPEG = (b'\xff\xd8\xff\xdb\0\x43\0' + b'\x10' * 64
        + b'\xff\xc0\0\x0b\x08\0\x08\0\x10\x01\x01\x11\0'
        + b'\xff\xc4\0\x15\x00\x01\x01' + b'\0' * 14 + b'\0\x04'
        + b'\xff\xc4\0\x15\x10\x01\x01' + b'\0' * 14 + b'\0\x03'
        + b'\xff\xda\0\x08\x01\x01\0\0\x3f\0' + b'\xa8\xa3' + b'\xff\xd9')
#: 5 x 2 pixels, written bit by bit by the specification of WebP's lossless format: see libwebp's
#: smoke/. The bits of a pixel's number choose its green, red, blue and alpha.
WEBP = (b'RIFF"\0\0\0WEBPVP8L\x15\0\0\0/\x04@\x00\x108\x05\xf2\x0f\xf4?Fv\xc0\xff\x80\x90\xa1\xb2\xc3'
        b'\x04\0')


def pixels(image):
    """All pixels in a list."""
    return [image.getpixel((x, y)) for y in range(image.height) for x in range(image.width)]


def painted(width, height):
    """Colours in slow waves: what a lossy format keeps."""
    image = Image.new('RGB', (width, height))
    for y in range(height):
        for x in range(width):
            image.putpixel((x, y), (int(128 + 100 * math.sin(x * 0.08)),
                                    int(128 + 100 * math.sin(y * 0.07 + 1)),
                                    int(128 + 100 * math.sin((x + y) * 0.05 + 2))))
    return image


def noisy(mode, width, height):
    """Bytes without a pattern, from a generator whose numbers are the same everywhere."""
    count = width * height * len(Image.new(mode, (1, 1)).getbands())
    state, out = 1, bytearray()
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2 ** 31
        out.append(state >> 16 & 255)
    return Image.frombytes(mode, (width, height), bytes(out))


def there_and_back(image, kind, **options):
    """What is read of what was written; and its size in bytes."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    stream.seek(0)
    back = Image.open(stream)
    back.load()
    return back, len(stream.getvalue())


def worst(one, other):
    """The largest difference of two images in any channel."""
    extremes = ImageChops.difference(one, other).getextrema()
    return max(most for _, most in (extremes if isinstance(extremes[0], tuple) else [extremes]))


def test_what_is_built_in(case):
    """Each library is there, and the JPEG one is the fast one."""
    for module in ('pil', 'freetype2', 'webp'):
        case.check(features.check_module(module), '%s is missing' % module)
        case.note(module, features.version_module(module))
    for codec in ('jpg', 'zlib'):
        case.check(features.check_codec(codec), '%s is missing' % codec)
        case.note(codec, features.version_codec(codec))
    case.check(features.check_feature('libjpeg_turbo'), 'libjpeg-turbo')


def test_jpeg_by_hand(case):
    """A stream that no library wrote, against the formula of the standard (T.81, A.3.3)."""
    image = Image.open(io.BytesIO(JPEG))
    case.equal((image.format, image.mode, image.size), ('JPEG', 'L', (16, 8)))
    for y in range(8):
        for x in range(16):
            wave = 16 * math.sqrt(0.5) * math.cos((2 * x - 15) * math.pi / 16) if x > 7 else 0
            case.close(image.getpixel((x, y)), 148 + wave, rtol=0, atol=1, what='(%d, %d)' % (x, y))
    broken = Image.open(io.BytesIO(JPEG[:-4]))
    case.raises(OSError, broken.load)


def test_jpeg_there_and_back(case):
    """Sampling, progressive and optimized files, odd sizes, grey and CMYK."""
    for width, height in ((1, 1), (17, 9), (64, 48), (101, 35)):
        image = painted(width, height)
        for options in ({'subsampling': 0}, {'subsampling': 2}, {'progressive': True},
                        {'optimize': True}):
            back, size = there_and_back(image, 'JPEG', quality=95, **options)
            limit = 6 if options.get('subsampling') == 0 else 14
            case.check(worst(image, back) <= limit,
                       '%r %r: %d' % ((width, height), options, worst(image, back)))
    image = painted(64, 48)
    case.check(there_and_back(image, 'JPEG', quality=30)[1]
               < there_and_back(image, 'JPEG', quality=95)[1] < 64 * 48 * 3, 'sizes')
    for mode in ('L', 'CMYK'):
        back, _ = there_and_back(image.convert(mode), 'JPEG', quality=95)
        case.equal(back.mode, mode)
        case.check(worst(image.convert(mode), back) <= 8, mode)
    stream = io.BytesIO()
    image.save(stream, 'JPEG', quality=95)
    drafted = Image.open(io.BytesIO(stream.getvalue()))
    drafted.draft('RGB', (16, 12))
    case.equal(drafted.size, (16, 12), 'decoded at a quarter')
    case.check(worst(drafted, image.reduce(4)) <= 4, 'and it is the mean')


def png(image, filters):
    """A PNG by the standard (W3C, chapter 9), with Python's zlib: not by Pillow."""
    def chunk(kind, data):
        return (struct.pack('>I', len(data)) + kind + data
                + struct.pack('>I', zlib.crc32(kind + data) & 0xffffffff))

    size = len(image.getbands())
    length = size * image.width
    before, raw = bytes(length), bytearray()
    for y in range(image.height):
        row = image.crop((0, y, image.width, y + 1)).tobytes()
        kind = filters[y % len(filters)]
        raw.append(kind)
        for i in range(length):
            a, b, c = row[i - size] if i >= size else 0, before[i], before[i - size] if i >= size else 0
            raw.append((row[i] - (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) & 255)
        before = row
    colour = {'L': 0, 'RGB': 2, 'LA': 4, 'RGBA': 6}[image.mode]
    header = struct.pack('>IIBBBBB', image.width, image.height, 8, colour, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
            + chunk(b'IDAT', zlib.compress(bytes(raw))) + chunk(b'IEND', b''))


def paeth(a, b, c):
    """The filter that takes the neighbour which is nearest to left + above - above left."""
    return min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]


def test_png_by_hand(case):
    """Each filter, in files that Python's zlib packed; a wrong bit is found."""
    for mode in ('L', 'LA', 'RGB', 'RGBA'):
        image = noisy(mode, 13, 11)
        data = png(image, (4, 3, 2, 1, 0))
        back = Image.open(io.BytesIO(data))
        case.equal((back.format, back.mode, back.size), ('PNG', mode, (13, 11)))
        case.equal(back.tobytes(), image.tobytes(), mode)
    spoilt = bytearray(data)
    spoilt[60] ^= 4
    case.raises((OSError, SyntaxError, zlib.error), lambda: Image.open(io.BytesIO(bytes(spoilt))).load())


def test_webp_by_hand(case):
    """A file that no library wrote."""
    image = Image.open(io.BytesIO(WEBP))
    case.equal((image.format, image.mode, image.size), ('WEBP', 'RGBA', (5, 2)))
    case.equal(pixels(image), [(250 if i & 2 else 7, 200 if i & 1 else 20, 100 if i & 4 else 99,
                                255 if i & 8 else 128) for i in range(10)])
    case.raises(OSError, lambda: Image.open(io.BytesIO(WEBP[:-12])).load())


def test_webp_there_and_back(case):
    """Without loss to the bit, with it nearly, and frames of an animation."""
    for width, height in ((1, 1), (17, 9), (101, 35)):
        for mode in ('RGB', 'RGBA'):
            image = noisy(mode, width, height)
            back, _ = there_and_back(image, 'WEBP', lossless=True, exact=True)
            case.equal(back.convert(mode).tobytes(), image.tobytes(), mode)
        image = painted(width, height)
        back, size = there_and_back(image, 'WEBP', quality=95)
        case.check(worst(image, back) <= 24, '%d x %d: %d' % (width, height, worst(image, back)))
    case.check(there_and_back(image, 'WEBP', quality=30)[1] < size < 3 * 101 * 35 // 2, 'sizes')
    frames = [noisy('RGB', 20, 10).rotate(turn) for turn in (0, 90, 180)]
    stream = io.BytesIO()
    frames[0].save(stream, 'WEBP', save_all=True, append_images=frames[1:], lossless=True, duration=40)
    moving = Image.open(io.BytesIO(stream.getvalue()))
    case.equal(moving.n_frames, 3)
    for number, frame in enumerate(frames):
        moving.seek(number)
        case.equal(moving.convert('RGB').tobytes(), frame.tobytes(), 'frame %d' % number)


def test_lossless_formats(case):
    """What is written comes back to the bit."""
    for kind, modes in (('PNG', ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'I;16')), ('BMP', ('1', 'L', 'RGB')),
                        ('TIFF', ('1', 'L', 'RGB', 'RGBA', 'F')), ('PPM', ('1', 'L', 'RGB')),
                        ('GIF', ('L',)), ('TGA', ('L', 'RGB', 'RGBA'))):
        for mode in modes:
            if mode == 'P':
                image = noisy('RGB', 37, 23).quantize(16)
            elif mode == 'I;16':
                image = Image.frombytes(mode, (37, 23), noisy('L', 74, 23).tobytes())
            elif mode == 'F':
                image = noisy('L', 37, 23).convert('F').point(lambda value: value * 0.5 + 0.25)
            else:
                image = noisy('RGBA', 37, 23).convert('RGBA' if mode == 'RGBA' else mode)
            back, _ = there_and_back(image, kind)
            if kind == 'GIF':
                back = back.convert('L')
            case.equal(back.mode, mode, kind)
            case.equal(back.tobytes(), image.tobytes(), '%s %s' % (kind, mode))


def test_resampling(case):
    """Filters against their definitions."""
    row = Image.frombytes('L', (4, 1), bytes([0, 100, 200, 40]))
    case.equal(pixels(row.resize((2, 1), Image.BOX)), [50, 120], 'means of two')
    case.equal(pixels(row.resize((8, 1), Image.NEAREST)), [0, 0, 100, 100, 200, 200, 40, 40])
    # Between the middles of pixels, three quarters and one quarter; at the ends there is but one.
    case.equal(pixels(row.resize((8, 1), Image.BILINEAR)), [0, 25, 75, 125, 175, 160, 80, 40])
    flat = Image.new('RGB', (33, 17), (10, 128, 250))
    for resample in (Image.BOX, Image.BILINEAR, Image.HAMMING, Image.BICUBIC, Image.LANCZOS):
        for size in ((7, 5), (64, 50), (33, 1)):
            case.equal(flat.resize(size, resample).getcolors(), [(size[0] * size[1], (10, 128, 250))],
                       'a flat picture stays flat')
    # A straight slope stays one, but for the ends.
    slope = Image.frombytes('L', (32, 1), bytes(range(0, 128, 4)))
    for resample in (Image.BILINEAR, Image.BICUBIC, Image.LANCZOS):
        got = pixels(slope.resize((64, 1), resample))
        case.close(got[10:-10], [2 * place - 1 for place in range(10, 54)], rtol=0, atol=1)
    floats = Image.frombytes('F', (4, 1), struct.pack('<4f', 0, 1, 2, 4))
    case.close(pixels(floats.resize((8, 1), Image.BILINEAR)), [0, 0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 4])
    picture = painted(80, 60)
    case.check(worst(picture.resize((160, 120), Image.LANCZOS).resize((80, 60), Image.BOX), picture) <= 3,
               'larger and smaller again')


def test_turning(case):
    """Transposing, rotating, cropping and affine maps move pixels, and change none."""
    image = Image.frombytes('L', (3, 2), bytes([1, 2, 3, 4, 5, 6]))
    case.equal(pixels(image.transpose(Image.FLIP_LEFT_RIGHT)), [3, 2, 1, 6, 5, 4])
    case.equal(pixels(image.transpose(Image.ROTATE_90)), [3, 6, 2, 5, 1, 4])
    case.equal(pixels(image.transpose(Image.TRANSPOSE)), [1, 4, 2, 5, 3, 6])
    case.equal(pixels(image.rotate(180)), [6, 5, 4, 3, 2, 1])
    case.equal(pixels(image.crop((1, 0, 4, 2))), [2, 3, 0, 5, 6, 0])
    case.equal(pixels(image.transform((3, 2), Image.AFFINE, (1, 0, 1, 0, 1, 0))), [2, 3, 0, 5, 6, 0])
    case.equal(pixels(ImageChops.offset(image, 1, 0)), [3, 1, 2, 6, 4, 5])
    large = noisy('RGB', 101, 57)
    turned = large
    for _ in range(4):
        turned = turned.rotate(90, expand=True)
    case.equal(turned.tobytes(), large.tobytes(), 'four quarters of a turn')


def test_colours(case):
    """Conversions by their formulas: luma of ITU-R BT.601, JFIF's YCbCr, HSV, quantizing."""
    image = noisy('RGB', 40, 30)
    for (r, g, b), grey in zip(pixels(image), pixels(image.convert('L'))):
        case.close(grey, 0.299 * r + 0.587 * g + 0.114 * b, rtol=0, atol=0.51, what='luma')
    for (r, g, b), (y, cb, cr) in zip(pixels(image), pixels(image.convert('YCbCr'))):
        case.close((y, cb, cr), (0.299 * r + 0.587 * g + 0.114 * b,
                                 128 - 0.168736 * r - 0.331264 * g + 0.5 * b,
                                 128 + 0.5 * r - 0.418688 * g - 0.081312 * b), rtol=0, atol=1.01)
    case.check(worst(image.convert('YCbCr').convert('RGB'), image) <= 3, 'there and back')
    case.equal(Image.new('RGB', (1, 1), (0, 255, 0)).convert('HSV').getpixel((0, 0)), (85, 255, 255))
    case.equal(Image.new('RGB', (1, 1), '#ff8000').getpixel((0, 0)), (255, 128, 0))
    case.equal(sum(image.histogram()), 3 * 40 * 30)
    three = Image.new('RGB', (30, 10), 'red')
    three.paste((0, 0, 255), (10, 0, 20, 10))
    three.paste((255, 255, 255), (20, 0, 30, 10))
    for method in (Image.MEDIANCUT, Image.MAXCOVERAGE, Image.FASTOCTREE):
        case.equal(three.quantize(8, method).convert('RGB').tobytes(), three.tobytes(), method)


def test_composition(case):
    """Alpha by its formula, channels, chops and masks."""
    below, above = noisy('RGBA', 20, 20), noisy('RGBA', 20, 20).transpose(Image.ROTATE_180)
    mixed = Image.alpha_composite(below, above)
    for (br, _, _, ba), (ar, _, _, aa), (r, _, _, a) in zip(pixels(below), pixels(above), pixels(mixed)):
        whole = aa / 255.0 + ba / 255.0 * (1 - aa / 255.0)
        case.close(a, 255 * whole, rtol=0, atol=1, what='alpha')
        if whole > 0.1:
            red = (ar * aa / 255.0 + br * ba / 255.0 * (1 - aa / 255.0)) / whole
            case.close(r, red, rtol=0, atol=2, what='red')
    one, other = Image.new('L', (4, 1), 200), Image.frombytes('L', (4, 1), bytes([0, 51, 100, 255]))
    case.equal(pixels(ImageChops.add(one, other)), [200, 251, 255, 255])
    case.equal(pixels(ImageChops.subtract(one, other)), [200, 149, 100, 0])
    case.equal(pixels(ImageChops.multiply(one, other)), [0, 40, 78, 200])
    case.equal(pixels(Image.blend(one, other, 0.5)), [100, 125, 150, 227])
    case.equal(pixels(Image.composite(one, other, Image.frombytes('L', (4, 1), b'\0\xff\0\xff'))),
               [0, 200, 100, 200])
    case.equal([band.getpixel((0, 0)) for band in below.split()], list(below.getpixel((0, 0))))
    case.equal(Image.merge('RGBA', below.split()).tobytes(), below.tobytes())
    case.equal(pixels(other.point(lambda value: 255 - value)), [255, 204, 155, 0])


def test_filters(case):
    """Kernels, ranks, blurs and morphology on one bright point."""
    point = Image.new('L', (9, 9))
    point.putpixel((4, 4), 90)
    kernel = ImageFilter.Kernel((3, 3), (1, 2, 3, 4, 5, 6, 7, 8, 9), scale=45)
    got = point.filter(kernel).crop((3, 3, 6, 6))
    case.equal(sorted(pixels(got)), [2, 4, 6, 8, 10, 12, 14, 16, 18])
    case.equal(got.getpixel((1, 1)), 10)
    case.equal(point.filter(ImageFilter.MedianFilter(3)).getbbox(), None)
    case.equal(point.filter(ImageFilter.MaxFilter(3)).getbbox(), (3, 3, 6, 6))
    case.equal(pixels(point.filter(ImageFilter.BoxBlur(1)).crop((3, 3, 6, 6))), [10] * 9)
    blurred = point.filter(ImageFilter.GaussianBlur(1))
    case.close(sum(pixels(blurred)), 90, rtol=0, atol=20, what='what is blurred is not lost')
    case.check(worst(blurred, blurred.transpose(Image.ROTATE_90)) <= 1, 'round')
    square = Image.new('L', (9, 9))
    square.paste(255, (2, 2, 7, 7))
    count, grown = ImageMorph.MorphOp(op_name='dilation8').apply(square)
    case.equal((count, grown.getbbox()), (49 - 25, (1, 1, 8, 8)))


def test_drawing(case):
    """Lines, boxes, circles and fills, by their pixels."""
    image = Image.new('L', (21, 21))
    draw = ImageDraw.Draw(image)
    draw.rectangle((2, 3, 6, 8), fill=200)
    case.equal(image.histogram()[200], 5 * 6)
    case.equal(image.getbbox(), (2, 3, 7, 9))
    draw.line((0, 20, 20, 0), fill=100)
    case.equal([image.getpixel((x, 20 - x)) for x in range(21)], [100] * 21)
    image.paste(0, (0, 0, 21, 21))
    draw.ellipse((0, 0, 20, 20), fill=255)
    case.close(image.histogram()[255], math.pi * 10.5 ** 2, rtol=0.03, what='the area of a circle')
    image.paste(0, (0, 0, 21, 21))
    draw.polygon([(0, 0), (20, 0), (0, 20)], fill=9)
    case.equal(image.histogram()[9], 21 * 22 // 2, 'half a square with its diagonal')
    ImageDraw.floodfill(image, (20, 20), 7)
    case.equal(image.histogram()[7], 21 * 20 // 2)


class Tables(object):
    """What the tables of a TrueType font say, read here and not by FreeType."""

    def __init__(self, data):
        self._data = data
        self._places = {}
        for at in range(12, 12 + 16 * self._numbers('>H', 4)[0], 16):
            name, _, place, _ = self._numbers('>4sIII', at)
            self._places[name.decode('ascii')] = place
        self.em = self._numbers('>H', self._places['head'] + 18)[0]

    def _numbers(self, form, at):
        return struct.unpack_from(form, self._data, at)

    def glyph(self, letter):
        """The number of a letter's glyph, by the table cmap in its format 4."""
        cmap = self._places['cmap']
        for number in range(self._numbers('>H', cmap + 2)[0]):
            table = cmap + self._numbers('>HHI', cmap + 4 + 8 * number)[2]
            if self._numbers('>H', table)[0] == 4:
                break
        count = self._numbers('>H', table + 6)[0] // 2
        for segment in range(count):
            place = table + 14 + 2 * segment
            end, start = self._numbers('>H', place)[0], self._numbers('>H', place + 2 * count + 2)[0]
            if start <= ord(letter) <= end:
                delta = self._numbers('>H', place + 4 * count + 2)[0]
                at = place + 6 * count + 2
                offset = self._numbers('>H', at)[0]
                if not offset:
                    return (ord(letter) + delta) % 65536
                return (self._numbers('>H', at + offset + 2 * (ord(letter) - start))[0] + delta) % 65536
        raise LookupError(letter)

    def advance(self, letter):
        """How far it is to the next letter, in the font's units."""
        last = self._numbers('>H', self._places['hhea'] + 34)[0] - 1
        return self._numbers('>H', self._places['hmtx'] + 4 * min(self.glyph(letter), last))[0]

    def box(self, letter):
        """The box around an outline: left, bottom, right, top."""
        form, size = ('>I', 4) if self._numbers('>H', self._places['head'] + 50)[0] else ('>H', 2)
        place = self._numbers(form, self._places['loca'] + size * self.glyph(letter))[0] * (4 // size)
        return self._numbers('>hhhh', self._places['glyf'] + place + 2)


def test_text(case):
    """Letters of the TrueType font that Pillow brings along, against the font's own tables."""
    font = ImageFont.load_default(20)
    tables = Tables(font.font_bytes)
    large = font.font_variant(size=tables.em)
    case.equal(font.getname()[0].split()[0], 'Aileron')
    for letter in 'HIxo.8':
        case.close(large.getlength(letter), tables.advance(letter), rtol=0, atol=1, what='advance')
        left, bottom, right, top = tables.box(letter)
        # Pillow's box holds the pen, too, before and after the letter.
        across = (min(0, left), max(tables.advance(letter), right))
        case.close(large.getbbox(letter, anchor='ls'), (across[0], -top, across[1], -bottom),
                   rtol=0, atol=2, what='the box of ' + letter)
        case.close(font.getlength(letter), 20.0 * tables.advance(letter) / tables.em, rtol=0, atol=1,
                   what='advance at 20')
    # An I is a bar: all of its box is ink.
    left, bottom, right, top = tables.box('I')
    image = Image.new('L', (tables.em, tables.em))
    ImageDraw.Draw(image).text((0, tables.em - 50), 'I', 255, large, anchor='ls')
    case.close(image.histogram()[255], (right - left) * (top - bottom), rtol=0.03, what='ink of I')
    foot = tables.em - 50
    case.close(image.getbbox(), (left, foot - top, right, foot - bottom), rtol=0, atol=2, what='its place')


def test_text_in_a_picture(case):
    """Small letters: colours, several lines, strokes, and what they leave as it was."""
    font = ImageFont.load_default(24)
    image = Image.new('RGB', (160, 80), 'white')
    draw = ImageDraw.Draw(image)
    draw.text((5, 5), 'crosspi', (200, 0, 0), font)
    box = draw.textbbox((5, 5), 'crosspi', font)
    inked = ImageChops.invert(image).getbbox()
    for place in range(4):
        case.check(abs(box[place] - inked[place]) <= 1, 'ink %r, box %r' % (inked, box))
    case.equal(max(image.getcolors(1000))[1], (255, 255, 255), 'most of it stays white')
    case.check((200, 0, 0) in pixels(image), 'the middle of strokes has the full colour')
    case.equal(set(band.getextrema()[1] for band in image.split()), set([255]))
    plain = ImageChops.invert(image.convert('L')).histogram()
    bold = Image.new('L', (160, 80), 255)
    ImageDraw.Draw(bold).text((5, 5), 'crosspi', 0, font, stroke_width=2)
    case.check(sum(ImageChops.invert(bold).histogram()[1:]) > 1.3 * sum(plain[1:]), 'strokes are wider')
    one, two = (draw.multiline_textbbox((0, 0), text, font) for text in ('pi', 'pi\npi'))
    case.check(two[3] > 1.7 * one[3] and two[2] == one[2], 'two lines are twice as high')


def picture_font(image):
    """A font whose only letter, an A, is a picture: its table sbix (Apple) holds it as a PNG."""
    def table(form, *values):
        return struct.pack('>' + form, *values)

    stream = io.BytesIO()
    image.save(stream, 'PNG')
    size = image.width
    letter = table('hh4s', 0, 0, b'png ') + stream.getvalue()
    strike = table('HH3I', size, 72, 16, 16, 16 + len(letter)) + letter
    cmap = table('HHHHI', 0, 1, 3, 1, 12) + table('16H', 4, 32, 0, 4, 4, 1, 0, 65, 65535, 0, 65, 65535,
                                                  65536 - 64, 1, 0, 0)
    tables = {
        b'cmap': cmap,
        b'glyf': b'',
        b'head': table('IIIIHHQQhhhhHHhhh', 0x10000, 0x10000, 0, 0x5f0f3cf5, 0, size, 0, 0,
                       0, 0, size, size, 0, 8, 2, 0, 0),
        b'hhea': table('IhhhHhhhhhhhhhhhH', 0x10000, size, 0, 0, size, 0, 0, size, 1, 0, 0, 0, 0, 0, 0, 0, 2),
        b'hmtx': table('HhHh', size, 0, size, 0),
        b'loca': table('HHH', 0, 0, 0),
        b'maxp': table('IH13H', 0x10000, 2, *[0] * 13),
        b'sbix': table('HHII', 1, 1, 1, 12) + strike,
    }
    place, head, body = 12 + 16 * len(tables), table('IHHHH', 0x10000, len(tables), 128, 3, 0), b''
    for name in sorted(tables):
        data = tables[name]
        head += name + table('III', 0, place + len(body), len(data))
        body += data + b'\0' * (-len(data) % 4)
    return io.BytesIO(head + body)


def test_letters_that_are_pictures(case):
    """FreeType reads a letter's PNG by libpng."""
    image = noisy('RGB', 20, 20)
    font = ImageFont.truetype(picture_font(image), 20)
    canvas = Image.new('RGB', (40, 40), 'white')
    ImageDraw.Draw(canvas).text((10, 30), 'A', font=font, anchor='ls', embedded_color=True)
    box = ImageChops.invert(canvas).getbbox()
    case.equal((box[2] - box[0], box[3] - box[1]), (20, 20), 'the size of the letter')
    case.check(worst(canvas.crop(box), image) <= 1, 'its pixels')
