/* What is packed comes back: every level, sizes around the window's, and files (gzopen). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static unsigned char text[100000], packed[120000], back[100000];

static int round_trip(int level, uLong size)
{
    uLongf length = sizeof packed, found = sizeof back;

    if (compress2(packed, &length, text, size, level) != Z_OK)
        return 0;
    if (level > 0 && size > 1000 && length >= size)
        return 0; /* the text repeats itself */
    if (uncompress(back, &found, packed, length) != Z_OK)
        return 0;
    return found == size && memcmp(back, text, size) == 0;
}

int main(void)
{
    static const uLong sizes[] = {0, 1, 2, 257, 258, 259, 32767, 32768, 32769, 65536, 100000};
    unsigned state = 1, i, place;
    int level, read;
    gzFile file;

    for (place = 0; place < sizeof text; place++) {
        state = state * 1103515245u + 12345u;
        text[place] = place % 7 ? (unsigned char)"crosspi"[(state >> 16) % 7] : (unsigned char)(state >> 24 & 15);
    }
    for (level = 0; level <= 9; level++)
        for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
            if (!round_trip(level, sizes[i])) {
                printf("level %d, %lu bytes: not what went in\n", level, sizes[i]);
                return 1;
            }
    file = gzopen("/tmp/there.gz", "wb9");
    if (!file || gzwrite(file, text, sizeof text) != (int)sizeof text || gzclose(file) != Z_OK)
        return 2;
    file = gzopen("/tmp/there.gz", "rb");
    read = file ? gzread(file, back, sizeof back) : -1;
    if (read != (int)sizeof back || memcmp(back, text, sizeof back) != 0 || gzclose(file) != Z_OK)
        return 3;
    return 0;
}
