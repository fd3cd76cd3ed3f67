/* A dense product for one element type and one instruction set; each product_*.c includes this for both types.
 *
 * REAL: the type.  VECTOR: as many of them as a register holds, anywhere in memory.  NAME(word): the word with the
 * suffixes of type and instruction set.  TARGET: the attribute that selects the instructions.  LOAD_SOME(p, count),
 * STORE_SOME(p, count, value): the first `count` lanes; nothing beyond them is touched.  MASKED: whether LOAD_SOME is
 * as good as a load.  FUSED(x, factor, y): x * factor + y, with one rounding where there are instructions for that;
 * used where compilers could contract either of two products, and would do so differently from tile to tile.
 * KERNELS(K), PACKING_KERNELS(K): K(rows, vectors) for each tile that fits the registers, and for those that may have
 * to pack b.  ROWS_1 to ROWS_4: the tallest of 1 to 4 vectors.  WIDE: the vectors of a tile when there is room.
 *
 * c is computed in tiles that stay in registers while k runs.  Elements of a are read where they are, whatever the
 * strides; so are rows of b that serve few rows of c, otherwise a block of b is first copied into panels as wide as a
 * tile, which then come from the second-level cache, one after another.
 *
 * Rows of a that lie a multiple of a page apart fall into the same few places of the first-level cache.  A tile needs
 * all of its rows at once, so it has no more of them then than there are places.
 *
 * An element of c is the sum over k in order, in parts whose lengths depend on k only.  So its value depends on its
 * row of a, its column of b and k; not on strides, alignment, or the rest of the product.
 */

#ifndef AG_TILES_H
#define AG_TILES_H
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
enum { SHALLOW = 4 }; /* the depth up to which rows of c are written from end to end */
#define JOIN_WORDS(word, type, code) word##_##type##_##code
#define JOIN(word, type, code) JOIN_WORDS(word, type, code)
#define NAME(word) JOIN(word, TYPE, CODE)

#if defined __clang__ || __GNUC__ >= 12
#define SHUFFLE(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define SHUFFLE(x, y, ...) __builtin_shuffle(x, y, (__typeof__((x) == (y))){__VA_ARGS__})
#endif

/* Tiles of 1 to so many rows. */
#define UP_TO_2(K, vectors) K(1, vectors) K(2, vectors)
#define UP_TO_4(K, vectors) UP_TO_2(K, vectors) K(3, vectors) K(4, vectors)
#define UP_TO_6(K, vectors) UP_TO_4(K, vectors) K(5, vectors) K(6, vectors)
#define UP_TO_9(K, vectors) UP_TO_6(K, vectors) K(7, vectors) K(8, vectors) K(9, vectors)
#define UP_TO_12(K, vectors) UP_TO_9(K, vectors) K(10, vectors) K(11, vectors) K(12, vectors)
#define UP_TO_14(K, vectors) UP_TO_12(K, vectors) K(13, vectors) K(14, vectors)
#endif

enum { NAME(lanes) = sizeof(VECTOR) / sizeof(REAL) };

/* One tile of c and what it is made of. */
struct NAME(tile) {
  const REAL *a, *b;
  REAL *c;
  int64_t a_row, a_col, b_row, c_row;
  int64_t depth;
  REAL alpha, beta;
  REAL *panel; /* where b goes as it is read, for kernels that pack */
  int last;    /* columns in the last vector */
};

/* Computes a tile, and packs its part of b on the way if it shall: that hides the time which b takes to arrive.
 * The last three arguments are constants where this is used; the loops unroll, so the arrays become registers. */
static inline __attribute__((always_inline)) TARGET void NAME(compute)(const struct NAME(tile) *tile, const int rows,
                                                                       const int vectors, const bool packs) {
  enum { LANES = NAME(lanes), LONG = 32 };
  const int64_t a_row = tile->a_row, a_col = tile->a_col, b_row = tile->b_row, c_row = tile->c_row;
  const int last = tile->last;
  const REAL *b = tile->b;
  REAL *c = tile->c, *panel = tile->panel;
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
    /* What the next tile needs, or, in a panel, the next row. */
    UNROLL for (int j = 0; j < vectors; j++) __builtin_prefetch(b + (vectors + j) * LANES);
    if (packs) {
      UNROLL for (int j = 0; j < vectors; j++) *(VECTOR *)(panel + j * LANES) = right[j];
      panel += vectors * LANES;
    }
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
      sum[i][j] = FUSED(j < vectors - 1 ? *(const VECTOR *)from : LOAD_SOME(from, last), beta, sum[i][j]);
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
    NAME(compute)(tile, rows, vectors, false);                                                                  \
  }
KERNELS(KERNEL)
#undef KERNEL
#define KERNEL(rows, vectors)                                                                                    \
  static __attribute__((noinline)) TARGET void NAME(packing_##rows##_##vectors)(const struct NAME(tile) *tile) { \
    NAME(compute)(tile, rows, vectors, true);                                                                    \
  }
PACKING_KERNELS(KERNEL)
#undef KERNEL

typedef void (*NAME(kernel))(const struct NAME(tile) *);
#define KERNEL(rows, vectors) [vectors][rows] = NAME(kernel_##rows##_##vectors),
static const NAME(kernel) NAME(kernels)[5][16] = {KERNELS(KERNEL)};
#undef KERNEL
#define KERNEL(rows, vectors) [vectors][rows] = NAME(packing_##rows##_##vectors),
static const NAME(kernel) NAME(packing_kernels)[5][16] = {PACKING_KERNELS(KERNEL)}; /* NULL: pack first */
#undef KERNEL

/* Copies b[depth, width], of contiguous columns, into a panel with rows of `full`, filled up with zeros. */
static TARGET void NAME(pack_transposed)(REAL *to, int64_t depth, int64_t width, int64_t full, const REAL *b,
                                         int64_t b_col) {
  typedef REAL four __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
  enum { LINE = 64 / sizeof(REAL) }; /* so much of a column at once: next to it lie other columns, far away */
  const int64_t whole = width / 4 * 4;
  if (width < full)
    for (int64_t p = 1; p <= depth; p++) *(VECTOR *)(to + p * full - NAME(lanes)) = (VECTOR){0};
  for (int64_t p0 = 0; p0 < depth; p0 += LINE) {
    const int64_t p1 = p0 + LINE < depth ? p0 + LINE : depth;
    for (int64_t j = 0; j < whole; j += 4) {
      int64_t p = p0;
      for (; p + 4 <= p1; p += 4) {
        const REAL *from = b + p + j * b_col;
        REAL *at = to + p * full + j;
        four w = *(four *)from, x = *(four *)(from + b_col), y = *(four *)(from + 2 * b_col),
             z = *(four *)(from + 3 * b_col);
        four wx = SHUFFLE(w, x, 0, 4, 1, 5), yz = SHUFFLE(y, z, 0, 4, 1, 5);
        *(four *)at = SHUFFLE(wx, yz, 0, 1, 4, 5);
        *(four *)(at + full) = SHUFFLE(wx, yz, 2, 3, 6, 7);
        wx = SHUFFLE(w, x, 2, 6, 3, 7);
        yz = SHUFFLE(y, z, 2, 6, 3, 7);
        *(four *)(at + 2 * full) = SHUFFLE(wx, yz, 0, 1, 4, 5);
        *(four *)(at + 3 * full) = SHUFFLE(wx, yz, 2, 3, 6, 7);
      }
      for (; p < p1; p++)
        for (int i = 0; i < 4; i++) to[p * full + j + i] = b[p + (j + i) * b_col];
    }
    for (int64_t j = whole; j < width; j++)
      for (int64_t p = p0; p < p1; p++) to[p * full + j] = b[p + j * b_col];
  }
}

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
  if (b_row == 1) {
    NAME(pack_transposed)(to, depth, width, full, b, b_col);
    return;
  }
  for (int64_t p = 0; p < depth; p++, to += full)
    for (int64_t j = 0; j < full; j++) to[j] = j < width ? b[p * b_row + j * b_col] : 0;
}

/* The tiles for m rows and n columns: vectors, and rows, the latter about equal from tile to tile.  crowded: whether
 * rows fall into the same places of the first-level cache. */
static void NAME(choose)(int64_t m, int64_t n, bool crowded, int *rows, int *vectors) {
  enum { WAYS = 8 };
  static const int tallest[5] = {0, ROWS_1, ROWS_2, ROWS_3, ROWS_4};
  const int64_t needed = (n + NAME(lanes) - 1) / NAME(lanes);
  const int wide = m <= ROWS_4 ? 4 : m <= ROWS_3 || (crowded && tallest[WIDE] > WAYS) ? 3 : WIDE;
  *vectors = wide < needed ? wide : (int)needed;
  const int most = crowded && tallest[*vectors] > WAYS ? WAYS : tallest[*vectors];
  const int64_t count = (m + most - 1) / most;
  *rows = (int)((m + count - 1) / count);
}

/* One vector of a row of c, from `depth` rows of b. */
static inline __attribute__((always_inline)) TARGET void NAME(combine)(const int depth, const REAL *left,
                                                                       const REAL *b, int64_t b_row, REAL alpha,
                                                                       REAL beta, REAL *c, int count) {
  VECTOR sum = {0};
  UNROLL for (int p = 0; p < depth; p++) sum += LOAD_SOME(b + p * b_row, count) * left[p];
  sum *= alpha;
  if (beta != 0) sum = FUSED(LOAD_SOME(c, count), beta, sum);
  STORE_SOME(c, count, sum);
}

/* The product for a small depth, a constant where this is used.  All the time goes into c, so its rows are written
 * from end to end, as memory likes it.  Rounds like tiles. */
static inline __attribute__((always_inline)) TARGET void NAME(sweep)(const int depth, int64_t m, int64_t n, REAL alpha,
                                                                     const REAL *a, int64_t a_row, int64_t a_col,
                                                                     const REAL *b, int64_t b_row, REAL beta, REAL *c,
                                                                     int64_t c_row) {
  enum { LANES = NAME(lanes) };
  for (int64_t i = 0; i < m; i++, a += a_row, c += c_row) {
    REAL left[SHALLOW];
    UNROLL for (int p = 0; p < depth; p++) left[p] = a[p * a_col];
    int64_t j = 0;
    for (; j < n - LANES; j += LANES) NAME(combine)(depth, left, b + j, b_row, alpha, beta, c + j, LANES);
    NAME(combine)(depth, left, b + j, b_row, alpha, beta, c + j, (int)(n - j));
  }
}

#define SWEEP(depth)                                                                                                 \
  static __attribute__((noinline)) TARGET void NAME(sweep_##depth)(                                                  \
      int64_t m, int64_t n, REAL alpha, const REAL *a, int64_t a_row, int64_t a_col, const REAL *b, int64_t b_row,   \
      REAL beta, REAL *c, int64_t c_row) {                                                                           \
    NAME(sweep)(depth, m, n, alpha, a, a_row, a_col, b, b_row, beta, c, c_row);                                      \
  }
SWEEP(1)
SWEEP(2)
SWEEP(3)
SWEEP(4)
#undef SWEEP

/* c = alpha * a b + beta * c for m, n, k > 0. */
static TARGET void NAME(multiply)(int64_t m, int64_t n, int64_t k, REAL alpha, const REAL *a, int64_t a_row,
                                  int64_t a_col, const REAL *b, int64_t b_row, int64_t b_col, REAL beta, REAL *c,
                                  int64_t c_row) {
  enum { LANES = NAME(lanes), SPARE_BYTES = 16 << 10, PAGE = 4096 };
  static void (*const sweeps[SHALLOW])(int64_t, int64_t, REAL, const REAL *, int64_t, int64_t, const REAL *, int64_t,
                                       REAL, REAL *, int64_t) = {NAME(sweep_1), NAME(sweep_2), NAME(sweep_3),
                                                                 NAME(sweep_4)};
  if (k <= SHALLOW && b_col == 1) {
    sweeps[k - 1](m, n, alpha, a, a_row, a_col, b, b_row, beta, c, c_row);
    return;
  }
  int rows, vectors;
  NAME(choose)(m, n, a_row * (int64_t)sizeof(REAL) % PAGE == 0, &rows, &vectors);
  const int64_t wide = (int64_t)vectors * LANES;
  const bool packed = b_col != 1 || m > REUSED * rows || (!MASKED && n % LANES != 0);
  REAL spare[SPARE_BYTES / sizeof(REAL)], *panels = packed ? ag_panels() : NULL;
  int64_t room = PANEL_BYTES / sizeof(REAL), deepest = DEPTH;
  if (packed && panels == NULL) { /* no memory: slower, and rounded differently */
    panels = spare;
    room = SPARE_BYTES / sizeof(REAL);
    deepest = room / wide;
  }
  const int64_t parts = (k + deepest - 1) / deepest, deep = (k + parts - 1) / parts;
  const int64_t columns = room / deep / wide * wide; /* of b and c at a time */
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
          NAME(kernel) kernel = NAME(kernels)[used][height];
          tile.b = from;
          tile.b_row = b_row;
          tile.c = c + i * c_row + j;
          tile.last = (int)(width - (used - 1) * LANES);
          if (packed) {
            const NAME(kernel) packing = b_col == 1 && i == 0 ? NAME(packing_kernels)[used][height] : NULL;
            tile.panel = panels + (j - j0) * tile.depth;
            if (packing != NULL) {
              kernel = packing;
            } else {
              if (i == 0) NAME(pack_panel)(tile.panel, tile.depth, width, used, from, b_row, b_col);
              tile.b = tile.panel;
              tile.b_row = used * LANES;
            }
          }
          kernel(&tile);
        }
      }
    }
}
