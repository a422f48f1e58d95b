/* TensorFlow Lite's C interface: known answers, and models that cannot be.

   Arguments: add.bin of TensorFlow's own tests, whose output is three times its input; a net whose
   kernels XNNPACK has. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <tensorflow/lite/c/c_api.h>
#include <tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h>

static int failed, told;

static void check(int good, const char *what)
{
    printf("%s: %s\n", good ? "good" : "WRONG", what);
    failed |= !good;
}

static void tell(void *data, const char *format, va_list arguments)
{
    (void)data;
    vprintf(format, arguments);
    printf("\n");
    told++;
}

/* Runs a model, of one input and one output of floats, on 0, 1/8, 2/8, …; returns its output. */
static float *run(const char *file, int delegated, size_t *length)
{
    TfLiteModel *model = TfLiteModelCreateFromFile(file);
    TfLiteInterpreterOptions *options = TfLiteInterpreterOptionsCreate();
    TfLiteXNNPackDelegateOptions chosen = TfLiteXNNPackDelegateOptionsDefault();
    TfLiteDelegate *delegate = delegated ? TfLiteXNNPackDelegateCreate(&chosen) : NULL;
    TfLiteInterpreter *interpreter;
    TfLiteTensor *input;
    const TfLiteTensor *output;
    float *in, *out;
    size_t i, count;

    if (!model) {
        check(0, file);
        exit(1);
    }
    TfLiteInterpreterOptionsSetNumThreads(options, 1);
    if (delegate)
        TfLiteInterpreterOptionsAddDelegate(options, delegate);
    interpreter = TfLiteInterpreterCreate(model, options);
    check(TfLiteInterpreterGetInputTensorCount(interpreter) == 1, "one input");
    check(TfLiteInterpreterAllocateTensors(interpreter) == kTfLiteOk, "tensors are allocated");
    input = TfLiteInterpreterGetInputTensor(interpreter, 0);
    check(TfLiteTensorType(input) == kTfLiteFloat32, "its input are floats");
    count = TfLiteTensorByteSize(input) / sizeof *in;
    in = malloc(count * sizeof *in);
    for (i = 0; i < count; i++)
        in[i] = (float)(i % 64) / 8;
    check(TfLiteTensorCopyFromBuffer(input, in, count * sizeof *in) == kTfLiteOk, "input");
    check(TfLiteTensorCopyFromBuffer(input, in, 1) != kTfLiteOk, "a short input is refused");
    check(TfLiteInterpreterInvoke(interpreter) == kTfLiteOk, "it runs");
    output = TfLiteInterpreterGetOutputTensor(interpreter, 0);
    *length = TfLiteTensorByteSize(output) / sizeof *out;
    out = malloc(*length * sizeof *out);
    check(TfLiteTensorCopyToBuffer(output, out, *length * sizeof *out) == kTfLiteOk, "output");
    TfLiteInterpreterDelete(interpreter);
    TfLiteInterpreterOptionsDelete(options);
    TfLiteModelDelete(model);
    if (delegate)
        TfLiteXNNPackDelegateDelete(delegate);
    free(in);
    return out;
}

static void add(const char *file)
{
    int delegated, wrong;
    size_t i, length;

    for (delegated = 0; delegated < 2; delegated++) {
        float *out = run(file, delegated, &length);
        wrong = 0;
        for (i = 0; i < length; i++)
            wrong += out[i] != 3 * (float)(i % 64) / 8;
        check(length == 192 && !wrong, "three times the input");
        free(out);
    }
}

static void net(const char *file)
{
    size_t i, length, same;
    float *plain = run(file, 0, &length), *out = run(file, 1, &same);
    float most = 0, difference = 0;

    check(length > 0 && length == same, "as many outputs");
    for (i = 0; i < length && i < same; i++) {
        most = fmaxf(most, fabsf(plain[i]));
        difference = fmaxf(difference, fabsf(plain[i] - out[i]));
    }
    printf("difference %g of %g\n", difference, most);
    check(most > 0 && difference <= 1e-5f * most, "the delegate's answers are the kernels' own");
    free(plain);
    free(out);
}

static void refused(const char *file)
{
    static _Alignas(16) const char text[] =
        "no model at all, though it is long enough to be looked at";
    TfLiteInterpreterOptions *options = TfLiteInterpreterOptionsCreate();

    check(!TfLiteModelCreateFromFile("/nonexistent"), "no file");
    check(!TfLiteModelCreateWithErrorReporter(text, sizeof text, tell, NULL), "no model");
    check(told > 0, "and it is told why");
    check(TfLiteModelCreateFromFile(file) != NULL, "a model");
    TfLiteInterpreterOptionsSetErrorReporter(options, tell, NULL);
    TfLiteInterpreterOptionsDelete(options);
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    printf("TensorFlow Lite %s\n", TfLiteVersion());
    add(arguments[1]);
    net(arguments[2]);
    refused(arguments[1]);
    return failed;
}
