/* A stream written by hand, by the standard (ITU-T T.81): two blocks of grey, 16 x 8. In the first
   only the mean differs from the middle: DC 10, times 16 of the table, divided by 8, is 20 over 128.
   The second has the same mean and one cosine: AC (0,1) 4, times 16. The codes are of this file's
   own two Huffman tables: DC categories 0 and 4 are 0 and 10, AC symbols 00 (end) and 03 are 0, 10. */
#include <math.h>
#include <stdio.h>
#include <jpeglib.h>
#include <string.h>

static const unsigned char stream[] = {
    0xff, 0xd8,                                                  /* start of image */
    0xff, 0xdb, 0, 67, 0,                                        /* quantization: 16 everywhere */
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    0xff, 0xc0, 0, 11, 8, 0, 8, 0, 16, 1, 1, 0x11, 0,            /* baseline, 8 rows of 16 */
    0xff, 0xc4, 0, 21, 0x00, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4,    /* DC */
    0xff, 0xc4, 0, 21, 0x10, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3,    /* AC */
    0xff, 0xda, 0, 8, 1, 1, 0x00, 0, 63, 0,                      /* scan */
    /* DC 10: 10 1010, end: 0; DC 0: 0, AC 4: 10 100, end: 0; ones to the byte's end */
    0xa8, 0xa3,
    0xff, 0xd9};

static int decode(J_DCT_METHOD method, unsigned char pixels[8][16])
{
    struct jpeg_decompress_struct image;
    struct jpeg_error_mgr errors;
    int warnings;

    image.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&image);
    jpeg_mem_src(&image, stream, sizeof stream);
    jpeg_read_header(&image, TRUE);
    image.dct_method = method;
    jpeg_start_decompress(&image);
    if (image.output_width != 16 || image.output_height != 8 || image.output_components != 1)
        return 0;
    while (image.output_scanline < 8) {
        JSAMPROW row = pixels[image.output_scanline];
        jpeg_read_scanlines(&image, &row, 1);
    }
    jpeg_finish_decompress(&image);
    warnings = (int)errors.num_warnings;
    jpeg_destroy_decompress(&image);
    return warnings == 0;
}

int main(void)
{
    static const J_DCT_METHOD methods[] = {JDCT_ISLOW, JDCT_IFAST, JDCT_FLOAT};
    unsigned char pixels[8][16];
    unsigned m;
    int x, y;

    for (m = 0; m < 3; m++) {
        memset(pixels, 0, sizeof pixels);
        if (!decode(methods[m], pixels))
            return 1;
        for (y = 0; y < 8; y++)
            for (x = 0; x < 16; x++) {
                /* T.81, A.3.3: a quarter, and the root of a half for the frequency 0. */
                double wave = x < 8 ? 0 : 0.25 * sqrt(0.5) * 4 * 16 * cos((2 * (x - 8) + 1) * 3.14159265358979 / 16);
                if (fabs(pixels[y][x] - (148 + wave)) > 1) {
                    printf("method %d: (%d, %d) is %d, not %.2f\n", m, x, y, pixels[y][x], 148 + wave);
                    return 2;
                }
            }
    }
    return 0;
}
