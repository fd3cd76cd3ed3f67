/* Gamma and error functions in double precision; part of vmath.h. */
#ifndef AG_VMATH_GAMMA_F64_H
#define AG_VMATH_GAMMA_F64_H

/* log(x) = result + tail for x > 0. */
AG_FN double ag_log_parts(double x, double *tail) {
  double normal = x < 0x1p-1022 ? x * 0x1p54 : x;
  double shift = x < 0x1p-1022 ? -54.0 : 0.0;
  double k;
  uint64_t biased;
  double f = ag_log_split(normal, &k, &biased);
  k += shift;
  double whole = k * 0x1.62e42fefa38p-1;
  double sum = whole + f;
  double rest = ((whole - sum) + f) + ag_log_rest(f, k, 0x1.ef35793c7673p-45);
  double log = sum + rest;
  *tail = (sum - log) + rest;
  return log;
}

/* |sin(pi r)| / pi = result + tail for |r| <= 1/2. */
AG_FN double ag_sine_over_pi(double r, double *tail) {
  double z = r * r;
  double q = 0x1.080d6f89e0a7bp-22;
  q = AG_FMA(q, z, -0x1.d3f28cd7ed53p-18);
  q = AG_FMA(q, z, 0x1.3746c57917ca7p-13);
  q = AG_FMA(q, z, -0x1.33816a0620ac5p-9);
  q = AG_FMA(q, z, 0x1.ac6805cdf308ap-6);
  q = AG_FMA(q, z, -0x1.86a8e4720c749p-3);
  q = AG_FMA(q, z, 0x1.9f9cb402bc45dp-1);
  q = AG_FMA(q, z, -0x1.a51a6625307d3p0);
  double sine = AG_FMA(q * z, AG_ABS(r), AG_ABS(r));
  *tail = AG_FMA(q * z, AG_ABS(r), AG_ABS(r) - sine);
  return sine;
}

/* Steps of the recurrence for 0 < a < 4: gamma(a) = gamma(2 + w) product, |w| <= 1/2, or divided by it below 3/2;
 * `reflected` is |a sin(pi a) gamma(a)| / (pi gamma(2 + w)), without overflow at 0. */
AG_FN double ag_gamma_steps(double a, double sine, double *product, double *reflected) {
  int some = a >= 0.5;
  int two = a >= 1.5;
  int three = a >= 2.5;
  int four = a >= 3.5;
  double w = a - (some ? 1.0 : 0.0);
  w = two ? a - 2.0 : w;
  w = three ? a - 3.0 : w;
  w = four ? a - 4.0 : w;
  double steps = some ? a : AG_FMA(a, a, a);
  steps = two ? 1.0 : steps;
  steps = three ? a - 1.0 : steps;
  steps = four ? (a - 1.0) * (a - 2.0) : steps;
  *product = steps;
  *reflected = some ? sine : sine / (a + 1.0);
  *reflected = two ? sine * a * steps : *reflected;
  return w;
}

/* The rest of Stirling's series, fitted: log gamma(a) = (a - 1/2) (log a - 1) + log(2 pi) / 2 - 1/2 + result for
 * a >= 4. */
AG_FN double ag_stirling_rest(double inverse) {
  double t = inverse * inverse;
  double s = -0x1.2fc6e856b7235p-7;
  s = AG_FMA(s, t, 0x1.40f4bda1c252ep-8);
  s = AG_FMA(s, t, -0x1.e49724fd34ea9p-10);
  s = AG_FMA(s, t, 0x1.b857ffd9086p-11);
  s = AG_FMA(s, t, -0x1.380fb74794f99p-11);
  s = AG_FMA(s, t, 0x1.a019fa42309dbp-11);
  s = AG_FMA(s, t, -0x1.6c16c16ab4ad9p-9);
  s = AG_FMA(s, t, 0x1.555555555553fp-4);
  return s * inverse;
}

/* log gamma(2 + w) / w for |w| <= 1/2. */
AG_FN double ag_lgamma_poly(double w) {
  double p = -0x1.1be56b7e101c6p-23;
  p = AG_FMA(p, w, 0x1.2b4bb069ee6a9p-22);
  p = AG_FMA(p, w, -0x1.d06b46182e294p-22);
  p = AG_FMA(p, w, 0x1.edf317afe0c72p-21);
  p = AG_FMA(p, w, -0x1.125408d7ee6ebp-19);
  p = AG_FMA(p, w, 0x1.2640a5e8ab73ep-18);
  p = AG_FMA(p, w, -0x1.3cb5f201754a6p-17);
  p = AG_FMA(p, w, 0x1.5806d7786fbc2p-16);
  p = AG_FMA(p, w, -0x1.78de85fa0bf74p-15);
  p = AG_FMA(p, w, 0x1.a127dd231f4b2p-14);
  p = AG_FMA(p, w, -0x1.d3fd4bda4f97bp-13);
  p = AG_FMA(p, w, 0x1.0b36af3424c5p-11);
  p = AG_FMA(p, w, -0x1.38ac5c2c96006p-10);
  p = AG_FMA(p, w, 0x1.7add6eae5b8fdp-9);
  p = AG_FMA(p, w, -0x1.e404fc218ecffp-8);
  p = AG_FMA(p, w, 0x1.51322ac7d7fd2p-6);
  p = AG_FMA(p, w, -0x1.13e001a557607p-4);
  p = AG_FMA(p, w, 0x1.4a34cc4a60fa7p-2);
  p = AG_FMA(p, w, 0x1.b0ee6072093cep-2);
  return p;
}

/* log |gamma(x)|.  From 4 on, Stirling's series with a fitted rest; below, log gamma(2 + w) = w P(w) for |w| <= 1/2 and
 * the recurrence; for x < 0 gamma(x) gamma(-x) = -pi / (x sin(pi x)).  Max ULP 2.0, near zeros that many
 * eps of absolute error; inf at the poles. */
AG_FN double v_lgamma(double x) {
  double a = AG_ABS(x);
  int negative = x < 0.0;
  int large = a >= 4.0;
  double r = a - AG_RINT(a);
  double rounding;
  double sine = ag_sine_over_pi(r, &rounding);
  double product;
  double reflected;
  double w = ag_gamma_steps(a, sine, &product, &reflected);
  product = negative ? reflected : product;
  double log_tail;
  double log = ag_log_parts(large ? a : product, &log_tail);
  double factor = ((a >= 1.5) | negative) ? 1.0 : -1.0;
  factor = large ? a - 0.5 : factor;
  double less = large ? log - 1.0 : log;
  log_tail += large ? (log - less) - 1.0 : 0.0;
  double high = factor * less;
  double low = AG_FMA(factor, less, -high) + factor * log_tail;
  double rest = large ? ag_stirling_rest(1.0 / a) + 0x1.acfe390c97d69p-2 : w * ag_lgamma_poly(w);
  double sine_tail;
  double sine_log = ag_log_parts((large & negative) ? sine * a : 1.0, &sine_tail);
  double sum = high + sine_log;
  low += (high - sum) + sine_log;
  double value = sum + rest;
  double back = value - sum;
  value += ((sum - (value - back)) + (rest - back)) + (low + sine_tail);
  value = negative ? -value : value;
  int pole = (x <= 0.0) & (r == 0.0);
  return (pole | (a == AG_INF) | (high == AG_INF)) ? AG_INF : value;
}

/* gamma(x): the exponential of log gamma(2 + w) below 4 and of Stirling's series above, the logarithm in two parts.
 * Max ULP 3.6; NaN at negative integers. */
AG_FN double v_gamma(double x) {
  double a = AG_ABS(x);
  int negative = x < 0.0;
  int large = a >= 4.0;
  double nearest = AG_RINT(a);
  double r = a - nearest;
  double rounding;
  double sine = ag_sine_over_pi(r, &rounding);
  double product;
  double reflected;
  double w = ag_gamma_steps(a, sine, &product, &reflected);
  double b = a > 200.0 ? 200.0 : a;
  double log_tail;
  double log = ag_log_wide(large ? b : 4.0, 0.0, &log_tail);
  double less = log - 1.0;
  log_tail += (log - less) - 1.0;
  double factor = b - 0.5;
  double power = factor * less;
  double tail = AG_FMA(factor, less, -power) + factor * log_tail;
  double sum = power + 0x1.acfe390c97d69p-2;
  tail += ((power - sum) + 0x1.acfe390c97d69p-2) + (ag_stirling_rest(1.0 / b) + 0x1.3494bc90014p-56);
  int64_t k;
  double e_tail;
  double e = ag_exp_parts(large ? sum : w * ag_lgamma_poly(w), large ? tail : 0.0, &k, &e_tail);
  reflected = large ? sine * a : reflected;
  double above = (large | (a >= 1.5)) ? e : e / product;
  above = (!large & (a >= 1.5)) ? e * product : above;
  double half = 0.5 * nearest;
  double below = ((AG_TRUNC(half) != half) ^ (r < 0.0)) ? e * reflected : -e * reflected;
  double value = ag_scale(negative ? 1.0 / below : above, negative ? -k : k);
  value = ((negative & (r == 0.0)) | (x == -AG_INF)) ? AG_NAN : value;
  value = x != x ? x : value;
  return x == 0.0 ? AG_COPYSIGN(AG_INF, x) : value;
}

/* The derivative of log gamma.  From 4 on, log x and a fitted rest; below, (y - y0) P(y - 3/2) for 1 <= y < 2, y0 the
 * zero, and the recurrence; for x < 0 digamma(x) = digamma(1 - x) - pi / tan(pi x).  Max ULP 2.0, near zeros at
 * x < 0 that many eps of absolute error; NaN at negative integers. */
AG_FN double v_digamma(double x) {
  double a = AG_ABS(x);
  int negative = x < 0.0;
  int large = a >= 4.0;
  double r = a - AG_RINT(a);
  /* pi cot(pi r) by the sine and cosine of t pi, |t| <= 1/4, each with its rounding error */
  int swap = AG_ABS(r) > 0.25;
  double t = AG_COPYSIGN(swap ? 0.5 - AG_ABS(r) : AG_ABS(r), r);
  double z = t * t;
  double q = 0x1.348ac037b75e2p-13;
  q = AG_FMA(q, z, -0x1.337e56930a5d7p-9);
  q = AG_FMA(q, z, 0x1.ac68029d2c45dp-6);
  q = AG_FMA(q, z, -0x1.86a8e4708dc68p-3);
  q = AG_FMA(q, z, 0x1.9f9cb402bbc2fp-1);
  q = AG_FMA(q, z, -0x1.a51a6625307d2p0);
  double sine = AG_FMA(q * z, t, t);
  double sine_tail = AG_FMA(q * z, t, t - sine);
  q = -0x1.b2f25091bacb5p-14;
  q = AG_FMA(q, z, 0x1.f9ce1ff2fb645p-10);
  q = AG_FMA(q, z, -0x1.a6d1eeeff5621p-6);
  q = AG_FMA(q, z, 0x1.e1f50686849d7p-3);
  q = AG_FMA(q, z, -0x1.55d3c7e3cb225p0);
  q = AG_FMA(q, z, 0x1.03c1f081b5acp2);
  q = AG_FMA(q, z, -0x1.3bd3cc9be45dep2);
  double cosine = AG_FMA(q, z, 1.0);
  double cosine_tail = AG_FMA(q, z, 1.0 - cosine);
  double product = sine * 0x1.3bd3cc9be45dep3;
  double product_tail = AG_FMA(sine, 0x1.692b71366cc04p-51, sine_tail * 0x1.3bd3cc9be45dep3);
  product_tail += AG_FMA(sine, 0x1.3bd3cc9be45dep3, -product);
  double over = swap ? product : cosine;
  double over_tail = swap ? product_tail : cosine_tail;
  double under = swap ? cosine : sine;
  double under_tail = swap ? cosine_tail : sine_tail;
  double share = 1.0 / under;
  double cotangent = over * share;
  double gap = AG_FMA(-cotangent, under, over) + AG_FMA(-cotangent, under_tail, over_tail);
  double cotangent_tail = gap * share;
  double inverse = 1.0 / a;
  int one = a >= 1.0;
  int two = a >= 2.0;
  int three = a >= 3.0;
  double w = one ? a - 1.5 : a - 0.5;
  w = two ? a - 2.5 : w;
  w = three ? a - 3.5 : w;
  double shifted = a - 1.0;
  double above = three ? shifted + (a - 2.0) : 1.0;
  double below = three ? shifted * (a - 2.0) : shifted;
  double step = two ? above / below : 0.0;
  double own = one ? 0.0 : -inverse;
  own = negative ? (one ? inverse : 0.0) : own;
  double p = -0x1.6b107f71aa124p-13;
  p = AG_FMA(p, w, 0x1.104c9d0897b58p-12);
  p = AG_FMA(p, w, -0x1.3db05b36d9a48p-13);
  p = AG_FMA(p, w, 0x1.dc8ae08af0fc4p-13);
  p = AG_FMA(p, w, -0x1.f99f529bd0771p-12);
  p = AG_FMA(p, w, 0x1.7b3b41b0b38cdp-11);
  p = AG_FMA(p, w, -0x1.1002aaf6255f5p-10);
  p = AG_FMA(p, w, 0x1.980fc9c9f0be8p-10);
  p = AG_FMA(p, w, -0x1.33661f9073563p-9);
  p = AG_FMA(p, w, 0x1.cd3e42d157015p-9);
  p = AG_FMA(p, w, -0x1.5a071c746535bp-8);
  p = AG_FMA(p, w, 0x1.03c00801ba958p-7);
  p = AG_FMA(p, w, -0x1.86355f6f68797p-7);
  p = AG_FMA(p, w, 0x1.256475e5ac975p-6);
  p = AG_FMA(p, w, -0x1.b9f8b1367959dp-6);
  p = AG_FMA(p, w, 0x1.4de9aa05d3418p-5);
  p = AG_FMA(p, w, -0x1.fb442029cdbf4p-5);
  p = AG_FMA(p, w, 0x1.8512e5905d18p-4);
  p = AG_FMA(p, w, -0x1.2feeeb98a7cd8p-3);
  p = AG_FMA(p, w, 0x1.eca189b8e6da1p-3);
  p = AG_FMA(p, w, -0x1.b1cb63005ee97p-2);
  p = AG_FMA(p, w, 0x1.e6f0cbb873617p-1);
  double near = ((w + 0x1.3a4f395283812p-5) + 0x1.e563779a1f5b1p-60) * p + step;
  double log_tail;
  double log = ag_log_parts(a, &log_tail);
  double y = inverse * inverse;
  double s = -0x1.12b451e4f6fbp-1;
  s = AG_FMA(s, y, 0x1.06d86be059b29p-2);
  s = AG_FMA(s, y, -0x1.2ecf5a32d870bp-4);
  s = AG_FMA(s, y, 0x1.5494420bc2bf8p-6);
  s = AG_FMA(s, y, -0x1.f0154c29b962ep-8);
  s = AG_FMA(s, y, 0x1.110fdfd368687p-8);
  s = AG_FMA(s, y, -0x1.04103f35b23f6p-8);
  s = AG_FMA(s, y, 0x1.1111111088642p-7);
  s = AG_FMA(s, y, -0x1.555555555553ap-4);
  double far = log + (AG_FMA(s, y, log_tail) - 0.5 * inverse);
  double value = (large ? far : near) + own;
  value = negative ? value + (AG_ABS(r) > 0x1p-400 ? cotangent_tail : 0.0) + cotangent : value;
  value = (negative & (r == 0.0)) ? AG_NAN : value;
  value = x == AG_INF ? x : value;
  return x == 0.0 ? AG_COPYSIGN(AG_INF, -x) : value;
}

/* The derivative of digamma.  From 4 on 1/y + 1/(2 y^2) + P(1/y^2) / y^3; below, four terms of the sum of 1 / (x + k)^2
 * and y = x + 4; for x < 0 trigamma(x) = (pi / sin(pi x))^2 - trigamma(1 - x).  Max ULP 3.8; inf at the poles. */
AG_FN double v_trigamma(double x) {
  double a = AG_ABS(x);
  int negative = x < 0.0;
  int large = a >= 4.0;
  double p = a * (a + 3.0);
  double q = p + 2.0; /* (a + 1) (a + 2) */
  double four = a + 3.0;
  double others = AG_FMA(AG_FMA(2.0, p, 5.0), four * four, q * q) / ((four * q) * (four * q));
  double share = 1.0 / a; /* a * a may be subnormal where its inverse is a number */
  double steps = negative ? others : share * share + others;
  double inverse = 1.0 / (large ? a : a + 4.0);
  double t = inverse * inverse;
  double s = 0x1.2b8e405aeb3cp8;
  s = AG_FMA(s, t, -0x1.18525ba7da91fp7);
  s = AG_FMA(s, t, 0x1.0ea3cbc4adf84p5);
  s = AG_FMA(s, t, -0x1.8f3500267787ap2);
  s = AG_FMA(s, t, 0x1.2472007c019a1p0);
  s = AG_FMA(s, t, -0x1.02b5fcc393d42p-2);
  s = AG_FMA(s, t, 0x1.36478ff15a86fp-4);
  s = AG_FMA(s, t, -0x1.1110fa9926397p-5);
  s = AG_FMA(s, t, 0x1.8618615a9cf52p-6);
  s = AG_FMA(s, t, -0x1.1111111108d18p-5);
  s = AG_FMA(s, t, 0x1.5555555555553p-3);
  double own = (negative & large) ? -0.5 : 0.5; /* without 1 / a^2, which the reflection takes away */
  double value = AG_FMA(t, AG_FMA(s, inverse, own), inverse) + (large ? 0.0 : steps);
  double r = a - AG_RINT(a);
  double rounding;
  double sine = ag_sine_over_pi(r, &rounding);
  double square = sine * sine;
  double square_tail = AG_FMA(sine, sine, -square) + 2.0 * sine * rounding;
  double inverse_square = 1.0 / square;
  double correction = inverse_square * square_tail * inverse_square;
  correction = AG_ABS(r) > 0x1p-400 ? correction : 0.0; /* where the square's tail is a number */
  return negative ? inverse_square - (value + correction) : value;
}

/* (q + k)^-s, with a correction for the rounding of q + k; s beyond 400 leaves no term that needs one. */
AG_FN double ag_zeta_term(double s, double q, double k) {
  double c = s > 400.0 ? 400.0 : s;
  double y = q + k;
  double back = y - q;
  double lost = (q - (y - back)) + (k - back);
  double power = v_pow(y, -s);
  return lost == 0.0 ? power : AG_FMA(power, -c * lost / y, power);
}

/* Hurwitz' zeta function, the sum of (q + k)^-s over k = 0, 1, 2 ...: seven terms, and the rest by the formula of Euler
 * and Maclaurin from the eighth, which is computed beside them; beyond 1e100 the first term of that rest, in halves
 * that do not underflow.  For s > 1 and q > 0; inf at s = 1 and q = 0, NaN below.  Max ULP 3.5. */
AG_SLOW double v_zeta(double s, double q) {
  if (!(s >= 1.0) | !(q >= 0.0)) {
    return AG_NAN;
  }
  if ((s == 1.0) | (q == 0.0)) {
    return AG_INF;
  }
  if (q > 1e100) {
    double half = v_pow(q, -0.5 * s);
    return q == AG_INF ? 0.0 : half * (half * q) / (s - 1.0);
  }
  double terms[8];
  for (int k = 0; k < 8; k++) {
    terms[k] = ag_zeta_term(s, q, (double)k);
  }
  double sum = 0.0;
  for (int k = 6; k >= 0; k--) {
    sum += terms[k];
  }
  double y = q + 7.0;
  double inverse = 1.0 / y;
  double t = inverse * inverse;
  double c = s > 400.0 ? 400.0 : s;
  double rest = 0x1.0b132d7c6ad06p-68;
  rest = AG_FMA(rest, (c + 23.0) * (c + 24.0) * t, -0x1.497d9033a2b5cp-63);
  rest = AG_FMA(rest, (c + 21.0) * (c + 22.0) * t, 0x1.967e1f09c376fp-58);
  rest = AG_FMA(rest, (c + 19.0) * (c + 20.0) * t, -0x1.f57d968caacf1p-53);
  rest = AG_FMA(rest, (c + 17.0) * (c + 18.0) * t, 0x1.355871d652e9ep-47);
  rest = AG_FMA(rest, (c + 15.0) * (c + 16.0) * t, -0x1.7da4e1f79955cp-42);
  rest = AG_FMA(rest, (c + 13.0) * (c + 14.0) * t, 0x1.d6db2c4e09162p-37);
  rest = AG_FMA(rest, (c + 11.0) * (c + 12.0) * t, -0x1.22805d644267fp-31);
  rest = AG_FMA(rest, (c + 9.0) * (c + 10.0) * t, 0x1.66a8f2bf70ebep-26);
  rest = AG_FMA(rest, (c + 7.0) * (c + 8.0) * t, -0x1.bbd779334ef0bp-21);
  rest = AG_FMA(rest, (c + 5.0) * (c + 6.0) * t, 0x1.1566abc011567p-15);
  rest = AG_FMA(rest, (c + 3.0) * (c + 4.0) * t, -0x1.6c16c16c16c17p-10);
  rest = AG_FMA(rest, (c + 1.0) * (c + 2.0) * t, 0x1.5555555555555p-4);
  rest = AG_FMA(rest * c, inverse, 0.5) + y / (c - 1.0);
  return terms[7] > 0.0 ? AG_FMA(terms[7], rest, sum) : sum;
}

/* exp(x^2) erfc(x) = (1 + v P(w)) / (2a + 1) for a = x >= 0, v = 2a / (a + 4), w = (a - 4) / (a + 4), with the errors
 * of dividend and divisor; 2 exp(a^2) less that below.  Max ULP 1.8. */
AG_FN double v_erfcx(double x) {
  double a = AG_ABS(x);
  double b = a > 0x1p60 ? 0x1p60 : a;
  double share = 1.0 / (b + 4.0);
  double v = 2.0 * b * share;
  double w = (b - 4.0) * share;
  double q = -0x1.f442fe2bbe608p-34;
  q = AG_FMA(q, w, 0x1.28ac150a4d00ap-30);
  q = AG_FMA(q, w, 0x1.42d17dfb6ccbep-30);
  q = AG_FMA(q, w, -0x1.d763a3413ff13p-27);
  q = AG_FMA(q, w, -0x1.30675a725e646p-28);
  q = AG_FMA(q, w, 0x1.dde02824934c8p-24);
  q = AG_FMA(q, w, -0x1.41a3190b744a3p-25);
  q = AG_FMA(q, w, -0x1.a5196c17082c1p-21);
  q = AG_FMA(q, w, 0x1.21ddb06e0b0bfp-20);
  q = AG_FMA(q, w, 0x1.368a34fcd6c7ep-18);
  q = AG_FMA(q, w, -0x1.09ef27aed1f34p-16);
  q = AG_FMA(q, w, -0x1.1ecbed616bdd8p-17);
  q = AG_FMA(q, w, 0x1.4dcd8c0d3bf03p-13);
  q = AG_FMA(q, w, -0x1.77d66b15c815fp-12);
  q = AG_FMA(q, w, -0x1.a2bedcf06491cp-12);
  q = AG_FMA(q, w, 0x1.63f260886ea6p-8);
  q = AG_FMA(q, w, -0x1.625ed098f49bcp-6);
  q = AG_FMA(q, w, 0x1.e1a95642541e2p-5);
  q = AG_FMA(q, w, -0x1.00428c8fe8b3ap-3);
  q = AG_FMA(q, w, 0x1.c0398cb6f41dbp-3);
  q = AG_FMA(q, w, -0x1.47938f4c7311p-2);
  q = AG_FMA(q, w, 0x1.8d4ecb405c595p-2);
  q = AG_FMA(q, w, -0x1.7d8f1c4524742p-2);
  q = AG_FMA(q, w, 0x1.dd2c8b74febf7p-3);
  double p = AG_FMA(v, q, 1.0);
  double p_tail = AG_FMA(v, q, 1.0 - p);
  double divisor = a + 0.5;
  double divisor_tail = a > 0.5 ? (a - divisor) + 0.5 : (0.5 - divisor) + a;
  double inverse = 0.5 / divisor;
  double value = p * inverse;
  double rest = AG_FMA(-value, 2.0 * divisor, p) + AG_FMA(-2.0 * value, divisor_tail, p_tail);
  rest = a < 0x1p1022 ? rest : 0.0;
  value = AG_FMA(rest, inverse, value);
  double c = a > 28.0 ? 28.0 : a;
  double square = c * c;
  int64_t k;
  double tail;
  double e = ag_exp_parts(square, AG_FMA(c, c, -square), &k, &tail);
  e = ag_scale(e, k + 1);
  tail = ag_scale(tail, k + 1);
  double sum = e - value;
  sum += ((e - sum) - value) + tail;
  sum = e < AG_INF ? sum : e;
  return x < 0.0 ? sum : value;
}

/* erfinv(x) for |x| = 1 - y: x P(-log(1 - x^2)) in the middle, s P((s - c) / (s + c)) with s = sqrt(-log(y)) in the
 * tails, which are two, c = 2 and 8. */
AG_FN double ag_erfinv(double x, double y) {
  int tail = y < 0x1.2d8p-7;
  double v = -v_log(tail ? y : y * (2.0 - y));
  double p = -0x1.44eee4577802bp-55;
  p = AG_FMA(p, v, 0x1.cc751403a9cb4p-50);
  p = AG_FMA(p, v, -0x1.21c4f4bdd5473p-45);
  p = AG_FMA(p, v, 0x1.a06c6416b94f5p-42);
  p = AG_FMA(p, v, -0x1.686d44dfcccbep-39);
  p = AG_FMA(p, v, 0x1.6166f4f112acbp-37);
  p = AG_FMA(p, v, -0x1.48c1c39958d7fp-36);
  p = AG_FMA(p, v, 0x1.06f1884a2894dp-34);
  p = AG_FMA(p, v, -0x1.6fe7e4a48ee47p-31);
  p = AG_FMA(p, v, 0x1.0a7fc14c15f54p-30);
  p = AG_FMA(p, v, 0x1.8356d030f9af3p-26);
  p = AG_FMA(p, v, -0x1.3e7d091bf9b6cp-25);
  p = AG_FMA(p, v, -0x1.0fd82f29b4b4dp-20);
  p = AG_FMA(p, v, 0x1.0f20b9a7a5de7p-19);
  p = AG_FMA(p, v, 0x1.870140e1f9153p-15);
  p = AG_FMA(p, v, -0x1.0c86b79579187p-13);
  p = AG_FMA(p, v, -0x1.3211025fbec6bp-9);
  p = AG_FMA(p, v, 0x1.7a72e72c275bcp-7);
  p = AG_FMA(p, v, 0x1.db29fb2fee5a2p-3);
  p = AG_FMA(p, v, 0x1.c5bf891b4ef6bp-1);
  double s = AG_SQRT(v);
  int far = s > 6.195;
  double c = far ? 8.0 : 2.0;
  double u = (s - c) / (s + c);
  double q = far ? 0x1.4f5a7a6bfefd5p-13 : 0.0;
  q = AG_FMA(q, u, far ? -0x1.8ef48e45d465bp-10 : 0.0);
  q = AG_FMA(q, u, far ? 0x1.86bad37369a1ep-8 : -0x1.4b9ac39c2e232p-9);
  q = AG_FMA(q, u, far ? -0x1.e227d0eadbd6ap-7 : 0x1.e85e9fc59228fp-8);
  q = AG_FMA(q, u, far ? 0x1.bf5347f86efb9p-6 : -0x1.4354f9ea74a6p-8);
  q = AG_FMA(q, u, far ? -0x1.5a6db04ed4bafp-5 : -0x1.1bbd8fdd80c2p-6);
  q = AG_FMA(q, u, far ? 0x1.ddda993d575d9p-5 : 0x1.c1362f1ca68d5p-5);
  q = AG_FMA(q, u, far ? -0x1.316278ea60cb2p-4 : -0x1.543781aff99e3p-4);
  q = AG_FMA(q, u, far ? 0x1.719222ae90878p-4 : 0x1.297ae228dd5f6p-4);
  q = AG_FMA(q, u, far ? -0x1.ac9fa50413601p-4 : -0x1.ca005ea46ca1p-7);
  q = AG_FMA(q, u, far ? 0x1.dee9bd0013559p-4 : -0x1.295696c1e11f1p-4);
  q = AG_FMA(q, u, far ? -0x1.026f240d8db63p-3 : 0x1.1a2146cc6c461p-3);
  q = AG_FMA(q, u, far ? 0x1.0cbe8e889798ep-3 : -0x1.06605f0aa850fp-3);
  q = AG_FMA(q, u, far ? -0x1.0c0f4f7a967b5p-3 : 0x1.b8b8d19e6a0abp-8);
  q = AG_FMA(q, u, far ? 0x1.f7b67a69b528bp-4 : 0x1.9d9239c7d834p-3);
  q = AG_FMA(q, u, far ? -0x1.afd6d8c8dab8cp-4 : -0x1.b1eefc31adb3dp-2);
  q = AG_FMA(q, u, far ? 0x1.165ff84ed33a3p-4 : 0x1.b9427f5b5c912p-2);
  q = AG_FMA(q, u, far ? 0x1.f5557c60ff25ep-1 : 0x1.ab0e63b50a5b5p-1);
  double value = tail ? AG_COPYSIGN(s * q, x) : x * p;
  value = y == 0.0 ? AG_COPYSIGN(AG_INF, x) : value;
  return y < 0.0 ? AG_NAN : value;
}

/* The inverse of erf: max ULP 2.5; NaN beyond 1. */
AG_FN double v_erfinv(double x) {
  return ag_erfinv(x, 1.0 - AG_ABS(x));
}

/* The inverse of erfc: max ULP 2.8; NaN outside [0, 2]. */
AG_FN double v_erfcinv(double x) {
  return ag_erfinv(1.0 - x, x > 1.0 ? 2.0 - x : x);
}

/* In single precision by way of double: max ULP 0.5. */
AG_FN float v_gammaf(float x) {
  return (float)v_gamma(x);
}

AG_FN float v_zetaf(float s, float q) {
  return (float)v_zeta(s, q);
}

#endif
