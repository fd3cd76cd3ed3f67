/* The elementary functions' operations in CUDA; included before vmath.h, for NVRTC with -default-device and --fmad=false. */
#ifndef AG_CUDA_H
#define AG_CUDA_H
#include <stdint.h>

#define AG_FN static __device__ __forceinline__
#define AG_SLOW static __device__ __noinline__
#define AG_FMA(x, y, z) __fma_rn(x, y, z)
#define AG_FMAF(x, y, z) __fmaf_rn(x, y, z)
#define AG_SQRT(x) __dsqrt_rn(x)
#define AG_SQRTF(x) __fsqrt_rn(x)
#define AG_ABS(x) fabs(x)
#define AG_ABSF(x) fabsf(x)
#define AG_FLOOR(x) floor(x)
#define AG_FLOORF(x) floorf(x)
#define AG_CEIL(x) ceil(x)
#define AG_CEILF(x) ceilf(x)
#define AG_TRUNC(x) trunc(x)
#define AG_TRUNCF(x) truncf(x)
#define AG_RINT(x) rint(x)
#define AG_RINTF(x) rintf(x)
#define AG_COPYSIGN(x, y) copysign(x, y)
#define AG_COPYSIGNF(x, y) copysignf(x, y)
#define AG_FMOD(x, y) fmod(x, y)
#define AG_FMODF(x, y) fmodf(x, y)
#define AG_INF __longlong_as_double(0x7ff0000000000000LL)
#define AG_INFF __int_as_float(0x7f800000)
#define AG_NAN __longlong_as_double(0x7ff8000000000000LL)
#define AG_NANF __int_as_float(0x7fc00000)
#define AG_COPY(to, from, bytes) memcpy(to, from, bytes)

#define restrict __restrict__
#define __builtin_inf() AG_INF
#define __builtin_inff() AG_INFF
#define __builtin_nan(text) AG_NAN
#define __builtin_nanf(text) AG_NANF

/* C's complex numbers: what generated text does with them. */
template <class T> struct ag_complex {
  T re, im;
  ag_complex() = default;
  ag_complex(T real, T imaginary = 0) : re(real), im(imaginary) {}
  template <class S> explicit ag_complex(const ag_complex<S> &z) : re((T)z.re), im((T)z.im) {}
  template <class S> explicit operator S() const { return (S)re; }
  ag_complex operator-() const { return ag_complex(-re, -im); }
  ag_complex operator~() const { return ag_complex(re, -im); }
  ag_complex operator+(const ag_complex &z) const { return ag_complex(re + z.re, im + z.im); }
  ag_complex operator-(const ag_complex &z) const { return ag_complex(re - z.re, im - z.im); }
  ag_complex operator*(const ag_complex &z) const { return ag_complex(re * z.re - im * z.im, re * z.im + im * z.re); }
  ag_complex &operator+=(const ag_complex &z) { return *this = *this + z; }
  bool operator==(const ag_complex &z) const { return re == z.re && im == z.im; }
  bool operator!=(const ag_complex &z) const { return !(*this == z); }
};
typedef ag_complex<float> ag_c64;
typedef ag_complex<double> ag_c128;
#define AG_REAL(z) ((z).re)
#define AG_IMAG(z) ((z).im)
#define AG_COMPLEX(real, imaginary) ag_pair(real, imaginary)
AG_FN ag_c64 ag_pair(float real, float imaginary) { return ag_c64(real, imaginary); }
AG_FN ag_c128 ag_pair(double real, double imaginary) { return ag_c128(real, imaginary); }

#endif
