/* Answers that are published: Adler-32 (RFC 1950) and CRC-32 (ITU-T V.42) of known texts, and a
   stream that another implementation wrote (RFC 1952, by GNU gzip 1.12: printf hello | gzip -n9). */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

static const unsigned char packed[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd,
    0xc9, 0xc9, 0x07, 0x00, 0x86, 0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00};

static int failed;

static void check(int good, const char *what)
{
    printf("%s: %s\n", good ? "good" : "WRONG", what);
    failed |= !good;
}

int main(void)
{
    unsigned char out[16] = {0};
    z_stream stream = {0};

    check(strcmp(zlibVersion(), ZLIB_VERSION) == 0, "the library is of the header's version");
    check(crc32(0, (const Bytef *)"123456789", 9) == 0xcbf43926UL, "CRC-32 of 123456789");
    check(adler32(1, (const Bytef *)"Wikipedia", 9) == 0x11e60398UL, "Adler-32 of Wikipedia");
    check(inflateInit2(&stream, 15 + 16) == Z_OK, "inflateInit2");
    stream.next_in = (Bytef *)packed;
    stream.avail_in = sizeof packed;
    stream.next_out = out;
    stream.avail_out = sizeof out;
    check(inflate(&stream, Z_FINISH) == Z_STREAM_END, "the end of GNU gzip's stream");
    check(stream.total_out == 5 && memcmp(out, "hello", 5) == 0, "what GNU gzip packed");
    check(inflateEnd(&stream) == Z_OK, "inflateEnd");
    return failed;
}
