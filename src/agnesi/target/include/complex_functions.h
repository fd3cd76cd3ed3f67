/* The functions of complex_math.h in one precision; included once for each. */

AG_FN AG_C AG_S(c_mul)(AG_C a, AG_C b) {
  const AG_T ar = AG_REAL(a), ai = AG_IMAG(a), br = AG_REAL(b), bi = AG_IMAG(b);
  return AG_COMPLEX(ar * br - ai * bi, ar * bi + ai * br);
}

/* a / b after R. L. Smith, Algorithm 116 (1962): both parts of b are scaled by the larger one. */
AG_FN AG_C AG_S(c_div)(AG_C a, AG_C b) {
  const AG_T ar = AG_REAL(a), ai = AG_IMAG(a), br = AG_REAL(b), bi = AG_IMAG(b);
  const AG_T size = AG_S(v_abs)(br);
  const int first = size >= AG_S(v_abs)(bi), zero = (br == 0) & (bi == 0);
  const AG_T large = first ? br : bi, small = first ? bi : br;
  const AG_T ratio = small / large, scale = 1 / (large + small * ratio);
  const AG_T re = (first ? ar + ai * ratio : ar * ratio + ai) * scale;
  const AG_T im = (first ? ai - ar * ratio : ai * ratio - ar) * scale;
  return AG_COMPLEX(zero ? ar / size : re, zero ? ai / size : im);
}

/* What follows calls functions that a file may leave out. */
#if !defined(AG_NO_HYP) && !defined(AG_NO_TRIG)

AG_FN int AG_S(c_endless)(AG_T x) {
  return x == 1 / (AG_T)0 || x == -1 / (AG_T)0;
}

/* log(|x + iy|): by log1p where that is near 0. */
AG_FN AG_T AG_S(c_log_abs)(AG_T x, AG_T y) {
  const AG_T a = AG_S(v_abs)(x), b = AG_S(v_abs)(y), large = a > b ? a : b, small = a > b ? b : a;
  const int huge = large > AG_LARGE, tiny = large < AG_SMALL;
  const AG_T scale = huge ? (AG_T)0.25 : tiny ? AG_UP : 1, size = AG_S(v_hypot)(a * scale, b * scale);
  const int near = (size > (AG_T)0.5) & (size < 2);
  const AG_T excess = (large - 1) * (large + 1) + small * small;
  const AG_T close = AG_S(v_log1p)(near ? excess : 0) / 2, far = AG_S(v_log)(size);
  return near ? close : huge ? far + (AG_T)1.386294361119890618834464242916 : tiny ? far - AG_LOG_UP : far;
}

AG_FN AG_C AG_S(c_log)(AG_C z) {
  const AG_T x = AG_REAL(z), y = AG_IMAG(z);
  return AG_COMPLEX(AG_S(c_log_abs)(x, y), AG_S(v_atan2)(y, x));
}

AG_FN AG_C AG_S(c_log1p)(AG_C z) {
  const AG_T x = AG_REAL(z), y = AG_IMAG(z);
  const int near = (AG_S(v_abs)(x) < (AG_T)0.25) & (AG_S(v_abs)(y) < (AG_T)0.25);
  const AG_T close = AG_S(v_log1p)(near ? x * (2 + x) + y * y : 0) / 2;
  return AG_COMPLEX(near ? close : AG_S(c_log_abs)(1 + x, y), AG_S(v_atan2)(y, 1 + x));
}

/* The principal square root: the larger part by a root, the other by division. */
AG_FN AG_C AG_S(c_sqrt)(AG_C z) {
  const AG_T x = AG_REAL(z), y = AG_IMAG(z), a = AG_S(v_abs)(x), b = AG_S(v_abs)(y), most = a > b ? a : b;
  const AG_T up = most > AG_LARGE ? (AG_T)0.0625 : most < AG_SMALL ? AG_UP : 1;
  const AG_T down = most > AG_LARGE ? 4 : most < AG_SMALL ? AG_ROOT_DOWN : 1;
  const AG_T root = AG_S(v_sqrt)((a * up + AG_S(v_hypot)(a * up, b * up)) / 2);
  const AG_T other = root == 0 ? 0 : b * up / (2 * root);
  const AG_T re = (x >= 0 ? root : other) * down, im = (x >= 0 ? other : root) * down;
  const int endless = AG_S(c_endless)(y), nothing = x != x;
  const AG_T size = endless ? b : nothing ? x : im;
  return AG_COMPLEX(endless ? b : nothing ? x : re, y < 0 || 1 / y < 0 ? -size : size);
}

AG_FN AG_C AG_S(c_exp)(AG_C z) {
  const AG_T x = AG_REAL(z), y = AG_IMAG(z), c = AG_S(v_cos)(y), s = AG_S(v_sin)(y);
  const int large = x > AG_MAX_EXP, none = (c != c) & (x == -1 / (AG_T)0), endless = (c != c) & (x == 1 / (AG_T)0);
  const AG_T e = AG_S(v_exp)(large ? x / 2 : x), rest = large ? e : 1;
  const AG_T re = e * c * rest, im = e * s * rest;
  return AG_COMPLEX(none ? 0 : endless ? x : re, none ? 0 : y == 0 ? y : im);
}

AG_FN AG_C AG_S(c_expm1)(AG_C z) {
  const AG_T x = AG_REAL(z), y = AG_IMAG(z), half = AG_S(v_sin)(y / 2);
  const AG_C e = AG_S(c_exp)(z);
  const int near = AG_S(v_abs)(x) < 1;
  const AG_T close = AG_S(v_expm1)(near ? x : 0) * AG_S(v_cos)(y) - 2 * half * half;
  return AG_COMPLEX(near ? close : AG_REAL(e) - 1, AG_IMAG(e));
}

AG_FN AG_C AG_S(c_sinh)(AG_C z) {
  const AG_T x = AG_REAL(z), y = AG_IMAG(z), c = AG_S(v_cos)(y), s = AG_S(v_sin)(y), a = AG_S(v_abs)(x);
  const int large = a > AG_MAX_EXP;
  const AG_T rest = large ? AG_S(v_exp)(a / 2) : 1;
  const AG_T sh = large ? (x < 0 ? -rest : rest) / 2 : AG_S(v_sinh)(x), ch = large ? rest / 2 : AG_S(v_cosh)(x);
  const int fixed = (c != c) & ((x == 0) | AG_S(c_endless)(x));
  return AG_COMPLEX(fixed ? x : sh * c * rest, y == 0 ? y : ch * s * rest);
}

AG_FN AG_C AG_S(c_cosh)(AG_C z) {
  const AG_T x = AG_REAL(z), y = AG_IMAG(z), c = AG_S(v_cos)(y), s = AG_S(v_sin)(y), a = AG_S(v_abs)(x);
  const int large = a > AG_MAX_EXP;
  const AG_T rest = large ? AG_S(v_exp)(a / 2) : 1;
  const AG_T sh = large ? (x < 0 ? -rest : rest) / 2 : AG_S(v_sinh)(x), ch = large ? rest / 2 : AG_S(v_cosh)(x);
  const int endless = (c != c) & AG_S(c_endless)(x), real = (y == 0) | ((x == 0) & (s != s));
  return AG_COMPLEX(endless ? a : ch * c * rest, real ? (x < 0 || 1 / x < 0 ? -y * 0 : (y == 0 ? y : 0)) : sh * s * rest);
}

/* After W. Kahan, Branch cuts for complex elementary functions (1987). */
AG_FN AG_C AG_S(c_tanh)(AG_C z) {
  const AG_T x = AG_REAL(z), y = AG_IMAG(z), a = AG_S(v_abs)(x), t = AG_S(v_tan)(y);
  const int large = a > 20, endless = AG_S(c_endless)(x) & (t != t), fixed = (x == 0) & (t != t);
  const AG_T s = AG_S(v_sinh)(large ? 0 : x), beta = 1 + t * t, below = 1 + beta * s * s;
  const AG_T re = large ? (x < 0 ? -1 : 1) : beta * AG_S(v_sqrt)(1 + s * s) * s / below;
  const AG_T faint = 4 * AG_S(v_sin)(y) * AG_S(v_cos)(y) * AG_S(v_exp)(-2 * a);
  const AG_T im = large ? faint : t / below;
  return AG_COMPLEX(fixed ? x : re, endless ? 0 : y == 0 ? y : im);
}

/* The circular functions from the hyperbolic ones, by a quarter turn: sin(z) = -i sinh(iz). */
AG_FN AG_C AG_S(c_sin)(AG_C z) {
  const AG_C w = AG_S(c_sinh)(AG_COMPLEX(-AG_IMAG(z), AG_REAL(z)));
  return AG_COMPLEX(AG_IMAG(w), -AG_REAL(w));
}

AG_FN AG_C AG_S(c_cos)(AG_C z) {
  return AG_S(c_cosh)(AG_COMPLEX(-AG_IMAG(z), AG_REAL(z)));
}

AG_FN AG_C AG_S(c_tan)(AG_C z) {
  const AG_C w = AG_S(c_tanh)(AG_COMPLEX(-AG_IMAG(z), AG_REAL(z)));
  return AG_COMPLEX(AG_IMAG(w), -AG_REAL(w));
}

/* a to the power b, in polar form; 0 to a power with positive real part is 0, to the power 0 is 1. */
AG_FN AG_C AG_S(c_pow)(AG_C a, AG_C b) {
  const AG_T x = AG_REAL(b), y = AG_IMAG(b), turn = AG_S(v_atan2)(AG_IMAG(a), AG_REAL(a));
  const AG_T size = AG_S(v_pow)(AG_S(v_hypot)(AG_REAL(a), AG_IMAG(a)), x) * AG_S(v_exp)(-y * turn);
  const AG_T phase = x * turn + y * AG_S(c_log_abs)(AG_REAL(a), AG_IMAG(a));
  const int none = (AG_REAL(a) == 0) & (AG_IMAG(a) == 0), one = (x == 0) & (y == 0), zero = none & (x > 0);
  const AG_T re = size * AG_S(v_cos)(phase), im = size * AG_S(v_sin)(phase);
  return AG_COMPLEX(one ? 1 : zero ? 0 : re, one || zero ? 0 : im);
}

#endif
