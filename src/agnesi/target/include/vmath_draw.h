/* Random numbers by rejection, in double precision; part of vmath.h.  Attempt after attempt takes the bits of one counter
 * under another key, so that a number is a function of its key, its counter and its parameters. */
#ifndef AG_VMATH_DRAW_H
#define AG_VMATH_DRAW_H

#define AG_ATTEMPTS 100 /* more than are ever needed for parameters that are numbers */
#define AG_LARGE 0x1p33  /* mean or trials from which logarithms of factorials would cancel: normal, with the skew, then */

/* A number inside (0, 1). */
AG_FN double ag_inside(uint64_t word) {
  return ((double)(int64_t)(word >> 12) + 0.5) * 0x1p-52;
}

AG_FN uint64_t ag_attempt_key(uint64_t key, int attempt) {
  return key + (uint64_t)attempt * 0x9e3779b97f4a7c15u;
}

/* A gamma number of shape a >= 1 and scale 1 (Marsaglia and Tsang 2000): from a normal one by Box and Muller, whose angle
 * has 32 bits; the other 32 decide. */
AG_SLOW double v_gamma_draw(uint64_t key, uint64_t low, uint64_t high, double a) {
  if (!(a >= 1.0 && a < AG_INF)) {
    return a < 1.0 ? AG_NAN : a;
  }
  double d = a - 0x1.5555555555555p-2;
  double c = 1.0 / AG_SQRT(9.0 * d);
  for (int k = 1; k <= AG_ATTEMPTS; k++) {
    uint64_t second = ag_philox(ag_attempt_key(key, k), low, high, 1);
    double away = AG_SQRT(-2.0 * v_log(ag_inside(ag_philox(ag_attempt_key(key, k), low, high, 0))));
    double x = away * v_cos((double)(int64_t)(second >> 32) * 0x1.921fb54442d18p-30);
    double t = 1.0 + c * x;
    double v = t * t * t;
    double u = ((double)(int64_t)(second & 0xffffffffu) + 0.5) * 0x1p-32;
    if (t > 0.0 && v_log(u) < 0.5 * x * x + d - d * v + d * v_log(v)) {
      return d * v;
    }
  }
  return a;
}

/* A Poisson number: by the inverse of the distribution function below 10, else PTRS (Hormann 1993). */
AG_SLOW double v_poisson_draw(uint64_t key, uint64_t low, uint64_t high, double rate) {
  if (!(rate >= 0.0)) {
    return AG_NAN;
  }
  if (rate < 10.0) {
    double u = ag_inside(ag_philox(key, low, high, 0));
    double p = v_exp(-rate);
    double k = 0.0;
    while (u > p && k < AG_ATTEMPTS) {
      u -= p;
      k += 1.0;
      p *= rate / k;
    }
    return k;
  }
  double b = 0.931 + 2.53 * AG_SQRT(rate);
  double a = -0.059 + 0.02483 * b;
  double log_inverse = v_log(1.1239 + 1.1328 / (b - 3.4));
  double sure = 0.9277 - 3.6224 / (b - 2.0);
  for (int n = 1; n <= AG_ATTEMPTS; n++) {
    double u = ag_inside(ag_philox(ag_attempt_key(key, n), low, high, 0)) - 0.5;
    double v = ag_inside(ag_philox(ag_attempt_key(key, n), low, high, 1));
    double s = 0.5 - AG_ABS(u);
    double k = AG_FLOOR((2.0 * a / s + b) * u + rate + 0.43);
    if (s >= 0.07 && v <= sure) {
      return k;
    }
    if (k < 0.0 || (s < 0.013 && v > s)) {
      continue;
    }
    double d = k - rate;
    double near = rate < AG_LARGE
                      ? k * v_log(rate) - rate - v_lgamma(k + 1.0)
                      : -0.5 * v_log(0x1.921fb54442d18p+2 * rate) - (d * d + d - d * d * d / (3.0 * rate)) / (2.0 * rate);
    if (v_log(v) + log_inverse - v_log(a / (s * s) + b) <= near) {
      return k;
    }
  }
  return rate;
}

/* A binomial number of n trials and probability p <= 1/2: by the inverse of the distribution function where n p < 10, else
 * BTRS (Hormann 1993). */
AG_SLOW double v_binomial_draw(uint64_t key, uint64_t low, uint64_t high, double n, double p) {
  if (!(n >= 0.0 && p >= 0.0)) {
    return AG_NAN;
  }
  double q = 1.0 - p;
  if (n * p < 10.0) {
    double u = ag_inside(ag_philox(key, low, high, 0));
    double term = v_exp(n * v_log1p(-p));
    double k = 0.0;
    while (u > term && k < n) {
      u -= term;
      k += 1.0;
      term *= p / q * (n - k + 1.0) / k;
    }
    return k;
  }
  double deviation = AG_SQRT(n * p * q);
  double b = 1.15 + 2.53 * deviation;
  double a = -0.0873 + 0.0248 * b + 0.01 * p;
  double alpha = (2.83 + 5.1 / b) * deviation;
  double sure = 0.92 - 4.2 / b;
  double m = AG_FLOOR((n + 1.0) * p);
  double top = v_lgamma(m + 1.0) + v_lgamma(n - m + 1.0);
  double odds = v_log(p / q);
  for (int attempt = 1; attempt <= AG_ATTEMPTS; attempt++) {
    double u = ag_inside(ag_philox(ag_attempt_key(key, attempt), low, high, 0)) - 0.5;
    double v = ag_inside(ag_philox(ag_attempt_key(key, attempt), low, high, 1));
    double s = 0.5 - AG_ABS(u);
    double k = AG_FLOOR((2.0 * a / s + b) * u + n * p + 0.5);
    if (s >= 0.07 && v <= sure) {
      return k;
    }
    if (k < 0.0 || k > n) {
      continue;
    }
    double d = k - n * p;
    double variance = n * p * q;
    double bound = n < AG_LARGE ? top - v_lgamma(k + 1.0) - v_lgamma(n - k + 1.0) + (k - m) * odds
                                : -(d * d + (q - p) * (d - d * d * d / (3.0 * variance))) / (2.0 * variance);
    if (v_log(v * alpha / (a / (s * s) + b)) <= bound) {
      return k;
    }
  }
  return m;
}

#endif
