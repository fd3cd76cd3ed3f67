/* Products of matrices by 16-byte vectors, which every processor of today has: SSE2, NEON.
 *
 * Not preferred to BLAS, which knows wider vectors or better instructions where neither of our other codes runs.
 */
#include "product.h"

#define CODE portable
#define TARGET
#define MASKED 0
#define PACKING_KERNELS(K)

#ifdef __aarch64__ /* 32 registers */
#include <arm_neon.h>
#define KERNELS(K) UP_TO_14(K, 1) UP_TO_14(K, 2) UP_TO_9(K, 3) UP_TO_6(K, 4)
enum { ROWS_1 = 14, ROWS_2 = 14, ROWS_3 = 9, ROWS_4 = 6, WIDE = 3 };
#else
#define KERNELS(K) UP_TO_12(K, 1) UP_TO_6(K, 2) UP_TO_4(K, 3) UP_TO_2(K, 4)
enum { ROWS_1 = 12, ROWS_2 = 6, ROWS_3 = 4, ROWS_4 = 2, WIDE = 2 };
#endif

typedef float floats __attribute__((vector_size(16), aligned(4), may_alias));
typedef double doubles __attribute__((vector_size(16), aligned(8), may_alias));

static inline floats load_floats(const float *p, int count) {
  if (count == 4) return *(const floats *)p;
  return (floats){p[0], count > 1 ? p[1] : 0, count > 2 ? p[2] : 0, 0};
}

static inline void store_floats(float *p, int count, floats value) {
  if (count == 4) {
    *(floats *)p = value;
    return;
  }
  for (int i = 0; i < count; i++) p[i] = value[i];
}

static inline doubles load_doubles(const double *p, int count) { return (doubles){p[0], count > 1 ? p[1] : 0}; }

static inline void store_doubles(double *p, int count, doubles value) {
  p[0] = value[0];
  if (count > 1) p[1] = value[1];
}

#define TYPE f32
#define REAL float
#define VECTOR floats
#define LOAD_SOME load_floats
#define STORE_SOME store_floats
#ifdef __aarch64__
#define FUSED(x, factor, y) ((VECTOR)vfmaq_n_f32((float32x4_t)(y), (float32x4_t)(x), factor))
#else
#define FUSED(x, factor, y) ((x) * (factor) + (y))
#endif
#include "tiles.h"
#undef TYPE
#undef REAL
#undef VECTOR
#undef LOAD_SOME
#undef STORE_SOME
#undef FUSED

#define TYPE f64
#define REAL double
#define VECTOR doubles
#define LOAD_SOME load_doubles
#define STORE_SOME store_doubles
#ifdef __aarch64__
#define FUSED(x, factor, y) ((VECTOR)vfmaq_n_f64((float64x2_t)(y), (float64x2_t)(x), factor))
#else
#define FUSED(x, factor, y) ((x) * (factor) + (y))
#endif
#include "tiles.h"

const struct ag_product ag_product_portable = {"portable", multiply_f32_portable, multiply_f64_portable, 0, 0};
