/* Half precision for generated code: float16 (h_) and bfloat16 (b_) are 16 bits in memory and a float in registers.
 *
 * _load and _store convert between the two; values are such as 16 bits hold, so these lose nothing.  _round takes the
 * result of an operation there: to nearest, halves to even, NaN kept.  Integer arithmetic rather than the instructions
 * that some processors have: compilers make vector code of it. */
#ifndef AG_HALF_MATH_H
#define AG_HALF_MATH_H
#include "vmath.h"

AG_FN uint32_t h_bits(float x) {
  uint32_t bits;
  AG_COPY(&bits, &x, sizeof bits);
  return bits;
}

AG_FN float h_float(uint32_t bits) {
  float x;
  AG_COPY(&x, &bits, sizeof x);
  return x;
}

/* The exponent is corrected by a product, which is right for subnormal numbers too. */
AG_FN float h_load(uint16_t h) {
  const uint32_t size = (uint32_t)(h & 0x7fff) << 13, sign = (uint32_t)(h & 0x8000) << 16;
  const uint32_t bits = h_bits(h_float(size) * 0x1p112f);
  return h_float((size >= 0x0f800000 ? size | 0x7f800000 : bits) | sign);
}

AG_FN uint16_t h_store(float x) {
  const uint32_t bits = h_bits(x), size = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
  const uint32_t small = (uint32_t)(int32_t)((size < 0x38800000 ? h_float(size) : 0) * 0x1p24f);
  const uint32_t large = size >= 0x7f800000 ? 0x7c00 | (size >> 13 & 0x3ff) : (size - 0x38000000) >> 13;
  return (uint16_t)((size < 0x38800000 ? small : large) | sign);
}

/* Below 2^-14 places are 2^-24 apart, as those of a float are between a half and one. */
AG_FN float h_round(float x) {
  const uint32_t bits = h_bits(x), size = bits & 0x7fffffff, sign = bits & 0x80000000;
  const uint32_t near = (size + 0xfff + (size >> 13 & 1)) & 0xffffe000;
  const uint32_t large = size > 0x7f800000 ? (size | 0x400000) & 0xffffe000 : near >= 0x47800000 ? 0x7f800000 : near;
  const uint32_t small = h_bits((h_float(size) + 0.5f) - 0.5f);
  return h_float((size < 0x38800000 ? small : large) | sign);
}

/* A double as a float rounded to odd: one that is not exact keeps its last bit set, so that h_round rounds it right. */
AG_FN float h_narrow(double x) {
  uint64_t bits;
  AG_COPY(&bits, &x, sizeof bits);
  bits = (bits & ~0x1fffffffULL) | (uint64_t)((bits & 0x1fffffff) != 0) << 29;
  AG_COPY(&x, &bits, sizeof x);
  return (float)x;
}

AG_FN float b_load(uint16_t b) {
  return h_float((uint32_t)b << 16);
}

AG_FN uint16_t b_store(float x) {
  return (uint16_t)(h_bits(x) >> 16);
}

AG_FN float b_round(float x) {
  const uint32_t bits = h_bits(x), near = bits + 0x7fff + (bits >> 16 & 1);
  return h_float(((bits & 0x7fffffff) > 0x7f800000 ? bits | 0x400000 : near) & 0xffff0000);
}

#endif
