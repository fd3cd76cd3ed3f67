/* Products and solvers for one element type; included by blas.c once per type.
 *
 * ELEMENT: the type.  NAME(word): the word with the type's suffix.  TIMES(x, y), OVER(x, y), SIZE(x): arithmetic, and
 * what pivots are chosen by.  COMPLEX: defined for complex numbers, which have no tiles.
 */

/* Routines with the Fortran calling convention, as SciPy exports them, or NULL. */
static struct {
  void (*gemm)(char *, char *, int *, int *, int *, ELEMENT *, ELEMENT *, int *, ELEMENT *, int *, ELEMENT *, ELEMENT *,
               int *);
  void (*gemv)(char *, int *, int *, ELEMENT *, ELEMENT *, int *, ELEMENT *, int *, ELEMENT *, ELEMENT *, int *);
  void (*gesv)(int *, int *, ELEMENT *, int *, int *, ELEMENT *, int *, int *);
} NAME(fortran);

static void NAME(set_fortran)(void *const *addresses) { memcpy(&NAME(fortran), addresses, sizeof NAME(fortran)); }

/* One factor of a product as BLAS takes it. */
struct NAME(factor) {
  ELEMENT *data;
  char transposed; /* 'N': rows lie contiguously, 'T': columns do */
  int leading;
  ELEMENT *packed; /* to be freed */
};

/* Writes a[rows, columns] into `to`, contiguously. */
static void NAME(pack)(ELEMENT *to, int64_t rows, int64_t columns, const ELEMENT *a, int64_t row, int64_t column) {
  enum { TILE = 16 };
  for (int64_t i0 = 0; i0 < rows; i0 += TILE)
    for (int64_t j0 = 0; j0 < columns; j0 += TILE)
      for (int64_t i = i0; i < rows && i < i0 + TILE; i++)
        for (int64_t j = j0; j < columns && j < j0 + TILE; j++) to[i * columns + j] = a[i * row + j * column];
}

/* Presents a[rows, columns] with any strides; packs it where BLAS cannot take it.  False: no memory. */
static bool NAME(present)(struct NAME(factor) *to, int64_t rows, int64_t columns, const ELEMENT *a, int64_t row,
                          int64_t column) {
  *to = (struct NAME(factor)){.data = (ELEMENT *)a, .transposed = 'N'};
  /* The stride of an axis of length 1 is never used, but BLAS still wants a leading dimension of some size. */
  int64_t by_row = rows <= 1 ? at_least_1(columns) : row, by_column = columns <= 1 ? at_least_1(rows) : column;
  if ((column == 1 || columns <= 1) && by_row >= at_least_1(columns) && by_row <= MOST) {
    to->leading = (int)by_row;
    return true;
  }
  if ((row == 1 || rows <= 1) && by_column >= at_least_1(rows) && by_column <= MOST) {
    to->transposed = 'T';
    to->leading = (int)by_column;
    return true;
  }
  to->packed = to->data = malloc((size_t)rows * (size_t)columns * sizeof(ELEMENT));
  if (to->packed == NULL) return false;
  NAME(pack)(to->packed, rows, columns, a, row, column);
  to->leading = (int)at_least_1(columns);
  return true;
}

/* c = beta * c; beta = 0 does not read c. */
static void NAME(scale)(int64_t m, int64_t n, ELEMENT beta, ELEMENT *c, int64_t c_row) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) c[i * c_row + j] = beta == 0 ? 0 : TIMES(beta, c[i * c_row + j]);
}

/* Whether BLAS takes these vectors of a product. */
static bool NAME(takes_vector)(int64_t rows, int64_t columns, int64_t x_step, int64_t y_step) {
  if (columns <= 1) x_step = 1;
  if (rows <= 1) y_step = 1;
  return NAME(fortran).gemv != NULL && x_step >= 1 && x_step <= MOST && y_step >= 1 && y_step <= MOST;
}

/* y = alpha * a[rows, columns] x + beta * y for vectors that BLAS takes: several times faster than the product of
 * matrices.  False: no memory. */
static bool NAME(multiply_vector)(int64_t rows, int64_t columns, ELEMENT alpha, const ELEMENT *a, int64_t row, int64_t column,
                                  const ELEMENT *x, int64_t x_step, ELEMENT beta, ELEMENT *y, int64_t y_step) {
  if (columns <= 1) x_step = 1;
  if (rows <= 1) y_step = 1;
  struct NAME(factor) matrix;
  if (!NAME(present)(&matrix, rows, columns, a, row, column)) return false;
  if (beta == 0) NAME(scale)(rows, 1, 0, y, y_step); /* some BLAS multiply y by 0, which keeps a NaN */
  bool by_rows = matrix.transposed == 'N'; /* to BLAS, which counts columns first, that is a transpose */
  char transposed = by_rows ? 'T' : 'N';
  int m = (int)(by_rows ? columns : rows), n = (int)(by_rows ? rows : columns), x_inc = (int)x_step, y_inc = (int)y_step;
  NAME(fortran).gemv(&transposed, &m, &n, &alpha, matrix.data, &matrix.leading, (ELEMENT *)x, &x_inc, &beta, y, &y_inc);
  free(matrix.packed);
  return true;
}

#ifdef COMPLEX
enum { NAME(small) = 256 }; /* multiplications: up to so many, BLAS takes longer */
#define IS_LARGE(m, n, k) ((double)(m) * (n) * (k) > NAME(small))
#define MULTIPLY NAME(multiply)

/* c = alpha * a b + beta * c by plain loops. */
static void NAME(multiply)(int64_t m, int64_t n, int64_t k, ELEMENT alpha, const ELEMENT *a, int64_t a_row,
                           int64_t a_col, const ELEMENT *b, int64_t b_row, int64_t b_col, ELEMENT beta, ELEMENT *c,
                           int64_t c_row) {
  if (beta != 1) NAME(scale)(m, n, beta, c, c_row);
  for (int64_t i = 0; i < m; i++)
    for (int64_t p = 0; p < k; p++) {
      ELEMENT factor = a[i * a_row + p * a_col];
      if (alpha != 1) factor = TIMES(alpha, factor);
      for (int64_t j = 0; j < n; j++) c[i * c_row + j] += TIMES(factor, b[p * b_row + j * b_col]);
    }
}
#else
#define IS_LARGE(m, n, k) ((m) > ag_product->tall && (double)(m) * (n) * (k) > ag_product->large)
#define MULTIPLY ag_product->NAME(multiply)
#endif

/* A product: c[m,n] = alpha * a[m,k] b[k,n] + beta * c, and how it is computed. */
struct NAME(product) {
  int64_t m, n, k;
  ELEMENT alpha;
  const ELEMENT *a;
  int64_t a_row, a_col;
  const ELEMENT *b;
  int64_t b_row, b_col;
  ELEMENT beta;
  ELEMENT *c;
  int64_t c_row;
  enum way way;
  bool by_rows; /* parts of it are rows of c, not columns */
};

static void NAME(gemm)(struct ag_call *call, int64_t m, int64_t n, int64_t k, ELEMENT alpha, const ELEMENT *a, int64_t a_row,
                       int64_t a_col, const ELEMENT *b, int64_t b_row, int64_t b_col, ELEMENT beta, ELEMENT *c, int64_t c_row);

/* Cuts a product whose sizes do not fit an int, along the axis that is too long. */
static void NAME(halve)(struct ag_call *call, const struct NAME(product) *p) {
  struct NAME(product) x = *p, y = *p;
  if (p->k > LONGEST) {
    x.k = p->k / 2;
    y.k = p->k - x.k;
    y.a += x.k * p->a_col;
    y.b += x.k * p->b_row;
    y.beta = 1;
  } else if (p->n > LONGEST) {
    x.n = p->n / 2;
    y.n = p->n - x.n;
    y.b += x.n * p->b_col;
    y.c += x.n;
  } else {
    x.m = p->m / 2;
    y.m = p->m - x.m;
    y.a += x.m * p->a_row;
    y.c += x.m * p->c_row;
  }
  for (const struct NAME(product) *q = &x; q != NULL; q = q == &x ? &y : NULL)
    NAME(gemm)(call, q->m, q->n, q->k, q->alpha, q->a, q->a_row, q->a_col, q->b, q->b_row, q->b_col, q->beta, q->c,
               q->c_row);
}

/* False: no memory. */
static bool NAME(multiply_by_blas)(const struct NAME(product) *p) {
  struct NAME(factor) left = {0}, right = {0};
  bool presented = NAME(present)(&left, p->m, p->k, p->a, p->a_row, p->a_col) &&
                   NAME(present)(&right, p->k, p->n, p->b, p->b_row, p->b_col);
  if (presented) {
    /* BLAS counts columns first: it computes the transpose of c from the transposes of b and a. */
    int rows = (int)p->n, columns = (int)p->m, depth = (int)p->k, leading = (int)(p->m == 1 ? p->n : p->c_row);
    ELEMENT alpha = p->alpha, beta = p->beta;
    NAME(fortran).gemm(&right.transposed, &left.transposed, &rows, &columns, &depth, &alpha, right.data, &right.leading, left.data,
         &left.leading, &beta, p->c, &leading);
  }
  free(left.packed);
  free(right.packed);
  return presented;
}

static void NAME(compute_product)(const struct NAME(product) *p) {
  switch (p->way) {
  case COLUMN_BY_BLAS:
    if (NAME(multiply_vector)(p->m, p->k, p->alpha, p->a, p->a_row, p->a_col, p->b, p->b_row, p->beta, p->c, p->c_row))
      return;
    break;
  case ROW_BY_BLAS:
    if (NAME(multiply_vector)(p->n, p->k, p->alpha, p->b, p->b_col, p->b_row, p->a, p->a_col, p->beta, p->c, 1)) return;
    break;
  case BY_BLAS:
    if (NAME(multiply_by_blas)(p)) return;
    break;
  case BY_OWN_CODE: break;
  }
  MULTIPLY(p->m, p->n, p->k, p->alpha, p->a, p->a_row, p->a_col, p->b, p->b_row, p->b_col, p->beta,
                             p->c, p->c_row);
}

/* Some rows or columns of a product. */
static int NAME(compute_part)(struct ag_call *call, const void *args, int64_t lo, int64_t hi, int32_t thread) {
  struct NAME(product) part = *(const struct NAME(product) *)args;
  (void)call;
  (void)thread;
  if (part.by_rows) {
    part.m = hi - lo;
    part.a += lo * part.a_row;
    part.c += lo * part.c_row;
  } else {
    part.n = hi - lo;
    part.b += lo * part.b_col;
    part.c += lo;
  }
  NAME(compute_product)(&part);
  return AG_OK;
}

/* How many rows or columns are computed at a time, and which of them.
 *
 * An element by own code is the same in whatever part it is, so there are as many parts as suit the threads.  What BLAS
 * computes may depend on the part: their sizes depend on those of the product only. */
static int64_t NAME(grain)(struct NAME(product) *p, int threads) {
  enum { STRIP = 128 / sizeof(ELEMENT), TALL = 14, FEWEST = 256, MOST_PARTS = 16, ALIGNED = 64 };
  const int64_t wanted = 2 * threads;
  int64_t grain;
  switch (p->way) {
  case BY_OWN_CODE: /* by columns, if there are enough: then no column of b is packed twice */
    p->by_rows = p->n / STRIP < wanted && p->m / TALL > p->n / STRIP;
    grain = p->by_rows ? (p->m + wanted - 1) / wanted : (p->n + wanted - 1) / wanted;
    return p->by_rows ? (grain > TALL ? grain : TALL) : (grain + STRIP - 1) / STRIP * STRIP;
  case BY_BLAS:
    p->by_rows = p->m > p->n;
    grain = ((p->by_rows ? p->m : p->n) + MOST_PARTS - 1) / MOST_PARTS;
    return grain > FEWEST ? grain : FEWEST;
  default:
    p->by_rows = p->way == COLUMN_BY_BLAS;
    grain = ((p->by_rows ? p->m : p->n) + MOST_PARTS - 1) / MOST_PARTS;
    return (grain + ALIGNED - 1) / ALIGNED * ALIGNED;
  }
}

/* c = alpha * a b + beta * c; see ag_call.h. */
static void NAME(gemm)(struct ag_call *call, int64_t m, int64_t n, int64_t k, ELEMENT alpha, const ELEMENT *a, int64_t a_row,
                       int64_t a_col, const ELEMENT *b, int64_t b_row, int64_t b_col, ELEMENT beta, ELEMENT *c, int64_t c_row) {
  enum { PER_ADDITION = 4 }; /* multiplications in the time that a loop takes for an addition, at least */
  if (m <= 0 || n <= 0) return;
  if (k <= 0) {
    NAME(scale)(m, n, beta, c, c_row);
    return;
  }
  struct NAME(product) p = {m, n, k, alpha, a, a_row, a_col, b, b_row, b_col, beta, c, c_row, BY_OWN_CODE, false};
  const bool fits = m <= LONGEST && n <= LONGEST && k <= LONGEST && (m == 1 || c_row <= MOST);
  if (fits && n == 1 && NAME(takes_vector)(m, k, b_row, c_row)) p.way = COLUMN_BY_BLAS;
  else if (fits && m == 1 && NAME(takes_vector)(n, k, a_col, 1)) p.way = ROW_BY_BLAS;
  else if (NAME(fortran).gemm != NULL && IS_LARGE(m, n, k)) p.way = BY_BLAS;
  if (p.way == BY_BLAS && !fits) {
    NAME(halve)(call, &p);
    return;
  }
  const bool vector = p.way == COLUMN_BY_BLAS || p.way == ROW_BY_BLAS; /* then memory decides */
  const double work = (double)m * n * k / (vector ? 1 : PER_ADDITION);
  if (call == NULL || work < (double)call->pool->worth) {
    NAME(compute_product)(&p);
    return;
  }
  const int64_t grain = NAME(grain)(&p, call->pool->threads);
  const int64_t count = p.by_rows ? m : n;
  call->pool->run(call, NAME(compute_part), &p, count, grain, (int64_t)(work / (double)count));
}

/* Solves a x = b for column-major a[n,n] and b[n,m], both overwritten, like LAPACK's gesv. */
static int NAME(eliminate)(int64_t n, int64_t m, ELEMENT *a, ELEMENT *b) {
  for (int64_t p = 0; p < n; p++) {
    int64_t best = p;
    for (int64_t i = p + 1; i < n; i++)
      if (SIZE(a[p * n + i]) > SIZE(a[p * n + best])) best = i;
    if (a[p * n + best] == 0) return (int)(p + 1);
    for (int64_t j = 0; j < n + m && best != p; j++) {
      ELEMENT *column = j < n ? a + j * n : b + (j - n) * n, value = column[p];
      column[p] = column[best];
      column[best] = value;
    }
    for (int64_t i = p + 1; i < n; i++) a[p * n + i] = OVER(a[p * n + i], a[p * n + p]);
    for (int64_t j = p + 1; j < n + m; j++) {
      ELEMENT *column = j < n ? a + j * n : b + (j - n) * n;
      for (int64_t i = p + 1; i < n; i++) column[i] -= TIMES(a[p * n + i], column[p]);
    }
  }
  for (int64_t j = 0; j < m; j++)
    for (int64_t p = n - 1; p >= 0; p--) {
      b[j * n + p] = OVER(b[j * n + p], a[p * n + p]);
      for (int64_t i = 0; i < p; i++) b[j * n + i] -= TIMES(a[p * n + i], b[j * n + p]);
    }
  return 0;
}

static int NAME(solve)(int64_t n, int64_t m, const ELEMENT *a, const ELEMENT *b, ELEMENT *x, void *work) {
  if (n <= 0 || m <= 0) return 0;
  ELEMENT *matrix = work, *right = matrix + n * n;
  NAME(pack)(matrix, n, n, a, 1, n); /* column-major copies: LAPACK overwrites them */
  NAME(pack)(right, m, n, b, 1, m);
  int info = 0;
  if (NAME(fortran).gesv != NULL && n > FEW && n <= MOST && m <= MOST) {
    int rows = (int)n, columns = (int)m, *pivots = (int *)(right + n * m);
    NAME(fortran).gesv(&rows, &columns, matrix, &rows, pivots, right, &rows, &info);
  } else {
    info = NAME(eliminate)(n, m, matrix, right);
  }
  NAME(pack)(x, n, m, right, 1, n);
  return info;
}

#undef ELEMENT
#undef NAME
#undef TIMES
#undef OVER
#undef SIZE
#undef COMPLEX
#undef IS_LARGE
#undef MULTIPLY
