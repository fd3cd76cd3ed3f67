/* Elementary functions in double precision; part of vmath.h.  Methods as in vmath_f32.h unless said. */
#ifndef AG_VMATH_F64_H
#define AG_VMATH_F64_H

#define AG_MAGIC 0x1.8p52 /* x + AG_MAGIC rounds |x| < 2^51 to an integer, kept in the low bits */
#define AG_SQRT_HALF 0x3fe6a09e667f3bcdu /* the bits of sqrt(1/2) */

AG_FN uint64_t ag_bits(double x) {
  uint64_t bits;
  AG_COPY(&bits, &x, 8);
  return bits;
}

AG_FN double ag_float(uint64_t bits) {
  double x;
  AG_COPY(&x, &bits, 8);
  return x;
}

AG_FN double v_sqrt(double x) {
  return AG_SQRT(x);
}

AG_FN double v_abs(double x) {
  return AG_ABS(x);
}

AG_FN double v_floor(double x) {
  return AG_FLOOR(x);
}

AG_FN double v_ceil(double x) {
  return AG_CEIL(x);
}

AG_FN double v_trunc(double x) {
  return AG_TRUNC(x);
}

AG_FN double v_rint(double x) {
  return AG_RINT(x);
}

AG_FN double v_sign(double x) {
  double sign = x == 0.0 ? 0.0 : x;
  sign = x > 0.0 ? 1.0 : sign;
  return x < 0.0 ? -1.0 : sign;
}

AG_FN double v_maximum(double x, double y) {
  double larger = x > y ? x : y;
  return x != x ? x : larger;
}

AG_FN double v_minimum(double x, double y) {
  double smaller = x < y ? x : y;
  return x != x ? x : smaller;
}

AG_FN double v_copysign(double x, double y) {
  return AG_COPYSIGN(x, y);
}

/* The larger argument that is not NaN. */
AG_FN double v_fmax(double x, double y) {
  double larger = x > y ? x : y;
  return y != y ? x : larger;
}

AG_FN double v_fmin(double x, double y) {
  double smaller = x < y ? x : y;
  return y != y ? x : smaller;
}

/* Whether the sign bit is set, of -0 and NaN too. */
AG_FN int v_signbit(double x) {
  return (int)(ag_bits(x) >> 63);
}

/* x times a power of two such that the size is from 1/4 up, less than 1/2: less where that power would be near overflow.
 * Of 0, infinities and NaN, 1 with their sign. */
AG_FN double v_significand(double x) {
  const uint64_t bits = ag_bits(x), exponent = bits >> 52 & 0x7ff;
  const double result = exponent < 23 ? x * 0x1p998 : ag_float((bits & 0x800fffffffffffff) | 0x3fd0000000000000);
  return x == 0.0 || !(AG_ABS(x) < AG_INF) ? AG_COPYSIGN(1.0, x) : result;
}

/* p * 2^k, |k| < 2000, in two exact steps so that the result may be subnormal.  Biased, because an
 * arithmetic shift of 64-bit lanes is slow before AVX-512. */
AG_FN double ag_scale(double p, int64_t k) {
  uint64_t biased = (uint64_t)k + 4096;
  uint64_t half = biased >> 1;
  uint64_t rest = biased - half;
  return p * ag_float((half - 2048 + 1023) << 52) * ag_float((rest - 2048 + 1023) << 52);
}

/* exp(x + low) = (result + tail) 2^k for |low| < 1; relative error of the polynomial 2^-58. */
AG_FN double ag_exp_parts(double x, double low, int64_t *k, double *tail) {
  double m = AG_FMA(x + low, 0x1.71547652b82fep0, AG_MAGIC);
  *k = (int64_t)(ag_bits(m) - ag_bits(AG_MAGIC));
  m -= AG_MAGIC;
  double r = AG_FMA(m, -0x1.62e42fefa38p-1, x) + low;
  r = AG_FMA(m, -0x1.ef35793c7673p-45, r);
  double square = r * r;
  double q = 0x1.2891bc11bdc43p-22;
  q = AG_FMA(q, square, 0x1.a019b8cc875bbp-16);
  q = AG_FMA(q, square, 0x1.6c16c178a58b2p-10);
  q = AG_FMA(q, square, 0x1.5555555553ce8p-5);
  q = AG_FMA(q, square, 0x1.0000000000001p-1);
  double q_odd = 0x1.aeabc345fdc3dp-26;
  q_odd = AG_FMA(q_odd, square, 0x1.71de59f3520bap-19);
  q_odd = AG_FMA(q_odd, square, 0x1.a01a018c37677p-13);
  q_odd = AG_FMA(q_odd, square, 0x1.11111111144cdp-7);
  q_odd = AG_FMA(q_odd, square, 0x1.555555555554dp-3);
  q = AG_FMA(q_odd, r, q);
  double s = AG_FMA(q, square, r);
  double p = s + 1.0;
  *tail = s - (p - 1.0);
  return p;
}

/* Not below 2^63 unless |x| < 708. */
AG_FN uint64_t v_exp_far(double x) {
  return 0x4086200000000000u - (ag_bits(x) & 0x7fffffffffffffffu);
}

/* p 2^k where both p and the product are normal. */
AG_FN double ag_scale_near(double p, int64_t k) {
  return ag_float(ag_bits(p) + (((uint64_t)k + ag_bits(AG_MAGIC)) << 52)); /* which adds 0, and saves a subtraction */
}

AG_FN double v_exp_near(double x) {
  int64_t k;
  double tail;
  double p = ag_exp_parts(x, -0.0, &k, &tail);
  return ag_scale_near(p, k);
}

/* exp: max ULP 1.1.  Here and below: v_NAME_near gives the same bits where v_QUESTION_far says that it may be used. */
AG_FN double v_exp(double x) {
  x = x > 720.0 ? 720.0 : x;
  x = x < -760.0 ? -760.0 : x;
  int64_t k;
  double tail;
  double p = ag_exp_parts(x, -0.0, &k, &tail);
  return ag_scale(p, k);
}

/* exp(x) - 1 = 2^k (exp(r) - 1) + (2^k - 1), formed at half size so that 2^k cannot overflow; `tail` is
 * the rounding error of the result, for x >= 0. */
AG_FN double ag_expm1_parts(double x, double *tail) {
  double m = AG_FMA(x, 0x1.71547652b82fep0, AG_MAGIC);
  uint64_t k = ag_bits(m) - ag_bits(AG_MAGIC);
  m -= AG_MAGIC;
  double r = AG_FMA(m, -0x1.62e42fefa38p-1, x);
  r = AG_FMA(m, -0x1.ef35793c7673p-45, r);
  double square = r * r;
  double q = 0x1.af4ec44e54597p-26;
  q = AG_FMA(q, square, 0x1.71de01afce41fp-19);
  q = AG_FMA(q, square, 0x1.a01a01ac1d225p-13);
  q = AG_FMA(q, square, 0x1.1111111110052p-7);
  q = AG_FMA(q, square, 0x1.5555555555557p-3);
  double q_odd = 0x1.1f86f01118c57p-29;
  q_odd = AG_FMA(q_odd, square, 0x1.27e4cfaf49edfp-22);
  q_odd = AG_FMA(q_odd, square, 0x1.a01a01ab9877ep-16);
  q_odd = AG_FMA(q_odd, square, 0x1.6c16c16c156a5p-10);
  q_odd = AG_FMA(q_odd, square, 0x1.5555555555557p-5);
  q = AG_FMA(q_odd, r, q);
  q = AG_FMA(q, r, 0.5);
  double p = AG_FMA(q, square, r);
  double p_tail = AG_FMA(q, square, r - p);
  double half = ag_float((k + 1022) << 52);
  double t = AG_FMA(half, p, half - 0.5);
  double t_tail = AG_FMA(half, p, (half - 0.5) - t);
  t_tail = AG_FMA(half, p_tail, t_tail);
  *tail = t_tail + t_tail;
  return t + t;
}

/* exp(x) - 1.  Below 2^-55 it is x itself, which keeps -0 and subnormals.  Max ULP 1.9. */
AG_FN double v_expm1(double x) {
  double clamped = x > 710.0 ? 710.0 : x;
  clamped = clamped < -45.0 ? -45.0 : clamped;
  double tail;
  double t = ag_expm1_parts(clamped, &tail);
  return AG_ABS(x) < 0x1p-55 ? x : t;
}

/* Split x > 0, normal: x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2).  k comes biased by
 * 1024, as a number in `power`, which needs no conversion from integers. */
AG_FN double ag_log_split(double x, double *power, uint64_t *biased) {
  uint64_t shifted = ag_bits(x) - AG_SQRT_HALF + ((uint64_t)1024 << 52);
  *biased = shifted >> 52;
  *power = ag_float(*biased | 0x4330000000000000u) - (0x1p52 + 1024.0);
  return ag_float((shifted & 0xfffffffffffffu) + AG_SQRT_HALF) - 1.0;
}

/* log(1 + f) - f + a b = s (h + R(s^2)) - h + a b with s = f / (2 + f), h = f^2 / 2. */
AG_FN double ag_log_rest(double f, double a, double b) {
  double s = f / (2.0 + f);
  double z = s * s;
  double q = 0x1.2b810433b0c5ep-3;
  q = AG_FMA(q, z, 0x1.39fb1a4edf885p-3);
  q = AG_FMA(q, z, 0x1.7462cd84700d5p-3);
  q = AG_FMA(q, z, 0x1.c71c6290f394cp-3);
  q = AG_FMA(q, z, 0x1.2492492e2e9c6p-2);
  q = AG_FMA(q, z, 0x1.9999999995137p-2);
  q = AG_FMA(q, z, 0x1.5555555555558p-1);
  double h = 0.5 * f * f;
  return AG_FMA(s, AG_FMA(q, z, h), a * b) - h;
}

/* log(1 + f) + k ln 2, ln 2 in two parts. */
AG_FN double ag_log_poly(double f, double k) {
  return AG_FMA(k, 0x1.62e42fefa38p-1, f + ag_log_rest(f, k, 0x1.ef35793c7673p-45));
}

/* Not below 2^63 unless x is positive, finite and normal. */
AG_FN uint64_t v_log_far(double x) {
  uint64_t bits = ag_bits(x);
  return (bits - 0x0010000000000000u) | (0x7fefffffffffffffu - bits);
}

AG_FN double v_log_near(double x) {
  double k;
  uint64_t biased;
  double f = ag_log_split(x, &k, &biased);
  return ag_log_poly(f, k);
}

/* x = 2^k (1 + f), as ag_log_split for every x > 0. */
AG_FN double ag_log_split_any(double x, double *power) {
  double normal = x < 0x1p-1022 ? x * 0x1p54 : x;
  double shift = x < 0x1p-1022 ? -54.0 : 0.0;
  uint64_t biased;
  double f = ag_log_split(normal, power, &biased);
  *power += shift;
  return f;
}

/* The value r of a logarithm of x > 0, or that of another x: -inf at 0, NaN below. */
AG_FN double ag_log_special(double x, double r) {
  r = x < AG_INF ? r : x;
  r = x == 0.0 ? -AG_INF : r;
  return x < 0.0 ? AG_NAN : r;
}

/* log: max ULP 1.0. */
AG_FN double v_log(double x) {
  double k;
  double f = ag_log_split_any(x, &k);
  return ag_log_special(x, ag_log_poly(f, k));
}

/* log(1 + u) for finite u > -1. */
AG_FN double ag_log1p(double u) {
  double sum = 1.0 + u;
  double lost = u - (sum - 1.0);
  double k;
  uint64_t biased;
  double f = ag_log_split(sum, &k, &biased);
  f = AG_FMA(0.5 * lost, ag_float((2048 - biased) << 52), f);
  return ag_log_poly(f, k);
}

/* Not below 2^63 unless 1 + x is positive, finite and normal, and |x| is not tiny. */
AG_FN uint64_t v_log1p_far(double x) {
  return v_log_far(1.0 + x) | (ag_bits(AG_ABS(x)) - 0x3c80000000000000u);
}

AG_FN double v_log1p_near(double x) {
  return ag_log1p(x);
}

/* log(1 + x): max ULP 1.3. */
AG_FN double v_log1p(double x) {
  double r = ag_log1p(x);
  r = x < AG_INF ? r : x;
  r = x == -1.0 ? -AG_INF : r;
  r = x < -1.0 ? AG_NAN : r;
  return AG_ABS(x) < 0x1p-55 ? x : r;
}

/* log(1 + u + low) for u > -1 and |low| < ulp(u): what rounding takes from 1 + u goes on in f. */
AG_FN double ag_log1p_sum(double u, double low) {
  double sum = 1.0 + u;
  double lost = (u - (sum - 1.0)) + low;
  double k;
  uint64_t biased;
  double f = ag_log_split(sum, &k, &biased);
  f = AG_FMA(0.5 * lost, ag_float((2048 - biased) << 52), f);
  f = k == 0.0 ? u : f;
  /* where 1 + f is 1 + u, the tail enters as low / (1 + u) */
  double extra = k == 0.0 ? low * (1.0 - f + f * f) : 0.0;
  return ag_log_poly(f, k) + extra;
}

/* log(1 + exp(x)) for x <= 0, the exponential kept as a sum of two parts. */
AG_FN double ag_softplus_part(double x) {
  double clamped = x < -760.0 ? -760.0 : x;
  int64_t k;
  double tail;
  double e = ag_exp_parts(clamped, -0.0, &k, &tail);
  return ag_log1p_sum(ag_scale(e, k), ag_scale(tail, k));
}

/* log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)): max ULP 1.5. */
AG_FN double v_softplus(double x) {
  double q = ag_softplus_part(-AG_ABS(x));
  q = x > 0.0 ? x + q : q;
  return x == AG_INF ? x : q;
}

/* tanh(a) = 1 - 2 / (exp(2a) + 1), x + x^3 P(x^2) below 0.55; polynomials by Estrin's scheme, since loops that feed a value
 * back wait for it, as they would for an argument that is held below 22.  Max ULP 1.9. */
AG_FN double v_tanh(double x) {
  double a = AG_ABS(x);
  double m = AG_FMA(a, 0x1.71547652b82fep1, AG_MAGIC);
  double r = AG_FMA(a, 0x1.71547652b82fep1, AG_MAGIC - m);
  double r2 = r * r;
  double r4 = r2 * r2;
  double low = AG_FMA(AG_FMA(0x1.3b2ab6fba4e79p-7, r, 0x1.c6b08d704a0c6p-5), r2,
                      AG_FMA(0x1.ebfbdff82c58fp-3, r, 0x1.62e42fefa39efp-1));
  double middle = AG_FMA(AG_FMA(0x1.62c02242b879cp-20, r, 0x1.ffcbfc6da6ed1p-17), r2,
                         AG_FMA(0x1.430912f86b7dbp-13, r, 0x1.5d87fe78a3f9cp-10));
  double high = AG_FMA(AG_FMA(0x1.c4a29324a1038p-36, r, 0x1.e9ec1fcb69a7fp-32), r2,
                       AG_FMA(0x1.e4cf10dec0f59p-28, r, 0x1.b524ebd13a55fp-24));
  double e = AG_FMA(AG_FMA(AG_FMA(high, r4, middle), r4, low), r, 1.0);
  e *= ag_float((ag_bits(m) << 52) + 0x3ff0000000000000u);
  double large = 1.0 - (a > 22.0 ? 0.0 : 2.0 / (e + 1.0));
  double z = a * a;
  double z2 = z * z;
  double z4 = z2 * z2;
  low = AG_FMA(AG_FMA(0x1.664f45c396938p-6, z, -0x1.ba1ba1ad760bbp-5), z2,
               AG_FMA(0x1.11111111029e4p-3, z, -0x1.555555555549ep-2));
  middle = AG_FMA(AG_FMA(0x1.2fa2e6da7e14bp-11, z, -0x1.7cf3cee5504d3p-10), z2,
                  AG_FMA(0x1.d6c61fa37dd1ap-9, z, -0x1.226ddd594cf43p-7));
  high = AG_FMA(0x1.ac06b9ea451a3p-15, z, -0x1.b90bf0199daaap-13);
  double small = AG_FMA(AG_FMA(AG_FMA(high, z4, middle), z4, low) * z, a, a);
  return AG_COPYSIGN(a < 0.55 ? small : large, x);
}

/* 1 / (1 + exp(-x)) by e = exp(-|x|), so that nothing overflows; the rounding error of 1 + e is carried to
 * a correction of the quotient.  Max ULP 1.6. */
AG_FN double v_sigmoid(double x) {
  double e = v_exp(-AG_ABS(x));
  double divisor = 1.0 + e;
  double divisor_tail = e - (divisor - 1.0);
  double dividend = x < 0.0 ? e : 1.0;
  double inverse = 1.0 / divisor;
  double quotient = dividend * inverse;
  double rest = AG_FMA(-quotient, divisor_tail, AG_FMA(-quotient, divisor, dividend));
  return AG_FMA(rest, inverse, quotient);
}

/* erfc(a) = p e 2^k / divisor for a >= 0: exp(-a^2) = e 2^k and P((a - 4) / (a + 4)) / (2a + 1), each with
 * its rounding error. */
AG_FN double ag_erfc_factors(double a, double *p_tail, double *e, double *e_tail, double *divisor, double *divisor_tail,
                            int64_t *k) {
  double b = a > 28.0 ? 28.0 : a;
  double w = (b - 4.0) / (b + 4.0);
  double ww = w * w;
  double q = -0x1.c16887f145e98p-27;
  q = AG_FMA(q, ww, 0x1.e7e76595f726p-24);
  q = AG_FMA(q, ww, -0x1.bf31cc9078d85p-21);
  q = AG_FMA(q, ww, 0x1.7f9e60449e7d1p-18);
  q = AG_FMA(q, ww, -0x1.99681388eaf7dp-16);
  q = AG_FMA(q, ww, -0x1.a1de931313595p-13);
  q = AG_FMA(q, ww, 0x1.49c671a5b99c9p-8);
  q = AG_FMA(q, ww, 0x1.3079edf9bd75p-5);
  q = AG_FMA(q, ww, 0x1.7fee004df8152p-4);
  q = AG_FMA(q, ww, 0x1.16ecefcfa5fe2p-4);
  q = AG_FMA(q, ww, -0x1.1df1ad154a29cp-3);
  double q_odd = -0x1.b8a70462b4881p-30;
  q_odd = AG_FMA(q_odd, ww, -0x1.0fb996c826a36p-27);
  q_odd = AG_FMA(q_odd, ww, 0x1.0ac0e59da9067p-24);
  q_odd = AG_FMA(q_odd, ww, 0x1.44fe63ab42a64p-22);
  q_odd = AG_FMA(q_odd, ww, -0x1.78ae56ad865e3p-17);
  q_odd = AG_FMA(q_odd, ww, 0x1.3be104dc90646p-13);
  q_odd = AG_FMA(q_odd, ww, -0x1.8d4aa3f4ec30bp-11);
  q_odd = AG_FMA(q_odd, ww, -0x1.0962387a17aecp-6);
  q_odd = AG_FMA(q_odd, ww, -0x1.0fb06dfe88ebp-4);
  q_odd = AG_FMA(q_odd, ww, -0x1.9ddb23c3e5893p-4);
  q_odd = AG_FMA(q_odd, ww, 0x1.f7f5df66fcb5bp-7);
  q = AG_FMA(q_odd, w, q);
  double p = AG_FMA(q, w, 0x1.3ba5916e9fd7fp0);
  *p_tail = AG_FMA(q, w, 0x1.3ba5916e9fd7fp0 - p);
  double square = b * b;
  *e = ag_exp_parts(-square, -AG_FMA(b, b, -square), k, e_tail);
  *divisor = AG_FMA(2.0, b, 1.0);
  *divisor_tail = AG_FMA(2.0, b, 1.0 - *divisor);
  return p;
}

/* erfc(a) for a >= 0, the errors of the factors carried to a correction of the quotient. */
AG_FN double ag_erfc_positive(double a) {
  double p_tail;
  double e;
  double e_tail;
  double divisor;
  double divisor_tail;
  int64_t k;
  double p = ag_erfc_factors(a, &p_tail, &e, &e_tail, &divisor, &divisor_tail, &k);
  double inverse = 1.0 / divisor;
  double product = p * e;
  double product_tail = AG_FMA(p, e, -product) + AG_FMA(p, e_tail, p_tail * e);
  double quotient = product * inverse;
  double rest = AG_FMA(-quotient, divisor, product) + AG_FMA(-quotient, divisor_tail, product_tail);
  return ag_scale(AG_FMA(rest, inverse, quotient), k);
}

/* erf(x) for |x| < 1: x P(x^2). */
AG_FN double ag_erf_small(double x) {
  double z = x * x;
  double q = 0x1.bcc7673e30d7dp-35;
  q = AG_FMA(q, z, -0x1.290ef2aba0cb2p-30);
  q = AG_FMA(q, z, 0x1.f253bae72ebf9p-27);
  q = AG_FMA(q, z, -0x1.5e94fcc839229p-23);
  q = AG_FMA(q, z, 0x1.b9cd799776869p-20);
  q = AG_FMA(q, z, -0x1.f4d05fc887746p-17);
  q = AG_FMA(q, z, 0x1.f9a30b576b8ccp-14);
  q = AG_FMA(q, z, -0x1.c02db2f9c2b97p-11);
  q = AG_FMA(q, z, 0x1.565bcd07fa605p-8);
  q = AG_FMA(q, z, -0x1.b82ce3125647ap-6);
  q = AG_FMA(q, z, 0x1.ce2f21a041df3p-4);
  q = AG_FMA(q, z, -0x1.812746b0379cap-2);
  q = AG_FMA(q, z, 0x1.20dd750429b6dp0);
  return q * x;
}

/* erfc: 1 - erf below 1/2.  Max ULP 2.0. */
AG_FN double v_erfc(double x) {
  double a = AG_ABS(x);
  double r = ag_erfc_positive(a);
  r = x < 0.0 ? 2.0 - r : r;
  return a > 0.5 ? r : 1.0 - ag_erf_small(x);
}

/* erf: above 1 it is 1 - 2^P(|x|), where errors of the power hardly count.  Max ULP 1.4. */
AG_FN double v_erf(double x) {
  double a = AG_ABS(x);
  double b = a > 6.0 ? 6.0 : a;
  double p = -0x1.eaeffde59eadap-38;
  p = AG_FMA(p, b, 0x1.3eaa675186939p-32);
  p = AG_FMA(p, b, -0x1.7f9b23ddc4ff3p-28);
  p = AG_FMA(p, b, 0x1.1b2ea1bc9d126p-24);
  p = AG_FMA(p, b, -0x1.1cdc26be79f52p-21);
  p = AG_FMA(p, b, 0x1.978bb98878494p-19);
  p = AG_FMA(p, b, -0x1.9d322de811827p-17);
  p = AG_FMA(p, b, 0x1.0ef6321e8bf97p-15);
  p = AG_FMA(p, b, -0x1.cf822e5e7d087p-16);
  p = AG_FMA(p, b, -0x1.9f79009e93e19p-13);
  p = AG_FMA(p, b, 0x1.24d44cd5ec387p-10);
  p = AG_FMA(p, b, -0x1.6b2a0389c788ep-9);
  p = AG_FMA(p, b, 0x1.39f644c68e82ep-11);
  p = AG_FMA(p, b, 0x1.c0cb9d4c20ee9p-6);
  p = AG_FMA(p, b, -0x1.2f72463e21ec7p-3);
  p = AG_FMA(p, b, -0x1.d6437a3470fbap-1);
  p = AG_FMA(p, b, -0x1.a0be05416a233p0);
  p = AG_FMA(p, b, -0x1.9216bd7c7fc18p-21);
  double m = p + AG_MAGIC;
  double f = p - (m - AG_MAGIC);
  double e = 0x1.e79c9f203701cp-32;
  e = AG_FMA(e, f, 0x1.e61b53b304d44p-28);
  e = AG_FMA(e, f, 0x1.b5267c42956f8p-24);
  e = AG_FMA(e, f, 0x1.62bfc79a6d7bep-20);
  e = AG_FMA(e, f, 0x1.ffcbfba9c6de7p-17);
  e = AG_FMA(e, f, 0x1.4309130eda177p-13);
  e = AG_FMA(e, f, 0x1.5d87fe78cd628p-10);
  e = AG_FMA(e, f, 0x1.3b2ab6fba0113p-7);
  e = AG_FMA(e, f, 0x1.c6b08d7049fe8p-5);
  e = AG_FMA(e, f, 0x1.ebfbdff82c5a4p-3);
  e = AG_FMA(e, f, 0x1.62e42fefa39efp-1);
  e = AG_FMA(e, f, 1.0);
  double rest = ag_float(ag_bits(e) + ((ag_bits(m) - ag_bits(AG_MAGIC)) << 52));
  return a > 1.0 ? AG_COPYSIGN(1.0 - rest, x) : ag_erf_small(x);
}

#endif
