/* The library table of generated code: dense products and solvers, by BLAS and LAPACK or by own code. */
#include "product.h"
#include "runtime.h"
#include <stdlib.h>

/* Routines with the Fortran calling convention, as SciPy exports them. */
typedef void (*sgemm_type)(char *, char *, int *, int *, int *, float *, float *, int *, float *, int *, float *,
                           float *, int *);
typedef void (*dgemm_type)(char *, char *, int *, int *, int *, double *, double *, int *, double *, int *, double *,
                           double *, int *);
typedef void (*sgemv_type)(char *, int *, int *, float *, float *, int *, float *, int *, float *, float *, int *);
typedef void (*dgemv_type)(char *, int *, int *, double *, double *, int *, double *, int *, double *, double *, int *);
typedef void (*sgesv_type)(int *, int *, float *, int *, int *, float *, int *, int *);
typedef void (*dgesv_type)(int *, int *, double *, int *, int *, double *, int *, int *);

static sgemm_type sgemm;
static dgemm_type dgemm;
static sgemv_type sgemv;
static dgemv_type dgemv;
static sgesv_type sgesv;
static dgesv_type dgesv;

/* BLAS counts in int: longer axes are cut. */
enum { LONGEST = 1 << 30, MOST = 2147483647 };

static int64_t at_least_1(int64_t n) { return n > 1 ? n : 1; }

#define REAL float
#define NAME(word) word##_f32
#define GEMM sgemm
#define GEMV sgemv
#define GESV sgesv
#include "dense.h"
#undef REAL
#undef NAME
#undef GEMM
#undef GEMV
#undef GESV

#define REAL double
#define NAME(word) word##_f64
#define GEMM dgemm
#define GEMV dgemv
#define GESV dgesv
#include "dense.h"

const struct ag_library ag_library = {gemm_f32, gemm_f64, solve_f32, solve_f64};

static void run_serially(struct ag_pool *pool, void (*body)(void *, int64_t, int64_t), void *closure, int64_t n,
                         int64_t grain) {
  (void)pool;
  (void)grain;
  if (n > 0) body(closure, 0, n);
}

struct ag_pool ag_serial_pool = {1, run_serially};

PyObject *ag_set_library(PyObject *Py_UNUSED(module), PyObject *args) {
  unsigned long long a, b, c, d, e, f;
  if (!PyArg_ParseTuple(args, "KKKKKK:set_library", &a, &b, &c, &d, &e, &f)) return NULL;
  sgemm = (sgemm_type)(uintptr_t)a;
  dgemm = (dgemm_type)(uintptr_t)b;
  sgemv = (sgemv_type)(uintptr_t)c;
  dgemv = (dgemv_type)(uintptr_t)d;
  sgesv = (sgesv_type)(uintptr_t)e;
  dgesv = (dgesv_type)(uintptr_t)f;
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
