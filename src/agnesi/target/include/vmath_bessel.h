/* Bessel functions in double precision; part of vmath.h. */
#ifndef AG_VMATH_BESSEL_H
#define AG_VMATH_BESSEL_H

/* The Bessel function of the first kind of order 0: for x^2 < 30 a polynomial in x^2 times the distances from its zeros,
 * beyond Hankel's amplitudes, fitted.  Max ULP 4, near zeros that many eps of absolute error. */
AG_FN double v_j0(double x) {
  double a = AG_ABS(x);
  double z = a * a;
  int near = z < 30.0;
  double w = (near ? z : 0.0) - 15.0;
  double n = -0x1.713525736083p-92;
  n = AG_FMA(n, w, 0x1.dcce18ab55cf8p-83);
  n = AG_FMA(n, w, -0x1.04dc6b014a391p-73);
  n = AG_FMA(n, w, 0x1.ddddd212c2327p-65);
  n = AG_FMA(n, w, -0x1.6747a6bcae842p-56);
  n = AG_FMA(n, w, 0x1.b18b95246c415p-48);
  n = AG_FMA(n, w, -0x1.97f18fc44c397p-40);
  n = AG_FMA(n, w, 0x1.202b25ad0755dp-32);
  n = AG_FMA(n, w, -0x1.21e8844d6fddp-25);
  n = AG_FMA(n, w, 0x1.7f97b6fb4f7a2p-19);
  n = AG_FMA(n, w, -0x1.22f985f059c0ap-13);
  n = AG_FMA(n, w, 0x1.71e5836ac017bp-9);
  double first = ((near ? z : 0.0) - 0x1.721fb80462bbbp2) - 0x1.db60c816c15d3p-52;
  double second = ((near ? z : 0.0) - 0x1.e78a4a621dd6fp4) - -0x1.10d7c5048826bp-52;
  double close = n * first * second;
  double t = 1.0 / (near ? 6.0 : a);
  double u = AG_FMA(60.0 * t, t, -1.0);
  double p = 0x1.590ab90cc1d0ap-39;
  p = AG_FMA(p, u, -0x1.6d13e5bcb234ap-38);
  p = AG_FMA(p, u, 0x1.449f7e6355babp-39);
  p = AG_FMA(p, u, -0x1.062e59fec211dp-37);
  p = AG_FMA(p, u, 0x1.4c0fc5b3a54f7p-35);
  p = AG_FMA(p, u, -0x1.de5a3b37325e2p-34);
  p = AG_FMA(p, u, 0x1.708eb0ccc3905p-32);
  p = AG_FMA(p, u, -0x1.4e1b81a6c2e9fp-30);
  p = AG_FMA(p, u, 0x1.5de0d2c84a9b3p-28);
  p = AG_FMA(p, u, -0x1.b8d82afba3d0bp-26);
  p = AG_FMA(p, u, 0x1.6565b6a3fe93bp-23);
  p = AG_FMA(p, u, -0x1.9f540df60d763p-20);
  p = AG_FMA(p, u, 0x1.a5c0d8e8f74dep-16);
  p = AG_FMA(p, u, -0x1.24957c73397e6p-10);
  p = AG_FMA(p, u, 0x1.ff6a2f29195b6p-1);
  double q = -0x1.ad176efa429ecp-38;
  q = AG_FMA(q, u, 0x1.930a4249a5d4ap-37);
  q = AG_FMA(q, u, 0x1.042d8a65f9068p-38);
  q = AG_FMA(q, u, -0x1.1944f7988d829p-38);
  q = AG_FMA(q, u, -0x1.8883e7542a45dp-35);
  q = AG_FMA(q, u, 0x1.be344c5c08d03p-34);
  q = AG_FMA(q, u, -0x1.c2df07eb066ap-33);
  q = AG_FMA(q, u, 0x1.3b06705dd32b7p-31);
  q = AG_FMA(q, u, -0x1.e34c8707c4f6ap-30);
  q = AG_FMA(q, u, 0x1.9202e482f781bp-28);
  q = AG_FMA(q, u, -0x1.7b79a3561ca1cp-26);
  q = AG_FMA(q, u, 0x1.a565b1eb9dc1ap-24);
  q = AG_FMA(q, u, -0x1.21f91fc9953f2p-21);
  q = AG_FMA(q, u, 0x1.0ce241bbb33c8p-18);
  q = AG_FMA(q, u, -0x1.8465c44e062p-15);
  q = AG_FMA(q, u, 0x1.23d3e363a499ep-10);
  q = AG_FMA(q, u, -0x1.fb3b3ca50a18bp-4);
  double sine = v_sin(a);
  double cosine = v_cos(a);
  double far = ((cosine + sine) * p - (sine - cosine) * (q * t)) / AG_SQRT(a * 0x1.921fb54442d18p1);
  far = a == AG_INF ? 0.0 : far;
  return near ? close : far;
}

/* The Bessel function of the first kind of order 1, likewise. */
AG_FN double v_j1(double x) {
  double a = AG_ABS(x);
  double z = a * a;
  int near = z < 30.0;
  double w = (near ? z : 0.0) - 15.0;
  double n = -0x1.9ff6b41dc2389p-97;
  n = AG_FMA(n, w, 0x1.20a35e6673667p-87);
  n = AG_FMA(n, w, -0x1.5553e120afda4p-78);
  n = AG_FMA(n, w, 0x1.53f4fb64256d9p-69);
  n = AG_FMA(n, w, -0x1.17fe492cc215dp-60);
  n = AG_FMA(n, w, 0x1.756367aa7907ap-52);
  n = AG_FMA(n, w, -0x1.886778564faa2p-44);
  n = AG_FMA(n, w, 0x1.39a21961c057ap-36);
  n = AG_FMA(n, w, -0x1.6ada70cace969p-29);
  n = AG_FMA(n, w, 0x1.19dff99d17997p-22);
  n = AG_FMA(n, w, -0x1.021525a7cf88dp-16);
  n = AG_FMA(n, w, 0x1.9b48685fd7ea2p-12);
  double first = ((near ? z : 0.0) - 0x1.d5d2b4189822cp3) - -0x1.c6a0d245172bap-54;
  double second = ((near ? z : 0.0) - 0x1.89bf66072a432p5) - 0x1.25355661cb79cp-51;
  double close = x * (n * first * second);
  double t = 1.0 / (near ? 6.0 : a);
  double u = AG_FMA(60.0 * t, t, -1.0);
  double p = -0x1.6f6aaf389e619p-39;
  p = AG_FMA(p, u, 0x1.85bb54e194528p-38);
  p = AG_FMA(p, u, -0x1.630ff2122b195p-39);
  p = AG_FMA(p, u, 0x1.1e503dac54d1fp-37);
  p = AG_FMA(p, u, -0x1.6795603eb01ep-35);
  p = AG_FMA(p, u, 0x1.0467ef8c93641p-33);
  p = AG_FMA(p, u, -0x1.944b0067202eep-32);
  p = AG_FMA(p, u, 0x1.717889015a02ap-30);
  p = AG_FMA(p, u, -0x1.871346afa6436p-28);
  p = AG_FMA(p, u, 0x1.f4421144b6e61p-26);
  p = AG_FMA(p, u, -0x1.9ef3d6e2a12dep-23);
  p = AG_FMA(p, u, 0x1.f54ea21de279ep-20);
  p = AG_FMA(p, u, -0x1.13bbaecf5ac84p-15);
  p = AG_FMA(p, u, 0x1.ed0b6a479c3afp-10);
  p = AG_FMA(p, u, 0x1.007d8d8261106p0);
  double q = 0x1.c5ea261ab1939p-38;
  q = AG_FMA(q, u, -0x1.ab1bcb0de34a5p-37);
  q = AG_FMA(q, u, -0x1.0d034facbe973p-38);
  q = AG_FMA(q, u, 0x1.1bdd7eab05703p-38);
  q = AG_FMA(q, u, 0x1.a378cc0dfcee2p-35);
  q = AG_FMA(q, u, -0x1.dea57615e25c6p-34);
  q = AG_FMA(q, u, 0x1.e794596cbf3a1p-33);
  q = AG_FMA(q, u, -0x1.562993c643c0ap-31);
  q = AG_FMA(q, u, 0x1.07c9c7725c4edp-29);
  q = AG_FMA(q, u, -0x1.b9f087e9066b5p-28);
  q = AG_FMA(q, u, 0x1.a5026b37dd426p-26);
  q = AG_FMA(q, u, -0x1.d965beb1b685dp-24);
  q = AG_FMA(q, u, 0x1.4bbc179ea9d73p-21);
  q = AG_FMA(q, u, -0x1.3cace81a71ecep-18);
  q = AG_FMA(q, u, 0x1.e2ac60fcf3972p-15);
  q = AG_FMA(q, u, -0x1.9d45c62dd9191p-10);
  q = AG_FMA(q, u, 0x1.7e523506f064cp-2);
  double sine = v_sin(a);
  double cosine = v_cos(a);
  double far = ((sine - cosine) * p + (sine + cosine) * (q * t)) / AG_SQRT(a * 0x1.921fb54442d18p1);
  far = a == AG_INF ? 0.0 : AG_COPYSIGN(1.0, x) * far;
  return near ? close : far;
}

/* The modified Bessel function of order 0: a polynomial in x^2 up to 8, beyond exp(x) / sqrt(x) times one in 1/x; the
 * exponential in halves, for it overflows before the function does.  Max ULP 4. */
AG_FN double v_i0(double x) {
  double a = AG_ABS(x);
  int near = a < 8.0;
  double z = near ? a * a : 0.0;
  double p = 0x1.20d247d00eeebp-120;
  p = AG_FMA(p, z, 0x1.31d00bad6ba1ap-111);
  p = AG_FMA(p, z, 0x1.46a4446d3e276p-101);
  p = AG_FMA(p, z, 0x1.e56f7ffb05c87p-92);
  p = AG_FMA(p, z, 0x1.41b6c17a09391p-82);
  p = AG_FMA(p, z, 0x1.69c76363ac35fp-73);
  p = AG_FMA(p, z, 0x1.5601c7e411b36p-64);
  p = AG_FMA(p, z, 0x1.0b312ee43b7c5p-55);
  p = AG_FMA(p, z, 0x1.522a444603fe2p-47);
  p = AG_FMA(p, z, 0x1.522a43f155552p-39);
  p = AG_FMA(p, z, 0x1.02e85c08d260ap-31);
  p = AG_FMA(p, z, 0x1.23456789a8318p-24);
  p = AG_FMA(p, z, 0x1.c71c71c71cbe1p-18);
  p = AG_FMA(p, z, 0x1.c71c71c71c6dfp-12);
  p = AG_FMA(p, z, 0x1.0000000000002p-6);
  p = AG_FMA(p, z, 0x1p-2);
  p = AG_FMA(p, z, 0x1p0);
  double b = near ? 8.0 : a;
  double u = 16.0 / b - 1.0;
  double q = 0x1.de985e80c26e1p-34;
  q = AG_FMA(q, u, 0x1.36172c123f453p-35);
  q = AG_FMA(q, u, -0x1.9ae1031554e04p-31);
  q = AG_FMA(q, u, -0x1.2e287745e1a2ep-32);
  q = AG_FMA(q, u, 0x1.499ae7b4d59c2p-29);
  q = AG_FMA(q, u, 0x1.2c4a86bc0bfefp-30);
  q = AG_FMA(q, u, -0x1.4d2b550bd6e76p-28);
  q = AG_FMA(q, u, -0x1.ac9afa081a33ep-29);
  q = AG_FMA(q, u, 0x1.d29741886cb2dp-28);
  q = AG_FMA(q, u, 0x1.f7410b7f70fdp-28);
  q = AG_FMA(q, u, -0x1.62c3f99ada19fp-28);
  q = AG_FMA(q, u, -0x1.c9aa2ffce2ca1p-27);
  q = AG_FMA(q, u, -0x1.d3b411548af05p-28);
  q = AG_FMA(q, u, 0x1.02cf9254e767p-27);
  q = AG_FMA(q, u, 0x1.7257db9ed6674p-26);
  q = AG_FMA(q, u, 0x1.51d5f84cd03f6p-25);
  q = AG_FMA(q, u, 0x1.7d0e5f25bc841p-24);
  q = AG_FMA(q, u, 0x1.3f49933733f9p-22);
  q = AG_FMA(q, u, 0x1.8e513accc76a3p-20);
  q = AG_FMA(q, u, 0x1.75e5ee7822f78p-17);
  q = AG_FMA(q, u, 0x1.1daa72b5e2366p-13);
  q = AG_FMA(q, u, 0x1.b87969bb93a48p-9);
  q = AG_FMA(q, u, 0x1.9bd428ad249a5p-2);
  double half = v_exp(0.5 * b);
  double far = half == AG_INF ? half : half * (q / AG_SQRT(b)) * half;
  far = far;
  return near ? p : far;
}

/* The modified Bessel function of order 1, likewise. */
AG_FN double v_i1(double x) {
  double a = AG_ABS(x);
  int near = a < 8.0;
  double z = near ? a * a : 0.0;
  double p = 0x1.08fbc76dd1dfp-125;
  p = AG_FMA(p, z, 0x1.38dbeef3ff4f1p-116);
  p = AG_FMA(p, z, 0x1.5ac53da80dc82p-106);
  p = AG_FMA(p, z, 0x1.159f90570389ap-96);
  p = AG_FMA(p, z, 0x1.8be972f0e252ep-87);
  p = AG_FMA(p, z, 0x1.e260acd0c17e6p-78);
  p = AG_FMA(p, z, 0x1.f176cf1f1237fp-69);
  p = AG_FMA(p, z, 0x1.ab81e74959342p-60);
  p = AG_FMA(p, z, 0x1.2c9758fda3036p-51);
  p = AG_FMA(p, z, 0x1.522a43f427f3bp-43);
  p = AG_FMA(p, z, 0x1.27e4fb77a30bbp-35);
  p = AG_FMA(p, z, 0x1.845c8a0ce3807p-28);
  p = AG_FMA(p, z, 0x1.6c16c16c16d2p-21);
  p = AG_FMA(p, z, 0x1.c71c71c71c70fp-15);
  p = AG_FMA(p, z, 0x1.5555555555556p-9);
  p = AG_FMA(p, z, 0x1p-4);
  p = AG_FMA(p, z, 0x1p-1);
  double b = near ? 8.0 : a;
  double u = 16.0 / b - 1.0;
  double q = -0x1.f23ff1f27dca9p-34;
  q = AG_FMA(q, u, -0x1.1f6f8a3689d3bp-35);
  q = AG_FMA(q, u, 0x1.ac4bf6a87bc29p-31);
  q = AG_FMA(q, u, 0x1.1be99bbf474cep-32);
  q = AG_FMA(q, u, -0x1.5873a50ddf275p-29);
  q = AG_FMA(q, u, -0x1.1ff732137576bp-30);
  q = AG_FMA(q, u, 0x1.5e0ee1eae723fp-28);
  q = AG_FMA(q, u, 0x1.a62d3a5241febp-29);
  q = AG_FMA(q, u, -0x1.f053fd33757dcp-28);
  q = AG_FMA(q, u, -0x1.fec28b5e30e16p-28);
  q = AG_FMA(q, u, 0x1.89426861550d7p-28);
  q = AG_FMA(q, u, 0x1.df68969b0012bp-27);
  q = AG_FMA(q, u, 0x1.d2f43270388f8p-28);
  q = AG_FMA(q, u, -0x1.20dfa102cdc55p-27);
  q = AG_FMA(q, u, -0x1.91b62a0449ae7p-26);
  q = AG_FMA(q, u, -0x1.7280f7124367dp-25);
  q = AG_FMA(q, u, -0x1.ad8c9576be72ap-24);
  q = AG_FMA(q, u, -0x1.76136c8d9dbb3p-22);
  q = AG_FMA(q, u, -0x1.ec8e10cda9622p-20);
  q = AG_FMA(q, u, -0x1.f89c230c1c6c7p-17);
  q = AG_FMA(q, u, -0x1.cbc54df1e8a3p-13);
  q = AG_FMA(q, u, -0x1.3f796198ee5e3p-7);
  q = AG_FMA(q, u, 0x1.8ebe783a8403p-2);
  double half = v_exp(0.5 * b);
  double far = half == AG_INF ? half : half * (q / AG_SQRT(b)) * half;
  far = AG_COPYSIGN(1.0, x) * far;
  return near ? x * p : far;
}

/* x^v / gamma(v + 1) = result^2 rest for v >= 0 and x > 0: the halves keep what their product would lose. */
AG_SLOW double ag_power_over_gamma(double v, double x, double *rest) {
  if (v < 20.0) {
    *rest = v_pow(x, v) / v_gamma(v + 1.0);
    return 1.0;
  }
  *rest = v_exp(-ag_stirling_rest(1.0 / v)) / AG_SQRT(0x1.921fb54442d18p2 * v);
  return v_exp(0.5 * v * (v_log(x / v) + 1.0));
}

/* Hankel's series of order v: terms a(k) / x^k of even k, and of odd ones, with the signs of J, or those of I. */
AG_SLOW double ag_hankel(double v, double x, int turning, double *odd) {
  double term = 1.0;
  double even = 1.0;
  *odd = 0.0;
  for (int k = 1; k < 100 && AG_ABS(term) > 0x1p-57; k++) {
    double step = 2.0 * k - 1.0;
    term *= (2.0 * v - step) * (2.0 * v + step) / (8.0 * k * x);
    double signed_term = (turning ? k & 2 : k & 1) ? -term : term;
    *odd += k & 1 ? signed_term : 0.0;
    even += k & 1 ? 0.0 : signed_term;
  }
  return even;
}

/* J of order v at x >= 25, x >= v^2 or v < 2. */
AG_SLOW double ag_bessel_far(double v, double x) {
  double q;
  double p = ag_hankel(v, x, 1, &q);
  double angle = (0.5 * (v - 4.0 * AG_FLOOR(0.25 * v)) + 0.25) * 0x1.921fb54442d18p1;
  double cosine = v_cos(x) * v_cos(angle) + v_sin(x) * v_sin(angle);
  double sine = v_sin(x) * v_cos(angle) - v_cos(x) * v_sin(angle);
  return (p * cosine - q * sine) / AG_SQRT(x * 0x1.921fb54442d18p0);
}

/* J of orders n + f and low + f at x, in one unit, by the recurrence from far above (J. C. P. Miller); where low is 0,
 * (x / 2)^f / gamma(f + 1) is `sum` in that unit. */
AG_SLOW double ag_bessel_down(double f, double n, double low, double x, double *lowest, double *sum) {
  double most = n > x ? n : x;
  double pairs = AG_FLOOR(0.5 * (most - low) + 12.0 + 5.0 * v_cbrt(most));
  double above = 0.0;
  double own = 0x1p-900;
  double found = 0.0;
  double weight = 1.0;
  double total = 0.0;
  for (double k = pairs; k > 0.0; k -= 1.0) {
    double order = low + 2.0 * k;
    double below = 2.0 * (order + f) / x * own - above;
    total += (f + 2.0 * k) * weight * own;
    found = order == n ? own : found;
    found = order - 1.0 == n ? below : found;
    above = below;
    own = 2.0 * (order - 1.0 + f) / x * below - own;
    weight = k > 1.0 ? weight * k / (f + k - 1.0) : weight;
  }
  *lowest = own;
  *sum = own + total / weight;
  return n == low ? own : found;
}

/* J of order v >= 0 at 0 < x < inf. */
AG_SLOW double ag_bessel(double v, double x) {
  double y = 0.25 * x * x;
  if (y <= v + 1.0) {
    double term = 1.0;
    double series = 1.0;
    for (double k = 1.0; AG_ABS(term) > 0x1p-57; k += 1.0) {
      term *= -y / (k * (v + k));
      series += term;
    }
    double rest;
    double half = ag_power_over_gamma(v, 0.5 * x, &rest);
    return half * (series * rest) * half;
  }
  if (x >= 25.0 && x >= v * v) {
    return ag_bessel_far(v, x);
  }
  double ratio = x / v;
  double root = AG_SQRT((1.0 - ratio) * (1.0 + ratio));
  if (v > x && v * (root - v_log((1.0 + root) / ratio)) < -760.0) {
    return 0.0;
  }
  double n = AG_FLOOR(v);
  double f = v - n;
  double lowest;
  double sum;
  if (n > 1e6) {
    return AG_NAN;
  }
  if (x < 25.0) {
    double found = ag_bessel_down(f, n, 0.0, x, &lowest, &sum);
    return found / sum * (v_pow(0.5 * x, f) / v_gamma(f + 1.0));
  }
  double own = ag_bessel_far(f, x);
  double next = ag_bessel_far(f + 1.0, x);
  double low = 0.0;
  for (; low < n && low + f < x; low += 1.0) {
    double after = 2.0 * (low + 1.0 + f) / x * next - own;
    own = next;
    next = after;
  }
  return low == n ? own : ag_bessel_down(f, n, low, x, &lowest, &sum) / lowest * own;
}

/* Whether there is no value: NaN, orders without end, and where it would be complex or take functions of another kind. */
AG_FN int ag_bessel_none(double v, double x) {
  double order = AG_ABS(v);
  int whole = order == AG_FLOOR(order);
  return v != v || x != x || ((v < 0.0 || x < 0.0) && !whole) || order == AG_INF;
}

/* The Bessel function of the first kind of order v >= 0: the power series where x^2 <= 4 (v + 1), Hankel's where x >= v^2,
 * between them the recurrence over orders, downwards, or upwards from Hankel's series.  Errors up to 1e-13, of the value, or
 * of 1 near its zeros.  NaN for orders beyond 1e6 that would take the recurrence, negative ones that are not whole, and
 * negative x where v is not whole. */
AG_SLOW double v_jv(double v, double x) {
  double order = AG_ABS(v);
  if (ag_bessel_none(v, x)) {
    return AG_NAN;
  }
  double half = 0.5 * order;
  int negative = half != AG_FLOOR(half) && ((v < 0.0) != (x < 0.0));
  double a = AG_ABS(x);
  double value = a == AG_INF ? 0.0 : a == 0.0 ? (double)(v == 0.0) : ag_bessel(order, a);
  return negative ? -value : value;
}

/* I of order v > 2000 (F. W. J. Olver, 1954): exp(v e) / sqrt(2 pi v) and the polynomials of p = 1 / sqrt(1 + (x / v)^2). */
AG_SLOW double ag_bessel_uniform(double v, double x) {
  double ratio = x / v;
  double root = AG_SQRT(1.0 + ratio * ratio);
  double p = 1.0 / root;
  double z = p * p;
  double first = p * (3.0 - 5.0 * z) / 24.0;
  double second = z * (81.0 + z * (-462.0 + z * 385.0)) / 1152.0;
  double third = p * z * (30375.0 + z * (-369603.0 + z * (765765.0 - z * 425425.0))) / 414720.0;
  double fourth = z * z * (4465125.0 + z * (-94121676.0 + z * (349922430.0 + z * (-446185740.0 + z * 185910725.0))));
  double sum = 1.0 + (first + (second + (third + fourth / 39813120.0 / v) / v) / v) / v;
  double half = v_exp(0.5 * v * (root - v_log((1.0 + root) / ratio)));
  return half == AG_INF ? half : half * (sum * AG_SQRT(p / (0x1.921fb54442d18p2 * v))) * half;
}

/* I of order v >= 0 at 0 < x < inf. */
AG_SLOW double ag_bessel_modified(double v, double x) {
  if (x > 30.0 && x >= v * v) {
    double odd;
    double even = ag_hankel(v, x, 0, &odd);
    double half = v_exp(0.5 * x);
    return half == AG_INF ? half : half * ((even + odd) / AG_SQRT(x * 0x1.921fb54442d18p2)) * half;
  }
  double y = 0.25 * x * x;
  if (v > 2000.0 && y > v) {
    return ag_bessel_uniform(v, x);
  }
  double term = 1.0;
  double series = 1.0;
  for (double k = 1.0; term > series * 0x1p-57 && series < AG_INF; k += 1.0) {
    term *= y / (k * (v + k));
    series += term;
  }
  double rest;
  double half = ag_power_over_gamma(v, 0.5 * x, &rest);
  return half == 0.0 ? 0.0 : half * (series * rest) * half;
}

/* The modified Bessel function of the first kind of order v >= 0: its power series, Hankel's where x > 30 and x >= v^2, or
 * Olver's for large orders.  Relative errors up to 1e-13, or 2e-16 v.  NaN for negative orders that are not whole,
 * and negative x where v is not whole. */
AG_SLOW double v_iv(double v, double x) {
  double order = AG_ABS(v);
  if (ag_bessel_none(v, x)) {
    return AG_NAN;
  }
  double half = 0.5 * order;
  int negative = x < 0.0 && half != AG_FLOOR(half);
  double a = AG_ABS(x);
  double value = a == AG_INF ? a : a == 0.0 ? (double)(v == 0.0) : ag_bessel_modified(order, a);
  return negative ? -value : value;
}

/* In single precision by way of double: max ULP 0.6. */
AG_FN float v_j0f(float x) {
  return (float)v_j0(x);
}

AG_FN float v_j1f(float x) {
  return (float)v_j1(x);
}

AG_FN float v_i0f(float x) {
  return (float)v_i0(x);
}

AG_FN float v_i1f(float x) {
  return (float)v_i1(x);
}

AG_FN float v_jvf(float v, float x) {
  return (float)v_jv(v, x);
}

AG_FN float v_ivf(float v, float x) {
  return (float)v_iv(v, x);
}

#endif
