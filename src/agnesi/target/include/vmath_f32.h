/* Elementary functions in single precision; part of vmath.h. */
#ifndef AG_VMATH_F32_H
#define AG_VMATH_F32_H

#define AG_MAGICF 0x1.8p23f /* x + AG_MAGICF rounds |x| < 2^22 to an integer, kept in the low bits */

AG_FN uint32_t ag_bits_f(float x) {
  uint32_t bits;
  AG_COPY(&bits, &x, 4);
  return bits;
}

AG_FN float ag_float_f(uint32_t bits) {
  float x;
  AG_COPY(&x, &bits, 4);
  return x;
}

AG_FN float v_sqrtf(float x) {
  return AG_SQRTF(x);
}

AG_FN float v_absf(float x) {
  return AG_ABSF(x);
}

AG_FN float v_floorf(float x) {
  return AG_FLOORF(x);
}

AG_FN float v_ceilf(float x) {
  return AG_CEILF(x);
}

AG_FN float v_truncf(float x) {
  return AG_TRUNCF(x);
}

/* Nearest integer, ties to even. */
AG_FN float v_rintf(float x) {
  return AG_RINTF(x);
}

/* -1, 0, 1 or NaN; the sign of either zero is +0. */
AG_FN float v_signf(float x) {
  float sign = x == 0.0f ? 0.0f : x;
  sign = x > 0.0f ? 1.0f : sign;
  return x < 0.0f ? -1.0f : sign;
}

/* The larger argument, NaN if either is: the comparison picks a NaN in y, the second line one in x. */
AG_FN float v_maximumf(float x, float y) {
  float larger = x > y ? x : y;
  return x != x ? x : larger;
}

AG_FN float v_minimumf(float x, float y) {
  float smaller = x < y ? x : y;
  return x != x ? x : smaller;
}

AG_FN float v_copysignf(float x, float y) {
  return AG_COPYSIGNF(x, y);
}

/* The larger argument that is not NaN. */
AG_FN float v_fmaxf(float x, float y) {
  float larger = x > y ? x : y;
  return y != y ? x : larger;
}

AG_FN float v_fminf(float x, float y) {
  float smaller = x < y ? x : y;
  return y != y ? x : smaller;
}

/* Whether the sign bit is set, of -0 and NaN too. */
AG_FN int v_signbitf(float x) {
  return (int)(ag_bits_f(x) >> 31);
}

/* x times a power of two such that the size is from 1/4 up, less than 1/2: less where that power would be near overflow.
 * Of 0, infinities and NaN, 1 with their sign. */
AG_FN float v_significandf(float x) {
  const uint32_t bits = ag_bits_f(x), exponent = bits >> 23 & 0xff;
  const float result = exponent < 25 ? x * 0x1p100f : ag_float_f((bits & 0x807fffff) | 0x3e800000);
  return x == 0.0f || !(AG_ABSF(x) < AG_INFF) ? AG_COPYSIGNF(1.0f, x) : result;
}

/* p * 2^k, |k| <= 252, in two exact steps so that the result may be subnormal. */
AG_FN float ag_scale_f(float p, int32_t k) {
  uint32_t biased = (uint32_t)k + 1024;
  uint32_t half = biased >> 1;
  uint32_t rest = biased - half;
  return p * ag_float_f((half - 512 + 127) << 23) * ag_float_f((rest - 512 + 127) << 23);
}

/* exp(x + low) = (result + tail) 2^k for |low| < 1: x + low = k ln 2 + r, ln 2 in two parts, and a
 * polynomial for (exp(r) - 1 - r) / r^2 (relative error 2^-27). */
AG_FN float ag_exp_parts_f(float x, float low, int32_t *k, float *tail) {
  float m = AG_FMAF(x + low, 0x1.715476p0f, AG_MAGICF);
  *k = (int32_t)(ag_bits_f(m) - ag_bits_f(AG_MAGICF));
  m -= AG_MAGICF;
  float r = AG_FMAF(m, -0x1.62e4p-1f, x) + low;
  r = AG_FMAF(m, -0x1.7f7d1cp-20f, r);
  float square = r * r;
  float q = 0x1.6cad2ap-10f;
  q = AG_FMAF(q, square, 0x1.55556ap-5f);
  q = AG_FMAF(q, square, 0x1p-1f);
  float q_odd = 0x1.120c8ep-7f;
  q_odd = AG_FMAF(q_odd, square, 0x1.5554dcp-3f);
  q = AG_FMAF(q_odd, r, q);
  float s = AG_FMAF(q, square, r);
  float p = s + 1.0f;
  *tail = s - (p - 1.0f);
  return p;
}

/* Not below 2^31 unless |x| < 87. */
AG_FN uint32_t v_exp_farf(float x) {
  return 0x42ae0000u - (ag_bits_f(x) & 0x7fffffffu);
}

/* p 2^k where both p and the product are normal. */
AG_FN float ag_scale_near_f(float p, int32_t k) {
  return ag_float_f(ag_bits_f(p) + (((uint32_t)k + ag_bits_f(AG_MAGICF)) << 23)); /* which adds 0, and saves a subtraction */
}

AG_FN float v_exp_nearf(float x) {
  int32_t k;
  float tail;
  float p = ag_exp_parts_f(x, -0.0f, &k, &tail);
  return ag_scale_near_f(p, k);
}

/* exp: max ULP 1.1.  Here and below: v_NAME_nearf gives the same bits where v_QUESTION_farf says that it may be used. */
AG_FN float v_expf(float x) {
  x = x > 100.0f ? 100.0f : x;
  x = x < -110.0f ? -110.0f : x;
  int32_t k;
  float tail;
  float p = ag_exp_parts_f(x, -0.0f, &k, &tail);
  return ag_scale_f(p, k);
}

/* exp(x) - 1 = 2^k (exp(r) - 1) + (2^k - 1), formed at half size so that 2^k cannot overflow; `tail` is
 * the rounding error of the result, for x >= 0. */
AG_FN float ag_expm1_parts_f(float x, float *tail) {
  float m = AG_FMAF(x, 0x1.715476p0f, AG_MAGICF);
  uint32_t k = ag_bits_f(m) - ag_bits_f(AG_MAGICF);
  m -= AG_MAGICF;
  float r = AG_FMAF(m, -0x1.62e4p-1f, x);
  r = AG_FMAF(m, -0x1.7f7d1cp-20f, r);
  float square = r * r;
  float q = 0x1.120c96p-7f;
  q = AG_FMAF(q, square, 0x1.5554dcp-3f);
  float q_odd = 0x1.6d4eaap-10f;
  q_odd = AG_FMAF(q_odd, square, 0x1.5554e8p-5f);
  q = AG_FMAF(q_odd, r, q);
  q = AG_FMAF(q, r, 0.5f);
  float p = AG_FMAF(q, square, r);
  float p_tail = AG_FMAF(q, square, r - p);
  float half = ag_float_f((k + 126) << 23);
  float t = AG_FMAF(half, p, half - 0.5f);
  float t_tail = AG_FMAF(half, p, (half - 0.5f) - t);
  t_tail = AG_FMAF(half, p_tail, t_tail);
  *tail = t_tail + t_tail;
  return t + t;
}

/* exp(x) - 1.  Below 2^-26 it is x itself, which keeps -0 and subnormals.  Max ULP 1.7. */
AG_FN float v_expm1f(float x) {
  float clamped = x > 89.0f ? 89.0f : x;
  clamped = clamped < -20.0f ? -20.0f : clamped;
  float tail;
  float t = ag_expm1_parts_f(clamped, &tail);
  return AG_ABSF(x) < 0x1p-26f ? x : t;
}

/* Split x > 0, normal: x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2). */
AG_FN float ag_log_split_f(float x, int32_t *k) {
  uint32_t shifted = ag_bits_f(x) - 0x3f3504f3;
  *k = (int32_t)shifted >> 23;
  return ag_float_f((shifted & 0x7fffff) + 0x3f3504f3) - 1.0f;
}

/* log(1 + f) - f + a b: polynomial for (log(1 + f) - f) / f^2 (relative error 2^-26). */
AG_FN float ag_log_rest_f(float f, float a, float b) {
  float q = -0x1.3e62ap-4f;
  q = AG_FMAF(q, f, 0x1.05e654p-3f);
  q = AG_FMAF(q, f, -0x1.0cbbf2p-3f);
  q = AG_FMAF(q, f, 0x1.22b604p-3f);
  q = AG_FMAF(q, f, -0x1.547fccp-3f);
  q = AG_FMAF(q, f, 0x1.99a25ap-3f);
  q = AG_FMAF(q, f, -0x1.00022ep-2f);
  q = AG_FMAF(q, f, 0x1.55555p-2f);
  q = AG_FMAF(q, f, -0x1.fffffep-2f);
  return AG_FMAF(a, b, q * (f * f));
}

/* log(1 + f) + k ln 2, ln 2 in two parts. */
AG_FN float ag_log_poly_f(float f, float k) {
  return AG_FMAF(k, 0x1.62e4p-1f, ag_log_rest_f(f, k, 0x1.7f7d1cp-20f) + f);
}

/* Not below 2^31 unless x is positive, finite and normal. */
AG_FN uint32_t v_log_farf(float x) {
  uint32_t bits = ag_bits_f(x);
  return (bits - 0x00800000u) | (0x7f7fffffu - bits);
}

AG_FN float v_log_nearf(float x) {
  int32_t k;
  float f = ag_log_split_f(x, &k);
  return ag_log_poly_f(f, (float)k);
}

/* x = 2^k (1 + f), as ag_log_split_f for every x > 0. */
AG_FN float ag_log_split_any_f(float x, float *power) {
  float normal = x < 0x1p-126f ? x * 0x1p23f : x;
  float shift = x < 0x1p-126f ? -23.0f : 0.0f;
  int32_t k;
  float f = ag_log_split_f(normal, &k);
  *power = (float)k + shift;
  return f;
}

/* The value r of a logarithm of x > 0, or that of another x: -inf at 0, NaN below. */
AG_FN float ag_log_special_f(float x, float r) {
  r = x < AG_INFF ? r : x;
  r = x == 0.0f ? -AG_INFF : r;
  return x < 0.0f ? AG_NANF : r;
}

/* log: max ULP 1.0. */
AG_FN float v_logf(float x) {
  float k;
  float f = ag_log_split_any_f(x, &k);
  return ag_log_special_f(x, ag_log_poly_f(f, k));
}

/* log(1 + u) for finite u > -1: the rounding error of 1 + u is carried into f. */
AG_FN float ag_log1p_f(float u) {
  float sum = 1.0f + u;
  float lost = u - (sum - 1.0f);
  int32_t k;
  float f = ag_log_split_f(sum, &k);
  f = AG_FMAF(0.5f * lost, ag_float_f((uint32_t)(128 - k) << 23), f);
  return ag_log_poly_f(f, (float)k);
}

/* Not below 2^31 unless 1 + x is positive, finite and normal, and |x| is not tiny. */
AG_FN uint32_t v_log1p_farf(float x) {
  return v_log_farf(1.0f + x) | (ag_bits_f(AG_ABSF(x)) - 0x32800000u);
}

AG_FN float v_log1p_nearf(float x) {
  return ag_log1p_f(x);
}

/* log(1 + x): max ULP 1.6. */
AG_FN float v_log1pf(float x) {
  float r = ag_log1p_f(x);
  r = x < AG_INFF ? r : x;
  r = x == -1.0f ? -AG_INFF : r;
  r = x < -1.0f ? AG_NANF : r;
  return AG_ABSF(x) < 0x1p-26f ? x : r;
}

/* log(1 + u + low) for u > -1 and |low| < ulp(u): what rounding takes from 1 + u goes on in f. */
AG_FN float ag_log1p_sum_f(float u, float low) {
  float sum = 1.0f + u;
  float lost = (u - (sum - 1.0f)) + low;
  int32_t k;
  float f = ag_log_split_f(sum, &k);
  f = AG_FMAF(0.5f * lost, ag_float_f((uint32_t)(128 - k) << 23), f);
  f = k == 0 ? u : f;
  /* where 1 + f is 1 + u, the tail enters as low / (1 + u) */
  float extra = k == 0 ? low * (1.0f - f + f * f) : 0.0f;
  return ag_log_poly_f(f, (float)k) + extra;
}

/* log(1 + exp(x)) for x <= 0, the exponential kept as a sum of two parts. */
AG_FN float ag_softplus_part_f(float x) {
  float clamped = x < -110.0f ? -110.0f : x;
  int32_t k;
  float tail;
  float e = ag_exp_parts_f(clamped, -0.0f, &k, &tail);
  return ag_log1p_sum_f(ag_scale_f(e, k), ag_scale_f(tail, k));
}

/* log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)): max ULP 1.6. */
AG_FN float v_softplusf(float x) {
  float q = ag_softplus_part_f(-AG_ABSF(x));
  q = x > 0.0f ? x + q : q;
  return x == AG_INFF ? x : q;
}

/* tanh(k h + y) = (1 - c + (1 + c) t) / (1 + c + (1 - c) t) with h = log(2) / 2, c = 2^-k and t = tanh(y), of which the
 * divisor is the dividend and 2 c (1 - t): an error in both does no harm where c is small.  y lies between -0.091 and
 * 0.257, so that k is 0 where the result is below a quarter, and then it is t.  Max ULP 1.8. */
AG_FN float v_tanhf(float x) {
  float a = AG_ABSF(x);
  float b = a > 10.0f ? 10.0f : a;
  float m = AG_FMAF(b - 0.083f, 0x1.715476p1f, AG_MAGICF);
  float c = ag_float_f(0x3f800000u - (ag_bits_f(m) << 23));
  m -= AG_MAGICF;
  float y = AG_FMAF(m, -0x1.62e43p-2f, b); /* which h is within 2^-30 */
  float z = y * y;
  float q = -0x1.a3ffd4p-5f;
  q = AG_FMAF(q, z, 0x1.10db18p-3f);
  q = AG_FMAF(q, z, -0x1.55550ap-2f);
  float t = AG_FMAF(q * z, y, y);
  float dividend = AG_FMAF(1.0f + c, t, 1.0f - c);
  float divisor = AG_FMAF(c + c, 1.0f - t, dividend);
  return AG_COPYSIGNF(dividend / divisor, x);
}

/* 1 / (1 + exp(-x)) by e = exp(-|x|), so that nothing overflows; the rounding error of 1 + e is carried to
 * a correction of the quotient.  Max ULP 1.6. */
AG_FN float v_sigmoidf(float x) {
  float e = v_expf(-AG_ABSF(x));
  float divisor = 1.0f + e;
  float divisor_tail = e - (divisor - 1.0f);
  float dividend = x < 0.0f ? e : 1.0f;
  float inverse = 1.0f / divisor;
  float quotient = dividend * inverse;
  float rest = AG_FMAF(-quotient, divisor_tail, AG_FMAF(-quotient, divisor, dividend));
  return AG_FMAF(rest, inverse, quotient);
}

/* erfc(a) = p e 2^k / divisor for a >= 0: exp(-a^2) = e 2^k and P((a - 4) / (a + 4)) / (2a + 1), each with
 * its rounding error. */
AG_FN float ag_erfc_factors_f(float a, float *p_tail, float *e, float *e_tail, float *divisor, float *divisor_tail,
                            int32_t *k) {
  float b = a > 11.0f ? 11.0f : a;
  float w = (b - 4.0f) / (b + 4.0f);
  float q = 0x1.235194p-8f;
  q = AG_FMAF(q, w, -0x1.29141ap-6f);
  q = AG_FMAF(q, w, 0x1.2ac212p-5f);
  q = AG_FMAF(q, w, -0x1.0d4c9ap-4f);
  q = AG_FMAF(q, w, 0x1.813cc6p-4f);
  q = AG_FMAF(q, w, -0x1.9e1052p-4f);
  q = AG_FMAF(q, w, 0x1.16c61p-4f);
  q = AG_FMAF(q, w, 0x1.f7fbdap-7f);
  q = AG_FMAF(q, w, -0x1.1df12p-3f);
  float p = AG_FMAF(q, w, 0x1.3ba592p0f);
  *p_tail = AG_FMAF(q, w, 0x1.3ba592p0f - p);
  float square = b * b;
  *e = ag_exp_parts_f(-square, -AG_FMAF(b, b, -square), k, e_tail);
  *divisor = AG_FMAF(2.0f, b, 1.0f);
  *divisor_tail = AG_FMAF(2.0f, b, 1.0f - *divisor);
  return p;
}

/* erfc(a) for a >= 0, the errors of the factors carried to a correction of the quotient. */
AG_FN float ag_erfc_positive_f(float a) {
  float p_tail;
  float e;
  float e_tail;
  float divisor;
  float divisor_tail;
  int32_t k;
  float p = ag_erfc_factors_f(a, &p_tail, &e, &e_tail, &divisor, &divisor_tail, &k);
  float inverse = 1.0f / divisor;
  float product = p * e;
  float product_tail = AG_FMAF(p, e, -product) + AG_FMAF(p, e_tail, p_tail * e);
  float quotient = product * inverse;
  float rest = AG_FMAF(-quotient, divisor, product) + AG_FMAF(-quotient, divisor_tail, product_tail);
  return ag_scale_f(AG_FMAF(rest, inverse, quotient), k);
}

/* erf(x) for |x| < 1: x + x P(x^2), since 2 / sqrt(pi) itself is rounded. */
AG_FN float ag_erf_small_f(float x) {
  float z = x * x;
  float q = 0x1.496a1ep-14f;
  q = AG_FMAF(q, z, -0x1.a3f6f8p-11f);
  q = AG_FMAF(q, z, 0x1.5405b0p-8f);
  q = AG_FMAF(q, z, -0x1.b7f90cp-6f);
  q = AG_FMAF(q, z, 0x1.ce2cf8p-4f);
  q = AG_FMAF(q, z, -0x1.81273ep-2f);
  q = AG_FMAF(q, z, 0x1.06eba8p-3f);
  return AG_FMAF(q, x, x);
}

/* erfc: 1 - erf below 1/2.  Max ULP 2.5. */
AG_FN float v_erfcf(float x) {
  float a = AG_ABSF(x);
  float r = ag_erfc_positive_f(a);
  r = x < 0.0f ? 2.0f - r : r;
  return a > 0.5f ? r : 1.0f - ag_erf_small_f(x);
}

/* erf: above 0.92 it is 1 - 2^P(|x|), where errors of the power hardly count.  Max ULP 1.5. */
AG_FN float v_erff(float x) {
  float a = AG_ABSF(x);
  float b = a > 4.0f ? 4.0f : a;
  float p = 0x1.26e8bcp-12f;
  p = AG_FMAF(p, b, -0x1.1ed480p-8f);
  p = AG_FMAF(p, b, 0x1.064032p-5f);
  p = AG_FMAF(p, b, -0x1.32dba2p-3f);
  p = AG_FMAF(p, b, -0x1.d6b902p-1f);
  p = AG_FMAF(p, b, -0x1.a0776ep0f);
  p = AG_FMAF(p, b, -0x1.392ba2p-12f);
  float m = p + AG_MAGICF;
  float f = p - (m - AG_MAGICF);
  float e = 0x1.5c087ap-10f;
  e = AG_FMAF(e, f, 0x1.3d0c52p-7f);
  e = AG_FMAF(e, f, 0x1.c6b6e6p-5f);
  e = AG_FMAF(e, f, 0x1.ebf918p-3f);
  e = AG_FMAF(e, f, 0x1.62e428p-1f);
  e = AG_FMAF(e, f, 1.0f);
  float rest = ag_float_f(ag_bits_f(e) + ((ag_bits_f(m) - ag_bits_f(AG_MAGICF)) << 23));
  return a > 0.92f ? AG_COPYSIGNF(1.0f - rest, x) : ag_erf_small_f(x);
}

#endif
