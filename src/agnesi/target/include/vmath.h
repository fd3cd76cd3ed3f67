/* Elementary functions for generated code, in single (suffix f) and double precision.
 *
 * Every function is a straight line of scalar C: inside a loop the compiler turns it into SIMD code
 * of whatever width the machine has, and the same text gives the same bits on every target.  That
 * needs -ffp-contract=off (fma only where it is written) and forbids -ffast-math.  Special values are
 * those of C99 and NumPy; subnormal arguments and results are exact to the stated bound.
 *
 * "max ULP" in a comment is the largest error seen over random and hard arguments, in units in the
 * last place of the exact result; tests/test_vmath.py holds each function to its table of bounds.
 *
 * A target that has other spellings (CUDA) defines AG_FN and the AG_* operations before inclusion.
 */
#ifndef AG_VMATH_H
#define AG_VMATH_H
#include <stdint.h>

#ifndef AG_FN
#define AG_FN static inline __attribute__((always_inline, unused))
#define AG_SLOW static __attribute__((noinline, unused)) /* what is called rarely, and is not to be copied */
#endif

#ifndef AG_FMA
#define AG_FMA(x, y, z) __builtin_fma(x, y, z)
#define AG_FMAF(x, y, z) __builtin_fmaf(x, y, z)
#define AG_SQRT(x) __builtin_sqrt(x)
#define AG_SQRTF(x) __builtin_sqrtf(x)
#define AG_ABS(x) __builtin_fabs(x)
#define AG_ABSF(x) __builtin_fabsf(x)
#define AG_FLOOR(x) __builtin_floor(x)
#define AG_FLOORF(x) __builtin_floorf(x)
#define AG_CEIL(x) __builtin_ceil(x)
#define AG_CEILF(x) __builtin_ceilf(x)
#define AG_TRUNC(x) __builtin_trunc(x)
#define AG_TRUNCF(x) __builtin_truncf(x)
#define AG_RINT(x) __builtin_rint(x)
#define AG_RINTF(x) __builtin_rintf(x)
#define AG_COPYSIGN(x, y) __builtin_copysign(x, y)
#define AG_COPYSIGNF(x, y) __builtin_copysignf(x, y)
#define AG_FMOD(x, y) __builtin_fmod(x, y)
#define AG_FMODF(x, y) __builtin_fmodf(x, y)
#define AG_INF __builtin_inf()
#define AG_INFF __builtin_inff()
#define AG_NAN __builtin_nan("")
#define AG_NANF __builtin_nanf("")
#define AG_COPY(to, from, bytes) __builtin_memcpy(to, from, bytes)
#endif

/* A file may leave out what it does not call, which saves compile time: a precision (AG_NO_F32, AG_NO_F64), remainders
 * (AG_NO_MOD), the trigonometric functions and their inverses (AG_NO_TRIG), exp2, log2, log10, cbrt, hypot, sinh and
 * its kin, logaddexp (AG_NO_HYP), the gamma functions and what belongs to erf except itself (AG_NO_GAMMA), incomplete
 * ones (AG_NO_GAMMAINC), Bessel functions (AG_NO_BESSEL), random numbers by rejection (AG_NO_DRAW). */
#ifndef AG_NO_F32
#include "vmath_f32.h"
#ifndef AG_NO_MOD
#include "vmath_mod_f32.h"
#endif
#include "vmath_pow_f32.h"
#ifndef AG_NO_TRIG
#include "vmath_trig_f32.h"
#endif
#ifndef AG_NO_HYP
#include "vmath_hyp_f32.h"
#endif
#ifndef AG_NO_GAMMA
#include "vmath_gamma_f32.h"
#endif
#endif
#ifndef AG_NO_F64
#include "vmath_f64.h"
#ifndef AG_NO_MOD
#include "vmath_mod_f64.h"
#endif
#include "vmath_pow_f64.h"
#ifndef AG_NO_TRIG
#include "vmath_trig_f64.h"
#endif
#ifndef AG_NO_HYP
#include "vmath_hyp_f64.h"
#endif
#ifndef AG_NO_GAMMA
#include "vmath_gamma_f64.h"
#endif
#endif
#include "vmath_int.h"
#ifndef AG_NO_F64
#if !defined(AG_NO_GAMMA) && !defined(AG_NO_GAMMAINC)
#include "vmath_gammainc.h"
#endif
#if !defined(AG_NO_TRIG) && !defined(AG_NO_HYP) && !defined(AG_NO_GAMMA) && !defined(AG_NO_BESSEL)
#include "vmath_bessel.h"
#endif
#if !defined(AG_NO_TRIG) && !defined(AG_NO_GAMMA) && !defined(AG_NO_DRAW)
#include "vmath_draw.h"
#endif
#endif

#endif
