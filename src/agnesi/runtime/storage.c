/* Storage: the value of a shared variable, with a lock that readers share and writers do not.
 *
 * The counters of a lock change only under the GIL, so taking a free lock is a few instructions.  Whoever
 * finds it taken lets go of the GIL and sleeps on one condition of the process until some lock is released.
 */
#include "runtime.h"
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static int64_t releases; /* written under the GIL and the gate */
static int32_t waiting;
static int32_t epoch; /* forks between the first process and this one */

/* In a child the other threads are gone: whatever they held or waited for is void. */
static void after_fork(void) {
  gate = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
  released = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
  waiting = 0;
  epoch++;
}

/* Locks held at a fork: readers left the value whole, a writer may not have. */
static int renew(Storage *storage) {
  if (storage->holders < 0) {
    PyErr_SetString(PyExc_RuntimeError,
                    "a shared variable was being updated by another thread when this process was forked; "
                    "set its value again before using it");
    return -1;
  }
  storage->epoch = epoch;
  storage->holders = storage->writers = 0;
  return 0;
}

static bool try_lock(Storage *storage, bool write, bool inside) {
  if (write) {
    if (storage->holders != 0) return false;
    storage->holders = -1;
    return true;
  }
  if (storage->holders < 0 || (storage->writers > 0 && !inside)) return false;
  storage->holders++;
  return true;
}

/* Sleeps until a lock is released or a moment has passed, then looks at signals. */
static int wait_for_release(void) {
  int64_t seen = releases;
  struct timespec until;
  waiting++;
  Py_BEGIN_ALLOW_THREADS
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += 50000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    until.tv_sec++;
  }
  pthread_mutex_lock(&gate);
  while (releases == seen && pthread_cond_timedwait(&released, &gate, &until) != ETIMEDOUT) {
  }
  pthread_mutex_unlock(&gate);
  Py_END_ALLOW_THREADS
  waiting--;
  return PyErr_CheckSignals();
}

int ag_storage_lock(Storage *storage, bool write) {
  if (storage->epoch != epoch && renew(storage) < 0) return -1;
  if (try_lock(storage, write, false)) return 0;
  enum held held = ag_held(storage);
  if (held == HELD_WRITE || (held == HELD_READ && write)) {
    PyErr_SetString(PyExc_RuntimeError, "a shared variable is in use by the call from within which it is used again");
    return -1;
  }
  int status = 0;
  if (write) storage->writers++;
  while (status == 0 && !try_lock(storage, write, held == HELD_READ)) status = wait_for_release();
  if (write) storage->writers--;
  if (status == 0) return 0;
  if (write && waiting > 0) ag_storage_unlock(NULL); /* readers queued behind this writer may go on */
  return -1;
}

/* NULL only wakes the sleepers. */
void ag_storage_unlock(Storage *storage) {
  if (storage != NULL) storage->holders -= storage->holders < 0 ? -1 : 1;
  if (waiting == 0) return;
  pthread_mutex_lock(&gate);
  releases++;
  pthread_cond_broadcast(&released);
  pthread_mutex_unlock(&gate);
}

/* A new reference to `value` or to a copy that generated code can read. */
static PyArrayObject *readable(PyObject *value) {
  if (!PyArray_Check(value)) {
    PyErr_Format(PyExc_TypeError, "the value of a shared variable must be a NumPy array, not %.100s",
                 Py_TYPE(value)->tp_name);
    return NULL;
  }
  PyArray_Descr *descr = PyArray_DESCR((PyArrayObject *)value);
  if (PyDataType_HASFIELDS(descr) || !ag_plain(descr)) {
    PyErr_Format(PyExc_TypeError, "a shared variable cannot hold an array of dtype %S", (PyObject *)descr);
    return NULL;
  }
  PyArray_Descr *native = PyArray_ISNBO(descr->byteorder) ? descr : PyArray_DescrNewByteorder(descr, NPY_NATIVE);
  if (native == NULL) return NULL;
  if (native == descr) Py_INCREF(native);
  return (PyArrayObject *)PyArray_FromArray((PyArrayObject *)value, native, NPY_ARRAY_ALIGNED | NPY_ARRAY_ENSUREARRAY);
}

static PyObject *storage_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
  static char *names[] = {"array", NULL};
  PyObject *value;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "O:Storage", names, &value)) return NULL;
  PyArrayObject *array = readable(value);
  if (array == NULL) return NULL;
  Storage *self = (Storage *)type->tp_alloc(type, 0);
  if (self == NULL) {
    Py_DECREF(array);
    return NULL;
  }
  self->array = array;
  self->epoch = epoch;
  return (PyObject *)self;
}

static void storage_dealloc(PyObject *object) {
  Storage *self = (Storage *)object;
  if (self->weakrefs != NULL) PyObject_ClearWeakRefs(object);
  Py_XDECREF(self->array);
  Py_TYPE(object)->tp_free(object);
}

static PyObject *get_array(PyObject *object, void *Py_UNUSED(closure)) {
  return Py_NewRef((PyObject *)((Storage *)object)->array);
}

static int set_array(PyObject *object, PyObject *value, void *Py_UNUSED(closure)) {
  Storage *self = (Storage *)object;
  if (value == NULL) {
    PyErr_SetString(PyExc_AttributeError, "the array of a Storage cannot be deleted");
    return -1;
  }
  PyArrayObject *array = readable(value);
  if (array == NULL) return -1;
  if (!PyArray_EquivTypes(PyArray_DESCR(array), PyArray_DESCR(self->array)) ||
      PyArray_NDIM(array) != PyArray_NDIM(self->array)) {
    PyErr_Format(PyExc_TypeError, "the shared variable holds %d-dimensional arrays of %S, not %d-dimensional ones of %S",
                 PyArray_NDIM(self->array), (PyObject *)PyArray_DESCR(self->array), PyArray_NDIM(array),
                 (PyObject *)PyArray_DESCR(array));
    Py_DECREF(array);
    return -1;
  }
  if (self->epoch != epoch) { /* held at a fork: a whole new value makes it usable again */
    self->epoch = epoch;
    self->holders = self->writers = 0;
  }
  if (ag_storage_lock(self, true) < 0) {
    Py_DECREF(array);
    return -1;
  }
  PyArrayObject *old = self->array;
  self->array = array;
  ag_storage_unlock(self);
  Py_DECREF(old);
  return 0;
}

static PyObject *storage_copy(PyObject *object, PyObject *Py_UNUSED(none)) {
  Storage *self = (Storage *)object;
  if (ag_storage_lock(self, false) < 0) return NULL;
  PyObject *copy = PyArray_NewCopy(self->array, NPY_KEEPORDER);
  ag_storage_unlock(self);
  return copy;
}

static PyGetSetDef storage_properties[] = {
    {"array", get_array, set_array, "The array itself; set it to an array of the same dtype and ndim.", NULL},
    {0},
};

static PyMethodDef storage_methods[] = {
    {"copy", storage_copy, METH_NOARGS, "copy() -> ndarray\n\nA copy that no running update can tear."},
    {0},
};

PyTypeObject ag_storage_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "agnesi._runtime.Storage",
    .tp_doc = "Storage(array)\n\nThe value of a shared variable.",
    .tp_basicsize = sizeof(Storage),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = storage_new,
    .tp_dealloc = storage_dealloc,
    .tp_weaklistoffset = offsetof(Storage, weakrefs),
    .tp_getset = storage_properties,
    .tp_methods = storage_methods,
};

int ag_storage_init(void) {
  if (pthread_atfork(NULL, NULL, after_fork) != 0) {
    PyErr_SetString(PyExc_OSError, "pthread_atfork failed");
    return -1;
  }
  return PyType_Ready(&ag_storage_type);
}
