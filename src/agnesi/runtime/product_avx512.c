/* Products of matrices by 64-byte vectors. */
#include "product.h"
#ifdef AG_HAVE_X86
#include <immintrin.h>

#define CODE avx512
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define MASKED 1

/* Tiles for 32 registers. */
#define KERNELS(K) UP_TO_14(K, 1) UP_TO_14(K, 2) UP_TO_9(K, 3) UP_TO_6(K, 4)
enum { ROWS_1 = 14, ROWS_2 = 14, ROWS_3 = 9, ROWS_4 = 6, WIDE = 2 };

typedef float floats __attribute__((vector_size(64), aligned(4), may_alias));
typedef double doubles __attribute__((vector_size(64), aligned(8), may_alias));

#define TYPE f32
#define REAL float
#define VECTOR floats
#define MASK(count) ((__mmask16)(0xffff >> (16 - (count))))
#define LOAD_SOME(p, count) ((VECTOR)_mm512_maskz_loadu_ps(MASK(count), p))
#define STORE_SOME(p, count, value) _mm512_mask_storeu_ps(p, MASK(count), (__m512)(value))
#include "tiles.h"
#undef TYPE
#undef REAL
#undef VECTOR
#undef MASK
#undef LOAD_SOME
#undef STORE_SOME

#define TYPE f64
#define REAL double
#define VECTOR doubles
#define MASK(count) ((__mmask8)(0xff >> (8 - (count))))
#define LOAD_SOME(p, count) ((VECTOR)_mm512_maskz_loadu_pd(MASK(count), p))
#define STORE_SOME(p, count, value) _mm512_mask_storeu_pd(p, MASK(count), (__m512d)(value))
#include "tiles.h"

const struct ag_product ag_product_avx512 = {"avx512", multiply_f32_avx512, multiply_f64_avx512, true};
#endif
