/* Trigonometric functions in double precision; part of vmath.h. */
#ifndef AG_VMATH_TRIG_F64_H
#define AG_VMATH_TRIG_F64_H

/* x - y = difference + result, exactly, whichever is larger. */
AG_FN double ag_two_difference(double x, double y, double *difference) {
  *difference = x - y;
  double back = *difference - x;
  return (x - (*difference - back)) - (y + back);
}

/* Not below 2^63 for |x| > 2^30, infinity and NaN: where the reduction below is wrong. */
AG_FN uint64_t v_sin_far(double x) {
  return 0x41d0000000000000u - (ag_bits(x) & 0x7fffffffffffffffu);
}

/* Reduction for sin and cos: x = n pi/2 + result + tail, pi/2 in three parts, right for |x| <= 2^30.  The first
 * difference is exact; the tail is small beside the result, but not always below its last bit. */
AG_FN double ag_trig_reduce(double x, double *tail, uint64_t *n) {
  double m = AG_FMA(x, 0x1.45f306dc9c883p-1, AG_MAGIC);
  *n = ag_bits(m);
  m -= AG_MAGIC;
  double t = AG_FMA(m, -0x1.921fb54442d18p0, x);
  double w = m * 0x1.1a62633145c07p-54;
  double w_tail = AG_FMA(m, 0x1.1a62633145c07p-54, -w);
  double r;
  double r_tail = ag_two_difference(t, w, &r);
  *tail = AG_FMA(m, 0x1.f1976b7ed8fbcp-110, r_tail - w_tail);
  return r;
}

/* The same for 2^30 < |x| < infinity by 192 bits of 2/pi, from the one on that makes up two quarters with the last bit
 * of x (Payne and Hanek 1983); NaN for infinity and NaN. */
AG_SLOW double ag_trig_reduce_far(double x, double *tail, uint64_t *n) {
  static const uint64_t two_over_pi[] = {
    0, 0xa2f9836e4e441529u, 0xfc2757d1f534ddc0u, 0xdb6295993c439041u, 0xfe5163abdebbc561u,
    0xb7246e3a424dd2e0u, 0x06492eea09d1921cu, 0xfe1deb1cb129a73eu, 0xe88235f52ebb4484u, 0xe99c7026b45f7e41u,
    0x3991d639835339f4u, 0x9c845f8bbdf9283bu, 0x1ff897ffde05980fu, 0xef2f118b5a0a6d1fu, 0x6d367ecf27cb09b7u,
    0x4f463f669e5fea2du, 0x7527bac7ebe5f17bu, 0x3d0739f78a5292eau, 0x6bfb5fb11f8d5d08u, 0x56033046fc7b6babu,
  };
  uint64_t bits = ag_bits(x);
  uint64_t exponent = (bits >> 52) & 0x7ff;
  if (exponent == 0x7ff) {
    *tail = 0.0;
    *n = 0;
    return AG_NAN;
  }
  uint64_t whole = (bits & 0xfffffffffffffu) | 0x10000000000000u; /* |x| = whole 2^(exponent - 1075) */
  uint64_t place = exponent - 1075 - 2 + 64;
  const uint64_t *word = two_over_pi + (place >> 6);
  uint64_t shift = place & 63;
  uint64_t window[3];
  for (int k = 0; k < 3; k++) {
    window[k] = word[k] << shift | (shift ? word[k + 1] >> (64 - shift) : 0);
  }
  unsigned __int128 product = (unsigned __int128)whole * window[2] >> 64;
  product += (unsigned __int128)whole * window[1];
  product += (unsigned __int128)(whole * window[0]) << 64;
  uint64_t quarters = (uint64_t)(product >> 126);
  __int128 rest = (__int128)(product << 2);
  quarters += rest < 0;
  double high = (double)rest;
  double low = (double)(rest - (__int128)high);
  high *= bits >> 63 ? -0x1p-128 : 0x1p-128;
  low *= bits >> 63 ? -0x1p-128 : 0x1p-128;
  *n = bits >> 63 ? 0 - quarters : quarters;
  double r = high * 0x1.921fb54442d18p0;
  *tail = AG_FMA(high, 0x1.921fb54442d18p0, -r) + AG_FMA(high, 0x1.1a62633145c07p-54, low * 0x1.921fb54442d18p0);
  return r;
}

/* sin(r + tail) = r + result.  Polynomials by Estrin's scheme, since loops that feed a value back wait for them. */
AG_FN double ag_sin_rest(double r, double tail) {
  double z = r * r;
  double square = z * z;
  double high = AG_FMA(AG_FMA(0x1.5d76427861e31p-33, z, -0x1.ae5e4576d4598p-26), square,
                       AG_FMA(0x1.71de35b66f56p-19, z, -0x1.a01a019ce809ep-13));
  double q = AG_FMA(high, square, AG_FMA(0x1.11111111103fep-7, z, -0x1.5555555555553p-3));
  return AG_FMA(q * z, r, AG_FMA(tail, -0.5 * z, tail));
}

/* cos(r + tail) = result + rest. */
AG_FN double ag_cos_parts(double r, double tail, double *rest) {
  double z = r * r;
  double square = z * z;
  double high = AG_FMA(AG_FMA(-0x1.8fef9920d5e19p-37, z, 0x1.1eea93e69d37bp-29), square,
                       AG_FMA(-0x1.27e4f93c096b9p-22, z, 0x1.a01a019e9ae44p-16));
  double q = AG_FMA(high, square, AG_FMA(-0x1.6c16c16c16667p-10, z, 0x1.5555555555555p-5));
  double h = 0.5 * z;
  double w = 1.0 - h;
  *rest = ((1.0 - w) - h) + AG_FMA(square, q, -r * tail);
  return w;
}

/* sin(n pi/2 + r + tail). */
AG_FN double ag_sin_sum(double r, double tail, uint64_t n) {
  double c_tail;
  double s_tail = ag_sin_rest(r, tail);
  double c = ag_cos_parts(r, tail, &c_tail);
  double value = (n & 1) ? c + c_tail : r + s_tail;
  return ag_float(ag_bits(value) ^ (n & 2) << 62);
}

/* tan(n pi/2 + r + tail) = r (1 + z P(z) / Q(z)) with z = r^2 (relative error 2^-55); -1 / that in odd quadrants. */
AG_FN double ag_tan_sum(double r, double tail, uint64_t n) {
  double z = r * r;
  double p = AG_FMA(0x1.a56c17240843p-13, z, -0x1.50812a20b7ec8p-6);
  p = AG_FMA(p, z, 0x1.5555555555532p-2);
  double q = AG_FMA(-0x1.b51d4489e1cb8p-13, z, 0x1.7e79949365626p-6);
  q = AG_FMA(q, z, -0x1.d8b1d17fbcdc4p-2);
  q = AG_FMA(q, z, 1.0);
  double s = AG_FMA(q, r, AG_FMA(z * p, r, tail * q));
  return ((n & 1) ? -q : s) / ((n & 1) ? s : q);
}

/* sin, cos, tan for every finite x: max ULP 1.0, 1.0 and 2.2. Calls keep a loop scalar; in a block of arguments none
 * of which is far, v_sin_near and its kin give the same bits inline.  (A reduction without a branch, with gathers
 * from a table of 2/pi, would take 3.3 times as long for ordinary arguments, 2.3 times with AVX2.) */
AG_SLOW double ag_sin_far(double x) {
  uint64_t n;
  double tail;
  double r = ag_trig_reduce_far(x, &tail, &n);
  return ag_sin_sum(r, tail, n);
}

AG_SLOW double ag_cos_far(double x) {
  uint64_t n;
  double tail;
  double r = ag_trig_reduce_far(x, &tail, &n);
  return ag_sin_sum(r, tail, n + 1);
}

AG_SLOW double ag_tan_far(double x) {
  uint64_t n;
  double tail;
  double r = ag_trig_reduce_far(x, &tail, &n);
  return ag_tan_sum(r, tail, n);
}

AG_FN double v_sin_near(double x) {
  uint64_t n;
  double tail;
  double r = ag_trig_reduce(x, &tail, &n);
  double value = ag_sin_sum(r, tail, n);
  return x == 0.0 ? x : value;
}

AG_FN double v_cos_near(double x) {
  uint64_t n;
  double tail;
  double r = ag_trig_reduce(x, &tail, &n);
  return ag_sin_sum(r, tail, n + 1);
}

AG_FN double v_tan_near(double x) {
  uint64_t n;
  double tail;
  double r = ag_trig_reduce(x, &tail, &n);
  double value = ag_tan_sum(r, tail, n);
  return x == 0.0 ? x : value;
}

/* Up to pi/4 there is nothing to take off, and nothing to wait for. */
AG_FN double v_sin(double x) {
  if (AG_ABS(x) < 0.785) {
    return x == 0.0 ? x : x + ag_sin_rest(x, 0.0);
  }
  return v_sin_far(x) >> 63 ? ag_sin_far(x) : v_sin_near(x);
}

AG_FN double v_cos(double x) {
  if (AG_ABS(x) < 0.785) {
    double rest;
    double c = ag_cos_parts(x, 0.0, &rest);
    return c + rest;
  }
  return v_sin_far(x) >> 63 ? ag_cos_far(x) : v_cos_near(x);
}

AG_FN double v_tan(double x) {
  return v_sin_far(x) >> 63 ? ag_tan_far(x) : v_tan_near(x);
}

/* quarters pi/2 + arctan(t + tail) for |t| <= 1. */
AG_FN double ag_atan_poly(double t, double tail, double quarters) {
  double z = t * t;
  double q = -0x1.8d087295ab9f4p-17;
  q = AG_FMA(q, z, 0x1.1f0adb240a1fbp-13);
  q = AG_FMA(q, z, -0x1.8a2f3ae537bb1p-11);
  q = AG_FMA(q, z, 0x1.57cc888719aap-9);
  q = AG_FMA(q, z, -0x1.aef1a8e977bf8p-8);
  q = AG_FMA(q, z, 0x1.a1fe88baf72d4p-7);
  q = AG_FMA(q, z, -0x1.4b974a27ac39fp-6);
  q = AG_FMA(q, z, 0x1.c3ac54a572735p-6);
  q = AG_FMA(q, z, -0x1.147b2825d82f6p-5);
  q = AG_FMA(q, z, 0x1.3d3f26d5ea7ffp-5);
  q = AG_FMA(q, z, -0x1.60ebd1489b946p-5);
  q = AG_FMA(q, z, 0x1.854a7b99af61dp-5);
  q = AG_FMA(q, z, -0x1.af00bd568a3d2p-5);
  q = AG_FMA(q, z, 0x1.e1dc0d7679adcp-5);
  q = AG_FMA(q, z, -0x1.1110bfea8ed5ep-4);
  q = AG_FMA(q, z, 0x1.3b13aaf4aba4ap-4);
  q = AG_FMA(q, z, -0x1.745d16f26d0a3p-4);
  q = AG_FMA(q, z, 0x1.c71c71c472843p-4);
  q = AG_FMA(q, z, -0x1.249249248c7dap-3);
  q = AG_FMA(q, z, 0x1.99999999998f9p-3);
  q = AG_FMA(q, z, -0x1.5555555555555p-2);
  tail = AG_FMA(q * z, t, AG_FMA(quarters, 0x1.1a62633145c07p-54, tail));
  double base = quarters * 0x1.921fb54442d18p0;
  double value = base + t;
  return value + ((t - (value - base)) + tail);
}

/* atan = h pi/2 + atan(t) with |t| <= sqrt(2) - 1: h = 0 and t = x, h = 1/2 and t = (x - 1) / (x + 1), h = 1 and t = -1 / x.
 * Max ULP 2. */
AG_FN double v_atan(double x) {
  double a = AG_ABS(x);
  int above = a > 0x1.a827999fcef32p-2;
  int far = a > 0x1.3504f333f9de6p1;
  double over = far ? -1.0 : (above ? a - 1.0 : a);
  double under = far ? a : (above ? a + 1.0 : 1.0);
  double t = over / under;
  double h = far ? 1.0 : (above ? 0.5 : 0.0);
  double z = t * t;
  double q = -0x1.25887944ce372p-6;
  q = AG_FMA(q, z, 0x1.37e38078ba2d9p-5);
  q = AG_FMA(q, z, -0x1.9cd837e2d1c7p-5);
  q = AG_FMA(q, z, 0x1.df1082bb465p-5);
  q = AG_FMA(q, z, -0x1.10ebcd900913cp-4);
  q = AG_FMA(q, z, 0x1.3b111af4725f2p-4);
  q = AG_FMA(q, z, -0x1.745cf8f6248a3p-4);
  q = AG_FMA(q, z, 0x1.c71c70e6e692fp-4);
  q = AG_FMA(q, z, -0x1.24924922af419p-3);
  q = AG_FMA(q, z, 0x1.99999999958ap-3);
  q = AG_FMA(q, z, -0x1.555555555553dp-2);
  double rest = AG_FMA(q * z, t, h * 0x1.1a62633145c07p-54);
  return AG_COPYSIGN(AG_FMA(h, 0x1.921fb54442d18p0, t + rest), x);
}

/* The angle of the point (x, y) by the ratio of the smaller coordinate to the larger, which is 1 where both are infinite
 * and 0 where both are 0.  Max ULP 1.8. */
AG_FN double v_atan2(double y, double x) {
  double a = AG_ABS(y);
  double b = AG_ABS(x);
  int above = a > b;
  double larger = above ? a : b;
  double smaller = above ? b : a;
  double t = smaller / larger;
  double equal = larger == 0.0 ? 0.0 : 1.0;
  t = smaller == larger ? equal : t;
  int left = (int)(ag_bits(x) >> 63);
  double quarters = left ? 2.0 : 0.0;
  quarters = above ? 1.0 : quarters;
  t = above ^ left ? -t : t;
  return AG_COPYSIGN(ag_atan_poly(t, 0.0, quarters), y);
}

/* (arcsin(s) - s) / s for s^2 = z <= 1/4. */
AG_FN double ag_asin_poly(double z) {
  double q = 0x1.d72b2bc8155f8p-6;
  q = AG_FMA(q, z, -0x1.e6aaa8a0a04ccp-7);
  q = AG_FMA(q, z, 0x1.1d189408314eep-6);
  q = AG_FMA(q, z, 0x1.65a9c4dfcf8b2p-8);
  q = AG_FMA(q, z, 0x1.52420b04b37bep-7);
  q = AG_FMA(q, z, 0x1.782651caa6547p-7);
  q = AG_FMA(q, z, 0x1.c9cf07674736ap-7);
  q = AG_FMA(q, z, 0x1.1c4d35cf95421p-6);
  q = AG_FMA(q, z, 0x1.6e8bb1c8209a2p-6);
  q = AG_FMA(q, z, 0x1.f1c71c1db0623p-6);
  q = AG_FMA(q, z, 0x1.6db6db6e31f13p-5);
  q = AG_FMA(q, z, 0x1.3333333332ecap-4);
  q = AG_FMA(q, z, 0x1.5555555555556p-3);
  return q * z;
}

/* asin = pi/2 - 2 arcsin(sqrt((1 - x) / 2)) above 1/2.  Max ULP 1.6; NaN beyond 1. */
AG_FN double v_asin(double x) {
  double a = AG_ABS(x);
  double half = AG_FMA(a, -0.5, 0.5);
  double s = a > 0.5 ? AG_SQRT(half) : a;
  double rest = s * ag_asin_poly(a > 0.5 ? half : a * a);
  double value = a > 0.5 ? AG_FMA(rest, -2.0, 0x1.1a62633145c07p-54) - 2.0 * s : s + rest;
  value = a > 0.5 ? 0x1.921fb54442d18p0 + value : value;
  return AG_COPYSIGN(value, x);
}

/* acos = 2 arcsin(sqrt((1 - x) / 2)) above 1/2, pi less that of -x below -1/2.  Max ULP 1.3; NaN beyond 1. */
AG_FN double v_acos(double x) {
  double a = AG_ABS(x);
  double half = AG_FMA(a, -0.5, 0.5);
  double s = a > 0.5 ? AG_SQRT(half) : x;
  double rest = s * ag_asin_poly(a > 0.5 ? half : a * a);
  double factor = a > 0.5 ? AG_COPYSIGN(2.0, x) : -1.0;
  double base = x < -0.5 ? 0x1.921fb54442d18p1 : 0x1.921fb54442d18p0;
  base = x > 0.5 ? 0.0 : base;
  return base + AG_FMA(factor, s, factor * rest);
}

#endif
