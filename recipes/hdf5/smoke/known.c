/* The file's bytes are those of the format's specification (HDF5 File Format 3.0): the signature,
   the widths that are said to be 8, IEEE 754 in the byte order that was asked for. And conversions
   with known answers: what does not fit is clipped. */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int wrong;

static void check(int good, const char *what)
{
    printf("%s: %s\n", good ? "good" : "WRONG", what);
    wrong += !good;
}

int main(void)
{
    static const unsigned char signature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    /* 1.5, -2, 1/1024 and the greatest number of single precision, most significant byte first. */
    static const unsigned char bytes[] = {0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0, 0x3a, 0x80, 0, 0, 0x7f, 0x7f, 0xff, 0xff};
    static const double numbers[] = {1.5, -2, 1.0 / 1024, 3.4028234663852886e38};
    static unsigned char content[65536];
    unsigned major, minor, release;
    double many[] = {300, -300, 1e30, 2.75};
    size_t length, place;
    int found = 0;
    hsize_t count = 4;
    hid_t file, space, set;
    FILE *stream;

    H5get_libversion(&major, &minor, &release);
    check(major == H5_VERS_MAJOR && minor == H5_VERS_MINOR && release == H5_VERS_RELEASE,
          "the library is of the header's version");
    check(H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0, "deflate is there");
    file = H5Fcreate("/tmp/known.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    space = H5Screate_simple(1, &count, NULL);
    set = H5Dcreate2(file, "x", H5T_IEEE_F32BE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    check(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0, "writing");
    check(H5Dclose(set) >= 0 && H5Sclose(space) >= 0 && H5Fclose(file) >= 0, "closing");
    stream = fopen("/tmp/known.h5", "rb");
    length = stream ? fread(content, 1, sizeof content, stream) : 0;
    check(length > 48 && memcmp(content, signature, 8) == 0, "the signature");
    check(content[8] == 0 && content[13] == 8 && content[14] == 8, "offsets and lengths of 8 bytes");
    for (place = 0; place + sizeof bytes <= length; place++)
        found += memcmp(content + place, bytes, sizeof bytes) == 0;
    check(found == 1, "the numbers, as IEEE 754 writes them");

    check(H5Tconvert(H5T_NATIVE_DOUBLE, H5T_NATIVE_SCHAR, 4, many, NULL, H5P_DEFAULT) >= 0, "converting");
    check(memcmp(many, "\x7f\x80\x7f\x02", 4) == 0, "doubles as bytes: clipped, and cut towards zero");
    return wrong != 0;
}
