/* Dispatcher: the callable base class of compiled functions, and how it is set up. */
#include "runtime.h"
#include <limits.h>
#include <stddef.h>

static PyObject *dispatcher_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(keywords)) {
  Dispatcher *self = (Dispatcher *)type->tp_alloc(type, 0);
  if (self == NULL) return NULL;
  self->vectorcall = ag_dispatch;
  self->building = PyThread_allocate_lock();
  if (self->building == NULL) {
    Py_DECREF(self);
    return PyErr_NoMemory();
  }
  return (PyObject *)self;
}

/* Variants ------------------------------------------------------------------------------------ */

/* Reads what _build returned: (address, one bool per update). */
static int read_variant(Dispatcher *self, struct variant *variant, PyObject *built) {
  unsigned long long address;
  PyObject *flags;
  if (!PyTuple_Check(built)) {
    PyErr_SetString(PyExc_TypeError, "_build() must return a tuple (address, donated)");
    return -1;
  }
  if (!PyArg_ParseTuple(built, "KO!;_build() must return (address, donated)", &address, &PyTuple_Type, &flags))
    return -1;
  if (PyTuple_GET_SIZE(flags) != self->updates || address == 0) {
    PyErr_Format(PyExc_ValueError, "_build() must return an address and %d flags", self->updates);
    return -1;
  }
  for (int i = 0; i < self->updates; i++) {
    int flag = PyObject_IsTrue(PyTuple_GET_ITEM(flags, i));
    if (flag < 0) return -1;
    variant->donated[i] = (char)flag;
  }
  variant->code = (int (*)(struct ag_call *))(uintptr_t)address;
  return 0;
}

/* Several threads may ask for variants at once. */
static void begin_building(Dispatcher *self) {
  if (PyThread_acquire_lock(self->building, NOWAIT_LOCK)) return;
  Py_BEGIN_ALLOW_THREADS
  PyThread_acquire_lock(self->building, WAIT_LOCK);
  Py_END_ALLOW_THREADS
}

static int get_variant_memory(Dispatcher *self, struct variant *variant) {
  variant->donated = PyMem_Calloc((size_t)self->updates + 1, 1);
  variant->apart = PyMem_Calloc((size_t)self->buffers + 1, sizeof *variant->apart);
  if (variant->donated != NULL && variant->apart != NULL) return 0;
  PyErr_NoMemory();
  return -1;
}

static void free_variant_memory(struct variant *variant) {
  PyMem_Free(variant->donated);
  PyMem_Free(variant->apart);
}

static struct variant *find_variant(Dispatcher *self, const int64_t *sizes) {
  struct variant *variant = self->by_size;
  while (variant != NULL && memcmp(variant->sizes, sizes, sizeof variant->sizes) != 0) variant = variant->next;
  return variant;
}

static struct variant *build_variant(Dispatcher *self, const int64_t *sizes) {
  struct variant *variant = PyMem_Calloc(1, sizeof *variant);
  if (variant == NULL) {
    PyErr_NoMemory();
    return NULL;
  }
  memcpy(variant->sizes, sizes, sizeof variant->sizes);
  PyObject *built = NULL;
  if (get_variant_memory(self, variant) == 0)
    built = PyObject_CallMethod((PyObject *)self, "_build_for", "((LLLL))", (long long)sizes[0], (long long)sizes[1],
                                (long long)sizes[2], (long long)sizes[3]);
  if (built == NULL || read_variant(self, variant, built) < 0) {
    free_variant_memory(variant);
    PyMem_Free(variant);
    variant = NULL;
  } else {
    variant->next = self->by_size;
    self->by_size = variant;
  }
  Py_XDECREF(built);
  return variant;
}

/* The variant for these sizes, built unless it is there. */
struct variant *ag_variant_for(Dispatcher *self, const int64_t *sizes) {
  struct variant *variant = find_variant(self, sizes);
  if (variant != NULL) return variant;
  begin_building(self);
  variant = find_variant(self, sizes);
  if (variant == NULL) variant = build_variant(self, sizes);
  PyThread_release_lock(self->building);
  return variant;
}

/* Has a variant built unless it is there. */
int ag_ready(Dispatcher *self, enum variant_number number) {
  struct variant *variant = &self->variants[number];
  begin_building(self);
  int status = 0;
  if (variant->code == NULL) {
    PyObject *built = PyObject_CallMethod((PyObject *)self, "_build", "i", (int)number);
    status = built != NULL ? read_variant(self, variant, built) : -1;
    Py_XDECREF(built);
  }
  PyThread_release_lock(self->building);
  return status;
}

static PyObject *pointer(PyObject *object, PyObject *argument) {
  Dispatcher *self = (Dispatcher *)object;
  long number = PyLong_AsLong(argument);
  if (number == -1 && PyErr_Occurred()) return NULL;
  if (number != COMMON && number != GENERAL) {
    PyErr_Format(PyExc_ValueError, "a variant is 0 (common) or 1 (general), not %ld", number);
    return NULL;
  }
  if (!self->bound) {
    PyErr_SetString(PyExc_RuntimeError, "pointer() was called before _bind()");
    return NULL;
  }
  if (self->variants[number].code == NULL && ag_ready(self, (enum variant_number)number) < 0) return NULL;
  return PyLong_FromVoidPtr((void *)(uintptr_t)self->variants[number].code);
}

/* Binding --------------------------------------------------------------------------------------- */

static int fill_slot(Dispatcher *self, int buffer, PyObject *dtype, int ndim) {
  struct slot *slot = &self->slots[buffer];
  PyArray_Descr *descr;
  if (!PyArray_DescrConverter(dtype, &descr)) return -1;
  slot->descr = descr;
  bool plain = ag_plain(descr);
  npy_intp size = PyDataType_ELSIZE(descr);
  if (!plain || !PyArray_ISNBO(descr->byteorder) || size <= 0 || (size & (size - 1)) != 0 || size > 16) {
    PyErr_Format(PyExc_TypeError, "a buffer cannot have dtype %S", dtype);
    return -1;
  }
  if (ndim < 0 || ndim > NPY_MAXDIMS) {
    PyErr_Format(PyExc_ValueError, "a buffer cannot have %d axes", ndim);
    return -1;
  }
  slot->ndim = ndim;
  slot->shift = __builtin_ctzll((unsigned long long)size);
  slot->place = self->axes;
  self->axes += ndim;
  return 0;
}

static int bind_inputs(Dispatcher *self, PyObject *inputs) {
  self->names = PyTuple_New(self->inputs);
  self->defaults = PyTuple_New(self->inputs);
  if (self->names == NULL || self->defaults == NULL) return -1;
  for (int i = 0; i < self->inputs; i++) {
    PyObject *name, *dtype, *value;
    int ndim;
    if (!PyArg_Parse(PyTuple_GET_ITEM(inputs, i), "(OOiO);an input is (name, dtype, ndim, default)", &name, &dtype,
                     &ndim, &value))
      return -1;
    if (name != Py_None && !PyUnicode_Check(name)) {
      PyErr_SetString(PyExc_TypeError, "the name of an input is a str or None");
      return -1;
    }
    Py_INCREF(name);
    if (PyUnicode_CheckExact(name)) PyUnicode_InternInPlace(&name);
    PyTuple_SET_ITEM(self->names, i, name);
    PyTuple_SET_ITEM(self->defaults, i, Py_NewRef(value));
    if (fill_slot(self, i, dtype, ndim) < 0) return -1;
  }
  return 0;
}

/* Sorts storages by address, so that no two calls wait for each other. */
static int order_storages(Dispatcher *self) {
  for (int i = 0; i < self->storages; i++) {
    int place = i;
    PyObject *storage = PyTuple_GET_ITEM(self->storage_tuple, i);
    for (; place > 0; place--) {
      PyObject *before = PyTuple_GET_ITEM(self->storage_tuple, self->order[place - 1]);
      if (before == storage) {
        PyErr_SetString(PyExc_ValueError, "a storage is given twice");
        return -1;
      }
      if ((uintptr_t)before < (uintptr_t)storage) break;
      self->order[place] = self->order[place - 1];
    }
    self->order[place] = i;
  }
  return 0;
}

static int bind_shared(Dispatcher *self, PyObject *storages, PyObject *constants) {
  int buffer = self->inputs;
  self->storage_tuple = Py_NewRef(storages);
  self->constant_tuple = Py_NewRef(constants);
  for (int i = 0; i < self->storages; i++, buffer++) {
    PyObject *storage = PyTuple_GET_ITEM(storages, i);
    if (!PyObject_TypeCheck(storage, &ag_storage_type)) {
      PyErr_SetString(PyExc_TypeError, "storages are Storage objects");
      return -1;
    }
    PyArrayObject *array = ((Storage *)storage)->array;
    if (fill_slot(self, buffer, (PyObject *)PyArray_DESCR(array), PyArray_NDIM(array)) < 0) return -1;
  }
  for (int i = 0; i < self->constants; i++, buffer++) {
    PyArrayObject *array = (PyArrayObject *)PyTuple_GET_ITEM(constants, i);
    if (!PyArray_CheckExact(array) || !PyArray_IS_C_CONTIGUOUS(array) || !PyArray_ISALIGNED(array)) {
      PyErr_SetString(PyExc_TypeError, "constants are aligned, C-contiguous arrays");
      return -1;
    }
    if (fill_slot(self, buffer, (PyObject *)PyArray_DESCR(array), PyArray_NDIM(array)) < 0) return -1;
  }
  return order_storages(self);
}

static int bind_results(Dispatcher *self, PyObject *outputs, PyObject *updates) {
  int buffer = self->inputs + self->storages + self->constants, ndim;
  PyObject *dtype;
  for (int i = 0; i < self->outputs; i++, buffer++) {
    if (!PyArg_Parse(PyTuple_GET_ITEM(outputs, i), "(Oi);an output is (dtype, ndim)", &dtype, &ndim)) return -1;
    if (fill_slot(self, buffer, dtype, ndim) < 0) return -1;
  }
  for (int i = 0; i < self->updates; i++, buffer++) {
    int target;
    if (!PyArg_Parse(PyTuple_GET_ITEM(updates, i), "(iOi);an update is (storage, dtype, ndim)", &target, &dtype, &ndim))
      return -1;
    if (fill_slot(self, buffer, dtype, ndim) < 0) return -1;
    if (target < 0 || target >= self->storages || self->written[target]) {
      PyErr_Format(PyExc_ValueError, "update %d is of storage %d, which does not exist or is updated already", i, target);
      return -1;
    }
    struct slot *old = &self->slots[self->inputs + target], *new = &self->slots[buffer];
    if (old->ndim != new->ndim || !PyArray_EquivTypes(old->descr, new->descr)) {
      PyErr_Format(PyExc_TypeError, "update %d has another dtype or ndim than its storage", i);
      return -1;
    }
    self->target[i] = target;
    self->written[target] = true;
  }
  return 0;
}

static int bind_result(Dispatcher *self, PyObject *result) {
  if (PyTuple_Check(result) && PyTuple_GET_SIZE(result) == self->outputs) {
    self->result = RESULT_DICT;
    self->keys = Py_NewRef(result);
    return 0;
  }
  static const char *words[] = {"one", "list", "none"};
  static const enum result_kind kinds[] = {RESULT_ONE, RESULT_LIST, RESULT_NONE};
  for (int i = 0; i < 3; i++) {
    if (!PyUnicode_Check(result) || PyUnicode_CompareWithASCIIString(result, words[i]) != 0) continue;
    self->result = kinds[i];
    if (kinds[i] != RESULT_ONE || self->outputs == 1) return 0;
  }
  PyErr_Format(PyExc_ValueError, "result %R does not go with %d outputs", result, self->outputs);
  return -1;
}

static int get_memory(Dispatcher *self) {
  size_t buffers = (size_t)self->buffers + 1, storages = (size_t)self->storages + 1,
         updates = (size_t)self->updates + 1;
  self->slots = PyMem_Calloc(buffers, sizeof *self->slots);
  self->order = PyMem_Calloc(storages, sizeof *self->order);
  self->written = PyMem_Calloc(storages, sizeof *self->written);
  self->target = PyMem_Calloc(updates, sizeof *self->target);
  if (self->slots == NULL || self->order == NULL || self->written == NULL || self->target == NULL) {
    PyErr_NoMemory();
    return -1;
  }
  return get_variant_memory(self, &self->variants[0]) < 0 || get_variant_memory(self, &self->variants[1]) < 0 ? -1 : 0;
}

static int dispatcher_clear(PyObject *object);

static PyObject *bind(PyObject *object, PyObject *args, PyObject *keywords) {
  static char *names[] = {"inputs", "storages", "constants", "outputs", "updates", "result", "long_loops",
                          "threads", "worth", "streaming", NULL};
  Dispatcher *self = (Dispatcher *)object;
  PyObject *inputs, *storages, *constants, *outputs, *updates, *result;
  int long_loops = 0, threads = 1;
  long long worth = INT64_MAX, streaming = INT64_MAX;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!O!O!O!O!O|piLL:_bind", names, &PyTuple_Type, &inputs, &PyTuple_Type,
                                   &storages, &PyTuple_Type, &constants, &PyTuple_Type, &outputs, &PyTuple_Type,
                                   &updates, &result, &long_loops, &threads, &worth, &streaming))
    return NULL;
  if (self->slots != NULL) {
    PyErr_SetString(PyExc_RuntimeError, "_bind() was called twice");
    return NULL;
  }
  if (threads < 1 || worth < 1 || streaming < 0) {
    PyErr_SetString(PyExc_ValueError, "threads and worth are positive numbers, streaming is none below 0");
    return NULL;
  }
  self->inputs = (int)PyTuple_GET_SIZE(inputs);
  self->storages = (int)PyTuple_GET_SIZE(storages);
  self->constants = (int)PyTuple_GET_SIZE(constants);
  self->outputs = (int)PyTuple_GET_SIZE(outputs);
  self->updates = (int)PyTuple_GET_SIZE(updates);
  self->buffers = self->inputs + self->storages + self->constants + self->outputs + self->updates;
  self->long_loops = long_loops;
  self->threads = threads;
  self->worth = worth;
  self->streaming = streaming;
  if (get_memory(self) < 0 || bind_inputs(self, inputs) < 0 || bind_shared(self, storages, constants) < 0 ||
      bind_results(self, outputs, updates) < 0 || bind_result(self, result) < 0)
    return NULL;
  self->frame_bytes = (size_t)self->inputs * (16 + sizeof(void *)) + (size_t)self->buffers * 2 * sizeof(void *) +
                      (size_t)self->axes * 2 * sizeof(int64_t);
  if (self->updates > 0) self->frame_bytes += (size_t)self->buffers * sizeof(struct extent);
  /* Python 3.11 lets subclasses made in Python inherit the slower tp_call only. */
  if (Py_TYPE(self)->tp_call == PyVectorcall_Call) Py_TYPE(self)->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
  self->bound = true;
  Py_RETURN_NONE;
}

static PyObject *free_scratch(PyObject *object, PyObject *Py_UNUSED(none)) {
  Dispatcher *self = (Dispatcher *)object;
  while (self->arenas != NULL) {
    struct block *arena = self->arenas;
    self->arenas = arena->next;
    ag_block_free(arena);
  }
  self->idle = 0;
  Py_RETURN_NONE;
}

/* Type ------------------------------------------------------------------------------------------ */

static int dispatcher_traverse(PyObject *object, visitproc visit, void *arg) {
  Dispatcher *self = (Dispatcher *)object;
  Py_VISIT(self->defaults);
  Py_VISIT(self->storage_tuple);
  Py_VISIT(self->constant_tuple);
  Py_VISIT(self->keys);
  return 0;
}

static int dispatcher_clear(PyObject *object) {
  Dispatcher *self = (Dispatcher *)object;
  self->bound = false;
  Py_CLEAR(self->defaults);
  Py_CLEAR(self->storage_tuple);
  Py_CLEAR(self->constant_tuple);
  Py_CLEAR(self->keys);
  return 0;
}

static void dispatcher_dealloc(PyObject *object) {
  Dispatcher *self = (Dispatcher *)object;
  PyObject_GC_UnTrack(object);
  dispatcher_clear(object);
  Py_CLEAR(self->names);
  Py_XDECREF(free_scratch(object, NULL));
  for (int i = 0; self->slots != NULL && i < self->buffers; i++) Py_XDECREF(self->slots[i].descr);
  PyMem_Free(self->slots);
  PyMem_Free(self->order);
  PyMem_Free(self->written);
  PyMem_Free(self->target);
  for (int i = 0; i < 2; i++) free_variant_memory(&self->variants[i]);
  while (self->by_size != NULL) {
    struct variant *variant = self->by_size;
    self->by_size = variant->next;
    free_variant_memory(variant);
    PyMem_Free(variant);
  }
  if (self->building != NULL) PyThread_free_lock(self->building);
  Py_TYPE(object)->tp_free(object);
}

PyDoc_STRVAR(bind_doc,
"_bind(inputs, storages, constants, outputs, updates, result, long_loops=False, threads=1, worth=2**63 - 1,\n"
"      streaming=2**63 - 1)\n\n"
"Says what the function takes and gives; called once, before anything else.\n\n"
"inputs: (name or None, dtype, ndim, default or NO_DEFAULT) each; storages: Storage objects; constants:\n"
"C-contiguous arrays; outputs: (dtype, ndim) each; updates: (index of a storage, dtype, ndim) each; result:\n"
"'one', 'list', 'none' or a tuple of keys.  long_loops tells that the time of a call may be long although its\n"
"arrays are small: such calls always release the GIL.  threads: how many a call may use.  worth: the work, in\n"
"additions, from which a loop is split among them.  streaming: the bytes of a result from which loops write it past\n"
"the caches.");

static PyMethodDef dispatcher_methods[] = {
    {"_bind", (PyCFunction)(void (*)(void))bind, METH_VARARGS | METH_KEYWORDS, bind_doc},
    {"pointer", pointer, METH_O, "pointer(variant) -> int\n\nThe address of the C function, built if need be."},
    {"free", free_scratch, METH_NOARGS, "free()\n\nGives idle scratch memory back."},
    {0},
};

static PyObject *get_threads(PyObject *object, void *Py_UNUSED(closure)) {
  return PyLong_FromLong(((Dispatcher *)object)->threads);
}

static int set_threads(PyObject *object, PyObject *value, void *Py_UNUSED(closure)) {
  long threads = value != NULL ? PyLong_AsLong(value) : 0;
  if (threads == -1 && PyErr_Occurred()) return -1;
  if (threads < 1 || threads > INT_MAX) {
    PyErr_SetString(PyExc_ValueError, "a function uses one thread at least");
    return -1;
  }
  ((Dispatcher *)object)->threads = (int)threads;
  return 0;
}

static PyGetSetDef dispatcher_attributes[] = {
    {"threads", get_threads, set_threads, "How many threads a call may use; results do not depend on it.", NULL},
    {0},
};

PyTypeObject ag_dispatcher_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "agnesi._runtime.Dispatcher",
    .tp_doc = "Calls compiled code; subclasses provide _build, _build_for, _convert and _fail.",
    .tp_basicsize = sizeof(Dispatcher),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = dispatcher_new,
    .tp_dealloc = dispatcher_dealloc,
    .tp_traverse = dispatcher_traverse,
    .tp_clear = dispatcher_clear,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Dispatcher, vectorcall),
    .tp_methods = dispatcher_methods,
    .tp_getset = dispatcher_attributes,
};
