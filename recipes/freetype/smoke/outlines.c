/* Shapes whose area is known are filled: how dark a pixel is, is how much of it is covered. */
#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H
#include FT_TRIGONOMETRY_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 32

static unsigned char pixels[SIZE * SIZE];

static double filled(FT_Library library, FT_Outline *outline)
{
    FT_Bitmap bitmap = {0};
    double sum = 0;
    int i;

    memset(pixels, 0, sizeof pixels);
    bitmap.rows = bitmap.width = bitmap.pitch = SIZE;
    bitmap.buffer = pixels;
    bitmap.num_grays = 256;
    bitmap.pixel_mode = FT_PIXEL_MODE_GRAY;
    if (FT_Outline_Get_Bitmap(library, outline, &bitmap))
        return -1;
    for (i = 0; i < SIZE * SIZE; i++)
        sum += pixels[i] / 255.0;
    return sum;
}

int main(void)
{
    /* In 64ths: a box from (2.5, 3) to (10, 8.25), a triangle with legs of 24. */
    FT_Vector box[] = {{160, 192}, {640, 192}, {640, 528}, {160, 528}};
    FT_Vector triangle[] = {{0, 0}, {24 * 64, 0}, {0, 24 * 64}};
    /* A circle of radius 12 by four cubic arcs: their handles are 0.5523 long. */
    const FT_Pos r = 12 * 64, h = 424, c = 16 * 64;
    FT_Vector circle[] = {{c + r, c}, {c + r, c + h}, {c + h, c + r}, {c, c + r}, {c - h, c + r}, {c - r, c + h},
                          {c - r, c}, {c - r, c - h}, {c - h, c - r}, {c, c - r}, {c + h, c - r}, {c + r, c - h}};
    unsigned char on[4] = {1, 1, 1, 1};
    unsigned char arcs[12] = {1, 2, 2, 1, 2, 2, 1, 2, 2, 1, 2, 2};
    FT_Library library;
    FT_Outline outline = {0};
    double area;

    if (FT_Init_FreeType(&library))
        return 1;
    outline.n_contours = 1;
    outline.contours = malloc(sizeof *outline.contours);

    outline.points = box, outline.tags = (void *)on, outline.n_points = 4, outline.contours[0] = 3;
    area = filled(library, &outline);
    /* The rows are told from above: row 31 is the lowest. */
    if (fabs(area - 7.5 * 5.25) > 0.1 || pixels[28 * SIZE + 5] != 255 || abs(pixels[28 * SIZE + 2] - 128) > 1
        || abs(pixels[23 * SIZE + 5] - 64) > 1 || pixels[29 * SIZE + 5] != 0) {
        printf("the box: %.3f\n", area);
        return 2;
    }
    outline.points = triangle, outline.n_points = 3, outline.contours[0] = 2;
    area = filled(library, &outline);
    if (fabs(area - 288) > 0.5) {
        printf("the triangle: %.3f\n", area);
        return 3;
    }
    outline.points = circle, outline.tags = (void *)arcs, outline.n_points = 12, outline.contours[0] = 11;
    area = filled(library, &outline);
    /* Its arcs are drawn as a few chords, which lie inside. */
    if (fabs(area - 3.14159265 * 144) > 4) {
        printf("the circle: %.3f\n", area);
        return 4;
    }
    /* 16.16 numbers: half the sine of 30 degrees, a product that needs 64 bits. */
    if (labs(FT_Sin(30L << 16) - 0x8000) > 2 || FT_MulFix(1000L << 16, 3 << 15) != 1500L << 16)
        return 5;
    free(outline.contours);
    return FT_Done_FreeType(library) ? 6 : 0;
}
