/* What is packed comes back: to the bit without loss, nearly with it, in sizes around those of blocks
   and vectors, with the plain and the sharp conversion of colours; and an animation's frames. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

#define MOST 70

static unsigned char pixels[MOST * MOST * 4];

static void paint(int width, int height, int noise)
{
    unsigned state = (unsigned)noise;
    int x, y, c;

    for (y = 0; y < height; y++)
        for (x = 0; x < width; x++) {
            unsigned char *pixel = pixels + 4 * (y * width + x);
            pixel[0] = (unsigned char)(128 + 80 * sin(x * 0.08));
            pixel[1] = (unsigned char)(128 + 80 * sin(y * 0.07 + 1));
            pixel[2] = (unsigned char)(128 + 80 * sin((x + y) * 0.05 + 2));
            pixel[3] = 255;
            for (c = 0; c < 4 && noise; c++) {
                state = state * 1103515245u + 12345u;
                /* An alpha of 0 would make the colours free. */
                pixel[c] = (unsigned char)(1 + (state >> 16) % 255);
            }
        }
}

static int lossless(int width, int height)
{
    unsigned char *packed = NULL, *back;
    size_t length;
    int w, h, good;

    paint(width, height, 1);
    length = WebPEncodeLosslessRGBA(pixels, width, height, 4 * width, &packed);
    back = WebPDecodeRGBA(packed, length, &w, &h);
    good = back && w == width && h == height && memcmp(back, pixels, (size_t)(4 * width * height)) == 0;
    WebPFree(packed);
    WebPFree(back);
    return good;
}

static int lossy(int width, int height, int sharp)
{
    WebPConfig config;
    WebPPicture picture;
    WebPMemoryWriter writer;
    unsigned char *back;
    double sum = 0;
    int w, h, i, good;

    paint(width, height, 0);
    if (!WebPConfigPreset(&config, WEBP_PRESET_DEFAULT, 95) || !WebPPictureInit(&picture))
        return 0;
    config.use_sharp_yuv = sharp;
    picture.width = width;
    picture.height = height;
    WebPMemoryWriterInit(&writer);
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
    if (!WebPPictureImportRGBA(&picture, pixels, 4 * width) || !WebPEncode(&config, &picture))
        return 0;
    back = WebPDecodeRGBA(writer.mem, writer.size, &w, &h);
    good = back && w == width && h == height;
    for (i = 0; good && i < 4 * width * height; i++)
        sum += abs(back[i] - pixels[i]);
    if (good && sum / (4 * width * height) > 3) {
        printf("the mean difference is %.2f\n", sum / (4 * width * height));
        good = 0;
    }
    WebPPictureFree(&picture);
    WebPMemoryWriterClear(&writer);
    WebPFree(back);
    return good;
}

static int animation(void)
{
    unsigned char *packed = NULL;
    WebPMux *mux = WebPMuxNew();
    WebPMuxFrameInfo frame = {0};
    WebPMuxAnimParams loops = {0, 0};
    WebPData whole;
    WebPAnimDecoder *decoder;
    uint8_t *canvas;
    int number, when, good = 1;

    frame.id = WEBP_CHUNK_ANMF;
    frame.duration = 40;
    frame.blend_method = WEBP_MUX_NO_BLEND;
    for (number = 0; number < 3; number++) {
        paint(20, 10, number + 1);
        frame.bitstream.size = WebPEncodeLosslessRGBA(pixels, 20, 10, 80, &packed);
        frame.bitstream.bytes = packed;
        if (WebPMuxPushFrame(mux, &frame, 1) != WEBP_MUX_OK)
            return 0;
        WebPFree(packed);
    }
    if (WebPMuxSetAnimationParams(mux, &loops) != WEBP_MUX_OK || WebPMuxAssemble(mux, &whole) != WEBP_MUX_OK)
        return 0;
    WebPMuxDelete(mux);
    decoder = WebPAnimDecoderNew(&whole, NULL);
    for (number = 0; WebPAnimDecoderHasMoreFrames(decoder); number++) {
        if (!WebPAnimDecoderGetNext(decoder, &canvas, &when))
            return 0;
        paint(20, 10, number + 1);
        good &= when == 40 * (number + 1) && memcmp(canvas, pixels, 800) == 0;
    }
    WebPAnimDecoderDelete(decoder);
    WebPDataClear(&whole);
    return good && number == 3;
}

int main(void)
{
    static const int sizes[] = {1, 2, 7, 8, 9, 16, 17, 33, 70};
    unsigned i, j;

    for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (j = 0; j < sizeof sizes / sizeof *sizes; j++)
            if (!lossless(sizes[i], sizes[j]) || !lossy(sizes[i], sizes[j], 0)) {
                printf("%d x %d\n", sizes[i], sizes[j]);
                return 1;
            }
    if (!lossy(64, 48, 1))
        return 2;
    return animation() ? 0 : 3;
}
