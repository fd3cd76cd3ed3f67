/* C's complex numbers under the names that generated code uses; CUDA has others under the same (ag_cuda.h). */
#ifndef AG_COMPLEX_H
#define AG_COMPLEX_H
#ifndef AG_REAL

typedef float _Complex ag_c64;
typedef double _Complex ag_c128;
#define AG_REAL(z) (__real__(z))
#define AG_IMAG(z) (__imag__(z))
#define AG_COMPLEX(re, im) __builtin_complex(re, im)

#endif
#endif
