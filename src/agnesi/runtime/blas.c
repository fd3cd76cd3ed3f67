/* The library table of generated code: dense products and solvers, by BLAS and LAPACK or by own code. */
#define AG_NO_HYP
#define AG_NO_TRIG
#include "complex_math.h"
#include "product.h"
#include "runtime.h"
#include <stdlib.h>
#include <string.h>

/* BLAS counts in int: longer axes are cut. */
enum { LONGEST = 1 << 30, MOST = 2147483647 };

/* Rows of systems that are solved before LAPACK has looked at its arguments. */
enum { FEW = 8 };

static int64_t at_least_1(int64_t n) { return n > 1 ? n : 1; }

/* How a product is computed. */
enum way { BY_OWN_CODE, BY_BLAS, ROW_BY_BLAS, COLUMN_BY_BLAS };

#define TIMES(x, y) ((x) * (y))
#define OVER(x, y) ((x) / (y))
#define SIZE(x) __builtin_fabsf(x)
#define ELEMENT float
#define NAME(word) word##_f32
#include "dense.h"

#define TIMES(x, y) ((x) * (y))
#define OVER(x, y) ((x) / (y))
#define SIZE(x) __builtin_fabs(x)
#define ELEMENT double
#define NAME(word) word##_f64
#include "dense.h"

#define COMPLEX
#define TIMES c_mulf
#define OVER c_divf
#define SIZE(x) (__builtin_fabsf(AG_REAL(x)) + __builtin_fabsf(AG_IMAG(x)))
#define ELEMENT float _Complex
#define NAME(word) word##_c64
#include "dense.h"

#define COMPLEX
#define TIMES c_mul
#define OVER c_div
#define SIZE(x) (__builtin_fabs(AG_REAL(x)) + __builtin_fabs(AG_IMAG(x)))
#define ELEMENT double _Complex
#define NAME(word) word##_c128
#include "dense.h"

const struct ag_library ag_library = {gemm_f32,  gemm_f64,  gemm_c64,  gemm_c128,
                                      solve_f32, solve_f64, solve_c64, solve_c128};

PyObject *ag_set_library(PyObject *Py_UNUSED(module), PyObject *args) {
  enum { ROUTINES = 3, ALL = 4 * ROUTINES };
  void *addresses[ALL];
  if (PyTuple_GET_SIZE(args) != ALL) return PyErr_Format(PyExc_TypeError, "set_library takes %d addresses", ALL);
  for (int i = 0; i < ALL; i++) {
    addresses[i] = PyLong_AsVoidPtr(PyTuple_GET_ITEM(args, i));
    if (addresses[i] == NULL && PyErr_Occurred()) return NULL;
  }
  set_fortran_f32(addresses);
  set_fortran_f64(addresses + ROUTINES);
  set_fortran_c64(addresses + 2 * ROUTINES);
  set_fortran_c128(addresses + 3 * ROUTINES);
  Py_RETURN_NONE;
}

PyObject *ag_library_address(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none)) {
  return PyLong_FromVoidPtr((void *)(uintptr_t)&ag_library);
}

PyObject *ag_set_blas_threads(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long setter;
  int count;
  if (!PyArg_ParseTuple(args, "Ki:set_blas_threads", &setter, &count)) return NULL;
  ((void (*)(int))(uintptr_t)setter)(count);
  Py_RETURN_NONE;
}
