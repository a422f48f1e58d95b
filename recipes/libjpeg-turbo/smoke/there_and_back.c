/* What is packed comes back nearly: colours in slow waves, at a high quality, in sizes around those
   of blocks and vectors; sampled fully and by half, in one pass and progressively. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>

#define MOST 70

static unsigned char pixels[MOST][3 * MOST], back[MOST][3 * MOST];

static unsigned long pack(int width, int height, int half, int progressive, unsigned char **out)
{
    struct jpeg_compress_struct image;
    struct jpeg_error_mgr errors;
    unsigned long length = 0;

    image.err = jpeg_std_error(&errors);
    jpeg_create_compress(&image);
    jpeg_mem_dest(&image, out, &length);
    image.image_width = width;
    image.image_height = height;
    image.input_components = 3;
    image.in_color_space = JCS_RGB;
    jpeg_set_defaults(&image);
    jpeg_set_quality(&image, 98, TRUE);
    image.comp_info[0].h_samp_factor = image.comp_info[0].v_samp_factor = half ? 2 : 1;
    if (progressive)
        jpeg_simple_progression(&image);
    jpeg_start_compress(&image, TRUE);
    while (image.next_scanline < image.image_height) {
        JSAMPROW row = pixels[image.next_scanline];
        jpeg_write_scanlines(&image, &row, 1);
    }
    jpeg_finish_compress(&image);
    jpeg_destroy_compress(&image);
    return length;
}

static int unpack(int width, int height, const unsigned char *bytes, unsigned long length)
{
    struct jpeg_decompress_struct image;
    struct jpeg_error_mgr errors;

    image.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&image);
    jpeg_mem_src(&image, bytes, length);
    jpeg_read_header(&image, TRUE);
    jpeg_start_decompress(&image);
    if ((int)image.output_width != width || (int)image.output_height != height)
        return 0;
    while (image.output_scanline < image.output_height) {
        JSAMPROW row = back[image.output_scanline];
        jpeg_read_scanlines(&image, &row, 1);
    }
    jpeg_finish_decompress(&image);
    jpeg_destroy_decompress(&image);
    return errors.num_warnings == 0;
}

static int round_trip(int width, int height, int half, int progressive)
{
    unsigned char *bytes = NULL;
    unsigned long length = pack(width, height, half, progressive, &bytes);
    int good = unpack(width, height, bytes, length), x, y;

    for (y = 0; y < height; y++)
        for (x = 0; x < 3 * width; x++)
            if (abs(pixels[y][x] - back[y][x]) > (half ? 12 : 5)) {
                printf("(%d, %d) is %d, not %d\n", x, y, back[y][x], pixels[y][x]);
                good = 0;
            }
    free(bytes);
    return good;
}

int main(void)
{
    static const int sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 70};
    int x, y, mode;
    unsigned i, j;

    for (y = 0; y < MOST; y++)
        for (x = 0; x < MOST; x++) {
            pixels[y][3 * x] = (unsigned char)(128 + 100 * sin(x * 0.08));
            pixels[y][3 * x + 1] = (unsigned char)(128 + 100 * sin(y * 0.07 + 1));
            pixels[y][3 * x + 2] = (unsigned char)(128 + 100 * sin((x + y) * 0.05 + 2));
        }
    for (mode = 0; mode < 4; mode++)
        for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (j = 0; j < sizeof sizes / sizeof *sizes; j++)
                if (!round_trip(sizes[i], sizes[j], mode & 1, mode & 2)) {
                    printf("%d x %d, mode %d\n", sizes[i], sizes[j], mode);
                    return 1;
                }
    return 0;
}
