/* The order of the elements of rows: a stable radix sort of keys whose order as unsigned numbers is that of the
 * elements; and binary search.  NaN comes last, -0.0 and 0.0 are equal. */
#ifndef AG_SORT_H
#define AG_SORT_H
#include <stdint.h>
#include <string.h>

enum { AG_DIGIT = 11, AG_DIGITS = 6, AG_BUCKETS = 1 << AG_DIGIT, AG_FEW = 48 };

static inline uint64_t ag_key_signed(int64_t x) { return (uint64_t)x ^ (UINT64_C(1) << 63); }
static inline uint64_t ag_key_unsigned(uint64_t x) { return x; }

static inline uint64_t ag_key_f64(double x) {
  uint64_t bits;
  if (x != x) return UINT64_MAX;
  x = x == 0 ? 0.0 : x;
  memcpy(&bits, &x, 8);
  return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static inline uint64_t ag_key_f32(float x) {
  uint32_t bits;
  if (x != x) return UINT32_MAX;
  x = x == 0 ? 0.0f : x;
  memcpy(&bits, &x, 4);
  return bits >> 31 ? (uint32_t)~bits : bits | UINT32_C(1) << 31;
}

/* Orders few keys, and the places that belong to them. */
static inline void ag_insert(int64_t n, uint64_t *restrict keys, int64_t *restrict places) {
  for (int64_t i = 1; i < n; i++) {
    const uint64_t key = keys[i];
    const int64_t place = places[i];
    int64_t j = i;
    for (; j > 0 && keys[j - 1] > key; j--) {
      keys[j] = keys[j - 1];
      places[j] = places[j - 1];
    }
    keys[j] = key;
    places[j] = place;
  }
}

/* Puts the places 0 .. n - 1 in the order of their keys; digits that all keys share cost nothing.  `keys`, `spare`
 * and `other` have n elements each and are overwritten. */
static __attribute__((unused)) void ag_order(int64_t n, uint64_t *keys, uint64_t *spare, int64_t *other,
                                             int64_t *places) {
  for (int64_t i = 0; i < n; i++) places[i] = i;
  if (n <= AG_FEW) {
    ag_insert(n, keys, places);
    return;
  }
  int64_t *result = places;
  uint64_t differing = 0;
  for (int64_t i = 1; i < n; i++) differing |= keys[i] ^ keys[0];
  for (int digit = 0; digit < AG_DIGITS; digit++) {
    const int shift = digit * AG_DIGIT;
    if ((differing >> shift) % AG_BUCKETS == 0) continue;
    int64_t start[AG_BUCKETS] = {0}, sum = 0;
    for (int64_t i = 0; i < n; i++) start[(keys[i] >> shift) % AG_BUCKETS]++;
    for (int b = 0; b < AG_BUCKETS; b++) {
      const int64_t count = start[b];
      start[b] = sum;
      sum += count;
    }
    for (int64_t i = 0; i < n; i++) {
      const int64_t to = start[(keys[i] >> shift) % AG_BUCKETS]++;
      spare[to] = keys[i];
      other[to] = places[i];
    }
    uint64_t *const k = keys;
    int64_t *const p = places;
    keys = spare;
    spare = k;
    places = other;
    other = p;
  }
  if (places != result) memcpy(result, places, (size_t)n * sizeof *places);
}

/* For every row of x the places of its elements in ascending order; `work` holds 3 n numbers of 64 bits. */
#define AG_ARGSORT(name, type, key) \
  static inline void ag_argsort_##name(int64_t rows, int64_t n, const type *restrict x, int64_t *out, \
                                       int64_t *restrict work) { \
    uint64_t *keys = (uint64_t *)work; \
    for (int64_t r = 0; r < rows; r++) { \
      for (int64_t i = 0; i < n; i++) keys[i] = key(x[r * n + i]); \
      ag_order(n, keys, keys + n, work + 2 * n, out + r * n); \
    } \
  }

/* Which places values have in a vector of n elements in ascending order: before equal elements, or behind them. Some are
 * sought side by side, so that none waits for another's comparisons. */
enum { AG_ABREAST = 8 };
#define AG_SEARCH(name, type, side, before) \
  static inline void ag_search_##side##_##name(int64_t n, const type *a, int64_t step, int64_t count, \
                                               const type *restrict values, int64_t *restrict out) { \
    for (int64_t first = 0; first < count; first += AG_ABREAST) { \
      const int64_t many = count - first < AG_ABREAST ? count - first : AG_ABREAST; \
      int64_t places[AG_ABREAST] = {0}; \
      for (int64_t left = n; left > 0; left /= 2) \
        for (int64_t i = 0; i < many; i++) \
          places[i] += before(a[(places[i] + left / 2) * step], values[first + i]) ? (left + 1) / 2 : 0; \
      for (int64_t i = 0; i < many; i++) out[first + i] = places[i]; \
    } \
  }
#define AG_LESS(x, y) (((x) < (y)) | (((y) != (y)) & ((x) == (x))))
#define AG_NOT_MORE(x, y) (!AG_LESS(y, x))

#define AG_ORDERED(name, type, key) \
  AG_ARGSORT(name, type, key) \
  AG_SEARCH(name, type, left, AG_LESS) \
  AG_SEARCH(name, type, right, AG_NOT_MORE)

AG_ORDERED(bool, uint8_t, ag_key_unsigned)
AG_ORDERED(int8, int8_t, ag_key_signed)
AG_ORDERED(int16, int16_t, ag_key_signed)
AG_ORDERED(int32, int32_t, ag_key_signed)
AG_ORDERED(int64, int64_t, ag_key_signed)
AG_ORDERED(uint8, uint8_t, ag_key_unsigned)
AG_ORDERED(uint16, uint16_t, ag_key_unsigned)
AG_ORDERED(uint32, uint32_t, ag_key_unsigned)
AG_ORDERED(uint64, uint64_t, ag_key_unsigned)
AG_ORDERED(float32, float, ag_key_f32)
AG_ORDERED(float64, double, ag_key_f64)

#endif
