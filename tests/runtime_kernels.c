/* Kernels written by hand against ag_call.h, for the tests of the runtime. */
#include "ag_call.h"
#define TRY(what) do { int status_ = (what); if (status_ != AG_OK) return status_; } while (0)

/* z = x + y for vectors of one length; other lengths are the general variant's business. */
int add_common(struct ag_call *c) {
  if (c->dims[0] != c->dims[1]) return AG_GENERAL;
  c->dims[2] = c->dims[0];
  TRY(c->alloc(c, 2));
  TRY(c->enter(c, 0));
  const double *x = c->data[0], *y = c->data[1];
  double *z = c->data[2];
  for (int64_t i = 0; i < c->dims[0]; i++) z[i] = x[i] + y[i];
  return AG_OK;
}
int add_general(struct ag_call *c) {
  int64_t n = c->dims[0], m = c->dims[1], most = n == 1 ? m : n;
  if (n != m && n != 1 && m != 1) { c->check = 7; c->values[0] = n; c->values[1] = m; return AG_CHECK; }
  c->dims[2] = most;
  TRY(c->alloc(c, 2));
  TRY(c->enter(c, 0));
  const double *x = c->data[0], *y = c->data[1];
  double *z = c->data[2];
  for (int64_t i = 0; i < most; i++)
    z[i] = x[(n == 1 ? 0 : i) * c->strides[0]] + y[(m == 1 ? 0 : i) * c->strides[1]];
  return AG_OK;
}

/* Gives back the length of a vector, but for short ones, for which it asks for other code: 0 if it is that. */
int sized(struct ag_call *c) {
  int64_t n = c->dims[0];
  if (n < 10 && c->by_size) {
    c->values[0] = n; c->values[1] = c->values[2] = 0; c->values[3] = n * n;
    return AG_SIZE;
  }
  TRY(c->alloc(c, 1));
  TRY(c->enter(c, 0));
  *(int64_t *)c->data[1] = n < 10 ? 0 : n;
  return AG_OK;
}

/* Gives back the strides it was handed for a matrix. */
int strides(struct ag_call *c) {
  c->dims[2] = 2;
  TRY(c->alloc(c, 1));
  TRY(c->enter(c, 0));
  ((int64_t *)c->data[1])[0] = c->strides[0];
  ((int64_t *)c->data[1])[1] = c->strides[1];
  return AG_OK;
}

/* s += x, s in place or in a new buffer; then, if x[0] is negative, fails. */
int step(struct ag_call *c) {
  int64_t n = c->dims[1];
  const double *x = c->data[0], *old = c->data[1];
  if (c->dims[0] != n) { c->check = 3; c->values[0] = c->dims[0]; c->values[1] = n; return AG_CHECK; }
  int in_place = c->data[2] == c->data[1];
  c->dims[2] = n;
  TRY(c->alloc(c, 2));
  TRY(c->enter(c, 0));
  if (in_place && n > 0 && x[0] < 0) { c->check = 4; return AG_CHECK; }
  double *new = c->data[2];
  for (int64_t i = 0; i < n; i++) new[i] = old[i] + x[n - 1 - i];
  if (n > 0 && x[0] < 0) { c->check = 4; return AG_CHECK; }
  return AG_OK;
}
int in_place(struct ag_call *c) {
  if (c->data[2] != c->data[1]) return AG_PYTHON;
  return step(c);
}
int fresh(struct ag_call *c) {
  c->data[2] = 0;
  return step(c);
}

/* Two storages: a += b, b += 1, both in place. */
int both(struct ag_call *c) {
  TRY(c->enter(c, 0));
  double *a = c->data[2], *b = c->data[3];
  for (int64_t i = 0; i < c->dims[0]; i++) { a[i] += b[i]; b[i] += 1; }
  return AG_OK;
}

/* Buffers: x, s, a part of s, all of s as a constant; s += x, although the others must keep s as it was. */
int three_views(struct ag_call *c) {
  if (c->data[2] == (char *)c->data[1] + 8 || c->data[3] == c->data[1]) return AG_PYTHON;
  TRY(c->enter(c, 0));
  const double *x = c->data[0];
  double *s = c->data[4];
  for (int64_t i = 0; i < c->dims[0]; i++) s[i] += x[i];
  return AG_OK;
}

/* One shared vector: its sum; x times over, to take a while. */
int total(struct ag_call *c) {
  TRY(c->alloc(c, 2));
  TRY(c->enter(c, 1 << 20));
  volatile double sum = 0;
  const double *s = c->data[1];
  for (int64_t k = 0; k < *(int64_t *)c->data[0]; k++) {
    sum = 0;
    for (int64_t i = 0; i < c->dims[0]; i++) sum += s[i];
  }
  *(double *)c->data[2] = sum;
  return AG_OK;
}
/* Adds 1 to the first element n times; in between the vector is torn. */
int grow(struct ag_call *c) {
  TRY(c->enter(c, 1 << 20));
  volatile double *s = c->data[2];
  for (int64_t k = 0; k < *(int64_t *)c->data[0]; k++)
    for (int64_t i = 0; i < c->dims[0]; i++) s[i] += 1;
  return AG_OK;
}

/* The squares below n, whose buffer is made after the work has begun; scratch is filled on the way. */
int squares(struct ag_call *c) {
  int64_t n = *(int64_t *)c->data[0];
  TRY(c->enter(c, n * 8));
  int64_t *scratch = (int64_t *)c->arena;
  if ((uintptr_t)scratch % 64 != 0) { c->check = 1; return AG_CHECK; }
  for (int64_t i = 0; i < n; i++) scratch[i] = i * i;
  c->dims[0] = n;
  TRY(c->alloc(c, 1));
  for (int64_t i = 0; i < n; i++) ((int64_t *)c->data[1])[i] = scratch[i];
  return AG_OK;
}
int scalar(struct ag_call *c) {
  TRY(c->alloc(c, 1));
  TRY(c->enter(c, 0));
  *(double *)c->data[1] = *(double *)c->data[0] + 0.5;
  return AG_OK;
}
int scalar32(struct ag_call *c) {
  TRY(c->alloc(c, 1));
  TRY(c->enter(c, 0));
  *(float *)c->data[1] = *(float *)c->data[0];
  return AG_OK;
}
int integer(struct ag_call *c) {
  TRY(c->alloc(c, 1));
  TRY(c->enter(c, 0));
  *(int64_t *)c->data[1] = *(int64_t *)c->data[0];
  return AG_OK;
}
int boolean(struct ag_call *c) {
  TRY(c->alloc(c, 1));
  TRY(c->enter(c, 0));
  *(unsigned char *)c->data[1] = *(unsigned char *)c->data[0];
  return AG_OK;
}
int hungry(struct ag_call *c) { return c->enter(c, INT64_MAX / 2); }
int forgetful(struct ag_call *c) { return AG_OK; }
int strange(struct ag_call *c) { return 99; }
/* In truth a quarter of a minute, then an error, so that a test fails rather than hangs. */
int endless(struct ag_call *c) {
  TRY(c->enter(c, 0));
  for (int64_t i = 0; i < 20000000000; i++)
    if (*c->cancel) return AG_CANCEL;
  return 99;
}

int until_cancelled(struct ag_call *c) {
  TRY(c->alloc(c, 1));
  TRY(c->enter(c, 0));
  int64_t i = 0;
  for (; i < *(int64_t *)c->data[0]; i++)
    if (*c->cancel) return AG_CANCEL;
  *(int64_t *)c->data[1] = i;
  return AG_OK;
}

/* alpha a b + beta c, c given */
#define GEMM(type, suffix) \
  int gemm_##suffix(struct ag_call *c) { \
    int64_t m = c->dims[0], k = c->dims[1], n = c->dims[3], pad = 3; \
    c->dims[6] = m; c->dims[7] = n + pad; \
    TRY(c->alloc(c, 5)); \
    TRY(c->enter(c, 0)); \
    type *out = c->data[5]; \
    const type *start = c->data[2]; \
    for (int64_t i = 0; i < m; i++) \
      for (int64_t j = 0; j < n + pad; j++) \
        out[i * (n + pad) + j] = j < n ? start[i * c->strides[4] + j * c->strides[5]] : -7; \
    c->library->gemm_##suffix(c, m, n, k, *(type *)c->data[3], c->data[0], c->strides[0], c->strides[1], c->data[1], \
                              c->strides[2], c->strides[3], *(type *)c->data[4], out, n + pad); \
    return AG_OK; \
  } \
  int solve_##suffix(struct ag_call *c) { \
    int64_t n = c->dims[0], m = c->dims[3]; \
    c->dims[4] = n; c->dims[5] = m; \
    TRY(c->alloc(c, 2)); \
    TRY(c->enter(c, ag_solve_bytes(n, m, sizeof(type)))); \
    int column = c->library->solve_##suffix(n, m, c->data[0], c->data[1], c->data[2], c->arena); \
    if (column != 0) { c->check = 2; c->values[0] = column; return AG_CHECK; } \
    return AG_OK; \
  }
GEMM(float, f32)
GEMM(double, f64)
GEMM(float _Complex, c64)
GEMM(double _Complex, c128)

static int mark(struct ag_call *c, const void *args, int64_t lo, int64_t hi, int32_t thread) {
  int64_t *out = (int64_t *)args;
  if (thread < 0 || thread >= 4 || lo % 8) { c->check = 3; return AG_CHECK; }
  for (int64_t i = lo; i < hi; i++) out[i] += i;
  return AG_OK;
}
int pooled(struct ag_call *c) {
  c->dims[0] = 100;
  TRY(c->alloc(c, 0));
  TRY(c->enter(c, 0));
  for (int i = 0; i < 100; i++) ((int64_t *)c->data[0])[i] = 0;
  return c->pool->run(c, mark, c->data[0], 100, 8, 1);
}
