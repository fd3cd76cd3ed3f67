/* Exponentials and logarithms to other bases, cbrt, hypot, hyperbolic functions in single precision; part
 * of vmath.h. */
#ifndef AG_VMATH_HYP_F32_H
#define AG_VMATH_HYP_F32_H

/* 2^x: max ULP 0.9. */
AG_FN float v_exp2f(float x) {
  x = x > 200.0f ? 200.0f : x;
  x = x < -200.0f ? -200.0f : x;
  float m = x + AG_MAGICF;
  int32_t k = (int32_t)(ag_bits_f(m) - ag_bits_f(AG_MAGICF));
  float r = x - (m - AG_MAGICF);
  float q = 0x1.00a582p-16f;
  q = AG_FMAF(q, r, 0x1.444p-13f);
  q = AG_FMAF(q, r, 0x1.5d879ep-10f);
  q = AG_FMAF(q, r, 0x1.3b2a1cp-7f);
  q = AG_FMAF(q, r, 0x1.c6b08ep-5f);
  q = AG_FMAF(q, r, 0x1.ebfbep-3f);
  q = AG_FMAF(q, r, 0x1.62e43p-1f);
  return ag_scale_f(AG_FMAF(q, r, 1.0f), k);
}

/* log(x) / log(b) = k / log2(b) + log(1 + f) / log(b): the first factor in two parts of which the larger is short, the
 * second in two parts. */
AG_FN float ag_log_base_f(float x, float two, float two_tail, float unit, float unit_tail) {
  float normal = x < 0x1p-126f ? x * 0x1p23f : x;
  float shift = x < 0x1p-126f ? -23.0f : 0.0f;
  int32_t power;
  float f = ag_log_split_f(normal, &power);
  float k = (float)power + shift;
  float whole = k * two;
  float part = f * unit;
  float part_tail = AG_FMAF(f, unit, -part) + AG_FMAF(f, unit_tail, k * two_tail);
  float sum = whole + part;
  float r = sum + (((whole - sum) + part) + AG_FMAF(ag_log_rest_f(f, 0.0f, 0.0f), unit, part_tail));
  r = x < AG_INFF ? r : x;
  r = x == 0.0f ? -AG_INFF : r;
  return x < 0.0f ? AG_NANF : r;
}

/* log2: max ULP 1.2, exact at powers of 2. */
AG_FN float v_log2f(float x) {
  return ag_log_base_f(x, 1.0f, 0.0f, 0x1.715476p0f, 0x1.4ae0cp-26f);
}

/* log10: max ULP 1.1. */
AG_FN float v_log10f(float x) {
  return ag_log_base_f(x, 0x1.344p-2f, 0x1.3509f8p-18f, 0x1.bcb7b2p-2f, -0x1.5b235ep-27f);
}

/* The cube root of x = m 2^(3j), m in [1, 8): a polynomial for the inverse root r of m, one step of iteration for r,
 * one for t = m r^2.  Max ULP 0.6. */
AG_FN float v_cbrtf(float x) {
  float a = AG_ABSF(x);
  float normal = a < 0x1p-126f ? a * 0x1p24f : a;
  float unscale = a < 0x1p-126f ? 0x1p-8f : 1.0f;
  float power = ag_float_f(ag_bits_f(normal) >> 23 | 0x4b000000u) - 0x1p23f;
  float m = ag_float_f((ag_bits_f(normal) & 0x7fffffu) | 0x3f800000u);
  power += 2.0f; /* the bias is a multiple of 3 */
  float r = 0x1.c73184p-6f;
  r = AG_FMAF(r, m, -0x1.bb1becp-3f);
  r = AG_FMAF(r, m, 0x1.5e8accp-1f);
  r = AG_FMAF(r, m, -0x1.2992ep0f);
  r = AG_FMAF(r, m, 0x1.aa913ep0f);
  float third = AG_FMAF(power, 0x1.555556p-2f, -0x1.555556p-2f) + AG_MAGICF;
  float rest = power - 3.0f * (third - AG_MAGICF);
  float factor = rest == 1.0f ? 0x1.965feap-1f : 1.0f;
  factor = rest == 2.0f ? 0x1.428a3p-1f : factor;
  float grow = rest == 1.0f ? 2.0f : 1.0f;
  grow = rest == 2.0f ? 4.0f : grow;
  r *= factor;
  m *= grow;
  float error = AG_FMAF(-m * r, r * r, 1.0f);
  r = AG_FMAF(r * error, AG_FMAF(error, 0x1.c71c72p-3f, 0x1.555556p-2f), r);
  float square = r * r;
  float t = m * square;
  float t_square = t * t;
  float t_rest = AG_FMAF(t, t, -t_square);
  float gap = AG_FMAF(-t, t_square, m) - t * t_rest;
  t = AG_FMAF(gap * 0x1.555556p-2f, square, t);
  float scale = ag_float_f((ag_bits_f(third) + (127 - 43)) << 23);
  float value = AG_COPYSIGNF(t * scale * unscale, x);
  return ((x == 0.0f) | !(a < AG_INFF)) ? x : value;
}

/* sqrt(x^2 + y^2), scaled where a square would leave the normal range; infinite if either argument is.
 * Max ULP 1.1. */
AG_FN float v_hypotf(float x, float y) {
  float a = AG_ABSF(x);
  float b = AG_ABSF(y);
  float larger = a > b ? a : b;
  float smaller = a > b ? b : a;
  float scale = larger > 0x1p60f ? 0x1p-80f : 1.0f;
  float back = larger > 0x1p60f ? 0x1p80f : 1.0f;
  scale = larger < 0x1p-40f ? 0x1p90f : scale;
  back = larger < 0x1p-40f ? 0x1p-90f : back;
  larger *= scale;
  smaller *= scale;
  float value = AG_SQRTF(AG_FMAF(larger, larger, smaller * smaller)) * back;
  return ((a == AG_INFF) | (b == AG_INFF)) ? AG_INFF : value;
}

/* sinh: (exp(a) - exp(-a)) / 2, x P(x^2) below 1.  Max ULP 1.2. */
AG_FN float v_sinhf(float x) {
  float a = AG_ABSF(x);
  float b = a > 95.0f ? 95.0f : a;
  int32_t k;
  float tail;
  float e = ag_exp_parts_f(b, -0.0f, &k, &tail);
  tail = ag_scale_f(tail, k - 1);
  e = ag_scale_f(e, k - 1);
  float inverse = 0.25f / e;
  float large = e - inverse;
  large += ((e - large) - inverse) + tail;
  large = e < AG_INFF ? large : e;
  float z = a * a;
  float q = 0x1.78a70ep-19f;
  q = AG_FMAF(q, z, 0x1.a009p-13f);
  q = AG_FMAF(q, z, 0x1.11111ep-7f);
  q = AG_FMAF(q, z, 0x1.555556p-3f);
  float small = AG_FMAF(q * z, a, a);
  return AG_COPYSIGNF(a < 1.0f ? small : large, x);
}

/* cosh = (exp(a) + exp(-a)) / 2.  Max ULP 1.2. */
AG_FN float v_coshf(float x) {
  float a = AG_ABSF(x);
  float b = a > 95.0f ? 95.0f : a;
  int32_t k;
  float tail;
  float e = ag_exp_parts_f(b, -0.0f, &k, &tail);
  tail = ag_scale_f(tail, k - 1);
  e = ag_scale_f(e, k - 1);
  float inverse = 0.25f / e;
  float sum = e + inverse;
  sum += ((e - sum) + inverse) + tail;
  return e < AG_INFF ? sum : e;
}

/* asinh(a) = log1p(a + a^2 / (1 + sqrt(1 + a^2))), log(2a) for large a.  Max ULP 1.7. */
AG_FN float v_asinhf(float x) {
  float a = AG_ABSF(x);
  float b = a > 0x1p26f ? 1.0f : a;
  float square = b * b;
  float part = square / (1.0f + AG_SQRTF(1.0f + square));
  float u = b + part;
  float tail = (b - u) + part;
  int large = a > 0x1p26f;
  u = large ? a : u;
  tail = large ? 0.0f : tail;
  float value = ag_log1p_sum_f(u, tail);
  value = large ? value + 0x1.62e43p-1f : value;
  value = a < 0x1p-13f ? a : value;
  value = a < AG_INFF ? value : a;
  return AG_COPYSIGNF(value, x);
}

/* acosh(1 + t) = log1p(t + sqrt(t (t + 2))), the sum with its rounding error; log(2x) for large x.
 * Max ULP 1.5. */
AG_FN float v_acoshf(float x) {
  int large = x > 0x1p26f;
  float t = large ? 1.0f : x - 1.0f;
  float other = t + 2.0f;
  float product = t * other;
  float product_tail = AG_FMAF(t, other, -product) + t * (t - (other - 2.0f));
  float root = AG_SQRTF(product);
  float root_tail = (AG_FMAF(-root, root, product) + product_tail) * 0.5f / (root + 0x1p-100f);
  float u = t + root;
  float low = t > root ? (t - u) + root : (root - u) + t;
  low += root_tail;
  u = large ? x : u;
  low = large ? 0.0f : low;
  float value = ag_log1p_sum_f(u, low);
  value = large ? value + 0x1.62e43p-1f : value;
  value = x < AG_INFF ? value : x;
  return x < 1.0f ? AG_NANF : value;
}

/* atanh(a) = log1p(2a / (1 - a)) / 2, the quotient with its rounding error.  Max ULP 1.6; NaN beyond 1. */
AG_FN float v_atanhf(float x) {
  float a = AG_ABSF(x);
  float below = 1.0f - a;
  float below_tail = (1.0f - below) - a;
  float inverse = 1.0f / below;
  float u = 2.0f * a * inverse;
  float low = AG_FMAF(-u, below_tail, AG_FMAF(-u, below, 2.0f * a)) * inverse;
  float value = 0.5f * ag_log1p_sum_f(u, low);
  value = a < 0x1p-13f ? a : value;
  value = a == 1.0f ? AG_INFF : value;
  value = a > 1.0f ? AG_NANF : value;
  return AG_COPYSIGNF(value, x);
}

/* log(exp(x) + exp(y)) = max + log1p(exp(-|x - y|)).  Max ULP 3.2, where the result is smaller than the
 * larger argument in ULP of that. */
AG_FN float v_logaddexpf(float x, float y) {
  float larger = x > y ? x : y;
  float gap = x == y ? 0.0f : AG_ABSF(x - y);
  float value = larger + ag_softplus_part_f(-gap);
  return gap == AG_INFF ? larger : value;
}

/* log(1 - exp(x)) for x < 0: e = exp(x) as a sum of two parts, 1 - e in the same way, -expm1(x) near 0.  -inf at 0, NaN
 * above.  Max ULP 1.6. */
AG_FN float v_log1mexpf(float x) {
  float clamped = x < -110.0f ? -110.0f : x;
  clamped = x > 0.0f ? 0.0f : clamped;
  int32_t k;
  float tail;
  float e = ag_exp_parts_f(clamped, -0.0f, &k, &tail);
  float less = (e - 1.0f) + tail; /* exact: exp(x) - 1 where k = 0 */
  float near = k == 0 ? -less : 0.0f;
  e = ag_scale_f(e, k);
  tail = ag_scale_f(tail, k);
  float u = 1.0f - e;
  float lost = ((1.0f - u) - e) - tail;
  u = k == 0 ? near : u;
  lost = k == 0 ? 0.0f : lost;
  float normal = u < 0x1p-126f ? u * 0x1p23f : u;
  float shift = u < 0x1p-126f ? -23.0f : 0.0f;
  int32_t exponent;
  float f = ag_log_split_f(normal, &exponent);
  float power = (float)exponent + shift;
  int one = exponent == 0;
  /* the rest of u is nonzero only where u > 1/4: 2^-power is 1, 2 or 4 */
  float grow = u < 0.3535f ? 4.0f : 2.0f;
  f = one ? -e : AG_FMAF(lost, grow, f);
  float extra = one ? -tail * AG_FMAF(e, e, 1.0f + e) : 0.0f;
  float r = ag_log_poly_f(f, power) + extra;
  r = e == 0.0f ? -0.0f : r;
  r = x == 0.0f ? -AG_INFF : r;
  return x <= 0.0f ? r : AG_NANF;
}

/* log(x / (1 - x)) = log1p of (2x - 1) / (1 - x), where 2x - 1 is exact near 1/2; less that of 1 - x below 1/2, with a
 * factor where the quotient could overflow.  Max ULP 2.6; NaN outside [0, 1]. */
AG_FN float v_logitf(float x) {
  int low = x < 0.5f;
  int tiny = AG_ABSF(x) < 0x1p-120f;
  float distance = AG_FMAF(2.0f, x, -1.0f);
  float part = low ? x : 1.0f - x;
  part = tiny ? x * 0x1p32f + 0.0f : part; /* which makes +0 of -0 */
  float value = v_log1pf((low ? -distance : distance) / part);
  value = tiny ? value + 0x1.62e43p4f : value;
  return low ? -value : value;
}

/* x log(y), 0 where x is 0 and y is a number. */
AG_FN float v_xlogyf(float x, float y) {
  return ((x == 0.0f) & (y == y)) ? x : x * v_logf(y);
}

AG_FN float v_xlog1pyf(float x, float y) {
  return ((x == 0.0f) & (y == y)) ? x : x * v_log1pf(y);
}

#endif
