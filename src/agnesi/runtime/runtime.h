/* What the C files of agnesi._runtime share: objects, the frame of a call, memory blocks.
 *
 * All state here is guarded by the GIL unless a comment says otherwise.
 */
#ifndef AG_RUNTIME_H
#define AG_RUNTIME_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL agnesi_array_api
#ifndef AG_MODULE
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>
#include <stdbool.h>
#include "ag_call.h"

_Static_assert(sizeof(npy_intp) == sizeof(int64_t), "agnesi needs a 64-bit platform");

/* Memory ------------------------------------------------------------------------------------ */

/* A piece of memory: the scratch of a call, or the data of a large output. */
struct block {
  struct block *next;
  char *base;
  size_t capacity; /* from KEPT bytes on there is a page more */
};

/* Bytes from which outputs are kept for reuse, and from which their pages are huge. */
enum { KEPT = 16 << 10, BIG = 4 << 20, LINE = 64, PAGE = 4096 };

struct block *ag_block_new(size_t bytes);
void ag_block_free(struct block *block);
/* A new C-contiguous array with arbitrary content; place: where in a page it begins if it is of KEPT bytes or more. */
PyArrayObject *ag_array_new(PyArray_Descr *descr, int ndim, const int64_t *dims, size_t place);
PyObject *ag_trim(PyObject *module, PyObject *none);
PyObject *ag_cached_bytes(PyObject *module, PyObject *none);

/* Shared variables -------------------------------------------------------------------------- */

typedef struct {
  PyObject_HEAD
  PyArrayObject *array;
  PyObject *weakrefs;
  int32_t holders; /* readers inside; -1: one writer */
  int32_t writers; /* writers waiting: new readers queue behind them */
  int32_t epoch;   /* the process generation that `holders` belongs to */
} Storage;

extern PyTypeObject ag_storage_type;
int ag_storage_lock(Storage *storage, bool write); /* may let go of the GIL; -1 with an exception */
void ag_storage_unlock(Storage *storage);
int ag_storage_init(void);

/* Dispatcher -------------------------------------------------------------------------------- */

/* What is known of one buffer before a call. */
struct slot {
  PyArray_Descr *descr;
  int ndim;
  int shift;     /* log2 of the item size */
  int64_t place; /* where its dims and strides begin */
};

/* The bytes that an array touches; both NULL for an empty one. */
struct extent {
  const char *low, *high;
};

enum variant_number { COMMON = 0, GENERAL = 1 };

struct variant {
  int (*code)(struct ag_call *);
  char *donated;        /* one flag per update */
  struct extent *apart; /* shared values and constants that were found not to overlap */
  int64_t sizes[4];     /* those that it is for, as in `ag_call.values` */
  struct variant *next; /* for other sizes */
};

enum result_kind { RESULT_ONE, RESULT_LIST, RESULT_NONE, RESULT_DICT };

typedef struct {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  bool bound;
  bool long_loops;
  int threads;      /* that a call may use */
  long long worth;  /* the work, in additions, from which a loop is split among them */
  long long streaming; /* the bytes of a result from which it is written past the caches */
  int inputs, storages, constants, outputs, updates, buffers;
  int64_t axes;
  size_t frame_bytes;
  struct slot *slots; /* one per buffer */
  int *order;         /* storages by address: the order of locking */
  int *target;        /* the storage that an update writes */
  bool *written;      /* whether a storage is updated */
  PyObject *names;    /* tuple of str or None, one per input */
  PyObject *defaults; /* tuple, one per input */
  PyObject *storage_tuple;
  PyObject *constant_tuple;
  PyObject *keys; /* of the dict that is returned */
  enum result_kind result;
  struct variant variants[2];
  struct variant *by_size; /* variants for sizes: more come, none goes */
  PyThread_type_lock building;
  struct block *arenas; /* idle scratch */
  int idle;             /* how many */
} Dispatcher;

extern PyTypeObject ag_dispatcher_type;
extern PyObject *ag_no_default;
int ag_ready(Dispatcher *self, enum variant_number number);
struct variant *ag_variant_for(Dispatcher *self, const int64_t *sizes);
PyObject *ag_dispatch(PyObject *object, PyObject *const *args, size_t flags, PyObject *names);

/* One call in flight.  `call` comes first: the callbacks get a pointer to it. */
struct frame {
  struct ag_call call;
  Dispatcher *self;
  struct variant *variant;
  struct frame *outer;    /* the call of this thread that this one was made from */
  struct extent *extents; /* of inputs, shared values and constants, for functions with updates */
  PyArrayObject **arrays; /* one owned reference or NULL per buffer */
  PyObject **given;       /* borrowed arguments, in order of the inputs */
  char (*scalars)[16];    /* values of inputs that came as Python numbers */
  PyThreadState *thread;  /* set while the GIL is released */
  struct block *arena;
  PyObject *results; /* of Python functions that have been called: a dict, or NULL */
  struct ag_pool pool;
  bool armed;     /* whether an interrupt ends loops of the pool */
  int64_t bytes;  /* in all buffers so far */
  int64_t wanted; /* what could not be allocated */
  int locked;     /* storages locked so far */
  bool contiguous;
};

int ag_read_inputs(struct frame *frame, PyObject *const *args, Py_ssize_t count, PyObject *names);
int ag_describe(struct frame *frame, int buffer, PyArrayObject *array);
bool ag_plain(const PyArray_Descr *descr);
bool ag_suits(const struct slot *slot, PyArrayObject *array);
PyObject *ag_function_name(Dispatcher *self);

enum held { HELD_NOT, HELD_READ, HELD_WRITE };
enum held ag_held(Storage *storage); /* by an outer call of this thread */

/* Interrupts -------------------------------------------------------------------------------- */

const volatile int32_t *ag_cancel_flag(Dispatcher *self);
int ag_arm(const volatile int32_t *flag);
const volatile int32_t *ag_await_interrupt(void);
int ag_interrupt_init(void);

/* Library ----------------------------------------------------------------------------------- */

extern const struct ag_library ag_library;
PyObject *ag_set_library(PyObject *module, PyObject *args);
PyObject *ag_library_address(PyObject *module, PyObject *none);
PyObject *ag_set_blas_threads(PyObject *module, PyObject *args);
void ag_product_init(void);
PyObject *ag_product_codes(PyObject *module, PyObject *none);
PyObject *ag_set_product_code(PyObject *module, PyObject *name);

#endif
