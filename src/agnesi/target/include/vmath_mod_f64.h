/* Remainders in double precision; part of vmath.h. */
#ifndef AG_VMATH_MOD_F64_H
#define AG_VMATH_MOD_F64_H

/* Not below 2^63 where |x / y| may reach 2^52, for subnormal y and infinite x. */
AG_FN uint64_t v_fmod_far(double x, double y) {
  uint64_t a = ag_bits(x) & 0x7fffffffffffffffu;
  uint64_t b = ag_bits(y) & 0x7fffffffffffffffu;
  return (((uint64_t)50 << 52) + b - a) | (b - ((uint64_t)1 << 52)) | (0x7fefffffffffffffu - a);
}

/* Remainder of |x / y| < 2^52 with the sign of x: x - trunc(x / y) y is exact by fma, and one correction
 * undoes a quotient that was rounded up to the next integer.  y = 0 gives NaN. */
AG_FN double ag_fmod_parts(double x, double y, double *quotient) {
  double a = AG_ABS(x);
  double b = AG_ABS(y);
  double q = AG_TRUNC(a / b);
  double r = AG_FMA(-q, b, a);
  *quotient = r < 0.0 ? q - 1.0 : q;
  r = r < 0.0 ? r + b : r;
  r = b == AG_INF ? x : AG_COPYSIGN(r, x);
  return a == AG_INF ? AG_NAN : r;
}

AG_FN double v_fmod_near(double x, double y) {
  double quotient;
  return ag_fmod_parts(x, y, &quotient);
}

/* C's fmod, exact.  The branch for large quotients keeps a loop scalar. */
AG_FN double v_fmod(double x, double y) {
  if (AG_ABS(x / y) >= 0x1p52) {
    return AG_FMOD(x, y);
  }
  return v_fmod_near(x, y);
}

/* A remainder r with the sign of x moved to the sign of y. */
AG_FN double ag_mod(double r, double y) {
  double moved = (r < 0.0) != (y < 0.0) ? r + y : r;
  return r == 0.0 ? AG_COPYSIGN(0.0, y) : moved;
}

/* (x - r) / y rounded to an integer, for the remainder r with the sign of x; x / y where y = 0. */
AG_FN double ag_floordiv(double x, double y, double r) {
  double ratio = (x - r) / y;
  ratio = ((r != 0.0) & ((r < 0.0) != (y < 0.0))) ? ratio - 1.0 : ratio;
  double whole = AG_FLOOR(ratio);
  whole = ratio - whole > 0.5 ? whole + 1.0 : whole;
  whole = ratio == 0.0 ? AG_COPYSIGN(0.0, x / y) : whole;
  return y == 0.0 ? x / y : whole;
}

/* np.mod: y = 0 gives NaN. */
AG_FN double v_mod(double x, double y) {
  return ag_mod(v_fmod(x, y), y);
}

AG_FN double v_mod_near(double x, double y) {
  return ag_mod(v_fmod_near(x, y), y);
}

/* np.floor_divide, which agrees with v_mod. */
AG_FN double v_floordiv(double x, double y) {
  return ag_floordiv(x, y, v_fmod(x, y));
}

/* The same from the quotient itself, which is exact here. */
AG_FN double v_floordiv_near(double x, double y) {
  double q;
  double r = ag_fmod_parts(x, y, &q);
  q = ag_float(ag_bits(q) | ((ag_bits(x) ^ ag_bits(y)) & 0x8000000000000000u));
  return ((r != 0.0) & ((r < 0.0) != (y < 0.0))) ? q - 1.0 : q;
}

#endif
