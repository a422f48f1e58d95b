/* What is written comes back, to the bit: every kind of pixel, every filter, interlaced and not,
   widths around those in which vector code takes its bytes. */
#include <png.h>
#include <stdio.h>
#include <string.h>

#define HEIGHT 9
#define MOST (67 * 8)

static unsigned char rows[HEIGHT][MOST], back[HEIGHT][MOST], file[100000];
static size_t written, read_to;

static void put(png_structp png, png_bytep bytes, size_t count)
{
    if (written + count > sizeof file)
        png_error(png, "too much is written");
    memcpy(file + written, bytes, count);
    written += count;
}

static void take(png_structp png, png_bytep bytes, size_t count)
{
    if (read_to + count > written)
        png_error(png, "too much is read");
    memcpy(bytes, file + read_to, count);
    read_to += count;
}

static void flush(png_structp png)
{
    (void)png;
}

static int round_trip(int width, int depth, int kind, int filter, int interlace)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_color palette[256] = {{0, 0, 0}};
    png_bytep pointers[HEIGHT];
    size_t length;
    int y;

    if (setjmp(png_jmpbuf(png)))
        return 0;
    written = read_to = 0;
    png_set_write_fn(png, NULL, put, flush);
    png_set_IHDR(png, info, width, HEIGHT, depth, kind, interlace, 0, 0);
    if (kind == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 1 << depth);
    png_set_filter(png, 0, filter);
    length = png_get_rowbytes(png, info);
    for (y = 0; y < HEIGHT; y++)
        pointers[y] = rows[y];
    png_set_rows(png, info, pointers);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);

    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    info = png_create_info_struct(png);
    if (setjmp(png_jmpbuf(png)))
        return 0;
    memset(back, 0, sizeof back);
    for (y = 0; y < HEIGHT; y++)
        pointers[y] = back[y];
    png_set_read_fn(png, NULL, take);
    png_set_rows(png, info, pointers);
    png_read_info(png, info);
    if (png_get_rowbytes(png, info) != length)
        return 0;
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    png_read_image(png, pointers);
    png_read_end(png, NULL);
    png_destroy_read_struct(&png, &info, NULL);
    for (y = 0; y < HEIGHT; y++)
        if (memcmp(rows[y], back[y], (size_t)width * depth / 8 * (length / (((size_t)width * depth + 7) / 8))) != 0)
            return 0;
    return 1;
}

int main(void)
{
    static const int kinds[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_PALETTE,
                                PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB_ALPHA};
    static const int widths[] = {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 67};
    static const int filters[] = {PNG_FILTER_NONE, PNG_FILTER_SUB, PNG_FILTER_UP, PNG_FILTER_AVG,
                                  PNG_FILTER_PAETH, PNG_ALL_FILTERS};
    unsigned state = 1, k, w, f;
    int depth, interlace, place;

    for (place = 0; place < HEIGHT * MOST; place++) {
        state = state * 1103515245u + 12345u;
        rows[0][place] = (unsigned char)(place * 3 + (state >> 16 & 31));
    }
    for (k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (depth = 1; depth <= 16; depth *= 2) {
            if (depth < 8 && kinds[k] != PNG_COLOR_TYPE_GRAY && kinds[k] != PNG_COLOR_TYPE_PALETTE)
                continue;
            if (depth == 16 && kinds[k] == PNG_COLOR_TYPE_PALETTE)
                continue;
            for (w = 0; w < sizeof widths / sizeof *widths; w++)
                for (f = 0; f < sizeof filters / sizeof *filters; f++)
                    for (interlace = 0; interlace < 2; interlace++)
                        if (!round_trip(widths[w], depth, kinds[k], filters[f], interlace)) {
                            printf("kind %d, depth %d, width %d, filters %d, interlace %d\n",
                                   kinds[k], depth, widths[w], filters[f], interlace);
                            return 1;
                        }
        }
    return 0;
}
