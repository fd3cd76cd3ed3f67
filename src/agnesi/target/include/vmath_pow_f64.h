/* Powers in double precision; part of vmath.h. */
#ifndef AG_VMATH_POW_F64_H
#define AG_VMATH_POW_F64_H

/* log(a) + shift log(2) = result + tail for normal a, to about 2^-62, |tail| < 2^-9 |result|: a = 2^k m with m from 0.8945
 * on, and c near 1/m of so few bits that f = m c - 1 is exact, 1 where the logarithm is small; log(m c) is w + w^3 Q(w^2) with
 * w = 2 f / (2 + f), |w| < 0.15. */
AG_FN double ag_log_wide(double a, double shift, double *tail) {
  uint64_t shifted = ag_bits(a) - 0x3fec9fbe76c8b439u + ((uint64_t)1024 << 52);
  double power = ag_float(shifted >> 52 | 0x4330000000000000u) - (0x1p52 + 1024.0) + shift;
  double m = ag_float((shifted & 0xfffffffffffffu) + 0x3fec9fbe76c8b439u);
  int above = m > 1.11, far_above = m > 1.38;
  double c = above ? 0.8125 : 1.0;
  double log_c = above ? 0x1.a93ed3c8aep-3 : 0.0;
  double log_c_tail = above ? -0x1.8724350562169p-45 : 0.0;
  c = far_above ? 0.625 : c;
  log_c = far_above ? 0x1.e148a1a272p-2 : log_c;
  log_c_tail = far_above ? 0x1.b36537e3375b2p-44 : log_c_tail;
  double f = AG_FMA(m, c, -1.0);
  double inverse = 2.0 / AG_FMA(m, c, 1.0);
  double w = f * inverse;
  double w_tail = AG_FMA(w, -0.5 * f, f - w) * inverse;
  double z = w * w;
  double q = 0x1.407af16a38ecap-16;
  q = AG_FMA(q, z, 0x1.745278f09df5fp-14);
  q = AG_FMA(q, z, 0x1.c71c7c048ee61p-12);
  q = AG_FMA(q, z, 0x1.2492492213d86p-9);
  q = AG_FMA(q, z, 0x1.999999999a28ap-7);
  q = AG_FMA(q, z, 0x1.5555555555555p-4);
  double whole = AG_FMA(power, 0x1.62e42fefa38p-1, log_c);
  double high = whole + w;
  double lost = (w - (high - whole)) + AG_FMA(power, 0x1.ef35793c7673p-45, log_c_tail);
  lost = AG_FMA(w_tail, AG_FMA(0.25, z, 1.0), lost);
  *tail = AG_FMA(w, z * q, lost);
  return high;
}

/* y log(x) = result + tail for positive normal x. */
AG_FN double v_pow_early(double x, double y, double *tail) {
  double low;
  double high = ag_log_wide(x, -0.0, &low);
  double t = y * high;
  *tail = AG_FMA(y, low, AG_FMA(y, high, -t));
  return t;
}

/* exp(t + low), which is normal. */
AG_FN double v_pow_late(double t, double low) {
  int64_t k;
  double tail;
  double value = ag_exp_parts(t, low, &k, &tail);
  return ag_scale_near(value, k);
}

/* Not below 2^63 unless x is positive and normal and |t| < 704. */
AG_FN uint64_t v_pow_early_far(double x, double t) {
  uint64_t bits = ag_bits(x);
  uint64_t size = ag_bits(AG_ABS(t));
  return bits | (bits - 0x0010000000000000u) | (0x7fefffffffffffffu - bits) | (0x4086000000000000u - size);
}

/* The same without the logarithm, to which the bits of x come within 0.09: |y log2(x)| < 980. */
AG_FN uint64_t v_pow_far(double x, double y) {
  double log = ag_float(ag_bits(x) >> 32 | 0x4330000000000000u) - (0x1p52 + 0x3ff00000);
  return v_pow_early_far(x, (AG_ABS(log) + 0x1.7p16) * y * 0x1.7p-21);
}

AG_FN double v_pow_near(double x, double y) {
  double low;
  double t = v_pow_early(x, y, &low);
  return v_pow_late(t, low);
}

/* x to the power y = exp(y log |x|) with the logarithm as a sum of two doubles.  Max ULP 2.2.  Where none of the special
 * cases at the end can be, v_pow_near gives the same bits. */
AG_FN double v_pow(double x, double y) {
  double a = AG_ABS(x);
  double low;
  int small = a < 0x1p-1022;
  double high = ag_log_wide(small ? a * 0x1p54 : a, small ? -54.0 : -0.0, &low);
  high = a == 0.0 ? -AG_INF : high;
  high = a == AG_INF ? a : high;
  double t = y * high;
  double t_tail = AG_FMA(y, low, AG_FMA(y, high, -t));
  t_tail = AG_ABS(t) < 1000.0 ? t_tail : 0.0;
  t = t > 1000.0 ? 1000.0 : t;
  t = t < -1000.0 ? -1000.0 : t;
  int64_t k;
  double tail;
  double value = ag_exp_parts(t, t_tail, &k, &tail);
  value = ag_scale(value, k);
  double half = 0.5 * y;
  int integer = AG_TRUNC(y) == y;
  int odd = integer & (AG_TRUNC(half) != half);
  value = a == 1.0 ? 1.0 : value;
  value = odd ? AG_COPYSIGN(value, x) : value;
  value = ((x < 0.0) & !integer & (a != AG_INF)) ? AG_NAN : value;
  value = ((x != x) | (y != y)) ? x + y : value;
  return ((x == 1.0) | (y == 0.0)) ? 1.0 : value;
}

#endif
