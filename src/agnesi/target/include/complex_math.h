/* Complex numbers for generated code, in single (suffix f) and double precision: C99's _Complex, NumPy's layout.
 *
 * Arithmetic is NumPy's, bit for bit: the schoolbook product, and Smith's quotient.  C's own operators * and / are not
 * used: they call a library function wherever a result is NaN.  Functions are straight lines, as in vmath.h. */
#ifndef AG_COMPLEX_MATH_H
#define AG_COMPLEX_MATH_H
#include "ag_complex.h"
#include "vmath.h"

/* AG_T: the type of the parts; AG_C: that of the whole; AG_S(name): the function of that precision; AG_MAX_EXP: from where exp is taken in two
 * steps; AG_LARGE: from where an absolute value may overflow; AG_SMALL: up to where it may lose bits, and AG_UP: an even
 * power of two that lifts it, with the reciprocal of its root and its logarithm. */
#ifndef AG_NO_F64
#define AG_T double
#define AG_C ag_c128
#define AG_S(name) name
#define AG_MAX_EXP 700.0
#define AG_LARGE 0x1p1020
#define AG_SMALL 0x1p-960
#define AG_UP 0x1p120
#define AG_ROOT_DOWN 0x1p-60
#define AG_LOG_UP 83.17766166719343712983
#include "complex_functions.h"
#undef AG_T
#undef AG_C
#undef AG_S
#undef AG_MAX_EXP
#undef AG_LARGE
#undef AG_SMALL
#undef AG_UP
#undef AG_ROOT_DOWN
#undef AG_LOG_UP
#endif

#ifndef AG_NO_F32
#define AG_T float
#define AG_C ag_c64
#define AG_S(name) name##f
#define AG_MAX_EXP 85.0f
#define AG_LARGE 0x1p124f
#define AG_SMALL 0x1p-100f
#define AG_UP 0x1p40f
#define AG_ROOT_DOWN 0x1p-20f
#define AG_LOG_UP 27.72588722239781237661f
#include "complex_functions.h"
#undef AG_T
#undef AG_C
#undef AG_S
#undef AG_MAX_EXP
#undef AG_LARGE
#undef AG_SMALL
#undef AG_UP
#undef AG_ROOT_DOWN
#undef AG_LOG_UP
#endif

#endif
