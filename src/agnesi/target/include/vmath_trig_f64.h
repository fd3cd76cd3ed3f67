/* Trigonometric functions in double precision; part of vmath.h. */
#ifndef AG_VMATH_TRIG_F64_H
#define AG_VMATH_TRIG_F64_H

/* x - y = difference + result, exactly, whichever is larger. */
AG_FN double ag_two_difference(double x, double y, double *difference) {
  *difference = x - y;
  double back = *difference - x;
  return (x - (*difference - back)) - (y + back);
}

/* Reduction for sin and cos: x = n pi/2 + result + tail, pi/2 in three parts, right for |x| <= 2^50. */
AG_FN double ag_trig_reduce(double x, double *tail, uint64_t *n) {
  double m = AG_FMA(x, 0x1.45f306dc9c883p-1, AG_MAGIC);
  *n = ag_bits(m);
  m -= AG_MAGIC;
  double t = AG_FMA(m, -0x1.921fb54442d18p0, x);
  double w = m * 0x1.1a62633145c07p-54;
  double w_tail = AG_FMA(m, 0x1.1a62633145c07p-54, -w);
  double high;
  double low;
  double high_tail = ag_two_difference(t, w, &high);
  double low_tail = ag_two_difference(high, w_tail, &low);
  *tail = AG_FMA(m, 0x1.f1976b7ed8fbcp-110, high_tail + low_tail);
  return low;
}

/* sin(r + tail) = r + result. */
AG_FN double ag_sin_rest(double r, double tail) {
  double z = r * r;
  double q = 0x1.5d76427861e31p-33;
  q = AG_FMA(q, z, -0x1.ae5e4576d4598p-26);
  q = AG_FMA(q, z, 0x1.71de35b66f56p-19);
  q = AG_FMA(q, z, -0x1.a01a019ce809ep-13);
  q = AG_FMA(q, z, 0x1.11111111103fep-7);
  q = AG_FMA(q, z, -0x1.5555555555553p-3);
  return AG_FMA(q * z, r, AG_FMA(tail, -0.5 * z, tail));
}

/* cos(r + tail) = result + rest. */
AG_FN double ag_cos_parts(double r, double tail, double *rest) {
  double z = r * r;
  double q = -0x1.8fef9920d5e19p-37;
  q = AG_FMA(q, z, 0x1.1eea93e69d37bp-29);
  q = AG_FMA(q, z, -0x1.27e4f93c096b9p-22);
  q = AG_FMA(q, z, 0x1.a01a019e9ae44p-16);
  q = AG_FMA(q, z, -0x1.6c16c16c16667p-10);
  q = AG_FMA(q, z, 0x1.5555555555555p-5);
  double h = 0.5 * z;
  double w = 1.0 - h;
  *rest = ((1.0 - w) - h) + AG_FMA(z * z, q, -r * tail);
  return w;
}

/* sin: max ULP 1.0 for |x| <= 2^50; beyond that NaN, as at infinity: a reduction for every x, with a table of 2/pi and
 * gathers from it, would take 3.3 times as long for ordinary arguments (2.3 times with AVX2). */
AG_FN double v_sin(double x) {
  uint64_t n;
  double tail;
  double r = ag_trig_reduce(x, &tail, &n);
  double c_tail;
  double s_tail = ag_sin_rest(r, tail);
  double c = ag_cos_parts(r, tail, &c_tail);
  double value = (n & 1) ? c + c_tail : r + s_tail;
  value = ag_float(ag_bits(value) ^ (n & 2) << 62);
  value = AG_ABS(x) <= 0x1p50 ? value : AG_NAN;
  return x == 0.0 ? x : value;
}

/* cos: as v_sin. */
AG_FN double v_cos(double x) {
  uint64_t n;
  double tail;
  double r = ag_trig_reduce(x, &tail, &n);
  double c_tail;
  double s_tail = ag_sin_rest(r, tail);
  double c = ag_cos_parts(r, tail, &c_tail);
  double value = (n & 1) ? r + s_tail : c + c_tail;
  value = ag_float(ag_bits(value) ^ ((n + 1) & 2) << 62);
  return AG_ABS(x) <= 0x1p50 ? value : AG_NAN;
}

/* tan = sin / cos of the rest r, the parts of both that their sums lose carried to a correction of the quotient;
 * -cos / sin in odd quadrants.  Max ULP 1.2, range as v_sin. */
AG_FN double v_tan(double x) {
  uint64_t n;
  double tail;
  double r = ag_trig_reduce(x, &tail, &n);
  double s_tail = ag_sin_rest(r, tail);
  double c_tail;
  double c = ag_cos_parts(r, tail, &c_tail);
  double s = r + s_tail;
  s_tail = (r - s) + s_tail;
  double cosine = c + c_tail;
  c_tail = (c - cosine) + c_tail;
  int odd = (int)(n & 1);
  double above = odd ? -cosine : s;
  double above_tail = odd ? -c_tail : s_tail;
  double below = odd ? s : cosine;
  double below_tail = odd ? s_tail : c_tail;
  double inverse = 1.0 / below;
  double t = above * inverse;
  double rest = AG_FMA(-t, below, above) + AG_FMA(-t, below_tail, above_tail);
  t = AG_FMA(rest, inverse, t);
  t = AG_ABS(x) <= 0x1p50 ? t : AG_NAN;
  return x == 0.0 ? x : t;
}

/* arctan(y / x) = octants pi/4 + arctan(t + tail) for x, y >= 0, not both 0: t = y / x, (y - x) / (y + x) or -x / y,
 * |t| <= sqrt(2) - 1, with its rounding error. */
AG_FN double ag_atan_reduce(double y, double x, double *octants, double *tail) {
  int some = y > 0x1.a8p-2 * x;
  int most = y > 0x1.35p1 * x;
  double sum = y + x;
  double sum_tail = (y > x ? y - sum : x - sum) + (y > x ? x : y);
  double difference = y - x;
  double difference_tail = y > x ? (y - difference) - x : y - (difference + x);
  double above = some ? difference : y;
  double above_tail = some ? difference_tail : 0.0;
  double below = some ? sum : x;
  double below_tail = some ? sum_tail : 0.0;
  above = most ? -x : above;
  above_tail = most ? 0.0 : above_tail;
  below = most ? y : below;
  below_tail = most ? 0.0 : below_tail;
  *octants = some ? 1.0 : 0.0;
  *octants = most ? 2.0 : *octants;
  double inverse = 1.0 / below;
  double t = above * inverse;
  double rest = AG_FMA(-t, below, above) + AG_FMA(-t, below_tail, above_tail);
  *tail = rest * inverse;
  return t;
}

/* octants pi/4 + arctan(t + tail). */
AG_FN double ag_atan_poly(double t, double tail, double octants) {
  double z = t * t;
  double q = -0x1.3a31b1c0fd3b7p-6;
  q = AG_FMA(q, z, 0x1.4162c02b1dda3p-5);
  q = AG_FMA(q, z, -0x1.a0999c632b6edp-5);
  q = AG_FMA(q, z, 0x1.dfe6497e96323p-5);
  q = AG_FMA(q, z, -0x1.10fa77b1a6d57p-4);
  q = AG_FMA(q, z, 0x1.3b1263064f6b9p-4);
  q = AG_FMA(q, z, -0x1.745d0b28a7e37p-4);
  q = AG_FMA(q, z, 0x1.c71c71853d7fap-4);
  q = AG_FMA(q, z, -0x1.2492492436201p-3);
  q = AG_FMA(q, z, 0x1.999999999934cp-3);
  q = AG_FMA(q, z, -0x1.5555555555555p-2);
  tail = AG_FMA(q * z, t, AG_FMA(octants, 0x1.1a62633145c07p-55, tail));
  double base = octants * 0x1.921fb54442d18p-1;
  double value = base + t;
  return value + ((t - (value - base)) + tail);
}

/* atan: max ULP 0.9. */
AG_FN double v_atan(double x) {
  double a = AG_ABS(x);
  double b = a > 0x1p60 ? 0x1p60 : a;
  double octants;
  double tail;
  double t = ag_atan_reduce(b, 1.0, &octants, &tail);
  double value = ag_atan_poly(t, tail, octants);
  value = a < 0x1p-28 ? a : value;
  value = x != x ? x : value;
  return AG_COPYSIGN(value, x);
}

/* The angle of the point (x, y), both scaled where y + x or 1 / x would leave the normal range.  Max ULP 1.2. */
AG_FN double v_atan2(double y, double x) {
  double a = AG_ABS(y);
  double b = AG_ABS(x);
  int equal = a == b; /* 0 / 0 and inf / inf are the angles of (1, 0) and (1, 1) */
  int unbounded = (a == AG_INF) | (b == AG_INF);
  double larger = a > b ? a : b;
  double scale = larger > 0x1p1000 ? 0x1p-500 : 1.0;
  scale = larger < 0x1p-500 ? 0x1p600 : scale;
  double v = unbounded ? (a == AG_INF ? 1.0 : 0.0) : a * scale;
  double u = unbounded ? (b == AG_INF ? 1.0 : 0.0) : b * scale;
  u = (equal & (a == 0.0)) ? 1.0 : u;
  double octants;
  double tail;
  double t = ag_atan_reduce(v, u, &octants, &tail);
  int left = (int)(ag_bits(x) >> 63);
  octants = left ? 4.0 - octants : octants;
  t = left ? -t : t;
  tail = left ? -tail : tail;
  double value = ag_atan_poly(t, tail, octants);
  value = ((x != x) | (y != y)) ? AG_NAN : value;
  return AG_COPYSIGN(value, y);
}

/* arcsin(s + s_tail) = s + result for |s| <= 1/2. */
AG_FN double ag_asin_rest(double s, double z, double tail) {
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
  return AG_FMA(q * z, s, tail);
}

/* s + tail = sqrt((1 - a) / 2) and its square z for a > 1/2; |x| itself below. */
AG_FN double ag_asin_reduce(double a, double *z, double *tail) {
  double half = AG_FMA(a, -0.5, 0.5);
  double root = AG_SQRT(half);
  double root_tail = AG_FMA(-root, root, half) * 0.5 / (root + 0x1p-1000);
  *z = a > 0.5 ? half : a * a;
  *tail = a > 0.5 ? root_tail : 0.0;
  return a > 0.5 ? root : a;
}

/* asin = pi/2 - 2 arcsin(sqrt((1 - x) / 2)) above 1/2.  Max ULP 0.7; NaN beyond 1. */
AG_FN double v_asin(double x) {
  double a = AG_ABS(x);
  double z;
  double tail;
  double s = ag_asin_reduce(a, &z, &tail);
  double rest = ag_asin_rest(s, z, tail);
  double high = 0x1.921fb54442d18p0 - 2.0 * s;
  double low = (0x1.921fb54442d18p0 - high) - 2.0 * s;
  double value = a > 0.5 ? high + (low + AG_FMA(rest, -2.0, 0x1.1a62633145c07p-54)) : s + rest;
  return AG_COPYSIGN(value, x);
}

/* acos = 2 arcsin(sqrt((1 - x) / 2)) above 1/2, pi less that of -x below -1/2.  Max ULP 0.7; NaN beyond 1. */
AG_FN double v_acos(double x) {
  double a = AG_ABS(x);
  double z;
  double tail;
  double s = ag_asin_reduce(a, &z, &tail);
  double rest = ag_asin_rest(s, z, tail);
  double factor = a > 0.5 ? 2.0 : 1.0;
  factor = (x > 0.5) | ((x < 0.0) & (a <= 0.5)) ? factor : -factor;
  double base = x < -0.5 ? 0x1.921fb54442d18p1 : 0x1.921fb54442d18p0;
  double base_tail = x < -0.5 ? 0x1.1a62633145c07p-53 : 0x1.1a62633145c07p-54;
  base = x > 0.5 ? 0.0 : base;
  base_tail = x > 0.5 ? 0.0 : base_tail;
  double step = factor * s;
  double value = base + step;
  return value + (((base - value) + step) + AG_FMA(factor, rest, base_tail));
}

#endif
