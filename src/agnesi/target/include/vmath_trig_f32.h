/* Trigonometric functions in single precision; part of vmath.h. */
#ifndef AG_VMATH_TRIG_F32_H
#define AG_VMATH_TRIG_F32_H

/* Reduction for sin and cos in double precision: x = n pi/2 + result for every finite x.  For x >= 2^50 the factor is
 * 2^26 / (pi/2) mod 4 (times 2^-26, so that it takes x itself) or the same with 2^52, 2^78: x is a multiple of that
 * power, and quarters drop out in fours.  A factor has three parts, the first two of 29 bits, whose products with x are
 * exact. */
AG_FN double ag_trig_reduce_f(float x, uint32_t *n) {
  float a = AG_ABSF(x);
  int some = a >= 0x1p50f;
  int more = a >= 0x1p76f;
  int most = a >= 0x1p102f;
  double high = some ? 0x1.b939106p-26 : 0x1.45f306ep-1;
  high = more ? 0x1.529fc28p-52 : high;
  high = most ? 0x1.d5f47d4p-78 : high;
  double low = some ? -0x1.6b01ec6p-55 : -0x1.b1bbeacp-32;
  low = more ? -0x1.505c15ap-81 : low;
  low = most ? 0x1.a6ee06ep-107 : low;
  double rest = some ? 0x1.7d1f534ddc0dbp-84 : -0x1.603d8a82e0acbp-60;
  rest = more ? 0x1.377036d8a5665p-110 : rest;
  rest = most ? -0x1.3ad4cd8778df8p-137 : rest;
  double wide = x;
  double product = wide * high;
  double first = product + 0x1.8p52;
  double f = product - (first - 0x1.8p52);
  double second = AG_FMA(wide, low, f) + 0x1.8p52;
  f = AG_FMA(wide, low, f - (second - 0x1.8p52));
  uint64_t bits[2];
  AG_COPY(&bits[0], &first, 8);
  AG_COPY(&bits[1], &second, 8);
  *n = (uint32_t)(bits[0] + bits[1]);
  return AG_FMA(wide, rest, f) * 0x1.921fb54442d18p0;
}

AG_FN float ag_sin_poly_f(float r) {
  float z = r * r;
  float q = -0x1.9aa9c4p-13f;
  q = AG_FMAF(q, z, 0x1.110bd6p-7f);
  q = AG_FMAF(q, z, -0x1.555552p-3f);
  return AG_FMAF(q * z, r, r);
}

AG_FN float ag_cos_poly_f(float r) {
  float z = r * r;
  float q = 0x1.99e42cp-16f;
  q = AG_FMAF(q, z, -0x1.6c0c2p-10f);
  q = AG_FMAF(q, z, 0x1.55554ap-5f);
  q = AG_FMAF(q, z, -0x1p-1f);
  q = AG_FMAF(q, z, 0x1p0f);
  return q;
}

/* sin: max ULP 1.6 for every finite x. */
AG_FN float v_sinf(float x) {
  uint32_t n;
  float r = (float)ag_trig_reduce_f(x, &n);
  float value = (n & 1) ? ag_cos_poly_f(r) : ag_sin_poly_f(r);
  value = ag_float_f(ag_bits_f(value) ^ (n & 2) << 30);
  return x == 0.0f ? x : value;
}

/* cos: as v_sinf. */
AG_FN float v_cosf(float x) {
  uint32_t n;
  float r = (float)ag_trig_reduce_f(x, &n);
  float value = (n & 1) ? ag_sin_poly_f(r) : ag_cos_poly_f(r);
  return ag_float_f(ag_bits_f(value) ^ ((n + 1) & 2) << 30);
}

/* tan = sin / cos of the rest r, the parts of both that their sums lose carried to a correction of the quotient;
 * -cos / sin in odd quadrants.  Max ULP 1.4, for every finite x. */
AG_FN float v_tanf(float x) {
  uint32_t n;
  double wide = ag_trig_reduce_f(x, &n);
  float r = (float)wide;
  float tail = (float)(wide - r);
  float z = r * r;
  float q = -0x1.9aa9c4p-13f;
  q = AG_FMAF(q, z, 0x1.110bd6p-7f);
  q = AG_FMAF(q, z, -0x1.555552p-3f);
  float s_tail = AG_FMAF(q * z, r, tail);
  q = 0x1.99e42cp-16f;
  q = AG_FMAF(q, z, -0x1.6c0c2p-10f);
  q = AG_FMAF(q, z, 0x1.55554ap-5f);
  float half = 0.5f * z;
  float c = 1.0f - half;
  float c_tail = ((1.0f - c) - half) + AG_FMAF(z * z, q, -r * tail);
  float s = r + s_tail;
  s_tail = (r - s) + s_tail;
  float cosine = c + c_tail;
  c_tail = (c - cosine) + c_tail;
  int odd = (int)(n & 1);
  float above = odd ? -cosine : s;
  float above_tail = odd ? -c_tail : s_tail;
  float below = odd ? s : cosine;
  float below_tail = odd ? s_tail : c_tail;
  float inverse = 1.0f / below;
  float t = above * inverse;
  float rest = AG_FMAF(-t, below, above) + AG_FMAF(-t, below_tail, above_tail);
  t = AG_FMAF(rest, inverse, t);
  return x == 0.0f ? x : t;
}

/* arctan(y / x) = octants pi/4 + arctan(t + tail) for x, y >= 0, not both 0: t = y / x, (y - x) / (y + x) or -x / y,
 * |t| <= sqrt(2) - 1, with its rounding error. */
AG_FN float ag_atan_reduce_f(float y, float x, float *octants, float *tail) {
  int some = y > 0x1.a8p-2f * x;
  int most = y > 0x1.35p1f * x;
  float sum = y + x;
  float sum_tail = (y > x ? y - sum : x - sum) + (y > x ? x : y);
  float difference = y - x;
  float difference_tail = y > x ? (y - difference) - x : y - (difference + x);
  float above = some ? difference : y;
  float above_tail = some ? difference_tail : 0.0f;
  float below = some ? sum : x;
  float below_tail = some ? sum_tail : 0.0f;
  above = most ? -x : above;
  above_tail = most ? 0.0f : above_tail;
  below = most ? y : below;
  below_tail = most ? 0.0f : below_tail;
  *octants = some ? 1.0f : 0.0f;
  *octants = most ? 2.0f : *octants;
  float inverse = 1.0f / below;
  float t = above * inverse;
  float rest = AG_FMAF(-t, below, above) + AG_FMAF(-t, below_tail, above_tail);
  *tail = rest * inverse;
  return t;
}

/* octants pi/4 + arctan(t + tail). */
AG_FN float ag_atan_poly_f(float t, float tail, float octants) {
  float z = t * t;
  float q = -0x1.08455ep-4f;
  q = AG_FMAF(q, z, 0x1.b8103p-4f);
  q = AG_FMAF(q, z, -0x1.242036p-3f);
  q = AG_FMAF(q, z, 0x1.99973p-3f);
  q = AG_FMAF(q, z, -0x1.555554p-2f);
  tail = AG_FMAF(q * z, t, AG_FMAF(octants, -0x1.5dde98p-24f, tail));
  float base = octants * 0x1.921fb8p-1f;
  float value = base + t;
  return value + ((t - (value - base)) + tail);
}

/* atan: max ULP 0.9. */
AG_FN float v_atanf(float x) {
  float a = AG_ABSF(x);
  float b = a > 0x1p30f ? 0x1p30f : a;
  float octants;
  float tail;
  float t = ag_atan_reduce_f(b, 1.0f, &octants, &tail);
  float value = ag_atan_poly_f(t, tail, octants);
  value = a < 0x1p-14f ? a : value;
  value = x != x ? x : value;
  return AG_COPYSIGNF(value, x);
}

/* The angle of the point (x, y), both scaled where y + x or 1 / x would leave the normal range.  Max ULP 1.2. */
AG_FN float v_atan2f(float y, float x) {
  float a = AG_ABSF(y);
  float b = AG_ABSF(x);
  int equal = a == b; /* 0 / 0 and inf / inf are the angles of (1, 0) and (1, 1) */
  int unbounded = (a == AG_INFF) | (b == AG_INFF);
  float larger = a > b ? a : b;
  float scale = larger > 0x1p100f ? 0x1p-60f : 1.0f;
  scale = larger < 0x1p-60f ? 0x1p80f : scale;
  float v = unbounded ? (a == AG_INFF ? 1.0f : 0.0f) : a * scale;
  float u = unbounded ? (b == AG_INFF ? 1.0f : 0.0f) : b * scale;
  u = (equal & (a == 0.0f)) ? 1.0f : u;
  float octants;
  float tail;
  float t = ag_atan_reduce_f(v, u, &octants, &tail);
  int left = (int)(ag_bits_f(x) >> 31);
  octants = left ? 4.0f - octants : octants;
  t = left ? -t : t;
  tail = left ? -tail : tail;
  float value = ag_atan_poly_f(t, tail, octants);
  value = ((x != x) | (y != y)) ? AG_NANF : value;
  return AG_COPYSIGNF(value, y);
}

/* arcsin(s + s_tail) = s + result for |s| <= 1/2. */
AG_FN float ag_asin_rest_f(float s, float z, float tail) {
  float q = 0x1.13fed4p-5f;
  q = AG_FMAF(q, z, 0x1.18f91ep-6f);
  q = AG_FMAF(q, z, 0x1.fd8da2p-6f);
  q = AG_FMAF(q, z, 0x1.6d5bbap-5f);
  q = AG_FMAF(q, z, 0x1.33343p-4f);
  q = AG_FMAF(q, z, 0x1.555554p-3f);
  return AG_FMAF(q * z, s, tail);
}

/* s + tail = sqrt((1 - a) / 2) and its square z for a > 1/2; |x| itself below. */
AG_FN float ag_asin_reduce_f(float a, float *z, float *tail) {
  float half = AG_FMAF(a, -0.5f, 0.5f);
  float root = AG_SQRTF(half);
  float root_tail = AG_FMAF(-root, root, half) * 0.5f / (root + 0x1p-100f);
  *z = a > 0.5f ? half : a * a;
  *tail = a > 0.5f ? root_tail : 0.0f;
  return a > 0.5f ? root : a;
}

/* asin = pi/2 - 2 arcsin(sqrt((1 - x) / 2)) above 1/2.  Max ULP 0.7; NaN beyond 1. */
AG_FN float v_asinf(float x) {
  float a = AG_ABSF(x);
  float z;
  float tail;
  float s = ag_asin_reduce_f(a, &z, &tail);
  float rest = ag_asin_rest_f(s, z, tail);
  float high = 0x1.921fb6p0f - 2.0f * s;
  float low = (0x1.921fb6p0f - high) - 2.0f * s;
  float value = a > 0.5f ? high + (low + AG_FMAF(rest, -2.0f, -0x1.777a5cp-25f)) : s + rest;
  return AG_COPYSIGNF(value, x);
}

/* acos = 2 arcsin(sqrt((1 - x) / 2)) above 1/2, pi less that of -x below -1/2.  Max ULP 0.7; NaN beyond 1. */
AG_FN float v_acosf(float x) {
  float a = AG_ABSF(x);
  float z;
  float tail;
  float s = ag_asin_reduce_f(a, &z, &tail);
  float rest = ag_asin_rest_f(s, z, tail);
  float factor = a > 0.5f ? 2.0f : 1.0f;
  factor = (x > 0.5f) | ((x < 0.0f) & (a <= 0.5f)) ? factor : -factor;
  float base = x < -0.5f ? 0x1.921fb6p1f : 0x1.921fb6p0f;
  float base_tail = x < -0.5f ? -0x1.777a5cp-24f : -0x1.777a5cp-25f;
  base = x > 0.5f ? 0.0f : base;
  base_tail = x > 0.5f ? 0.0f : base_tail;
  float step = factor * s;
  float value = base + step;
  return value + (((base - value) + step) + AG_FMAF(factor, rest, base_tail));
}

#endif
