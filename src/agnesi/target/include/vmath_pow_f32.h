/* Powers in single precision; part of vmath.h. */
#ifndef AG_VMATH_POW_F32_H
#define AG_VMATH_POW_F32_H

/* log(a) + shift log(2) = result + tail for normal a, to about 2^-33; as ag_log_wide of vmath_pow_f64.h, |w| < 0.21. */
AG_FN float ag_log_wide_f(float a, float shift, float *tail) {
  uint32_t shifted = ag_bits_f(a) - 0x3f51eb85u;
  float power = (float)((int32_t)shifted >> 23) + shift;
  float m = ag_float_f((shifted & 0x7fffffu) + 0x3f51eb85u);
  int above = m > 1.18f;
  float c = above ? 0.75f : 1.0f;
  float log_c = above ? 0x1.2698p-2f : 0.0f;
  float log_c_tail = above ? -0x1.deecb2p-18f : 0.0f;
  float f = AG_FMAF(m, c, -1.0f);
  float inverse = 2.0f / AG_FMAF(m, c, 1.0f);
  float w = f * inverse;
  float w_tail = AG_FMAF(w, -0.5f * f, f - w) * inverse;
  float z = w * w;
  float q = 0x1.2a120ep-9f;
  q = AG_FMAF(q, z, 0x1.998f6ep-7f);
  q = AG_FMAF(q, z, 0x1.555558p-4f);
  float whole = AG_FMAF(power, 0x1.62e4p-1f, log_c);
  float high = whole + w;
  float lost = (w - (high - whole)) + AG_FMAF(power, 0x1.7f7d1cp-20f, log_c_tail);
  lost = AG_FMAF(w_tail, AG_FMAF(0.25f, z, 1.0f), lost);
  *tail = AG_FMAF(w, z * q, lost);
  return high;
}

/* y log(x) = result + tail for positive normal x. */
AG_FN float v_pow_earlyf(float x, float y, float *tail) {
  float low;
  float high = ag_log_wide_f(x, -0.0f, &low);
  float t = y * high;
  *tail = AG_FMAF(y, low, AG_FMAF(y, high, -t));
  return t;
}

/* exp(t + low), which is normal. */
AG_FN float v_pow_latef(float t, float low) {
  int32_t k;
  float tail;
  float value = ag_exp_parts_f(t, low, &k, &tail);
  return ag_scale_near_f(value, k);
}

/* Not below 2^31 unless x is positive and normal and |t| < 86. */
AG_FN uint32_t v_pow_early_farf(float x, float t) {
  uint32_t bits = ag_bits_f(x);
  uint32_t size = ag_bits_f(AG_ABSF(t));
  return bits | (bits - 0x00800000u) | (0x7f7fffffu - bits) | (0x42ac0000u - size);
}

/* The same without the logarithm, to which the bits of x come within 0.09: |y log2(x)| < 120. */
AG_FN uint32_t v_pow_farf(float x, float y) {
  float log = (float)(int32_t)(ag_bits_f(x) - 0x3f800000u);
  return v_pow_early_farf(x, (AG_ABSF(log) + 0x1.7p19f) * y * 0x1.7p-24f);
}

AG_FN float v_pow_nearf(float x, float y) {
  float low;
  float t = v_pow_earlyf(x, y, &low);
  return v_pow_latef(t, low);
}

/* x to the power y = exp(y log |x|), the logarithm as a sum of two floats.  Max ULP 1.4.  The lines at the end are C99's
 * special cases; where none of them can be, v_pow_nearf gives the same bits. */
AG_FN float v_powf(float x, float y) {
  float a = AG_ABSF(x);
  float low;
  int small = a < 0x1p-126f;
  float high = ag_log_wide_f(small ? a * 0x1p23f : a, small ? -23.0f : -0.0f, &low);
  high = a == 0.0f ? -AG_INFF : high;
  high = a == AG_INFF ? a : high;
  float t = y * high;
  float t_tail = AG_FMAF(y, low, AG_FMAF(y, high, -t));
  t_tail = AG_ABSF(t) < 140.0f ? t_tail : 0.0f;
  t = t > 140.0f ? 140.0f : t;
  t = t < -140.0f ? -140.0f : t;
  int32_t k;
  float tail;
  float value = ag_exp_parts_f(t, t_tail, &k, &tail);
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
