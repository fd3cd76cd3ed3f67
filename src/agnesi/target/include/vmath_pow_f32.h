/* Powers in single precision; part of vmath.h. */
#ifndef AG_VMATH_POW_F32_H
#define AG_VMATH_POW_F32_H

/* log2(a) + shift = result + tail for normal a: log2(m) = s (C + z Q(z)) with s = f / (2 + f), z = s^2. */
AG_FN float ag_log2_wide_f(float a, float shift, float *tail) {
  int32_t k;
  float f = ag_log_split_f(a, &k);
  float exponent = (float)k + shift;
  float inverse = 1.0f / (2.0f + f);
  float s = f * inverse;
  float s_tail = AG_FMAF(-s, f, AG_FMAF(-2.0f, s, f)) * inverse;
  float z = s * s;
  float q = 0x1.559bep-2f;
  q = AG_FMAF(q, z, 0x1.a5f254p-2f);
  q = AG_FMAF(q, z, 0x1.2776b2p-1f);
  q = AG_FMAF(q, z, 0x1.ec709ep-1f);
  float first = s * 0x1.715476p1f;
  float log_tail = AG_FMAF(s, 0x1.715476p1f, -first);
  log_tail = AG_FMAF(s, 0x1.4ae0cp-25f, AG_FMAF(s_tail, 0x1.715476p1f, log_tail));
  float others = s * (z * q);
  float log = first + others;
  log_tail += others - (log - first);
  float high = exponent + log;
  *tail = (log - (high - exponent)) + log_tail;
  return high;
}

/* 2^(t + tail) = result 2^k. */
AG_FN float ag_exp2_parts_f(float t, float tail, int32_t *k) {
  float m = t + AG_MAGICF;
  *k = (int32_t)(ag_bits_f(m) - ag_bits_f(AG_MAGICF));
  float r = (t - (m - AG_MAGICF)) + tail;
  float e = 0x1.442776p-13f;
  e = AG_FMAF(e, r, 0x1.5ef758p-10f);
  e = AG_FMAF(e, r, 0x1.3b2a46p-7f);
  e = AG_FMAF(e, r, 0x1.c6af9ap-5f);
  e = AG_FMAF(e, r, 0x1.ebfbep-3f);
  e = AG_FMAF(e, r, 0x1.62e43p-1f);
  return AG_FMAF(e, r, 1.0f);
}

/* Not below 2^31 unless x is positive and normal and |y log2(x)| < 125; the bits of x are a logarithm within 0.09. */
AG_FN uint32_t v_pow_farf(float x, float y) {
  uint32_t bits = ag_bits_f(x);
  float size = AG_ABSF((AG_ABSF((float)(int32_t)(bits - 0x3f800000u)) + 0x1.7p19f) * y);
  return bits | (bits - 0x00800000u) | (0x7f7fffffu - bits) | (0x4e780000u - ag_bits_f(size));
}

AG_FN float v_pow_nearf(float x, float y) {
  float low;
  float high = ag_log2_wide_f(x, 0.0f, &low);
  float t = y * high;
  int32_t k;
  float value = ag_exp2_parts_f(t, AG_FMAF(y, low, AG_FMAF(y, high, -t)), &k);
  return ag_scale_near_f(value, k);
}

/* x to the power y = 2^(y log2 |x|), the logarithm as a sum of two floats.  Max ULP 2.  The lines at the end are C99's
 * special cases; where none of them can be, v_pow_nearf gives the same bits. */
AG_FN float v_powf(float x, float y) {
  float a = AG_ABSF(x);
  float low;
  int small = a < 0x1p-126f;
  float high = ag_log2_wide_f(small ? a * 0x1p23f : a, small ? -23.0f : 0.0f, &low);
  high = a == 0.0f ? -AG_INFF : high;
  high = a == AG_INFF ? a : high;
  float t = y * high;
  float t_tail = AG_FMAF(y, low, AG_FMAF(y, high, -t));
  t_tail = AG_ABSF(t) < 200.0f ? t_tail : 0.0f;
  t = t > 200.0f ? 200.0f : t;
  t = t < -200.0f ? -200.0f : t;
  int32_t k;
  float value = ag_exp2_parts_f(t, t_tail, &k);
  value = ag_scale_f(value, k);
  float half = 0.5f * y;
  int integer = AG_TRUNCF(y) == y;
  int odd = integer & (AG_TRUNCF(half) != half);
  value = a == 1.0f ? 1.0f : value;
  value = odd ? AG_COPYSIGNF(value, x) : value;
  value = ((x < 0.0f) & !integer & (a != AG_INFF)) ? AG_NANF : value;
  value = ((x != x) | (y != y)) ? x + y : value;
  return ((x == 1.0f) | (y == 0.0f)) ? 1.0f : value;
}

#endif
