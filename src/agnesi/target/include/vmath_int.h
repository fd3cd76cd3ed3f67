/* Integer operations with NumPy's meaning; part of vmath.h.
 *
 * Narrower types widen to int64_t or uint64_t, call these, and convert back, which wraps as NumPy
 * does.  Nothing here traps or is undefined: division by zero gives 0, the most negative number
 * divided by -1 gives itself.
 */
#ifndef AG_VMATH_INT_H
#define AG_VMATH_INT_H

/* |x|; the most negative number gives itself. */
AG_FN int64_t v_iabs(int64_t x) {
  return x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
}

/* -1, 0 or 1. */
AG_FN int64_t v_isign(int64_t x) {
  return (int64_t)(x > 0) - (int64_t)(x < 0);
}

/* Quotient rounded towards minus infinity. */
AG_FN int64_t v_ifloordiv(int64_t x, int64_t y) {
  int64_t divisor = ((y == 0) | (y == -1)) ? 1 : y;
  int64_t quotient = x / divisor;
  int64_t remainder = x % divisor;
  quotient -= (remainder != 0) & ((remainder ^ divisor) < 0);
  quotient = y == -1 ? (int64_t)(0 - (uint64_t)x) : quotient;
  return y == 0 ? 0 : quotient;
}

/* Remainder of v_ifloordiv; it has the sign of y. */
AG_FN int64_t v_imod(int64_t x, int64_t y) {
  int64_t divisor = ((y == 0) | (y == -1)) ? 1 : y;
  int64_t remainder = x % divisor;
  return ((remainder != 0) & ((remainder ^ divisor) < 0)) ? remainder + divisor : remainder;
}

/* Remainder with the sign of x, as C's. */
AG_FN int64_t v_ifmod(int64_t x, int64_t y) {
  return x % (((y == 0) | (y == -1)) ? 1 : y);
}

AG_FN uint64_t v_ufloordiv(uint64_t x, uint64_t y) {
  uint64_t quotient = x / (y == 0 ? 1 : y);
  return y == 0 ? 0 : quotient;
}

AG_FN uint64_t v_umod(uint64_t x, uint64_t y) {
  return x % (y == 0 ? 1 : y);
}

/* The greatest divisor of n up to `most`, of those that are small themselves or go into n few times; at least 1. */
AG_FN int64_t v_idivisor(int64_t n, int64_t most) {
  int64_t found = 1;
  for (int64_t i = 1; i <= n / i && i <= 65536; i++) {
    if (n % i != 0) continue;
    if (i > found && i <= most) found = i;
    if (n / i > found && n / i <= most) found = n / i;
  }
  return found;
}

/* Shifts by as many bits as there are, or more, or by a negative number of bits, leave nothing but the sign. */
AG_FN int64_t v_ileft(int64_t x, int64_t n) {
  return (uint64_t)n < 64 ? (int64_t)((uint64_t)x << (n & 63)) : 0;
}

AG_FN int64_t v_iright(int64_t x, int64_t n) {
  return x >> ((uint64_t)n < 64 ? n : 63);
}

AG_FN uint64_t v_uleft(uint64_t x, uint64_t n) {
  return n < 64 ? x << (n & 63) : 0;
}

AG_FN uint64_t v_uright(uint64_t x, uint64_t n) {
  return n < 64 ? x >> (n & 63) : 0;
}

/* x to the power of y >= 0, modulo 2^64; 1 for y <= 0.  Repeated squaring. */
AG_FN uint64_t v_upow(uint64_t x, uint64_t y) {
  uint64_t power = 1;
  while (y != 0) {
    power *= (y & 1) ? x : 1;
    x *= x;
    y >>= 1;
  }
  return power;
}

AG_FN int64_t v_ipow(int64_t x, int64_t y) {
  return (int64_t)v_upow((uint64_t)x, y > 0 ? (uint64_t)y : 0);
}

/* Philox 4x32-10 (Salmon, Moraes, Dror and Shaw 2011): the 128 random bits of a counter of 128 bits under a key of 64, as
 * two words. */
AG_FN uint64_t ag_philox(uint64_t key, uint64_t low, uint64_t high, int word) {
  uint64_t a = low & 0xffffffffu;
  uint64_t b = low >> 32;
  uint64_t c = high & 0xffffffffu;
  uint64_t d = high >> 32;
  uint64_t k = key & 0xffffffffu;
  uint64_t l = key >> 32;
  uint64_t p;
  uint64_t q;
#define AG_ROUND(n)                                       \
  p = a * 0xd2511f53u;                                    \
  q = c * 0xcd9e8d57u;                                    \
  a = (q >> 32) ^ b ^ ((k + n * 0x9e3779b9u) & 0xffffffffu); \
  b = q & 0xffffffffu;                                    \
  c = (p >> 32) ^ d ^ ((l + n * 0xbb67ae85u) & 0xffffffffu); \
  d = p & 0xffffffffu;
  AG_ROUND(0u) AG_ROUND(1u) AG_ROUND(2u) AG_ROUND(3u) AG_ROUND(4u)
  AG_ROUND(5u) AG_ROUND(6u) AG_ROUND(7u) AG_ROUND(8u) AG_ROUND(9u)
#undef AG_ROUND
  return word ? (c | d << 32) : (a | b << 32);
}

AG_FN uint64_t v_philox_low(uint64_t key, uint64_t low, uint64_t high) {
  return ag_philox(key, low, high, 0);
}

AG_FN uint64_t v_philox_high(uint64_t key, uint64_t low, uint64_t high) {
  return ag_philox(key, low, high, 1);
}

#endif
