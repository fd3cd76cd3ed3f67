/* Memory of calls: scratch blocks, and output arrays whose large blocks are kept for reuse. */
#include "runtime.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_PAGE = 2 << 20, KEPT_BLOCKS = 256 };

/* Blocks of dead outputs, newest first.  Fresh pages cost 2 to 9 times a kept block, and from 128 KiB on the C library
 * asks for fresh ones; what it gives before begins at multiples of 16 bytes only, which makes vector stores a tenth
 * slower. */
static struct block *kept;
static size_t kept_bytes, kept_blocks;

struct block *ag_block_new(size_t bytes) {
  struct block *block = malloc(sizeof *block);
  if (block == NULL) return NULL;
  bool big = bytes >= BIG;
  size_t unit = big ? HUGE_PAGE : bytes >= KEPT ? PAGE : LINE, room = bytes >= KEPT ? PAGE : 0;
  void *base = NULL;
  if (bytes > SIZE_MAX / 2) goto fail;
  size_t whole = (bytes + room + unit - 1) / unit * unit;
  if (posix_memalign(&base, unit, whole) != 0) goto fail;
#ifdef MADV_HUGEPAGE
  if (big) madvise(base, whole, MADV_HUGEPAGE);
#endif
  *block = (struct block){.base = base, .capacity = whole - room};
  return block;
fail:
  free(block);
  return NULL;
}

void ag_block_free(struct block *block) {
  free(block->base);
  free(block);
}

/* How many bytes of dead outputs may be kept: an eighth of the machine's memory. */
static size_t kept_limit(void) {
  static size_t limit;
  if (limit == 0) limit = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE) / 8;
  return limit;
}

static void forget_kept(size_t limit) {
  struct block **link = &kept;
  size_t sum = 0, count = 0;
  while (*link != NULL) {
    struct block *block = *link;
    if (sum + block->capacity <= limit && count < KEPT_BLOCKS) {
      sum += block->capacity;
      count++;
      link = &block->next;
    } else {
      *link = block->next;
      ag_block_free(block);
    }
  }
  kept_bytes = sum;
  kept_blocks = count;
}

/* The smallest kept block that holds `bytes` and wastes at most a quarter, or the first that wastes next to nothing, else
 * a new one. */
static struct block *take(size_t bytes) {
  struct block **best = NULL;
  for (struct block **link = &kept; *link != NULL; link = &(*link)->next) {
    size_t capacity = (*link)->capacity;
    bool fits = capacity >= bytes && capacity - bytes <= bytes / 4 + (bytes >= BIG ? HUGE_PAGE : 2 * PAGE);
    if (fits && (best == NULL || capacity < (*best)->capacity)) best = link;
    if (fits && capacity - bytes < PAGE) break;
  }
  if (best == NULL) {
    struct block *block = ag_block_new(bytes);
    if (block != NULL || kept == NULL) return block;
    forget_kept(0); /* short of memory: give back what is idle, then try again */
    return ag_block_new(bytes);
  }
  struct block *block = *best;
  *best = block->next;
  kept_bytes -= block->capacity;
  kept_blocks--;
  return block;
}

static void give(PyObject *capsule) {
  struct block *block = PyCapsule_GetPointer(capsule, NULL);
  block->next = kept;
  kept = block;
  kept_bytes += block->capacity;
  kept_blocks++;
  if (kept_bytes > kept_limit() || kept_blocks > KEPT_BLOCKS) forget_kept(kept_limit());
}

static PyArrayObject *kept_array(PyArray_Descr *descr, int ndim, const int64_t *dims, size_t bytes, size_t place) {
  struct block *block = take(bytes);
  if (block == NULL) return (PyArrayObject *)PyErr_NoMemory();
  PyObject *capsule = PyCapsule_New(block, NULL, give);
  if (capsule == NULL) {
    ag_block_free(block);
    return NULL;
  }
  Py_INCREF(descr);
  PyObject *array = PyArray_NewFromDescr(&PyArray_Type, descr, ndim, (const npy_intp *)dims, NULL, block->base + place,
                                         NPY_ARRAY_CARRAY, NULL);
  if (array == NULL) {
    Py_DECREF(capsule);
    return NULL;
  }
  if (PyArray_SetBaseObject((PyArrayObject *)array, capsule) < 0) { /* takes over the capsule either way */
    Py_DECREF(array);
    return NULL;
  }
  return (PyArrayObject *)array;
}

PyArrayObject *ag_array_new(PyArray_Descr *descr, int ndim, const int64_t *dims, size_t place) {
  if (ndim > 0) {
    size_t bytes = (size_t)PyDataType_ELSIZE(descr);
    bool valid = true;
    for (int i = 0; i < ndim; i++) valid = !__builtin_mul_overflow(bytes, (size_t)dims[i], &bytes) && dims[i] >= 0 && valid;
    /* Sizes that make no sense are left to NumPy's messages. */
    if (valid && bytes >= KEPT && bytes < PTRDIFF_MAX) return kept_array(descr, ndim, dims, bytes, place);
  }
  Py_INCREF(descr);
  return (PyArrayObject *)PyArray_NewFromDescr(&PyArray_Type, descr, ndim, (const npy_intp *)dims, NULL, NULL, 0, NULL);
}

PyObject *ag_trim(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none)) {
  forget_kept(0);
  Py_RETURN_NONE;
}

PyObject *ag_cached_bytes(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none)) {
  return PyLong_FromSize_t(kept_bytes);
}
