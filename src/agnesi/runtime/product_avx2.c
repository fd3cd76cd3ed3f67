/* Products of matrices by 32-byte vectors. */
#include "product.h"
#ifdef AG_HAVE_X86
#include <immintrin.h>

#define CODE avx2
#define TARGET __attribute__((target("avx2,fma")))
#define MASKED 1

/* Tiles for 16 registers. */
#define KERNELS(K) UP_TO_12(K, 1) UP_TO_6(K, 2) UP_TO_4(K, 3) UP_TO_2(K, 4)
#define PACKING_KERNELS(K) K(4, 2) K(5, 2) K(6, 2)
enum { ROWS_1 = 12, ROWS_2 = 6, ROWS_3 = 4, ROWS_4 = 2, WIDE = 2 };

typedef float floats __attribute__((vector_size(32), aligned(4), may_alias));
typedef double doubles __attribute__((vector_size(32), aligned(8), may_alias));

#define TYPE f32
#define REAL float
#define VECTOR floats
#define MASK(count) _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define LOAD_SOME(p, count) ((VECTOR)_mm256_maskload_ps(p, MASK(count)))
/* Masked stores are slow on some processors. */
#define STORE_SOME(p, count, value)                           \
  do {                                                        \
    if ((count) == 8)                                         \
      *(VECTOR *)(p) = (value);                               \
    else                                                      \
      _mm256_maskstore_ps(p, MASK(count), (__m256)(value));   \
  } while (0)
#define FUSED(x, factor, y) ((VECTOR)_mm256_fmadd_ps((__m256)(x), _mm256_set1_ps(factor), (__m256)(y)))
#include "tiles.h"
#undef TYPE
#undef REAL
#undef VECTOR
#undef MASK
#undef LOAD_SOME
#undef STORE_SOME
#undef FUSED

#define TYPE f64
#define REAL double
#define VECTOR doubles
#define MASK(count) _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3))
#define LOAD_SOME(p, count) ((VECTOR)_mm256_maskload_pd(p, MASK(count)))
#define STORE_SOME(p, count, value)                           \
  do {                                                        \
    if ((count) == 4)                                         \
      *(VECTOR *)(p) = (value);                               \
    else                                                      \
      _mm256_maskstore_pd(p, MASK(count), (__m256d)(value));  \
  } while (0)
#define FUSED(x, factor, y) ((VECTOR)_mm256_fmadd_pd((__m256d)(x), _mm256_set1_pd(factor), (__m256d)(y)))
#include "tiles.h"

/* OpenBLAS with the same instructions is slower on small products, and a little faster on large ones. */
const struct ag_product ag_product_avx2 = {"avx2", multiply_f32_avx2, multiply_f64_avx2, 100, 1 << 22};
#endif
