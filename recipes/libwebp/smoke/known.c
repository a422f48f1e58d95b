/* A file written bit by bit, by the specification of WebP's lossless format: 5 x 2 pixels, each
   channel one of two values by a code of one bit, and no transform. Pixel i has the values that the
   bits of i choose: bit 0 green, 1 red, 2 blue, 3 alpha. */
#include <stdio.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

static const unsigned char file[] = {
    0x52, 0x49, 0x46, 0x46, 0x22, 0x00, 0x00, 0x00, 0x57, 0x45, 0x42, 0x50, 0x56, 0x50, 0x38, 0x4c,
    0x15, 0x00, 0x00, 0x00, 0x2f, 0x04, 0x40, 0x00, 0x10, 0x38, 0x05, 0xf2, 0x0f, 0xf4, 0x3f, 0x46,
    0x76, 0xc0, 0xff, 0x80, 0x90, 0xa1, 0xb2, 0xc3, 0x04, 0x00};

int main(void)
{
    int width, height, i;
    unsigned char *pixels = WebPDecodeRGBA(file, sizeof file, &width, &height);
    WebPData data = {file, sizeof file};
    WebPDemuxer *demuxer = WebPDemux(&data);

    if (!pixels || width != 5 || height != 2)
        return 1;
    for (i = 0; i < 10; i++) {
        const unsigned char expected[4] = {i & 2 ? 250 : 7, i & 1 ? 200 : 20, i & 4 ? 100 : 99, i & 8 ? 255 : 128};
        if (memcmp(pixels + 4 * i, expected, 4) != 0) {
            printf("pixel %d\n", i);
            return 2;
        }
    }
    WebPFree(pixels);
    if (!demuxer || WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH) != 5 || WebPDemuxGetI(demuxer, WEBP_FF_FRAME_COUNT) != 1)
        return 3;
    WebPDemuxDelete(demuxer);
    return WebPDecodeRGBA(file, sizeof file - 12, &width, &height) ? 4 : 0;
}
