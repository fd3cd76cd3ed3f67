/* How kernels are started: the sizes of blocks and grids, and the record of what failed in them. */
#ifndef AG_GRID_H
#define AG_GRID_H
#include <stdint.h>

#if defined __CUDACC__ || defined AG_REAL
enum { AG_MOST_THREADS = 256, AG_MOST_BLOCKS = 1024 };
#else
enum { AG_MOST_THREADS = 16, AG_MOST_BLOCKS = 3 };
#endif

/* The first check that failed in a kernel, and what it saw. */
struct ag_record {
  int32_t check;
  int64_t values[2];
};

/* What the kernel for any product is given; the names are those of `gemm` in ag_call.h. */
#define AG_GEMM_ARGS(name, type) \
  struct name##_args { \
    int64_t m, n, k; \
    type alpha; \
    const type *a; \
    int64_t a_row, a_col; \
    const type *b; \
    int64_t b_row, b_col; \
    type beta; \
    type *c; \
    int64_t c_row; \
  };

#ifndef __CUDACC__
/* The number of blocks for n iterations, `each` at a time. */
static inline __attribute__((unused)) int64_t ag_blocks(int64_t n, int64_t each) {
  const int64_t wanted = n / each + (n % each > 0);
  return wanted < 1 ? 1 : wanted < AG_MOST_BLOCKS ? wanted : AG_MOST_BLOCKS;
}

/* The same where each block has copies of so many bytes: they take up to 64 MiB together. */
static inline __attribute__((unused)) int64_t ag_copying(int64_t n, int64_t bytes) {
  const int64_t most = ((int64_t)64 << 20) / (bytes > 0 ? bytes : 1) + 1, wanted = ag_blocks(n, 1);
  return wanted < most ? wanted : most;
}
#endif

#endif
