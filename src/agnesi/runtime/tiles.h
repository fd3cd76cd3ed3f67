/* A dense product for one element type and one instruction set; product.c includes this once for each pair.
 *
 * REAL: the type.  VECTOR: as many of them as a register holds, anywhere in memory.  NAME(word): the word with the
 * suffixes of type and instruction set.  TARGET: the attribute that selects the instructions.  LOAD_SOME(p, count),
 * STORE_SOME(p, count, value): the first `count` lanes; nothing beyond them is touched.  MASKED: whether LOAD_SOME is
 * as good as a load.  KERNELS(K): K(rows, vectors) for each tile that fits the registers, ROWS_1 to ROWS_4: the
 * tallest of 1 to 4 vectors, WIDE: the width of tiles when there is room.
 *
 * c is computed in tiles that stay in registers while k runs.  Elements of a are read where they are, whatever the
 * strides; so are rows of b that serve few rows of c, otherwise a block of b is first copied into panels as wide as a
 * tile, which then come from the second-level cache, one after another.
 *
 * An element of c is the sum over k in order, in parts whose lengths depend on k only.  So its value depends on its
 * row of a, its column of b and k; not on strides, alignment, or the rest of the product.
 */

enum { NAME(lanes) = sizeof(VECTOR) / sizeof(REAL) };

/* One tile of c and what it is made of. */
struct NAME(tile) {
  const REAL *a, *b;
  REAL *c;
  int64_t a_row, a_col, b_row, c_row;
  int64_t depth;
  REAL alpha, beta;
  int last; /* columns in the last vector */
};

/* Computes a tile; both sizes are constants where this is used.  The loops unroll, so the arrays become registers. */
static inline __attribute__((always_inline)) TARGET void NAME(compute)(const struct NAME(tile) *tile, const int rows,
                                                                       const int vectors) {
  enum { LANES = NAME(lanes), LONG = 32 };
  const int64_t a_row = tile->a_row, a_col = tile->a_col, b_row = tile->b_row, c_row = tile->c_row;
  const int last = tile->last;
  const REAL *b = tile->b;
  REAL *c = tile->c;
  const REAL *a[4]; /* every fourth row: addressing modes reach the others */
  for (int i = 0; i < 4; i++) a[i] = tile->a + 4 * i * a_row;
  if (tile->depth >= LONG) /* there is time to fetch what is added to at the end */
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < vectors; j++) __builtin_prefetch(c + i * c_row + j * LANES, 1);
  VECTOR sum[16][4];
  UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = (VECTOR){0};
  for (int64_t p = tile->depth; p > 0; p--) {
    VECTOR right[4];
    UNROLL for (int j = 0; j < vectors; j++) right[j] =
        MASKED && j == vectors - 1 ? LOAD_SOME(b + j * LANES, last) : *(const VECTOR *)(b + j * LANES);
    UNROLL for (int i = 0; i < rows; i++) {
      const REAL left = a[i / 4][i % 4 * a_row];
      UNROLL for (int j = 0; j < vectors; j++) sum[i][j] += right[j] * left; /* contracted to fma where there is one */
    }
    UNROLL for (int i = 0; i < (rows + 3) / 4; i++) a[i] += a_col;
    b += b_row;
  }
  const REAL alpha = tile->alpha, beta = tile->beta;
  UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++) sum[i][j] *= alpha;
  /* All loads come before all stores: a load that a store next to it might touch has to wait for that store. */
  if (beta != 0)
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++) {
      const REAL *from = c + i * c_row + j * LANES;
      sum[i][j] += beta * (j < vectors - 1 ? *(const VECTOR *)from : LOAD_SOME(from, last));
    }
  UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++) {
    REAL *to = c + i * c_row + j * LANES;
    if (j < vectors - 1)
      *(VECTOR *)to = sum[i][j];
    else
      STORE_SOME(to, last, sum[i][j]);
  }
}

#define KERNEL(rows, vectors)                                                                                   \
  static __attribute__((noinline)) TARGET void NAME(kernel_##rows##_##vectors)(const struct NAME(tile) *tile) { \
    NAME(compute)(tile, rows, vectors);                                                                         \
  }
KERNELS(KERNEL)
#undef KERNEL

#define KERNEL(rows, vectors) [vectors][rows] = NAME(kernel_##rows##_##vectors),
static void (*const NAME(kernels)[5][16])(const struct NAME(tile) *) = {KERNELS(KERNEL)};
#undef KERNEL

/* Copies b[depth, width] into a panel of `vectors`, filled up with zeros. */
static TARGET void NAME(pack_panel)(REAL *to, int64_t depth, int64_t width, int64_t vectors, const REAL *b,
                                    int64_t b_row, int64_t b_col) {
  enum { LANES = NAME(lanes) };
  const int64_t full = vectors * LANES;
  const int last = (int)(width - (full - LANES));
  if (b_col == 1) {
    for (int64_t p = 0; p < depth; p++, to += full, b += b_row) {
      for (int64_t j = 0; j < full - LANES; j += LANES) *(VECTOR *)(to + j) = *(const VECTOR *)(b + j);
      *(VECTOR *)(to + full - LANES) = LOAD_SOME(b + full - LANES, last);
    }
    return;
  }
  for (int64_t p0 = 0; p0 < depth; p0 += LANES) { /* square pieces: each line of b is read once */
    const int64_t p1 = p0 + LANES < depth ? p0 + LANES : depth;
    for (int64_t j = 0; j < full; j++)
      for (int64_t p = p0; p < p1; p++) to[p * full + j] = j < width ? b[p * b_row + j * b_col] : 0;
  }
}

/* The tiles for m rows and n columns: vectors, and rows, the latter about equal from tile to tile. */
static void NAME(choose)(int64_t m, int64_t n, int *rows, int *vectors) {
  static const int most[5] = {0, ROWS_1, ROWS_2, ROWS_3, ROWS_4};
  const int64_t needed = (n + NAME(lanes) - 1) / NAME(lanes);
  const int wide = m <= ROWS_4 ? 4 : m <= ROWS_3 ? 3 : WIDE;
  *vectors = wide < needed ? wide : (int)needed;
  const int64_t count = (m + most[*vectors] - 1) / most[*vectors];
  *rows = (int)((m + count - 1) / count);
}

/* c = alpha * a b + beta * c for m, n, k > 0.  False: no memory, and c is as it was. */
static TARGET bool NAME(multiply)(int64_t m, int64_t n, int64_t k, REAL alpha, const REAL *a, int64_t a_row,
                                  int64_t a_col, const REAL *b, int64_t b_row, int64_t b_col, REAL beta, REAL *c,
                                  int64_t c_row) {
  enum { LANES = NAME(lanes) };
  int rows, vectors;
  NAME(choose)(m, n, &rows, &vectors);
  const int64_t wide = (int64_t)vectors * LANES, parts = (k + DEPTH - 1) / DEPTH, deep = (k + parts - 1) / parts;
  const bool packed = b_col != 1 || m > REUSED * rows || (!MASKED && n % LANES != 0);
  const int64_t columns = packed ? PANEL_BYTES / (int64_t)sizeof(REAL) / deep / wide * wide : n;
  REAL *panels = packed ? ag_panels() : NULL;
  if (packed && panels == NULL) return false;
  struct NAME(tile) tile = {.a_row = a_row, .a_col = a_col, .b_row = b_row, .c_row = c_row, .alpha = alpha};
  for (int64_t j0 = 0; j0 < n; j0 += columns)
    for (int64_t p0 = 0; p0 < k; p0 += deep) {
      const int64_t j1 = j0 + columns < n ? j0 + columns : n;
      tile.depth = p0 + deep < k ? deep : k - p0;
      tile.beta = p0 == 0 ? beta : 1;
      for (int64_t i = 0; i < m; i += rows) {
        const int64_t height = i + rows < m ? rows : m - i;
        tile.a = a + i * a_row + p0 * a_col;
        for (int64_t j = j0; j < j1; j += wide) {
          const int64_t width = j + wide < j1 ? wide : j1 - j, used = (width + LANES - 1) / LANES;
          const REAL *from = b + p0 * b_row + j * b_col;
          if (packed) {
            REAL *panel = panels + (j - j0) * tile.depth;
            if (i == 0) NAME(pack_panel)(panel, tile.depth, width, used, from, b_row, b_col);
            tile.b_row = used * LANES;
            from = panel;
          }
          tile.b = from;
          tile.c = c + i * c_row + j;
          tile.last = (int)(width - (used - 1) * LANES);
          NAME(kernels)[used][height](&tile);
        }
      }
    }
  return true;
}
