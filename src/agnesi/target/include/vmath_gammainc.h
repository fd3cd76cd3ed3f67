/* The incomplete gamma functions in double precision; part of vmath.h. */
#ifndef AG_VMATH_GAMMAINC_H
#define AG_VMATH_GAMMAINC_H

/* log(1 + u) - u for u > -1: by the inverse hyperbolic tangent of u / (2 + u) where both are near. */
AG_SLOW double ag_log1p_less(double u) {
  if (AG_ABS(u) > 0.4) {
    return v_log1p(u) - u;
  }
  double s = u / (2.0 + u);
  double z = s * s;
  double sum = 0.0;
  for (double k = 29.0; k > 1.0; k -= 2.0) {
    sum = AG_FMA(sum, z, 1.0 / k);
  }
  return AG_FMA(2.0 * s * z, sum, -u * s);
}

/* x^a exp(-x) / gamma(a + 1) for a, x > 0. */
AG_SLOW double ag_gamma_front(double a, double x) {
  if (a < 20.0) {
    double half = v_exp(-0.5 * x);
    return half == 0.0 ? 0.0 : half * (v_pow(x, a) / v_gamma(a + 1.0)) * half;
  }
  double power = v_exp(a * ag_log1p_less((x - a) / a) - ag_stirling_rest(1.0 / a));
  return power / AG_SQRT(0x1.921fb54442d18p2 * a);
}

/* The lower function over its front, the sum of x^k / ((a + 1) ... (a + k)), and its derivative by a. */
AG_SLOW double ag_gamma_series(double a, double x, double *slope) {
  double term = 1.0;
  double sum = 1.0;
  double term_slope = 0.0;
  *slope = 0.0;
  for (double k = 1.0; term > sum * 0x1p-56 || AG_ABS(term_slope) > AG_ABS(*slope) * 0x1p-56; k += 1.0) {
    double ratio = x / (a + k);
    term_slope = (term_slope - term / (a + k)) * ratio;
    term *= ratio;
    sum += term;
    *slope += term_slope;
  }
  return sum;
}

/* The upper function over x^a exp(-x) / gamma(a), a continued fraction (W. J. Lentz' form), and its derivative by a;
 * x > a + 1 or a <= 1 < x. */
AG_SLOW double ag_gamma_fraction(double a, double x, double *slope) {
  double b = x + 1.0 - a;
  double over = 1e300;
  double over_slope = 0.0;
  double under = 1.0 / b;
  double under_slope = under * under;
  double value = under;
  double change = 0.0;
  *slope = under_slope;
  for (double k = 1.0; k < 1e5 && (AG_ABS(change - 1.0) > 0x1p-52 || k < 3.0); k += 1.0) {
    double part = k * (a - k);
    b += 2.0;
    under_slope = k * under + part * under_slope - 1.0;
    under = 1.0 / (part * under + b);
    under_slope *= -under * under;
    over_slope = (k - part * over_slope / over) / over - 1.0;
    over = b + part / over;
    change = under * over;
    *slope = *slope * change + value * (under_slope * over + under * over_slope);
    value *= change;
  }
  return value;
}

/* The upper function minus erfc(eta sqrt(a / 2)) / 2 for large a, and eta (N. M. Temme, 1979). */
AG_SLOW double ag_gamma_uniform(double a, double x, double *eta) {
  double u = (x - a) / a;
  double square = -2.0 * ag_log1p_less(u);
  double e = AG_COPYSIGN(AG_SQRT(square), u);
  *eta = e;
  if (0.5 * a * square > 800.0) {
    return 0.0;
  }
  double first = -0x1.f1b22f594c6b5p-20;
  first = AG_FMA(first, e, -0x1.255370652afc1p-19);
  first = AG_FMA(first, e, 0x1.48c5892f7cd83p-15);
  first = AG_FMA(first, e, -0x1.76e06fec7273bp-13);
  first = AG_FMA(first, e, 0x1.71de3a556c734p-12);
  first = AG_FMA(first, e, 0x1.2f684bda12f68p-10);
  first = AG_FMA(first, e, -0x1.e573ac901e574p-7);
  first = AG_FMA(first, e, 0x1.5555555555555p-4);
  first = AG_FMA(first, e, -0x1.5555555555555p-2);
  double second = -0x1.af83440e53dbcp-22;
  second = AG_FMA(second, e, 0x1.af83440e53dbcp-13);
  second = AG_FMA(second, e, -0x1.0394f6f09e723p-10);
  second = AG_FMA(second, e, 0x1.5ac056b015acp-9);
  second = AG_FMA(second, e, -0x1.c71c71c71c71cp-9);
  second = AG_FMA(second, e, -0x1.e573ac901e574p-10);
  double sum = first + (second + 0x1.0ee643b990ee6p-8 / a) / a;
  return v_exp(-0.5 * a * square) / AG_SQRT(0x1.921fb54442d18p2 * a) * sum;
}

/* Whether a pair has no value, or one that needs no work: the lower function's. */
AG_FN int ag_gamma_special(double a, double x, double *lower) {
  int none = !(a >= 0.0) | !(x >= 0.0) | ((a == 0.0) & (x == 0.0)) | ((a == AG_INF) & (x == AG_INF));
  *lower = none ? AG_NAN : (double)((a == 0.0) | (x == AG_INF));
  return none | (a == 0.0) | (x == 0.0) | (a == AG_INF) | (x == AG_INF);
}

/* The lower regularised incomplete gamma function, for a, x >= 0: its series up to x = a + 1, 1 less the upper one beyond,
 * Temme's expansion from a = 1e5 on.  Relative errors up to 1e-13, where the value is normal. */
AG_SLOW double v_gammainc(double a, double x) {
  double value;
  double slope;
  if (ag_gamma_special(a, x, &value)) {
    return value;
  }
  if (a > 1e5) {
    double rest = ag_gamma_uniform(a, x, &value);
    return 0.5 * v_erfc(-value * AG_SQRT(0.5 * a)) - rest;
  }
  if (x <= 1.1 || x < a + 1.0) {
    return ag_gamma_front(a, x) * ag_gamma_series(a, x, &slope);
  }
  return 1.0 - a * ag_gamma_front(a, x) * ag_gamma_fraction(a, x, &slope);
}

/* 1 less the lower one without its cancellation: a continued fraction for x > a + 1, a series for x and a near 0. */
AG_SLOW double v_gammaincc(double a, double x) {
  double value;
  double slope;
  if (ag_gamma_special(a, x, &value)) {
    return 1.0 - value;
  }
  if (a > 1e5) {
    double rest = ag_gamma_uniform(a, x, &value);
    return 0.5 * v_erfc(value * AG_SQRT(0.5 * a)) + rest;
  }
  if (x <= 1.1 && a < 1.0) {
    double log_gamma = a < 0.5 ? a * ag_lgamma_poly(a) - v_log1p(a) : v_lgamma(a + 1.0);
    double power = a * v_log(x) - log_gamma;
    double term = 1.0;
    double sum = 0.0;
    for (double k = 1.0; AG_ABS(term) > 0x1p-57; k += 1.0) {
      term *= -x / k;
      sum += term / (a + k);
    }
    return -v_expm1(power) - v_exp(power) * a * sum;
  }
  if (x < a + 1.0) {
    return 1.0 - ag_gamma_front(a, x) * ag_gamma_series(a, x, &slope);
  }
  return a * ag_gamma_front(a, x) * ag_gamma_fraction(a, x, &slope);
}

/* The derivative of the lower function by a: that of its series or of the continued fraction; for large a the difference of
 * neighbours, which is a front, with the third difference.  Errors up to 1e-11, relative to its largest value for that a. */
AG_SLOW double v_gammainc_shape(double a, double x) {
  double value;
  double slope;
  if (ag_gamma_special(a, x, &value) && (a != 0.0 || x == AG_INF || value != value)) {
    return value != value ? value : 0.0;
  }
  a = a < 1e-290 ? 1e-290 : a; /* 1 / a is to be a number */
  if (a > 1e5) {
    double middle = ag_gamma_front(a - 0.5, x);
    return (ag_gamma_front(a + 0.5, x) - 2.0 * middle + ag_gamma_front(a - 1.5, x)) / 24.0 - middle;
  }
  double front = ag_gamma_front(a, x);
  if (front == 0.0) {
    return 0.0;
  }
  double log = v_log(x);
  if (x <= 1.1 || x < a + 1.0) {
    value = ag_gamma_series(a, x, &slope);
    return front * ((log - v_digamma(a + 1.0)) * value + slope);
  }
  value = ag_gamma_fraction(a, x, &slope);
  return -a * front * ((log - v_digamma(a)) * value + slope);
}

/* In single precision by way of double. */
AG_FN float v_gammaincf(float a, float x) {
  return (float)v_gammainc(a, x);
}

AG_FN float v_gammainccf(float a, float x) {
  return (float)v_gammaincc(a, x);
}

AG_FN float v_gammainc_shapef(float a, float x) {
  return (float)v_gammainc_shape(a, x);
}

#endif
