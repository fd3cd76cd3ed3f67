/* Gamma and error functions in single precision; part of vmath.h. */
#ifndef AG_VMATH_GAMMA_F32_H
#define AG_VMATH_GAMMA_F32_H

/* log(x) = result + tail for x > 0. */
AG_FN float ag_log_parts_f(float x, float *tail) {
  float normal = x < 0x1p-126f ? x * 0x1p23f : x;
  float shift = x < 0x1p-126f ? -23.0f : 0.0f;
  int32_t power;
  float f = ag_log_split_f(normal, &power);
  float k = (float)power + shift;
  float whole = k * 0x1.62e4p-1f;
  float sum = whole + f;
  float rest = ((whole - sum) + f) + ag_log_rest_f(f, k, 0x1.7f7d1cp-20f);
  float log = sum + rest;
  *tail = (sum - log) + rest;
  return log;
}

/* |sin(pi r)| / pi = result + tail for |r| <= 1/2. */
AG_FN float ag_sine_over_pi_f(float r, float *tail) {
  float z = r * r;
  float q = -0x1.27935ap-9f;
  q = AG_FMAF(q, z, 0x1.ac1506p-6f);
  q = AG_FMAF(q, z, -0x1.86a7f8p-3f);
  q = AG_FMAF(q, z, 0x1.9f9cb2p-1f);
  q = AG_FMAF(q, z, -0x1.a51a66p0f);
  float sine = AG_FMAF(q * z, AG_ABSF(r), AG_ABSF(r));
  *tail = AG_FMAF(q * z, AG_ABSF(r), AG_ABSF(r) - sine);
  return sine;
}

/* log |gamma(x)|.  From 4 on, Stirling's series with a fitted rest; below, log gamma(2 + w) = w P(w) for |w| <= 1/2 and
 * the recurrence; for x < 0 gamma(x) gamma(-x) = -pi / (x sin(pi x)).  Max ULP 2.0, near zeros that many
 * eps of absolute error; inf at the poles. */
AG_FN float v_lgammaf(float x) {
  float a = AG_ABSF(x);
  int negative = x < 0.0f;
  int large = a >= 4.0f;
  float r = a - AG_RINTF(a);
  float rounding;
  float sine = ag_sine_over_pi_f(r, &rounding);
  /* steps of the recurrence: gamma(a) = gamma(2 + w) product, or divided by it below 3/2 */
  int some = a >= 0.5f;
  int two = a >= 1.5f;
  int three = a >= 2.5f;
  int four = a >= 3.5f;
  float w = a - (some ? 1.0f : 0.0f);
  w = two ? a - 2.0f : w;
  w = three ? a - 3.0f : w;
  w = four ? a - 4.0f : w;
  float product = some ? a : AG_FMAF(a, a, a);
  product = two ? 1.0f : product;
  product = three ? a - 1.0f : product;
  product = four ? (a - 1.0f) * (a - 2.0f) : product;
  float reflected = some ? sine : sine / (a + 1.0f);
  reflected = two ? sine * a * product : reflected;
  product = negative ? reflected : product;
  float log_tail;
  float log = ag_log_parts_f(large ? a : product, &log_tail);
  float factor = (two | negative) ? 1.0f : -1.0f;
  factor = large ? a - 0.5f : factor;
  float less = large ? log - 1.0f : log;
  log_tail += large ? (log - less) - 1.0f : 0.0f;
  float high = factor * less;
  float low = AG_FMAF(factor, less, -high) + factor * log_tail;
  float inverse = 1.0f / a;
  float t = inverse * inverse;
  float s = 0x1.856662p-11f;
  s = AG_FMAF(s, t, -0x1.6befbcp-9f);
  s = AG_FMAF(s, t, 0x1.555554p-4f);
  float p = -0x1.06bbbcp-12f;
  p = AG_FMAF(p, w, 0x1.2af9d4p-11f);
  p = AG_FMAF(p, w, -0x1.374ac2p-10f);
  p = AG_FMAF(p, w, 0x1.7956cep-9f);
  p = AG_FMAF(p, w, -0x1.e40b3p-8f);
  p = AG_FMAF(p, w, 0x1.513598p-6f);
  p = AG_FMAF(p, w, -0x1.13ep-4f);
  p = AG_FMAF(p, w, 0x1.4a34ccp-2f);
  p = AG_FMAF(p, w, 0x1.b0ee6p-2f);
  float rest = large ? AG_FMAF(s, inverse, 0x1.acfe3ap-2f) : w * p;
  float sine_tail;
  float sine_log = ag_log_parts_f((large & negative) ? sine * a : 1.0f, &sine_tail);
  float sum = high + sine_log;
  low += (high - sum) + sine_log;
  float value = sum + rest;
  float back = value - sum;
  value += ((sum - (value - back)) + (rest - back)) + (low + sine_tail);
  value = negative ? -value : value;
  int pole = (x <= 0.0f) & (r == 0.0f);
  return (pole | (a == AG_INFF) | (high == AG_INFF)) ? AG_INFF : value;
}

/* The derivative of log gamma.  From 4 on, log x and a fitted rest; below, (y - y0) P(y - 3/2) for 1 <= y < 2, y0 the
 * zero, and the recurrence; for x < 0 digamma(x) = digamma(1 - x) - pi / tan(pi x).  Max ULP 2.5, near zeros at
 * x < 0 that many eps of absolute error; NaN at negative integers. */
AG_FN float v_digammaf(float x) {
  float a = AG_ABSF(x);
  int negative = x < 0.0f;
  int large = a >= 4.0f;
  float r = a - AG_RINTF(a);
  /* pi cot(pi r) by the sine and cosine of t pi, |t| <= 1/4, each with its rounding error */
  int swap = AG_ABSF(r) > 0.25f;
  float t = AG_COPYSIGNF(swap ? 0.5f - AG_ABSF(r) : AG_ABSF(r), r);
  float z = t * t;
  float q = 0x1.a79eb8p-6f;
  q = AG_FMAF(q, z, -0x1.86a2e8p-3f);
  q = AG_FMAF(q, z, 0x1.9f9cbp-1f);
  q = AG_FMAF(q, z, -0x1.a51a66p0f);
  float sine = AG_FMAF(q * z, t, t);
  float sine_tail = AG_FMAF(q * z, t, t - sine);
  q = 0x1.db61e6p-3f;
  q = AG_FMAF(q, z, -0x1.55cb9p0f);
  q = AG_FMAF(q, z, 0x1.03c1eap2f);
  q = AG_FMAF(q, z, -0x1.3bd3ccp2f);
  float cosine = AG_FMAF(q, z, 1.0f);
  float cosine_tail = AG_FMAF(q, z, 1.0f - cosine);
  float product = sine * 0x1.3bd3ccp3f;
  float product_tail = AG_FMAF(sine, 0x1.37c8bcp-22f, sine_tail * 0x1.3bd3ccp3f);
  product_tail += AG_FMAF(sine, 0x1.3bd3ccp3f, -product);
  float over = swap ? product : cosine;
  float over_tail = swap ? product_tail : cosine_tail;
  float under = swap ? cosine : sine;
  float under_tail = swap ? cosine_tail : sine_tail;
  float share = 1.0f / under;
  float cotangent = over * share;
  float gap = AG_FMAF(-cotangent, under, over) + AG_FMAF(-cotangent, under_tail, over_tail);
  float cotangent_tail = gap * share;
  float inverse = 1.0f / a;
  int one = a >= 1.0f;
  int two = a >= 2.0f;
  int three = a >= 3.0f;
  float w = one ? a - 1.5f : a - 0.5f;
  w = two ? a - 2.5f : w;
  w = three ? a - 3.5f : w;
  float shifted = a - 1.0f;
  float above = three ? shifted + (a - 2.0f) : 1.0f;
  float below = three ? shifted * (a - 2.0f) : shifted;
  float step = two ? above / below : 0.0f;
  float own = one ? 0.0f : -inverse;
  own = negative ? (one ? inverse : 0.0f) : own;
  float p = 0x1.65418ap-7f;
  p = AG_FMAF(p, w, -0x1.0c43fp-6f);
  p = AG_FMAF(p, w, 0x1.186978p-6f);
  p = AG_FMAF(p, w, -0x1.a67e08p-6f);
  p = AG_FMAF(p, w, 0x1.4ea4b8p-5f);
  p = AG_FMAF(p, w, -0x1.fc5cd2p-5f);
  p = AG_FMAF(p, w, 0x1.850eaap-4f);
  p = AG_FMAF(p, w, -0x1.2febbep-3f);
  p = AG_FMAF(p, w, 0x1.eca19p-3f);
  p = AG_FMAF(p, w, -0x1.b1cb68p-2f);
  p = AG_FMAF(p, w, 0x1.e6f0ccp-1f);
  float near = ((w + 0x1.3a4f3ap-5f) + -0x1.5af8fep-30f) * p + step;
  float log_tail;
  float log = ag_log_parts_f(a, &log_tail);
  float y = inverse * inverse;
  float s = -0x1.da8706p-9f;
  s = AG_FMAF(s, y, 0x1.10cee8p-7f);
  s = AG_FMAF(s, y, -0x1.55554ep-4f);
  float far = log + (AG_FMAF(s, y, log_tail) - 0.5f * inverse);
  float value = (large ? far : near) + own;
  value = negative ? value + (AG_ABSF(r) > 0x1p-40f ? cotangent_tail : 0.0f) + cotangent : value;
  value = (negative & (r == 0.0f)) ? AG_NANF : value;
  value = x == AG_INFF ? x : value;
  return x == 0.0f ? AG_COPYSIGNF(AG_INFF, -x) : value;
}

/* The derivative of digamma.  From 4 on 1/y + 1/(2 y^2) + P(1/y^2) / y^3; below, four terms of the sum of 1 / (x + k)^2
 * and y = x + 4; for x < 0 trigamma(x) = (pi / sin(pi x))^2 - trigamma(1 - x).  Max ULP 3.8; inf at the poles. */
AG_FN float v_trigammaf(float x) {
  float a = AG_ABSF(x);
  int negative = x < 0.0f;
  int large = a >= 4.0f;
  float p = a * (a + 3.0f);
  float q = p + 2.0f; /* (a + 1) (a + 2) */
  float four = a + 3.0f;
  float others = AG_FMAF(AG_FMAF(2.0f, p, 5.0f), four * four, q * q) / ((four * q) * (four * q));
  float share = 1.0f / a; /* a * a may be subnormal where its inverse is a number */
  float steps = negative ? others : share * share + others;
  float inverse = 1.0f / (large ? a : a + 4.0f);
  float t = inverse * inverse;
  float s = -0x1.a9a4d6p-6f;
  s = AG_FMAF(s, t, 0x1.81ccfcp-6f);
  s = AG_FMAF(s, t, -0x1.110a8cp-5f);
  s = AG_FMAF(s, t, 0x1.555554p-3f);
  float own = (negative & large) ? -0.5f : 0.5f; /* without 1 / a^2, which the reflection takes away */
  float value = AG_FMAF(t, AG_FMAF(s, inverse, own), inverse) + (large ? 0.0f : steps);
  float r = a - AG_RINTF(a);
  float rounding;
  float sine = ag_sine_over_pi_f(r, &rounding);
  float square = sine * sine;
  float square_tail = AG_FMAF(sine, sine, -square) + 2.0f * sine * rounding;
  float single = 1.0f / sine;
  int tiny = AG_ABSF(r) < 0x1p-50f; /* where the square's tail is no number, and then the square */
  float inverse_square = tiny ? single * single : 1.0f / square;
  float correction = tiny ? 0.0f : inverse_square * square_tail * inverse_square;
  return negative ? inverse_square - (value + correction) : value;
}

/* exp(x^2) erfc(x) = (1 + v P(w)) / (2a + 1) for a = x >= 0, v = 2a / (a + 4), w = (a - 4) / (a + 4), with the errors
 * of dividend and divisor; 2 exp(a^2) less that below.  Max ULP 1.8. */
AG_FN float v_erfcxf(float x) {
  float a = AG_ABSF(x);
  float b = a > 0x1p60f ? 0x1p60f : a;
  float share = 1.0f / (b + 4.0f);
  float v = 2.0f * b * share;
  float w = (b - 4.0f) * share;
  float q = 0x1.ec25a6p-14f;
  q = AG_FMAF(q, w, -0x1.7d47cep-12f);
  q = AG_FMAF(q, w, -0x1.738332p-12f);
  q = AG_FMAF(q, w, 0x1.63e63ap-8f);
  q = AG_FMAF(q, w, -0x1.62bec4p-6f);
  q = AG_FMAF(q, w, 0x1.e1ad3cp-5f);
  q = AG_FMAF(q, w, -0x1.003fc4p-3f);
  q = AG_FMAF(q, w, 0x1.c0393ap-3f);
  q = AG_FMAF(q, w, -0x1.4793aep-2f);
  q = AG_FMAF(q, w, 0x1.8d4edp-2f);
  q = AG_FMAF(q, w, -0x1.7d8f1cp-2f);
  q = AG_FMAF(q, w, 0x1.dd2c8cp-3f);
  float p = AG_FMAF(v, q, 1.0f);
  float p_tail = AG_FMAF(v, q, 1.0f - p);
  float divisor = a + 0.5f;
  float divisor_tail = a > 0.5f ? (a - divisor) + 0.5f : (0.5f - divisor) + a;
  float inverse = 0.5f / divisor;
  float value = p * inverse;
  float rest = AG_FMAF(-value, 2.0f * divisor, p) + AG_FMAF(-2.0f * value, divisor_tail, p_tail);
  rest = a < 0x1p126f ? rest : 0.0f;
  value = AG_FMAF(rest, inverse, value);
  float c = a > 11.0f ? 11.0f : a;
  float square = c * c;
  int32_t k;
  float tail;
  float e = ag_exp_parts_f(square, AG_FMAF(c, c, -square), &k, &tail);
  e = ag_scale_f(e, k + 1);
  tail = ag_scale_f(tail, k + 1);
  float sum = e - value;
  sum += ((e - sum) - value) + tail;
  sum = e < AG_INFF ? sum : e;
  return x < 0.0f ? sum : value;
}

/* erfinv(x) for |x| = 1 - y: x P(-log(1 - x^2)) in the middle, s P((s - c) / (s + c)) with s = sqrt(-log(y)) in the
 * tails. */
AG_FN float ag_erfinv_f(float x, float y) {
  int tail = y < 0x1.2d8p-7f;
  float v = -v_logf(tail ? y : y * (2.0f - y));
  float p = -0x1.5fdb5cp-27f;
  p = AG_FMAF(p, v, 0x1.0c2046p-22f);
  p = AG_FMAF(p, v, -0x1.28fe3ap-19f);
  p = AG_FMAF(p, v, 0x1.51b2e8p-18f);
  p = AG_FMAF(p, v, 0x1.5f1b4ap-15f);
  p = AG_FMAF(p, v, -0x1.02bb66p-13f);
  p = AG_FMAF(p, v, -0x1.326b52p-9f);
  p = AG_FMAF(p, v, 0x1.7a79a6p-7f);
  p = AG_FMAF(p, v, 0x1.db29eep-3f);
  p = AG_FMAF(p, v, 0x1.c5bf8ap-1f);
  float s = AG_SQRTF(v);
  float u = (s - 2.0f) / (s + 2.0f);
  float q = 0x1.9c4024p-7f;
  q = AG_FMAF(q, u, -0x1.e7c4fap-5f);
  q = AG_FMAF(q, u, 0x1.dec16p-4f);
  q = AG_FMAF(q, u, -0x1.de4c2p-4f);
  q = AG_FMAF(q, u, 0x1.b76364p-9f);
  q = AG_FMAF(q, u, 0x1.9ec294p-3f);
  q = AG_FMAF(q, u, -0x1.b1fdap-2f);
  q = AG_FMAF(q, u, 0x1.b94334p-2f);
  q = AG_FMAF(q, u, 0x1.ab0e62p-1f);
  float value = tail ? AG_COPYSIGNF(s * q, x) : x * p;
  value = y == 0.0f ? AG_COPYSIGNF(AG_INFF, x) : value;
  return y < 0.0f ? AG_NANF : value;
}

/* The inverse of erf: max ULP 2.6; NaN beyond 1. */
AG_FN float v_erfinvf(float x) {
  return ag_erfinv_f(x, 1.0f - AG_ABSF(x));
}

/* The inverse of erfc: max ULP 2.8; NaN outside [0, 2]. */
AG_FN float v_erfcinvf(float x) {
  return ag_erfinv_f(1.0f - x, x > 1.0f ? 2.0f - x : x);
}

#endif
