/* Remainders in single precision; part of vmath.h. */
#ifndef AG_VMATH_MOD_F32_H
#define AG_VMATH_MOD_F32_H

/* Not below 2^31 where |x / y| may reach 2^23, for subnormal y and infinite x. */
AG_FN uint32_t v_fmod_farf(float x, float y) {
  uint32_t a = ag_bits_f(x) & 0x7fffffff;
  uint32_t b = ag_bits_f(y) & 0x7fffffff;
  return ((21u << 23) + b - a) | (b - 0x00800000u) | (0x7f7fffffu - a);
}

/* Remainder of |x / y| < 2^23 with the sign of x: x - trunc(x / y) y is exact by fma, and one correction
 * undoes a quotient that was rounded up to the next integer.  y = 0 gives NaN. */
AG_FN float ag_fmod_parts_f(float x, float y, float *quotient) {
  float a = AG_ABSF(x);
  float b = AG_ABSF(y);
  float q = AG_TRUNCF(a / b);
  float r = AG_FMAF(-q, b, a);
  *quotient = r < 0.0f ? q - 1.0f : q;
  r = r < 0.0f ? r + b : r;
  r = b == AG_INFF ? x : AG_COPYSIGNF(r, x);
  return a == AG_INFF ? AG_NANF : r;
}

AG_FN float v_fmod_nearf(float x, float y) {
  float quotient;
  return ag_fmod_parts_f(x, y, &quotient);
}

/* C's fmod, exact.  The branch for large quotients keeps a loop scalar. */
AG_FN float v_fmodf(float x, float y) {
  if (AG_ABSF(x / y) >= 0x1p23f) {
    return AG_FMODF(x, y);
  }
  return v_fmod_nearf(x, y);
}

/* A remainder r with the sign of x moved to the sign of y. */
AG_FN float ag_mod_f(float r, float y) {
  float moved = (r < 0.0f) != (y < 0.0f) ? r + y : r;
  return r == 0.0f ? AG_COPYSIGNF(0.0f, y) : moved;
}

/* (x - r) / y rounded to an integer, for the remainder r with the sign of x; x / y where y = 0. */
AG_FN float ag_floordiv_f(float x, float y, float r) {
  float ratio = (x - r) / y;
  ratio = ((r != 0.0f) & ((r < 0.0f) != (y < 0.0f))) ? ratio - 1.0f : ratio;
  float whole = AG_FLOORF(ratio);
  whole = ratio - whole > 0.5f ? whole + 1.0f : whole;
  whole = ratio == 0.0f ? AG_COPYSIGNF(0.0f, x / y) : whole;
  return y == 0.0f ? x / y : whole;
}

/* np.mod: y = 0 gives NaN. */
AG_FN float v_modf(float x, float y) {
  return ag_mod_f(v_fmodf(x, y), y);
}

AG_FN float v_mod_nearf(float x, float y) {
  return ag_mod_f(v_fmod_nearf(x, y), y);
}

/* np.floor_divide, which agrees with v_modf. */
AG_FN float v_floordivf(float x, float y) {
  return ag_floordiv_f(x, y, v_fmodf(x, y));
}

/* The same from the quotient itself, which is exact here. */
AG_FN float v_floordiv_nearf(float x, float y) {
  float q;
  float r = ag_fmod_parts_f(x, y, &q);
  q = ag_float_f(ag_bits_f(q) | ((ag_bits_f(x) ^ ag_bits_f(y)) & 0x80000000u));
  return ((r != 0.0f) & ((r < 0.0f) != (y < 0.0f))) ? q - 1.0f : q;
}

#endif
