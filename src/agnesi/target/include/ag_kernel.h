/* What kernels are written in: the names of CUDA and of C that stand for the same.
 *
 * A kernel is `AG_KERNEL(name) { ... }` with one argument `a`, a `struct name_args`.  Its threads form blocks; those of one
 * block share memory and wait for each other at AG_SYNC, which all of them reach or none.  Generated kernels are of two
 * kinds.  Either each thread does iterations of a loop by itself, or the threads of a block go through the same statements
 * together: each computes the scalars, the first one stores them, and the iterations of inner loops are dealt out.
 */
#ifndef AG_KERNEL_H
#define AG_KERNEL_H
#include "ag_grid.h"

#ifdef __CUDACC__
#define AG_DEVICE static __device__ __forceinline__
#define AG_SHARED __shared__
#define AG_RESTRICT __restrict__
#define AG_THREAD ((int64_t)threadIdx.x)
#define AG_THREADS ((int64_t)blockDim.x)
#define AG_BLOCK ((int64_t)blockIdx.x)
#define AG_BLOCKS ((int64_t)gridDim.x)
#define AG_SYNC() __syncthreads()
/* Two blocks at once: without a number the assembler keeps to 64 registers and spills instead of taking more. */
#define AG_KERNEL(name) extern "C" __global__ void __launch_bounds__(AG_MOST_THREADS, 2) name(const struct name##_args a)
#define AG_FIRST(place) (atomicCAS(place, 0, -1) == 0)
#else
#include "ag_emulation.h"
#endif

/* Records a failed check; the first one stays. */
AG_DEVICE void ag_stop(struct ag_record *record, int32_t check, int64_t a, int64_t b) {
  if (AG_FIRST(&record->check)) {
    record->values[0] = a;
    record->values[1] = b;
    record->check = check;
  }
}

/* Defines a function that joins a value of each thread of a block, pairwise, and gives the result to all of them; `joined`
 * is an expression of x and y. */
#define AG_BLOCK_JOIN(name, type, joined) \
  AG_DEVICE type name(type own) { \
    AG_SHARED type values[AG_MOST_THREADS]; \
    values[AG_THREAD] = own; \
    AG_SYNC(); \
    for (int64_t half = AG_THREADS / 2; half > 0; half /= 2) { \
      if (AG_THREAD < half) { \
        const type x = values[AG_THREAD], y = values[AG_THREAD + half]; \
        values[AG_THREAD] = joined; \
      } \
      AG_SYNC(); \
    } \
    const type whole = values[0]; \
    AG_SYNC(); \
    return whole; \
  }

/* Defines every step-th element of c[m,n] = alpha * a[m,k] b[k,n] + beta * c, from a first one on. */
#define AG_GEMM_PLACES(name, type) \
  AG_DEVICE void name(int64_t first, int64_t step, int64_t m, int64_t n, int64_t k, type alpha, const type *a, int64_t a_row, \
                      int64_t a_col, const type *b, int64_t b_row, int64_t b_col, type beta, type *c, int64_t c_row) { \
    for (int64_t place = first; place < m * n; place += step) { \
      const int64_t row = place / n, col = place % n; \
      type sum = 0; \
      for (int64_t j = 0; j < k; j++) sum += a[row * a_row + j * a_col] * b[j * b_row + col * b_col]; \
      type *const to = c + row * c_row + col; \
      if (beta != (type)0) sum = alpha * sum + beta * *to; \
      else sum = alpha * sum; \
      *to = sum; \
    } \
  }

/* Defines the product by the threads of a block, inside of loops. */
#define AG_BLOCK_GEMM(name, type) \
  AG_GEMM_PLACES(name##_places, type) \
  AG_DEVICE void name(int64_t m, int64_t n, int64_t k, type alpha, const type *a, int64_t a_row, int64_t a_col, \
                      const type *b, int64_t b_row, int64_t b_col, type beta, type *c, int64_t c_row) { \
    AG_SYNC(); \
    name##_places(AG_THREAD, AG_THREADS, m, n, k, alpha, a, a_row, a_col, b, b_row, b_col, beta, c, c_row); \
    AG_SYNC(); \
  }

/* Defines x[n,m] = a[n,n]^-1 b[n,m] by the first thread of a block, by elimination with the largest pivots, and gives 0 or the
 * place of the first pivot that is zero, from 1 on, to all threads. SIZE(v), OVER(v, w): absolute value, quotient. */
#define AG_BLOCK_SOLVE(name, type, SIZE, OVER) \
  AG_DEVICE int name(int64_t n, int64_t m, const type *a, const type *b, type *x, void *work) { \
    AG_SHARED int found; \
    type *const lu = (type *)work; \
    AG_SYNC(); \
    if (AG_THREAD == 0) { \
      found = 0; \
      for (int64_t i = 0; i < n * n; i++) lu[i] = a[i]; \
      for (int64_t i = 0; i < n * m; i++) x[i] = b[i]; \
      for (int64_t k = 0; k < n && !found; k++) { \
        int64_t best = k; \
        for (int64_t i = k + 1; i < n; i++) \
          if (SIZE(lu[i * n + k]) > SIZE(lu[best * n + k])) best = i; \
        if (lu[best * n + k] == (type)0) found = (int)(k + 1); \
        for (int64_t j = 0; j < n && best != k; j++) { \
          const type held = lu[k * n + j]; \
          lu[k * n + j] = lu[best * n + j]; \
          lu[best * n + j] = held; \
        } \
        for (int64_t j = 0; j < m && best != k; j++) { \
          const type held = x[k * m + j]; \
          x[k * m + j] = x[best * m + j]; \
          x[best * m + j] = held; \
        } \
        for (int64_t i = k + 1; i < n && !found; i++) { \
          const type factor = OVER(lu[i * n + k], lu[k * n + k]); \
          for (int64_t j = k; j < n; j++) lu[i * n + j] = lu[i * n + j] - factor * lu[k * n + j]; \
          for (int64_t j = 0; j < m; j++) x[i * m + j] = x[i * m + j] - factor * x[k * m + j]; \
        } \
      } \
      for (int64_t i = n - 1; i >= 0 && !found; i--) \
        for (int64_t j = 0; j < m; j++) { \
          type sum = x[i * m + j]; \
          for (int64_t k = i + 1; k < n; k++) sum = sum - lu[i * n + k] * x[k * m + j]; \
          x[i * m + j] = OVER(sum, lu[i * n + i]); \
        } \
    } \
    AG_SYNC(); \
    const int result = found; \
    AG_SYNC(); \
    return result; \
  }
#define AG_SIZE_R(v) ((v) < 0 ? -(v) : (v))
#define AG_OVER_R(v, w) ((v) / (w))
#define AG_SIZE_C(v) (AG_SIZE_R(AG_REAL(v)) + AG_SIZE_R(AG_IMAG(v)))
#define AG_OVER_C64(v, w) ((v) * ~(w) * (ag_c64)(1 / (AG_REAL(w) * AG_REAL(w) + AG_IMAG(w) * AG_IMAG(w))))
#define AG_OVER_C128(v, w) ((v) * ~(w) * (ag_c128)(1 / (AG_REAL(w) * AG_REAL(w) + AG_IMAG(w) * AG_IMAG(w))))

/* Defines the kernel for products whose operands lie as no library takes them. */
#define AG_GEMM_KERNEL(name, type) \
  AG_GEMM_PLACES(name##_places, type) \
  AG_KERNEL(name) { \
    name##_places(AG_BLOCK * AG_THREADS + AG_THREAD, AG_BLOCKS * AG_THREADS, a.m, a.n, a.k, a.alpha, a.a, a.a_row, a.a_col, \
                  a.b, a.b_row, a.b_col, a.beta, a.c, a.c_row); \
  }

#endif
