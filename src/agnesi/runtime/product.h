/* Products of matrices by own code: what its files share.
 *
 * product_*.c hold one kind of code each, made from the template tiles.h for both element types; product.c chooses.
 */
#ifndef AG_PRODUCT_H
#define AG_PRODUCT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code for one instruction set.
 * c = alpha * a b + beta * c with any strides, c with unit column stride, for m, n, k > 0. */
struct ag_product {
  const char *name;
  void (*multiply_f32)(int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t a_row, int64_t a_col,
                       const float *b, int64_t b_row, int64_t b_col, float beta, float *c, int64_t c_row);
  void (*multiply_f64)(int64_t m, int64_t n, int64_t k, double alpha, const double *a, int64_t a_row, int64_t a_col,
                       const double *b, int64_t b_row, int64_t b_col, double beta, double *c, int64_t c_row);
  /* Products with more rows than `tall` and more multiplications than `large` are left to BLAS, where there is one. */
  int64_t tall, large;
};

#ifdef __x86_64__
#define AG_HAVE_X86 1
extern const struct ag_product ag_product_avx512, ag_product_avx2;
#endif
extern const struct ag_product ag_product_portable;

/* What this process uses; chosen when the module is loaded. */
extern const struct ag_product *ag_product;

enum {
  DEPTH = 400,             /* of a panel at most: for so many products a tile of c is loaded and stored once */
  PANEL_BYTES = 512 << 10, /* of panels at a time: they stay in the second-level cache */
  REUSED = 2               /* b is packed where more than so many tiles above each other read it */
};

/* PANEL_BYTES of memory that belong to this thread, or NULL. */
void *ag_panels(void);

#endif
