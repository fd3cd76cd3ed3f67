/* One call: lock shared values, run a variant, store updates, collect outputs. */
#include "runtime.h"
#include "pool.h"

/* Below this many bytes of arrays and scratch a call keeps the GIL: letting it go would cost more. */
enum { SMALL_CALL = 32 << 10, SMALL_FRAME = 2048, IDLE_ARENAS = 8 };

static _Thread_local struct frame *innermost; /* calls of this thread that hold locks */

/* Scratch --------------------------------------------------------------------------------- */

static struct block *take_arena(Dispatcher *self, size_t bytes) {
  struct block *arena = self->arenas;
  if (arena != NULL) {
    self->arenas = arena->next;
    self->idle--;
    if (arena->capacity >= bytes) return arena;
    ag_block_free(arena);
  }
  return ag_block_new(bytes);
}

static void give_arena(Dispatcher *self, struct block *arena) {
  if (self->idle == IDLE_ARENAS) {
    ag_block_free(arena);
    return;
  }
  arena->next = self->arenas;
  self->arenas = arena;
  self->idle++;
}

/* Called by generated code ------------------------------------------------------------------ */

/* NumPy's exception for a result that cannot be had, unless its sizes are at fault, in terms of the function. */
static int raise_no_result(struct frame *frame, const struct slot *slot, const int64_t *dims) {
  for (int i = 0; i < slot->ndim; i++)
    if (dims[i] < 0) return AG_PYTHON;
  PyErr_Clear();
  PyObject *name = ag_function_name(frame->self), *shape = PyTuple_New(slot->ndim);
  for (int i = 0; shape != NULL && i < slot->ndim; i++) PyTuple_SET_ITEM(shape, i, PyLong_FromLongLong(dims[i]));
  if (name != NULL && shape != NULL)
    PyErr_Format(PyExc_MemoryError, "%U() could not get memory for a result of shape %S and dtype %S", name, shape,
                 (PyObject *)slot->descr);
  Py_XDECREF(name);
  Py_XDECREF(shape);
  return AG_PYTHON;
}

/* The size of an array; of one that cannot be, any number. */
static uint64_t bytes_of(const struct frame *frame, int buffer) {
  const struct slot *slot = &frame->self->slots[buffer];
  uint64_t bytes = (uint64_t)1 << slot->shift;
  for (int i = 0; i < slot->ndim; i++) bytes *= (uint64_t)frame->call.dims[slot->place + i];
  return bytes;
}

/* Where in a page a result had best begin: where arrays do that are read, or shortly before. Loads run ahead of stores,
 * and one whose address is that of a store under way, but for the page, waits for it: a loop over arrays of 800 kB then
 * takes a quarter longer. */
static size_t best_place(const struct frame *frame) {
  enum { MOST = 8, FEW = 8 * LINE, AHEAD = 24 * LINE };
  const Dispatcher *self = frame->self;
  size_t begin[MOST], best = 0;
  int count = 0, least = MOST + 1;
  for (int k = 0; k < self->buffers - self->outputs - self->updates && count < MOST; k++)
    if (bytes_of(frame, k) >= FEW) begin[count++] = (uintptr_t)frame->call.data[k] % PAGE;
  for (int i = 0; i < count; i++) {
    size_t place = begin[i] / LINE * LINE;
    int met = 0;
    for (int j = 0; j < count; j++) met += (place - begin[j] - 1) % PAGE < AHEAD - 1;
    if (met < least) best = place, least = met;
  }
  return best;
}

static int allocate(struct frame *frame, int buffer) {
  Dispatcher *self = frame->self;
  const struct slot *slot = &self->slots[buffer];
  int64_t *dims = frame->call.dims + slot->place, *strides = frame->call.strides + slot->place;
  int update = buffer - (self->buffers - self->updates);
  if (update >= 0 && frame->variant->donated[update]) return AG_OK; /* it has its memory */
  size_t place = bytes_of(frame, buffer) >= KEPT ? best_place(frame) : 0;
  PyArrayObject *array = ag_array_new(slot->descr, slot->ndim, dims, place);
  if (array == NULL) return raise_no_result(frame, slot, dims);
  int64_t step = 1;
  for (int i = slot->ndim - 1; i >= 0; i--) {
    strides[i] = step;
    step *= dims[i] > 0 ? dims[i] : 1;
  }
  frame->call.data[buffer] = PyArray_DATA(array);
  frame->bytes += step << slot->shift;
  Py_XSETREF(frame->arrays[buffer], array);
  return AG_OK;
}

static int on_alloc(struct ag_call *call, int32_t buffer) {
  struct frame *frame = (struct frame *)call;
  if (frame->thread == NULL) return allocate(frame, buffer);
  PyEval_RestoreThread(frame->thread);
  int status = allocate(frame, buffer);
  frame->thread = PyEval_SaveThread();
  return status;
}

static int on_enter(struct ag_call *call, int64_t bytes) {
  struct frame *frame = (struct frame *)call;
  if (ag_arm(call->cancel) < 0) return AG_PYTHON;
  if (bytes != 0) {
    frame->arena = bytes > 0 ? take_arena(frame->self, (size_t)bytes) : NULL;
    if (frame->arena == NULL) {
      frame->wanted = bytes;
      return AG_MEMORY;
    }
    frame->arena->next = NULL;
    call->arena = frame->arena->base;
  }
  if (frame->self->long_loops || frame->bytes + bytes >= SMALL_CALL) frame->thread = PyEval_SaveThread();
  return AG_OK;
}

static int on_more(struct ag_call *call, int64_t bytes) {
  struct frame *frame = (struct frame *)call;
  if (frame->thread != NULL) PyEval_RestoreThread(frame->thread);
  struct block *arena = bytes >= 0 ? take_arena(frame->self, (size_t)bytes) : NULL;
  if (arena != NULL) {
    arena->next = frame->arena;
    frame->arena = arena;
    frame->bytes += bytes;
    call->arena = arena->base;
  }
  if (frame->thread != NULL || frame->bytes >= SMALL_CALL) frame->thread = PyEval_SaveThread();
  if (arena == NULL) frame->wanted = bytes;
  return arena == NULL ? AG_MEMORY : AG_OK;
}

/* The array that a view describes; a copy is never made, so it may only be used during the call. */
static PyObject *viewed(const struct ag_array *view, bool writable) {
  npy_intp dims[NPY_MAXDIMS];
  for (int i = 0; i < view->ndim; i++) dims[i] = view->dims[i];
  return PyArray_New(&PyArray_Type, view->ndim, dims, view->type, NULL, view->data, 0,
                     writable ? NPY_ARRAY_CARRAY : NPY_ARRAY_CARRAY_RO, NULL);
}

static int run_python(struct frame *frame, int site, int result, int count, const struct ag_array *arrays) {
  if (frame->results == NULL && (frame->results = PyDict_New()) == NULL) return AG_PYTHON;
  PyObject *list = PyList_New(count);
  for (int i = 0; list != NULL && i < count; i++) {
    PyObject *array = viewed(&arrays[i], i == count - 1);
    if (array == NULL) Py_CLEAR(list);
    else PyList_SET_ITEM(list, i, array);
  }
  if (list == NULL) return AG_PYTHON;
  PyObject *done = PyObject_CallMethod((PyObject *)frame->self, "_python", "iiOO", site, result, list, frame->results);
  Py_DECREF(list);
  if (done == NULL) return AG_PYTHON;
  Py_DECREF(done);
  return AG_OK;
}

static int on_python(struct ag_call *call, int32_t site, int32_t result, int32_t count, struct ag_array *arrays) {
  struct frame *frame = (struct frame *)call;
  if (frame->thread == NULL) return run_python(frame, site, result, count, arrays);
  PyEval_RestoreThread(frame->thread);
  int status = run_python(frame, site, result, count, arrays);
  frame->thread = PyEval_SaveThread();
  return status;
}

/* A call that turns out to be long listens for Ctrl-C.  Where shared values are written in place it goes on to its end:
 * they must not be left half written. */
static void arm(struct frame *frame) {
  if (frame->armed || frame->self->long_loops) return;
  bool in_place = false;
  for (int i = 0; i < frame->self->updates; i++) in_place = in_place || frame->variant->donated[i];
  if (!in_place) frame->call.cancel = ag_await_interrupt();
  frame->armed = true;
}

/* A loop for which threads are woken is long enough for Ctrl-C. */
static int on_run(struct ag_call *call, ag_part part, const void *args, int64_t n, int64_t grain, int64_t work) {
  if (n <= grain) return part(call, args, 0, n, 0);
  if (!ag_pool_is_small(call->pool, n, work)) arm((struct frame *)call);
  return ag_pool_run(call, part, args, n, grain, work);
}

/* So is one of many steps, during which other Python threads go on. */
static int on_poll(struct ag_call *call) {
  struct frame *frame = (struct frame *)call;
  arm(frame);
  if (frame->thread == NULL) frame->thread = PyEval_SaveThread();
  return *call->cancel ? AG_CANCEL : AG_OK;
}

/* Undoes `on_enter` and `on_more`. */
static void leave(struct frame *frame) {
  if (frame->thread != NULL) PyEval_RestoreThread(frame->thread);
  while (frame->arena != NULL) {
    struct block *arena = frame->arena;
    frame->arena = arena->next;
    give_arena(frame->self, arena);
  }
  frame->thread = NULL;
  Py_CLEAR(frame->results);
}

/* Shared values ------------------------------------------------------------------------------- */

static Storage *storage_of(Dispatcher *self, int storage) {
  return (Storage *)PyTuple_GET_ITEM(self->storage_tuple, storage);
}

enum held ag_held(Storage *storage) {
  for (struct frame *frame = innermost; frame != NULL; frame = frame->outer)
    for (int i = 0; i < frame->self->storages; i++)
      if (storage_of(frame->self, i) == storage) return frame->self->written[i] ? HELD_WRITE : HELD_READ;
  return HELD_NOT;
}

static int lock_storages(struct frame *frame) {
  Dispatcher *self = frame->self;
  for (; frame->locked < self->storages; frame->locked++) {
    int i = self->order[frame->locked];
    if (ag_storage_lock(storage_of(self, i), self->written[i]) < 0) return -1;
  }
  return 0;
}

static void unlock_storages(struct frame *frame) {
  Dispatcher *self = frame->self;
  while (frame->locked > 0) ag_storage_unlock(storage_of(self, self->order[--frame->locked]));
}

static int describe_shared(struct frame *frame) {
  Dispatcher *self = frame->self;
  int buffer = self->inputs;
  for (int i = 0; i < self->storages; i++, buffer++) {
    PyArrayObject *array = storage_of(self, i)->array;
    if (ag_describe(frame, buffer, (PyArrayObject *)Py_NewRef((PyObject *)array)) < 0) return -1;
  }
  for (int i = 0; i < self->constants; i++, buffer++)
    if (ag_describe(frame, buffer, (PyArrayObject *)Py_NewRef(PyTuple_GET_ITEM(self->constant_tuple, i))) < 0)
      return -1;
  return 0;
}

/* Donation: an update that writes the storage's own array ------------------------------------- */

/* The bytes that a buffer touches. */
static struct extent extent_of(struct frame *frame, int buffer) {
  const struct slot *slot = &frame->self->slots[buffer];
  const int64_t *dims = frame->call.dims + slot->place, *strides = frame->call.strides + slot->place;
  int64_t low = 0, high = 0;
  for (int i = 0; i < slot->ndim; i++) {
    if (dims[i] == 0) return (struct extent){NULL, NULL};
    int64_t span = (dims[i] - 1) * strides[i];
    if (span < 0) low += span;
    else high += span;
  }
  const char *data = frame->call.data[buffer];
  return (struct extent){data + low * (1LL << slot->shift), data + ((high + 1) << slot->shift)};
}

/* Gives a buffer a copy of its own; a storage keeps it only when `lasting`. */
static int copy_buffer(struct frame *frame, int buffer, bool lasting) {
  PyArrayObject *copy = (PyArrayObject *)PyArray_NewCopy(frame->arrays[buffer], NPY_CORDER);
  if (copy == NULL) return -1;
  if (lasting) {
    Storage *storage = storage_of(frame->self, buffer - frame->self->inputs);
    Py_XSETREF(storage->array, (PyArrayObject *)Py_NewRef((PyObject *)copy));
  }
  return ag_describe(frame, buffer, copy);
}

/* Copies those of the first `count` buffers that lie in the memory that update `update` is going to write.
 * Returns how many, or -1. */
static int part_from_others(struct frame *frame, int update, int count) {
  Dispatcher *self = frame->self;
  int own = self->inputs + self->target[update], copies = 0;
  struct extent mine = frame->extents[own];
  for (int buffer = 0; buffer < count; buffer++) {
    struct extent its = frame->extents[buffer];
    if (its.high <= mine.low || mine.high <= its.low || buffer == own) continue;
    int storage = buffer - self->inputs;
    bool lasting = storage >= 0 && storage < self->storages && self->written[storage];
    if (copy_buffer(frame, buffer, lasting) < 0) return -1;
    frame->extents[buffer] = extent_of(frame, buffer);
    copies++;
  }
  return copies;
}

/* Sees to it that no donated update writes into what the function reads otherwise.
 *
 * Shared values and constants rarely move: where they lie as in an earlier call, only inputs are compared. */
static int part(struct frame *frame) {
  Dispatcher *self = frame->self;
  int shared = self->storages + self->constants, copies = 0;
  for (int i = 0; i < self->inputs + shared; i++) frame->extents[i] = extent_of(frame, i);
  struct extent *known = frame->variant->apart, *now = frame->extents + self->inputs;
  bool moved = memcmp(known, now, (size_t)shared * sizeof *known) != 0;
  for (int i = 0; i < self->updates; i++) {
    if (!frame->variant->donated[i]) continue;
    int made = part_from_others(frame, i, moved ? self->inputs + shared : self->inputs);
    if (made < 0) return -1;
    copies += made;
  }
  if (moved && copies == 0) memcpy(known, now, (size_t)shared * sizeof *known);
  return 0;
}

/* Points every donated update at its storage's array, after making that array fit to be written. */
static int donate(struct frame *frame) {
  Dispatcher *self = frame->self;
  int first = self->buffers - self->updates;
  for (int i = 0; i < self->updates; i++) {
    int own = self->inputs + self->target[i];
    if (!frame->variant->donated[i]) continue;
    PyArrayObject *array = frame->arrays[own];
    bool fit = array == storage_of(self, self->target[i])->array && PyArray_IS_C_CONTIGUOUS(array) &&
               PyArray_ISWRITEABLE(array);
    if (!fit && copy_buffer(frame, own, true) < 0) return -1;
  }
  if (part(frame) < 0) return -1;
  for (int i = 0; i < self->updates; i++) {
    if (!frame->variant->donated[i]) continue;
    const struct slot *from = &self->slots[self->inputs + self->target[i]], *to = &self->slots[first + i];
    size_t bytes = (size_t)to->ndim * sizeof(int64_t);
    frame->call.data[first + i] = frame->call.data[self->inputs + self->target[i]];
    memcpy(frame->call.dims + to->place, frame->call.dims + from->place, bytes);
    memcpy(frame->call.strides + to->place, frame->call.strides + from->place, bytes);
  }
  return 0;
}

/* Ends -------------------------------------------------------------------------------------- */

/* New values of updates go into their storages; the old arrays die with the frame, after unlocking. */
static int store_updates(struct frame *frame) {
  Dispatcher *self = frame->self;
  int first = self->buffers - self->updates;
  for (int i = self->inputs + self->storages + self->constants; i < self->buffers; i++) {
    bool donated = i >= first && frame->variant->donated[i - first];
    if (frame->arrays[i] != NULL || donated) continue;
    PyErr_Format(PyExc_SystemError, "generated code did not allocate buffer %d", i);
    return -1;
  }
  for (int i = 0; i < self->updates; i++) {
    if (frame->variant->donated[i]) continue;
    Storage *storage = storage_of(self, self->target[i]);
    PyArrayObject *old = storage->array;
    storage->array = frame->arrays[first + i];
    frame->arrays[first + i] = old;
  }
  return 0;
}

static int raise_check(struct frame *frame) {
  const int64_t *values = frame->call.values;
  PyObject *error = PyObject_CallMethod((PyObject *)frame->self, "_fail", "i(LLLL)", (int)frame->call.check,
                                        (long long)values[0], (long long)values[1], (long long)values[2],
                                        (long long)values[3]);
  if (error == NULL) return -1;
  if (PyExceptionInstance_Check(error)) PyErr_SetObject((PyObject *)Py_TYPE(error), error);
  else PyErr_Format(PyExc_TypeError, "_fail() returned %.100s, not an exception", Py_TYPE(error)->tp_name);
  Py_DECREF(error);
  return -1;
}

static int raise_memory(struct frame *frame) {
  PyObject *name = ag_function_name(frame->self);
  if (name == NULL) return -1;
  PyErr_Format(PyExc_MemoryError, "%U() could not get %lld bytes of scratch memory", name, (long long)frame->wanted);
  Py_DECREF(name);
  return -1;
}

static int finish(struct frame *frame, int status) {
  switch (status) {
  case AG_OK: return store_updates(frame);
  case AG_CHECK: return raise_check(frame);
  case AG_MEMORY: return raise_memory(frame);
  case AG_CANCEL:
    if (PyErr_CheckSignals() == 0) PyErr_SetNone(PyExc_KeyboardInterrupt);
    return -1;
  case AG_PYTHON:
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "generated code reported an exception but set none");
    return -1;
  default: PyErr_Format(PyExc_SystemError, "generated code returned the unknown status %d", status); return -1;
  }
}

/* Has a variant do the work. */
static int attempt(struct frame *frame, struct variant *variant) {
  Dispatcher *self = frame->self;
  frame->variant = variant;
  if (self->updates > 0 && donate(frame) < 0) return -1;
  int status = frame->variant->code(&frame->call);
  leave(frame);
  /* Products do not tell that they were cut short, and what is made of them may fail. */
  return frame->armed && *frame->call.cancel && status != AG_PYTHON ? AG_CANCEL : status;
}

static void drop_results(struct frame *frame) {
  Dispatcher *self = frame->self;
  for (int i = self->inputs + self->storages + self->constants; i < self->buffers; i++) Py_CLEAR(frame->arrays[i]);
}

/* One of the two variants for any sizes. */
static struct variant *ready(Dispatcher *self, enum variant_number number) {
  if (self->variants[number].code == NULL && ag_ready(self, number) < 0) return NULL;
  return &self->variants[number];
}

/* The variant that is to do what one has left undone; that one itself where an interrupt came to nothing. */
static struct variant *turn_to(struct frame *frame, int status) {
  if (status == AG_SIZE) return ag_variant_for(frame->self, frame->call.values);
  if (status == AG_GENERAL) return ready(frame->self, GENERAL);
  if (PyErr_CheckSignals() < 0) return NULL;
  frame->armed = false; /* the program's own handler has seen to the signal, and raised nothing */
  return frame->variant;
}

static bool is_left(struct frame *frame, int status) {
  bool general = frame->variant == &frame->self->variants[GENERAL];
  return (status == AG_CANCEL && frame->armed) || (status == AG_GENERAL && !general) || status == AG_SIZE;
}

static int run(struct frame *frame) {
  struct variant *variant = ready(frame->self, frame->contiguous ? COMMON : GENERAL);
  if (variant == NULL) return -1;
  frame->call.by_size = 1;
  int status = attempt(frame, variant);
  while (is_left(frame, status)) {
    frame->call.by_size = 0;
    variant = turn_to(frame, status);
    if (variant == NULL) return -1;
    drop_results(frame);
    status = attempt(frame, variant);
  }
  return status < 0 ? -1 : finish(frame, status);
}

static int run_bound(struct frame *frame) { return describe_shared(frame) < 0 ? -1 : run(frame); }

/* `run_bound`, known as the holder of the locks to calls that are made from within. */
static int run_locked(struct frame *frame) {
  int status = lock_storages(frame);
  if (status == 0) {
    struct frame *outer = innermost;
    frame->outer = outer;
    innermost = frame;
    status = run_bound(frame);
    innermost = outer;
  }
  unlock_storages(frame);
  return status;
}

static PyObject *take_output(struct frame *frame, int output) {
  int buffer = frame->self->inputs + frame->self->storages + frame->self->constants + output;
  PyObject *array = (PyObject *)frame->arrays[buffer];
  frame->arrays[buffer] = NULL;
  return array;
}

static PyObject *collect(struct frame *frame) {
  Dispatcher *self = frame->self;
  if (self->result == RESULT_ONE) return take_output(frame, 0);
  if (self->result == RESULT_NONE) Py_RETURN_NONE;
  PyObject *result = self->result == RESULT_LIST ? PyList_New(self->outputs) : PyDict_New();
  if (result == NULL) return NULL;
  for (int i = 0; i < self->outputs; i++) {
    PyObject *array = take_output(frame, i);
    if (self->result == RESULT_LIST) {
      PyList_SET_ITEM(result, i, array);
      continue;
    }
    int failed = PyDict_SetItem(result, PyTuple_GET_ITEM(self->keys, i), array);
    Py_DECREF(array);
    if (failed < 0) {
      Py_DECREF(result);
      return NULL;
    }
  }
  return result;
}

/* Cuts the arrays of a frame out of one piece of memory. */
static void open_frame(struct frame *frame, Dispatcher *self, char *memory) {
  size_t buffers = (size_t)self->buffers, inputs = (size_t)self->inputs, axes = (size_t)self->axes;
  *frame = (struct frame){.self = self, .contiguous = true};
  frame->scalars = (char(*)[16])memory;
  memory += 16 * inputs;
  frame->arrays = (PyArrayObject **)memory;
  memset(memory, 0, buffers * sizeof(void *));
  memory += buffers * sizeof(void *);
  frame->call.data = (void **)memory;
  memory += buffers * sizeof(void *);
  frame->given = (PyObject **)memory;
  memory += inputs * sizeof(void *);
  if (self->updates > 0) {
    frame->extents = (struct extent *)memory;
    memory += buffers * sizeof(struct extent);
  }
  frame->call.dims = (int64_t *)memory;
  frame->call.strides = frame->call.dims + axes;
  frame->call.library = &ag_library;
  frame->pool = (struct ag_pool){ag_pool_allowed(self->threads), self->worth, self->streaming, ag_grain, on_run};
  frame->call.pool = &frame->pool;
  frame->call.alloc = on_alloc;
  frame->call.enter = on_enter;
  frame->call.more = on_more;
  frame->call.poll = on_poll;
  frame->call.python = on_python;
  frame->call.cancel = ag_cancel_flag(self);
}

PyObject *ag_dispatch(PyObject *object, PyObject *const *args, size_t flags, PyObject *names) {
  Dispatcher *self = (Dispatcher *)object;
  _Alignas(16) char small[SMALL_FRAME];
  struct frame frame;
  if (!self->bound) {
    PyErr_SetString(PyExc_RuntimeError, "a dispatcher was called before _bind()");
    return NULL;
  }
  char *memory = self->frame_bytes <= sizeof small ? small : PyMem_Malloc(self->frame_bytes);
  if (memory == NULL) return PyErr_NoMemory();
  open_frame(&frame, self, memory);
  PyObject *result = NULL;
  if (ag_read_inputs(&frame, args, PyVectorcall_NARGS(flags), names) == 0) {
    if (self->storages == 0 ? run_bound(&frame) == 0 : run_locked(&frame) == 0) result = collect(&frame);
  }
  for (int i = 0; i < self->buffers; i++) Py_XDECREF(frame.arrays[i]);
  if (memory != small) PyMem_Free(memory);
  return result;
}
