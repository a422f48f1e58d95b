/* Products of matrices against the definition, in sums of exact numbers: small whole numbers, whose
   products and sums single precision holds exactly, so that nothing may differ. Sizes around those
   in which kernels take their rows and columns. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST 67

static unsigned state = 7;

static int whole(void)
{
    state = state * 1103515245u + 12345u;
    return (int)(state >> 16 & 15) - 8;
}

#define PRODUCT(name, type, gemm)                                                                  \
    static int name(int m, int n, int k, int ta, int tb)                                           \
    {                                                                                              \
        static type a[MOST * MOST], b[MOST * MOST], c[MOST * MOST];                                \
        int i, j, l, wrong = 0;                                                                    \
        for (i = 0; i < MOST * MOST; i++)                                                          \
            a[i] = whole(), b[i] = whole(), c[i] = 1;                                              \
        gemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n,  \
             k, 2, a, MOST, b, MOST, 3, c, MOST);                                                  \
        for (i = 0; i < m; i++)                                                                    \
            for (j = 0; j < n; j++) {                                                              \
                type sum = 0;                                                                      \
                for (l = 0; l < k; l++)                                                            \
                    sum += (ta ? a[l * MOST + i] : a[i * MOST + l]) *                              \
                           (tb ? b[j * MOST + l] : b[l * MOST + j]);                               \
                wrong += c[i * MOST + j] != 2 * sum + 3;                                           \
            }                                                                                      \
        if (wrong)                                                                                 \
            printf(#name " %d x %d x %d, %d%d: %d wrong\n", m, n, k, ta, tb, wrong);               \
        return wrong;                                                                              \
    }

PRODUCT(single, float, cblas_sgemm)
PRODUCT(real, double, cblas_dgemm)

int main(void)
{
    static const int sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, MOST};
    int i, j, l, t, wrong = 0;
    const int count = sizeof sizes / sizeof *sizes;

    for (i = 0; i < count; i++)
        for (j = 0; j < count; j++)
            for (l = 0; l < count; l += 2)
                for (t = 0; t < 4; t++) {
                    wrong += single(sizes[i], sizes[j], sizes[l], t & 1, t >> 1);
                    wrong += real(sizes[i], sizes[j], sizes[l], t & 1, t >> 1);
                }
    printf("%s, %d wrong\n", openblas_get_config(), wrong);
    return wrong != 0;
}
