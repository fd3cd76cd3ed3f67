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
  double first = AG_FMA(wide, high, 0x1.8p52);
  double f = AG_FMA(wide, high, 0x1.8p52 - first);
  double second = AG_FMA(wide, low, f) + 0x1.8p52;
  f = AG_FMA(wide, low, f + (0x1.8p52 - second));
  uint64_t bits;
  uint64_t more_bits;
  AG_COPY(&bits, &first, 8);
  AG_COPY(&more_bits, &second, 8);
  *n = (uint32_t)bits + (uint32_t)more_bits;
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

/* Not below 2^31 for |x| > 2^17, infinity and NaN. */
AG_FN uint32_t v_sin_farf(float x) {
  return 0x48000000u - (ag_bits_f(x) & 0x7fffffff);
}

/* The same reduction in single precision, pi/2 in three parts, right for |x| <= 2^17. */
AG_FN float ag_trig_reduce_near_f(float x, uint32_t *n) {
  float m = AG_FMAF(x, 0x1.45f306p-1f, AG_MAGICF);
  *n = ag_bits_f(m);
  m -= AG_MAGICF;
  float r = AG_FMAF(m, -0x1.921fb6p0f, x);
  r = AG_FMAF(m, 0x1.777a5cp-25f, r);
  return AG_FMAF(m, 0x1.ee59dap-50f, r);
}

/* sin(n pi/2 + r). */
AG_FN float ag_sin_sum_f(float r, uint32_t n) {
  float value = (n & 1) ? ag_cos_poly_f(r) : ag_sin_poly_f(r);
  return ag_float_f(ag_bits_f(value) ^ (n & 2) << 30);
}

/* tan(n pi/2 + r) = r + r^3 P(r^2), or -1 / that. */
AG_FN float ag_tan_sum_f(float r, uint32_t n) {
  float z = r * r;
  float q = 0x1.33a644p-7f;
  q = AG_FMAF(q, z, 0x1.981180p-9f);
  q = AG_FMAF(q, z, 0x1.90585cp-6f);
  q = AG_FMAF(q, z, 0x1.b587e8p-5f);
  q = AG_FMAF(q, z, 0x1.112ddep-3f);
  q = AG_FMAF(q, z, 0x1.5554dep-2f);
  float t = AG_FMAF(q * z, r, r);
  return (n & 1) ? -1.0f / t : t;
}

/* sin, cos, tan for every finite x: max ULP 1.8, 1.8 and 3.5.  In a block of arguments none of which is far the near forms
 * give the same bits in half the time. */
AG_FN float v_sin_nearf(float x) {
  uint32_t n;
  float r = ag_trig_reduce_near_f(x, &n);
  float value = ag_sin_sum_f(r, n);
  return x == 0.0f ? x : value;
}

AG_FN float v_cos_nearf(float x) {
  uint32_t n;
  float r = ag_trig_reduce_near_f(x, &n);
  return ag_sin_sum_f(r, n + 1);
}

AG_FN float v_tan_nearf(float x) {
  uint32_t n;
  float r = ag_trig_reduce_near_f(x, &n);
  float value = ag_tan_sum_f(r, n);
  return x == 0.0f ? x : value;
}

AG_FN float v_sinf(float x) {
  uint32_t n;
  float r = (float)ag_trig_reduce_f(x, &n);
  float value = ag_sin_sum_f(r, n);
  return v_sin_farf(x) >> 31 ? value : v_sin_nearf(x);
}

AG_FN float v_cosf(float x) {
  uint32_t n;
  float r = (float)ag_trig_reduce_f(x, &n);
  float value = ag_sin_sum_f(r, n + 1);
  return v_sin_farf(x) >> 31 ? value : v_cos_nearf(x);
}

AG_FN float v_tanf(float x) {
  uint32_t n;
  float r = (float)ag_trig_reduce_f(x, &n);
  float value = ag_tan_sum_f(r, n);
  return v_sin_farf(x) >> 31 ? value : v_tan_nearf(x);
}

/* quarters pi/2 + arctan(t + tail) for |t| <= 1. */
AG_FN float ag_atan_poly_f(float t, float tail, float quarters) {
  float z = t * t;
  float q = -0x1.38de56p-9f;
  q = AG_FMAF(q, z, 0x1.ba9f66p-7f);
  q = AG_FMAF(q, z, -0x1.25dc12p-5f);
  q = AG_FMAF(q, z, 0x1.0001c6p-4f);
  q = AG_FMAF(q, z, -0x1.6295f8p-4f);
  q = AG_FMAF(q, z, 0x1.c3f168p-4f);
  q = AG_FMAF(q, z, -0x1.246cd2p-3f);
  q = AG_FMAF(q, z, 0x1.99983cp-3f);
  q = AG_FMAF(q, z, -0x1.555554p-2f);
  tail = AG_FMAF(q * z, t, AG_FMAF(quarters, -0x1.777a5cp-25f, tail));
  float base = quarters * 0x1.921fb6p0f;
  float value = base + t;
  return value + ((t - (value - base)) + tail);
}

/* atan = pi/2 - atan(1 / x) above 1, the inverse with its rounding error.  Max ULP 1.6. */
AG_FN float v_atanf(float x) {
  float a = AG_ABSF(x);
  int above = a > 1.0f;
  float b = a > 0x1p30f ? 0x1p30f : a;
  float t = -1.0f / b;
  float tail = AG_FMAF(t, b, 1.0f) * t;
  t = above ? t : a;
  tail = above ? tail : 0.0f;
  return AG_COPYSIGNF(ag_atan_poly_f(t, tail, above ? 1.0f : 0.0f), x);
}

/* The angle of the point (x, y) by the ratio of the smaller coordinate to the larger, which is 1 where both are infinite
 * and 0 where both are 0.  Max ULP 1.8. */
AG_FN float v_atan2f(float y, float x) {
  float a = AG_ABSF(y);
  float b = AG_ABSF(x);
  int above = a > b;
  float larger = above ? a : b;
  float smaller = above ? b : a;
  float t = smaller / larger;
  float equal = larger == 0.0f ? 0.0f : 1.0f;
  t = smaller == larger ? equal : t;
  int left = (int)(ag_bits_f(x) >> 31);
  float quarters = left ? 2.0f : 0.0f;
  quarters = above ? 1.0f : quarters;
  t = above ^ left ? -t : t;
  return AG_COPYSIGNF(ag_atan_poly_f(t, 0.0f, quarters), y);
}

/* (arcsin(s) - s) / s for s^2 = z <= 1/4. */
AG_FN float ag_asin_poly_f(float z) {
  float q = 0x1.13fed4p-5f;
  q = AG_FMAF(q, z, 0x1.18f91ep-6f);
  q = AG_FMAF(q, z, 0x1.fd8da2p-6f);
  q = AG_FMAF(q, z, 0x1.6d5bbap-5f);
  q = AG_FMAF(q, z, 0x1.33343p-4f);
  q = AG_FMAF(q, z, 0x1.555554p-3f);
  return q * z;
}

/* asin = pi/2 - 2 arcsin(sqrt((1 - x) / 2)) above 1/2.  Max ULP 1.6; NaN beyond 1. */
AG_FN float v_asinf(float x) {
  float a = AG_ABSF(x);
  float half = AG_FMAF(a, -0.5f, 0.5f);
  float s = a > 0.5f ? AG_SQRTF(half) : a;
  float rest = s * ag_asin_poly_f(a > 0.5f ? half : a * a);
  float value = a > 0.5f ? AG_FMAF(rest, -2.0f, -0x1.777a5cp-25f) - 2.0f * s : s + rest;
  value = a > 0.5f ? 0x1.921fb6p0f + value : value;
  return AG_COPYSIGNF(value, x);
}

/* acos = 2 arcsin(sqrt((1 - x) / 2)) above 1/2, pi less that of -x below -1/2.  Max ULP 1.3; NaN beyond 1. */
AG_FN float v_acosf(float x) {
  float a = AG_ABSF(x);
  float half = AG_FMAF(a, -0.5f, 0.5f);
  float s = a > 0.5f ? AG_SQRTF(half) : x;
  float rest = s * ag_asin_poly_f(a > 0.5f ? half : a * a);
  float factor = a > 0.5f ? AG_COPYSIGNF(2.0f, x) : -1.0f;
  float base = x < -0.5f ? 0x1.921fb6p1f : 0x1.921fb6p0f;
  base = x > 0.5f ? 0.0f : base;
  return base + AG_FMAF(factor, s, factor * rest);
}

#endif
