/* What modules of CPython 3.9 call and CPython 3.7 does not have. */
#include <Python.h>

/* For pycore_byteswap.h. */
#define Py_BUILD_CORE
#define _Py__has_builtin(name) 1

#define PySys_Audit(...) 0
#define Py_IS_TYPE(object, type) (Py_TYPE(object) == (type))
#define Py_SET_TYPE(object, type) (Py_TYPE(object) = (type))
#define PyObject_CallOneArg(called, argument) \
    PyObject_CallFunctionObjArgs((called), (argument), NULL)
#define _PyObject_CallMethodIdNoArgs(object, name) \
    _PyObject_CallMethodIdObjArgs((object), (name), NULL)
#define _PyObject_CallMethodIdOneArg(object, name, argument) \
    _PyObject_CallMethodIdObjArgs((object), (name), (argument), NULL)
#define _PyErr_WriteUnraisableMsg(message, object) PyErr_WriteUnraisable(object)
#define _PyLong_FromNbIndexOrNbInt PyNumber_Index

/* Since 3.8 an object owns a reference to its type, if that was made at run time; the type gives it
   back when the object goes. */
static inline PyObject *
new_with_owned_type(PyTypeObject *type)
{
    PyObject *object = _PyObject_New(type);
    if (object != NULL && PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) {
        Py_INCREF(type);
    }
    return object;
}
#undef PyObject_New
#define PyObject_New(struct_type, type) ((struct_type *)new_with_owned_type(type))

/* For annotations: array[int] is the type itself. */
static inline PyObject *
Py_GenericAlias(PyObject *type, PyObject *item)
{
    Py_INCREF(type);
    return type;
}

static inline void
_PyArg_BadArgument(const char *function, const char *name, const char *expected, PyObject *argument)
{
    PyErr_Format(PyExc_TypeError, "%.200s() %.200s must be %.50s, not %.50s", function, name,
                 expected, Py_TYPE(argument)->tp_name);
}

static inline int
_PyArg_CheckPositional(const char *function, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most)
{
    if (least <= given && given <= most) {
        return 1;
    }
    PyErr_Format(PyExc_TypeError, "%.200s expected %zd to %zd arguments, got %zd", function, least,
                 most, given);
    return 0;
}

/* Puts arguments given by name into their places of `all`. Names of parameters that are positional
   only are empty; none of these functions has parameters that are by name only. */
static inline PyObject *const *
_PyArg_UnpackKeywords(PyObject *const *given, Py_ssize_t count, PyObject *by_name, PyObject *names,
                      struct _PyArg_Parser *parser, int least, int most, int least_by_name,
                      PyObject **all)
{
    Py_ssize_t named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    if (named == 0 && least <= count && count <= most) {
        return given;
    }
    if (!_PyArg_CheckPositional(parser->fname, count, 0, most)) {
        return NULL;
    }
    memset(all, 0, most * sizeof *all);
    memcpy(all, given, count * sizeof *all);
    for (Py_ssize_t n = 0; n < named; n++) {
        PyObject *name = PyTuple_GET_ITEM(names, n);
        int place = 0;
        while (place < most && (parser->keywords[place][0] == '\0'
               || !_PyUnicode_EqualToASCIIString(name, parser->keywords[place]))) {
            place++;
        }
        if (place == most || all[place] != NULL) {
            PyErr_Format(PyExc_TypeError, "'%U' is no argument of %.200s(), or given twice", name,
                         parser->fname);
            return NULL;
        }
        all[place] = given[count + n];
    }
    for (int place = 0; place < least; place++) {
        if (all[place] == NULL) {
            PyErr_Format(PyExc_TypeError, "%.200s() misses its argument %d", parser->fname,
                         place + 1);
            return NULL;
        }
    }
    return all;
}
