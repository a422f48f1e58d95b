/* Sums over vectors with steps, and complex ones, against the definition: whole numbers are exact. */
#include <cblas.h>
#include <stdio.h>

#define MOST 150

static float x[2 * 3 * MOST], y[2 * 3 * MOST];
static double dx[2 * 3 * MOST], dy[2 * 3 * MOST];
static int wrong;

static void check(double found, double expected, const char *what, int n, int step)
{
    if (found != expected) {
        printf("%s of %d with step %d: %g, expected %g\n", what, n, step, found, expected);
        wrong++;
    }
}

int main(void)
{
    int n, step, i;
    float complex_sum[2];
    double complex_double[2];

    for (i = 0; i < 2 * 3 * MOST; i++) {
        x[i] = dx[i] = (i * 37 + 11) % 23 - 11;
        y[i] = dy[i] = (i * 53 + 5) % 19 - 9;
    }
    for (n = 0; n < MOST; n++)
        for (step = 1; step <= 3; step++) {
            double dot = 0, sum = 0, re = 0, im = 0, most = -1;
            int where = 0;
            for (i = 0; i < n; i++) {
                double a = x[i * step], b = y[i * step];
                double ar = x[2 * i * step], ai = x[2 * i * step + 1];
                double br = y[2 * i * step], bi = y[2 * i * step + 1];
                dot += a * b;
                sum += a < 0 ? -a : a;
                re += ar * br - ai * bi;
                im += ar * bi + ai * br;
                if ((a < 0 ? -a : a) > most)
                    most = a < 0 ? -a : a, where = i;
            }
            check(cblas_sdot(n, x, step, y, step), dot, "sdot", n, step);
            check(cblas_ddot(n, dx, step, dy, step), dot, "ddot", n, step);
            check(cblas_sasum(n, x, step), sum, "sasum", n, step);
            check(cblas_dasum(n, dx, step), sum, "dasum", n, step);
            if (n > 0) {
                check(cblas_isamax(n, x, step), where, "isamax", n, step);
                check(cblas_idamax(n, dx, step), where, "idamax", n, step);
            }
            cblas_cdotu_sub(n, x, step, y, step, complex_sum);
            cblas_zdotu_sub(n, dx, step, dy, step, complex_double);
            check(complex_sum[0], re, "cdotu, real", n, step);
            check(complex_sum[1], im, "cdotu, imaginary", n, step);
            check(complex_double[0], re, "zdotu, real", n, step);
            check(complex_double[1], im, "zdotu, imaginary", n, step);
        }
    return wrong != 0;
}
