/* A font of one letter, written here in the text format BDF (Adobe 5005): the pixels are those of the
   text. And FreeType unpacks it, as it does with fonts that are packed by gzip. */
#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_GZIP_H
#include FT_SYSTEM_H
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char font[] =
    "STARTFONT 2.1\nFONT -crosspi-known-medium-r-normal--8-80-75-75-c-80-iso10646-1\n"
    "SIZE 8 75 75\nFONTBOUNDINGBOX 8 8 0 0\nSTARTPROPERTIES 2\nFONT_ASCENT 8\nFONT_DESCENT 0\n"
    "ENDPROPERTIES\nCHARS 1\nSTARTCHAR A\nENCODING 65\nSWIDTH 1000 0\nDWIDTH 9 0\nBBX 8 8 0 0\nBITMAP\n"
    "18\n24\n42\n81\nFF\n81\n81\nC3\nENDCHAR\nENDFONT\n";
static const unsigned char rows[] = {0x18, 0x24, 0x42, 0x81, 0xff, 0x81, 0x81, 0xc3};

static int drawn(FT_Library library, const void *bytes, size_t size)
{
    FT_Face face;
    FT_GlyphSlot slot;
    int y, good;

    if (FT_New_Memory_Face(library, bytes, (FT_Long)size, 0, &face))
        return 0;
    if (FT_Select_Size(face, 0) || FT_Load_Char(face, 'A', FT_LOAD_RENDER | FT_LOAD_TARGET_MONO))
        return 0;
    slot = face->glyph;
    good = slot->bitmap.rows == 8 && slot->bitmap.width == 8 && slot->advance.x == 9 * 64;
    for (y = 0; good && y < 8; y++)
        good = slot->bitmap.buffer[y * slot->bitmap.pitch] == rows[y];
    FT_Done_Face(face);
    return good;
}

static void *give(FT_Memory memory, long size)
{
    (void)memory;
    return malloc((size_t)size);
}

static void *resize(FT_Memory memory, long old, long size, void *block)
{
    (void)memory, (void)old;
    return realloc(block, (size_t)size);
}

static void take(FT_Memory memory, void *block)
{
    (void)memory;
    free(block);
}

int main(void)
{
    static unsigned char packed[4000], unpacked[4000];
    struct FT_MemoryRec_ memory = {NULL, give, take, resize};
    FT_ULong size = sizeof unpacked;
    FT_Library library;
    z_stream stream = {0};

    if (FT_Init_FreeType(&library))
        return 1;
    if (!drawn(library, font, sizeof font - 1))
        return 2;
    deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = (Bytef *)font;
    stream.avail_in = sizeof font - 1;
    stream.next_out = packed;
    stream.avail_out = sizeof packed;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        return 3;
    if (FT_Gzip_Uncompress(&memory, unpacked, &size, packed, stream.total_out) || size != sizeof font - 1)
        return 4;
    if (memcmp(unpacked, font, size) != 0)
        return 5;
    return FT_Done_FreeType(library) ? 6 : 0;
}
