/* Exponentials and logarithms to other bases, cbrt, hypot, hyperbolic functions in double precision; part
 * of vmath.h. */
#ifndef AG_VMATH_HYP_F64_H
#define AG_VMATH_HYP_F64_H

/* 2^x = result 2^k. */
AG_FN double ag_exp2_parts(double x, int64_t *k) {
  double m = x + AG_MAGIC;
  *k = (int64_t)(ag_bits(m) - ag_bits(AG_MAGIC));
  double r = x - (m - AG_MAGIC);
  double q = 0x1.c4a29324a1038p-36;
  q = AG_FMA(q, r, 0x1.e9ec1fcb69a7fp-32);
  q = AG_FMA(q, r, 0x1.e4cf10dec0f59p-28);
  q = AG_FMA(q, r, 0x1.b524ebd13a55fp-24);
  q = AG_FMA(q, r, 0x1.62c02242b879cp-20);
  q = AG_FMA(q, r, 0x1.ffcbfc6da6ed1p-17);
  q = AG_FMA(q, r, 0x1.430912f86b7dbp-13);
  q = AG_FMA(q, r, 0x1.5d87fe78a3f9cp-10);
  q = AG_FMA(q, r, 0x1.3b2ab6fba4e79p-7);
  q = AG_FMA(q, r, 0x1.c6b08d704a0c6p-5);
  q = AG_FMA(q, r, 0x1.ebfbdff82c58fp-3);
  q = AG_FMA(q, r, 0x1.62e42fefa39efp-1);
  return AG_FMA(q, r, 1.0);
}

AG_FN double v_exp2_near(double x) {
  int64_t k;
  double p = ag_exp2_parts(x, &k);
  return ag_scale_near(p, k);
}

/* 2^x: max ULP 1.0. */
AG_FN double v_exp2(double x) {
  x = x > 1100.0 ? 1100.0 : x;
  x = x < -1100.0 ? -1100.0 : x;
  int64_t k;
  double p = ag_exp2_parts(x, &k);
  return ag_scale(p, k);
}

/* log2(2^k (1 + f)) = k + f / log(2) + the rest of the logarithm. */
AG_FN double ag_log2_poly(double f, double k) {
  double part = f * 0x1.71547652b82fep0;
  double part_tail = AG_FMA(f, 0x1.71547652b82fep0, -part);
  return k + (part + AG_FMA(ag_log_rest(f, 0.0, 0.0), 0x1.71547652b82fep0, part_tail));
}

AG_FN double v_log2_near(double x) {
  double k;
  uint64_t biased;
  double f = ag_log_split(x, &k, &biased);
  return ag_log2_poly(f, k);
}

/* log2: max ULP 1.2, exact at powers of 2. */
AG_FN double v_log2(double x) {
  double k;
  double f = ag_log_split_any(x, &k);
  return ag_log_special(x, ag_log2_poly(f, k));
}

/* log10(2^k (1 + f)), log10(2) in two parts of which the larger is short. */
AG_FN double ag_log10_poly(double f, double k) {
  double part = f * 0x1.bcb7b1526e50ep-2;
  double part_tail = AG_FMA(f, 0x1.bcb7b1526e50ep-2, -part);
  part_tail = AG_FMA(k, -0x1.80433b83b532ap-44, part_tail);
  return AG_FMA(k, 0x1.34413509f8p-2, part + AG_FMA(ag_log_rest(f, 0.0, 0.0), 0x1.bcb7b1526e50ep-2, part_tail));
}

AG_FN double v_log10_near(double x) {
  double k;
  uint64_t biased;
  double f = ag_log_split(x, &k, &biased);
  return ag_log10_poly(f, k);
}

/* log10: max ULP 1.1. */
AG_FN double v_log10(double x) {
  double k;
  double f = ag_log_split_any(x, &k);
  return ag_log_special(x, ag_log10_poly(f, k));
}

/* The cube root of a = |x|: the inverse root r from the bits, within 4 %, made better by a power series in 1 - a r^3 and once
 * more, then one step of Newton for t = a r^2.  Max ULP 0.7. */
AG_FN double v_cbrt(double x) {
  double a = AG_ABS(x);
  double normal = a < 0x1p-700 ? a * 0x1p300 : a; /* so that the last gap is no subnormal */
  double unscale = a < 0x1p-700 ? 0x1p-100 : 1.0;
  double high = ag_float((ag_bits(normal) >> 32) | 0x4330000000000000u) - 0x1p52;
  double r = ag_float(ag_bits(AG_FMA(high, -0x1.5555555555555p-2, 0x1.80000553ee8abp+52)) << 32);
  double e = AG_FMA(-(normal * r), r * r, 1.0);
  double q = 0x1.65dd86663fadbp-3;
  q = AG_FMA(q, e, 0x1.c9bc9cf94227bp-3);
  q = AG_FMA(q, e, 0x1.5553c631587b7p-2);
  r = AG_FMA(r * e, q, r);
  e = AG_FMA(-(normal * r), r * r, 1.0);
  r = AG_FMA(r * e, 0x1.5555555555555p-2, r);
  double square = r * r;
  double t = normal * square;
  double gap = AG_FMA(-t, t * t, normal);
  t = AG_FMA(gap * 0x1.5555555555555p-2, square, t) * unscale;
  return AG_COPYSIGN(a < AG_INF ? t : a, x);
}

/* sqrt(x^2 + y^2), scaled where a square would leave the normal range; infinite if either argument is.
 * Max ULP 1.1. */
AG_FN double v_hypot(double x, double y) {
  double a = AG_ABS(x);
  double b = AG_ABS(y);
  double larger = a > b ? a : b;
  double smaller = a > b ? b : a;
  double scale = larger > 0x1p500 ? 0x1p-600 : 1.0;
  double back = larger > 0x1p500 ? 0x1p600 : 1.0;
  scale = larger < 0x1p-500 ? 0x1p600 : scale;
  back = larger < 0x1p-500 ? 0x1p-600 : back;
  larger *= scale;
  smaller *= scale;
  double value = AG_SQRT(AG_FMA(larger, larger, smaller * smaller)) * back;
  return ((a == AG_INF) | (b == AG_INF)) ? AG_INF : value;
}

/* As ag_sinh_parts_f, for |x| < 710.7 (relative errors 2^-70 and 2^-62). */
AG_FN void ag_sinh_parts(double x, double *sum, double *difference, double *even, double *odd) {
  double a = AG_ABS(x);
  double b = a > 710.7 ? 710.7 : a;
  double m = AG_FMA(b, 0x1.71547652b82fep0, AG_MAGIC);
  uint64_t shifted = ag_bits(m) << 52;
  m -= AG_MAGIC;
  double r = AG_FMA(m, -0x1.62e42fefa38p-1, b);
  r = AG_FMA(m, -0x1.ef35793c7673p-45, r);
  double z = r * r;
  double q = 0x1.1f8b261337477p-29;
  q = AG_FMA(q, z, 0x1.27e4cc85a76d5p-22);
  q = AG_FMA(q, z, 0x1.a01a01ad4a0cap-16);
  q = AG_FMA(q, z, 0x1.6c16c16c1509bp-10);
  q = AG_FMA(q, z, 0x1.5555555555558p-5);
  q = AG_FMA(q, z, 0.5);
  double p = 0x1.af5e8891a95cdp-26;
  p = AG_FMA(p, z, 0x1.71ddf8734fb9fp-19);
  p = AG_FMA(p, z, 0x1.a01a01afd8779p-13);
  p = AG_FMA(p, z, 0x1.111111110f6cep-7);
  p = AG_FMA(p, z, 0x1.5555555555559p-3);
  double grown = ag_float(((uint64_t)1021 << 52) + shifted);
  int64_t less = (int64_t)(((uint64_t)1021 << 52) - shifted);
  double shrunk = ag_float((uint64_t)(less > 0 ? less : 0));
  *sum = grown + shrunk;
  *difference = grown - shrunk;
  *even = q * z;
  *odd = AG_FMA(p * z, r, r);
}

/* sinh: max ULP 2.1. */
AG_FN double v_sinh(double x) {
  double sum;
  double difference;
  double even;
  double odd;
  ag_sinh_parts(x, &sum, &difference, &even, &odd);
  double half = difference + AG_FMA(difference, even, sum * odd);
  return AG_COPYSIGN(2.0 * half, x);
}

/* cosh: max ULP 1.6. */
AG_FN double v_cosh(double x) {
  double sum;
  double difference;
  double even;
  double odd;
  ag_sinh_parts(x, &sum, &difference, &even, &odd);
  return 2.0 * (sum + AG_FMA(difference, odd, sum * even));
}

/* asinh(a) = log1p(a + (sqrt(1 + a^2) - 1)), the errors of the sum and of its root carried along up to 1; log(2a) for
 * large a.  Max ULP 2. */
AG_FN double v_asinh(double x) {
  double a = AG_ABS(x);
  int large = a > 0x1p55;
  double b = large ? 1.0 : a;
  double square = b * b;
  double sum = 1.0 + square;
  double sum_tail = (square - (sum - 1.0)) + AG_FMA(b, b, -square);
  double root = AG_SQRT(sum);
  double root_tail = 0.5 * (AG_FMA(-root, root, sum) + sum_tail);
  double u = (b + (root - 1.0)) + (b > 1.0 ? 0.0 : root_tail);
  double value = ag_log1p(large ? a : u);
  value = large ? value + 0x1.62e42fefa39efp-1 : value;
  return AG_COPYSIGN(a < AG_INF ? value : a, x);
}

/* acosh(1 + t) = log1p(t + sqrt(t (t + 2))); log(2x) for large x.  Max ULP 2.5. */
AG_FN double v_acosh(double x) {
  int large = x > 0x1p55;
  double t = large ? 1.0 : x - 1.0;
  double u = t + AG_SQRT(t * (t + 2.0));
  double value = ag_log1p(large ? x : u);
  value = large ? value + 0x1.62e42fefa39efp-1 : value;
  value = x < AG_INF ? value : x;
  return x < 1.0 ? AG_NAN : value;
}

/* As v_atanhf (relative error 2^-62).  Max ULP 2.1. */
AG_FN double v_atanh(double x) {
  double a = AG_ABS(x);
  double above = 1.0 + a;
  double below = 1.0 - a;
  uint64_t rounded = ag_bits(above) - ag_bits(below) + 0x8000000000000;
  double k = ag_float((rounded + ((uint64_t)1024 << 52)) >> 52 | 0x4330000000000000u) - (0x1p52 + 1024.0);
  double power = ag_float((rounded & 0xfff0000000000000u) + 0x3ff0000000000000u);
  double scaled = below * power;
  double distance = k > 48.0 ? above - scaled : AG_FMA(a, 1.0 + power, 1.0 - power);
  double s = distance / (above + scaled);
  double z = s * s;
  double q = 0x1.1b9553d0e0b72p-4;
  q = AG_FMA(q, z, 0x1.0dc8a886e8f49p-4);
  q = AG_FMA(q, z, 0x1.3b35ed941ae8p-4);
  q = AG_FMA(q, z, 0x1.745c4979e4b09p-4);
  q = AG_FMA(q, z, 0x1.c71c7495b8eedp-4);
  q = AG_FMA(q, z, 0x1.24924921dd6bdp-3);
  q = AG_FMA(q, z, 0x1.999999999c1f1p-3);
  q = AG_FMA(q, z, 0x1.555555555554fp-2);
  double rest = AG_FMA(q * z, s, k * 0x1.ef35793c7673p-46);
  double value = AG_FMA(k, 0x1.62e42fefa38p-2, s + rest);
  value = a == 1.0 ? AG_INF : value;
  value = a > 1.0 ? AG_NAN : value;
  return AG_COPYSIGN(value, x);
}

/* log(exp(x) + exp(y)) = max + log1p(exp(-|x - y|)).  Max ULP 3.0, where the result is smaller than the
 * larger argument in ULP of that. */
AG_FN double v_logaddexp(double x, double y) {
  double larger = x > y ? x : y;
  double gap = x == y ? 0.0 : AG_ABS(x - y);
  double value = larger + ag_softplus_part(-gap);
  return gap == AG_INF ? larger : value;
}

/* log(1 - exp(x)) for x < 0: e = exp(x) as a sum of two parts, 1 - e in the same way, -expm1(x) near 0.  -inf at 0, NaN
 * above.  Max ULP 1.6. */
AG_FN double v_log1mexp(double x) {
  double clamped = x < -760.0 ? -760.0 : x;
  clamped = x > 0.0 ? 0.0 : clamped;
  int64_t k;
  double tail;
  double e = ag_exp_parts(clamped, -0.0, &k, &tail);
  double less = (e - 1.0) + tail; /* exact: exp(x) - 1 where k = 0 */
  double near = k == 0 ? -less : 0.0;
  e = ag_scale(e, k);
  tail = ag_scale(tail, k);
  double u = 1.0 - e;
  double lost = ((1.0 - u) - e) - tail;
  u = k == 0 ? near : u;
  lost = k == 0 ? 0.0 : lost;
  double normal = u < 0x1p-1022 ? u * 0x1p54 : u;
  double shift = u < 0x1p-1022 ? -54.0 : 0.0;
  double power;
  uint64_t biased;
  double f = ag_log_split(normal, &power, &biased);
  int one = biased == 1024;
  power += shift;
  /* the rest of u is nonzero only where u > 1/4: 2^-power is 1, 2 or 4 */
  double grow = u < 0.3535 ? 4.0 : 2.0;
  f = one ? -e : AG_FMA(lost, grow, f);
  double extra = one ? -tail * AG_FMA(e, e, 1.0 + e) : 0.0;
  double r = ag_log_poly(f, power) + extra;
  r = e == 0.0 ? -0.0 : r;
  r = x == 0.0 ? -AG_INF : r;
  return x <= 0.0 ? r : AG_NAN;
}

/* log(x / (1 - x)) = log1p of (2x - 1) / (1 - x), where 2x - 1 is exact near 1/2; less that of 1 - x below 1/2, with a
 * factor where the quotient could overflow.  Max ULP 2.6; NaN outside [0, 1]. */
AG_FN double v_logit(double x) {
  int low = x < 0.5;
  int tiny = AG_ABS(x) < 0x1p-1000;
  double distance = AG_FMA(2.0, x, -1.0);
  double part = low ? x : 1.0 - x;
  part = tiny ? x * 0x1p64 + 0.0 : part; /* which makes +0 of -0 */
  double value = v_log1p((low ? -distance : distance) / part);
  value = tiny ? value + 0x1.62e42fefa39efp5 : value;
  return low ? -value : value;
}

/* x log(y), 0 where x is 0 and y is a number. */
AG_FN double v_xlogy(double x, double y) {
  return ((x == 0.0) & (y == y)) ? x : x * v_log(y);
}

AG_FN double v_xlog1py(double x, double y) {
  return ((x == 0.0) & (y == y)) ? x : x * v_log1p(y);
}

#endif
