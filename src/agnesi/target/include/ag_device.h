/* How the host's part of a function starts kernels: through a driver, CUDA's or what emulates it.
 *
 * Pointers of the call are those of the device's memory.  Nothing waits for kernels but AG_FETCH, and AG_END where kernels
 * may fail.
 */
#ifndef AG_DEVICE_H
#define AG_DEVICE_H
#include "ag_grid.h"
#include "ag_support.h"
#include <stddef.h>

#define AG_BLAS(suffix, type) \
  int (*gemm_##suffix)(void *handle, int turn_a, int turn_b, int m, int n, int k, const type *alpha, const type *a, \
                       int a_step, const type *b, int b_step, const type *beta, type *c, int c_step);

/* Functions of CUDA's driver and of cuBLAS, and what they take. */
struct ag_device {
  void *const *kernels; /* by number */
  void *stream, *blas;  /* blas: cuBLAS' handle */
  struct ag_record *record;
  int (*launch)(void *function, unsigned blocks, unsigned y, unsigned z, unsigned threads, unsigned v, unsigned w,
                unsigned shared, void *stream, void **params, void **extra);
  int (*to_host)(void *to, uint64_t from, size_t bytes, void *stream);
  int (*clear)(uint64_t to, unsigned char value, size_t bytes, void *stream);
  int (*wait)(void *stream);
  AG_BLAS(f32, float)
  AG_BLAS(f64, double)
  AG_BLAS(c64, ag_c64)
  AG_BLAS(c128, ag_c128)
};
#undef AG_BLAS

/* Notes an error of the driver; the first one stays. */
static inline int ag_driver(struct ag_call *call, int error) {
  if (error && call->check == 0) {
    call->check = -1;
    call->values[0] = error;
  }
  return error ? AG_DRIVER : AG_OK;
}

static inline __attribute__((unused)) int ag_start(struct ag_call *call, int32_t kernel, int64_t blocks, int64_t threads,
                                                   const void *args) {
  const struct ag_device *const d = call->device;
  void *params[] = {(void *)args};
  return ag_driver(call, d->launch(d->kernels[kernel], (unsigned)blocks, 1, 1, (unsigned)threads, 1, 1, 0, d->stream, params, NULL));
}

/* Bytes of the device's memory; zeros after an error. */
static inline __attribute__((unused)) const void *ag_fetch(struct ag_call *call, const void *place, size_t bytes) {
  static _Thread_local _Alignas(16) char held[64];
  const struct ag_device *const d = call->device;
  int error = d->to_host(held, (uint64_t)(uintptr_t)place, bytes, d->stream);
  if (!error) error = d->wait(d->stream);
  if (ag_driver(call, error)) __builtin_memset(held, 0, sizeof held);
  return held;
}

/* Whether all went well so far. */
static inline __attribute__((unused)) int ag_end(struct ag_call *call, const struct ag_record *record) {
  if (call->check < 0) return AG_DRIVER;
  if (record == NULL) return AG_OK;
  const struct ag_record found = *(const struct ag_record *)ag_fetch(call, record, sizeof *record);
  if (call->check < 0) return AG_DRIVER;
  return found.check ? ag_fail(call, found.check, found.values[0], found.values[1]) : AG_OK;
}

#define AG_RECORD \
  struct ag_record *const record = call->device->record; \
  AG_TRY(ag_driver(call, call->device->clear((uint64_t)(uintptr_t)record, 0, sizeof *record, call->device->stream)))
#define AG_ASK (void)0
#define AG_END AG_TRY(ag_end(call, AG_RECORDED))
#define AG_FETCH(place) (*(__typeof__(place) *)ag_fetch(call, &(place), sizeof(place)))
#define AG_LAUNCH(name, blocks, threads, barriers, ...) \
  do { \
    const struct name##_args args = __VA_ARGS__; \
    AG_TRY(ag_start(call, name##_number, blocks, threads, &args)); \
  } while (0)

/* Defines `gemm` of ag_call.h by cuBLAS, which counts columns first: it computes the transpose of c from those of b and a.
 * What it does not take, a kernel does. */
#define AG_DEVICE_GEMM(suffix, type) \
  static void ag_gemm_##suffix(struct ag_call *call, int64_t m, int64_t n, int64_t k, type alpha, const type *a, \
                               int64_t a_row, int64_t a_col, const type *b, int64_t b_row, int64_t b_col, type beta, type *c, \
                               int64_t c_row) { \
    const struct ag_device *const d = call->device; \
    int a_step, b_step, turn_a, turn_b; \
    if (m <= 0 || n <= 0) return; \
    if (d->gemm_##suffix != NULL && k > 0 && ag_takes(m, k, a_row, a_col, &turn_a, &a_step) && \
        ag_takes(k, n, b_row, b_col, &turn_b, &b_step) && m <= AG_LONGEST && c_row <= AG_LONGEST) { \
      const int c_step = (int)(m == 1 ? n : c_row); \
      ag_driver(call, d->gemm_##suffix(d->blas, turn_b, turn_a, (int)n, (int)m, (int)k, &alpha, b, b_step, a, a_step, &beta, c, \
                                       c_step)); \
      return; \
    } \
    const struct gemm_##suffix##_args args = {m, n, k, alpha, a, a_row, a_col, b, b_row, b_col, beta, c, c_row}; \
    ag_start(call, gemm_##suffix##_number, ag_blocks(m * n, AG_MOST_THREADS), AG_MOST_THREADS, &args); \
  }

enum { AG_LONGEST = 1 << 30 };

/* Whether cuBLAS takes a matrix by rows, or turned. */
static inline __attribute__((unused)) int ag_takes(int64_t rows, int64_t columns, int64_t row, int64_t column, int *turned,
                                                   int *step) {
  const int64_t by_row = rows <= 1 ? columns : row, by_column = columns <= 1 ? rows : column;
  if (rows > AG_LONGEST || columns > AG_LONGEST) return 0;
  if ((column == 1 || columns <= 1) && by_row >= columns && by_row <= AG_LONGEST) {
    *turned = 0;
    *step = (int)by_row;
    return 1;
  }
  *turned = 1;
  *step = (int)by_column;
  return (row == 1 || rows <= 1) && by_column >= rows && by_column <= AG_LONGEST;
}

#endif
