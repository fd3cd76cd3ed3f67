/* Exponentials and logarithms to other bases, cbrt, hypot, hyperbolic functions in single precision; part
 * of vmath.h. */
#ifndef AG_VMATH_HYP_F32_H
#define AG_VMATH_HYP_F32_H

/* 2^x = result 2^k. */
AG_FN float ag_exp2_f(float x, int32_t *k) {
  float m = x + AG_MAGICF;
  *k = (int32_t)(ag_bits_f(m) - ag_bits_f(AG_MAGICF));
  float r = x - (m - AG_MAGICF);
  float q = 0x1.00a582p-16f;
  q = AG_FMAF(q, r, 0x1.444p-13f);
  q = AG_FMAF(q, r, 0x1.5d879ep-10f);
  q = AG_FMAF(q, r, 0x1.3b2a1cp-7f);
  q = AG_FMAF(q, r, 0x1.c6b08ep-5f);
  q = AG_FMAF(q, r, 0x1.ebfbep-3f);
  q = AG_FMAF(q, r, 0x1.62e43p-1f);
  return AG_FMAF(q, r, 1.0f);
}

AG_FN float v_exp2_nearf(float x) {
  int32_t k;
  float p = ag_exp2_f(x, &k);
  return ag_scale_near_f(p, k);
}

/* 2^x: max ULP 0.9. */
AG_FN float v_exp2f(float x) {
  x = x > 200.0f ? 200.0f : x;
  x = x < -200.0f ? -200.0f : x;
  int32_t k;
  float p = ag_exp2_f(x, &k);
  return ag_scale_f(p, k);
}

/* log2(2^k (1 + f)) = k + f P(f). */
AG_FN float ag_log2_poly_f(float f, float k) {
  float q = 0x1.017f8ep-3f;
  q = AG_FMAF(q, f, -0x1.a76faap-3f);
  q = AG_FMAF(q, f, 0x1.b95bb6p-3f);
  q = AG_FMAF(q, f, -0x1.e9835ap-3f);
  q = AG_FMAF(q, f, 0x1.26dcb8p-2f);
  q = AG_FMAF(q, f, -0x1.715b7p-2f);
  q = AG_FMAF(q, f, 0x1.ec736ap-2f);
  q = AG_FMAF(q, f, -0x1.715472p-1f);
  q = AG_FMAF(q, f, 0x1.715476p0f);
  return AG_FMAF(q, f, k);
}

AG_FN float v_log2_nearf(float x) {
  int32_t k;
  float f = ag_log_split_f(x, &k);
  return ag_log2_poly_f(f, (float)k);
}

/* log2: max ULP 1.9, exact at powers of 2. */
AG_FN float v_log2f(float x) {
  float k;
  float f = ag_log_split_any_f(x, &k);
  return ag_log_special_f(x, ag_log2_poly_f(f, k));
}

/* log10(2^k (1 + f)) = k log10(2) + f P(f), log10(2) in two parts. */
AG_FN float ag_log10_poly_f(float f, float k) {
  float q = 0x1.2f33f2p-5f;
  q = AG_FMAF(q, f, -0x1.ffbe64p-5f);
  q = AG_FMAF(q, f, 0x1.0b7facp-4f);
  q = AG_FMAF(q, f, -0x1.26a374p-4f);
  q = AG_FMAF(q, f, 0x1.62d61ap-4f);
  q = AG_FMAF(q, f, -0x1.bcc04p-4f);
  q = AG_FMAF(q, f, 0x1.287d2cp-3f);
  q = AG_FMAF(q, f, -0x1.bcb7acp-3f);
  q = AG_FMAF(q, f, 0x1.bcb7bp-2f);
  return AG_FMAF(k, 0x1.344p-2f, AG_FMAF(k, 0x1.3509f8p-18f, q * f));
}

AG_FN float v_log10_nearf(float x) {
  int32_t k;
  float f = ag_log_split_f(x, &k);
  return ag_log10_poly_f(f, (float)k);
}

/* log10: max ULP 1.8. */
AG_FN float v_log10f(float x) {
  float k;
  float f = ag_log_split_any_f(x, &k);
  return ag_log_special_f(x, ag_log10_poly_f(f, k));
}

/* The cube root of a = |x|: the inverse root r from the bits, within 4 %, made better by two terms in 1 - a r^3, then one step of
 * Newton for t = a r^2.  Max ULP 1.0. */
AG_FN float v_cbrtf(float x) {
  float a = AG_ABSF(x);
  float normal = a < 0x1p-60f ? a * 0x1p60f : a; /* so that the last gap is no subnormal */
  float unscale = a < 0x1p-60f ? 0x1p-20f : 1.0f;
  float third = (float)(int32_t)ag_bits_f(normal) * 0x1.555556p-2f;
  float r = ag_float_f((uint32_t)(int32_t)(0x1.5287c0p30f - third));
  float e = AG_FMAF(-(normal * r), r * r, 1.0f);
  r = AG_FMAF(r * e, AG_FMAF(0x1.ca792ep-3f, e, 0x1.56b392p-2f), r);
  float square = r * r;
  float t = normal * square;
  float gap = AG_FMAF(-t, t * t, normal);
  t = AG_FMAF(gap, square * 0x1.555556p-2f, t) * unscale;
  return AG_COPYSIGNF(a < AG_INFF ? t : a, x);
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

/* cosh(a) / 2 = sum + sum even + difference odd and sinh(a) / 2 = sum odd + difference even + difference for a = |x| < 89.7,
 * where sum and difference are (2^k + 2^-k) / 4 and (2^k - 2^-k) / 4 for a = k ln 2 + r, even = cosh(r) - 1 and
 * odd = sinh(r) (relative errors 2^-33 and 2^-26).  Beyond, where both functions are infinite, those of 89.7. */
AG_FN void ag_sinh_parts_f(float x, float *sum, float *difference, float *even, float *odd) {
  float a = AG_ABSF(x);
  float b = a > 89.7f ? 89.7f : a;
  float m = AG_FMAF(b, 0x1.715476p0f, AG_MAGICF);
  uint32_t shifted = ag_bits_f(m) << 23;
  m -= AG_MAGICF;
  float r = AG_FMAF(m, -0x1.62e4p-1f, b);
  r = AG_FMAF(m, -0x1.7f7d1cp-20f, r);
  float z = r * r;
  float q = AG_FMAF(0x1.6d4dcp-10f, z, 0x1.5554e8p-5f);
  q = AG_FMAF(q, z, 0.5f);
  float p = AG_FMAF(0x1.1227e8p-7f, z, 0x1.5554bp-3f);
  float grown = ag_float_f((125u << 23) + shifted);
  int32_t less = (int32_t)((125u << 23) - shifted);
  float shrunk = ag_float_f((uint32_t)(less > 0 ? less : 0));
  *sum = grown + shrunk;
  *difference = grown - shrunk;
  *even = q * z;
  *odd = AG_FMAF(p * z, r, r);
}

/* sinh: max ULP 2. */
AG_FN float v_sinhf(float x) {
  float sum;
  float difference;
  float even;
  float odd;
  ag_sinh_parts_f(x, &sum, &difference, &even, &odd);
  float half = difference + AG_FMAF(difference, even, sum * odd);
  return AG_COPYSIGNF(2.0f * half, x);
}

/* cosh: max ULP 2.1. */
AG_FN float v_coshf(float x) {
  float sum;
  float difference;
  float even;
  float odd;
  ag_sinh_parts_f(x, &sum, &difference, &even, &odd);
  return 2.0f * (sum + AG_FMAF(difference, odd, sum * even));
}

/* asinh(a) = log1p(a + (sqrt(1 + a^2) - 1)), the errors of the sum and of its root carried along up to 1; log(2a) for
 * large a.  Max ULP 2.5. */
AG_FN float v_asinhf(float x) {
  float a = AG_ABSF(x);
  int large = a > 0x1p26f;
  float b = large ? 1.0f : a;
  float square = b * b;
  float sum = 1.0f + square;
  float sum_tail = (square - (sum - 1.0f)) + AG_FMAF(b, b, -square);
  float root = AG_SQRTF(sum);
  float root_tail = 0.5f * (AG_FMAF(-root, root, sum) + sum_tail);
  float u = (b + (root - 1.0f)) + (b > 1.0f ? 0.0f : root_tail);
  float value = ag_log1p_f(large ? a : u);
  value = large ? value + 0x1.62e43p-1f : value;
  return AG_COPYSIGNF(a < AG_INFF ? value : a, x);
}

/* acosh(1 + t) = log1p(t + sqrt(t (t + 2))); log(2x) for large x.  Max ULP 2.5. */
AG_FN float v_acoshf(float x) {
  int large = x > 0x1p26f;
  float t = large ? 1.0f : x - 1.0f;
  float u = t + AG_SQRTF(t * (t + 2.0f));
  float value = ag_log1p_f(large ? x : u);
  value = large ? value + 0x1.62e43p-1f : value;
  value = x < AG_INFF ? value : x;
  return x < 1.0f ? AG_NANF : value;
}

/* atanh(a) = log((1 + a) / (1 - a)) / 2 = k log(2) / 2 + atanh(s), where the power 2^k next to the quotient is seen from
 * the bits, and atanh(s) = s + s z P(z) with s = (quotient / 2^k - 1) / (quotient / 2^k + 1), |s| < 0.2004, z = s^2
 * (relative error 2^-28).  Max ULP 2.3; NaN beyond 1. */
AG_FN float v_atanhf(float x) {
  float a = AG_ABSF(x);
  float above = 1.0f + a;
  float below = 1.0f - a;
  uint32_t rounded = ag_bits_f(above) - ag_bits_f(below) + 0x400000;
  int32_t k = (int32_t)rounded >> 23;
  float power = ag_float_f((rounded & 0xff800000) + 0x3f800000);
  float scaled = below * power;
  float distance = k > 20 ? above - scaled : AG_FMAF(a, 1.0f + power, 1.0f - power);
  float s = distance / (above + scaled);
  float z = s * s;
  float q = 0x1.36f3d4p-3f;
  q = AG_FMAF(q, z, 0x1.992a5ap-3f);
  q = AG_FMAF(q, z, 0x1.5555b4p-2f);
  float rest = AG_FMAF(q * z, s, (float)k * 0x1.7f7d1cp-21f);
  float value = AG_FMAF((float)k, 0x1.62e4p-2f, s + rest);
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
