/* What is written is read back: numbers of every kind and byte order, in chunks, packed by deflate
   behind shuffle and a checksum, growing; groups, attributes, strings of any length, compounds. */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME "/tmp/there.h5"
#define ROWS 300
#define COLUMNS 70

static int wrong;

static void check(int good, const char *what)
{
    if (!good)
        printf("WRONG: %s\n", what);
    wrong += !good;
}

static double value(int row, int column)
{
    return (row * COLUMNS + column) * 0.25 - 1000; /* exact in every kind of number below */
}

static void packed(hid_t file, const char *name, hid_t stored)
{
    static double in[ROWS][COLUMNS], out[ROWS][COLUMNS];
    hsize_t first[2] = {100, COLUMNS}, whole[2] = {ROWS, COLUMNS}, most[2] = {H5S_UNLIMITED, COLUMNS};
    hsize_t chunk[2] = {32, 17}, start[2] = {0, 0};
    hid_t space = H5Screate_simple(2, first, most), how = H5Pcreate(H5P_DATASET_CREATE), set;
    int row, column;

    for (row = 0; row < ROWS; row++)
        for (column = 0; column < COLUMNS; column++)
            in[row][column] = value(row, column), out[row][column] = -1;
    check(H5Pset_chunk(how, 2, chunk) >= 0 && H5Pset_shuffle(how) >= 0 && H5Pset_deflate(how, 6) >= 0 &&
              H5Pset_fletcher32(how) >= 0, "the pipeline of filters");
    set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, how, H5P_DEFAULT);
    H5Sclose(space);
    check(H5Dset_extent(set, whole) >= 0, "a dataset grows");
    space = H5Dget_space(set);
    check(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, whole, NULL) >= 0, "all is chosen");
    check(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, space, H5P_DEFAULT, in) >= 0, "writing");
    check(H5Dclose(set) >= 0, "closing");
    set = H5Dopen2(file, name, H5P_DEFAULT);
    check(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0, "reading");
    check(memcmp(in, out, sizeof in) == 0, name);
    check(H5Dget_storage_size(set) < sizeof in / 2, "it is packed");
    H5Dclose(set), H5Sclose(space), H5Pclose(how);
}

static void whole_numbers(hid_t file, const char *name, hid_t stored)
{
    static const long long in[] = {0, 1, 127, -1, -128, 100, 99};
    long long out[7];
    hsize_t count = 7;
    hid_t space = H5Screate_simple(1, &count, NULL);
    hid_t set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    H5Dwrite(set, H5T_NATIVE_LLONG, H5S_ALL, H5S_ALL, H5P_DEFAULT, in);
    H5Dread(set, H5T_NATIVE_LLONG, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
    check(memcmp(in, out, sizeof in) == 0, name);
    H5Dclose(set), H5Sclose(space);
}

static void words(hid_t file)
{
    const char *in[] = {"Raspberry", "", "\xc3\xbc\xc3\xa4"};
    char *out[3] = {0};
    hsize_t count = 3;
    hid_t space = H5Screate_simple(1, &count, NULL), text = H5Tcopy(H5T_C_S1), attribute;
    hid_t group = H5Gcreate2(file, "/a/deep/group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    check(group < 0, "a group in groups that are not there is refused");
    group = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(group, 1);
    H5Gclose(H5Gcreate2(file, "/a/deep/group", group, H5P_DEFAULT, H5P_DEFAULT));
    H5Pclose(group);
    group = H5Gopen2(file, "/a/deep/group", H5P_DEFAULT);
    H5Tset_size(text, H5T_VARIABLE), H5Tset_cset(text, H5T_CSET_UTF8);
    attribute = H5Acreate2(group, "words", text, space, H5P_DEFAULT, H5P_DEFAULT);
    check(H5Awrite(attribute, text, in) >= 0 && H5Aread(attribute, text, out) >= 0, "an attribute");
    check(out[0] && !strcmp(out[0], in[0]) && !strcmp(out[1], in[1]) && !strcmp(out[2], in[2]), "its words");
    H5Treclaim(text, space, H5P_DEFAULT, out);
    H5Aclose(attribute), H5Gclose(group), H5Tclose(text), H5Sclose(space);
}

int main(void)
{
    hid_t file;

    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    file = H5Fcreate(FILE_NAME, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    check(file >= 0, "a file is made");
    packed(file, "double", H5T_IEEE_F64LE);
    packed(file, "double, other byte order", H5T_IEEE_F64BE);
    packed(file, "single", H5T_IEEE_F32LE);
    packed(file, "single, other byte order", H5T_IEEE_F32BE);
    packed(file, "long double", H5T_NATIVE_LDOUBLE);
    whole_numbers(file, "8 bits", H5T_STD_I8LE);
    whole_numbers(file, "16 bits, other byte order", H5T_STD_I16BE);
    whole_numbers(file, "32 bits", H5T_STD_I32LE);
    whole_numbers(file, "64 bits, other byte order", H5T_STD_I64BE);
    words(file);
    check(H5Fclose(file) >= 0, "the file is closed");
    file = H5Fopen(FILE_NAME, H5F_ACC_RDONLY, H5P_DEFAULT);
    check(H5Lexists(file, "/a/deep/group", H5P_DEFAULT) > 0, "the group is there when it is opened again");
    check(H5Fclose(file) >= 0, "closed again");
    return wrong != 0;
}
