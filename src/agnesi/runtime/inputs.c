/* The inputs of a call: from Python arguments to buffers. */
#include "pool.h"
#include "runtime.h"

PyObject *ag_function_name(Dispatcher *self) {
  PyObject *name = PyObject_GetAttrString((PyObject *)self, "name");
  if (name != NULL && PyUnicode_Check(name) && PyUnicode_GET_LENGTH(name) > 0) return name;
  Py_XDECREF(name);
  PyErr_Clear();
  return PyUnicode_FromString("function");
}

/* "(x, y)": the inputs as a person would name them. */
static PyObject *input_list(Dispatcher *self) {
  PyObject *parts = PyList_New(self->inputs);
  if (parts == NULL) return NULL;
  for (int i = 0; i < self->inputs; i++) {
    PyObject *name = PyTuple_GET_ITEM(self->names, i);
    PyObject *part = name != Py_None ? Py_NewRef(name) : PyUnicode_FromFormat("input %d", i);
    if (part == NULL) {
      Py_DECREF(parts);
      return NULL;
    }
    PyList_SET_ITEM(parts, i, part);
  }
  PyObject *comma = PyUnicode_FromString(", ");
  PyObject *joined = comma != NULL ? PyUnicode_Join(comma, parts) : NULL;
  PyObject *list = joined != NULL ? PyUnicode_FromFormat("(%U)", joined) : NULL;
  Py_XDECREF(comma);
  Py_XDECREF(joined);
  Py_DECREF(parts);
  return list;
}

/* Raises TypeError: the function, what is wrong (`format` with one %S), the inputs. */
static int wrong_arguments(Dispatcher *self, const char *format, PyObject *what) {
  PyObject *name = ag_function_name(self), *list = input_list(self);
  PyObject *complaint = PyUnicode_FromFormat(format, what);
  if (name != NULL && list != NULL && complaint != NULL)
    PyErr_Format(PyExc_TypeError, "%U() %U; its inputs are %U", name, complaint, list);
  Py_XDECREF(name);
  Py_XDECREF(list);
  Py_XDECREF(complaint);
  return -1;
}

static int wrong_count(Dispatcher *self, Py_ssize_t count) {
  PyObject *number = PyLong_FromSsize_t(count);
  if (number == NULL) return -1;
  const char *format = self->inputs == 1 ? "takes 1 input but got %S" : "got %S inputs, which is too many";
  wrong_arguments(self, format, number);
  Py_DECREF(number);
  return -1;
}

/* The input called `name`, -1 when there is none. */
static int find_input(Dispatcher *self, PyObject *name) {
  for (int i = 0; i < self->inputs; i++)
    if (PyTuple_GET_ITEM(self->names, i) == name) return i; /* names are interned: nearly always found here */
  for (int i = 0; i < self->inputs; i++) {
    PyObject *other = PyTuple_GET_ITEM(self->names, i);
    if (other != Py_None && PyUnicode_Compare(other, name) == 0) return i;
  }
  return -1;
}

/* `threads=` of a call, unless an input has that name. */
static int read_threads(struct frame *frame, PyObject *value) {
  PyObject *number = PyObject_CallMethod((PyObject *)frame->self, "_count", "O", value);
  if (number == NULL) return -1;
  int overflow;
  const long threads = PyLong_AsLongAndOverflow(number, &overflow);
  Py_DECREF(number);
  if (threads == -1 && PyErr_Occurred()) return -1;
  frame->pool.threads = ag_pool_allowed(overflow ? LONG_MAX : threads);
  return 0;
}

/* Puts positional and keyword arguments and defaults in the order of the inputs. */
static int sort_arguments(struct frame *frame, PyObject *const *args, Py_ssize_t count, PyObject *keywords) {
  Dispatcher *self = frame->self;
  if (count > self->inputs) return wrong_count(self, count);
  for (int i = 0; i < self->inputs; i++) frame->given[i] = i < count ? args[i] : NULL;
  Py_ssize_t named = keywords != NULL ? PyTuple_GET_SIZE(keywords) : 0;
  for (Py_ssize_t j = 0; j < named; j++) {
    PyObject *name = PyTuple_GET_ITEM(keywords, j);
    int i = find_input(self, name);
    if (i < 0 && PyUnicode_CompareWithASCIIString(name, "threads") == 0) {
      if (read_threads(frame, args[count + j]) < 0) return -1;
      continue;
    }
    if (i < 0) return wrong_arguments(self, "has no input named '%S'", name);
    if (frame->given[i] != NULL) return wrong_arguments(self, "got input '%S' twice", name);
    frame->given[i] = args[count + j];
  }
  for (int i = 0; i < self->inputs; i++) {
    if (frame->given[i] != NULL) continue;
    PyObject *value = PyTuple_GET_ITEM(self->defaults, i);
    if (value == ag_no_default) {
      PyObject *name = PyTuple_GET_ITEM(self->names, i);
      if (name != Py_None) return wrong_arguments(self, "is missing input '%S'", name);
      PyObject *number = PyLong_FromLong(i);
      wrong_arguments(self, "is missing input %S", number);
      Py_XDECREF(number);
      return -1;
    }
    frame->given[i] = value;
  }
  return 0;
}

/* Whether elements are numbers or booleans; a type from elsewhere can only be bfloat16, the caller sees to that. */
bool ag_plain(const PyArray_Descr *descr) {
  int type = descr->type_num;
  return PyTypeNum_ISNUMBER(type) || type == NPY_BOOL || type == NPY_HALF || PyTypeNum_ISUSERDEF(type);
}

/* Whether generated code can read the array as it is, strides apart. */
bool ag_suits(const struct slot *slot, PyArrayObject *array) {
  return PyArray_NDIM(array) == slot->ndim && PyArray_ISALIGNED(array) &&
         (PyArray_DESCR(array) == slot->descr || PyArray_EquivTypes(PyArray_DESCR(array), slot->descr));
}

static bool read_float(double number, int type, char *place) {
  if (type == NPY_DOUBLE) {
    memcpy(place, &number, sizeof number);
    return true;
  }
  float narrow = (float)number;
  memcpy(place, &narrow, sizeof narrow);
  return isinf(narrow) == isinf(number); /* too large: _convert decides */
}

static bool read_int(PyObject *value, int type, char *place) {
  int overflow;
  long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow != 0) return false;
  if (type == NPY_INT64) {
    memcpy(place, &number, sizeof number);
    return true;
  }
  /* Beyond 2^53 the way through double would round twice for float32. */
  if (number > (1LL << 53) || number < -(1LL << 53)) return false;
  return read_float((double)number, type, place);
}

/* Reads Python numbers, and NumPy scalars of the very dtype, where no value can be lost. */
static bool read_scalar(const struct slot *slot, PyObject *value, char *place) {
  int type = slot->descr->type_num;
  if (Py_TYPE(value) == slot->descr->typeobj && !PyTypeNum_ISUSERDEF(type)) {
    PyArray_ScalarAsCtype(value, place);
    return true;
  }
  bool floating = type == NPY_DOUBLE || type == NPY_FLOAT;
  if (PyFloat_CheckExact(value)) return floating && read_float(PyFloat_AS_DOUBLE(value), type, place);
  if (PyBool_Check(value) && type == NPY_BOOL) {
    *place = value == Py_True;
    return true;
  }
  if (PyLong_CheckExact(value) || PyBool_Check(value))
    return (floating || type == NPY_INT64) && read_int(value, type, place);
  return false;
}

/* Asks the subclass for an array; a new reference. */
static PyArrayObject *convert(struct frame *frame, int input, PyObject *value) {
  const struct slot *slot = &frame->self->slots[input];
  PyObject *array = PyObject_CallMethod((PyObject *)frame->self, "_convert", "iO", input, value);
  if (array == NULL) return NULL;
  if (PyArray_Check(array) && ag_suits(slot, (PyArrayObject *)array)) return (PyArrayObject *)array;
  PyErr_Format(PyExc_TypeError, "_convert(%d, ...) returned %.100s that is not an aligned %d-dimensional array of %S",
               input, Py_TYPE(array)->tp_name, slot->ndim, (PyObject *)slot->descr);
  Py_DECREF(array);
  return NULL;
}

static int read_input(struct frame *frame, int input, PyObject *value) {
  const struct slot *slot = &frame->self->slots[input];
  if (PyArray_CheckExact(value) && ag_suits(slot, (PyArrayObject *)value))
    return ag_describe(frame, input, (PyArrayObject *)Py_NewRef(value));
  if (slot->ndim == 0 && read_scalar(slot, value, frame->scalars[input])) {
    frame->call.data[input] = frame->scalars[input];
    return 0;
  }
  PyArrayObject *array = convert(frame, input, value);
  return array != NULL ? ag_describe(frame, input, array) : -1;
}

int ag_read_inputs(struct frame *frame, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  if (names != NULL || count != frame->self->inputs) {
    if (sort_arguments(frame, args, count, names) < 0) return -1;
    args = frame->given;
  }
  for (int i = 0; i < frame->self->inputs; i++)
    if (read_input(frame, i, args[i]) < 0) return -1;
  return 0;
}

/* Enters an array (whose reference it takes over) as a buffer.
 *
 * A C-contiguous array gets the strides that a contiguous array of its dims has, whatever NumPy keeps for
 * axes of length 0 and 1.  An array whose strides are no multiples of the item size is copied. */
int ag_describe(struct frame *frame, int buffer, PyArrayObject *array) {
  const struct slot *slot = &frame->self->slots[buffer];
  int64_t *dims = frame->call.dims + slot->place, *strides = frame->call.strides + slot->place;
  const npy_intp *shape = PyArray_DIMS(array), *steps = PyArray_STRIDES(array);
  bool contiguous = PyArray_IS_C_CONTIGUOUS(array), whole = true;
  int64_t count = 1, step = 1;
  for (int i = slot->ndim - 1; i >= 0; i--) {
    dims[i] = shape[i];
    count *= shape[i];
    if (contiguous || shape[i] == 1) {
      strides[i] = step;
    } else {
      strides[i] = steps[i] >> slot->shift;
      whole = whole && (steps[i] & ((1 << slot->shift) - 1)) == 0;
    }
    step *= shape[i] > 0 ? shape[i] : 1;
  }
  if (!whole) {
    PyArrayObject *copy = (PyArrayObject *)PyArray_NewCopy(array, NPY_CORDER);
    Py_DECREF(array);
    return copy != NULL ? ag_describe(frame, buffer, copy) : -1;
  }
  PyArrayObject *old = frame->arrays[buffer];
  frame->arrays[buffer] = array;
  frame->call.data[buffer] = PyArray_DATA(array);
  frame->bytes += count << slot->shift;
  frame->contiguous = frame->contiguous && contiguous;
  Py_XDECREF(old);
  return 0;
}
