/* Powers in double precision; part of vmath.h. */
#ifndef AG_VMATH_POW_F64_H
#define AG_VMATH_POW_F64_H

/* log(a) + shift log(2) = result + tail for normal a, to about 2^-66:
 * log(m) = 2 s (1 + z (1/3 + z Q(z))), where s, z = s^2 and the factor of z are sums of two doubles. */
AG_FN double ag_log_wide(double a, double shift, double *tail) {
  double power;
  uint64_t biased;
  double f = ag_log_split(a, &power, &biased);
  power += shift;
  double inverse = 1.0 / (2.0 + f);
  double s = f * inverse;
  double s_tail = AG_FMA(-s, f, AG_FMA(-2.0, s, f)) * inverse;
  double z = s * s;
  double z_tail = AG_FMA(s, s, -z) + 2.0 * s * s_tail;
  double q = 0x1.db156dec3600ep-5;
  q = AG_FMA(q, z, 0x1.e00ed3fb0022ap-5);
  q = AG_FMA(q, z, 0x1.1115831b8c7fdp-4);
  q = AG_FMA(q, z, 0x1.3b13a8e578d3cp-4);
  q = AG_FMA(q, z, 0x1.745d173ef74c2p-4);
  q = AG_FMA(q, z, 0x1.c71c71c74a4a4p-4);
  q = AG_FMA(q, z, 0x1.2492492492304p-3);
  q = AG_FMA(q, z, 0x1.999999999999ap-3);
  q *= z;
  double c = 0x1.5555555555555p-2 + q;
  double c_tail = (q - (c - 0x1.5555555555555p-2)) + 0x1.5555555555555p-56;
  double u = z * c;
  double u_tail = AG_FMA(z, c, -u) + AG_FMA(z, c_tail, z_tail * c);
  double v = s * u;
  double v_tail = AG_FMA(s, u, -v) + AG_FMA(s, u_tail, s_tail * u);
  double log = s + v;
  double log_tail = (v - (log - s)) + (v_tail + s_tail);
  log += log;
  log_tail = AG_FMA(power, 0x1.ef35793c7673p-45, log_tail + log_tail);
  double whole = power * 0x1.62e42fefa38p-1;
  double high = whole + log;
  *tail = (log - (high - whole)) + log_tail;
  return high;
}

/* Not below 2^63 unless x is positive and normal and |y log2(x)| < 1020; the bits of x are a logarithm within 0.09. */
AG_FN uint64_t v_pow_far(double x, double y) {
  uint64_t bits = ag_bits(x);
  double log = ag_float(bits >> 32 | 0x4330000000000000u) - (0x1p52 + 0x3ff00000);
  uint64_t size = ag_bits(AG_ABS((AG_ABS(log) + 0x1.7p16) * y));
  return bits | (bits - 0x0010000000000000u) | (0x7fefffffffffffffu - bits) | (0x41cfe00000000000u - size);
}

AG_FN double v_pow_near(double x, double y) {
  double low;
  double high = ag_log_wide(x, 0.0, &low);
  double t = y * high;
  int64_t k;
  double tail;
  double value = ag_exp_parts(t, AG_FMA(y, low, AG_FMA(y, high, -t)), &k, &tail);
  return ag_scale_near(value, k);
}

/* x to the power y = exp(y log |x|) with the logarithm as a sum of two doubles.  Max ULP 1.2.  Where none of the special
 * cases at the end can be, v_pow_near gives the same bits. */
AG_FN double v_pow(double x, double y) {
  double a = AG_ABS(x);
  double low;
  int small = a < 0x1p-1022;
  double high = ag_log_wide(small ? a * 0x1p54 : a, small ? -54.0 : 0.0, &low);
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
